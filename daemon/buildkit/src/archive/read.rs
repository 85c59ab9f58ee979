//! Archives of anybody's making: every path, link, size and count is checked before anything is written.
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read as _};
use std::path::Path;

use super::Archive;
use crate::error::Error;
use crate::stage::{Content, Entry, Kind, Stage};

/// What an archive may hold at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Entries.
    pub entries: usize,
    /// Bytes of memory that unpacking may look back to: the dictionary of xz, the window of Zstandard.
    pub window: u64,
}

impl Default for Limits {
    /// 4 GiB in 100,000 entries, unpacked in 128 MiB: twice what the tools take at their highest common level.
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 100_000, window: 128 << 20 }
    }
}

/// What was read.
pub type Read = Stage;

fn refused(message: impl Into<String>) -> Error {
    Error::input(
        "PKG_E_ARCHIVE",
        "archive",
        message,
        "get the archive from whoever made it, and compare its checksum",
    )
}

/// The entries of an archive.
///
/// # Errors
/// [`Error::Input`] for one that is damaged, holds more than `limits`, holds a path or a link that leaves it, a file twice,
/// or anything but files, folders and links.
pub fn read(bytes: &[u8], archive: Archive, limits: Limits) -> Result<Read, Error> {
    let damaged = |error: io::Error| refused(format!("the archive is damaged: {error}"));
    let cursor = Cursor::new(bytes);
    match archive {
        Archive::TarGz => read_tar(flate2::read::MultiGzDecoder::new(cursor), limits),
        Archive::TarZst => {
            let mut decoder = zstd::Decoder::new(cursor).map_err(damaged)?;
            decoder.window_log_max(limits.window.max(1024).ilog2()).map_err(damaged)?;
            read_tar(decoder, limits)
        }
        Archive::TarXz => {
            if super::xz::dictionary(bytes).map_err(damaged)? > limits.window {
                return Err(refused("the archive takes more memory to unpack than it may"));
            }
            read_tar(lzma_rust2::XzReader::new(cursor, true), limits)
        }
        Archive::Zip => read_zip(cursor, limits),
    }
}

/// Counts what is taken out, whatever an archive says of itself.
struct Budget {
    left: u64,
    entries: usize,
}

impl Budget {
    fn entry(&mut self) -> Result<(), Error> {
        self.entries =
            self.entries.checked_sub(1).ok_or_else(|| refused("the archive holds too many entries"))?;
        Ok(())
    }

    fn contents(&mut self, from: impl io::Read) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read = from.take(self.left + 1).read_to_end(&mut bytes);
        read.map_err(|error| refused(format!("the archive is damaged: {error}")))?;
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| refused("the archive holds more than it may"))?;
        Ok(bytes)
    }
}

fn read_tar(from: impl io::Read, limits: Limits) -> Result<Read, Error> {
    let damaged = |error: io::Error| refused(format!("the archive is damaged: {error}"));
    // Headers and padding count too.
    let room = limits.bytes.saturating_add(limits.entries as u64 * 2048);
    let mut archive = tar::Archive::new(from.take(room));
    let mut budget = Budget { left: limits.bytes, entries: limits.entries };
    let mut stage = Stage::default();
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        budget.entry()?;
        let header = entry.header();
        let kind = header.entry_type();
        let mode = header.mode().map_err(damaged)? & 0o7777;
        let name = entry.path_bytes().into_owned();
        let name = String::from_utf8(name).map_err(|_| refused("a path is not UTF-8"))?;
        let path = name.strip_prefix("./").unwrap_or(&name);
        if path.starts_with('/') {
            return Err(refused(format!("`{path}` is an absolute path")));
        }
        match kind {
            tar::EntryType::Directory => {
                let path = path.trim_end_matches('/');
                if !path.is_empty() && path != "." {
                    crate::stage::checked_path(path).map_err(refused)?;
                }
            }
            tar::EntryType::Regular => {
                let path = path.to_owned();
                let content = Content::File(budget.contents(entry)?);
                stage.add(&path, Entry { mode, kind: Kind::Other, content }, "archive")?;
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name_bytes().map(|bytes| bytes.into_owned()).unwrap_or_default();
                let target = String::from_utf8(target).map_err(|_| refused("a link is not UTF-8"))?;
                stage.add(
                    path,
                    Entry { mode, kind: Kind::Other, content: Content::Link(target) },
                    "archive",
                )?;
            }
            other => {
                return Err(refused(format!(
                    "`{path}` is neither a file nor a folder nor a link: {other:?}"
                )));
            }
        }
    }
    Ok(stage)
}

fn read_zip(from: Cursor<&[u8]>, limits: Limits) -> Result<Read, Error> {
    let damaged = |error: zip::result::ZipError| refused(format!("the archive is damaged: {error}"));
    let mut archive = zip::ZipArchive::new(from).map_err(damaged)?;
    let mut budget = Budget { left: limits.bytes, entries: limits.entries };
    let mut stage = Stage::default();
    for number in 0..archive.len() {
        budget.entry()?;
        let file = archive.by_index(number).map_err(damaged)?;
        let name = file.name().to_owned();
        if name.starts_with('/') {
            return Err(refused(format!("`{name}` is an absolute path")));
        }
        if file.is_dir() {
            crate::stage::checked_path(name.trim_end_matches('/')).map_err(refused)?;
            continue;
        }
        let mode = file.unix_mode().unwrap_or(0o644) & 0o7777;
        let is_link = file.is_symlink();
        let bytes = budget.contents(file)?;
        let content = if is_link {
            Content::Link(String::from_utf8(bytes).map_err(|_| refused("a link is not UTF-8"))?)
        } else {
            Content::File(bytes)
        };
        stage.add(&name, Entry { mode, kind: Kind::Other, content }, "archive")?;
    }
    Ok(stage)
}

/// Reads an archive and puts its files below `folder`, which must not exist or be empty. Files come before links, so that nothing
/// is written through one.
///
/// # Errors
/// As [`read`], and [`Error::Io`].
pub fn extract(bytes: &[u8], archive: Archive, folder: &Path, limits: Limits) -> Result<usize, Error> {
    let stage = read(bytes, archive, limits)?;
    vitte_sys::fs::create_directories(folder).map_err(Error::io(folder))?;
    let mut there = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    if there.next().is_some() {
        let message = format!("`{}` is not empty", folder.display());
        return Err(Error::input("PKG_E_OUTPUT", "--out", message, "name a new folder"));
    }
    let mut links = BTreeMap::new();
    let mut count = 0;
    for (path, entry) in stage.entries() {
        let place = folder.join(path);
        if let Some(above) = place.parent() {
            vitte_sys::fs::create_directories(above).map_err(Error::io(above))?;
        }
        count += 1;
        match &entry.content {
            Content::File(bytes) => {
                let mode = entry.mode & 0o777;
                vitte_sys::fs::replace(&place, bytes, mode, vitte_sys::fs::Durability::Cached)
                    .map_err(Error::io(&place))?;
            }
            Content::Link(target) => {
                links.insert(place, target.clone());
            }
        }
    }
    for (place, target) in links {
        link(&target, &place).map_err(Error::io(&place))?;
    }
    Ok(count)
}

#[cfg(unix)]
fn link(target: &str, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

#[cfg(not(unix))]
fn link(_target: &str, _place: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system makes no symbolic links"))
}
