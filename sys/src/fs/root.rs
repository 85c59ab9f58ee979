//! A directory that no path given to it can leave.
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, retry_on_intr};

use super::contents::{self, Durability};
use super::{Copied, FileKind, FileStamp, copy, resolve, tree};
use crate::{Op, SysError};

/// What symbolic links inside a [`Root`] may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Links {
    /// They are followed as long as they stay inside; absolute ones never do.
    #[default]
    Inside,
    /// A path through a link is an error (`ELOOP`).
    Refuse,
}

/// Whether a path may lead into another file system that is mounted inside a [`Root`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mounts {
    /// It may.
    #[default]
    Cross,
    /// It is an error (`EXDEV`); where this cannot be enforced every call fails with `EOPNOTSUPP`.
    Refuse,
}

/// What paths may do inside a [`Root`]. Leaving it is never allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// Symbolic links.
    pub links: Links,
    /// Mount points.
    pub mounts: Mounts,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, one component.
    pub name: OsString,
    /// Its kind; a link is [`FileKind::Other`].
    pub kind: FileKind,
}

/// An open directory and a policy. Every path given to it is relative to it, and `..`, absolute paths,
/// symbolic links, the magic links of procfs and renames by others cannot make it lead outside: that
/// is `EXDEV` (or `ELOOP`, for magic and refused links).
///
/// The directory is held open, so that it may be renamed without changing what the root means.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    /// For messages only.
    path: PathBuf,
    policy: Policy,
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Root {
    /// The directory `path`, symbolic links in it followed, with the usual policy.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: &Path) -> Result<Self, SysError> {
        Self::with_policy(path, Policy::default())
    }

    /// [`Root::open`] with a policy.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn with_policy(path: &Path, policy: Policy) -> Result<Self, SysError> {
        let directory = retry_on_intr(|| rustix::fs::open(path, DIRECTORY, Mode::empty()))
            .map_err(|error| SysError::new(Op::Open, path, error))?;
        Ok(Self { directory, path: path.to_path_buf(), policy })
    }

    /// The directory `path` of this root as a root of its own, which `..` cannot leave either.
    ///
    /// # Errors
    /// Those of openat2(2).
    pub fn below(&self, path: impl AsRef<Path>) -> Result<Self, SysError> {
        let path = path.as_ref();
        let directory = self.resolve(path, DIRECTORY, 0).map_err(self.fail(Op::Open, path))?;
        Ok(Self { directory, path: self.path.join(path), policy: self.policy })
    }

    /// Where the root was when it was opened. For messages: by now something else may be there.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file `path` for reading. Never blocks, not on a named pipe either.
    ///
    /// # Errors
    /// Those of openat2(2).
    pub fn open_file(&self, path: impl AsRef<Path>) -> Result<File, SysError> {
        let path = path.as_ref();
        self.resolve(path, contents::READ_FLAGS, 0).map(File::from).map_err(self.fail(Op::Open, path))
    }

    /// Opens the file `path` for reading and writing and makes it, with permission bits `mode` less the
    /// umask, when it is missing. Its contents stay.
    ///
    /// # Errors
    /// Those of openat2(2).
    pub fn open_writable(&self, path: impl AsRef<Path>, mode: u32) -> Result<File, SysError> {
        let path = path.as_ref();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        self.resolve(path, flags, mode).map(File::from).map_err(self.fail(Op::Open, path))
    }

    /// Reads a whole regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of openat2(2) and read(2); `EISDIR`, `EFBIG`; a refusal for other things.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, SysError> {
        let path = path.as_ref();
        self.resolve(path, contents::READ_FLAGS, 0)
            .map_err(io::Error::from)
            .and_then(|file| contents::read_regular(&file, limit))
            .map_err(self.fail(Op::Read, path))
    }

    /// Replaces the file `path` by `bytes`; see [`super::replace`]. A link at the last name is replaced.
    ///
    /// # Errors
    /// Those of openat2(2), write(2), fsync(2) and renameat(2).
    pub fn replace(
        &self,
        path: impl AsRef<Path>,
        bytes: &[u8],
        mode: u32,
        durability: Durability,
    ) -> Result<(), SysError> {
        let path = path.as_ref();
        let flags = contents::directory_flags(durability);
        self.parent_as(path, flags)
            .and_then(|(parent, name)| contents::replace_at(parent.as_fd(), name, bytes, mode, durability))
            .map_err(self.fail(Op::Write, path))
    }

    /// Copies the regular file `from` over `to`, which must not exist. Both are inside.
    ///
    /// # Errors
    /// Those of openat2(2), read(2) and write(2); `EEXIST`.
    pub fn copy(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Copied, SysError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let copied = || -> io::Result<Copied> {
            let source = File::from(self.resolve(from, contents::READ_FLAGS, 0)?);
            let stat = rustix::fs::fstat(&source)?;
            contents::regular(&stat)?;
            let (parent, name) = self.parent(to)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
            let target = retry_on_intr(|| rustix::fs::openat(&parent, name, flags, mode))?;
            let target = File::from(target);
            let copied = copy::copy_contents(&source, &target, contents::size(&stat));
            if copied.is_err() {
                // Half a copy is of no use; the error that matters is the copy's.
                let _ = rustix::fs::unlinkat(&parent, name, AtFlags::empty());
            }
            Ok(copied?)
        };
        copied().map_err(|error| self.fail(Op::Copy, from)(error).and(&self.path.join(to)))
    }

    /// The stamp of what `path` names; `None` when nothing is there. Links that stay inside are
    /// followed.
    ///
    /// # Errors
    /// Those of openat2(2) but `ENOENT` and `ENOTDIR`.
    pub fn stamp(&self, path: impl AsRef<Path>) -> Result<Option<FileStamp>, SysError> {
        let path = path.as_ref();
        let stat = match self.plain(path) {
            // One name that is no link cannot lead outside: one call is enough.
            Some(name) => match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => self.stat(path),
                answer => answer,
            },
            None => self.stat(path),
        };
        match stat {
            Ok(stat) => Ok(Some(FileStamp::of_stat(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(self.fail(Op::Stat, path)(error)),
        }
    }

    /// The stamp of `path` itself: of a link, not of what it leads to.
    ///
    /// # Errors
    /// Those of openat2(2) but `ENOENT` and `ENOTDIR`.
    pub fn stamp_of_link(&self, path: impl AsRef<Path>) -> Result<Option<FileStamp>, SysError> {
        let path = path.as_ref();
        let stat = self
            .parent(path)
            .and_then(|(parent, name)| rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW));
        match stat {
            Ok(stat) => Ok(Some(FileStamp::of_stat(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(self.fail(Op::Stat, path)(error)),
        }
    }

    /// The entries of the directory `path`, sorted by name, without `.` and `..`.
    ///
    /// # Errors
    /// Those of openat2(2) and getdents64(2).
    pub fn entries(&self, path: impl AsRef<Path>) -> Result<Vec<Entry>, SysError> {
        let path = path.as_ref();
        let list = || -> Result<Vec<Entry>, Errno> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = self.resolve(path, flags, 0)?;
            let mut entries = Vec::new();
            for entry in Dir::read_from(&directory)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                let file_type = match entry.file_type() {
                    // Some file systems do not say.
                    FileType::Unknown => {
                        let flags = AtFlags::SYMLINK_NOFOLLOW;
                        match rustix::fs::statat(&directory, entry.file_name(), flags) {
                            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                            // Removed meanwhile.
                            Err(Errno::NOENT) => continue,
                            Err(error) => return Err(error),
                        }
                    }
                    known => known,
                };
                let kind = match file_type {
                    FileType::RegularFile => FileKind::File,
                    FileType::Directory => FileKind::Directory,
                    _ => FileKind::Other,
                };
                entries.push(Entry { name: OsStr::from_bytes(name).to_owned(), kind });
            }
            entries.sort();
            Ok(entries)
        };
        list().map_err(self.fail(Op::List, path))
    }

    /// Makes the directory `path` and its missing parents, mode 0777 less the umask, through no link.
    ///
    /// # Errors
    /// Those of mkdirat(2); `ENOTDIR` when a component is a file or a link; `EXDEV` for a path with
    /// `..` or an absolute one.
    pub fn create_directories(&self, path: impl AsRef<Path>) -> Result<(), SysError> {
        let path = path.as_ref();
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) => names.push(name),
                Component::Prefix(_) | Component::RootDir | Component::ParentDir => {
                    return Err(self.fail(Op::Create, path)(Errno::XDEV));
                }
            }
        }
        tree::create_below(self.directory.as_fd(), names.into_iter(), 0o777)
            .map(drop)
            .map_err(self.fail(Op::Create, path))
    }

    /// Removes the file or link `path`.
    ///
    /// # Errors
    /// Those of unlinkat(2); `EISDIR`.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> Result<(), SysError> {
        let path = path.as_ref();
        self.parent(path)
            .and_then(|(parent, name)| {
                retry_on_intr(|| rustix::fs::unlinkat(&parent, name, AtFlags::empty()))
            })
            .map_err(self.fail(Op::Remove, path))
    }

    /// Removes what stands at `path` with all that is in it; follows no link.
    ///
    /// # Errors
    /// Those of unlinkat(2).
    pub fn remove_tree(&self, path: impl AsRef<Path>) -> Result<(), SysError> {
        let path = path.as_ref();
        self.parent(path)
            .and_then(|(parent, name)| tree::remove_at(parent.as_fd(), name))
            .map_err(self.fail(Op::Remove, path))
    }

    /// Renames `from` to `to`, replacing what is there. Both are inside.
    ///
    /// # Errors
    /// Those of renameat2(2).
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), SysError> {
        self.rename_with(from.as_ref(), to.as_ref(), RenameFlags::empty())
    }

    /// Renames `from` to `to`, where nothing may be.
    ///
    /// # Errors
    /// Those of renameat2(2); `EEXIST`.
    pub fn rename_new(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), SysError> {
        self.rename_with(from.as_ref(), to.as_ref(), RenameFlags::NOREPLACE)
    }

    fn rename_with(&self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), SysError> {
        let renamed = || {
            let (from_parent, from_name) = self.parent(from)?;
            let (to_parent, to_name) = self.parent(to)?;
            retry_on_intr(|| rustix::fs::renameat_with(&from_parent, from_name, &to_parent, to_name, flags))
        };
        renamed().map_err(|error| self.fail(Op::Rename, from)(error).and(&self.path.join(to)))
    }

    /// Makes the symbolic link `path` with the words `target`, which are not looked at: following it
    /// is what is checked.
    ///
    /// # Errors
    /// Those of symlinkat(2).
    pub fn symlink(&self, target: impl AsRef<OsStr>, path: impl AsRef<Path>) -> Result<(), SysError> {
        let path = path.as_ref();
        self.parent(path)
            .and_then(|(parent, name)| {
                retry_on_intr(|| rustix::fs::symlinkat(target.as_ref(), &parent, name))
            })
            .map_err(self.fail(Op::Link, path))
    }

    /// The words of the symbolic link `path`.
    ///
    /// # Errors
    /// Those of readlinkat(2); `EINVAL` when it is no link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<PathBuf, SysError> {
        let path = path.as_ref();
        self.parent(path)
            .and_then(|(parent, name)| retry_on_intr(|| rustix::fs::readlinkat(&parent, name, Vec::new())))
            .map(|words| PathBuf::from(OsString::from_vec(words.into_bytes())))
            .map_err(self.fail(Op::ReadLink, path))
    }

    /// Opens `path` with `flags`, never outside.
    pub(super) fn resolve(&self, path: &Path, flags: OFlags, mode: u32) -> Result<OwnedFd, Errno> {
        resolve::open(self.directory.as_fd(), path, flags, Mode::from_raw_mode(mode), self.policy)
    }

    fn stat(&self, path: &Path) -> Result<rustix::fs::Stat, Errno> {
        rustix::fs::fstat(self.resolve(path, OFlags::PATH | OFlags::CLOEXEC, 0)?)
    }

    /// `path` when it is one ordinary name and mounts need no check.
    pub(super) fn plain<'p>(&self, path: &'p Path) -> Option<&'p OsStr> {
        let name = path.as_os_str();
        let special = name.is_empty() || name == "." || name == ".." || name.as_bytes().contains(&b'/');
        (self.policy.mounts == Mounts::Cross && !special).then_some(name)
    }

    fn parent<'p>(&self, path: &'p Path) -> Result<(OwnedFd, &'p OsStr), Errno> {
        self.parent_as(path, DIRECTORY)
    }

    /// The directory of `path`, opened with `flags`, and the last name in it, which is neither `.` nor
    /// `..`.
    fn parent_as<'p>(&self, path: &'p Path, flags: OFlags) -> Result<(OwnedFd, &'p OsStr), Errno> {
        if path.as_os_str().is_empty() {
            return Err(Errno::NOENT);
        }
        // `a/..` and `/` have no last name.
        let name = path.file_name().ok_or(match path.components().next() {
            Some(Component::RootDir | Component::Prefix(_)) => Errno::XDEV,
            _ => Errno::INVAL,
        })?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Ok((self.resolve(parent.unwrap_or(Path::new(".")), flags, 0)?, name))
    }

    fn fail<E: Into<io::Error>>(&self, op: Op, path: &Path) -> impl FnOnce(E) -> SysError {
        move |error| SysError::new(op, &self.path.join(path), error)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}
