//! The folder as a browser sees it. Every refusal stands beside the same request without its defect.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::HeaderName;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, COOKIE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    LOCATION, SET_COOKIE, VARY,
};
use tempfile::TempDir;

use super::*;

mod answers;
mod conditions;
mod fallback;
#[cfg(unix)]
mod links;
mod paths;
mod ranges;

const SCRIPT: &str = "export const answer = 42;\n";

/// A folder as a build leaves it, beside things that are none of its business.
struct Site {
    home: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { home: TempDir::new().expect("a temporary folder") };
        for (name, content) in [
            ("index.html", "<!doctype html><title>home</title>"),
            ("app.js", SCRIPT),
            ("app.js.br", "brotli"),
            ("app.js.zst", "zstandard"),
            ("app.js.gz", "gzip"),
            ("plain.css", "body {}"),
            ("plain.css.gz", "gzipped css"),
            ("app.3f2a9c1b.js", SCRIPT),
            ("page.3f2a9c1b.html", "<!doctype html>"),
            ("a b.txt", "spaced"),
            ("icon.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
            ("digits.txt", "0123456789"),
            ("empty.txt", ""),
            ("LICENSE", "free"),
            ("docs/index.html", "<!doctype html><title>docs</title>"),
            ("js/only.js", SCRIPT),
            (".env", "SECRET=1"),
            (".git/config", "SECRET=1"),
            (".well-known/security.txt", "Contact: x"),
            ("app.js.map", "SECRET"),
            ("app.js.map.br", "SECRET"),
            ("index.html~", "SECRET"),
            ("index.html.bak", "SECRET"),
            (".index.html.swp", "SECRET"),
            ("../outside.txt", "SECRET"),
            ("../web-other/x.txt", "SECRET"),
        ] {
            site.write(name, content);
        }
        site
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("web")
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.root()).expect("writable");
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("writable");
        fs::write(path, content).expect("writable");
    }

    fn settings(&self) -> Settings {
        Settings {
            root: self.root(),
            fallback: Some("index.html".into()),
            reserved: ["api".to_owned(), "auth".to_owned()].into_iter().collect::<BTreeSet<_>>().into(),
            prefix: "/".into(),
            public: true,
            content_security_policy: HeaderValue::from_static(DEFAULT_POLICY),
        }
    }

    fn files(&self) -> Files {
        Files::new(self.settings())
    }
}

/// A request in the making.
struct Ask<'a> {
    files: &'a Files,
    method: Method,
    path: &'a str,
    query: Option<&'a str>,
    headers: HeaderMap,
    navigation: bool,
}

/// What came back, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

fn get<'a>(files: &'a Files, path: &'a str) -> Ask<'a> {
    Ask { files, method: Method::GET, path, query: None, headers: HeaderMap::new(), navigation: false }
}

fn visit<'a>(files: &'a Files, path: &'a str) -> Ask<'a> {
    Ask { navigation: true, ..get(files, path) }
}

impl Ask<'_> {
    fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.append(name, value.parse().expect("a header value"));
        self
    }

    async fn answer(self) -> Result<Answer, Reason> {
        let request = FileRequest {
            method: &self.method,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            navigation: self.navigation,
        };
        let response = self.files.serve(request).await.map_err(|stop| stop.reason())?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("the file is readable").to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).expect("UTF-8"),
        })
    }

    async fn ok(self) -> Answer {
        let path = self.path.to_owned();
        self.answer().await.unwrap_or_else(|reason| panic!("{path}: {reason:?}"))
    }
}

async fn assert_absent(files: &Files, path: &str) {
    for method in [Method::GET, Method::HEAD] {
        let answer = Ask { method: method.clone(), ..get(files, path) }.answer().await;
        assert_eq!(answer.map(|answer| answer.body), Err(Reason::NoFile), "{method} {path}");
    }
}
