//! Whether a person proved who they are in the way that was asked for, and lately enough (OpenID Connect Core 1.0,
//! section 3.1.3.7, steps 12 and 13; requirement SI-18). Pure.

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::oidc::id_token::{ClaimError, LEEWAY, moment};
use crate::oidc::json::JsonError;
use crate::oidc::settings::RequestSettings;
use crate::stop::Reason;

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooWeak {
    /// A lower level, or none.
    #[error("\"acr\" is not one of the values that were asked for")]
    Acr,
    /// Not said, although `max_age` was asked.
    #[error("\"auth_time\" does not say when")]
    AuthTime(#[source] ClaimError),
    /// Too long ago.
    #[error("\"auth_time\" is too long ago")]
    TooOld,
    /// Not yet.
    #[error("\"auth_time\" is in the future")]
    Future,
}

impl TooWeak {
    pub(super) fn reason(self) -> Reason {
        if self == Self::Acr { Reason::AcrNotMet } else { Reason::AuthenticationTooOld }
    }
}

/// Checks the claims of a verified ID token. `asked` is when the provider was asked: people who took their time there
/// did not prove anything too early.
pub(super) fn check(
    settings: &RequestSettings,
    claims: &Map<String, Value>,
    asked: Timestamp,
    now: Timestamp,
) -> Result<(), TooWeak> {
    if settings.acr_required && !settings.acr_values.is_empty() {
        let acr = claims.get("acr").and_then(Value::as_str);
        if !acr.is_some_and(|acr| settings.acr_values.iter().any(|asked| asked == acr)) {
            return Err(TooWeak::Acr);
        }
    }
    let Some(max_age) = settings.max_age else {
        return Ok(());
    };
    let proved = moment(claims, "auth_time").map_err(TooWeak::AuthTime)?;
    let missing = TooWeak::AuthTime(ClaimError::Json(JsonError::Missing("auth_time")));
    let proved = proved.ok_or(missing)?;
    if proved.plus(max_age).plus(LEEWAY) < asked {
        return Err(TooWeak::TooOld);
    }
    if proved > now.plus(LEEWAY) { Err(TooWeak::Future) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    const ASKED: Timestamp = Timestamp(10_000);
    const NOW: Timestamp = Timestamp(10_100);

    fn check_value(settings: &RequestSettings, claims: &Value) -> Result<(), TooWeak> {
        check(settings, claims.as_object().expect("an object"), ASKED, NOW)
    }

    #[test]
    fn what_was_not_asked_is_not_checked() {
        assert_eq!(check_value(&RequestSettings::default(), &json!({"acr": "0", "auth_time": "x"})), Ok(()));
        let voluntary = RequestSettings { acr_values: vec!["gold".to_owned()], ..RequestSettings::default() };
        assert_eq!(check_value(&voluntary, &json!({"acr": "bronze"})), Ok(()));
    }

    #[test]
    fn the_way_must_be_one_that_was_asked_for() {
        let acr_values = vec!["gold".to_owned(), "silver".to_owned()];
        let settings = RequestSettings { acr_values, acr_required: true, ..RequestSettings::default() };
        for good in ["gold", "silver"] {
            assert_eq!(check_value(&settings, &json!({ "acr": good })), Ok(()));
        }
        for bad in [
            json!({"acr": "bronze"}),
            json!({"acr": "Gold"}),
            json!({"acr": "gold silver"}),
            json!({"acr": ["gold"]}),
            json!({"acr": null}),
            json!({"acr": ""}),
            json!({}),
        ] {
            assert_eq!(check_value(&settings, &bad), Err(TooWeak::Acr), "{bad}");
        }
    }

    #[test]
    fn the_moment_is_judged_with_a_minute_of_leeway() {
        let settings =
            RequestSettings { max_age: Some(Duration::from_secs(300)), ..RequestSettings::default() };
        for (auth_time, expected) in [
            (10_050, Ok(())),
            (9_640, Ok(())),
            (9_639, Err(TooWeak::TooOld)),
            (0, Err(TooWeak::TooOld)),
            (10_160, Ok(())),
            (10_161, Err(TooWeak::Future)),
        ] {
            assert_eq!(check_value(&settings, &json!({ "auth_time": auth_time })), expected, "{auth_time}");
        }
        for odd in
            [json!({}), json!({"auth_time": "10000"}), json!({"auth_time": null}), json!({"auth_time": -1})]
        {
            assert!(matches!(check_value(&settings, &odd), Err(TooWeak::AuthTime(_))), "{odd}");
        }
    }
}
