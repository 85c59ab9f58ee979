//! The lock file: which versions of a package's dependencies were chosen, with their digests.
//!
//! It stands beside the package, as `FILE.lock`, and is canonical JSON: sorted, so that equal choices give equal
//! bytes.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::{Deserialize, Serialize};
use vitte_sys::fs::Durability;

use crate::error::LoadError;

/// The version of the format that is read and written.
const FORMAT: u64 = 1;
/// Longest lock file, in bytes.
const BYTES_MAX: u64 = 4 << 20;

/// What was chosen, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lock(BTreeMap<String, Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    version: Version,
    digest: String,
    file: String,
}

/// The file. Fields are in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u64,
    packages: Vec<Package>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    file: String,
    id: String,
    sha256: String,
    version: String,
}

impl Lock {
    /// Of names, versions, digests and names of files.
    pub(crate) fn of(entries: impl IntoIterator<Item = (String, Version, String, String)>) -> Self {
        let entries = entries.into_iter();
        Self(entries.map(|(id, version, digest, file)| (id, Entry { version, digest, file })).collect())
    }

    /// The version of a package that was chosen.
    pub(crate) fn version(&self, id: &str) -> Option<&Version> {
        self.0.get(id).map(|entry| &entry.version)
    }

    /// The digest of the file of this version of a package, if that is what was chosen.
    pub(crate) fn digest(&self, id: &str, version: &Version) -> Option<&str> {
        self.0.get(id).filter(|entry| entry.version == *version).map(|entry| entry.digest.as_str())
    }

    /// The lock file of the package in `path`.
    pub(crate) fn path_of(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// Reads a lock file; `None` if there is none.
    ///
    /// # Errors
    /// [`LoadError::Lock`].
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, LoadError> {
        let broken = |message: String| LoadError::Lock { path: path.to_owned(), message };
        let bytes = match vitte_sys::fs::read_at_most(path, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(error.to_string())),
        };
        let File { format, packages } =
            serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if format != FORMAT {
            return Err(broken(format!("its format is {format}; this version reads {FORMAT}")));
        }
        let mut entries = BTreeMap::new();
        for Package { file, id, sha256, version } in packages {
            let version = version.parse().map_err(|error| broken(format!("`{version}`: {error}")))?;
            entries.insert(id, Entry { version, digest: sha256, file });
        }
        Ok(Some(Self(entries)))
    }

    /// Its bytes.
    fn bytes(&self) -> Result<Vec<u8>, String> {
        let packages = self.0.iter().map(|(id, Entry { version, digest, file })| Package {
            file: file.clone(),
            id: id.clone(),
            sha256: digest.clone(),
            version: version.to_string(),
        });
        let file = File { format: FORMAT, packages: packages.collect() };
        let mut bytes = serde_json::to_vec(&file).map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`LoadError::Lock`].
    pub(crate) fn write(&self, path: &Path) -> Result<(), LoadError> {
        let written = self.bytes().and_then(|bytes| {
            vitte_sys::fs::replace(path, &bytes, 0o644, Durability::Flushed)
                .map_err(|error| error.to_string())
        });
        written.map_err(|message| LoadError::Lock { path: path.to_owned(), message })
    }

    /// What is different in `new`, one sentence each.
    pub(crate) fn changes(&self, new: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (id, entry) in &new.0 {
            match self.0.get(id) {
                None => changes.push(format!("`{id}` {} would be added", entry.version)),
                Some(old) if old.version != entry.version => {
                    changes.push(format!("`{id}` {} would be {}", old.version, entry.version));
                }
                Some(old) if old.digest != entry.digest => {
                    changes.push(format!("`{id}` {} would have another digest", entry.version));
                }
                Some(_) => {}
            }
        }
        let gone = self.0.iter().filter(|(id, _)| !new.0.contains_key(*id));
        changes.extend(gone.map(|(id, entry)| format!("`{id}` {} would be removed", entry.version)));
        changes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lock(version: &str, digest: &str) -> Lock {
        Lock::of([("a:b".to_owned(), version.parse().unwrap(), digest.to_owned(), "b.vitmod".to_owned())])
    }

    #[test]
    fn a_lock_file_round_trips() {
        let folder = tempfile::tempdir().unwrap();
        let path = Lock::path_of(&folder.path().join("app.vitmod"));
        assert_eq!(Lock::read(&path).unwrap(), None);
        lock("1.2.3", "00").write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected =
            r#"{"format":1,"packages":[{"file":"b.vitmod","id":"a:b","sha256":"00","version":"1.2.3"}]}"#;
        assert_eq!(text.trim_end(), expected);
        assert_eq!(Lock::read(&path).unwrap(), Some(lock("1.2.3", "00")));
        for wrong in ["", "{}", r#"{"format":2,"packages":[]}"#, &expected.replace("1.2.3", "1")] {
            std::fs::write(&path, wrong).unwrap();
            assert!(Lock::read(&path).is_err(), "{wrong}");
        }
    }

    #[test]
    fn changes_are_told() {
        let old = lock("1.0.0", "00");
        assert_eq!(old.changes(&old), Vec::<String>::new());
        assert_eq!(old.changes(&lock("1.1.0", "00")), ["`a:b` 1.0.0 would be 1.1.0"]);
        assert_eq!(old.changes(&lock("1.0.0", "11")), ["`a:b` 1.0.0 would have another digest"]);
        assert_eq!(old.changes(&Lock::default()), ["`a:b` 1.0.0 would be removed"]);
        assert_eq!(Lock::default().changes(&old), ["`a:b` 1.0.0 would be added"]);
    }
}
