//! What stands at the files of a program, as part of a key.
use sha2::{Digest as _, Sha256};
use vitte_compiler::base::{FileContents, SourcePath};
use vitte_store::ActionKey;

use crate::engine::Folders;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fingerprint {
    /// Nothing.
    Missing,
    /// A folder.
    Folder,
    /// A text with this SHA-256.
    Text([u8; 32]),
    /// Bytes that are no text, from this offset on.
    NotUtf8(u32),
}

impl Fingerprint {
    /// `None` for what cannot be read.
    fn of(contents: &FileContents) -> Option<Self> {
        match contents {
            FileContents::Missing => Some(Self::Missing),
            FileContents::Folder => Some(Self::Folder),
            FileContents::Text(text) => Some(Self::Text(Sha256::digest(text.as_bytes()).into())),
            FileContents::NotUtf8(offset) => Some(Self::NotUtf8(*offset)),
            FileContents::Unreadable(_) => None,
        }
    }

    fn hash_into(self, hash: &mut Vec<u8>) {
        match self {
            Self::Missing => hash.push(0),
            Self::Text(digest) => {
                hash.push(1);
                hash.extend_from_slice(&digest);
            }
            Self::NotUtf8(offset) => {
                hash.push(2);
                hash.extend_from_slice(&offset.to_le_bytes());
            }
            Self::Folder => hash.push(3),
        }
    }
}

/// The files that decide what a program is, with what stood there, in order of path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramInputs {
    files: Vec<(SourcePath, Fingerprint)>,
}

impl ProgramInputs {
    /// Of contents at hand; `None` when some could not be read.
    pub(crate) fn of(files: Vec<(SourcePath, FileContents)>) -> Option<Self> {
        let files = files.into_iter().map(|(path, contents)| Some((path, Fingerprint::of(&contents)?)));
        Some(Self { files: files.collect::<Option<_>>()? })
    }

    /// Of what stands on disk now, and that itself; `None` when some cannot be read.
    pub(crate) fn read(
        folders: &Folders,
        files: Vec<SourcePath>,
    ) -> Option<(Self, Vec<(SourcePath, FileContents)>)> {
        let mut contents = Vec::with_capacity(files.len());
        let files = files.into_iter().map(|path| {
            let found = folders.contents(&path).0;
            let fingerprint = Fingerprint::of(&found)?;
            contents.push((path.clone(), found));
            Some((path, fingerprint))
        });
        let files = files.collect::<Option<_>>()?;
        Some((Self { files }, contents))
    }

    /// The key of the action: `plan` with these files.
    pub(crate) fn key(&self, plan: &ActionKey) -> ActionKey {
        let mut bytes = Vec::with_capacity(self.files.len() * 64);
        for (path, fingerprint) in &self.files {
            for text in [&path.root, &path.path] {
                bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            fingerprint.hash_into(&mut bytes);
        }
        ActionKey::of(&[b"vitte.action.v1", plan.as_bytes(), &bytes])
    }

    /// The paths alone, a line each.
    pub(crate) fn list(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (path, _) in &self.files {
            out.extend_from_slice(super::portable_name(path).as_bytes());
            out.push(b'\n');
        }
        out
    }

    /// The files that exist with their digests, a line each: what a result was made from.
    pub(crate) fn existing(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (path, fingerprint) in &self.files {
            if let Fingerprint::Text(digest) = fingerprint {
                out.extend_from_slice(crate::digest::hex(digest).as_bytes());
                out.push(b'\t');
                out.extend_from_slice(super::portable_name(path).as_bytes());
                out.push(b'\n');
            }
        }
        out
    }
}

/// The reverse of [`ProgramInputs::list`]; `None` when it is none.
pub(super) fn decode_list(bytes: &[u8]) -> Option<Vec<SourcePath>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let path = |line: &str| {
        let (root, path) = line.split_once('\t')?;
        Some(SourcePath { root: root.into(), path: path.into() })
    };
    text.lines().map(path).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn inputs(files: &[(&str, FileContents)]) -> Option<ProgramInputs> {
        ProgramInputs::of(
            files.iter().map(|(path, contents)| (SourcePath::workspace(path), contents.clone())).collect(),
        )
    }

    #[test]
    fn keys_tell_what_stands_where() {
        let plan = ActionKey::of(&[b"plan"]);
        let key = |files: &[(&str, FileContents)]| inputs(files).unwrap().key(&plan);
        let text = |text: &str| FileContents::Text(text.into());
        let all = [
            key(&[("a.vit", text("x"))]),
            key(&[("a.vit", text("y"))]),
            key(&[("b.vit", text("x"))]),
            key(&[("a.vit", FileContents::Missing)]),
            key(&[("a.vit", FileContents::Folder)]),
            key(&[("a.vit", FileContents::NotUtf8(0))]),
            key(&[("a.vit", text("x")), ("b.vit", FileContents::Missing)]),
            inputs(&[("a.vit", text("x"))]).unwrap().key(&ActionKey::of(&[b"other"])),
        ];
        for (index, key) in all.iter().enumerate() {
            assert!(!all[..index].contains(key), "{index}");
        }
        assert_eq!(inputs(&[("a.vit", FileContents::Unreadable("busy".into()))]), None);
    }

    #[test]
    fn lists_are_read_back() {
        let some =
            inputs(&[("a.vit", FileContents::Missing), ("b/c.vit", FileContents::Text("".into()))]).unwrap();
        let paths = decode_list(&some.list()).unwrap();
        assert_eq!(paths, [SourcePath::workspace("a.vit"), SourcePath::workspace("b/c.vit")]);
        assert_eq!(decode_list(b"no tab"), None);
        assert_eq!(decode_list(b"\xff"), None);
    }
}
