//! Modules are valid, and do what the programs do natively. They run in an interpreter of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::sync::Arc;

use vitte_bytecode::{CallError, HostError, TrapKind, Value};
use wasmi::{Config, Engine, Extern, Linker, Module, Store};

use super::{WasmWidth, program_wasm};
use crate::base::testing::TestDb;
use crate::base::{OptLevel, Options};
use crate::codegen::program_bytecode;
use crate::explain;

const WIDTHS: [WasmWidth; 2] = [WasmWidth::Wasm32, WasmWidth::Wasm64];

/// What a program has printed, and its arguments.
#[derive(Default)]
struct Host {
    out: Vec<u8>,
    err: Vec<u8>,
    args: Vec<String>,
}

fn options(opt_level: OptLevel) -> Options {
    Options { opt_level, debug_info: true, ..Options::default() }
}

fn module(fixture: &str, level: OptLevel, width: WasmWidth) -> Arc<[u8]> {
    let db = TestDb::new(fixture);
    let program = db.program_with(options(level));
    let module = program_wasm(&db, program, width).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"));
    let features = wasmparser::WasmFeatures::all();
    if let Err(error) = wasmparser::Validator::new_with_features(features).validate_all(&module) {
        panic!("not valid: {error}");
    }
    module
}

fn put(memory: &mut [u8], at: u32, value: u32) {
    memory[at as usize..][..4].copy_from_slice(&value.to_le_bytes());
}

fn get(memory: &[u8], at: u32) -> u32 {
    u32::from_le_bytes(memory[at as usize..][..4].try_into().unwrap())
}

impl Host {
    fn new(args: &[&str]) -> Self {
        let args = std::iter::once("program").chain(args.iter().copied()).map(|arg| format!("{arg}\0"));
        Self { args: args.collect(), ..Self::default() }
    }

    fn fd_write(&mut self, memory: &mut [u8], [descriptor, parts, count, written]: [u32; 4]) {
        assert_eq!(count, 1);
        let (start, length) = (get(memory, parts), get(memory, parts + 4));
        let bytes = &memory[start as usize..][..length as usize];
        if descriptor == 1 {
            self.out.extend(bytes)
        } else {
            self.err.extend(bytes)
        }
        put(memory, written, length);
    }

    fn args_sizes_get(&mut self, memory: &mut [u8], [count, size]: [u32; 2]) {
        put(memory, count, self.args.len() as u32);
        put(memory, size, self.args.iter().map(|arg| arg.len() as u32).sum());
    }

    fn args_get(&mut self, memory: &mut [u8], [list, texts]: [u32; 2]) {
        let mut at = texts;
        for (number, arg) in self.args.iter().enumerate() {
            put(memory, list + 4 * number as u32, at);
            memory[at as usize..][..arg.len()].copy_from_slice(arg.as_bytes());
            at += arg.len() as u32;
        }
    }

    fn said(self, status: i32) -> (String, String, i32) {
        (String::from_utf8(self.out).unwrap(), String::from_utf8(self.err).unwrap(), status)
    }
}

/// For modules of bytecode: imports by number.
struct Numbered {
    host: Host,
    names: Vec<String>,
}

impl vitte_bytecode::Host for Numbered {
    fn provides(&self, import: &vitte_bytecode::Import) -> bool {
        import.module == super::WASI
    }

    fn call(
        &mut self,
        import: u32,
        caller: &mut vitte_bytecode::Caller<'_>,
        args: &[Value],
        results: &mut Vec<Value>,
    ) -> Result<(), HostError> {
        let memory = caller.memory().bytes_mut();
        let args: Vec<u32> = args.iter().map(|arg| arg.bits() as u32).collect();
        match (&*self.names[import as usize], &args[..]) {
            ("fd_write", &[a, b, c, d]) => self.host.fd_write(memory, [a, b, c, d]),
            ("args_sizes_get", &[a, b]) => self.host.args_sizes_get(memory, [a, b]),
            ("args_get", &[a, b]) => self.host.args_get(memory, [a, b]),
            ("proc_exit", &[status]) => return Err(HostError::Exit(status as i32)),
            (other, _) => panic!("{other}"),
        }
        results.push(Value::I32(0));
        Ok(())
    }
}

/// The same of a module of bytecode.
fn interpret(module: &[u8], args: &[&str]) -> (String, String, i32) {
    let verified = vitte_bytecode::load(module).unwrap_or_else(|report| panic!("{report}"));
    let names = verified.module().imports.iter().map(|import| import.name.clone()).collect();
    let mut host = Numbered { host: Host::new(args), names };
    let compiled = vitte_bytecode::Compiled::new(verified);
    let mut instance =
        vitte_bytecode::Instance::new(&compiled, &host, vitte_bytecode::Config::default()).unwrap();
    let status = match instance.call(&mut host, "_start", &[]) {
        Ok(_) => 0,
        Err(CallError::Trap(trap)) => match trap.kind {
            TrapKind::Exit(status) => status,
            _ => panic!("{trap}"),
        },
        Err(error) => panic!("{error}"),
    };
    host.host.said(status)
}

