//! Signing in: e-mail address, then password; or the account that is signed in already. Whether an address has an
//! account is not told. Knows nothing of creating accounts.

use std::sync::Arc;

use super::Visit;
use crate::answer::Answer;
use crate::authorize;
use crate::pages::form::{Errors, Field, Form};
use crate::pages::{self, escape};
use crate::people::{self, PasswordCheck};

pub(super) fn email_page(visit: &Visit<'_>, errors: &Errors) -> Answer {
    let typed = visit.field("email");
    let known = visit.journey.email.as_deref().unwrap_or_default();
    let email = Field::email(if typed.is_empty() { known } else { typed });
    let after = if visit.flow.sign_up {
        format!("<p>No account? <a href=\"/flow/{}/sign-up\">Create one</a></p>", visit.id)
    } else {
        String::new()
    };
    let form = Form {
        visit,
        step: "sign-in",
        title: "Sign in",
        lead: format!("to continue to <strong>{}</strong>", escape(&visit.client.name)),
        fields: vec![email],
        submit: "Next",
        after,
    };
    visit.show(errors, form.page(errors))
}

pub(super) async fn take_email(visit: &Visit<'_>) -> Answer {
    let Some(email) = people::email(visit.field("email")) else {
        return email_page(visit, &Errors::one("email", "Enter an email address, like name@example.com."));
    };
    visit.provider.journeys.change(visit.id, |journey| journey.email = Some(email.clone()));
    // A password manager may fill in both at once.
    if visit.field("password").is_empty() { visit.to("password") } else { check(visit, &email).await }
}

pub(super) fn password_page(visit: &Visit<'_>, errors: &Errors) -> Answer {
    let email = visit.journey.email.as_deref().unwrap_or_default();
    let id = visit.id;
    let reset = if visit.flow.password_reset {
        format!("<p><a href=\"/flow/{id}/reset\">Forgot password?</a></p>")
    } else {
        String::new()
    };
    let after = format!("{reset}<p><a href=\"/flow/{id}/sign-in\">Use another email address</a></p>");
    let form = Form {
        visit,
        step: "password",
        title: "Enter your password",
        lead: format!("to continue to <strong>{}</strong>", escape(&visit.client.name)),
        fields: vec![Field::known_email(email), Field::password("Password", "current-password", "")],
        submit: "Sign in",
        after,
    };
    visit.show(errors, form.page(errors))
}

pub(super) async fn take_password(visit: &Visit<'_>) -> Answer {
    let typed = people::email(visit.field("email"));
    let Some(email) = typed.or_else(|| visit.journey.email.clone()) else {
        return visit.to("sign-in");
    };
    check(visit, &email).await
}

async fn check(visit: &Visit<'_>, email: &str) -> Answer {
    let password = visit.field("password").to_owned();
    if password.is_empty() {
        return password_page(visit, &Errors::one("password", "Enter your password."));
    }
    let (provider, now) = (Arc::clone(visit.provider), visit.now());
    let address = email.to_owned();
    let check = tokio::task::spawn_blocking(move || provider.people.check(&address, &password, now)).await;
    match check {
        Ok(PasswordCheck::Right(oid)) => visit.signed_in(&oid),
        Ok(PasswordCheck::Wrong) => {
            let why = "This email address and password do not belong to an account.";
            password_page(visit, &Errors::one("password", why))
        }
        Ok(PasswordCheck::Pause) => {
            let why = "Too many wrong passwords. Wait a minute, or set a new password.";
            password_page(visit, &Errors::one("password", why))
        }
        Err(_) => pages::broken(visit.tenant),
    }
}

/// `prompt=select_account`: the account that is signed in, or another.
pub(super) fn choose_page(visit: &Visit<'_>) -> Answer {
    let Some((account, _)) = authorize::who(visit.provider, &visit.browser) else {
        return visit.to("sign-in");
    };
    let none = Errors::default();
    let form = Form {
        visit,
        step: "choose",
        title: "Choose an account",
        lead: format!("to continue to <strong>{}</strong>", escape(&visit.client.name)),
        fields: Vec::new(),
        submit: "",
        after: String::new(),
    };
    let buttons = format!(
        "<button class=\"account\" name=\"choice\" value=\"continue\"><strong>{}</strong><span>{}</span></button>\
         <button class=\"quiet\" name=\"choice\" value=\"other\">Use another account</button>",
        escape(&account.name),
        escape(&account.email)
    );
    visit.show(&none, form.page_with(&none, &buttons))
}

pub(super) fn take_choice(visit: &Visit<'_>) -> Answer {
    let keep = visit.field("choice") == "continue";
    visit.provider.journeys.change(visit.id, |journey| {
        journey.account_chosen = keep;
        journey.another_account = !keep;
    });
    visit.to("continue")
}
