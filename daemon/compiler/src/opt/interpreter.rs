//! Runs SSA functions, to compare what they do before and after passes. Written apart from
//! [`super::fold`], in 64-bit arithmetic, so that faults of one do not hide in the other.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::collections::{BTreeMap, HashMap};

use crate::mono::Instance;
use crate::ssa::*;

/// Where a run ended and what could be seen of it.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// Arguments of calls of C functions, in order.
    pub observed: Vec<Vec<i64>>,
    /// How it ended.
    pub end: End,
    /// Objects that were not freed before it returned.
    pub alive: usize,
}

#[derive(Debug, PartialEq)]
pub enum End {
    Returned(Option<i64>),
    CheckFailed(Vec<i64>),
    OutOfFuel,
}

enum Stop {
    Check(Vec<i64>),
    Fuel,
    Fault(String),
}

#[derive(Default)]
pub struct Machine<'a> {
    functions: HashMap<Instance, &'a Function>,
    memory: BTreeMap<i64, u8>,
    /// Size by address; freed objects are not there.
    objects: BTreeMap<i64, u32>,
    next: i64,
    observed: Vec<Vec<i64>>,
    fuel: u32,
}

impl<'a> Machine<'a> {
    /// A machine that can call these.
    pub fn new(functions: HashMap<Instance, &'a Function>) -> Self {
        Self { functions, ..Self::default() }
    }

    /// Runs a function. `Err` if it does what no correct program does, such as using freed memory.
    pub fn run(mut self, function: &Function, args: &[i64]) -> Result<Outcome, String> {
        self.next = 1 << 20;
        self.fuel = 20_000;
        let end = match self.call(function, args) {
            Ok(value) => End::Returned(value),
            Err(Stop::Check(args)) => End::CheckFailed(args),
            Err(Stop::Fuel) => End::OutOfFuel,
            Err(Stop::Fault(what)) => return Err(what),
        };
        // Who stops elsewhere frees nothing any more, stack slots included.
        let alive = if matches!(end, End::Returned(_)) { self.objects.len() } else { 0 };
        Ok(Outcome { observed: self.observed, end, alive })
    }

    fn allocate(&mut self, size: u32) -> i64 {
        let at = self.next;
        self.next += i64::from(size) + 64;
        self.objects.insert(at, size);
        for byte in 0..size {
            self.memory.insert(at + i64::from(byte), 0xAA);
        }
        at
    }

    fn free(&mut self, at: i64) {
        let size = self.objects.remove(&at).unwrap();
        for byte in 0..size {
            self.memory.remove(&(at + i64::from(byte)));
        }
    }

    fn load(&self, at: i64, ty: Type) -> Result<i64, Stop> {
        let mut value = 0_u64;
        for byte in 0..ty.bytes() {
            let stored = self.memory.get(&(at + i64::from(byte)));
            let stored = *stored.ok_or_else(|| Stop::Fault(format!("load from {at}")))?;
            value |= u64::from(stored) << (8 * byte);
        }
        Ok(extend(value as i64, ty))
    }

    fn store(&mut self, at: i64, value: i64, ty: Type) -> Result<(), Stop> {
        for byte in 0..ty.bytes() {
            let place = self.memory.get_mut(&(at + i64::from(byte)));
            *place.ok_or_else(|| Stop::Fault(format!("store to {at}")))? = (value >> (8 * byte)) as u8;
        }
        Ok(())
    }

    fn call(&mut self, function: &Function, args: &[i64]) -> Result<Option<i64>, Stop> {
        let mut values: HashMap<Value, i64> = HashMap::new();
        let slots: Vec<i64> = function.slots.iter().map(|slot| self.allocate(slot.size.max(8))).collect();
        let mut block = BlockId(0);
        let mut passed = args.to_vec();
        let result = loop {
            let data = &function.blocks[block.0 as usize];
            values.extend(data.params.iter().copied().zip(passed));
            for inst in &data.insts {
                self.fuel = self.fuel.checked_sub(1).ok_or(Stop::Fuel)?;
                if let Some(value) = self.inst(function, inst, &values, &slots)? {
                    values.insert(inst.result.unwrap(), value);
                }
            }
            self.fuel = self.fuel.checked_sub(1).ok_or(Stop::Fuel)?;
            let target = match &data.terminator {
                Terminator::Jump(target) => target,
                Terminator::Branch(condition, yes, no) => {
                    if values[condition] != 0 {
                        yes
                    } else {
                        no
                    }
                }
                Terminator::Switch { value, cases, default } => {
                    let value = i128::from(values[value]);
                    cases.iter().find(|(case, _)| *case == value).map_or(default, |(_, target)| target)
                }
                Terminator::Return(value) => break value.map(|value| values[&value]),
                Terminator::Unreachable => return Err(Stop::Fault("reached the unreachable".to_owned())),
            };
            passed = target.args.iter().map(|arg| values[arg]).collect();
            block = target.block;
        };
        for slot in slots {
            self.free(slot);
        }
        Ok(result)
    }

