//! What `inspect` says, beside what others say of the same files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use vitte_loader::{Kind, inspect};

/// Libraries of the system that most machines have.
const LIBRARIES: [&str; 6] =
    ["libc.so.6", "libm.so.6", "libz.so.1", "libsqlite3.so.0", "libzstd.so.1", "libgcc_s.so.1"];

fn find(library: &str) -> Option<std::path::PathBuf> {
    ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib", "/usr/lib64"]
        .into_iter()
        .map(|folder| Path::new(folder).join(library))
        .find(|path| path.is_file())
}

#[test]
fn symbols_of_libraries_are_those_of_nm() {
    let mut compared = 0;
    for library in LIBRARIES {
        let Some(path) = find(library) else {
            eprintln!("SKIP: no {library}");
            continue;
        };
        let nm = |which: &str| {
            let output = Command::new("nm").args(["-D", which, "--format=posix"]).arg(&path).output();
            let output = output.ok().filter(|output| output.status.success())?;
            let text = String::from_utf8(output.stdout).unwrap();
            let names = text.lines().filter_map(|line| {
                let mut fields = line.split(' ');
                let (name, kind) = (fields.next()?, fields.next()?);
                // Names of versions themselves are listed as absolute symbols without a version.
                let name = name.split('@').next()?;
                (!"abcdn".contains(kind)).then(|| name.to_owned())
            });
            Some(names.collect::<BTreeSet<String>>())
        };
        let (Some(imports), Some(exports)) = (nm("--undefined-only"), nm("--defined-only")) else {
            eprintln!("SKIP: no nm");
            return;
        };
        let found = inspect(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(found.kind, Kind::Elf);
        let names = |list: &[vitte_loader::Symbol]| -> BTreeSet<String> {
            list.iter().map(|symbol| symbol.name.clone()).collect()
        };
        assert_eq!(names(&found.imports), imports, "{library}");
        assert_eq!(names(&found.exports), exports, "{library}");
        assert_eq!(found.soname.as_deref(), Some(library));
        assert!(found.sections.iter().any(|section| section.name == ".text" && section.size > 0));
        compared += 1;
    }
    if compared == 0 {
        eprintln!("SKIP: none of the libraries is here");
    }
}

#[test]
fn a_core_module_is_listed_with_types() {
    let text = r#"(module
        (import "env" "log" (func (param i32 i64)))
        (import "env" "table" (table 1 funcref))
        (memory (export "memory") 1)
        (global (export "g") i32 (i32.const 0))
        (func (export "pair") (param f32) (result i32 i64) i32.const 1 i64.const 2)
        (data (i32.const 0) "hello"))"#;
    let found = inspect(&wat::parse_str(text).unwrap()).unwrap();
    let show = |list: &[vitte_loader::Symbol]| -> Vec<String> {
        list.iter().map(|symbol| format!("{}.{}: {}", symbol.module, symbol.name, symbol.what)).collect()
    };
    assert_eq!((found.kind, found.target.as_str()), (Kind::CoreModule, "wasm32"));
    assert_eq!(show(&found.imports), ["env.log: func(i32, i64)", "env.table: table"]);
    assert_eq!(show(&found.exports), [".memory: memory", ".g: global", ".pair: func(f32) -> (i32, i64)"]);
    let names: Vec<&str> = found.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, ["type", "import", "function", "memory", "global", "export", "code", "data"]);
    assert!(found.sections.iter().all(|section| section.size > 0));
}

#[test]
fn a_component_is_listed_without_looking_into_its_modules() {
    let text = r#"(component
        (import "acme:log/out@1.0.0" (instance (export "say" (func))))
        (core module $m (import "inner" "hidden" (func)) (func (export "also-hidden")))
        (core module $n (func (export "f")))
        (core instance $i (instantiate $n))
        (func (export "run") (canon lift (core func $i "f"))))"#;
    let found = inspect(&wat::parse_str(text).unwrap()).unwrap();
    assert_eq!(found.kind, Kind::Component);
    let names = |list: &[vitte_loader::Symbol]| -> Vec<String> {
        list.iter().map(|symbol| format!("{}: {}", symbol.name, symbol.what)).collect()
    };
    assert_eq!(names(&found.imports), ["acme:log/out@1.0.0: interface"]);
    assert_eq!(names(&found.exports), ["run: func"]);
    assert_eq!(found.sections.iter().filter(|section| section.name == "core module").count(), 2);
}
