//! Starting and stopping the three parts, in the order in which each can use the others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context;

use crate::options::{Edits, Options};
use crate::ports::{Part, Ports, Reserved, Taken};
use crate::texts;

/// Where everything is, with real ports.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Who listens where; no port is 0.
    pub ports: Ports,
    /// What people type into the browser.
    pub gateway: String,
    /// The gateway's health, for operators.
    pub admin: String,
    /// The to-do service.
    pub todo: String,
    /// The identity provider.
    pub provider: String,
    /// The issuer of the provider's face that looks like Entra External ID.
    pub entra_issuer: String,
    /// Where that face's metadata is.
    pub entra_metadata_url: String,
}

/// A running system. Dropped, it stops.
pub struct Stack {
    // Stopped in this order: first who calls, then who is called.
    gateway: Option<gateway::server::Running>,
    todo: Option<todo_service::Running>,
    provider: Option<dev_idp::Running>,
    addresses: Addresses,
    tenant: dev_idp::Tenant,
    faults: bool,
    offset: Arc<AtomicI64>,
    reserved: ReservedPorts,
}

struct ReservedPorts {
    gateway: Reserved,
    admin: Reserved,
    todo: Reserved,
    provider: Reserved,
}

impl ReservedPorts {
    fn new(ports: Ports) -> Result<Self, Taken> {
        Ok(Self {
            gateway: Reserved::new(Part::Gateway, ports.gateway)?,
            admin: Reserved::new(Part::Admin, ports.admin)?,
            todo: Reserved::new(Part::Todo, ports.todo)?,
            provider: Reserved::new(Part::Provider, ports.provider)?,
        })
    }

    fn ports(&self) -> Ports {
        Ports {
            gateway: self.gateway.port(),
            admin: self.admin.port(),
            todo: self.todo.port(),
            provider: self.provider.port(),
        }
    }
}

impl Stack {
    /// Starts everything. A port that is taken is a [`Taken`] at the root of the error.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options { ports, files, data, offset, entra, faults, provider, gateway, access, edits, progress } =
            options;
        let Edits { gateway: gateway_edits, todo: todo_edits, tenant: tenant_edits, provider: set_up } =
            edits;
        let reserved = ReservedPorts::new(ports)?;
        let ports = reserved.ports();

