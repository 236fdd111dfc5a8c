//! Pushed authorization requests (RFC 9126): a client hands its request over by itself and gets a name for it, which is
//! all that goes through the browser. Good once and for a minute. Knows nothing of what becomes of the request.

use std::collections::HashMap;
use std::sync::Mutex;

use http::StatusCode;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::authorize::request::{AuthorizeRequest, Rejected};
use crate::call::{Call, Params};
use crate::faces::Face;
use crate::faults::ParFault;
use crate::people::lock;
use crate::provider::Provider;
use crate::random;
use crate::token::{self, TokenError};

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// How long a request is remembered after its end, to tell late browsers from strange ones.
const MEMORY: i64 = 3600;

struct Entry {
    client_id: String,
    params: Params,
    expires: i64,
    used: bool,
}

/// What a `request_uri` stands for.
pub(crate) enum Found {
    Good(Params),
    /// Used or expired: where the error goes is known from it.
    Gone(Params),
    Unknown,
}

/// All pushed requests that are not long gone.
#[derive(Default)]
pub(crate) struct Pushed(Mutex<HashMap<String, Entry>>);

impl Pushed {
    fn keep(&self, client_id: &str, params: Params, now: i64, lifetime: i64) -> String {
        let uri = format!("{PREFIX}{}", random::token());
        let mut entries = lock(&self.0);
        entries.retain(|_, entry| now - entry.expires < MEMORY);
        let entry = Entry { client_id: client_id.to_owned(), params, expires: now + lifetime, used: false };
        entries.insert(uri.clone(), entry);
        uri
    }

    /// The request of this client with this name, which is used up by that.
    pub(crate) fn take(&self, uri: &str, client_id: &str, now: i64) -> Found {
        let mut entries = lock(&self.0);
        let Some(entry) = entries.get_mut(uri).filter(|entry| entry.client_id == client_id) else {
            return Found::Unknown;
        };
        let good = !entry.used && now < entry.expires;
        entry.used = true;
        if good { Found::Good(entry.params.clone()) } else { Found::Gone(entry.params.clone()) }
    }
}

pub(crate) fn push(provider: &Provider, call: &Call) -> Answer {
    answer_to(provider, call).unwrap_or_else(|error| error.into_answer(provider, Face::Plain, call))
}

fn answer_to(provider: &Provider, call: &Call) -> Result<Answer, TokenError> {
    token::form_only(call)?;
    let faults = provider.faults.on_par();
    if let Some(error) = faults.iter().find_map(|fault| denial(*fault)) {
        return Err(error);
    }
    let tenant = provider.tenant();
    let client = token::client(provider, &tenant, call)?;
    if call.form.get("client_id") != Some(client.client_id.as_str()) {
        return Err(TokenError::invalid_request("client_id must be there, and the client's own."));
    }
    if call.form.get("request_uri").is_some() {
        return Err(TokenError::invalid_request("A pushed request has no request_uri."));
    }
    match AuthorizeRequest::read(&tenant, Face::Plain, &call.form) {
        Ok(_) => {}
        Err(Rejected::Page(why)) => return Err(TokenError::invalid_request(why)),
        Err(Rejected::Reply { error, why, .. }) => return Err(TokenError::new(error, 900_144, why)),
    }
    let lifetime = tenant.lifetimes.pushed_request;
    let given = if faults.contains(&ParFault::Expired) { 0 } else { lifetime };
    let uri = provider.pushed.keep(&client.client_id, call.form.clone(), provider.clock.now(), given);
    Ok(said(&faults, &uri, lifetime))
}

fn denial(fault: ParFault) -> Option<TokenError> {
    Some(match fault {
        ParFault::InvalidRequest => TokenError::invalid_request("The request is not right."),
        ParFault::InvalidClient => TokenError::invalid_client("The client is not known."),
        ParFault::ServerError => {
            TokenError::of_status(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Something broke.")
        }
        ParFault::HostileError => TokenError::new(
            "invalid_request",
            900_144,
            "<script>alert(1)</script>\r\nSet-Cookie: x=1\u{1b}[31m",
        ),
        _ => return None,
    })
}

/// The answer, with what is wrong with it.
fn said(faults: &[ParFault], uri: &str, lifetime: i64) -> Answer {
    let mut status = StatusCode::CREATED;
    let mut body = json!({"request_uri": uri, "expires_in": lifetime});
    for fault in faults {
        match fault {
            ParFault::MissingRequestUri => body = json!({"expires_in": lifetime}),
            ParFault::RequestUriNumber => body["request_uri"] = 4711.into(),
            ParFault::RequestUriEmpty => body["request_uri"] = "".into(),
            ParFault::HostileRequestUri => {
                body["request_uri"] = format!("{uri}&redirect_uri=https://evil.example\r\nX: 1").into();
            }
            ParFault::MissingExpiresIn => body = json!({"request_uri": uri}),
            ParFault::StatusOk => status = StatusCode::OK,
            _ => {}
        }
    }
    let mut text = body.to_string();
    for fault in faults {
        match fault {
            ParFault::Array => text = format!("[{text}]"),
            ParFault::NotJson => text.truncate(text.len() / 2),
            _ => {}
        }
    }
    answer::bytes(status, "application/json", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pushed_request_is_good_once_for_its_client_and_for_a_while() {
        let pushed = Pushed::default();
        let keep = || pushed.keep("web", Params::parse(b"scope=openid"), 0, 60);
        let uri = keep();
        assert!(matches!(pushed.take(&uri, "other", 1), Found::Unknown));
        assert!(matches!(pushed.take(&uri, "web", 1), Found::Good(_)));
        assert!(matches!(pushed.take(&uri, "web", 1), Found::Gone(_)));
        assert!(matches!(pushed.take(&keep(), "web", 60), Found::Gone(_)));
        assert!(matches!(pushed.take(PREFIX, "web", 1), Found::Unknown));
    }
}
