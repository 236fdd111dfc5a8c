//! Which other origins' scripts may read the answers of a route (requirements CS-04, CS-05). The policy is the
//! configuration's alone: preflights are answered from it and never forwarded, what an upstream says of it is taken off
//! before, and no origin is ever repeated that is not on the list. Knows nothing of sessions.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::intake::{Inbound, single};

/// What scripts of other origins may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whose scripts.
    pub origins: Origins,
    /// Whether they may use the session of the person in front of the browser. Never together with [`Origins::Any`].
    pub credentials: bool,
    /// With which methods.
    pub methods: HeaderValue,
    /// With which headers beyond those that every page may send; nothing for none.
    pub headers: Option<HeaderValue>,
    /// Which headers of an answer they may read beyond those that every page may; nothing for none.
    pub expose: Option<HeaderValue>,
    /// How many seconds a browser may remember this.
    pub max_age: HeaderValue,
}

/// Whose scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's.
    Any,
    /// Those of these origins, as browsers write them.
    Listed(Vec<HeaderValue>),
}

/// What one request is granted by its route's policy, for its answer.
#[derive(Debug)]
pub struct Granted<'route> {
    policy: &'route Policy,
    /// The origin that asks, if it is one of the list.
    origin: Option<HeaderValue>,
}

/// Whether a browser asks on behalf of a script what it may do, and with which method.
pub fn asked_for(inbound: &Inbound) -> Option<Method> {
    if inbound.method() != Method::OPTIONS || !inbound.headers().contains_key(ORIGIN) {
        return None;
    }
    let method = single(inbound.headers(), &ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(method.as_bytes()).ok()
}

impl Policy {
    /// Whether scripts of the origin that a request names may read its answer.
    pub fn takes(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = single(headers, &ORIGIN) else {
            return false;
        };
        match &self.origins {
            Origins::Any => true,
            Origins::Listed(listed) => listed.contains(origin),
        }
    }

    /// Whether scripts of that origin may act for the person whose session the browser adds.
    pub fn takes_with_session(&self, headers: &HeaderMap) -> bool {
        self.credentials && matches!(self.origins, Origins::Listed(_)) && self.takes(headers)
    }

    /// What this request is granted.
    pub fn grant(&self, headers: &HeaderMap) -> Granted<'_> {
        let origin = self.takes(headers).then(|| single(headers, &ORIGIN).cloned()).flatten();
        Granted { policy: self, origin }
    }

    /// The headers of the answer to a preflight of an origin that may ask.
    pub fn preflight(&self, asked: &HeaderMap) -> Option<HeaderMap> {
        let granted = self.grant(asked);
        granted.origin.as_ref()?;
        let mut headers = HeaderMap::new();
        granted.put_on(&mut headers);
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.extend(self.headers.clone().map(|names| (ACCESS_CONTROL_ALLOW_HEADERS, names)));
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        Some(headers)
    }
}

impl Granted<'_> {
    /// Tells the browser. Also on refusals, so that a script can read why.
    pub fn put_on(&self, headers: &mut HeaderMap) {
        let policy = self.policy;
        // What caches keep of an answer depends on who asked, also where nobody did.
        if policy.origins != Origins::Any {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = &self.origin else {
            return;
        };
        let told =
            if policy.origins == Origins::Any { HeaderValue::from_static("*") } else { origin.clone() };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, told);
        if policy.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.extend(policy.expose.clone().map(|names| (ACCESS_CONTROL_EXPOSE_HEADERS, names)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&'static str], credentials: bool) -> Policy {
        let listed = origins.iter().map(|origin| HeaderValue::from_static(origin)).collect();
        let value = HeaderValue::from_static;
        Policy {
            origins: if origins == ["*"] { Origins::Any } else { Origins::Listed(listed) },
            credentials,
            methods: value("GET, POST"),
            headers: Some(value("x-csrf")),
            expose: Some(value("etag")),
            max_age: value("600"),
        }
    }

    fn from(origins: &[&'static str]) -> HeaderMap {
        let lines = origins.iter().map(|origin| (ORIGIN, HeaderValue::from_static(origin)));
        let mut headers = HeaderMap::new();
        lines.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    /// Name and value of each header.
    fn told(headers: &HeaderMap) -> Vec<(&str, &str)> {
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn a_listed_origin_is_told_and_nobody_else() {
        let policy = policy(&["https://a.example", "https://b.example"], true);
        let mut headers = HeaderMap::new();
        policy.grant(&from(&["https://b.example"])).put_on(&mut headers);
        let wanted = [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", "https://b.example"),
            ("access-control-expose-headers", "etag"),
            ("vary", "origin"),
        ];
        assert_eq!(told(&headers), wanted);
        for origins in [
            &[][..],
            &["null"],
            &["*"],
            &["https://evil.example"],
            &["http://a.example"],
            &["https://a.example:8443"],
            &["https://a.example.evil"],
            &["https://A.example"],
            &["https://a.example/"],
            &["https://a.example, https://evil.example"],
            &["https://a.example", "https://a.example"],
        ] {
            let mut headers = HeaderMap::new();
            policy.grant(&from(origins)).put_on(&mut headers);
            assert_eq!(told(&headers), [("vary", "origin")], "{origins:?}");
            assert!(policy.preflight(&from(origins)).is_none() && !policy.takes_with_session(&from(origins)));
        }
    }

    #[test]
    fn a_preflight_is_told_what_the_configuration_says() {
        let headers = policy(&["https://a.example"], false).preflight(&from(&["https://a.example"]));
        let wanted = [
            ("access-control-allow-headers", "x-csrf"),
            ("access-control-allow-methods", "GET, POST"),
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-max-age", "600"),
            ("vary", "origin"),
        ];
        assert_eq!(told(&headers.expect("it may ask")), wanted);
    }

    #[test]
    fn everybody_may_read_without_a_session_only() {
        // The configuration refuses this pair; should it ever come about, no session is lent.
        for credentials in [false, true] {
            let policy = policy(&["*"], credentials);
            assert!(policy.takes(&from(&["https://evil.example"])));
            assert!(!policy.takes_with_session(&from(&["https://evil.example"])));
        }
        let mut headers = HeaderMap::new();
        policy(&["*"], false).grant(&from(&["https://evil.example"])).put_on(&mut headers);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*", "not its name");
        assert!(!headers.contains_key(VARY));
    }
}
