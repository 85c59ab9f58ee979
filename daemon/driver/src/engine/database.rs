//! The compiler's database over real folders: files are read when first asked for and again when
//! they have changed.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use salsa::{Durability, Setter};
use vitte_compiler::base::{ContentCache, Db, FileContents, SourceFile, SourcePath, SourceRoot};
use vitte_compiler::runtime;
use vitte_sys::fs::{FileKind, FileStamp};

use super::meter;
use crate::changes::Changes;

/// Largest source file: spans are 32 bits, and half of that is more than anyone writes.
const SOURCE_MAX: u64 = 1 << 31;
/// Revisions whose edits are remembered.
const EDITS_MAX: usize = 64;
/// A file that was written less than this before it was read may be written again without a change
/// of its times: the clock of file systems ticks every few milliseconds.
const TICK: Duration = Duration::from_millis(50);
/// Replaced contents that are kept, for whoever is behind by a few edits.
const REPLACED_MAX: usize = 256;

/// Which folders one database sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Folders {
    /// The folder of the root `""`.
    pub(crate) workspace: PathBuf,
    /// The other roots in order of preference.
    pub(crate) roots: Vec<(SourceRoot, PathBuf)>,
}

impl Folders {
    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.workspace.as_path()).chain(self.roots.iter().map(|(_, folder)| folder.as_path()))
    }

    fn folder(&self, root: &str) -> Option<&Path> {
        if root.is_empty() {
            return Some(&self.workspace);
        }
        self.roots.iter().find(|(known, _)| known.root == root).map(|(_, folder)| folder.as_path())
    }

    /// The source path of a place on disk; `None` when it is below no root.
    pub(crate) fn source_path(&self, place: &Path) -> Option<SourcePath> {
        let roots = self.roots.iter().map(|(root, folder)| (root.root.as_str(), folder.as_path()));
        std::iter::once(("", self.workspace.as_path())).chain(roots).find_map(|(root, folder)| {
            let path = place.strip_prefix(folder).ok()?.to_str()?;
            Some(SourcePath { root: root.into(), path: path.into() })
        })
    }

    /// Where a source path is on disk; `None` for the prelude.
    pub(crate) fn on_disk(&self, path: &SourcePath) -> Option<PathBuf> {
        self.folder(&path.root).map(|folder| folder.join(path.path.as_str()))
    }
}

/// One file that was asked for.
#[derive(Clone, Copy, Debug)]
struct Known {
    file: SourceFile,
    /// `None` when nothing was there.
    stamp: Option<FileStamp>,
    read_at: SystemTime,
    /// It cannot be read, for a reason that may go away without a change of the stamp.
    is_unreadable: bool,
}

impl Known {
    fn new(file: SourceFile, found: &Found) -> Self {
        let is_unreadable = matches!(found.contents, FileContents::Unreadable(_));
        Self { file, stamp: found.stamp, read_at: SystemTime::now(), is_unreadable }
    }

    /// Whether an equal stamp proves that the contents are still those that were read.
    fn is_settled(&self) -> bool {
        if self.is_unreadable {
            return false;
        }
        let Some(stamp) = self.stamp else { return true };
        let read_at = self.read_at.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as i128);
        read_at - stamp.modified_ns.max(stamp.changed_ns) > TICK.as_nanos() as i128
    }
}

/// What was found at a path.
struct Found {
    contents: FileContents,
    /// Taken before the contents were: a change in between is seen next time.
    stamp: Option<FileStamp>,
    /// It can change without a change in its folder: see [`crate::FileChanges`].
    is_elusive: bool,
}

/// Every file that was asked for.
#[derive(Debug, Default)]
struct KnownFiles {
    by_path: HashMap<SourcePath, Known>,
    /// The same by place on disk, in order, so that what is below a folder stands together.
    on_disk: BTreeMap<PathBuf, SourcePath>,
    /// Those that no watcher of folders covers.
    elusive: BTreeSet<SourcePath>,
    /// Folders of files that were asked for since the watcher was told.
    new_folders: BTreeSet<PathBuf>,
    /// Contents that changed, with the last revision that had them, oldest first.
    replaced: Vec<(u64, SourcePath, FileContents)>,
    /// All that changed after this revision is in `replaced`.
    replaced_since: u64,
}

