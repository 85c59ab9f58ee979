//! A full disk: the old file stays, nothing is left beside it, and the error says why.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]
use std::process::Command;

use vitte_sys::fs::{Durability, read, replace};

#[test]
fn a_full_disk_loses_nothing() {
    let folder = std::env::temp_dir().join(format!("vitte-sys-{}-full", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&folder)
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("skipped: mounting a small tmpfs needs root");
        std::fs::remove_dir_all(&folder).unwrap();
        return;
    }
    let file = folder.join("program");
    let first = replace(&file, b"old", 0o755, Durability::Flushed);
    let error = replace(&file, &vec![1; 256 * 1024], 0o755, Durability::Flushed);
    let old = read(&file);
    let entries = std::fs::read_dir(&folder).map(Iterator::count);
    // Taken down before anything is asserted, so that a failure leaves no mount.
    assert!(Command::new("umount").arg(&folder).status().unwrap().success());
    std::fs::remove_dir(&folder).unwrap();
    first.unwrap();
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(old.unwrap(), b"old");
    assert_eq!(entries.unwrap(), 1);
}
