//! Another prefix in the place of the route's own, on the way to the upstream; and back again in what the upstream says of
//! its addresses. Cuts at segment borders only, so that what was one path stays one (requirement PA-03).

use http::{HeaderValue, Uri};

use crate::path;

/// Which prefix stands where. Neither ends with a slash; the root is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    public: Box<str>,
    inside: Box<str>,
    /// What upstreams are told of a prefix that was taken off.
    told: Option<HeaderValue>,
}

impl Rewrite {
    /// `inside` in the place of `public`; `/` for nothing. Both are canonical paths.
    pub fn new(public: &str, inside: &str) -> Self {
        let (public, inside) = (public.trim_end_matches('/'), inside.trim_end_matches('/'));
        let is_taken_off = inside.is_empty() && !public.is_empty();
        let told = if is_taken_off { HeaderValue::from_str(public).ok() } else { None };
        Self { public: public.into(), inside: inside.into(), told }
    }

    /// The value of `X-Forwarded-Prefix`: what an app must write in front of its own paths, as it cannot know it. Nothing
    /// where one prefix stands for another: what the app writes is mapped back then.
    pub fn told(&self) -> Option<&HeaderValue> {
        self.told.as_ref()
    }

    /// The target that the upstream is asked for. Nothing if it is no canonical path, which no prefix makes of one.
    pub fn target(&self, uri: &Uri) -> Option<Uri> {
        let path = self.inward(uri.path());
        if path::canonical(&path).as_deref() != Ok(&*path) {
            return None;
        }
        match uri.query() {
            Some(query) => format!("{path}?{query}").parse().ok(),
            None => path.parse().ok(),
        }
    }

    /// Counts segments instead of comparing them: each may carry `;parameters` that the route's path has not.
    fn inward(&self, path: &str) -> String {
        let count = self.public.matches('/').count();
        let rest = path.match_indices('/').nth(count).map_or("", |(border, _)| &path[border..]);
        match format!("{}{rest}", self.inside) {
            empty if empty.is_empty() => "/".to_owned(),
            path => path,
        }
    }

    /// What the client calls a path of the upstream's, which may have a query; nothing for what has the same name there,
    /// is no path of this upstream, or names another host.
    pub fn outward(&self, target: &str) -> Option<String> {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        if !is_local(target) {
            return None;
        }
        // An app that was told its prefix writes it by itself.
        if self.inside.is_empty() && is_below(path, &self.public) {
            return None;
        }
        let rest = is_below(path, &self.inside).then(|| &target[self.inside.len()..])?;
        let slash = if self.public.is_empty() && !rest.starts_with('/') { "/" } else { "" };
        let there = format!("{}{slash}{rest}", self.public);
        is_local(&there).then_some(there)
    }

    /// A `Set-Cookie` line with the path that the client knows. A cookie that binds itself to the whole host stays so.
    pub fn cookie(&self, line: &HeaderValue) -> Option<HeaderValue> {
        let name = line.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        if name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"__host-")) {
            return None;
        }
        let attribute = |piece: &'_ [u8]| {
            let text = std::str::from_utf8(piece).ok()?;
            let (key, path) = text.split_once('=')?;
            let path = path.trim();
            let path = key.trim().eq_ignore_ascii_case("path").then(|| self.outward(path)).flatten()?;
            let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(&path);
            Some(format!(" Path={path}").into_bytes())
        };
        let mut pieces = line.as_bytes().split(|byte| *byte == b';');
        let pair = pieces.next().unwrap_or_default().to_vec();
        let mut is_changed = false;
        let mut pieces: Vec<Vec<u8>> = pieces
            .map(|piece| {
                let changed = attribute(piece);
                is_changed |= changed.is_some();
                changed.unwrap_or_else(|| piece.to_vec())
            })
            .collect();
        pieces.insert(0, pair);
        if is_changed { HeaderValue::from_bytes(&pieces.join(&b';')).ok() } else { None }
    }
}

/// Whether browsers read it as a path of the same site: `//host` and `/\host` are other sites to them, also with a tab
/// or line break in between, which they drop.
fn is_local(target: &str) -> bool {
    target.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'\\')
        && target.strip_prefix('/').is_some_and(|rest| !rest.starts_with('/'))
}

