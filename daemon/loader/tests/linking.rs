//! Modules that import each other, across formats: what is bound, what is refused, and what a call through several
//! of them sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use vitte_bytecode::ValueType::{F64, I32};
use vitte_bytecode::{Field, FunctionBuilder, FunctionType, InterfaceType, ModuleBuilder};
use vitte_loader::{
    Breaking, CallError, CallRequest, Cancel, LinkOptions, LoadError, LoadRequest, LoaderConfig, Module,
    ModuleLoader, ModuleName, Tier,
};

struct Bench {
    loader: ModuleLoader,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { loader: ModuleLoader::with_config(LoaderConfig::default()), folder: TempDir::new().unwrap() }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(format!("{}.bin", name.replace(':', "-")));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn request(&self, name: &str, text: &str) -> LoadRequest {
        let path = self.write(name, &wat::parse_str(text).unwrap());
        LoadRequest::new(path).named(name.parse().unwrap())
    }

    fn load(&self, name: &str, text: &str) -> Result<Module, LoadError> {
        self.loader.load(&self.request(name, text), &Cancel::default())
    }

    fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        let request = LoadRequest::new(self.write(name, bytes)).named(name.parse().unwrap());
        self.loader.load(&request, &Cancel::default())
    }

    fn call(&self, module: &str, call: &str) -> Result<String, CallError> {
        let (function, arguments) = vitte_loader::split_call(call);
        let request = CallRequest {
            module: module.parse().unwrap(),
            function: function.to_owned(),
            arguments: arguments.to_owned(),
            generation: None,
            time_max: Some(Duration::from_secs(20)),
            cancel: Cancel::default(),
        };
        self.loader.call(&request).map(|reply| reply.results)
    }

    fn says(&self, module: &str, call: &str) -> String {
        self.call(module, call).unwrap_or_else(|error| panic!("{module} {call}: {error}"))
    }
}

fn name(text: &str) -> ModuleName {
    text.parse().unwrap()
}

/// A component that exports `acme:text/tools` with `twice: func(s: string) -> string` and
/// `count: func(l: list<u8>) -> u32`, over a core module with a bump allocator.
const TEXT: &str = r#"(component
    (core module $m
        (memory (export "memory") 2)
        (global $next (mut i32) (i32.const 1024))
        (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $next (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 3))))
        (func (export "twice") (param i32 i32) (result i32)
            (local $at i32)
            (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1)
                (i32.mul (local.get 1) (i32.const 2))))
            (memory.copy (local.get $at) (local.get 0) (local.get 1))
            (memory.copy (i32.add (local.get $at) (local.get 1)) (local.get 0) (local.get 1))
            (i32.store (i32.const 16) (local.get $at))
            (i32.store (i32.const 20) (i32.mul (local.get 1) (i32.const 2)))
            (i32.const 16))
        (func (export "count") (param i32 i32) (result i32) (local.get 1)))
    (core instance $i (instantiate $m))
    (func $twice (param "s" string) (result string)
        (canon lift (core func $i "twice") (memory (core memory $i "memory")) (realloc (core func $i "cabi_realloc"))))
    (func $count (param "l" (list u8)) (result u32)
        (canon lift (core func $i "count") (memory (core memory $i "memory")) (realloc (core func $i "cabi_realloc"))))
    (instance $tools (export "twice" (func $twice)) (export "count" (func $count)))
    (export "acme:text/tools@1.2.0" (instance $tools)))"#;

/// A core module that hands a string on to `twice`, and gives the length of what comes back.
fn by_registers(import: &str) -> String {
    format!(
        r#"(module
            (import "{import}" "twice" (func $twice (param i32 i32 i32)))
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $next)
                (global.set $next (i32.add (global.get $next) (local.get 3))))
            (data (i32.const 64) "häh?")
            (func (export "length") (result i32)
                (call $twice (i32.const 64) (i32.const 5) (i32.const 8))
                (i32.load (i32.const 12)))
            (func (export "last") (result i32)
                (call $twice (i32.const 64) (i32.const 5) (i32.const 8))
                (i32.load8_u (i32.add (i32.load (i32.const 8)) (i32.const 9)))))"#
    )
}

#[test]
fn a_core_module_calls_a_component_by_the_canonical_abi() {
    let bench = Bench::new();
    bench.load("acme:text", TEXT).unwrap();
    assert_eq!(bench.says("acme:text", "acme:text/tools@1.2.0#twice(\"ab\")"), "\"abab\"");
    bench.load("core", &by_registers("acme:text/tools@1.0.0")).unwrap();
    assert_eq!((bench.says("core", "length()"), bench.says("core", "last()")), ("10".into(), "63".into()));
    let info = bench.loader.module(&name("core")).unwrap();
    let import = &info.imports[0];
    assert_eq!(
        (import.target.as_str(), import.name.as_str(), import.generation),
        ("acme:text", "twice", Some(1))
    );
}

