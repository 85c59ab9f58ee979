//! What is watched for whom, and what became of it: the state behind one inotify queue.
//!
//! Each followed folder is a *node*, and so is each folder between it and its root: a folder that is
//! renamed or removed is reported by its parent, and one that does not exist yet appears in the nearest
//! parent that does. Nodes are paths, watches are inodes; whenever an entry with a node in its place
//! appears or disappears, the nodes at and below it are *looked at again*, which puts each watch where
//! its path leads now. That path was reported as changed as a whole, so that nothing which happened
//! there between the event and the look is lost.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Notify;
use vitte_driver::{Changes, Reason};
use vitte_sys::SysError;
use vitte_sys::watch::{Event, Links, Mount, Queue, WatchId};

use super::{Listening, TROUBLES_SHOWN, Trouble, WatcherStatus};

/// Paths that are kept for one reader; after more it examines everything.
const PATHS_MAX: usize = 1 << 16;

/// What is known about the folder at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// It is watched.
    Watched(WatchId),
    /// It is a symbolic link to a folder. That folder is watched, but not the way to it: it is named in
    /// every answer.
    Linked(WatchId),
    /// No folder is there. The parent tells when there is one.
    Missing,
    /// A parent is named in every answer, with everything below it.
    Covered,
    /// It cannot be watched and is named in every answer.
    Unwatchable(Cause),
}

impl Standing {
    fn watch(&self) -> Option<WatchId> {
        match self {
            Self::Watched(watch) | Self::Linked(watch) => Some(*watch),
            Self::Missing | Self::Covered | Self::Unwatchable(_) => None,
        }
    }

    /// Whether its path must be in every answer.
    fn is_uncertain(&self) -> bool {
        match self {
            Self::Linked(_) | Self::Unwatchable(_) => true,
            Self::Watched(_) | Self::Missing | Self::Covered => false,
        }
    }

    /// What a folder below this one is without a look; `None` when it takes one.
    fn of_child(&self) -> Option<Standing> {
        match self {
            Self::Watched(_) | Self::Linked(_) => None,
            Self::Missing => Some(Self::Missing),
            Self::Covered | Self::Unwatchable(_) => Some(Self::Covered),
        }
    }
}

/// Why a folder cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// Its files may change on another machine; the file system's type.
    Remote(String),
    /// The settings say so.
    Setting,
    /// No more watches are to be had.
    Limit,
    /// A symbolic link that leads nowhere now.
    Link,
    /// The system's words.
    System(String),
}

#[derive(Debug)]
struct Node {
    standing: Standing,
    /// Who follows it or something below it. Few.
    readers: BTreeSet<u64>,
}

/// One subscription.
#[derive(Debug)]
struct Reader {
    /// Where its nodes begin, each with what stood there when it was looked at last: device and inode.
    roots: BTreeMap<PathBuf, Option<(u64, u64)>>,
    /// What changed since the last answer.
    changed: BTreeSet<PathBuf>,
    everything: Option<Reason>,
    wake: Arc<Notify>,
    listening: Listening,
}

impl Reader {
    fn add(&mut self, path: &Path) {
        if self.everything.is_none() && !self.changed.contains(path) {
            if self.changed.len() >= PATHS_MAX {
                self.examine_everything(Reason::Overflow);
            } else {
                self.changed.insert(path.to_path_buf());
            }
        }
        self.ring();
    }

    fn examine_everything(&mut self, reason: Reason) {
        // The first reason stays: nothing was asked since.
        self.everything.get_or_insert(reason);
        self.changed.clear();
        self.ring();
    }

    fn ring(&self) {
        match self.listening {
            Listening::Begins => self.wake.notify_one(),
            Listening::Ends => {}
        }
    }
}

/// The state.
#[derive(Debug)]
pub(super) struct Folders {
    nodes: BTreeMap<PathBuf, Node>,
    /// Which paths a watch stands for: several when links or bind mounts lead to one folder.
    by_watch: HashMap<WatchId, Vec<PathBuf>>,
    readers: BTreeMap<u64, Reader>,
    next_reader: u64,
    /// Nodes that are named in every answer.
    uncertain: BTreeSet<PathBuf>,
    /// Paths whose nodes must be looked at again.
    suspects: BTreeSet<PathBuf>,
    /// Where files change without an event, with the file system's type.
    remote: Vec<Mount>,
    polled: Vec<PathBuf>,
    folders_max: usize,
    overflows: u64,
}

