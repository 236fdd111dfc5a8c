//! `cargo run --package system-tests --bin soak`: twenty rounds in real time, about half an hour. `tests/run --long`
//! runs it; the quick form is a test (`system/soak.rs`). Ends with a table, and with an error if anything but documented
//! 503s was seen.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Parser;
use harness::soak::Soak;

/// Two gateways on one Redis and one provider under load, while each of them fails in turn
#[derive(Parser)]
struct Arguments {
    /// How often each part fails
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// For how many seconds the provider fails in each round
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    provider_away: u64,
    /// For how many seconds an access token is valid
    #[arg(long, default_value_t = 75, value_name = "SECONDS")]
    access_token: i64,
    /// Requests in a second
    #[arg(long, default_value_t = 200)]
    rate: u32,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let Arguments { rounds, provider_away, access_token, rate } = Arguments::parse();
    let provider_away = Duration::from_secs(provider_away);
    let soak = Soak { rounds, provider_away, access_token, rate, progress: say, ..Soak::full() };
    let report = Box::pin(soak.run()).await;
    say(&format!("\n{report}"));
    report.must_be_clean();
}

/// Nobody is left to tell if this fails.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
