//! Mapped memory with its protection in its type, and files in memory that can be sealed.
//!
//! A mapping of somebody else's file is not offered: whoever truncates that file kills its readers
//! with SIGBUS. Read the file, or share a [`SealedFile`], which nobody can change or shorten any more.
mod live; // code that is replaced while another process runs it

pub use live::LiveCode;

use std::fs::File;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::platform::handle::{OwnedHandle, stands_for_handle};
use crate::platform::{self, Errno};
use crate::{Op, SysError};

/// Gives back to the system what this process's allocator keeps for later, where it can be asked to: for
/// moments when much has been freed. Takes some milliseconds for each gigabyte.
pub fn release_unused() {
    platform::memory::release_unused();
}

/// What may be done with mapped bytes; all of them may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    Execute,
}

/// Bytes may be read and written.
#[derive(Debug)]
pub enum Writable {}
/// Bytes may be read.
#[derive(Debug)]
pub enum ReadOnly {}
/// Bytes may be read and executed, not written.
#[derive(Debug)]
pub enum Executable {}

/// Whole pages of private memory that belong to this value. The parameter says what may be done with
/// them; each change of protection consumes the value and answers with one of the other type, so
/// that no reference of the old kind can be left.
#[derive(Debug)]
pub struct Pages<Protection> {
    region: Region,
    protection: PhantomData<Protection>,
}

impl Pages<Writable> {
    /// At least `bytes` bytes of zeroes, in whole pages.
    ///
    /// # Errors
    /// `ENOMEM`; `EINVAL` for zero bytes.
    pub fn new(bytes: usize) -> Result<Self, SysError> {
        let fail = |error: Errno| SysError::bare(Op::Map, error);
        let page = platform::memory::page_size();
        let length =
            bytes.checked_next_multiple_of(page).and_then(NonZeroUsize::new).ok_or(fail(Errno::INVAL))?;
        let start = platform::memory::map(length).map_err(fail)?;
        Ok(Self { region: Region { start, length }, protection: PhantomData })
    }
}

impl<P> Pages<P> {
    /// Takes the right to write and execute away.
    ///
    /// # Errors
    /// `ENOMEM` when the kernel cannot describe one more range.
    pub fn read_only(self) -> Result<Pages<ReadOnly>, SysError> {
        self.protect(Access::Read)
    }

    /// Gives the right to execute, and takes the right to write away.
    ///
    /// # Errors
    /// `EACCES` or `EPERM` where the system's policy forbids it.
    pub fn executable(self) -> Result<Pages<Executable>, SysError> {
        self.protect(Access::Execute)
    }

    /// Gives the right to write, and takes the right to execute away.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn writable(self) -> Result<Pages<Writable>, SysError> {
        self.protect(Access::Write)
    }

    fn protect<To>(self, access: Access) -> Result<Pages<To>, SysError> {
        let Region { start, length } = self.region;
        // SAFETY: the range is a mapping that `self` owns. `self` is held by value, so that no reference
        // into it is alive, and all three protections allow the reads that `Deref` gives.
        unsafe { platform::memory::protect(start, length, access) }
            .map_err(|error| SysError::bare(Op::Protect, error))?;
        Ok(Pages { region: self.region, protection: PhantomData })
    }
}

impl Pages<ReadOnly> {
    /// Seals the range (mseal(2), Linux 6.10): its protection can never change again and it is never
    /// unmapped, not by an attacker who controls this process either. It therefore lives as long as the
    /// process does.
    ///
    /// # Errors
    /// `ENOSYS` on older kernels; the pages come back so that they can be used without.
    pub fn seal(self) -> Result<&'static [u8], (Self, SysError)> {
        match platform::memory::seal(self.region.start, self.region.length) {
            Ok(()) => {
                let region = std::mem::ManuallyDrop::new(self.region);
                // SAFETY: the sealed range stays mapped and readable until the process ends, and the
                // value that could have made it writable is gone.
                Ok(unsafe { std::slice::from_raw_parts(region.start.as_ptr(), region.length.get()) })
            }
            Err(error) => Err((self, SysError::bare(Op::Seal, error))),
        }
    }
}

impl<P> Deref for Pages<P> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.region.bytes()
    }
}

impl DerefMut for Pages<Writable> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let Region { start, length } = self.region;
        // SAFETY: the range is mapped readable and writable as long as this value lives, every byte of
        // it is initialised (the kernel gives zeroes), and `&mut self` makes the reference the only one.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), length.get()) }
    }
}

/// A mapping; unmapped on drop.
#[derive(Debug)]
struct Region {
    start: NonNull<u8>,
    length: NonZeroUsize,
}

// SAFETY: the range belongs to this value as the heap block of a `Box<[u8]>` does; nothing in it is
// tied to the thread that mapped it.
unsafe impl Send for Region {}
// SAFETY: a shared reference only reads.
unsafe impl Sync for Region {}

