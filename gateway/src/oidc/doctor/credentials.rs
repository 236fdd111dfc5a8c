//! Whether the provider knows this client and takes its credential: asked with a code that nobody was given. A provider
//! that refuses the code has believed the client; one that does not believe the client says so first.

use http::StatusCode;

use super::document::Document;
use super::entra;
use crate::entropy;
use crate::finding::{Finding, Report};
use crate::hex;
use crate::oidc::Provider;
use crate::oidc::discovery::{self, Metadata};
use crate::oidc::settings::{ClientAuthentication, Settings};
use crate::oidc::token_endpoint::TokenError;
use crate::stop::causes;

const CHECK: &str = "credentials";
/// Entra's number for a request whose code is no code: it may not have looked at the client yet.
const MALFORMED: u64 = 9_002_313;

/// Asks the token endpoint, if the document is one that the gateway itself would use: a secret goes nowhere else.
pub(super) async fn examine(provider: &Provider, document: &Document, report: &mut Report<'_>) {
    let Ok(metadata) = discovery::read(&document.body, &provider.settings) else {
        let found = "not sent, because of the faults above";
        let looked_at = format!("client_id \"{}\"", provider.settings.client_id);
        return report.add(Finding::warning(
            CHECK,
            looked_at,
            found,
            "repair the above, then run this again",
        ));
    };
    report.looking("asking whether the provider knows this client");
    let (code, verifier) = (made_up(), made_up());
    let parameters = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", provider.settings.redirect_uri.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    let mut asked = provider.ask_for_tokens(&metadata, &parameters).await.map(drop);
    let denied = asked.as_ref().err().and_then(said);
    if document.is_entra && denied.is_some_and(|(_, numbers)| numbers.contains(&MALFORMED)) {
        asked = ask_for_itself(provider, &metadata).await;
    }
    report.add(judge(&provider.settings, asked.map_err(|error| of_error(&error))));
}

/// Looks like a code or a verifier, and is none.
fn made_up() -> String {
    hex::encode(&entropy::bytes::<32>())
}

/// Asks Entra for a token of the application for itself, which proves the secret and opens nothing. It is dropped unread.
async fn ask_for_itself(provider: &Provider, metadata: &Metadata) -> Result<(), TokenError> {
    let scope = format!("{}/.default", provider.settings.client_id);
    let parameters = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
    provider.ask_for_tokens(metadata, &parameters).await.map(drop)
}

/// What the token endpoint said: a code, and Entra's numbers.
fn said(error: &TokenError) -> Option<(String, Vec<u64>)> {
    match error {
        TokenError::Denied(_, denial) => {
            let (code, numbers) = denial.code_and_numbers();
            Some((code.to_owned(), numbers.to_vec()))
        }
        _ => None,
    }
}

/// A refusal, in what can be judged.
enum Refused {
    /// By that code and those numbers, with that status.
    Denied(StatusCode, String, Vec<u64>),
    /// In another way.
    Otherwise(String),
}

fn of_error(error: &TokenError) -> Refused {
    match (error, said(error)) {
        (TokenError::Denied(status, _), Some((code, numbers))) => Refused::Denied(*status, code, numbers),
        _ => Refused::Otherwise(causes(error)),
    }
}

