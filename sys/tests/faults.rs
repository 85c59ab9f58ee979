//! Every errno that a function documents, produced by a seccomp filter on the call that gives it. The
//! answer must carry that errno, the operation and the path, and nothing may be left behind.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::{Path, PathBuf};

use vitte_sys::fs::{self, Durability, Reader, Root};
use vitte_sys::{Op, SysError};

mod common;
mod filter;
use common::Scratch;

type Attempt = fn(&Path) -> Result<(), SysError>;

struct Case {
    name: &'static str,
    op: Op,
    calls: &'static [libc::c_long],
    errnos: &'static [i32],
    attempt: Attempt,
}

/// Older architectures have a call of its own for paths that are not relative to a descriptor.
const OPEN: &[libc::c_long] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];
const OPEN2: &[libc::c_long] = &[libc::SYS_openat2];
const OPEN_ERRNOS: &[i32] = &[
    libc::EACCES,
    libc::EMFILE,
    libc::ENFILE,
    libc::ENOMEM,
    libc::ENOENT,
    libc::ELOOP,
    libc::EIO,
    libc::ENAMETOOLONG,
    libc::ENOTDIR,
    libc::EROFS,
    libc::ETXTBSY,
    libc::EOVERFLOW,
    libc::ESTALE,
];
const READ: &[libc::c_long] = &[libc::SYS_read];
const READ_ERRNOS: &[i32] = &[libc::EIO, libc::EISDIR, libc::EINVAL, libc::ESTALE, libc::EBADF];
const WRITE: &[libc::c_long] = &[libc::SYS_write];
const WRITE_ERRNOS: &[i32] = &[libc::ENOSPC, libc::EDQUOT, libc::EIO, libc::EFBIG, libc::EROFS, libc::EPERM];
const SYNC: &[libc::c_long] = &[libc::SYS_fsync];
const SYNC_ERRNOS: &[i32] = &[libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EROFS];
const RENAME: &[libc::c_long] = &[libc::SYS_renameat, libc::SYS_renameat2];
const RENAME_ERRNOS: &[i32] = &[
    libc::EACCES,
    libc::EBUSY,
    libc::EDQUOT,
    libc::EISDIR,
    libc::ENOSPC,
    libc::EPERM,
    libc::EROFS,
    libc::EXDEV,
    libc::EMLINK,
    libc::ENOMEM,
];
const STAT: &[libc::c_long] = &[libc::SYS_fstat, libc::SYS_newfstatat];
const STAT_ERRNOS: &[i32] = &[libc::EIO, libc::ENOMEM, libc::EOVERFLOW, libc::EACCES];
const UNLINK: &[libc::c_long] = &[libc::SYS_unlinkat];
const UNLINK_ERRNOS: &[i32] =
    &[libc::EACCES, libc::EBUSY, libc::EIO, libc::EROFS, libc::ENOMEM, libc::ENOTDIR, libc::ELOOP];
const MKDIR: &[libc::c_long] = &[libc::SYS_mkdirat];
const MKDIR_ERRNOS: &[i32] =
    &[libc::EACCES, libc::EDQUOT, libc::EMLINK, libc::ENOSPC, libc::EPERM, libc::EROFS, libc::ENOMEM];

fn read_one(at: &Path) -> Result<(), SysError> {
    let root = opened(at);
    let mut answer = Ok(());
    Reader::new().read_many(root, &["file"], 100, |visit| {
        answer = visit.file.map(|_| ());
        std::ops::ControlFlow::Break(())
    });
    answer
}

fn opened(at: &Path) -> &'static Root {
    static ROOT: std::sync::OnceLock<Root> = std::sync::OnceLock::new();
    ROOT.get_or_init(|| Root::open(at).unwrap())
}

