//! Small programs that compute something, made with the builder: what benches measure and tests compare.
use vitte_bytecode::ValueType::{F64, I32, I64};
use vitte_bytecode::{
    AddressType, BinaryOp, ExportItem, FunctionBuilder, FunctionId, LoadOp, MemoryType, ModuleBuilder,
    Register, StoreOp, UnaryOp, Value, ValueType, Verified,
};

/// A program: its exported function `run`, what to pass it, and what it gives.
pub struct Kernel {
    pub name: &'static str,
    pub module: Verified,
    pub bytes: Vec<u8>,
    pub args: Vec<Value>,
    pub expected: Value,
}

pub fn all() -> Vec<Kernel> {
    vec![fib(30), sum(10_000_000), sieve(1_000_000), matrix(100), hash(4_000_000), dispatch(2_000_000)]
}

fn kernel(
    name: &'static str,
    result: ValueType,
    arg: i32,
    expected: Value,
    build: impl FnOnce(&mut ModuleBuilder, FunctionId, &mut FunctionBuilder),
) -> Kernel {
    let mut module = ModuleBuilder::new();
    let signature = module.signature(&[I32], &[result]);
    let run = module.declare("run", signature);
    module.memory(MemoryType { address: AddressType::I32, min_pages: 32, max_pages: Some(32) });
    module.export("memory", ExportItem::Memory);
    let mut code = FunctionBuilder::new(&[I32]);
    build(&mut module, run, &mut code);
    module.define(run, &code.finish());
    module.export_function("run", run, None);
    let (bytes, module) = module.build().unwrap();
    Kernel { name, module, bytes, args: vec![Value::I32(arg)], expected }
}

/// `while from < to { body(i); i += step }` with a fresh counter.
fn count_to(
    code: &mut FunctionBuilder,
    from: i32,
    to: Register,
    body: impl FnOnce(&mut FunctionBuilder, Register),
) {
    let i = code.register(I32);
    let start = code.i32(from);
    code.assign(i, start);
    code.block();
    code.loop_();
    let done = code.binary(BinaryOp::I32GeS, i, to);
    code.br_if(done, 1);
    body(code, i);
    let one = code.i32(1);
    let next = code.binary(BinaryOp::I32Add, i, one);
    code.assign(i, next);
    code.br(0);
    code.end();
    code.end();
}

/// Calls.
pub fn fib(n: i32) -> Kernel {
    let expected = (0..n).fold((0_i32, 1_i32), |(a, b), _| (b, a.wrapping_add(b))).0;
    kernel("fib(30)", I32, n, Value::I32(expected), |_, fib, code| {
        let n = code.param(0);
        let two = code.i32(2);
        let is_small = code.binary(BinaryOp::I32LtS, n, two);
        code.if_(is_small);
        code.return_(&[n]);
        code.end();
        let one = code.i32(1);
        let first = code.binary(BinaryOp::I32Sub, n, one);
        let first = code.call(fib, &[first], &[I32]);
        let second = code.binary(BinaryOp::I32Sub, n, two);
        let second = code.call(fib, &[second], &[I32]);
        let sum = code.binary(BinaryOp::I32Add, first[0], second[0]);
        code.return_(&[sum]);
    })
}

/// A tight loop: the sum of squares.
pub fn sum(n: i32) -> Kernel {
    let expected = (0..i64::from(n)).fold(0_i64, |sum, i| sum.wrapping_add(i.wrapping_mul(i)));
    kernel("sum of 10 M squares", I64, n, Value::I64(expected), |_, _, code| {
        let n = code.param(0);
        let sum = code.register(I64);
        count_to(code, 0, n, |code, i| {
            let wide = code.unary(UnaryOp::I64ExtendI32S, i);
            let square = code.binary(BinaryOp::I64Mul, wide, wide);
            let next = code.binary(BinaryOp::I64Add, sum, square);
            code.assign(sum, next);
        });
        code.return_(&[sum]);
    })
}

/// Bytes in memory: how many primes are below `n`.
pub fn sieve(n: i32) -> Kernel {
    let size = n as usize;
    let mut composite = vec![false; size];
    let mut primes = 0;
    for i in 2..size {
        if !composite[i] {
            primes += 1;
            (i * i..size).step_by(i).for_each(|j| composite[j] = true);
        }
    }
    kernel("sieve of 1 M", I32, n, Value::I32(primes), |_, _, code| {
        let n = code.param(0);
        let primes = code.register(I32);
        let one = code.i32(1);
        count_to(code, 2, n, |code, i| {
            code.block();
            let composite = code.load(LoadOp::I32Load8U, i, 0);
            code.br_if(composite, 0);
            let next = code.binary(BinaryOp::I32Add, primes, one);
            code.assign(primes, next);
            // A square of 32 bits overflows beyond 46,340; such a factor has no multiple left to strike.
            let root = code.i32(46_340);
            let is_large = code.binary(BinaryOp::I32GtS, i, root);
            code.br_if(is_large, 0);
            let j = code.register(I32);
            let square = code.binary(BinaryOp::I32Mul, i, i);
            code.assign(j, square);
            code.loop_();
            let is_done = code.binary(BinaryOp::I32GeS, j, n);
            code.br_if(is_done, 1);
            code.store(StoreOp::I32Store8, j, 0, one);
            let next = code.binary(BinaryOp::I32Add, j, i);
            code.assign(j, next);
            code.br(0);
            code.end();
            code.end();
        });
        code.return_(&[primes]);
    })
}

