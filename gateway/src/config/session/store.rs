//! `[session] store`: in memory, in a database of this gateway's own, or in a Redis that several gateways share.

use std::path::{Path, PathBuf};

use crate::config::raw::{Section, Text, Value};
use crate::config::secrets::{self, Surroundings, Wanted};
use crate::config::{check, schema, suggest};
use crate::session::store::Choice;
use crate::session::store::redis::settings::{Mode, SettingError, Settings, Tls};

/// Where sessions are kept if nothing is said.
const DEFAULT_FILE: &str = "var/sessions.db";
const FORM: &str = "write \"memory\", { file = \"var/sessions.db\" } or { redis = \"rediss://host:6379\" }";

/// A password of Redis may be as short as its owner likes.
const PASSWORD: Wanted =
    Wanted { lines: false, shortest: 1, where_from: "write the password that Redis was given" };

/// Reads `store`; and the files of its passwords, which must not be served.
pub(super) fn read(session: &Section<'_>, around: &Surroundings<'_>) -> (Option<Choice>, Vec<PathBuf>) {
    let Some(value) = session.value("store") else {
        return (Some(default(around)), Vec::new());
    };
    if let Some(word) = value.get().as_str() {
        return (by_word(session, &value, word), Vec::new());
    }
    if value.get().as_table().is_none() {
        value.wrong_type("\"memory\" or a table");
        return (None, Vec::new());
    }
    match value.section(&schema::STORE) {
        Some(section) => by_table(&section, around),
        None => (None, Vec::new()),
    }
}

/// A database beside the configuration.
pub(super) fn default(around: &Surroundings<'_>) -> Choice {
    Choice::File(around.place(DEFAULT_FILE))
}

fn by_word(session: &Section<'_>, value: &Value<'_>, word: &str) -> Option<Choice> {
    if word == "memory" {
        return Some(Choice::Memory);
    }
    let looks_like_redis = word.starts_with("redis") || word.starts_with("valkey");
    session.report().mask(value.place().span);
    let help = if looks_like_redis {
        "write store = { redis = \"rediss://host:6379\" }".to_owned()
    } else {
        suggest::help(word, std::iter::once("memory"), FORM)
    };
    session.report().problem(&value.place(), "this is not a store", help);
    None
}

fn by_table(section: &Section<'_>, around: &Surroundings<'_>) -> (Option<Choice>, Vec<PathBuf>) {
    mask_passwords(section);
    let kinds = ["file", "redis", "sentinels", "cluster"];
    let written: Vec<_> = kinds.into_iter().filter(|kind| section.has(kind)).collect();
    let [kind] = written[..] else {
        let message = if written.is_empty() {
            "it does not say where sessions are kept".to_owned()
        } else {
            format!("sessions are kept in one place only, but this says {}", written.join(" and "))
        };
        section.report().problem(section.place(), message, FORM);
        return (None, Vec::new());
    };
    if kind == "file" {
        return (file(section, around).map(Choice::File), Vec::new());
    }
    let mut files = Vec::new();
    let settings = redis(section, kind, around, &mut files);
    (settings.map(|settings| Choice::Redis(Box::new(settings))), files)
}

fn file(section: &Section<'_>, around: &Surroundings<'_>) -> Option<PathBuf> {
    let others = [
        "username",
        "password",
        "database",
        "prefix",
        "ca",
        "tls",
        "master",
        "sentinel_username",
        "sentinel_password",
    ];
    for other in others {
        if let Some(value) = section.value(other) {
            section.report().problem(&value.place(), format!("a file has no `{other}`"), "remove it");
        }
    }
    let text = section.text("file")?;
    let path = around.place(text.value);
    if text.value.is_empty() || text.value.ends_with('/') || path.is_dir() {
        section.report().problem(
            &text.place,
            "this is not the name of a file",
            format!("write {{ file = \"{DEFAULT_FILE}\" }}"),
        );
        return None;
    }
    Some(path)
}

