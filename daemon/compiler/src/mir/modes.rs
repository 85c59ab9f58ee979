//! How each parameter of a proc is passed: the summary of a body that its callers see.
use std::sync::Arc;

use super::body::PassMode;
use super::tys::needs_drop;
use super::walk::{children, root};
use crate::base::Db;
use crate::lower::ItemId;
use crate::lower::hir::{BinaryOp, ParamMode};
use crate::mono::{Instance, InstanceKind, too_large};
use crate::types::thir::{Arg, Block, Callee, Expr, ExprKind, ForIter, LocalId, PatKind, Stmt};
use crate::types::traits::{dispatch, dyn_member};
use crate::types::{Intrinsic, Ty, check_body, proc_data};

/// Stack kept free below each step of a recursion over calls or expressions, and how much is added when it runs low.
pub(super) const RED_ZONE: usize = 128 * 1024;
/// See [`RED_ZONE`].
pub(super) const STACK_STEP: usize = 4 * 1024 * 1024;

/// How the parameters of an instance are passed.
///
/// Recursive procs are solved as a least fixed point from "the body only reads": a parameter moves to
/// [`PassMode::Own`] or [`PassMode::Place`] only because some body on the cycle says so.
#[salsa::tracked(returns(ref), cycle_initial = initial_modes)]
pub fn pass_modes(db: &dyn Db, instance: Instance) -> Arc<[PassMode]> {
    stacker::maybe_grow(RED_ZONE, STACK_STEP, || match instance.kind(db) {
        InstanceKind::Proc(item, args) => proc_modes(db, *item, args),
        InstanceKind::DynThunk(item, args, _) => {
            let data = proc_data(db, *item);
            let params = data.params.iter().skip(1).map(|p| value_mode(db, &p.ty.subst(args)));
            std::iter::once(PassMode::Borrow).chain(params).collect()
        }
        InstanceKind::Thunk(item, args) => {
            let data = proc_data(db, *item);
            let params = data.params.iter().map(|p| value_mode(db, &p.ty.subst(args)));
            std::iter::once(PassMode::Borrow).chain(params).collect()
        }
        InstanceKind::Lambda(item, args, index) => {
            let params =
                lambda_params(db, *item, *index).into_iter().map(|ty| value_mode(db, &ty.subst(args)));
            std::iter::once(PassMode::Borrow).chain(params).collect()
        }
        InstanceKind::Main(_) | InstanceKind::Tests(_) => Arc::new([PassMode::Own; 2]),
        InstanceKind::DropCycle(_) => Arc::new([PassMode::Own]),
        InstanceKind::Drop(_) | InstanceKind::Clone(_) => Arc::new([PassMode::Borrow]),
        InstanceKind::Hash(ty) => {
            Arc::new([if needs_drop(db, ty) { PassMode::Borrow } else { PassMode::Own }])
        }
        InstanceKind::Eq(_) => Arc::new([PassMode::Borrow; 2]),
    })
}

fn initial_modes(db: &dyn Db, _id: salsa::Id, instance: Instance) -> Arc<[PassMode]> {
    match instance.kind(db) {
        InstanceKind::Proc(item, args) if dyn_member(db, *item, args).is_some() => dyn_modes(db, *item, args),
        InstanceKind::Proc(item, args) => {
            let data = proc_data(db, *item);
            data.params.iter().map(|p| least_mode(db, p.mode, &p.ty.subst(args))).collect()
        }
        InstanceKind::Thunk(..)
        | InstanceKind::DynThunk(..)
        | InstanceKind::Lambda(..)
        | InstanceKind::Main(_)
        | InstanceKind::Tests(_)
        | InstanceKind::DropCycle(_)
        | InstanceKind::Drop(_)
        | InstanceKind::Clone(_)
        | InstanceKind::Eq(_)
        | InstanceKind::Hash(_) => Arc::new([]),
    }
}

/// The parameter types of a lambda, captures left out.
fn lambda_params(db: &dyn Db, item: ItemId, index: u32) -> Vec<Ty> {
    let checked = check_body(db, item);
    let Some(lambda) = checked.body.lambdas.get(index as usize) else { return Vec::new() };
    let own = lambda.captures..lambda.param_count;
    lambda.locals.get(own).unwrap_or_default().iter().map(|local| local.ty.clone()).collect()
}

/// How an argument of a procedure value is passed: forms by place, other refcounted values borrowed.
pub fn value_mode(db: &dyn Db, ty: &Ty) -> PassMode {
    match ty {
        Ty::Form(..) | Ty::Ref(true, _) => PassMode::Place,
        _ if needs_drop(db, ty) => PassMode::Borrow,
        _ => PassMode::Own,
    }
}

