//! Long work by name: its events, who reads them, and what happens when nobody does any more.
//!
//! An operation owns a log of numbered events. Whoever asked for the work, and whoever joins later,
//! reads that log at a pace of their own through a [`Subscription`]. The worker is held back only by
//! [`Operation::emit_paced`], and only while a reader is far behind.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::status::Refusal;

/// How far, in bytes, a reader may be behind before a paced producer waits for it.
const LAG_MAX: usize = 1 << 20;
/// Bytes of events kept for those who join later.
const KEEP_BYTES: usize = 4 << 20;
/// Bytes after which even unread events are dropped, so that no reader can fill our memory.
const UNREAD_BYTES_MAX: usize = 64 << 20;
/// Finished operations that can still be asked about.
const FINISHED_MAX: usize = 128;
/// Operations that may go on at once.
const RUNNING_MAX: usize = 1024;
/// Pieces of standard input that may wait for a program.
const STDIN_QUEUE: usize = 16;
/// Signals that may wait for a program.
const SIGNAL_QUEUE: usize = 16;

/// Which method began an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// `BuildService.Check`
    Check,
    /// `BuildService.Build`
    Build,
    /// `BuildService.Test`
    Test,
    /// `BuildService.Measure`
    Bench,
    /// `BuildService.Emit`
    Emit,
    /// `RunService.Run`
    Run,
    /// `WatchService.Rebuild`
    Rebuild,
    /// `PackageService`
    Package,
}

/// What happens when the last reader goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnwatched {
    /// The work is cancelled.
    Cancel,
    /// The work goes on.
    Continue,
}

/// A piece of standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StdinPiece {
    /// The bytes; may be empty.
    pub data: bytes::Bytes,
    /// Standard input ends after this piece.
    pub end: bool,
}

/// What reaches a program from outside.
#[derive(Debug)]
pub struct ProgramInput {
    /// Standard input.
    pub stdin: mpsc::Receiver<StdinPiece>,
    /// Signal numbers.
    pub signals: mpsc::Receiver<i32>,
}

/// What to begin.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// By which method.
    pub kind: OperationKind,
    /// In words: `build hello.vit`.
    pub title: String,
    /// Empty, or the caller's own name for this request.
    pub request_id: String,
    /// See [`WhenUnwatched`].
    pub when_unwatched: WhenUnwatched,
}

/// One piece of long work.
#[derive(Debug)]
pub struct Operation {
    number: u64,
    kind: OperationKind,
    title: String,
    began: Instant,
    began_at: SystemTime,
    when_unwatched: WhenUnwatched,
    cancel: CancellationToken,
    log: Mutex<Log>,
    /// Notified when an event was added or a reader moved on.
    changed: Notify,
    stdin: mpsc::Sender<StdinPiece>,
    signals: mpsc::Sender<i32>,
}

#[derive(Debug, Default)]
struct Log {
    events: VecDeque<(v1::Event, usize)>,
    bytes: usize,
    last_sequence: u64,
    /// Bytes of all events ever added.
    bytes_total: u64,
    /// Readers by number, with how far each has read.
    readers: BTreeMap<u64, Progress>,
    next_reader: u64,
    executable: String,
    finished: Option<(SystemTime, v1::OperationFinished)>,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    sequence: u64,
    /// Bytes of all events up to and including `sequence`.
    bytes_total: u64,
}

impl Log {
    fn first_kept(&self) -> u64 {
        self.last_sequence + 1 - self.events.len() as u64
    }

    fn after(&self, sequence: u64) -> Option<&(v1::Event, usize)> {
        let skipped = (sequence + 1).saturating_sub(self.first_kept());
        self.events.get(usize::try_from(skipped).ok()?)
    }

    /// Bytes that the slowest reader has yet to read.
    fn lag(&self) -> usize {
        let slowest = self.readers.values().map(|reader| reader.bytes_total).min();
        slowest.map_or(0, |slowest| usize::try_from(self.bytes_total - slowest).unwrap_or(usize::MAX))
    }

