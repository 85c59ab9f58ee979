//! The life of modules through the public door.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vitte_loader::{
    Breaking, CallError, CallRequest, Cancel, DrainPolicy, Kind, LoadError, LoadRequest, LoaderConfig,
    ModuleLoader, ModuleName, Reply, State,
};

/// A loader, and a folder for its files.
struct Bench {
    loader: ModuleLoader,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(LoaderConfig::default())
    }

    fn with(config: LoaderConfig) -> Self {
        Self { loader: ModuleLoader::with_config(config), folder: TempDir::new().unwrap() }
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(file);
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path
    }

    fn load(&self, name: &str, text: &str) -> Result<vitte_loader::Module, LoadError> {
        self.loader.load_file(self.write(&format!("{name}.wasm"), text))
    }

    fn reload(&self, name: &str, text: &str) -> Result<vitte_loader::Module, LoadError> {
        self.write(&format!("{name}.wasm"), text);
        self.loader.reload_file_of(&module(name), Breaking::Refuse, &Cancel::default())
    }

    fn call(&self, name: &str, text: &str) -> Result<Reply, CallError> {
        self.loader.call(&request(name, text))
    }

    fn says(&self, name: &str, text: &str) -> String {
        self.call(name, text).unwrap().results
    }

    fn states(&self, name: &str) -> Vec<State> {
        self.loader.generations(&module(name)).into_iter().map(|generation| generation.state).collect()
    }

    fn wait_for(&self, name: &str, states: &[State]) {
        let began = Instant::now();
        while self.states(name) != states {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "{:?}",
                self.loader.generations(&module(name))
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn module(name: &str) -> ModuleName {
    name.parse().unwrap()
}

fn request(name: &str, text: &str) -> CallRequest {
    let (function, arguments) = vitte_loader::split_call(text);
    CallRequest {
        module: module(name),
        function: function.into(),
        arguments: arguments.into(),
        generation: None,
        time_max: None,
        cancel: Cancel::default(),
    }
}

fn answers(number: i32) -> String {
    format!(
        r#"(module
            (func (export "answer") (result i32) i32.const {number})
            (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
            (func $deep (param i32) (result i32) local.get 0 call $deeper)
            (func $deeper (param i32) (result i32) i32.const 1 local.get 0 i32.div_s)
            (func (export "divide") (param i32) (result i32) local.get 0 call $deep)
            (func (export "forever") (loop br 0)))"#
    )
}

/// Counts its calls, in state that can be moved; `step` is what it counts by.
fn counter(step: i32, accepts: bool) -> String {
    let refusal = i32::from(!accepts);
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (data (i32.const 100) "no room")
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    global.get $next
                    (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7))
                        (i32.const -8))))
                (func (export "increment") (result i32)
                    (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const {step})))
                    (i32.load (i32.const 16)))
                (func (export "trap") unreachable)
                (func (export "greet") (param i32 i32) (result i32)
                    (i32.store (i32.const 0) (local.get 0))
                    (i32.store (i32.const 4) (local.get 1))
                    i32.const 0)
                (func (export "save") (result i32)
                    (i32.store (i32.const 0) (i32.const 16))
                    (i32.store (i32.const 4) (i32.const 4))
                    i32.const 0)
                (func (export "load") (param i32 i32) (result i32)
                    (i32.store (i32.const 16) (i32.load (local.get 0)))
                    (i32.store8 (i32.const 32) (i32.const {refusal}))
                    (i32.store (i32.const 36) (i32.const 100))
                    (i32.store (i32.const 40) (i32.const 7))
                    i32.const 32))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            (func (export "increment") (result u32) (canon lift (core func $i "increment")))
            (func (export "trap") (canon lift (core func $i "trap")))
            (func (export "echo") (param "text" string) (result string)
                (canon lift (core func $i "greet") (memory $memory) (realloc (core func $realloc))))
            (func (export "save-state") (result (list u8))
                (canon lift (core func $i "save") (memory $memory) (realloc (core func $realloc))))
            (func (export "load-state") (param "state" (list u8)) (result (result (error string)))
                (canon lift (core func $i "load") (memory $memory) (realloc (core func $realloc)))))"#
    )
}

