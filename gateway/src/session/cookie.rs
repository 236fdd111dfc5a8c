//! The gateway's cookies: reading them strictly, writing them safely, and keeping them from upstreams
//! (requirements SE-01, SE-05 to SE-08, SE-16). Knows nothing of what a value opens.

mod style;

use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::origin::Origin;
use crate::secret::Secret;
use crate::stop::Reason;

pub use style::{Prefix, SameSite, Style};

/// The names that this gateway's cookies have on its origin, and the attributes they carry.
#[derive(Clone, Debug)]
pub struct Cookies {
    style: Style,
    session: String,
    login_prefix: String,
    attributes: String,
    login_attributes: String,
}

const SESSION: &str = "gateway-session";
const LOGIN: &str = "gateway-login-";

impl Cookies {
    /// A prefix and `Secure` on https; plain names on http, which is loopback only.
    pub fn on(origin: &Origin, style: Style, form_post: bool) -> Self {
        let is_secure = origin.is_secure();
        let prefix = if is_secure { style.prefix.as_str() } else { "" };
        let same_site = match style.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
        };
        // The provider's answer comes from its own site, where `Strict` cookies stay behind; if it is a form that is
        // posted, `Lax` ones do too. On http://localhost another port is the same site, and not every browser takes
        // `Secure` there, which `None` needs.
        let login_same_site = if form_post && is_secure { "None" } else { "Lax" };
        Self {
            style,
            session: format!("{prefix}{SESSION}"),
            login_prefix: format!("{prefix}{LOGIN}"),
            attributes: attributes(same_site, is_secure),
            login_attributes: attributes(login_same_site, is_secure),
        }
    }

    /// Whether browsers leave the session behind when they come from another site.
    pub fn are_strict(&self) -> bool {
        self.style.same_site == SameSite::Strict
    }

    /// The session cookie's value; nothing without one, a refusal with two: which is meant cannot be known.
    pub fn session<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a [u8]>, Reason> {
        if let Some(value) = self.session_alone(headers) {
            return Ok(Some(value));
        }
        let mut values =
            pairs(headers).filter(|(name, _)| *name == self.session.as_bytes()).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Reason::AmbiguousCookie),
        }
    }

    /// The name of the login cookie with that tag.
    pub fn login_name(&self, tag: &str) -> String {
        format!("{}{tag}", self.login_prefix)
    }

    /// Every login cookie of the request, name and value.
    pub fn logins<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        pairs(headers)
            .filter(|(name, _)| name.starts_with(self.login_prefix.as_bytes()))
            .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
    }

    /// Hands the browser its session.
    pub fn set_session(&self, id: &Secret<String>, lifetime: Duration) -> HeaderValue {
        sensitive(format!(
            "{}={}; Max-Age={}{}",
            self.session,
            id.expose(),
            lifetime.as_secs(),
            self.attributes
        ))
    }

    /// Takes the session away again.
    pub fn clear_session(&self) -> HeaderValue {
        sensitive(format!("{}=; Max-Age=0{}", self.session, self.attributes))
    }

    /// Hands the browser a sealed value of the sign-in flow.
    pub fn set_login(&self, name: &str, value: &str, lifetime: Duration) -> HeaderValue {
        sensitive(format!("{name}={value}; Max-Age={}{}", lifetime.as_secs(), self.login_attributes))
    }

    /// Takes a login cookie away again.
    pub fn clear_login(&self, name: &str) -> HeaderValue {
        sensitive(format!("{name}=; Max-Age=0{}", self.login_attributes))
    }

    /// The session's value where it is the request's only cookie, as it is in front of most APIs: found at a glance.
    fn session_alone<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let mut lines = headers.get_all(COOKIE).iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        let value = line.as_bytes().strip_prefix(self.session.as_bytes())?.strip_prefix(b"=")?;
        (!value.contains(&b';')).then_some(value)
    }

    /// Removes the gateway's cookies from a request on its way upstream; the app's own stay, in one header.
    pub fn strip_from_request(&self, headers: &mut HeaderMap) {
        if self.session_alone(headers).is_some() {
            headers.remove(COOKIE);
            return;
        }
        let lines = headers.get_all(COOKIE).iter().count();
        // Upstreams trim names where the gateway does not.
        let is_ours = |name: &[u8]| is_ours(name.trim_ascii());
        if lines == 0 || (lines == 1 && !pairs(headers).any(|(name, _)| is_ours(name))) {
            return;
        }
        let mut kept = Vec::new();
        for (name, value) in pairs(headers).filter(|(name, _)| !is_ours(name)) {
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(name);
            kept.push(b'=');
            kept.extend_from_slice(value);
        }
        headers.remove(COOKIE);
        if !kept.is_empty()
            && let Ok(value) = HeaderValue::from_bytes(&kept)
        {
            headers.insert(COOKIE, value);
        }
    }

    /// Drops cookies by which an upstream would replace the gateway's.
    pub fn strip_from_response(&self, headers: &mut HeaderMap) {
        // Old browsers send a cookie without a name by its value alone: `=name=value` comes back as `name=value`.
        let sets_ours = |line: &HeaderValue| {
            let line = line.as_bytes().trim_ascii_start();
            is_ours(name_of(line.strip_prefix(b"=").unwrap_or(line)))
        };
        if !headers.get_all(SET_COOKIE).iter().any(sets_ours) {
            return;
        }
        let kept: Vec<_> =
            headers.get_all(SET_COOKIE).iter().filter(|line| !sets_ours(line)).cloned().collect();
        headers.remove(SET_COOKIE);
        for line in kept {
            headers.append(SET_COOKIE, line);
        }
    }
}

