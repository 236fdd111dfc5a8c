//! Beginning to sign in: what the provider is asked, and what nobody can make the gateway ask (requirements section 1).

use std::collections::BTreeSet;
use std::time::Duration;

use dev_idp::Endpoint;
use dev_idp::faults::MetadataFault;
use harness::{Ask, Plan, Site};
use url::Url;

use crate::support::*;

#[tokio::test]
async fn a_sign_in_asks_for_a_code_with_each_parameter_once() {
    let site = Site::start().await;
    let location = begin(&site.browser(), "/auth/sign-in").await;
    let names: Vec<String> = parameters(&location).into_iter().map(|(name, _)| name).collect();
    let unique: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let expected = [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    ];
    assert_eq!(unique.iter().copied().collect::<Vec<_>>(), expected);
    assert_eq!(names.len(), expected.len(), "{location}");
    assert_eq!(parameter(&location, "response_type"), "code");
    assert_eq!(parameter(&location, "client_id"), "todo-web");
    assert_eq!(parameter(&location, "redirect_uri"), site.url("/auth/callback"));
    assert_eq!(parameter(&location, "code_challenge_method"), "S256");
    let scope = parameter(&location, "scope");
    let scopes: BTreeSet<&str> = scope.split(' ').collect();
    assert_eq!(scopes, BTreeSet::from(["openid", "profile", "email", "offline_access"]));
    assert_eq!(location.origin().ascii_serialization(), site.addresses().provider);
    assert_eq!(location.path(), "/authorize");
}

#[tokio::test]
async fn a_thousand_sign_ins_share_no_state_no_nonce_and_no_challenge() {
    let site = Site::start().await;
    let browser = site.browser();
    let mut seen: [BTreeSet<String>; 3] = Default::default();
    for _ in 0..1_000 {
        let reply = browser.send(Ask::page("/auth/sign-in").without_cookies()).await;
        let location = Url::parse(reply.must_redirect()).expect("the provider's address");
        for (seen, name) in seen.iter_mut().zip(["state", "nonce", "code_challenge"]) {
            let value = parameter(&location, name);
            let is_base64url =
                value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            // 43 characters of base64url are 256 bits.
            assert!(value.len() == 43 && is_base64url, "{name}={value}");
            seen.insert(value);
        }
    }
    for values in &seen {
        assert_eq!(values.len(), 1_000);
        let starts: BTreeSet<&str> = values.iter().map(|value| &value[..8]).collect();
        assert_eq!(starts.len(), 1_000, "some share their first 48 bits");
    }
    let together: BTreeSet<&String> = seen.iter().flatten().collect();
    assert_eq!(together.len(), 3_000, "a value serves two purposes");
}

