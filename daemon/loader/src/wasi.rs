//! The system's interface (`wasi_snapshot_preview1`) for core modules and bytecode that import it, by what they were
//! granted.
//!
//! Our own over `vitte-sys`: an engine's implementation would bring fifty crates. Folders are those that were granted,
//! which no path leaves; output goes to the log; a call's deadline ends a guest that sleeps. Layouts and numbers are
//! those of `wasi_snapshot_preview1.witx`.
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vitte_sys::fs::Root;
use vitte_trust::{Access, Capability};
use wasmtime::{Caller, Linker, Memory};

use crate::call::{CallError, Guest};
use crate::import::{Import, WASI_1};
use crate::name::ModuleName;

/// How often a guest that waits is asked whether its call is over.
const POLL: Duration = Duration::from_millis(2);
/// Most subscriptions of one wait.
const SUBSCRIPTIONS_MAX: u32 = 4096;
/// Longest line of a guest's output that is kept whole, in bytes.
const LINE_MAX: usize = 4096;
/// Most files that an instance has open.
const OPEN_MAX: usize = 256;
/// Most bytes of one read or write, and of random numbers.
const BYTES_MAX: u32 = 16 << 20;
/// Longest path.
const PATH_MAX: u32 = 4096;

/// The functions that are given. Code that imports others is not linked.
pub(crate) const FUNCTIONS: [&str; 26] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_filestat_get",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_open",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// What a module was given of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) capabilities: Vec<Capability>,
    /// What it sees as its command line.
    pub(crate) arguments: Vec<String>,
}

