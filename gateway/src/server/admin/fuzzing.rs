//! What operators write, or somebody who found their token. See [`crate::fuzzing`].

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::wish::{MOST, Whose, Wish, of_body, of_id, of_query};

/// What a wish says, written anew, is the same wish; and no page is larger than pages are.
pub(crate) fn admin_wish(data: &[u8]) -> bool {
    let asked = std::str::from_utf8(data).ok().and_then(|text| of_query(text).ok());
    if let Some(wish) = &asked {
        assert_eq!(of_query(&query(wish)).as_ref(), Ok(wish));
    }
    let ended = of_body(data).ok();
    if let Some(wish) = &ended {
        assert!(!matches!(wish.whose, Whose::Everybodys { .. }), "nobody ends everybody's by accident");
        assert_eq!(of_body(&body(wish)).as_ref(), Ok(wish));
    }
    if let Some(Ok(Whose::One(key))) = std::str::from_utf8(data).ok().map(of_id) {
        assert_eq!(key.to_text().as_bytes(), data, "a session has one spelling");
    }
    asked.is_some() || ended.is_some()
}

fn query(wish: &Wish) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    match &wish.whose {
        Whose::Everybodys { cursor, limit } => {
            assert!((1..=MOST).contains(limit));
            form.append_pair("limit", &limit.to_string());
            form.extend_pairs(cursor.iter().map(|cursor| ("cursor", cursor)));
        }
        Whose::Subjects(subject) => drop(form.append_pair("subject", subject)),
        Whose::ProviderSessions(sid) => drop(form.append_pair("provider_session", sid)),
        Whose::One(_) => unreachable!("a query names no single session"),
    }
    form.extend_pairs(wish.issuer.iter().map(|issuer| ("issuer", issuer)));
    form.finish()
}

fn body(wish: &Wish) -> Vec<u8> {
    let (name, value) = match &wish.whose {
        Whose::One(key) => ("id", key.to_text()),
        Whose::Subjects(subject) => ("subject", subject.clone()),
        Whose::ProviderSessions(sid) => ("provider_session", sid.clone()),
        Whose::Everybodys { .. } => unreachable!("it was checked before"),
    };
    let mut members = Map::from_iter([(name.to_owned(), Value::from(value))]);
    members.extend(wish.issuer.clone().map(|issuer| ("issuer".to_owned(), Value::from(issuer))));
    Value::Object(members).to_string().into_bytes()
}

pub(crate) fn admin_wishes() -> Vec<Vec<u8>> {
    [
        "",
        "limit=1000&cursor=12:ab-_",
        "subject=auth0%7Ca%26b&issuer=https://a",
        "provider_session=x",
        "subject=a&subject=b",
        "limit=0",
        r#"{"id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        r#"{"subject":"s","issuer":"i"}"#,
        r#"{"provider_session":"p"}"#,
        r#"{"subject":"a","provider_session":"b"}"#,
        r#"{"id":"abc","sub":7}"#,
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec()
}
