//! Signals as typed events, read by one thread, whatever the threads were doing when they arrived.
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::platform::{self, Errno};
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
        platform::signals::number(self)
    }
}

/// From here on a fault of memory ends this process by its own signal. The runtime of Rust would turn an
/// overflow of the stack into a message and an abort; a process that runs code of others wants to be seen to
/// end by what really happened.
pub fn faults_end_the_process() {
    platform::signals::default_faults();
}

/// There is one handler table in a process, so that there can be one watcher.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Signals on their way. Dropping it gives the signals their earlier meaning back.
#[derive(Debug)]
pub struct Signals {
    events: Receiver<Event>,
    heard: Vec<platform::signals::Heard>,
    thread: Option<std::thread::JoinHandle<()>>,
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
        platform::signals::prepare().map_err(fail)?;
        let (sender, events) = mpsc::channel();
        let thread = thread::spawn("signals", move || {
            while let Ok(arrived) = platform::signals::wait() {
                for event in Event::ALL.into_iter().filter(|event| arrived.has(*event)) {
                    // The receiver goes last, after this thread.
                    let _ = sender.send(event);
                }
                if arrived.is_last() {
                    return;
                }
            }
        })?;
        let mut signals = Self { events, heard: Vec::new(), thread: Some(thread) };
        for event in wanted {
            signals.heard.push(platform::signals::hear(*event).map_err(fail)?);
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
        while let Some(heard) = self.heard.pop() {
            // In the reverse order: a signal that was asked for twice gets its first meaning back.
            drop(heard);
        }
        platform::signals::close();
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and has seen the bit.
            let _ = thread.join();
        }
        WATCHED.store(false, Ordering::SeqCst);
    }
}

#[cfg(all(test, unix))]
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
