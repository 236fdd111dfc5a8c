//! Sizes as people write them: `"10MiB"`, `"512KiB"`, `"1GiB"`, or a number of bytes.

use super::raw::{Section, Value};

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Reads a size; otherwise reported.
pub(super) fn read(section: &Section<'_>, value: &Value<'_>) -> Option<u64> {
    if value.get().as_integer().is_some() {
        let number = value.number()?;
        let size = u64::try_from(number.value).ok();
        if size.is_none() {
            section.report().problem(&number.place, "a size is not negative", "write such as \"10MiB\"");
        }
        return size;
    }
    if value.get().as_str().is_none() {
        value.wrong_type("a size such as \"10MiB\"");
        return None;
    }
    let text = value.text()?;
    let size = parse(text.value);
    if size.is_none() {
        let message = format!("\"{}\" is not a size", text.value.escape_debug());
        let help = "write a number and a unit: B, KiB, MiB, GiB, kB, MB or GB, such as \"10MiB\"";
        section.report().problem(&text.place, message, help);
    }
    size
}

/// `None` unless it is digits and one unit and fits.
fn parse(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit_at].parse().ok()?;
    let (_, size) = UNITS.iter().find(|(unit, _)| *unit == &text[unit_at..])?;
    number.checked_mul(*size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, size) in
            [("10MiB", 10_485_760), ("512KiB", 524_288), ("1GB", 1_000_000_000), ("0B", 0), ("7kB", 7_000)]
        {
            assert_eq!(parse(text), Some(size), "{text}");
        }
        for text in ["", "10", "MiB", "1.5MiB", "-1B", "10 MiB", "10mib", "99999999999GiB", "1M"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
