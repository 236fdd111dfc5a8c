//! How the process begins, is asked how it is, and ends (requirements EP-03, EP-05, LG-07).

use std::fs;
use std::time::{Duration, Instant};

use harness::{Ask, Echo, Load, Pace, Plan, Site, SocketEcho, User, eventually, person};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

/// Longer than any test waits: what ends within it was not waited for.
const VERY_LONG: &str = "10m";
const PROMPT: Duration = Duration::from_secs(8);

fn shutdown(delay: &str, grace: &str) -> String {
    format!("[shutdown]\ndelay = \"{delay}\"\ngrace = \"{grace}\"\n")
}

/// A program with an upstream under the test's own hand, behind `/open`.
async fn by_hand(shutdown: String) -> (Site, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let routes = format!(
        "[upstreams.hand]\nservers = [\"http://{}\"]\n\
         [[routes]]\npath = \"/open\"\nupstream = \"hand\"\nallow = \"anyone\"\n{shutdown}",
        listener.local_addr().expect("it is bound")
    );
    (Plan::new().append(routes).programs(1).start().await, listener)
}

async fn client(site: &Site) -> TcpStream {
    TcpStream::connect(("127.0.0.1", site.ports()[0])).await.expect("it listens")
}

async fn ask(stream: &mut TcpStream, site: &Site) {
    let request = format!("GET /open HTTP/1.1\r\nHost: {}\r\n\r\n", site.host());
    stream.write_all(request.as_bytes()).await.expect("it reads");
}

