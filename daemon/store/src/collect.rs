//! What may be forgotten, and when.
//!
//! Entries are removed in the order of their last use until the store is within its budget, and those unused
//! for longer than the maximal age whatever the budget. Deleting goes in short batches under the gate that
//! leases take too, and looks at pins, leases and the entry's own last use again in each, so that builds of any
//! process go on meanwhile and what they use stays.
use std::ops::ControlFlow;
use std::time::Duration;

use vitte_sys::SysError;

use crate::check::Progress;
use crate::counts::Counter;
use crate::digest::Digest;
use crate::files::{Files, Nanos, modified};
use crate::guard::{self, Gate};
use crate::index::Row;
use crate::keeper::{Candidate, Change};
use crate::layout::{COLLECT_LOCK, Entry, Form, TOUCH_AFTER};
use crate::options::StoreError;
use crate::scan;
use crate::store::{Inner, Store};

/// What a collection is to reach. [`CollectOptions::default`] takes the store's own [`crate::Options`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectOptions {
    /// Instead of the store's budget, in bytes on disk.
    pub budget_bytes: Option<u64>,
    /// Instead of the store's maximal age.
    pub max_age: Option<Duration>,
    /// Instead of the store's grace.
    pub grace: Option<Duration>,
}

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// Entries before.
    pub entries_before: u64,
    /// Bytes on disk before.
    pub bytes_before: u64,
    /// Entries removed.
    pub removed: u64,
    /// Bytes on disk that they took.
    pub removed_bytes: u64,
    /// Entries that would have gone but were pinned or leased.
    pub held: u64,
    /// Entries that would have gone but were used too recently.
    pub in_use: u64,
    /// Entries that could not be removed.
    pub failed: u64,
    /// Whether the caller ended it before its end.
    pub ended: Ended,
}

impl CollectReport {
    /// Entries left.
    pub const fn entries_after(&self) -> u64 {
        self.entries_before.saturating_sub(self.removed)
    }

    /// Bytes on disk left.
    pub const fn bytes_after(&self) -> u64 {
        self.bytes_before.saturating_sub(self.removed_bytes)
    }
}

/// How a long task ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// It did all there was to do.
    #[default]
    Complete,
    /// Its caller stopped it; what was done stays done.
    Stopped,
}

/// Entries deleted under one hold of the gate: a few milliseconds.
const BATCH: usize = 128;

/// How far below the budget a collection goes, so that the next entry does not start another: a twentieth.
const SLACK: u64 = 20;

impl Store {
    /// Removes what was not used for longest until the store is within its budget, and what is too old.
    /// Entries that are pinned, leased by any process or used within the grace stay, so that the store may
    /// remain over its budget. `progress` sees how many entries of those that must go are done, and may stop it.
    ///
    /// Takes the index, or a walk over the store where this process does not own it, and some 20 us for each
    /// entry that goes.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`]; [`StoreError::Busy`] when another process is collecting;
    /// [`StoreError::System`] when pins or leases cannot be read: nothing is removed that they may protect.
    pub fn collect(
        &self,
        options: &CollectOptions,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<CollectReport, StoreError> {
        let inner = &self.inner;
        let files = inner.writable()?;
        self.adopt_index();
        let lock = files.open_lock(COLLECT_LOCK)?;
        let _collector = guard::lock_collector(files, &lock)?;

        scan::sweep(files, inner.now());
        let mut candidates = inner.candidates(files);
        candidates.sort_unstable_by_key(|candidate| (candidate.row.used, candidate.entry));
        let mut report = CollectReport {
            entries_before: candidates.len() as u64,
            bytes_before: candidates.iter().map(|candidate| candidate.row.bytes).sum(),
            ..CollectReport::default()
        };
        let wanted = Wanted::new(inner, options, report.bytes_before);
        let total = wanted.estimate(&candidates);
        let mut done: u64 = 0;
        let mut rest = candidates.as_slice();
        while wanted.more(&report, rest.first()) {
            let (batch, after) = rest.split_at(rest.len().min(BATCH));
            rest = after;
            let gate_file = files.open_lock(COLLECT_LOCK)?;
            let _gate = Gate::exclusive(files, &gate_file)?;
            let protected = guard::protected(files)?;
            for candidate in batch {
                if !wanted.more(&report, Some(candidate)) {
                    break;
                }
                inner.forget(files, candidate, &protected, &wanted, &mut report);
                done += 1;
            }
            if progress(Progress { done, total: total.max(done) }).is_break() {
                report.ended = Ended::Stopped;
                break;
            }
        }
        inner.tell_keeper();
        inner.save_counts();
        Ok(report)
    }
}

/// When to stop.
struct Wanted {
    now: Nanos,
    /// Bytes to go below.
    target: u64,
    /// Older goes in any case.
    oldest: Nanos,
    /// Newer stays in any case.
    newest: Nanos,
}

impl Wanted {
    fn new(inner: &Inner, options: &CollectOptions, bytes: u64) -> Self {
        let now = inner.now();
        let ago = |age: Duration| now.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        let budget = options.budget_bytes.unwrap_or(inner.options.budget_bytes);
        let max_age = options.max_age.or(inner.options.max_age);
        Self {
            now,
            target: if bytes > budget { budget - budget / SLACK } else { u64::MAX },
            oldest: max_age.map_or(0, ago),
            newest: ago(options.grace.unwrap_or(inner.options.grace)),
        }
    }

