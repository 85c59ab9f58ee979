//! What tier 0 costs: `cargo bench -p vitte-bytecode`. Beside it, what wasmi, an interpreter for WebAssembly, needs
//! for the same program lowered.
//!
//! Bad numbers, on a quiet machine: fib(30) above 30 ms, any kernel slower than wasmi by half.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::time::{Duration, Instant};

use vitte_bytecode::{Compiled, Config, Instance, InternalExports, NoImports, Value, load, lower};

#[path = "../tests/support/kernels.rs"]
mod kernels;

const ROUNDS: usize = 7;

/// The median of some rounds.
fn measure(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn main() {
    println!("{:<32} {:>12} {:>12} {:>12}", "kernel", "load", "tier 0", "wasmi");
    for kernel in kernels::all() {
        let loaded = measure(|| {
            std::hint::black_box(Compiled::new(load(&kernel.bytes).unwrap()));
        });
        let compiled = Compiled::new(kernel.module.clone());
        let own = measure(|| {
            let mut instance = Instance::new(&compiled, &NoImports, Config::default()).unwrap();
            let given = instance.call(&mut NoImports, "run", &kernel.args).unwrap();
            assert_eq!(given, [kernel.expected]);
        });
        let engine = wasmi::Engine::default();
        let wasm = lower(&kernel.module, InternalExports::No).wasm;
        let module = wasmi::Module::new(&engine, &wasm).unwrap();
        let Value::I32(arg) = kernel.args[0] else { continue };
        let theirs = measure(|| {
            let mut store = wasmi::Store::new(&engine, ());
            let instance = wasmi::Linker::new(&engine).instantiate_and_start(&mut store, &module).unwrap();
            let run = instance.get_func(&store, "run").unwrap();
            let mut results = [wasmi::Val::I32(0)];
            run.call(&mut store, &[wasmi::Val::I32(arg)], &mut results).unwrap();
            std::hint::black_box(results);
        });
        let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
        println!("{:<32} {:>12} {:>12} {:>12}", kernel.name, ms(loaded), ms(own), ms(theirs));
    }
}
