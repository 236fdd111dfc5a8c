//! Short files as they were answered a moment ago, so that most answers need neither another thread nor the file's bytes
//! once more. Each is taken from here only while its name leads to the very same bytes, which one question to the kernel
//! tells, and for a second: then the folder is asked anew, as for the first time.

use std::collections::hash_map::RandomState;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use papaya::HashMap;
use percent_encoding::percent_decode_str;

use crate::body::Body;

use super::folder::INDEX;

/// The longest file that is kept.
pub(super) const LONGEST: u64 = 1024 * 1024;
/// All that is kept, in bytes of files; when there is more, everything is forgotten at once.
const MOST: usize = 32 * 1024 * 1024;
/// What an entry counts beside its bytes.
const BESIDE: usize = 1024;
/// For how long nothing but the file itself is asked after: whether a better precompressed sibling came, or a link moved.
const FRESH: Duration = Duration::from_secs(1);
/// The longest `Accept-Encoding` that is told apart.
const LONGEST_ENCODING: usize = 64;

/// The kept files of one folder.
#[derive(Debug)]
pub(super) struct Shelf {
    root: PathBuf,
    kept: HashMap<String, Arc<Kept>, RandomState>,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Kept {
    file: PathBuf,
    state: State,
    since: Instant,
    headers: HeaderMap,
    bytes: Bytes,
}

/// What changes when a name gets other bytes: which file it is, how long, and when it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    length: u64,
    modified: Option<SystemTime>,
    /// Device, inode and the time of the last change of either, where there are such.
    #[cfg(unix)]
    node: (u64, u64, i64, i64),
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            node: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Shelf {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), kept: HashMap::default(), bytes: AtomicUsize::new(0) }
    }

    /// The answer to a plain request for that path, if it is at hand and still true.
    pub(super) fn take(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        let key = key(method, path, headers)?;
        let kept = self.kept.pin();
        let found = kept.get(&key)?;
        let is_true = found.since.elapsed() < FRESH
            // Its name was looked up a moment ago, so the kernel knows the answer without a disk.
            && fs::metadata(&found.file).is_ok_and(|metadata| State::of(&metadata) == found.state);
        if !is_true {
            if let Some(gone) = kept.remove(&key) {
                self.bytes.fetch_sub(gone.bytes.len() + BESIDE, Ordering::Relaxed);
            }
            return None;
        }
        let mut response = Response::new(Body::Full(found.bytes.clone()));
        response.headers_mut().clone_from(&found.headers);
        Some(response)
    }

    /// Where the file of that answer lies, and its state before it was read: what [`Self::keep`] wants to know.
    pub(super) fn before(&self, path: &str, answer: &HeaderMap) -> Option<(PathBuf, State)> {
        let mut file = percent_decode_str(path.trim_start_matches('/')).decode_utf8().ok()?.into_owned();
        if file.is_empty() || file.ends_with('/') {
            file.push_str(INDEX);
        }
        match answer.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None => {}
            Some(b"br") => file.push_str(".br"),
            Some(b"gzip") => file.push_str(".gz"),
            Some(b"zstd") => file.push_str(".zst"),
            Some(_) => return None,
        }
        let file = self.root.join(file);
        let metadata =
            fs::metadata(&file).ok().filter(|metadata| metadata.is_file() && metadata.len() <= LONGEST)?;
        Some((file, State::of(&metadata)))
    }

    /// Keeps an answer whose bytes were read since `state` was seen; not if the file has changed meanwhile.
    pub(super) fn keep(
        &self,
        (method, path, asked): (&Method, &str, &HeaderMap),
        (file, state): (PathBuf, State),
        (headers, bytes): (&HeaderMap, &Bytes),
    ) {
        let is_same = fs::metadata(&file).is_ok_and(|metadata| State::of(&metadata) == state);
        let Some(key) = key(method, path, asked).filter(|_| is_same && state.length == bytes.len() as u64)
        else {
            return;
        };
        let size = bytes.len() + BESIDE;
        if self.bytes.fetch_add(size, Ordering::Relaxed) + size > MOST {
            self.kept.pin().clear();
            self.bytes.store(size, Ordering::Relaxed);
        }
        let kept =
            Kept { file, state, since: Instant::now(), headers: headers.clone(), bytes: bytes.clone() };
        if let Some(old) = self.kept.pin().insert(key, Arc::new(kept)) {
            self.bytes.fetch_sub(old.bytes.len() + BESIDE, Ordering::Relaxed);
        }
    }

    /// Whether a request is one whose answer may be kept: the whole file, without conditions.
    pub(super) fn is_plain(method: &Method, headers: &HeaderMap) -> bool {
        *method == Method::GET
            && headers.keys().all(|name| {
                !matches!(*name, RANGE | IF_MATCH | IF_NONE_MATCH | IF_MODIFIED_SINCE | IF_UNMODIFIED_SINCE)
            })
    }
}

/// The path, and how the file may be packed. Canonical paths hold no blank, so that no two are one.
fn key(method: &Method, path: &str, headers: &HeaderMap) -> Option<String> {
    if !Shelf::is_plain(method, headers) {
        return None;
    }
    let mut encodings = headers.get_all(ACCEPT_ENCODING).iter();
    let encoding = match (encodings.next(), encodings.next()) {
        (None, _) => "",
        (Some(encoding), None) => encoding.to_str().ok().filter(|text| text.len() <= LONGEST_ENCODING)?,
        _ => return None,
    };
    let mut key = String::with_capacity(path.len() + 1 + encoding.len());
    key.push_str(path);
    key.push(' ');
    key.push_str(encoding);
    Some(key)
}

