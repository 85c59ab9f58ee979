//! What is on disk, directory by directory.
use std::path::Path;

use vitte_sys::SysError;
use vitte_sys::fs::{FileKind, FileStamp, Root};

use crate::files::{Files, Nanos, modified};
use crate::layout::{Entry, Form, Kind, TEMPORARY, TEMPORARY_AGE_MAX, disk_bytes};

/// An entry on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub entry: Entry,
    pub form: Form,
    /// On disk.
    pub bytes: u64,
    /// Last use as the file tells it.
    pub used: Nanos,
}

/// One of the directories that entries are spread over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub kind: Kind,
    /// The first byte of the hashes in it.
    pub first: u8,
}

impl Shard {
    /// Every shard, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.into_iter().flat_map(|kind| (0..=u8::MAX).map(move |first| Self { kind, first }))
    }

    pub fn path(self) -> String {
        self.kind.shard(self.first)
    }

    /// When a name was last added to it or removed; `None` when it is not there.
    pub fn changed(self, files: &Files) -> Result<Option<Nanos>, SysError> {
        let stamp = files.stamp(&self.path())?;
        Ok(stamp.filter(|stamp| stamp.kind == FileKind::Directory).map(|stamp| modified(&stamp)))
    }

    /// What the files in it are called.
    pub fn names(self, files: &Files) -> Result<Names, SysError> {
        let mut names = Names::default();
        for name in files.list(&self.path())? {
            match Entry::parse(self.kind, self.first, &name) {
                Some((entry, form)) => names.entries.push((entry, form, name)),
                None => names.strangers.push(name),
            }
        }
        Ok(names)
    }

    /// The entries in it, and the names of files that are none.
    pub fn entries(self, files: &Files) -> Result<(Vec<Found>, Vec<String>), SysError> {
        let Names { entries, strangers } = self.names(files)?;
        if entries.is_empty() {
            return Ok((Vec::new(), strangers));
        }
        let folder = files.below(&self.path())?;
        let found = entries.into_iter().filter_map(|(entry, form, name)| look(&folder, entry, form, &name));
        Ok((found.collect(), strangers))
    }
}

/// The files of a shard, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Entries, with their file names.
    pub entries: Vec<(Entry, Form, String)>,
    /// Files that are no entries.
    pub strangers: Vec<String>,
}

/// An entry whose name was seen; `None` when it is gone or unreadable.
pub(crate) fn look(folder: &Root, entry: Entry, form: Form, name: &str) -> Option<Found> {
    let stamp: FileStamp = folder.stamp(Path::new(name)).ok().flatten()?;
    Some(Found { entry, form, bytes: disk_bytes(stamp.size), used: modified(&stamp) })
}

/// Every entry. A directory that cannot be read counts as empty.
pub(crate) fn walk(files: &Files) -> impl Iterator<Item = Found> {
    Shard::all().flat_map(|shard| shard.entries(files).unwrap_or_default().0)
}

/// Removes temporary files that nobody is writing any more.
pub(crate) fn sweep(files: &Files, now: Nanos) {
    for name in files.list(TEMPORARY).unwrap_or_default() {
        let path = format!("{TEMPORARY}/{name}");
        let stamp = files.stamp(&path).ok().flatten();
        let age = stamp.map(|stamp| now.saturating_sub(modified(&stamp)));
        if age.is_some_and(|age| age > TEMPORARY_AGE_MAX.as_nanos() as u64) {
            // If it cannot be removed, the next sweep tries again.
            let _ = files.remove(&path);
        }
    }
}
