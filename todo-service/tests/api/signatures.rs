//! Signatures, headers and encodings that must not pass (RS-07, RS-09, IT-02, IT-03, IT-16, IT-17, IT-19).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use todo_service::Algorithm;

use crate::support::{EcKey, Publish, RsaKey, Service, TestIssuer, compact};

async fn assert_refused(service: &Service, token: &str, what: &str) {
    let answer = service.list().token(token).send().await;
    assert_eq!(answer.status.as_u16(), 401, "{what}: {}", answer.text);
    assert_eq!(answer.challenge(), Some("Bearer error=\"invalid_token\""), "{what}");
}

/// Another base64url digit in place of the one at that position.
fn flipped(token: &str, position: usize) -> String {
    let digit = if &token[position..=position] == "A" { "B" } else { "A" };
    format!("{}{digit}{}", &token[..position], &token[position + 1..])
}

#[tokio::test]
async fn a_token_that_was_touched_is_refused() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let dots: Vec<usize> = token.match_indices('.').map(|(at, _)| at).collect();
    for (part, at) in [
        ("header", dots[0] / 2),
        ("payload", dots[0] + 40),
        ("signature", dots[1] + 1),
        ("signature", token.len() - 20),
    ] {
        assert_refused(&service, &flipped(&token, at), part).await;
    }
    let foreign = service.alice().claim("oid", "b0b00000-0000-4000-8000-00000000000b").signed();
    let signature = &token[dots[1]..];
    let grafted = format!("{}{signature}", foreign.rsplit_once('.').expect("three parts").0);
    assert_refused(&service, &grafted, "somebody else's signature").await;
    assert_refused(&service, &token[..dots[1]], "signature cut off").await;
    assert_refused(&service, &token[..=dots[1]], "empty signature").await;
    assert_eq!(service.status_for(&token).await, 200);
}

#[tokio::test]
async fn unsigned_and_symmetric_tokens_are_refused() {
    let service = Service::start().await;
    for none in ["none", "None", "nOnE", "NONE", ""] {
        let token = service.alice().parameter("alg", none);
        assert_refused(&service, &token.sealed(|_| Vec::new()), none).await;
        assert_refused(&service, &token.sealed(|_| b"x".to_vec()), none).await;
    }
    let key = RsaKey::first();
    let der = key.public_der();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    let jwk = key.jwk("first");
    let modulus = jwk["n"].as_str().expect("a modulus");
    for secret in [der.clone(), pem.into_bytes(), jwk.to_string().into_bytes(), modulus.as_bytes().to_vec()] {
        for (name, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            let token = service.alice().parameter("alg", name);
            let sign =
                |message: &[u8]| hmac::sign(&hmac::Key::new(algorithm, &secret), message).as_ref().to_vec();
            assert_refused(&service, &token.sealed(sign), name).await;
        }
    }
    for missing in
        [service.alice().without_parameter("alg"), service.alice().parameter("alg", json!(["RS256"]))]
    {
        let token = missing.sealed(|message| key.sign("RS256", message));
        assert_refused(&service, &token, "no usable alg").await;
    }
    assert_eq!(service.status_for(&service.alice().signed()).await, 200);
}

#[tokio::test]
async fn an_algorithm_that_is_not_configured_is_refused_although_the_key_could_do_it() {
    let service = Service::start().await;
    for algorithm in ["RS512", "PS256"] {
        let token = service.alice().parameter("alg", algorithm).signed();
        assert_refused(&service, &token, algorithm).await;
    }
    let liberal = Service::with(|issuer| issuer.algorithms = vec![Algorithm::RS512, Algorithm::PS256]).await;
    for algorithm in ["RS512", "PS256"] {
        let token = liberal.alice().parameter("alg", algorithm).signed();
        assert_eq!(liberal.status_for(&token).await, 200, "{algorithm}");
    }
    assert_refused(&liberal, &liberal.alice().signed(), "RS256 where it is not configured").await;
}

#[tokio::test]
async fn a_key_is_used_for_its_own_algorithm_only() {
    let service = Service::with(|issuer| {
        issuer.algorithms = vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384];
    })
    .await;
    let (p256, p384) = (EcKey::p256(), EcKey::p384());
    let mut bound = RsaKey::first().jwk("bound");
    bound["alg"] = json!("RS256");
    service.issuer.publish(Publish::Keys(vec![
        RsaKey::first().jwk("first"),
        bound,
        p256.jwk("p256"),
        p384.jwk("p384"),
    ]));

    let as_pss = service.alice().parameter("alg", "PS256");
    let pkcs1 = as_pss.sealed(|message| RsaKey::first().sign("RS256", message));
    assert_refused(&service, &pkcs1, "an RS256 signature under a PS256 header").await;
    assert_eq!(service.status_for(&as_pss.signed()).await, 200);

    assert_refused(&service, &as_pss.parameter("kid", "bound").signed(), "a key bound to RS256").await;
    assert_eq!(service.status_for(&service.alice().parameter("kid", "bound").signed()).await, 200);

    let es256 = service.alice().parameter("alg", "ES256");
    assert_refused(&service, &es256.clone().parameter("kid", "p384").signed_by_ec(&p384), "ES256 with P-384")
        .await;
    assert_refused(
        &service,
        &es256.clone().parameter("kid", "first").signed_by_ec(&p256),
        "ES256 with an RSA key",
    )
    .await;
    assert_eq!(service.status_for(&es256.parameter("kid", "p256").signed_by_ec(&p256)).await, 200);
    let es384 = service.alice().parameter("alg", "ES384").parameter("kid", "p384");
    assert_eq!(service.status_for(&es384.signed_by_ec(&p384)).await, 200);
}

