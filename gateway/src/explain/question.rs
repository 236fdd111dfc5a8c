//! What is asked, and the request that it stands for. Nothing is made simpler on the way: what is explained is what a
//! client would send.

use http::header::{HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::{Map, Value};

use crate::body::Body;
use crate::csrf::X_CSRF;
use crate::intake::SEC_FETCH_SITE;
use crate::site::{Site, Sites};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The method, as it would be sent.
    pub method: String,
    /// The address, or a path on `public_url`.
    pub url: String,
    /// Headers besides those that a script of the site sends.
    pub headers: Vec<(String, String)>,
    /// Who asks.
    pub who: Who,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Who {
    /// Nobody that the gateway knows.
    Nobody,
    /// Somebody who signed in, with these claims in their ID token.
    Somebody(Map<String, Value>),
}

/// A question that is none.
#[derive(Debug, thiserror::Error)]
pub enum BadQuestion {
    /// No token of RFC 9110.
    #[error("{0:?} is not a method")]
    Method(String),
    /// Neither an address nor a path.
    #[error("{0:?} is not an address: write https://app.example/path, or /path for `public_url`")]
    Url(String),
    /// Not `Name: value`.
    #[error("{0:?} is not a header: write \"Name: value\"")]
    Header(String),
}

/// As the gateway gets it: from a script of the site, unless the question says otherwise.
pub(super) fn request(question: &Question, sites: &Sites) -> Result<Request<Body>, BadQuestion> {
    let no_method = || BadQuestion::Method(question.method.clone());
    let method = Method::from_bytes(question.method.as_bytes()).map_err(|_| no_method())?;
    let no_url = || BadQuestion::Url(question.url.clone());
    let (host, target) = split(&question.url, sites.first()).ok_or_else(no_url)?;
    let uri: Uri = target.parse().map_err(|_| no_url())?;
    let mut headers = HeaderMap::new();
    for (name, value) in &question.headers {
        let line = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) = line.ok_or_else(|| BadQuestion::Header(format!("{name}: {value}")))?;
        headers.append(name, value);
    }
    let host_line = HeaderValue::from_str(&host).map_err(|_| no_url())?;
    headers.entry(HOST).or_insert(host_line);
    headers.entry(&X_CSRF).or_insert(HeaderValue::from_static("1"));
    if !headers.contains_key(ORIGIN) {
        headers.entry(&SEC_FETCH_SITE).or_insert(HeaderValue::from_static("same-origin"));
    }
    let is_handshake = headers.contains_key(UPGRADE);
    if let Some(site) = sites.find(&host).filter(|_| is_handshake)
        && let Ok(own) = HeaderValue::from_str(site.origin.as_str())
    {
        headers.entry(ORIGIN).or_insert(own);
    }
    let mut request = Request::new(Body::Empty);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    Ok(request)
}

/// Host and target of an address; a path alone is one of `public_url`. Nothing is made simpler on the way: what is asked
/// is what a client would send.
fn split(url: &str, first: &Site) -> Option<(String, String)> {
    if url.starts_with('/') && !url.starts_with("//") {
        return Some((first.origin.authority().to_owned(), url.to_owned()));
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    (!host.is_empty()).then(|| (host.to_owned(), target))
}
