//! The only door to the disk: names relative to the store's folder, through an open directory.
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vitte_sys::fs::{Durability, FileKind, FileStamp, Root};
use vitte_sys::{Op, SysError};

use crate::layout::{ENTRY_MODE, TEMPORARY, TOUCH_AFTER};

/// Nanoseconds since 1970.
pub(crate) type Nanos = u64;

/// The store's folder.
#[derive(Debug)]
pub(crate) struct Files {
    root: Root,
    /// Makes the names of temporary files ours, also among processes of other containers.
    token: u64,
    next: AtomicU64,
    #[cfg(test)]
    pub(crate) faults: crate::tests::Faults,
}

/// A file that was read.
pub(crate) struct Contents {
    pub bytes: Vec<u8>,
    /// Last use as the file tells it.
    pub used: Nanos,
    file: File,
}

impl Contents {
    /// Writes the use at `now` into the file itself, if that is news. Failing that, the entry looks a little
    /// older than it is.
    pub fn touch(&self, now: Nanos) {
        if is_news(self.used, now) {
            let _ = self.file.set_modified(system_time(now));
        }
    }
}

fn is_news(used: Nanos, now: Nanos) -> bool {
    now.saturating_sub(used) >= TOUCH_AFTER.as_nanos() as u64
}

fn system_time(nanos: Nanos) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// The last change of the contents.
pub(crate) fn modified(stamp: &FileStamp) -> Nanos {
    Nanos::try_from(stamp.modified_ns).unwrap_or(0)
}

/// Whether `error` only says that nothing is there.
pub(crate) fn is_absence(error: &SysError) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Whether `error` says that this file system or this user cannot write, now or later.
pub(crate) fn is_refusal(error: &SysError) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied)
}

impl Files {
    pub fn open(folder: &Path) -> Result<Self, SysError> {
        Ok(Self {
            root: Root::open(folder)?,
            token: RandomState::new().hash_one(std::process::id()),
            next: AtomicU64::new(0),
            #[cfg(test)]
            faults: crate::tests::Faults::default(),
        })
    }

    /// Where the folder was when it was opened.
    pub fn folder(&self) -> &Path {
        self.root.path()
    }

