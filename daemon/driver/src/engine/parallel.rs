//! Queries asked on all processors.
use std::collections::HashSet;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Database, meter};

/// Most threads for one request.
const THREADS_MAX: usize = 8;
/// Fewer items than this are not worth a thread.
const WAITING_MIN: usize = 8;
/// Items taken at a time.
const BATCH: usize = 8;
/// Queries call each other deeply; they grow their stacks beyond this themselves.
const STACK: usize = 4 << 20;

/// Does `step` for `first` and for everything that a step gives, each once, in no certain order, and returns
/// when nothing is left. What the steps compute stays in the database: whoever asks for it afterwards, in
/// whatever order, finds it made. A step that unwinds ends the work early; the caller meets the reason when
/// it asks.
pub(super) fn each<T: Copy + Eq + Hash + Send>(
    db: &Database,
    first: Vec<T>,
    step: impl Fn(&Database, T) -> Vec<T> + Sync,
) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    if processors == 1 {
        return;
    }
    let work = Work::new(first);
    let caller = meter::caller();
    std::thread::scope(|scope| {
        // However this thread leaves, the others end too.
        let _end = EndOnDrop(&work);
        let mut others = Vec::new();
        while let Some(batch) = work.take() {
            if others.is_empty() && work.waiting() >= WAITING_MIN {
                for _ in 1..processors {
                    let (snapshot, caller, work, step) = (db.clone(), caller.clone(), &work, &step);
                    let name = "vitte-query".to_owned();
                    let other = std::thread::Builder::new().name(name).stack_size(STACK);
                    let other = other.spawn_scoped(scope, move || {
                        let _end = EndOnDrop(work);
                        meter::start_with(caller, &snapshot);
                        let _ = catch_unwind(AssertUnwindSafe(|| {
                            while let Some(batch) = work.take() {
                                work.put(batch.iter().flat_map(|item| step(&snapshot, *item)));
                            }
                        }));
                        meter::take()
                    });
                    // Without it the work is done all the same.
                    others.extend(other.ok());
                }
            }
            work.put(batch.iter().flat_map(|item| step(db, *item)));
        }
        for other in others {
            if let Ok(Some(done)) = other.join() {
                meter::absorb(done);
            }
        }
    });
}

/// What there is to do.
struct Work<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: Vec<T>,
    seen: HashSet<T>,
    /// Threads that may still put something in.
    busy: usize,
    has_ended: bool,
}

impl<T: Copy + Eq + Hash> Work<T> {
    fn new(first: Vec<T>) -> Self {
        let seen = first.iter().copied().collect();
        let state = State { waiting: first, seen, busy: 0, has_ended: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Some items, or `None` when nothing is left and nothing can come. Each answer is followed by one
    /// [`put`](Self::put).
    fn take(&self) -> Option<Vec<T>> {
        let mut state = self.lock();
        loop {
            if state.has_ended {
                return None;
            }
            if !state.waiting.is_empty() {
                let rest = state.waiting.len().saturating_sub(BATCH);
                state.busy += 1;
                return Some(state.waiting.split_off(rest));
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, found: impl Iterator<Item = T>) {
        let found: Vec<T> = found.collect();
        let mut state = self.lock();
        let State { waiting, seen, busy, .. } = &mut *state;
        waiting.extend(found.into_iter().filter(|item| seen.insert(*item)));
        *busy -= 1;
        drop(state);
        self.changed.notify_all();
    }

    fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }
}

impl<T> Work<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the work for all, whether it is done or a step unwound.
struct EndOnDrop<'a, T>(&'a Work<T>);

impl<T> Drop for EndOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::collections::HashMap;

    use super::super::Folders;
    use super::*;

    fn database() -> Database {
        Database::new(Folders { workspace: std::env::temp_dir(), roots: Vec::new() })
    }

    fn below(number: u32) -> Vec<u32> {
        [2 * number + 1, 2 * number + 2].into_iter().filter(|number| *number < 1000).collect()
    }

    #[test]
    fn everything_is_done_once() {
        let done = Mutex::new(HashMap::<u32, u32>::new());
        each(&database(), vec![0], |_, number: u32| {
            *done.lock().unwrap().entry(number).or_default() += 1;
            below(number)
        });
        let done = done.into_inner().unwrap();
        // With one processor there is nothing to do ahead.
        assert!(done.is_empty() || (done.len() == 1000 && done.values().all(|times| *times == 1)));
    }

    #[test]
    fn what_unwinds_ends_the_work_of_all_and_nothing_else() {
        let db = database();
        let done = Mutex::new(Vec::new());
        let _ = catch_unwind(AssertUnwindSafe(|| {
            each(&db, vec![0], |_, number: u32| {
                assert!(number != 300, "a step that unwinds");
                done.lock().unwrap().push(number);
                below(number)
            });
        }));
        let first = done.lock().unwrap().len();
        assert!(first < 1000, "all of it was done");
        each(&db, vec![0], |_, number: u32| {
            done.lock().unwrap().push(number);
            below(number)
        });
        let second = done.lock().unwrap().len() - first;
        assert!(second == 1000 || second == 0);
    }
}
