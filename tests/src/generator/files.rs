//! Texts by path, and how they reach the disk.
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// A set of texts by path, `/` between folders, relative to the project's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, String>);

/// How an editor saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveStyle {
    /// Truncates the file and writes it.
    InPlace,
    /// Writes another file beside it and renames that one over it.
    Replace,
}

impl Files {
    /// Adds or replaces a text.
    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.0.insert(path.into(), text.into());
    }

    /// The text at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// All paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All paths and texts, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Writes all of them below `folder`, which is made if needed.
    ///
    /// # Errors
    /// When a file or folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        self.replace(&Self::default(), folder, SaveStyle::InPlace)
    }

    /// Turns a folder that holds `old` into one that holds `self`; touches what differs, and nothing
    /// else. A text that only moved is renamed, as a file manager does. Folders that are empty then
    /// go as well.
    ///
    /// # Errors
    /// When something cannot be written, renamed or removed.
    pub fn replace(&self, old: &Self, folder: &Path, style: SaveStyle) -> io::Result<()> {
        let mut gone: Vec<(&str, &str)> = old.iter().filter(|(path, _)| self.get(path).is_none()).collect();
        for (path, text) in self.iter() {
            if old.get(path) == Some(text) {
                continue;
            }
            let target = folder.join(path);
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
            }
            let moved = gone.iter().position(|(_, gone_text)| *gone_text == text);
            if let (Some(index), None) = (moved, old.get(path)) {
                let (source, _) = gone.swap_remove(index);
                std::fs::rename(folder.join(source), &target)?;
                remove_empty_parents(folder, source);
                continue;
            }
            save(&target, text, style)?;
        }
        for (path, _) in gone {
            std::fs::remove_file(folder.join(path))?;
            remove_empty_parents(folder, path);
        }
        Ok(())
    }
}

/// Saves one text over whatever stands at `path`.
///
/// # Errors
/// When it cannot be written or renamed.
pub fn save(path: &Path, text: &str, style: SaveStyle) -> io::Result<()> {
    match style {
        SaveStyle::InPlace => std::fs::write(path, text),
        SaveStyle::Replace => {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".saving~");
            std::fs::write(&beside, text)?;
            std::fs::rename(&beside, path)
        }
    }
}

fn remove_empty_parents(folder: &Path, path: &str) {
    for parent in Path::new(path).ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
        // The first that still holds something ends it.
        if std::fs::remove_dir(folder.join(parent)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn on_disk(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap().flatten() {
                let path = entry.path();
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_folder_becomes_what_the_set_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = Files::default();
        one.insert("a/x", "1");
        one.insert("a/y", "2");
        one.insert("b/z", "3");
        one.write(folder.path()).unwrap();
        assert_eq!(on_disk(folder.path()), ["a", "a/x", "a/y", "b", "b/z"]);
        for style in [SaveStyle::InPlace, SaveStyle::Replace] {
            let mut two = Files::default();
            two.insert("a/x", "changed");
            two.insert("c/d/z", "3");
            two.replace(&one, folder.path(), style).unwrap();
            assert_eq!(on_disk(folder.path()), ["a", "a/x", "c", "c/d", "c/d/z"]);
            assert_eq!(std::fs::read_to_string(folder.path().join("a/x")).unwrap(), "changed");
            one.replace(&two, folder.path(), style).unwrap();
            assert_eq!(on_disk(folder.path()), ["a", "a/x", "a/y", "b", "b/z"]);
        }
    }
}
