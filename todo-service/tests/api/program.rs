//! The program as people run it: settings that are wrong, settings that are right, signals, and what it says to whoever
//! manages it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::PostgresServer;

const ISSUER: &str =
    "\n[[issuers]]\nissuer = \"http://localhost:1\"\naudiences = [\"api\"]\nowner_claim = \"sub\"\n";

fn program(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_todo-service"));
    command.arg("--config").arg(config).stdin(Stdio::null());
    command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET").env_remove("LISTEN_FDS");
    command
}

/// A configuration in a folder of its own, in which the program runs.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("todo.toml"), text).expect("written");
        Self { folder }
    }

    fn with_database(lines: &str) -> Self {
        Self::new(&format!("listen = \"127.0.0.1:0\"\n{lines}\n{ISSUER}"))
    }

    fn program(&self) -> Command {
        let mut command = program(&self.folder.path().join("todo.toml"));
        command.current_dir(self.folder.path());
        command
    }

    /// Runs it to its end.
    fn run(&self, arguments: &[&str]) -> Output {
        self.program().args(arguments).output().expect("runs")
    }

    /// The one line with which it refuses to start.
    #[track_caller]
    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        text
    }

    fn start(&self) -> Started {
        Started::of(self.program())
    }
}

/// A program that listens. Dropped, it ends.
struct Started {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Started {
    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let log = Arc::new(Mutex::new(String::new()));
        let url = loop {
            let line = lines.next().expect("it says where it listens");
            let event: Value = serde_json::from_str(&line).expect("a line of JSON");
            add(&log, &line);
            if let Some(url) = event["fields"]["url"].as_str() {
                break url.to_owned();
            }
        };
        let address = url.trim_start_matches("http://").parse().expect("an address");
        let kept = Arc::clone(&log);
        std::thread::spawn(move || lines.for_each(|line| add(&kept, &line)));
        Self { child, address, log }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(told.expect("runs").success());
    }

    fn stop(mut self) {
        self.signal("TERM");
        assert_eq!(self.child.wait().expect("ends").code(), Some(0));
    }

    fn log(&self) -> String {
        self.log.lock().expect("unpoisoned").clone()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn add(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().expect("unpoisoned");
    log.push_str(line);
    log.push('\n');
}

#[track_caller]
fn until(what: &str, looks_well: impl Fn() -> bool) {
    let began = Instant::now();
    while !looks_well() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn wrong_settings_are_all_reported_and_the_exit_status_is_1() {
    let place = Place::new(
        "listen = \"nowhere\"\ndatabase = \"oracle:x\"\ncolour = 1\n\n[[issuers]]\nissuer = \"http://id.example\"\naudiences = []\n",
    );
    let output = place.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).expect("text");
    for part in [
        "todo.toml:1: listen",
        "todo.toml:3: colour",
        "todo.toml:6: issuers[0].issuer",
        "todo.toml:7: issuers[0].audiences",
    ] {
        assert!(complaint.contains(part), "{part} in {complaint}");
    }
    let missing = program(&place.folder.path().join("missing.toml")).output().expect("runs");
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn with_right_settings_it_runs_until_it_is_told_to_stop() {
    let place = Place::with_database("database = \"sqlite:var/todo.db\"");
    let started = place.start();
    assert!(started.get("/healthz").starts_with("HTTP/1.1 200 "));
    assert!(place.folder.path().join("var/todo.db").exists());
    started.stop();
}

#[test]
fn a_taken_port_is_named_with_the_fix() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let place = Place::new(&format!("listen = \"{address}\"\ndatabase = \"sqlite::memory:\"\n{ISSUER}"));
    let complaint = place.complaint(&[]);
    assert!(
        complaint.contains(&format!("cannot listen on {address}; free the port, or choose another")),
        "{complaint}"
    );
}

#[test]
fn a_volume_that_cannot_be_written_is_named_with_the_fix() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let place = Place::with_database("database = \"sqlite:volume/todo.db\"");
    let volume = place.folder.path().join("volume");
    std::fs::create_dir(&volume).expect("made");
    for folder in [place.folder.path(), volume.as_path()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o555)).expect("ours");
    }
    let mut command = place.program();
    if std::fs::metadata("/proc/self").expect("Linux").uid() == 0 {
        // Root may write everywhere: somebody else tries.
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().expect("runs");
    let complaint = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("the database file volume/todo.db does not open; its folder must be writable"),
        "{complaint}"
    );
    assert_eq!(complaint.trim_end().lines().count(), 1, "{complaint}");
}

