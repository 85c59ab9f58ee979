//! Files as their digests: compared, and carried as bytes.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use vitte_compiler::base::{FileContents, SourcePath};

use super::super::portable_name;
use crate::api::{Cause, CauseKind};
use crate::digest::sha256;

/// What stood at a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct FileFact {
    /// SHA-256 of the text, lower-case hex, or why there was no text.
    digest: String,
    /// A digest of each line.
    lines: Vec<u32>,
    /// What its `use` lines say, in order.
    imports: Vec<String>,
}

impl FileFact {
    /// `None` for a file that is not there. Takes time in proportion to the text.
    pub(super) fn of(contents: &FileContents) -> Option<Self> {
        let without_text = |digest| Self { digest, lines: Vec::new(), imports: Vec::new() };
        match contents {
            FileContents::Missing | FileContents::Folder => None,
            FileContents::NotUtf8(offset) => Some(without_text(format!("not text from {offset}"))),
            FileContents::Unreadable(reason) => Some(without_text(format!("unreadable: {reason}"))),
            FileContents::Text(text) => Some(Self {
                digest: sha256(text.as_bytes()),
                lines: text.split('\n').map(line_digest).collect(),
                imports: text.lines().filter_map(import).map(str::to_owned).collect(),
            }),
        }
    }
}

/// What a `use` line says; `None` for other lines.
fn import(line: &str) -> Option<&str> {
    Some(line.trim().strip_prefix("use ")?.trim())
}

/// 32-bit FNV-1a. That two lines have one digest makes the lines that are named fewer, and nothing else.
fn line_digest(line: &str) -> u32 {
    line.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A file in a record's list of changes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Entry {
    /// It was looked at and there.
    There(FileFact),
    /// It was looked for and not there.
    Missing,
    /// Nobody asked for it.
    Unasked,
}

impl Entry {
    /// How many lines it stands for.
    pub(super) fn lines(&self) -> usize {
        match self {
            Self::There(fact) => fact.lines.len(),
            Self::Missing | Self::Unasked => 0,
        }
    }
}

/// A file of a program.
#[derive(Clone, Debug)]
struct Seen {
    path: SourcePath,
    /// `None` when it was looked for and not there.
    fact: Option<Arc<FileFact>>,
    /// The text that the fact is of, where this process has seen it.
    contents: Option<FileContents>,
}

impl Seen {
    /// Takes in what stands there now.
    fn bring_up_to(&mut self, contents: &FileContents, changed: &mut Vec<Changed>) {
        if self.contents.as_ref().is_some_and(|old| is_same(old, contents)) {
            return;
        }
        let fact = FileFact::of(contents).map(Arc::new);
        if self.fact.as_ref().map(|old| &old.digest) != fact.as_ref().map(|new| &new.digest) {
            let old = std::mem::replace(&mut self.fact, fact.clone());
            changed.push(Changed { path: self.path.clone(), old: Some(old), new: Some(fact) });
        }
        self.contents = Some(contents.clone());
    }
}

/// All files of a program, in order of path.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<Seen>);

/// What became of a file.
#[derive(Debug)]
pub(super) struct Changed {
    path: SourcePath,
    /// The outer `None` when nobody asked for it; the inner one when it was not there.
    old: Option<Option<Arc<FileFact>>>,
    new: Option<Option<Arc<FileFact>>>,
}

impl Changed {
    /// Why something was built anew, if this is a reason.
    pub(super) fn cause(&self) -> Option<Cause> {
        let digest = |fact: &FileFact| fact.digest.clone();
        let name = portable_name(&self.path);
        match (&self.old, &self.new) {
            (Some(Some(old)), Some(Some(new))) => Some(text_cause(CauseKind::File, name, old, new)),
            (Some(None), Some(Some(new))) => {
                Some(Cause { kind: CauseKind::Appeared, name, new: digest(new), ..Cause::default() })
            }
            (Some(Some(old)), Some(None)) => {
                Some(Cause { kind: CauseKind::Gone, name, old: digest(old), ..Cause::default() })
            }
            (None, Some(Some(new))) => {
                Some(Cause { kind: CauseKind::Joined, name, new: digest(new), ..Cause::default() })
            }
            (Some(Some(old)), None) => {
                Some(Cause { kind: CauseKind::Left, name, old: digest(old), ..Cause::default() })
            }
            // Nothing was there, and nothing is.
            (Some(None) | None, Some(None) | None) => None,
        }
    }

