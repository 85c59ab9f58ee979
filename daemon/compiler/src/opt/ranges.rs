//! Intervals of integers: what values of up to 64 bits can be, read as signed numbers.
use crate::ssa::layout::{CAPACITY, LENGTH};
use crate::ssa::{Alias, BinaryOp as B, ConvertOp, Op, Type, UnaryOp};

/// No object is larger than this: addresses of user space have fewer bits.
const LARGEST_LENGTH: i128 = 1 << 48;

/// All numbers from `lo` to `hi`, both included. Empty (in code that is never reached) if `lo > hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub lo: i128,
    pub hi: i128,
}

impl Range {
    /// Every value of a type.
    pub fn full(ty: Type) -> Self {
        match ty {
            Type::I128 | Type::F32 | Type::F64 => Self { lo: i128::MIN, hi: i128::MAX },
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
                let half = 1_i128 << (ty.bits() - 1);
                Self { lo: -half, hi: half - 1 }
            }
        }
    }

    /// One number.
    pub fn exactly(value: i128) -> Self {
        Self { lo: value, hi: value }
    }

    /// Numbers in either, and those between.
    pub fn hull(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// Numbers in both.
    pub fn meet(self, other: Self) -> Self {
        Self { lo: self.lo.max(other.lo), hi: self.hi.min(other.hi) }
    }

    /// Whether it has no number.
    pub fn is_empty(self) -> bool {
        self.lo > self.hi
    }

    /// Whether it has this number.
    pub fn contains(self, value: i128) -> bool {
        self.lo <= value && value <= self.hi
    }

    /// The only number in it.
    pub fn single(self) -> Option<i128> {
        (self.lo == self.hi).then_some(self.lo)
    }

    /// Itself if operations on `ty` cannot wrap in getting there, else every value of the type.
    fn or_full(self, ty: Type) -> Self {
        let full = Self::full(ty);
        if self.lo >= full.lo && self.hi <= full.hi { self } else { full }
    }

    /// The sum with a number, if no sum wraps around.
    pub fn plus(self, number: i128, ty: Type) -> Option<Self> {
        let full = Self::full(ty);
        let sum = Self { lo: self.lo.checked_add(number)?, hi: self.hi.checked_add(number)? };
        (sum.lo >= full.lo && sum.hi <= full.hi).then_some(sum)
    }
}

/// The range of an operation's result from the ranges and types of its operands.
pub fn of_op(op: &Op, ty: Type, range: impl Fn(crate::ssa::Value) -> (Range, Type)) -> Range {
    let full = Range::full(ty);
    if ty.is_float() || ty == Type::I128 {
        return full;
    }
    // An empty range stands in code that is never reached; there is no arithmetic on it.
    let range = |value| {
        let (range, ty) = range(value);
        (if range.is_empty() { Range::full(ty) } else { range }, ty)
    };
    match op {
        Op::Int(value) => Range::exactly(*value),
        Op::Compare(..) => Range { lo: 0, hi: 1 },
        Op::Select(_, yes, no) => range(*yes).0.hull(range(*no).0),
        Op::Load { offset: LENGTH | CAPACITY, alias: Alias::Length, .. } => {
            Range { lo: 0, hi: LARGEST_LENGTH }
        }
        Op::Unary(UnaryOp::LeadingZeros, a) => {
            Range { lo: 0, hi: i128::from(range(*a).1.bits()) }.or_full(ty)
        }
        Op::Unary(UnaryOp::Neg, a) => {
            let a = range(*a).0;
            Range { lo: -a.hi, hi: -a.lo }.or_full(ty)
        }
        Op::Convert(op, a) => {
            let (a, from) = range(*a);
            if from.is_float() || from == Type::I128 {
                return full;
            }
            match op {
                ConvertOp::SignExtend => a,
                ConvertOp::ZeroExtend if a.lo >= 0 => a,
                ConvertOp::ZeroExtend => Range { lo: 0, hi: (1 << from.bits()) - 1 },
                ConvertOp::Truncate | ConvertOp::Bitcast => a.or_full(ty),
                _ => full,
            }
        }
        Op::Binary(op, a, b) => binary(*op, ty, range(*a).0, range(*b).0),
        _ => full,
    }
}

fn binary(op: B, ty: Type, a: Range, b: Range) -> Range {
    let full = Range::full(ty);
    let positive = b.lo > 0;
    match op {
        B::Add => Range { lo: a.lo + b.lo, hi: a.hi + b.hi }.or_full(ty),
        B::Sub => Range { lo: a.lo - b.hi, hi: a.hi - b.lo }.or_full(ty),
        B::Mul => {
            // 64-bit factors: products fit in 128 bits.
            let products = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
            let lo = products.into_iter().fold(i128::MAX, i128::min);
            let hi = products.into_iter().fold(i128::MIN, i128::max);
            Range { lo, hi }.or_full(ty)
        }
        B::And if b.lo >= 0 => Range { lo: 0, hi: if a.lo >= 0 { a.hi.min(b.hi) } else { b.hi } },
        B::And if a.lo >= 0 => Range { lo: 0, hi: a.hi },
        B::Or | B::Xor if a.lo >= 0 && b.lo >= 0 => {
            // Below the next power of two above both.
            let most = a.hi.max(b.hi);
            Range { lo: 0, hi: (1_i128 << (128 - most.leading_zeros())) - 1 }
                .meet(Range { lo: 0, hi: full.hi })
        }
        B::URem if positive && b.hi <= full.hi => Range { lo: 0, hi: b.hi - 1 },
        B::SRem if positive => Range { lo: if a.lo >= 0 { 0 } else { 1 - b.hi }, hi: b.hi - 1 },
        B::UDiv | B::SDiv if positive && a.lo >= 0 => Range { lo: a.lo / b.hi, hi: a.hi / b.lo },
        B::LShr | B::AShr if a.lo >= 0 => match b.single() {
            Some(count) if (0..i128::from(ty.bits())).contains(&count) => {
                Range { lo: a.lo >> count, hi: a.hi >> count }
            }
            _ => Range { lo: 0, hi: a.hi },
        },
        B::LShr => match b.single() {
            Some(count) if (1..i128::from(ty.bits())).contains(&count) => {
                Range { lo: 0, hi: (1 << (i128::from(ty.bits()) - count)) - 1 }
            }
            _ => full,
        },
        B::Shl => match b.single() {
            Some(count) if (0..i128::from(ty.bits()).min(62)).contains(&count) => {
                Range { lo: a.lo << count, hi: a.hi << count }.or_full(ty)
            }
            _ => full,
        },
        _ => full,
    }
}
