//! What the provider signs: ID tokens, logout tokens, signed userinfo.
//!
//! An input is a token as it stands; or three lines, `ES256` or `EdDSA`, a header and a payload, which are signed here
//! first: so that what stands behind a signature is reached although nobody can guess one. The keys are new in each
//! process, and whatever is accepted without having been signed here is a forgery.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::oidc::id_token::{Expected, ExpectedNonce, Unverified, nonce_of};
use crate::oidc::keys::{self, Key};
use crate::oidc::logout_token::{self, LogoutToken, Whose, claimed_issuer};
use crate::oidc::settings::{Algorithm, LogoutTokenType, SIGN_IN_CLAIMS, Settings, Userinfo, When};
use crate::oidc::testing::{self, Signer};
use crate::oidc::{json, userinfo};
use crate::secret::Secret;

const ISSUER: &str = "http://localhost:3002";
const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";
const TENANT_ISSUER: &str = "https://login.example/t-1/v2.0";
const CLIENT: &str = "todo-web";
const NONCE: &str = "n-0S6_WzA2Mj";
const NOW: i64 = 1_800_000_000;
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

static SIGNERS: LazyLock<[(&str, Signer); 2]> = LazyLock::new(|| {
    [Algorithm::ES256, Algorithm::EdDSA]
        .map(|algorithm| (algorithm.as_str(), Signer::new(algorithm, Some("k"))))
});
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let published: Vec<Value> = SIGNERS.iter().map(|(_, signer)| signer.jwk()).collect();
    keys::read(json!({ "keys": published }).to_string().as_bytes()).expect("sound keys")
});
static SETTINGS: LazyLock<Settings> =
    LazyLock::new(|| Settings { algorithms: Algorithm::ALL.to_vec(), ..testing::settings(ISSUER) });

/// A token, and who signed it.
struct Shown {
    text: Secret<String>,
    /// The position of the key, and the payload.
    signed: Option<(usize, String)>,
}

impl Shown {
    fn of(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let lines: Vec<&str> = text.splitn(3, '\n').collect();
        if let [name, header, payload] = lines[..]
            && let Some(position) = SIGNERS.iter().position(|(known, _)| *known == name)
        {
            let text = Secret::new(SIGNERS[position].1.sign(header, payload));
            return Some(Self { text, signed: Some((position, payload.to_owned())) });
        }
        Some(Self { text: Secret::new(text.to_owned()), signed: None })
    }

    /// What was signed, if one of the keys takes the token: it must be the one that made it, and must not take it any
    /// more when the signature is another.
    fn payload_if(&self, takes: impl Fn(&Secret<String>, &Key) -> bool) -> Option<Value> {
        let taking: Vec<usize> = KEYS
            .iter()
            .enumerate()
            .filter(|(_, key)| takes(&self.text, key))
            .map(|(position, _)| position)
            .collect();
        if taking.is_empty() {
            return None;
        }
        let (position, payload) = self.signed.as_ref().expect("what nobody signed is accepted");
        assert_eq!(taking, [*position], "a key takes what another signed");
        assert!(!takes(&self.with_another_signature(), &KEYS[*position]), "any signature is accepted");
        Some(serde_json::from_str(payload).expect("it was read before"))
    }

    fn with_another_signature(&self) -> Secret<String> {
        let (input, signature) = self.text.expose().rsplit_once('.').expect("a signed token");
        let first = if signature.starts_with('A') { "B" } else { "A" };
        Secret::new(format!("{input}.{first}{}", &signature[1..]))
    }

    /// The two libraries that verify agree.
    fn check_libraries(&self) {
        for key in &*KEYS {
            let parsed = || Unverified::parse(&self.text, &Algorithm::ALL);
            if let (Ok(one), Ok(other)) = (parsed(), parsed()) {
                assert_eq!(one.verify_signature(key).is_ok(), other.signed_claims(key).is_ok());
            }
        }
    }
}

fn signed(name: &str, header: &Value, payload: &Value) -> Vec<u8> {
    format!("{name}\n{header}\n{payload}").into_bytes()
}

/// What an ID token may be compared with: a sign-in, a refresh, a sign-in of a tenant.
fn expectations(nonce: &Secret<String>) -> [Expected<'_>; 3] {
    static TENANTS: LazyLock<Vec<String>> = LazyLock::new(|| vec!["t-1".to_owned()]);
    let of = |issuer, tenants, nonce| Expected {
        issuer,
        client_id: CLIENT,
        tenants,
        nonce,
        access_token: "at-1",
        code: Some("c-1"),
        now: Timestamp(NOW),
    };
    [
        of(ISSUER, &[], ExpectedNonce::Exactly(nonce)),
        of(ISSUER, &[], ExpectedNonce::AbsentOr(None)),
        of(TEMPLATE, &TENANTS, ExpectedNonce::Exactly(nonce)),
    ]
}

