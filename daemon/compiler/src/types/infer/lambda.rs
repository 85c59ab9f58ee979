//! Lambdas and what else has a body inside an expression: `defer`, list comprehensions.
use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::thir::{self, Block, Expr, ExprKind, LocalId, Stmt};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::unify::Origin;
use super::{Checker, Expect, codes, expr, walk};
use crate::lower::NodeId;
use crate::lower::hir::{self, ExprId, LambdaParam, ParamMode, PatId};

/// Gives the locals of a lambda their places in a body of their own: captures, then what it declares.
struct Renumber<'c> {
    start: u32,
    captures: &'c [LocalId],
}

impl walk::Change for Renumber<'_> {
    fn ty(&mut self, _ty: &mut Ty) {}

    fn local(&mut self, local: &mut LocalId) {
        if local.0 >= self.start {
            local.0 = local.0 - self.start + self.captures.len() as u32;
        } else if let Some(at) = self.captures.iter().position(|captured| captured == local) {
            local.0 = at as u32;
        }
    }
}

/// Collects the locals below `start` that a block names.
struct Captured {
    start: u32,
    found: BTreeSet<LocalId>,
}

impl walk::Change for Captured {
    fn ty(&mut self, _ty: &mut Ty) {}

    fn local(&mut self, local: &mut LocalId) {
        if local.0 < self.start {
            self.found.insert(*local);
        }
    }
}

