//! Access tokens: each route gets its own, browsers get none, and one refresh happens at a time (requirements section 7).

use std::collections::BTreeSet;
use std::time::Duration;

use dev_idp::faults::{Fault, TokenFault};
use dev_idp::tenant::{Permission, WebApi};
use dev_idp::{Endpoint, Mint};
use harness::{Ask, Outside, Plan, Recorder, Site};
use serde_json::{Value, json};

use crate::support::*;

pub(crate) const NOTES_API: &str = "5b0b9a55-58f4-4a0e-9d7f-0d3ad8ee5f61";

/// A second API in the tenant, `api://notes`, and its route `/notes` to a recorder of its own.
pub(crate) fn with_notes(plan: Plan, notes: &Recorder) -> Plan {
    let routes = format!(
        "[upstreams.notes]\nservers = [\"{}\"]\n[tokens.notes-read]\nscopes = [\"api://notes/Notes.Read\"]\n\
         [[routes]]\npath = \"/notes\"\nupstream = \"notes\"\ntoken = \"notes-read\"\n",
        notes.url()
    );
    plan.append(routes).tenant(|tenant| {
        let read = Permission { name: "Notes.Read".to_owned(), description: "Read your notes".to_owned() };
        tenant.apis.push(WebApi {
            name: "notes".to_owned(),
            client_id: NOTES_API.to_owned(),
            app_id_uri: "api://notes".to_owned(),
            scopes: vec![read],
            app_roles: Vec::new(),
            idtyp: true,
        });
        let web = tenant.client_mut("todo-web").expect("the web app");
        web.granted_scopes.push("api://notes/Notes.Read".to_owned());
    })
}

/// Refresh tokens that the provider was sent, in order.
fn spent(site: &Site) -> Vec<String> {
    let seen = site.faults().seen(Endpoint::Token);
    seen.iter().filter_map(|seen| seen.map().get("refresh_token").cloned()).collect()
}

#[tokio::test]
async fn each_route_gets_the_token_of_its_own_audience_and_scope_and_others_get_none() {
    let (recorder, notes) = (Recorder::start().await, Recorder::start().await);
    let plan = with_notes(Plan::new().append(recorder_routes(&recorder)), &notes);
    let site = plan
        .append("[[routes]]\npath = \"/write\"\nupstream = \"recorder\"\ntoken = \"todo-write\"\n")
        .start()
        .await;
    let browser = site.signed_in(ALICE).await;
    for _ in 0..2 {
        for (path, upstream, audience, scope) in [
            ("/rec", &recorder, TODO_API, "ToDoList.Read"),
            ("/notes", &notes, NOTES_API, "Notes.Read"),
            ("/write", &recorder, TODO_API, "ToDoList.ReadWrite"),
        ] {
            browser.fetch("GET", path).await.must_be(200);
            let token = bearer(&upstream.last());
            assert_eq!((&token["aud"], &token["scp"]), (&json!(audience), &json!(scope)), "{path}");
            assert_eq!(token["azp"], "todo-web");
        }
    }
    for path in ["/plain", "/open", "/app"] {
        browser.fetch("GET", path).await.must_be(200);
        assert_eq!(recorder.last().values("authorization").len(), 0, "{path}");
    }
    // Three tokens, three refreshes, however many requests.
    assert_eq!(spent(&site).len(), 3);
}

#[tokio::test]
async fn reading_and_writing_the_list_use_tokens_of_their_own_from_one_sign_in() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let add = Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "Buy milk" }));
    let item = browser.send(add).await.must_be(201).json();
    let list = browser.fetch("GET", "/api/todolist").await.must_be(200).json();
    assert_eq!(list["items"][0]["id"], item["id"]);
    let path = format!("/api/todolist/{}", item["id"].as_str().expect("an id"));
    browser.send(Ask::fetch("PATCH", &path).json(&json!({ "done": true }))).await.must_be(200);
    browser.fetch("DELETE", &path).await.must_be(204);
    browser.fetch("GET", &path).await.must_be(404);
    let scopes: Vec<String> = site
        .faults()
        .seen(Endpoint::Token)
        .iter()
        .filter_map(|seen| seen.map().get("scope").cloned())
        .map(|scope| scope.split(' ').filter(|one| one.starts_with("api:")).collect())
        .collect();
    assert_eq!(scopes, ["api://todo-service/ToDoList.ReadWrite", "api://todo-service/ToDoList.Read"]);
    assert_eq!(site.requests(Endpoint::Authorize), 1);
}

