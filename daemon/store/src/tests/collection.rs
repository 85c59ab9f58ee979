//! Budget, age, leases, pins.
use std::time::Duration;

use super::*;
use crate::store::{Kept, Lookup};
use crate::{CollectOptions, Digest, Ended, StoreError};

const HOUR: Duration = Duration::from_secs(3600);

fn within(budget_bytes: u64) -> CollectOptions {
    CollectOptions { budget_bytes: Some(budget_bytes), ..CollectOptions::default() }
}

fn blob(number: u64) -> Vec<u8> {
    format!("blob {number}").into_bytes()
}

#[test]
fn the_least_recently_used_go_first() {
    for index in [IndexUse::Never, IndexUse::Own] {
        let scratch = tempfile::tempdir().unwrap();
        let (options, clock) = standing();
        let store = Store::open(scratch.path(), Options { index, ..options }).unwrap();
        let digests: Vec<Digest> = (0..10)
            .map(|number| {
                // The clock stands: what is being written must not look forgotten.
                let (digest, kept) = store.put(&blob(number));
                assert_eq!(kept, Kept::Stored, "{index:?} {:?}", store.take_events());
                digest
            })
            .collect();
        clock.advance(HOUR);
        // Files have the time of the real clock until they are used.
        for digest in &digests {
            clock.advance(HOUR);
            assert!(store.get(digest).is_some(), "{index:?} {:?}", store.take_events());
        }
        clock.advance(HOUR);
        store.get(&digests[0]).unwrap();
        clock.advance(HOUR);
        let report = store.collect(&within(5 * 4096 + 2000), &mut go_on).unwrap();
        assert_eq!((report.entries_before, report.removed), (10, 5), "{index:?}");
        assert_eq!(report.bytes_after(), 5 * 4096);
        let left: Vec<usize> =
            digests.iter().enumerate().filter(|(_, digest)| store.contains(digest)).map(|(n, _)| n).collect();
        assert_eq!(left, [0, 6, 7, 8, 9], "{index:?}");
        // Within the budget nothing goes.
        assert_eq!(store.collect(&within(5 * 4096), &mut go_on).unwrap().removed, 0);
    }
}

#[test]
fn what_was_used_just_now_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let (options, clock) = standing();
    let store = Store::open(scratch.path(), options).unwrap();
    let (digest, _) = store.put(b"fresh");
    let report = store.collect(&within(0), &mut go_on).unwrap();
    assert_eq!((report.removed, report.in_use), (0, 1));
    clock.advance(Duration::from_secs(120));
    assert_eq!(store.collect(&within(0), &mut go_on).unwrap().removed, 1);
    assert!(!store.contains(&digest));
}

#[test]
fn what_is_too_old_goes_within_the_budget_too() {
    let scratch = tempfile::tempdir().unwrap();
    let (options, clock) = standing();
    let store = Store::open(scratch.path(), Options { max_age: Some(24 * HOUR), ..options }).unwrap();
    let (old, _) = store.put(b"old");
    clock.advance(25 * HOUR);
    let (new, _) = store.put(b"new");
    store.get(&new).unwrap();
    let report = store.collect(&CollectOptions::default(), &mut go_on).unwrap();
    assert_eq!(report.removed, 1);
    assert!(!store.contains(&old) && store.contains(&new));
}

#[test]
fn leases_and_pins_hold_in_every_process() {
    let scratch = tempfile::tempdir().unwrap();
    let (options, clock) = standing();
    let store = Store::open(scratch.path(), options.clone()).unwrap();
    let (leased, _) = store.put(b"leased");
    let (pinned, _) = store.put(b"pinned");
    let (loose, _) = store.put(b"loose");
    let absent = Digest::of(b"absent");
    let lease = store.lease(&[leased, absent]);
    assert_eq!(lease.missing(), [absent]);
    store.pin("release-1.0", &[pinned]).unwrap();
    clock.advance(HOUR);
    // Another handle has no memory of what this one leased.
    let other = Store::open(scratch.path(), options).unwrap();
    assert_eq!((other.stats().leases, other.stats().pins), (1, 1));
    let report = other.collect(&within(0), &mut go_on).unwrap();
    assert_eq!((report.removed, report.held), (1, 2));
    assert!(store.contains(&leased) && store.contains(&pinned) && !store.contains(&loose));
    drop(lease);
    other.unpin("release-1.0").unwrap();
    other.unpin("release-1.0").unwrap();
    assert_eq!(other.stats().leases, 0);
    assert_eq!(other.collect(&within(0), &mut go_on).unwrap().removed, 2);
}

#[test]
fn a_lease_of_a_dead_process_holds_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (options, clock) = standing();
    let store = Store::open(scratch.path(), options).unwrap();
    store.put(b"blob");
    std::fs::create_dir(scratch.path().join("leases")).unwrap();
    // Nobody has a lock on it; what it says does not matter any more.
    std::fs::write(scratch.path().join("leases/1-1"), b"cut").unwrap();
    clock.advance(HOUR);
    assert_eq!(store.collect(&within(0), &mut go_on).unwrap().removed, 1);
    assert_eq!(std::fs::read_dir(scratch.path().join("leases")).unwrap().count(), 0);
}

