//! What all gRPC services share: the driver, the pool, the tables, and how long work is done.
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info, info_span};
use vitte_driver::{Driver, DriverError, EventSink};
use vitte_loader::plugin::Plugins;
use vitte_loader::{Cancel, ModuleLoader};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;
use vitte_store::Store;

use crate::config::Config;
use crate::connections::Connections;
use crate::convert;
use crate::follow::Followed;
use crate::in_place;
use crate::operation::{Begun, NewOperation, Operation, Operations, ProgramInput, Subscription};
use crate::pool::{Pool, PoolError};
use crate::status::Refusal;
use crate::watcher::Watcher;
use crate::workspaces::Workspaces;

/// After this long in the queue a request is told what it waits for.
const WAIT_SILENT_MAX: Duration = Duration::from_millis(300);
/// How long work may take to notice that its deadline is over.
const CANCEL_MAX: Duration = Duration::from_secs(5);

/// Calls of modules, loads and reloads that go on at once; more wait, until their deadline.
const MODULE_CALLS_MAX: usize = 64;

/// Where a service came from and where its things are.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Changes whenever the executable is replaced.
    pub build_id: String,
    /// The socket; empty for a private service.
    pub socket: PathBuf,
    /// The log file; empty for none.
    pub log: PathBuf,
    /// Where programs are built that are only run; empty to build them where `build` does.
    pub scratch: PathBuf,
}

/// The service's state. One per process; all gRPC services hold it.
pub struct Service {
    /// Settings in effect.
    pub config: Config,
    /// Who we are.
    pub identity: Identity,
    /// The engine.
    pub driver: Driver,
    /// What was computed, on disk.
    pub store: Arc<Store>,
    /// Modules that are loaded.
    pub modules: ModuleLoader,
    /// Extensions of the tools.
    pub plugins: Plugins,
    /// Those of them that follow their files.
    pub followed: Followed,
    /// Told whenever an operation ends.
    pub rested: Notify,
    /// Long work.
    pub operations: Operations,
    /// Open workspaces.
    pub workspaces: Workspaces,
    /// Which files may have changed.
    pub watcher: Watcher,
    /// Who is connected.
    pub connections: Arc<Connections>,
    /// Cancelled when the service shall end.
    pub stopping: CancellationToken,
    /// When it began, for `uptime`.
    pub began: Instant,
    /// When it began, for `started_at`.
    pub began_at: SystemTime,
    module_calls: Arc<Semaphore>,
    pool: Pool,
    tasks: TaskTracker,
    /// Cancelled when the drain limit is over.
    abandon: CancellationToken,
}

