//! Whether each `[tokens.NAME]` could be had from this provider, by what its kind and its scopes need. Pure: nobody's
//! token is asked for.

use std::sync::Arc;

use super::document::Document;
use super::entra;
use crate::finding::{Finding, Report};
use crate::oidc::ask::is_about_sign_in;
use crate::oidc::settings::Settings;
use crate::session::{TokenKind, TokenSpec};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Looks at each token, and at what the sign-in must ask for them.
pub(super) fn examine(
    settings: &Settings,
    tokens: &[Arc<TokenSpec>],
    document: Option<&Document>,
    report: &mut Report<'_>,
) {
    let is_entra = document.map_or_else(|| entra::is_issuer(&settings.issuer), |document| document.is_entra);
    let needs_refresh = tokens.iter().any(|spec| spec.is_for_sessions());
    if needs_refresh && !settings.scopes.contains("offline_access") {
        report.add(no_refresh_token(settings, is_entra));
    }
    let at_sign_in = scopes_at_sign_in(settings, tokens);
    for spec in tokens {
        let looked_at = format!("tokens.{}", spec.name);
        let trouble = if is_entra { of_entra(spec) } else { of_others(settings, &at_sign_in, spec) };
        let finding = match trouble.or_else(|| document.and_then(|document| of_grants(spec, document))) {
            Some((what, repair)) if is_entra => Finding::fault("tokens", looked_at, what, repair),
            Some((what, repair)) => Finding::warning("tokens", looked_at, what, repair),
            None => Finding::ok("tokens", looked_at, "can be asked for like this"),
        };
        report.add(finding);
    }
}

fn no_refresh_token(settings: &Settings, is_entra: bool) -> Finding {
    let names: Vec<_> =
        settings.scopes.names().filter(|name| *name != "openid").chain(["offline_access"]).collect();
    let repair = format!("scopes = [\"{}\"]", names.join("\", \""));
    let looked_at = format!("provider.scopes: {}", settings.scopes);
    if is_entra {
        let found = "without offline_access Entra gives no refresh token, and so no token for an API";
        return Finding::fault("offline_access", looked_at, found, repair);
    }
    let found = "without a refresh token, people are sent to sign in again whenever a route's token expires";
    let repair = format!("{repair}; or what the provider wants for refresh tokens: gateway/docs/providers");
    Finding::warning("offline_access", looked_at, found, repair)
}

type Trouble = (String, String);

fn trouble(what: impl Into<String>, repair: impl Into<String>) -> Trouble {
    (what.into(), repair.into())
}

/// Entra's rules: one API for each token, named by its scopes.
fn of_entra(spec: &TokenSpec) -> Option<Trouble> {
    if !spec.resources.is_empty() || spec.audience.is_some() {
        let repair = "remove `resource` and `audience`, and write scopes = [\"api://API-CLIENT-ID/SCOPE\"]";
        return Some(trouble(
            "Entra names the API in its scopes and takes no `resource` or `audience`",
            repair,
        ));
    }
    if matches!(spec.kind, TokenKind::Exchange(_)) {
        return Some(trouble(
            "Entra does not know this kind of exchange (RFC 8693)",
            "kind = \"on-behalf-of\"",
        ));
    }
    let scopes: Vec<&str> = spec.scopes.names().filter(|scope| !is_about_sign_in(scope)).collect();
    let apis: Vec<&str> =
        scopes.iter().filter_map(|scope| scope.rsplit_once('/')).map(|(api, _)| api).collect();
    if let Some(bare) = scopes.iter().find(|scope| !scope.contains('/')) {
        let what = format!("Entra takes \"{bare}\" for a scope of Microsoft Graph");
        return Some(trouble(what, format!("scopes = [\"api://API-CLIENT-ID/{bare}\"]")));
    }
    if let Some((first, other)) =
        apis.first().and_then(|first| Some((first, apis.iter().find(|api| *api != first)?)))
    {
        let what = format!("Entra gives a token for one API, and this asks for {first} and {other}");
        return Some(trouble(what, "write a [tokens.NAME] for each API"));
    }
    let is_own = matches!(spec.kind, TokenKind::Client | TokenKind::UserOrClient);
    if is_own && scopes.iter().any(|scope| !scope.ends_with("/.default")) {
        let api = apis.first().copied().unwrap_or("api://API-CLIENT-ID");
        let what = "Entra gives an application's own token for the scope .default alone";
        return Some(trouble(what, format!("scopes = [\"{api}/.default\"]")));
    }
    None
}