/// Whether a path is that prefix or below it. Everything is below the root.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(rewrite: &Rewrite, target: &'static str) -> String {
        rewrite.target(&Uri::from_static(target)).expect("canonical").to_string()
    }

    #[test]
    fn the_routes_prefix_is_taken_off_or_replaced_on_segment_borders() {
        let stripped = Rewrite::new("/api", "/");
        for (target, wanted) in [
            ("/api", "/"),
            ("/api/", "/"),
            ("/api/todos/1?a=/api", "/todos/1?a=/api"),
            ("/api?a", "/?a"),
            ("/api;v=1/todos;x", "/todos;x"),
            ("/api/api", "/api"),
        ] {
            assert_eq!(asked(&stripped, target), wanted, "{target}");
        }
        let replaced = Rewrite::new("/api/todos/", "/v2/items");
        for (target, wanted) in [
            ("/api/todos", "/v2/items"),
            ("/api/todos/", "/v2/items/"),
            ("/api/todos/1", "/v2/items/1"),
            ("/api;x/todos;y/1", "/v2/items/1"),
        ] {
            assert_eq!(asked(&replaced, target), wanted, "{target}");
        }
        assert_eq!(asked(&Rewrite::new("/", "/app"), "/x"), "/app/x");
        assert_eq!(asked(&Rewrite::new("/", "/app"), "/"), "/app/");
    }

    #[test]
    fn a_prefix_that_was_taken_off_is_told_and_one_that_was_replaced_is_not() {
        assert_eq!(Rewrite::new("/api/", "/").told(), Some(&HeaderValue::from_static("/api")));
        assert_eq!(Rewrite::new("/api", "/v2").told(), None);
        assert_eq!(Rewrite::new("/", "/").told(), None);
    }

    #[test]
    fn addresses_of_the_upstream_are_named_as_the_client_knows_them() {
        let (stripped, replaced) = (Rewrite::new("/api", "/"), Rewrite::new("/api", "/api/v2"));
        let added = Rewrite::new("/", "/app");
        for (rewrite, target, wanted) in [
            (&stripped, "/todos?next=/x#y", Some("/api/todos?next=/x#y")),
            (&stripped, "/", Some("/api/")),
            (&stripped, "/api/todos", None),
            (&stripped, "/apix", Some("/api/apix")),
            (&replaced, "/api/v2/todos", Some("/api/todos")),
            (&replaced, "/api/v2", Some("/api")),
            (&replaced, "/api/v2x", None),
            (&replaced, "/api/todos", None),
            (&replaced, "/elsewhere", None),
            (&stripped, "//evil.example/x", None),
            (&stripped, "/\\evil.example", None),
            (&stripped, "/\t/evil.example", None),
            (&added, "/app/x", Some("/x")),
            (&added, "/app", Some("/")),
            (&added, "/app?x", Some("/?x")),
            (&added, "/app//evil.example", None),
            (&added, "/app/\\evil.example", None),
            (&stripped, "todos", None),
            (&stripped, "", None),
        ] {
            assert_eq!(rewrite.outward(target).as_deref(), wanted, "{target}");
        }
    }

    #[test]
    fn cookies_are_bound_to_the_path_that_the_client_knows() {
        let rewrite = Rewrite::new("/api", "/v2");
        let seen = |line: &'static str| {
            rewrite
                .cookie(&HeaderValue::from_static(line))
                .map(|line| line.to_str().expect("ASCII").to_owned())
        };
        assert_eq!(seen("a=/v2; path=/v2/x; HttpOnly").as_deref(), Some("a=/v2; Path=/api/x; HttpOnly"));
        assert_eq!(seen("a=1; Path=/v2/").as_deref(), Some("a=1; Path=/api"));
        for same in
            ["a=1", "a=1; Path=/other", "a=1; Path=/v2x", "a=1; Path", "__Host-a=1; Path=/v2", "Path=/v2"]
        {
            assert_eq!(seen(same), None, "{same}");
        }
        let stripped = Rewrite::new("/api", "/");
        let root = stripped.cookie(&HeaderValue::from_static("a=1; Path=/; Secure"));
        assert_eq!(root, Some(HeaderValue::from_static("a=1; Path=/api; Secure")));
        assert_eq!(stripped.cookie(&HeaderValue::from_static("__Host-a=1; Path=/; Secure")), None);
    }

    proptest! {
        #[test]
        fn what_went_in_comes_out_again(rest in "(/[a-z0-9._~-]{1,6}){0,4}/?", inside in "(/[a-z]{1,5}){0,3}") {
            let rewrite = Rewrite::new("/public/area", &inside);
            let path = format!("/public/area{rest}");
            if path::canonical(&path).as_deref() == Ok(&*path) {
                let uri: Uri = path.parse().expect("a path");
                let target = rewrite.target(&uri).expect("canonical").to_string();
                let back = rewrite.outward(&target);
                // The root has a slash where the prefix alone had none.
                let same = back.as_deref().map(|back| back.trim_end_matches('/') == path.trim_end_matches('/'));
                prop_assert_eq!(same, Some(true), "{} {:?}", target, back);
            }
        }
    }
}
