//! Random modules that verify, and that end: each loop and each call takes one from a counter in a global, and
//! functions call only those behind them.
use vitte_bytecode::ValueType::{F32, F64, I32, I64};
use vitte_bytecode::{
    AddressType, BinaryOp, ExportItem, FunctionBuilder, FunctionId, Instruction, LoadOp, MemoryType,
    ModuleBuilder, Place, Register, Signature, StoreOp, UnaryOp, Value, ValueType,
};

use super::random::Random;

/// Steps that a module may make before every loop and every function ends at once.
const STEPS: i32 = 400;
/// Registers of each type that a function has beside its parameters.
const REGISTERS_EACH: usize = 4;
/// Number of the global with the steps that are left.
const STEPS_GLOBAL: u32 = 0;

/// A value of this type that is likely to find mistakes.
pub fn interesting(random: &mut Random, ty: ValueType) -> Value {
    let bits32: [u32; 16] = [
        0,
        1,
        2,
        31,
        32,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x7fc0_0000, // NaN
        0xffc0_1234, // NaN with a sign and a payload
        0x7f80_0001, // signalling NaN
        0x7f80_0000, // infinity
        0x8000_0001, // the smallest negative
        0x4f00_0000, // 2^31
        0xcf00_0000, // -2^31
        0x3f00_0000, // 0.5
    ];
    let bits64: [u64; 16] = [
        0,
        1,
        63,
        64,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xffff_ffff_ffff_ffff,
        0x0000_0000_8000_0000,
        0x7ff8_0000_0000_0000,
        0xfff8_0000_dead_beef,
        0x7ff0_0000_0000_0001,
        0xfff0_0000_0000_0000,
        0x43e0_0000_0000_0000, // 2^63
        0xc3e0_0000_0000_0000,
        0x41e0_0000_0000_0000, // 2^31
        0x3fe0_0000_0000_0000,
    ];
    let bits = match (ty, random.below(4)) {
        (_, 0) => random.bits(),
        (I32 | F32, _) => u64::from(random.choose(&bits32)),
        (I64 | F64, _) => random.choose(&bits64),
    };
    match (ty, random.below(6)) {
        (F32, 0) => Value::F32(random.below(2000) as f32 - 1000.5),
        (F64, 0) => Value::F64(random.below(2000) as f64 - 1000.25),
        (I32, 0) => Value::I32(random.below(300) as i32 - 150),
        (I64, 0) => Value::I64(random.below(300) as i64 - 150),
        _ => Value::from_bits(ty, bits),
    }
}

fn types(random: &mut Random, max: usize) -> Vec<ValueType> {
    (0..random.below(max + 1)).map(|_| random.choose(&ValueType::ALL)).collect()
}

/// What all functions of a module know.
struct World {
    signatures: Vec<Signature>,
    functions: Vec<(FunctionId, usize)>,
    /// Functions from here on call nobody, and are those in the table.
    leaves: usize,
    slots: u32,
    globals: Vec<ValueType>,
    address: AddressType,
    import: Option<u32>,
}

/// A module in which everything is exported: functions as `f0`, `f1` and so on, `memory`, globals as `g0`...
pub fn module(random: &mut Random) -> ModuleBuilder {
    let mut module = ModuleBuilder::new();
    let address = if random.one_in(4) { AddressType::I64 } else { AddressType::I32 };
    let signatures: Vec<Signature> = (0..1 + random.below(4))
        .map(|_| Signature { params: types(random, 4), results: types(random, 2) })
        .collect();
    let numbers: Vec<u32> = signatures.iter().map(|s| module.signature(&s.params, &s.results)).collect();
    let import = random.one_in(2).then(|| {
        let signature = module.signature(&[I64, F64], &[I64]);
        module.import("env", "mix", signature, None)
    });
    let max_pages = random.one_in(3).then(|| 1 + random.below(3) as u64);
    module.memory(MemoryType { address, min_pages: 1, max_pages });
    module.export("memory", ExportItem::Memory);
    for at in 0..random.below(3) {
        let bytes: Vec<u8> = (0..1 + random.below(40)).map(|_| random.bits() as u8).collect();
        module.data(at as u64 * 1000 + random.below(100) as u64, &bytes);
    }
    let mut globals = vec![I32];
    module.global(true, Value::I32(STEPS));
    for _ in 0..random.below(4) {
        let ty = random.choose(&ValueType::ALL);
        globals.push(ty);
        module.global(true, interesting(random, ty));
    }
    for global in 0..globals.len() {
        module.export(&format!("g{global}"), ExportItem::Global(global as u32));
    }
    let count = 1 + random.below(5);
    let leaves = random.below(count + 1).max(1);
    let functions: Vec<(FunctionId, usize)> = (0..count)
        .map(|at| {
            let signature = random.below(signatures.len());
            (module.declare(&format!("f{at}"), numbers[signature]), signature)
        })
        .collect();
    let mut slots = 0;
    for _ in 0..random.below(6) {
        let leaf =
            (leaves < count && !random.one_in(4)).then(|| functions[leaves + random.below(count - leaves)].0);
        slots = module.table_slot(leaf) + 1;
    }
    let file = module.file("random.vit");
    let world = World { signatures, functions, leaves, slots, globals, address, import };
    for at in 0..count {
        let body = Writer::new(random, &world, &numbers, at, file).body();
        module.define(world.functions[at].0, &body);
        module.export_function(&format!("f{at}"), world.functions[at].0, None);
    }
    module
}

