//! What an operator asks for, read strictly: what is misspelt ends nobody's session and lists nobody else's.

use serde::Deserialize;

use crate::session::SessionKey;

/// The most sessions on one page.
pub(super) const MOST: usize = 1_000;
const USUAL: usize = 100;
/// Longer cursors were not handed out by a store.
const LONGEST_CURSOR: usize = 256;

/// Which sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everybody's, a page at a time.
    Everybodys { cursor: Option<String>, limit: usize },
    /// One person's.
    Subjects(String),
    /// Those of one sign-in at the provider.
    ProviderSessions(String),
    /// One session.
    One(SessionKey),
}

impl Whose {
    /// How the sessions were chosen, for the audit log.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Everybodys { .. } => "all",
            Self::Subjects(_) => "subject",
            Self::ProviderSessions(_) => "provider_session",
            Self::One(_) => "id",
        }
    }
}

/// Which sessions, of which issuer's people; nothing for the configured provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) whose: Whose,
    pub(super) issuer: Option<String>,
}

/// Reads the query of a listing.
pub(super) fn of_query(query: &str) -> Result<Wish, String> {
    let mut found: [(&str, Option<String>); 5] =
        [("subject", None), ("provider_session", None), ("issuer", None), ("cursor", None), ("limit", None)];
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let Some((_, slot)) = found.iter_mut().find(|(known, _)| *known == name) else {
            return Err(format!(
                "unknown parameter {name:?}; there are subject, provider_session, issuer, cursor and limit"
            ));
        };
        if slot.is_some() {
            return Err(format!("{name} stands there twice"));
        }
        if value.is_empty() {
            return Err(format!("{name} is empty"));
        }
        *slot = Some(value.into_owned());
    }
    let [(_, subject), (_, provider_session), (_, issuer), (_, cursor), (_, limit)] = found;
    let is_paged = cursor.is_some() || limit.is_some();
    let whose = match (subject, provider_session) {
        (Some(_), Some(_)) => return Err("name a subject or a provider_session, not both".to_owned()),
        (Some(_), None) | (None, Some(_)) if is_paged => {
            return Err("cursor and limit are for the list of all sessions".to_owned());
        }
        (None, None) if issuer.is_some() => {
            return Err("issuer goes with subject or provider_session".to_owned());
        }
        (Some(subject), None) => Whose::Subjects(subject),
        (None, Some(sid)) => Whose::ProviderSessions(sid),
        (None, None) => Whose::Everybodys { cursor: checked(cursor)?, limit: counted(limit.as_deref())? },
    };
    Ok(Wish { whose, issuer })
}

fn checked(cursor: Option<String>) -> Result<Option<String>, String> {
    let is_ours = |cursor: &String| {
        cursor.len() <= LONGEST_CURSOR
            && cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:~".contains(&byte))
    };
    if cursor.as_ref().is_none_or(is_ours) {
        Ok(cursor)
    } else {
        Err("cursor is not a `next` of an earlier page".to_owned())
    }
}

