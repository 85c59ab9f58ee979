//! Questions asked of THIR expressions before they are lowered.
use crate::types::Ty;
use crate::types::thir::{Block, Callee, Expr, ExprKind, ForIter, LocalId, Stmt};

/// Calls `f` on every direct subexpression, those inside blocks included, in order of evaluation.
pub fn children<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Error
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Str(_)
        | ExprKind::Bytes(_)
        | ExprKind::Unit
        | ExprKind::Local(_)
        | ExprKind::Const(_)
        | ExprKind::Static(_)
        | ExprKind::ProcRef(..)
        | ExprKind::Lambda { .. }
        | ExprKind::Continue
        | ExprKind::Unreachable
        | ExprKind::Give(None)
        | ExprKind::Break(None) => {}
        ExprKind::Call { callee, args } => {
            if let Callee::Value(value) = callee {
                f(value);
            }
            args.iter().for_each(|a| f(&a.value));
        }
        ExprKind::Record { fields, base } => {
            fields.iter().for_each(|(_, e)| f(e));
            base.iter().for_each(|e| f(e));
        }
        ExprKind::Variant { fields: es, .. } | ExprKind::List(es) | ExprKind::Tuple(es) => {
            es.iter().for_each(f);
        }
        ExprKind::Field(e, _)
        | ExprKind::Deref(e)
        | ExprKind::Ref(_, e)
        | ExprKind::Move(e)
        | ExprKind::Unary(_, e)
        | ExprKind::Cast(e)
        | ExprKind::Give(Some(e))
        | ExprKind::Break(Some(e))
        | ExprKind::Dyn { value: e, .. }
        | ExprKind::Panic(e) => f(e),
        ExprKind::Index(a, b)
        | ExprKind::StringIndex(a, b)
        | ExprKind::Binary(_, a, b)
        | ExprKind::Compare(_, a, b)
        | ExprKind::Logical { lhs: a, rhs: b, .. }
        | ExprKind::Assign { place: a, value: b, .. } => {
            f(a);
            f(b);
        }
        ExprKind::If { cond, then, other } => {
            f(cond);
            block_children(then, f);
            other.iter().for_each(|b| block_children(b, f));
        }
        ExprKind::Match { scrutinee, arms } => {
            f(scrutinee);
            for arm in arms {
                arm.guard.iter().for_each(&mut *f);
                block_children(&arm.body, f);
            }
        }
        ExprKind::Block(block) | ExprKind::Loop(block) => block_children(block, f),
        ExprKind::While(cond, body) => {
            f(cond);
            block_children(body, f);
        }
        ExprKind::For { iter, body, .. } => {
            match iter {
                ForIter::List(e) | ForIter::Str(e) | ForIter::Next { iter: e, .. } => f(e),
                ForIter::Range { lo, hi, .. } => {
                    f(lo);
                    f(hi);
                }
            }
            block_children(body, f);
        }
        ExprKind::CFor { init, cond, step, body } => {
            stmt_children(init, f);
            f(cond);
            f(step);
            block_children(body, f);
        }
        ExprKind::Assert(cond, message) => {
            f(cond);
            message.iter().for_each(|e| f(e));
        }
    }
}

/// The expressions of a block, in order.
pub fn block_children<'e>(block: &'e Block, f: &mut dyn FnMut(&'e Expr)) {
    block.stmts.iter().for_each(|s| stmt_children(s, f));
    block.tail.iter().for_each(|e| f(e));
}

fn stmt_children<'e>(stmt: &'e Stmt, f: &mut dyn FnMut(&'e Expr)) {
    match stmt {
        Stmt::Let { init, .. } => init.iter().for_each(f),
        Stmt::Expr(e) => f(e),
        Stmt::Defer(block) => block_children(block, f),
    }
}

/// Whether `test` holds for the expression or one below it.
pub fn any(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    let mut work = vec![expr];
    while let Some(e) = work.pop() {
        if test(e) {
            return true;
        }
        children(e, &mut |c| work.push(c));
    }
    false
}

/// The local a place starts at; `None` if it starts at a computed value.
pub fn root(expr: &Expr) -> Option<LocalId> {
    let mut expr = expr;
    loop {
        expr = match &expr.kind {
            ExprKind::Local(local) => return Some(*local),
            ExprKind::Field(e, _)
            | ExprKind::Index(e, _)
            | ExprKind::Deref(e)
            | ExprKind::Ref(_, e)
            | ExprKind::Move(e) => e,
            _ => return None,
        };
    }
}

/// Whether reading the expression reads a place (and makes no new value). `ref p` is one: a `ref T` is a `T`.
pub fn is_place(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Local(_) | ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Deref(_) => true,
        ExprKind::Ref(false, e) => is_place(e),
        _ => false,
    }
}

/// Whether an argument may let the callee change the place it names: `ref mut`, or a form by value (§8.3).
fn may_hand_out(value: &Expr) -> bool {
    matches!(value.ty, Ty::Ref(true, _) | Ty::Form(..) | Ty::Param(..))
}

/// Whether evaluating `expr` may change what is reachable from `local`.
pub fn may_change(expr: &Expr, local: LocalId) -> bool {
    any(expr, &|e| match &e.kind {
        ExprKind::Assign { place, .. } => root(place) == Some(local),
        ExprKind::Ref(true, place) => root(place) == Some(local),
        ExprKind::Call { args, .. } => {
            args.iter().any(|a| root(&a.value) == Some(local) && may_hand_out(&a.value))
        }
        ExprKind::For { iter: ForIter::Next { iter, .. }, .. } => root(iter) == Some(local),
        _ => false,
    })
}

/// Whether two expressions name the same place for sure: same root, same fields, indices that are equal
/// locals or literals.
pub fn same_place(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Local(x), ExprKind::Local(y)) => x == y,
        (ExprKind::Field(x, i), ExprKind::Field(y, j)) => i == j && same_place(x, y),
        (ExprKind::Deref(x), ExprKind::Deref(y)) => same_place(x, y),
        (ExprKind::Index(x, i), ExprKind::Index(y, j)) => same_place(x, y) && same_index(i, j),
        _ => false,
    }
}

fn same_index(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Int(x), ExprKind::Int(y)) => x == y,
        (ExprKind::Cast(x), ExprKind::Cast(y)) => a.ty == b.ty && same_index(x, y),
        _ => same_place(a, b),
    }
}
