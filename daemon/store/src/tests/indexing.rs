//! What the index knows, and what its damage costs.
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::Event;
use crate::store::{IndexState, Lookup};

fn entries(store: &Store) -> u64 {
    let stats = store.stats();
    stats.blobs.entries + stats.actions.entries
}

fn filled(folder: &Path, count: u64) -> Store {
    let store = Store::open(folder, Options::default()).unwrap();
    for number in 0..count {
        store.publish(&key(number), &result(number));
        store.put(&number.to_le_bytes());
    }
    store
}

#[test]
fn the_index_knows_what_every_process_published() {
    let scratch = tempfile::tempdir().unwrap();
    let owner = filled(scratch.path(), 50);
    let stats = owner.stats();
    assert_eq!(stats.index, IndexState::Ready);
    assert_eq!((stats.blobs.entries, stats.actions.entries), (50, 50));
    let other = Store::open(scratch.path(), Options::default()).unwrap();
    assert_eq!(other.stats().index, IndexState::NotHere);
    assert_eq!(other.stats().blobs, stats.blobs, "by walking");
    for number in 50..80 {
        other.publish(&key(number), &result(number));
    }
    assert_eq!(entries(&owner), 130);
    // The right to the index passes on.
    drop(owner);
    assert_eq!(other.stats().index, IndexState::Ready);
    assert_eq!(entries(&other), 130);
}

#[test]
fn an_index_that_is_gone_is_made_again() {
    let scratch = tempfile::tempdir().unwrap();
    drop(filled(scratch.path(), 30));
    std::fs::remove_dir_all(scratch.path().join("index.vitte")).unwrap();
    let store = Store::open(scratch.path(), Options::default()).unwrap();
    assert_eq!(store.lookup(&key(3)), Lookup::Hit(result(3)));
    assert_eq!(entries(&store), 60);
    assert_eq!(store.stats().index, IndexState::Ready);
    let events = store.take_events();
    assert!(matches!(&events[..], [Event::IndexRebuilt { entries: 60, .. }]), "{events:?}");
}

fn index_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.join("index.vitte")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Whatever happens to the files of the index: look-ups answer, and the totals are right.
#[test]
fn a_damaged_index_costs_nothing_but_time() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("emptied", |path| std::fs::write(path, b"").unwrap()),
        ("overwritten", |path| {
            let length = std::fs::metadata(path).unwrap().len() as usize;
            std::fs::write(path, vec![0xa5; length]).unwrap();
        }),
        ("cut in half", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("flipped", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            for place in (0..bytes.len()).step_by(701) {
                bytes[place] ^= 0x10;
            }
            std::fs::write(path, bytes).unwrap();
        }),
    ];
    let scratch = tempfile::tempdir().unwrap();
    let mut set_aside = 0;
    for (name, damage) in damages {
        let folder = scratch.path().join(name);
        drop(filled(&folder, 40));
        for file in index_files(&folder) {
            damage(&file);
            let store = Store::open(&folder, Options::default()).unwrap();
            assert_eq!(store.lookup(&key(7)), Lookup::Hit(result(7)));
            assert_eq!(entries(&store), 80, "{name}: {}", file.display());
            let state = store.stats().index;
            let events = store.take_events();
            assert_eq!(state, IndexState::Ready, "{name}: {}: {events:?}", file.display());
            set_aside += events.iter().filter(|event| matches!(event, Event::IndexSetAside { .. })).count();
            drop(store);
            if !file.exists() {
                break;
            }
        }
        let aside = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().contains(".damaged-");
        let kept = std::fs::read_dir(&folder).unwrap().filter(|entry| aside(entry.as_ref().unwrap())).count();
        assert!(kept <= 2, "{kept} damaged indexes are kept");
    }
    assert!(set_aside > 0);
}

#[test]
fn an_index_that_is_too_slow_is_set_aside() {
    let scratch = tempfile::tempdir().unwrap();
    drop(filled(scratch.path(), 10));
    let options = Options { index_deadline: Duration::ZERO, ..Options::default() };
    let store = Store::open(scratch.path(), options).unwrap();
    assert_eq!(store.lookup(&key(3)), Lookup::Hit(result(3)));
    assert_eq!(entries(&store), 20);
    let events = store.take_events();
    assert!(
        matches!(&events[0], Event::IndexSetAside { reason, .. } if reason.contains("within")),
        "{events:?}"
    );
    drop(store);
    // The next process opens one in time.
    let store = Store::open(scratch.path(), Options::default()).unwrap();
    assert_eq!(entries(&store), 20);
}

#[test]
fn repair_makes_the_index_again() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path(), 20);
    let report = store.repair(&mut go_on).unwrap();
    assert_eq!((report.removed, report.indexed), (0, Some(40)));
    let other = Store::open(scratch.path(), Options::default()).unwrap();
    assert_eq!(other.repair(&mut go_on).unwrap().indexed, None);
}
