//! What one request is remembered as: the access line. Specified field by field in docs/access-log.md.
//! It never holds a query, a header or a body (requirements LG-01 to LG-03).

pub mod log;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, StatusCode, Uri, Version};

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::intake::Peer;
use crate::outfit::Outfit;
use crate::request_id::RequestId;
use crate::session::SessionKey;
use crate::site::Site;
use crate::stop::{Reason, Stop};
use crate::trace::{Kind, Span, Trace};

/// The facts of one request, gathered while it is answered.
pub struct Record<'live> {
    /// Its name.
    pub request_id: RequestId,
    /// When it came.
    pub time: Timestamp,
    /// The other end of the connection.
    pub client: &'live Peer,
    /// The method as sent.
    pub method: Method,
    /// The target as sent; only its path is ever written.
    pub target: Uri,
    /// The site that it was for; nothing before it was admitted.
    pub site: Option<&'live Site>,
    /// The protocol that it came by.
    pub version: Version,
    /// The length of its body, where that is known beforehand.
    pub request_bytes: Option<u64>,
    /// The route that it was for.
    pub route: Option<&'live str>,
    /// That route's number.
    pub route_number: Option<usize>,
    /// The upstream that was asked.
    pub asked: Option<Asked<'live>>,
    /// The trace that it belongs to.
    pub trace: Option<Box<Trace>>,
    /// The session that it was made with.
    pub session: Option<SessionKey>,
    /// Why it ended early, if it did.
    pub reason: Option<Reason>,
    /// Whether its route speaks gRPC.
    pub is_grpc: bool,
    /// The cookie that gives the browser a new identifier of its session.
    pub new_session: Option<HeaderValue>,
    /// Whether its session cookie opens nothing, so that the answer clears it.
    pub clear_session: bool,
    /// The login cookie whose attempt is over, which the answer clears.
    pub clear_login: Option<String>,
    /// The status of the answer.
    pub status: StatusCode,
    /// The length of its body, where that is known beforehand.
    pub response_bytes: Option<u64>,
    /// What the answer wears; nothing on most routes.
    pub outfit: Option<Box<Outfit<'live>>>,
}

/// An upstream that was asked, whether it answered or not.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'live> {
    /// Its position among all upstreams.
    pub number: usize,
    /// `[upstreams.NAME]`.
    pub upstream: &'live str,
    /// The host and port of the server that was asked last; nothing if there was none to ask.
    pub server: Option<&'live HeaderValue>,
    /// When.
    pub began: Instant,
    /// How long it took until the answer's head came, or until it was given up; known when the request is over.
    pub took: Duration,
    /// How often the request was sent once more.
    pub retries: u8,
}

/// How access lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, for machines.
    Json,
    /// Columns, for a person at a terminal.
    Text,
}

/// The longest path written; the rest is cut off.
const MAX_PATH: usize = 1_024;

impl<'live> Record<'live> {
    /// Begins the record of a request.
    pub fn begin(
        request_id: RequestId,
        time: Timestamp,
        client: &'live Peer,
        method: &Method,
        target: &Uri,
    ) -> Self {
        Self {
            request_id,
            time,
            client,
            method: method.clone(),
            target: target.clone(),
            site: None,
            version: Version::HTTP_11,
            request_bytes: None,
            route: None,
            route_number: None,
            asked: None,
            trace: None,
            session: None,
            reason: None,
            is_grpc: false,
            new_session: None,
            clear_session: false,
            clear_login: None,
            status: StatusCode::OK,
            response_bytes: None,
            outfit: None,
        }
    }

    /// Notes who asks.
    pub fn note(&mut self, caller: &Caller) {
        match caller {
            Caller::Session(session) => self.session = Some(session.key()),
            Caller::Anonymous { stale_cookie } => self.clear_session = *stale_cookie,
        }
    }

    /// Now, if somebody writes down how long what follows takes.
    pub fn mark(&self) -> Option<Instant> {
        self.trace.as_ref().filter(|trace| trace.is_recorded()).map(|_| Instant::now())
    }

    /// Something that took a while ends now, well or not; nothing happens unless [`Record::mark`] gave a moment.
    pub fn step(&mut self, name: &'static str, began: Option<Instant>, failed: Option<&Stop>) {
        if let (Some(began), Some(trace)) = (began, &mut self.trace) {
            let span = Span::new(name, Kind::Internal).failed(failed.map(|stop| stop.reason().as_str()));
            trace.step(None, began, span);
        }
    }

    /// Appends the access line to `out`; `time` is [`Record::time`] in RFC 3339.
    pub fn write(&self, format: Format, time: &str, duration: Duration, out: &mut String) {
        match format {
            Format::Json => self.write_json(time, duration, out),
            Format::Text => self.write_text(time, duration, out),
        }
    }