impl Checker<'_> {
    pub(super) fn lambda(
        &mut self,
        node: NodeId,
        params: &[LambdaParam],
        ret: Option<&hir::TypeRef>,
        body: ExprId,
        explicit: bool,
        expect: &Expect<'_>,
    ) -> Expr {
        let expected = expect.ty().map(|ty| self.table.shallow(ty));
        let (wanted, wanted_ret) = match &expected {
            Some(Ty::Proc(tys, ret)) if tys.len() == params.len() => {
                (Some(tys.clone()), Some(Ty::clone(ret)))
            }
            _ => (None, None),
        };
        let start = self.locals.len() as u32;
        let outer_start = std::mem::replace(&mut self.lambda_start, start);
        let outer_loops = std::mem::take(&mut self.loops);
        let outer_defer = std::mem::take(&mut self.in_defer);
        let outer_ret = std::mem::replace(&mut self.ret, Ty::Unit);
        let outer_test = std::mem::take(&mut self.is_test);
        let outer_ret_node = self.ret_node.take();
        self.names.open();
        let mut tys = Vec::with_capacity(params.len());
        for (index, param) in params.iter().enumerate() {
            let wanted = wanted.as_ref().and_then(|tys| tys.get(index)).cloned();
            let ty = match (&param.ty, wanted) {
                (Some(written), _) => match (param.mode, self.written(written)) {
                    (ParamMode::Plain | ParamMode::Move, ty) | (_, ty @ (Ty::Ref(..) | Ty::Error)) => ty,
                    (ParamMode::Ref, ty) => Ty::Ref(false, Arc::new(ty)),
                    (ParamMode::RefMut, ty) => Ty::Ref(true, Arc::new(ty)),
                },
                (None, Some(wanted)) => wanted,
                (None, None) => self.table.fresh(param.name.node, Origin::LambdaParameter),
            };
            let local = self.new_local(&param.name, ty.clone());
            if !self.names.find(&param.name.name).is_some_and(|(_, same_scope)| same_scope) {
                self.declare(&param.name, local);
            }
            tys.push(ty);
        }
        self.ret = match (ret, explicit, wanted_ret) {
            (Some(written), _, _) => {
                self.ret_node = Some(written.node);
                self.written(written)
            }
            (None, true, _) => Ty::Unit,
            (None, false, Some(wanted)) => wanted,
            (None, false, None) => self.table.fresh(node, Origin::LambdaResult),
        };
        let block = self.lambda_body(body, explicit);
        self.names.close();
        let ret = std::mem::replace(&mut self.ret, outer_ret);
        self.ret_node = outer_ret_node;
        self.in_defer = outer_defer;
        self.is_test = outer_test;
        self.loops = outer_loops;
        self.lambda_start = outer_start;
        self.close_lambda(node, start, block, tys, ret)
    }

    /// The body of a lambda: with the braces of `proc(..) { }` as that of a proc, else a value.
    fn lambda_body(&mut self, body: ExprId, explicit: bool) -> Block {
        let node = self.hir_expr(body).node;
        let value = match &self.hir_expr(body).kind {
            hir::ExprKind::Block(block) => {
                self.names.open();
                let (mut checked, ty) = if explicit {
                    self.block_statements(block)
                } else {
                    let (stmts, leaves) = self.statements(&block.stmts);
                    let tail = block.tail.map(|tail| Box::new(self.lambda_value(tail)));
                    let ty = match &tail {
                        _ if leaves => Ty::Never,
                        Some(tail) => tail.ty.clone(),
                        None => Ty::Unit,
                    };
                    (Block { node: block.node, stmts, tail }, ty)
                };
                self.names.close();
                let gives = checked.tail.is_some();
                self.end_of_lambda(&mut checked, &ty, gives);
                return checked;
            }
            _ => self.lambda_value(body),
        };
        if self.table.shallow(&self.ret) == Ty::Unit {
            return Block { node, stmts: vec![Stmt::Expr(value)], tail: None };
        }
        Block { node, stmts: Vec::new(), tail: Some(Box::new(value)) }
    }

    /// The last expression of a lambda, which is its result; one without a value is only run.
    fn lambda_value(&mut self, id: ExprId) -> Expr {
        let ret = self.table.shallow(&self.ret);
        match ret {
            Ty::Unit => self.infer(id, &Expect::Nothing),
            Ty::Infer(_) => {
                let value = self.infer(id, &Expect::Value);
                let value = self.read(value);
                if value.ty != Ty::Never {
                    return self.coerce(value, &ret, &Reason::Give);
                }
                value
            }
            _ => self.check(id, &ret, &Reason::Give),
        }
    }

    /// Falling off the end gives nothing.
    fn end_of_lambda(&mut self, block: &mut Block, ty: &Ty, gives: bool) {
        let ret = self.table.shallow(&self.ret);
        if *ty == Ty::Never {
            return;
        }
        if gives && ret != Ty::Unit {
            return;
        }
        if let Some(tail) = block.tail.take() {
            block.stmts.push(Stmt::Expr(*tail));
        }
        match ret {
            Ty::Unit | Ty::Error => {}
            Ty::Infer(_) => {
                self.unify(&ret, &Ty::Unit);
            }
            _ => {
                let shown = self.show(&ret);
                let mut diagnostic = self.error(
                    codes::MISSING_GIVE,
                    block.node,
                    format!("this procedure value can end without giving a `{shown}`"),
                    "its end can be reached without a `give`",
                );
                if let Some(node) = self.ret_node {
                    diagnostic = diagnostic.label(self.place(node), format!("`{shown}` is due to this"));
                }
                let diagnostic = diagnostic
                    .note("a procedure value with a result gives a value on every path")
                    .help("end it with `give value`");
                self.report(diagnostic);
            }
        }
    }

    /// Takes a checked lambda out of the body around it.
    fn close_lambda(&mut self, node: NodeId, start: u32, block: Block, tys: Vec<Ty>, ret: Ty) -> Expr {
        let mut captured = Captured { start, found: BTreeSet::new() };
        let mut block = block;
        walk::block(&mut block, &mut captured);
        let captures: Vec<LocalId> = captured.found.into_iter().collect();
        for &local in &captures {
            let ty = self.table.shallow(&self.local(local).ty);
            if matches!(ty, Ty::Ref(true, _)) {
                let name = self.local(local).name.clone();
                let diagnostic = self
                    .error(
                        codes::CAPTURE,
                        node,
                        format!("a lambda cannot capture `{name}`, a `ref mut`"),
                        "may be called when the place is gone",
                    )
                    .label(self.place(self.local(local).node), "declared here")
                    .note("a lambda captures values, and may outlive what a reference is to")
                    .help(format!("pass `{name}` as an argument, or copy the value first"));
                self.report(diagnostic);
            }
        }
        walk::block(&mut block, &mut Renumber { start, captures: &captures });
        let mut locals: Vec<thir::Local> = captures
            .iter()
            .map(|&local| {
                let mut copy = self.local(local).clone();
                copy.moves_argument = false;
                copy
            })
            .collect();
        locals.extend(self.locals.iter().skip(start as usize).cloned());
        let body = thir::Body {
            generics: Vec::new(),
            param_count: captures.len() + tys.len(),
            captures: captures.len(),
            locals,
            ret: ret.clone(),
            block,
            lambdas: Vec::new(),
            ok: false,
        };
        self.lambdas.push(Some(body));
        let index = self.lambdas.len() as u32 - 1;
        expr(Ty::Proc(tys.into(), Arc::new(ret)), node, ExprKind::Lambda { index, captures })
    }

    /// Reports a captured local that is set: what a lambda has is a copy.
    pub(super) fn captured_is_set(&mut self, local: LocalId, node: NodeId) -> bool {
        let (name, at) = (self.local(local).name.clone(), self.local(local).node);
        let diagnostic = self
            .error(
                codes::CAPTURE,
                node,
                format!("a lambda cannot change `{name}`, which it captures"),
                "has a copy of it",
            )
            .label(self.place(at), "declared outside of the lambda")
            .note("lambdas capture by value, so the change would be lost")
            .help(format!("take it as a parameter, or copy it: `let own = {name}`"));
        self.report(diagnostic);
        false
    }

    /// `defer { .. }`
    pub(super) fn defer(&mut self, block: &hir::Block) -> Stmt {
        let outer_loops = std::mem::take(&mut self.loops);
        let outer = std::mem::replace(&mut self.in_defer, true);
        let (block, _) = self.block(block, &Expect::Nothing);
        self.in_defer = outer;
        self.loops = outer_loops;
        Stmt::Defer(Arc::new(block))
    }

    /// Reports what would leave a `defer`.
    pub(super) fn leaves_defer(&mut self, node: NodeId, word: &str) -> Expr {
        let diagnostic = self
            .error(
                codes::OUTSIDE_LOOP,
                node,
                format!("`{word}` cannot leave a `defer`"),
                "the scope is being left already",
            )
            .note("a `defer` runs to its end when its scope is left")
            .help("use `if` instead");
        self.report(diagnostic);
        expr(Ty::Never, node, ExprKind::Error)
    }

    /// `[e for p in xs if c]`: `{ let out = []; for p in xs { if c { out.push(e) } } out }`
    pub(super) fn comprehension(
        &mut self,
        node: NodeId,
        element: ExprId,
        pat: PatId,
        iter: ExprId,
        cond: Option<ExprId>,
        expect: &Expect<'_>,
    ) -> Expr {
        let expected = expect.ty().and_then(|ty| match self.table.shallow(ty) {
            Ty::List(element) => Some(Ty::clone(&element)),
            _ => None,
        });
        let (iter, item) = self.for_subject(iter);
        self.names.open();
        let pat = self.loop_pattern(pat, &item);
        let cond = cond.map(|cond| self.condition(cond));
        let value = match &expected {
            Some(ty) => self.check(element, ty, &Reason::Element),
            None => self.check_value(element, &Expect::Value),
        };
        self.names.close();
        let element = expected.unwrap_or_else(|| value.ty.clone());
        let ty = Ty::List(Arc::new(element.clone()));
        let (mut stmts, out) = self.keep(expr(ty.clone(), node, ExprKind::List(Vec::new())));
        let address = Ty::Ref(true, Arc::new(ty.clone()));
        let place = expr(address, node, ExprKind::Ref(true, Box::new(out.clone())));
        let push = self.core_call("list_push", vec![element], vec![place, value], Ty::Unit, node);
        let mut body = Block { node, stmts: vec![Stmt::Expr(push)], tail: None };
        if let Some(cond) = cond {
            let kind = ExprKind::If { cond: Box::new(cond), then: body, other: None };
            body = Block { node, stmts: vec![Stmt::Expr(expr(Ty::Unit, node, kind))], tail: None };
        }
        stmts.push(Stmt::Expr(expr(Ty::Unit, node, ExprKind::For { pat, iter, body })));
        let block = Block { node, stmts, tail: Some(Box::new(out)) };
        expr(ty, node, ExprKind::Block(block))
    }
}
