//! The name of one request, for the answer and for the log. Taken from whoever stands in front if it is harmless.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header that carries it, in both directions.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// 1 to 64 characters from `[A-Za-z0-9._-]`.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// The caller's, if there is exactly one and it is well-formed; otherwise a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(HEADER).iter();
        match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
            (Some(text), None) if is_well_formed(text) => Self(text.to_owned()),
            _ => Self(Uuid::new_v4().simple().to_string()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("made of characters that any header may hold")
    }
}

fn is_well_formed(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id_for(values: &[&str]) -> RequestId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).expect("a header value"));
        }
        RequestId::of(&headers)
    }

    #[test]
    fn a_harmless_id_is_kept() {
        for good in ["a", "0190-ab.c_D", &"x".repeat(64)] {
            assert_eq!(id_for(&[good]).as_str(), good);
        }
    }

    #[test]
    fn any_other_id_is_replaced() {
        for bad in [&[][..], &[""], &["a b"], &["a;b"], &["<b>"], &["a", "b"], &[&"x".repeat(65)]] {
            let id = id_for(bad);
            assert!(is_well_formed(id.as_str()) && id.as_str().len() == 32, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_always_well_formed(value in "[ -~]{0,80}") {
            prop_assert!(is_well_formed(id_for(&[&value]).as_str()));
        }
    }
}
