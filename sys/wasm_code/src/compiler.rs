//! Compiling, seen from the service: from the cache, or by a process that lives for one binary.
use std::ffi::OsString;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::Engine;

use crate::cache::{Cache, CacheOptions};
use crate::code::{Code, Kind, Precompiled};
use crate::recent::Recent;
use crate::{engine, worker};

/// Who compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workers {
    /// A process for each binary, started by this command (program and arguments), which calls
    /// [`worker_main`](crate::worker_main). For binaries of anybody's making.
    Process(Vec<OsString>),
    /// This process, for programs that compile only what they trust: the engine's authors do not count
    /// a binary that keeps the compiler busy for minutes, or takes all memory, as a fault.
    Here,
}

/// How to compile.
#[derive(Clone, Debug)]
pub struct CompilerOptions {
    /// Who does it.
    pub workers: Workers,
    /// Where code is kept; `None` keeps nothing on disk.
    pub cache: Option<CacheOptions>,
    /// Most bytes of code that stay in memory after their last use.
    pub recent_bytes_max: usize,
    /// Longest compilation, wall-clock.
    pub time_max: Duration,
    /// Address space of a worker, in bytes.
    pub memory_max: u64,
}

impl Default for CompilerOptions {
    fn default() -> Self {
        Self {
            workers: Workers::Here,
            cache: None,
            recent_bytes_max: 64 << 20,
            time_max: Duration::from_secs(60),
            memory_max: 8 << 30,
        }
    }
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It does not begin like a WebAssembly binary.
    #[error("this is no WebAssembly binary")]
    NotWasm,
    /// More bytes than are compiled.
    #[error("the binary has {size} bytes; at most {max} are compiled")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// It is not valid, or asks for what the engine does not have.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("it was not compiled within {} s", .0.as_secs())]
    Late(Duration),
    /// The worker ended without an answer: out of memory or of processor time, or a fault of the compiler.
    #[error("the compiler's process ended without an answer ({0})")]
    Died(String),
    /// Nobody wants it any more.
    #[error("cancelled")]
    Cancelled,
    /// The machine did not let us.
    #[error("cannot start the compiler's process: {0}")]
    Start(String),
    /// The engine does not run on this machine.
    #[error("the WebAssembly engine does not run here: {0}")]
    Engine(String),
}

/// Where code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was kept from before.
    Cache,
    /// It was compiled just now.
    Compiled,
}

/// Executable code and how it was come by.
#[derive(Clone)]
pub struct Compiled {
    /// The code.
    pub code: Code,
    /// Where from.
    pub origin: Origin,
    /// How long it took.
    pub elapsed: Duration,
}

/// Compiles binaries and keeps what was compiled.
pub struct Compiler {
    options: CompilerOptions,
    /// Made when first needed: most services load no module.
    ready: OnceLock<Result<Ready, String>>,
}

struct Ready {
    engine: Engine,
    cache: Option<Cache>,
    recent: Mutex<Recent>,
}

impl Ready {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compiler {
    /// A compiler that has not touched anything yet.
    pub fn new(options: CompilerOptions) -> Self {
        Self { options, ready: OnceLock::new() }
    }

    fn ready(&self) -> Result<&Ready, CompileError> {
        let made = self.ready.get_or_init(|| {
            let engine = engine::for_running().map_err(|error| format!("{error:#}"))?;
            let cache = self.options.cache.clone().and_then(|options| Cache::open(options, &engine));
            let recent = Mutex::new(Recent::new(self.options.recent_bytes_max));
            Ok(Ready { engine, cache, recent })
        });
        made.as_ref().map_err(|message| CompileError::Engine(message.clone()))
    }

    /// The engine that runs the code.
    ///
    /// # Errors
    /// [`CompileError::Engine`].
    pub fn engine(&self) -> Result<&Engine, CompileError> {
        Ok(&self.ready()?.engine)
    }

    /// The code of `binary`. Blocks; `cancelled` is asked every 50 ms while a worker is busy.
    ///
    /// # Errors
    /// See [`CompileError`]. What is wrong with the cache is a miss and a line in the log, never an error.
    pub fn compile(&self, binary: &[u8], cancelled: &dyn Fn() -> bool) -> Result<Compiled, CompileError> {
        let started = Instant::now();
        let kind = Kind::of(binary).ok_or(CompileError::NotWasm)?;
        if binary.len() as u64 > worker::BINARY_MAX {
            return Err(CompileError::TooLarge { size: binary.len() as u64, max: worker::BINARY_MAX });
        }
        let ready = self.ready()?;
        let Ready { engine, cache, .. } = ready;
        let digest = blake3::hash(binary);
        let compiled = |code, origin| Compiled { code, origin, elapsed: started.elapsed() };
        if let Some(code) = ready.recent().get(&digest, kind) {
            return Ok(compiled(code, Origin::Cache));
        }
        if let Some(kept) = cache.as_ref().and_then(|cache| cache.get(&digest, kind)) {
            match kept.load(engine) {
                Ok(code) => {
                    ready.recent().put(&digest, kind, code.clone(), kept.bytes().len());
                    return Ok(compiled(code, Origin::Cache));
                }
                Err(error) => tracing::warn!(%error, "kept code of a module cannot be used"),
            }
        }
        let bytes = match &self.options.workers {
            Workers::Here => worker::compile(binary).map_err(CompileError::Refused)?,
            Workers::Process(command) => self.ask_worker(command, binary, cancelled)?,
        };
        let made = Precompiled::from_worker(bytes, kind);
        let code = made.load(engine).map_err(|error| CompileError::Refused(format!("{error:#}")))?;
        ready.recent().put(&digest, kind, code.clone(), made.bytes().len());
        if let Some(cache) = cache {
            cache.put(&digest, kind, &made);
        }
        Ok(compiled(code, Origin::Compiled))
    }

