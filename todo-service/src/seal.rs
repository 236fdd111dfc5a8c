//! The outermost step of every request: gives it an id, turns panics and problems into documents, adds the security
//! headers and writes the one access line. Knows nothing of to-do items or tokens; the line holds the route's
//! template, never the path or query as sent.

use std::any::Any;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::problem::{Kind, Problem};
use crate::request_id::{self, RequestId};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// On every answer. There are no CORS headers, so no browser page of another origin can read anything.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Puts the seal around a router.
pub(crate) fn around(router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(after_panic)).layer(middleware::from_fn(seal))
}

async fn seal(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = tracing::info_span!("request", id = id.as_str());

    let response = next.run(request).instrument(span).await;
    let (mut response, reason) = written_out(response, &id);
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, value);
    }
    headers.insert(request_id::HEADER, id.to_header());

    let method = known_method(&method);
    let route = route.as_ref().map_or("(no route)", MatchedPath::as_str);
    let status = response.status().as_u16();
    let ms = started.elapsed().as_millis();
    tracing::info!(target: "access", request_id = id.as_str(), reason, "{method} {route} {status} {ms} ms");
    response
}

/// Writes the body of an error answer. An error without a problem comes from the framework and gets a plain one.
fn written_out(mut response: Response, id: &RequestId) -> (Response, &'static str) {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<NoProblem>().is_some() {
        return (response, "-");
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => Problem::of_status(status),
    };
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    let (document, body) = Json(problem.document(id.as_str())).into_response().into_parts();
    head.headers.extend(document.headers);
    head.headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    (Response::from_parts(head, Body::new(body)), problem.reason())
}

fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    // The panic hook has written its text to the error output; the caller learns nothing of it.
    tracing::error!("a request handler panicked");
    Problem::new(Kind::Internal, "panic", "The request could not be answered. It is safe to look at the log.")
        .into_response()
}

/// Methods are free text; only the usual ones are worth a log line.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "(other)",
    }
}

/// Marks an answer that has an error status and yet is what was asked for.
#[derive(Clone)]
struct NoProblem;

/// Such an answer, in JSON of its own: it keeps its body.
pub(crate) fn plain_json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.extensions_mut().insert(NoProblem);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn answer(path: &str, method: Method) -> (Response<()>, serde_json::Value) {
        async fn broken() -> StatusCode {
            panic!("a secret detail")
        }
        let router = Router::new().route("/fine", get(async || Json(1))).route("/broken", get(broken));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        let response = around(router).oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (Response::from_parts(head, ()), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_panic_costs_one_request_and_tells_nothing() {
        let (response, body) = answer("/broken", Method::GET).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(body["type"], "urn:problem:todo-service:internal");
        assert!(!body.to_string().contains("secret"));
        let (response, body) = answer("/fine", Method::GET).await;
        assert_eq!((response.status(), body), (StatusCode::OK, serde_json::json!(1)));
    }

    #[tokio::test]
    async fn errors_of_the_framework_become_problems_too() {
        let (response, body) = answer("/nowhere", Method::GET).await;
        assert_eq!((response.status(), &body["status"]), (StatusCode::NOT_FOUND, &serde_json::json!(404)));
        let (response, body) = answer("/fine", Method::POST).await;
        assert_eq!(
            (response.status(), &body["status"]),
            (StatusCode::METHOD_NOT_ALLOWED, &serde_json::json!(405))
        );
        assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
        assert_eq!(response.headers()[request_id::HEADER], body["request_id"].as_str().expect("an id"));
    }

    #[tokio::test]
    async fn every_answer_carries_the_security_headers() {
        for path in ["/fine", "/broken", "/nowhere"] {
            let (response, _) = answer(path, Method::GET).await;
            for (name, value) in SECURITY_HEADERS {
                assert_eq!(response.headers()[&name], value, "{path}");
            }
            assert!(!response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
        }
    }
}
