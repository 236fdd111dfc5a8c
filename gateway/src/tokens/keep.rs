//! What came from the provider goes into the session before anything of it is used (requirement TK-06); unless the session
//! is over. What must not be lost is offered to the store until it is taken.

use std::sync::Arc;

use tokio::time::sleep;

use crate::clock::Timestamp;
use crate::oidc::{AccessToken, Refreshed};
use crate::secret::Secret;
use crate::session::claims::Claims;
use crate::session::store::Changed;
use crate::session::{Credentials, Held, Identity, State, TokenSpec};
use crate::stop::causes;

use super::Tokens;
use super::failure::NoToken;
use super::refresh::is_the_one;
use super::renewal::Flight;

/// What came.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) held: Held,
    /// The refresh token that it was got with, if any.
    pub(super) spent: Option<Secret<String>>,
    /// The one that takes its place, if any.
    pub(super) successor: Option<Secret<String>>,
    id_token: Option<Secret<String>>,
    claims: Option<Claims>,
}

impl Came {
    /// By a refresh that began at `asked`.
    pub(super) fn by_refresh(
        spec: &Arc<TokenSpec>,
        asked: Timestamp,
        spent: Secret<String>,
        refreshed: Refreshed,
    ) -> Self {
        let Refreshed { authorization, expires, granted, refresh_token, id_token, identity_claims } =
            refreshed;
        let held = Held::new(spec, authorization, [asked, expires], granted.covers(&spec.scopes));
        let claims = identity_claims.map(Claims::from);
        Self { held, spent: Some(spent), successor: refresh_token, id_token, claims }
    }

    /// By an exchange that began at `asked`.
    pub(super) fn by_exchange(spec: &Arc<TokenSpec>, asked: Timestamp, token: AccessToken) -> Self {
        let AccessToken { authorization, expires, granted } = token;
        let held = Held::new(spec, authorization, [asked, expires], granted.covers(&spec.scopes));
        Self { held, spent: None, successor: None, id_token: None, claims: None }
    }

    /// The session with what came, or nothing if it has that or better already.
    fn merged_into(&self, state: &State) -> Option<State> {
        let known = &*state.credentials;
        let is_next = self.spent.as_ref().is_none_or(|spent| is_the_one(known, spent));
        if is_next {
            return Some(self.following(state));
        }
        // Either this was written already, and only the store's answer was lost; or another gateway went on from another
        // answer of the provider, and its refresh token, the newer one, stays.
        let is_there = known.held(&self.held.spec).is_some_and(|held| held.expires >= self.held.expires);
        let credentials = Arc::new(known.with(self.held.clone()));
        (!is_there).then(|| State { credentials, ..state.clone() })
    }

    fn following(&self, state: &State) -> State {
        let known = &*state.credentials;
        let credentials = Credentials {
            refresh_token: self.successor.clone().or_else(|| known.refresh_token.clone()),
            id_token: self.id_token.clone().unwrap_or_else(|| known.id_token.clone()),
            ..known.with(self.held.clone())
        };
        let after = State { credentials: Arc::new(credentials), ..state.clone() };
        match &self.claims {
            Some(claims) if *claims != state.identity.claims => {
                let identity = Identity { claims: claims.clone(), ..(*state.identity).clone() };
                // Other claims are other privileges: the session gets another identifier with the next answer.
                State { identity: Arc::new(identity), renewal_due: Timestamp(0), ..after }
            }
            _ => after,
        }
    }
}