    /// Reads a regular file of at most `limit` bytes.
    pub fn read(&self, path: &str, limit: u64) -> Result<Contents, SysError> {
        self.enter(Op::Open, path)?;
        let mut file = self.root.open_file(path)?;
        let fail = |error: std::io::Error| SysError::new(Op::Read, &self.root.path().join(path), error);
        self.enter(Op::Read, path)?;
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(fail(std::io::Error::new(std::io::ErrorKind::InvalidData, "not a regular file")));
        }
        if metadata.len() > limit {
            return Err(fail(std::io::ErrorKind::FileTooLarge.into()));
        }
        let mut bytes = Vec::new();
        // One more than there is, so that the first read also sees the end.
        bytes.try_reserve_exact(metadata.len() as usize + 1).map_err(|error| fail(error.into()))?;
        (&mut file).take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
        let used = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Contents { bytes, used: used.map_or(0, |used| used.as_nanos() as Nanos), file })
    }

    /// Opens a file that holds a lock, and makes it when it is missing.
    pub fn open_lock(&self, path: &str) -> Result<File, SysError> {
        self.enter(Op::Lock, path)?;
        self.root.open_writable(path, 0o600)
    }

    /// Puts an entry in its place, whole or not at all. The folder is made when it is missing.
    ///
    /// All are written in one folder and renamed into theirs: file systems that place a file near its folder
    /// would otherwise touch the metadata of many places of the disk (ext4: 3 to 5 times the time).
    pub fn write_entry(&self, path: &str, bytes: &[u8]) -> Result<(), SysError> {
        let temporary =
            format!("{TEMPORARY}/{:016x}-{}", self.token, self.next.fetch_add(1, Ordering::Relaxed));
        let done =
            self.write_temporary(&temporary, bytes).and_then(|()| self.rename_making(&temporary, path));
        if done.is_err() {
            // It may not exist; the first error is the one that matters, and a sweep removes what stays.
            let _ = self.remove(&temporary);
        }
        done
    }

    fn write_temporary(&self, path: &str, bytes: &[u8]) -> Result<(), SysError> {
        self.enter(Op::Open, path)?;
        let mut file = match self.root.open_writable(path, ENTRY_MODE) {
            Err(error) if is_absence(&error) => {
                self.create_directories(TEMPORARY)?;
                self.root.open_writable(path, ENTRY_MODE)?
            }
            opened => opened?,
        };
        self.enter(Op::Write, path)?;
        file.write_all(bytes).map_err(|error| SysError::new(Op::Write, &self.root.path().join(path), error))
    }

    fn rename_making(&self, from: &str, to: &str) -> Result<(), SysError> {
        self.enter(Op::Rename, from)?;
        match self.root.rename(from, to) {
            Err(error) if is_absence(&error) => {
                let Some((folder, _)) = to.rsplit_once('/') else { return Err(error) };
                self.create_directories(folder)?;
                self.root.rename(from, to)
            }
            answer => answer,
        }
    }

    /// Puts a file in its place, whole or not at all. The folder is made when it is missing.
    pub fn write(&self, path: &str, bytes: &[u8], mode: u32, durability: Durability) -> Result<(), SysError> {
        self.enter(Op::Write, path)?;
        match self.root.replace(path, bytes, mode, durability) {
            Err(error) if is_absence(&error) => {
                let Some((folder, _)) = path.rsplit_once('/') else { return Err(error) };
                self.enter(Op::Create, folder)?;
                self.root.create_directories(folder)?;
                self.root.replace(path, bytes, mode, durability)
            }
            answer => answer,
        }
    }

    pub fn create_directories(&self, path: &str) -> Result<(), SysError> {
        self.enter(Op::Create, path)?;
        self.root.create_directories(path)
    }

    /// What stands at `path`; `None` when nothing does.
    pub fn stamp(&self, path: &str) -> Result<Option<FileStamp>, SysError> {
        self.enter(Op::Stat, path)?;
        self.root.stamp(path)
    }

    /// Writes the use at `now` into the file that has `stamp`, if that is news.
    pub fn touch(&self, path: &str, stamp: &FileStamp, now: Nanos) {
        if is_news(modified(stamp), now)
            && self.enter(Op::Open, path).is_ok()
            && let Ok(file) = self.root.open_file(path)
        {
            let _ = file.set_modified(system_time(now));
        }
    }

    /// Names of the regular files of the folder `path`, sorted; empty when it is not there.
    pub fn list(&self, path: &str) -> Result<Vec<String>, SysError> {
        self.enter(Op::List, path)?;
        match self.root.entries(path) {
            Ok(entries) => Ok(entries
                .into_iter()
                .filter(|entry| entry.kind == FileKind::File)
                .filter_map(|entry| entry.name.into_string().ok())
                .collect()),
            Err(error) if is_absence(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Names of the folders in the store's folder, sorted.
    pub fn folders(&self) -> Result<Vec<String>, SysError> {
        self.enter(Op::List, ".")?;
        let entries = self.root.entries(".")?.into_iter();
        let folders = entries.filter(|entry| entry.kind == FileKind::Directory);
        Ok(folders.filter_map(|entry| entry.name.into_string().ok()).collect())
    }

    /// The folder `path` as a root of its own, for many questions about what is in it.
    pub fn below(&self, path: &str) -> Result<Root, SysError> {
        self.enter(Op::Open, path)?;
        self.root.below(path)
    }

    /// Removes a file; fine when it is gone already.
    pub fn remove(&self, path: &str) -> Result<(), SysError> {
        self.enter(Op::Remove, path)?;
        match self.root.remove_file(path) {
            Err(error) if is_absence(&error) => Ok(()),
            answer => answer,
        }
    }

    /// Removes whatever stands at `path`; fine when it is gone already.
    pub fn remove_tree(&self, path: &str) -> Result<(), SysError> {
        self.enter(Op::Remove, path)?;
        match self.root.remove_tree(path) {
            Err(error) if is_absence(&error) => Ok(()),
            answer => answer,
        }
    }

    /// Renames where nothing may be yet.
    pub fn rename_new(&self, from: &str, to: &str) -> Result<(), SysError> {
        self.enter(Op::Rename, from)?;
        self.root.rename_new(from, to)
    }

    /// `path` as others name it, for what cannot work relative to a directory.
    pub fn absolute(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Tests refuse operations here.
    #[cfg(test)]
    fn enter(&self, op: Op, path: &str) -> Result<(), SysError> {
        self.faults.strike(op, &self.root.path().join(path))
    }

    #[cfg(not(test))]
    #[inline(always)]
    fn enter(&self, _: Op, _: &str) -> Result<(), SysError> {
        Ok(())
    }
}
