//! One-time passcodes: made, compared, used up. Knows nothing of how they reach a person.

use crate::random;

/// Wrong tries before a passcode is worth nothing.
const TRIES: u8 = 5;

/// What a passcode proves an address for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    SignUp,
    Reset,
}

/// A passcode that has been sent.
#[derive(Clone)]
pub(crate) struct Passcode {
    pub(crate) purpose: Purpose,
    pub(crate) email: String,
    pub(crate) code: String,
    expires: i64,
    tries_left: u8,
}

/// What came of a passcode that was typed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeCheck {
    Right,
    Wrong,
    Expired,
    UsedUp,
}

impl Passcode {
    pub(crate) fn new(purpose: Purpose, email: &str, now: i64, lifetime: i64) -> Self {
        let code = random::passcode();
        Self { purpose, email: email.to_owned(), code, expires: now + lifetime, tries_left: TRIES }
    }

    /// Compares, and counts the try.
    pub(crate) fn check(&mut self, typed: &str, now: i64) -> CodeCheck {
        if self.tries_left == 0 {
            return CodeCheck::UsedUp;
        }
        if now >= self.expires {
            return CodeCheck::Expired;
        }
        self.tries_left -= 1;
        let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        match random::same(&typed, &self.code) {
            true => {
                self.tries_left = 0;
                CodeCheck::Right
            }
            false if self.tries_left == 0 => CodeCheck::UsedUp,
            false => CodeCheck::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passcode_works_once_and_with_spaces() {
        let mut code = Passcode::new(Purpose::SignUp, "zoe@example.com", 0, 600);
        let typed = format!(" {} {}", &code.code[..4], &code.code[4..]);
        assert_eq!(code.check(&typed, 10), CodeCheck::Right);
        assert_eq!(code.check(&typed, 10), CodeCheck::UsedUp);
    }

    #[test]
    fn a_passcode_expires() {
        let mut code = Passcode::new(Purpose::Reset, "zoe@example.com", 0, 600);
        let typed = code.code.clone();
        assert_eq!(code.check(&typed, 600), CodeCheck::Expired);
        assert_eq!(code.check(&typed, 599), CodeCheck::Right);
    }

    #[test]
    fn five_wrong_tries_use_a_passcode_up() {
        let mut code = Passcode::new(Purpose::SignUp, "zoe@example.com", 0, 600);
        for _ in 0..4 {
            assert_eq!(code.check("wrong", 0), CodeCheck::Wrong);
        }
        assert_eq!(code.check("wrong", 0), CodeCheck::UsedUp);
        let right = code.code.clone();
        assert_eq!(code.check(&right, 0), CodeCheck::UsedUp);
    }
}
