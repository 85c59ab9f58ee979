//! Native libraries: real ones of the system with right results, and one of our own that crashes in every
//! way. This binary is also the process that libraries run in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#[path = "native/imports.rs"]
mod imports; // functions of other modules
#[path = "native/packages.rs"]
mod packages; // libraries in packages

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use tempfile::TempDir;
use vitte_loader::container::{ArtifactKind, ContainerError, Manifest, PackageKind, pack};
use vitte_loader::{
    Breaking, CallError, CallRequest, Cancel, Kind, LinkOptions, LoadError, LoadRequest, LoaderConfig,
    Module, ModuleLoader, ModuleName, NativeOptions, Reply, Tier, Value,
};
use vitte_sys::caps::Facility;
use vitte_sys::sandbox::Rung;

/// The argument that makes this binary a library's process.
const RUN: &str = "run-library";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(RUN) {
        return vitte_loader::runner_main();
    }
    let tests: &[(&str, fn())] = &[
        ("a_checksum_of_zlib_is_right", a_checksum_of_zlib_is_right),
        ("a_root_of_the_mathematical_library_is_right", a_root_of_the_mathematical_library_is_right),
        ("a_query_of_sqlite_is_right", a_query_of_sqlite_is_right),
        ("every_crash_is_contained_and_named", every_crash_is_contained_and_named),
        ("other_modules_answer_while_one_crashes", other_modules_answer_while_one_crashes),
        ("a_module_that_crashes_on_and_on_is_left_alone", a_module_that_crashes_on_and_on_is_left_alone),
        ("a_library_is_reloaded_in_a_process_of_its_own", a_library_is_reloaded_in_a_process_of_its_own),
        ("what_does_not_suit_is_refused_before_it_runs", what_does_not_suit_is_refused_before_it_runs),
        ("unsigned_libraries_need_a_permission", unsigned_libraries_need_a_permission),
        ("a_library_reaches_no_file_of_the_user", a_library_reaches_no_file_of_the_user),
        ("a_native_function_is_imported_by_wasm", imports::a_native_function_is_imported_by_wasm),
        (
            "a_library_calls_what_wasm_and_bytecode_export",
            imports::a_library_calls_what_wasm_and_bytecode_export,
        ),
        (
            "calls_go_back_and_forth_between_a_library_and_wasm",
            imports::calls_go_back_and_forth_between_a_library_and_wasm,
        ),
        (
            "a_failing_import_is_told_or_ends_the_process",
            imports::a_failing_import_is_told_or_ends_the_process,
        ),
        ("an_import_of_another_type_shows_both", imports::an_import_of_another_type_shows_both),
        ("values_cross_to_a_library_as_they_are", values_cross_to_a_library_as_they_are),
        (
            "a_package_brings_a_library_for_each_machine",
            packages::a_package_brings_a_library_for_each_machine,
        ),
        ("a_crash_takes_its_trust_domain_and_nothing_else", a_crash_takes_its_trust_domain_and_nothing_else),
        ("loads_and_unloads_of_all_kinds_leave_no_memory", loads_and_unloads_of_all_kinds_leave_no_memory),
    ];
    let trials = tests
        .iter()
        .map(|(name, test)| {
            Trial::test(*name, || {
                test();
                Ok(())
            })
            .with_kind("native")
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

struct Bench {
    loader: ModuleLoader,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(|config| config)
    }

    fn with(change: impl FnOnce(LoaderConfig) -> LoaderConfig) -> Self {
        let folder = TempDir::new().unwrap();
        let native = NativeOptions {
            command: vec![std::env::current_exe().unwrap().into(), RUN.into()],
            folder: folder.path().join("copies"),
            memory_bytes_max: 1 << 30,
            rung_min: Rung::Limits,
        };
        let config = LoaderConfig { native: Some(native), ..LoaderConfig::default() };
        Self { loader: ModuleLoader::with_config(change(config)), folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn table(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(&format!("{name}.vitffi"));
        std::fs::write(&path, format!("vitffi = 1\n{text}")).unwrap();
        path
    }

    /// Loads what a table speaks of; `None`, said aloud, if this machine has no such library.
    fn load_system(&self, name: &str, text: &str) -> Option<Module> {
        match self.loader.load_file(self.table(name, text)) {
            Ok(module) => Some(module),
            Err(LoadError::Native { message, .. }) if message.contains("No such file") => {
                eprintln!("SKIP: {message}");
                None
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn request(&self, name: &str, text: &str) -> CallRequest {
        let (function, arguments) = vitte_loader::split_call(text);
        CallRequest {
            module: name.parse().unwrap(),
            function: function.into(),
            arguments: arguments.into(),
            generation: None,
            time_max: None,
            cancel: Cancel::default(),
        }
    }

    fn call(&self, name: &str, text: &str) -> Result<Reply, CallError> {
        self.loader.call(&self.request(name, text))
    }

    fn says(&self, name: &str, text: &str) -> String {
        self.call(name, text).unwrap().results
    }
}

/// Compiles C; false, said aloud, where there is no compiler.
fn compile(source: &str, to: &Path) -> bool {
    let file = to.with_extension("c");
    std::fs::write(&file, source).unwrap();
    match Command::new("cc").args(["-shared", "-fPIC", "-O1", "-w", "-o"]).arg(to).arg(&file).status() {
        Ok(status) => {
            assert!(status.success());
            true
        }
        Err(_) => {
            eprintln!("SKIP: there is no C compiler");
            false
        }
    }
}

fn a_checksum_of_zlib_is_right() {
    let bench = Bench::new();
    let table = "library = 'libz.so.1'\n\
        [functions.crc32]\nparams = ['crc: ulong', 'data: bytes', 'length: uint = len(data)']\nresult = 'ulong'\n\
        [functions.zlibVersion]\nresult = 'text'\n\
        [functions.compress]\n\
        params = ['to: out bytes(64)', 'size: inout ulong = cap(to)', 'data: bytes', 'n: ulong = len(data)']\n\
        result = 'int'\n";
    let Some(module) = bench.load_system("z", table) else { return };
    assert_eq!((module.kind, module.tier), (Kind::Elf, Tier::Native));
    let signatures: Vec<&str> = module.exports.iter().map(|export| export.signature.as_str()).collect();
    assert_eq!(
        signatures,
        [
            "func(data: list<u8>) -> tuple<s32, list<u8>>",
            "func(crc: u64, data: list<u8>) -> u64",
            "func() -> string"
        ]
    );
    // "123456789", whose sum is in every description of the code.
    let digits = "[49, 50, 51, 52, 53, 54, 55, 56, 57]";
    assert_eq!(bench.says("z", &format!("crc32(0, {digits})")), u64::from(0xcbf4_3926_u32).to_string());
    assert!(bench.says("z", "zlibVersion()").starts_with("\"1."));
    let zeros = vec!["0"; 1000].join(", ");
    let packed = bench.says("z", &format!("compress([{zeros}])"));
    assert!(packed.starts_with("(0, [120, 156, ") && packed.len() < 120, "{packed}");
    let reply = bench.call("z", "crc32(0, [])").unwrap();
    assert_eq!((reply.tier, reply.generation, reply.results.as_str()), (Tier::Native, 1, "0"));
    assert_eq!(bench.call("z", "crc32(0)").unwrap_err().code(), "MODULE_ARGUMENTS");
}

fn a_root_of_the_mathematical_library_is_right() {
    let bench = Bench::new();
    let table = "library = 'libm.so.6'\n\
        [functions.sqrt]\nparams = ['x: double']\nresult = 'double'\n\
        [functions.powf]\nparams = ['x: float', 'y: float']\nresult = 'float'\n\
        [functions.frexp]\nparams = ['x: double', 'exponent: out int']\nresult = 'double'\n";
    let Some(_) = bench.load_system("m", table) else { return };
    assert_eq!(bench.says("m", "sqrt(2)"), 2_f64.sqrt().to_string());
    assert_eq!(bench.says("m", "powf(2, 0.5)"), 2_f32.powf(0.5).to_string());
    assert_eq!(bench.says("m", "frexp(12)"), "(0.75, 4)");
    assert_eq!(bench.says("m", "sqrt(-1)"), "nan");
}

fn a_query_of_sqlite_is_right() {
    let bench = Bench::new();
    let table = "library = 'libsqlite3.so.0'\n\
        [functions.open]\nsymbol = 'sqlite3_open'\nparams = ['path: text', 'db: out handle(db)']\nresult = 'int'\n\
        [functions.close]\nsymbol = 'sqlite3_close'\nparams = ['db: take handle(db)']\nresult = 'int'\n\
        [functions.message]\nsymbol = 'sqlite3_errmsg'\nparams = ['db: handle(db)']\nresult = 'text'\n\
        [functions.prepare]\nsymbol = 'sqlite3_prepare_v2'\n\
        params = ['db: handle(db)', 'sql: text', 'all: int = -1', 'statement: out handle(statement)', 'tail: null']\n\
        result = 'int'\n\
        [functions.step]\nsymbol = 'sqlite3_step'\nparams = ['s: handle(statement)']\nresult = 'int'\n\
        [functions.text]\nsymbol = 'sqlite3_column_text'\nparams = ['s: handle(statement)', 'column: int']\nresult = 'text?'\n\
        [functions.finalize]\nsymbol = 'sqlite3_finalize'\nparams = ['s: take handle(statement)']\nresult = 'int'\n";
    let Some(_) = bench.load_system("sql", table) else { return };
    assert_eq!(bench.says("sql", "open(\":memory:\")"), "(0, 1)");
    let query = "select group_concat(n * n, \\\" \\\") from (with c(n) as (select 1 union all select n + 1 from c \
        limit 4) select n from c)";
    assert_eq!(bench.says("sql", &format!("prepare(1, \"{query}\")")), "(0, 2)");
    assert_eq!(bench.says("sql", "step(2)"), "100", "a row");
    assert_eq!(bench.says("sql", "text(2, 0)"), "some(\"1 4 9 16\")");
    assert_eq!(bench.says("sql", "step(2)"), "101", "no more");
    assert_eq!(bench.says("sql", "finalize(2)"), "0");
    let freed = bench.call("sql", "step(2)").unwrap_err();
    assert!(freed.to_string().contains("there is no handle 2"), "{freed}");
    let other = bench.call("sql", "step(1)").unwrap_err();
    assert!(other.to_string().contains("handle 1 is a `db`, not a `statement`"), "{other}");
    assert_eq!(bench.says("sql", "prepare(1, \"nonsense\")"), "(1, 0)");
    assert!(bench.says("sql", "message(1)").contains("syntax error"));
    assert_eq!(bench.says("sql", "close(1)"), "0");
}

const CRASHES: &str = r#"
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    #include <fcntl.h>
    static volatile int zero;
    char *kept;
    int fine(int n) { return n + 1; }
    int segfault(void) { return *(volatile int *)8; }
    int aborts(void) { abort(); }
    int overflow(int n) { volatile char room[4096]; room[n & 4095] = n; return overflow(n + 1) + room[n & 4095]; }
    int memory(void) { for (;;) { kept = malloc(1 << 26); memset(kept, 1, 1 << 26); } }
    int divide(int n) { return n / zero; }
    int leaves(int status) { exit(status); }
    int leaves_at_once(int status) { _exit(status); }
    int forever(void) { for (;;) zero = 0; }
    int closes(void) { for (int i = 0; i < 256; i++) close(i); for (;;) pause(); }
    int nonsense(void) { write(0, "\xff\xff\xff\xff\xff", 5); for (;;) pause(); }
    int reads(const char *path) { return open(path, O_RDONLY); }
"#;
const CRASHES_TABLE: &str = "\
    [functions.fine]\nparams = ['n: int']\nresult = 'int'\n\
    [functions.segfault]\nresult = 'int'\n\
    [functions.aborts]\nresult = 'int'\n\
    [functions.overflow]\nparams = ['n: int']\nresult = 'int'\n\
    [functions.memory]\nresult = 'int'\n\
    [functions.divide]\nparams = ['n: int']\nresult = 'int'\n\
    [functions.leaves]\nparams = ['n: int']\nresult = 'int'\n\
    [functions.leaves_at_once]\nparams = ['n: int']\nresult = 'int'\n\
    [functions.forever]\nresult = 'int'\n\
    [functions.closes]\nresult = 'int'\n\
    [functions.nonsense]\nresult = 'int'\n\
    [functions.reads]\nparams = ['path: text']\nresult = 'int'\nfails = 'negative'\n";

/// Loads the library that crashes, under `name`.
fn crashing(bench: &Bench, name: &str) -> bool {
    let library = bench.path(&format!("{name}.so"));
    if !compile(CRASHES, &library) {
        return false;
    }
    bench.table(name, CRASHES_TABLE);
    bench.loader.load_file(&library).unwrap();
    true
}

fn every_crash_is_contained_and_named() {
    // How often each fault is injected; `VITTE_TEST_CRASHES=100` makes a thousand in all.
    let rounds: usize = std::env::var("VITTE_TEST_CRASHES").map_or(1, |text| text.parse().unwrap());
    let cases = [
        ("segfault()", "SIGSEGV (segmentation fault)"),
        ("aborts()", "SIGABRT (abort)"),
        ("overflow(0)", "SIGSEGV (segmentation fault)"),
        ("memory()", "SIGSEGV (segmentation fault)"),
        ("divide(1)", "SIGFPE (arithmetic fault)"),
        ("leaves(7)", "a call of `exit` with status 7"),
        ("leaves-at-once(0)", "a call of `exit` with status 0"),
        ("nonsense()", "a message that makes no sense"),
        ("closes()", "the end of its connection"),
    ];
    for round in 0..rounds {
        // Each with a count of crashes of its own.
        let bench = Bench::with(|config| LoaderConfig {
            probation: Duration::ZERO,
            // Memory runs out in its own time, however busy the machine is.
            call_max: Duration::from_secs(600),
            native: config.native.map(|native| NativeOptions { memory_bytes_max: 512 << 20, ..native }),
            ..config
        });
        if !crashing(&bench, "c") {
            return;
        }
        for (index, (call, how)) in cases.iter().enumerate() {
            if index % 4 == 3 {
                let name: ModuleName = "c".parse().unwrap();
                bench.loader.reload_file_of(&name, Breaking::Refuse, &Cancel::default()).unwrap();
            }
            let call = call.replace('-', "_");
            let error = bench.call("c", &call).unwrap_err();
            let CallError::Crashed { module, function, how: told } = &error else {
                panic!("{call}: {error:?}")
            };
            assert_eq!((module.as_str(), told.as_str()), ("c", *how), "{call}, round {round}");
            assert!(call.starts_with(function), "{function}");
            // A new process has taken its place.
            assert_eq!(bench.says("c", "fine(41)"), "42");
        }
        let late =
            CallRequest { time_max: Some(Duration::from_millis(30)), ..bench.request("c", "forever()") };
        assert_eq!(bench.loader.call(&late).unwrap_err().code(), "DEADLINE_EXCEEDED");
        assert_eq!(bench.says("c", "fine(41)"), "42");
    }
}

fn other_modules_answer_while_one_crashes() {
    let bench = Bench::new();
    if !(crashing(&bench, "bad") && crashing(&bench, "good")) {
        return;
    }
    std::thread::scope(|scope| {
        let crashes = scope.spawn(|| (0..4).all(|_| bench.call("bad", "segfault()").is_err()));
        while !crashes.is_finished() {
            assert_eq!(bench.says("good", "fine(1)"), "2");
        }
        assert!(crashes.join().unwrap());
    });
}

fn a_module_that_crashes_on_and_on_is_left_alone() {
    let bench = Bench::new();
    if !crashing(&bench, "c") {
        return;
    }
    let codes: Vec<&str> = (0..7).map(|_| bench.call("c", "aborts()").unwrap_err().code()).collect();
    assert_eq!(codes[..5], ["MODULE_CRASHED"; 5]);
    assert_eq!(codes[5..], ["MODULE_QUARANTINED"; 2]);
    let name: ModuleName = "c".parse().unwrap();
    bench.loader.reload_file_of(&name, Breaking::Refuse, &Cancel::default()).unwrap();
    assert_eq!(bench.says("c", "fine(1)"), "2", "a new generation begins with a clean record");
}

fn a_library_is_reloaded_in_a_process_of_its_own() {
    // With a destructor of its thread, which keeps a library in place when it is closed.
    let source = |number: u32| {
        format!(
            "#include <pthread.h>\nstatic pthread_key_t key; static int calls;\n\
             static void end(void *p) {{}}\n\
             int answer(void) {{ if (!calls++) {{ pthread_key_create(&key, end); pthread_setspecific(key, &key); }} \
             return {number} * 1000 + calls; }}"
        )
    };
    let bench = Bench::new();
    let library = bench.path("lib.so");
    bench.table("lib", "[functions.answer]\nresult = 'int'\n");
    for number in 1..=5 {
        if !compile(&source(number), &library) {
            return;
        }
        if number == 1 {
            bench.loader.load_file(&library).unwrap();
        } else {
            let name: ModuleName = "lib".parse().unwrap();
            bench.loader.reload_file_of(&name, Breaking::Refuse, &Cancel::default()).unwrap();
        }
        let replies = [1, 2].map(|_| bench.call("lib", "answer()").unwrap());
        assert_eq!(replies[0].results, format!("{}", number * 1000 + 1));
        assert_eq!(replies[1].results, format!("{}", number * 1000 + 2));
        assert_eq!(replies[1].generation, u64::from(number));
    }
    let name: ModuleName = "lib".parse().unwrap();
    bench.loader.unload(&name).unwrap();
    assert!(bench.loader.wait_unloaded(&name, Duration::from_secs(30)));
}

fn what_does_not_suit_is_refused_before_it_runs() {
    let bench = Bench::new();
    let marks = "static void __attribute__((constructor)) mark(void) { __builtin_trap(); }\nint f(void) { return 1; }";
    let library = bench.path("x.so");
    if !compile(marks, &library) {
        return;
    }
    let code = |path: &Path| bench.loader.load_file(path).unwrap_err().code();
    assert_eq!(code(&library), "MODULE_TABLE_MISSING");
    bench.table("x", "[functions.f]\nresult = 'int'\n[functions.g]\n[functions.h]\n");
    let missing = bench.loader.load_file(&library).unwrap_err();
    assert_eq!(missing.code(), "MODULE_LIBRARY_UNSUITED");
    assert!(missing.to_string().contains("does not export `g`, `h`"), "{missing}");
    bench.table("x", "[functions.f]\nresult = 'pointer'\n");
    assert_eq!(code(&library), "MODULE_TABLE_INVALID");
    bench.table("x", "[functions.f]\nresult = 'int'\n");
    let whole = std::fs::read(&library).unwrap();
    // Another machine's, half a file, an executable's type.
    for (what, change) in [
        ("machine", Box::new(|bytes: &mut Vec<u8>| bytes[18] = 183) as Box<dyn Fn(&mut Vec<u8>)>),
        ("half", Box::new(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2))),
        ("header", Box::new(|bytes: &mut Vec<u8>| bytes.truncate(40))),
        ("type", Box::new(|bytes: &mut Vec<u8>| bytes[16] = 1)),
    ] {
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(&library, bytes).unwrap();
        let refused = code(&library);
        assert!(["MODULE_LIBRARY_UNSUITED", "MODULE_TABLE_INVALID"].contains(&refused), "{what}: {refused}");
    }
    // Its constructor, when all is well, is contained like any other fault.
    std::fs::write(&library, &whole).unwrap();
    let crash = bench.loader.load_file(&library).unwrap_err();
    assert_eq!(crash.code(), "MODULE_START_FAILED");
    assert!(crash.to_string().contains("constructors"), "{crash}");
    let nowhere = bench.table("nowhere", "library = 'libnowhere.so.9'\n[functions.f]\n");
    assert_eq!(code(&nowhere), "MODULE_LIBRARY_REFUSED");
    assert!(bench.loader.modules().is_empty());
}

fn unsigned_libraries_need_a_permission() {
    let trust = TempDir::new().unwrap();
    let bench = Bench::with(|config| LoaderConfig { trust: Some(trust.path().to_owned()), ..config });
    let library = bench.path("x.so");
    if !compile("int f(void) { return 1; }", &library) {
        return;
    }
    bench.table("x", "[functions.f]\nresult = 'int'\n");
    let refused = bench.loader.load_file(&library).unwrap_err();
    assert_eq!(refused.code(), "SIGNATURE_MISSING");
    assert!(refused.to_string().contains("native code"), "{refused}");
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let key = pair.pk.to_box().unwrap().to_string();
    std::fs::write(trust.path().join("acme.pub"), key).unwrap();
    let sign = |file: &Path| {
        let content = std::io::Cursor::new(std::fs::read(file).unwrap());
        let signature = minisign::sign(None, &pair.sk, content, Some("test"), None).unwrap();
        std::fs::write(vitte_trust_path(file), signature.to_string()).unwrap();
    };
    sign(&library);
    assert_eq!(bench.loader.load_file(&library).unwrap_err().code(), "SIGNATURE_MISSING", "the table is not");
    sign(&bench.path("x.vitffi"));
    assert_eq!(bench.loader.load_file(&library).unwrap().signer.as_deref(), Some("acme"));
    assert_eq!(bench.says("x", "f()"), "1");
}

fn vitte_trust_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

fn a_library_reaches_no_file_of_the_user() {
    let bench = Bench::new();
    if !crashing(&bench, "c") {
        return;
    }
    let secret = bench.path("secret");
    std::fs::write(&secret, "x").unwrap();
    let began = Instant::now();
    let outcome = bench.call("c", &format!("reads({:?})", secret.display().to_string()));
    let message = outcome.map(|reply| reply.results).map_err(|error| error.to_string());
    let caps = vitte_sys::caps::probe();
    // On the lowest rung there is nothing to hold it.
    let confines = [Facility::Landlock, Facility::UserNamespaces];
    if !confines.iter().any(|facility| caps.has(*facility)) {
        eprintln!("SKIP: this machine has neither namespaces nor Landlock");
    } else {
        assert!(message.unwrap_err().contains("ermission denied"), "after {:?}", began.elapsed());
    }
}

fn values_cross_to_a_library_as_they_are() {
    let bench = Bench::new();
    let table = "library = 'libz.so.1'\n\
        [functions.crc32]\nparams = ['crc: ulong', 'data: bytes', 'length: uint = len(data)']\nresult = 'ulong'\n\
        [functions.zlibVersion]\nresult = 'text'\n\
        [functions.compress]\n\
        params = ['to: out bytes(64)', 'size: inout ulong = cap(to)', 'data: bytes', 'n: ulong = len(data)']\n\
        result = 'int'\n";
    let Some(_) = bench.load_system("z", table) else { return };
    let call = |function: &str, arguments: Vec<Value>| {
        let CallRequest { module, generation, time_max, cancel, .. } = bench.request("z", "");
        let function = function.to_owned();
        bench.loader.call_values(&CallRequest { module, function, arguments, generation, time_max, cancel })
    };
    let sum = call("crc32", vec![Value::U64(0), Value::Bytes(b"123456789".to_vec())]).unwrap();
    assert_eq!(sum.results, [Value::U64(0xcbf4_3926)]);
    assert!(
        matches!(call("zlibVersion", vec![]).unwrap().results.as_slice(), [Value::String(text)] if text.starts_with("1."))
    );
    let packed = call("compress", vec![Value::Bytes(vec![0; 1000])]).unwrap().results;
    let [Value::Tuple(parts)] = packed.as_slice() else { panic!("{packed:?}") };
    assert!(
        matches!(parts.as_slice(), [Value::S32(0), Value::Bytes(bytes)] if bytes.starts_with(&[120, 156]))
    );
    let wrong = call("crc32", vec![Value::U32(0), Value::Bytes(vec![])]).unwrap_err();
    assert_eq!(wrong.code(), "MODULE_ARGUMENTS");
    assert!(wrong.to_string().contains("argument 1, a u32 was given where u64 is wanted"), "{wrong}");
}

fn manifest() -> Manifest {
    Manifest {
        format: 1,
        id: "acme:p".into(),
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

fn a_crash_takes_its_trust_domain_and_nothing_else() {
    let keys = [(); 2].map(|()| minisign::KeyPair::generate_unencrypted_keypair().unwrap());
    let folder = TempDir::new().unwrap();
    let trust = folder.path().join("trust");
    std::fs::create_dir(&trust).unwrap();
    for (name, keys) in ["acme", "other"].into_iter().zip(&keys) {
        std::fs::write(trust.join(format!("{name}.pub")), keys.pk.to_box().unwrap().into_string()).unwrap();
    }
    let bench = Bench::with(|config| LoaderConfig { trust: Some(trust), ..config });
    let sign = |keys: &minisign::KeyPair, path: &Path| {
        let content = std::io::Cursor::new(std::fs::read(path).unwrap());
        let signed = minisign::sign(Some(&keys.pk), &keys.sk, content, Some("test"), None).unwrap();
        std::fs::write(vitte_trust_path(path), signed.into_string()).unwrap();
    };
    // The environment of its process is what a library shares with its neighbours.
    let source = "#include <stdlib.h>\nstatic int n;\nint count(void) { return ++n; }\n\
                  int mark(void) { return setenv(\"VITTE_MARK\", \"1\", 1); }\n\
                  int marked(void) { return getenv(\"VITTE_MARK\") != 0; }\nint boom(void) { abort(); }";
    for (name, keys) in [("a", &keys[0]), ("b", &keys[0]), ("c", &keys[1])] {
        let library = bench.path(&format!("{name}.so"));
        // Other bytes for each: equal files are one library.
        if !compile(&format!("{source}\nint which_{name};"), &library) {
            eprintln!("SKIP: no C compiler here");
            return;
        }
        let table = bench.table(
            name,
            "[functions.count]\nresult = 'int'\n[functions.mark]\nresult = 'int'\n[functions.marked]\nresult = 'int'\n[functions.boom]\nresult = 'int'\n",
        );
        sign(keys, &library);
        sign(keys, &table);
        bench.loader.load_file(&library).unwrap();
    }
    let marked = |module: &str| bench.says(module, "marked()");
    assert_eq!(bench.says("a", "mark()"), "0");
    assert_eq!(marked("b"), "1", "the same signer and the same capabilities");
    assert_eq!(marked("c"), "0", "another signer");
    assert_eq!((bench.says("b", "count()"), bench.says("b", "count()")), ("1".into(), "2".into()));
    assert_eq!(bench.says("c", "count()"), "1");
    let watched = bench.loader.subscribe(0);
    let error = bench.call("a", "boom()").unwrap_err();
    assert!(matches!(error, CallError::Crashed { .. }), "{error}");
    let mut told = Vec::new();
    while let Ok(Some(event)) = watched.next(Duration::from_millis(200)) {
        if event.reason.contains("SIGABRT") {
            assert!(event.reason.contains("`boom` of `a`"), "{}", event.reason);
            told.push(event.module.as_str().to_owned());
        }
    }
    assert_eq!(told, ["a", "b"]);
    // What the neighbour kept is lost, and it goes on; the others know nothing of it.
    assert_eq!((bench.says("b", "count()"), bench.says("c", "count()")), ("1".into(), "2".into()));
    assert_eq!((marked("a"), marked("b")), ("0".into(), "0".into()), "a new process");
    // A new generation of one leaves the other alone.
    bench.loader.reload_file_of(&"a".parse().unwrap(), Breaking::Refuse, &Cancel::default()).unwrap();
    assert_eq!(bench.says("b", "mark()"), "0");
    assert_eq!(marked("a"), "0", "a process of its own");
    assert_eq!(bench.says("b", "count()"), "2");
}

/// Resident memory of this process, in bytes, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn loads_and_unloads_of_all_kinds_leave_no_memory() {
    // `VITTE_TEST_LOADS=10000` is the whole; memory is compared with that after a twentieth, or after 200.
    let loads: usize = std::env::var("VITTE_TEST_LOADS").map_or(1200, |text| text.parse().unwrap());
    let caches = TempDir::new().unwrap();
    let cache = vitte_loader::CacheOptions {
        folder: caches.path().join("code"),
        key: caches.path().join("key"),
        budget_bytes: 64 << 20,
    };
    let bench = Bench::with(|config| LoaderConfig { cache: Some(cache), ..config });
    let module =
        wat::parse_str(r#"(module (memory 4) (func (export "f") (result i32) i32.const 1))"#).unwrap();
    let component = wat::parse_str(
        r#"(component (core module $m (func (export "f") (result i32) i32.const 1))
            (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))"#,
    )
    .unwrap();
    let artifacts = vec![("main.wasm".to_owned(), ArtifactKind::Wasm, "any".to_owned(), module.clone())];
    let package = pack::<ContainerError>(manifest(), artifacts, |_, _| Ok(None)).unwrap();
    let mut files = Vec::new();
    for (name, bytes) in [("m.wasm", &module), ("c.wasm", &component), ("p.vitmod", &package)] {
        std::fs::write(bench.path(name), bytes).unwrap();
        files.push(bench.path(name));
    }
    let library = bench.path("lib.so");
    if compile("int f(void) { return 1; }", &library) {
        bench.table("lib", "[functions.f]\nresult = 'int'\n");
        files.push(library);
    }
    let mut early = None;
    for round in 0..loads {
        let loaded = bench.loader.load_file(&files[round % files.len()]).unwrap();
        assert_eq!(bench.says(loaded.name.as_str(), "f()"), "1");
        bench.loader.unload(&loaded.name).unwrap();
        assert!(bench.loader.wait_unloaded(&loaded.name, Duration::from_secs(30)));
        if round == (loads / 20).max(200) {
            early = resident();
        }
    }
    assert!(bench.loader.modules().is_empty());
    let (Some(early), Some(late)) = (early, resident()) else {
        eprintln!("SKIP: this system does not tell how much memory is resident");
        return;
    };
    eprintln!("resident early: {early} bytes, after {loads} loads: {late}");
    // What an allocator keeps for a few threads is no leak; a leak of a page for each load would be seen.
    assert!(late <= early + early / 20 + (2 << 20), "{early} bytes became {late}");
}