impl Tokens {
    /// Puts what came into the session. What the store does not take is held here, with turn and lease, until it does or
    /// the session is over: a refresh token's successor must not be lost, and the provider not be asked again.
    pub(super) async fn keep(&self, flight: &Flight, came: &Came) -> Result<(), NoToken> {
        let session = &flight.session;
        let (mut is_told, mut pause) = (false, self.timing.rewrite);
        loop {
            match self.sessions.change(session, |state| came.merged_into(state)).await {
                Ok(Changed::Yes | Changed::Unneeded) => return Ok(()),
                Ok(Changed::Over) => return Err(NoToken::SessionOver(None)),
                Err(_) if self.clock.now() >= session.absolute_end() => {
                    return Err(NoToken::SessionOver(None));
                }
                Err(error) if !is_told => {
                    is_told = true;
                    flight.turn.tell_unsaved();
                    tracing::error!(
                        target: "gateway",
                        event = "refresh_unsaved",
                        session = session.key().short(),
                        error = causes(&error),
                        "the session store does not take a renewed token; it is offered again until it does",
                    );
                }
                Err(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(self.timing.rewrite * 10);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::started;
    use http::HeaderValue;
    use serde_json::{Value, json};

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    /// A session's state that holds that refresh token.
    fn state(refresh_token: &str) -> State {
        let (_, session) = started(100);
        let state = State::clone(&session.state());
        let credentials =
            Credentials { refresh_token: Some(secret(refresh_token)), ..(*state.credentials).clone() };
        State { credentials: Arc::new(credentials), ..state }
    }

    fn came(access_token: &'static str, expires: i64) -> Came {
        let spec = Arc::new(TokenSpec::user("read", "a".parse().expect("valid")));
        let header = HeaderValue::from_static(access_token);
        let held = Held::new(&spec, header, [Timestamp(100), Timestamp(expires)], true);
        let (spent, successor) = (Some(secret("rt-0")), Some(secret("rt-1")));
        Came { held, spent, successor, id_token: Some(secret("id-1")), claims: None }
    }

    fn tokens(state: &State) -> (String, String, Vec<&str>) {
        let known = &state.credentials;
        let refresh_token = known.refresh_token.as_ref().map(|token| token.expose().clone());
        let access = known.access.iter().map(|held| held.authorization.to_str().expect("ASCII"));
        (refresh_token.unwrap_or_default(), known.id_token.expose().clone(), access.collect())
    }

    #[test]
    fn what_came_takes_the_place_of_what_was_spent() {
        let after = came("x", 200).merged_into(&state("rt-0")).expect("a change");
        assert_eq!(tokens(&after), ("rt-1".into(), "id-1".into(), vec!["x"]));
        let none_came = Came { successor: None, id_token: None, ..came("x", 200) };
        let after = none_came.merged_into(&state("rt-0")).expect("a change");
        assert_eq!(tokens(&after), ("rt-0".into(), "id".into(), vec!["x"]));
    }

    #[test]
    fn what_was_written_already_is_not_written_again() {
        let after = came("x", 200).merged_into(&state("rt-0")).expect("a change");
        assert!(came("x", 200).merged_into(&after).is_none());
    }

    #[test]
    fn an_older_refresh_token_never_takes_the_place_of_a_newer_one() {
        let newer = state("rt-7");
        let after = came("x", 200).merged_into(&newer).expect("the access token is of use");
        assert_eq!(tokens(&after), ("rt-7".into(), "id".into(), vec!["x"]));
        let later = came("y", 300).merged_into(&after).expect("a later one");
        assert_eq!(tokens(&later).2, ["y"]);
        assert!(came("x", 200).merged_into(&later).is_none(), "an earlier one is of none");
    }

    #[test]
    fn other_claims_are_taken_over_and_bring_a_new_identifier() {
        let claims = |role: &str| match json!({ "roles": [role] }) {
            Value::Object(claims) => Some(Claims::from(claims)),
            _ => None,
        };
        let with = |role| Came { claims: claims(role), ..came("x", 200) };
        let after = with("admin").merged_into(&state("rt-0")).expect("a change");
        assert_eq!(Some(&after.identity.claims), claims("admin").as_ref());
        assert_eq!((&*after.identity.subject, after.renewal_due), ("alice", Timestamp(0)));

        let due = Timestamp(77);
        let before = State { identity: after.identity, renewal_due: due, ..state("rt-0") };
        let after = with("admin").merged_into(&before).expect("a change");
        assert_eq!(after.renewal_due, due, "nothing about the person is new");
        let after = with("guest").merged_into(&before).expect("a change");
        assert_eq!(
            (Some(&after.identity.claims), after.renewal_due),
            (claims("guest").as_ref(), Timestamp(0))
        );
    }
}
