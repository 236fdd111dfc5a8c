//! What a one-time passcode opens: creating an account, and setting a new password. Both begin alike: address, passcode,
//! and then the form that the proved address may fill in. Whether an address has an account shows only to who can read
//! its mail. Knows nothing of signing in with a password.

use std::sync::Arc;

use super::Visit;
use crate::answer::Answer;
use crate::logout;
use crate::pages::form::{Errors, Field, Form};
use crate::pages::{self, escape};
use crate::people::codes::{CodeCheck, Passcode, Purpose};
use crate::people::mailbox::Message;
use crate::people::{self, Unacceptable};

/// Passcodes that one journey may have sent.
const MOST_PASSCODES: u8 = 5;

fn base(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::SignUp => "sign-up",
        Purpose::Reset => "reset",
    }
}

pub(super) fn email_page(visit: &Visit<'_>, purpose: Purpose, errors: &Errors) -> Answer {
    let typed = visit.field("email");
    let known = visit.journey.email.as_deref().unwrap_or_default();
    let (title, lead, back) = match purpose {
        Purpose::SignUp => {
            ("Create an account", "First, your email address. We send a code to it.", "Have an account?")
        }
        Purpose::Reset => ("Reset your password", "We send a code to your email address.", "Remembered it?"),
    };
    let form = Form {
        visit,
        step: base(purpose),
        title,
        lead: lead.to_owned(),
        fields: vec![Field::email(if typed.is_empty() { known } else { typed })],
        submit: "Send code",
        after: format!("<p>{back} <a href=\"/flow/{}/sign-in\">Sign in</a></p>", visit.id),
    };
    visit.show(errors, form.page(errors))
}

pub(super) fn take_email(visit: &Visit<'_>, purpose: Purpose) -> Answer {
    let Some(email) = people::email(visit.field("email")) else {
        let why = "Enter an email address, like name@example.com.";
        return email_page(visit, purpose, &Errors::one("email", why));
    };
    if send(visit, purpose, &email) {
        visit.to(&format!("{}/code", base(purpose)))
    } else {
        let why = "Too many codes were sent. Go back to the app and start again.";
        email_page(visit, purpose, &Errors::one("email", why))
    }
}

/// Mails a passcode; false if there were too many already.
fn send(visit: &Visit<'_>, purpose: Purpose, email: &str) -> bool {
    let now = visit.now();
    let passcode = Passcode::new(purpose, email, now, visit.tenant.lifetimes.passcode);
    let code = passcode.code.clone();
    let sent = visit.provider.journeys.change(visit.id, |journey| {
        if journey.passcodes_sent >= MOST_PASSCODES {
            return false;
        }
        journey.passcodes_sent += 1;
        journey.passcode = Some(passcode);
        journey.email = Some(email.to_owned());
        journey.proved = None;
        true
    });
    if sent != Some(true) {
        return false;
    }
    let exists = visit.provider.people.by_email(email).is_some();
    let subject = match purpose {
        Purpose::SignUp => "Your code to create an account",
        Purpose::Reset => "Your code to reset your password",
    };
    // A reset of an account that does not exist sends nothing, and the page is the same.
    if exists || purpose == Purpose::SignUp {
        tracing::info!(email, code, "one-time passcode (also on /mailbox)");
        visit.provider.mailbox.put(Message { to: email.to_owned(), subject, code, at: now });
    }
    true
}

pub(super) fn code_page(visit: &Visit<'_>, purpose: Purpose, errors: &Errors) -> Answer {
    let email = visit.journey.passcode.as_ref().map_or("", |code| &code.email);
    let form = Form {
        visit,
        step: match purpose {
            Purpose::SignUp => "sign-up/code",
            Purpose::Reset => "reset/code",
        },
        title: "Enter the code",
        lead: format!(
            "We sent a code of eight digits to <strong>{}</strong>. No mail leaves this computer: \
             <a href=\"/mailbox\" target=\"_blank\" rel=\"noopener\">open the mailbox</a> to read it.",
            escape(email)
        ),
        fields: vec![Field::code()],
        submit: "Continue",
        after: format!("<p>No code? <a href=\"/flow/{}/{}\">Send another</a></p>", visit.id, base(purpose)),
    };
    visit.show(errors, form.page(errors))
}

