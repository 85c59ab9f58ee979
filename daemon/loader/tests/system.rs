//! Modules that import the system's interfaces: what they are given, what they are refused, and by whom.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vitte_loader::{
    CallError, CallRequest, Cancel, LinkOptions, LoadError, LoadRequest, LoaderConfig, Module, ModuleLoader,
};

struct Bench {
    loader: ModuleLoader,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { loader: ModuleLoader::with_config(LoaderConfig::default()), folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self, name: &str, text: &str, grants: &[&str]) -> Result<Module, LoadError> {
        let path = self.path(&format!("{name}.wasm"));
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        let options = LinkOptions {
            grants: grants.iter().map(|grant| grant.parse().unwrap()).collect(),
            arguments: vec!["one".into(), "two".into()],
            ..LinkOptions::default()
        };
        self.loader.load_linked(&LoadRequest::new(path), &options, &Cancel::default())
    }

    fn call(&self, module: &str, function: &str, time_max: Duration) -> Result<String, CallError> {
        let request = CallRequest {
            module: module.parse().unwrap(),
            function: function.to_owned(),
            arguments: "()".to_owned(),
            generation: None,
            time_max: Some(time_max),
            cancel: Cancel::default(),
        };
        self.loader.call(&request).map(|reply| reply.results)
    }

    fn says(&self, module: &str, function: &str) -> String {
        self.call(module, function, Duration::from_secs(20))
            .unwrap_or_else(|error| panic!("{function}: {error}"))
    }
}

const CLOCK: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "now") (result i32) (call $now (i32.const 0) (i64.const 1) (i32.const 8)))
    (func (export "year") (result i64)
        (drop (call $now (i32.const 0) (i64.const 1) (i32.const 8)))
        (i64.div_u (i64.load (i32.const 8)) (i64.const 31556952000000000))))"#;

#[test]
fn what_is_not_granted_is_named_with_who_denied_it() {
    let bench = Bench::new();
    let error = bench.load("clock", CLOCK, &["random"]).unwrap_err();
    assert_eq!(error.code(), "MODULE_CAPABILITY_DENIED");
    assert_eq!(error.to_string(), "`clock` is not given `clocks` (not granted by the user)");
    assert!(error.help().contains("--grant clocks"), "{}", error.help());
    bench.load("clock", CLOCK, &["clocks", "random"]).unwrap();
    assert_eq!(bench.says("clock", "now"), "0");
    assert!(bench.says("clock", "year").parse::<u32>().unwrap() > 50);
    let info = bench.loader.module(&"clock".parse().unwrap()).unwrap();
    let capabilities: Vec<String> = info.capabilities.iter().map(ToString::to_string).collect();
    assert_eq!(capabilities, ["clocks", "random"]);
    let network =
        r#"(module (import "wasi_snapshot_preview1" "sock_shutdown" (func (param i32 i32) (result i32))))"#;
    let error = bench.load("network", network, &["network"]).unwrap_err();
    assert!(error.to_string().contains("no module is given it"), "{error}");
    // A settings file can grant as well, and a reload keeps what was granted.
    let config = LoaderConfig { grants: vec!["clocks".parse().unwrap()], ..LoaderConfig::default() };
    let bench = Bench { loader: ModuleLoader::with_config(config), folder: TempDir::new().unwrap() };
    bench.load("clock", CLOCK, &["random"]).unwrap();
    bench.loader.reload_file_of(&"clock".parse().unwrap(), Default::default(), &Cancel::default()).unwrap();
    assert_eq!(bench.says("clock", "now"), "0");
}

/// Opens `name` in the first folder that it was given and gives its first byte, or an error number below zero.
fn reader(name: &str) -> String {
    let length = name.len();
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open"
                (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 64) "{name}")
            (func (export "first") (result i32) (local $error i32)
                (local.set $error (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const {length})
                    (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
                (if (local.get $error) (then (return (i32.sub (i32.const 0) (local.get $error)))))
                (i32.store (i32.const 16) (i32.const 128))
                (i32.store (i32.const 20) (i32.const 1))
                (drop (call $read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 24)))
                (i32.load8_u (i32.const 128)))
            (func (export "create") (result i32)
                (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const {length})
                    (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0))))"#
    )
}