    #[cfg(not(unix))]
    fn ask_worker(&self, _: &[OsString], _: &[u8], _: &dyn Fn() -> bool) -> Result<Vec<u8>, CompileError> {
        Err(CompileError::Start("this system has no socket pairs".to_owned()))
    }

    #[cfg(unix)]
    fn ask_worker(
        &self,
        command: &[OsString],
        binary: &[u8],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, CompileError> {
        let mut worker = process::Worker::start(command, &self.options)?;
        let answer = worker.ask(binary, cancelled);
        // Whatever a hostile binary left in its memory goes with it.
        worker.end();
        answer
    }
}

#[cfg(unix)]
mod process {
    use std::io::{self, Read, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use vitte_sys::process::{Child, Command, Limits, Stdio, spawn};
    use vitte_sys::sandbox::{Policy, Rung};

    use super::{CompileError, CompilerOptions, Duration, Instant, OsString};
    use crate::worker::{ANSWER_MAX, COMPILED, REFUSED};

    /// How often a waiting caller is asked whether it still waits.
    const POLL: Duration = Duration::from_millis(50);

    pub(super) struct Worker {
        child: Child,
        socket: UnixStream,
        deadline: Instant,
        time_max: Duration,
    }

    impl Worker {
        pub(super) fn start(command: &[OsString], options: &CompilerOptions) -> Result<Self, CompileError> {
            let fail = |error: &dyn std::fmt::Display| CompileError::Start(error.to_string());
            let Some((program, arguments)) = command.split_first() else {
                return Err(fail(&"no program was given"));
            };
            let (ours, theirs) = UnixStream::pair().map_err(|error| fail(&error))?;
            ours.set_read_timeout(Some(POLL)).map_err(|error| fail(&error))?;
            ours.set_write_timeout(Some(POLL)).map_err(|error| fail(&error))?;
            let mut command = Command::new(program);
            command
                .args(arguments)
                .env_clear()
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                // It reads binaries of anybody's making, and everything it needs comes over its socket.
                .sandbox(Policy::new(Rung::Limits).system());
            let limits = Limits {
                address_space: Some(options.memory_max),
                cpu_seconds: Some(options.time_max.as_secs().saturating_add(1)),
                core_bytes: Some(0),
                ..Limits::default()
            };
            let child = spawn(command, limits).map_err(|error| fail(&error))?;
            let time_max = options.time_max;
            Ok(Self { child, socket: ours, deadline: Instant::now() + time_max, time_max })
        }

        pub(super) fn ask(
            &mut self,
            binary: &[u8],
            cancelled: &dyn Fn() -> bool,
        ) -> Result<Vec<u8>, CompileError> {
            self.send(&(binary.len() as u64).to_le_bytes(), cancelled)?;
            self.send(binary, cancelled)?;
            let head = self.receive(9, cancelled)?;
            let (status, length) = head.split_at(1);
            let length = <[u8; 8]>::try_from(length).map_or(u64::MAX, u64::from_le_bytes);
            if length > ANSWER_MAX {
                return Err(CompileError::Died("its answer is too long".to_owned()));
            }
            let payload = self.receive(length as usize, cancelled)?;
            match status {
                [COMPILED] => Ok(payload),
                [REFUSED] => Err(CompileError::Refused(String::from_utf8_lossy(&payload).into_owned())),
                _ => Err(CompileError::Died("its answer makes no sense".to_owned())),
            }
        }

        /// Ends it and all it started.
        pub(super) fn end(&mut self) {
            self.child.kill_tree();
            // Nothing is to be learnt from how it ended after that.
            let _ = self.child.wait();
        }

        fn send(&mut self, mut bytes: &[u8], cancelled: &dyn Fn() -> bool) -> Result<(), CompileError> {
            while !bytes.is_empty() {
                match self.socket.write(bytes) {
                    Ok(0) => return Err(self.died()),
                    Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                    Err(error) => self.bear(&error, cancelled)?,
                }
            }
            Ok(())
        }

        fn receive(&mut self, length: usize, cancelled: &dyn Fn() -> bool) -> Result<Vec<u8>, CompileError> {
            let mut bytes = Vec::new();
            let mut piece = vec![0; length.min(1 << 20)];
            while bytes.len() < length {
                let want = (length - bytes.len()).min(piece.len());
                match self.socket.read(piece.get_mut(..want).unwrap_or_default()) {
                    Ok(0) => return Err(self.died()),
                    Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
                    Err(error) => self.bear(&error, cancelled)?,
                }
            }
            Ok(bytes)
        }

        /// Goes on after a pause on the socket, unless it is time to stop.
        fn bear(&mut self, error: &io::Error, cancelled: &dyn Fn() -> bool) -> Result<(), CompileError> {
            match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    if cancelled() {
                        Err(CompileError::Cancelled)
                    } else if Instant::now() >= self.deadline {
                        Err(CompileError::Late(self.time_max))
                    } else {
                        Ok(())
                    }
                }
                io::ErrorKind::Interrupted => Ok(()),
                _ => Err(self.died()),
            }
        }

        fn died(&mut self) -> CompileError {
            self.child.kill_tree();
            CompileError::Died(
                self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string()),
            )
        }
    }
}
