//! Disks that are full or fail: what can go on does, and everything goes on by itself afterwards.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::*;

/// A disk of which the test decides how large it is and whether it answers.
#[derive(Clone, Debug)]
struct Disk {
    size: Arc<AtomicU64>,
    is_broken: Arc<AtomicBool>,
}

impl Disk {
    fn new() -> Self {
        Self { size: Arc::new(AtomicU64::new(u64::MAX)), is_broken: Arc::default() }
    }

    fn open(&self, place: &Place) -> File {
        let (disk, path) = (self.clone(), place.path());
        File::over(&place.path(), move |may_create| {
            let file = open::backend(&path, may_create).expect("the file itself is all right");
            open::database(&path, OnDisk { file, disk: disk.clone() })
        })
        .expect("the file opens")
    }

    fn fits(&self, end: u64) -> io::Result<()> {
        if end > self.size.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn answers(&self) -> io::Result<()> {
        if self.is_broken.load(Ordering::Relaxed) { Err(io::Error::other("no answer")) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct OnDisk {
    file: FileBackend,
    disk: Disk,
}

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        self.disk.answers().and_then(|()| self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.answers().and_then(|()| self.file.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.answers()?;
        self.disk.fits(len).and_then(|()| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.answers().and_then(|()| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.answers()?;
        self.disk.fits(offset + data.len() as u64).and_then(|()| self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

fn large(version: u64) -> Stored {
    Stored { body: vec![version.to_le_bytes()[0]; 20_000], ..stored(version) }
}

#[tokio::test]
async fn on_a_full_disk_reads_go_on_and_writes_begin_again_when_there_is_room() {
    let (place, disk) = (Place::new(), Disk::new());
    let file = disk.open(&place);
    for number in 0..20 {
        file.create(key(number), &large(1)).await.expect("created");
    }
    disk.size.store(std::fs::metadata(place.path()).expect("a file").len(), Ordering::Relaxed);
    let (mut last, mut refused) = (20, None);
    while refused.is_none() {
        match file.create(key(last), &large(1)).await {
            Ok(()) => last += 1,
            Err(error) => refused = Some(error),
        }
    }
    assert!(matches!(refused, Some(StoreError::Unwritable(_))), "{refused:?}");
    for number in 0..last {
        assert_eq!(file.load(key(number)).await.expect("reads go on"), Some(large(1)));
    }
    assert!(matches!(file.create(key(900), &large(1)).await, Err(StoreError::Unwritable(_))));

    disk.size.store(u64::MAX, Ordering::Relaxed);
    eventually("writes begin again", async || file.create(key(901), &large(1)).await.is_ok()).await;
    drop(file);
    let file = place.open();
    for number in (0..last).chain([901]) {
        assert_eq!(file.load(key(number)).await.expect("read"), Some(large(1)));
    }
}

#[tokio::test]
async fn a_disk_that_stops_answering_is_noticed_and_its_return_too() {
    let (place, disk) = (Place::new(), Disk::new());
    let file = disk.open(&place);
    file.create(key(1), &stored(1)).await.expect("created");
    disk.is_broken.store(true, Ordering::Relaxed);
    assert!(matches!(file.create(key(2), &stored(1)).await, Err(StoreError::Unwritable(_))));
    assert!(matches!(file.load(key(1)).await, Err(StoreError::Unreachable(_))));
    disk.is_broken.store(false, Ordering::Relaxed);
    // Nobody has to write for that.
    eventually("reads begin again", async || file.load(key(1)).await.is_ok()).await;
    assert_eq!(file.load(key(1)).await.expect("read"), Some(stored(1)));
    eventually("writes begin again", async || file.create(key(3), &stored(1)).await.is_ok()).await;
}

#[tokio::test]
async fn a_read_that_fails_once_is_tried_on_a_file_opened_anew() {
    let (place, disk) = (Place::new(), Disk::new());
    drop(place.open());
    let file = disk.open(&place);
    file.create(key(1), &stored(1)).await.expect("created");
    let failing = AtomicBool::new(true);
    // As if an error of the disk had made the database useless.
    let read = file.shared.read(&|tables: &Snapshot| {
        if failing.swap(false, Ordering::Relaxed) { Err(Error::PreviousIo) } else { tables.count() }
    });
    assert_eq!(read.expect("read in the second try"), 1);
}

/// A file may grow to that size and no further: what a full disk, a quota and a limit of the system look like, without
/// being root. A process of its own, because the limit is the whole process's.
#[cfg(unix)]
#[tokio::test]
async fn a_limit_of_the_system_is_survived_as_well() {
    let place = Place::new();
    let done = crash::child("disk::limited_process", &place.path()).output().expect("it ran");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let file = place.open();
    assert!(file.load(key(0)).await.expect("read").is_some());
    assert!(file.load(key(1_000)).await.expect("read").is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn limited_process() {
    use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
    use tokio::signal::unix::{SignalKind, signal};
    let Some(path) = crash::child_path() else { return };
    // The signal that comes with the limit would end the process.
    let _handled = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).expect("handled");
    let file = File::open(&path).expect("it opens");
    file.create(key(0), &large(1)).await.expect("created");
    let before = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(2_000_000), ..before }).expect("limited");
    let mut last = 1;
    let refused = loop {
        match file.create(key(last), &large(1)).await {
            Ok(()) => last += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Unwritable(_)) && last < 200, "{last} {refused:?}");
    for number in 0..last {
        assert!(file.load(key(number)).await.expect("reads go on").is_some());
    }
    setrlimit(Resource::Fsize, before).expect("let go");
    eventually("writes begin again", async || file.create(key(1_000), &large(1)).await.is_ok()).await;
}
