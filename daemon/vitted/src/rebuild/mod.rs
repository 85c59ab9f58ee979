//! Watch mode: builds again after every change, and keeps the program of the last good build running.
//!
//! A *round* is one build. Changes are collected until they settle, then the next round begins; what
//! changes during a round ends it early. Nothing runs between rounds: no timer, unless something that
//! the build reads cannot be watched.
pub(crate) mod inputs; // which files the build reads, and which of them changed

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;
use vitte_driver::{
    BuildOutcome, BuildRequest, DriverError, Event, EventSink, RunSpec, TestBuild, TestProgram,
};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::convert;
use crate::operation::{Operation, duration};
use crate::program;
use crate::service::Service;
use crate::status::Refusal;
use crate::testing::{Choice, run_tests};
use crate::watcher::settle::VersionControl;

use inputs::{Noticed, Tracked};

/// Changed files that are named one by one.
const CHANGED_SHOWN: usize = 8;

/// What to do in each round.
#[derive(Clone, Debug)]
pub enum Goal {
    /// Check.
    Check,
    /// Build.
    Build,
    /// Build and run.
    Run {
        /// How to run it; the executable is that of each round.
        spec: RunSpec,
        /// What becomes of a program that still runs.
        when_rebuilt: WhenRebuilt,
    },
    /// Build and run tests. Those that still run are ended when there are new ones.
    Test(Choice),
}

/// What becomes of the program of an earlier round that still runs when there is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenRebuilt {
    /// It is ended and the new one started.
    Restart,
    /// It goes on; the new one is started once it has ended.
    Keep,
}

/// What to build again and again.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to build.
    pub build: BuildRequest,
    /// What to do in each round.
    pub goal: Goal,
}

/// Does `job` until the operation is cancelled or the service ends.
///
/// # Errors
/// What the driver refuses in the first round; `CANCELLED`; `DRAINING`.
pub async fn rebuild(service: Arc<Service>, operation: Arc<Operation>, job: Job) -> Result<(), Refusal> {
    let stopping = service.stopping.clone();
    let mut session = Session::new(service, Arc::clone(&operation), job);
    let ended = tokio::select! {
        ended = session.run() => ended,
        () = operation.cancel().cancelled() => Err(DriverError::Cancelled.into()),
        () = stopping.cancelled() => Err(Refusal::draining()),
    };
    session.end().await;
    ended
}

struct Session {
    service: Arc<Service>,
    operation: Arc<Operation>,
    job: Arc<Job>,
    /// The folder that shown paths are relative to, without symbolic links.
    shown_from: PathBuf,
    tools: VersionControl,
    /// `None` until the first round has shown what is read.
    tracked: Option<Tracked>,
    /// Rounds that were told.
    number: u64,
    last: Ended,
    /// Cancels the round that goes on.
    round: CancellationToken,
    program: Option<Program>,
    /// What to start once the program has ended.
    next_program: Option<Executable>,
    /// The programs of the last round that hold tests.
    tests: Vec<TestProgram>,
}

/// How a round ended, as far as it tells one round from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ended {
    errors: u64,
    warnings: u64,
    sha256: String,
    failure: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Executable {
    path: PathBuf,
    sha256: String,
}

struct Program {
    executable: Executable,
    stop: CancellationToken,
    task: AbortOnDropHandle<Result<(), Refusal>>,
}

impl Session {
    fn new(service: Arc<Service>, operation: Arc<Operation>, job: Job) -> Self {
        let shown_from = vitte_sys::fs::canonical(&job.build.cwd).unwrap_or_else(|_| job.build.cwd.clone());
        let round = operation.cancel().child_token();
        Self {
            tools: VersionControl::around(&shown_from),
            shown_from,
            service,
            operation,
            job: Arc::new(job),
            tracked: None,
            number: 0,
            last: Ended::default(),
            round,
            program: None,
            next_program: None,
            tests: Vec::new(),
        }
    }

