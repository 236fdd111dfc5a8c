//! A browser without a screen: cookies, redirects, forms, and the headers that tell a page from a script. Talks to this
//! computer only.

use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::ask::Ask;
use crate::exchange::{exchange, local};
use crate::forms::{self, Form};
use crate::jar::Jar;
use crate::reply::Reply;
use crate::secrets::{Kind, Secrets};
use crate::socket::Socket;

/// The password of the accounts that exist from the start.
pub(crate) const PASSWORD: &str = "correct-horse-battery";
/// Longer chains of redirects or forms are loops.
const MOST_STEPS: usize = 20;

/// A browser. Clones are tabs of one browser: they share cookies.
#[derive(Clone, Debug)]
pub struct Browser {
    inner: Arc<Inner>,
    /// Where the site's requests go, if a load balancer sends them elsewhere than the address says.
    port: Option<u16>,
}

#[derive(Debug)]
struct Inner {
    site: Url,
    jar: Mutex<Jar>,
    secrets: Arc<Secrets>,
}

/// A page that a tab shows, and how it got there.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The address in the address bar.
    pub url: Url,
    /// What was answered there.
    pub reply: Reply,
    /// Every address on the way, in order, this one last.
    pub trail: Vec<Url>,
}

impl Visit {
    /// Fails the test unless the tab shows this path (and query) of the site, successfully.
    #[track_caller]
    pub fn must_show(&self, path_and_query: &str) -> &Self {
        self.reply.must_be(200);
        assert_eq!(local(&self.url), path_and_query, "{:?}", self.trail);
        self
    }

    /// The forms of the page.
    pub fn forms(&self) -> Vec<Form> {
        forms::read(&self.reply.text())
    }
}

impl Browser {
    pub(crate) fn new(site: &str, secrets: Arc<Secrets>) -> Self {
        let site = Url::parse(site).expect("the site's address is a URL");
        Self { inner: Arc::new(Inner { site, jar: Mutex::default(), secrets }), port: None }
    }

    /// The site's origin.
    pub fn origin(&self) -> String {
        self.inner.site.origin().ascii_serialization()
    }

    /// The absolute address of a path of the site; URLs stay what they are.
    ///
    /// # Panics
    /// If it is neither.
    pub fn resolve(&self, target: &str) -> Url {
        if target.starts_with("http://") || target.starts_with("https://") {
            return Url::parse(target).expect("a URL");
        }
        // Not `join`: a path that looks like a host must reach the gateway as it is.
        Url::parse(&format!("{}{target}", self.origin())).expect("a path")
    }

    /// Sends one request and keeps the cookies of its answer. Follows nothing.
    pub async fn send(&self, ask: Ask) -> Reply {
        let url = self.resolve(&ask.target);
        self.send_to(ask, &url).await
    }

