//! Whether both clocks agree: tokens are refused that are of the past or of the future. Pure.

use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::clock::Timestamp;
use crate::finding::Finding;

/// The form that RFC 9110, section 5.6.7, makes senders use.
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const NOTICEABLE: u64 = 30;
/// What the checks of an ID token allow.
const TOO_MUCH: u64 = 60;

/// Compares the provider's `Date` with the time here.
pub(super) fn judge(date: &str, now: Timestamp) -> Finding {
    let looked_at = "the provider's Date header";
    let Ok(there) = PrimitiveDateTime::parse(date, HTTP_DATE) else {
        return Finding::warning(
            "clock",
            looked_at,
            "is not a date",
            "compare this machine's clock with a clock",
        );
    };
    let ahead = now.0.saturating_sub(there.assume_utc().unix_timestamp());
    let by = ahead.unsigned_abs();
    let which = if ahead > 0 { "ahead of" } else { "behind" };
    let found = format!("this machine's clock is {by} s {which} the provider's");
    let repair = "set this machine's clock, and let it be kept: timedatectl set-ntp true";
    match by {
        0..=NOTICEABLE => {
            Finding::ok("clock", looked_at, format!("agrees with this machine's clock (to {by} s)"))
        }
        by if by <= TOO_MUCH => Finding::warning("clock", looked_at, found, repair),
        _ => Finding::fault("clock", looked_at, format!("{found}: every sign-in will be refused"), repair),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn half_a_minute_passes_and_more_than_a_minute_is_a_fault() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let level = |offset: i64| judge(date, Timestamp(784_111_777 + offset)).level;
        assert_eq!([level(0), level(30), level(-30)], [Level::Ok; 3]);
        assert_eq!([level(31), level(-60)], [Level::Warning; 2]);
        assert_eq!([level(61), level(-61), level(3_600)], [Level::Fault; 3]);
        assert_eq!(judge("yesterday", Timestamp(0)).level, Level::Warning);
    }
}
