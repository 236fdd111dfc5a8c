//! An address that browsers type: `public_url` or one of `other_urls`, parsed once. Every absolute URL the gateway writes
//! starts from one of them and never from what a request says of itself (requirement SI-09).

use std::net::IpAddr;

use aws_lc_rs::digest;
use http::HeaderValue;
use url::{Host, Url};

/// A scheme, host and port; no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    authority: String,
    secure: bool,
    loopback: bool,
    tag: OriginTag,
}

/// An origin in eight bytes, for what must remember where it belongs: the beginning of its SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginTag(pub u64);

/// Why a text is not a usable origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not an absolute URL with a host.
    #[error("it is not an absolute URL such as \"https://app.example\"")]
    NotAbsolute,
    /// Another scheme than http or https.
    #[error("its scheme must be https, or http on loopback")]
    Scheme,
    /// A path, query, fragment or user name.
    #[error("it must end after the host and port, without path, query or user name")]
    NotBare,
}

impl Origin {
    /// Reads an origin: `https://app.example`, `http://localhost:3000`, with or without the last slash.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::NotAbsolute)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::Scheme);
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::NotBare);
        }
        let host = url.host_str().ok_or(OriginError::NotAbsolute)?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let text = url.origin().ascii_serialization();
        Ok(Self {
            tag: OriginTag::of(&text),
            text,
            authority,
            secure: url.scheme() == "https",
            loopback: is_loopback(&url),
        })
    }

    /// As browsers write it in the `Origin` header: no slash at the end, no default port.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port as the `Host` header holds them; no default port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether `host`, a `Host` header, names this origin: letter case, a default port and one dot at the end do not
    /// matter (requirement PA-06).
    pub fn is_host(&self, host: &str) -> bool {
        if self.authority.eq_ignore_ascii_case(host) {
            return true;
        }
        // A default port may be left out or written, on either side, but only once.
        let default_port = if self.secure { "443" } else { "80" };
        let parts = |host| {
            let split = str::rsplit_once(host, ':').filter(|(_, port)| !port.contains(']'));
            split.unwrap_or((host, default_port))
        };
        let ((name, port), (own_name, own_port)) = (parts(host), parts(&self.authority));
        let name = name.strip_suffix('.').unwrap_or(name);
        name.eq_ignore_ascii_case(own_name) && port == own_port
    }

    /// What remembers this origin in few bytes.
    pub fn tag(&self) -> OriginTag {
        self.tag
    }

    /// `https`?
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The absolute URL of a path on this origin.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// `http` or `https`, for `X-Forwarded-Proto`.
    pub fn scheme_value(&self) -> HeaderValue {
        HeaderValue::from_static(if self.secure { "https" } else { "http" })
    }

    /// The authority as a header value, for `X-Forwarded-Host`.
    ///
    /// # Panics
    /// Never: a parsed host is visible ASCII.
    pub fn authority_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.authority).expect("a URL's host is visible ASCII")
    }
}

impl OriginTag {
    fn of(origin: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, origin.as_bytes());
        let first = hash.as_ref().first_chunk().expect("a SHA-256 has 32 bytes");
        Self(u64::from_be_bytes(*first))
    }
}

/// Whether a host name means this machine, whatever a name server says: `localhost` and every name under it
/// (RFC 6761, section 6.3).
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Where names under `localhost` are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Localhost {
    /// On this machine, whatever a name server says.
    #[default]
    ThisMachine,
    /// `development_in_containers`: in the containers of one machine, found by their engine's name server.
    Containers,
}

impl Localhost {
    /// Whether this name means the loopback interface. `localhost` alone does so in every container too.
    pub fn is_loopback(self, name: &str) -> bool {
        let alone = |name: &str| name.strip_suffix('.').unwrap_or(name).eq_ignore_ascii_case("localhost");
        is_loopback_name(name) && (self == Self::ThisMachine || alone(name))
    }

    /// Whether a name may be at this address. Plain http is allowed to names under `localhost`: a name server must not
    /// be able to lead it out of the networks that a machine or a company keeps for itself.
    pub fn allows(self, name: &str, address: IpAddr) -> bool {
        let is_private = match address.to_canonical() {
            IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
            IpAddr::V6(address) => {
                address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
            }
        };
        !is_loopback_name(name) || is_private
    }
}

/// A loopback name, 127.0.0.0/8 or `::1`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_loopback_name(name),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).expect("valid")
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        assert_eq!(origin("https://App.Example:443/").as_str(), "https://app.example");
        assert_eq!(origin("http://localhost:3000").as_str(), "http://localhost:3000");
        assert_eq!(origin("http://localhost:3000").authority(), "localhost:3000");
    }

    #[test]
    fn whatever_is_more_than_an_origin_is_refused() {
        assert_eq!(Origin::parse("app.example"), Err(OriginError::NotAbsolute));
        assert_eq!(Origin::parse("ftp://app.example"), Err(OriginError::Scheme));
        for text in [
            "https://app.example/app",
            "https://app.example/?x",
            "https://u@app.example",
            "https://app.example/#x",
        ] {
            assert_eq!(Origin::parse(text), Err(OriginError::NotBare), "{text}");
        }
    }

    #[test]
    fn a_host_matches_whatever_its_case_default_port_and_last_dot() {
        let app = origin("https://app.example");
        for same in ["app.example", "APP.Example", "app.example:443", "app.example.", "app.example.:443"] {
            assert!(app.is_host(same), "{same}");
        }
        for other in [
            "evil.example",
            "app.example:80",
            "app.example:8443",
            "app.example..",
            "xapp.example",
            "app.example.evil",
            "app.example:443:443",
            "app.example:",
            "",
        ] {
            assert!(!app.is_host(other), "{other}");
        }
        assert!(origin("http://localhost:3000").is_host("localhost:3000"));
        assert!(!origin("http://localhost:3000").is_host("localhost"));
        assert!(origin("http://[::1]:3000").is_host("[::1]:3000"));
    }

    #[test]
    fn loopback_is_recognised_in_all_its_names() {
        for text in ["http://localhost:1", "http://a.localhost", "http://127.0.0.2", "http://[::1]"] {
            assert!(origin(text).is_loopback(), "{text}");
        }
        assert!(!origin("http://localhost.evil.example").is_loopback());
    }

    #[test]
    fn names_under_localhost_are_on_this_machine_or_in_its_containers_and_nowhere_else() {
        for name in ["localhost", "LOCALHOST.", "idp.localhost"] {
            assert!(Localhost::ThisMachine.is_loopback(name), "{name}");
        }
        assert!(
            Localhost::Containers.is_loopback("localhost") && Localhost::Containers.is_loopback("Localhost.")
        );
        assert!(!Localhost::Containers.is_loopback("idp.localhost"));
        assert!(!Localhost::ThisMachine.is_loopback("login.example"));
        let allows =
            |name, address: &str| Localhost::Containers.allows(name, address.parse().expect("an address"));
        for address in ["172.18.0.3", "10.89.0.2", "192.168.1.5", "127.0.0.1", "fd00::3", "::1", "fe80::1"] {
            assert!(allows("idp.localhost", address), "{address}");
        }
        for address in ["198.51.100.7", "172.32.0.1", "2001:db8::1", "0.0.0.0", "::ffff:198.51.100.7"] {
            assert!(!allows("idp.localhost", address), "{address}");
            assert!(allows("login.example", address), "other names may be anywhere: {address}");
        }
    }
}
