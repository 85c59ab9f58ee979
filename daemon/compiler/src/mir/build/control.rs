//! Control flow: blocks, conditions, loops, leaving.
use super::super::body::{
    BlockId, Const, LocalId, Operand, Place, Projection, Rvalue, StatementKind, Terminator,
};
use super::super::modes::{RED_ZONE, STACK_STEP};
use super::super::tys::repr;
use super::super::walk::{is_place, root};
use super::{AtExit, Builder, LoopFrame, Returned, usize_const};
use crate::lower::hir::{BinaryOp, UnaryOp};
use crate::mono::{Instance, InstanceKind};
use crate::types::thir::{self, Block, Expr, ExprKind, ForIter, Pat, Stmt};
use crate::types::{IntTy, Ty};

impl Builder<'_> {
    /// Lowers a block; its value goes to `dest`.
    pub(super) fn block_into(&mut self, block: &Block, dest: Option<LocalId>) {
        self.scoped(|b| {
            for stmt in &block.stmts {
                b.stmt(stmt);
            }
            if let Some(tail) = &block.tail {
                let ty = b.ty(&tail.ty);
                match dest.filter(|_| b.has_value(&ty)) {
                    Some(dest) => b.scoped(|b| b.into(Some(dest), tail)),
                    None => b.effect(tail),
                }
            }
        });
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let { node, pat, init } => {
                self.node = *node;
                self.let_stmt(pat, init.as_ref());
            }
            Stmt::Expr(expr) => {
                self.node = expr.node;
                self.effect(expr);
            }
            Stmt::Defer(block) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.push(AtExit::Run(block.clone()));
                }
            }
        }
    }

    /// Expressions that are control flow.
    pub(super) fn control(&mut self, dest: Option<LocalId>, expr: &Expr) {
        match &expr.kind {
            ExprKind::Logical { .. } => {
                let (yes, no, done) = (self.new_block(), self.new_block(), self.new_block());
                self.branch(expr, yes, no);
                for (block, value) in [(yes, 1), (no, 0)] {
                    self.current = block;
                    if let Some(dest) = dest {
                        self.assign(dest, Rvalue::Use(Self::int_const(value, Ty::Bool)));
                    }
                    self.terminate(Terminator::Goto(done));
                }
                self.current = done;
            }
            ExprKind::If { cond, then, other } => self.if_expr(dest, cond, then, other.as_ref()),
            ExprKind::Match { scrutinee, arms } => self.match_expr(dest, scrutinee, arms),
            ExprKind::Block(block) => self.block_into(block, dest),
            ExprKind::While(cond, body) => {
                let (head, inside, exit) = (self.new_block(), self.new_block(), self.new_block());
                self.goto_and_open(head);
                self.branch(cond, inside, exit);
                self.current = inside;
                self.loop_body(body, head, exit, None);
                self.terminate(Terminator::Goto(head));
                self.current = exit;
            }
            ExprKind::Loop(body) => {
                let (head, exit) = (self.new_block(), self.new_block());
                self.goto_and_open(head);
                self.loop_body(body, head, exit, dest);
                self.terminate(Terminator::Goto(head));
                self.current = exit;
            }
            ExprKind::For { pat, iter, body } => self.scoped(|b| b.for_loop(pat, iter, body)),
            ExprKind::CFor { init, cond, step, body } => self.scoped(|b| {
                b.stmt(init);
                let (head, inside, next, exit) = (b.new_block(), b.new_block(), b.new_block(), b.new_block());
                b.goto_and_open(head);
                b.branch(cond, inside, exit);
                b.current = inside;
                b.loop_body(body, next, exit, None);
                b.goto_and_open(next);
                b.effect(step);
                b.terminate(Terminator::Goto(head));
                b.current = exit;
            }),
            ExprKind::Give(value) => self.give(value.as_deref()),
            ExprKind::Break(value) => {
                let Some(frame) = self.loops.last() else {
                    return self.terminate(Terminator::Unreachable);
                };
                let (depth, exit, dest) = (frame.depth, frame.exit, frame.dest);
                if let Some(value) = value {
                    match dest {
                        Some(dest) => self.scoped(|b| b.into(Some(dest), value)),
                        None => self.effect(value),
                    }
                }
                self.leave_scopes(depth);
                self.terminate(Terminator::Goto(exit));
            }
            ExprKind::Continue => {
                let Some(frame) = self.loops.last() else {
                    return self.terminate(Terminator::Unreachable);
                };
                let (depth, next) = (frame.depth, frame.next);
                self.leave_scopes(depth);
                self.terminate(Terminator::Goto(next));
            }
            _ => {}
        }
    }

    fn loop_body(&mut self, body: &Block, next: BlockId, exit: BlockId, dest: Option<LocalId>) {
        let depth = self.scopes.len();
        self.loops.push(LoopFrame { depth, exit, next, dest });
        self.block_into(body, None);
        self.loops.pop();
    }

    fn give(&mut self, value: Option<&Expr>) {
        let ret = self.ret.clone();
        let operand = match value {
            Some(value) if self.has_value(&ret) => {
                self.note_return(value);
                let result = self.new_local(ret.clone(), None, value.node);
                self.scoped(|b| {
                    let held = b.temp(ret);
                    b.into(Some(held), value);
                    b.assign(result, Rvalue::Use(Operand::Copy(Place::local(held))));
                });
                Some(Operand::Move(Place::local(result)))
            }
            Some(value) => {
                self.effect(value);
                None
            }
            None if matches!(ret, Ty::Int(_)) => Some(Self::int_const(0, ret)),
            None => None,
        };
        self.leave_scopes(0);
        self.terminate(Terminator::Return(operand));
    }

    /// References among what is returned.
    fn note_return(&mut self, value: &Expr) {
        match &value.kind {
            ExprKind::Ref(_, place) => {
                if let Some(path) = self.expr_path(place)
                    && !path.steps.contains(&super::PathStep::Deref)
                {
                    let local = path.root;
                    self.facts.returned.push(Returned { local, holder: false, node: value.node });
                }
            }
            ExprKind::Local(local) if matches!(value.ty, Ty::Ref(..)) => {
                let local = self.user(*local);
                self.facts.returned.push(Returned { local, holder: true, node: value.node });
            }
            _ => {}
        }
    }

    fn if_expr(&mut self, dest: Option<LocalId>, cond: &Expr, then: &Block, other: Option<&Block>) {
        if let Some(known) = self.known_condition(cond) {
            match (known, other) {
                (true, _) => self.block_into(then, dest),
                (false, Some(other)) => self.block_into(other, dest),
                (false, None) => {}
            }
            return;
        }
        let (yes, no, done) = (self.new_block(), self.new_block(), self.new_block());
        self.branch(cond, yes, no);
        self.current = yes;
        self.block_into(then, dest);
        self.terminate(Terminator::Goto(done));
        self.current = no;
        if let Some(other) = other {
            self.block_into(other, dest);
        }
        self.goto_and_open(done);
    }

    /// Conditions on type arguments in the prelude: only the branch that applies is lowered, so that the other
    /// needs no instances.
    fn known_condition(&self, cond: &Expr) -> Option<bool> {
        match &cond.kind {
            ExprKind::Unary(UnaryOp::Not, inner) => self.known_condition(inner).map(|v| !v),
            ExprKind::Call { callee: thir::Callee::Intrinsic(intrinsic, tys), .. } => {
                let tys: Vec<Ty> = tys.iter().map(|t| self.ty(t)).collect();
                match self.known_intrinsic(*intrinsic, &tys) {
                    Some(Const::Int(v, _)) => Some(v != 0),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Goes to `yes` if the condition holds, else to `no`. Short-circuit: what decides is all that is evaluated.
    pub(super) fn branch(&mut self, cond: &Expr, yes: BlockId, no: BlockId) {
        stacker::maybe_grow(RED_ZONE, STACK_STEP, || match &cond.kind {
            ExprKind::Logical { or, lhs, rhs } => {
                let right = self.new_block();
                if *or {
                    self.branch(lhs, yes, right);
                } else {
                    self.branch(lhs, right, no);
                }
                self.current = right;
                self.branch(rhs, yes, no);
            }
            ExprKind::Unary(UnaryOp::Not, inner) => self.branch(inner, no, yes),
            _ => {
                let value = self.new_local(Ty::Bool, None, cond.node);
                self.scoped(|b| b.into(Some(value), cond));
                self.node = cond.node;
                self.terminate(Terminator::Branch(Operand::Copy(Place::local(value)), yes, no));
            }
        });
    }

    fn for_loop(&mut self, pat: &Pat, iter: &ForIter, body: &Block) {
        match iter {
            ForIter::List(list) => self.for_list(pat, list, body),
            ForIter::Str(text) => self.for_str(pat, text, body),
            ForIter::Range { lo, hi, inclusive } => self.for_range(pat, lo, hi, *inclusive, body),
            ForIter::Next { iter, next } => self.for_next(pat, iter, next, body),
        }
    }

    /// A reference of our own to the subject: the loop sees it as it was at the start.
    fn snapshot(&mut self, subject: &Expr) -> (Place, Ty) {
        let ty = repr(&self.ty(&subject.ty)).clone();
        let held = self.temp(ty.clone());
        self.scoped(|b| b.into(Some(held), subject));
        (Place::local(held), ty)
    }

    /// Counts a `usize` from 0 while it is below the length of the place. Opens the body's block.
    fn count_to_len(&mut self, subject: &Place) -> (LocalId, BlockId, BlockId) {
        let at = self.temp_with(Ty::USIZE, Rvalue::Use(usize_const(0)));
        let len = self.temp_with(Ty::USIZE, Rvalue::Len(subject.clone()));
        let (head, inside, exit) = (self.new_block(), self.new_block(), self.new_block());
        self.goto_and_open(head);
        let more =
            Rvalue::Compare(BinaryOp::Lt, Operand::Copy(Place::local(at)), Operand::Copy(Place::local(len)));
        let more = self.temp_with(Ty::Bool, more);
        self.terminate(Terminator::Branch(Operand::Copy(Place::local(more)), inside, exit));
        self.current = inside;
        (at, head, exit)
    }

    fn advance(&mut self, at: LocalId, by: Operand) {
        self.assign(at, Rvalue::Binary(BinaryOp::Add, Operand::Copy(Place::local(at)), by));
    }

    fn for_list(&mut self, pat: &Pat, list: &Expr, body: &Block) {
        let (subject, _) = self.snapshot(list);
        let (at, head, exit) = self.count_to_len(&subject);
        let index = self.temp_with(Ty::USIZE, Rvalue::Use(Operand::Copy(Place::local(at))));
        self.advance(at, usize_const(1));
        let element = subject.then(Projection::Index(index));
        self.round(pat, &element, body, head, exit);
        self.terminate(Terminator::Goto(head));
        self.current = exit;
    }

    /// Binds the round's value and runs the body, in a scope of their own.
    fn round(&mut self, pat: &Pat, value: &Place, body: &Block, next: BlockId, exit: BlockId) {
        let depth = self.scopes.len();
        self.scoped(|b| {
            for local in super::assign::bound_locals(pat) {
                let id = b.user(local);
                b.schedule(id);
            }
            b.destructure(value, pat);
            b.loops.push(LoopFrame { depth, exit, next, dest: None });
            b.block_into(body, None);
            b.loops.pop();
        });
    }

    fn for_str(&mut self, pat: &Pat, text: &Expr, body: &Block) {
        let (subject, _) = self.snapshot(text);
        let (at, head, exit) = self.count_to_len(&subject);
        let wide = Ty::Int(IntTy::U64);
        let step = self.temp(wide.clone());
        let args = vec![Operand::Copy(subject), Operand::Copy(Place::local(at))];
        self.call_core("string_next_char", Vec::new(), args, Some(step));
        let step = Operand::Copy(Place::local(step));
        let shift = Self::int_const(32, wide.clone());
        let width = self.temp_with(wide.clone(), Rvalue::Binary(BinaryOp::Shr, step.clone(), shift));
        let width = self.temp_with(Ty::USIZE, Rvalue::Cast(Operand::Copy(Place::local(width)), Ty::USIZE));
        self.advance(at, Operand::Copy(Place::local(width)));
        let mask = Self::int_const(0xFFFF_FFFF, wide.clone());
        let scalar = self.temp_with(wide, Rvalue::Binary(BinaryOp::BitAnd, step, mask));
        let scalar = self.temp_with(Ty::Char, Rvalue::Cast(Operand::Copy(Place::local(scalar)), Ty::Char));
        self.round(pat, &Place::local(scalar), body, head, exit);
        self.terminate(Terminator::Goto(head));
        self.current = exit;
    }

    fn for_range(&mut self, pat: &Pat, lo: &Expr, hi: &Expr, inclusive: bool, body: &Block) {
        let ty = repr(&self.ty(&lo.ty)).clone();
        let at = self.temp(ty.clone());
        let end = self.temp(ty.clone());
        self.scoped(|b| b.into(Some(at), lo));
        self.scoped(|b| b.into(Some(end), hi));
        let (at_op, end_op) = (Operand::Copy(Place::local(at)), Operand::Copy(Place::local(end)));
        let (head, inside, next, exit) =
            (self.new_block(), self.new_block(), self.new_block(), self.new_block());
        self.goto_and_open(head);
        let op = if inclusive { BinaryOp::Le } else { BinaryOp::Lt };
        let more = self.temp_with(Ty::Bool, Rvalue::Compare(op, at_op.clone(), end_op.clone()));
        self.terminate(Terminator::Branch(Operand::Copy(Place::local(more)), inside, exit));
        self.current = inside;
        let value = self.temp_with(ty.clone(), Rvalue::Use(at_op.clone()));
        self.round(pat, &Place::local(value), body, next, exit);
        self.goto_and_open(next);
        if inclusive {
            // Before the step, so that a range that ends at the type's last value ends.
            let last = self.temp_with(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, at_op, end_op));
            let step = self.new_block();
            self.terminate(Terminator::Branch(Operand::Copy(Place::local(last)), exit, step));
            self.current = step;
        }
        self.advance(at, Self::int_const(1, ty));
        self.terminate(Terminator::Goto(head));
        self.current = exit;
    }

    fn for_next(&mut self, pat: &Pat, iter: &Expr, next: &(crate::lower::ItemId, Vec<Ty>), body: &Block) {
        let target = match &iter.kind {
            ExprKind::Ref(true, inner) => inner,
            _ => iter,
        };
        let pending = if is_place(target) && root(target).is_some() {
            self.pend(target)
        } else {
            let held = self.snapshot(target).0.local;
            super::place::Pending::of_local(held)
        };
        let tys: Vec<Ty> = next.1.iter().map(|t| self.ty(t)).collect();
        let (item, tys) = crate::types::traits::dispatch(self.db, next.0, &tys);
        let data = crate::types::proc_data(self.db, item);
        let option = data.ret.subst(&tys);
        let instance = Instance::new(self.db, InstanceKind::Proc(item, tys));
        let mode = super::super::modes::pass_modes(self.db, instance).first().copied();
        let (head, exit) = (self.new_block(), self.new_block());
        self.goto_and_open(head);
        let depth = self.scopes.len();
        self.scoped(|b| {
            let place = b.check_place(&pending);
            let item = b.temp(option.clone());
            // The iterator may be held in a `ref mut` local: then that is its address.
            let ty = b.place_ty(&place);
            let is_address = matches!(ty, Ty::Ref(true, _));
            let argument = match mode {
                Some(super::super::PassMode::Own | super::super::PassMode::Borrow) => {
                    // A `next` that changes nothing.
                    let value = if is_address { place.then(Projection::Deref) } else { place };
                    let held = b.place_ty(&value);
                    let held = b.temp_with(held, Rvalue::Use(Operand::Copy(value)));
                    super::in_mode(
                        Operand::Copy(Place::local(held)),
                        mode.unwrap_or(super::super::PassMode::Own),
                    )
                }
                Some(super::super::PassMode::Place) | None if is_address => {
                    Operand::Copy(Place::local(b.temp_with(ty, Rvalue::Use(Operand::Copy(place)))))
                }
                Some(super::super::PassMode::Place) | None => Operand::Copy(Place::local(b.address(&place))),
            };
            b.call_instance(instance, vec![argument], Some(item));
            let tag = b.temp_with(Ty::USIZE, Rvalue::Tag(Place::local(item)));
            let (some, none) = (b.new_block(), b.new_block());
            b.terminate(Terminator::Switch(Operand::Copy(Place::local(tag)), vec![(0, some)], none));
            b.current = none;
            b.leave_scopes(depth);
            b.terminate(Terminator::Goto(exit));
            b.current = some;
            let payload = Projection::Payload { variant: 0, field: 0 };
            let value = Place::local(item).then(payload);
            let depth = b.scopes.len() - 1;
            b.scoped(|b| {
                for local in super::assign::bound_locals(pat) {
                    let id = b.user(local);
                    b.schedule(id);
                }
                b.destructure(&value, pat);
                b.push(StatementKind::Drop(Place::local(item)));
                b.loops.push(LoopFrame { depth, exit, next: head, dest: None });
                b.block_into(body, None);
                b.loops.pop();
            });
        });
        self.terminate(Terminator::Goto(head));
        self.current = exit;
    }
}
