//! Several addresses of one gateway: each is a site of its own, and no cookie of one opens anything on another
//! (requirements SE-06, PA-06).

use harness::{Ask, Plan, Recorder, Site};

use crate::support::*;

const ADMIN: &str = "admin.localhost";

/// `/host` on the other address alone, `/both` with a route for each, `/rec` on both.
async fn two_sites() -> (Site, Recorder) {
    let recorder = Recorder::start().await;
    let routes = format!(
        r#"
{}
[[routes]]
path     = "/host"
host     = "{ADMIN}"
upstream = "recorder"
allow    = "anyone"

[[routes]]
path     = "/both"
methods  = ["GET", "POST"]
upstream = "recorder"
allow    = "anyone"

[[routes]]
path     = "/both"
methods  = ["GET"]
host     = "{ADMIN}"
upstream = "recorder"
csrf     = "origin"
"#,
        recorder_routes(&recorder)
    );
    (Plan::new().other_site(ADMIN).append(routes).start().await, recorder)
}

#[tokio::test]
async fn people_sign_in_on_each_address_and_stay_there() {
    let (site, recorder) = two_sites().await;
    let admin = site.browser_at(ADMIN);
    let visit = admin.sign_in_at("/auth/sign-in?return_to=/rec", ALICE).await;
    let callback = visit.trail.iter().find(|url| url.path() == "/auth/callback").expect("a callback");
    assert_eq!(callback.host_str(), Some(ADMIN));
    assert_eq!(visit.url.host_str(), Some(ADMIN));
    admin.fetch("GET", "/rec").await.must_be(200);
    let seen = recorder.last();
    assert_eq!(seen.value("x-forwarded-host"), admin.origin().strip_prefix("http://"));
    assert!(seen.value("authorization").is_some());
    // Nobody is signed in on the first address because of it.
    let main = site.browser();
    assert_eq!(main.session().await["signed_in"], false);
    main.sign_in(ALICE).await.must_show("/");
    main.fetch("GET", "/rec").await.must_be(200);
    assert_eq!(recorder.last().value("x-forwarded-host"), Some(&*site.host()));
}

#[tokio::test]
async fn a_session_of_one_address_is_none_on_another() {
    let (site, recorder) = two_sites().await;
    let (main, admin) = (site.signed_in(ALICE).await, site.browser_at(ADMIN));
    recorder.forget();
    let stolen = main.cookie(SESSION).expect("signed in");
    admin.set_cookie(SESSION, &stolen);
    let reply = admin.fetch("GET", "/rec").await;
    assert_eq!(reply.status, 401);
    assert!(reply.set_cookies().iter().any(|cookie| cookie.name == SESSION && cookie.is_removal()));
    recorder.must_be_untouched();
    main.fetch("GET", "/rec").await.must_be(200);
}

#[tokio::test]
async fn a_sign_in_that_began_on_one_address_is_not_finished_on_another() {
    let (site, _recorder) = two_sites().await;
    let main = site.browser();
    let callback = main.callback_address("/auth/sign-in", ALICE).await;
    let before = token_requests(&site);
    let admin = site.browser_at(ADMIN);
    for name in main.cookies_like("") {
        admin.set_cookie(&name, &main.cookie(&name).expect("it has a value"));
    }
    let mut elsewhere = callback.clone();
    elsewhere.set_host(Some(ADMIN)).expect("a host");
    let reply = admin.send(Ask::page(elsewhere.as_str())).await;
    must_be_refused(&reply, &[400], "another site's attempt");
    assert_eq!(token_requests(&site), before);
    assert_eq!(main.send(Ask::page(callback.as_str())).await.status, 303, "and here it works");
}

#[tokio::test]
async fn signing_out_leads_back_to_the_address_where_it_began() {
    let (site, _recorder) = two_sites().await;
    let admin = site.browser_at(ADMIN);
    admin.sign_in(ALICE).await;
    let reply = admin.send(Ask::submit("/auth/sign-out", &[])).await;
    let onward = url::Url::parse(reply.must_redirect()).expect("the provider's address");
    assert_eq!(parameter(&onward, "post_logout_redirect_uri"), format!("{}/auth/signed-out", admin.origin()));
    assert_eq!(admin.session().await["signed_in"], false);
}

#[tokio::test]
async fn a_host_has_its_own_routes_and_those_of_all() {
    let (site, recorder) = two_sites().await;
    let (main, admin) = (site.browser(), site.browser_at(ADMIN));
    // Below `/` the page's route takes what no other does.
    assert_eq!(main.send(Ask::bare("GET", "/host")).await.status, 404);
    assert_eq!(recorder.count(), 0);
    admin.send(Ask::bare("GET", "/host")).await.must_be(200);
    admin.send(Ask::bare("GET", "/open")).await.must_be(200);
    main.send(Ask::bare("POST", "/both")).await.must_be(200);
    main.send(Ask::bare("GET", "/both")).await.must_be(200);
    assert_eq!(admin.send(Ask::bare("GET", "/both")).await.status, 401, "its own route wants a session");
    let reply = admin.send(Ask::bare("POST", "/both")).await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("GET")));
}

#[tokio::test]
async fn a_host_means_the_same_in_every_spelling_and_strangers_are_misdirected() {
    let (site, recorder) = two_sites().await;
    let port = site.addresses().ports.gateway;
    let main = site.browser();
    for host in [format!("{ADMIN}:{port}"), format!("ADMIN.Localhost:{port}"), format!("{ADMIN}.:{port}")] {
        main.send(Ask::bare("GET", "/host").header("host", &host)).await.must_be(200);
        let reply = main.send(Ask::bare("GET", "/both").header("host", &host)).await;
        assert_eq!(reply.status, 401, "{host}");
    }
    recorder.forget();
    for host in [
        ADMIN.to_owned(),
        format!("{ADMIN}:{}", port ^ 1),
        format!("x{ADMIN}:{port}"),
        format!("{ADMIN}.evil.example:{port}"),
        format!("{ADMIN}..:{port}"),
    ] {
        let reply = main.send(Ask::bare("GET", "/host").header("host", &host)).await;
        assert_eq!(reply.status, 421, "{host}");
    }
    recorder.must_be_untouched();
}

#[tokio::test]
async fn another_site_of_the_gateway_is_another_origin_all_the_same() {
    let (site, recorder) = two_sites().await;
    let main = site.signed_in(ALICE).await;
    recorder.forget();
    let foreign = site.browser_at(ADMIN).origin();
    let ask = || Ask::fetch("POST", "/app").without("sec-fetch-site");
    assert_eq!(main.send(ask().set("origin", &foreign)).await.status, 403);
    recorder.must_be_untouched();
    main.send(ask().set("origin", &main.origin())).await.must_be(200);
}
