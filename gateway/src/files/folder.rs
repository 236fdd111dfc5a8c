//! The folder on disk as the file library sees it: every name is resolved first, and what lies outside of the folder
//! or is protected does not exist, however the name came about: request, link, precompressed sibling or fallback.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs as library;

use super::names;

/// Builds that pin every time for reproducibility use 1970 or 1980 (the beginnings of Unix and of zip archives):
/// such a time says nothing about a change, so it must not make an `ETag`.
const MEANINGLESS_BEFORE: Duration = Duration::from_hours(24 * 3_655);

/// The page of a directory.
pub(super) const INDEX: &str = "index.html";

/// One folder and what lies in it.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: Arc<Path>,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.into() }
    }
}

/// The folder itself cannot be opened: an operator's matter, unlike a file that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("the folder of static files cannot be opened")]
struct NoFolder(#[source] io::Error);

/// Where `path` really is, if that is inside `root` and no part of it is protected.
///
/// Whoever may write into the folder while a request is being answered could still win a race between this and
/// opening the file; such a person decides what is published anyway.
fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let root = fs::canonicalize(root).map_err(|error| io::Error::other(NoFolder(error)))?;
    // A name that leads nowhere, in circles, through a file or to where we may not go is a name of nothing.
    let real = fs::canonicalize(path).map_err(|_| nothing())?;
    let inside = real.strip_prefix(&root).map_err(|_| nothing())?;
    let open = inside.components().all(|part| part.as_os_str().to_str().is_some_and(names::may_be_linked_to));
    if open { Ok(real) } else { Err(nothing()) }
}

/// What is known of a regular file, or of a directory that has a page. There is nothing else.
fn look(root: &Path, path: &Path) -> io::Result<Known> {
    let real = resolve(root, path)?;
    let metadata = fs::metadata(&real)?;
    if metadata.is_file() || (metadata.is_dir() && real.join(INDEX).is_file()) {
        Ok(Known(metadata))
    } else {
        Err(nothing())
    }
}

fn open(root: &Path, path: &Path) -> io::Result<Opened> {
    let real = resolve(root, path)?;
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(&real)?.is_file() {
        return Err(nothing());
    }
    let file = fs::File::open(&real)
        .map_err(|error| if error.kind() == ErrorKind::PermissionDenied { nothing() } else { error })?;
    let known = Known(file.metadata()?);
    Ok(Opened { file: tokio::fs::File::from_std(file), known })
}

fn nothing() -> io::Error {
    ErrorKind::NotFound.into()
}

type Later<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Disks block; requests must not.
fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Later<T> {
    Box::pin(async move { tokio::task::spawn_blocking(work).await.map_err(io::Error::other)? })
}

impl library::Backend for Folder {
    type File = Opened;
    type Metadata = Known;
    type OpenFuture = Later<Opened>;
    type MetadataFuture = Later<Known>;

    fn open(&self, path: PathBuf) -> Later<Opened> {
        let root = Arc::clone(&self.root);
        aside(move || open(&root, &path))
    }

    fn metadata(&self, path: PathBuf) -> Later<Known> {
        let root = Arc::clone(&self.root);
        aside(move || look(&root, &path))
    }
}

/// Size, kind and time.
#[derive(Clone, Debug)]
pub(super) struct Known(Metadata);

impl library::Metadata for Known {
    fn is_dir(&self) -> bool {
        self.0.is_dir()
    }

    fn modified(&self) -> io::Result<SystemTime> {
        let modified = self.0.modified()?;
        match modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(age) if age >= MEANINGLESS_BEFORE => Ok(modified),
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }

    fn len(&self) -> u64 {
        self.0.len()
    }
}

/// A file that may be read.
#[derive(Debug)]
pub(super) struct Opened {
    file: tokio::fs::File,
    known: Known,
}

impl library::File for Opened {
    type Metadata = Known;
    type MetadataFuture<'a> = std::future::Ready<io::Result<Known>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        std::future::ready(Ok(self.known.clone()))
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(cx, buffer)
    }
}

impl AsyncSeek for Opened {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.file).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.file).poll_complete(cx)
    }
}
