//! Tier 0 from outside: calls, traps with their places, limits, hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{kernels, rich};
use vitte_bytecode::ValueType::{F64, I32, I64};
use vitte_bytecode::{
    AddressType, BinaryOp, CallError, Caller, Compiled, Config, FunctionBuilder, Host, HostError, Import,
    Instance, InstantiateError, Instruction, InternalExports, LoadOp, MemoryType, ModuleBuilder, NoImports,
    Place, Signature, StoreOp, Trap, TrapKind, Value, ValueType, Verified, encode, load, lower,
};

/// A module whose function `run` is built by `build`, with a memory of one page.
fn module(
    params: &[ValueType],
    results: &[ValueType],
    build: impl FnOnce(&mut ModuleBuilder, &mut FunctionBuilder, vitte_bytecode::FunctionId),
) -> Verified {
    let mut module = ModuleBuilder::new();
    module.memory(MemoryType { address: AddressType::I32, min_pages: 1, max_pages: None });
    let signature = module.signature(params, results);
    let run = module.declare("run", signature);
    let mut code = FunctionBuilder::new(params);
    build(&mut module, &mut code, run);
    module.define(run, &code.finish());
    module.export_function("run", run, None);
    module.build().unwrap_or_else(|report| panic!("{report}")).1
}

fn instance(module: Verified, config: Config) -> Instance {
    Instance::new(&Compiled::new(module), &NoImports, config).unwrap()
}

fn run(instance: &mut Instance, args: &[Value]) -> Result<Vec<Value>, Trap> {
    instance.call(&mut NoImports, "run", args).map_err(|error| match error {
        CallError::Trap(trap) => *trap,
        other => panic!("{other}"),
    })
}

/// A loop without end.
fn endless() -> Verified {
    module(&[], &[], |_, code, _| {
        code.loop_();
        code.br(0);
        code.end();
        code.unreachable();
    })
}

#[test]
fn kernels_give_what_they_should() {
    for kernel in [
        kernels::fib(12),
        kernels::sum(100),
        kernels::sieve(100),
        kernels::matrix(5),
        kernels::hash(100),
        kernels::dispatch(100),
    ] {
        let mut instance = instance(kernel.module, Config::default());
        assert_eq!(run(&mut instance, &kernel.args), Ok(vec![kernel.expected]), "{}", kernel.name);
    }
}

#[test]
fn a_trap_names_function_and_line() {
    let verified = module(&[I32], &[I32], |module, code, _| {
        let file = module.file("main.vit");
        let signature = module.signature(&[I32, I32], &[I32]);
        let divide = module.declare("divide", signature);
        let mut inner = FunctionBuilder::new(&[I32, I32]);
        inner.set_place(Place { file, line: 3, column: 7 });
        let (a, b) = (inner.param(0), inner.param(1));
        let quotient = inner.binary(BinaryOp::I32DivS, a, b);
        inner.set_place(Place { file, line: 4, column: 1 });
        inner.return_(&[quotient]);
        module.define(divide, &inner.finish());
        code.set_place(Place { file, line: 10, column: 0 });
        let seven = code.i32(7);
        let n = code.param(0);
        let result = code.call(divide, &[seven, n], &[I32]);
        code.return_(&result);
    });
    let mut instance = instance(verified, Config::default());
    assert_eq!(run(&mut instance, &[Value::I32(2)]), Ok(vec![Value::I32(3)]));
    let trap = run(&mut instance, &[Value::I32(0)]).unwrap_err();
    assert_eq!(trap.kind, TrapKind::DivisionByZero);
    assert_eq!(trap.to_string(), "integer divided by zero in divide at main.vit:3:7");
    let frames: Vec<String> = trap.frames.iter().map(ToString::to_string).collect();
    assert_eq!(frames, ["divide at main.vit:3:7", "run at main.vit:10"]);
    // An instance goes on behind a trap.
    assert_eq!(run(&mut instance, &[Value::I32(7)]), Ok(vec![Value::I32(1)]));
}