/// Standard output, standard error, and the status.
fn run(module: &[u8], args: &[&str]) -> (String, String, i32) {
    let mut config = Config::default();
    config.wasm_memory64(true);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, module).unwrap();
    let mut store = Store::new(&engine, Host::new(args));
    let mut linker = Linker::new(&engine);
    let wasi = super::WASI;
    let exit = |_: wasmi::Caller<'_, Host>, status: i32| Err::<(), _>(wasmi::Error::i32_exit(status));
    linker.func_wrap(wasi, "proc_exit", exit).unwrap();
    fn with_memory(mut caller: wasmi::Caller<'_, Host>, run: impl FnOnce(&mut Host, &mut [u8])) -> i32 {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else { panic!("no memory") };
        let (bytes, host) = memory.data_and_store_mut(&mut caller);
        run(host, bytes);
        0
    }
    let write = |caller: wasmi::Caller<'_, Host>, a: u32, b: u32, c: u32, d: u32| {
        with_memory(caller, |host, memory| host.fd_write(memory, [a, b, c, d]))
    };
    linker.func_wrap(wasi, "fd_write", write).unwrap();
    let sizes = |caller: wasmi::Caller<'_, Host>, a: u32, b: u32| {
        with_memory(caller, |host, memory| host.args_sizes_get(memory, [a, b]))
    };
    linker.func_wrap(wasi, "args_sizes_get", sizes).unwrap();
    let texts = |caller: wasmi::Caller<'_, Host>, a: u32, b: u32| {
        with_memory(caller, |host, memory| host.args_get(memory, [a, b]))
    };
    linker.func_wrap(wasi, "args_get", texts).unwrap();
    let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
    let start = instance.get_typed_func::<(), ()>(&store, "_start").unwrap();
    let status = match start.call(&mut store, ()) {
        Ok(()) => 0,
        Err(error) => error.i32_exit_status().unwrap_or_else(|| panic!("{error}")),
    };
    store.into_data().said(status)
}

fn check(fixture: &str, stdout: &str, status: i32) {
    for width in WIDTHS {
        for level in [OptLevel::O0, OptLevel::O2] {
            let (out, err, code) = run(&module(fixture, level, width), &["one", "two"]);
            assert_eq!((&*out, code), (stdout, status), "{width:?} {level:?}: {err}");
        }
    }
    for level in [OptLevel::O0, OptLevel::O2] {
        let db = TestDb::new(fixture);
        let program = db.program_with(options(level));
        let bytes = program_bytecode(&db, program).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"));
        let (out, err, code) = interpret(&bytes, &["one", "two"]);
        assert_eq!((&*out, code), (stdout, status), "bytecode {level:?}: {err}");
    }
}

#[test]
fn a_status_and_a_line() {
    check("proc main() -> int { println(\"hello\") give 7 }", "hello\n", 7);
}

#[test]
fn arguments() {
    let fixture =
        "proc main(args: [string]) -> int { for arg in args { println(arg) } give len(args) as int }";
    check(fixture, "one\ntwo\n", 2);
}

#[test]
fn a_panic_says_where() {
    let fixture = "proc main() -> int {\n    let list = [1, 2]\n    let i: usize = 2\n    give list[i]\n}\n";
    for width in WIDTHS {
        let (_, err, code) = run(&module(fixture, OptLevel::O1, width), &[]);
        assert_eq!(err, "panic: index 2 out of range for length 2\n  at main.vit:4:10\n");
        assert_eq!(code, 134);
    }
}

#[test]
fn small_integers_wrap() {
    let fixture = r#"
proc add(a: u8, b: u8) -> u8 { give a + b }
proc sub(a: i8, b: i8) -> i8 { give a - b }
proc shift(a: i16, n: int) -> i16 { give a << n }
proc half(a: i16, n: int) -> i16 { give a >> n }
proc divide(a: i8, b: i8) -> i8 { give a / b }
proc divide_int(a: int, b: int) -> int { give a / b }
proc divide_i32(a: i32, b: i32) -> i32 { give a / b }
proc negate(a: i8) -> i8 { give 0 - a }
proc main() -> int {
    println(add(200, 100))
    println(sub(-100, 100))
    println(shift(255, 8))
    println(half(-300, 2))
    println(divide(-128, -1))
    println(divide_int(-9223372036854775808, -1))
    println(divide_i32(-2147483648, -1))
    println(negate(-128))
    give 0
}
"#;
    check(fixture, "44\n56\n-256\n-75\n-128\n-9223372036854775808\n-2147483648\n-128\n", 0);
}