/// The line that asks at sign-in for all that refreshes will ask for.
fn scopes_at_sign_in(settings: &Settings, tokens: &[Arc<TokenSpec>]) -> String {
    let by_refresh = tokens.iter().filter(|spec| is_by_refresh(spec));
    let all = by_refresh.fold(settings.scopes.clone(), |all, spec| all.union(&spec.scopes));
    let names: Vec<_> = all.names().filter(|name| *name != "openid").collect();
    format!("scopes = [\"{}\"]", names.join("\", \""))
}

fn is_by_refresh(spec: &TokenSpec) -> bool {
    matches!(spec.kind, TokenKind::User | TokenKind::UserOrClient)
}

/// The standard's rules.
fn of_others(settings: &Settings, at_sign_in: &str, spec: &TokenSpec) -> Option<Trouble> {
    if matches!(spec.kind, TokenKind::OnBehalfOf(_)) {
        return Some(trouble("only Microsoft Entra knows this kind", "kind = \"exchange\""));
    }
    if let Some(scope) = spec.scopes.names().find(|scope| scope.ends_with("/.default")) {
        let what = format!("\"{scope}\" is a way of Microsoft Entra's to write scopes");
        return Some(trouble(what, "write the scopes as this provider names them"));
    }
    // What a refresh may ask for is what the sign-in asked for (RFC 6749, section 6).
    if is_by_refresh(spec) && !settings.scopes.covers(&spec.scopes) {
        let what = "its scopes are not asked for at sign-in, so its first use leads to one more sign-in";
        return Some(trouble(what, format!("{at_sign_in}   # in [provider]")));
    }
    None
}

/// What the metadata says of grants; left out, it says nothing.
fn of_grants(spec: &TokenSpec, document: &Document) -> Option<Trouble> {
    let listed = document.list("grant_types_supported")?;
    let wanted = match spec.kind {
        TokenKind::User => "refresh_token",
        TokenKind::Client | TokenKind::UserOrClient => "client_credentials",
        TokenKind::Exchange(_) => EXCHANGE,
        TokenKind::OnBehalfOf(_) => ON_BEHALF_OF,
    };
    if listed.contains(&wanted) {
        return None;
    }
    let what = format!("the provider does not list the grant it needs, {wanted}");
    Some(trouble(what, "switch it on at the provider, or choose another `kind`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::testing;

    fn spec(kind: TokenKind, scopes: &str) -> TokenSpec {
        TokenSpec { kind, ..TokenSpec::user("api", scopes.parse().expect("scopes")) }
    }

    #[test]
    fn entras_rules_for_scopes_are_said_with_the_line_that_keeps_them() {
        let complaint = |kind, scopes: &str| of_entra(&spec(kind, scopes));
        assert_eq!(complaint(TokenKind::User, "api://a/Read api://a/Write"), None);
        assert_eq!(complaint(TokenKind::Client, "api://a/.default"), None);
        let bare = complaint(TokenKind::User, "ToDoList.Read").expect("bare");
        assert!(bare.0.contains("Graph") && bare.1.contains("api://API-CLIENT-ID/ToDoList.Read"));
        assert!(complaint(TokenKind::User, "api://a/Read api://b/Read").expect("two").0.contains("one API"));
        let own = complaint(TokenKind::Client, "api://a/Read").expect("not .default");
        assert_eq!(own.1, "scopes = [\"api://a/.default\"]");
        let from = Arc::new(spec(TokenKind::User, "api://a/Read"));
        assert!(
            complaint(TokenKind::Exchange(from), "api://b/Read")
                .expect("RFC 8693")
                .1
                .contains("on-behalf-of")
        );
        let named =
            TokenSpec { resources: vec!["api://a".to_owned()], ..spec(TokenKind::User, "api://a/Read") };
        assert!(of_entra(&named).expect("resource").0.contains("takes no `resource`"));
    }

    #[test]
    fn elsewhere_a_sign_in_must_ask_for_what_refreshes_ask_for() {
        let settings = testing::settings("https://login.example");
        let complaint = |spec: &TokenSpec| of_others(&settings, "the line", spec);
        assert_eq!(complaint(&spec(TokenKind::User, "profile")), None);
        assert_eq!(complaint(&spec(TokenKind::Client, "api.read")), None);
        let (_, repair) = complaint(&spec(TokenKind::User, "api.read")).expect("not at sign-in");
        assert!(repair.starts_with("the line"), "{repair}");
        let tokens = ["api.read", "api.write"].map(|scopes| Arc::new(spec(TokenKind::User, scopes)));
        let line = scopes_at_sign_in(&settings, &tokens);
        assert_eq!(
            line,
            "scopes = [\"api.read\", \"api.write\", \"email\", \"offline_access\", \"profile\"]"
        );
    }
}
