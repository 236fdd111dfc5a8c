//! Where routes are, and what they change.

use crate::config::{Config, Problems};
use crate::routing::Pattern;

use super::{Folder, GOOD};

/// [`GOOD`] with further addresses, and another route.
fn with(top: &str, route: &str) -> Result<Config, Problems> {
    Folder::new().read(&format!("{top}\n{GOOD}\n[[routes]]\n{route}\n"))
}

/// The messages of what is refused.
#[track_caller]
fn refused(top: &str, route: &str) -> String {
    let problems = with(top, route).map(|_| ()).expect_err(route);
    assert!(problems.iter().all(|problem| !problem.help.is_empty()), "{problems:?}");
    problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("\n")
}

const ADMIN: &str = "other_urls = [\"https://admin.example\", \"https://app.example:8443\"]";
const TO: &str = "upstream = \"todo\"";

#[test]
fn a_path_is_no_pattern_and_says_what_is_compared() {
    for key in ["path", "exact"] {
        for (path, message) in [
            ("/api/*", "not a pattern"),
            ("^/api", "not a pattern"),
            ("/(a|b)", "not a pattern"),
            ("api", "starts with a slash"),
            ("/a/../b", "dot segment"),
            ("/%61", "simpler spelling"),
            ("/auth/x", "belongs to the gateway"),
            ("/Auth", "belongs to the gateway"),
            ("/a;v=1", "without their `;parameters`"),
        ] {
            let said = refused("", &format!("{key} = \"{path}\"\n{TO}"));
            assert!(said.contains(message), "{key} {path}: {said}");
        }
    }
    assert!(refused("", &format!("path = \"/x\"\nexact = \"/x\"\n{TO}")).contains("or one `exact` path"));
    let config = with("", &format!("exact = \"/x/y\"\n{TO}")).expect("sound");
    let route = config.routes.last().expect("the new one");
    assert_eq!((&route.path, &*route.name), (&Pattern::Exact("/x/y".to_owned()), "=/x/y"));
}

#[test]
fn further_addresses_are_told_apart_and_have_one_scheme() {
    assert_eq!(with(ADMIN, &format!("path = \"/x\"\n{TO}")).expect("sound").other_urls.len(), 2);
    for (urls, message) in [
        ("https://app.example", "no request could say which is meant"),
        ("https://APP.example:443", "no request could say which is meant"),
        ("https://admin.example/x", "this is no public address"),
        ("http://localhost:3000", "another scheme"),
        ("http://admin.example", "plain http is for loopback only"),
    ] {
        let said = refused(&format!("other_urls = [\"{urls}\"]"), &format!("path = \"/x\"\n{TO}"));
        assert!(said.contains(message), "{urls}: {said}");
    }
    let many: Vec<_> = (0..64).map(|number| format!("\"https://h{number}.example\"")).collect();
    let said = refused(&format!("other_urls = [{}]", many.join(", ")), &format!("path = \"/x\"\n{TO}"));
    assert!(said.contains("at most 64"), "{said}");
}

#[test]
fn a_route_is_on_addresses_that_the_gateway_has() {
    let names = |route: &str| {
        let config = with(ADMIN, &format!("{route}\n{TO}")).expect(route);
        config.routes.last().expect("the new one").name.to_string()
    };
    assert_eq!(names("path = \"/x\"\nhost = \"admin.example\""), "admin.example/x");
    assert_eq!(
        names("path = \"/x\"\nhost = [\"app.example:8443\", \"Admin.Example\"]"),
        "admin.example,app.example:8443/x"
    );
    assert_eq!(names("path = \"/x\"\nhost = \"app.example\""), "app.example/x");
    for host in ["\"other.example\"", "\"admin.example:8443\"", "[]", "\"*.example\""] {
        refused(ADMIN, &format!("path = \"/x\"\nhost = {host}\n{TO}"));
    }
    let twice = format!(
        "path = \"/x\"\nhost = \"admin.example\"\n{TO}\n[[routes]]\npath = \"/x\"\nhost = [\"app.example\", \"admin.example\"]\n{TO}"
    );
    assert!(refused(ADMIN, &twice).contains("which of the two routes should answer?"));
}

