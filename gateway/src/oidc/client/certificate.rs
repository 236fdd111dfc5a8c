//! `tls_client_auth`: the certificate that the gateway shows to the provider (RFC 8705, section 2). Pure.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A certificate with its chain and its key.
#[derive(Clone)]
pub struct ClientCertificate(Arc<CertifiedKey>);

/// Why a certificate cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No `CERTIFICATE`.
    #[error("there is no certificate in PEM form")]
    NotPem,
    /// No private key.
    #[error("there is no private key in PEM form")]
    KeyNotPem,
    /// A kind of key that TLS does not use.
    #[error("the private key cannot be used for TLS")]
    Key,
    /// The certificate is another key's.
    #[error("the certificate is not that of the private key")]
    Mismatch,
}

impl ClientCertificate {
    /// Reads a chain, the gateway's own certificate first, and the private key for it.
    pub fn parse(chain: &str, key: &str) -> Result<Self, CertificateError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| CertificateError::KeyNotPem)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        match CertifiedKey::from_der(chain, key, &provider) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::Mismatch),
            Err(rustls::Error::InvalidCertificate(_)) => Err(CertificateError::NotPem),
            Err(_) => Err(CertificateError::Key),
        }
    }

    /// Whether both are the same chain, and with that the same key.
    pub(in crate::oidc) fn is_same(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }

    pub(in crate::oidc) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }

    /// The SHA-256 of the gateway's own certificate, as `x5t#S256` has it (RFC 7515, section 4.1.8).
    pub fn thumbprint(&self) -> String {
        let own = self.0.cert.first().map_or(&[][..], AsRef::as_ref);
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, own))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.thumbprint()).finish()
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or(CertificateError::NotPem)
}

#[cfg(test)]
pub(in crate::oidc) mod tests {
    use super::*;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use tempfile::TempDir;

    /// A certificate authority, and certificates of it, in a folder of their own.
    pub(in crate::oidc) struct Authority(TempDir);

    impl Authority {
        pub(in crate::oidc) fn new() -> Self {
            let authority = Self(tempfile::tempdir().expect("a folder"));
            authority.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2");
            std::fs::write(authority.0.path().join("names"), "subjectAltName=DNS:localhost\n")
                .expect("a file");
            for name in ["server", "client"] {
                authority.openssl(&format!("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN=localhost"));
                authority.openssl(&format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 -extfile names"));
            }
            authority
        }

        pub(in crate::oidc) fn pem(&self, name: &str) -> String {
            std::fs::read_to_string(self.0.path().join(name)).expect("openssl wrote it")
        }

        pub(in crate::oidc) fn client(&self) -> ClientCertificate {
            ClientCertificate::parse(&self.pem("client.pem"), &self.pem("client.key")).expect("a pair")
        }

        fn openssl(&self, arguments: &str) {
            let folder: &Path = self.0.path();
            let mut openssl = Command::new("openssl");
            let output = openssl.args(arguments.split(' ')).current_dir(folder).stdin(Stdio::null()).output();
            let output = output.expect("openssl is installed");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    #[test]
    fn a_certificate_goes_with_its_own_key_only() {
        let authority = Authority::new();
        let (chain, key) = (authority.pem("client.pem"), authority.pem("client.key"));
        let certificate = ClientCertificate::parse(&chain, &key).expect("a pair");
        assert_eq!(certificate.thumbprint().len(), 43);
        for (chain, key, expected) in [
            (&chain, &authority.pem("server.key"), CertificateError::Mismatch),
            (&key, &key, CertificateError::NotPem),
            (&String::new(), &key, CertificateError::NotPem),
            (&chain, &chain, CertificateError::KeyNotPem),
        ] {
            assert_eq!(ClientCertificate::parse(chain, key).expect_err("no pair"), expected);
        }
    }
}