#[tokio::test]
async fn a_clients_own_authorization_opens_nothing_and_is_passed_to_nobody() {
    let (site, recorder) = with_recorder().await;
    let anonymous = site.browser();
    let token =
        site.provider().mint_access_token(Mint::user(ALICE).scopes(&["ToDoList.Read"])).expect("a token");
    let own = format!("Bearer {token}");
    for path in ["/rec", "/plain", "/api/todolist"] {
        anonymous.send(Ask::fetch("GET", path).header("authorization", &own)).await.must_be(401);
    }
    recorder.must_be_untouched();
    let browser = site.signed_in(ALICE).await;
    for path in ["/rec", "/plain", "/open", "/app"] {
        let ask = Ask::fetch("GET", path)
            .header("authorization", &own)
            .header("authorization", "Basic bWluZTptaW5l")
            .header("proxy-authorization", "Basic bWluZTptaW5l");
        browser.send(ask).await.must_be(200);
        let seen = recorder.last();
        let sent = seen.values("authorization");
        assert_eq!(sent.len(), usize::from(path == "/rec"), "{path}: {}", seen.head);
        assert!(!seen.head.contains(&token) && !seen.head.contains("bWluZTptaW5l"), "{path}: {}", seen.head);
    }
    // In a trailer it does not arrive either.
    let trailer = format!(
        "POST /open HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nTrailer: authorization\r\nConnection: close\r\n\r\n\
         2\r\nhi\r\n0\r\nAuthorization: {own}\r\n\r\n",
        site.host()
    );
    assert!(site.raw(trailer).await.starts_with("HTTP/1.1 200"));
    let seen = recorder.last();
    assert!(!String::from_utf8_lossy(&seen.body).contains(&token) && !seen.head.contains(&token));
}

#[tokio::test]
async fn nothing_the_browser_gets_holds_a_token() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/rec").await.must_be(200);
    let token = recorder.last().value("authorization").expect("a token").replace("Bearer ", "");
    let parts: Vec<&str> = token.split('.').collect();
    recorder.answer_always("HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"\r\ncontent-length: 0\r\n\r\n");
    for ask in [
        Ask::fetch("GET", "/rec"),
        Ask::page("/auth/session"),
        Ask::page("/"),
        Ask::page("/auth/nothing"),
        Ask::fetch("GET", "/api/todolist"),
        Ask::fetch("GET", "/api/todolist/none"),
        Ask::page("/auth/sign-in"),
        Ask::page("/a//b"),
    ] {
        let reply = browser.send(ask).await;
        let all = format!("{:?}{}", reply.headers, reply.text());
        assert!(parts.iter().all(|part| !all.contains(part)), "{all}");
        assert!(!all.contains("eyJ"), "something looks like a token: {all}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_at_once_spend_each_refresh_token_once() {
    let (recorder, notes) = (Recorder::start().await, Recorder::start().await);
    let site = with_notes(Plan::new().append(recorder_routes(&recorder)), &notes).start().await;
    let browser = site.signed_in(ALICE).await;
    // The provider revokes everything when a refresh token comes twice, so one slip would show. Twice: with no token held,
    // and with tokens that have expired.
    for round in 0..2 {
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..100 {
            let browser = browser.clone();
            asking.spawn(async move { browser.fetch("GET", ["/rec", "/notes"][number % 2]).await.status });
        }
        for status in asking.join_all().await {
            assert_eq!(status, 200, "round {round}");
        }
        for _ in 0..3 {
            site.advance(Duration::from_secs(1_210));
            browser.session().await;
        }
    }
    let spent = spent(&site);
    assert_eq!(spent.len(), 4, "two audiences, two rounds");
    assert_eq!(spent.iter().collect::<BTreeSet<_>>().len(), 4);
}

#[tokio::test]
async fn tokens_are_renewed_before_they_expire() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/rec").await.must_be(200);
    let first = bearer(&recorder.last());
    site.advance(Duration::from_secs(1_785));
    browser.fetch("GET", "/rec").await.must_be(200);
    assert_eq!(bearer(&recorder.last())["uti"], first["uti"], "still good for half an hour");
    site.advance(Duration::from_secs(1_790));
    browser.fetch("GET", "/rec").await.must_be(200);
    assert_eq!(bearer(&recorder.last())["uti"], first["uti"], "no request waits while the old one is good");
    let second = loop {
        browser.fetch("GET", "/rec").await.must_be(200);
        let held = bearer(&recorder.last());
        if held["uti"] != first["uti"] {
            break held;
        }
    };
    assert_eq!(spent(&site).len(), 2, "one refresh behind all of them");
    assert!(second["exp"].as_i64() > first["exp"].as_i64());
}

#[tokio::test]
async fn the_old_refresh_token_is_kept_only_when_no_new_one_comes() {
    let (site, _recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    site.faults().set(Fault::Refresh(TokenFault::OmitRefreshToken));
    browser.fetch("GET", "/rec").await.must_be(200);
    site.heal();
    browser.send(Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "x" }))).await.must_be(201);
    browser.fetch("GET", "/api/todolist").await.must_be(200);
    let spent = spent(&site);
    assert_eq!(spent.len(), 2);
    assert_eq!(spent[0], spent[1], "the first was not replaced, so it is used again");
    let third = site.signed_in(BOB).await;
    third.fetch("GET", "/rec").await.must_be(200);
    third.send(Ask::fetch("POST", "/api/todolist").json(&json!({ "description": "x" }))).await.must_be(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_is_gone_ends_the_session_without_a_storm() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    site.faults().set(Fault::Refresh(TokenFault::InvalidGrant));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let tab = browser.copy();
        asking.spawn(async move { tab.fetch("GET", "/rec").await.status });
    }
    for status in asking.join_all().await {
        assert_eq!(status, 401);
    }
    assert_eq!(spent(&site).len(), 1);
    recorder.must_be_untouched();
    let page = browser.copy();
    browser.fetch("GET", "/plain").await.must_be(401);
    let reply = page.send(Ask::page("/plain")).await;
    assert!(reply.must_redirect().starts_with(&site.addresses().provider));
    site.heal();
    site.signed_in(ALICE).await.fetch("GET", "/rec").await.must_be(200);
}

