//! `vitte test`: what it finds, how each test ends, and what is told of it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Instant;

use serde_json::Value;
use vitte_tests::process::Outcome;
use vitte_tests::stage::Stage;

const MATH: &str = r#"export {double}
proc double(n: int) -> int { give n * 2 }
proc test_double() -> bool { give double(2) == 4 }
proc test_wrong() -> bool { println("looked"); give double(2) == 5 }
proc test_panics() { let xs: [int] = []; println(xs[3]) }
test "adds two numbers" { assert 1 + 1 == 2 }
proc test_not_one(n: int) -> bool { give n == 0 }
proc test_no_verdict() -> int { give 0 }
"#;

/// A package with tests in its program, in modules that nobody imports, and in a program of their own.
fn package() -> Stage {
    let stage = Stage::new();
    stage.write(
        "vitte-package.json",
        r#"{"schema": "vitte.package.manifest.v1", "name": "demo", "version": "0.1.0", "kind": "binary",
            "entry": "src/main.vit", "dependencies": {}, "tests": ["tests/smoke.vit"]}"#,
    );
    stage.write(
        "src/main.vit",
        "use math\nproc main() -> int { println(math.double(4)); give 0 }\nproc test_main() -> bool { give true }\n",
    );
    stage.write("src/math.vit", MATH);
    stage.write("src/lonely.vit", "proc test_lonely() -> bool { give true }\n");
    stage.write("tests/smoke.vit", "proc main() -> int { eprintln(\"smoke\"); give 3 }\n");
    stage.write("tests/more.vit", "use math\nproc test_more() -> bool { give math.double(21) == 42 }\n");
    stage
}

const ALL: [&str; 8] = [
    "src/main::test_main",
    "src/math::test_double",
    "src/math::test_wrong",
    "src/math::test_panics",
    "src/math::test_adds_two_numbers",
    "tests/smoke.vit",
    "src/lonely::test_lonely",
    "tests/more::test_more",
];

/// Name, result, detail and output of each test, in order of name.
fn results(outcome: &Outcome) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = outcome.stdout_text();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let finished = events.filter(|event| event["event"] == "test_finished");
    let mut results: Vec<_> = finished
        .map(|test| {
            (text(&test["name"]), text(&test["result"]), text(&test["detail"]), text(&test["output"]))
        })
        .collect();
    results.sort();
    results
}

#[test]
fn everything_is_found_run_and_told() {
    let stage = package();
    let listed = stage.vitte(&["test", "--list"]);
    assert_eq!((listed.status, listed.stdout_text().lines().collect::<Vec<_>>()), (0, ALL.to_vec()));
    // The second time the programs are known, and nothing is found twice.
    for _ in 0..2 {
        let outcome = stage.vitte(&["test", "--json"]);
        assert_eq!(outcome.status, 1, "{}", outcome.stderr_text());
        let results = results(&outcome);
        assert_eq!(results.len(), ALL.len());
        let failed: Vec<_> = results.iter().filter(|(_, result, ..)| result != "passed").collect();
        let is = |at: usize| {
            let (name, result, detail, output) = failed[at];
            (name.as_str(), result.as_str(), detail.as_str(), output.lines().next().unwrap_or_default())
        };
        assert_eq!(failed.len(), 3);
        assert_eq!(
            is(0),
            ("src/math::test_panics", "failed", "panicked", "panic: index 3 out of range for length 0")
        );
        assert_eq!(is(1), ("src/math::test_wrong", "failed", "returned false", "looked"));
        assert_eq!(is(2), ("tests/smoke.vit", "failed", "ended with status 3", "smoke"));
    }
    let people = stage.vitte(&["test"]).stdout_text();
    assert!(people.contains("test src/math::test_wrong ... FAILED: returned false"), "{people}");
    assert!(people.contains("test result: FAILED. 5 passed; 3 failed; finished in"), "{people}");
}

#[test]
fn some_of_them_in_another_order_and_as_xml() {
    let stage = package();
    let good = stage.vitte(&["test", "src/math.vit", "--filter", "two", "--filter", "double"]);
    assert_eq!(good.status, 0, "{}", good.stdout_text());
    assert!(good.stdout_text().contains("2 passed; 0 failed; 2 filtered out"), "{}", good.stdout_text());
    let exact = stage.vitte(&["test", "--exact", "--filter", "double"]);
    assert!(exact.stdout_text().contains("running 0 tests"), "{}", exact.stdout_text());
    let order = |seed: &str| stage.vitte(&["test", "--list", &format!("--shuffle={seed}")]).stdout_text();
    assert_eq!(order("5"), order("5"));
    assert_ne!(order("5"), order("6"));
    let report = stage.folder().join("report.xml");
    assert_eq!(stage.vitte(&["test", "--junit", report.to_str().unwrap()]).status, 1);
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains(r#"tests="8" failures="3""#), "{report}");
    assert!(
        report.contains(
            "<failure message=\"returned false\"/><system-out>looked\nfalse: left == right\n  left:  4\n  right: 5</system-out>"
        ),
        "{report}"
    );
}

#[test]
fn tests_that_do_not_end_or_do_not_stop_talking_are_ended() {
    let stage = Stage::new();
    stage
        .write("a.vit", "proc test_loops() { loop { } }\nproc test_talks() { loop { println(\"talk\") } }\n");
    let began = Instant::now();
    let outcome = stage.vitte(&["test", "a.vit", "--timeout", "1", "--json"]);
    assert_eq!(outcome.status, 1);
    let results = results(&outcome);
    assert!(results.iter().all(|(_, result, ..)| result == "timed_out"), "{results:?}");
    assert!(results[1].3.len() == 1 << 20, "a bounded part of what it said is kept");
    assert!(began.elapsed() < vitte_tests::stage::LIMIT);
    stage.assert_works();
}

#[test]
fn programs_with_errors_run_no_tests() {
    let stage = package();
    stage.write("src/math.vit", MATH.replace("n * 2", "n * missing"));
    let outcome = stage.vitte(&["test"]);
    assert_eq!(outcome.status, 1);
    // Modules that several programs share are told of once.
    let said = outcome.stderr_text();
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    assert!(said.contains("due to 1 previous error"), "{said}");
    assert!(!outcome.stdout_text().contains("running"), "{}", outcome.stdout_text());
}

#[test]
fn private_services_and_the_store_know_them_too() {
    let stage = package();
    for _ in 0..2 {
        let outcome = stage.vitte(&["--no-daemon", "test", "--filter", "double"]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
        assert!(outcome.stdout_text().contains("1 passed"), "{}", outcome.stdout_text());
    }
    // The program itself is another one.
    assert_eq!(stage.vitte(&["run"]).stdout_text(), "8\n");
}
