//! `client_ca`: the authorities whose client certificates are taken, and what such a certificate says.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::asn1_rs::Tag;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{
    AttributeTypeAndValue, FromDer, RelativeDistinguishedName, X509Certificate, X509Name,
};

use crate::clock::Timestamp;
use crate::handshake::ClientCertificate;
use crate::hex;

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
    let not_after = Timestamp(parsed.validity().not_after.timestamp());
    Some(ClientCertificate::new(der, subject(parsed.subject())?, pair::names(&parsed), not_after))
}

/// The subject in the form of RFC 4514, but in the certificate's order and with a blank after each comma. Whatever has a
/// meaning there and stands in a value is escaped: a person's name cannot pass for two.
fn subject(name: &X509Name<'_>) -> Option<String> {
    let attribute = |attribute: &AttributeTypeAndValue<'_>| {
        let kind = oid2abbrev(attribute.attr_type(), oid_registry()).map(str::to_owned);
        let kind = kind.unwrap_or_else(|_| attribute.attr_type().to_id_string());
        let value = match attribute.attr_value().tag() {
            Tag::BmpString | Tag::UniversalString => return None,
            Tag::NumericString
            | Tag::VisibleString
            | Tag::PrintableString
            | Tag::GeneralString
            | Tag::T61String
            | Tag::Utf8String
            | Tag::Ia5String => escaped(std::str::from_utf8(attribute.as_slice()).ok()?),
            _ => format!("#{}", hex::encode(attribute.as_slice())),
        };
        Some(format!("{kind}={value}"))
    };
    let together = |set: &RelativeDistinguishedName<'_>| {
        set.iter().map(attribute).collect::<Option<Vec<_>>>().map(|parts| parts.join(" + "))
    };
    name.iter().map(together).collect::<Option<Vec<_>>>().map(|parts| parts.join(", "))
}

/// RFC 4514, section 2.4.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (position, c) in value.chars().enumerate() {
        let is_edge = (c == ' ' && (position == 0 || position == last)) || (c == '#' && position == 0);
        if c.is_control() {
            let mut bytes = [0; 4];
            out.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:02X}")));
            continue;
        }
        if is_edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn shown(parts: &[(DnType, &str)]) -> String {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            parameters.distinguished_name.push(kind.clone(), *value);
        }
        let made = parameters.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        let (_, parsed) = X509Certificate::from_der(made.der()).expect("a certificate");
        subject(parsed.subject()).expect("text")
    }

    #[test]
    fn a_subject_is_written_as_the_configuration_writes_it() {
        let parts = [(DnType::CommonName, "billing"), (DnType::OrganizationName, "Example")];
        assert_eq!(shown(&parts), "CN=billing, O=Example");
        assert_eq!(shown(&[(DnType::CommonName, "Zoë van der A")]), "CN=Zoë van der A");
    }

    #[test]
    fn one_name_cannot_pass_for_several() {
        for (name, wanted) in [
            ("billing, O=Example", "CN=billing\\, O=Example"),
            ("billing + O=Example", "CN=billing \\+ O=Example"),
            ("a\\, O=b", "CN=a\\\\\\, O=b"),
            (" #a\u{0}", "CN=\\ #a\\00"),
            ("#6162", "CN=\\#6162"),
        ] {
            assert_eq!(shown(&[(DnType::CommonName, name)]), wanted);
        }
    }
}