impl Folders {
    /// Nothing is followed.
    pub(super) fn new(polled: Vec<PathBuf>, folders_max: Option<usize>) -> Self {
        Self {
            nodes: BTreeMap::new(),
            by_watch: HashMap::new(),
            readers: BTreeMap::new(),
            next_reader: 0,
            uncertain: BTreeSet::new(),
            suspects: BTreeSet::new(),
            remote: Vec::new(),
            polled,
            folders_max: folders_max.unwrap_or(usize::MAX),
            overflows: 0,
        }
    }

    /// Takes in what is mounted now. Everything must be looked at again, because a mount hides what
    /// stood in its place without an event.
    pub(super) fn set_mounts(&mut self, mounts: &[Mount]) {
        // The last mount at a path is the one that is seen.
        let by_path: BTreeMap<&Path, &Mount> =
            mounts.iter().map(|mount| (mount.path.as_path(), mount)).collect();
        self.remote = by_path.values().map(|mount| (*mount).clone()).collect();
        self.remote.sort_by_key(|mount| std::cmp::Reverse(mount.path.components().count()));
        if !self.remote.iter().any(Mount::is_remote) {
            // The usual machine: no look-up for each folder.
            self.remote.clear();
        }
        self.suspects.extend(self.readers.values().flat_map(|reader| reader.roots.keys().cloned()));
    }

    /// Begins a subscription.
    pub(super) fn subscribe(&mut self, roots: &[PathBuf], wake: Arc<Notify>) -> u64 {
        self.next_reader += 1;
        let roots = roots.iter().map(|root| (root.clone(), identity(root))).collect();
        let reader = Reader {
            roots,
            changed: BTreeSet::new(),
            everything: Some(Reason::First),
            wake,
            listening: Listening::Ends,
        };
        self.readers.insert(self.next_reader, reader);
        self.next_reader
    }

    /// Ends one.
    pub(super) fn unsubscribe(&mut self, queue: &Queue, reader: u64) {
        let Some(gone) = self.readers.remove(&reader) else { return };
        for root in gone.roots.keys() {
            for path in self.below(root) {
                let Some(node) = self.nodes.get_mut(&path) else { continue };
                node.readers.remove(&reader);
                if node.readers.is_empty() {
                    self.put(queue, &path, Standing::Missing);
                    self.nodes.remove(&path);
                }
            }
        }
    }

    /// Sets whether a subscription is woken; what it was before.
    pub(super) fn listen(&mut self, reader: u64, wanted: Listening) -> Listening {
        let Some(reader) = self.readers.get_mut(&reader) else { return Listening::Ends };
        let before = mem::replace(&mut reader.listening, wanted);
        if reader.everything.is_some() || !reader.changed.is_empty() {
            reader.ring();
        }
        before
    }

    /// Whether something that a subscription follows changes without an event.
    pub(super) fn needs_polling(&self, reader: u64) -> bool {
        let follows =
            |path: &PathBuf| self.nodes.get(path).is_some_and(|node| node.readers.contains(&reader));
        let Some(known) = self.readers.get(&reader) else { return false };
        known.roots.values().any(Option::is_none) || self.uncertain.iter().any(follows)
    }

