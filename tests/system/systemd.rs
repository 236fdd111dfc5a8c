//! The gateway under a service manager: sockets that are handed over, what it says of itself, and the units that are shipped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::{Plan, Program, Site};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;

/// What the manager is told next, line by line.
fn told(manager: &UnixDatagram) -> BTreeMap<String, String> {
    let mut buffer = [0; 4_096];
    let count = manager.recv(&mut buffer).expect("it is told something");
    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
    let line = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(line).collect()
}

/// What the manager is told that has a line of that name, whatever it is told before.
fn told_of(manager: &UnixDatagram, name: &str) -> BTreeMap<String, String> {
    loop {
        let told = told(manager);
        if told.contains_key(name) {
            return told;
        }
    }
}

fn manager(folder: &Path) -> (UnixDatagram, PathBuf) {
    let path = folder.join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    (manager, path)
}

/// A site whose program is stopped, to be started by hand.
async fn stopped() -> Site {
    let mut site = Plan::new().programs(1).start().await;
    site.program(0).terminate().await;
    site
}

/// Hands listening sockets to the program as systemd does: from descriptor 3 on, with their names, for its own number.
fn hand_over(program: &mut Program, sockets: &[(&str, &TcpListener)], more: &[(&str, String)]) {
    let mut script = String::new();
    let mut names = Vec::new();
    for (position, (name, socket)) in sockets.iter().enumerate() {
        // What a shell opens for itself begins at 10 and above.
        fcntl_setfd(socket.as_fd(), FdFlags::empty()).expect("a descriptor");
        write!(script, "exec {}<&{}; ", position + 3, socket.as_raw_fd()).expect("a String takes everything");
        names.push(*name);
    }
    script += "export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let mut environment =
        vec![("LISTEN_FDS", sockets.len().to_string()), ("LISTEN_FDNAMES", names.join(":"))];
    environment.extend(more.iter().cloned());
    program.spawn_by(&["bash", "-c", &script], &environment);
}

/// Sockets with high numbers, so that none is in the way of 3, 4 and 5.
fn listener() -> TcpListener {
    let low: Vec<_> = (0..8).map(|_| fs::File::open("/dev/null").expect("it is there")).collect();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    drop(low);
    listener
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("it is bound").port()
}

async fn status(port: u16, path: &str, host: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = harness::raw(port, request.as_bytes()).await;
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn sockets_that_are_handed_over_take_the_place_of_those_of_the_configuration() {
    let mut site = stopped().await;
    let (one, two, admin) = (listener(), listener(), listener());
    let host = site.host();
    let configured = site.ports()[0];
    let sockets = [("http", &one), ("admin", &admin), ("http", &two)];
    hand_over(site.program(0), &sockets, &[]);
    // Whoever comes before it is ready waits.
    assert!(status(port(&admin), "/healthz", "localhost").await.contains("200"));
    for socket in [&one, &two] {
        for _ in 0..20 {
            assert!(status(port(socket), "/auth/session", &host).await.contains("200"));
        }
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", configured)).is_err(), "and nobody listens there");
    // The sockets are the manager's: while the program is away, connections wait for the next one.
    site.program(0).terminate().await;
    let early = tokio::spawn({
        let (port, host) = (port(&one), host.clone());
        async move { status(port, "/auth/session", &host).await }
    });
    hand_over(site.program(0), &sockets, &[]);
    assert!(early.await.expect("answered").contains("200"));
}

#[tokio::test]
async fn a_socket_without_a_known_name_is_refused_with_the_line_to_write() {
    let mut site = stopped().await;
    for (name, word) in [("gateway.socket", "FileDescriptorName=http"), ("https", "[tls]")] {
        let socket = listener();
        hand_over(site.program(0), &[(name, &socket)], &[]);
        assert_eq!(site.program(0).ended().await.code(), Some(1));
        let log = site.program(0).log();
        let said = log.lines().last().unwrap_or_default();
        assert!(said.contains(word), "{name}: {log}");
    }
}

#[tokio::test]
async fn sockets_for_another_process_are_left_alone() {
    let mut site = stopped().await;
    let socket = listener();
    fcntl_setfd(socket.as_fd(), FdFlags::empty()).expect("a descriptor");
    let environment = [("LISTEN_FDS", "1".to_owned()), ("LISTEN_PID", "1".to_owned())];
    site.program(0).spawn_by(&[], &environment);
    site.program(0).ready().await;
}

#[tokio::test]
async fn the_manager_is_told_when_it_serves_reloads_and_stops() {
    let mut site = stopped().await;
    let (manager, path) = manager(site.folder());
    let environment = [("NOTIFY_SOCKET", path.display().to_string())];
    site.program(0).spawn_by(&[], &environment);
    let ready = told(&manager);
    assert_eq!((ready["READY"].as_str(), ready["STATUS"].as_str()), ("1", "serving"));
    // It listens when it says so.
    let host = site.host();
    assert!(status(site.ports()[0], "/auth/session", &host).await.contains("200"));

    let before = monotonic();
    site.program(0).signal(Signal::HUP);
    let reloading = told(&manager);
    assert_eq!(reloading["RELOADING"], "1");
    let since: i128 = reloading["MONOTONIC_USEC"].parse().expect("a number");
    assert!((before..=monotonic() + 20_000).contains(&since), "{since}");
    let done = told(&manager);
    assert_eq!((done["READY"].as_str(), done["STATUS"].as_str()), ("1", "serving; configuration 2"));

    site.program(0).edit(|text| format!("{text}\n[oops"));
    assert_eq!(told(&manager)["RELOADING"], "1");
    assert!(told(&manager)["STATUS"].contains("refused"));

    site.program(0).signal(Signal::TERM);
    assert_eq!(told(&manager)["STOPPING"], "1");
    assert!(site.program(0).ended().await.success());
}

/// Microseconds since the machine was started, to the hundredth of a second.
fn monotonic() -> i128 {
    let uptime = fs::read_to_string("/proc/uptime").expect("Linux tells");
    let (seconds, _) = uptime.split_once(' ').expect("two numbers");
    let hundredths: i128 = seconds.replace('.', "").parse().expect("a number");
    hundredths * 10_000
}

#[tokio::test]
async fn signs_of_life_come_while_it_lives_and_only_where_they_are_wanted() {
    let mut site = stopped().await;
    let (manager, path) = manager(site.folder());
    let wanted =
        |micros: &str| [("NOTIFY_SOCKET", path.display().to_string()), ("WATCHDOG_USEC", micros.to_owned())];
    site.program(0).spawn_by(&[], &wanted("400000"));
    for _ in 0..5 {
        assert_eq!(told_of(&manager, "WATCHDOG")["WATCHDOG"], "1");
    }
    // Stopped threads give none: whatever was on its way is read, and then nothing comes.
    site.program(0).signal(Signal::STOP);
    manager.set_read_timeout(Some(Duration::from_millis(800))).expect("a time-out");
    let mut buffer = [0; 512];
    let mut rest = 0;
    while manager.recv(&mut buffer).is_ok() {
        rest += 1;
        assert!(rest < 10, "a stopped process gives signs of life");
    }
    site.program(0).signal(Signal::CONT);
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    told_of(&manager, "WATCHDOG");
    site.program(0).terminate().await;
    // For another process it gives none either.
    while manager.set_nonblocking(true).is_ok() && manager.recv(&mut buffer).is_ok() {}
    manager.set_nonblocking(false).expect("a socket");
    let mut environment = wanted("400000").to_vec();
    environment.push(("WATCHDOG_PID", "1".to_owned()));
    site.program(0).spawn_by(&[], &environment);
    told_of(&manager, "READY");
    site.program(0).signal(Signal::TERM);
    let next = told(&manager);
    assert!(next.contains_key("STOPPING"), "{next:?}");
    site.program(0).ended().await;
}

/// The shipped units, in a folder of their own, with programs that are there.
fn units(folder: &Path) -> Vec<PathBuf> {
    let root = demo::root().expect("the tests run in the checkout");
    let mut units = Vec::new();
    for entry in fs::read_dir(root.join("deploy/systemd")).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "service" || extension == "socket") {
            let text = fs::read_to_string(&path).expect("a unit");
            let text = text.replace("/usr/local/bin/todo-service", "/bin/true");
            let copy = folder.join(path.file_name().expect("a name"));
            fs::write(&copy, text.replace("/usr/local/bin/gateway", "/bin/true")).expect("a copy");
            units.push(copy);
        }
    }
    units.sort();
    units
}

