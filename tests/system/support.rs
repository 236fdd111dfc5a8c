//! Words that many tests share.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_idp::Endpoint;
use harness::{Ask, Browser, Recorder, Reply, Site};
use serde_json::Value;
use url::Url;

pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const SESSION: &str = "gateway-session";
pub(crate) const LOGIN: &str = "gateway-login-";
pub(crate) const TODO_API: &str = "11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f";

/// Routes to a recording upstream: `/rec` with the token for reading, `/plain` for who is signed in, `/open` for
/// everybody, `/app` as a server-rendered app.
pub(crate) fn recorder_routes(recorder: &Recorder) -> String {
    format!(
        r#"
[upstreams.recorder]
servers = ["{}"]

[[routes]]
path     = "/rec"
upstream = "recorder"
token    = "todo-read"

[[routes]]
path     = "/plain"
upstream = "recorder"

[[routes]]
path     = "/open"
upstream = "recorder"
allow    = "anyone"

[[routes]]
path     = "/app"
upstream = "recorder"
csrf     = "origin"
"#,
        recorder.url()
    )
}

/// A site with `recorder_routes`.
pub(crate) async fn with_recorder() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let site = harness::Plan::new().append(recorder_routes(&recorder)).start().await;
    (site, recorder)
}

/// The parameters of an address, in order.
pub(crate) fn parameters(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

/// The one parameter of that name.
#[track_caller]
pub(crate) fn parameter(url: &Url, name: &str) -> String {
    let values: Vec<String> =
        url.query_pairs().filter(|(found, _)| found == name).map(|(_, value)| value.into_owned()).collect();
    match values.as_slice() {
        [value] => value.clone(),
        _ => panic!("{name} is not there exactly once in {url}"),
    }
}

/// The address with a parameter replaced, added or (with nothing) taken away.
pub(crate) fn with_parameter(url: &Url, name: &str, value: Option<&str>) -> Url {
    let kept: Vec<(String, String)> =
        parameters(url).into_iter().filter(|(found, _)| found != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(kept);
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed
}

/// Where a sign-in that begins at `target` sends this browser.
pub(crate) async fn begin(browser: &Browser, target: &str) -> Url {
    let reply = browser.send(Ask::page(target)).await;
    Url::parse(reply.must_redirect()).expect("the provider's address")
}

/// Goes through a sign-in up to the callback, visits that, and expects it to be refused without any trace of a session.
#[track_caller]
pub(crate) fn must_be_refused(reply: &Reply, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&reply.status.as_u16()), "{what}: {} {}", reply.status, reply.text());
    assert!(!reply.sets(SESSION), "{what}: a session cookie was set");
    assert!(reply.location().is_none(), "{what}: redirected to {:?}", reply.location());
    assert!(reply.is_page(), "{what}: {:?}", reply.headers);
}

/// A whole sign-in that must fail at the callback with one of these statuses; afterwards nobody is signed in.
pub(crate) async fn sign_in_must_fail(browser: &Browser, statuses: &[u16], what: &str) {
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let reply = browser.send(Ask::page(callback.as_str())).await;
    must_be_refused(&reply, statuses, what);
    assert_eq!(browser.session().await["signed_in"], false, "{what}");
}

/// A whole sign-in that must succeed; afterwards the session is dropped from the browser.
pub(crate) async fn sign_in_must_work(browser: &Browser, what: &str) {
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    let reply = browser.send(Ask::page(callback.as_str())).await;
    assert_eq!(reply.status, 303, "{what}: {}", reply.text());
    assert_eq!(browser.session().await["signed_in"], true, "{what}");
    browser.drop_cookie(SESSION);
}

/// The claims of a token.
#[track_caller]
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a token has three parts");
    let bytes = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The claims of the token in an `Authorization: Bearer …` header that the upstream saw.
#[track_caller]
pub(crate) fn bearer(seen: &harness::Seen) -> Value {
    let authorization =
        seen.value("authorization").unwrap_or_else(|| panic!("one Authorization: {}", seen.head));
    claims(authorization.strip_prefix("Bearer ").expect("a bearer token"))
}

/// How often the provider's token endpoint was asked.
pub(crate) fn token_requests(site: &Site) -> usize {
    site.requests(Endpoint::Token)
}

/// SHA-256 as unpadded base64url, as PKCE has it.
pub(crate) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

/// An upstream `back` of those servers, with more to say of it, and a route `/open` to it for everybody.
pub(crate) fn open_route(servers: &[String], upstream: &str, route: &str) -> String {
    let servers: Vec<String> = servers.iter().map(|url| format!("\"{url}\"")).collect();
    format!(
        "[upstreams.back]\nservers = [{}]\n{upstream}\n\n[[routes]]\npath = \"/open\"\nupstream = \"back\"\nallow = \"anyone\"\n{route}\n",
        servers.join(", ")
    )
}

/// A site with `open_route`, and one worker, so that what each worker has for itself is there once.
pub(crate) async fn with_open_route(servers: &[String], upstream: &str, route: &str) -> Site {
    let routes = open_route(servers, upstream, route);
    harness::Plan::new().set("listen", "workers", "1").append(routes).start().await
}

/// Answers of many requests at the same time.
pub(crate) async fn all_at_once(site: &Site, count: usize, path: &str) -> Vec<Reply> {
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (browser, path) = (site.browser(), path.to_owned());
        asking.spawn(async move { browser.fetch("GET", &path).await });
    }
    asking.join_all().await
}
