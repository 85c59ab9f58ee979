//! Libraries that call other modules, and are called by them.
use super::*;

pub fn a_native_function_is_imported_by_wasm() {
    let bench = Bench::new();
    let table = bench.table(
        "zlib",
        "library = 'libz.so.1'\n[functions.crc32]\n\
         params = ['crc: ulong', 'data: bytes', 'length: uint = len(data)']\nresult = 'ulong'\n\
         [functions.version]\nsymbol = 'zlibVersion'\nresult = 'text'\n",
    );
    if bench.loader.load_file(&table).is_err() {
        eprintln!("SKIP: no libz.so.1 here");
        return;
    }
    // Bytes lie in the memory of the caller; the text comes back into memory that it gives.
    let caller = r#"(module
        (import "zlib" "crc32" (func $crc (param i64 i32 i32) (result i64)))
        (import "zlib" "version" (func $version (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 64) "123456789")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "check") (result i64) (call $crc (i64.const 0) (i32.const 64) (i32.const 9)))
        (func (export "first") (result i32)
            (call $version (i32.const 8)) (i32.load8_u (i32.load (i32.const 8)))))"#;
    let path = bench.path("caller.wasm");
    std::fs::write(&path, wat::parse_str(caller).unwrap()).unwrap();
    bench.loader.load_file(&path).unwrap();
    assert_eq!(bench.says("caller", "check()"), 0xcbf4_3926_u32.to_string());
    assert_eq!(bench.says("caller", "first()"), "49");
}

/// A module of text, under its file's name.
fn load_wat(bench: &Bench, name: &str, text: &str) {
    let path = bench.path(&format!("{name}.wasm"));
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    bench.loader.load_file(&path).unwrap();
}

pub fn a_library_calls_what_wasm_and_bytecode_export() {
    let bench = Bench::new();
    // Text and bytes of C go into the module's memory, and bytes of it back to C.
    load_wat(
        &bench,
        "words",
        r#"(module (memory (export "memory") 2) (global $next (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 3))))
            (func (export "length") (param i32 i32) (result i32) (local.get 1))
            (func (export "sum") (param i32 i32 f64) (result f64)
                (local $sum i32) (local $at i32)
                (block (loop (br_if 1 (i32.ge_u (local.get $at) (local.get 1)))
                    (local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.add (local.get 0) (local.get $at)))))
                    (local.set $at (i32.add (local.get $at) (i32.const 1))) (br 0)))
                (f64.mul (local.get 2) (f64.convert_i32_u (local.get $sum))))
            (func (export "twice") (param i32 i32) (result i32)
                (memory.copy (i32.const 4096) (local.get 0) (local.get 1))
                (memory.copy (i32.add (i32.const 4096) (local.get 1)) (local.get 0) (local.get 1))
                (i32.store (i32.const 512) (i32.const 4096))
                (i32.store (i32.const 516) (i32.mul (local.get 1) (i32.const 2)))
                (i32.const 512)))"#,
    );
    std::fs::write(bench.path("numbers.vitbc"), square()).unwrap();
    bench.loader.load_file(bench.path("numbers.vitbc")).unwrap();
    let source = r#"
        #include <stdint.h>
        #include <string.h>
        uint32_t (*length)(const char *);
        double (*sum_fn)(const uint8_t *, size_t, double);
        void (*twice)(const uint8_t *, size_t, uint8_t *, size_t *);
        int (*square)(int);
        static void *early; static void __attribute__((constructor)) look(void) { early = (void *)length; }
        int was_early(void) { return early != 0; }
        uint32_t measure(const char *text) { return length(text) * 1000 + length("four"); }
        double weigh(double by) { uint8_t b[3] = {1, 2, 250}; return sum_fn(b, 3, by) + sum_fn(b, 0, by); }
        int doubled(const char *text, uint8_t *to, size_t *size) {
            twice((const uint8_t *)text, strlen(text), to, size); return to[0];
        }
        int squares(int n) { int all = 0; for (int i = 1; i <= n; i++) all += square(i); return all; }
    "#;
    let library = bench.path("c.so");
    if !compile(source, &library) {
        return;
    }
    bench.table(
        "c",
        "[functions.was_early]\nresult = 'int'\n\
         [functions.measure]\nparams = ['text: text']\nresult = 'uint'\n\
         [functions.weigh]\nparams = ['by: double']\nresult = 'double'\n\
         [functions.doubled]\nparams = ['text: text', 'to: out bytes(8)', 'size: inout size = cap(to)']\nresult = 'int'\n\
         [functions.squares]\nparams = ['n: int']\nresult = 'int'\n\
         [imports.length]\nfrom = 'words'\nparams = ['text: text']\nresult = 'uint'\n\
         [imports.sum]\nfrom = 'words'\nsymbol = 'sum_fn'\nresult = 'double'\n\
         params = ['data: bytes', 'n: size = len(data)', 'by: double']\n\
         [imports.twice]\nfrom = 'words'\n\
         params = ['data: bytes', 'n: size = len(data)', 'to: out bytes(8)', 'size: inout size = cap(to)']\n\
         [imports.square]\nfrom = 'numbers'\nparams = ['n: int']\nresult = 'int'\n",
    );
    bench.loader.load_file(&library).unwrap();
    assert_eq!(bench.says("c", "was_early()"), "0", "constructors find nothing there");
    assert_eq!(bench.says("c", "measure(\"h\u{e9}llo\")"), "6004");
    assert_eq!(bench.says("c", "weigh(0.5)"), "126.5");
    assert_eq!(bench.says("c", "doubled(\"abc\")"), "(97, [97, 98, 99, 97, 98, 99])");
    assert_eq!(bench.says("c", "squares(1000)"), "333833500");
    // More than C has room for: it does not say what becomes of that, so that its process ends and the next begins.
    let error = bench.call("c", "doubled(\"abcde\")").unwrap_err();
    assert!(error.to_string().contains("gave 10 bytes where 8 fit"), "{error}");
    assert_eq!(bench.says("c", "squares(3)"), "14");
    let info = bench.loader.module(&"c".parse().unwrap()).unwrap();
    let imports: Vec<String> = info
        .imports
        .iter()
        .map(|import| format!("{}.{} {}", import.target, import.name, import.signature))
        .collect();
    assert_eq!(
        imports,
        [
            "numbers.square func(n: s32) -> s32",
            "words.length func(text: string) -> u32",
            "words.sum func(data: list<u8>, by: f64) -> f64",
            "words.twice func(data: list<u8>) -> list<u8>"
        ]
    );
    let refused = bench.loader.unload(&"words".parse().unwrap()).unwrap_err();
    assert_eq!(refused.code(), "MODULE_IN_USE");
}

