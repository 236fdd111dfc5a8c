//! Other paths inside than outside: prefixes taken off and replaced, exact paths, and the way back (requirements PA-01,
//! PA-03, TK-12).

use harness::{Ask, Plan, Recorder, Site};

async fn rewriting() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let routes = format!(
        r#"
[upstreams.recorder]
servers = ["{}"]

[[routes]]
path     = "/strip/it"
strip    = true
upstream = "recorder"
allow    = "anyone"

[[routes]]
path     = "/strip/it/private"
upstream = "recorder"

[[routes]]
path     = "/replace"
replace  = "/v2/items"
upstream = "recorder"
allow    = "anyone"

[[routes]]
exact    = "/replace/health"
replace  = "/healthz"
upstream = "recorder"
allow    = "anyone"
"#,
        recorder.url()
    );
    (Plan::new().append(routes).start().await, recorder)
}

#[tokio::test]
async fn the_upstream_sees_its_own_path_and_is_told_the_prefix() {
    let (site, recorder) = rewriting().await;
    let browser = site.browser();
    for (asked, seen, prefix) in [
        ("/strip/it", "/", Some("/strip/it")),
        ("/strip/it/todos/1?a=/strip/it&b=%2F", "/todos/1?a=/strip/it&b=%2F", Some("/strip/it")),
        ("/strip/it/%7Ea%20b", "/~a%20b", Some("/strip/it")),
        ("/strip;x/it;y/z;w", "/z;w", Some("/strip/it")),
        ("/replace", "/v2/items", None),
        ("/replace/7?x", "/v2/items/7?x", None),
        ("/replace/health", "/healthz", None),
    ] {
        let spoof = Ask::bare("GET", asked).header("x-forwarded-prefix", "/spoofed");
        browser.send(spoof).await.must_be(200);
        let got = recorder.last();
        assert_eq!(got.line(), format!("GET {seen} HTTP/1.1"), "{asked}");
        assert_eq!(got.value("x-forwarded-prefix"), prefix, "{asked}");
    }
}

#[tokio::test]
async fn no_spelling_reaches_a_path_past_the_rule_that_stands_there() {
    let (site, recorder) = rewriting().await;
    let browser = site.browser();
    for (path, status) in [
        ("/strip/it/private", 401),
        ("/strip/it/private/x", 401),
        ("/strip/it/private;x", 401),
        ("/strip/it/%70rivate", 401),
        ("/strip/it/Private", 404),
        ("/strip/it/x/../private", 400),
        ("/strip/it/x/..;/private", 400),
        ("/strip/it//private", 400),
        ("/strip/it/%2e%2e/private", 400),
        ("/strip/it%2fprivate", 400),
        ("/strip/it\\private", 400),
        ("/strip/itx", 404),
        ("/Strip/it", 404),
        ("/replace/Health", 404),
        ("/replace/health/", 404),
        ("/replace/health;x", 404),
    ] {
        let answer = site
            .raw(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host()))
            .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    recorder.must_be_untouched();
    browser.send(Ask::bare("GET", "/strip/it/public")).await.must_be(200);
    assert_eq!(recorder.last().line(), "GET /public HTTP/1.1");
}

#[tokio::test]
async fn redirects_and_cookies_come_back_by_the_names_that_browsers_know() {
    let (site, recorder) = rewriting().await;
    let browser = site.browser();
    let (own, upstream) = (browser.origin(), recorder.url());
    for (path, location, wanted) in [
        ("/strip/it", "/login?next=/x", "/strip/it/login?next=/x".to_owned()),
        ("/strip/it", "/strip/it/login", "/strip/it/login".to_owned()),
        ("/strip/it", "login", "login".to_owned()),
        ("/strip/it", "//evil.example/x", "//evil.example/x".to_owned()),
        ("/strip/it", "https://elsewhere.example/x", "https://elsewhere.example/x".to_owned()),
        ("/strip/it", "UPSTREAM/x", format!("{own}/strip/it/x")),
        ("/replace", "/v2/items/8", "/replace/8".to_owned()),
        ("/replace", "UPSTREAM/v2/items/8", format!("{own}/replace/8")),
        ("/replace", "/other", "/other".to_owned()),
    ] {
        let location = location.replace("UPSTREAM", &upstream);
        recorder
            .answer_once(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"));
        let reply = browser.send(Ask::bare("GET", path)).await;
        assert_eq!(reply.header("location"), Some(&*wanted), "{location}");
    }
    recorder.answer_once(
        "HTTP/1.1 200 OK\r\nset-cookie: a=1; Path=/; HttpOnly\r\nset-cookie: b=2; Path=/x/\r\nset-cookie: c=3\r\ncontent-length: 0\r\n\r\n",
    );
    let reply = browser.send(Ask::bare("GET", "/strip/it")).await;
    let lines: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(lines, ["a=1; Path=/strip/it; HttpOnly", "b=2; Path=/strip/it/x", "c=3"]);
}
