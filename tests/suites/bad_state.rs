//! Disks, folders and caches that are not as they should be: a clear message, and the build goes on as
//! far as it can.
//!
//! `VITTE_TEST_DAMAGE` says how many entries of the cache are damaged (default 60), `VITTE_TEST_SEED`
//! which and how.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vitte_tests::events::Told;
use vitte_tests::generator::{Options, Workspace};
use vitte_tests::process::Outcome;
use vitte_tests::random::Random;
use vitte_tests::services::{services, signal};
use vitte_tests::setting;
use vitte_tests::stage::{HELLO, LIMIT, Stage, end};
use vitte_tests::stranger::Stranger;

fn assert_hello(outcome: &Outcome, what: &str) {
    let said = outcome.stderr_text();
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, "hello\n"), "{what}: {said}");
    assert!(!said.contains("panicked"), "{what}: {said}");
}

/// A small file system in place of a folder; gone again when this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, and a line that says so, where mounting is not allowed.
    fn new(folder: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
        if mount.output().is_ok_and(|outcome| outcome.status.success()) {
            return Some(Self(folder.to_path_buf()));
        }
        eprintln!("SKIP: mounting a small file system needs privileges");
        None
    }

    /// As soon as nobody writes there any more.
    fn make_read_only(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut mount = Command::new("mount");
            let outcome = mount.args(["-o", "remount,ro"]).arg(&self.0).output().unwrap();
            if outcome.status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&outcome.stderr));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, because the service may still hold something open there.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn cache(stage: &Stage) -> PathBuf {
    stage.home().path().join("cache")
}

#[test]
fn an_unreadable_module_is_named_and_the_rest_is_checked() {
    let stage = Stage::new();
    stage.write("locked.vit", "export *\nproc f() -> int { give 1 }\n");
    stage.write("wrong.vit", "export *\nproc g() -> int { give \"text\" }\n");
    stage.write("main.vit", "use locked\nuse wrong\nproc main() -> int {\n    give wrong.g()\n}\n");
    fs::set_permissions(stage.folder().join("locked.vit"), PermissionsExt::from_mode(0o000)).unwrap();
    let check = |outcome: Outcome| {
        let said = outcome.stderr_text();
        assert_eq!(outcome.status, 1, "{said}");
        assert!(said.contains("locked.vit") && said.contains("permission denied"), "{said}");
        assert!(said.contains("wrong.vit:2:24"), "the other module is checked as well: {said}");
    };
    if fs::read(stage.folder().join("locked.vit")).is_err() {
        check(stage.vitte(&["check", "main.vit"]));
        return;
    }
    // The superuser reads everything, so somebody else has to try.
    let Some(stranger) = Stranger::new(&stage) else {
        eprintln!("SKIP: neither an ordinary user nor one who can become another");
        return;
    };
    check(stranger.vitte(&["check", "main.vit"]));
    fs::set_permissions(stage.folder().join("locked.vit"), PermissionsExt::from_mode(0o644)).unwrap();
    let said = stranger.vitte(&["check", "main.vit"]).stderr_text();
    assert!(!said.contains("locked.vit"), "it can be read now: {said}");
}

