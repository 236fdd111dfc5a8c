//! The schema and the reader know the same keys, and no text makes the reader panic.

use proptest::prelude::*;
use toml::{Table, Value};

use crate::config::schema::{self, Presence};

use super::{Folder, GOOD};

/// Where the keys of each table stand in [`GOOD`], by its header.
fn place_of<'t>(document: &'t mut Table, header: &str, key: &str) -> &'t mut Table {
    let table = |value: &'t mut Value| value.as_table_mut().expect("a table");
    match header {
        "" => document,
        "[tls]" | "[listen.timeouts]" | "[tls] certificates" | "[tls] acme" => {
            let tls = document.entry("tls").or_insert_with(|| Value::Table(Table::new()));
            let certificates =
                "certificates = [{ certificate = { file = \"site.pem\" }, key = { file = \"site.key\" } }]";
            *tls = Value::Table(certificates.parse().expect("TOML"));
            let listen = document["listen"].as_table_mut().expect("a table");
            listen.insert("https".to_owned(), Value::String("0.0.0.0:8443".to_owned()));
            listen.insert("timeouts".to_owned(), Value::Table(Table::new()));
            match header {
                "[tls]" => table(&mut document["tls"]),
                "[listen.timeouts]" => table(&mut document["listen"]["timeouts"]),
                "[tls] certificates" => table(&mut document["tls"]["certificates"][0]),
                _ => {
                    let least = "directory = \"https://ca.example/directory\"\nterms_agreed = true";
                    let tls = table(&mut document["tls"]);
                    tls.insert("acme".to_owned(), Value::Table(least.parse().expect("TOML")));
                    table(&mut tls["acme"])
                }
            }
        }
        "[upstreams.NAME]" => table(&mut document["upstreams"]["todo"]),
        "[upstreams.NAME] queue" | "[upstreams.NAME] eject" | "[upstreams.NAME] health" => {
            let upstream = table(&mut document["upstreams"]["todo"]);
            upstream.insert("max_connections".to_owned(), Value::Integer(10));
            let name = header.rsplit(' ').next().expect("a name");
            let least = if name == "health" { "path = \"/healthz\"" } else { "" };
            upstream.insert(name.to_owned(), Value::Table(least.parse().expect("TOML")));
            table(&mut upstream[name])
        }
        "[[routes]] timeouts" | "[[routes]] retries" => {
            let route = table(&mut document["routes"][1]);
            let name = header.rsplit(' ').next().expect("a name");
            route.insert(name.to_owned(), Value::Table(Table::new()));
            table(&mut route[name])
        }
        "[tokens.NAME]" => table(&mut document["tokens"]["read"]),
        "[session] store" => {
            let session = table(&mut document["session"]);
            // As little as a store of that kind can say.
            let least = match key {
                "file" => "file = \"a.db\"",
                "sentinels" => "sentinels = [\"localhost\"]",
                "cluster" => "cluster = [\"redis://localhost\"]",
                "master" => "sentinels = [\"localhost\"]\nmaster = \"main\"",
                _ => "redis = \"redis://localhost\"",
            };
            session.insert("store".to_owned(), Value::Table(least.parse().expect("TOML")));
            table(&mut session["store"])
        }
        "[[routes]] rate_limit" | "[[routes]] cors" => {
            let name = if header.ends_with("cors") { "cors" } else { "rate_limit" };
            let least = if name == "cors" { "origins = [\"*\"]" } else { "requests = 1\nper = \"1s\"" };
            let route = table(&mut document["routes"][1]);
            route.insert(name.to_owned(), Value::Table(least.parse().expect("TOML")));
            table(&mut route[name])
        }
        "[[routes]] client_certificate" => {
            let route = table(&mut document["routes"][1]);
            route.insert("client_certificate".to_owned(), Value::Table(Table::new()));
            table(&mut route["client_certificate"])
        }
        "[[routes]] request_headers" => {
            let route = table(&mut document["routes"][1]);
            let edits = "set = { X-Env = \"prod\" }";
            route.insert("request_headers".to_owned(), Value::Table(edits.parse().expect("TOML")));
            table(&mut route["request_headers"])
        }
        "[[routes]] identity_token" => {
            let route = table(&mut document["routes"][1]);
            let token = "audience = \"todo\"";
            route.insert("identity_token".to_owned(), Value::Table(token.parse().expect("TOML")));
            table(&mut route["identity_token"])
        }
        "[identity]" => {
            let identity = "key = { file = \"identity.key\" }";
            document.insert("identity".to_owned(), Value::Table(identity.parse().expect("TOML")));
            table(&mut document["identity"])
        }
        "[[routes]]" if ["files", "fallback", "content_security_policy"].contains(&key) => {
            table(&mut document["routes"][0])
        }
        "[[routes]]" => table(&mut document["routes"][1]),
        _ => {
            let name = header.trim_matches(['[', ']']).to_owned();
            table(document.entry(name).or_insert_with(|| Value::Table(Table::new())))
        }
    }
}