#[test]
fn a_route_that_no_host_leaves_any_request_is_refused() {
    let own = |host: &str| format!("[[routes]]\npath = \"/x\"\nhost = \"{host}\"\n{TO}\n");
    let all = format!("path = \"/x\"\n{TO}\n{}{}", own("app.example"), own("admin.example"));
    let last = own("app.example:8443");
    with(ADMIN, &all).expect("one address is left");
    assert!(refused(ADMIN, &format!("{all}{last}")).contains("no request reaches this route"));
}

#[test]
fn what_changes_a_request_goes_with_an_upstream_and_contradicts_nothing() {
    for (keys, message) in [
        ("path = \"/x\"\nfiles = \"web\"\nstrip = true", "changes what an upstream gets"),
        (
            "path = \"/x\"\nfiles = \"web\"\nidentity_headers = { X-A = \"sub\" }",
            "changes what an upstream gets",
        ),
        (
            "path = \"/x\"\nupstream = \"todo\"\nidentity_headers = { X_A = \"sub\" }",
            "clients may send the other",
        ),
        ("path = \"/x\"\nupstream = \"todo\"\nstrip = true\nreplace = \"/y\"", "not both"),
        ("exact = \"/x\"\nupstream = \"todo\"\nstrip = true", "nothing would be left"),
        ("path = \"/x\"\nupstream = \"todo\"\nreplace = \"/y/../z\"", "dot segment"),
        ("path = \"/x\"\nupstream = \"todo\"\nauthorization = \"pass\"", "needs no credentials"),
    ] {
        assert!(refused("", keys).contains(message), "{keys}");
    }
    let config = with("", &format!("path = \"/x\"\n{TO}")).expect("sound");
    assert!(config.routes.iter().all(|route| route.changes.is_none() && route.claimed.is_none()));
    let told = format!("path = \"/x\"\n{TO}\nidentity_headers = {{ X-A = \"sub\" }}");
    let config = with("", &told).expect("sound");
    assert!(config.routes.iter().all(|route| route.claimed.is_some()), "no client says it on any route");
    assert!(config.routes.iter().filter(|route| route.changes.is_some()).count() == 1);
}

#[test]
fn the_keys_that_vouch_are_read_and_are_nobody_elses() {
    let identity = |value: &str| format!("path = \"/x\"\n{TO}\n[identity]\nkey = {value}");
    let keys = with("", &identity("{ file = \"identity.key\" }")).expect("sound").identity_keys;
    assert_eq!(keys.len(), 1);
    for (value, message) in [
        ("[]", "not a sensible number"),
        ("[{ file = \"identity.key\" }, { file = \"identity.key\" }]", "stands in the list twice"),
        ("{ file = \"client.secret\" }", "shorter than"),
        ("\"-----BEGIN PRIVATE KEY-----\"", "a secret must not stand"),
    ] {
        let said = refused("", &identity(value));
        assert!(said.contains(message) || message == "shorter than", "{value}: {said}");
    }
}

#[test]
fn a_secret_of_a_header_is_in_no_folder_that_is_served() {
    let folder = Folder::new();
    folder.write("web/upstream.key", "Zp4vR8sK1wQ6yH3tN9cD");
    let edits = "request_headers = { set = { X-Api-Key = { file = \"web/upstream.key\" } } }";
    let text = format!("{GOOD}\n[[routes]]\npath = \"/x\"\n{TO}\n{edits}\n");
    let problems = folder.read(&text).expect_err("everybody could fetch it");
    assert!(problems.iter().any(|problem| problem.key.contains("files")), "{problems:?}");
}
