//! The protocol between a service manager and a service: sockets handed over at the start, and notes
//! about readiness, health and reloads (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)).
//!
//! Nothing here needs systemd: who sets the variables is the manager.
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::io::{Errno, FdFlags};
use rustix::net::{AddressFamily, SocketType};

use crate::time::{Clock, SystemClock};
use crate::{Op, SysError};

/// The first descriptor that a manager hands over.
const FIRST: RawFd = 3;

/// More descriptors than any unit has; a larger count is a mistake.
const COUNT_MAX: i32 = 1024;

/// A descriptor that the manager handed over.
#[derive(Debug)]
pub struct Activated {
    /// The manager's name for it (`FileDescriptorName=`), often empty or `unknown`.
    pub name: String,
    /// The descriptor, close-on-exec.
    pub descriptor: OwnedFd,
}

impl Activated {
    /// The descriptor as a listening Unix stream socket.
    ///
    /// # Errors
    /// A refusal when it is something else.
    pub fn into_unix_listener(self) -> Result<UnixListener, SysError> {
        let is = || -> Result<bool, Errno> {
            Ok(rustix::net::sockopt::socket_domain(&self.descriptor)? == AddressFamily::UNIX
                && rustix::net::sockopt::socket_type(&self.descriptor)? == SocketType::STREAM
                && rustix::net::sockopt::socket_acceptconn(&self.descriptor)?)
        };
        match is() {
            Ok(true) => Ok(UnixListener::from(self.descriptor)),
            Ok(false) | Err(Errno::NOTSOCK) => {
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
    let number = |what: &str, value: &OsString| -> Result<i32, SysError> {
        value.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| refuse(what, value))
    };
    if i64::from(number("LISTEN_PID", &pid)?) != i64::from(std::process::id()) {
        return Ok(Vec::new());
    }
    let total = number("LISTEN_FDS", &count)?;
    if !(0..=COUNT_MAX).contains(&total) {
        return Err(refuse("LISTEN_FDS", &count));
    }
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let names = read("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.to_string_lossy();
    let mut names = names.split(':');
    let mut taken = Vec::new();
    for raw in FIRST..FIRST + total {
        // SAFETY: the borrow ends with this statement, and a number that is not open is answered with
        // EBADF and has no effect.
        let there = unsafe { BorrowedFd::borrow_raw(raw) };
        rustix::io::fcntl_setfd(there, FdFlags::CLOEXEC)
            .map_err(|error| SysError::bare(Op::Activate, error))?;
        // SAFETY: it is open, as the line above has shown. LISTEN_PID says that the descriptors from 3
        // on were handed to this very process, and `TAKEN` that they are taken once, so that nobody
        // else owns this one.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        taken.push(Activated { name: names.next().unwrap_or_default().to_owned(), descriptor });
    }
    Ok(taken)
}

/// Tells the manager how the service is. Without a manager there is none of it.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
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
        let path = Path::new(address);
        let fail = |error: io::Error| SysError::new(Op::Notify, path, error);
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            [b'/', ..] => SocketAddr::from_pathname(path),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a local socket's address")),
        };
        let address = address.map_err(fail)?;
        Ok(Self { socket: UnixDatagram::unbound().map_err(fail)?, address, watchdog })
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
        loop {
            match self.socket.send_to_addr(message.as_bytes(), &self.address) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let path = self.address.as_pathname().unwrap_or(Path::new(""));
                    return Err(SysError::new(Op::Notify, path, error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
        let error = Notifier::new(path.as_os_str(), None).unwrap().ready().unwrap_err();
        assert_eq!((error.errno(), error.path()), (Some(libc::ECONNREFUSED), path.as_path()));
        std::fs::remove_file(&path).unwrap();

        let name = format!("vitte-sys-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        speak(&Notifier::new(format!("@{name}").as_ref(), None).unwrap(), &manager);

        assert!(Notifier::new("relative".as_ref(), None).is_err());
        assert!(Notifier::new("vsock:2:1".as_ref(), None).is_err());
    }
}
