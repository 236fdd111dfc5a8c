//! Times as a table shows them: the moment, and how far away it is.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::clock::Timestamp;

/// Reads `2026-11-22T17:00:00Z`.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(|moment| Timestamp(moment.unix_timestamp()))
}

/// `2026-11-22 19:00Z`.
pub(super) fn short(moment: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]Z");
    OffsetDateTime::from_unix_timestamp(moment.0)
        .ok()
        .and_then(|moment| moment.format(format).ok())
        .unwrap_or_default()
}

/// The time from one moment to a later one in its two largest units: `3d 4h`, `2h 5m`, `7m`, `12s`.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.0.saturating_sub(from.0).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        (_, _, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_the_clock_writes_it() {
        let moment = Timestamp(1_795_374_059);
        assert_eq!(read(&moment.rfc3339()), Some(moment));
        assert_eq!(short(moment), "2026-11-22 19:00Z");
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn a_span_has_two_units_at_most() {
        let spans = [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h 0m"),
            (7_500, "2h 5m"),
            (86_400, "1d 0h"),
            (273_600, "3d 4h"),
        ];
        for (seconds, text) in spans {
            assert_eq!(span(Timestamp(1_000), Timestamp(1_000 + seconds)), text);
        }
    }
}
