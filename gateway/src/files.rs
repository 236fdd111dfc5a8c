//! Static files (requirements section 17): one folder, nothing outside of it, nothing in it that was not meant to be
//! read. Knows nothing of sessions: whoever gets here was let pass.

mod folder;
mod headers;
mod names;
mod shelf;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower_http::services::ServeDir;
use tower_http::services::fs::{DefaultServeDirFallback, ServeFileSystemResponseBody};

use crate::body::Body;
use crate::intake::Inbound;
use crate::respond;
use crate::session::return_to::ReturnTo;
use crate::stop::{Reason, Refusal, Remedy, Stop, Whose};
use folder::Folder;
use shelf::Shelf;

/// The Content-Security-Policy of pages, where a route names no other: own scripts, styles and connections only.
pub const DEFAULT_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// One folder of files, as a route's `files` names it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder.
    pub root: PathBuf,
    /// A file in the folder that answers navigations to paths which do not exist: a single-page app's entry.
    pub fallback: Option<String>,
    /// First path segments, in lower case, that other routes and the gateway itself use: the fallback never answers there.
    pub reserved: Arc<BTreeSet<String>>,
    /// The route's path, taken off before looking: `/` or `/docs`.
    pub prefix: String,
    /// Whether anybody may read the files. If not, no shared cache may keep them.
    pub public: bool,
    /// Sent with HTML.
    pub content_security_policy: HeaderValue,
}

/// What is asked of a folder.
#[derive(Clone, Copy, Debug)]
pub struct FileRequest<'a> {
    /// GET or HEAD; anything else is refused.
    pub method: &'a Method,
    /// The canonical path.
    pub path: &'a str,
    /// The query: kept on redirects, otherwise without meaning.
    pub query: Option<&'a str>,
    /// The request's headers, of which conditions, ranges and encodings are read.
    pub headers: &'a HeaderMap,
    /// Whether a browser is loading a page into a tab.
    pub navigation: bool,
}

impl<'a> FileRequest<'a> {
    /// What an admitted request asks.
    pub fn of(inbound: &'a Inbound) -> Self {
        Self {
            method: inbound.method(),
            path: inbound.path(),
            query: inbound.query(),
            headers: inbound.headers(),
            navigation: inbound.is_navigation(),
        }
    }
}

/// A folder that is served.
#[derive(Clone, Debug)]
pub struct Files {
    settings: Settings,
    folder: ServeDir<DefaultServeDirFallback, Folder>,
    shelf: Arc<Shelf>,
}

type Served = Response<ServeFileSystemResponseBody>;

