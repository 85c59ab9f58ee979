//! Paths that try to leave a root: by links, by `..`, by procfs, by renames, and with `openat2` taken
//! away by a seccomp filter so that the walker has to hold.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vitte_sys::fs::{Durability, Links, Mounts, Policy, Reader, Root, remove_tree};

mod common;
mod filter;
use common::Scratch;

/// The tree of every test:
///
/// ```text
/// outside/secret
/// outside/in/            the root
/// outside/in/file  d/file  d/e/file
/// outside/in/LINKS       see `LINKS`
/// ```
fn tree(name: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::new(name);
    let inside = scratch.path().join("in");
    std::fs::create_dir_all(inside.join("d/e")).unwrap();
    std::fs::write(scratch.path().join("secret"), "secret").unwrap();
    for file in ["file", "d/file", "d/e/file"] {
        std::fs::write(inside.join(file), "inside").unwrap();
    }
    for (link, target) in LINKS {
        symlink(target, inside.join(link)).unwrap();
    }
    symlink(scratch.path().join("secret"), inside.join("absolute")).unwrap();
    symlink(&inside, inside.join("absolute-inside")).unwrap();
    symlink(scratch.path(), inside.join("d/absolute-directory")).unwrap();
    (scratch, inside)
}

const LINKS: &[(&str, &str)] = &[
    ("up", ".."),
    ("up-secret", "../secret"),
    ("down-up", "d/../../secret"),
    ("deep-up", "d/e/../../../secret"),
    ("back", "../in/file"),
    ("chain-1", "chain-2"),
    ("chain-2", "chain-3"),
    ("chain-3", "../secret"),
    ("d/up-up", "../.."),
    ("d/e/climb", "../../up/secret"),
    ("etc", "/etc"),
    ("slash", "/"),
    ("self-root", "/proc/self/root"),
    ("self-cwd", "/proc/self/cwd"),
    ("loop-1", "loop-2"),
    ("loop-2", "loop-1"),
    ("self", "self"),
    ("trailing", "../secret/"),
    ("dots", "./././.././secret"),
    ("many", "d/../d/../d/../../secret"),
    // These stay inside.
    ("good", "d/file"),
    ("d/good", "../file"),
    ("good-directory", "d/e"),
    ("d/e/good", "../../good"),
];

/// Every one of these must fail in every way of using it.
const ESCAPES: &[&str] = &[
    "../secret",
    "..",
    "../",
    "./..",
    "../in/file",
    "d/../../secret",
    "d/../..",
    "d/e/../../../secret",
    "d//..//..//secret",
    "/etc/passwd",
    "/",
    "//",
    "up",
    "up/secret",
    "up/in/file",
    "up-secret",
    "down-up",
    "deep-up",
    "back",
    "chain-1",
    "d/up-up/secret",
    "d/e/climb",
    "etc/passwd",
    "slash/etc/passwd",
    "self-root/etc/passwd",
    "self-cwd/Cargo.toml",
    "loop-1",
    "loop-1/x",
    "self",
    "trailing",
    "dots",
    "many",
    "absolute",
    "absolute-inside/file",
    "d/absolute-directory/secret",
    "good-directory/../../../secret",
    "file/../../secret",
    "nothing/../../secret",
    "",
];

/// Every one of these is the file `inside`.
const INSIDE: &[&str] = &[
    "file",
    "./file",
    "d/file",
    "d//file",
    "d/./e/file",
    "d/../file",
    "d/e/../../file",
    "good",
    "d/good",
    "d/e/good",
    "good-directory/file",
    "good-directory/../file",
];

