//! `cargo run --package system-tests --bin crowd`: two thousand people and a million requests at two gateways; each answer
//! is checked for its owner. `tests/run --long` runs it. Ends with an error if one was another's, or none at all.

use std::io::{self, Write as _};

use clap::Parser;
use harness::crowd::Crowd;

/// Very many people at two gateways, and whether each gets what is theirs
#[derive(Parser)]
struct Arguments {
    /// People, each signed in once
    #[arg(long, default_value_t = 2_000)]
    people: usize,
    /// Requests, all people together
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let Arguments { people, requests } = Arguments::parse();
    let tally = Crowd { people, requests, progress: say, ..Crowd::full() }.run().await;
    say(&format!("{} answers of {people} people: {tally}", tally.answered()));
    assert!(
        tally.must_be_clean().waits() * 1_000 < tally.good,
        "nothing was away, and many were told to wait"
    );
}

/// Nobody is left to tell if this fails.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
