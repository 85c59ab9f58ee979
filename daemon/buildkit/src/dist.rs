//! Files that appear together: written to a folder beside their place, and moved when all of them are whole.
use std::path::{Path, PathBuf};

use vitte_sys::fs::{Durability, create_directories, replace};

use crate::digest::sha256;
use crate::error::Error;

/// Files on their way into a folder. Dropped without [`Self::commit`], it leaves nothing.
pub(crate) struct Dist {
    folder: PathBuf,
    beside: PathBuf,
    names: Vec<(String, String, u64)>,
}

impl Dist {
    /// For `folder`, which is made when there is something to put in.
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        if folder.exists() && !folder.is_dir() {
            let message = format!("`{}` is not a folder", folder.display());
            return Err(Error::input("PKG_E_OUTPUT", "--out", message, "name a folder"));
        }
        let beside = folder.join(format!(".vitte-dist-{}", std::process::id()));
        create_directories(&beside).map_err(Error::io(&beside))?;
        Ok(Self { folder: folder.to_path_buf(), beside, names: Vec::new() })
    }

    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        let place = self.beside.join(name);
        replace(&place, bytes, mode, Durability::Cached).map_err(Error::io(&place))?;
        self.names.retain(|(known, ..)| known != name);
        self.names.push((name.to_owned(), sha256(bytes), bytes.len() as u64));
        Ok(())
    }

    /// Name, digest and size of what was added, in order of name.
    pub(crate) fn files(&self) -> Vec<(String, String, u64)> {
        let mut files = self.names.clone();
        files.sort();
        files
    }

    /// Moves everything into place.
    pub(crate) fn commit(self) -> Result<Vec<(PathBuf, String, u64)>, Error> {
        let mut made = Vec::new();
        for (name, digest, size) in self.files() {
            let place = self.folder.join(&name);
            std::fs::rename(self.beside.join(&name), &place).map_err(Error::io(&place))?;
            made.push((place, digest, size));
        }
        Ok(made)
    }
}

impl Drop for Dist {
    fn drop(&mut self) {
        // What is still there is of no use to anybody.
        let _ = std::fs::remove_dir_all(&self.beside);
    }
}
