//! What one answer is worth. Whoever asked knows whose data must be in it.

use serde_json::Value;

use crate::reply::Reply;

use super::User;

pub(super) enum Verdict {
    /// The owner's data.
    Good,
    /// A documented 503, with its reason.
    Unavailable(String),
    /// Something is broken.
    Error(String),
    /// The session is gone.
    SignedOut(String),
    /// Somebody else's data.
    Mismatch(String),
}

pub(super) fn judge(user: &User, reply: &Reply) -> Verdict {
    let say = |what: &str| format!("{}: {what}: {} {}", reply.asked, reply.status, start(&reply.text()));
    match reply.status.as_u16() {
        200 => match serde_json::from_slice::<Value>(&reply.body) {
            Ok(claims) if user.owns(&claims) => Verdict::Good,
            Ok(claims) if claims.get("oid").is_some() => Verdict::Mismatch(say("not the owner's")),
            _ => Verdict::Error(say("no claims")),
        },
        503 if reply.header("retry-after").is_some() => {
            let reason = serde_json::from_slice::<Value>(&reply.body).ok();
            let reason =
                reason.as_ref().and_then(|problem| problem["reason"].as_str()).unwrap_or("without reason");
            Verdict::Unavailable(reason.to_owned())
        }
        401 | 302 | 303 => Verdict::SignedOut(say("signed out")),
        _ => Verdict::Error(say("an error")),
    }
}

fn start(text: &str) -> String {
    text.chars().take(300).collect()
}
