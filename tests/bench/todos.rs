//! What a request to the to-do service costs when there are many items: the same requests to two services, one with a
//! hundred items and one with a million, taking turns; on SQLite and on PostgreSQL. Ends with a table of medians, and with
//! an error when a bound is missed. Items come by SQL, because a million requests take their time.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use clap::Parser;
use harness::PostgresServer;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use todo_service::{Clock, Config, Options, PostgresLogin, Running};
use tokio::net::TcpStream;

const ME: &str = "me";
const PAGE: u64 = 25;
/// A disturbed machine is given another chance.
const TRIES: usize = 3;

/// Measures the to-do service from few items to many.
#[derive(Debug, Parser)]
struct Arguments {
    /// Items of the smaller service
    #[arg(long, default_value_t = 100)]
    few: u64,
    /// Items of the larger one
    #[arg(long, default_value_t = 1_000_000)]
    many: u64,
    /// Requests of each kind, to each service
    #[arg(long, default_value_t = 500)]
    rounds: u64,
    /// How much longer the median may take with many items
    #[arg(long, default_value_t = 1.3)]
    bound: f64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("bench-todos: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> anyhow::Result<bool> {
    ensure!(
        arguments.few >= 4 * PAGE && arguments.many >= arguments.few,
        "at least {} items are needed",
        4 * PAGE
    );
    let issuer = Issuer::start()?;
    let mut is_kept = on_sqlite(&issuer, arguments).await?;
    is_kept &= on_postgres(&issuer, arguments).await?;
    Ok(is_kept)
}

async fn on_sqlite(issuer: &Issuer, arguments: &Arguments) -> anyhow::Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut sides = Vec::new();
    for (name, count) in [("few", arguments.few), ("many", arguments.many)] {
        let address = format!("sqlite:{}", folder.path().join(format!("{name}.db")).display());
        let side = Side::start(issuer, &address).await?;
        let mut filler = sqlx::SqliteConnection::connect(&address).await?;
        let fill = format!(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
             INSERT INTO todo (id, realm, subject, description, done, created, updated, version)
             SELECT printf('01900000-0000-7000-8000-%012x', n), '{issuer}',
                    CASE n % 2 WHEN 0 THEN '{ME}' ELSE 'somebody' || (n % 1000) END, 'item ' || n, 0, n, n, 1 FROM numbers",
            issuer = issuer.name
        );
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut filler).await?;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut filler).await?;
        sides.push((side, count));
    }
    compare("SQLite", &mut sides, issuer, arguments).await
}

async fn on_postgres(issuer: &Issuer, arguments: &Arguments) -> anyhow::Result<bool> {
    let server = PostgresServer::launch();
    let mut sides = Vec::new();
    for (name, count) in [("few", arguments.few), ("many", arguments.many)] {
        let side = Side::start(issuer, &server.database(name)).await?;
        let fill = format!(
            "INSERT INTO todo (realm, subject, id, description, done, created, updated, version)
             SELECT '{issuer}', CASE n % 2 WHEN 0 THEN '{ME}' ELSE 'somebody' || (n % 1000) END,
                    ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'item ' || n, false, n, n, 1
             FROM generate_series(1, {count}) n",
            issuer = issuer.name
        );
        for statement in [&fill, "VACUUM ANALYZE todo", "CHECKPOINT"] {
            server.sql(name, statement);
        }
        sides.push((side, count));
    }
    compare("PostgreSQL", &mut sides, issuer, arguments).await
}

/// What is asked, as one request each.
#[derive(Debug, Clone, Copy)]
enum Kind {
    FirstPage,
    MiddlePage,
    One,
    Add,
    Change,
    Remove,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::FirstPage, Self::MiddlePage, Self::One, Self::Add, Self::Change, Self::Remove];

    fn name(self) -> &'static str {
        match self {
            Self::FirstPage => "the first page of a list",
            Self::MiddlePage => "a page from its middle",
            Self::One => "one item",
            Self::Add => "adding one",
            Self::Change => "changing one",
            Self::Remove => "removing one",
        }
    }
}

