//! The verbs of `vitte`, end to end: what they print where, and their exit statuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use vitte_tests::process;
use vitte_tests::stage::{HELLO, Stage, end};

const WRONG: &str = "proc main() -> int {\n    let x: int = \"a\"\n    give x\n}\n";

#[test]
fn check_and_build_say_success_in_the_words_that_scripts_compare() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let check = stage.vitte(&["check", "a.vit"]);
    assert_eq!((check.status, check.stdout_text().as_str()), (0, "check succeeded\n"));
    assert_eq!(check.stderr_text(), "");
    let build = stage.vitte(&["build", "a.vit", "-o", "out/a"]);
    assert_eq!(build.status, 0, "{}", build.stderr_text());
    let said = build.stdout_text();
    assert!(said.starts_with("build succeeded: ") && said.trim_end().ends_with("out/a"), "{said}");
    assert_eq!(build.stderr_text(), "");
    let ran = end(std::process::Command::new(stage.folder().join("out/a")));
    assert_eq!((ran.status, ran.stdout_text().as_str()), (0, "hello\n"));
}

#[test]
fn running_a_lone_file_leaves_nothing_beside_it() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    for flags in [&["run", "a.vit"][..], &["--no-daemon", "run", "a.vit"]] {
        let outcome = stage.vitte(flags);
        assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, "hello\n"));
        let left: Vec<_> =
            std::fs::read_dir(stage.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [stage.folder().join("a.vit")]);
    }
    let cached = stage.home().path().join("cache/vitte/run");
    assert_eq!(std::fs::read_dir(cached).unwrap().count(), 1, "equal programs share their place");
}

#[test]
fn a_panic_speaks_for_itself() {
    let stage = Stage::new();
    stage.write("a.vit", "proc main() -> int {\n    let xs = [1]\n    give xs[len(xs)]\n}\n");
    let outcome = stage.vitte(&["run", "a.vit"]);
    assert_eq!(outcome.status, 134);
    let said = outcome.stderr_text();
    assert!(said.starts_with("panic: index 1 out of range") && said.ends_with("  at a.vit:3:10\n"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn errors_go_to_standard_error_and_give_status_1() {
    let stage = Stage::new();
    stage.write("a.vit", WRONG);
    for verb in ["check", "build", "run"] {
        let outcome = stage.vitte(&[verb, "a.vit"]);
        assert_eq!((outcome.status, outcome.stdout_text().as_str()), (1, ""), "{verb}");
        let said = outcome.stderr_text();
        assert!(said.contains("error[TYP0213]: "), "{verb}: {said}");
        assert!(said.contains("  --> a.vit:2:18"), "{verb}: {said}");
    }
}

#[test]
fn every_error_format_names_code_and_place() {
    let stage = Stage::new();
    stage.write("a.vit", WRONG);
    for (format, place) in
        [("short", "a.vit:2:18: error[TYP0213]: "), ("json", "\"TYP0213\""), ("human", "TYP0213")]
    {
        let outcome = stage.vitte(&["check", "--error-format", format, "a.vit"]);
        let said = outcome.stdout_text() + &outcome.stderr_text();
        assert_eq!(outcome.status, 1, "{format}");
        assert!(said.contains(place), "{format}: {said}");
    }
}

#[test]
fn json_is_one_object_a_line() {
    let stage = Stage::new();
    stage.write("a.vit", WRONG);
    let outcome = stage.vitte(&["check", "--json", "a.vit"]);
    assert_eq!(outcome.status, 1);
    let mut lines = 0;
    for line in outcome.stdout_text().lines() {
        let value: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.is_object(), "{line}");
        lines += 1;
    }
    assert!(lines > 0);
}

#[test]
fn explain_knows_codes_and_refuses_others() {
    let stage = Stage::new();
    let known = stage.vitte(&["explain", "TYP0213"]);
    assert_eq!(known.status, 0, "{}", known.stderr_text());
    assert!(known.stdout_text().contains("TYP0213"));
    assert_ne!(stage.vitte(&["explain", "XYZ9999"]).status, 0);
}

#[test]
fn emit_shows_each_stage_and_repeats_itself() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    for name in ["ast", "hir", "mir", "ssa", "clif", "asm", "obj"] {
        let first = stage.vitte(&["emit", "--stage", name, "a.vit"]);
        assert_eq!(first.status, 0, "{name}: {}", first.stderr_text());
        assert!(!first.stdout.is_empty(), "{name} is empty");
        let again = stage.vitte(&["--no-daemon", "emit", "--stage", name, "a.vit"]);
        assert!(first.stdout == again.stdout, "{name} differs from run to run");
    }
}

#[test]
fn a_new_package_builds_and_runs_at_once() {
    let stage = Stage::new();
    let made = stage.vitte(&["new", "first"]);
    assert_eq!(made.status, 0, "{}", made.stderr_text());
    let manifest = std::fs::read_to_string(stage.folder().join("first/vitte-package.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["schema"], "vitte.package.manifest.v1");
    assert_eq!(manifest["name"], "first");
    let mut run = stage.command(&["run"]);
    run.current_dir(stage.folder().join("first"));
    let ran = end(run);
    assert_eq!(ran.status, 0, "{}", ran.stderr_text());
    assert!(!ran.stdout.is_empty());
}

#[test]
fn doctor_says_which_linker_is_chosen() {
    let stage = Stage::new();
    let outcome = stage.vitte(&["doctor"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
    assert!(outcome.stdout_text().contains("linker"), "{}", outcome.stdout_text());
}

#[test]
fn arguments_environment_and_folder_reach_the_program() {
    let stage = Stage::new();
    let text =
        "proc main(args: list[string]) -> int {\n    for a in args { println(a) }\n    give len(args)\n}\n";
    stage.write("a.vit", text);
    let outcome = stage.vitte(&["run", "a.vit", "--", "one", "--no-daemon", ""]);
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (3, "one\n--no-daemon\n\n"));
}

#[test]
fn both_streams_arrive_apart_and_complete() {
    let stage = Stage::new();
    let text = "proc main() -> int {\n    for i in 0..5000 {\n        println(i)\n        eprintln(i)\n    }\n    give 0\n}\n";
    stage.write("a.vit", text);
    let expected: String = (0..5000).map(|n| format!("{n}\n")).collect();
    let outcome = stage.vitte(&["run", "a.vit"]);
    assert_eq!(outcome.status, 0);
    assert!(outcome.stdout_text() == expected, "standard output is not complete");
    assert!(outcome.stderr_text() == expected, "standard error is not complete");
}

#[test]
fn an_unread_input_does_not_hold_the_program() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let input = vec![b'x'; 1 << 20];
    let outcome = process::run(stage.command(&["run", "a.vit"]), &input, Duration::from_secs(60)).unwrap();
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, "hello\n"));
}
