//! What a stack is started with. The default is what `cargo demo` without flags runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use gateway::access::log::Sink;

use crate::ports::Ports;
use crate::stack::Addresses;

/// How to start a [`crate::Stack`].
pub struct Options {
    /// Who listens where.
    pub ports: Ports,
    /// The configuration files.
    pub files: Files,
    /// Where the to-do service keeps its database; nothing for a database in memory.
    pub data: Option<PathBuf>,
    /// Seconds that every part's clock is ahead of the system's. Whoever holds it may move it while the stack runs.
    pub offset: Arc<AtomicI64>,
    /// Whether people sign in at the provider's face that looks like an Entra External ID tenant.
    pub entra: bool,
    /// Whether the provider lets anyone on this computer ask for misbehaviour at `/dev/faults`.
    pub faults: bool,
    /// Whether the identity provider is started with the rest; otherwise [`crate::Stack::start_provider`] does it.
    pub provider: bool,
    /// Whether the gateway is started with the rest. Where it is not, its ports are held free for whoever starts one.
    pub gateway: bool,
    /// The gateway's access lines.
    pub access: Sink,
    /// Last changes, before anything starts.
    pub edits: Edits,
    /// Told what happens next, in a few words.
    pub progress: fn(&str),
}

/// The configuration files of the three parts.
#[derive(Clone, Debug)]
pub struct Files {
    /// The gateway's.
    pub gateway: PathBuf,
    /// The to-do service's.
    pub todo: PathBuf,
    /// The identity provider's.
    pub tenant: PathBuf,
}

impl Files {
    /// The files shipped in the checkout at `root`.
    pub fn shipped(root: &Path) -> Self {
        Self {
            gateway: root.join("gateway.toml"),
            todo: root.join("todo-service/todo-service.toml"),
            tenant: root.join("deploy/dev-idp/tenant.toml"),
        }
    }
}

type GatewayEdit = Box<dyn FnOnce(String, &Addresses) -> anyhow::Result<String> + Send>;
type TodoEdit = Box<dyn FnOnce(&mut todo_service::Config, &Addresses) + Send>;
type ProviderSetUp = Box<dyn FnOnce(&dev_idp::Running) + Send>;
type TenantEdit = Box<dyn FnOnce(&mut dev_idp::Tenant, &Addresses) + Send>;

/// Changes to the configurations after ports were filled in, in the order in which they were added.
#[derive(Default)]
pub struct Edits {
    pub(crate) gateway: Vec<GatewayEdit>,
    pub(crate) todo: Vec<TodoEdit>,
    pub(crate) tenant: Vec<TenantEdit>,
    pub(crate) provider: Vec<ProviderSetUp>,
}

impl Edits {
    /// Changes the text of the gateway's configuration.
    pub fn gateway(
        &mut self,
        edit: impl FnOnce(String, &Addresses) -> anyhow::Result<String> + Send + 'static,
    ) {
        self.gateway.push(Box::new(edit));
    }

    /// Changes the to-do service's settings.
    pub fn todo(&mut self, edit: impl FnOnce(&mut todo_service::Config, &Addresses) + Send + 'static) {
        self.todo.push(Box::new(edit));
    }

    /// Changes the provider's tenant.
    pub fn tenant(&mut self, edit: impl FnOnce(&mut dev_idp::Tenant, &Addresses) + Send + 'static) {
        self.tenant.push(Box::new(edit));
    }

    /// Does something with the provider once it runs, before anybody has asked it anything.
    pub fn provider(&mut self, set_up: impl FnOnce(&dev_idp::Running) + Send + 'static) {
        self.provider.push(Box::new(set_up));
    }
}

impl fmt::Debug for Edits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edits({} {} {})", self.gateway.len(), self.todo.len(), self.tenant.len())
    }
}

impl Options {
    /// The shipped files of the checkout at `root`, the usual ports, data under `var/`.
    pub fn new(root: &Path) -> Self {
        Self {
            ports: Ports::default(),
            files: Files::shipped(root),
            data: Some(root.join("var")),
            offset: Arc::default(),
            entra: false,
            faults: false,
            provider: true,
            gateway: true,
            access: Arc::new(Mutex::new(std::io::stderr())),
            edits: Edits::default(),
            progress: |_| {},
        }
    }
}