#[test]
fn every_key_of_the_schema_is_read_and_checked() {
    let folder = Folder::new();
    let a_date = || Value::Datetime("1979-05-27".parse().expect("a date"));
    for table in schema::ALL {
        for key in table.keys {
            let mut document: Table = GOOD.parse().expect("TOML");
            place_of(&mut document, table.header, key.name).insert(key.name.to_owned(), a_date());
            let problems = folder.read(&document.to_string()).expect_err(key.name);
            let told = problems.iter().any(|problem| {
                let at_key = problem.key.ends_with(key.name);
                at_key
                    && (problem.message.contains("found a date or time")
                        || problem.message.contains("a secret must not stand"))
            });
            assert!(told, "{} {}: {problems:?}", table.header, key.name);
        }
    }
}

#[test]
fn every_key_of_a_rule_is_read_and_checked() {
    let folder = Folder::new();
    for key in schema::RULE.names() {
        let rule = if key == "any_of" {
            "claim = \"x\", any_of = 2020-01-01".to_owned()
        } else {
            format!("{key} = 2020-01-01")
        };
        let text = GOOD.replace("token = \"read\"", &format!("allow = {{ {rule} }}"));
        let problems = folder.read(&text).expect_err(key);
        assert!(
            problems.iter().any(|problem| problem.key == format!("routes[1].allow.{key}")),
            "{key}: {problems:?}"
        );
    }
}

#[test]
fn keys_that_must_be_there_are_missed() {
    let folder = Folder::new();
    for table in schema::ALL {
        for key in table.keys.iter().filter(|key| matches!(key.presence, Presence::Required)) {
            let mut document: Table = GOOD.parse().expect("TOML");
            assert!(
                place_of(&mut document, table.header, key.name).remove(key.name).is_some(),
                "{} is in the good one",
                key.name
            );
            let problems = folder.read(&document.to_string()).expect_err(key.name);
            let missing = format!("`{}` is missing", key.name);
            assert!(problems.iter().any(|problem| problem.message == missing), "{}: {problems:?}", key.name);
        }
    }
}

#[test]
fn every_problem_has_help_and_the_defaults_of_the_schema_are_told() {
    for table in schema::ALL {
        assert!(!table.intro.is_empty());
        for key in table.keys {
            assert!(!key.meaning.is_empty() && !key.kind.is_empty(), "{}", key.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics_the_reader(text in "(\\PC|\n|=|\"|\\[|\\]|\\{|\\}|public_url|provider|routes){0,60}") {
        let _ = Folder::new().read(&text).map_err(|problems| problems.render(true));
    }

    #[test]
    fn no_edit_of_a_good_text_panics_the_reader(start in 0..GOOD.len(), length in 0..60_usize, insert in "(\\PC|\r\n|\u{0}|\"|'|=|\\[|\\]|\\{|\\}|#|1|é){0,6}") {
        let end = (start + length).min(GOOD.len());
        let text = format!("{}{insert}{}", &GOOD[..start], &GOOD[end..]);
        let _ = Folder::new().read(&text).map_err(|problems| problems.render(false));
    }

    #[test]
    fn no_value_panics_the_reader(table in 0..schema::ALL.len(), key in any::<prop::sample::Index>(), value in a_value()) {
        let table = schema::ALL[table];
        let key = table.keys[key.index(table.keys.len())].name;
        let mut document: Table = GOOD.parse().expect("TOML");
        place_of(&mut document, table.header, key).insert(key.to_owned(), value);
        let text = document.to_string();
        if let Err(problems) = Folder::new().read(&text) {
            prop_assert!(problems.len() > 0);
            prop_assert!(problems.iter().all(|problem| !problem.help.is_empty() && problem.line <= text.lines().count()));
            let has_escape = problems.render(false).contains('\u{1b}');
            prop_assert!(!has_escape);
        }
    }
}

/// Any TOML value, with a liking for the words that mean something here.
fn a_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "\\PC{0,12}|[a-z/:.{}<>*-]{0,20}|https?://[a-z{}.:@/]{0,20}|\u{1b}\\[31m|/[a-z%./*]{0,10}"
            .prop_map(Value::String),
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        Just(Value::Float(1.5)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("all".to_owned()),
            Just("any".to_owned()),
            Just("file".to_owned()),
            Just("env".to_owned()),
            "[a-z_\u{7}é]{0,8}"
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map(key, inner, 0..4)
                .prop_map(|entries| Value::Table(entries.into_iter().collect())),
        ]
    })
}