    fn write_json(&self, time: &str, duration: Duration, out: &mut String) {
        let _ = write!(
            out,
            r#"{{"timestamp":"{time}","level":"INFO","target":"access","request_id":"{}","client":"{}","method":"{}","path":""#,
            self.request_id.as_str(),
            self.client.text(),
            self.method
        );
        escape(self.path(), out);
        let (status, micros) = (self.status.as_u16(), duration.as_micros());
        let _ = write!(out, r#"","protocol":"{}""#, self.protocol());
        if let Some(version) = self.client.handshake.as_ref().and_then(|handshake| handshake.version) {
            let _ = write!(out, r#","tls":"{version}""#);
        }
        let _ = write!(out, r#","status":{status},"duration_us":{micros}"#);
        for (name, bytes) in [("request_bytes", self.request_bytes), ("response_bytes", self.response_bytes)]
        {
            if let Some(bytes) = bytes {
                let _ = write!(out, r#","{name}":{bytes}"#);
            }
        }
        if let Some(route) = self.route {
            out.push_str(r#","route":""#);
            escape(route, out);
            out.push('"');
        }
        if let Some(asked) = &self.asked {
            let Asked { upstream, server, took, retries, .. } = asked;
            let _ = write!(out, r#","upstream":"{upstream}""#);
            if let Some(server) = server.and_then(|server| server.to_str().ok()) {
                let _ = write!(out, r#","server":"{server}""#);
            }
            let _ = write!(out, r#","upstream_us":{}"#, took.as_micros());
            if *retries > 0 {
                let _ = write!(out, r#","retries":{retries}"#);
            }
        }
        if let Some(session) = self.session {
            let _ = write!(out, r#","session":"{}""#, session.short());
        }
        if let Some(trace) = &self.trace {
            let _ = write!(out, r#","trace_id":"{}""#, trace.id());
        }
        if let Some(reason) = self.reason {
            let _ = write!(out, r#","reason":"{}""#, reason.as_str());
        }
        out.push_str("}\n");
    }

    fn write_text(&self, time: &str, duration: Duration, out: &mut String) {
        let _ = write!(out, "{time}  {} {:6} ", self.status.as_u16(), self.method.as_str());
        escape(self.path(), out);
        let _ = write!(out, "  {:.1} ms", duration.as_secs_f64() * 1_000.0);
        if let Some(reason) = self.reason {
            let _ = write!(out, "  {}", reason.as_str());
        }
        if let Some(Asked { retries: 1.., .. }) = self.asked {
            out.push_str("  sent again");
        }
        let _ = writeln!(out, "  [{}]", self.request_id.as_str());
    }

    fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_2 => "h2",
            Version::HTTP_10 => "http/1.0",
            _ => "http/1.1",
        }
    }

    fn path(&self) -> &str {
        let path = self.target.path();
        let end = (0..=MAX_PATH.min(path.len())).rev().find(|end| path.is_char_boundary(*end)).unwrap_or(0);
        &path[..end]
    }
}

/// JSON's escapes, which also keep a terminal from obeying what a stranger wrote.
fn escape(text: &str, out: &mut String) {
    // Most texts are plain and copied whole.
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\')) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;

    fn line(target: &str, format: Format) -> String {
        let (client, target) = (Peer::new([192, 0, 2, 1].into()), target.parse().expect("a target"));
        let mut record =
            Record::begin(RequestIds::new().next(), Timestamp(0), &client, &Method::GET, &target);
        record.route = Some("GET /");
        record.reason = Some(Reason::NoRoute);
        record.status = StatusCode::NOT_FOUND;
        let mut out = String::new();
        record.write(format, "1970-01-01T00:00:00Z", Duration::from_micros(1_500), &mut out);
        out
    }

    #[test]
    fn an_access_line_is_one_json_object() {
        let parsed: serde_json::Value =
            serde_json::from_str(&line("/a%22b\"c?code=secret", Format::Json)).expect("JSON");
        assert_eq!(parsed["path"], "/a%22b\"c");
        assert_eq!(parsed["status"], 404);
        assert_eq!(parsed["duration_us"], 1_500);
        assert_eq!(parsed["reason"], "no_route");
        assert_eq!(parsed["route"], "GET /");
    }

    #[test]
    fn queries_are_never_written() {
        for format in [Format::Json, Format::Text] {
            assert!(!line("/auth/callback?code=c0de&state=st4te", format).contains("c0de"));
        }
    }

    #[test]
    fn nothing_a_stranger_writes_breaks_the_line_or_the_terminal() {
        let mut out = String::new();
        escape("a\r\nb\u{1b}[31m\u{0}\u{9b}\u{2028}\"\\", &mut out);
        assert_eq!(out, "a\\u000d\\u000ab\\u001b[31m\\u0000\\u009b\\u2028\\\"\\\\");
    }

    #[test]
    fn long_paths_are_cut() {
        let text = line(&format!("/{}", "a".repeat(5_000)), Format::Text);
        assert!(text.len() < 1_200);
        assert_eq!(text.lines().count(), 1);
    }
}
