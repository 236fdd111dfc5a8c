//! The faults that are made in a token's header and claims, before signing. Knows nothing of signatures.

use serde_json::{Value, json};

use super::IdTokenFault as Fault;
use super::Members;
use super::forge::{Context, Draft};
use crate::keys::{odd_curve, stranger};
use crate::{random, token};

/// Makes one fault; those of text and signature leave header and claims alone or set only `alg` and `kid`.
pub(super) fn apply(fault: Fault, draft: &mut Draft, context: &Context<'_>) {
    identity(fault, &mut draft.claims, context);
    times(fault, &mut draft.claims, context.now);
    header(fault, &mut draft.header, context);
}

fn identity(fault: Fault, claims: &mut Members, context: &Context<'_>) {
    let text = |claims: &Members, name: &str| {
        claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let at_hash = |token: &str| Value::from(token::at_hash(context.key.algorithm, token));
    let (iss, aud, nonce) = (text(claims, "iss"), text(claims, "aud"), text(claims, "nonce"));
    let (name, value) = match fault {
        Fault::MissingNonce => ("nonce", None),
        Fault::WrongNonce => ("nonce", Some(random::token().into())),
        Fault::NonceArray => ("nonce", Some(json!([nonce]))),
        Fault::NoncePrefix => ("nonce", Some(nonce.chars().take(nonce.len() / 2).collect::<String>().into())),
        Fault::NonceCase => ("nonce", Some(nonce.chars().map(swap_case).collect::<String>().into())),
        Fault::MissingIssuer => ("iss", None),
        Fault::WrongIssuer => ("iss", Some("https://somebody-else.example".into())),
        Fault::IssuerSlash => ("iss", Some(format!("{iss}/").into())),
        Fault::IssuerCase => ("iss", Some(iss.to_uppercase().into())),
        Fault::IssuerScheme => ("iss", Some(iss.replacen("http:", "https:", 1).into())),
        Fault::IssuerPort => ("iss", Some(other_port(&iss).into())),
        Fault::IssuerArray => ("iss", Some(json!([iss]))),
        Fault::IssuerPrefix => ("iss", Some(format!("{iss}.evil.example").into())),
        Fault::MissingAudience => ("aud", None),
        Fault::WrongAudience => ("aud", Some("somebody-else".into())),
        Fault::EmptyAudience => ("aud", Some(json!([]))),
        Fault::AudienceArray => ("aud", Some(json!([aud]))),
        Fault::ExtraAudience => ("aud", Some(json!([aud, "somebody-else"]))),
        Fault::ExtraAudienceWithAzp => {
            claims.insert("azp".to_owned(), aud.as_str().into());
            ("aud", Some(json!([aud, "somebody-else"])))
        }
        Fault::WrongAzp => ("azp", Some("somebody-else".into())),
        Fault::RightAzp => ("azp", Some(aud.into())),
        Fault::MissingSub => ("sub", None),
        Fault::EmptySub => ("sub", Some("".into())),
        Fault::NumericSub => ("sub", Some(4711.into())),
        Fault::LongSub => ("sub", Some("s".repeat(256).into())),
        Fault::HugeSub => ("sub", Some("s".repeat(10 * 1024).into())),
        Fault::OtherSub => ("sub", Some("somebody-else".into())),
        Fault::WrongTid => ("tid", Some("00000000-0000-4000-8000-000000000000".into())),
        Fault::WrongAtHash => ("at_hash", Some(at_hash("another token"))),
        Fault::RightAtHash => ("at_hash", context.access_token.map(at_hash)),
        Fault::MissingAcr => ("acr", None),
        Fault::LowerAcr => ("acr", Some("0".into())),
        Fault::NumericAcr => ("acr", Some(2.into())),
        Fault::GroupOverage => {
            token::group_overage(claims, context.canary);
            return;
        }
        Fault::HasEvents => {
            ("events", Some(json!({"http://schemas.openid.net/event/backchannel-logout": {}})))
        }
        _ => return,
    };
    set(claims, name, value);
}

fn times(fault: Fault, claims: &mut Members, now: i64) {
    let exp = claims.get("exp").and_then(Value::as_i64).unwrap_or(now);
    #[expect(clippy::cast_precision_loss, reason = "times of this age of the world fit a double exactly")]
    let with_fraction = exp as f64 + 0.5;
    let (name, value) = match fault {
        Fault::Expired => ("exp", Some((now - 3600).into())),
        Fault::MissingExp => ("exp", None),
        Fault::ExpString => ("exp", Some(exp.to_string().into())),
        Fault::ExpFloat => ("exp", Some(with_fraction.into())),
        Fault::ExpNull => ("exp", Some(Value::Null)),
        Fault::ExpNegative => ("exp", Some((-1).into())),
        Fault::ExpArray => ("exp", Some(json!([exp]))),
        Fault::MissingIat => ("iat", None),
        Fault::IatString => ("iat", Some(now.to_string().into())),
        Fault::IatFuture => ("iat", Some((now + 3600).into())),
        Fault::IatOld => ("iat", Some((now - 3600).into())),
        Fault::NbfFuture => ("nbf", Some((now + 3600).into())),
        Fault::MissingAuthTime => ("auth_time", None),
        Fault::FutureAuthTime => ("auth_time", Some((now + 3600).into())),
        Fault::AuthTimeString => ("auth_time", Some(now.to_string().into())),
        Fault::OldAuthTime => ("auth_time", Some((now - 86_400).into())),
        _ => return,
    };
    set(claims, name, value);
}

fn header(fault: Fault, header: &mut Members, context: &Context<'_>) {
    let (name, value) = match fault {
        Fault::UnknownKid => ("kid", Some(random::token().into())),
        Fault::MissingKid => ("kid", None),
        Fault::AlgNone => ("alg", Some("none".into())),
        Fault::AlgNoneCapital => ("alg", Some("None".into())),
        Fault::AlgNoneMixed => ("alg", Some("nOnE".into())),
        Fault::MissingAlg => ("alg", None),
        Fault::Hs256ClientSecret | Fault::Hs256PublicPem | Fault::Hs256PublicDer | Fault::Hs256PublicJwk => {
            ("alg", Some("HS256".into()))
        }
        Fault::Es256 => {
            set(header, "kid", Some(odd_curve().kid.as_str().into()));
            ("alg", Some("ES256".into()))
        }
        Fault::Ps256 | Fault::Ps256Header => ("alg", Some("PS256".into())),
        Fault::TypAccessToken => ("typ", Some("at+jwt".into())),
        Fault::TypLogoutToken => ("typ", Some("logout+jwt".into())),
        Fault::TypDpop => ("typ", Some("dpop+jwt".into())),
        Fault::Crit => {
            set(header, "example", Some(true.into()));
            ("crit", Some(json!(["example"])))
        }
        Fault::CritEmpty => ("crit", Some(json!([]))),
        Fault::B64False => {
            set(header, "b64", Some(false.into()));
            ("crit", Some(json!(["b64"])))
        }
        Fault::Zip => ("zip", Some("DEF".into())),
        Fault::Nested => ("cty", Some("JWT".into())),
        Fault::Jku => unpublished(header, "jku", context.canary.into()),
        Fault::X5u => unpublished(header, "x5u", context.canary.into()),
        Fault::X5c => unpublished(header, "x5c", json!(["MIIB"])),
        Fault::Jwk => unpublished(header, "jwk", stranger().jwk()),
        _ => return,
    };
    set(header, name, value);
}

/// The header of a token signed by a key that only the header itself speaks for.
fn unpublished(header: &mut Members, name: &'static str, value: Value) -> (&'static str, Option<Value>) {
    set(header, "kid", Some(stranger().kid.as_str().into()));
    (name, Some(value))
}

fn set(members: &mut Members, name: &str, value: Option<Value>) {
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
}

fn swap_case(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}

fn other_port(issuer: &str) -> String {
    let Ok(mut url) = url::Url::parse(issuer) else {
        return String::new();
    };
    let port = url.port_or_known_default().map_or(81, |port| port.wrapping_add(1).max(1));
    let slash = issuer.ends_with('/');
    if url.set_port(Some(port)).is_err() {
        return String::new();
    }
    let text = url.to_string();
    if slash { text } else { text.trim_end_matches('/').to_owned() }
}
