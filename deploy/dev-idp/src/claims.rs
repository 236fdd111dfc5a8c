//! The `claims` parameter (OpenID Connect Core 5.5): single claims asked for, by name, for the ID token or for userinfo.
//! Knows nothing of what the claims are worth.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a `claims` parameter asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClaimsAsk {
    pub(crate) id_token: BTreeSet<String>,
    pub(crate) userinfo: BTreeSet<String>,
    /// The values that `acr` may have, best first.
    pub(crate) acr: Vec<String>,
    /// Whether `acr` must have one of them.
    pub(crate) acr_is_essential: bool,
}

impl ClaimsAsk {
    /// Reads the parameter; nothing asks for nothing.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self::default()) };
        let wrong = || "claims must be a JSON object with the members id_token and userinfo.".to_owned();
        let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        let names = |place: &str| match value.get(place) {
            None => Ok(BTreeSet::new()),
            Some(Value::Object(members)) => Ok(members.keys().cloned().collect()),
            Some(_) => Err(wrong()),
        };
        if !value.is_object() {
            return Err(wrong());
        }
        let acr = &value["id_token"]["acr"];
        let one = acr["value"].as_str().map(str::to_owned);
        let many =
            acr["values"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Ok(Self {
            id_token: names("id_token")?,
            userinfo: names("userinfo")?,
            acr: one.into_iter().chain(many).collect(),
            acr_is_essential: acr["essential"] == true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_asked_for_by_name_and_place() {
        let text = r#"{"userinfo":{"email":null},"id_token":{"acr":{"essential":true,"values":["2","1"]}}}"#;
        let ask = ClaimsAsk::parse(Some(text)).expect("a right parameter");
        assert!(ask.userinfo.contains("email") && !ask.id_token.contains("email"));
        assert_eq!((ask.acr.as_slice(), ask.acr_is_essential), (&["2".to_owned(), "1".to_owned()][..], true));
        assert_eq!(ClaimsAsk::parse(None), Ok(ClaimsAsk::default()));
    }

    #[test]
    fn what_is_no_object_of_objects_is_refused() {
        for wrong in ["", "[]", "x", r#"{"userinfo":["email"]}"#, r#"{"id_token":1}"#] {
            assert!(ClaimsAsk::parse(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
