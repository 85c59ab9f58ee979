//! Places: indexing, slices, references, assignment.
use std::sync::Arc;

use super::super::thir::{Expr, ExprKind};
use super::super::ty::{IntTy, Ty};
use super::coerce::{Reason, deref};
use super::{Checker, Expect, codes, expr, names};
use crate::base::{Name, Place};
use crate::lower::hir::{BinaryOp, ExprId, ExprKind as Hir, Ident};
use crate::lower::{ItemId, NodeId};
use crate::types::const_ty;

impl Checker<'_> {
    pub(super) fn index(&mut self, node: NodeId, base: ExprId, index: ExprId) -> Expr {
        let base = self.check_value(base, &Expect::Value);
        if let Some(types) = self.map_types(&base.ty) {
            return self.map_index(node, base, index, types);
        }
        let index = self.check_value(index, &Expect::Value);
        let index = self.integer(index);
        let ty = self.known(&base.ty);
        match &ty {
            Ty::List(element) => {
                let element = element.as_ref().clone();
                expr(element, node, ExprKind::Index(Box::new(base), Box::new(index)))
            }
            Ty::String => expr(Ty::Char, node, ExprKind::StringIndex(Box::new(base), Box::new(index))),
            Ty::Bytes => {
                let byte = expr(Ty::Char, node, ExprKind::StringIndex(Box::new(base), Box::new(index)));
                expr(Ty::Int(IntTy::U8), node, ExprKind::Cast(Box::new(byte)))
            }
            Ty::Error | Ty::Never => self.poison(node),
            _ => {
                let shown = self.show(&ty);
                let diagnostic = self.not_indexable(base.node, &shown);
                let diagnostic = match ty {
                    Ty::Tuple(_) => diagnostic.help("elements of a tuple are read as `.0`, `.1`"),
                    Ty::Form(..) => diagnostic.help("read a field: `value.field`"),
                    _ => diagnostic.help("index a list or a string"),
                };
                self.fail(diagnostic, node)
            }
        }
    }

    fn not_indexable(&self, node: NodeId, shown: &str) -> crate::base::Diagnostic {
        self.error(
            codes::NOT_INDEXABLE,
            node,
            format!("`{shown}` has no elements to index"),
            format!("this is `{shown}`"),
        )
        .note("lists and strings have elements")
    }

    /// An index: any integer type.
    fn integer(&mut self, value: Expr) -> Expr {
        match self.known(&value.ty) {
            Ty::Int(_) | Ty::Error | Ty::Never => value,
            _ => self.mismatch(&Ty::INT, &value, &Reason::Index),
        }
    }

    pub(super) fn slice(
        &mut self,
        node: NodeId,
        base: ExprId,
        lo: Option<ExprId>,
        hi: Option<ExprId>,
    ) -> Expr {
        let base = self.check_value(base, &Expect::Value);
        let lo = match lo {
            Some(lo) => self.check(lo, &Ty::INT, &Reason::Index),
            None => expr(Ty::INT, node, ExprKind::Int(0)),
        };
        // Both bounds are clamped, so the largest one means the end.
        let hi = match hi {
            Some(hi) => self.check(hi, &Ty::INT, &Reason::Index),
            None => expr(Ty::INT, node, ExprKind::Int(i128::from(i64::MAX))),
        };
        self.slice_of(node, base, lo, hi)
    }

    /// `slice(base, lo, hi)` of a string or list.
    pub(super) fn slice_of(&mut self, node: NodeId, base: Expr, lo: Expr, hi: Expr) -> Expr {
        let ty = self.known(&base.ty);
        match &ty {
            Ty::String => self.core_call("string_slice", Vec::new(), vec![base, lo, hi], Ty::String, node),
            Ty::List(element) => {
                let element = element.as_ref().clone();
                self.core_call("list_slice", vec![element], vec![base, lo, hi], ty, node)
            }
            Ty::Error | Ty::Never => self.poison(node),
            _ => {
                let shown = self.show(&ty);
                let diagnostic = self.not_indexable(base.node, &shown).help("slice a list or a string");
                self.fail(diagnostic, node)
            }
        }
    }

    pub(super) fn reference(
        &mut self,
        node: NodeId,
        mutable: bool,
        value: ExprId,
        expect: &Expect<'_>,
    ) -> Expr {
        let hint = match expect.ty().map(|ty| self.table.shallow(ty)) {
            Some(Ty::Ref(_, inner)) => Expect::Hint(inner.as_ref().clone()),
            Some(_) | None => Expect::Value,
        };
        let value = self.check_value(value, &hint);
        if matches!(value.ty, Ty::Error) {
            return value;
        }
        if mutable {
            return self.mutable_place(value, node);
        }
        let ty = Ty::Ref(mutable, Arc::new(value.ty.clone()));
        expr(ty, node, ExprKind::Ref(mutable, Box::new(value)))
    }

    /// `ref mut` of a place, which may be an entry of a map; reports anything else.
    pub(super) fn mutable_place(&mut self, mut value: Expr, node: NodeId) -> Expr {
        let Ok(stmts) = self.map_place(&mut value) else { return self.poison(node) };
        if !self.is_place(&value) {
            return self.not_a_place(&value);
        }
        if !self.may_change(&value, node) {
            return self.poison(node);
        }
        let ty = Ty::Ref(true, Arc::new(value.ty.clone()));
        let reference = expr(ty.clone(), node, ExprKind::Ref(true, Box::new(value)));
        if stmts.is_empty() {
            return reference;
        }
        let block = super::super::thir::Block { node, stmts, tail: Some(Box::new(reference)) };
        expr(ty, node, ExprKind::Block(block))
    }

    pub(super) fn dereference(&mut self, node: NodeId, value: ExprId) -> Expr {
        let value = self.infer(value, &Expect::Value);
        let ty = self.known(&value.ty);
        match ty {
            Ty::Ref(_, inner) => {
                let mut place = deref(value, &inner);
                place.node = node;
                place
            }
            Ty::Pointer(mutable, inner) => self.behind_pointer(node, value, mutable, &inner),
            Ty::Error | Ty::Never => self.poison(node),
            other => {
                let shown = self.show(&other);
                let diagnostic = self
                    .error(
                        codes::NOT_A_REFERENCE,
                        node,
                        format!("`*` needs a reference, found `{shown}`"),
                        format!("cannot dereference `{shown}`"),
                    )
                    .label(self.place(value.node), format!("this is `{shown}`"))
                    .note("`*` follows a `ref` or `ref mut`")
                    .help("remove the `*`");
                self.fail(diagnostic, node)
            }
        }
    }

    /// Whether an expression names a variable or a part of one.
    pub(super) fn is_place(&self, value: &Expr) -> bool {
        let mut value = value;
        loop {
            match &value.kind {
                ExprKind::Local(_) | ExprKind::Deref(_) | ExprKind::Const(_) => return true,
                ExprKind::Field(base, _) | ExprKind::Index(base, _) | ExprKind::StringIndex(base, _) => {
                    value = base;
                }
                _ => return false,
            }
        }
    }

    /// Whether a place may be assigned; reports if it may not.
    pub(super) fn may_change(&mut self, place: &Expr, node: NodeId) -> bool {
        let mut root = place;
        loop {
            match &root.kind {
                ExprKind::Local(local) if local.0 < self.lambda_start => {
                    // A captured `ref mut` leads to what it is to.
                    return self.captured_is_set(*local, node);
                }
                ExprKind::Local(local) => {
                    if !self.infos.get(local.0 as usize).is_some_and(|info| info.constant) {
                        return true;
                    }
                    let declared = self.local(*local);
                    let (name, at) = (declared.name.clone(), declared.node);
                    self.immutable_const(&name, node, self.place(at));
                    return false;
                }
                ExprKind::Const(item) => {
                    let name = item.name(self.db).clone();
                    self.immutable_const(&name, node, Place::Node(*item, NodeId::default()));
                    return false;
                }
                ExprKind::StringIndex(base, _) => {
                    let diagnostic = self
                        .error(
                            codes::IMMUTABLE,
                            node,
                            "the bytes of a string cannot be set",
                            "strings never change",
                        )
                        .label(self.place(base.node), "this is a `string`")
                        .note("a `string` is an immutable value")
                        .help("build a new string: `slice(s, 0, i) + \"x\" + slice(s, i + 1, len(s))`");
                    self.report(diagnostic);
                    return false;
                }
                ExprKind::Deref(inner) if self.static_in(inner).is_some() => {
                    let Some(item) = self.static_in(inner) else { return false };
                    let name = item.name(self.db);
                    let diagnostic = self
                        .error(
                            codes::IMMUTABLE,
                            node,
                            format!("the static `{name}` changes only in `unsafe`"),
                            "not in an `unsafe` block",
                        )
                        .label(Place::Node(item, NodeId::default()), format!("`{name}` is declared here"))
                        .note(
                            "everyone shares a static, so a change of it is visible where nobody expects it",
                        )
                        .help("write it inside of `unsafe { … }`");
                    self.report(diagnostic);
                    return false;
                }
                ExprKind::Deref(inner) => {
                    if !matches!(self.table.shallow(&inner.ty), Ty::Ref(false, _)) {
                        return true;
                    }
                    let mut diagnostic = self.error(
                        codes::IMMUTABLE,
                        node,
                        "cannot change a value through `ref`",
                        "`ref` is read-only",
                    );
                    if let ExprKind::Local(local) = inner.kind {
                        let declared = self.local(local);
                        let text =
                            format!("`{}` is declared as `{}` here", declared.name, self.show(&declared.ty));
                        diagnostic = diagnostic.label(self.place(declared.node), text);
                    }
                    let diagnostic = diagnostic
                        .note("only what is behind `ref mut` may be set")
                        .help("declare it `ref mut` instead of `ref`");
                    self.report(diagnostic);
                    return false;
                }
                ExprKind::Field(base, _) | ExprKind::Index(base, _) => root = base,
                ExprKind::Error => return true,
                _ => {
                    let diagnostic = self
                        .error(
                            codes::IMMUTABLE,
                            node,
                            "this is not a place that can be set",
                            "a value, not a place",
                        )
                        .note("a place is a variable, a field or an element of a place, or `*reference`")
                        .help("keep the value in a local with `let` first");
                    self.report(diagnostic);
                    return false;
                }
            }
        }
    }

    /// The place of a static: behind its address, and in safe code behind a `ref` to that.
    pub(super) fn static_place(&mut self, item: ItemId, node: NodeId) -> Expr {
        let ty = const_ty(self.db, item).clone();
        let address = expr(Ty::Ref(true, Arc::new(ty.clone())), node, ExprKind::Static(item));
        let place = deref(address, &ty);
        if self.is_unsafe {
            return place;
        }
        let view = Ty::Ref(false, Arc::new(ty.clone()));
        let view = expr(view, node, ExprKind::Ref(false, Box::new(place)));
        expr(ty, node, ExprKind::Deref(Box::new(view)))
    }

    /// The static that safe code sees through this `ref`.
    fn static_in(&self, view: &Expr) -> Option<ItemId> {
        let ExprKind::Ref(false, place) = &view.kind else { return None };
        let ExprKind::Deref(address) = &place.kind else { return None };
        match address.kind {
            ExprKind::Static(item) => Some(item),
            _ => None,
        }
    }

    fn immutable_const(&mut self, name: &Name, node: NodeId, declared: Place) {
        let diagnostic = self
            .error(
                codes::IMMUTABLE,
                node,
                format!("cannot assign to the const `{name}`"),
                "a const never changes",
            )
            .label(declared, format!("`{name}` is declared here"))
            .note("consts keep the value that they were declared with")
            .help("use a local: `let x = ...`");
        self.report(diagnostic);
    }

    pub(super) fn assign(
        &mut self,
        node: NodeId,
        place: ExprId,
        op: Option<BinaryOp>,
        value: ExprId,
    ) -> Expr {
        if let Some(name) = self.bare_name(place)
            && !self.is_bound(&name.name)
            && names::enclosing_proc(self.db, self.item, &name.name).is_none()
        {
            self.undeclared_target(name, value);
            self.infer(value, &Expect::Value);
            return self.poison_statement(node);
        }
        let mut target = self.infer(place, &Expect::Value);
        if let Some(done) = self.map_assign(node, &target, op, value) {
            return done;
        }
        let Ok(mut before) = self.map_place(&mut target) else {
            self.infer(value, &Expect::Value);
            return self.poison_statement(node);
        };
        if !before.is_empty() {
            let assigned = self.assign_to(node, target, op, value);
            before.push(super::super::thir::Stmt::Expr(assigned));
            let block = super::super::thir::Block { node, stmts: before, tail: None };
            return expr(Ty::Unit, node, ExprKind::Block(block));
        }
        self.assign_to(node, target, op, value)
    }

    fn assign_to(&mut self, node: NodeId, target: Expr, op: Option<BinaryOp>, value: ExprId) -> Expr {
        // `set r = ref mut x` makes a reference point elsewhere; all else goes through it.
        let rebinds = op.is_none()
            && matches!(self.table.shallow(&target.ty), Ty::Ref(..))
            && matches!(self.hir_expr(value).kind, Hir::Ref(..));
        let target = if rebinds { target } else { self.read(target) };
        if target.ty == Ty::Error || !self.may_change(&target, target.node) {
            self.infer(value, &Expect::Value);
            return self.poison_statement(node);
        }
        let root = self.root_declaration(&target);
        let reason = Reason::Assigned { place: target.node, root };
        let ty = target.ty.clone();
        if let Some(op) = op
            && self.is_declarable(&ty)
        {
            return self.compound_proc(node, op, target, value, &reason);
        }
        let value = match op {
            None => self.check(value, &ty, &reason),
            Some(op) => match self.compound(op, node, &target, value, &reason) {
                Some(value) => value,
                None => return self.poison_statement(node),
            },
        };
        expr(Ty::Unit, node, ExprKind::Assign { place: Box::new(target), op, value: Box::new(value) })
    }

    /// The right side of `place op= value`; `None` if it was reported.
    fn compound(
        &mut self,
        op: BinaryOp,
        node: NodeId,
        target: &Expr,
        value: ExprId,
        reason: &Reason,
    ) -> Option<Expr> {
        let shift = matches!(op, BinaryOp::Shl | BinaryOp::Shr);
        let hint = if shift { Expect::Value } else { Expect::Hint(target.ty.clone()) };
        let value = self.check_value(value, &hint);
        match (&target.ty, &value.ty) {
            (Ty::Int(_), Ty::Int(_)) if shift => return Some(value),
            (Ty::Int(to), Ty::Int(from)) => {
                if matches!(op, BinaryOp::Div | BinaryOp::Rem) && matches!(value.kind, ExprKind::Int(0)) {
                    self.division_by_zero(node, &value, node);
                    return None;
                }
                let (to, from) = (*to, *from);
                return Some(self.convert_int(value, from, to));
            }
            (Ty::String, Ty::Char) if op == BinaryOp::Add => return Some(value),
            (_, Ty::Never) => return Some(value),
            _ => {}
        }
        // The operator decides whether the types fit.
        let result = self.arithmetic(node, op, node, target.clone(), value.clone());
        if result.ty == Ty::Error {
            return None;
        }
        Some(self.coerce(value, &target.ty.clone(), reason))
    }

    fn poison_statement(&self, node: NodeId) -> Expr {
        expr(Ty::Unit, node, ExprKind::Error)
    }

    /// Where the local at the root of a place is declared.
    fn root_declaration(&self, place: &Expr) -> Option<NodeId> {
        let mut place = place;
        loop {
            match &place.kind {
                ExprKind::Local(local) => return Some(self.local(*local).node),
                ExprKind::Field(base, _) | ExprKind::Index(base, _) | ExprKind::Deref(base) => place = base,
                _ => return None,
            }
        }
    }

    fn undeclared_target(&mut self, name: &Ident, value: ExprId) {
        let locals: Vec<Name> = {
            let mut all: Vec<Name> = self.names.visible().cloned().collect();
            all.sort();
            all
        };
        let quoted = &name.name;
        let mut diagnostic = self
            .error(
                codes::UNDECLARED_TARGET,
                name.node,
                format!("`{quoted}` is assigned but was never declared"),
                "not declared in this scope",
            )
            .note("a local is declared with `let` before it is assigned");
        diagnostic = match crate::base::spelling::meant(quoted, locals.iter().map(Name::as_str)) {
            Some((near, sure)) => {
                diagnostic.suggest(self.place(name.node), near, format!("`{near}` has a similar name"), sure)
            }
            None => match self.snippet(self.hir_expr(value).node) {
                Some(text) if text.len() < 60 && !text.contains('\n') => {
                    diagnostic.help(format!("declare it: `let {quoted} = {text}`"))
                }
                _ => diagnostic.help(format!("declare it: `let {quoted} = ...`")),
            },
        };
        self.report(diagnostic);
    }

    /// A value converted to `int`, for prelude procs that take positions.
    pub(super) fn position(&mut self, id: ExprId) -> Expr {
        self.check(id, &Ty::Int(IntTy::Int), &Reason::Index)
    }
}
