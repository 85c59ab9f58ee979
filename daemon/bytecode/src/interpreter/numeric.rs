//! What each numeric operation computes, on slots: 64 bits of which a narrow type uses the low ones and keeps the
//! others zero. The rules are those of WebAssembly, with one choice less: a NaN that an operation computes is
//! always the canonical one, positive and quiet with no other bits.
use super::trap::TrapKind;

/// A type as it lies in a slot.
pub(super) trait Slot: Sized {
    fn from_slot(slot: u64) -> Self;
    fn to_slot(self) -> u64;
}

macro_rules! integer_slots {
    ($($ty:ty as $bits:ty),*) => {
        $(impl Slot for $ty {
            #[inline(always)]
            fn from_slot(slot: u64) -> Self {
                slot as $ty
            }
            #[inline(always)]
            fn to_slot(self) -> u64 {
                u64::from(self as $bits)
            }
        })*
    };
}
integer_slots!(i32 as u32, u32 as u32, i64 as u64, u64 as u64);

impl Slot for f32 {
    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        Self::from_bits(slot as u32)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Slot for f64 {
    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        Self::from_bits(slot)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        self.to_bits()
    }
}

impl Slot for bool {
    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        slot as u32 != 0
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self)
    }
}

/// What floats of both widths do alike, with results as bits. A compiler may replace a choice between two floats that
/// are both NaN by either of them, so that the canonical one is chosen among integers.
macro_rules! float_choices {
    ($module:ident: $float:ty, $bits:ty, infinity $infinity:literal, canonical $canonical:literal) => {
        mod $module {
            const INFINITY: $bits = $infinity;
            const CANONICAL_NAN: $bits = $canonical;

            #[inline(always)]
            fn is_nan(bits: $bits) -> bool {
                // Without the sign, every NaN is above infinity.
                bits << 1 > INFINITY << 1
            }

            /// The bits of `value`, or of the canonical NaN for any other.
            #[inline(always)]
            pub(super) fn canonical(value: $float) -> $bits {
                let bits = value.to_bits();
                if is_nan(bits) { CANONICAL_NAN } else { bits }
            }

            /// The smaller; the negative of two zeros; NaN if one is.
            #[inline(always)]
            pub(super) fn min(a: $float, b: $float) -> $bits {
                if is_nan(a.to_bits()) || is_nan(b.to_bits()) {
                    CANONICAL_NAN
                } else if a < b || (a == b && a.is_sign_negative()) {
                    a.to_bits()
                } else {
                    b.to_bits()
                }
            }

            /// The larger; the positive of two zeros; NaN if one is.
            #[inline(always)]
            pub(super) fn max(a: $float, b: $float) -> $bits {
                if is_nan(a.to_bits()) || is_nan(b.to_bits()) {
                    CANONICAL_NAN
                } else if a > b || (a == b && b.is_sign_negative()) {
                    a.to_bits()
                } else {
                    b.to_bits()
                }
            }
        }
    };
}
float_choices!(narrow: f32, u32, infinity 0x7f80_0000, canonical 0x7fc0_0000);
float_choices!(wide: f64, u64, infinity 0x7ff0_0000_0000_0000, canonical 0x7ff8_0000_0000_0000);

/// Toward zero, into `low <= value < high`.
#[inline(always)]
fn truncate(value: f64, low: f64, high: f64) -> Result<f64, TrapKind> {
    let whole = value.trunc();
    if value.is_nan() {
        Err(TrapKind::InvalidConversion)
    } else if whole >= low && whole < high {
        Ok(whole)
    } else {
        Err(TrapKind::IntegerOverflow)
    }
}

/// 2^31, 2^32, 2^63 and 2^64 are floats exactly.
const TWO_31: f64 = 2_147_483_648.0;
const TWO_32: f64 = 4_294_967_296.0;
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

/// An operation on one slot.
pub(super) trait Unary {
    fn apply(value: u64) -> Result<u64, TrapKind>;
}

/// An operation on two slots.
pub(super) trait Binary {
    fn apply(left: u64, right: u64) -> Result<u64, TrapKind>;
}

macro_rules! unary {
    ($($name:ident($a:ident: $ty:ty) => $body:expr;)*) => {
        $(pub(super) struct $name;
        impl Unary for $name {
            #[inline(always)]
            fn apply(value: u64) -> Result<u64, TrapKind> {
                let $a = <$ty>::from_slot(value);
                Ok(Slot::to_slot($body))
            }
        })*
    };
}

