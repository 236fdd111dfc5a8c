//! Signing with whatever algorithm the app is registered for, and changing that and the keys while it runs.

use dev_idp::faults::UserinfoFault;
use dev_idp::{Algorithm, Endpoint, Face, LogoutMint, Mint};
use http::header;
use jsonwebtoken::Algorithm as Verified;

use crate::app::{App, text};

const API: &str = "11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f";
const PAIRS: [(Algorithm, Verified); 5] = [
    (Algorithm::Rs256, Verified::RS256),
    (Algorithm::Ps256, Verified::PS256),
    (Algorithm::Es256, Verified::ES256),
    (Algorithm::Es384, Verified::ES384),
    (Algorithm::EdDsa, Verified::EdDSA),
];

fn register(app: &App, algorithm: Algorithm) {
    app.idp.edit_tenant(|tenant| {
        let web = tenant.client_mut("todo-web").expect("registered");
        web.registration.id_token_alg = algorithm;
        web.registration.userinfo_alg = Some(algorithm);
    });
}

#[tokio::test]
async fn tokens_and_userinfo_are_signed_as_registered_and_keys_rotate() {
    let app = App::start().await;
    for (algorithm, verified) in PAIRS {
        register(&app, algorithm);
        for _ in 0..2 {
            let tokens = app.tokens(&[("scope", "openid profile")]).await;
            let claims = app.verify_as(text(&tokens, "id_token"), "todo-web", verified, "JWT").await;
            assert!(claims.contains_key("at_hash") && claims["nonce"] == "the-nonce");
            let page = app.userinfo(text(&tokens, "access_token")).await;
            assert_eq!(page.header(header::CONTENT_TYPE), "application/jwt");
            app.idp.faults().clear();
            let order = LogoutMint::person("alice@example.com").with_sid("s");
            let token = app.idp.logout_token(&order).expect("alice exists");
            app.verify_as(&token, "todo-web", verified, "logout+jwt").await;
            let minted = app.idp.mint_id_token(Mint::user("alice@example.com")).expect("alice exists");
            app.verify_as(&minted, "todo-web", verified, "JWT").await;
            let before = app.idp.kid_of(algorithm);
            app.idp.rotate_keys();
            app.idp.retire_old_keys();
            assert_ne!(app.idp.kid_of(algorithm), before);
        }
    }
}

#[tokio::test]
async fn access_tokens_and_the_entra_face_stay_with_rs256() {
    let mut app = App::start().await;
    register(&app, Algorithm::Es384);
    let tokens = app.tokens(&[]).await;
    app.verify(text(&tokens, "access_token"), API).await;
    app.face = Face::Entra;
    let tokens = app.tokens(&[]).await;
    app.verify(text(&tokens, "id_token"), "todo-web").await;
}

#[tokio::test]
async fn signed_userinfo_names_issuer_and_app_and_is_wrong_as_asked() {
    let app = App::start().await;
    register(&app, Algorithm::Ps256);
    let token = text(&app.tokens(&[("scope", "openid profile")]).await, "access_token").to_owned();
    let right = app.userinfo(&token).await.body;
    let claims = app.verify_userinfo(&right, Verified::PS256).await;
    assert_eq!(claims["name"], "Alice Adams");
    for fault in UserinfoFault::ALL.iter().filter(|fault| **fault != UserinfoFault::Signed) {
        app.idp.faults().set(*fault);
        let wrong = app.userinfo(&token).await.body;
        // PSS signatures differ each time; what is signed does not.
        let head = |body: &str| body.rsplit_once('.').map(|(head, _)| head.to_owned()).unwrap_or_default();
        let signature_only = [UserinfoFault::SignedBadSignature, UserinfoFault::SignedWrongKey];
        assert!(head(&wrong) != head(&right) || signature_only.contains(fault), "{}", fault.name());
        app.idp.faults().clear();
    }
}

#[tokio::test]
async fn metadata_say_what_there_is() {
    let mut app = App::start().await;
    let plain = app.get(Endpoint::Metadata, &[]).await.json();
    for name in ["id_token", "userinfo", "token_endpoint_auth", "revocation_endpoint_auth"] {
        let list = &plain[format!("{name}_signing_alg_values_supported")];
        assert_eq!(*list, serde_json::json!(["RS256", "PS256", "ES256", "ES384", "EdDSA"]), "{name}");
    }
    for name in [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
        "claims_parameter_supported",
    ] {
        assert_eq!(plain[name], true, "{name}");
    }
    let endpoint = app.url(Endpoint::Par);
    assert_eq!(plain["pushed_authorization_request_endpoint"], endpoint.as_str());
    assert_eq!(plain["require_pushed_authorization_requests"], false);
    assert_eq!(plain["acr_values_supported"], serde_json::json!(["1", "2"]));
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    assert_eq!(plain["token_endpoint_auth_methods_supported"], serde_json::json!(methods));
    app.face = Face::Entra;
    let entra = app.get(Endpoint::Metadata, &[]).await.json();
    assert_eq!(entra["frontchannel_logout_supported"], true);
    for absent in
        ["backchannel_logout_supported", "pushed_authorization_request_endpoint", "acr_values_supported"]
    {
        assert!(entra.get(absent).is_none(), "{absent}");
    }
}
