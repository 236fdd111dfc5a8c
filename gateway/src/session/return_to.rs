//! Where to go after sign-in: a path on this origin and nothing else (requirements section 16).

use std::fmt;
use std::str::FromStr;

/// A same-origin path with its query: one leading slash, no second, no backslash, no control or non-ASCII byte,
/// at most 2 KiB, never one of the gateway's own sign-in or sign-out paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

/// A text that is not a path on this origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a path on this site")]
pub struct NotLocal;

/// The one page below the gateway's own paths that people may come back to: it shows something and does nothing.
pub const OWN_PAGE: &str = "/auth/sessions";
/// Longer targets are not worth a cookie.
const MAX_LENGTH: usize = 2_048;

impl ReturnTo {
    /// The site's front page: where every refused target leads.
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// The wanted target if it is local, else the front page.
    pub fn or_home(wanted: Option<&str>) -> Self {
        wanted.and_then(|text| text.parse().ok()).unwrap_or_else(Self::home)
    }

    /// The path and query, ready for a `Location` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ReturnTo {
    type Err = NotLocal;

    fn from_str(text: &str) -> Result<Self, NotLocal> {
        let bytes = text.as_bytes();
        let starts_with_one_slash =
            bytes.first() == Some(&b'/') && !matches!(bytes.get(1), Some(b'/' | b'\\'));
        let harmless = bytes
            .iter()
            .all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'\\' | b'"' | b'<' | b'>'));
        if !starts_with_one_slash || !harmless || bytes.len() > MAX_LENGTH {
            return Err(NotLocal);
        }
        let path = text.split(['?', '#']).next().unwrap_or_default();
        if crate::path::canonical(path).is_err() || leads_back_to_sign_in(path) {
            return Err(NotLocal);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Returning to the gateway's own flow would loop or sign people out (requirement RD-04).
fn leads_back_to_sign_in(path: &str) -> bool {
    let decoded = crate::path::canonical(path).unwrap_or_default();
    let folded = decoded.to_ascii_lowercase();
    decoded != OWN_PAGE && (folded == "/auth" || folded.starts_with("/auth/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_on_this_site_are_kept_with_their_query_and_fragment() {
        for good in ["/", "/todos", "/todos?done=1&q=a%20b", "/a/b.c#part", "/a-b_c~d", "/authors"] {
            assert_eq!(good.parse::<ReturnTo>().as_ref().map(ReturnTo::as_str), Ok(good));
        }
    }

    #[test]
    fn whatever_could_leave_this_site_is_refused() {
        for bad in [
            "",
            "todos",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "http://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "//evil.example/%2e%2e",
            "/%2f/evil.example",
            "/%2F%2Fevil.example",
            "/%5cevil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/%2e%2e//evil.example",
            "/a//b",
            "/\t/evil.example",
            "/\r\nevil",
            "/%0d%0aLocation:evil",
            "/ /evil.example",
            " /todos",
            "/todos ",
            "/caf\u{e9}",
            "/\u{2028}",
            "/%00",
            "/a\\b",
            "@evil.example",
            ".evil.example",
            "/;@evil.example/..;/",
            "/%",
            "/%zz",
            "/\"onload=",
            "/<script>",
            "?x=1",
            "#x",
            "\u{0}/",
        ] {
            assert_eq!(bad.parse::<ReturnTo>(), Err(NotLocal), "{bad:?}");
        }
    }

    #[test]
    fn the_gateways_own_paths_are_refused_in_every_spelling() {
        for bad in [
            "/auth",
            "/auth/sign-out",
            "/auth/callback?code=1",
            "/AUTH/sign-out",
            "/%61uth/sign-in",
            "/auth/sign-in#x",
            "/auth/sessions/",
            "/auth/sessions/x",
            "/auth/Sessions",
            "/auth/session",
            "/auth/continue?return_to=/auth/sign-in",
        ] {
            assert_eq!(bad.parse::<ReturnTo>(), Err(NotLocal), "{bad:?}");
        }
        // The one that people look at.
        assert!("/auth/sessions".parse::<ReturnTo>().is_ok());
    }

    #[test]
    fn a_target_of_two_kibibytes_passes_and_one_more_byte_does_not() {
        let longest = format!("/{}", "a".repeat(2_047));
        assert!(longest.parse::<ReturnTo>().is_ok());
        assert!(format!("{longest}a").parse::<ReturnTo>().is_err());
    }

    proptest! {
        #[test]
        fn an_accepted_target_stays_on_the_origin(text in "[/\\\\a-z:@.?#%0-9\\t]{0,24}") {
            if let Ok(target) = text.parse::<ReturnTo>() {
                let base = url::Url::parse("https://app.example").expect("valid");
                let resolved = base.join(target.as_str()).expect("a path resolves");
                prop_assert_eq!(resolved.origin(), base.origin());
            }
        }
    }
}
