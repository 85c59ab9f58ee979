//! Operations of 128 bits, on two halves. Values are in pairs of locals or constants, never on the stack.
use wasm_encoder::{MemArg, ValType};

use super::body::{Body, Held};
use crate::ssa::{BinaryOp, CompareOp, ConvertOp, Inst, Op, Type, UnaryOp, Value};

/// Two halves as they are pushed.
#[derive(Clone, Copy)]
enum Half {
    Constant(i64),
    Local(u32),
}

#[derive(Clone, Copy)]
struct Halves {
    low: Half,
    high: Half,
}

impl<'a> Body<'a> {
    fn halves(&self, value: Value) -> Halves {
        match self.held(value) {
            Held::Pair(low, high) => Halves { low: Half::Local(low), high: Half::Local(high) },
            Held::Constant(Op::Int(constant)) => Halves {
                low: Half::Constant(*constant as i64),
                high: Half::Constant((*constant >> 64) as i64),
            },
            Held::Constant(_) | Held::Local(_) | Held::Deferred(_) | Held::Nowhere => {
                Halves { low: Half::Constant(0), high: Half::Constant(0) }
            }
        }
    }

    fn half(&mut self, half: Half) {
        match half {
            Half::Constant(constant) => self.ins().i64_const(constant),
            Half::Local(local) => self.ins().local_get(local),
        };
    }

    /// The lower half.
    pub(super) fn push_low(&mut self, value: Value) {
        let low = self.halves(value).low;
        self.half(low);
    }

    /// Whether a value is this constant.
    pub(super) fn push_wide_equal(&mut self, value: Value, constant: i128) {
        let halves = self.halves(value);
        self.half(halves.low);
        self.ins().i64_const(constant as i64).i64_xor();
        self.half(halves.high);
        self.ins().i64_const((constant >> 64) as i64).i64_xor().i64_or().i64_eqz();
    }

    pub(super) fn store_wide(&mut self, address: Value, offset: i32, value: Value) {
        let address = self.local_of(address);
        let halves = self.halves(value);
        for (half, offset) in [(halves.low, offset), (halves.high, offset.saturating_add(8))] {
            let memory = self.push_local_base(address, offset);
            self.half(half);
            self.store(Type::I64, memory);
        }
    }

    pub(super) fn compare_wide(&mut self, op: CompareOp, left: Value, right: Value) {
        let (x, y) = (self.halves(left), self.halves(right));
        if matches!(op, CompareOp::Eq | CompareOp::Ne) {
            self.half(x.low);
            self.half(y.low);
            self.ins().i64_xor();
            self.half(x.high);
            self.half(y.high);
            self.ins().i64_xor().i64_or().i64_eqz();
            if op == CompareOp::Ne {
                self.ins().i32_eqz();
            }
            return;
        }
        // By the lower halves if the upper ones are equal.
        self.half(x.low);
        self.half(y.low);
        match op {
            CompareOp::SLt | CompareOp::ULt => self.ins().i64_lt_u(),
            CompareOp::SLe | CompareOp::ULe => self.ins().i64_le_u(),
            CompareOp::SGt | CompareOp::UGt => self.ins().i64_gt_u(),
            _ => self.ins().i64_ge_u(),
        };
        self.half(x.high);
        self.half(y.high);
        match op {
            CompareOp::SLt | CompareOp::SLe => self.ins().i64_lt_s(),
            CompareOp::ULt | CompareOp::ULe => self.ins().i64_lt_u(),
            CompareOp::SGt | CompareOp::SGe => self.ins().i64_gt_s(),
            _ => self.ins().i64_gt_u(),
        };
        self.half(x.high);
        self.half(y.high);
        self.ins().i64_eq().select();
    }

    /// An operation with a result of 128 bits.
    pub(super) fn wide(&mut self, inst: &'a Inst, result: Value) {
        match &inst.op {
            Op::Unary(op, value) => {
                let x = self.halves(*value);
                match op {
                    UnaryOp::Neg => {
                        let zero = Halves { low: Half::Constant(0), high: Half::Constant(0) };
                        self.subtract(zero, x);
                    }
                    UnaryOp::Not | UnaryOp::FNeg => {
                        self.half(x.low);
                        self.ins().i64_const(-1).i64_xor();
                        self.half(x.high);
                        self.ins().i64_const(-1).i64_xor();
                    }
                    UnaryOp::LeadingZeros => {
                        self.half(x.low);
                        self.ins().i64_clz().i64_const(64).i64_add();
                        self.half(x.high);
                        self.ins().i64_clz();
                        self.half(x.high);
                        self.ins().i64_eqz().select().i64_const(0);
                    }
                }
            }
            Op::Binary(op, left, right) => self.wide_binary(*op, *left, *right),
            Op::Convert(op, value) => self.widen(*op, *value),
            Op::Select(condition, yes, no) => {
                let condition = self.local_of(*condition);
                let (yes, no) = (self.halves(*yes), self.halves(*no));
                for (yes, no) in [(yes.low, no.low), (yes.high, no.high)] {
                    self.half(yes);
                    self.half(no);
                    self.ins().local_get(condition).select();
                }
            }
            Op::Load { address, offset, .. } => {
                let address = self.local_of(*address);
                for offset in [*offset, offset.saturating_add(8)] {
                    let memory = self.push_local_base(address, offset);
                    self.load(Type::I64, memory);
                }
            }
            Op::Call { callee, args } => self.call(callee, args, Some(Type::I128)),
            // Nothing else has a result of 128 bits; the verifier checks it.
            _ => self.push_int(0, Type::I128),
        }
        self.define(result);
    }

