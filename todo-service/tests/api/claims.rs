//! What a well-signed token must say to be believed (RS-04 to RS-06, RS-08, RS-10, RS-20, IT-18).

use serde_json::{Value, json};

use crate::support::{API, OTHER_TENANT, Publish, RsaKey, Service, TENANT, TestIssuer, Token};

/// Every refusal here is the same: 401 and `invalid_token`.
async fn assert_refused(service: &Service, token: &Token, what: &str) {
    let answer = service.list().token(&token.signed()).send().await;
    assert_eq!(answer.status.as_u16(), 401, "{what}: {}", answer.text);
    assert_eq!(answer.challenge(), Some("Bearer error=\"invalid_token\""), "{what}");
}

async fn assert_accepted(service: &Service, token: &Token, what: &str) {
    assert_eq!(service.status_for(&token.signed()).await, 200, "{what}");
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let service = Service::start().await;
    assert_refused(&service, &service.alice().without("aud"), "no audience").await;
    let bad = [
        json!(null),
        json!(42),
        json!({ API: true }),
        json!([]),
        json!(""),
        json!(&API[..35]),
        json!(format!("{API}0")),
        json!(API.to_uppercase()),
        json!("todo-web"),
        json!("API://todo-service"),
        json!("api://todo-service/"),
        json!(["todo-web"]),
        json!([API, null]),
        json!([[API]]),
        json!(format!("{API} todo-web")),
    ];
    for audience in bad {
        assert_refused(&service, &service.alice().claim("aud", audience.clone()), &audience.to_string())
            .await;
    }
}