    async fn run(&mut self) -> Result<(), Refusal> {
        let mut noticed = Noticed::new(Instant::now());
        loop {
            let meanwhile = self.round(noticed).await?;
            let next = match meanwhile {
                Some(meanwhile) => meanwhile,
                None => self.wait().await,
            };
            noticed = self.settle(next).await;
        }
    }

    /// Builds once. What changed meanwhile, if something did.
    async fn round(&mut self, noticed: Noticed) -> Result<Option<Noticed>, Refusal> {
        let (is_first, began) = (self.number == 0, noticed.first);
        let sink = Arc::new(RoundSink::new(Arc::clone(&self.operation)));
        // Where no change of a file is certain, a round that does nothing is not worth a word.
        if is_first || !noticed.files.is_empty() {
            self.announce(&sink, &noticed);
        }
        self.round = self.operation.cancel().child_token();
        let (job, worker, token) = (Arc::clone(&self.job), Arc::clone(&sink), self.round.clone());
        let work = self.service.drive(&self.operation, move |driver, _, _| match &job.goal {
            Goal::Check => driver.check(&job.build, &*worker, &token).map(without_tests),
            Goal::Build | Goal::Run { .. } => driver.build(&job.build, &*worker, &token).map(without_tests),
            Goal::Test(_) => driver.build_tests(&job.build, &*worker, &token),
        });
        let mut meanwhile: Option<Noticed> = None;
        let result = {
            tokio::pin!(work);
            loop {
                let change = async {
                    match &mut self.tracked {
                        Some(tracked) => tracked.next().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    result = &mut work => break result,
                    change = change => {
                        self.round.cancel();
                        match &mut meanwhile {
                            Some(meanwhile) => meanwhile.merge(change),
                            None => meanwhile = Some(change),
                        }
                    }
                }
            }
        };
        let superseded =
            meanwhile.is_some() && result.as_ref().is_err_and(|error| error.code == Code::Cancelled);
        if superseded {
            // The changes of this round have not been built yet either.
            if let Some(meanwhile) = &mut meanwhile {
                meanwhile.merge(noticed);
            }
            let program = v1::RoundProgram::Unspecified;
            self.tell_end(&sink, v1::RoundResult::Superseded, None, began, program);
            return Ok(meanwhile);
        }
        self.track(is_first).await?;
        let result = result.map(|built| {
            self.tests = built.programs;
            built.outcome
        });
        self.conclude(&sink, &noticed, result, is_first).await?;
        Ok(meanwhile)
    }

    /// Tells that a round begins.
    fn announce(&mut self, sink: &RoundSink, noticed: &Noticed) {
        self.number += 1;
        let shown = |path: &PathBuf| {
            path.strip_prefix(&self.shown_from).unwrap_or(path).to_string_lossy().into_owned()
        };
        sink.announce(v1::RoundStarted {
            number: self.number,
            changed: noticed.files.iter().take(CHANGED_SHOWN).map(shown).collect(),
            changed_total: noticed.files.len() as u64,
        });
    }

    /// Tells how a round ended, and does what follows for the program.
    async fn conclude(
        &mut self,
        sink: &RoundSink,
        noticed: &Noticed,
        result: Result<BuildOutcome, Refusal>,
        is_first: bool,
    ) -> Result<(), Refusal> {
        let done = sink.done();
        let (ended, outcome) = match &result {
            Ok(outcome) => {
                let BuildOutcome { errors, warnings, .. } = *outcome;
                let ended = Ended { errors, warnings, sha256: done.sha256.clone(), failure: String::new() };
                (ended, Some(outcome.clone()))
            }
            Err(refusal) if is_first || refusal.code == Code::Cancelled => return Err(refusal.clone()),
            Err(refusal) => (Ended { failure: refusal.message.clone(), ..self.last.clone() }, None),
        };
        let is_news = done.executed > 0 || ended != self.last;
        self.last = ended;
        if !sink.is_announced() {
            if !is_news {
                return Ok(());
            }
            self.announce(sink, noticed);
        }
        let executable = outcome.as_ref().filter(|outcome| outcome.errors == 0);
        let executable = executable.and_then(|outcome| outcome.executable.clone());
        let executable = executable.map(|path| Executable { path, sha256: done.sha256 });
        let (result, failure) = match (&outcome, result) {
            (Some(outcome), _) if outcome.errors == 0 => (v1::RoundResult::Ok, None),
            (Some(_), _) => (v1::RoundResult::Errors, None),
            (None, Err(refusal)) => (v1::RoundResult::Failed, Some(refusal.to_failure())),
            (None, Ok(_)) => (v1::RoundResult::Failed, None),
        };
        if let Some(outcome) = outcome {
            sink.emit(Kind::BuildFinished(convert::outcome(outcome)));
        }
        let program = self.plan_program(executable.as_ref());
        self.tell_end(sink, result, failure, noticed.first, program);
        match (program, executable) {
            (v1::RoundProgram::Started | v1::RoundProgram::Restarted, Some(executable)) => {
                self.stop_program().await;
                self.start_program(executable);
            }
            (v1::RoundProgram::Kept, Some(executable)) if !self.is_running(&executable) => {
                self.next_program = Some(executable);
            }
            (v1::RoundProgram::Kept, _) => self.next_program = None,
            (v1::RoundProgram::Unspecified | v1::RoundProgram::Started | v1::RoundProgram::Restarted, _) => {}
        }
        Ok(())
    }

    fn tell_end(
        &self,
        sink: &RoundSink,
        result: v1::RoundResult,
        failure: Option<v1::Failure>,
        began: Instant,
        program: v1::RoundProgram,
    ) {
        if sink.is_announced() {
            sink.emit(Kind::RoundFinished(v1::RoundFinished {
                number: self.number,
                result: result.into(),
                failure,
                elapsed: Some(duration(began.elapsed())),
                program: program.into(),
            }));
        }
    }

    /// Learns what the build reads, and watches that.
    async fn track(&mut self, is_first: bool) -> Result<(), Refusal> {
        let (job, watcher) = (Arc::clone(&self.job), self.service.watcher.clone());
        let tracked = self.tracked.take();
        let asked = self.service.ask(move |driver| {
            let inputs = driver.inputs(&job.build);
            let mut tracked = tracked.unwrap_or_else(|| {
                Tracked::new(&watcher, inputs.as_ref().map_or(&[][..], |inputs| &inputs.roots))
            });
            let found = inputs.map(|inputs| tracked.track(inputs.files));
            (tracked, found)
        });
        let (tracked, found) = asked.await?;
        self.tracked = Some(tracked);
        match found {
            // A manifest that is wrong for now says nothing new; what was known is watched on.
            Err(_) if !is_first => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }

    /// Waits for a change; meanwhile the program may end.
    async fn wait(&mut self) -> Noticed {
        loop {
            let change = async {
                match &mut self.tracked {
                    Some(tracked) => tracked.next().await,
                    None => std::future::pending().await,
                }
            };
            let program_end = async {
                match &mut self.program {
                    Some(program) => (&mut program.task).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                change = change => return change,
                ended = program_end => {
                    self.program = None;
                    self.tell_trouble(ended.unwrap_or_else(|error| Err(Refusal::internal(&error.to_string()))));
                    if let Some(next) = self.next_program.take() {
                        self.start_program(next);
                    }
                }
            }
        }
    }

    /// Collects changes until they have settled.
    async fn settle(&mut self, noticed: Noticed) -> Noticed {
        match &mut self.tracked {
            Some(tracked) => tracked.settle(noticed, &self.tools).await,
            None => noticed,
        }
    }

    fn is_running(&self, executable: &Executable) -> bool {
        self.program.as_ref().is_some_and(|program| {
            !program.task.is_finished() && program.executable.sha256 == executable.sha256
        })
    }

    /// What a round means for the program.
    fn plan_program(&self, executable: Option<&Executable>) -> v1::RoundProgram {
        let when_rebuilt = match &self.job.goal {
            Goal::Run { when_rebuilt, .. } => *when_rebuilt,
            Goal::Test(_) => WhenRebuilt::Restart,
            Goal::Check | Goal::Build => return v1::RoundProgram::Unspecified,
        };
        let runs = self.program.as_ref().is_some_and(|program| !program.task.is_finished());
        match (executable, runs) {
            (None, false) => v1::RoundProgram::Unspecified,
            (None, true) => v1::RoundProgram::Kept,
            (Some(_), false) => v1::RoundProgram::Started,
            (Some(executable), true) if self.is_running(executable) => v1::RoundProgram::Kept,
            (Some(_), true) => match when_rebuilt {
                WhenRebuilt::Restart => v1::RoundProgram::Restarted,
                WhenRebuilt::Keep => v1::RoundProgram::Kept,
            },
        }
    }

    fn start_program(&mut self, executable: Executable) {
        let stop = CancellationToken::new();
        let operation = Arc::clone(&self.operation);
        let until = stop.clone();
        let task = match &self.job.goal {
            Goal::Check | Goal::Build => return,
            Goal::Run { spec, .. } => {
                let spec = RunSpec { executable: executable.path.clone(), ..spec.clone() };
                tokio::spawn(async move { program::run_until(&operation, spec, &until).await })
            }
            Goal::Test(choice) => {
                let (tests, choice) = (self.tests.clone(), choice.clone());
                tokio::spawn(async move { run_tests(&operation, &tests, &choice, &until).await })
            }
        };
        self.program = Some(Program { executable, stop, task: AbortOnDropHandle::new(task) });
    }

    /// Ends the program, if one runs, and waits until it has ended.
    async fn stop_program(&mut self) {
        self.next_program = None;
        if let Some(program) = self.program.take() {
            program.stop.cancel();
            let ended = program.task.await;
            self.tell_trouble(ended.unwrap_or_else(|error| Err(Refusal::internal(&error.to_string()))));
        }
    }

    /// A program that could not be run is no end of watch mode.
    fn tell_trouble(&self, ended: Result<(), Refusal>) {
        if let Err(refusal) = ended
            && refusal.code != Code::Cancelled
        {
            let message = format!("the program could not be run: {}", refusal.message);
            self.operation.emit(Kind::Note(v1::Note { message }));
        }
    }

    /// Ends the round and the program.
    async fn end(&mut self) {
        self.round.cancel();
        self.stop_program().await;
    }
}

fn without_tests(outcome: BuildOutcome) -> TestBuild {
    TestBuild { outcome, programs: Vec::new() }
}

/// Takes a round's events: passes them on once the round was announced, and keeps them until then.
struct RoundSink {
    operation: Arc<Operation>,
    state: Mutex<RoundState>,
}

#[derive(Default)]
struct RoundState {
    is_announced: bool,
    kept: Vec<Kind>,
    done: Done,
}

/// What was done in a round.
#[derive(Clone, Debug, Default)]
struct Done {
    /// Units of work done anew before the linker, which may link equal objects again.
    executed: u64,
    sha256: String,
}

impl RoundSink {
    fn new(operation: Arc<Operation>) -> Self {
        Self { operation, state: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RoundState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, started: v1::RoundStarted) {
        let mut state = self.lock();
        state.is_announced = true;
        self.operation.emit(Kind::RoundStarted(started));
        for kind in state.kept.drain(..) {
            self.operation.emit(kind);
        }
    }

    fn is_announced(&self) -> bool {
        self.lock().is_announced
    }

    fn emit(&self, kind: Kind) {
        let mut state = self.lock();
        if state.is_announced {
            self.operation.emit(kind);
        } else {
            state.kept.push(kind);
        }
    }

    fn done(&self) -> Done {
        self.lock().done.clone()
    }
}

impl EventSink for RoundSink {
    fn event(&self, event: Event) {
        match &event {
            Event::PhaseFinished { phase, executed, .. } if *phase != "link" => {
                self.lock().done.executed += executed;
            }
            Event::Artifact { kind: "executable", sha256, .. } => {
                self.lock().done.sha256.clone_from(sha256);
            }
            Event::PhaseStarted { .. }
            | Event::PhaseFinished { .. }
            | Event::Diagnostic(_)
            | Event::Artifact { .. }
            | Event::Note(_) => {}
        }
        self.emit(convert::event(event));
    }
}
