//! Several processes over one folder, a folder that nobody may write, and a disk without room.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout)]
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vitte_store::{Access, CollectOptions, Event, IndexState, Kept, Lookup, Options, Store};

mod common;
use common::{Random, child_argument, key, number, open, open_briefly, result, spawn};

/// Publishes and looks up the same actions as everybody else, and collects at times.
fn work(folder: &Path, seed: u64) {
    // So that collections take something while others work.
    let options = Options { grace: Duration::ZERO, ..Options::default() };
    let store = Store::open(folder, options).unwrap();
    let mut random = Random::new(seed);
    let (mut hits, mut misses) = (0, 0);
    for turn in 0..number("VITTE_STORE_TURNS", 1500) {
        let n = random.below(200);
        if random.below(2) == 0 {
            assert_ne!(store.publish(&key(n), &result(n)), Kept::Dropped);
        } else {
            match store.lookup(&key(n)) {
                Lookup::Hit(found) => {
                    assert_eq!(found, result(n));
                    hits += 1;
                }
                Lookup::Miss(_) => misses += 1,
            }
        }
        let bytes = Random::new(n).bytes(n as usize * 20);
        let (digest, _) = store.put(&bytes);
        let lease = store.lease(&[digest]);
        if lease.missing().is_empty() {
            assert_eq!(store.get(&digest).unwrap(), bytes);
        }
        drop(lease);
        if turn % 300 == 299 {
            let half = CollectOptions { budget_bytes: Some(200 << 10), ..CollectOptions::default() };
            match store.collect(&half, &mut |_| ControlFlow::Continue(())) {
                Ok(report) => assert_eq!(report.failed, 0),
                Err(busy) => assert_eq!(busy.code(), "V-STORE-0006", "{busy}"),
            }
        }
    }
    let events = store.take_events();
    assert!(events.iter().all(|event| matches!(event, Event::IndexRebuilt { .. })), "{events:?}");
    println!("done {hits} {misses}");
}

#[test]
fn processes_share_a_folder() {
    if let Some(argument) = child_argument() {
        let (seed, folder) = argument.split_once(' ').unwrap();
        work(Path::new(folder), seed.parse().unwrap());
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    let children: Vec<_> = (1..4)
        .map(|seed| spawn("processes_share_a_folder", &format!("{seed} {}", folder.display())))
        .collect();
    let mut hits = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        let done = text.lines().find_map(|line| line.split_once("done ")).unwrap().1;
        hits += done.split(' ').next().unwrap().parse::<u64>().unwrap();
    }
    assert!(hits > 0);
    let store = open(&folder);
    let check = store.verify(&mut |_| ControlFlow::Continue(())).unwrap();
    assert!(check.is_sound() && check.strangers.is_empty(), "{check:?}");
    let (indexed, walked) = (store.stats(), open_briefly(&folder).stats());
    assert_eq!(indexed.index, IndexState::Ready);
    assert_eq!((indexed.blobs, indexed.actions), (walked.blobs, walked.actions));
    assert_eq!(indexed.leases, 0);
    let leftovers = std::fs::read_dir(folder.join("tmp")).map_or(0, Iterator::count);
    assert_eq!(leftovers, 0, "nothing is left half written");
}

#[test]
fn the_lease_of_a_killed_process_ends_with_it() {
    if let Some(argument) = child_argument() {
        let store = open_briefly(Path::new(&argument));
        let (digest, _) = store.put(b"leased");
        let _lease = store.lease(&[digest]);
        println!("leased");
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut child =
        spawn("the_lease_of_a_killed_process_ends_with_it", &scratch.path().display().to_string());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("leased")));
    let store = Store::open(scratch.path(), Options { grace: Duration::ZERO, ..Options::default() }).unwrap();
    let everything = CollectOptions { budget_bytes: Some(0), ..CollectOptions::default() };
    let mut go_on = |_| ControlFlow::Continue(());
    let report = store.collect(&everything, &mut go_on).unwrap();
    assert_eq!((report.removed, report.held), (0, 1));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(store.stats().leases, 0);
    assert_eq!(store.collect(&everything, &mut go_on).unwrap().removed, 1);
}

/// A small file system of its own at `folder`; `None`, with the reason said, where that cannot be made.
fn mounted(folder: &Path, options: &str) -> Option<Mounted> {
    std::fs::create_dir_all(folder).unwrap();
    let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).output();
    if done.is_ok_and(|output| output.status.success()) {
        return Some(Mounted(folder.to_owned()));
    }
    eprintln!("SKIP mounting a small tmpfs needs root");
    None
}

struct Mounted(std::path::PathBuf);

impl Mounted {
    fn remount(&self, options: &str) {
        let done = Command::new("mount").args(["-o", options]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_drops_what_is_new_and_serves_what_is_there() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(_mount) = mounted(&scratch.path().join("small"), "size=2m") else { return };
    let folder = scratch.path().join("small/store");
    for index in [vitte_store::IndexUse::Never, vitte_store::IndexUse::Own] {
        let options = Options { grace: Duration::ZERO, index, ..Options::default() };
        let store = Store::open(&folder, options).unwrap();
        let blobs: Vec<Vec<u8>> = (0..100).map(|n| Random::new(n).bytes(40_000)).collect();
        let kept = store.put_many(&blobs);
        assert!(kept.iter().any(|(_, kept)| *kept == Kept::Dropped), "the disk is full");
        for (bytes, (digest, kept)) in blobs.iter().zip(&kept) {
            assert_eq!(store.get(digest).is_some(), *kept != Kept::Dropped);
            assert!(store.get(digest).is_none_or(|read| read == *bytes));
        }
        // A build goes on: it gets misses, and events that name the cause.
        let full = |event: &Event| event.to_string().contains("ENOSPC");
        assert!(store.take_events().iter().any(full));
        assert!(!store.lease(&[kept[0].0]).is_held() || store.access() == Access::ReadWrite);
        let everything = CollectOptions { budget_bytes: Some(0), ..CollectOptions::default() };
        let report = store.collect(&everything, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(report.removed > 0 && report.failed == 0, "{report:?}");
        assert_eq!(store.put(&blobs[99]).1, Kept::Stored, "there is room again");
    }
}

#[test]
fn a_read_only_file_system_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(mount) = mounted(&scratch.path().join("small"), "size=8m") else { return };
    let folder = scratch.path().join("small/store");
    let store = open(&folder);
    store.publish(&key(1), &result(1));
    let (digest, _) = store.put(b"blob");
    drop(store);
    mount.remount("remount,ro");
    let store = open(&folder);
    assert_eq!(store.access(), Access::ReadOnly);
    assert_eq!(store.lookup(&key(1)), Lookup::Hit(result(1)));
    assert_eq!(store.get(&digest).unwrap(), b"blob");
    for n in 2..10 {
        assert_eq!(store.publish(&key(n), &result(n)), Kept::Dropped);
    }
    assert_eq!(store.stats().blobs.entries, 1);
    assert!(store.verify(&mut |_| ControlFlow::Continue(())).unwrap().is_sound());
    let events = store.take_events();
    assert!(matches!(&events[..], [Event::ReadOnly { .. }]), "{events:?}");
    // And when it becomes so while it is in use.
    mount.remount("remount,rw");
    let store = open_briefly(&folder);
    mount.remount("remount,ro");
    assert_eq!(store.put(b"new").1, Kept::Dropped);
    assert_eq!(store.access(), Access::ReadOnly);
    assert_eq!(store.take_events().len(), 1);
    drop(store);
    std::io::stdout().flush().unwrap();
}
