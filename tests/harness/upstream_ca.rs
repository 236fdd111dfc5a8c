//! A certificate authority of a private network, and certificates of it, good and bad. For this computer only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

/// The authority, and a folder for its files.
pub struct UpstreamCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
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
    /// If no key can be made.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "private network");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, folder }
    }

    /// The authority's own certificate, as a file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate and its key for clients, as files.
    ///
    /// # Panics
    /// If they cannot be made.
    pub fn client_files(&self) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["gateway.internal".to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &*self.issuer).expect("a certificate");
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("client.pem"), certificate.pem()).expect("a file");
        write_secret(&path("client.key"), &key.serialize_pem());
        (path("client.pem"), path("client.key"))
    }

    /// TLS for a server that is called `name`, which offers `protocols` by ALPN.
    ///
    /// # Panics
    /// If the certificate cannot be made.
    pub fn server(&self, name: &str, flaw: Flaw, protocols: &[&str]) -> Arc<ServerConfig> {
        let mut config = {
            let (chain, key) = self.certificate(name, flaw);
            ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("a pair")
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// The same for a server that takes only clients with a certificate of this authority.
    ///
    /// # Panics
    /// If the certificate cannot be made.
    pub fn server_for_clients(&self, name: &str) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
        let (chain, key) = self.certificate(name, Flaw::None);
        let config = ServerConfig::builder().with_client_cert_verifier(verifier);
        Arc::new(config.with_single_cert(chain, key).expect("a pair"))
    }

    fn certificate(&self, name: &str, flaw: Flaw) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let name = if flaw == Flaw::OtherName { "somebody-else.internal" } else { name };
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        if flaw == Flaw::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = match flaw {
            Flaw::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &*self.issuer),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        (vec![certificate.expect("a certificate").der().clone()], key)
    }
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("permissions");
}
