//! One request before it is sent, with the headers that browsers add by themselves. Knows nothing of cookies.

use bytes::Bytes;
use serde_json::Value;

/// A request. `target` is a path of the gateway, or a URL on this computer.
#[derive(Clone, Debug)]
#[must_use]
pub struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Whether `Origin` is that of the site itself.
    pub(crate) own_origin: bool,
    pub(crate) cookies: bool,
}

impl Ask {
    /// A request as a program sends it: no header that was not asked for.
    pub fn bare(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            own_origin: false,
            cookies: true,
        }
    }

    /// A page that a person opens by its address.
    pub fn page(target: &str) -> Self {
        Self::bare("GET", target)
            .set("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .set("sec-fetch-mode", "navigate")
            .set("sec-fetch-dest", "document")
            .set("sec-fetch-site", "none")
            .set("sec-fetch-user", "?1")
    }

    /// A call by a script of the site, as the web UI makes it.
    pub fn fetch(method: &str, target: &str) -> Self {
        let ask = Self::bare(method, target)
            .set("accept", "application/json")
            .set("x-csrf", "1")
            .set("sec-fetch-mode", "cors")
            .set("sec-fetch-dest", "empty")
            .set("sec-fetch-site", "same-origin");
        Self { own_origin: !matches!(method, "GET" | "HEAD"), ..ask }
    }

    /// What a script of the site sends to open a WebSocket: no header of its own.
    pub fn websocket(target: &str) -> Self {
        let ask = Self::bare("GET", target)
            .set("connection", "keep-alive, Upgrade")
            .set("upgrade", "websocket")
            .set("sec-websocket-version", "13")
            .set("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .set("sec-fetch-mode", "websocket")
            .set("sec-fetch-dest", "websocket")
            .set("sec-fetch-site", "same-origin");
        Self { own_origin: true, ..ask }
    }

    /// A form of the site that a person submits.
    pub fn submit(target: &str, fields: &[(&str, &str)]) -> Self {
        let ask = Self::page(target).set("sec-fetch-site", "same-origin").form(fields);
        Self { method: "POST".to_owned(), own_origin: true, ..ask }
    }

    /// Adds a header line beside any other of its name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts one header line in the place of all of its name.
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// Takes a header away.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if name.eq_ignore_ascii_case("origin") {
            self.own_origin = false;
        }
        self
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.set("content-type", "application/json").body(body.to_string())
    }

    /// A form as the body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.set("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Any body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Leaves the browser's cookies at home.
    pub fn without_cookies(mut self) -> Self {
        self.cookies = false;
        self
    }
}
