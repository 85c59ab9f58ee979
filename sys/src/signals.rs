//! Signals as typed events, read by one thread.
//!
//! The handler sets a bit and writes to an eventfd, both of which are allowed in a handler
//! (signal-safety(7)); a thread of ours reads the eventfd and passes the events on. Unlike `signalfd`
//! this needs no blocked signals, which threads started earlier would not have and children inherit.
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::io::Errno;

use crate::{Op, SysError, thread};

/// A signal that a program may watch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// SIGTERM: please end.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGHUP: the terminal is gone, or read the settings again.
    HangUp,
    /// SIGQUIT: Ctrl-\\.
    Quit,
    /// SIGCHLD: a child has ended or stopped.
    Child,
    /// SIGWINCH: the terminal has another size.
    Resize,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 8] = [
        Event::Terminate,
        Event::Interrupt,
        Event::HangUp,
        Event::Quit,
        Event::Child,
        Event::Resize,
        Event::User1,
        Event::User2,
    ];

    /// The signal's number.
    pub fn number(self) -> i32 {
        match self {
            Event::Terminate => libc::SIGTERM,
            Event::Interrupt => libc::SIGINT,
            Event::HangUp => libc::SIGHUP,
            Event::Quit => libc::SIGQUIT,
            Event::Child => libc::SIGCHLD,
            Event::Resize => libc::SIGWINCH,
            Event::User1 => libc::SIGUSR1,
            Event::User2 => libc::SIGUSR2,
        }
    }
}

/// Bit `n` says that signal `n` has arrived.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// The eventfd that the handler writes to; -1 for none.
static DOORBELL: AtomicI32 = AtomicI32::new(-1);
/// There is one handler table in a process, so that there can be one watcher.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Set beside the signals' bits when the watcher is dropped; no signal has number 0.
const CLOSE: u64 = 1;

/// Signals on their way. Dropping it gives the signals their earlier meaning back.
#[derive(Debug)]
pub struct Signals {
    events: Receiver<Event>,
    previous: Vec<(libc::c_int, Previous)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Previous(libc::sigaction);

impl std::fmt::Debug for Previous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Previous")
    }
}

/// Runs at any moment on any thread: atomics, write(2) and nothing else.
extern "C" fn handle(signal: libc::c_int) {
    if let Ok(number) = u32::try_from(signal) {
        ARRIVED.fetch_or(1_u64.checked_shl(number).unwrap_or(0), Ordering::SeqCst);
        ring();
    }
}

/// Wakes the watcher's thread; keeps errno, which the interrupted code may be about to read.
fn ring() {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: errno is a variable of this thread, always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; nothing else holds a reference to it.
    let kept = unsafe { errno.read() };
    // SAFETY: write(2) reads the eight bytes of `one`. The descriptor is our eventfd, or -1, which is an
    // error without effect. A full counter means that the thread is about to be woken anyway.
    let _ = unsafe { libc::write(DOORBELL.load(Ordering::SeqCst), one.as_ptr().cast(), one.len()) };
    // SAFETY: as above.
    unsafe { errno.write(kept) };
}

impl Signals {
    /// Watches for `wanted`. Several signals of one kind that arrive before they are seen are one event,
    /// as everywhere in POSIX.
    ///
    /// # Errors
    /// A refusal when somebody in this process watches already; `EMFILE`, `EAGAIN`.
    pub fn watch(wanted: &[Event]) -> Result<Self, SysError> {
        if WATCHED.swap(true, Ordering::SeqCst) {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "signals are watched already");
            return Err(SysError::bare(Op::Watch, error));
        }
        let started = Self::start(wanted);
        if started.is_err() {
            WATCHED.store(false, Ordering::SeqCst);
        }
        started
    }

    fn start(wanted: &[Event]) -> Result<Self, SysError> {
        let fail = |error: Errno| SysError::bare(Op::Watch, error);
        let doorbell = doorbell().map_err(fail)?;
        ARRIVED.store(0, Ordering::SeqCst);
        DOORBELL.store(doorbell.as_raw_fd(), Ordering::SeqCst);
        let (sender, events) = mpsc::channel();
        let thread = thread::spawn("signals", move || {
            let mut count = [0; 8];
            loop {
                match rustix::io::read(doorbell, &mut count) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(_) => return,
                }
                let arrived = ARRIVED.swap(0, Ordering::SeqCst);
                for event in Event::ALL.into_iter().filter(|event| arrived & (1 << event.number()) != 0) {
                    // The receiver goes last, after this thread.
                    let _ = sender.send(event);
                }
                if arrived & CLOSE != 0 {
                    return;
                }
            }
        })?;
        let mut signals = Self { events, previous: Vec::new(), thread: Some(thread) };
        for event in wanted {
            let previous = install(event.number()).map_err(fail)?;
            signals.previous.push((event.number(), Previous(previous)));
        }
        Ok(signals)
    }

    /// Waits for the next event; `None` when `timeout` passes first.
    pub fn next(&self, timeout: Option<Duration>) -> Option<Event> {
        match timeout {
            None => self.events.recv().ok(),
            Some(timeout) => self.events.recv_timeout(timeout).ok(),
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (number, Previous(action)) in self.previous.drain(..).rev() {
            // SAFETY: `action` is what sigaction(2) told us when we installed ours.
            let _ = unsafe { libc::sigaction(number, &raw const action, std::ptr::null_mut()) };
        }
        ARRIVED.fetch_or(CLOSE, Ordering::SeqCst);
        ring();
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and has seen the bit.
            let _ = thread.join();
        }
        WATCHED.store(false, Ordering::SeqCst);
    }
}

/// The eventfd of this process. It is opened once and never closed: a handler that was interrupted by
/// a drop may still write to its number.
fn doorbell() -> Result<&'static OwnedFd, Errno> {
    static OPENED: std::sync::OnceLock<OwnedFd> = std::sync::OnceLock::new();
    if let Some(opened) = OPENED.get() {
        return Ok(opened);
    }
    let opened = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
    Ok(OPENED.get_or_init(|| opened))
}

fn install(number: libc::c_int) -> Result<libc::sigaction, Errno> {
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: a sigaction of zeroes is valid: no flags, no mask, the default action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: as above.
    let mut previous: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both structures are ours, and `handle` does only what a handler may do.
    let result = unsafe { libc::sigaction(number, &raw const action, &raw mut previous) };
    if result == 0 { Ok(previous) } else { Err(crate::ffi::last_errno()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[test]
    fn signals_become_events_and_go_back() {
        let signals = Signals::watch(&[Event::User1, Event::HangUp]).unwrap();
        assert!(Signals::watch(&[Event::User2]).is_err(), "one watcher");
        kill_process(getpid(), Signal::USR1).unwrap();
        assert_eq!(signals.next(Some(Duration::from_secs(10))), Some(Event::User1));
        kill_process(getpid(), Signal::HUP).unwrap();
        assert_eq!(signals.next(None), Some(Event::HangUp));
        assert_eq!(signals.next(Some(Duration::ZERO)), None);
        drop(signals);
        let again = Signals::watch(&[Event::User2]).unwrap();
        kill_process(getpid(), Signal::USR2).unwrap();
        assert_eq!(again.next(Some(Duration::from_secs(10))), Some(Event::User2));
    }
}
