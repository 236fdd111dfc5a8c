//! What a good configuration means: defaults, resolved references, warnings.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::config::Config;
use crate::oidc::settings::{Algorithm, ClientAuthentication, Pushing, ResponseMode};
use crate::origin::Localhost;
use crate::routing::{Csrf, Methods, Pattern, Target};
use crate::rule::Rule;
use crate::session::TokenKind;
use crate::session::cookie::{Prefix, SameSite, Style};
use crate::session::store::Choice;
use crate::session::store::redis::settings::Mode;
use crate::trace::Trust;

use super::{Folder, GOOD};

fn good(text: &str) -> Config {
    Folder::new().read(text).expect("no problem")
}

/// As little as a configuration can say.
const LEAST: &str = r#"
public_url = "http://localhost:3000"
[provider]
issuer = "http://localhost:3002"
client_id = "todo-web"
client_authentication = "none"
"#;

#[test]
fn what_is_left_out_has_defaults() {
    let config = good(LEAST);
    assert_eq!(config.listen.http, ["127.0.0.1:3000".parse().expect("an address")]);
    assert_eq!(config.listen.admin, "127.0.0.1:3003".parse().expect("an address"));
    assert!(config.listen.workers.get() >= 1);
    let provider = &config.providers[0];
    assert_eq!(provider.metadata_url.as_str(), "http://localhost:3002/.well-known/openid-configuration");
    assert!(matches!(provider.authentication, ClientAuthentication::None));
    assert_eq!(provider.scopes.to_string(), "openid profile");
    assert_eq!(
        (provider.response_mode, &*provider.algorithms),
        (ResponseMode::Query, &[Algorithm::RS256][..])
    );
    assert_eq!(provider.pass_parameters, ["login_hint", "ui_locales", "domain_hint"]);
    assert_eq!(provider.redirect_uri.as_str(), "http://localhost:3000/auth/callback");
    assert_eq!(provider.post_logout_redirect_uri.as_str(), "http://localhost:3000/auth/signed-out");
    assert_eq!(
        (config.session.lifetimes.idle, config.session.lifetimes.absolute),
        (Duration::from_mins(30), Duration::from_hours(8))
    );
    assert_eq!(config.session.shown_claims.len(), 7);
    assert!(matches!(&config.session.store, Choice::File(path) if path.ends_with("var/sessions.db")));
    assert_eq!((&*config.log.level, config.log.format, config.log.access), ("info", None, true));
    assert!(
        config.routes.is_empty() && config.warnings.iter().any(|warning| warning.contains("no routes")),
        "nothing is served"
    );
}

#[test]
fn the_issuer_is_kept_byte_for_byte() {
    let config = good(&LEAST.replace("http://localhost:3002", "https://Login.Example:443/Tenant/"));
    assert_eq!(&*config.providers[0].issuer, "https://Login.Example:443/Tenant/");
    assert_eq!(
        config.providers[0].metadata_url.as_str(),
        "https://login.example/Tenant/.well-known/openid-configuration"
    );
}

#[test]
fn an_issuer_of_many_tenants_needs_their_list_and_the_metadata() {
    let text = LEAST.replace(
        "issuer = \"http://localhost:3002\"",
        "issuer = \"https://login.example/{tenantid}/v2.0\"\nmetadata_url = \"https://login.example/organizations/v2.0/.well-known/openid-configuration\"\ntenants = [\"7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0\"]",
    );
    let provider = good(&text).providers.remove(0);
    assert_eq!((&*provider.issuer, provider.tenants.len()), ("https://login.example/{tenantid}/v2.0", 1));
}

