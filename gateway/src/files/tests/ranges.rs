//! Ranges (RFC 9110, section 14): exact, bounded, and only of the version that is meant.

use super::*;

#[tokio::test]
async fn one_range_is_answered_with_exactly_that_part() {
    let site = Site::new();
    let files = site.files();
    for (range, part, place) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-1000", "89", "bytes 8-9/10"),
    ] {
        let answer = get(&files, "/digits.txt").with(RANGE, range).ok().await;
        assert_eq!(
            (answer.status, answer.body.as_str(), answer.header(CONTENT_RANGE)),
            (StatusCode::PARTIAL_CONTENT, part, place),
            "{range}"
        );
        assert_eq!(answer.header(CONTENT_LENGTH), part.len().to_string());
        assert_eq!(answer.header(CONTENT_TYPE), "text/plain; charset=utf-8");
    }
}

#[tokio::test]
async fn ranges_that_cannot_be_had_are_416() {
    let site = Site::new();
    for range in ["bytes=10-", "bytes=99-100", "bytes=5-2", "bytes=-0", "bytes=x", "bytes="] {
        let answer = get(&site.files(), "/digits.txt").with(RANGE, range).ok().await;
        assert_eq!(
            (answer.status, answer.header(CONTENT_RANGE), answer.body.as_str()),
            (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */10", ""),
            "{range}"
        );
        assert_eq!(answer.header(CACHE_CONTROL), "no-store");
    }
}

#[tokio::test]
async fn ranges_that_do_not_count_get_the_whole_file() {
    let site = Site::new();
    let files = site.files();
    for (path, range, whole) in [
        ("/digits.txt", "lines=1-2", "0123456789"),
        ("/digits.txt", "bytes=0-1,4-5", "0123456789"),
        ("/digits.txt", "bytes=-1000", "0123456789"),
        ("/empty.txt", "bytes=0-", ""),
        ("/empty.txt", "bytes=-5", ""),
    ] {
        let answer = get(&files, path).with(RANGE, range).ok().await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, whole), "{path} {range}");
        assert!(!answer.headers.contains_key(CONTENT_RANGE));
    }
    let twice = get(&files, "/digits.txt").with(RANGE, "bytes=0-1").with(RANGE, "bytes=2-3").ok().await;
    assert_eq!(twice.status, StatusCode::OK);
    let head = Ask { method: Method::HEAD, ..get(&files, "/digits.txt") }.with(RANGE, "bytes=0-1").ok().await;
    assert_eq!((head.status, head.header(CONTENT_LENGTH)), (StatusCode::OK, "10"), "ranges are for GET");
}

#[tokio::test]
async fn a_thousand_overlapping_ranges_cost_no_more_than_the_file() {
    let site = Site::new();
    let many = (0..1_000).map(|_| "0-9").collect::<Vec<_>>().join(",");
    let answer = get(&site.files(), "/digits.txt").with(RANGE, &format!("bytes={many}")).ok().await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "0123456789"));
    assert_eq!(
        get(&site.files(), "/digits.txt").with(RANGE, "bytes=0-9").ok().await.status,
        StatusCode::PARTIAL_CONTENT
    );
}

#[tokio::test]
async fn a_part_is_only_given_of_the_version_that_the_client_knows() {
    let site = Site::new();
    let files = site.files();
    let first = get(&files, "/digits.txt").ok().await;
    let etag = first.header(ETAG);
    let weak = format!("W/{etag}");
    for (known, status) in [
        (etag, StatusCode::PARTIAL_CONTENT),
        ("\"other\"", StatusCode::OK),
        (weak.as_str(), StatusCode::OK),
        (first.header(LAST_MODIFIED), StatusCode::OK),
    ] {
        let answer = get(&files, "/digits.txt").with(RANGE, "bytes=2-4").with(IF_RANGE, known).ok().await;
        assert_eq!(answer.status, status, "{known}");
    }
    let shrunk = get(&files, "/digits.txt").with(RANGE, "bytes=20-").with(IF_RANGE, "\"other\"").ok().await;
    assert_eq!(shrunk.status, StatusCode::OK);
}
