//! The authorization endpoint: from a request to a page or an answer. Which one is decided here, as a value; the pages
//! themselves are `user_flow`. Knows nothing of tokens.

pub(crate) mod journey;
pub(crate) mod level;
pub(crate) mod reply;
pub(crate) mod request;

use http::{Method, StatusCode};

use self::journey::Journey;
use self::level::Level;
use self::request::{AuthorizeRequest, Rejected};
use crate::answer::{self, Answer};
use crate::call::{Call, Params};
use crate::faces::Face;
use crate::pages;
use crate::par::Found;
use crate::people::Account;
use crate::provider::Provider;
use crate::sessions::{Browser, SignedIn};
use crate::tenant::{Client, Tenant};

/// What a journey needs next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    SignIn,
    SignUp,
    /// Which account: the one signed in, or another.
    Choose,
    /// The scopes nobody has granted yet; empty if the app insists on asking anyway.
    Consent(Vec<String>),
    /// Nothing: here is who and in which session.
    Done,
    /// `prompt=none` cannot be had: the error and why.
    Refuse(&'static str, &'static str),
}

pub(crate) fn authorize(provider: &Provider, face: Face, call: &Call) -> Answer {
    if call.method != Method::GET && call.method != Method::POST {
        return pages::problem(StatusCode::METHOD_NOT_ALLOWED, &provider.tenant(), "Use GET or POST", "");
    }
    let tenant = provider.tenant();
    let request = match read(provider, &tenant, face, call.params()) {
        Ok(request) => request,
        Err(Rejected::Page(why)) => {
            let what = "The app's sign-in request is not right";
            return pages::problem(StatusCode::BAD_REQUEST, &tenant, what, &why);
        }
        Err(Rejected::Reply { to, error, why }) => return reply::error(provider, &tenant, &to, error, &why),
    };
    let now = provider.clock.now();
    let (browser, cookie) = if let Some(browser) = provider.browser(call) {
        (browser, None)
    } else {
        let (browser, cookie) = provider.browsers.welcome(now);
        (browser, Some(cookie))
    };
    let id = provider.journeys.begin(Journey::new(request, &browser.key, now), now);
    let answer = go_on(provider, &id, &browser);
    answer::with_cookie(answer, cookie.as_deref())
}

/// The request itself, or the one that was pushed before (RFC 9126).
fn read(
    provider: &Provider,
    tenant: &Tenant,
    face: Face,
    params: &Params,
) -> Result<AuthorizeRequest, Rejected> {
    let (uri, client_id) = (params.get("request_uri"), params.get("client_id"));
    let (Face::Plain, Some(uri)) = (face, uri) else {
        let request = AuthorizeRequest::read(tenant, face, params)?;
        let to_be_pushed = face == Face::Plain && provider.must_push(tenant, &request.reply.client_id);
        if to_be_pushed {
            let why = "This request must be pushed first (RFC 9126).".to_owned();
            return Err(Rejected::Reply { to: request.reply, error: "invalid_request", why });
        }
        return Ok(request);
    };
    match provider.pushed.take(uri, client_id.unwrap_or_default(), provider.clock.now()) {
        Found::Good(pushed) => AuthorizeRequest::read(tenant, face, &pushed),
        Found::Gone(pushed) => {
            let to = AuthorizeRequest::read(tenant, face, &pushed)?.reply;
            let why = "The request_uri was used before, or has expired.".to_owned();
            Err(Rejected::Reply { to, error: "invalid_request_uri", why })
        }
        Found::Unknown => Err(Rejected::Page(format!("“{uri}” is no request that this client pushed."))),
    }
}

impl Provider {
    /// Whether this client's requests must be pushed: by its registration, the tenant's, or a fault.
    fn must_push(&self, tenant: &Tenant, client_id: &str) -> bool {
        let by_client =
            tenant.client(client_id).is_some_and(|c| c.registration.require_pushed_authorization_requests);
        by_client || tenant.require_pushed_authorization_requests || self.faults.par_is_required()
    }
}