#[test]
fn a_missing_secret_is_named_with_the_fix() {
    let place = Place::with_database(
        "database = \"postgres://127.0.0.1:1/todo\"\n[postgres]\nuser = \"app\"\npassword = { file = \"secrets/app\" }",
    );
    for arguments in [&[][..], &["migrate"]] {
        let complaint = place.complaint(arguments);
        assert!(
            complaint.contains("postgres.password: the file secrets/app cannot be read; create it"),
            "{complaint}"
        );
    }
    std::fs::create_dir(place.folder.path().join("secrets")).expect("made");
    std::fs::write(place.folder.path().join("secrets/app"), "pw\n").expect("written");
    let complaint = place.complaint(&["migrate"]);
    assert!(complaint.contains("PostgreSQL at 127.0.0.1:1/todo cannot be reached; start it"), "{complaint}");
    assert!(
        place.start().get("/readyz").starts_with("HTTP/1.1 503 "),
        "it starts, and waits for the database"
    );
}

#[test]
fn migrating_is_a_command_of_its_own_and_a_newer_database_is_refused() {
    let server = PostgresServer::launch();
    let url = server.database("todo");
    let lines = format!("database = \"{url}\"\n[postgres]\nuser = \"postgres\"\nmigrate = false");
    let place = Place::with_database(&lines);
    let started = place.start();
    assert!(started.get("/readyz").contains("the database is not migrated yet"));
    for _ in 0..2 {
        assert_eq!(place.run(&["migrate"]).status.code(), Some(0));
    }
    until("it is migrated", || !started.get("/readyz").contains("the database"));
    started.stop();
    server.sql("todo", "INSERT INTO _sqlx_migrations VALUES (77, 'later', now(), true, '\\x00', 0)");
    for arguments in [&[][..], &["migrate"]] {
        let complaint = place.complaint(arguments);
        assert!(complaint.contains("is newer than this program: it has migration 77"), "{complaint}");
    }
}

#[test]
fn its_health_can_be_asked_without_a_shell() {
    let place = Place::with_database("database = \"sqlite::memory:\"");
    let started = place.start();
    let address = started.address.to_string();
    let asked = |more: &[&str]| {
        let mut arguments = vec!["healthcheck", "--address", &address];
        arguments.extend(more);
        place.run(&arguments)
    };
    assert_eq!(asked(&[]).status.code(), Some(0));
    let unready = asked(&["--ready"]);
    let why = String::from_utf8(unready.stderr).expect("text");
    assert_eq!(unready.status.code(), Some(1));
    assert!(why.contains("503") && why.contains("no keys from http://localhost:1"), "{why}");
    started.stop();
    let gone = asked(&[]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains(&format!("nobody answers at {address}")));
}

#[test]
fn a_hang_up_has_keys_and_passwords_read_anew() {
    let issuer = SecureIssuer::start();
    let place = Place::new(&issuer.settings());
    let mut command = place.program();
    command.env("SSL_CERT_FILE", issuer.authority()).env_remove("SSL_CERT_DIR");
    let started = Started::of(command);
    assert!(started.get("/readyz").starts_with("HTTP/1.1 200 "));
    let asked = issuer.asked();
    assert!(started.get("/readyz").starts_with("HTTP/1.1 200 "));
    assert_eq!(issuer.asked(), asked, "keys are remembered");
    started.signal("HUP");
    until("it says so", || started.log().contains("read anew"));
    assert!(started.get("/readyz").starts_with("HTTP/1.1 200 "));
    assert!(issuer.asked() > asked);
    started.stop();
}

