//! The client registration: `client_id`, and how the gateway proves that it is that client.

use std::path::PathBuf;

use crate::config::check;
use crate::config::placeholder::is_placeholder;
use crate::config::raw::Section;
use crate::config::secrets::{self, Surroundings};
use crate::oidc::settings::ClientAuthentication;

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

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Basic,
    Post,
    None,
}

/// Reads `client_secret` and `client_authentication`, which must fit (requirement CF-02); and the secret's file.
pub(super) fn authentication(
    section: &Section<'_>,
    around: &Surroundings<'_>,
) -> (Option<ClientAuthentication>, Option<PathBuf>) {
    let report = section.report();
    let secret_value = section.value("client_secret");
    let secret =
        secret_value.as_ref().map(|value| secrets::read(value, &secrets::CLIENT_SECRET, report, around));
    let words = [
        ("client_secret_basic", Method::Basic),
        ("client_secret_post", Method::Post),
        ("none", Method::None),
    ];
    let method = check::word(section, "client_authentication", &words, Method::Basic);
    let written = section.has("client_authentication");
    match (method, secret) {
        (Some(Method::None), None) => (Some(ClientAuthentication::None), None),
        (Some(Method::None), Some(_)) => {
            let place = secret_value.map_or_else(|| section.place().clone(), |value| value.place());
            report.problem(
                &place,
                "a client that authenticates by \"none\" has no secret",
                "remove `client_secret`, or write client_authentication = \"client_secret_basic\"",
            );
            (None, None)
        }
        (Some(_), None) => {
            let mut place = section.place().clone();
            place.key = format!("{}.client_secret", place.key);
            let message = if written {
                "this client authentication needs a secret"
            } else {
                "the client has no credential"
            };
            report.problem(&place, message, "add `client_secret = { file = \"path\" }`, or write client_authentication = \"none\" for a public client");
            (None, None)
        }
        (Some(method), Some(Some(found))) => {
            let secret = found.secret;
            let how = if method == Method::Post {
                ClientAuthentication::SecretPost(secret)
            } else {
                ClientAuthentication::SecretBasic(secret)
            };
            (Some(how), found.file)
        }
        (None, _) | (_, Some(None)) => (None, None),
    }
}
