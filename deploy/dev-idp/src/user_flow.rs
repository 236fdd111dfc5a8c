//! The user flow: the pages between an authorization request and its answer. Each step is `/flow/<journey>/<step>`, a
//! GET that shows a form and a POST that takes it, without any script. Knows nothing of tokens.

mod consent;
mod passcode;
mod sign_in;

use std::sync::Arc;

use http::{Method, StatusCode};

use crate::answer::{self, Answer};
use crate::authorize::journey::Journey;
use crate::authorize::{self, reply};
use crate::call::Call;
use crate::pages;
use crate::pages::form::Errors;
use crate::people::codes::Purpose;
use crate::provider::Provider;
use crate::sessions::Browser;
use crate::tenant::{Client, Tenant, UserFlow};

/// One visit to one step.
pub(crate) struct Visit<'a> {
    pub(crate) provider: &'a Arc<Provider>,
    pub(crate) tenant: &'a Tenant,
    pub(crate) client: &'a Client,
    pub(crate) flow: &'a UserFlow,
    pub(crate) call: &'a Call,
    pub(crate) browser: Browser,
    pub(crate) id: &'a str,
    pub(crate) journey: Journey,
}

/// `/flow/<id>/<step>`.
pub(crate) async fn step(provider: &Arc<Provider>, call: &Call, id: &str, step: &str) -> Answer {
    let tenant = provider.tenant();
    let found = provider.browser(call).and_then(|browser| {
        let journey = provider.journeys.get(id, &browser.key, provider.clock.now())?;
        let client = tenant.client(&journey.request.reply.client_id)?;
        Some((browser, journey, client, tenant.flow_of(client)?))
    });
    let Some((browser, journey, client, flow)) = found else {
        return pages::journey_is_over(&tenant);
    };
    let visit = Visit { provider, tenant: &tenant, client, flow, call, browser, id, journey };
    if call.method == Method::POST {
        if !is_own_form(call, &visit.browser) {
            return pages::not_our_form(&tenant);
        }
        visit.post(step).await
    } else {
        visit.get(step)
    }
}

/// Whether a POST comes from a page that this provider showed to this browser.
pub(crate) fn is_own_form(call: &Call, browser: &Browser) -> bool {
    let site = call.headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    let same_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let token = call.form.get("csrf").unwrap_or_default();
    same_site && call.form.repeated().is_none() && crate::random::same(token, &browser.csrf)
}

impl Visit<'_> {
    fn get(&self, step: &str) -> Answer {
        let none = Errors::default();
        match step {
            "continue" => authorize::go_on(self.provider, self.id, &self.browser),
            "sign-in" => sign_in::email_page(self, &none),
            "password" if self.journey.email.is_some() => sign_in::password_page(self, &none),
            "choose" => sign_in::choose_page(self),
            "consent" => consent::page(self),
            "sign-up" if self.flow.sign_up => passcode::email_page(self, Purpose::SignUp, &none),
            "reset" if self.flow.password_reset => passcode::email_page(self, Purpose::Reset, &none),
            "sign-up/code" if self.awaits(Purpose::SignUp) => {
                passcode::code_page(self, Purpose::SignUp, &none)
            }
            "reset/code" if self.awaits(Purpose::Reset) => passcode::code_page(self, Purpose::Reset, &none),
            "sign-up/details" if self.has_proved(Purpose::SignUp) => {
                passcode::details_page(self, Purpose::SignUp, &none)
            }
            "reset/password" if self.has_proved(Purpose::Reset) => {
                passcode::details_page(self, Purpose::Reset, &none)
            }
            "password" => self.to("sign-in"),
            "sign-up/code" | "sign-up/details" if self.flow.sign_up => self.to("sign-up"),
            "reset/code" | "reset/password" if self.flow.password_reset => self.to("reset"),
            _ => pages::not_found(self.tenant),
        }
    }

    async fn post(&self, step: &str) -> Answer {
        match step {
            "sign-in" => sign_in::take_email(self).await,
            "password" => sign_in::take_password(self).await,
            "choose" => sign_in::take_choice(self),
            "consent" => consent::take(self),
            "cancel" => self.cancel(),
            "sign-up" if self.flow.sign_up => passcode::take_email(self, Purpose::SignUp),
            "reset" if self.flow.password_reset => passcode::take_email(self, Purpose::Reset),
            "sign-up/code" => passcode::take_code(self, Purpose::SignUp),
            "reset/code" => passcode::take_code(self, Purpose::Reset),
            "sign-up/details" if self.has_proved(Purpose::SignUp) => passcode::take_account(self).await,
            "reset/password" if self.has_proved(Purpose::Reset) => passcode::take_new_password(self).await,
            _ => pages::not_found(self.tenant),
        }
    }

    fn awaits(&self, purpose: Purpose) -> bool {
        self.journey.passcode.as_ref().is_some_and(|code| code.purpose == purpose)
    }

    fn has_proved(&self, purpose: Purpose) -> bool {
        self.journey.proved.as_ref().is_some_and(|(proved, _)| *proved == purpose)
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.call.form.get(name).unwrap_or_default()
    }

    pub(crate) fn now(&self) -> i64 {
        self.provider.clock.now()
    }

    /// A redirect to another step.
    pub(crate) fn to(&self, step: &str) -> Answer {
        answer::redirect(&format!("/flow/{}/{step}", self.id))
    }

    /// A page of this journey; with a problem on it, its status says so too.
    pub(crate) fn show(&self, errors: &Errors, html: String) -> Answer {
        let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        answer::page(status, html, &pages::origin(&self.journey.request.reply.redirect_uri))
    }

    /// The person is who they say: new cookie, and on.
    pub(crate) fn signed_in(&self, oid: &str) -> Answer {
        let old = self.call.cookie(self.provider.browsers.cookie());
        let (_, cookie) = self.provider.browsers.sign_in(old, oid, self.now());
        self.provider.journeys.change(self.id, |journey| {
            journey.authenticated = Some(oid.to_owned());
            journey.proved = None;
            journey.passcode = None;
        });
        answer::with_cookie(self.to("continue"), Some(&cookie))
    }

    fn cancel(&self) -> Answer {
        self.provider.journeys.end(self.id);
        let why = "The person cancelled.";
        reply::error(self.provider, self.tenant, &self.journey.request.reply, "access_denied", why)
    }
}