/// Bytecode with `square(n)`.
fn square() -> Vec<u8> {
    use vitte_bytecode::ValueType::I32;
    let mut module = vitte_bytecode::ModuleBuilder::new();
    let signature = module.signature(&[I32], &[I32]);
    let square = module.declare("square", signature);
    let mut code = vitte_bytecode::FunctionBuilder::new(&[I32]);
    let n = code.param(0);
    let result = code.binary(vitte_bytecode::BinaryOp::I32Mul, n, n);
    code.return_(&[result]);
    module.define(square, &code.finish());
    module.export_function("square", square, None);
    module.build().unwrap().0
}

pub fn calls_go_back_and_forth_between_a_library_and_wasm() {
    let bench = Bench::new();
    // Each calls the other with one less, until nothing is left: the library is in its own calls.
    let library = bench.path("even.so");
    let source = "int (*odd)(int); static int calls; int count(void) { return calls; }\n\
                  int even(int n) { calls++; return n == 0 ? 1 : odd(n - 1); }\n\
                  int crash(int n) { return *(volatile int *)8; }\nint through(int n) { return odd(-n); }";
    if !compile(source, &library) {
        return;
    }
    bench.table(
        "even",
        "[functions.even]\nparams = ['n: int']\nresult = 'int'\n[functions.count]\nresult = 'int'\n\
         [functions.crash]\nparams = ['n: int']\nresult = 'int'\n\
         [functions.through]\nparams = ['n: int']\nresult = 'int'\n\
         [imports.odd]\nfrom = 'odd'\nparams = ['n: int']\nresult = 'int'\n",
    );
    let odd = r#"(module (import "even" "even" (func $even (param i32) (result i32)))
        (import "even" "crash" (func $crash (param i32) (result i32)))
        (func (export "odd") (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 0)) (then (call $crash (local.get 0)))
                (else (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
                    (else (call $even (i32.sub (local.get 0) (i32.const 1)))))))))"#;
    std::fs::write(bench.path("odd.wasm"), wat::parse_str(odd).unwrap()).unwrap();
    let requests = [LoadRequest::new(&library), LoadRequest::new(bench.path("odd.wasm"))];
    bench.loader.load_together(&requests, &LinkOptions::default(), &Cancel::default()).unwrap();
    assert_eq!((bench.says("even", "even(10)"), bench.says("even", "even(7)")), ("1".into(), "0".into()));
    assert_eq!((bench.says("odd", "odd(7)"), bench.says("odd", "odd(8)")), ("1".into(), "0".into()));
    assert_eq!(bench.says("even", "count()"), "18", "all in one process");
    let deep = bench.call("even", "even(100000)").unwrap_err();
    assert!(deep.to_string().contains("nest deeper than"), "{deep}");
    // A crash below is told once, with the way to it, and by whom.
    let watched = bench.loader.subscribe(0);
    let crash = bench.call("even", "through(1)").unwrap_err();
    assert_eq!(crash.code(), "MODULE_CRASHED");
    assert!(crash.to_string().contains("`crash` of `even` ended its process by SIGSEGV"), "{crash}");
    assert!(crash.to_string().contains("`even.through` > `odd.odd` > `even.crash`"), "{crash}");
    let mut told = Vec::new();
    while let Ok(Some(event)) = watched.next(Duration::from_millis(200)) {
        if event.reason.contains("SIGSEGV") {
            told.push(event.reason.clone());
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`crash` of `even`"), "{told:?}");
    assert_eq!(bench.says("even", "even(2)"), "1");
    // Whoever waits in an import is ended by its deadline like anybody else.
    let late = CallRequest { time_max: Some(Duration::ZERO), ..bench.request("even", "even(10)") };
    assert_eq!(bench.loader.call(&late).unwrap_err().code(), "DEADLINE_EXCEEDED");
    assert_eq!(bench.says("even", "even(4)"), "1");
}

pub fn a_failing_import_is_told_or_ends_the_process() {
    let bench = Bench::new();
    let text = r#"(module (func (export "check") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then unreachable)) (local.get 0)))"#;
    load_wat(&bench, "checks", text);
    let source = "#include <pthread.h>\nint (*check)(int); static int n; int next(void) { return ++n; }\n\
                  int ask(int x) { return check(x) * 10; }\n\
                  static void *run(void *x) { check(1); return 0; }\n\
                  int aside(void) { pthread_t t; pthread_create(&t, 0, run, 0); pthread_join(t, 0); return 0; }";
    let functions = "[functions.ask]\nparams = ['x: int']\nresult = 'int'\n[functions.next]\nresult = 'int'\n\
                     [functions.aside]\nresult = 'int'\n\
                     [imports.check]\nfrom = 'checks'\nparams = ['x: int']\nresult = 'int'\n";
    for (name, fails) in [("told", "fails = 'negative'\n"), ("not_told", "")] {
        let library = bench.path(&format!("{name}.so"));
        if !compile(source, &library) {
            return;
        }
        bench.table(name, &format!("{functions}{fails}"));
        bench.loader.load_file(&library).unwrap();
        assert_eq!((bench.says(name, "next()"), bench.says(name, "ask(4)")), ("1".into(), "40".into()));
    }
    assert_eq!(bench.says("told", "ask(0)"), "-10");
    assert_eq!(bench.says("told", "next()"), "2", "it goes on");
    let error = bench.call("not_told", "ask(0)").unwrap_err();
    assert_eq!(error.code(), "MODULE_TRAP");
    assert!(error.to_string().contains("`not_told.ask` > `checks.check`"), "{error}");
    assert_eq!(bench.says("not_told", "next()"), "1", "a new process");
    let aside = bench.call("told", "aside()").unwrap_err();
    assert!(aside.to_string().contains("SIGABRT"), "another thread: {aside}");
}

pub fn an_import_of_another_type_shows_both() {
    let bench = Bench::new();
    load_wat(&bench, "m", r#"(module (func (export "f") (param i32) (result i64) i64.const 1))"#);
    let library = bench.path("c.so");
    if !compile("int (*f)(int); int (*g)(int); int call(void) { return f(1); }", &library) {
        return;
    }
    let code = |table: &str| {
        bench.table("c", &format!("[functions.call]\nresult = 'int'\n{table}"));
        let error = bench.loader.load_file(&library).unwrap_err();
        (error.code(), error.to_string())
    };
    let (name, text) = code("[imports.f]\nfrom = 'm'\nparams = ['x: int']\nresult = 'int'\n");
    assert_eq!(name, "MODULE_IMPORTS_MISMATCHED", "{text}");
    assert!(text.contains("func(x: s32) -> s32") && text.contains("func(i32) -> i64"), "{text}");
    let (name, text) = code("[imports.g]\nfrom = 'm'\nparams = ['x: int']\nresult = 'int'\n");
    assert_eq!(name, "MODULE_IMPORTS_MISSING", "{text}");
    let (_, text) = code("[imports.f]\nfrom = 'nowhere'\n");
    assert!(text.contains("`nowhere` is not loaded"), "{text}");
    let (name, text) =
        code("[imports.f]\nfrom = 'm'\nsymbol = 'no_such'\nparams = ['x: int']\nresult = 'longlong'\n");
    assert_eq!(name, "MODULE_LIBRARY_UNSUITED", "{text}");
    assert!(text.contains("`no_such`"), "{text}");
}
