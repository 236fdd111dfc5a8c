//! What an answer says about its file: type, freshness, policy, encoding, and never a cookie.

use super::*;

#[tokio::test]
async fn types_are_right_and_text_says_its_charset() {
    let site = Site::new();
    for (name, kind) in [
        ("t.html", "text/html; charset=utf-8"),
        ("t.css", "text/css; charset=utf-8"),
        ("t.js", "text/javascript; charset=utf-8"),
        ("t.mjs", "application/javascript; charset=utf-8"),
        ("t.txt", "text/plain; charset=utf-8"),
        ("t.json", "application/json"),
        ("t.svg", "image/svg+xml"),
        ("t.png", "image/png"),
        ("t.ico", "image/x-icon"),
        ("t.woff2", "font/woff2"),
        ("t.wasm", "application/wasm"),
        ("t.webmanifest", "application/manifest+json"),
        ("t.unknown-kind", "application/octet-stream"),
        ("t", "application/octet-stream"),
    ] {
        site.write(name, "x");
        assert_eq!(get(&site.files(), &format!("/{name}")).ok().await.header(CONTENT_TYPE), kind, "{name}");
    }
}

#[tokio::test]
async fn pages_are_revalidated_and_hashed_files_are_kept() {
    let site = Site::new();
    let (public, private) = (site.files(), Files::new(Settings { public: false, ..site.settings() }));
    for (path, open, closed) in [
        ("/", "no-cache", "private, no-cache"),
        ("/app.js", "no-cache", "private, no-cache"),
        ("/page.3f2a9c1b.html", "no-cache", "private, no-cache"),
        ("/app.3f2a9c1b.js", "public, max-age=31536000, immutable", "private, max-age=31536000, immutable"),
    ] {
        assert_eq!(get(&public, path).ok().await.header(CACHE_CONTROL), open, "{path}");
        assert_eq!(get(&private, path).ok().await.header(CACHE_CONTROL), closed, "{path}, protected");
    }
}

#[tokio::test]
async fn pages_and_only_pages_carry_the_policy_of_their_route() {
    let site = Site::new();
    site.write("x.xhtml", "<html xmlns='http://www.w3.org/1999/xhtml'/>");
    site.write("x.SHTML", "<!doctype html>");
    let files = site.files();
    for path in ["/", "/index.html", "/docs/", "/x.xhtml", "/x.SHTML"] {
        let answer = get(&files, path).ok().await;
        assert_eq!(answer.header(CONTENT_SECURITY_POLICY), DEFAULT_POLICY, "{path}");
    }
    assert!(!get(&files, "/app.js").ok().await.headers.contains_key(CONTENT_SECURITY_POLICY));
    let own = Files::new(Settings {
        content_security_policy: HeaderValue::from_static("default-src 'none'"),
        ..site.settings()
    });
    assert_eq!(visit(&own, "/todos").ok().await.header(CONTENT_SECURITY_POLICY), "default-src 'none'");
}

#[tokio::test]
async fn the_best_precompressed_variant_is_chosen() {
    let site = Site::new();
    let files = site.files();
    for (accepted, encoding, body) in [
        ("gzip", "gzip", "gzip"),
        ("br", "br", "brotli"),
        ("zstd", "zstd", "zstandard"),
        ("br;q=0.1, gzip;q=0.9", "gzip", "gzip"),
        ("br;q=0", "", SCRIPT),
        ("identity", "", SCRIPT),
        ("deflate", "", SCRIPT),
    ] {
        let answer = get(&files, "/app.js").with(ACCEPT_ENCODING, accepted).ok().await;
        assert_eq!((answer.header(CONTENT_ENCODING), answer.body.as_str()), (encoding, body), "{accepted}");
        assert_eq!(answer.header(CONTENT_LENGTH), body.len().to_string());
        assert_eq!(answer.header(VARY), "accept-encoding");
        assert_eq!(
            answer.header(CONTENT_TYPE),
            "text/javascript; charset=utf-8",
            "of the script, not of the archive"
        );
    }
    let all = "gzip, deflate, br, zstd";
    assert!(
        ["br", "zstd"]
            .contains(&get(&files, "/app.js").with(ACCEPT_ENCODING, all).ok().await.header(CONTENT_ENCODING))
    );
    assert_eq!(
        get(&files, "/plain.css").with(ACCEPT_ENCODING, all).ok().await.body,
        "gzipped css",
        "only what exists"
    );
    assert_eq!(get(&files, "/LICENSE").with(ACCEPT_ENCODING, all).ok().await.body, "free");
}

#[tokio::test]
async fn files_neither_read_nor_set_cookies() {
    let site = Site::new();
    let files = site.files();
    let plain = get(&files, "/").ok().await;
    let with_cookie = get(&files, "/").with(COOKIE, "__Host-session=secret").ok().await;
    assert_eq!(plain.headers, with_cookie.headers);
    assert!(!plain.headers.contains_key(SET_COOKIE));
    let passed_on = headers::passed_on(
        &Method::GET,
        &get(&files, "/").with(COOKIE, "a=b").with(ACCEPT_ENCODING, "br").headers,
    );
    assert_eq!(passed_on.keys().collect::<Vec<_>>(), [ACCEPT_ENCODING]);
}
