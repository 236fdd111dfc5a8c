//! Which route a request is for: the most specific path, then the method. Built once per configuration, read by every
//! request. A lookup takes one step for each segment of the path that some route names, however many routes there are,
//! and allocates nothing.

mod tree;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;

use crate::site::SiteId;
use crate::stop::{Reason, Refusal, Remedy, Stop};

use super::{Methods, Pattern, Route};
use tree::{Node, Tree};

/// All routes of one configuration.
#[derive(Debug, Default)]
pub struct RouteTable {
    names: Vec<Arc<str>>,
    places: Tree<Place>,
}

/// The routes of one path on one site, told apart by method.
#[derive(Debug)]
struct Place {
    /// Nothing for routes of every site.
    site: Option<SiteId>,
    is_exact: bool,
    /// As it is compared: a prefix has no slash at its end.
    path: Box<str>,
    /// Each with its number in the list that the table was built from.
    routes: Vec<(usize, Arc<Route>)>,
    allow: Arc<str>,
}

/// Two routes that would take the same requests.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("both take {shared} on the same path")]
pub struct Overlap {
    /// Position, in the list given, of the earlier route.
    pub earlier: usize,
    /// Position of the later route.
    pub later: usize,
    /// The methods that both take.
    pub shared: String,
}

impl RouteTable {
    /// Builds the table, or names every route that would take the requests of an earlier one.
    pub fn build(routes: Vec<Arc<Route>>) -> Result<Self, Vec<Overlap>> {
        let mut places = Tree::default();
        let mut overlaps = Vec::new();
        let names = routes.iter().map(|route| Arc::clone(&route.name)).collect();
        for (number, route) in routes.into_iter().enumerate() {
            let is_everywhere = route.sites.is_empty();
            let sites = route.sites.iter().map(Some).chain(is_everywhere.then_some(None));
            for site in sites {
                let place = Place::of(&mut places, site, &route.path);
                place.report(number, &route, &mut overlaps);
                place.add(number, Arc::clone(&route));
            }
        }
        // One pair of routes may meet on several sites.
        overlaps.sort_by_key(|overlap| (overlap.later, overlap.earlier));
        overlaps.dedup();
        places.freeze();
        if overlaps.is_empty() { Ok(Self { names, places }) } else { Err(overlaps) }
    }

    /// What routes are called, by their numbers: their positions in the list that the table was built from.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The route for a site, a canonical path and a method.
    ///
    /// The most specific path decides alone: if it does not take the method the answer is 405, even where a shorter
    /// prefix would take it. Anything else would let a method slip past the rule that stands nearest to the path. Where a
    /// path stands twice, once for this site and once for all, the one for this site decides alone for the same reason.
    pub fn find(&self, site: SiteId, path: &str, method: &Method) -> Result<&Arc<Route>, Stop> {
        self.numbered(site, path, method).map(|(_, route)| route)
    }

    /// The same, with its number.
    pub fn numbered(&self, site: SiteId, path: &str, method: &Method) -> Result<(usize, &Arc<Route>), Stop> {
        let place = self.place(site, path).ok_or_else(|| Stop::refused(Reason::NoRoute))?;
        let takes = |(_, route): &&(usize, Arc<Route>)| route.methods.contains(method);
        place.routes.iter().find(takes).map(|(number, route)| (*number, route)).ok_or_else(|| {
            let remedy = Remedy::Methods(Arc::clone(&place.allow));
            Stop::Refused(Refusal { reason: Reason::MethodNotAllowed, remedy })
        })
    }