    /// Whether the next of the candidates must go too.
    fn more(&self, report: &CollectReport, next: Option<&Candidate>) -> bool {
        next.is_some_and(|next| report.bytes_after() > self.target || next.row.used < self.oldest)
    }

    /// How many must go, about.
    fn estimate(&self, candidates: &[Candidate]) -> u64 {
        let mut left: u64 = candidates.iter().map(|candidate| candidate.row.bytes).sum();
        let goes = |candidate: &&Candidate| {
            let goes = left > self.target || candidate.row.used < self.oldest;
            left = left.saturating_sub(candidate.row.bytes);
            goes
        };
        candidates.iter().take_while(goes).count() as u64
    }
}

impl Inner {
    /// Every entry with its last use: from the index, or by looking at each.
    fn candidates(&self, files: &Files) -> Vec<Candidate> {
        self.tell_keeper();
        let keeper = self.keeper().clone();
        keeper.and_then(|keeper| keeper.candidates()).unwrap_or_else(|| {
            let candidate = |found: scan::Found| Candidate {
                entry: found.entry,
                row: Row { bytes: found.bytes, used: found.used },
            };
            scan::walk(files).map(candidate).collect()
        })
    }

    /// Removes one entry unless something speaks for it. The caller holds the gate.
    fn forget(
        &self,
        files: &Files,
        candidate: &Candidate,
        protected: &std::collections::BTreeSet<Digest>,
        wanted: &Wanted,
        report: &mut CollectReport,
    ) {
        let Candidate { entry, row } = *candidate;
        if let Entry::Blob(digest) = entry
            && protected.contains(&digest)
        {
            report.held += 1;
            return;
        }
        // A clock that was set back leaves uses in the future; they count as now.
        let used = last_use(files, entry).unwrap_or(0).max(row.used).min(wanted.now);
        // Used by another process since the index heard of it: its place in the order is a later one.
        let moved = used.saturating_sub(row.used) > TOUCH_AFTER.as_nanos() as u64 && wanted.target > 0;
        if used > wanted.newest || moved {
            self.note(Change::Used { entry, used });
            report.in_use += 1;
            return;
        }
        if self.remove(files, entry) {
            self.counters.add(Counter::Collected);
            report.removed += 1;
            report.removed_bytes += row.bytes;
        } else {
            report.failed += 1;
        }
    }
}

/// What the entry itself says of its last use: another process may have used it.
fn last_use(files: &Files, entry: Entry) -> Option<Nanos> {
    let forms: &[Form] = match entry {
        Entry::Blob(_) => &[Form::Plain, Form::Packed],
        Entry::Action(_) => &[Form::Plain],
    };
    let stamp = |form: &Form| -> Result<Option<Nanos>, SysError> {
        Ok(files.stamp(&entry.path(*form))?.map(|stamp| modified(&stamp)))
    };
    forms.iter().filter_map(|form| stamp(form).ok().flatten()).max()
}
