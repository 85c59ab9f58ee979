//! The same operations through this library and through the standard library give the same tree.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ffi_syscalls::{
    RT_APPEND, RT_RECURSIVE, RtBuf, rt_buf_free, rt_fs_copy, rt_fs_mkdir, rt_fs_read, rt_fs_remove_tree,
    rt_fs_rename, rt_fs_write,
};

/// A path as the functions take it.
fn text(path: &Path) -> (*const c_char, usize) {
    let bytes = path.as_os_str().as_bytes();
    (bytes.as_ptr().cast(), bytes.len())
}

/// Whether an operation through the library succeeded.
fn by_library(root: &Path, operation: u64, a: &str, b: &str, data: &[u8]) -> bool {
    let (a, b) = (root.join(a), root.join(b));
    let ((a, a_len), (b, b_len)) = (text(&a), text(&b));
    let (bytes, len) = (data.as_ptr().cast(), data.len());
    // SAFETY: all pointers are to locals with their lengths.
    let result = unsafe {
        match operation {
            0 => rt_fs_mkdir(a, a_len, 0o755, RT_RECURSIVE),
            1 => rt_fs_write(a, a_len, 0, bytes, len),
            2 => rt_fs_write(a, a_len, RT_APPEND, bytes, len),
            3 => rt_fs_copy(a, a_len, b, b_len),
            4 => rt_fs_rename(a, a_len, b, b_len, 0),
            _ => rt_fs_remove_tree(a, a_len),
        }
    };
    result >= 0
}

/// The same through the standard library.
fn by_std(root: &Path, operation: u64, a: &str, b: &str, data: &[u8]) -> bool {
    let (a, b) = (root.join(a), root.join(b));
    match operation {
        0 => fs::create_dir_all(a).is_ok(),
        1 => fs::write(a, data).is_ok(),
        2 => {
            let file = fs::OpenOptions::new().append(true).create(true).open(a);
            file.and_then(|mut file| file.write_all(data)).is_ok()
        }
        // The standard library refuses a directory, and empties a file that is copied onto itself.
        3 => a != b && fs::copy(a, b).is_ok(),
        4 => fs::rename(a, b).is_ok(),
        _ if a.is_dir() => fs::remove_dir_all(a).is_ok(),
        _ => fs::remove_file(a).is_ok(),
    }
}

/// Every name below a directory, with its contents unless it is one itself.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let contents = if path.is_dir() {
                left.push(path.clone());
                None
            } else {
                Some(fs::read(&path).unwrap())
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), contents);
        }
    }
    found
}

#[test]
fn sequences_give_the_same_tree_as_std() {
    let base = std::env::temp_dir().join(format!("ffi_syscalls-{}", std::process::id()));
    let names = ["a", "b", "a/c", "a/d", "b/c", "b/c/e", "a/c/f", "g"];
    for seed in 1..=60_u64 {
        let (ours, theirs) = (base.join("ours"), base.join("theirs"));
        fs::create_dir_all(&ours).unwrap();
        fs::create_dir_all(&theirs).unwrap();
        // xorshift64: the same sequence in every run.
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut below = |limit: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % limit
        };
        for step in 0..60 {
            let operation = below(6);
            let (a, b) = (names[below(8) as usize], names[below(8) as usize]);
            let data = vec![step as u8; below(20_000) as usize];
            let answers =
                (by_library(&ours, operation, a, b, &data), by_std(&theirs, operation, a, b, &data));
            assert_eq!(answers.0, answers.1, "seed {seed}, step {step}: {operation} {a} {b}");
            if step % 10 == 9 {
                // Without the contents, which would fill the screen.
                assert!(
                    tree(&ours) == tree(&theirs),
                    "trees differ: seed {seed}, step {step}: {operation} {a} {b}"
                );
            }
        }
        fs::remove_dir_all(&base).unwrap();
    }
}

#[test]
fn a_buffer_is_reused() {
    let path = Path::new("/proc/self/status");
    let mut buf = RtBuf { ptr: std::ptr::null_mut(), len: 0, cap: 0 };
    let (start, len) = text(path);
    // SAFETY: the path and the buffer are locals.
    let first = unsafe { rt_fs_read(start, len, &raw mut buf) };
    let place = buf.ptr;
    // SAFETY: as above.
    let second = unsafe { rt_fs_read(start, len, &raw mut buf) };
    assert!(first > 0 && second > 0 && buf.ptr == place);
    // SAFETY: as above.
    unsafe { rt_buf_free(&raw mut buf) };
    assert_eq!(buf.cap, 0);
}
