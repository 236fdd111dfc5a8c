//! The handle of a provider that runs. Dropping it stops the provider. Knows nothing of requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Provider;
use super::door::Order;
use super::mint::{self, Mint, MintError};
use crate::backchannel::{self, Delivery};
use crate::faces::{Endpoint, Face};
use crate::faults::Faults;
use crate::grants::Family;
use crate::keys::Algorithm;
use crate::logout;
use crate::logout_token::{self, LogoutMint};
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

    /// Publishes a key for this algorithm, if there is none yet.
    pub fn publish_key(&self, algorithm: Algorithm) {
        self.provider.keys.of(algorithm);
    }

    /// Changes the tenant while it runs: grants, redirect URIs, registrations, lifetimes. Accounts are made at the start
    /// only.
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

    /// From now on the provider's own requests to this origin (`https://app.example`) go there, as plain HTTP. Needed for
    /// apps that are not at `http://localhost` by name.
    pub fn reach(&self, origin: &str, address: SocketAddr) {
        self.provider.outside.reach(origin, address);
    }

    /// The ids of a person's sessions here: what `sid` says in the tokens that came of them.
    pub fn sessions(&self, email: &str) -> Vec<String> {
        let account = self.provider.people.by_email(email);
        account.map(|account| self.provider.browsers.of(&account.oid)).unwrap_or_default()
    }

    /// Ends a person's sessions here and tells every app of them by back-channel, as an administrator would; tokens live
    /// on. Returns when all apps have answered.
    pub async fn end_sessions(&self, email: &str) -> Vec<Delivery> {
        match self.provider.people.by_email(email) {
            Some(account) => logout::end_sessions(&self.provider, &account.oid).await,
            None => Vec::new(),
        }
    }

    /// Every logout token that was sent so far, oldest first, and what was answered.
    pub fn logout_deliveries(&self) -> Vec<Delivery> {
        self.provider.deliveries.all()
    }

    /// Mints a logout token outside any sign-out.
    pub fn logout_token(&self, mint: &LogoutMint) -> Result<String, MintError> {
        logout_token::write(&self.provider, mint)
    }

    /// Posts a token to where a client is registered to take logout tokens.
    pub async fn send_logout_token(&self, client_id: &str, token: &str) -> Result<Delivery, MintError> {
        let tenant = self.provider.tenant();
        let client = tenant.client(client_id).ok_or_else(|| MintError::NoClient(client_id.to_owned()))?;
        let uri = client.registration.backchannel_logout_uri.clone();
        let uri = uri.ok_or_else(|| MintError::NoLogoutUri(client_id.to_owned()))?;
        let (outside, deliveries) = (&self.provider.outside, &self.provider.deliveries);
        Ok(backchannel::send(outside, deliveries, client_id.to_owned(), uri, token.to_owned()).await)
    }

    /// Where somebody else sends people to begin a sign-in at a client (OpenID Connect Core 4): its `initiate_login_uri`
    /// with this face's issuer and more parameters. Nothing, if it is not registered for that.
    pub fn initiate_login_url(&self, client_id: &str, face: Face, more: &[(&str, &str)]) -> Option<String> {
        self.provider.initiate_login_url(client_id, face, more)
    }

    /// Ends a person's sign-ins at the provider and everything that came of them, as an administrator would; apps are not
    /// told. False if there is no such person.
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

    /// Replaces the groups (object ids) that a person is a member of; false if there is no such person. With more than
    /// 200, tokens of the Entra face have a group overage.
    pub fn assign_groups(&self, email: &str, groups: &[&str]) -> bool {
        self.provider.people.join(email, groups.iter().map(|group| (*group).to_owned()).collect())
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
        self.sign_as(Algorithm::Rs256, header, payload)
    }

    /// Signs any header and payload text with the key for this algorithm, whatever the header says.
    pub fn sign_as(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        crate::jwt::sign(&self.provider.keys.of(algorithm), header, payload)
    }

    /// The id of the key for this algorithm.
    pub fn kid_of(&self, algorithm: Algorithm) -> String {
        self.provider.keys.of(algorithm).kid.clone()
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
