//! What browsers send and upstreams answer, on its way through: headers of trust, edits, rewritten paths.

use std::sync::{Arc, LazyLock};

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, HOST, LOCATION, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use url::Url;

use crate::clock::Timestamp;
use crate::origin::Origin;
use crate::path::canonical;
use crate::request_id::RequestIds;
use crate::routing::{Changes, Claimed, Edits, Rewrite};
use crate::session::cookie::{Cookies, Style};
use crate::session::introduction::{Introduced, Introduction};
use crate::upstream::headers::{Forwarded, Outgoing, towards_client, towards_upstream};

const PERSON: HeaderName = HeaderName::from_static("x-person");
const GROUPS: HeaderName = HeaderName::from_static("x-groups");
const ENV: HeaderName = HeaderName::from_static("x-env");
const DEBUG: HeaderName = HeaderName::from_static("x-debug");

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin::parse("https://app.example").expect("valid"));
static COOKIES: LazyLock<Cookies> = LazyLock::new(|| Cookies::on(&ORIGIN, Style::default(), false));
static CLAIMED: LazyLock<Arc<Claimed>> = LazyLock::new(|| Claimed::new([PERSON, GROUPS]).expect("two"));
static CHANGES: LazyLock<Changes> = LazyLock::new(|| Changes {
    rewrite: Some(Rewrite::new("/api", "/")),
    request: Edits {
        remove: vec![DEBUG],
        set: vec![(ENV, HeaderValue::from_static("prod"))],
        add: Vec::new(),
    },
    ..Changes::default()
});

/// The lines of a message: `name: value`, one in each line of the input. What is none is left out.
fn message(data: &[u8]) -> HeaderMap {
    let lines = data.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in lines.take(100) {
        headers.append(name, value);
    }
    headers
}

/// Whatever a client sends, the upstream has the gateway's word for who asks, where from, and for which host; nothing of
/// the connection; no name that some servers read as another. True where something was kept back.
pub(super) fn forwarded_headers(data: &[u8]) -> bool {
    let sent = message(data);
    let introduction = Arc::new(Introduction::default());
    let alice = vec![(PERSON, HeaderValue::from_static("alice"))];
    let introduced = Introduced::new(&introduction, alice, Timestamp(1));
    let mut kept_back = false;
    for (is_known, is_changed) in [(false, false), (true, false), (true, true)] {
        let mut headers = sent.clone();
        let out = Outgoing {
            chain: None,
            host: &HeaderValue::from_static("127.0.0.1:3001"),
            authorization: is_known.then(|| HeaderValue::from_static("Bearer route")),
            client: &HeaderValue::from_static("192.0.2.1"),
            certificate: None,
            forwarded: &Forwarded::of(&ORIGIN),
            request_id: RequestIds::new().next(),
            hop: None,
            changes: is_changed.then_some(&*CHANGES),
            claimed: Some(&CLAIMED),
            introduced: is_known.then_some(&*introduced),
        };
        towards_upstream(&mut headers, &COOKIES, out);
        let are = |name: HeaderName, wanted: &[&str]| {
            assert_eq!(headers.get_all(&name).iter().collect::<Vec<_>>(), wanted, "{name}");
        };
        are(HOST, &["127.0.0.1:3001"]);
        are(HeaderName::from_static("x-forwarded-for"), &["192.0.2.1"]);
        are(HeaderName::from_static("x-forwarded-host"), &["app.example"]);
        are(HeaderName::from_static("x-forwarded-proto"), &["https"]);
        are(HeaderName::from_static("x-forwarded-prefix"), if is_changed { &["/api"] } else { &[] });
        are(PERSON, if is_known { &["alice"] } else { &[] });
        are(GROUPS, &[]);
        are(AUTHORIZATION, if is_known { &["Bearer route"] } else { &[] });
        for gone in [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
            are(gone, &[]);
        }
        if is_changed {
            are(ENV, &["prod"]);
            are(DEBUG, &[]);
        }
        assert!(headers.keys().all(|name| !name.as_str().contains('_')));
        assert_eq!(COOKIES.session(&headers), Ok(None));
        // What is not the gateway's to say is as it was, or gone.
        for (name, value) in &headers {
            let is_own = name.as_str().starts_with("x-forwarded-") || name == "x-request-id";
            if !is_own && ![HOST, PERSON, AUTHORIZATION, ENV, COOKIE].contains(name) {
                assert!(sent.get_all(name).iter().any(|own| own == value), "{name} came from nowhere");
            }
        }
        kept_back |= sent.keys().any(|name| !headers.contains_key(name));
    }
    kept_back
}

