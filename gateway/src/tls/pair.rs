//! One certificate with its chain, its names, its end and its private key. The key is never printed.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::Timestamp;
use crate::handshake::Names;
use crate::secret::Secret;

use super::Source;

/// A longer file is the wrong one.
const LONGEST: u64 = 256 * 1024;

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file cannot be read.
    #[error("{0} cannot be read")]
    Read(&'static str, #[source] io::Error),
    /// No `CERTIFICATE`.
    #[error("there is no certificate in PEM form")]
    NotPem,
    /// No private key.
    #[error("there is no private key in PEM form, or it is encrypted")]
    KeyNotPem,
    /// A kind of key that TLS does not use.
    #[error("the private key cannot be used for TLS")]
    Key,
    /// The certificate is another key's.
    #[error("the certificate is not that of the private key")]
    Mismatch,
    /// Nothing to ask for it by.
    #[error("the certificate has no subject alternative name")]
    NoName,
}

impl PairError {
    /// Whether the key is what is wrong.
    pub fn is_about_key(&self) -> bool {
        matches!(self, Self::KeyNotPem | Self::Key | Self::Read("the private key", _))
    }
}

/// A certificate that can be shown.
#[derive(Clone)]
pub struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    /// What it is for.
    pub names: Arc<Names>,
    /// When it begins to hold.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

impl Pair {
    /// Reads both files.
    pub fn read(source: &Source) -> Result<Self, PairError> {
        let chain = read(&source.certificate).map_err(|error| PairError::Read("the certificate", error))?;
        let key = Secret::new(read(&source.key).map_err(|error| PairError::Read("the private key", error))?);
        Self::parse(&chain, key.expose())
    }

    /// Reads a chain, the site's own certificate first, and the private key for it.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(PairError::NotPem)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| PairError::KeyNotPem)?;
        Self::of(chain, key)
    }

    /// A chain and the key for its first certificate.
    pub fn of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, PairError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => PairError::Mismatch,
            rustls::Error::InvalidCertificate(_) => PairError::NotPem,
            _ => PairError::Key,
        })?;
        let own = certified.cert.first().ok_or(PairError::NotPem)?;
        let (_, parsed) = X509Certificate::from_der(own).map_err(|_| PairError::NotPem)?;
        let names = Names::new(names(&parsed));
        if names.is_empty() {
            return Err(PairError::NoName);
        }
        let (not_before, not_after) = (
            Timestamp(parsed.validity().not_before.timestamp()),
            Timestamp(parsed.validity().not_after.timestamp()),
        );
        Ok(Self { names: Arc::new(names), not_before, not_after, certified: Arc::new(certified) })
    }

    /// The site's own certificate in DER form.
    pub fn certificate(&self) -> &[u8] {
        self.certified.cert.first().map_or(&[], AsRef::as_ref)
    }
}

/// Names and end; the certificate is long, and the key is secret.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The subject alternative names that a server or a person is asked for by.
pub(super) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    extension.value.general_names.iter().filter_map(text).collect()
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string())).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A certificate for these names that vouches for itself, and its key, both in PEM form.
    pub(crate) fn pem(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("names");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    pub(crate) fn pair(names: &[&str]) -> Pair {
        let (chain, key) = pem(names);
        Pair::parse(chain.as_bytes(), key.as_bytes()).expect("a pair")
    }

    #[test]
    fn a_certificate_tells_its_names_and_its_end() {
        let pair = pair(&["app.example", "*.api.example", "192.0.2.7"]);
        for host in ["app.example", "x.api.example", "192.0.2.7"] {
            assert!(pair.names.cover(host), "{host}");
        }
        assert!(pair.not_before < pair.not_after);
    }

    #[test]
    fn a_certificate_goes_with_its_own_key_only_and_neither_is_printed() {
        let (chain, key) = pem(&["app.example"]);
        let (other, _) = pem(&["app.example"]);
        let parse = |chain: &str, key: &str| Pair::parse(chain.as_bytes(), key.as_bytes());
        assert!(matches!(parse(&other, &key), Err(PairError::Mismatch)));
        assert!(matches!(parse(&key, &key), Err(PairError::NotPem)));
        assert!(matches!(parse("", &key), Err(PairError::NotPem)));
        assert!(matches!(parse(&chain, &chain), Err(PairError::KeyNotPem)));
        assert!(matches!(parse(&chain, "garbage"), Err(PairError::KeyNotPem)));
        let shown = format!("{:?}", parse(&chain, &key).expect("a pair"));
        let secret: String = key.lines().nth(1).expect("PEM").chars().take(20).collect();
        assert!(!shown.contains(&secret) && shown.contains("app.example"), "{shown}");
    }
}