#[test]
fn a_component_calls_a_core_module_and_another_component() {
    let bench = Bench::new();
    bench.load("acme:text", TEXT).unwrap();
    bench
        .load(
            "numbers",
            r#"(module (func (export "add") (param i32 i64) (result i64)
            (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1))))"#,
        )
        .unwrap();
    let caller = r#"(component
        (import "acme:text/tools@1.1.0" (instance $text (export "count" (func (param "bytes" (list u8)) (result u32)))))
        (import "numbers:any/thing" (instance $none))
        (core module $m
            (import "t" "count" (func $count (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "f") (param i32) (result i32)
                (i32.add (local.get 0) (call $count (i32.const 0) (i32.const 7)))))
        (core module $lib (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
        (core instance $l (instantiate $lib))
        (core func $count (canon lower (func $text "count") (memory (core memory $l "memory")) (realloc (core func $l "cabi_realloc"))))
        (core instance $t (export "count" (func $count)))
        (core instance $i (instantiate $m (with "t" (instance $t))))
        (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))"#;
    bench.load("caller", &caller.replace("(import \"numbers:any/thing\" (instance $none))\n", "")).unwrap();
    assert_eq!(bench.says("caller", "f(5)"), "12");
    // An unsigned 32 and a 64 bit number are what the registers of the core module hold.
    let plain = r#"(component
        (import "numbers" (func $f (param "a" u32)))
        )"#;
    assert!(matches!(bench.load("plain", plain), Err(LoadError::MissingImports { .. })));
    let adds = r#"(component
        (import "acme:numbers/sums" (instance $n (export "add" (func (param "a" u32) (param "b" s64) (result s64)))))
        (core func $add (canon lower (func $n "add")))
        (core module $m (import "n" "add" (func $add (param i32 i64) (result i64)))
            (func (export "f") (result i64) (call $add (i32.const -1) (i64.const 2))))
        (core instance $x (export "add" (func $add)))
        (core instance $i (instantiate $m (with "n" (instance $x))))
        (func (export "f") (result s64) (canon lift (core func $i "f"))))"#;
    bench
        .load(
            "acme:numbers",
            r#"(module (func (export "add") (param i32 i64) (result i64)
            (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1))))"#,
        )
        .unwrap();
    bench.load("adds", adds).unwrap();
    assert_eq!(bench.says("adds", "f()"), "4294967297");
}

/// Bytecode with `half(x)`, which asks `numbers.third` of a core module, and `greet(s: string) -> string`, which
/// hands its string to `twice`.
fn bytecode() -> Vec<u8> {
    let mut module = ModuleBuilder::new();
    let signature = module.signature(&[F64], &[F64]);
    let third = module.import("numbers", "third", signature, None);
    let strings = |name: &str| FunctionType {
        params: vec![Field { name: name.into(), ty: InterfaceType::String }],
        result: Some(InterfaceType::String),
    };
    let strings_of = module.function_type(strings("text"));
    let lowered = module.signature(&[I32, I32, I32], &[]);
    let twice = module.import("acme:text/tools@1.2.0", "twice", lowered, Some(strings_of));

    let half = module.declare("half", signature);
    let mut code = FunctionBuilder::new(&[F64]);
    let x = code.param(0);
    let given = code.call_import(third, &[x], &[F64]);
    let given = code.call_import(third, &given, &[F64]);
    code.return_(&given);
    module.define(half, &code.finish());
    module.export_function("half", half, None);

    module.memory(vitte_bytecode::MemoryType {
        address: vitte_bytecode::AddressType::I32,
        min_pages: 1,
        max_pages: None,
    });
    module.export("memory", vitte_bytecode::ExportItem::Memory);
    let next = module.global(true, vitte_bytecode::Value::I32(4096));
    let allocator = module.signature(&[I32, I32, I32, I32], &[I32]);
    let realloc = module.declare("cabi_realloc", allocator);
    let mut code = FunctionBuilder::new(&[I32, I32, I32, I32]);
    let start = code.global_get(next, I32);
    let size = code.param(3);
    let end = code.binary(vitte_bytecode::BinaryOp::I32Add, start, size);
    code.global_set(next, end);
    code.return_(&[start]);
    module.define(realloc, &code.finish());
    module.export_function("cabi_realloc", realloc, None);

    let lifted = module.signature(&[I32, I32], &[I32]);
    let greet = module.declare("greet", lifted);
    let mut code = FunctionBuilder::new(&[I32, I32]);
    let (at, length) = (code.param(0), code.param(1));
    let area = code.i32(16);
    code.call_import(twice, &[at, length, area], &[]);
    code.return_(&[area]);
    module.define(greet, &code.finish());
    let of_greet = module.function_type(strings("name"));
    module.export_function("greet", greet, Some(of_greet));
    module.build().unwrap().0
}

