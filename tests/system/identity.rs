//! Who asks, as upstreams are told: claims in headers, and a token that the gateway signs (requirements HD-01, HD-02,
//! HD-10, HD-11).

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::{Ask, Plan, Recorder, Site};
use serde_json::{Value, json};

use crate::support::*;

/// A private key as `openssl genpkey` writes it.
fn key() -> String {
    let document = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).expect("a key");
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(document.as_ref())
    )
}

const ROUTES: &str = r#"
[[routes]]
path     = "/told"
upstream = "recorder"
identity_headers = { "X-Person" = "sub", "X-Name" = "name", "X-Groups" = "groups", "X-Groups-Json" = { claim = "groups", form = "json" }, "X-Absent" = "nothing" }
identity_token   = { audience = "todo-service", claims = ["name", "nothing"], lifetime = "5m" }

[[routes]]
path     = "/told/open"
upstream = "recorder"
allow    = "anyone"
identity_headers = { "X-Person" = "sub" }
identity_token   = { audience = "reports", header = "X-Proof" }
"#;

/// The same where trailers pass, and with a header that the route sets.
const TRAILING: &str = r#"
[[routes]]
path     = "/trailing"
upstream = "recorder"
allow    = "anyone"
trailers = true
request_headers = { set = { "X-Env" = "prod" } }
"#;

async fn telling() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let plan = Plan::new();
    let key = plan.secret_file("identity.key", &key());
    let plan = plan
        .append(format!("[identity]\nkey = {{ file = \"{}\" }}", key.display()))
        .append(recorder_routes(&recorder))
        .append(ROUTES)
        .append(TRAILING)
        .tenant(|tenant| {
            let alice = tenant.accounts.iter_mut().find(|account| account.email == ALICE).expect("Alice");
            "Zoë Müller, Dr.".clone_into(&mut alice.name);
            alice.groups = vec!["a,b".to_owned(), "100%".to_owned()];
        });
    (plan.start().await, recorder)
}

/// Everything that clients try in order to be taken for somebody.
fn spoofed(ask: Ask) -> Ask {
    [
        "X-Person",
        "x-PERSON",
        "X_Person",
        "X-Name",
        "X-Groups",
        "X-Groups-Json",
        "X-Absent",
        "X-Identity-Token",
    ]
    .into_iter()
    .chain(["X_Identity_Token", "X-Proof"])
    .fold(ask, |ask, name| ask.header(name, "spoofed").header(name, "spoofed-again"))
}

#[tokio::test]
async fn an_upstream_is_told_who_asks_in_headers_that_can_be_read_again() {
    let (site, recorder) = telling().await;
    let alice = site.signed_in(ALICE).await;
    alice.send(spoofed(Ask::fetch("GET", "/told"))).await.must_be(200);
    let seen = recorder.last();
    assert!(!seen.head.contains("spoofed"), "{}", seen.head);
    assert_eq!(seen.value("x-name"), Some("Zo%C3%AB M%C3%BCller%2C Dr."));
    assert_eq!(seen.value("x-groups"), Some("a%2Cb,100%25"));
    assert_eq!(seen.value("x-groups-json"), Some(r#"["a,b","100%"]"#));
    assert!(seen.values("x-absent").is_empty());
    let bob = site.signed_in(BOB).await;
    bob.fetch("GET", "/told").await.must_be(200);
    let bobs = recorder.last();
    assert_ne!(bobs.value("x-person"), seen.value("x-person"));
    assert!(bobs.values("x-groups").is_empty(), "Bob has none: {}", bobs.head);
    alice.fetch("GET", "/told").await.must_be(200);
    assert_eq!(recorder.last().value("x-person"), seen.value("x-person"), "and it stays that way");
}

#[tokio::test]
async fn no_client_says_who_asks_on_any_route_of_the_gateway() {
    let (site, recorder) = telling().await;
    let alice = site.signed_in(ALICE).await;
    for path in ["/rec", "/plain", "/open", "/app", "/told/open"] {
        alice.send(spoofed(Ask::fetch("GET", path)).header("x-app", "kept")).await.must_be(200);
        let seen = recorder.last();
        assert!(!seen.head.contains("spoofed"), "{path}: {}", seen.head);
        assert_eq!(seen.value("x-app"), Some("kept"));
    }
    // Nobody is signed in, the preflight's method, and a body whose trailers say it.
    let stranger = site.browser();
    for method in ["GET", "OPTIONS", "POST"] {
        stranger.send(spoofed(Ask::bare(method, "/told/open"))).await.must_be(200);
        let seen = recorder.last();
        assert!(!seen.head.contains("spoofed") && seen.values("x-person").is_empty(), "{}", seen.head);
        assert!(seen.values("x-proof").is_empty());
    }
    let trailers = format!(
        "POST /told/open HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Person\r\nConnection: close, X-Person\r\n\r\n2\r\nhi\r\n0\r\nX-Person: spoofed\r\n\r\n",
        site.host()
    );
    assert!(site.raw(trailers).await.starts_with("HTTP/1.1 200"));
    let seen = recorder.last();
    assert!(!format!("{}{}", seen.head, String::from_utf8_lossy(&seen.body)).contains("spoofed"), "{seen:?}");
}

#[tokio::test]
async fn trailers_that_pass_say_neither_who_asks_nor_what_the_route_sets() {
    let (site, recorder) = telling().await;
    let request = format!(
        "POST /trailing HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Person, X-Env, X-Sum\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\nX-Person: spoofed\r\nX-Env: spoofed\r\nX-Sum: 7\r\n\r\n",
        site.host()
    );
    assert!(site.raw(request).await.starts_with("HTTP/1.1 200"));
    let seen = recorder.last();
    let all = format!("{}{}", seen.head, String::from_utf8_lossy(&seen.body)).to_lowercase();
    assert!(!all.contains("spoofed"), "{all}");
    assert!(all.contains("x-sum: 7"), "and others pass: {all}");
    assert_eq!(seen.value("x-env"), Some("prod"));
}

/// Header and claims of a token that one of the published keys verifies.
async fn verified(site: &Site, token: &str) -> (Value, Value) {
    let keys = site.browser().send(Ask::bare("GET", "/auth/jwks")).await.must_be(200).json();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts: {token}") };
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    let (head, claims) = (read(header), read(payload));
    let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == head["kid"]);
    let x = key.expect("it is published")["x"].as_str().expect("Ed25519").to_owned();
    let key = UnparsedPublicKey::new(&ED25519, URL_SAFE_NO_PAD.decode(x).expect("base64url"));
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    key.verify(format!("{header}.{payload}").as_bytes(), &signature).expect("signed by the gateway");
    (head, claims)
}

#[tokio::test]
async fn an_upstream_gets_a_token_that_the_gateway_signed_for_it_alone() {
    let (site, recorder) = telling().await;
    let alice = site.signed_in(ALICE).await;
    alice.fetch("GET", "/told").await.must_be(200);
    let seen = recorder.last();
    let token = seen.value("x-identity-token").expect("a token").to_owned();
    let (header, claims) = verified(&site, &token).await;
    assert_eq!((&header["typ"], &header["alg"]), (&json!("identity+jwt"), &json!("EdDSA")));
    assert_eq!(claims["iss"], alice.origin());
    assert_eq!(claims["aud"], "todo-service");
    assert_eq!(Some(claims["sub"].as_str().expect("a subject")), seen.value("x-person"));
    assert_eq!(claims["name"], "Zoë Müller, Dr.");
    assert!(claims["idp"].as_str().is_some_and(|issuer| issuer.starts_with("http://")));
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(end, from)| end - from), Some(300));
    assert!(claims.get("nothing").is_none() && claims.get("email").is_none(), "{claims}");
    // Another upstream's token is another.
    alice.fetch("GET", "/told/open").await.must_be(200);
    let other = recorder.last().value("x-proof").expect("a token").to_owned();
    assert_eq!(verified(&site, &other).await.1["aud"], "reports");
    assert!(!seen.head.contains(&other));
}

