//! Which file a `use` path names (§2.4 of the reference).
use std::sync::Arc;

use smol_str::SmolStr;

use crate::base::{Db, FileContents, Name, SourceFile, SourcePath};
use crate::lower::hir::UseAnchor;
use crate::runtime::{CORE_ROOT, LIBRARY};

/// A module that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundModule {
    /// Its file.
    pub file: SourceFile,
    /// A later candidate at the same root that exists too and is not used.
    pub shadowed: Option<SourceFile>,
}

/// No candidate exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleNotFound {
    /// Every path that was looked at, in order, each once.
    pub tried: Vec<SourcePath>,
}

/// Whether anything stands at a file's path.
///
/// A query of its own so that an edit of an imported file does not resolve its importers' `use`s again.
#[salsa::tracked(returns(copy))]
pub fn exists(db: &dyn Db, file: SourceFile) -> bool {
    match file.contents(db) {
        FileContents::Missing | FileContents::Folder => false,
        FileContents::Text(_) | FileContents::NotUtf8(_) | FileContents::Unreadable(_) => true,
    }
}

/// Why the file cannot be read, if something stands there that cannot.
#[salsa::tracked(returns(clone))]
pub fn unreadable(db: &dyn Db, file: SourceFile) -> Option<Arc<str>> {
    match file.contents(db) {
        FileContents::Unreadable(reason) => Some(reason),
        FileContents::Missing | FileContents::Folder | FileContents::Text(_) | FileContents::NotUtf8(_) => {
            None
        }
    }
}

/// Finds the file of the module `path` for a `use` in `from`.
///
/// Candidates that do not exist become inputs of the calling query as well, so creating one later
/// resolves the `use` again.
///
/// # Errors
/// The candidates, if none of them exists.
pub fn resolve_module(
    db: &dyn Db,
    from: SourceFile,
    anchor: UseAnchor,
    path: &[Name],
) -> Result<FoundModule, ModuleNotFound> {
    let mut tried = Vec::new();
    for base in bases(db, from.path(db), anchor, path) {
        let mut found = None;
        for candidate in candidates(&base) {
            let file = db.file(&candidate);
            if exists(db, file) {
                match found {
                    None => found = Some(file),
                    Some(first) => return Ok(FoundModule { file: first, shadowed: Some(file) }),
                }
            } else if !tried.contains(&candidate) {
                tried.push(candidate);
            }
        }
        if let Some(file) = found {
            return Ok(FoundModule { file, shadowed: None });
        }
    }
    Err(ModuleNotFound { tried })
}

/// Every file at which [`resolve_module`] looks for the module, in order: what its answer depends on.
pub fn looked_at(db: &dyn Db, from: SourceFile, anchor: UseAnchor, path: &[Name]) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for base in bases(db, from.path(db), anchor, path) {
        let start = files.len();
        files.extend(candidates(&base).map(|candidate| db.file(&candidate)));
        if files.iter().skip(start).any(|file| exists(db, *file)) {
            break;
        }
    }
    files
}

/// The paths, without extension, at which the module may be: one for each root of the search.
fn bases(db: &dyn Db, from: &SourcePath, anchor: UseAnchor, path: &[Name]) -> Vec<SourcePath> {
    let here: Vec<&str> = match from.path.rsplit_once('/') {
        Some((folder, _)) => folder.split('/').collect(),
        None => Vec::new(),
    };
    let mut bases = Vec::new();
    match anchor {
        UseAnchor::Relative(up) => {
            if let Some(depth) = here.len().checked_sub(up as usize) {
                bases.push(join(&from.root, &here[..depth], path));
            }
        }
        UseAnchor::Search => {
            for depth in (0..=here.len()).rev() {
                let folder = &here[..depth];
                bases.push(join(&from.root, folder, path));
                // Programs write `use src/a` and `use a` for one file, from inside `src` and outside.
                match (folder.last(), path.first().map(Name::as_str)) {
                    (Some(&"src"), Some("src")) if path.len() > 1 => {
                        bases.push(join(&from.root, folder, &path[1..]))
                    }
                    (_, Some("src")) => {}
                    _ => {
                        let mut below = folder.to_vec();
                        below.push("src");
                        bases.push(join(&from.root, &below, path));
                    }
                }
            }
            for root in db.source_roots().iter() {
                let rest = match (&root.first_segment, path) {
                    (None, path) => path,
                    (Some(name), [first, rest @ ..]) if name == first => rest,
                    (Some(_), _) => continue,
                };
                bases.push(join(&root.root, &[], rest));
                if rest.first().map(Name::as_str) != Some("src") {
                    bases.push(join(&root.root, &["src"], rest));
                } else if rest.len() > 1 {
                    bases.push(join(&root.root, &[], &rest[1..]));
                }
            }
            bases.extend(in_library(path));
        }
    }
    bases
}

/// Where the standard library has the module. Last, so that a program may bring a library of its own.
fn in_library(path: &[Name]) -> Option<SourcePath> {
    let path = match path {
        [first, rest @ ..] if first == "src" => rest,
        path => path,
    };
    let inside = path.len() > LIBRARY.len() && path.iter().zip(LIBRARY).all(|(name, part)| name == part);
    inside.then(|| join(&SmolStr::new_static(CORE_ROOT), &[], path))
}

