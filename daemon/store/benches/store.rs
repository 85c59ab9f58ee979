//! What the store costs: `cargo bench -p vitte-store --bench store`. `VITTE_BENCH_ENTRIES` sets how many entries
//! the large store has (100,000).
//!
//! Bad numbers, on a quiet machine with a disk of its own: a warm look-up above 30 us, a small put above 100 us,
//! an open above 5 ms however many entries there are.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use vitte_store::{ActionKey, ActionResult, CollectOptions, Digest, IndexState, IndexUse, Options, Store};

fn key(number: u64) -> ActionKey {
    ActionKey::of(&[&number.to_le_bytes()])
}

/// A result as of one procedure: some code inline.
fn result(number: u64) -> ActionResult {
    let inline = number.to_le_bytes().repeat(75);
    ActionResult { outputs: Vec::new(), inline, inputs: number.to_le_bytes().repeat(10) }
}

fn blob(number: u64, size: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(size).collect()
}

/// Prints the median of `rounds` of `work`, each for `count` things. Dropping what it gives does not count.
fn measure<T>(name: &str, rounds: usize, count: usize, mut work: impl FnMut(usize) -> T) {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|round| {
            let started = Instant::now();
            let given = work(round);
            let elapsed = started.elapsed();
            drop(given);
            elapsed
        })
        .collect();
    times.sort_unstable();
    let each = times[rounds / 2].as_secs_f64() / count as f64;
    println!("{name:<56} {:>9.1} us {:>12.0} /s", each * 1e6, 1.0 / each);
}

fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let entries: u64 = std::env::var("VITTE_BENCH_ENTRIES").map_or(100_000, |text| text.parse().unwrap());
    let store = Store::open(&scratch.path().join("small"), Options::default()).unwrap();
    const N: usize = 1000;
    let numbers = |round: usize| (0..N as u64).map(move |n| n + (round * N) as u64);

    measure("publish, 700 bytes inline", 15, N, |round| {
        numbers(round).for_each(|n| {
            black_box(store.publish(&key(n), &result(n)));
        });
    });
    let batch = |round: usize| numbers(round + 100).map(|n| (key(n), result(n))).collect::<Vec<_>>();
    let batches: Vec<_> = (0..15).map(batch).collect();
    measure("publish_many, 700 bytes inline, 1,000 at a time", 15, N, |round| {
        black_box(store.publish_many(&batches[round]));
    });
    measure("publish again what is there", 15, N, |round| {
        numbers(round).for_each(|n| {
            black_box(store.publish(&key(n), &result(n)));
        });
    });
    measure("lookup, hit", 15, N, |round| {
        numbers(round).for_each(|n| drop(black_box(store.lookup(&key(n)))));
    });
    let keys: Vec<ActionKey> = numbers(0).map(key).collect();
    measure("lookup_many, hits, 1,000 at a time", 15, N, |_| {
        black_box(store.lookup_many(&keys));
    });
    measure("lookup, miss", 15, N, |round| {
        numbers(round + 1000).for_each(|n| drop(black_box(store.lookup(&key(n)))));
    });
    for size in [4 << 10, 64 << 10, 1 << 20] {
        let count = (16 << 20 >> 10) * 1024 / size / 4;
        let blobs: Vec<Vec<Vec<u8>>> = (0..5)
            .map(|round| (0..count).map(|n| blob((round * count + n) as u64 + 1, size)).collect())
            .collect();
        measure(&format!("put, {} KiB", size >> 10), 5, count, |round| {
            blobs[round].iter().for_each(|bytes| {
                black_box(store.put(bytes));
            });
        });
        let digests: Vec<Digest> = blobs[0].iter().map(|bytes| Digest::of(bytes)).collect();
        measure(&format!("get, verified, {} KiB", size >> 10), 15, count, |_| {
            digests.iter().for_each(|digest| drop(black_box(store.get(digest))));
        });
    }

    let folder = scratch.path().join("large");
    let large = Store::open(&folder, Options::default()).unwrap();
    let started = Instant::now();
    for first in (0..entries).step_by(10_000) {
        let batch: Vec<_> = (first..(first + 10_000).min(entries)).map(|n| (key(n), result(n))).collect();
        large.publish_many(&batch);
    }
    println!("{entries} entries published in {:.2?}", started.elapsed());
    large.settle();
    large.stats();
    drop(large);
    measure(&format!("open with {entries} entries"), 15, 1, |_| {
        let store = Store::open(&folder, Options::default()).unwrap();
        black_box(store.lookup(&key(1)));
        store
    });
    let briefly = Options { index: IndexUse::Never, ..Options::default() };
    measure(&format!("open and one look-up without the index, {entries} entries"), 15, 1, |_| {
        black_box(Store::open(&folder, briefly.clone()).unwrap().lookup(&key(1)));
    });
    let walking = Store::open(&folder, briefly).unwrap();
    measure(&format!("stats by walking, {entries} entries"), 3, 1, |_| drop(black_box(walking.stats())));
    indexed(scratch.path(), entries);
}

/// What needs the index, in a store whose index nobody else holds.
fn indexed(scratch: &std::path::Path, entries: u64) {
    let folder = scratch.join("indexed");
    let store = Store::open(&folder, Options::default()).unwrap();
    for first in (0..entries).step_by(10_000) {
        let batch: Vec<_> = (first..(first + 10_000).min(entries)).map(|n| (key(n), result(n))).collect();
        store.publish_many(&batch);
    }
    let started = Instant::now();
    let stats = store.stats();
    println!("stats after {entries} new entries: {:.2?}, index {:?}", started.elapsed(), stats.index);
    assert_eq!(stats.index, IndexState::Ready);
    // Directories that changed just now are compared until their times are certain.
    std::thread::sleep(Duration::from_secs(3));
    store.stats();
    measure(&format!("stats with the index, {entries} entries"), 5, 1, |_| drop(black_box(store.stats())));
    let started = Instant::now();
    let half = CollectOptions {
        budget_bytes: Some(stats.actions.bytes / 2),
        grace: Some(Duration::ZERO),
        ..CollectOptions::default()
    };
    let report = store.collect(&half, &mut |_| ControlFlow::Continue(())).unwrap();
    println!(
        "collected {} of {} entries in {:.2?}",
        report.removed,
        report.entries_before,
        started.elapsed()
    );
    drop(store);
    std::fs::remove_dir_all(folder.join("index.vitte")).unwrap();
    let started = Instant::now();
    let store = Store::open(&folder, Options::default()).unwrap();
    let opened = started.elapsed();
    store.stats();
    println!("open without an index {opened:.2?}, made again after {:.2?}", started.elapsed());
}