#[tokio::test]
async fn the_verifier_is_fresh_long_enough_and_fits_the_challenge() {
    let site = Site::start().await;
    let mut verifiers = BTreeSet::new();
    let browser = site.browser();
    for _ in 0..3 {
        let callback = browser.callback_address("/auth/sign-in", ALICE).await;
        browser.send(Ask::page(callback.as_str())).await.must_be(303);
        let verifier = site.faults().last_token().expect("a token request")["code_verifier"].clone();
        let challenge =
            site.faults().last_authorize().expect("an authorization request")["code_challenge"].clone();
        assert!((43..=128).contains(&verifier.len()), "{} characters", verifier.len());
        assert!(verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
        assert_eq!(sha256(&verifier), challenge);
        verifiers.insert(verifier);
    }
    assert_eq!(verifiers.len(), 3);
}

#[tokio::test]
async fn pkce_is_used_although_the_metadata_does_not_promise_it() {
    let site = Plan::new().fault(MetadataFault::NoPkce).start().await;
    let location = begin(&site.browser(), "/auth/sign-in").await;
    assert_eq!(parameter(&location, "code_challenge_method"), "S256");
    sign_in_must_work(&site.browser(), "a provider that says nothing of PKCE").await;
    assert!(site.faults().last_token().expect("a token request").contains_key("code_verifier"));
}

#[tokio::test]
async fn a_deep_link_with_its_query_is_where_people_end_up() {
    let site = Plan::new().replace("allow    = \"anyone\"", "allow = \"signed-in\"").start().await;
    let browser = site.browser();
    browser.sign_in_at("/lists/today?done=1&q=a%20b", ALICE).await.must_show("/lists/today?done=1&q=a%20b");
    let other = site.browser();
    other.sign_in_at("/auth/sign-in?return_to=%2Flists%3Fpage%3D2", BOB).await.must_show("/lists?page=2");
}

#[tokio::test]
async fn the_return_path_never_stands_in_an_address_and_cannot_be_put_there() {
    let site = Site::start().await;
    let browser = site.browser();
    let location = begin(&browser, "/auth/sign-in?return_to=%2Fsecret-place").await;
    assert!(!location.as_str().contains("secret-place"), "{location}");
    let callback = browser.callback_address("/auth/sign-in?return_to=%2Fsecret-place", ALICE).await;
    assert!(!callback.as_str().contains("secret-place"), "{callback}");
    let mut edited = callback;
    edited.query_pairs_mut().append_pair("return_to", "/elsewhere").append_pair("redirect", "//evil.example");
    let reply = browser.send(Ask::page(edited.as_str())).await;
    assert_eq!(reply.must_redirect(), "/secret-place");
}

#[tokio::test]
async fn forwarding_headers_of_a_stranger_change_no_address() {
    let site = Site::start().await;
    let ask = Ask::page("/auth/sign-in")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-port", "443")
        .header("x-forwarded-prefix", "/evil")
        .header("x-original-host", "evil.example")
        .header("forwarded", "for=6.6.6.6;host=evil.example;proto=https");
    let reply = site.browser().send(ask).await;
    let location = Url::parse(reply.must_redirect()).expect("the provider's address");
    assert_eq!(parameter(&location, "redirect_uri"), site.url("/auth/callback"));
    assert!(!format!("{:?}", reply.headers).contains("evil"));
}

#[tokio::test]
async fn a_foreign_host_is_misdirected_and_named_nowhere() {
    let site = Site::start().await;
    let browser = site.browser();
    for host in ["evil.example", "evil.example:80", "localhost", "localhost:1", "localhost.evil.example"] {
        let reply = browser.send(Ask::page("/auth/sign-in").set("host", host)).await;
        reply.must_be(421);
        assert!(!reply.text().contains("evil") && reply.set_cookies().is_empty(), "{host}");
    }
    let answer = site
        .raw(format!(
            "GET http://evil.example/auth/sign-in HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            site.host()
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    assert!(!answer.contains("evil"), "{answer}");
    // The positive twin: the same absolute form with our own name.
    let own = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        site.url("/auth/sign-in"),
        site.host()
    );
    assert!(site.raw(own).await.starts_with("HTTP/1.1 303"));
}

#[tokio::test]
async fn a_query_neither_adds_nor_overrides_what_the_provider_is_asked() {
    let site = Site::start().await;
    let query = "scope=evil&redirect_uri=http%3A%2F%2Fevil.example&client_id=evil&nonce=evil&state=evil&claims=evil\
                 &resource=evil&request=evil&request_uri=evil&response_type=token&response_mode=fragment\
                 &code_challenge=evil&code_challenge_method=plain&prompt=login&acr_values=evil&max_age=0&id_token_hint=evil&foo=evil";
    let location = begin(&site.browser(), &format!("/auth/sign-in?{query}")).await;
    let plain = begin(&site.browser(), "/auth/sign-in").await;
    let names = |url: &Url| parameters(url).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&location), names(&plain));
    assert!(!location.as_str().contains("evil"), "{location}");
    assert_eq!(parameter(&location, "response_type"), "code");
    assert_eq!(parameter(&location, "code_challenge_method"), "S256");
    // What the configuration lets pass does pass, once.
    let hinted =
        begin(&site.browser(), "/auth/sign-in?login_hint=alice%40example.com&login_hint=evil&ui_locales=de")
            .await;
    assert_eq!(parameter(&hinted, "login_hint"), ALICE);
    assert_eq!(parameter(&hinted, "ui_locales"), "de");
}

#[tokio::test]
async fn only_a_navigation_is_sent_to_the_provider_and_all_else_gets_401() {
    let (site, recorder) = with_recorder().await;
    let browser = site.browser();
    let navigations = [
        Ask::page("/plain"),
        Ask::bare("GET", "/plain").set("accept", "text/html"),
        Ask::bare("GET", "/plain").set("sec-fetch-mode", "navigate"),
    ];
    for ask in navigations {
        let reply = browser.send(ask.clone()).await;
        assert!(reply.must_redirect().starts_with(&site.addresses().provider), "{ask:?}");
        assert!(reply.sets(LOGIN), "{ask:?}");
    }
    let script =
        |mode: &str, dest: &str| Ask::page("/plain").set("sec-fetch-mode", mode).set("sec-fetch-dest", dest);
    let others = [
        Ask::fetch("GET", "/plain"),
        Ask::fetch("POST", "/plain"),
        Ask::bare("GET", "/plain"),
        Ask::bare("GET", "/plain").set("accept", "application/json"),
        Ask::bare("HEAD", "/plain").set("accept", "text/html"),
        Ask::bare("POST", "/plain").set("accept", "text/html").set("sec-fetch-mode", "cors"),
        Ask::bare("DELETE", "/plain"),
        script("no-cors", "image"),
        script("no-cors", "script"),
        script("cors", "empty"),
        script("same-origin", "empty"),
        script("navigate", "iframe"),
        script("navigate", "embed"),
        Ask::page("/plain").set("sec-purpose", "prefetch"),
        Ask::page("/plain").set("sec-purpose", "prefetch;prerender"),
    ];
    for ask in others {
        let reply = browser.send(ask.clone()).await;
        assert_eq!(reply.status, 401, "{ask:?}");
        assert!(reply.location().is_none() && !reply.sets(LOGIN), "{ask:?}");
    }
    let reply = browser.send(Ask::fetch("GET", "/plain")).await;
    reply.must_be_problem(401, "no_session");
    recorder.must_be_untouched();
}

