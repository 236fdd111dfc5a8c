//! ID tokens that hold and ID tokens that do not: each differs from the sound one in one thing.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oidc::keys::Key;
use crate::oidc::testing::Signer;

const NOW: i64 = 1_000_000;

struct Bench {
    signer: Signer,
    algorithm: Algorithm,
    tenants: Vec<String>,
}

impl Bench {
    fn new(algorithm: Algorithm) -> Self {
        Self { signer: Signer::new(algorithm, Some("k")), algorithm, tenants: Vec::new() }
    }

    fn verify(&self, text: &str, nonce: ExpectedNonce<'_>) -> Result<Map<String, Value>, IdTokenError> {
        let text = Secret::new(text.to_owned());
        let token = Unverified::parse(&text, &[self.algorithm])?;
        let key = Key::read(&self.signer.jwk()).expect("a sound key");
        let expected = Expected {
            issuer: "https://login.example",
            client_id: "todo-web",
            tenants: &self.tenants,
            nonce,
            access_token: "at",
            code: Some("code"),
            now: Timestamp(NOW),
        };
        token.verify(&key, &expected)
    }

    fn judge_text(&self, text: &str) -> Result<Map<String, Value>, IdTokenError> {
        self.verify(text, ExpectedNonce::Exactly(&Secret::new("n-1".to_owned())))
    }

    fn judge(&self, claims: &Value) -> Result<Map<String, Value>, IdTokenError> {
        self.judge_text(&self.signer.token(claims))
    }

    /// The claim that a token is refused for which differs from the sound one in one claim; nothing if it is taken.
    fn with(&self, name: &str, value: Value) -> Option<ClaimError> {
        let mut claims = sound();
        claims[name] = value;
        refused(self.judge(&claims))
    }

    fn without(&self, name: &str) -> Option<ClaimError> {
        let mut claims = sound();
        claims.as_object_mut().expect("an object").remove(name);
        refused(self.judge(&claims))
    }
}

fn refused(result: Result<Map<String, Value>, IdTokenError>) -> Option<ClaimError> {
    match result {
        Ok(_) => None,
        Err(IdTokenError::Claims(error)) => Some(error),
        Err(other) => panic!("refused for another reason: {other:?}"),
    }
}

fn sound() -> Value {
    json!({
        "iss": "https://login.example", "aud": "todo-web", "sub": "s", "iat": NOW, "exp": NOW + 3_600, "nonce": "n-1",
        "name": "Alice Adams", "email": "alice@example.com", "email_verified": true,
    })
}

#[test]
fn tokens_of_every_accepted_algorithm_verify() {
    for algorithm in Algorithm::ALL {
        let bench = Bench::new(algorithm);
        let claims = bench.judge(&sound()).expect("sound");
        assert_eq!(claims["name"], "Alice Adams", "{algorithm:?}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,80}", header in "\\PC{0,40}", payload in "\\PC{0,40}") {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for text in [text, format!("{}.{}.AAAA", encode(&header), encode(&payload))] {
            prop_assert!(Unverified::parse(&Secret::new(text), &Algorithm::ALL).is_err());
        }
    }
}

#[test]
fn a_changed_character_is_noticed_wherever_it_stands() {
    let bench = Bench::new(Algorithm::ES256);
    let token = bench.signer.token(&sound());
    assert!(bench.judge_text(&token).is_ok());
    for position in (0..token.len()).step_by(5).chain([token.len() - 2]) {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).expect("ASCII");
        assert!(bench.judge_text(&changed).is_err(), "position {position}");
    }
}

#[test]
fn another_key_of_the_same_name_does_not_verify() {
    let (bench, other) = (Bench::new(Algorithm::RS256), Bench::new(Algorithm::RS256));
    let result = bench.judge_text(&other.signer.token(&sound()));
    assert!(matches!(result, Err(IdTokenError::Verification("signature"))), "{result:?}");
}