#[test]
fn every_request_says_what_the_configuration_adds() {
    let plain = good(LEAST).providers.remove(0).request;
    assert_eq!((plain.par, plain.max_age, plain.prompt, plain.claims), (Pushing::Auto, None, None, None));
    assert!(plain.acr_values.is_empty() && plain.parameters.is_empty());
    let text = format!(
        "{LEAST}par = \"always\"\nacr_values = [\"gold\"]\nmax_age = \"0s\"\nprompt = \"login\"\n\
         claims = {{ id_token = {{ acr = {{ values = [\"gold\"], essential = true }}, name = {{}} }} }}\n\
         resources = [\"api://a\"]\nextra_parameters = {{ audience = \"x\", ui_locales = \"de en\" }}\n\
         [tokens.read]\nresource = [\"api://b\", \"api://a\"]\n"
    );
    let provider = good(&text).providers.remove(0);
    let request = provider.request;
    assert_eq!((request.par, request.max_age), (Pushing::Always, Some(Duration::ZERO)));
    assert_eq!((&*request.acr_values, request.acr_required), (&["gold".to_owned()][..], true));
    assert_eq!(request.prompt.as_deref(), Some("login"));
    let claims: serde_json::Value = serde_json::from_str(&request.claims.expect("asked")).expect("JSON");
    assert_eq!(claims, json!({"id_token": {"acr": {"values": ["gold"], "essential": true}, "name": {}}}));
    let parameters: Vec<_> =
        request.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(parameters, [("audience", "x"), ("ui_locales", "de en")]);
    assert_eq!(provider.resources, ["api://a", "api://b"]);
    let json = format!("{LEAST}claims = '{{\"userinfo\": {{\"email\": null}}}}'\n");
    assert_eq!(
        good(&json).providers.remove(0).request.claims.as_deref(),
        Some(r#"{"userinfo":{"email":null}}"#)
    );
    let wish = format!("{LEAST}acr_values = [\"gold\"]\nacr_required = false\n");
    assert!(!good(&wish).providers.remove(0).request.acr_required);
}

#[test]
fn routes_lead_where_they_say() {
    let config = good(GOOD);
    let [files, api] = &config.routes[..] else { panic!("two routes") };
    assert_eq!((files.target, files.csrf, &files.rule), (Target::Files(0), Csrf::Origin, &Rule::Anyone));
    assert!(files.methods.contains(&Method::HEAD) && !files.methods.contains(&Method::POST));
    assert_eq!(
        (api.target, api.csrf, &api.rule),
        (Target::Upstream(0), Csrf::Header, &Rule::SignedIn),
        "deny is the default"
    );
    assert_eq!((api.methods, &api.path, &*api.name), (Methods::ALL, &Pattern::Prefix("/api".into()), "/api"));
    assert_eq!(api.token.as_deref(), Some(&*config.tokens[0]));
    assert!(!api.websocket && !files.websocket, "nothing is opened that was not asked for");
    assert!(
        good(&GOOD.replace("token = \"read\"", "token = \"read\"\nwebsocket = true")).routes[1].websocket
    );
    assert!(config.files[0].root.is_absolute());
    let server = &config.upstreams[0].servers[0];
    assert_eq!(
        (server.https, &*server.host, server.port, server.authority.as_bytes()),
        (false, "127.0.0.1", 3001, &b"127.0.0.1:3001"[..])
    );
}

#[test]
fn one_path_may_be_split_by_method() {
    let text = GOOD.replace("token = \"read\"", "token = \"read\"\nmethods = [\"GET\"]\n[[routes]]\npath = \"/api\"\nmethods = [\"POST\"]\nupstream = \"todo\"\ncsrf = \"origin\"");
    let config = good(&text);
    assert_eq!(
        config.routes.iter().map(|route| &*route.name).collect::<Vec<_>>(),
        ["/", "GET /api", "POST /api"]
    );
    assert_eq!(config.routes[2].csrf, Csrf::Origin);
}

#[test]
fn each_route_to_files_has_an_entry_of_its_own() {
    let text = GOOD
        .replace("[log]", "[[routes]]\npath = \"/spa\"\nfiles = \"web/\"\nfallback = \"index.html\"\n[log]");
    let config = good(&text);
    let targets: Vec<_> = config.routes.iter().map(|route| route.target).collect();
    assert_eq!(targets, [Target::Files(0), Target::Upstream(0), Target::Files(1)]);
    assert_eq!(config.files[0].root, config.files[1].root);
    assert_eq!(config.files[1].fallback.as_deref(), Some("index.html"));
}

#[test]
fn rules_say_what_they_mean() {
    for (written, meant) in [
        ("\"anyone\"", Rule::Anyone),
        ("{ scope = \"a\" }", Rule::Scope("a".parse().expect("a scope"))),
        ("{ role = \"Admin\" }", Rule::Role("Admin".into())),
        (
            "{ claim = \"tid\", any_of = [\"x\", 3, true] }",
            Rule::Claim { name: "tid".into(), any_of: vec![json!("x"), json!(3), json!(true)] },
        ),
        (
            "{ all = [\"signed-in\", { any = [{ role = \"A\" }, { role = \"B\" }] }] }",
            Rule::All(vec![Rule::SignedIn, Rule::Any(vec![Rule::Role("A".into()), Rule::Role("B".into())])]),
        ),
    ] {
        let config = good(&GOOD.replace("allow = \"anyone\"", &format!("allow = {written}")));
        assert_eq!(config.routes[0].rule, meant, "{written}");
    }
}

#[test]
fn servers_have_the_host_header_of_their_scheme() {
    for (written, https, host, port, authority) in [
        ("https://api.example", true, "api.example", 443, "api.example"),
        ("http://api.localhost:80", false, "api.localhost", 80, "api.localhost"),
        ("https://[::1]:8443", true, "::1", 8443, "[::1]:8443"),
    ] {
        let config = good(&GOOD.replace("http://127.0.0.1:3001", written));
        let server = &config.upstreams[0].servers[0];
        assert_eq!(
            (server.https, &*server.host, server.port, server.authority.as_bytes()),
            (https, host, port, authority.as_bytes()),
            "{written}"
        );
    }
}

#[test]
fn a_token_travels_without_tls_only_where_that_is_said() {
    let text = GOOD.replace("[\"http://127.0.0.1:3001\"]", "[\"http://todo.internal:3001\"]");
    assert!(Folder::new().read(&text).is_err());
    let config = good(&text.replace("[tokens.read]", "plain_http = true\n[tokens.read]"));
    assert!(config.warnings.iter().any(|warning| warning.contains("without TLS")), "{:?}", config.warnings);
    good(&text.replace("http://todo.internal", "https://todo.internal"));
}

#[test]
fn plain_http_stays_on_this_machine() {
    let on_loopback = GOOD
        .replace("https://app.example", "http://localhost:8080")
        .replace("0.0.0.0:8080", "127.0.0.1:8080");
    good(&on_loopback);
    good(&on_loopback.replace("\"127.0.0.1:8080\"", "[\"127.0.0.1:8080\", \"[::1]:8080\"]"));
    for open in [
        on_loopback.replace("127.0.0.1:8080", "10.0.0.1:8080"),
        on_loopback.replace("127.0.0.1:8081", "0.0.0.0:8081"),
    ] {
        assert!(Folder::new().read(&open).is_err());
    }
}

#[test]
fn only_development_in_containers_takes_plain_http_from_every_address_and_says_so() {
    let on_loopback = GOOD
        .replace("https://app.example", "http://localhost:8080")
        .replace("https://login.example", "http://idp.localhost:3002");
    assert!(Folder::new().read(&on_loopback).is_err(), "0.0.0.0 without the switch");
    let switched = format!("development_in_containers = true\n{on_loopback}");
    let config = good(&switched);
    assert_eq!(config.providers[0].localhost, Localhost::Containers);
    assert!(
        matches!(&*config.warnings, [only] if only.contains("in the clear") && only.contains("127.0.0.1")),
        "{:?}",
        config.warnings
    );
    let off = switched.replace("= true", "= false").replace("0.0.0.0:8080", "127.0.0.1:8080");
    assert_eq!(good(&off).providers[0].localhost, Localhost::ThisMachine);
    // What operators do stays inside the container, and a real site cannot have it at all.
    assert!(Folder::new().read(&switched.replace("127.0.0.1:8081", "0.0.0.0:8081")).is_err());
    let real = Folder::new().read(&format!("development_in_containers = true\n{GOOD}")).expect_err("https");
    let told: Vec<_> = real.iter().collect();
    assert!(told.len() == 1 && told[0].key == "development_in_containers", "{real:?}");
}

#[test]
fn the_sessions_cookie_is_lax_and_host_prefixed_unless_said_otherwise() {
    assert_eq!(good(GOOD).session.cookies, Style::default());
    let both = "[session]\nsame_site = \"strict\"\ncookie_prefix = \"__Host-Http-\"";
    let strict = Style { same_site: SameSite::Strict, prefix: Prefix::HostHttp };
    assert_eq!(good(&GOOD.replace("[session]", both)).session.cookies, strict);
    let spelled_out = "[session]\nsame_site = \"lax\"\ncookie_prefix = \"__Host-\"";
    assert_eq!(good(&GOOD.replace("[session]", spelled_out)).session.cookies, Style::default());
}

#[test]
fn a_cookie_prefix_needs_https_and_strictness_does_not() {
    for prefix in ["__Host-", "__Host-Http-"] {
        let text = format!("{LEAST}[session]\ncookie_prefix = \"{prefix}\"\n");
        let problems = Folder::new().read(&text).expect_err("it is http");
        let told: Vec<_> = problems.iter().collect();
        assert!(told.len() == 1 && told[0].key == "session.cookie_prefix", "{problems:?}");
        assert!(told[0].message.contains("over https only"), "{problems:?}");
    }
    let strict = good(&format!("{LEAST}[session]\nsame_site = \"strict\"\n"));
    assert_eq!(strict.session.cookies.same_site, SameSite::Strict);
}

#[test]
fn free_ports_may_be_asked_for_twice() {
    let config = good(&GOOD.replace("0.0.0.0:8080", "127.0.0.1:0").replace("127.0.0.1:8081", "127.0.0.1:0"));
    assert_eq!(config.listen.admin.port(), 0);
}

#[test]
fn what_should_be_known_is_a_warning() {
    for (find, put, warning) in [
        ("127.0.0.1:8081", "0.0.0.0:8081", "listen.admin"),
        (
            "[tokens.read]",
            "[tokens.spare]\nscopes = [\"a\"]\n[tokens.read]",
            "tokens.spare: no route uses it",
        ),
        (
            "[tokens.read]",
            "[upstreams.spare]\nservers = [\"http://127.0.0.1:1\"]\n[tokens.read]",
            "upstreams.spare: no route uses it",
        ),
    ] {
        let warnings = good(&GOOD.replacen(find, put, 1)).warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(warning), "{put}: {warnings:?}");
    }
}

