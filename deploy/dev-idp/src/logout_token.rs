//! Logout tokens (OpenID Connect Back-Channel Logout 2.4): written for a session that ends, or minted for a test, right
//! or wrong. Knows nothing of where they are sent.

use std::sync::Arc;

use serde_json::json;

use crate::faces::Face;
use crate::faults::forge::{self, Context, Draft};
use crate::faults::{JwtEdit, LOGOUT_EVENT, LogoutFault, Members};
use crate::keys::{Algorithm, SigningKey};
use crate::provider::{Mint, MintError, Provider, mint};
use crate::token::pairwise;
use crate::{jwt, random};

/// How long a logout token is good, in seconds (section 2.4 recommends two minutes at most).
const LIFETIME: i64 = 120;

/// A logout token to be minted. Begin with [`LogoutMint::person`] (names `sub`) or [`LogoutMint::session`] (names `sid`);
/// by default for `todo-web`, from the plain face.
#[must_use]
pub struct LogoutMint {
    email: Option<String>,
    sid: Option<String>,
    client_id: String,
    face: Face,
    jti: Option<String>,
    age: i64,
    lifetime: i64,
    faults: Vec<LogoutFault>,
    edit: Option<JwtEdit>,
}

impl LogoutMint {
    /// For all sessions of a person, by e-mail.
    pub fn person(email: &str) -> Self {
        Self { email: Some(email.to_owned()), ..Self::new() }
    }

    /// For one session.
    pub fn session(sid: &str) -> Self {
        Self { sid: Some(sid.to_owned()), ..Self::new() }
    }

    fn new() -> Self {
        Self {
            email: None,
            sid: None,
            client_id: "todo-web".to_owned(),
            face: Face::Plain,
            jti: None,
            age: 0,
            lifetime: LIFETIME,
            faults: Vec::new(),
            edit: None,
        }
    }

    /// Names a session too.
    pub fn with_sid(mut self, sid: &str) -> Self {
        self.sid = Some(sid.to_owned());
        self
    }

    /// Names a person too, by e-mail.
    pub fn with_sub(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self
    }

    /// For another client.
    pub fn client(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// From this face.
    pub fn face(mut self, face: Face) -> Self {
        self.face = face;
        self
    }

    /// With this `jti`, for replays.
    pub fn jti(mut self, jti: &str) -> Self {
        self.jti = Some(jti.to_owned());
        self
    }

    /// Issued that many seconds ago.
    pub fn age(mut self, seconds: i64) -> Self {
        self.age = seconds;
        self
    }

    /// Seconds from `iat` to `exp`; may be negative.
    pub fn lifetime(mut self, seconds: i64) -> Self {
        self.lifetime = seconds;
        self
    }

    /// With this wrong; may be said more than once.
    pub fn fault(mut self, fault: LogoutFault) -> Self {
        self.faults.push(fault);
        self
    }

    pub(crate) fn faults(mut self, faults: Vec<LogoutFault>, edit: Option<JwtEdit>) -> Self {
        self.faults = faults;
        self.edit = edit;
        self
    }

    /// Changes header and claims last, before signing.
    pub fn edit(mut self, edit: impl Fn(&mut Members, &mut Members) + Send + Sync + 'static) -> Self {
        self.edit = Some(Arc::new(edit));
        self
    }
}

/// The token.
pub(crate) fn write(provider: &Provider, order: &LogoutMint) -> Result<String, MintError> {
    if let Some(token) = another_kind(provider, order)? {
        return Ok(token);
    }
    let tenant = provider.tenant();
    let no_client = || MintError::NoClient(order.client_id.clone());
    let client = tenant.client(&order.client_id).ok_or_else(no_client)?;
    let now = provider.clock.now();
    let issued = now - order.age;
    let mut claims = Members::new();
    claims.insert("iss".to_owned(), provider.site.issuer(order.face).into());
    claims.insert("aud".to_owned(), client.client_id.as_str().into());
    claims.insert("iat".to_owned(), issued.into());
    claims.insert("exp".to_owned(), (issued + order.lifetime).into());
    claims.insert("jti".to_owned(), order.jti.clone().unwrap_or_else(random::guid).into());
    claims.insert("events".to_owned(), json!({LOGOUT_EVENT: {}}));
    if let Some(email) = &order.email {
        let account = provider.people.by_email(email).ok_or_else(|| MintError::NoAccount(email.clone()))?;
        claims.insert("sub".to_owned(), pairwise(&tenant, &client.client_id, &account.oid).into());
    }
    if let Some(sid) = &order.sid {
        claims.insert("sid".to_owned(), sid.as_str().into());
    }
    let key = key(provider, client.id_token_alg(order.face), &order.faults);
    let mut header = jwt::header(&key);
    header.insert("typ".to_owned(), "logout+jwt".into());
    let mut draft = Draft { header, claims };
    for fault in &order.faults {
        fault.change(&mut draft.header, &mut draft.claims);
    }
    let context = Context {
        key: &key,
        client_secret: client.secret.expose(),
        now,
        access_token: None,
        canary: &provider.canary,
    };
    let faults: Vec<_> = order.faults.iter().filter_map(|fault| fault.of_any_token()).collect();
    Ok(forge::write(draft, &context, &faults, order.edit.as_ref()))
}

/// BL-09: tokens that are right, but no logout tokens.
fn another_kind(provider: &Provider, order: &LogoutMint) -> Result<Option<String>, MintError> {
    let mint = || {
        let email = order.email.clone().ok_or(MintError::NoPerson)?;
        Ok::<_, MintError>(Mint::user(&email).client(&order.client_id).face(order.face))
    };
    let sid = order.sid.clone();
    let with_sid = move |mint: Mint| match sid {
        Some(sid) => mint.edit(move |_, claims| drop(claims.insert("sid".to_owned(), sid.as_str().into()))),
        None => mint,
    };
    for fault in &order.faults {
        match fault {
            LogoutFault::IdToken => return mint::id_token(provider, with_sid(mint()?)).map(Some),
            // For the client itself, so that nothing but its kind is wrong.
            LogoutFault::AccessToken => {
                let mint = with_sid(mint()?.audience(&order.client_id));
                return mint::access_token(provider, mint).map(Some);
            }
            _ => {}
        }
    }
    Ok(None)
}

fn key(provider: &Provider, right: Algorithm, faults: &[LogoutFault]) -> Arc<SigningKey> {
    let other = if right == Algorithm::Es256 { Algorithm::Rs256 } else { Algorithm::Es256 };
    provider.keys.of(if faults.contains(&LogoutFault::WrongAlg) { other } else { right })
}
