//! The embedded linker, seen from the service: a few worker processes that link in memory.
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use vitte_sys::process::{Child, Command, Limits, Stdio, Termination, end_group, spawn};
use vitte_sys::sandbox::{Policy, Rung};

use super::worker::{HEADER_MAX, OUTPUT, PAYLOAD_MAX, Request};
use super::{DebugInfo, LinkError, LinkMode, LinkPlan, LinkReport, Linker, Probe, startup, stub, symbols};
use crate::api::CancellationToken;

/// Version of the library inside; the lock file pins it.
const VERSION: &str = "libwild 0.10.0";
/// Links after which a worker is replaced: each leaves some kilobytes behind (measured: 4.6 kB).
const LINKS_PER_WORKER: u32 = 500;
/// Workers that are kept when idle.
const IDLE_MAX: usize = 2;
/// Longest link.
const TIME_MAX: Duration = Duration::from_secs(120);
/// How often a waiting link looks whether its caller has gone.
const CANCEL_POLL: Duration = Duration::from_millis(50);
/// Threads of one worker: links are short, and several can run at once.
const THREADS: &str = "2";
/// The program interpreter of the x86-64 ABI for GNU/Linux.
pub(super) const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Links from memory to memory in worker processes, with nothing of the machine.
#[derive(Debug)]
pub struct EmbeddedLinker {
    /// Program and arguments that run [`worker_main`](super::worker_main).
    command: Vec<OsString>,
    idle: Mutex<Vec<Worker>>,
}

impl EmbeddedLinker {
    /// A linker whose workers are started by `command` when first needed.
    pub fn new(command: Vec<OsString>) -> Self {
        Self { command, idle: Mutex::default() }
    }

    fn take(&self) -> Result<Worker, LinkError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(worker) => Ok(worker),
            None => Worker::start(&self.command),
        }
    }

    fn put_back(&self, worker: Worker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.links < LINKS_PER_WORKER && idle.len() < IDLE_MAX {
            idle.push(worker);
        }
    }
}

impl Linker for EmbeddedLinker {
    fn name(&self) -> String {
        super::EMBEDDED.into()
    }

    fn probe(&self) -> Probe {
        if self.command.is_empty() {
            return Probe { usable: false, detail: "no worker program was given".into() };
        }
        Probe { usable: true, detail: format!("{VERSION}, inside the service") }
    }

    fn identity(&self) -> String {
        format!("embedded {VERSION}")
    }

    fn prepare(&self) {
        let none = self.idle.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if none && !self.command.is_empty() {
            // A failure here is met again, and told, when a link needs the worker.
            if let Ok(worker) = Worker::start(&self.command) {
                self.put_back(worker);
            }
        }
    }

    fn link(&self, plan: &LinkPlan, cancel: &CancellationToken) -> Result<LinkReport, LinkError> {
        let started = Instant::now();
        let unsupported =
            |reason: &str| LinkError::Unsupported { linker: self.name(), reason: reason.into() };
        if !self.supports(&plan.target) {
            return Err(unsupported(&format!("it makes no executables for `{}`", plan.target)));
        }
        if !plan.libraries.is_empty() || !plan.flags.is_empty() {
            return Err(unsupported("it sees nothing of this machine, so no further libraries or flags"));
        }
        let imports = symbols::resolve(plan, plan.mode == LinkMode::Dynamic)?;
        if plan.mode == LinkMode::Static {
            return Err(unsupported("a static executable needs an archive of the C library"));
        }
        let (arguments, files) = inputs(plan, &imports)?;
        // A worker may have died while idle: then, once, a fresh one gets the same request.
        let mut worker = self.take()?;
        let answer = match worker.request(&arguments, &files, cancel) {
            Err(Failure::Died) => {
                worker = Worker::start(&self.command)?;
                worker.request(&arguments, &files, cancel)
            }
            other => other,
        };
        let help = "link with another linker: `--linker cc`";
        match answer {
            Ok((bytes, warnings)) => {
                let confinement = Some(worker.child.confinement());
                self.put_back(worker);
                let linker = format!("embedded ({VERSION})");
                Ok(LinkReport { bytes, linker, elapsed: started.elapsed(), warnings, confinement })
            }
            // Whatever a failed link left in the worker's memory goes with it.
            Err(Failure::Refused(output)) => Err(LinkError::tool("the embedded linker failed", output, help)),
            Err(Failure::Died) => Err(LinkError::tool("the embedded linker's process died twice", "", help)),
            Err(Failure::Late) => {
                let message = format!("the embedded linker took more than {} s", TIME_MAX.as_secs());
                Err(LinkError::tool(message, "", help))
            }
            Err(Failure::Cancelled) => Err(LinkError::Cancelled),
        }
    }
}