#[test]
fn on_this_machine_the_typed_port_and_the_port_listened_on_should_be_one() {
    let local = |port: u16| {
        let text = GOOD.replacen("https://app.example", &format!("http://localhost:{port}"), 1);
        good(&text.replacen("0.0.0.0:8080", "127.0.0.1:8080", 1)).warnings
    };
    assert!(
        local(8000).iter().any(|warning| warning.contains("http = \"127.0.0.1:8000\"")),
        "{:?}",
        local(8000)
    );
    assert!(!local(8080).iter().any(|warning| warning.contains("public_url says port")), "{:?}", local(8080));
}

#[test]
fn form_post_wants_https() {
    let config =
        good(&GOOD.replacen("scopes = [\"profile\", \"email\"]", "response_mode = \"form_post\"", 1));
    assert_eq!((config.providers[0].response_mode, config.warnings.len()), (ResponseMode::FormPost, 0));
    let config =
        good(&LEAST.replace("client_authentication", "response_mode = \"form_post\"\nclient_authentication"));
    assert!(
        config.warnings.iter().any(|warning| warning.contains("provider.response_mode")),
        "{:?}",
        config.warnings
    );
}

#[test]
fn sessions_are_shared_in_a_redis_under_keys_that_gateways_share() {
    let folder = Folder::new();
    folder.write("new.key", "conQyrwOSdr9iHODfp2kwC5TlsxknDNCVyieJz0fhiA=\n");
    folder.write("old.key", "6HlTb4KotTrEfFJaFP1eQBL68zdqZrteE0hBom76BGc=\n");
    folder.write("redis.password", "short\n");
    let with = |store: &str| {
        let keys = "keys = [{ file = \"new.key\" }, { file = \"old.key\" }]";
        let text = GOOD.replace("\"memory\"", store).replace("[session]", &format!("[session]\n{keys}"));
        folder.read(&text).expect("no problem").session
    };
    let session = with(
        "{ redis = \"rediss://sessions.example:7000/2\", username = \"gateway\", password = { file = \"redis.password\" }, prefix = \"app:\" }",
    );
    assert_eq!(session.keys.len(), 2);
    let Choice::Redis(redis) = session.store else { panic!("a Redis") };
    assert!(redis.tls.is_some() && matches!(redis.mode, Mode::Single(_)));
    assert_eq!((redis.username.as_deref(), redis.database, &*redis.prefix), (Some("gateway"), 2, "app:"));
    assert_eq!(redis.password.expect("one").expose(), "short");

    let session = with(
        "{ sentinels = [\"one\", \"two:26380\"], master = \"main\", tls = true, sentinel_password = { file = \"redis.password\" } }",
    );
    let Choice::Redis(redis) = session.store else { panic!("a Redis") };
    let Mode::Sentinel(sentinels) = &redis.mode else { panic!("Sentinels") };
    assert_eq!((sentinels.addresses.len(), &*sentinels.master), (2, "main"));
    assert!(redis.tls.is_some() && redis.password.is_none() && sentinels.password.is_some());

    let session = with("{ cluster = [\"redis://localhost:7000\", \"redis://localhost:7001\"] }");
    let Choice::Redis(redis) = session.store else { panic!("a Redis") };
    assert!(matches!(&redis.mode, Mode::Cluster(nodes) if nodes.len() == 2));
}

