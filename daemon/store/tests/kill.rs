//! Processes that are killed at random moments while they write: what was acknowledged is there, and the store
//! opens.
//!
//! `VITTE_STORE_KILLS=500 cargo test --release -p vitte-store --test kill -- --nocapture` is the long run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout)]
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use vitte_store::{Digest, Event, IndexState, Kept, Lookup, Store};

mod common;
use common::{Random, child_argument, key, number, open, result, seed, spawn};

/// Rounds after which the writers get an empty folder.
const FRESH_EVERY: u64 = 10;

/// Writes for ever, and prints what was acknowledged. Two threads write, and the index is flushed at times.
fn write_until_killed(folder: &Path, seed: u64) -> ! {
    let store = open(folder);
    let worker = |store: Store, mut random: Random| {
        move || {
            for _ in 0..u64::MAX {
                let n = random.next();
                let line = if n.is_multiple_of(3) {
                    let bytes = Random::new(n).bytes((n % 5000) as usize);
                    let (digest, kept) = store.put(&bytes);
                    assert_ne!(kept, Kept::Dropped, "{:?}", store.take_events());
                    format!("blob {digest}\n")
                } else {
                    let kept = store.publish(&key(n), &result(n));
                    assert_ne!(kept, Kept::Dropped, "{:?}", store.take_events());
                    format!("action {n}\n")
                };
                std::io::stdout().write_all(line.as_bytes()).unwrap();
                if n.is_multiple_of(97) {
                    store.settle();
                }
            }
        }
    };
    let first = std::thread::spawn(worker(store.clone(), Random::new(seed)));
    worker(store, Random::new(seed ^ 0x5555))();
    first.join().unwrap();
    unreachable!("it writes until it is killed")
}

#[test]
fn killed_writers_lose_nothing_that_was_acknowledged() {
    if let Some(argument) = child_argument() {
        let (seed, folder) = argument.split_once(' ').unwrap();
        write_until_killed(Path::new(folder), seed.parse().unwrap());
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed());
    let rounds = number("VITTE_STORE_KILLS", 12);
    let (mut acknowledged, mut set_aside, mut rebuilt) = (0, 0, 0);
    for round in 0..rounds {
        // Each check looks at the whole store: one that grew for all rounds would be slow to check.
        let folder = scratch.path().join(format!("store{}", round / FRESH_EVERY));
        if round > 0 && round % FRESH_EVERY == 0 {
            std::fs::remove_dir_all(scratch.path().join(format!("store{}", round / FRESH_EVERY - 1)))
                .unwrap();
        }
        let argument = format!("{} {}", random.next(), folder.display());
        let mut child = spawn("killed_writers_lose_nothing_that_was_acknowledged", &argument);
        let output = child.stdout.take().unwrap();
        let (sender, begun) = std::sync::mpsc::channel();
        let lines = std::thread::spawn(move || {
            // What the harness prints comes before, and the last line may be cut.
            let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
            let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
            lines
                .inspect(|_| {
                    let _ = sender.send(());
                })
                .collect::<Vec<_>>()
        });
        // From the first acknowledgement on, or, one time in four, from the start of the process.
        if random.below(4) > 0 {
            for _ in 0..4 {
                begun.recv_timeout(Duration::from_secs(60)).unwrap();
            }
        }
        std::thread::sleep(Duration::from_micros(random.below(120_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let lines = lines.join().unwrap();

        let store = open(&folder);
        for line in &lines {
            if let Some(digest) = line.strip_prefix("blob ").and_then(|text| text.parse::<Digest>().ok()) {
                assert!(store.get(&digest).is_some(), "round {round}: blob {digest} was lost");
                acknowledged += 1;
            } else if let Some(n) = line.strip_prefix("action ").and_then(|text| text.parse().ok()) {
                // A line that was cut may name another action; that one gives its own result or none.
                match store.lookup(&key(n)) {
                    Lookup::Hit(found) => assert_eq!(found, result(n), "round {round}: wrong result"),
                    Lookup::Miss(reason) => {
                        assert!(lines.last() == Some(line), "round {round}: action {n} is lost: {reason:?}");
                    }
                }
                acknowledged += 1;
            }
        }
        let stats = store.stats();
        assert_eq!(stats.index, IndexState::Ready, "round {round}: {:?}", store.take_events());
        assert_eq!(stats.leases, 0);
        if round % FRESH_EVERY == FRESH_EVERY - 1 || round + 1 == rounds {
            let found = walked(&folder);
            assert_eq!(stats.blobs.entries + stats.actions.entries, found, "the index knows every entry");
        }
        for event in store.take_events() {
            match event {
                Event::IndexSetAside { .. } => set_aside += 1,
                Event::IndexRebuilt { .. } => rebuilt += 1,
                other => panic!("round {round}: {other}"),
            }
        }
    }
    assert!(acknowledged > 0);
    eprintln!(
        "{rounds} kills, {acknowledged} acknowledged entries, none lost; the index was set aside {set_aside} times, \
         made again {rebuilt} times"
    );
}

fn walked(folder: &Path) -> u64 {
    let stats = common::open_briefly(folder).stats();
    stats.blobs.entries + stats.actions.entries
}
