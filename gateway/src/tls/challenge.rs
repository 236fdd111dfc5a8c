//! What the gateway answers to prove to a certificate authority that names are its own (RFC 8555, section 8.3; RFC 8737).
//! Nothing is answered but what an order under way has put here.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

/// The protocol that a certificate authority offers, alone, to see the certificate of a challenge.
pub const PROTOCOL: &[u8] = b"acme-tls/1";

/// Where tokens are asked for over plain HTTP.
const PATH: &str = "/.well-known/acme-challenge/";

/// Answers to the challenges of orders under way.
#[derive(Debug, Default)]
pub struct Challenges {
    by_name: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
    by_token: ArcSwap<HashMap<String, Arc<str>>>,
}

/// A certificate for a challenge could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// By the library that makes certificates.
    #[error("the certificate for a challenge cannot be made")]
    Made(#[from] rcgen::Error),
    /// By the one that shows them.
    #[error("the certificate for a challenge cannot be shown")]
    Shown(#[from] rustls::Error),
}

impl Challenges {
    /// Shows a certificate with this digest to whoever asks for `name` by [`PROTOCOL`].
    pub fn show(&self, name: &str, digest: &[u8]) -> Result<(), ChallengeError> {
        let mut parameters = CertificateParams::new(vec![name.to_owned()])?;
        parameters.distinguished_name = DistinguishedName::new();
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // Not `from_der`, which refuses a certificate with an extension that it does not know and must.
        let key = default_provider().key_provider.load_private_key(key)?;
        let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
        let mut shown = HashMap::clone(&self.by_name.load());
        shown.insert(name.to_ascii_lowercase(), Arc::new(certified));
        self.by_name.store(Arc::new(shown));
        Ok(())
    }

    /// Answers `token` over plain HTTP.
    pub fn answer(&self, token: &str, authorization: &str) {
        let mut answered = HashMap::clone(&self.by_token.load());
        answered.insert(token.to_owned(), authorization.into());
        self.by_token.store(Arc::new(answered));
    }

    /// The order is over.
    pub fn forget(&self) {
        self.by_name.store(Arc::default());
        self.by_token.store(Arc::default());
    }

    /// The certificate for a name that an authority asks for.
    pub fn certificate(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.by_name.load().get(&name?.to_ascii_lowercase()).cloned()
    }

    /// What is answered at a path.
    pub fn at(&self, path: &str) -> Option<Arc<str>> {
        self.by_token.load().get(path.strip_prefix(PATH)?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_answered_but_what_an_order_asked_for() {
        let challenges = Challenges::default();
        assert!(challenges.at("/.well-known/acme-challenge/t").is_none());
        challenges.answer("t", "t.print");
        challenges.show("App.example", &[7; 32]).expect("a certificate");
        assert_eq!(challenges.at("/.well-known/acme-challenge/t").as_deref(), Some("t.print"));
        assert!(challenges.at("/t").is_none() && challenges.at("/.well-known/acme-challenge/").is_none());
        assert!(challenges.certificate(Some("app.EXAMPLE")).is_some());
        assert!(
            challenges.certificate(Some("other.example")).is_none() && challenges.certificate(None).is_none()
        );
        challenges.forget();
        assert!(challenges.at("/.well-known/acme-challenge/t").is_none());
        assert!(challenges.certificate(Some("app.example")).is_none());
    }
}
