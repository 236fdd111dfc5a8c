//! The token endpoint: who asks (client_auth), for which grant (code, refresh, app, exchange, on_behalf_of) and for which
//! API (target), and the answer (issue). Knows nothing of pages or browsers.

mod app;
mod assertion;
mod client_auth;
mod code;
mod exchange;
mod issue;
mod on_behalf_of;
mod presented;
mod refresh;
mod revoke;
mod target;
mod userinfo;

pub(crate) use assertion::{SeenAssertions, fetch_keys};
pub(crate) use client_auth::{basic_credentials, client};
pub(crate) use issue::{Subject, access_claims, at_hash, group_overage, id_claims, pairwise};
pub(crate) use revoke::revoke;
pub(crate) use userinfo::userinfo;

use http::{Method, StatusCode, header};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::faces::Face;
use crate::faults::{Denial, TokenFault};
use crate::provider::Provider;
use crate::random;
use crate::tenant::AuthMethod;

/// Parameters that may be there more than once (RFC 8707, section 2; RFC 8693, section 2.1).
const LISTS: [&str; 2] = ["resource", "audience"];

/// An error answer of the token endpoint (RFC 6749 section 5.2), with the number Entra gives it.
#[derive(Debug)]
pub(crate) struct TokenError {
    status: StatusCode,
    error: &'static str,
    description: String,
    aadsts: u32,
    suberror: Option<&'static str>,
}

impl TokenError {
    pub(crate) fn new(error: &'static str, aadsts: u32, description: impl Into<String>) -> Self {
        let description = description.into();
        Self { status: StatusCode::BAD_REQUEST, error, description, aadsts, suberror: None }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", 900_144, description)
    }

    pub(crate) fn invalid_grant(aadsts: u32, description: impl Into<String>) -> Self {
        Self::new("invalid_grant", aadsts, description)
    }

    pub(crate) fn invalid_client(description: impl Into<String>) -> Self {
        let status = StatusCode::UNAUTHORIZED;
        Self { status, ..Self::new("invalid_client", 7_000_215, description) }
    }

    pub(crate) fn of_status(status: StatusCode, error: &'static str, description: &str) -> Self {
        Self { status, ..Self::new(error, 90_000, description) }
    }

    /// A scope that nobody has granted. Entra calls that an invalid grant with a suberror; the plain face says
    /// `consent_required`, the word OpenID Connect has for it on the authorization endpoint.
    pub(crate) fn consent_required(face: Face, missing: &[String]) -> Self {
        let description = format!(
            "Nobody has granted {} to this application. Send an interactive request.",
            missing.join(" ")
        );
        match face {
            Face::Plain => Self::new("consent_required", 65_001, description),
            Face::Entra => {
                let suberror = Some("consent_required");
                Self { suberror, ..Self::new("invalid_grant", 65_001, description) }
            }
        }
    }

    /// A fault asked for this error. Only Entra says a suberror.
    fn of_fault(denial: &Denial, face: Face) -> Self {
        let status = StatusCode::from_u16(denial.status).unwrap_or(StatusCode::BAD_REQUEST);
        let suberror = denial.suberror.filter(|_| face == Face::Entra);
        Self { status, suberror, ..Self::new(denial.error, denial.aadsts, denial.description) }
    }

    pub(crate) fn into_answer(self, provider: &Provider, face: Face, call: &Call) -> Answer {
        let mut body = match face {
            Face::Plain => json!({"error": self.error, "error_description": self.description}),
            Face::Entra => {
                let (trace, correlation) = (random::guid(), random::guid());
                let time = timestamp(provider.clock.now());
                let text = format!(
                    "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}",
                    self.aadsts, self.description
                );
                json!({"error": self.error, "error_description": text, "error_codes": [self.aadsts],
                    "timestamp": time, "trace_id": trace, "correlation_id": correlation})
            }
        };
        if let Some(suberror) = self.suberror {
            body["suberror"] = suberror.into();
        }
        let mut answer = answer::json(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED && call.headers.contains_key(header::AUTHORIZATION) {
            answer::set(&mut answer, header::WWW_AUTHENTICATE, "Basic realm=\"dev-idp\", charset=\"UTF-8\"");
        }
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            answer::set(&mut answer, header::RETRY_AFTER, "7");
        }
        answer
    }
}

