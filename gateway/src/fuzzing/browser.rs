//! What browsers send with every request: paths, targets to come back to, cookies.

use std::sync::LazyLock;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::clock::Timestamp;
use crate::origin::Origin;
use crate::path::canonical;
use crate::session::attempt::LoginAttempt;
use crate::session::cookie::{Cookies, Style};
use crate::session::return_to::{OWN_PAGE, ReturnTo};
use crate::session::sealed::Seal;
use crate::session::{KeyMemo, SessionId};

static SITE: LazyLock<Url> = LazyLock::new(|| Url::parse("https://app.example").expect("valid"));

fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

/// The normal form is its own normal form, and another reader of addresses sees the same segments in it.
pub(super) fn path(data: &[u8]) -> bool {
    let Some(normal) = std::str::from_utf8(data).ok().and_then(|text| canonical(text).ok()) else {
        return false;
    };
    assert_eq!(canonical(&normal).as_deref(), Ok(&*normal));
    assert!(normal.starts_with('/') && !normal.contains("//"));
    assert!(normal.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'\\' | b'?' | b'#')));
    let seen = SITE.join(&normal).expect("a path resolves");
    assert_eq!(seen.origin(), SITE.origin());
    assert_eq!(seen.path().split('/').count(), normal.split('/').count(), "{seen} is not {normal}");
    true
}

pub(super) fn paths() -> Vec<Vec<u8>> {
    texts(&[
        "/",
        "/api/todos/1",
        "/a%20b/%C3%A9",
        "/a/../b",
        "/%2e%2e/x",
        "/a//b",
        "/a%2fb",
        "/%2525",
        "/%252%65%252%65/x",
        "/100%25",
        "/..;x/",
    ])
}

/// What is accepted stays on this origin, is no step of the gateway's own flow, and fits into a header.
pub(super) fn return_to(data: &[u8]) -> bool {
    let text = std::str::from_utf8(data).ok();
    let home = ReturnTo::or_home(text);
    let Some(target) = text.and_then(|text| text.parse::<ReturnTo>().ok()) else {
        assert_eq!(home, ReturnTo::home());
        return false;
    };
    assert_eq!(Some(target.as_str()), text);
    assert!(HeaderValue::from_str(target.as_str()).is_ok());
    let seen = SITE.join(target.as_str()).expect("a path resolves");
    assert_eq!(seen.origin(), SITE.origin());
    assert!(seen.username().is_empty() && seen.password().is_none());
    let path = seen.path().to_ascii_lowercase();
    assert!(path == OWN_PAGE || (path != "/auth" && !path.starts_with("/auth/")), "{path}");
    true
}

pub(super) fn returns() -> Vec<Vec<u8>> {
    texts(&[
        "/",
        "/todos?done=1&q=a%20b#part",
        "/auth/sessions",
        "/auth/sign-out",
        "/%61uth/sign-in",
        "//evil.example",
        "/\\evil.example",
        "/%2f/evil.example",
        "https://app.example/x",
        "/\t/evil.example",
    ])
}

static COOKIES: LazyLock<[Cookies; 2]> = LazyLock::new(|| {
    ["https://app.example", "http://localhost:3000"]
        .map(|origin| Cookies::on(&Origin::parse(origin).expect("valid"), Style::default(), false))
});

/// An accepted session cookie is written back as itself; upstreams see none of ours, and the app's own as they came.
/// Each line of the input is one `Cookie` line, and for the other direction one `Set-Cookie` line.
pub(super) fn session_cookie(data: &[u8]) -> bool {
    let lines: Vec<_> =
        data.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let under = |name: &http::HeaderName| -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.clone())).collect()
    };
    let mut accepted = false;
    for cookies in &*COOKIES {
        let asked = under(&COOKIE);
        if let Ok(Some(value)) = cookies.session(&asked) {
            accepted |= is_identifier(value);
        }
        check_request(cookies, &asked);
        check_response(cookies, &under(&SET_COOKIE));
    }
    accepted
}

/// Whether the value names a session; then it is the only way to write that name.
fn is_identifier(value: &[u8]) -> bool {
    let read = SessionId::parse(value);
    assert_eq!(KeyMemo::default().shown(value), read.as_ref().map(SessionId::shown));
    let Some(id) = read else {
        return false;
    };
    assert_eq!(id.reveal().expose().as_bytes(), value);
    true
}