#[test]
fn a_folder_that_cannot_be_searched_is_named() {
    let stage = Stage::new();
    stage.write("closed/m.vit", "export *\nproc f() -> int { give 1 }\n");
    stage.write("main.vit", "use closed/m\nproc main() -> int {\n    give 0\n}\n");
    let folder = stage.folder().join("closed");
    let Some(stranger) = Stranger::new(&stage) else {
        eprintln!("SKIP: not a superuser who can become another");
        return;
    };
    let close = |mode| fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
    for _ in 0..2 {
        close(0o000);
        let outcome = stranger.vitte(&["check", "main.vit"]);
        close(0o755);
        let said = outcome.stderr_text();
        assert_eq!(outcome.status, 1, "{said}");
        assert!(said.contains("closed/m") && said.contains("ermission"), "{said}");
        let outcome = stranger.vitte(&["check", "main.vit"]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
    }
}

#[test]
fn a_folder_where_a_module_should_be_is_named() {
    let stage = Stage::new();
    stage.write("main.vit", "use m\nproc main() -> int {\n    give 0\n}\n");
    fs::create_dir(stage.folder().join("m.vit")).unwrap();
    let outcome = stage.vitte(&["check", "main.vit"]);
    assert_eq!(outcome.status, 1);
    let said = outcome.stderr_text();
    assert!(said.contains("RES0067") && said.contains("main.vit:1:5"), "{said}");
    assert!(said.contains("`m.vit` is a folder, not a file"), "{said}");
    // A module of that name may still be found elsewhere.
    stage.write("m/mod.vit", "export *\n");
    assert_eq!(stage.vitte(&["check", "main.vit"]).status, 0);
}

#[test]
fn modules_in_a_circle_are_built_and_constants_in_a_circle_are_not() {
    let stage = Stage::new();
    let module = |name: &str, other: &str| {
        format!(
            "use {other}\nexport *\nproc down_{name}(n: int) -> int {{\n    if n == 0 {{ give 0 }}\n    \
             give 1 + {other}.down_{other}(n - 1)\n}}\n"
        )
    };
    stage.write("a.vit", module("a", "b"));
    stage.write("b.vit", module("b", "c"));
    stage.write("c.vit", module("c", "a"));
    stage.write("main.vit", "use a\nproc main() -> int {\n    println(a.down_a(10))\n    give 0\n}\n");
    let outcome = stage.vitte(&["run", "main.vit"]);
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, "10\n"), "{}", outcome.stderr_text());
    // The circle opens, closes, and opens again, in a service that remembers all of it.
    for _ in 0..3 {
        stage.write("c.vit", format!("{}const C: int = a.A\n", module("c", "a")));
        stage.write("b.vit", format!("{}const B: int = c.C\n", module("b", "c")));
        stage.write("a.vit", format!("{}const A: int = b.B\n", module("a", "b")));
        let outcome = stage.vitte(&["check", "main.vit"]);
        assert_eq!(outcome.status, 1, "{}", outcome.stderr_text());
        assert!(outcome.stderr_text().contains("TYP0001"), "{}", outcome.stderr_text());
        stage.write("c.vit", format!("{}const C: int = 3\n", module("c", "a")));
        let outcome = stage.vitte(&["run", "main.vit"]);
        assert_eq!(outcome.stdout_text(), "10\n", "{}", outcome.stderr_text());
    }
}

/// A writer that truncates and fills a large file without a pause. What is read in the middle is
/// somebody's half of a text; it must be seen as such, never as the whole, and never for long.
#[test]
fn a_file_that_changes_while_it_is_read() {
    let stage = Stage::new();
    let text = |number: usize| {
        let lines: String =
            (0..20_000).map(|line| format!("// line {line} of text {number}, which is long\n")).collect();
        format!("{lines}export number\nproc number() -> int {{ give {number} }}\n")
    };
    let texts = [text(1), text(2)];
    let path = stage.write("m.vit", &texts[0]);
    stage.write("main.vit", "use m\nproc main() -> int {\n    println(m.number())\n    give 0\n}\n");
    for round in 0..5 {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for at in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    fs::write(&path, &texts[at % 2]).unwrap();
                }
            });
            for _ in 0..8 {
                let outcome = stage.vitte(&["run", "main.vit"]);
                let said = outcome.stderr_text();
                match outcome.status {
                    0 => assert!(["1\n", "2\n"].contains(&outcome.stdout_text().as_str()), "{said}"),
                    status => {
                        assert_eq!(status, 1, "{said}");
                        // The part that was read ends before the procedure does.
                        assert!(said.contains("error["), "{said}");
                    }
                }
            }
            over.store(true, Ordering::SeqCst);
        });
        fs::write(&path, &texts[round % 2]).unwrap();
        let outcome = stage.vitte(&["run", "main.vit"]);
        let expected = format!("{}\n", round % 2 + 1);
        assert_eq!(outcome.stdout_text(), expected, "{}", outcome.stderr_text());
    }
}