    /// The place of a path, read as the most lenient upstream would: without `;parameters`, letter case and the slash at
    /// its end. Where such an upstream would see a more specific place than the one that is meant by the letter, there is
    /// none, so that nobody gets past its rule by another spelling (requirement PA-03).
    fn place(&self, site: SiteId, path: &str) -> Option<&Place> {
        let read = without_parameters(path);
        let read = read.strip_suffix('/').unwrap_or(&read);
        let (mut node, mut end, mut found) = (self.places.root(), 0, None);
        loop {
            if end == read.len() && node.holds(|place| place.is_exact && place.is_at(site)) {
                return at(node, site, |place| place.is_exact && *place.path == *path);
            }
            if node.holds(|place| !place.is_exact && place.is_at(site)) {
                found = at(node, site, |place| !place.is_exact && *place.path == read[..end]);
            }
            if end == read.len() {
                return found;
            }
            let segment = &read[end + 1..];
            let length = segment.find('/').unwrap_or(segment.len());
            let Some(child) = self.places.child(node, &segment[..length]) else {
                return found;
            };
            (node, end) = (child, end + 1 + length);
        }
    }

    /// Every path that a request for `path` is below, from the nearest: what `find` weighed, for people who wonder.
    pub fn candidates(&self, site: SiteId, path: &str) -> Vec<&Arc<Route>> {
        let read = without_parameters(path);
        let read = read.strip_suffix('/').unwrap_or(&read);
        let (mut node, mut end, mut all) = (self.places.root(), 0, Vec::new());
        loop {
            let is_whole = end == read.len();
            let fits = |place: &&Place| place.is_at(site) && (is_whole || !place.is_exact);
            all.extend(
                node.values().filter(fits).flat_map(|place| place.routes.iter().map(|(_, route)| route)),
            );
            let child = (!is_whole).then(|| {
                let segment = &read[end + 1..];
                let length = segment.find('/').unwrap_or(segment.len());
                self.places.child(node, &segment[..length]).map(|child| (child, end + 1 + length))
            });
            match child.flatten() {
                Some(further) => (node, end) = further,
                None => break,
            }
        }
        all.reverse();
        all
    }
}

/// Of the places that are right, the one that is for this site and no other, if there is one.
fn at(node: &Node<Place>, site: SiteId, is_right: impl Fn(&Place) -> bool) -> Option<&Place> {
    let right = || node.values().filter(|place| is_right(place) && place.is_at(site));
    right().find(|place| place.site.is_some()).or_else(|| right().next())
}

impl Place {
    /// The place of that pattern, made if there is none.
    fn of<'t>(places: &'t mut Tree<Self>, site: Option<SiteId>, pattern: &Pattern) -> &'t mut Self {
        let (is_exact, path) = match pattern {
            Pattern::Exact(path) => (true, path.as_str()),
            Pattern::Prefix(path) => (false, path.trim_end_matches('/')),
        };
        let read = without_parameters(path);
        let segments = read.split('/').filter(|segment| !segment.is_empty());
        let node = places.plant(segments);
        let is_same = |place: &Self| place.site == site && place.is_exact == is_exact && *place.path == *path;
        places.value(node, is_same, || Self {
            site,
            is_exact,
            path: path.into(),
            routes: Vec::new(),
            allow: "".into(),
        })
    }

    fn is_at(&self, site: SiteId) -> bool {
        self.site.is_none_or(|own| own == site)
    }

    fn methods(&self) -> Methods {
        self.routes.iter().fold(Methods::NONE, |all, (_, route)| all.and(route.methods))
    }

    fn add(&mut self, number: usize, route: Arc<Route>) {
        // Each method has one owner, so that there are never more routes here than methods.
        if route.methods.each().any(|method| !self.methods().overlaps(method)) {
            self.routes.push((number, route));
            self.allow = self.methods().to_string().into();
        }
    }

    fn report(&self, later: usize, route: &Route, overlaps: &mut Vec<Overlap>) {
        for (earlier, other) in &self.routes {
            let shared = other.methods.common(route.methods);
            if !shared.is_empty() && *earlier != later {
                overlaps.push(Overlap { earlier: *earlier, later, shared: shared.to_string() });
            }
        }
    }
}

/// The path with each segment cut at its first semicolon: what servers that know path parameters look at.
fn without_parameters(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    let names = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    Cow::Owned(names.collect::<Vec<_>>().join("/"))
}
