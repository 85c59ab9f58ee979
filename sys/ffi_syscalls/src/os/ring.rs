//! Batches of calls by io_uring: one call of the kernel makes up to [`Ring::MOST`] of them.
//!
//! The structures are those of `linux/io_uring.h`; the ring is made for one batch of files and goes with
//! it. Containers often refuse it, and older kernels know a part of it: whatever is missing, there is no
//! ring, which is found out once per process.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::errno::{Ret, check};
use crate::os::Fd;

/// Set once a ring was refused.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Both queues are in one mapping.
const FEATURE_SINGLE_MAP: u32 = 1;
/// Reads can be where the descriptor is.
const FEATURE_CURRENT_POSITION: u32 = 1 << 3;
/// Where the entries are mapped from.
const OFFSET_ENTRIES: i64 = 0x1000_0000;
/// Wait for results.
const ENTER_WAIT: u32 = 1;
const OPERATION_OPEN: u8 = 18;
const OPERATION_READ: u8 = 22;

/// Where the parts of a queue are in the mapping.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Offsets {
    head: u32,
    tail: u32,
    mask: u32,
    entries: u32,
    /// `flags` of the submissions, `overflow` of the results.
    other: u32,
    /// `dropped` of the submissions, the array of the results.
    results: u32,
    /// The array of the submissions.
    indices: u32,
    reserved: u32,
    address: u64,
}

/// What making a ring says and answers.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Parameters {
    entries: u32,
    result_entries: u32,
    flags: u32,
    thread: [u32; 2],
    features: u32,
    shared: u32,
    reserved: [u32; 3],
    submissions: Offsets,
    results: Offsets,
}

/// A call to be made.
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    operation: u8,
    flags: u8,
    priority: u16,
    fd: c_int,
    offset: u64,
    address: *const c_void,
    len: u32,
    how: u32,
    which: u64,
    rest: [u64; 3],
}

/// What came of it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Outcome {
    which: u64,
    result: i32,
    flags: u32,
}

const _: () =
    assert!(size_of::<Entry>() == 64 && size_of::<Parameters>() == 120 && size_of::<Outcome>() == 16);

/// Memory that is mapped as long as this lives.
struct Mapped(*mut u8, usize);

impl Mapped {
    fn new(ring: &Fd, len: usize, offset: i64) -> Option<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: a new mapping at a place of the system's choice touches nothing that exists.
        let start = unsafe { libc::mmap(null_mut(), len, access, kind, ring.get(), offset) };
        (start != libc::MAP_FAILED).then_some(Self(start.cast(), len))
    }

    /// A number that the kernel sees too.
    fn shared(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel said that there is such a number in the mapping.
        unsafe { &*self.0.add(offset as usize).cast() }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: what was mapped, and nothing points into it any more.
        unsafe { libc::munmap(self.0.cast(), self.1) };
    }
}

/// A ring of its own.
pub(crate) struct Ring {
    ring: Fd,
    queues: Mapped,
    entries: Mapped,
    parameters: Parameters,
}

impl Ring {
    /// The most calls in one batch.
    pub(crate) const MOST: usize = 64;
    /// Added to the length of what was read whole: more than any slot.
    pub(crate) const ENDED: u32 = 1 << 31;

    /// A new ring, if this process may have one.
    pub(crate) fn new() -> Option<Self> {
        if REFUSED.load(Ordering::Relaxed) {
            return None;
        }
        let made = Self::make();
        REFUSED.store(made.is_none(), Ordering::Relaxed);
        made
    }

    fn make() -> Option<Self> {
        let mut parameters = Parameters::default();
        let place = &raw mut parameters;
        // SAFETY: the place is a local. The descriptor is closed on exec.
        let ring = check(unsafe { libc::syscall(libc::SYS_io_uring_setup, Self::MOST, place) });
        if ring.0 < 0 {
            return None;
        }
        let ring = Fd::own(ring.0 as c_int);
        let needed = FEATURE_SINGLE_MAP | FEATURE_CURRENT_POSITION;
        if parameters.features & needed != needed {
            return None;
        }
        let submissions = parameters.submissions.indices as usize + parameters.entries as usize * 4;
        let results =
            parameters.results.results as usize + parameters.result_entries as usize * size_of::<Outcome>();
        let queues = Mapped::new(&ring, submissions.max(results), 0)?;
        let size = parameters.entries as usize * size_of::<Entry>();
        let entries = Mapped::new(&ring, size, OFFSET_ENTRIES)?;
        Some(Self { ring, queues, entries, parameters })
    }