#[test]
fn a_token_may_be_the_gateways_own_or_come_in_exchange_for_another() {
    let tokens = r#"[tokens.own]
kind = "client"
scopes = ["api://todo/.default"]

[tokens.either]
kind = "user-or-client"
audience = "list-api"

[tokens.third]
kind = "on-behalf-of"
scopes = ["c"]
from = "second"

[tokens.second]
kind = "exchange"
resource = "https://b.example/api"
from = "read"

[tokens.read]
resource = ["https://a.example", "https://a.example/other"]
"#;
    let routes = r#"[[routes]]
path = "/own"
upstream = "todo"
allow = "anyone"
token = "own"

[[routes]]
path = "/either"
upstream = "todo"
allow = "anyone"
token = "either"

[[routes]]
path = "/third"
upstream = "todo"
token = "third"

[log]"#;
    let config = good(&GOOD.replace("[tokens.read]\n", tokens).replace("[log]", routes));
    let spec = |name: &str| config.tokens.iter().find(|spec| spec.name == name).expect("there");
    assert_eq!(spec("own").kind, TokenKind::Client);
    assert_eq!(
        (&spec("either").kind, spec("either").audience.as_deref()),
        (&TokenKind::UserOrClient, Some("list-api"))
    );
    let TokenKind::OnBehalfOf(second) = &spec("third").kind else { panic!("on behalf of a person") };
    assert!(std::sync::Arc::ptr_eq(second, spec("second")), "one value in all places");
    assert_eq!(spec("third").root().name, "read");
    assert_eq!(spec("read").resources, ["https://a.example", "https://a.example/other"]);
    assert_eq!(config.providers[0].resources, spec("read").resources, "sign-ins name them too");
    let csrf = |path: &str| {
        let is_it = |route: &&std::sync::Arc<crate::routing::Route>| route.name.as_ref() == path;
        config.routes.iter().find(is_it).map(|route| route.csrf)
    };
    assert_eq!(csrf("/own"), Some(Csrf::Origin));
    assert_eq!(csrf("/either"), Some(Csrf::Header), "a person's data may come back");
    assert_eq!(config.warnings, Vec::<String>::new(), "what is shown for another is used");
}

