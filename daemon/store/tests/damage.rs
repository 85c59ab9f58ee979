//! Entries that were flipped, cut or exchanged: never a wrong answer.
//!
//! `VITTE_STORE_DAMAGE=2000 cargo test --release -p vitte-store --test damage` takes the full sample.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
use std::path::{Path, PathBuf};

use vitte_store::{ActionKey, ActionResult, Digest, Event, Kept, Lookup, MissReason, Store};

mod common;
use common::{Random, key, number, open_briefly, result};

enum Sample {
    Blob(Digest, Vec<u8>),
    Action(ActionKey, ActionResult),
}

impl Sample {
    /// Whether the store gives the right answer or none.
    fn is_right_or_missing(&self, store: &Store) -> Option<MissReason> {
        match self {
            Sample::Blob(digest, bytes) => match store.get(digest) {
                Some(read) => {
                    assert_eq!(read, *bytes, "wrong bytes for {digest}");
                    None
                }
                None => Some(MissReason::Damaged),
            },
            Sample::Action(key, expected) => match store.lookup(key) {
                Lookup::Hit(read) => {
                    assert_eq!(read, *expected, "wrong result for {key}");
                    None
                }
                Lookup::Miss(reason) => Some(reason),
            },
        }
    }
}

/// Every entry file below `folder`, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for kind in ["cas", "ac"] {
        let Ok(shards) = std::fs::read_dir(folder.join(kind)) else { continue };
        for shard in shards {
            all.extend(std::fs::read_dir(shard.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
        }
    }
    all.sort();
    all
}

/// A store with `count` entries, half of them blobs, and where each is.
fn samples(store: &Store, count: u64) -> Vec<(Sample, PathBuf, Vec<u8>)> {
    let mut all: Vec<(Sample, PathBuf, Vec<u8>)> = Vec::new();
    let mut random = Random::new(7);
    assert!(files(store.folder()).is_empty());
    for n in 0..count {
        let sample = if n % 2 == 0 {
            let length = 1 + random.below(60) as usize;
            let bytes = random.bytes(length);
            let (digest, _) = store.put(&bytes);
            Sample::Blob(digest, bytes)
        } else {
            let mut result = result(n);
            if n % 8 == 1
                && let Some((Sample::Blob(digest, _), ..)) = all.last()
            {
                result.outputs.push((format!("out{n}"), *digest));
            }
            assert_ne!(store.publish(&key(n), &result), Kept::Dropped);
            Sample::Action(key(n), result)
        };
        let path = match &sample {
            Sample::Blob(digest, _) => {
                let text = digest.to_string();
                store.folder().join("cas").join(&text[..2]).join(text.replace('/', "-"))
            }
            Sample::Action(key, _) => {
                let text = key.to_string();
                store.folder().join("ac").join(&text[..2]).join(text)
            }
        };
        let bytes = std::fs::read(&path).unwrap();
        all.push((sample, path, bytes));
    }
    all
}

fn write(path: &Path, bytes: &[u8]) {
    // Entries are read-only files.
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn every_flip_and_every_cut_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_briefly(&folder.path().join("store"));
    let count = number("VITTE_STORE_DAMAGE", 100);
    let mut random = Random::new(11);
    let mut trials: u64 = 0;
    for (sample, path, good) in samples(&store, count) {
        for position in 0..good.len() {
            let mut flipped = good.clone();
            flipped[position] ^= 1 + random.below(255) as u8;
            for bad in [&flipped[..], &good[..position]] {
                write(&path, bad);
                let missed = sample.is_right_or_missing(&store);
                assert!(missed.is_some(), "byte {position} of {} passed", path.display());
                trials += 1;
            }
            assert!(!path.exists(), "a damaged entry is removed");
        }
        write(&path, &[&good[..], b"x"].concat());
        assert!(sample.is_right_or_missing(&store).is_some(), "a longer file passed");
        write(&path, &good);
        assert_eq!(sample.is_right_or_missing(&store), None, "the good entry is good again");
    }
    assert!(store.take_events().iter().any(|event| matches!(event, Event::Damaged { .. })));
    eprintln!("{trials} damaged entries of {count}: 0 wrong answers");
}

