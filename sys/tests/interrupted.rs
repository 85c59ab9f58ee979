//! Signals that come in the middle of a call: each call that can answer EINTR does so once, and the
//! function around it must go on as if nothing had been. A filter alone cannot do this, since its
//! answer would be the same for ever; here the kernel asks this program what to answer
//! (seccomp_unotify(2)).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use vitte_sys::SysError;
use vitte_sys::fs::{self, Durability, FileLock, RangeLock, Reader, Root, Sharing};
use vitte_sys::process::{Command, Limits, Stdio};

mod common;
use common::Scratch;

mod filter;

struct Case {
    name: &'static str,
    calls: &'static [libc::c_long],
    attempt: fn(&Path) -> Result<(), SysError>,
}

/// x86-64 has a call of its own for paths that are not relative to a descriptor.
const OPEN: &[libc::c_long] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];
const POLL: &[libc::c_long] = &[
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];
const OPEN2: &[libc::c_long] = &[libc::SYS_openat2];
const READ: &[libc::c_long] = &[libc::SYS_read];
const WRITE: &[libc::c_long] = &[libc::SYS_write];
const SYNC: &[libc::c_long] = &[libc::SYS_fsync];
const RENAME: &[libc::c_long] = &[libc::SYS_renameat, libc::SYS_renameat2];
const UNLINK: &[libc::c_long] = &[libc::SYS_unlinkat];

const CASES: &[Case] = &[
    Case { name: "read", calls: OPEN, attempt: read },
    Case { name: "read", calls: READ, attempt: read },
    Case { name: "write", calls: OPEN, attempt: |at| fs::write(&at.join("file"), b"inside") },
    Case { name: "write", calls: WRITE, attempt: |at| fs::write(&at.join("file"), b"inside") },
    Case { name: "write", calls: SYNC, attempt: |at| fs::write(&at.join("file"), b"inside") },
    Case { name: "write", calls: RENAME, attempt: |at| fs::write(&at.join("file"), b"inside") },
    Case { name: "copy", calls: OPEN, attempt: copy },
    Case { name: "copy", calls: &[libc::SYS_copy_file_range], attempt: copy },
    Case { name: "copy of procfs", calls: READ, attempt: copy_of_procfs },
    Case { name: "copy of procfs", calls: WRITE, attempt: copy_of_procfs },
    Case { name: "remove_tree", calls: OPEN, attempt: remove_tree },
    Case { name: "remove_tree", calls: UNLINK, attempt: remove_tree },
    Case {
        name: "FileLock",
        calls: &[libc::SYS_flock],
        attempt: |at| FileLock::try_exclusive(&at.join("lock")).map(|lock| assert!(lock.is_some())),
    },
    Case {
        name: "RangeLock",
        calls: &[libc::SYS_fcntl],
        attempt: |at| {
            let file = std::fs::File::open(at.join("file")).unwrap();
            RangeLock::try_take(&file, 0..1, Sharing::Shared).map(|lock| assert!(lock.is_some()))
        },
    },
    Case { name: "Root::open", calls: OPEN, attempt: |at| Root::open(at).map(drop) },
    Case { name: "Root::read", calls: OPEN2, attempt: |at| Root::open(at)?.read("file", 100).map(drop) },
    Case { name: "Root::read", calls: READ, attempt: |at| Root::open(at)?.read("file", 100).map(drop) },
    Case { name: "Root::replace", calls: OPEN2, attempt: replace },
    Case { name: "Root::replace", calls: OPEN, attempt: replace },
    Case { name: "Root::replace", calls: WRITE, attempt: replace },
    Case { name: "Root::replace", calls: SYNC, attempt: replace },
    Case { name: "Root::replace", calls: RENAME, attempt: replace },
    Case { name: "Root::copy", calls: OPEN2, attempt: |at| Root::open(at)?.copy("file", "copy").map(drop) },
    Case {
        name: "Root::rename",
        calls: RENAME,
        attempt: |at| {
            Root::open(at)?.rename("file", "other")?;
            Root::open(at)?.rename_new("other", "file")
        },
    },
    Case {
        name: "Root::symlink",
        calls: &[libc::SYS_symlinkat],
        attempt: |at| Root::open(at)?.symlink("file", "link"),
    },
    Case {
        name: "Root::read_link",
        calls: &[libc::SYS_readlinkat],
        attempt: |at| {
            Root::open(at)?.symlink("file", "link")?;
            Root::open(at)?.read_link("link").map(drop)
        },
    },
    Case {
        name: "Root::create_directories",
        calls: &[libc::SYS_mkdirat],
        attempt: |at| Root::open(at)?.create_directories("a/b"),
    },
    Case {
        name: "Root::entries",
        calls: &[libc::SYS_getdents64],
        attempt: |at| Root::open(at)?.entries(".").map(|entries| assert!(!entries.is_empty())),
    },
    Case {
        name: "Root::remove_file",
        calls: UNLINK,
        attempt: |at| {
            fs::write(&at.join("extra"), b"x")?;
            Root::open(at)?.remove_file("extra")
        },
    },
    Case {
        name: "Root::remove_tree",
        calls: UNLINK,
        attempt: |at| {
            Root::open(at)?.create_directories("a/b")?;
            Root::open(at)?.remove_tree("a")
        },
    },
    Case { name: "read_many", calls: OPEN, attempt: read_many },
    Case { name: "read_many", calls: &[libc::SYS_preadv2, libc::SYS_pread64], attempt: read_many },
    Case {
        name: "wait_readable",
        calls: POLL,
        attempt: |_| {
            let (_ours, theirs) = vitte_sys::net::pair()?;
            vitte_sys::net::wait_readable(&theirs, Some(Duration::ZERO)).map(|readable| assert!(!readable))
        },
    },
    Case {
        name: "MemoryFile::write_at",
        calls: &[libc::SYS_pwrite64],
        attempt: |_| vitte_sys::memory::MemoryFile::new("x")?.write_at(b"bytes", 0),
    },
    Case { name: "Child::wait", calls: &[libc::SYS_wait4, libc::SYS_waitid], attempt: spawn },
    Case { name: "Command::spawn", calls: READ, attempt: spawn },
    Case { name: "Command::spawn", calls: WRITE, attempt: spawn },
];