    fn inst(
        &mut self,
        function: &Function,
        inst: &Inst,
        values: &HashMap<Value, i64>,
        slots: &[i64],
    ) -> Result<Option<i64>, Stop> {
        let get = |value: &Value| values[value];
        let ty = inst.result.map_or(Type::I64, |result| function.ty(result));
        let value = match &inst.op {
            Op::Int(value) => *value as i64,
            Op::Unary(op, a) => match op {
                UnaryOp::Neg => get(a).wrapping_neg(),
                UnaryOp::Not => !get(a),
                UnaryOp::LeadingZeros => {
                    let width = ty.bits();
                    (0..width).rev().take_while(|bit| get(a) >> bit & 1 == 0).count() as i64
                }
                UnaryOp::FNeg => return Err(Stop::Fault("floats".to_owned())),
            },
            Op::Binary(op, a, b) => binary(*op, get(a), get(b), ty),
            Op::Compare(op, a, b) => i64::from(compare(*op, get(a), get(b), function.ty(*a))),
            Op::Convert(op, a) => match op {
                ConvertOp::ZeroExtend => zero_extend(get(a), function.ty(*a)) as i64,
                ConvertOp::Truncate | ConvertOp::SignExtend | ConvertOp::Bitcast => get(a),
                _ => return Err(Stop::Fault("floats".to_owned())),
            },
            Op::Select(condition, yes, no) => get(if get(condition) != 0 { yes } else { no }),
            Op::Load { address, offset, .. } => self.load(get(address) + i64::from(*offset), ty)?,
            Op::Store { address, offset, value, .. } => {
                self.store(get(address) + i64::from(*offset), get(value), function.ty(*value))?;
                return Ok(None);
            }
            Op::SlotAddress(slot) => slots[slot.0 as usize],
            Op::Call { callee: Callee::Extern(_), args } => {
                self.observed.push(args.iter().map(get).collect());
                return Ok(None);
            }
            Op::Call { callee: Callee::Instance(callee), args } => {
                let callee = self.functions[callee];
                let args: Vec<i64> = args.iter().map(get).collect();
                return self.call(callee, &args);
            }
            Op::Retain { value, .. } => {
                let count = self.load(get(value), Type::I64)?;
                self.store(get(value), count + 1, Type::I64)?;
                return Ok(None);
            }
            Op::Release { value, .. } => {
                self.release(get(value))?;
                return Ok(None);
            }
            Op::Unique { value, .. } => {
                let object = get(value);
                if self.load(object, Type::I64)? == 1 {
                    object
                } else {
                    let size = self.objects[&object];
                    let copy = self.allocate(size);
                    for byte in 8..size {
                        let byte = i64::from(byte);
                        let content = self.memory[&(object + byte)];
                        self.memory.insert(copy + byte, content);
                    }
                    self.store(copy, 1, Type::I64)?;
                    self.release(object)?;
                    copy
                }
            }
            Op::Alloc { size, .. } => self.allocate(*size),
            Op::Check { condition, args, .. } => {
                if get(condition) == 0 {
                    return Err(Stop::Check(args.iter().map(get).collect()));
                }
                return Ok(None);
            }
            Op::Float(_) | Op::SymbolAddress(_) | Op::Call { .. } => {
                return Err(Stop::Fault("not supported".to_owned()));
            }
        };
        Ok(Some(extend(value, ty)))
    }

    fn release(&mut self, object: i64) -> Result<(), Stop> {
        let count = self.load(object, Type::I64)? - 1;
        self.store(object, count, Type::I64)?;
        if count == 0 {
            self.free(object);
        }
        Ok(())
    }
}

fn extend(value: i64, ty: Type) -> i64 {
    match ty {
        Type::I8 => i64::from(value as i8),
        Type::I16 => i64::from(value as i16),
        Type::I32 => i64::from(value as i32),
        _ => value,
    }
}

fn zero_extend(value: i64, ty: Type) -> u64 {
    match ty {
        Type::I8 => u64::from(value as u8),
        Type::I16 => u64::from(value as u16),
        Type::I32 => u64::from(value as u32),
        _ => value as u64,
    }
}

fn binary(op: BinaryOp, a: i64, b: i64, ty: Type) -> i64 {
    let (ua, ub) = (zero_extend(a, ty), zero_extend(b, ty));
    let count = (b as u64 % u64::from(ty.bits())) as u32;
    match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::SDiv => a.wrapping_div(b),
        BinaryOp::UDiv => (ua / ub) as i64,
        BinaryOp::SRem => a.wrapping_rem(b),
        BinaryOp::URem => (ua % ub) as i64,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Shl => a << count,
        BinaryOp::AShr => a >> count,
        BinaryOp::LShr => (ua >> count) as i64,
        BinaryOp::FAdd | BinaryOp::FSub | BinaryOp::FMul | BinaryOp::FDiv => panic!("floats"),
    }
}

fn compare(op: CompareOp, a: i64, b: i64, ty: Type) -> bool {
    let (ua, ub) = (zero_extend(a, ty), zero_extend(b, ty));
    match op {
        CompareOp::Eq => a == b,
        CompareOp::Ne => a != b,
        CompareOp::SLt => a < b,
        CompareOp::SLe => a <= b,
        CompareOp::SGt => a > b,
        CompareOp::SGe => a >= b,
        CompareOp::ULt => ua < ub,
        CompareOp::ULe => ua <= ub,
        CompareOp::UGt => ua > ub,
        CompareOp::UGe => ua >= ub,
        _ => panic!("floats"),
    }
}