#[test]
fn a_very_long_line_does_not_hide_its_diagnostic() {
    let stage = Stage::new();
    for length in [10_000, 1 << 20, 6 << 20] {
        stage.write("main.vit", format!("proc main() -> int {{ give \"{}\" }}\n", "x".repeat(length)));
        for format in ["human", "short", "json"] {
            let outcome = stage.vitte(&["check", "--error-format", format, "main.vit"]);
            let said = outcome.stderr_text() + &outcome.stdout_text();
            assert_eq!(outcome.status, 1, "{length} bytes, {format}: {said:.500}");
            assert!(said.contains("TYP0243"), "{length} bytes, {format}: {said:.500}");
        }
    }
    stage.assert_works();
}

#[test]
fn a_full_disk_below_the_cache_fails_no_build() {
    let stage = Stage::new();
    let Some(_mounted) = Mounted::new(&cache(&stage), "size=64k,mode=0700") else { return };
    drop(fs::write(cache(&stage).join("filler"), [0_u8; 1 << 20]));
    Workspace::new(&Options::new(12, 1)).vitte().write(stage.folder()).unwrap();
    for flags in [&["build", "-o", "app"][..], &["--no-daemon", "build", "-o", "app"]] {
        let outcome = stage.vitte(flags);
        assert_eq!(outcome.status, 0, "{flags:?}: {}", outcome.stderr_text());
    }
    // Room again: everything works, and the cache is used.
    fs::remove_file(cache(&stage).join("filler")).unwrap();
    assert_eq!(stage.vitte(&["build", "-o", "app"]).status, 0);
}

#[test]
fn a_cache_that_cannot_be_written_fails_no_build() {
    let stage = Stage::new();
    let Some(mounted) = Mounted::new(&cache(&stage), "size=64m,mode=0700") else { return };
    Workspace::new(&Options::new(12, 1)).vitte().write(stage.folder()).unwrap();
    assert_eq!(stage.vitte(&["build", "-o", "first"]).status, 0);
    stage.vitte(&["daemon", "stop"]);
    mounted.make_read_only();
    for flags in [&["build", "-o", "second"][..], &["--no-daemon", "build", "-o", "second"]] {
        let outcome = stage.vitte(flags);
        assert_eq!(outcome.status, 0, "{flags:?}: {}", outcome.stderr_text());
        assert!(!outcome.stderr_text().contains("panicked"));
    }
    let bytes = |name: &str| fs::read(stage.folder().join(name)).unwrap();
    assert!(bytes("first") == bytes("second"));
}

#[test]
fn a_cache_of_a_later_version_is_left_alone() {
    let stage = Stage::new();
    let store = cache(&stage).join("vitte/store");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("format"), "vitte-store 999\n").unwrap();
    fs::write(store.join("index.vitte"), "of a kind that nobody knows yet").unwrap();
    let list = || {
        let mut names: Vec<_> =
            fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = list();
    stage.write("a.vit", HELLO);
    for flags in [&["run", "a.vit"][..], &["--no-daemon", "run", "a.vit"]] {
        assert_hello(&stage.vitte(flags), "beside a later version");
    }
    assert_eq!(list(), before, "what a later version wrote is not ours to change");
    assert_eq!(fs::read_to_string(store.join("format")).unwrap(), "vitte-store 999\n");
}

