//! The command line: reads the configuration, says everything that is wrong with it, starts the gateway, or asks one that
//! runs for its sessions.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use gateway::clock::Clock;
use gateway::config::{self, Config, Problems};
use gateway::doctor::{self, Format};
use gateway::explain::{self, Explainer, Who};
use gateway::operator::health;
use gateway::operator::{self, Admin, Problem, Style, Which};
use gateway::telemetry;
use mimalloc::MiMalloc;

/// A request costs a dozen small allocations, all freed on the thread that made them: what this allocator is built for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// An auth gateway: signs people in with any OpenID Connect provider and keeps every token on the server
#[derive(Parser)]
#[command(name = "gateway", version)]
struct Arguments {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", env = "GATEWAY_CONFIG", default_value = "gateway.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Report every problem of the configuration and exit with 1 if there is one
    Check,
    /// Ask the real provider, the upstreams and the session store whether things will work, and say what to type if not
    Doctor {
        /// One JSON document instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Print the configuration as the gateway understands it, with all that was left out, and without secrets
    Config,
    /// Ask the gateway that runs with this configuration whether it is alive; exits with 0 if it is, else with 1
    ///
    /// For containers and the like: needs no other program. A configuration that has problems does not matter.
    Healthcheck {
        /// Ask whether it is ready for requests instead
        #[arg(long)]
        ready: bool,
        /// Where the admin listener is, if not where the configuration says
        #[arg(long, value_name = "IP:PORT")]
        address: Option<SocketAddr>,
    },
    /// Say what would become of a request: its route, each rule, the token, and the headers that would go upstream
    ///
    /// Exits with 0 if it would be let pass, 1 if it would be refused, 2 if it cannot be asked.
    Explain(Explain),
    /// List or end sessions of the gateway that runs with this configuration
    ///
    /// Exits with 0 when done, 1 on an error, 3 if there was no such session.
    Sessions(Sessions),
    /// Print the reference of the configuration as Markdown
    #[command(hide = true)]
    Docs,
}

#[derive(Args)]
struct Explain {
    /// The method, such as GET
    method: String,
    /// The address, or a path on `public_url`
    url: String,
    /// The claims of whoever is signed in, as a file with a JSON object; without it, somebody with no claims
    #[arg(long, value_name = "FILE", conflicts_with = "anonymous")]
    claims: Option<PathBuf>,
    /// Nobody is signed in
    #[arg(long)]
    anonymous: bool,
    /// A header besides those that a page of the site sends; more than once for more
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
}

#[derive(Args)]
struct Sessions {
    #[command(subcommand)]
    action: Action,
    /// Where the admin listener is, if not where the configuration says; on this machine
    #[arg(long, global = true, value_name = "IP:PORT")]
    address: Option<SocketAddr>,
    /// Whose subject or provider session it is [default: the configured provider's]
    #[arg(long, global = true, value_name = "URL")]
    issuer: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Show who is signed in: everybody, or the sessions of one person or one sign-in
    List {
        /// The `sub` of a person
        #[arg(long, conflicts_with = "provider_session", allow_hyphen_values = true)]
        subject: Option<String>,
        /// The `sid` of a sign-in at the provider
        #[arg(long, value_name = "SID", allow_hyphen_values = true)]
        provider_session: Option<String>,
        /// One JSON object a line, with everything that is known
        #[arg(long)]
        json: bool,
    },
    /// End sessions, on every gateway that shares them. Does not ask whether you are sure
    #[command(group = clap::ArgGroup::new("which").required(true).args(["id", "subject", "provider_session"]))]
    End {
        /// One session, by its id in the list
        // Ids are base64url, and one in 64 begins with a hyphen.
        #[arg(long, allow_hyphen_values = true)]
        id: Option<String>,
        /// All of a person's: their `sub`
        #[arg(long, allow_hyphen_values = true)]
        subject: Option<String>,
        /// All of one sign-in at the provider: its `sid`
        #[arg(long, value_name = "SID", allow_hyphen_values = true)]
        provider_session: Option<String>,
    },
}

/// Nothing was wrong, but there was no such session.
const NO_SESSION: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => run(&arguments.config).map(|()| ExitCode::SUCCESS),
        Some(Command::Check) => check(&arguments.config).map(|()| ExitCode::SUCCESS),
        Some(Command::Config) => show(&arguments.config).map(|()| ExitCode::SUCCESS),
        Some(Command::Healthcheck { ready, address }) => {
            healthcheck(&arguments.config, ready, address).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Doctor { json }) => examine(&arguments.config, json),
        Some(Command::Explain(asked)) => explain_request(&arguments.config, asked),
        Some(Command::Sessions(sessions)) => self::sessions(&arguments.config, sessions),
        Some(Command::Docs) => print_reference().map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(path: &Path) -> anyhow::Result<()> {
    // Before there is a secret in it.
    gateway::server::keep_memory_private();
    let config = Config::load(path)?;
    telemetry::init(&config.log)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    gateway::run(path, config)
}

fn show(path: &Path) -> anyhow::Result<()> {
    Ok(io::stdout().write_all(config::show(path)?.as_bytes())?)
}

fn healthcheck(path: &Path, ready: bool, address: Option<SocketAddr>) -> anyhow::Result<()> {
    let question = if ready { health::Question::Ready } else { health::Question::Alive };
    let address = address.unwrap_or_else(|| config::admin_address(path));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(health::ask(address, question))?)
}

