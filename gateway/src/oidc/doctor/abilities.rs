//! What the provider says it can do, beside what the configuration wants of it. Pure.

use super::document::Document;
use crate::finding::{Finding, Report};
use crate::oidc::settings::{Algorithm, ClientAuthentication, Pushing, ResponseMode, Settings};

/// Compares both.
pub(super) fn examine(settings: &Settings, document: &Document, report: &mut Report<'_>) {
    report.add(algorithms(settings, document));
    report.add(pkce(document));
    report.add(response_mode(settings, document));
    report.add(authentication(settings, document));
    report.add(scopes(settings, document));
    if let Some(finding) = pushing(settings, document) {
        report.add(finding);
    }
}

/// Pushed authorization requests (RFC 9126), where either side wants them.
fn pushing(settings: &Settings, document: &Document) -> Option<Finding> {
    let (check, looked_at) = ("par", "require_pushed_authorization_requests");
    let is_required = document.members.get(looked_at) == Some(&true.into());
    let can = document.members.contains_key("pushed_authorization_request_endpoint");
    match settings.request.par {
        Pushing::Never if is_required => Some(Finding::fault(
            check,
            looked_at,
            "the provider takes pushed requests only, and `par` says never",
            "remove `par` from [provider]",
        )),
        Pushing::Always if !can => Some(Finding::fault(
            check,
            "pushed_authorization_request_endpoint",
            "is not in the metadata, and `par` says always",
            "remove `par` from [provider], or switch pushed requests on at the provider",
        )),
        Pushing::Auto if is_required && !can => Some(Finding::fault(
            check,
            looked_at,
            "the provider takes pushed requests only, and does not say where",
            "the provider must correct its metadata",
        )),
        Pushing::Always | Pushing::Auto if can => {
            Some(Finding::ok(check, "pushed_authorization_request_endpoint", "is there"))
        }
        _ => None,
    }
}

fn algorithms(settings: &Settings, document: &Document) -> Finding {
    let check = "id_token_algorithms";
    let written = settings.algorithms.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    let looked_at = format!("{check}: {written}");
    let Some(listed) = document.list("id_token_signing_alg_values_supported") else {
        return Finding::ok(check, looked_at, "the metadata does not say how ID tokens are signed");
    };
    if settings.algorithms.iter().any(|one| listed.contains(&one.as_str())) {
        return Finding::ok(check, looked_at, "the provider signs ID tokens so");
    }
    let usable: Vec<_> =
        Algorithm::ALL.into_iter().map(Algorithm::as_str).filter(|one| listed.contains(one)).collect();
    let repair = match usable[..] {
        [] => "have the provider sign ID tokens with RS256 or ES256: see the client's registration there"
            .to_owned(),
        [..] => format!("id_token_algorithms = [\"{}\"]", usable.join("\", \"")),
    };
    Finding::fault(check, looked_at, format!("the provider signs with {}", listed.join(", ")), repair)
}

fn pkce(document: &Document) -> Finding {
    let (check, looked_at) = ("pkce", "code_challenge_methods_supported");
    match document.list(looked_at) {
        Some(listed) if listed.contains(&"S256") => Finding::ok(check, looked_at, "S256 is there"),
        Some(_) => Finding::fault(
            check,
            looked_at,
            "S256 is not there, and the gateway always uses it",
            "allow PKCE with S256 at the provider or at the client's registration there",
        ),
        None if document.is_entra => Finding::ok(
            check,
            looked_at,
            "is not there; Entra takes S256 without saying so, and the gateway sends it",
        ),
        None => Finding::warning(
            check,
            looked_at,
            "is not there; the gateway uses S256 all the same",
            "ask the provider whether it checks PKCE; providers that do not know it should ignore it",
        ),
    }
}

fn response_mode(settings: &Settings, document: &Document) -> Finding {
    let wanted = match settings.response_mode {
        ResponseMode::Query => "query",
        ResponseMode::FormPost => "form_post",
    };
    let looked_at = format!("response_mode: {wanted}");
    match document.list("response_modes_supported") {
        Some(listed) if !listed.contains(&wanted) => {
            let usable: Vec<_> = listed.iter().filter(|mode| ["query", "form_post"].contains(mode)).collect();
            let repair = usable.first().map_or_else(
                || "this provider cannot be used with the authorization code flow of a web app".to_owned(),
                |mode| format!("response_mode = \"{mode}\""),
            );
            Finding::fault(
                "response_mode",
                looked_at,
                format!("the provider knows {}", listed.join(", ")),
                repair,
            )
        }
        None if wanted == "form_post" => Finding::warning(
            "response_mode",
            looked_at,
            "the provider does not say that it can",
            "response_mode = \"query\"",
        ),
        _ => Finding::ok("response_mode", looked_at, "the provider can"),
    }
}