/// Floats in memory: the trace of a product of two matrices of `n` rows.
pub fn matrix(n: i32) -> Kernel {
    let at = |i: i32, j: i32| f64::from((i * 7 + j * 3) % 11) * 0.25;
    let mut trace = 0.0;
    for i in 0..n {
        for j in 0..n {
            let mut sum = 0.0;
            for k in 0..n {
                sum += at(i, k) * at(k, j);
            }
            if i == j {
                trace += sum;
            }
        }
    }
    kernel("product of 100 x 100 floats", F64, n, Value::F64(trace), |_, _, code| {
        let n = code.param(0);
        let eight = code.i32(3);
        // Where row and column of the first matrix are; the same numbers serve as the second.
        let address = |code: &mut FunctionBuilder, i: Register, j: Register| {
            let row = code.binary(BinaryOp::I32Mul, i, n);
            let index = code.binary(BinaryOp::I32Add, row, j);
            code.binary(BinaryOp::I32Shl, index, eight)
        };
        count_to(code, 0, n, |code, i| {
            count_to(code, 0, n, |code, j| {
                let (seven, three, eleven) = (code.i32(7), code.i32(3), code.i32(11));
                let a = code.binary(BinaryOp::I32Mul, i, seven);
                let b = code.binary(BinaryOp::I32Mul, j, three);
                let sum = code.binary(BinaryOp::I32Add, a, b);
                let rest = code.binary(BinaryOp::I32RemS, sum, eleven);
                let float = code.unary(UnaryOp::F64ConvertI32S, rest);
                let quarter = code.f64(0.25);
                let value = code.binary(BinaryOp::F64Mul, float, quarter);
                let at = address(code, i, j);
                code.store(StoreOp::F64Store, at, 0, value);
            });
        });
        let trace = code.register(F64);
        count_to(code, 0, n, |code, i| {
            count_to(code, 0, n, |code, j| {
                let sum = code.register(F64);
                let zero = code.f64(0.0);
                code.assign(sum, zero);
                count_to(code, 0, n, |code, k| {
                    let left = address(code, i, k);
                    let left = code.load(LoadOp::F64Load, left, 0);
                    let right = address(code, k, j);
                    let right = code.load(LoadOp::F64Load, right, 0);
                    let product = code.binary(BinaryOp::F64Mul, left, right);
                    let next = code.binary(BinaryOp::F64Add, sum, product);
                    code.assign(sum, next);
                });
                let is_diagonal = code.binary(BinaryOp::I32Eq, i, j);
                code.if_(is_diagonal);
                let next = code.binary(BinaryOp::F64Add, trace, sum);
                code.assign(trace, next);
                code.end();
            });
        });
        code.return_(&[trace]);
    })
}

/// Mixed integers: FNV-1a over the numbers up to `n`, by bytes of their low 8 bits.
pub fn hash(n: i32) -> Kernel {
    let expected = (0..n)
        .fold(0x811c_9dc5_u32, |hash, i| (hash ^ (i as u32 & 0xff)).wrapping_mul(0x0100_0193).rotate_left(5));
    kernel("hash of 4 M bytes", I32, n, Value::I32(expected as i32), |_, _, code| {
        let n = code.param(0);
        let hash = code.register(I32);
        let basis = code.i32(0x811c_9dc5_u32 as i32);
        code.assign(hash, basis);
        count_to(code, 0, n, |code, i| {
            let (mask, prime, five) = (code.i32(0xff), code.i32(0x0100_0193), code.i32(5));
            let byte = code.binary(BinaryOp::I32And, i, mask);
            let mixed = code.binary(BinaryOp::I32Xor, hash, byte);
            let product = code.binary(BinaryOp::I32Mul, mixed, prime);
            let turned = code.binary(BinaryOp::I32Rotl, product, five);
            code.assign(hash, turned);
        });
        code.return_(&[hash]);
    })
}

/// A branch table and indirect calls: one of four operations, by the lowest bits.
pub fn dispatch(n: i32) -> Kernel {
    let expected = (0..n).fold(1_i32, |x, i| match x & 3 {
        0 => x.wrapping_add(i),
        1 => x.wrapping_mul(3).wrapping_add(1),
        2 => x ^ i.wrapping_shl(1),
        _ => x.wrapping_sub(i) >> 1,
    });
    kernel("dispatch of 2 M calls", I32, n, Value::I32(expected), |module, _, code| {
        let signature = module.signature(&[I32, I32], &[I32]);
        let mut operation =
            |name: &str, build: &dyn Fn(&mut FunctionBuilder, Register, Register) -> Register| {
                let function = module.declare(name, signature);
                let mut code = FunctionBuilder::new(&[I32, I32]);
                let (x, i) = (code.param(0), code.param(1));
                let result = build(&mut code, x, i);
                code.return_(&[result]);
                module.define(function, &code.finish());
                module.table_slot(Some(function));
            };
        operation("add", &|code, x, i| code.binary(BinaryOp::I32Add, x, i));
        operation("mul", &|code, x, _| {
            let (three, one) = (code.i32(3), code.i32(1));
            let product = code.binary(BinaryOp::I32Mul, x, three);
            code.binary(BinaryOp::I32Add, product, one)
        });
        operation("xor", &|code, x, i| {
            let one = code.i32(1);
            let shifted = code.binary(BinaryOp::I32Shl, i, one);
            code.binary(BinaryOp::I32Xor, x, shifted)
        });
        operation("sub", &|code, x, i| {
            let one = code.i32(1);
            let difference = code.binary(BinaryOp::I32Sub, x, i);
            code.binary(BinaryOp::I32ShrS, difference, one)
        });
        let n = code.param(0);
        let x = code.register(I32);
        let one = code.i32(1);
        code.assign(x, one);
        count_to(code, 0, n, |code, i| {
            let three = code.i32(3);
            let slot = code.binary(BinaryOp::I32And, x, three);
            let result = code.call_indirect(signature, slot, &[x, i], &[I32]);
            code.assign(x, result[0]);
        });
        code.return_(&[x]);
    })
}
