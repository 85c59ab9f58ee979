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

/// Links in a folder of its own, which the caller removes.
fn link(object: &[u8]) -> Option<std::path::PathBuf> {
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
    Some(folder)
}

fn link_and_run(object: &[u8]) -> Option<(String, String, i32)> {
    let folder = link(object)?;
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
        // Otherwise nothing is left of it.
        let disabled_passes = vec!["inline".to_owned()];
        let program = db.program_with(Options { disabled_passes, ..options(OptLevel::O1) });
        emit_text(&db, program, stage, Some("add")).unwrap()
    };
    for stage in [TextStage::Mir, TextStage::Ssa, TextStage::Clif, TextStage::Asm] {
        assert_eq!(listing(stage), listing(stage));
    }
    expect_test::expect![[r#"
        function main::add(v0: i64, v1: i64) -> i64 {
        b0:
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

#[test]
fn moved_text_is_not_compiled_again() {
    let text = "proc twice(n: int) -> int { give n * 2 }\nproc main() -> int { give twice(4) / 2 }\n";
    let mut db = TestDb::new(text);
    let program = db.program_with(options(OptLevel::O1));
    let before = program_object(&db, program).unwrap();
    db.take_executed();
    db.set("main.vit", &format!("// Why twice?\n{text}"));
    let after = program_object(&db, program).unwrap();
    let executed = db.take_executed();
    let ran = |query: &str| executed.iter().any(|entry| entry.starts_with(query));
    assert!(ran("program_object"), "{executed:#?}");
    assert!(!ran("machine_code") && !ran("ssa") && !ran("optimised_ssa"), "{executed:#?}");
    assert_ne!(before, after, "the line table moved");
    db.set("main.vit", text);
    assert_eq!(program_object(&db, program).unwrap(), before);
}

#[test]
fn an_edit_compiles_one_procedure() {
    let mut db =
        TestDb::new("proc twice(n: int) -> int { give n * 2 }\nproc main() -> int { give twice(4) }\n");
    let program = db.program_with(options(OptLevel::O1));
    program_object(&db, program).unwrap();
    db.take_executed();
    db.set("main.vit", "proc twice(n: int) -> int { give n + n }\nproc main() -> int { give twice(4) }\n");
    program_object(&db, program).unwrap();
    let executed = db.take_executed();
    assert_eq!(executed.iter().filter(|entry| entry.starts_with("machine_code")).count(), 1, "{executed:#?}");
}

#[test]
fn objects_do_not_depend_on_what_came_before() {
    let first = "proc one() -> string { give \"one\" }\nproc main() -> int { println(one())\n give 0 }\n";
    let fresh = TestDb::new(first);
    let fresh = program_object(&fresh, fresh.program()).unwrap();
    let mut db = TestDb::new("proc main() -> int { println([1, 2][0])\n println(2.5)\n give 0 }\n");
    let program = db.program();
    program_object(&db, program).unwrap();
    db.set("main.vit", first);
    assert_eq!(program_object(&db, program).unwrap(), fresh);
}

#[test]
fn errors_make_no_object() {
    let db = TestDb::new("proc main() -> int { give nothing }\n");
    let diagnostics = program_object(&db, db.program()).unwrap_err();
    assert!(diagnostics.iter().any(crate::base::Diagnostic::is_error));
    let db = TestDb::new("proc helper() -> int { give 1 }\n");
    let diagnostics = program_object(&db, db.program()).unwrap_err();
    assert_eq!(diagnostics[0].code.code, "LNK0071");
}

#[test]
fn constants_are_data() {
    check(
        "form Shape { name: string, sides: u8, sizes: [f64] }\n\
         const SHAPES: [Shape] = [\n\
             Shape { name: \"square\", sides: 4, sizes: [1.5, 2.0] },\n\
             Shape { name: \"dot\", sides: 0, sizes: [] },\n]\n\
         const NOTHING: Option<string> = None\n\
         const SOME: Option<(int, string)> = Some((7, \"seven\"))\n\
         proc main() -> int {\n    for s in SHAPES { println(s.name)\n println(s.sides)\n println(len(s.sizes)) }\n\
             let xs = SHAPES\n    set xs[0].name = \"changed\"\n    println(xs[0].name)\n    println(SHAPES[0].name)\n\
             if NOTHING is None { println(\"none\") }\n    println(unwrap(SOME).1)\n    give 0\n}\n",
        "square\n4\n2\ndot\n0\n0\nchanged\nsquare\nnone\nseven\n",
        0,
    );
}

#[test]
fn debuggers_find_lines_and_names() {
    use gimli::{EndianSlice, LittleEndian};
    use object::{Object, ObjectSection};
    let db = TestDb::new(
        "proc helper(n: int) -> int {\n    let a = n * 3\n    println(a)\n    give a + 1\n}\n\
         proc main() -> int {\n    give helper(2)\n}\n",
    );
    let object = program_object(&db, db.program_with(options(OptLevel::O0))).unwrap();
    let Some(folder) = link(&object.bytes) else { return };
    let bytes = std::fs::read(folder.join("program")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
        let data = file.section_by_name(id.name()).and_then(|section| section.data().ok());
        Ok(EndianSlice::new(data.unwrap_or(&[]), LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(section).unwrap();
    let (mut lines, mut names) = (Vec::new(), Vec::new());
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().unwrap() {
        let unit = dwarf.unit(header).unwrap();
        let name = dwarf.attr_string(&unit, gimli::AttributeValue::String(unit.name.unwrap())).unwrap();
        if name.slice() != b"main.vit" {
            continue;
        }
        let mut rows = unit.line_program.clone().unwrap().rows();
        while let Some((header, row)) = rows.next_row().unwrap() {
            let file = row.file(header).unwrap().path_name();
            if dwarf.attr_string(&unit, file).unwrap().slice() == b"main.vit" {
                lines.extend(row.line().map(std::num::NonZero::get));
            }
        }
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs().unwrap() {
            if entry.tag() == gimli::DW_TAG_subprogram {
                let name = entry.attr_value(gimli::DW_AT_name).unwrap();
                names.push(dwarf.attr_string(&unit, name).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines, [1, 2, 3, 4, 6, 7]);
    assert!(names.contains(&"helper".to_owned()) && names.contains(&"main".to_owned()), "{names:?}");
}