#[test]
fn numbers_of_128_bits() {
    let fixture = r#"
proc multiply(a: i128, b: i128) -> i128 { give a * b }
proc left(a: u128, n: int) -> u128 { give a << n }
proc right(a: u128, n: int) -> u128 { give a >> n }
proc signed(a: i128, n: int) -> i128 { give a >> n }
proc less(a: i128, b: i128) -> bool { give a < b }
proc main() -> int {
    let big: i128 = 170141183460469231731687303715884105727
    println(multiply(123456789012345678901, 0 - 98765432109876543))
    println(left(1, 100))
    println(left(3, 63))
    println(right(left(1, 100), 37))
    println(signed(0 - big, 64))
    println(less(0 - big, big))
    println(big / 1000000007)
    println((big as f64) > 1.0e38)
    give 0
}
"#;
    let expected = "-12193263112482853222191739063397225043\n1267650600228229401496703205376\n27670116110564327424\n\
                    9223372036854775808\n-9223372036854775808\ntrue\n170141182269480957150585255535\ntrue\n";
    let product = -(123_456_789_012_345_678_901_i128 * 98_765_432_109_876_543);
    let quotient = i128::MAX / 1_000_000_007;
    let lines: Vec<&str> = expected.lines().collect();
    let expected = expected.replace(lines[0], &product.to_string()).replace(lines[6], &quotient.to_string());
    check(fixture, &expected, 0);
}

#[test]
fn memory_is_used_again() {
    // 100 times 100,000 elements would be far more than the memory that 32 bits can address, if none came back.
    let fixture = r#"
proc main() -> int {
    let total = 0
    for round in 0..3000 {
        let list: [int] = []
        for i in 0..2000 { list.push(i) }
        let text = ""
        for i in 0..20 { set text = text + "abc" }
        set total = total + (len(list) as int) + (len(text) as int)
    }
    println(total)
    give 0
}
"#;
    let (out, err, code) = run(&module(fixture, OptLevel::O2, WasmWidth::Wasm32), &[]);
    assert_eq!((&*out, code), ("6180000\n", 0), "{err}");
}

#[test]
fn equal_programs_give_equal_bytes() {
    let fixture = "proc main() -> int { let f = 1.5\n println(f)\n let list = [1, 2, 3]\n give list[1] }";
    for width in WIDTHS {
        assert_eq!(module(fixture, OptLevel::O1, width), module(fixture, OptLevel::O1, width));
    }
}

#[test]
fn functions_that_are_not_there_are_told() {
    let fixture =
        "use vitte/stdlib/os/simple.{hostname}\nproc main() -> int { let name = hostname() give 0 }";
    let db = TestDb::new(fixture);
    let program = db.program_with(options(OptLevel::O1));
    let diagnostics = program_wasm(&db, program, WasmWidth::Wasm64).unwrap_err();
    let [diagnostic] = &diagnostics[..] else { panic!("{diagnostics:#?}") };
    assert_eq!(diagnostic.code.code, "LNK0059");
    assert_eq!(diagnostic.message, "the program calls `rt_hostname`, which does not exist for wasm64");
    assert!(explain::find("LNK0059").is_some());
}

/// Procs with types that cross, and one that does not.
const LIBRARY: &str = r#"
export add_all, greet, next, narrow, is_even, half, pair, wide

proc add_all(a: int, b: i32, c: u8) -> int { give a + (b as int) + (c as int) }
proc greet(name: string, times: int) -> string {
    let text = "hello"
    for i in 0..times { set text = text + " " + name }
    give text
}
proc next(letter: char) -> char { give ((letter as int) + 1) as char }
proc narrow(value: i16) -> i8 { give value as i8 }
proc is_even(value: int) -> bool { give value % 2 == 0 }
proc half(value: f64) -> f64 { give value / 2.0 }
proc pair(values: [int]) -> int { give values[0] }
proc wide(value: i128) -> i128 { give value }
proc hidden() -> int { give 1 }
"#;

