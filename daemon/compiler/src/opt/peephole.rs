//! `peephole`: operations become simpler ones by the laws of wrapping arithmetic.
//!
//! One walk in reverse post-order looks at each operation and the definitions of its operands, as
//! LLVM's `instcombine` does. Constants go to the right. Linear.
use super::Context;
use super::fold::{Constant, fold, unsigned};
use super::rewrite::Replacements;
use crate::ssa::{
    BinaryOp as B, CompareOp as C, ConvertOp, Function, Inst, Op, Symbol, Terminator, Type, Value,
    layout::LENGTH, wrap_int,
};

/// What an operation becomes.
enum Simpler {
    /// A value that is there already.
    Value(Value),
    /// Another operation.
    Op(Op),
    /// An operation with this constant, of this type, as its last operand.
    With(Type, i128, fn(Value, Value) -> Op, Value),
}

struct Peephole<'a> {
    types: &'a [Type],
    /// Pure operations by result.
    known: Vec<Option<Op>>,
}

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let mut replacements = Replacements::new(function);
    let mut known: Vec<Option<Op>> = vec![None; function.values.len()];
    let mut changed = false;
    for block in function.reverse_post_order() {
        let insts = std::mem::take(&mut function.blocks[block.0 as usize].insts);
        let mut out = Vec::with_capacity(insts.len());
        for mut inst in insts {
            inst.op.for_each_operand_mut(|value| *value = replacements.resolve(*value));
            let replaced = simplify(function, &mut known, &mut inst, &mut out);
            if let (Some(value), Some(result)) = (replaced.value, inst.result) {
                replacements.set(result, value);
                changed = true;
                continue;
            }
            changed |= replaced.changed;
            if let Some(result) = inst.result
                && inst.op.is_pure()
            {
                known[result.0 as usize] = Some(inst.op.clone());
            }
            out.push(inst);
        }
        let block = &mut function.blocks[block.0 as usize];
        block.insts = out;
        block.terminator.for_each_value_mut(|value| *value = replacements.resolve(*value));
        if let Terminator::Branch(condition, yes, no) = &mut block.terminator {
            // On the operand of `c == 0` or `c != 0`, if that is one byte wide.
            while let Some(Op::Compare(op @ (C::Eq | C::Ne), value, zero)) = &known[condition.0 as usize]
                && function.values[value.0 as usize] == Type::I8
                && matches!(known[zero.0 as usize], Some(Op::Int(0)))
            {
                if *op == C::Eq {
                    std::mem::swap(yes, no);
                }
                *condition = *value;
                changed = true;
            }
        }
    }
    replacements.apply(function);
    changed
}

#[derive(Default)]
struct Replaced {
    value: Option<Value>,
    changed: bool,
}

/// Simplifies an instruction until nothing more is found.
fn simplify(
    function: &mut Function,
    known: &mut Vec<Option<Op>>,
    inst: &mut Inst,
    out: &mut Vec<Inst>,
) -> Replaced {
    let mut replaced = Replaced::default();
    // Each step makes the operation smaller or moves a constant; the bound is for safety only.
    for _ in 0..8 {
        let peephole = Peephole { types: &function.values, known: std::mem::take(known) };
        let simpler = peephole.step(inst);
        *known = peephole.known;
        match simpler {
            None => break,
            Some(Simpler::Value(value)) => {
                replaced.value = Some(value);
                break;
            }
            Some(Simpler::Op(op)) => inst.op = op,
            Some(Simpler::With(ty, constant, make, operand)) => {
                let value = function.new_value(ty);
                let op = Op::Int(wrap_int(constant, ty.bits()));
                known.push(Some(op.clone()));
                out.push(Inst { op, result: Some(value), source: inst.source });
                inst.op = make(operand, value);
            }
        }
        replaced.changed = true;
    }
    replaced
}

