//! Sockets of this machine: named pipes, which only the same user (and the system) may connect to.
//!
//! Windows has Unix sockets since 2018, but they do not tell who is at the other end, and nothing keeps
//! others from a path but the access list of its directory. A path stands for the pipe of the same name.
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::handle::{AsHandle, BorrowedHandle, Errno, OwnedHandle, borrow, stands_for_handle};
use super::process::same_user;
use crate::ffi::win32::{files, pipe, process as native, wide};

/// Longest path of a socket: a pipe's name has up to 256 characters, with what stands before ours.
pub const SOCKET_PATH_MAX: usize = 230;

/// The name of the pipe that stands for `name`. A pipe's name has no backslashes.
fn pipe_name(kind: &str, name: &str) -> Result<Vec<u16>, Errno> {
    wide(format!(r"\\.\pipe\vitte-{kind}-{}", name.replace('\\', "/")).as_ref())
}

fn of_path(path: &Path) -> io::Result<Vec<u16>> {
    // Two spellings of one place must meet. The last name need not exist.
    let whole = std::path::absolute(path)?;
    let whole = whole.to_str().ok_or(Errno::NAME)?.to_lowercase();
    Ok(pipe_name("path", &whole)?)
}

fn of_name(name: &[u8]) -> io::Result<Vec<u16>> {
    if name.len() > SOCKET_PATH_MAX {
        return Err(Errno::NAME.into());
    }
    let name = std::str::from_utf8(name).map_err(|_| Errno::NAME)?;
    Ok(pipe_name("name", name)?)
}

/// A listening named pipe.
#[derive(Debug)]
pub struct LocalListener {
    name: Vec<u16>,
    /// The instance that the next client gets; none after a failure to make one.
    next: Mutex<Option<OwnedHandle>>,
}

impl LocalListener {
    fn bind(name: Vec<u16>) -> io::Result<Self> {
        let first = pipe::listen(&name, true).map_err(|error| match error {
            // What the system says when there is a pipe of that name.
            Errno::ACCESS | Errno::PIPE_BUSY => Errno::ADDRINUSE,
            other => other,
        })?;
        Ok(Self { name, next: Mutex::new(Some(first)) })
    }

    /// Waits for a client. Callers wait one behind the other.
    ///
    /// # Errors
    /// Those of CreateNamedPipe and ConnectNamedPipe.
    pub fn accept(&self) -> io::Result<LocalStream> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = match next.take() {
            Some(waiting) => waiting,
            None => pipe::listen(&self.name, false)?,
        };
        if let Err(error) = pipe::accept(borrow(&waiting)) {
            *next = Some(waiting);
            return Err(error.into());
        }
        // Before anybody uses this one, so that there is always one to connect to.
        *next = pipe::listen(&self.name, false).ok();
        Ok(LocalStream { pipe: waiting })
    }
}

/// A connected named pipe. One thread can read while another writes.
#[derive(Debug)]
pub struct LocalStream {
    pipe: OwnedHandle,
}

stands_for_handle!(LocalStream, pipe, "The pipe, opened for overlapped use.");

impl From<LocalStream> for OwnedHandle {
    fn from(stream: LocalStream) -> Self {
        stream.pipe
    }
}

impl Read for &LocalStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(pipe::read(borrow(&self.pipe), bytes)?)
    }
}

impl Write for &LocalStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(pipe::write(borrow(&self.pipe), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for LocalStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&*self).read(bytes)
    }
}

impl Write for LocalStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Windows has no datagram sockets of one machine.
#[derive(Debug)]
pub struct LocalDatagram(std::convert::Infallible);

impl LocalDatagram {
    /// There is none.
    pub fn never(&self) -> ! {
        match self.0 {}
    }
}

/// Makes a listening pipe for `path`, where nothing appears.
pub(crate) fn bind(path: &Path) -> io::Result<LocalListener> {
    LocalListener::bind(of_path(path)?)
}

