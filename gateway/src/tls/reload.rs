//! Certificates that are replaced while the gateway runs: files are looked at every few seconds, and a new certificate is
//! used for the next handshake. One that cannot be used changes nothing but the log (requirement TL-05).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::hash;
use crate::stop::causes;

use super::{Settings, Tls, TlsError};

/// How often [`Tls::check`] is called.
pub const CHECK_EVERY: Duration = Duration::from_secs(2);

/// Which files there are, and what was found in them.
#[derive(Debug)]
pub(super) struct Files(Mutex<State>);

#[derive(Debug)]
struct State {
    settings: Arc<Settings>,
    /// What was last used, or could not be.
    judged: Vec<Fingerprint>,
    /// What was last found.
    found: Vec<Fingerprint>,
    is_good: bool,
}

/// By content, not by time: some write the same file again, and some keep its time.
type Fingerprint = Option<[u8; 32]>;

impl Files {
    pub(super) fn new(settings: Settings) -> Self {
        let found = fingerprints(&settings);
        let settings = Arc::new(settings);
        Self(Mutex::new(State { settings, judged: found.clone(), found, is_good: true }))
    }

    pub(super) fn is_good(&self) -> bool {
        self.state().is_good
    }

    /// Whether the files have other contents than before, and the same as a moment ago: a certificate and its key are two
    /// files, and between one and the other they do not fit each other. True once for each change.
    fn have_changed(&self) -> bool {
        let mut state = self.state();
        let found = fingerprints(&state.settings);
        let is_settled = state.found == found;
        let is_new = is_settled && state.judged != found;
        if is_new {
            state.judged.clone_from(&found);
        }
        state.found = found;
        is_new
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.state().settings)
    }

    fn replace(&self, settings: Settings) {
        let found = fingerprints(&settings);
        let settings = Arc::new(settings);
        *self.state() = State { settings, judged: found.clone(), found, is_good: true };
    }

    fn settle(&self, is_good: bool) {
        self.state().is_good = is_good;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fingerprints(settings: &Settings) -> Vec<Fingerprint> {
    let own = settings.acme.as_ref().map(super::acme::Settings::source);
    let sources = settings.certificates.iter().chain(&own);
    let pairs = sources.flat_map(|source| [&source.certificate, &source.key]);
    let read = |path: &PathBuf| super::pair::read(path).ok().map(|bytes| hash::sha256(&bytes));
    pairs.chain(&settings.client_ca).map(read).collect()
}

impl Tls {
    /// Uses what is in the files now, if it is something else than before. Reads files; not for workers.
    pub fn check(&self) {
        if self.files.have_changed() {
            self.reload();
        }
    }

    /// Uses what is in the files now. What cannot be used leaves everything as it is.
    pub fn reload(&self) {
        let settings = self.files.settings();
        match self.load(&settings) {
            Ok(()) => self.files.settle(true),
            Err(error) => {
                let error = causes(&error);
                tracing::error!(target: "gateway", error, "new TLS certificates cannot be used; the old ones stay");
                self.files.settle(false);
            }
        }
        self.report();
    }

    /// Uses what other settings name. If that cannot be used, everything stays as it is.
    pub fn adopt(&self, settings: Settings) -> Result<(), TlsError> {
        if *self.files.settings() == settings {
            self.check();
            return Ok(());
        }
        self.load(&settings)?;
        self.files.replace(settings);
        self.report();
        Ok(())
    }

    fn load(&self, settings: &Settings) -> Result<(), TlsError> {
        let (set, trust) = (super::load(settings)?, super::trust(settings)?);
        let before = self.files.settings();
        if trust.is_some() || before.client_ca.is_some() || before.acme != settings.acme {
            self.config.store(super::config(settings, &self.resolver, trust.as_ref())?);
        }
        let ends = set.first_expiry().unwrap_or(Timestamp(0)).rfc3339();
        tracing::info!(target: "gateway", certificates = set.pairs().len(), ends, "new TLS certificates are used");
        self.resolver.replace(set);
        Ok(())
    }

    pub(super) fn report(&self) {
        self.metrics.certificates(self.files.is_good(), self.resolver.set().first_expiry());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::tls::Source;
    use crate::tls::pair::tests::pem;
    use std::path::Path;
    use tempfile::TempDir;

    fn write(folder: &Path, pair: &(String, String)) {
        std::fs::write(folder.join("a.pem"), &pair.0).expect("a file");
        std::fs::write(folder.join("a.key"), &pair.1).expect("a file");
    }

    fn tls() -> (TempDir, Tls) {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &pem(&["old.example"]));
        let source = Source { certificate: folder.path().join("a.pem"), key: folder.path().join("a.key") };
        let settings = Settings { certificates: vec![source], client_ca: None, acme: None };
        let tls = Tls::new(settings, Arc::new(Metrics::new())).expect("a certificate");
        (folder, tls)
    }

    fn serves(tls: &Tls, name: &str) -> bool {
        tls.certificates().names_for(None).cover(name)
    }

    #[test]
    fn a_new_certificate_is_used_once_its_files_stand_still() {
        let (folder, tls) = tls();
        tls.check();
        write(folder.path(), &pem(&["new.example"]));
        tls.check();
        assert!(serves(&tls, "old.example"), "perhaps somebody is still writing");
        tls.check();
        assert!(serves(&tls, "new.example") && tls.is_up_to_date());
    }

    #[test]
    fn a_certificate_that_cannot_be_used_changes_nothing_and_is_told() {
        let (folder, tls) = tls();
        let good = pem(&["new.example"]);
        for bad in [("garbage".to_owned(), good.1.clone()), (good.0.clone(), pem(&["x.example"]).1)] {
            write(folder.path(), &bad);
            tls.check();
            tls.check();
            assert!(serves(&tls, "old.example") && !tls.is_up_to_date());
        }
        std::fs::remove_file(folder.path().join("a.key")).expect("removed");
        tls.reload();
        assert!(serves(&tls, "old.example") && !tls.is_up_to_date());
        write(folder.path(), &good);
        tls.reload();
        assert!(serves(&tls, "new.example") && tls.is_up_to_date());
    }

    #[test]
    fn other_settings_are_taken_whole_or_not_at_all() {
        let (folder, tls) = tls();
        let nowhere = Source { certificate: folder.path().join("b.pem"), key: folder.path().join("b.key") };
        assert!(
            tls.adopt(Settings { certificates: vec![nowhere.clone()], client_ca: None, acme: None }).is_err()
        );
        assert!(serves(&tls, "old.example"));
        let (chain, key) = pem(&["other.example"]);
        std::fs::write(&nowhere.certificate, chain).expect("a file");
        std::fs::write(&nowhere.key, key).expect("a file");
        tls.adopt(Settings { certificates: vec![nowhere], client_ca: None, acme: None })
            .expect("a certificate");
        assert!(serves(&tls, "other.example"));
    }
}