macro_rules! binary {
    ($($name:ident($a:ident, $b:ident: $ty:ty) => $body:expr;)*) => {
        $(pub(super) struct $name;
        impl Binary for $name {
            #[inline(always)]
            fn apply(left: u64, right: u64) -> Result<u64, TrapKind> {
                let ($a, $b) = (<$ty>::from_slot(left), <$ty>::from_slot(right));
                Ok(Slot::to_slot($body))
            }
        })*
    };
}

/// What integers of both widths do alike.
macro_rules! integers {
    ($signed:ty, $unsigned:ty:
        $eqz:ident $clz:ident $ctz:ident $popcnt:ident $extend8:ident $extend16:ident
        $eq:ident $ne:ident $lt_s:ident $lt_u:ident $gt_s:ident $gt_u:ident
        $le_s:ident $le_u:ident $ge_s:ident $ge_u:ident
        $add:ident $sub:ident $mul:ident $div_s:ident $div_u:ident $rem_s:ident $rem_u:ident
        $and:ident $or:ident $xor:ident $shl:ident $shr_s:ident $shr_u:ident $rotl:ident $rotr:ident
    ) => {
        unary! {
            $eqz(a: $unsigned) => a == 0;
            $clz(a: $unsigned) => <$unsigned>::from(a.leading_zeros() as u8);
            $ctz(a: $unsigned) => <$unsigned>::from(a.trailing_zeros() as u8);
            $popcnt(a: $unsigned) => <$unsigned>::from(a.count_ones() as u8);
            $extend8(a: $signed) => <$signed>::from(a as i8);
            $extend16(a: $signed) => <$signed>::from(a as i16);
        }
        binary! {
            $eq(a, b: $unsigned) => a == b;
            $ne(a, b: $unsigned) => a != b;
            $lt_s(a, b: $signed) => a < b;
            $lt_u(a, b: $unsigned) => a < b;
            $gt_s(a, b: $signed) => a > b;
            $gt_u(a, b: $unsigned) => a > b;
            $le_s(a, b: $signed) => a <= b;
            $le_u(a, b: $unsigned) => a <= b;
            $ge_s(a, b: $signed) => a >= b;
            $ge_u(a, b: $unsigned) => a >= b;
            $add(a, b: $unsigned) => a.wrapping_add(b);
            $sub(a, b: $unsigned) => a.wrapping_sub(b);
            $mul(a, b: $unsigned) => a.wrapping_mul(b);
            $div_s(a, b: $signed) => match b {
                0 => return Err(TrapKind::DivisionByZero),
                _ => a.checked_div(b).ok_or(TrapKind::IntegerOverflow)?,
            };
            $div_u(a, b: $unsigned) => a.checked_div(b).ok_or(TrapKind::DivisionByZero)?;
            $rem_s(a, b: $signed) => match b {
                0 => return Err(TrapKind::DivisionByZero),
                _ => a.wrapping_rem(b),
            };
            $rem_u(a, b: $unsigned) => a.checked_rem(b).ok_or(TrapKind::DivisionByZero)?;
            $and(a, b: $unsigned) => a & b;
            $or(a, b: $unsigned) => a | b;
            $xor(a, b: $unsigned) => a ^ b;
            $shl(a, b: $unsigned) => a.wrapping_shl(b as u32);
            $shr_s(a, b: $signed) => a.wrapping_shr(b as u32);
            $shr_u(a, b: $unsigned) => a.wrapping_shr(b as u32);
            $rotl(a, b: $unsigned) => a.rotate_left((b % <$unsigned>::from(<$unsigned>::BITS as u8)) as u32);
            $rotr(a, b: $unsigned) => a.rotate_right((b % <$unsigned>::from(<$unsigned>::BITS as u8)) as u32);
        }
    };
}

integers! { i32, u32:
    I32Eqz I32Clz I32Ctz I32Popcnt I32Extend8S I32Extend16S
    I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU
    I32Add I32Sub I32Mul I32DivS I32DivU I32RemS I32RemU
    I32And I32Or I32Xor I32Shl I32ShrS I32ShrU I32Rotl I32Rotr
}

integers! { i64, u64:
    I64Eqz I64Clz I64Ctz I64Popcnt I64Extend8S I64Extend16S
    I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU
    I64Add I64Sub I64Mul I64DivS I64DivU I64RemS I64RemU
    I64And I64Or I64Xor I64Shl I64ShrS I64ShrU I64Rotl I64Rotr
}

