//! `tracestate`: a list that is passed on as it came, or not at all (W3C Trace Context, section 3.3).

use http::HeaderValue;

/// The most that is passed on, as the standard has it.
const MAX_LENGTH: usize = 512;
const MAX_MEMBERS: usize = 32;

/// The whole list, which may come in several lines; nothing if any part of it is malformed.
pub(super) fn of<'h>(lines: impl Iterator<Item = &'h HeaderValue>) -> Option<HeaderValue> {
    let mut lines = lines.peekable();
    let first = lines.next()?;
    let whole = if lines.peek().is_none() {
        first.clone()
    } else {
        let parts: Vec<_> = [first].into_iter().chain(lines).map(HeaderValue::as_bytes).collect();
        HeaderValue::from_bytes(&parts.join(&b',')).ok()?
    };
    is_well_formed(whole.as_bytes()).then_some(whole)
}

fn is_well_formed(list: &[u8]) -> bool {
    if list.len() > MAX_LENGTH {
        return false;
    }
    let members: Vec<_> = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let mut keys = Vec::with_capacity(members.len());
    for member in members.iter().filter(|member| !member.is_empty()) {
        let Some(equals) = member.iter().position(|byte| *byte == b'=') else {
            return false;
        };
        let (key, value) = (&member[..equals], &member[equals + 1..]);
        if !is_key(key) || !is_value(value) || keys.contains(&key) {
            return false;
        }
        keys.push(key);
    }
    !keys.is_empty() && keys.len() <= MAX_MEMBERS
}

/// `vendor` or `tenant@vendor`.
fn is_key(key: &[u8]) -> bool {
    let is_part = |part: &[u8], most: usize, digit_first: bool| {
        let rest = |byte: &u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/')
        };
        let first = part
            .first()
            .is_some_and(|byte| byte.is_ascii_lowercase() || digit_first && byte.is_ascii_digit());
        first && part.len() <= most && part.iter().all(rest)
    };
    match key.iter().position(|byte| *byte == b'@') {
        None => is_part(key, 256, true),
        Some(at) => is_part(&key[..at], 241, true) && is_part(&key[at + 1..], 14, false),
    }
}

fn is_value(value: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && *byte != b'=';
    (1..=256).contains(&value.len()) && value.iter().all(is_plain)
}