impl KnownFiles {
    fn take_in(&mut self, path: &SourcePath, file: SourceFile, found: &Found) {
        self.by_path.insert(path.clone(), Known::new(file, found));
        if found.is_elusive {
            self.elusive.insert(path.clone());
        } else {
            self.elusive.remove(path);
        }
    }

    /// Keeps what was replaced when the revision `before` ended.
    fn keep_replaced(&mut self, before: u64, contents: Vec<(SourcePath, FileContents)>) {
        if contents.len() > REPLACED_MAX {
            self.replaced.clear();
            self.replaced_since = before + 1;
            return;
        }
        let excess = (self.replaced.len() + contents.len()).saturating_sub(REPLACED_MAX);
        if let Some((last, _, _)) = self.replaced.drain(..excess).next_back() {
            self.replaced_since = last + 1;
        }
        self.replaced.extend(contents.into_iter().map(|(path, contents)| (before, path, contents)));
    }

    /// The files at and below `place`.
    fn below<'a>(&'a self, place: &'a Path) -> impl Iterator<Item = (&'a PathBuf, &'a SourcePath)> {
        self.on_disk.range(place.to_path_buf()..).take_while(move |(known, _)| known.starts_with(place))
    }
}

/// Shared by all snapshots of one database.
#[derive(Debug)]
struct Files {
    folders: Folders,
    roots: Arc<[SourceRoot]>,
    known: Mutex<KnownFiles>,
    content: ContentCache,
}

/// The database of one set of folders. Clones are snapshots for reading.
#[salsa::db]
#[derive(Clone)]
pub(crate) struct Database {
    storage: salsa::Storage<Self>,
    files: Arc<Files>,
    /// Changes with the inputs; no two databases share one.
    revision: u64,
    /// How the last revisions came about, oldest first.
    edits: Arc<VecDeque<Edit>>,
}

/// One step from a revision to the next.
#[derive(Clone, Debug)]
struct Edit {
    before: u64,
    files: Vec<SourceFile>,
    /// Whether only contents changed: each file was text before and is now.
    is_plain: bool,
}

#[salsa::db]
impl salsa::Database for Database {}

#[salsa::db]
impl Db for Database {
    fn file(&self, path: &SourcePath) -> SourceFile {
        let mut known = self.files.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.by_path.get(path) {
            return known.file;
        }
        let make = |contents, durability| {
            SourceFile::builder(path.clone(), contents).durability(durability).new(self)
        };
        let Some(place) = self.files.folders.on_disk(path) else {
            let text = runtime::prelude_text(&path.path).filter(|_| path.root == runtime::CORE_ROOT);
            let contents = text.map_or(FileContents::Missing, |text| FileContents::Text(text.into()));
            let file = make(contents.clone(), Durability::NEVER_CHANGE);
            known.take_in(path, file, &Found { contents, stamp: None, is_elusive: false });
            return file;
        };
        let found = self.files.folders.read(path);
        // Dependencies are hardly ever edited: after an edit of the workspace, what comes of them alone is
        // not looked at. The durability of a file must never drop, because what depends on it could not
        // be cut off then, equal or not.
        let durability = if path.root.is_empty() { Durability::LOW } else { Durability::HIGH };
        let file = make(found.contents.clone(), durability);
        known.take_in(path, file, &found);
        if let Some(folder) = place.parent() {
            known.new_folders.insert(folder.to_path_buf());
        }
        known.on_disk.insert(place, path.clone());
        file
    }

    fn source_roots(&self) -> Arc<[SourceRoot]> {
        Arc::clone(&self.files.roots)
    }

    fn content_cache(&self) -> Option<&ContentCache> {
        Some(&self.files.content)
    }

    fn go_on(&self, stage: &str) {
        meter::go_on(stage);
    }
}

impl Database {
    pub(crate) fn new(folders: Folders) -> Self {
        let roots = folders.roots.iter().map(|(root, _)| root.clone()).collect();
        let revision = next_revision();
        let known = KnownFiles { replaced_since: revision, ..KnownFiles::default() };
        let files = Files { folders, roots, known: Mutex::new(known), content: ContentCache::default() };
        Self {
            storage: salsa::Storage::new(Some(Box::new(|event| meter::on_event(&event)))),
            files: Arc::new(files),
            revision,
            edits: Arc::default(),
        }
    }

