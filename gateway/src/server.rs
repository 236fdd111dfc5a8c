//! The process's edge: listeners, one worker per core, the admin listener, and an orderly end.

pub mod admin;
mod connection;
mod farewell;
mod http2;
mod launch;
pub mod listen;
mod redirect;
mod run;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::watch;

use crate::access;
use crate::access::log::{AccessLog, Sink};
use crate::config::Timeouts;
use crate::live::{self, Live, Worker};
use crate::routing::Overlap;
use crate::stop::causes;
use crate::tls::acme::{self, Keeper};
use crate::tls::{self, Tls, TlsError};
use crate::upstream::deadline::Deadlines;
use crate::upstream::vigil::Vigil;
use crate::upstream::{self, Forwarded, Upstream};

use admin::{Admin, Operators};
use connection::Door;
use listen::Listeners;

pub use launch::{SessionsError, launch};
pub use run::run;

/// How long requests in flight may take to finish when the gateway stops.
const GRACE: Duration = Duration::from_secs(10);

/// Everything that a gateway is started with.
pub struct Options {
    /// Addresses for browsers, without TLS. Beside `https` they only show the way there.
    pub http: Vec<SocketAddr>,
    /// Addresses for browsers, with TLS.
    pub https: Vec<SocketAddr>,
    /// What those handshakes are made with.
    pub tls: Option<Arc<Tls>>,
    /// The certificate that the gateway gets for itself.
    pub acme: Option<acme::Settings>,
    /// How long clients may be silent.
    pub timeouts: Timeouts,
    /// Address for operators: health, metrics, sessions.
    pub admin: SocketAddr,
    /// Who they are.
    pub operators: Operators,
    /// How many workers share the listeners.
    pub workers: usize,
    /// The upstreams, as `Target::Upstream` counts them.
    pub upstreams: Vec<Arc<upstream::Settings>>,
    /// What upstreams are told of the public address.
    pub forwarded: Forwarded,
    /// How access lines are written, and where to; nothing for no access log.
    pub access: Option<(access::Format, Sink)>,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken or not this machine's.
    #[error("cannot listen on {address} (is another program using it? change [listen] in the configuration)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's word.
        source: io::Error,
    },
    /// The operating system gives no thread or no event queue.
    #[error("cannot start a worker")]
    Worker(#[source] io::Error),
    /// Nobody could sign in.
    #[error("no identity provider is configured")]
    NoProvider,
    /// The provider's settings cannot be used.
    #[error("cannot set up the identity provider")]
    Provider(#[from] crate::oidc::SetupError),
    /// The session store cannot be used.
    #[error(transparent)]
    Sessions(#[from] SessionsError),
    /// Certificates cannot be used.
    #[error("cannot set up TLS")]
    Tls(#[from] TlsError),
    /// Two routes would take the same requests.
    #[error("routes overlap: {0:?}")]
    Routes(Vec<Overlap>),
}

/// A running gateway. Dropped, it stops at once, without grace for requests in flight.
pub struct Running {
    http: Vec<SocketAddr>,
    https: Vec<SocketAddr>,
    tls: Option<Arc<Tls>>,
    admin: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    workers: Vec<thread::JoinHandle<()>>,
    control: Option<runtime::Runtime>,
    live: Arc<Live>,
}

impl Running {
    /// The addresses that browsers reach without TLS, with real ports.
    pub fn http(&self) -> &[SocketAddr] {
        &self.http
    }

    /// The addresses that browsers reach with TLS, with real ports.
    pub fn https(&self) -> &[SocketAddr] {
        &self.https
    }

    /// What handshakes are made with; nothing without TLS.
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// The admin listener's address, with its real port.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The running state, for tests.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Stops accepting, lets requests in flight finish within the grace, and returns when all is quiet. Blocks.
    pub fn stop(mut self) {
        self.halt(GRACE);
    }

    fn halt(&mut self, grace: Duration) {
        let _ = self.stop.send(Some(grace));
        for worker in self.workers.drain(..) {
            // A worker that panicked has already said so.
            let _ = worker.join();
        }
        if let Some(control) = self.control.take() {
            if !grace.is_zero() {
                settle(&control, &self.live);
            }
            control.shutdown_background();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.halt(Duration::ZERO);
    }
}

/// Lets refreshes end, so that no rotated token is lost, and writes down who was here. Waits on a channel, because the
/// caller may be on a runtime of its own.
fn settle(control: &runtime::Runtime, live: &Arc<Live>) {
    let (done, is_done) = mpsc::channel();
    let live = Arc::clone(live);
    control.spawn(async move {
        let refreshes = tokio::time::timeout(GRACE, live.tokens.finished());
        let (_, written) = tokio::join!(refreshes, live.sessions.write_uses());
        if let Err(error) = written {
            tracing::warn!(target: "gateway", error = causes(&error), "the last uses of sessions are not written down");
        }
        let _ = done.send(());
    });
    let _ = is_done.recv_timeout(GRACE + Duration::from_secs(1));
}

/// The runtime for rare work: the provider, the admin listener, sweeping. Sign-in and refresh run here, not on workers.
pub fn control_runtime() -> Result<runtime::Runtime, StartError> {
    runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(StartError::Worker)
}

/// Binds every listener, then starts the workers. Nothing runs when an address is taken.
pub fn start(live: Arc<Live>, options: &Options, control: runtime::Runtime) -> Result<Running, StartError> {
    let plain = listen::bind(&options.http, options.workers)?;
    let encrypted = listen::bind(&options.https, options.workers)?;
    let (http, https) = (plain.addresses.clone(), encrypted.addresses.clone());
    let tls = options.tls.clone();
    let (admin_listener, admin) = listen::bind_one(options.admin)?;
    let (stop, stopping) = watch::channel(None);
    live.providers.start();
    let (shown, operators) = (Arc::clone(&live), options.operators.clone());
    let admin_state = Admin { live: shown, operators, tls: tls.clone(), stopping: stopping.clone() };
    control.spawn(admin::serve(admin_listener, admin_state));
    control.spawn(tend(Arc::clone(&live), stopping.clone()));
    if let Some(tls) = tls.clone() {
        if let Some(acme) = options.acme.clone() {
            let keeper = Keeper::new(acme, Arc::clone(&tls), live.clock.clone());
            control.spawn(keep_certificate(keeper, stopping.clone()));
        }
        control.spawn(watch_certificates(tls, stopping.clone()));
    }
    let (workers, control) = (Vec::new(), Some(control));
    let mut running = Running { http, https, tls, admin, stop, workers, control, live };
    for (number, sockets) in doors(plain, encrypted, options).into_iter().enumerate() {
        let spawned = spawn_worker(number, sockets, Arc::clone(&running.live), options, stopping.clone());
        running.workers.push(spawned.map_err(StartError::Worker)?);
    }
    Ok(running)
}

/// What is spoken behind each socket of each worker.
fn doors(plain: Listeners, encrypted: Listeners, options: &Options) -> Vec<Vec<(TcpListener, Door)>> {
    let door = |tls: &Arc<Tls>| Door::Tls(Arc::clone(tls), options.timeouts);
    let front = options.tls.as_ref().filter(|_| !options.https.is_empty()).map(door);
    let back = match (&front, &options.tls) {
        (Some(_), Some(tls)) => Door::Redirect(Arc::clone(tls)),
        _ => Door::Plain,
    };
    let of_worker = |(plain, encrypted): (Vec<TcpListener>, Vec<TcpListener>)| {
        let plain = plain.into_iter().map(|socket| (socket, back.clone()));
        let encrypted = encrypted.into_iter().filter_map(|socket| Some((socket, front.clone()?)));
        plain.chain(encrypted).collect()
    };
    plain.per_worker.into_iter().zip(encrypted.per_worker).map(of_worker).collect()
}

fn spawn_worker(
    number: usize,
    sockets: Vec<(TcpListener, Door)>,
    live: Arc<Live>,
    options: &Options,
    stopping: watch::Receiver<Option<Duration>>,
) -> io::Result<thread::JoinHandle<()>> {
    let upstreams = options.upstreams.clone();
    let access = options.access.clone();
    let forwarded = options.forwarded.clone();
    let capacity = listen::capacity() / options.workers;
    let (report, built) = mpsc::sync_channel(1);
    let worker = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        // A local runtime must be built where it runs.
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build_local(runtime::LocalOptions::default());
        let (runtime, outcome) = match runtime {
            Ok(runtime) => (Some(runtime), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let _ = report.send(outcome);
        let Some(runtime) = runtime else {
            return;
        };
        let needs_tls = upstreams.iter().flat_map(|upstream| &upstream.servers).any(|server| server.https);
        let tls = needs_tls.then(upstream::connect::tls_connector);
        let deadlines = Rc::new(Deadlines::new(Instant::now()));
        let vigil = Rc::new(Vigil::new(live.clock.clone(), Arc::clone(&live.sessions)));
        let upstream = |settings| {
            Upstream::new(settings, &forwarded, tls.clone(), Rc::clone(&deadlines), Rc::clone(&vigil))
        };
        let upstreams = upstreams.into_iter().map(upstream).collect();
        let worker = Worker::new(live, upstreams, AccessLog::new(access), deadlines, vigil);
        runtime.block_on(connection::serve(Rc::new(worker), sockets, stopping, capacity));
    })?;
    built.recv().map_err(io::Error::other)??;
    Ok(worker)
}

async fn tend(live: Arc<Live>, mut stopping: watch::Receiver<Option<Duration>>) {
    let mut ticks = tokio::time::interval(live::TEND_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => live.tend().await,
            _ = stopping.changed() => return,
        }
    }
}

/// Looks for new certificates. Files are read on a thread that may wait for a disk.
async fn watch_certificates(tls: Arc<Tls>, mut stopping: watch::Receiver<Option<Duration>>) {
    let mut ticks = tokio::time::interval(tls::CHECK_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let tls = Arc::clone(&tls);
                let _ = tokio::task::spawn_blocking(move || tls.check()).await;
            }
            _ = stopping.changed() => return,
        }
    }
}

/// Orders certificates when they are due. An order that is under way when the gateway stops is broken off: the next start
/// begins another.
async fn keep_certificate(mut keeper: Keeper, mut stopping: watch::Receiver<Option<Duration>>) {
    let mut ticks = tokio::time::interval(acme::LOOK_EVERY);
    loop {
        tokio::select! {
            () = async { ticks.tick().await; keeper.tend().await } => {}
            _ = stopping.changed() => return,
        }
    }
}
