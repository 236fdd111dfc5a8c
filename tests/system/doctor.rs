//! `gateway doctor`: set-ups that are broken in one place each, and what it says of them. The provider, the upstream and
//! the store are real; the gateway does not run.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use dev_idp::faults::{HttpFault, JwksFault, MetadataFault};
use dev_idp::{Endpoint, Tenant};
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::doctor;
use gateway::finding::{Finding, Level, Observer};
use harness::{FreePort, RedisServer};
use serde_json::json;
use tempfile::TempDir;

const TENANT: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";
const READ: &str = "api://todo-service/ToDoList.Read";

/// A provider and an upstream that run, and a folder for what a configuration names.
struct Bench {
    idp: dev_idp::Running,
    upstream: TcpListener,
    folder: TempDir,
    ahead: i64,
}

impl Bench {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let root = demo::root().expect("the tests run in the checkout");
        let tenant = Tenant::load(&root.join("deploy/dev-idp/tenant.toml")).expect("the shipped tenant");
        let secret = root.join("deploy/dev-idp/todo-web.secret");
        let options = dev_idp::Options { listener, tenant, clock: dev_idp::Clock::system() };
        let idp = dev_idp::start(options).await.expect("it starts");
        let folder = tempfile::tempdir().expect("a folder");
        private_copy(&secret, &folder.path().join("client.secret"));
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self { idp, upstream, folder, ahead: 0 }
    }

    /// A configuration with which everything works.
    fn sound(&self) -> String {
        format!(
            "public_url = \"http://localhost:3000\"\n\
             [provider]\nissuer = \"{}\"\nclient_id = \"todo-web\"\nclient_secret = {{ file = \"client.secret\" }}\n\
             scopes = [\"profile\", \"offline_access\", \"{READ}\"]\n\
             [session]\nstore = {{ file = \"var/sessions.db\" }}\n\
             [upstreams.api]\nservers = [\"http://{}\"]\n\
             [tokens.read]\nscopes = [\"{READ}\"]\n\
             [[routes]]\npath = \"/api\"\nupstream = \"api\"\ntoken = \"read\"\n",
            self.idp.issuer(),
            self.upstream.local_addr().expect("bound"),
        )
    }

    /// The sound configuration, for the face that looks like an Entra External ID tenant.
    fn entra(&self) -> String {
        let provider = format!(
            "issuer = \"{}\"\nmetadata_url = \"{}\"",
            self.idp.entra_issuer(),
            self.idp.entra_metadata_url()
        );
        let own = format!("issuer = \"{}\"", self.idp.issuer());
        self.sound().replace(&own, &provider).replace(&format!(", \"{READ}\"]\n[session]"), "]\n[session]")
    }

    async fn examine(&self, text: &str) -> Heard {
        let config = Config::parse(text, "gateway.toml", self.folder.path());
        let config = config.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let clock = Clock::shifted(Arc::new(AtomicI64::new(self.ahead)));
        let mut heard = Heard::default();
        let faults = doctor::examine(config, &clock, &mut heard).await;
        assert_eq!(faults, heard.of(Level::Fault).len());
        heard
    }
}

/// Only its owner reads it, whatever the checkout's file is.
fn private_copy(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::copy(from, to).expect("copied");
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)).expect("its own file");
}

#[derive(Default)]
struct Heard(Vec<Finding>);

impl Observer for Heard {
    fn looking(&mut self, _: &str) {}

    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

impl Heard {
    fn of(&self, level: Level) -> Vec<&Finding> {
        self.0.iter().filter(|finding| finding.level == level).collect()
    }

    /// The finding of that check that is worse than ok: what was found, and what to type.
    fn complaint(&self, level: Level, check: &str) -> (String, String) {
        let found = self.0.iter().find(|finding| finding.level == level && finding.check == check);
        let found = found.unwrap_or_else(|| panic!("no {} of {check}: {:#?}", level.as_str(), self.0));
        (found.found.clone(), found.repair.clone().expect("a repair"))
    }

