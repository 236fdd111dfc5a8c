//! Sign-out. RP-initiated: with a hint that fits the session it is done at once; otherwise a person is asked. The apps of
//! the session are told, by back-channel before the answer and by frames on a page; the browser goes only to registered
//! addresses. Knows nothing of tokens that live on.

use std::collections::BTreeSet;

use http::{Method, StatusCode, header};

use crate::answer::{self, Answer};
use crate::backchannel::{self, Delivery};
use crate::call::{Call, Params};
use crate::faces::Face;
use crate::pages::{self, escape};
use crate::participants::Participant;
use crate::provider::Provider;
use crate::sessions::Browser;
use crate::tenant::Tenant;
use crate::{jwt, user_flow};

/// Where to go afterwards, and whose session the hint names.
struct Wish {
    then: Option<String>,
    /// The hint's session id.
    hinted_sid: Option<String>,
}

pub(crate) async fn end_session(provider: &Provider, call: &Call) -> Answer {
    let tenant = provider.tenant();
    if call.method != Method::GET && call.method != Method::POST {
        return pages::problem(StatusCode::METHOD_NOT_ALLOWED, &tenant, "Use GET or POST", "");
    }
    let wish = match wish(provider, &tenant, call.params()) {
        Ok(wish) => wish,
        Err(why) => {
            return pages::problem(
                StatusCode::BAD_REQUEST,
                &tenant,
                "This sign-out request is not right",
                &why,
            );
        }
    };
    let browser = provider.browser(call);
    let Some((browser, session)) = browser.and_then(|b| b.signed_in.clone().map(|session| (b, session)))
    else {
        return signed_out(provider, &tenant, call, wish.then.as_deref(), &[]);
    };
    let confirmed = call.form.get("confirm").is_some() && user_flow::is_own_form(call, &browser);
    if confirmed || wish.hinted_sid.as_ref() == Some(&session.sid) {
        let apps = provider.participants.leave(&session.sid);
        backchannel::tell(provider, &session.sid, &apps).await;
        let frames = frames(provider, &tenant, &session.sid, &apps);
        return signed_out(provider, &tenant, call, wish.then.as_deref(), &frames);
    }
    ask(&tenant, call, &browser, wish.then.as_deref())
}

/// Ends every session of a person, and tells the apps of each. Browsers are not here to be shown frames.
pub(crate) async fn end_sessions(provider: &Provider, oid: &str) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for sid in provider.browsers.end_all(oid) {
        let apps = provider.participants.leave(&sid);
        deliveries.extend(backchannel::tell(provider, &sid, &apps).await);
    }
    deliveries
}

/// What the end-session page loads in frames (OpenID Connect Front-Channel Logout 3).
fn frames(provider: &Provider, tenant: &Tenant, sid: &str, apps: &BTreeSet<Participant>) -> Vec<String> {
    let uri = |app: &Participant| {
        let registered = tenant.client(&app.client_id)?.registration.frontchannel_logout_uri.as_deref()?;
        let mut url = url::Url::parse(registered).ok()?;
        let issuer = provider.site.issuer(app.face);
        url.query_pairs_mut().append_pair("iss", &issuer).append_pair("sid", sid);
        Some(url.into())
    };
    apps.iter().filter_map(uri).collect()
}

fn wish(provider: &Provider, tenant: &Tenant, params: &Params) -> Result<Wish, String> {
    if let Some(name) = params.repeated() {
        return Err(format!("The parameter {name} is there twice."));
    }
    // An expired hint is good enough: it says who, not that they may.
    let hint = match params.get("id_token_hint") {
        None => None,
        Some(token) => {
            let claims = jwt::read_own(&provider.keys, token)
                .ok_or("The id_token_hint is not a token of this provider.")?;
            let text = |name: &str| claims.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            if ![Face::Plain, Face::Entra].map(|face| provider.site.issuer(face)).contains(&text("iss")) {
                return Err("The id_token_hint is not a token of this provider.".to_owned());
            }
            Some((text("aud"), text("sid")))
        }
    };
    let client_id = match (params.get("client_id"), &hint) {
        (Some(id), Some((aud, _))) if id != aud => {
            return Err("client_id and the audience of id_token_hint differ.".to_owned());
        }
        (Some(id), _) => Some(id.to_owned()),
        (None, hint) => hint.as_ref().map(|(aud, _)| aud.clone()),
    };
    let then =
        params.get("post_logout_redirect_uri").map(|uri| then(tenant, client_id.as_deref(), uri, params));
    Ok(Wish { then: then.transpose()?, hinted_sid: hint.map(|(_, sid)| sid) })
}

