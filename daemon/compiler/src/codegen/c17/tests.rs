//! Programs in C do what the programs do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
use std::process::Command;

use super::program_c17;
use crate::base::testing::TestDb;
use crate::base::{OptLevel, Options};

fn source(fixture: &str, opt_level: OptLevel) -> String {
    let db = TestDb::new(fixture);
    let program = db.program_with(Options { opt_level, debug_info: true, ..Options::default() });
    program_c17(&db, program).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}")).to_string()
}

/// Compiles and runs; `None` where there is no C compiler.
fn run(source: &str, flags: &[&str]) -> Option<(String, String, Option<i32>)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("program.c"), source).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-std=c17", "-Wall", "-Wextra", "-Werror", "program.c", "-o", "program", "-lm"])
        .args(flags);
    let output = compiler.current_dir(folder.path()).output().ok()?;
    assert!(output.status.success(), "{}\n{source}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new(folder.path().join("program")).args(["a", "b"]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some((text(output.stdout), text(output.stderr), output.status.code()))
}

const PROGRAM: &str = r#"
form Point { x: i32, y: f64 }
pick Shape { Empty, Dot(Point), Many([Point]) }
const NAMES: [string] = ["one", "t??wo\n"]

proc area(shape: Shape) -> f64 {
    give match shape {
        Shape.Empty => 0.0,
        Shape.Dot(p) => p.y,
        Shape.Many(all) => {
            let sum = 0.0
            for p in all { set sum = sum + p.y }
            sum
        }
    }
}

proc main(args: [string]) -> int {
    let small: i8 = 100
    let wrapped = (small as i32 * 3) as i8
    println(to_string(wrapped))
    println(to_string(-7 / 2) + " " + to_string(-7 % 2) + " " + to_string(1 << 40))
    println(to_string(300.7 as u8) + " " + to_string(-1.5 as u32) + " " + to_string(0.1 + 0.2))
    let points = [Point { x: 1, y: 1.5 }, Point { x: 2, y: 2.25 }]
    let copy = points
    set points[0].y = 10.0
    println(to_string(area(Shape.Many(points))) + " " + to_string(area(Shape.Many(copy))))
    println(NAMES[1] + NAMES[0] + to_string(len(args)))
    let swap = (1, 2)
    let a = 1
    let b = 2
    for i in 0..5 {
        let t = a
        set a = b
        set b = t + i
    }
    println(to_string(a) + " " + to_string(b) + " " + to_string(swap.1))
    let big: u128 = 340282366920938463463374607431768211455
    println(to_string(big / 3))
    let at = len(args)
    println(NAMES[at])
    give 3
}
"#;

#[test]
fn a_program_does_in_c_what_it_does() {
    let expected = "44\n-3 -1 1099511627776\n255 0 0.30000000000000004\n12.25 3.75\nt??wo\none2\n";
    let mut first = None;
    for level in [OptLevel::O0, OptLevel::O1] {
        let source = source(PROGRAM, level);
        for flags in [&["-O0"][..], &["-O2"]] {
            let Some((out, err, status)) = run(&source, flags) else {
                eprintln!("SKIP: there is no `cc` on this machine");
                return;
            };
            assert!(out.starts_with(expected), "{out}");
            assert!(err.contains("index") && status != Some(3), "{err} {status:?}");
            let all = (out, err, status);
            assert_eq!(*first.get_or_insert(all.clone()), all);
        }
    }
}

#[test]
fn the_same_program_gives_the_same_text() {
    assert_eq!(source(PROGRAM, OptLevel::O1), source(PROGRAM, OptLevel::O1));
    let text = source(PROGRAM, OptLevel::O0);
    assert!(text.contains("\"t\\?\\?wo\\n\"") || text.contains("#line 20 "), "{text}");
}
