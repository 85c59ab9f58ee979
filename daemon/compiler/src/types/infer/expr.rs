//! Dispatch over expressions, literals, lists and tuples.
use std::sync::Arc;

use super::super::thir::{Expr, ExprKind};
use super::super::ty::{FloatTy, IntTy, Ty};
use super::coerce::{Reason, fits};
use super::unify::Origin;
use super::{Checker, Expect, codes, deeper, expr};
use crate::lower::NodeId;
use crate::lower::hir::{BinaryOp, ExprId, ExprKind as Hir, Literal, UnaryOp};

impl Checker<'_> {
    /// Infers an expression. The result may still be a reference, or of another type than expected.
    pub(super) fn infer(&mut self, id: ExprId, expect: &Expect<'_>) -> Expr {
        deeper(|| self.infer_inner(id, expect))
    }

    fn infer_inner(&mut self, id: ExprId, expect: &Expect<'_>) -> Expr {
        let hir = self.hir_expr(id);
        let node = hir.node;
        match &hir.kind {
            Hir::Error => self.poison(node),
            Hir::Literal(literal) => self.literal(literal, false, node, expect.ty()),
            Hir::Path(_) | Hir::Field { .. } => self.path_expr(id, node, expect),
            Hir::Call { callee, args } => self.call(node, *callee, args, expect),
            Hir::Index(base, index) => self.index(node, *base, *index),
            Hir::Slice(base, lo, hi) => self.slice(node, *base, *lo, *hi),
            Hir::Unary(op, operand) => self.unary(node, *op, *operand, expect),
            Hir::Binary(op, op_node, lhs, rhs) => self.binary(node, *op, *op_node, *lhs, *rhs, expect),
            Hir::Cast(value, ty) => self.cast(node, *value, ty),
            Hir::Is { expr, pat, negated } => self.is_test(node, *expr, *pat, *negated),
            Hir::Ref(mutable, value) => self.reference(node, *mutable, *value, expect),
            Hir::Deref(value) => self.dereference(node, *value),
            Hir::Move(value) => {
                let value = self.check_value(*value, expect);
                expr(value.ty.clone(), node, ExprKind::Move(Box::new(value)))
            }
            Hir::Record { path, fields, base } => self.record(node, path.as_ref(), fields, *base, expect),
            Hir::List(elements) => self.list(node, elements, expect),
            Hir::Map(entries) => self.map_literal(node, entries, expect),
            Hir::Set(items) => self.set_literal(node, items, expect),
            Hir::Comprehension { element, pat, iter, cond } => {
                self.comprehension(node, *element, *pat, *iter, *cond, expect)
            }
            Hir::Lambda { params, ret, body, explicit } => {
                self.lambda(node, params, ret.as_ref(), *body, *explicit, expect)
            }
            Hir::Tuple(elements) => self.tuple(node, elements, expect),
            Hir::Range { .. } => {
                let diagnostic = self
                    .error(
                        codes::UNSUPPORTED,
                        node,
                        "a range is not a value",
                        "only `for` and slices take ranges",
                    )
                    .note("ranges stand after `in` of a `for`, and between the brackets of a slice")
                    .help("keep the two bounds in locals of their own");
                self.fail(diagnostic, node)
            }
            Hir::If { cond, then, other } => self.if_expr(node, *cond, then, other.as_ref(), expect),
            Hir::Match { scrutinee, arms } => self.match_expr(node, *scrutinee, arms, expect),
            Hir::Block(block) => {
                let (block, ty) = self.block(block, expect);
                expr(ty, node, ExprKind::Block(block))
            }
            Hir::Unsafe(block) => {
                let outer = std::mem::replace(&mut self.is_unsafe, true);
                let (block, ty) = self.block(block, expect);
                self.is_unsafe = outer;
                expr(ty, node, ExprKind::Block(block))
            }
            Hir::Layout { query, ty, field } => self.layout_query(node, *query, ty, field.as_ref()),
            Hir::While(cond, body) => self.while_loop(node, *cond, body),
            Hir::Loop(body) => self.endless_loop(node, body, expect),
            Hir::For { pat, iter, body } => self.for_loop(node, *pat, *iter, body),
            Hir::CFor { init, cond, step, body } => self.c_for(node, init, *cond, *step, body),
            Hir::Assign { place, op, value } => self.assign(node, *place, *op, *value),
            Hir::Give(value) => self.give(node, *value),
            Hir::Break(value) => self.break_loop(node, *value),
            Hir::Continue => self.continue_loop(node),
            Hir::Try(value) => self.try_expr(node, *value),
            Hir::Coalesce(value, default) => self.coalesce(node, *value, *default, expect),
            Hir::Assert(condition, message) => {
                let condition = self.condition(*condition);
                let Some(message) = message else { return self.assertion(node, condition) };
                let message = Box::new(self.check(*message, &Ty::String, &Reason::Message));
                expr(Ty::Unit, node, ExprKind::Assert(Box::new(condition), Some(message)))
            }
            Hir::Panic(message) => {
                let message = Box::new(self.check(*message, &Ty::String, &Reason::Message));
                expr(Ty::Never, node, ExprKind::Panic(message))
            }
            Hir::Unreachable => expr(Ty::Never, node, ExprKind::Unreachable),
        }
    }

    /// A literal, in the type that its context expects if it can have that.
    pub(super) fn literal(
        &mut self,
        literal: &Literal,
        negative: bool,
        node: NodeId,
        expected: Option<&Ty>,
    ) -> Expr {
        let mut expected = expected.map(|ty| self.table.shallow(ty));
        while let Some(Ty::Ref(_, inner)) = &expected {
            expected = Some(self.table.shallow(inner));
        }
        match literal {
            Literal::Int(magnitude, suffix) => {
                let ty = match suffix.as_deref().and_then(number_type) {
                    Some(ty) => ty,
                    None => match expected {
                        Some(ty @ (Ty::Int(_) | Ty::Float(_))) => ty,
                        _ => Ty::INT,
                    },
                };
                match ty {
                    Ty::Float(_) => {
                        let value = *magnitude as f64;
                        let value = if negative { -value } else { value };
                        expr(ty, node, ExprKind::Float(value.to_bits()))
                    }
                    Ty::Int(int) => self.int_literal(*magnitude, negative, int, node),
                    _ => self.poison(node),
                }
            }
            Literal::Float(bits, suffix) => {
                let ty = match suffix.as_deref().and_then(number_type) {
                    Some(ty @ Ty::Float(_)) => ty,
                    _ => match expected {
                        Some(ty @ Ty::Float(_)) => ty,
                        _ => Ty::F64,
                    },
                };
                let value = f64::from_bits(*bits);
                let value = if negative { -value } else { value };
                expr(ty, node, ExprKind::Float(value.to_bits()))
            }
            Literal::Bool(value) => expr(Ty::Bool, node, ExprKind::Int(i128::from(*value))),
            Literal::Char(c) => expr(Ty::Char, node, ExprKind::Int(i128::from(u32::from(*c)))),
            Literal::Str(text) => expr(Ty::String, node, ExprKind::Str(Arc::clone(text))),
            Literal::Bytes(bytes) => expr(Ty::Bytes, node, ExprKind::Bytes(Arc::clone(bytes))),
            Literal::Null => self.null(node, expected.as_ref()),
        }
    }

    /// `null` is `None` where an `Option` is expected.
    fn null(&mut self, node: NodeId, expected: Option<&Ty>) -> Expr {
        match expected {
            Some(ty @ Ty::Pick(id, _)) if self.is_option(*id) => {
                expr(ty.clone(), node, ExprKind::Variant { variant: 1, fields: Vec::new() })
            }
            Some(ty @ Ty::Pointer(..)) => expr(ty.clone(), node, ExprKind::Int(0)),
            _ => {
                let diagnostic = self
                    .error(
                        codes::UNSUPPORTED,
                        node,
                        "`null` needs an expected type `?T` or `*T`",
                        "no value of any other type",
                    )
                    .note("`null` is `None` of an `Option` or a pointer to nothing; no other type has an empty value")
                    .help("write `None`, or give the target the type `Option<T>`");
                self.fail(diagnostic, node)
            }
        }
    }

    fn int_literal(&mut self, magnitude: u128, negative: bool, int: IntTy, node: NodeId) -> Expr {
        if !fits(magnitude, negative, int) {
            let sign = if negative { "-" } else { "" };
            let (low, high) = bounds(int);
            let mut diagnostic = self
                .error(
                    codes::OVERFLOW,
                    node,
                    format!("the literal `{sign}{magnitude}` does not fit `{}`", int.name()),
                    format!("`{}` is expected here", int.name()),
                )
                .note(format!("`{}` holds {low} to {high}", int.name()));
            let wider = [IntTy::Int, IntTy::U64, IntTy::I128, IntTy::U128];
            diagnostic = match wider.into_iter().find(|ty| fits(magnitude, negative, *ty)) {
                Some(ty) if ty != int => {
                    diagnostic.help(format!("use a wider type, such as `{}`", ty.name()))
                }
                _ => diagnostic.help("use a smaller number"),
            };
            return self.fail(diagnostic, node);
        }
        let value = magnitude as i128;
        let value = if negative { value.wrapping_neg() } else { value };
        expr(Ty::Int(int), node, ExprKind::Int(value))
    }

    /// Whether an expression is made of number literals only, so that its type is still open; also lists and
    /// tuples of such.
    pub(super) fn is_flexible(&mut self, id: ExprId) -> bool {
        if let Some(Some(known)) = self.flexible.get(id.0 as usize) {
            return *known;
        }
        let result = deeper(|| match &self.hir_expr(id).kind {
            Hir::Literal(Literal::Int(_, None) | Literal::Float(_, None)) => true,
            Hir::Unary(UnaryOp::Neg | UnaryOp::BitNot, operand) => self.is_flexible(*operand),
            Hir::Binary(op, _, a, b) => match op {
                BinaryOp::Add
                | BinaryOp::Sub
                | BinaryOp::Mul
                | BinaryOp::Div
                | BinaryOp::Rem
                | BinaryOp::BitAnd
                | BinaryOp::BitOr
                | BinaryOp::BitXor => self.is_flexible(*a) && self.is_flexible(*b),
                BinaryOp::Shl | BinaryOp::Shr => self.is_flexible(*a),
                BinaryOp::Eq
                | BinaryOp::Ne
                | BinaryOp::Lt
                | BinaryOp::Le
                | BinaryOp::Gt
                | BinaryOp::Ge
                | BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::In
                | BinaryOp::NotIn => false,
            },
            Hir::List(elements) | Hir::Tuple(elements) => elements.iter().all(|e| self.is_flexible(*e)),
            _ => false,
        });
        if let Some(slot) = self.flexible.get_mut(id.0 as usize) {
            *slot = Some(result);
        }
        result
    }

    fn list(&mut self, node: NodeId, elements: &[ExprId], expect: &Expect<'_>) -> Expr {
        let expected = expect.ty().and_then(|ty| {
            let mut ty = self.table.shallow(ty);
            while let Ty::Ref(_, inner) = ty {
                ty = self.table.shallow(&inner);
            }
            match ty {
                Ty::List(element) => Some(element.as_ref().clone()),
                _ => None,
            }
        });
        let mut element = expected.map(|ty| self.table.shallow(&ty));
        if elements.is_empty() {
            let element = element.unwrap_or_else(|| self.table.fresh(node, Origin::EmptyList));
            return expr(Ty::List(Arc::new(element)), node, ExprKind::List(Vec::new()));
        }
        // Literals never decide: the first element that is none gives the type.
        if element.is_none()
            && let Some(first) = elements.iter().position(|e| !self.is_flexible(*e))
        {
            let mut values: Vec<Option<Expr>> = elements.iter().map(|_| None).collect();
            let value = self.infer(elements[first], &Expect::Value);
            let value = self.stored(value);
            let ty = value.ty.clone();
            values[first] = Some(value);
            for (slot, id) in values.iter_mut().zip(elements) {
                if slot.is_none() {
                    *slot = Some(self.check(*id, &ty, &Reason::Element));
                }
            }
            let values = values.into_iter().flatten().collect();
            return expr(Ty::List(Arc::new(ty)), node, ExprKind::List(values));
        }
        let mut values = Vec::with_capacity(elements.len());
        for id in elements {
            let value = match &element {
                Some(ty) => self.check(*id, &ty.clone(), &Reason::Element),
                None => self.check_value(*id, &Expect::Value),
            };
            if element.is_none() {
                element = Some(value.ty.clone());
            }
            values.push(value);
        }
        let element = element.unwrap_or(Ty::Error);
        expr(Ty::List(Arc::new(element)), node, ExprKind::List(values))
    }

    /// A value to be stored where no type is given: references that were not written are read through.
    pub(super) fn stored(&self, value: Expr) -> Expr {
        if matches!(value.kind, ExprKind::Ref(..)) { value } else { self.read(value) }
    }

    fn tuple(&mut self, node: NodeId, elements: &[ExprId], expect: &Expect<'_>) -> Expr {
        let expected = match expect.ty().map(|ty| self.table.shallow(ty)) {
            Some(Ty::Tuple(tys)) if tys.len() == elements.len() => Some(tys),
            _ => None,
        };
        let mut values = Vec::with_capacity(elements.len());
        for (index, id) in elements.iter().enumerate() {
            let value = match expected.as_ref().and_then(|tys| tys.get(index)) {
                Some(ty) => self.check(*id, ty, &Reason::Element),
                None => {
                    let value = self.infer(*id, &Expect::Value);
                    self.stored(value)
                }
            };
            values.push(value);
        }
        let ty = match expected {
            Some(tys) => Ty::Tuple(tys),
            None => Ty::Tuple(values.iter().map(|value| value.ty.clone()).collect()),
        };
        expr(ty, node, ExprKind::Tuple(values))
    }
}