#[test]
fn registers_begin_as_zero_in_every_call() {
    // The first call leaves numbers where the second has its registers.
    let verified = module(&[I32], &[I32], |_, code, run| {
        let untouched = code.register(I32);
        let n = code.param(0);
        code.if_(n);
        let zero = code.i32(0);
        code.assign(untouched, n);
        let inner = code.call(run, &[zero], &[I32]);
        code.return_(&inner);
        code.end();
        code.return_(&[untouched]);
    });
    let mut instance = instance(verified, Config::default());
    for n in [77, 78] {
        assert_eq!(run(&mut instance, &[Value::I32(n)]), Ok(vec![Value::I32(0)]));
        assert_eq!(run(&mut instance, &[Value::I32(0)]), Ok(vec![Value::I32(0)]));
    }
}

#[test]
fn calls_are_as_deep_as_the_configuration_says() {
    let deep = module(&[I32], &[I32], |_, code, run| {
        let n = code.param(0);
        code.if_(n);
        let one = code.i32(1);
        let less = code.binary(BinaryOp::I32Sub, n, one);
        let inner = code.call(run, &[less], &[I32]);
        let sum = code.binary(BinaryOp::I32Add, inner[0], one);
        code.return_(&[sum]);
        code.end();
        code.return_(&[n]);
    });
    let config = Config { call_depth: 50_000, ..Config::default() };
    let mut shallow = instance(deep.clone(), config);
    assert_eq!(run(&mut shallow, &[Value::I32(49_999)]), Ok(vec![Value::I32(49_999)]));
    let trap = run(&mut shallow, &[Value::I32(50_001)]).unwrap_err();
    assert_eq!(trap.kind, TrapKind::StackOverflow);
    assert_eq!(trap.frames.len() + trap.frames_left_out, 50_001);
    assert!(trap.frames.len() <= 64);
    // Registers run out before calls do.
    let config = Config { call_depth: usize::MAX, stack_slots: 1000, ..Config::default() };
    let trap = run(&mut instance(deep, config), &[Value::I32(1_000_000)]).unwrap_err();
    assert_eq!(trap.kind, TrapKind::StackOverflow);
}

#[test]
fn fuel_is_counted_exactly() {
    // One unit for each jump backwards.
    let verified = module(&[I32], &[], |_, code, _| {
        let n = code.param(0);
        code.loop_();
        let one = code.i32(1);
        let less = code.binary(BinaryOp::I32Sub, n, one);
        code.assign(n, less);
        code.br_if(n, 0);
        code.end();
        code.return_(&[]);
    });
    let config = Config { fuel: Some(100_000), ..Config::default() };
    let mut instance = instance(verified, config);
    run(&mut instance, &[Value::I32(60_001)]).unwrap();
    assert_eq!(instance.fuel(), Some(40_000));
    run(&mut instance, &[Value::I32(40_001)]).unwrap();
    assert_eq!(instance.fuel(), Some(0));
    assert_eq!(run(&mut instance, &[Value::I32(2)]).unwrap_err().kind, TrapKind::OutOfFuel);
    instance.set_fuel(Some(5));
    run(&mut instance, &[Value::I32(5)]).unwrap();
    assert_eq!(instance.fuel(), Some(1));
    instance.set_fuel(None);
    run(&mut instance, &[Value::I32(100_000)]).unwrap();
    assert_eq!(instance.fuel(), None);
}

#[test]
fn large_copies_take_fuel() {
    let verified = module(&[I32], &[], |_, code, _| {
        let n = code.param(0);
        code.loop_();
        let zero = code.i32(0);
        code.emit(Instruction::MemoryFill { to: zero, byte: zero, length: n });
        code.br(0);
        code.end();
        code.unreachable();
    });
    let config = Config { fuel: Some(1700), ..Config::default() };
    let mut instance = instance(verified, config);
    assert_eq!(run(&mut instance, &[Value::I32(65_536)]).unwrap_err().kind, TrapKind::OutOfFuel);
}

