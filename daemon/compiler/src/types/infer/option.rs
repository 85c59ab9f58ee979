//! `Option` and `Result`: their free procs, `?`, `??` and `is`, all as matches.
use std::sync::Arc;

use super::super::thir::{Arm, Block, Expr, ExprKind, LocalId, Pat, PatKind};
use super::super::ty::Ty;
use super::builtin::is_printable;
use super::coerce::Reason;
use super::path::Named;
use super::{Checker, Expect, codes, expr};
use crate::lower::hir::{self, BinaryOp, ExprId, PatId};
use crate::lower::{ItemId, NodeId};

/// What a value carries: `Some`/`None` or `Ok`/`Err`.
struct Carrier {
    /// Type of `Some`'s or `Ok`'s value.
    value: Ty,
    /// Type of `Err`'s error; `None` for `Option`.
    error: Option<Ty>,
}

impl<'a> Checker<'a> {
    pub(super) fn is_option(&self, pick: ItemId) -> bool {
        self.option == Some(pick)
    }

    /// `Option<ty>`.
    pub(super) fn option_of(&self, ty: Ty) -> Ty {
        self.option.map_or(Ty::Error, |pick| Ty::Pick(pick, Arc::from([ty])))
    }

    fn carrier(&self, ty: &Ty) -> Option<Carrier> {
        let Ty::Pick(pick, args) = ty else { return None };
        match args.as_ref() {
            [value] if self.option == Some(*pick) => Some(Carrier { value: value.clone(), error: None }),
            [value, error] if self.result == Some(*pick) => {
                Some(Carrier { value: value.clone(), error: Some(error.clone()) })
            }
            _ => None,
        }
    }