/// An accepted token was signed here, for us, now, for this attempt.
pub(crate) fn id_token(data: &[u8]) -> bool {
    let Some(shown) = Shown::of(data) else {
        return false;
    };
    shown.check_libraries();
    let nonce = Secret::new(NONCE.to_owned());
    let mut accepted = false;
    for (position, expected) in expectations(&nonce).iter().enumerate() {
        let takes = |text: &Secret<String>, key: &Key| {
            Unverified::parse(text, &Algorithm::ALL).is_ok_and(|token| token.verify(key, expected).is_ok())
        };
        let Some(claims) = shown.payload_if(takes) else {
            continue;
        };
        accepted = true;
        assert_eq!(claims["iss"], if position == 2 { TENANT_ISSUER } else { ISSUER });
        assert!(is_for(&claims, CLIENT));
        assert_eq!(claims["nonce"].as_str(), (position != 1).then_some(NONCE));
        assert_eq!(
            nonce_of(&shown.text).map(|nonce| nonce.expose().clone()).as_deref(),
            claims["nonce"].as_str()
        );
        assert!(!claims["sub"].as_str().expect("a text").is_empty());
        check_times(&claims);
        assert!(claims.get("events").is_none() && logout(&shown, LogoutTokenType::Lenient).is_none());
    }
    accepted
}

fn is_for(claims: &Value, client: &str) -> bool {
    match &claims["aud"] {
        Value::String(one) => one == client,
        Value::Array(several) => !several.is_empty() && several.iter().all(|one| one == client),
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this century are exact")]
fn check_times(claims: &Value) {
    let moment = |name: &str| claims[name].as_f64().expect("a number");
    let now = NOW as f64;
    assert!(moment("exp") + 61.0 > now, "it has expired");
    assert!(moment("iat") < now + 62.0 && moment("iat") > now - 602.0, "it is too new or too old");
    assert!(claims.get("nbf").is_none() || moment("nbf") < now + 62.0, "it is not valid yet");
}

fn id_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "azp": CLIENT, "sub": "alice-sub", "iat": NOW, "nbf": NOW, "exp": NOW + 3_600,
        "nonce": NONCE, "name": "Alice Adams", "sid": "s-1", "roles": ["admin"], "auth_time": NOW, "amr": ["pwd"],
        "email_verified": true, "updated_at": NOW,
    })
}

pub(crate) fn id_tokens() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (name, signer) in &*SIGNERS {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut claims = id_claims();
            change(&mut claims);
            signed(name, &signer.header(), &claims)
        };
        seeds.push(with(&|_| ()));
        seeds.push(with(&|claims| claims["aud"] = json!([CLIENT])));
        seeds.push(with(&|claims| claims["exp"] = json!(NOW)));
        seeds.push(with(&|claims| claims["iss"] = json!("http://localhost:3003")));
        seeds.push(with(&|claims| {
            claims["iss"] = json!(TENANT_ISSUER);
            claims["tid"] = json!("t-1");
        }));
        seeds.push(with(&|claims| drop(claims.as_object_mut().map(|claims| claims.remove("nonce")))));
        seeds.push(with(&|claims| claims["at_hash"] = json!("AAAA")));
    }
    let extended =
        json!({ "alg": "EdDSA", "kid": "k", "typ": "JWT", "crit": ["b64"], "b64": false, "jku": "http://x" });
    seeds.push(signed("EdDSA", &extended, &id_claims()));
    seeds.push(signed("EdDSA", &json!({ "alg": "none" }), &id_claims()));
    // As other people would sign it.
    seeds.push(Signer::new(Algorithm::EdDSA, Some("k")).token(&id_claims()).into_bytes());
    seeds.push(b"eyJhbGciOiJub25lIn0.e30.".to_vec());
    seeds
}

/// What a logout token says, if it is one, and its claims.
fn logout(shown: &Shown, wanted: LogoutTokenType) -> Option<(LogoutToken, Value)> {
    let said = |text: &Secret<String>, key: &Key| {
        let is_wanted = |kind: Option<&str>| logout_token::is_wanted(kind, wanted);
        let token = Unverified::parse_kind(text, &Algorithm::ALL, is_wanted).ok()?;
        let said = logout_token::read(&token.claims, &SETTINGS, Timestamp(NOW)).ok()?;
        token.verify_signature(key).is_ok().then_some(said)
    };
    let claims = shown.payload_if(|text, key| said(text, key).is_some())?;
    let (position, _) = shown.signed.as_ref()?;
    Some((said(&shown.text, &KEYS[*position])?, claims))
}

