//! `files` and `fallback` of a route: a folder that the gateway serves.

use std::path::{Path, PathBuf};

use http::HeaderValue;

use super::raw::Section;
use super::secrets::Surroundings;

/// One folder of static files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesSettings {
    /// The folder, absolute and without links.
    pub root: PathBuf,
    /// The file in it that answers for paths that do not exist.
    pub fallback: Option<String>,
    /// The policy that its pages are sent with, if it is not the default one.
    pub content_security_policy: Option<HeaderValue>,
}

/// Reads `files` and `fallback`. Nothing that is secret may lie in the folder.
pub(super) fn read(
    route: &Section<'_>,
    around: &Surroundings<'_>,
    secret_files: &[PathBuf],
) -> Option<FilesSettings> {
    let text = route.text("files")?;
    let problem = |message: String, help: String| {
        route.report().problem(&text.place, message, help);
        None
    };
    let path = around.place(text.value);
    let root = match path.canonicalize() {
        Ok(root) if root.is_dir() => root,
        Ok(_) => {
            return problem(
                format!("\"{}\" is a file, not a folder", text.value.escape_debug()),
                "write the folder that holds the files".to_owned(),
            );
        }
        Err(error) => {
            return problem(
                format!("the folder cannot be opened: {error}"),
                format!(
                    "create {}, or correct the path; it is relative to the configuration file",
                    path.display()
                ),
            );
        }
    };
    // A file that does not exist yet lies where its folder lies.
    let place_of =
        |path: &Path| path.canonicalize().or_else(|_| path.parent().unwrap_or(path).canonicalize());
    let holds = |inner: &Path| place_of(inner).is_ok_and(|inner| inner.starts_with(&root));
    if holds(around.base_folder()) {
        return problem(
            "the folder holds the configuration file, which would be served to everybody".to_owned(),
            "serve a folder of its own".to_owned(),
        );
    }
    if let Some(secret) = secret_files.iter().find(|file| holds(file)) {
        return problem(
            format!("the folder holds {}, which must stay secret", secret.display()),
            "keep it outside of every folder that is served".to_owned(),
        );
    }
    let fallback = if route.has("fallback") { Some(fallback(route, &root)?) } else { None };
    let content_security_policy =
        if route.has("content_security_policy") { Some(policy(route)?) } else { None };
    Some(FilesSettings { root, fallback, content_security_policy })
}

fn policy(route: &Section<'_>) -> Option<HeaderValue> {
    let text = route.text("content_security_policy")?;
    let policy = HeaderValue::from_str(text.value).ok().filter(|_| !text.value.trim().is_empty());
    if policy.is_none() {
        route.report().problem(
            &text.place,
            "this is not a header value",
            "write a policy in one line, such as \"default-src 'self'\"",
        );
    }
    policy
}

fn fallback(route: &Section<'_>, root: &Path) -> Option<String> {
    let text = route.text("fallback")?;
    let name = text.value;
    if name.is_empty()
        || name.starts_with('.')
        || name.contains(['/', '\\'])
        || name.chars().any(char::is_control)
    {
        route.report().problem(
            &text.place,
            format!("\"{}\" is not a file name", name.escape_debug()),
            "write the name of a file in the folder, such as \"index.html\"",
        );
        return None;
    }
    if !root.join(name).is_file() {
        route.report().problem(
            &text.place,
            format!("there is no file \"{}\" in the folder", name.escape_debug()),
            format!("create it in {}", root.display()),
        );
        return None;
    }
    Some(name.to_owned())
}
