//! A process of libraries, from the service's side.
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vitte_sys::process::{Child, Command, Limits, Stdio, spawn};
use vitte_sys::sandbox::{Confinement, Policy, Rung};

use crate::message::{FRAME_MAX, Reply, Request, Value, frame};

/// How often a waiting caller is asked whether it still waits.
const POLL: Duration = Duration::from_millis(5);
/// How long a process that has closed its socket is given to end by itself, so that its status can be told.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How to start a process of libraries.
#[derive(Clone, Debug)]
pub struct RunnerOptions {
    /// The program and its arguments, which calls [`runner_main`](crate::runner_main).
    pub command: Vec<OsString>,
    /// Files and folders that it may read and map as code, besides those of the system.
    pub execute: Vec<PathBuf>,
    /// Files and folders that it may read, besides.
    pub read: Vec<PathBuf>,
    /// Files and folders that it may change.
    pub write: Vec<PathBuf>,
    /// Variables that it sees; no others.
    pub environment: Vec<(OsString, OsString)>,
    /// Most address space, in bytes.
    pub memory_max: u64,
    /// The lowest rung of confinement that will do.
    pub rung_min: Rung,
}

/// How a library's process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By a signal, such as 11 for a segmentation fault.
    Signal(i32),
    /// It called `exit` with this status.
    Exit(i32),
    /// It sent what makes no sense, and was ended.
    Nonsense,
    /// It closed its socket without ending, and was ended.
    Silent,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signal(number) => match name_of(*number) {
                Some((name, meaning)) => write!(f, "{name} ({meaning})"),
                None => write!(f, "signal {number}"),
            },
            Self::Exit(status) => write!(f, "a call of `exit` with status {status}"),
            Self::Nonsense => f.write_str("a message that makes no sense"),
            Self::Silent => f.write_str("the end of its connection"),
        }
    }
}

/// Signals have the same numbers here on every system for those that faults cause.
fn name_of(number: i32) -> Option<(&'static str, &'static str)> {
    Some(match number {
        4 => ("SIGILL", "illegal instruction"),
        5 => ("SIGTRAP", "trap"),
        6 => ("SIGABRT", "abort"),
        7 if cfg!(target_os = "linux") => ("SIGBUS", "bus error"),
        10 if !cfg!(target_os = "linux") => ("SIGBUS", "bus error"),
        8 => ("SIGFPE", "arithmetic fault"),
        9 => ("SIGKILL", "killed, perhaps for want of memory"),
        11 => ("SIGSEGV", "segmentation fault"),
        15 => ("SIGTERM", "terminated"),
        24 if cfg!(target_os = "linux") => ("SIGXCPU", "its processor time was used up"),
        31 if cfg!(target_os = "linux") => ("SIGSYS", "a system call that is forbidden"),
        _ => return None,
    })
}

/// Why a library's process gave no results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunnerError {
    /// The machine did not let us.
    #[error("cannot start the library's process: {0}")]
    Start(String),
    /// The library cannot be loaded, or lacks a function.
    #[error("{0}")]
    Refused(String),
    /// The function says that it failed, or was not called.
    #[error("{0}")]
    Failed(String),
    /// The process has ended.
    #[error("the library's process ended by {0}")]
    Ended(Ending),
    /// The library called an import in a way that it could not go on from; the process was ended.
    #[error("{0}")]
    Abandoned(String),
    /// The caller did not want to wait any more; the process was ended.
    #[error("stopped")]
    Stopped,
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has ended.
    Results(Vec<Value>),
    /// It calls an import, and waits for [`Runner::answer`] or [`Runner::fail`]. Until then other functions can be
    /// called in its process; they end before it goes on.
    Import {
        /// Of which library, by its number.
        library: u32,
        /// Its place among the imports of that library's table.
        import: u32,
        /// What the library gives.
        arguments: Vec<Value>,
    },
}

/// A process with libraries in it. Dropping it ends the process.
#[derive(Debug)]
pub struct Runner {
    child: Child,
    socket: UnixStream,
    is_over: bool,
}

impl Runner {
    /// Starts a process without a library.
    ///
    /// # Errors
    /// [`RunnerError::Start`].
    pub fn start(options: &RunnerOptions) -> Result<Self, RunnerError> {
        let fail = |error: &dyn std::fmt::Display| RunnerError::Start(error.to_string());
        let Some((program, arguments)) = options.command.split_first() else {
            return Err(fail(&"no program was given"));
        };
        let (ours, theirs) = UnixStream::pair().map_err(|error| fail(&error))?;
        ours.set_read_timeout(Some(POLL)).map_err(|error| fail(&error))?;
        ours.set_write_timeout(Some(POLL)).map_err(|error| fail(&error))?;
        let policy = options
            .execute
            .iter()
            .fold(Policy::new(options.rung_min).system(), |policy, path| policy.execute(path));
        let policy = options.read.iter().fold(policy, |policy, path| policy.read(path));
        let policy = options.write.iter().fold(policy, |policy, path| policy.write(path));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .sandbox(policy);
        let limits = Limits {
            address_space: Some(options.memory_max),
            core_bytes: Some(0),
            open_files: Some(256),
            ..Limits::default()
        };
        let child = spawn(command, limits).map_err(|error| fail(&error))?;
        Ok(Self { child, socket: ours, is_over: false })
    }