/// An open block.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Block,
    Loop,
    If,
}

struct Writer<'a> {
    random: &'a mut Random,
    world: &'a World,
    numbers: &'a [u32],
    at: usize,
    code: FunctionBuilder,
    registers: [Vec<Register>; 4],
    open: Vec<Open>,
    results: &'a [ValueType],
}

impl<'a> Writer<'a> {
    fn new(random: &'a mut Random, world: &'a World, numbers: &'a [u32], at: usize, file: u32) -> Self {
        let signature = &world.signatures[world.functions[at].1];
        let mut code = FunctionBuilder::new(&signature.params);
        code.set_place(Place { file, line: 1 + at as u32, column: 0 });
        let mut registers = [const { Vec::new() }; 4];
        for (at, ty) in signature.params.iter().enumerate() {
            registers[usize::from(ty.number())].push(code.param(at));
        }
        // In an order of their own, so that runs of registers are short and long.
        for _ in 0..REGISTERS_EACH * 4 {
            let ty = random.choose(&ValueType::ALL);
            registers[usize::from(ty.number())].push(code.register(ty));
        }
        for ty in ValueType::ALL {
            registers[usize::from(ty.number())].push(code.register(ty));
        }
        Self { random, world, numbers, at, code, registers, open: Vec::new(), results: &signature.results }
    }

    fn body(mut self) -> vitte_bytecode::FunctionBody {
        self.step(|writer| writer.give());
        let length = 10 + self.random.below(70);
        self.statements(length);
        while !self.open.is_empty() {
            self.close();
        }
        self.give();
        self.code.finish()
    }

    /// A register of this type.
    fn any(&mut self, ty: ValueType) -> Register {
        let registers = &self.registers[usize::from(ty.number())];
        registers[self.random.below(registers.len())]
    }

    fn anys(&mut self, types: &[ValueType]) -> Vec<Register> {
        types.iter().map(|ty| self.any(*ty)).collect()
    }

    /// Registers of these types that all differ; `None` if there are too few.
    fn distinct(&mut self, types: &[ValueType]) -> Option<Vec<Register>> {
        let mut all: Vec<Register> = Vec::new();
        for ty in types {
            let free: Vec<Register> = self.registers[usize::from(ty.number())]
                .iter()
                .copied()
                .filter(|register| !all.contains(register))
                .collect();
            if free.is_empty() {
                return None;
            }
            all.push(self.random.choose(&free));
        }
        Some(all)
    }

    fn give(&mut self) {
        let values = self.anys(self.results);
        self.code.return_(&values);
    }

    /// Takes one from the steps, and does `end` when there are none left.
    fn step(&mut self, end: impl FnOnce(&mut Self)) {
        let one = self.code.i32(1);
        let left = self.code.global_get(STEPS_GLOBAL, I32);
        let left = self.code.binary(BinaryOp::I32Sub, left, one);
        self.code.global_set(STEPS_GLOBAL, left);
        let zero = self.code.i32(0);
        let is_over = self.code.binary(BinaryOp::I32LeS, left, zero);
        self.code.if_(is_over);
        end(self);
        self.code.end();
    }

    fn statements(&mut self, count: usize) {
        for _ in 0..count {
            match self.random.below(20) {
                0 if self.open.len() < 6 => {
                    self.code.block();
                    self.open.push(Open::Block);
                }
                1 if self.open.len() < 6 => {
                    self.code.loop_();
                    self.open.push(Open::Loop);
                    // Out of the `if` around it, and out of the loop.
                    self.step(|writer| writer.give());
                }
                2 if self.open.len() < 6 => {
                    let condition = self.any(I32);
                    self.code.if_(condition);
                    self.open.push(Open::If);
                }
                3 => {
                    if let Some(open) = self.open.last_mut()
                        && *open == Open::If
                    {
                        *open = Open::Block;
                        self.code.else_();
                    }
                }
                4 | 5 => self.close(),
                6 => self.branch(),
                7 | 8 => self.call(),
                9 => self.memory(),
                10 => self.constant(),
                _ => self.numeric(),
            }
        }
    }