#[test]
fn unsigned_and_symmetric_tokens_are_refused() {
    let bench = Bench::new(Algorithm::RS256);
    let token = bench.signer.token(&sound());
    let (input, _) = token.rsplit_once('.').expect("three parts");
    assert!(matches!(bench.judge_text(&format!("{input}.")), Err(IdTokenError::Form)));
    assert!(matches!(bench.judge_text(input), Err(IdTokenError::Form)));
    for algorithm in ["none", "HS256", "HS384"] {
        let forged =
            bench.signer.sign(&json!({"alg": algorithm, "kid": "k"}).to_string(), &sound().to_string());
        assert!(
            matches!(bench.judge_text(&forged), Err(IdTokenError::Header(HeaderError::Algorithm))),
            "{algorithm}"
        );
    }
}

#[test]
fn what_is_no_compact_signed_token_is_refused() {
    let bench = Bench::new(Algorithm::RS256);
    let token = bench.signer.token(&sound());
    for bad in [
        "",
        "a",
        "a.b",
        "...",
        &format!("{token}.x"),
        &format!("{token}.x.y"),
        &format!("{token}="),
        &format!(" {token}"),
        &format!("{token}\n"),
        r#"{"payload":"x","signatures":[]}"#,
    ] {
        assert!(bench.judge_text(bad).is_err(), "{bad:?}");
    }
    assert!(bench.judge_text(&token).is_ok());
}

#[test]
fn doubled_members_are_refused_also_when_signed() {
    let bench = Bench::new(Algorithm::RS256);
    let header = bench.signer.header().to_string();
    let claims = sound().to_string();
    let twice = claims.replace("\"sub\":", "\"sub\":\"other\",\"sub\":");
    assert!(matches!(
        bench.judge_text(&bench.signer.sign(&header, &twice)),
        Err(IdTokenError::ClaimsJson(_))
    ));
    let twice = header.replace("\"alg\":", "\"alg\":\"none\",\"alg\":");
    assert!(matches!(
        bench.judge_text(&bench.signer.sign(&twice, &claims)),
        Err(IdTokenError::HeaderJson(_))
    ));
    assert!(bench.judge_text(&bench.signer.sign(&header, &claims)).is_ok());
}

#[test]
fn the_issuer_is_compared_byte_for_byte() {
    let bench = Bench::new(Algorithm::ES256);
    for bad in [
        "https://login.example/",
        "https://LOGIN.example",
        "http://login.example",
        "https://login.example:443",
        "https://login.exampl",
        "",
    ] {
        assert_eq!(bench.with("iss", json!(bad)), Some(ClaimError::Issuer), "{bad}");
    }
    assert_eq!(
        bench.with("iss", json!(["https://login.example"])),
        Some(ClaimError::Json(JsonError::WrongType("iss")))
    );
    assert_eq!(bench.without("iss"), Some(ClaimError::Json(JsonError::Missing("iss"))));
}

#[test]
fn the_audience_is_this_client_alone() {
    let bench = Bench::new(Algorithm::ES256);
    assert_eq!(bench.with("aud", json!(["todo-web"])), None);
    for bad in [
        json!("other"),
        json!("todo-webx"),
        json!("TODO-WEB"),
        json!([]),
        json!(["todo-web", "other"]),
        json!(["other"]),
    ] {
        assert_eq!(bench.with("aud", bad.clone()), Some(ClaimError::Audience), "{bad}");
    }
    assert_eq!(bench.with("aud", json!([1])), Some(ClaimError::Json(JsonError::WrongType("aud"))));
    assert_eq!(bench.with("aud", json!(null)), Some(ClaimError::Json(JsonError::WrongType("aud"))));
    assert_eq!(bench.without("aud"), Some(ClaimError::Json(JsonError::Missing("aud"))));
}

#[test]
fn the_authorized_party_is_this_client() {
    let bench = Bench::new(Algorithm::ES256);
    assert_eq!(bench.with("azp", json!("todo-web")), None);
    assert_eq!(bench.with("azp", json!("other")), Some(ClaimError::AuthorizedParty));
    assert_eq!(bench.with("azp", json!(["todo-web"])), Some(ClaimError::Json(JsonError::WrongType("azp"))));
    let mut several = sound();
    several["aud"] = json!(["todo-web", "todo-web"]);
    assert_eq!(
        refused(bench.judge(&several)),
        Some(ClaimError::AuthorizedParty),
        "several audiences need it"
    );
    several["azp"] = json!("todo-web");
    assert_eq!(refused(bench.judge(&several)), None);
}

