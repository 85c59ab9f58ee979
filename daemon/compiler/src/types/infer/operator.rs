//! Operators: arithmetic, comparison, logic, membership.
use std::sync::Arc;

use super::super::thir::{self, Expr, ExprKind};
use super::super::ty::{IntTy, Ty};
use super::coerce::{Reason, fits};
use super::{Checker, Expect, codes, expr};
use crate::base::{Applicability, Diagnostic};
use crate::lower::NodeId;
use crate::lower::hir::{BinaryOp, ExprId, ExprKind as Hir, Literal, UnaryOp};

impl Checker<'_> {
    pub(super) fn unary(&mut self, node: NodeId, op: UnaryOp, operand: ExprId, expect: &Expect<'_>) -> Expr {
        if op == UnaryOp::Not {
            let value = self.check_value(operand, &Expect::Value);
            let value = self.truth(value, "operand of `not`");
            return expr(Ty::Bool, node, ExprKind::Unary(UnaryOp::Not, Box::new(value)));
        }
        if let (UnaryOp::Neg, Hir::Literal(literal @ (Literal::Int(..) | Literal::Float(..)))) =
            (op, &self.hir_expr(operand).kind)
        {
            return self.literal(literal, true, node, expect.ty());
        }
        let hint = if self.is_flexible(operand) { Expect::hint(expect.ty().cloned()) } else { Expect::Value };
        let value = self.check_value(operand, &hint);
        let ty = self.known(&value.ty);
        let fits = match (&ty, op) {
            (Ty::Int(_), _) | (Ty::Float(_), UnaryOp::Neg) => true,
            (Ty::Error | Ty::Never, _) => return value,
            _ => false,
        };
        if fits {
            return expr(ty, node, ExprKind::Unary(op, Box::new(value)));
        }
        let sign = if op == UnaryOp::BitNot { "~" } else { "-" };
        let value = match self.operator_proc(node, node, sign, value, None) {
            Ok(result) => return result,
            Err((value, _)) => value,
        };
        let shown = self.show(&ty);
        let (sign, takes) = match op {
            UnaryOp::Neg | UnaryOp::Not => ("-", "a number"),
            UnaryOp::BitNot => ("~", "an integer"),
        };
        let diagnostic = self
            .error(
                codes::BINARY,
                node,
                format!("`{sign}` needs {takes}, found `{shown}`"),
                format!("cannot apply `{sign}` to `{shown}`"),
            )
            .label(self.place(value.node), format!("this is `{shown}`"))
            .note("`-` works on numbers, `~` on integers, `not` on `bool` and integers")
            .help("convert the operand first");
        self.fail(diagnostic, node)
    }

    pub(super) fn binary(
        &mut self,
        node: NodeId,
        op: BinaryOp,
        op_node: NodeId,
        lhs: ExprId,
        rhs: ExprId,
        expect: &Expect<'_>,
    ) -> Expr {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let what = if op == BinaryOp::And { "operand of `and`" } else { "operand of `or`" };
                let left = self.check_value(lhs, &Expect::Value);
                let left = self.truth(left, what);
                let right = self.check_value(rhs, &Expect::Value);
                let right = self.truth(right, what);
                let kind =
                    ExprKind::Logical { or: op == BinaryOp::Or, lhs: Box::new(left), rhs: Box::new(right) };
                expr(Ty::Bool, node, kind)
            }
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let (left, right) = self.compared(lhs, rhs);
                self.compare(node, op, op_node, left, right)
            }
            BinaryOp::In | BinaryOp::NotIn => self.membership(node, op, op_node, lhs, rhs),
            BinaryOp::Shl | BinaryOp::Shr => {
                let hint =
                    if self.is_flexible(lhs) { Expect::hint(expect.ty().cloned()) } else { Expect::Value };
                let left = self.check_value(lhs, &hint);
                let right = self.check_value(rhs, &Expect::Value);
                self.arithmetic(node, op, op_node, left, right)
            }
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Rem
            | BinaryOp::BitAnd
            | BinaryOp::BitOr
            | BinaryOp::BitXor => {
                let (left, right) = self.operands(lhs, rhs, expect.ty());
                self.arithmetic(node, op, op_node, left, right)
            }
        }
    }

    /// Checks two operands, each with the other's type as a hint; the one that needs the hint comes second.
    pub(super) fn operands(&mut self, lhs: ExprId, rhs: ExprId, expected: Option<&Ty>) -> (Expr, Expr) {
        let (left_open, right_open) = (self.is_flexible(lhs), self.is_flexible(rhs));
        if left_open && right_open {
            let left = self.check_value(lhs, &Expect::hint(expected.cloned()));
            let right = self.check_value(rhs, &Expect::Hint(left.ty.clone()));
            // `1 + 2.5`: the integer literal becomes a float.
            if matches!((&left.ty, &right.ty), (Ty::Int(_), Ty::Float(_))) {
                let left = self.check_value(lhs, &Expect::Hint(right.ty.clone()));
                return (left, right);
            }
            return (left, right);
        }
        if (left_open || self.wants_context(lhs)) && !self.wants_context(rhs) {
            let right = self.check_value(rhs, &Expect::hint(expected.cloned()));
            let left = self.check_value(lhs, &Expect::Hint(right.ty.clone()));
            return (left, right);
        }
        let left = self.check_value(lhs, &Expect::hint(expected.cloned()));
        let right = self.check_value(rhs, &Expect::Hint(left.ty.clone()));
        (left, right)
    }

    /// Whether an expression's meaning depends on what is expected of it.
    fn wants_context(&self, id: ExprId) -> bool {
        match &self.hir_expr(id).kind {
            Hir::Path(_) => self.bare_name(id).is_some_and(|name| !self.is_bound(&name.name)),
            Hir::Call { callee, .. } => self.bare_name(*callee).is_some_and(|name| {
                !self.is_bound(&name.name) && name.name.starts_with(|c: char| c.is_uppercase())
            }),
            Hir::List(elements) => elements.is_empty(),
            Hir::Record { path, .. } => path.is_none(),
            Hir::Literal(Literal::Null) => true,
            _ => false,
        }
    }

    /// The two sides of a comparison. They compare as mathematical values, so a literal that does not
    /// fit the other side's type keeps a type of its own: `i > -1` with an unsigned `i`.
    fn compared(&mut self, lhs: ExprId, rhs: ExprId) -> (Expr, Expr) {
        let (left_open, right_open) = (self.is_flexible(lhs), self.is_flexible(rhs));
        if left_open == right_open {
            return self.operands(lhs, rhs, None);
        }
        let (known, literal) = if left_open { (rhs, lhs) } else { (lhs, rhs) };
        let known = self.check_value(known, &Expect::Value);
        let hint = match &known.ty {
            Ty::Int(int) => self.cast_literal(literal, *int).unwrap_or_else(|| known.ty.clone()),
            other => other.clone(),
        };
        let literal = self.check_value(literal, &Expect::Hint(hint));
        if left_open { (literal, known) } else { (known, literal) }
    }

    /// Whether the left side of a comparison is a comparison without parentheses.
    fn is_chained(&self, left: &Expr) -> bool {
        if !matches!(left.kind, ExprKind::Compare(..)) {
            return false;
        }
        let span = crate::lower::item_source_map(self.db, self.item).span(left.node);
        let crate::base::FileContents::Text(text) = self.file.contents(self.db) else { return false };
        text.get(span.end as usize..).is_some_and(|rest| !rest.trim_start().starts_with(')'))
    }

    /// `+ - * / %`, bits and shifts on two values.
    pub(super) fn arithmetic(
        &mut self,
        node: NodeId,
        op: BinaryOp,
        op_node: NodeId,
        left: Expr,
        right: Expr,
    ) -> Expr {
        let (mut left, mut right) = (self.read(left), self.read(right));
        // A variable on one side is solved by the other.
        if let (Ty::Infer(_), known) | (known, Ty::Infer(_)) = (&left.ty, &right.ty)
            && !matches!(known, Ty::Infer(_))
        {
            let known = known.clone();
            self.unify(&left.ty, &known);
            self.unify(&right.ty, &known);
            left = self.read(left);
            right = self.read(right);
        }
        if matches!(left.ty, Ty::Infer(_)) {
            let ty = left.ty.clone();
            self.known(&ty);
            return self.poison(node);
        }
        let (left, right) = match self.operator_proc(node, op_node, op.symbol(), left, Some(right)) {
            Ok(result) => return result,
            Err((left, Some(right))) => (left, right),
            Err((left, None)) => return left,
        };
        let shift = matches!(op, BinaryOp::Shl | BinaryOp::Shr);
        let (left_ty, right_ty) = (left.ty.clone(), right.ty.clone());
        match (&left_ty, &right_ty) {
            (Ty::Never, _) => self.leaves(node, vec![left]),
            (_, Ty::Never) => self.leaves(node, vec![left, right]),
            (Ty::Error, _) | (_, Ty::Error) => self.poison(node),
            (Ty::Int(a), Ty::Int(b)) => {
                if matches!(op, BinaryOp::Div | BinaryOp::Rem) && matches!(right.kind, ExprKind::Int(0)) {
                    return self.division_by_zero(op_node, &right, node);
                }
                if shift {
                    return expr(left_ty, node, ExprKind::Binary(op, Box::new(left), Box::new(right)));
                }
                let ty = wider(*a, *b);
                let left = widen(left, *a, ty);
                let right = widen(right, *b, ty);
                self.lint_wrapping(op, op_node, &left, &right, ty);
                expr(Ty::Int(ty), node, ExprKind::Binary(op, Box::new(left), Box::new(right)))
            }
            (Ty::Float(a), Ty::Float(b)) if a == b && !is_bit_operator(op) => {
                expr(left_ty, node, ExprKind::Binary(op, Box::new(left), Box::new(right)))
            }
            (Ty::String, Ty::String | Ty::Char) if op == BinaryOp::Add => {
                expr(Ty::String, node, ExprKind::Binary(op, Box::new(left), Box::new(right)))
            }
            (Ty::List(a), Ty::List(b)) if op == BinaryOp::Add => {
                if self.unify(a, b) {
                    expr(left_ty, node, ExprKind::Binary(op, Box::new(left), Box::new(right)))
                } else {
                    self.mismatch(&left_ty, &right, &Reason::Operand { other: left.node })
                }
            }
            _ => {
                let diagnostic = self.bad_operands(op, node, &left, &right);
                self.fail(diagnostic, node)
            }
        }
    }

    /// Expressions of which the last one leaves.
    pub(super) fn leaves(&self, node: NodeId, parts: Vec<Expr>) -> Expr {
        let stmts = parts.into_iter().map(thir::Stmt::Expr).collect();
        expr(Ty::Never, node, ExprKind::Block(thir::Block { node, stmts, tail: None }))
    }

    pub(super) fn division_by_zero(&mut self, op_node: NodeId, right: &Expr, node: NodeId) -> Expr {
        let diagnostic = self
            .error(codes::DIVISION_BY_ZERO, right.node, "division by zero", "this is 0")
            .label(self.place(op_node), "always divides by zero")
            .note("at run time this would end the program with a panic")
            .help("divide by something else, or remove this");
        self.fail(diagnostic, node)
    }

    /// Says when arithmetic on two constants wraps.
    fn lint_wrapping(&mut self, op: BinaryOp, op_node: NodeId, left: &Expr, right: &Expr, ty: IntTy) {
        let (ExprKind::Int(a), ExprKind::Int(b)) = (&left.kind, &right.kind) else { return };
        if self.constant {
            return;
        }
        let exact = match op {
            BinaryOp::Add => a.checked_add(*b),
            BinaryOp::Sub => a.checked_sub(*b),
            BinaryOp::Mul => a.checked_mul(*b),
            _ => return,
        };
        if exact.is_some_and(|value| fits(value.unsigned_abs(), value < 0, ty)) {
            return;
        }
        let diagnostic = self
            .lint(
                codes::WRAPPING_CONSTANT,
                op_node,
                format!("this arithmetic overflows `{}` and wraps", ty.name()),
                format!("the result does not fit `{}`", ty.name()),
            )
            .note("at run time integers wrap at their width")
            .help("use a wider type");
        self.report(diagnostic);
    }

    fn bad_operands(&self, op: BinaryOp, node: NodeId, left: &Expr, right: &Expr) -> Diagnostic {
        let sign = op.symbol();
        let (a, b) = (self.show(&left.ty), self.show(&right.ty));
        let mut diagnostic = self
            .error(
                codes::BINARY,
                node,
                format!("cannot apply `{sign}` to `{a}` and `{b}`"),
                format!("no `{sign}` for these types"),
            )
            .label(self.place(left.node), format!("this is `{a}`"))
            .label(self.place(right.node), format!("this is `{b}`"));
        let printable = |ty: &Ty| matches!(ty, Ty::Int(_) | Ty::Float(_) | Ty::Bool | Ty::Char);
        match (&left.ty, &right.ty) {
            (Ty::String, other) if op == BinaryOp::Add && printable(other) => {
                diagnostic = diagnostic.note("nothing turns into text by itself");
                self.suggest_cast(diagnostic, right.node, "string")
            }
            (other, Ty::String) if op == BinaryOp::Add && printable(other) => {
                diagnostic = diagnostic.note("nothing turns into text by itself");
                self.suggest_cast(diagnostic, left.node, "string")
            }
            (Ty::Int(_), Ty::Float(_)) => {
                diagnostic = diagnostic.note("integers and floats mix only with `as`");
                self.suggest_cast(diagnostic, left.node, &b)
            }
            (Ty::Float(_), Ty::Int(_)) => {
                diagnostic = diagnostic.note("integers and floats mix only with `as`");
                self.suggest_cast(diagnostic, right.node, &a)
            }
            (Ty::Float(_), Ty::Float(_)) if !is_bit_operator(op) => {
                diagnostic = diagnostic.note("floats of different width mix only with `as`");
                self.suggest_cast(diagnostic, right.node, &a)
            }
            (Ty::List(element), other) if op == BinaryOp::Add && self.table.resolve(element) == *other => {
                diagnostic = diagnostic.note("`+` joins two lists");
                match self.snippet(right.node) {
                    Some(text) => diagnostic.suggest(
                        self.place(right.node),
                        format!("[{text}]"),
                        "make it a list of one element",
                        Applicability::MachineApplicable,
                    ),
                    None => diagnostic.help("put brackets around the element"),
                }
            }
            (_, Ty::Bool) if is_bit_operator(op) => diagnostic
                .note(format!(
                    "`==` and `<` bind tighter than `{sign}`, so `a {sign} b == c` means `a {sign} (b == c)`"
                ))
                .help(format!("write `(a {sign} b) == c`, or use `and` and `or` for conditions")),
            _ => diagnostic
                .note("arithmetic works on numbers; `+` also joins strings and lists")
                .help("convert the operands first"),
        }
    }

    /// `== != < <= > >=` on two values.
    pub(super) fn compare(
        &mut self,
        node: NodeId,
        op: BinaryOp,
        op_node: NodeId,
        left: Expr,
        right: Expr,
    ) -> Expr {
        let (mut left, mut right) = (self.read(left), self.read(right));
        // A char and a string literal of one character compare as characters.
        match (&left.ty, &right.ty) {
            (Ty::Char, Ty::String) => {
                if let Some(c) = one_char(&right) {
                    right = c;
                }
            }
            (Ty::String, Ty::Char) => {
                if let Some(c) = one_char(&left) {
                    left = c;
                }
            }
            _ => {}
        }
        let (left, right) = match self.compare_proc(node, op, op_node, left, right) {
            Ok(result) => return result,
            Err((left, right)) => (left, right),
        };
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let fits = match (&left.ty, &right.ty) {
            (Ty::Never, _) => return self.leaves(node, vec![left]),
            (_, Ty::Never) => return self.leaves(node, vec![left, right]),
            (Ty::Error, _) | (_, Ty::Error) => {
                return expr(Ty::Bool, node, ExprKind::Compare(op, Box::new(left), Box::new(right)));
            }
            (Ty::Int(_), Ty::Int(_)) => true,
            (Ty::Unit | Ty::Proc(..) | Ty::Dyn(..), _) | (_, Ty::Unit | Ty::Proc(..) | Ty::Dyn(..)) => false,
            (Ty::Pointer(_, a), Ty::Pointer(_, b)) => {
                let (a, b) = (a.clone(), b.clone());
                self.unify(&a, &b)
            }
            (a, b) => {
                let (a, b) = (a.clone(), b.clone());
                self.unify(&a, &b) && (equality || self.is_ordered(&a))
            }
        };
        if fits {
            return expr(Ty::Bool, node, ExprKind::Compare(op, Box::new(left), Box::new(right)));
        }
        if self.is_chained(&left) {
            // The parser has said that comparisons cannot be chained.
            self.broken = true;
            return expr(Ty::Bool, node, ExprKind::Error);
        }
        let (a, b) = (self.show(&left.ty), self.show(&right.ty));
        let sign = op.symbol();
        let mut diagnostic = self
            .error(
                codes::BINARY,
                node,
                format!("cannot compare `{a}` and `{b}` with `{sign}`"),
                "these two cannot be compared",
            )
            .label(self.place(op_node), format!("no `{sign}` for these types"))
            .label(self.place(left.node), format!("this is `{a}`"))
            .label(self.place(right.node), format!("this is `{b}`"));
        diagnostic = match (&left.ty, &right.ty) {
            (a, b) if a == b && !equality => diagnostic
                .note("numbers, `string` and `char` have an order; forms, lists, picks and `bool` have none")
                .help("compare a field of it, or use `==`"),
            (Ty::Int(_), Ty::Float(_)) => {
                let diagnostic = diagnostic.note("integers and floats compare only after `as`");
                self.suggest_cast(diagnostic, left.node, &b)
            }
            (Ty::Float(_), Ty::Int(_)) => {
                let diagnostic = diagnostic.note("integers and floats compare only after `as`");
                self.suggest_cast(diagnostic, right.node, &a)
            }
            (Ty::Int(_) | Ty::Char, Ty::String) => {
                let diagnostic = diagnostic.note("both sides of a comparison have one type");
                self.suggest_cast(diagnostic, left.node, "string")
            }
            (Ty::String, Ty::Int(_) | Ty::Char) => {
                let diagnostic = diagnostic.note("both sides of a comparison have one type");
                self.suggest_cast(diagnostic, right.node, "string")
            }
            _ => diagnostic
                .note("both sides of a comparison have one type; procedure values cannot be compared")
                .help("convert one side first"),
        };
        self.report(diagnostic);
        expr(Ty::Bool, node, ExprKind::Error)
    }

    fn is_ordered(&self, ty: &Ty) -> bool {
        matches!(self.table.shallow(ty), Ty::Int(_) | Ty::Float(_) | Ty::String | Ty::Char | Ty::Error)
    }

    /// `x in xs`: an element of a list, a part of a string, a number in a range.
    fn membership(&mut self, node: NodeId, op: BinaryOp, op_node: NodeId, lhs: ExprId, rhs: ExprId) -> Expr {
        let found = self.member_test(node, op_node, lhs, rhs);
        if op == BinaryOp::In || found.ty != Ty::Bool {
            return found;
        }
        expr(Ty::Bool, node, ExprKind::Unary(UnaryOp::Not, Box::new(found)))
    }

    fn member_test(&mut self, node: NodeId, op_node: NodeId, lhs: ExprId, rhs: ExprId) -> Expr {
        if let Hir::Range { lo, hi, inclusive } = self.hir_expr(rhs).kind {
            return self.range_test(node, op_node, lhs, lo, hi, inclusive);
        }
        let (needle, haystack);
        if self.is_flexible(lhs) || self.wants_context(lhs) {
            haystack = self.check_value(rhs, &Expect::Value);
            let hint = match &haystack.ty {
                Ty::List(element) => Expect::Hint(element.as_ref().clone()),
                other => {
                    let key = self.map_types(other).map(|(key, _)| key).or_else(|| self.set_type(other));
                    Expect::hint(key)
                }
            };
            needle = self.check_value(lhs, &hint);
        } else {
            needle = self.check_value(lhs, &Expect::Value);
            haystack = self.check_value(rhs, &Expect::Value);
        }
        match (&needle.ty, &haystack.ty) {
            (Ty::Error | Ty::Never, _) | (_, Ty::Error | Ty::Never) => self.poison(node),
            (Ty::String, Ty::String) => {
                self.core_call("string_contains", Vec::new(), vec![haystack, needle], Ty::Bool, node)
            }
            (Ty::Char, Ty::String) => {
                let text = self.core_call("char_to_string", Vec::new(), vec![needle], Ty::String, node);
                self.core_call("string_contains", Vec::new(), vec![haystack, text], Ty::Bool, node)
            }
            (_, Ty::List(element)) => {
                let element = element.as_ref().clone();
                self.list_contains(node, op_node, needle, haystack, &element)
            }
            (_, found) if self.map_types(found).is_some() || self.set_type(found).is_some() => {
                let reason = Reason::Operand { other: haystack.node };
                let (types, name) = match (self.map_types(found), self.set_type(found)) {
                    (Some((key, value)), _) => (vec![key, value], "map_contains"),
                    (None, Some(item)) => (vec![item], "set_contains"),
                    (None, None) => return self.poison(node),
                };
                let key = types.first().cloned().unwrap_or(Ty::Error);
                let needle = self.coerce(needle, &key, &reason);
                self.core_call(name, types, vec![haystack, needle], Ty::Bool, node)
            }
            (a, b) => {
                let (a, b) = (self.show(a), self.show(b));
                let diagnostic = self
                    .error(
                        codes::BINARY,
                        op_node,
                        format!("cannot look for `{a}` in `{b}`"),
                        "no `in` for these types",
                    )
                    .label(self.place(needle.node), format!("this is `{a}`"))
                    .label(self.place(haystack.node), format!("this is `{b}`"))
                    .note(
                        "`in` looks for an element in a list, for text in a string, for a number in a range",
                    )
                    .help("use a list, a string or a range on the right");
                self.fail(diagnostic, node)
            }
        }
    }

    fn range_test(
        &mut self,
        node: NodeId,
        op_node: NodeId,
        lhs: ExprId,
        lo: Option<ExprId>,
        hi: Option<ExprId>,
        inclusive: bool,
    ) -> Expr {
        let value = self.check_value(lhs, &Expect::Value);
        let (stmts, value) = self.keep(value);
        let mut tests = Vec::new();
        if let Some(lo) = lo {
            let lo = self.check_value(lo, &Expect::Hint(value.ty.clone()));
            tests.push(self.compare(node, BinaryOp::Ge, op_node, value.clone(), lo));
        }
        if let Some(hi) = hi {
            let hi = self.check_value(hi, &Expect::Hint(value.ty.clone()));
            let op = if inclusive { BinaryOp::Le } else { BinaryOp::Lt };
            tests.push(self.compare(node, op, op_node, value, hi));
        }
        let all = tests.into_iter().reduce(|a, b| {
            expr(Ty::Bool, node, ExprKind::Logical { or: false, lhs: Box::new(a), rhs: Box::new(b) })
        });
        let tail = all.unwrap_or_else(|| expr(Ty::Bool, node, ExprKind::Int(1)));
        expr(Ty::Bool, node, ExprKind::Block(thir::Block { node, stmts, tail: Some(Box::new(tail)) }))
    }

    /// A value in a local of its own: the statement that binds it, and the local.
    pub(super) fn keep(&mut self, value: Expr) -> (Vec<thir::Stmt>, Expr) {
        let node = value.node;
        let ty = value.ty.clone();
        let local = self.temporary(node, ty.clone());
        let pat = thir::Pat { ty, node, kind: thir::PatKind::Bind(local) };
        let read = self.local_expr(local, node);
        (vec![thir::Stmt::Let { node, pat, init: Some(value) }], read)
    }

    /// `{ let x = needle; let found = false; for e in xs { if e == x { set found = true; break } } found }`
    pub(super) fn list_contains(
        &mut self,
        node: NodeId,
        op_node: NodeId,
        needle: Expr,
        list: Expr,
        element: &Ty,
    ) -> Expr {
        let (mut stmts, needle) = self.keep(needle);
        let not_yet = expr(Ty::Bool, node, ExprKind::Int(0));
        let (more, found) = self.keep(not_yet);
        stmts.extend(more);
        let item = self.temporary(node, element.clone());
        let item_expr = self.local_expr(item, node);
        let cond = self.compare(node, BinaryOp::Eq, op_node, item_expr, needle);
        let yes = expr(Ty::Bool, node, ExprKind::Int(1));
        let set = ExprKind::Assign { place: Box::new(found.clone()), op: None, value: Box::new(yes) };
        let then = thir::Block {
            node,
            stmts: vec![
                thir::Stmt::Expr(expr(Ty::Unit, node, set)),
                thir::Stmt::Expr(expr(Ty::Never, node, ExprKind::Break(None))),
            ],
            tail: None,
        };
        let test = expr(Ty::Unit, node, ExprKind::If { cond: Box::new(cond), then, other: None });
        let body = thir::Block { node, stmts: vec![thir::Stmt::Expr(test)], tail: None };
        let pat = thir::Pat { ty: element.clone(), node, kind: thir::PatKind::Bind(item) };
        let each = ExprKind::For { pat, iter: thir::ForIter::List(Box::new(list)), body };
        stmts.push(thir::Stmt::Expr(expr(Ty::Unit, node, each)));
        expr(Ty::Bool, node, ExprKind::Block(thir::Block { node, stmts, tail: Some(Box::new(found)) }))
    }
}

/// A string literal of exactly one character, as a `char`.
fn one_char(value: &Expr) -> Option<Expr> {
    let ExprKind::Str(text) = &value.kind else { return None };
    let text: &Arc<str> = text;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Some(expr(Ty::Char, value.node, ExprKind::Int(i128::from(u32::from(c))))),
        _ => None,
    }
}

/// The type of arithmetic on two integer types: the wider one, at equal width the left one (§3.4).
pub(super) fn wider(left: IntTy, right: IntTy) -> IntTy {
    if right.bits() > left.bits() { right } else { left }
}

fn widen(value: Expr, from: IntTy, to: IntTy) -> Expr {
    if from == to {
        return value;
    }
    let node = value.node;
    expr(Ty::Int(to), node, ExprKind::Cast(Box::new(value)))
}

fn is_bit_operator(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor | BinaryOp::Shl | BinaryOp::Shr)
}
