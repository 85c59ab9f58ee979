//! Programs: started in their own process group, streamed, limited in time, and never left behind.
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use vitte_sys::process::{
    Child, Command, Ended, Limits, Stdio, Termination, end_group, end_notifier, peek_end, signal_group,
};

use crate::api::{DriverError, ExitKind, RunSpec};

/// Most bytes of one piece of output.
const PIECE_MAX: usize = 32 * 1024;
/// Pieces that wait for the reader. With two pipes of 64 KiB this is all that a program can print
/// before it is held back: about 700 KiB.
const PIECES_MAX: usize = 16;
/// From SIGTERM to SIGKILL when time is up.
const GRACE: Duration = Duration::from_secs(2);
/// How long output may stay silent after the program's end before a pipe that somebody else holds
/// open is given up.
const SILENCE: Duration = Duration::from_millis(250);

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutput {
    /// From descriptor 1.
    Stdout(Vec<u8>),
    /// From descriptor 2.
    Stderr(Vec<u8>),
}

/// A program that runs. Dropping it kills the whole process group.
#[derive(Debug)]
pub struct RunningProgram {
    /// Its standard input; dropping it is end of file.
    pub stdin: Option<ChildStdin>,
    /// What it prints, in order per stream. Bounded: a program that prints faster than this is read
    /// waits. Ends when both streams have ended.
    pub output: mpsc::Receiver<RunOutput>,
    group: Arc<Group>,
    exit: watch::Receiver<Option<Result<ExitKind, String>>>,
    supervisor: JoinHandle<()>,
}

/// The process group, named by its leader. The leader is reaped only after `reaped` was set, so that
/// no signal can reach a stranger with a reused id.
#[derive(Debug)]
struct Group {
    leader: u32,
    reaped: AtomicBool,
}

impl Group {
    fn end(&self, how: Termination) {
        if !self.reaped.load(Ordering::Acquire) {
            end_group(self.leader, how);
        }
    }
}

/// Starts `spec`. Must be called inside a tokio runtime.
///
/// # Errors
/// [`DriverError::BadInput`] when the executable or the working directory is missing,
/// [`DriverError::Io`] when the system refuses.
pub async fn spawn(spec: RunSpec) -> Result<RunningProgram, DriverError> {
    spawn_handed(spec, None).await
}

/// As [`spawn`], and hands the program a descriptor: see
/// [`HANDED_DESCRIPTOR`](vitte_sys::process::HANDED_DESCRIPTOR).
///
/// # Errors
/// As [`spawn`].
pub async fn spawn_handed(spec: RunSpec, handed: Option<OwnedFd>) -> Result<RunningProgram, DriverError> {
    let RunSpec { executable, args, env, cwd, timeout } = spec;
    if !cwd.is_dir() {
        return Err(DriverError::BadInput {
            reason: "NOT_FOUND",
            message: format!("the working directory `{}` does not exist", cwd.display()),
            help: "give an existing directory".into(),
        });
    }
    let io_error = |source: io::Error| DriverError::Io { operation: "run", path: executable.clone(), source };
    let mut command = Command::new(&executable);
    command
        .args(args)
        .env_clear()
        .envs(env)
        .current_dir(cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(descriptor) = handed {
        command.hand_over(descriptor);
    }
    // Blocks until the program runs: not on a thread that serves others.
    let spawned =
        tokio::task::spawn_blocking(move || vitte_sys::process::spawn(command, Limits::default())).await;
    let child = match spawned {
        Ok(Ok(child)) => child,
        Ok(Err(error)) => return Err(io_error(error.to_io())),
        Err(error) => return Err(DriverError::Internal(error.to_string())),
    };
    let group = Arc::new(Group { leader: child.id(), reaped: AtomicBool::new(false) });
    // From here on the guard kills and reaps the child, whatever happens.
    let mut guard = Guard { child, group: Arc::clone(&group) };
    let stdin = guard.child.stdin.take().map(ChildStdin::from_std).transpose().map_err(io_error)?;
    let stdout = guard.child.stdout.take().map(ChildStdout::from_std).transpose().map_err(io_error)?;
    let stderr = guard.child.stderr.take().map(ChildStderr::from_std).transpose().map_err(io_error)?;
    let notifier = end_notifier(group.leader).and_then(watch_descriptor).map_err(io_error)?;
    let (pieces, output) = mpsc::channel(PIECES_MAX);
    let (told, exit) = watch::channel(None);
    let supervisor = tokio::spawn(async move {
        let (ended, has_ended) = watch::channel(false);
        let copy_out = copy(stdout, RunOutput::Stdout, pieces.clone(), has_ended.clone());
        let copy_err = copy(stderr, RunOutput::Stderr, pieces, has_ended);
        let watching = async {
            let result = supervise(&notifier, &guard.group, timeout).await;
            // Children that the program forked end with it, and their ends of the pipes close.
            guard.group.end(Termination::Kill);
            drop(guard);
            // Nobody may be listening any more; the program's end stands all the same.
            let _ = told.send(Some(result.map_err(|error| error.to_string())));
            let _ = ended.send(true);
        };
        tokio::join!(watching, copy_out, copy_err);
    });
    Ok(RunningProgram { stdin, output, group, exit, supervisor })
}

impl RunningProgram {
    /// Process id of the program, which is also its group's.
    pub fn id(&self) -> u32 {
        self.group.leader
    }

    /// Sends signal number `signal` to the program and all it forked.
    ///
    /// # Errors
    /// `ESRCH` when the program has ended, `EINVAL` for a number that is no signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        if self.group.reaped.load(Ordering::Acquire) {
            return Err(io::ErrorKind::NotFound.into());
        }
        signal_group(self.group.leader, signal)
    }

    /// Kills the whole process group and waits until it is reaped: for an orderly end of the service.
    pub async fn stop(mut self) {
        self.group.end(Termination::Kill);
        self.output.close();
        // It ends by itself; a panic in it was reported where it happened.
        let _ = (&mut self.supervisor).await;
    }

    /// How the program ended, once it has. Borrows nothing, so `output` can be read meanwhile; read it
    /// to its end even after this has answered. Can be called again.
    pub fn wait(&self) -> impl Future<Output = Result<ExitKind, DriverError>> + Send + use<> {
        let mut exit = self.exit.clone();
        async move {
            match exit.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(Ok(kind))) => Ok(*kind),
                Ok(Some(Err(message))) => Err(DriverError::Internal(message.clone())),
                Ok(None) | Err(_) => Err(DriverError::Internal("the program's supervisor has ended".into())),
            }
        }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        // The supervisor sees the end within moments and reaps. Should the runtime go down first, its
        // guard does the same.
        self.group.end(Termination::Kill);
    }
}

