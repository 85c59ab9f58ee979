//! Files that somebody made to be misread: each is a typed error with a place or a name, and nothing of it serves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::PathBuf;

use tempfile::TempDir;
use vitte_loader::container::{ArtifactKind, ContainerError, Manifest, PackageKind, pack};
use vitte_loader::{LoadError, ModuleLoader, inspect};

/// The name of the artifact whose headers are changed; other names of its length take its place.
const NAME: &[u8] = b"main.wasm";
/// Where fields stand in a local header.
mod local {
    pub const FLAGS: usize = 6;
    pub const METHOD: usize = 8;
    pub const UNPACKED: usize = 22;
    pub const NAME: usize = 30;
}
/// And in one of the directory.
mod central {
    pub const FLAGS: usize = 8;
    pub const METHOD: usize = 10;
    pub const UNPACKED: usize = 24;
    pub const ATTRIBUTES: usize = 38;
    pub const OFFSET: usize = 42;
    pub const NAME: usize = 46;
}

struct Bench {
    loader: ModuleLoader,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { loader: ModuleLoader::new(), folder: TempDir::new().unwrap() }
    }

    /// What loading these bytes says; nothing may serve afterwards.
    fn refuses(&self, what: &str, bytes: &[u8]) -> LoadError {
        let path = self.path(bytes);
        let error = self.loader.load_file(&path).expect_err(what);
        assert!(self.loader.modules().is_empty(), "{what}");
        assert!(!error.help().is_empty() || !error.to_string().is_empty(), "{what}");
        // Whoever only looks at it is told the same, or what is in it.
        let _ = inspect(bytes);
        error
    }

    fn path(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("hostile");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn manifest() -> Manifest {
    Manifest {
        format: 1,
        id: "acme:answer".into(),
        version: "1.0.0".into(),
        kind: PackageKind::Module,
        seq: 1,
        artifacts: Vec::new(),
        license: None,
        description: None,
        exports: Vec::new(),
        deps: Vec::new(),
        activation: Vec::new(),
        config: None,
        capabilities: Vec::new(),
    }
}

fn wasm() -> Vec<u8> {
    wat::parse_str(r#"(module (func (export "f") (result i32) i32.const 42))"#).unwrap()
}

fn package() -> Vec<u8> {
    let artifacts = vec![
        ("docs/a.md".into(), ArtifactKind::Doc, "any".into(), b"# Answer".to_vec()),
        ("main.wasm".into(), ArtifactKind::Wasm, "any".into(), wasm()),
    ];
    pack::<ContainerError>(manifest(), artifacts, |_, _| Ok(None)).unwrap()
}

/// Where the two headers of the artifact begin.
fn headers(file: &[u8]) -> (usize, usize) {
    let find = |magic: &[u8], name: usize| {
        let is_it = |at: &usize| {
            file[*at..].starts_with(magic) && file.get(at + name..).is_some_and(|rest| rest.starts_with(NAME))
        };
        (0..file.len()).find(is_it).unwrap()
    };
    (find(b"PK\x03\x04", local::NAME), find(b"PK\x01\x02", central::NAME))
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A good package with both headers of the artifact changed.
fn changed(change: impl Fn(&mut [u8], usize, usize)) -> Vec<u8> {
    let mut file = package();
    let (local, central) = headers(&file);
    change(&mut file, local, central);
    file
}

#[test]
fn archives_that_mean_two_things_are_malformed() {
    let bench = Bench::new();
    bench.loader.load_file(bench.path(&package())).unwrap();
    bench.loader.unload(&"acme:answer".parse().unwrap()).unwrap();
    let all: u32 = u32::MAX - 1;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "a bomb: few bytes that say they are four thousand million",
            changed(|file, local, central| {
                put(file, local + local::METHOD, &[8, 0]);
                put(file, local + local::UNPACKED, &all.to_le_bytes());
                put(file, central + central::METHOD, &[8, 0]);
                put(file, central + central::UNPACKED, &all.to_le_bytes());
            }),
            "may not be compressed",
        ),
        (
            "a size that the file does not have",
            changed(|file, local, central| {
                for at in [local + 18, local + local::UNPACKED, central + 20, central + central::UNPACKED] {
                    put(file, at, &all.to_le_bytes());
                }
            }),
            "ends too early",
        ),
        (
            "two entries in one place",
            changed(|file, _, central| put(file, central + central::OFFSET, &[0, 0, 0, 0])),
            "entries have to follow one another",
        ),
        (
            "a directory that says other than the entry",
            changed(|file, _, central| put(file, central + central::UNPACKED - 4, &[1, 0, 0, 0, 1, 0, 0, 0])),
            "two headers differ",
        ),
        (
            "a link",
            changed(|file, _, central| put(file, central + central::ATTRIBUTES, &[0, 0, 0xff, 0xa1])),
            "may not have attributes",
        ),
        (
            "an encrypted entry",
            changed(|file, local, central| {
                put(file, local + local::FLAGS, &[1, 8]);
                put(file, central + central::FLAGS, &[1, 8]);
            }),
            "may have no flags",
        ),
        (
            "sizes that come after the data",
            changed(|file, local, central| {
                put(file, local + local::FLAGS, &[8, 8]);
                put(file, central + central::FLAGS, &[8, 8]);
            }),
            "may have no flags",
        ),
        ("something before it", [b"#!/bin/sh\n".as_slice(), &package()].concat(), ""),
        ("something after it", [package().as_slice(), b"more"].concat(), "last 22 bytes"),
        (
            "an archive of 64 bits",
            {
                let mut file = package();
                let end = file.len() - 22;
                put(&mut file, end + 8, &[0xff; 12]);
                file
            },
            "",
        ),
    ];
    for (what, file, words) in cases {
        let error = bench.refuses(what, &file);
        // With something before it, it is of no kind any more.
        assert!(
            ["MODULE_PACKAGE_INVALID", "MODULE_KIND_UNKNOWN"].contains(&error.code()),
            "{what}: {}",
            error.code()
        );
        assert!(error.to_string().contains(words), "{what}: {error}");
    }
}

#[test]
fn names_of_artifacts_lead_nowhere() {
    let bench = Bench::new();
    for name in [
        "../n.wasm",
        "/ain.wasm",
        "ma\\n.wasm",
        "a//n.wasm",
        ".ain.wasm",
        "c:/n.wasm",
        "mai\0.wasm",
        "m\u{e9}n.wasm",
        "mainwasm/",
        "a/../wasm",
        "main wasm",
    ] {
        assert_eq!(name.len(), NAME.len(), "{name}");
        let file = changed(|file, local, central| {
            put(file, local + local::NAME, name.as_bytes());
            put(file, central + central::NAME, name.as_bytes());
        });
        let error = bench.refuses(name, &file);
        assert_eq!(error.code(), "MODULE_PACKAGE_INVALID", "{name}");
        assert!(error.to_string().contains("its name is not allowed"), "{name}: {error}");
    }
    // One that is allowed and that the manifest does not have.
    let file = changed(|file, local, central| {
        put(file, local + local::NAME, b"mine.wasm");
        put(file, central + central::NAME, b"mine.wasm");
    });
    let error = bench.refuses("another name", &file);
    assert!(error.to_string().contains("main.wasm"), "{error}");
}

#[test]
fn what_was_not_written_to_its_end_is_no_package() {
    let bench = Bench::new();
    let whole = package();
    for length in (0..whole.len()).step_by(41) {
        let cut = bench.refuses("cut", &whole[..length]);
        assert!(["MODULE_PACKAGE_INVALID", "MODULE_KIND_UNKNOWN"].contains(&cut.code()), "{length}: {cut}");
        // A file system that knew its length, and not yet its content.
        let mut hole = whole.clone();
        hole[length..].fill(0);
        let hole = bench.refuses("hole", &hole);
        assert!(["MODULE_PACKAGE_INVALID", "MODULE_KIND_UNKNOWN"].contains(&hole.code()), "{length}: {hole}");
    }
    assert_eq!(bench.loader.load_file(bench.folder.path()).unwrap_err().code(), "MODULE_UNREADABLE");
    assert_eq!(
        bench.loader.load_file(bench.folder.path().join("nowhere")).unwrap_err().code(),
        "MODULE_UNREADABLE"
    );
}

#[test]
fn artifacts_are_what_the_manifest_says() {
    let bench = Bench::new();
    let with = |kind: ArtifactKind, bytes: Vec<u8>| {
        let artifacts = vec![("main.bin".to_owned(), kind, "any".to_owned(), bytes)];
        pack::<ContainerError>(manifest(), artifacts, |_, _| Ok(None)).unwrap()
    };
    // What an engine has compiled is machine code that nobody checks.
    let engine = wasmtime::Engine::default();
    let compiled = engine.precompile_module(&wasm()).unwrap();
    assert_eq!(bench.refuses("compiled", &compiled).code(), "MODULE_PRECOMPILED");
    let error = bench.refuses("compiled, packed", &with(ArtifactKind::Wasm, compiled));
    assert_eq!(error.code(), "MODULE_PRECOMPILED", "{error}");
    for (what, kind, bytes) in [
        ("a core module as a component", ArtifactKind::Component, wasm()),
        ("a core module as bytecode", ArtifactKind::Vitbc, wasm()),
        ("text as a core module", ArtifactKind::Wasm, b"text".to_vec()),
        ("a package as a core module", ArtifactKind::Wasm, package()),
    ] {
        let error = bench.refuses(what, &with(kind, bytes));
        assert_eq!(error.code(), "MODULE_PACKAGE_INVALID", "{what}: {error}");
        assert!(error.to_string().contains("`main.bin`"), "{what}: {error}");
    }
}

#[test]
fn what_is_made_for_another_version_says_so() {
    let bench = Bench::new();
    let mut module = vitte_bytecode::ModuleBuilder::new();
    let signature = module.signature(&[], &[]);
    let function = module.declare("f", signature);
    let mut code = vitte_bytecode::FunctionBuilder::new(&[]);
    code.return_(&[]);
    module.define(function, &code.finish());
    module.export_function("f", function, None);
    let bytes = module.build().unwrap().0;
    // After the eight bytes of the magic number and the version: the oldest reader that understands it.
    let verified = vitte_bytecode::load(&bytes).unwrap();
    let newer = (0..16).find_map(|at| {
        let mut changed = bytes.clone();
        changed[at] = 0x7f;
        let error = vitte_bytecode::load(&changed).err()?.to_string();
        error.contains("127").then_some(changed)
    });
    assert!(verified.module().export("f").is_some());
    let error = bench.refuses("newer bytecode", &newer.unwrap());
    assert_eq!(error.code(), "MODULE_BYTECODE_INVALID", "{error}");
    assert!(vitte_native_code::table::Table::parse("vitffi = 2\n[functions.f]\n").is_err());
    let error = bench.refuses("a component of a later layer", b"\0asm\x0e\0\x01\0");
    assert_eq!(error.code(), "MODULE_NOT_COMPILED", "{error}");
}