fn check_request(cookies: &Cookies, asked: &HeaderMap) {
    let mut passed = asked.clone();
    cookies.strip_from_request(&mut passed);
    assert_eq!(cookies.session(&passed), Ok(None));
    assert_eq!(cookies.logins(&passed).count(), 0);
    let pieces = |headers: &HeaderMap| -> Vec<Vec<u8>> {
        let lines =
            headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        lines.map(|piece| piece.trim_ascii().to_vec()).collect()
    };
    let before = pieces(asked);
    let after = pieces(&passed);
    let mut rest = before.iter();
    assert!(after.iter().all(|piece| rest.any(|other| other == piece)), "nothing is added or moved");
    for piece in &after {
        let name = piece.iter().position(|byte| *byte == b'=').map(|equals| piece[..equals].trim_ascii());
        let ours: [&[u8]; 3] =
            [b"gateway-session", b"__Host-gateway-session", b"__Host-Http-gateway-session"];
        assert!(!name.is_some_and(|name| ours.contains(&name)), "an upstream that trims sees the session");
    }
    // Several lines become one, and lose what is no pair.
    let is_one_line = asked.get_all(COOKIE).iter().count() < 2;
    if is_one_line && !before.iter().any(|piece| piece.windows(8).any(|window| window == b"gateway-")) {
        assert_eq!(&passed, asked);
    }
    let mut again = passed.clone();
    cookies.strip_from_request(&mut again);
    assert_eq!(again, passed);
}

fn check_response(cookies: &Cookies, sent: &HeaderMap) {
    let mut passed = sent.clone();
    cookies.strip_from_response(&mut passed);
    for line in passed.get_all(SET_COOKIE) {
        // What a browser would send back of it.
        let pair = line.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(equals) => (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()),
            None => (pair.trim_ascii(), &b""[..]),
        };
        let sent_back = if name.is_empty() { value.to_vec() } else { [name, b"=", value].concat() };
        let request =
            HeaderValue::from_bytes(&sent_back).map(|value| HeaderMap::from_iter([(COOKIE, value)]));
        if let Ok(request) = request {
            assert_eq!(cookies.session(&request), Ok(None), "an upstream sets {line:?}");
            assert_eq!(cookies.logins(&request).count(), 0, "an upstream sets {line:?}");
        }
    }
}

pub(super) fn session_cookies() -> Vec<Vec<u8>> {
    let id = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v";
    [
        format!("__Host-gateway-session={id}"),
        format!("a=1; gateway-session={id}; b=2\ngateway-login-x=y; c=3"),
        format!("__Host-gateway-session={id}; __Host-gateway-session={id}"),
        format!("\"__Host-gateway-session\"={id}; Path=/"),
        format!("=__Host-gateway-session={id}; Path=/"),
        "__Host-Http-gateway-session=v; __Host-gateway-login-1 =x; $Version=1".to_owned(),
        "__Host-gateway-session=short".to_owned(),
        "__Host-gateway-login-1=x;  __Host-gateway-session=v;  a=b".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

static SEAL: LazyLock<Seal> = LazyLock::new(Seal::generate);

/// Nothing opens that was not sealed here; what is sealed opens; an attempt is read back as it was written.
pub(super) fn login_cookie(data: &[u8]) -> bool {
    let (name, value) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let name = String::from_utf8_lossy(name);
    assert_eq!(SEAL.open(&name, value.strip_prefix(b"\n").unwrap_or(value)), None, "a forgery");
    let sealed = SEAL.close(&name, data.to_vec());
    assert_eq!(SEAL.open(&name, sealed.as_bytes()).as_deref(), Some(data));
    let Some(attempt) = LoginAttempt::from_bytes(data) else {
        return false;
    };
    assert_eq!(attempt.return_to.as_str().parse().as_ref(), Ok(&attempt.return_to));
    let written = attempt.to_bytes();
    let again = LoginAttempt::from_bytes(&written).expect("own bytes");
    assert_eq!(again.to_bytes(), written);
    assert_eq!(again.name(), attempt.name());
    // Whatever the moments are.
    for now in [0, i64::MAX, i64::MIN] {
        assert_eq!(again.has_expired(Timestamp(now)), attempt.has_expired(Timestamp(now)));
    }
    true
}

pub(super) fn login_cookies() -> Vec<Vec<u8>> {
    let scopes = "openid profile".parse().expect("valid");
    let target = "/todos?a=1".parse().expect("local");
    let attempt = LoginAttempt::start("http://localhost:3002", scopes, target, Timestamp(1_000));
    let previous = Some(SessionId::generate().key());
    let silent = LoginAttempt { previous, silent: true, started: Timestamp(i64::MAX), ..attempt };
    let foreign = Seal::generate().close("gateway-login-1", silent.to_bytes());
    vec![silent.to_bytes(), format!("gateway-login-1\n{foreign}").into_bytes(), b"{}".to_vec()]
}
