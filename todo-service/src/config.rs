//! The settings of the service: read from TOML, every problem reported at once with its line. Knows the file's keys;
//! what the values mean is the business of those who use them.

mod postgres;
mod reader;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use self::reader::Section;
use crate::auth::{Algorithm, Issuer, OwnerClaim, ScopeClaim};
use crate::todo::{PostgresAddress, PostgresSettings};

/// Seconds that fetching an issuer's keys may take, unless the file says otherwise.
const DEFAULT_PROVIDER_TIMEOUT: u64 = 5;

/// The settings. Fields are public so that a program may adjust them; `start` checks them again.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen, when the program does not bring a socket of its own.
    pub listen: SocketAddr,
    /// `sqlite:FILE` (relative to the working directory), `sqlite::memory:` or `postgres://HOST/NAME`.
    pub database: String,
    /// How PostgreSQL is used, if it is.
    pub postgres: PostgresSettings,
    /// The time allowed for fetching an issuer's keys: 1 to 10 seconds in the file.
    pub provider_timeout: Duration,
    /// Whose tokens are believed.
    pub issuers: Vec<Issuer>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: Option<String>,
    /// In the order of the file. Never empty.
    pub problems: Vec<ConfigProblem>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Counted from 1, where the place is known.
    pub line: Option<usize>,
    /// The key, as in `issuers[0].audiences`; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let in_file = |error: ConfigError| ConfigError { file: Some(path.display().to_string()), ..error };
        let text = std::fs::read_to_string(path).map_err(|error| {
            in_file(ConfigError::of(vec![ConfigProblem::whole(format!("cannot be read: {error}"))]))
        })?;
        Self::parse(&text).map_err(in_file)
    }

    /// Reads and checks a text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let config = Section::of_document(text, &mut problems).and_then(|mut root| {
            let listen = root.text("listen", &mut problems);
            let listen = listen.and_then(|text| root.parsed("listen", &text, socket_address, &mut problems));
            let database = root.text("database", &mut problems);
            let postgres = root.table("postgres", &mut problems);
            if postgres.is_some() && database.as_deref().is_some_and(|text| !PostgresAddress::is_meant_by(text)) {
                let fix = "has no use with another database; remove it, or write database = \"postgres://HOST/NAME\"";
                problems.push(root.problem("postgres", fix));
            }
            let postgres = postgres.map(|table| postgres::read(table, &mut problems));
            let provider_timeout = root.optional_number("provider_timeout", &mut problems);
            let issuers =
                root.tables("issuers", &mut problems).into_iter().map(|table| issuer(table, &mut problems));
            let issuers: Vec<_> = issuers.collect();
            root.finish(&mut problems);
            let config = Self {
                listen: listen?,
                database: database?,
                postgres: postgres.unwrap_or_default(),
                provider_timeout: Duration::from_secs(provider_timeout.unwrap_or(DEFAULT_PROVIDER_TIMEOUT)),
                issuers: issuers.into_iter().collect::<Option<_>>()?,
            };
            for problem in config.own_problems() {
                // Of a table in the file, the line of its heading will do.
                let line = root.line_of(problem.key.split('.').next().unwrap_or_default());
                problems.push(problem.at(line));
            }
            Some(config)
        });
        problems.sort_by_key(|problem| problem.line);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError::of(problems)),
        }
    }

    /// Checks what the fields hold now.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let mut problems = self.own_problems();
        for (number, issuer) in self.issuers.iter().enumerate() {
            let named = |key: &str| format!("issuers[{number}].{key}");
            let found = issuer.problems().into_iter();
            problems.extend(found.map(|problem| ConfigProblem::new(named(problem.key), problem.message)));
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::of(problems)) }
    }

    /// What is wrong apart from the issuers one by one.
    fn own_problems(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if PostgresAddress::is_meant_by(&self.database) {
            match PostgresAddress::parse(&self.database) {
                Ok(address) => {
                    let found = self.postgres.problems(&address).into_iter();
                    problems
                        .extend(found.map(|(key, why)| ConfigProblem::new(format!("postgres.{key}"), why)));
                }
                // The text may hold a password: it is not repeated.
                Err(why) => problems.push(ConfigProblem::new("database", why)),
            }
        } else if self.database.strip_prefix("sqlite:").is_none_or(str::is_empty) {
            let why = crate::todo::UNKNOWN_DATABASE;
            problems.push(ConfigProblem::new("database", format!("{:?} {why}", self.database)));
        }
        if self.provider_timeout.is_zero() || self.provider_timeout > Duration::from_secs(10) {
            problems.push(ConfigProblem::new("provider_timeout", "must be 1 to 10 (seconds)"));
        }
        if self.issuers.is_empty() {
            let fix = "is missing: add an [[issuers]] entry for whoever makes the access tokens";
            problems.push(ConfigProblem::new("issuers", fix));
        }
        for (number, issuer) in self.issuers.iter().enumerate() {
            if self.issuers[..number].iter().any(|earlier| earlier.issuer == issuer.issuer) {
                let fix = format!(
                    "entry {} repeats the issuer {:?}; join the two entries",
                    number + 1,
                    issuer.issuer
                );
                problems.push(ConfigProblem::new("issuers", fix));
            }
        }
        problems
    }
}