fn attributes(same_site: &str, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("; Path=/; HttpOnly; SameSite={same_site}{secure}")
}

/// Whether a cookie is a gateway's, whatever its prefix: one from before the prefix was changed still opens its session
/// for whoever knows its value.
fn is_ours(name: &[u8]) -> bool {
    let prefix = Prefix::ALL.iter().find_map(|prefix| name.strip_prefix(prefix.as_str().as_bytes()));
    let name = prefix.unwrap_or(name);
    name == SESSION.as_bytes() || name.starts_with(LOGIN.as_bytes())
}

/// Name and value of each cookie in each `Cookie` line (RFC 6265, section 4.2.1). Only the blank after a semicolon is
/// dropped: no quotes, no `$Version`, no other white space, so that nothing looks like ours that is not.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(
        |pair| {
            let pair = pair.strip_prefix(b" ").unwrap_or(pair);
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            Some((&pair[..equals], &pair[equals + 1..]))
        },
    )
}

/// The cookie's name in a `Set-Cookie` line, as browsers read it: up to `=` or `;`, white space trimmed.
fn name_of(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(line.len());
    line[..end].trim_ascii()
}

fn sensitive(text: String) -> HeaderValue {
    let mut value = HeaderValue::try_from(text).expect("names, base64url and attributes are visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(style: Style, form_post: bool) -> Cookies {
        Cookies::on(&Origin::parse("https://app.example").expect("valid"), style, form_post)
    }

    fn cookies() -> Cookies {
        with(Style::default(), false)
    }

    fn is_strict(line: &HeaderValue) -> bool {
        line.to_str().is_ok_and(|line| line.contains("; SameSite=Strict; Secure"))
    }

    fn request(lines: &[&str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (COOKIE, HeaderValue::from_bytes(line.as_bytes()).expect("a value")))
            .collect()
    }

    #[test]
    fn cookies_on_https_have_every_protection_also_when_cleared() {
        let id = Secret::new("x".repeat(64));
        for line in [
            cookies().set_session(&id, Duration::from_secs(60)),
            cookies().clear_session(),
            cookies().clear_login("__Host-gateway-login-1"),
        ] {
            let line = line.to_str().expect("ASCII");
            assert!(line.starts_with("__Host-gateway-"));
            for attribute in ["; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"] {
                assert!(line.contains(attribute), "{line}");
            }
            assert!(!line.contains("Domain"));
        }
    }

    #[test]
    fn loopback_cookies_have_names_and_attributes_that_every_browser_takes() {
        let cookies =
            Cookies::on(&Origin::parse("http://localhost:3000").expect("valid"), Style::default(), true);
        let line = cookies.set_login("gateway-login-1", "v", Duration::from_secs(1));
        assert_eq!(line, "gateway-login-1=v; Max-Age=1; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_form_posting_provider_gets_login_cookies_that_cross_sites_and_the_session_does_not() {
        let cookies = with(Style::default(), true);
        assert!(
            cookies
                .set_login("n", "v", Duration::ZERO)
                .to_str()
                .is_ok_and(|line| line.contains("SameSite=None; Secure"))
        );
        assert!(cookies.clear_session().to_str().is_ok_and(|line| line.contains("SameSite=Lax")));
    }

    #[test]
    fn in_strict_mode_the_session_is_strict_also_when_cleared_and_login_cookies_still_cross_sites() {
        let style = Style { same_site: SameSite::Strict, ..Style::default() };
        let id = Secret::new("x".repeat(64));
        for (form_post, login) in [(false, "; SameSite=Lax; Secure"), (true, "; SameSite=None; Secure")] {
            let cookies = with(style, form_post);
            assert!(
                is_strict(&cookies.set_session(&id, Duration::ZERO)) && is_strict(&cookies.clear_session())
            );
            for line in [cookies.set_login("n", "v", Duration::ZERO), cookies.clear_login("n")] {
                assert!(line.to_str().is_ok_and(|line| line.contains(login)), "{line:?}");
            }
        }
        assert!(!is_strict(&cookies().set_session(&id, Duration::ZERO)));
    }

    #[test]
    fn the_longer_prefix_is_on_every_name_and_only_it_is_read() {
        let cookies = with(Style { prefix: Prefix::HostHttp, ..Style::default() }, false);
        let id = Secret::new("x".repeat(64));
        for line in [cookies.set_session(&id, Duration::ZERO), cookies.clear_session()] {
            assert!(line.to_str().is_ok_and(|line| line.starts_with("__Host-Http-gateway-session=")));
        }
        assert_eq!(cookies.login_name("1"), "__Host-Http-gateway-login-1");
        let longer = request(&["__Host-Http-gateway-session=v"]);
        assert_eq!(cookies.session(&longer), Ok(Some(&b"v"[..])));
        assert_eq!(cookies.session(&request(&["__Host-gateway-session=v"])), Ok(None));
        assert_eq!(self::cookies().session(&longer), Ok(None));
    }

    #[test]
    fn plain_http_has_no_prefix_to_lengthen() {
        let style = Style { prefix: Prefix::HostHttp, same_site: SameSite::Strict };
        let cookies = Cookies::on(&Origin::parse("http://localhost:3000").expect("valid"), style, false);
        let line = cookies.clear_session();
        assert_eq!(line, "gateway-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        for lines in [
            &["a=b; __Host-gateway-session=v; c=d"][..],
            &["a=b", "__Host-gateway-session=v"],
            &["a=b;__Host-gateway-session=v"],
        ] {
            assert_eq!(cookies().session(&request(lines)), Ok(Some(&b"v"[..])), "{lines:?}");
        }
        assert_eq!(cookies().session(&request(&["a=b"])), Ok(None));
    }

    #[test]
    fn two_session_cookies_are_refused() {
        for lines in [
            &["__Host-gateway-session=v; __Host-gateway-session=junk"][..],
            &["__Host-gateway-session=junk; __Host-gateway-session=v"],
            &["__Host-gateway-session=v", "__Host-gateway-session=v"],
        ] {
            assert_eq!(cookies().session(&request(lines)), Err(Reason::AmbiguousCookie), "{lines:?}");
        }
    }

    #[test]
    fn what_only_looks_like_the_session_cookie_is_not_it() {
        for line in [
            "\u{2000}__Host-gateway-session=v",
            "$Version=1,__Host-gateway-session=v",
            "\t__Host-gateway-session=v",
            "  __Host-gateway-session=v",
            "__host-gateway-session=v",
            "__Host-gateway-session =v",
            "x__Host-gateway-session=v",
            "gateway-session=v",
            "\"__Host-gateway-session=v\"",
        ] {
            assert_eq!(cookies().session(&request(&[line])), Ok(None), "{line:?}");
        }
        // Quotes are part of the value, which then opens nothing.
        assert_eq!(cookies().session(&request(&["__Host-gateway-session=\"v\""])), Ok(Some(&b"\"v\""[..])));
    }

    #[test]
    fn upstreams_get_the_apps_cookies_and_none_of_ours() {
        let mut headers = request(&["a=1; __Host-gateway-session=v; b=2", "__Host-gateway-login-x=y; c=3"]);
        cookies().strip_from_request(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
        // What is left of another prefix is a key to the same session.
        let mut headers =
            request(&["a=1; __Host-Http-gateway-session=v; gateway-session=v; gateway-sessions=2"]);
        cookies().strip_from_request(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; gateway-sessions=2"]);
        // What the gateway does not read as its own an upstream might.
        let mut headers = request(&[
            "a=1;  __Host-gateway-session=v;\t__Host-gateway-login-x=y; __Host-gateway-session =v",
        ]);
        cookies().strip_from_request(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1"]);
        let mut only_ours = request(&["__Host-gateway-session=v"]);
        cookies().strip_from_request(&mut only_ours);
        assert!(!only_ours.contains_key(COOKIE));
    }

    #[test]
    fn an_upstream_cannot_set_our_cookies() {
        let mut headers = HeaderMap::new();
        for line in [
            "app=1; Path=/",
            "__Host-gateway-session=evil; Path=/",
            " __Host-gateway-login-1 =evil",
            "__Host-gateway-session",
            "=__Host-gateway-session=evil",
            "__Host-Http-gateway-session=evil",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_static(line));
        }
        cookies().strip_from_response(&mut headers);
        assert_eq!(headers.get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["app=1; Path=/"]);
    }

    proptest! {
        #[test]
        fn nothing_of_ours_survives_stripping(line in "[ -~]{0,80}") {
            let mut headers = request(&[&line, "__Host-gateway-session=secret", "__Host-gateway-login-a=secret"]);
            cookies().strip_from_request(&mut headers);
            prop_assert!(headers.get_all(COOKIE).iter().count() <= 1);
            prop_assert_eq!(cookies().session(&headers), Ok(None));
            prop_assert_eq!(cookies().logins(&headers).count(), 0);
        }
    }
}
