//! Requests that another site makes a signed-in browser send (requirements section 5).

use harness::{Ask, Site};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn every_api_request_with_a_session_needs_the_header_with_its_value_once() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let ask = || Ask::fetch(method, "/plain");
        let wrong = [
            ask().without("x-csrf"),
            ask().set("x-csrf", ""),
            ask().set("x-csrf", "0"),
            ask().set("x-csrf", "true"),
            ask().set("x-csrf", "1, 1"),
            ask().header("x-csrf", "1"),
            ask().without("x-csrf").header("x_csrf", "1"),
        ];
        for ask in wrong {
            browser.send(ask).await.must_be_problem(403, "csrf_header_missing");
        }
    }
    recorder.must_be_untouched();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        browser.fetch(method, "/plain").await.must_be(200);
    }
    assert_eq!(recorder.count(), 5);
}

#[tokio::test]
async fn a_change_needs_to_come_from_the_very_same_origin() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    let port = site.addresses().ports.gateway;
    let foreign = [
        "null".to_owned(),
        "https://evil.example".to_owned(),
        format!("https://localhost:{port}"),
        format!("http://localhost:{}", site.addresses().ports.provider),
        "http://localhost".to_owned(),
        format!("http://sub.localhost:{port}"),
        format!("http://localhost:{port}.evil.example"),
        format!("http://127.0.0.1:{port}"),
        String::new(),
    ];
    for path in ["/plain", "/app"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for origin in &foreign {
                let ask = Ask::fetch(method, path).set("origin", origin);
                browser.send(ask).await.must_be_problem(403, "cross_site");
            }
            for from in ["cross-site", "same-site", "none", ""] {
                let ask = Ask::fetch(method, path).without("origin").set("sec-fetch-site", from);
                browser.send(ask).await.must_be_problem(403, "cross_site");
            }
            let silent = Ask::fetch(method, path).without("origin").without("sec-fetch-site");
            browser.send(silent).await.must_be_problem(403, "cross_site");
            let both = Ask::fetch(method, path).set("sec-fetch-site", "cross-site");
            browser.send(both).await.must_be_problem(403, "cross_site");
        }
    }
    recorder.must_be_untouched();
    browser.send(Ask::fetch("POST", "/plain").without("sec-fetch-site")).await.must_be(200);
    browser.send(Ask::fetch("POST", "/plain").without("origin")).await.must_be(200);
}

#[tokio::test]
async fn a_form_or_image_of_another_site_changes_nothing() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
        "",
    ] {
        for path in ["/plain", "/app", "/api/todolist"] {
            let ask = Ask::bare("POST", path)
                .set("sec-fetch-mode", "navigate")
                .set("sec-fetch-site", "cross-site")
                .set("origin", "https://evil.example")
                .set("content-type", kind)
                .body("{\"description\":\"evil\"}");
            assert_eq!(browser.send(ask).await.status, 403, "{kind} {path}");
        }
    }
    let bodyless = Ask::bare("POST", "/app").set("origin", "https://evil.example");
    browser.send(bodyless).await.must_be(403);
    recorder.must_be_untouched();
    // The site's own form works.
    browser.send(Ask::submit("/app", &[("a", "1")])).await.must_be(200);
    let own = Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "mine" }));
    browser.send(own).await.must_be(201);
}

#[tokio::test]
async fn a_server_rendered_app_is_read_without_the_header() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    browser.send(Ask::page("/app/list")).await.must_be(200);
    browser.send(Ask::page("/app/list").set("sec-fetch-site", "cross-site")).await.must_be(200);
    assert_eq!(recorder.count(), 2);
}

#[tokio::test]
async fn a_preflight_is_answered_here_and_opens_nothing() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    recorder.answer_always(
        "HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\n\
         access-control-allow-headers: x-csrf\r\naccess-control-allow-methods: POST\r\ncontent-length: 0\r\n\r\n",
    );
    for path in ["/plain", "/open", "/app", "/rec", "/api/todolist", "/auth/session", "/"] {
        let ask = Ask::bare("OPTIONS", path)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "x-csrf")
            .header("x-forwarded-user", "admin");
        let reply = browser.send(ask).await;
        assert!(matches!(reply.status.as_u16(), 403 | 405), "{path}: {}", reply.status);
        for name in reply.headers.keys() {
            assert!(!name.as_str().starts_with("access-control-"), "{path}: {name}");
        }
    }
    recorder.must_be_untouched();
    // Nor can an upstream open the origin in an ordinary answer.
    let reply = browser.send(Ask::fetch("GET", "/plain").set("origin", "https://evil.example")).await;
    reply.must_be(200);
    assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control-")));
}

#[tokio::test]
async fn method_overrides_are_not_passed_on() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    let ask = Ask::fetch("GET", "/plain?_method=DELETE")
        .header("x-http-method-override", "DELETE")
        .header("x-http-method", "DELETE")
        .header("x-method-override", "DELETE");
    browser.send(ask).await.must_be(200);
    let seen = recorder.last();
    assert!(
        seen.line().starts_with("GET ") && !seen.head.to_ascii_lowercase().contains("override"),
        "{}",
        seen.head
    );
}

#[tokio::test]
async fn every_page_of_the_gateway_has_a_policy_that_keeps_it_out_of_frames() {
    let site = Site::start().await;
    let browser = site.browser();
    for target in ["/auth/signed-out", "/auth/callback", "/auth/nothing", "/a//b"] {
        let reply = browser.send(Ask::page(target)).await;
        assert!(reply.is_page(), "{target}: {}", reply.status);
        let policy = reply.header("content-security-policy").expect("a policy").to_owned();
        for directive in
            ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"]
        {
            assert!(policy.contains(directive), "{target}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains('*'), "{policy}");
    }
}