/// How an intrinsic takes its arguments.
pub fn intrinsic_modes(intrinsic: Intrinsic) -> &'static [PassMode] {
    match intrinsic {
        Intrinsic::SizeOf
        | Intrinsic::NeedsDrop
        | Intrinsic::TypeName
        | Intrinsic::ByteSize
        | Intrinsic::ByteAlign
        | Intrinsic::FieldOffset(_)
        | Intrinsic::ParameterValue
        | Intrinsic::State => &[],
        Intrinsic::Addr | Intrinsic::IsUnique | Intrinsic::Hash => &[PassMode::Borrow],
        Intrinsic::PlaceAddr => &[PassMode::Place],
        Intrinsic::Own
        | Intrinsic::Read
        | Intrinsic::CopyOut
        | Intrinsic::Forget
        | Intrinsic::F64Bits
        | Intrinsic::F64FromBits
        | Intrinsic::F32Bits
        | Intrinsic::F32FromBits => &[PassMode::Own],
        Intrinsic::Write => &[PassMode::Own, PassMode::Own],
    }
}

fn least_mode(db: &dyn Db, written: ParamMode, ty: &Ty) -> PassMode {
    match (written, ty) {
        (_, Ty::Ref(true, _)) => PassMode::Place,
        (ParamMode::Move, _) => PassMode::Own,
        _ if needs_drop(db, ty) => PassMode::Borrow,
        _ => PassMode::Own,
    }
}

/// How a method of a `dyn` value takes its arguments: the value is read, or changed through `ref mut`; which
/// proc runs is not known, so the others travel as those of a procedure value do.
fn dyn_modes(db: &dyn Db, item: ItemId, args: &[Ty]) -> Arc<[PassMode]> {
    let data = proc_data(db, item);
    let mode = |(index, ty): (usize, Ty)| match (index, &ty) {
        (0, Ty::Ref(true, _)) => PassMode::Place,
        (0, _) => PassMode::Borrow,
        _ => value_mode(db, &ty),
    };
    data.params.iter().map(|p| p.ty.subst(args)).enumerate().map(mode).collect()
}

fn proc_modes(db: &dyn Db, item: ItemId, args: &[Ty]) -> Arc<[PassMode]> {
    if dyn_member(db, item, args).is_some() {
        return dyn_modes(db, item, args);
    }
    let data = proc_data(db, item);
    let tys: Vec<Ty> = data.params.iter().map(|p| p.ty.subst(args)).collect();
    let mut modes: Vec<PassMode> =
        data.params.iter().zip(&tys).map(|(p, ty)| least_mode(db, p.mode, ty)).collect();
    if !data.has_body || modes.iter().all(|m| *m != PassMode::Borrow) || args.iter().any(too_large) {
        return modes.into();
    }
    let checked = check_body(db, item);
    let count = checked.body.param_count;
    let mut effects = Effects { db, args, consumed: vec![false; count], set: vec![false; count] };
    effects.block(&checked.body.block, false);
    for (i, (mode, ty)) in modes.iter_mut().zip(&tys).enumerate() {
        let flag = |flags: &[bool]| flags.get(i).copied().unwrap_or(false);
        let by_value_form = matches!(ty, Ty::Form(..));
        if *mode != PassMode::Borrow || matches!(ty, Ty::Ref(..)) {
            continue;
        }
        if by_value_form && flag(&effects.set) {
            *mode = PassMode::Place;
        } else if flag(&effects.consumed) || flag(&effects.set) {
            *mode = PassMode::Own;
        }
    }
    modes.into()
}

/// What a body does to its parameters.
struct Effects<'a> {
    db: &'a dyn Db,
    args: &'a [Ty],
    /// Moved, returned, stored or reassigned.
    consumed: Vec<bool>,
    /// Something below it is set, or its address handed out.
    set: Vec<bool>,
}