    fn fault(&self, check: &str) -> (String, String) {
        self.complaint(Level::Fault, check)
    }
}

#[tokio::test]
async fn a_sound_set_up_has_no_fault_and_each_part_was_looked_at() {
    let bench = Bench::new().await;
    for text in [bench.sound(), bench.entra()] {
        let heard = bench.examine(&text).await;
        assert!(heard.of(Level::Fault).is_empty(), "{:#?}", heard.of(Level::Fault));
        let passed: Vec<_> = heard.of(Level::Ok).iter().map(|finding| finding.check).collect();
        for check in [
            "configuration",
            "secret_files",
            "connection",
            "metadata",
            "clock",
            "issuer",
            "endpoints",
            "id_token_algorithms",
            "pkce",
            "response_mode",
            "client_authentication",
            "keys",
            "credentials",
            "redirect_uri",
            "sign_out",
            "tokens",
            "upstream",
            "session_store",
        ] {
            assert!(passed.contains(&check), "{check}: {:#?}", heard.0);
        }
    }
    assert!(!bench.folder.path().join("var").exists(), "it leaves nothing behind");
    assert_eq!(bench.idp.refresh_families().len(), 0, "nobody was signed in");
}

#[tokio::test]
async fn no_secret_and_no_token_is_ever_said() {
    let bench = Bench::new().await;
    let secret = std::fs::read_to_string(bench.folder.path().join("client.secret")).expect("there");
    let said = format!("{:?}", bench.examine(&bench.sound()).await.0);
    assert!(!said.contains(secret.trim()));
    let sent = bench.idp.faults().last_token().expect("the code that nobody was given");
    assert!(!said.contains(&sent["code"]) && !said.contains(&sent["code_verifier"]));
}

#[tokio::test]
async fn an_issuer_with_a_slash_too_many_is_a_fault_with_the_line_to_write() {
    let bench = Bench::new().await;
    let issuer = bench.idp.issuer();
    let text = bench.sound().replace(&format!("\"{issuer}\""), &format!("\"{issuer}/\""));
    let (found, repair) = bench.examine(&text).await.fault("issuer");
    assert!(found.contains("slash"), "{found}");
    assert_eq!(repair, format!("issuer = \"{issuer}\""));
}

#[tokio::test]
async fn metadata_that_is_elsewhere_is_found_there() {
    let bench = Bench::new().await;
    let issuer = bench.idp.issuer();
    let text = bench.sound().replace(&format!("\"{issuer}\""), &format!("\"{issuer}/auth/realms/todo\""));
    let (found, repair) = bench.examine(&text).await.fault("metadata");
    assert!(found.contains("404"), "{found}");
    assert_eq!(repair, format!("issuer = \"{issuer}\""));
}

#[tokio::test]
async fn entra_external_ids_two_hosts_are_explained() {
    let bench = Bench::new().await;
    let issuer = format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0");
    let real = issuer.clone();
    bench.idp.faults().edit_metadata(move |document| document["issuer"] = real.clone().into());
    let wrong =
        bench.entra().replace(&bench.idp.entra_issuer(), "https://contoso.ciamlogin.com/contoso/v2.0");
    let (found, repair) = bench.examine(&wrong).await.fault("issuer");
    assert!(found.contains("tenant's ID as its host"), "{found}");
    assert!(repair.starts_with(&format!("issuer = \"{issuer}\"\nmetadata_url = ")), "{repair}");
    let right = bench.entra().replace(&bench.idp.entra_issuer(), &issuer);
    assert!(!bench.examine(&right).await.0.iter().any(|one| one.check == "issuer" && one.level != Level::Ok));
}

#[tokio::test]
async fn entras_first_version_is_recognised() {
    let bench = Bench::new().await;
    let old = format!("https://sts.windows.net/{TENANT}/");
    bench.idp.faults().edit_metadata(move |document| document["issuer"] = old.clone().into());
    let (found, repair) = bench.examine(&bench.entra()).await.fault("issuer");
    assert!(found.contains("v1.0") && repair.contains(&format!("{TENANT}/v2.0")), "{found} {repair}");
}

#[tokio::test]
async fn the_metadata_of_every_tenant_wants_to_know_which_may_sign_in() {
    let bench = Bench::new().await;
    bench.idp.faults().set(MetadataFault::IssuerTemplate);
    let (found, repair) = bench.examine(&bench.entra()).await.fault("issuer");
    assert!(found.contains("every tenant") && repair.contains("tenants = ["), "{found} {repair}");
}

#[tokio::test]
async fn a_provider_that_is_down_is_a_fault_of_the_connection() {
    let bench = Bench::new().await;
    bench.idp.disconnect().await.expect("it goes away");
    let heard = bench.examine(&bench.sound()).await;
    heard.fault("connection");
    let (found, _) = heard.complaint(Level::Warning, "provider");
    assert!(found.contains("not looked at"), "{found}");
    bench.idp.reconnect().await.expect("it comes back");
    assert!(bench.examine(&bench.sound()).await.of(Level::Fault).is_empty());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_fault_of_the_connection() {
    let bench = Bench::new().await;
    let text = bench.sound().replace(&bench.idp.issuer(), "https://login.invalid");
    let (found, repair) = bench.examine(&text).await.fault("connection");
    assert!(found.contains("login.invalid") && repair.contains("getent hosts"), "{found} {repair}");
}

#[tokio::test]
async fn metadata_that_is_no_json_is_a_fault() {
    let bench = Bench::new().await;
    bench.idp.faults().set(MetadataFault::NotJson);
    bench.examine(&bench.sound()).await.fault("metadata");
    bench.idp.faults().clear();
    bench.idp.faults().set((Endpoint::Metadata, HttpFault::Redirect302));
    let (found, _) = bench.examine(&bench.sound()).await.fault("metadata");
    assert!(found.contains("redirects are not followed"), "{found}");
}

#[tokio::test]
async fn endpoints_without_https_are_a_fault() {
    let bench = Bench::new().await;
    bench.idp.faults().set(MetadataFault::HttpToken);
    let (found, _) = bench.examine(&bench.sound()).await.fault("endpoints");
    assert!(found.contains("http://idp.example"), "{found}");
}

#[tokio::test]
async fn a_provider_without_keys_is_a_fault() {
    let bench = Bench::new().await;
    for (fault, word) in
        [(JwksFault::Empty, "none of 0"), (JwksFault::WeakRsa, "too weak"), (JwksFault::NoKid, "")]
    {
        bench.idp.faults().set(fault);
        let heard = bench.examine(&bench.sound()).await;
        if fault == JwksFault::NoKid {
            // One key needs no name.
            assert!(heard.of(Level::Fault).is_empty(), "{:#?}", heard.of(Level::Fault));
        } else {
            let (found, _) = heard.fault("keys");
            assert!(found.contains(word), "{found}");
        }
        bench.idp.faults().clear();
    }
    bench.idp.faults().set(JwksFault::SameKidRsa);
    let (found, _) = bench.examine(&bench.sound()).await.fault("keys");
    assert!(found.contains("several keys"), "{found}");
}

#[tokio::test]
async fn algorithms_that_do_not_meet_are_a_fault_with_the_line_to_write() {
    let bench = Bench::new().await;
    bench.idp.faults().edit_metadata(|document| {
        document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    });
    let text = bench.sound().replace("[session]", "id_token_algorithms = [\"ES256\"]\n[session]");
    let (_, repair) = bench.examine(&text).await.fault("id_token_algorithms");
    assert_eq!(repair, "id_token_algorithms = [\"RS256\"]");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_a_fault_and_one_that_is_half_wrong_a_warning() {
    let mut bench = Bench::new().await;
    bench.ahead = 600;
    let (found, _) = bench.examine(&bench.sound()).await.fault("clock");
    assert!(found.contains("ahead of"), "{found}");
    bench.ahead = -45;
    let (found, _) = bench.examine(&bench.sound()).await.complaint(Level::Warning, "clock");
    assert!(found.contains("behind"), "{found}");
}

#[tokio::test]
async fn a_client_that_the_provider_does_not_know_is_a_fault() {
    let bench = Bench::new().await;
    let text = bench.sound().replace("\"todo-web\"", "\"todo-wep\"");
    let heard = bench.examine(&text).await;
    let (found, _) = heard.fault("credentials");
    assert!(found.contains("does not know the client"), "{found}");
    let (found, _) = heard.fault("redirect_uri");
    assert!(found.contains("does not know the client"), "{found}");
}

#[tokio::test]
async fn a_wrong_secret_is_a_fault() {
    let bench = Bench::new().await;
    std::fs::write(bench.folder.path().join("client.secret"), "gMz1-8hT_q2vXc7RkLw0PyNd").expect("written");
    let heard = bench.examine(&bench.sound()).await;
    let (found, repair) = heard.fault("credentials");
    assert!(found.contains("invalid_client") && repair.contains("client_secret"), "{found} {repair}");
    assert_eq!(heard.of(Level::Fault).len(), 1, "nothing else is wrong");
}

#[tokio::test]
async fn entras_numbers_are_said_by_name() {
    let bench = Bench::new().await;
    bench.idp.faults().edit_token_response(|_| ());
    let denied = json!({"error": "invalid_client", "error_description": "AADSTS7000215: …", "error_codes": [7_000_215]});
    let server = Canned::start(401, &denied.to_string()).await;
    let url = server.url();
    bench.idp.faults().edit_metadata(move |document| document["token_endpoint"] = url.clone().into());
    let (found, repair) = bench.examine(&bench.entra()).await.fault("credentials");
    assert!(found.contains("the client secret is wrong") && repair.contains("Secret ID"), "{found} {repair}");
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_registered_is_a_fault_and_is_printed() {
    let bench = Bench::new().await;
    let text = bench.sound().replace("http://localhost:3000", "http://localhost:3999");
    let heard = bench.examine(&text).await;
    let (found, repair) = heard.fault("redirect_uri");
    assert!(found.contains("not registered"), "{found}");
    assert!(repair.ends_with("http://localhost:3999/auth/callback"), "{repair}");
    let (found, repair) = heard.fault("sign_out");
    assert!(found.contains("not registered"), "{found}");
    assert!(repair.ends_with("http://localhost:3999/auth/signed-out"), "{repair}");
}

#[tokio::test]
async fn a_provider_that_hides_what_it_thinks_of_the_redirect_uri_is_not_guessed_at() {
    let bench = Bench::new().await;
    let server = Canned::start(200, "<h1>Sign in</h1>").await;
    let url = server.url();
    bench.idp.faults().edit_metadata(move |document| document["authorization_endpoint"] = url.clone().into());
    let (found, _) = bench.examine(&bench.sound()).await.complaint(Level::Warning, "redirect_uri");
    assert!(found.contains("does not tell"), "{found}");
}

#[tokio::test]
async fn a_provider_without_end_session_endpoint_is_a_warning() {
    let bench = Bench::new().await;
    bench.idp.faults().set(MetadataFault::NoEndSession);
    let heard = bench.examine(&bench.sound()).await;
    let (found, _) = heard.complaint(Level::Warning, "sign_out");
    assert!(found.contains("here only"), "{found}");
    assert!(heard.of(Level::Fault).is_empty());
}

#[tokio::test]
async fn a_scope_that_the_provider_does_not_know_is_a_fault() {
    let bench = Bench::new().await;
    let text = bench.sound().replace("\"profile\"", "\"profil\"");
    let heard = bench.examine(&text).await;
    let (found, repair) = heard.fault("sign_in");
    assert!(found.contains("invalid_scope") && repair.contains("scopes"), "{found} {repair}");
    let (found, _) = heard.complaint(Level::Warning, "scopes");
    assert!(found.contains("profil"), "{found}");
}

#[tokio::test]
async fn pkce_client_authentication_and_response_mode_are_compared_with_the_metadata() {
    let bench = Bench::new().await;
    bench.idp.faults().edit_metadata(|document| {
        document["code_challenge_methods_supported"] = json!(["plain"]);
        document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        document["response_modes_supported"] = json!(["form_post"]);
    });
    let heard = bench.examine(&bench.sound()).await;
    heard.fault("pkce");
    assert_eq!(heard.fault("client_authentication").1, "client_authentication = \"client_secret_post\"");
    assert_eq!(heard.fault("response_mode").1, "response_mode = \"form_post\"");
}

#[tokio::test]
async fn tokens_that_entra_would_never_give_are_faults() {
    let bench = Bench::new().await;
    let with = |scopes: &str| bench.entra().replace(&format!("scopes = [\"{READ}\"]"), scopes);
    let two = with(&format!("scopes = [\"{READ}\", \"api://reports/Reports.Read\"]"));
    assert!(bench.examine(&two).await.fault("tokens").0.contains("one API"));
    let bare = with("scopes = [\"ToDoList.Read\"]");
    assert!(bench.examine(&bare).await.fault("tokens").0.contains("Microsoft Graph"));
    let without = bench.entra().replace(", \"offline_access\"", "");
    let (_, repair) = bench.examine(&without).await.fault("offline_access");
    assert_eq!(repair, "scopes = [\"profile\", \"offline_access\"]");
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_fault() {
    let bench = Bench::new().await;
    let port = FreePort::take();
    let own = bench.upstream.local_addr().expect("bound").to_string();
    let text = bench.sound().replace(&own, &format!("127.0.0.1:{}", port.number()));
    let heard = bench.examine(&text).await;
    heard.fault("upstream");
    assert_eq!(heard.of(Level::Fault).len(), 1, "nothing else is wrong");
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_a_fault() {
    let bench = Bench::new().await;
    std::fs::write(bench.folder.path().join("var"), "a file where a folder should be").expect("written");
    let (found, _) = bench.examine(&bench.sound()).await.fault("session_store");
    assert!(found.contains("cannot be"), "{found}");
}

#[tokio::test]
async fn a_redis_is_asked_and_one_that_is_down_is_a_fault() {
    let bench = Bench::new().await;
    let mut redis = RedisServer::launch().await;
    let key = gateway::session::vault::ServerKey::generate().to_text();
    std::fs::write(bench.folder.path().join("server.key"), key.expose()).expect("written");
    let text = bench.sound().replace(
        "{ file = \"var/sessions.db\" }",
        &format!("{{ redis = \"{}\" }}\nkeys = [{{ file = \"server.key\" }}]", redis.url()),
    );
    assert!(bench.examine(&text).await.of(Level::Fault).is_empty());
    redis.stop().await;
    let heard = bench.examine(&text).await;
    heard.fault("session_store");
    assert_eq!(heard.of(Level::Fault).len(), 1, "nothing else is wrong");
}

#[tokio::test]
async fn a_secret_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new().await;
    let path = bench.folder.path().join("client.secret");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("its own file");
    let (found, repair) = bench.examine(&bench.sound()).await.complaint(Level::Warning, "configuration");
    assert!(found.contains("other users") && repair.contains("chmod 600"), "{found} {repair}");
}

/// A server that answers every request with the same.
struct Canned {
    port: u16,
    serving: tokio::task::AbortHandle,
}

impl Canned {
    async fn start(status: u16, body: &str) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let kind = if body.starts_with('{') { "application/json" } else { "text/html" };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 8192];
                // The requests here fit into one read; what is not read is not needed.
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, serving: serving.abort_handle() }
    }

    fn url(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test]
async fn of_several_providers_each_is_examined_and_named() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    private_copy(&other.folder.path().join("client.secret"), &bench.folder.path().join("other.secret"));
    let second = format!(
        "[providers.guests]\nissuer = \"{}\"\nclient_id = \"todo-wep\"\nclient_secret = {{ file = \"other.secret\" }}\n",
        other.idp.issuer()
    );
    let text = bench.sound().replace("[provider]", "[providers.staff]") + &second;
    let text = text.replace("http://localhost:3000", "http://localhost:3001");
    let heard = bench.examine(&text).await;
    let of =
        |name: &str| heard.0.iter().filter(|one| one.looked_at.starts_with(&format!("{name}: "))).count();
    assert!(of("staff") > 10 && of("guests") > 10, "{:#?}", heard.0);
    let faults = heard.of(Level::Fault);
    let is_named = |one: &&&Finding| one.check == "credentials";
    assert!(
        faults.iter().find(is_named).is_some_and(|one| one.looked_at.starts_with("guests: ")),
        "{faults:#?}"
    );
    let printed: Vec<_> = faults.iter().filter_map(|one| one.repair.as_deref()).collect();
    assert!(printed.iter().any(|text| text.contains("/auth/callback/staff")), "{printed:?}");
}
