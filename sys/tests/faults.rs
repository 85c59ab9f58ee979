//! Every errno that a function documents, produced by a seccomp filter on the call that gives it. The
//! answer must carry that errno, the operation and the path, and nothing may be left behind.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
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
    // The other functions that take a path as the user wrote it.
    Case {
        name: "stamp",
        op: Op::Stat,
        calls: STATX,
        errnos: STAT_ERRNOS,
        attempt: |at| fs::stamp(&at.join("file")).map(drop),
    },
    Case {
        name: "read_at_most",
        op: Op::Read,
        calls: OPEN,
        errnos: OPEN_ERRNOS,
        attempt: |at| fs::read_at_most(&at.join("file"), 100).map(drop),
    },
    Case {
        name: "replace",
        op: Op::Write,
        calls: OPEN,
        errnos: OPEN_ERRNOS,
        attempt: |at| fs::replace(&at.join("file"), b"new", 0o600, Durability::Cached),
    },
    Case {
        name: "replace",
        op: Op::Write,
        calls: WRITE,
        errnos: WRITE_ERRNOS,
        attempt: |at| fs::replace(&at.join("file"), b"new", 0o600, Durability::Cached),
    },
    Case {
        name: "copy",
        op: Op::Copy,
        calls: FTRUNCATE,
        errnos: &[libc::EIO, libc::EPERM, libc::EROFS, libc::EFBIG, libc::ETXTBSY],
        attempt: |at| {
            std::fs::write(at.join("copy"), "old").unwrap();
            fs::copy(&at.join("file"), &at.join("copy")).map(drop)
        },
    },
    Case {
        name: "create_directories",
        op: Op::Create,
        calls: MKDIR_PATH,
        errnos: MKDIR_ERRNOS,
        attempt: |at| fs::create_directories(&at.join("a/b")),
    },
    Case {
        name: "canonical",
        op: Op::Resolve,
        calls: READLINK_PATH,
        errnos: &[libc::EACCES, libc::EIO, libc::ELOOP, libc::ENAMETOOLONG, libc::ENOMEM, libc::ENOTDIR],
        attempt: |at| fs::canonical(&at.join("good")).map(drop),
    },
    Case {
        name: "FileLock::try_exclusive",
        op: Op::Open,
        calls: OPEN,
        errnos: OPEN_ERRNOS,
        attempt: |at| fs::FileLock::try_exclusive(&at.join("file")).map(drop),
    },
    Case {
        name: "FileLock::try_exclusive",
        op: Op::Lock,
        calls: &[libc::SYS_flock],
        errnos: &[libc::EBADF, libc::EINVAL, libc::ENOLCK, libc::EOPNOTSUPP],
        attempt: |at| fs::FileLock::try_exclusive(&at.join("file")).map(drop),
    },
    Case {
        name: "FileLock::exclusive",
        op: Op::Lock,
        calls: &[libc::SYS_flock],
        errnos: &[libc::EBADF, libc::EINVAL, libc::ENOLCK, libc::EOPNOTSUPP],
        attempt: |at| fs::FileLock::exclusive(&at.join("file"), std::time::Duration::ZERO).map(drop),
    },
    Case {
        name: "RangeLock::try_take",
        op: Op::Lock,
        calls: &[libc::SYS_fcntl],
        // Not EBADF: the standard library's own check of its descriptors would meet it.
        errnos: &[libc::EINVAL, libc::ENOLCK, libc::EOVERFLOW],
        attempt: |at| {
            let file = std::fs::File::open(at.join("file")).unwrap();
            fs::RangeLock::try_take(&file, 0..1, fs::Sharing::Shared).map(drop)
        },
    },
    // The other functions of a root.
    Case {
        name: "Root::open",
        op: Op::Open,
        calls: OPEN,
        errnos: OPEN_ERRNOS,
        attempt: |at| Root::open(at).map(drop),
    },
    Case {
        name: "Root::below",
        op: Op::Open,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).below("tree").map(drop),
    },
    Case {
        name: "Root::open_writable",
        op: Op::Open,
        calls: OPEN2,
        errnos: &[
            libc::EACCES,
            libc::EDQUOT,
            libc::EEXIST,
            libc::EFBIG,
            libc::EIO,
            libc::EISDIR,
            libc::ELOOP,
            libc::EMFILE,
            libc::ENAMETOOLONG,
            libc::ENFILE,
            libc::ENOENT,
            libc::ENOMEM,
            libc::ENOSPC,
            libc::ENOTDIR,
            libc::EOVERFLOW,
            libc::EROFS,
            libc::ETXTBSY,
            libc::EXDEV,
        ],
        attempt: |at| opened(at).open_writable("made", 0o600).map(drop),
    },
    Case {
        name: "Root::copy",
        op: Op::Copy,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).copy("file", "copied").map(drop),
    },
    Case {
        name: "Root::copy",
        op: Op::Copy,
        calls: OPEN,
        errnos: &[libc::EACCES, libc::EDQUOT, libc::EMFILE, libc::ENFILE, libc::ENOSPC, libc::EROFS],
        attempt: |at| opened(at).copy("file", "copied").map(drop),
    },
    Case {
        name: "Root::copy",
        op: Op::Copy,
        calls: &[libc::SYS_copy_file_range],
        errnos: &[libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EFBIG, libc::ENOMEM, libc::ETXTBSY],
        attempt: |at| opened(at).copy("file", "copied").map(drop),
    },
    Case {
        name: "Root::stamp",
        op: Op::Stat,
        calls: OPEN2,
        errnos: &[
            libc::EACCES,
            libc::EIO,
            libc::ELOOP,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOMEM,
            libc::EXDEV,
        ],
        attempt: |at| opened(at).stamp("tree/below").map(drop),
    },
    Case {
        name: "Root::stamp_of_link",
        op: Op::Stat,
        calls: STAT,
        errnos: STAT_ERRNOS,
        attempt: |at| opened(at).stamp_of_link("good").map(drop),
    },
    Case {
        name: "Root::entries",
        op: Op::List,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).entries("tree").map(drop),
    },
    Case {
        name: "Root::rename",
        op: Op::Rename,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).rename("file", "other"),
    },
    Case {
        name: "Root::rename_new",
        op: Op::Rename,
        calls: RENAME,
        errnos: &[
            libc::EEXIST,
            libc::EACCES,
            libc::EIO,
            libc::ENOSPC,
            libc::EINVAL,
            libc::EPERM,
            libc::EROFS,
        ],
        attempt: |at| opened(at).rename_new("file", "other"),
    },
    Case {
        name: "Root::create_directories",
        op: Op::Create,
        calls: OPEN,
        errnos: &[libc::EACCES, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOTDIR],
        attempt: |at| opened(at).create_directories("tree/below"),
    },
    Case {
        name: "Root::remove_file",
        op: Op::Remove,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).remove_file("file"),
    },
    Case {
        name: "Root::symlink",
        op: Op::Link,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).symlink("t", "link"),
    },
    Case {
        name: "Root::read_link",
        op: Op::ReadLink,
        calls: OPEN2,
        errnos: OPEN_ERRNOS,
        attempt: |at| opened(at).read_link("good").map(drop),
    },
    // Sockets.
    Case {
        name: "private_directory",
        op: Op::Create,
        calls: MKDIR_PATH,
        errnos: &[libc::EACCES, libc::EDQUOT, libc::EMLINK, libc::ENOSPC, libc::EPERM, libc::EROFS],
        attempt: |at| vitte_sys::net::private_directory(&at.join("private")),
    },
    Case {
        name: "listen",
        op: Op::Bind,
        calls: &[libc::SYS_socket],
        errnos: SOCKET_ERRNOS,
        attempt: |at| vitte_sys::net::listen(&at.join("socket")).map(drop),
    },
    Case {
        name: "listen",
        op: Op::Bind,
        calls: &[libc::SYS_bind],
        errnos: &[
            libc::EACCES,
            libc::EADDRINUSE,
            libc::ELOOP,
            libc::ENAMETOOLONG,
            libc::ENOENT,
            libc::ENOMEM,
            libc::ENOTDIR,
            libc::EROFS,
        ],
        attempt: |at| vitte_sys::net::listen(&at.join("socket")).map(drop),
    },
    Case {
        name: "listen_abstract",
        op: Op::Bind,
        calls: &[libc::SYS_bind],
        errnos: &[libc::EADDRINUSE, libc::ENOMEM, libc::EINVAL],
        attempt: |_| vitte_sys::net::listen_abstract(b"vitte-faults").map(drop),
    },
    Case {
        name: "listen_abstract",
        op: Op::Bind,
        calls: &[libc::SYS_listen],
        errnos: &[libc::EADDRINUSE, libc::EOPNOTSUPP],
        attempt: |_| vitte_sys::net::listen_abstract(b"vitte-faults").map(drop),
    },
    Case {
        name: "connect_abstract",
        op: Op::Connect,
        calls: &[libc::SYS_connect],
        errnos: &[
            libc::EACCES,
            libc::EPERM,
            libc::EAGAIN,
            libc::ECONNREFUSED,
            libc::ENOENT,
            libc::EPROTOTYPE,
            libc::ETIMEDOUT,
        ],
        attempt: |_| vitte_sys::net::connect_abstract(b"vitte-faults").map(drop),
    },
    Case {
        name: "datagram_pair",
        op: Op::Pipe,
        calls: &[libc::SYS_socketpair],
        errnos: SOCKET_ERRNOS,
        attempt: |_| vitte_sys::net::datagram_pair().map(drop),
    },
    Case {
        name: "loopback",
        op: Op::Bind,
        calls: &[libc::SYS_socket],
        errnos: SOCKET_ERRNOS,
        attempt: |_| vitte_sys::net::loopback(0).map(drop),
    },
    Case {
        name: "loopback",
        op: Op::Bind,
        calls: &[libc::SYS_bind],
        errnos: &[libc::EACCES, libc::EADDRINUSE, libc::EADDRNOTAVAIL, libc::EINVAL],
        attempt: |_| vitte_sys::net::loopback(0).map(drop),
    },
    Case {
        name: "Peer::of",
        op: Op::Identify,
        calls: &[libc::SYS_getsockopt],
        errnos: &[libc::EBADF, libc::EFAULT, libc::ENOTSOCK, libc::ENOPROTOOPT],
        attempt: |_| {
            let (ours, _theirs) = vitte_sys::net::pair().unwrap();
            vitte_sys::net::Peer::of(&ours).map(drop)
        },
    },
    Case {
        name: "wait_readable",
        op: Op::Wait,
        calls: POLL,
        errnos: &[libc::EFAULT, libc::EINVAL, libc::ENOMEM],
        attempt: |_| {
            let (ours, _theirs) = vitte_sys::net::pair().unwrap();
            vitte_sys::net::wait_readable(&ours, Some(std::time::Duration::ZERO)).map(drop)
        },
    },
];

/// What the standard library's `metadata` asks with.
const STATX: &[libc::c_long] = &[libc::SYS_statx, libc::SYS_newfstatat];
const FTRUNCATE: &[libc::c_long] = &[libc::SYS_ftruncate];
const MKDIR_PATH: &[libc::c_long] = &[
    libc::SYS_mkdirat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
];
const READLINK_PATH: &[libc::c_long] = &[
    libc::SYS_readlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];
const POLL: &[libc::c_long] = &[
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];
const SOCKET_ERRNOS: &[i32] =
    &[libc::EAFNOSUPPORT, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EACCES, libc::EPROTONOSUPPORT];

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
    let sanitizer = std::env::var("VITTE_TEST_SANITIZER").ok();
    for case in CASES {
        if let Some(sanitizer) = sanitizer.as_ref().filter(|_| case.calls.contains(&libc::SYS_mmap)) {
            println!("SKIP {}: the memory of the {sanitizer} sanitizer comes by the same call", case.name);
            continue;
        }
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
    let functions: std::collections::BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
    println!("{pairs} pairs of call and errno in {} functions", functions.len());
    assert!(pairs >= 450, "only {pairs} pairs");
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