    /// The same for a record's list of changes.
    pub(super) fn into_entry(self) -> (String, Entry) {
        let entry = match self.new {
            Some(Some(fact)) => Entry::There(Arc::unwrap_or_clone(fact)),
            Some(None) => Entry::Missing,
            None => Entry::Unasked,
        };
        (portable_name(&self.path), entry)
    }
}

fn text_cause(kind: CauseKind, name: String, old: &FileFact, new: &FileFact) -> Cause {
    let (first_line, last_line) = changed_lines(&old.lines, &new.lines);
    let without = |these: &FileFact, those: &FileFact| {
        these.imports.iter().filter(|import| !those.imports.contains(import)).cloned().collect()
    };
    Cause {
        kind,
        name,
        old: old.digest.clone(),
        new: new.digest.clone(),
        first_line,
        last_line,
        imports_added: without(new, old),
        imports_removed: without(old, new),
    }
}

/// What differs in the manifests that a plan was read from.
pub(super) fn manifest_causes(
    old: &BTreeMap<String, FileFact>,
    new: &[(String, FileContents)],
) -> impl Iterator<Item = Cause> {
    let mut causes = Vec::new();
    for (name, contents) in new {
        let Some(fact) = FileFact::of(contents) else { continue };
        match old.get(name) {
            Some(before) if before.digest == fact.digest => {}
            Some(before) => causes.push(text_cause(CauseKind::Manifest, name.clone(), before, &fact)),
            None => causes.push(Cause {
                kind: CauseKind::Manifest,
                name: name.clone(),
                new: fact.digest,
                ..Cause::default()
            }),
        }
    }
    for (name, before) in old {
        if !new.iter().any(|(other, _)| other == name) {
            let (kind, name, old) = (CauseKind::Manifest, name.clone(), before.digest.clone());
            causes.push(Cause { kind, name, old, ..Cause::default() });
        }
    }
    causes.into_iter()
}

/// The lines of `new`, from 1, between what both begin and what both end with.
fn changed_lines(old: &[u32], new: &[u32]) -> (u32, u32) {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - prefix;
    let suffix = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let first = prefix as u32 + 1;
    (first, (new.len() - suffix).max(prefix + 1) as u32)
}

/// Whether two contents are equal, without a look into a text that is the same object.
fn is_same(one: &FileContents, two: &FileContents) -> bool {
    match (one, two) {
        (FileContents::Text(one), FileContents::Text(two)) => Arc::ptr_eq(one, two),
        _ => one == two,
    }
}

impl Files {
    /// Brings these up to `files`, in order of path, of which those in `before` held something else; says what is
    /// different. A look at each file, and more at those that changed.
    pub(super) fn bring_up_to(
        &mut self,
        files: &[(SourcePath, FileContents)],
        before: &HashMap<SourcePath, FileContents>,
    ) -> Vec<Changed> {
        let held = |path, contents| {
            // Most of the time there are none, and there are many files.
            if before.is_empty() { contents } else { before.get(path).unwrap_or(contents) }
        };
        let are_same = self.0.len() == files.len()
            && self.0.iter().zip(files).all(|(seen, (path, _))| seen.path == *path);
        let mut changed = Vec::new();
        if are_same {
            for (seen, (path, contents)) in self.0.iter_mut().zip(files) {
                seen.bring_up_to(held(path, contents), &mut changed);
            }
            return changed;
        }
        let mut old = std::mem::take(&mut self.0).into_iter().peekable();
        for (path, contents) in files {
            let contents = held(path, contents);
            while let Some(gone) = old.next_if(|seen| seen.path < *path) {
                changed.push(Changed { path: gone.path, old: Some(gone.fact), new: None });
            }
            let seen = match old.next_if(|seen| seen.path == *path) {
                Some(mut seen) => {
                    seen.bring_up_to(contents, &mut changed);
                    seen
                }
                None => {
                    let fact = FileFact::of(contents).map(Arc::new);
                    changed.push(Changed { path: path.clone(), old: None, new: Some(fact.clone()) });
                    Seen { path: path.clone(), fact, contents: Some(contents.clone()) }
                }
            };
            self.0.push(seen);
        }
        changed.extend(old.map(|gone| Changed { path: gone.path, old: Some(gone.fact), new: None }));
        changed
    }

