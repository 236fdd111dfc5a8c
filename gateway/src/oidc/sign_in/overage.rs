//! Microsoft Entra leaves the groups out of a token when a person has too many, and names a place to ask instead
//! (`_claim_names`, `_claim_sources`). That place is not asked: rules on groups are not met then, and the log says why.

use serde_json::{Map, Value};

/// Whether the groups were left out, and nothing else brought them.
pub(super) fn lacks_groups(claims: &Map<String, Value>) -> bool {
    let names = claims.get("_claim_names").and_then(Value::as_object);
    // `hasgroups` is the same in tokens that come by the address bar; it is cheap to know it.
    let is_said = names.is_some_and(|names| names.contains_key("groups"))
        || claims.get("hasgroups").is_some_and(|value| *value == true || value == "true");
    is_said && !claims.contains_key("groups")
}

/// Tells the operator, once per sign-in.
pub(super) fn warn(subject: &str) {
    tracing::warn!(
        target: "gateway::oidc",
        event = "groups_left_out",
        subject,
        "the provider left out this person's groups because there are too many, so that no rule on `groups` is met: \
         use app roles (`role`) instead, or have it emit only \"groups assigned to the application\"",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn left_out_groups_are_told_from_others() {
        let lacks = |claims: Value| lacks_groups(claims.as_object().expect("an object"));
        let names = json!({"groups": "src1"});
        assert!(lacks(
            json!({ "_claim_names": names, "_claim_sources": {"src1": {"endpoint": "https://g"}} })
        ));
        assert!(lacks(json!({ "hasgroups": true })) && lacks(json!({ "hasgroups": "true" })));
        assert!(!lacks(json!({ "_claim_names": names, "groups": ["a"] })), "userinfo brought them");
        for fine in [
            json!({}),
            json!({"groups": []}),
            json!({"_claim_names": {"address": "src1"}}),
            json!({"_claim_names": "groups"}),
            json!({"hasgroups": false}),
        ] {
            assert!(!lacks(fine.clone()), "{fine}");
        }
    }
}
