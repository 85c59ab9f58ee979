//! Wrong use, files that are no programs, and machines that lack something: each has its message
//! and its status, and the service goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use vitte_tests::stage::{HELLO, Stage, end};
use vitte_tests::stranger::Stranger;

/// The command must end with one of `statuses`, print nothing on standard output and say `text`.
fn refused(stage: &Stage, arguments: &[&str], statuses: &[i32], text: &str) {
    let outcome = stage.vitte(arguments);
    let said = outcome.stderr_text();
    assert!(statuses.contains(&outcome.status), "{arguments:?} gave status {}: {said}", outcome.status);
    assert_eq!(outcome.stdout_text(), "", "{arguments:?}");
    assert!(said.contains(text), "{arguments:?} does not say `{text}`: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn unknown_flags_and_verbs_are_wrong_use() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    refused(&stage, &["run", "--no-such-flag", "a.vit"], &[64], "--no-such-flag");
    refused(&stage, &["no-such-verb"], &[64], "no-such-verb");
    refused(&stage, &["emit", "--stage", "nothing", "a.vit"], &[64], "nothing");
    refused(&stage, &["run", "--timeout", "soon", "a.vit"], &[64], "soon");
}

#[test]
fn a_missing_file_is_named() {
    let stage = Stage::new();
    for verb in ["run", "check", "build"] {
        refused(&stage, &[verb, "nowhere.vit"], &[65], "nowhere.vit");
    }
    stage.assert_works();
}

#[test]
fn a_folder_without_a_package_is_no_program() {
    let stage = Stage::new();
    std::fs::create_dir(stage.folder().join("folder.vit")).unwrap();
    refused(&stage, &["check", "folder.vit"], &[65, 78], "folder.vit");
    stage.assert_works();
}

#[test]
fn an_unreadable_file_is_named() {
    let stage = Stage::new();
    let path = stage.write("locked.vit", HELLO);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_err() {
        refused(&stage, &["check", "locked.vit"], &[65, 74], "locked.vit");
        stage.assert_works();
        return;
    }
    // The superuser reads everything, so somebody else has to try.
    let Some(other) = Stranger::new(&stage) else {
        eprintln!("SKIP: neither an ordinary user nor one who can become another");
        return;
    };
    stage.write("open.vit", HELLO);
    for verb in ["check", "run"] {
        let outcome = other.vitte(&[verb, "locked.vit"]);
        let said = outcome.stderr_text();
        assert!([65, 74].contains(&outcome.status), "{verb} gave status {}: {said}", outcome.status);
        assert!(said.contains("locked.vit") && said.contains("ermission"), "{said}");
    }
    let outcome = other.vitte(&["run", "open.vit"]);
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, "hello\n"), "{}", outcome.stderr_text());
}

#[test]
fn bytes_that_are_not_utf8_have_their_diagnostic() {
    let stage = Stage::new();
    stage.write("bytes.vit", b"proc main() -> int { give 0 }\n// \xFF\xFE\n");
    refused(&stage, &["check", "bytes.vit"], &[65], "not UTF-8: the first bad byte is at offset 33");
    stage.write("imported.vit", b"// \xFF\nexport *\n");
    stage.write("importer.vit", "use imported\nproc main() -> int { give 0 }\n");
    refused(&stage, &["check", "importer.vit"], &[1], "LEX0014");
    stage.write("zeros.vit", [0_u8; 4096]);
    refused(&stage, &["check", "zeros.vit"], &[1], "LEX0002");
    stage.assert_works();
}

#[test]
fn an_empty_file_is_a_module_but_no_program() {
    let stage = Stage::new();
    for (name, text) in [("empty.vit", ""), ("blank.vit", "\n\n"), ("mark.vit", "\u{feff}")] {
        stage.write(name, text);
        assert_eq!(stage.vitte(&["check", name]).status, 0, "{name}");
        refused(&stage, &["run", name], &[1, 2], "LNK0071");
    }
    stage.assert_works();
}

