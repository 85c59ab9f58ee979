//! The spawn helper: between the service and each program it starts.
//!
//! The service is large and has many threads, so it must not fork. It starts this small static
//! program instead, by `posix_spawn`; this one closes what it inherited, leads a process group, makes
//! namespaces, forks (which costs it next to nothing), and the fork restricts itself and becomes the
//! program. What stays is the supervisor: it takes in every orphan of the program (child subreaper,
//! or the init of a PID namespace), ends as the program ended, and leaves none of them behind. When
//! the service dies, or asks by `KILL_TREE`, it kills them all.
//!
//! No C library, no heap, one thread. It is started with all signals blocked and default actions.
#![no_std]
#![no_main]

mod plan;
mod syscalls;

use core::arch::global_asm;
use core::ptr::{addr_of, addr_of_mut};

use plan::*;
use syscalls::{number, syscall, unified};

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {}", sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "bl {}", sym start);

const SIGKILL: i32 = 9;
const SIGCHLD: i32 = 17;
const CLOSE_RANGE_CLOEXEC: usize = 4;
const CLONE_NEWNS: u64 = 0x0002_0000;
const CLONE_NEWUSER: u64 = 0x1000_0000;
const CLONE_NEWPID: u64 = 0x2000_0000;
const PR_SET_PDEATHSIG: usize = 1;
const PR_SET_NAME: usize = 15;
const PR_SET_SECCOMP: usize = 22;
const PR_SET_SECUREBITS: usize = 28;
const PR_SET_CHILD_SUBREAPER: usize = 36;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const PR_CAP_AMBIENT: usize = 47;
const AT_FDCWD: isize = -100;
const O_WRONLY: usize = 1;
const O_CLOEXEC: usize = 0o2_000_000;
const ENOSYS: u32 = 38;
const ETXTBSY: u32 = 26;
const ECHILD: u32 = 10;
const ESRCH: u32 = 3;

/// How often the supervisor looks for what is left before it gives up on processes that the kernel
/// cannot end, 10 ms apart.
const KILL_ROUNDS: u32 = 1000;

/// A failure on the way to the program.
struct Failure(Report);

fn at(stage: u32) -> impl Fn(u32) -> Failure {
    move |errno| Failure(Report { stage, errno })
}

extern "C" fn start() -> ! {
    match supervise() {
        Ok(end) => end_like(end),
        Err(Failure(report)) => {
            tell(report);
            exit(127)
        }
    }
}

/// Starts the program; its wait status once it has ended and nothing of it is left.
fn supervise() -> Result<i32, Failure> {
    let image = map_plan()?;
    let plan = image.plan;
    let _ = syscall!(number::PRCTL, PR_SET_NAME, c"vitte-spawn".as_ptr());
    let supervisor = syscall!(number::GETPID).map_err(at(STAGE_GROUP))?;
    if plan.flags & FLAG_SESSION != 0 {
        syscall!(number::SETSID).map_err(at(STAGE_GROUP))?;
    } else {
        syscall!(number::SETPGID, 0, 0).map_err(at(STAGE_GROUP))?;
    }
    syscall!(number::PRCTL, PR_SET_PDEATHSIG, KILL_TREE).map_err(at(STAGE_DEATH_SIGNAL))?;
    // The parent may have died before the line above: then nobody would ever tell.
    if syscall!(number::GETPPID) != Ok(plan.parent as usize) {
        return Err(Failure(Report { stage: STAGE_DEATH_SIGNAL, errno: ESRCH }));
    }
    let adopting = syscall!(number::PRCTL, PR_SET_CHILD_SUBREAPER, 1);
    // qemu's user emulation does not know it. Only a build for tests there goes on without.
    if !cfg!(emulated) {
        adopting.map_err(at(STAGE_DEATH_SIGNAL))?;
    }
    let landlock = usize::from(plan.flags & FLAG_LANDLOCK != 0);
    close_from(FIRST_EXTRA_FD as usize + landlock + (plan.cgroups + plan.handed) as usize, 0);
    if plan.namespaces != 0 {
        enter_namespaces(&image)?;
    }
    let own_pids = plan.namespaces & CLONE_NEWPID != 0;
    let mut init = 0;
    if own_pids {
        // The first process of the namespace adopts and reaps orphans, and its end is the end of all.
        init = fork()?;
        if init == 0 {
            be_init();
        }
    }
    let program = fork()?;
    if program == 0 {
        let Failure(report) = become_program(&image, if own_pids { 0 } else { supervisor });
        tell(report);
        exit(127);
    }
    // Above all the report pipe, whose end tells the service that the program runs, and the program's
    // own input and output.
    close_from(0, 0);
    let status = watch(program as i32);
    if init != 0 {
        let _ = syscall!(number::KILL, init, SIGKILL);
    }
    kill_descendants();
    Ok(status)
}

