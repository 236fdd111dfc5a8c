//! The provider as a whole: coming up, staying up, turning bad; against a provider on loopback.

use std::sync::Weak;

use serde_json::json;

use super::*;
use crate::oidc::settings::Settings;
use crate::oidc::testing::{Canned, Fake, settings, want};

const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";
const METADATA: &str = "/.well-known/openid-configuration";

async fn until_ready(provider: &Provider) {
    while provider.readiness().is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_keeper_goes_on_until_the_provider_is_there() {
    let fake = Fake::start().await;
    fake.answer(METADATA, Canned::json(503, &json!({})));
    let provider = fake.provider();
    assert!(provider.readiness().expect_err("nothing was fetched").to_string().contains("not been fetched"));
    provider.start();
    provider.start();
    fake.until_called(METADATA, 1).await;
    fake.answer(METADATA, Canned::json(200, &fake.metadata()));
    until_ready(&provider).await;
    assert_eq!(fake.calls(METADATA).len(), 2, "one keeper, however often it is started");
}

#[tokio::test]
async fn an_unreachable_provider_is_named_with_its_cause() {
    let fake = Fake::start().await;
    let metadata_url = Url::parse("http://127.0.0.1:1/metadata").expect("valid");
    let provider = fake.provider_with(Settings { metadata_url, ..fake.settings() });
    let stop = provider.begin(want(), None).await.expect_err("nobody is there");
    assert_eq!(stop.reason(), Reason::ProviderUnavailable);
    let why = provider.readiness().expect_err("nobody is there").to_string();
    assert!(why.contains("http://127.0.0.1:1/metadata") && why.to_lowercase().contains("refused"), "{why}");
}

#[tokio::test]
async fn readiness_needs_keys_too() {
    let fake = Fake::start().await;
    fake.answer("/keys", Canned::json(200, &json!({"keys": []})));
    let provider = fake.provider();
    assert!(provider.renew().await.is_err());
    assert!(provider.readiness().is_err());
    fake.answer("/keys", Canned::json(200, &json!({"keys": [fake.signer.jwk()]})));
    provider.renew().await.expect("sound now");
    assert_eq!(provider.readiness(), Ok(()));
}

#[tokio::test]
async fn bad_metadata_keeps_the_last_good_and_another_issuer_is_never_taken() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    provider.renew().await.expect("sound");
    let good = provider.known.metadata();
    let mut foreign = fake.metadata();
    foreign["issuer"] = json!("http://evil.example");
    foreign["token_endpoint"] = json!("https://evil.example/token");
    let mut leaking = fake.metadata();
    leaking["token_endpoint"] = json!("http://evil.example/token");
    for bad in [foreign, leaking, json!({}), json!([])] {
        fake.answer(METADATA, Canned::json(200, &bad));
        assert!(provider.renew().await.is_err(), "{bad}");
        assert_eq!(provider.known.metadata(), good);
        assert_eq!(provider.readiness(), Ok(()));
    }
    let mut moved = fake.metadata();
    moved["token_endpoint"] = json!(format!("{}/token2", fake.base));
    fake.answer(METADATA, Canned::json(200, &moved));
    provider.renew().await.expect("sound");
    assert_ne!(provider.known.metadata(), good);
}

#[tokio::test]
async fn a_redirect_of_the_metadata_is_not_followed() {
    let fake = Fake::start().await;
    let headers = vec![("location", format!("{}/elsewhere", fake.base))];
    fake.answer(METADATA, Canned { headers, ..Canned::json(302, &json!({})) });
    fake.answer("/elsewhere", Canned::json(200, &fake.metadata()));
    let provider = fake.provider();
    assert!(provider.begin(want(), None).await.is_err());
    assert!(fake.calls("/elsewhere").is_empty());
}

#[tokio::test]
async fn many_sign_ins_at_once_fetch_the_metadata_once() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let all = (0..20).map(|_| provider.begin(want(), None));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(fake.calls(METADATA).len(), 1);
}

#[tokio::test]
async fn many_sign_ins_at_once_do_not_each_try_an_absent_provider() {
    let fake = Fake::start().await;
    fake.answer(METADATA, Canned::json(500, &json!({})));
    let provider = fake.provider();
    let all = (0..20).map(|_| provider.begin(want(), None));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_err));
    assert_eq!(fake.calls(METADATA).len(), 1);
}

#[tokio::test]
async fn many_tokens_with_a_strange_key_cause_one_fetch() {
    use crate::oidc::settings::Algorithm;
    let fake = Fake::start().await;
    let provider = fake.provider();
    provider.renew().await.expect("sound");
    let url = Url::parse(&format!("{}/keys", fake.base)).expect("valid");
    let find = |id| provider.known.keys.find(&provider.client, &url, Some(id), Algorithm::RS256);
    let all = (0..20).map(|_| find("strange"));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_err));
    assert_eq!(fake.calls("/keys").len(), 2);
    assert!(find("key-1").await.is_ok(), "known keys are found meanwhile");
    fake.answer("/keys", Canned::json(500, &json!({})));
    fake.pass(31);
    for _ in 0..5 {
        assert!(find("strange").await.is_err());
    }
    assert_eq!(fake.calls("/keys").len(), 3, "a failure counts like a success");
    assert!(find("key-1").await.is_ok());
}

#[tokio::test]
async fn the_keeper_ends_with_its_provider() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    provider.start();
    until_ready(&provider).await;
    let weak: Weak<Provider> = Arc::downgrade(&provider);
    let keeper = provider.keeper.get().expect("started").clone();
    drop(provider);
    while weak.upgrade().is_some() || !keeper.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_answer_is_given_up() {
    let fake = Fake::start().await;
    let provider = fake.provider();
    let never = Canned { after: Some(Arc::default()), ..Canned::json(200, &json!({})) };
    fake.answer("/token", never);
    let url = Url::parse(&format!("{}/token", fake.base)).expect("valid");
    let limit = std::time::Duration::from_millis(20);
    let result = provider.client.post(&url, ::http::HeaderMap::new(), String::new(), limit).await;
    assert!(result.is_err_and(|error| error.is_transient() && error.to_string().contains("in time")));
}

#[tokio::test]
async fn settings_by_which_nobody_or_everybody_could_sign_in_make_no_provider() {
    let make = |change: fn(&mut Settings)| {
        let mut settings = settings("http://localhost:3002");
        change(&mut settings);
        Provider::new(settings, Clock::system(), Handle::current())
    };
    assert!(make(|_| ()).is_ok());
    assert!(matches!(make(|settings| settings.issuer = "x".into()), Err(SetupError::Issuer)));
    assert!(matches!(make(|settings| settings.algorithms.clear()), Err(SetupError::NoAlgorithms)));
    assert!(matches!(make(|settings| settings.issuer = TEMPLATE.into()), Err(SetupError::NoTenants)));
    assert!(
        make(|settings| (settings.issuer, settings.tenants) = (TEMPLATE.into(), vec!["t".into()])).is_ok()
    );
    let foreign = |settings: &mut Settings| {
        settings.metadata_url = Url::parse("http://login.example/x").expect("valid");
    };
    assert!(matches!(make(foreign), Err(SetupError::MetadataUrl)));
}
