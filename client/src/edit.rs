//! Edits of files: which of them go together, and how a file changes whole or not at all.
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// A replacement of some bytes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// First byte.
    pub start: usize,
    /// One past the last; the same as `start` to insert.
    pub end: usize,
    /// What stands there afterwards.
    pub replacement: String,
}

/// The edits that can be made together, in order of place, as indices: of those that touch each other the first, and of
/// equal ones one. Two insertions at one place touch each other: nobody knows which comes first.
pub fn compatible(edits: &[Edit]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..edits.len()).collect();
    order.sort_by_key(|&index| (edits[index].start, edits[index].end, index));
    let mut chosen: Vec<usize> = Vec::new();
    for index in order {
        let edit = &edits[index];
        let apart = chosen.last().is_none_or(|&last| {
            let before: &Edit = &edits[last];
            let both_empty = before.start == before.end && edit.start == edit.end;
            before.end < edit.start || (before.end == edit.start && !both_empty)
        });
        if edit.start <= edit.end && apart {
            chosen.push(index);
        }
    }
    chosen
}

/// The text after edits that are in order and do not overlap; `None` if one is outside of the text or cuts a character.
pub fn applied<'e>(text: &str, edits: impl IntoIterator<Item = &'e Edit>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.start)?);
        text.get(edit.start..edit.end)?;
        out.push_str(&edit.replacement);
        at = edit.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Replaces a file's contents so that at any moment it has the old ones or the new ones.
///
/// # Errors
/// When the file or its folder cannot be written; the old contents stay.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    // The file itself, not a link to it.
    let path = path.canonicalize()?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let fresh = path.with_file_name(name);
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::metadata(&path)?.permissions())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    })();
    if written.is_err() {
        // What cannot be removed is left behind; the first error is the one to tell.
        let _ = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn edit(start: usize, end: usize, replacement: &str) -> Edit {
        Edit { start, end, replacement: replacement.to_owned() }
    }

    fn after(text: &str, edits: &[Edit]) -> Option<String> {
        applied(text, compatible(edits).into_iter().map(|index| &edits[index]))
    }

    #[test]
    fn edits_are_made_in_order_of_place() {
        let edits = [edit(4, 5, "y"), edit(0, 3, "set"), edit(8, 8, ";")];
        assert_eq!(after("let x = 1", &edits).unwrap(), "set y = ;1");
    }

    #[test]
    fn of_edits_that_touch_the_first_is_made() {
        assert_eq!(after("abcd", &[edit(0, 2, "x"), edit(1, 3, "y")]).unwrap(), "xcd");
        assert_eq!(after("abcd", &[edit(1, 1, "x"), edit(1, 1, "y")]).unwrap(), "axbcd");
        assert_eq!(after("abcd", &[edit(0, 2, "x"), edit(2, 4, "y")]).unwrap(), "xy");
        assert_eq!(after("abcd", &[edit(0, 2, "x"), edit(0, 2, "x")]).unwrap(), "xcd");
    }

    #[test]
    fn edits_outside_of_the_text_are_refused() {
        assert_eq!(after("é", &[edit(1, 2, "x")]), None);
        assert_eq!(after("a", &[edit(2, 3, "x")]), None);
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vit");
        fs::write(&path, "old").unwrap();
        let before = fs::metadata(&path).unwrap().permissions();
        replace(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("b.vit"), "new").is_err());
    }
}
