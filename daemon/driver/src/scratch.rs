//! Executables that nobody asked to keep: those of `vitte run FILE` for a lone file.
//!
//! They stand at `FOLDER/DIGEST/NAME`, named by their contents, so that two runs at once never
//! replace each other's program, and running the same program again writes nothing.
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Executables that are always kept.
const KEPT: usize = 32;
/// Younger ones are kept however many there are: somebody may be about to start them.
const KEPT_FOR: Duration = Duration::from_secs(3600);
/// Hex digits of the digest that make the folder's name.
const DIGITS: usize = 32;

/// Where the executable with these bytes goes.
pub fn place(folder: &Path, name: &str, sha256: &str) -> PathBuf {
    folder.join(sha256.get(..DIGITS).unwrap_or(sha256)).join(name)
}

/// Marks `executable` as used now and removes old ones, least recently used first. What cannot be
/// removed stays: the next sweep comes with the next program.
pub fn sweep(folder: &Path, executable: &Path) {
    let used = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let now = SystemTime::now();
    if let Some(own) = executable.parent()
        && let Ok(opened) = std::fs::File::open(own)
    {
        // A file system without times sweeps nothing of value.
        let _ = opened.set_modified(now);
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter_map(|path| Some((used(&path)?, path)))
        .collect();
    found.sort();
    for (time, path) in found.iter().rev().skip(KEPT) {
        if now.duration_since(*time).is_ok_and(|age| age > KEPT_FOR) {
            let _ = vitte_sys::fs::remove_tree(path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn old_ones_go_and_used_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let place = |n: usize| place(folder.path(), "a", &format!("{n:032x}{n:032x}"));
        let old = SystemTime::now() - 2 * KEPT_FOR;
        let all: Vec<_> = (1..=KEPT + 8).map(place).collect();
        for path in &all {
            let own = path.parent().unwrap();
            std::fs::create_dir_all(own).unwrap();
            std::fs::write(path, "x").unwrap();
            std::fs::File::open(own).unwrap().set_modified(old).unwrap();
        }
        sweep(folder.path(), &all[3]);
        assert!(all[3].is_file());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), KEPT);
    }
}