impl Effects<'_> {
    fn consume(&mut self, local: LocalId) {
        if let Some(flag) = self.consumed.get_mut(local.0 as usize) {
            *flag = true;
        }
    }

    fn set(&mut self, place: &Expr) {
        if let Some(flag) = root(place).and_then(|l| self.set.get_mut(l.0 as usize)) {
            *flag = true;
        }
    }

    fn block(&mut self, block: &Block, own: bool) {
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
        if let Some(tail) = &block.tail {
            self.expr(tail, own);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let { pat, init: Some(init), .. } => self.expr(init, matches!(pat.kind, PatKind::Bind(_))),
            Stmt::Let { init: None, .. } => {}
            Stmt::Expr(e) => self.expr(e, false),
            Stmt::Defer(block) => self.block(block, false),
        }
    }

    /// `own`: whether the value goes where it must be owned.
    fn expr(&mut self, expr: &Expr, own: bool) {
        stacker::maybe_grow(RED_ZONE, STACK_STEP, || self.expr_inner(expr, own));
    }

    fn expr_inner(&mut self, expr: &Expr, own: bool) {
        match &expr.kind {
            ExprKind::Local(local) => {
                if own {
                    self.consume(*local);
                }
            }
            ExprKind::Move(e) | ExprKind::Dyn { value: e, .. } => self.expr(e, true),
            ExprKind::Call { callee, args } => self.call(callee, args),
            ExprKind::Record { fields, base } => {
                fields.iter().for_each(|(_, e)| self.expr(e, true));
                base.iter().for_each(|e| self.expr(e, false));
            }
            ExprKind::Variant { fields: es, .. } | ExprKind::List(es) | ExprKind::Tuple(es) => {
                es.iter().for_each(|e| self.expr(e, true));
            }
            // `xs + [x]` grows `xs` in place if it is ours and not used again.
            ExprKind::Binary(BinaryOp::Add, l, r) => {
                self.expr(l, matches!(expr.ty, Ty::String | Ty::List(_)));
                self.expr(r, false);
            }
            ExprKind::Ref(false, e) => self.expr(e, own),
            ExprKind::Ref(true, e) => {
                self.set(e);
                self.expr(e, false);
            }
            ExprKind::Assign { place, value, .. } => {
                match &place.kind {
                    ExprKind::Local(local) => self.consume(*local),
                    _ => self.set(place),
                }
                self.expr(place, false);
                self.expr(value, true);
            }
            ExprKind::Give(Some(e)) | ExprKind::Break(Some(e)) => self.expr(e, true),
            ExprKind::If { cond, then, other } => {
                self.expr(cond, false);
                self.block(then, own);
                other.iter().for_each(|b| self.block(b, own));
            }
            ExprKind::Match { scrutinee, arms } => {
                self.expr(scrutinee, false);
                for arm in arms {
                    arm.guard.iter().for_each(|g| self.expr(g, false));
                    self.block(&arm.body, own);
                }
            }
            ExprKind::Block(block) => self.block(block, own),
            ExprKind::Loop(block) => self.block(block, false),
            ExprKind::While(cond, body) => {
                self.expr(cond, false);
                self.block(body, false);
            }
            ExprKind::For { iter, body, .. } => {
                match iter {
                    ForIter::Next { iter, .. } => {
                        self.set(iter);
                        self.expr(iter, false);
                    }
                    ForIter::List(e) | ForIter::Str(e) => self.expr(e, false),
                    ForIter::Range { lo, hi, .. } => {
                        self.expr(lo, false);
                        self.expr(hi, false);
                    }
                }
                self.block(body, false);
            }
            ExprKind::CFor { init, cond, step, body } => {
                self.stmt(init);
                self.expr(cond, false);
                self.expr(step, false);
                self.block(body, false);
            }
            ExprKind::Error
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Bytes(_)
            | ExprKind::Unit
            | ExprKind::Const(_)
            | ExprKind::Static(_)
            | ExprKind::ProcRef(..)
            | ExprKind::Lambda { .. }
            | ExprKind::Field(..)
            | ExprKind::Index(..)
            | ExprKind::StringIndex(..)
            | ExprKind::Deref(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::Logical { .. }
            | ExprKind::Cast(_)
            | ExprKind::Give(None)
            | ExprKind::Break(None)
            | ExprKind::Continue
            | ExprKind::Assert(..)
            | ExprKind::Panic(_)
            | ExprKind::Unreachable => {
                let mut below = Vec::new();
                children(expr, &mut |e| below.push(e));
                below.into_iter().for_each(|e| self.expr(e, false));
            }
        }
    }

    fn call(&mut self, callee: &Callee, args: &[Arg]) {
        let modes: Vec<PassMode> = match callee {
            Callee::Proc(item, tys) => {
                let tys: Vec<Ty> = tys.iter().map(|t| t.subst(self.args)).collect();
                let (item, tys) = dispatch(self.db, *item, &tys);
                pass_modes(self.db, Instance::new(self.db, InstanceKind::Proc(item, tys))).to_vec()
            }
            Callee::Intrinsic(intrinsic, _) => intrinsic_modes(*intrinsic).to_vec(),
            Callee::Value(value) => {
                self.expr(value, false);
                match value.ty.subst(self.args) {
                    Ty::Proc(params, _) => params.iter().map(|t| value_mode(self.db, t)).collect(),
                    _ => Vec::new(),
                }
            }
        };
        for arg in args {
            match modes.get(arg.param as usize).copied().unwrap_or(PassMode::Own) {
                PassMode::Own => self.expr(&arg.value, true),
                PassMode::Borrow => self.expr(&arg.value, false),
                PassMode::Place => {
                    self.set(&arg.value);
                    self.expr(&arg.value, false);
                }
            }
        }
    }
}
