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

const POSTGRES: &str = r#"
listen = "127.0.0.1:3001"
database = "postgres://db.example/todo"

[postgres]
user = "todo_app"
password = { file = "/run/secrets/app" }

[[issuers]]
issuer = "https://id.example"
audiences = ["api"]
owner_claim = "sub"
"#;

#[test]
fn postgresql_needs_an_address_and_a_login_and_has_safe_defaults() {
    let config = Config::parse(POSTGRES).expect("acceptable");
    let postgres = &config.postgres;
    let file = crate::SecretSource::File("/run/secrets/app".into());
    assert_eq!(
        postgres.login,
        Some(crate::PostgresLogin { user: "todo_app".to_owned(), password: Some(file) })
    );
    assert_eq!((postgres.owner.as_ref(), postgres.migrate, postgres.tls), (None, true, None));
    assert_eq!((postgres.max_connections, postgres.statement_timeout), (10, Duration::from_secs(5)));
    assert_eq!(complaints(&POSTGRES.replace("user =", "# user =")), ["5:postgres.user"]);
}

#[test]
fn every_setting_of_postgresql_can_be_given() {
    let text = POSTGRES.replace(
        "[[issuers]]",
        r#"
        owner = { user = "todo_owner", password = { env = "OWNER_PASSWORD" } }
        migrate = false
        tls = "verify-full"
        ca = "/etc/ssl/own.pem"
        max_connections = 30
        acquire_timeout = 1
        statement_timeout = 8
        lock_timeout = 4
        idle_in_transaction_timeout = 20
        application_name = "lists"
        [[issuers]]"#,
    );
    let postgres = Config::parse(&text).expect("acceptable").postgres;
    let owner = postgres.owner.expect("given");
    assert_eq!(owner.user, "todo_owner");
    assert_eq!(owner.password, Some(crate::SecretSource::Env("OWNER_PASSWORD".to_owned())));
    assert_eq!((postgres.migrate, postgres.tls, postgres.max_connections), (false, Some(true), 30));
    assert_eq!(postgres.ca, Some("/etc/ssl/own.pem".into()));
    let seconds = [
        postgres.acquire_timeout,
        postgres.statement_timeout,
        postgres.lock_timeout,
        postgres.idle_in_transaction_timeout,
    ];
    assert_eq!(seconds.map(|time| time.as_secs()), [1, 8, 4, 20]);
    assert_eq!(postgres.application_name, "lists");
}

#[test]
fn what_is_unsafe_or_useless_with_postgresql_is_refused_with_the_fix() {
    let refused = |from: &str, to: &str, fix: &str| {
        let text = POSTGRES.replace(from, to);
        assert_ne!(text, POSTGRES);
        let error = Config::parse(&text).expect_err(to).to_string();
        assert!(error.contains(fix), "{to}: {error}");
        assert!(!error.contains("s3cret"), "{error}");
    };
    refused("//db.example", "//app:s3cret@db.example", "postgres.password = { file");
    refused("{ file = \"/run/secrets/app\" }", "\"s3cret\"", "{ file = \"PATH\" } or { env = \"NAME\" }");
    refused("{ file = \"/run/secrets/app\" }", "{ }", "{ file = \"PATH\" } or { env = \"NAME\" }");
    refused("[[issuers]]", "tls = \"require\"\n[[issuers]]", "use \"verify-full\"");
    refused("[[issuers]]", "tls = \"disable\"\nca = \"x\"\n[[issuers]]", "has no use without TLS");
    refused("[[issuers]]", "max_connections = 0\n[[issuers]]", "must be 1 to 1000");
    refused("[[issuers]]", "statement_timeout = 61\n[[issuers]]", "must be 1 to 60 (seconds)");
    refused("[[issuers]]", "owner = { }\n[[issuers]]", "the role that owns the tables");
    refused("[[issuers]]", "max_conections = 5\n[[issuers]]", "did you mean max_connections?");
    refused("postgres://db.example/todo", "sqlite:x", "has no use with another database");
}
