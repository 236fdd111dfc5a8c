//! Every identity provider that people can sign in with: which one a request means, and which one a session came from.
//! There is at least one; which answers where is by name, and never by what an answer says of itself (requirement CB-05).

use std::sync::Arc;

use crate::oidc::{NotReady, Provider};
use crate::session::Identity;

/// All of them, in the order of the configuration. Never empty.
#[derive(Debug)]
pub struct Providers {
    first: Arc<Provider>,
    others: Vec<Arc<Provider>>,
}

impl Providers {
    /// These.
    pub fn new(first: Arc<Provider>, others: Vec<Arc<Provider>>) -> Self {
        Self { first, others }
    }

    /// Each provider.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Provider>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The provider, where there is no choice.
    pub fn only(&self) -> Option<&Arc<Provider>> {
        self.others.is_empty().then_some(&self.first)
    }

    /// The provider at that place of the configuration.
    pub fn at(&self, position: usize) -> Option<&Arc<Provider>> {
        self.all().nth(position)
    }

    /// `[providers.NAME]`.
    pub fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.all().find(|provider| *provider.settings().name == *name)
    }

    /// The provider that says it is `issuer`, by an exact comparison.
    pub fn of_issuer(&self, issuer: &str) -> Option<&Arc<Provider>> {
        self.all().find(|provider| provider.has_issuer(issuer))
    }

    /// The provider that somebody signed in with; nothing if it is no longer configured.
    pub fn of(&self, identity: &Identity) -> Option<&Arc<Provider>> {
        self.all().find(|provider| provider.settings().issuer == identity.provider)
    }

    /// The provider that gives a token: the one it names, or the only one.
    pub fn for_token(&self, name: Option<&str>) -> Option<&Arc<Provider>> {
        match name {
            Some(name) => self.named(name),
            None => self.only(),
        }
    }

    /// Begins to fetch every provider's metadata and keys.
    pub fn start(&self) {
        self.all().for_each(Provider::start);
    }

    /// Which providers cannot sign people in yet, and why.
    pub fn not_ready(&self) -> Vec<(&str, NotReady)> {
        let trouble = |provider: &'_ Arc<Provider>| provider.readiness().err();
        self.all().filter_map(|provider| Some((&*provider.settings().name, trouble(provider)?))).collect()
    }
}
