//! Many files at once.

use core::ffi::{c_char, c_int};

use crate::buf::RtBuf;
use crate::errno::{Errno, Ret, raw};
use crate::os::{self, Ring};
use crate::process::pointers;
use crate::text::Text;

/// As many as are open at a time: far below what a process may have.
const GROUP: usize = Ring::MOST;
/// Fewer are not worth a ring, which costs as much as some of them.
const WORTH_A_RING: usize = 16;
/// What a batch reads of each file. Most sources are smaller; the rest of a larger one is read alone.
const SLOT: usize = 0x4000;

/// Reads many files. `paths` is a list of `count` texts, each followed by a byte 0; the contents go
/// behind each other into `out`, and `lens` gets one number for each: its length or a negated errno.
/// Returns how many were read. They are opened in groups, and where the system allows it (io_uring)
/// each group is opened and read by a few calls; elsewhere it is told what will be read, so that a cold
/// disk works on all side by side. The answers are the same.
///
/// # Errors
/// - `malloc`: ENOMEM
/// - `io_uring_setup`, absorbed: EINVAL, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM
/// - `io_uring_enter`, absorbed: EINVAL, ENOSYS, EPERM
///
/// # Safety
/// `paths` is readable for `paths_len` bytes, `out` a valid buffer, `lens` writable for `count`
/// numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt_fs_read_many(
    paths: *const c_char,
    paths_len: usize,
    out: *mut RtBuf,
    lens: *mut i64,
    count: usize,
) -> i64 {
    raw((|| {
        // SAFETY: the caller's promise.
        let out = unsafe { RtBuf::emptied(out) }?;
        let mut array = RtBuf::EMPTY;
        // SAFETY: the caller's promise.
        let found = unsafe { pointers(paths, paths_len, paths_len, &mut array) };
        if found.ok()? as usize != count {
            return Err(Errno::of(libc::EINVAL));
        }
        if count == 0 {
            return Ok(0);
        }
        let names: *const *const c_char = array.ptr.cast_const().cast();
        // SAFETY: the caller's promise.
        let lens = unsafe { core::slice::from_raw_parts_mut(lens, count) };
        let mut batch = if count >= WORTH_A_RING { Batch::new() } else { None };
        let mut read = 0;
        let mut start = 0_usize;
        for group in lens.chunks_mut(GROUP) {
            let names = names.wrapping_add(start);
            start = start.wrapping_add(group.len());
            // SAFETY: there is a name for each number.
            unsafe { open(&mut batch, names, group) };
            if let Some(batch) = &mut batch {
                batch.read(group);
            }
            for (at, place) in group.iter_mut().enumerate() {
                if *place < 0 {
                    continue;
                }
                let file = *place as c_int;
                let before = out.len;
                *place = contents(&batch, at, file, out).0;
                if *place < 0 {
                    out.len = before;
                } else {
                    *place = out.len.wrapping_sub(before) as i64;
                    read += 1;
                }
                let _ = os::close(file);
            }
        }
        Ok(read)
    })())
}

/// Opens a group of files: each place gets a descriptor or a negated errno.
///
/// # Safety
/// There is a name for each place, which ends with a 0.
#[inline(never)]
unsafe fn open(batch: &mut Option<Batch>, names: *const *const c_char, group: &mut [i64]) {
    let unknown = Ret::error(libc::EINVAL).0;
    group.fill(unknown);
    if let Some(batch) = batch {
        // SAFETY: the caller's promise.
        unsafe { batch.ring.open(names, group) };
    }
    for (at, place) in group.iter_mut().enumerate() {
        // A kernel that cannot open in batches says so like this.
        if *place == unknown {
            // SAFETY: there is a name for each place, which ends with a 0.
            let name = unsafe { Text::new(names.add(at).read()) };
            *place = os::open(os::AT_FDCWD, name, os::O_RDONLY, 0).0;
            if *place >= 0 {
                os::will_need(*place as c_int);
            }
        }
    }
}

/// What a file has, behind what the buffer has already.
#[inline(never)]
fn contents(batch: &Option<Batch>, at: usize, file: c_int, out: &mut RtBuf) -> Ret {
    if let Some(batch) = batch {
        let filled = batch.filled.get(at).copied().unwrap_or_default();
        let start = batch.slots.ptr.wrapping_add(at.wrapping_mul(SLOT));
        // SAFETY: the slot is filled up to its length.
        let pushed = unsafe { out.push(start, (filled & !Ring::ENDED) as usize) };
        if pushed.0 < 0 || filled & Ring::ENDED != 0 {
            return pushed;
        }
    }
    out.read_all(file)
}

/// A ring, and room for what it reads of a group.
struct Batch {
    ring: Ring,
    slots: RtBuf,
    /// How much of each slot is filled.
    filled: [u32; GROUP],
}

impl Batch {
    /// None where there is no ring, or no memory.
    #[inline(never)]
    fn new() -> Option<Self> {
        let ring = Ring::new()?;
        let mut slots = RtBuf::EMPTY;
        let reserved = slots.reserve(GROUP * SLOT);
        (reserved.0 >= 0).then_some(Self { ring, slots, filled: [0; GROUP] })
    }

    /// Reads the beginning of each file that is open, and looks whether it ends there.
    fn read(&mut self, files: &[i64]) {
        self.filled = [0; GROUP];
        for _ in 0..2 {
            // SAFETY: the files are open, and nothing else uses the slots.
            unsafe { self.ring.read(files, self.slots.ptr, SLOT, &mut self.filled) };
        }
    }
}