#[tokio::test]
async fn a_provider_in_trouble_ends_no_session_and_is_not_pressed() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/rec").await.must_be(200);
    let first = bearer(&recorder.last());
    let troubles: [Fault; 3] = [
        Fault::Refresh(TokenFault::Unavailable),
        Fault::Refresh(TokenFault::ServerError),
        (Endpoint::Token, dev_idp::faults::HttpFault::Status429).into(),
    ];
    site.advance(Duration::from_secs(1_785));
    browser.session().await;
    site.advance(Duration::from_secs(1_790));
    // Due, but not expired: the old token serves, and the provider is asked once in five seconds at most, behind requests.
    site.faults().set(troubles[0]);
    for _ in 0..5 {
        browser.fetch("GET", "/rec").await.must_be(200);
        assert_eq!(bearer(&recorder.last())["uti"], first["uti"]);
    }
    while spent(&site).len() < 2 {
        tokio::task::yield_now().await;
    }
    browser.fetch("GET", "/rec").await.must_be(200);
    assert_eq!(spent(&site).len(), 2);
    // Expired: whoever asks waits for the try that is under way.
    site.advance(Duration::from_secs(60));
    assert!(browser.fetch("GET", "/rec").await.status.is_server_error());
    site.heal();
    site.advance(Duration::from_secs(77));
    // 503 with a hint, the session stays.
    for trouble in troubles {
        site.faults().set(trouble);
        let asked = spent(&site).len();
        for _ in 0..4 {
            let reply = browser.fetch("GET", "/rec").await;
            assert!(matches!(reply.status.as_u16(), 502 | 503), "{}: {}", trouble.name(), reply.status);
            assert_eq!(browser.session().await["signed_in"], true, "{}", trouble.name());
        }
        assert_eq!(spent(&site).len(), asked + 1, "{}", trouble.name());
        site.heal();
        // The pauses grow, to a minute and a quarter at most.
        site.advance(Duration::from_secs(77));
    }
    let healed = browser.fetch("GET", "/rec").await;
    healed.must_be(200);
}

