//! The provider as a whole out of order: failing everywhere, slow, answering into the void, or not there at all.

use std::time::Duration;

use dev_idp::Endpoint;
use dev_idp::faults::{Fault, HttpFault, TokenFault, When};
use http::{Method, header};

use crate::app::{App, text};
use crate::browser::{Browser, form, send};

#[tokio::test]
async fn everything_fails_as_asked_and_then_works_again() {
    let app = App::start().await;
    let faults = app.idp.faults();
    for (fault, status) in
        [(HttpFault::Status500, 500), (HttpFault::Status503, 503), (HttpFault::Status429, 429)]
    {
        faults.set(Fault::Everywhere(fault));
        for endpoint in [Endpoint::Metadata, Endpoint::Keys, Endpoint::Token] {
            let page = app.get(endpoint, &[]).await;
            assert_eq!(page.status, status);
            assert_eq!(page.header(header::RETRY_AFTER).is_empty(), status == 500);
        }
        let home = app.url(Endpoint::Keys).join("/").expect("a URL");
        assert_eq!(Browser::default().get(&home).await.status, status, "pages too");
        faults.unset(Fault::Everywhere(fault));
    }
    assert_eq!(app.redeem(&app.code(&[]).await).await.status, 200);
}

#[tokio::test]
async fn a_lost_answer_leaves_a_rotated_token() {
    let app = App::start().await;
    let faults = app.idp.faults();
    for fault in [TokenFault::LoseAnswer, TokenFault::CutAnswer] {
        app.idp.edit_lifetimes(|lifetimes| lifetimes.refresh_overlap = 30);
        let tokens = app.tokens(&[]).await;
        let refresh = text(&tokens, "refresh_token");
        faults.once(Fault::Refresh(fault));
        let secret = crate::app::tenant().client("todo-web").expect("registered").secret.clone();
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", "todo-web"),
            ("client_secret", secret.expose()),
        ];
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let lost = send(Method::POST, &app.url(Endpoint::Token), &kind, form(&fields)).await;
        assert!(lost.is_err(), "{fault:?}");
        let again = app.refresh(refresh, &[]).await;
        assert_eq!(again.status, 200, "{fault:?}: the overlap forgives it");

        app.idp.edit_lifetimes(|lifetimes| lifetimes.refresh_overlap = 0);
        let next = again.json();
        let refresh = text(&next, "refresh_token");
        faults.once(Fault::Refresh(fault));
        let fields = [&[("refresh_token", refresh)], &fields[2..], &fields[..1]].concat();
        let lost = send(Method::POST, &app.url(Endpoint::Token), &kind, form(&fields)).await;
        assert!(lost.is_err(), "{fault:?}");
        assert_eq!(app.refresh(refresh, &[]).await.status, 400, "{fault:?}: strictly, it is spent");
    }
    assert_eq!(app.idp.refresh_families().iter().map(|family| family.refreshes).sum::<u32>(), 4);
}

#[tokio::test]
async fn a_held_answer_comes_when_it_is_let_go() {
    let app = std::sync::Arc::new(App::start().await);
    let tokens = app.tokens(&[]).await;
    for (when, refreshes) in [(When::Before, 0), (When::After, 2)] {
        let refresh = if when == When::Before { tokens.clone() } else { app.tokens(&[]).await };
        let hold = app.idp.faults().hold(Endpoint::Token, when);
        let asking = tokio::spawn({
            let app = std::sync::Arc::clone(&app);
            async move { app.refresh(text(&refresh, "refresh_token"), &[]).await }
        });
        hold.until_waiting(1).await;
        let so_far: u32 = app.idp.refresh_families().iter().map(|family| family.refreshes).sum();
        assert_eq!(so_far, refreshes, "{when:?}");
        drop(hold);
        assert_eq!(asking.await.expect("it answers").status, 200);
    }
}

#[tokio::test]
async fn a_delay_makes_it_slow_and_clearing_makes_it_fast() {
    let app = App::start().await;
    app.idp.faults().delay(Endpoint::Keys, When::Before, Duration::from_hours(1));
    let asking = app.get(Endpoint::Keys, &[]);
    assert!(tokio::time::timeout(Duration::from_millis(200), asking).await.is_err());
    app.idp.faults().clear();
    assert_eq!(app.get(Endpoint::Keys, &[]).await.status, 200);
}

#[tokio::test]
async fn it_goes_away_and_comes_back_with_all_it_knew() {
    let app = App::start().await;
    let tokens = app.tokens(&[]).await;
    let port = app.url(Endpoint::Token).port().expect("a port");
    let visit = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map(drop);
    app.idp.disconnect().await.expect("it goes");
    assert!(visit().await.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused));
    app.idp.disconnect().await.expect("it is gone already");
    app.idp.reconnect().await.expect("it comes back");
    app.idp.reconnect().await.expect("it is there already");
    let refreshed = app.refresh(text(&tokens, "refresh_token"), &[]).await.json();
    app.verify(text(&refreshed, "id_token"), "todo-web").await;
    app.verify(text(&tokens, "id_token"), "todo-web").await;
}

#[tokio::test]
async fn going_away_breaks_what_is_under_way() {
    let app = std::sync::Arc::new(App::start().await);
    let hold = app.idp.faults().hold(Endpoint::Keys, When::After);
    let asking = tokio::spawn({
        let app = std::sync::Arc::clone(&app);
        async move { send(Method::GET, &app.url(Endpoint::Keys), &[], String::new()).await.is_err() }
    });
    hold.until_waiting(1).await;
    app.idp.disconnect().await.expect("it goes");
    assert!(asking.await.expect("it ends"));
    drop(hold);
    app.idp.reconnect().await.expect("it comes back");
    assert_eq!(app.get(Endpoint::Keys, &[]).await.status, 200);
}
