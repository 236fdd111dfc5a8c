//! The two faces of the tenant and every address each has. Knows nothing of what the endpoints do.
//!
//! The plain face is what a textbook OpenID provider looks like. The Entra face has the peculiarities of an Entra
//! External ID tenant: an issuer whose host is not the metadata's host, a tenant GUID in every path, no revocation
//! endpoint, no word about PKCE, no `iss` on the callback. Tokens carry the issuer of the face that made them.

/// Which face of the tenant is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Face {
    /// `http://localhost:PORT`, plain OpenID Connect.
    Plain,
    /// The Entra External ID shape.
    Entra,
}

/// What a path is for; the unit of request counting and of HTTP faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// Discovery documents.
    Metadata,
    /// Authorization requests.
    Authorize,
    /// Token requests.
    Token,
    /// The key set.
    Keys,
    /// Userinfo.
    Userinfo,
    /// RP-initiated sign-out.
    EndSession,
    /// Token revocation.
    Revoke,
    /// Pushed authorization requests.
    Par,
    /// Nobody has a reason to come here: redirects and key addresses in faults point at it.
    Canary,
}

impl Endpoint {
    /// All endpoints.
    pub const ALL: [Self; 9] = [
        Self::Metadata,
        Self::Authorize,
        Self::Token,
        Self::Keys,
        Self::Userinfo,
        Self::EndSession,
        Self::Revoke,
        Self::Par,
        Self::Canary,
    ];

    /// The name used in `/dev/faults`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Keys => "keys",
            Self::Userinfo => "userinfo",
            Self::EndSession => "end_session",
            Self::Revoke => "revoke",
            Self::Par => "par",
            Self::Canary => "canary",
        }
    }
}

/// The tenant's addresses on this run's port.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    name: String,
    port: u16,
    tenant: String,
}

impl Site {
    /// `name`: `localhost` or a name under it.
    pub(crate) fn new(name: &str, port: u16, tenant: &str) -> Self {
        Self { name: name.to_owned(), port, tenant: tenant.to_owned() }
    }

    /// `http://localhost:PORT`, or the name that it was given.
    pub(crate) fn base(&self) -> String {
        format!("http://{}:{}", self.name, self.port)
    }

    pub(crate) fn issuer(&self, face: Face) -> String {
        match face {
            Face::Plain => self.base(),
            Face::Entra => {
                format!("http://{tenant}.localhost:{}/{tenant}/v2.0", self.port, tenant = self.tenant)
            }
        }
    }

    pub(crate) fn url(&self, face: Face, endpoint: Endpoint) -> String {
        format!("{}{}", self.base(), self.path(face, endpoint))
    }

    fn path(&self, face: Face, endpoint: Endpoint) -> String {
        match (face, endpoint) {
            (_, Endpoint::Canary) => "/dev/canary".to_owned(),
            (_, Endpoint::Revoke) => "/revoke".to_owned(),
            (_, Endpoint::Par) => "/par".to_owned(),
            (Face::Plain, Endpoint::Metadata) => "/.well-known/openid-configuration".to_owned(),
            (Face::Plain, endpoint) => format!("/{}", endpoint.name()),
            (Face::Entra, endpoint) => {
                let rest = match endpoint {
                    Endpoint::Metadata => "v2.0/.well-known/openid-configuration",
                    Endpoint::Authorize => "oauth2/v2.0/authorize",
                    Endpoint::Token => "oauth2/v2.0/token",
                    Endpoint::EndSession => "oauth2/v2.0/logout",
                    Endpoint::Keys => "discovery/v2.0/keys",
                    Endpoint::Userinfo => "openid/userinfo",
                    Endpoint::Revoke | Endpoint::Par | Endpoint::Canary => "",
                };
                format!("/{}/{rest}", self.tenant)
            }
        }
    }

    /// What a request path means, if it is a protocol endpoint.
    pub(crate) fn endpoint(&self, path: &str) -> Option<(Face, Endpoint)> {
        let faces = [Face::Plain, Face::Entra];
        faces
            .into_iter()
            .flat_map(|face| Endpoint::ALL.map(|endpoint| (face, endpoint)))
            .find(|(face, endpoint)| self.path(*face, *endpoint) == path)
    }

    /// Whether a Host header names this provider. Anything else is a page elsewhere whose name resolves to loopback.
    pub(crate) fn is_host(&self, host: &str) -> bool {
        let name = host
            .rsplit_once(':')
            .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
        name.eq_ignore_ascii_case("localhost")
            || name.eq_ignore_ascii_case(&self.name)
            || name.to_ascii_lowercase().strip_suffix(".localhost") == Some(self.tenant.as_str())
            || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// The audience of access tokens that only userinfo takes.
    pub(crate) fn userinfo_audience(&self) -> String {
        self.url(Face::Plain, Endpoint::Userinfo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0";

    #[test]
    fn the_entra_issuer_has_another_host_than_its_metadata() {
        let site = Site::new("localhost", 3002, TENANT);
        assert_eq!(site.issuer(Face::Entra), format!("http://{TENANT}.localhost:3002/{TENANT}/v2.0"));
        assert_eq!(
            site.url(Face::Entra, Endpoint::Metadata),
            format!("http://localhost:3002/{TENANT}/v2.0/.well-known/openid-configuration")
        );
        assert_eq!(site.issuer(Face::Plain), "http://localhost:3002");
    }

    #[test]
    fn every_address_leads_back_to_its_endpoint() {
        let site = Site::new("localhost", 1, TENANT);
        for endpoint in Endpoint::ALL {
            assert_eq!(site.endpoint(&site.path(Face::Plain, endpoint)).map(|(_, e)| e), Some(endpoint));
        }
        assert_eq!(
            site.endpoint(&format!("/{TENANT}/oauth2/v2.0/logout")),
            Some((Face::Entra, Endpoint::EndSession))
        );
        assert_eq!(site.endpoint("/tokens"), None);
    }

    #[test]
    fn only_loopback_names_are_hosts() {
        let site = Site::new("localhost", 3002, TENANT);
        for host in [
            "localhost:3002",
            "LOCALHOST",
            "127.0.0.1:3002",
            "[::1]:3002",
            &format!("{TENANT}.localhost:3002"),
        ] {
            assert!(site.is_host(host), "{host}");
        }
        let named = Site::new("idp.localhost", 3002, TENANT);
        assert!(named.is_host("idp.localhost:3002") && named.is_host("127.0.0.1:3002"));
        assert_eq!(named.issuer(Face::Plain), "http://idp.localhost:3002");
        assert!(!site.is_host("idp.localhost:3002"), "a name that it was not given");
        for host in ["evil.example", "localhost.evil.example:3002", "10.0.0.1:3002", ""] {
            assert!(!site.is_host(host), "{host}");
        }
    }
}
