//! Blobs as files outside the store.
use std::path::Path;

use vitte_sys::SysError;
use vitte_sys::fs::{Durability, replace};

use crate::digest::Digest;
use crate::store::Store;

/// Whether the blob was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Materialised {
    /// The file is in its place, verified.
    Written,
    /// The store does not have the blob, or not whole; the file was left as it was.
    Missing,
}

impl Store {
    /// Puts the blob `digest` at `path`, verified, over what is there, whole or not at all, with permission bits
    /// `mode` less the umask. Always a copy: nobody who writes the file can reach the store, as they could
    /// through a hard link. Not flushed.
    ///
    /// # Errors
    /// Those of writing `path`; the store's own are [`Materialised::Missing`].
    pub fn materialise(&self, digest: &Digest, path: &Path, mode: u32) -> Result<Materialised, SysError> {
        match self.get(digest) {
            Some(bytes) => replace(path, &bytes, mode, Durability::Cached).map(|()| Materialised::Written),
            None => Ok(Materialised::Missing),
        }
    }
}
