//! Copies: by sharing blocks, by the kernel, by hand, whichever the file systems allow first.
use std::fs::File;
use std::io;
use std::path::Path;

use super::contents;
use crate::platform::{Errno, Open, files};
use crate::{Op, SysError};

/// How the bytes came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Both files share their blocks until one is written (`FICLONE` of Linux).
    Shared,
    /// The kernel copied (`copy_file_range` and its like).
    Kernel,
    /// We read and wrote.
    Loop,
}

/// What a copy did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Bytes in the new file.
    pub bytes: u64,
    /// How they came over.
    pub method: Method,
}

/// Bytes moved by one turn of the loop.
const CHUNK: usize = 1 << 20;

/// Copies contents and permission bits of the regular file `from` over those of `to`, which is made
/// when it is missing. Files that report no size, such as those of procfs, are copied to their end.
///
/// # Errors
/// Those of open(2), read(2), write(2) and ftruncate(2); `EISDIR`; `EINVAL` when both are one file,
/// which stays whole.
pub fn copy(from: &Path, to: &Path) -> Result<Copied, SysError> {
    copy_files(from, to).map_err(|error| SysError::new(Op::Copy, from, error).and(to))
}

fn copy_files(from: &Path, to: &Path) -> io::Result<Copied> {
    let source = File::from(files::open(from, Open::READ, 0)?);
    let stat = files::stat(&source)?;
    contents::regular(&stat)?;
    // Not truncated yet: it may be the same file under another name.
    let target = File::from(files::open(to, Open::WRITE, stat.mode & 0o777)?);
    let there = files::stat(&target)?;
    contents::regular(&there)?;
    if (there.device, there.inode) == (stat.device, stat.inode) {
        return Err(Errno::INVAL.into());
    }
    if there.size != 0 {
        target.set_len(0)?;
    }
    let copied = copy_contents(&source, &target, stat.size)?;
    files::set_mode(&target, stat.mode)?;
    Ok(copied)
}

/// Copies what `source`, which reports `size` bytes and stands at its start, has into the empty
/// `target`.
pub(super) fn copy_contents(source: &File, target: &File, size: u64) -> Result<Copied, Errno> {
    // A clone of a file that reports no size is empty, whatever it has.
    if size > 0 && files::share_blocks(source, target).is_ok() {
        return Ok(Copied { bytes: size, method: Method::Shared });
    }
    let mut bytes: u64 = 0;
    if size > 0 {
        // When the kernel cannot, by hand from here on.
        while let Some(count) = files::copy_some(source, target) {
            match count? {
                0 => break,
                count => bytes += count as u64,
            }
        }
        if bytes >= size {
            return Ok(Copied { bytes, method: Method::Kernel });
        }
    }
    // Both offsets stand behind what was copied already.
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(CHUNK).map_err(|_| Errno::NOMEM)?;
    loop {
        buffer.clear();
        if files::read(source, &mut buffer)? == 0 {
            return Ok(Copied { bytes, method: Method::Loop });
        }
        contents::write_all(target, &buffer)?;
        bytes += buffer.len() as u64;
    }
}
