//! Signals of every Unix.
//!
//! The handler sets a bit and writes to a descriptor (an eventfd or a pipe), both of which are allowed
//! in a handler (signal-safety(7)); a thread reads the descriptor. Unlike `signalfd` this needs no
//! blocked signals, which threads started earlier would not have and children inherit.
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use rustix::io::Errno;

use crate::ffi::posix::{Action, default_signal, handle_signal, restore_signal, write_from_handler};
use crate::platform::system::signals::bell;
use crate::signals::Event;

/// Bit `n` says that signal `n` has arrived.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// The descriptor that the handler writes to; -1 for none.
static DOORBELL: AtomicI32 = AtomicI32::new(-1);

/// Set beside the signals' bits when the watcher ends; no signal has number 0.
const CLOSE: u64 = 1;

/// The signal's number.
pub(crate) fn number(event: Event) -> i32 {
    match event {
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

/// Faults do what the system does with them, not what the Rust runtime does.
pub(crate) fn default_faults() {
    for number in [libc::SIGSEGV, libc::SIGBUS] {
        default_signal(number);
    }
}

/// Runs at any moment on any thread: atomics, write(2) and nothing else.
extern "C" fn handle(signal: libc::c_int) {
    if let Ok(number) = u32::try_from(signal) {
        ARRIVED.fetch_or(1_u64.checked_shl(number).unwrap_or(0), Ordering::SeqCst);
        ring();
    }
}

/// Wakes whoever waits. A full descriptor means that they are about to be woken anyway.
fn ring() {
    write_from_handler(DOORBELL.load(Ordering::SeqCst), &1_u64.to_ne_bytes());
}

/// What the handler writes to and the watcher reads from. They are opened once and never closed: a
/// handler that was interrupted by the watcher's end may still write to the number.
struct Bell {
    ring: OwnedFd,
    hear: OwnedFd,
}

fn bells() -> Result<&'static Bell, Errno> {
    static OPENED: OnceLock<Bell> = OnceLock::new();
    if let Some(opened) = OPENED.get() {
        return Ok(opened);
    }
    let (ring, hear) = bell()?;
    Ok(OPENED.get_or_init(|| Bell { ring, hear }))
}

/// Gets ready to hear. Nothing has arrived yet.
pub(crate) fn prepare() -> Result<(), Errno> {
    let bell = bells()?;
    ARRIVED.store(0, Ordering::SeqCst);
    DOORBELL.store(bell.ring.as_raw_fd(), Ordering::SeqCst);
    Ok(())
}

/// What has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived(u64);

impl Arrived {
    /// Whether `event` is among it.
    pub(crate) fn has(self, event: Event) -> bool {
        self.0 & (1 << number(event)) != 0
    }

    /// Whether this was the last.
    pub(crate) fn is_last(self) -> bool {
        self.0 & CLOSE != 0
    }
}

/// Waits until something arrives, which may be nothing.
pub(crate) fn wait() -> Result<Arrived, Errno> {
    let mut count = [0; 512];
    match rustix::io::read(&bells()?.hear, &mut count) {
        Ok(_) | Err(Errno::INTR) => Ok(Arrived(ARRIVED.swap(0, Ordering::SeqCst))),
        Err(error) => Err(error),
    }
}

/// Makes the next [`wait`] the last.
pub(crate) fn close() {
    ARRIVED.fetch_or(CLOSE, Ordering::SeqCst);
    ring();
}

/// A signal that is heard; dropping it gives it its earlier meaning back.
#[derive(Debug)]
pub(crate) struct Heard {
    number: i32,
    previous: Action,
}

/// Hears `event` from now on.
pub(crate) fn hear(event: Event) -> Result<Heard, Errno> {
    let number = number(event);
    Ok(Heard { number, previous: handle_signal(number, handle)? })
}

impl Drop for Heard {
    fn drop(&mut self) {
        restore_signal(self.number, &self.previous);
    }
}
