//! `client_certificate` of a route: which clients may come here at all, by the certificate that they showed.

use crate::config::raw::{Section, Value};
use crate::config::{schema, suggest};
use crate::handshake::client::Wanted;

const FORM: &str = "write \"required\", { san = [\"…\"] } or { subject = [\"CN=…\"] }";

/// Reads it; nothing if it is not there, or wrong, which is reported.
pub(super) fn read(route: &Section<'_>, takes_certificates: bool) -> Option<Box<Wanted>> {
    let value = route.value("client_certificate")?;
    let wanted = wanted(route, &value)?;
    if !takes_certificates {
        let help = "add `client_ca = \"clients.pem\"` under [tls]: the authorities whose certificates count";
        route.report().problem(&value.place(), "no client is asked for a certificate", help);
    }
    Some(Box::new(wanted))
}

fn wanted(route: &Section<'_>, value: &Value<'_>) -> Option<Wanted> {
    if let Some(word) = value.get().as_str() {
        if word == "required" {
            return Some(Wanted::default());
        }
        let help = suggest::help(word, std::iter::once("required"), FORM);
        route.report().problem(&value.place(), "this is not a choice here", help);
        return None;
    }
    if value.get().as_table().is_none() {
        value.wrong_type("\"required\" or a table");
        return None;
    }
    let section = value.section(&schema::CLIENT_CERTIFICATE)?;
    let list = |key| {
        let texts = section.has(key).then(|| section.unique_texts(key));
        let owned =
            |texts: Vec<_>| texts.into_iter().map(|text: crate::config::raw::Text<'_>| text.value.to_owned());
        texts.map_or_else(|| Some(Vec::new()), |texts| Some(owned(texts?).collect::<Vec<_>>()))
    };
    let (names, subjects, forward) = (list("san"), list("subject"), section.flag("forward", false));
    for (key, found) in [("san", &names), ("subject", &subjects)] {
        if section.has(key) && found.as_ref().is_some_and(Vec::is_empty) {
            route.report().problem(section.place(), format!("an empty `{key}` lets nobody in"), FORM);
        }
    }
    Some(Wanted { names: names?, subjects: subjects?, forward })
}
