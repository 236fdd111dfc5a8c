//! A private network's authority as upstreams need it: servers with good and bad certificates, and the files that the
//! gateway's configuration names. For this computer only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

use crate::tls::{Authority, Identity};

/// The authority, and a folder for its files.
pub struct UpstreamCa {
    authority: Authority,
    folder: TempDir,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It was for last year.
    Expired,
    /// Nobody signed it but itself.
    SelfSigned,
    /// It is for another name.
    OtherName,
}

impl Default for UpstreamCa {
    fn default() -> Self {
        Self::new()
    }
}

impl UpstreamCa {
    /// A new one.
    ///
    /// # Panics
    /// If its file cannot be written.
    pub fn new() -> Self {
        let (authority, folder) = (Authority::new("private network"), tempfile::tempdir().expect("a folder"));
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("a file");
        Self { authority, folder }
    }

    /// The authority's own certificate, as a file.
    pub fn file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A certificate and its key for clients, as files.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn client_files(&self) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec!["gateway.internal".to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.authority.sign(&params).write(self.folder.path(), "client");
        (self.path("client.pem"), self.path("client.key"))
    }

    /// TLS for a server that is called `name`, which offers `protocols` by ALPN.
    ///
    /// # Panics
    /// If the certificate cannot be made.
    pub fn server(&self, name: &str, flaw: Flaw, protocols: &[&str]) -> Arc<ServerConfig> {
        let (chain, key) = self.certificate(name, flaw);
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(chain, key).expect("a pair");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// The same for a server that takes only clients with a certificate of this authority.
    ///
    /// # Panics
    /// If the certificate cannot be made.
    pub fn server_for_clients(&self, name: &str) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).expect("PEM");
        roots.add(own).expect("an authority");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
        let (chain, key) = self.certificate(name, Flaw::None);
        let config = ServerConfig::builder().with_client_cert_verifier(verifier);
        Arc::new(config.with_single_cert(chain, key).expect("a pair"))
    }

    fn certificate(&self, name: &str, flaw: Flaw) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let name = if flaw == Flaw::OtherName { "somebody-else.internal" } else { name };
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        if flaw == Flaw::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let made = match flaw {
            Flaw::SelfSigned => Identity::own(&[name]),
            _ => self.authority.sign(&params),
        };
        let chain = vec![CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM")];
        (chain, PrivateKeyDer::from_pem_slice(made.key.as_bytes()).expect("PEM"))
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}