#[test]
fn another_thread_can_end_a_call() {
    let mut instance = instance(endless(), Config::default());
    let interrupter = instance.interrupter();
    let other = std::thread::spawn(move || interrupter.interrupt());
    assert_eq!(run(&mut instance, &[]).unwrap_err().kind, TrapKind::Interrupted);
    other.join().unwrap();
}

#[test]
fn a_watch_can_end_a_call() {
    let mut instance = instance(endless(), Config::default());
    let mut asked = 0;
    instance.set_watch(move || {
        asked += 1;
        asked > 10
    });
    assert_eq!(run(&mut instance, &[]).unwrap_err().kind, TrapKind::Interrupted);
}

#[test]
fn memory_ends_where_it_ends() {
    let verified = module(&[I32], &[I64], |_, code, _| {
        let at = code.param(0);
        let value = code.load(LoadOp::I64Load, at, 8);
        code.return_(&[value]);
    });
    let mut instance = instance(verified, Config::default());
    instance.memory_mut().write(65_528, &7_u64.to_le_bytes()).unwrap();
    assert_eq!(run(&mut instance, &[Value::I32(65_520)]), Ok(vec![Value::I64(7)]));
    for at in [65_521, -8, -1, i32::MIN] {
        assert_eq!(
            run(&mut instance, &[Value::I32(at)]).unwrap_err().kind,
            TrapKind::MemoryOutOfBounds,
            "{at}"
        );
    }
    assert_eq!(instance.memory_mut().write(65_530, &[0; 8]), None);
    assert_eq!(instance.memory().read(u64::MAX, 2), None);
}

#[test]
fn memory_grows_up_to_its_limit() {
    let verified = module(&[I32], &[I32, I32], |_, code, _| {
        let pages = code.param(0);
        let result = code.register(I32);
        code.emit(Instruction::MemoryGrow { result, pages });
        let size = code.register(I32);
        code.emit(Instruction::MemorySize { result: size });
        code.return_(&[result, size]);
    });
    let mut instance = instance(verified, Config { memory_bytes: 3 * 65_536, ..Config::default() });
    let pair = |a, b| Ok(vec![Value::I32(a), Value::I32(b)]);
    assert_eq!(run(&mut instance, &[Value::I32(2)]), pair(1, 3));
    assert_eq!(run(&mut instance, &[Value::I32(1)]), pair(-1, 3));
    assert_eq!(run(&mut instance, &[Value::I32(-1)]), pair(-1, 3));
    assert_eq!(run(&mut instance, &[Value::I32(0)]), pair(3, 3));
}

#[test]
fn what_is_missing_is_said_before_anything_runs() {
    let rich = Compiled::new(load(&encode(&rich::module())).unwrap());
    let error = Instance::new(&rich, &NoImports, Config::default()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the module imports `print` from `vitte:base/log@1.0.0`, which nobody provides"
    );
    let large = Compiled::new(endless());
    let error =
        Instance::new(&large, &NoImports, Config { memory_bytes: 0, ..Config::default() }).err().unwrap();
    assert_eq!(error, InstantiateError::Memory { needed: 65_536, allowed: 0 });
}

#[test]
fn arguments_are_checked() {
    let mut instance = instance(kernels::fib(5).module, Config::default());
    let wrong = instance.call(&mut NoImports, "run", &[Value::I64(5)]).unwrap_err();
    let expected = Signature::new(&[I32], &[I32]);
    let found = Signature::new(&[I64], &[]);
    assert_eq!(wrong, CallError::Arguments { function: "run".into(), expected, found });
    let missing = instance.call(&mut NoImports, "memory", &[]).unwrap_err();
    assert_eq!(missing, CallError::NoFunction("memory".into()));
}

/// Keeps what it is told to print, and can fail or exit.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    end: Option<HostError>,
}

impl Host for Log {
    fn provides(&self, import: &Import) -> bool {
        import.name == "print"
    }

