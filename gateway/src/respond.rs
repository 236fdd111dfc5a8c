//! From a stop to the answer, in one exhaustive match, and the last hand on every answer that leaves.
//! What strangers read is fixed text and a request id; the cause goes to the log, once, from here.

mod grpc;
mod words;

use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::access::Record;
use crate::body::Body;
use crate::intake;
use crate::pages::Page;
use crate::request_id;
use crate::session::return_to::ReturnTo;
use crate::site::Site;
use crate::stop::{Fault, Reason, Remedy, SignIn, Stop, Whose};

static CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What kind of answer the other side can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A person in front of a browser.
    Person,
    /// A script or program.
    Program,
}

impl Reader {
    /// Judges by the request's own headers: a browser that loads a page or submits a form shows the answer as a page.
    pub fn of(headers: &HeaderMap) -> Self {
        // One look at a handful of names costs every request less than two look-ups would.
        let mut reads_html = false;
        for (name, value) in headers {
            if *name == ACCEPT {
                reads_html |= intake::is_html(value);
            } else if *name == intake::SEC_FETCH_MODE {
                return if value == "navigate" { Self::Person } else { Self::Program };
            }
        }
        if reads_html { Self::Person } else { Self::Program }
    }
}

/// The answer to a request that was stopped.
pub fn to_stop(stop: &Stop, reader: Reader, record: &mut Record<'_>) -> Response<Body> {
    record.reason = Some(stop.reason());
    if let Stop::Failed(fault) = stop {
        log(fault, record);
    }
    audit(stop.reason(), record);
    let status = status(stop);
    let mut response = match reader {
        // Its clients read no other form of answer.
        _ if record.is_grpc => grpc::answer(stop, status, record),
        Reader::Person => page(stop, status, record),
        Reader::Program => problem(stop, status, record),
    };
    let headers = response.headers_mut();
    match stop {
        Stop::Refused(refusal) => {
            if let Remedy::Methods(allow) = &refusal.remedy
                && let Ok(allow) = HeaderValue::from_str(allow)
            {
                headers.insert(ALLOW, allow);
            }
            if let Remedy::Wait(time) = refusal.remedy {
                let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            if refusal.reason == Reason::Busy {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
        }
        Stop::Failed(fault) if status == StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(
                RETRY_AFTER,
                HeaderValue::from_static(if fault.whose == Whose::Provider { "5" } else { "1" }),
            );
        }
        Stop::Failed(_) => {}
    }
    if leaves_doubt(stop.reason()) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether what follows on the connection might be read in two ways: nothing behind such a request is ever answered
/// (RFC 9112, section 6.3; requirements H1-01 to H1-06).
fn leaves_doubt(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BadHost
            | Reason::BadPath
            | Reason::BadFraming
            | Reason::BadExpect
            | Reason::TargetTooLong
            | Reason::HeadersTooLarge
            | Reason::BodyTooLarge
            | Reason::BodyTooSlow
            | Reason::ClientGone
    )
}

/// The documented status of every reason (requirements, "Status conventions").
fn status(stop: &Stop) -> StatusCode {
    match stop.reason() {
        Reason::BadHost
        | Reason::BadPath
        | Reason::BadFraming
        | Reason::BadBody
        | Reason::OwnSession
        | Reason::AmbiguousCookie
        | Reason::BadState
        | Reason::AttemptExpired
        | Reason::AttemptUsed
        | Reason::WrongIssuer
        | Reason::BadCallback
        | Reason::ProviderRefused
        | Reason::AccessDenied
        | Reason::CodeRefused
        | Reason::BadIdToken
        | Reason::BadUserinfo
        | Reason::SignInLoop
        | Reason::BadInitiation
        | Reason::BadLogoutToken
        | Reason::LogoutTokenUsed
        | Reason::ClientGone => StatusCode::BAD_REQUEST,
        Reason::NoSession
        | Reason::SessionOver
        | Reason::OtherProvider
        | Reason::ConsentRequired
        | Reason::NobodySignedIn => StatusCode::UNAUTHORIZED,
        Reason::CsrfHeaderMissing
        | Reason::CrossSite
        | Reason::RuleNotMet
        | Reason::ScopeNotGranted
        | Reason::AcrNotMet
        | Reason::AuthenticationTooOld
        | Reason::TenantNotAllowed
        | Reason::PlainHttp
        | Reason::ClientCertificate => StatusCode::FORBIDDEN,
        Reason::NoRoute | Reason::NoFile | Reason::NoSuchSession => StatusCode::NOT_FOUND,
        Reason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Reason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        Reason::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Reason::BadMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::TargetTooLong => StatusCode::URI_TOO_LONG,
        Reason::BadExpect => StatusCode::EXPECTATION_FAILED,
        Reason::UnknownHost | Reason::OtherServer => StatusCode::MISDIRECTED_REQUEST,
        Reason::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Reason::Busy | Reason::ProviderUnavailable | Reason::StoreUnavailable | Reason::UpstreamBusy => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Reason::ProviderBroken | Reason::UpstreamUnreachable | Reason::UpstreamBroken => {
            StatusCode::BAD_GATEWAY
        }
        Reason::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What the answer to a stop would say first: for people who ask in advance.
pub fn told(stop: &Stop) -> (StatusCode, &'static str) {
    (status(stop), words::about(stop.reason()).title)
}

fn page(stop: &Stop, status: StatusCode, record: &Record<'_>) -> Response<Body> {
    let words = words::about(stop.reason());
    let way_on = way_on(stop);
    let home = ("/", "Go to the front page");
    let actions: Vec<_> =
        way_on.iter().map(|(address, label)| (address.as_str(), *label)).chain([home]).collect();
    Page { status, heading: words.title, message: words.advice, actions: &actions }.render(&record.request_id)
}

/// Problem details (RFC 9457) with the reason and, where it helps, the address to sign in at.
fn problem(stop: &Stop, status: StatusCode, record: &Record<'_>) -> Response<Body> {
    let words = words::about(stop.reason());
    let reason = stop.reason().as_str();
    let mut body = json!({
        "type": format!("urn:gateway:problem:{reason}"),
        "title": words.title,
        "status": status.as_u16(),
        "detail": words.advice,
        "reason": reason,
        "request_id": record.request_id.as_str(),
    });
    if let Some((address, _)) = way_on(stop) {
        body["sign_in"] = address.into();
    }
    let mut response = json_response(status, &body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// The address and the words of the link by which a stopped request can go on, where signing in helps.
fn way_on(stop: &Stop) -> Option<(String, &'static str)> {
    let Stop::Refused(refusal) = stop else {
        return None;
    };
    match &refusal.remedy {
        Remedy::SignIn(wanted) => Some((sign_in_address(wanted), "Sign in")),
        Remedy::TryAgain(return_to) => {
            let wanted = SignIn::to(return_to.clone());
            Some((sign_in_address(&wanted), "Try again"))
        }
        Remedy::None | Remedy::Methods(_) | Remedy::Wait(_) => None,
    }
}

/// A JSON answer with session data or a problem: stored by nobody, read by no other origin.
pub fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::Full(body.to_string().into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(&CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// The answer to a logout request that is wrong: what OpenID Connect Back-Channel Logout 1.0, section 2.8 asks for, in
/// fixed text.
pub fn invalid_request(reason: Reason, record: &mut Record<'_>) -> Response<Body> {
    record.reason = Some(reason);
    let body = json!({ "error": "invalid_request", "error_description": words::about(reason).advice });
    json_response(StatusCode::BAD_REQUEST, &body)
}

/// Where to send a person so that signing in leads back.
pub fn sign_in_address(wanted: &SignIn) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("return_to", wanted.return_to.as_str());
    if let Some(token) = &wanted.token {
        query.append_pair("token", token);
    }
    if let Some(provider) = &wanted.provider {
        query.append_pair("provider", provider);
    }
    format!("/auth/sign-in?{}", query.finish())
}

/// An answer that sends the browser elsewhere without a trace (requirement SI-13).
///
/// # Panics
/// Never: callers pass URLs that were serialised by the `url` crate or parsed as [`ReturnTo`].
pub fn see_other(location: &str) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(http::header::LOCATION, HeaderValue::from_str(location).expect("a URL is visible ASCII"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// An answer that goes on to a local path.
pub fn go_to(target: &ReturnTo) -> Response<Body> {
    see_other(target.as_str())
}

/// The last hand on every answer: security headers, the request's name, the cleared cookie, the record's status.
pub fn finish(mut response: Response<Body>, site: &Site, record: &mut Record<'_>) -> Response<Body> {
    record.status = response.status();
    let headers = response.headers_mut();
    headers.insert(&request_id::HEADER, record.request_id.value());
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("strict-origin-when-cross-origin"));
    if site.origin.is_secure() {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static("max-age=31536000"));
    }
    if let Some(cookie) = record.new_session.take() {
        headers.append(SET_COOKIE, cookie);
    } else if record.clear_session {
        headers.append(SET_COOKIE, site.cookies.clear_session());
    }
    if let Some(name) = &record.clear_login {
        headers.append(SET_COOKIE, site.cookies.clear_login(name));
    }
    response
}

/// Faults are logged once, here, by whose they are: an operator's business at `warn` and `error`, a client's at `debug`.
fn log(fault: &Fault, record: &Record<'_>) {
    let (request_id, reason, route) = (record.request_id.as_str(), fault.reason.as_str(), record.route);
    let cause = fault.causes();
    match fault.whose {
        Whose::Gateway => {
            tracing::error!(target: "gateway", request_id, reason, route, cause, "the gateway failed")
        }
        Whose::Provider => {
            tracing::warn!(target: "gateway", request_id, reason, route, cause, "the identity provider failed")
        }
        Whose::Store => {
            tracing::warn!(target: "gateway", request_id, reason, route, cause, "the session store failed")
        }
        Whose::Upstream => {
            tracing::warn!(target: "gateway", request_id, reason, route, cause, "an upstream failed")
        }
        Whose::Client => {
            tracing::debug!(target: "gateway", request_id, reason, route, cause, "the client broke off")
        }
    }
}

/// Tells once of a request that was refused because of who sent it, or how: somebody may be trying something
/// (requirement LG-04).
fn audit(reason: Reason, record: &Record<'_>) {
    let Some(event) = event_of(reason) else {
        return;
    };
    let (request_id, client, reason, route) =
        (record.request_id.as_str(), record.client.text(), reason.as_str(), record.route);
    let session = record.session.map(|session| session.short());
    tracing::info!(target: "gateway::audit", event, request_id, client, session, reason, route, "refused");
}

fn event_of(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::BadState
        | Reason::AttemptExpired
        | Reason::AttemptUsed
        | Reason::WrongIssuer
        | Reason::BadCallback
        | Reason::ProviderRefused
        | Reason::AccessDenied
        | Reason::CodeRefused
        | Reason::BadIdToken
        | Reason::BadUserinfo
        | Reason::TenantNotAllowed
        | Reason::AcrNotMet
        | Reason::AuthenticationTooOld
        | Reason::SignInLoop => Some("callback_refused"),
        Reason::BadInitiation => Some("initiation_refused"),
        Reason::CsrfHeaderMissing
        | Reason::CrossSite
        | Reason::RuleNotMet
        | Reason::ScopeNotGranted
        | Reason::ClientCertificate
        | Reason::AmbiguousCookie => Some("request_refused"),
        // Most of all requests that are refused are mistakes; their access lines say why.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::intake::Peer;
    use crate::request_id::RequestIds;
    use crate::stop::Refusal;
    use http::Method;
    use std::sync::LazyLock;

    fn record() -> Record<'static> {
        static CLIENT: LazyLock<Peer> = LazyLock::new(|| Peer::new([127, 0, 0, 1].into()));
        let id = RequestIds::new().next();
        Record::begin(id, Timestamp(0), &CLIENT, &Method::GET, &http::Uri::from_static("/"))
    }

    fn body(response: Response<Body>) -> String {
        match response.into_body() {
            Body::Full(bytes) => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
            _ => String::new(),
        }
    }

    fn no_session() -> Stop {
        let remedy = Remedy::SignIn(SignIn {
            return_to: "/todos?a=1&b=2".parse().expect("local"),
            token: Some("todo-read".into()),
            provider: None,
        });
        Stop::Refused(Refusal { reason: Reason::NoSession, remedy })
    }

    #[test]
    fn a_program_gets_problem_details_with_the_way_on() {
        let mut record = record();
        let response = to_stop(&no_session(), Reader::Program, &mut record);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&body(response)).expect("JSON");
        assert_eq!(problem["sign_in"], "/auth/sign-in?return_to=%2Ftodos%3Fa%3D1%26b%3D2&token=todo-read");
        assert_eq!(problem["request_id"], record.request_id.as_str());
        for member in ["type", "title", "status", "detail", "reason"] {
            assert!(!problem[member].is_null(), "{member}");
        }
    }

    #[test]
    fn a_person_gets_a_page_with_the_way_on() {
        let response = to_stop(&no_session(), Reader::Person, &mut record());
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(body(response).contains("/auth/sign-in?return_to="));
    }

    #[test]
    fn the_cause_of_a_fault_is_never_shown() {
        for reader in [Reader::Person, Reader::Program] {
            let stop =
                Stop::failed(Whose::Upstream, Reason::UpstreamUnreachable, "connect 10.0.0.7:5432 refused");
            let response = to_stop(&stop, reader, &mut record());
            assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
            assert!(!body(response).contains("10.0.0.7"));
        }
    }

    #[test]
    fn every_answer_leaves_with_its_name_and_protection() {
        let sites = crate::site::tests::sites(&["https://app.example"]);
        let mut record = Record { clear_session: true, ..record() };
        let response = finish(Response::new(Body::Empty), sites.first(), &mut record);
        let headers = response.headers();
        assert_eq!(headers[&request_id::HEADER], record.request_id.as_str());
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(headers.contains_key(STRICT_TRANSPORT_SECURITY) && headers.contains_key(REFERRER_POLICY));
        assert!(headers[SET_COOKIE].to_str().is_ok_and(|line| line.contains("Max-Age=0")));
    }

    #[test]
    fn a_request_that_can_be_read_in_two_ways_ends_its_connection() {
        let closes = |reason| {
            to_stop(&Stop::refused(reason), Reader::Program, &mut record())
                .headers()
                .get(CONNECTION)
                .is_some()
        };
        assert!(closes(Reason::BadFraming) && closes(Reason::BadHost) && closes(Reason::BadPath));
        assert!(!closes(Reason::NoRoute) && !closes(Reason::CrossSite));
    }

    #[test]
    fn an_unavailable_provider_says_when_to_come_back() {
        let stop = Stop::failed(Whose::Provider, Reason::ProviderUnavailable, "connection refused");
        let response = to_stop(&stop, Reader::Program, &mut record());
        assert_eq!(
            (response.status(), response.headers().contains_key(RETRY_AFTER)),
            (StatusCode::SERVICE_UNAVAILABLE, true)
        );
    }
}