/// The capabilities without which an import makes no sense.
pub(crate) fn needs(imports: &[Import]) -> Vec<Capability> {
    let mut needs: Vec<Capability> = imports
        .iter()
        .filter(|import| import.module == WASI_1)
        .filter_map(|import| match import.name.as_str() {
            "clock_res_get" | "clock_time_get" => Some(Capability::Clocks),
            "random_get" => Some(Capability::Random),
            name if name.starts_with("sock_") => Some(Capability::Network),
            _ => None,
        })
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

/// The system as one instance sees it.
pub(crate) struct System {
    module: Option<ModuleName>,
    arguments: Vec<Vec<u8>>,
    variables: Vec<Vec<u8>>,
    has_output: bool,
    /// By number; what was closed leaves a place.
    open: Vec<Option<Open>>,
    began: Instant,
}

impl Default for System {
    fn default() -> Self {
        Self {
            module: None,
            arguments: Vec::new(),
            variables: Vec::new(),
            has_output: false,
            open: Vec::new(),
            began: Instant::now(),
        }
    }
}

enum Open {
    /// Standard input, which is at its end.
    Input,
    /// Standard output or error, with the line that is not ended yet.
    Output {
        what: &'static str,
        line: Vec<u8>,
    },
    /// A folder that was granted.
    Folder {
        root: Root,
        access: Access,
        name: PathBuf,
    },
    File(File),
}

impl System {
    /// What a new instance of `module` sees.
    ///
    /// # Errors
    /// When a folder that was granted is not there.
    pub(crate) fn new(module: &ModuleName, settings: &Settings) -> Result<Self, CallError> {
        let output = |what| Some(Open::Output { what, line: Vec::new() });
        let mut system = Self::default();
        system.module = Some(module.clone());
        system.open = vec![Some(Open::Input), output("stdout"), output("stderr")];
        for capability in &settings.capabilities {
            match capability {
                Capability::Args => {
                    system.arguments =
                        settings.arguments.iter().map(|text| text.as_bytes().to_vec()).collect();
                }
                Capability::Env(_) => {
                    // What is not text cannot be handed over.
                    let variables = std::env::vars_os().filter_map(|(name, value)| {
                        Some((name.into_string().ok()?, value.into_string().ok()?))
                    });
                    let named = variables.filter(|(name, _)| capability.admits_variable(name));
                    system
                        .variables
                        .extend(named.map(|(name, value)| format!("{name}={value}").into_bytes()));
                }
                Capability::Fs { access, path } => {
                    let root = Root::open(path).map_err(|error| {
                        CallError::Failed(format!("the folder of `{capability}` cannot be opened: {error}"))
                    })?;
                    system.open.push(Some(Open::Folder { root, access: *access, name: path.clone() }));
                }
                Capability::Stdio => system.has_output = true,
                // Those that need them are linked with them or not at all.
                Capability::Clocks | Capability::Random | Capability::Network => {}
            }
        }
        system.variables.sort();
        Ok(system)
    }

    fn get(&mut self, number: i32) -> Result<&mut Open, Errno> {
        let open = usize::try_from(number).ok().and_then(|number| self.open.get_mut(number));
        open.and_then(Option::as_mut).ok_or(Errno::BadDescriptor)
    }

    fn folder(&mut self, number: i32) -> Result<(&Root, Access), Errno> {
        match self.get(number)? {
            Open::Folder { root, access, .. } => Ok((root, *access)),
            Open::Input | Open::Output { .. } | Open::File(_) => Err(Errno::NotDirectory),
        }
    }

    fn put(&mut self, open: Open) -> Result<u32, Errno> {
        let free = self.open.iter().position(Option::is_none);
        let place = match free {
            Some(place) => place,
            None if self.open.len() < OPEN_MAX => {
                self.open.push(None);
                self.open.len() - 1
            }
            None => return Err(Errno::TooMany),
        };
        if let Some(slot) = self.open.get_mut(place) {
            *slot = Some(open);
        }
        Ok(place as u32)
    }

    fn write(&mut self, number: i32, bytes: &[u8]) -> Result<(), Errno> {
        let (module, has_output) = (self.module.clone(), self.has_output);
        match self.get(number)? {
            Open::Output { .. } if !has_output => Ok(()),
            Open::Output { what, line } => {
                for byte in bytes {
                    if *byte == b'\n' || line.len() >= LINE_MAX {
                        log(module.as_ref(), what, &std::mem::take(line));
                    }
                    if *byte != b'\n' {
                        line.push(*byte);
                    }
                }
                Ok(())
            }
            Open::File(file) => file.write_all(bytes).map_err(|error| Errno::of(error.kind())),
            Open::Input | Open::Folder { .. } => Err(Errno::BadDescriptor),
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        for open in self.open.iter().flatten() {
            if let Open::Output { what, line } = open
                && !line.is_empty()
            {
                log(self.module.as_ref(), what, line);
            }
        }
    }
}

fn log(module: Option<&ModuleName>, what: &str, line: &[u8]) {
    let module = module.map_or("", ModuleName::as_str);
    tracing::info!(target: "vitte_loader::output", module, what, text = %String::from_utf8_lossy(line), "output");
}

/// A guest that ended itself, with its status.
#[derive(Debug, thiserror::Error)]
#[error("exit {0}")]
struct Exit(i32);

/// The status with which a guest ended itself, if that is what an error means.
pub(crate) fn exit_status(error: &wasmtime::Error) -> Option<i32> {
    error.downcast_ref::<Exit>().map(|exit| exit.0)
}

/// What a function answers that did not do what it was asked.
#[derive(Clone, Copy, Debug)]
enum Errno {
    Access = 2,
    BadDescriptor = 8,
    Exists = 20,
    Fault = 21,
    Invalid = 28,
    Io = 29,
    IsDirectory = 31,
    TooMany = 33,
    NotFound = 44,
    NotDirectory = 54,
    NotSeekable = 70,
    NotCapable = 76,
}

impl Errno {
    fn of(kind: std::io::ErrorKind) -> Self {
        match kind {
            std::io::ErrorKind::NotFound => Self::NotFound,
            std::io::ErrorKind::PermissionDenied => Self::Access,
            std::io::ErrorKind::AlreadyExists => Self::Exists,
            std::io::ErrorKind::NotADirectory => Self::NotDirectory,
            std::io::ErrorKind::IsADirectory => Self::IsDirectory,
            std::io::ErrorKind::InvalidInput => Self::NotCapable,
            _ => Self::Io,
        }
    }
}

/// The number that a guest gets.
fn answer(outcome: Result<(), Errno>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(error) => error as i32,
    }
}

/// A guest and its memory.
struct At<'a, 'c> {
    caller: &'a mut Caller<'c, Guest>,
    memory: Memory,
}

impl<'a, 'c> At<'a, 'c> {
    fn new(caller: &'a mut Caller<'c, Guest>) -> Result<Self, Errno> {
        let memory = caller.get_export("memory").or_else(|| caller.get_export(crate::guest::INTERNAL_MEMORY));
        let memory = memory.and_then(wasmtime::Extern::into_memory).ok_or(Errno::Fault)?;
        Ok(Self { caller, memory })
    }

    fn system(&mut self) -> &mut System {
        &mut self.caller.data_mut().system
    }

    fn bytes(&self, at: u32, length: u32) -> Result<Vec<u8>, Errno> {
        let start = at as usize;
        let end = start.checked_add(length as usize).ok_or(Errno::Fault)?;
        self.memory.data(&*self.caller).get(start..end).map(<[u8]>::to_vec).ok_or(Errno::Fault)
    }

    fn number(&self, at: u32) -> Result<u32, Errno> {
        let bytes = self.bytes(at, 4)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.memory.write(&mut *self.caller, at as usize, bytes).map_err(|_| Errno::Fault)
    }

    fn path(&self, at: i32, length: i32) -> Result<PathBuf, Errno> {
        let length = length as u32;
        if length > PATH_MAX {
            return Err(Errno::Invalid);
        }
        let text = String::from_utf8(self.bytes(at as u32, length)?).map_err(|_| Errno::Invalid)?;
        if text.contains('\0') || Path::new(&text).is_absolute() {
            return Err(Errno::NotCapable);
        }
        Ok(text.into())
    }

    /// Places of a vector of buffers, each with its length.
    fn buffers(&self, at: i32, count: i32) -> Result<Vec<(u32, u32)>, Errno> {
        if count as u32 > 1024 {
            return Err(Errno::Invalid);
        }
        let at = |index: u32, offset: u32| (at as u32).saturating_add(8 * index + offset);
        let buffers =
            (0..count as u32).map(|index| Ok((self.number(at(index, 0))?, self.number(at(index, 4))?)));
        let buffers = buffers.collect::<Result<Vec<_>, Errno>>()?;
        let total = buffers.iter().try_fold(0_u32, |total, (_, length)| total.checked_add(*length));
        match total {
            Some(total) if total <= BYTES_MAX => Ok(buffers),
            Some(_) | None => Err(Errno::Invalid),
        }
    }

    /// Writes how many texts there are and how long they are together, each with a NUL.
    fn put_sizes(&mut self, texts: &[Vec<u8>], count: i32, size: i32) -> Result<(), Errno> {
        let bytes: usize = texts.iter().map(|text| text.len() + 1).sum();
        self.put(count as u32, &(texts.len() as u32).to_le_bytes())?;
        self.put(size as u32, &(bytes as u32).to_le_bytes())
    }

    /// Writes texts, each with a NUL, and where each begins.
    fn put_texts(&mut self, texts: &[Vec<u8>], pointers: i32, buffer: i32) -> Result<(), Errno> {
        let (mut pointer, mut at) = (pointers as u32, buffer as u32);
        for text in texts {
            self.put(pointer, &at.to_le_bytes())?;
            self.put(at, text)?;
            at = at.saturating_add(text.len() as u32);
            self.put(at, &[0])?;
            at = at.saturating_add(1);
            pointer = pointer.saturating_add(4);
        }
        Ok(())
    }

    /// Writes a `filestat`: of a folder, or a file of this size.
    fn put_stat(&mut self, at: i32, is_folder: bool, size: u64) -> Result<(), Errno> {
        const FOLDER: u8 = 3;
        const FILE: u8 = 4;
        let mut stat = [0_u8; 64];
        let kind = if is_folder { FOLDER } else { FILE };
        let numbers = [(16, u64::from(kind)), (24, 1), (32, size)];
        for (offset, number) in numbers {
            for (place, byte) in stat.iter_mut().skip(offset).zip(number.to_le_bytes()) {
                *place = byte;
            }
        }
        self.put(at as u32, &stat)
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

const REALTIME: i32 = 0;
const MONOTONIC: i32 = 1;

/// Gives a core module the functions of WASI 0.1.
pub(crate) fn link_core(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    type C<'c> = Caller<'c, Guest>;
    linker.func_wrap(WASI_1, "args_sizes_get", |mut caller: C<'_>, count: i32, size: i32| {
        let texts = caller.data().system.arguments.clone();
        answer(At::new(&mut caller).and_then(|mut at| at.put_sizes(&texts, count, size)))
    })?;
    linker.func_wrap(WASI_1, "args_get", |mut caller: C<'_>, pointers: i32, buffer: i32| {
        let texts = caller.data().system.arguments.clone();
        answer(At::new(&mut caller).and_then(|mut at| at.put_texts(&texts, pointers, buffer)))
    })?;
    linker.func_wrap(WASI_1, "environ_sizes_get", |mut caller: C<'_>, count: i32, size: i32| {
        let texts = caller.data().system.variables.clone();
        answer(At::new(&mut caller).and_then(|mut at| at.put_sizes(&texts, count, size)))
    })?;
    linker.func_wrap(WASI_1, "environ_get", |mut caller: C<'_>, pointers: i32, buffer: i32| {
        let texts = caller.data().system.variables.clone();
        answer(At::new(&mut caller).and_then(|mut at| at.put_texts(&texts, pointers, buffer)))
    })?;
    linker.func_wrap(WASI_1, "clock_res_get", |mut caller: C<'_>, clock: i32, into: i32| {
        answer(At::new(&mut caller).and_then(|mut at| match clock {
            REALTIME | MONOTONIC => at.put(into as u32, &1_u64.to_le_bytes()),
            _ => Err(Errno::Invalid),
        }))
    })?;
    linker.func_wrap(WASI_1, "clock_time_get", |mut caller: C<'_>, clock: i32, _: i64, into: i32| {
        answer(At::new(&mut caller).and_then(|mut at| {
            let time = match clock {
                REALTIME => since_epoch(),
                MONOTONIC => at.system().began.elapsed(),
                _ => return Err(Errno::Invalid),
            };
            at.put(into as u32, &(time.as_nanos() as u64).to_le_bytes())
        }))
    })?;
    linker.func_wrap(WASI_1, "random_get", |mut caller: C<'_>, into: i32, length: i32| {
        answer(At::new(&mut caller).and_then(|mut at| {
            let length = length as u32;
            if length > BYTES_MAX {
                return Err(Errno::Invalid);
            }
            let mut bytes = vec![0; length as usize];
            getrandom::fill(&mut bytes).map_err(|_| Errno::Io)?;
            at.put(into as u32, &bytes)
        }))
    })?;
    linker.func_wrap(WASI_1, "sched_yield", |_: C<'_>| {
        std::thread::yield_now();
        0_i32
    })?;
    linker.func_wrap(WASI_1, "proc_exit", |_: C<'_>, status: i32| -> wasmtime::Result<()> {
        Err(Exit(status).into())
    })?;
    linker.func_wrap(WASI_1, "poll_oneoff", poll_oneoff)?;
    link_files(linker)
}

