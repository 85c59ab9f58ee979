//! The compiler's database over real folders: files are read when first asked for and again when
//! they have changed.
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use salsa::{Durability, Setter};
use vitte_compiler::base::{Db, FileContents, SourceFile, SourcePath, SourceRoot};
use vitte_compiler::runtime;
use vitte_sys::fs::{FileKind, FileStamp};

use super::meter;

/// Largest source file: spans are 32 bits, and half of that is more than anyone writes.
const SOURCE_MAX: u64 = 1 << 31;
/// A file that was written less than this before it was read may be written again without a change
/// of its times: the clock of file systems ticks every few milliseconds.
const TICK: Duration = Duration::from_millis(50);

/// Which folders one database sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Folders {
    /// The folder of the root `""`.
    pub(crate) workspace: PathBuf,
    /// The other roots in order of preference.
    pub(crate) roots: Vec<(SourceRoot, PathBuf)>,
}

impl Folders {
    fn folder(&self, root: &str) -> Option<&Path> {
        if root.is_empty() {
            return Some(&self.workspace);
        }
        self.roots.iter().find(|(known, _)| known.root == root).map(|(_, folder)| folder.as_path())
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
}

impl Known {
    /// Whether an equal stamp proves that the contents are still those that were read.
    fn is_settled(&self) -> bool {
        let Some(stamp) = self.stamp else { return true };
        let read_at = self.read_at.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as i128);
        read_at - stamp.modified_ns.max(stamp.changed_ns) > TICK.as_nanos() as i128
    }
}

/// Shared by all snapshots of one database.
#[derive(Debug)]
struct Files {
    folders: Folders,
    roots: Arc<[SourceRoot]>,
    known: Mutex<HashMap<SourcePath, Known>>,
}

/// The database of one set of folders. Clones are snapshots for reading.
#[salsa::db]
#[derive(Clone)]
pub(crate) struct Database {
    storage: salsa::Storage<Self>,
    files: Arc<Files>,
    /// Counts the changes of inputs.
    revision: u64,
}

#[salsa::db]
impl salsa::Database for Database {}

#[salsa::db]
impl Db for Database {
    fn file(&self, path: &SourcePath) -> SourceFile {
        let mut known = self.files.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(path) {
            return known.file;
        }
        let is_prelude = path.root == runtime::CORE_ROOT;
        let (contents, stamp) = if is_prelude {
            let text = runtime::prelude_text(&path.path);
            (text.map_or(FileContents::Missing, |text| FileContents::Text(text.into())), None)
        } else {
            self.files.folders.read(path)
        };
        let durability = if is_prelude { Durability::HIGH } else { Durability::LOW };
        let file = SourceFile::builder(path.clone(), contents).durability(durability).new(self);
        known.insert(path.clone(), Known { file, stamp, read_at: SystemTime::now() });
        file
    }

    fn source_roots(&self) -> Arc<[SourceRoot]> {
        Arc::clone(&self.files.roots)
    }
}

impl Database {
    pub(crate) fn new(folders: Folders) -> Self {
        let roots = folders.roots.iter().map(|(root, _)| root.clone()).collect();
        let files = Files { folders, roots, known: Mutex::default() };
        Self {
            storage: salsa::Storage::new(Some(Box::new(|event| meter::on_event(&event)))),
            files: Arc::new(files),
            revision: 0,
        }
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.files.folders
    }

    /// Equal revisions mean equal inputs.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Looks at every file that was ever asked for and takes in those that changed. Cancels reads on
    /// snapshots only when something did. Returns the number of changed files.
    pub(crate) fn refresh(&mut self) -> usize {
        let mut changed = Vec::new();
        {
            let mut known = self.files.known.lock().unwrap_or_else(PoisonError::into_inner);
            // In order of paths, so that equal changes make equal revisions.
            let by_path: BTreeMap<_, _> = known.iter_mut().collect();
            for (path, known) in by_path {
                if path.root == runtime::CORE_ROOT {
                    continue;
                }
                let now = self.files.folders.stamp(path);
                if now == known.stamp && known.is_settled() {
                    continue;
                }
                let (contents, stamp) = self.files.folders.read(path);
                known.stamp = stamp;
                known.read_at = SystemTime::now();
                if contents != known.file.contents(self) {
                    changed.push((known.file, contents));
                }
            }
        }
        let count = changed.len();
        self.revision += u64::from(count > 0);
        for (file, contents) in changed {
            file.set_contents(self).to(contents);
        }
        count
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

    fn stamp(&self, path: &SourcePath) -> Option<FileStamp> {
        let real = self.real(path).ok().flatten()?;
        vitte_sys::fs::stamp(&real).ok().flatten()
    }

    /// What stands at `path`. The stamp is taken first: a change in between is seen next time.
    pub(super) fn read(&self, path: &SourcePath) -> (FileContents, Option<FileStamp>) {
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
            return (FileContents::Missing, Some(stamp));
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
        assert_eq!(contents("dir.vit"), FileContents::Missing);
        assert_eq!(contents("bom.vit"), FileContents::Text("hi".into()));
        assert_eq!(contents("link.vit"), FileContents::Text("hi".into()));
        assert_eq!(contents("empty.vit"), FileContents::Text("".into()));
        assert_eq!(contents("bad.vit"), FileContents::NotUtf8(2));
        assert!(matches!(contents("out.vit"), FileContents::Unreadable(_)));
        let prelude = SourcePath { root: runtime::CORE_ROOT.into(), path: runtime::PRELUDE_PATH.into() };
        assert!(matches!(db.file(&prelude).contents(&db), FileContents::Text(_)));
    }

    #[test]
    fn changes_are_seen_and_only_they() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = database(folder.path());
        let path = SourcePath::workspace("a.vit");
        let file = db.file(&path);
        assert_eq!(file.contents(&db), FileContents::Missing);
        assert_eq!(db.refresh(), 0);
        // Each write is of equal length, and faster than the file system's clock.
        for text in ["1", "2", "3", "4"] {
            std::fs::write(folder.path().join("a.vit"), text).unwrap();
            assert_eq!(db.refresh(), 1);
            assert_eq!(file.contents(&db), FileContents::Text(text.into()));
            assert_eq!(db.refresh(), 0);
        }
        std::fs::remove_file(folder.path().join("a.vit")).unwrap();
        assert_eq!(db.refresh(), 1);
        assert_eq!(file.contents(&db), FileContents::Missing);
        assert_eq!(db.file(&path), file);
    }
}