/// An accepted token was signed here, for us, now, and says whose sessions end.
pub(crate) fn logout_token(data: &[u8]) -> bool {
    let Some(shown) = Shown::of(data) else {
        return false;
    };
    // Nothing is proved by it, but everybody may send it.
    let claimed = claimed_issuer(&shown.text);
    let Some((said, claims)) = logout(&shown, LogoutTokenType::Lenient) else {
        assert!(logout(&shown, LogoutTokenType::Strict).is_none());
        return false;
    };
    assert_eq!(claimed.as_deref(), Some(ISSUER));
    assert!(said.issuer == ISSUER && claims["iss"] == ISSUER && is_for(&claims, CLIENT));
    assert!(claims["events"][EVENT].is_object() && claims.get("nonce").is_none());
    assert!(!claims["jti"].as_str().expect("a text").is_empty());
    match &said.whose {
        Whose::Session { sid, subject } => {
            assert_eq!(claims["sid"].as_str(), Some(&**sid));
            assert_eq!(claims["sub"].as_str(), subject.as_deref());
        }
        Whose::Person { subject } => {
            assert!(claims["sub"] == **subject && claims.get("sid").is_none());
        }
    }
    check_times(&claims);
    assert!(said.over > Timestamp(NOW), "it could be used again although nobody remembers it");
    true
}

pub(crate) fn logout_tokens() -> Vec<Vec<u8>> {
    let claims = json!({
        "iss": ISSUER, "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "jti": "j-1", "sub": "alice-sub", "sid": "s-1",
        "events": { EVENT: {} },
    });
    let header = |kind: &str| json!({ "alg": "EdDSA", "kid": "k", "typ": kind });
    let with = |kind: &str, change: &dyn Fn(&mut Map<String, Value>)| {
        let mut claims = claims.clone();
        change(claims.as_object_mut().expect("an object"));
        signed("EdDSA", &header(kind), &claims)
    };
    vec![
        with("logout+jwt", &|_| ()),
        with("application/Logout+JWT", &|claims| drop(claims.remove("sid"))),
        with("JWT", &|claims| drop(claims.remove("sub"))),
        with("JWT", &|claims| drop(claims.insert("nonce".to_owned(), json!("n")))),
        with("JWT", &|claims| drop(claims.insert("events".to_owned(), json!([])))),
        with("at+jwt", &|_| ()),
        with("JWT", &|claims| drop(claims.insert("sid".to_owned(), json!("")))),
        Signer::new(Algorithm::EdDSA, Some("k")).token(&claims).into_bytes(),
    ]
}

/// Whatever the endpoint says, signed or not, changes nothing of who it is and how they signed in.
pub(crate) fn userinfo(data: &[u8]) -> bool {
    let of_id_token = id_claims().as_object().cloned().expect("an object");
    let Some(said) = json::object(data).ok().or_else(|| signed_userinfo(data, &of_id_token)) else {
        return false;
    };
    let claims = ["name", "email", "groups", "sub", "nonce", "sid", "amr", "auth_time", "iss"];
    let settings = Userinfo { when: When::Always, claims: claims.map(str::to_owned).to_vec() };
    let mut merged = of_id_token.clone();
    userinfo::take(&settings, &mut merged, said.clone());
    for (name, value) in &merged {
        assert!(
            of_id_token.get(name) == Some(value) || claims.contains(&&**name),
            "{name} was not asked for"
        );
        assert!(
            !SIGN_IN_CLAIMS.contains(&&**name) || of_id_token.get(name) == Some(value),
            "{name} was changed"
        );
    }
    assert!(said.get("email").is_none_or(|email| merged.get("email") == Some(email)));
    true
}

fn signed_userinfo(data: &[u8], of_id_token: &Map<String, Value>) -> Option<Map<String, Value>> {
    let shown = Shown::of(data)?;
    let said = |text: &Secret<String>, key: &Key| {
        let said = Unverified::parse(text, &Algorithm::ALL).ok()?.signed_claims(key).ok()?;
        userinfo::check(&said, of_id_token, CLIENT, Timestamp(NOW)).is_ok().then_some(said)
    };
    let claims = shown.payload_if(|text, key| said(text, key).is_some())?;
    assert_eq!(claims["iss"], ISSUER);
    said(&shown.text, &KEYS[shown.signed.as_ref()?.0])
}

pub(crate) fn userinfos() -> Vec<Vec<u8>> {
    let claims =
        json!({ "sub": "alice-sub", "email": "alice@example.org", "groups": ["g"], "nonce": "other" });
    let mut signed_claims = claims.clone();
    signed_claims["iss"] = json!(ISSUER);
    signed_claims["aud"] = json!(["other", CLIENT]);
    signed_claims["exp"] = json!(NOW);
    let header = json!({ "alg": "ES256", "kid": "k" });
    vec![
        claims.to_string().into_bytes(),
        signed("ES256", &header, &signed_claims),
        signed("ES256", &header, &claims),
        b"<html>".to_vec(),
    ]
}
