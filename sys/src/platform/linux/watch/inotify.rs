//! inotify(7) in types.
use std::ffi::OsStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::{Op, SysError};

/// A good size for the buffer of [`Queue::read`]: some thousand events for one system call. No event is
/// longer than 272 bytes.
pub const EVENT_BUFFER_BYTES: usize = 64 << 10;

/// What is asked of a folder. No OPEN, ACCESS or CLOSE_NOWRITE: our own reading of files must not fill
/// the queue. CLOSE_WRITE is there although MODIFY is: it ends stores through a shared mapping.
const FOLDER: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// A watched folder or file. Numbers are not used again while the queue lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(i32);

/// Whether a symbolic link in the place of a folder is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// A link is no folder: `ENOTDIR`.
    Refuse,
    /// The folder that the link leads to.
    Follow,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Where; `None` for an overflow.
    pub watch: Option<WatchId>,
    /// The name in the watched folder; `None` when it happened to the watched folder itself.
    pub name: Option<&'a OsStr>,
    flags: ReadFlags,
}

impl Event<'_> {
    /// Events were lost, of any watch.
    pub fn is_overflow(&self) -> bool {
        self.flags.contains(ReadFlags::QUEUE_OVERFLOW)
    }

    /// The watch is no more: its folder was removed or unmounted, or it was taken away.
    pub fn is_end_of_watch(&self) -> bool {
        self.flags.contains(ReadFlags::IGNORED)
    }

    /// Only what the file contains has changed: no name, kind or permission did.
    pub fn is_contents_only(&self) -> bool {
        (ReadFlags::MODIFY | ReadFlags::CLOSE_WRITE | ReadFlags::ISDIR).contains(self.flags)
    }
}

/// A queue of events of many folders. Each event is there before the call that caused it returns.
#[derive(Debug)]
pub struct Queue {
    fd: OwnedFd,
}

impl Queue {
    /// An empty queue that watches nothing.
    ///
    /// # Errors
    /// `EMFILE` when the user's number of instances (`fs.inotify.max_user_instances`) or the process's
    /// descriptors are used up; `ENOMEM`.
    pub fn new() -> Result<Self, SysError> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .map_err(|error| SysError::bare(Op::Watch, error))?;
        Ok(Self { fd })
    }

    /// Watches the entries of the folder at `path`. A folder that is watched already keeps its id.
    ///
    /// # Errors
    /// `ENOENT`; `ENOTDIR`; `EACCES` when this user may not read it; `ENOSPC` when the user's number of
    /// watches (`fs.inotify.max_user_watches`) is used up.
    pub fn watch_folder(&self, path: &Path, links: Links) -> Result<WatchId, SysError> {
        let flags = match links {
            Links::Refuse => FOLDER | WatchFlags::DONT_FOLLOW,
            Links::Follow => FOLDER,
        };
        self.add(path, flags)
    }

    fn add(&self, path: &Path, flags: WatchFlags) -> Result<WatchId, SysError> {
        inotify::add_watch(&self.fd, path, flags)
            .map(WatchId)
            .map_err(|error| SysError::new(Op::Watch, path, error))
    }

    /// Takes a watch away. One that has ended by itself is no error.
    pub fn unwatch(&self, watch: WatchId) {
        // EINVAL: the kernel was quicker.
        let _ = inotify::remove_watch(&self.fd, watch.0);
    }

    /// Gives `take` every event of one read(2), oldest first; how many there were. Never waits.
    ///
    /// # Errors
    /// Those of read(2), but for `EAGAIN`, which is no events.
    pub fn read(
        &self,
        buffer: &mut [MaybeUninit<u8>],
        mut take: impl FnMut(Event<'_>),
    ) -> Result<usize, SysError> {
        let mut reader = inotify::Reader::new(&self.fd, buffer);
        let mut count = 0;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(count),
                Err(error) => return Err(SysError::bare(Op::Watch, error)),
            };
            let flags = event.events();
            // An overflow belongs to no watch.
            let watch = (!flags.contains(ReadFlags::QUEUE_OVERFLOW)).then_some(WatchId(event.wd()));
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            take(Event { watch, name, flags });
            count += 1;
            if reader.is_buffer_empty() {
                return Ok(count);
            }
        }
    }

    /// Waits until there are events, `bell` rings, or `deadline` passes.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait(&self, bell: Option<&Bell>, deadline: Option<Instant>) -> Result<Woken, SysError> {
        let bell = bell.map(|bell| bell.0.as_fd());
        wait(Some(self.fd.as_fd()), bell, deadline)
    }
}

/// Why a wait ended. Events come first when both are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There are events.
    Events,
    /// Somebody rang.
    Bell,
    /// The deadline has passed.
    Deadline,
}

/// Ends another thread's wait.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// A silent one.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> Result<Self, SysError> {
        rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Self)
            .map_err(|error| SysError::bare(Op::Watch, error))
    }

    /// Rings; stays rung until [`silence`](Self::silence).
    pub fn ring(&self) {
        // A full counter is rung already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Stops the ringing.
    pub fn silence(&self) {
        // A silent bell has nothing to read.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }

    /// Waits for the bell alone.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait(&self) -> Result<(), SysError> {
        wait(None, Some(self.0.as_fd()), None).map(drop)
    }
}

