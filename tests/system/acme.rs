//! Certificates that the gateway gets for itself, from an authority that goes and looks (RFC 8555, RFC 8737).

use std::time::Duration;

use bytes::Bytes;
use harness::tls::{Greeting, shown};
use harness::{Acme, Ask, FreePort, Http2, Plan, Site, eventually};
use http::Request;

use crate::support::*;

const DAY: Duration = Duration::from_hours(24);

/// A plan whose only certificate comes from that authority.
fn plan(acme: &Acme, more: &str) -> Plan {
    let plan = Plan::new().https(&[]);
    let folder = plan.folder().join("acme");
    let value = format!(
        "{{ directory = \"{}\", terms_agreed = true, account = \"{}\", contact = [\"mailto:ops@example.com\"]{more} }}",
        acme.directory(),
        folder.display()
    );
    plan.without("tls", "certificates").set("tls", "acme", value)
}

/// The certificate that the site shows; nothing while there is none.
async fn served(site: &Site) -> Vec<u8> {
    Greeting::to("localhost").connect(site.port()).await.map(|stream| shown(&stream)).unwrap_or_default()
}

async fn has_certificate(site: &Site) {
    eventually("there is a certificate", || async { !served(site).await.is_empty() }).await;
}

#[tokio::test]
async fn a_certificate_is_got_by_way_of_tls_and_used() {
    let acme = Acme::start().await;
    acme.forget_nonces(1);
    let site = plan(&acme, "").start().await;
    assert_eq!(served(&site).await, b"", "there is none yet");
    acme.look_at(site.port(), 0);
    // The first attempt may have come before the authority knew where to look.
    eventually("there is a certificate", || async {
        site.advance(Duration::from_secs(61));
        !served(&site).await.is_empty()
    })
    .await;
    site.signed_in(ALICE).await.fetch("GET", "/api/todolist").await.must_be(200);
    assert_eq!(acme.contacts(), [serde_json::json!(["mailto:ops@example.com"])]);
    assert_eq!((acme.counts().0, acme.counts().2), (1, 1));
    for file in std::fs::read_dir(site.folder().join("acme")).expect("a folder").flatten() {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = file.metadata().expect("a file").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.path());
        }
        assert_ne!(file.path().extension().and_then(|end| end.to_str()), Some("new"));
    }
    let key = std::fs::read_to_string(site.folder().join("acme/certificate.key")).expect("a key");
    let logs = site.into_logs().await;
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!logs.events.contains(line), "a line of the key was logged");
    }
}

#[tokio::test]
async fn a_certificate_is_got_by_way_of_the_plain_port() {
    let (acme, plain) = (Acme::start().await, FreePort::take());
    acme.look_at(0, plain.number());
    let plan = plan(&acme, ", challenge = \"http-01\"");
    let site = plan.set("listen", "http", format!("\"127.0.0.1:{}\"", plain.number())).start().await;
    has_certificate(&site).await;
    assert_eq!(acme.counts(), (1, 1, 1));
    // The proof is gone with the order, and was never anything else's.
    let answer = harness::raw(
        plain.number(),
        b"GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

/// A site with its first certificate.
async fn with_certificate(acme: &Acme) -> (Site, FreePort) {
    let plain = FreePort::take();
    acme.look_at(0, plain.number());
    let plan = plan(acme, ", challenge = \"http-01\"");
    let site = plan.set("listen", "http", format!("\"127.0.0.1:{}\"", plain.number())).start().await;
    has_certificate(&site).await;
    (site, plain)
}

#[tokio::test]
async fn a_certificate_is_renewed_in_time_by_the_same_account_and_no_connection_is_lost() {
    let acme = Acme::start().await;
    let (site, _plain) = with_certificate(&acme).await;
    let (first, kept) = (served(&site).await, Http2::connect(site.port()).await);
    let get = || Request::get(site.url("/")).body(Bytes::new()).expect("a request");
    kept.send(get()).await.expect("an answer").must_be(200);

    acme.sign_for(200);
    site.advance(DAY * 59);
    kept.send(get()).await.expect("an answer").must_be(200);
    assert_eq!((served(&site).await, acme.counts()), (first.clone(), (1, 1, 1)));
    site.advance(DAY * 2);
    eventually("there is a new certificate", || async { served(&site).await != first }).await;
    assert_eq!(acme.counts(), (1, 2, 2));
    kept.send(get()).await.expect("the same connection").must_be(200);
}

#[tokio::test]
async fn an_authority_that_refuses_is_left_alone_for_a_while_and_the_old_certificate_stays() {
    let acme = Acme::start().await;
    let (site, _plain) = with_certificate(&acme).await;
    let first = served(&site).await;
    acme.refuse(2);
    acme.sign_for(400);
    site.advance(DAY * 61);
    eventually("a new one was asked for", || async { acme.counts().1 == 2 }).await;
    let is_told = || async { site.logged().contains("no new certificate; the old one, if any, stays") };
    eventually("the failure is told", is_told).await;
    assert_eq!((served(&site).await, acme.counts()), (first.clone(), (1, 2, 1)), "once, not again and again");
    site.browser().send(Ask::bare("GET", "/")).await.must_be(200);

    site.advance(Duration::from_secs(61));
    eventually("it is tried again", || async { acme.counts().1 == 3 }).await;
    site.advance(Duration::from_secs(301));
    eventually("there is a new certificate", || async { served(&site).await != first }).await;
    assert_eq!(acme.counts(), (1, 4, 2));
}

#[tokio::test]
async fn names_that_cannot_be_verified_get_no_certificate() {
    let (acme, elsewhere) = (Acme::start().await, FreePort::take());
    // The authority looks where nobody is.
    acme.look_at(elsewhere.number(), elsewhere.number());
    let site = plan(&acme, "").start().await;
    let is_told = || async { site.logged().contains("could not verify the names") };
    eventually("the failure is told", is_told).await;
    assert_eq!((served(&site).await, acme.counts().2), (Vec::new(), 0));
}

#[tokio::test]
async fn strangers_are_shown_no_challenge_and_nothing_is_spoken_in_its_protocol() {
    let acme = Acme::start().await;
    let (site, _plain) = with_certificate(&acme).await;
    let greeting = Greeting::to("localhost").offering(&["acme-tls/1"]);
    assert!(greeting.connect(site.port()).await.is_err(), "there is no order under way");
    let both = Greeting::to("localhost").offering(&["http/1.1", "acme-tls/1"]).connect(site.port()).await;
    assert_eq!(both.expect("a handshake").get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}
