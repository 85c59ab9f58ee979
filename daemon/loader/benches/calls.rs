//! What calls, loads and reloads cost: `cargo bench -p vitte-loader --bench calls [-- echo|native|kept|reload]`.
//!
//! Bad would be: an empty call over 20 µs; a load from kept code over a tenth of compiling; an echo of 64 KiB
//! over three times the engine's own typed call; a p99 under reloads over 1.5 times the p99 without.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vitte_loader::{
    Breaking, CacheOptions, CallRequest, Cancel, LoadRequest, LoaderConfig, ModuleLoader, ModuleName,
    NativeOptions, Workers,
};
use vitte_sys::sandbox::Rung;

const CALLERS: usize = 32;

fn answers(number: u32, functions: u32) -> Vec<u8> {
    let mut text = format!(r#"(module (memory 1) (func (export "answer") (result i32) i32.const {number})"#);
    for index in 0..functions {
        text.push_str(&format!(
            r#"(func (export "f{index}") (param i32) (result i32)
                (local.set 0 (i32.mul (local.get 0) (i32.const {index})))
                (i32.add (i32.load (i32.and (local.get 0) (i32.const 0xfff))) (local.get 0)))"#
        ));
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

fn request(name: &ModuleName) -> CallRequest {
    CallRequest {
        module: name.clone(),
        function: "answer".into(),
        arguments: "()".into(),
        generation: None,
        time_max: None,
        cancel: Cancel::default(),
    }
}

/// Median and 99th percentile in microseconds.
fn show(what: &str, mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    println!("{what:<44} median {:>9.1} µs  p99 {:>9.1} µs  of {}", at(0.5), at(0.99), times.len());
    (at(0.5), at(0.99))
}

fn times(count: usize, mut work: impl FnMut()) -> Vec<Duration> {
    (0..count)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect()
}

fn under_load(loader: &ModuleLoader, name: &ModuleName, mut meanwhile: impl FnMut()) -> Vec<Duration> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let request = request(name);
                    let mut times = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        let began = Instant::now();
                        let reply = loader.call(&request).unwrap();
                        times.push(began.elapsed());
                        assert_eq!(reply.results, reply.generation.to_string());
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    times
                })
            })
            .collect();
        meanwhile();
        over.store(true, Ordering::Relaxed);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

/// Gives back what it is given.
const ECHO: &str = r#"(component
    (core module $m
        (memory (export "memory") 4)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func (export "echo") (param i32 i32) (result i32)
            (i32.store (i32.const 0) (local.get 0))
            (i32.store (i32.const 4) (local.get 1))
            i32.const 0))
    (core instance $i (instantiate $m))
    (alias core export $i "memory" (core memory $memory))
    (alias core export $i "realloc" (core func $realloc))
    (func (export "echo") (param "bytes" (list u8)) (result (list u8))
        (canon lift (core func $i "echo") (memory $memory) (realloc (core func $realloc)))))"#;

/// 64 KiB there and back, by the engine's own typed call and by ours.
fn echo(loader: &ModuleLoader, folder: &std::path::Path) {
    use wasmtime::component::{Component, Linker};
    let bytes = vec![7_u8; 64 << 10];
    let binary = wat::parse_str(ECHO).unwrap();
    let engine = wasmtime::Engine::new(wasmtime::Config::new().concurrency_support(false)).unwrap();
    let component = Component::new(&engine, &binary).unwrap();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let func = instance.get_typed_func::<(&[u8],), (Vec<u8>,)>(&mut store, "echo").unwrap();
    let (direct, _) = show(
        "echo of 64 KiB, the engine's typed call",
        times(5000, || assert_eq!(func.call(&mut store, (&bytes,)).unwrap().0.len(), bytes.len())),
    );
    let path = folder.join("echo.wasm");
    std::fs::write(&path, binary).unwrap();
    let module = loader.load_file(&path).unwrap().name;
    let request = CallRequest {
        module,
        function: "echo".into(),
        arguments: bytes,
        generation: None,
        time_max: None,
        cancel: Cancel::default(),
    };
    let call = || assert_eq!(loader.call_bytes(&request).unwrap().results.len(), 64 << 10);
    let (ours, _) = show("echo of 64 KiB, a call with bytes", times(5000, call));
    println!("calls with bytes beside typed calls: {:.2}", ours / direct);
}