fn check(path: &Path) -> anyhow::Result<()> {
    let Config { routes, upstreams, tokens, warnings, .. } = Config::load(path)?;
    let mut out = io::stdout().lock();
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let (routes, upstreams, tokens) = (routes.len(), upstreams.len(), tokens.len());
    writeln!(
        out,
        "{}: no problems (routes: {routes}, upstreams: {upstreams}, tokens: {tokens})",
        path.display()
    )?;
    Ok(())
}

fn print_reference() -> anyhow::Result<()> {
    Ok(io::stdout().write_all(config::reference().as_bytes())?)
}

fn sessions(path: &Path, sessions: Sessions) -> anyhow::Result<ExitCode> {
    let Sessions { action, address, issuer } = sessions;
    let listen = Config::load(path)?.listen;
    let admin = Admin::new(listen.admin, address, listen.admin_token)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    let (count, done) = match action {
        Action::List { subject, provider_session, json } => {
            let which = Which { id: None, subject, provider_session, issuer };
            let style = if json { Style::Json } else { Style::Table { width: terminal_width() } };
            match runtime.block_on(operator::list(&admin, &which, style, &mut out)) {
                // Who reads the list has seen enough of it.
                Err(Problem::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(ExitCode::SUCCESS);
                }
                count => (count?, ""),
            }
        }
        Action::End { id, subject, provider_session } => {
            let which = Which { id, subject, provider_session, issuer };
            (runtime.block_on(operator::end(&admin, &which))?, " ended")
        }
    };
    out.flush()?;
    let plural = if count == 1 { "" } else { "s" };
    // Not on standard output, where other programs read sessions.
    let _ = writeln!(io::stderr().lock(), "{count} session{plural}{done}");
    Ok(if count == 0 { ExitCode::from(NO_SESSION) } else { ExitCode::SUCCESS })
}

/// How wide a table may be; as wide as it likes where nobody looks at it.
fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stdout())
        && size.ws_col > 0
    {
        return Some(usize::from(size.ws_col));
    }
    Some(80)
}

/// Says line by line what will work; fails if something will not.
fn examine(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let format = if json { Format::Json } else { Format::Text };
    let is_well = doctor::run(path, format, &Clock::system(), &mut io::stdout())?;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// It could not be asked.
const BAD_QUESTION: u8 = 2;

/// Says what would become of a request.
fn explain_request(path: &Path, asked: Explain) -> anyhow::Result<ExitCode> {
    let question = match question(asked) {
        Ok(question) => question,
        Err(error) => {
            complain(&error);
            return Ok(ExitCode::from(BAD_QUESTION));
        }
    };
    let explainer = Explainer::new(Config::load(path)?);
    let explainer = explainer.map_err(|overlaps| anyhow::anyhow!("routes overlap: {overlaps:?}"))?;
    let account = match explainer.explain(&question, Clock::system().now()) {
        Ok(account) => account,
        Err(error) => {
            complain(&error.into());
            return Ok(ExitCode::from(BAD_QUESTION));
        }
    };
    let mut out = io::stdout().lock();
    let color = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    explain::print(&account, color, &mut out)?;
    Ok(if account.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn question(asked: Explain) -> anyhow::Result<explain::Question> {
    let Explain { method, url, claims, anonymous, header } = asked;
    let who = match claims {
        _ if anonymous => Who::Nobody,
        None => Who::Somebody(serde_json::Map::new()),
        Some(file) => {
            let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            let claims = serde_json::from_slice(&text);
            Who::Somebody(claims.with_context(|| format!("{} is not a JSON object", file.display()))?)
        }
    };
    let line = |line: String| match line.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(anyhow::anyhow!("{line:?} is not a header: write \"Name: value\"")),
    };
    Ok(explain::Question {
        method,
        url,
        headers: header.into_iter().map(line).collect::<Result<_, _>>()?,
        who,
    })
}

/// Says on standard error why there is no gateway. Nobody is left to tell if that fails.
fn complain(error: &anyhow::Error) {
    let mut err = io::stderr().lock();
    let color = err.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let _ = match error.downcast_ref::<Problems>() {
        Some(problems) => writeln!(err, "{}", problems.render(color)),
        None => writeln!(err, "error: {error:#}"),
    };
}
