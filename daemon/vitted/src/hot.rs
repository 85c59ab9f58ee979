//! A program that is changed while it runs: its files are followed, and what changes in them is replaced in the
//! process.
//!
//! A build that fails leaves the program as it is. What cannot be replaced ends it, and the next begins.
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use vitte_driver::run::{self, RunOutput, RunningProgram};
use vitte_driver::{BuildRequest, DriverError, ExitKind, HotBuild, HotProgram, RunSpec, Swap};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::convert;
use crate::operation::{Operation, ProgramInput, StdinPiece, duration};
use crate::program::{self, KILL, KILL_MAX, Stdin, TERMINATE, TERMINATE_MAX};
use crate::rebuild::inputs::{Noticed, Tracked};
use crate::service::Service;
use crate::status::Refusal;
use crate::watcher::settle::VersionControl;

/// Runs the program of `build` as `spec` says, whose executable is chosen here, and follows its files until it
/// ends. Cancelling the operation kills it.
///
/// # Errors
/// When it cannot be built or started, or was cancelled. A program with errors is none: then nothing runs.
pub async fn run_hot(
    service: Arc<Service>,
    operation: Arc<Operation>,
    build: BuildRequest,
    spec: RunSpec,
    stdin_kind: Stdin,
    mut input: ProgramInput,
) -> Result<(), Refusal> {
    let shown_from = vitte_sys::fs::canonical(&build.cwd).unwrap_or_else(|_| build.cwd.clone());
    let mut session = Session {
        tools: VersionControl::around(&shown_from),
        service,
        operation: Arc::clone(&operation),
        build: Arc::new(build),
        tracked: None,
    };
    let building = session.build();
    let mut built = tokio::select! {
        built = building => built?,
        // Nothing runs yet that could catch a signal.
        Some(signal) = program::fatal(&mut input.signals) => return Err(program::ended_early(&operation, signal)),
    };
    if !built.is_runnable() {
        return Ok(());
    }
    let mut stdin_ended = stdin_kind == Stdin::Empty;
    loop {
        let starting = Arc::clone(&session.service);
        let start = move |build: HotBuild| async move {
            starting.ask(move |driver| driver.start_hot(&build)).await?.map_err(Refusal::from)
        };
        let hot = start(built).await?;
        let spec = RunSpec { executable: hot.executable().to_path_buf(), ..spec.clone() };
        match session.process(hot, spec, &mut input, &mut stdin_ended).await? {
            After::Ended => return Ok(()),
            After::Restart(next) => built = *next,
        }
    }
}

/// What follows a process.
enum After {
    /// Nothing: it has ended by itself.
    Ended,
    /// One of this build.
    Restart(Box<HotBuild>),
}

struct Session {
    service: Arc<Service>,
    operation: Arc<Operation>,
    build: Arc<BuildRequest>,
    tools: VersionControl,
    /// `None` until the first build has shown what is read.
    tracked: Option<Tracked>,
}

impl Session {
    /// Builds, tells how that went, and watches what was read.
    async fn build(&mut self) -> Result<HotBuild, Refusal> {
        let build = Arc::clone(&self.build);
        let work = self
            .service
            .drive(&self.operation, move |driver, sink, cancel| driver.build_hot(&build, sink, cancel));
        let built = work.await?;
        self.operation.emit(Kind::BuildFinished(convert::outcome(built.outcome.clone())));
        self.track().await?;
        Ok(built)
    }

    /// Learns what the build reads, and watches that.
    async fn track(&mut self) -> Result<(), Refusal> {
        let (build, watcher) = (Arc::clone(&self.build), self.service.watcher.clone());
        let tracked = self.tracked.take();
        let asked = self.service.ask(move |driver| {
            let inputs = driver.inputs(&build);
            let roots = inputs.as_ref().map_or(&[][..], |inputs| &inputs.roots);
            let mut tracked = tracked.unwrap_or_else(|| Tracked::new(&watcher, roots));
            if let Ok(inputs) = inputs {
                tracked.track(inputs.files);
            }
            tracked
        });
        // A manifest that is wrong for now says nothing new; what was known is watched on.
        self.tracked = Some(asked.await?);
        Ok(())
    }

