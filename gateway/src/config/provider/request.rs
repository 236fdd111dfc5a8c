//! What every request for a sign-in says besides: `par`, `acr_values`, `max_age`, `prompt`, `claims`, `resources` and
//! fixed parameters.

use std::time::Duration;

use serde_json::{Map, Value as Json};
use toml::de::{DeTable, DeValue};

use crate::config::raw::{Place, Section, Value};
use crate::config::{check, tokens};
use crate::oidc::settings::{Pushing, RequestSettings};

use super::parameters;

const PAR: [(&str, Pushing); 3] =
    [("auto", Pushing::Auto), ("always", Pushing::Always), ("never", Pushing::Never)];
/// `none` is missing on purpose: nobody could ever sign in.
const PROMPTS: [(&str, Option<&str>); 3] =
    [("login", Some("login")), ("consent", Some("consent")), ("select_account", Some("select_account"))];
/// A year; more is no limit.
const LONGEST_AGE: Duration = Duration::from_hours(365 * 24);
/// Longer ones make addresses that somebody on the way refuses.
const LONGEST_CLAIMS: usize = 2_048;
/// The same for one fixed parameter.
const LONGEST_PARAMETER: usize = 512;

/// Reads all of it.
pub(super) fn read(section: &Section<'_>) -> Option<RequestSettings> {
    let par = check::word(section, "par", &PAR, Pushing::Auto);
    let acr_values = acr_values(section);
    let acr_required = acr_required(section);
    let max_age = if section.has("max_age") {
        check::time(section, "max_age", LONGEST_AGE, [Duration::ZERO, LONGEST_AGE]).map(Some)
    } else {
        Some(None)
    };
    let prompt = check::word(section, "prompt", &PROMPTS, None);
    let claims = claims(section);
    let parameters = fixed(section);
    Some(RequestSettings {
        par: par?,
        acr_values: acr_values?,
        acr_required: acr_required?,
        max_age: max_age?,
        prompt: prompt?.map(str::to_owned),
        claims: claims.ok()?,
        parameters: parameters?,
    })
}

/// `resources`: APIs beyond those of the tokens.
pub(super) fn resources(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("resources") {
        return Some(Vec::new());
    }
    let texts = section.unique_texts("resources")?;
    let good = texts.iter().filter(|text| tokens::is_resource(section, text));
    let good: Vec<_> = good.map(|text| text.value.to_owned()).collect();
    (good.len() == texts.len()).then_some(good)
}

fn acr_values(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("acr_values") {
        return Some(Vec::new());
    }
    let texts = section.unique_texts("acr_values")?;
    let mut good = Vec::with_capacity(texts.len());
    for text in &texts {
        if !text.value.is_empty() && text.value.bytes().all(|byte| byte.is_ascii_graphic()) {
            good.push(text.value.to_owned());
        } else {
            let help = "write it as the provider names it, one string per value";
            section.report().problem(&text.place, "this is not one `acr` value", help);
        }
    }
    (good.len() == texts.len()).then_some(good)
}

/// Asked for, they are meant: only who says so gets less (requirement SI-18).
fn acr_required(section: &Section<'_>) -> Option<bool> {
    let Some(value) = section.value("acr_required") else {
        return Some(true);
    };
    let required = value.flag()?;
    if !section.has("acr_values") {
        let help = "add `acr_values`, or remove it";
        section.report().problem(&value.place(), "there are no `acr_values` to require", help);
        return None;
    }
    Some(required)
}

/// What was reported and cannot be used.
struct Told;

/// A table, or the same as JSON.
fn claims(section: &Section<'_>) -> Result<Option<String>, Told> {
    let Some(value) = section.value("claims") else {
        return Ok(None);
    };
    let parsed = match value.get() {
        DeValue::Table(table) => of_table(table).map(Json::Object),
        DeValue::String(text) => serde_json::from_str::<Json>(text).ok(),
        _ => {
            value.wrong_type("a table or a string of JSON");
            return Err(Told);
        }
    };
    let is_request = |claims: &Json| {
        let members = claims.as_object();
        members.is_some_and(|members| !members.is_empty() && members.values().all(Json::is_object))
    };
    let text = parsed.filter(is_request).map(|claims| claims.to_string());
    let text = text.filter(|text| text.len() <= LONGEST_CLAIMS);
    if text.is_none() {
        section.report().problem(
            &value.place(),
            "this is not a `claims` request of at most 2048 characters",
            "write tables named id_token and userinfo, such as { id_token = { auth_time = { essential = true } } }",
        );
    }
    text.map(Some).ok_or(Told)
}

fn of_table(table: &DeTable<'_>) -> Option<Map<String, Json>> {
    let entry = |name: &str, value| Some((name.to_owned(), of_value(value)?));
    table.iter().map(|(name, value)| entry(name.get_ref(), value.get_ref())).collect()
}

/// The same in JSON; a date is nothing there, nor is a number that does not fit.
fn of_value(value: &DeValue<'_>) -> Option<Json> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.into(),
        DeValue::Float(number) => {
            Json::from(number.as_str().parse::<f64>().ok().filter(|it| it.is_finite())?)
        }
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Array(items) => {
            items.iter().map(|item| of_value(item.get_ref())).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(table) => Json::Object(of_table(table)?),
        DeValue::Datetime(_) => return None,
    })
}

/// `extra_parameters`.
fn fixed(section: &Section<'_>) -> Option<Vec<(String, String)>> {
    let Some(value) = section.value("extra_parameters") else {
        return Some(Vec::new());
    };
    let DeValue::Table(table) = value.get() else {
        value.wrong_type("a table");
        return None;
    };
    let pairs: Vec<_> = table
        .iter()
        .map(|(name, inner)| {
            let key = format!("{}.{}", value.place().key, name.get_ref().escape_debug());
            let place = Place { span: name.span(), key };
            fixed_one(section, &value, &place, name.get_ref(), inner.get_ref())
        })
        .collect();
    pairs.into_iter().collect()
}

fn fixed_one(
    section: &Section<'_>,
    table: &Value<'_>,
    place: &Place,
    name: &str,
    value: &DeValue<'_>,
) -> Option<(String, String)> {
    let report = section.report();
    let is_free = parameters::is_free(report, place, name);
    let fits =
        |text: &str| (1..=LONGEST_PARAMETER).contains(&text.len()) && !text.chars().any(char::is_control);
    match value {
        DeValue::String(text) if fits(text) => is_free.then(|| (name.to_owned(), text.as_ref().to_owned())),
        _ => {
            // Perhaps somebody put a secret where none belongs.
            report.mask(table.place().span);
            let help = "write a string of 1 to 512 characters on one line";
            report.problem(place, "a fixed parameter is a text", help);
            None
        }
    }
}
