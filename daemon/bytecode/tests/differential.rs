//! Tier 0 against the lowered code under an engine that others made: results, traps, memory, globals and what the
//! host saw agree to the bit.
//!
//! `VITTE_BYTECODE_PROGRAMS` says how many random programs (10,000, and 2,000 without optimisation), `VITTE_TEST_SEED`
//! where they begin:
//! `VITTE_BYTECODE_PROGRAMS=1000000 cargo test --release -p vitte-bytecode --test differential`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use support::random::Random;
use support::{generator, kernels, setting};
use vitte_bytecode::{
    CallError, Caller, Compiled, Config, Host, HostError, Import, Instance, InternalExports, TrapKind, Value,
    ValueType, Verified, lower,
};

/// Bytes of memory that both engines allow.
const MEMORY_BYTES: u64 = 4 * 65_536;

/// What the import `env.mix` computes from all that it has seen.
fn mix(log: &mut u64, a: u64, b: u64) -> u64 {
    *log = (log.rotate_left(7) ^ a).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b;
    *log
}

struct Mixer(u64);

impl Host for Mixer {
    fn provides(&self, import: &Import) -> bool {
        import.module == "env" && import.name == "mix"
    }

    fn call(
        &mut self,
        _: u32,
        _: &mut Caller<'_>,
        args: &[Value],
        results: &mut Vec<Value>,
    ) -> Result<(), HostError> {
        results.push(Value::I64(mix(&mut self.0, args[0].bits(), args[1].bits()) as i64));
        Ok(())
    }
}

/// Results as bits, or what ended the call.
type Outcome = Result<Vec<Value>, String>;

fn own_outcome(given: Result<Vec<Value>, CallError>) -> Outcome {
    given.map_err(|error| match error {
        CallError::Trap(trap) => match trap.kind {
            TrapKind::Unreachable => "unreachable".to_owned(),
            TrapKind::DivisionByZero => "division by zero".to_owned(),
            TrapKind::IntegerOverflow => "overflow".to_owned(),
            TrapKind::InvalidConversion => "conversion".to_owned(),
            TrapKind::MemoryOutOfBounds => "memory".to_owned(),
            TrapKind::UndefinedSlot => "undefined slot".to_owned(),
            TrapKind::EmptySlot => "empty slot".to_owned(),
            TrapKind::SignatureMismatch => "signature".to_owned(),
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    })
}

/// What the other engine's host keeps.
struct Kept {
    log: u64,
    limits: wasmi::StoreLimits,
}

struct Theirs {
    store: wasmi::Store<Kept>,
    instance: wasmi::Instance,
}

impl Theirs {
    fn new(verified: &Verified, memory_bytes: u64) -> Self {
        let mut config = wasmi::Config::default();
        config.wasm_memory64(true);
        let engine = wasmi::Engine::new(&config);
        let wasm = lower(verified, InternalExports::Yes).wasm;
        let module = wasmi::Module::new(&engine, &wasm).unwrap();
        let limits = wasmi::StoreLimitsBuilder::new().memory_size(memory_bytes as usize).build();
        let mut store = wasmi::Store::new(&engine, Kept { log: 0, limits });
        store.limiter(|kept| &mut kept.limits);
        let mut linker = wasmi::Linker::<Kept>::new(&engine);
        linker
            .func_wrap("env", "mix", |mut caller: wasmi::Caller<'_, Kept>, a: i64, b: wasmi::F64| {
                mix(&mut caller.data_mut().log, a as u64, b.to_bits()) as i64
            })
            .unwrap();
        let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
        Self { store, instance }
    }

    fn call(&mut self, name: &str, args: &[Value], results: &[ValueType]) -> Outcome {
        let function = self.instance.get_func(&self.store, name).unwrap();
        let args: Vec<wasmi::Val> = args.iter().map(|value| to_wasmi(*value)).collect();
        let mut given: Vec<wasmi::Val> =
            results.iter().map(|ty| to_wasmi(Value::from_bits(*ty, 0))).collect();
        match function.call(&mut self.store, &args, &mut given) {
            Ok(()) => Ok(given.iter().map(from_wasmi).collect()),
            Err(error) => Err(match error.as_trap_code() {
                Some(wasmi::TrapCode::UnreachableCodeReached) => "unreachable",
                Some(wasmi::TrapCode::IntegerDivisionByZero) => "division by zero",
                Some(wasmi::TrapCode::IntegerOverflow) => "overflow",
                Some(wasmi::TrapCode::BadConversionToInteger) => "conversion",
                Some(wasmi::TrapCode::MemoryOutOfBounds) => "memory",
                Some(wasmi::TrapCode::TableOutOfBounds) => "undefined slot",
                Some(wasmi::TrapCode::IndirectCallToNull) => "empty slot",
                Some(wasmi::TrapCode::BadSignature) => "signature",
                _ => panic!("{error}"),
            }
            .to_owned()),
        }
    }

    fn global(&self, number: usize) -> Value {
        let global = self.instance.get_global(&self.store, &format!("vitbc.global.{number}")).unwrap();
        from_wasmi(&global.get(&self.store))
    }

    fn set_global(&mut self, number: usize, value: Value) {
        let global = self.instance.get_global(&self.store, &format!("vitbc.global.{number}")).unwrap();
        global.set(&mut self.store, to_wasmi(value)).unwrap();
    }

    fn memory(&self) -> &[u8] {
        self.instance.get_memory(&self.store, "vitbc.memory").unwrap().data(&self.store)
    }

    /// Goes on with this memory.
    fn set_memory(&mut self, bytes: &[u8]) {
        let memory = self.instance.get_memory(&self.store, "vitbc.memory").unwrap();
        let missing = (bytes.len() - memory.data(&self.store).len()) as u64 / 65_536;
        memory.grow(&mut self.store, missing).unwrap();
        memory.data_mut(&mut self.store).copy_from_slice(bytes);
    }
}