#[test]
fn whatever_stands_in_place_of_the_cache_fails_no_check() {
    for what in ["file", "link to nothing", "format", "index"] {
        let stage = Stage::new();
        let folder = cache(&stage).join("vitte");
        match what {
            "file" => fs::write(&folder, "not a folder").unwrap(),
            "link to nothing" => std::os::unix::fs::symlink("/nonexistent/place", &folder).unwrap(),
            "format" => {
                fs::create_dir_all(folder.join("store")).unwrap();
                fs::write(folder.join("store/format"), b"\xff\x00not a format").unwrap();
            }
            _ => {
                fs::create_dir_all(folder.join("store")).unwrap();
                fs::write(folder.join("store/index.vitte"), "not a database").unwrap();
            }
        }
        Workspace::new(&Options::new(6, 1)).vitte().write(stage.folder()).unwrap();
        for flags in [&["build", "-o", "app"][..], &["--no-daemon", "build", "-o", "app"]] {
            let outcome = stage.vitte(flags);
            let said = outcome.stderr_text();
            assert_eq!(outcome.status, 0, "{what}, {flags:?}: {said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

/// Every file below the folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn damage(path: &Path, all: &[PathBuf], random: &mut Random) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let replace = |bytes: &[u8]| {
        // Entries are read-only; whoever damages a disk does not ask.
        drop(fs::remove_file(path));
        fs::write(path, bytes).unwrap();
    };
    match random.below(5) {
        0 if !bytes.is_empty() => {
            let at = random.below(bytes.len());
            let mut flipped = bytes;
            flipped[at] ^= 1 << random.below(8);
            replace(&flipped);
            format!("byte {at} flipped")
        }
        1 => {
            let to = random.below(bytes.len() + 1);
            replace(&bytes[..to]);
            format!("cut to {to} bytes")
        }
        2 => {
            let other = random.choose(all).unwrap();
            replace(&fs::read(other).unwrap_or_default());
            format!("swapped with {}", other.display())
        }
        3 => {
            drop(fs::remove_file(path));
            "removed".into()
        }
        _ => {
            replace(&[]);
            "emptied".into()
        }
    }
}

#[test]
fn a_damaged_cache_gives_no_wrong_build() {
    let rounds: usize = setting::number("VITTE_TEST_DAMAGE", 60) / 10;
    let seed = setting::seed();
    eprintln!("{rounds} rounds of 10 damages from seed {seed}");
    let mut random = Random::new(seed);
    let stage = Stage::new();
    Workspace::new(&Options::new(12, seed)).vitte().write(stage.folder()).unwrap();
    assert_eq!(stage.vitte(&["build", "-o", "app"]).status, 0);
    let right = fs::read(stage.folder().join("app")).unwrap();
    for round in 0..rounds {
        // Some of the damage is done to a service at work, some to one that is not there.
        match round % 3 {
            0 => drop(stage.vitte(&["daemon", "stop"])),
            1 => services(&stage).into_iter().for_each(|service| signal("KILL", service)),
            _ => {}
        }
        let store = files_below(&cache(&stage));
        let mut done = Vec::new();
        for _ in 0..10 {
            let Some(path) = random.choose(&store) else { break };
            done.push(format!("{}: {}", path.display(), damage(path, &store, &mut random)));
        }
        drop(fs::remove_file(stage.folder().join("app")));
        let flags =
            if round % 4 == 3 { &["--no-daemon", "build", "-o", "app"][..] } else { &["build", "-o", "app"] };
        let told = Told::by(stage.command(&[flags, &["--json"]].concat()), LIMIT).unwrap();
        assert_eq!(told.outcome.status, 0, "round {round} of seed {seed}: {}\n{done:#?}", told.said());
        let built = fs::read(stage.folder().join("app")).unwrap();
        assert!(built == right, "round {round} of seed {seed}: another program\n{done:#?}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let Some(mounted) = Mounted::new(&stage.folder().join("fixed"), "size=1m") else { return };
    mounted.make_read_only();
    let outcome = stage.vitte(&["build", "a.vit", "-o", "fixed/app"]);
    let said = outcome.stderr_text();
    assert_eq!(outcome.status, 74, "{said}");
    assert!(said.contains("fixed/app") && said.to_lowercase().contains("read-only"), "{said}");
    File::create(stage.folder().join("taken")).unwrap();
    let outcome = end(stage.command(&["build", "a.vit", "-o", "taken/app"]));
    assert_eq!(outcome.status, 74, "{}", outcome.stderr_text());
    assert!(outcome.stderr_text().contains("taken"), "{}", outcome.stderr_text());
    stage.assert_works();
}
