//! Cookies as browsers keep them: by host name, whatever the port, so that the provider's and the site's cookies on
//! `localhost` travel together. They stay until they are taken away: a test that lets time pass still has them.

use url::Url;

use crate::reply::SetCookie;

/// A browser's cookies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar(Vec<Cookie>);

#[derive(Clone, Debug)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

impl Jar {
    /// Takes what a server sent.
    pub(crate) fn take(&mut self, url: &Url, set: &SetCookie) {
        let host = url.host_str().unwrap_or_default().to_owned();
        let path = set.attributes.iter().find_map(|attribute| attribute.strip_prefix("Path=")).unwrap_or("/");
        let same = |cookie: &Cookie| cookie.host == host && cookie.path == path && cookie.name == set.name;
        if set.is_removal() {
            return self.0.retain(|cookie| !same(cookie));
        }
        match self.0.iter_mut().find(|cookie| same(cookie)) {
            Some(cookie) => cookie.value.clone_from(&set.value),
            None => self.0.push(Cookie {
                path: path.to_owned(),
                name: set.name.clone(),
                value: set.value.clone(),
                host,
            }),
        }
    }

    /// The `Cookie` header for a request, if there is anything to say.
    pub(crate) fn header(&self, url: &Url) -> Option<String> {
        let sent = self.0.iter().filter(|cookie| cookie.is_for(url));
        let pairs: Vec<String> = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The value of a cookie by name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.clone())
    }

    /// Names of all cookies.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|cookie| cookie.name.clone()).collect()
    }

    pub(crate) fn set(&mut self, host: &str, name: &str, value: &str) {
        self.remove(name);
        let (host, path) = (host.to_owned(), "/".to_owned());
        self.0.push(Cookie { host, path, name: name.to_owned(), value: value.to_owned() });
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|cookie| cookie.name != name);
    }
}

impl Cookie {
    fn is_for(&self, url: &Url) -> bool {
        let below = |path: &str| {
            path.strip_prefix(&*self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
        };
        url.host_str() == Some(&*self.host) && below(url.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn cookies_go_to_their_host_on_every_port_and_below_their_path() {
        let mut jar = Jar::default();
        jar.take(&url("http://localhost:1/x"), &SetCookie::parse("a=1; Path=/").expect("a cookie"));
        jar.take(&url("http://localhost:1/x"), &SetCookie::parse("b=2; Path=/flow").expect("a cookie"));
        assert_eq!(jar.header(&url("http://localhost:2/")).as_deref(), Some("a=1"));
        assert_eq!(jar.header(&url("http://localhost:2/flow/x")).as_deref(), Some("a=1; b=2"));
        assert_eq!(jar.header(&url("http://localhost:2/flowx")).as_deref(), Some("a=1"));
        assert_eq!(jar.header(&url("http://t.localhost:2/")), None);
    }

    #[test]
    fn a_cookie_is_replaced_and_taken_away() {
        let mut jar = Jar::default();
        for line in ["a=1; Path=/", "a=2; Path=/"] {
            jar.take(&url("http://localhost/"), &SetCookie::parse(line).expect("a cookie"));
        }
        assert_eq!(jar.get("a").as_deref(), Some("2"));
        jar.take(&url("http://localhost/"), &SetCookie::parse("a=; Max-Age=0; Path=/").expect("a cookie"));
        assert_eq!(jar.header(&url("http://localhost/")), None);
    }
}
