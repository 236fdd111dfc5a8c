//! A process that is killed in the middle of its work: whatever it was told is done is there afterwards.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const CHILD: &str = "SESSION_FILE_OF_TEST_PROCESS";
const FIRST: &str = "SESSION_FILE_FIRST_NUMBER";

/// This test program once more, doing nothing but that test, which then has a file to work on.
pub(super) fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    let module = module_path!().rsplit_once("::").expect("a parent").0;
    let module = module.split_once("::").expect("a crate").1;
    command.args(["--exact", &format!("{module}::{test}"), "--nocapture", "--test-threads=1"]);
    command.env(CHILD, path);
    command
}

/// In such a process: its file.
pub(super) fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Creates sessions, replaces each third and ends each fifth, and says what it was told is done.
#[tokio::test]
async fn writing_process() {
    let Some(path) = child_path() else { return };
    let file = Arc::new(File::open(&path).expect("it opens"));
    let first: u64 = std::env::var(FIRST).expect("told").parse().expect("a number");
    let lanes = (0..8).map(|lane| {
        let file = Arc::clone(&file);
        tokio::spawn(async move {
            for number in (first + lane..).step_by(8) {
                file.create(key(number), &stored(1)).await.expect("created");
                say('c', number);
                if number % 3 == 0 {
                    assert!(file.replace(key(number), &stored(2)).await.expect("replaced"));
                    say('r', number);
                }
                if number % 5 == 0 {
                    assert_eq!(file.end(&[key(number)]).await.expect("ended").len(), 1);
                    say('e', number);
                }
            }
        })
    });
    futures_util::future::join_all(lanes).await;
}

fn say(what: char, number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {number}").and_then(|()| out.flush()).expect("somebody listens");
}

#[tokio::test]
async fn killed_at_any_moment_it_opens_again_with_everything_that_was_acknowledged() {
    let place = Place::new();
    let mut said = BTreeSet::new();
    for round in 0..6_usize {
        let mut process = child("crash::writing_process", &place.path())
            .env(FIRST, (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let out = BufReader::new(process.stdout.take().expect("piped"));
        let heard = out.lines().map_while(Result::ok).filter_map(|line| parse(&line));
        let mut heard = heard.fuse();
        // Anywhere between two and some hundred acknowledgements, wherever the process is by then.
        let enough = [2, 17, 61, 140, 333, 500][round];
        said.extend(heard.by_ref().take(enough));
        process.kill().expect("killed");
        // What it said before it died counts as well.
        said.extend(heard);
        process.wait().expect("it is gone");
        check(&place.open(), &said).await;
    }
    assert!(said.len() > 1_000);
}

/// Half a line at the end says nothing: the process died over it.
fn parse(line: &str) -> Option<(char, u64)> {
    let (what, number) = line.split_once(' ')?;
    Some((what.parse().ok().filter(|what| "cre".contains(*what))?, number.parse().ok()?))
}

async fn check(file: &File, said: &BTreeSet<(char, u64)>) {
    for (_, number) in said.range(('c', 0)..('d', 0)) {
        let found = file.load(key(*number)).await.expect("read").map(|stored| stored.version);
        let (was_replaced, was_ended) = (said.contains(&('r', *number)), said.contains(&('e', *number)));
        // What was under way when the process died may have been done or not.
        match found {
            None => assert!(was_ended || number % 5 == 0, "{number} is lost"),
            Some(_) if was_ended => panic!("{number} came back"),
            Some(1) => assert!(!was_replaced, "the replacement of {number} is lost"),
            Some(version) => assert!(version == 2 && number % 3 == 0, "{number} has version {version}"),
        }
    }
    let listed = file.of(index(1)).await.expect("read");
    assert_eq!(listed.len() as u64, file.count().await.expect("read"));
    assert_eq!(file.listed(&listed).await.expect("read").len(), listed.len());
}
