//! Another configuration while the gateway runs: taken on whole or not at all, without anybody noticing (CF-05, CF-06).

use std::fs;
use std::path::PathBuf;

use harness::{
    Ask, Browser, Echo, Kept, Load, Pace, Plan, Recorder, Site, SocketEcho, User, eventually, person,
};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

/// Reads until the text has come.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(wanted) {
        let mut buffer = vec![0; 4_096];
        let count = stream.read(&mut buffer).await.expect("the other side goes on");
        assert_ne!(count, 0, "closed before {wanted:?}: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// A configuration whose route `/extra` asks for another thing each time.
fn with_extra(text: &str, number: usize) -> String {
    let base = text.split("# extra").next().expect("a beginning");
    let allow = if number.is_multiple_of(2) { "allow = \"anyone\"" } else { "" };
    let response = 20 + number % 7;
    format!(
        "{base}# extra\n[upstreams.extra]\nservers = [\"http://127.0.0.1:1\"]\nresponse = \"{response}s\"\n\
         [[routes]]\npath = \"/extra\"\nupstream = \"extra\"\n{allow}\n"
    )
}

/// A program whose upstream answers with the claims of the token.
async fn program(plan: impl FnOnce(Plan) -> Plan) -> (Site, Echo) {
    let echo = Echo::start().await;
    let site = plan(Plan::new().echo(&echo).programs(1)).start().await;
    (site, echo)
}

#[tokio::test]
async fn hundreds_of_reloads_under_load_lose_no_request_no_socket_and_no_stream() {
    let (echo, sockets) = (Echo::start().await, SocketEcho::start().await);
    let upstream = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let more = format!(
        "[upstreams.sockets]\nservers = [\"{}\"]\n[[routes]]\npath = \"/ws\"\nupstream = \"sockets\"\nwebsocket = true\n\
         [upstreams.hand]\nservers = [\"http://{}\"]\n[[routes]]\npath = \"/stream\"\nupstream = \"hand\"\nallow = \"anyone\"\n",
        sockets.url(),
        upstream.local_addr().expect("it is bound"),
    );
    let site = Plan::new().quiet().echo(&echo).append(more).people(4).start().await;
    let mut users = Vec::new();
    for number in 0..4 {
        users.push(User::of(site.signed_in(&person(number)).await).await);
    }
    let mut socket = users[0].browser().open_socket("/ws").await;
    socket.must_echo("before").await;
    let mut stream = TcpStream::connect(("127.0.0.1", site.ports()[0])).await.expect("it listens");
    let ask = format!("GET /stream HTTP/1.1\r\nHost: {}\r\n\r\n", site.host());
    stream.write_all(ask.as_bytes()).await.expect("it reads");
    let (mut events, _) = upstream.accept().await.expect("the gateway connects");
    read_until(&mut events, "\r\n\r\n").await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    events.write_all(head.as_bytes()).await.expect("it reads");

    let load = Load::start(users, site.ports(), Pace::flat_out(8, &["/echo", "/reports"]));
    for number in 0..300 {
        let generation = site.reload(|text| with_extra(&text, number)).expect("sound");
        assert_eq!(generation, number as u64 + 2);
        if number % 10 == 0 {
            load.more(1).await;
            socket.must_echo(&format!("after {number}")).await;
            let event = format!("data: {number}.\n\n");
            events.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await.expect("open");
            read_until(&mut stream, &format!("data: {number}.")).await;
        }
    }
    let tally = load.stop().await;
    tally.must_be_clean();
    assert!(tally.waits() == 0 && tally.good >= 60, "{tally}");
    // The last one is in force: an odd number asks for a session.
    site.browser().fetch("GET", "/extra").await.must_be(401);
}

#[tokio::test]
async fn a_changed_file_is_taken_on_by_itself_and_by_a_signal() {
    let (mut site, _echo) = program(|plan| plan.replace("[log]", "[reload]\nwatch = true\n[log]")).await;
    let alice = site.signed_in(ALICE).await;
    alice.fetch("GET", "/extra").await.must_be(404);
    let program = site.program(0);
    assert_eq!(program.generation().await, 1);
    program.edit(|text| with_extra(&text, 1));
    assert_eq!(program.generation_after(1).await, 2);
    alice.fetch("GET", "/extra").await.must_be_problem(502, "upstream_unreachable");
    alice.fetch("GET", "/who").await.must_be(200);
    // Told to, it reads the file again although nothing has changed.
    site.program(0).signal(Signal::HUP);
    assert_eq!(site.program(0).generation_after(2).await, 3);
    let metrics = site.program(0).admin(Ask::bare("GET", "/metrics")).await.text();
    for line in ["gateway_config_generation 3", "gateway_config_last_reload_successful 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("\ngateway_config_last_reload_success_timestamp_seconds 1"), "{metrics}");
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_the_log_and_readiness_say_why_once() {
    let (mut site, _echo) = program(|plan| plan).await;
    let alice = site.signed_in(ALICE).await;
    let program = site.program(0);
    let sound = fs::read_to_string(program.config()).expect("its configuration");
    program.edit(|text| with_extra(&text, 2).replace("response = \"22s\"", "respones = \"22s\"\nfoo = 1"));
    let problems = program.refusal().await;
    assert!(problems.contains("respones") && problems.contains("foo"), "{problems}");
    // Requests may go on coming: what runs, runs.
    let ready = program.admin(Ask::bare("GET", "/readyz")).await;
    ready.must_be(200);
    assert_eq!(ready.json()["ready"], true);
    assert_eq!(program.generation().await, 1);
    let metrics = program.admin(Ask::bare("GET", "/metrics")).await.text();
    assert!(metrics.contains("\ngateway_config_last_reload_successful 0\n"), "{metrics}");
    program.signal(Signal::HUP);
    alice.fetch("GET", "/extra").await.must_be(404);
    alice.fetch("GET", "/echo").await.must_be(200);
    let program = site.program(0);
    program.edit(|_| sound);
    assert_eq!(program.generation_after(1).await, 2);
    let ready = program.admin(Ask::bare("GET", "/readyz")).await.json();
    assert!(ready["configuration"].get("newer_file_refused").is_none(), "{ready}");
    let log = program.log();
    let told = log.lines().filter(|line| line.contains("reload_refused")).collect::<Vec<_>>();
    assert_eq!(told.len(), 2, "each problem once: {told:#?}");
}

#[tokio::test]
async fn what_cannot_change_is_refused_by_name() {
    let (mut site, _echo) = program(|plan| plan.keys(&["one"])).await;
    let none = site.server_keys(&["two"]);
    let program = site.program(0);
    let sound = fs::read_to_string(program.config()).expect("its configuration");
    let changes: [(&str, &str, &str, &str); 5] = [
        ("listen", "http", "\"127.0.0.1:0\"", "listen.http"),
        ("listen", "workers", "7", "listen.workers"),
        ("session", "store", "{ file = \"elsewhere.db\" }", "session.store"),
        ("session", "keys", &none, "session.keys"),
        ("log", "access", "false", "[log]"),
    ];
    for (table, key, value, named) in changes {
        program.set(table, key, value);
        eventually(named, || async { program.refusal().await.contains(named) }).await;
        assert!(program.refusal().await.contains("restart"));
    }
    assert_eq!(program.generation().await, 1);
    program.edit(|_| sound);
    assert_eq!(program.generation_after(1).await, 2, "the old one is not refused");
}

/// The file of the provider's client secret, which this makes the site's own.
fn own_secret(plan: Plan) -> (Plan, PathBuf) {
    let root = demo::root().expect("the tests run in the checkout");
    let shipped = root.join("deploy/dev-idp/todo-web.secret");
    let own = plan.database().with_file_name("client.secret");
    fs::copy(shipped, &own).expect("a copy");
    let value = format!("{{ file = \"{}\" }}", own.display());
    (plan.set("provider", "client_secret", value), own)
}

#[tokio::test]
async fn a_changed_client_secret_serves_from_the_next_call_on() {
    let (plan, path) = own_secret(Plan::new().programs(1));
    let mut site = plan.start().await;
    let good = fs::read_to_string(&path).expect("the secret");
    sign_in_must_work(&site.browser(), "with the secret that it began with").await;
    fs::write(&path, "another-secret-of-nobody-at-all").expect("written");
    assert_eq!(site.program(0).generation_after(1).await, 2);
    sign_in_must_fail(&site.browser(), &[400], "with a wrong secret").await;
    fs::write(&path, good).expect("written");
    assert_eq!(site.program(0).generation_after(2).await, 3);
    sign_in_must_work(&site.browser(), "with the right one again").await;
}

#[tokio::test]
async fn a_secret_that_is_missing_or_empty_is_refused_and_the_old_one_serves_on() {
    let (plan, path) = own_secret(Plan::new().programs(1));
    let mut site = plan.start().await;
    let good = fs::read_to_string(&path).expect("the secret");
    fs::remove_file(&path).expect("removed");
    let missing = site.program(0).refusal().await;
    assert!(missing.contains("client_secret") && missing.contains("cannot be read"), "{missing}");
    sign_in_must_work(&site.browser(), "the file is missing").await;
    fs::write(&path, "\n").expect("written");
    let program = site.program(0);
    eventually("it is told that it is empty", || async { program.refusal().await.contains("is empty") })
        .await;
    sign_in_must_work(&site.browser(), "the file is empty").await;
    fs::write(&path, good).expect("written");
    assert_eq!(site.program(0).generation_after(1).await, 2, "the file is watched although it was missing");
    sign_in_must_work(&site.browser(), "the file is there again").await;
}

#[tokio::test]
async fn sessions_live_on_as_they_began_and_new_ones_by_the_new_lifetimes() {
    let site = Plan::new().set("session", "idle", "\"30m\"").start().await;
    let before = site.signed_in(ALICE).await;
    site.reload(|text| text.replace("idle = \"30m\"", "idle = \"5m\"")).expect("sound");
    let after = site.signed_in(BOB).await;
    site.advance(std::time::Duration::from_secs(6 * 60));
    assert_eq!(before.session().await["signed_in"], true);
    assert_eq!(after.session().await["signed_in"], false);
}

#[tokio::test]
async fn people_of_a_provider_that_was_taken_out_are_nobody_until_it_is_back() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let mut before = String::new();
    let other = |text: String| {
        before.clone_from(&text);
        let line = text.lines().find(|line| line.starts_with("issuer ")).expect("an issuer");
        text.replacen(line, "issuer = \"http://localhost:1\"", 1)
    };
    site.reload(other).expect("sound");
    assert_eq!(browser.session().await["signed_in"], false);
    site.reload(|_| before).expect("sound");
    assert_eq!(browser.session().await["signed_in"], true, "another gateway may have known it all the time");
}

#[tokio::test]
async fn keys_may_be_added_in_front_and_everybody_stays_signed_in_also_over_a_restart() {
    let (mut site, _echo) = program(|plan| plan.store(Kept::File).keys(&["one"])).await;
    let before = site.signed_in(ALICE).await;
    let keys = site.server_keys(&["two", "one"]);
    site.program(0).set("session", "keys", &keys);
    site.program(0).generation_after(1).await;
    let after = site.signed_in(BOB).await;
    for browser in [&before, &after] {
        browser.fetch("GET", "/echo").await.must_be(200);
    }
    site.program(0).terminate().await;
    site.program(0).start().await;
    for browser in [&before, &after] {
        browser.fetch("GET", "/echo").await.must_be(200);
    }
}

#[tokio::test]
async fn a_sign_in_that_began_before_a_reload_ends_after_it() {
    let site = Site::start().await;
    let browser = site.browser();
    let callback = browser.callback_address("/auth/sign-in?return_to=/", ALICE).await;
    site.reload(|text| with_extra(&text, 1)).expect("sound");
    browser.send(Ask::page(callback.as_str())).await.must_redirect();
    assert_eq!(browser.session().await["signed_in"], true);
}

#[tokio::test]
async fn the_provider_is_not_asked_again_for_what_is_known_of_it() {
    let site = Site::start().await;
    site.ready().await;
    let asked =
        || [dev_idp::Endpoint::Metadata, dev_idp::Endpoint::Keys].map(|endpoint| site.requests(endpoint));
    let before = asked();
    // The same provider, and the same with other settings of ours.
    site.reload(|text| with_extra(&text, 1)).expect("sound");
    site.reload(|text| text.replace("\"profile\", \"email\",", "\"profile\",")).expect("sound");
    site.admin("/readyz").await.must_be(200);
    sign_in_must_work(&site.browser(), "at once").await;
    assert_eq!(asked(), before);
}

#[tokio::test]
async fn connections_to_an_upstream_that_stayed_the_same_stay_open() {
    let recorder = Recorder::start().await;
    let site = Plan::new().set("listen", "workers", "1").append(recorder_routes(&recorder)).start().await;
    let browser: Browser = site.browser();
    for number in 0..5 {
        browser.fetch("GET", "/open").await.must_be(200);
        site.reload(|text| with_extra(&text, number)).expect("sound");
    }
    assert_eq!(recorder.last().connection, 0);
    site.reload(|text| text.replace("[upstreams.recorder]", "[upstreams.recorder]\nresponse = \"9s\""))
        .expect("sound");
    browser.fetch("GET", "/open").await.must_be(200);
    assert_eq!(recorder.last().connection, 1, "another upstream has connections of its own");
}

#[tokio::test]
async fn operators_show_the_token_of_the_running_configuration() {
    let site = Plan::new().operators().start().await;
    let old = site.admin_token();
    let ask = |token: &str| Ask::bare("GET", "/sessions").set("authorization", &format!("Bearer {token}"));
    site.admin_ask(ask(&old)).await.must_be(200);
    let new = "pZ3kVx8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A";
    fs::write(site.folder().join("admin.token"), new).expect("written");
    site.reload(|text| text).expect("sound");
    site.admin_ask(ask(&old)).await.must_be(401);
    site.admin_ask(ask(new)).await.must_be(200);
}