pub(super) fn forwarded_headers_seeds() -> Vec<Vec<u8>> {
    [
        "x-app: 1\naccept: */*",
        "X-Forwarded-For: 6.6.6.6\nx-FORWARDED-for: 7.7.7.7\nX_Forwarded_For: 8.8.8.8",
        "X-Person: admin\nX_Person: admin\nx-PERSON: admin\nX-Groups: a\nX-Groups: b",
        "Connection: close, X-Person, X-Forwarded-For, Host, Authorization\nConnection: x-env\nTE: trailers",
        "Authorization: Basic x\nAuthorization: Bearer y\nProxy-Authorization: z",
        "Host: evil.example\nHost: other\nForwarded: for=x\nX-Forwarded-Prefix: /x",
        "Cookie: __Host-gateway-session=x; a=b\nX-Env: test\nX-Debug: 1",
        "Transfer-Encoding: chunked\nContent-Length: 1\nUpgrade: h2c\nHTTP2-Settings: x",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec()
}

static REWRITES: LazyLock<[Rewrite; 4]> = LazyLock::new(|| {
    [("/api", "/"), ("/api/v1", "/v2"), ("/", "/app"), ("/a/b", "/a")]
        .map(|(public, inside)| Rewrite::new(public, inside))
});

/// A canonical path goes in as a canonical path and comes back by its own name; no redirect that an upstream writes is
/// made to lead to another site than it did, unless to this one.
pub(super) fn rewrite(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    for rewrite in &*REWRITES {
        redirect(rewrite, text);
    }
    let Some(path) = canonical(text).ok().map(std::borrow::Cow::into_owned) else {
        return false;
    };
    let mut accepted = false;
    for (rewrite, public) in REWRITES.iter().zip(["/api", "/api/v1", "", "/a/b"]) {
        let is_below = path.strip_prefix(public).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let Some(uri) = path.parse::<Uri>().ok().filter(|_| is_below) else {
            continue;
        };
        let target = rewrite.target(&uri).expect("a canonical path stays one").to_string();
        assert_eq!(canonical(&target).as_deref(), Ok(&*target));
        // An app that writes its prefix by itself is left alone.
        if let Some(back) = rewrite.outward(&target) {
            assert_eq!(back.trim_end_matches('/'), path.trim_end_matches('/'));
        }
        accepted = true;
    }
    accepted
}

fn redirect(rewrite: &Rewrite, text: &str) {
    let Ok(location) = HeaderValue::from_str(text) else {
        return;
    };
    let host = HeaderValue::from_static("10.0.0.7:3001");
    let changes = Changes { rewrite: Some(rewrite.clone()), ..Changes::default() };
    let mut headers = HeaderMap::from_iter([(LOCATION, location)]);
    if towards_client(&mut headers, &COOKIES, false, &host, &ORIGIN, Some(&changes)).is_err() {
        return;
    }
    let base = Url::parse("https://app.example/api/v1/a/b/c").expect("valid");
    let leads = |text: &str| base.join(text).ok().map(|url| url.origin().ascii_serialization());
    let (before, after) = (leads(text), headers[LOCATION].to_str().ok().and_then(leads));
    assert!(before == after || after.as_deref() == Some("https://app.example"), "{text}");
}

pub(super) fn rewrites() -> Vec<Vec<u8>> {
    [
        "/api",
        "/api/",
        "/api/v1/todos/1",
        "/a/b/a/b",
        "/app/x",
        "/v2/x?y#z",
        "//evil.example/api",
        "/\\evil.example",
        "http://10.0.0.7:3001/v2/x",
        "//10.0.0.7:3001//evil.example",
        "https://elsewhere.example/",
        "relative/../x",
        "%",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec()
}
