//! Mapped memory with its protection in its type, and files in memory that can be sealed.
//!
//! A mapping of somebody else's file is not offered: whoever truncates that file kills its readers
//! with SIGBUS. Read the file, or share a [`SealedFile`], which nobody can change or shorten any more.
use std::fs::File;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use crate::{Op, SysError};

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
        let page = rustix::param::page_size();
        let length =
            bytes.checked_next_multiple_of(page).and_then(NonZeroUsize::new).ok_or(fail(Errno::INVAL))?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a null hint without MAP_FIXED lets the kernel choose a free range, so that no memory
        // of ours is replaced.
        let start = unsafe {
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), length.get(), access, MapFlags::PRIVATE)
        }
        .map_err(fail)?;
        let start = NonNull::new(start.cast()).ok_or(fail(Errno::NOMEM))?;
        Ok(Self { region: Region { start, length }, protection: PhantomData })
    }
}

impl<P> Pages<P> {
    /// Takes the right to write and execute away.
    ///
    /// # Errors
    /// `ENOMEM` when the kernel cannot describe one more range.
    pub fn read_only(self) -> Result<Pages<ReadOnly>, SysError> {
        self.protect(MprotectFlags::READ)
    }

    /// Gives the right to execute, and takes the right to write away.
    ///
    /// # Errors
    /// `EACCES` or `EPERM` where the system's policy forbids it.
    pub fn executable(self) -> Result<Pages<Executable>, SysError> {
        self.protect(MprotectFlags::READ | MprotectFlags::EXEC)
    }

    /// Gives the right to write, and takes the right to execute away.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn writable(self) -> Result<Pages<Writable>, SysError> {
        self.protect(MprotectFlags::READ | MprotectFlags::WRITE)
    }

    fn protect<To>(self, access: MprotectFlags) -> Result<Pages<To>, SysError> {
        let Region { start, length } = self.region;
        // SAFETY: the range is a mapping that `self` owns. `self` is held by value, so that no reference
        // into it is alive, and all three protections allow the reads that `Deref` gives.
        unsafe { rustix::mm::mprotect(start.as_ptr().cast(), length.get(), access) }
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
        match crate::ffi::seal(self.region.start, self.region.length) {
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
        // more. The call can fail only for arguments that are no mapping.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.length.get()) };
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
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Executable memory files are refused on hardened systems, so ask for none; kernels before 6.3
        // do not know the flag.
        let made = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags),
            made => made,
        };
        made.map(|file| Self { file: File::from(file) }).map_err(|error| SysError::bare(Op::Create, error))
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
        self.file.write_all_at(bytes, offset).map_err(|error| SysError::bare(Op::Write, error))
    }

    /// Ends all changes: from now on nobody, in no process, can write, shorten or lengthen it.
    ///
    /// # Errors
    /// `EBUSY` while somebody has it mapped writable.
    pub fn seal(self) -> Result<SealedFile, SysError> {
        rustix::fs::fcntl_add_seals(&self.file, SEALS | SealFlags::SEAL)
            .map_err(|error| SysError::bare(Op::Seal, error))?;
        Ok(SealedFile { descriptor: self.file.into() })
    }
}

/// With these three the bytes of a file cannot change and cannot go away.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

/// A file in memory that can no longer change.
#[derive(Debug)]
pub struct SealedFile {
    descriptor: OwnedFd,
}

impl SealedFile {
    /// Takes over a descriptor that another process sent, if it is sealed.
    ///
    /// # Errors
    /// `EINVAL` when it is no memory file, `EPERM` when a seal is missing.
    pub fn from_descriptor(descriptor: OwnedFd) -> Result<Self, SysError> {
        let fail = |error: Errno| SysError::bare(Op::Seal, error);
        let seals = rustix::fs::fcntl_get_seals(&descriptor).map_err(fail)?;
        if !seals.contains(SEALS) {
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
        let size = rustix::fs::fstat(&self.descriptor).map_err(fail)?.st_size;
        let length = usize::try_from(size).ok().and_then(NonZeroUsize::new).ok_or(fail(Errno::INVAL))?;
        // SAFETY: a null hint without MAP_FIXED replaces no memory of ours. The seals keep every process
        // from writing or shortening the file, so that the bytes stay the same and stay readable.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length.get(),
                ProtFlags::READ,
                MapFlags::PRIVATE,
                &self.descriptor,
                0,
            )
        }
        .map_err(fail)?;
        let start = NonNull::new(start.cast()).ok_or(fail(Errno::NOMEM))?;
        Ok(SealedMap { region: Region { start, length } })
    }
}

impl AsFd for SealedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
