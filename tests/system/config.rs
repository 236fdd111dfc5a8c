//! Configurations that must not start, and what a minimal one does (requirements section 18). The gateway's own tests
//! cover every key; here the shipped file is broken in one place at a time.

use std::path::Path;

use gateway::config::Config;
use harness::{Ask, Plan};

use crate::support::*;

fn parse(text: &str) -> Result<Config, String> {
    let root = demo::root().expect("the tests run in the checkout");
    Config::parse(text, "gateway.toml", &root).map_err(|problems| problems.to_string())
}

fn shipped() -> String {
    let root = demo::root().expect("the tests run in the checkout");
    std::fs::read_to_string(root.join("gateway.toml")).expect("gateway.toml")
}

#[test]
fn the_shipped_configuration_is_sound_and_warns_of_nothing_it_should_not() {
    let config = parse(&shipped()).expect("sound");
    assert_eq!(config.routes.len(), 3);
    assert_eq!(config.tokens.len(), 2);
}

#[test]
fn broken_configurations_are_refused_and_the_message_names_the_key() {
    // A piece of the shipped file, what stands there instead, and a word that the message must hold.
    let broken = [
        ("[session]", "[sesion]", "sesion"),
        ("idle     =", "idel     =", "idel"),
        ("idle     = \"30m\"", "idle = 30", "idle"),
        ("idle     = \"30m\"", "idle = \"30 minutes\"", "idle"),
        ("idle     = \"30m\"", "idle = \"9h\"", "idle"),
        ("idle     = \"30m\"", "idle = \"0s\"", "idle"),
        ("absolute = \"8h\"", "absolute = \"soon\"", "absolute"),
        ("store    = { file = \"var/sessions.db\" }", "store = \"disk\"", "store"),
        ("public_url = \"http://localhost:3000\"", "public_url = \"localhost:3000\"", "public_url"),
        (
            "public_url = \"http://localhost:3000\"",
            "public_url = \"http://localhost:3000/app\"",
            "public_url",
        ),
        ("public_url = \"http://localhost:3000\"", "public_url = \"http://app.example\"", "public_url"),
        ("public_url = \"http://localhost:3000\"", "", "public_url"),
        ("\"127.0.0.1:3000\"", "\"localhost\"", "http"),
        ("\"127.0.0.1:3000\"", "\"0.0.0.0:3000\"", "http"),
        ("\"127.0.0.1:3003\"", "3003", "admin"),
        ("issuer        = \"http://localhost:3002\"", "issuer = \"http://login.example\"", "issuer"),
        ("issuer        = \"http://localhost:3002\"", "issuer = \"\"", "issuer"),
        ("issuer        = \"http://localhost:3002\"", "", "issuer"),
        (
            "issuer        = \"http://localhost:3002\"",
            "issuer = \"http://localhost:3002\"\nmetadata_url = \"http://login.example/x\"",
            "metadata_url",
        ),
        ("client_id     = \"todo-web\"", "", "client_id"),
        ("client_id     = \"todo-web\"", "client_id = \"\"", "client_id"),
        (
            "{ file = \"deploy/dev-idp/todo-web.secret\" }",
            "{ file = \"deploy/dev-idp/none.secret\" }",
            "client_secret",
        ),
        (
            "{ file = \"deploy/dev-idp/todo-web.secret\" }",
            "{ env = \"NO_SUCH_VARIABLE_HERE\" }",
            "client_secret",
        ),
        ("{ file = \"deploy/dev-idp/todo-web.secret\" }", "\"written-right-into-the-file\"", "client_secret"),
        ("client_secret = { file = \"deploy/dev-idp/todo-web.secret\" }", "", "client_authentication"),
        ("scopes        = [\"profile\", \"email\", \"offline_access\"]", "scopes = \"profile\"", "scopes"),
        ("scopes        = [\"profile\", \"email\", \"offline_access\"]", "scopes = [\"a b\"]", "scopes"),
        ("scopes        = [", "response_mode = \"fragment\"\nscopes = [", "response_mode"),
        ("scopes        = [", "id_token_algorithms = [\"none\"]\nscopes = [", "id_token_algorithms"),
        ("scopes        = [", "id_token_algorithms = [\"HS256\"]\nscopes = [", "id_token_algorithms"),
        ("scopes        = [", "pass_parameters = [\"redirect_uri\"]\nscopes = [", "pass_parameters"),
        ("servers = [\"http://127.0.0.1:3001\"]", "servers = []", "servers"),
        ("servers = [\"http://127.0.0.1:3001\"]", "servers = [\"127.0.0.1:3001\"]", "servers"),
        ("servers = [\"http://127.0.0.1:3001\"]", "servers = [\"http://127.0.0.1:3001/api\"]", "servers"),
        ("servers = [\"http://127.0.0.1:3001\"]", "servers = [\"http://10.0.0.7:3001\"]", "todo"),
        (
            "[tokens.todo-read]\nscopes = [\"api://todo-service/ToDoList.Read\"]",
            "[tokens.todo-read]\nscopes = []",
            "scopes",
        ),
        ("[tokens.todo-read]", "[tokens.\"todo read\"]", "todo read"),
        ("token    = \"todo-read\"", "token = \"todo-raed\"", "todo-raed"),
        ("upstream = \"todo-service\"", "upstream = \"todo-servise\"", "todo-servise"),
        ("upstream = \"todo-service\"", "", "upstream"),
        ("methods  = [\"GET\", \"HEAD\"]", "methods = [\"GET\", \"HEAD\", \"POST\"]", "POST"),
        ("methods  = [\"GET\", \"HEAD\"]", "methods = [\"get\"]", "get"),
        ("methods  = [\"GET\", \"HEAD\"]", "methods = []", "methods"),
        ("methods  = [\"GET\", \"HEAD\"]", "methods = [\"TRACE\"]", "TRACE"),
        ("path     = \"/\"", "path = \"\"", "path"),
        ("path     = \"/\"", "path = \"/a/../b\"", "path"),
        ("path     = \"/\"", "path = \"//\"", "path"),
        ("path     = \"/\"", "path = \"/*\"", "path"),
        ("path     = \"/\"", "path = \"/auth\"", "/auth"),
        ("files    = \"web-ui\"", "files = \"no-such-folder\"", "no-such-folder"),
        ("fallback = \"index.html\"", "fallback = \"../gateway.toml\"", "fallback"),
        ("fallback = \"index.html\"", "fallback = \"none.html\"", "fallback"),
        ("allow    = \"anyone\"", "allow = \"anybody\"", "allow"),
        ("allow    = \"anyone\"", "allow = { any = [\"anyone\", \"signed-in\"] }", "anyone"),
        ("allow    = \"anyone\"", "allow = { role = \"\" }", "role"),
        ("allow    = \"anyone\"", "allow = { all = [] }", "all"),
        (
            "allow    = \"signed-in\"\ntoken    = \"todo-read\"",
            "allow = \"anyone\"\ntoken = \"todo-read\"",
            "token",
        ),
        ("allow    = \"signed-in\"\ntoken    = \"todo-read\"", "csrf = \"none\"", "csrf"),
        ("[log]", "[cors]\norigins = [\"*\"]\n[log]", "cors"),
        ("level  = \"info\"", "level = \"loud\"", "level"),
        ("access = true", "access = \"yes\"", "access"),
        ("format = \"auto\"", "format = \"xml\"", "format"),
        ("[log]", "[log", "log"),
    ];
    let shipped = shipped();
    for (piece, with, word) in broken {
        assert!(shipped.contains(piece), "gateway.toml holds no {piece:?}");
        let text = shipped.replacen(piece, with, 1);
        let problems =
            parse(&text).err().unwrap_or_else(|| panic!("{piece:?} replaced by {with:?} is taken"));
        assert!(problems.contains(word), "{with:?}: {word:?} is not in:\n{problems}");
        assert!(!problems.contains("written-right-into-the-file"), "a secret is shown:\n{problems}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = shipped()
        .replacen("idle     =", "idel     =", 1)
        .replacen("\"todo-read\"", "\"todo-raed\"", 1)
        .replacen("level  = \"info\"", "level = \"loud\"", 1);
    let problems = parse(&text).expect_err("three mistakes");
    for word in ["idel", "todo-raed", "loud"] {
        assert!(problems.contains(word), "{word}: {problems}");
    }
}

#[test]
fn a_secret_that_is_a_placeholder_or_short_or_empty_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for secret in [
        "",
        "\n",
        "short",
        "changeme",
        "change-me-change-me",
        "your-client-secret",
        "<client-secret-here>",
        "xxxxxxxxxxxxxxxxxxxxxxxx",
    ] {
        let file = folder.path().join("secret");
        std::fs::write(&file, secret).expect("a file");
        let text = shipped().replacen("deploy/dev-idp/todo-web.secret", &file.display().to_string(), 1);
        let problems = parse(&text).err().unwrap_or_else(|| panic!("{secret:?} is taken"));
        assert!(problems.contains("client_secret") || problems.contains("secret"), "{problems}");
    }
    let file = folder.path().join("secret");
    std::fs::write(&file, "Zq8~wT4kVbN2.mXs9\n").expect("a file");
    assert!(
        parse(&shipped().replacen("deploy/dev-idp/todo-web.secret", &file.display().to_string(), 1)).is_ok()
    );
}

#[tokio::test]
async fn without_routes_there_is_nothing_and_without_a_rule_there_is_no_entry() {
    // Up to the first route of the shipped file: no route at all.
    let bare = Plan::new()
        .gateway(|text| text.split("[[routes]]").next().unwrap_or_default().to_owned())
        .start()
        .await;
    let browser = bare.browser();
    for path in ["/", "/index.html", "/api/todolist", "/anything"] {
        browser.send(Ask::bare("GET", path)).await.must_be(404);
    }
    assert_eq!(browser.session().await["signed_in"], false);
    let ruleless = Plan::new().replace("allow    = \"anyone\"", "").start().await;
    let browser = ruleless.browser();
    browser.send(Ask::fetch("GET", "/")).await.must_be(401);
    browser.send(Ask::fetch("GET", "/app.css")).await.must_be(401);
    browser.sign_in_at("/", ALICE).await.must_show("/");
}

#[test]
fn relative_paths_start_from_the_folder_of_the_file() {
    let error = Config::parse(&shipped(), "gateway.toml", Path::new("/nowhere/at/all"))
        .expect_err("nothing is there");
    assert!(error.to_string().contains("todo-web.secret"), "{error}");
}
