//! The database trait and its inputs: all that the compiler knows of the outside.
use std::sync::Arc;

use smol_str::SmolStr;

use super::content::ContentCache;

/// A file's name as the compiler sees it: a root and a `/`-separated path below it.
///
/// Roots: `""` is the workspace, `"pkg:NAME"` a dependency, `"lib"` the library path, `"core"` the
/// compiler's own prelude. No absolute path ever reaches the compiler, so equal checkouts in two
/// directories give equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePath {
    /// Which root the path is below.
    pub root: SmolStr,
    /// Normalised relative path: no `.`, `..`, empty segment or leading slash.
    pub path: SmolStr,
}

impl SourcePath {
    /// A path below the workspace root.
    pub fn workspace(path: &str) -> Self {
        Self { root: SmolStr::default(), path: SmolStr::new(path) }
    }
}

impl std::fmt::Display for SourcePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.root.is_empty() {
            write!(f, "{}", self.path)
        } else {
            write!(f, "<{}>/{}", self.root, self.path)
        }
    }
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContents {
    /// No such file. Also an input: creating the file later invalidates whoever looked.
    Missing,
    /// A folder stands there. For a `use` that is as if nothing did.
    Folder,
    /// Valid UTF-8, byte-order mark removed.
    Text(Arc<str>),
    /// Bytes that are not UTF-8; the offset of the first bad byte.
    NotUtf8(u32),
    /// There is something, but it cannot be read; the reason in words.
    Unreadable(Arc<str>),
}

/// A path and what stands there.
#[salsa::input(debug)]
pub struct SourceFile {
    /// Its name.
    #[returns(ref)]
    pub path: SourcePath,
    /// Its present contents.
    #[returns(clone)]
    pub contents: FileContents,
}

/// A place where `use` looks for modules after the importing file's own ancestors (§2.4 of the reference).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceRoot {
    /// `pkg:NAME` or `lib`, see [`SourcePath`].
    pub root: SmolStr,
    /// For a package: the first segment that selects it (its name). `None` for the library path.
    pub first_segment: Option<SmolStr>,
}

/// How hard to optimise. `-O0` to `-O3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptLevel {
    /// Nothing.
    O0,
    /// Every pass, small inlining budget. The default.
    #[default]
    O1,
    /// Larger inlining budget.
    O2,
    /// Largest inlining budget.
    O3,
}

/// Everything of a build plan that can change what the compiler says or makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Target triple; empty means `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// Optimisation level.
    pub opt_level: OptLevel,
    /// Names of passes switched off (`vitte emit --disable-pass NAME`).
    pub disabled_passes: Vec<String>,
    /// Emit DWARF line tables and frames.
    pub debug_info: bool,
    /// Reject import cycles (`RES0065`).
    pub strict: bool,
    /// Make a runner of the program's tests in the place of its `main`.
    pub tests: bool,
}

/// One program or library to compile.
#[salsa::input(debug)]
pub struct Program {
    /// The file that holds `main`.
    #[returns(copy)]
    pub entry: SourceFile,
    /// Where else modules may be, in order of preference.
    #[returns(ref)]
    pub roots: Vec<SourceRoot>,
    /// See [`Options`].
    #[returns(ref)]
    pub options: Options,
}

/// What the compiler asks of whoever drives it.
#[salsa::db]
pub trait Db: salsa::Database {
    /// The file at `path`, made on first request. Must give the same input for the same path.
    fn file(&self, path: &SourcePath) -> SourceFile;

    /// The library roots of the program being compiled (§2.4).
    ///
    /// One database serves one set of roots; a program with others gets a database of its own.
    fn source_roots(&self) -> Arc<[SourceRoot]>;

    /// What was made from equal content before, in any revision, if that is kept.
    fn content_cache(&self) -> Option<&ContentCache> {
        None
    }

    /// A query has its inputs and begins with its own work, which belongs to `stage`: for whoever measures
    /// where time goes. Changes no result.
    fn go_on(&self, _stage: &str) {}
}