    fn call(
        &mut self,
        _: u32,
        caller: &mut Caller<'_>,
        args: &[Value],
        _: &mut Vec<Value>,
    ) -> Result<(), HostError> {
        let [Value::I32(at), Value::I32(length)] = *args else { panic!("{args:?}") };
        let bytes = caller.memory().read(at as u64, length as u64).unwrap();
        self.lines.push(String::from_utf8(bytes.to_vec()).unwrap());
        // The module's own allocator, called while the module is in this call.
        let args = [0, 0, 1, 100].map(Value::I32);
        let given = caller.call(self, "cabi_realloc", &args).unwrap();
        self.lines.push(format!("{given:?}"));
        self.end.clone().map_or(Ok(()), Err)
    }
}

#[test]
fn strings_cross_by_the_canonical_abi() {
    let rich = Compiled::new(load(&encode(&rich::module())).unwrap());
    let mut host = Log::default();
    let mut instance = Instance::new(&rich, &host, Config::default()).unwrap();
    let given = instance.call(&mut host, "greet", &[Value::I32(1024), Value::I32(5)]).unwrap();
    assert_eq!(host.lines, ["hello", "[I32(4096)]"]);
    let [Value::I32(at)] = given[..] else { panic!("{given:?}") };
    assert_eq!(instance.memory().read(at as u64, 8), Some(&[0, 4, 0, 0, 5, 0, 0, 0][..]));
    assert_eq!(instance.globals()[0], Value::I32(4096 + 104), "the allocator ran");
    // State is where the schema says.
    assert_eq!(instance.call(&mut host, "count", &[]), Ok(vec![Value::I32(42)]));
    assert_eq!(instance.memory().read(16, 4), Some(&[42, 0, 0, 0][..]));
    host.end = Some(HostError::Exit(3));
    let error = instance.call(&mut host, "greet", &[Value::I32(1024), Value::I32(5)]).unwrap_err();
    let CallError::Trap(trap) = error else { panic!("{error}") };
    assert_eq!(trap.kind, TrapKind::Exit(3));
    assert_eq!(trap.frames[0].to_string(), "greet at rich.vit:7:5");
    host.end = Some(HostError::Failed("no paper".into()));
    let error = instance.call(&mut host, "greet", &[Value::I32(1024), Value::I32(5)]).unwrap_err();
    assert_eq!(error.to_string(), "no paper in greet at rich.vit:7:5");
}

#[test]
fn addresses_may_have_64_bits() {
    let mut module = ModuleBuilder::new();
    module.memory(MemoryType { address: AddressType::I64, min_pages: 1, max_pages: Some(1) });
    let signature = module.signature(&[I64, F64], &[F64]);
    let run_id = module.declare("run", signature);
    let mut code = FunctionBuilder::new(&[I64, F64]);
    let (at, value) = (code.param(0), code.param(1));
    code.store(StoreOp::F64Store, at, u64::MAX - 15, value);
    let given = code.load(LoadOp::F64Load, at, u64::MAX - 15);
    code.return_(&[given]);
    module.define(run_id, &code.finish());
    module.export_function("run", run_id, None);
    let mut instance = instance(module.build().unwrap().1, Config::default());
    // The sum does not wrap.
    for at in [0, 16, 24, -1] {
        let trap = run(&mut instance, &[Value::I64(at), Value::F64(1.0)]).unwrap_err();
        assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds);
    }
}

#[test]
fn indirect_calls_check_the_slot() {
    let verified = module(&[I32], &[I32], |module, code, run| {
        let number = module.signature(&[], &[I32]);
        let seven = module.declare("seven", number);
        let mut inner = FunctionBuilder::new(&[]);
        let value = inner.i32(7);
        inner.return_(&[value]);
        module.define(seven, &inner.finish());
        module.table_slot(None);
        module.table_slot(Some(seven));
        module.table_slot(Some(run));
        let slot = code.param(0);
        let result = code.call_indirect(number, slot, &[], &[I32]);
        code.return_(&result);
    });
    let mut instance = instance(verified, Config::default());
    assert_eq!(run(&mut instance, &[Value::I32(1)]), Ok(vec![Value::I32(7)]));
    for (slot, kind) in [
        (0, TrapKind::EmptySlot),
        (2, TrapKind::SignatureMismatch),
        (3, TrapKind::UndefinedSlot),
        (-1, TrapKind::UndefinedSlot),
    ] {
        assert_eq!(run(&mut instance, &[Value::I32(slot)]).unwrap_err().kind, kind);
    }
}

