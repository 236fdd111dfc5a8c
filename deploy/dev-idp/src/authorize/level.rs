//! How surely a person was recognised (`acr`). Two levels: "1", by a password some time ago (single sign-on will do); "2",
//! by a password for this very request. Knows nothing of pages.

use crate::claims::ClaimsAsk;

/// The levels, lowest first, for metadata.
pub(crate) const LEVELS: [&str; 2] = ["1", "2"];

/// What a request wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Level {
    /// Level 1, or nothing in particular.
    #[default]
    Usual,
    /// Level 2.
    Fresh,
    /// A level that does not exist here, and no other.
    Unmet,
}

impl Level {
    /// The best that is both wanted and there. `acr_values` is a wish; an essential `acr` claim is not.
    pub(crate) fn wanted(acr_values: &str, claims: &ClaimsAsk) -> Self {
        let wishes = claims.acr.iter().map(String::as_str).chain(acr_values.split(' '));
        for wish in wishes {
            match wish {
                "1" => return Self::Usual,
                "2" => return Self::Fresh,
                _ => {}
            }
        }
        if claims.acr_is_essential && !claims.acr.is_empty() { Self::Unmet } else { Self::Usual }
    }

    /// What the ID token says.
    pub(crate) fn acr(self) -> &'static str {
        if self == Self::Fresh { "2" } else { "1" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_level_that_exists_is_taken() {
        let none = ClaimsAsk::default();
        assert_eq!(Level::wanted("", &none), Level::Usual);
        assert_eq!(Level::wanted("gold 2 1", &none), Level::Fresh);
        assert_eq!(Level::wanted("1 2", &none), Level::Usual);
        assert_eq!(Level::wanted("gold", &none), Level::Usual, "a wish");
        let gold = ClaimsAsk { acr: vec!["gold".to_owned()], acr_is_essential: true, ..none };
        assert_eq!(Level::wanted("", &gold), Level::Unmet);
        assert_eq!(Level::wanted("2", &gold), Level::Fresh);
    }
}
