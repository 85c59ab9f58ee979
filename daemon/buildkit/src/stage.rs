//! What is installed: one list, in order of path, that every format is written from.
use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;

/// What a file is to a package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A program.
    Binary,
    /// Kept on upgrade when the user has changed it.
    Config,
    /// Documentation.
    Doc,
    /// The licence.
    License,
    /// Anything else.
    Other,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File(Vec<u8>),
    /// A symbolic link to this path.
    Link(String),
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits: 0755 or 0644, unless the manifest says otherwise.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
    /// What is in it.
    pub content: Content,
}

impl Entry {
    /// Its bytes; none for a link.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::File(bytes) => bytes,
            Content::Link(_) => &[],
        }
    }
}

/// Files by where they are installed: absolute paths without the leading `/`, with `/` between names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    entries: BTreeMap<String, Entry>,
}

/// Longest path that every format has room for.
const PATH_MAX: usize = 240;

/// The path without a leading `/`, if it names something inside of the tree in one way only.
///
/// # Errors
/// In words.
pub(crate) fn checked_path(path: &str) -> Result<&str, String> {
    let inside = path.strip_prefix('/').unwrap_or(path);
    if inside.is_empty() || inside.len() > PATH_MAX {
        return Err(format!("`{path}` is empty or longer than {PATH_MAX} bytes"));
    }
    for name in inside.split('/') {
        if name.is_empty() || name == "." || name == ".." {
            return Err(format!("`{path}` has a part that is empty, `.` or `..`"));
        }
    }
    if inside.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | ':')) {
        return Err(format!("`{path}` has a letter that not every system takes"));
    }
    Ok(inside)
}

impl Stage {
    /// Adds an entry; `field` is what names it.
    ///
    /// # Errors
    /// [`Error::Input`] for a path that leaves the tree, is taken, or runs through a file.
    pub fn add(&mut self, path: &str, entry: Entry, field: &str) -> Result<(), Error> {
        let help = "give each file one absolute path of plain names";
        let inside =
            checked_path(path).map_err(|message| Error::input("PKG_E_PATH", field, message, help))?;
        let lower = inside.to_lowercase();
        let taken = self.entries.keys().find(|known| {
            let known = known.to_lowercase();
            known == lower
                || known.starts_with(&format!("{lower}/"))
                || lower.starts_with(&format!("{known}/"))
        });
        if let Some(taken) = taken {
            let message = format!("`/{inside}` is listed twice, or stands in the way of `/{taken}`");
            return Err(Error::input("PKG_E_DUPLICATE_FILE", field, message, "list each file once"));
        }
        if let Content::Link(target) = &entry.content
            && leaves(inside, target)
        {
            let message = format!("the link `/{inside}` leads out of the package, to `{target}`");
            let help = "link to a file of the package by a relative path";
            return Err(Error::input("PKG_E_LINK", field, message, help));
        }
        self.entries.insert(inside.to_owned(), entry);
        Ok(())
    }

    /// All entries in order of path.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The folders above the entries, in order.
    pub fn folders(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for path in self.entries.keys() {
            all.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.entries.values().map(|entry| entry.bytes().len() as u64).sum()
    }

    /// Whether nothing is installed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Whether a link at `path` leads above the root.
pub(crate) fn leaves(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return true;
    }
    let mut depth = path.matches('/').count() as i64;
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// The contents of a file of the package folder `root`, which no path of `field` may leave, not even by a link.
pub(crate) fn read_inside(root: &Path, path: &str, field: &str) -> Result<Entry, Error> {
    let wrong = |code, message: String, help: &str| Error::input(code, field, message, help);
    let inside = checked_path(path)
        .map_err(|message| wrong("PKG_E_PATH", message, "give a relative path without `..`"))?;
    if path.starts_with('/') {
        let message = format!("`{path}` is not inside the package");
        return Err(wrong("PKG_E_PATH", message, "give a path relative to the package's folder"));
    }
    let place = root.join(inside);
    let real = vitte_sys::fs::canonical(&place).map_err(|reason| {
        wrong(
            "PKG_E_FILE_MISSING",
            format!("`{path}` cannot be read: {reason}"),
            "create it or correct the path",
        )
    })?;
    let home = vitte_sys::fs::canonical(root).map_err(|reason| {
        wrong(
            "PKG_E_FILE_MISSING",
            format!("the package's folder cannot be read: {reason}"),
            "check its permissions",
        )
    })?;
    if !real.starts_with(&home) {
        let message = format!("`{path}` is a link that leads out of the package");
        return Err(wrong("PKG_E_LINK", message, "copy the file into the package"));
    }
    if !real.is_file() {
        return Err(wrong("PKG_E_FILE_MISSING", format!("`{path}` is not a file"), "list files one by one"));
    }
    let bytes = vitte_sys::fs::read(&real).map_err(|reason| {
        wrong("PKG_E_FILE_UNREADABLE", format!("`{path}` cannot be read: {reason}"), "check its permissions")
    })?;
    let mode = if vitte_sys::fs::is_executable(&real) { 0o755 } else { 0o644 };
    Ok(Entry { mode, kind: Kind::Other, content: Content::File(bytes) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file() -> Entry {
        Entry { mode: 0o644, kind: Kind::Other, content: Content::File(b"x".to_vec()) }
    }

    #[test]
    fn paths_stay_inside_and_are_there_once() {
        let mut stage = Stage::default();
        stage.add("/usr/bin/a", file(), "f").unwrap();
        for bad in [
            "/usr/bin/a",
            "/usr/bin/A",
            "/usr/bin",
            "/usr/bin/a/b",
            "../x",
            "/a//b",
            "",
            "/a/./b",
            "c:\\x",
            "a\nb",
        ] {
            assert!(stage.add(bad, file(), "f").is_err(), "{bad:?}");
        }
        stage.add("usr/bin/b", file(), "f").unwrap();
        assert_eq!(stage.folders(), ["usr", "usr/bin"]);
        assert_eq!(stage.entries().map(|(path, _)| path).collect::<Vec<_>>(), ["usr/bin/a", "usr/bin/b"]);
    }

    #[test]
    fn links_stay_inside() {
        assert!(leaves("usr/bin/a", "/etc/passwd") && leaves("usr/bin/a", "../../../x") && leaves("a", ".."));
        assert!(!leaves("usr/bin/a", "../lib/x") && !leaves("usr/bin/a", "b"));
    }
}