#[tokio::test]
async fn a_form_post_without_a_session_is_answered_and_not_redirected() {
    let (site, recorder) = with_recorder().await;
    let reply = site.browser().send(Ask::submit("/app/save", &[("a", "1")])).await;
    reply.must_be(401);
    assert!(reply.is_page() && reply.location().is_none() && !reply.sets(LOGIN));
    recorder.must_be_untouched();
}

#[tokio::test]
async fn what_leads_to_the_provider_is_not_stored_and_sends_no_referrer() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.browser();
    for target in ["/auth/sign-in", "/auth/sign-up", "/plain"] {
        let reply = browser.send(Ask::page(target)).await;
        reply.must_redirect();
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{target}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{target}");
    }
}

#[tokio::test]
async fn an_attempt_is_over_after_ten_minutes() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    site.advance(Duration::from_secs(601));
    let asked = token_requests(&site);
    let reply = browser.send(Ask::page(callback.as_str())).await;
    must_be_refused(&reply, &[400], "after ten minutes");
    assert_eq!(token_requests(&site), asked);
    // In time it works; the provider's own code lives five minutes.
    let callback = browser.callback_address("/auth/sign-in", ALICE).await;
    site.advance(Duration::from_secs(299));
    browser.send(Ask::page(callback.as_str())).await.must_be(303);
}

#[tokio::test]
async fn creating_an_account_asks_the_provider_for_it() {
    let site = Site::start().await;
    let location = begin(&site.browser(), "/auth/sign-up").await;
    assert_eq!(parameter(&location, "prompt"), "create");
    // A provider that does not offer it is asked for a plain sign-in, which has a link to sign up.
    let old = Plan::new().fault(MetadataFault::NoPrompts).start().await;
    let location = begin(&old.browser(), "/auth/sign-up").await;
    assert_eq!(location.path(), "/authorize");
    assert_eq!(old.requests(Endpoint::Token), 0);
}

#[tokio::test]
async fn frames_prefetches_and_scripts_cannot_begin_a_sign_in_by_its_address() {
    let site = Site::start().await;
    let browser = site.browser();
    for path in ["/auth/sign-in", "/auth/sign-up"] {
        let refused = [
            Ask::page(path).set("sec-fetch-dest", "iframe"),
            Ask::page(path).set("sec-fetch-mode", "no-cors").set("sec-fetch-dest", "image"),
            Ask::page(path).set("sec-purpose", "prefetch"),
            Ask::fetch("GET", path),
        ];
        for ask in refused {
            let reply = browser.send(ask.clone()).await;
            assert_eq!(reply.status, 401, "{ask:?}");
            assert!(reply.location().is_none() && !reply.sets(LOGIN), "{ask:?}");
        }
        assert!(browser.send(Ask::page(path)).await.sets(LOGIN));
        browser.send(Ask::bare("POST", path)).await.must_be(405);
    }
}

#[tokio::test]
async fn a_silent_sign_in_that_finds_nobody_goes_back_in_one_round() {
    let site = Site::start().await;
    let browser = site.browser();
    let silent = "/auth/sign-in?prompt=none&return_to=/";
    let back = browser.open(silent).await;
    back.must_show("/");
    let provider = site.addresses().provider.clone();
    let rounds = back.trail.iter().filter(|url| url.as_str().starts_with(&provider)).count();
    assert_eq!(rounds, 1, "{:?}", back.trail);
    assert_eq!(browser.session().await["signed_in"], false);
    assert!(browser.cookies_like(LOGIN).is_empty(), "no attempt is left behind");
    assert_eq!(site.requests(Endpoint::Token), 0);
    // The same when the provider knows who it is.
    browser.sign_in(ALICE).await;
    browser.drop_cookie(SESSION);
    browser.open(silent).await.must_show("/");
    assert_eq!(browser.session().await["signed_in"], true);
    // A session that is there stays, also when the provider knows nobody any more.
    let other = site.browser();
    other.set_cookie(SESSION, &browser.cookie(SESSION).expect("a session"));
    other.open(silent).await.must_show("/");
    assert_eq!(other.session().await["signed_in"], true);
}

#[tokio::test]
async fn the_gateways_keys_are_for_everybody_and_may_be_kept_for_five_minutes() {
    let site = Site::start().await;
    let reply = site.browser().send(Ask::bare("GET", "/auth/jwks")).await;
    reply.must_be(200);
    assert_eq!(reply.json(), serde_json::json!({ "keys": [] }), "a gateway with a secret signs nothing");
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(reply.header("content-type"), Some("application/jwk-set+json"));
    assert!(reply.set_cookies().is_empty());
    site.browser().send(Ask::bare("POST", "/auth/jwks")).await.must_be(405);
}