#[test]
fn exported_procs_are_called_by_hosts() {
    let db = TestDb::new(LIBRARY);
    let bytes = program_bytecode(&db, db.program_with(options(OptLevel::O1))).unwrap();
    let verified = vitte_bytecode::load(&bytes).unwrap_or_else(|report| panic!("{report}"));
    let names: Vec<String> = verified.module().exports.iter().map(|export| export.name.clone()).collect();
    let expected = [
        "add-all",
        "cabi_post_greet",
        "cabi_realloc",
        "greet",
        "half",
        "is-even",
        "memory",
        "narrow",
        "next",
        "pair",
    ];
    assert_eq!(names, expected);
    struct Nothing;
    impl vitte_bytecode::Host for Nothing {
        fn provides(&self, _: &vitte_bytecode::Import) -> bool {
            true
        }

        fn call(
            &mut self,
            import: u32,
            _: &mut vitte_bytecode::Caller<'_>,
            _: &[Value],
            _: &mut Vec<Value>,
        ) -> Result<(), HostError> {
            Err(HostError::Failed(format!("import {import}")))
        }
    }
    let mut host = Nothing;
    let compiled = vitte_bytecode::Compiled::new(verified);
    let mut instance =
        vitte_bytecode::Instance::new(&compiled, &host, vitte_bytecode::Config::default()).unwrap();
    let mut check = |name: &str, args: &[Value], result: Value| {
        assert_eq!(instance.call(&mut host, name, args).unwrap(), [result], "{name}");
    };
    check("add-all", &[Value::I64(-5), Value::I32(-7), Value::I32(200)], Value::I64(188));
    check("next", &[Value::I32('a' as i32)], Value::I32('b' as i32));
    // Small numbers come and go with their sign.
    check("narrow", &[Value::I32(-3)], Value::I32(-3));
    check("narrow", &[Value::I32(200)], Value::I32(-56));
    check("is-even", &[Value::I64(4)], Value::I32(1));
    check("half", &[Value::F64(3.0)], Value::F64(1.5));
    for round in 0..3 {
        let name = format!("you{round}");
        let words = [0, 0, 1, name.len() as i32].map(Value::I32);
        let start = instance.call(&mut host, "cabi_realloc", &words).unwrap()[0];
        instance.memory_mut().write(start.bits(), name.as_bytes()).unwrap();
        let args = [start, Value::I32(name.len() as i32), Value::I64(2)];
        let place = instance.call(&mut host, "greet", &args).unwrap()[0];
        let word = |at: u64| {
            let bytes = instance.memory().read(at, 4).unwrap();
            u64::from(u32::from_le_bytes(bytes.try_into().unwrap()))
        };
        let (text, length) = (word(place.bits()), word(place.bits() + 4));
        let said = String::from_utf8(instance.memory().read(text, length).unwrap().to_vec()).unwrap();
        assert_eq!(said, format!("hello {name} {name}"));
        instance.call(&mut host, "cabi_post_greet", &[place]).unwrap();
    }
}

#[test]
fn types_that_double_at_each_level_are_not_exported() {
    let mut source = String::from("export small, large\npick V0 { A(x: int), B }\n");
    for level in 1..30 {
        let below = level - 1;
        source.push_str(&format!("pick V{level} {{ A(x: V{below}), B(x: V{below}) }}\n"));
    }
    source.push_str("proc small(v: V4) -> V4 { give v }\nproc large(v: V29) -> int { give 1 }\n");
    let db = TestDb::new(&source);
    let program = db.program_with(options(OptLevel::O1));
    let names: Vec<String> = super::exported_procs(&db, program, WasmWidth::Wasm32)
        .procs
        .into_iter()
        .map(|proc| proc.name)
        .collect();
    assert_eq!(names, ["small"]);
    module(&source, OptLevel::O1, WasmWidth::Wasm32);
}

#[test]
fn libraries_are_valid_in_both_widths() {
    for width in WIDTHS {
        module(LIBRARY, OptLevel::O2, width);
    }
}

#[test]
fn what_has_nothing_to_call_is_refused() {
    let db = TestDb::new("proc hidden() -> int { give 1 }");
    let program = db.program_with(options(OptLevel::O1));
    let diagnostics = program_wasm(&db, program, WasmWidth::Wasm32).unwrap_err();
    assert_eq!(diagnostics[0].code.code, "LNK0071");
}

#[test]
fn an_edit_gives_what_a_fresh_compiler_gives() {
    let text = |body: &str| {
        format!(
            "proc f(n: int) -> int {{ {body} }}\nproc main() -> int {{\n    println(\"{{f(3)}}\")\n    give f(4)\n}}\n"
        )
    };
    let first = text("give n + 1");
    let mut db = TestDb::new(&first);
    let program = db.program_with(options(OptLevel::O1));
    for body in [
        "give n + 1",
        "let list = [n, 2] give list[0] * list[1]",
        "let t = \"x\" give len(t) as int",
        "give n + 1",
    ] {
        let text = text(&body.replace(" give", "\n    give"));
        db.set("main.vit", &text);
        for width in WIDTHS {
            assert_eq!(
                program_wasm(&db, program, width).unwrap(),
                module(&text, OptLevel::O1, width),
                "{body}"
            );
        }
        let fresh = TestDb::new(&text);
        let anew = program_bytecode(&fresh, fresh.program_with(options(OptLevel::O1))).unwrap();
        assert_eq!(program_bytecode(&db, program).unwrap(), anew, "{body}");
    }
}
