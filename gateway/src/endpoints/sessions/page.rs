//! The list of a person's sessions as one of the gateway's own pages: works without scripts.

use http::{Response, StatusCode};

use crate::body::Body;
use crate::clock::Timestamp;
use crate::intake::Inbound;
use crate::pages::{Button, Entry, List, Moment, Page};
use crate::session::SessionKey;
use crate::session::browser::Browser;
use crate::session::return_to::OWN_PAGE;
use crate::session::store::Overview;

use super::{END, OTHERS};

pub(super) fn render(sessions: &[Overview], current: SessionKey, inbound: &Inbound) -> Response<Body> {
    let entries: Vec<_> = sessions.iter().map(|session| entry(session, current, inbound.now)).collect();
    let are_others = sessions.iter().any(|session| session.key != current);
    let all = || Button {
        field: (END, OTHERS.to_owned()),
        label: "Sign out everywhere else",
        spoken: "Sign out everywhere else".to_owned(),
    };
    let list = List { action: OWN_PAGE, entries: &entries, button: are_others.then(all) };
    let message = if are_others {
        "You are signed in here and elsewhere. If there is a browser that you do not know, sign it out."
    } else {
        "Only in this one: you are signed in nowhere else."
    };
    let actions = [("/", "Go to the front page")];
    let page = Page { status: StatusCode::OK, heading: "Your sessions", message, actions: &actions };
    page.with_list(&list, &inbound.request_id)
}

fn entry(session: &Overview, current: SessionKey, now: Timestamp) -> Entry {
    let device = &session.summary.device;
    let browser = Browser::of(&device.agent).to_string();
    let last_used = ago(session.last_used, now);
    let is_current = session.key == current;
    let end = || Button {
        field: (END, session.key.to_text()),
        label: "Sign out",
        spoken: format!("Sign out {browser}, last used {}", last_used.words),
    };
    Entry {
        mark: is_current.then_some("this browser"),
        facts: vec![("Address", device.address.to_string())],
        button: (!is_current).then(end),
        moments: vec![
            ("Signed in", ago(Timestamp(session.summary.started), now)),
            ("Last used", ago(session.last_used, now)),
        ],
        title: browser,
    }
}

/// A moment in the past as people say it.
fn ago(when: Timestamp, now: Timestamp) -> Moment {
    let seconds = now.0.saturating_sub(when.0).max(0);
    let (number, unit) = match seconds {
        ..60 => (0, ""),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let words = match number {
        0 => "just now".to_owned(),
        1 => format!("1 {unit} ago"),
        _ => format!("{number} {unit}s ago"),
    };
    Moment { words, exact: when.rfc3339() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_people_say_them() {
        let now = Timestamp(1_000_000);
        for (seconds, words) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (3_600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (400_000, "4 days ago"),
        ] {
            let moment = ago(Timestamp(now.0 - seconds), now);
            assert_eq!(moment.words, words, "{seconds}");
        }
    }
}
