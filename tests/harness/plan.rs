//! How a test's site differs from the shipped one, before it starts. Knows nothing of what a running site can do.

use std::fs;
use std::path::{Path, PathBuf};

use demo::{Options, Ports};
use dev_idp::tenant::SeedAccount;
use tempfile::TempDir;

use crate::collector::Collector;
use crate::echo::Echo;
use crate::site::Site;
use crate::tls::Identity;
use crate::{secrets, text};

/// How a site differs from the shipped one.
#[must_use]
pub struct Plan {
    pub(crate) options: Options,
    pub(crate) folder: TempDir,
    pub(crate) gateways: Gateways,
    pub(crate) https: bool,
    pub(crate) collectors: Vec<Collector>,
    on_disk: bool,
}

/// The gateways of a site. All have the site's one address; which of them gets a request is the test's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateways {
    /// In this process, on the site's clock.
    Here(usize),
    /// Each in a process of its own, on the system's clock.
    Programs(usize),
}

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the gateway's memory.
    Memory,
    /// In a file in the site's folder.
    File,
    /// In the Redis of that URL.
    Redis(String),
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

impl Plan {
    /// Nothing differs but ports.
    ///
    /// # Panics
    /// Outside the checkout.
    pub fn new() -> Self {
        let root = demo::root().expect("the tests run in the checkout");
        let mut options = Options::new(&root);
        options.ports = Ports::ANY;
        options.data = None;
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            options,
            folder,
            gateways: Gateways::Here(1),
            https: false,
            collectors: Vec::new(),
            on_disk: false,
        }
        .store(Kept::Memory)
        .set("log", "level", "\"trace\"")
        .set("log", "format", "\"json\"")
    }

    /// The gateway says little: for tests with so many requests that nobody could read the rest.
    pub fn quiet(self) -> Self {
        self.set("log", "level", "\"warn\"").set("log", "access", "false")
    }

    /// Sets a key of a table of the gateway's configuration, whatever it was.
    pub fn set(self, table: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.gateway(move |text| text::set(&text, table, key, &value))
    }

    /// Takes a key out of a table of the gateway's configuration.
    pub fn without(self, table: &'static str, key: &'static str) -> Self {
        self.gateway(move |text| text::remove(&text, table, key))
    }

    /// Where sessions are kept; in memory unless said otherwise.
    pub fn store(self, kept: Kept) -> Self {
        let value = match kept {
            Kept::Memory => "\"memory\"".to_owned(),
            Kept::File => format!("{{ file = \"{}\" }}", self.database().display()),
            Kept::Redis(url) => format!("{{ redis = \"{url}\" }}"),
        };
        self.set("session", "store", value)
    }

    /// Where [`Kept::File`] keeps sessions.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("sessions.db")
    }

    /// The gateways' own keys, by names: the first seals, all open. A name stands for the same key in one plan.
    pub fn keys(self, names: &[&str]) -> Self {
        let value = server_keys(self.folder.path(), names);
        self.set("session", "keys", value)
    }

    /// Operators may see and end sessions; see [`Site::operator`].
    ///
    /// # Panics
    /// If the token cannot be written.
    pub fn operators(self) -> Self {
        let path = self.folder.path().join(ADMIN_TOKEN);
        fs::write(&path, secrets::random()).expect("a file in the site's folder");
        let value = format!("{{ file = \"{}\" }}", path.display());
        self.set("listen", "admin_token", value)
    }

    /// The gateway ends TLS itself: its port speaks HTTP/2 and HTTP/1.1 in it, with a certificate for `localhost` and
    /// these names.
    ///
    /// # Panics
    /// If one of them is no name.
    pub fn https(mut self, names: &[&str]) -> Self {
        let names: Vec<&str> = ["localhost"].into_iter().chain(names.iter().copied()).collect();
        let pair = Identity::own(&names).write(self.folder.path(), "site");
        self.https = true;
        self.options.edits.gateway(move |text, addresses| {
            let port = addresses.ports.gateway;
            let text = text.replacen(
                &format!("public_url = \"http://localhost:{port}\""),
                &format!("public_url = \"https://localhost:{port}\""),
                1,
            );
            let text = text::remove(&text, "listen", "http");
            let text = text::set(&text, "listen", "https", &format!("\"127.0.0.1:{port}\""));
            Ok(text::set(&text, "tls", "certificates", &format!("[{pair}]")))
        });
        self.options.edits.tenant(|tenant, addresses| {
            let (plain, secure) = (&addresses.gateway, addresses.gateway.replace("http://", "https://"));
            for client in &mut tenant.clients {
                for uri in client.redirect_uris.iter_mut().chain(&mut client.post_logout_redirect_uris) {
                    *uri = uri.replace(plain, &secure);
                }
            }
        });
        self
    }

    /// Where files for this site may lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every request is recorded and sent to that collector; `rest` says more of it. What it got is searched for secrets
    /// when the site goes away.
    pub fn traces(mut self, collector: &Collector, rest: &str) -> Self {
        self.collectors.push(collector.clone());
        let toml = format!("[telemetry]\notlp = \"{}\"\nsample = 1\n{rest}\n", collector.url());
        self.append(toml)
    }

    /// As many gateways, in this process.
    pub fn gateways(mut self, count: usize) -> Self {
        self.gateways = Gateways::Here(count);
        self
    }

    /// As many gateways, each in a process of its own: they can be killed. Their clock is the system's and cannot be
    /// moved.
    pub fn programs(mut self, count: usize) -> Self {
        self.options.gateway = false;
        self.gateways = Gateways::Programs(count);
        self
    }

    /// Two APIs that tell whose token they got: `/echo` wants a token of the to-do API, `/reports` one of the reports API,
    /// `/page` is like `/echo` for people who open it, `/who` wants a session and no token, `/open` nothing.
    pub fn echo(self, echo: &Echo) -> Self {
        let mut toml = format!("[upstreams.echo]\nservers = [\"{}\"]\n", echo.url());
        toml += "[tokens.reports-read]\nscopes = [\"api://reports/Reports.Read\"]\n";
        toml.extend(
            ECHO_ROUTES
                .iter()
                .map(|(path, rest)| format!("[[routes]]\npath = \"{path}\"\nupstream = \"echo\"\n{rest}\n")),
        );
        self.append(toml)
    }

    /// As many people more, `person-0@example.com` and so on.
    pub fn people(self, count: usize) -> Self {
        self.tenant(move |tenant| {
            tenant.accounts.extend((0..count).map(|number| SeedAccount {
                email: person(number),
                name: format!("Person {number}"),
                password: crate::browser::PASSWORD.to_owned(),
                oid: None,
                app_roles: std::collections::BTreeMap::default(),
                groups: Vec::new(),
            }));
        })
    }

    /// Changes the text of the gateway's configuration.
    pub fn gateway(mut self, edit: impl FnOnce(String) -> String + Send + 'static) -> Self {
        self.options.edits.gateway(move |text, _| Ok(edit(text)));
        self
    }

    /// Replaces a piece of the gateway's configuration, which must be there.
    pub fn replace(self, piece: &'static str, with: impl Into<String>) -> Self {
        let with = with.into();
        self.gateway(move |text| {
            assert!(text.contains(piece), "gateway.toml holds no {piece:?}");
            text.replacen(piece, &with, 1)
        })
    }

    /// The gateway has another address besides its own: `http://HOST:PORT`, with the same port. The provider knows it.
    /// See [`Site::browser_at`].
    pub fn other_site(mut self, host: &'static str) -> Self {
        let origin = move |addresses: &demo::Addresses| format!("http://{host}:{}", addresses.ports.gateway);
        self.options
            .edits
            .gateway(move |text, addresses| Ok(format!("other_urls = [\"{}\"]\n{text}", origin(addresses))));
        self.options.edits.tenant(move |tenant, addresses| {
            for client in &mut tenant.clients {
                client.redirect_uris.push(format!("{}/auth/callback", origin(addresses)));
                client.post_logout_redirect_uris.push(format!("{}/auth/signed-out", origin(addresses)));
            }
        });
        self
    }

    /// A file in the site's folder that only its owner reads, and its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn secret_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file in the site's folder");
        path
    }

    /// Adds tables at the end of the gateway's configuration.
    pub fn append(self, toml: impl Into<String>) -> Self {
        let toml = toml.into();
        self.gateway(move |text| format!("{text}\n{toml}\n"))
    }

    /// Changes the provider's tenant.
    pub fn tenant(mut self, edit: impl FnOnce(&mut dev_idp::Tenant) + Send + 'static) -> Self {
        self.options.edits.tenant(move |tenant, _| edit(tenant));
        self
    }

    /// Changes the to-do service's settings.
    pub fn todo(mut self, edit: impl FnOnce(&mut todo_service::Config) + Send + 'static) -> Self {
        self.options.edits.todo(move |config, _| edit(config));
        self
    }

    /// People sign in at the provider's face that looks like Entra External ID.
    pub fn entra(mut self) -> Self {
        self.options.entra = true;
        self
    }

    /// Does something with the provider before anybody has asked it anything.
    pub fn provider(mut self, set_up: impl FnOnce(&dev_idp::Running) + Send + 'static) -> Self {
        self.options.edits.provider(set_up);
        self
    }

    /// The provider does this wrong from the first request on.
    pub fn fault(self, fault: impl Into<dev_idp::faults::Fault> + Send + 'static) -> Self {
        self.provider(move |provider| provider.faults().set(fault))
    }

    /// The provider is away when the gateway starts.
    pub fn without_provider(mut self) -> Self {
        self.options.provider = false;
        self
    }

    /// The to-do service keeps its data in the site's folder instead of in memory.
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(self) -> Site {
        self.try_start().await.unwrap_or_else(|error| panic!("the site does not start: {error:#}"))
    }

    /// Starts it, or says why not.
    pub async fn try_start(self) -> anyhow::Result<Site> {
        let mut plan = self;
        if plan.on_disk {
            plan.options.data = Some(plan.folder.path().to_owned());
        }
        Site::run(plan).await
    }
}

const ECHO_ROUTES: [(&str, &str); 5] = [
    ("/echo", "token = \"todo-read\""),
    ("/reports", "token = \"reports-read\""),
    ("/page", "token = \"todo-read\"\ncsrf = \"origin\""),
    ("/who", ""),
    ("/open", "allow = \"anyone\""),
];

/// Where the admin token is, in the site's folder.
pub(crate) const ADMIN_TOKEN: &str = "admin.token";

/// The address of one of [`Plan::people`].
pub fn person(number: usize) -> String {
    format!("person-{number}@example.com")
}

/// The value of `[session] keys` for keys of these names, whose files are made when they are missing.
pub(crate) fn server_keys(folder: &Path, names: &[&str]) -> String {
    let files = names.iter().map(|name| {
        let path = folder.join(format!("server-{name}.key"));
        if !path.exists() {
            fs::write(&path, secrets::random()).expect("a file in the site's folder");
        }
        format!("{{ file = \"{}\" }}", path.display())
    });
    format!("[{}]", files.collect::<Vec<_>>().join(", "))
}