/// Waits for the program's end or the order to kill.
fn watch(program: i32) -> i32 {
    loop {
        let (process, status) = reap();
        if process == program {
            return status;
        }
        if process <= 0 && wait_for_signal(None) == KILL_TREE {
            return SIGKILL;
        }
    }
}

/// Kills children, and theirs as they become ours, until there are none.
fn kill_descendants() {
    for _ in 0..KILL_ROUNDS {
        kill_children();
        loop {
            let (process, _) = reap();
            if process == -(ECHILD as i32) {
                return;
            }
            if process <= 0 {
                break;
            }
        }
        wait_for_signal(Some([0, 10_000_000]));
    }
}

/// Sends SIGKILL to every child of this process.
fn kill_children() {
    let path = c"/proc/thread-self/children";
    let Ok(file) = syscall!(number::OPENAT, AT_FDCWD, path.as_ptr(), O_CLOEXEC) else { return };
    let mut buffer = [0u8; 4096];
    let mut process = 0usize;
    while let Ok(length) = syscall!(number::READ, file, buffer.as_mut_ptr(), buffer.len()) {
        if length == 0 {
            break;
        }
        for &byte in buffer.iter().take(length) {
            if byte.is_ascii_digit() {
                process = process.wrapping_mul(10).wrapping_add(usize::from(byte - b'0'));
            } else if process > 1 {
                let _ = syscall!(number::KILL, process, SIGKILL);
                process = 0;
            }
        }
    }
    let _ = syscall!(number::CLOSE, file);
}

/// An ended child and its status; 0 when none has ended, the negative errno when there is none.
fn reap() -> (i32, i32) {
    const WNOHANG: usize = 1;
    let mut status = 0i32;
    match syscall!(number::WAIT4, -1isize, addr_of_mut!(status), WNOHANG, 0) {
        Ok(process) => (process as i32, status),
        Err(errno) => (-(errno as i32), 0),
    }
}

/// The end of a child or the order to kill; 0 after `timeout` (seconds, nanoseconds).
fn wait_for_signal(timeout: Option<[i64; 2]>) -> i32 {
    let set: u64 = 1 << (SIGCHLD - 1) | 1 << (KILL_TREE - 1);
    let timeout = timeout.as_ref().map_or(core::ptr::null(), |timeout| addr_of!(*timeout));
    // A child may end between the last look and this wait, but then its signal is pending.
    match syscall!(number::SIGTIMEDWAIT, addr_of!(set), 0, timeout, 8) {
        Ok(signal) => signal as i32,
        Err(_) => 0,
    }
}

/// The first process of a PID namespace: reaps until it is killed.
fn be_init() -> ! {
    // Before the rest, so that nothing of ours is held open by it.
    close_from(0, 0);
    let _ = syscall!(number::PRCTL, PR_SET_PDEATHSIG, SIGKILL);
    let set: u64 = 1 << (SIGCHLD - 1);
    loop {
        while reap().0 > 0 {}
        let _ = syscall!(number::SIGTIMEDWAIT, addr_of!(set), 0, 0, 8);
    }
}