/// `2026-11-22 16:41:00Z`, as Entra writes it.
fn timestamp(now: i64) -> String {
    let Ok(time) = time::OffsetDateTime::from_unix_timestamp(now) else {
        return String::new();
    };
    let (hour, minute, second) = time.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}Z", time.date())
}

pub(crate) fn token(provider: &Provider, face: Face, call: &Call) -> Answer {
    answer_to(provider, face, call).unwrap_or_else(|error| error.into_answer(provider, face, call))
}

fn answer_to(provider: &Provider, face: Face, call: &Call) -> Result<Answer, TokenError> {
    form_only(call)?;
    let grant_type = call.form.get("grant_type").unwrap_or_default();
    let edit = provider.faults.on_token(grant_type);
    if edit.has(TokenFault::ConsentRequired) {
        return Err(TokenError::consent_required(face, &["what was asked".to_owned()]));
    }
    if let Some(denial) = edit.error() {
        return Err(TokenError::of_fault(&denial, face));
    }
    let tenant = provider.tenant();
    let client = client(provider, &tenant, call)?;
    let request = Request { provider, tenant: &tenant, client, face, call, edit: &edit };
    let response = match grant_type {
        "authorization_code" => code::redeem(&request)?,
        "refresh_token" => refresh::refresh(&request)?,
        "client_credentials" if client.registration.auth == AuthMethod::None => {
            let what = "A public client is nobody in particular, and has no token of its own.";
            return Err(TokenError::new("unauthorized_client", 700_025, what));
        }
        "client_credentials" => app::app_token(&request)?,
        // Entra does not have it.
        exchange::GRANT_TYPE if face == Face::Plain => exchange::exchange(&request)?,
        on_behalf_of::GRANT_TYPE => on_behalf_of::on_behalf_of(&request)?,
        "" => {
            return Err(TokenError::invalid_request("The grant_type parameter is missing."));
        }
        _ => {
            return Err(TokenError::new(
                "unsupported_grant_type",
                70_003,
                "This grant_type is not supported.",
            ));
        }
    };
    let kind = if edit.is_html() { "text/html" } else { "application/json" };
    let mut answer = answer::bytes(StatusCode::OK, kind, edit.finish(response));
    answer::set(&mut answer, header::PRAGMA, "no-cache");
    if let Some(loss) = edit.loss() {
        answer.extensions_mut().insert(loss);
    }
    Ok(answer)
}

/// What a grant needs to know.
pub(crate) struct Request<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) tenant: &'a crate::tenant::Tenant,
    pub(crate) client: &'a crate::tenant::Client,
    pub(crate) face: Face,
    pub(crate) call: &'a Call,
    pub(crate) edit: &'a crate::faults::TokenEdit,
}

impl Request<'_> {
    /// A form parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, TokenError> {
        let missing = || TokenError::invalid_request(format!("The {name} parameter is missing."));
        self.call.form.get(name).ok_or_else(missing)
    }
}

pub(crate) fn form_only(call: &Call) -> Result<(), TokenError> {
    if call.method != Method::POST {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(TokenError { status, ..TokenError::invalid_request("Use POST.") });
    }
    if !call.has_form() {
        return Err(TokenError::invalid_request("The body must be application/x-www-form-urlencoded."));
    }
    match call.form.repeated_but(&LISTS) {
        Some(name) => Err(TokenError::invalid_request(format!("The {name} parameter is there twice."))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_consent_has_two_names() {
        let missing = ["api://todo-service/ToDoList.Read".to_owned()];
        let plain = TokenError::consent_required(Face::Plain, &missing);
        assert_eq!((plain.error, plain.suberror), ("consent_required", None));
        let entra = TokenError::consent_required(Face::Entra, &missing);
        assert_eq!(
            (entra.error, entra.aadsts, entra.suberror),
            ("invalid_grant", 65_001, Some("consent_required"))
        );
    }

    #[test]
    fn timestamps_are_written_as_entra_does() {
        assert_eq!(timestamp(0), "1970-01-01 00:00:00Z");
    }
}
