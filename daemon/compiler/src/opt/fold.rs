//! What operations on constants give: the arithmetic of [`crate::ssa::data`] at compile time.
use crate::ssa::{BinaryOp, CompareOp, ConvertOp, Op, Type, UnaryOp, Value, wrap_int};

/// A constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    /// Sign-extended, as in [`Op::Int`].
    Int(i128),
    /// Bits, as in [`Op::Float`].
    Float(u64),
}

impl Constant {
    /// The operation that makes it.
    pub fn op(self) -> Op {
        match self {
            Self::Int(value) => Op::Int(value),
            Self::Float(bits) => Op::Float(bits),
        }
    }
}

/// The result of a pure operation whose operands are known. `ty` is the result's type; `known` gives
/// operands and `type_of` their types.
///
/// `None` if it depends on more, or if the machine could give other bits: the sign and payload of a NaN.
pub fn fold(
    op: &Op,
    ty: Type,
    type_of: impl Fn(Value) -> Type,
    known: impl Fn(Value) -> Option<Constant>,
) -> Option<Constant> {
    use Constant::{Float, Int};
    match op {
        Op::Int(value) => Some(Int(wrap_int(*value, ty.bits()))),
        Op::Float(bits) => Some(Float(*bits)),
        Op::Unary(op, a) => match known(*a)? {
            Int(a) => unary(*op, ty, a).map(Int),
            Float(a) if *op == UnaryOp::FNeg => {
                let sign = if ty == Type::F32 { 1 << 31 } else { 1 << 63 };
                Some(Float(a ^ sign))
            }
            Float(_) => None,
        },
        Op::Binary(op, a, b) => match (known(*a)?, known(*b)?) {
            (Int(a), Int(b)) => binary(*op, ty, a, b).map(Int),
            (Float(a), Float(b)) => float_binary(*op, ty, a, b).map(Float),
            _ => None,
        },
        Op::Compare(op, a, b) => match (known(*a)?, known(*b)?) {
            (Int(x), Int(y)) => compare(*op, type_of(*a), x, y).map(|holds| Int(i128::from(holds))),
            (Float(x), Float(y)) => float_compare(*op, to_f64(type_of(*a), x), to_f64(type_of(*a), y))
                .map(|holds| Int(i128::from(holds))),
            _ => None,
        },
        Op::Convert(op, a) => convert(*op, type_of(*a), ty, known(*a)?),
        Op::Select(condition, yes, no) => match known(*condition)? {
            Int(0) => known(*no),
            _ => known(*yes),
        },
        Op::SlotAddress(_)
        | Op::SymbolAddress(_)
        | Op::Load { .. }
        | Op::Store { .. }
        | Op::Call { .. }
        | Op::Retain { .. }
        | Op::Release { .. }
        | Op::Unique { .. }
        | Op::Alloc { .. }
        | Op::Check { .. } => None,
    }
}

/// The low bits of a value as an unsigned number.
pub fn unsigned(value: i128, bits: u32) -> u128 {
    let value = value as u128;
    if bits >= 128 { value } else { value & ((1 << bits) - 1) }
}

fn unary(op: UnaryOp, ty: Type, a: i128) -> Option<i128> {
    let bits = ty.bits();
    let value = match op {
        UnaryOp::Neg => a.wrapping_neg(),
        UnaryOp::Not => !a,
        UnaryOp::LeadingZeros => i128::from(unsigned(a, bits).leading_zeros() - (128 - bits)),
        UnaryOp::FNeg => return None,
    };
    Some(wrap_int(value, bits))
}

fn binary(op: BinaryOp, ty: Type, a: i128, b: i128) -> Option<i128> {
    let bits = ty.bits();
    let (ua, ub) = (unsigned(a, bits), unsigned(b, bits));
    let count = (b as u32) % bits;
    let value = match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::SDiv | BinaryOp::UDiv | BinaryOp::SRem | BinaryOp::URem if b == 0 => return None,
        BinaryOp::SDiv => a.wrapping_div(b),
        BinaryOp::SRem => a.wrapping_rem(b),
        BinaryOp::UDiv => (ua / ub) as i128,
        BinaryOp::URem => (ua % ub) as i128,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Shl => a << count,
        BinaryOp::AShr => a >> count,
        BinaryOp::LShr => (ua >> count) as i128,
        BinaryOp::FAdd | BinaryOp::FSub | BinaryOp::FMul | BinaryOp::FDiv => return None,
    };
    Some(wrap_int(value, bits))
}

