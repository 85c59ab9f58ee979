//! The semaphore and the queue under a model checker: each model runs once for every order in which
//! its three threads can meet. A wake-up that gets lost shows as a deadlock, an item that does as a
//! failed assertion.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p vitte-sys --lib --target-dir target/loom models
//! ```
#![allow(clippy::unwrap_used)]
// The standard library's `Arc` holds what is shared: the checker's own would be tried as well, in every
// order of its counting.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize as Count, Ordering::Relaxed};
use std::time::Duration;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::Semaphore;
use super::queue::Queue;

/// Runs `model` in every order and says how many there were.
fn every_order(name: &str, model: impl Fn() + Sync + Send + 'static) {
    let orders = Arc::new(Count::new(0));
    let counted = Arc::clone(&orders);
    loom::model(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    println!("model {name}: {} orders", orders.load(Relaxed));
    assert!(orders.load(Relaxed) > 1, "one order only: the threads of this model never meet");
}

/// Three threads go through a semaphore of `permits`; never more than so many are inside.
fn admits(permits: usize) {
    let semaphore = Arc::new(Semaphore::new(permits));
    let inside = Arc::new(AtomicUsize::new(0));
    let go_through = move |semaphore: &Semaphore, inside: &AtomicUsize| {
        let _permit = semaphore.acquire();
        assert!(inside.fetch_add(1, Ordering::AcqRel) < permits);
        inside.fetch_sub(1, Ordering::AcqRel);
    };
    let others: Vec<_> = (0..2)
        .map(|_| {
            let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
            thread::spawn(move || go_through(&semaphore, &inside))
        })
        .collect();
    go_through(&semaphore, &inside);
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(semaphore.available(), permits);
}

#[test]
fn a_semaphore_of_one_admits_one_of_three() {
    every_order("semaphore of one", || admits(1));
}

#[test]
fn a_semaphore_of_two_admits_two_of_three() {
    every_order("semaphore of two", || admits(2));
}

#[test]
fn permits_added_wake_all_who_wait() {
    every_order("permits added", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || semaphore.acquire().forget())
            })
            .collect();
        semaphore.add(2);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn a_permit_goes_to_whoever_wants_it_by_whatever_call() {
    every_order("three ways to acquire", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let (patient, limited) = (Arc::clone(&semaphore), Arc::clone(&semaphore));
        let patient = thread::spawn(move || drop(patient.acquire()));
        // The checker's clock stands still: this waits as long as it must.
        let limited =
            thread::spawn(move || assert!(limited.acquire_within(Duration::from_secs(3600)).is_some()));
        drop(semaphore.try_acquire());
        // Without any time it answers at once.
        drop(semaphore.acquire_within(Duration::ZERO));
        patient.join().unwrap();
        limited.join().unwrap();
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn a_giver_waits_until_half_of_the_queue_is_free() {
    every_order("one giver of four, room for two", || {
        let queue = Arc::new(Queue::new(2));
        let giving = Arc::clone(&queue);
        let giver = thread::spawn(move || (1..=4).for_each(|item| giving.give(item).unwrap()));
        let taken: Vec<i32> = (0..4).map(|_| queue.take().unwrap()).collect();
        giver.join().unwrap();
        assert_eq!(taken, [1, 2, 3, 4]);
    });
}

#[test]
fn two_givers_and_a_taker_lose_nothing_and_keep_the_order() {
    every_order("two givers, one taker", || {
        let queue = Arc::new(Queue::new(1));
        let givers: Vec<_> = [vec![1, 2], vec![10]]
            .into_iter()
            .map(|items| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || items.into_iter().for_each(|item| queue.give(item).unwrap()))
            })
            .collect();
        let mut taken: Vec<i32> = (0..3).map(|_| queue.take().unwrap()).collect();
        for giver in givers {
            giver.join().unwrap();
        }
        taken.retain(|item| *item != 10);
        assert_eq!(taken, [1, 2]);
    });
}

#[test]
fn a_giver_and_two_takers_lose_nothing_and_end() {
    every_order("one giver, two takers, closed", || {
        let queue = Arc::new(Queue::new(1));
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || std::iter::from_fn(|| queue.take()).sum::<i32>())
            })
            .collect();
        queue.give(11).unwrap();
        queue.close();
        let sum: i32 = takers.into_iter().map(|taker| taker.join().unwrap()).sum();
        assert_eq!(sum, 11);
    });
}

#[test]
fn closing_ends_every_wait() {
    every_order("closed while one waits to give", || {
        let queue = Arc::new(Queue::new(1));
        let (giving, closing) = (Arc::clone(&queue), Arc::clone(&queue));
        let giver = thread::spawn(move || {
            let first = giving.give(1).is_ok();
            let second = giving.give(2).is_ok();
            assert!(first || !second, "nothing is accepted after the end");
            usize::from(first) + usize::from(second)
        });
        let closer = thread::spawn(move || closing.close());
        let mut taken = 0;
        while queue.take().is_some() {
            taken += 1;
        }
        closer.join().unwrap();
        assert_eq!(giver.join().unwrap(), taken, "what was accepted comes out");
        assert_eq!(queue.try_give_with(3, |item| item), Err(3));
    });
}

#[test]
fn a_queue_that_is_full_gives_back() {
    every_order("trying to give", || {
        let queue = Arc::new(Queue::new(1));
        let givers: Vec<_> = (0..2)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || usize::from(queue.try_give_with(1, |item| item).is_ok()))
            })
            .collect();
        assert_eq!(queue.take(), Some(1));
        let accepted: usize = givers.into_iter().map(|giver| giver.join().unwrap()).sum();
        assert!((1..=2).contains(&accepted));
        queue.close();
        let left: usize = std::iter::from_fn(|| queue.take()).sum();
        assert_eq!(left + 1, accepted);
    });
}
