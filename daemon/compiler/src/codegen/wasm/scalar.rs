//! Operations of up to 64 bits. Operands are pushed, and the result is left on the stack.
use super::body::Body;
use crate::ssa::{BinaryOp, CompareOp, ConvertOp, Inst, Op, Type, UnaryOp, Value};
use wasm_encoder::ValType;

/// Whether integers of this type are in a local of 32 bits.
fn is_small(ty: Type) -> bool {
    matches!(ty, Type::I8 | Type::I16)
}

impl Body<'_> {
    /// Whether an operation reads an operand more than once.
    pub(super) fn needs_locals(&self, inst: &Inst) -> bool {
        match &inst.op {
            Op::Binary(BinaryOp::SDiv, _, right) => {
                let ty = self.function.ty(*right);
                ty == Type::I64 && self.known_int(*right).is_none_or(|divisor| divisor == -1)
            }
            Op::Convert(ConvertOp::FloatToSigned | ConvertOp::FloatToUnsigned, _) => {
                inst.result.is_some_and(|result| is_small(self.function.ty(result)))
            }
            _ => false,
        }
    }

    /// Clears the bits above the width of a small integer on the stack.
    pub(super) fn cut(&mut self, ty: Type) {
        match ty {
            Type::I8 => {
                self.ins().i32_const(0xff).i32_and();
            }
            Type::I16 => {
                self.ins().i32_const(0xffff).i32_and();
            }
            Type::I32 | Type::I64 | Type::I128 | Type::F32 | Type::F64 => {}
        }
    }

    fn extend(&mut self, ty: Type) {
        match ty {
            Type::I8 => {
                self.ins().i32_extend8_s();
            }
            Type::I16 => {
                self.ins().i32_extend16_s();
            }
            Type::I32 | Type::I64 | Type::I128 | Type::F32 | Type::F64 => {}
        }
    }

    /// Puts a value on the stack, a small integer with its sign.
    pub(super) fn push_signed(&mut self, value: Value) {
        let ty = self.function.ty(value);
        match self.known_int(value).filter(|_| is_small(ty)) {
            Some(constant) => self.push_int(crate::ssa::wrap_int(constant, ty.bits()), Type::I32),
            None => {
                self.push(value);
                self.extend(ty);
            }
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, value: Value, ty: Type) {
        match op {
            UnaryOp::Neg => {
                self.push_int(0, ty);
                self.push(value);
                let mut ins = self.ins();
                if ty == Type::I64 {
                    ins.i64_sub()
                } else {
                    ins.i32_sub()
                };
                self.cut(ty);
            }
            UnaryOp::Not => {
                self.push(value);
                self.push_int(-1, ty);
                let mut ins = self.ins();
                if ty == Type::I64 {
                    ins.i64_xor()
                } else {
                    ins.i32_xor()
                };
            }
            UnaryOp::LeadingZeros => {
                self.push(value);
                if ty == Type::I64 {
                    self.ins().i64_clz();
                } else {
                    self.ins().i32_clz();
                    if is_small(ty) {
                        self.ins().i32_const(32 - ty.bits() as i32).i32_sub();
                    }
                }
            }
            UnaryOp::FNeg => {
                self.push(value);
                let mut ins = self.ins();
                if ty == Type::F32 {
                    ins.f32_neg()
                } else {
                    ins.f64_neg()
                };
            }
        }
    }

    pub(super) fn binary(&mut self, op: BinaryOp, left: Value, right: Value, ty: Type) {
        match op {
            BinaryOp::SDiv if self.needs_care(right, ty) => return self.divide(left, right, ty),
            BinaryOp::SDiv | BinaryOp::SRem => {
                self.push_signed(left);
                self.push_signed(right);
            }
            BinaryOp::AShr => {
                self.push_signed(left);
                self.push_shift(right, ty);
            }
            BinaryOp::Shl | BinaryOp::LShr => {
                self.push(left);
                self.push_shift(right, ty);
            }
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::UDiv
            | BinaryOp::URem
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::FAdd
            | BinaryOp::FSub
            | BinaryOp::FMul
            | BinaryOp::FDiv => {
                self.push(left);
                self.push(right);
            }
        }
        let mut ins = self.ins();
        match (op, ty) {
            (BinaryOp::Add, Type::I64) => ins.i64_add(),
            (BinaryOp::Add, _) => ins.i32_add(),
            (BinaryOp::Sub, Type::I64) => ins.i64_sub(),
            (BinaryOp::Sub, _) => ins.i32_sub(),
            (BinaryOp::Mul, Type::I64) => ins.i64_mul(),
            (BinaryOp::Mul, _) => ins.i32_mul(),
            (BinaryOp::SDiv, Type::I64) => ins.i64_div_s(),
            (BinaryOp::SDiv, _) => ins.i32_div_s(),
            (BinaryOp::UDiv, Type::I64) => ins.i64_div_u(),
            (BinaryOp::UDiv, _) => ins.i32_div_u(),
            (BinaryOp::SRem, Type::I64) => ins.i64_rem_s(),
            (BinaryOp::SRem, _) => ins.i32_rem_s(),
            (BinaryOp::URem, Type::I64) => ins.i64_rem_u(),
            (BinaryOp::URem, _) => ins.i32_rem_u(),
            (BinaryOp::And, Type::I64) => ins.i64_and(),
            (BinaryOp::And, _) => ins.i32_and(),
            (BinaryOp::Or, Type::I64) => ins.i64_or(),
            (BinaryOp::Or, _) => ins.i32_or(),
            (BinaryOp::Xor, Type::I64) => ins.i64_xor(),
            (BinaryOp::Xor, _) => ins.i32_xor(),
            (BinaryOp::Shl, Type::I64) => ins.i64_shl(),
            (BinaryOp::Shl, _) => ins.i32_shl(),
            (BinaryOp::AShr, Type::I64) => ins.i64_shr_s(),
            (BinaryOp::AShr, _) => ins.i32_shr_s(),
            (BinaryOp::LShr, Type::I64) => ins.i64_shr_u(),
            (BinaryOp::LShr, _) => ins.i32_shr_u(),
            (BinaryOp::FAdd, Type::F32) => ins.f32_add(),
            (BinaryOp::FAdd, _) => ins.f64_add(),
            (BinaryOp::FSub, Type::F32) => ins.f32_sub(),
            (BinaryOp::FSub, _) => ins.f64_sub(),
            (BinaryOp::FMul, Type::F32) => ins.f32_mul(),
            (BinaryOp::FMul, _) => ins.f64_mul(),
            (BinaryOp::FDiv, Type::F32) => ins.f32_div(),
            (BinaryOp::FDiv, _) => ins.f64_div(),
        };
        match op {
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::SDiv
            | BinaryOp::SRem
            | BinaryOp::Shl
            | BinaryOp::AShr => self.cut(ty),
            // Of zero-extended operands these are zero-extended.
            BinaryOp::UDiv
            | BinaryOp::URem
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::LShr
            | BinaryOp::FAdd
            | BinaryOp::FSub
            | BinaryOp::FMul
            | BinaryOp::FDiv => {}
        }
    }

    /// Whether the quotient of the smallest number by -1 could be asked for, which traps. Small integers are
    /// divided with 32 bits, where it fits.
    fn needs_care(&self, divisor: Value, ty: Type) -> bool {
        !is_small(ty) && self.known_int(divisor).is_none_or(|divisor| divisor == -1)
    }

    /// A quotient that wraps.
    fn divide(&mut self, left: Value, right: Value, ty: Type) {
        if ty == Type::I32 {
            self.push(left);
            self.ins().i64_extend_i32_s();
            self.push(right);
            self.ins().i64_extend_i32_s().i64_div_s().i32_wrap_i64();
            return;
        }
        let (left, right) = (self.local_of(left), self.local_of(right));
        // -x, or x divided by something that is not -1.
        let mut ins = self.ins();
        ins.i64_const(0).local_get(left).i64_sub();
        ins.local_get(left).i64_const(1).local_get(right);
        ins.local_get(right).i64_const(-1).i64_eq().select().i64_div_s();
        ins.local_get(right).i64_const(-1).i64_eq().select();
    }

    /// A shift's count in the type that is shifted, modulo the width.
    fn push_shift(&mut self, count: Value, ty: Type) {
        if let Some(constant) = self.known_int(count) {
            let constant = constant.rem_euclid(i128::from(ty.bits()));
            return self.push_int(constant, if ty == Type::I64 { Type::I64 } else { Type::I32 });
        }
        let from = self.function.ty(count);
        self.push(count);
        match (from == Type::I64, ty == Type::I64) {
            (true, false) => {
                self.ins().i32_wrap_i64();
            }
            (false, true) => {
                self.ins().i64_extend_i32_u();
            }
            (true, true) | (false, false) => {}
        }
        if is_small(ty) {
            self.ins().i32_const(ty.bits() as i32 - 1).i32_and();
        }
    }

    pub(super) fn compare(&mut self, op: CompareOp, left: Value, right: Value) {
        let ty = self.function.ty(left);
        if ty == Type::I128 {
            return self.compare_wide(op, left, right);
        }
        match op {
            CompareOp::SLt | CompareOp::SLe | CompareOp::SGt | CompareOp::SGe => {
                self.push_signed(left);
                self.push_signed(right);
            }
            _ => {
                self.push(left);
                self.push(right);
            }
        }
        let mut ins = self.ins();
        match (op, ty) {
            (CompareOp::Eq, Type::I64) => ins.i64_eq(),
            (CompareOp::Eq, _) => ins.i32_eq(),
            (CompareOp::Ne, Type::I64) => ins.i64_ne(),
            (CompareOp::Ne, _) => ins.i32_ne(),
            (CompareOp::SLt, Type::I64) => ins.i64_lt_s(),
            (CompareOp::SLt, _) => ins.i32_lt_s(),
            (CompareOp::SLe, Type::I64) => ins.i64_le_s(),
            (CompareOp::SLe, _) => ins.i32_le_s(),
            (CompareOp::SGt, Type::I64) => ins.i64_gt_s(),
            (CompareOp::SGt, _) => ins.i32_gt_s(),
            (CompareOp::SGe, Type::I64) => ins.i64_ge_s(),
            (CompareOp::SGe, _) => ins.i32_ge_s(),
            (CompareOp::ULt, Type::I64) => ins.i64_lt_u(),
            (CompareOp::ULt, _) => ins.i32_lt_u(),
            (CompareOp::ULe, Type::I64) => ins.i64_le_u(),
            (CompareOp::ULe, _) => ins.i32_le_u(),
            (CompareOp::UGt, Type::I64) => ins.i64_gt_u(),
            (CompareOp::UGt, _) => ins.i32_gt_u(),
            (CompareOp::UGe, Type::I64) => ins.i64_ge_u(),
            (CompareOp::UGe, _) => ins.i32_ge_u(),
            (CompareOp::FEq, Type::F32) => ins.f32_eq(),
            (CompareOp::FEq, _) => ins.f64_eq(),
            (CompareOp::FNe, Type::F32) => ins.f32_ne(),
            (CompareOp::FNe, _) => ins.f64_ne(),
            (CompareOp::FLt, Type::F32) => ins.f32_lt(),
            (CompareOp::FLt, _) => ins.f64_lt(),
            (CompareOp::FLe, Type::F32) => ins.f32_le(),
            (CompareOp::FLe, _) => ins.f64_le(),
            (CompareOp::FGt, Type::F32) => ins.f32_gt(),
            (CompareOp::FGt, _) => ins.f64_gt(),
            (CompareOp::FGe, Type::F32) => ins.f32_ge(),
            (CompareOp::FGe, _) => ins.f64_ge(),
        };
    }

    pub(super) fn convert(&mut self, op: ConvertOp, value: Value, to: Type) {
        let from = self.function.ty(value);
        match op {
            ConvertOp::Truncate => {
                if from == Type::I128 {
                    self.push_low(value);
                } else {
                    self.push(value);
                }
                if to != Type::I64 {
                    if matches!(from, Type::I64 | Type::I128) {
                        self.ins().i32_wrap_i64();
                    }
                    self.cut(to);
                }
            }
            ConvertOp::SignExtend => {
                self.push_signed(value);
                if to == Type::I64 {
                    self.ins().i64_extend_i32_s();
                }
                self.cut(to);
            }
            ConvertOp::ZeroExtend => {
                self.push(value);
                if to == Type::I64 {
                    self.ins().i64_extend_i32_u();
                }
            }
            ConvertOp::FloatToSigned | ConvertOp::FloatToUnsigned => self.float_to_int(op, value, to),
            ConvertOp::SignedToFloat => {
                self.push_signed(value);
                match (from == Type::I64, to == Type::F32) {
                    (true, true) => self.ins().f32_convert_i64_s(),
                    (true, false) => self.ins().f64_convert_i64_s(),
                    (false, true) => self.ins().f32_convert_i32_s(),
                    (false, false) => self.ins().f64_convert_i32_s(),
                };
            }
            ConvertOp::UnsignedToFloat => {
                self.push(value);
                match (from == Type::I64, to == Type::F32) {
                    (true, true) => self.ins().f32_convert_i64_u(),
                    (true, false) => self.ins().f64_convert_i64_u(),
                    (false, true) => self.ins().f32_convert_i32_u(),
                    (false, false) => self.ins().f64_convert_i32_u(),
                };
            }
            ConvertOp::Promote => {
                self.push(value);
                self.ins().f64_promote_f32();
            }
            ConvertOp::Demote => {
                self.push(value);
                self.ins().f32_demote_f64();
            }
            ConvertOp::Bitcast => {
                self.push(value);
                match (from, to) {
                    (Type::F32, Type::I32) => {
                        self.ins().i32_reinterpret_f32();
                    }
                    (Type::I32, Type::F32) => {
                        self.ins().f32_reinterpret_i32();
                    }
                    (Type::F64, Type::I64) => {
                        self.ins().i64_reinterpret_f64();
                    }
                    (Type::I64, Type::F64) => {
                        self.ins().f64_reinterpret_i64();
                    }
                    // The same type.
                    _ => {}
                }
            }
        }
    }

    fn float_to_int(&mut self, op: ConvertOp, value: Value, to: Type) {
        let single = self.function.ty(value) == Type::F32;
        let signed = op == ConvertOp::FloatToSigned;
        self.push(value);
        let mut ins = self.ins();
        match (to == Type::I64, signed, single) {
            (true, true, true) => ins.i64_trunc_sat_f32_s(),
            (true, true, false) => ins.i64_trunc_sat_f64_s(),
            (true, false, true) => ins.i64_trunc_sat_f32_u(),
            (true, false, false) => ins.i64_trunc_sat_f64_u(),
            (false, true, true) => ins.i32_trunc_sat_f32_s(),
            (false, true, false) => ins.i32_trunc_sat_f64_s(),
            (false, false, true) => ins.i32_trunc_sat_f32_u(),
            (false, false, false) => ins.i32_trunc_sat_f64_u(),
        };
        if !is_small(to) {
            return;
        }
        let held = self.temporary(ValType::I32);
        let most = if signed { (1 << (to.bits() - 1)) - 1 } else { (1 << to.bits()) - 1 };
        let mut ins = self.ins();
        ins.local_tee(held).i32_const(most).local_get(held).i32_const(most);
        if signed {
            ins.i32_lt_s()
        } else {
            ins.i32_lt_u()
        };
        ins.select();
        if signed {
            let least = -most - 1;
            ins.local_tee(held).i32_const(least).local_get(held).i32_const(least).i32_gt_s().select();
        }
        self.cut(to);
    }
}
