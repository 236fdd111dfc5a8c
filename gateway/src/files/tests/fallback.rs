//! The single-page fallback: pages of the app, and nothing that only looks like one.

use super::*;

#[tokio::test]
async fn the_fallback_answers_navigations_to_the_apps_own_paths() {
    let site = Site::new();
    let files = site.files();
    for path in ["/todos", "/todos/42", "/todos/", "/js", "/apix", "/v1.2/page"] {
        let answer = visit(&files, path).ok().await;
        assert_eq!((answer.status, answer.body.contains("home")), (StatusCode::OK, true), "{path}");
        assert_eq!(answer.header(CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(
            (answer.header(CACHE_CONTROL), answer.header(CONTENT_SECURITY_POLICY)),
            ("no-cache", DEFAULT_POLICY)
        );
    }
}

#[tokio::test]
async fn the_fallback_never_answers_for_apis_sign_in_files_or_scripts() {
    let site = Site::new();
    let files = site.files();
    for path in [
        "/api/none",
        "/api",
        "/api/",
        "/API/none",
        "/auth/none",
        "/x.js",
        "/todos/x.png",
        "/todos/.hidden",
        "/todos~",
        "/a%00",
    ] {
        assert_eq!(
            visit(&files, path).answer().await.map(|answer| answer.body),
            Err(Reason::NoFile),
            "{path}"
        );
    }
    assert_absent(&files, "/todos").await;
    let without = Files::new(Settings { fallback: None, ..site.settings() });
    assert_eq!(visit(&without, "/todos").answer().await.map(|answer| answer.body), Err(Reason::NoFile));
}

#[tokio::test]
async fn a_fallback_may_have_any_name_and_may_be_missing() {
    let site = Site::new();
    site.write("app shell%.html", "shell");
    let files = Files::new(Settings { fallback: Some("app shell%.html".into()), ..site.settings() });
    assert_eq!(visit(&files, "/todos").ok().await.body, "shell");
    let files = Files::new(Settings { fallback: Some("gone.html".into()), ..site.settings() });
    assert_eq!(visit(&files, "/todos").answer().await.map(|answer| answer.body), Err(Reason::NoFile));
}
