//! A gateway, its client and its upstream in one process, for valgrind to count what the gateway's worker does for a
//! request. One connection on each side and one request at a time: the same instructions in every run. Calls
//! [`begin_counting`] and [`end_counting`] around the requests that count. Everything else is the gateway as it is.

mod person;

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, bail, ensure};
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::server::{Running, launch};
use mimalloc::MiMalloc;

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const PATH: &str = "/api/todolist";
/// Requests before those that count: connections are open and caches filled after them.
const WARM_UP: usize = 200;
/// Routes of the long table.
const MANY: usize = 10_000;

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    /// A signed-in request, proxied with its token.
    Proxied,
    /// The same with an access line.
    Logged,
    /// The same among ten thousand routes.
    Routes,
    /// A static file of 1 KiB.
    File,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, requests, folder] = arguments.as_slice() else { bail!("usage: CASE REQUESTS FOLDER") };
    let case = match case.as_str() {
        "proxied" => Case::Proxied,
        "logged" => Case::Logged,
        "routes" => Case::Routes,
        "file" => Case::File,
        other => bail!("there is no case {other}"),
    };
    let folder = PathBuf::from(folder);
    let config = Config::load(&write_config(case, &folder, start_upstream()?)?)?;
    let running = launch(config, Clock::system(), Arc::new(Mutex::new(io::sink())))?;
    let mut client = Client::connect(running.http()[0], &request(case, &running)?)?;
    for _ in 0..WARM_UP {
        client.ask()?;
    }
    begin_counting();
    for _ in 0..requests.parse()? {
        client.ask()?;
    }
    end_counting();
    Ok(())
}

/// Valgrind sets its counters to zero here.
#[inline(never)]
fn begin_counting() {
    black_box("begin");
}

/// Valgrind writes its counters down here.
#[inline(never)]
fn end_counting() {
    black_box("end");
}

fn write_config(case: Case, folder: &Path, upstream: SocketAddr) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder.join("files"))?;
    fs::write(folder.join("files/file.txt"), [b'x'; 1024])?;
    let mut config = format!(
        r#"
public_url = "http://localhost:3000"
[listen]
http    = "127.0.0.1:0"
admin   = "127.0.0.1:0"
workers = 1
[provider]
issuer = "http://localhost:3002"
client_id = "bench"
client_authentication = "none"
[session]
store = "memory"
[upstreams.service]
servers = ["http://{upstream}"]
[tokens.{token}]
scopes = ["read"]
[log]
level  = "error"
access = {access}
[[routes]]
path     = "{PATH}"
methods  = ["GET", "HEAD"]
upstream = "service"
allow    = "signed-in"
token    = "{token}"
[[routes]]
path  = "/files"
files = "files"
allow = "anyone"
"#,
        token = person::TOKEN,
        access = case == Case::Logged,
    );
    if case == Case::Routes {
        for number in 0..MANY {
            write!(
                config,
                "[[routes]]\npath = \"/api/service-{number}/v1\"\nupstream = \"service\"\nallow = \"signed-in\"\n"
            )?;
        }
    }
    let path = folder.join("gateway.toml");
    fs::write(&path, config)?;
    Ok(path)
}

fn request(case: Case, running: &Running) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let id = runtime.block_on(person::begin(&running.live(), 1))?;
    let path = if case == Case::File { "/files/file.txt" } else { PATH };
    Ok(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:3000\r\ncookie: {}={}\r\nx-csrf: 1\r\naccept: application/json\r\n\
         sec-fetch-site: same-origin\r\n\r\n",
        person::COOKIE,
        id.reveal().expose()
    ))
}

/// Sends one request after the other.
struct Client {
    stream: TcpStream,
    request: String,
    answer: Vec<u8>,
}

impl Client {
    fn connect(gateway: SocketAddr, request: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(gateway)?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, request: request.to_owned(), answer: Vec::new() };
        client.first()?;
        Ok(client)
    }

    /// The first answer tells how long all are.
    fn first(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(self.request.as_bytes())?;
        let mut answer = vec![0; 64 * 1024];
        let mut length = 0;
        while !is_whole(&answer[..length]) {
            let read = self.stream.read(&mut answer[length..])?;
            ensure!(read > 0, "the gateway closed the connection");
            length += read;
        }
        let text = String::from_utf8_lossy(&answer[..length]);
        ensure!(text.starts_with("HTTP/1.1 200 OK\r\n"), "the gateway answered {text}");
        self.answer = vec![0; length];
        Ok(())
    }

    fn ask(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(self.request.as_bytes())?;
        self.stream.read_exact(&mut self.answer)?;
        ensure!(self.answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "an answer of another length");
        Ok(())
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

/// Answers every request with the same 200 bytes, as nginx's `return 200` does.
fn start_upstream() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr().context("a bound socket")?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n\
         Content-Length: 200\r\nConnection: keep-alive\r\n\r\n{}",
        "x".repeat(200)
    );
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer_all(stream, answer.as_bytes()));
        }
    });
    Ok(address)
}

fn answer_all(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut request, mut length) = (vec![0; 16 * 1024], 0);
    loop {
        let read = stream.read(&mut request[length..])?;
        length += read;
        if read == 0 {
            return Ok(());
        }
        if request[..length].ends_with(b"\r\n\r\n") {
            length = 0;
            stream.write_all(answer)?;
        }
    }
}
