//! System calls without a C library.
use core::arch::asm;

/// System-call numbers; `include/uapi/asm-generic/unistd.h` and `arch/x86/entry/syscalls`.
#[cfg(target_arch = "x86_64")]
pub mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const FSTAT: usize = 5;
    pub const MMAP: usize = 9;
    pub const SIGPROCMASK: usize = 14;
    pub const NANOSLEEP: usize = 35;
    pub const GETPID: usize = 39;
    pub const CLONE: usize = 56;
    pub const EXECVE: usize = 59;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const CHDIR: usize = 80;
    pub const SETPGID: usize = 109;
    pub const GETPPID: usize = 110;
    pub const SETSID: usize = 112;
    pub const CAPSET: usize = 126;
    pub const SIGTIMEDWAIT: usize = 128;
    pub const PRCTL: usize = 157;
    pub const MOUNT: usize = 165;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const UNSHARE: usize = 272;
    pub const DUP3: usize = 292;
    pub const PRLIMIT: usize = 302;
}
/// See above.
#[cfg(target_arch = "aarch64")]
pub mod number {
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const CLOSE: usize = 57;
    pub const FSTAT: usize = 80;
    pub const MMAP: usize = 222;
    pub const SIGPROCMASK: usize = 135;
    pub const NANOSLEEP: usize = 101;
    pub const GETPID: usize = 172;
    pub const CLONE: usize = 220;
    pub const EXECVE: usize = 221;
    pub const WAIT4: usize = 260;
    pub const KILL: usize = 129;
    pub const CHDIR: usize = 49;
    pub const SETPGID: usize = 154;
    pub const GETPPID: usize = 173;
    pub const SETSID: usize = 157;
    pub const CAPSET: usize = 91;
    pub const SIGTIMEDWAIT: usize = 137;
    pub const PRCTL: usize = 167;
    pub const MOUNT: usize = 40;
    pub const EXIT_GROUP: usize = 94;
    pub const OPENAT: usize = 56;
    pub const UNSHARE: usize = 97;
    pub const DUP3: usize = 24;
    pub const PRLIMIT: usize = 261;
}
/// The calls that came after numbers were unified.
pub mod unified {
    pub const OPEN_TREE: usize = 428;
    pub const MOVE_MOUNT: usize = 429;
    pub const CLOSE_RANGE: usize = 436;
    pub const MOUNT_SETATTR: usize = 442;
    pub const LANDLOCK_RESTRICT_SELF: usize = 446;
}

/// The system call `number`: its answer, or the errno.
pub fn call(number: usize, arguments: [usize; 6]) -> Result<usize, u32> {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction clobbers rcx, r11 and memory, as declared. What the kernel may do with
    // the arguments is up to the caller, which passes pointers to live objects only; this program has
    // one thread and no heap.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => answer, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; the kernel keeps all registers but x0.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => answer, in("x1") b, in("x2") c,
             in("x3") d, in("x4") e, in("x5") f, options(nostack));
    }
    if (-4095..0).contains(&answer) { Err(answer.unsigned_abs() as u32) } else { Ok(answer as usize) }
}

/// [`call`] with fewer arguments.
macro_rules! syscall {
    ($number:expr $(, $argument:expr)*) => {{
        let given = [$($argument as usize),*];
        let mut all = [0usize; 6];
        let mut at = 0;
        while at < given.len() {
            all[at] = given[at];
            at += 1;
        }
        $crate::syscalls::call($number, all)
    }};
}
pub(crate) use syscall;
