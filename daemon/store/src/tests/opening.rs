//! Versions, read-only folders, no store at all.
use super::*;
use crate::store::{Access, Kept, Lookup};
use crate::{Event, MissReason, StoreError};

#[test]
fn a_folder_of_a_later_version_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("format"), "vitte-store 2\n").unwrap();
    let store = Store::open(&folder, Options::default()).unwrap();
    assert_eq!(store.folder(), scratch.path().join("store-format1"));
    let events = store.take_events();
    assert!(matches!(&events[..], [Event::NewerFormat { found: 2, known: 1, .. }]), "{events:?}");
    assert_eq!(store.put(b"x").1, Kept::Stored);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // And when that one is of a later version too.
    std::fs::write(scratch.path().join("store-format1/format"), "vitte-store 9\n").unwrap();
    drop(store);
    let error = Store::open(&folder, Options::default()).unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 9, .. }), "{error}");
    let without = Store::open_or_without(&folder, Options::default());
    assert_eq!(without.access(), Access::None);
    assert!(without.take_events()[0].to_string().contains("format 9"));
}

#[test]
fn a_format_file_that_was_cut_is_written_again() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path(), standing().0).unwrap();
    store.publish(&key(1), &result(1));
    drop(store);
    for left in ["", "vitte", "\0\0\0\0\0\0"] {
        std::fs::write(scratch.path().join("format"), left).unwrap();
        let store = Store::open(scratch.path(), standing().0).unwrap();
        assert_eq!(store.lookup(&key(1)), Lookup::Hit(result(1)));
        assert_eq!(std::fs::read_to_string(scratch.path().join("format")).unwrap(), "vitte-store 1\n");
    }
}

#[test]
fn without_a_store_everything_is_a_miss() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    std::fs::write(&file, b"in the way").unwrap();
    assert!(matches!(Store::open(&file, Options::default()), Err(StoreError::Open { .. })));
    let store = Store::open_or_without(&file, Options::default());
    let events = store.take_events();
    assert!(matches!(&events[..], [Event::Without { .. }]), "{events:?}");
    let (digest, kept) = store.put(b"x");
    assert_eq!(kept, Kept::Dropped);
    assert_eq!(store.get(&digest), None);
    assert_eq!(store.publish(&key(1), &result(1)), Kept::Dropped);
    assert_eq!(store.lookup(&key(1)), Lookup::Miss(MissReason::NoStore));
    assert_eq!(store.lease(&[digest]).missing(), [digest]);
    assert!(matches!(store.pin("p", &[]), Err(StoreError::NotWritable { .. })));
    assert_eq!(store.stats().counts.actions.missed(MissReason::NoStore), 1);
    assert!(store.verify(&mut go_on).is_err());
    assert!(store.collect(&crate::CollectOptions::default(), &mut go_on).is_err());
}

#[test]
fn a_read_only_folder_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path(), standing().0).unwrap();
    let (digest, _) = store.put(b"blob");
    store.publish(&key(1), &result(1));
    drop(store);
    // The right to write is refused from the second operation on: the first reads the format.
    let files = crate::files::Files::open(scratch.path()).unwrap();
    files.faults.plan(3, 1, libc::EROFS);
    let events = crate::event::Events::default();
    let Ok(crate::store::Entered::Ours(files, access)) = crate::store::enter_files(files, &events) else {
        panic!("the folder is ours");
    };
    assert_eq!(access, Access::ReadOnly);
    let store = Store::with(Some(files), scratch.path().to_owned(), access, standing().0, events);
    assert_eq!(store.get(&digest).unwrap(), b"blob");
    assert_eq!(store.lookup(&key(1)), Lookup::Hit(result(1)));
    assert_eq!(store.put(b"new").1, Kept::Dropped);
    assert_eq!(store.publish(&key(2), &result(2)), Kept::Dropped);
    assert!(!store.lease(&[digest]).is_held());
    let events = store.take_events();
    assert!(matches!(&events[..], [Event::ReadOnly { .. }]), "{events:?}");
}

#[test]
fn a_blob_is_materialised_as_a_copy() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(&scratch.path().join("store"), standing().0).unwrap();
    let (digest, _) = store.put(b"a program");
    let path = scratch.path().join("program");
    std::fs::write(&path, b"an older one").unwrap();
    assert_eq!(store.materialise(&digest, &path, 0o755).unwrap(), crate::Materialised::Written);
    assert!(vitte_sys::fs::is_executable(&path));
    std::fs::write(&path, b"scribbled").unwrap();
    assert_eq!(store.get(&digest).unwrap(), b"a program");
    let missing = crate::Digest::of(b"never stored");
    assert_eq!(store.materialise(&missing, &path, 0o644).unwrap(), crate::Materialised::Missing);
    assert_eq!(std::fs::read(&path).unwrap(), b"scribbled");
}

#[test]
fn large_blobs_are_packed_where_asked() {
    let scratch = tempfile::tempdir().unwrap();
    let options = Options { compress_from: Some(1000), ..standing().0 };
    let store = Store::open(scratch.path(), options).unwrap();
    let large = b"the same again ".repeat(1000);
    let (digest, kept) = store.put(&large);
    assert_eq!(kept, Kept::Stored);
    assert_eq!(store.put(&large).1, Kept::AlreadyThere);
    assert!(store.contains(&digest));
    assert_eq!(store.get(&digest).unwrap(), large);
    assert_eq!(store.stats().blobs.bytes, 4096);
    // Whoever does not pack reads it all the same.
    let plain = Store::open(scratch.path(), standing().0).unwrap();
    assert_eq!(plain.get(&digest).unwrap(), large);
    assert!(plain.verify(&mut go_on).unwrap().is_sound());
}
