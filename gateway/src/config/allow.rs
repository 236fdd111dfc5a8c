//! `allow`: who may pass a route.

use serde_json::Value as Json;
use toml::de::DeValue;

use crate::rule::Rule;
use crate::scope::Scope;

use super::raw::{Section, Value};
use super::{schema, suggest};

const FORM: &str = "\"anyone\", \"signed-in\", { scope = … }, { role = … }, { claim = …, any_of = […] }, { all = […] } or { any = […] }";

/// What people write for the two words.
const SYNONYMS: &[(&str, &str)] = &[
    ("public", "anyone"),
    ("everyone", "anyone"),
    ("everybody", "anyone"),
    ("all", "anyone"),
    ("any", "anyone"),
    ("none", "anyone"),
    ("*", "anyone"),
    ("anonymous", "anyone"),
    ("authenticated", "signed-in"),
    ("user", "signed-in"),
    ("users", "signed-in"),
    ("private", "signed-in"),
    ("login", "signed-in"),
    ("logged-in", "signed-in"),
    ("required", "signed-in"),
];

/// Reads the rule of a route; left out, it is "signed-in" (requirement CF-04).
pub(super) fn read(route: &Section<'_>) -> Option<Rule> {
    let Some(value) = route.value("allow") else {
        return Some(Rule::SignedIn);
    };
    rule(route, &value, false)
}

fn rule(route: &Section<'_>, value: &Value<'_>, nested: bool) -> Option<Rule> {
    match value.get() {
        DeValue::String(word) => by_word(route, value, word, nested),
        DeValue::Table(_) => by_table(&value.section(&schema::RULE)?),
        _ => {
            value.wrong_type("a rule");
            None
        }
    }
}

fn by_word(route: &Section<'_>, value: &Value<'_>, word: &str, nested: bool) -> Option<Rule> {
    let problem = |message: String, help: String| {
        route.report().problem(&value.place(), message, help);
        None
    };
    match word {
        // Easily overlooked in a long rule, and never needed there.
        "anyone" if nested => problem(
            "\"anyone\" must stand alone".to_owned(),
            "write allow = \"anyone\", or remove it from the list".to_owned(),
        ),
        "anyone" => Some(Rule::Anyone),
        "signed-in" => Some(Rule::SignedIn),
        _ => {
            let synonym = SYNONYMS
                .iter()
                .find(|(synonym, _)| word.eq_ignore_ascii_case(synonym))
                .map(|(_, meant)| *meant);
            let near = synonym.or_else(|| suggest::nearest(word, ["anyone", "signed-in"]));
            let help =
                near.map_or_else(|| format!("write {FORM}"), |near| format!("did you mean \"{near}\"?"));
            problem(format!("\"{}\" is not a rule", word.escape_debug()), help)
        }
    }
}

const KINDS: [&str; 5] = ["scope", "role", "claim", "all", "any"];

fn by_table(table: &Section<'_>) -> Option<Rule> {
    let report = table.report();
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
    let [kind] = kinds[..] else {
        let message = if kinds.is_empty() {
            "a rule needs a condition".to_owned()
        } else {
            format!("a rule has one condition, not {}", kinds.len())
        };
        let help = if kinds.is_empty() {
            format!("write {FORM}")
        } else {
            "combine rules with { all = [ … ] } or { any = [ … ] }".to_owned()
        };
        report.problem(table.place(), message, help);
        return None;
    };
    if kind != "claim"
        && let Some(value) = table.value("any_of")
    {
        report.problem(
            &value.place(),
            "`any_of` goes with `claim`",
            "write { claim = \"name\", any_of = [ … ] }",
        );
        return None;
    }
    match kind {
        "scope" => scope(table),
        "role" => Some(Rule::Role(filled(table, "role")?)),
        "claim" => claim(table),
        "all" => list(table, "all").map(Rule::All),
        _ => list(table, "any").map(Rule::Any),
    }
}

fn scope(table: &Section<'_>) -> Option<Rule> {
    let text = table.text("scope")?;
    match text.value.parse::<Scope>() {
        Ok(scope) => Some(Rule::Scope(scope)),
        Err(error) => {
            table.report().problem(
                &text.place,
                error.to_string(),
                "write one scope; combine several with { all = [ … ] }",
            );
            None
        }
    }
}

fn filled(table: &Section<'_>, key: &'static str) -> Option<String> {
    let text = table.text(key)?;
    if text.value.is_empty() {
        table.report().problem(
            &text.place,
            format!("an empty {key} never matches"),
            format!("write the {key}'s name"),
        );
        return None;
    }
    Some(text.value.to_owned())
}

fn claim(table: &Section<'_>) -> Option<Rule> {
    let name = filled(table, "claim");
    let value = table.required("any_of")?;
    let items = value.list()?;
    if items.is_empty() {
        table.report().problem(
            &value.place(),
            "nobody passes: no value is listed",
            "write the values that pass, such as any_of = [\"editor\"]",
        );
        return None;
    }
    let values: Vec<Json> = items.iter().filter_map(json).collect();
    let complete = values.len() == items.len();
    complete.then_some(Rule::Claim { name: name?, any_of: values })
}

/// Claims are compared exactly, so that dates and fractions, which have many spellings, are refused.
fn json(value: &Value<'_>) -> Option<Json> {
    match value.get() {
        DeValue::String(text) => Some(Json::from(text.as_ref())),
        DeValue::Boolean(flag) => Some(Json::from(*flag)),
        DeValue::Integer(_) => value.number().map(|number| Json::from(number.value)),
        _ => {
            value.wrong_type("a string, a whole number, true or false");
            None
        }
    }
}

fn list(table: &Section<'_>, key: &'static str) -> Option<Vec<Rule>> {
    let value = table.value(key)?;
    let items = value.list()?;
    if items.is_empty() {
        table.report().problem(&value.place(), "an empty list decides nothing", "write at least one rule");
        return None;
    }
    let rules: Vec<Rule> = items.iter().filter_map(|item| rule(table, item, true)).collect();
    (rules.len() == items.len()).then_some(rules)
}
