//! The gateway as the program that is shipped, in a process of its own: it can be asked to end, killed, changed and
//! started again.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use rustix::process::Signal;
use url::Url;

use crate::ask::Ask;
use crate::child::Process;
use crate::exchange;
use crate::port::FreePort;
use crate::reply::Reply;
use crate::site::eventually;
use crate::text;

/// A gateway process, running or not.
#[derive(Debug)]
pub struct Program {
    process: Process,
    config: PathBuf,
    port: u16,
    admin: FreePort,
    _own_port: Option<FreePort>,
}

impl Program {
    /// One that does not run yet. `port` is where it listens, if that is settled; the text is its configuration but for
    /// what differs from process to process.
    pub(crate) fn new(number: usize, text: &str, root: &Path, folder: &Path, port: Option<u16>) -> Self {
        let (own_port, admin) = (port.is_none().then(FreePort::take), FreePort::take());
        let port = port.or(own_port.as_ref().map(FreePort::number)).expect("one or the other");
        let listen = |text: &str, key, port| text::set(text, "listen", key, &format!("\"127.0.0.1:{port}\""));
        let public = if text::has(text, "listen", "https") { "https" } else { "http" };
        let text = listen(&listen(text, public, port), "admin", admin.number());
        let config = folder.join(format!("gateway-{number}.toml"));
        fs::write(&config, at_home(&text, root)).expect("a file in the site's folder");
        let process =
            Process::new(&format!("gateway {number}"), folder.join(format!("gateway-{number}.log")));
        Self { process, config, port, admin, _own_port: own_port }
    }

    /// Where browsers, or whoever stands between, reach it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become so.
    pub async fn start(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Starts it, and leaves it to itself.
    pub fn spawn(&mut self) {
        let mut command = Command::new(built());
        command.arg("--config").arg(&self.config).env_remove("GATEWAY_CONFIG");
        self.process.start(&mut command);
    }

    /// Starts it by way of another command, such as a shell that ends with `exec "$0" "$@"`, in that environment; and leaves
    /// it to itself.
    pub fn spawn_by(&mut self, before: &[&str], environment: &[(&str, String)]) {
        let program = built();
        let words = before.iter().map(OsString::from).chain([program.into_os_string()]);
        let mut words = words.collect::<Vec<_>>().into_iter();
        let mut command = Command::new(words.next().expect("a command"));
        command.args(words).arg("--config").arg(&self.config).env_remove("GATEWAY_CONFIG");
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        self.process.start(&mut command);
    }

    /// Runs the same program with the same configuration for something else, such as `check`, and waits for its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(built());
        command.arg("--config").arg(&self.config).env_remove("GATEWAY_CONFIG").args(arguments);
        command.stdin(Stdio::null()).output().expect("it runs")
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    /// If it ends before, or takes too long.
    pub async fn ready(&mut self) {
        let url = self.admin_url("/readyz");
        let ready = || async {
            let asked = exchange::attempt(&Ask::bare("GET", "/readyz"), &url, None).await;
            asked.is_ok_and(|reply| reply.status == 200)
        };
        self.process.until("is ready", ready).await;
    }

    /// A request to its admin address.
    pub async fn admin(&self, ask: Ask) -> Reply {
        let url = self.admin_url(&ask.target);
        exchange::exchange(&ask, &url, None).await
    }

    fn admin_url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}{path}", self.admin.number())).expect("a path")
    }

    /// Sends it a signal, and leaves it to itself.
    ///
    /// # Panics
    /// If it does not run.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// How many configurations it has taken on.
    ///
    /// # Panics
    /// If it does not tell.
    pub async fn generation(&self) -> u64 {
        let ready = self.admin(Ask::bare("GET", "/readyz")).await.json();
        ready["configuration"]["generation"].as_u64().expect("a number")
    }

    /// Waits until it has taken on a configuration after that one.
    pub async fn generation_after(&self, generation: u64) -> u64 {
        eventually("another configuration runs", || async { self.generation().await > generation }).await;
        self.generation().await
    }

    /// Waits until it has refused a configuration, and gives the problems.
    pub async fn refusal(&self) -> String {
        let refused = || async {
            let ready = self.admin(Ask::bare("GET", "/readyz")).await.json();
            ready["configuration"]["newer_file_refused"]["problems"].clone()
        };
        eventually("a configuration is refused", || async { refused().await.is_array() }).await;
        refused().await.to_string()
    }

    /// Where its configuration is.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Where its admin listener is.
    pub fn admin_port(&self) -> u16 {
        self.admin.number()
    }

    /// Its number, for `/proc`.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Panics
    /// If it ends with an error.
    pub async fn terminate(&mut self) {
        let status = self.process.terminate().await;
        assert!(status.success(), "{status}:\n{}", self.process.output());
    }

    /// Ends it where it stands (SIGKILL).
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Sets a key of its configuration.
    pub fn set(&self, table: &str, key: &str, value: &str) {
        self.edit(|text| text::set(&text, table, key, value));
    }

    /// Changes the text of its configuration, in one step.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn edit(&self, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(&self.config).expect("its configuration");
        let unfinished = self.config.with_extension("new");
        fs::write(&unfinished, edit(text)).expect("its configuration");
        fs::rename(&unfinished, &self.config).expect("its configuration");
    }

    /// How many bytes of memory it uses at the moment.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
        let number = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        number * 1024
    }

    /// Everything that it wrote to its log in all its lives.
    pub fn log(&self) -> String {
        self.process.output()
    }
}

/// The text with its paths below the checkout's root, wherever the file itself is.
fn at_home(text: &str, root: &Path) -> String {
    let root = root.display();
    text.replace("\"deploy/", &format!("\"{root}/deploy/"))
        .replace("\"web-ui\"", &format!("\"{root}/web-ui\""))
}

/// The gateway that Cargo built together with whatever runs now: beside it, or one folder above it for tests.
fn built() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows where it is");
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("gateway-program"));
    found.into_iter().find(|path| path.exists()).expect("cargo builds gateway-program with the tests")
}