#[test]
fn a_public_client_gets_no_token_of_its_own() {
    for (kind, is_good) in
        [("client", false), ("user-or-client", false), ("on-behalf-of", false), ("user", true)]
    {
        let from = if kind == "on-behalf-of" { "\nfrom = \"read\"" } else { "" };
        let text = format!(
            "{LEAST}[tokens.read]\nscopes = [\"a\"]\n[tokens.x]\nkind = \"{kind}\"\nscopes = [\"a\"]{from}\n"
        );
        let problems = Folder::new().read(&text).err();
        assert_eq!(problems.is_none(), is_good, "{kind}");
        let is_told = |problems: super::super::Problems| {
            problems
                .iter()
                .any(|problem| problem.key == "tokens.x.kind" && problem.message.contains("public client"))
        };
        assert!(problems.is_none_or(is_told), "{kind}");
    }
}

/// [`GOOD`] with a second provider beside its own.
fn with_two_providers(more: &str) -> String {
    GOOD.replacen("[provider]", "[providers.one]", 1)
        + "\n[providers.two]\nlabel = \"Second\"\nissuer = \"https://two.example\"\nclient_id = \"x\"\nclient_authentication = \"none\"\n"
        + more
}

#[test]
fn several_providers_answer_at_addresses_of_their_own() {
    let config = good(&with_two_providers(
        "\n[[routes]]\npath = \"/two\"\nupstream = \"todo\"\nprovider = \"two\"\n\n[tokens.second]\nscopes = [\"b\"]\nprovider = \"two\"\n\n[[routes]]\npath = \"/both\"\nupstream = \"todo\"\ntoken = \"second\"\n",
    ));
    let seen: Vec<_> = config
        .providers
        .iter()
        .map(|provider| (&*provider.name, provider.label.as_str(), provider.redirect_uri.path()))
        .collect();
    assert_eq!(seen, [("one", "one", "/auth/callback/one"), ("two", "Second", "/auth/callback/two")]);
    let provider = |path: &str| {
        let is_it = |route: &&std::sync::Arc<crate::routing::Route>| route.name.as_ref() == path;
        let route = config.routes.iter().find(is_it).expect("there");
        route.provider.as_ref().map(|provider| (provider.name.to_string(), provider.issuer.to_string()))
    };
    let two = Some(("two".to_owned(), "https://two.example".to_owned()));
    assert_eq!(
        (provider("/two"), provider("/both")),
        (two.clone(), two),
        "also where only the token says so"
    );
}

