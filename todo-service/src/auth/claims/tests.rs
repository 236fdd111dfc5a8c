//! The claim rules at their edges, where the time must stand still. The same rules are shown from outside, over HTTP,
//! in `tests/api.rs`.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;
const TENANT: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";

fn issuer() -> Issuer {
    Issuer { tenants: vec![TENANT.to_owned()], ..Issuer::new("https://id.example", vec!["api".to_owned()]) }
}

/// Checks a good token in which the given claims are replaced (or, with "REMOVED", taken out).
fn checked(changes: Value) -> Result<AccessClaims, TokenFault> {
    let mut claims = json!({
        "iss": "https://id.example", "aud": "api", "sub": "s", "tid": TENANT, "exp": NOW + 600,
        "iat": NOW, "nbf": NOW, "scp": "ToDoList.Read",
    });
    let members = claims.as_object_mut().expect("an object");
    let Value::Object(changes) = changes else { unreachable!("changes are an object") };
    for (name, value) in changes {
        if value == json!("REMOVED") {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    check(&Verified::assumed(members.clone()), &issuer(), NOW)
}

fn fault(changes: Value) -> Option<TokenFault> {
    checked(changes).err()
}

#[test]
fn an_ordinary_token_is_accepted() {
    assert_eq!(fault(json!({})), None);
}

#[test]
fn a_token_lives_until_the_leeway_after_its_expiry_ends() {
    assert_eq!(fault(json!({ "exp": NOW - 59 })), None);
    assert_eq!(fault(json!({ "exp": NOW - 60 })), Some(TokenFault::Expired));
    assert_eq!(fault(json!({ "exp": NOW - 61 })), Some(TokenFault::Expired));
    assert_eq!(fault(json!({ "exp": 0 })), Some(TokenFault::Expired));
}

#[test]
fn a_token_starts_at_nbf_and_iat_less_the_leeway() {
    for claim in ["nbf", "iat"] {
        assert_eq!(fault(json!({ claim: NOW + 60 })), None, "{claim}");
        assert_eq!(fault(json!({ claim: NOW + 61 })), Some(TokenFault::NotYet), "{claim}");
        assert_eq!(fault(json!({ claim: "REMOVED" })), None, "{claim}");
    }
}

#[test]
fn hostile_times_are_refused() {
    assert_eq!(fault(json!({ "exp": "REMOVED" })), Some(TokenFault::Time));
    let hostile = [
        json!("1900000000"),
        json!(null),
        json!(-1),
        json!(9_223_372_036_854_775_808_u64),
        json!(1e300),
        json!([NOW]),
        json!({}),
        json!(true),
    ];
    for value in hostile {
        for claim in ["exp", "nbf", "iat"] {
            assert_eq!(fault(json!({ claim: value })), Some(TokenFault::Time), "{claim} {value}");
        }
    }
    assert_eq!(fault(json!({ "exp": 1_800_000_000.5 })), None, "a fraction is a NumericDate too");
}

#[test]
fn the_audience_must_be_this_api_to_the_letter() {
    for good in [json!("api"), json!(["api"]), json!(["other", "api"])] {
        assert_eq!(fault(json!({ "aud": good })), None, "{good}");
    }
    let bad = [
        json!("REMOVED"),
        json!(null),
        json!(1),
        json!({}),
        json!([]),
        json!("ap"),
        json!("api2"),
        json!("API"),
        json!(["other"]),
        json!(["api", 1]),
        json!([["api"]]),
        json!(""),
    ];
    for bad in bad {
        assert_eq!(fault(json!({ "aud": bad })), Some(TokenFault::Audience), "{bad}");
    }
}

#[test]
fn the_subject_is_a_text_of_1_to_255_characters() {
    assert_eq!(fault(json!({ "sub": "x".repeat(255) })), None);
    for bad in [
        json!("REMOVED"),
        json!(""),
        json!(7),
        json!(null),
        json!("x".repeat(256)),
        json!("x".repeat(10_240)),
    ] {
        assert_eq!(fault(json!({ "sub": bad })), Some(TokenFault::Subject));
    }
}

#[test]
fn only_idtyp_app_makes_an_app() {
    let app = checked(json!({ "idtyp": "app", "scp": "REMOVED", "roles": ["r"] })).expect("an app's token");
    assert_eq!(app.principal, Principal::App { roles: vec!["r".to_owned()] });
    for user in [json!("user"), json!("REMOVED")] {
        let claims =
            checked(json!({ "idtyp": user, "scp": "REMOVED", "roles": ["r"] })).expect("a user's token");
        assert!(matches!(claims.principal, Principal::User { .. }), "{user}");
    }
    for bad in
        [json!("App"), json!("APP"), json!(["app"]), json!(true), json!(null), json!("device"), json!("")]
    {
        assert_eq!(fault(json!({ "idtyp": bad, "scp": "REMOVED" })), Some(TokenFault::Principal), "{bad}");
    }
    assert_eq!(fault(json!({ "idtyp": "app", "roles": ["r"] })), Some(TokenFault::Principal), "app with scp");
}

#[test]
fn permissions_of_the_wrong_type_are_refused() {
    for bad in [json!(["ToDoList.Read"]), json!(1), json!(null), json!({})] {
        assert_eq!(fault(json!({ "scp": bad })), Some(TokenFault::Permissions), "{bad}");
    }
    for bad in [json!("ToDoList.Read.All"), json!([1]), json!({}), json!(null)] {
        assert_eq!(fault(json!({ "roles": bad })), Some(TokenFault::Permissions), "{bad}");
    }
}

#[test]
fn the_client_claims_may_not_disagree() {
    assert_eq!(
        checked(json!({ "azp": "web", "appid": "web" })).expect("agrees").client.as_deref(),
        Some("web")
    );
    assert_eq!(fault(json!({ "azp": "web", "appid": "other" })), Some(TokenFault::Client));
    assert_eq!(fault(json!({ "azp": ["web"] })), Some(TokenFault::Client));
}

#[test]
fn marks_of_other_kinds_of_token_are_refused() {
    for mark in FOREIGN_CLAIMS {
        assert_eq!(fault(json!({ mark: "x" })), Some(TokenFault::Kind), "{mark}");
    }
}

proptest! {
    #[test]
    fn scopes_are_split_on_single_spaces_only(scopes in "[a-zA-Z.\t\u{a0} ]{0,30}") {
        let claims = checked(json!({ "scp": scopes })).expect("accepted");
        let Principal::User { scopes: split } = claims.principal else { panic!("a user") };
        prop_assert_eq!(split.join(" "), scopes);
        prop_assert!(split.iter().all(|scope| !scope.contains(' ')));
    }

    #[test]
    fn any_number_in_exp_is_compared_or_refused(exp in any::<f64>().prop_filter("JSON has no others", |n| n.is_finite())) {
        #[expect(clippy::cast_precision_loss, reason = "NOW is small")]
        let alive = exp > NOW as f64 - LEEWAY && exp <= LATEST_TIME;
        prop_assert_eq!(fault(json!({ "exp": exp })).is_none(), alive);
    }
}