#[test]
fn bytecode_calls_wasm_on_both_tiers() {
    let bench = Bench::new();
    bench.load("acme:text", TEXT).unwrap();
    bench
        .load(
            "numbers",
            r#"(module (func (export "third") (param f64) (result f64)
            (f64.div (local.get 0) (f64.const 3))))"#,
        )
        .unwrap();
    let module = bench.load_bytes("code", &bytecode()).unwrap();
    let signatures: Vec<&str> = module.exports.iter().map(|export| export.signature.as_str()).collect();
    assert!(signatures.contains(&"func(name: string) -> string"), "{signatures:?}");
    let began = std::time::Instant::now();
    loop {
        assert_eq!(bench.says("code", "half(18.0)"), "2");
        assert_eq!(bench.says("code", "greet(\"ho\")"), "\"hoho\"");
        if bench.loader.module(&name("code")).unwrap().module.tier == Tier::Compiled {
            break;
        }
        let request = CallRequest {
            module: name("code"),
            function: "half".into(),
            arguments: "(1.0)".into(),
            generation: None,
            time_max: None,
            cancel: Cancel::default(),
        };
        if bench.loader.call(&request).unwrap().tier == Tier::Compiled {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it was never compiled");
    }
    assert_eq!(bench.says("code", "greet(\"ja\")"), "\"jaja\"");
}

