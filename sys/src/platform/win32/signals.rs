//! Control events of the console, as the signals that mean the same.
//!
//! | event | signal |
//! |---|---|
//! | Ctrl-C | SIGINT |
//! | Ctrl-Break, which is also how one process asks another to end | SIGTERM |
//! | the console's window is closed | SIGHUP |
//! | the user logs off, the machine shuts down | SIGTERM |
//!
//! The system calls the handler on a thread of its own, so that it may take a lock.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
};
use windows_sys::core::BOOL;

use super::handle::Errno;
use crate::ffi::win32::console;
use crate::signals::Event;

/// The number that stands for the event, as on Linux.
pub(crate) fn number(event: Event) -> i32 {
    match event {
        Event::Terminate => 15,
        Event::Interrupt => 2,
        Event::HangUp => 1,
        Event::Quit => 3,
        Event::Child => 17,
        Event::Resize => 28,
        Event::User1 => 10,
        Event::User2 => 12,
    }
}

/// Bit `n` stands for event number `n`; bit 0 for the end of the watch.
#[derive(Debug)]
struct State {
    heard: u64,
    arrived: u64,
}

static STATE: Mutex<State> = Mutex::new(State { heard: 0, arrived: 0 });
static CHANGED: Condvar = Condvar::new();

const CLOSE: u64 = 1;

fn state() -> MutexGuard<'static, State> {
    // Whoever panicked with the lock left two numbers, which are never half written.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bit(event: Event) -> u64 {
    1 << number(event)
}

/// Called by the system.
unsafe extern "system" fn handle(control: u32) -> BOOL {
    let (event, is_last) = match control {
        CTRL_C_EVENT => (Event::Interrupt, false),
        CTRL_BREAK_EVENT => (Event::Terminate, false),
        CTRL_CLOSE_EVENT => (Event::HangUp, true),
        CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT => (Event::Terminate, true),
        _ => return 0,
    };
    let mut state = state();
    if state.heard & bit(event) == 0 {
        return 0;
    }
    state.arrived |= bit(event);
    drop(state);
    CHANGED.notify_all();
    if is_last {
        // The system ends the process when this returns; it waits no longer than its own limit. Until
        // then the program may put its things in order and end by itself.
        std::thread::sleep(Duration::from_secs(60));
    }
    1
}

/// There is no other handler of faults here.
pub(crate) fn default_faults() {}

/// Gets ready to hear. Nothing has arrived yet.
pub(crate) fn prepare() -> Result<(), Errno> {
    let mut state = state();
    state.arrived = 0;
    state.heard = 0;
    Ok(())
}

/// What has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived(u64);

impl Arrived {
    /// Whether `event` is among it.
    pub(crate) fn has(self, event: Event) -> bool {
        self.0 & bit(event) != 0
    }

    /// Whether this was the last.
    pub(crate) fn is_last(self) -> bool {
        self.0 & CLOSE != 0
    }
}

/// Waits until something arrives.
pub(crate) fn wait() -> Result<Arrived, Errno> {
    let mut state =
        CHANGED.wait_while(state(), |state| state.arrived == 0).unwrap_or_else(PoisonError::into_inner);
    Ok(Arrived(std::mem::take(&mut state.arrived)))
}

/// Makes the next [`wait`] the last.
pub(crate) fn close() {
    state().arrived |= CLOSE;
    CHANGED.notify_all();
}

/// An event that is heard; dropping it gives it its earlier meaning back.
#[derive(Debug)]
pub(crate) struct Heard {
    event: Event,
}

/// Hears `event` from now on. `OPNOTSUPP` for those that no event of a console means.
pub(crate) fn hear(event: Event) -> Result<Heard, Errno> {
    match event {
        Event::Terminate | Event::Interrupt | Event::HangUp => {}
        Event::Quit | Event::Child | Event::Resize | Event::User1 | Event::User2 => {
            return Err(Errno::OPNOTSUPP);
        }
    }
    // Added once for each event; the first that is called answers for all.
    console::set_handler(handle, true)?;
    state().heard |= bit(event);
    Ok(Heard { event })
}

impl Drop for Heard {
    fn drop(&mut self) {
        state().heard &= !bit(self.event);
        // It is in the list; taking it out cannot fail.
        let _ = console::set_handler(handle, false);
    }
}
