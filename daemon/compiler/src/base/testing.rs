//! An in-memory database for tests, filled from fixtures.
//!
//! A fixture is several files in one string, each after a line `//- PATH`:
//!
//! ```text
//! //- main.vit
//! use demo/money
//! proc main() -> int { give money.one() }
//! //- demo/money.vit
//! export *
//! proc one() -> int { give 1 }
//! ```
//!
//! `//- <lib>/a.vit` stands below the root `lib` (see [`SourcePath`]). A fixture without any such line
//! is `main.vit`. Paths of the root `core` come from the embedded prelude unless the fixture has them.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use salsa::Setter;
use smol_str::SmolStr;

use super::content::ContentCache;
use super::db::{Db, FileContents, Options, Program, SourceFile, SourcePath, SourceRoot};

/// A database over a fixture. Every path that was never set is [`FileContents::Missing`].
#[salsa::db]
#[derive(Clone)]
pub struct TestDb {
    storage: salsa::Storage<Self>,
    files: Arc<Mutex<BTreeMap<SourcePath, SourceFile>>>,
    roots: Arc<[SourceRoot]>,
    executed: Arc<Mutex<Vec<String>>>,
    content: Arc<ContentCache>,
    first: SourcePath,
}

#[salsa::db]
impl salsa::Database for TestDb {}

#[salsa::db]
impl Db for TestDb {
    fn file(&self, path: &SourcePath) -> SourceFile {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&file) = files.get(path) {
            return file;
        }
        let contents = match core_text(path) {
            Some(text) => FileContents::Text(text.into()),
            None => FileContents::Missing,
        };
        let file = SourceFile::new(self, path.clone(), contents);
        files.insert(path.clone(), file);
        file
    }

    fn source_roots(&self) -> Arc<[SourceRoot]> {
        self.roots.clone()
    }

    fn content_cache(&self) -> Option<&ContentCache> {
        Some(&self.content)
    }
}

impl TestDb {
    /// A database with the files of `fixture` and the library root `lib`.
    pub fn new(fixture: &str) -> Self {
        let lib = SourceRoot { root: SmolStr::new_static("lib"), first_segment: None };
        Self::with_roots(fixture, &[lib])
    }

    /// A database with the files of `fixture` and these roots.
    pub fn with_roots(fixture: &str, roots: &[SourceRoot]) -> Self {
        let executed = Arc::<Mutex<Vec<String>>>::default();
        let log = executed.clone();
        let storage = salsa::Storage::new(Some(Box::new(move |event: salsa::Event| {
            if let salsa::EventKind::WillExecute { database_key } = event.kind {
                log.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{database_key:?}"));
            }
        })));
        let files = split_fixture(fixture);
        let first = files.first().map_or_else(|| SourcePath::workspace("main.vit"), |(path, _)| path.clone());
        let mut db = Self {
            storage,
            files: Arc::default(),
            roots: roots.into(),
            executed,
            content: Arc::default(),
            first,
        };
        for (path, text) in files {
            db.set_contents(&path, FileContents::Text(text.into()));
        }
        db
    }

    /// The file at `path` (as after `//-`), missing or not.
    pub fn source(&self, path: &str) -> SourceFile {
        self.file(&parse_path(path))
    }

    /// Replaces or creates a file; a new revision begins.
    pub fn set(&mut self, path: &str, text: &str) {
        self.set_contents(&parse_path(path), FileContents::Text(text.into()));
    }

    /// Deletes a file; a new revision begins.
    pub fn remove(&mut self, path: &str) {
        self.set_contents(&parse_path(path), FileContents::Missing);
    }

    /// Replaces what stands at a path; a new revision begins.
    pub fn set_contents(&mut self, path: &SourcePath, contents: FileContents) {
        let file = self.file(path);
        file.set_contents(self).to(contents);
    }

    /// The program whose entry is the first file of the fixture, with default options.
    pub fn program(&self) -> Program {
        self.program_with(Options::default())
    }

    /// The program whose entry is the first file of the fixture.
    pub fn program_with(&self, options: Options) -> Program {
        Program::new(self, self.file(&self.first), self.roots.to_vec(), options)
    }

    /// The queries that ran since the last call, as `name(key)`, in order. For tests of early cutoff.
    pub fn take_executed(&self) -> Vec<String> {
        std::mem::take(&mut *self.executed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `<lib>/a.vit` or `a.vit`.
fn parse_path(path: &str) -> SourcePath {
    match path.strip_prefix('<').and_then(|rest| rest.split_once(">/")) {
        Some((root, path)) => SourcePath { root: SmolStr::new(root), path: SmolStr::new(path) },
        None => SourcePath::workspace(path),
    }
}

fn split_fixture(fixture: &str) -> Vec<(SourcePath, String)> {
    let mut files: Vec<(SourcePath, String)> = Vec::new();
    for line in fixture.split_inclusive('\n') {
        if let Some(path) = line.strip_prefix("//- ") {
            files.push((parse_path(path.trim()), String::new()));
        } else {
            if files.is_empty() && !line.trim().is_empty() {
                files.push((SourcePath::workspace("main.vit"), String::new()));
            }
            if let Some((_, text)) = files.last_mut() {
                text.push_str(line);
            }
        }
    }
    files
}

fn core_text(path: &SourcePath) -> Option<&'static str> {
    if path.root != "core" {
        return None;
    }
    crate::runtime::prelude_text(&path.path)
}
