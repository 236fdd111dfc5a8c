//! What can be wrong with an answer to a redirect URI. Knows nothing of how the right one is made.

use super::{Fault, Faults, faults};
use crate::random;

faults! {
    /// Something wrong with the answer to the redirect URI.
    CallbackFault {
        /// CB-06: error=access_denied instead of a code.
        AccessDenied = "access-denied",
        /// CB-06: error=server_error instead of a code.
        ServerError = "server-error",
        /// SI-17: error=login_required instead of a code.
        LoginRequired = "login-required",
        /// SI-17: error=interaction_required instead of a code.
        InteractionRequired = "interaction-required",
        /// SI-17: error=consent_required instead of a code.
        ConsentRequired = "consent-required",
        /// SI-17: error=account_selection_required instead of a code.
        AccountSelectionRequired = "account-selection-required",
        /// SI-18: error=unmet_authentication_requirements instead of a code.
        UnmetAuthenticationRequirements = "unmet-authentication-requirements",
        /// SI-19: error=invalid_request_uri instead of a code.
        InvalidRequestUri = "invalid-request-uri",
        /// CB-06: an error full of markup, an 8 KiB description, a javascript: error_uri.
        HostileError = "hostile-error",
        /// CB-06: a code and an error.
        CodeAndError = "code-and-error",
        /// CB-04: two codes.
        DuplicateCode = "duplicate-code",
        /// CB-04: two states.
        DuplicateState = "duplicate-state",
        /// CB-04: two iss.
        DuplicateIss = "duplicate-iss",
        /// CB-01: no state.
        MissingState = "missing-state",
        /// CB-01: another state.
        WrongState = "wrong-state",
        /// CB-01: no code.
        MissingCode = "missing-code",
        /// CB-01: an unknown code.
        WrongCode = "wrong-code",
        /// CB-05: another issuer's iss.
        WrongIss = "wrong-iss",
        /// CB-05: no iss although promised.
        MissingIss = "missing-iss",
        /// CB-05: an empty iss.
        EmptyIss = "empty-iss",
        /// CB-05: iss with a slash after it.
        IssSlash = "iss-slash",
        /// CB-07: tokens on the callback, besides the code.
        Tokens = "tokens",
        /// CB-07: tokens on the callback, no code.
        TokensOnly = "tokens-only",
        /// Valid: parameters nobody knows.
        Unknown = "unknown",
    }
}

type Pairs = Vec<(String, String)>;

impl Faults {
    /// The parameters as they are sent.
    pub(crate) fn on_callback(&self, mut pairs: Pairs) -> Pairs {
        let pick = |fault| {
            if let Fault::Callback(fault) = fault { Some(fault) } else { None }
        };
        for fault in self.take(pick) {
            change(fault, &mut pairs);
        }
        if let Some(edit) = self.edits().callback {
            edit(&mut pairs);
        }
        pairs
    }
}

fn change(fault: CallbackFault, pairs: &mut Pairs) {
    let value = |pairs: &Pairs, name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    match fault {
        CallbackFault::AccessDenied => error(pairs, "access_denied", "The person said no."),
        CallbackFault::ServerError => error(pairs, "server_error", "Something broke."),
        CallbackFault::LoginRequired => error(pairs, "login_required", "Nobody is signed in."),
        CallbackFault::InteractionRequired => {
            error(pairs, "interaction_required", "The person must do something.");
        }
        CallbackFault::ConsentRequired => error(pairs, "consent_required", "The person must agree."),
        CallbackFault::AccountSelectionRequired => {
            error(pairs, "account_selection_required", "The person must choose an account.");
        }
        CallbackFault::UnmetAuthenticationRequirements => {
            error(pairs, "unmet_authentication_requirements", "That is not possible here.");
        }
        CallbackFault::InvalidRequestUri => error(pairs, "invalid_request_uri", "It has expired."),
        CallbackFault::HostileError => {
            error(pairs, "<script>alert(1)</script>", &format!("<b>{}</b>", "x".repeat(8 * 1024)));
            add(pairs, "error_uri", "javascript:alert(1)");
        }
        CallbackFault::CodeAndError => add(pairs, "error", "access_denied"),
        CallbackFault::DuplicateCode => add(pairs, "code", &random::token()),
        CallbackFault::DuplicateState => {
            let state = value(pairs, "state").unwrap_or_default();
            add(pairs, "state", &state);
        }
        CallbackFault::DuplicateIss => {
            let iss = value(pairs, "iss").unwrap_or_default();
            remove(pairs, "iss");
            add(pairs, "iss", &iss);
            add(pairs, "iss", &iss);
        }
        CallbackFault::MissingState => remove(pairs, "state"),
        CallbackFault::WrongState => replace(pairs, "state", &random::token()),
        CallbackFault::MissingCode => remove(pairs, "code"),
        CallbackFault::WrongCode => replace(pairs, "code", &random::token()),
        CallbackFault::WrongIss => replace(pairs, "iss", "https://somebody-else.example"),
        CallbackFault::MissingIss => remove(pairs, "iss"),
        CallbackFault::EmptyIss => replace(pairs, "iss", ""),
        CallbackFault::IssSlash => {
            let iss = value(pairs, "iss").unwrap_or_default();
            replace(pairs, "iss", &format!("{iss}/"));
        }
        CallbackFault::Tokens | CallbackFault::TokensOnly => {
            if fault == CallbackFault::TokensOnly {
                remove(pairs, "code");
            }
            add(pairs, "access_token", &random::token());
            add(pairs, "id_token", "e30.e30.e30");
            add(pairs, "token_type", "Bearer");
        }
        CallbackFault::Unknown => add(pairs, "colour", "green"),
    }
}

fn error(pairs: &mut Pairs, error: &str, description: &str) {
    remove(pairs, "code");
    add(pairs, "error", error);
    add(pairs, "error_description", description);
}

fn add(pairs: &mut Pairs, name: &str, value: &str) {
    pairs.push((name.to_owned(), value.to_owned()));
}

fn remove(pairs: &mut Pairs, name: &str) {
    pairs.retain(|(found, _)| found != name);
}

fn replace(pairs: &mut Pairs, name: &str, value: &str) {
    remove(pairs, name);
    add(pairs, name, value);
}