#[test]
fn providers_that_cannot_be_told_apart_are_refused() {
    let refused = |text: &str, wanted: &str| {
        let problems = Folder::new().read(text).expect_err(wanted);
        assert!(problems.iter().any(|problem| problem.message.contains(wanted)), "{wanted}: {problems:?}");
    };
    let both =
        with_two_providers("") + "\n[provider]\nissuer = \"https://three.example\"\nclient_id = \"x\"\n";
    refused(&both, "short form for a single one");
    let issuer = good(&with_two_providers("")).providers[0].issuer.to_string();
    refused(&with_two_providers("").replace("https://two.example", &issuer), "it has the issuer of `one`");
    let unknown = "\n[[routes]]\npath = \"/x\"\nupstream = \"todo\"\nprovider = \"tow\"\n";
    refused(&with_two_providers(unknown), "there is no provider \"tow\"");
    let own = "\n[tokens.own]\nkind = \"client\"\nscopes = [\"b\"]\n";
    refused(&with_two_providers(own), "which provider gives");
    let contradiction = "\n[tokens.second]\nscopes = [\"b\"]\nprovider = \"two\"\n\n[[routes]]\npath = \"/x\"\nupstream = \"todo\"\nprovider = \"one\"\ntoken = \"second\"\n";
    refused(&with_two_providers(contradiction), "is given by the provider `two`");
    refused("public_url = \"http://localhost:3000\"\n", "`provider` is missing");
}

#[test]
fn traces_go_where_the_collector_is_and_describe_the_gateway() {
    let with = |rest: &str| {
        let text = GOOD.replace("otlp = \"http://127.0.0.1:4318\"", rest);
        good(&text).telemetry.expect("there is a section")
    };
    let settings = with(
        "otlp = \"https://otlp.example/otlp/\"\nsample = 1\nservice_name = \"edge\"\ncontinue_traces = \"everybody\"\n\
         resource = { \"deployment.environment.name\" = \"test\" }\notlp_headers = { X-Api-Key = { env = \"GOOD_SECRET\" } }",
    );
    let collector = settings.collector.expect("something is sent");
    assert_eq!(collector.url.as_str(), "https://otlp.example/otlp/v1/traces");
    assert_eq!((settings.sampling.trust, settings.sampling.threshold), (Trust::Everybody, u64::MAX));
    assert_eq!(collector.resource.0[0], ("service.name".to_owned(), "edge".to_owned()));
    assert_eq!(collector.resource.0[2], ("deployment.environment.name".to_owned(), "test".to_owned()));
    assert_eq!((collector.headers[0].0.as_str(), collector.headers.len()), ("x-api-key", 1));
    for (written, called) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
    ] {
        let settings = with(&format!("otlp = \"{written}\""));
        assert_eq!(settings.collector.expect("something is sent").url.as_str(), called);
        assert!(settings.sampling.threshold > u64::MAX / 101 && settings.sampling.threshold < u64::MAX / 99);
    }
    let passing = with("continue_traces = \"everybody\"");
    assert!(passing.collector.is_none() && !passing.sampling.records);
    assert!(good(LEAST).telemetry.is_none());
}