fn to_wasmi(value: Value) -> wasmi::Val {
    match value {
        Value::I32(value) => wasmi::Val::I32(value),
        Value::I64(value) => wasmi::Val::I64(value),
        Value::F32(value) => wasmi::Val::F32(wasmi::F32::from_bits(value.to_bits())),
        Value::F64(value) => wasmi::Val::F64(wasmi::F64::from_bits(value.to_bits())),
    }
}

fn from_wasmi(value: &wasmi::Val) -> Value {
    match value {
        wasmi::Val::I32(value) => Value::I32(*value),
        wasmi::Val::I64(value) => Value::I64(*value),
        wasmi::Val::F32(value) => Value::F32(f32::from_bits(value.to_bits())),
        wasmi::Val::F64(value) => Value::F64(f64::from_bits(value.to_bits())),
        _ => panic!("{value:?}"),
    }
}

/// Runs one random program on both; gives how many calls returned, and how many trapped.
fn compare(seed: u64) -> (u64, u64) {
    let mut random = Random::new(seed);
    let (bytes, verified) = generator::module(&mut random).build().unwrap_or_else(|report| {
        panic!("seed {seed}: the generator's module is wrong:\n{report}");
    });
    assert_eq!(vitte_bytecode::encode(verified.module()), bytes, "seed {seed}");
    let config = Config { memory_bytes: MEMORY_BYTES, ..Config::default() };
    let mut host = Mixer(0);
    let mut own = Instance::new(&Compiled::new(verified.clone()), &host, config).unwrap();
    let mut theirs = Theirs::new(&verified, MEMORY_BYTES);
    let module = verified.module();
    let (mut returned, mut trapped) = (0, 0);
    for (at, _) in module.functions.iter().enumerate().cycle().take(2 * module.functions.len()) {
        if random.one_in(8) {
            // Another engine goes on in the middle, as when a module is promoted.
            theirs = Theirs::new(&verified, MEMORY_BYTES);
            theirs.store.data_mut().log = host.0;
            theirs.set_memory(own.memory().bytes());
            for (number, value) in own.globals().into_iter().enumerate() {
                theirs.set_global(number, value);
            }
        }
        let signature = module.function_signature(at as u32).unwrap();
        let args: Vec<Value> =
            signature.params.iter().map(|ty| generator::interesting(&mut random, *ty)).collect();
        let name = format!("f{at}");
        let ours = own_outcome(own.call(&mut host, &name, &args));
        let expected = theirs.call(&name, &args, &signature.results);
        let context = || format!("seed {seed}, {name} of {args:?}\n{}", verified.module());
        assert_eq!(ours, expected, "{}", context());
        assert_eq!(host.0, theirs.store.data().log, "what the host saw: {}", context());
        for (number, value) in own.globals().into_iter().enumerate() {
            assert_eq!(value, theirs.global(number), "global {number}: {}", context());
        }
        assert!(own.memory().bytes() == theirs.memory(), "memory differs: {}", context());
        match ours {
            Ok(_) => returned += 1,
            Err(_) => trapped += 1,
        }
    }
    (returned, trapped)
}

#[test]
fn random_programs_agree() {
    let first = setting("VITTE_TEST_SEED", 0);
    let count = setting("VITTE_BYTECODE_PROGRAMS", if cfg!(debug_assertions) { 2_000 } else { 10_000 });
    let (mut returned, mut trapped) = (0, 0);
    for seed in first..first + count {
        let (now_returned, now_trapped) = compare(seed);
        returned += now_returned;
        trapped += now_trapped;
    }
    println!("{count} programs: {returned} calls returned, {trapped} trapped");
    // A generator whose programs all end in a trap, or never do, would show little.
    assert!(count < 100 || (returned > count / 2 && trapped > count / 20), "{returned} {trapped}");
}

#[test]
fn kernels_agree() {
    for kernel in [
        kernels::fib(15),
        kernels::sum(1000),
        kernels::sieve(1000),
        kernels::matrix(7),
        kernels::hash(999),
        kernels::dispatch(999),
    ] {
        let mut own =
            Instance::new(&Compiled::new(kernel.module.clone()), &Mixer(0), Config::default()).unwrap();
        let given = own.call(&mut Mixer(0), "run", &kernel.args);
        let types = [kernel.expected.ty()];
        let expected =
            Theirs::new(&kernel.module, Config::default().memory_bytes).call("run", &kernel.args, &types);
        assert_eq!(own_outcome(given), Ok(vec![kernel.expected]), "{}", kernel.name);
        assert_eq!(expected, Ok(vec![kernel.expected]), "{}", kernel.name);
    }
}