    /// The procs `some none ok err is_some … expect`.
    pub(super) fn option_call(
        &mut self,
        node: NodeId,
        name: &'static str,
        named: &Named<'a>,
        args: &'a [hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        match (name, args) {
            ("some" | "none" | "ok" | "err", args) => self.constructor(node, name, named, args, expect),
            ("is_some" | "is_none" | "is_ok" | "is_err", [x]) => {
                let value = self.check_value(x.value, &Expect::Value);
                let result = matches!(name, "is_ok" | "is_err");
                let Some(_) = self.carrier_or_report(&value, name, Some(result)) else {
                    return self.poison(node);
                };
                let first = matches!(name, "is_some" | "is_ok");
                self.variant_test(node, value, u32::from(!first))
            }
            ("unwrap", [x]) => {
                let value = self.check_value(x.value, &Expect::Value);
                let Some(carrier) = self.carrier_or_report(&value, name, None) else {
                    return self.poison(node);
                };
                self.unwrapped(node, value, &carrier, None)
            }
            ("expect", [x, message]) => {
                let value = self.check_value(x.value, &Expect::Value);
                let message = self.check(message.value, &Ty::String, &Reason::Message);
                let Some(carrier) = self.carrier_or_report(&value, name, None) else {
                    return self.poison(node);
                };
                // The message is evaluated before the test, as an argument is.
                let (mut stmts, value) = self.keep(value);
                let (more, message) = self.keep(message);
                stmts.extend(more);
                let tail = self.unwrapped(node, value, &carrier, Some(message));
                let ty = tail.ty.clone();
                expr(ty, node, ExprKind::Block(Block { node, stmts, tail: Some(Box::new(tail)) }))
            }
            ("unwrap_or", [x, default]) => {
                let value = self.check_value(x.value, &Expect::Value);
                let Some(carrier) = self.carrier_or_report(&value, name, None) else {
                    return self.drop_arguments(std::slice::from_ref(default), node);
                };
                let reason = Reason::ValueArgument { callee: crate::base::Name::new_static("unwrap_or") };
                let default = self.check(default.value, &carrier.value, &reason);
                let (mut stmts, value) = self.keep(value);
                let (more, default) = self.keep(default);
                stmts.extend(more);
                let tail = self.value_or(node, value, &carrier, default);
                let ty = tail.ty.clone();
                expr(ty, node, ExprKind::Block(Block { node, stmts, tail: Some(Box::new(tail)) }))
            }
            (_, args) => self.drop_arguments(args, node),
        }
    }

    fn constructor(
        &mut self,
        node: NodeId,
        name: &'static str,
        named: &Named<'a>,
        args: &[hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        let pick = if matches!(name, "some" | "none") { self.option } else { self.result };
        let Some(pick) = pick else { return self.drop_arguments(args, node) };
        let generics = crate::types::pick_data(self.db, pick).generics.clone();
        let types = if !named.args.is_empty() && named.args.len() < generics.len() {
            // `ok<int>(1)`: the first argument is written, the other inferred.
            let mut types = self.type_variables(pick, &generics, node);
            for (slot, written) in types.iter_mut().zip(named.args) {
                *slot = self.written(written);
            }
            types
        } else {
            self.type_arguments(pick, &generics, named.args, node)
        };
        let ty = Ty::Pick(pick, types.clone().into());
        if let Some(expected) = expect.ty() {
            let expected = self.table.shallow(expected);
            self.unify(&ty, &expected);
        }
        let (variant, payload) = match name {
            "some" | "ok" => (0, types.first()),
            "err" => (1, types.get(1)),
            _ => (1, None),
        };
        let mut fields = Vec::new();
        if let (Some(payload), [x]) = (payload, args) {
            let reason = Reason::Payload { variant: crate::base::Name::new_static(name), index: 0 };
            fields.push(self.check(x.value, payload, &reason));
        }
        expr(ty, node, ExprKind::Variant { variant, fields })
    }

    fn carrier_or_report(&mut self, value: &Expr, name: &str, result: Option<bool>) -> Option<Carrier> {
        let ty = self.known(&value.ty);
        if matches!(ty, Ty::Error | Ty::Never) {
            return None;
        }
        let carrier = self.carrier(&ty);
        if let Some(carrier) = carrier
            && result.is_none_or(|result| result == carrier.error.is_some())
        {
            return Some(carrier);
        }
        let shown = self.show(&ty);
        let takes = match result {
            Some(true) => "a `Result`",
            Some(false) => "an `Option`",
            None => "an `Option` or a `Result`",
        };
        let diagnostic = self
            .error(
                codes::ARGUMENT,
                value.node,
                format!("`{name}` takes {takes}, found `{shown}`"),
                format!("this is `{shown}`"),
            )
            .note(format!("`{name}` is built in"))
            .help("use the value as it is, or declare a proc of this name");
        self.report(diagnostic);
        None
    }

    /// A pattern for a variant whose payload, if any, is bound or ignored.
    fn variant_pat(&self, ty: &Ty, node: NodeId, variant: u32, bound: Option<(LocalId, Ty)>) -> Pat {
        let fields = match bound {
            Some((local, ty)) => vec![(0, Pat { ty, node, kind: PatKind::Bind(local) })],
            None => Vec::new(),
        };
        Pat { ty: ty.clone(), node, kind: PatKind::Variant(variant, fields) }
    }

    fn value_block(&self, value: Expr) -> Block {
        Block { node: value.node, stmts: Vec::new(), tail: Some(Box::new(value)) }
    }

    /// Whether a value is of a variant.
    fn variant_test(&mut self, node: NodeId, value: Expr, variant: u32) -> Expr {
        let yes = expr(Ty::Bool, node, ExprKind::Int(1));
        let no = expr(Ty::Bool, node, ExprKind::Int(0));
        let arms = vec![
            Arm {
                pat: self.variant_pat(&value.ty, node, variant, None),
                guard: None,
                body: self.value_block(yes),
            },
            Arm {
                pat: Pat { ty: value.ty.clone(), node, kind: PatKind::Wild },
                guard: None,
                body: self.value_block(no),
            },
        ];
        expr(Ty::Bool, node, ExprKind::Match { scrutinee: Box::new(value), arms })
    }

    /// An arm that gives the payload of `Some` or `Ok`.
    fn payload_arm(&mut self, node: NodeId, ty: &Ty, carrier: &Carrier) -> Arm {
        let local = self.temporary(node, carrier.value.clone());
        let pat = self.variant_pat(ty, node, 0, Some((local, carrier.value.clone())));
        let read = self.local_expr(local, node);
        Arm { pat, guard: None, body: self.value_block(read) }
    }

    /// `unwrap` without a message, `expect` with one.
    fn unwrapped(&mut self, node: NodeId, value: Expr, carrier: &Carrier, message: Option<Expr>) -> Expr {
        let ty = value.ty.clone();
        let good = self.payload_arm(node, &ty, carrier);
        let text = |text: &str| expr(Ty::String, node, ExprKind::Str(Arc::from(text)));
        let join = |a: Expr, b: Expr| {
            expr(Ty::String, node, ExprKind::Binary(BinaryOp::Add, Box::new(a), Box::new(b)))
        };
        let error = carrier.error.as_ref().map(|ty| self.table.resolve(ty));
        let (pat, message) = match error {
            None => (self.variant_pat(&ty, node, 1, None), message.unwrap_or_else(|| text("unwrap of None"))),
            Some(error) if is_printable(&error) => {
                let local = self.temporary(node, error.clone());
                let shown = self.local_expr(local, node);
                let shown = self.text_of(shown, node);
                let message = match message {
                    Some(message) => join(join(message, text(": ")), shown),
                    None => join(join(text("unwrap of Err("), shown), text(")")),
                };
                (self.variant_pat(&ty, node, 1, Some((local, error))), message)
            }
            Some(_) => {
                (self.variant_pat(&ty, node, 1, None), message.unwrap_or_else(|| text("unwrap of Err")))
            }
        };
        let panic = expr(Ty::Never, node, ExprKind::Panic(Box::new(message)));
        let bad = Arm { pat, guard: None, body: self.value_block(panic) };
        let kind = ExprKind::Match { scrutinee: Box::new(value), arms: vec![good, bad] };
        expr(carrier.value.clone(), node, kind)
    }

    /// The payload, or another value.
    fn value_or(&mut self, node: NodeId, value: Expr, carrier: &Carrier, default: Expr) -> Expr {
        let ty = value.ty.clone();
        let good = self.payload_arm(node, &ty, carrier);
        let pat = self.variant_pat(&ty, node, 1, None);
        let bad = Arm { pat, guard: None, body: self.value_block(default) };
        let kind = ExprKind::Match { scrutinee: Box::new(value), arms: vec![good, bad] };
        expr(carrier.value.clone(), node, kind)
    }

    /// `a ?? b`: `b` is evaluated only if there is no value.
    pub(super) fn coalesce(
        &mut self,
        node: NodeId,
        value: ExprId,
        default: ExprId,
        _expect: &Expect<'_>,
    ) -> Expr {
        let value = self.check_value(value, &Expect::Value);
        let Some(carrier) = self.carrier_or_report(&value, "??", None) else {
            self.infer(default, &Expect::Value);
            return self.poison(node);
        };
        let default = self.infer(default, &Expect::Hint(carrier.value.clone()));
        let default = self.stored(default);
        // `a ?? b` with a `b` that may be absent as well is the first of the two that is there.
        let before = self.table.snapshot();
        let (whole, found) = (self.table.shallow(&value.ty), self.table.shallow(&default.ty));
        if self.carrier(&found).is_some() && self.unify(&whole, &found) {
            return self.first_present(node, value, &carrier, default);
        }
        self.table.rollback(before);
        let default = self.coerce(default, &carrier.value, &Reason::Operand { other: value.node });
        self.value_or(node, value, &carrier, default)
    }

    /// `a ?? b` where both have one type: `a` as it is if it holds a value.
    fn first_present(&mut self, node: NodeId, value: Expr, carrier: &Carrier, default: Expr) -> Expr {
        let ty = value.ty.clone();
        let local = self.temporary(node, carrier.value.clone());
        let read = self.local_expr(local, node);
        let again = expr(ty.clone(), node, ExprKind::Variant { variant: 0, fields: vec![read] });
        let pat = self.variant_pat(&ty, node, 0, Some((local, carrier.value.clone())));
        let good = Arm { pat, guard: None, body: self.value_block(again) };
        let wild = Pat { ty: ty.clone(), node, kind: PatKind::Wild };
        let bad = Arm { pat: wild, guard: None, body: self.value_block(default) };
        expr(ty, node, ExprKind::Match { scrutinee: Box::new(value), arms: vec![good, bad] })
    }

    /// `e?`: leaves the proc with `None` or `Err(..)`, else the payload.
    pub(super) fn try_expr(&mut self, node: NodeId, value: ExprId) -> Expr {
        let value = self.check_value(value, &Expect::Value);
        let Some(carrier) = self.carrier_or_report(&value, "?", None) else { return self.poison(node) };
        let ret = self.table.shallow(&self.ret);
        let outer = self.carrier(&ret);
        let fits = match (&outer, &carrier.error) {
            (Some(outer), None) => outer.error.is_none(),
            (Some(Carrier { error: Some(outer), .. }), Some(error)) => {
                let (outer, error) = (outer.clone(), error.clone());
                self.unify(&outer, &error)
            }
            _ => false,
        };
        if !fits {
            if ret == Ty::Error {
                return self.poison(node);
            }
            let shown = self.show(&ret);
            let found = self.show(&value.ty);
            let mut diagnostic = self
                .error(
                    codes::TRY,
                    node,
                    format!("`?` on `{found}` needs a proc that gives a fitting type, not `{shown}`"),
                    "cannot leave the proc with this",
                )
                .label(self.place(value.node), format!("this is `{found}`"));
            if let Some(ret) = self.ret_node {
                diagnostic = diagnostic.label(self.place(ret), format!("the proc gives `{shown}`"));
            }
            let diagnostic = diagnostic
                .note("`?` leaves the proc with `None` or `Err(error)`, so the proc must give an `Option`, or a `Result` with the same error")
                .help("match on the value, or change the proc's result type");
            return self.fail(diagnostic, node);
        }
        let ty = value.ty.clone();
        let good = self.payload_arm(node, &ty, &carrier);
        let (pat, failure) = match &carrier.error {
            None => (self.variant_pat(&ty, node, 1, None), Vec::new()),
            Some(error) => {
                let local = self.temporary(node, error.clone());
                let read = self.local_expr(local, node);
                (self.variant_pat(&ty, node, 1, Some((local, error.clone()))), vec![read])
            }
        };
        let failure = expr(ret, node, ExprKind::Variant { variant: 1, fields: failure });
        let give = expr(Ty::Never, node, ExprKind::Give(Some(Box::new(failure))));
        let bad = Arm { pat, guard: None, body: self.value_block(give) };
        let kind = ExprKind::Match { scrutinee: Box::new(value), arms: vec![good, bad] };
        expr(carrier.value.clone(), node, kind)
    }

    /// `e is P`, `e is not P`.
    pub(super) fn is_test(&mut self, node: NodeId, value: ExprId, pat: PatId, negated: bool) -> Expr {
        let value = self.check_value(value, &Expect::Value);
        let ty = self.known(&value.ty);
        self.names.open();
        let pat = self.pattern(pat, &ty);
        self.names.close();
        let truth = |yes: bool| expr(Ty::Bool, node, ExprKind::Int(i128::from(yes)));
        let always =
            super::super::exhaustive::first_missing(self.db, &[&pat], &self.table.resolve(&ty)).is_none();
        let mut arms = vec![Arm { pat, guard: None, body: self.value_block(truth(!negated)) }];
        if !always {
            let wild = Pat { ty, node, kind: PatKind::Wild };
            arms.push(Arm { pat: wild, guard: None, body: self.value_block(truth(negated)) });
        }
        expr(Ty::Bool, node, ExprKind::Match { scrutinee: Box::new(value), arms })
    }
}