pub(super) fn take_code(visit: &Visit<'_>, purpose: Purpose) -> Answer {
    let (typed, now) = (visit.field("code"), visit.now());
    let check = visit.provider.journeys.change(visit.id, |journey| {
        let passcode = journey.passcode.as_mut().filter(|passcode| passcode.purpose == purpose)?;
        let check = passcode.check(typed, now);
        if check == CodeCheck::Right {
            journey.proved = Some((purpose, passcode.email.clone()));
            journey.passcode = None;
        }
        Some(check)
    });
    let problem = match check.flatten() {
        None => return visit.to(base(purpose)),
        Some(CodeCheck::Right) => {
            return visit.to(match purpose {
                Purpose::SignUp => "sign-up/details",
                Purpose::Reset => "reset/password",
            });
        }
        Some(CodeCheck::Wrong) => "This is not the code. Compare it with the newest mail.",
        Some(CodeCheck::Expired) => "This code has expired. Send another one.",
        Some(CodeCheck::UsedUp) => "Too many wrong codes. Send another one.",
    };
    code_page(visit, purpose, &Errors::one("code", problem))
}

pub(super) fn details_page(visit: &Visit<'_>, purpose: Purpose, errors: &Errors) -> Answer {
    let email = visit.journey.proved.as_ref().map_or("", |(_, email)| email);
    let password = Field::password("New password", "new-password", "At least 8 characters.");
    let fields = match purpose {
        Purpose::SignUp => vec![Field::known_email(email), password, Field::name(visit.field("name"))],
        Purpose::Reset => vec![Field::known_email(email), password],
    };
    let form = Form {
        visit,
        step: match purpose {
            Purpose::SignUp => "sign-up/details",
            Purpose::Reset => "reset/password",
        },
        title: match purpose {
            Purpose::SignUp => "Add details",
            Purpose::Reset => "Choose a new password",
        },
        lead: "Your email address is confirmed.".to_owned(),
        fields,
        submit: match purpose {
            Purpose::SignUp => "Create account",
            Purpose::Reset => "Save and sign in",
        },
        after: format!("<p><a href=\"/flow/{}/sign-in\">Back to sign-in</a></p>", visit.id),
    };
    visit.show(errors, form.page(errors))
}

pub(super) async fn take_account(visit: &Visit<'_>) -> Answer {
    let Some((_, email)) = visit.journey.proved.clone() else {
        return visit.to("sign-up");
    };
    let Some(name) = people::display_name(visit.field("name")) else {
        let why = "Enter the name that apps should show, up to 100 characters.";
        return details_page(visit, Purpose::SignUp, &Errors::one("name", why));
    };
    let (provider, password) = (Arc::clone(visit.provider), visit.field("password").to_owned());
    match tokio::task::spawn_blocking(move || provider.people.create(&email, &name, &password)).await {
        Ok(Ok(oid)) => visit.signed_in(&oid),
        Ok(Err(Unacceptable::Exists)) => {
            let why = "There is an account with this email address already. Sign in, or reset its password.";
            details_page(visit, Purpose::SignUp, &Errors::one("email", why))
        }
        Ok(Err(why)) => details_page(visit, Purpose::SignUp, &Errors::one("password", &why.to_string())),
        Err(_) => pages::broken(visit.tenant),
    }
}

pub(super) async fn take_new_password(visit: &Visit<'_>) -> Answer {
    let Some((_, email)) = visit.journey.proved.clone() else {
        return visit.to("reset");
    };
    let (provider, password) = (Arc::clone(visit.provider), visit.field("password").to_owned());
    match tokio::task::spawn_blocking(move || provider.people.set_password(&email, &password)).await {
        Ok(Ok(Some(oid))) => {
            // Who forgot a password may have lost it to somebody: nothing begun before goes on.
            logout::end_sessions(visit.provider, &oid).await;
            visit.provider.grants.revoke_person(&oid);
            visit.signed_in(&oid)
        }
        Ok(Ok(None)) => visit.to("sign-up"),
        Ok(Err(why)) => details_page(visit, Purpose::Reset, &Errors::one("password", &why.to_string())),
        Err(_) => pages::broken(visit.tenant),
    }
}
