//! `[session] keys`: the keys with which gateways lock what they store. The first locks, all of them open.

use std::path::PathBuf;

use crate::config::raw::Section;
use crate::config::secrets::{self, Surroundings, Wanted};
use crate::session::store::Choice;
use crate::session::vault::ServerKey;

const MAKE_ONE: &str = "make one with: openssl rand -base64 32";
const KEY: Wanted = Wanted { lines: false, shortest: 32, where_from: MAKE_ONE };

/// Reads `keys`; and their files, which must not be served. Gateways that share a store must share keys: those cannot
/// be made up.
pub(super) fn read(
    session: &Section<'_>,
    store: Option<&Choice>,
    around: &Surroundings<'_>,
) -> (Option<Vec<ServerKey>>, Vec<PathBuf>) {
    let report = session.report();
    let Some(value) = session.value("keys") else {
        if matches!(store, Some(Choice::Redis(_))) {
            let mut place = session.place().clone();
            place.key = format!("{}.keys", place.key);
            report.problem(
                &place,
                "gateways that share sessions need a key of their own",
                format!("add keys = [{{ file = \"path\" }}], the same on each gateway; {MAKE_ONE}"),
            );
            return (None, Vec::new());
        }
        return (Some(Vec::new()), Vec::new());
    };
    let Some(items) = value.list() else {
        return (None, Vec::new());
    };
    if items.is_empty() {
        report.problem(&value.place(), "there is no key in this list", MAKE_ONE);
        return (None, Vec::new());
    }
    let (mut keys, mut files) = (Vec::new(), Vec::new());
    for item in &items {
        let Some(found) = secrets::read(item, &KEY, report, around) else {
            continue;
        };
        files.extend(found.file);
        match ServerKey::parse(found.secret.expose()) {
            Ok(key) if keys.iter().any(|known: &ServerKey| known.id() == key.id()) => {
                report.problem(&item.place(), "this key stands in the list twice", "remove one");
            }
            Ok(key) => keys.push(key),
            Err(error) => {
                let text = error.to_string();
                let (wrong, repair) = text.split_once("; ").unwrap_or((&text, MAKE_ONE));
                report.problem(&item.place(), wrong, repair);
            }
        }
    }
    ((keys.len() == items.len()).then_some(keys), files)
}
