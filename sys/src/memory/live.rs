use std::fs::File;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Region;
use crate::platform::handle::OwnedHandle;
use crate::{Op, SysError, platform};

/// A file in memory that another process maps and executes, and that this one goes on writing: a table of
/// words, then bytes. The words are addresses that the other process jumps through, so each is stored in
/// one piece, after all bytes that were written before.
#[derive(Debug)]
pub struct LiveCode {
    file: File,
    /// The words alone are mapped.
    table: Region,
    bytes: u64,
}

impl LiveCode {
    /// `bytes` zeroes, of which the first `words` times eight are the table. `name` is seen in `/proc` only.
    ///
    /// # Errors
    /// `ENOMEM`, `EMFILE`; `EINVAL` for a table that is empty or larger than the file; `EOPNOTSUPP` where
    /// the system has no such files, `EACCES` where its policy forbids them.
    pub fn new(name: &str, bytes: u64, words: usize) -> Result<Self, SysError> {
        let length = words.checked_mul(size_of::<u64>()).and_then(NonZeroUsize::new);
        let Some(length) = length.filter(|length| length.get() as u64 <= bytes) else {
            return Err(SysError::bare(Op::Map, platform::Errno::INVAL));
        };
        let file = platform::memory::executable_file(name, bytes)
            .map(File::from)
            .map_err(|error| SysError::bare(Op::Create, error))?;
        let start =
            platform::memory::map_shared(&file, length).map_err(|error| SysError::bare(Op::Map, error))?;
        Ok(Self { file, table: Region { start, length }, bytes })
    }

    /// The file, for the process that maps it.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn descriptor(&self) -> Result<OwnedHandle, SysError> {
        self.file.try_clone().map(OwnedHandle::from).map_err(|error| SysError::bare(Op::Open, error))
    }

    /// Writes bytes at an offset in the file, behind the table. What the other process may be executing or
    /// reading must not be written again.
    ///
    /// # Errors
    /// `EINVAL` when they are not all between the table and the end; `ENOMEM`.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), SysError> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.bytes);
        if offset < self.table.length.get() as u64 || end.is_none() {
            return Err(SysError::bare(Op::Write, platform::Errno::INVAL));
        }
        platform::files::write_all_at(&self.file, bytes, offset)
            .map_err(|error| SysError::bare(Op::Write, error))
    }

    /// Stores a word of the table. Whoever reads it there sees all that was written before.
    ///
    /// # Errors
    /// `EINVAL` when there is no such word.
    pub fn store(&self, word: usize, value: u64) -> Result<(), SysError> {
        if word >= self.table.length.get() / size_of::<u64>() {
            return Err(SysError::bare(Op::Write, platform::Errno::INVAL));
        }
        let place = self.table.start.cast::<AtomicU64>().as_ptr().wrapping_add(word);
        // SAFETY: the mapping begins at a page, is readable and writable as long as `self` lives, and the
        // word is inside it; this process reads and writes it through this reference alone, and the other
        // one only reads.
        let place = unsafe { &*place };
        place.store(value, Ordering::Release);
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn words_and_bytes_arrive_in_the_file() {
        let live = LiveCode::new("test", 16384, 16).unwrap();
        live.write(128, b"code").unwrap();
        live.store(3, 0x1122_3344_5566_7788).unwrap();
        let file = File::from(live.descriptor().unwrap());
        let mut seen = [0; 132];
        file.read_exact_at(&mut seen, 0).unwrap();
        assert_eq!(seen[24..32], 0x1122_3344_5566_7788_u64.to_ne_bytes());
        assert_eq!(&seen[128..], b"code");
        assert!(file.set_len(1).is_err(), "it must not be shortened under its readers");
    }

    #[test]
    fn what_is_outside_is_refused() {
        let live = LiveCode::new("test", 4096, 16).unwrap();
        assert_eq!(live.write(127, b"x").unwrap_err().errno(), Some(libc::EINVAL));
        assert_eq!(live.write(4096, b"x").unwrap_err().errno(), Some(libc::EINVAL));
        assert_eq!(live.write(u64::MAX, b"x").unwrap_err().errno(), Some(libc::EINVAL));
        assert_eq!(live.store(16, 0).unwrap_err().errno(), Some(libc::EINVAL));
        assert!(LiveCode::new("test", 64, 16).is_err());
        assert!(LiveCode::new("test", 64, 0).is_err());
    }
}
