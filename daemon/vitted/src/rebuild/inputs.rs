//! Files that are watched, such as those that a build reads, and which of them changed.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vitte_driver::{Changes, FileChanges as _, Reason};
use vitte_sys::fs::FileStamp;

use crate::watcher::settle::{Burst, VersionControl};
use crate::watcher::{Subscription, Watcher};

/// Longest wait for the watcher to say what happened.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// How often that is looked at which cannot be watched.
const POLL_PERIOD: Duration = Duration::from_secs(1);

/// What changed since the last round.
#[derive(Clone, Debug)]
pub(crate) struct Noticed {
    /// When the first of it was seen.
    pub(crate) first: Instant,
    /// Files that changed for certain.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Paths that changed in the folders of these files, whether they matter or not.
    pub(crate) paths: usize,
    /// A build must say whether something changed.
    pub(crate) is_unsure: bool,
}

impl Noticed {
    /// Nothing, at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self { first: now, files: BTreeSet::new(), paths: 0, is_unsure: false }
    }

    /// Whether there is a reason to build.
    fn matters(&self) -> bool {
        self.is_unsure || !self.files.is_empty()
    }

    /// Adds what `other` says.
    pub(crate) fn merge(&mut self, other: Self) {
        let Self { first, files, paths, is_unsure } = other;
        self.first = self.first.min(first);
        self.files.extend(files);
        self.paths += paths;
        self.is_unsure |= is_unsure;
    }
}

/// The files of one build, watched.
pub(crate) struct Tracked {
    changes: Subscription,
    /// Each with what stood there when it was looked at last.
    files: BTreeMap<PathBuf, Option<FileStamp>>,
    folders: BTreeSet<PathBuf>,
    /// Folders were added, and what changed there before is not known.
    is_unsure: bool,
}

impl Tracked {
    /// Watches nothing yet; `roots` hold what will be.
    pub(crate) fn new(watcher: &Watcher, roots: &[PathBuf]) -> Self {
        let changes = watcher.subscribe(roots);
        changes.listen();
        Self { changes, files: BTreeMap::new(), folders: BTreeSet::new(), is_unsure: false }
    }

    /// Watches `files` too. Touches the disk for each that is new.
    pub(crate) fn track(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let mut new = BTreeSet::new();
        for file in files {
            self.learn(file, &mut new);
        }
        self.follow(&new);
    }

    /// Looks at a file that is new; it and what it links to may be in folders that are `new`.
    fn learn(&mut self, file: PathBuf, new: &mut BTreeSet<PathBuf>) {
        if self.files.contains_key(&file) {
            return;
        }
        self.learn_target(&file, new);
        self.folder_of(&file, new);
        let stamp = stamp(&file);
        self.files.insert(file, stamp);
    }

    /// A link is watched at both ends.
    fn learn_target(&mut self, file: &Path, new: &mut BTreeSet<PathBuf>) {
        if !std::fs::symlink_metadata(file).is_ok_and(|data| data.is_symlink()) {
            return;
        }
        if let Ok(target) = vitte_sys::fs::canonical(file)
            && !self.files.contains_key(&target)
        {
            self.folder_of(&target, new);
            let stamp = stamp(&target);
            self.files.insert(target, stamp);
        }
    }

    fn folder_of(&self, file: &Path, new: &mut BTreeSet<PathBuf>) {
        if let Some(folder) = file.parent().filter(|folder| !self.folders.contains(*folder)) {
            new.insert(folder.to_path_buf());
        }
    }

    fn follow(&mut self, new: &BTreeSet<PathBuf>) {
        if !new.is_empty() {
            self.changes.follow(&mut new.iter().map(PathBuf::as_path));
            self.folders.extend(new.iter().cloned());
            self.is_unsure = true;
        }
    }

    /// Waits until something changed that matters.
    ///
    /// # Cancel safety
    /// If dropped, nothing is lost.
    pub(crate) async fn next(&mut self) -> Noticed {
        // What became unsure by following needs no event.
        let mut noticed = self.take();
        while !noticed.matters() {
            self.woken().await;
            noticed = self.take();
        }
        noticed
    }

    /// Waits until something may have changed.
    ///
    /// # Cancel safety
    /// If dropped, nothing is lost.
    pub(crate) async fn woken(&self) {
        if self.changes.needs_polling() {
            tokio::select! {
                () = self.changes.changed() => {}
                () = tokio::time::sleep(POLL_PERIOD) => {}
            }
        } else {
            self.changes.changed().await;
        }
    }

    /// What was noticed, with all that follows until it has settled.
    pub(crate) async fn settle(&mut self, mut noticed: Noticed, tools: &VersionControl) -> Noticed {
        let mut burst = Burst::new(Instant::now());
        loop {
            let tool_at_work = tools.is_at_work(noticed.first.elapsed());
            let Some(wait) = burst.wait(Instant::now(), tool_at_work) else { return noticed };
            tokio::select! {
                () = self.woken() => {
                    let more = self.take();
                    burst.add(Instant::now(), more.paths);
                    noticed.merge(more);
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What changed since the last call. Usually some microseconds; some milliseconds in a storm.
    pub(crate) fn take(&mut self) -> Noticed {
        let now = Instant::now();
        let mut noticed = Noticed::new(now);
        noticed.is_unsure = std::mem::take(&mut self.is_unsure);
        match self.changes.take(now + ANSWER_MAX) {
            Changes::Paths(paths) => {
                noticed.paths = paths.len();
                for path in paths {
                    self.notice(&path, &mut noticed);
                }
            }
            Changes::Everything(reason) => {
                match reason {
                    Reason::Overflow | Reason::Late => {
                        noticed.paths = usize::from(u16::MAX);
                        noticed.is_unsure = true;
                    }
                    // Said before anything was watched, or at every call: the files must tell.
                    Reason::First | Reason::Unwatched => {}
                }
                self.notice(Path::new(""), &mut noticed);
            }
        }
        let mut new = BTreeSet::new();
        for file in &noticed.files {
            self.learn_target(file, &mut new);
        }
        self.follow(&new);
        noticed
    }

    /// Notes the files at and below `path` that changed: the one that is named for certain, those below
    /// it when they look different now.
    fn notice(&mut self, path: &Path, noticed: &mut Noticed) {
        let below = self.files.range_mut(path.to_path_buf()..).take_while(|(file, _)| file.starts_with(path));
        for (file, known) in below {
            let now = stamp(file);
            if file == path || now != *known {
                noticed.files.insert(file.clone());
            }
            *known = now;
        }
    }
}

fn stamp(file: &Path) -> Option<FileStamp> {
    vitte_sys::fs::stamp(file).ok().flatten()
}