async fn compare(
    database: &str,
    sides: &mut [(Side, u64)],
    issuer: &Issuer,
    arguments: &Arguments,
) -> anyhow::Result<bool> {
    say(&format!(
        "\n{database}: {} items and {}, {} requests of each kind in turn",
        arguments.few, arguments.many, arguments.rounds
    ));
    let token = issuer.token()?;
    for (side, count) in sides.iter_mut() {
        side.walk_to_the_middle(*count, &token).await?;
    }
    let mut is_kept = true;
    for kind in Kind::ALL {
        let mut best = turns(kind, sides, arguments, &token).await?;
        for _ in 1..TRIES {
            if best.ratio() > arguments.bound {
                let again = turns(kind, sides, arguments, &token).await?;
                best = if again.ratio() < best.ratio() { again } else { best };
            }
        }
        let (Medians { few, many }, ratio) = (best, best.ratio());
        let verdict = if ratio <= arguments.bound { "ok" } else { "TOO MUCH" };
        is_kept &= ratio <= arguments.bound;
        let micros = |time: Duration| format!("{} µs", time.as_micros());
        say(&format!(
            "  {:<26} {:>10} {:>10}   ratio {ratio:.2}, at most {:.2}: {verdict}",
            kind.name(),
            micros(few),
            micros(many),
            arguments.bound
        ));
    }
    Ok(is_kept)
}

/// A median of each side.
#[derive(Debug, Clone, Copy)]
struct Medians {
    few: Duration,
    many: Duration,
}

impl Medians {
    fn ratio(self) -> f64 {
        self.many.as_secs_f64() / self.few.as_secs_f64()
    }
}

/// Asks the two in turn, so that whatever disturbs the machine disturbs both.
async fn turns(
    kind: Kind,
    sides: &mut [(Side, u64)],
    arguments: &Arguments,
    token: &str,
) -> anyhow::Result<Medians> {
    let mut times = [Vec::new(), Vec::new()];
    // The first tenth warms up and does not count.
    for round in 0..arguments.rounds + arguments.rounds / 10 {
        for (times, (side, count)) in times.iter_mut().zip(sides.iter_mut()) {
            let time = side.timed(kind, *count, token).await?;
            if round >= arguments.rounds / 10 {
                times.push(time);
            }
        }
    }
    let [few, many] = times.map(median);
    Ok(Medians { few, many })
}

/// A service and the one connection that asks it.
struct Side {
    _running: Running,
    sender: SendRequest<Full<Bytes>>,
    asked: u64,
    /// As `after`, for a page from the middle.
    middle: String,
}

