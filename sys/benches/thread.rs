//! The thread primitives without contention, beside what one builds from the standard library's, as
//! ratios of processor time.
//!
//! `cargo bench -p vitte-sys --bench thread [-- [--smoke] [--check]]`. `Mutex`, `Condvar`, `RwLock` and
//! `Once` are the standard library's own; they are measured as well, so that it would show if they
//! ever became something else.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::JoinHandle;

use vitte_sys::thread::{self, Pool, Semaphore};

#[path = "harness/mod.rs"]
mod harness;
use harness::{Options, contender, race, ratio};

/// A semaphore as everybody writes it.
struct TextbookSemaphore {
    free: Mutex<usize>,
    freed: Condvar,
}

impl TextbookSemaphore {
    fn acquire(&self) {
        *self.freed.wait_while(self.free.lock().unwrap(), |free| *free == 0).unwrap() -= 1;
    }

    fn release(&self) {
        *self.free.lock().unwrap() += 1;
        self.freed.notify_one();
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// A pool as everybody writes it: a bounded channel whose receiver is shared.
struct TextbookPool {
    door: Option<mpsc::SyncSender<Work>>,
    threads: Vec<JoinHandle<()>>,
}

impl TextbookPool {
    fn new(threads: usize, capacity: usize) -> Self {
        let (door, works) = mpsc::sync_channel::<Work>(capacity);
        let works = Arc::new(Mutex::new(works));
        let threads = (0..threads)
            .map(|_| {
                let works = Arc::clone(&works);
                std::thread::spawn(move || {
                    loop {
                        let work = works.lock().unwrap().recv();
                        match work {
                            Ok(work) => work(),
                            Err(mpsc::RecvError) => return,
                        }
                    }
                })
            })
            .collect();
        Self { door: Some(door), threads }
    }

    fn run(&self, work: impl FnOnce() + Send + 'static) {
        self.door.as_ref().unwrap().send(Box::new(work)).unwrap();
    }
}

impl Drop for TextbookPool {
    fn drop(&mut self) {
        self.door = None;
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

fn main() -> ExitCode {
    let mut options = Options::read();
    let rounds = options.pick(31, 1);
    let turns = options.pick(1_000_000_u64, 1000);

    println!("mutex, lock and unlock, {turns} times");
    let (theirs, ours) = (Mutex::new(0_u64), thread::Mutex::new(0_u64));
    let times = race(
        rounds,
        vec![
            contender("std", || (0..turns).for_each(|turn| *theirs.lock().unwrap() ^= turn)),
            contender("vitte_sys", || (0..turns).for_each(|turn| *ours.lock().unwrap() ^= turn)),
        ],
    );
    options.at_most("mutex over std", ratio(&times[1].processor, &times[0].processor), 1.05);

    println!("condition, notified without a waiter, {turns} times");
    let (theirs, ours) = (Condvar::new(), thread::Condvar::new());
    let times = race(
        rounds,
        vec![
            contender("std", || (0..turns).for_each(|_| theirs.notify_one())),
            contender("vitte_sys", || (0..turns).for_each(|_| ours.notify_one())),
        ],
    );
    options.at_most("condition over std", ratio(&times[1].processor, &times[0].processor), 1.05);

    println!("semaphore, acquire and release, {turns} times");
    let theirs = TextbookSemaphore { free: Mutex::new(1), freed: Condvar::new() };
    let ours = Semaphore::new(1);
    let times = race(
        rounds,
        vec![
            contender("mutex and condition of std", || {
                (0..turns).for_each(|_| {
                    theirs.acquire();
                    theirs.release();
                });
            }),
            contender("vitte_sys", || (0..turns).for_each(|_| drop(ours.acquire()))),
        ],
    );
    options.at_most("semaphore over std", ratio(&times[1].processor, &times[0].processor), 1.05);

    let works = options.pick(100_000_u64, 100);
    println!("pool of one thread, {works} pieces of work");
    let done = Arc::new(AtomicUsize::new(0));
    let expected = Arc::new(AtomicUsize::new(0));
    let work = || {
        let done = Arc::clone(&done);
        expected.fetch_add(1, Ordering::Relaxed);
        move || {
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    let times = race(
        rounds,
        vec![
            contender("channel and threads of std", || {
                let pool = TextbookPool::new(1, 256);
                (0..works).for_each(|_| pool.run(work()));
            }),
            contender("vitte_sys", || {
                let pool = Pool::new("bench", 1, 256).unwrap();
                (0..works).for_each(|_| pool.run(work()));
            }),
        ],
    );
    options.at_most("pool over std", ratio(&times[1].processor, &times[0].processor), 1.05);
    assert_eq!(done.load(Ordering::Relaxed), expected.load(Ordering::Relaxed), "all work is done");
    options.finish()
}