/// The type that a literal's suffix names.
pub(super) fn number_type(name: &str) -> Option<Ty> {
    Some(match name {
        "i8" => Ty::Int(IntTy::I8),
        "i16" => Ty::Int(IntTy::I16),
        "i32" => Ty::Int(IntTy::I32),
        "i64" => Ty::Int(IntTy::I64),
        "i128" => Ty::Int(IntTy::I128),
        "u8" | "byte" => Ty::Int(IntTy::U8),
        "u16" => Ty::Int(IntTy::U16),
        "u32" => Ty::Int(IntTy::U32),
        "u64" => Ty::Int(IntTy::U64),
        "u128" => Ty::Int(IntTy::U128),
        "int" => Ty::Int(IntTy::Int),
        "uint" => Ty::Int(IntTy::Uint),
        "isize" => Ty::Int(IntTy::Isize),
        "usize" => Ty::Int(IntTy::Usize),
        "f32" => Ty::Float(FloatTy::F32),
        "f64" | "float" => Ty::Float(FloatTy::F64),
        _ => return None,
    })
}

/// Smallest and largest value, as text.
fn bounds(int: IntTy) -> (String, String) {
    let bits = int.bits();
    if int.signed() {
        let high = (1u128 << (bits - 1)) - 1;
        (format!("-{}", high + 1), high.to_string())
    } else {
        let high = if bits == 128 { u128::MAX } else { (1u128 << bits) - 1 };
        ("0".to_owned(), high.to_string())
    }
}