impl Side {
    async fn start(issuer: &Issuer, database: &str) -> anyhow::Result<Self> {
        let mut config = Config::parse(&format!(
            "listen = \"127.0.0.1:0\"\ndatabase = \"sqlite::memory:\"\n[[issuers]]\nissuer = \"{}\"\naudiences = [\"api\"]\n\
             owner_claim = \"sub\"\nscope_claim = \"scope\"\n",
            issuer.name
        ))?;
        database.clone_into(&mut config.database);
        config.postgres.login = Some(PostgresLogin { user: "postgres".to_owned(), password: None });
        let listener = TcpListener::bind(config.listen)?;
        let running = todo_service::start(Options { listener, config, clock: Clock::system() }).await?;
        let address = running.base_url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { _running: running, sender, asked: 0, middle: String::new() })
    }

    async fn timed(&mut self, kind: Kind, count: u64, token: &str) -> anyhow::Result<Duration> {
        self.asked += 1;
        let list = "/api/todolist";
        // Even numbers are mine; neighbours are far apart in time.
        let mine = 2 + (self.asked * 7919) % (count / 2) * 2;
        let path = match kind {
            Kind::FirstPage => format!("{list}?limit={PAGE}"),
            Kind::MiddlePage => format!("{list}?limit={PAGE}&after={}", self.middle),
            Kind::One | Kind::Change => format!("{list}/{}", id(mine.min(count))),
            Kind::Add => list.to_owned(),
            // One that is added for it, outside the time.
            Kind::Remove => format!("{list}/{}", self.add(token).await?),
        };
        let (method, body) = match kind {
            Kind::FirstPage | Kind::MiddlePage | Kind::One => (Method::GET, None),
            Kind::Add => (Method::POST, Some(json!({ "description": "one more" }))),
            Kind::Change => (Method::PATCH, Some(json!({ "done": self.asked.is_multiple_of(2) }))),
            Kind::Remove => (Method::DELETE, None),
        };
        let began = Instant::now();
        let (status, answer) = self.ask(method, &path, body, token).await?;
        let time = began.elapsed();
        ensure!(status.is_success(), "{path}: {status} {answer}");
        if let Some(items) = answer["items"].as_array() {
            ensure!(items.len() as u64 == PAGE, "{path}: a page of {}", items.len());
        }
        Ok(time)
    }

    /// Page by page, as anybody would: what names a place is not ours to make up. Half of all items are mine.
    async fn walk_to_the_middle(&mut self, count: u64, token: &str) -> anyhow::Result<()> {
        let limit = (count / 4).min(100);
        for _ in 0..count / 4 / limit {
            let after =
                if self.middle.is_empty() { String::new() } else { format!("&after={}", self.middle) };
            let path = format!("/api/todolist?limit={limit}{after}");
            let (_, page) = self.ask(Method::GET, &path, None, token).await?;
            page["next"]
                .as_str()
                .with_context(|| format!("the list ends early: {page}"))?
                .clone_into(&mut self.middle);
        }
        Ok(())
    }

    async fn add(&mut self, token: &str) -> anyhow::Result<String> {
        let (_, item) =
            self.ask(Method::POST, "/api/todolist", Some(json!({ "description": "x" })), token).await?;
        Ok(item["id"].as_str().context("an item")?.to_owned())
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
        token: &str,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bench")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(Bytes::from(body)))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

fn id(number: u64) -> String {
    format!("01900000-0000-7000-8000-{number:012x}")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// An identity provider with one key, in a thread of its own.
struct Issuer {
    name: String,
    key: KeyPair,
}

impl Issuer {
    fn start() -> anyhow::Result<Self> {
        let key = KeyPair::generate(KeySize::Rsa2048)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let name = format!("http://{}", listener.local_addr()?);
        let public = key.public_key();
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let keys = json!({ "keys": [{
            "kty": "RSA", "kid": "bench", "use": "sig",
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        }] });
        let metadata = json!({ "issuer": name, "jwks_uri": format!("{name}/keys") });
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut head = [0; 4096];
                let length = stream.read(&mut head).unwrap_or(0);
                let wants_keys = head[..length].starts_with(b"GET /keys ");
                let body = if wants_keys { &keys } else { &metadata }.to_string();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                // Who hangs up comes again.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Ok(Self { name, key })
    }

    fn token(&self) -> anyhow::Result<String> {
        let now = Clock::system().now();
        let header = json!({ "typ": "at+jwt", "alg": "RS256", "kid": "bench" });
        let claims = json!({
            "iss": self.name, "aud": "api", "sub": ME, "iat": now, "nbf": now, "exp": now + 7200,
            "scope": "ToDoList.ReadWrite", "client_id": "bench",
        });
        let message = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let mut signature = vec![0; self.key.public_modulus_len()];
        if self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).is_err()
        {
            bail!("the token cannot be signed");
        }
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn say(line: &str) {
    // If nobody reads it, the exit status still tells.
    let _ = writeln!(std::io::stdout(), "{line}");
}