    /// Brings files that were read from a blob up to date.
    pub(super) fn apply(&mut self, changes: &BTreeMap<String, Entry>) {
        self.0.retain(|seen| !changes.contains_key(&portable_name(&seen.path)));
        for (name, entry) in changes {
            let fact = match entry {
                Entry::There(fact) => Some(Arc::new(fact.clone())),
                Entry::Missing => None,
                Entry::Unasked => continue,
            };
            self.0.push(Seen { path: path_of(name), fact, contents: None });
        }
        self.0.sort_by(|one, two| one.path.cmp(&two.path));
    }

    /// As bytes: for each file its name, whether it is there, digest, imports and lines. Lengths and lines are
    /// 32 bits, little-endian.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let put = |out: &mut Vec<u8>, text: &str| {
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        for seen in &self.0 {
            put(&mut out, &portable_name(&seen.path));
            let Some(fact) = &seen.fact else {
                out.push(0);
                continue;
            };
            out.push(1);
            put(&mut out, &fact.digest);
            put(&mut out, &fact.imports.join("\n"));
            out.extend_from_slice(&(fact.lines.len() as u32).to_le_bytes());
            out.extend(fact.lines.iter().flat_map(|line| line.to_le_bytes()));
        }
        out
    }

    /// What [`Files::encode`] made; `None` for other bytes.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        let mut files = Vec::new();
        while !rest.is_empty() {
            let name = take_text(rest)?;
            let (is_there, after) = rest.split_first()?;
            *rest = after;
            let fact = match is_there {
                0 => None,
                _ => {
                    let (digest, imports) = (take_text(rest)?.to_owned(), take_text(rest)?);
                    let imports = imports.lines().map(str::to_owned).collect();
                    let length = take_length(rest)?.checked_mul(4)?;
                    let lines = take(rest, length)?;
                    let lines = lines.as_chunks().0.iter().map(|line| u32::from_le_bytes(*line)).collect();
                    Some(Arc::new(FileFact { digest, lines, imports }))
                }
            };
            files.push(Seen { path: path_of(name), fact, contents: None });
        }
        Some(Self(files))
    }
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let bytes = take(rest, 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

fn take_text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let length = take_length(rest)?;
    std::str::from_utf8(take(rest, length)?).ok()
}

/// What [`portable_name`] called so.
fn path_of(name: &str) -> SourcePath {
    let (root, path) = name.split_once('\t').unwrap_or(("", name));
    SourcePath { root: root.into(), path: path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_new_text() {
        let lines = |text: &str| text.split('\n').map(line_digest).collect::<Vec<_>>();
        let changed = |old: &str, new: &str| changed_lines(&lines(old), &lines(new));
        assert_eq!(changed("a\nb\nc", "a\nB\nc"), (2, 2));
        assert_eq!(changed("a\nb\nc", "a\nb1\nb2\nc"), (2, 3));
        assert_eq!(changed("a\nb\nc", "a\nc"), (2, 2));
        assert_eq!(changed("a\na", "a\na\na"), (3, 3));
        assert_eq!(changed("", "a"), (1, 1));
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_no_list() {
        let text = |text: &str| FileContents::Text(text.into());
        let given = [
            ("a.vit", text("use b\nx\n")),
            ("b.vit", FileContents::Missing),
            ("c.vit", FileContents::NotUtf8(7)),
            ("d.vit", text("")),
        ];
        let given = given.map(|(path, contents)| (SourcePath::workspace(path), contents));
        let none = HashMap::new();
        let mut files = Files::default();
        assert_eq!(files.bring_up_to(&given, &none).len(), 4);
        assert_eq!(files.bring_up_to(&given, &none).len(), 0);
        let bytes = files.encode();
        let read = Files::decode(&bytes).map(|mut files| files.bring_up_to(&given, &none).len());
        assert_eq!(read, Some(0));
        for end in 1..bytes.len() {
            // Cut between two files it is a shorter list; elsewhere it is none.
            if let Some(files) = Files::decode(&bytes[..end]) {
                assert!(files.0.len() < 4);
            }
        }
    }
}
