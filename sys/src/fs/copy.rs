//! Copies: by sharing blocks, by the kernel, by hand, whichever the file systems allow first.
use std::fs::File;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::OFlags;
use rustix::io::{Errno, retry_on_intr};

use super::contents;
use crate::{Op, SysError};

/// How the bytes came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Both files share their blocks until one is written (`FICLONE`).
    Shared,
    /// The kernel copied (`copy_file_range`).
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

/// Bytes asked for by one `copy_file_range`: the kernel's own limit, rounded down to a page.
const RANGE: usize = 0x7fff_f000;

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
    let source = File::from(retry_on_intr(|| {
        rustix::fs::open(from, contents::READ_FLAGS, rustix::fs::Mode::empty())
    })?);
    let stat = rustix::fs::fstat(&source)?;
    contents::regular(&stat)?;
    let permissions = std::fs::Permissions::from_mode(stat.st_mode & 0o7777);
    // Not truncated yet: it may be the same file under another name.
    let target = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(stat.st_mode & 0o777)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32)
        .open(to)?;
    let there = rustix::fs::fstat(&target)?;
    contents::regular(&there)?;
    if (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino) {
        return Err(Errno::INVAL.into());
    }
    if there.st_size != 0 {
        target.set_len(0)?;
    }
    let copied = copy_contents(&source, &target, contents::size(&stat))?;
    target.set_permissions(permissions)?;
    Ok(copied)
}

/// Copies what `source`, which reports `size` bytes and stands at its start, has into the empty
/// `target`.
pub(super) fn copy_contents(source: &File, target: &File, size: u64) -> Result<Copied, Errno> {
    // A clone of a file that reports no size is empty, whatever it has.
    if size > 0 && rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return Ok(Copied { bytes: size, method: Method::Shared });
    }
    let mut bytes: u64 = 0;
    if size > 0 {
        loop {
            match retry_on_intr(|| rustix::fs::copy_file_range(source, None, target, None, RANGE)) {
                Ok(0) => break,
                Ok(count) => bytes += count as u64,
                // Two file systems, a file system without it, or a sandbox: by hand from here on.
                Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => break,
                Err(error) => return Err(error),
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
        let count = retry_on_intr(|| rustix::io::read(source, spare_capacity(&mut buffer)))?;
        if count == 0 {
            return Ok(Copied { bytes, method: Method::Loop });
        }
        contents::write_all(target, &buffer)?;
        bytes += buffer.len() as u64;
    }
}