fn judge(settings: &Settings, asked: Result<(), Refused>) -> Finding {
    let looked_at = format!("client_id \"{}\"", settings.client_id);
    let (status, code, numbers) = match asked {
        Ok(()) => return Finding::ok(CHECK, looked_at, "the provider takes the client and its credential"),
        Err(Refused::Denied(status, code, numbers)) => (status, code, numbers),
        Err(Refused::Otherwise(why)) => {
            return Finding::fault(
                CHECK,
                looked_at,
                why,
                "the token endpoint must answer a refusal with 400 and JSON",
            );
        }
    };
    let known = numbers.iter().find(|number| !matches!(**number, MALFORMED | 70_000 | 70_002 | 70_008));
    if let Some(number) = known.filter(|_| code != "invalid_grant" || is_about_the_client(&numbers)) {
        let (what, repair) = entra::of_number(*number);
        return Finding::fault(CHECK, looked_at, format!("{what} ({code}, AADSTS{number})"), repair);
    }
    match &*code {
        "invalid_grant" if numbers.contains(&MALFORMED) => Finding::warning(
            CHECK,
            looked_at,
            "the provider did not look at the client before it refused the made-up code",
            "sign in once: a wrong secret shows then",
        ),
        "invalid_grant" => {
            Finding::ok(CHECK, looked_at, "the provider knows the client, and refuses the made-up code alone")
        }
        "invalid_client" => Finding::fault(
            CHECK,
            looked_at,
            format!("the provider does not know the client, or its credential is wrong ({status}, {code})"),
            of_client(settings),
        ),
        "unauthorized_client" | "access_denied" => Finding::fault(
            CHECK,
            looked_at,
            format!("the provider refuses the client ({status}, {code})"),
            "allow the authorization code flow at the client's registration, and compare the secret",
        ),
        "unsupported_grant_type" => Finding::fault(
            CHECK,
            looked_at,
            format!("the provider does not take codes ({status}, {code})"),
            "allow the authorization code flow at the provider and at the client's registration",
        ),
        _ => Finding::warning(
            CHECK,
            looked_at,
            format!("the provider answers {status} with {code}, which does not tell"),
            "sign in once: a wrong secret shows then",
        ),
    }
}

/// What to do about a client that is not believed, by the way in which it proves itself.
fn of_client(settings: &Settings) -> &'static str {
    match settings.authentication {
        ClientAuthentication::SecretBasic(_) | ClientAuthentication::SecretPost(_) => {
            "compare `client_id` with the registration, and put the secret that it shows where `client_secret` points"
        }
        ClientAuthentication::PrivateKeyJwt(_) => {
            "compare `client_id` with the registration, register /auth/jwks there, or try client_assertion_audience = \
             \"token_endpoint\""
        }
        ClientAuthentication::TlsClient(_) => "compare `client_id` and the certificate with the registration",
        ClientAuthentication::None => {
            "compare `client_id` with the registration: is it one of a public client?"
        }
    }
}

/// Whether one of the numbers is about the client, although the code is about the grant.
fn is_about_the_client(numbers: &[u64]) -> bool {
    numbers
        .iter()
        .any(|number| [7_000_215, 7_000_222, 7_000_218, 700_016, 700_025, 7_000_112].contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use crate::oidc::testing;

    fn judged(code: &str, numbers: &[u64]) -> Finding {
        let refused = Refused::Denied(StatusCode::BAD_REQUEST, code.to_owned(), numbers.to_vec());
        judge(&testing::settings("https://login.example"), Err(refused))
    }

    #[test]
    fn a_refused_code_proves_the_client_and_a_refused_client_is_named() {
        assert_eq!(judged("invalid_grant", &[]).level, Level::Ok);
        assert_eq!(judged("invalid_grant", &[70_000]).level, Level::Ok);
        for code in ["invalid_client", "unauthorized_client", "access_denied", "unsupported_grant_type"] {
            assert_eq!(judged(code, &[]).level, Level::Fault, "{code}");
        }
        assert_eq!(judged("invalid_request", &[]).level, Level::Warning);
        let secret = judged("invalid_client", &[7_000_215]);
        assert!(
            secret.found.contains("the client secret is wrong") && secret.found.contains("AADSTS7000215")
        );
        let unknown = judged("unauthorized_client", &[700_016]);
        assert!(unknown.repair.is_some_and(|text| text.contains("workforce tenant")));
    }

    #[test]
    fn what_entra_does_not_tell_is_not_guessed() {
        assert_eq!(judged("invalid_grant", &[MALFORMED]).level, Level::Warning);
    }
}
