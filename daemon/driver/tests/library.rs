//! Shared libraries and modules: what is in the files that `--emit` makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use object::{Object, ObjectKind, ObjectSymbol};
use vitte_driver::{BuildRequest, CancellationToken, Driver, DriverError, Event};

const SOURCE: &str = "export add_all, greet\n\
    proc add_all(a: int, b: i32) -> int { give a + (b as int) }\n\
    proc greet(name: string) -> string { give \"hello \" + name }\n\
    proc hidden() -> int { give 1 }\n";

fn build(folder: &Path, emit: &str, linker: &str) -> Result<Option<PathBuf>, DriverError> {
    std::fs::write(folder.join("tools.vit"), SOURCE).unwrap();
    let request = BuildRequest {
        entry: Some("tools.vit".into()),
        cwd: folder.to_path_buf(),
        emit: Some(emit.into()),
        linker: Some(linker.into()),
        ..BuildRequest::default()
    };
    let events = |event: Event| {
        if let Event::Diagnostic(diagnostic) = event {
            panic!("{}", diagnostic.message);
        }
    };
    Driver::default().build(&request, &events, &CancellationToken::new()).map(|outcome| outcome.executable)
}

#[test]
fn a_shared_library_defines_what_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let built = match build(folder.path(), "so", "cc") {
        Ok(built) => built.unwrap(),
        // A machine without a C compiler.
        Err(DriverError::Tool { message, .. }) if message.contains("not found") => return,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(built, folder.path().join("tools.so"));
    let bytes = std::fs::read(built).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    assert_eq!(file.kind(), ObjectKind::Dynamic);
    let defined: BTreeSet<&str> = (file.dynamic_symbols())
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .map(|symbol| symbol.name().unwrap())
        .filter(|name| !name.starts_with('_'))
        .collect();
    assert_eq!(defined, BTreeSet::from(["add_all"]));
}

#[test]
fn modules_have_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    for (emit, name, magic) in [
        ("wasm32", "tools.wasm", &b"\0asm"[..]),
        ("wasm64", "tools.wasm64.wasm", b"\0asm"),
        ("vbc", "tools.vitbc", b"\0vbc"),
        ("component", "tools.component.wasm", b"\0asm\x0d"),
    ] {
        let built = build(folder.path(), emit, "embedded").unwrap().unwrap();
        assert_eq!(built, folder.path().join(name));
        assert!(std::fs::read(built).unwrap().starts_with(magic));
    }
}

#[test]
fn products_that_nobody_knows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Err(DriverError::BadInput { .. }) = build(folder.path(), "floppy", "embedded") else { panic!() };
}
