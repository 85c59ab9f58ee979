//! The library of system calls as programs see it: every function that `sys/ffi_syscalls` exports is called by a
//! Vitte program among the language tests, programs carry of it only what they call, and any linker will do.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use vitte_tests::binaries::tests_folder;
use vitte_tests::process;
use vitte_tests::stage::{HELLO, LIMIT, Stage, end};

/// Folders of the language tests whose programs call the system.
const TOPICS: [&str; 2] = ["os", "io"];
/// Largest stripped executable of a program that prints one line, whatever it imports.
const SMALL: u64 = 6 * 1024;

/// What valgrind answers when it has found something.
const FOUND: i32 = 99;

/// The exported names of the library, from the lists that its own tests compare with what was built.
fn exported() -> BTreeSet<String> {
    let folder = tests_folder().parent().unwrap().join("sys/ffi_syscalls");
    let lists = ["symbols", "symbols-wide"];
    let text: String = lists.iter().map(|list| std::fs::read_to_string(folder.join(list)).unwrap()).collect();
    text.lines().map(str::to_owned).collect()
}

/// The programs of the topics, which are those with expected output.
fn programs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for topic in TOPICS {
        for entry in std::fs::read_dir(tests_folder().join("programs").join(topic)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "vit") && path.with_extension("stdout").is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The names in `names` that stand in the symbol table of a file.
fn symbols(file: &Path, names: &BTreeSet<String>) -> BTreeSet<String> {
    let bytes = std::fs::read(file).unwrap();
    let texts = bytes.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok());
    texts.filter(|text| names.contains(*text)).map(str::to_owned).collect()
}

#[test]
fn every_exported_function_is_called_by_a_program() {
    let stage = Stage::new();
    let exported = exported();
    let mut called = BTreeSet::new();
    for program in programs() {
        let object = stage.folder().join("program.o");
        let mut command = stage.command(&["emit", "--stage", "obj", "-o"]);
        command.arg(&object).arg(&program).current_dir(tests_folder().join("programs"));
        let outcome = end(command);
        assert_eq!(outcome.status, 0, "{}: {}", program.display(), outcome.stderr_text());
        called.extend(symbols(&object, &exported));
    }
    let missing: Vec<_> = exported.difference(&called).collect();
    assert!(exported.len() >= 23, "{exported:?}");
    assert!(missing.is_empty(), "no program under tests/programs/{TOPICS:?} calls {missing:?}");
}

#[test]
fn the_library_declares_what_is_exported_and_nothing_else() {
    let runtime = tests_folder().parent().unwrap().join("daemon/compiler/src/runtime");
    let text = std::fs::read_to_string(runtime.join("syscalls.vit")).unwrap();
    let declared: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("proc ")?.split('(').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, exported());
}

#[test]
fn an_import_that_is_not_used_costs_nothing() {
    let stage = Stage::new();
    let importing = format!("use vitte/stdlib/os\nuse vitte/stdlib/io\n{HELLO}");
    let calling = "use vitte/stdlib/os\nproc main() -> int { give os.process_id() % 1 }\n";
    let build = |name: &str, source: &str| {
        stage.write(&format!("{name}.vit"), source);
        let outcome = stage.vitte(&["build", &format!("{name}.vit"), "-o", name, "--profile", "release"]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
        std::fs::read(stage.folder().join(name)).unwrap()
    };
    let plain = build("hello", HELLO);
    assert!(plain.len() as u64 <= SMALL, "{} bytes", plain.len());
    assert_eq!(plain.len(), build("importing", &importing).len());
    let calling = build("calling", calling);
    assert!(calling.len() as u64 <= SMALL, "{} bytes for one system call", calling.len());
}

#[test]
fn every_linker_and_level_makes_the_same_program_of_it() {
    let stage = Stage::new();
    let programs = tests_folder().join("programs");
    let expected = std::fs::read_to_string(programs.join("os/files.stdout")).unwrap();
    for flags in [
        &["--linker", "cc"][..],
        &["--linker", "ld"],
        &["--linker", "ld.lld"],
        &["--linker", "rust-lld"],
        &["--linker", "mold"],
        &["-O0"],
        &["-O3"],
    ] {
        let mut command = stage.command(&["run"]);
        command.args(flags).arg("os/files.vit").current_dir(&programs);
        let outcome = end(command);
        if outcome.stderr_text().contains("was not found") {
            eprintln!("SKIP: no linker for {flags:?} here");
            continue;
        }
        assert_eq!(outcome.stdout_text(), expected, "{flags:?}: {}", outcome.stderr_text());
    }
}

/// Programs that start others are not among these: valgrind starts them another way.
#[test]
fn a_leak_checker_finds_nothing() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("SKIP: valgrind is not installed");
        return;
    }
    let stage = Stage::new();
    let programs = tests_folder().join("programs");
    for program in ["os/files", "os/metadata", "os/directories", "os/descriptors", "io/lines", "io/buffered"]
    {
        let built = stage.folder().join("built");
        let mut command = stage.command(&["build", "-o"]);
        command.arg(&built).arg(format!("{program}.vit")).current_dir(&programs);
        let outcome = end(command);
        assert_eq!(outcome.status, 0, "{program}: {}", outcome.stderr_text());
        let mut checked = Command::new("valgrind");
        checked
            .args(["--quiet", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all"])
            .arg(format!("--error-exitcode={FOUND}"))
            .arg(&built);
        let input = std::fs::read(programs.join(program).with_extension("stdin")).unwrap_or_default();
        let checked = process::run(checked, &input, LIMIT).unwrap();
        let said = checked.stderr_text();
        if said.contains("Fatal error at startup") {
            eprintln!("SKIP: valgrind wants the C library's debug symbols (libc6-dbg)");
            return;
        }
        assert_eq!(checked.status, 0, "{program}: {said}");
        let expected = std::fs::read_to_string(programs.join(program).with_extension("stdout")).unwrap();
        assert_eq!(checked.stdout_text(), expected, "{program}");
    }
}

#[test]
fn the_page_of_the_library_names_every_proc_and_its_example_runs() {
    let root = tests_folder().parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/standard-library.md")).unwrap();
    let mut folders = vec![root.join("daemon/compiler/src/runtime/stdlib")];
    let mut missing = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // The short forms repeat names of the long ones; their page entry tells them by example.
            if path.ends_with("simple.vit") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let exports = text.lines().filter_map(|line| line.strip_prefix("export "));
            for name in exports.flat_map(|names| names.split(", ")) {
                let is_proc = name.starts_with(|c: char| c.is_ascii_lowercase());
                if is_proc && !page.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
                {
                    missing.push(format!("{name} of {}", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "docs/standard-library.md does not name {missing:#?}");

    let example = page.split("```vitte\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let stage = Stage::new();
    stage.write("count.vit", example);
    stage.write("lines.txt", "one\ntwo\nthree");
    let outcome = stage.vitte(&["run", "count.vit", "--", "lines.txt", "none.txt"]);
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (1, "lines.txt: 3\n"));
    let said = outcome.stderr_text();
    assert!(said.contains("cannot open `none.txt`: there is no such file or directory (ENOENT)\n"), "{said}");
}
