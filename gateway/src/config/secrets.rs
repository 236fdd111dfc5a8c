//! Where a secret is, and whether what is there deserves the name. A secret never stands in the configuration itself:
//! that file is copied, committed and shown.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::secret::Secret;

use super::placeholder::is_placeholder;
use super::raw::{Placed, Report, Section, Text, Value};
use super::schema;
use super::source::Source;

/// What is asked of a secret.
pub(super) struct Wanted {
    /// Whether it is a text of many lines, as PEM is; otherwise it is one line.
    pub(super) lines: bool,
    /// Shorter ones can be guessed.
    pub(super) shortest: usize,
    /// What to do for want of one.
    pub(super) where_from: &'static str,
}

/// The secret of a registration; every provider makes longer ones.
pub(super) const CLIENT_SECRET: Wanted = Wanted {
    lines: false,
    shortest: 16,
    where_from: "copy the client secret that the provider showed at registration",
};
/// Longer than any secret; a file of this size is the wrong file.
const LONGEST: usize = 64 * 1024;

/// What the configuration may look at beyond its own text.
pub(super) struct Surroundings<'s> {
    /// The folder that relative paths start from.
    pub(super) base: &'s Path,
    /// Reads an environment variable.
    pub(super) env: &'s dyn Fn(&str) -> Option<OsString>,
    /// The files that were named so far.
    sources: RefCell<Vec<Source>>,
}

impl<'s> Surroundings<'s> {
    /// Nothing was looked at yet.
    pub(super) fn new(base: &'s Path, env: &'s dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { base, env, sources: RefCell::default() }
    }

    /// A file that is about to be read, from the configuration's own folder. When it changes, so does the configuration.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let path = self.place(text);
        let mut sources = self.sources.borrow_mut();
        if !sources.iter().any(|known| known.path() == path) {
            sources.push(Source::of(&path));
        }
        path
    }

    /// A place that the configuration only names.
    pub(super) fn place(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// The files that were named so far.
    pub(super) fn sources(&self) -> Vec<Source> {
        self.sources.borrow().clone()
    }

    /// The folder of the configuration file; `Path` writes the current one as nothing.
    pub(super) fn base_folder(&self) -> &Path {
        if self.base.as_os_str().is_empty() { Path::new(".") } else { self.base }
    }
}

/// A secret that was read, and the file it came from.
pub(super) struct Found {
    pub(super) secret: Secret<String>,
    pub(super) file: Option<PathBuf>,
}

/// Follows `{ file = … }` or `{ env = … }`.
pub(super) fn read(
    value: &Value<'_>,
    wanted: &Wanted,
    report: &Report,
    around: &Surroundings<'_>,
) -> Option<Found> {
    const FORM: &str = "write { file = \"path\" } or { env = \"NAME\" }";
    if value.get().as_table().is_none() {
        report.mask(value.place().span);
        report.problem(
            &value.place(),
            "a secret must not stand in the configuration",
            format!("put it into a file of its own or into the environment, and {FORM}"),
        );
        return None;
    }
    let section = value.section(&schema::SECRET)?;
    match (section.text("file"), section.text("env")) {
        (Some(_), Some(env)) => {
            report.problem(&env.place, "a secret comes from one place only", "keep either `file` or `env`")
        }
        (Some(file), None) => return from_file(&section, &file, wanted, around),
        (None, Some(env)) => return from_env(&section, &env, wanted, around),
        (None, None) if section.has("file") || section.has("env") => {}
        (None, None) => report.problem(section.place(), "it does not say where the secret is", FORM),
    }
    None
}

fn from_file(
    section: &Section<'_>,
    file: &Text<'_>,
    wanted: &Wanted,
    around: &Surroundings<'_>,
) -> Option<Found> {
    let (report, path) = (section.report(), around.path(file.value));
    let mut text = Secret::new(Vec::new());
    let read = File::open(&path).and_then(|opened| {
        let metadata = opened.metadata()?;
        let mut limited = opened.take(LONGEST as u64 + 1);
        let mut bytes = Vec::with_capacity(LONGEST + 1);
        let result = limited.read_to_end(&mut bytes);
        text = Secret::new(bytes);
        result.map(|_| metadata)
    });
    let metadata = match read {
        Ok(metadata) => metadata,
        Err(error) => {
            let shown = path.display();
            report.problem(
                &file.place,
                format!("the secret's file cannot be read: {error}"),
                format!("create {shown}, or let the gateway's user read it"),
            );
            return None;
        }
    };
    if is_shown_to_others(&metadata) && !is_handed_in(&path) {
        report.warning(format!(
            "{}: other users of this machine can read the secret in {}; run: chmod 600",
            file.place.key,
            path.display()
        ));
    }
    let Ok(whole) = std::str::from_utf8(text.expose()) else {
        report.problem(
            &file.place,
            "the secret's file is not text",
            "it should hold the secret and nothing else",
        );
        return None;
    };
    let line = whole.strip_suffix('\n').unwrap_or(whole);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let line = if wanted.lines { whole.trim() } else { line };
    let secret = checked(report, file, line, wanted, "the secret's file")?;
    Some(Found { secret, file: Some(path) })
}

