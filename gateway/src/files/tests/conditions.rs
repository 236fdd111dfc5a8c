//! Conditional requests (RFC 9110, section 13).

use super::*;

#[tokio::test]
async fn a_client_that_has_the_file_gets_304() {
    let site = Site::new();
    let files = site.files();
    let first = get(&files, "/").ok().await;
    let etag = first.header(ETAG);
    for known in [etag.to_owned(), format!("\"other\", W/{etag}"), "*".to_owned()] {
        let answer = get(&files, "/").with(IF_NONE_MATCH, &known).ok().await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        for name in [ETAG, CACHE_CONTROL, VARY, CONTENT_SECURITY_POLICY] {
            assert_eq!(answer.header(name.clone()), first.header(name.clone()), "{name}, as in the 200");
        }
    }
    let answer = get(&files, "/").with(IF_MODIFIED_SINCE, first.header(LAST_MODIFIED)).ok().await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    let answer = get(&files, "/")
        .with(IF_NONE_MATCH, "\"other\"")
        .with(IF_MODIFIED_SINCE, first.header(LAST_MODIFIED))
        .ok()
        .await;
    assert_eq!(answer.status, StatusCode::OK, "the entity tag decides alone");
    let brotli = get(&files, "/app.js").with(ACCEPT_ENCODING, "br").ok().await;
    let answer = get(&files, "/app.js").with(IF_NONE_MATCH, brotli.header(ETAG)).ok().await;
    assert_eq!(answer.status, StatusCode::OK, "another encoding is another representation");
}

#[tokio::test]
async fn a_changed_file_has_another_tag() {
    let site = Site::new();
    let files = site.files();
    let first = get(&files, "/digits.txt").ok().await;
    site.write("digits.txt", "0123456789 and more");
    let answer = get(&files, "/digits.txt").with(IF_NONE_MATCH, first.header(ETAG)).ok().await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "0123456789 and more"));
}

#[tokio::test]
async fn a_pinned_modification_time_makes_no_validator() {
    let site = Site::new();
    for (seconds, usable) in [(0, false), (1, false), (315_532_800, false), (1_000_000_000, true)] {
        let file = fs::File::options().write(true).open(site.root().join("digits.txt")).expect("exists");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).expect("settable");
        let answer = get(&site.files(), "/digits.txt").ok().await;
        assert_eq!(
            (answer.headers.contains_key(ETAG), answer.headers.contains_key(LAST_MODIFIED)),
            (usable, usable),
            "{seconds}"
        );
    }
}

#[tokio::test]
async fn failed_preconditions_are_412_and_met_ones_200() {
    let site = Site::new();
    let files = site.files();
    let first = get(&files, "/app.js").ok().await;
    let old = "Thu, 01 Jan 1998 00:00:00 GMT";
    for (name, wrong, right) in
        [(IF_MATCH, "\"other\"", first.header(ETAG)), (IF_UNMODIFIED_SINCE, old, first.header(LAST_MODIFIED))]
    {
        let answer = get(&files, "/app.js").with(name.clone(), wrong).ok().await;
        assert_eq!(
            (answer.status, answer.body.as_str(), answer.header(CACHE_CONTROL)),
            (StatusCode::PRECONDITION_FAILED, "", "no-store"),
            "{name}"
        );
        assert_eq!(get(&files, "/app.js").with(name, right).ok().await.status, StatusCode::OK);
    }
}