#[test]
fn a_module_is_loaded_called_and_unloaded() {
    let bench = Bench::new();
    let loaded = bench.load("main", &answers(7)).unwrap();
    assert_eq!((loaded.name.as_str(), loaded.generation, loaded.kind), ("main", 1, Kind::CoreModule));
    let signatures: Vec<_> =
        loaded.exports.iter().map(|export| format!("{}: {}", export.name, export.signature)).collect();
    assert_eq!(signatures[..2], ["add: func(i32, i32) -> i32", "answer: func() -> i32"]);
    let reply = bench.call("main", "add(20, 22)").unwrap();
    assert_eq!((reply.results.as_str(), reply.generation), ("42", 1));
    assert_eq!(bench.says("main", "answer"), "7");

    assert_eq!(bench.loader.unload(&module("main")).unwrap(), 1);
    assert!(bench.loader.wait_unloaded(&module("main"), Duration::from_secs(30)));
    assert_eq!(bench.call("main", "answer").unwrap_err().code(), "MODULE_NOT_LOADED");
    assert_eq!(bench.loader.unload(&module("main")).unwrap_err().code(), "MODULE_NOT_LOADED");
    assert_eq!(bench.load("main", &answers(8)).unwrap().generation, 2, "numbers never go back");
}

#[test]
fn components_take_and_give_typed_values() {
    let bench = Bench::new();
    let loaded = bench.load("c", &counter(1, true)).unwrap();
    assert_eq!(loaded.kind, Kind::Component);
    assert_eq!(bench.says("c", r#"echo("héllo \"you\"")"#), r#""héllo \"you\"""#);
    let echo = loaded.exports.iter().find(|export| export.name == "echo").unwrap();
    assert_eq!(echo.signature, "func(text: string) -> string");
    let error = bench.call("c", "echo(7)").unwrap_err();
    assert_eq!(
        (error.code(), error.help().as_str()),
        ("MODULE_ARGUMENTS", "`echo` is func(text: string) -> string")
    );
}

#[test]
fn bytes_cross_as_they_are() {
    let bench = Bench::new();
    bench.load("c", &counter(1, true)).unwrap();
    let call = |function: &str, bytes: &[u8]| {
        let CallRequest { module, function, generation, time_max, cancel, .. } = request("c", function);
        let arguments = bytes.to_vec();
        bench.loader.call_bytes(&CallRequest { module, function, arguments, generation, time_max, cancel })
    };
    let text = "é".repeat(10_000);
    assert_eq!(call("echo", text.as_bytes()).unwrap().results, text.as_bytes());
    assert_eq!(call("echo", b"").unwrap().results, b"");
    assert_eq!(call("echo", b"\xff").unwrap_err().code(), "MODULE_ARGUMENTS");
    assert_eq!(call("increment", b"").unwrap_err().code(), "MODULE_NOT_CALLABLE");
    assert_eq!(call("nothing", b"").unwrap_err().code(), "MODULE_NO_FUNCTION");
}

#[test]
fn mistakes_are_told_apart() {
    let bench = Bench::new();
    bench.load("main", &answers(7)).unwrap();
    let code = |text: &str| bench.call("main", text).unwrap_err().code();
    assert_eq!(code("nothing()"), "MODULE_NO_FUNCTION");
    for text in ["add(1)", "add(1, 2, 3)", "add(1, x)", "add(1, 2", "add(1, 99999999999)"] {
        assert_eq!(code(text), "MODULE_ARGUMENTS", "{text}");
    }
    let CallError::Trap(trap) = bench.call("main", "divide(0)").unwrap_err() else { panic!("no trap") };
    assert_eq!(trap.message, "wasm trap: integer divide by zero");
    assert_eq!(trap.frames, ["deeper", "deep", "function 4"]);
    let pinned = CallRequest { generation: Some(9), ..request("main", "answer") };
    assert_eq!(bench.loader.call(&pinned).unwrap_err().code(), "MODULE_NO_GENERATION");
    assert_eq!(bench.says("main", "answer"), "7", "nothing of that hurt");
}

#[test]
fn code_that_does_not_end_is_stopped() {
    let bench = Bench::new();
    bench.load("main", &answers(7)).unwrap();
    let late = CallRequest { time_max: Some(Duration::from_millis(20)), ..request("main", "forever") };
    assert_eq!(bench.loader.call(&late).unwrap_err().code(), "DEADLINE_EXCEEDED");
    let cancelled = request("main", "forever");
    let cancel = cancelled.cancel.clone();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| bench.loader.call(&cancelled));
        std::thread::sleep(Duration::from_millis(20));
        cancel.cancel();
        assert_eq!(call.join().unwrap().unwrap_err(), CallError::Cancelled);
    });
    assert_eq!(bench.says("main", "answer"), "7");
}

