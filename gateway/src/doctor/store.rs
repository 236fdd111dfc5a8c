//! Whether sessions can be kept where the configuration says. Leaves nothing behind.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::config::SessionSettings;
use crate::entropy;
use crate::finding::{Finding, Report};
use crate::hex;
use crate::session::store::Choice;
use crate::session::store::redis::Redis;
use crate::session::store::redis::settings::Settings;
use crate::session::{SessionId, SessionKey};
use crate::stop::causes;

const CHECK: &str = "session_store";
/// A Redis that is not there after this long is away.
const PATIENCE: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(50);

/// Looks at the place for sessions.
pub(super) async fn examine(session: &SessionSettings, report: &mut Report<'_>) {
    match &session.store {
        Choice::Memory => {
            report.add(Finding::ok(
                CHECK,
                "session.store: memory",
                "needs nothing; a restart signs everybody out",
            ));
        }
        Choice::File(path) => report.add(file(path)),
        Choice::Redis(settings) => {
            report.looking("connecting to the session store");
            report.add(redis(Settings::clone(settings)).await);
        }
    }
}

/// A database that is there must be writable; one that is not, its folder, or the first one above it that is there.
fn file(path: &Path) -> Finding {
    let looked_at = format!("session.store: {}", path.display());
    let user = "let the gateway's user write there, or name another file";
    if path.exists() {
        return match OpenOptions::new().read(true).append(true).open(path) {
            Ok(_) => Finding::ok(CHECK, looked_at, "can be read and written"),
            Err(error) => Finding::fault(CHECK, looked_at, format!("cannot be written: {error}"), user),
        };
    }
    let folder =
        path.ancestors().skip(1).map(or_here).find(|folder| folder.exists()).unwrap_or_else(|| ".".into());
    match try_to_write(&folder) {
        Ok(()) => Finding::ok(
            CHECK,
            looked_at,
            format!("is not there yet, and {} can be written", folder.display()),
        ),
        Err(error) => {
            let found = format!("cannot be made: {} takes no file: {error}", folder.display());
            Finding::fault(CHECK, looked_at, found, user)
        }
    }
}

fn or_here(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { ".".into() } else { folder.to_owned() }
}

/// Makes a file of a name that nobody has, and takes it away again.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let trial = folder.join(format!(".gateway-doctor-{}", hex::encode(&entropy::bytes::<8>())));
    OpenOptions::new().write(true).create_new(true).open(&trial)?;
    fs::remove_file(&trial)
}

/// Asks for a session that nobody has, with the store's own client: address, TLS, password and rights are all tried.
async fn redis(settings: Settings) -> Finding {
    let looked_at = "session.store: Redis";
    let started = Redis::start(settings, &Handle::current(), Arc::new(|_| ()));
    let redis = match started {
        Ok(redis) => redis,
        Err(error) => {
            return Finding::fault(CHECK, looked_at, causes(&error), "correct [session] store");
        }
    };
    let deadline = Instant::now() + PATIENCE;
    let nobody: SessionKey = SessionId::generate().key();
    loop {
        match redis.load(nobody).await {
            Ok(_) => return Finding::ok(CHECK, looked_at, "answers, and lets this gateway read"),
            Err(error) if Instant::now() >= deadline => {
                let repair = "start it, or correct address, user and password in [session] store";
                return Finding::fault(CHECK, looked_at, causes(&error), repair);
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn a_place_that_can_be_written_passes_and_nothing_is_left_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let level = |name: &str| file(&folder.path().join(name)).level;
        assert_eq!(level("sessions.db"), Level::Ok);
        assert_eq!(level("var/lib/sessions.db"), Level::Ok);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
        fs::write(folder.path().join("sessions.db"), "").expect("written");
        assert_eq!(level("sessions.db"), Level::Ok);
        assert_eq!(level("sessions.db/under/a/file.db"), Level::Fault);
    }
}