#[tokio::test]
async fn a_renewed_id_token_of_somebody_else_ends_the_session() {
    let (site, recorder) = with_recorder().await;
    let minted = |mint: Mint| site.provider().mint_id_token(mint).expect("an ID token");
    let bad = [
        ("another person", minted(Mint::user(BOB))),
        ("another client", minted(Mint::user(ALICE).audience("somebody-else"))),
        ("another issuer", minted(Mint::user(ALICE).face(dev_idp::Face::Entra))),
        ("a bad signature", minted(Mint::user(ALICE).fault(dev_idp::faults::IdTokenFault::BadSignature))),
        (
            "another nonce",
            minted(Mint::user(ALICE).edit(|_, claims| drop(claims.insert("nonce".to_owned(), json!("x"))))),
        ),
    ];
    for (what, id_token) in bad {
        let browser = site.signed_in(ALICE).await;
        recorder.forget();
        put_into_refreshes(&site, &id_token);
        browser.fetch("GET", "/rec").await.must_be(401);
        recorder.must_be_untouched();
        site.heal();
        assert_eq!(browser.session().await["signed_in"], false, "{what}");
    }
    // Her own, newer one is welcome.
    let browser = site.signed_in(ALICE).await;
    put_into_refreshes(&site, &minted(Mint::user(ALICE)));
    browser.fetch("GET", "/rec").await.must_be(200);
    assert_eq!(browser.session().await["signed_in"], true);
}

fn put_into_refreshes(site: &Site, id_token: &str) {
    let id_token = id_token.to_owned();
    site.faults().edit_token_response(move |bytes| {
        let mut response: Value = serde_json::from_slice(bytes).expect("the provider's own JSON");
        response["id_token"] = json!(id_token);
        *bytes = response.to_string().into_bytes();
    });
}

#[tokio::test]
async fn an_upstreams_refusal_is_passed_on_without_its_challenge() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    for challenge in ["Bearer error=\"invalid_token\"", "Basic realm=\"x\"", "Negotiate"] {
        recorder.answer_once(format!(
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: {challenge}\r\ncontent-length: 0\r\n\r\n"
        ));
        let reply = browser.fetch("GET", "/plain").await;
        reply.must_be(401);
        assert!(reply.header("www-authenticate").is_none(), "{challenge}");
    }
    assert_eq!(browser.session().await["signed_in"], true);
}

#[tokio::test]
async fn an_upstreams_redirect_is_passed_on_and_never_followed() {
    let outside = Outside::start();
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    for status in [301, 302, 303, 307, 308] {
        recorder.answer_once(format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: {}/x\r\ncontent-length: 0\r\n\r\n",
            outside.url()
        ));
        let reply = browser.fetch("GET", "/rec").await;
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(reply.location(), Some(format!("{}/x", outside.url()).as_str()));
    }
    outside.must_be_silent();
}

#[tokio::test]
async fn an_upstreams_redirect_to_its_own_name_does_not_show_that_name() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    for own in [recorder.url(), format!("//{}", recorder.authority())] {
        recorder.answer_once(format!(
            "HTTP/1.1 302 Found\r\nlocation: {own}/rec/next?x=1\r\ncontent-length: 0\r\n\r\n"
        ));
        let reply = browser.fetch("GET", "/rec").await;
        let location = reply.must_redirect();
        assert!(!location.contains(&recorder.authority()), "{own}: the browser must not learn of {location}");
        assert_eq!(browser.resolve(location).as_str(), site.url("/rec/next?x=1"), "{own}");
    }
    // A path stays a path.
    recorder.answer_once("HTTP/1.1 302 Found\r\nlocation: /rec/next\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(browser.fetch("GET", "/rec").await.must_redirect(), "/rec/next");
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_never_sent_again() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    // On a fresh connection, and on one that has served before.
    for _ in 0..2 {
        recorder.forget();
        recorder.answer_once_and_close("");
        let reply = browser.send(Ask::fetch("POST", "/plain").body("once")).await;
        reply.must_be(502);
        assert_eq!(recorder.count(), 1);
        browser.send(Ask::fetch("POST", "/plain").body("works")).await.must_be(200);
    }
}

#[tokio::test]
async fn signing_out_ends_tokens_that_are_held() {
    let (site, recorder) = with_recorder().await;
    let browser = site.signed_in(ALICE).await;
    browser.fetch("GET", "/rec").await.must_be(200);
    let old = browser.copy();
    browser.fetch("POST", "/auth/sign-out").await.must_be(200);
    recorder.forget();
    old.fetch("GET", "/rec").await.must_be(401);
    recorder.must_be_untouched();
    let refresh_token = site.secrets().of(harness::Kind::RefreshToken);
    assert!(!refresh_token.is_empty());
}