#[test]
fn what_is_no_module_is_refused_with_a_reason() {
    let bench = Bench::new();
    let mut compiled = b"\x7fELF\x02\x01\x01\xc8".to_vec();
    compiled.resize(64, 0);
    let cases: [(&[u8], &str); 8] = [
        (b"(module)", "MODULE_KIND_UNKNOWN"),
        (b"", "MODULE_KIND_UNKNOWN"),
        (b"\0asm\x01\0\0\0\x01", "MODULE_NOT_COMPILED"),
        (b"\0asm\x0d\0\x01\0\x07", "MODULE_NOT_COMPILED"),
        (b"\x7fELF\x02\x01\x01\0", "MODULE_KIND_UNSUPPORTED"),
        (b"PK\x03\x04", "MODULE_PACKAGE_INVALID"),
        (b"\0vbc\x01", "MODULE_BYTECODE_INVALID"),
        (&compiled, "MODULE_PRECOMPILED"),
    ];
    for (bytes, code) in cases {
        let path = bench.folder.path().join("x.wasm");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(bench.loader.load_file(&path).unwrap_err().code(), code, "{bytes:?}");
    }
    assert_eq!(bench.loader.load_file(Path::new("/nowhere/x.wasm")).unwrap_err().code(), "MODULE_UNREADABLE");
    assert!(bench.loader.modules().is_empty());
}

#[test]
fn imports_that_nobody_gives_are_listed_with_their_types() {
    let bench = Bench::new();
    let text = r#"(module (import "env" "log" (func (param i32 i64))) (import "env" "at" (memory 3)))"#;
    let LoadError::MissingImports { missing, .. } = bench.load("main", text).unwrap_err() else {
        panic!("another error")
    };
    assert_eq!(missing, ["`env.at` (memory of 3 pages)", "`env.log` (func(i32, i64)): `env` is not loaded"]);
    let text =
        r#"(component (import "acme:log/out@1.0.0" (instance (export "say" (func (param "text" string))))))"#;
    let error = bench.load("main", text).unwrap_err();
    assert!(
        error.to_string().contains("`acme:log/out@1.0.0.say` (func(text: string)): `acme:log` is not loaded"),
        "{error}"
    );
}

#[test]
fn memory_is_bounded() {
    let bench = Bench::with(LoaderConfig { memory_bytes_max: 1 << 20, ..LoaderConfig::default() });
    let error = bench.load("big", "(module (memory 17))").unwrap_err();
    assert_eq!(error.code(), "MODULE_START_FAILED", "{error}");
    let text =
        r#"(module (memory 1) (func (export "grow") (param i32) (result i32) local.get 0 memory.grow))"#;
    bench.load("grows", text).unwrap();
    assert_eq!((bench.says("grows", "grow(15)"), bench.says("grows", "grow(16)")), ("1".into(), "-1".into()));
}

#[test]
fn a_start_function_that_traps_or_never_ends_loads_nothing() {
    let bench = Bench::with(LoaderConfig { call_max: Duration::from_millis(50), ..LoaderConfig::default() });
    for body in ["unreachable", "(loop br 0)"] {
        let error = bench.load("bad", &format!("(module (func $s {body}) (start $s))")).unwrap_err();
        assert_eq!(error.code(), "MODULE_START_FAILED", "{error}");
    }
    assert!(bench.loader.modules().is_empty());
}

