//! Opening: what is made, and what is refused with words that help.

use std::fs;
use std::io::ErrorKind;

use super::*;

fn refusal(path: &Path) -> OpenError {
    let error = File::open(path).expect_err("it must not open");
    assert!(error.to_string().contains(&path.display().to_string()), "{error} names the file");
    error
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_this_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let mode = || fs::metadata(place.path()).expect("a file").permissions().mode() & 0o777;
    drop(place.open());
    assert_eq!(mode(), 0o600);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).expect("changed");
    drop(place.open());
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_file_that_another_has_open_is_refused_until_it_is_closed() {
    let place = Place::new();
    let file = place.open();
    assert!(matches!(refusal(&place.path()), OpenError::InUse { .. }));
    drop(file);
    drop(place.open());
}

#[test]
fn a_missing_folder_is_named() {
    let place = Place::new();
    let path = place.folder.path().join("var").join("sessions.db");
    let refused = refusal(&path);
    assert!(matches!(&refused, OpenError::NoFolder { folder, .. } if folder.ends_with("var")));
    assert!(refused.to_string().contains("create it"));
}

#[test]
fn what_is_no_file_is_refused() {
    let place = Place::new();
    assert!(matches!(refusal(place.folder.path()), OpenError::NotAFile { .. }));
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let (mut late, mut early) = (vec![0; 100_000], vec![0; 100_000]);
    late[60_000] = 1;
    early[0] = b'r';
    for content in [b"[server]\nlisten = 1\n".to_vec(), b"\0".repeat(100), late, early] {
        fs::write(place.path(), &content).expect("written");
        assert!(matches!(refusal(&place.path()), OpenError::Foreign { .. }));
        assert_eq!(fs::read(place.path()).expect("still there"), content);
    }
}

#[test]
fn another_database_of_the_same_kind_is_refused() {
    let place = Place::new();
    let database = redb::Database::create(place.path()).expect("made");
    let transaction = database.begin_write().expect("begun");
    let theirs = redb::TableDefinition::<u64, u64>::new("theirs");
    transaction.open_table(theirs).expect("made").insert(1, 2).expect("inserted");
    transaction.commit().expect("written");
    drop(database);
    assert!(matches!(refusal(&place.path()), OpenError::Foreign { .. }));
}

#[test]
fn a_newer_format_is_refused() {
    let place = Place::new();
    drop(place.open());
    let database = redb::Database::open(place.path()).expect("opened");
    let transaction = database.begin_write().expect("begun");
    transaction.open_table(tables::ABOUT).expect("there").insert("format", 2).expect("inserted");
    transaction.commit().expect("written");
    drop(database);
    assert!(matches!(refusal(&place.path()), OpenError::Newer { found: 2, .. }));
}

#[tokio::test]
async fn a_file_whose_making_was_cut_off_is_made_again() {
    let place = Place::new();
    drop(place.open());
    let mut bytes = fs::read(place.path()).expect("read");
    // As it is before the mark is written: a head without it, and nothing behind.
    bytes[..9].fill(0);
    bytes[512..].fill(0);
    fs::write(place.path(), &bytes).expect("written");
    let file = place.open();
    file.create(key(1), &stored(1)).await.expect("created");
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_never_emptied() {
    let place = Place::new();
    let file = place.open();
    let all: Vec<_> = (0..300).map(|number| (key(number), stored(1))).collect();
    futures_util::future::join_all(all.iter().map(|(key, stored)| file.create(*key, stored))).await;
    drop(file);
    let whole = fs::read(place.path()).expect("read");
    let damage = |part: std::ops::Range<usize>| {
        let mut damaged = whole.clone();
        damaged[part].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::write(place.path(), &damaged).expect("written");
    };
    // What holds nothing at the moment may lie anywhere, by how the writes were put together: a sixteenth that is damaged
    // is noticed, or nothing was lost.
    let mut noticed = 0;
    for part in 1..16 {
        damage(whole.len() * part / 16..whole.len() * (part + 1) / 16);
        match File::open(&place.path()) {
            Err(error) => {
                assert!(matches!(error, OpenError::Damaged { .. }), "{part}: {error}");
                noticed += 1;
            }
            Ok(file) => {
                for (key, _) in &all {
                    assert!(file.load(*key).await.expect("read").is_some(), "{part}: a session is lost");
                }
            }
        }
    }
    assert!(noticed > 0, "no damage was noticed");
    for part in [4096..whole.len(), 4096..whole.len() / 2] {
        damage(part.clone());
        let refused = refusal(&place.path());
        assert!(matches!(refused, OpenError::Damaged { .. }), "{part:?}: {refused}");
        assert!(refused.to_string().contains("move it away"));
        assert_eq!(fs::metadata(place.path()).expect("still there").len(), whole.len() as u64);
    }
    fs::write(place.path(), &whole[..whole.len() / 2]).expect("written");
    assert!(matches!(refusal(&place.path()), OpenError::Damaged { .. }));
    fs::write(place.path(), &whole).expect("written");
    assert_eq!(place.open().count().await.expect("read"), 300);
}

#[test]
fn what_the_system_says_is_put_in_words_that_help() {
    for (kind, words) in [
        (ErrorKind::PermissionDenied, "may not be read and written"),
        (ErrorKind::ReadOnlyFilesystem, "read-only"),
        (ErrorKind::StorageFull, "make room"),
        (ErrorKind::QuotaExceeded, "make room"),
        (ErrorKind::TimedOut, "cannot be opened: timed out"),
    ] {
        let said = open::of_io(Path::new("var/s.db"), kind.into()).to_string();
        assert!(said.contains(words) && said.contains("var/s.db"), "{said}");
    }
    assert_eq!(open::folder(Path::new("sessions.db")), Path::new("."));
}
