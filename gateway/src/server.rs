//! The process's edge: listeners, one worker per core, the admin listener, and an orderly end.

pub mod admin;
mod connection;
mod farewell;
mod generations;
mod http2;
mod inherit;
mod launch;
pub mod listen;
mod lookout;
mod manager;
mod patience;
mod redirect;
mod run;
mod standing;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

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

use admin::{Admin, Current, Issue};
use connection::Door;
use generations::{Fixed, Generations, Subscription};
use inherit::Inherited;
use listen::Listeners;
use manager::Heart;

pub use generations::ReloadError;
pub use launch::{SessionsError, launch};
pub use run::{keep_memory_private, run};

/// How long refreshes may take that are under way when everything else has ended.
const SETTLING: Duration = Duration::from_secs(10);

/// What a gateway is started with beside its first generation, and keeps for its life.
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
    /// How many workers share the listeners.
    pub workers: usize,
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
    /// A socket for TLS, and nothing to speak it with.
    #[error(
        "the service manager handed over a socket named \"https\", but the configuration has no certificates: add [tls]"
    )]
    NoTls,
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
    is_leaving: watch::Sender<bool>,
    stop: watch::Sender<Option<Duration>>,
    workers: Vec<thread::JoinHandle<()>>,
    control: Option<runtime::Runtime>,
    generations: Generations,
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

    /// What requests are answered with that arrive now, for tests.
    pub fn live(&self) -> Arc<Live> {
        self.generations.current().live
    }

    /// From now on the gateway says that it is not ready. Returns how long it should go on before it stops, so that
    /// whoever sends it requests has learned that.
    pub fn leave(&self) -> Duration {
        self.is_leaving.send_replace(true);
        self.generations.current().shutdown.delay
    }

    /// Stops accepting, lets requests in flight finish within the grace, and returns when all is quiet. Blocks.
    pub fn stop(mut self) {
        self.leave();
        self.halt(self.generations.current().shutdown.grace);
        self.settle();
    }

    fn halt(&mut self, grace: Duration) {
        let _ = self.stop.send(Some(grace));
        for worker in self.workers.drain(..) {
            // A worker that panicked has already said so.
            let _ = worker.join();
        }
    }

    /// Lets refreshes end, so that no rotated token is lost, and writes down who was here. Waits on a channel, because the
    /// caller may be on a runtime of its own.
    fn settle(&self) {
        let Some(control) = &self.control else { return };
        let (done, is_done) = mpsc::channel();
        let live = self.live();
        control.spawn(async move {
            let refreshes = tokio::time::timeout(SETTLING, live.tokens.finished());
            let traces = async {
                if let Some(traces) = &live.traces {
                    traces.flush().await;
                }
            };
            let (_, written, ()) = tokio::join!(refreshes, live.sessions.write_uses(), traces);
            if let Err(error) = written {
                tracing::warn!(target: "gateway", error = causes(&error), "the last uses of sessions are not written down");
            }
            let _ = done.send(());
        });
        let _ = is_done.recv_timeout(SETTLING + Duration::from_secs(1));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.halt(Duration::ZERO);
        if let Some(control) = self.control.take() {
            control.shutdown_background();
        }
    }
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

/// Binds every listener that is not open already, then starts the workers. Nothing runs when an address is taken.
fn start(
    first: Issue,
    fixed: Fixed,
    options: &Options,
    inherited: Inherited,
    control: runtime::Runtime,
) -> Result<Running, StartError> {
    let tls = options.tls.clone();
    if tls.is_none() && !inherited.https.is_empty() {
        return Err(StartError::NoTls);
    }
    let plain = listen::share_or_bind(inherited.http, &options.http, options.workers)?;
    let encrypted = listen::share_or_bind(inherited.https, &options.https, options.workers)?;
    let (http, https) = (plain.addresses.clone(), encrypted.addresses.clone());
    let (admin_listener, admin) = listen::take_or_bind(inherited.admin, options.admin)?;
    let (stop, stopping) = watch::channel(None);
    let is_leaving = watch::Sender::new(false);
    first.live.providers.start();
    let clock = first.live.clock.clone();
    let generations = Generations::begin(first, fixed, options.workers);
    let (current, standing) = (generations.watch(), generations.standing());
    let admin_state = Admin { current, standing, tls: tls.clone(), is_leaving: is_leaving.subscribe() };
    control.spawn(admin::serve(admin_listener, admin_state));
    control.spawn(tend(generations.watch(), stopping.clone()));
    if let Some(tls) = tls.clone() {
        if let Some(acme) = options.acme.clone() {
            let keeper = Keeper::new(acme, Arc::clone(&tls), clock);
            control.spawn(keep_certificate(keeper, stopping.clone()));
        }
        control.spawn(watch_certificates(tls, stopping.clone()));
    }
    let hearts = hearts(options.workers, &control);
    let (workers, control) = (Vec::new(), Some(control));
    let mut running = Running { http, https, tls, admin, is_leaving, stop, workers, control, generations };
    for (number, sockets) in doors(plain, encrypted, options).into_iter().enumerate() {
        let follow = running.generations.subscribe();
        let heart = hearts.get(number).cloned();
        let spawned = spawn_worker(number, sockets, follow, heart, options, stopping.clone());
        running.workers.push(spawned.map_err(StartError::Worker)?);
    }
    Ok(running)
}

/// What is spoken behind each socket of each worker.
fn doors(plain: Listeners, encrypted: Listeners, options: &Options) -> Vec<Vec<(TcpListener, Door)>> {
    let door = |tls: &Arc<Tls>| Door::Tls(Arc::clone(tls), options.timeouts);
    let front = options.tls.as_ref().filter(|_| !encrypted.addresses.is_empty()).map(door);
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

/// A heart for each worker, if the service manager wants to know that they are alive.
fn hearts(workers: usize, control: &runtime::Runtime) -> Vec<(Heart, Duration)> {
    let Some(every) = manager::sign_of_life() else {
        return Vec::new();
    };
    let hearts: Vec<Heart> = (0..workers).map(|_| Heart::default()).collect();
    control.spawn(manager::attest(hearts.clone(), every));
    // Twice as often as it is looked at.
    hearts.into_iter().map(|heart| (heart, every / 2)).collect()
}

fn spawn_worker(
    number: usize,
    sockets: Vec<(TcpListener, Door)>,
    generations: Subscription,
    heart: Option<(Heart, Duration)>,
    options: &Options,
    stopping: watch::Receiver<Option<Duration>>,
) -> io::Result<thread::JoinHandle<()>> {
    let access = options.access.clone();
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
        let worker = Rc::new(Worker::new(generations.live(), AccessLog::new(access)));
        runtime.block_on(async {
            let follower = tokio::task::spawn_local(generations.follow(Rc::clone(&worker)));
            let alive = heart.map(|(heart, every)| tokio::task::spawn_local(manager::beat(heart, every)));
            connection::serve(worker, sockets, stopping, capacity).await;
            follower.abort();
            if let Some(alive) = alive {
                alive.abort();
            }
        });
    })?;
    built.recv().map_err(io::Error::other)??;
    Ok(worker)
}

async fn tend(current: Current, mut stopping: watch::Receiver<Option<Duration>>) {
    let mut ticks = tokio::time::interval(live::TEND_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let live = Arc::clone(&current.borrow().live);
                live.tend().await;
            }
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