#[test]
fn exchanged_entries_are_misses() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_briefly(&folder.path().join("store"));
    let all = samples(&store, number("VITTE_STORE_DAMAGE", 100));
    for (place, (sample, path, good)) in all.iter().enumerate() {
        // With the next, with one of the other kind, and with one far away.
        for step in [1, 2, all.len() / 2] {
            let (other, other_path, other_good) = &all[(place + step) % all.len()];
            write(path, other_good);
            write(other_path, good);
            let missed = sample.is_right_or_missing(&store);
            assert!(missed.is_some() || good == other_good, "{} took another's place", path.display());
            assert!(other.is_right_or_missing(&store).is_some() || good == other_good);
            write(path, good);
            write(other_path, other_good);
        }
    }
    for (sample, ..) in &all {
        assert_eq!(sample.is_right_or_missing(&store), None);
    }
}

#[test]
fn what_is_no_file_is_a_miss_and_can_be_stored_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_briefly(&folder.path().join("store"));
    for (sample, path, good) in samples(&store, 20) {
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), b"x").unwrap();
        assert!(sample.is_right_or_missing(&store).is_some());
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(sample.is_right_or_missing(&store).is_some());
        let again = match &sample {
            Sample::Blob(_, bytes) => store.put(bytes).1,
            Sample::Action(key, result) => store.publish(key, result),
        };
        assert_eq!(again, Kept::Stored, "{}", path.display());
        assert_eq!(std::fs::read(&path).unwrap(), good);
        assert_eq!(sample.is_right_or_missing(&store), None);
    }
}

#[test]
fn storing_a_damaged_blob_again_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_briefly(&folder.path().join("store"));
    // One that is packed, and one that is not.
    for bytes in [b"a short one".to_vec(), vec![7; 300_000]] {
        let (digest, _) = store.put(&bytes);
        assert_eq!(store.put(&bytes).1, Kept::AlreadyThere);
        let [path] = &files(store.folder())[..] else { panic!("one blob is one file") };
        let good = std::fs::read(path).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        for bad in [&flipped[..], &good[..good.len() - 1], &[&good[..], b"x"].concat(), b""] {
            write(path, bad);
            assert_eq!(store.put(&bytes).1, Kept::Stored, "{} bytes", bad.len());
            assert_eq!(std::fs::read(path).unwrap(), good);
            assert_eq!(store.get(&digest).as_deref(), Some(&bytes[..]));
        }
        assert!(store.take_events().iter().any(|event| matches!(event, Event::Damaged { .. })));
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_result_without_its_blobs_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_briefly(&folder.path().join("store"));
    let (digest, _) = store.put(b"an object file");
    let result = ActionResult { outputs: vec![("main.o".into(), digest)], ..ActionResult::default() };
    store.publish(&key(1), &result);
    assert_eq!(store.lookup(&key(1)), Lookup::Hit(result.clone()));
    for path in files(store.folder()).iter().filter(|path| path.to_string_lossy().contains("/cas/")) {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(store.lookup(&key(1)), Lookup::Miss(MissReason::OutputsMissing));
    store.put(b"an object file");
    assert_eq!(store.lookup(&key(1)), Lookup::Hit(result));
    assert_eq!(store.stats().counts.actions.missed(MissReason::OutputsMissing), 1);
}

#[test]
fn verify_names_what_repair_removes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_briefly(&folder.path().join("store"));
    let all = samples(&store, 40);
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    assert!(store.verify(go_on).unwrap().is_sound());
    for (_, path, good) in all.iter().step_by(5) {
        write(path, &good[..good.len() - 1]);
    }
    let check = store.verify(go_on).unwrap();
    assert_eq!(check.damaged.len(), 8);
    assert_eq!(check.checked, 40);
    assert!(!check.is_sound());
    let repair = store.repair(go_on).unwrap();
    assert_eq!(repair.check.damaged, check.damaged);
    assert_eq!(repair.removed, (check.damaged.len() + check.incomplete.len()) as u64);
    let after = store.verify(go_on).unwrap();
    assert!(after.is_sound() && after.incomplete.is_empty(), "{after:?}");
    assert!(after.checked < 40);
}
