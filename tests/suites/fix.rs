//! Lints by every way of setting them, and `vitte check --fix`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use vitte_tests::stage::Stage;

const MANIFEST: &str = r#"{"schema": "vitte.package.manifest.v1", "name": "demo", "version": "0.1.0", "kind": "binary",
    "entry": "src/main.vit", "dependencies": {}, "tests": [], "lints": LINTS}"#;

const MONEY: &str = "export cents, euros\nproc cents() -> int { give 1 }\nproc euros() -> int { give 100 }\n";

fn package(lints: &str, main: &str) -> Stage {
    let stage = Stage::new();
    stage.write("vitte-package.json", MANIFEST.replace("LINTS", lints));
    stage.write("src/money.vit", MONEY);
    stage.write("src/main.vit", main);
    stage
}

fn read(stage: &Stage, name: &str) -> String {
    std::fs::read_to_string(stage.folder().join(name)).unwrap()
}

/// Code and severity of all that a check says, in order.
fn said(stage: &Stage, flags: &[&str]) -> Vec<(String, String)> {
    let outcome = stage.vitte(&[&["check", "--error-format", "json"], flags].concat());
    let lines = outcome.stdout_text();
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|diagnostic| (text(&diagnostic["code"]), text(&diagnostic["severity"]))).collect()
}

fn one(code: &str, severity: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), severity.to_owned())]
}

const UNUSED: &str = "use money.{cents, euros}\n\nproc main() -> int {\n    give cents() - 1\n}\n";

