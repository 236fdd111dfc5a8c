//! The files that hold keys, and who may read them. Those of the configuration's secrets were looked at with it.

use std::path::Path;

use crate::config::Config;
use crate::finding::{Finding, Report};
use crate::session::store::Choice;

const CHECK: &str = "secret_files";

/// Looks at the modes of what the gateway keeps beside its database, and sums up the rest.
pub(super) fn examine(config: &Config, report: &mut Report<'_>) {
    if let Choice::File(database) = &config.session.store {
        let own_key = config.session.keys.is_empty().then(|| database.with_extension("key"));
        for path in own_key.iter().chain([database]).filter(|path| is_open(path)) {
            let repair = format!("chmod 600 {}", path.display());
            report.add(Finding::warning(
                CHECK,
                path.display().to_string(),
                "other users of this machine can read it",
                repair,
            ));
        }
    }
    let others_read = |warning: &&String| warning.contains("other users of this machine can read the secret");
    if config.warnings.iter().filter(others_read).count() == 0 {
        report.add(Finding::ok(
            CHECK,
            "the files of secrets",
            "none that the configuration names can be read by others",
        ));
    }
}

#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}