#[test]
fn files_are_those_of_the_folders_that_were_granted() {
    let bench = Bench::new();
    let data = bench.path("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("a"), "A").unwrap();
    std::fs::write(bench.path("secret"), "S").unwrap();
    let read = format!("fs:ro:{}", data.display());
    bench.load("in", &reader("a"), &[&read]).unwrap();
    assert_eq!(bench.says("in", "first"), "65");
    bench.load("out", &reader("../secret"), &[&read]).unwrap();
    assert!(bench.says("out", "first").starts_with('-'));
    bench.load("new", &reader("new"), &[&read]).unwrap();
    assert_ne!(bench.says("new", "create"), "0");
    assert!(!data.join("new").exists());
    // Without a folder there is nothing to open.
    bench.load("none", &reader("a"), &[]).unwrap();
    assert_eq!(bench.says("none", "first"), "-8");
    let write = format!("fs:rw:{}", data.display());
    bench.loader.unload(&"new".parse().unwrap()).unwrap();
    bench.load("new", &reader("new"), &[&write]).unwrap();
    assert_eq!(bench.says("new", "create"), "0");
    assert!(data.join("new").exists());
    let gone = format!("fs:ro:{}", bench.path("gone").display());
    let error = bench.load("gone", &reader("a"), &[&gone]).unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
}

#[test]
fn arguments_are_seen_if_they_are_granted() {
    let bench = Bench::new();
    let counts = r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $variables (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "count") (result i32) (drop (call $sizes (i32.const 0) (i32.const 4))) (i32.load (i32.const 0)))
        (func (export "variables") (result i32)
            (drop (call $variables (i32.const 0) (i32.const 4))) (i32.load (i32.const 0)))
        (func (export "leave") (call $exit (i32.const 3))))"#;
    bench.load("without", counts, &[]).unwrap();
    assert_eq!(
        (bench.says("without", "count"), bench.says("without", "variables")),
        ("0".into(), "0".into())
    );
    bench.load("with", counts, &["args", "env:PATH"]).unwrap();
    assert_eq!((bench.says("with", "count"), bench.says("with", "variables")), ("3".into(), "1".into()));
    let error = bench.call("with", "leave", Duration::from_secs(20)).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("MODULE_EXITED", "it ended itself with status 3")
    );
}

#[test]
fn whoever_sleeps_is_woken_by_the_deadline() {
    let bench = Bench::new();
    let sleeper = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func $sleep (param i64) (result i32)
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (local.get 0))
            (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)))
            (i32.load (i32.const 256)))
        (func (export "nap") (result i32) (call $sleep (i64.const 10000000)))
        (func (export "sleep") (result i32) (call $sleep (i64.const 3600000000000))))"#;
    bench.load("sleeper", sleeper, &[]).unwrap();
    assert_eq!(bench.says("sleeper", "nap"), "1");
    let began = Instant::now();
    let error = bench.call("sleeper", "sleep", Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.code(), "DEADLINE_EXCEEDED", "{error}");
    assert!(began.elapsed() < Duration::from_secs(600), "an hour was not waited for");
}

#[test]
fn what_the_system_does_not_have_is_an_import_that_is_missing() {
    let bench = Bench::new();
    let random = r#"(component
        (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64))))))"#;
    let error = bench.load("random", random, &["random"]).unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORTS_MISSING");
    assert!(error.to_string().contains("nothing of WASI 0.2"), "{error}");
    let links = r#"(module (import "wasi_snapshot_preview1" "path_link" (func (param i32) (result i32))))"#;
    let error = bench.load("links", links, &[]).unwrap_err();
    assert!(error.to_string().contains("does not have this function of WASI 0.1"), "{error}");
}