/// Reads until the text has come.
async fn read_until(stream: &mut TcpStream, wanted: &str) {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(wanted) {
        let mut buffer = vec![0; 4_096];
        let count = stream.read(&mut buffer).await.expect("the other side goes on");
        assert_ne!(count, 0, "closed before {wanted:?}: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
}

async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[tokio::test]
async fn a_gateway_that_leaves_says_so_first_then_finishes_what_came_and_exits_with_0() {
    let (mut site, upstream) = by_hand(shutdown("2s", VERY_LONG)).await;
    let mut early = client(&site).await;
    ask(&mut early, &site).await;
    let (mut first, _) = upstream.accept().await.expect("the gateway connects");
    read_until(&mut first, "\r\n\r\n").await;
    let program = site.program(0);
    program.signal(Signal::TERM);
    eventually("it says that it leaves", || async {
        program.admin(Ask::bare("GET", "/readyz")).await.status == 503
    })
    .await;
    let ready = program.admin(Ask::bare("GET", "/readyz")).await;
    assert_eq!(ready.json()["reasons"][0], "stopping");
    program.admin(Ask::bare("GET", "/healthz")).await.must_be(200);
    // Whoever has not heard of it yet is served.
    let mut late = client(&site).await;
    ask(&mut late, &site).await;
    let (mut second, _) = upstream.accept().await.expect("the gateway connects");
    read_until(&mut second, "\r\n\r\n").await;
    let port = site.ports()[0];
    eventually("the listeners close", || async { !listens(port) }).await;
    for (upstream, client) in [(&mut first, &mut early), (&mut second, &mut late)] {
        upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("it reads");
        read_until(client, "\r\n\r\nok").await;
    }
    let status = site.program(0).ended().await;
    assert!(status.success(), "{status}: {}", site.program(0).log());
}

#[tokio::test]
async fn under_load_nothing_that_was_taken_is_lost() {
    let echo = Echo::start().await;
    let plan = Plan::new().quiet().echo(&echo).people(4).append(shutdown("0s", VERY_LONG));
    let mut site = plan.programs(2).store(harness::Kept::Memory).start().await;
    // Sessions are in memory: everybody is at the first one, and asks the other nothing.
    let mut users = Vec::new();
    for number in 0..4 {
        users.push(User::of(site.signed_in(&person(number)).await).await);
    }
    let load = Load::start(users, vec![site.ports()[0]], Pace::flat_out(8, &["/echo", "/reports"]));
    load.more(200).await;
    site.program(0).signal(Signal::TERM);
    let status = site.program(0).ended().await;
    let tally = load.stop().await;
    assert!(status.success(), "{status}");
    // Who came later found nobody; who was in was answered.
    for error in &tally.errors {
        assert!(error.contains("refused"), "{error}");
    }
    assert!(tally.good >= 200 && tally.mismatches.is_empty() && tally.signed_out.is_empty(), "{tally}");
}

#[tokio::test]
async fn silent_and_idle_clients_are_not_waited_for() {
    let (mut site, upstream) = by_hand(shutdown("0s", VERY_LONG)).await;
    let mut silent = client(&site).await;
    let mut idle = client(&site).await;
    ask(&mut idle, &site).await;
    let (mut connection, _) = upstream.accept().await.expect("the gateway connects");
    read_until(&mut connection, "\r\n\r\n").await;
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("it reads");
    read_until(&mut idle, "\r\n\r\nok").await;
    let began = Instant::now();
    site.program(0).terminate().await;
    assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
    closed(&mut silent).await;
    closed(&mut idle).await;
}

#[tokio::test]
async fn a_websocket_is_cut_off_when_the_grace_is_over_and_not_before() {
    let echo = SocketEcho::start().await;
    let routes = format!(
        "[upstreams.sockets]\nservers = [\"{}\"]\n[[routes]]\npath = \"/ws\"\nupstream = \"sockets\"\nwebsocket = true\n{}",
        echo.url(),
        shutdown("0s", "1500ms"),
    );
    let mut site = Plan::new().append(routes).programs(1).start().await;
    let mut socket = site.signed_in(ALICE).await.open_socket("/ws").await;
    socket.must_echo("before").await;
    let began = Instant::now();
    site.program(0).signal(Signal::TERM);
    let port = site.ports()[0];
    eventually("the listeners close", || async { !listens(port) }).await;
    socket.must_echo("meanwhile").await;
    socket.closed().await;
    assert!(began.elapsed() >= Duration::from_millis(1_400), "{:?}", began.elapsed());
    let status = site.program(0).ended().await;
    assert!(status.success() && began.elapsed() < PROMPT, "{status} after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    for delay in ["0s", VERY_LONG] {
        let (mut site, upstream) = by_hand(shutdown(delay, VERY_LONG)).await;
        let mut waiting = client(&site).await;
        ask(&mut waiting, &site).await;
        let (mut connection, _) = upstream.accept().await.expect("the gateway connects");
        read_until(&mut connection, "\r\n\r\n").await;
        site.program(0).signal(Signal::TERM);
        let program = site.program(0);
        eventually("it heard the first", || async {
            program.admin(Ask::bare("GET", "/readyz")).await.status == 503
        })
        .await;
        program.signal(Signal::INT);
        assert_eq!(program.ended().await.code(), Some(1));
        closed(&mut waiting).await;
    }
}

#[tokio::test]
async fn a_healthcheck_needs_nothing_but_the_program_and_the_admin_address() {
    let mut site = Plan::new().programs(1).start().await;
    let program = site.program(0);
    for arguments in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        let output = program.run(arguments);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    // A file that the gateway refused is no reason to restart a gateway that is well.
    program.edit(|text| format!("{text}\n[oops"));
    program.refusal().await;
    assert!(program.run(&["healthcheck"]).status.success());
    program.terminate().await;
    let output = program.run(&["healthcheck"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().count() == 1 && said.contains("no gateway answers"), "{said}");
    let elsewhere = program.run(&["healthcheck", "--address", "127.0.0.1:0"]);
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("--address"));
}

#[tokio::test]
async fn a_healthcheck_says_why_a_gateway_is_not_ready() {
    let site = Plan::new().without_provider().start().await;
    let own = Plan::new().programs(1).start().await;
    let address = format!("127.0.0.1:{}", site.admin_ports()[0]);
    let mut own = own;
    let program = own.program(0);
    assert!(program.run(&["healthcheck", "--address", &address]).status.success(), "alive");
    let output = program.run(&["healthcheck", "--ready", "--address", &address]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().count() == 1 && said.contains("not ready") && said.contains("provider"), "{said}");
}

#[tokio::test]
async fn what_listens_there_but_is_no_gateway_is_not_taken_for_one() {
    let mut site = Plan::new().programs(1).start().await;
    let port = site.ports()[0];
    let output = site.program(0).run(&["healthcheck", "--address", &format!("127.0.0.1:{port}")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("does not answer as the admin listener"), "{said}");
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_defaults_and_without_secrets() {
    let mut site = Plan::new().programs(1).start().await;
    let program = site.program(0);
    let output = program.run(&["config"]);
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{shown}");
    for piece in
        ["[provider]", "client_secret = { file = ", "# rotate = \"1h\"", "[[routes]]", "# grace = \"10s\""]
    {
        assert!(shown.contains(piece), "{piece} is not in\n{shown}");
    }
    let root = demo::root().expect("the tests run in the checkout");
    let secret = fs::read_to_string(root.join("deploy/dev-idp/todo-web.secret")).expect("the secret");
    assert!(!shown.contains(secret.trim()));
    // What is shown is a configuration, of the same meaning.
    program.edit(|_| shown.clone());
    let again = program.run(&["config"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), shown);
    program.edit(|text| format!("{text}\n[oops"));
    assert_eq!(program.run(&["config"]).status.code(), Some(1));
}

#[tokio::test]
async fn the_process_leaves_no_core_and_has_no_secret_in_its_arguments_or_environment() {
    let mut site = Plan::new().programs(1).start().await;
    let id = site.program(0).id();
    let read = |name: &str| fs::read(format!("/proc/{id}/{name}")).expect("Linux tells");
    let limits = String::from_utf8(read("limits")).expect("text");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    let root = demo::root().expect("the tests run in the checkout");
    let secret = fs::read_to_string(root.join("deploy/dev-idp/todo-web.secret")).expect("the secret");
    for name in ["cmdline", "environ"] {
        let held = String::from_utf8_lossy(&read(name)).into_owned();
        assert!(!held.is_empty() && !held.contains(secret.trim()), "{name}");
    }
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_named_with_the_way_out() {
    let mut site = Plan::new().programs(1).start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("it is bound");
    let program = site.program(0);
    program.terminate().await;
    let sound = fs::read_to_string(program.config()).expect("its configuration");
    let taken_text = format!("\"{taken}\"");
    let cases: [(&str, &str, &str, &[&str]); 5] = [
        ("listen", "admin", &taken_text, &[&taken.to_string(), "another program", "[listen]"]),
        (
            "provider",
            "client_secret",
            "{ file = \"/nowhere/client.secret\" }",
            &["/nowhere/client.secret", "create", "client_secret"],
        ),
        // Nobody can write there, not even root.
        ("session", "store", "{ file = \"/sys/sessions.db\" }", &["/sys/sessions.key", "write", "[session]"]),
        ("session", "store", "{ file = \"/sys/var/sessions.db\" }", &["/sys/var", "[session] store"]),
        ("session", "store", "{ file = \"/dev/null/sessions.db\" }", &["/dev/null", "[session] store"]),
    ];
    for (table, key, value, words) in cases {
        program.edit(|_| sound.clone());
        program.set(table, key, value);
        let output = program.run(&[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{value}: {said}");
        for word in words {
            assert!(said.contains(word), "{value}: {word} is not in: {said}");
        }
        assert!(said.matches("error:").count() == 1 && !said.contains("panicked"), "{said}");
    }
    program.edit(|_| sound);
    program.start().await;
}