fn enter_namespaces(image: &Image) -> Result<(), Failure> {
    let plan = image.plan;
    syscall!(number::UNSHARE, plan.namespaces).map_err(at(STAGE_NAMESPACES))?;
    if plan.namespaces & CLONE_NEWUSER != 0 {
        // Without this an unprivileged process may not map a group.
        write_file(c"/proc/self/setgroups".as_ptr().cast(), c"deny".as_ptr().cast())
            .map_err(at(STAGE_ID_MAPS))?;
        write_file(c"/proc/self/uid_map".as_ptr().cast(), image.string(plan.uid_map))
            .map_err(at(STAGE_ID_MAPS))?;
        write_file(c"/proc/self/gid_map".as_ptr().cast(), image.string(plan.gid_map))
            .map_err(at(STAGE_ID_MAPS))?;
    }
    if plan.namespaces & CLONE_NEWNS != 0 {
        const MS_REC: usize = 0x4000;
        const MS_PRIVATE: usize = 1 << 18;
        syscall!(number::MOUNT, 0, c"/".as_ptr(), 0, MS_REC | MS_PRIVATE, 0).map_err(at(STAGE_MOUNTS))?;
    }
    if plan.flags & FLAG_READ_ONLY != 0 {
        make_read_only(image).map_err(at(STAGE_MOUNTS))?;
    }
    Ok(())
}

/// Makes every mount read-only, then puts the writable trees, cloned beforehand, back in place.
fn make_read_only(image: &Image) -> Result<(), u32> {
    const OPEN_TREE_CLONE: usize = 1;
    const AT_RECURSIVE: usize = 0x8000;
    const MOVE_MOUNT_F_EMPTY_PATH: usize = 4;
    const MOUNT_ATTR_RDONLY: u64 = 1;
    const TREES_MAX: usize = 64;
    let mut trees = [0usize; TREES_MAX];
    let mut count = 0;
    while let Some(path) = image.entry(image.plan.writable, count) {
        let slot = trees.get_mut(count).ok_or(7u32)?;
        *slot =
            syscall!(unified::OPEN_TREE, AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC)?;
        count += 1;
    }
    let attributes = [MOUNT_ATTR_RDONLY, 0, 0, 0];
    syscall!(unified::MOUNT_SETATTR, AT_FDCWD, c"/".as_ptr(), AT_RECURSIVE, addr_of!(attributes), 32)?;
    for (at, tree) in trees.iter().take(count).enumerate() {
        let Some(path) = image.entry(image.plan.writable, at) else { break };
        syscall!(unified::MOVE_MOUNT, *tree, c"".as_ptr(), AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)?;
        syscall!(number::CLOSE, *tree)?;
    }
    Ok(())
}

/// Restricts this process and starts the program in it. Returns only when that fails.
fn become_program(image: &Image, supervisor: usize) -> Failure {
    match restrict(image, supervisor) {
        Ok(()) => {}
        Err(failure) => return failure,
    }
    let plan = image.plan;
    let arguments = image.table(plan.arguments);
    let environment = image.table(plan.environment);
    let mut tries = 0;
    loop {
        match syscall!(number::EXECVE, image.string(plan.program), arguments, environment) {
            Ok(_) => return at(STAGE_EXEC)(ENOSYS),
            // Whoever has just written the program may have forked meanwhile: until that child
            // executes, it holds the file open for writing.
            Err(ETXTBSY) if tries < BUSY_TRIES_MAX => {
                tries += 1;
                // Where the filter forbids it, the tries follow each other at once.
                let _ = syscall!(number::NANOSLEEP, addr_of!(BUSY_PAUSE), 0);
            }
            Err(errno) => return at(STAGE_EXEC)(errno),
        }
    }
}

/// Tries to execute a program that is being written, and the seconds and nanoseconds between two:
/// together a tenth of a second.
const BUSY_TRIES_MAX: u32 = 50;
static BUSY_PAUSE: [i64; 2] = [0, 2_000_000];