#[test]
fn times_are_judged_with_a_minute_of_leeway() {
    let bench = Bench::new(Algorithm::ES256);
    assert_eq!(bench.with("exp", json!(NOW - 59)), None);
    assert_eq!(bench.with("exp", json!(NOW - 60)), Some(ClaimError::Expired));
    assert_eq!(bench.with("iat", json!(NOW + 60)), None);
    assert_eq!(bench.with("iat", json!(NOW + 61)), Some(ClaimError::IssuedInFuture));
    assert_eq!(bench.with("iat", json!(NOW - 600)), None);
    assert_eq!(bench.with("iat", json!(NOW - 601)), Some(ClaimError::IssuedLongAgo));
    assert_eq!(bench.with("nbf", json!(NOW + 60)), None);
    assert_eq!(bench.with("nbf", json!(NOW + 61)), Some(ClaimError::NotYetValid));
    assert_eq!(bench.without("exp"), Some(ClaimError::Json(JsonError::Missing("exp"))));
    assert_eq!(bench.without("iat"), Some(ClaimError::Json(JsonError::Missing("iat"))));
}

#[test]
fn hostile_moments_are_refused() {
    let bench = Bench::new(Algorithm::ES256);
    for name in ["exp", "iat", "nbf"] {
        for bad in [
            json!("1000000"),
            json!(null),
            json!(-1),
            json!(u64::MAX),
            json!(1e300),
            json!(-1e300),
            json!(true),
            json!([NOW]),
            json!(i64::MAX),
        ] {
            assert_eq!(bench.with(name, bad.clone()), Some(ClaimError::NotAMoment(name)), "{name} {bad}");
        }
    }
    assert_eq!(bench.with("exp", json!(1_000_100.5)), None, "a number with a fraction is a number");
}

#[test]
fn the_nonce_is_the_attempts() {
    let bench = Bench::new(Algorithm::ES256);
    for bad in ["n-2", "n-", "n-1x", "N-1", ""] {
        assert_eq!(bench.with("nonce", json!(bad)), Some(ClaimError::Nonce), "{bad}");
    }
    assert_eq!(bench.without("nonce"), Some(ClaimError::Nonce));
    assert_eq!(bench.with("nonce", json!(["n-1"])), Some(ClaimError::Json(JsonError::WrongType("nonce"))));
}

#[test]
fn a_refreshed_token_may_lack_the_nonce_but_not_change_it() {
    let bench = Bench::new(Algorithm::ES256);
    let original = Secret::new(bench.signer.token(&sound()));
    let mut claims = sound();
    let expected = || ExpectedNonce::AbsentOr(nonce_of(&original));
    assert!(bench.verify(&bench.signer.token(&claims), expected()).is_ok());
    claims["nonce"] = json!("n-2");
    assert!(matches!(
        bench.verify(&bench.signer.token(&claims), expected()),
        Err(IdTokenError::Claims(ClaimError::Nonce))
    ));
    claims.as_object_mut().expect("an object").remove("nonce");
    assert!(bench.verify(&bench.signer.token(&claims), expected()).is_ok());
}

#[test]
fn the_subject_is_between_1_and_255_characters() {
    let bench = Bench::new(Algorithm::ES256);
    assert_eq!(bench.with("sub", json!("a".repeat(255))), None);
    assert_eq!(bench.with("sub", json!("a".repeat(256))), Some(ClaimError::Subject));
    assert_eq!(bench.with("sub", json!("")), Some(ClaimError::Subject));
    assert_eq!(bench.with("sub", json!(7)), Some(ClaimError::Json(JsonError::WrongType("sub"))));
    assert_eq!(bench.without("sub"), Some(ClaimError::Json(JsonError::Missing("sub"))));
}