/// What floats of both widths do alike. Signs are bits: those operations take the bits, as no float register
/// may touch a NaN that they only pass on.
macro_rules! floats {
    ($choices:ident: $float:ty, $bits:ty, $sign:literal:
        $abs:ident $neg:ident $ceil:ident $floor:ident $trunc:ident $nearest:ident $sqrt:ident
        $eq:ident $ne:ident $lt:ident $gt:ident $le:ident $ge:ident
        $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident $copysign:ident
    ) => {
        unary! {
            $abs(a: $bits) => a & !$sign;
            $neg(a: $bits) => a ^ $sign;
            $ceil(a: $float) => $choices::canonical(a.ceil());
            $floor(a: $float) => $choices::canonical(a.floor());
            $trunc(a: $float) => $choices::canonical(a.trunc());
            $nearest(a: $float) => $choices::canonical(a.round_ties_even());
            $sqrt(a: $float) => $choices::canonical(a.sqrt());
        }
        binary! {
            $eq(a, b: $float) => a == b;
            $ne(a, b: $float) => a != b;
            $lt(a, b: $float) => a < b;
            $gt(a, b: $float) => a > b;
            $le(a, b: $float) => a <= b;
            $ge(a, b: $float) => a >= b;
            $add(a, b: $float) => $choices::canonical(a + b);
            $sub(a, b: $float) => $choices::canonical(a - b);
            $mul(a, b: $float) => $choices::canonical(a * b);
            $div(a, b: $float) => $choices::canonical(a / b);
            $min(a, b: $float) => $choices::min(a, b);
            $max(a, b: $float) => $choices::max(a, b);
            $copysign(a, b: $bits) => (a & !$sign) | (b & $sign);
        }
    };
}

floats! { narrow: f32, u32, 0x8000_0000_u32:
    F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt
    F32Eq F32Ne F32Lt F32Gt F32Le F32Ge
    F32Add F32Sub F32Mul F32Div F32Min F32Max F32Copysign
}

floats! { wide: f64, u64, 0x8000_0000_0000_0000_u64:
    F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt
    F64Eq F64Ne F64Lt F64Gt F64Le F64Ge
    F64Add F64Sub F64Mul F64Div F64Min F64Max F64Copysign
}

unary! {
    I32WrapI64(a: u64) => a as u32;
    I64ExtendI32S(a: i32) => i64::from(a);
    I64ExtendI32U(a: u32) => u64::from(a);
    I64Extend32S(a: i64) => i64::from(a as i32);
    I32TruncF32S(a: f32) => truncate(f64::from(a), -TWO_31, TWO_31)? as i32;
    I32TruncF32U(a: f32) => truncate(f64::from(a), 0.0, TWO_32)? as u32;
    I32TruncF64S(a: f64) => truncate(a, -TWO_31, TWO_31)? as i32;
    I32TruncF64U(a: f64) => truncate(a, 0.0, TWO_32)? as u32;
    I64TruncF32S(a: f32) => truncate(f64::from(a), -TWO_63, TWO_63)? as i64;
    I64TruncF32U(a: f32) => truncate(f64::from(a), 0.0, TWO_64)? as u64;
    I64TruncF64S(a: f64) => truncate(a, -TWO_63, TWO_63)? as i64;
    I64TruncF64U(a: f64) => truncate(a, 0.0, TWO_64)? as u64;
    I32TruncSatF32S(a: f32) => a as i32;
    I32TruncSatF32U(a: f32) => a as u32;
    I32TruncSatF64S(a: f64) => a as i32;
    I32TruncSatF64U(a: f64) => a as u32;
    I64TruncSatF32S(a: f32) => a as i64;
    I64TruncSatF32U(a: f32) => a as u64;
    I64TruncSatF64S(a: f64) => a as i64;
    I64TruncSatF64U(a: f64) => a as u64;
    F32ConvertI32S(a: i32) => a as f32;
    F32ConvertI32U(a: u32) => a as f32;
    F32ConvertI64S(a: i64) => a as f32;
    F32ConvertI64U(a: u64) => a as f32;
    F64ConvertI32S(a: i32) => f64::from(a);
    F64ConvertI32U(a: u32) => f64::from(a);
    F64ConvertI64S(a: i64) => a as f64;
    F64ConvertI64U(a: u64) => a as f64;
    F32DemoteF64(a: f64) => narrow::canonical(a as f32);
    F64PromoteF32(a: f32) => wide::canonical(f64::from(a));
    I32ReinterpretF32(a: u32) => a;
    I64ReinterpretF64(a: u64) => a;
    F32ReinterpretI32(a: u32) => a;
    F64ReinterpretI64(a: u64) => a;
}