#[tokio::test]
async fn header_extensions_that_nobody_supports_are_refused() {
    let service = Service::start().await;
    let extensions = [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!("b64")),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
    ];
    for (name, value) in extensions {
        let token = service.alice().parameter(name, value.clone()).signed();
        assert_refused(&service, &token, &format!("{name}: {value}")).await;
    }
    let known = service.alice().parameter("crit", json!(["ext"])).parameter("ext", "text").signed();
    assert_refused(&service, &known, "crit with a text value").await;
    let harmless = service.alice().parameter("x5t", "abc").parameter("something", json!({ "else": 1 }));
    assert_eq!(service.status_for(&harmless.signed()).await, 200, "what is not critical is ignored");
}

#[tokio::test]
async fn other_serialisations_are_refused() {
    let service = Service::start().await;
    let token = service.alice().signed();
    let parts: Vec<&str> = token.split('.').collect();
    let nested = compact(&service.alice().header.to_string(), &token, |message| {
        RsaKey::first().sign("RS256", message)
    });
    assert_refused(&service, &nested, "a token in a token").await;
    assert_refused(&service, &format!("{token}.{}.{}", parts[1], parts[2]), "five parts").await;
    assert_refused(&service, &format!("{}.{token}", parts[0]), "four parts").await;
    assert_refused(
        &service,
        &format!("{}=.{}.{}", parts[0], parts[1], parts[2]).replace('=', "~"),
        "odd digits",
    )
    .await;
    let spare_bits = format!("{}.{}.{}", parts[0], parts[1], with_spare_bits(parts[2]));
    assert_refused(&service, &spare_bits, "a second spelling of the signature").await;
    let json = json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string();
    assert_eq!(service.list().header("authorization", &format!("Bearer {json}")).status().await, 400);
    assert_refused(&service, &URL_SAFE_NO_PAD.encode(&json), "JSON serialisation").await;
    assert_eq!(service.status_for(&token).await, 200);
}

/// 256 octets leave four unused bits in the last digit; this sets one of them.
fn with_spare_bits(signature: &str) -> String {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = signature.split_at(signature.len() - 1);
    let value = DIGITS.find(last).expect("a digit");
    format!("{start}{}", &DIGITS[value + 1..value + 2])
}

#[tokio::test]
async fn keys_in_the_header_are_neither_used_nor_fetched() {
    let service = Service::start().await;
    let attacker = TestIssuer::start().await;
    attacker.publish(Publish::Keys(vec![RsaKey::second().jwk("first")]));
    let address = format!("{}/keys", attacker.base_url);
    let certificate = STANDARD.encode(RsaKey::second().public_der());
    let parameters: [(&str, Value); 4] = [
        ("jku", json!(address)),
        ("x5u", json!(address)),
        ("jwk", RsaKey::second().jwk("first")),
        ("x5c", json!([certificate])),
    ];
    for (name, value) in parameters {
        let token = service.alice().parameter(name, value);
        assert_refused(&service, &token.signed_by(RsaKey::second()), name).await;
        assert_eq!(service.status_for(&token.signed()).await, 200, "{name} is ignored on a good token");
    }
    assert_eq!((attacker.key_fetches(), attacker.discoveries()), (0, 0));
}

#[tokio::test]
async fn members_that_are_said_twice_are_refused() {
    let service = Service::start().await;
    let sign = |message: &[u8]| RsaKey::first().sign("RS256", message);
    let header = service.alice().header.to_string();
    let claims = service.alice().claims.to_string();
    let twice =
        |text: &str, member: &str| format!("{},{member}}}", text.strip_suffix('}').expect("an object"));
    for (member, value) in
        [("aud", "x"), ("sub", "x"), ("iss", "x"), ("oid", "x"), ("custom", "x\",\"custom\":\"y")]
    {
        let claims = twice(&claims, &format!("\"{member}\":\"{value}\""));
        assert_refused(&service, &compact(&header, &claims, sign), member).await;
    }
    let nested = twice(&claims, r#""deep":{"a":1,"a":2}"#);
    assert_refused(&service, &compact(&header, &nested, sign), "inside a claim").await;
    for member in [r#""alg":"RS256""#, r#""kid":"first""#, r#""typ":"JWT""#] {
        assert_refused(&service, &compact(&twice(&header, member), &claims, sign), member).await;
    }
    let once = twice(&claims, r#""custom":"x","deep":{"a":1,"b":2}"#);
    assert_eq!(service.status_for(&compact(&header, &once, sign)).await, 200);
}

#[tokio::test]
async fn parts_that_are_not_json_objects_are_refused() {
    let service = Service::start().await;
    let sign = |message: &[u8]| RsaKey::first().sign("RS256", message);
    let header = service.alice().header.to_string();
    let claims = service.alice().claims.to_string();
    for bad in [
        "",
        "null",
        "[]",
        "\"text\"",
        "{",
        &format!("{claims}{claims}"),
        &format!("\u{feff}{claims}"),
        &format!("{claims}x"),
    ] {
        assert_refused(&service, &compact(&header, bad, sign), bad).await;
        assert_refused(&service, &compact(bad, &claims, sign), bad).await;
    }
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(2000), "]".repeat(2000));
    assert_refused(&service, &compact(&header, &deep, sign), "nested deeply").await;
    let long = service.alice().claim("filler", "x".repeat(16 * 1024)).signed();
    assert_refused(&service, &long, "longer than any token should be").await;
    assert_eq!(service.status_for(&compact(&header, &format!(" {claims}\n"), sign)).await, 200);
}
