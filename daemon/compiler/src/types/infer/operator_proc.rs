//! Operators that programs declare: `proc operator + (a: Vector, b: Vector) -> Vector`.
use std::sync::Arc;

use super::super::thir::{Arg, Block, Callee, Expr, ExprKind, Pat, PatKind, Stmt};
use super::super::traits::{file_impls, files_for};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::{Checker, Expect, codes, expr};
use crate::base::{Name, Place};
use crate::lower::hir::{BinaryOp, ExprId, UnaryOp};
use crate::lower::{ItemId, NodeId};
use crate::types::proc_data;

impl Checker<'_> {
    /// Whether operators on the type may be declared: those of built-in types mean what the language says.
    pub(super) fn is_declarable(&self, ty: &Ty) -> bool {
        matches!(self.table.shallow(ty), Ty::Form(..) | Ty::Pick(..) | Ty::Tuple(_) | Ty::Param(..))
    }

    /// The call that an operator stands for, or the operands back if none is declared for them.
    #[allow(clippy::result_large_err)] // both sides are operands
    pub(super) fn operator_proc(
        &mut self,
        node: NodeId,
        op_node: NodeId,
        sign: &str,
        left: Expr,
        right: Option<Expr>,
    ) -> Result<Expr, (Expr, Option<Expr>)> {
        let declarable =
            self.is_declarable(&left.ty) || right.as_ref().is_some_and(|right| self.is_declarable(&right.ty));
        if !declarable {
            return Err((left, right));
        }
        let name = Name::new(format!("operator{sign}"));
        let operands: Vec<Ty> =
            std::iter::once(&left).chain(&right).map(|operand| operand.ty.clone()).collect();
        let mut found: Vec<ItemId> = Vec::new();
        let mut files = files_for(self.db, self.file, &operands[0], None);
        for ty in &operands[1..] {
            for file in files_for(self.db, self.file, ty, None) {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        for file in files {
            for &item in file_impls(self.db, file).operators.get(&name).into_iter().flatten() {
                if self.takes(item, &operands, node) {
                    found.push(item);
                }
            }
        }
        let member = match self.find_member(&operands[0], &name, op_node) {
            Ok(Some((item, owner))) if proc_data(self.db, item).params.len() == operands.len() => {
                Some((item, owner))
            }
            Ok(_) => None,
            Err(()) => return Ok(self.poison(node)),
        };
        let (item, owner) = match (member, found.as_slice()) {
            (Some(member), []) => (member.0, Some(member.1)),
            (None, [item]) => (*item, None),
            (None, []) => return Err((left, right)),
            (member, [first, ..]) => {
                let second = member.map(|(item, _)| item).or(found.get(1).copied()).unwrap_or(*first);
                let diagnostic = self
                    .error(
                        codes::AMBIGUOUS_METHOD,
                        op_node,
                        format!("two declarations of `{sign}` fit these operands"),
                        "which one?",
                    )
                    .label(Place::Node(*first, NodeId::default()), "one is declared here")
                    .label(Place::Node(second, NodeId::default()), "the other one here")
                    .note("an operator is found by the types of its operands")
                    .help("make their parameter types differ, or remove one of the two");
                return Ok(self.fail(diagnostic, node));
            }
        };
        let data = proc_data(self.db, item);
        let types = self.proc_types(item, data, owner, &[], op_node);
        let mut args = Vec::new();
        for (index, operand) in std::iter::once(left).chain(right).enumerate() {
            let ty = data.params.get(index).map_or(Ty::Error, |param| param.ty.subst(&types));
            let reason = Reason::Argument { callee: item, param: index as u32 };
            let value = self.coerce(operand, &ty, &reason);
            args.push(Arg { param: index as u32, value });
        }
        self.settle(false);
        let ret = self.table.shallow(&data.ret.subst(&types));
        Ok(expr(ret, node, ExprKind::Call { callee: Callee::Proc(item, types), args }))
    }

    /// `set place op= value` with a declared operator: the place is evaluated once.
    pub(super) fn compound_proc(
        &mut self,
        node: NodeId,
        op: BinaryOp,
        target: Expr,
        value: ExprId,
        reason: &Reason,
    ) -> Expr {
        let ty = target.ty.clone();
        let value = self.check_value(value, &Expect::Hint(ty.clone()));
        let mut stmts = Vec::new();
        let (place, value) = if is_simple(&target) {
            (target, value)
        } else {
            let (stmt, value) = self.keep(value);
            stmts.extend(stmt);
            let address = Ty::Ref(true, Arc::new(ty.clone()));
            let local = self.temporary(node, address.clone());
            let init = expr(address.clone(), target.node, ExprKind::Ref(true, Box::new(target)));
            let pat = Pat { ty: address, node, kind: PatKind::Bind(local) };
            stmts.push(Stmt::Let { node, pat, init: Some(init) });
            let held = self.local_expr(local, node);
            (expr(ty.clone(), node, ExprKind::Deref(Box::new(held))), value)
        };
        let result = self.arithmetic(node, op, node, place.clone(), value);
        let result = self.coerce(result, &ty, reason);
        let kind = ExprKind::Assign { place: Box::new(place), op: None, value: Box::new(result) };
        stmts.push(Stmt::Expr(expr(Ty::Unit, node, kind)));
        expr(Ty::Unit, node, ExprKind::Block(Block { node, stmts, tail: None }))
    }

    /// Whether a proc's parameters fit these types.
    fn takes(&mut self, item: ItemId, operands: &[Ty], node: NodeId) -> bool {
        let data = proc_data(self.db, item);
        if data.params.len() != operands.len() {
            return false;
        }
        let before = self.table.snapshot();
        let types: Vec<Ty> =
            data.generics.iter().map(|_| self.table.fresh(node, super::unify::Origin::Hidden)).collect();
        let fits = data.params.iter().zip(operands).all(|(param, operand)| {
            let mut ty = self.table.shallow(&param.ty.subst(&types));
            while let Ty::Ref(_, inner) = ty {
                ty = self.table.shallow(&inner);
            }
            self.table.unify(&ty, operand)
        });
        self.table.rollback(before);
        fits
    }

    /// The call that a comparison stands for; `!=` is the opposite of a declared `==`.
    #[allow(clippy::result_large_err)] // both sides are operands
    pub(super) fn compare_proc(
        &mut self,
        node: NodeId,
        op: BinaryOp,
        op_node: NodeId,
        left: Expr,
        right: Expr,
    ) -> Result<Expr, (Expr, Expr)> {
        let both = |(left, right): (Expr, Option<Expr>)| {
            let right = right.unwrap_or_else(|| left.clone());
            (left, right)
        };
        let (left, right) = match self.operator_proc(node, op_node, op.symbol(), left, Some(right)) {
            Ok(result) => return Ok(result),
            Err(operands) => both(operands),
        };
        if op != BinaryOp::Ne {
            return Err((left, right));
        }
        match self.operator_proc(node, op_node, BinaryOp::Eq.symbol(), left, Some(right)) {
            Ok(result) if result.ty == Ty::Bool => {
                Ok(expr(Ty::Bool, node, ExprKind::Unary(UnaryOp::Not, Box::new(result))))
            }
            Ok(result) => Ok(result),
            Err(operands) => Err(both(operands)),
        }
    }
}

/// Whether evaluating a place twice cannot be told from evaluating it once.
fn is_simple(place: &Expr) -> bool {
    match &place.kind {
        ExprKind::Local(_) | ExprKind::Int(_) | ExprKind::Const(_) => true,
        ExprKind::Field(base, _) | ExprKind::Deref(base) | ExprKind::Cast(base) => is_simple(base),
        ExprKind::Index(base, index) => is_simple(base) && is_simple(index),
        _ => false,
    }
}