    /// The files that were edited since `revision`, each once; `None` when more happened than that, or it
    /// is not known any more.
    pub(crate) fn edits_since(&self, revision: u64) -> Option<Vec<SourceFile>> {
        if revision == self.revision {
            return Some(Vec::new());
        }
        let mut files = BTreeMap::new();
        for edit in self.edits.iter().rev() {
            if !edit.is_plain {
                return None;
            }
            files.extend(edit.files.iter().map(|file| (file.path(self).clone(), *file)));
            if edit.before == revision {
                return Some(files.into_values().collect());
            }
        }
        None
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.files.folders
    }

    /// Equal revisions mean equal inputs.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// What the files that have changed since `revision` held then; `None` when that is not known any more.
    pub(crate) fn replaced_since(&self, revision: u64) -> Option<HashMap<SourcePath, FileContents>> {
        let known = self.files.known.lock().unwrap_or_else(PoisonError::into_inner);
        if revision < known.replaced_since {
            return None;
        }
        let later = known.replaced.iter().rev().take_while(|(last, _, _)| *last >= revision);
        // The oldest of several contents of one file comes last, and stays.
        Some(later.map(|(_, path, contents)| (path.clone(), contents.clone())).collect())
    }

    /// Every file that was ever asked for, whether it is there or not, in order.
    pub(crate) fn asked_for(&self) -> Vec<PathBuf> {
        let known = self.files.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.on_disk.keys().cloned().collect()
    }

    /// The folders of files that were asked for since this was called last.
    pub(crate) fn take_new_folders(&self) -> BTreeSet<PathBuf> {
        let mut known = self.files.known.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut known.new_folders)
    }

    /// Looks at every file that may have changed and takes in those that did. Cancels reads on
    /// snapshots only when there are any. Returns the number of changed files.
    pub(crate) fn refresh(&mut self, changes: &Changes) -> usize {
        let (mut changed, mut replaced) = (Vec::new(), Vec::new());
        {
            let mut known = self.files.known.lock().unwrap_or_else(PoisonError::into_inner);
            let candidates = candidates(&known, changes);
            let listings = Listings::of(&self.files.folders, candidates.keys());
            // In order of paths, so that equal changes make equal revisions.
            for (path, is_certain) in candidates {
                let Some(&before) = known.by_path.get(&path) else { continue };
                let stamp = |path| if listings.lack(path) { None } else { self.files.folders.stamp(path) };
                if !is_certain && before.is_settled() && stamp(&path) == before.stamp {
                    continue;
                }
                let found = self.files.folders.read(&path);
                known.take_in(&path, before.file, &found);
                let old = before.file.contents(self);
                if found.contents != old {
                    changed.push((before.file, found.contents));
                    replaced.push((path, old));
                }
            }
            if !replaced.is_empty() {
                known.keep_replaced(self.revision, replaced);
            }
        }
        let count = changed.len();
        if count > 0 {
            let is_text = |contents: &FileContents| matches!(contents, FileContents::Text(_));
            let is_plain = changed.iter().all(|(file, now)| is_text(&file.contents(self)) && is_text(now));
            let files = changed.iter().map(|(file, _)| *file).collect();
            let edits = Arc::make_mut(&mut self.edits);
            edits.push_back(Edit { before: self.revision, files, is_plain });
            if edits.len() > EDITS_MAX {
                edits.pop_front();
            }
            self.revision = next_revision();
        }
        for (file, contents) in changed {
            file.set_contents(self).to(contents);
        }
        count
    }
}

fn next_revision() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The files that may have changed, in order, and whether each certainly has to be read.
fn candidates(known: &KnownFiles, changes: &Changes) -> BTreeMap<SourcePath, bool> {
    match changes {
        Changes::Everything(_) => known.on_disk.values().map(|path| (path.clone(), false)).collect(),
        Changes::Paths(places) => {
            let mut found: BTreeMap<SourcePath, bool> =
                known.elusive.iter().map(|path| (path.clone(), false)).collect();
            for place in places {
                for (file, path) in known.below(place) {
                    // A write within one tick of the clock leaves the stamp as it was.
                    *found.entry(path.clone()).or_default() |= file == place;
                }
            }
            found
        }
    }
}