/// It is from the start.
pub(crate) fn close_to_others(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn connect_to(name: &[u16]) -> io::Result<LocalStream> {
    /// How long a client waits for its turn when many come at once.
    const PATIENCE_MS: u32 = 2000;
    let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS.into());
    loop {
        match pipe::connect(name) {
            Ok(pipe) => return Ok(LocalStream { pipe }),
            Err(Errno::PIPE_BUSY) if Instant::now() < deadline => {
                // The next attempt tells why when this fails.
                let _ = pipe::wait_for_instance(name, PATIENCE_MS);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Connects to the pipe for `path`; `NOENT` when nobody listens.
pub(crate) fn connect(path: &Path) -> io::Result<LocalStream> {
    connect_to(&of_path(path)?)
}

/// Two connected pipes.
pub(crate) fn pair() -> io::Result<(LocalStream, LocalStream)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = pipe_name("pair", &format!("{}-{number}", std::process::id()))?;
    // Nobody else can have a pipe of this name: the first instance fails then.
    let server = pipe::listen(&name, true)?;
    let client = pipe::connect(&name)?;
    pipe::accept(borrow(&server))?;
    if pipe::peer(&server)? != std::process::id() {
        // Another program of this user was faster than we.
        return Err(Errno::ACCESS.into());
    }
    Ok((LocalStream { pipe: server }, LocalStream { pipe: client }))
}

/// Windows has none.
pub(crate) fn datagram_pair() -> io::Result<(LocalDatagram, LocalDatagram)> {
    Err(Errno::OPNOTSUPP.into())
}

/// Listens on a name without a file.
pub(crate) fn bind_abstract(name: &[u8]) -> io::Result<LocalListener> {
    LocalListener::bind(of_name(name)?)
}

/// Connects to a name without a file; `CONNREFUSED` when nobody listens.
pub(crate) fn connect_abstract(name: &[u8]) -> io::Result<LocalStream> {
    connect_to(&of_name(name)?).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => Errno::CONNREFUSED.into(),
        Some(_) | None => error,
    })
}

/// See [`crate::net::wait_readable`]. For pipes by looking again and again, up to every 10 ms, as the
/// system gives no notice; sockets are refused.
pub(crate) fn wait_readable(object: impl AsHandle, timeout: Option<Duration>) -> Result<bool, Errno> {
    let object = object.as_handle();
    if files::is_on_disk(object) {
        return Ok(true);
    }
    match pipe::available(object) {
        Err(Errno::PIPE) => return Ok(true),
        Ok(count) if count > 0 => return Ok(true),
        Ok(_) => {}
        // No pipe: a process, an event.
        Err(_) => return native::wait(object, timeout),
    }
    let start = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
        std::thread::sleep(left.map_or(pause, |left| pause.min(left)));
        pause = (pause * 2).min(Duration::from_millis(10));
        match pipe::available(object) {
            Ok(0) => {}
            Ok(_) | Err(Errno::PIPE) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}

/// User, group and process of the other end. The user is this one's number, 0 for the system, or one
/// that nobody has: Windows has no numbers that stand for users of all kinds.
pub(crate) fn peer(socket: impl AsHandle) -> Result<(u32, u32, Option<i32>), Errno> {
    let socket = socket.as_handle();
    let id = pipe::peer(socket)?;
    let process = pinned(socket, id)?;
    let user = same_user(borrow(&process))?;
    Ok((user, user, i32::try_from(id).ok()))
}

/// A handle on the process at the other end. `NOPROTOOPT` when the system cannot say, `SRCH` when the
/// process has gone.
pub(crate) fn peer_process(socket: impl AsHandle) -> Result<OwnedHandle, Errno> {
    let socket = socket.as_handle();
    pinned(socket, pipe::peer(socket)?)
}

/// The process `id`, which had the other end of `socket` when it connected.
fn pinned(socket: BorrowedHandle<'_>, id: u32) -> Result<OwnedHandle, Errno> {
    let process = native::open(id, false)?;
    // As long as the other end is open its process lives, and the number is still its own. (Whoever
    // gave its end to another process and ended is gone too.)
    match pipe::available(socket) {
        Ok(_) => Ok(process),
        Err(_) => Err(Errno::SRCH),
    }
}

/// A handle on the process `pid`, signalled when it has ended.
pub(crate) fn process(pid: i32) -> Result<OwnedHandle, Errno> {
    match u32::try_from(pid) {
        Ok(0) | Err(_) => Err(Errno::INVAL),
        Ok(id) => native::open(id, true),
    }
}

/// Ends the process that `handle` stands for: Windows has no signal that asks one process alone.
pub(crate) fn terminate(handle: impl AsHandle) -> Result<(), Errno> {
    native::end(handle, super::process::KILLED)
}
