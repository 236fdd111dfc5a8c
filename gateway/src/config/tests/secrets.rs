//! Secrets come from files and the environment, are worth the name, and are never shown.

use crate::config::Config;
use crate::oidc::client::key::tests::pem;
use crate::oidc::client::public_jwks;
use crate::oidc::settings::{Algorithm, ClientAuthentication};

use super::{Folder, GOOD};

const SECRET: &str = r#"client_secret = { file = "client.secret" }"#;

fn secret_of(folder: &Folder, text: &str) -> String {
    match folder.read(text).expect("no problem").providers.remove(0).authentication {
        ClientAuthentication::SecretBasic(secret) => secret.expose().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_secret_is_read_from_its_file_or_the_environment() {
    let folder = Folder::new();
    assert_eq!(secret_of(&folder, GOOD), "a8Q~k2V9xT4mZ7pL1nB6", "without the line break at its end");
    let by_env = GOOD.replace("{ file = \"client.secret\" }", "{ env = \"GOOD_SECRET\" }");
    assert_eq!(secret_of(&folder, &by_env), "Zp4vR8sK1wQ6yH3tN9cD");
    folder.write("client.secret", "a8Q~k2V9xT4mZ7pL1nB6\r\n");
    assert_eq!(secret_of(&folder, GOOD), "a8Q~k2V9xT4mZ7pL1nB6", "nor that of another system");
}

#[test]
fn what_is_not_worth_the_name_is_refused() {
    let folder = Folder::new();
    folder.write("empty", "");
    folder.write("blank", " \n");
    folder.write("short", "a8Q~k2V9\n");
    folder.write("sample", "<paste your client secret>\n");
    folder.write("lines", "a8Q~k2V9xT4mZ7pL1nB6\na8Q~k2V9xT4mZ7pL1nB6\n");
    folder.write("binary", b"a8Q~k2V9xT4mZ7\xff\xfeL1nB6");
    folder.write("huge", "x1".repeat(40_000));
    for (reference, message) in [
        ("{ file = \"missing\" }", "cannot be read"),
        ("{ file = \"web\" }", "cannot be read"),
        ("{ file = \"empty\" }", "is empty"),
        ("{ file = \"blank\" }", "is empty"),
        ("{ file = \"short\" }", "fewer than 16"),
        ("{ file = \"sample\" }", "placeholder"),
        ("{ file = \"lines\" }", "line breaks"),
        ("{ file = \"binary\" }", "not text"),
        ("{ file = \"huge\" }", "more than"),
        ("{ env = \"MISSING\" }", "is not set"),
        ("{ env = \"EMPTY\" }", "is empty"),
        ("{ env = \"SHORT\" }", "fewer than 16"),
        ("{ env = \"SAMPLE\" }", "placeholder"),
        ("{ env = \"a-b\" }", "not the name"),
        ("{ env = \"\" }", "not the name"),
        ("{ env = 1 }", "expected a string"),
        ("{}", "does not say where"),
        ("{ file = \"client.secret\", env = \"GOOD_SECRET\" }", "one place only"),
        ("\"changeme\"", "must not stand"),
        ("7", "must not stand"),
    ] {
        let problems =
            folder.read(&GOOD.replace("{ file = \"client.secret\" }", reference)).expect_err(reference);
        assert_eq!(problems.len(), 1, "{reference}: {problems:?}");
        assert!(
            problems.iter().all(|problem| problem.message.contains(message)),
            "{reference}: {problems:?}"
        );
    }
}

#[test]
fn a_secret_written_into_the_file_is_not_shown() {
    let folder = Folder::new();
    for put in [
        "client_secret = \"hunter2hunter2hunter2\"",
        "client_secret = \"\"\"\nhunter2hunter2\nhunter2\"\"\"",
        "client_secret = [\"hunter2hunter2\"]",
        "client-secret = \"hunter2hunter2\"",
        "clientSecret = 'hunter2hunter2'",
        "client_secret = hunter2hunter2",
        "client_secret = \"hunter2hunter2",
        "client_secret = { env = \"hunter2-hunter2\" }",
        "metadata_url = \"https://user:hunter2@login.example\"",
    ] {
        let text = GOOD.replacen(SECRET, put, 1);
        let problems = folder.read(&text).expect_err(put);
        for shown in [problems.render(true), problems.render(false), format!("{problems:?}")] {
            assert!(!shown.contains("hunter2"), "{put} is shown:\n{shown}");
        }
    }
}

#[test]
fn keys_that_sign_are_read_in_their_order_and_only_their_public_halves_leave() {
    let folder = Folder::new();
    folder.write("older.key", pem(Algorithm::RS256));
    let read = |put: &str| {
        let put = format!("client_authentication = \"private_key_jwt\"\n{put}");
        folder.read(&GOOD.replace(SECRET, &put)).expect("no problem")
    };
    let ids = |config: &Config| match &config.providers[0].authentication {
        ClientAuthentication::PrivateKeyJwt(assertions) => {
            assertions.keys().iter().map(|key| (key.id().to_owned(), key.algorithm())).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let one = ids(&read("client_key = { file = \"client.key\" }"));
    let both = "client_key = [{ file = \"older.key\" }, { file = \"client.key\" }]\nclient_key_algorithm = \"PS256\"";
    let config = read(both);
    let found = ids(&config);
    assert_eq!((one.len(), found.len(), &found[1]), (1, 2, &one[0]));
    assert_eq!(
        found.iter().map(|(_, algorithm)| *algorithm).collect::<Vec<_>>(),
        [Algorithm::PS256, Algorithm::ES256]
    );
    let published = public_jwks(&config.providers);
    assert_eq!(published["keys"][0]["kid"], *found[0].0);
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        assert!(published["keys"].as_array().expect("a list").iter().all(|key| key.get(private).is_none()));
    }
    folder.write("web/client.key", pem(Algorithm::ES256));
    let served = GOOD.replace(
        SECRET,
        "client_authentication = \"private_key_jwt\"\nclient_key = { file = \"web/client.key\" }",
    );
    assert!(folder.read(&served).is_err(), "it would be served");
}

#[test]
fn a_resolved_configuration_prints_no_secret() {
    let config = Folder::new().read(GOOD).expect("no problem");
    assert!(!format!("{config:?}").contains("a8Q~k2V9"));
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let file = folder.path().join("client.secret");
    for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false), (0o400, false)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("permissions");
        let config = folder.read(GOOD).expect("no problem");
        assert_eq!(config.warnings.iter().any(|warning| warning.contains("chmod 600")), warned, "{mode:o}");
    }
}

#[test]
fn a_secret_in_a_folder_that_is_served_is_refused() {
    let folder = Folder::new();
    folder.write("web/client.secret", "a8Q~k2V9xT4mZ7pL1nB6\n");
    folder.write("web/admin.token", "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A\n");
    let token = "admin = \"127.0.0.1:8081\"\nadmin_token = { file = \"web/admin.token\" }";
    folder.read(&GOOD.replace("admin = \"127.0.0.1:8081\"", token)).expect_err("it would be served");
    let problems =
        folder.read(&GOOD.replace("client.secret", "web/client.secret")).expect_err("it would be served");
    assert!(
        problems.iter().all(|problem| problem.key == "routes[0].files" && problem.message.contains("secret")),
        "{problems:?}"
    );
}

#[test]
fn the_admin_token_is_long_and_fits_a_header() {
    let folder = Folder::new();
    folder.write("good", "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A\n");
    folder.write("short", "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9\n");
    folder.write("blanks", "vXkJ2m8Qb5Zt1Lw7 Rn4Ys0Hd3Gc6Pf9A\n");
    folder.write("letters", "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9é\n");
    let with = |reference: &str| {
        folder.read(&GOOD.replace("[listen]", &format!("[listen]\nadmin_token = {reference}")))
    };
    let token = with("{ file = \"good\" }").expect("no problem").listen.admin_token.expect("a token");
    assert_eq!(token.expose(), "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A");
    assert!(folder.read(GOOD).expect("no problem").listen.admin_token.is_none());
    for (reference, message) in [
        ("{ file = \"short\" }", "fewer than 32"),
        ("{ file = \"blanks\" }", "a header cannot carry"),
        ("{ file = \"letters\" }", "a header cannot carry"),
        ("{ env = \"GOOD_SECRET\" }", "fewer than 32"),
        ("\"vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A\"", "must not stand"),
    ] {
        let problems = with(reference).expect_err(reference);
        assert_eq!(problems.len(), 1, "{reference}: {problems:?}");
        assert!(
            problems.iter().all(|problem| problem.message.contains(message)),
            "{reference}: {problems:?}"
        );
    }
}

#[test]
fn an_admin_token_on_an_address_that_others_reach_is_a_warning() {
    let folder = Folder::new();
    folder.write("good", "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A\n");
    let text = GOOD.replace("[listen]", "[listen]\nadmin_token = { file = \"good\" }");
    let warned = |text: &str| folder.read(text).expect("no problem").warnings;
    assert_eq!(warned(&text), Vec::<String>::new());
    let warnings = warned(&text.replace("127.0.0.1:8081", "0.0.0.0:8081"));
    assert!(warnings.iter().any(|warning| warning.contains("in the clear")), "{warnings:?}");
}
