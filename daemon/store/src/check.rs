//! Verify, repair, clean.
use std::ops::ControlFlow;

use crate::collect::{CollectOptions, CollectReport, Ended};
use crate::counts::MissReason;
use crate::digest::Digest;
use crate::files::{Files, is_absence};
use crate::layout::{COUNTERS, Entry, Form, INDEX};
use crate::options::StoreError;
use crate::packing;
use crate::record::{self, RECORD_BYTES_MAX};
use crate::scan::{Found, Shard, sweep};
use crate::store::{Inner, Store};

/// How far a long task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps there are, as far as is known.
    pub total: u64,
}

/// What is in the store, looked at byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Entries looked at.
    pub checked: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Entries that are not what their names say, sorted. None of them would have been used.
    pub damaged: Vec<Entry>,
    /// Entries that could not be read, and why, sorted.
    pub unreadable: Vec<(Entry, String)>,
    /// Results that name blobs which are not there, sorted. They are misses, and no damage: collections take
    /// blobs and results each by their last use.
    pub incomplete: Vec<Entry>,
    /// Records of a later version.
    pub newer: u64,
    /// Files that are no entries, sorted, relative to the store's folder.
    pub strangers: Vec<String>,
    /// Directories that could not be read, and why.
    pub unreadable_folders: Vec<String>,
    /// Whether it was stopped.
    pub ended: Ended,
}

impl CheckReport {
    /// Whether everything was read and was what its name says.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.unreadable.is_empty() && self.unreadable_folders.is_empty()
    }
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// What was found.
    pub check: CheckReport,
    /// Entries removed: those that were damaged or incomplete.
    pub removed: u64,
    /// Entries in the index, which was made again; `None` when another process owns it or it failed.
    pub indexed: Option<u64>,
}

impl Store {
    /// Reads and verifies every entry. Changes nothing. `progress` counts directories, 512 in all, and may stop it.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`] when there is no store.
    pub fn verify(
        &self,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<CheckReport, StoreError> {
        let inner = &self.inner;
        let Some(files) = &inner.files else {
            return Err(StoreError::NotWritable { folder: inner.folder.clone() });
        };
        let mut report = CheckReport::default();
        let total = Shard::all().count() as u64;
        for (done, shard) in (1..).zip(Shard::all()) {
            match shard.entries(files) {
                Ok((found, others)) => {
                    found.iter().for_each(|found| inner.check(files, found, &mut report));
                    let path = |name: &String| format!("{}/{name}", shard.path());
                    report.strangers.extend(others.iter().map(path));
                }
                Err(error) => report.unreadable_folders.push(error.to_string()),
            }
            if progress(Progress { done, total }).is_break() {
                report.ended = Ended::Stopped;
                break;
            }
        }
        report.damaged.sort_unstable();
        report.incomplete.sort_unstable();
        report.unreadable.sort_unstable();
        Ok(report)
    }

    /// [`Store::verify`], then removes what is damaged or incomplete and what dead processes left, and makes the
    /// index again.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`].
    pub fn repair(
        &self,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<RepairReport, StoreError> {
        let inner = &self.inner;
        let files = inner.writable()?;
        let check = self.verify(progress)?;
        let bad = check.damaged.iter().chain(&check.incomplete);
        let removed = bad.filter(|entry| inner.remove(files, **entry)).count() as u64;
        sweep(files, inner.now());
        self.remove_set_aside(files);
        self.adopt_index();
        let keeper = inner.keeper().clone();
        let indexed = keeper.and_then(|keeper| keeper.rebuild());
        Ok(RepairReport { check, removed, indexed })
    }

    /// Removes everything that is not pinned or leased, and begins to count anew.
    ///
    /// # Errors
    /// Those of [`Store::collect`].
    pub fn clean(
        &self,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<CollectReport, StoreError> {
        let everything =
            CollectOptions { budget_bytes: Some(0), max_age: None, grace: Some(std::time::Duration::ZERO) };
        let report = self.collect(&everything, progress)?;
        let files = self.inner.writable()?;
        self.remove_set_aside(files);
        if report.ended == Ended::Complete {
            self.inner.counters.subtract(&self.inner.counters.numbers());
            files.remove(COUNTERS)?;
        }
        Ok(report)
    }

    /// Removes indexes that were set aside.
    fn remove_set_aside(&self, files: &Files) {
        let prefix = format!("{INDEX}.damaged-");
        for name in files.folders().unwrap_or_default() {
            if name.starts_with(&prefix)
                && let Err(error) = files.remove_tree(&name)
            {
                self.inner.write_failed(&error);
            }
        }
    }
}

impl Inner {
    fn check(&self, files: &Files, found: &Found, report: &mut CheckReport) {
        let Found { entry, form, .. } = *found;
        let limit = match (entry, form) {
            (Entry::Action(_), Form::Plain | Form::Packed) => RECORD_BYTES_MAX,
            (Entry::Blob(digest), Form::Plain) => digest.size(),
            (Entry::Blob(digest), Form::Packed) => packing::packed_bytes_max(digest.size()),
        };
        let bytes = match files.read(&entry.path(form), limit) {
            Ok(read) => read.bytes,
            // Collected meanwhile.
            Err(error) if is_absence(&error) => return,
            Err(error) => {
                report.checked += 1;
                match error.kind() {
                    std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::InvalidData => {
                        report.damaged.push(entry);
                    }
                    _ => report.unreadable.push((entry, error.to_string())),
                }
                return;
            }
        };
        report.checked += 1;
        report.bytes += bytes.len() as u64;
        match judge(entry, form, &bytes) {
            Ok(outputs) => {
                if outputs.iter().any(|digest| self.find_blob(files, digest).is_none()) {
                    report.incomplete.push(entry);
                }
            }
            Err(MissReason::NewerFormat) => report.newer += 1,
            Err(_) => report.damaged.push(entry),
        }
    }
}

/// The blobs that the entry needs, or what is wrong with it.
fn judge(entry: Entry, form: Form, bytes: &[u8]) -> Result<Vec<Digest>, MissReason> {
    match (entry, form) {
        (Entry::Blob(digest), Form::Plain) => {
            if Digest::of(bytes) == digest {
                Ok(Vec::new())
            } else {
                Err(MissReason::Damaged)
            }
        }
        (Entry::Blob(digest), Form::Packed) => {
            packing::unpack(bytes, &digest).map(|_| Vec::new()).ok_or(MissReason::Damaged)
        }
        (Entry::Action(key), Form::Plain | Form::Packed) => match record::decode(&key, bytes) {
            Ok(result) => Ok(result.outputs.into_iter().map(|(_, digest)| digest).collect()),
            Err(record::Refused::Newer) => Err(MissReason::NewerFormat),
            Err(record::Refused::Damaged) => Err(MissReason::Damaged),
        },
    }
}