/// The name of a method as metadata has it.
fn method(authentication: &ClientAuthentication) -> &'static str {
    match authentication {
        ClientAuthentication::SecretBasic(_) => "client_secret_basic",
        ClientAuthentication::SecretPost(_) => "client_secret_post",
        ClientAuthentication::PrivateKeyJwt(_) => "private_key_jwt",
        ClientAuthentication::TlsClient(_) => "tls_client_auth",
        ClientAuthentication::None => "none",
    }
}

fn authentication(settings: &Settings, document: &Document) -> Finding {
    let (check, method) = ("client_authentication", method(&settings.authentication));
    let looked_at = format!("{check}: {method}");
    // Left out, it means this one (OpenID Connect Discovery 1.0, section 3).
    let listed =
        document.list("token_endpoint_auth_methods_supported").unwrap_or(vec!["client_secret_basic"]);
    if listed.contains(&method) {
        return Finding::ok(check, looked_at, "the token endpoint takes it");
    }
    // A certificate may be known by its authority or by itself (RFC 8705, section 2).
    if method == "tls_client_auth" && listed.contains(&"self_signed_tls_client_auth") {
        return Finding::ok(check, looked_at, "the token endpoint takes self-signed certificates");
    }
    // Public clients are often taken without being listed.
    if method == "none" {
        let repair = "register the client with a secret, and write client_secret = { file = \"path\" }";
        return Finding::warning(
            check,
            looked_at,
            "the provider does not say that it takes public clients",
            repair,
        );
    }
    let others = ["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth"];
    let other = others.into_iter().find(|one| listed.contains(one));
    let repair = other.map_or_else(
        || format!("the provider takes {}: choose one at the client's registration", listed.join(", ")),
        |other| format!("client_authentication = \"{other}\""),
    );
    Finding::fault(check, looked_at, format!("the token endpoint takes {}", listed.join(", ")), repair)
}

/// Providers need not list all of their scopes (OpenID Connect Discovery 1.0, section 3): what is not there is no fault
/// yet.
fn scopes(settings: &Settings, document: &Document) -> Finding {
    let looked_at = format!("provider.scopes: {}", settings.scopes);
    let Some(listed) = document.list("scopes_supported") else {
        return Finding::ok("scopes", looked_at, "the metadata does not list scopes");
    };
    let unknown: Vec<_> = settings.scopes.names().filter(|name| !listed.contains(name)).collect();
    if unknown.is_empty() {
        return Finding::ok("scopes", looked_at, "the provider lists them");
    }
    let known: Vec<_> =
        settings.scopes.names().filter(|name| listed.contains(name) && *name != "openid").collect();
    let known = if known.is_empty() { String::new() } else { format!("\"{}\"", known.join("\", \"")) };
    let found = format!("the provider does not list {}", unknown.join(", "));
    let repair = format!("scopes = [{known}]; or leave them if the provider knows them without listing them");
    Finding::warning("scopes", looked_at, found, repair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use crate::oidc::testing;
    use serde_json::{Value, json};

    fn document(value: &Value) -> Document {
        let settings = testing::settings("https://login.example");
        Document::read(value.to_string().into(), &settings).expect("JSON")
    }

    #[test]
    fn each_ability_that_is_missing_is_named_with_the_line_that_helps() {
        let settings =
            Settings { response_mode: ResponseMode::FormPost, ..testing::settings("https://login.example") };
        let poor = document(&json!({
            "id_token_signing_alg_values_supported": ["ES256", "HS256"],
            "code_challenge_methods_supported": ["plain"],
            "response_modes_supported": ["query", "fragment"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "scopes_supported": ["openid", "profile"],
        }));
        let judged = [
            (algorithms(&settings, &poor), "id_token_algorithms = [\"ES256\"]"),
            (pkce(&poor), "S256"),
            (response_mode(&settings, &poor), "response_mode = \"query\""),
            (authentication(&settings, &poor), "client_authentication = \"client_secret_post\""),
        ];
        for (finding, repair) in judged {
            assert_eq!(finding.level, Level::Fault, "{finding:?}");
            assert!(finding.repair.as_deref().is_some_and(|text| text.contains(repair)), "{finding:?}");
        }
        let unknown = scopes(&settings, &poor);
        assert_eq!(unknown.level, Level::Warning);
        assert!(unknown.found.contains("offline_access") && !unknown.found.contains("profile"));
    }

    #[test]
    fn a_provider_that_can_all_of_it_gets_no_complaint() {
        let settings = testing::settings("https://login.example");
        let rich = document(&json!({
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
        }));
        let judged = [
            algorithms(&settings, &rich),
            pkce(&rich),
            response_mode(&settings, &rich),
            authentication(&settings, &rich),
            scopes(&settings, &rich),
        ];
        assert!(judged.iter().all(|finding| finding.level == Level::Ok), "{judged:?}");
        let entra = document(&json!({"issuer": "x", "tenant_region_scope": "EU"}));
        assert_eq!(pkce(&entra).level, Level::Ok, "Entra does not list it");
        assert_eq!(pkce(&document(&json!({}))).level, Level::Warning);
    }
}