/// Owns the child: kills its group and reaps it when dropped.
struct Guard {
    child: Child,
    group: Arc<Group>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.group.end(Termination::Kill);
        self.group.reaped.store(true, Ordering::Release);
        // SIGKILL is on its way: the wait is for the kernel only.
        let _ = self.child.wait();
    }
}

/// Waits for the leader's end, enforcing the time limit.
async fn supervise(
    notifier: &AsyncFd<OwnedFd>,
    group: &Group,
    timeout: Option<Duration>,
) -> io::Result<ExitKind> {
    let end = ended(notifier, group.leader);
    tokio::pin!(end);
    let Some(timeout) = timeout else { return Ok(exit_kind(end.await?)) };
    if let Ok(end) = tokio::time::timeout(timeout, &mut end).await {
        return Ok(exit_kind(end?));
    }
    group.end(Termination::Ask);
    if tokio::time::timeout(GRACE, &mut end).await.is_err() {
        group.end(Termination::Kill);
        end.await?;
    }
    Ok(ExitKind::TimedOut)
}

#[expect(
    deprecated,
    reason = "its replacement is unsafe for the sake of types that may swap their descriptor"
)]
fn watch_descriptor(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // An `OwnedFd` keeps one descriptor open for as long as it lives, which is all that is asked.
    AsyncFd::new(descriptor)
}

async fn ended(notifier: &AsyncFd<OwnedFd>, leader: u32) -> io::Result<Ended> {
    loop {
        let mut ready = notifier.readable().await?;
        if let Some(ended) = peek_end(leader)? {
            return Ok(ended);
        }
        ready.clear_ready();
    }
}

fn exit_kind(ended: Ended) -> ExitKind {
    match ended {
        Ended::Exited(code) => ExitKind::Code(code as u8),
        Ended::Signaled(signal) => ExitKind::Signal(signal as u8),
    }
}

/// Copies a pipe into the channel until its end, until nobody reads, or until the program has ended
/// and the pipe is silent.
async fn copy<R: AsyncRead + Unpin>(
    pipe: Option<R>,
    wrap: fn(Vec<u8>) -> RunOutput,
    pieces: mpsc::Sender<RunOutput>,
    mut has_ended: watch::Receiver<bool>,
) {
    let Some(mut pipe) = pipe else { return };
    loop {
        let mut piece = Vec::with_capacity(PIECE_MAX);
        let read = tokio::select! {
            biased;
            read = pipe.read_buf(&mut piece) => read,
            () = pieces.closed() => return,
            () = silence(&mut has_ended) => return,
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if pieces.send(wrap(piece)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Resolves when the program has ended and [`SILENCE`] has passed since the call.
async fn silence(has_ended: &mut watch::Receiver<bool>) {
    // A closed channel means the supervisor is gone, which is an end as well.
    let _ = has_ended.wait_for(|ended| *ended).await;
    tokio::time::sleep(SILENCE).await;
}
