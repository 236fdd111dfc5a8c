//! TLS towards upstreams: whom to trust, which name to expect, and who the gateway is. Chain and name are verified
//! always (requirement TL-04); there is no switch for it.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::hash::sha256;

use super::settings::Protocol;

/// What an upstream's section says of TLS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// The only authorities whose certificates count; nothing for those that the machine trusts.
    pub authorities: Option<Authorities>,
    /// The certificate that is shown to servers.
    pub identity: Option<Identity>,
    /// The name that certificates must be for, where it is not that of the server's URL.
    pub server_name: Option<ServerName<'static>>,
}

/// Certificates of authorities: at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

/// A certificate with its chain and its key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    /// Of certificate and key: tells one identity from another without looking at a key.
    print: [u8; 32],
}

/// Why a file of certificates or keys is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No `CERTIFICATE`.
    #[error("there is no certificate in PEM form")]
    NoCertificate,
    /// A certificate that cannot be read.
    #[error("a certificate in it cannot be read")]
    BadCertificate,
    /// No private key.
    #[error("there is no private key in PEM form")]
    NoKey,
    /// A kind of key that TLS does not use.
    #[error("the private key cannot be used for TLS")]
    BadKey,
    /// The certificate is another key's.
    #[error("the certificate is not that of the private key")]
    Mismatch,
}

impl Authorities {
    /// Reads the certificates of a PEM file.
    pub fn parse(pem: &[u8]) -> Result<Self, PemError> {
        let certificates = certificates(pem)?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|_| PemError::BadCertificate)?;
        }
        Ok(Self(certificates))
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        roots
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

impl Identity {
    /// Reads a chain, the gateway's own certificate first, and the private key for it.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, PemError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| PemError::NoKey)?;
        let mut print = sha256(key.secret_der()).to_vec();
        print.extend(chain.iter().flat_map(|certificate| sha256(certificate)));
        let print = sha256(&print);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        match CertifiedKey::from_der(chain, key, &provider) {
            Ok(certified) => Ok(Self { certified: Arc::new(certified), print }),
            Err(rustls::Error::InconsistentKeys(_)) => Err(PemError::Mismatch),
            Err(rustls::Error::InvalidCertificate(_)) => Err(PemError::BadCertificate),
            Err(_) => Err(PemError::BadKey),
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| PemError::BadCertificate)?;
    if found.is_empty() { Err(PemError::NoCertificate) } else { Ok(found) }
}

impl Tls {
    /// What connects by TLS as these settings say, for a protocol.
    pub fn connector(&self, protocol: Protocol) -> TlsConnector {
        let roots = self.authorities.as_ref().map_or_else(of_the_machine, Authorities::roots);
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let resolver = SingleCertAndKey::from(Arc::clone(&identity.certified));
                builder.with_client_cert_resolver(Arc::new(resolver))
            }
        };
        if protocol == Protocol::H2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        TlsConnector::from(Arc::new(config))
    }
}

fn of_the_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        certificate: String,
        key: String,
    }

    fn pair() -> Pair {
        let made =
            rcgen::generate_simple_self_signed(["upstream.example".to_owned()]).expect("a certificate");
        Pair { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    #[test]
    fn authorities_are_certificates_in_pem_form_and_nothing_else() {
        let Pair { certificate, key } = pair();
        assert!(Authorities::parse(certificate.as_bytes()).is_ok());
        assert_eq!(Authorities::parse(key.as_bytes()), Err(PemError::NoCertificate));
        assert_eq!(Authorities::parse(b""), Err(PemError::NoCertificate));
        let nonsense = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert_eq!(Authorities::parse(nonsense), Err(PemError::BadCertificate));
    }

    #[test]
    fn a_certificate_goes_with_its_own_key_only() {
        let (one, other) = (pair(), pair());
        let identity = |chain: &str, key: &str| Identity::parse(chain.as_bytes(), key.as_bytes());
        let good = identity(&one.certificate, &one.key).expect("a pair");
        assert_eq!(identity(&one.certificate, &one.key).as_ref(), Ok(&good));
        assert_ne!(identity(&other.certificate, &other.key).as_ref(), Ok(&good));
        assert_eq!(identity(&one.certificate, &other.key), Err(PemError::Mismatch));
        assert_eq!(identity(&one.certificate, &one.certificate), Err(PemError::NoKey));
        assert_eq!(identity(&one.key, &one.key), Err(PemError::NoCertificate));
        assert!(!format!("{good:?}").contains("BEGIN"));
    }
}