fn restrict(image: &Image, supervisor: usize) -> Result<(), Failure> {
    let plan = image.plan;
    syscall!(number::PRCTL, PR_SET_PDEATHSIG, SIGKILL).map_err(at(STAGE_DEATH_SIGNAL))?;
    if supervisor != 0 && syscall!(number::GETPPID) != Ok(supervisor) {
        return Err(Failure(Report { stage: STAGE_DEATH_SIGNAL, errno: ESRCH }));
    }
    let landlock = plan.flags & FLAG_LANDLOCK != 0;
    let groups = FIRST_EXTRA_FD as usize + usize::from(landlock);
    for group in groups..groups + plan.cgroups as usize {
        // "0" means whoever writes.
        syscall!(number::WRITE, group, c"0".as_ptr(), 1).map_err(at(STAGE_CGROUP))?;
    }
    if plan.directory != 0 {
        syscall!(number::CHDIR, image.string(plan.directory)).map_err(at(STAGE_DIRECTORY))?;
    }
    for at_index in 0..plan.limit_count as usize {
        let limit = image.limit(at_index);
        let values = [limit.current, limit.maximum];
        syscall!(number::PRLIMIT, 0, limit.resource, addr_of!(values), 0).map_err(at(STAGE_LIMITS))?;
    }
    if plan.flags & FLAG_UNPRIVILEGED != 0 {
        give_up_privileges().map_err(at(STAGE_PRIVILEGES))?;
    }
    if landlock {
        syscall!(unified::LANDLOCK_RESTRICT_SELF, FIRST_EXTRA_FD, 0).map_err(at(STAGE_LANDLOCK))?;
    }
    close_from(REPORT_FD as usize, CLOSE_RANGE_CLOEXEC);
    if plan.handed != 0 {
        syscall!(number::DUP3, groups + plan.cgroups as usize, HANDED_FD, 0).map_err(at(STAGE_EXEC))?;
    }
    let none = 0u64;
    const SIG_SETMASK: usize = 2;
    syscall!(number::SIGPROCMASK, SIG_SETMASK, addr_of!(none), 0, 8).map_err(at(STAGE_EXEC))?;
    if plan.filter != 0 {
        const SECCOMP_MODE_FILTER: usize = 2;
        #[repr(C)]
        struct Filter {
            length: u16,
            instructions: usize,
        }
        let filter =
            Filter { length: plan.filter_count as u16, instructions: image.string(plan.filter) as usize };
        syscall!(number::PRCTL, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, addr_of!(filter))
            .map_err(at(STAGE_FILTER))?;
    }
    Ok(())
}

/// No capability now, none by exec of anything, and none for uid 0 either. The bounding set stays: it
/// limits what an exec may add, which `no_new_privs` sets to nothing for good, and to empty it takes 41
/// calls of 2 µs.
fn give_up_privileges() -> Result<(), u32> {
    const NO_ROOT_LOCKED: usize = 0b11;
    const AMBIENT_CLEAR_ALL: usize = 4;
    // These two need a capability, and whoever lacks it has nothing to give up.
    let _ = syscall!(number::PRCTL, PR_SET_SECUREBITS, NO_ROOT_LOCKED);
    let _ = syscall!(number::PRCTL, PR_CAP_AMBIENT, AMBIENT_CLEAR_ALL, 0, 0, 0);
    // _LINUX_CAPABILITY_VERSION_3, for this process; effective, permitted and inheritable, twice.
    let header = [0x2008_0522u32, 0];
    let sets = [0u32; 6];
    syscall!(number::CAPSET, addr_of!(header), addr_of!(sets))?;
    syscall!(number::PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)?;
    Ok(())
}

/// Ends as the program did, so that whoever waits for this process learns how that was.
fn end_like(status: i32) -> ! {
    let signal = status & 0x7f;
    if signal == 0 {
        exit((status >> 8) & 0xff);
    }
    // One core file is enough.
    let none = [0u64, 0];
    const RLIMIT_CORE: usize = 4;
    let _ = syscall!(number::PRLIMIT, 0, RLIMIT_CORE, addr_of!(none), 0);
    if let Ok(own) = syscall!(number::GETPID) {
        let _ = syscall!(number::KILL, own, signal);
        let mask: u64 = !(1 << (signal - 1));
        let _ = syscall!(number::SIGPROCMASK, 2, addr_of!(mask), 0, 8);
    }
    exit(128 + signal)
}

fn fork() -> Result<usize, Failure> {
    syscall!(number::CLONE, SIGCHLD, 0, 0, 0, 0).map_err(at(STAGE_FORK))
}

/// Closes all descriptors from `first` on, or marks them so for exec.
fn close_from(first: usize, flags: usize) {
    if syscall!(unified::CLOSE_RANGE, first, u32::MAX, flags).is_err() {
        // Linux before 5.9.
        const F_SETFD: usize = 2;
        #[cfg(target_arch = "x86_64")]
        const FCNTL: usize = 72;
        #[cfg(target_arch = "aarch64")]
        const FCNTL: usize = 25;
        for descriptor in first..65_536 {
            let _ = match flags {
                0 => syscall!(number::CLOSE, descriptor),
                _ => syscall!(FCNTL, descriptor, F_SETFD, 1),
            };
        }
    }
}

