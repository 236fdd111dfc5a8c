//! The one normal form of a request path (requirements section 10). What is ambiguous is refused, not repaired,
//! so that matching, policy and forwarding can never read one path in two ways.

use std::borrow::Cow;

/// Why a path has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not start with a slash.
    #[error("a path starts with a slash")]
    NotAbsolute,
    /// `//` inside the path.
    #[error("a path must not hold an empty segment")]
    EmptySegment,
    /// `.` or `..`, also with parameters (`..;x`), also percent-encoded.
    #[error("a path must not hold a dot segment")]
    DotSegment,
    /// A backslash, control byte or byte outside ASCII, or `%` encoding one of them, or a slash.
    #[error("a path must not hold a slash, backslash, control or non-ASCII byte in disguise")]
    Byte,
    /// `%` without two hexadecimal digits.
    #[error("a percent sign must be followed by two hexadecimal digits")]
    Percent,
}

/// The normal form: unreserved characters decoded, other escapes in upper case (RFC 3986, section 6.2.2).
/// Borrowed, without any allocation, when the path has no escape that changes.
pub fn canonical(path: &str) -> Result<Cow<'_, str>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let mut escaped = false;
    for byte in path.bytes() {
        match byte {
            b'%' => escaped = true,
            b'\\' | b'#' | b'?' | 0..=0x20 | 0x7f..=0xff => return Err(PathError::Byte),
            _ => {}
        }
    }
    let path = if escaped { Cow::Owned(unescape(path)?) } else { Cow::Borrowed(path) };
    check_segments(&path)?;
    Ok(path)
}

/// Whether the path holds only letters, digits, `-`, `_`, `~` and single slashes: nothing that could be read in two ways.
/// Most paths of APIs are, and one look is enough for them.
fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0;
    path.iter().all(|&byte| {
        let doubled = byte == b'/' && previous == b'/';
        previous = byte;
        PLAIN[usize::from(byte)] && !doubled
    })
}

static PLAIN: [bool; 256] = {
    let bytes = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~/";
    let mut plain = [false; 256];
    let mut position = 0;
    while position < bytes.len() {
        plain[bytes[position] as usize] = true;
        position += 1;
    }
    plain
};

fn unescape(path: &str) -> Result<String, PathError> {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            normal.push(c);
            continue;
        }
        let high = rest.next().and_then(|digit| digit.to_digit(16)).ok_or(PathError::Percent)?;
        let low = rest.next().and_then(|digit| digit.to_digit(16)).ok_or(PathError::Percent)?;
        let byte = u8::try_from(high * 16 + low).map_err(|_| PathError::Percent)?;
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                normal.push(char::from(byte));
            }
            // A slash or backslash that only some readers see, and bytes no path needs.
            b'/' | b'\\' | 0..=0x1f | 0x7f => return Err(PathError::Byte),
            _ => {
                normal.push('%');
                normal.extend(
                    [high, low]
                        .into_iter()
                        .filter_map(|digit| char::from_digit(digit, 16))
                        .map(|digit| digit.to_ascii_uppercase()),
                );
            }
        }
    }
    if is_encoded_twice(&normal) { Err(PathError::Percent) } else { Ok(normal) }
}

/// Whether a `%25` is followed by two digits, so that a second decoder would read another character than we did (double
/// encoding). Any other `%25` is an ordinary percent sign. Looked for in the normal form: the digits may have been escapes
/// themselves.
fn is_encoded_twice(normal: &str) -> bool {
    let is_escape = |after: &str| {
        after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    normal.split("%25").skip(1).any(is_escape)
}

fn check_segments(path: &str) -> Result<(), PathError> {
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(PathError::EmptySegment);
        }
        // Some servers drop `;parameters` before they look for dots.
        if matches!(segment.split([';', '%']).next(), Some("." | "..")) {
            return Err(PathError::DotSegment);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_paths_are_their_own_normal_form() {
        for path in
            ["/", "/a", "/a/", "/a/b.c", "/.well-known/x", "/a;v=1", "/a@b:c", "/...", "/a..b", "/$&'()*+,=!"]
        {
            assert!(matches!(canonical(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
        }
    }

    #[test]
    fn escapes_are_decoded_where_that_changes_nothing_and_upper_cased_elsewhere() {
        assert_eq!(canonical("/%70ublic%2Ehtml").as_deref(), Ok("/public.html"));
        assert_eq!(canonical("/a%20b%c3%a9").as_deref(), Ok("/a%20b%C3%A9"));
        for percent in ["/100%25", "/%25%25", "/100%25-%61", "/1%25%20b"] {
            assert_eq!(canonical(percent), Ok(percent.replace("%61", "a").into()));
        }
        assert_eq!(
            canonical("/public../admin").as_deref(),
            Ok("/public../admin"),
            "two dots at the end of a name"
        );
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for (path, why) in [
            ("", PathError::NotAbsolute),
            ("a", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
            ("//", PathError::EmptySegment),
            ("/a//b", PathError::EmptySegment),
            ("//evil", PathError::EmptySegment),
            ("/.", PathError::DotSegment),
            ("/..", PathError::DotSegment),
            ("/a/../b", PathError::DotSegment),
            ("/a/./b", PathError::DotSegment),
            ("/%2e%2e/b", PathError::DotSegment),
            ("/.%2E/b", PathError::DotSegment),
            ("/a/..;/b", PathError::DotSegment),
            ("/a/..;x=1/b", PathError::DotSegment),
            ("/a/..%3b/b", PathError::DotSegment),
            ("/a/.;/b", PathError::DotSegment),
            ("/a/..", PathError::DotSegment),
            ("/a%2fb", PathError::Byte),
            ("/a%2Fb", PathError::Byte),
            ("/a%5cb", PathError::Byte),
            ("/a\\b", PathError::Byte),
            ("/a%00", PathError::Byte),
            ("/a%0d%0ab", PathError::Byte),
            ("/a%7f", PathError::Byte),
            ("/a b", PathError::Byte),
            ("/caf\u{e9}", PathError::Byte),
            ("/a#b", PathError::Byte),
            ("/a\u{0}", PathError::Byte),
            ("/%", PathError::Percent),
            ("/%2", PathError::Percent),
            ("/%zz", PathError::Percent),
            ("/%+1", PathError::Percent),
            ("/a%252fb", PathError::Percent),
            ("/%2561dmin", PathError::Percent),
            ("/%252e%252e/", PathError::Percent),
            // The digits are escapes themselves.
            ("/%252%65%252%65/x", PathError::Percent),
            ("/%25%32%65%25%32%65/x", PathError::Percent),
            ("/a%25%32%66b", PathError::Percent),
            ("/%25a%46b/", PathError::Percent),
        ] {
            assert_eq!(canonical(path).map(Cow::into_owned), Err(why), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_path_needs_no_second_look(path in "/[a-zA-Z0-9/_~-]{0,24}") {
            if is_plain(path.as_bytes()) {
                prop_assert_eq!(check_segments(&path), Ok(()));
            } else {
                prop_assert_eq!(canonical(&path).map(Cow::into_owned), Err(PathError::EmptySegment));
            }
        }

        #[test]
        fn the_normal_form_is_its_own_normal_form(path in "/[a-zA-Z0-9/.%;~_ -]{0,24}") {
            if let Ok(normal) = canonical(&path) {
                let again = canonical(&normal).map(Cow::into_owned);
                prop_assert_eq!(again, Ok(normal.into_owned()));
            }
        }

        #[test]
        fn no_path_panics(path in ".{0,40}") {
            let _ = canonical(&path);
        }
    }
}
