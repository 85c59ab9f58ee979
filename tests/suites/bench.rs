//! `vitte bench`: what it finds, what it tells, and how it compares. No test asserts on times.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use vitte_tests::process::Outcome;
use vitte_tests::stage::Stage;

const MAIN: &str = r#"use vitte/stdlib/testing.{black_box}
proc main() -> int { give 0 }
proc fib(n: int) -> int { if n < 2 { give n }; give fib(n - 1) + fib(n - 2) }
proc bench_fib() -> int { give fib(black_box(10)) }
proc bench_text() -> string { give "a" + to_string(black_box(7)) }
proc bench_list() -> [int] { let xs = [1, 2, 3]; xs.push(black_box(4)); give xs }
bench "says hello" { println("hello") }
proc bench_not_one(n: int) -> int { give n }
proc test_fib() -> bool { give fib(10) == 55 }
"#;

const QUICK: [&str; 4] = ["--samples", "5", "--sample-time", "1ms"];

fn stage() -> Stage {
    let stage = Stage::new();
    stage.write(
        "vitte-package.json",
        r#"{"schema": "vitte.package.manifest.v1", "name": "demo", "version": "0.1.0", "kind": "binary",
            "entry": "src/main.vit", "dependencies": {}, "tests": []}"#,
    );
    stage.write("src/main.vit", MAIN);
    stage.write("benches/more.vit", "proc bench_more() { }\n");
    stage
}

fn results(outcome: &Outcome) -> Vec<Value> {
    let text = outcome.stdout_text();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["event"] == "bench_result").collect()
}

const ALL: [&str; 5] = [
    "src/main::bench_fib",
    "src/main::bench_text",
    "src/main::bench_list",
    "src/main::bench_says_hello",
    "benches/more::bench_more",
];

#[test]
fn benchmarks_are_found_and_tests_are_not() {
    let stage = stage();
    let listed = stage.vitte(&["bench", "--list"]);
    assert_eq!((listed.status, listed.stdout_text()), (0, ALL.join("\n") + "\n"), "{}", listed.stderr_text());
    let tests = stage.vitte(&["test", "--list"]);
    assert_eq!(tests.stdout_text(), "src/main::test_fib\n");
    let some = stage.vitte(&["bench", "--list", "--filter", "te"]);
    assert_eq!(some.stdout_text(), "src/main::bench_text\n");
}

#[test]
fn every_benchmark_has_samples_and_a_median() {
    let stage = stage();
    let outcome = stage.vitte(&[&["bench", "--json"][..], &QUICK].concat());
    assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
    let found = results(&outcome);
    let names: Vec<&str> = found.iter().map(|result| result["name"].as_str().unwrap()).collect();
    assert_eq!(names, ALL);
    for result in found {
        assert_eq!(result["samples"].as_u64(), Some(5), "{result}");
        assert!(
            result["median_ns"].as_f64().unwrap() > 0.0 && result["iterations"].as_u64().unwrap() > 0,
            "{result}"
        );
        assert!(result["min_ns"].as_f64() <= result["median_ns"].as_f64(), "{result}");
    }
}

#[test]
fn results_are_kept_and_compared() {
    let stage = stage();
    let run = |flags: &[&str]| stage.vitte(&[&["bench", "--filter", "fib"], flags, &QUICK].concat());
    let missing = run(&["--baseline", "before"]);
    assert_eq!(missing.status, 65, "{}", missing.stderr_text());
    assert!(missing.stderr_text().contains("vitte bench --save before"), "{}", missing.stderr_text());
    let saved = run(&["--save", "before"]);
    assert_eq!(saved.status, 0, "{}", saved.stderr_text());
    let kept = std::fs::read_to_string(stage.folder().join("target/bench/before.json")).unwrap();
    assert!(kept.contains("\"vitte.bench.v1\"") && kept.contains("src/main::bench_fib"), "{kept}");
    let compared = run(&["--baseline", "before", "--json"]);
    let result = &results(&compared)[0];
    assert!(result["baseline"]["median_ns"].is_f64() && result["verdict"].is_string(), "{result}");
    stage.write("target/bench/before.json", "{}");
    assert_eq!(run(&["--baseline", "before"]).status, 65);
    assert_eq!(run(&["--save", "../x"]).status, 64);
}

#[test]
fn a_benchmark_that_panics_has_failed() {
    let stage = Stage::new();
    stage.write("a.vit", "proc bench_wrong() { panic(\"no\") }\nproc bench_right() { }\n");
    let outcome = stage.vitte(&[&["bench", "a.vit"][..], &QUICK].concat());
    assert_eq!(outcome.status, 1, "{}", outcome.stderr_text());
    let text = outcome.stdout_text();
    assert!(text.contains("FAILED") && text.contains("panic: no") && text.contains("bench_right"), "{text}");
}
