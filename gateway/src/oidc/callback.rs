//! The provider's answer as the browser brings it: the query or form body of the callback, taken apart.
//! Pure; whether the answer belongs to an attempt is judged elsewhere.

use url::form_urlencoded;

use crate::secret::Secret;
use crate::stop::Reason;

/// Longer answers are not answers.
const MAX_LENGTH: usize = 64 * 1024;

/// What the callback's parameters say, each at most once.
#[derive(Debug, Default)]
pub struct Answer {
    pub(super) state: Option<Secret<String>>,
    pub(super) code: Option<Secret<String>>,
    pub(super) issuer: Option<String>,
    pub(super) error: Option<String>,
}

impl Answer {
    /// Reads `application/x-www-form-urlencoded` parameters.
    ///
    /// A doubled `state` is [`Reason::BadState`]; every other doubled parameter of the protocol (RFC 6749, section
    /// 3.1), and tokens that this flow never asked for, are [`Reason::BadCallback`]. Parameters that nobody knows are
    /// ignored, as RFC 6749, section 4.1.2 asks.
    pub fn parse(encoded: &[u8]) -> Result<Self, Reason> {
        if encoded.len() > MAX_LENGTH {
            return Err(Reason::BadCallback);
        }
        let mut answer = Self::default();
        for (name, value) in form_urlencoded::parse(encoded) {
            let value = value.into_owned();
            match &*name {
                "state" => once(&mut answer.state, Secret::new(value), Reason::BadState)?,
                "code" => once(&mut answer.code, Secret::new(value), Reason::BadCallback)?,
                "iss" => once(&mut answer.issuer, value, Reason::BadCallback)?,
                "error" => once(&mut answer.error, value, Reason::BadCallback)?,
                "access_token" | "id_token" | "refresh_token" | "token_type" | "response" => {
                    return Err(Reason::BadCallback);
                }
                _ => {}
            }
        }
        Ok(answer)
    }

    /// The `state`, by which the caller finds the attempt that this answers.
    pub fn state(&self) -> Option<&str> {
        self.state.as_ref().map(|state| state.expose().as_str())
    }

    /// Whether there is a code to spend.
    pub fn has_code(&self) -> bool {
        self.code.is_some() && self.error.is_none()
    }
}

fn once<T>(place: &mut Option<T>, value: T, twice: Reason) -> Result<(), Reason> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice),
    }
}

/// A provider's error code as it may be logged: short, and in the letters that codes are made of. Anything else is
/// somebody playing with the address bar.
pub(super) fn loggable(code: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !code.is_empty() && code.len() <= 64 && code.bytes().all(plain) { code } else { "(not a code)" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_taken_apart_and_decoded_once() {
        let answer =
            Answer::parse(b"code=a%2Fb&state=s%2B1&iss=http%3A%2F%2Flocalhost%3A3002&session_state=x")
                .expect("sound");
        assert_eq!(answer.state(), Some("s+1"));
        assert!(answer.code.is_some_and(|code| code.matches("a/b")));
        assert_eq!(answer.issuer.as_deref(), Some("http://localhost:3002"));
        assert_eq!(answer.error, None);
    }

    #[test]
    fn doubled_parameters_are_refused() {
        assert_eq!(Answer::parse(b"state=a&state=a").expect_err("doubled"), Reason::BadState);
        for doubled in [
            "code=a&code=a&state=s",
            "iss=a&state=s&iss=b",
            "error=a&error=b&state=s",
            "code=a&state=s&%63ode=b",
        ] {
            assert_eq!(
                Answer::parse(doubled.as_bytes()).expect_err("doubled"),
                Reason::BadCallback,
                "{doubled}"
            );
        }
        assert!(Answer::parse(b"x=1&x=2&code=a&state=s").is_ok(), "parameters of others may be doubled");
    }

    #[test]
    fn tokens_on_the_callback_are_refused() {
        for name in ["access_token", "id_token", "refresh_token", "token_type", "response"] {
            let text = format!("code=a&state=s&{name}=x");
            assert_eq!(Answer::parse(text.as_bytes()).expect_err("a token"), Reason::BadCallback, "{name}");
        }
        assert!(Answer::parse(b"code=a&state=s").is_ok());
    }

    #[test]
    fn an_endless_answer_is_refused() {
        let long = format!("state=s&x={}", "a".repeat(MAX_LENGTH));
        assert_eq!(Answer::parse(long.as_bytes()).expect_err("too long"), Reason::BadCallback);
    }

    #[test]
    fn only_codes_are_logged() {
        assert_eq!(loggable("access_denied"), "access_denied");
        for bad in ["<script>", "", "a b", "a\nb", &"a".repeat(65)] {
            assert_eq!(loggable(bad), "(not a code)");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::parse(&bytes);
        }

        #[test]
        fn what_a_form_says_is_what_is_read(code in "\\PC{1,40}", state in "\\PC{1,40}") {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("code", &code).append_pair("state", &state);
            let answer = Answer::parse(form.finish().as_bytes()).expect("sound");
            prop_assert_eq!(answer.state(), Some(&*state));
            prop_assert!(answer.code.is_some_and(|read| read.matches(&code)));
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let answer = Answer::parse(b"code=c0de-value&state=5tate-value").expect("sound");
        let printed = format!("{answer:?}");
        assert!(!printed.contains("c0de-value") && !printed.contains("5tate-value"), "{printed}");
    }
}
