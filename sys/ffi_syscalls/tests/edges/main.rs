//! Edge cases from Rust: every function that takes a path against everything that can be wrong with a
//! path, as a table, and every other function against what can be wrong with what it takes. Each
//! function that is exported has to occur. Prints the table: `+` holds, `-` does not, `.` cannot be (a
//! function that only reads on a full file system), `?` could not be tried here (SKIP).
#![cfg(all(target_os = "linux", feature = "hosted", feature = "wide"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

mod fixture;
mod others;
mod paths;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// What could be said of the cases.
#[derive(Default)]
struct Tally {
    held: usize,
    failed: Vec<String>,
    skipped: usize,
    /// The functions that were called.
    functions: BTreeSet<String>,
}

impl Tally {
    fn count(&mut self, function: &str, case: &str, mark: char) {
        self.functions.insert(function.split(',').next().unwrap_or_default().to_owned());
        match mark {
            '+' => self.held += 1,
            '?' => self.skipped += 1,
            '.' => {}
            _ => self.failed.push(format!("{function}: {case}")),
        }
    }
}

/// As much as a main thread usually has. Removing a tree takes some of it for each directory on the way
/// down, which a test's own thread has not enough of where nothing is optimized.
const STACK: usize = 8 << 20;

// One test, as the cases share a directory, the environment and the descriptors.
#[test]
fn every_function_does_what_it_should_at_the_edges() {
    let cases = std::thread::Builder::new().stack_size(STACK).spawn(all).unwrap();
    if let Err(panic) = cases.join() {
        std::panic::resume_unwind(panic);
    }
}

fn all() {
    let dir = fixture::scratch();
    fixture::enter(&dir);
    fixture::let_signals_interrupt();
    for name in ["dir", "race", "secret", "nobody", "ro", "small"] {
        fs::create_dir(name).unwrap();
    }
    symlink("loop", "loop").unwrap();
    fs::write("file", "text\n").unwrap();
    fs::write("large", fixture::TEXT).unwrap();
    fs::write("secret/x", "").unwrap();
    fs::set_permissions("secret", fs::Permissions::from_mode(0o000)).unwrap();
    let before = fixture::descriptors();

    let mut tally = Tally::default();
    paths::table(&mut tally);
    others::list(&mut tally);
    let after = fixture::descriptors();

    fs::set_permissions("secret", fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    if tally.skipped > 0 {
        println!(
            "SKIP: {} cases need a right that is missing here, to mount or to be another user",
            tally.skipped
        );
    }
    println!("{} cases hold, {} do not", tally.held, tally.failed.len());
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    assert_eq!(before, after, "descriptors are left open");
    let exported: BTreeSet<String> = include_str!("../../symbols-wide").lines().map(str::to_owned).collect();
    let missing: Vec<_> = exported.difference(&tally.functions).collect();
    assert!(missing.is_empty(), "no case of {missing:?}");
}
