//! Tokens of every kind, from the development provider to a recording upstream: whose they are, and for which service
//! (TK-14, TK-15).

use std::fmt::Write as _;

use harness::{Ask, Plan, Recorder, Site};
use serde_json::Value;

use crate::support::*;

const REPORTS_API: &str = "6c0f6f0e-3f0a-4a55-9d6c-2b7f1e8a4c91";

const TOKENS: &str = r#"
[tokens.own]
kind   = "client"
scopes = ["api://reports/.default"]

[tokens.either]
kind     = "user-or-client"
resource = "api://reports"

[tokens.web]
scopes = ["api://todo-web/access_as_user"]

[tokens.on-behalf]
kind   = "on-behalf-of"
from   = "web"
scopes = ["api://reports/Reports.Read"]

[tokens.exchanged]
kind     = "exchange"
from     = "web"
resource = "api://reports"
"#;

async fn site() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let mut toml = recorder_routes(&recorder) + TOKENS;
    for (token, allow) in [
        ("own", "anyone"),
        ("either", "anyone"),
        ("web", "signed-in"),
        ("on-behalf", "signed-in"),
        ("exchanged", "signed-in"),
    ] {
        let _ = writeln!(
            toml,
            "\n[[routes]]\npath = \"/{token}\"\nupstream = \"recorder\"\nallow = \"{allow}\"\ntoken = \"{token}\"\ncsrf = \"origin\""
        );
    }
    (Plan::new().append(toml).start().await, recorder)
}

/// The claims of the token that came with the last request.
fn token(recorder: &Recorder) -> Value {
    bearer(&recorder.last())
}

/// What the app may do on its own, and no person's permissions.
fn is_the_gateways(token: &Value) -> bool {
    let roles = serde_json::json!(["Reports.Read.All"]);
    token["aud"] == REPORTS_API && token["roles"] == roles && token.get("scp").is_none()
}

#[tokio::test]
async fn the_gateways_own_token_is_an_apps_and_nobodys_whoever_asks() {
    let (site, recorder) = site().await;
    let (stranger, alice) = (site.browser(), site.signed_in(ALICE).await);
    for browser in [&stranger, &alice] {
        browser.fetch("GET", "/own").await.must_be(200);
        let token = token(&recorder);
        assert!(is_the_gateways(&token) && token.get("name").is_none(), "{token}");
    }
}

#[tokio::test]
async fn whoever_is_signed_in_has_their_own_token_where_strangers_have_the_gateways() {
    let (site, recorder) = site().await;
    site.browser().fetch("GET", "/either").await.must_be(200);
    assert!(is_the_gateways(&token(&recorder)));
    for email in [ALICE, BOB] {
        let browser = site.signed_in(email).await;
        browser.fetch("GET", "/either").await.must_be(200);
        let token = token(&recorder);
        assert!(!is_the_gateways(&token) && token["aud"] == REPORTS_API, "{token}");
        assert_eq!(token["oid"], browser.session().await["claims"]["oid"], "{email}");
    }
    site.browser().fetch("GET", "/either").await.must_be(200);
    assert!(is_the_gateways(&token(&recorder)), "nobody's token is left behind");
}

#[tokio::test]
async fn a_token_in_exchange_for_another_is_the_same_persons_and_for_the_service_behind() {
    let (site, recorder) = site().await;
    for path in ["/on-behalf", "/exchanged"] {
        recorder.forget();
        site.browser().fetch("GET", path).await.must_be(401);
        recorder.must_be_untouched();
        for email in [ALICE, BOB] {
            let browser = site.signed_in(email).await;
            browser.fetch("GET", path).await.must_be(200);
            let token = token(&recorder);
            assert_eq!(
                (&token["aud"], &token["scp"]),
                (&REPORTS_API.into(), &"Reports.Read".into()),
                "{path}"
            );
            assert_eq!(token["azp"], "todo-web", "{path}");
            assert_eq!(token["oid"], browser.session().await["claims"]["oid"], "{path} {email}");
            let count = site.requests(dev_idp::Endpoint::Token);
            browser.fetch("GET", path).await.must_be(200);
            assert_eq!(site.requests(dev_idp::Endpoint::Token), count, "it is held like any other");
        }
    }
    // The token that was given for it goes to its own service and no further.
    let browser = site.signed_in(ALICE).await;
    browser.send(Ask::fetch("GET", "/web")).await.must_be(200);
    assert_eq!(token(&recorder)["scp"], "access_as_user");
}
