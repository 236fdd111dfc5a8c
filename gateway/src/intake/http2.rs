//! An HTTP/2 request brought into the form that HTTP/1.1 has: one host, one `Cookie` line, a target without authority.
//! Everything behind it knows one form only (requirements H2-03, H2-04, HD-08).

use http::header::{CONNECTION, COOKIE, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::stop::Reason;

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Rewrites the request, or says what cannot be.
pub(super) fn as_http1(parts: &mut Parts) -> Result<(), Reason> {
    // A tunnel has no path, and none is ever opened (RFC 9113, section 8.5; RFC 8441).
    if parts.method == Method::CONNECT {
        return Err(Reason::BadPath);
    }
    check_connection(&parts.headers)?;
    take_host(parts)?;
    join_cookies(&mut parts.headers)
}

/// Nothing about connections has a place here (RFC 9113, section 8.2.2). The library refuses it already; nobody should
/// have to know.
fn check_connection(headers: &HeaderMap) -> Result<(), Reason> {
    let names = [&CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &KEEP_ALIVE, &PROXY_CONNECTION];
    let is_trailers = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"trailers");
    if names.into_iter().any(|name| headers.contains_key(name))
        || !headers.get_all(TE).iter().all(is_trailers)
    {
        return Err(Reason::BadFraming);
    }
    Ok(())
}

/// `:authority` becomes `Host`. Where both came they are one; an `:authority` may be missing, then `Host` says it
/// (RFC 9113, section 8.3.1).
fn take_host(parts: &mut Parts) -> Result<(), Reason> {
    let Some(authority) = parts.uri.authority() else {
        return Ok(());
    };
    if !parts.headers.contains_key(HOST) {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Reason::BadHost)?;
        parts.headers.insert(HOST, host);
    } else if !parts.headers.get_all(HOST).iter().all(|host| is_same(host, authority.as_str())) {
        return Err(Reason::BadHost);
    }
    let target = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    parts.uri = Uri::from(target);
    Ok(())
}

fn is_same(host: &HeaderValue, authority: &str) -> bool {
    host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
}

/// Clients may cut the `Cookie` header into crumbs (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) -> Result<(), Reason> {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return Ok(());
    };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    let mut joined = HeaderValue::from_bytes(&joined).map_err(|_| Reason::HeadersTooLarge)?;
    joined.set_sensitive(true);
    headers.insert(COOKIE, joined);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Version};

    fn rewritten(request: http::request::Builder) -> Result<Parts, Reason> {
        let (mut parts, ()) = request.version(Version::HTTP_2).body(()).expect("a request").into_parts();
        as_http1(&mut parts).map(|()| parts)
    }

    fn get() -> http::request::Builder {
        Request::get("https://app.example/a?b=c")
    }

    #[test]
    fn the_authority_becomes_the_host_and_the_target_loses_it() {
        let parts = rewritten(get()).expect("fine");
        assert_eq!(
            (parts.headers[HOST].as_bytes(), parts.uri.to_string()),
            (&b"app.example"[..], "/a?b=c".to_owned())
        );
        assert!(rewritten(get().header("host", "APP.example")).is_ok());
        assert!(rewritten(Request::get("/a").header("host", "app.example")).is_ok(), "by Host alone");
    }

    #[test]
    fn an_authority_and_a_host_that_differ_are_refused() {
        for host in ["evil.example", "app.example:443", "", "app.example,evil"] {
            assert_eq!(rewritten(get().header("host", host)).err(), Some(Reason::BadHost), "{host:?}");
        }
        let twice = get().header("host", "app.example").header("host", "evil.example");
        assert_eq!(rewritten(twice).err(), Some(Reason::BadHost));
    }

    #[test]
    fn crumbs_of_cookies_are_one_header() {
        let crumbs = get().header("cookie", "a=1").header("cookie", "b=2; c=3").header("cookie", "d=4");
        let parts = rewritten(crumbs).expect("fine");
        assert_eq!(parts.headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3; d=4"]);
        let parts = rewritten(get().header("cookie", "a=1")).expect("fine");
        assert_eq!(parts.headers[COOKIE], "a=1");
    }

    #[test]
    fn nothing_about_connections_is_taken() {
        for (name, value) in [
            ("connection", "close"),
            ("upgrade", "websocket"),
            ("keep-alive", "1"),
            ("proxy-connection", "x"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            ("te", "trailers, gzip"),
        ] {
            assert_eq!(
                rewritten(get().header(name, value)).err(),
                Some(Reason::BadFraming),
                "{name}: {value}"
            );
        }
        assert!(rewritten(get().header("te", "trailers")).is_ok());
        let connect = Request::connect("app.example:443");
        assert_eq!(rewritten(connect).err(), Some(Reason::BadPath));
    }
}
