//! What a TLS handshake showed of its two ends, for as long as the connection lives. Knows nothing of how handshakes are
//! made, and judges nobody.

pub mod client;
pub mod names;

use std::sync::Arc;

pub use client::ClientCertificate;
pub use names::Names;

/// What is known of a connection since its handshake.
#[derive(Debug)]
pub struct Handshake {
    /// The names of the certificate that was shown to the client.
    names: Arc<Names>,
    /// Whether the client asked for one of them, or for none.
    is_asked_for: bool,
    /// The version of TLS, such as `1.3`; nothing if it is not known.
    pub version: Option<&'static str>,
    /// The certificate that the client showed, verified by `client_ca`.
    pub client: Option<ClientCertificate>,
}

impl Handshake {
    /// A handshake in which the client asked for `server_name` and was shown a certificate with these names.
    pub fn new(names: Arc<Names>, server_name: Option<&str>, client: Option<ClientCertificate>) -> Self {
        let is_asked_for = server_name.is_none_or(|name| names.cover(name));
        Self { names, is_asked_for, version: None, client }
    }

    /// With that version of TLS.
    #[must_use]
    pub fn with_version(self, version: Option<&'static str>) -> Self {
        Self { version, ..self }
    }

    /// Whether requests for that host may come on this connection: the certificate that the client was shown is that
    /// host's, and the name it asked for is one of the same certificate's (RFC 9110, section 7.4).
    pub fn vouches_for(&self, host: &str) -> bool {
        self.is_asked_for && self.names.cover(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Arc<Names> {
        Arc::new(Names::new(["app.example", "admin.example"].map(str::to_owned)))
    }

    #[test]
    fn a_connection_is_for_every_name_of_the_certificate_that_was_shown() {
        let handshake = Handshake::new(names(), Some("app.example"), None);
        assert!(handshake.vouches_for("app.example") && handshake.vouches_for("admin.example"));
        assert!(!handshake.vouches_for("other.example"));
    }

    #[test]
    fn a_client_that_named_another_server_is_misdirected_whatever_it_asks_for_then() {
        assert!(!Handshake::new(names(), Some("other.example"), None).vouches_for("app.example"));
        assert!(Handshake::new(names(), None, None).vouches_for("app.example"));
    }
}