fn issuer(mut table: Section, problems: &mut Vec<ConfigProblem>) -> Option<Issuer> {
    let name = table.text("issuer", problems);
    let audiences = table.texts("audiences", problems);
    let algorithms = table.optional_texts("algorithms", problems).map(|names| {
        let read = |name: &String| table.parsed("algorithms", name, algorithm, problems);
        names.iter().filter_map(read).collect::<Vec<_>>()
    });
    let owner_claim = table.optional_text("owner_claim", problems);
    let owner_claim =
        owner_claim.and_then(|text| table.parsed("owner_claim", &text, read_owner_claim, problems));
    let scope_claim = table.optional_text("scope_claim", problems);
    let scope_claim =
        scope_claim.and_then(|text| table.parsed("scope_claim", &text, read_scope_claim, problems));
    let metadata_url = table.optional_text("metadata_url", problems);
    let tenants = table.optional_texts("tenants", problems);
    let version = table.optional_text("version", problems);
    let allowed_clients = table.optional_texts("allowed_clients", problems);
    let strict_typ = table.optional_flag("strict_typ", problems);
    table.finish(problems);

    let defaults = Issuer::new(name?, audiences?);
    let known = problems.len();
    let issuer = Issuer {
        metadata_url,
        algorithms: algorithms.unwrap_or(defaults.algorithms),
        tenants: tenants.unwrap_or_default(),
        version,
        owner_claim: owner_claim.unwrap_or_default(),
        scope_claim: scope_claim.unwrap_or_default(),
        allowed_clients: allowed_clients.unwrap_or_default(),
        strict_typ: strict_typ.unwrap_or_default(),
        ..defaults
    };
    for problem in issuer.problems() {
        // A list that became empty because its entries were refused has been reported already.
        let reported = problems[..known].iter().any(|earlier| earlier.key == table.name_of(problem.key));
        if !reported {
            problems.push(table.problem(problem.key, problem.message));
        }
    }
    Some(issuer)
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "is not an address and a port; write, for example, \"127.0.0.1:3001\"".to_owned())
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    let known = || Algorithm::ALL.map(Algorithm::name).join(", ");
    Algorithm::from_name(name).ok_or_else(|| format!("is not a supported algorithm; choose from {}", known()))
}

fn read_owner_claim(text: &str) -> Result<OwnerClaim, String> {
    match text {
        "oid" => Ok(OwnerClaim::Oid),
        "sub" => Ok(OwnerClaim::Sub),
        _ => Err("must be \"oid\" (Entra) or \"sub\" (others)".to_owned()),
    }
}

fn read_scope_claim(text: &str) -> Result<ScopeClaim, String> {
    match text {
        "scp" => Ok(ScopeClaim::Scp),
        "scope" => Ok(ScopeClaim::Scope),
        _ => Err("must be \"scp\" (Entra) or \"scope\" (others)".to_owned()),
    }
}

impl ConfigProblem {
    fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { line: None, key: key.into(), message: message.into() }
    }

    fn whole(message: impl Into<String>) -> Self {
        Self::new("", message)
    }

    fn at(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }
}

impl ConfigError {
    fn of(problems: Vec<ConfigProblem>) -> Self {
        Self { file: None, problems }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or("configuration");
        for (number, problem) in self.problems.iter().enumerate() {
            let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
            let key = if problem.key.is_empty() { String::new() } else { format!(" {}", problem.key) };
            let end = if number + 1 < self.problems.len() { "\n" } else { "" };
            write!(formatter, "{file}{line}:{key} {}{end}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