/// The registered address with the state added.
fn then(tenant: &Tenant, client_id: Option<&str>, uri: &str, params: &Params) -> Result<String, String> {
    let Some(client_id) = client_id else {
        return Err("post_logout_redirect_uri needs id_token_hint or client_id beside it.".to_owned());
    };
    let client =
        tenant.client(client_id).ok_or_else(|| format!("No application has the client ID “{client_id}”."))?;
    if !client.post_logout_redirect_uris.iter().any(|registered| registered == uri) {
        return Err(format!(
            "“{uri}” is not a registered post-logout redirect URI of “{client_id}”. If it should be, add it to \
             post_logout_redirect_uris in tenant.toml, byte for byte."
        ));
    }
    let mut url = url::Url::parse(uri).map_err(|_| format!("“{uri}” is no URL."))?;
    if let Some(state) = params.get("state") {
        url.query_pairs_mut().append_pair("state", state);
    }
    Ok(url.into())
}

fn signed_out(
    provider: &Provider,
    tenant: &Tenant,
    call: &Call,
    then: Option<&str>,
    frames: &[String],
) -> Answer {
    let cookie = provider.browsers.sign_out(call.cookie(provider.browsers.cookie()));
    let answer = match then {
        then if !frames.is_empty() => signing_out(tenant, frames, then),
        Some(url) => answer::redirect(url),
        None => pages::problem(StatusCode::OK, tenant, "You are signed out", "You can close this page."),
    };
    answer::with_cookie(answer, Some(&cookie))
}

/// The page that loads every app's sign-out in a hidden frame, and then goes on without script.
fn signing_out(tenant: &Tenant, frames: &[String], then: Option<&str>) -> Answer {
    let origins: BTreeSet<String> = frames.iter().flat_map(|url| pages::origin(url)).collect();
    let frame = |url: &String| format!("<iframe hidden title=\"Sign-out\" src=\"{}\"></iframe>", escape(url));
    let framed = frames.iter().map(frame).collect::<Vec<_>>().concat();
    let onward = then.map_or_else(
        || "<p>You can close this page.</p>".to_owned(),
        |url| {
            let url = escape(url);
            format!("<p><a href=\"{url}\">Continue</a></p>")
        },
    );
    let main = format!(
        "<section class=\"card\"><h1>Signing you out</h1><p class=\"lead\">Your apps are being told.</p>{onward}{framed}\
         </section>"
    );
    let origins: Vec<String> = origins.into_iter().collect();
    let mut answer = answer::page_with_frames(pages::document(tenant, "Signing you out", &main), &origins);
    if let Some(url) = then {
        answer::set(&mut answer, header::REFRESH, &format!("2; url={url}"));
    }
    answer
}

/// The question, which carries the request's parameters along.
fn ask(tenant: &Tenant, call: &Call, browser: &Browser, then: Option<&str>) -> Answer {
    let carried = call
        .params()
        .pairs()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "csrf" | "confirm"))
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
        })
        .collect::<Vec<_>>()
        .concat();
    let main = format!(
        "<section class=\"card\"><h1>Sign out?</h1><p class=\"lead\">You will have to sign in again in every app that \
         uses this provider.</p><form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"csrf\" value=\"{}\">\
         {carried}<button name=\"confirm\" value=\"yes\">Sign out</button></form></section>",
        escape(&call.path),
        escape(&browser.csrf)
    );
    let targets = then.map(pages::origin).unwrap_or_default();
    answer::page(StatusCode::OK, pages::document(tenant, "Sign out?", &main), &targets)
}
