//! One request, read whole: path, headers, query and form. Refuses what is too big; knows nothing of what it means.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;

/// Forms and queries here are small; more than this is a mistake or an attack.
const LARGEST_BODY: usize = 64 * 1024;

/// A request with its parameters parsed.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Params,
    pub(crate) form: Params,
    pub(crate) body: Bytes,
    /// The key set of the client whose assertion is in the form, if it had to be fetched.
    pub(crate) client_keys: Vec<serde_json::Value>,
}

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the request body is too large or was cut short")]
pub(crate) struct Unreadable;

impl Call {
    pub(crate) async fn read(request: hyper::Request<hyper::body::Incoming>) -> Result<Self, Unreadable> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| Unreadable)?.to_bytes();
        let is_form = media_type(&parts.headers) == "application/x-www-form-urlencoded";
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            query: Params::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            form: if is_form { Params::parse(&body) } else { Params::default() },
            body,
            client_keys: Vec::new(),
        })
    }

    /// The form of a POST, the query of anything else.
    pub(crate) fn params(&self) -> &Params {
        if self.method == Method::POST { &self.form } else { &self.query }
    }

    pub(crate) fn has_form(&self) -> bool {
        media_type(&self.headers) == "application/x-www-form-urlencoded"
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The value of a cookie that is there exactly once; two of one name are as good as none.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let mut values = lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Parameters in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The first value with this name, unless empty: an empty parameter counts as absent (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Every value with this name, without the empty ones.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The name of a parameter that is there more than once (forbidden by RFC 6749 section 3.1).
    pub(crate) fn repeated(&self) -> Option<&str> {
        self.repeated_but(&[])
    }

    /// Like [`Self::repeated`], for a request in which `lists` may be there more than once (RFC 8707, RFC 8693).
    pub(crate) fn repeated_but(&self, lists: &[&str]) -> Option<&str> {
        let mut seen = std::collections::BTreeSet::new();
        let names = self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !lists.contains(name));
        names.into_iter().find(|name| !seen.insert(*name))
    }
}

/// Undoes application/x-www-form-urlencoded for one value (RFC 6749 section 2.3.1 asks it of ids and secrets).
pub(crate) fn form_decode(value: &str) -> Option<String> {
    percent_decode_str(&value.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookies(lines: &[&str]) -> Call {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().expect("a header value"));
        }
        Call {
            method: Method::GET,
            path: "/".to_owned(),
            headers,
            query: Params::default(),
            form: Params::default(),
            body: Bytes::new(),
            client_keys: Vec::new(),
        }
    }

    #[test]
    fn two_cookies_of_one_name_are_none() {
        assert_eq!(with_cookies(&["a=1; b=2"]).cookie("b"), Some("2"));
        assert_eq!(with_cookies(&["b=1; b=2"]).cookie("b"), None);
        assert_eq!(with_cookies(&["b=1", "b=2"]).cookie("b"), None);
    }

    #[test]
    fn repeated_and_empty_parameters_are_noticed() {
        let params = Params::parse(b"a=1&b=&a=2");
        assert_eq!(params.repeated(), Some("a"));
        assert_eq!(params.get("b"), None);
        assert_eq!(Params::parse(b"a=1&b=2").repeated(), None);
        let lists = Params::parse(b"resource=x&a=1&resource=&resource=y");
        assert_eq!((lists.repeated(), lists.repeated_but(&["resource"])), (Some("resource"), None));
        assert_eq!(lists.all("resource").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn form_decoding_knows_plus_and_percent() {
        assert_eq!(form_decode("p%25%3A%2B+%C3%A9%26%3D").as_deref(), Some("p%:+ é&="));
        assert_eq!(form_decode("%ff"), None);
    }
}