/// Files for a linker, by name.
pub(super) type Files = Vec<(String, std::sync::Arc<[u8]>)>;

/// Startup code, the program and a stub for each library that it uses.
pub(super) fn input_files(plan: &LinkPlan, imports: &symbols::Imports) -> Result<Files, LinkError> {
    let internal = |error: object::write::Error| {
        LinkError::tool("cannot write startup code", error.to_string(), "please report this")
    };
    let mut files: Files = Vec::new();
    if !plan.shared {
        files.push(("startup.o".into(), startup::object(&plan.main).map_err(internal)?.into()));
    }
    for (index, object) in plan.objects.iter().enumerate() {
        files.push((format!("{index}-{}", object.name), std::sync::Arc::clone(&object.bytes)));
    }
    for (soname, names) in &imports.libraries {
        files.push(((*soname).into(), stub::shared_object(soname, names).map_err(internal)?.into()));
    }
    Ok(files)
}

/// Flags that every linker of the GNU family takes.
pub(super) fn gnu_flags(plan: &LinkPlan) -> Vec<String> {
    let mut flags: Vec<String> = [
        "-m",
        "elf_x86_64",
        "-z",
        "relro",
        "-z",
        "now",
        "-z",
        "noexecstack",
        "--build-id=none",
        "--hash-style=gnu",
        "--eh-frame-hdr",
    ]
    .map(String::from)
    .into();
    // Own symbols of a library are its own, whatever others call theirs.
    let shape: &[&str] = match plan.shared {
        true => &["-shared", "-Bsymbolic"],
        false => &["-pie", "-dynamic-linker", INTERPRETER, "--entry", startup::ENTRY],
    };
    flags.extend(shape.iter().map(|flag| (*flag).to_owned()));
    flags.push(if plan.gc_sections { "--gc-sections" } else { "--no-gc-sections" }.into());
    match plan.debug {
        DebugInfo::Keep => {}
        DebugInfo::Strip => flags.push("--strip-all".into()),
    }
    flags
}

fn inputs(plan: &LinkPlan, imports: &symbols::Imports) -> Result<(Vec<String>, Files), LinkError> {
    let files = input_files(plan, imports)?;
    let mut arguments = gnu_flags(plan);
    // The identity comment would change the bytes with every update of the library.
    arguments.push("--no-identity-comment".into());
    arguments.extend(["-o".into(), OUTPUT.into()]);
    arguments.extend(files.iter().map(|(name, _)| name.clone()));
    Ok((arguments, files))
}

/// Why a worker gave no executable.
enum Failure {
    /// It says so, in words.
    Refused(String),
    /// It hung up.
    Died,
    /// It took too long.
    Late,
    /// Nobody wants the answer any more.
    Cancelled,
}

/// One worker process.
#[derive(Debug)]
struct Worker {
    child: Child,
    socket: UnixStream,
    links: u32,
}