impl Peephole<'_> {
    fn op(&self, value: Value) -> Option<&Op> {
        self.known.get(value.0 as usize).and_then(Option::as_ref)
    }

    fn int(&self, value: Value) -> Option<i128> {
        match self.op(value) {
            Some(Op::Int(value)) => Some(*value),
            _ => None,
        }
    }

    fn ty(&self, value: Value) -> Type {
        self.types[value.0 as usize]
    }

    /// Whether a value is 0 or 1.
    fn is_bool(&self, value: Value) -> bool {
        match self.op(value) {
            Some(Op::Compare(..)) => true,
            Some(Op::Binary(B::And | B::Or | B::Xor, a, b)) => {
                let bit = |value| matches!(self.op(value), Some(Op::Compare(..) | Op::Int(0 | 1)));
                bit(*a) && bit(*b)
            }
            Some(Op::Int(value)) => matches!(value, 0 | 1),
            _ => false,
        }
    }

    fn step(&self, inst: &Inst) -> Option<Simpler> {
        match &inst.op {
            Op::Load { address, offset: LENGTH, .. } if self.length(*address).is_some() => {
                inst.result.filter(|&result| self.ty(result) == Type::I64)?;
                self.length(*address).map(|length| Simpler::Op(Op::Int(length)))
            }
            Op::Load { address, offset, alias } => {
                let (address, offset) = self.displaced(*address, *offset)?;
                Some(Simpler::Op(Op::Load { address, offset, alias: *alias }))
            }
            Op::Store { address, offset, value, alias } => {
                let (address, offset) = self.displaced(*address, *offset)?;
                Some(Simpler::Op(Op::Store { address, offset, value: *value, alias: *alias }))
            }
            op if op.is_pure() => {
                let ty = self.ty(inst.result?);
                if !matches!(op, Op::Int(_) | Op::Float(_)) {
                    let known = |value| match self.op(value)? {
                        Op::Int(value) => Some(Constant::Int(*value)),
                        Op::Float(bits) => Some(Constant::Float(*bits)),
                        _ => None,
                    };
                    if let Some(constant) = fold(op, ty, |value| self.ty(value), known) {
                        return Some(Simpler::Op(constant.op()));
                    }
                }
                match op {
                    Op::Binary(op, a, b) => self.binary(*op, ty, *a, *b),
                    Op::Compare(op, a, b) => self.compare(*op, *a, *b),
                    Op::Convert(op, a) => self.convert(*op, ty, *a),
                    Op::Select(condition, yes, no) => self.select(*condition, *yes, *no),
                    Op::Unary(op, a) => match self.op(*a)? {
                        Op::Unary(inner, b) if op == inner && *op != crate::ssa::UnaryOp::LeadingZeros => {
                            Some(Simpler::Value(*b))
                        }
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The length of a literal; immortal objects never change.
    fn length(&self, address: Value) -> Option<i128> {
        match self.op(address)? {
            Op::SymbolAddress(Symbol::Literal(bytes)) => Some(bytes.len() as i128),
            Op::SymbolAddress(Symbol::EmptyList) => Some(0),
            _ => None,
        }
    }

    /// `(base + constant) + offset` as `base + offset`.
    fn displaced(&self, address: Value, offset: i32) -> Option<(Value, i32)> {
        let Some(Op::Binary(B::Add, base, constant)) = self.op(address) else { return None };
        let constant = i32::try_from(self.int(*constant)?).ok()?;
        Some((*base, offset.checked_add(constant)?))
    }

    fn binary(&self, op: B, ty: Type, a: Value, b: Value) -> Option<Simpler> {
        if op.is_float() {
            return None;
        }
        if op.commutes() && self.int(a).is_some() && self.int(b).is_none() {
            return Some(Simpler::Op(Op::Binary(op, b, a)));
        }
        if a == b {
            match op {
                B::And | B::Or => return Some(Simpler::Value(a)),
                B::Sub | B::Xor => return Some(Simpler::Op(Op::Int(0))),
                _ => {}
            }
        }
        let constant = self.int(b)?;
        let count = if op.is_shift() { constant.rem_euclid(i128::from(ty.bits())) } else { constant };
        match (op, count) {
            (B::Add | B::Sub | B::Or | B::Xor | B::Shl | B::AShr | B::LShr, 0)
            | (B::Mul | B::SDiv | B::UDiv, 1)
            | (B::And, -1) => return Some(Simpler::Value(a)),
            (B::Mul | B::And, 0) | (B::SRem | B::URem, 1) => return Some(Simpler::Op(Op::Int(0))),
            (B::Or, -1) => return Some(Simpler::Op(Op::Int(-1))),
            (B::And, 1) if self.is_bool(a) => return Some(Simpler::Value(a)),
            (B::Sub, _) => {
                let minus = wrap_int(constant.wrapping_neg(), ty.bits());
                return Some(Simpler::With(ty, minus, |a, b| Op::Binary(B::Add, a, b), a));
            }
            _ => {}
        }
        // Constants meet: (x + 1) + 2.
        let Some(Op::Binary(inner, x, y)) = self.op(a) else { return None };
        let first = self.int(*y)?;
        match (op, inner) {
            (B::Add, B::Add) => {
                Some(Simpler::With(ty, first.wrapping_add(constant), |a, b| Op::Binary(B::Add, a, b), *x))
            }
            (B::And, B::And) => {
                Some(Simpler::With(ty, first & constant, |a, b| Op::Binary(B::And, a, b), *x))
            }
            (B::Or, B::Or) => Some(Simpler::With(ty, first | constant, |a, b| Op::Binary(B::Or, a, b), *x)),
            _ => None,
        }
    }

    fn compare(&self, op: C, a: Value, b: Value) -> Option<Simpler> {
        if op.is_float() {
            return None;
        }
        if a == b {
            let holds = matches!(op, C::Eq | C::SLe | C::SGe | C::ULe | C::UGe);
            return Some(Simpler::Op(Op::Int(i128::from(holds))));
        }
        if self.int(a).is_some() && self.int(b).is_none() {
            return Some(Simpler::Op(Op::Compare(swapped(op), b, a)));
        }
        let constant = self.int(b)?;
        match (op, constant) {
            (C::ULt, 0) | (C::UGt, -1) => return Some(Simpler::Op(Op::Int(0))),
            (C::UGe, 0) | (C::ULe, -1) => return Some(Simpler::Op(Op::Int(1))),
            _ => {}
        }
        match (self.op(a)?, op, constant) {
            // `(x < y) == false`
            (Op::Compare(inner, x, y), C::Eq, 0) | (Op::Compare(inner, x, y), C::Ne, 1) => {
                Some(Simpler::Op(Op::Compare(inverted(*inner)?, *x, *y)))
            }
            (Op::Compare(..), C::Ne, 0) | (Op::Compare(..), C::Eq, 1) => Some(Simpler::Value(a)),
            // A widened value against a constant: in the narrow type, if the constant fits.
            (Op::Convert(ConvertOp::ZeroExtend, x), C::Eq | C::Ne | C::ULt | C::ULe | C::UGt | C::UGe, _) => {
                let narrow = self.ty(*x);
                let bits = self.ty(a).bits();
                let value = unsigned(constant, bits);
                if value >> narrow.bits() == 0 {
                    let make = comparison(op);
                    return Some(Simpler::With(narrow, value as i128, make, *x));
                }
                None
            }
            (Op::Convert(ConvertOp::ZeroExtend, _), C::SLt, 0) => Some(Simpler::Op(Op::Int(0))),
            (Op::Convert(ConvertOp::ZeroExtend, _), C::SGe, 0) => Some(Simpler::Op(Op::Int(1))),
            _ => None,
        }
    }

    fn convert(&self, op: ConvertOp, ty: Type, a: Value) -> Option<Simpler> {
        let Op::Convert(inner, x) = self.op(a)? else { return None };
        let from = self.ty(*x);
        let to = |op, x: &Value| Some(Simpler::Op(Op::Convert(op, *x)));
        match (op, inner) {
            (ConvertOp::Truncate, ConvertOp::ZeroExtend | ConvertOp::SignExtend) => {
                match ty.bits().cmp(&from.bits()) {
                    std::cmp::Ordering::Equal => Some(Simpler::Value(*x)),
                    std::cmp::Ordering::Less => to(ConvertOp::Truncate, x),
                    std::cmp::Ordering::Greater => to(*inner, x),
                }
            }
            (ConvertOp::Truncate, ConvertOp::Truncate)
            | (ConvertOp::ZeroExtend, ConvertOp::ZeroExtend)
            | (ConvertOp::SignExtend, ConvertOp::SignExtend) => to(op, x),
            (ConvertOp::SignExtend, ConvertOp::ZeroExtend) => to(ConvertOp::ZeroExtend, x),
            (ConvertOp::Bitcast, ConvertOp::Bitcast) if from == ty => Some(Simpler::Value(*x)),
            (ConvertOp::Bitcast, ConvertOp::Bitcast) => to(op, x),
            _ => None,
        }
    }

    fn select(&self, condition: Value, yes: Value, no: Value) -> Option<Simpler> {
        if yes == no {
            return Some(Simpler::Value(yes));
        }
        if let Some(known) = self.int(condition) {
            return Some(Simpler::Value(if known == 0 { no } else { yes }));
        }
        let same_type = self.ty(yes) == Type::I8;
        match (self.int(yes), self.int(no)) {
            (Some(1), Some(0)) if same_type && self.is_bool(condition) => Some(Simpler::Value(condition)),
            (Some(0), Some(1)) if same_type => {
                Some(Simpler::With(Type::I8, 0, |a, b| Op::Compare(C::Eq, a, b), condition))
            }
            // `c or x`, `c and x` on what is 0 or 1.
            (Some(1), None) if same_type && self.is_bool(condition) && self.is_bool(no) => {
                Some(Simpler::Op(Op::Binary(B::Or, condition, no)))
            }
            (None, Some(0)) if same_type && self.is_bool(condition) && self.is_bool(yes) => {
                Some(Simpler::Op(Op::Binary(B::And, condition, yes)))
            }
            _ => None,
        }
    }
}

/// The comparison with its operands exchanged.
pub(super) fn swapped(op: C) -> C {
    match op {
        C::SLt => C::SGt,
        C::SLe => C::SGe,
        C::SGt => C::SLt,
        C::SGe => C::SLe,
        C::ULt => C::UGt,
        C::ULe => C::UGe,
        C::UGt => C::ULt,
        C::UGe => C::ULe,
        C::FLt => C::FGt,
        C::FLe => C::FGe,
        C::FGt => C::FLt,
        C::FGe => C::FLe,
        C::Eq | C::Ne | C::FEq | C::FNe => op,
    }
}

/// The comparison that holds when this one does not. On NaN no ordered comparison holds: only
/// equality of floats has an inverse.
pub(super) fn inverted(op: C) -> Option<C> {
    Some(match op {
        C::Eq => C::Ne,
        C::Ne => C::Eq,
        C::SLt => C::SGe,
        C::SLe => C::SGt,
        C::SGt => C::SLe,
        C::SGe => C::SLt,
        C::ULt => C::UGe,
        C::ULe => C::UGt,
        C::UGt => C::ULe,
        C::UGe => C::ULt,
        C::FEq => C::FNe,
        C::FNe => C::FEq,
        C::FLt | C::FLe | C::FGt | C::FGe => return None,
    })
}

fn comparison(op: C) -> fn(Value, Value) -> Op {
    match op {
        C::Eq => |a, b| Op::Compare(C::Eq, a, b),
        C::ULt => |a, b| Op::Compare(C::ULt, a, b),
        C::ULe => |a, b| Op::Compare(C::ULe, a, b),
        C::UGt => |a, b| Op::Compare(C::UGt, a, b),
        C::UGe => |a, b| Op::Compare(C::UGe, a, b),
        _ => |a, b| Op::Compare(C::Ne, a, b),
    }
}