/// A comparison of integers.
pub fn compare(op: CompareOp, ty: Type, a: i128, b: i128) -> Option<bool> {
    let (ua, ub) = (unsigned(a, ty.bits()), unsigned(b, ty.bits()));
    Some(match op {
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
        CompareOp::FEq
        | CompareOp::FNe
        | CompareOp::FLt
        | CompareOp::FLe
        | CompareOp::FGt
        | CompareOp::FGe => return None,
    })
}

fn float_compare(op: CompareOp, a: f64, b: f64) -> Option<bool> {
    Some(match op {
        CompareOp::FEq => a == b,
        CompareOp::FNe => a != b,
        CompareOp::FLt => a < b,
        CompareOp::FLe => a <= b,
        CompareOp::FGt => a > b,
        CompareOp::FGe => a >= b,
        CompareOp::Eq
        | CompareOp::Ne
        | CompareOp::SLt
        | CompareOp::SLe
        | CompareOp::SGt
        | CompareOp::SGe
        | CompareOp::ULt
        | CompareOp::ULe
        | CompareOp::UGt
        | CompareOp::UGe => return None,
    })
}

/// Exact for both types.
fn to_f64(ty: Type, bits: u64) -> f64 {
    if ty == Type::F32 { f64::from(f32::from_bits(bits as u32)) } else { f64::from_bits(bits) }
}

fn float_binary(op: BinaryOp, ty: Type, a: u64, b: u64) -> Option<u64> {
    if ty == Type::F32 {
        let (a, b) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
        let value = match op {
            BinaryOp::FAdd => a + b,
            BinaryOp::FSub => a - b,
            BinaryOp::FMul => a * b,
            BinaryOp::FDiv => a / b,
            _ => return None,
        };
        return (!value.is_nan()).then_some(u64::from(value.to_bits()));
    }
    let (a, b) = (f64::from_bits(a), f64::from_bits(b));
    let value = match op {
        BinaryOp::FAdd => a + b,
        BinaryOp::FSub => a - b,
        BinaryOp::FMul => a * b,
        BinaryOp::FDiv => a / b,
        _ => return None,
    };
    (!value.is_nan()).then_some(value.to_bits())
}

fn convert(op: ConvertOp, from: Type, to: Type, value: Constant) -> Option<Constant> {
    use Constant::{Float, Int};
    let float = |value: f64| (!value.is_nan()).then_some(Float(value.to_bits()));
    match (op, value) {
        (ConvertOp::Truncate, Int(a)) => Some(Int(wrap_int(a, to.bits()))),
        (ConvertOp::SignExtend, Int(a)) => Some(Int(a)),
        (ConvertOp::ZeroExtend, Int(a)) => Some(Int(unsigned(a, from.bits()) as i128)),
        (ConvertOp::FloatToSigned, Float(a)) => {
            let a = to_f64(from, a);
            Some(Int(match to {
                Type::I8 => i128::from(a as i8),
                Type::I16 => i128::from(a as i16),
                Type::I32 => i128::from(a as i32),
                Type::I64 => i128::from(a as i64),
                Type::I128 | Type::F32 | Type::F64 => return None,
            }))
        }
        (ConvertOp::FloatToUnsigned, Float(a)) => {
            let a = to_f64(from, a);
            let wide = match to {
                Type::I8 => i128::from(a as u8),
                Type::I16 => i128::from(a as u16),
                Type::I32 => i128::from(a as u32),
                Type::I64 => i128::from(a as u64),
                Type::I128 | Type::F32 | Type::F64 => return None,
            };
            Some(Int(wrap_int(wide, to.bits())))
        }
        (ConvertOp::SignedToFloat, Int(a)) => {
            if to == Type::F32 {
                return Some(Float(u64::from((a as f32).to_bits())));
            }
            float(a as f64)
        }
        (ConvertOp::UnsignedToFloat, Int(a)) => {
            let a = unsigned(a, from.bits());
            if to == Type::F32 {
                return Some(Float(u64::from((a as f32).to_bits())));
            }
            float(a as f64)
        }
        (ConvertOp::Promote, Float(a)) => float(to_f64(from, a)),
        (ConvertOp::Demote, Float(a)) => {
            let narrow = f64::from_bits(a) as f32;
            (!narrow.is_nan()).then_some(Float(u64::from(narrow.to_bits())))
        }
        (ConvertOp::Bitcast, a) => match (a, to.is_float()) {
            (Int(a), true) => Some(Float(unsigned(a, from.bits()) as u64)),
            (Float(a), false) => Some(Int(wrap_int(i128::from(a), to.bits()))),
            (same, _) => Some(same),
        },
        _ => None,
    }
}