    /// Runs one process to its end, or to a change that it cannot take.
    async fn process(
        &mut self,
        mut hot: HotProgram,
        spec: RunSpec,
        input: &mut ProgramInput,
        stdin_ended: &mut bool,
    ) -> Result<After, Refusal> {
        let operation = Arc::clone(&self.operation);
        let executable = spec.executable.to_string_lossy().into_owned();
        let mut program = run::spawn_handed(spec, Some(hot.descriptor()?)).await?;
        let pipe = program.stdin.take();
        operation.emit(Kind::ProgramStarted(v1::ProgramStarted { executable }));
        let ProgramInput { stdin, signals } = input;
        let feed = async {
            if let Some(mut pipe) = pipe
                && !*stdin_ended
            {
                while let Some(StdinPiece { data, end }) = stdin.recv().await {
                    *stdin_ended = end;
                    if pipe.write_all(&data).await.is_err() || end {
                        break;
                    }
                }
            }
            // Whatever still comes has no reader; taking it keeps the sender from waiting for ever.
            while let Some(StdinPiece { end, .. }) = stdin.recv().await {
                *stdin_ended |= end;
            }
        };
        let mut pieces = std::mem::replace(&mut program.output, mpsc::channel(1).1);
        let drive = forward(&operation, &program, &mut pieces);
        tokio::pin!(drive);
        let deliver = async {
            while let Some(signal) = signals.recv().await {
                // A program that is gone already needs no signal.
                let _ = program.signal(signal);
            }
        };
        let next = tokio::select! {
            exit = &mut drive => {
                operation.emit(Kind::ProgramExited(convert::exit(exit?)));
                return Ok(After::Ended);
            }
            // The operation holds the other ends of both queues, so neither ends before it.
            ((), ()) = async { tokio::join!(feed, deliver) } => {
                return Err(Refusal::internal("the program's input ended before the operation"));
            }
            () = operation.cancel().cancelled() => {
                // Its group dies; waiting for the end keeps the drain honest.
                let _ = program.signal(KILL);
                let _ = tokio::time::timeout(KILL_MAX, program.wait()).await;
                return Err(DriverError::Cancelled.into());
            }
            next = self.follow(&mut hot) => next?,
        };
        // A program that is gone already needs no signal.
        let _ = program.signal(TERMINATE);
        if tokio::time::timeout(TERMINATE_MAX, &mut drive).await.is_err() {
            let _ = program.signal(KILL);
            let _ = tokio::time::timeout(KILL_MAX, drive).await;
        }
        Ok(After::Restart(Box::new(next)))
    }

    /// Follows the files and changes the process accordingly, until it cannot take a change: the build for the
    /// next one.
    async fn follow(&mut self, hot: &mut HotProgram) -> Result<HotBuild, Refusal> {
        loop {
            let noticed = self.change().await;
            let built = match self.build().await {
                Ok(built) => built,
                Err(refusal) if refusal.code == tonic::Code::Cancelled => return Err(refusal),
                // A file that is gone for a moment, a manifest that is half written: the program runs on.
                Err(refusal) => {
                    let message = format!("the program runs on as it is: {}", refusal.message);
                    self.operation.emit(Kind::Note(v1::Note { message }));
                    self.track().await?;
                    continue;
                }
            };
            match hot.swap(&built)? {
                Swap::Same => {}
                Swap::Done { generation, procedures, moved } => {
                    self.operation.emit(Kind::ProgramSwapped(v1::ProgramSwapped {
                        generation,
                        procedures,
                        moved,
                        elapsed: Some(duration(noticed.first.elapsed())),
                    }));
                }
                Swap::Restart(reason) => {
                    self.operation.emit(Kind::ProgramRestarting(v1::ProgramRestarting { reason }));
                    return Ok(built);
                }
            }
        }
    }

    /// Waits for a change, and until it has settled.
    async fn change(&mut self) -> Noticed {
        let Some(tracked) = &mut self.tracked else { return std::future::pending().await };
        let noticed = tracked.next().await;
        tracked.settle(noticed, &self.tools).await
    }
}

/// Passes a program's output on until it has ended; how it did.
async fn forward(
    operation: &Operation,
    program: &RunningProgram,
    pieces: &mut mpsc::Receiver<RunOutput>,
) -> Result<ExitKind, DriverError> {
    while let Some(piece) = pieces.recv().await {
        operation.emit_paced(Kind::ProgramOutput(program::output(piece))).await;
    }
    program.wait().await
}
