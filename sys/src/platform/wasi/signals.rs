//! Events from outside.
use super::handle::Errno;
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

/// There is no other handler of faults here.
pub(crate) fn default_faults() {}

/// Gets ready to hear. Nothing has arrived yet.
pub(crate) fn prepare() -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// What has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived(std::convert::Infallible);

impl Arrived {
    /// Whether `event` is among it.
    pub(crate) fn has(self, _event: Event) -> bool {
        match self.0 {}
    }

    /// Whether this was the last.
    pub(crate) fn is_last(self) -> bool {
        match self.0 {}
    }
}

/// Waits until something arrives, which may be nothing.
pub(crate) fn wait() -> Result<Arrived, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Makes the next [`wait`] the last.
pub(crate) fn close() {}

/// An event that is heard; dropping it gives it its earlier meaning back.
#[derive(Debug)]
pub(crate) struct Heard(std::convert::Infallible);

impl Drop for Heard {
    fn drop(&mut self) {
        match self.0 {}
    }
}

/// Hears `event` from now on.
pub(crate) fn hear(_event: Event) -> Result<Heard, Errno> {
    Err(Errno::OPNOTSUPP)
}