impl Worker {
    fn start(command: &[OsString]) -> Result<Self, LinkError> {
        let fail = |error: &dyn std::fmt::Display| {
            LinkError::tool(
                "cannot start the embedded linker",
                error.to_string(),
                "link with another linker: `--linker cc`",
            )
        };
        let Some((program, arguments)) = command.split_first() else {
            return Err(fail(&"no worker program was given"));
        };
        let (ours, theirs) = UnixStream::pair().map_err(|error| fail(&error))?;
        ours.set_read_timeout(Some(CANCEL_POLL)).map_err(|error| fail(&error))?;
        ours.set_write_timeout(Some(CANCEL_POLL)).map_err(|error| fail(&error))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("RAYON_NUM_THREADS", THREADS)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // It reads objects of anybody's making, and everything it needs comes over its socket.
            .sandbox(Policy::new(Rung::Limits).system());
        let limits = Limits { core_bytes: Some(0), ..Default::default() };
        let child = spawn(command, limits).map_err(|error| fail(&error))?;
        Ok(Self { child, socket: ours, links: 0 })
    }

    fn request(
        &mut self,
        arguments: &[String],
        files: &Files,
        cancel: &CancellationToken,
    ) -> Result<(Vec<u8>, Vec<String>), Failure> {
        self.links += 1;
        let request = Request {
            arguments: arguments.to_vec(),
            files: files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect(),
        };
        let header = serde_json::to_vec(&request).map_err(|error| Failure::Refused(error.to_string()))?;
        let total: u64 = request.files.iter().map(|(_, length)| length).sum();
        if header.len() > HEADER_MAX as usize || total > PAYLOAD_MAX {
            return Err(Failure::Refused("the plan is too large".into()));
        }
        let mut pipe = Patient { socket: &self.socket, deadline: Instant::now() + TIME_MAX, cancel };
        let mut head = (header.len() as u32).to_le_bytes().to_vec();
        head.extend(header);
        pipe.send(&head)?;
        for (_, bytes) in files {
            pipe.send(bytes)?;
        }
        let mut status = [0; 5];
        pipe.receive(&mut status)?;
        let [status, length @ ..] = status;
        let warnings = pipe.block(u32::from_le_bytes(length).into(), HEADER_MAX.into())?;
        let warnings: Vec<String> = serde_json::from_slice(&warnings).map_err(|_| Failure::Died)?;
        let mut length = [0; 8];
        pipe.receive(&mut length)?;
        let payload = pipe.block(u64::from_le_bytes(length), PAYLOAD_MAX)?;
        if status == 0 {
            Ok((payload, warnings))
        } else {
            Err(Failure::Refused(String::from_utf8_lossy(&payload).into_owned()))
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        end_group(self.child.id(), Termination::Kill);
        // After SIGKILL this does not wait for anything the worker could hold up.
        let _ = self.child.wait();
    }
}

/// Blocking reads and writes that end when the time is up or the caller has gone.
struct Patient<'a> {
    socket: &'a UnixStream,
    deadline: Instant,
    cancel: &'a CancellationToken,
}

impl Patient<'_> {
    fn send(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(0) => return Err(Failure::Died),
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) => self.after(&error)?,
            }
        }
        Ok(())
    }

    fn receive(&mut self, mut into: &mut [u8]) -> Result<(), Failure> {
        while !into.is_empty() {
            match self.socket.read(into) {
                Ok(0) => return Err(Failure::Died),
                Ok(got) => into = &mut into[got..],
                Err(error) => self.after(&error)?,
            }
        }
        Ok(())
    }

    fn block(&mut self, length: u64, limit: u64) -> Result<Vec<u8>, Failure> {
        if length > limit {
            return Err(Failure::Died);
        }
        let mut bytes = vec![0; length as usize];
        self.receive(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether to go on after `error`.
    fn after(&self, error: &io::Error) -> Result<(), Failure> {
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                if self.cancel.is_cancelled() {
                    Err(Failure::Cancelled)
                } else if Instant::now() >= self.deadline {
                    Err(Failure::Late)
                } else {
                    Ok(())
                }
            }
            _ => Err(Failure::Died),
        }
    }
}
