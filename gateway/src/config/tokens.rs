//! `[tokens.NAME]`: the access tokens that routes ask for.

use std::sync::Arc;

use crate::session::TokenSpec;

use super::raw::{Place, Section, Text};
use super::{check, schema};

/// A token of the file: even a wrong one has a name that routes may use.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) spec: Option<Arc<TokenSpec>>,
}

/// Reads every `[tokens.NAME]`.
pub(super) fn read(top: &Section<'_>) -> Vec<Found> {
    let tables = top.named("tokens", &schema::TOKEN).into_iter();
    tables
        .map(|(name, section)| Found {
            name: name.value.to_owned(),
            place: name.place.clone(),
            spec: spec(top, &name, section),
        })
        .collect()
}

fn spec(top: &Section<'_>, name: &Text<'_>, section: Option<Section<'_>>) -> Option<Arc<TokenSpec>> {
    let name = check::name(top.report(), name);
    let section = section?;
    let value = section.required("scopes")?;
    let texts = value.unique_texts()?;
    if texts.is_empty() {
        section.report().problem(
            &value.place(),
            "a token needs at least one scope",
            "write what the token is for, such as [\"api://todo-service/ToDoList.Read\"]",
        );
        return None;
    }
    let scopes = check::scopes(section.report(), &texts)?;
    Some(Arc::new(TokenSpec::user(&name?, scopes)))
}
