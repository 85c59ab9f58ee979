//! Real programs, from text to a process, linked with the system's C compiler where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::program::program_object;
use super::text::{TextStage, emit_text};
use crate::base::testing::TestDb;
use crate::base::{OptLevel, Options};

fn options(opt_level: OptLevel) -> Options {
    Options { opt_level, debug_info: true, ..Options::default() }
}

/// Builds, links and runs at two levels; gives stdout, stderr and the status (a negative signal).
fn run(fixture: &str) -> Option<(String, String, i32)> {
    let mut outputs = Vec::new();
    for level in [OptLevel::O0, OptLevel::O1] {
        let db = TestDb::new(fixture);
        let program = db.program_with(options(level));
        let object = program_object(&db, program).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"));
        outputs.push(link_and_run(&object.bytes)?);
    }
    assert_eq!(outputs[0], outputs[1], "levels differ");
    outputs.pop()
}

fn link_and_run(object: &[u8]) -> Option<(String, String, i32)> {
    if Command::new("cc").arg("--version").output().is_err() {
        return None;
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("vitte-program-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("program.o"), object).unwrap();
    let output = Command::new("cc")
        .args(["-pie", "program.o", "-o", "program"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = Command::new(folder.join("program")).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    #[cfg(unix)]
    let status = output
        .status
        .code()
        .unwrap_or_else(|| -std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or(0));
    Some((text(output.stdout), text(output.stderr), status))
}

fn check(fixture: &str, stdout: &str, status: i32) {
    if let Some((out, err, code)) = run(fixture) {
        assert_eq!((out.as_str(), code), (stdout, status), "stderr: {err}");
    }
}

#[test]
fn the_status_is_the_result_of_main() {
    check("proc main() -> int { give 42 }", "", 42);
    check("proc main() { }", "", 0);
}

#[test]
fn arithmetic_and_loops() {
    check(
        "proc fib(n: int) -> int {\n    if n < 2 { give n }\n    give fib(n - 1) + fib(n - 2)\n}\n\
         proc main() -> int {\n    let sum = 0\n    let i = 0\n    while i < 10 { set sum = sum + i\n set i = i + 1 }\n\
         give fib(10) + sum - 55\n}\n",
        "",
        45,
    );
}

#[test]
fn hello() {
    check("proc main() -> int {\n    println(\"hello, world\")\n    give 0\n}\n", "hello, world\n", 0);
}

#[test]
fn numbers_print() {
    check(
        "proc main() -> int {\n    println(42)\n    println(-7)\n    println(2.5)\n    println(true)\n    give 0\n}\n",
        "42\n-7\n2.5\ntrue\n",
        0,
    );
}

#[test]
fn panics_say_where() {
    if let Some((out, err, status)) = run(
        "proc main() -> int {\n    println(\"before\")\n    let xs = [1, 2]\n    let i = 5\n    give xs[i]\n}\n",
    ) {
        assert_eq!(out, "before\n");
        assert_eq!(err, "panic: index 5 out of range for length 2\n  at main.vit:5:10\n");
        assert_eq!(status, -6);
    }
}

#[test]
fn listings_are_stable() {
    let listing = |stage| {
        let db = TestDb::new(
            "proc add(a: int, b: int) -> int { give a + b }\nproc main() -> int { give add(1, 2) }\n",
        );
        emit_text(&db, db.program_with(options(OptLevel::O1)), stage, Some("add")).unwrap()
    };
    for stage in [TextStage::Mir, TextStage::Ssa, TextStage::Clif, TextStage::Asm] {
        assert_eq!(listing(stage), listing(stage));
    }
    expect_test::expect![[r#"
        function main::add(v0: i64, v1: i64) -> i64 {
        b0:
            jump b1
        b1:
            v2: i64 = add v0, v1 ; n11
            return v2
        }
    "#]]
    .assert_eq(&listing(TextStage::Ssa));
    expect_test::expect![[r#"
        main::add:
            0000: pushq %rbp
            0001: movq %rsp, %rbp
            0004: leaq (%rdi, %rsi), %rax
            0008: movq %rbp, %rsp
            000b: popq %rbp
            000c: retq
    "#]]
    .assert_eq(&listing(TextStage::Asm));
}
