//! `[provider]`, or several `[providers.NAME]`: with whom people can sign in, and how they are told apart.

use std::sync::Arc;

use crate::origin::Origin;
use crate::routing::RouteProvider;

use super::provider::{self, Found};
use super::raw::{Place, Section, Text};
use super::secrets::Surroundings;
use super::{check, schema, suggest};

/// What the only provider is called in the log.
const ONLY: &str = "default";
/// Where it answers; several have their names behind it.
const CALLBACK: &str = "/auth/callback";

/// A provider of the file: even a wrong one has a name that routes may use.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) found: Option<Found>,
}

/// Reads every provider. There is at least one, or a problem.
pub(super) fn read(top: &Section<'_>, public_url: Option<&Origin>, around: &Surroundings<'_>) -> Vec<Named> {
    if !top.has("providers") {
        let section = top.required("provider").and_then(|value| value.section(&schema::PROVIDER));
        let found = section.and_then(|section| {
            let label = label(&section, ONLY);
            provider::read(&section, (ONLY, label, CALLBACK), public_url, around)
        });
        return vec![Named { name: ONLY.to_owned(), found }];
    }
    if let Some(value) = top.value("provider") {
        let help = "give it a name of its own: [providers.NAME]";
        top.report().problem(&value.place(), "`[provider]` is the short form for a single one", help);
    }
    let tables = top.named("providers", &schema::PROVIDER);
    if tables.is_empty()
        && let Some(value) = top.value("providers")
    {
        top.report().problem(&value.place(), "there is no provider in it", "add [providers.NAME]");
    }
    let mut all: Vec<Named> = Vec::new();
    for (name, section) in &tables {
        let found = one(top, name, section.as_ref(), public_url, around);
        if let Some(found) = &found {
            check_issuer(top, name, found, &all);
        }
        all.push(Named { name: name.value.to_owned(), found });
    }
    all
}

fn one(
    top: &Section<'_>,
    name: &Text<'_>,
    section: Option<&Section<'_>>,
    public_url: Option<&Origin>,
    around: &Surroundings<'_>,
) -> Option<Found> {
    let fits = check::name(top.report(), name);
    let section = section?;
    let callback = format!("{CALLBACK}/{}", name.value);
    let found =
        provider::read(section, (name.value, label(section, name.value), &callback), public_url, around);
    fits.and(found)
}

/// What people read where they choose.
fn label(section: &Section<'_>, name: &str) -> String {
    section.text("label").map_or_else(|| name.to_owned(), |text| text.value.to_owned())
}

/// People are told apart by issuer and subject: two registrations with one issuer would be one.
fn check_issuer(top: &Section<'_>, name: &Text<'_>, found: &Found, earlier: &[Named]) {
    let is_same = |other: &&Named| {
        other.found.as_ref().is_some_and(|other| other.settings.issuer == found.settings.issuer)
    };
    if let Some(other) = earlier.iter().find(is_same) {
        let message = format!("it has the issuer of `{}`", other.name);
        top.report().problem(
            &name.place,
            message,
            "keep one of them: each provider has an issuer of its own",
        );
    }
}

/// The provider that `provider = "NAME"` of a route or token means. Where there is only one, there is nothing to say.
pub(super) fn reference(section: &Section<'_>, all: &[Named]) -> Result<Option<RouteProvider>, ()> {
    let Some(text) = section.value("provider").map(|value| value.text()) else {
        return Ok(None);
    };
    let text = text.ok_or(())?;
    if !all.iter().any(|named| named.name == text.value) {
        let names = all.iter().map(|named| &*named.name);
        let help = suggest::help(text.value, names, "add [providers.NAME]");
        let message = format!("there is no provider \"{}\"", text.value.escape_debug());
        section.report().problem(&text.place, message, help);
        return Err(());
    }
    named(text.value, all).map(Some).ok_or(())
}

/// The provider of that name, unless something is wrong with it.
pub(super) fn named(name: &str, all: &[Named]) -> Option<RouteProvider> {
    let settings = &all.iter().find(|named| named.name == name)?.found.as_ref()?.settings;
    Some(RouteProvider { name: Arc::clone(&settings.name), issuer: Arc::clone(&settings.issuer) })
}

/// Reports a reference that contradicts another.
pub(super) fn contradiction(section: &Section<'_>, token: &str, provider: &str) {
    let place: Place = section.value("token").map_or_else(|| section.place().clone(), |value| value.place());
    let message = format!("the token `{token}` is given by the provider `{provider}`");
    section.report().problem(&place, message, "name the same provider for the route, or leave that out");
}
