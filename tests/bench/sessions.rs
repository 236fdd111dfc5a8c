//! A gateway whose store is filled without signing anybody in, for `sessions.mjs`. Reads orders on standard input, one a
//! line: `NUMBER fill COUNT`, `NUMBER advance SECONDS`, `NUMBER sample COUNT FILE`, `NUMBER status`; answers
//! `DONE NUMBER {…}`. Everything else about it is the gateway as it is.

mod person;

use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::server::{Running, launch};
use gateway::session::SessionId;
use mimalloc::MiMalloc;
use serde_json::{Value, json};

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("the configuration is missing")?;
    let offset = Arc::new(AtomicI64::new(0));
    let clock = Clock::shifted(Arc::clone(&offset));
    let running = launch(Config::load(Path::new(&path))?, clock, Arc::new(Mutex::new(io::sink())))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut filler = Filler { runtime, running, offset, ids: Vec::new(), made: 0 };
    say("READY")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let (number, words) = words.split_first().context("an order without a number")?;
        let answer = filler.obey(words)?;
        say(&format!("DONE {number} {answer}"))?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

struct Filler {
    runtime: tokio::runtime::Runtime,
    running: Running,
    offset: Arc<AtomicI64>,
    /// Identifiers of the last filling.
    ids: Vec<SessionId>,
    made: usize,
}

impl Filler {
    fn obey(&mut self, words: &[&str]) -> anyhow::Result<Value> {
        match *words {
            ["fill", count] => self.fill(count.parse()?),
            ["advance", seconds] => {
                self.offset.fetch_add(seconds.parse()?, Ordering::Relaxed);
                Ok(json!({}))
            }
            ["sample", count, file] => self.sample(count.parse()?, file),
            ["status"] => {
                let count = self.runtime.block_on(self.running.live().sessions.count())?;
                Ok(json!({ "count": count, "resident": resident()? }))
            }
            _ => bail!("unknown order: {words:?}"),
        }
    }

    fn fill(&mut self, count: usize) -> anyhow::Result<Value> {
        self.ids = Vec::with_capacity(count);
        for _ in 0..count {
            let id = self.begin()?;
            self.ids.push(id);
        }
        // What the browsers would hold is not the gateway's.
        let beside = person::ID_TOKEN + person::REFRESH_TOKEN + person::ACCESS_TOKEN + size_of::<SessionId>();
        Ok(json!({ "tokens": beside }))
    }

    fn begin(&mut self) -> anyhow::Result<SessionId> {
        self.made += 1;
        self.runtime.block_on(person::begin(self.running.live(), self.made))
    }

    /// Cookies of sessions from all over the last filling.
    fn sample(&self, count: usize, file: &str) -> anyhow::Result<Value> {
        let step = (self.ids.len() / count).max(1);
        let cookies = self.ids.iter().step_by(step).take(count);
        let lines: Vec<String> =
            cookies.map(|id| format!("{}={}", person::COOKIE, id.reveal().expose())).collect();
        fs::write(file, lines.join("\n"))?;
        Ok(json!({ "cookies": lines.len() }))
    }
}

/// How many bytes of memory this process uses.
fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("Linux tells")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
