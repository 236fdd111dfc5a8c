//! The handle of a provider that runs. Dropping it stops the provider. Knows nothing of requests.

use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Provider;
use super::door::Order;
use super::mint::{self, Mint, MintError};
use crate::faces::{Endpoint, Face};
use crate::faults::Faults;
use crate::grants::Family;
use crate::tenant::{Lifetimes, Tenant};

/// A running provider. It stops when this is dropped.
pub struct Running {
    provider: Arc<Provider>,
    server: JoinHandle<()>,
    orders: mpsc::Sender<Order>,
}

impl Running {
    pub(super) fn new(provider: Arc<Provider>, server: JoinHandle<()>, orders: mpsc::Sender<Order>) -> Self {
        Self { provider, server, orders }
    }

    /// `http://localhost:PORT`.
    pub fn base_url(&self) -> String {
        self.provider.site.base()
    }

    /// The plain face's issuer; its metadata stand where OpenID Connect Discovery says.
    pub fn issuer(&self) -> String {
        self.provider.site.issuer(Face::Plain)
    }

    /// The Entra face's issuer.
    pub fn entra_issuer(&self) -> String {
        self.provider.site.issuer(Face::Entra)
    }

    /// Where the Entra face's metadata stand: not below its issuer.
    pub fn entra_metadata_url(&self) -> String {
        self.provider.site.url(Face::Entra, Endpoint::Metadata)
    }

    /// The address of an endpoint of either face.
    pub fn endpoint(&self, face: Face, endpoint: Endpoint) -> String {
        self.provider.site.url(face, endpoint)
    }

    /// The handle for misbehaviour, and the record of requests.
    pub fn faults(&self) -> Faults {
        self.provider.faults.clone()
    }

    /// The newest passcode mailed to an address.
    pub fn mailbox_code(&self, email: &str) -> Option<String> {
        self.provider.mailbox.code(&email.to_lowercase())
    }

    /// The object id of a person.
    pub fn oid(&self, email: &str) -> Option<String> {
        self.provider.people.by_email(email).map(|account| account.oid)
    }

    /// From now on a new key signs; the old ones stay published. Takes a good part of a second.
    pub fn rotate_keys(&self) {
        self.provider.keys.rotate();
    }

    /// Stops publishing every key but the current one.
    pub fn retire_old_keys(&self) {
        self.provider.keys.retire_old();
    }

    /// Changes the tenant while it runs: grants, redirect URIs, lifetimes. Accounts are made at the start only.
    pub fn edit_tenant(&self, edit: impl FnOnce(&mut Tenant)) {
        self.provider.edit_tenant(edit);
    }

    /// Changes how long things live, from the next token on.
    pub fn edit_lifetimes(&self, edit: impl FnOnce(&mut Lifetimes)) {
        self.provider.edit_tenant(|tenant| edit(&mut tenant.lifetimes));
    }

    /// What became of the refresh tokens of each sign-in so far, in no order.
    pub fn refresh_families(&self) -> Vec<Family> {
        self.provider.grants.families()
    }

    /// Ends a person's sign-ins at the provider and everything that came of them, as an administrator would; false if
    /// there is no such person.
    pub fn revoke(&self, email: &str) -> bool {
        let Some(account) = self.provider.people.by_email(email) else { return false };
        self.provider.browsers.end_all(&account.oid);
        self.provider.grants.revoke_person(&account.oid);
        true
    }

    /// Goes away: connections break and new ones are refused, until [`Self::reconnect`]. Nothing is forgotten, and the
    /// port stays ours.
    ///
    /// # Errors
    /// If the port is lost.
    pub async fn disconnect(&self) -> io::Result<()> {
        self.order(Order::Shut).await
    }

    /// Comes back, with the same keys, sessions and grants.
    ///
    /// # Errors
    /// If the port cannot be listened on.
    pub async fn reconnect(&self) -> io::Result<()> {
        self.order(Order::Open).await
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Order) -> io::Result<()> {
        let gone = || io::Error::other("the provider has stopped");
        let (done, answer) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Replaces the app roles that a person has in one app (client id or Application ID URI); false if there is no
    /// such person.
    pub fn assign_app_roles(&self, email: &str, app: &str, roles: &[&str]) -> bool {
        self.provider.people.assign(email, app, roles.iter().map(|role| (*role).to_owned()).collect())
    }

    /// Mints an access token outside any sign-in.
    pub fn mint_access_token(&self, mint: Mint) -> Result<String, MintError> {
        mint::access_token(&self.provider, mint)
    }

    /// Mints an ID token outside any sign-in.
    pub fn mint_id_token(&self, mint: Mint) -> Result<String, MintError> {
        mint::id_token(&self.provider, mint)
    }

    /// Signs any header and payload text with the current key (RS256, whatever the header says).
    pub fn sign(&self, header: &str, payload: &str) -> String {
        crate::jwt::sign(&self.provider.keys.current(), header, payload)
    }

    /// The current key's id.
    pub fn current_kid(&self) -> String {
        self.provider.keys.current().kid.clone()
    }

    /// Stops, and waits until the socket is closed.
    pub async fn stop(mut self) {
        self.server.abort();
        // The only outcome is "cancelled": that is what was asked for.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}
