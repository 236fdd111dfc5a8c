//! Each way to be wrong, one at a time: exactly one problem, on the right line, with the right key (requirement CF-01).

use super::{Folder, GOOD};

/// Replace `find` by `put`; then the one problem stands on a line holding `line`, has that `key`, and says `message`.
struct Case {
    find: &'static str,
    put: &'static str,
    line: &'static str,
    key: &'static str,
    message: &'static str,
}

const fn case(
    find: &'static str,
    put: &'static str,
    line: &'static str,
    key: &'static str,
    message: &'static str,
) -> Case {
    Case { find, put, line, key, message }
}

const HTTP: &str = r#"http = "0.0.0.0:8080""#;
const ISSUER: &str = r#"issuer = "https://login.example""#;
const SECRET: &str = r#"client_secret = { file = "client.secret" }"#;
const SCOPES: &str = r#"scopes = ["profile", "email"]"#;
const SERVERS: &str = r#"servers = ["http://127.0.0.1:3001"]"#;
const TOKEN: &str = r#"token = "read""#;
const ALLOW: &str = r#"allow = "anyone""#;
const ROUTES: &str = "[log]";
const OTLP: &str = r#"otlp = "http://127.0.0.1:4318""#;

#[rustfmt::skip] // a table is read by its lines
const CASES: &[Case] = &[
    // Text that is not TOML
    case(ISSUER, "issuer = https://login.example", "issuer = h", "", "not TOML"),
    case(ISSUER, "issuer = \"x\"\nissuer = \"y\"", "\"y\"", "", "duplicate key"),
    case("[session]", "[session", "[session", "", "not TOML"),
    // Unknown keys
    case("public_url", "color = 1\npublic_url", "color", "color", "unknown key"),
    case("[listen]", "[listen]\nadress = 1", "adress", "listen.adress", "unknown key"),
    case(SCOPES, "scope = [\"profile\"]", "scope =", "provider.scope", "unknown key"),
    case("[session]", "[sesion]", "[sesion]", "sesion", "unknown key"),
    case(TOKEN, "tokens = \"read\"", "tokens", "routes[1].tokens", "unknown key"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\ntimeout = \"3s\"", "timeout", "upstreams.todo.timeout", "unknown key"),
    case(SECRET, "client_secret = { path = \"client.secret\", env = \"GOOD_SECRET\" }", "path", "provider.client_secret.path", "unknown key"),
    // Wrong types
    case("\"https://app.example\"", "443", "public_url", "public_url", "expected a string"),
    case("[listen]", "[listen]\nworkers = \"4\"", "workers", "listen.workers", "expected a whole number"),
    case(SCOPES, "scopes = \"profile email\"", "scopes", "provider.scopes", "expected a list"),
    case(SCOPES, "scopes = [\"profile\", 7]", "scopes", "provider.scopes[1]", "expected a string"),
    case("[log]", "[log]\naccess = \"yes\"", "access", "log.access", "expected true or false"),
    case("[upstreams.todo]\n", "[upstreams]\nserver = 1\n[upstreams.todo]\n", "server =", "upstreams.server", "expected a table"),
    case("level = \"info\"", "[log.access]", "[log.access]", "log.access", "expected true or false"),
    // Proxies in front
    case("[listen]", "[listen]\ntrusted_proxies = [\"0.0.0.0/0\"]", "trusted", "listen.trusted_proxies[0]", "trusts everybody"),
    case("[listen]", "[listen]\ntrusted_proxies = [\"::/0\"]", "trusted", "listen.trusted_proxies[0]", "trusts everybody"),
    case("[listen]", "[listen]\ntrusted_proxies = [\"::ffff:0:0/96\"]", "trusted", "listen.trusted_proxies[0]", "trusts everybody"),
    case("[listen]", "[listen]\ntrusted_proxies = [\"10.0.0.1/8\"]", "trusted", "listen.trusted_proxies[0]", "one address and a network at once"),
    case("[listen]", "[listen]\ntrusted_proxies = [\"proxy.example\"]", "trusted", "listen.trusted_proxies[0]", "neither an address nor a network"),
    case("[listen]", "[listen]\nproxy_header = \"forwarded\"", "proxy_header", "listen.proxy_header", "nobody's word counts"),
    case("[listen]", "[listen]\ntrusted_proxies = [\"10.0.0.0/8\"]\nproxy_header = \"x-real-ip\"", "proxy_header", "listen.proxy_header", "not a choice here"),
    // Limits
    case("[log]", "[limits]\nconnections_per_address = 0\n[log]", "connections", "limits.connections_per_address", "out of bounds"),
    case("[log]", "[limits]\nconnections_per_address = \"many\"\n[log]", "connections", "limits.connections_per_address", "expected a number, or"),
    case("[log]", "[limits]\nauth = { requests = 5 }\n[log]", "auth", "limits.auth.per", "`per` is missing"),
    case("[log]", "[limits]\nauth_per_client = { requests = 5, per = \"10ms\" }\n[log]", "auth", "limits.auth_per_client.per", "out of bounds"),
    case(TOKEN, "rate_limit = { requests = 5, per = \"1m\", by = \"person\" }", "rate_limit", "routes[1].rate_limit.by", "not a choice here"),
    case(TOKEN, "max_body = \"10 megabytes\"", "max_body", "routes[1].max_body", "not a size"),
    case(TOKEN, "max_body = -1", "max_body", "routes[1].max_body", "not negative"),
    case(ALLOW, "allow = \"anyone\"\nmax_body = \"1MiB\"", "max_body", "routes[0].max_body", "nobody sends a body to files"),
    // Scripts of other origins
    case(TOKEN, "cors = { origins = [\"*\"], credentials = true }", "cors", "routes[1].cors.origins[0]", "every site could then act"),
    case(TOKEN, "cors = { origins = [\"*\", \"https://a.example\"] }", "cors", "routes[1].cors.origins[0]", "every origin already"),
    case(TOKEN, "cors = { origins = [\"https://*.example\"] }", "cors", "routes[1].cors.origins[0]", "no patterns"),
    case(TOKEN, "cors = { origins = [\"null\"] }", "cors", "routes[1].cors.origins[0]", "no origin"),
    case(TOKEN, "cors = { origins = [\"http://a.example\"] }", "cors", "routes[1].cors.origins[0]", "plain http"),
    case(TOKEN, "cors = { origins = [] }", "cors", "routes[1].cors.origins", "no origin may read"),
    case(TOKEN, "cors = { credentials = true }", "cors", "routes[1].cors.origins", "`origins` is missing"),
    case(TOKEN, "methods = [\"GET\"]\ncors = { origins = [\"*\"], methods = [\"POST\"] }", "cors", "routes[1].cors.methods[0]", "does not take POST"),
    case(TOKEN, "cors = { origins = [\"*\"], headers = [\"a b\"] }", "cors", "routes[1].cors.headers[0]", "not the name of a header"),
    case(ALLOW, "allow = \"anyone\"\ncors = { origins = [\"https://a.example\"], credentials = true }", "cors", "routes[0].cors", "a session plays no part"),
    // What answers wear
    case(TOKEN, "compress = \"yes\"", "compress", "routes[1].compress", "not a choice here"),
    case(TOKEN, "cache_control = \"public, max-age=60\"", "cache_control", "routes[1].cache_control", "what one of them was shown"),
    case(TOKEN, "cache_control = \"max-age=60\"", "cache_control", "routes[1].cache_control", "what one of them was shown"),
    case(TOKEN, "cache_control = \"private, s-maxage=60\"", "cache_control", "routes[1].cache_control", "what one of them was shown"),
    case(ALLOW, "allow = \"anyone\"\ncache_control = \"public,,\"", "cache_control", "routes[0].cache_control", "not a Cache-Control header"),
    // The address
    case("https://app.example", "app.example", "public_url", "public_url", "no public address"),
    case("https://app.example", "https://app.example/app", "public_url", "public_url", "must end after the host"),
    case("https://app.example", "http://app.example", "public_url", "public_url", "plain http is for loopback only"),
    case("https://app.example", "https://<your host>", "public_url", "public_url", "placeholder"),
    case("https://app.example", "http://localhost:8080", "http =", "listen.http", "can be reached from other machines"),
    // Listeners
    case(HTTP, "http = \"localhost:8080\"", "localhost", "listen.http", "not an address to listen on"),
    case(HTTP, "http = \":8080\"", ":8080", "listen.http", "not an address to listen on"),
    case(HTTP, "http = []", "http", "listen.http", "listen nowhere"),
    case(HTTP, "http = [\"10.0.0.1:80\", \"10.0.0.1:80\"]", "http", "listen.http[1]", "taken already by listen.http[0]"),
    case(HTTP, "http = \"127.0.0.1:8081\"", "admin", "listen.admin", "taken already by listen.http"),
    case(HTTP, "http = \"0.0.0.0:8081\"", "admin", "listen.admin", "taken already by listen.http"),
    case("[listen]", "[listen]\nworkers = 0", "workers", "listen.workers", "out of bounds"),
    case("[listen]", "[listen]\nhttps = \"0.0.0.0:443\"", "\"0.0.0.0:443\"", "listen.https", "TLS needs a certificate"),
    case("[listen]", "[tls]\ncertificates = [{ certificate = { file = \"site.pem\" }, key = { file = \"site.key\" } }]\n[listen]", "tls", "tls", "nobody is shown these certificates"),
    case("[listen]", "[listen.timeouts]\nhandshake = \"10m\"\n[listen]", "\"10m\"", "listen.timeouts.handshake", "10m is out of bounds"),
    // The provider
    case(ISSUER, "issuer = \"http://login.example\"", "issuer", "provider.issuer", "plain http is for loopback only"),
    case(ISSUER, "issuer = \"login.example\"", "issuer", "provider.issuer", "not an absolute URL"),
    case(ISSUER, "issuer = \"https://login.example?tenant=1\"", "issuer", "provider.issuer", "no query"),
    case(ISSUER, "issuer = \"https://login.example/<tenant id>/v2.0\"", "issuer", "provider.issuer", "placeholder"),
    case(ISSUER, "issuer = \"https://login.example/.well-known/openid-configuration\"", "issuer", "provider.issuer", "not the issuer"),
    case(ISSUER, "issuer = \"https://login.example/{tenantid}/v2.0\"\nmetadata_url = \"https://login.example/m\"", "{tenantid}", "provider.issuer", "needs the tenants"),
    case(ISSUER, "issuer = \"https://login.example/{tenantid}/v2.0\"\ntenants = [\"a-tenant\"]", "{tenantid}", "provider.issuer", "where the metadata is"),
    case(ISSUER, "issuer = \"https://login.example/{tenant}/v2.0\"", "issuer", "provider.issuer", "only {tenantid}"),
    case(ISSUER, "issuer = \"https://login.example\"\nmetadata_url = \"http://login.example/m\"", "metadata_url", "provider.metadata_url", "plain http"),
    case("client_id = \"todo-web\"", "client_id = \"\"", "client_id", "provider.client_id", "not a client ID"),
    case("\"todo-web\"", "\"Enter_the_Application_Id_Here\"", "client_id", "provider.client_id", "placeholder"),
    case(SECRET, "", "[provider]", "provider.client_secret", "no credential"),
    case(SECRET, "client_authentication = \"client_secret_post\"", "[provider]", "provider.client_secret", "needs a secret"),
    case(SECRET, "client_authentication = \"none\"\nclient_secret = { file = \"client.secret\" }", "client_secret", "provider.client_secret", "does not go with"),
    case(SECRET, "client_secret = { file = \"client.secret\" }\nclient_authentication = \"basic\"", "\"basic\"", "provider.client_authentication", "not a choice"),
    case(SECRET, "client_secret = { file = \"client.secret\" }\nclient_key = { file = \"client.key\" }", "client_key", "provider.client_key", "does not go with"),
    case(SECRET, "client_secret = { file = \"client.secret\" }\nclient_assertion_audience = \"issuer\"", "client_assertion", "provider.client_assertion_audience", "does not go with"),
    case(SECRET, "client_authentication = \"private_key_jwt\"", "[provider]", "provider.client_key", "needs a private key"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = []", "client_key", "provider.client_key", "sensible number"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = { file = \"none\" }", "client_key", "provider.client_key.file", "cannot be read"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = { file = \"client.secret\" }", "client_key", "provider.client_key.file", "fewer than 64"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = { env = \"LONG\" }", "client_key", "provider.client_key", "no private key"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = [{ file = \"client.key\" }, { file = \"client.key\" }]", "client_key", "provider.client_key[1]", "twice"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = { file = \"client.key\" }\nclient_key_algorithm = \"ES256\"", "algorithm", "provider.client_key_algorithm", "not a choice"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = { file = \"client.key\" }\nclient_certificate = { file = \"none\" }", "certificate", "provider.client_certificate.file", "cannot be read"),
    case(SECRET, "client_authentication = \"private_key_jwt\"\nclient_key = { file = \"client.key\" }\nclient_certificate = { file = \"client.key\" }", "certificate", "provider.client_certificate.file", "no certificate"),
    case(SECRET, "client_authentication = \"tls_client_auth\"\nclient_key = { file = \"client.key\" }", "[provider]", "provider.client_certificate", "needs a certificate"),
    case("issuer = \"https://login.example\"\nclient_id = \"todo-web\"\nclient_secret = { file = \"client.secret\" }", "issuer = \"https://login.example/{tenantid}\"\nmetadata_url = \"https://login.example/m\"\ntenants = [\"t\"]\nclient_id = \"todo-web\"\nclient_authentication = \"private_key_jwt\"\nclient_key = { file = \"client.key\" }", "[provider]", "provider.client_assertion_audience", "many tenants"),
    case(SCOPES, "scopes = [\"email\", \"email\"]", "scopes", "provider.scopes[1]", "twice"),
    case(SCOPES, "scopes = [\"profile email\"]", "scopes", "provider.scopes[0]", "one string per scope"),
    case(SCOPES, "scopes = [\"profil\\u00e9\"]", "scopes", "provider.scopes[0]", "must not hold"),
    case(SCOPES, "response_mode = \"fragment\"", "fragment", "provider.response_mode", "not a choice"),
    case(SCOPES, "id_token_algorithms = [\"none\"]", "none", "provider.id_token_algorithms[0]", "proves nothing"),
    case(SCOPES, "id_token_algorithms = [\"HS256\"]", "HS256", "provider.id_token_algorithms[0]", "proves nothing"),
    case(SCOPES, "id_token_algorithms = []", "id_token", "provider.id_token_algorithms", "no ID token could be accepted"),
    case(SCOPES, "tenants = [\"*\"]", "tenants", "provider.tenants[0]", "not a tenant"),
    case(SCOPES, "pass_parameters = [\"login_hint\", \"redirect_uri\"]", "pass", "provider.pass_parameters[1]", "belongs to the protocol"),
    case(SCOPES, "pass_parameters = [\"prompt\"]", "pass", "provider.pass_parameters[0]", "belongs to the protocol"),
    case(SCOPES, "pass_parameters = [\"a b\"]", "pass", "provider.pass_parameters[0]", "not a parameter name"),
    case(SCOPES, "par = \"sometimes\"", "par", "provider.par", "not a choice"),
    case(SCOPES, "prompt = \"none\"", "prompt", "provider.prompt", "not a choice"),
    case(SCOPES, "max_age = \"2y\"", "max_age", "provider.max_age", "not a duration"),
    case(SCOPES, "max_age = \"400d\"", "max_age", "provider.max_age", "out of bounds"),
    case(SCOPES, "acr_values = [\"gold\", \"a b\"]", "acr", "provider.acr_values[1]", "not one `acr` value"),
    case(SCOPES, "acr_required = true", "acr", "provider.acr_required", "no `acr_values`"),
    case(SCOPES, "resources = [\"todo\"]", "resources", "provider.resources[0]", "absolute URI"),
    case(SCOPES, "claims = \"{\"", "claims", "provider.claims", "not a `claims` request"),
    case(SCOPES, "claims = {}", "claims", "provider.claims", "not a `claims` request"),
    case(SCOPES, "claims = { id_token = { exp = { value = 1979-05-27 } } }", "claims", "provider.claims", "not a `claims` request"),
    case(SCOPES, "extra_parameters = { state = \"x\" }", "extra", "provider.extra_parameters.state", "not for `extra_parameters`"),
    case(SCOPES, "extra_parameters = { prompt = \"login\" }", "extra", "provider.extra_parameters.prompt", "not for `extra_parameters`"),
    case(SCOPES, "extra_parameters = { \"a b\" = \"x\" }", "extra", "provider.extra_parameters.a b", "not a parameter name"),
    case(SCOPES, "extra_parameters = { hint = 7 }", "extra", "provider.extra_parameters.hint", "is a text"),
    case(SCOPES, "extra_parameters = { hint = \"\" }", "extra", "provider.extra_parameters.hint", "is a text"),
    case(SCOPES, "userinfo = \"always\"", "userinfo", "provider.userinfo", "does not say which"),
    case(SCOPES, "userinfo_claims = [\"groups\"]", "userinfo", "provider.userinfo_claims", "never asked"),
    case(SCOPES, "userinfo = \"sometimes\"", "userinfo", "provider.userinfo", "not a choice"),
    case(SCOPES, "userinfo = \"always\"\nuserinfo_claims = [\"groups\", \"sub\"]", "claims", "provider.userinfo_claims[1]", "ID token alone"),
    // Traces
    case(OTLP, "otlp = \"collector:4318\"", "otlp", "telemetry.otlp", "not the URL of a collector"),
    case(OTLP, "otlp = \"grpc://collector.example:4317\"", "otlp", "telemetry.otlp", "reached by http or https"),
    case(OTLP, "otlp = \"https://me:word@collector.example\"", "otlp", "telemetry.otlp", "user name or password"),
    case(OTLP, "otlp = \"https://collector.example?key=7\"", "otlp", "telemetry.otlp", "neither query nor fragment"),
    case(OTLP, "sample = 0.5", "sample", "telemetry.sample", "goes with `otlp`"),
    case(OTLP, "otlp = \"http://127.0.0.1:4318\"\nsample = 1.5", "sample", "telemetry.sample", "from 0 to 1"),
    case(OTLP, "otlp = \"http://127.0.0.1:4318\"\nsample = nan", "sample", "telemetry.sample", "from 0 to 1"),
    case(OTLP, "otlp = \"http://127.0.0.1:4318\"\nservice_name = \"\"", "service_name", "telemetry.service_name", "describes nothing"),
    case(OTLP, "otlp = \"http://127.0.0.1:4318\"\nresource = { \"service.name\" = \"x\" }", "resource", "telemetry.resource.service.name", "not an attribute to set here"),
    case(OTLP, "otlp = \"http://127.0.0.1:4318\"\nresource = { region = 7 }", "resource", "telemetry.resource.region", "expected a string"),
    case(OTLP, "otlp = \"http://127.0.0.1:4318\"\notlp_headers = { x-api-key = \"Zp4vR8sK1wQ6\" }", "otlp_headers", "telemetry.otlp_headers.x-api-key", "must not stand in the configuration"),
    case(OTLP, "otlp = \"http://127.0.0.1:4318\"\notlp_headers = { host = { env = \"GOOD_SECRET\" } }", "otlp_headers", "telemetry.otlp_headers.host", "not a header to set"),
    case(OTLP, "otlp = \"http://collector.example:4318\"\notlp_headers = { x-api-key = { env = \"GOOD_SECRET\" } }", "otlp =", "telemetry.otlp", "would travel without TLS"),
    case(OTLP, "continue_traces = \"everyone\"", "continue", "telemetry.continue_traces", "not a choice"),
    // Sessions
    case("\"30m\"", "30", "idle", "session.idle", "needs a unit"),
    case("\"30m\"", "\"half an hour\"", "idle", "session.idle", "not a duration"),
    case("\"30m\"", "\"9h\"", "idle", "session.idle", "cannot idle longer"),
    case("\"30m\"", "\"1s\"", "idle", "session.idle", "out of bounds"),
    case("\"8h\"", "\"365d\"", "absolute", "session.absolute", "out of bounds"),
    case("\"30m\"", "\"30m\"\nrotate = \"1s\"", "rotate", "session.rotate", "out of bounds"),
    case("\"30m\"", "\"30m\"\nmax_per_user = 0", "max_per_user", "session.max_per_user", "that many sessions"),
    case("\"memory\"", "\"disk\"", "store", "session.store", "not a store"),
    case("\"memory\"", "\"redis://host\"", "store", "session.store", "not a store"),
    case("\"memory\"", "{}", "store", "session.store", "does not say where"),
    case("\"memory\"", "{ file = \"web\" }", "store", "session.store.file", "not the name of a file"),
    case("\"memory\"", "{ file = \"web/sessions.db\" }", "files", "routes[0].files", "must stay secret"),
    case("\"memory\"", "{ file = \"a.db\", password = { env = \"SECRET\" } }", "store", "session.store.password", "a file has no"),
    case("\"memory\"", "{ file = \"a.db\", redis = \"redis://localhost\" }", "store", "session.store", "one place only"),
    case("\"memory\"", "{ redis = \"rediss://user:pw@host\" }", "store", "session.store.redis", "password must not stand"),
    case("\"memory\"", "{ cluster = [\"rediss://user:pw@host\"] }", "store", "session.store.cluster[0]", "password must not stand"),
    case("\"memory\"", "{ redis = \"http://localhost\" }", "store", "session.store.redis", "write redis://"),
    case("\"memory\"", "{ redis = \"redis://localhost\" }", "[session]", "session.keys", "need a key of their own"),
    case("\"memory\"", "{ redis = \"redis://localhost\", username = \"u\" }", "store", "session.store.redis", "without a password"),
    case("\"memory\"", "{ redis = \"redis://localhost\", ca = \"none.pem\" }", "store", "session.store.ca", "cannot be read"),
    case("\"memory\"", "{ redis = \"redis://localhost\", database = -1 }", "store", "session.store.database", "no database of that number"),
    case("\"memory\"", "{ redis = \"redis://localhost\", sentinel_username = \"u\" }", "store", "session.store", "are for `sentinels`"),
    case("\"memory\"", "{ sentinels = [\"localhost\"] }", "store", "session.store.master", "is missing"),
    case("[session]", "[session]\nkeys = []", "keys", "session.keys", "no key in this list"),
    case("[session]", "[session]\nkeys = [\"abc\"]", "keys", "session.keys[0]", "must not stand"),
    case("[session]", "[session]\nkeys = [{ file = \"client.secret\" }]", "keys", "session.keys[0].file", "fewer than 32"),
    case("[session]", "[session]\nclaims = [\"*\"]", "claims", "session.claims[0]", "not the name of a claim"),
    case("[session]", "[session]\nsame_site = \"none\"", "none", "session.same_site", "not a choice"),
    case("[session]", "[session]\ncookie_prefix = \"__Secure-\"", "__Secure-", "session.cookie_prefix", "not a choice"),
    // Upstreams and tokens
    case(SERVERS, "servers = []", "servers", "upstreams.todo.servers", "at least one server"),
    case(SERVERS, "servers = [\"127.0.0.1:3001\"]", "servers", "upstreams.todo.servers[0]", "not the URL of a server"),
    case(SERVERS, "servers = [\"ftp://127.0.0.1\"]", "servers", "upstreams.todo.servers[0]", "http or https"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001/api\"]", "servers", "upstreams.todo.servers[0]", "scheme, host and port only"),
    case(SERVERS, "servers = [\"http://u:p@127.0.0.1:3001\"]", "servers", "upstreams.todo.servers[0]", "user name or password"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\", \"http://127.0.0.1:3001/\"]", "servers", "upstreams.todo.servers[1]", "twice"),
    case(SERVERS, "servers = [\"http://localhost:8080\"]", "servers", "upstreams.todo.servers[0]", "round in circles"),
    case(SERVERS, "servers = [\"http://10.0.0.7:3001\"]", "token =", "routes[1].token", "without TLS"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nconnect = \"2h\"", "connect", "upstreams.todo.connect", "out of bounds"),
    case(SERVERS, "servers = [7]", "servers", "upstreams.todo.servers[0]", "expected a string"),
    case(SERVERS, "servers = [{ weight = 2 }]", "servers", "upstreams.todo.servers[0].url", "`url` is missing"),
    case(SERVERS, "servers = [{ url = \"http://127.0.0.1:3001\", weight = 0 }]", "weight", "upstreams.todo.servers[0].weight", "out of bounds"),
    case(SERVERS, "servers = [{ url = \"http://127.0.0.1:3001\", wait = 2 }]", "wait", "upstreams.todo.servers[0].wait", "unknown key"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nprotocol = \"h2\"", "protocol", "upstreams.todo.protocol", "HTTP/2 over TLS"),
    case(SERVERS, "servers = [\"https://127.0.0.1:3001\"]\nprotocol = \"h2c\"", "protocol", "upstreams.todo.protocol", "HTTP/2 without TLS"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nprotocol = \"http2\"", "protocol", "upstreams.todo.protocol", "not a choice"),
    case(SERVERS, "servers = [\"https://127.0.0.1:3001\"]\nca = \"none.pem\"", "ca =", "upstreams.todo.ca", "cannot be read"),
    case(SERVERS, "servers = [\"https://127.0.0.1:3001\"]\nca = \"client.key\"", "ca =", "upstreams.todo.ca", "no certificate in PEM form"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nserver_name = \"api.example\"", "server_name", "upstreams.todo.server_name", "servers that speak TLS"),
    case(SERVERS, "servers = [\"https://127.0.0.1:3001\"]\nserver_name = \"a b\"", "server_name", "upstreams.todo.server_name", "not a name"),
    case(SERVERS, "servers = [\"https://127.0.0.1:3001\"]\nclient_key = { file = \"client.key\" }", "client_key", "upstreams.todo.client_key", "come together"),
    case(SERVERS, "servers = [\"https://127.0.0.1:3001\"]\nclient_certificate = { file = \"none.pem\" }\nclient_key = { file = \"client.key\" }", "none.pem", "upstreams.todo.client_certificate.file", "cannot be read"),
    case(SERVERS, "servers = [\"https://127.0.0.1:3001\"]\nclient_certificate = { file = \"client.key\" }\nclient_key = { file = \"client.key\" }", "client_certificate", "upstreams.todo.client_certificate.file", "no certificate in PEM form"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nmax_connections = 0", "max_connections", "upstreams.todo.max_connections", "out of bounds"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nqueue = { length = 1 }", "queue", "upstreams.todo.queue", "nobody ever waits"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nhealth = { path = \"healthz\" }", "health", "upstreams.todo.health.path", "not the path"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nhealth = { interval = \"5s\" }", "health", "upstreams.todo.health.path", "`path` is missing"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\neject = { time = \"10m\", longest = \"1m\" }", "eject", "upstreams.todo.eject.longest", "shorter than `time`"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\neject = true", "eject", "upstreams.todo.eject", "expected a table"),
    case(SERVERS, "servers = [\"http://127.0.0.1:3001\"]\nresolve = \"2m\"", "resolve", "upstreams.todo.resolve", "out of bounds"),
    case("[upstreams.todo]", "[upstreams.\"a b\"]\nservers = [\"http://127.0.0.1:1\"]\n[upstreams.todo]", "a b", "upstreams.a b", "cannot be used"),
    case("[\"api://todo/Read\"]", "[]", "scopes = []", "tokens.read.scopes", "at least one scope"),
    case("[\"api://todo/Read\"]", "[\"<scope>\"]", "<scope>", "tokens.read.scopes[0]", "placeholder"),
    case("scopes = [\"api://todo/Read\"]", "", "[tokens.read]", "tokens.read.scopes", "at least one scope"),
    case("scopes = [\"api://todo/Read\"]", "resource = \"todo\"", "resource", "tokens.read.resource", "absolute URI"),
    case("scopes = [\"api://todo/Read\"]", "resource = [\"https://a.example\", \"https://a.example/#b\"]", "resource", "tokens.read.resource[1]", "absolute URI"),
    case("scopes = [\"api://todo/Read\"]", "audience = \"\"", "audience", "tokens.read.audience", "names no API"),
    case("[tokens.read]", "[tokens.read]\nkind = \"app\"", "kind", "tokens.read.kind", "not a choice"),
    case("[tokens.read]", "[tokens.read]\nfrom = \"read\"", "from", "tokens.read.from", "goes with tokens that are got in exchange"),
    case("[tokens.read]", "[tokens.read]\nkind = \"exchange\"", "[tokens.read]", "tokens.read.from", "missing"),
    case("[tokens.read]", "[tokens.read]\nkind = \"exchange\"\nfrom = \"user\"", "from", "tokens.read.from", "no token \"user\""),
    case("[tokens.read]", "[tokens.read]\nkind = \"exchange\"\nfrom = \"read\"", "from", "tokens.read.from", "read from read"),
    case("[tokens.read]", "[tokens.other]\nkind = \"on-behalf-of\"\nscopes = [\"a\"]\nfrom = \"read\"\n[tokens.read]\nkind = \"exchange\"\nfrom = \"other\"", "from = \"other\"", "tokens.read.from", "circles"),
    case("[tokens.read]", "[tokens.own]\nkind = \"client\"\nscopes = [\"a\"]\n[tokens.read]\nkind = \"exchange\"\nfrom = \"own\"", "from", "tokens.read.from", "no person"),
    // Routes
    case("path = \"/api\"", "path = \"api\"", "path", "routes[1].path", "starts with a slash"),
    case("path = \"/api\"", "path = \"/api/*\"", "path", "routes[1].path", "not a pattern"),
    case("path = \"/api\"", "path = \"^/api\"", "path", "routes[1].path", "not a pattern"),
    case("path = \"/api\"", "path = \"/api/../x\"", "path", "routes[1].path", "dot segment"),
    case("path = \"/api\"", "path = \"/%61pi\"", "path", "routes[1].path", "simpler spelling"),
    case("path = \"/api\"", "path = \"/auth/callback\"", "path", "routes[1].path", "belongs to the gateway"),
    case("path = \"/api\"", "path = \"/auth\"", "path", "routes[1].path", "belongs to the gateway"),
    case("path = \"/api\"", "path = \"/%61uth\"", "path", "routes[1].path", "simpler spelling"),
    case(TOKEN, "methods = []", "methods", "routes[1].methods", "nobody reaches"),
    case(TOKEN, "methods = [\"get\"]", "methods", "routes[1].methods[0]", "not a method"),
    case(TOKEN, "methods = [\"TRACE\"]", "methods", "routes[1].methods[0]", "never forwarded"),
    case(TOKEN, "methods = [\"GET\", \"GET\"]", "methods", "routes[1].methods[1]", "twice"),
    case(ALLOW, "methods = [\"GET\", \"POST\"]", "methods", "routes[0].methods[1]", "GET and HEAD only"),
    case("upstream = \"todo\"", "upstream = \"tudo\"", "upstream", "routes[1].upstream", "no upstream \"tudo\""),
    case(TOKEN, "token = \"write\"", "token", "routes[1].token", "no token \"write\""),
    case("upstream = \"todo\"\ntoken = \"read\"", "", "[[routes]]", "routes[1]", "leads nowhere"),
    case(TOKEN, "files = \"web\"", "upstream", "routes[1].upstream", "leads to one place"),
    case(ALLOW, "token = \"read\"", "token", "routes[0].token", "for an upstream"),
    case(TOKEN, "token = \"read\"\nallow = \"anyone\"", "token", "routes[1].token", "nobody's token"),
    case(TOKEN, "websocket = \"yes\"", "websocket", "routes[1].websocket", "expected true or false"),
    case(TOKEN, "websocket = true\nmethods = [\"POST\"]", "websocket", "routes[1].websocket", "opened with GET"),
    case(ALLOW, "allow = \"anyone\"\nwebsocket = true", "websocket", "routes[0].websocket", "opened to an upstream"),
    case(TOKEN, "grpc = true", "grpc", "routes[1].grpc", "spoken over HTTP/2"),
    case(ALLOW, "allow = \"anyone\"\ntrailers = true", "trailers", "routes[0].trailers", "only what is forwarded"),
    case(TOKEN, "timeouts = { idle = \"1ms\" }", "timeouts", "routes[1].timeouts.idle", "out of bounds"),
    case(TOKEN, "timeouts = { streams = true }", "timeouts", "routes[1].timeouts.streams", "no time-out"),
    case(TOKEN, "retries = { attempts = 1 }", "retries", "routes[1].retries.attempts", "out of bounds"),
    case(TOKEN, "retries = { on = [] }", "retries", "routes[1].retries.on", "nothing is ever sent again"),
    case(TOKEN, "retries = { on = [\"500\"] }", "retries", "routes[1].retries.on[0]", "nothing to retry after"),
    case(TOKEN, "csrf = \"off\"", "csrf", "routes[1].csrf", "not a choice"),
    case(TOKEN, "fallback = \"index.html\"", "fallback", "routes[1].fallback", "goes with `files`"),
    case("files = \"web\"", "files = \"webb\"", "files", "routes[0].files", "cannot be opened"),
    case("files = \"web\"", "files = \"client.secret\"", "files", "routes[0].files", "not a folder"),
    case("files = \"web\"", "files = \".\"", "files", "routes[0].files", "configuration file"),
    case(ALLOW, "fallback = \"../client.secret\"", "fallback", "routes[0].fallback", "not a file name"),
    case(TOKEN, "content_security_policy = \"default-src 'self'\"", "content_security_policy", "routes[1].content_security_policy", "goes with `files`"),
    case(ALLOW, "content_security_policy = \"a\\nb\"", "content_security_policy", "routes[0].content_security_policy", "not a header value"),
    case(ALLOW, "fallback = \"app.html\"", "fallback", "routes[0].fallback", "no file"),
    case(ROUTES, "[[routes]]\npath = \"/api/\"\nmethods = [\"GET\"]\nupstream = \"todo\"\n[log]", "[[routes]]", "routes[2]", "routes[1] takes GET"),
    // Rules
    case(ALLOW, "allow = \"public\"", "allow", "routes[0].allow", "not a rule"),
    case(ALLOW, "allow = true", "allow", "routes[0].allow", "expected a rule"),
    case(ALLOW, "allow = {}", "allow", "routes[0].allow", "needs a condition"),
    case(ALLOW, "allow = { role = \"A\", scope = \"b\" }", "allow", "routes[0].allow", "one condition, not 2"),
    case(ALLOW, "allow = { role = \"\" }", "allow", "routes[0].allow.role", "never matches"),
    case(ALLOW, "allow = { scope = \"a b\" }", "allow", "routes[0].allow.scope", "must not hold"),
    case(ALLOW, "allow = { claim = \"tid\" }", "allow", "routes[0].allow.any_of", "missing"),
    case(ALLOW, "allow = { claim = \"tid\", any_of = [] }", "allow", "routes[0].allow.any_of", "nobody passes"),
    case(ALLOW, "allow = { claim = \"tid\", any_of = [1.5] }", "allow", "routes[0].allow.any_of[0]", "found a fraction"),
    case(ALLOW, "allow = { role = \"A\", any_of = [\"x\"] }", "allow", "routes[0].allow.any_of", "goes with `claim`"),
    case(ALLOW, "allow = { all = [] }", "allow", "routes[0].allow.all", "empty list"),
    case(ALLOW, "allow = { any = [\"anyone\", { role = \"A\" }] }", "allow", "routes[0].allow.any[0]", "must stand alone"),
    case(ALLOW, "allow = { all = [{ roll = \"A\", role = \"B\" }] }", "allow", "routes[0].allow.all[0].roll", "unknown key"),
    // Logging
    case("level = \"info\"", "level = \"inof\"", "level", "log.level", "not a level"),
    case("level = \"info\"", "level = \"info,gateway[x]=debug\"", "level", "log.level", "not a level"),
    case("level = \"info\"", "format = \"xml\"", "format", "log.format", "not a choice"),
];

/// What the tests below expected and did not see, if anything.
fn surprise(folder: &Folder, case: &Case) -> Option<String> {
    let Case { find, put, line, key, message } = case;
    if !GOOD.contains(find) {
        return Some(format!("{find} is not in the good configuration"));
    }
    let text = GOOD.replacen(find, put, 1);
    let Err(problems) = folder.read(&text) else {
        return Some(format!("{put}: nothing is wrong"));
    };
    let found: Vec<_> = problems.iter().collect();
    let [problem] = found[..] else {
        return Some(format!("{put}: one problem was expected\n{problems:?}"));
    };
    let shown = text.lines().nth(problem.line - 1).unwrap_or_default();
    let place = format!("gateway.toml:{}:{}", problem.line, problem.column);
    let right = problem.key == *key
        && problem.message.contains(message)
        && shown.contains(line)
        && !problem.help.is_empty();
    (!right || !problems.to_string().contains(&place))
        .then(|| format!("{put}: {key}: {message}\n{problems:?}"))
}

#[test]
fn each_way_to_be_wrong_is_one_problem_in_its_place() {
    let folder = Folder::new();
    let surprises: Vec<String> = CASES.iter().filter_map(|case| surprise(&folder, case)).collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    assert!(CASES.len() >= 50);
}

#[test]
fn all_problems_are_told_at_once_whatever_their_kind() {
    let text = GOOD
        .replacen("https://app.example", "http://app.example", 1)
        .replacen("[listen]", "[listen]\nadress = 1", 1)
        .replacen(SCOPES, "scopes = [7, \"a b\"]", 1)
        .replacen(SECRET, "client_secret = { file = \"none\" }", 1)
        .replacen("\"30m\"", "30", 1)
        .replacen("upstream = \"todo\"", "upstream = \"tudo\"", 1)
        .replacen(ROUTES, "[[routes]]\npath = \"/api\"\nupstream = \"todo\"\nallow = \"public\"\n[log]", 1)
        .replacen("level = \"info\"", "level = 1", 1);
    let problems = Folder::new().read(&text).expect_err("much is wrong");
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    let wanted = [
        "public_url",
        "listen.adress",
        "provider.client_secret.file",
        "provider.scopes[0]",
        "provider.scopes[1]",
        "session.idle",
        "routes[1].upstream",
        "routes[2]",
        "routes[2].allow",
        "log.level",
    ];
    assert_eq!(keys, wanted);
}

#[test]
fn a_slip_of_the_pen_gets_the_right_name_suggested() {
    let folder = Folder::new();
    for (find, put, help) in [
        (SCOPES, "scope = []", "did you mean `scopes`?"),
        ("[upstreams.todo]", "[upstream.todo]", "did you mean `upstreams`?"),
        ("upstream = \"todo\"", "upstream = \"tood\"", "did you mean \"todo\"?"),
        (TOKEN, "token = \"raed\"", "did you mean \"read\"?"),
        (ALLOW, "allow = \"public\"", "did you mean \"anyone\"?"),
        (ALLOW, "allow = \"authenticated\"", "did you mean \"signed-in\"?"),
        ("[session]", "[session]\nissuer = \"x\"", "`issuer` belongs to [provider]"),
        ("path = \"/api\"", "path = \"/api/*\"", "write \"/api\""),
        ("level = \"info\"", "level = \"debgu\"", "did you mean \"debug\"?"),
        (TOKEN, "methods = [\"get\"]", "did you mean \"GET\"?"),
        ("[upstreams.todo]\n", "[upstreams]\n", "write it under [upstreams.NAME]"),
        ("path = \"/api\"", "path = [\"/api\"]", "without brackets"),
    ] {
        let problems = folder.read(&GOOD.replacen(find, put, 1)).expect_err(put);
        assert!(problems.iter().any(|problem| problem.help.contains(help)), "{put}: {problems:?}");
    }
}