fn read(at: &Path) -> Result<(), SysError> {
    fs::read(&at.join("file")).map(|bytes| assert_eq!(bytes, b"inside"))
}

fn copy(at: &Path) -> Result<(), SysError> {
    fs::copy(&at.join("file"), &at.join("copy")).map(|copied| assert_eq!(copied.bytes, 6))
}

fn copy_of_procfs(at: &Path) -> Result<(), SysError> {
    fs::copy(Path::new("/proc/self/status"), &at.join("copy")).map(|copied| assert!(copied.bytes > 0))
}

fn remove_tree(at: &Path) -> Result<(), SysError> {
    std::fs::create_dir_all(at.join("tree/below")).unwrap();
    std::fs::write(at.join("tree/below/file"), "x").unwrap();
    fs::remove_tree(&at.join("tree"))
}

fn replace(at: &Path) -> Result<(), SysError> {
    Root::open(at)?.replace("file", b"inside", 0o644, Durability::Flushed)
}

fn read_many(at: &Path) -> Result<(), SysError> {
    let root = Root::open(at)?;
    let mut answer = Ok(());
    // Twice: the second is presumed to be in memory, and read by another call.
    Reader::new().read_many(&root, &["file", "file"], 100, |visit| {
        if let Err(error) = visit.file.map(|(bytes, _)| assert_eq!(bytes, b"inside")) {
            answer = Err(error);
        }
        std::ops::ControlFlow::Continue(())
    });
    answer
}

fn spawn(_: &Path) -> Result<(), SysError> {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn(Limits::default()).expect("spawned");
    assert!(child.wait().expect("waited").success());
    Ok(())
}

