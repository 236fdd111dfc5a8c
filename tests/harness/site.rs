//! A whole site for one test: gateway, to-do service and identity provider, with a folder and a clock of its own. When
//! it goes away, no secret may have leaked.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use demo::{Addresses, Stack};
use dev_idp::{Endpoint, Faults};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::ask::Ask;
use crate::browser::Browser;
use crate::collector::Collector;
use crate::exchange;
use crate::log::{self, Memory};
use crate::plan::{ADMIN_TOKEN, Gateways, Plan, server_keys};
use crate::program::Program;
use crate::reply::Reply;
use crate::secrets::{Kind, Secrets};
use crate::{text, wire};

/// A running site.
pub struct Site {
    /// Gateways besides the stack's own, which is the first.
    others: Vec<gateway::server::Running>,
    /// The gateways that are processes; then the stack has none, and there are no others.
    programs: Vec<Program>,
    stack: Option<Stack>,
    https: bool,
    offset: Arc<AtomicI64>,
    secrets: Arc<Secrets>,
    access: Memory,
    log_start: usize,
    folder: TempDir,
    config: Mutex<String>,
    collectors: Vec<Collector>,
}

/// What a site logged until it was stopped.
#[derive(Clone, Debug)]
pub struct Logs {
    /// The gateway's access lines.
    pub access: String,
    /// Everything else that the process logged meanwhile, lines of other tests' sites included.
    pub events: String,
}

impl Logs {
    /// Every access line as JSON.
    ///
    /// # Panics
    /// If a line is not JSON.
    pub fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.access.lines().map(parse).collect()
    }
}

