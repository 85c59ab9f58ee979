//! Integer and float arithmetic of constants.
use crate::lower::hir::BinaryOp;
use crate::types::IntTy;

/// Why an operation has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArithError {
    /// The result does not fit.
    Overflow,
    /// The divisor is zero.
    DivisionByZero,
}

/// Wraps `value` to the width of `ty`; a `u128` is kept by its bits.
pub(super) fn wrap(value: i128, ty: IntTy) -> i128 {
    let bits = ty.bits();
    if bits == 128 {
        return value;
    }
    let shift = 128 - bits;
    if ty.signed() { (value << shift) >> shift } else { (((value as u128) << shift) >> shift) as i128 }
}

/// Whether an exact value fits `ty`.
pub(super) fn fits(value: i128, ty: IntTy) -> bool {
    match ty {
        IntTy::I128 => true,
        IntTy::U128 => value >= 0,
        IntTy::I8
        | IntTy::I16
        | IntTy::I32
        | IntTy::I64
        | IntTy::U8
        | IntTy::U16
        | IntTy::U32
        | IntTy::U64
        | IntTy::Int
        | IntTy::Uint
        | IntTy::Isize
        | IntTy::Usize => wrap(value, ty) == value,
    }
}

/// Checked arithmetic on two values of type `ty`.
pub(super) fn integer(op: BinaryOp, ty: IntTy, a: i128, b: i128) -> Result<i128, ArithError> {
    if ty == IntTy::U128 {
        return unsigned_128(op, a as u128, b as u128).map(|v| v as i128);
    }
    let exact = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div if b == 0 => return Err(ArithError::DivisionByZero),
        BinaryOp::Rem if b == 0 => return Err(ArithError::DivisionByZero),
        BinaryOp::Div => a.checked_div(b),
        BinaryOp::Rem => Some(a.checked_rem(b).unwrap_or(0)),
        BinaryOp::BitAnd => Some(a & b),
        BinaryOp::BitOr => Some(a | b),
        BinaryOp::BitXor => Some(a ^ b),
        BinaryOp::Shl => {
            let count = b.rem_euclid(i128::from(ty.bits())) as u32;
            let shifted = a.wrapping_shl(count);
            (shifted.wrapping_shr(count) == a).then_some(shifted)
        }
        BinaryOp::Shr => Some(a >> (b.rem_euclid(i128::from(ty.bits())) as u32)),
        BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::In
        | BinaryOp::NotIn => None,
    };
    exact.filter(|&v| fits(v, ty)).ok_or(ArithError::Overflow)
}

fn unsigned_128(op: BinaryOp, a: u128, b: u128) -> Result<u128, ArithError> {
    let exact = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div => return a.checked_div(b).ok_or(ArithError::DivisionByZero),
        BinaryOp::Rem => return a.checked_rem(b).ok_or(ArithError::DivisionByZero),
        BinaryOp::BitAnd => Some(a & b),
        BinaryOp::BitOr => Some(a | b),
        BinaryOp::BitXor => Some(a ^ b),
        BinaryOp::Shl => {
            let count = (b % 128) as u32;
            (a.wrapping_shl(count).wrapping_shr(count) == a).then(|| a.wrapping_shl(count))
        }
        BinaryOp::Shr => Some(a >> (b % 128)),
        BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::In
        | BinaryOp::NotIn => None,
    };
    exact.ok_or(ArithError::Overflow)
}

/// Float arithmetic; `single` rounds to `f32` after the operation.
pub(super) fn float(op: BinaryOp, single: bool, a: f64, b: f64) -> f64 {
    let exact = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Rem => a % b,
        BinaryOp::Shl
        | BinaryOp::Shr
        | BinaryOp::BitAnd
        | BinaryOp::BitOr
        | BinaryOp::BitXor
        | BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::In
        | BinaryOp::NotIn => f64::NAN,
    };
    if single { f64::from(exact as f32) } else { exact }
}

/// Compares integers of any two types as mathematical values.
pub(super) fn compare(a: i128, a_ty: Option<IntTy>, b: i128, b_ty: Option<IntTy>) -> std::cmp::Ordering {
    let huge = |value: i128, ty: Option<IntTy>| ty == Some(IntTy::U128) && value < 0;
    match (huge(a, a_ty), huge(b, b_ty)) {
        (true, true) => (a as u128).cmp(&(b as u128)),
        (true, false) => std::cmp::Ordering::Greater,
        (false, true) => std::cmp::Ordering::Less,
        (false, false) => a.cmp(&b),
    }
}

/// Decimal text of an integer of type `ty`.
pub(super) fn to_text(value: i128, ty: IntTy) -> String {
    if ty == IntTy::U128 { (value as u128).to_string() } else { value.to_string() }
}

/// A float as programs print it: shortest, `.0` when integral, an exponent from 1e16 up and below 1e-5.
pub(super) fn float_text(value: f64, single: bool) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) {
        return if single { format!("{:e}", value as f32) } else { format!("{value:e}") };
    }
    let text = if single { (value as f32).to_string() } else { value.to_string() };
    if text.contains('.') { text } else { text + ".0" }
}
