//! One answer, read whole. Its checks say what was answered instead when they fail.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// What was asked, for messages.
    pub(crate) asked: String,
}

/// One `Set-Cookie` line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    /// The name.
    pub name: String,
    /// The value; empty when the cookie is taken away.
    pub value: String,
    /// The attributes as written, without blanks around them.
    pub attributes: Vec<String>,
}

impl SetCookie {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        Some(Self {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: parts.map(str::to_owned).collect(),
        })
    }

    /// Whether it has this attribute, in whatever case.
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|found| found.eq_ignore_ascii_case(attribute))
    }

    /// Whether it takes the cookie away.
    pub fn is_removal(&self) -> bool {
        self.has("Max-Age=0")
    }
}

impl Reply {
    /// Fails the test unless the status is this.
    #[track_caller]
    pub fn must_be(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{} was answered:\n{}", self.asked, self.describe());
        self
    }

    /// Fails the test unless it is a problem document with this status and reason.
    #[track_caller]
    pub fn must_be_problem(&self, status: u16, reason: &str) -> &Self {
        self.must_be(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.describe());
        assert_eq!(self.json()["reason"], reason, "{}: {}", self.asked, self.describe());
        self
    }

    /// Fails the test unless it is a redirect, and tells where to.
    #[track_caller]
    pub fn must_redirect(&self) -> &str {
        assert!(
            matches!(self.status.as_u16(), 302 | 303),
            "{} was answered:\n{}",
            self.asked,
            self.describe()
        );
        self.location().expect("a redirect has a Location")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{} was not answered with JSON ({error}):\n{}", self.asked, self.describe()),
        }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `Location`.
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// Every `Set-Cookie`.
    pub fn set_cookies(&self) -> Vec<SetCookie> {
        let lines = self.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
        lines.filter_map(SetCookie::parse).collect()
    }

    /// Whether it hands out a cookie of that name or prefix.
    pub fn sets(&self, name: &str) -> bool {
        self.set_cookies().iter().any(|cookie| cookie.name.starts_with(name) && !cookie.is_removal())
    }

    /// Whether it is a page.
    pub fn is_page(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    fn describe(&self) -> String {
        let text = self.text();
        let start: String = text.chars().take(1_500).collect();
        format!("{} {:?}\n{start}", self.status, self.headers)
    }
}
