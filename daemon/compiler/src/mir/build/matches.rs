//! `match`: one switch on the outermost tag or value, then the arms that remain in order.
use std::collections::BTreeMap;

use super::super::body::{
    BlockId, Const, LocalId, Operand, Place, Projection, Rvalue, StatementKind, Terminator,
};
use super::super::tys::repr;
use super::super::walk::{is_place, may_change, root};
use super::assign::bound_locals;
use super::{Builder, usize_const};
use crate::lower::hir::BinaryOp;
use crate::types::thir::{Arm, Expr, Pat, PatKind};
use crate::types::{Ty, pick_data};

/// What a pattern needs before it matches for sure.
struct Tests {
    /// Where to go if a test fails.
    fail: BlockId,
    /// Bindings to make once all tests have passed.
    binds: Vec<(LocalId, Place)>,
}

impl Builder<'_> {
    pub(super) fn match_expr(&mut self, dest: Option<LocalId>, scrutinee: &Expr, arms: &[Arm]) {
        let ty = self.ty(&scrutinee.ty);
        let operand = self.operand(scrutinee);
        // A guard that changes what is matched must not change which arms are left.
        let guarded = root(scrutinee)
            .is_some_and(|l| arms.iter().any(|a| a.guard.as_ref().is_some_and(|g| may_change(g, l))));
        let operand = if guarded && is_place(scrutinee) { self.settle(operand, &ty) } else { operand };
        let owned = matches!(operand, Operand::Move(_));
        let subject = self.as_place(operand, &ty);
        let done = self.new_block();
        let bodies: Vec<BlockId> = arms.iter().map(|_| self.new_block()).collect();
        let rows: Vec<(usize, &Pat)> = arms.iter().enumerate().flat_map(|(i, a)| rows(&a.pat, i)).collect();
        let keyed: Vec<Option<i128>> = rows.iter().map(|(_, p)| key(p)).collect();
        let switches = keyed.iter().flatten().count() > 0
            && rows.iter().zip(&keyed).all(|((_, p), k)| k.is_some() || catches_all(p));
        if switches {
            self.switch_rows(&subject, &ty, arms, &rows, &keyed, &bodies);
        } else {
            self.try_rows(&subject, arms, &rows, &bodies);
        }
        for (arm, body) in arms.iter().zip(bodies) {
            self.current = body;
            if owned && self.needs_drop(&ty) {
                // The bindings are copies by now: let them be the only references.
                self.push(StatementKind::Drop(subject.clone()));
            }
            self.scoped(|b| {
                for local in bound_locals(&arm.pat) {
                    let id = b.user(local);
                    b.schedule(id);
                }
                b.block_into(&arm.body, dest);
            });
            self.terminate(Terminator::Goto(done));
        }
        self.current = done;
    }

    /// Switches on the tag or value, then tries in each case the rows that fit it.
    fn switch_rows(
        &mut self,
        subject: &Place,
        ty: &Ty,
        arms: &[Arm],
        rows: &[(usize, &Pat)],
        keyed: &[Option<i128>],
        bodies: &[BlockId],
    ) {
        let mut cases: BTreeMap<i128, BlockId> = BTreeMap::new();
        for &key in keyed.iter().flatten() {
            cases.entry(key).or_insert_with(|| self.new_block());
        }
        let other = self.new_block();
        let value = self.switched_value(subject, ty);
        self.terminate(Terminator::Switch(value, cases.iter().map(|(k, b)| (*k, *b)).collect(), other));
        for (case, block) in &cases {
            self.current = *block;
            let fitting: Vec<(usize, &Pat)> = rows
                .iter()
                .zip(keyed)
                .filter(|(_, k)| k.is_none_or(|k| k == *case))
                .map(|(row, _)| *row)
                .collect();
            self.try_rows_known(subject, arms, &fitting, bodies, true);
        }
        self.current = other;
        let rest: Vec<(usize, &Pat)> =
            rows.iter().zip(keyed).filter(|(_, k)| k.is_none()).map(|(row, _)| *row).collect();
        self.try_rows(subject, arms, &rest, bodies);
    }

    fn switched_value(&mut self, subject: &Place, ty: &Ty) -> Operand {
        match repr(ty) {
            Ty::Pick(..) => {
                Operand::Copy(Place::local(self.temp_with(Ty::USIZE, Rvalue::Tag(subject.clone()))))
            }
            Ty::Bool | Ty::Char => {
                let value = Rvalue::Cast(Operand::Copy(subject.clone()), Ty::USIZE);
                Operand::Copy(Place::local(self.temp_with(Ty::USIZE, value)))
            }
            _ => Operand::Copy(subject.clone()),
        }
    }

    fn try_rows(&mut self, subject: &Place, arms: &[Arm], rows: &[(usize, &Pat)], bodies: &[BlockId]) {
        self.try_rows_known(subject, arms, rows, bodies, false);
    }

    /// Tries rows in order; the checker made sure that one fits. `known`: the outermost tag or value was switched on.
    fn try_rows_known(
        &mut self,
        subject: &Place,
        arms: &[Arm],
        rows: &[(usize, &Pat)],
        bodies: &[BlockId],
        known: bool,
    ) {
        for &(index, pat) in rows {
            let Some(arm) = arms.get(index) else { continue };
            let next = self.new_block();
            let mut tests = Tests { fail: next, binds: Vec::new() };
            self.test(subject, pat, known, &mut tests);
            for (local, place) in &tests.binds {
                self.bind(*local, place);
            }
            if let Some(guard) = &arm.guard {
                let rejected = self.new_block();
                self.branch(guard, bodies[index], rejected);
                self.current = rejected;
                let bound: Vec<LocalId> = bound_locals(pat).into_iter().map(|l| self.user(l)).collect();
                self.drop_bound(&bound);
                self.terminate(Terminator::Goto(next));
            } else {
                self.terminate(Terminator::Goto(bodies[index]));
                if catches_all(pat) || (known && matches_known(pat)) {
                    self.current = next;
                    break;
                }
            }
            self.current = next;
        }
        self.terminate(Terminator::Unreachable);
    }

    fn drop_bound(&mut self, locals: &[LocalId]) {
        for &local in locals {
            if self.needs_drop(&self.locals[local.0 as usize].ty.clone()) {
                self.push(StatementKind::Drop(Place::local(local)));
            }
        }
    }

    fn bind(&mut self, local: LocalId, place: &Place) {
        let ty = self.locals[local.0 as usize].ty.clone();
        if self.has_value(&ty) {
            self.assign(local, Rvalue::Use(Operand::Copy(place.clone())));
        }
    }

    /// Binds a pattern that always matches.
    pub(super) fn destructure(&mut self, place: &Place, pat: &Pat) {
        let fail = self.new_block();
        let mut tests = Tests { fail, binds: Vec::new() };
        self.test(place, pat, false, &mut tests);
        for (local, place) in &tests.binds {
            self.bind(*local, place);
        }
    }

    /// Tests a pattern against a place; goes on in the current block if it matches.
    fn test(&mut self, place: &Place, pat: &Pat, known: bool, tests: &mut Tests) {
        let ty = repr(&self.ty(&pat.ty)).clone();
        match &pat.kind {
            PatKind::Wild => {}
            PatKind::Bind(local) => {
                let id = self.user(*local);
                tests.binds.push((id, place.clone()));
            }
            PatKind::Variant(variant, fields) => {
                let single =
                    matches!(&ty, Ty::Pick(item, _) if pick_data(self.db, *item).variants.len() == 1);
                if !known && !single {
                    let tag = self.temp_with(Ty::USIZE, Rvalue::Tag(place.clone()));
                    let found = self.new_block();
                    let case = vec![(i128::from(*variant), found)];
                    self.terminate(Terminator::Switch(Operand::Copy(Place::local(tag)), case, tests.fail));
                    self.current = found;
                }
                for (field, sub) in fields {
                    let step = Projection::Payload { variant: *variant, field: *field };
                    self.test(&place.then(step), sub, false, tests);
                }
            }
            PatKind::Record(fields) => {
                for (field, sub) in fields {
                    self.test(&place.then(Projection::Field(*field)), sub, false, tests);
                }
            }
            PatKind::Int(value) => {
                if !known {
                    let operand = Self::int_const(*value, ty);
                    self.test_compare(BinaryOp::Eq, place, operand, tests);
                }
            }
            PatKind::Float(bits) => {
                let operand = Operand::Const(Const::Float(*bits, ty));
                self.test_compare(BinaryOp::Eq, place, operand, tests);
            }
            PatKind::Str(text) => {
                self.test_equal(&ty, place, Operand::Const(Const::Str(text.clone())), tests)
            }
            PatKind::Const(item) => {
                let operand = Operand::Const(Const::Item(*item, ty.clone()));
                self.test_equal(&ty, place, operand, tests);
            }
            PatKind::Range(lo, hi) => {
                if let Some(lo) = lo {
                    self.test_compare(BinaryOp::Ge, place, Self::int_const(*lo, ty.clone()), tests);
                }
                if let Some(hi) = hi {
                    self.test_compare(BinaryOp::Le, place, Self::int_const(*hi, ty), tests);
                }
            }
            PatKind::Or(pats) => self.test_or(place, pats, pat, known, tests),
            PatKind::List(pats) => {
                let len = self.temp_with(Ty::USIZE, Rvalue::Len(place.clone()));
                self.test_compare(BinaryOp::Eq, &Place::local(len), usize_const(pats.len() as u64), tests);
                for (i, sub) in pats.iter().enumerate() {
                    let index = self.temp_with(Ty::USIZE, Rvalue::Use(usize_const(i as u64)));
                    self.test(&place.then(Projection::Index(index)), sub, false, tests);
                }
            }
        }
    }

    /// Alternatives below the outermost level. Those that bind do so at once; a later failure drops the bindings.
    fn test_or(&mut self, place: &Place, pats: &[Pat], whole: &Pat, known: bool, tests: &mut Tests) {
        let matched = self.new_block();
        for (i, pat) in pats.iter().enumerate() {
            let next = if i + 1 == pats.len() { tests.fail } else { self.new_block() };
            let mut inner = Tests { fail: next, binds: Vec::new() };
            self.test(place, pat, known && pats.len() == 1, &mut inner);
            for (local, place) in &inner.binds {
                self.bind(*local, place);
            }
            self.terminate(Terminator::Goto(matched));
            self.current = next;
        }
        self.current = matched;
        let bound: Vec<LocalId> = bound_locals(whole).into_iter().map(|l| self.user(l)).collect();
        if bound.iter().any(|l| self.needs_drop(&self.locals[l.0 as usize].ty)) {
            let release = self.new_block();
            self.current = release;
            self.drop_bound(&bound);
            self.terminate(Terminator::Goto(tests.fail));
            self.current = matched;
            tests.fail = release;
        }
    }

    fn test_compare(&mut self, op: BinaryOp, place: &Place, value: Operand, tests: &Tests) {
        let test = Rvalue::Compare(op, Operand::Copy(place.clone()), value);
        self.test_bool(test, tests);
    }

    fn test_equal(&mut self, ty: &Ty, place: &Place, value: Operand, tests: &Tests) {
        let test = self.equal(ty, Operand::Copy(place.clone()), value);
        self.test_bool(test, tests);
    }

    fn test_bool(&mut self, test: Rvalue, tests: &Tests) {
        let result = self.temp_with(Ty::Bool, test);
        let found = self.new_block();
        self.terminate(Terminator::Branch(Operand::Copy(Place::local(result)), found, tests.fail));
        self.current = found;
    }
}

/// A pattern as rows without alternatives at the outermost level.
fn rows(pat: &Pat, arm: usize) -> Vec<(usize, &Pat)> {
    match &pat.kind {
        PatKind::Or(pats) => pats.iter().flat_map(|p| rows(p, arm)).collect(),
        _ => vec![(arm, pat)],
    }
}

/// What a switch tells apart: variant or value.
fn key(pat: &Pat) -> Option<i128> {
    match pat.kind {
        PatKind::Variant(variant, _) => Some(i128::from(variant)),
        PatKind::Int(value) => Some(value),
        _ => None,
    }
}

fn catches_all(pat: &Pat) -> bool {
    matches!(pat.kind, PatKind::Wild | PatKind::Bind(_))
}

/// Whether a pattern matches for sure once its tag or value is known.
fn matches_known(pat: &Pat) -> bool {
    match &pat.kind {
        PatKind::Int(_) => true,
        PatKind::Variant(_, fields) => fields.iter().all(|(_, p)| catches_all(p)),
        _ => catches_all(pat),
    }
}
