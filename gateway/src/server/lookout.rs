//! The watch over the files that a configuration was read from. Folders are watched, not files: a file that is replaced,
//! or reached through a link that is turned (as Kubernetes and certbot do it), is another file. Says that something is
//! different; what that means is for others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::config::Source;

/// Several files are written one after the other; what is between them is nobody's configuration.
const QUIET: Duration = Duration::from_millis(100);
/// Whoever writes without a pause is not waited for longer than this.
const MOST: Duration = Duration::from_secs(2);
/// Some changes nobody tells of: on network file systems, and to a single file that was mounted into a container.
const SELDOM: Duration = Duration::from_secs(20);

/// The way to a running watch. It ends when this is dropped.
pub(super) struct Lookout {
    inbox: Sender<Message>,
}

enum Message {
    /// Look at these from now on.
    Follow(Vec<Source>),
    /// Something happened in a folder.
    Stir,
}

impl Lookout {
    /// Begins to watch nothing. `tell` is called when one of the files that are followed is different; once, until it is
    /// said what to follow next.
    pub(super) fn start(tell: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (inbox, messages) = channel();
        let stir = inbox.clone();
        let stirred = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| may_change(event.kind)) {
                let _ = stir.send(Message::Stir);
            }
        };
        let watcher = notify::recommended_watcher(stirred).inspect_err(|error| {
            tracing::warn!(
                target: "gateway",
                %error,
                "the system does not tell of changed files: a changed configuration is found within {} seconds",
                SELDOM.as_secs(),
            );
        });
        let (watcher, folders, sources) = (watcher.ok(), BTreeSet::new(), Vec::new());
        let mut watched = Watched { watcher, folders, sources, is_told: false };
        thread::Builder::new().name("watch".to_owned()).spawn(move || watched.run(&messages, &tell))?;
        Ok(Self { inbox })
    }

    /// What to look at from now on.
    pub(super) fn follow(&self, sources: Vec<Source>) {
        let _ = self.inbox.send(Message::Follow(sources));
    }
}

/// Whether there may be something else in a file after that. Our own reading is not.
fn may_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

struct Watched {
    /// Nothing where the system has none to spare.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    sources: Vec<Source>,
    is_told: bool,
}

impl Watched {
    fn run(&mut self, messages: &Receiver<Message>, tell: &impl Fn()) {
        loop {
            match messages.recv_timeout(SELDOM) {
                Ok(Message::Follow(sources)) => self.follow(sources),
                Ok(Message::Stir) => self.settle(messages),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if !self.is_told && self.sources.iter().any(Source::has_changed) {
                self.is_told = true;
                tell();
            }
        }
    }

    /// Waits until nobody writes any more.
    fn settle(&mut self, messages: &Receiver<Message>) {
        let until = Instant::now() + MOST;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match messages.recv_timeout(QUIET.min(left)) {
                Ok(Message::Stir) => {}
                Ok(Message::Follow(sources)) => self.follow(sources),
                Err(_) => return,
            }
        }
    }

    fn follow(&mut self, sources: Vec<Source>) {
        let wanted = sources.iter().flat_map(|source| folders(source.path())).collect();
        if let Some(watcher) = &mut self.watcher {
            for folder in self.folders.difference(&wanted) {
                let _ = watcher.unwatch(folder);
            }
            // Also those that were watched before: a folder may have been made anew. One that is not there yet is found
            // by looking now and then.
            for folder in &wanted {
                let _ = watcher.watch(folder, RecursiveMode::NonRecursive);
            }
        }
        (self.folders, self.sources, self.is_told) = (wanted, sources, false);
    }
}

/// Where something happens when there is something else in that file: in its folder, and in that of the file itself where
/// the name is a link.
fn folders(path: &Path) -> impl Iterator<Item = PathBuf> {
    let real = path.canonicalize().ok();
    let parents = [Some(path), real.as_deref()].map(|path| path.and_then(parent));
    parents.into_iter().flatten()
}

fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    struct Bench {
        folder: tempfile::TempDir,
        watch: Lookout,
        told: Receiver<()>,
    }

    impl Bench {
        fn new() -> Self {
            let (tell, told) = channel();
            let watch = Lookout::start(move || tell.send(()).expect("the test waits")).expect("a thread");
            Self { folder: tempfile::tempdir().expect("a folder"), watch, told }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.path(name), text).expect("written");
        }

        fn follow(&self, names: &[&str]) {
            self.watch.follow(names.iter().map(|name| Source::of(&self.path(name))).collect());
        }

        #[track_caller]
        fn must_tell(&self) {
            self.told.recv_timeout(PATIENCE).expect("it is told");
        }
    }

    #[test]
    fn a_file_that_is_written_or_replaced_is_told_of_once_until_it_is_followed_anew() {
        let bench = Bench::new();
        bench.write("a", "one");
        bench.follow(&["a"]);
        bench.write("a", "two");
        bench.must_tell();
        bench.write("a", "three");
        bench.follow(&["a"]);
        bench.write("b", "four");
        std::fs::rename(bench.path("b"), bench.path("a")).expect("replaced");
        bench.must_tell();
        assert!(bench.told.try_recv().is_err(), "once each");
    }

    #[test]
    fn a_change_from_before_it_was_followed_is_told_too() {
        let bench = Bench::new();
        bench.write("a", "one");
        let source = Source::of(&bench.path("a"));
        bench.write("a", "two");
        bench.watch.follow(vec![source]);
        bench.must_tell();
    }

    #[test]
    fn a_file_that_comes_or_goes_is_told() {
        let bench = Bench::new();
        bench.follow(&["a"]);
        bench.write("a", "one");
        bench.must_tell();
        bench.follow(&["a"]);
        std::fs::remove_file(bench.path("a")).expect("removed");
        bench.must_tell();
    }

    #[test]
    #[cfg(unix)]
    fn a_link_that_is_turned_is_told_as_kubernetes_does_it() {
        use std::os::unix::fs::symlink;
        let bench = Bench::new();
        for (folder, text) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(bench.path(folder)).expect("a folder");
            std::fs::write(bench.path(folder).join("a"), text).expect("written");
        }
        symlink("..1", bench.path("..data")).expect("a link");
        symlink("..data/a", bench.path("a")).expect("a link");
        bench.follow(&["a"]);
        symlink("..2", bench.path("..data_tmp")).expect("a link");
        std::fs::rename(bench.path("..data_tmp"), bench.path("..data")).expect("turned");
        bench.must_tell();
        // And what the link leads to, where that changes.
        bench.follow(&["a"]);
        std::fs::write(bench.path("..2").join("a"), "three").expect("written");
        bench.must_tell();
    }

    #[test]
    fn what_happens_beside_the_files_is_not_told() {
        let bench = Bench::new();
        bench.write("a", "one");
        bench.follow(&["a"]);
        bench.write("b", "other");
        bench.write("a", "one");
        // Whatever happened before this is looked at together with it, or before it.
        bench.write("a", "two");
        bench.must_tell();
        assert!(bench.told.recv_timeout(QUIET * 3).is_err());
    }
}
