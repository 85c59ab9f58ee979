//! Running a built program: its output to the log, input and signals to it, its end to everyone.
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vitte_driver::run::{self, RunOutput};
use vitte_driver::{DriverError, RunSpec};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::convert;
use crate::operation::{Operation, ProgramInput, StdinPiece};
use crate::status::Refusal;

/// SIGTERM.
pub(crate) const TERMINATE: i32 = 15;
/// How long a program may take to end when it is asked to.
pub(crate) const TERMINATE_MAX: Duration = Duration::from_secs(2);
/// SIGKILL.
pub(crate) const KILL: i32 = 9;
/// How long a killed program may take to be gone.
pub(crate) const KILL_MAX: Duration = Duration::from_secs(5);

/// What a program's standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Empty.
    Empty,
    /// What the client sends.
    Forwarded,
}

/// Runs `spec` to its end. Cancelling the operation kills it.
///
/// # Errors
/// When it cannot be started, or was cancelled.
pub async fn run(
    operation: &Operation,
    spec: RunSpec,
    stdin_kind: Stdin,
    input: ProgramInput,
) -> Result<(), Refusal> {
    let executable = spec.executable.to_string_lossy().into_owned();
    let mut program = run::spawn(spec).await?;
    let ProgramInput { mut stdin, mut signals } = input;
    let program_stdin = program.stdin.take();
    operation.emit(Kind::ProgramStarted(v1::ProgramStarted { executable }));

    let feed = async {
        match (stdin_kind, program_stdin) {
            (Stdin::Forwarded, Some(pipe)) => feed(pipe, &mut stdin).await,
            (Stdin::Empty, Some(_)) | (Stdin::Forwarded | Stdin::Empty, None) => {}
        }
        // Whatever still comes has no reader; taking it keeps the sender from waiting for ever.
        while stdin.recv().await.is_some() {}
    };
    // Taken out, so that signals need not wait behind output that nobody reads.
    let mut pieces = std::mem::replace(&mut program.output, mpsc::channel(1).1);
    let drive = async {
        while let Some(piece) = pieces.recv().await {
            operation.emit_paced(Kind::ProgramOutput(output(piece))).await;
        }
        program.wait().await
    };
    let deliver = async {
        while let Some(signal) = signals.recv().await {
            // A program that is gone already needs no signal.
            let _ = program.signal(signal);
        }
    };
    let exit: Result<_, DriverError> = tokio::select! {
        exit = drive => exit,
        // The operation holds the other ends of both queues, so neither ends before it.
        ((), ()) = async { tokio::join!(feed, deliver) } => {
            Err(DriverError::Internal("the program's input ended before the operation".into()))
        }
        () = operation.cancel().cancelled() => {
            // Its group dies; waiting for the end keeps the drain honest.
            let _ = program.signal(KILL);
            let _ = tokio::time::timeout(KILL_MAX, program.wait()).await;
            Err(DriverError::Cancelled)
        }
    };
    operation.emit(Kind::ProgramExited(convert::exit(exit?)));
    Ok(())
}

/// Runs `spec` with an empty standard input to its end, or ends it when `stop` is cancelled: SIGTERM, and
/// SIGKILL to what does not heed it.
///
/// # Errors
/// When it cannot be started.
pub async fn run_until(
    operation: &Operation,
    spec: RunSpec,
    stop: &CancellationToken,
) -> Result<(), Refusal> {
    let executable = spec.executable.to_string_lossy().into_owned();
    let mut program = run::spawn(spec).await?;
    drop(program.stdin.take());
    operation.emit(Kind::ProgramStarted(v1::ProgramStarted { executable }));
    let mut pieces = std::mem::replace(&mut program.output, mpsc::channel(1).1);
    let drive = async {
        while let Some(piece) = pieces.recv().await {
            operation.emit_paced(Kind::ProgramOutput(output(piece))).await;
        }
        program.wait().await
    };
    tokio::pin!(drive);
    let exit = tokio::select! {
        exit = &mut drive => exit,
        () = stop.cancelled() => {
            // A program that is gone already needs no signal.
            let _ = program.signal(TERMINATE);
            match tokio::time::timeout(TERMINATE_MAX, &mut drive).await {
                Ok(exit) => exit,
                Err(_) => {
                    let _ = program.signal(KILL);
                    let killed = tokio::time::timeout(KILL_MAX, drive).await;
                    killed.unwrap_or_else(|_| Err(DriverError::Internal("a killed program does not end".into())))
                }
            }
        }
    };
    operation.emit(Kind::ProgramExited(convert::exit(exit?)));
    Ok(())
}

/// The next signal that would end a program without handlers: SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM.
pub(crate) async fn fatal(signals: &mut mpsc::Receiver<i32>) -> Option<i32> {
    loop {
        let signal = signals.recv().await?;
        if matches!(signal, 1 | 2 | 3 | 9 | 15) {
            return Some(signal);
        }
    }
}

/// Ends an operation whose program would have been ended by `signal`, had it begun.
pub(crate) fn ended_early(operation: &Operation, signal: i32) -> Refusal {
    operation.cancel().cancel();
    let message = format!("ended by signal {signal} before the program started");
    Refusal::new(tonic::Code::Cancelled, "CANCELLED", message)
}

/// Writes what comes until the end of input, or until the program closes its end.
async fn feed(mut pipe: impl tokio::io::AsyncWrite + Unpin, pieces: &mut mpsc::Receiver<StdinPiece>) {
    while let Some(StdinPiece { data, end }) = pieces.recv().await {
        if pipe.write_all(&data).await.is_err() || end {
            return;
        }
    }
}

/// What a program wrote, as an event.
pub(crate) fn output(piece: RunOutput) -> v1::ProgramOutput {
    let (stream, data) = match piece {
        RunOutput::Stdout(data) => (v1::OutputStream::Stdout, data),
        RunOutput::Stderr(data) => (v1::OutputStream::Stderr, data),
    };
    v1::ProgramOutput { stream: stream.into(), data: data.into() }
}
