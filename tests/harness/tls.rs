//! TLS as a client that chooses what it names, offers and shows; and certificates made on the spot. It trusts whatever
//! it is shown, and tells what that was: whether a certificate is the right one is the test's question.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How a client greets.
#[derive(Clone, Debug)]
pub struct Greeting {
    server_name: Option<String>,
    protocols: Vec<Vec<u8>>,
    versions: Vec<&'static SupportedProtocolVersion>,
    identity: Option<Identity>,
}

/// A certificate and its key in PEM form.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Greeting {
    /// As a browser greets that server: HTTP/2 or HTTP/1.1, TLS 1.3 or 1.2.
    pub fn to(name: &str) -> Self {
        Self {
            server_name: Some(name.to_owned()),
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            versions: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            identity: None,
        }
    }

    /// Names no server.
    #[must_use]
    pub fn nameless(mut self) -> Self {
        self.server_name = None;
        self
    }

    /// Offers these protocols instead.
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Speaks this version only.
    #[must_use]
    pub fn speaking(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// Shows a certificate if it is asked for one.
    #[must_use]
    pub fn showing(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    /// Connects to a port of this computer.
    pub async fn connect(&self, port: u16) -> io::Result<TlsStream<TcpStream>> {
        self.greet(TcpStream::connect(("127.0.0.1", port)).await?).await
    }

    /// Greets on a connection that is there.
    ///
    /// # Panics
    /// If the greeting itself is nonsense.
    pub async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .expect("known versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain.expect("PEM"), key).expect("a pair")
            }
        };
        config.alpn_protocols.clone_from(&self.protocols);
        config.enable_sni = self.server_name.is_some();
        let name = self.server_name.clone().unwrap_or_else(|| "nobody.example".to_owned());
        let name = ServerName::try_from(name).expect("a server name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// The certificate that a server showed.
pub fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.first().map(|certificate| certificate.to_vec()).unwrap_or_default()
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one of that name.
    ///
    /// # Panics
    /// Never: the parameters are fine.
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("a certificate"))
    }

    /// Its own certificate, in PEM form.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, with a subject.
    ///
    /// # Panics
    /// If one of them is no name.
    pub fn issue(&self, subject: &str, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.distinguished_name.push(DnType::CommonName, subject);
        self.sign(&parameters)
    }

    /// From today on, for so many days.
    pub fn span(days: i64) -> (OffsetDateTime, OffsetDateTime) {
        let now = OffsetDateTime::now_utc();
        (now, now + Duration::days(days))
    }

    /// A certificate with these parameters for another's key, in PEM form.
    ///
    /// # Panics
    /// If they make none.
    pub fn sign_for(&self, parameters: &CertificateParams, key: &impl PublicKeyData) -> String {
        parameters.signed_by(key, &self.0).expect("a certificate").pem()
    }

    /// A certificate with these parameters.
    ///
    /// # Panics
    /// If they make none.
    pub fn sign(&self, parameters: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Identity {
    /// A certificate for these names that vouches for itself.
    ///
    /// # Panics
    /// If one of them is no name.
    pub fn own(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("names");
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    /// Writes `NAME.pem` and `NAME.key`, for their owner alone, and gives what `[tls] certificates` says of them.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> String {
        let paths = [folder.join(format!("{name}.pem")), folder.join(format!("{name}.key"))];
        for (path, text) in paths.iter().zip([&self.certificate, &self.key]) {
            fs::write(path, text).expect("a file in the site's folder");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
            }
        }
        let [certificate, key] = paths.map(|path| path.display().to_string());
        format!("{{ certificate = {{ file = \"{certificate}\" }}, key = {{ file = \"{key}\" }} }}")
    }

    /// The certificate in DER form.
    ///
    /// # Panics
    /// If it is not PEM.
    pub fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM").to_vec()
    }
}

/// Trusts everybody; these connections do not leave this computer.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
