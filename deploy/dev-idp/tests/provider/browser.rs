//! A browser without a window: cookies, redirects, forms. It leaves the provider's pages only in its `Location`s.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use url::Url;

/// A response, read whole.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) url: Url,
}

impl Page {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Url {
        self.url.join(self.header(header::LOCATION)).expect("a Location")
    }

    /// The parameters of the redirect.
    pub(crate) fn answer(&self) -> BTreeMap<String, String> {
        self.location().query_pairs().into_owned().collect()
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let at = self.body.find(&start).unwrap_or_else(|| panic!("no field {name} in {}", self.body))
            + start.len();
        self.body[at..].split('"').next().unwrap_or_default().replace("&amp;", "&")
    }
}

/// One request on a connection of its own; an error if the connection closes before an answer.
pub(crate) async fn send(
    method: Method,
    url: &Url,
    headers: &[(&str, &str)],
    body: String,
) -> Result<Page, hyper::Error> {
    let port = url.port().expect("a port");
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("the provider listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let host = format!("{}:{port}", url.host_str().expect("a host"));
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::builder().method(method).uri(target);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", host);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("a request");
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Page { status: parts.status, headers: parts.headers, body, url: url.clone() })
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Cookies and nothing else.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, url: &Url) -> Page {
        self.request(Method::GET, url, &[], String::new()).await
    }

    pub(crate) async fn post(&mut self, url: &Url, fields: &[(&str, &str)]) -> Page {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.request(Method::POST, url, &kind, form(fields)).await
    }

    async fn request(&mut self, method: Method, url: &Url, headers: &[(&str, &str)], body: String) -> Page {
        let jar =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut headers = headers.to_vec();
        if !jar.is_empty() {
            headers.push(("cookie", &jar));
        }
        let page = send(method, url, &headers, body).await.expect("an answer");
        for cookie in page.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        page
    }

    /// Follows redirects as long as they stay at the provider.
    pub(crate) async fn open(&mut self, url: &Url) -> Page {
        let first = self.get(url).await;
        self.follow(first).await
    }

    /// Submits a form with the page's anti-forgery token, and follows.
    pub(crate) async fn submit(&mut self, page: &Page, step: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = page.hidden("csrf");
        let path = page.url.path();
        let journey: String = path.split('/').take(3).collect::<Vec<_>>().join("/");
        let url = page.url.join(&format!("{journey}/{step}")).expect("a URL");
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend(fields);
        let first = self.post(&url, &all).await;
        self.follow(first).await
    }

    async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            if !page.status.is_redirection() || page.location().origin() != page.url.origin() {
                return page;
            }
            page = self.get(&page.location()).await;
        }
        panic!("a redirect loop at {}", page.url);
    }
}