fn from_env(
    section: &Section<'_>,
    env: &Text<'_>,
    wanted: &Wanted,
    around: &Surroundings<'_>,
) -> Option<Found> {
    let report = section.report();
    let name = env.value;
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        // Perhaps the secret itself was written here.
        report.mask(env.place.span.clone());
        report.problem(
            &env.place,
            "this is not the name of an environment variable",
            "letters, digits and underscores, such as \"GATEWAY_CLIENT_SECRET\"",
        );
        return None;
    }
    let Some(value) = (around.env)(name) else {
        report.problem(
            &env.place,
            format!("the environment variable {name} is not set"),
            format!("set {name}, or write {{ file = \"path\" }}"),
        );
        return None;
    };
    let Ok(value) = value.into_string() else {
        report.problem(
            &env.place,
            format!("the environment variable {name} is not text"),
            "it should hold the secret and nothing else",
        );
        return None;
    };
    let value = Secret::new(value);
    let secret = checked(report, env, value.expose(), wanted, &format!("the environment variable {name}"))?;
    Some(Found { secret, file: None })
}

/// The secret, unless it is empty, a stand-in, too short or obviously something else.
fn checked(
    report: &Report,
    source: &Placed<&str>,
    secret: &str,
    wanted: &Wanted,
    holder: &str,
) -> Option<Secret<String>> {
    let Wanted { lines, shortest, where_from } = *wanted;
    let is_odd = |c: char| c.is_control() && !(lines && matches!(c, '\n' | '\r'));
    let refuse = |message: String, help: &str| {
        report.problem(&source.place, message, help);
        None
    };
    if secret.trim().is_empty() {
        refuse(format!("{holder} is empty"), where_from)
    } else if secret.len() > LONGEST {
        refuse(
            format!("{holder} holds more than {LONGEST} bytes"),
            "it should hold the secret and nothing else",
        )
    } else if secret.chars().any(is_odd) || secret.trim() != secret {
        let breaks = if lines { "" } else { "line breaks, " };
        refuse(
            format!("{holder} holds {breaks}control characters or spaces around the secret"),
            if lines { where_from } else { "it should hold the secret on one line and nothing else" },
        )
    } else if is_placeholder(secret) {
        refuse(format!("{holder} holds a placeholder, not a secret"), where_from)
    } else if secret.chars().count() < shortest {
        refuse(format!("{holder} holds fewer than {shortest} characters, which can be guessed"), where_from)
    } else {
        Some(Secret::new(secret.to_owned()))
    }
}

/// Whether more people can read it than need to (requirement TL-07). A group that lets the gateway read another's file is
/// needed; where the file is the gateway's own, none is.
#[cfg(unix)]
fn is_shown_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    let too_many = if is_own { 0o077 } else { 0o007 };
    metadata.mode() & too_many != 0
}

#[cfg(not(unix))]
fn is_shown_to_others(_: &std::fs::Metadata) -> bool {
    false
}

/// Whether a container or a service manager put it there for this process alone. The mode is not the operator's then, and
/// says nothing: nobody else sees that folder.
fn is_handed_in(path: &Path) -> bool {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let folders = ["/run/secrets", "/var/run/secrets"].into_iter().map(PathBuf::from);
    folders.chain(credentials).any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_secret_of_ones_own_is_for_oneself_and_anothers_may_come_by_a_group() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.secret");
        std::fs::write(&path, "x").expect("written");
        for (mode, is_shown) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true), (0o604, true)]
        {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, permissions).expect("it is ours");
            let metadata = std::fs::metadata(&path).expect("it is there");
            assert_eq!(is_shown_to_others(&metadata), is_shown, "{mode:o}");
        }
    }

    #[test]
    fn what_a_container_hands_in_is_not_the_operators_to_change() {
        for (path, is_handed_in) in [
            ("/run/secrets/client", true),
            ("/var/run/secrets/client", true),
            ("/run/secrets-of-mine/client", false),
            ("/etc/gateway/client.secret", false),
        ] {
            assert_eq!(super::is_handed_in(Path::new(path)), is_handed_in, "{path}");
        }
    }
}
