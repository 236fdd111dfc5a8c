//! Whole configurations: one that is right, and what becomes of it when one thing goes wrong.

mod broken;
mod meaning;
mod routing;
mod schema;
mod secrets;

use std::ffi::OsString;
use std::path::Path;

use tempfile::TempDir;

use crate::oidc::client::key::tests::pem;
use crate::oidc::settings::Algorithm;

use super::resolve::resolve;
use super::secrets::Surroundings;
use super::{Config, Problems};

/// A folder with what [`GOOD`] refers to.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("client.secret", "a8Q~k2V9xT4mZ7pL1nB6\n");
        folder.write("client.key", pem(Algorithm::ES256));
        let (site, key) = crate::tls::pair::tests::pem(&["app.example"]);
        folder.write("site.pem", site);
        folder.write("site.key", key);
        folder.write("identity.key", pem(Algorithm::EdDSA));
        std::fs::create_dir(folder.path().join("web")).expect("a folder");
        folder.write("web/index.html", "<!doctype html>");
        folder
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that only its owner reads.
    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("permissions");
        }
    }

    pub(super) fn read(&self, text: &str) -> Result<Config, Problems> {
        resolve(text, "gateway.toml", &Surroundings::new(self.path(), &env))
    }
}

/// The environment of these tests.
fn env(name: &str) -> Option<OsString> {
    match name {
        "GOOD_SECRET" => Some("Zp4vR8sK1wQ6yH3tN9cD".into()),
        "EMPTY" => Some("".into()),
        "SHORT" => Some("Zp4vR8sK".into()),
        "LONG" => Some("Zp4vR8sK1wQ6yH3tN9cD".repeat(4).into()),
        "SAMPLE" => Some("Enter_the_Client_Secret_Here".into()),
        _ => None,
    }
}

/// A configuration without a problem or a warning.
pub(super) const GOOD: &str = r#"public_url = "https://app.example"

[listen]
http = "0.0.0.0:8080"
admin = "127.0.0.1:8081"

[provider]
issuer = "https://login.example"
client_id = "todo-web"
client_secret = { file = "client.secret" }
scopes = ["profile", "email"]

[session]
idle = "30m"
absolute = "8h"
store = "memory"

[upstreams.todo]
servers = ["http://127.0.0.1:3001"]

[tokens.read]
scopes = ["api://todo/Read"]

[[routes]]
path = "/"
files = "web"
allow = "anyone"

[[routes]]
path = "/api"
upstream = "todo"
token = "read"

[telemetry]
otlp = "http://127.0.0.1:4318"

[log]
level = "info"
"#;

#[test]
fn the_good_configuration_has_neither_problems_nor_warnings() {
    let config = Folder::new().read(GOOD).expect("no problem");
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn the_repositorys_own_configuration_is_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let config = Config::load(&root.join("gateway.toml")).expect("no problem");
    let surprising: Vec<_> =
        config.warnings.iter().filter(|warning| !warning.contains("can read the secret")).collect();
    assert!(surprising.is_empty(), "{surprising:?}");
    assert_eq!(
        (config.routes.len(), config.upstreams.len(), config.tokens.len(), config.files.len()),
        (3, 1, 2, 1)
    );
}

#[test]
fn the_entra_variant_in_its_comments_is_good_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("gateway.toml")).expect("it is there");
    let (before, provider) = text.split_once("\n[provider]\n").expect("a provider");
    let (_, variant) = provider.split_once("# [provider]\n").expect("a variant");
    let (variant, after) = variant.split_once("\n\n").expect("an end");
    let variant = variant.replace("# ", "").replace("GATEWAY_CLIENT_SECRET", "GOOD_SECRET");
    let text = format!("{before}\n[provider]\n{variant}\n\n{after}");
    let config = resolve(&text, "gateway.toml", &Surroundings::new(&root, &env)).expect("no problem");
    assert!(config.providers[0].issuer.contains(".ciamlogin.com/"));
    assert_eq!(config.providers[0].metadata_url.host_str(), Some("contoso.ciamlogin.com"));
}

#[test]
fn a_file_that_is_missing_or_no_text_is_one_problem() {
    let folder = Folder::new();
    let problems = Config::load(&folder.path().join("none.toml")).expect_err("it is missing");
    assert!(problems.to_string().contains("none.toml cannot be read"), "{problems}");
    folder.write("binary.toml", b"a = 1\nb = \"\xff\"\n");
    let problems = Config::load(&folder.path().join("binary.toml")).expect_err("it is no text");
    assert!(problems.to_string().contains("not UTF-8 text (line 2)"), "{problems}");
    folder.write("good.toml", GOOD);
    assert!(
        Config::load(&folder.path().join("good.toml")).is_ok(),
        "relative paths start from the file's folder"
    );
}
