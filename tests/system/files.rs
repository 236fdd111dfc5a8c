//! Static files: what is served, to whom, and what never is (requirements section 17).

use std::os::unix::fs::symlink;

use harness::{Ask, Plan, Site};
use tempfile::TempDir;

use crate::support::*;

/// A folder with public and hidden things in it, a secret beside it, and links between them.
fn folder() -> TempDir {
    let outer = tempfile::tempdir().expect("a folder");
    let root = outer.path().join("public");
    for folder in ["", ".git", ".well-known", "sub", "empty"] {
        std::fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    let files = [
        ("index.html", "<!doctype html><title>Home</title>home"),
        ("app.js", "export const x = 1;"),
        ("app.js.map", "SECRET map"),
        ("style.css", "body{}"),
        (".env", "SECRET env"),
        (".git/config", "SECRET git"),
        ("sub/.htpasswd", "SECRET htpasswd"),
        ("sub/page.html", "page"),
        ("empty/note.txt", "note"),
        ("index.html~", "SECRET backup"),
    ];
    for (name, text) in files {
        std::fs::write(root.join(name), text).expect("a file");
    }
    std::fs::write(outer.path().join("outside.txt"), "SECRET outside").expect("a file");
    symlink(outer.path().join("outside.txt"), root.join("link.txt")).expect("a link");
    symlink(outer.path(), root.join("up")).expect("a link");
    symlink("/etc", root.join("etc")).expect("a link");
    outer
}

/// A site that serves that folder to everybody at `/`, and to who is signed in at `/members`.
async fn site(folder: &TempDir) -> Site {
    let root = folder.path().join("public");
    let members =
        format!("[[routes]]\npath = \"/members\"\nfiles = \"{}\"\nallow = \"signed-in\"\n", root.display());
    Plan::new().replace("\"web-ui\"", format!("\"{}\"", root.display())).append(members).start().await
}

#[tokio::test]
async fn nothing_outside_the_folder_is_ever_served() {
    let folder = folder();
    let site = site(&folder).await;
    let targets = [
        "/../outside.txt",
        "/..%2foutside.txt",
        "/%2e%2e/outside.txt",
        "/%2e%2e%2foutside.txt",
        "/..\\outside.txt",
        "/..%5coutside.txt",
        "/sub/../../outside.txt",
        "/%252e%252e/outside.txt",
        "/....//outside.txt",
        "/..;/outside.txt",
        "/./../outside.txt",
        "/link.txt",
        "/up/outside.txt",
        "/up/public/../outside.txt",
        "/etc/passwd",
        "//etc/passwd",
        "/%00",
        "/index.html%00.txt",
        "/C:/windows/win.ini",
        "/C:%5cwindows",
        "/\\\\host\\share",
        "/%5c%5chost%5cshare",
        "/file:///etc/passwd",
        "/proc/self/environ",
        "/~root/",
        "/sub/%2e%2e/%2e%2e/outside.txt",
        "/.../outside.txt",
        "/sub/..%00/outside.txt",
        "/%c0%ae%c0%ae/outside.txt",
        "/outside.txt",
    ];
    for target in targets {
        let answer = site
            .raw(format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.host()))
            .await;
        assert!(["400", "404"].iter().any(|status| answer.get(9..12) == Some(status)), "{target}: {answer}");
        assert!(!answer.contains("SECRET") && !answer.contains("root:"), "{target}: {answer}");
        assert!(!answer.contains(&*folder.path().to_string_lossy()), "{target}: a path of the machine");
    }
    site.browser().open("/index.html").await.reply.must_be(200);
}

#[tokio::test]
async fn hidden_files_maps_backups_and_listings_do_not_exist() {
    let folder = folder();
    let site = site(&folder).await;
    let browser = site.browser();
    for path in [
        "/.env",
        "/.git/config",
        "/.git/",
        "/.git",
        "/sub/.htpasswd",
        "/app.js.map",
        "/%2eenv",
        "/index.html~",
        "/.%65nv",
    ] {
        let reply = browser.send(Ask::bare("GET", path)).await;
        reply.must_be(404);
        assert!(!reply.text().contains("SECRET"), "{path}");
    }
    for path in ["/sub/", "/sub", "/empty/", "/empty"] {
        let reply = browser.send(Ask::bare("GET", path)).await;
        assert!(
            !reply.text().contains("page.html") && !reply.text().contains("note.txt"),
            "{path}: {}",
            reply.text()
        );
        reply.must_be(404);
    }
    browser.send(Ask::bare("GET", "/sub/page.html")).await.must_be(200);
    browser.send(Ask::bare("GET", "/app.js")).await.must_be(200);
}

