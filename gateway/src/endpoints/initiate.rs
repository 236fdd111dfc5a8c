//! `/auth/initiate`: somebody else, such as the provider's own portal, sends a person here to sign in (OpenID Connect Core
//! 1.0, section 4). They choose among the configured providers and among the pages of this site, and nothing else.

use std::sync::Arc;

use http::{Method, Response};

use crate::body::Body;
use crate::intake::{self, Inbound};
use crate::live::Live;
use crate::oidc::{Purpose, Want};
use crate::origin::Origin;
use crate::respond;
use crate::session::return_to::ReturnTo;
use crate::stop::{Reason, Refusal, Remedy, SignIn, Stop};

use super::{INITIATE, only, onward, posted, provider_of, sign_in};

/// The largest form.
const MAX_FORM: usize = 8 * 1024;
/// The parameters that count; all others are ignored.
const ISSUER: &str = "iss";
const HINT: &str = "login_hint";
const TARGET: &str = "target_link_uri";
/// A longer hint is nobody's name.
const MAX_HINT: usize = 512;

/// Begins the sign-in that a link or a form of another site asks for.
pub async fn answer(live: &Live, mut inbound: Inbound) -> Result<Response<Body>, Stop> {
    let pairs = parameters(&mut inbound).await?;
    let initiation = Initiation::read(live, &live.site(&inbound).origin, &pairs).ok_or_else(refused)?;
    // A form of another site brings no cookies along; the link that it becomes does (requirement SI-14).
    if inbound.method() == Method::POST {
        return Ok(respond::see_other(&initiation.address()));
    }
    let Initiation { issuer, return_to, hint } = initiation;
    let provider = provider_of(live, &issuer).ok_or_else(refused)?;
    if !intake::may_begin_sign_in(inbound.method(), inbound.headers()) {
        let provider = Some(Arc::clone(&provider.settings().name));
        let remedy = Remedy::SignIn(SignIn { provider, ..SignIn::to(return_to) });
        return Err(Stop::Refused(Refusal { reason: Reason::NoSession, remedy }));
    }
    if onward::is_needed(live, &inbound) {
        return Ok(onward::to_own(&inbound));
    }
    let parameters = hint.map(|hint| (HINT.to_owned(), hint)).into_iter().collect();
    let want = Want { return_to, extra_scopes: None, purpose: Purpose::SignIn, parameters };
    sign_in::begin(live, provider, &inbound, want).await
}

/// The parameters, from the query or the posted form.
async fn parameters(inbound: &mut Inbound) -> Result<Vec<(String, String)>, Stop> {
    if inbound.method() != Method::POST {
        let query = inbound.query().unwrap_or_default().as_bytes();
        return Ok(url::form_urlencoded::parse(query).into_owned().collect());
    }
    if posted::Kind::of(inbound.headers())? != posted::Kind::Form {
        return Err(Stop::refused(Reason::BadBody));
    }
    let form = posted::read(inbound, MAX_FORM).await?;
    Ok(url::form_urlencoded::parse(&form).into_owned().collect())
}

/// A sign-in that somebody else wishes for.
#[derive(Debug, PartialEq, Eq)]
struct Initiation {
    issuer: String,
    hint: Option<String>,
    return_to: ReturnTo,
}

impl Initiation {
    /// Nothing for what must not begin: no issuer of ours, a page of another site, or a parameter that is there twice.
    fn read(live: &Live, origin: &Origin, pairs: &[(String, String)]) -> Option<Self> {
        let issuer = only(pairs, ISSUER).filter(|issuer| provider_of(live, issuer).is_some())?;
        Some(Self { issuer, ..Self::elsewhere(origin, pairs)? })
    }

    /// What does not depend on the provider.
    fn elsewhere(origin: &Origin, pairs: &[(String, String)]) -> Option<Self> {
        let at_most_once = |name: &str| match pairs.iter().filter(|(known, _)| known == name).count() {
            0 => Some(None),
            1 => Some(only(pairs, name)),
            _ => None,
        };
        let hint = at_most_once(HINT)?.filter(|hint| !hint.is_empty() && hint.len() <= MAX_HINT);
        let return_to = match at_most_once(TARGET)? {
            None => ReturnTo::home(),
            Some(target) => local(origin, &target)?,
        };
        Some(Self { issuer: String::new(), hint, return_to })
    }

    /// The link that asks for the same.
    fn address(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair(ISSUER, &self.issuer).append_pair(TARGET, self.return_to.as_str());
        if let Some(hint) = &self.hint {
            query.append_pair(HINT, hint);
        }
        format!("{INITIATE}?{}", query.finish())
    }
}

/// A page of this site, by its path or by its whole address.
fn local(origin: &Origin, target: &str) -> Option<ReturnTo> {
    let path = match target.strip_prefix(origin.as_str()) {
        Some("") => "/",
        Some(path) => path,
        None => target,
    };
    path.parse().ok()
}

fn refused() -> Stop {
    Stop::refused(Reason::BadInitiation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin::parse("https://app.example").expect("valid")
    }

    fn read(pairs: &[(&str, &str)]) -> Option<(Option<String>, String)> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let read = Initiation::elsewhere(&origin(), &pairs)?;
        Some((read.hint, read.return_to.to_string()))
    }

    #[test]
    fn pages_of_this_site_are_named_by_path_or_by_address() {
        for (target, path) in [
            ("/todos?done=1#top", "/todos?done=1#top"),
            ("https://app.example/todos?a=b", "/todos?a=b"),
            ("https://app.example", "/"),
            ("https://app.example/", "/"),
        ] {
            assert_eq!(local(&origin(), target).map(|path| path.to_string()).as_deref(), Some(path));
        }
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        for target in [
            "",
            "https://evil.example/",
            "https://app.example.evil.example/",
            "https://app.example@evil.example/",
            "https://app.example:8443/",
            "https://app.example//evil.example",
            "https://app.example\\evil.example",
            "http://app.example/todos",
            "HTTPS://APP.EXAMPLE/todos",
            "//app.example/todos",
            "//evil.example",
            "javascript:alert(1)",
            "todos",
            "/auth/sign-out",
            "https://app.example/auth/sign-out",
            "https://app.example?x",
        ] {
            assert_eq!(local(&origin(), target), None, "{target}");
        }
    }

    #[test]
    fn a_parameter_that_is_there_twice_is_refused_and_others_are_ignored() {
        let target = (TARGET, "/todos");
        assert_eq!(read(&[target, (HINT, "alice")]), Some((Some("alice".into()), "/todos".into())));
        assert_eq!(read(&[]), Some((None, "/".into())));
        assert_eq!(read(&[target, target]), None);
        assert_eq!(read(&[(HINT, "a"), (HINT, "a")]), None);
        assert_eq!(read(&[("scopes", "x"), ("scopes", "y")]), Some((None, "/".into())));
        assert_eq!(read(&[(HINT, &"a".repeat(513))]), Some((None, "/".into())));
    }

    #[test]
    fn the_link_asks_for_the_same_as_the_form() {
        let initiation = Initiation {
            issuer: "https://login.example/?a&b".to_owned(),
            hint: Some("alice@example.com".to_owned()),
            return_to: "/todos?a=1&b=2".parse().expect("local"),
        };
        let address = initiation.address();
        let query = address.strip_prefix("/auth/initiate?").expect("this very path");
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let read = Initiation::elsewhere(&origin(), &pairs).expect("sound");
        assert_eq!(only(&pairs, ISSUER).as_deref(), Some("https://login.example/?a&b"));
        assert_eq!(Initiation { issuer: initiation.issuer.clone(), ..read }, initiation);
    }
}
