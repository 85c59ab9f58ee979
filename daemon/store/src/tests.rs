//! Tests of the whole store that need its inside: faults of the disk, and time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vitte_sys::time::{ManualClock, SystemClock};
use vitte_sys::{Op, SysError};

use crate::{ActionKey, ActionResult, IndexUse, Options, Store};

mod collection; // budget, age, leases, pins
mod faults; // the Nth operation fails, for every N
mod indexing; // what the index knows, and what its damage costs
mod opening; // versions, read-only folders, no store at all

/// Refuses chosen operations. Shared by all threads that use the same files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Plan>);

#[derive(Debug, Default)]
struct Plan {
    done: AtomicU64,
    /// The operation that fails, counted from 1; zero for none.
    fails: AtomicU64,
    /// How many fail from there on.
    count: AtomicU64,
    errno: AtomicU64,
}

impl Faults {
    /// Makes `count` operations fail with `errno`, beginning with the `first` from now.
    pub fn plan(&self, first: u64, count: u64, errno: i32) {
        self.0.done.store(0, Ordering::SeqCst);
        self.0.errno.store(errno as u64, Ordering::SeqCst);
        self.0.count.store(count, Ordering::SeqCst);
        self.0.fails.store(first, Ordering::SeqCst);
    }

    /// Ends the faults; answers with how many operations there were.
    pub fn end(&self) -> u64 {
        self.0.fails.store(0, Ordering::SeqCst);
        self.0.done.load(Ordering::SeqCst)
    }

    pub fn strike(&self, op: Op, path: &Path) -> Result<(), SysError> {
        let number = self.0.done.fetch_add(1, Ordering::SeqCst) + 1;
        let first = self.0.fails.load(Ordering::SeqCst);
        if first != 0 && number >= first && number - first < self.0.count.load(Ordering::SeqCst) {
            let errno = self.0.errno.load(Ordering::SeqCst) as i32;
            return Err(SysError::new(op, path, std::io::Error::from_raw_os_error(errno)));
        }
        Ok(())
    }
}

fn key(number: u64) -> ActionKey {
    ActionKey::of(&[&number.to_le_bytes()])
}

fn result(number: u64) -> ActionResult {
    ActionResult { outputs: Vec::new(), inline: number.to_le_bytes().to_vec(), inputs: Vec::new() }
}

/// Options without the index and with a clock that stands at the present.
fn standing() -> (Options, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(vitte_sys::time::Clock::wall(&SystemClock)));
    let options =
        Options { index: IndexUse::Never, clock: Arc::<ManualClock>::clone(&clock), ..Options::default() };
    (options, clock)
}

fn go_on(_: crate::Progress) -> std::ops::ControlFlow<()> {
    std::ops::ControlFlow::Continue(())
}

fn faults(store: &Store) -> Faults {
    store.inner.files.as_ref().unwrap().faults.clone()
}
