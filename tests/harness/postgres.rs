//! A real PostgreSQL for one test: a server of its own with nothing in it, that can be stopped, killed and started again
//! on the same data. Included by the to-do service's own tests too (`#[path]`), so it stands by itself: it needs only
//! the server's programs, and speaks SQL through `psql`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

/// Whom the server runs as when the tests run as root, whom it refuses: `nobody`.
const NOBODY: u32 = 65_534;
/// Until the server answers, or has ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server. Dropped, it ends.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    folder: TempDir,
    child: Option<Child>,
    port: u16,
    /// Bound and not listening: nobody else is given the port while the server is down.
    _port: Socket,
}

impl PostgresServer {
    /// Starts one. Its superuser is `postgres`, trusted on the Unix socket; over TCP everybody needs a password.
    ///
    /// # Panics
    /// If there is no PostgreSQL (`tests/install` installs it) or it does not start.
    pub fn launch() -> Self {
        Self::with("")
    }

    /// The same, with lines for `postgresql.conf`. `FOLDER` in them is a folder that [`Self::folder`] names.
    ///
    /// # Panics
    /// As `launch`.
    pub fn with(settings: &str) -> Self {
        let mut server = Self::prepared(settings);
        server.start();
        server
    }

    /// One that does not run yet.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or the disk is full.
    pub fn prepared(settings: &str) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("pg").tempdir().expect("a folder");
        let (port, held) = free_port();
        let server = Self { programs, folder, child: None, port, _port: held };
        fs::set_permissions(server.folder.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        if is_root() {
            chown(server.folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let data = server.folder.path().join("data");
        server.initialise(&data);
        let own = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{folder}'\n\
             fsync = off\nsynchronous_commit = on\nshared_buffers = 32MB\nmax_connections = 60\n\
             logging_collector = off\nautovacuum = off\n{settings}\n",
            folder = server.folder.path().display(),
            settings = settings.replace("FOLDER", &server.folder.path().display().to_string()),
        );
        let file = data.join("postgresql.conf");
        let shipped = fs::read_to_string(&file).expect("initdb writes it");
        fs::write(&file, format!("{shipped}\n{own}")).expect("ours");
        fs::write(data.join("pg_hba.conf"), "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n")
            .expect("ours");
        server
    }

    /// Where files for it can be put.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into its folder that it alone may read, as it demands of keys.
    ///
    /// # Panics
    /// If the disk is full.
    pub fn give(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        fs::write(&file, text).expect("ours");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
        if is_root() {
            chown(&file, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
    }

    /// Starts it (again) with the same data, and waits until it answers.
    ///
    /// # Panics
    /// If it runs already or does not start.
    pub fn start(&mut self) {
        self.spawn();
        let began = Instant::now();
        while self.try_sql("postgres", "SELECT 1").is_err() {
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("it is ours");
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "PostgreSQL does not start:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Starts it, and waits for nothing.
    ///
    /// # Panics
    /// If it runs already.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "PostgreSQL runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file()).expect("its log");
        let mut command = self.program("postgres");
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .stderr(log.try_clone().expect("a file"))
            .stdout(log);
        self.child = Some(command.spawn().expect("postgres starts"));
    }

    /// Ends it in order, and every connection with it (as `systemctl restart` does).
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it as a crash would: what was not committed is gone.
    ///
    /// # Panics
    /// If it does not end.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Runs statements as the superuser and returns what they tell, a line for each row.
    ///
    /// # Panics
    /// If they fail.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        self.try_sql(database, statements).unwrap_or_else(|why| panic!("{statements}: {why}"))
    }

    /// The same, and what went wrong.
    pub fn try_sql(&self, database: &str, statements: &str) -> Result<String, String> {
        self.psql(database, &["-c", statements])
    }

    /// Runs `psql` with these arguments as the superuser.
    pub fn psql(&self, database: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        command.arg("-h").arg(self.folder.path()).arg("-p").arg(self.port.to_string()).args(arguments);
        let output = command.stdin(Stdio::null()).output().expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Makes an empty database that belongs to the superuser, and returns its address on the Unix socket.
    ///
    /// # Panics
    /// If it exists already.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.socket_url(name)
    }

    /// Makes a role with this password, and an empty database that belongs to it.
    ///
    /// # Panics
    /// If one of them exists already.
    pub fn database_of(&self, name: &str, owner: &str, password: &str) {
        self.sql("postgres", &format!("CREATE ROLE {owner} LOGIN PASSWORD '{password}'"));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {owner}"));
    }

    /// `postgres:///NAME?host=…&port=…`: the address of a database on the Unix socket.
    pub fn socket_url(&self, name: &str) -> String {
        format!("postgres:///{name}?host={}&port={}", self.folder.path().display(), self.port)
    }

    /// `postgres://127.0.0.1:PORT/NAME`.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://127.0.0.1:{}/{name}", self.port)
    }

    /// Everything that it logged in all its lives.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn initialise(&self, data: &Path) {
        fs::create_dir(data).expect("a folder");
        fs::set_permissions(data, fs::Permissions::from_mode(0o700)).expect("ours");
        if is_root() {
            chown(data, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let mut command = self.program("initdb");
        command.args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]);
        let output = command.arg("-D").arg(data).output().expect("initdb runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program of the server, as somebody who is not root.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PG") {
                command.env_remove(variable);
            }
        }
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn end(&mut self, signal: &str) {
        let mut child = self.child.take().expect("it runs");
        let told = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        let began = Instant::now();
        while child.try_wait().expect("it is ours").is_none() {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not end:\n{}", self.log());
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Immediate: its children go with it, which they would not if it were killed.
            let _ = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Where the newest server's programs are. Debian keeps them apart by version and out of the path.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").exists())
        .max();
    if let Some((_, folder)) = newest {
        return folder;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|folder| folder.join("initdb").exists())
        .expect("PostgreSQL is not installed: run tests/install rust")
}

fn free_port() -> (u16, Socket) {
    let bind = || -> std::io::Result<(u16, Socket)> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().ok_or_else(|| std::io::Error::other("no address"))?;
        Ok((address.port(), socket))
    };
    bind().expect("a free port")
}
