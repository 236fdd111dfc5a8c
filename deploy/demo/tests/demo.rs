//! The program `demo` as people and other programs start it: it says when it is ready, says which port is taken, and ends
//! when told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

fn demo(data: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(["--gateway-port", "0", "--admin-port", "0", "--todo-port", "0", "--idp-port", "0"]);
    command.arg("--data").arg(data.path()).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A started demo, killed if the test forgets to stop it.
struct Running {
    child: Child,
    ready: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(data: &TempDir, arguments: &[&str]) -> Running {
    let mut child = demo(data, arguments).arg("--json").spawn().expect("the demo starts");
    let mut ready = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut ready).expect("a line");
    Running { child, ready }
}

fn address(ready: &str, name: &str) -> String {
    let marker = format!("\"{name}\":\"http://");
    let rest = ready.split(&marker).nth(1).unwrap_or_else(|| panic!("no {name} in {ready:?}"));
    rest.split('"').next().expect("a quote").to_owned()
}

fn get(authority: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(authority.replace("localhost", "127.0.0.1")).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn terminate(child: &Child) {
    let status = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn it_says_where_everything_is_serves_it_and_ends_when_told_to() {
    let data = tempfile::tempdir().expect("a folder");
    let mut running = start(&data, &["--session-idle", "2m"]);
    assert!(running.ready.starts_with("ready {"), "{}", running.ready);
    let page = get(&address(&running.ready, "gateway"), "/");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<html"), "{page}");
    assert!(get(&address(&running.ready, "todo"), "/api/todolist").starts_with("HTTP/1.1 401"));
    assert!(get(&address(&running.ready, "idp"), "/mailbox").starts_with("HTTP/1.1 200"));
    assert!(get(&address(&running.ready, "idp"), "/dev/faults").starts_with("HTTP/1.1 404"));
    assert!(get(&address(&running.ready, "admin"), "/healthz").starts_with("HTTP/1.1 200"));
    assert!(data.path().join("todo.db").is_file());
    terminate(&running.child);
    assert!(running.child.wait().expect("it ends").success());
    let port = address(&running.ready, "gateway");
    assert!(TcpStream::connect(port.replace("localhost", "127.0.0.1")).is_err(), "nobody listens any more");
}

#[test]
fn it_offers_misbehaviour_and_the_entra_face_when_asked() {
    let data = tempfile::tempdir().expect("a folder");
    let running = start(&data, &["--faults", "--entra"]);
    assert!(get(&address(&running.ready, "idp"), "/dev/faults").starts_with("HTTP/1.1 200"));
    let sign_in = get(&address(&running.ready, "gateway"), "/auth/sign-in");
    assert!(sign_in.contains("/oauth2/v2.0/authorize?"), "{sign_in}");
}

fn ended(command: &mut Command) -> Output {
    command.output().expect("the demo runs")
}

#[test]
fn a_taken_port_is_one_clear_line_that_names_the_flag() {
    let data = tempfile::tempdir().expect("a folder");
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = other.local_addr().expect("bound").port().to_string();
    for flag in ["--gateway-port", "--admin-port", "--todo-port", "--idp-port"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        for known in ["--gateway-port", "--admin-port", "--todo-port", "--idp-port"] {
            command.args([known, if known == flag { &port } else { "0" }]);
        }
        let output = ended(command.arg("--data").arg(data.path()));
        assert_eq!(output.status.code(), Some(1), "{flag}");
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert!(lines[0].contains(&port) && lines[0].contains(flag), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_duration_that_is_none_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    for wrong in ["soon", "99d", "5m\" x"] {
        let output = ended(&mut demo(&data, &["--session-idle", wrong]));
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("idle")
                || String::from_utf8_lossy(&output.stderr).contains("duration"),
            "{wrong}"
        );
    }
}