impl Site {
    /// Starts what was planned.
    pub(crate) async fn run(plan: Plan) -> anyhow::Result<Self> {
        let Plan { mut options, folder, gateways, https, collectors, .. } = plan;
        let log = log::shared();
        let log_start = log.len();
        let access = Memory::default();
        options.access = Arc::new(Mutex::new(access.clone()));
        let offset = Arc::clone(&options.offset);
        let config = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&config);
        options.edits.gateway(move |text, _| {
            written.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&text);
            Ok(text)
        });
        let stack = Stack::start(options).await?;
        let config = config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let secrets = Arc::new(Secrets::default());
        let (others, programs) = (Vec::new(), Vec::new());
        let mut site = Self {
            others,
            programs,
            stack: Some(stack),
            https,
            offset,
            secrets,
            access,
            log_start,
            folder,
            config: Mutex::new(config.clone()),
            collectors,
        };
        site.listen_to_provider();
        match gateways {
            Gateways::Here(count) => site.launch_others(count, &config)?,
            Gateways::Programs(count) => site.start_programs(count, &config).await,
        }
        Ok(site)
    }

    fn launch_others(&mut self, count: usize, config: &str) -> anyhow::Result<()> {
        let root = demo::root().expect("the tests run in the checkout");
        let text = text::set(config, "listen", "http", "\"127.0.0.1:0\"");
        let text = text::set(&text, "listen", "admin", "\"127.0.0.1:0\"");
        for number in 2..=count {
            let config = gateway::config::Config::parse(&text, &format!("gateway-{number}.toml"), &root);
            let config = config.map_err(|problems| anyhow::anyhow!("{problems}"))?;
            let clock = gateway::clock::Clock::shifted(Arc::clone(&self.offset));
            let access = Arc::new(Mutex::new(self.access.clone()));
            self.others.push(gateway::server::launch(config, clock, access)?);
        }
        Ok(())
    }

    async fn start_programs(&mut self, count: usize, config: &str) {
        let root = demo::root().expect("the tests run in the checkout");
        for number in 1..=count {
            let port = (number == 1).then(|| self.addresses().ports.gateway);
            self.programs.push(Program::new(number, config, &root, self.folder.path(), port));
        }
        for program in &mut self.programs {
            program.spawn();
        }
        for program in &mut self.programs {
            program.ready().await;
        }
    }

    /// A site as it is shipped.
    pub async fn start() -> Self {
        Plan::new().start().await
    }

    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        self.stack().addresses()
    }

    /// Waits until the gateway has found the provider. Nothing needs it but tests that count the provider's requests:
    /// whoever signs in waits by itself.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn ready(&self) {
        eventually("the gateway is ready", || async { self.admin("/readyz").await.status == 200 }).await;
    }

    /// Where a load balancer reaches each gateway; see [`Browser::at`].
    pub fn ports(&self) -> Vec<u16> {
        if self.programs.is_empty() {
            let others = self.others.iter().filter_map(|gateway| Some(gateway.http().first()?.port()));
            [self.addresses().ports.gateway].into_iter().chain(others).collect()
        } else {
            self.programs.iter().map(Program::port).collect()
        }
    }

    /// A gateway that is a process, counted from 0.
    ///
    /// # Panics
    /// If the plan did not ask for [`Plan::programs`].
    pub fn program(&mut self, index: usize) -> &mut Program {
        &mut self.programs[index]
    }

    /// What `[session] keys` says for keys of these names, as in [`Plan::keys`].
    pub fn server_keys(&self, names: &[&str]) -> String {
        server_keys(self.folder.path(), names)
    }

    /// The running state of each gateway in this process.
    pub fn live(&self) -> Vec<Arc<gateway::live::Live>> {
        let first = self.programs.is_empty().then(|| self.stack().gateway().live());
        first.into_iter().chain(self.others.iter().map(gateway::server::Running::live)).collect()
    }

    /// Has every gateway in this process take on the configuration with these changes. The number of its generation, or
    /// what is wrong with it.
    pub fn reload(&self, edit: impl FnOnce(String) -> String) -> Result<u64, String> {
        let root = demo::root().expect("the tests run in the checkout");
        let mut known = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let text = edit(known.clone());
        let parse = || gateway::config::Config::parse(&text, "gateway.toml", &root);
        let mut generation = self.stack().gateway().reload(parse()).map_err(|error| error.to_string())?;
        for gateway in &self.others {
            generation = gateway.reload(parse()).map_err(|error| error.to_string())?;
        }
        *known = text;
        Ok(generation)
    }

    /// The address of a path of the site.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The site's origin.
    pub fn origin(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}", self.host())
    }

    /// Where the site is on this computer.
    pub fn port(&self) -> u16 {
        self.addresses().ports.gateway
    }

    /// The gateway in this process.
    ///
    /// # Panics
    /// If the plan asked for [`Plan::programs`].
    pub fn gateway(&self) -> &gateway::server::Running {
        self.stack().gateway()
    }

    /// A new browser, without cookies.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.origin(), Arc::clone(&self.secrets))
    }

    /// A new browser at another address of the site: that of [`Plan::other_site`].
    pub fn browser_at(&self, host: &str) -> Browser {
        let origin = format!("http://{host}:{}", self.addresses().ports.gateway);
        Browser::new(&origin, Arc::clone(&self.secrets))
    }

    /// The gateway's configuration, as it was read.
    pub fn config(&self) -> String {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new browser in which somebody has signed in.
    pub async fn signed_in(&self, email: &str) -> Browser {
        let browser = self.browser();
        browser.sign_in(email).await.must_show("/");
        browser
    }

    /// Bytes to the gateway, and all that comes back until it closes.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        wire::raw(self.addresses().ports.gateway, bytes.as_ref()).await
    }

    /// `Host` as the gateway expects it: `localhost:PORT`.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.addresses().ports.gateway)
    }

    /// A request to the gateway's admin address.
    pub async fn admin(&self, path: &str) -> Reply {
        self.elsewhere(&self.addresses().admin, Ask::bare("GET", path)).await
    }

    /// Any request to the gateway's admin address.
    pub async fn admin_ask(&self, ask: Ask) -> Reply {
        self.elsewhere(&self.addresses().admin, ask).await
    }

    /// An operator's request to the gateway's admin address, for plans with [`Plan::operators`].
    pub async fn operator(&self, ask: Ask) -> Reply {
        let token = self.admin_token();
        self.admin_ask(ask.set("authorization", &format!("Bearer {token}"))).await
    }

    /// What operators show.
    ///
    /// # Panics
    /// If the plan did not ask for [`Plan::operators`].
    pub fn admin_token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(ADMIN_TOKEN)).expect("the plan has operators")
    }

    /// Where the admin listener of each gateway in this process is.
    pub fn admin_ports(&self) -> Vec<u16> {
        let others = self.others.iter().map(|gateway| gateway.admin().port());
        [self.addresses().ports.admin].into_iter().chain(others).collect()
    }

    /// A request straight to the to-do service, past the gateway.
    pub async fn todo(&self, ask: Ask) -> Reply {
        self.elsewhere(&self.addresses().todo, ask).await
    }

    async fn elsewhere(&self, base: &str, ask: Ask) -> Reply {
        let url = Url::parse(&format!("{base}{}", ask.target)).expect("a path");
        exchange::exchange(&ask, &url, None).await
    }

    /// The provider.
    ///
    /// # Panics
    /// While it is stopped.
    pub fn provider(&self) -> &dev_idp::Running {
        self.stack().provider().expect("the provider runs")
    }

    /// Misbehaviour of the provider, and the record of what it was asked.
    pub fn faults(&self) -> Faults {
        self.provider().faults()
    }

    /// How many requests an endpoint of the provider has had.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.faults().requests(endpoint)
    }

    /// The provider behaves again.
    pub fn heal(&self) {
        self.faults().clear();
        self.listen_to_provider();
    }

    /// The provider goes away: nobody listens on its port.
    pub async fn stop_provider(&mut self) {
        self.gather();
        if let Some(stack) = &mut self.stack {
            stack.stop_provider().await;
        }
    }

    /// The provider comes (back), with new keys.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start_provider(&mut self) {
        let stack = self.stack.as_mut().expect("the site runs");
        stack.start_provider().await.expect("the provider starts");
        self.listen_to_provider();
    }

    /// The to-do service goes away.
    pub async fn stop_todo(&mut self) {
        if let Some(stack) = &mut self.stack {
            stack.stop_todo().await;
        }
    }

    /// Lets time pass, for every part of the site at once.
    pub fn advance(&self, time: Duration) {
        let seconds = i64::try_from(time.as_secs()).expect("a test does not wait for ever");
        self.offset.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The site's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What this process logged since the site began, lines of other tests' sites included.
    pub fn logged(&self) -> String {
        String::from_utf8_lossy(&log::shared().bytes(self.log_start)).into_owned()
    }

    /// Secrets that were seen so far.
    pub fn secrets(&self) -> &Secrets {
        self.gather();
        &self.secrets
    }

    /// Stops the site and gives its logs, after the search for secrets.
    pub async fn into_logs(mut self) -> Logs {
        self.gather();
        self.others.clear();
        if let Some(stack) = self.stack.take() {
            stack.stop().await;
        }
        Logs {
            access: String::from_utf8_lossy(&self.access.bytes(0)).into_owned(),
            events: String::from_utf8_lossy(&log::shared().bytes(self.log_start)).into_owned(),
        }
    }

    /// What each gateway in this process counted; no secret may stand there either.
    fn metrics(&self) -> String {
        if self.stack.is_none() {
            return String::new();
        }
        let text = |live: &Arc<gateway::live::Live>| live.metrics.text(gateway::metrics::Format::OpenMetrics);
        self.live().iter().map(text).collect()
    }

    fn stack(&self) -> &Stack {
        self.stack.as_ref().expect("the site runs")
    }

    /// Tokens as they are issued.
    fn listen_to_provider(&self) {
        let Some(provider) = self.stack().provider() else { return };
        let secrets = Arc::clone(&self.secrets);
        provider.faults().edit_token_response(move |bytes| {
            let Ok(response) = serde_json::from_slice::<Value>(bytes) else { return };
            let kinds = [
                ("access_token", Kind::AccessToken),
                ("refresh_token", Kind::RefreshToken),
                ("id_token", Kind::IdToken),
            ];
            for (member, kind) in kinds {
                if let Some(token) = response[member].as_str() {
                    secrets.add(kind, token);
                }
            }
        });
    }

    /// What the provider's record knows.
    fn gather(&self) {
        for file in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|extension| extension == "key") {
                let key = std::fs::read_to_string(file.path()).unwrap_or_default();
                self.secrets.add(Kind::ServerKey, &key);
            }
        }
        let token = std::fs::read_to_string(self.folder.path().join(ADMIN_TOKEN)).unwrap_or_default();
        self.secrets.add(Kind::AdminToken, &token);
        let Some(provider) = self.stack.as_ref().and_then(Stack::provider) else { return };
        let faults = provider.faults();
        let kinds = [
            ("code", Kind::Code),
            ("code_verifier", Kind::Verifier),
            ("refresh_token", Kind::RefreshToken),
            ("client_secret", Kind::ClientSecret),
            ("basic_secret", Kind::ClientSecret),
            ("state", Kind::Attempt),
            ("nonce", Kind::Attempt),
            ("id_token_hint", Kind::IdToken),
        ];
        for endpoint in [Endpoint::Authorize, Endpoint::Token, Endpoint::EndSession, Endpoint::Revoke] {
            for seen in faults.seen(endpoint) {
                let parameters = seen.map();
                for (name, kind) in kinds {
                    if let Some(secret) = parameters.get(name) {
                        self.secrets.add(kind, secret);
                    }
                }
                if let Some(authorization) = &seen.authorization {
                    self.secrets
                        .add(Kind::ClientSecret, authorization.split(' ').next_back().unwrap_or_default());
                }
            }
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.gather();
        let metrics = self.metrics();
        // Its last lines are written when it stops.
        self.others.clear();
        drop(self.stack.take());
        if std::thread::panicking() {
            return;
        }
        let programs = self.programs.iter().map(|program| program.log().into_bytes());
        let logs = [self.access.bytes(0), log::shared().bytes(self.log_start), metrics.into_bytes()];
        let posted = self.collectors.iter().flat_map(Collector::posted).map(|posted| posted.body.to_vec());
        let found =
            logs.into_iter().chain(posted).chain(programs).find_map(|log| self.secrets.find_in_log(&log));
        if let Some(found) = found.or_else(|| self.secrets.find_in_sent()) {
            panic!("{found}");
        }
    }
}