fn write_file(path: *const u8, text: *const u8) -> Result<(), u32> {
    let file = syscall!(number::OPENAT, AT_FDCWD, path, O_WRONLY | O_CLOEXEC)?;
    // SAFETY: `text` is a string of this program or of the image, which ends with a NUL.
    let length = unsafe { strlen(text) };
    let written = syscall!(number::WRITE, file, text, length);
    let _ = syscall!(number::CLOSE, file);
    written.map(drop)
}

fn tell(report: Report) {
    let _ = syscall!(number::WRITE, REPORT_FD, addr_of!(report), size_of::<Report>());
}

fn exit(code: i32) -> ! {
    loop {
        let _ = syscall!(number::EXIT_GROUP, code);
    }
}

/// The image, mapped privately, its tables turned into pointers.
struct Image {
    base: usize,
    plan: Plan,
}

fn map_plan() -> Result<Image, Failure> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE: usize = 2;
    const EINVAL: u32 = 22;
    // `struct stat`: 144 bytes on x86-64, 128 on aarch64; st_size is at 48 on both.
    let mut stat = [0u64; 18];
    syscall!(number::FSTAT, PLAN_FD, stat.as_mut_ptr()).map_err(at(STAGE_PLAN))?;
    let length = stat[6] as usize;
    if length < size_of::<Plan>() {
        return Err(at(STAGE_PLAN)(EINVAL));
    }
    let base = syscall!(number::MMAP, 0, length, PROT_READ_WRITE, MAP_PRIVATE, PLAN_FD, 0)
        .map_err(at(STAGE_PLAN))?;
    // SAFETY: the mapping is at least a `Plan` long, page-aligned and ours; every bit pattern is one.
    let plan = unsafe { (base as *const Plan).read() };
    if plan.magic != MAGIC {
        return Err(at(STAGE_PLAN)(EINVAL));
    }
    let image = Image { base, plan };
    for table in [plan.arguments, plan.environment] {
        let mut slot = image.table(table);
        // SAFETY: the library, our only parent, writes tables of offsets inside the image, aligned and
        // ended by a 0; nobody else has the mapping.
        while let offset @ 1.. = unsafe { slot.read() } {
            // SAFETY: as above; the slot is in the writable private mapping.
            unsafe { slot.write(base + offset) };
            // SAFETY: as above; the ending 0 has not been passed.
            slot = unsafe { slot.add(1) };
        }
    }
    Ok(image)
}

impl Image {
    fn string(&self, offset: u64) -> *const u8 {
        (self.base + offset as usize) as *const u8
    }

    fn table(&self, offset: u64) -> *mut usize {
        (self.base + offset as usize) as *mut usize
    }

    /// The string at `index` of a table that was not turned into pointers.
    fn entry(&self, table: u64, index: usize) -> Option<*const u8> {
        // SAFETY: callers count up from 0 and stop at the ending 0.
        let offset = unsafe { self.table(table).add(index).read() };
        (offset != 0).then(|| self.string(offset as u64))
    }

    fn limit(&self, index: usize) -> Limit {
        let first = (self.base + self.plan.limits as usize) as *const Limit;
        // SAFETY: `index` is below `limit_count`, and the library wrote that many, aligned.
        unsafe { first.add(index).read() }
    }
}

/// Nothing here panics; the language wants the function all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(127)
}

/// The compiler may call these for copies and comparisons; there is no C library to bring them.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    for at in 0..length {
        // SAFETY: the caller gives two ranges of `length` bytes. Volatile, so that this loop is not
        // itself turned into a call of memcpy.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
    to
}

/// See [`memcpy`].
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller gives a string that ends with a NUL; volatile as above.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// See [`memcpy`].
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    for at in 0..length {
        // SAFETY: the caller gives a range of `length` bytes; volatile as above.
        unsafe { to.add(at).write_volatile(byte as u8) };
    }
    to
}
