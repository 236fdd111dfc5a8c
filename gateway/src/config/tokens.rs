//! `[tokens.NAME]`: the access tokens that routes ask for.

mod subject;

use std::sync::Arc;

use toml::de::DeValue;
use url::Url;

use crate::oidc::settings::{ClientAuthentication, Settings};
use crate::routing::RouteProvider;
use crate::scope::ScopeSet;
use crate::session::{TokenKind, TokenSpec};

use super::placeholder::is_placeholder;
use super::providers::Named;
use super::raw::{Place, Section, Text};
use super::{check, providers, schema};

/// A token of the file: even a wrong one has a name that routes may use.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) spec: Option<Arc<TokenSpec>>,
}

/// How `kind` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    User,
    Client,
    UserOrClient,
    Exchange,
    OnBehalfOf,
}

const KINDS: [(&str, Kind); 5] = [
    ("user", Kind::User),
    ("client", Kind::Client),
    ("user-or-client", Kind::UserOrClient),
    ("exchange", Kind::Exchange),
    ("on-behalf-of", Kind::OnBehalfOf),
];

impl Kind {
    /// Whether another token is given for it.
    fn has_subject(self) -> bool {
        matches!(self, Self::Exchange | Self::OnBehalfOf)
    }
}

/// What is wrong was reported.
struct Told;

/// What a table says by itself.
struct Draft<'d> {
    kind: Kind,
    /// What it is for; the kind is still to be filled in.
    spec: TokenSpec,
    from: Option<Text<'d>>,
}

/// Reads every `[tokens.NAME]`.
pub(super) fn read(top: &Section<'_>, known: &[Named]) -> Vec<Found> {
    let tables = top.named("tokens", &schema::TOKEN);
    let drafts: Vec<_> =
        tables.iter().map(|(name, section)| draft(top, name, section.as_ref(), known)).collect();
    let names: Vec<&str> = tables.iter().map(|(name, _)| name.value).collect();
    let specs = subject::join(top.report(), &names, drafts);
    let found = |((name, _), spec): (&(Text<'_>, _), _)| Found {
        name: name.value.to_owned(),
        place: name.place.clone(),
        spec,
    };
    tables.iter().zip(specs).map(found).collect()
}

/// The APIs that a sign-in names, so that its refresh token is good for them (RFC 8707, section 2.1): first those of the
/// provider's own section.
pub(super) fn resources_of_sign_in(provider: &Settings, tokens: &[Found]) -> Vec<String> {
    let mut all = provider.resources.clone();
    let by_refresh = |spec: &&Arc<TokenSpec>| {
        let is_theirs = spec.provider.as_ref().is_none_or(|name| *name == provider.name);
        is_theirs && matches!(spec.kind, TokenKind::User | TokenKind::UserOrClient)
    };
    for spec in tokens.iter().filter_map(|token| token.spec.as_ref()).filter(by_refresh) {
        let new =
            spec.resources.iter().filter(|resource| !all.contains(resource)).cloned().collect::<Vec<_>>();
        all.extend(new);
    }
    all
}

fn draft<'d>(
    top: &Section<'_>,
    name: &Text<'_>,
    section: Option<&Section<'d>>,
    known: &[Named],
) -> Option<Draft<'d>> {
    let name = check::name(top.report(), name);
    let section = section?;
    let provider = providers::reference(section, known);
    let kind = kind(section, provider.as_ref().ok().and_then(Option::as_ref), known);
    let (scopes, resources, audience) = (scopes(section), resources(section), audience(section));
    let kind = kind?;
    let from = from(section, kind).ok();
    let (scopes, resources, audience) = (scopes?, resources?, audience.ok()?);
    if scopes.is_empty() && resources.is_empty() && audience.is_none() {
        say_what_it_is_for(section);
        return None;
    }
    let provider = provider.ok()?.map(|provider| provider.name);
    let spec = TokenSpec { name: name?, provider, scopes, kind: TokenKind::User, resources, audience };
    Some(Draft { kind, spec, from: from? })
}

