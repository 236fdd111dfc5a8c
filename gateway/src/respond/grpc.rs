//! The gateway's own answers to gRPC clients: HTTP 200 without a body, with the status in the header (gRPC over HTTP/2,
//! "Trailers-Only"). The words are those of every other answer.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::access::Record;
use crate::body::Body;
use crate::stop::Stop;

use super::words;

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What stands as itself in a message: visible ASCII and spaces, but for the percent sign.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The answer to a gRPC request that was stopped.
pub(super) fn answer(stop: &Stop, status: StatusCode, record: &Record<'_>) -> Response<Body> {
    let words = words::about(stop.reason());
    let message = format!(
        "{} ({}, request {}): {}",
        words.title,
        stop.reason().as_str(),
        record.request_id.as_str(),
        words.advice
    );
    let message = utf8_percent_encode(&message, ESCAPED).to_string();
    let mut response = Response::new(Body::Empty);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(&GRPC_STATUS, HeaderValue::from(code(status)));
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert(&GRPC_MESSAGE, message);
    }
    response
}

/// The gRPC status for what would have been an HTTP status. Where gRPC's own table ("HTTP to gRPC status code mapping")
/// has a word for it, that word; the gateway knows more than the table in a few cases.
fn code(status: StatusCode) -> u16 {
    const UNKNOWN: u16 = 2;
    const DEADLINE_EXCEEDED: u16 = 4;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match status.as_u16() {
        400 | 500 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 | 405 => UNIMPLEMENTED,
        413 | 431 => RESOURCE_EXHAUSTED,
        429 | 502 | 503 => UNAVAILABLE,
        504 => DEADLINE_EXCEEDED,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::intake::Peer;
    use crate::request_id::RequestIds;
    use crate::stop::{Reason, Whose};
    use http::{Method, Uri};

    #[test]
    fn a_grpc_client_gets_the_status_in_the_header_of_an_empty_answer() {
        let peer = Peer::new([127, 0, 0, 1].into());
        let uri = Uri::from_static("/");
        let record = Record::begin(RequestIds::new().next(), Timestamp(0), &peer, &Method::POST, &uri);
        for (reason, status, code) in [
            (Reason::UpstreamUnreachable, StatusCode::BAD_GATEWAY, "14"),
            (Reason::UpstreamTimeout, StatusCode::GATEWAY_TIMEOUT, "4"),
            (Reason::UpstreamBusy, StatusCode::SERVICE_UNAVAILABLE, "14"),
            (Reason::Internal, StatusCode::INTERNAL_SERVER_ERROR, "13"),
        ] {
            let response =
                answer(&Stop::failed(Whose::Upstream, reason, "10.0.0.7 refused"), status, &record);
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()[&GRPC_STATUS], code, "{reason:?}");
            let message = response.headers()[&GRPC_MESSAGE].to_str().expect("ASCII");
            assert!(message.contains(reason.as_str()) && !message.contains("10.0.0.7"), "{message}");
            assert!(matches!(response.body(), Body::Empty));
        }
    }
}