#[test]
fn deep_nesting_is_a_diagnostic() {
    let stage = Stage::new();
    for (name, open, close) in [("parens.vit", "(", ")"), ("lists.vit", "[", "]"), ("nots.vit", "not ", "")] {
        let text = format!(
            "proc main() -> int {{\n    let x = {}1{}\n    give 0\n}}\n",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        stage.write(name, text);
        let outcome = stage.vitte(&["check", "--error-format", "short", name]);
        assert_eq!(outcome.status, 1, "{name}: {}", outcome.stderr_text());
    }
    stage.assert_works();
}

#[test]
fn a_damaged_manifest_is_named() {
    let stage = Stage::new();
    for (folder, text) in [("one", "{"), ("two", "[]"), ("three", "{\"schema\": 5}"), ("four", "")] {
        stage.write(&format!("{folder}/vitte-package.json"), text);
        stage.write(&format!("{folder}/src/main.vit"), HELLO);
        refused(&stage, &["build", folder], &[65, 78], "vitte-package.json");
    }
    stage.assert_works();
}

#[test]
fn no_linker_is_needed() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let nothing = stage.folder().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    for flags in [&["run", "a.vit"][..], &["--no-daemon", "run", "a.vit"]] {
        let mut command = stage.command(flags);
        command.env("PATH", &nothing);
        let outcome = end(command);
        assert_eq!(
            (outcome.status, outcome.stdout_text().as_str()),
            (0, "hello\n"),
            "{}",
            outcome.stderr_text()
        );
    }
}

#[test]
fn a_linker_that_is_not_there_is_named() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    refused(
        &stage,
        &["build", "--linker", "no-such-linker-x {output}", "a.vit"],
        &[2, 78],
        "no-such-linker-x",
    );
    stage.assert_works();
}

#[test]
fn a_socket_path_that_is_too_long_means_a_private_service() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let long = stage.home().path().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    std::fs::set_permissions(&long, PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = stage.command(&["run", "a.vit"]);
    command.env("XDG_RUNTIME_DIR", &long);
    let outcome = end(command);
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, "hello\n"), "{}", outcome.stderr_text());
    assert_eq!(outcome.stderr_text().lines().count(), 1, "one line says why: {}", outcome.stderr_text());
}

#[test]
fn a_full_disk_is_an_error_of_its_own() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let small = stage.folder().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|outcome| outcome.status.success()) {
        eprintln!("SKIP: mounting a small file system needs privileges");
        return;
    }
    let filled = std::fs::write(small.join("filler"), [0_u8; 32 * 1024]);
    let built = stage.vitte(&["build", "a.vit", "-o", "small/a.out"]);
    // A run needs room as well, in the cache.
    let mut run = stage.command(&["--no-daemon", "run", "a.vit"]);
    run.env("XDG_CACHE_HOME", &small);
    let ran = end(run);
    let left = small.join("a.out").exists();
    let unmounted = Command::new("umount").arg(&small).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    assert!(filled.is_err(), "the disk is not full");
    for (outcome, what) in [(built, "small/a.out"), (ran, "small/vitte")] {
        let said = outcome.stderr_text();
        assert_eq!(outcome.status, 74, "{said}");
        assert!(said.contains("No space left on device") && said.contains(what), "{said}");
    }
    assert!(!left, "half an executable was left behind");
    stage.assert_works();
}

#[test]
fn people_see_the_first_of_many_errors_and_programs_all() {
    let stage = Stage::new();
    let wrong: String = (0..300).map(|at| format!("proc f{at}() -> int {{ give missing_{at} }}\n")).collect();
    stage.write("many.vit", format!("{wrong}proc main() -> int {{ give 0 }}\n"));
    let shown = |flags: &[&str]| {
        let outcome = stage.vitte(&[&["check", "many.vit"], flags].concat());
        assert_eq!(outcome.status, 1, "{}", outcome.stderr_text());
        let all = outcome.stdout_text() + &outcome.stderr_text();
        let first = |line: &&str| line.contains("unknown name `missing_");
        (all.lines().filter(first).count(), all)
    };
    let (count, said) = shown(&[]);
    assert_eq!(count, 50);
    assert!(said.contains("250 more errors not shown; `--max-errors 0` shows all"), "{said}");
    assert!(said.contains("due to 300 previous errors"), "{said}");
    let (count, said) = shown(&["--max-errors", "3"]);
    assert_eq!(count, 3);
    assert!(said.contains("297 more errors not shown"), "{said}");
    for flags in
        [&["--max-errors", "0"][..], &["--error-format", "short"], &["--error-format", "json"], &["--json"]]
    {
        let (count, said) = shown(flags);
        assert_eq!(count, 300, "{flags:?}");
        assert!(!said.contains("not shown"), "{flags:?}");
    }
}
