//! The public addresses of one gateway: `public_url` and `other_urls`. Each is a site of its own, with cookies that open
//! nothing on another one (requirement SE-06). Which of them a request means is told by its `Host` alone, once, in
//! `intake` (requirement PA-06). Knows nothing of what is served there.

use std::fmt;

use http::HeaderValue;

use crate::origin::Origin;
use crate::session::cookie::{Cookies, Style};

/// One of them.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which.
    pub id: SiteId,
    /// Its address.
    pub origin: Origin,
    /// The gateway's own cookies there.
    pub cookies: Cookies,
}

/// A site's place in the configuration; `public_url` is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(u8);

/// All sites. Never empty.
#[derive(Clone, Debug)]
pub struct Sites {
    first: Site,
    others: Vec<Site>,
}

/// A set of sites: those that a route is for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SiteSet(u64);

impl SiteId {
    /// How many sites a gateway can have.
    pub const MOST: usize = 64;
    /// `public_url`.
    pub const FIRST: Self = Self(0);

    /// The site at that place of the configuration.
    pub fn at(position: usize) -> Option<Self> {
        u8::try_from(position).ok().filter(|place| usize::from(*place) < Self::MOST).map(Self)
    }

    /// Its place.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

impl Sites {
    /// The site at `public_url`, and those at `other_urls`: at most [`SiteId::MOST`] in all, more are left out.
    pub fn new(public_url: Origin, other_urls: Vec<Origin>, style: Style, form_post: bool) -> Self {
        let site = |id, origin: Origin| Site { id, cookies: Cookies::on(&origin, style, form_post), origin };
        let others = other_urls.into_iter().enumerate();
        let others =
            others.filter_map(|(place, origin)| Some(site(SiteId::at(place + 1)?, origin))).collect();
        Self { first: site(SiteId::FIRST, public_url), others }
    }

    /// The site that a `Host` header names. Nearly always it is written as in the configuration.
    pub fn find(&self, host: &str) -> Option<&Site> {
        if self.others.is_empty() {
            return Some(&self.first).filter(|site| site.origin.is_host(host));
        }
        let plainly = |site: &&Site| site.origin.authority() == host;
        self.all().find(plainly).or_else(|| self.all().find(|site| site.origin.is_host(host)))
    }

    /// The site that a `Host` header of another port names, for those who send browsers on to it; `public_url` for any
    /// other.
    pub fn by_name(&self, host: Option<&HeaderValue>) -> &Site {
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let name = name.strip_suffix('.').unwrap_or(name);
        let has_name = |site: &&Site| {
            let authority = site.origin.authority();
            let own = authority.rsplit_once(':').map_or(authority, |(own, _)| own);
            own.eq_ignore_ascii_case(name)
        };
        self.others.iter().find(has_name).filter(|_| !has_name(&&self.first)).unwrap_or(&self.first)
    }

    /// That site.
    pub fn at(&self, id: SiteId) -> &Site {
        let other = || self.others.get(id.index().wrapping_sub(1));
        if id == SiteId::FIRST { &self.first } else { other().unwrap_or(&self.first) }
    }

    /// The site at `public_url`.
    pub fn first(&self) -> &Site {
        &self.first
    }

    /// Each site.
    pub fn all(&self) -> impl Iterator<Item = &Site> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl SiteSet {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The sites in it, in the order of the configuration.
    pub fn iter(self) -> impl Iterator<Item = SiteId> {
        (0..64).filter(move |bit| self.0 >> bit & 1 == 1).map(SiteId)
    }
}

impl FromIterator<SiteId> for SiteSet {
    fn from_iter<I: IntoIterator<Item = SiteId>>(sites: I) -> Self {
        Self(sites.into_iter().fold(0, |set, site| set | 1 << site.0))
    }
}

impl fmt::Debug for SiteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(SiteId::index)).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// These addresses, the first of them `public_url`.
    pub(crate) fn sites(origins: &[&str]) -> Sites {
        let mut origins: Vec<_> =
            origins.iter().map(|text| Origin::parse(text).expect("an origin")).collect();
        let first = origins.remove(0);
        Sites::new(first, origins, Style::default(), false)
    }

    #[test]
    fn a_host_names_one_site_however_it_is_written() {
        let sites = sites(&["https://app.example", "https://admin.example", "https://app.example:8443"]);
        let found = |host: &str| sites.find(host).map(|site| site.id.index());
        for (host, site) in [
            ("app.example", 0),
            ("APP.example", 0),
            ("app.example.", 0),
            ("app.example:443", 0),
            ("admin.example", 1),
            ("Admin.Example.:443", 1),
            ("app.example:8443", 2),
        ] {
            assert_eq!(found(host), Some(site), "{host}");
        }
        for stranger in
            ["example", "xapp.example", "app.example:80", "admin.example:8443", "", "app.example.."]
        {
            assert_eq!(found(stranger), None, "{stranger}");
        }
        let sent_on = |host| sites.by_name(Some(&HeaderValue::from_static(host))).id.index();
        assert_eq!(["admin.example:80", "ADMIN.example.", "app.example:80"].map(sent_on), [1, 1, 0]);
        assert_eq!(["evil.example", "", "[::1]:80"].map(sent_on), [0, 0, 0]);
        assert!(sites.all().all(|site| sites.at(site.id).origin == site.origin));
    }

    #[test]
    fn a_set_holds_the_sites_that_it_was_made_of() {
        let set: SiteSet = [SiteId(63), SiteId(0), SiteId(5)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [SiteId(0), SiteId(5), SiteId(63)]);
        assert!(SiteSet::default().is_empty() && !set.is_empty());
        assert_eq!((SiteId::at(63), SiteId::at(64)), (Some(SiteId(63)), None));
    }
}
