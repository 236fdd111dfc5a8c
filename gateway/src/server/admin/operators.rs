//! Who may see and end sessions: whoever shows the admin token, and is no page in somebody's browser.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use subtle::ConstantTimeEq;

use crate::hash::sha256;
use crate::secret::Secret;

use super::reply;

/// What tells operators from others, and whose sessions they mean.
#[derive(Clone, Debug)]
pub struct Operators {
    /// The SHA-256 of the admin token; nothing if there is none, and then nobody is an operator.
    token: Option<[u8; 32]>,
    /// The issuers whose people are meant when a request names none.
    pub(super) issuers: Vec<String>,
}

/// Why a request is no operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAnOperator {
    /// A page in a browser sent it.
    FromAPage,
    /// It came by a name that is not this machine's: a page may have bent that name to this address.
    ForeignHost,
    /// Nobody has configured a token.
    NoToken,
    /// It shows none.
    Missing,
    /// It shows another, or several.
    Wrong,
}

impl Operators {
    /// Operators show this token.
    pub fn new(token: Option<&Secret<String>>, issuers: Vec<String>) -> Self {
        Self { token: token.map(|token| sha256(token.expose().as_bytes())), issuers }
    }

    /// Whether a request is an operator's. `own` is the address at which it arrived.
    pub(super) fn admit(&self, headers: &HeaderMap, own: IpAddr) -> Result<(), NotAnOperator> {
        if headers.contains_key(ORIGIN) {
            return Err(NotAnOperator::FromAPage);
        }
        if !is_own_host(headers, own) {
            return Err(NotAnOperator::ForeignHost);
        }
        let expected = self.token.ok_or(NotAnOperator::NoToken)?;
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let first = shown.next().ok_or(NotAnOperator::Missing)?;
        let token =
            bearer(first.as_bytes()).filter(|_| shown.next().is_none()).ok_or(NotAnOperator::Wrong)?;
        // Hashes of one length are compared, in time that does not depend on where they differ.
        if sha256(token).ct_eq(&expected).into() { Ok(()) } else { Err(NotAnOperator::Wrong) }
    }
}

impl NotAnOperator {
    /// The stable word for the audit log.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::FromAPage => "origin",
            Self::ForeignHost => "host",
            Self::NoToken => "no_token_configured",
            Self::Missing => "token_missing",
            Self::Wrong => "token_wrong",
        }
    }

    pub(super) fn answer(self) -> Response<Full<Bytes>> {
        let forbidden = |detail| reply::problem(StatusCode::FORBIDDEN, self.as_str(), detail);
        match self {
            Self::FromAPage => forbidden("pages in browsers have no business here"),
            Self::ForeignHost => {
                forbidden("ask this listener by its own IP address or as localhost, not by another name")
            }
            Self::NoToken => forbidden(
                "there is no admin token: run `openssl rand -base64 32 > admin.token && chmod 600 admin.token`, \
                 and write admin_token = { file = \"admin.token\" } under [listen] of the configuration",
            ),
            Self::Missing => reply::unauthorized("show the admin token: Authorization: Bearer TOKEN"),
            Self::Wrong => reply::unauthorized("this is not the admin token of the running gateway"),
        }
    }
}

/// `Bearer TOKEN` (RFC 6750, section 2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
}

/// A name in `Host` could be anybody's, made to point here for a moment. An address cannot be made to.
fn is_own_host(headers: &HeaderMap, own: IpAddr) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.to_canonical() == own.to_canonical(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "vXkJ2m8Qb5Zt1Lw7Rn4Ys0Hd3Gc6Pf9A";
    const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    fn operators() -> Operators {
        Operators::new(Some(&Secret::new(TOKEN.to_owned())), Vec::new())
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).expect("a value"))
        };
        lines.iter().map(line).collect()
    }

    fn with_token(token: &str) -> HeaderMap {
        headers(&[("host", "127.0.0.1:3003"), ("authorization", token)])
    }

    #[test]
    fn only_the_token_opens_the_door() {
        for good in [format!("Bearer {TOKEN}"), format!("bearer {TOKEN}"), format!("BEARER  {TOKEN}")] {
            assert_eq!(operators().admit(&with_token(&good), OWN), Ok(()), "{good}");
        }
        let (cut, longer) = (&TOKEN[1..], format!("{TOKEN}x"));
        for bad in [
            "Bearer ",
            "Bearer",
            "",
            TOKEN,
            &format!("Basic {TOKEN}"),
            &format!("Bearer {cut}"),
            &format!("Bearer {longer}"),
            &format!("Bearer {}", TOKEN.to_lowercase()),
            &format!("Bearer {TOKEN} {TOKEN}"),
        ] {
            assert_eq!(operators().admit(&with_token(bad), OWN), Err(NotAnOperator::Wrong), "{bad}");
        }
        let mut twice = with_token(&format!("Bearer {TOKEN}"));
        twice
            .append(AUTHORIZATION, http::HeaderValue::from_str(&format!("Bearer {TOKEN}")).expect("a value"));
        assert_eq!(operators().admit(&twice, OWN), Err(NotAnOperator::Wrong));
        let none = headers(&[("host", "127.0.0.1:3003")]);
        assert_eq!(operators().admit(&none, OWN), Err(NotAnOperator::Missing));
    }

    #[test]
    fn without_a_configured_token_nobody_is_an_operator() {
        let nobody = Operators::new(None, Vec::new());
        for token in ["Bearer ", &format!("Bearer {TOKEN}")] {
            assert_eq!(nobody.admit(&with_token(token), OWN), Err(NotAnOperator::NoToken));
        }
    }

    #[test]
    fn pages_are_refused_also_with_the_token() {
        for origin in ["https://evil.example", "null", "http://127.0.0.1:3003"] {
            let mut headers = with_token(&format!("Bearer {TOKEN}"));
            headers.insert(ORIGIN, http::HeaderValue::from_str(origin).expect("a value"));
            assert_eq!(operators().admit(&headers, OWN), Err(NotAnOperator::FromAPage), "{origin}");
        }
    }

    #[test]
    fn the_host_is_this_machine_by_address_or_as_localhost() {
        let host = |host: &str| {
            let headers = headers(&[("host", host), ("authorization", &format!("Bearer {TOKEN}"))]);
            operators().admit(&headers, OWN)
        };
        for good in [
            "127.0.0.1:3003",
            "127.0.0.1",
            "localhost:3003",
            "LOCALHOST",
            "[::1]:3003",
            "[::1]",
            "10.0.0.7:80",
        ] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:3003",
            "localhost.evil.example",
            "10.0.0.8:3003",
            "",
            ":3003",
            "[",
            "[::2]:80",
            "127.0.0.1.evil.example",
        ] {
            assert_eq!(host(bad), Err(NotAnOperator::ForeignHost), "{bad}");
        }
        let token = format!("Bearer {TOKEN}");
        let twice = headers(&[("host", "localhost"), ("host", "localhost"), ("authorization", &token)]);
        let mut doubled = twice.clone();
        doubled.append(HOST, http::HeaderValue::from_static("localhost"));
        assert_eq!(operators().admit(&doubled, OWN), Err(NotAnOperator::ForeignHost));
        assert_eq!(
            operators().admit(&headers(&[("authorization", &token)]), OWN),
            Err(NotAnOperator::ForeignHost)
        );
    }

    #[test]
    fn the_token_is_not_printed() {
        assert!(!format!("{:?}", operators()).contains(TOKEN));
    }
}
