//! What a configuration may say, and how it is told off.

use super::*;

const GOOD: &str = r#"
listen = "127.0.0.1:3001"
database = "sqlite:var/todo.db"

[[issuers]]
issuer = "https://id.example"
audiences = ["api"]
owner_claim = "sub"
"#;

fn complaints(text: &str) -> Vec<String> {
    let error = Config::parse(text).expect_err("not acceptable");
    error.problems.iter().map(|problem| format!("{}:{}", problem.line.unwrap_or(0), problem.key)).collect()
}

#[test]
fn a_short_configuration_has_safe_defaults() {
    let config = Config::parse(GOOD).expect("acceptable");
    let issuer = &config.issuers[0];
    assert_eq!(issuer.algorithms, [Algorithm::RS256]);
    assert_eq!(issuer.discovery_url(), "https://id.example/.well-known/openid-configuration");
    assert!(!issuer.strict_typ && issuer.allowed_clients.is_empty() && issuer.version.is_none());
    assert_eq!(config.provider_timeout, Duration::from_secs(5));
}

#[test]
fn every_setting_can_be_given() {
    let config = Config::parse(
        r#"
        listen = "[::1]:0"
        database = "sqlite::memory:"
        provider_timeout = 2
        [[issuers]]
        issuer = "http://7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0.localhost:3002/x"
        metadata_url = "http://localhost:3002/.well-known/openid-configuration"
        audiences = ["a", "b"]
        algorithms = ["ES256", "PS512"]
        tenants = ["7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0"]
        version = "2.0"
        owner_claim = "oid"
        scope_claim = "scope"
        allowed_clients = ["todo-web"]
        strict_typ = true
        "#,
    )
    .expect("acceptable");
    let issuer = &config.issuers[0];
    assert_eq!(issuer.algorithms, [Algorithm::ES256, Algorithm::PS512]);
    assert_eq!(
        (issuer.owner_claim, issuer.scope_claim, issuer.strict_typ),
        (OwnerClaim::Oid, ScopeClaim::Scope, true)
    );
    assert_eq!(issuer.discovery_url(), "http://localhost:3002/.well-known/openid-configuration");
}

#[test]
fn the_file_that_is_shipped_is_acceptable() {
    let config = Config::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/todo-service.toml")))
        .expect("acceptable");
    assert_eq!(config.listen.port(), 3001);
    assert_eq!(config.issuers.len(), 2, "both faces of the development identity provider");
    for issuer in &config.issuers {
        assert_eq!(issuer.audiences, ["11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f", "api://todo-service"]);
    }
}

#[test]
fn all_problems_are_reported_together_with_their_lines() {
    let text = r#"
listen = "localhost"
database = "postgres://x"
provider_timeout = "5"
colour = "blue"

[[issuers]]
issuer = "http://id.example"
audience = ["api"]
audiences = ["api"]
algorithms = ["RS256", "HS256", "none"]
owner_claim = "email"
strict_typ = "yes"
"#;
    let expected = [
        "2:listen",
        "4:provider_timeout",
        "5:colour",
        "8:issuers[0].issuer",
        "9:issuers[0].audience",
        "11:issuers[0].algorithms",
        "11:issuers[0].algorithms",
        "12:issuers[0].owner_claim",
        "13:issuers[0].strict_typ",
    ];
    let found = complaints(text);
    for problem in expected {
        assert!(found.iter().any(|found| found == problem), "{problem} in {found:?}");
    }
}

#[test]
fn an_unknown_key_comes_with_a_suggestion() {
    let error = Config::parse(&GOOD.replace("audiences", "audience")).expect_err("not acceptable");
    assert!(error.to_string().contains("did you mean audiences?"), "{error}");
    assert!(error.to_string().contains("issuers[0].audiences is missing"), "{error}");
}

#[test]
fn broken_toml_is_reported_with_its_line() {
    assert_eq!(complaints("listen = \"127.0.0.1:1\"\ndatabase = = 1\n")[0], "2:");
}

#[test]
fn issuers_are_needed_and_each_only_once() {
    assert_eq!(complaints("listen = \"127.0.0.1:1\"\ndatabase = \"sqlite:x\"\n"), ["0:issuers"]);
    let twice = format!(
        "{GOOD}\n[[issuers]]\nissuer = \"https://id.example\"\naudiences = [\"x\"]\nowner_claim = \"sub\"\n"
    );
    assert_eq!(complaints(&twice), ["5:issuers"]);
    assert!(Config::parse(&twice.replacen("id.example", "other.example", 1)).is_ok());
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("no-such-file.toml")).expect_err("missing");
    assert!(error.to_string().starts_with("no-such-file.toml: cannot be read"), "{error}");
}

#[test]
fn edited_settings_are_checked_like_written_ones() {
    let mut config = Config::parse(GOOD).expect("acceptable");
    assert_eq!(config.check(), Ok(()));
    config.issuers[0].issuer = "http://id.example".to_owned();
    config.database = "x".to_owned();
    let error = config.check().expect_err("not acceptable");
    let keys: Vec<_> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["database", "issuers[0].issuer"]);
}