#[test]
fn the_shipped_units_are_sound_and_leave_little_to_an_intruder() {
    let folder = tempfile::tempdir().expect("a folder");
    let units = units(folder.path());
    assert_eq!(units.len(), 5, "{units:?}");
    let analyze = |arguments: &[&str], files: &[PathBuf]| {
        let output = Command::new("systemd-analyze").args(arguments).args(files).output();
        output.expect("systemd-analyze: tests/install installs it")
    };
    let verified = analyze(&["verify", "--man=no"], &units);
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success(), "{said}");
    // systemd before 253 passes over the second Type= with a warning, and keeps the first.
    let odd: Vec<_> = said
        .lines()
        .filter(|line| line.contains("deploy") || line.contains(".service") || line.contains(".socket"))
        .filter(|line| !line.contains("ignoring: notify-reload"))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
    for unit in units.iter().filter(|unit| unit.extension().is_some_and(|extension| extension == "service")) {
        let rated = analyze(
            &["security", "--no-pager", "--offline=true", "--threshold=20"],
            std::slice::from_ref(unit),
        );
        assert!(rated.status.success(), "{}", String::from_utf8_lossy(&rated.stdout));
    }
    // And a unit that leaves much is told apart.
    let weak = folder.path().join("weak.service");
    fs::write(&weak, "[Service]\nExecStart=/bin/true\n").expect("a unit");
    let rated = analyze(&["security", "--no-pager", "--offline=true", "--threshold=20"], &[weak]);
    assert!(!rated.status.success());
}

#[test]
fn the_units_name_what_the_program_understands() {
    let root = demo::root().expect("the tests run in the checkout");
    let read = |name: &str| fs::read_to_string(root.join("deploy/systemd").join(name)).expect("a unit");
    for (unit, name) in
        [("gateway.socket", "https"), ("gateway-http.socket", "http"), ("todo-service.socket", "http")]
    {
        assert!(read(unit).lines().any(|line| line == format!("FileDescriptorName={name}")), "{unit}");
    }
    for unit in ["gateway.service", "todo-service.service"] {
        let text = read(unit);
        for line in
            ["Type=notify", "Type=notify-reload", "DynamicUser=yes", "CapabilityBoundingSet=", "LimitCORE=0"]
        {
            assert!(text.lines().any(|found| found == line), "{unit}: {line}");
        }
    }
}