/// Sends the browser to the journey's next page, or back to the app.
pub(crate) fn go_on(provider: &Provider, id: &str, browser: &Browser) -> Answer {
    let tenant = provider.tenant();
    let now = provider.clock.now();
    let Some(journey) = provider.journeys.get(id, &browser.key, now) else {
        return pages::journey_is_over(&tenant);
    };
    let Some(client) = tenant.client(&journey.request.reply.client_id) else {
        return pages::journey_is_over(&tenant);
    };
    let who = who(provider, browser);
    let page = match next(provider, &tenant, client, &journey, who.as_ref(), now) {
        Next::SignIn => "sign-in",
        Next::SignUp => "sign-up",
        Next::Choose => "choose",
        Next::Consent(_) => "consent",
        Next::Refuse(error, why) => {
            provider.journeys.end(id);
            return reply::error(provider, &tenant, &journey.request.reply, error, why);
        }
        Next::Done => {
            // Two requests may race to finish one journey; only one gets a code.
            let (Some(journey), Some((account, session))) = (provider.journeys.end(id), who) else {
                return pages::journey_is_over(&tenant);
            };
            return reply::code(provider, &tenant, journey.request, &account, &session);
        }
    };
    answer::redirect(&format!("/flow/{id}/{page}"))
}

/// Who is signed in in this browser.
pub(crate) fn who(provider: &Provider, browser: &Browser) -> Option<(Account, SignedIn)> {
    let session = browser.signed_in.clone()?;
    Some((provider.people.by_oid(&session.oid)?, session))
}

pub(crate) fn next(
    provider: &Provider,
    tenant: &Tenant,
    client: &Client,
    journey: &Journey,
    who: Option<&(Account, SignedIn)>,
    now: i64,
) -> Next {
    let request = &journey.request;
    let just_now = who.is_some_and(|(account, _)| journey.authenticated.as_ref() == Some(&account.oid));
    let usable = who.filter(|(account, session)| just_now || request.accepts(account, session, now));
    if request.level == Level::Unmet {
        let why = "No account here can be recognised as surely as the request demands.";
        return Next::Refuse("unmet_authentication_requirements", why);
    }
    let too_long_ago = request.level == Level::Fresh && !just_now;
    let missing = |account: &Account| provider.consents.missing(tenant, client, &account.oid, &request.ask);
    if request.prompt.none {
        return match usable {
            None => Next::Refuse("login_required", "Nobody is signed in, and the request forbids asking."),
            Some((account, _)) if !missing(account).is_empty() => {
                Next::Refuse("consent_required", "Consent is missing, and the request forbids asking.")
            }
            Some(_) if too_long_ago => {
                let why = "The person must enter the password, and the request forbids asking.";
                Next::Refuse("interaction_required", why)
            }
            Some(_) => Next::Done,
        };
    }
    if !just_now {
        let may_sign_up = tenant.flow_of(client).is_some_and(|flow| flow.sign_up);
        if request.prompt.create && may_sign_up {
            return Next::SignUp;
        }
        if request.prompt.login || journey.another_account || usable.is_none() || too_long_ago {
            return Next::SignIn;
        }
        if request.prompt.select_account && !journey.account_chosen {
            return Next::Choose;
        }
    }
    let Some((account, _)) = usable else {
        return Next::SignIn;
    };
    let missing = missing(account);
    if !missing.is_empty() || (request.prompt.consent && !journey.consented) {
        return Next::Consent(missing);
    }
    Next::Done
}

impl AuthorizeRequest {
    /// Whether a session that is there already will do.
    fn accepts(&self, account: &Account, session: &SignedIn, now: i64) -> bool {
        let young = self.max_age.is_none_or(|most| now - session.auth_time <= most);
        let hinted = self.login_hint.as_deref().and_then(crate::people::email);
        let expected = hinted.is_none_or(|email| email == account.email);
        let hinted_oid = self.hinted_oid.as_ref().is_none_or(|oid| *oid == account.oid);
        young && expected && hinted_oid
    }
}