    fn trim(&mut self) {
        let slowest = self.readers.values().map(|reader| reader.sequence).min().unwrap_or(u64::MAX);
        while self.bytes > UNREAD_BYTES_MAX || (self.bytes > KEEP_BYTES && self.first_kept() <= slowest) {
            let Some((_, bytes)) = self.events.pop_front() else { return };
            self.bytes -= bytes;
        }
    }
}

impl Operation {
    /// `operations/{number}`
    pub fn name(&self) -> String {
        format!("operations/{}", self.number)
    }

    /// Which method began it.
    pub fn kind(&self) -> OperationKind {
        self.kind
    }

    /// Time since it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Cancelled when the work shall stop.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Adds an event. Never waits.
    pub fn emit(&self, kind: Kind) {
        self.append(&mut self.lock(), kind);
        self.changed.notify_waiters();
    }

    /// Adds an event once no reader is far behind: a program that writes faster than its reader reads
    /// is held up, as by a full pipe.
    ///
    /// # Cancel safety
    /// If dropped, the event was not added.
    pub async fn emit_paced(&self, kind: Kind) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change between look and wait is missed.
            changed.as_mut().enable();
            {
                let mut log = self.lock();
                if log.lag() < LAG_MAX {
                    self.append(&mut log, kind);
                    break;
                }
            }
            changed.await;
        }
        self.changed.notify_waiters();
    }

    fn append(&self, log: &mut Log, kind: Kind) {
        if log.finished.is_some() {
            return;
        }
        if let Kind::ProgramStarted(started) = &kind {
            log.executable.clone_from(&started.executable);
        }
        let bytes = size_of_val(&kind) + payload_bytes(&kind);
        log.last_sequence += 1;
        let elapsed = duration(self.began.elapsed());
        let event = v1::Event {
            operation: self.name(),
            sequence: log.last_sequence,
            elapsed: Some(elapsed),
            kind: Some(kind),
        };
        log.events.push_back((event, bytes));
        log.bytes += bytes;
        log.bytes_total += bytes as u64;
        log.trim();
    }

    fn finish(&self, outcome: &Result<(), Refusal>) {
        let (result, failure) = match outcome {
            Ok(()) => (v1::OperationResult::Done, None),
            Err(refusal) if refusal.code == tonic::Code::Cancelled => {
                (v1::OperationResult::Cancelled, Some(refusal.to_failure()))
            }
            Err(refusal) => (v1::OperationResult::Failed, Some(refusal.to_failure())),
        };
        let finished = v1::OperationFinished { result: result.into(), failure };
        let mut log = self.lock();
        self.append(&mut log, Kind::OperationFinished(finished.clone()));
        log.finished = Some((SystemTime::now(), finished));
        drop(log);
        self.changed.notify_waiters();
    }

    /// Reads the log from the event after `sequence`.
    pub fn subscribe(self: &Arc<Self>, sequence: u64) -> Subscription {
        let mut log = self.lock();
        let reader = log.next_reader;
        log.next_reader += 1;
        // What lies before the wished place counts as read; what lies after it does not hold up a producer
        // that is ahead already.
        let bytes_total = log.bytes_total;
        log.readers.insert(reader, Progress { sequence, bytes_total });
        Subscription { operation: Arc::clone(self), reader }
    }

    /// The operation as the API shows it.
    pub fn describe(&self) -> v1::Operation {
        let log = self.lock();
        let (finished_at, finished) = log.finished.clone().unzip();
        let finished = finished.unwrap_or_default();
        v1::Operation {
            name: self.name(),
            title: self.title.clone(),
            started_at: Some(self.began_at.into()),
            finished_at: finished_at.map(Into::into),
            result: finished.result,
            failure: finished.failure,
            last_sequence: log.last_sequence,
        }
    }

    /// The operation as a program that runs; `None` if it is no run or is over.
    pub fn describe_run(&self) -> Option<v1::ProgramRun> {
        let log = self.lock();
        (self.kind == OperationKind::Run && log.finished.is_none()).then(|| v1::ProgramRun {
            operation: self.name(),
            title: self.title.clone(),
            executable: log.executable.clone(),
            started_at: Some(self.began_at.into()),
        })
    }

    /// Gives a program input. Waits while its queue is full; a program that is gone takes and drops it.
    pub async fn send_stdin(&self, piece: StdinPiece) {
        let _ = self.stdin.send(piece).await;
    }

    /// Sends a program a signal. Before it has started, one that would end it cancels the build.
    ///
    /// # Errors
    /// When this is no run, the run is over, or the number is no signal.
    pub fn send_signal(&self, signal: u32) -> Result<(), Refusal> {
        let number = i32::try_from(signal).ok().filter(|number| (1..=31).contains(number));
        let number = number.ok_or_else(|| Refusal::bad_field("signal", "must be 1 to 31"))?;
        if self.kind != OperationKind::Run {
            return Err(Refusal::bad_field("operation", "must be a run"));
        }
        self.signals.try_send(number).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::new(
                tonic::Code::ResourceExhausted,
                "TOO_MANY_SIGNALS",
                "too many signals are waiting",
            ),
            mpsc::error::TrySendError::Closed(_) => {
                Refusal::new(tonic::Code::FailedPrecondition, "NOT_RUNNING", "the program has ended")
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // Every change under the lock is complete when a panic could happen.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of an operation's events.
#[derive(Debug)]
pub struct Subscription {
    operation: Arc<Operation>,
    reader: u64,
}

impl Subscription {
    /// The operation that is read.
    pub fn operation(&self) -> &Arc<Operation> {
        &self.operation
    }

    /// The next event; `None` after the last.
    ///
    /// # Cancel safety
    /// If dropped, no event was taken.
    pub async fn next(&mut self) -> Option<v1::Event> {
        loop {
            let changed = self.operation.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut log = self.operation.lock();
                let read = log.readers.get(&self.reader).copied().unwrap_or_default();
                if let Some((event, bytes)) = log.after(read.sequence).cloned() {
                    let was_behind = log.lag() >= LAG_MAX;
                    // A reader that joined late catches up on events that were counted as read.
                    let bytes_total = (read.bytes_total + bytes as u64).min(log.bytes_total);
                    log.readers.insert(self.reader, Progress { sequence: event.sequence, bytes_total });
                    log.trim();
                    drop(log);
                    if was_behind {
                        self.operation.changed.notify_waiters();
                    }
                    return Some(event);
                }
                if log.finished.is_some() {
                    return None;
                }
            }
            changed.await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut log = self.operation.lock();
        log.readers.remove(&self.reader);
        let unwatched = log.readers.is_empty() && log.finished.is_none();
        drop(log);
        match self.operation.when_unwatched {
            WhenUnwatched::Cancel if unwatched => self.operation.cancel.cancel(),
            WhenUnwatched::Cancel | WhenUnwatched::Continue => {}
        }
        // A producer may have waited for this reader.
        self.operation.changed.notify_waiters();
    }
}

/// All operations of the service.
#[derive(Debug)]
pub struct Operations {
    table: Mutex<Table>,
    running: AtomicU64,
    finished: AtomicU64,
    shutdown: CancellationToken,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    by_number: BTreeMap<u64, Arc<Operation>>,
    by_request: HashMap<(OperationKind, String), u64>,
    finished: VecDeque<u64>,
}

/// What [`Operations::begin`] found.
#[derive(Debug)]
pub enum Begun {
    /// An earlier request had the same id: here are its events.
    Joined(Subscription),
    /// A new operation, to be worked on; [`Operations::finish`] must follow.
    New(Subscription, ProgramInput),
}

impl Operations {
    /// No operations. All that begin are cancelled with `shutdown`.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { table: Mutex::default(), running: AtomicU64::new(0), finished: AtomicU64::new(0), shutdown }
    }

    /// Begins an operation, or joins the one that an equal request began.
    ///
    /// # Errors
    /// When too many operations go on already.
    pub fn begin(&self, new: NewOperation) -> Result<Begun, Refusal> {
        let NewOperation { kind, title, request_id, when_unwatched } = new;
        let mut table = self.lock();
        let key = (kind, request_id);
        if let Some(known) = table.by_request.get(&key).and_then(|number| table.by_number.get(number)) {
            return Ok(Begun::Joined(known.subscribe(0)));
        }
        if table.by_number.len() - table.finished.len() >= RUNNING_MAX {
            return Err(Refusal::new(
                tonic::Code::ResourceExhausted,
                "TOO_MANY_OPERATIONS",
                format!("{RUNNING_MAX} operations go on already"),
            ));
        }
        table.next += 1;
        let number = table.next;
        let (stdin, stdin_queue) = mpsc::channel(STDIN_QUEUE);
        let (signals, signal_queue) = mpsc::channel(SIGNAL_QUEUE);
        let operation = Arc::new(Operation {
            number,
            kind,
            title: title.clone(),
            began: Instant::now(),
            began_at: SystemTime::now(),
            when_unwatched,
            cancel: self.shutdown.child_token(),
            log: Mutex::default(),
            changed: Notify::new(),
            stdin,
            signals,
        });
        operation.emit(Kind::OperationStarted(v1::OperationStarted { title }));
        table.by_number.insert(number, Arc::clone(&operation));
        if !key.1.is_empty() {
            table.by_request.insert(key, number);
        }
        self.running.fetch_add(1, Ordering::Relaxed);
        Ok(Begun::New(operation.subscribe(0), ProgramInput { stdin: stdin_queue, signals: signal_queue }))
    }

    /// Ends an operation; its last event says how.
    pub fn finish(&self, operation: &Operation, outcome: &Result<(), Refusal>) {
        operation.finish(outcome);
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.finished.fetch_add(1, Ordering::Relaxed);
        let mut table = self.lock();
        table.finished.push_back(operation.number);
        while table.finished.len() > FINISHED_MAX {
            let Some(oldest) = table.finished.pop_front() else { break };
            table.by_number.remove(&oldest);
            table.by_request.retain(|_, number| *number != oldest);
        }
    }

    /// The operation with this resource name.
    ///
    /// # Errors
    /// When there is none, or none any more.
    pub fn get(&self, name: &str) -> Result<Arc<Operation>, Refusal> {
        let number = name.strip_prefix("operations/").and_then(|number| number.parse().ok());
        let number: u64 =
            number.ok_or_else(|| Refusal::bad_field("name", "must be `operations/{number}`"))?;
        self.lock().by_number.get(&number).cloned().ok_or_else(|| Refusal::unknown("operation", name))
    }

    /// All that are known, oldest first, with their numbers.
    pub fn list(&self) -> Vec<(u64, Arc<Operation>)> {
        self.lock().by_number.iter().map(|(&number, operation)| (number, Arc::clone(operation))).collect()
    }

    /// What goes on now, in words: `operations/3 (build a.vit, for 2.1 s)`.
    pub fn describe_running(&self) -> Vec<String> {
        let running = self.list().into_iter().filter(|(_, operation)| operation.lock().finished.is_none());
        running
            .map(|(_, operation)| {
                let seconds = operation.began.elapsed().as_secs_f32();
                format!("{} ({}, for {seconds:.1} s)", operation.name(), operation.title)
            })
            .collect()
    }

    /// How many go on.
    pub fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }

    /// How many ended since the service began.
    pub fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A duration as the API writes it.
pub fn duration(value: Duration) -> prost_types::Duration {
    // No duration of ours comes near 2^63 seconds.
    prost_types::Duration { seconds: value.as_secs() as i64, nanos: value.subsec_nanos() as i32 }
}

fn payload_bytes(kind: &Kind) -> usize {
    match kind {
        Kind::ProgramOutput(output) => output.data.len(),
        Kind::StageOutput(output) => output.data.len(),
        Kind::Diagnostic(diagnostic) => diagnostic_bytes(diagnostic),
        Kind::Note(note) => note.message.len(),
        Kind::ProgramRestarting(restarting) => restarting.reason.len(),
        Kind::RoundStarted(started) => started.changed.iter().map(String::len).sum(),
        Kind::BuildFinished(finished) => finished.plan.len() + finished.executable.len(),
        Kind::TestsStarted(started) => started.names.iter().map(String::len).sum(),
        Kind::TestFinished(test) => test.name.len() + test.detail.len() + test.output.len(),
        Kind::BenchesStarted(started) => started.names.iter().map(String::len).sum(),
        Kind::BenchFinished(bench) => {
            bench.name.len() + bench.failure.len() + bench.output.len() + bench.samples.len() * 8
        }
        Kind::OperationStarted(_)
        | Kind::TestsFinished(_)
        | Kind::PhaseStarted(_)
        | Kind::PhaseFinished(_)
        | Kind::Artifact(_)
        | Kind::ProgramStarted(_)
        | Kind::ProgramExited(_)
        | Kind::ProgramSwapped(_)
        | Kind::RoundFinished(_)
        | Kind::OperationFinished(_) => 0,
    }
}

fn diagnostic_bytes(diagnostic: &v1::Diagnostic) -> usize {
    let lines = |span: &Option<v1::FileSpan>| {
        span.iter().flat_map(|s| &s.source_lines).map(String::len).sum::<usize>()
    };
    diagnostic.message.len()
        + diagnostic.labels.iter().map(|label| label.message.len() + lines(&label.span)).sum::<usize>()
        + diagnostic.suggestions.iter().map(|s| s.replacement.len() + lines(&s.span)).sum::<usize>()
        + diagnostic.notes.iter().chain(&diagnostic.helps).map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn new(request_id: &str, when_unwatched: WhenUnwatched) -> NewOperation {
        NewOperation {
            kind: OperationKind::Run,
            title: "run a.vit".into(),
            request_id: request_id.into(),
            when_unwatched,
        }
    }

    fn begin(operations: &Operations, new_operation: NewOperation) -> (Subscription, ProgramInput) {
        match operations.begin(new_operation).unwrap() {
            Begun::New(subscription, input) => (subscription, input),
            Begun::Joined(_) => panic!("joined"),
        }
    }

    fn output(bytes: usize) -> Kind {
        Kind::ProgramOutput(v1::ProgramOutput { stream: 1, data: vec![0; bytes].into() })
    }

    #[tokio::test]
    async fn everyone_reads_the_same_numbered_events() {
        let operations = Operations::new(CancellationToken::new());
        let (mut first, _input) = begin(&operations, new("r", WhenUnwatched::Cancel));
        let operation = Arc::clone(first.operation());
        operation.emit(output(1));
        let Begun::Joined(mut second) = operations.begin(new("r", WhenUnwatched::Cancel)).unwrap() else {
            panic!("not joined")
        };
        operations.finish(&operation, &Ok(()));
        for reader in [&mut first, &mut second] {
            let mut sequences = Vec::new();
            while let Some(event) = reader.next().await {
                sequences.push(event.sequence);
            }
            assert_eq!(sequences, [1, 2, 3]);
        }
        assert_eq!((operations.running(), operations.finished()), (0, 1));
        assert_eq!(operation.describe().result(), v1::OperationResult::Done);
    }

    #[tokio::test]
    async fn the_last_reader_takes_the_work_with_it() {
        let operations = Operations::new(CancellationToken::new());
        let (first, _input) = begin(&operations, new("", WhenUnwatched::Cancel));
        let operation = Arc::clone(first.operation());
        let second = operation.subscribe(0);
        drop(first);
        assert!(!operation.cancel().is_cancelled());
        drop(second);
        assert!(operation.cancel().is_cancelled());
        let (kept, _input) = begin(&operations, new("", WhenUnwatched::Continue));
        let operation = Arc::clone(kept.operation());
        drop(kept);
        assert!(!operation.cancel().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_holds_the_program_up() {
        let operations = Operations::new(CancellationToken::new());
        let (mut reader, _input) = begin(&operations, new("", WhenUnwatched::Cancel));
        let operation = Arc::clone(reader.operation());
        let producer = tokio::spawn(async move {
            for _ in 0..64 {
                operation.emit_paced(output(LAG_MAX / 4)).await;
            }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!producer.is_finished());
        for _ in 0..65 {
            assert!(reader.next().await.is_some());
        }
        producer.await.unwrap();
        // What was read is not kept for ever.
        assert!(reader.operation().lock().bytes <= KEEP_BYTES);
    }
}