    fn push_local_base(&mut self, address: u32, offset: i32) -> MemArg {
        self.ins().local_get(address);
        if offset < 0 {
            self.ins().i64_const(i64::from(offset)).i64_add();
        }
        self.narrow_address();
        MemArg { offset: offset.max(0) as u64, align: 0, memory_index: 0 }
    }

    fn subtract(&mut self, x: Halves, y: Halves) {
        self.half(x.low);
        self.half(y.low);
        self.ins().i64_sub();
        self.half(x.high);
        self.half(y.high);
        self.ins().i64_sub();
        self.half(x.low);
        self.half(y.low);
        self.ins().i64_lt_u().i64_extend_i32_u().i64_sub();
    }

    fn wide_binary(&mut self, op: BinaryOp, left: Value, right: Value) {
        if op.is_shift() {
            return self.shift(op, left, right);
        }
        let (x, y) = (self.halves(left), self.halves(right));
        match op {
            BinaryOp::Sub => self.subtract(x, y),
            BinaryOp::Mul => {
                self.half(x.low);
                self.half(y.low);
                self.ins().i64_mul();
                self.half(x.low);
                self.half(y.low);
                self.call_extern("wasm_multiply_high", &[Type::I64, Type::I64], Some(Type::I64));
                self.half(x.low);
                self.half(y.high);
                self.ins().i64_mul().i64_add();
                self.half(x.high);
                self.half(y.low);
                self.ins().i64_mul().i64_add();
            }
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => {
                for (x, y) in [(x.low, y.low), (x.high, y.high)] {
                    self.half(x);
                    self.half(y);
                    match op {
                        BinaryOp::And => self.ins().i64_and(),
                        BinaryOp::Or => self.ins().i64_or(),
                        _ => self.ins().i64_xor(),
                    };
                }
            }
            // There is no 128-bit division in SSA, and no float of 128 bits.
            _ => {
                let sum = self.temporary(ValType::I64);
                self.half(x.low);
                self.half(y.low);
                self.ins().i64_add().local_tee(sum);
                self.half(x.high);
                self.half(y.high);
                // The sum is below an operand if and only if there is a carry.
                self.ins().i64_add().local_get(sum);
                self.half(x.low);
                self.ins().i64_lt_u().i64_extend_i32_u().i64_add();
            }
        }
    }

    /// A shift by less than 64, and from it one by 64 more.
    fn shift(&mut self, op: BinaryOp, left: Value, right: Value) {
        let x = self.halves(left);
        let [count, low, high] = [ValType::I64; 3].map(|ty| self.temporary(ty));
        self.push(right);
        if self.function.ty(right) != Type::I64 {
            self.ins().i64_extend_i32_u();
        }
        self.ins().local_set(count);
        if op == BinaryOp::Shl {
            self.half(x.low);
            self.ins().local_get(count).i64_shl().local_set(low);
            self.half(x.high);
            self.ins().local_get(count).i64_shl();
            // In two steps, because a shift by 64 would be one by 0.
            self.half(x.low);
            self.ins().i64_const(1).i64_shr_u();
            self.ins().local_get(count).i64_const(-1).i64_xor().i64_shr_u().i64_or().local_set(high);
            self.ins().i64_const(0).local_get(low);
            self.far(count);
            self.ins().local_get(low).local_get(high);
            self.far(count);
            return;
        }
        self.half(x.high);
        self.ins().local_get(count);
        let mut ins = self.ins();
        if op == BinaryOp::AShr {
            ins.i64_shr_s()
        } else {
            ins.i64_shr_u()
        };
        self.ins().local_set(high);
        self.half(x.low);
        self.ins().local_get(count).i64_shr_u();
        self.half(x.high);
        self.ins().i64_const(1).i64_shl();
        self.ins().local_get(count).i64_const(-1).i64_xor().i64_shl().i64_or().local_set(low);
        self.ins().local_get(high).local_get(low);
        self.far(count);
        if op == BinaryOp::AShr {
            self.half(x.high);
            self.ins().i64_const(63).i64_shr_s();
        } else {
            self.ins().i64_const(0);
        }
        self.ins().local_get(high);
        self.far(count);
    }

    /// The lower value on the stack if the count is 64 or more, else the upper one.
    fn far(&mut self, count: u32) {
        self.ins().local_get(count).i64_const(64).i64_and().i64_eqz().i32_eqz().select();
    }

    fn widen(&mut self, op: ConvertOp, value: Value) {
        let from = self.function.ty(value);
        match op {
            ConvertOp::SignExtend => {
                self.push_signed(value);
                if from != Type::I64 {
                    self.ins().i64_extend_i32_s();
                }
                let low = self.temporary(ValType::I64);
                self.ins().local_tee(low).local_get(low).i64_const(63).i64_shr_s();
            }
            ConvertOp::ZeroExtend => {
                self.push(value);
                if from != Type::I64 {
                    self.ins().i64_extend_i32_u();
                }
                self.ins().i64_const(0);
            }
            // From 128 bits to 128 bits.
            _ => self.push(value),
        }
    }
}
