//! A certificate that a client showed, reduced to what rules compare and upstreams are told. Whether it is to be trusted
//! was settled in the handshake.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::clock::Timestamp;

/// A client's certificate, verified.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject, as RFC 4514 writes it.
    subject: String,
    /// Subject alternative names: host names, mail addresses, URIs, IP addresses.
    names: Vec<String>,
    /// `Client-Cert` (RFC 9440, section 2.1).
    header: HeaderValue,
    /// The last moment of its validity: connections outlast it, and so do resumed handshakes, in which nobody looks again.
    not_after: Timestamp,
}

/// Whose certificates a route takes, of all that `client_ca` vouches for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// One of these alternative names; if there is none here, any.
    pub names: Vec<String>,
    /// One of these subjects; if there is none here, any.
    pub subjects: Vec<String>,
    /// Whether the upstream is told of the certificate, in `Client-Cert`.
    pub forward: bool,
}

impl ClientCertificate {
    /// What a certificate in DER form says.
    ///
    /// # Panics
    /// Never: base64 is visible ASCII.
    pub fn new(der: &[u8], subject: String, names: Vec<String>, not_after: Timestamp) -> Self {
        let header = HeaderValue::try_from(format!(":{}:", STANDARD.encode(der)));
        Self { subject, names, header: header.expect("base64 is visible ASCII"), not_after }
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now > self.not_after
    }

    /// The certificate as upstreams are told it.
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// Whether it is one of those.
    pub fn is_among(&self, wanted: &Wanted) -> bool {
        let is_named = wanted.names.is_empty() || self.names.iter().any(|name| wanted.names.contains(name));
        is_named && (wanted.subjects.is_empty() || wanted.subjects.contains(&self.subject))
    }
}

/// The subject; the certificate itself is long.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.subject).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> ClientCertificate {
        let names = vec!["spiffe://example/billing".to_owned(), "billing.example".to_owned()];
        ClientCertificate::new(&[1, 2, 3, 255], "CN=billing".to_owned(), names, Timestamp(100))
    }

    #[test]
    fn it_is_written_as_a_structured_field() {
        assert_eq!(certificate().header(), ":AQID/w==:");
    }

    #[test]
    fn it_is_good_until_its_last_moment() {
        assert!(!certificate().has_expired(Timestamp(100)) && certificate().has_expired(Timestamp(101)));
    }

    #[test]
    fn a_route_takes_whom_it_names_and_without_names_everybody() {
        let wanted = |names: &[&str], subjects: &[&str]| Wanted {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
            forward: false,
        };
        assert!(certificate().is_among(&wanted(&[], &[])));
        assert!(certificate().is_among(&wanted(&["x", "billing.example"], &[])));
        assert!(certificate().is_among(&wanted(&[], &["CN=billing"])));
        assert!(!certificate().is_among(&wanted(&["x"], &[])));
        assert!(!certificate().is_among(&wanted(&["billing.example"], &["CN=x"])));
    }
}
