//! The threads that compile: a fixed number, with stacks for deep programs, none of which a panic ends.
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::{Semaphore, oneshot};

/// Stack of each thread in bytes. Only touched pages cost memory.
const STACK_BYTES: usize = 64 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed set of threads for work that blocks.
pub struct Pool {
    /// One permit per thread: whoever holds one finds a thread free, so the channel never fills.
    permits: Arc<Semaphore>,
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Why a job has no result.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The job panicked; what it said.
    #[error("{0}")]
    Panicked(String),
    /// The pool takes no more jobs.
    #[error("the pool is closed")]
    Closed,
}

impl Pool {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel::<Job>(threads);
        let receiver = Arc::new(Mutex::new(receiver));
        let handles = (0..threads)
            .map(|number| {
                let receiver = Arc::clone(&receiver);
                thread::Builder::new()
                    .name(format!("compile-{number}"))
                    .stack_size(STACK_BYTES)
                    .spawn(move || work(&receiver))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(threads)),
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::new(handles),
        })
    }

    /// Whether a job that came now would begin at once.
    pub fn has_free_thread(&self) -> bool {
        self.permits.available_permits() > 0
    }

    /// Runs `job` on a thread of the pool, in the order of arrival.
    ///
    /// # Errors
    /// [`PoolError::Panicked`] if the job panicked, [`PoolError::Closed`] after [`close`](Self::close).
    /// # Cancel safety
    /// Dropping the future before the job began drops the job; afterwards the job runs to its end and
    /// its thread stays taken until then. Give it a cancellation token.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| PoolError::Closed)?;
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(job)).map_err(|panic| describe(&*panic));
            drop(permit);
            // The caller may have gone away; then nobody wants the result.
            let _ = answer.send(outcome);
        });
        let sender = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sender.ok_or(PoolError::Closed)?.try_send(job).map_err(|_| PoolError::Closed)?;
        result.await.map_err(|_| PoolError::Closed)?.map_err(PoolError::Panicked)
    }

    /// Takes no more jobs and waits for those that run. Blocks.
    pub fn close(&self) {
        self.permits.close();
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Jobs are caught one by one, so a thread ends only by the closed channel.
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // The guard is a temporary of this statement: it is free again before the job runs.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job();
    }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_one_job_only() {
        let pool = Pool::new(1).unwrap();
        let error = pool.run(|| panic!("boom {}", 1)).await.unwrap_err();
        assert_eq!(error, PoolError::Panicked("boom 1".into()));
        assert_eq!(pool.run(|| 7).await, Ok(7));
        pool.close();
        assert_eq!(pool.run(|| 7).await, Err(PoolError::Closed));
    }
}