/// What works on files and streams.
fn link_files(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    type C<'c> = Caller<'c, Guest>;
    linker.func_wrap(
        WASI_1,
        "fd_write",
        |mut caller: C<'_>, fd: i32, from: i32, count: i32, stored: i32| {
            answer(At::new(&mut caller).and_then(|mut at| {
                let mut written = 0_u32;
                for (start, length) in at.buffers(from, count)? {
                    let bytes = at.bytes(start, length)?;
                    at.system().write(fd, &bytes)?;
                    written = written.saturating_add(length);
                }
                at.put(stored as u32, &written.to_le_bytes())
            }))
        },
    )?;
    linker.func_wrap(
        WASI_1,
        "fd_read",
        |mut caller: C<'_>, fd: i32, into: i32, count: i32, stored: i32| {
            answer(At::new(&mut caller).and_then(|mut at| {
                let mut total = 0_u32;
                for (start, length) in at.buffers(into, count)? {
                    let mut bytes = vec![0; length as usize];
                    let got = match at.system().get(fd)? {
                        Open::Input => 0,
                        Open::File(file) => file.read(&mut bytes).map_err(|error| Errno::of(error.kind()))?,
                        Open::Output { .. } => return Err(Errno::BadDescriptor),
                        Open::Folder { .. } => return Err(Errno::IsDirectory),
                    };
                    at.put(start, bytes.get(..got).unwrap_or_default())?;
                    total = total.saturating_add(got as u32);
                    if got < length as usize {
                        break;
                    }
                }
                at.put(stored as u32, &total.to_le_bytes())
            }))
        },
    )?;
    linker.func_wrap(WASI_1, "fd_close", |mut caller: C<'_>, fd: i32| {
        let open = &mut caller.data_mut().system.open;
        match usize::try_from(fd).ok().and_then(|fd| open.get_mut(fd)).and_then(Option::take) {
            Some(_) => 0,
            None => Errno::BadDescriptor as i32,
        }
    })?;
    for name in ["fd_sync", "fd_datasync"] {
        linker.func_wrap(WASI_1, name, |mut caller: C<'_>, fd: i32| {
            answer(caller.data_mut().system.get(fd).and_then(|open| match open {
                Open::File(file) => file.sync_all().map_err(|error| Errno::of(error.kind())),
                Open::Input | Open::Output { .. } | Open::Folder { .. } => Ok(()),
            }))
        })?;
    }
    let seek = |at: &mut At<'_, '_>, fd: i32, to: SeekFrom, into: i32| match at.system().get(fd)? {
        Open::File(file) => {
            let place = file.seek(to).map_err(|_| Errno::Invalid)?;
            at.put(into as u32, &place.to_le_bytes())
        }
        Open::Input | Open::Output { .. } | Open::Folder { .. } => Err(Errno::NotSeekable),
    };
    linker.func_wrap(
        WASI_1,
        "fd_seek",
        move |mut caller: C<'_>, fd: i32, offset: i64, whence: i32, into: i32| {
            let to = match whence {
                0 => SeekFrom::Start(offset as u64),
                1 => SeekFrom::Current(offset),
                2 => SeekFrom::End(offset),
                _ => return Errno::Invalid as i32,
            };
            answer(At::new(&mut caller).and_then(|mut at| seek(&mut at, fd, to, into)))
        },
    )?;
    linker.func_wrap(WASI_1, "fd_tell", move |mut caller: C<'_>, fd: i32, into: i32| {
        answer(At::new(&mut caller).and_then(|mut at| seek(&mut at, fd, SeekFrom::Current(0), into)))
    })?;
    linker.func_wrap(WASI_1, "fd_fdstat_set_flags", |mut caller: C<'_>, fd: i32, _: i32| {
        answer(caller.data_mut().system.get(fd).map(drop))
    })?;
    linker.func_wrap(WASI_1, "fd_fdstat_get", |mut caller: C<'_>, fd: i32, into: i32| {
        answer(At::new(&mut caller).and_then(|mut at| {
            // Character device, folder, file.
            let kind = match at.system().get(fd)? {
                Open::Input | Open::Output { .. } => 2,
                Open::Folder { .. } => 3,
                Open::File(_) => 4,
            };
            let mut stat = [0_u8; 24];
            if let Some(place) = stat.first_mut() {
                *place = kind;
            }
            // All rights: what is not allowed fails when it is tried.
            stat.iter_mut().skip(8).for_each(|byte| *byte = 0xff);
            at.put(into as u32, &stat)
        }))
    })?;
    linker.func_wrap(WASI_1, "fd_filestat_get", |mut caller: C<'_>, fd: i32, into: i32| {
        answer(At::new(&mut caller).and_then(|mut at| {
            let (is_folder, size) = match at.system().get(fd)? {
                Open::Input | Open::Output { .. } => (false, 0),
                Open::Folder { .. } => (true, 0),
                Open::File(file) => (false, file.metadata().map_err(|error| Errno::of(error.kind()))?.len()),
            };
            at.put_stat(into, is_folder, size)
        }))
    })?;
    linker.func_wrap(WASI_1, "fd_prestat_get", |mut caller: C<'_>, fd: i32, into: i32| {
        answer(At::new(&mut caller).and_then(|mut at| match at.system().get(fd)? {
            Open::Folder { name, .. } => {
                let length = name.as_os_str().len() as u32;
                at.put(into as u32, &[0; 4])?;
                at.put((into as u32).saturating_add(4), &length.to_le_bytes())
            }
            Open::Input | Open::Output { .. } | Open::File(_) => Err(Errno::BadDescriptor),
        }))
    })?;
    linker.func_wrap(
        WASI_1,
        "fd_prestat_dir_name",
        |mut caller: C<'_>, fd: i32, into: i32, length: i32| {
            answer(At::new(&mut caller).and_then(|mut at| match at.system().get(fd)? {
                Open::Folder { name, .. } => {
                    let name = name.as_os_str().as_encoded_bytes().to_vec();
                    if name.len() > length as u32 as usize {
                        return Err(Errno::Invalid);
                    }
                    at.put(into as u32, &name)
                }
                Open::Input | Open::Output { .. } | Open::File(_) => Err(Errno::BadDescriptor),
            }))
        },
    )?;
    link_paths(linker)
}