/// What is in the folders of many files: most files that a program asks for are not there, and one look into a
/// folder tells it of all of them.
struct Listings<'a> {
    folders: &'a Folders,
    /// Names in lower case, because there are folders that do not tell the case; `None` for a folder that is not
    /// there.
    names: HashMap<PathBuf, Option<HashSet<String>>>,
}

/// Files of one folder from which on it is listed.
const LISTED_MIN: usize = 6;

impl<'a> Listings<'a> {
    /// Looks into the folders of `paths` where that is worth it.
    fn of<'p>(folders: &'a Folders, paths: impl Iterator<Item = &'p SourcePath>) -> Self {
        let mut counts: HashMap<PathBuf, usize> = HashMap::new();
        for path in paths {
            if let Some(mut place) = folders.on_disk(path)
                && place.pop()
            {
                *counts.entry(place).or_default() += 1;
            }
        }
        counts.retain(|_, count| *count >= LISTED_MIN);
        let listed = counts.into_keys().filter_map(|folder| match std::fs::read_dir(&folder) {
            Ok(entries) => {
                let lower = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().to_lowercase();
                let names: std::io::Result<HashSet<String>> = entries.map(|entry| entry.map(lower)).collect();
                Some((folder, Some(names.ok()?)))
            }
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Some((folder, None)),
                // Whatever that means, each file says it itself.
                _ => None,
            },
        });
        Self { folders, names: listed.collect() }
    }

    /// Whether nothing is at `path`, as far as was looked.
    fn lack(&self, path: &SourcePath) -> bool {
        let Some(place) = self.folders.on_disk(path) else { return false };
        let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else { return false };
        match self.names.get(folder) {
            None => false,
            Some(None) => true,
            // Other letters have more than two cases.
            Some(Some(names)) => {
                name.is_ascii() && !names.contains(&*name.to_ascii_lowercase().to_string_lossy())
            }
        }
    }
}

impl Folders {
    /// The file's real path, when it is inside its root.
    fn real(&self, path: &SourcePath) -> Result<Option<PathBuf>, String> {
        let Some(folder) = self.folder(&path.root) else { return Ok(None) };
        let plain = folder.join(path.path.as_str());
        match std::fs::canonicalize(&plain) {
            Ok(real) if real.starts_with(folder) => Ok(Some(real)),
            Ok(_) => Err("a symbolic link leads out of the workspace".into()),
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(words(&error)),
            },
        }
    }

    /// How the file looks; `None` when it is not there or cannot be looked at.
    fn stamp(&self, path: &SourcePath) -> Option<FileStamp> {
        let real = self.real(path).ok().flatten()?;
        vitte_sys::fs::stamp(&real).ok().flatten()
    }

    /// What stands at `path`.
    fn read(&self, path: &SourcePath) -> Found {
        let is_elusive = self.on_disk(path).is_some_and(|place| is_elusive(&place));
        let (contents, stamp) = self.contents(path);
        // Why it cannot be read may be anywhere.
        let is_elusive = is_elusive || matches!(contents, FileContents::Unreadable(_));
        Found { contents, stamp, is_elusive }
    }

    /// What stands at `path`, and how it looked before that was read.
    pub(crate) fn contents(&self, path: &SourcePath) -> (FileContents, Option<FileStamp>) {
        let real = match self.real(path) {
            Ok(Some(real)) => real,
            Ok(None) => return (FileContents::Missing, None),
            Err(reason) => return (FileContents::Unreadable(reason.into()), None),
        };
        let stamp = match vitte_sys::fs::stamp(&real) {
            Ok(Some(stamp)) => stamp,
            Ok(None) => return (FileContents::Missing, None),
            Err(error) => return (FileContents::Unreadable(words(&error.to_io()).into()), None),
        };
        // `use a/b` looks for `a/b.vit`; a folder of that name is not a module.
        if stamp.kind == FileKind::Directory {
            return (FileContents::Folder, Some(stamp));
        }
        let contents = match vitte_sys::fs::read_at_most(&real, SOURCE_MAX) {
            Ok(bytes) => decode(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return (FileContents::Missing, None);
            }
            Err(error) => FileContents::Unreadable(words(&error.to_io()).into()),
        };
        (contents, Some(stamp))
    }
}