/// Waits until something that happens by itself has happened: asks again and again, for half a minute at most.
///
/// # Panics
/// When that time is over.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut happened: impl FnMut() -> F) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(25));
        while !happened().await {
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "this did not happen in half a minute: {what}");
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn site_with_a_sign_in() -> (Site, String) {
        let site = Site::start().await;
        site.signed_in("alice@example.com").await;
        let code = site.secrets().of(Kind::Code).pop_first().expect("a code was spent");
        (site, code)
    }

    #[tokio::test]
    async fn a_site_that_keeps_its_secrets_ends_quietly() {
        let (site, code) = site_with_a_sign_in().await;
        assert!(!code.is_empty());
        drop(site);
    }

    #[tokio::test]
    #[should_panic(expected = "a secret (Code) stands in the log: oops")]
    async fn a_secret_in_the_log_fails_the_test_that_let_it_happen() {
        let (site, code) = site_with_a_sign_in().await;
        log::shared()
            .clone()
            .write_all(format!("oops {code}\n").as_bytes())
            .expect("memory takes everything");
        drop(site);
    }

    #[tokio::test]
    #[should_panic(expected = "a secret (IdToken) was sent to the browser in answer to GET /x")]
    async fn a_token_sent_to_a_browser_fails_the_test_that_let_it_happen() {
        let (site, _) = site_with_a_sign_in().await;
        let token = site.secrets().of(Kind::IdToken).pop_first().expect("an ID token was issued");
        site.secrets().add_sent("GET /x", token.into_bytes());
        drop(site);
    }
}
