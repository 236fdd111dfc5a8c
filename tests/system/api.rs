//! The to-do service behind and beside the gateway: it believes nobody but a token (requirements section 8; the issue's
//! "Shown when"). Its own tests, in todo-service, go deeper.

use dev_idp::faults::IdTokenFault;
use dev_idp::{Face, Mint};
use harness::{Ask, Plan, Reply, Site};
use serde_json::{Value, json};

use crate::support::*;

const LIST: &str = "/api/todolist";

async fn with_token(site: &Site, ask: Ask, token: &str) -> Reply {
    site.todo(ask.header("authorization", &format!("Bearer {token}"))).await
}

fn user(site: &Site, email: &str, scopes: &[&str]) -> String {
    site.provider().mint_access_token(Mint::user(email).scopes(scopes)).expect("a token")
}

fn add(description: &str) -> Ask {
    Ask::bare("POST", LIST).json(&json!({ "description": description }))
}

#[tokio::test]
async fn the_api_itself_refuses_who_brings_no_token_an_id_token_or_somebody_elses() {
    let site = Site::start().await;
    let none =
        site.todo(Ask::bare("GET", LIST).header("x-forwarded-user", ALICE).header("x-user", ALICE)).await;
    none.must_be(401);
    let challenge = none.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer") && !challenge.contains("error="), "{challenge}");
    let provider = site.provider();
    let minted = |mint: Mint| provider.mint_access_token(mint.scopes(&["ToDoList.Read"])).expect("a token");
    let bad = [
        ("an ID token", provider.mint_id_token(Mint::user(ALICE)).expect("a token")),
        ("another audience", minted(Mint::user(ALICE).audience("api://another"))),
        ("the web app as audience", minted(Mint::user(ALICE).audience("todo-web"))),
        ("expired", minted(Mint::user(ALICE).lifetime(-120))),
        ("another issuer", minted(Mint::user(ALICE).fault(IdTokenFault::WrongIssuer))),
        ("a bad signature", minted(Mint::user(ALICE).fault(IdTokenFault::BadSignature))),
        ("no algorithm", minted(Mint::user(ALICE).fault(IdTokenFault::AlgNone))),
        ("another tenant", minted(Mint::user(ALICE).fault(IdTokenFault::WrongTid))),
        ("a key of its own", minted(Mint::user(ALICE).fault(IdTokenFault::Jwk))),
        ("another kind", minted(Mint::user(ALICE).fault(IdTokenFault::TypLogoutToken))),
    ];
    for (what, token) in bad {
        let reply = with_token(&site, Ask::bare("GET", LIST), &token).await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.text());
        assert!(
            reply.header("www-authenticate").is_some_and(|value| value.contains("invalid_token")),
            "{what}"
        );
    }
    let query = site
        .todo(Ask::bare("GET", &format!("{LIST}?access_token={}", user(&site, ALICE, &["ToDoList.Read"]))))
        .await;
    query.must_be(401);
    for face in [Face::Plain, Face::Entra] {
        with_token(&site, Ask::bare("GET", LIST), &minted(Mint::user(ALICE).face(face))).await.must_be(200);
    }
}

#[tokio::test]
async fn reading_permits_no_writing_and_exact_names_count() {
    let site = Site::start().await;
    let read = user(&site, ALICE, &["ToDoList.Read"]);
    let reply = with_token(&site, add("x"), &read).await;
    reply.must_be(403);
    let challenge = reply.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("ToDoList.ReadWrite"),
        "{challenge}"
    );
    for scopes in [&["ToDoList.ReadWriteX"][..], &["todolist.read"], &["ToDolist.Read"], &[]] {
        let token = user(&site, ALICE, scopes);
        with_token(&site, Ask::bare("GET", LIST), &token).await.must_be(403);
    }
    let list = with_token(&site, Ask::bare("GET", LIST), &read).await.must_be(200).json();
    assert_eq!(list["items"], json!([]), "nothing was added");
    let write = user(&site, ALICE, &["ToDoList.ReadWrite"]);
    with_token(&site, add("x"), &write).await.must_be(201);
    with_token(&site, Ask::bare("GET", LIST), &write).await.must_be(200);
}