/// Whether an answer may be kept as it is.
pub(super) fn is_keepable(answer: &Response<Body>) -> bool {
    answer.status() == StatusCode::OK && matches!(answer.body(), Body::File(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::CONTENT_LENGTH;

    struct Stage {
        folder: tempfile::TempDir,
        shelf: Shelf,
    }

    impl Stage {
        fn with(name: &str, text: &str) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join(name), text).expect("written");
            let shelf = Shelf::new(folder.path());
            Self { folder, shelf }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(name), text).expect("written");
        }

        /// What a request for that path was answered is kept, if it may be.
        fn keep(&self, path: &str, text: &str, answer: &HeaderMap) {
            if let Some(before) = self.shelf.before(path, answer) {
                let bytes = Bytes::from(text.to_owned());
                self.shelf.keep((&Method::GET, path, &HeaderMap::new()), before, (answer, &bytes));
            }
        }

        fn take(&self, path: &str, asked: &HeaderMap) -> Option<Bytes> {
            match self.shelf.take(&Method::GET, path, asked)?.into_body() {
                Body::Full(bytes) => Some(bytes),
                _ => None,
            }
        }
    }

    fn headers<const N: usize>(fields: [(http::HeaderName, &'static str); N]) -> HeaderMap {
        fields.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect()
    }

    #[test]
    fn what_was_answered_is_answered_again_with_all_its_headers() {
        let stage = Stage::with("a b.txt", "text");
        let answer = headers([(CONTENT_LENGTH, "4")]);
        stage.keep("/a%20b.txt", "text", &answer);
        let again = stage.shelf.take(&Method::GET, "/a%20b.txt", &HeaderMap::new()).expect("kept");
        assert_eq!(*again.headers(), answer);
        assert_eq!(stage.take("/a%20b.txt", &HeaderMap::new()).expect("kept"), "text");
        assert!(stage.take("/b.txt", &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_file_that_was_changed_replaced_or_taken_away_is_asked_for_anew() {
        let changes: [fn(&Stage); 3] = [
            |stage| stage.write("file", "other text"),
            |stage| {
                stage.write("new", "next");
                let folder = stage.folder.path();
                fs::rename(folder.join("new"), folder.join("file")).expect("replaced");
            },
            |stage| fs::remove_file(stage.folder.path().join("file")).expect("removed"),
        ];
        for change in changes {
            let stage = Stage::with("file", "text");
            stage.keep("/file", "text", &HeaderMap::new());
            assert!(stage.take("/file", &HeaderMap::new()).is_some());
            change(&stage);
            assert!(stage.take("/file", &HeaderMap::new()).is_none());
            assert_eq!(stage.shelf.bytes.load(Ordering::Relaxed), 0, "what is not kept does not count");
        }
    }

    #[test]
    fn only_the_whole_file_without_conditions_is_kept_and_each_encoding_for_itself() {
        let stage = Stage::with("file", "text");
        stage.keep("/file", "text", &HeaderMap::new());
        for asked in [
            headers([(RANGE, "bytes=0-1")]),
            headers([(IF_NONE_MATCH, "*")]),
            headers([(IF_MODIFIED_SINCE, "Sun, 22 Nov 2026 12:00:00 GMT")]),
            headers([(ACCEPT_ENCODING, "br")]),
        ] {
            assert!(stage.take("/file", &asked).is_none(), "{asked:?}");
        }
        assert!(stage.shelf.take(&Method::HEAD, "/file", &HeaderMap::new()).is_none());
        assert!(stage.take("/file", &HeaderMap::new()).is_some(), "the twin");
    }

    #[test]
    fn a_packed_answer_stands_and_falls_with_the_packed_file() {
        let stage = Stage::with("app.js.br", "packed");
        stage.write("app.js", "plain");
        stage.keep("/app.js", "packed", &headers([(CONTENT_ENCODING, "br")]));
        assert!(stage.take("/app.js", &HeaderMap::new()).is_some());
        stage.write("app.js.br", "packed anew");
        assert!(stage.take("/app.js", &HeaderMap::new()).is_none());
    }

    #[test]
    fn what_is_long_or_was_read_in_part_is_not_kept() {
        let stage = Stage::with("file", "text");
        stage.keep("/file", "tex", &HeaderMap::new());
        assert!(stage.take("/file", &HeaderMap::new()).is_none());
        let length = usize::try_from(LONGEST).expect("small") + 1;
        stage.write("long", &"x".repeat(length));
        assert!(stage.shelf.before("/long", &HeaderMap::new()).is_none());
        assert!(stage.shelf.before("/", &HeaderMap::new()).is_none(), "there is no page");
    }

    #[test]
    fn what_is_kept_stays_within_its_bounds() {
        let stage = Stage::with("file", "text");
        for number in 0..MOST / BESIDE + 10 {
            stage.keep(&format!("/{}file", "./".repeat(number % 2)), "text", &HeaderMap::new());
        }
        assert!(stage.shelf.bytes.load(Ordering::Relaxed) <= MOST);
        assert!(stage.shelf.kept.len() <= 2);
    }
}