#[test]
fn several_results_may_change_places() {
    let verified = module(&[I32, I32], &[I32, I32, I32], |module, code, _| {
        let signature = module.signature(&[I32, I32], &[I32, I32]);
        let swap = module.declare("swap", signature);
        let mut inner = FunctionBuilder::new(&[I32, I32]);
        let (a, b) = (inner.param(0), inner.param(1));
        inner.return_(&[b, a]);
        module.define(swap, &inner.finish());
        let (a, b) = (code.param(0), code.param(1));
        let args: Box<[_]> = [a, b].into();
        code.emit(Instruction::Call { function: swap.0, args: args.clone(), results: args });
        code.return_(&[a, b, a]);
    });
    let mut instance = instance(verified, Config::default());
    let given = run(&mut instance, &[Value::I32(1), Value::I32(2)]);
    assert_eq!(given, Ok([2, 1, 2].map(Value::I32).to_vec()));
}

#[test]
fn lowered_code_knows_where_it_comes_from() {
    let pattern = 0x1234_5678_9abc_def0_u64;
    let verified = module(&[], &[F64], |module, code, _| {
        let signature = module.signature(&[], &[]);
        for _ in 0..200 {
            let other = module.declare("other", signature);
            let mut inner = FunctionBuilder::new(&[]);
            inner.return_(&[]);
            module.define(other, &inner.finish());
        }
        let sum = code.f64(1.0);
        let marked = code.f64(f64::from_bits(pattern));
        let sum = code.binary(BinaryOp::F64Add, sum, marked);
        code.return_(&[sum]);
    });
    let lowered = lower(&verified, InternalExports::No);
    let at = lowered.wasm.windows(8).position(|bytes| bytes == pattern.to_le_bytes()).unwrap() as u32;
    let (offset, _) = verified.module().functions[0].instructions().nth(1).unwrap();
    // The opcode of the constant is in front of its bytes, and what comes before belongs to another instruction.
    assert_eq!(lowered.origin(at - 1), Some((0, offset as u32)));
    assert_eq!(lowered.origin(at + 7), Some((0, offset as u32)));
    let (before, _) = verified.module().functions[0].instructions().next().unwrap();
    assert_eq!(lowered.origin(at - 2), Some((0, before as u32)));
    assert_eq!(lowered.origin(0), None);
}

#[test]
fn exports_of_the_lowered_module_are_those_of_the_module() {
    let verified = load(&encode(&rich::module())).unwrap();
    let wasm = lower(&verified, InternalExports::No).wasm;
    let module = wasmi::Module::new(&wasmi::Engine::default(), &wasm).unwrap();
    let names: Vec<&str> = module.exports().map(|export| export.name()).collect();
    let expected: Vec<&str> = verified.module().exports.iter().map(|export| &*export.name).collect();
    assert_eq!(names, expected);
    let internal = lower(&verified, InternalExports::Yes).wasm;
    let module = wasmi::Module::new(&wasmi::Engine::default(), &internal).unwrap();
    let more: Vec<&str> = module.exports().map(|export| export.name()).skip(expected.len()).collect();
    // The engine lists them by name.
    assert_eq!(more, ["vitbc.global.0", "vitbc.global.1", "vitbc.memory"]);
    let imports: Vec<(&str, &str)> =
        module.imports().map(|import| (import.module(), import.name())).collect();
    assert_eq!(imports, [("vitte:base/log@1.0.0", "print")]);
}