/// A module of `bytes` bytes or a little more: loops over memory, of which a few are exported.
fn large(bytes: usize) -> Vec<u8> {
    let mut text = String::from("(module (memory 4)");
    // A function is about 110 bytes long in the binary.
    for index in 0..bytes / 110 {
        let export = if index % 400 == 0 { format!(r#"(export "f{index}")"#) } else { String::new() };
        let other = index.saturating_sub(1);
        text.push_str(&format!(
            r#"(func $f{index} {export} (param $n i32) (param $p i32) (result i32) (local $i i32) (local $sum i32)
                (loop $next
                    (if (i32.gt_u (i32.rem_u (local.get $i) (i32.const 7)) (i32.const 3))
                        (then (local.set $sum (i32.add (local.get $sum)
                            (i32.load offset=64 (i32.and (i32.add (local.get $p) (local.get $i)) (i32.const 0xfffc))))))
                        (else (i32.store offset=128
                            (i32.and (i32.mul (local.get $i) (i32.const {index})) (i32.const 0xfffc))
                            (i32.xor (local.get $sum) (local.get $i)))))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
                (if (result i32) (i32.gt_u (local.get $n) (i32.const 1000000))
                    (then (call $f{other} (i32.const 1) (local.get $sum)))
                    (else (local.get $sum))))"#
        ));
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

/// A large module compiled, and loaded when its code is kept: on disk, for a service that has just begun, and in memory.
fn kept(config: &dyn Fn() -> LoaderConfig, small: &std::path::Path, folder: &std::path::Path) {
    let path = folder.join("large.wasm");
    let binary = large(800_000);
    std::fs::write(&path, &binary).unwrap();
    let load = |loader: &ModuleLoader| {
        let began = Instant::now();
        let name = loader.load_file(&path).unwrap().name;
        let elapsed = began.elapsed();
        loader.unload(&name).unwrap();
        elapsed
    };
    // The engine is made by the first load.
    let begun = || {
        let loader = ModuleLoader::with_config(config());
        loader.load_file(small).unwrap();
        loader
    };
    let size = binary.len() / 1000;
    let first = begun();
    let (compiled, _) = show(&format!("load of {size} kB, compiled"), vec![load(&first)]);
    let disk = (0..20).map(|_| load(&begun())).collect();
    let (disk, _) = show(&format!("load of {size} kB, kept on disk"), disk);
    let memory = (0..20).map(|_| load(&first)).collect();
    let (memory, _) = show(&format!("load of {size} kB, kept in memory"), memory);
    println!(
        "compiling beside loading what is kept: on disk {:.0}, in memory {:.0}",
        compiled / disk,
        compiled / memory
    );
}

/// The argument that makes this binary a library's process.
const RUN: &str = "run-library";
/// The argument that makes this binary the process that compiles a module.
const COMPILE: &str = "compile-module";

fn native(loader: &ModuleLoader, folder: &std::path::Path) {
    let path = folder.join("c.vitffi");
    let table = "vitffi = 1\nlibrary = 'libc.so.6'\n[functions.abs]\nparams = ['n: int']\nresult = 'int'\n";
    std::fs::write(&path, table).unwrap();
    let Ok(module) = loader.load_file(&path) else {
        println!("SKIP: no libc.so.6");
        return;
    };
    let call = CallRequest { function: "abs".into(), arguments: "(-7)".into(), ..request(&module.name) };
    show("an empty call of a native library", times(5000, || drop(loader.call(&call).unwrap())));
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(RUN) => return vitte_loader::runner_main(),
        Some(COMPILE) => return vitte_loader::worker_main(),
        Some(_) | None => {}
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheOptions {
        folder: folder.path().join("cache"),
        key: folder.path().join("key"),
        budget_bytes: 1 << 30,
    };
    let own = std::env::current_exe().unwrap();
    let config = || LoaderConfig {
        // As the service does it.
        workers: Workers::Process(vec![own.clone().into(), COMPILE.into()]),
        cache: Some(cache.clone()),
        native: Some(NativeOptions {
            command: vec![own.clone().into(), RUN.into()],
            folder: folder.path().join("native"),
            memory_bytes_max: 1 << 30,
            rung_min: Rung::Limits,
        }),
        probation: Duration::ZERO,
        generations_max: 64,
        ..LoaderConfig::default()
    };
    let path = folder.path().join("m.wasm");
    let loader = ModuleLoader::with_config(config());
    std::fs::write(&path, answers(1, 0)).unwrap();
    let name = loader.load_file(&path).unwrap().name;
    let call = request(&name);
    drop(times(1000, || drop(loader.call(&call).unwrap())));
    show("an empty call", times(20_000, || drop(loader.call(&call).unwrap())));

    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |part: &str| only.is_empty() || only.iter().any(|wanted| wanted == part);
    if is_wanted("echo") {
        echo(&loader, folder.path());
    }
    if is_wanted("native") {
        native(&loader, folder.path());
    }
    if is_wanted("kept") {
        kept(&config, &path, folder.path());
    }
    if is_wanted("reload") {
        reload(&loader, &name, &path);
    }
    ExitCode::SUCCESS
}

/// Calls of 32 clients, and the same while the module is reloaded a thousand times.
fn reload(loader: &ModuleLoader, name: &ModuleName, path: &std::path::Path) {
    // A reload that has to compile, and one that finds its code.
    let (_, calm) =
        show("calls of 32 clients", under_load(loader, name, || std::thread::sleep(Duration::from_secs(2))));
    let mut reloads = Vec::new();
    let during = under_load(loader, name, || {
        for number in 2..=1001 {
            std::fs::write(path, answers(number, 0)).unwrap();
            let began = Instant::now();
            let request = LoadRequest { breaking: Breaking::Refuse, ..LoadRequest::new(path) };
            loader.reload(&[request], &Cancel::default()).unwrap();
            reloads.push(began.elapsed());
        }
    });
    show("reloads, compiled here", reloads);
    let (_, busy) = show("calls of 32 clients under 1,000 reloads", during);
    println!("p99 under reloads beside p99 without: {:.2}", busy / calm);
}