fn counted(limit: Option<&str>) -> Result<usize, String> {
    let Some(limit) = limit else {
        return Ok(USUAL);
    };
    limit
        .parse()
        .ok()
        .filter(|limit| (1..=MOST).contains(limit))
        .ok_or_else(|| format!("limit is not a number from 1 to {MOST}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: Option<String>,
    subject: Option<String>,
    provider_session: Option<String>,
    issuer: Option<String>,
}

/// Reads the body by which sessions are ended.
pub(super) fn of_body(body: &[u8]) -> Result<Wish, String> {
    let Body { id, subject, provider_session, issuer } = serde_json::from_slice(body)
        .map_err(|error| format!("the body is not the JSON that belongs here: {error}"))?;
    for (name, value) in
        [("id", &id), ("subject", &subject), ("provider_session", &provider_session), ("issuer", &issuer)]
    {
        if value.as_ref().is_some_and(String::is_empty) {
            return Err(format!("{name} is empty"));
        }
    }
    let whose = match (id, subject, provider_session) {
        (Some(_), None, None) if issuer.is_some() => {
            return Err("issuer goes with subject or provider_session".to_owned());
        }
        (Some(id), None, None) => of_id(&id)?,
        (None, Some(subject), None) => Whose::Subjects(subject),
        (None, None, Some(sid)) => Whose::ProviderSessions(sid),
        _ => return Err("name exactly one of id, subject and provider_session".to_owned()),
    };
    Ok(Wish { whose, issuer })
}

/// Reads a session's id, as a listing shows it.
pub(super) fn of_id(id: &str) -> Result<Whose, String> {
    SessionKey::from_text(id)
        .map(Whose::One)
        .ok_or_else(|| "id is not that of a session: it has 43 letters, digits, - and _".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn wish(whose: Whose, issuer: Option<&str>) -> Wish {
        Wish { whose, issuer: issuer.map(str::to_owned) }
    }

    #[test]
    fn a_listing_is_of_everybody_or_of_somebody() {
        let page = |cursor: Option<&str>, limit| {
            wish(Whose::Everybodys { cursor: cursor.map(str::to_owned), limit }, None)
        };
        assert_eq!(of_query(""), Ok(page(None, USUAL)));
        assert_eq!(of_query("limit=1000&cursor=12:ab-_"), Ok(page(Some("12:ab-_"), 1_000)));
        let subject = |name: &str, issuer| wish(Whose::Subjects(name.to_owned()), issuer);
        assert_eq!(of_query("subject=auth0%7Ca%26b"), Ok(subject("auth0|a&b", None)));
        assert_eq!(of_query("issuer=https://a&subject=s"), Ok(subject("s", Some("https://a"))));
        assert_eq!(of_query("provider_session=x"), Ok(wish(Whose::ProviderSessions("x".to_owned()), None)));
    }

    #[test]
    fn what_is_misspelt_is_named() {
        for (query, named) in [
            ("sub=alice", "\"sub\""),
            ("subject=", "subject is empty"),
            ("subject=a&subject=b", "subject stands there twice"),
            ("subject=a&provider_session=b", "not both"),
            ("subject=a&limit=5", "for the list of all"),
            ("provider_session=a&cursor=5", "for the list of all"),
            ("issuer=x", "goes with"),
            ("limit=0", "from 1 to 1000"),
            ("limit=1001", "from 1 to 1000"),
            ("limit=-1", "from 1 to 1000"),
            ("limit=many", "from 1 to 1000"),
            ("cursor=%00", "an earlier page"),
            ("cursor=a/b", "an earlier page"),
        ] {
            let said = of_query(query).expect_err(query);
            assert!(said.contains(named), "{query}: {said}");
        }
        assert!(of_query(&format!("cursor={}", "a".repeat(257))).is_err());
    }

    #[test]
    fn an_end_names_exactly_one_thing() {
        let body = |json: serde_json::Value| of_body(json.to_string().as_bytes());
        let key = SessionKey::from_text(ID).expect("an id");
        assert_eq!(body(serde_json::json!({ "id": ID })), Ok(wish(Whose::One(key), None)));
        assert_eq!(
            body(serde_json::json!({ "subject": "s", "issuer": "i" })),
            Ok(wish(Whose::Subjects("s".to_owned()), Some("i")))
        );
        assert_eq!(
            body(serde_json::json!({ "provider_session": "p" })),
            Ok(wish(Whose::ProviderSessions("p".to_owned()), None))
        );
        for (text, named) in [
            ("", "not the JSON"),
            ("[]", "not the JSON"),
            ("{}", "exactly one"),
            (r#"{"subject":"a","id":"b"}"#, "exactly one"),
            (r#"{"subject":"a","provider_session":"b"}"#, "exactly one"),
            (r#"{"subject":""}"#, "subject is empty"),
            (r#"{"subject":"a","issuer":""}"#, "issuer is empty"),
            (r#"{"subject":7}"#, "not the JSON"),
            (r#"{"subject":"a","subject":"b"}"#, "duplicate field"),
            (r#"{"sub":"a"}"#, "unknown field"),
            (r#"{"id":"abc"}"#, "43 letters"),
            (r#"{"subject":"a"} {}"#, "not the JSON"),
        ] {
            let said = of_body(text.as_bytes()).expect_err(text);
            assert!(said.contains(named), "{text}: {said}");
        }
        assert!(of_body(format!(r#"{{"id":"{ID}","issuer":"i"}}"#).as_bytes()).is_err());
    }
}
