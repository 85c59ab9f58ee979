//! The protocol between a service manager and a service: sockets handed over at the start, and notes
//! about readiness, health and reloads (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)).
//!
//! Nothing here needs systemd: who sets the variables is the manager. launchd keeps its sockets by name
//! instead ([`activated_as`]).
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::net::LocalListener;
use crate::platform;
use crate::platform::handle::OwnedHandle;
use crate::time::{Clock, SystemClock};
use crate::{Op, SysError};

/// More descriptors than any unit has; a larger count is a mistake.
const COUNT_MAX: u16 = 1024;

/// A descriptor that the manager handed over.
#[derive(Debug)]
pub struct Activated {
    /// The manager's name for it (`FileDescriptorName=`), often empty or `unknown`.
    pub name: String,
    /// The descriptor, close-on-exec.
    pub descriptor: OwnedHandle,
}

impl Activated {
    /// The descriptor as a listening Unix stream socket.
    ///
    /// # Errors
    /// A refusal when it is something else.
    pub fn into_unix_listener(self) -> Result<LocalListener, SysError> {
        match platform::service::into_listener(self.descriptor) {
            Ok(Some(listener)) => Ok(listener),
            Ok(None) => {
                let words = format!("descriptor `{}` is no listening Unix stream socket", self.name);
                Err(SysError::bare(Op::Activate, io::Error::new(io::ErrorKind::InvalidInput, words)))
            }
            Err(error) => Err(SysError::bare(Op::Activate, error)),
        }
    }
}

/// Takes over what the manager of this process handed over. Empty when there is no manager, when the
/// descriptors are meant for another process, and at every call but the first.
///
/// Call it before anything is opened. The variables stay set, since changing the environment is not
/// safe beside other threads; children ignore them because `LISTEN_PID` names us.
///
/// # Errors
/// A refusal for variables that cannot be read; `EBADF` when a descriptor is not open.
pub fn activated() -> Result<Vec<Activated>, SysError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let read = |name: &str| std::env::var_os(name);
    let (Some(pid), Some(count)) = (read("LISTEN_PID"), read("LISTEN_FDS")) else {
        return Ok(Vec::new());
    };
    let refuse = |what: &str, value: &OsStr| {
        let words = format!("{what} is `{}`", value.display());
        SysError::bare(Op::Activate, io::Error::new(io::ErrorKind::InvalidInput, words))
    };
    let number = |what: &str, value: &OsString| -> Result<u32, SysError> {
        value.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| refuse(what, value))
    };
    if number("LISTEN_PID", &pid)? != std::process::id() {
        return Ok(Vec::new());
    }
    let total = number("LISTEN_FDS", &count)?;
    let total = u16::try_from(total).ok().filter(|total| *total <= COUNT_MAX);
    let total = total.ok_or_else(|| refuse("LISTEN_FDS", &count))?;
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let names = read("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.to_string_lossy();
    let mut names = names.split(':');
    let mut taken = Vec::new();
    for index in 0..total {
        // SAFETY: LISTEN_PID says that so many were handed to this very process, and `TAKEN` that they
        // are taken once.
        let descriptor = unsafe { platform::service::take_handed_over(index) }
            .map_err(|error| SysError::bare(Op::Activate, error))?;
        taken.push(Activated { name: names.next().unwrap_or_default().to_owned(), descriptor });
    }
    Ok(taken)
}

/// The sockets that launchd keeps for this process under `name`, the key in the `Sockets` dictionary of
/// its property list. Empty at every call but the first, for a process that launchd did not start, and
/// on systems without launchd.
///
/// # Errors
/// `ENOENT` when the property list has no such key.
pub fn activated_as(name: &str) -> Result<Vec<Activated>, SysError> {
    let named = |descriptor| Activated { name: name.to_owned(), descriptor };
    platform::service::sockets_by_name(name)
        .map(|sockets| sockets.into_iter().map(named).collect())
        .map_err(|error| SysError::bare(Op::Activate, error))
}

/// Tells the manager how the service is. Without a manager there is none of it.
#[derive(Debug)]
pub struct Notifier {
    mailbox: platform::service::Mailbox,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The notifier that this process's environment asks for; `None` without a manager.
    ///
    /// # Errors
    /// A refusal when `NOTIFY_SOCKET` is neither an absolute path nor an abstract name; `EMFILE`.
    pub fn of_this_process() -> Result<Option<Self>, SysError> {
        let read = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(address) = read("NOTIFY_SOCKET") else { return Ok(None) };
        let watchdog = read("WATCHDOG_USEC").and_then(|value| value.to_str()?.parse().ok());
        // Without WATCHDOG_PID the interval is for whoever reads it.
        let for_us = match read("WATCHDOG_PID") {
            Some(pid) => pid.to_str().and_then(|pid| pid.parse().ok()) == Some(std::process::id()),
            None => true,
        };
        let watchdog = watchdog.filter(|_| for_us).filter(|period| *period > 0).map(Duration::from_micros);
        Self::new(&address, watchdog).map(Some)
    }

