//! The guides to providers, read as a reader of TOML would: every block is a whole configuration that the gateway or the
//! to-do service takes, and every link leads somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gateway::config::Config;
use gateway::session::TokenKind;

const PROVIDERS: [&str; 10] = [
    "entra-external-id",
    "entra-id",
    "keycloak",
    "auth0",
    "okta",
    "google",
    "authentik",
    "zitadel",
    "gitlab",
    "dex",
];

fn folder() -> PathBuf {
    demo::root().expect("the tests run in the checkout").join("gateway/docs/providers")
}

fn guide(name: &str) -> String {
    std::fs::read_to_string(folder().join(name).with_extension("md"))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands between the fences that say `toml`.
fn blocks(text: &str) -> Vec<String> {
    let parts = text.split("```toml\n").skip(1);
    parts.map(|part| part.split("\n```").next().expect("a part").to_owned()).collect()
}

/// What the guides' configurations name.
fn surroundings() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("created");
        std::fs::write(path, text).expect("written");
    };
    write("web/index.html", "<!doctype html>");
    write("secrets/client", "gMz1-8hT_q2vXc7RkLw0PyNd");
    folder
}

fn read(text: &str, base: &Path) -> Config {
    Config::parse(text, "guide", base).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_configuration_in_the_guides_is_one_that_the_gateway_takes() {
    let around = surroundings();
    for name in PROVIDERS.into_iter().chain(["README"]) {
        let blocks = blocks(&guide(name));
        let own: Vec<_> = blocks.iter().filter(|text| text.contains("[provider]")).collect();
        assert!(!own.is_empty(), "{name} shows no configuration");
        for text in own {
            read(text, around.path());
        }
        let services: Vec<_> = blocks.iter().filter(|text| text.contains("[[issuers]]")).collect();
        for text in &services {
            let path = around.path().join("todo-service.toml");
            std::fs::write(&path, text).expect("written");
            let loaded = todo_service::Config::load(&path);
            assert!(loaded.is_ok(), "{name}: {:?}", loaded.err());
        }
        assert_eq!(
            blocks.len(),
            blocks.iter().filter(|text| text.contains("public_url")).count() + services.len()
        );
    }
}

#[test]
fn the_guide_to_external_id_names_each_step_and_both_sides_agree() {
    let text = guide("entra-external-id");
    for step in [
        "Register a web API application",
        "Configure API scopes",
        "Configure app roles",
        "Configure optional claims",
        "Register the web app",
        "Create a client secret",
        "Grant API permissions",
        "Create a user flow",
        "Associate web application with the user flow",
    ] {
        assert!(text.contains(&format!("| {step} |")), "{step}");
    }
    let around = surroundings();
    let blocks = blocks(&text);
    let gateway = read(&blocks[0], around.path());
    let service = &blocks[1];
    for value in [&*gateway.providers[0].issuer, gateway.providers[0].metadata_url.as_str()] {
        assert!(service.contains(value), "{value}");
    }
    for spec in &gateway.tokens {
        assert_eq!(spec.kind, TokenKind::User);
        let api =
            spec.scopes.names().next().and_then(|scope| scope.strip_prefix("api://")?.split('/').next());
        assert!(service.contains(api.expect("an API")), "{}", spec.name);
    }
}

#[test]
fn every_guide_says_what_was_tried_and_the_index_leads_to_all() {
    let index = guide("README");
    for name in PROVIDERS {
        assert!(index.contains(&format!("({name}.md)")), "{name} is not in the index");
        let text = guide(name);
        assert!(text.contains("2026-11-22") && text.to_lowercase().contains("not tried"), "{name}");
        for address in ["/auth/callback", "## What to register", "## What is special", "gateway doctor"] {
            assert!(text.contains(address), "{name}: {address}");
        }
    }
    let there: BTreeSet<_> =
        std::fs::read_dir(folder()).expect("readable").map(|file| file.expect("a file").path()).collect();
    assert_eq!(there.len(), PROVIDERS.len() + 1);
}

#[test]
fn links_of_the_guides_lead_somewhere() {
    for name in PROVIDERS.into_iter().chain(["README"]) {
        let text = guide(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = guide(file.trim_end_matches(".md"));
            let heading = place.replace('-', " ");
            let is_there =
                target.lines().any(|line| line.trim_start_matches('#').trim().to_lowercase() == heading);
            assert!(place.is_empty() || is_there, "{name}: {link}");
        }
    }
}
