//! Real servers for the tests, on free ports, gone with the test. Knows nothing of sessions.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::FromRedisValue;
use tempfile::TempDir;

/// How long anything here may take; far more than it does.
const PATIENCE: Duration = Duration::from_secs(20);

/// A redis-server of the test's own.
pub(in crate::session) struct Server {
    arguments: Vec<String>,
    folder: TempDir,
    child: Option<Child>,
    starts: usize,
    pub(super) port: u16,
}

impl Server {
    /// With those settings, `--name value`, beside a port of its own.
    pub(in crate::session) fn start(arguments: &[&str]) -> Self {
        Self::start_with("--port", arguments, |_| {})
    }

    /// A Sentinel that watches `master` as `mymaster`.
    pub(super) fn sentinel(master: &Self, more: &str) -> Self {
        let monitored = format!(
            "sentinel monitor mymaster 127.0.0.1 {} 1\nsentinel down-after-milliseconds mymaster 300\n\
             sentinel failover-timeout mymaster 2000\n{more}\n",
            master.port,
        );
        Self::start_with("--port", &["--sentinel"], |folder| {
            std::fs::write(folder.join("redis.conf"), &monitored).expect("a file in the test's folder");
        })
    }

    /// `port` is the name of the setting, `prepare` fills the folder in which the server runs.
    pub(super) fn start_with(port: &str, arguments: &[&str], prepare: impl Fn(&Path)) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let folder = tempfile::tempdir().expect("a folder for the test");
            prepare(folder.path());
            let number = free_port();
            let mut server = Self {
                arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
                folder,
                child: None,
                starts: 0,
                port: number,
            };
            server.arguments.extend([port.to_owned(), number.to_string()]);
            if server.launch() {
                return server;
            }
            assert!(Instant::now() < deadline, "redis-server does not start: {}", server.log());
        }
    }

    pub(in crate::session) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// As a power cut does it.
    pub(in crate::session) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server was running");
            child.wait().expect("it ends");
        }
    }

    /// On the same port, with what it had written to disk.
    pub(in crate::session) fn restart(&mut self) {
        self.stop();
        let deadline = Instant::now() + PATIENCE;
        while !self.launch() {
            assert!(Instant::now() < deadline, "redis-server does not start again: {}", self.log());
        }
    }

    /// It is there and does not answer.
    #[cfg(unix)]
    pub(super) fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    #[cfg(unix)]
    pub(super) fn thaw(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().expect("the server runs");
        let id = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(id, signal).expect("a signal to a child");
    }

    /// One command, by itself.
    pub(super) fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).expect("the server answers")
    }

    pub(super) fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url()).expect("an address");
        let mut connection = client.get_connection()?;
        let (name, rest) = words.split_first().expect("a command");
        redis::cmd(name).arg(rest).query(&mut connection)
    }

    /// Whether it runs and takes connections.
    fn launch(&mut self) -> bool {
        self.starts += 1;
        let log = std::fs::File::create(self.log_file()).expect("a file in the test's folder");
        let mut command = Command::new("redis-server");
        if self.folder.path().join("redis.conf").exists() {
            command.arg("redis.conf");
        }
        let spawned = command
            .args(&self.arguments)
            .args(["--bind", "127.0.0.1", "--save", ""])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(
            spawned.expect("redis-server is installed: `tests/install`, or apt-get install redis-server"),
        );
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let log = self.log();
            if log.contains("Ready to accept connections") || log.contains("Sentinel ID is") {
                return true;
            }
            if self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some())) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    fn log_file(&self) -> std::path::PathBuf {
        self.folder.path().join(format!("log-{}", self.starts))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A cluster of one, which is known to its clients as `localhost` and speaks TLS.
pub(super) fn tls_cluster(authority: &Authority) -> Server {
    let plain = free_port();
    let arguments = [
        "--cluster-enabled",
        "yes",
        "--tls-cluster",
        "yes",
        "--cluster-announce-hostname",
        "localhost",
        "--cluster-preferred-endpoint-type",
        "hostname",
        "--port",
        &plain.to_string(),
    ];
    let server = authority.server(&arguments);
    let client = redis::Client::open(("127.0.0.1", plain)).expect("an address");
    let mut connection = client.get_connection().expect("it runs");
    redis::cmd("CLUSTER")
        .arg(&["ADDSLOTSRANGE", "0", "16383"])
        .exec(&mut connection)
        .expect("no slot is taken");
    let mut info = || redis::cmd("CLUSTER").arg("INFO").query::<String>(&mut connection).expect("it answers");
    let deadline = Instant::now() + PATIENCE;
    while !info().contains("cluster_state:ok") {
        assert!(Instant::now() < deadline, "the cluster is not whole");
        std::thread::sleep(Duration::from_millis(10));
    }
    server
}

/// A port that is free, and so is the one by which it would talk to the rest of a cluster.
fn free_port() -> u16 {
    loop {
        let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = socket.local_addr().expect("it is bound").port();
        let bus = port.checked_add(10_000).map(|bus| TcpListener::bind(("127.0.0.1", bus)));
        if matches!(bus, Some(Ok(_))) {
            return port;
        }
    }
}

/// Three masters that share the keys.
pub(super) fn cluster() -> Vec<Server> {
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let nodes: Vec<_> = (0..3).map(|_| Server::start(&arguments)).collect();
    let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
    for (number, (node, (first, last))) in nodes.iter().zip(slots).enumerate() {
        node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        node.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port.to_string()]);
    }
    until("the cluster is whole", || {
        nodes.iter().all(|node| {
            let info: String = node.ask(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
    });
    nodes
}

/// Waits for something that happens by itself, on a thread that may wait.
pub(in crate::session) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A certificate authority and a certificate of its for `localhost`, in a folder of their own.
pub(super) struct Authority {
    folder: TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let authority = Self { folder };
        authority.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2");
        authority.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
        std::fs::write(authority.path("names"), "subjectAltName=DNS:localhost\n").expect("a file");
        authority.openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names");
        authority
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        std::fs::read(self.path("ca.pem")).expect("openssl wrote it")
    }

    /// A server that speaks TLS.
    pub(super) fn server(&self, more: &[&str]) -> Server {
        let path = |name| self.path(name).to_string_lossy().into_owned();
        let (certificate, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
        let own = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
        let arguments = [&own[..], &["--tls-auth-clients", "no"], more].concat();
        Server::start_with("--tls-port", &arguments, |_| {})
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
