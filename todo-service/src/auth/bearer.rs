//! The Authorization header (RFC 6750 section 2.1): exactly one, or nothing. Knows nothing of what a token holds;
//! tokens in queries, forms and other headers do not exist here.

use axum::http::{HeaderMap, header};

use super::fault::Refusal;

/// Finds the one bearer token of a request.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::NoToken)?;
    if values.next().is_some() {
        return Err(Refusal::MalformedHeader);
    }
    let text = value.to_str().map_err(|_| Refusal::MalformedHeader)?;
    let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        // Another scheme is no authentication that we know: the caller gets the plain challenge.
        return if is_scheme(scheme) { Err(Refusal::NoToken) } else { Err(Refusal::MalformedHeader) };
    }
    let token = credentials.trim_matches(' ');
    if is_b64token(token) { Ok(token) } else { Err(Refusal::MalformedHeader) }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"));
        }
        map
    }

    #[test]
    fn one_bearer_token_is_found_whatever_the_case_of_the_scheme() {
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer   a.b.c"] {
            assert_eq!(token(&headers(&[good])), Ok("a.b.c"), "{good}");
        }
    }

    #[test]
    fn no_header_and_other_schemes_are_not_errors_of_the_token() {
        for none in [&[][..], &["Basic YTpi"], &["DPoP a.b.c"], &["a.b.c"]] {
            assert_eq!(token(&headers(none)), Err(Refusal::NoToken), "{none:?}");
        }
    }

    #[test]
    fn a_malformed_header_is_refused() {
        for bad in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer a, Bearer b"],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Bearer a\tb"],
            &["Bearer\ta"],
            &["Bearer =="],
            &["Bearer a.b.c", "Bearer a.b.c"],
            &["Bearer a.b.c", "Basic YTpi"],
            &[""],
        ] {
            assert_eq!(token(&headers(bad)), Err(Refusal::MalformedHeader), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_found_is_a_part_of_the_header(value in "[ -~]{0,60}") {
            if let Ok(found) = token(&headers(&[&value])) {
                prop_assert!(value.contains(found) && !found.is_empty() && !found.contains(' '));
            }
        }
    }
}