    fn close(&mut self) {
        if self.open.pop().is_some() {
            self.code.end();
        }
    }

    fn branch(&mut self) {
        let open = self.open.len();
        if open == 0 {
            return;
        }
        let depth = self.random.below(open) as u32;
        let condition = self.any(I32);
        match self.random.below(8) {
            0 => {
                self.code.br(depth);
                // What follows up to the end of the block is never reached.
            }
            1 => {
                let depths: Vec<u32> =
                    (0..self.random.below(5)).map(|_| self.random.below(open) as u32).collect();
                let three = self.code.i32(7);
                let index = self.code.binary(BinaryOp::I32And, condition, three);
                self.code.br_table(index, &depths, depth);
            }
            2 => {
                // A comparison of its own, which fuses with the branch.
                let op = self.comparison();
                let (left, right) = (self.any(op.operand()), self.any(op.operand()));
                let condition = self.code.binary(op, left, right);
                self.code.br_if(condition, depth);
            }
            3 => {
                // The same with a constant.
                let op = self.comparison();
                let left = self.any(op.operand());
                let value = interesting(self.random, op.operand());
                let right = self.fresh_constant(value);
                let condition = self.code.binary(op, left, right);
                self.code.if_(condition);
                self.numeric();
                self.code.end();
            }
            4 if self.random.one_in(8) => self.code.unreachable(),
            5 if self.random.one_in(4) => self.give(),
            _ => self.code.br_if(condition, depth),
        }
    }

    fn comparison(&mut self) -> BinaryOp {
        let compares = |op: &BinaryOp| {
            let name = op.name().split('.').nth(1).unwrap_or_default();
            ["eq", "ne", "lt", "gt", "le", "ge"].contains(&name.split('_').next().unwrap_or_default())
        };
        let all: Vec<BinaryOp> = BinaryOp::ALL.iter().copied().filter(compares).collect();
        self.random.choose(&all)
    }

    fn call(&mut self) {
        let world = self.world;
        match self.random.below(3) {
            0 if self.at < world.leaves && self.at + 1 < world.functions.len() => {
                let behind = self.at + 1;
                let (callee, signature) =
                    world.functions[behind + self.random.below(world.functions.len() - behind)];
                let signature = &world.signatures[signature];
                let args = self.anys(&signature.params);
                if let Some(results) = self.distinct(&signature.results) {
                    self.code.emit(Instruction::Call {
                        function: callee.0,
                        args: args.into(),
                        results: results.into(),
                    });
                }
            }
            1 if self.at < world.leaves && world.slots > 0 => {
                let number = self.random.below(world.signatures.len());
                let signature = &world.signatures[number];
                let args = self.anys(&signature.params);
                let slot = if self.random.one_in(10) {
                    self.any(I32)
                } else {
                    let slot = self.random.below(world.slots as usize) as i32;
                    self.code.i32(slot)
                };
                if let Some(results) = self.distinct(&signature.results) {
                    self.code.emit(Instruction::CallIndirect {
                        signature: self.numbers[number],
                        slot,
                        args: args.into(),
                        results: results.into(),
                    });
                }
            }
            _ => {
                if let Some(import) = world.import {
                    let (args, results) = (self.anys(&[I64, F64]), self.anys(&[I64]));
                    self.code.emit(Instruction::CallImport {
                        import,
                        args: args.into(),
                        results: results.into(),
                    });
                }
            }
        }
    }

    /// An address that is in memory nearly always.
    fn address(&mut self) -> Register {
        let ty = self.world.address.value_type();
        let any = self.any(ty);
        if self.random.one_in(40) {
            return any;
        }
        match self.world.address {
            AddressType::I32 => {
                let mask = self.code.i32(0x7fff);
                self.code.binary(BinaryOp::I32And, any, mask)
            }
            AddressType::I64 => {
                let mask = self.code.i64(0x7fff);
                self.code.binary(BinaryOp::I64And, any, mask)
            }
        }
    }