#[test]
fn a_damaged_pin_stops_every_deletion() {
    let scratch = tempfile::tempdir().unwrap();
    let (options, clock) = standing();
    let store = Store::open(scratch.path(), options).unwrap();
    let (digest, _) = store.put(b"pinned");
    store.pin("keep", &[digest]).unwrap();
    assert_eq!(store.pins().unwrap()[0].digests, [digest]);
    let path = scratch.path().join("pins/keep");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    clock.advance(HOUR);
    let error = store.collect(&within(0), &mut go_on).unwrap_err();
    assert!(error.to_string().contains("pins/keep"), "{error}");
    assert!(store.contains(&digest));
    store.unpin("keep").unwrap();
    assert_eq!(store.collect(&within(0), &mut go_on).unwrap().removed, 1);
}

#[test]
fn pins_have_plain_names_and_blobs_that_are_there() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path(), standing().0).unwrap();
    for name in ["", ".", "..", ".hidden", "a/b", "a b", "é", &"x".repeat(101)] {
        assert!(matches!(store.pin(name, &[]), Err(StoreError::PinName { .. })), "{name}");
    }
    let absent = Digest::of(b"absent");
    let error = store.pin("p", &[absent]).unwrap_err();
    assert!(matches!(error, StoreError::NotThere { count: 1, .. }), "{error}");
    assert_eq!(store.pins().unwrap(), []);
}

#[test]
fn one_collects_at_a_time_and_may_be_stopped() {
    let scratch = tempfile::tempdir().unwrap();
    let (options, clock) = standing();
    let store = Store::open(scratch.path(), options).unwrap();
    for number in 0..300 {
        store.put(&blob(number));
    }
    clock.advance(HOUR);
    let other = store.clone();
    let mut seen = Vec::new();
    let report = store
        .collect(&within(0), &mut |progress| {
            seen.push(progress);
            let busy = other.collect(&within(0), &mut go_on).unwrap_err();
            assert!(matches!(busy, StoreError::Busy { .. }), "{busy}");
            std::ops::ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(report.ended, Ended::Stopped);
    assert_eq!((report.removed, report.entries_after()), (128, 172));
    assert_eq!((seen[0].done, seen[0].total), (128, 300));
    assert_eq!(store.collect(&within(0), &mut go_on).unwrap().removed, 172);
}

#[test]
fn a_collection_beside_builds_takes_nothing_that_is_leased() {
    let scratch = tempfile::tempdir().unwrap();
    let options = Options { grace: Duration::ZERO, ..Options::default() };
    let store = Store::open(scratch.path(), options).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for worker in 0..3u64 {
            let (store, stop) = (&store, &stop);
            scope.spawn(move || {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let bytes = blob(worker * 1_000_000 + round % 50);
                    let (digest, _) = store.put(&bytes);
                    let lease = store.lease(&[digest]);
                    // What was there when the lease was taken stays until it is given up.
                    if lease.missing().is_empty() {
                        for _ in 0..5 {
                            assert_eq!(store.get(&digest).as_deref(), Some(&bytes[..]));
                        }
                    }
                }
            });
        }
        let mut removed = 0;
        for _ in 0..60 {
            removed += store.collect(&within(0), &mut go_on).unwrap().removed;
        }
        stop.store(true, Ordering::Relaxed);
        assert!(removed > 0);
    });
    assert_eq!(store.take_events(), []);
}

#[test]
fn clean_leaves_what_is_held_and_counts_anew() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path(), standing().0).unwrap();
    let (pinned, _) = store.put(b"pinned");
    store.pin("keep", &[pinned]).unwrap();
    store.publish(&key(1), &result(1));
    store.lookup(&key(1));
    assert_eq!(store.stats().counts.actions.hits, 1);
    let report = store.clean(&mut go_on).unwrap();
    assert_eq!((report.removed, report.held), (1, 1));
    let stats = store.stats();
    assert_eq!((stats.blobs.entries, stats.actions.entries), (1, 0));
    assert_eq!(stats.counts, crate::Counts::default());
}

#[test]
fn counters_add_up_over_processes() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 1..4 {
        let store = Store::open(scratch.path(), standing().0).unwrap();
        assert_ne!(store.publish(&key(1), &result(1)), Kept::Dropped);
        assert_eq!(store.lookup(&key(1)), Lookup::Hit(result(1)));
        assert_eq!(store.stats().counts.actions.hits, round);
    }
    std::fs::write(scratch.path().join("counters"), b"damaged").unwrap();
    let store = Store::open(scratch.path(), standing().0).unwrap();
    assert_eq!(store.stats().counts, crate::Counts::default());
}