        let mut tenant = read_tenant(&files.tenant, ports)?;
        let addresses = Addresses::new(ports, &tenant.id);
        for edit in tenant_edits {
            edit(&mut tenant, &addresses);
        }
        let mut stack =
            Self { gateway: None, todo: None, provider: None, addresses, tenant, faults, offset, reserved };
        if provider {
            progress("starting the identity provider");
            stack.start_provider().await?;
        }
        if let Some(provider) = &stack.provider {
            for set_up in set_up {
                set_up(provider);
            }
        }
        progress("starting the to-do service");
        let mut todo = read_todo(&files.todo, ports, data.as_deref())?;
        for edit in todo_edits {
            edit(&mut todo, &stack.addresses);
        }
        stack.start_todo(todo).await?;
        let mut text = read(&files.gateway)?;
        text = texts::move_ports(&text, &ports.moves());
        if entra {
            text =
                texts::entra_face(&text, &stack.addresses.entra_issuer, &stack.addresses.entra_metadata_url)?;
        }
        text = texts::sessions_in_memory(&text)?;
        for edit in gateway_edits {
            text = edit(text, &stack.addresses)?;
        }
        let name = files.gateway.display().to_string();
        let folder = files.gateway.parent().unwrap_or(Path::new(""));
        let config = gateway::config::Config::parse(&text, &name, folder)
            .map_err(|problems| anyhow::anyhow!("{problems}"))
            .with_context(|| format!("{name} cannot be used"))?;
        if gateway {
            progress("starting the gateway");
            stack.start_gateway(config, access)?;
        }
        Ok(stack)
    }

    fn start_gateway(
        &mut self,
        config: gateway::config::Config,
        access: gateway::access::log::Sink,
    ) -> anyhow::Result<()> {
        let clock = gateway::clock::Clock::shifted(Arc::clone(&self.offset));
        let running = gateway::server::launch(config, clock, access).context("the gateway does not start")?;
        self.gateway = Some(running);
        Ok(())
    }

    async fn start_todo(&mut self, config: todo_service::Config) -> anyhow::Result<()> {
        let listener = self.reserved.todo.listen()?;
        let clock = todo_service::Clock::shifted(Arc::clone(&self.offset));
        let options = todo_service::Options { listener, config, clock };
        self.todo = Some(todo_service::start(options).await.context("the to-do service does not start")?);
        Ok(())
    }

    /// Starts the identity provider where it belongs: after [`Options::provider`] was false, or after it was stopped. It
    /// comes up with new keys and with the accounts of the tenant's file only.
    pub async fn start_provider(&mut self) -> anyhow::Result<()> {
        let listener = self.reserved.provider.listen()?;
        let clock = dev_idp::Clock::shifted(Arc::clone(&self.offset));
        let options = dev_idp::Options { listener, tenant: self.tenant.clone(), clock };
        let started = if self.faults {
            dev_idp::start_with_faults_over_http(options).await
        } else {
            dev_idp::start(options).await
        };
        self.provider = Some(started.context("the identity provider does not start")?);
        Ok(())
    }

    /// Stops the identity provider alone: nobody listens on its port any more.
    pub async fn stop_provider(&mut self) {
        if let Some(provider) = self.provider.take() {
            provider.stop().await;
        }
    }

    /// Stops the to-do service alone.
    pub async fn stop_todo(&mut self) {
        if let Some(todo) = self.todo.take() {
            todo.stop().await;
        }
    }

    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The running gateway.
    ///
    /// # Panics
    /// If [`Options::gateway`] was false.
    pub fn gateway(&self) -> &gateway::server::Running {
        self.gateway.as_ref().expect("the stack was started with a gateway")
    }

    /// The identity provider, unless it is stopped.
    pub fn provider(&self) -> Option<&dev_idp::Running> {
        self.provider.as_ref()
    }

    /// The to-do service, unless it is stopped.
    pub fn todo(&self) -> Option<&todo_service::Running> {
        self.todo.as_ref()
    }

    /// Lets requests in flight finish, then ends everything.
    pub async fn stop(mut self) {
        if let Some(gateway) = self.gateway.take() {
            // It blocks; the services that its last requests need must run meanwhile.
            let _ = tokio::task::spawn_blocking(move || gateway.stop()).await;
        }
        self.stop_todo().await;
        self.stop_provider().await;
    }
}

impl Ports {
    /// What `texts::move_ports` needs to fill these ports into a shipped file.
    fn moves(self) -> [(u16, u16); 4] {
        [
            (Part::Gateway.usual_port(), self.gateway),
            (Part::Admin.usual_port(), self.admin),
            (Part::Todo.usual_port(), self.todo),
            (Part::Provider.usual_port(), self.provider),
        ]
    }
}

impl Addresses {
    fn new(ports: Ports, tenant: &str) -> Self {
        let Ports { gateway, admin, todo, provider } = ports;
        Self {
            ports,
            gateway: format!("http://localhost:{gateway}"),
            admin: format!("http://127.0.0.1:{admin}"),
            todo: format!("http://127.0.0.1:{todo}"),
            provider: format!("http://localhost:{provider}"),
            entra_issuer: format!("http://{tenant}.localhost:{provider}/{tenant}/v2.0"),
            entra_metadata_url: format!(
                "http://localhost:{provider}/{tenant}/v2.0/.well-known/openid-configuration"
            ),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_tenant(path: &Path, ports: Ports) -> anyhow::Result<dev_idp::Tenant> {
    let text = texts::move_ports(&read(path)?, &ports.moves());
    let folder = path.parent().unwrap_or(Path::new(""));
    dev_idp::Tenant::parse(&text, folder).with_context(|| format!("{} cannot be used", path.display()))
}

fn read_todo(path: &Path, ports: Ports, data: Option<&Path>) -> anyhow::Result<todo_service::Config> {
    let text = texts::move_ports(&read(path)?, &ports.moves());
    let mut config =
        todo_service::Config::parse(&text).with_context(|| format!("{} cannot be used", path.display()))?;
    config.database = match data {
        None => "sqlite::memory:".to_owned(),
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
            format!("sqlite:{}", folder.join("todo.db").display())
        }
    };
    Ok(config)
}
