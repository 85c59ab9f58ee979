//! Statements: `let`, loops, `give`, `break`.
use super::super::exhaustive;
use super::super::thir::{self, Expr, ExprKind, ForIter, Stmt};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::names::Bound;
use super::unify::Origin;
use super::{Checker, Expect, Loop, codes, expr};
use crate::base::{Applicability, Name};
use crate::lower::hir::{self, ExprId, PatId};
use crate::lower::{ItemId, NodeId};
use crate::types::proc_data;

impl Checker<'_> {
    /// A block in a scope of its own.
    pub(super) fn block(&mut self, block: &hir::Block, expect: &Expect<'_>) -> (thir::Block, Ty) {
        self.names.open();
        let result = match expect {
            Expect::Nothing => self.block_statements(block),
            Expect::Value | Expect::Hint(_) | Expect::Must(..) => {
                let (stmts, leaves) = self.statements(&block.stmts);
                let tail = block.tail.map(|tail| match expect {
                    Expect::Must(ty, reason) => self.check(tail, ty, reason),
                    Expect::Nothing | Expect::Value | Expect::Hint(_) => self.infer(tail, expect),
                });
                let ty = match &tail {
                    _ if leaves => Ty::Never,
                    Some(tail) => tail.ty.clone(),
                    None => Ty::Unit,
                };
                (thir::Block { node: block.node, stmts, tail: tail.map(Box::new) }, ty)
            }
        };
        self.names.close();
        result
    }

    /// The statements of a block whose value is not wanted; the caller has opened the scope.
    pub(super) fn block_statements(&mut self, block: &hir::Block) -> (thir::Block, Ty) {
        let (mut stmts, mut leaves) = self.statements(&block.stmts);
        if let Some(tail) = block.tail {
            let value = self.infer(tail, &Expect::Nothing);
            leaves |= value.ty == Ty::Never;
            stmts.push(Stmt::Expr(value));
        }
        let ty = if leaves { Ty::Never } else { Ty::Unit };
        (thir::Block { node: block.node, stmts, tail: None }, ty)
    }

    /// Statements, and whether one of them never lets the next run.
    pub(super) fn statements(&mut self, list: &[hir::Stmt]) -> (Vec<Stmt>, bool) {
        for stmt in list {
            // Local procs are in scope in the whole block, as items are in a file.
            if let hir::Stmt::Proc(item) = stmt {
                let name = Name::new(super::names::short_name(item.name(self.db)));
                self.names.bind(name, Bound::Proc(*item));
            }
        }
        let mut out = Vec::with_capacity(list.len());
        let mut leaves = false;
        for stmt in list {
            match stmt {
                hir::Stmt::Proc(_) => {}
                hir::Stmt::Defer(block) => out.push(self.defer(block)),
                hir::Stmt::Expr(id) => {
                    let value = self.infer(*id, &Expect::Nothing);
                    leaves |= value.ty == Ty::Never;
                    out.push(Stmt::Expr(value));
                }
                hir::Stmt::Let { node, pat, ty, init, constant } => {
                    let stmt = self.let_statement(*node, *pat, ty.as_ref(), *init, *constant);
                    leaves |= matches!(&stmt, Stmt::Let { init: Some(init), .. } if init.ty == Ty::Never);
                    out.push(stmt);
                }
            }
        }
        (out, leaves)
    }

    pub(super) fn let_statement(
        &mut self,
        node: NodeId,
        pat: PatId,
        ty: Option<&hir::TypeRef>,
        init: Option<ExprId>,
        constant: bool,
    ) -> Stmt {
        let declared = ty.map(|ty| (self.written(ty), ty.node));
        let (ty, init) = match (declared, init) {
            (Some((ty, at)), Some(init)) => {
                let value = self.check(init, &ty, &Reason::Declared { node: at });
                (ty, Some(value))
            }
            (Some((ty, _)), None) => (ty, None),
            (None, Some(init)) => {
                let value = self.infer(init, &Expect::Value);
                let value = self.initial(value);
                (value.ty.clone(), Some(value))
            }
            (None, None) => (self.table.fresh(self.hir_pat(pat).node, Origin::Binding), None),
        };
        let first = self.locals.len();
        let pat = self.let_pattern(pat, &ty);
        if constant {
            for info in self.infos.iter_mut().skip(first) {
                info.constant = true;
            }
        }
        if let Some(missing) = exhaustive::first_missing(self.db, &[&pat], &self.table.resolve(&ty)) {
            let diagnostic = self
                .error(
                    codes::NON_EXHAUSTIVE,
                    pat.node,
                    format!("this pattern does not match `{missing}`"),
                    "does not match every value",
                )
                .note("the pattern of a `let` or `for` must match every value")
                .help("match on the value instead");
            self.report(diagnostic);
        }
        Stmt::Let { node, pat, init }
    }

    /// What a local without a written type starts with: a place behind a reference is copied, an explicit
    /// `ref` or the reference that a call gives is kept.
    fn initial(&mut self, value: Expr) -> Expr {
        let value = if self.is_place(&value) { self.read(value) } else { value };
        if self.table.shallow(&value.ty) == Ty::Unit {
            let diagnostic = self
                .error(codes::ASSIGNMENT, value.node, "this gives no value", "of type `unit`")
                .note("a proc without `->` gives nothing, so there is nothing to keep")
                .help("write the call as a statement of its own");
            return self.fail(diagnostic, value.node);
        }
        value
    }

    /// A loop's body; gives what its `break`s say.
    fn loop_body(&mut self, body: &hir::Block, is_loop: bool, expect: Option<Ty>) -> (thir::Block, Loop) {
        self.loops.push(Loop { is_loop, breaks: false, value: expect });
        let (block, _) = self.block(body, &Expect::Nothing);
        let state = self.loops.pop().unwrap_or(Loop { is_loop, breaks: false, value: None });
        (block, state)
    }

    pub(super) fn while_loop(&mut self, node: NodeId, cond: ExprId, body: &hir::Block) -> Expr {
        let endless = matches!(self.hir_expr(cond).kind, hir::ExprKind::Literal(hir::Literal::Bool(true)));
        let cond = self.condition(cond);
        let (block, state) = self.loop_body(body, false, None);
        if endless && !state.breaks {
            return expr(Ty::Never, node, ExprKind::Loop(block));
        }
        expr(Ty::Unit, node, ExprKind::While(Box::new(cond), block))
    }

    pub(super) fn endless_loop(&mut self, node: NodeId, body: &hir::Block, expect: &Expect<'_>) -> Expr {
        let (block, state) = self.loop_body(body, true, expect.ty().cloned());
        let ty = match (state.breaks, state.value) {
            (false, _) => Ty::Never,
            (true, None) => Ty::Unit,
            (true, Some(ty)) => ty,
        };
        expr(ty, node, ExprKind::Loop(block))
    }

    pub(super) fn break_loop(&mut self, node: NodeId, value: Option<ExprId>) -> Expr {
        let Some(current) = self.loops.last_mut() else { return self.outside_loop(node, "break") };
        let first = !current.breaks;
        current.breaks = true;
        let (is_loop, known) = (current.is_loop, current.value.clone());
        let Some(value) = value else {
            if let Some(current) = self.loops.last_mut()
                && first
            {
                current.value = None;
            }
            return expr(Ty::Never, node, ExprKind::Break(None));
        };
        if !is_loop {
            let diagnostic = self
                .error(
                    codes::OUTSIDE_LOOP,
                    self.hir_expr(value).node,
                    "only `loop` can be left with a value",
                    "this value has nowhere to go",
                )
                .note("`while` and `for` may also end without a `break`, and then there would be no value")
                .help("assign to a local before `break`");
            return self.fail(diagnostic, node);
        }
        let value = match known {
            Some(ty) => self.check(value, &ty, &Reason::Break),
            None => self.check_value(value, &Expect::Value),
        };
        if let Some(current) = self.loops.last_mut()
            && current.value.is_none()
            && value.ty != Ty::Never
        {
            current.value = Some(value.ty.clone());
        }
        expr(Ty::Never, node, ExprKind::Break(Some(Box::new(value))))
    }

    pub(super) fn continue_loop(&mut self, node: NodeId) -> Expr {
        if self.loops.is_empty() {
            return self.outside_loop(node, "continue");
        }
        expr(Ty::Never, node, ExprKind::Continue)
    }

    fn outside_loop(&mut self, node: NodeId, word: &str) -> Expr {
        let diagnostic = self
            .error(codes::OUTSIDE_LOOP, node, format!("`{word}` outside of a loop"), "no loop around this")
            .note(format!("`{word}` acts on the nearest `while`, `for` or `loop`"))
            .help("use `give` to leave the proc");
        self.report(diagnostic);
        expr(Ty::Never, node, ExprKind::Error)
    }

    pub(super) fn for_loop(&mut self, node: NodeId, pat: PatId, iter: ExprId, body: &hir::Block) -> Expr {
        let (iter, element) = self.for_subject(iter);
        self.names.open();
        let pat = self.loop_pattern(pat, &element);
        let (body, _) = self.loop_body(body, false, None);
        self.names.close();
        expr(Ty::Unit, node, ExprKind::For { pat, iter, body })
    }

    /// The pattern of a loop, which must match every element.
    pub(super) fn loop_pattern(&mut self, pat: PatId, element: &Ty) -> thir::Pat {
        let pat = self.let_pattern(pat, element);
        if let Some(missing) = exhaustive::first_missing(self.db, &[&pat], &self.table.resolve(element)) {
            let diagnostic = self
                .error(
                    codes::NON_EXHAUSTIVE,
                    pat.node,
                    format!("this pattern does not match `{missing}`"),
                    "does not match every element",
                )
                .note("the pattern of a `let` or `for` must match every value")
                .help("bind the element and match on it in the body");
            self.report(diagnostic);
        }
        pat
    }

    pub(super) fn for_subject(&mut self, id: ExprId) -> (ForIter, Ty) {
        let hir_subject = self.hir_expr(id);
        if let hir::ExprKind::Range { lo, hi, inclusive } = &hir_subject.kind {
            return self.range_subject(hir_subject.node, *lo, *hi, *inclusive);
        }
        let value = self.check_value(id, &Expect::Value);
        let ty = self.known(&value.ty);
        match &ty {
            Ty::List(element) => {
                let element = element.as_ref().clone();
                (ForIter::List(Box::new(value)), element)
            }
            Ty::String => (ForIter::Str(Box::new(value)), Ty::Char),
            _ if self.map_types(&ty).is_some() => {
                let (key, item) = self.map_types(&ty).unwrap_or((Ty::Error, Ty::Error));
                let pair = Ty::Tuple([key.clone(), item.clone()].into());
                let list = Ty::List(std::sync::Arc::new(pair.clone()));
                let node = value.node;
                let entries = self.core_call("map_entries", vec![key, item], vec![value], list, node);
                (ForIter::List(Box::new(entries)), pair)
            }
            _ if self.set_type(&ty).is_some() => {
                let item = self.set_type(&ty).unwrap_or(Ty::Error);
                let list = Ty::List(std::sync::Arc::new(item.clone()));
                let node = value.node;
                let items = self.core_call("set_items", vec![item.clone()], vec![value], list, node);
                (ForIter::List(Box::new(items)), item)
            }
            Ty::Error | Ty::Never => (ForIter::List(Box::new(value)), Ty::Error),
            _ => match self.iterator_next(&ty, value.node) {
                Some((next, args, element)) => {
                    let iter = if self.is_place(&value) { value } else { self.hold(value) };
                    (ForIter::Next { iter: Box::new(iter), next: (next, args) }, element)
                }
                None => {
                    let shown = self.show(&ty);
                    let diagnostic = self
                        .error(
                            codes::NOT_ITERABLE,
                            value.node,
                            format!("cannot loop over `{shown}`"),
                            format!("this is `{shown}`"),
                        )
                        .note("`for` runs over a list, a string, a range, or a type with a `next` proc that gives an `Option`")
                        .help(match ty {
                            Ty::Int(_) => "write a range: `for i in 0..n`",
                            _ => "loop over a list of its parts",
                        });
                    let poison = self.fail(diagnostic, value.node);
                    (ForIter::List(Box::new(poison)), Ty::Error)
                }
            },
        }
    }

    /// A value kept in a local of its own, so that it is a place.
    fn hold(&mut self, value: Expr) -> Expr {
        let node = value.node;
        let ty = value.ty.clone();
        let local = self.temporary(node, ty.clone());
        let pat = thir::Pat { ty: ty.clone(), node, kind: thir::PatKind::Bind(local) };
        let stmts = vec![Stmt::Let { node, pat, init: Some(value) }];
        let tail = Some(Box::new(expr(ty.clone(), node, ExprKind::Local(local))));
        expr(ty, node, ExprKind::Block(thir::Block { node, stmts, tail }))
    }

    fn range_subject(
        &mut self,
        node: NodeId,
        lo: Option<ExprId>,
        hi: Option<ExprId>,
        inclusive: bool,
    ) -> (ForIter, Ty) {
        let (Some(lo), Some(hi)) = (lo, hi) else {
            let diagnostic = self
                .error(
                    codes::NOT_ITERABLE,
                    node,
                    "a range to loop over needs both bounds",
                    "a bound is missing",
                )
                .note("`a..b` runs from a up to, but not including, b")
                .help("use `loop` with a counter for a loop without end");
            let poison = self.fail(diagnostic, node);
            return (ForIter::List(Box::new(poison)), Ty::Error);
        };
        let (lo, hi) = self.operands(lo, hi, None);
        let (lo, hi) = (self.read(lo), self.read(hi));
        let (lo_ty, hi_ty) = (lo.ty.clone(), hi.ty.clone());
        match (&lo_ty, &hi_ty) {
            (Ty::Int(a), Ty::Int(b)) => {
                let ty = super::operator::wider(*a, *b);
                let lo = self.convert_int(lo, *a, ty);
                let hi = self.convert_int(hi, *b, ty);
                (ForIter::Range { lo: Box::new(lo), hi: Box::new(hi), inclusive }, Ty::Int(ty))
            }
            (Ty::Error | Ty::Never, _) | (_, Ty::Error | Ty::Never) => {
                (ForIter::Range { lo: Box::new(lo), hi: Box::new(hi), inclusive }, Ty::Error)
            }
            (Ty::Int(_), other) => {
                let (node, shown) = (hi.node, self.show(other));
                self.bad_bound(node, &shown)
            }
            (other, _) => {
                let (node, shown) = (lo.node, self.show(other));
                self.bad_bound(node, &shown)
            }
        }
    }

    fn bad_bound(&mut self, node: NodeId, shown: &str) -> (ForIter, Ty) {
        let diagnostic = self
            .error(
                codes::NOT_ITERABLE,
                node,
                format!("a bound of a range must be an integer, found `{shown}`"),
                format!("this is `{shown}`"),
            )
            .note("ranges count integers")
            .help("use an integer here");
        let poison = self.fail(diagnostic, node);
        (ForIter::List(Box::new(poison)), Ty::Error)
    }

    /// The `next` proc of a library iterator: in this module's scope or in the module of the type.
    fn iterator_next(&mut self, ty: &Ty, node: NodeId) -> Option<(ItemId, Vec<Ty>, Ty)> {
        if let Ok(Some((item, owner))) = self.find_member(ty, &Name::new_static("next"), node) {
            let data = proc_data(self.db, item);
            let is_self = matches!(data.params.as_slice(), [param] if param.name == "self");
            let args = self.proc_types(item, data, Some(owner), &[], node);
            self.settle(false);
            let ret = self.table.shallow(&data.ret.subst(&args));
            return match &ret {
                Ty::Pick(option, elements) if is_self && self.is_option(*option) => {
                    let element = elements.first().cloned().unwrap_or(Ty::Error);
                    Some((item, args, self.table.shallow(&element)))
                }
                _ => None,
            };
        }
        let (Ty::Form(id, _) | Ty::Pick(id, _)) = ty else { return None };
        let home = id.file(self.db);
        let candidates = [
            super::names::item_named(self.db, self.file, "next"),
            super::names::own_item(self.db, home, "next"),
        ];
        for next in candidates.into_iter().flatten() {
            if next.kind(self.db) != crate::lower::ItemKind::Proc {
                continue;
            }
            let data = proc_data(self.db, next);
            let [param] = data.params.as_slice() else { continue };
            let before = self.table.snapshot();
            let args = self.type_variables(next, &data.generics, node);
            let Ty::Ref(true, subject) = param.ty.subst(&args) else { continue };
            let ret = data.ret.subst(&args);
            if let Ty::Pick(option, elements) = &ret
                && self.is_option(*option)
                && let Some(element) = elements.first()
                && self.unify(&subject, ty)
            {
                return Some((next, args, element.clone()));
            }
            self.table.rollback(before);
        }
        None
    }

    pub(super) fn c_for(
        &mut self,
        node: NodeId,
        init: &hir::Stmt,
        cond: ExprId,
        step: ExprId,
        body: &hir::Block,
    ) -> Expr {
        self.names.open();
        let init = match init {
            hir::Stmt::Let { node, pat, ty: None, init: Some(init), constant: _ } => {
                // Its variable is an `int` unless it was declared before.
                let value = self.check(*init, &Ty::INT, &Reason::Declared { node: *node });
                let pat = self.let_pattern(*pat, &Ty::INT);
                Stmt::Let { node: *node, pat, init: Some(value) }
            }
            hir::Stmt::Let { node, pat, ty, init, constant } => {
                self.let_statement(*node, *pat, ty.as_ref(), *init, *constant)
            }
            hir::Stmt::Expr(id) => Stmt::Expr(self.infer(*id, &Expect::Nothing)),
            hir::Stmt::Defer(block) => self.defer(block),
            hir::Stmt::Proc(item) => Stmt::Expr(self.poison(NodeId(item.ordinal(self.db)))),
        };
        let cond = self.condition(cond);
        let step = self.infer(step, &Expect::Nothing);
        let (body, _) = self.loop_body(body, false, None);
        self.names.close();
        expr(
            Ty::Unit,
            node,
            ExprKind::CFor { init: Box::new(init), cond: Box::new(cond), step: Box::new(step), body },
        )
    }

    pub(super) fn give(&mut self, node: NodeId, value: Option<ExprId>) -> Expr {
        if self.in_defer {
            return self.leaves_defer(node, "give");
        }
        let ret = self.table.shallow(&self.ret);
        let Some(id) = value else {
            if matches!(ret, Ty::Infer(_)) {
                self.unify(&ret, &Ty::Unit);
                return expr(Ty::Never, node, ExprKind::Give(None));
            }
            if !matches!(ret, Ty::Unit | Ty::Error) {
                let shown = self.show(&ret);
                let mut diagnostic = self.error(
                    codes::RETURN,
                    node,
                    format!("`give` needs a value of type `{shown}`"),
                    "no value is given here",
                );
                if let Some(ret) = self.ret_node {
                    diagnostic = diagnostic.label(self.place(ret), format!("`{shown}` is due to this"));
                }
                let diagnostic = diagnostic
                    .note("a proc with a result type gives a value on every path")
                    .help("write `give value`");
                self.report(diagnostic);
            }
            return expr(Ty::Never, node, ExprKind::Give(None));
        };
        if ret != Ty::Unit {
            let value = self.check(id, &ret, &Reason::Give);
            let value = if self.is_test { self.verdict(value) } else { value };
            return expr(Ty::Never, node, ExprKind::Give(Some(Box::new(value))));
        }
        // `give f()` of unit type: the call, then the way out.
        let value = self.infer(id, &Expect::Value);
        match self.table.shallow(&value.ty) {
            Ty::Unit | Ty::Never | Ty::Error => {}
            other => {
                let shown = self.show(&other);
                let mut diagnostic = self.error(
                    codes::RETURN,
                    value.node,
                    "this proc gives no value",
                    format!("a value of type `{shown}`"),
                );
                if let Some(ret) = self.ret_node {
                    diagnostic = diagnostic.label(self.place(ret), "because of this");
                } else {
                    diagnostic = diagnostic.label(self.place(NodeId::default()), "declared without `->`");
                }
                let diagnostic = diagnostic
                    .note("a proc without a result type gives nothing")
                    .help(format!("declare the result: `-> {shown}`, or write a bare `give`"));
                self.report(diagnostic);
            }
        }
        let give = expr(Ty::Never, node, ExprKind::Give(None));
        let stmts = vec![Stmt::Expr(value), Stmt::Expr(give)];
        expr(Ty::Never, node, ExprKind::Block(thir::Block { node, stmts, tail: None }))
    }

    /// Reports a proc that can reach its end without a value; in `main` that means 0.
    pub(super) fn check_end(&mut self, item: ItemId, proc: &hir::ProcHir, block: &mut thir::Block, ty: &Ty) {
        if *ty == Ty::Never || matches!(self.ret, Ty::Unit | Ty::Error) {
            return;
        }
        if let Ty::Int(int) = self.ret
            && item.name(self.db) == "main"
        {
            let node = block.node;
            let zero = expr(Ty::Int(int), node, ExprKind::Int(0));
            let give = expr(Ty::Never, node, ExprKind::Give(Some(Box::new(zero))));
            block.stmts.push(Stmt::Expr(give));
            return;
        }
        let shown = self.show(&self.ret);
        let name = &proc.sig.name;
        let mut diagnostic = self.error(
            codes::MISSING_GIVE,
            name.node,
            format!(
                "`{}` can end without giving {} `{shown}`",
                super::names::short_name(&name.name),
                if shown.starts_with(['i', 'O', 'u']) && !shown.starts_with("uni") { "an" } else { "a" }
            ),
            "its end can be reached without a `give`",
        );
        if let Some(ret) = self.ret_node {
            diagnostic = diagnostic.label(self.place(ret), format!("`{shown}` is due to this"));
        }
        diagnostic = diagnostic.note(
            "a proc with a result type gives a value on every path; its last expression is not its value",
        );
        let dropped = match block.stmts.last() {
            Some(Stmt::Expr(last)) => {
                let is_value = self.table.resolve(&last.ty) == self.table.resolve(&self.ret);
                let message = if is_value { "this value is dropped" } else { "after this the proc ends" };
                diagnostic = diagnostic.label(self.place(last.node), message);
                self.snippet(last.node).filter(|_| is_value).map(|text| (last.node, text))
            }
            _ => None,
        };
        diagnostic = match dropped {
            Some((node, text)) => diagnostic.suggest(
                self.place(node),
                format!("give {text}"),
                "give it",
                Applicability::MachineApplicable,
            ),
            None => diagnostic.help("end it with `give value` or `panic(message)`"),
        };
        self.report(diagnostic);
    }
}