#[tokio::test]
async fn a_token_is_made_anew_before_it_expires_and_not_before() {
    let (site, recorder) = telling().await;
    let alice = site.signed_in(ALICE).await;
    let token = async || {
        alice.fetch("GET", "/told").await.must_be(200);
        recorder.last().value("x-identity-token").expect("a token").to_owned()
    };
    let first = token().await;
    site.advance(std::time::Duration::from_secs(230));
    assert_eq!(token().await, first);
    site.advance(std::time::Duration::from_secs(20));
    let second = token().await;
    assert_ne!(second, first);
    let (from, until) = (verified(&site, &first).await.1, verified(&site, &second).await.1);
    assert!(until["iat"].as_i64() < from["exp"].as_i64(), "it came in time");
}

#[tokio::test]
async fn what_would_tell_upstreams_nothing_or_the_wrong_thing_is_refused_at_the_start() {
    let with = |edits: &str, key: bool| {
        let plan = Plan::new();
        let file = plan.secret_file("identity.key", &self::key());
        let identity = format!("[identity]\nkey = {{ file = \"{}\" }}\n", file.display());
        let route = "[upstreams.r]\nservers = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/r\"\nupstream = \"r\"\n";
        plan.append(if key { identity } else { String::new() })
            .append(format!("{route}{edits}\n"))
            .try_start()
    };
    for (edits, key) in [
        ("identity_token = { audience = \"a\" }", false),
        ("identity_token = { header = \"X-A\" }", true),
        ("identity_token = { audience = \"\" }", true),
        ("identity_token = { audience = \"a\", claims = [\"exp\"] }", true),
        ("identity_token = { audience = \"a\", header = \"Authorization\" }", true),
        ("identity_token = { audience = \"a\", lifetime = \"1s\" }", true),
        (
            "identity_token = { audience = \"a\", header = \"X-A\" }\nidentity_headers = { X-A = \"sub\" }",
            true,
        ),
        ("identity_headers = { X-Forwarded-For = \"sub\" }", true),
        ("identity_headers = { Cookie = \"sub\" }", true),
        ("identity_headers = { X-A = \"sub\", x-a = \"name\" }", true),
        ("identity_headers = { X-A = \"sub\" }\nrequest_headers = { set = { X-A = \"b\" } }", true),
        ("identity_headers = { X-A = { claim = \"sub\", form = \"xml\" } }", true),
    ] {
        assert!(with(edits, key).await.is_err(), "{edits}");
    }
    with("identity_token = { audience = \"a\" }\nidentity_headers = { X-User = \"sub\" }", true)
        .await
        .expect("sound");
}
