//! The code that was used last, as it is in memory: a module that comes back, or goes forth and back between two
//! versions, costs neither reading nor checking.
use std::collections::BTreeMap;

use blake3::Hash;

use crate::code::{Code, Kind};

/// Codes by the digest of their binary, up to a number of bytes; what was not used for longest goes first.
pub(crate) struct Recent {
    bytes_max: usize,
    bytes: usize,
    /// Counts uses: the time of each.
    uses: u64,
    entries: BTreeMap<([u8; 32], &'static str), Entry>,
}

struct Entry {
    code: Code,
    bytes: usize,
    used: u64,
}

impl Recent {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, uses: 0, entries: BTreeMap::new() }
    }

    /// The code, which has been used now. O(log n).
    pub(crate) fn get(&mut self, digest: &Hash, kind: Kind) -> Option<Code> {
        self.uses += 1;
        let entry = self.entries.get_mut(&(*digest.as_bytes(), kind.name()))?;
        entry.used = self.uses;
        Some(entry.code.clone())
    }

    /// Keeps `code`, which takes `bytes`. O(n) for each code that has to go.
    pub(crate) fn put(&mut self, digest: &Hash, kind: Kind, code: Code, bytes: usize) {
        if bytes > self.bytes_max {
            return;
        }
        self.uses += 1;
        let entry = Entry { code, bytes, used: self.uses };
        self.bytes += bytes;
        if let Some(before) = self.entries.insert((*digest.as_bytes(), kind.name()), entry) {
            self.bytes -= before.bytes;
        }
        while self.bytes > self.bytes_max {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            let Some(gone) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            self.bytes -= gone.bytes;
        }
    }
}
