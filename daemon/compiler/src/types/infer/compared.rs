//! Comparisons that fail tell what they compared: `assert a == b`, and what a `test_*` proc gives.
//!
//! Only values that have a text of their own are told, and their texts are made only when they are shown.
use super::super::thir::{Block, Expr, ExprKind, Stmt};
use super::super::ty::Ty;
use super::{Checker, expr};
use crate::lower::NodeId;
use crate::lower::hir::BinaryOp;

impl Checker<'_> {
    /// `assert condition`, which shows both sides if it is a comparison.
    pub(super) fn assertion(&mut self, node: NodeId, condition: Expr) -> Expr {
        let assert =
            |condition, message| expr(Ty::Unit, node, ExprKind::Assert(Box::new(condition), message));
        if self.constant || !self.can_be_told(&condition) {
            return assert(condition, None);
        }
        let ExprKind::Compare(op, left, right) = condition.kind else { return assert(condition, None) };
        let (mut stmts, left) = self.held(*left);
        let (more, right) = self.held(*right);
        stmts.extend(more);
        let what = text(node, &format!("assertion failed: left {} right", op.symbol()));
        let message = self.comparison_text(node, what, &left, &right);
        let condition = expr(Ty::Bool, node, ExprKind::Compare(op, Box::new(left), Box::new(right)));
        let assert = assert(condition, Some(Box::new(message)));
        if stmts.is_empty() {
            return assert;
        }
        stmts.push(Stmt::Expr(assert));
        expr(Ty::Unit, node, ExprKind::Block(Block { node, stmts, tail: None }))
    }

    /// What a test gives. When a runner of tests has started it, the comparison that makes it false is told.
    pub(super) fn verdict(&mut self, value: Expr) -> Expr {
        if let ExprKind::Logical { or: false, lhs, rhs } = value.kind {
            let kind = ExprKind::Logical {
                or: false,
                lhs: Box::new(self.verdict(*lhs)),
                rhs: Box::new(self.verdict(*rhs)),
            };
            return Expr { ty: value.ty, node: value.node, kind };
        }
        if !self.can_be_told(&value) {
            return value;
        }
        let node = value.node;
        let ExprKind::Compare(op, left, right) = value.kind else { return value };
        let (mut stmts, left) = self.held(*left);
        let (more, right) = self.held(*right);
        stmts.extend(more);
        let compare = |left: &Expr, right: &Expr| {
            expr(Ty::Bool, node, ExprKind::Compare(op, Box::new(left.clone()), Box::new(right.clone())))
        };
        let running = self.core_call("tests_run", Vec::new(), Vec::new(), Ty::Bool, node);
        let what = text(node, &format!("false: left {} right", op.symbol()));
        let told = self.comparison_text(node, what, &left, &right);
        let tell = self.core_call("eprintln_string", Vec::new(), vec![told], Ty::Unit, node);
        let then = |stmts| Block { node, stmts, tail: None };
        let when_running =
            ExprKind::If { cond: Box::new(running), then: then(vec![Stmt::Expr(tell)]), other: None };
        let when_false = ExprKind::If {
            cond: Box::new(compare(&left, &right)),
            then: then(Vec::new()),
            other: Some(then(vec![Stmt::Expr(expr(Ty::Unit, node, when_running))])),
        };
        stmts.push(Stmt::Expr(expr(Ty::Unit, node, when_false)));
        let tail = Some(Box::new(compare(&left, &right)));
        expr(Ty::Bool, node, ExprKind::Block(Block { node, stmts, tail }))
    }

    /// A value that is asked for several times. A whole local stays itself: `let` would end its life.
    fn held(&mut self, value: Expr) -> (Vec<Stmt>, Expr) {
        match value.kind {
            ExprKind::Local(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Const(_) => (Vec::new(), value),
            _ => self.keep(value),
        }
    }

    /// Whether it compares two values that have texts.
    fn can_be_told(&self, condition: &Expr) -> bool {
        let has_text = |value: &Expr| {
            matches!(
                self.table.shallow(&value.ty),
                Ty::Int(_) | Ty::Float(_) | Ty::Bool | Ty::Char | Ty::String
            )
        };
        let ExprKind::Compare(op, left, right) = &condition.kind else { return false };
        let compares = matches!(
            op,
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge
        );
        compares && has_text(left) && has_text(right)
    }

    fn comparison_text(&mut self, node: NodeId, what: Expr, left: &Expr, right: &Expr) -> Expr {
        let shown = [left, right].map(|value| {
            let ty = self.table.shallow(&value.ty);
            let value = Expr { ty: ty.clone(), ..value.clone() };
            match ty {
                Ty::String => self.core_call("quoted_text", Vec::new(), vec![value], Ty::String, node),
                _ => self.text_of(value, node),
            }
        });
        let values = std::iter::once(what).chain(shown).collect();
        self.core_call("comparison_text", Vec::new(), values, Ty::String, node)
    }
}

fn text(node: NodeId, text: &str) -> Expr {
    expr(Ty::String, node, ExprKind::Str(text.into()))
}
