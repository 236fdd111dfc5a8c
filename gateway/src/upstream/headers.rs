//! Which headers pass the gateway, in both directions (requirements section 9). Pure: one function each way.

mod request;
mod response;
#[cfg(test)]
mod tests;
pub mod trailers;

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, LOCATION, SERVER, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue};

pub use request::{Forwarded, Outgoing, is_governed as is_governed_in_requests, towards_upstream};
pub use response::{BadFraming, is_event_stream, is_governed as is_governed_in_answers, towards_client};

/// What one pass over a message's header names found. A message has few of the many that matter.
#[derive(Default)]
struct Found {
    connection: bool,
    transfer_encoding: bool,
    content_length: bool,
    server: bool,
    set_cookie: bool,
    location: bool,
    cache_control: bool,
    unwanted: Vec<HeaderName>,
}

impl Found {
    fn by(headers: &HeaderMap, is_unwanted: impl Fn(&str) -> bool) -> Self {
        let mut found = Self::default();
        for name in headers.keys() {
            match name {
                name if name == CONNECTION => found.connection = true,
                name if name == TRANSFER_ENCODING => found.transfer_encoding = true,
                name if name == CONTENT_LENGTH => found.content_length = true,
                name if name == SERVER => found.server = true,
                name if name == SET_COOKIE => found.set_cookie = true,
                name if name == LOCATION => found.location = true,
                name if name == CACHE_CONTROL => found.cache_control = true,
                _ => {}
            }
            if is_unwanted(name.as_str()) {
                found.unwanted.push(name.clone());
            }
        }
        found
    }

    fn remove_unwanted(&self, headers: &mut HeaderMap) {
        for name in &self.unwanted {
            headers.remove(name);
        }
    }
}

/// Removes what `Connection` names, but for headers that carry meaning end to end and are judged by their own rules.
fn drop_listed_in_connection(headers: &mut HeaderMap) {
    let names_headers = |line: &HeaderValue| !matches!(line.as_bytes(), b"keep-alive" | b"close");
    if !headers.get_all(CONNECTION).iter().any(names_headers) {
        headers.remove(CONNECTION);
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| {
            !matches!(
                name.as_str(),
                "cookie" | "content-type" | "content-encoding" | "origin" | "set-cookie" | "cache-control"
            )
        })
        .collect();
    for name in listed {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}