    /// A script of the site opens a WebSocket.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn open_socket(&self, path: &str) -> Socket {
        let url = self.resolve(path);
        Socket::open(&self.dress(Ask::websocket(path), &url), &url, self.port).await
    }

    async fn send_to(&self, ask: Ask, url: &Url) -> Reply {
        let ask = self.dress(ask, url);
        let reply = exchange(&ask, url, self.port.filter(|_| self.is_site(url))).await;
        self.keep_cookies(url, &reply);
        if self.is_site(url) {
            self.inner.secrets.add_sent(&reply.asked, everything(&reply));
        }
        reply
    }

    /// The request with what browsers add by themselves.
    pub(crate) fn dress(&self, mut ask: Ask, url: &Url) -> Ask {
        if ask.own_origin && !ask.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("origin")) {
            ask = ask.header("origin", &self.origin());
        }
        match self.jar().header(url) {
            Some(cookies) if ask.cookies => ask.header("cookie", &cookies),
            _ => ask,
        }
    }

    pub(crate) fn keep_cookies(&self, url: &Url, reply: &Reply) {
        let mut jar = self.jar();
        for cookie in reply.set_cookies() {
            jar.take(url, &cookie);
            if self.is_site(url) {
                self.inner.secrets.add(Kind::Cookie, &cookie.value);
            }
        }
    }

    /// A tab of this browser whose requests to the site a load balancer sends to that port.
    #[must_use]
    pub fn at(&self, port: u16) -> Self {
        Self { inner: Arc::clone(&self.inner), port: Some(port) }
    }

    /// A script of the site calls the API.
    pub async fn fetch(&self, method: &str, path: &str) -> Reply {
        self.send(Ask::fetch(method, path)).await
    }

    /// `/auth/session`, as the web UI asks for it.
    pub async fn session(&self) -> serde_json::Value {
        self.fetch("GET", "/auth/session").await.must_be(200).json()
    }

    /// A person opens an address; redirects are followed.
    pub async fn open(&self, target: &str) -> Visit {
        self.follow(Ask::page(target), |_| false).await.unwrap_or_else(|url| panic!("stopped at {url}"))
    }

    /// Like `open`, but gives the address of the gateway's callback instead of visiting it, once the provider sends the
    /// browser there.
    ///
    /// # Panics
    /// If the way ends elsewhere.
    pub async fn callback_address(&self, target: &str, email: &str) -> Url {
        self.callback_of(Ask::page(target), email).await
    }

    /// Like `callback_address`, for a sign-in that begins with any request.
    ///
    /// # Panics
    /// If the way ends elsewhere.
    pub async fn callback_of(&self, ask: Ask, email: &str) -> Url {
        let visit = match self.follow(ask, is_callback).await {
            Ok(visit) => visit,
            Err(callback) => return callback,
        };
        match self.go_through_provider(visit, email, is_callback).await {
            Err(callback) => callback,
            Ok(visit) => panic!("the provider did not send the browser back, but to {:?}", visit.trail),
        }
    }

    /// Signs in from the sign-in address, through the provider's forms, back to the front page.
    pub async fn sign_in(&self, email: &str) -> Visit {
        self.sign_in_at("/auth/sign-in", email).await
    }

    /// Opens an address that leads to the provider, signs in there, and gives the page at which the browser ends up.
    pub async fn sign_in_at(&self, target: &str, email: &str) -> Visit {
        let visit = self.open(target).await;
        self.finish_sign_in(visit, email).await
    }

    /// Goes on from a page of the provider until the browser is back at the site.
    pub async fn finish_sign_in(&self, visit: Visit, email: &str) -> Visit {
        let through = self.go_through_provider(visit, email, |_| false).await;
        through.unwrap_or_else(|url| panic!("stopped at {url}"))
    }

    /// Fills in whatever form the provider shows, as the person with that address would. Ends at the site, or at an
    /// address that `stop` knows.
    async fn go_through_provider(
        &self,
        mut visit: Visit,
        email: &str,
        stop: fn(&Url) -> bool,
    ) -> Result<Visit, Url> {
        for _ in 0..MOST_STEPS {
            if self.is_site(&visit.url) {
                return Ok(visit);
            }
            let form = visit.forms().into_iter().next();
            let form = form.unwrap_or_else(|| panic!("no form at {}: {}", visit.url, visit.reply.text()));
            let filled = [("email", email), ("password", PASSWORD)];
            let trail = visit.trail.clone();
            let mut next = self.press(&visit, &form, &filled, form.first_button(), stop).await?;
            next.trail.splice(0..0, trail);
            assert_ne!(next.reply.status, 422, "{email} is not accepted: {}", next.reply.text());
            visit = next;
        }
        panic!("the provider shows one form after another: {:?}", visit.trail);
    }

    /// Submits a form of a page, with some fields filled in and its first named button pressed; redirects are followed.
    pub async fn submit(&self, visit: &Visit, form: &Form, filled: &[(&str, &str)]) -> Visit {
        self.submit_with(visit, form, filled, form.first_button()).await
    }

    /// Submits a form with a button of choice.
    pub async fn submit_with(
        &self,
        visit: &Visit,
        form: &Form,
        filled: &[(&str, &str)],
        button: Option<(&str, &str)>,
    ) -> Visit {
        let pressed = self.press(visit, form, filled, button, |_| false).await;
        pressed.unwrap_or_else(|url| panic!("stopped at {url}"))
    }

    async fn press(
        &self,
        visit: &Visit,
        form: &Form,
        filled: &[(&str, &str)],
        button: Option<(&str, &str)>,
        stop: fn(&Url) -> bool,
    ) -> Result<Visit, Url> {
        let action = visit.url.join(&form.action).expect("a form's action is an address");
        let fields = form.fields(filled, button);
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let site = if action.origin() == visit.url.origin() { "same-origin" } else { "same-site" };
        let ask = Ask::submit(action.as_str(), &fields)
            .set("sec-fetch-site", site)
            .set("origin", &visit.url.origin().ascii_serialization());
        self.follow(ask, stop).await
    }

    /// Sends a navigation and follows redirects, unless `stop` knows the address that comes next.
    async fn follow(&self, ask: Ask, stop: fn(&Url) -> bool) -> Result<Visit, Url> {
        let mut url = self.resolve(&ask.target);
        let mut trail = vec![url.clone()];
        let mut site =
            ask.headers.iter().find(|(name, _)| name == "sec-fetch-site").map(|(_, value)| value.clone());
        let mut reply = self.send_to(ask, &url).await;
        while let (301..=303, Some(location)) = (reply.status.as_u16(), reply.location()) {
            assert!(trail.len() < MOST_STEPS, "redirected in a circle: {trail:?}");
            let next = url.join(location).expect("a Location is an address");
            // What began on another origin stays foreign, whatever it is redirected to; who typed an address stays so.
            if next.origin() != url.origin() && site.as_deref() != Some("none") {
                site = Some("same-site".to_owned());
            }
            url = next;
            trail.push(url.clone());
            if stop(&url) {
                return Err(url);
            }
            let ask = Ask::page(url.as_str()).set("sec-fetch-site", site.as_deref().unwrap_or("none"));
            reply = self.send_to(ask, &url).await;
        }
        Ok(Visit { url, reply, trail })
    }

    fn is_site(&self, url: &Url) -> bool {
        url.origin() == self.inner.site.origin()
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().get(name)
    }

    /// The names of all cookies that begin like this.
    pub fn cookies_like(&self, prefix: &str) -> Vec<String> {
        self.jar().names().into_iter().filter(|name| name.starts_with(prefix)).collect()
    }

    /// The whole `Cookie` header that the site gets.
    pub fn cookie_header(&self) -> String {
        self.jar().header(&self.inner.site).unwrap_or_default()
    }

    /// Plants a cookie for the site.
    pub fn set_cookie(&self, name: &str, value: &str) {
        let host = self.inner.site.host_str().unwrap_or_default().to_owned();
        self.jar().set(&host, name, value);
    }

    /// Drops a cookie.
    pub fn drop_cookie(&self, name: &str) {
        self.jar().remove(name);
    }

    /// Another browser with a copy of this one's cookies: a thief's, or a saved one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let jar = Mutex::new(self.jar().clone());
        let Inner { site, secrets, .. } = &*self.inner;
        let inner = Inner { site: site.clone(), jar, secrets: Arc::clone(secrets) };
        Self { inner: Arc::new(inner), port: self.port }
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, Jar> {
        self.inner.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_callback(url: &Url) -> bool {
    url.path().starts_with("/auth/callback")
}

/// Head and body, for the search.
fn everything(reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &reply.headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(&reply.body);
    bytes
}
