//! What a name gives away: whether it may be asked for at all, whether it is a page, whether its content can change.
//! Pure text; knows no disk.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Left behind by editors, tools and builds: backups, swap files, source maps (requirement ST-02).
const PROTECTED: [&str; 8] = ["bak", "map", "old", "orig", "save", "swo", "swp", "tmp"];
/// A precompressed sibling is as protected as the file itself.
const COMPRESSED: [&str; 4] = ["br", "gz", "zst", "zz"];
/// Extensions of documents in which scripts run.
const PAGES: [&str; 6] = ["htm", "html", "hxt", "shtml", "xht", "xhtml"];

/// Whether a path (empty, or with a leading slash) may name a file: every segment decodes to one plain, unprotected name.
pub(super) fn may_be_asked_for(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let Ok(name) = percent_decode_str(segment).decode_utf8() else {
            return false;
        };
        // Only the last segment may be empty: the page of a directory.
        let plain =
            if name.is_empty() { segments.peek().is_none() } else { is_plain(&name) && !is_protected(&name) };
        if !plain {
            return false;
        }
    }
    true
}

/// Whether a link may lead through this name. Two dots and more are how Kubernetes mounts a volume
/// (`index.html -> ..data/index.html`); nobody can ask for those names directly.
pub(super) fn may_be_linked_to(name: &str) -> bool {
    is_plain(name) && (name.starts_with("..") || !is_protected(name))
}

/// One segment everywhere: a colon opens drives and alternate streams on some systems.
fn is_plain(name: &str) -> bool {
    !name.contains(['/', '\\', ':']) && !name.chars().any(char::is_control)
}

fn is_protected(name: &str) -> bool {
    if name == ".well-known" {
        return false;
    }
    let mut name = name;
    while let Some((stem, extension)) = name.rsplit_once('.')
        && is_one_of(extension, &COMPRESSED)
    {
        name = stem;
    }
    name.starts_with(['.', '#']) || name.ends_with('~') || is_one_of(extension(name), &PROTECTED)
}

/// Whether a file of this name is a document in which scripts run. A path that ends in a slash names one.
pub(super) fn is_page(name: &str) -> bool {
    name.is_empty() || is_one_of(extension(name), &PAGES)
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_one_of(extension: &str, list: &[&str]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// Whether the name holds a hash of the content, as bundlers write it: `app.3f2a9c1b.js`, `index-BfK3_x9Q.css`.
/// When in doubt it does not: a page revalidated too often is slow, one cached for a year is broken.
pub(super) fn is_hashed(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8().unwrap_or(Cow::Borrowed(""));
    let Some((stem, _)) = name.rsplit_once('.') else {
        return false;
    };
    stem.split('.').any(|part| {
        let after_separators = part.match_indices(['-', '_']).map(|(at, _)| &part[at + 1..]);
        std::iter::once(part).chain(after_separators).any(is_hash)
    })
}

fn is_hash(text: &str) -> bool {
    let has = |test: fn(&u8) -> bool| text.bytes().any(|byte| test(&byte));
    let only = |test: fn(&u8) -> bool| text.bytes().all(|byte| test(&byte));
    if text.len() < 8 || !has(u8::is_ascii_digit) {
        return false;
    }
    let hexadecimal = only(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && has(u8::is_ascii_lowercase);
    // RFC 4648 base 32, always eight: a digit before a letter tells it from a word with a number.
    let base32 = text.len() == 8
        && only(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
        && digit_before_letter(text);
    let base64url = only(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && is_jumbled(text);
    hexadecimal || base32 || base64url
}

fn digit_before_letter(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic())
}

/// Words and dates change between capitals, small letters, digits and separators seldom, hashes all the time.
fn is_jumbled(text: &str) -> bool {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    };
    let separators = text.bytes().filter(|byte| kind(*byte) == 3).count();
    let changes = text.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    separators <= 2 && changes * 2 >= text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_may_be_asked_for() {
        for path in [
            "",
            "/",
            "/a.js",
            "/a/b.c",
            "/a/",
            "/.well-known/security.txt",
            "/a%20b.txt",
            "/caf%C3%A9.txt",
            "/map",
            "/a..b",
            "/app.map.js",
            "/tmp",
        ] {
            assert!(may_be_asked_for(path), "{path}");
        }
    }

    #[test]
    fn protected_and_ambiguous_names_may_not() {
        for path in [
            "/.git/config",
            "/.env",
            "/a/.htaccess",
            "/.",
            "/..",
            "/../x",
            "/....//x",
            "/.well-known/.env",
            "/app.js.map",
            "/app.js.MAP",
            "/app.js.map.br",
            "/app.js.map.gz.gz",
            "/index.html~",
            "/index.html~.gz",
            "/%23index.html%23",
            "/a.bak",
            "/a.orig",
            "/.a.swp",
            "/a.swp",
            "//a",
            "/a//b",
            "/a%2Fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00.txt",
            "/%2E%2E/a",
            "/c:/a",
            "/C%3A",
            "/a.txt::$DATA",
            "/%FF",
            "/a%0Ab",
            "/..data/a",
        ] {
            assert!(!may_be_asked_for(path), "{path}");
        }
    }

    #[test]
    fn links_may_lead_through_a_mounted_volume_but_not_to_protected_names() {
        assert!(
            may_be_linked_to("..data")
                && may_be_linked_to("..2026_01_02_03_04_05.123")
                && may_be_linked_to("a.js")
        );
        assert!(!may_be_linked_to(".env") && !may_be_linked_to("a.bak") && !may_be_linked_to(".git"));
    }

    #[test]
    fn hashes_are_recognised() {
        for name in [
            "app.3f2a9c1b.js",
            "index-BfK3_x9Q.css",
            "index-Bf-3_x9Q.css",
            "3f2a9c1b.js",
            "main.3f2a9c1b4d5e6f70.chunk.js",
            "main-5CWQMQJ2.js",
            "font.0a1b2c3d4e5f.woff2",
            "a_b-BfK3x9Qz.js",
        ] {
            assert!(is_hashed(name), "{name}");
        }
    }

    #[test]
    fn words_numbers_and_dates_are_not_hashes() {
        for name in [
            "index.html",
            "app.js",
            "web-components.js",
            "app-settings.js",
            "jquery-3.7.1.min.js",
            "report-20240131.pdf",
            "notes-2024-01-31.txt",
            "Chapter10.html",
            "docs-UserGuide2024.pdf",
            "Version12Final.js",
            "sale-SUMMER25.css",
            "bootstrap5.css",
            "deadbeef",
            "a.3f2a9c1b",
            "a-b-c-d-1-2-E-f.js",
            "polyfills.js",
            "app.3f2a9c1.js",
            "Win10Setup.js",
            "",
        ] {
            assert!(!is_hashed(name), "{name}");
        }
    }
}
