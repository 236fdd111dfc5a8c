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
/// All that is in memory, in bytes of files: what is kept, what is being read, and what clients that take their time still
/// hold. When there is more, files are streamed in pieces, as long ones always are (requirement RL-04).
const MOST_ALIVE: usize = 4 * MOST;
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
    alive: Arc<AtomicUsize>,
}

/// A file that is about to be read whole: where it lies, its state before that, and the room for it.
pub(super) struct Before {
    file: PathBuf,
    state: State,
    room: Room,
}

/// Room in memory for the bytes of a file, free again when it is dropped.
struct Room {
    alive: Arc<AtomicUsize>,
    size: usize,
}

/// Bytes of a file, and their room for as long as anybody holds them.
struct Lent {
    bytes: Bytes,
    _room: Room,
}

impl Room {
    fn take(alive: &Arc<AtomicUsize>, size: usize) -> Option<Self> {
        let room = Self { alive: Arc::clone(alive), size };
        let before = alive.fetch_add(size, Ordering::Relaxed);
        (before.saturating_add(size) <= MOST_ALIVE).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.alive.fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
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
        Self {
            root: root.to_owned(),
            kept: HashMap::default(),
            bytes: AtomicUsize::new(0),
            alive: Arc::default(),
        }
    }

    /// The answer to a plain request for that path, if it is at hand and still true.
    pub(super) fn take(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        let key = key(method, path, headers)?;
        let kept = self.kept.pin();
        let found = kept.get(&key)?;
        // Its name was looked up a moment ago, so the kernel knows the answer without a disk.
        let is_same = fs::metadata(&found.file).is_ok_and(|metadata| State::of(&metadata) == found.state);
        if !is_same {
            if let Some(gone) = kept.remove(&key) {
                self.bytes.fetch_sub(gone.bytes.len() + BESIDE, Ordering::Relaxed);
            }
            return None;
        }
        // The folder is asked anew, and perhaps names the same bytes again.
        if found.since.elapsed() >= FRESH {
            return None;
        }
        let mut response = Response::new(Body::Full(found.bytes.clone()));
        response.headers_mut().clone_from(&found.headers);
        Some(response)
    }

    /// What [`Self::keep`] wants to know of the file of that answer; nothing for one that shall be streamed.
    pub(super) fn before(&self, path: &str, answer: &HeaderMap) -> Option<Before> {
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
        let Some(room) = Room::take(&self.alive, usize::try_from(metadata.len()).ok()?) else {
            // What nobody asks for any more is not worth more than what is asked for now.
            self.forget_all(0);
            return None;
        };
        Some(Before { file, state: State::of(&metadata), room })
    }

    /// Keeps an answer whose bytes were read since `before`; not if the file has changed meanwhile. The bytes as they are
    /// to be answered.
    pub(super) fn keep(
        &self,
        (method, path, asked): (&Method, &str, &HeaderMap),
        before: Before,
        (headers, bytes): (&HeaderMap, Bytes),
    ) -> Bytes {
        let Before { file, state, room } = before;
        let is_same = fs::metadata(&file).is_ok_and(|metadata| State::of(&metadata) == state);
        let Some(key) = key(method, path, asked).filter(|_| is_same && state.length == bytes.len() as u64)
        else {
            return Bytes::from_owner(Lent { bytes, _room: room });
        };
        let kept = self.kept.pin();
        // One copy is enough for all who hold it.
        let known = kept.get(&key).filter(|known| known.bytes == bytes);
        let bytes =
            known.map_or_else(|| Bytes::from_owner(Lent { bytes, _room: room }), |known| known.bytes.clone());
        let size = bytes.len() + BESIDE;
        // Wraps for a moment where another thread forgets everything between somebody's taking away and counting.
        if self.bytes.fetch_add(size, Ordering::Relaxed).wrapping_add(size) > MOST {
            self.forget_all(size);
        }
        let entry =
            Kept { file, state, since: Instant::now(), headers: headers.clone(), bytes: bytes.clone() };
        if let Some(old) = kept.insert(key, Arc::new(entry)) {
            self.bytes.fetch_sub(old.bytes.len() + BESIDE, Ordering::Relaxed);
        }
        bytes
    }

    /// `size` is counted already, of what comes next.
    fn forget_all(&self, size: usize) {
        self.kept.pin().clear();
        self.bytes.store(size, Ordering::Relaxed);
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
                self.shelf.keep((&Method::GET, path, &HeaderMap::new()), before, (answer, bytes));
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
    fn what_is_in_memory_is_counted_and_the_rest_is_streamed() {
        let stage = Stage::with("file", "");
        let length = usize::try_from(LONGEST).expect("small");
        stage.write("file", &"x".repeat(length));
        let before = || stage.shelf.before("/file", &HeaderMap::new());
        let mut reading: Vec<_> = (0..MOST_ALIVE / length).map(|_| before().expect("room")).collect();
        assert!(before().is_none());
        reading.clear();
        assert!(before().is_some(), "the twin: they are done");
    }

    #[test]
    fn slow_clients_share_the_bytes_of_a_file_until_it_changes() {
        let stage = Stage::with("file", "text");
        let read = |text: &'static str| {
            let before = stage.shelf.before("/file", &HeaderMap::new()).expect("room");
            let bytes = Bytes::from_static(text.as_bytes());
            stage.shelf.keep((&Method::GET, "/file", &HeaderMap::new()), before, (&HeaderMap::new(), bytes))
        };
        let alive = || stage.shelf.alive.load(Ordering::Relaxed);
        let first = read("text");
        assert_eq!((read("text").as_ptr(), alive()), (first.as_ptr(), 4));
        stage.write("file", "longer");
        let second = read("longer");
        assert_eq!((&first[..], &second[..], alive()), (&b"text"[..], &b"longer"[..], 10));
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
