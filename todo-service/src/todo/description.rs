//! What is to be done, in words that are fit to be shown. Knows nothing of where the words come from.

/// Longest accepted description, in characters (Unicode scalar values).
pub(crate) const MAX_CHARACTERS: usize = 500;

/// A description: trimmed, not empty, not too long, one line without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description(String);

/// Why a text is not a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DescriptionFault {
    #[error("Say what is to be done; spaces alone do not count.")]
    Empty,
    #[error("Use at most {MAX_CHARACTERS} characters.")]
    TooLong,
    #[error("Use one line of text without control characters.")]
    ControlCharacter,
}

impl Description {
    pub(crate) fn parse(text: &str) -> Result<Self, DescriptionFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(DescriptionFault::Empty);
        }
        if text.chars().any(is_control) {
            return Err(DescriptionFault::ControlCharacter);
        }
        if text.chars().count() > MAX_CHARACTERS {
            return Err(DescriptionFault::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that break lines or turn the direction of what follows: they make a list show
/// something else than it holds.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_words_are_accepted_and_trimmed() {
        assert_eq!(
            Description::parse("  Buy milk – und Brötchen 🥐 ").expect("fine").as_str(),
            "Buy milk – und Brötchen 🥐"
        );
    }

    #[test]
    fn emptiness_length_and_control_characters_are_refused() {
        for empty in ["", " ", "\t\n", "\u{a0}\u{2003}"] {
            assert_eq!(Description::parse(empty), Err(DescriptionFault::Empty), "{empty:?}");
        }
        assert!(Description::parse(&"é".repeat(MAX_CHARACTERS)).is_ok());
        assert_eq!(Description::parse(&"é".repeat(MAX_CHARACTERS + 1)), Err(DescriptionFault::TooLong));
        for control in ["a\u{0}b", "a\nb", "a\tb", "a\u{1b}[31mb", "a\u{85}b", "a\u{202e}b", "a\u{2028}b"] {
            assert_eq!(Description::parse(control), Err(DescriptionFault::ControlCharacter), "{control:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_keeps_the_rules_and_is_accepted_again(text in ".{0,40}") {
            if let Ok(description) = Description::parse(&text) {
                prop_assert!(!description.as_str().is_empty());
                prop_assert!(!description.as_str().chars().any(char::is_control));
                prop_assert_eq!(Description::parse(description.as_str()), Ok(description.clone()));
            }
        }
    }
}
