//! Advisory locks that belong to the open file, not to the process: closing another descriptor of the
//! same file keeps them, unlike the locks of POSIX (fcntl_locking(2), "Open file description locks").
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::platform::{Errno, Open, files};
use crate::{Op, SysError};

/// An advisory lock on a file (`flock`), released on drop and by the kernel when the process dies.
/// The file itself stays.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
    is_given_away: bool,
}

impl FileLock {
    /// Takes the lock or answers `None` when someone else holds it. Makes the file, mode 0600.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, SysError> {
        let file = files::open(path, Open::READ_WRITE, 0o600)
            .map_err(|error| SysError::new(Op::Open, path, error))?;
        let file = File::from(file);
        match files::try_lock(&file) {
            Ok(true) => Ok(Some(Self { file, path: path.to_path_buf(), is_given_away: false })),
            Ok(false) => Ok(None),
            Err(error) => Err(SysError::new(Op::Lock, path, error)),
        }
    }

    /// Waits for the lock up to `timeout`; `None` when it is still held then.
    pub fn exclusive(path: &Path, timeout: Duration) -> Result<Option<Self>, SysError> {
        let deadline = Instant::now() + timeout;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = Self::try_exclusive(path)? {
                return Ok(Some(lock));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Where the lock file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the lock away: it belongs to the open file, and is held until every copy of this descriptor is
    /// closed, in whatever process.
    ///
    /// # Errors
    /// Those of dup(2); then the lock is released.
    pub fn give_away(mut self) -> Result<File, SysError> {
        let copy = self.file.try_clone();
        self.is_given_away = copy.is_ok();
        copy.map_err(|error| SysError::new(Op::Lock, &self.path, error))
    }

    /// The open file, for a note about who holds the lock.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for FileLock {
    /// Not left to the closing of the descriptor: a process that another thread starts at this moment
    /// has a copy of it until it runs its program, and the lock would be held until then.
    fn drop(&mut self) {
        if !self.is_given_away {
            let _ = self.file.unlock();
        }
    }
}

/// Who else may hold the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Other shared holders.
    Shared,
    /// Nobody.
    Exclusive,
}

/// A lock on a range of bytes (an open file description lock). Released on drop, when the last copy of
/// the descriptor is closed, and when the process dies. It and [`FileLock`] do not see each other.
#[derive(Debug)]
pub struct RangeLock<'file> {
    file: &'file File,
    start: i64,
    length: i64,
}

impl<'file> RangeLock<'file> {
    /// Takes a lock on the bytes `range` of `file`, which may lie beyond its end; `None` when someone
    /// else holds a lock in the way. A range that ends at `u64::MAX` reaches to the end of any file.
    ///
    /// # Errors
    /// `EBADF` when the file is not open for reading (shared) or writing (exclusive), `EINVAL` for an
    /// empty range or one beyond 2^63, `ENOLCK`; `EOPNOTSUPP` on the BSDs, which have no such locks.
    pub fn try_take(
        file: &'file File,
        range: Range<u64>,
        sharing: Sharing,
    ) -> Result<Option<Self>, SysError> {
        let fail = |errno: Errno| SysError::bare(Op::Lock, errno);
        let start = i64::try_from(range.start).map_err(|_| fail(Errno::INVAL))?;
        // A length of zero means "to the end"; an empty range would lock everything.
        let length = match range.end {
            u64::MAX => 0,
            end => end
                .checked_sub(range.start)
                .filter(|length| *length > 0)
                .and_then(|length| i64::try_from(length).ok())
                .ok_or(fail(Errno::INVAL))?,
        };
        match files::try_lock_range(file, start, length, sharing == Sharing::Exclusive) {
            Ok(true) => Ok(Some(Self { file, start, length })),
            Ok(false) => Ok(None),
            Err(error) => Err(fail(error)),
        }
    }
}

impl Drop for RangeLock<'_> {
    fn drop(&mut self) {
        files::unlock_range(self.file, self.start, self.length);
    }
}
