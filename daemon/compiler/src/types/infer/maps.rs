//! Maps and sets: literals, indexing, membership. Their types are forms of the prelude.
use std::sync::Arc;

use super::super::thir::{Arm, Block, Callee, Expr, ExprKind, Pat, PatKind, Stmt};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::unify::Origin;
use super::{Checker, Expect, codes, expr};
use crate::base::Db;
use crate::lower::hir::{BinaryOp, ExprId};
use crate::lower::{ItemKind, NodeId};
use crate::types::core_item;

/// What a panic says when a map is indexed by a key that it does not have.
const NO_KEY: &str = "the map has no such key";

impl Checker<'_> {
    /// Key and value type of a map.
    pub(super) fn map_types(&self, ty: &Ty) -> Option<(Ty, Ty)> {
        match ty {
            Ty::Form(item, args) if core_item(self.db, ItemKind::Form, "map") == Some(*item) => {
                Some((args.first()?.clone(), args.get(1)?.clone()))
            }
            _ => None,
        }
    }

    /// Element type of a set.
    pub(super) fn set_type(&self, ty: &Ty) -> Option<Ty> {
        match ty {
            Ty::Form(item, args) if core_item(self.db, ItemKind::Form, "set") == Some(*item) => {
                args.first().cloned()
            }
            _ => None,
        }
    }

    /// A type of the prelude with these arguments.
    fn core_form(&self, name: &str, args: Vec<Ty>) -> Ty {
        core_item(self.db, ItemKind::Form, name).map_or(Ty::Error, |item| Ty::Form(item, args.into()))
    }

    fn expected_type(&self, expect: &Expect<'_>) -> Option<Ty> {
        let mut ty = self.table.shallow(expect.ty()?);
        while let Ty::Ref(_, inner) = ty {
            ty = self.table.shallow(&inner);
        }
        Some(ty)
    }

    /// `{ let m = map_new(); map_put(ref mut m, k, v) ...; m }`
    pub(super) fn map_literal(
        &mut self,
        node: NodeId,
        entries: &[(ExprId, ExprId)],
        expect: &Expect<'_>,
    ) -> Expr {
        let expected = self.expected_type(expect).and_then(|ty| self.map_types(&ty));
        let (key, value) = expected.unwrap_or_else(|| {
            (self.table.fresh(node, Origin::EmptyMap), self.table.fresh(node, Origin::EmptyMap))
        });
        let types = vec![key.clone(), value.clone()];
        let ty = self.core_form("map", types.clone());
        let start = self.core_call("map_new", types.clone(), Vec::new(), ty.clone(), node);
        let (mut stmts, map) = self.keep(start);
        for &(k, v) in entries {
            let at = self.hir_expr(k).node;
            let k = self.check(k, &key, &Reason::Element);
            let v = self.check(v, &value, &Reason::Element);
            let place = self.mutable(map.clone());
            let put = self.core_call("map_put", types.clone(), vec![place, k, v], Ty::Unit, at);
            stmts.push(Stmt::Expr(put));
        }
        let block = Block { node, stmts, tail: Some(Box::new(map)) };
        expr(ty, node, ExprKind::Block(block))
    }

    pub(super) fn set_literal(&mut self, node: NodeId, items: &[ExprId], expect: &Expect<'_>) -> Expr {
        let expected = self.expected_type(expect).and_then(|ty| self.set_type(&ty));
        let element = expected.unwrap_or_else(|| self.table.fresh(node, Origin::EmptyMap));
        let types = vec![element.clone()];
        let ty = self.core_form("set", types.clone());
        let start = self.core_call("set_new", types.clone(), Vec::new(), ty.clone(), node);
        let (mut stmts, set) = self.keep(start);
        for &item in items {
            let at = self.hir_expr(item).node;
            let item = self.check(item, &element, &Reason::Element);
            let place = self.mutable(set.clone());
            let add = self.core_call("set_add", types.clone(), vec![place, item], Ty::Unit, at);
            stmts.push(Stmt::Expr(add));
        }
        let block = Block { node, stmts, tail: Some(Box::new(set)) };
        expr(ty, node, ExprKind::Block(block))
    }

    fn mutable(&self, place: Expr) -> Expr {
        let (node, ty) = (place.node, Ty::Ref(true, Arc::new(place.ty.clone())));
        expr(ty, node, ExprKind::Ref(true, Box::new(place)))
    }

    /// `m[k]` as a value: panics if there is no such key.
    pub(super) fn map_index(&mut self, node: NodeId, map: Expr, key: ExprId, types: (Ty, Ty)) -> Expr {
        let (key_ty, value_ty) = types;
        let key = self.check(key, &key_ty, &Reason::Index);
        let option = self.option_of(value_ty.clone());
        let types = vec![key_ty, value_ty.clone()];
        let found = self.core_call("map_get", types, vec![map, key], option.clone(), node);
        let local = self.temporary(node, value_ty.clone());
        let bind = Pat { ty: value_ty.clone(), node, kind: PatKind::Bind(local) };
        let some = Pat { ty: option.clone(), node, kind: PatKind::Variant(0, vec![(0, bind)]) };
        let none = Pat { ty: option, node, kind: PatKind::Wild };
        let value = self.local_expr(local, node);
        let block = |tail: Expr| Block { node, stmts: Vec::new(), tail: Some(Box::new(tail)) };
        let text = expr(Ty::String, node, ExprKind::Str(NO_KEY.into()));
        let panic = expr(Ty::Never, node, ExprKind::Panic(Box::new(text)));
        let arms = vec![
            Arm { pat: some, guard: None, body: block(value) },
            Arm { pat: none, guard: None, body: block(panic) },
        ];
        expr(value_ty, node, ExprKind::Match { scrutinee: Box::new(found), arms })
    }

    /// Turns `m[k]` at the start of a place that is about to change into the place of that value, and gives what
    /// must come before: the key is evaluated once and must be there.
    pub(super) fn map_place(&mut self, place: &mut Expr) -> Result<Vec<Stmt>, ()> {
        let mut at = place;
        while matches!(at.kind, ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Deref(_)) {
            let (ExprKind::Field(base, _) | ExprKind::Index(base, _) | ExprKind::Deref(base)) = &mut at.kind
            else {
                return Ok(Vec::new());
            };
            at = base;
        }
        let Some((mut map, key, types)) = map_read(self.db, at) else { return Ok(Vec::new()) };
        let node = at.node;
        let mut stmts = self.map_place(&mut map)?;
        if !self.is_place(&map) {
            let diagnostic = self
                .error(
                    codes::NOT_A_PLACE,
                    map.node,
                    "this map is a value, not a place",
                    "what is set in it would be lost",
                )
                .note("only maps in variables, fields and elements can be changed")
                .help("keep the map in a local with `let` first");
            self.report(diagnostic);
            return Err(());
        }
        if !self.may_change(&map, node) {
            return Err(());
        }
        let (more, key) = self.keep(key);
        stmts.extend(more);
        let there =
            self.core_call("map_contains", types.clone(), vec![map.clone(), key.clone()], Ty::Bool, node);
        let text = expr(Ty::String, node, ExprKind::Str(NO_KEY.into()));
        let assert = ExprKind::Assert(Box::new(there), Some(Box::new(text)));
        stmts.push(Stmt::Expr(expr(Ty::Unit, node, assert)));
        let value = types.get(1).cloned().unwrap_or(Ty::Error);
        let address = Ty::Ref(true, Arc::new(value.clone()));
        let map = self.mutable(map);
        let slot = self.core_call("map_slot", types, vec![map, key], address, node);
        *at = expr(value, node, ExprKind::Deref(Box::new(slot)));
        Ok(stmts)
    }

    /// `set m[k] = v`; `None` if the place is no entry of a map.
    pub(super) fn map_assign(
        &mut self,
        node: NodeId,
        target: &Expr,
        op: Option<BinaryOp>,
        value: ExprId,
    ) -> Option<Expr> {
        let (mut map, key, types) = map_read(self.db, target).filter(|_| op.is_none())?;
        let value_ty = types.get(1).cloned().unwrap_or(Ty::Error);
        let Ok(mut stmts) = self.map_place(&mut map) else { return Some(self.poison(node)) };
        if !self.is_place(&map) || !self.may_change(&map, node) {
            if !self.is_place(&map) {
                self.not_a_place(&map);
            }
            self.infer(value, &Expect::Value);
            return Some(self.poison(node));
        }
        let reason = Reason::Assigned { place: target.node, root: None };
        let value = self.check(value, &value_ty, &reason);
        let map = self.mutable(map);
        let put = self.core_call("map_put", types, vec![map, key, value], Ty::Unit, node);
        stmts.push(Stmt::Expr(put));
        Some(expr(Ty::Unit, node, ExprKind::Block(Block { node, stmts, tail: None })))
    }
}

/// The map, the key and the type arguments of what [`Checker::map_index`] made.
fn map_read(db: &dyn Db, e: &Expr) -> Option<(Expr, Expr, Vec<Ty>)> {
    let ExprKind::Match { scrutinee, arms } = &e.kind else { return None };
    let panics = matches!(arms.last()?.body.tail.as_deref()?.kind, ExprKind::Panic(_));
    let ExprKind::Call { callee: Callee::Proc(item, types), args } = &scrutinee.kind else { return None };
    let [map, key] = args.as_slice() else { return None };
    let is_read = panics && core_item(db, ItemKind::Proc, "map_get") == Some(*item);
    is_read.then(|| (map.value.clone(), key.value.clone(), types.clone()))
}
