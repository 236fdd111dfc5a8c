//! Which names lead to a file, and which lead nowhere.

use super::*;

#[tokio::test]
async fn a_file_is_served_with_its_length_and_validators() {
    let site = Site::new();
    let answer = get(&site.files(), "/app.js").ok().await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, SCRIPT));
    assert_eq!(answer.header(CONTENT_LENGTH), SCRIPT.len().to_string());
    assert_eq!(answer.header(ACCEPT_RANGES), "bytes");
    assert!(answer.headers.contains_key(ETAG) && answer.headers.contains_key(LAST_MODIFIED));
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let site = Site::new();
    let files = site.files();
    let (get, head) = (
        get(&files, "/app.js").ok().await,
        Ask { method: Method::HEAD, ..get(&files, "/app.js") }.ok().await,
    );
    assert_eq!((head.status, head.headers, head.body.as_str()), (get.status, get.headers, ""));
}

#[tokio::test]
async fn other_methods_are_refused_with_those_allowed() {
    let site = Site::new();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let headers = HeaderMap::new();
        let request = FileRequest {
            method: &method,
            path: "/app.js",
            query: None,
            headers: &headers,
            navigation: false,
        };
        let Err(Stop::Refused(Refusal { reason: Reason::MethodNotAllowed, remedy: Remedy::Methods(allow) })) =
            site.files().serve(request).await
        else {
            panic!("{method} is not for files");
        };
        assert_eq!(&*allow, "GET, HEAD");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_out_of_the_folder() {
    let site = Site::new();
    let files = site.files();
    for path in [
        "/../outside.txt",
        "/..%2foutside.txt",
        "/%2e%2e/outside.txt",
        "/%2e%2e%2foutside.txt",
        "/%252e%252e%252foutside.txt",
        "/%252e%252e/outside.txt",
        "/..\\outside.txt",
        "/..%5coutside.txt",
        "/%c0%ae%c0%ae/outside.txt",
        "/....//outside.txt",
        "/..../outside.txt",
        "/js/../../outside.txt",
        "/js/..;/..;/outside.txt",
        "/./../outside.txt",
        "//outside.txt",
        "//etc/passwd",
        "/etc/passwd",
        "/c:/windows/win.ini",
        "/C:%5Cwindows%5Cwin.ini",
        "/%5C%5Cserver%5Cshare",
        "/\\\\server\\share",
        "//server/share",
        "/app.js%00",
        "/app.js%00.txt",
        "/../web-other/x.txt",
        "../outside.txt",
        "outside.txt",
        "*",
    ] {
        assert_absent(&files, path).await;
        let shown = visit(&files, path).answer().await.map(|answer| answer.body).unwrap_or_default();
        assert!(!shown.contains("SECRET") && !shown.contains("root:"), "{path}, as a page");
    }
    assert_eq!(get(&files, "/a%20b.txt").ok().await.body, "spaced", "an ordinary escape still works");
}

#[tokio::test]
async fn dotfiles_source_maps_and_backups_do_not_exist() {
    let site = Site::new();
    let files = site.files();
    for path in [
        "/.env",
        "/.git/config",
        "/.git/",
        "/.git",
        "/app.js.map",
        "/app.js.MAP",
        "/app.js.map.br",
        "/index.html~",
        "/index.html.bak",
        "/.index.html.swp",
    ] {
        assert_absent(&files, path).await;
        assert_eq!(
            visit(&files, path).answer().await.map(|answer| answer.body),
            Err(Reason::NoFile),
            "{path}"
        );
    }
    let answer = get(&files, "/app.js").with(ACCEPT_ENCODING, "br").ok().await;
    assert_eq!(answer.body, "brotli");
    assert_eq!(get(&files, "/.well-known/security.txt").ok().await.body, "Contact: x");
}

#[tokio::test]
async fn a_directory_is_its_page_or_nothing() {
    let site = Site::new();
    let files = site.files();
    assert!(get(&files, "/").ok().await.body.contains("home"));
    assert!(get(&files, "/docs/").ok().await.body.contains("docs"));
    for path in ["/js/", "/js", "/app.js/", "/app.js/x", "/docs/index.html/"] {
        assert_absent(&files, path).await;
    }
}

#[tokio::test]
async fn a_directory_without_its_slash_is_redirected_on_this_origin() {
    let site = Site::new();
    let files = site.files();
    let answer = get(&files, "/docs").ok().await;
    assert_eq!((answer.status, answer.header(LOCATION)), (StatusCode::SEE_OTHER, "/docs/"));
    let answer = Ask { query: Some("a=1&b=%2F"), ..get(&files, "/docs") }.ok().await;
    assert_eq!(answer.header(LOCATION), "/docs/?a=1&b=%2F");
    let answer = Ask { query: Some("a=<\\"), ..get(&files, "/docs") }.ok().await;
    assert_eq!(answer.header(LOCATION), "/docs/", "a query that is no safe address is dropped");

    let mounted = Files::new(Settings { prefix: "/manual/".into(), ..site.settings() });
    assert_eq!(get(&mounted, "/manual/docs").ok().await.header(LOCATION), "/manual/docs/");
    assert_eq!(get(&mounted, "/manual").ok().await.header(LOCATION), "/manual/");
    assert!(get(&mounted, "/manual/").ok().await.body.contains("home"));
    assert_eq!(get(&mounted, "/manual/app.js").ok().await.body, SCRIPT);
    for path in ["/manualx/app.js", "/app.js", "/manualapp.js"] {
        assert_absent(&mounted, path).await;
    }
}

#[tokio::test]
async fn no_redirect_leaves_the_origin() {
    let site = Site::new();
    site.write("evil.com/index.html", "a directory of that name");
    let files = site.files();
    for path in [
        "//evil.com",
        "//evil.com/%2e%2e",
        "//evil.com/..",
        "/\\evil.com",
        "/%5Cevil.com",
        "//docs",
        "/%2Fevil.com",
    ] {
        assert_absent(&files, path).await;
    }
    assert_eq!(get(&files, "/evil.com").ok().await.header(LOCATION), "/evil.com/");
}

#[tokio::test]
async fn a_name_too_long_for_any_disk_is_not_found() {
    let site = Site::new();
    assert_absent(&site.files(), &format!("/{}", "x".repeat(5_000))).await;
    let longest = format!("{}.js", "x".repeat(252));
    site.write(&longest, SCRIPT);
    let files = site.files();
    let path = format!("/{longest}");
    assert_eq!(
        get(&files, &path).with(ACCEPT_ENCODING, "br, gzip").ok().await.body,
        SCRIPT,
        "its sibling's name is too long"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_opened_is_the_gateways_fault_until_it_is_there() {
    let site = Site::new();
    let files = Files::new(Settings { root: site.home.path().join("later"), ..site.settings() });
    let headers = HeaderMap::new();
    let request = FileRequest {
        method: &Method::GET,
        path: "/digits.txt",
        query: None,
        headers: &headers,
        navigation: false,
    };
    let Err(Stop::Failed(fault)) = files.serve(request).await else { panic!("the folder is missing") };
    assert_eq!((fault.whose, fault.reason), (Whose::Gateway, Reason::Internal));
    assert!(fault.cause.to_string().contains("static files") && !fault.cause.to_string().contains("later"));
    fs::rename(site.root(), site.home.path().join("later")).expect("writable");
    assert_eq!(get(&files, "/digits.txt").ok().await.body, "0123456789");
}

#[tokio::test]
async fn a_large_file_streams_in_pieces() {
    let site = Site::new();
    let large = "0123456789abcdef".repeat(128 * 1024);
    site.write("large.txt", &large);
    let files = site.files();
    let headers = HeaderMap::new();
    let request = FileRequest {
        method: &Method::GET,
        path: "/large.txt",
        query: None,
        headers: &headers,
        navigation: false,
    };
    let mut body = files.serve(request).await.expect("exists").into_body();
    let (mut pieces, mut length) = (0, 0);
    while let Some(frame) = body.frame().await {
        let piece = frame.expect("readable").into_data().expect("data");
        assert!(piece.len() <= 64 * 1024);
        pieces += 1;
        length += piece.len();
    }
    assert!(pieces > 1 && length == large.len());
}
