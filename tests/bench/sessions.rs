//! A gateway whose store is filled without signing anybody in, for `sessions.mjs`. Reads orders on standard input, one a
//! line: `NUMBER fill COUNT`, `NUMBER advance SECONDS`, `NUMBER sample COUNT FILE`, `NUMBER status`; answers
//! `DONE NUMBER {…}`. Everything else about it is the gateway as it is.

use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use gateway::clock::{Clock, Timestamp};
use gateway::config::Config;
use gateway::secret::Secret;
use gateway::server::{Running, launch};
use gateway::session::{Beginning, Credentials, Device, Held, Identity, SessionId};
use mimalloc::MiMalloc;
use serde_json::{Map, Value, json};

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Bytes of the tokens of one session, as providers write them.
const ID_TOKEN: usize = 700;
const REFRESH_TOKEN: usize = 300;
const ACCESS_TOKEN: usize = 900;
const COOKIE: &str = "gateway-session";
const TOKEN: &str = "todo-read";

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
        let beside = ID_TOKEN + REFRESH_TOKEN + ACCESS_TOKEN + size_of::<SessionId>();
        Ok(json!({ "tokens": beside }))
    }

    fn begin(&mut self) -> anyhow::Result<SessionId> {
        let live = self.running.live();
        let spec = live.token_specs.iter().find(|spec| spec.name == TOKEN);
        let spec = spec.context("the configuration has no such token")?;
        let now = live.clock.now();
        self.made += 1;
        let authorization = format!("Bearer ey{:0>width$}", self.made, width = ACCESS_TOKEN - 2);
        let mut authorization = http::HeaderValue::from_str(&authorization)?;
        authorization.set_sensitive(true);
        let expires = now.plus(Duration::from_secs(7 * 24 * 3_600));
        let held = Held::new(spec, authorization, [now, expires], true);
        let credentials = Credentials {
            id_token: Secret::new(format!("{:0>ID_TOKEN$}", self.made)),
            refresh_token: Some(Secret::new(format!("{:0>REFRESH_TOKEN$}", self.made))),
            access: vec![held],
        };
        let identity = identity(self.made);
        let device = Device {
            agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
            address: "192.0.2.17".into(),
        };
        let beginning = Beginning { identity, credentials, device };
        let (id, _) = self.runtime.block_on(live.sessions.begin(beginning, now))?;
        Ok(id)
    }

    /// Cookies of sessions from all over the last filling.
    fn sample(&self, count: usize, file: &str) -> anyhow::Result<Value> {
        let step = (self.ids.len() / count).max(1);
        let cookies = self.ids.iter().step_by(step).take(count);
        let lines: Vec<String> = cookies.map(|id| format!("{COOKIE}={}", id.reveal().expose())).collect();
        fs::write(file, lines.join("\n"))?;
        Ok(json!({ "cookies": lines.len() }))
    }
}

/// One text, as in the gateway, where it is the configuration's.
static ISSUER: LazyLock<Arc<str>> = LazyLock::new(|| "http://localhost:3002".into());

/// A person as Entra External ID describes one.
fn identity(number: usize) -> Identity {
    let claims = json!({
        "sub": format!("{number:0>43}"),
        "oid": format!("{number:0>36}"),
        "tid": "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0",
        "name": format!("Person Number {number}"),
        "preferred_username": format!("person-{number}@example.com"),
        "email": format!("person-{number}@example.com"),
        "roles": ["Reader"],
    });
    let claims = match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    };
    Identity {
        provider: Arc::clone(&ISSUER),
        issuer: Arc::clone(&ISSUER),
        provider_session: None,
        asserted: Timestamp(1_800_000_000),
        subject: format!("{number:0>43}"),
        claims: claims.into(),
        granted: "openid profile email".parse().unwrap_or_default(),
    }
}

/// How many bytes of memory this process uses.
fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("Linux tells")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
