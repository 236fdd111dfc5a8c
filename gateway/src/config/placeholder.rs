//! Values that somebody meant to replace: what sample files and tutorials leave behind.

/// Whether `text` is a stand-in such as `<tenant id>`, `Enter_the_Client_Secret_Here` or `changeme`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let brackets = [("<", ">"), ("${", "}"), ("{{", "}}"), ("$(", ")"), ("[", "]"), ("%", "%")];
    if brackets.iter().any(|(open, close)| text.len() > 1 && text.starts_with(open) && text.ends_with(close))
    {
        return true;
    }
    let word: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let mut letters = word.chars();
    let one_letter = letters.next().is_some_and(|first| word.len() > 2 && letters.all(|c| c == first));
    one_letter
        || WORDS.contains(&&*word)
        || PARTS.iter().any(|part| word.contains(part))
        || FRAMES.iter().any(|(start, end)| word.starts_with(start) && word.ends_with(end))
}

/// Whole values, without case and punctuation.
const WORDS: &[&str] = &[
    "secret",
    "clientsecret",
    "mysecret",
    "topsecret",
    "supersecret",
    "yoursecret",
    "thesecret",
    "notsecret",
    "devsecret",
    "testsecret",
    "appsecret",
    "password",
    "passw0rd",
    "example",
    "sample",
    "dummy",
    "todo",
    "tbd",
    "none",
    "null",
    "undefined",
    "clientid",
    "yourclientid",
    "applicationid",
    "tenantid",
    "yourtenantid",
    "yourtenant",
];

/// Parts that no random value holds by chance.
const PARTS: &[&str] = &[
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "replacewith",
    "placeholder",
    "insertyour",
    "fixme",
];

/// Beginning and end.
const FRAMES: &[(&str, &str)] = &[
    ("enter", "here"),
    ("your", "here"),
    ("insert", "here"),
    ("put", "here"),
    ("paste", "here"),
    ("add", "here"),
    ("your", "secret"),
    ("your", "value"),
    ("enter", "secret"),
    ("enter", "id"),
    ("your", "id"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_recognised() {
        for text in [
            "changeme",
            "Change-Me!",
            "secret",
            "client_secret",
            "<your secret>",
            "Enter_the_Client_Secret_Here",
            "${CLIENT_SECRET}",
            "Enter_the_Application_Id_Here",
            "your-client-id",
            "xxxxxxxxxxxxxxxxxxxx",
            "please-replace-me-now",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn real_values_are_not() {
        for text in [
            "todo-web",
            "uWTu-d0EwHWbLa90MJLGzKkxPdteivwyj7BvsEGGYK7nfBVv",
            "11d6b7a4-5c2e-4f0b-9e37-6a8b1c2d3e4f",
            "a8Q~secretly.Random_value",
            "https://contoso.ciamlogin.com/x",
            "",
            "xx",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