#[tokio::test]
async fn files_have_types_and_the_page_is_asked_for_anew() {
    let folder = folder();
    let site = site(&folder).await;
    let browser = site.browser();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/empty/note.txt", "text/plain; charset=utf-8"),
    ] {
        let reply = browser.send(Ask::bare("GET", path)).await;
        reply.must_be(200);
        assert_eq!(
            reply.header("content-type").map(str::to_ascii_lowercase).as_deref(),
            Some(kind),
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        let etag = reply.header("etag").expect("an ETag").to_owned();
        browser.send(Ask::bare("GET", path).header("if-none-match", &etag)).await.must_be(304);
    }
    let page = browser.send(Ask::page("/")).await;
    assert!(
        page.header("cache-control").is_some_and(|value| value.contains("no-cache")),
        "{:?}",
        page.headers
    );
    let policy = page.header("content-security-policy").expect("a policy");
    for part in ["script-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn the_page_answers_for_its_own_addresses_and_for_nothing_else() {
    let folder = folder();
    let site = site(&folder).await;
    let browser = site.browser();
    for path in ["/lists", "/lists/today", "/account?tab=1"] {
        let reply = browser.send(Ask::page(path)).await;
        assert!(reply.must_be(200).text().contains("home"), "{path}");
    }
    for path in ["/none.js", "/sub/none.css", "/none.png", "/api/none", "/auth/none", "/lists.json"] {
        let reply = browser.send(Ask::page(path)).await;
        assert_ne!(reply.status, 200, "{path}");
        assert!(!reply.text().contains("home"), "{path}");
    }
    for ask in [Ask::fetch("GET", "/lists"), Ask::bare("GET", "/lists")] {
        browser.send(ask).await.must_be(404);
    }
}

#[tokio::test]
async fn ranges_are_bounded_and_conditions_are_right() {
    let folder = folder();
    let site = site(&folder).await;
    let browser = site.browser();
    let part = browser.send(Ask::bare("GET", "/app.js").header("range", "bytes=0-5")).await;
    part.must_be(206);
    assert_eq!(part.text(), "export");
    browser.send(Ask::bare("GET", "/app.js").header("range", "bytes=9999-")).await.must_be(416);
    let many = (0..1_000).map(|_| "0-10").collect::<Vec<_>>().join(",");
    let reply = browser.send(Ask::bare("GET", "/app.js").header("range", &format!("bytes={many}"))).await;
    assert!(matches!(reply.status.as_u16(), 200 | 416), "{}", reply.status);
    assert!(reply.body.len() < 4_096, "{} bytes", reply.body.len());
    let whole = browser.send(Ask::bare("HEAD", "/app.js")).await;
    whole.must_be(200);
    assert!(whole.body.is_empty());
}

#[tokio::test]
async fn protected_files_need_a_session_and_public_ones_carry_no_cookie() {
    let folder = folder();
    let site = site(&folder).await;
    let anonymous = site.browser();
    anonymous.send(Ask::fetch("GET", "/members/sub/page.html")).await.must_be(401);
    let reply = anonymous.send(Ask::page("/members/sub/page.html")).await;
    assert!(reply.must_redirect().starts_with(&site.addresses().provider));
    assert!(!anonymous.send(Ask::page("/members/none.html")).await.status.is_success());
    let browser = site.browser();
    browser.sign_in_at("/members/sub/page.html", ALICE).await.must_show("/members/sub/page.html");
    let private = browser.send(Ask::page("/members/sub/page.html")).await;
    let caching = private.must_be(200).header("cache-control").expect("it says so").to_owned();
    assert!(caching.contains("private") || caching.contains("no-store"), "{caching}");
    for path in ["/", "/app.js", "/style.css", "/sub/page.html"] {
        for browser in [&anonymous, &browser] {
            let reply = browser.send(Ask::page(path)).await;
            reply.must_be(200);
            assert!(reply.set_cookies().is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn only_reading_is_possible() {
    let folder = folder();
    let site = site(&folder).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let reply = site.browser().send(Ask::fetch(method, "/app.js")).await;
        reply.must_be(405);
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    }
    site.browser().send(Ask::fetch("GET", "/app.js")).await.must_be(200);
}
