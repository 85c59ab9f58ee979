//! A directory that no path given to it can leave.
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::contents::{self, Durability};
use super::{Copied, FileKind, FileStamp, copy, resolve, tree};
use crate::platform::handle::{OwnedHandle, borrow, stands_for_handle};
use crate::platform::{Errno, NodeKind, Open, Stat, files};
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
    directory: OwnedHandle,
    /// For messages only.
    path: PathBuf,
    policy: Policy,
}

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
        let directory =
            files::open(path, Open::DIRECTORY, 0).map_err(|error| SysError::new(Op::Open, path, error))?;
        Ok(Self { directory, path: path.to_path_buf(), policy })
    }

    /// The directory `path` of this root as a root of its own, which `..` cannot leave either.
    ///
    /// # Errors
    /// Those of openat2(2).
    pub fn below(&self, path: impl AsRef<Path>) -> Result<Self, SysError> {
        let path = path.as_ref();
        let directory = self.resolve(path, Open::DIRECTORY, 0).map_err(self.fail(Op::Open, path))?;
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
        self.resolve(path, Open::READ, 0).map(File::from).map_err(self.fail(Op::Open, path))
    }

    /// Opens the file `path` for reading and writing and makes it, with permission bits `mode` less the
    /// umask, when it is missing. Its contents stay.
    ///
    /// # Errors
    /// Those of openat2(2).
    pub fn open_writable(&self, path: impl AsRef<Path>, mode: u32) -> Result<File, SysError> {
        let path = path.as_ref();
        self.resolve(path, Open::READ_WRITE, mode).map(File::from).map_err(self.fail(Op::Open, path))
    }

    /// Reads a whole regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of openat2(2) and read(2); `EISDIR`, `EFBIG`; a refusal for other things.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, SysError> {
        let path = path.as_ref();
        self.resolve(path, Open::READ, 0)
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
        self.parent_as(path, contents::directory_for(durability))
            .and_then(|(parent, name)| contents::replace_at(borrow(&parent), name, bytes, mode, durability))
            .map_err(self.fail(Op::Write, path))
    }

    /// Copies the regular file `from` over `to`, which must not exist. Both are inside.
    ///
    /// # Errors
    /// Those of openat2(2), read(2) and write(2); `EEXIST`.
    pub fn copy(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Copied, SysError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let copied = || -> io::Result<Copied> {
            let source = File::from(self.resolve(from, Open::READ, 0)?);
            let stat = files::stat(&source)?;
            contents::regular(&stat)?;
            let (parent, name) = self.parent(to)?;
            let target = File::from(files::open_at(borrow(&parent), name, Open::NEW, stat.mode & 0o777)?);
            let copied = copy::copy_contents(&source, &target, stat.size);
            if copied.is_err() {
                // Half a copy is of no use; the error that matters is the copy's.
                let _ = files::remove_file_at(borrow(&parent), name);
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
            Some(name) => match files::stat_at(borrow(&self.directory), name) {
                Ok(stat) if stat.kind == NodeKind::Link => self.stat(path),
                answer => answer,
            },
            None => self.stat(path),
        };
        match stat {
            Ok(stat) => Ok(Some(FileStamp::of(&stat))),
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
        let stat = self.parent(path).and_then(|(parent, name)| files::stat_at(borrow(&parent), name));
        match stat {
            Ok(stat) => Ok(Some(FileStamp::of(&stat))),
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
            let directory = self.resolve(path, Open::LIST, 0)?;
            let mut entries = Vec::new();
            let mut listing = files::Listing::of(&directory)?;
            while let Some(entry) = listing.next() {
                let (name, kind) = entry?;
                let kind = match kind {
                    Some(kind) => kind,
                    // Some file systems do not say.
                    None => match files::stat_at(borrow(&directory), &name) {
                        Ok(stat) => stat.kind,
                        // Removed meanwhile.
                        Err(Errno::NOENT) => continue,
                        Err(error) => return Err(error),
                    },
                };
                entries.push(Entry { name, kind: FileKind::of(kind) });
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
        tree::create_below(borrow(&self.directory), names.into_iter(), 0o777)
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
            .and_then(|(parent, name)| files::remove_file_at(borrow(&parent), name))
            .map_err(self.fail(Op::Remove, path))
    }

    /// Removes what stands at `path` with all that is in it; follows no link.
    ///
    /// # Errors
    /// Those of unlinkat(2).
    pub fn remove_tree(&self, path: impl AsRef<Path>) -> Result<(), SysError> {
        let path = path.as_ref();
        self.parent(path)
            .and_then(|(parent, name)| tree::remove_at(borrow(&parent), name))
            .map_err(self.fail(Op::Remove, path))
    }

    /// Renames `from` to `to`, replacing what is there. Both are inside.
    ///
    /// # Errors
    /// Those of renameat2(2).
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), SysError> {
        self.rename_with(from.as_ref(), to.as_ref(), true)
    }

    /// Renames `from` to `to`, where nothing may be.
    ///
    /// # Errors
    /// Those of renameat2(2); `EEXIST`.
    pub fn rename_new(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), SysError> {
        self.rename_with(from.as_ref(), to.as_ref(), false)
    }

    fn rename_with(&self, from: &Path, to: &Path, replace: bool) -> Result<(), SysError> {
        let renamed = || {
            let (from_parent, from_name) = self.parent(from)?;
            let (to_parent, to_name) = self.parent(to)?;
            let rename = if replace { files::rename_at } else { files::rename_new_at };
            rename(borrow(&from_parent), from_name, borrow(&to_parent), to_name)
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
            .and_then(|(parent, name)| files::make_link_at(target.as_ref(), borrow(&parent), name))
            .map_err(self.fail(Op::Link, path))
    }

    /// The words of the symbolic link `path`.
    ///
    /// # Errors
    /// Those of readlinkat(2); `EINVAL` when it is no link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<PathBuf, SysError> {
        let path = path.as_ref();
        self.parent(path)
            .and_then(|(parent, name)| files::read_link_at(borrow(&parent), name))
            .map(PathBuf::from)
            .map_err(self.fail(Op::ReadLink, path))
    }

    /// Opens `path`, never outside.
    pub(super) fn resolve(&self, path: &Path, how: Open, mode: u32) -> Result<OwnedHandle, Errno> {
        resolve::open(borrow(&self.directory), path, how, mode, self.policy)
    }

    fn stat(&self, path: &Path) -> Result<Stat, Errno> {
        resolve::stat(borrow(&self.directory), path, self.policy)
    }

    /// `path` when it is one ordinary name and mounts need no check.
    pub(super) fn plain<'p>(&self, path: &'p Path) -> Option<&'p OsStr> {
        let name = path.as_os_str();
        let mut components = path.components();
        let plain = matches!((components.next(), components.next()), (Some(Component::Normal(one)), None) if one == name);
        (self.policy.mounts == Mounts::Cross && plain).then_some(name)
    }

    fn parent<'p>(&self, path: &'p Path) -> Result<(OwnedHandle, &'p OsStr), Errno> {
        self.parent_as(path, Open::DIRECTORY)
    }

    /// The directory of `path`, opened as `how` says, and the last name in it, which is neither `.` nor
    /// `..`.
    fn parent_as<'p>(&self, path: &'p Path, how: Open) -> Result<(OwnedHandle, &'p OsStr), Errno> {
        if path.as_os_str().is_empty() {
            return Err(Errno::NOENT);
        }
        // `a/..` and `/` have no last name.
        let name = path.file_name().ok_or(match path.components().next() {
            Some(Component::RootDir | Component::Prefix(_)) => Errno::XDEV,
            _ => Errno::INVAL,
        })?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Ok((self.resolve(parent.unwrap_or(Path::new(".")), how, 0)?, name))
    }

    fn fail<E: Into<io::Error>>(&self, op: Op, path: &Path) -> impl FnOnce(E) -> SysError {
        move |error| SysError::new(op, &self.path.join(path), error)
    }
}

stands_for_handle!(Root, directory, "The open directory.");