    /// Follows `folder` for a subscription.
    pub(super) fn follow(&mut self, queue: &Queue, id: u64, folder: &Path) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        // The outermost root: the more of the way is watched, the better.
        let root = match reader.roots.keys().find(|root| folder.starts_with(root)) {
            Some(root) => root.clone(),
            None => {
                reader.roots.insert(folder.to_path_buf(), identity(folder));
                folder.to_path_buf()
            }
        };
        let mut missing = Vec::new();
        for path in folder.ancestors() {
            // Whoever follows a folder follows the way to it.
            if self.nodes.get(path).is_some_and(|node| node.readers.contains(&id)) {
                break;
            }
            missing.push(path);
            if path == root {
                break;
            }
        }
        for path in missing.into_iter().rev() {
            match self.nodes.get_mut(path) {
                Some(node) => {
                    node.readers.insert(id);
                }
                None => {
                    let node = Node { standing: Standing::Missing, readers: BTreeSet::from([id]) };
                    self.nodes.insert(path.to_path_buf(), node);
                    self.look(queue, path);
                }
            }
            // What changed between the reader's look and ours is not known.
            if let Some(reader) = self.readers.get_mut(&id) {
                reader.add(path);
            }
        }
    }

    /// Takes in one event of the queue.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        if event.is_overflow() {
            self.overflows += 1;
            for reader in self.readers.values_mut() {
                reader.examine_everything(Reason::Overflow);
                self.suspects.extend(reader.roots.keys().cloned());
            }
            return;
        }
        // Of a watch that was given up while its events were on the way.
        let Some(folders) = event.watch.and_then(|watch| self.by_watch.get(&watch)) else { return };
        for folder in folders {
            let path = match event.name {
                Some(name) => folder.join(name),
                None => folder.clone(),
            };
            if let Some(node) = self.nodes.get(folder) {
                for id in &node.readers {
                    if let Some(reader) = self.readers.get_mut(id) {
                        reader.add(&path);
                    }
                }
            }
            if !event.is_contents_only() && self.nodes.contains_key(&path) {
                self.suspects.insert(path);
            }
        }
        if event.is_end_of_watch()
            && let Some(watch) = event.watch
        {
            for path in self.by_watch.remove(&watch).unwrap_or_default() {
                if let Some(node) = self.nodes.get_mut(&path) {
                    node.standing = Standing::Missing;
                }
                self.uncertain.remove(&path);
                self.suspects.insert(path);
            }
        }
    }

    /// Puts the roots of a subscription that lead elsewhere now among the suspects: nothing watches the
    /// way to a root. One stat(2) for each.
    pub(super) fn check_roots(&mut self, id: u64) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        for (root, known) in &mut reader.roots {
            let now = identity(root);
            if now != *known {
                *known = now;
                self.suspects.insert(root.clone());
            }
        }
    }

    /// Looks again at everything that may stand elsewhere now. What a watch that was refused for want of
    /// watches may have become is tried again too.
    pub(super) fn look_again(&mut self, queue: &Queue) {
        let refused = |path: &&PathBuf| {
            let standing = self.nodes.get(*path).map(|node| &node.standing);
            matches!(standing, Some(Standing::Unwatchable(Cause::Limit)))
        };
        // One is enough to see whether there are watches again; the rest follows with it.
        if let Some(path) = self.uncertain.iter().find(refused).cloned() {
            self.look(queue, &path);
            if self.nodes.get(&path).is_some_and(|node| !node.standing.is_uncertain()) {
                self.suspects.extend(self.uncertain.iter().cloned());
                self.suspects.insert(path);
            }
        }
        let mut done: Option<PathBuf> = None;
        for suspect in mem::take(&mut self.suspects) {
            // Suspects come in order, so those below one come behind it.
            if done.as_ref().is_some_and(|done| suspect.starts_with(done)) {
                continue;
            }
            let mut told = BTreeSet::new();
            for path in self.below(&suspect) {
                self.look(queue, &path);
                let Some(node) = self.nodes.get(&path) else { continue };
                for id in &node.readers {
                    if told.insert(*id)
                        && let Some(reader) = self.readers.get_mut(id)
                    {
                        reader.add(&path);
                    }
                }
            }
            done = Some(suspect);
        }
    }

    /// What changed for a subscription.
    pub(super) fn take(&mut self, id: u64) -> Changes {
        let Some(reader) = self.readers.get_mut(&id) else {
            return Changes::Everything(Reason::Unwatched);
        };
        let mut changed = mem::take(&mut reader.changed);
        if let Some(reason) = reader.everything.take() {
            return Changes::Everything(reason);
        }
        for path in &self.uncertain {
            if self.nodes.get(path).is_some_and(|node| node.readers.contains(&id)) {
                changed.insert(path.clone());
            }
        }
        // What stands below another path of the answer says nothing more.
        let mut last: Option<PathBuf> = None;
        changed.retain(|path| {
            let is_new = last.as_ref().is_none_or(|last| !path.starts_with(last));
            if is_new {
                last = Some(path.clone());
            }
            is_new
        });
        Changes::Paths(changed)
    }

    /// The next answers to all are [`Changes::Everything`].
    pub(super) fn examine_everything(&mut self, reason: Reason) {
        for reader in self.readers.values_mut() {
            reader.examine_everything(reason);
        }
    }

    /// What is watched and what cannot be.
    pub(super) fn status(&self) -> WatcherStatus {
        let mut troubles = Vec::new();
        let mut hidden = 0;
        for path in &self.uncertain {
            let Some(Standing::Unwatchable(cause)) = self.nodes.get(path).map(|node| &node.standing) else {
                continue;
            };
            let Some(trouble) = trouble(path, cause) else { continue };
            if troubles.len() < TROUBLES_SHOWN {
                troubles.push(trouble);
            } else {
                hidden += 1;
            }
        }
        let folders = self.by_watch.len() as u64;
        WatcherStatus { folders, overflows: self.overflows, troubles, troubles_hidden: hidden }
    }

    /// The nodes at and below `path`, parents first.
    fn below(&self, path: &Path) -> Vec<PathBuf> {
        let range = (Bound::Included(path), Bound::Unbounded);
        let nodes = self.nodes.range::<Path, _>(range);
        nodes.map(|(node, _)| node).take_while(|node| node.starts_with(path)).cloned().collect()
    }

    /// Finds out what stands at the path of a node, and watches it.
    fn look(&mut self, queue: &Queue, path: &Path) {
        let parent = path.parent().and_then(|parent| self.nodes.get(parent));
        let standing = match parent.and_then(|parent| parent.standing.of_child()) {
            Some(standing) => standing,
            None => self.examine(queue, path),
        };
        self.put(queue, path, standing);
    }

    fn examine(&self, queue: &Queue, path: &Path) -> Standing {
        if self.polled.iter().any(|polled| path.starts_with(polled)) {
            return Standing::Unwatchable(Cause::Setting);
        }
        // Innermost mounts come first.
        let mount = self.remote.iter().find(|mount| path.starts_with(&mount.path));
        if let Some(mount) = mount.filter(|mount| mount.is_remote()) {
            return Standing::Unwatchable(Cause::Remote(mount.kind.clone()));
        }
        let is_watched = self.nodes.get(path).is_some_and(|node| node.standing.watch().is_some());
        if !is_watched && self.by_watch.len() >= self.folders_max {
            return Standing::Unwatchable(Cause::Limit);
        }
        match queue.watch_folder(path, Links::Refuse) {
            Ok(watch) => Standing::Watched(watch),
            Err(error) => match error.errno_name() {
                Some("ENOENT") => Standing::Missing,
                Some("ENOTDIR" | "ELOOP") => examine_link(queue, path),
                _ => unwatchable(&error),
            },
        }
    }

    /// Notes what stands at the path of a node.
    fn put(&mut self, queue: &Queue, path: &Path, standing: Standing) {
        let Some(node) = self.nodes.get_mut(path) else { return };
        let (before, now) = (node.standing.watch(), standing.watch());
        if standing.is_uncertain() {
            self.uncertain.insert(path.to_path_buf());
        } else {
            self.uncertain.remove(path);
        }
        node.standing = standing;
        if before == now {
            return;
        }
        if let Some(watch) = now {
            self.by_watch.entry(watch).or_default().push(path.to_path_buf());
        }
        if let Some(watch) = before
            && let Some(paths) = self.by_watch.get_mut(&watch)
        {
            paths.retain(|known| known != path);
            if paths.is_empty() {
                self.by_watch.remove(&watch);
                queue.unwatch(watch);
            }
        }
    }
}

