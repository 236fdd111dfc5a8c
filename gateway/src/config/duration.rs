//! Durations as people write them: `"30m"`, `"8h"`, `"90s"`, `"1d"`, `"500ms"`.

use std::time::Duration;

/// How a duration is written, for messages.
pub(super) const FORM: &str = "a number and a unit: ms, s, m, h or d, such as \"30s\" or \"8h\"";

/// Reads a duration; `None` unless it is digits and one unit and fits.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit_at].parse().ok()?;
    let seconds = match &text[unit_at..] {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// The shortest way to write a duration.
pub(super) fn print(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_millis() != 0 {
        return format!("{}ms", duration.as_millis());
    }
    let units = [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "m")];
    let unit = units.into_iter().find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size));
    unit.map_or_else(|| format!("{seconds}s"), |(size, name)| format!("{}{name}", seconds / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("8h", 28_800), ("1d", 86_400), ("0s", 0)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
            assert_eq!(print(Duration::from_secs(seconds)), text);
        }
        assert_eq!(parse("500ms").map(print).as_deref(), Some("500ms"));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "30",
            "m",
            "1.5h",
            "-1s",
            "+1s",
            "1h30m",
            " 1s",
            "1 s",
            "1S",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
