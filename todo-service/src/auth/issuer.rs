//! What an operator says about one token issuer, and whether it makes sense. Knows nothing of the file it came from.

use url::{Host, Url};
use uuid::Uuid;

use super::algorithm::Algorithm;
use crate::owner::guid;

/// One issuer whose access tokens are believed, and under which conditions.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Compared byte for byte with the token's `iss`.
    pub issuer: String,
    /// Where the discovery document lies, when that is not below the issuer itself.
    pub metadata_url: Option<String>,
    /// Names of this API; a token's `aud` must hold one of them.
    pub audiences: Vec<String>,
    /// What the issuer may sign with. The issuer's own metadata cannot widen this.
    pub algorithms: Vec<Algorithm>,
    /// Tenant ids that may call; needed where `owner_claim` is `Oid`, unless the issuer's URL names its tenant.
    pub tenants: Vec<String>,
    /// What the claim `ver` must be, if anything.
    pub version: Option<String>,
    /// Which claim names the owner of an item.
    pub owner_claim: OwnerClaim,
    /// Which claim lists the delegated permissions.
    pub scope_claim: ScopeClaim,
    /// Clients (`azp`, `appid` or `client_id`) that may call. Empty: any client that has a valid token.
    pub allowed_clients: Vec<String>,
    /// Accept only tokens of type `at+jwt` (RFC 9068). Entra says `JWT`, so the default is `false`.
    pub strict_typ: bool,
}

/// The claim that names the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnerClaim {
    /// Entra: the object id, together with the tenant id.
    #[default]
    Oid,
    /// Everybody else: `sub`, together with the issuer.
    Sub,
}

/// The claim that lists delegated permissions, separated by single spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScopeClaim {
    /// Entra.
    #[default]
    Scp,
    /// RFC 9068.
    Scope,
}

/// Something that an operator must repair: which key, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuerProblem {
    pub(crate) key: &'static str,
    pub(crate) message: String,
}

impl Issuer {
    /// An Entra-like issuer with every default: RS256, owner from `oid`, permissions from `scp`.
    pub fn new(issuer: impl Into<String>, audiences: Vec<String>) -> Self {
        Self {
            issuer: issuer.into(),
            metadata_url: None,
            audiences,
            algorithms: vec![Algorithm::RS256],
            tenants: Vec::new(),
            version: None,
            owner_claim: OwnerClaim::default(),
            scope_claim: ScopeClaim::default(),
            allowed_clients: Vec::new(),
            strict_typ: false,
        }
    }

    /// Where the discovery document is fetched from.
    pub fn discovery_url(&self) -> String {
        let default = || format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        self.metadata_url.clone().unwrap_or_else(default)
    }

    /// The tenant that the issuer's URL itself names, as Entra's do.
    pub(crate) fn own_tenant(&self) -> Option<Uuid> {
        self.issuer.split(['/', '.']).find_map(guid)
    }

    /// Whether a token of this tenant may be believed. A URL that names a tenant must name this one (RS-10).
    pub(crate) fn allows_tenant(&self, tenant: Uuid) -> bool {
        let named_by_url = self.own_tenant().is_none_or(|own| own == tenant);
        let listed =
            self.tenants.is_empty() || self.tenants.iter().any(|listed| guid(listed) == Some(tenant));
        named_by_url && listed
    }

    /// Whether a token without any `tid` is out of the question.
    pub(crate) fn needs_tenant(&self) -> bool {
        self.owner_claim == OwnerClaim::Oid || !self.tenants.is_empty() || self.own_tenant().is_some()
    }