#[test]
fn what_a_signal_interrupts_goes_on() {
    if filter::missing("what_a_signal_interrupts_goes_on") {
        return;
    }
    let scratch = Scratch::new("interrupted");
    let at = scratch.path();
    // The thread that starts processes is made by the first start and stays: not under a filter.
    spawn(at).unwrap();
    let mut interrupted = 0;
    for case in CASES {
        std::fs::write(at.join("file"), "inside").unwrap();
        let before = interrupted;
        for call in case.calls {
            let (answer, asked) = interrupting(*call, || (case.attempt)(at));
            answer.unwrap_or_else(|error| panic!("{} with call {call} interrupted: {error}", case.name));
            assert!(asked != 1, "{} gave up call {call} in silence", case.name);
            interrupted += u32::from(asked > 1);
        }
        // Where there are two calls to choose from, the C library or the kernel decides.
        assert!(interrupted > before, "{} makes none of the calls {:?}", case.name, case.calls);
        for name in ["copy", "link", "lock", "other", "extra"] {
            let _ = std::fs::remove_file(at.join(name));
        }
        let _ = std::fs::remove_dir_all(at.join("a"));
        let left: Vec<_> = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["file"], "{} left something behind", case.name);
        assert_eq!(std::fs::read(at.join("file")).unwrap(), b"inside", "{}", case.name);
    }
    println!("{interrupted} calls interrupted");
}

/// Runs `work` on a thread whose first `call` answers EINTR, and how often that call was made.
fn interrupting<T: Send>(call: libc::c_long, work: impl FnOnce() -> T + Send) -> (T, u32) {
    std::thread::scope(|scope| {
        let (give, take) = mpsc::channel();
        let worker = scope.spawn(move || {
            // Made here, so that the closure below does nothing but the work and its end.
            give.send(listen_to(call)).unwrap();
            work()
        });
        let listener = take.recv().unwrap();
        let answering = scope.spawn(move || answer(&listener));
        let answer = worker.join().unwrap();
        (answer, answering.join().unwrap())
    })
}

/// Answers the first notification with EINTR and lets the others pass; how many there were when the
/// last thread under the filter had ended.
fn answer(listener: &OwnedFd) -> u32 {
    let mut asked = 0;
    loop {
        let mut polled = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure of that type.
        let ready = unsafe { libc::poll(&mut polled, 1, -1) };
        if ready < 0 || polled.revents & libc::POLLIN == 0 {
            return asked;
        }
        // SAFETY: a structure of numbers, for which zero is a value; the kernel wants it zeroed.
        let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one structure of this type.
        let received =
            unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, std::ptr::from_mut(&mut notification)) };
        if received < 0 {
            // Whoever asked has ended meanwhile.
            continue;
        }
        asked += 1;
        let mut response =
            libc::seccomp_notif_resp { id: notification.id, val: 0, error: -libc::EINTR, flags: 0 };
        if asked > 1 {
            response.error = 0;
            response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
        }
        // SAFETY: the kernel reads one structure of this type.
        unsafe { libc::ioctl(listener.as_raw_fd(), SEND, std::ptr::from_ref(&response)) };
    }
}

/// `SECCOMP_IOCTL_NOTIF_RECV` and `_SEND`: `_IOWR('!', 0, struct seccomp_notif)` and
/// `_IOWR('!', 1, struct seccomp_notif_resp)`.
const RECEIVE: libc::c_ulong = read_write(0, size_of::<libc::seccomp_notif>());
const SEND: libc::c_ulong = read_write(1, size_of::<libc::seccomp_notif_resp>());

const fn read_write(number: libc::c_ulong, size: usize) -> libc::c_ulong {
    (3 << 30) | ((size as libc::c_ulong) << 16) | ((b'!' as libc::c_ulong) << 8) | number
}

/// From here on the calling thread's `call` waits for an answer through the descriptor.
fn listen_to(call: libc::c_long) -> OwnedFd {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::try_from(call).unwrap()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let description = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers; the call changes a flag of this thread.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the kernel copies four instructions from `program`.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            std::ptr::from_ref(&description),
        )
    };
    assert!(listener >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor, which nobody else knows.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(listener).unwrap()) }
}
