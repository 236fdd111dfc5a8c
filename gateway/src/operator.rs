//! The command line's way to the sessions of a running gateway: asks its admin listener, and says what came of it.
//! Knows nothing of configurations; who calls it has read one.

mod client;
pub mod health;
mod problem;
mod table;
mod times;

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::clock::Timestamp;

pub use client::Admin;
pub use problem::Problem;

/// How many sessions are asked for at a time.
const PAGE: &str = "1000";

/// Which sessions. Nothing named is everybody's.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// One session, by its id.
    pub id: Option<String>,
    /// One person's.
    pub subject: Option<String>,
    /// Those of one sign-in at the provider.
    pub provider_session: Option<String>,
    /// Whose subject or sign-in it is, if not the configured provider's.
    pub issuer: Option<String>,
}

/// How a listing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A table for people; no wider than the terminal, if it goes to one.
    Table {
        /// How many columns the terminal has.
        width: Option<usize>,
    },
    /// One JSON object a line.
    Json,
}

/// A session, as the admin listener tells of it.
#[derive(Deserialize)]
struct Session {
    id: String,
    subject: String,
    name: Option<String>,
    started: String,
    last_used: String,
    expires: String,
    address: String,
    agent: String,
}

#[derive(Deserialize)]
struct Page {
    now: String,
    sessions: Vec<Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Ended {
    ended: u64,
}

/// Writes the sessions to `out`. How many there were.
pub async fn list(admin: &Admin, which: &Which, style: Style, out: &mut impl Write) -> Result<u64, Problem> {
    let mut listing = Listing { style, table: None, count: 0 };
    let mut cursor = None;
    loop {
        let answer = admin.get(&target(which, cursor.as_deref())).await?;
        let page: Page = admin.read(&answer)?;
        listing.write(admin, &page, out)?;
        match page.next {
            Some(next) if cursor.as_ref() == Some(&next) => return Err(admin.strange("pages go in a circle")),
            Some(next) => cursor = Some(next),
            None => return Ok(listing.count),
        }
    }
}

/// Ends sessions. How many there were.
pub async fn end(admin: &Admin, which: &Which) -> Result<u64, Problem> {
    let named = [
        ("id", &which.id),
        ("subject", &which.subject),
        ("provider_session", &which.provider_session),
        ("issuer", &which.issuer),
    ];
    let body =
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.clone()?))));
    let body = Value::Object(body.collect());
    match admin.post("/sessions/end", body.to_string()).await {
        Ok(answer) => Ok(admin.read::<Ended>(&answer)?.ended),
        Err(Problem::NotFound) => Ok(0),
        Err(problem) => Err(problem),
    }
}

fn target(which: &Which, cursor: Option<&str>) -> String {
    let mut query = Serializer::new(String::from("/sessions?"));
    let mut is_paged = true;
    for (name, value) in [("subject", &which.subject), ("provider_session", &which.provider_session)] {
        if let Some(value) = value {
            query.append_pair(name, value);
            is_paged = false;
        }
    }
    if let Some(issuer) = &which.issuer {
        query.append_pair("issuer", issuer);
    }
    if is_paged {
        query.append_pair("limit", PAGE);
    }
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    query.finish()
}

/// A listing that is being written, a page at a time.
struct Listing {
    style: Style,
    /// Laid out by the first page; later ones keep to it.
    table: Option<table::Table>,
    count: u64,
}

impl Listing {
    fn write(&mut self, admin: &Admin, page: &Page, out: &mut impl Write) -> Result<(), Problem> {
        self.count += page.sessions.len() as u64;
        match self.style {
            Style::Json => {
                for session in &page.sessions {
                    writeln!(out, "{session}")?;
                }
            }
            Style::Table { .. } if page.sessions.is_empty() => {}
            Style::Table { width } => {
                let now = times::read(&page.now).ok_or_else(|| admin.strange("it does not tell the time"))?;
                let rows = page.sessions.iter().map(|session| row(session, now));
                let rows: Option<Vec<_>> = rows.collect();
                let rows = rows.ok_or_else(|| admin.strange("sessions without what belongs to them"))?;
                if self.table.is_none() {
                    let table = table::Table::lay_out(&rows, width);
                    table.write_head(out)?;
                    self.table = Some(table);
                }
                if let Some(table) = &self.table {
                    table.write(&rows, out)?;
                }
            }
        }
        Ok(())
    }
}

fn row(session: &Value, now: Timestamp) -> Option<table::Row> {
    let session = Session::deserialize(session).ok()?;
    let started = times::read(&session.started)?;
    let (last_used, expires) = (times::read(&session.last_used)?, times::read(&session.expires)?);
    Some([
        session.id,
        session.subject,
        session.name.unwrap_or_default(),
        times::short(started),
        times::span(started, now),
        times::span(last_used, now),
        times::span(now, expires),
        session.address,
        session.agent,
    ])
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
