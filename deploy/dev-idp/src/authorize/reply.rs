//! Answers to a redirect URI: a code or an error, by query or by form. Knows nothing of how they came about.

use http::StatusCode;

use super::request::{AuthorizeRequest, ReplyTo};
use crate::answer::{self, Answer};
use crate::codes::Approval;
use crate::faces::Face;
use crate::pages;
use crate::people::Account;
use crate::provider::Provider;
use crate::random;
use crate::sessions::SignedIn;
use crate::tenant::Tenant;

type Pairs = Vec<(String, String)>;

/// The authorization code.
pub(super) fn code(
    provider: &Provider,
    tenant: &Tenant,
    request: AuthorizeRequest,
    account: &Account,
    session: &SignedIn,
) -> Answer {
    let to = request.reply;
    let approval = Approval {
        face: to.face,
        client_id: to.client_id.clone(),
        redirect_uri: to.redirect_uri.clone(),
        challenge: request.challenge,
        nonce: request.nonce,
        ask: request.ask,
        resources: request.resources,
        oid: account.oid.clone(),
        sid: session.sid.clone(),
        auth_time: session.auth_time,
        acr: request.level.acr(),
    };
    let code = provider.codes.issue(approval, provider.clock.now(), tenant.lifetimes.authorization_code);
    let mut pairs = vec![("code".to_owned(), code)];
    if to.face == Face::Entra {
        pairs.push(("session_state".to_owned(), random::stable_guid(&[&session.sid, &to.client_id])));
    }
    send(provider, tenant, &to, pairs)
}

/// An error.
pub(crate) fn error(provider: &Provider, tenant: &Tenant, to: &ReplyTo, error: &str, why: &str) -> Answer {
    let pairs =
        vec![("error".to_owned(), error.to_owned()), ("error_description".to_owned(), why.to_owned())];
    send(provider, tenant, to, pairs)
}

fn send(provider: &Provider, tenant: &Tenant, to: &ReplyTo, mut pairs: Pairs) -> Answer {
    if let Some(state) = &to.state {
        pairs.push(("state".to_owned(), state.clone()));
    }
    // RFC 9207; Entra does not send it.
    if to.face == Face::Plain && !provider.faults.iss_is_not_promised() {
        pairs.push(("iss".to_owned(), provider.site.issuer(to.face)));
    }
    let pairs = provider.faults.on_callback(pairs);
    if to.form_post {
        let html = pages::form_post(tenant, &to.redirect_uri, &pairs);
        return answer::page(StatusCode::OK, html, &pages::origin(&to.redirect_uri));
    }
    match url::Url::parse(&to.redirect_uri) {
        Ok(mut url) => {
            url.query_pairs_mut().extend_pairs(pairs);
            answer::redirect(url.as_str())
        }
        Err(_) => {
            pages::problem(StatusCode::BAD_REQUEST, tenant, "The redirect URI is no URL", &to.redirect_uri)
        }
    }
}
