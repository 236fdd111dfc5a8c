//! ETag and If-Match (RFC 9110 sections 8.8.3 and 13.1.1): versions in quotes. Knows nothing of items.
//!
//! Documented choice: If-Match is optional. Without it the last writer wins; with it, a version that is not the
//! item's is answered with 412.

use axum::http::{HeaderMap, header};

use crate::problem::{Kind, Problem};
use crate::todo::Expected;

pub(super) fn of(version: i64) -> String {
    format!("\"{version}\"")
}

/// What the If-Match headers ask for. Weak tags and tags that we never gave out match nothing.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    let malformed = || {
        let detail = "If-Match must be * or a list of entity tags, each in double quotes.";
        Problem::new(Kind::MalformedRequest, "malformed-if-match", detail)
    };
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(Expected::Any);
    }
    let mut versions = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        let text = value.to_str().map_err(|_| malformed())?.trim();
        if text == "*" {
            return Ok(Expected::Any);
        }
        let mut rest = text;
        loop {
            let (version, after) = tag(rest).ok_or_else(malformed)?;
            versions.extend(version);
            match after.trim_start().strip_prefix(',') {
                Some(next) => rest = next.trim_start(),
                None if after.trim().is_empty() => break,
                None => return Err(malformed()),
            }
        }
    }
    Ok(Expected::OneOf(versions))
}

/// Reads one entity tag: the version that it stands for, if any, and what follows it.
fn tag(text: &str) -> Option<(Option<i64>, &str)> {
    let (strong, quoted) = match text.strip_prefix("W/") {
        Some(weak) => (false, weak),
        None => (true, text),
    };
    let (inner, after) = quoted.strip_prefix('"')?.split_once('"')?;
    let version = inner.parse().ok().filter(|version| strong && of(*version) == quoted[..inner.len() + 2]);
    Some((version, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn read(values: &[&str]) -> Option<Expected> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, HeaderValue::from_str(value).expect("a header value"));
        }
        expected(&headers).ok()
    }

    #[test]
    fn lists_of_tags_are_read() {
        assert_eq!(read(&[]), Some(Expected::Any));
        assert_eq!(read(&["*"]), Some(Expected::Any));
        assert_eq!(read(&["\"1\""]), Some(Expected::OneOf(vec![1])));
        assert_eq!(read(&["\"1\", \"x,y\" ,W/\"2\"", "\"3\""]), Some(Expected::OneOf(vec![1, 3])));
        assert_eq!(read(&["\"01\", \"+1\", \" 1\""]), Some(Expected::OneOf(vec![])));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for bad in ["", "1", "\"1", "1\"", "\"1\" \"2\"", "\"1\",", ",", "w/\"1\"", "'1'"] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn our_own_tags_always_come_back(version in any::<i64>()) {
            prop_assert_eq!(read(&[&of(version)]), Some(Expected::OneOf(vec![version])));
        }

        #[test]
        fn any_header_is_read_or_refused_without_a_panic(value in "[ -~]{0,40}") {
            let _ = read(&[&value]);
        }
    }
}
