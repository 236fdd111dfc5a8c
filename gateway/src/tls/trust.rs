//! `client_ca`: the authorities whose client certificates are taken, and what such a certificate says.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::handshake::ClientCertificate;

use super::pair;

/// Why authorities cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("the authorities cannot be read")]
    Read(#[source] io::Error),
    /// No `CERTIFICATE`.
    #[error("there is no certificate in PEM form")]
    NotPem,
    /// One of them is no authority's.
    #[error("a certificate there cannot be an authority's")]
    NotAnAuthority(#[source] rustls::Error),
}

/// Certificate authorities.
#[derive(Clone, Debug)]
pub struct Trust(Arc<RootCertStore>);

impl Trust {
    /// Reads them from a PEM file.
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let pem = pair::read(path).map_err(TrustError::Read)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let found = found.ok().filter(|found| !found.is_empty()).ok_or(TrustError::NotPem)?;
        let mut roots = RootCertStore::empty();
        for authority in found {
            roots.add(authority).map_err(TrustError::NotAnAuthority)?;
        }
        Ok(Self(Arc::new(roots)))
    }

    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

/// What a verified certificate says; nothing for one that cannot be read, which then counts as none.
pub(super) fn client(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(ClientCertificate::new(der, parsed.subject().to_string(), pair::names(&parsed)))
}