#[test]
fn a_reload_swaps_and_a_failed_one_does_not() {
    let bench = Bench::new();
    bench.load("main", &answers(1)).unwrap();
    let events = bench.loader.subscribe(0);
    assert_eq!(bench.reload("main", &answers(2)).unwrap().generation, 2);
    assert_eq!(bench.says("main", "answer"), "2");
    std::fs::write(bench.folder.path().join("main.wasm"), b"\0asm\x01\0\0\0\xff").unwrap();
    let error = bench.loader.reload_file_of(&module("main"), Breaking::Refuse, &Cancel::default());
    assert_eq!(error.unwrap_err().code(), "MODULE_NOT_COMPILED");
    assert_eq!(bench.says("main", "answer"), "2");
    bench.wait_for("main", &[State::Standby, State::Active, State::Failed]);
    let of_two: Vec<State> = std::iter::from_fn(|| events.next(Duration::from_millis(10)).unwrap())
        .filter(|event| event.generation == 2)
        .map(|event| event.state)
        .collect();
    use State::{Active, Initialised, Linked, Migrated, Staged, Verified};
    assert_eq!(of_two, [Staged, Verified, Linked, Initialised, Migrated, Active]);
}

#[test]
fn exports_that_callers_used_may_not_change_unasked() {
    let bench = Bench::new();
    bench.load("main", &answers(1)).unwrap();
    bench.says("main", "answer");
    let without = r#"(module (func (export "answer") (result i64) i64.const 3))"#;
    let error = bench.reload("main", without).unwrap_err();
    assert!(error.to_string().contains("`answer` was `func() -> i32` and is `func() -> i64`"), "{error}");
    assert!(!error.to_string().contains("`add`"), "nobody used it: {error}");
    assert_eq!(bench.says("main", "answer"), "1");
    bench.loader.reload_file_of(&module("main"), Breaking::Accept, &Cancel::default()).unwrap();
    assert_eq!(bench.says("main", "answer"), "3");
}

#[test]
fn several_modules_are_swapped_together_or_not_at_all() {
    let bench = Bench::new();
    bench.load("a", &answers(1)).unwrap();
    bench.load("b", &answers(1)).unwrap();
    let both = [bench.write("a.wasm", &answers(2)), bench.write("b.wasm", &answers(2))].map(LoadRequest::new);
    std::fs::write(bench.folder.path().join("b.wasm"), b"\0asm\x01\0\0\0\xff").unwrap();
    bench.loader.reload(&both, &Cancel::default()).unwrap_err();
    assert_eq!((bench.says("a", "answer"), bench.says("b", "answer")), ("1".into(), "1".into()));
    bench.write("b.wasm", &answers(2));
    bench.loader.reload(&both, &Cancel::default()).unwrap();
    assert_eq!((bench.says("a", "answer"), bench.says("b", "answer")), ("2".into(), "2".into()));
}

#[test]
fn state_moves_with_a_reload() {
    let bench = Bench::new();
    bench.load("c", &counter(1, true)).unwrap();
    assert_eq!(["1", "2", "3"].map(|_| bench.says("c", "increment")), ["1", "2", "3"]);
    bench.reload("c", &counter(10, true)).unwrap();
    assert_eq!(bench.says("c", "increment"), "13");
    let error = bench.reload("c", &counter(100, false)).unwrap_err();
    assert_eq!(error.to_string(), "`c` failed in `load-state`: no room");
    assert_eq!(bench.says("c", "increment"), "23", "the old one serves on, with its state");
    let error = bench.reload("c", &answers(1)).unwrap_err();
    assert!(error.to_string().contains("it has state, and the new one cannot load it"), "{error}");
    // A trap loses what came after the last hand-over, no more.
    assert_eq!(bench.call("c", "trap").unwrap_err().code(), "MODULE_TRAP");
    assert_eq!(bench.says("c", "increment"), "13");
}

#[test]
fn a_generation_that_fails_on_probation_is_taken_back() {
    let bench = Bench::new();
    bench.load("c", &counter(1, true)).unwrap();
    bench.says("c", "increment");
    let bad = counter(10, true).replace(
        "(i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 10)))",
        "unreachable",
    );
    bench.reload("c", &bad).unwrap();
    for _ in 0..3 {
        let reply = bench.call("c", "increment").unwrap_err();
        assert_eq!(reply.code(), "MODULE_TRAP");
    }
    let reply = bench.call("c", "increment").unwrap();
    assert_eq!((reply.generation, reply.results.as_str()), (1, "2"));
    assert_eq!(bench.states("c"), [State::Active, State::Failed]);
    assert_eq!(bench.reload("c", &bad).unwrap_err().code(), "MODULE_KNOWN_BAD");
    bench.reload("c", &counter(5, true)).unwrap();
    assert_eq!(bench.says("c", "increment"), "7");
}