impl Service {
    /// A service that has not been asked anything yet.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(
        config: Config,
        identity: Identity,
        driver: Driver,
        store: Arc<Store>,
        modules: ModuleLoader,
        plugins: Plugins,
        watcher: Watcher,
    ) -> std::io::Result<Arc<Self>> {
        let abandon = CancellationToken::new();
        Ok(Arc::new(Self {
            pool: Pool::new(config.compile_threads.get())?,
            config,
            identity,
            driver,
            store,
            plugins,
            modules,
            followed: Followed::default(),
            module_calls: Arc::new(Semaphore::new(MODULE_CALLS_MAX)),
            rested: Notify::new(),
            operations: Operations::new(abandon.clone()),
            workspaces: Workspaces::default(),
            watcher,
            connections: Arc::default(),
            stopping: CancellationToken::new(),
            began: Instant::now(),
            began_at: SystemTime::now(),
            tasks: TaskTracker::new(),
            abandon,
        }))
    }

    /// Begins long work, or joins equal work that has the same request id. `deadline` bounds all of it.
    ///
    /// # Errors
    /// When the service is draining or has too much to do already.
    pub fn begin<F, W>(
        self: &Arc<Self>,
        new: NewOperation,
        deadline: Option<Duration>,
        work: W,
    ) -> Result<Subscription, Refusal>
    where
        W: FnOnce(Arc<Self>, Arc<Operation>, ProgramInput) -> F,
        F: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        if self.stopping.is_cancelled() {
            return Err(Refusal::draining());
        }
        let title = new.title.clone();
        let (subscription, input) = match self.operations.begin(new)? {
            Begun::Joined(subscription) => return Ok(subscription),
            Begun::New(subscription, input) => (subscription, input),
        };
        let operation = Arc::clone(subscription.operation());
        let span = info_span!("operation", name = operation.name(), title);
        let work = work(Arc::clone(self), Arc::clone(&operation), input);
        let service = Arc::clone(self);
        let task = async move {
            let outcome = within(deadline, &operation, work).await;
            let elapsed_ms = operation.elapsed().as_millis() as u64;
            match &outcome {
                Ok(()) => info!(elapsed_ms, "done"),
                Err(refusal) => {
                    info!(elapsed_ms, reason = %refusal.reason, message = refusal.message, "not done")
                }
            }
            service.operations.finish(&operation, &outcome);
            service.rested.notify_one();
        };
        self.tasks.spawn(task.instrument(span));
        Ok(subscription)
    }

    /// Runs `call` on the driver, on a thread of the pool; its events become the operation's.
    ///
    /// # Errors
    /// What the driver refuses; `CANCELLED` if the operation is; `INTERNAL` if the driver panics.
    pub async fn drive<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &Arc<Operation>,
        call: impl FnOnce(&Driver, &dyn EventSink, &CancellationToken) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.drive_with(operation, |service, sink, cancel| call(&service.driver, sink, cancel)).await
    }

    /// As [`drive`](Self::drive), for work that needs more than the driver.
    ///
    /// # Errors
    /// The same.
    pub async fn drive_with<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &Arc<Operation>,
        call: impl FnOnce(&Self, &dyn EventSink, &CancellationToken) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let service = Arc::clone(self);
        let worker = Arc::clone(operation);
        let span = tracing::Span::current();
        let job = self.pool.run(move || {
            let _entered = span.entered();
            let sink = |event| worker.emit(convert::event(event));
            call(&service, &sink, worker.cancel())
        });
        tokio::pin!(job);
        let explain_wait = async {
            if self.pool.has_free_thread() {
                return;
            }
            tokio::time::sleep(WAIT_SILENT_MAX).await;
            let own = format!("{} ", operation.name());
            let mut others = self.operations.describe_running();
            others.retain(|other| !other.starts_with(&own));
            if !self.pool.has_free_thread() && !others.is_empty() {
                let message = format!("waiting for {}; Ctrl-C leaves the queue", others.join(", "));
                operation.emit(Kind::Note(v1::Note { message }));
            }
        };
        let result = tokio::select! {
            result = &mut job => result,
            () = operation.cancel().cancelled() => return Err(DriverError::Cancelled.into()),
            () = explain_wait => tokio::select! {
                result = &mut job => result,
                () = operation.cancel().cancelled() => return Err(DriverError::Cancelled.into()),
            },
        };
        self.flatten(result)
    }

    /// Runs a driver call that is no operation on a thread of the pool.
    ///
    /// # Errors
    /// `INTERNAL` if the driver panics.
    pub async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Driver) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let service = Arc::clone(self);
        let result = self.pool.run(move || call(&service.driver)).await;
        self.flatten(result.map(Ok))
    }

    /// Runs `work` of a module on a thread for work that blocks. When nobody waits for it any more, or the drain
    /// limit is over, `cancel` is set; `work` must end soon after that.
    ///
    /// # Errors
    /// `DRAINING` at the drain limit; `INTERNAL` if it panics.
    pub async fn block<T: Send + 'static>(
        self: &Arc<Self>,
        cancel: Cancel,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.module_permit().await?;
        let _unless_done = CancelOnDrop(cancel);
        let work = self.tasks.spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        self.until_abandoned(work).await
    }

    /// The same for a call that is known to be short, on this thread; see [`in_place`].
    ///
    /// # Errors
    /// As [`block`](Self::block).
    pub async fn block_shortly<T: Send + 'static>(
        self: &Arc<Self>,
        cancel: Cancel,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.module_permit().await?;
        let _unless_done = CancelOnDrop(cancel);
        // A task of its own: this one can be dropped meanwhile. It is the next that this thread runs.
        let work = self.tasks.spawn(async move {
            let _permit = permit;
            in_place::run(work)
        });
        self.until_abandoned(work).await
    }

    async fn module_permit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        if self.stopping.is_cancelled() {
            return Err(Refusal::draining());
        }
        Arc::clone(&self.module_calls).acquire_owned().await.map_err(|_| Refusal::draining())
    }

    async fn until_abandoned<T>(&self, work: JoinHandle<T>) -> Result<T, Refusal> {
        tokio::select! {
            ended = work => ended.map_err(|error| {
                error!(%error, "work of a module panicked");
                Refusal::internal("work of a module panicked")
            }),
            () = self.abandon.cancelled() => Err(Refusal::draining()),
        }
    }

    fn flatten<T>(&self, result: Result<Result<T, DriverError>, PoolError>) -> Result<T, Refusal> {
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(DriverError::Internal(what))) => {
                error!(what, "internal error");
                Err(Refusal::internal(&what))
            }
            Ok(Err(refused)) => Err(refused.into()),
            Err(PoolError::Panicked(what)) => {
                error!(what, "the compiler panicked");
                Err(Refusal::internal(&what))
            }
            Err(PoolError::Closed) => Err(Refusal::draining()),
        }
    }

    /// Owns `work`, which drains like other work and ends at the drain limit.
    pub fn keep<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> tokio::task::JoinHandle<Result<T, Refusal>> {
        let abandon = self.abandon.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                ended = work => ended,
                () = abandon.cancelled() => Err(Refusal::draining()),
            }
        })
    }

    /// Owns a task that ends with `stopping`.
    pub fn watch(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Gives running work until the drain limit, then cancels it; returns when no task is left.
    pub async fn drain(self: &Arc<Self>) {
        self.tasks.close();
        if timeout(self.config.drain_max, self.tasks.wait()).await.is_err() {
            info!(running = self.operations.running(), "the drain limit is over");
            self.abandon.cancel();
            if timeout(CANCEL_MAX, self.tasks.wait()).await.is_err() {
                error!("some work does not end; leaving it");
                return;
            }
        }
        let service = Arc::clone(self);
        let closed = tokio::task::spawn_blocking(move || service.pool.close());
        if timeout(CANCEL_MAX, closed).await.is_err() {
            error!("the compile pool does not end; leaving it");
        }
    }
}

/// Cancels what its holder does not wait for any more.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `work` until its deadline, then cancels it and waits a little for it to notice.
async fn within(
    deadline: Option<Duration>,
    operation: &Operation,
    work: impl Future<Output = Result<(), Refusal>>,
) -> Result<(), Refusal> {
    tokio::pin!(work);
    let Some(deadline) = deadline else { return work.await };
    match timeout(deadline, &mut work).await {
        Ok(outcome) => outcome,
        Err(_) => {
            operation.cancel().cancel();
            let _ = timeout(CANCEL_MAX, work).await;
            let message = format!("not done within its deadline of {deadline:.1?}");
            Err(Refusal::new(tonic::Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message))
        }
    }
}
