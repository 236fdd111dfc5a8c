//! Which stretch of a list is asked for: `limit` and `after`. Other parameters are not looked at, above all not
//! `access_token`. Knows nothing of items.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::form_urlencoded;
use uuid::Uuid;

use crate::problem::{FieldError, Problem};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;

/// First byte of every cursor, so that a later kind of cursor can be told apart.
const CURSOR_VERSION: u8 = 1;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) limit: usize,
    pub(super) after: Option<Uuid>,
}

/// Reads a query string, reporting every mistake at once.
pub(super) fn parse(query: &str) -> Result<Asked, Problem> {
    let mut errors = Vec::new();
    let mut limit = None;
    let mut after = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let repeated = match name.as_ref() {
            "limit" => limit.replace(value).is_some(),
            "after" => after.replace(value).is_some(),
            _ => false,
        };
        if repeated {
            errors.push(FieldError::new(name, "repeated", "Give this parameter once."));
        }
    }
    let limit = limit.map_or(Ok(DEFAULT_LIMIT), |text| read_limit(&text)).map_err(|error| errors.push(error));
    let after = after.map(|text| read_cursor(&text)).transpose().map_err(|error| errors.push(error));
    match (limit, after) {
        (Ok(limit), Ok(after)) if errors.is_empty() => Ok(Asked { limit, after }),
        _ => Err(Problem::validation(errors)),
    }
}

/// The opaque name of the place after an item.
pub(super) fn cursor(last: Uuid) -> String {
    let mut octets = vec![CURSOR_VERSION];
    octets.extend(last.as_bytes());
    URL_SAFE_NO_PAD.encode(octets)
}

fn read_limit(text: &str) -> Result<usize, FieldError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|limit| digits && (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| FieldError::new("limit", "range", "Give a whole number from 1 to 100."))
}

fn read_cursor(text: &str) -> Result<Uuid, FieldError> {
    let octets = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let id = octets.strip_prefix(&[CURSOR_VERSION]).and_then(|id| Uuid::from_slice(id).ok());
    id.ok_or_else(|| FieldError::new("after", "invalid", "Give the `next` of an earlier page, unchanged."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_have_defaults_and_bounds() {
        assert_eq!(parse("").expect("fine"), Asked { limit: 50, after: None });
        assert_eq!(parse("limit=100&unknown=1").expect("fine").limit, 100);
        for bad in [
            "limit=0",
            "limit=101",
            "limit=",
            "limit=-1",
            "limit=%2B5",
            "limit=1e1",
            "limit=99999999999999999999",
            "limit=1&limit=1",
            "after=",
            "after=AQ",
            "after=x&after=x",
            "after=%00",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_cursor_is_read_back(id in any::<u128>()) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(parse(&format!("after={}", cursor(id))).expect("fine").after, Some(id));
        }

        #[test]
        fn any_query_is_read_or_refused_without_a_panic(query in "[ -~]{0,60}") {
            let _ = parse(&query);
        }
    }
}