#[test]
fn what_does_not_fit_is_named_with_what_is_near() {
    let bench = Bench::new();
    bench
        .load("numbers", r#"(module (func (export "third") (param f64) (result f64) (local.get 0)))"#)
        .unwrap();
    let importing =
        |module: &str, name: &str, ty: &str| format!(r#"(module (import "{module}" "{name}" (func {ty})))"#);
    let error = bench.load("a", &importing("numbers", "thrid", "(param f64) (result f64)")).unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORTS_MISSING");
    assert!(error.to_string().contains("near to it in `numbers`: `third`"), "{error}");
    let error = bench.load("a", &importing("number", "third", "(param f64) (result f64)")).unwrap_err();
    assert!(error.to_string().contains("`number` is not loaded; near to it: `numbers`"), "{error}");
    let error = bench.load("a", &importing("numbers", "third", "(param i32) (result f64)")).unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORTS_MISMATCHED");
    let both = "`third` of `numbers` is wanted as func(i32) -> f64 and is func(f64) -> f64";
    assert!(error.to_string().contains(both), "{error}");
    bench.load("acme:text", TEXT).unwrap();
    let error = bench.load("a", &importing("acme:text/tools@1.0.0", "twice", "(param i32)")).unwrap_err();
    assert!(error.to_string().contains("is wanted as func(i32) and is func(s: string) -> string"), "{error}");
    let error = bench.load("a", r#"(module (import "numbers" "memory" (memory 1)))"#).unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORTS_MISSING");
}

/// `ping(n)` calls the other's `pong` with less, down to zero.
fn ping(own: &str, other: &str, function: &str) -> String {
    format!(
        r#"(module (import "{other}" "{function}" (func $next (param i32) (result i32)))
            (func (export "{own}") (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
                    (else (i32.add (i32.const 1) (call $next (i32.sub (local.get 0) (i32.const 1))))))))"#
    )
}

#[test]
fn a_cycle_is_loaded_at_once_and_is_bounded() {
    let bench = Bench::new();
    let requests =
        [bench.request("a", &ping("ping", "b", "pong")), bench.request("b", &ping("pong", "a", "ping"))];
    // Neither can be loaded without the other.
    assert!(matches!(
        bench.loader.load(&requests[0], &Cancel::default()),
        Err(LoadError::MissingImports { .. })
    ));
    let options = LinkOptions::default();
    let modules = bench.loader.load_together(&requests, &options, &Cancel::default()).unwrap();
    assert_eq!(modules.iter().map(|module| module.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(bench.says("a", "ping(20)"), "20");
    let error = bench.call("a", "ping(1000)").unwrap_err();
    assert_eq!(error.code(), "MODULE_CALL_DEPTH", "{error}");
    // Deep calls leave nothing behind.
    assert_eq!(bench.says("b", "pong(31)"), "31");
    let error = bench.loader.unload(&name("a")).unwrap_err();
    assert_eq!(error.to_string(), "`a` is imported by `b`");
    bench.loader.unload_anyway(&name("a")).unwrap();
    let error = bench.call("b", "pong(1)").unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORT_NOT_LOADED", "{error}");
}

#[test]
fn a_trap_names_the_modules_that_the_call_came_through() {
    let bench = Bench::new();
    bench
        .load("deep", r#"(module (func $boom (export "boom") (param i32) (result i32) unreachable))"#)
        .unwrap();
    bench.load("middle", &ping("go", "deep", "boom")).unwrap();
    bench.load("top", &ping("start", "middle", "go")).unwrap();
    let error = bench.call("top", "start(5)").unwrap_err();
    let CallError::Import { chain, source } = &error else { panic!("{error}") };
    assert!(matches!(**source, CallError::Trap(_)), "{source}");
    let chain: Vec<String> = chain.iter().map(|hop| format!("{}.{}", hop.module, hop.function)).collect();
    assert_eq!(chain, ["top.start", "middle.go", "deep.boom"]);
    assert_eq!(error.code(), "MODULE_TRAP");
    assert!(error.to_string().ends_with("called through `top.start` > `middle.go` > `deep.boom`"), "{error}");
}

#[test]
fn a_deadline_holds_for_the_whole_way() {
    let bench = Bench::new();
    bench
        .load("slow", r#"(module (func (export "spin") (param i32) (result i32) (loop (br 0)) unreachable))"#)
        .unwrap();
    bench.load("waits", &ping("go", "slow", "spin")).unwrap();
    let request = CallRequest {
        module: name("waits"),
        function: "go".into(),
        arguments: "(1)".into(),
        generation: None,
        time_max: Some(Duration::from_millis(50)),
        cancel: Cancel::default(),
    };
    let error = bench.loader.call(&request).unwrap_err();
    assert_eq!(error.code(), "DEADLINE_EXCEEDED", "{error}");
}

fn constant(number: i32, ty: &str) -> String {
    format!(r#"(module (func (export "f") (result {ty}) ({ty}.const {number})))"#)
}

fn user(ty: &str, number: i32) -> String {
    format!(
        r#"(module (import "base" "f" (func $f (result {ty})))
            (func (export "g") (result i32) (i32.add {call} (i32.const {number}))))"#,
        call = if ty == "i64" { "(i32.wrap_i64 (call $f))" } else { "(call $f)" }
    )
}

#[test]
fn a_change_that_an_importer_does_not_survive_needs_it_in_the_same_reload() {
    let bench = Bench::new();
    bench.load("base", &constant(1, "i32")).unwrap();
    bench.load("user", &user("i32", 10)).unwrap();
    assert_eq!(bench.says("user", "g()"), "11");
    // Nobody has called `base` from outside; what `user` was linked with counts.
    let changed = bench.request("base", &constant(2, "i64"));
    let error = bench.loader.reload(std::slice::from_ref(&changed), &Cancel::default()).unwrap_err();
    assert_eq!(error.code(), "MODULE_INCOMPATIBLE");
    let message = error.to_string();
    assert!(message.contains("func() -> i32") && message.contains("func() -> i64"), "{message}");
    assert_eq!(bench.says("user", "g()"), "11");
    // Together they are linked with each other; if one fails, none is replaced.
    let broken = bench.request("user", &user("i32", 20));
    assert!(bench.loader.reload(&[changed.clone(), broken], &Cancel::default()).is_err());
    assert_eq!(bench.says("user", "g()"), "11");
    let both = [bench.request("user", &user("i64", 20)), changed];
    let reloaded = bench.loader.reload(&both, &Cancel::default()).unwrap();
    assert_eq!(reloaded.len(), 2);
    assert_eq!(bench.says("user", "g()"), "22");
    // Somebody who insists gets a link that says so when it is called.
    let mut request = bench.request("base", &constant(3, "i32"));
    request.breaking = Breaking::Accept;
    bench.loader.reload(&[request], &Cancel::default()).unwrap();
    let error = bench.call("user", "g()").unwrap_err();
    assert_eq!(error.code(), "MODULE_IMPORT_CHANGED", "{error}");
}

#[test]
fn a_call_sees_one_generation_of_each_module_to_its_end() {
    let bench = Bench::new();
    bench.load("base", &constant(1, "i32")).unwrap();
    // Gives 0 if all of its calls were answered alike.
    let caller = r#"(module (import "base" "f" (func $f (result i32)))
        (func (export "differences") (result i32) (local $first i32) (local $at i32) (local $sum i32)
            (local.set $first (call $f))
            (loop $again
                (local.set $sum (i32.add (local.get $sum) (i32.ne (call $f) (local.get $first))))
                (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 200))))
            (local.get $sum)))"#;
    bench.load("caller", caller).unwrap();
    std::thread::scope(|scope| {
        let reloads = scope.spawn(|| {
            for number in 0..12 {
                bench
                    .loader
                    .reload(&[bench.request("base", &constant(number, "i32"))], &Cancel::default())
                    .unwrap();
            }
        });
        while !reloads.is_finished() {
            assert_eq!(bench.says("caller", "differences()"), "0");
        }
    });
}