#[test]
fn probation_ends_and_the_old_generation_goes() {
    let config = LoaderConfig { probation_calls: 10, ..LoaderConfig::default() };
    let bench = Bench::with(config);
    bench.load("main", &answers(1)).unwrap();
    bench.reload("main", &answers(2)).unwrap();
    bench.wait_for("main", &[State::Standby, State::Active]);
    (0..10).for_each(|_| drop(bench.says("main", "answer")));
    bench.wait_for("main", &[State::Purged, State::Active]);
}

#[test]
fn calls_end_on_the_generation_they_began_on() {
    let config = LoaderConfig {
        drain_policy: DrainPolicy::Cancel,
        drain_max: Duration::from_secs(2),
        ..LoaderConfig::default()
    };
    let bench = Bench::with(config);
    bench.load("main", &answers(1)).unwrap();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| bench.call("main", "forever"));
        while bench.loader.generations(&module("main"))[0].pins == 0 {
            std::thread::yield_now();
        }
        bench.reload("main", &answers(2)).unwrap();
        assert_eq!(bench.states("main"), [State::Draining, State::Active]);
        let pinned = CallRequest { generation: Some(1), ..request("main", "answer") };
        assert_eq!(bench.loader.call(&pinned).unwrap().results, "1");
        assert_eq!(bench.says("main", "answer"), "2");
        assert_eq!(call.join().unwrap().unwrap_err(), CallError::Drained);
    });
    bench.wait_for("main", &[State::Standby, State::Active]);
}

#[test]
fn old_generations_are_bounded() {
    let config = LoaderConfig {
        generations_max: 2,
        drain_max: Duration::from_secs(600),
        probation: Duration::ZERO,
        ..LoaderConfig::default()
    };
    let bench = Bench::with(config);
    bench.load("main", &answers(1)).unwrap();
    let held = request("main", "forever");
    let cancel = held.cancel.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| bench.loader.call(&held));
        while bench.loader.generations(&module("main"))[0].pins == 0 {
            std::thread::yield_now();
        }
        bench.reload("main", &answers(2)).unwrap();
        assert_eq!(bench.reload("main", &answers(3)).unwrap_err().code(), "MODULE_GENERATIONS");
        cancel.cancel();
    });
    bench.wait_for("main", &[State::Purged, State::Active]);
    bench.reload("main", &answers(3)).unwrap();
}

#[test]
fn reloads_under_load_lose_no_call_and_mix_no_answers() {
    let reloads: i32 = std::env::var("VITTE_TEST_RELOADS").map_or(50, |text| text.parse().unwrap());
    let bench = Bench::with(LoaderConfig { probation: Duration::ZERO, ..LoaderConfig::default() });
    bench.load("main", &answers(1)).unwrap();
    let (over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let reply = bench.call("main", "answer").unwrap();
                    assert_eq!(
                        reply.results,
                        reply.generation.to_string(),
                        "an answer of another generation"
                    );
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 2..=reloads {
            loop {
                match bench.reload("main", &answers(number)) {
                    Ok(reloaded) => break assert_eq!(reloaded.generation, number as u64),
                    // The callers are slow to leave old generations: refused, and the number not used up.
                    Err(LoadError::TooManyGenerations { .. }) => std::thread::yield_now(),
                    Err(other) => panic!("{other}"),
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(calls.load(Ordering::Relaxed) > 0);
}

#[test]
fn loading_and_unloading_leaves_nothing() {
    let bench = Bench::with(LoaderConfig { modules_max: 3, ..LoaderConfig::default() });
    for round in 0..20 {
        let name = format!("m{round}");
        bench.load(&name, &answers(round)).unwrap();
        bench.loader.unload(&module(&name)).unwrap();
        assert!(bench.loader.wait_unloaded(&module(&name), Duration::from_secs(30)));
    }
    assert!(bench.loader.modules().is_empty());
}