/// Something that is no folder, or a link to one.
fn examine_link(queue: &Queue, path: &Path) -> Standing {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink());
    if !is_link {
        return Standing::Missing;
    }
    match queue.watch_folder(path, Links::Follow) {
        Ok(watch) => Standing::Linked(watch),
        Err(error) => match error.errno_name() {
            Some("ENOENT" | "ENOTDIR" | "ELOOP") => Standing::Unwatchable(Cause::Link),
            _ => unwatchable(&error),
        },
    }
}

fn unwatchable(error: &SysError) -> Standing {
    let cause = match error.errno_name() {
        Some("ENOSPC" | "ENOMEM") => Cause::Limit,
        _ => Cause::System(error.to_string()),
    };
    Standing::Unwatchable(cause)
}

fn trouble(path: &Path, cause: &Cause) -> Option<Trouble> {
    let (reason, help) = match cause {
        Cause::Remote(kind) => (
            format!("the file system ({kind}) does not tell of changes made elsewhere"),
            "builds there look at every file; nothing is to be done",
        ),
        Cause::Setting => ("the setting `watch.polled_folders` names it".to_owned(), "nothing is to be done"),
        Cause::Limit => (
            "there are no more watches to be had".to_owned(),
            "raise `fs.inotify.max_user_watches`: `sysctl fs.inotify.max_user_watches=1048576`",
        ),
        Cause::System(words) => (words.clone(), "builds there look at every file"),
        // Ordinary, and no loss: it leads nowhere.
        Cause::Link => return None,
    };
    Some(Trouble { path: path.to_path_buf(), reason, help: help.to_owned() })
}

/// Device and inode of what stands at `root`, links followed.
fn identity(root: &Path) -> Option<(u64, u64)> {
    let stamp = vitte_sys::fs::stamp(root).ok().flatten()?;
    Some((stamp.device, stamp.inode))
}