    /// Loads a library: a file, or a name that the system finds among its own; by the text of its table. `id` is its
    /// number in calls. `is_over` is asked every few milliseconds.
    ///
    /// # Errors
    /// See [`RunnerError`]; after any but [`RunnerError::Refused`] the process is gone.
    pub fn open(
        &mut self,
        id: u32,
        library: &str,
        table: &str,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), RunnerError> {
        let open = Request::Open { id, library: library.to_owned(), table: table.to_owned() };
        match self.ask(&open, is_over)? {
            Reply::Opened => Ok(()),
            Reply::Refused(why) => Err(RunnerError::Refused(why)),
            Reply::Results(_) | Reply::Failed(_) | Reply::Import { .. } | Reply::Abandoned(_) => {
                Err(self.end(Some(Ending::Nonsense)))
            }
        }
    }

    /// Calls a function of a library that is open, by its place in the table. After any error but
    /// [`RunnerError::Failed`] the process is gone.
    ///
    /// # Errors
    /// See [`RunnerError`].
    pub fn call(
        &mut self,
        library: u32,
        function: u32,
        arguments: Vec<Value>,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Step, RunnerError> {
        self.step(&Request::Call { library, function, arguments }, is_over)
    }

    /// Lets the call that waits for an import go on with what that gave.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn answer(&mut self, results: Vec<Value>, is_over: &dyn Fn() -> bool) -> Result<Step, RunnerError> {
        self.step(&Request::Answer(results), is_over)
    }

    /// Tells the library whose call waits for an import that this failed; its table says how.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn fail(&mut self, why: String, is_over: &dyn Fn() -> bool) -> Result<Step, RunnerError> {
        self.step(&Request::Fail(why), is_over)
    }

    /// Ends the process: a call that waits for an import cannot go on.
    pub fn abandon(&mut self) {
        if !self.is_over {
            self.end(Some(Ending::Silent));
        }
    }

    fn step(&mut self, request: &Request, is_over: &dyn Fn() -> bool) -> Result<Step, RunnerError> {
        match self.ask(request, is_over)? {
            Reply::Results(results) => Ok(Step::Results(results)),
            Reply::Import { library, import, arguments } => Ok(Step::Import { library, import, arguments }),
            Reply::Failed(why) => Err(RunnerError::Failed(why)),
            Reply::Abandoned(why) => {
                self.end(Some(Ending::Silent));
                Err(RunnerError::Abandoned(why))
            }
            Reply::Opened | Reply::Refused(_) => Err(self.end(Some(Ending::Nonsense))),
        }
    }

    /// Whether the process has ended, or was ended.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The process group's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How strongly the process is confined.
    pub fn confinement(&self) -> Confinement {
        self.child.confinement()
    }

    fn ask(&mut self, request: &Request, is_over: &dyn Fn() -> bool) -> Result<Reply, RunnerError> {
        if self.is_over {
            return Err(RunnerError::Ended(Ending::Silent));
        }
        let message = frame(&request.encode()).map_err(|error| RunnerError::Failed(error.to_string()))?;
        self.send(&message, is_over)?;
        let length = <[u8; 4]>::try_from(self.receive(4, is_over)?).map_or(u32::MAX, u32::from_le_bytes);
        if length as usize > FRAME_MAX {
            return Err(self.end(Some(Ending::Nonsense)));
        }
        let body = self.receive(length as usize, is_over)?;
        Reply::decode(&body).map_err(|_| self.end(Some(Ending::Nonsense)))
    }

    fn send(&mut self, mut bytes: &[u8], is_over: &dyn Fn() -> bool) -> Result<(), RunnerError> {
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(count) if count > 0 => bytes = bytes.get(count..).unwrap_or_default(),
                Ok(_) => return Err(self.end(None)),
                Err(error) => self.bear(&error, is_over)?,
            }
        }
        Ok(())
    }

    fn receive(&mut self, length: usize, is_over: &dyn Fn() -> bool) -> Result<Vec<u8>, RunnerError> {
        let mut bytes = vec![0; length.min(1 << 16)];
        let mut filled = 0;
        while filled < length {
            if filled == bytes.len() {
                // Only as much is set aside as really comes.
                bytes.resize((2 * filled).min(length), 0);
            }
            match self.socket.read(bytes.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => return Err(self.end(None)),
                Ok(count) => filled += count,
                Err(error) => self.bear(&error, is_over)?,
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Goes on after a pause on the socket, unless it is time to stop.
    fn bear(&mut self, error: &io::Error, is_over: &dyn Fn() -> bool) -> Result<(), RunnerError> {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if is_over() => {
                self.end(Some(Ending::Silent));
                Err(RunnerError::Stopped)
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(()),
            _ => Err(self.end(None)),
        }
    }

    /// Ends the process and all it started. `known` is how it came to its end if the process cannot say.
    fn end(&mut self, known: Option<Ending>) -> RunnerError {
        self.is_over = true;
        let told = known.or_else(|| self.last_words());
        self.child.kill_tree();
        // What it says now is only that we killed it.
        let _ = self.child.wait();
        RunnerError::Ended(told.unwrap_or(Ending::Silent))
    }

    /// How the process ended by itself.
    fn last_words(&mut self) -> Option<Ending> {
        let until = Instant::now() + LAST_WORDS;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    return match (status.signal(), status.code()) {
                        (Some(signal), _) => Some(Ending::Signal(signal)),
                        (None, Some(status)) => Some(Ending::Exit(status)),
                        (None, None) => None,
                    };
                }
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if !self.is_over {
            self.end(Some(Ending::Silent));
        }
    }
}
