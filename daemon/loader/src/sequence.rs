//! The highest sequence number of each signed package that was loaded: an old release, with a good signature
//! and a known hole, must not come back.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use vitte_sys::fs::Durability;

/// Longest file, in bytes.
const FILE_MAX: u64 = 16 << 20;

/// By the name of the key, a slash, and the package's id.
type Known = BTreeMap<String, u64>;

/// The numbers, in memory and, if there is a file, in it.
pub(crate) struct Sequences {
    file: Option<PathBuf>,
    known: Mutex<Option<Known>>,
}

impl Sequences {
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { file, known: Mutex::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Result<Known, String> {
        let Some(path) = &self.file else { return Ok(Known::new()) };
        match vitte_sys::fs::read_at_most(path, FILE_MAX) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("`{}` cannot be used: {error}; mend or delete it", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Known::new()),
            Err(error) => Err(format!("`{}` cannot be read: {error}", path.display())),
        }
    }

    /// The highest number of a package of a signer; 0 if none was loaded.
    ///
    /// # Errors
    /// When the file cannot be used: without it nothing is known, so nothing is safe.
    pub(crate) fn highest(&self, signer: &str, id: &str) -> Result<u64, String> {
        let mut known = self.lock();
        let known = match &mut *known {
            Some(known) => known,
            unread => unread.insert(self.read()?),
        };
        Ok(known.get(&key(signer, id)).copied().unwrap_or_default())
    }

    /// Notes that a package serves now. A file that cannot be written costs the memory of it after a restart.
    pub(crate) fn note(&self, signer: &str, id: &str, seq: u64) {
        let mut known = self.lock();
        let Some(known) = known.as_mut() else { return };
        let highest = known.entry(key(signer, id)).or_default();
        if *highest >= seq {
            return;
        }
        *highest = seq;
        let Some(path) = &self.file else { return };
        let written = serde_json::to_vec(known).map_err(|error| error.to_string()).and_then(|bytes| {
            if let Some(folder) = path.parent() {
                vitte_sys::fs::create_directories(folder).map_err(|error| error.to_string())?;
            }
            vitte_sys::fs::replace(path, &bytes, 0o600, Durability::Flushed)
                .map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            tracing::warn!(error, "the sequence numbers of packages were not kept");
        }
    }
}

fn key(signer: &str, id: &str) -> String {
    format!("{signer}/{id}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_grow_and_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/sequences.json");
        let sequences = Sequences::new(Some(path.clone()));
        assert_eq!(sequences.highest("acme", "a:b"), Ok(0));
        sequences.note("acme", "a:b", 7);
        sequences.note("acme", "a:b", 5);
        assert_eq!(sequences.highest("acme", "a:b"), Ok(7));
        assert_eq!(Sequences::new(Some(path.clone())).highest("acme", "a:b"), Ok(7));
        assert_eq!(Sequences::new(Some(path.clone())).highest("other", "a:b"), Ok(0));
        std::fs::write(&path, "[]").unwrap();
        assert!(Sequences::new(Some(path)).highest("acme", "a:b").unwrap_err().contains("cannot be used"));
    }
}