fn join(root: &SmolStr, folder: &[&str], path: &[Name]) -> SourcePath {
    let segments: Vec<&str> = folder.iter().copied().chain(path.iter().map(Name::as_str)).collect();
    SourcePath { root: root.clone(), path: segments.join("/").into() }
}

/// The files that may hold the module at `base`, best first.
fn candidates(base: &SourcePath) -> impl Iterator<Item = SourcePath> + '_ {
    let path = &base.path;
    // An empty base is the root itself (`use PACKAGE`), which can only be a folder.
    let (files, folder): (&[&str], &str) =
        if path.is_empty() { (&[], "") } else { (&[".vit", ".vitl"], "/") };
    let as_file = files.iter().map(move |extension| format!("{path}{extension}"));
    let as_folder = ["mod.vit", "index.vit"].into_iter().map(move |name| format!("{path}{folder}{name}"));
    as_file.chain(as_folder).map(|path| SourcePath { root: base.root.clone(), path: path.into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::resolve_module;
    use crate::base::testing::TestDb;
    use crate::base::{Name, SourceRoot};
    use crate::lower::hir::UseAnchor;

    fn find(db: &TestDb, from: &str, anchor: UseAnchor, path: &str) -> String {
        let path: Vec<Name> = path.split('/').map(Name::new).collect();
        match resolve_module(db, db.source(from), anchor, &path) {
            Ok(found) => {
                let also = found.shadowed.map(|f| format!(" (also {})", f.path(db))).unwrap_or_default();
                format!("{}{also}", found.file.path(db))
            }
            Err(error) => error.tried.iter().map(|p| format!("{p}\n")).collect(),
        }
    }

    #[test]
    fn nearest_folder_wins_then_src_then_the_library() {
        let db = TestDb::new(
            "//- src/app/main.vit\n//- src/app/util.vit\n//- util.vit\n//- src/net/mod.vit\n//- <lib>/std/time.vitl\n//- src/two.vit\n//- src/two/mod.vit\n",
        );
        let search = |path| find(&db, "src/app/main.vit", UseAnchor::Search, path);
        assert_eq!(search("util"), "src/app/util.vit");
        assert_eq!(search("net"), "src/net/mod.vit");
        assert_eq!(search("src/net"), "src/net/mod.vit");
        assert_eq!(search("src/app/util"), "src/app/util.vit");
        assert_eq!(search("std/time"), "<lib>/std/time.vitl");
        assert_eq!(search("two"), "src/two.vit (also src/two/mod.vit)");
        assert_eq!(find(&db, "main.vit", UseAnchor::Search, "app/util"), "src/app/util.vit");
    }

    #[test]
    fn relative_paths_do_not_search() {
        let db = TestDb::new("//- a/b/main.vit\n//- a/x.vit\n//- a/b/y.vit\n");
        assert_eq!(find(&db, "a/b/main.vit", UseAnchor::Relative(0), "y"), "a/b/y.vit");
        assert_eq!(find(&db, "a/b/main.vit", UseAnchor::Relative(1), "x"), "a/x.vit");
        assert_eq!(
            find(&db, "a/b/main.vit", UseAnchor::Relative(0), "x"),
            "a/b/x.vit\na/b/x.vitl\na/b/x/mod.vit\na/b/x/index.vit\n"
        );
        assert_eq!(find(&db, "a/b/main.vit", UseAnchor::Relative(3), "x"), "");
    }

    #[test]
    fn packages_are_selected_by_their_first_segment() {
        let root = SourceRoot { root: "pkg:json".into(), first_segment: Some("json".into()) };
        let db = TestDb::with_roots(
            "//- main.vit\n//- <pkg:json>/src/parse.vit\n//- <pkg:json>/src/mod.vit\n",
            &[root],
        );
        assert_eq!(find(&db, "main.vit", UseAnchor::Search, "json/parse"), "<pkg:json>/src/parse.vit");
        assert_eq!(find(&db, "main.vit", UseAnchor::Search, "json"), "<pkg:json>/src/mod.vit");
    }

    #[test]
    fn the_standard_library_comes_last_and_shows_nothing_else_of_its_root() {
        let db = TestDb::new("//- src/main.vit\n//- src/vitte/stdlib/io.vit\n");
        let search = |path| find(&db, "src/main.vit", UseAnchor::Search, path);
        assert_eq!(search("vitte/stdlib/os"), "<core>/vitte/stdlib/os.vit");
        assert_eq!(search("src/vitte/stdlib/os/file"), "<core>/vitte/stdlib/os/file.vit");
        assert_eq!(search("vitte/stdlib/io"), "src/vitte/stdlib/io.vit");
        for hidden in ["syscalls", "core/syscalls", "vitte/stdlib/syscalls", "vitte/stdlib/memory"] {
            assert!(search(hidden).starts_with("src/"), "{hidden} was found: {}", search(hidden));
        }
    }

    #[test]
    fn creating_a_candidate_resolves_again() {
        let mut db = TestDb::new("//- main.vit\n");
        assert!(find(&db, "main.vit", UseAnchor::Search, "later").starts_with("later.vit\n"));
        db.set("later.vit", "");
        assert_eq!(find(&db, "main.vit", UseAnchor::Search, "later"), "later.vit");
    }
}