fn try_all(inside: &Path, scratch: &Scratch) {
    let root = Root::open(inside).unwrap();
    for path in ESCAPES {
        assert!(root.read(path, u64::MAX).is_err(), "read {path}");
        assert!(root.open_file(path).is_err(), "open {path}");
        assert!(!matches!(root.stamp(path), Ok(Some(_))), "stamp {path}");
        assert!(root.below(path).is_err(), "below {path}");
        assert!(root.entries(path).is_err(), "list {path}");
        assert!(root.copy(path, "stolen").is_err(), "copy {path}");
        let below = format!("{path}/x");
        assert!(root.replace(&below, b"x", 0o644, Durability::Cached).is_err(), "replace {below}");
        assert!(root.open_writable(&below, 0o644).is_err(), "make {below}");
        assert!(
            root.create_directories(&below).is_err() || *path == "nothing/../../secret" || path.is_empty(),
            "directories {below}"
        );
        assert!(root.symlink("t", &below).is_err(), "link {below}");
        assert!(root.rename("file", &below).is_err(), "rename to {below}");
        assert!(root.rename(&below, "stolen").is_err(), "rename from {below}");
        assert!(root.remove_file(&below).is_err(), "remove {below}");
        assert!(root.remove_tree(&below).is_err(), "remove tree {below}");
    }
    for path in INSIDE {
        assert_eq!(root.read(path, 100).unwrap(), b"inside", "{path}");
        assert_eq!(root.stamp(path).unwrap().unwrap().size, 6, "{path}");
    }
    // Nothing was lost and nothing was made outside.
    assert_eq!(std::fs::read(scratch.path().join("secret")).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 2);

    let strict = Root::with_policy(inside, Policy { links: Links::Refuse, ..Policy::default() }).unwrap();
    for path in ["good", "d/good", "good-directory/file"] {
        let error = strict.read(path, 100).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ELOOP), "{path}");
    }
    assert_eq!(strict.read("d/../file", 100).unwrap(), b"inside");

    // procfs: the magic links of our own descriptors, one of which is the secret.
    let _open = std::fs::File::open(scratch.path().join("secret")).unwrap();
    let proc = Root::open(Path::new("/proc/self")).unwrap();
    for descriptor in std::fs::read_dir("/proc/self/fd").unwrap() {
        let path = Path::new("fd").join(descriptor.unwrap().file_name());
        assert!(proc.read(&path, 100).is_err(), "{}", path.display());
    }
    assert!(proc.read("root/etc/passwd", u64::MAX).is_err());
    assert!(proc.read("cwd/Cargo.toml", u64::MAX).is_err());
    assert!(proc.read("exe", 1 << 40).is_err());
    assert!(!proc.read("status", u64::MAX).unwrap().is_empty(), "a file that reports no size");
}

#[test]
fn nothing_leaves() {
    let (scratch, inside) = tree("escape");
    try_all(&inside, &scratch);
}

#[test]
fn nothing_leaves_without_openat2() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        filter::in_child("nothing_leaves_without_openat2", &errno.to_string(), || {
            let errno = filter::argument().parse().unwrap();
            let (scratch, inside) = tree("walker");
            filter::refuse(&[libc::SYS_openat2], errno);
            try_all(&inside, &scratch);
            let policy = Policy { mounts: Mounts::Refuse, ..Policy::default() };
            let root = Root::with_policy(&inside, policy).unwrap();
            let error = root.read("file", 100).unwrap_err();
            assert_eq!(error.errno(), Some(libc::EOPNOTSUPP), "what cannot be enforced is refused");
        });
    }
}

#[test]
fn a_root_follows_its_directory_and_not_its_name() {
    let (scratch, inside) = tree("moved");
    let root = Root::open(&inside).unwrap();
    std::fs::rename(&inside, scratch.path().join("elsewhere")).unwrap();
    symlink("/", &inside).unwrap();
    assert_eq!(root.read("d/file", 100).unwrap(), b"inside");
    assert!(root.read("etc/passwd", u64::MAX).is_err());
    let below = root.below("d").unwrap();
    assert!(below.read("../file", 100).is_err(), "a root below is a root");
    assert_eq!(below.read("e/file", 100).unwrap(), b"inside");
}