    pub(crate) fn problems(&self) -> Vec<IssuerProblem> {
        let mut problems = Vec::new();
        let mut say = |key, message: String| problems.push(IssuerProblem { key, message });

        if let Err(why) = web_address(&self.issuer) {
            say("issuer", format!("{:?} {why}", self.issuer));
        }
        if let Some(Err(why)) = self.metadata_url.as_deref().map(web_address) {
            say("metadata_url", format!("{:?} {why}", self.metadata_url.as_deref().unwrap_or_default()));
        }
        if self.audiences.is_empty() {
            say(
                "audiences",
                "is empty: name the API as tokens name it, for example its client id".to_owned(),
            );
        }
        if self.audiences.iter().any(String::is_empty) {
            say("audiences", "holds an empty text; remove it".to_owned());
        }
        if self.algorithms.is_empty() {
            say("algorithms", "is empty: name at least one, usually \"RS256\"".to_owned());
        }
        for tenant in self.tenants.iter().filter(|tenant| guid(tenant).is_none()) {
            say(
                "tenants",
                format!("{tenant:?} is not a tenant id (a GUID like 7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0)"),
            );
        }
        if self.owner_claim == OwnerClaim::Oid && self.tenants.is_empty() && self.own_tenant().is_none() {
            let fix = "is needed with owner_claim = \"oid\": list the tenant ids that may call, or set owner_claim = \"sub\"";
            say("tenants", fix.to_owned());
        }
        if self.allowed_clients.iter().any(String::is_empty) {
            say("allowed_clients", "holds an empty text; remove it".to_owned());
        }
        problems
    }
}

/// https anywhere, http only on this machine.
pub(crate) fn is_https_or_loopback(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    }
}

fn web_address(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password");
    }
    if !is_https_or_loopback(&url) {
        return Err("must be https; http is accepted only for localhost, *.localhost, 127.0.0.1 and [::1]");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";
    const OTHER: &str = "00000000-0000-4000-8000-000000000002";

    fn issuer(url: &str) -> Issuer {
        Issuer { tenants: vec![TENANT.to_owned()], ..Issuer::new(url, vec!["api".to_owned()]) }
    }

    #[test]
    fn http_issuers_are_accepted_on_loopback_only() {
        for good in [
            "https://id.example",
            "http://localhost:3002",
            "http://t.localhost:1/x",
            "http://127.0.0.1",
            "http://[::1]:8",
        ] {
            assert_eq!(issuer(good).problems(), [], "{good}");
        }
        for bad in [
            "http://id.example",
            "http://localhost.evil.example",
            "http://notlocalhost",
            "http://127.0.0.1.nip.io",
            "ftp://localhost",
            "id.example",
            "https://id.example?x=1",
            "https://id.example#x",
            "https://user:pw@id.example",
        ] {
            assert_eq!(issuer(bad).problems().len(), 1, "{bad}");
        }
    }

    #[test]
    fn every_problem_of_an_issuer_is_reported_at_once() {
        let mut broken = issuer("http://id.example");
        broken.audiences.clear();
        broken.algorithms.clear();
        broken.tenants = vec!["contoso".to_owned()];
        broken.allowed_clients = vec![String::new()];
        let keys: Vec<_> = broken.problems().iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["issuer", "audiences", "algorithms", "tenants", "allowed_clients"]);
    }

    #[test]
    fn an_issuer_that_names_its_tenant_vouches_for_that_tenant_only() {
        let mut entra = issuer(&format!("http://{TENANT}.localhost:3002/{TENANT}/v2.0"));
        entra.tenants = vec![TENANT.to_owned(), OTHER.to_owned()];
        assert!(entra.allows_tenant(guid(TENANT).expect("guid")));
        assert!(!entra.allows_tenant(guid(OTHER).expect("guid")));
        entra.tenants.clear();
        assert!(entra.allows_tenant(guid(TENANT).expect("guid")));
        assert_eq!(entra.problems(), []);
    }

    #[test]
    fn an_issuer_without_a_tenant_in_its_url_needs_a_list_for_object_ids() {
        let mut plain = issuer("http://localhost:3002");
        assert!(plain.allows_tenant(guid(TENANT).expect("guid")));
        assert!(!plain.allows_tenant(guid(OTHER).expect("guid")));
        plain.tenants.clear();
        assert_eq!(plain.problems()[0].key, "tenants");
        plain.owner_claim = OwnerClaim::Sub;
        assert_eq!(plain.problems(), []);
    }
}