#[test]
fn an_issuer_is_believed_only_with_a_certificate_of_a_known_authority() {
    let issuer = SecureIssuer::start();
    let place = Place::new(&issuer.settings());
    let ready = |authority: &Path| {
        let mut command = place.program();
        command.env("SSL_CERT_FILE", authority).env_remove("SSL_CERT_DIR");
        Started::of(command).get("/readyz")
    };
    assert!(ready(&issuer.authority()).starts_with("HTTP/1.1 200 "));
    let stranger = SecureIssuer::start();
    let unready = ready(&stranger.authority());
    assert!(
        unready.starts_with("HTTP/1.1 503 ") && unready.contains("no keys from https://localhost"),
        "{unready}"
    );
}

#[test]
fn its_manager_is_told_when_it_is_ready_reloads_and_stops() {
    let place = Place::with_database("database = \"sqlite::memory:\"");
    let path = place.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let heard = || {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).expect("it says something");
        String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned()
    };
    let mut command = place.program();
    command.env("NOTIFY_SOCKET", &path);
    let started = Started::of(command);
    assert_eq!(heard(), "READY=1");
    started.signal("HUP");
    let reloading = heard();
    let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("as notify-reload wants it");
    assert!(moment.parse::<u64>().is_ok(), "{reloading}");
    assert_eq!(heard(), "READY=1");
    started.signal("TERM");
    assert_eq!(heard(), "STOPPING=1");
}

#[test]
fn a_socket_that_its_manager_brings_is_used_and_the_address_in_the_settings_is_not() {
    let brought = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = brought.local_addr().expect("bound");
    let place = Place::with_database("database = \"sqlite::memory:\"");
    // The socket is the third descriptor, as systemd hands it over.
    let activated = |environment: &str| {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_todo-service");
        let script = format!(
            "exec 3<&0 </dev/null; export LISTEN_PID=$$ {environment}; exec {program} --config todo.toml"
        );
        command.args(["-c", &script]).current_dir(place.folder.path());
        command.stdin(Stdio::from(OwnedFd::from(brought.try_clone().expect("a copy"))));
        command
    };
    for environment in ["LISTEN_FDS=1", "LISTEN_FDS=1 LISTEN_FDNAMES=http"] {
        let started = Started::of(activated(environment));
        assert_eq!(started.address, address);
        assert!(started.get("/healthz").starts_with("HTTP/1.1 200 "));
        started.stop();
    }
    let unnamed = activated("LISTEN_FDS=2 LISTEN_FDNAMES=a:b").output().expect("runs");
    assert_eq!(unnamed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unnamed.stderr).contains("none is called http"));
    // What was meant for another process is left alone.
    let other = Started::of(activated("LISTEN_FDS=1 LISTEN_PID=1"));
    assert_ne!(other.address, address);
    other.stop();
}

/// An issuer that speaks TLS, with an authority of its own.
struct SecureIssuer {
    folder: TempDir,
    name: String,
    asked: Arc<Mutex<usize>>,
}

impl SecureIssuer {
    fn start() -> Self {
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("sound");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let folder = tempfile::tempdir().expect("a folder");
        let pem = authority.self_signed(&authority_key).expect("signs").pem();
        std::fs::write(folder.path().join("ca.pem"), pem).expect("written");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .expect("sound")
            .signed_by(&key, &Issuer::new(authority, authority_key))
            .expect("signs");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("sound")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("sound");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = format!("https://localhost:{}", listener.local_addr().expect("bound").port());
        let (asked, issuer, config) = (Arc::new(Mutex::new(0)), name.clone(), Arc::new(config));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("sound");
                // Who does not trust it hangs up.
                if answer(rustls::StreamOwned::new(connection, stream), &issuer).is_ok() {
                    *count.lock().expect("unpoisoned") += 1;
                }
            }
        });
        Self { folder, name, asked }
    }

    fn settings(&self) -> String {
        format!(
            "listen = \"127.0.0.1:0\"\ndatabase = \"sqlite::memory:\"\n[[issuers]]\nissuer = \"{}\"\naudiences = [\"api\"]\nowner_claim = \"sub\"\n",
            self.name
        )
    }

    fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn asked(&self) -> usize {
        *self.asked.lock().expect("unpoisoned")
    }
}

/// One request: the discovery document, or a key set.
fn answer(mut stream: impl Read + Write, issuer: &str) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let body = if head.starts_with(b"GET /keys ") {
        serde_json::json!({ "keys": [crate::support::RsaKey::first().jwk("first")] })
    } else {
        serde_json::json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") })
    };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}