#[tokio::test]
async fn somebody_elses_item_does_not_exist() {
    let site = Site::start().await;
    let (alice, bob) =
        (user(&site, ALICE, &["ToDoList.ReadWrite"]), user(&site, BOB, &["ToDoList.ReadWrite"]));
    let item = with_token(&site, add("mine"), &alice).await.must_be(201).json();
    let path = format!("{LIST}/{}", item["id"].as_str().expect("an id"));
    let nowhere = format!("{LIST}/{}", "00000000-0000-4000-8000-000000000000");
    let comparable = |reply: &Reply| {
        let mut problem = reply.json();
        problem["request_id"] = Value::Null;
        (reply.status, problem)
    };
    let asks = |path: &str| {
        [
            Ask::bare("GET", path),
            Ask::bare("PUT", path).json(&json!({ "description": "theirs", "done": true })),
            Ask::bare("PATCH", path).json(&json!({ "done": true })),
            Ask::bare("DELETE", path),
        ]
    };
    for (theirs, none) in asks(&path).into_iter().zip(asks(&nowhere)) {
        let (theirs, none) = (with_token(&site, theirs, &bob).await, with_token(&site, none, &bob).await);
        theirs.must_be(404);
        assert_eq!(comparable(&theirs), comparable(&none));
    }
    assert_eq!(with_token(&site, Ask::bare("GET", LIST), &bob).await.json()["items"], json!([]));
    let still = with_token(&site, Ask::bare("GET", &path), &alice).await.must_be(200).json();
    assert_eq!(still["description"], "mine");
    // Nobody chooses whose item it is.
    let owned = Ask::bare("POST", LIST).json(&json!({ "description": "x", "owner": item["owner"] }));
    with_token(&site, owned, &bob).await.must_be(400);
}

#[tokio::test]
async fn an_apps_permission_is_not_a_persons() {
    let site = Site::start().await;
    let provider = site.provider();
    let alice = user(&site, ALICE, &["ToDoList.ReadWrite"]);
    with_token(&site, add("mine"), &alice).await.must_be(201);
    let app =
        provider.mint_access_token(Mint::app("todo-daemon").roles(&["ToDoList.Read.All"])).expect("a token");
    assert_eq!(
        with_token(&site, Ask::bare("GET", LIST), &app).await.must_be(200).json()["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    // A person with an app's role in the token stays a person.
    let roles = ["ToDoList.Read.All", "ToDoList.ReadWrite.All"];
    let person = provider.mint_access_token(Mint::user(BOB).roles(&roles)).expect("a token");
    with_token(&site, Ask::bare("GET", LIST), &person).await.must_be(403);
    let both = provider
        .mint_access_token(Mint::user(BOB).roles(&roles).scopes(&["ToDoList.Read"]))
        .expect("a token");
    assert_eq!(
        with_token(&site, Ask::bare("GET", LIST), &both).await.must_be(200).json()["items"],
        json!([])
    );
    with_token(&site, add("x"), &both).await.must_be(403);
}

#[tokio::test]
async fn without_keys_it_says_503_and_never_lets_anybody_in() {
    let mut site = Plan::new().without_provider().start().await;
    site.start_provider().await;
    let token = user(&site, ALICE, &["ToDoList.Read"]);
    site.stop_provider().await;
    let reply = with_token(&site, Ask::bare("GET", LIST), &token).await;
    reply.must_be(503);
    assert!(reply.header("retry-after").is_some());
    assert_eq!(site.todo(Ask::bare("GET", "/healthz")).await.status, 200);
    site.start_provider().await;
    let token = user(&site, ALICE, &["ToDoList.Read"]);
    site.advance(std::time::Duration::from_secs(31));
    let token_now = user(&site, ALICE, &["ToDoList.Read"]);
    let reply = with_token(&site, Ask::bare("GET", LIST), &token_now).await;
    assert!(reply.status == 200, "{token:.0}{}", reply.text());
}

#[tokio::test]
async fn problems_of_the_api_reach_the_browser_as_they_are() {
    let site = Site::start().await;
    let browser = site.signed_in(ALICE).await;
    let empty = browser.send(Ask::fetch("POST", LIST).json(&json!({ "description": "" }))).await;
    empty.must_be(422);
    assert_eq!(empty.header("content-type"), Some("application/problem+json"));
    assert!(empty.text().contains("description"), "{}", empty.text());
    let item = browser.send(Ask::fetch("POST", LIST).json(&json!({ "description": "x" }))).await;
    let location = item.must_be(201).location().expect("a Location").to_owned();
    assert!(location.starts_with(LIST), "{location}");
    let etag = item.header("etag").expect("an ETag").to_owned();
    let change =
        |etag: &str| Ask::fetch("PATCH", &location).json(&json!({ "done": true })).header("if-match", etag);
    browser.send(change(&etag)).await.must_be(200);
    browser.send(change(&etag)).await.must_be(412);
    browser.fetch("DELETE", &location).await.must_be(204);
}

#[tokio::test]
async fn the_list_survives_a_restart_of_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite:{}", folder.path().join("todo.db").display());
    let planned = |database: String| Plan::new().todo(move |config| config.database = database);
    let site = planned(database.clone()).start().await;
    let browser = site.signed_in(ALICE).await;
    browser.send(Ask::fetch("POST", LIST).json(&json!({ "description": "still here" }))).await.must_be(201);
    site.into_logs().await;
    let again = planned(database).start().await;
    let browser = again.signed_in(ALICE).await;
    let list = browser.fetch("GET", LIST).await.must_be(200).json();
    assert_eq!(list["items"][0]["description"], "still here");
}