/// Whether the file's contents can change without a change in its folder: through a link's target, or
/// through another name.
fn is_elusive(place: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(place)
        .is_ok_and(|data| data.is_symlink() || (data.is_file() && data.nlink() > 1))
}

/// Text without byte-order mark, or the first bad byte.
fn decode(bytes: Vec<u8>) -> FileContents {
    match String::from_utf8(bytes) {
        Ok(text) => FileContents::Text(text.strip_prefix('\u{feff}').unwrap_or(&text).into()),
        Err(error) => FileContents::NotUtf8(error.utf8_error().valid_up_to() as u32),
    }
}

/// The system's words without its number, which says nothing to most.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::changes::Reason;

    fn database(folder: &Path) -> Database {
        Database::new(Folders { workspace: folder.canonicalize().unwrap(), roots: Vec::new() })
    }

    #[test]
    fn contents_say_what_stands_there() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.vit"), "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("dir.vit")).unwrap();
        std::fs::write(at("bom.vit"), "\u{feff}hi").unwrap();
        std::fs::write(at("bad.vit"), b"ab\xff").unwrap();
        std::fs::write(at("empty.vit"), "").unwrap();
        std::os::unix::fs::symlink(at("bom.vit"), at("link.vit")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.vit"), at("out.vit")).unwrap();
        let db = database(folder.path());
        let contents = |name: &str| db.file(&SourcePath::workspace(name)).contents(&db);
        assert_eq!(contents("none.vit"), FileContents::Missing);
        assert_eq!(contents("none/none.vit"), FileContents::Missing);
        assert_eq!(contents("bom.vit/below.vit"), FileContents::Missing);
        assert_eq!(contents("dir.vit"), FileContents::Folder);
        assert_eq!(contents("bom.vit"), FileContents::Text("hi".into()));
        assert_eq!(contents("link.vit"), FileContents::Text("hi".into()));
        assert_eq!(contents("empty.vit"), FileContents::Text("".into()));
        assert_eq!(contents("bad.vit"), FileContents::NotUtf8(2));
        assert!(matches!(contents("out.vit"), FileContents::Unreadable(_)));
        let prelude = SourcePath { root: runtime::CORE_ROOT.into(), path: runtime::PRELUDE_PATH.into() };
        assert!(matches!(db.file(&prelude).contents(&db), FileContents::Text(_)));
    }

    #[test]
    fn replaced_contents_are_kept_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = database(folder.path());
        let path = SourcePath::workspace("a.vit");
        db.file(&path);
        let first = db.revision();
        let mut save = |text: &str| {
            std::fs::write(folder.path().join("a.vit"), text).unwrap();
            assert_eq!(db.refresh(&Changes::Everything(Reason::First)), 1);
            (db.revision(), db.replaced_since(first), db.replaced_since(db.revision()))
        };
        let (second, since_first, since_second) = save("0");
        assert_eq!(since_first.unwrap()[&path], FileContents::Missing);
        assert!(since_second.unwrap().is_empty());
        for number in 1..REPLACED_MAX {
            save(&number.to_string());
        }
        assert!(save("last").1.is_none(), "that was too long ago");
        assert_eq!(db.replaced_since(second).unwrap()[&path], FileContents::Text("0".into()));
    }

    #[test]
    fn changes_are_seen_and_only_they() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = database(folder.path());
        let path = SourcePath::workspace("a.vit");
        let file = db.file(&path);
        assert_eq!(file.contents(&db), FileContents::Missing);
        assert_eq!(db.refresh(&Changes::Everything(Reason::First)), 0);
        // Each write is of equal length, and faster than the file system's clock.
        for text in ["1", "2", "3", "4"] {
            std::fs::write(folder.path().join("a.vit"), text).unwrap();
            assert_eq!(db.refresh(&Changes::Everything(Reason::First)), 1);
            assert_eq!(file.contents(&db), FileContents::Text(text.into()));
            assert_eq!(db.refresh(&Changes::Everything(Reason::First)), 0);
        }
        std::fs::remove_file(folder.path().join("a.vit")).unwrap();
        assert_eq!(db.refresh(&Changes::Everything(Reason::First)), 1);
        assert_eq!(file.contents(&db), FileContents::Missing);
        assert_eq!(db.file(&path), file);
    }
}
