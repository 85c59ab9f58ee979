//! A mutable walk over THIR: types, nodes and locals, in place.
use std::sync::Arc;

use super::super::thir::{Block, Body, Callee, Expr, ExprKind, ForIter, LocalId, Pat, PatKind, Stmt};
use super::super::ty::Ty;
use super::deeper;
use crate::lower::NodeId;

/// What changes on the way.
pub(super) trait Change {
    /// A type.
    fn ty(&mut self, ty: &mut Ty);
    /// A place in the source.
    fn node(&mut self, _node: &mut NodeId) {}
    /// A local.
    fn local(&mut self, _local: &mut LocalId) {}
    /// The index of a lambda among those of the body.
    fn lambda(&mut self, _index: &mut u32) {}
}

/// Every type, node and local of a body.
pub(super) fn body(body: &mut Body, change: &mut impl Change) {
    for local in &mut body.locals {
        change.ty(&mut local.ty);
        change.node(&mut local.node);
    }
    change.ty(&mut body.ret);
    block(&mut body.block, change);
    for lambda in &mut body.lambdas {
        self::body(lambda, change);
    }
}

/// A block.
pub(super) fn block(block: &mut Block, change: &mut impl Change) {
    change.node(&mut block.node);
    for stmt in &mut block.stmts {
        self::stmt(stmt, change);
    }
    if let Some(tail) = &mut block.tail {
        expr(tail, change);
    }
}

fn stmt(stmt: &mut Stmt, change: &mut impl Change) {
    match stmt {
        Stmt::Let { node, pat, init } => {
            change.node(node);
            self::pat(pat, change);
            if let Some(init) = init {
                expr(init, change);
            }
        }
        Stmt::Expr(e) => expr(e, change),
        Stmt::Defer(deferred) => block(Arc::make_mut(deferred), change),
    }
}

/// An expression.
pub(super) fn expr(e: &mut Expr, change: &mut impl Change) {
    deeper(|| {
        change.ty(&mut e.ty);
        change.node(&mut e.node);
        kind(&mut e.kind, change);
    });
}

fn kind(kind: &mut ExprKind, change: &mut impl Change) {
    match kind {
        ExprKind::Error
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Str(_)
        | ExprKind::Bytes(_)
        | ExprKind::Unit
        | ExprKind::Const(_)
        | ExprKind::Static(_)
        | ExprKind::Continue
        | ExprKind::Unreachable
        | ExprKind::Give(None)
        | ExprKind::Break(None) => {}
        ExprKind::Local(local) => change.local(local),
        ExprKind::Lambda { index, captures } => {
            change.lambda(index);
            captures.iter_mut().for_each(|local| change.local(local));
        }
        ExprKind::Dyn { value, methods } => {
            expr(value, change);
            methods.iter_mut().flat_map(|(_, tys)| tys).for_each(|t| change.ty(t));
        }
        ExprKind::ProcRef(_, tys) => tys.iter_mut().for_each(|t| change.ty(t)),
        ExprKind::Call { callee, args } => {
            match callee {
                Callee::Proc(_, tys) | Callee::Intrinsic(_, tys) => tys.iter_mut().for_each(|t| change.ty(t)),
                Callee::Value(value) => expr(value, change),
            }
            for arg in args {
                expr(&mut arg.value, change);
            }
        }
        ExprKind::Record { fields, base } => {
            for (_, value) in fields {
                expr(value, change);
            }
            if let Some(base) = base {
                expr(base, change);
            }
        }
        ExprKind::Variant { fields: many, .. } | ExprKind::List(many) | ExprKind::Tuple(many) => {
            for value in many {
                expr(value, change);
            }
        }
        ExprKind::Field(one, _)
        | ExprKind::Deref(one)
        | ExprKind::Ref(_, one)
        | ExprKind::Move(one)
        | ExprKind::Unary(_, one)
        | ExprKind::Cast(one)
        | ExprKind::Give(Some(one))
        | ExprKind::Break(Some(one))
        | ExprKind::Assert(one, None)
        | ExprKind::Panic(one) => expr(one, change),
        ExprKind::Index(a, b)
        | ExprKind::StringIndex(a, b)
        | ExprKind::Binary(_, a, b)
        | ExprKind::Compare(_, a, b)
        | ExprKind::Logical { lhs: a, rhs: b, .. }
        | ExprKind::Assert(a, Some(b))
        | ExprKind::Assign { place: a, value: b, .. } => {
            expr(a, change);
            expr(b, change);
        }
        ExprKind::If { cond, then, other } => {
            expr(cond, change);
            block(then, change);
            if let Some(other) = other {
                block(other, change);
            }
        }
        ExprKind::Match { scrutinee, arms } => {
            expr(scrutinee, change);
            for arm in arms {
                pat(&mut arm.pat, change);
                if let Some(guard) = &mut arm.guard {
                    expr(guard, change);
                }
                block(&mut arm.body, change);
            }
        }
        ExprKind::Block(b) | ExprKind::Loop(b) => block(b, change),
        ExprKind::While(cond, b) => {
            expr(cond, change);
            block(b, change);
        }
        ExprKind::For { pat: p, iter, body } => {
            pat(p, change);
            match iter {
                ForIter::List(e) | ForIter::Str(e) => expr(e, change),
                ForIter::Range { lo, hi, .. } => {
                    expr(lo, change);
                    expr(hi, change);
                }
                ForIter::Next { iter, next } => {
                    expr(iter, change);
                    next.1.iter_mut().for_each(|t| change.ty(t));
                }
            }
            block(body, change);
        }
        ExprKind::CFor { init, cond, step, body } => {
            stmt(init, change);
            expr(cond, change);
            expr(step, change);
            block(body, change);
        }
    }
}

fn pat(p: &mut Pat, change: &mut impl Change) {
    change.ty(&mut p.ty);
    change.node(&mut p.node);
    match &mut p.kind {
        PatKind::Wild
        | PatKind::Int(_)
        | PatKind::Float(_)
        | PatKind::Str(_)
        | PatKind::Const(_)
        | PatKind::Range(..) => {}
        PatKind::Bind(local) => change.local(local),
        PatKind::Variant(_, fields) | PatKind::Record(fields) => {
            for (_, field) in fields {
                pat(field, change);
            }
        }
        PatKind::Or(many) | PatKind::List(many) => {
            for p in many {
                pat(p, change);
            }
        }
    }
}