    /// Opens files for reading: `into` gets for each name a descriptor or a negated errno.
    ///
    /// # Safety
    /// There are as many names as results, each of which ends with a 0.
    pub(crate) unsafe fn open(&mut self, names: *const *const c_char, into: &mut [i64]) {
        for at in 0..into.len() {
            // SAFETY: at is below the number of names.
            let name = unsafe { names.add(at).read() };
            let how = (libc::O_RDONLY | libc::O_CLOEXEC) as u32;
            self.put(OPERATION_OPEN, at, libc::AT_FDCWD, name.cast(), 0, how);
        }
        self.make_all(into.len(), into);
    }

    /// Reads where the descriptors are, those of `files` that are not negative, each into its own `size`
    /// bytes of `slots`. `filled` tells how much of each is filled, and is counted up; when nothing more
    /// came, [`Ring::ENDED`] is added.
    ///
    /// # Safety
    /// Each is a descriptor, and there is a slot for each.
    pub(crate) unsafe fn read(&mut self, files: &[i64], slots: *mut u8, size: usize, filled: &mut [u32]) {
        let mut count = 0;
        for (at, (&file, &len)) in files.iter().zip(filled.iter()).enumerate() {
            if file >= 0 && (len as usize) < size {
                let place = slots.wrapping_add(at.wrapping_mul(size)).wrapping_add(len as usize);
                self.put(OPERATION_READ, at, file as c_int, place.cast(), (size as u32).wrapping_sub(len), 0);
                count += 1;
            }
        }
        let mut came = [-1; Self::MOST];
        self.make_all(count, &mut came);
        for (len, came) in filled.iter_mut().zip(came) {
            // A failure shows again when the rest is read.
            match came {
                0 => *len |= Self::ENDED,
                1.. => *len = len.wrapping_add(came as u32),
                _ => {}
            }
        }
    }

    /// Fills in the next entry of a batch.
    #[inline(never)]
    fn put(&mut self, operation: u8, which: usize, fd: c_int, address: *const c_void, len: u32, how: u32) {
        let entry = Entry {
            operation,
            flags: 0,
            priority: 0,
            fd,
            // Where the descriptor is, for the calls that have an offset.
            offset: if operation == OPERATION_READ { u64::MAX } else { 0 },
            address,
            len,
            how,
            which: which as u64,
            rest: [0; 3],
        };
        let tail = self.queues.shared(self.parameters.submissions.tail);
        let at = tail.load(Ordering::Relaxed);
        let index = at & self.parameters.entries.wrapping_sub(1);
        // SAFETY: the index is below the number of entries, a power of two, and the kernel has taken
        // what was there before.
        unsafe { self.entries.0.cast::<Entry>().add(index as usize).write(entry) };
        let slot = self.parameters.submissions.indices.wrapping_add(index.wrapping_mul(4));
        self.queues.shared(slot).store(index, Ordering::Relaxed);
        tail.store(at.wrapping_add(1), Ordering::Release);
    }

    /// Makes the calls and waits for all of them, as their memory must not go before.
    #[inline(never)]
    fn make_all(&mut self, count: usize, into: &mut [i64]) {
        let Parameters { submissions, results, .. } = self.parameters;
        let end = self.queues.shared(submissions.tail).load(Ordering::Relaxed);
        let mut waiting = count;
        while waiting != 0 {
            let left = end.wrapping_sub(self.queues.shared(submissions.head).load(Ordering::Acquire));
            let (ring, wanted) = (self.ring.get(), waiting as u32);
            let none: *mut c_void = null_mut();
            // SAFETY: the ring is open, and no signals are masked.
            let entered = check(unsafe {
                libc::syscall(libc::SYS_io_uring_enter, ring, left, wanted, ENTER_WAIT, none, 0_usize)
            });
            let busy = [libc::EINTR, libc::EAGAIN].map(|code| Ret::error(code).0);
            if entered.0 < 0 && left as usize == count && !busy.contains(&entered.0) {
                // A filter lets rings be made and not be used. Nothing was taken: it is taken back.
                REFUSED.store(true, Ordering::Relaxed);
                self.queues.shared(submissions.tail).store(end.wrapping_sub(left), Ordering::Relaxed);
                return;
            }
            let head = self.queues.shared(results.head);
            let mut at = head.load(Ordering::Relaxed);
            while at != self.queues.shared(results.tail).load(Ordering::Acquire) {
                let index = at & self.parameters.result_entries.wrapping_sub(1);
                // SAFETY: the kernel wrote the results between head and tail.
                let outcome = unsafe {
                    let first = self.queues.0.add(results.results as usize).cast::<Outcome>();
                    first.add(index as usize).read()
                };
                if let Some(place) = into.get_mut(outcome.which as usize) {
                    *place = outcome.result.into();
                }
                at = at.wrapping_add(1);
                waiting = waiting.wrapping_sub(1);
            }
            head.store(at, Ordering::Release);
        }
    }
}
