//! The Nth operation on the disk fails, for every N: no wrong answer, nothing that cannot be put right by doing
//! it again.
//!
//! `VITTE_STORE_FAULTS=all cargo test -p vitte-store faults` also takes every single step of the walks over all
//! shards, which are the same two operations 512 times.
use super::*;
use crate::store::{Kept, Lookup};

const ERRNOS: [i32; 5] = [libc::EIO, libc::ENOSPC, libc::EACCES, libc::EMFILE, libc::EROFS];

/// Everything that a build does, with what must hold whatever fails.
fn build(store: &Store, round: u64) {
    use_all(store, round);
    walk(store);
}

/// What a build does with a few entries.
fn use_all(store: &Store, round: u64) {
    let blob = format!("blob of round {round}").repeat(20).into_bytes();
    let (digest, kept) = store.put(&blob);
    let read = store.get(&digest);
    assert!(read.is_none() || read.as_deref() == Some(&blob[..]), "wrong bytes");
    if kept == Kept::Stored && read.is_none() {
        assert_ne!(store.take_events(), [], "lost in silence");
    }
    let lease = store.lease(&[digest]);
    let result = ActionResult { outputs: vec![("out".into(), digest)], ..result(round) };
    store.publish(&key(round), &result);
    match store.lookup(&key(round)) {
        Lookup::Hit(found) => assert_eq!(found, result, "wrong result"),
        Lookup::Miss(_) => {}
    }
    let out = store.folder().with_extension("out");
    if store.materialise(&digest, &out, 0o755).is_ok_and(|done| done == crate::Materialised::Written) {
        assert_eq!(std::fs::read(&out).unwrap(), blob);
    }
    let _ = store.pin("build", &[digest]);
    drop(lease);
    // The same again, over what is there now.
    assert_eq!(store.put(&blob).0, digest);
    store.publish(&key(round), &result);
    let _ = store.unpin("build");
    store.settle();
}

/// What looks at every entry.
fn walk(store: &Store) {
    let _ = store.stats();
    let _ = store.collect(&crate::CollectOptions::default(), &mut go_on);
    let _ = store.verify(&mut |_| std::ops::ControlFlow::Break(()));
    store.settle();
}

/// How many operations a whole round has, and how many of them come before the walks over all 512 shards.
fn operations(folder: &Path) -> (u64, u64) {
    let store = Store::open(folder, standing().0).unwrap();
    let faults = faults(&store);
    faults.plan(0, 0, 0);
    use_all(&store, 0);
    let plain = faults.end();
    faults.plan(0, 0, 0);
    walk(&store);
    (plain, plain + faults.end())
}

#[test]
fn every_operation_may_fail() {
    let scratch = tempfile::tempdir().unwrap();
    let (plain, total) = operations(&scratch.path().join("count"));
    assert!(plain > 20 && total > 1000, "{plain} of {total}");
    let all = std::env::var_os("VITTE_STORE_FAULTS").is_some_and(|value| value == "all");
    for (errno, count) in ERRNOS.into_iter().zip([1, 1, 3, 1, u64::MAX]) {
        let folder = scratch.path().join(format!("store{errno}"));
        for first in 1..=total {
            if !all && first > plain + 10 && first < total - 25 && first % 211 != 0 {
                continue;
            }
            let store = Store::open(&folder, standing().0).unwrap();
            let faults = faults(&store);
            faults.plan(first, count, errno);
            build(&store, first);
            faults.end();
            drop(store);
            // Without faults everything works, whatever was left behind.
            let store = Store::open(&folder, standing().0).unwrap();
            let check = store.verify(&mut go_on).unwrap();
            assert!(check.is_sound(), "errno {errno} at {first}: {check:?}");
            let (digest, kept) = store.put(&first.to_le_bytes());
            assert_ne!(kept, Kept::Dropped, "errno {errno} at {first}: {:?}", store.take_events());
            assert_eq!(store.get(&digest).unwrap(), first.to_le_bytes());
            let lease = store.lease(&[digest]);
            assert!(lease.is_held() && lease.missing().is_empty());
            store.collect(&crate::CollectOptions::default(), &mut go_on).unwrap();
            assert_eq!(store.take_events(), [], "errno {errno} at {first}");
        }
    }
}

#[test]
fn opening_may_fail_at_every_operation() {
    let scratch = tempfile::tempdir().unwrap();
    for errno in ERRNOS {
        for first in 1..8 {
            let folder = scratch.path().join(format!("{errno}-{first}"));
            std::fs::create_dir(&folder).unwrap();
            let files = crate::files::Files::open(&folder).unwrap();
            files.faults.plan(first, u64::MAX, errno);
            let entered = crate::store::enter_files(files, &crate::event::Events::default());
            // An answer or an error; the next open finds a folder that it can use.
            drop(entered);
            let store = Store::open(&folder, standing().0).unwrap();
            assert_eq!(store.put(b"x").1, Kept::Stored);
        }
    }
}

#[test]
fn a_full_disk_is_one_event() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path(), standing().0).unwrap();
    faults(&store).plan(1, u64::MAX, libc::ENOSPC);
    for number in 0..100 {
        assert_eq!(store.publish(&key(number), &result(number)), Kept::Dropped);
    }
    faults(&store).end();
    let events = store.take_events();
    assert!((1..=2).contains(&events.len()), "{events:?}");
    assert!(events[0].to_string().contains("ENOSPC"), "{}", events[0]);
    assert_eq!(store.publish(&key(1), &result(1)), Kept::Stored, "there is room again");
}
