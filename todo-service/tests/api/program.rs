//! The program as people run it: settings that are wrong, settings that are right, signals.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

fn program(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_todo-service"));
    command.arg("--config").arg(config).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

#[test]
fn wrong_settings_are_all_reported_and_the_exit_status_is_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.toml");
    let text = "listen = \"nowhere\"\ndatabase = \"oracle:x\"\ncolour = 1\n\n[[issuers]]\nissuer = \"http://id.example\"\naudiences = []\n";
    std::fs::write(&file, text).expect("written");
    let output = program(&file).output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).expect("text");
    for part in [
        "bad.toml:1: listen",
        "bad.toml:3: colour",
        "bad.toml:6: issuers[0].issuer",
        "bad.toml:7: issuers[0].audiences",
    ] {
        assert!(complaint.contains(part), "{part} in {complaint}");
    }
    let missing = program(&folder.path().join("missing.toml")).output().expect("runs");
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn with_right_settings_it_runs_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("good.toml");
    let text = "listen = \"127.0.0.1:0\"\ndatabase = \"sqlite:var/todo.db\"\n\n[[issuers]]\nissuer = \"http://localhost:1\"\naudiences = [\"api\"]\nowner_claim = \"sub\"\n";
    std::fs::write(&file, text).expect("written");
    let mut child = program(&file).current_dir(folder.path()).stdout(Stdio::piped()).spawn().expect("runs");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut events = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let listening =
        events.find(|event| event["fields"]["url"].is_string()).expect("it says where it listens");
    assert!(listening["fields"]["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
    assert!(folder.path().join("var/todo.db").exists());
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("runs");
    assert!(told.success());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}