/// Whether the client has a secret is unknown where that part of the file is wrong.
fn kind(section: &Section<'_>, provider: Option<&RouteProvider>, known: &[Named]) -> Option<Kind> {
    let kind = check::word(section, "kind", &KINDS, Kind::User)?;
    if provider.is_none() && known.len() > 1 && matches!(kind, Kind::Client | Kind::UserOrClient) {
        let help = "add provider = \"NAME\"";
        section.report().problem(
            section.place(),
            "it does not say which provider gives the gateway's own token",
            help,
        );
        return None;
    }
    let is_it = |named: &&Named| provider.is_none_or(|provider| *provider.name == *named.name);
    let client = known.iter().find(is_it).and_then(|named| named.found.as_ref());
    let client = client.map(|found| &found.settings.authentication);
    let needs_secret = matches!(kind, Kind::Client | Kind::UserOrClient | Kind::OnBehalfOf);
    if needs_secret && matches!(client, Some(ClientAuthentication::None)) {
        let message = "a public client proves nothing about itself, so it gets no token of this kind";
        let help =
            "register the gateway with a secret and write client_secret = { file = \"path\" } in [provider]";
        section.report().problem(&section.value("kind")?.place(), message, help);
        return None;
    }
    Some(kind)
}

fn scopes(section: &Section<'_>) -> Option<ScopeSet> {
    let Some(value) = section.value("scopes") else {
        return Some(ScopeSet::default());
    };
    check::scopes(section.report(), &value.unique_texts()?)
}

/// One string or several.
fn resources(section: &Section<'_>) -> Option<Vec<String>> {
    let Some(value) = section.value("resource") else {
        return Some(Vec::new());
    };
    let texts = match value.get() {
        DeValue::Array(_) => value.unique_texts()?,
        DeValue::String(_) => vec![value.text()?],
        _ => {
            value.wrong_type("a string or a list of strings");
            return None;
        }
    };
    let good: Vec<_> =
        texts.iter().filter(|text| is_resource(section, text)).map(|text| text.value.to_owned()).collect();
    (good.len() == texts.len()).then_some(good)
}

/// An absolute URI without a fragment (RFC 8707, section 2).
pub(super) fn is_resource(section: &Section<'_>, text: &Text<'_>) -> bool {
    let uri = Url::parse(text.value).ok().filter(|uri| uri.fragment().is_none());
    let is_good = uri.is_some() && !is_placeholder(text.value) && !text.value.contains(['<', '>', ' ']);
    if !is_good {
        section.report().problem(
            &text.place,
            "a resource is an absolute URI without \"#\"",
            "write the API's address as the provider knows it, such as \"https://api.example/todo\"; a mere name goes into `audience`",
        );
    }
    is_good
}

fn audience(section: &Section<'_>) -> Result<Option<String>, Told> {
    let Some(value) = section.value("audience") else {
        return Ok(None);
    };
    let text = value.text().ok_or(Told)?;
    if text.value.trim().is_empty() || is_placeholder(text.value) {
        let help = "write the API's name as the provider knows it, or remove the key";
        section.report().problem(&text.place, "this names no API", help);
        return Err(Told);
    }
    Ok(Some(text.value.to_owned()))
}

/// `from`, which must be there for some kinds and must not for others.
fn from<'d>(section: &Section<'d>, kind: Kind) -> Result<Option<Text<'d>>, Told> {
    if kind.has_subject() {
        return section.required("from").and_then(|value| value.text()).map(Some).ok_or(Told);
    }
    let Some(value) = section.value("from") else {
        return Ok(None);
    };
    let text = value.text().ok_or(Told)?;
    let help = "remove it, or write kind = \"exchange\" or kind = \"on-behalf-of\"";
    section.report().problem(&text.place, "`from` goes with tokens that are got in exchange", help);
    Err(Told)
}

fn say_what_it_is_for(section: &Section<'_>) {
    let mut place = section.value("scopes").map_or_else(|| section.place().clone(), |value| value.place());
    if !section.has("scopes") {
        place.key = format!("{}.scopes", place.key);
    }
    section.report().problem(
        &place,
        "a token needs at least one scope, or a `resource` or `audience`",
        "write what the token is for, such as scopes = [\"api://todo-service/ToDoList.Read\"]",
    );
}