#[test]
fn hashes_of_what_came_along_are_checked_by_each_algorithms_hash() {
    use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
    for (algorithm, function) in
        [(Algorithm::RS256, &SHA256), (Algorithm::ES384, &SHA384), (Algorithm::EdDSA, &SHA512)]
    {
        let bench = Bench::new(algorithm);
        let half = |text: &str| {
            let hash = digest(function, text.as_bytes());
            json!(URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2]))
        };
        assert_eq!(bench.with("at_hash", half("at")), None, "{algorithm:?}");
        assert_eq!(bench.with("at_hash", half("other")), Some(ClaimError::Hash("at_hash")));
        assert_eq!(bench.with("c_hash", half("code")), None);
        assert_eq!(bench.with("c_hash", half("other")), Some(ClaimError::Hash("c_hash")));
        assert_eq!(bench.with("at_hash", json!("")), Some(ClaimError::Hash("at_hash")));
        assert_eq!(bench.with("at_hash", json!(1)), Some(ClaimError::Json(JsonError::WrongType("at_hash"))));
    }
}

#[test]
fn a_logout_token_is_no_id_token() {
    let bench = Bench::new(Algorithm::ES256);
    for events in [json!({"http://schemas.openid.net/event/backchannel-logout": {}}), json!(null)] {
        assert_eq!(bench.with("events", events), Some(ClaimError::Events));
    }
}

#[test]
fn tenants_restrict_who_may_sign_in() {
    let mut bench = Bench::new(Algorithm::ES256);
    bench.tenants = vec!["t-1".to_owned()];
    assert_eq!(bench.with("tid", json!("t-1")), None);
    assert_eq!(bench.with("tid", json!("t-2")), Some(ClaimError::Tenant));
    assert_eq!(bench.with("tid", json!(["t-1"])), Some(ClaimError::Json(JsonError::WrongType("tid"))));
    assert_eq!(bench.without("tid"), Some(ClaimError::Json(JsonError::Missing("tid"))));
}

#[test]
fn a_tenants_place_in_the_issuer_is_filled_by_the_tokens_own_tenant() {
    let tenants = ["t-1".to_owned(), "t-2".to_owned()];
    let nonce = Secret::new("n-1".to_owned());
    let expected = Expected {
        issuer: "https://login.example/{tenantid}/v2.0",
        client_id: "todo-web",
        tenants: &tenants,
        nonce: ExpectedNonce::Exactly(&nonce),
        access_token: "at",
        code: None,
        now: Timestamp(NOW),
    };
    let check = |tenant: &str, issuer: &str| {
        let mut claims = sound();
        claims["tid"] = json!(tenant);
        claims["iss"] = json!(issuer);
        expected.check(claims.as_object().expect("an object"), Algorithm::RS256)
    };
    assert_eq!(
        check("t-1", "https://login.example/t-1/v2.0").as_deref(),
        Ok("https://login.example/t-1/v2.0")
    );
    assert_eq!(check("t-1", "https://login.example/t-2/v2.0"), Err(ClaimError::Issuer));
    assert_eq!(check("t-3", "https://login.example/t-3/v2.0"), Err(ClaimError::Tenant));
    assert_eq!(check("t-1", "https://login.example/{tenantid}/v2.0"), Err(ClaimError::Issuer));
}

#[test]
fn keys_that_a_token_brings_along_are_not_used() {
    let (bench, attacker) = (Bench::new(Algorithm::RS256), Bench::new(Algorithm::RS256));
    let mut header = attacker.signer.header();
    header["jwk"] = attacker.signer.jwk();
    header["jku"] = json!("http://127.0.0.1:9/keys");
    let forged = attacker.signer.sign(&header.to_string(), &sound().to_string());
    assert!(matches!(bench.judge_text(&forged), Err(IdTokenError::Verification("signature"))));
    let mut header = bench.signer.header();
    header["jku"] = json!("http://127.0.0.1:9/keys");
    assert!(bench.judge_text(&bench.signer.sign(&header.to_string(), &sound().to_string())).is_ok());
}
