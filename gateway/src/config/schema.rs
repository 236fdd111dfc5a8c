//! Every key there is, with its type, default and meaning. The reader refuses keys that are not here, the reference
//! (`gateway/docs/configuration.md`) is printed from here, and a test sets each key wrongly to see that it is read.

/// One table of the configuration.
#[derive(Debug)]
pub(super) struct Table {
    /// As written in the file, such as `[provider]`; empty for the keys at the top.
    pub(super) header: &'static str,
    /// What it is for.
    pub(super) intro: &'static str,
    /// Its keys, in the order of the reference.
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) presence: Presence,
    pub(super) meaning: &'static str,
}

/// Whether a key may be left out.
#[derive(Debug)]
pub(super) enum Presence {
    Required,
    /// Left out, it is this.
    Default(&'static str),
}

use Presence::{Default, Required};

impl Table {
    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// All names, for suggestions.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }
}

const fn key(name: &'static str, kind: &'static str, presence: Presence, meaning: &'static str) -> Key {
    Key { name, kind, presence, meaning }
}

/// All tables, in the order of the reference.
pub(super) const ALL: &[&Table] = &[
    &TOP,
    &LISTEN,
    &TIMEOUTS,
    &TLS,
    &CERTIFICATE,
    &ACME,
    &PROVIDER,
    &SESSION,
    &STORE,
    &UPSTREAM,
    &QUEUE,
    &EJECT,
    &HEALTH,
    &TOKEN,
    &ROUTE,
    &ROUTE_TIMEOUTS,
    &RETRIES,
    &EDITS,
    &IDENTITY_TOKEN,
    &RATE_LIMIT,
    &CORS,
    &CLIENT_CERTIFICATE,
    &LIMITS,
    &IDENTITY,
    &LOG,
    &RELOAD,
    &SHUTDOWN,
    &TELEMETRY,
];

/// The keys before the first header.
pub(super) const TOP: Table = Table {
    header: "",
    intro: "At the top of the file, before the first `[section]`.",
    keys: &[
        key(
            "public_url",
            "URL",
            Required,
            "The address that people type: scheme, host and port, no path. `https`, except on loopback. Every absolute URL the gateway writes starts with it, never with what a request says of itself.",
        ),
        key(
            "other_urls",
            "list of URLs",
            Default("none"),
            "Further addresses of this gateway, written like `public_url` and with its scheme. Each is a site of its own: people sign in there and stay signed in there alone, by cookies of its own, with `/auth/callback` there as a redirect URI to register, and `/auth/signed-out` as the address after sign-out.",
        ),
        key(
            "development_in_containers",
            "`true` or `false`",
            Default("`false`"),
            "For trying things out in containers, as `deploy/compose` does it: `listen.http` may be any address although `public_url` is `http`, and an issuer under `.localhost` may be another container at a private address. Everything travels in the clear, which the log says at each start. Refused while `public_url` is `https`.",
        ),
        key("listen", "table", Default("see `[listen]`"), "Where the gateway listens."),
        key("tls", "table", Default("required with `listen.https`"), "The site's certificates."),
        key(
            "provider",
            "table",
            Default("required, unless there are `[providers.NAME]`"),
            "Who signs people in.",
        ),
        key(
            "providers",
            "tables by name",
            Default("none"),
            "Several providers, each with the keys of `[provider]`. People choose on a page, unless the route names one. Each has a redirect URI of its own: `/auth/callback/NAME`.",
        ),
        key("limits", "table", Default("see `[limits]`"), "How much one client may ask."),
        key("session", "table", Default("see `[session]`"), "How long people stay signed in."),
        key("upstreams", "tables by name", Default("none"), "The services behind the gateway."),
        key("tokens", "tables by name", Default("none"), "The access tokens that routes ask for."),
        key(
            "routes",
            "array of tables",
            Default("none, so that every path is answered 404"),
            "Which paths lead where, and who may pass.",
        ),
        key(
            "identity",
            "table",
            Default("none"),
            "The keys with which the gateway tells upstreams who asks; see `[identity]`.",
        ),
        key("log", "table", Default("see `[log]`"), "What is logged, and how."),
        key(
            "reload",
            "table",
            Default("see `[reload]`"),
            "How a running gateway takes on another configuration.",
        ),
        key("shutdown", "table", Default("see `[shutdown]`"), "How the gateway ends."),
        key(
            "telemetry",
            "table",
            Default("none: nothing is recorded, and `traceparent` of clients is not passed on"),
            "Which requests are recorded as traces, and where those are sent.",
        ),
    ],
};

/// `[listen]`
pub(super) const LISTEN: Table = Table {
    header: "[listen]",
    intro: "Addresses are an IP address and a port. While `public_url` is `http`, all of them must be loopback addresses (but see `development_in_containers`).",
    keys: &[
        key(
            "http",
            "address, or list of addresses",
            Default("`\"127.0.0.1:3000\"`; none beside `https`"),
            "Where requests are taken, without TLS: for a proxy in front that ends it, and for this machine. Beside `https` this only sends people who load a page there to the same path of `public_url`, and refuses everything else.",
        ),
        key(
            "https",
            "address, or list of addresses",
            Default("none: TLS ends in front of the gateway"),
            "Where requests are taken with TLS, such as `\"0.0.0.0:443\"`. Needs `[tls]`.",
        ),
        key(
            "admin",
            "address",
            Default("`\"127.0.0.1:3003\"`"),
            "Where `/healthz`, `/readyz` and `/metrics` are answered, and operators see and end sessions. Never for the public.",
        ),
        key(
            "admin_token",
            "`{ file = \"…\" }` or `{ env = \"…\" }`",
            Default("none: nobody sees or ends sessions by way of `admin`"),
            "What operators show to see and end sessions, and what `gateway sessions` shows for them: at least 32 characters (`openssl rand -base64 32`). Whoever has it can sign everybody out.",
        ),
        key("workers", "number, 1 to 1024", Default("one per core"), "Threads that handle requests."),
        key("timeouts", "table", Default("see `[listen.timeouts]`"), "How long clients may be silent."),
        key(
            "trusted_proxies",
            "list of addresses and networks",
            Default("none: the other end of the connection is the client"),
            "The proxies in front of the gateway, such as `[\"10.0.0.0/8\", \"fd00::/8\"]`. On connections from there `proxy_header` says who the client is: from its right end, the first address that is none of these. That address is in the access log, counts for limits, and goes to upstreams. `X-Forwarded-Proto: http` (or `proto=http`) then means that the client came without TLS: it is sent to the same path of `public_url`. `X-Request-Id` is taken over. From everybody else these headers are dropped unread. `Host` must be passed on by the proxy as it came; `X-Forwarded-Host` never counts.",
        ),
        key(
            "proxy_header",
            "`\"x-forwarded-for\"` or `\"forwarded\"`",
            Default("`\"x-forwarded-for\"`"),
            "The header that the trusted proxies keep: `X-Forwarded-For` with `X-Forwarded-Proto`, or `Forwarded` (RFC 7239). The other one is never read: proxies that do not know it pass on whatever a client wrote there.",
        ),
    ],
};

/// `[listen.timeouts]`
pub(super) const TIMEOUTS: Table = Table {
    header: "[listen.timeouts]",
    intro: "How long clients of `https` may be silent. Nothing here bounds how long a request may take, nor how long an answer is waited for.",
    keys: &[
        key(
            "handshake",
            "duration, `1s` to `1m`",
            Default("`\"10s\"`"),
            "A TLS handshake, and then the beginning of HTTP/2.",
        ),
        key(
            "stalled",
            "duration, `1s` to `10m`",
            Default("`\"30s\"`"),
            "How long an answer over HTTP/2 may wait for its client to take the next 16 KiB. After that it is broken off; slow clients that go on taking are served to the end.",
        ),
        key(
            "idle",
            "duration, `1s` to `1h`",
            Default("`\"3m\"`"),
            "How long an HTTP/2 connection may be without a request. Connections over HTTP/1.1 are closed after 30 seconds.",
        ),
        key(
            "age",
            "duration, `1s` to `24h`",
            Default("`\"1h\"`"),
            "How old an HTTP/2 connection may become: then the client is asked to open another for its next requests. Requests under way are answered on the old one.",
        ),
    ],
};

/// `[tls]`
pub(super) const TLS: Table = Table {
    header: "[tls]",
    intro: "For `listen.https`: TLS 1.2 and 1.3, with HTTP/2 or HTTP/1.1 in it by the client's choice. New certificates in the same files are used within seconds, for connections that begin then; files that cannot be used change nothing but the log, a hint in `/readyz` and the metric `gateway_tls_certificates_up_to_date`.",
    keys: &[
        key(
            "certificates",
            "list of tables",
            Default("required without `acme`"),
            "Each with `certificate` and `key`. Which is shown is decided by the names in the certificates themselves, `*.` for one label; the first is for clients that name no server or an unknown one. One of them must be for the host of `public_url`.",
        ),
        key(
            "acme",
            "table",
            Default("none"),
            "A certificate that the gateway gets for itself and renews: see `[tls] acme`. Then `certificates` may be left out.",
        ),
        key(
            "client_ca",
            "path",
            Default("none: no client is asked for a certificate"),
            "Certificate authorities in PEM form. Clients are asked for a certificate of one of them and may go without; a certificate of anybody else ends the handshake. Which routes need one is said there: `client_certificate`.",
        ),
    ],
};

/// `[tls] acme`
pub(super) const ACME: Table = Table {
    header: "[tls] acme",
    intro: "A certificate from an authority that speaks ACME (RFC 8555), such as Let's Encrypt. It is ordered when there is none, when its names are others, and when two thirds of its time are over; meanwhile the old one is shown. After a failure it is tried again in a minute, then later each time, at most every three hours. While there is no certificate yet, handshakes end. Of several gateways that share the folder one orders, and that one must be reached by the authority.",
    keys: &[
        key(
            "directory",
            "URL",
            Required,
            "The authority's directory: `https://acme-v02.api.letsencrypt.org/directory` is Let's Encrypt, with `acme-staging-v02` for trials.",
        ),
        key(
            "terms_agreed",
            "`true` or `false`",
            Required,
            "`true` says that you have read the authority's terms of service and agree to them. Without it there is no account.",
        ),
        key(
            "contact",
            "list of strings",
            Default("none"),
            "Whom the authority may write to: `[\"mailto:ops@example.com\"]`.",
        ),
        key(
            "account",
            "folder",
            Default("`\"var/acme\"`"),
            "Where the account's key, the certificate and its key are kept, for the gateway's user alone. Made if need be; keep it over restarts.",
        ),
        key(
            "challenge",
            "`\"tls-alpn-01\"` or `\"http-01\"`",
            Default("`\"tls-alpn-01\"`"),
            "How names are proved. `\"tls-alpn-01\"` is answered by `listen.https`, which the authority must reach at port 443; `\"http-01\"` by `listen.http`, at port 80.",
        ),
        key(
            "domains",
            "list of host names",
            Default("the host of `public_url`"),
            "What the certificate is for. No wildcards: they are proved by DNS only.",
        ),
        key(
            "ca",
            "path",
            Default("the machine's"),
            "Certificate authorities in PEM form by which the directory's own certificate is checked.",
        ),
    ],
};

/// One of `[tls] certificates`
pub(super) const CERTIFICATE: Table = Table {
    header: "[tls] certificates",
    intro: "One certificate: `{ certificate = { file = \"site.pem\" }, key = { file = \"site.key\" } }`.",
    keys: &[
        key(
            "certificate",
            "`{ file = \"…\" }`",
            Required,
            "The site's own certificate in PEM form, followed by its chain.",
        ),
        key(
            "key",
            "`{ file = \"…\" }`",
            Required,
            "Its private key in PEM form, not encrypted. Nobody but the gateway's user should be able to read the file.",
        ),
    ],
};

/// `[provider]`
pub(super) const PROVIDER: Table = Table {
    header: "[provider]",
    intro: "An OpenID Connect provider, and how this gateway is registered with it. Register `public_url` with `/auth/callback` as the redirect URI, and with `/auth/signed-out` as the address after sign-out.",
    keys: &[
        key(
            "label",
            "string",
            Default("the name"),
            "What people read on the page where they choose, if there are several providers.",
        ),
        key(
            "issuer",
            "URL",
            Required,
            "Compared byte for byte with metadata, tokens and callbacks. `https`, except on loopback. May hold `{tenantid}` for an Entra issuer of many tenants; then `tenants` and `metadata_url` are needed.",
        ),
        key(
            "metadata_url",
            "URL",
            Default("`issuer` and `/.well-known/openid-configuration`"),
            "Where the provider's metadata is, if its host is not the issuer's. The issuer in it must still be `issuer`.",
        ),
        key("client_id", "string", Required, "The client (application) ID of the registration."),
        key(
            "client_secret",
            "`{ file = \"…\" }` or `{ env = \"…\" }`",
            Default("none"),
            "Where the client secret is; never the secret itself. A file is relative to this one; one line break at its end is ignored. It must not be empty, shorter than 16 characters or a placeholder.",
        ),
        key(
            "client_authentication",
            "`\"client_secret_basic\"`, `\"client_secret_post\"`, `\"private_key_jwt\"`, `\"tls_client_auth\"` or `\"none\"`",
            Default("`\"client_secret_basic\"`; required without `client_secret`"),
            "How the gateway proves to the provider who it is; never guessed. `\"private_key_jwt\"` signs a statement for each request with `client_key`; register `public_url` with `/auth/jwks` as the address of the keys. `\"tls_client_auth\"` shows `client_certificate` when it connects, to the `mtls_endpoint_aliases` of the metadata where there are any; whether the provider knows it by its authority or by itself (`self_signed_tls_client_auth`) is settled at the registration. `\"none\"` is a public client, protected by PKCE alone.",
        ),
        key(
            "client_key",
            "secret, or list of secrets",
            Default("none; required for `\"private_key_jwt\"` and `\"tls_client_auth\"`"),
            "A private key in PEM form (PKCS#8, SEC 1 or PKCS#1), not encrypted: RSA of at least 2048 bits, P-256, P-384 or Ed25519. `{ file = \"…\" }` or `{ env = \"NAME\" }`. Of a list the first signs and all are published at `/auth/jwks`: to replace a key, add the new one behind the old one, change places when the provider has fetched it (the keys may be kept for five minutes), and then remove the old one.",
        ),
        key(
            "client_key_algorithm",
            "`\"RS256\"` or `\"PS256\"`",
            Default("`\"RS256\"`"),
            "What RSA keys sign with. Every other kind of key has one algorithm: ES256, ES384, EdDSA.",
        ),
        key(
            "client_certificate",
            "`{ file = \"…\" }`",
            Default("none; required for `\"tls_client_auth\"`"),
            "The certificate of `client_key` in PEM form, followed by its chain. With `\"private_key_jwt\"` its thumbprint goes along (`x5t#S256`), by which Microsoft Entra knows the key.",
        ),
        key(
            "client_assertion_audience",
            "`\"issuer\"` or `\"token_endpoint\"`",
            Default("`\"issuer\"`"),
            "To whom a `\"private_key_jwt\"` statement is addressed. Providers that do not take the issuer yet, Microsoft Entra among them, want the address of the token endpoint.",
        ),
        key(
            "scopes",
            "list of strings",
            Default("`[\"profile\"]`"),
            "Scopes asked for at every sign-in; `openid` is always added. Refresh tokens often need `offline_access`.",
        ),
        key(
            "response_mode",
            "`\"query\"` or `\"form_post\"`",
            Default("`\"query\"`"),
            "How the provider's answer comes back. `\"form_post\"` keeps the code out of URLs; browsers want `https` for it.",
        ),
        key(
            "id_token_algorithms",
            "list of strings",
            Default("`[\"RS256\"]`"),
            "Signature algorithms accepted on ID tokens: RS256, PS256, ES256, ES384, EdDSA.",
        ),
        key(
            "tenants",
            "list of strings",
            Default("`[]`: the issuer decides"),
            "Values of the `tid` claim that may sign in. Required when the issuer holds `{tenantid}`.",
        ),
        key(
            "pass_parameters",
            "list of strings",
            Default("`[\"login_hint\", \"ui_locales\", \"domain_hint\"]`"),
            "Query parameters of `/auth/sign-in` that are passed on to the provider; all others are ignored. Names that the protocol owns are refused.",
        ),
        key(
            "extra_parameters",
            "table of strings",
            Default("none"),
            "Parameters that every request for a sign-in carries, such as `{ domain_hint = \"contoso.example\", ui_locales = \"de\" }`. Where `pass_parameters` names one too, a link's value takes the place of this one. Parameters of the protocol and those with a key here are refused; `audience` is allowed.",
        ),
        key(
            "resources",
            "list of URIs",
            Default("`[]`"),
            "APIs that every sign-in names by `resource` (RFC 8707), before those of the `\"user\"` tokens, which are added by themselves. The access token that comes with a sign-in is for the first.",
        ),
        key(
            "acr_values",
            "list of strings",
            Default("`[]`: the provider decides"),
            "How people may prove who they are, the best way first, in the provider's own words. A sign-in whose ID token says another `acr`, or none, is refused with 403.",
        ),
        key(
            "acr_required",
            "`true` or `false`",
            Default("`true`"),
            "With `acr_values`: whether a sign-in in another way is refused. `false` only expresses a wish.",
        ),
        key(
            "max_age",
            "duration, up to a year",
            Default("none"),
            "The longest time ago that people may have proved to the provider who they are; it asks them again then. A sign-in whose ID token says longer ago (`auth_time`), or does not say, is refused with 403. `\"0s\"` asks every time.",
        ),
        key(
            "prompt",
            "`\"login\"`, `\"consent\"` or `\"select_account\"`",
            Default("none: the provider decides"),
            "A page that the provider shows at every sign-in. (A link to `/auth/sign-in?prompt=none` signs in without any page, or not at all.)",
        ),
        key(
            "claims",
            "table, or string of JSON",
            Default("none"),
            "The `claims` parameter (OpenID Connect Core 1.0, section 5.5), such as `{ id_token = { auth_time = { essential = true } } }`. A table cannot say `null`; `{}` means the same.",
        ),
        key(
            "par",
            "`\"auto\"`, `\"always\"` or `\"never\"`",
            Default("`\"auto\"`"),
            "Whether requests for a sign-in are pushed to the provider directly (RFC 9126), so that browsers neither see nor change them. `\"auto\"`: where its metadata requires it. There is no falling back: if pushing fails, the sign-in does.",
        ),
        key(
            "logout_token_type",
            "`\"lenient\"` or `\"strict\"`",
            Default("`\"lenient\"`"),
            "Which `typ` a logout token posted to `/auth/backchannel-logout` may have. `\"lenient\"`: `logout+jwt`, `JWT` or none; what the token says tells it from other tokens all the same. `\"strict\"`: `logout+jwt` only, for providers that write it.",
        ),
        key(
            "userinfo",
            "`\"never\"`, `\"when-missing\"` or `\"always\"`",
            Default("`\"never\"`"),
            "Whether a sign-in asks the userinfo endpoint too, with the access token that came with it: never, when the ID token lacks one of `userinfo_claims`, or each time. An answer about another `sub`, or a signed one that does not verify, refuses the sign-in; so does none at all. A refresh does not ask again: the claims stay as they were at the sign-in unless a refreshed ID token says them.",
        ),
        key(
            "userinfo_claims",
            "list of strings",
            Default("`[]`; required with `userinfo`"),
            "The claims that are taken from there, in the place of the ID token's. No others are.",
        ),
    ],
};

/// `[session]`
pub(super) const SESSION: Table = Table {
    header: "[session]",
    intro: "Durations are a number and a unit: `ms`, `s`, `m`, `h` or `d`.",
    keys: &[
        key(
            "idle",
            "duration, `1m` to `30d`",
            Default("`\"30m\"`"),
            "A session that nobody used for this long is over. At most `absolute`.",
        ),
        key(
            "absolute",
            "duration, `1m` to `30d`",
            Default("`\"8h\"`"),
            "A session this old is over, used or not.",
        ),
        key(
            "rotate",
            "duration, `1m` to `30d`",
            Default("`\"1h\"`"),
            "The session cookie's value is replaced when it is this old, also at sign-in and when the person's claims change. The old value works for a minute longer, for requests that are under way.",
        ),
        key(
            "max_per_user",
            "number",
            Default("no limit"),
            "The most sessions that one person may have. Signing in once more ends the oldest.",
        ),
        key(
            "store",
            "`\"memory\"` or a table",
            Default("`{ file = \"var/sessions.db\" }`"),
            "Where sessions are kept. `\"memory\"`: a restart signs everybody out. `{ file = \"path\" }`: in a database of this gateway's own, which survives restarts. `{ redis = \"rediss://host:6379\", … }`: in a Redis or Valkey that several gateways share; see `[session] store` below. What is written there opens only with a cookie.",
        ),
        key(
            "keys",
            "list of secrets",
            Default("for a file, a key that the gateway makes and keeps beside it"),
            "With these, together with cookies, sessions are locked where they are kept: `[{ file = \"path\" }]` or `[{ env = \"NAME\" }]`, at least 32 random bytes as text (`openssl rand -base64 32`). Required for Redis, the same on every gateway. The first locks, all of them open: to replace a key, put the new one in front, and take the old one away when `absolute` has passed.",
        ),
        key(
            "claims",
            "list of strings",
            Default("`[\"sub\", \"name\", \"preferred_username\", \"email\", \"oid\", \"tid\", \"roles\"]`"),
            "Claims of the ID token that `/auth/session` may show to scripts of the site.",
        ),
        key(
            "clear_site_data",
            "`true` or `false`",
            Default("`true`"),
            "Whether signing out makes the browser drop what pages of this site kept there: its cache, local and session storage, databases and service workers (`Clear-Site-Data: \"cache\", \"storage\"`). Cookies stay. `false` for sites whose pages keep something that outlives a person's stay, such as a colour scheme.",
        ),
        key(
            "same_site",
            "`\"lax\"` or `\"strict\"`",
            Default("`\"lax\"`"),
            "When browsers send the session's cookie. With `\"lax\"` also when somebody follows a link from another site. With `\"strict\"` only when this site itself sent the request: whoever follows a link to a protected page sees the gateway's page \"One moment\" on the way, and a public page that another site links to is drawn as for a stranger. Sign-in works with both.",
        ),
        key(
            "cookie_prefix",
            "`\"__Host-\"` or `\"__Host-Http-\"`",
            Default("`\"__Host-\"` on https, no prefix on http"),
            "What the names of the gateway's cookies begin with. With `\"__Host-Http-\"` browsers that know it refuse such a cookie from a script; others take it as `__Host-`. For https only. A change signs everybody out.",
        ),
    ],
};

/// `[session] store`
pub(super) const STORE: Table = Table {
    header: "[session] store",
    intro: "Exactly one of `file`, `redis`, `sentinels` and `cluster`. Redis 6.2 or newer, or Valkey. While Redis is away, requests that need a session are answered 503; public routes go on.",
    keys: &[
        key(
            "file",
            "path",
            Default(""),
            "A database that this gateway alone uses. Its folder is made if need be.",
        ),
        key(
            "redis",
            "URL",
            Default(""),
            "One server: `redis://host:6379`, or with TLS `rediss://host:6379/0`. A password in it is refused: see `password`.",
        ),
        key("sentinels", "list of addresses", Default(""), "Sentinels, as `host:26379`; with `master`."),
        key(
            "master",
            "string",
            Default("required with `sentinels`"),
            "The name under which the Sentinels watch the server.",
        ),
        key(
            "cluster",
            "list of URLs",
            Default(""),
            "Nodes of a Redis Cluster; one that is up is enough to find the others.",
        ),
        key("username", "string", Default("Redis's default user"), "The ACL user."),
        key("password", "secret", Default("none"), "`{ file = \"path\" }` or `{ env = \"NAME\" }`."),
        key("sentinel_username", "string", Default("none"), "The Sentinels' own ACL user."),
        key("sentinel_password", "secret", Default("none"), "The Sentinels' own password."),
        key("database", "number", Default("`0`"), "The number of the database; not with a cluster."),
        key(
            "prefix",
            "string",
            Default("`\"gateway:\"`"),
            "What every key begins with. Gateways that share sessions share it; others must not.",
        ),
        key(
            "tls",
            "`true` or `false`",
            Default("`false`"),
            "TLS to every server, as `rediss://` says it. `ca` means it too.",
        ),
        key(
            "ca",
            "path",
            Default("the machine's"),
            "Certificate authorities in PEM form, trusted instead of the machine's.",
        ),
    ],
};

/// `[upstreams.NAME]`
pub(super) const UPSTREAM: Table = Table {
    header: "[upstreams.NAME]",
    intro: "A service behind the gateway. NAME is letters, digits, `-`, `_` and `.`, at most 64; it appears in logs and metrics.",
    keys: &[
        key(
            "servers",
            "list of URLs",
            Required,
            "Where it runs: scheme, host and port, no path. Each request goes to the one of two, picked by chance, that has less to do. `{ url = \"…\", weight = 3 }` gives a server three times the share of others (1 to 100). A name with several addresses is as many servers. The certificates of `https` servers are always verified.",
        ),
        key(
            "protocol",
            "`\"http1\"`, `\"h2\"` or `\"h2c\"`",
            Default("`\"http1\"`"),
            "What is spoken there: HTTP/1.1, HTTP/2 over TLS, or HTTP/2 without TLS (prior knowledge). gRPC needs one of the latter two.",
        ),
        key(
            "connect",
            "duration, `1ms` to `60s`",
            Default("`\"3s\"`"),
            "How long connecting may take, TLS included.",
        ),
        key(
            "response",
            "duration, `1ms` to `1h`",
            Default("`\"30s\"`"),
            "How long the first byte of a response may take.",
        ),
        key(
            "idle",
            "duration, `100ms` to `1h`",
            Default("`\"4s\"`"),
            "How long a connection that nobody uses is kept. Shorter than the servers keep theirs, because a request on a connection that its server closes at the same moment may be lost.",
        ),
        key(
            "max_connections",
            "number",
            Default("no limit"),
            "The most connections to each server, over all workers. Requests beyond them wait; see `queue`.",
        ),
        key(
            "queue",
            "table",
            Default("`{ length = 100, wait = \"1s\" }`"),
            "Who may wait for a connection; see `[upstreams.NAME] queue`. Needs `max_connections`.",
        ),
        key(
            "eject",
            "table or `false`",
            Default("`{ failures = 5, time = \"5s\", longest = \"5m\" }`"),
            "When a server that fails is left out for a while; see `[upstreams.NAME] eject`. When all are left out, all are asked. `false`: never.",
        ),
        key(
            "health",
            "table",
            Default("none: servers are not asked"),
            "How servers are asked whether they are well; see `[upstreams.NAME] health`.",
        ),
        key(
            "slow_start",
            "duration, `1s` to `10m`",
            Default("none: the full share at once"),
            "How long a server that is back takes to get its full share, beginning with a tenth.",
        ),
        key(
            "resolve",
            "duration, `1s` to `30s`",
            Default("`\"10s\"`"),
            "How often the servers' names are looked up anew. New connections go to new addresses, and connections to addresses that are gone end with what they are doing. While a name cannot be looked up, its last addresses stay.",
        ),
        key(
            "ca",
            "path",
            Default("the authorities that the machine trusts"),
            "A PEM file with the certificates of the only authorities to trust, for `https` servers.",
        ),
        key(
            "client_certificate",
            "`{ file = \"path\" }`",
            Default("none"),
            "The certificate that the gateway shows to `https` servers, in PEM form, followed by its chain. Needs `client_key`.",
        ),
        key(
            "client_key",
            "secret",
            Default("none"),
            "The private key of `client_certificate`, in PEM form: `{ file = \"path\" }` or `{ env = \"NAME\" }`.",
        ),
        key(
            "server_name",
            "string",
            Default("the host of the server's URL"),
            "The name that the servers' certificates must be for, and that they are asked for (SNI).",
        ),
        key(
            "plain_http",
            "`true` or `false`",
            Default("`false`"),
            "Whether access tokens may be sent to `http` servers beyond this machine. Say `true` only where the network itself encrypts.",
        ),
    ],
};

/// A server with a weight; described in prose by the reference.
pub(super) const SERVER: Table = Table {
    header: "servers",
    intro: "",
    keys: &[key("url", "URL", Required, ""), key("weight", "number", Default(""), "")],
};

/// `queue` of an upstream.
pub(super) const QUEUE: Table = Table {
    header: "[upstreams.NAME] queue",
    intro: "A table: `queue = { length = 100, wait = \"1s\" }`. Who finds it full, or waits in vain, gets 503 with `Retry-After`.",
    keys: &[
        key(
            "length",
            "number, 0 to 100000",
            Default("`100`"),
            "So many requests may wait for a connection, over all workers and servers.",
        ),
        key("wait", "duration, `100ms` to `60s`", Default("`\"1s\"`"), "Each no longer than this."),
    ],
};

/// `eject` of an upstream.
pub(super) const EJECT: Table = Table {
    header: "[upstreams.NAME] eject",
    intro: "A table: `eject = { failures = 5, time = \"5s\" }`. A failure is a connection that cannot be made, one that breaks before the answer, or an answer that does not come in time. Nothing that a client does is one.",
    keys: &[
        key("failures", "number, 1 to 1000", Default("`5`"), "After so many in a row a server is left out."),
        key(
            "time",
            "duration, `100ms` to `1h`",
            Default("`\"5s\"`"),
            "The first time for so long, and for twice as long each time more.",
        ),
        key("longest", "duration, `100ms` to `1h`", Default("`\"5m\"`"), "But never for longer than this."),
        key(
            "server_errors",
            "`true` or `false`",
            Default("`false`"),
            "Whether an answer with a status from 500 is a failure too.",
        ),
    ],
};

/// `health` of an upstream.
pub(super) const HEALTH: Table = Table {
    header: "[upstreams.NAME] health",
    intro: "A table: `health = { path = \"/healthz\", interval = \"10s\" }`. Each address of each server is asked by GET, once for the whole gateway; an answer with a status from 200 to 299 is a yes. A server that is not well gets no requests, unless all are not.",
    keys: &[
        key("path", "path", Required, "What is asked for."),
        key(
            "interval",
            "duration, `100ms` to `1h`",
            Default("`\"10s\"`"),
            "How long after one question the next.",
        ),
        key(
            "timeout",
            "duration, `10ms` to `60s`",
            Default("`\"2s\"`"),
            "How long the answer may take, connecting included.",
        ),
        key("healthy", "number, 1 to 100", Default("`2`"), "So many yeses in a row make a server well."),
        key("unhealthy", "number, 1 to 100", Default("`3`"), "So many noes in a row make it unwell."),
    ],
};

/// `timeouts` of a route.
pub(super) const ROUTE_TIMEOUTS: Table = Table {
    header: "[[routes]] timeouts",
    intro: "A table: `timeouts = { response = \"2m\", idle = \"30s\" }`. Before the answer began, the end is 504; after that, it is broken off visibly.",
    keys: &[
        key(
            "connect",
            "duration, `1ms` to `60s`",
            Default("the upstream's"),
            "How long connecting may take, TLS included.",
        ),
        key(
            "response",
            "duration, `1ms` to `1h`",
            Default("the upstream's"),
            "How long the first byte of a response may take. It starts anew while the client sends its body.",
        ),
        key(
            "idle",
            "duration, `100ms` to `1d`",
            Default("none"),
            "How long nothing may come or go once the response began.",
        ),
        key("total", "duration, `100ms` to `1d`", Default("none"), "How long all of it may take together."),
        key(
            "streams",
            "`true` or `false`",
            Default("`false`"),
            "Whether `idle` and `total` hold for WebSockets and event streams too.",
        ),
    ],
};

/// `retries` of a route.
pub(super) const RETRIES: Table = Table {
    header: "[[routes]] retries",
    intro: "A table: `retries = { attempts = 3, on = [\"connect\", \"reset\", \"503\"] }`. Only GET, HEAD, OPTIONS, PUT and DELETE without a body are ever sent again, to another server where there is one, and never more than one request in five. A request of which nothing was sent goes to another server in any case.",
    keys: &[
        key(
            "attempts",
            "number, 2 to 5",
            Default("`2`"),
            "How often a request is sent at most, the first time included.",
        ),
        key(
            "on",
            "list of `\"connect\"`, `\"reset\"`, `\"timeout\"`, `\"502\"`, `\"503\"`, `\"504\"`",
            Default("`[\"connect\", \"reset\"]`"),
            "After what: no connection to the only server there is; a connection that broke before an answer came; no answer in time; an answer with that status.",
        ),
    ],
};

/// `[tokens.NAME]`
pub(super) const TOKEN: Table = Table {
    header: "[tokens.NAME]",
    intro: "An access token, by name. Tokens belong to routes, the session to the site. NAME as for upstreams.",
    keys: &[
        key(
            "kind",
            "`\"user\"`, `\"client\"`, `\"user-or-client\"`, `\"exchange\"` or `\"on-behalf-of\"`",
            Default("`\"user\"`"),
            "Whose token it is. `\"user\"`: the person's, by their session's refresh token. `\"client\"`: the gateway's own, by client credentials, whoever asks. `\"user-or-client\"`: the person's where somebody is signed in, else the gateway's own; never the gateway's own because the person's cannot be had. `\"exchange\"` (RFC 8693) and `\"on-behalf-of\"` (Microsoft Entra): the person's, in exchange for the token that `from` names.",
        ),
        key(
            "scopes",
            "list of strings",
            Default("none; needed unless `resource` or `audience` says what the token is for"),
            "What the token is for. Entra grants the scopes of one API per token, so each API wants a token of its own; a `\"client\"` token there wants the one scope `<API>/.default`.",
        ),
        key(
            "resource",
            "URI, or list of URIs",
            Default("none"),
            "The API that the token is for, for providers that take `resource` (RFC 8707). Sign-ins name those of `\"user\"` tokens too.",
        ),
        key(
            "audience",
            "string",
            Default("none"),
            "The API that the token is for, for providers that take `audience`.",
        ),
        key(
            "provider",
            "name",
            Default("whichever the person signed in with"),
            "The provider that gives the token, where there are several. Routes with this token are then for people who signed in there.",
        ),
        key(
            "from",
            "name",
            Default("none; needed for `\"exchange\"` and `\"on-behalf-of\"`"),
            "The token of the same person that is given for this one.",
        ),
    ],
};

/// `[[routes]]`
pub(super) const ROUTE: Table = Table {
    header: "[[routes]]",
    intro: "The most specific path decides alone: an exact one before a prefix, a longer before a shorter; the order in the file does not matter. A method that no route of that path takes is answered 405, even where a shorter path would take it. Paths are compared exactly, capitals included; a path that is one of a route but for capitals, `;parameters` or a slash at its end, and would be taken for it by many upstreams, is never answered by a less specific route.",
    keys: &[
        key(
            "path",
            "string",
            Default("required, unless there is `exact`"),
            "The path and everything below it, on segment borders: `/api` is `/api` and `/api/x`, not `/apix`. Not a pattern. `/auth` belongs to the gateway.",
        ),
        key(
            "exact",
            "string",
            Default("none"),
            "In the place of `path`: this path alone, and nothing below it. With `files`, its last segment is the name of a file in the folder.",
        ),
        key(
            "host",
            "string, or list of strings",
            Default("every address of the gateway"),
            "On which addresses: the host of `public_url` or of one of `other_urls`, with its port where two addresses have the same host. A host has its own routes and those without `host`; where both stand at the same path, its own decide alone.",
        ),
        key(
            "methods",
            "list of strings",
            Default("GET and HEAD for `files`; for `upstream` also POST, PUT, PATCH, DELETE, OPTIONS"),
            "Which methods the route takes. Two routes of one path must not share a method.",
        ),
        key(
            "files",
            "folder",
            Default("none"),
            "Serves the files of a folder, relative to this file. Exactly one of `files` and `upstream`.",
        ),
        key(
            "fallback",
            "file name",
            Default("none: 404"),
            "With `files`: the file in that folder that answers for paths that do not exist, for single-page apps.",
        ),
        key(
            "content_security_policy",
            "string",
            Default("a strict one: everything from this origin only, no inline scripts or styles"),
            "With `files`: the `Content-Security-Policy` header that pages are sent with.",
        ),
        key("upstream", "name", Default("none"), "Forwards to an upstream."),
        key("allow", "rule", Default("`\"signed-in\"`"), "Who may pass: see below."),
        key(
            "token",
            "name",
            Default("none"),
            "The access token to forward. Needs `upstream`, and servers on `https` or on loopback (or `plain_http`). Where `allow` lets everybody in, it must be of kind `\"client\"` or `\"user-or-client\"`.",
        ),
        key(
            "provider",
            "name",
            Default("any"),
            "With whom people must have signed in, where there are several providers.",
        ),
        key(
            "strip",
            "`true` or `false`",
            Default("`false`"),
            "With `upstream` and `path`: whether the path is taken off before the request goes on: `/api/todos` of the route `/api` is `/todos` there. The upstream is told by `X-Forwarded-Prefix`. Its redirects and its cookies' paths are mapped back, unless they begin with the prefix already.",
        ),
        key(
            "replace",
            "string",
            Default("none"),
            "With `upstream`: the path that stands in the place of the route's own; what is below stays. Redirects and cookies' paths that lie below it are mapped back.",
        ),
        key(
            "request_headers",
            "table",
            Default("none"),
            "With `upstream`: headers that are removed, set and added; see `[[routes]] request_headers` below.",
        ),
        key(
            "response_headers",
            "table",
            Default("none"),
            "The same for answers, of `files` too. Protective headers that the gateway adds where they are absent can be set to something else, not removed.",
        ),
        key(
            "identity_headers",
            "table",
            Default("none"),
            "With `upstream`: claims of the ID token by the header that carries each: `{ \"X-User\" = \"sub\", \"X-Groups\" = \"groups\" }`. A list has commas between its members; `%`, commas inside a member and what is not visible ASCII are percent-encoded (UTF-8). `{ claim = \"groups\", form = \"json\" }` writes JSON instead. A claim that is absent, empty or an object has no header, nor has anything where nobody is signed in. What clients send under these names is removed on every route of the gateway. A name holds no underscore: many servers read it as a hyphen.",
        ),
        key(
            "identity_token",
            "table",
            Default("none"),
            "With `upstream`: a token that the gateway signs, for upstreams that check who asks themselves; see `[[routes]] identity_token` below.",
        ),
        key(
            "authorization",
            "`\"drop\"` or `\"pass\"`",
            Default("`\"drop\"`"),
            "With `upstream` and `allow = \"anyone\"`, without `token`: whether a client's own `Authorization` goes on, for APIs that check it themselves. Of two lines, neither does.",
        ),
        key(
            "websocket",
            "`true` or `false`",
            Default("`false`: a request for one is forwarded as an ordinary request"),
            "With `upstream`: whether a WebSocket may be opened here, by pages of this site only: its `Origin` must be that of `public_url`, whatever `csrf` says. It is closed when the session ends.",
        ),
        key(
            "client_certificate",
            "`\"required\"` or a table",
            Default("none is needed"),
            "Which clients may come here at all: those with a certificate of an authority in `[tls] client_ca`. Everybody else is answered 403, before anything else is looked at. `allow` says who of them may pass.",
        ),
        key(
            "timeouts",
            "table",
            Default("the upstream's, and none once the response began"),
            "With `upstream`: see `[[routes]] timeouts`.",
        ),
        key(
            "retries",
            "table",
            Default("none: what may have arrived is not sent again"),
            "With `upstream`: see `[[routes]] retries`.",
        ),
        key(
            "trailers",
            "`true` or `false`",
            Default("`false`, or `true` with `grpc`"),
            "With `upstream`: whether trailers pass in both directions, but for those that say what only headers may say.",
        ),
        key(
            "grpc",
            "`true` or `false`",
            Default("`false`"),
            "With `upstream`: whether gRPC is spoken. Trailers pass, and what the gateway answers itself is HTTP 200 with `grpc-status`: 14 (unavailable) for 502, 503 and 429, 4 (deadline exceeded) for 504, 16 (unauthenticated) for 401, 7 (permission denied) for 403, 12 (unimplemented) for 404 and 405, 8 (resource exhausted) for 413 and 431, 13 (internal) for 400 and 500. Needs an upstream with `protocol` `\"h2\"` or `\"h2c\"`.",
        ),
        key(
            "max_body",
            "size, or `\"unlimited\"`",
            Default("`\"10MiB\"`; `\"unlimited\"` with `grpc`"),
            "With `upstream`: how large a request's body may be, such as `\"512KiB\"` or `\"2GB\"`. A larger one is answered 413: at once where its length is announced, else as soon as it is larger, when the upstream has seen the beginning of it. A body that comes more slowly than 100 bytes a second is answered 408.",
        ),
        key(
            "rate_limit",
            "table",
            Default("none"),
            "How much one client may ask of this route: see `[[routes]] rate_limit`.",
        ),
        key(
            "cors",
            "table",
            Default("none: no script of another origin reads anything"),
            "Which scripts of other origins may read the answers: see `[[routes]] cors`.",
        ),
        key(
            "compress",
            "`true`, `false` or `\"always\"`",
            Default("`false`"),
            "Whether answers are compressed here (zstd, brotli or gzip, as the client accepts it), where they are text of 1 KiB or more and the upstream has not done it. `true` leaves those to signed-in people alone: where an answer holds a secret beside something that another site can choose, its compressed length tells the secret (BREACH). `\"always\"` is for what holds no such thing. Files that lie beside their `.br`, `.zst` or `.gz` are sent in that form in any case.",
        ),
        key(
            "cache_control",
            "string",
            Default(
                "for `upstream`, what it says itself, and `no-store` for signed-in people where it says nothing; for `files`, `immutable` for hashed names, else `no-cache`",
            ),
            "The `Cache-Control` of whatever is found here, such as `\"public, max-age=3600\"`. It must begin with `private` unless the route is the same for everybody: `allow = \"anyone\"` and no token of a person. Answers that set a cookie keep their own.",
        ),
        key(
            "csrf",
            "`\"header\"` or `\"origin\"`",
            Default(
                "`\"header\"` for `upstream`; `\"origin\"` for `files`, and for `allow = \"anyone\"` unless the token may be a person's",
            ),
            "How requests with a session prove that the site itself sent them. `\"header\"`: the header `X-CSRF: 1` on each, for APIs called by scripts. `\"origin\"`: the same origin on unsafe methods, for server-rendered pages.",
        ),
    ],
};

/// `[limits]`
pub(super) const LIMITS: Table = Table {
    header: "[limits]",
    intro: "How much one client may ask. A client is an IPv4 address, or an IPv6 network of 64 bits; behind `trusted_proxies` it is the one that they name. This machine itself is no client: no limit per address holds for loopback addresses. Each limit can be `\"unlimited\"`.",
    keys: &[
        key(
            "connections_per_address",
            "number, 1 to 1000000",
            Default("`1000`"),
            "How many connections one address may hold. Further ones are closed at once. Trusted proxies hold as many as they like.",
        ),
        key(
            "auth_per_client",
            "`{ requests = …, per = … }`",
            Default("`{ requests = 600, per = \"1m\" }`"),
            "How much one client may ask of `/auth`, and how many sign-ins its page loads may begin. Counted by session for whoever is signed in, so that an office behind one address is many clients. Of logout tokens from the provider only those count that are no good.",
        ),
        key(
            "auth",
            "`{ requests = …, per = … }`",
            Default("`{ requests = 2000, per = \"1s\" }`"),
            "The same for all clients together.",
        ),
    ],
};

/// A rate.
pub(super) const RATE: Table = Table {
    header: "auth",
    intro: "",
    keys: &[key("requests", "number", Required, ""), key("per", "duration", Required, "")],
};

/// `rate_limit` of a route.
pub(super) const RATE_LIMIT: Table = Table {
    header: "[[routes]] rate_limit",
    intro: "So many requests at once; then as many as that time makes room for again. What is too much is answered 429 with `Retry-After`, and counts no further. Kept across reloads, in this process alone: each replica counts for itself.",
    keys: &[
        key("requests", "number, 1 to 1000000", Required, "How many."),
        key("per", "duration, `1s` to `24h`", Required, "In which time."),
        key(
            "by",
            "`\"address\"` or `\"session\"`",
            Default("`\"address\"`"),
            "Whose requests count together: those of one address (of IPv6, of 64 bits of it), before anything else is looked at; or those of one session, and of one address where there is none.",
        ),
    ],
};

/// `cors` of a route.
pub(super) const CORS: Table = Table {
    header: "[[routes]] cors",
    intro: "Which scripts of other origins may read the answers of the route. Browsers ask in advance (preflight), and the gateway answers that itself. What an upstream says of it is dropped. Without `cors`, preflights are refused.",
    keys: &[
        key(
            "origins",
            "list of strings",
            Required,
            "Origins such as `\"https://other.example\"`, compared exactly; or `\"*\"` for all, which never goes with `credentials`.",
        ),
        key(
            "credentials",
            "`true` or `false`",
            Default("`false`"),
            "Whether those scripts act for the person who is signed in here. Session cookies are `SameSite=Lax`: browsers add them for origins of the same site only, such as another subdomain. With `csrf = \"header\"` the scripts must send `X-CSRF: 1`, too.",
        ),
        key("methods", "list of strings", Default("those of the route"), "With which methods."),
        key(
            "headers",
            "list of strings",
            Default("none beyond those that every page may send"),
            "With which headers, such as `\"Content-Type\"`. With `credentials`, `X-CSRF` is added.",
        ),
        key(
            "expose",
            "list of strings",
            Default("none beyond those that every script may read"),
            "Which headers of an answer they may read.",
        ),
        key(
            "max_age",
            "duration, up to `24h`",
            Default("`\"10m\"`"),
            "How long browsers may remember the answer to a preflight.",
        ),
    ],
};

/// A table of `client_certificate` in a route.
pub(super) const CLIENT_CERTIFICATE: Table = Table {
    header: "[[routes]] client_certificate",
    intro: "The same as `\"required\"`, for some clients only. The certificate must be of an authority in `[tls] client_ca` in any case.",
    keys: &[
        key(
            "san",
            "list of strings",
            Default("any"),
            "Subject alternative names, compared exactly: a host name, a mail address, a URI such as `spiffe://…` or an IP address. One of them must be in the certificate.",
        ),
        key(
            "subject",
            "list of strings",
            Default("any"),
            "Subjects as OpenSSL and RFC 4514 write them, such as `CN=billing, O=Example`, compared exactly; what has a meaning there and stands in a value is escaped (`CN=Doe\\, Jane`). The certificate's must be one of them.",
        ),
        key(
            "forward",
            "`true` or `false`",
            Default("`false`"),
            "Whether the upstream is told of the certificate, in the header `Client-Cert` (RFC 9440). What clients write there never passes.",
        ),
    ],
};

/// `request_headers` and `response_headers`
pub(super) const EDITS: Table = Table {
    header: "[[routes]] request_headers",
    intro: "Headers that a route edits, in this order: `remove`, `set`, `add`. `response_headers` has the same keys. Headers that frame the message, belong to the connection, hold cookies or credentials, or have a key of their own cannot be edited.",
    keys: &[
        key("remove", "list of names", Default("none"), "Every line of these names goes."),
        key(
            "set",
            "table",
            Default("none"),
            "One line in the place of all of its name: `{ \"X-Env\" = \"prod\" }`. A secret, such as an upstream's API key, is `{ file = \"path\" }` or `{ env = \"NAME\" }`.",
        ),
        key("add", "table", Default("none"), "One line beside those of its name; written like `set`."),
    ],
};

/// A header of `identity_headers`, where more is said than the claim.
pub(super) const IDENTITY_LINE: Table = Table {
    header: "identity_headers",
    intro: "",
    keys: &[key("claim", "string", Required, ""), key("form", "string", Default(""), "")],
};

/// `identity_token`
pub(super) const IDENTITY_TOKEN: Table = Table {
    header: "[[routes]] identity_token",
    intro: "A JWT for the upstream of the route, signed with the first key of `[identity]`: `typ` is `identity+jwt`, `iss` is `public_url`, `sub` the person and `idp` the issuer that vouches for them. The keys are at `/auth/jwks`. It is made anew when four fifths of its life are over. How an upstream checks it: `gateway/docs/identity.md`.",
    keys: &[
        key(
            "audience",
            "string",
            Required,
            "`aud`: the name that the upstream knows itself by. It must refuse every other.",
        ),
        key("header", "string", Default("`\"X-Identity-Token\"`"), "The header that carries it."),
        key("claims", "list of strings", Default("none"), "Claims that are copied from the ID token."),
        key("lifetime", "duration, 30s to 1h", Default("`\"5m\"`"), "How long it is good for."),
    ],
};

/// `[identity]`
pub(super) const IDENTITY: Table = Table {
    header: "[identity]",
    intro: "Keys of the gateway's own, for `identity_token` of routes and nothing else. Published at `/auth/jwks`, beside those that prove to providers who the gateway is.",
    keys: &[key(
        "key",
        "secret, or list of secrets",
        Required,
        "A private key in PEM form: EC on P-256 or P-384, Ed25519, or RSA (`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`), as `{ file = \"path\" }` or `{ env = \"NAME\" }`. Of a list the first signs and all are published: to replace a key, publish the new one behind the old, then put it in front, and take the old one away when an hour has passed. Several gateways have the same.",
    )],
};

/// A table of `allow`; described in prose by the reference.
pub(super) const RULE: Table = Table {
    header: "allow",
    intro: "",
    keys: &[
        key("scope", "string", Default(""), ""),
        key("role", "string", Default(""), ""),
        key("claim", "string", Default(""), ""),
        key("any_of", "list", Default(""), ""),
        key("all", "list of rules", Default(""), ""),
        key("any", "list of rules", Default(""), ""),
    ],
};

/// The table that says where a secret is.
pub(super) const SECRET: Table = Table {
    header: "client_secret",
    intro: "",
    keys: &[key("file", "string", Default(""), ""), key("env", "string", Default(""), "")],
};

/// The table that says where a file is that is no secret.
pub(super) const FILE: Table =
    Table { header: "client_certificate", intro: "", keys: &[key("file", "path", Required, "")] };

/// `[log]`
pub(super) const LOG: Table = Table {
    header: "[log]",
    intro: "One line per event on standard output. Secrets, header values and query strings are never logged. Other libraries than the gateway itself log warnings and errors only, whatever `level` says, because some would print what they carry.",
    keys: &[
        key(
            "format",
            "`\"auto\"`, `\"json\"` or `\"text\"`",
            Default("`\"auto\"`"),
            "`\"auto\"` is text on a terminal and JSON elsewhere.",
        ),
        key(
            "level",
            "string",
            Default("`\"info\"`"),
            "off, error, warn, info, debug or trace; or by module, such as `\"info,gateway::oidc=debug\"`.",
        ),
        key("access", "`true` or `false`", Default("`true`"), "Whether each request is logged."),
    ],
};

/// `[reload]`
pub(super) const RELOAD: Table = Table {
    header: "[reload]",
    intro: "A running gateway takes on another configuration whole or not at all: requests under way end as they began, and sessions, WebSockets and open connections notice nothing. One that has a problem is refused; the log and `/readyz` say why, and the gateway goes on with what it had. `http`, `https`, `admin`, `workers` and `timeouts` of `[listen]`, `[tls] acme`, `[session] store`, `[log]`, and taking a key out of `[session] keys` need a restart. SIGHUP reloads in any case.",
    keys: &[key(
        "watch",
        "`true` or `false`",
        Default("`true`"),
        "Whether the gateway reloads by itself when this file, or a file of a secret, key or certificate that it names, has changed.",
    )],
};

/// `[shutdown]`
pub(super) const SHUTDOWN: Table = Table {
    header: "[shutdown]",
    intro: "What happens after SIGTERM or Ctrl-C. A second one ends the gateway at once.",
    keys: &[
        key(
            "delay",
            "duration",
            Default("`\"0s\"`"),
            "For so long the gateway goes on taking requests while `/readyz` answers 503, so that a load balancer finds others first. 1 hour at most.",
        ),
        key(
            "grace",
            "duration",
            Default("`\"10s\"`"),
            "After that no connection is taken, and requests, event streams and WebSockets under way may take this long. Then they are cut off. 1 hour at most.",
        ),
    ],
};

/// `[telemetry]`
pub(super) const TELEMETRY: Table = Table {
    header: "[telemetry]",
    intro: "Traces, as W3C Trace Context and OpenTelemetry have them: see gateway/docs/observability.md. Metrics need no configuration.",
    keys: &[
        key(
            "otlp",
            "URL",
            Default("none: nothing is recorded"),
            "The collector's address for OTLP over HTTP (protobuf), such as `\"http://127.0.0.1:4318\"`; `/v1/traces` is added. Requests never wait for it.",
        ),
        key(
            "sample",
            "number, 0 to 1",
            Default("`0.01`"),
            "The share of the traces beginning here that are recorded. A trace that is continued is recorded if its caller records it.",
        ),
        key(
            "otlp_headers",
            "table of secrets by header",
            Default("none"),
            "What the collector wants to be shown, such as `{ x-api-key = { file = \"otlp.key\" } }`. Over https, or to this machine.",
        ),
        key("service_name", "string", Default("`\"gateway\"`"), "What this gateway is called there."),
        key(
            "resource",
            "table of strings",
            Default("none"),
            "More that describes it, such as `{ \"deployment.environment.name\" = \"production\" }`.",
        ),
        key(
            "continue_traces",
            "`\"nobody\"`, `\"trusted-proxies\"` or `\"everybody\"`",
            Default("`\"nobody\"`"),
            "Whose `traceparent` and `tracestate` are believed. `\"trusted-proxies\"`: what `listen.trusted_proxies` send, who must then not pass on what strangers say. `\"everybody\"` only where none but programs of yours reach the gateway: whoever is believed chooses the trace, and that it is recorded here and behind the gateway. Others are linked, not continued.",
        ),
    ],
};
