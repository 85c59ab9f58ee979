//! Work that is known to be short runs on the thread that received its request: to wake another, and to be woken by
//! it, takes ten times as long as the work. Should it take long after all, the other tasks of the thread move to
//! another one ([`give_way`]).
use std::cell::Cell;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

/// How long the other thread is given to take the tasks over.
const MOMENT: Duration = Duration::from_micros(200);
/// How often that is tried: whether it succeeded cannot be asked.
const TRIES: u32 = 8;

thread_local! {
    /// Tries that are left; none on a thread that runs nothing in place.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// Ends what [`run`] began, also when the work panics.
struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        LEFT.set(0);
    }
}

/// Runs `work` here. It calls [`give_way`] when it takes longer than a millisecond or so.
pub(crate) fn run<T>(work: impl FnOnce() -> T) -> T {
    // A runtime of one thread has none to give its tasks to.
    if Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread) {
        LEFT.set(TRIES);
    }
    let _ended = Ended;
    work()
}

/// Called by work that takes long: if it runs in place, the thread's other tasks go elsewhere.
pub fn give_way() {
    let left = LEFT.get();
    if left > 0 {
        LEFT.set(left - 1);
        // The runtime hands its tasks over when this begins; whoever ends it too soon takes them back.
        tokio::task::block_in_place(|| std::thread::sleep(MOMENT));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_only_thread_of_a_runtime_is_given_up_by_work_that_takes_long() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        // It ends when another task has run, which needs the thread.
        let long = runtime.spawn(async move {
            run(|| {
                while !ended.load(Ordering::SeqCst) {
                    give_way();
                }
            });
        });
        let short = runtime.spawn(async move { over.store(true, Ordering::SeqCst) });
        runtime.block_on(async { tokio::join!(long, short) }).0.unwrap();
        assert_eq!(LEFT.get(), 0);
    }

    #[test]
    fn elsewhere_nothing_is_given_up() {
        assert_eq!(run(|| 7), 7);
        give_way();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            run(give_way);
        });
    }
}
