//! The client registration: `client_id`, and how the gateway proves that it is that client.

use std::path::PathBuf;

use crate::config::check;
use crate::config::placeholder::is_placeholder;
use crate::config::raw::Section;
use crate::config::secrets::{self, Surroundings};
use crate::oidc::client::assertion::Audience;
use crate::oidc::settings::{Algorithm, ClientAuthentication};
use crate::secret::Secret;

use super::keys;

/// Reads `client_id`.
pub(super) fn client_id(section: &Section<'_>) -> Option<String> {
    let text = section.required("client_id")?.text()?;
    // RFC 6749, appendix A.1: visible ASCII and spaces.
    let fits = !text.value.is_empty()
        && text.value.chars().all(|c| matches!(c, ' '..='~'))
        && text.value.trim() == text.value;
    if !fits || is_placeholder(text.value) {
        let message = if fits { "this is a placeholder, not a client ID" } else { "this is not a client ID" };
        section.report().problem(
            &text.place,
            message,
            "copy the client (application) ID that the provider shows at the registration",
        );
        return None;
    }
    Some(text.value.to_owned())
}

/// How `client_authentication` is written, and which keys of the file go with it.
#[derive(Clone, Copy, PartialEq)]
enum Method {
    Basic,
    Post,
    PrivateKeyJwt,
    TlsClient,
    None,
}

const METHODS: [(&str, Method); 5] = [
    ("client_secret_basic", Method::Basic),
    ("client_secret_post", Method::Post),
    ("private_key_jwt", Method::PrivateKeyJwt),
    ("tls_client_auth", Method::TlsClient),
    ("none", Method::None),
];
const CREDENTIALS: [&str; 5] = [
    "client_secret",
    "client_key",
    "client_key_algorithm",
    "client_certificate",
    "client_assertion_audience",
];

impl Method {
    fn takes(self, key: &str) -> bool {
        match self {
            Self::Basic | Self::Post => key == "client_secret",
            Self::PrivateKeyJwt => key != "client_secret",
            Self::TlsClient => matches!(key, "client_key" | "client_certificate"),
            Self::None => false,
        }
    }

    fn as_str(self) -> &'static str {
        METHODS.iter().find(|(_, method)| *method == self).map_or("", |(word, _)| word)
    }
}

/// What was reported and cannot be used.
struct Told;

/// Reads how the gateway authenticates, and with what, which must fit (requirement CF-02); and the files of the secrets.
pub(super) fn authentication(
    section: &Section<'_>,
    around: &Surroundings<'_>,
) -> (Option<ClientAuthentication>, Vec<PathBuf>) {
    let method = check::word(section, "client_authentication", &METHODS, Method::Basic);
    // Whatever the method, each key that is there is looked at, so that all problems are told at once.
    let (secret, secret_file) = secret(section, around);
    let keys::Found { keys, files } = keys::read(section, around);
    let certificate = keys::certificate(section, around);
    let for_rsa = check::word(section, "client_key_algorithm", &keys::FOR_RSA, Algorithm::RS256);
    let audience = check::word(section, "client_assertion_audience", &AUDIENCES, Audience::Issuer);
    let files = files.into_iter().chain(secret_file).collect();
    let all = (|| {
        let method = method?;
        stray(section, method)?;
        match method {
            Method::None => Some(ClientAuthentication::None),
            Method::Basic => required_secret(section, secret).map(ClientAuthentication::SecretBasic),
            Method::Post => required_secret(section, secret).map(ClientAuthentication::SecretPost),
            Method::PrivateKeyJwt => {
                let keys = keys::required(section, keys, method.as_str())?;
                let audience = possible_audience(section, audience?)?;
                let certificate = certificate.ok()?;
                keys::assertions(section, &keys, certificate, for_rsa?, audience)
            }
            Method::TlsClient => {
                let keys = keys::required(section, keys, method.as_str())?;
                keys::tls(section, &keys, certificate.ok()?)
            }
        }
    })();
    (all, files)
}

fn secret(
    section: &Section<'_>,
    around: &Surroundings<'_>,
) -> (Option<Result<Secret<String>, Told>>, Option<PathBuf>) {
    let Some(value) = section.value("client_secret") else {
        return (None, None);
    };
    match secrets::read(&value, &secrets::CLIENT_SECRET, section.report(), around) {
        Some(found) => (Some(Ok(found.secret)), found.file),
        None => (Some(Err(Told)), None),
    }
}

/// Reports credentials that the method does not take; nothing if there are such.
fn stray(section: &Section<'_>, method: Method) -> Option<()> {
    let mut found = false;
    for key in CREDENTIALS.into_iter().filter(|key| !method.takes(key)) {
        let Some(value) = section.value(key) else {
            continue;
        };
        found = true;
        let taker = METHODS.iter().find(|(_, method)| method.takes(key)).map_or("", |(word, _)| *word);
        section.report().problem(
            &value.place(),
            format!("`{key}` does not go with client_authentication = \"{}\"", method.as_str()),
            format!("remove it, or write client_authentication = \"{taker}\""),
        );
    }
    (!found).then_some(())
}

fn required_secret(
    section: &Section<'_>,
    secret: Option<Result<Secret<String>, Told>>,
) -> Option<Secret<String>> {
    if secret.is_none() {
        let message = if section.has("client_authentication") {
            "this client authentication needs a secret"
        } else {
            "the client has no credential"
        };
        missing(
            section,
            "client_secret",
            message,
            "add `client_secret = { file = \"path\" }`, or write client_authentication = \"none\" for a public client",
        );
    }
    secret?.ok()
}

/// Reports a key that should be there.
pub(super) fn missing(section: &Section<'_>, key: &str, message: &str, help: &str) {
    let mut place = section.place().clone();
    place.key = format!("{}.{key}", place.key);
    section.report().problem(&place, message, help);
}

const AUDIENCES: [(&str, Audience); 2] =
    [("issuer", Audience::Issuer), ("token_endpoint", Audience::TokenEndpoint)];

/// An issuer of many tenants is nobody in particular, so nothing can be addressed to it.
fn possible_audience(section: &Section<'_>, audience: Audience) -> Option<Audience> {
    let issuer = section.value("issuer").and_then(|value| value.get().as_str())?;
    if audience == Audience::Issuer && issuer.contains("{tenantid}") {
        missing(
            section,
            "client_assertion_audience",
            "an issuer of many tenants cannot be the audience of an assertion",
            "write client_assertion_audience = \"token_endpoint\"",
        );
        return None;
    }
    Some(audience)
}