/// What a path segment may hold unescaped, as far as file names go.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Files {
    /// Touches no disk: the folder is looked up on every request, so that a release may swap it.
    pub fn new(settings: Settings) -> Self {
        let folder = ServeDir::with_backend(&settings.root, Folder::new(&settings.root))
            .precompressed_br()
            .precompressed_zstd()
            .precompressed_gzip()
            // One file per answer, once, however many ranges were asked (CVE-2011-3192).
            .ignore_multi_range_requests(true);
        let shelf = Arc::new(Shelf::new(&settings.root));
        Self { settings, folder, shelf }
    }

    /// The answer that was given a moment ago, if it is still the right one.
    pub fn at_hand(&self, inbound: &Inbound) -> Option<Response<Body>> {
        self.shelf.take(inbound.method(), self.below_prefix(inbound.path())?, inbound.headers())
    }

    /// The file, or what its absence means.
    ///
    /// # Errors
    /// [`Reason::NoFile`] for everything that is not there or not to be read, [`Reason::Internal`] if the disk fails.
    pub async fn serve(&self, request: FileRequest<'_>) -> Result<Response<Body>, Stop> {
        if !matches!(*request.method, Method::GET | Method::HEAD) {
            let remedy = Remedy::Methods("GET, HEAD".into());
            return Err(Stop::Refused(Refusal { reason: Reason::MethodNotAllowed, remedy }));
        }
        let path = self
            .below_prefix(request.path)
            .filter(|path| names::may_be_asked_for(path))
            .ok_or_else(no_file)?;
        match self.find(&request, path).await? {
            // The folder itself, asked without its slash: relative links in its page would miss.
            Some(served) if path.is_empty() || served.status() == StatusCode::TEMPORARY_REDIRECT => {
                with_slash(&request)
            }
            Some(served) => {
                let answer = self.finish(served, last_segment(path), request.method);
                self.put_by(&request, path, answer).await
            }
            None => self.fall_back(&request).await,
        }
    }

    /// The same answer, read whole and kept if it is one that may be and is short.
    async fn put_by(
        &self,
        request: &FileRequest<'_>,
        path: &str,
        answer: Response<Body>,
    ) -> Result<Response<Body>, Stop> {
        if !shelf::is_keepable(&answer) || !Shelf::is_plain(request.method, request.headers) {
            return Ok(answer);
        }
        let Some(before) = self.shelf.before(path, answer.headers()) else {
            return Ok(answer);
        };
        let (parts, body) = answer.into_parts();
        let whole = body.collect().await;
        let bytes = whole.map_err(|error| Stop::failed(Whose::Gateway, Reason::Internal, error))?.to_bytes();
        let bytes = self.shelf.keep((request.method, path, request.headers), before, (&parts.headers, bytes));
        Ok(Response::from_parts(parts, Body::Full(bytes)))
    }

    /// The path inside the folder: empty, or with a leading slash.
    fn below_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = path.strip_prefix(self.settings.prefix.trim_end_matches('/'))?;
        (below.is_empty() || below.starts_with('/')).then_some(below)
    }

    /// A single-page app's entry, for paths that only its scripts know.
    async fn fall_back(&self, request: &FileRequest<'_>) -> Result<Response<Body>, Stop> {
        let Some(name) = self.settings.fallback.as_deref().filter(|_| self.may_fall_back(request)) else {
            return Err(no_file());
        };
        let path = format!("/{}", utf8_percent_encode(name, SEGMENT));
        let served = self.find(request, &path).await?.ok_or_else(no_file)?;
        Ok(self.finish(served, name, request.method))
    }

    /// Only where a person would type an address: not for what looks like a file, not where others answer (ST-04).
    fn may_fall_back(&self, request: &FileRequest<'_>) -> bool {
        let first = request.path.split('/').nth(1).unwrap_or_default();
        let taken = self.settings.reserved.contains(&first.to_ascii_lowercase());
        request.navigation && !taken && !last_segment(request.path).contains('.')
    }

    /// Asks the folder; again without the range where it must not count.
    async fn find(&self, request: &FileRequest<'_>, path: &str) -> Result<Option<Served>, Stop> {
        let mut wanted = headers::passed_on(request.method, request.headers);
        let served = self.ask(request.method, path, &wanted).await?;
        match served {
            Some(served) if range_does_not_count(request.headers, &wanted, &served) => {
                wanted.remove(RANGE);
                self.ask(request.method, path, &wanted).await
            }
            served => Ok(served),
        }
    }

    async fn ask(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Option<Served>, Stop> {
        let path = if path.is_empty() { "/" } else { path };
        let mut asked =
            Request::builder().method(method).uri(path).body(Empty::<Bytes>::new()).map_err(|_| no_file())?;
        asked.headers_mut().clone_from(headers);
        match self.folder.clone().try_call(asked).await {
            Ok(served) if served.status() == StatusCode::NOT_FOUND => Ok(None),
            Ok(served) => Ok(Some(served)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Stop::failed(Whose::Gateway, Reason::Internal, error)),
        }
    }

    fn finish(&self, served: Served, name: &str, method: &Method) -> Response<Body> {
        let (mut parts, file) = served.into_parts();
        headers::complete(&mut parts, name, &self.settings);
        let body = match parts.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT if method == Method::GET => {
                Body::File(file.map_err(Into::into).boxed_unsync())
            }
            _ => Body::Empty,
        };
        Response::from_parts(parts, body)
    }
}

/// Where the library's reading of `Range` is not the standard's (RFC 9110, sections 13.1.5 and 14.1.2): parts of a
/// representation that changed, a suffix longer than the file, any part of nothing.
fn range_does_not_count(asked: &HeaderMap, passed_on: &HeaderMap, served: &Served) -> bool {
    let Some(range) = passed_on.get(RANGE) else {
        return false;
    };
    let answer = served.headers();
    // A strong comparison; dates are never strong enough for us.
    let changed = asked.get(IF_RANGE).is_some_and(|known| answer.get(ETAG) != Some(known));
    let empty = answer.get(CONTENT_RANGE).is_some_and(|range| range.as_bytes().ends_with(b"/0"));
    match served.status() {
        StatusCode::PARTIAL_CONTENT => changed || empty,
        StatusCode::RANGE_NOT_SATISFIABLE => changed || is_suffix(range),
        _ => false,
    }
}

/// `bytes=-N` with an N above zero: never beyond the end.
fn is_suffix(range: &HeaderValue) -> bool {
    let length = range.to_str().ok().and_then(|range| range.strip_prefix("bytes=-"));
    length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > 0)
}

/// A redirect to the same path with a slash: local, and checked by the same rule as every other redirect (RD-02).
fn with_slash(request: &FileRequest<'_>) -> Result<Response<Body>, Stop> {
    let path = format!("{}/", request.path);
    let target: Option<ReturnTo> = match request.query {
        Some(query) => format!("{path}?{query}").parse().or_else(|_| path.parse()).ok(),
        None => path.parse().ok(),
    };
    target.map(|target| respond::go_to(&target)).ok_or_else(no_file)
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn no_file() -> Stop {
    Stop::refused(Reason::NoFile)
}

#[cfg(test)]
mod tests;
