//! Scripts of other origins: answered by the route's policy alone (requirements CS-04, CS-05).

use harness::{Ask, Plan, Recorder, Site};

use crate::support::*;

const FRIEND: &str = "https://friend.example";

async fn site() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let routes = format!(
        "{}\n[[routes]]\npath = \"/shared\"\nupstream = \"recorder\"\n\
         cors = {{ origins = [\"{FRIEND}\"], credentials = true, headers = [\"Content-Type\"], expose = [\"ETag\"] }}\n\
         [[routes]]\npath = \"/world\"\nupstream = \"recorder\"\nallow = \"anyone\"\nmethods = [\"GET\"]\ncors = {{ origins = [\"*\"] }}\n",
        recorder_routes(&recorder)
    );
    (Plan::new().append(routes).start().await, recorder)
}

fn preflight(path: &str, origin: &str, method: &str) -> Ask {
    Ask::bare("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("x-forwarded-user", "alice")
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_routes_policy_and_goes_nowhere() {
    let (site, recorder) = site().await;
    let alice = site.signed_in(ALICE).await;
    for browser in [&site.browser(), &alice] {
        let reply = browser.send(preflight("/shared/x", FRIEND, "DELETE")).await;
        reply.must_be(204);
        assert_eq!(reply.header("access-control-allow-origin"), Some(FRIEND));
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(reply.header("access-control-allow-headers"), Some("content-type, x-csrf"));
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        assert_eq!(reply.header("vary"), Some("origin"));
        assert!(reply.header("access-control-allow-methods").is_some_and(|all| all.contains("DELETE")));
        let open = browser.send(preflight("/world", "https://evil.example", "GET")).await;
        open.must_be(204);
        assert_eq!(open.header("access-control-allow-origin"), Some("*"));
        assert_eq!(open.header("access-control-allow-credentials"), None);
        for (path, origin, method) in [
            ("/shared", "https://evil.example", "GET"),
            ("/shared", "null", "GET"),
            ("/shared", "https://friend.example.evil", "GET"),
            ("/shared", "http://friend.example", "GET"),
            ("/world", FRIEND, "POST"),
            ("/open", FRIEND, "GET"),
            ("/auth/session", FRIEND, "GET"),
        ] {
            let reply = browser.send(preflight(path, origin, method)).await;
            assert!([403, 405].contains(&reply.status.as_u16()), "{path}, {origin}: {}", reply.status);
            assert_eq!(reply.header("access-control-allow-origin"), None, "{path}, {origin}");
        }
    }
    recorder.must_be_untouched();
}

#[tokio::test]
async fn a_listed_origin_acts_for_the_person_with_the_header_and_nobody_else_does() {
    let (site, recorder) = site().await;
    let alice = site.signed_in(ALICE).await;
    let from = |origin: &str, method: &str| {
        Ask::fetch(method, "/shared").set("origin", origin).set("sec-fetch-site", "same-site")
    };
    for method in ["GET", "POST", "DELETE"] {
        recorder.forget();
        let reply = alice.send(from(FRIEND, method)).await;
        reply.must_be(200);
        assert_eq!(reply.header("access-control-allow-origin"), Some(FRIEND), "{method}");
        assert_eq!(recorder.count(), 1);
        alice.send(from(FRIEND, method).without("x-csrf")).await.must_be_problem(403, "csrf_header_missing");
    }
    recorder.forget();
    for origin in ["https://evil.example", "null", "https://friend.example:8443"] {
        let reply = alice.send(from(origin, "POST")).await;
        reply.must_be_problem(403, "cross_site");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
    }
    recorder.must_be_untouched();
    // A refusal can be read by the scripts that may read answers, and by no other.
    let nobody = site.browser().send(from(FRIEND, "GET")).await;
    nobody.must_be(401);
    assert_eq!(nobody.header("access-control-allow-origin"), Some(FRIEND));
}

#[tokio::test]
async fn what_an_upstream_says_of_other_origins_never_passes() {
    let (site, recorder) = site().await;
    let said = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\naccess-control-allow-origin: https://evil.example\r\n\
                access-control-allow-credentials: true\r\naccess-control-expose-headers: set-cookie\r\n\r\nok";
    for (path, wanted) in [("/world", Some("*")), ("/open", None)] {
        recorder.answer_once(said);
        let reply = site.browser().send(Ask::fetch("GET", path).set("origin", "https://evil.example")).await;
        reply.must_be(200);
        assert_eq!(reply.header("access-control-allow-origin"), wanted, "{path}");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{path}");
        assert_eq!(reply.header("access-control-expose-headers"), None, "{path}");
    }
}