#[tokio::test]
async fn a_token_for_this_api_is_accepted_under_each_of_its_names() {
    let service = Service::start().await;
    for audience in [json!(API), json!("api://todo-service"), json!([API]), json!(["todo-web", API])] {
        assert_accepted(&service, &service.alice().claim("aud", audience.clone()), &audience.to_string())
            .await;
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let service = Service::start().await;
    let name = service.issuer.name.clone();
    assert_refused(&service, &service.alice().without("iss"), "no issuer").await;
    let bad = [
        json!([name]),
        json!(null),
        json!(1),
        json!({}),
        json!(""),
        json!(format!("{name}/")),
        json!(name.to_uppercase()),
        json!(format!("{name}/{TENANT}/v2.0")),
        json!(name.replace("http:", "https:")),
        json!(&name[..name.len() - 1]),
        json!(format!(" {name}")),
        json!(name.replace("127.0.0.1", "localhost")),
    ];
    for issuer in bad {
        assert_refused(&service, &service.alice().claim("iss", issuer.clone()), &issuer.to_string()).await;
    }
    assert_accepted(&service, &service.alice(), "the issuer itself").await;
}

#[tokio::test]
async fn the_keys_of_one_trusted_issuer_do_not_count_for_another() {
    let other = TestIssuer::start().await;
    other.publish(Publish::Keys(vec![RsaKey::second().jwk("second")]));
    let service = Service::configured(TestIssuer::start().await, |config| {
        let mut second = config.issuers[0].clone();
        second.issuer.clone_from(&other.name);
        second.metadata_url = None;
        config.issuers.push(second);
    })
    .await;
    let of_second = service.alice().claim("iss", other.name.as_str()).parameter("kid", "second");
    assert_eq!(service.status_for(&of_second.signed_by(RsaKey::second())).await, 200);
    let crossed = service.alice().parameter("kid", "second");
    assert_eq!(service.status_for(&crossed.signed_by(RsaKey::second())).await, 401);
    let crossed = service.alice().claim("iss", other.name.as_str());
    assert_eq!(service.status_for(&crossed.signed()).await, 401);
    assert_accepted(&service, &service.alice(), "the first issuer's own").await;
}

#[tokio::test]
async fn expired_and_premature_tokens_are_refused() {
    let service = Service::start().await;
    let now = service.now();
    // The edges to the second are in the unit tests, where the clock stands still.
    assert_refused(&service, &service.alice().claim("exp", now - 61), "expired").await;
    assert_accepted(&service, &service.alice().claim("exp", now - 30), "expired within the leeway").await;
    for claim in ["nbf", "iat"] {
        assert_refused(&service, &service.alice().claim(claim, now + 90), claim).await;
        assert_accepted(&service, &service.alice().claim(claim, now + 30), claim).await;
    }
    assert_refused(&service, &service.alice().without("exp"), "no expiry").await;
}

#[tokio::test]
async fn a_token_stops_working_when_its_time_has_come() {
    let service = Service::start().await;
    let token = service.alice().claim("exp", service.now() + 600);
    assert_accepted(&service, &token, "young").await;
    service.pass(700);
    assert_refused(&service, &token, "old").await;
    assert_accepted(&service, &service.alice(), "a new one").await;
}

#[tokio::test]
async fn hostile_numbers_and_types_are_refused_and_hurt_nobody() {
    let service = Service::start().await;
    let hostile: [Value; 11] = [
        json!("9999999999"),
        json!(null),
        json!(-1),
        json!(9_223_372_036_854_775_808_u64),
        json!(1e300),
        json!(-1e300),
        json!([9_999_999_999_i64]),
        json!({}),
        json!(true),
        json!(""),
        json!(u64::MAX),
    ];
    for value in hostile {
        for claim in ["exp", "nbf", "iat"] {
            assert_refused(
                &service,
                &service.alice().claim(claim, value.clone()),
                &format!("{claim}: {value}"),
            )
            .await;
        }
    }
    for (claim, value) in [
        ("sub", json!(7)),
        ("tid", json!([TENANT])),
        ("scp", json!(["ToDoList.Read"])),
        ("roles", json!("x")),
        ("azp", json!(1)),
    ] {
        assert_refused(&service, &service.alice().claim(claim, value), claim).await;
    }
    let half_second = json!(f64::from(u32::MAX) + 0.5);
    assert_accepted(&service, &service.alice().claim("exp", half_second), "a fraction is compared correctly")
        .await;
    assert_accepted(&service, &service.alice(), "the process is alive").await;
}

#[tokio::test]
async fn tokens_of_other_kinds_are_refused() {
    let service = Service::start().await;
    for typ in ["dpop+jwt", "logout+jwt", "JOSE", "id_token", "secevent+jwt", "application/jwt", ""] {
        assert_refused(&service, &service.alice().parameter("typ", typ), typ).await;
    }
    for typ in [json!(null), json!(["JWT"]), json!(1)] {
        assert_refused(&service, &service.alice().parameter("typ", typ), "typ of another type").await;
    }
    assert_refused(&service, &service.alice().without_parameter("typ"), "no typ").await;
    for typ in ["JWT", "at+jwt", "application/at+jwt"] {
        assert_accepted(&service, &service.alice().parameter("typ", typ), typ).await;
    }
}

#[tokio::test]
async fn an_id_token_is_not_an_access_token() {
    let service = Service::start().await;
    let id_token = service.alice().without("scp").claim("aud", "todo-web").claim("nonce", "n");
    assert_refused(&service, &id_token, "of the web app").await;
    assert_refused(&service, &id_token.claim("aud", API), "of the API's own registration").await;
    for mark in ["nonce", "at_hash", "c_hash", "events"] {
        assert_refused(&service, &service.alice().claim(mark, "x"), mark).await;
    }
    assert_accepted(&service, &service.alice(), "an access token").await;
}

#[tokio::test]
async fn in_strict_mode_only_at_jwt_is_an_access_token() {
    let service = Service::with(|issuer| issuer.strict_typ = true).await;
    assert_refused(&service, &service.alice(), "JWT").await;
    assert_accepted(&service, &service.alice().parameter("typ", "at+jwt"), "at+jwt").await;
    assert_accepted(&service, &service.alice().parameter("typ", "application/at+jwt"), "application/at+jwt")
        .await;
}

#[tokio::test]
async fn tenant_and_version_must_be_the_configured_ones() {
    let service = Service::start().await;
    let foreign = "99999999-9d0e-4b6f-8a21-c5d4e3f2a1b0";
    assert_refused(&service, &service.alice().claim("tid", foreign), "a tenant that is not listed").await;
    assert_refused(&service, &service.alice().without("tid"), "no tenant").await;
    for bad in [
        json!(null),
        json!(""),
        json!("contoso"),
        json!(TENANT.replace('-', "")),
        json!(format!("{{{TENANT}}}")),
    ] {
        assert_refused(&service, &service.alice().claim("tid", bad.clone()), &bad.to_string()).await;
    }
    assert_refused(&service, &service.alice().without("ver"), "no version").await;
    for bad in [json!("1.0"), json!("2"), json!(2.0), json!(null), json!(["2.0"])] {
        assert_refused(&service, &service.alice().claim("ver", bad.clone()), &bad.to_string()).await;
    }
    for good in [TENANT.to_owned(), OTHER_TENANT.to_owned(), TENANT.to_uppercase()] {
        assert_accepted(&service, &service.alice().claim("tid", good.as_str()), &good).await;
    }
}

#[tokio::test]
async fn an_issuer_that_names_its_tenant_cannot_speak_for_another() {
    let issuer = TestIssuer::named(|base_url| format!("{base_url}/{TENANT}/v2.0")).await;
    let service = Service::configured(issuer, |_| {}).await;
    assert_accepted(&service, &service.alice(), "its own tenant").await;
    // The other tenant is on the list, but it is not the one in the issuer's name.
    assert_refused(&service, &service.alice().claim("tid", OTHER_TENANT), "another tenant").await;
}

#[tokio::test]
async fn a_client_that_is_not_on_the_list_is_refused_with_403() {
    let service = Service::with(|issuer| issuer.allowed_clients = vec!["todo-web".to_owned()]).await;
    for token in [
        service.alice().claim("azp", "other"),
        service.alice().without("azp"),
        service.alice().claim("azp", "TODO-WEB"),
    ] {
        let answer = service.list().token(&token.signed()).send().await;
        assert_eq!(answer.problem(403)["type"], "urn:problem:todo-service:client-not-allowed");
    }
    let both = service.alice().claim("appid", "other");
    assert_refused(&service, &both, "azp and appid disagree").await;
    assert_accepted(&service, &service.alice(), "azp").await;
    assert_accepted(&service, &service.alice().without("azp").claim("appid", "todo-web"), "appid").await;
    let anyone = Service::start().await;
    assert_accepted(&anyone, &anyone.alice().claim("azp", "other"), "no list").await;
}
