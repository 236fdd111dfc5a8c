//! How a test's site differs from the shipped one, before it starts. Knows nothing of what a running site can do.

use demo::{Options, Ports};

use crate::site::Site;

/// How a site differs from the shipped one.
#[must_use]
pub struct Plan {
    options: Options,
    on_disk: bool,
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
        Self { options, on_disk: false }
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
        Site::run(self.options, self.on_disk).await
    }
}