#[test]
fn levels_come_from_manifest_flags_and_attributes() {
    let stage = package("{}", UNUSED);
    assert_eq!(said(&stage, &[]), []);
    assert_eq!(said(&stage, &["--warn", "unused_import"]), one("SEM0960", "warning"));
    assert_eq!(said(&stage, &["-D", "unused-import"]), one("SEM0960", "error"));
    assert_eq!(said(&stage, &["-W", "lints", "-A", "SEM0960"]), []);
    stage.write("vitte-package.json", MANIFEST.replace("LINTS", r#"{"unused_import": "deny"}"#));
    assert_eq!(said(&stage, &[]), one("SEM0960", "error"));
    assert_eq!(said(&stage, &["-W", "SEMA_L_UNUSED_IMPORT"]), one("SEM0960", "warning"));
    stage.write("src/main.vit", format!("#![allow(unused_import)]\n{UNUSED}"));
    assert_eq!(said(&stage, &[]), []);
    stage.write("vitte-package.json", MANIFEST.replace("LINTS", "{}"));
    stage.write("src/main.vit", format!("#![warn(unused_import)]\n{UNUSED}"));
    assert_eq!(said(&stage, &[]), one("SEM0960", "warning"));
    assert_eq!(said(&stage, &["--deny-warnings"]), one("SEM0960", "error"));
    let shadows = "proc main() -> int {\n    let n = 1\n    if n > 0 { let n = 0; give n }\n    give n\n}\n";
    stage.write("src/main.vit", shadows);
    assert_eq!(said(&stage, &[]), one("SEM0920", "warning"));
    stage.write("src/main.vit", format!("#[allow(shadowed_name)]\n{shadows}"));
    assert_eq!(said(&stage, &["--deny-warnings"]), []);
    stage.write("src/main.vit", format!("#[deny(shadowed_name)]\n{shadows}"));
    assert_eq!(said(&stage, &[]), one("SEM0920", "error"));
}

#[test]
fn unknown_lints_are_told_with_the_nearest_name() {
    let stage = package("{}", "proc main() -> int { give 0 }\n");
    let flag = stage.vitte(&["check", "-W", "unused_imports"]);
    assert_eq!(flag.status, 64, "{}", flag.stderr_text());
    assert!(flag.stderr_text().contains("`unused_import`"), "{}", flag.stderr_text());
    stage.write("src/main.vit", "#[allow(shadowed_nam)]\nproc main() -> int { give 0 }\n");
    assert_eq!(said(&stage, &[]), one("SEM0965", "warning"));
    let page = stage.vitte(&["explain", "unused_import"]);
    assert!(page.stdout_text().starts_with("# SEM0960 SEMA_L_UNUSED_IMPORT"), "{}", page.stdout_text());
    assert!(page.stdout_text().contains("--deny unused_import"), "{}", page.stdout_text());
}

#[test]
fn fixes_are_applied_until_nothing_is_left() {
    let wrong = "use money.{cents, euros}\n\nproc total(count: int) -> int {\n    return count * cents()\n}\n\n\
                 proc main() -> int {\n    let mut amount = 2\n    println(to_string(totl(amont)))\n    assert_eq(1, 1)\n    give 0\n}\n";
    let right = "use money.{cents}\nuse vitte/stdlib/testing.{assert_eq}\n\nproc total(count: int) -> int {\n    give count * cents()\n}\n\n\
                 proc main() -> int {\n    let amount = 2\n    println(to_string(total(amount)))\n    assert_eq(1, 1)\n    give 0\n}\n";
    let stage = package("{}", wrong);
    let flags = ["check", "--fix", "-W", "unused_import", "-W", "needless_mut", "-W", "return_for_give"];
    let dry = stage.vitte(&[&flags[..], &["--dry-run"]].concat());
    assert_eq!(read(&stage, "src/main.vit"), wrong);
    assert!(dry.stderr_text().contains("would fix src/main.vit:9:23"), "{}", dry.stderr_text());
    let fixed = stage.vitte(&flags);
    assert_eq!(read(&stage, "src/main.vit"), right, "{}", fixed.stderr_text());
    assert_eq!((fixed.status, fixed.stdout_text().as_str()), (0, "check succeeded\n"));
    assert!(
        fixed.stderr_text().contains("fixed src/main.vit:4:5: write `give` [PAR0904]"),
        "{}",
        fixed.stderr_text()
    );
    let again = stage.vitte(&flags);
    assert_eq!((again.status, again.stderr_text().as_str()), (0, "nothing to fix\n"));
}

#[test]
fn what_is_told_is_json_on_request() {
    let stage = package("{}", "proc main() -> int {\n    return 0\n}\n");
    let fixed = stage.vitte(&["check", "--fix", "-W", "return_for_give", "--json"]);
    let lines = fixed.stdout_text();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fix = events.iter().find(|event| event["event"] == "fix").unwrap();
    assert_eq!((fix["file"].as_str(), fix["line"].as_u64()), (Some("src/main.vit"), Some(2)));
    assert_eq!((fix["replacement"].as_str(), fix["applied"].as_bool()), (Some("give"), Some(true)));
}

#[test]
fn a_fix_that_breaks_the_program_is_taken_back() {
    // The similar name has another type, so that what is suggested leaves an error of its own and a second one.
    let wrong = "proc main() -> int {\n    let counts = [1, 2]\n    println(to_string(count + 1))\n    give len(count) as int\n}\n";
    let stage = package("{}", wrong);
    let before = stage.vitte(&["check", "--error-format", "short"]);
    let outcome = stage.vitte(&["check", "--fix", "--error-format", "short"]);
    assert_eq!(outcome.status, 1);
    let errors =
        |text: &str| text.lines().filter(|line| line.contains("error") || line.contains(": SEM")).count();
    assert!(errors(&outcome.stderr_text()) <= errors(&before.stderr_text()) + 1, "{}", outcome.stderr_text());
}

#[test]
fn punctuation_that_is_missing_is_put_in() {
    let stage = package(
        "{}",
        "proc add(a: int, b: int) -> int { give a + b }\nproc main() -> int {\n    println(\"a\") println(\"b\")\n    give add(1 2) - 3\n}\n",
    );
    let fixed = stage.vitte(&["check", "--fix"]);
    assert_eq!(fixed.status, 0, "{}", fixed.stderr_text());
    assert!(read(&stage, "src/main.vit").contains("println(\"a\"); println(\"b\")\n    give add(1, 2) - 3"));
}