const CASES: &[Case] = &[
    Case {
        name: "read",
        op: Op::Read,
        calls: OPEN,
        errnos: OPEN_ERRNOS,
        attempt: |at| fs::read(&at.join("file")).map(drop),
    },
    Case {
        name: "read",
        op: Op::Read,
        calls: READ,
        errnos: READ_ERRNOS,
        attempt: |at| fs::read(&at.join("file")).map(drop),
    },
    Case {
        name: "read",
        op: Op::Read,
        calls: STAT,
        errnos: STAT_ERRNOS,
        attempt: |at| fs::read(&at.join("file")).map(drop),
    },
    Case {
        name: "write",
        op: Op::Write,
        calls: OPEN,
        errnos: OPEN_ERRNOS,
        attempt: |at| fs::write(&at.join("file"), b"new"),
    },
    Case {
        name: "write",
        op: Op::Write,
        calls: WRITE,
        errnos: WRITE_ERRNOS,
        attempt: |at| fs::write(&at.join("file"), b"new"),
    },
    Case {
        name: "write",
        op: Op::Write,
        calls: SYNC,
        errnos: SYNC_ERRNOS,
        attempt: |at| fs::write(&at.join("file"), b"new"),
    },
    Case {
        name: "write",
        op: Op::Write,
        calls: RENAME,
        errnos: RENAME_ERRNOS,
        attempt: |at| fs::write(&at.join("file"), b"new"),
    },
    Case {
        name: "copy",
        op: Op::Copy,
        calls: OPEN,
        errnos: OPEN_ERRNOS,
        attempt: |at| fs::copy(&at.join("file"), &at.join("copy")).map(drop),
    },
    Case {
        name: "copy",
        op: Op::Copy,
        calls: &[libc::SYS_copy_file_range],
        errnos: &[libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EFBIG, libc::ENOMEM, libc::ETXTBSY],
        attempt: |at| fs::copy(&at.join("file"), &at.join("copy")).map(drop),
    },
    Case {
        name: "remove_tree",
        op: Op::Remove,
        calls: UNLINK,
        errnos: UNLINK_ERRNOS,
        attempt: |at| fs::remove_tree(&at.join("tree")),
    },
    Case {
        name: "remove_tree",
        op: Op::Remove,
        calls: OPEN,
        errnos: &[libc::EACCES, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EIO],
        attempt: |at| fs::remove_tree(&at.join("tree")),
    },
    Case {
        name: "Root::read",
        op: Op::Read,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).read("file", 100).map(drop),
    },
    Case {
        name: "Root::read",
        op: Op::Read,
        calls: READ,
        errnos: READ_ERRNOS,
        attempt: |at| opened(at).read("file", 100).map(drop),
    },
    Case {
        name: "Root::open_file",
        op: Op::Open,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).open_file("file").map(drop),
    },
    Case {
        name: "Root::replace",
        op: Op::Write,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).replace("file", b"new", 0o644, Durability::Flushed),
    },
    Case {
        name: "Root::replace",
        op: Op::Write,
        calls: WRITE,
        errnos: WRITE_ERRNOS,
        attempt: |at| opened(at).replace("file", b"new", 0o644, Durability::Flushed),
    },
    Case {
        name: "Root::replace",
        op: Op::Write,
        calls: SYNC,
        errnos: SYNC_ERRNOS,
        attempt: |at| opened(at).replace("file", b"new", 0o644, Durability::Whole),
    },
    Case {
        name: "Root::replace",
        op: Op::Write,
        calls: RENAME,
        errnos: RENAME_ERRNOS,
        attempt: |at| opened(at).replace("file", b"new", 0o644, Durability::Cached),
    },
    Case {
        name: "Root::rename",
        op: Op::Rename,
        calls: RENAME,
        errnos: RENAME_ERRNOS,
        attempt: |at| opened(at).rename("file", "other"),
    },
    Case {
        name: "Root::create_directories",
        op: Op::Create,
        calls: MKDIR,
        errnos: MKDIR_ERRNOS,
        attempt: |at| opened(at).create_directories("a/b"),
    },
    Case {
        name: "Root::remove_file",
        op: Op::Remove,
        calls: UNLINK,
        errnos: UNLINK_ERRNOS,
        attempt: |at| opened(at).remove_file("file"),
    },
    Case {
        name: "Root::remove_tree",
        op: Op::Remove,
        calls: UNLINK,
        errnos: UNLINK_ERRNOS,
        attempt: |at| opened(at).remove_tree("tree"),
    },
    Case {
        name: "Root::symlink",
        op: Op::Link,
        calls: &[libc::SYS_symlinkat],
        errnos: MKDIR_ERRNOS,
        attempt: |at| opened(at).symlink("t", "link"),
    },
    Case {
        name: "Root::read_link",
        op: Op::ReadLink,
        calls: &[libc::SYS_readlinkat],
        errnos: &[libc::EACCES, libc::EINVAL, libc::EIO, libc::ENOMEM],
        attempt: |at| opened(at).read_link("good").map(drop),
    },
    Case {
        name: "Root::entries",
        op: Op::List,
        calls: &[libc::SYS_getdents64],
        errnos: &[libc::EBADF, libc::EINVAL, libc::EIO],
        attempt: |at| opened(at).entries(".").map(drop),
    },
    Case {
        name: "Root::stamp",
        op: Op::Stat,
        calls: STAT,
        errnos: STAT_ERRNOS,
        attempt: |at| opened(at).stamp("file").map(drop),
    },
    Case {
        name: "read_many",
        op: Op::Read,
        calls: OPEN,
        errnos: &[libc::EACCES, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EIO, libc::ESTALE],
        attempt: read_one,
    },
    Case { name: "read_many", op: Op::Read, calls: STAT, errnos: STAT_ERRNOS, attempt: read_one },
    Case {
        name: "pages",
        op: Op::Map,
        calls: &[libc::SYS_mmap],
        errnos: &[libc::ENOMEM, libc::EAGAIN, libc::EPERM],
        attempt: |_| vitte_sys::memory::Pages::new(4096).map(drop),
    },
    Case {
        name: "protect",
        op: Op::Protect,
        calls: &[libc::SYS_mprotect],
        errnos: &[libc::ENOMEM, libc::EACCES],
        attempt: |_| vitte_sys::memory::Pages::new(4096)?.read_only().map(drop),
    },
    Case {
        name: "memory file",
        op: Op::Create,
        calls: &[libc::SYS_memfd_create],
        errnos: &[libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EACCES],
        attempt: |_| vitte_sys::memory::MemoryFile::new("x").map(drop),
    },
    Case {
        name: "pair",
        op: Op::Pipe,
        calls: &[libc::SYS_socketpair],
        errnos: &[libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAFNOSUPPORT],
        attempt: |_| vitte_sys::net::pair().map(drop),
    },
    Case {
        name: "pin",
        op: Op::Identify,
        calls: &[libc::SYS_pidfd_open],
        errnos: &[libc::ESRCH, libc::EINVAL, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSYS],
        attempt: |_| vitte_sys::net::pin_process(1).map(drop),
    },
    Case {
        name: "affinity",
        op: Op::Schedule,
        calls: &[libc::SYS_sched_setaffinity],
        errnos: &[libc::EINVAL, libc::EPERM, libc::ESRCH],
        attempt: |_| vitte_sys::thread::set_affinity(&[0]),
    },
];

