//! Damaged files: the decoder and the verifier refuse them or accept what is then right in every way. Nothing
//! panics, and what is accepted has exactly one encoding, lowers to valid WebAssembly, and runs metered.
//!
//! `VITTE_BYTECODE_MUTATIONS` says how many (20,000), `VITTE_TEST_SEED` where they begin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::fmt::Write as _;

use support::random::Random;
use support::{generator, kernels, rich, setting};
use vitte_bytecode::{Compiled, Config, Instance, InternalExports, NoImports, Value, encode, load, lower};

/// Bytes that mean something in many places.
const TELLING: [u8; 12] = [0, 1, 2, 0x0b, 0x0c, 0x40, 0x41, 0x7f, 0x80, 0xc3, 0xfe, 0xff];

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.bits() as u8,
            2 => bytes[at] = random.choose(&TELLING),
            3 => bytes.insert(at, random.choose(&TELLING)),
            4 => {
                bytes.remove(at);
            }
            5 => {
                // A piece of it somewhere else.
                let end = (at + 1 + random.below(16)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes[at] = bytes[at].wrapping_add(if random.one_in(2) { 1 } else { 0xff }),
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

/// Everything that is done with a module that was accepted.
fn use_it(bytes: &[u8], context: &dyn Fn() -> String) -> bool {
    let verified = match load(bytes) {
        Ok(verified) => verified,
        Err(report) => {
            assert!(!report.problems.is_empty(), "{}", context());
            for problem in &report.problems {
                assert!(problem.offset <= bytes.len(), "{}: {problem}", context());
            }
            return false;
        }
    };
    assert_eq!(encode(verified.module()), bytes, "{}", context());
    let mut text = String::new();
    write!(text, "{}", verified.module()).unwrap();
    let wasm = lower(&verified, InternalExports::Yes).wasm;
    let mut wasmi_config = wasmi::Config::default();
    wasmi_config.wasm_memory64(true);
    if let Err(error) = wasmi::Module::new(&wasmi::Engine::new(&wasmi_config), &wasm) {
        panic!("{}: {error}\n{text}", context());
    }
    let config = Config { memory_bytes: 1 << 20, call_depth: 1000, stack_slots: 1 << 16, fuel: Some(2000) };
    let module = verified.module().clone();
    let Ok(mut instance) = Instance::new(&Compiled::new(verified), &NoImports, config) else { return true };
    for number in 0..module.functions.len() as u32 {
        let signature = module.function_signature(number).unwrap();
        let args: Vec<Value> = signature.params.iter().map(|ty| Value::from_bits(*ty, 3)).collect();
        // What it gives is for other tests; here it must come to an end.
        if let Ok(results) = instance.call_function(&mut NoImports, number, &args) {
            assert_eq!(results.len(), signature.results.len(), "{}", context());
        }
        instance.set_fuel(Some(2000));
    }
    true
}

#[test]
fn damaged_files_are_refused_or_right() {
    let first = setting("VITTE_TEST_SEED", 0);
    let count = setting("VITTE_BYTECODE_MUTATIONS", 20_000);
    let mut seeds: Vec<Vec<u8>> = vec![
        encode(&rich::module()),
        kernels::sieve(10).bytes,
        kernels::dispatch(10).bytes,
        kernels::matrix(2).bytes,
    ];
    seeds.extend((0..8).map(|seed| {
        let mut module = generator::module(&mut Random::new(seed)).finish();
        // The host of this suite provides nothing.
        if !module.imports.is_empty() {
            module.imports.clear();
        }
        encode(&module)
    }));
    let mut accepted = 0;
    for number in first..first + count {
        let mut random = Random::new(number);
        let mut bytes = seeds[random.below(seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        accepted += u64::from(use_it(&bytes, &|| format!("mutation {number}")));
    }
    println!("{count} damaged files, {accepted} of them right");
    // If nearly all were refused at once, nothing behind the decoder would have been tried.
    assert!(count < 1000 || accepted > count / 100, "{accepted}");
}

#[test]
fn every_single_byte_of_a_module_may_be_any_other() {
    let bytes = encode(&rich::module());
    let values: Vec<u8> = TELLING.to_vec();
    for at in 0..bytes.len() {
        for value in &values {
            let mut damaged = bytes.clone();
            damaged[at] = *value;
            use_it(&damaged, &|| format!("byte {at} is {value}"));
        }
    }
}

#[test]
fn noise_is_refused() {
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let mut bytes = b"\0vbc\x01\0\x01\0".to_vec();
        let length = random.below(200);
        bytes.extend((0..length).map(|_| random.choose(&TELLING)));
        use_it(&bytes, &|| format!("noise {seed}"));
    }
}