/// What works on names in folders.
fn link_paths(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    type C<'c> = Caller<'c, Guest>;
    linker.func_wrap(
        WASI_1,
        "path_filestat_get",
        |mut caller: C<'_>, fd: i32, _: i32, path: i32, length: i32, into: i32| {
            answer(At::new(&mut caller).and_then(|mut at| {
                let path = at.path(path, length)?;
                let (root, _) = at.system().folder(fd)?;
                if root.below(&path).is_ok() {
                    return at.put_stat(into, true, 0);
                }
                let file = root.open_file(&path).map_err(|error| Errno::of(error.kind()))?;
                let size = file.metadata().map_err(|error| Errno::of(error.kind()))?.len();
                at.put_stat(into, false, size)
            }))
        },
    )?;
    linker.func_wrap(
        WASI_1,
        "path_create_directory",
        |mut caller: C<'_>, fd: i32, path: i32, length: i32| {
            answer(At::new(&mut caller).and_then(|mut at| {
                let path = at.path(path, length)?;
                match at.system().folder(fd)? {
                    (_, Access::Read) => Err(Errno::NotCapable),
                    (root, Access::Write) => {
                        root.create_directories(&path).map_err(|error| Errno::of(error.kind()))
                    }
                }
            }))
        },
    )?;
    linker.func_wrap(WASI_1, "path_unlink_file", |mut caller: C<'_>, fd: i32, path: i32, length: i32| {
        answer(At::new(&mut caller).and_then(|mut at| {
            let path = at.path(path, length)?;
            match at.system().folder(fd)? {
                (_, Access::Read) => Err(Errno::NotCapable),
                (root, Access::Write) => root.remove_file(&path).map_err(|error| Errno::of(error.kind())),
            }
        }))
    })?;
    linker.func_wrap(
        WASI_1,
        "path_open",
        |mut caller: C<'_>,
         fd: i32,
         _: i32,
         path: i32,
         length: i32,
         flags: i32,
         rights: i64,
         _: i64,
         _: i32,
         into: i32| {
            const CREATE: i32 = 1;
            const FOLDER: i32 = 2;
            const EXCLUSIVE: i32 = 4;
            const TRUNCATE: i32 = 8;
            const RIGHT_TO_WRITE: i64 = 1 << 6;
            /// What files are made with, before the user's mask.
            const MODE: u32 = 0o666;
            answer(At::new(&mut caller).and_then(|mut at| {
                let path = at.path(path, length)?;
                let (root, access) = at.system().folder(fd)?;
                let failed = |error: vitte_sys::SysError| Errno::of(error.kind());
                let changes = flags & (CREATE | EXCLUSIVE | TRUNCATE) != 0 || rights & RIGHT_TO_WRITE != 0;
                let open = if flags & FOLDER != 0 {
                    let name = path.clone();
                    Open::Folder { root: root.below(&path).map_err(failed)?, access, name }
                } else if !changes || access == Access::Read {
                    if flags & (CREATE | EXCLUSIVE | TRUNCATE) != 0 {
                        return Err(Errno::NotCapable);
                    }
                    // A guest that asks for more than it gets learns that when it writes.
                    match root.below(&path) {
                        Ok(root) => Open::Folder { root, access, name: path },
                        Err(_) => Open::File(root.open_file(&path).map_err(failed)?),
                    }
                } else {
                    let is_there = root.stamp(&path).map_err(failed)?.is_some();
                    match (is_there, flags & CREATE != 0, flags & EXCLUSIVE != 0) {
                        (false, false, _) => return Err(Errno::NotFound),
                        (true, true, true) => return Err(Errno::Exists),
                        (true, _, _) | (false, true, _) => {}
                    }
                    let file = root.open_writable(&path, MODE).map_err(failed)?;
                    if flags & TRUNCATE != 0 {
                        file.set_len(0).map_err(|error| Errno::of(error.kind()))?;
                    }
                    Open::File(file)
                };
                let number = at.system().put(open)?;
                at.put(into as u32, &number.to_le_bytes())
            }))
        },
    )?;
    Ok(())
}