    /// A notifier for the datagram socket `address`: an absolute path, or `@` and an abstract name.
    ///
    /// # Errors
    /// A refusal for another address; `EMFILE`.
    pub fn new(address: &OsStr, watchdog: Option<Duration>) -> Result<Self, SysError> {
        platform::service::Mailbox::new(address)
            .map(|mailbox| Self { mailbox, watchdog })
            .map_err(|error| SysError::new(Op::Notify, Path::new(address), error))
    }

    /// How often the manager wants to hear [`Notifier::alive`] at least; half of it is a good period.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The service is up, or has finished reloading.
    ///
    /// # Errors
    /// Those of sendto(2), here and below: `ECONNREFUSED` or `ENOENT` when the manager is gone.
    pub fn ready(&self) -> Result<(), SysError> {
        self.send("READY=1")
    }

    /// One line for people. What follows a line break is dropped, as it would be read as a field.
    ///
    /// # Errors
    /// See [`Notifier::ready`].
    pub fn status(&self, text: &str) -> Result<(), SysError> {
        self.send(&format!("STATUS={}", text.lines().next().unwrap_or_default()))
    }

    /// The service still works.
    ///
    /// # Errors
    /// See [`Notifier::ready`].
    pub fn alive(&self) -> Result<(), SysError> {
        self.send("WATCHDOG=1")
    }

    /// Settings are being read again; [`Notifier::ready`] ends it. Both fields go in one message:
    /// managers wait for ever for a reload without its time.
    ///
    /// # Errors
    /// See [`Notifier::ready`].
    pub fn reloading(&self) -> Result<(), SysError> {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", SystemClock.mono().as_micros()))
    }

    /// The service is going to end.
    ///
    /// # Errors
    /// See [`Notifier::ready`].
    pub fn stopping(&self) -> Result<(), SysError> {
        self.send("STOPPING=1")
    }

    /// What is going on takes that much longer than the manager's timeout allows.
    ///
    /// # Errors
    /// See [`Notifier::ready`].
    pub fn extend_timeout(&self, by: Duration) -> Result<(), SysError> {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", by.as_micros()))
    }

    fn send(&self, message: &str) -> Result<(), SysError> {
        self.mailbox
            .send(message)
            .map_err(|error| SysError::new(Op::Notify, self.mailbox.path().unwrap_or(Path::new("")), error))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn receive(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn speak(notifier: &Notifier, manager: &UnixDatagram) {
        notifier.ready().unwrap();
        assert_eq!(receive(manager), "READY=1");
        notifier.status("busy\nREADY=1").unwrap();
        assert_eq!(receive(manager), "STATUS=busy");
        notifier.alive().unwrap();
        assert_eq!(receive(manager), "WATCHDOG=1");
        let before = SystemClock.mono().as_micros();
        notifier.reloading().unwrap();
        let message = receive(manager);
        let time: u64 = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!((before..before + 10_000_000).contains(&time));
        notifier.stopping().unwrap();
        assert_eq!(receive(manager), "STOPPING=1");
        notifier.extend_timeout(Duration::from_secs(2)).unwrap();
        assert_eq!(receive(manager), "EXTEND_TIMEOUT_USEC=2000000");
    }

    #[test]
    fn the_manager_hears_every_note_on_both_kinds_of_address() {
        let path = std::env::temp_dir().join(format!("vitte-sys-{}-notify", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let manager = UnixDatagram::bind(&path).unwrap();
        speak(&Notifier::new(path.as_os_str(), None).unwrap(), &manager);
        drop(manager);
        // A child that another test forks meanwhile holds the socket open until it executes its program.
        let gone = SystemClock.mono().after(Duration::from_secs(60));
        let error = loop {
            match Notifier::new(path.as_os_str(), None).unwrap().ready() {
                Err(error) => break error,
                Ok(()) => assert!(SystemClock.mono() < gone, "a closed socket still takes notes"),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!((error.errno(), error.path()), (Some(libc::ECONNREFUSED), path.as_path()));
        std::fs::remove_file(&path).unwrap();

        let name = format!("vitte-sys-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        speak(&Notifier::new(format!("@{name}").as_ref(), None).unwrap(), &manager);

        assert!(Notifier::new("relative".as_ref(), None).is_err());
        assert!(Notifier::new("vsock:2:1".as_ref(), None).is_err());
    }
}