/// One thread exchanges a directory for a link to the outside as fast as it can; the other reads,
/// writes and removes through that name. `rounds` is how long.
fn race(inside: &Path, scratch: &Scratch) {
    let outside = scratch.path().join("victim");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "secret").unwrap();
    let swapped = inside.join("swapped");
    symlink(&outside, inside.join("evil")).unwrap();
    std::fs::create_dir(&swapped).unwrap();
    std::fs::write(swapped.join("file"), "inside").unwrap();
    // And a file for a link to a file, which is the shortest way in.
    std::fs::write(inside.join("leaf"), "inside").unwrap();
    symlink(outside.join("file"), inside.join("evil-leaf")).unwrap();
    let root = Root::open(inside).unwrap();
    let mut reader = Reader::new();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            let here = std::fs::File::open(inside).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let _ = rustix::fs::renameat_with(&here, "swapped", &here, "evil", flags);
                let _ = rustix::fs::renameat_with(&here, "leaf", &here, "evil-leaf", flags);
            }
        });
        let start = Instant::now();
        let mut seen = 0_u32;
        while start.elapsed() < Duration::from_millis(700) {
            if let Ok(mut file) = root.open_file("swapped/file") {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert_eq!(text, "inside");
                seen += 1;
            }
            for path in ["swapped/file", "leaf"] {
                if let Ok(bytes) = root.read(path, 100) {
                    assert_eq!(bytes, b"inside", "{path}");
                    seen += 1;
                }
                if root.copy(path, "copied").is_ok() {
                    assert_eq!(root.read("copied", 100).unwrap(), b"inside", "copy of {path}");
                }
                let _ = root.remove_file("copied");
            }
            reader.read_many(&root, &["swapped/file", "leaf"], 100, |visit| {
                if let Ok((bytes, _)) = visit.file {
                    assert_eq!(bytes, b"inside", "name {}", visit.index);
                    seen += 1;
                }
                std::ops::ControlFlow::Continue(())
            });
            let _ = root.replace("swapped/new", b"new", 0o644, Durability::Cached);
            let _ = root.create_directories("swapped/x/y");
            let _ = root.rename("swapped/new", "swapped/newer");
            let _ = root.remove_tree("swapped/x");
            let _ = root.remove_file("swapped/newer");
        }
        stop.store(true, Ordering::Relaxed);
        assert!(seen > 0);
        println!("{seen} reads during the exchange, none from outside");
    });
    let left: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["file"]);
    // A whole tree removed while its directories turn into links.
    for _ in 0..20 {
        std::fs::create_dir_all(inside.join("doomed/a/b")).unwrap();
        symlink(&outside, inside.join("doomed/a/link")).unwrap();
        root.remove_tree("doomed").unwrap();
    }
    assert_eq!(std::fs::read(outside.join("file")).unwrap(), b"secret");
}

#[test]
fn renames_meanwhile_do_not_help() {
    let (scratch, inside) = tree("race");
    race(&inside, &scratch);
}

#[test]
fn renames_meanwhile_do_not_help_without_openat2() {
    filter::in_child("renames_meanwhile_do_not_help_without_openat2", "", || {
        let (scratch, inside) = tree("race-walker");
        filter::refuse(&[libc::SYS_openat2], libc::ENOSYS);
        race(&inside, &scratch);
    });
}

#[test]
fn a_mount_is_refused_when_the_policy_says_so() {
    if !vitte_sys::caps::probe().has(vitte_sys::caps::Facility::Openat2) {
        println!("SKIP a_mount_is_refused_when_the_policy_says_so: no openat2");
        return;
    }
    let policy = Policy { mounts: Mounts::Refuse, ..Policy::default() };
    let slash = Root::with_policy(Path::new("/"), policy).unwrap();
    assert_eq!(slash.read("proc/self/status", u64::MAX).unwrap_err().errno(), Some(libc::EXDEV));
    assert!(Root::open(Path::new("/")).unwrap().read("proc/self/status", u64::MAX).is_ok());
}

#[test]
fn trees_of_any_depth_go_and_links_in_them_stay_unfollowed() {
    let scratch = Scratch::new("deep");
    let keep = scratch.path().join("keep");
    std::fs::create_dir(&keep).unwrap();
    std::fs::write(keep.join("file"), "kept").unwrap();
    let root = Root::open(scratch.path()).unwrap();
    // Deeper than PATH_MAX, than the usual number of descriptors, and than a recursion would like.
    let mut below = Root::open(scratch.path()).unwrap();
    for _ in 0..3000 {
        below.create_directories("dd").unwrap();
        below.symlink(&keep, "link").unwrap();
        below = below.below("dd").unwrap();
    }
    root.remove_tree("dd").unwrap();
    root.remove_file("link").unwrap();
    symlink(&keep, scratch.path().join("to-keep")).unwrap();
    remove_tree(&scratch.path().join("to-keep")).unwrap();
    assert_eq!(std::fs::read(keep.join("file")).unwrap(), b"kept");
    assert_eq!(remove_tree(&scratch.path().join("none")).unwrap_err().errno(), Some(libc::ENOENT));
    let strange = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    root.create_directories(Path::new(strange).join("x")).unwrap();
    root.remove_tree(strange).unwrap();
    assert_eq!(root.entries(".").unwrap().len(), 1);
}