impl Region {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the range is mapped readable as long as this value lives and initialised; writers
        // need `&mut` of the value that owns it, or there are none because the file is sealed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length.get()) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by us, is owned by this value, and nothing borrows from it any
        // more.
        unsafe { platform::memory::unmap(self.start, self.length) };
    }
}

/// A file without a name, in memory, close-on-exec.
#[derive(Debug)]
pub struct MemoryFile {
    file: File,
}

impl MemoryFile {
    /// An empty file. `name` is seen in `/proc` only.
    ///
    /// # Errors
    /// `EMFILE`, `ENOMEM`; `EINVAL` for a name of more than 249 bytes or with a zero in it.
    pub fn new(name: &str) -> Result<Self, SysError> {
        platform::memory::file(name)
            .map(|file| Self { file: File::from(file) })
            .map_err(|error| SysError::bare(Op::Create, error))
    }

    /// The file, to write it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), SysError> {
        platform::files::write_all_at(&self.file, bytes, offset)
            .map_err(|error| SysError::bare(Op::Write, error))
    }

    /// Ends all changes: from now on nobody, in no process, can write, shorten or lengthen it.
    ///
    /// # Errors
    /// `EBUSY` while somebody has it mapped writable.
    pub fn seal(self) -> Result<SealedFile, SysError> {
        platform::memory::seal_file(&self.file).map_err(|error| SysError::bare(Op::Seal, error))?;
        Ok(SealedFile { descriptor: self.file.into() })
    }
}

/// A file in memory that can no longer change.
#[derive(Debug)]
pub struct SealedFile {
    descriptor: OwnedHandle,
}

impl SealedFile {
    /// Takes over a descriptor that another process sent, if it is sealed.
    ///
    /// # Errors
    /// `EINVAL` when it is no memory file, `EPERM` when a seal is missing.
    pub fn from_descriptor(descriptor: OwnedHandle) -> Result<Self, SysError> {
        let fail = |error: Errno| SysError::bare(Op::Seal, error);
        if !platform::memory::is_sealed(&descriptor).map_err(fail)? {
            return Err(fail(Errno::PERM));
        }
        Ok(Self { descriptor })
    }

    /// Maps the whole file for reading.
    ///
    /// # Errors
    /// `ENOMEM`; `EINVAL` when it is empty.
    pub fn map(&self) -> Result<SealedMap, SysError> {
        let fail = |error: Errno| SysError::bare(Op::Map, error);
        let size = platform::files::stat(&self.descriptor).map_err(fail)?.size;
        let length = usize::try_from(size).ok().and_then(NonZeroUsize::new).ok_or(fail(Errno::INVAL))?;
        // SAFETY: the seals keep every process from writing or shortening the file.
        let start = unsafe { platform::memory::map_file(&self.descriptor, length) }.map_err(fail)?;
        Ok(SealedMap { region: Region { start, length } })
    }
}

stands_for_handle!(SealedFile, descriptor, "To send it to another process.");

/// The bytes of a [`SealedFile`].
#[derive(Debug)]
pub struct SealedMap {
    region: Region,
}

impl Deref for SealedMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.region.bytes()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn protection_moves_through_the_types() {
        let mut pages = Pages::new(10).unwrap();
        assert_eq!(pages.len() % 4096, 0);
        assert!(pages.iter().all(|byte| *byte == 0));
        pages[0] = 7;
        let pages = pages.read_only().unwrap();
        assert_eq!(pages[0], 7);
        let pages = pages.executable().unwrap();
        let mut pages = pages.writable().unwrap();
        pages[1] = 8;
        match pages.read_only().unwrap().seal() {
            Ok(bytes) => assert_eq!(&bytes[..2], &[7, 8]),
            Err((pages, error)) => {
                assert_eq!(error.errno(), Some(libc::ENOSYS));
                assert_eq!(pages[1], 8);
            }
        }
        assert_eq!(Pages::new(0).unwrap_err().errno(), Some(libc::EINVAL));
        assert_eq!(Pages::new(usize::MAX).unwrap_err().errno(), Some(libc::EINVAL));
        assert_eq!(Pages::new(1 << 62).unwrap_err().errno(), Some(libc::ENOMEM));
    }

    #[test]
    fn a_sealed_file_stays_as_it_is() {
        let file = MemoryFile::new("test").unwrap();
        file.write_at(b"hello", 0).unwrap();
        let other = file.file().try_clone().unwrap();
        let early = SealedFile::from_descriptor(other.try_clone().unwrap().into()).unwrap_err();
        assert_eq!(early.errno(), Some(libc::EPERM));
        let sealed = file.seal().unwrap();
        let map = sealed.map().unwrap();
        assert_eq!(&*map, b"hello");
        assert!(other.write_all_at(b"x", 0).is_err());
        assert!(other.set_len(0).is_err());
        assert!(SealedFile::from_descriptor(other.into()).is_ok());
        assert_eq!(&*map, b"hello");
        assert!(MemoryFile::new("a\0b").is_err());
        assert!(MemoryFile::new("empty").unwrap().seal().unwrap().map().is_err());
    }
}
