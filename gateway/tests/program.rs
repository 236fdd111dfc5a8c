//! The program itself: what it says, how it exits. Everything else is tested without a process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const GOOD: &str = r#"
public_url = "http://localhost:3000"
[listen]
http  = "127.0.0.1:0"
admin = "127.0.0.1:0"
workers = 1
[provider]
issuer        = "http://localhost:1"
client_id     = "app"
client_secret = { file = "client.secret" }
[[routes]]
path  = "/"
files = "web"
allow = "anyone"
[log]
format = "json"
"#;

/// A folder with a configuration and what it names. It listens on ports that the system chooses.
fn folder(edit: impl FnOnce(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("web")).expect("created");
    std::fs::write(folder.path().join("web/index.html"), "<!doctype html>").expect("written");
    let mut secret = std::fs::File::create(folder.path().join("client.secret")).expect("created");
    secret.write_all(b"gMz1-8hT_q2vXc7RkLw0PyNd").expect("written");
    std::fs::write(folder.path().join("gateway.toml"), edit(GOOD.to_owned())).expect("written");
    folder
}

fn gateway(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.arg("--config").arg(folder.join("gateway.toml")).stdin(Stdio::null());
    command
}

fn check(folder: &Path) -> Output {
    gateway(folder).arg("check").output().expect("it runs")
}

#[test]
fn check_accepts_a_good_configuration() {
    let folder = folder(|text| text);
    let output = check(folder.path());
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("no problems"));
}

#[test]
fn check_names_every_problem_and_exits_with_1() {
    let folder = folder(|text| {
        text.replace("client_id ", "client_idd")
            .replace("\"web\"", "\"webb\"")
            .replace("workers = 1", "workers = 0")
    });
    let output = check(folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["client_idd", "did you mean", "webb", "workers"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn a_bad_configuration_never_runs() {
    let folder = folder(|text| text.replace("client.secret", "missing.secret"));
    let output = gateway(folder.path()).output().expect("it ends by itself");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing.secret"));
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let folder = folder(|text| {
        let line = text.lines().find(|line| line.starts_with("http ")).expect("a listener").to_owned();
        text.replace(&line, &format!("http = \"127.0.0.1:{port}\""))
    });
    let output = gateway(folder.path()).output().expect("it ends by itself");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("127.0.0.1:{port}")) && said.contains("[listen]"), "{said}");
}

/// A gateway that runs, and where its admin listener is.
struct Running {
    child: std::process::Child,
    admin: String,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut child = gateway(folder).stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.map_while(Result::ok).find(|line| line.contains("\"admin listening\""));
        let line = line.expect("it says where it listens");
        let (_, rest) = line.split_once("\"address\":\"").expect("an address");
        let admin = rest.split('"').next().expect("its end").to_owned();
        Self { child, admin }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TOKEN: &str = "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A";

/// A folder whose configuration has an admin token.
fn with_token(token: &str) -> tempfile::TempDir {
    let folder =
        folder(|text| text.replace("[listen]", "[listen]\nadmin_token = { file = \"admin.token\" }"));
    std::fs::write(folder.path().join("admin.token"), token).expect("written");
    folder
}

/// What `gateway sessions …` says, and how it exits.
fn sessions(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = gateway(folder).arg("sessions").args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn sessions_are_asked_for_where_the_gateway_listens_and_none_is_status_3() {
    let folder = with_token(TOKEN);
    let running = Running::start(folder.path());
    let at = ["--address", &running.admin];
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["list", "--subject", "x"],
        &["end", "--subject", "x"],
        &["end", "--id", &"A".repeat(43)],
        // Names that providers and we make up may begin like options.
        &["end", "--id", &format!("-_{}", "A".repeat(41))],
        &["end", "--subject", "-x"],
        &["list", "--provider-session", "--x"],
    ] {
        let (code, out, err) = sessions(folder.path(), &[arguments, &at].concat());
        assert_eq!((code, out.as_str()), (Some(3), ""), "{arguments:?}: {err}");
        assert!(err.contains("0 sessions"), "{arguments:?}: {err}");
    }
}

#[test]
fn what_keeps_an_operator_from_sessions_is_said_with_the_way_out() {
    let folder = with_token(TOKEN);
    let running = Running::start(folder.path());
    let at = ["list", "--address", &running.admin];
    let must_say = |folder: &Path, arguments: &[&str], words: &str| {
        let (code, out, err) = sessions(folder, arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
        assert!(!err.contains(TOKEN));
    };
    must_say(folder.path(), &["list"], "--address");
    must_say(folder.path(), &["list", "--address", "192.0.2.1:3003"], "not this machine's");
    must_say(folder.path(), &["end", "--id", "short", at[1], at[2]], "43 letters");
    must_say(folder.path(), &["list", "--issuer", "x", at[1], at[2]], "issuer goes with");
    let other = with_token(&TOKEN.to_lowercase());
    must_say(other.path(), &at, "has another admin token");
    must_say(self::folder(|text| text).path(), &at, "openssl rand");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("bound").to_string();
    drop(nobody);
    must_say(folder.path(), &["list", "--address", &address], "is it running");
    let plain = self::folder(|text| text);
    let without = Running::start(plain.path());
    must_say(folder.path(), &["list", "--address", &without.admin], "has no admin token");
    // Wrong words are the command line's own matter.
    for arguments in [
        &["end"][..],
        &["end", "--id", "a", "--subject", "b"],
        &["list", "--subject", "a", "--provider-session", "b"],
    ] {
        assert_eq!(sessions(folder.path(), arguments).0, Some(2), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_with_status_0_also_while_the_provider_is_away() {
    let folder = folder(|text| text);
    let mut child = gateway(folder.path()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let listens = lines.by_ref().map_while(Result::ok).any(|line| line.contains("\"admin listening\""));
    assert!(listens, "it says when it listens");
    let killed = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    let log: Vec<_> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{log:?}");
}