fn redis(
    section: &Section<'_>,
    kind: &'static str,
    around: &Surroundings<'_>,
    files: &mut Vec<PathBuf>,
) -> Option<Settings> {
    let settings = match kind {
        "redis" => section.text(kind).and_then(|text| {
            is_without_password(section, &text)
                .then(|| accept(section, &text, Settings::single(text.value)))
                .flatten()
        }),
        "cluster" => section.unique_texts(kind).and_then(|texts| {
            let are_fine = texts.iter().filter(|text| !is_without_password(section, text)).count() == 0;
            let values: Vec<_> = texts.iter().map(|text| text.value).collect();
            are_fine.then(|| accept_at(section, kind, Settings::cluster(&values))).flatten()
        }),
        _ => section.unique_texts(kind).and_then(|texts| {
            let values: Vec<_> = texts.iter().map(|text| text.value).collect();
            let master = section.required("master")?.text()?;
            accept_at(section, kind, Settings::sentinel(&values, master.value))
        }),
    };
    let tls = tls(section, around);
    let mut passwords = ["password", "sentinel_password"].into_iter().map(|name| {
        let Some(value) = section.value(name) else {
            return Some(None);
        };
        let found = secrets::read(&value, &PASSWORD, section.report(), around)?;
        files.extend(found.file);
        Some(Some(found.secret))
    });
    let (password, sentinel_password) = (passwords.next().flatten(), passwords.next().flatten());
    let mut settings = settings?;
    settings.password = password?;
    settings.username = section.text("username").map(|text| text.value.to_owned());
    if let Some(number) = section.value("database") {
        settings.database = database(section, &number)?;
    }
    if let Some(prefix) = section.text("prefix") {
        prefix.value.clone_into(&mut settings.prefix);
    }
    let wants_tls = section.flag("tls", false);
    match tls.ok()? {
        Some(tls) => settings.tls = Some(tls),
        None if wants_tls && settings.tls.is_none() => settings.tls = Some(Tls::default()),
        None => {}
    }
    let sentinel_password = sentinel_password?;
    let sentinel_username = section.text("sentinel_username").map(|text| text.value.to_owned());
    if let Mode::Sentinel(sentinels) = &mut settings.mode {
        (sentinels.username, sentinels.password) = (sentinel_username, sentinel_password);
    } else if sentinel_password.is_some() || sentinel_username.is_some() {
        let message = "`sentinel_username` and `sentinel_password` are for `sentinels`";
        section.report().problem(section.place(), message, "remove them");
        return None;
    }
    if settings.sends_password_in_the_clear() {
        section.report().warning(
            "session.store: the password of Redis goes over the network unencrypted; write rediss://",
        );
    }
    let settings = settings.check().map(|()| settings);
    accept_at(section, kind, settings)
}

/// Certificate authorities of one's own; nothing inside without, nothing at all for wrong ones, which are reported.
fn tls(section: &Section<'_>, around: &Surroundings<'_>) -> Result<Option<Tls>, ()> {
    let Some(text) = section.text("ca") else {
        return if section.has("ca") { Err(()) } else { Ok(None) };
    };
    let path: &Path = &around.path(text.value);
    match std::fs::read(path) {
        Ok(pem) => Ok(Some(Tls { private_ca: Some(pem) })),
        Err(error) => {
            section.report().problem(
                &text.place,
                format!("the certificate authority's file cannot be read: {error}"),
                format!("put its certificate in PEM form into {}", path.display()),
            );
            Err(())
        }
    }
}

fn database(section: &Section<'_>, value: &Value<'_>) -> Option<u16> {
    let number = value.number()?;
    let database = u16::try_from(number.value).ok();
    if database.is_none() {
        section.report().problem(&number.place, "Redis has no database of that number", "write 0 to 65535");
    }
    database
}

/// An address with a password is shown nowhere, whatever is wrong beside it.
fn mask_passwords(section: &Section<'_>) {
    let one = section.value("redis").into_iter();
    let several =
        section.value("cluster").filter(|value| value.get().is_array()).and_then(|value| value.list());
    for value in one.chain(several.into_iter().flatten()) {
        if value.get().as_str().is_some_and(|text| text.contains('@')) {
            section.report().mask(value.place().span);
        }
    }
}

/// Passwords do not belong into this file: it is copied, committed and shown.
fn is_without_password(section: &Section<'_>, text: &Text<'_>) -> bool {
    let has_password = url::Url::parse(text.value).is_ok_and(|url| url.password().is_some());
    if has_password {
        section.report().mask(text.place.span.clone());
        section.report().problem(
            &text.place,
            "a password must not stand in the configuration",
            "take it out of the address, and write password = { file = \"path\" } or { env = \"NAME\" } beside it",
        );
    }
    !has_password
}

fn accept(
    section: &Section<'_>,
    text: &Text<'_>,
    settings: Result<Settings, SettingError>,
) -> Option<Settings> {
    settings.inspect_err(|error| section.report().problem(&text.place, error.to_string(), FORM)).ok()
}

fn accept_at(
    section: &Section<'_>,
    key: &'static str,
    settings: Result<Settings, SettingError>,
) -> Option<Settings> {
    let place = section.value(key).map_or_else(|| section.place().clone(), |value| value.place());
    settings
        .inspect_err(|error| section.report().problem(&place, error.to_string(), check::SEE_REFERENCE))
        .ok()
}