/// What is below the directory, with contents.
fn snapshot(at: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut queue = vec![at.to_path_buf()];
    while let Some(folder) = queue.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                queue.push(path.clone());
            }
            all.push((path.clone(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    all.sort();
    all
}

#[test]
fn every_errno_reaches_the_caller() {
    if filter::missing("every_errno_reaches_the_caller") {
        return;
    }
    let scratch = Scratch::new("faults");
    let at = scratch.path();
    std::fs::create_dir_all(at.join("tree/below")).unwrap();
    std::fs::write(at.join("file"), "inside").unwrap();
    std::fs::write(at.join("tree/below/file"), "inside").unwrap();
    std::os::unix::fs::symlink("file", at.join("good")).unwrap();
    opened(at);
    let before = snapshot(at);
    let mut pairs = 0;
    for case in CASES {
        for &errno in case.errnos {
            let what = format!("{} with errno {errno}", case.name);
            let answer = filter::in_thread(case.calls, errno, || (case.attempt)(at));
            let error = answer.expect_err(&what);
            assert_eq!(error.errno(), Some(errno), "{what}: {error}");
            assert_eq!(error.op(), case.op, "{what}: {error}");
            assert!(error.errno_name().is_some(), "{what}");
            // A copy that fails leaves what it has made of its target, as `cp` does.
            let _ = std::fs::remove_file(at.join("copy"));
            assert_eq!(snapshot(at), before, "{what}");
            pairs += 1;
        }
    }
    assert!(pairs >= 180, "only {pairs} pairs");
}

#[test]
fn what_a_sandbox_takes_away_has_a_substitute() {
    if filter::missing("what_a_sandbox_takes_away_has_a_substitute") {
        return;
    }
    let scratch = Scratch::new("substitutes");
    let at = scratch.path();
    std::fs::write(at.join("file"), "inside").unwrap();
    let root = &Root::open(at).unwrap();
    // Sharing of blocks, the kernel's copy, early reads, confined opens: each has another way.
    for errno in [libc::ENOSYS, libc::EPERM, libc::EOPNOTSUPP] {
        filter::in_thread(&[libc::SYS_copy_file_range, libc::SYS_ioctl], errno, || {
            let copied = fs::copy(&at.join("file"), &at.join("copy")).unwrap();
            assert_eq!((copied.bytes, copied.method), (6, fs::Method::Loop));
        });
        assert_eq!(std::fs::read(at.join("copy")).unwrap(), b"inside");
        let calls = [libc::SYS_preadv2, libc::SYS_fadvise64];
        filter::in_thread(&calls, errno, || {
            let mut seen = Vec::new();
            Reader::new().read_many(root, &["file", "none", "copy"], 100, |visit| {
                seen.push(visit.file.map(|(bytes, _)| bytes.len()).ok());
                std::ops::ControlFlow::Continue(())
            });
            assert_eq!(seen, [Some(6), None, Some(6)]);
        });
    }
    // The bytes are on the disk: the whole list is opened ahead, and the order stays.
    filter::in_thread(&[libc::SYS_preadv2], libc::EAGAIN, || {
        let mut order = Vec::new();
        Reader::new().read_many(root, &["copy", "none", "file"], 100, |visit| {
            order.push((visit.index, visit.file.is_ok()));
            std::ops::ControlFlow::Continue(())
        });
        assert_eq!(order, [(0, true), (1, false), (2, true)]);
    });
}
