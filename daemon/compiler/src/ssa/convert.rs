//! Casts and comparisons: from what the language says to machine operations.
use super::data::{BinaryOp as B, CompareOp, ConvertOp as C, Op, Type, UnaryOp as U, Value};
use super::layout::value_type;
use super::lower::{Lowering, is_signed};
use crate::lower::hir::BinaryOp;
use crate::types::Ty;

impl Lowering<'_> {
    /// An integer, bool or char as 64 bits, for messages: extended by its sign, or cut.
    pub(super) fn as_i64(&mut self, value: Value, ty: &Ty) -> Value {
        let signed = is_signed(ty);
        self.resize(value, signed, Type::I64)
    }

    fn convert(&mut self, op: C, value: Value, to: Type) -> Value {
        self.b.push(to, Op::Convert(op, value))
    }

    /// An integer in another width.
    fn resize(&mut self, value: Value, signed: bool, to: Type) -> Value {
        let from = self.b.ty(value);
        if from.is_float() || from.bits() == to.bits() {
            value
        } else if from.bits() > to.bits() {
            self.convert(C::Truncate, value, to)
        } else {
            self.convert(if signed { C::SignExtend } else { C::ZeroExtend }, value, to)
        }
    }

    /// `value as to` (§3.5 of the reference).
    pub(super) fn cast(&mut self, value: Value, from: &Ty, to: &Ty) -> Value {
        let (from, to) = (value_type(from), value_type(to));
        if from == to {
            return value;
        }
        let scalar = self.layouts.scalar(to);
        let value_scalar = self.b.ty(value);
        match (value_scalar.is_float(), scalar.is_float()) {
            (true, true) => match (value_scalar, scalar) {
                (Type::F32, Type::F64) => self.convert(C::Promote, value, scalar),
                (Type::F64, Type::F32) => self.convert(C::Demote, value, scalar),
                _ => value,
            },
            (true, false) => self.float_to_int(value, is_signed(to), scalar),
            (false, true) => {
                let (value, signed) = self.ordinal(value, from);
                self.int_to_float(value, signed, scalar)
            }
            (false, false) => {
                let (value, signed) = self.ordinal(value, from);
                if to == &Ty::Bool {
                    let zero_ty = self.b.ty(value);
                    let zero = self.b.int(zero_ty, 0);
                    return self.b.push(Type::I8, Op::Compare(CompareOp::Ne, value, zero));
                }
                self.resize(value, signed, scalar)
            }
        }
    }

    /// The number that a cast of an integer, bool, char or plain pick means, and whether it is signed.
    fn ordinal(&mut self, value: Value, ty: &Ty) -> (Value, bool) {
        if !matches!(ty, Ty::Pick(..)) {
            return (value, is_signed(ty));
        }
        let shape = self.layouts.pick(ty);
        let in_order = |(index, (_, ordinal)): (usize, &(Vec<Ty>, i128))| index as i128 == *ordinal;
        if shape.variants.iter().enumerate().all(in_order) {
            return (value, false);
        }
        let narrow = shape.variants.iter().all(|(_, ordinal)| i64::try_from(*ordinal).is_ok());
        let wide = if narrow { Type::I64 } else { Type::I128 };
        let index_ty = self.b.ty(value);
        let mut result = self.b.int(wide, shape.variants.last().map_or(0, |(_, ordinal)| *ordinal));
        for (index, (_, ordinal)) in shape.variants.iter().enumerate().rev().skip(1) {
            let index = self.b.int(index_ty, index as i128);
            let here = self.b.push(Type::I8, Op::Compare(CompareOp::Eq, value, index));
            let ordinal = self.b.int(wide, *ordinal);
            result = self.b.push(wide, Op::Select(here, ordinal, result));
        }
        (result, true)
    }

    fn float_constant(&mut self, ty: Type, value: f64) -> Value {
        let bits = if ty == Type::F32 { u64::from((value as f32).to_bits()) } else { value.to_bits() };
        self.b.push(ty, Op::Float(bits))
    }

    /// Toward zero, saturating, NaN to 0.
    fn float_to_int(&mut self, value: Value, signed: bool, to: Type) -> Value {
        if to != Type::I128 {
            return self.convert(if signed { C::FloatToSigned } else { C::FloatToUnsigned }, value, to);
        }
        let value =
            if self.b.ty(value) == Type::F32 { self.convert(C::Promote, value, Type::F64) } else { value };
        let zero = self.float_constant(Type::F64, 0.0);
        let negative = self.b.push(Type::I8, Op::Compare(CompareOp::FLt, value, zero));
        let negated = self.b.push(Type::F64, Op::Unary(U::FNeg, value));
        // Below zero the unsigned result is 0.
        let magnitude_of_negative = if signed { negated } else { zero };
        let magnitude = self.b.push(Type::F64, Op::Select(negative, magnitude_of_negative, value));
        // Both halves are exact: scaling by a power of two loses nothing, nor does the subtraction.
        let two_64 = self.float_constant(Type::F64, 18_446_744_073_709_551_616.0);
        let scale = self.float_constant(Type::F64, 1.0 / 18_446_744_073_709_551_616.0);
        let scaled = self.b.push(Type::F64, Op::Binary(B::FMul, magnitude, scale));
        let high = self.convert(C::FloatToUnsigned, scaled, Type::I64);
        let high_float = self.convert(C::UnsignedToFloat, high, Type::F64);
        let high_part = self.b.push(Type::F64, Op::Binary(B::FMul, high_float, two_64));
        let rest = self.b.push(Type::F64, Op::Binary(B::FSub, magnitude, high_part));
        let low = self.convert(C::FloatToUnsigned, rest, Type::I64);
        let high = self.convert(C::ZeroExtend, high, Type::I128);
        let low = self.convert(C::ZeroExtend, low, Type::I128);
        let shift = self.b.int(Type::I8, 64);
        let high = self.b.push(Type::I128, Op::Binary(B::Shl, high, shift));
        let whole = self.b.push(Type::I128, Op::Binary(B::Or, high, low));
        let (limit, most) = if signed {
            (170_141_183_460_469_231_731_687_303_715_884_105_728.0, i128::MAX)
        } else {
            (340_282_366_920_938_463_463_374_607_431_768_211_456.0, -1)
        };
        let limit = self.float_constant(Type::F64, limit);
        let over = self.b.push(Type::I8, Op::Compare(CompareOp::FGe, magnitude, limit));
        let most = self.b.int(Type::I128, most);
        let whole = self.b.push(Type::I128, Op::Select(over, most, whole));
        if !signed {
            return whole;
        }
        // -(2^127 - 1) - 1 is the smallest number, which is what lies below the limit too.
        let minus = self.b.push(Type::I128, Op::Unary(U::Neg, whole));
        let least = self.b.int(Type::I128, i128::MIN);
        let minus = self.b.push(Type::I128, Op::Select(over, least, minus));
        self.b.push(Type::I128, Op::Select(negative, minus, whole))
    }

    /// To nearest, ties to even.
    fn int_to_float(&mut self, value: Value, signed: bool, to: Type) -> Value {
        if self.b.ty(value) != Type::I128 {
            return self.convert(if signed { C::SignedToFloat } else { C::UnsignedToFloat }, value, to);
        }
        let zero = self.b.int(Type::I128, 0);
        let negative = self.b.push(Type::I8, Op::Compare(CompareOp::SLt, value, zero));
        let magnitude = if signed {
            let negated = self.b.push(Type::I128, Op::Unary(U::Neg, value));
            self.b.push(Type::I128, Op::Select(negative, negated, value))
        } else {
            value
        };
        let shift = self.b.int(Type::I8, 64);
        let upper = self.b.push(Type::I128, Op::Binary(B::LShr, magnitude, shift));
        let high = self.convert(C::Truncate, upper, Type::I64);
        let low = self.convert(C::Truncate, magnitude, Type::I64);
        // Large: the top 64 significant bits, with all lower ones gathered in the last (it only breaks
        // ties), rounded once and scaled by a power of two.
        let zeros = self.b.push(Type::I64, Op::Unary(U::LeadingZeros, high));
        let normal = self.b.push(Type::I128, Op::Binary(B::Shl, magnitude, zeros));
        let top = self.b.push(Type::I128, Op::Binary(B::LShr, normal, shift));
        let top = self.convert(C::Truncate, top, Type::I64);
        let below = self.convert(C::Truncate, normal, Type::I64);
        let none = self.b.int(Type::I64, 0);
        let sticky = self.b.push(Type::I8, Op::Compare(CompareOp::Ne, below, none));
        let sticky = self.convert(C::ZeroExtend, sticky, Type::I64);
        let top = self.b.push(Type::I64, Op::Binary(B::Or, top, sticky));
        let rounded = self.convert(C::UnsignedToFloat, top, to);
        let (bias, mantissa, bits) =
            if to == Type::F32 { (127, 23, Type::I32) } else { (1023, 52, Type::I64) };
        let bias = self.b.int(Type::I64, bias + 64);
        let exponent = self.b.push(Type::I64, Op::Binary(B::Sub, bias, zeros));
        let mantissa = self.b.int(Type::I8, mantissa);
        let exponent = self.b.push(Type::I64, Op::Binary(B::Shl, exponent, mantissa));
        let exponent = self.resize(exponent, false, bits);
        let power = self.convert(C::Bitcast, exponent, to);
        let large = self.b.push(to, Op::Binary(B::FMul, rounded, power));
        let small = self.convert(C::UnsignedToFloat, low, to);
        let is_small = self.b.push(Type::I8, Op::Compare(CompareOp::Eq, high, none));
        let result = self.b.push(to, Op::Select(is_small, small, large));
        if !signed {
            return result;
        }
        let minus = self.b.push(to, Op::Unary(U::FNeg, result));
        self.b.push(to, Op::Select(negative, minus, result))
    }

    /// Compares two scalars; integers of different types as mathematical values.
    pub(super) fn compare(&mut self, op: BinaryOp, left: (Value, &Ty), right: (Value, &Ty)) -> Value {
        let (a, b) = (self.b.ty(left.0), self.b.ty(right.0));
        if a.is_float() || b.is_float() {
            let (mut x, mut y) = (left.0, right.0);
            if a == Type::F32 && b == Type::F64 {
                x = self.convert(C::Promote, x, Type::F64);
            } else if a == Type::F64 && b == Type::F32 {
                y = self.convert(C::Promote, y, Type::F64);
            }
            return self.b.push(Type::I8, Op::Compare(float_compare(op), x, y));
        }
        let (mut signed_a, mut signed_b) = (is_signed(left.1), is_signed(right.1));
        // A constant that is not negative reads the same either way.
        if self.b.known_int(left.0).is_some_and(|n| n >= 0) {
            signed_a = signed_b;
        } else if self.b.known_int(right.0).is_some_and(|n| n >= 0) {
            signed_b = signed_a;
        }
        let bits = a.bits().max(b.bits());
        let wide = Type::int(bits);
        if signed_a == signed_b {
            let x = self.resize(left.0, signed_a, wide);
            let y = self.resize(right.0, signed_b, wide);
            return self.b.push(Type::I8, Op::Compare(int_compare(op, signed_a), x, y));
        }
        // The signed operand to the left.
        let (op, s, u) = if signed_a { (op, left.0, right.0) } else { (swap(op), right.0, left.0) };
        let (s_bits, u_bits) = (self.b.ty(s).bits(), self.b.ty(u).bits());
        let x = self.resize(s, true, wide);
        let y = self.resize(u, false, wide);
        if s_bits > u_bits {
            return self.b.push(Type::I8, Op::Compare(int_compare(op, true), x, y));
        }
        let zero = self.b.int(wide, 0);
        let compared = self.b.push(Type::I8, Op::Compare(int_compare(op, false), x, y));
        match op {
            BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le => {
                let negative = self.b.push(Type::I8, Op::Compare(CompareOp::SLt, x, zero));
                self.b.push(Type::I8, Op::Binary(B::Or, negative, compared))
            }
            _ => {
                let positive = self.b.push(Type::I8, Op::Compare(CompareOp::SGe, x, zero));
                self.b.push(Type::I8, Op::Binary(B::And, positive, compared))
            }
        }
    }
}

/// The comparison with its operands exchanged.
fn swap(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        other => other,
    }
}

fn int_compare(op: BinaryOp, signed: bool) -> CompareOp {
    match (op, signed) {
        (BinaryOp::Ne, _) => CompareOp::Ne,
        (BinaryOp::Lt, true) => CompareOp::SLt,
        (BinaryOp::Lt, false) => CompareOp::ULt,
        (BinaryOp::Le, true) => CompareOp::SLe,
        (BinaryOp::Le, false) => CompareOp::ULe,
        (BinaryOp::Gt, true) => CompareOp::SGt,
        (BinaryOp::Gt, false) => CompareOp::UGt,
        (BinaryOp::Ge, true) => CompareOp::SGe,
        (BinaryOp::Ge, false) => CompareOp::UGe,
        _ => CompareOp::Eq,
    }
}

fn float_compare(op: BinaryOp) -> CompareOp {
    match op {
        BinaryOp::Ne => CompareOp::FNe,
        BinaryOp::Lt => CompareOp::FLt,
        BinaryOp::Le => CompareOp::FLe,
        BinaryOp::Gt => CompareOp::FGt,
        BinaryOp::Ge => CompareOp::FGe,
        _ => CompareOp::FEq,
    }
}
