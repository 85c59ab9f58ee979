//! Building the plan that the helper reads.
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::plan::{Limit, Plan};

/// An image under construction: a [`Plan`] and what its offsets point to.
pub(super) struct Image {
    bytes: Vec<u8>,
}

impl Image {
    /// An image with room for the plan.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; size_of::<Plan>()] }
    }

    fn end(&mut self) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.bytes.len() as u64
    }

    /// Adds a string.
    ///
    /// # Errors
    /// `InvalidInput` for a string with a NUL inside, which no system call could take.
    pub(super) fn string(&mut self, text: &OsStr) -> io::Result<u64> {
        if text.as_bytes().contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte inside a string"));
        }
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        Ok(offset)
    }

    /// Adds a table of strings.
    pub(super) fn table<'a>(&mut self, texts: impl IntoIterator<Item = &'a OsStr>) -> io::Result<u64> {
        let offsets = texts.into_iter().map(|text| self.string(text)).collect::<io::Result<Vec<_>>>()?;
        let table = self.end();
        for offset in offsets.into_iter().chain([0]) {
            self.bytes.extend_from_slice(&offset.to_ne_bytes());
        }
        Ok(table)
    }

    /// Adds limits.
    pub(super) fn limits(&mut self, limits: &[Limit]) -> u64 {
        let offset = self.end();
        for limit in limits {
            for word in [limit.resource, limit.current, limit.maximum] {
                self.bytes.extend_from_slice(&word.to_ne_bytes());
            }
        }
        offset
    }

    /// Adds a system-call filter in the kernel's encoding.
    pub(super) fn filter(&mut self, filter: &[u8]) -> u64 {
        let offset = self.end();
        self.bytes.extend_from_slice(filter);
        offset
    }

    /// The bytes, with `plan` in its place.
    pub(super) fn finish(mut self, plan: &Plan) -> Vec<u8> {
        let words = [
            plan.magic,
            plan.flags,
            plan.namespaces,
            plan.parent,
            plan.program,
            plan.directory,
            plan.arguments,
            plan.environment,
            plan.writable,
            plan.uid_map,
            plan.gid_map,
            plan.limits,
            plan.limit_count,
            plan.filter,
            plan.filter_count,
            plan.cgroups,
            plan.handed,
        ];
        const { assert!(size_of::<Plan>() == 17 * size_of::<u64>()) };
        for (slot, word) in self.bytes.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_ne_bytes());
        }
        self.bytes
    }
}
