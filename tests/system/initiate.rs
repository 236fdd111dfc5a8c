//! Sign-ins that another site wishes for (requirement SI-16).

use dev_idp::Endpoint;
use harness::{Ask, Plan, Site};
use url::Url;

use crate::support::*;

fn link(pairs: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/auth/initiate?{query}")
}

/// A page of another site leads there.
fn followed(pairs: &[(&str, &str)]) -> Ask {
    Ask::page(&link(pairs)).set("sec-fetch-site", "cross-site")
}

#[tokio::test]
async fn a_sign_in_that_the_provider_wishes_for_ends_where_it_says() {
    let site = Site::start().await;
    let issuer = site.provider().issuer();
    let whole = site.url("/todos?done=1");
    for (target, path) in
        [(Some("/todos?done=1"), "/todos?done=1"), (Some(&*whole), "/todos?done=1"), (None, "/")]
    {
        let mut pairs = vec![("iss", &*issuer)];
        pairs.extend(target.map(|target| ("target_link_uri", target)));
        let browser = site.browser();
        browser.sign_in_at(&link(&pairs), ALICE).await.must_show(path);
        assert_eq!(browser.session().await["signed_in"], true);
    }
}

#[tokio::test]
async fn a_form_wishes_for_the_same_as_a_link() {
    let site = Site::start().await;
    let issuer = site.provider().issuer();
    let fields = [("iss", &*issuer), ("target_link_uri", "/todos"), ("login_hint", "alice"), ("scopes", "x")];
    let form = Ask::submit("/auth/initiate", &fields)
        .set("origin", &site.addresses().provider)
        .set("sec-fetch-site", "cross-site")
        .without_cookies();
    let browser = site.signed_in(BOB).await;
    let old = browser.copy();
    let reply = browser.send(form).await;
    let location = reply.must_redirect();
    assert_eq!(location, link(&[("iss", &issuer), ("target_link_uri", "/todos"), ("login_hint", "alice")]));
    let to = begin(&browser, location).await;
    assert_eq!(parameter(&to, "login_hint"), "alice");
    // The link brings the session along, which the new one ends.
    let callback = browser.callback_address(location, ALICE).await;
    browser.send(Ask::page(callback.as_str())).await.must_redirect();
    assert_eq!(browser.session().await["signed_in"], true);
    assert_eq!(old.session().await["signed_in"], false);
    let too_much = Ask::submit("/auth/initiate", &[("iss", &*"a".repeat(9_000))]);
    browser.send(too_much).await.must_be(413);
    browser.send(Ask::fetch("POST", "/auth/initiate").json(&serde_json::json!({}))).await.must_be(400);
}

#[tokio::test]
async fn another_provider_or_another_site_is_refused() {
    let site = Site::start().await;
    let issuer = site.provider().issuer();
    let slash = format!("{issuer}/");
    let other_port = "http://localhost:1/todos";
    let browser = site.browser();
    for pairs in [
        &[][..],
        &[("target_link_uri", "/todos")],
        &[("iss", "")],
        &[("iss", &*slash)],
        &[("iss", "https://evil.example")],
        &[("iss", &*issuer), ("iss", &*issuer)],
        &[("iss", &*issuer), ("iss", "https://evil.example")],
        &[("iss", &*issuer), ("target_link_uri", "https://evil.example/")],
        &[("iss", &*issuer), ("target_link_uri", "//evil.example/")],
        &[("iss", &*issuer), ("target_link_uri", "/\\evil.example/")],
        &[("iss", &*issuer), ("target_link_uri", other_port)],
        &[("iss", &*issuer), ("target_link_uri", "javascript:alert(1)")],
        &[("iss", &*issuer), ("target_link_uri", "/auth/sign-out")],
        &[("iss", &*issuer), ("target_link_uri", "/a"), ("target_link_uri", "/a")],
        &[("iss", &*issuer), ("login_hint", "a"), ("login_hint", "b")],
    ] {
        let reply = browser.send(followed(pairs)).await;
        assert!(reply.must_be(400).is_page(), "{pairs:?}");
        assert!(reply.location().is_none() && !reply.text().contains("evil"), "{pairs:?}");
        assert!(reply.set_cookies().is_empty(), "{pairs:?}");
    }
    browser.send(followed(&[("iss", &issuer)])).await.must_redirect();
}

#[tokio::test]
async fn nothing_else_is_honoured() {
    let site = Site::start().await;
    let issuer = site.provider().issuer();
    let plain = begin(&site.browser(), &link(&[("iss", &issuer)])).await;
    let pairs = [
        ("iss", &*issuer),
        ("scope", "admin"),
        ("scopes", "admin"),
        ("token", "todo-write"),
        ("prompt", "none"),
        ("ui_locales", "de"),
        ("domain_hint", "x"),
        ("redirect_uri", "https://evil.example"),
        ("state", "x"),
        ("nonce", "x"),
        ("return_to", "/todos"),
    ];
    let loaded = begin(&site.browser(), &link(&pairs)).await;
    let names = |url: &Url| parameters(url).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&loaded), names(&plain));
    for name in ["scope", "redirect_uri", "client_id"] {
        assert_eq!(parameter(&loaded, name), parameter(&plain, name));
    }
    // A hint is passed on where the configuration passes hints on.
    let hinted = begin(&site.browser(), &link(&[("iss", &issuer), ("login_hint", "alice")])).await;
    assert_eq!(parameter(&hinted, "login_hint"), "alice");
    let silent = Plan::new().set("provider", "pass_parameters", "[]").start().await;
    let target = link(&[("iss", &silent.provider().issuer()), ("login_hint", "alice")]);
    assert!(!names(&begin(&silent.browser(), &target).await).contains(&"login_hint".to_owned()));
}

#[tokio::test]
async fn only_a_page_in_a_tab_begins_it() {
    let site = Site::start().await;
    let issuer = site.provider().issuer();
    let browser = site.browser();
    for ask in [
        followed(&[("iss", &issuer)]).set("sec-fetch-dest", "iframe"),
        followed(&[("iss", &issuer)]).set("sec-fetch-dest", "image").set("sec-fetch-mode", "no-cors"),
        followed(&[("iss", &issuer)]).header("sec-purpose", "prefetch"),
        Ask::fetch("GET", &link(&[("iss", &issuer)])),
    ] {
        let reply = browser.send(ask).await;
        reply.must_be(401);
        assert!(reply.set_cookies().is_empty());
    }
    assert_eq!(site.requests(Endpoint::Authorize), 0);
    browser.send(followed(&[("iss", &issuer)])).await.must_redirect();
}

#[tokio::test]
async fn strict_cookies_come_along_too() {
    let site = Plan::new().set("session", "same_site", "\"strict\"").start().await;
    let issuer = site.provider().issuer();
    // The session's cookie stayed behind: a page of this site leads on, and takes nothing else along.
    let reply = site.browser().send(followed(&[("iss", &issuer), ("target_link_uri", "/todos")])).await;
    assert!(reply.must_be(200).is_page());
    assert!(reply.text().contains("continued=1") && reply.text().contains("/auth/initiate?"));
    let step = format!("{}&continued=1", link(&[("iss", &issuer), ("target_link_uri", "/todos")]));
    site.browser().send(Ask::page(&step).set("sec-fetch-site", "same-origin")).await.must_redirect();
}