fn wait(
    events: Option<BorrowedFd<'_>>,
    bell: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
) -> Result<Woken, SysError> {
    let mut fds: Vec<PollFd<'_>> =
        events.iter().chain(&bell).map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        match rustix::event::poll(&mut fds, left.as_ref()) {
            Ok(0) => return Ok(Woken::Deadline),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(SysError::bare(Op::Wait, error)),
        }
        let has_events = events.is_some() && fds.first().is_some_and(|fd| !fd.revents().is_empty());
        return Ok(if has_events { Woken::Events } else { Woken::Bell });
    }
}

/// A file without a name that a [`Queue`] watches: a write to it is an event behind all that happened
/// before, whatever folder that was in.
#[derive(Debug)]
pub struct Cookie {
    file: File,
    watch: WatchId,
}

impl Cookie {
    /// Makes one. `folder` holds it by `name` for a moment only.
    ///
    /// # Errors
    /// Those of open(2) and unlink(2); as [`Queue::watch_folder`].
    pub fn new(queue: &Queue, folder: &Path, name: &OsStr) -> Result<Self, SysError> {
        let path = folder.join(name);
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| SysError::new(Op::Create, &path, error))?;
        let watch = queue.add(&path, WatchFlags::MODIFY);
        std::fs::remove_file(&path).map_err(|error| SysError::new(Op::Remove, &path, error))?;
        Ok(Self { file, watch: watch? })
    }

    /// Whose events say that this cookie was dropped into the queue.
    pub fn watch(&self) -> WatchId {
        self.watch
    }

    /// Puts it behind everything that happened so far. The event is in the queue when this returns,
    /// unless the queue has overflowed, which is an event of its own.
    ///
    /// # Errors
    /// Those of pwrite(2).
    pub fn drop_in(&self) -> Result<(), SysError> {
        loop {
            match rustix::io::pwrite(&self.file, &[0], 0) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(SysError::bare(Op::Write, error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn names(queue: &Queue) -> Vec<String> {
        let mut buffer = vec![MaybeUninit::uninit(); EVENT_BUFFER_BYTES];
        let mut names = Vec::new();
        while queue
            .read(&mut buffer, |event| names.extend(event.name.map(|name| name.display().to_string())))
            .unwrap()
            > 0
        {}
        names
    }

    #[test]
    fn writes_are_events_and_reads_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::new().unwrap();
        let watch = queue.watch_folder(folder.path(), Links::Refuse).unwrap();
        assert_eq!(queue.watch_folder(folder.path(), Links::Follow).unwrap(), watch);
        std::fs::write(folder.path().join("a"), "1").unwrap();
        assert!(names(&queue).contains(&"a".to_owned()));
        std::fs::read(folder.path().join("a")).unwrap();
        std::fs::read_dir(folder.path()).unwrap().for_each(drop);
        assert_eq!(names(&queue), Vec::<String>::new());
        queue.unwatch(watch);
        queue.unwatch(watch);
    }

    #[test]
    fn a_cookie_comes_behind_what_happened_before() {
        let (folder, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let queue = Queue::new().unwrap();
        let cookie = Cookie::new(&queue, own.path(), OsStr::new("cookie")).unwrap();
        assert_eq!(std::fs::read_dir(own.path()).unwrap().count(), 0, "nothing stays behind");
        queue.watch_folder(folder.path(), Links::Refuse).unwrap();
        for round in 0..3 {
            std::fs::write(folder.path().join(round.to_string()), "").unwrap();
            cookie.drop_in().unwrap();
            let mut buffer = vec![MaybeUninit::uninit(); EVENT_BUFFER_BYTES];
            let mut seen = Vec::new();
            queue.read(&mut buffer, |event| seen.push((event.watch, event.name.is_some()))).unwrap();
            assert_eq!(seen.last(), Some(&(Some(cookie.watch()), false)));
            assert!(seen.len() > 1, "{seen:?}");
        }
    }

    #[test]
    fn a_link_is_no_folder_unless_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::new().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert_eq!(queue.watch_folder(&link, Links::Refuse).unwrap_err().errno_name(), Some("ENOTDIR"));
        queue.watch_folder(&link, Links::Follow).unwrap();
        assert_eq!(
            queue.watch_folder(&folder.path().join("none"), Links::Refuse).unwrap_err().errno_name(),
            Some("ENOENT")
        );
    }

    #[test]
    fn a_bell_ends_a_wait() {
        let (queue, bell) = (Queue::new().unwrap(), Bell::new().unwrap());
        let soon = Some(Instant::now() + Duration::from_millis(1));
        assert_eq!(queue.wait(Some(&bell), soon).unwrap(), Woken::Deadline);
        bell.ring();
        bell.ring();
        assert_eq!(queue.wait(Some(&bell), None).unwrap(), Woken::Bell);
        bell.wait().unwrap();
        bell.silence();
        assert_eq!(queue.wait(Some(&bell), soon).unwrap(), Woken::Deadline);
        let folder = tempfile::tempdir().unwrap();
        queue.watch_folder(folder.path(), Links::Refuse).unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(queue.wait(Some(&bell), None).unwrap(), Woken::Events);
    }
}