    fn memory(&mut self) {
        let address_type = self.world.address.value_type();
        let offset = match self.random.below(30) {
            0 => u64::from(u32::MAX),
            1 => 65_530 + self.random.below(12) as u64,
            2 if self.world.address == AddressType::I64 => u64::MAX - self.random.below(3) as u64,
            3 if self.world.address == AddressType::I64 => 1 << 32,
            _ => self.random.below(64) as u64,
        };
        match self.random.below(12) {
            0..=4 => {
                let op = self.random.choose(LoadOp::ALL);
                let address = self.address();
                let result = self.any(op.result());
                self.code.emit(Instruction::Load { op, result, address, offset });
            }
            5..=8 => {
                let op = self.random.choose(StoreOp::ALL);
                let (address, value) = (self.address(), self.any(op.operand()));
                self.code.store(op, address, offset, value);
            }
            9 => {
                let (to, from) = (self.address(), self.address());
                let length = self.address();
                if self.random.one_in(2) {
                    self.code.emit(Instruction::MemoryCopy { to, from, length });
                } else {
                    let byte = self.any(I32);
                    self.code.emit(Instruction::MemoryFill { to, byte, length });
                }
            }
            10 => {
                let result = self.any(address_type);
                self.code.emit(Instruction::MemorySize { result });
            }
            _ => {
                let result = self.any(address_type);
                let pages = match self.random.below(4) {
                    // Far too many: there are never so many to get.
                    0 => Value::from_bits(address_type, u64::MAX - self.random.below(3) as u64),
                    _ => Value::from_bits(address_type, self.random.below(2) as u64),
                };
                let pages = self.fresh_constant(pages);
                self.code.emit(Instruction::MemoryGrow { result, pages });
            }
        }
    }

    fn fresh_constant(&mut self, value: Value) -> Register {
        match value {
            Value::I32(value) => self.code.i32(value),
            Value::I64(value) => self.code.i64(value),
            Value::F32(value) => self.code.f32(value),
            Value::F64(value) => self.code.f64(value),
        }
    }

    fn constant(&mut self) {
        let ty = self.random.choose(&ValueType::ALL);
        let value = interesting(self.random, ty);
        let result = self.any(ty);
        self.code.emit(match value {
            Value::I32(value) => Instruction::I32Const { result, value },
            Value::I64(value) => Instruction::I64Const { result, value },
            Value::F32(value) => Instruction::F32Const { result, bits: value.to_bits() },
            Value::F64(value) => Instruction::F64Const { result, bits: value.to_bits() },
        });
    }

    fn numeric(&mut self) {
        match self.random.below(16) {
            0..=3 => {
                let op = self.random.choose(UnaryOp::ALL);
                let traps = op.name().contains(".trunc_f");
                if traps && !self.random.one_in(8) {
                    return;
                }
                let (result, value) = (self.any(op.result()), self.any(op.operand()));
                self.code.emit(Instruction::Unary { op, result, value });
            }
            4..=11 => {
                let op = self.random.choose(BinaryOp::ALL);
                let (left, mut right) = (self.any(op.operand()), self.any(op.operand()));
                let divides = op.operand() != F32
                    && op.operand() != F64
                    && (op.name().contains(".div") || op.name().contains(".rem"));
                if divides && !self.random.one_in(16) {
                    right = self.odd(right, op.operand());
                } else if self.random.one_in(3) {
                    let value = interesting(self.random, op.operand());
                    let may_be_zero = !divides || value.bits() != 0 || self.random.one_in(16);
                    if may_be_zero {
                        right = self.fresh_constant(value);
                    }
                }
                let result = if self.random.one_in(3) {
                    // Through a register of its own, as a compiler does.
                    let value = self.code.binary(op, left, right);
                    let result = self.any(op.result());
                    self.code.assign(result, value);
                    return;
                } else {
                    self.any(op.result())
                };
                self.code.emit(Instruction::Binary { op, result, left, right });
            }
            12 => {
                let ty = self.random.choose(&ValueType::ALL);
                let (result, value) = (self.any(ty), self.any(ty));
                self.code.assign(result, value);
            }
            13 => {
                let ty = self.random.choose(&ValueType::ALL);
                let (result, condition) = (self.any(ty), self.any(I32));
                let (if_true, if_false) = (self.any(ty), self.any(ty));
                self.code.emit(Instruction::Select { result, condition, if_true, if_false });
            }
            // The counter of steps is left alone.
            14 if self.world.globals.len() > 1 => {
                let global = 1 + self.random.below(self.world.globals.len() - 1);
                let result = self.any(self.world.globals[global]);
                self.code.emit(Instruction::GlobalGet { result, global: global as u32 });
            }
            15 if self.world.globals.len() > 1 => {
                let global = 1 + self.random.below(self.world.globals.len() - 1);
                let value = self.any(self.world.globals[global]);
                self.code.global_set(global as u32, value);
            }
            _ => self.constant(),
        }
    }

    fn odd(&mut self, register: Register, ty: ValueType) -> Register {
        if ty == I32 {
            let one = self.code.i32(1);
            self.code.binary(BinaryOp::I32Or, register, one)
        } else {
            let one = self.code.i64(1);
            self.code.binary(BinaryOp::I64Or, register, one)
        }
    }
}
