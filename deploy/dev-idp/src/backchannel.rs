//! Back-channel logout: posts a logout token to every app of a session that ended, and remembers what each answered. The
//! Entra face does not have it. Knows nothing of browsers.

use std::sync::{Arc, Mutex};

use http::header;
use tokio::task::JoinSet;

use crate::faces::Face;
use crate::logout_token::{self, LogoutMint};
use crate::outside::Outside;
use crate::participants::Participant;
use crate::people::lock;
use crate::provider::Provider;
use crate::tenant::LogoutNames;

/// A logout token that was sent, and what came of it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// To which client.
    pub client_id: String,
    /// At which address.
    pub uri: String,
    /// The token.
    pub token: String,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// The answer's Cache-Control.
    pub cache_control: Option<String>,
    /// The answer's body.
    pub body: String,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// Everything that was sent, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Deliveries(Arc<Mutex<Vec<Delivery>>>);

impl Deliveries {
    pub(crate) fn all(&self) -> Vec<Delivery> {
        lock(&self.0).clone()
    }
}

/// Tells the apps of a session that it is over, all at once, and waits for their answers.
pub(crate) async fn tell<'a>(
    provider: &Provider,
    sid: &str,
    apps: impl IntoIterator<Item = &'a Participant>,
) -> Vec<Delivery> {
    let mut sending = JoinSet::new();
    for app in apps {
        if let Some((uri, token)) = letter(provider, sid, app) {
            let (outside, deliveries) = (Arc::clone(&provider.outside), provider.deliveries.clone());
            let client_id = app.client_id.clone();
            sending.spawn(async move { send(&outside, &deliveries, client_id, uri, token).await });
        }
    }
    sending.join_all().await
}

/// Where the app's token goes, and the token.
fn letter(provider: &Provider, sid: &str, app: &Participant) -> Option<(String, String)> {
    let tenant = provider.tenant();
    let registration = &tenant.client(&app.client_id)?.registration;
    let uri = registration.backchannel_logout_uri.clone().filter(|_| app.face == Face::Plain)?;
    let email = provider.people.by_oid(&app.oid)?.email;
    let mint = match registration.backchannel_logout_names {
        LogoutNames::Both => LogoutMint::person(&email).with_sid(sid),
        LogoutNames::SidOnly => LogoutMint::session(sid),
        LogoutNames::SubOnly => LogoutMint::person(&email),
    };
    let (faults, edit) = provider.faults.on_logout_token();
    let mint = mint.client(&app.client_id).faults(faults, edit);
    match logout_token::write(provider, &mint) {
        Ok(token) => Some((uri, token)),
        Err(error) => {
            tracing::warn!(client = app.client_id, %error, "no logout token could be written");
            None
        }
    }
}

/// Posts one token.
pub(crate) async fn send(
    outside: &Outside,
    deliveries: &Deliveries,
    client_id: String,
    uri: String,
    token: String,
) -> Delivery {
    let form =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
    let answer = outside.post(&uri, form).await;
    let mut delivery = Delivery {
        client_id,
        uri,
        token,
        status: None,
        cache_control: None,
        body: String::new(),
        error: None,
    };
    match answer {
        Ok(reply) => {
            let cache = reply.headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
            delivery.status = Some(reply.status);
            delivery.cache_control = cache.map(str::to_owned);
            delivery.body = String::from_utf8_lossy(&reply.body).into_owned();
        }
        Err(error) => {
            tracing::warn!(%error, "an app could not be told of a sign-out");
            delivery.error = Some(error.to_string());
        }
    }
    lock(&deliveries.0).push(delivery.clone());
    delivery
}