/// What waits for time waits here; files and streams are always ready.
fn poll_oneoff(
    mut caller: Caller<'_, Guest>,
    subscriptions: i32,
    events: i32,
    count: i32,
    stored: i32,
) -> wasmtime::Result<i32> {
    const SUBSCRIPTION: u32 = 48;
    const EVENT: u32 = 32;
    const CLOCK: u8 = 0;
    const ABSOLUTE: u16 = 1;
    let count = count as u32;
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Ok(Errno::Invalid as i32);
    }
    let given = At::new(&mut caller).and_then(|at| at.bytes(subscriptions as u32, SUBSCRIPTION * count));
    let given = match given {
        Ok(given) => given,
        Err(error) => return Ok(error as i32),
    };
    let number = |bytes: &[u8], at: usize, size: usize| {
        let bytes = bytes.get(at..at + size).unwrap_or_default();
        bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let began = Instant::now();
    let since_start = caller.data().system.began.elapsed();
    // How long from now on each has to wait.
    let waits: Vec<(u64, u8, Duration)> = given
        .chunks(SUBSCRIPTION as usize)
        .map(|one| {
            let (user, kind) = (number(one, 0, 8), number(one, 8, 1) as u8);
            if kind != CLOCK {
                return (user, kind, Duration::ZERO);
            }
            let timeout = Duration::from_nanos(number(one, 24, 8));
            let wait = if number(one, 40, 2) as u16 & ABSOLUTE == 0 {
                timeout
            } else if number(one, 16, 4) as i32 == REALTIME {
                timeout.saturating_sub(since_epoch())
            } else {
                timeout.saturating_sub(since_start)
            };
            (user, kind, wait)
        })
        .collect();
    let shortest = waits.iter().map(|(.., wait)| *wait).min().unwrap_or_default();
    loop {
        let left = shortest.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        caller.data().pause(left.min(POLL))?;
    }
    let elapsed = began.elapsed().max(shortest);
    let written = At::new(&mut caller).and_then(|mut at| {
        let mut written = 0_u32;
        for (user, kind, _) in waits.iter().filter(|(.., wait)| *wait <= elapsed) {
            let mut event = user.to_le_bytes().to_vec();
            event.extend([0, 0, *kind]);
            event.resize(16, 0);
            // One byte can be read or written, so that nobody takes it for the end.
            event.push(u8::from(*kind != CLOCK));
            event.resize(EVENT as usize, 0);
            at.put((events as u32).saturating_add(EVENT * written), &event)?;
            written += 1;
        }
        at.put(stored as u32, &written.to_le_bytes())
    });
    Ok(answer(written))
}
