//! Statements, expressions and patterns of one body.
//!
//! Nodes are numbered in pre-order. Sugar ends here: `elif` and `c ? a : b` become nested `If`s,
//! `select` and `when` become `Match`, parentheses and unary `+` vanish, statements become expressions.
use std::collections::HashMap;

use super::codes;
use super::file::{FileLowering, TypeLowering, add, error_expr, named};
use super::hir::{
    Arg, Arm, Block, Body, Expr, ExprId, ExprKind, ExprPath, Ident, LambdaParam, Literal, ParamMode, Pat,
    PatId, PatKind, Stmt, TypeRef, TypeRefKind, UnaryOp,
};
use super::item::NodeId;
use crate::base::{Diagnostic, Name, Phase, Span};
use crate::syntax::ast;

/// Stack that must be left before an expression is lowered, and how much is added otherwise: chains
/// such as `a + b + c` are as deep as they are long.
const STACK_RED_ZONE: usize = 128 * 1024;
const STACK_SEGMENT: usize = 1024 * 1024;

pub(super) struct BodyBuilder<'b, 'a> {
    file: &'b mut FileLowering<'a>,
    spans: &'b mut Vec<Span>,
    /// Name of the proc, for the names of local procs.
    outer: &'b Name,
    body: Body,
    /// Locals in scope, innermost last; only the C-like `for` asks.
    scopes: Vec<Vec<Name>>,
}

impl<'b, 'a> BodyBuilder<'b, 'a> {
    fn new(
        file: &'b mut FileLowering<'a>,
        spans: &'b mut Vec<Span>,
        outer: &'b Name,
        locals: Vec<Name>,
    ) -> Self {
        Self { file, spans, outer, body: Body::default(), scopes: vec![locals] }
    }

    /// The body of a proc: all statements, no tail.
    pub(super) fn proc_body(
        file: &'b mut FileLowering<'a>,
        spans: &'b mut Vec<Span>,
        outer: &'b Name,
        params: Vec<Name>,
        block: &'a ast::Block,
    ) -> Body {
        let mut builder = Self::new(file, spans, outer, params);
        let mut lowered = builder.block(block);
        lowered.stmts.extend(lowered.tail.take().map(Stmt::Expr));
        builder.body.block = lowered;
        builder.body
    }

    /// A constant, a default value, an asserted condition: only a tail.
    pub(super) fn value(
        file: &'b mut FileLowering<'a>,
        spans: &'b mut Vec<Span>,
        outer: &'b Name,
        value: ast::ExprId,
    ) -> Body {
        let span = file.tree.expr(value).span;
        let mut builder = Self::new(file, spans, outer, Vec::new());
        let node = builder.node(span);
        let tail = Some(builder.expr(value));
        builder.body.block = Block { node, stmts: Vec::new(), tail };
        builder.body
    }

    fn node(&mut self, span: Span) -> NodeId {
        add(self.spans, span)
    }

    fn ident(&mut self, ident: &ast::Ident) -> Ident {
        named(self.spans, ident)
    }

    fn ty(&mut self, ty: ast::TypeId) -> TypeRef {
        TypeLowering::one(self.file, self.spans, ty)
    }

    fn types(&mut self, types: &[ast::TypeId]) -> Vec<TypeRef> {
        types.iter().map(|&t| self.ty(t)).collect()
    }

    fn push(&mut self, node: NodeId, kind: ExprKind) -> ExprId {
        self.body.exprs.push(Expr { node, kind });
        ExprId(self.body.exprs.len() as u32 - 1)
    }

    fn push_pat(&mut self, node: NodeId, kind: PatKind) -> PatId {
        self.body.pats.push(Pat { node, kind });
        PatId(self.body.pats.len() as u32 - 1)
    }

    fn declare(&mut self, name: &Name) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name.clone());
        }
    }

    fn is_local(&self, name: &Name) -> bool {
        self.scopes.iter().any(|s| s.contains(name))
    }

    // ---- statements ----

    fn block(&mut self, block: &'a ast::Block) -> Block {
        let node = self.node(block.span);
        self.scopes.push(Vec::new());
        self.file.open_block(self.outer, block);
        let mut stmts = Vec::with_capacity(block.stmts.len());
        let mut tail = None;
        for (i, stmt) in block.stmts.iter().enumerate() {
            let Some(lowered) = self.stmt(stmt) else { continue };
            match lowered {
                Stmt::Expr(e) if i + 1 == block.stmts.len() && !stmt.semi => tail = Some(e),
                Stmt::Let { .. } | Stmt::Expr(_) | Stmt::Proc(_) | Stmt::Defer(_) => stmts.push(lowered),
            }
        }
        self.file.block_items.pop();
        self.scopes.pop();
        Block { node, stmts, tail }
    }

    /// The first name of a path, which may be that of a type or static of a block.
    fn head(&mut self, ident: &ast::Ident) -> Ident {
        let inner =
            if self.is_local(&ident.name) { None } else { self.file.block_item(&ident.name).cloned() };
        let node = self.node(ident.span);
        Ident { name: inner.unwrap_or_else(|| ident.name.clone()), node }
    }

    /// A path whose first name is that of an item.
    fn path(&mut self, path: &[ast::Ident]) -> Vec<Ident> {
        path.iter().enumerate().map(|(at, i)| if at == 0 { self.head(i) } else { self.ident(i) }).collect()
    }

    fn stmt(&mut self, stmt: &'a ast::Stmt) -> Option<Stmt> {
        let span = stmt.span;
        let kind = match &stmt.kind {
            ast::StmtKind::Expr(e) => return Some(Stmt::Expr(self.expr(*e))),
            ast::StmtKind::Let { pat, ty, init, constant } => {
                self.file.array_length(*ty, *init);
                let node = self.node(span);
                if let (true, ast::PatKind::Name { name, .. }) = (*constant, &self.file.tree.pat(*pat).kind) {
                    self.file.inner_constants.push(name.name.clone());
                }
                let pat = self.pat(*pat);
                let ty = ty.map(|t| self.ty(t));
                let init = init.map(|e| self.expr(e));
                return Some(Stmt::Let { node, pat, ty, init, constant: *constant });
            }
            ast::StmtKind::Defer(body) => return Some(Stmt::Defer(self.block(body))),
            ast::StmtKind::Item(item) => return self.file.item(item, Some(self.outer)).map(Stmt::Proc),
            ast::StmtKind::Unsupported(u) => {
                self.file.not_supported(u.feature, u.head);
                let node = self.node(span);
                self.body.exprs.push(error_expr(node));
                return Some(Stmt::Expr(ExprId(self.body.exprs.len() as u32 - 1)));
            }
            kind => kind,
        };
        let node = self.node(span);
        let lowered = match kind {
            ast::StmtKind::Assign { place, op, value } => {
                let place = self.expr(*place);
                let value = self.expr(*value);
                ExprKind::Assign { place, op: *op, value }
            }
            ast::StmtKind::Give(value) => ExprKind::Give(value.map(|e| self.expr(e))),
            ast::StmtKind::While(cond, body) => {
                let cond = self.expr(*cond);
                ExprKind::While(cond, self.block(body))
            }
            ast::StmtKind::For { pat, iter, body } => {
                self.scopes.push(Vec::new());
                let pat = self.pat(*pat);
                let iter = self.expr(*iter);
                let body = self.block(body);
                self.scopes.pop();
                ExprKind::For { pat, iter, body }
            }
            ast::StmtKind::CFor { var, init, cond, place, op, step, body } => {
                self.c_for(var, *init, *cond, (*place, *op, *step), body)
            }
            ast::StmtKind::Loop(body) => ExprKind::Loop(self.block(body)),
            ast::StmtKind::Break(value) => ExprKind::Break(value.map(|e| self.expr(e))),
            ast::StmtKind::Continue => ExprKind::Continue,
            ast::StmtKind::Assert(cond, message) => {
                let cond = self.expr(*cond);
                ExprKind::Assert(cond, message.map(|e| self.expr(e)))
            }
            ast::StmtKind::Panic(message) => ExprKind::Panic(self.expr(*message)),
            ast::StmtKind::Unreachable => ExprKind::Unreachable,
            ast::StmtKind::With { value, pat, body } => {
                let value = self.expr(*value);
                self.scopes.push(Vec::new());
                let bound = self.node(self.file.tree.pat(*pat).span);
                let pat = self.pat(*pat);
                let at = self.node(body.span);
                let inner = self.block(body);
                self.scopes.pop();
                let inner = self.push(at, ExprKind::Block(inner));
                let let_ = Stmt::Let { node: bound, pat, ty: None, init: Some(value), constant: false };
                ExprKind::Block(Block { node, stmts: vec![let_], tail: Some(inner) })
            }
            ast::StmtKind::Expr(_)
            | ast::StmtKind::Let { .. }
            | ast::StmtKind::Item(_)
            | ast::StmtKind::Defer(_)
            | ast::StmtKind::Unsupported(_) => ExprKind::Error, // returned above
        };
        Some(Stmt::Expr(self.push(node, lowered)))
    }

    /// `for i = a; cond; i = step { .. }`; `i` is a new `int` unless it is a local already (§6.4).
    fn c_for(
        &mut self,
        var: &'a ast::Ident,
        init: ast::ExprId,
        cond: ast::ExprId,
        step: (ast::ExprId, Option<ast::BinaryOp>, ast::ExprId),
        body: &'a ast::Block,
    ) -> ExprKind {
        let span = var.span.to(self.file.tree.expr(init).span);
        self.scopes.push(Vec::new());
        let node = self.node(span);
        let init = if self.is_local(&var.name) {
            let at = self.node(var.span);
            let segments = vec![self.ident(var)];
            let place = self.push(at, ExprKind::Path(ExprPath { segments, args: Vec::new(), args_at: 0 }));
            let value = self.expr(init);
            Stmt::Expr(self.push(node, ExprKind::Assign { place, op: None, value }))
        } else {
            self.declare(&var.name);
            let at = self.node(var.span);
            let name = self.ident(var);
            let pat = self.push_pat(at, PatKind::Name { name, binding: true });
            let ty_node = self.node(var.span);
            let int = Ident { name: Name::new("int"), node: self.node(var.span) };
            let ty = TypeRef { node: ty_node, kind: TypeRefKind::Path { path: vec![int], args: Vec::new() } };
            let init = Some(self.expr(init));
            Stmt::Let { node, pat, ty: Some(ty), init, constant: false }
        };
        let cond = self.expr(cond);
        let (place, op, value) = step;
        let step_span = self.file.tree.expr(place).span.to(self.file.tree.expr(value).span);
        let step_node = self.node(step_span);
        let place = self.expr(place);
        let value = self.expr(value);
        let step = self.push(step_node, ExprKind::Assign { place, op, value });
        let body = self.block(body);
        self.scopes.pop();
        ExprKind::CFor { init: Box::new(init), cond, step, body }
    }

    // ---- expressions ----

    fn expr(&mut self, id: ast::ExprId) -> ExprId {
        stacker::maybe_grow(STACK_RED_ZONE, STACK_SEGMENT, || self.expr_inner(id))
    }

    fn expr_inner(&mut self, id: ast::ExprId) -> ExprId {
        let tree: &'a ast::File = self.file.tree;
        let expr = tree.expr(id);
        // What leaves no trace takes no node either.
        match &expr.kind {
            ast::ExprKind::Paren(inner) | ast::ExprKind::Unary(ast::UnaryOp::Plus, inner) => {
                return self.expr(*inner);
            }
            ast::ExprKind::Tuple(elements) if elements.is_empty() => {
                self.file.not_supported("`()` as a value", expr.span);
                let node = self.node(expr.span);
                return self.push(node, ExprKind::Error);
            }
            _ => {}
        }
        let node = self.node(expr.span);
        let kind = match &expr.kind {
            ast::ExprKind::Error | ast::ExprKind::Paren(_) => ExprKind::Error,
            ast::ExprKind::Unsupported(u) => {
                self.file.not_supported(u.feature, u.head);
                ExprKind::Error
            }
            ast::ExprKind::Literal(literal) => ExprKind::Literal(lower_literal(literal)),
            ast::ExprKind::Name(name, args) => {
                let segments = vec![self.head(name)];
                ExprKind::Path(ExprPath { segments, args: self.types(args), args_at: 0 })
            }
            ast::ExprKind::Field { base, name, args, colons } => self.field(*base, name, args, *colons),
            ast::ExprKind::Call { callee, args } => self.call(*callee, args),
            ast::ExprKind::Index(base, index) => {
                let base = self.expr(*base);
                ExprKind::Index(base, self.expr(*index))
            }
            ast::ExprKind::Slice(base, lo, hi) => {
                let base = self.expr(*base);
                let lo = lo.map(|e| self.expr(e));
                ExprKind::Slice(base, lo, hi.map(|e| self.expr(e)))
            }
            ast::ExprKind::Unary(op, inner) => {
                let inner = self.expr(*inner);
                match op {
                    ast::UnaryOp::Not => ExprKind::Unary(UnaryOp::Not, inner),
                    ast::UnaryOp::Neg => ExprKind::Unary(UnaryOp::Neg, inner),
                    ast::UnaryOp::BitNot => ExprKind::Unary(UnaryOp::BitNot, inner),
                    ast::UnaryOp::Ref => ExprKind::Ref(false, inner),
                    ast::UnaryOp::RefMut => ExprKind::Ref(true, inner),
                    ast::UnaryOp::Deref => ExprKind::Deref(inner),
                    ast::UnaryOp::Move => ExprKind::Move(inner),
                    ast::UnaryOp::Plus => ExprKind::Error, // returned above
                }
            }
            ast::ExprKind::Binary(op, op_span, left, right) => {
                let op_node = self.node(*op_span);
                let left = self.expr(*left);
                let right = self.expr(*right);
                ExprKind::Binary(*op, op_node, left, right)
            }
            ast::ExprKind::Cast(inner, ty) => {
                let inner = self.expr(*inner);
                ExprKind::Cast(inner, self.ty(*ty))
            }
            ast::ExprKind::Is { expr, pat, negated } => {
                let expr = self.expr(*expr);
                self.scopes.push(Vec::new());
                let pat = self.pat(*pat);
                self.scopes.pop();
                ExprKind::Is { expr, pat, negated: *negated }
            }
            ast::ExprKind::Ternary(cond, then, other) => {
                let cond = self.expr(*cond);
                let then = self.value_block(*then);
                let other = Some(self.value_block(*other));
                ExprKind::If { cond, then, other }
            }
            ast::ExprKind::Coalesce(left, right) => {
                let left = self.expr(*left);
                ExprKind::Coalesce(left, self.expr(*right))
            }
            ast::ExprKind::Try(inner) => ExprKind::Try(self.expr(*inner)),
            ast::ExprKind::Loop(body) => ExprKind::Loop(self.block(body)),
            ast::ExprKind::Range { lo, hi, inclusive } => {
                let lo = lo.map(|e| self.expr(e));
                let hi = hi.map(|e| self.expr(e));
                ExprKind::Range { lo, hi, inclusive: *inclusive }
            }
            ast::ExprKind::List(elements) => ExprKind::List(self.exprs(elements)),
            ast::ExprKind::Map(entries) => ExprKind::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let key = self.expr(*key);
                        (key, self.expr(*value))
                    })
                    .collect(),
            ),
            ast::ExprKind::Set(items) => ExprKind::Set(self.exprs(items)),
            ast::ExprKind::Comprehension { element, pat, iter, cond } => {
                let iter = self.expr(*iter);
                self.scopes.push(Vec::new());
                let pat = self.pat(*pat);
                let cond = cond.map(|c| self.expr(c));
                let element = self.expr(*element);
                self.scopes.pop();
                ExprKind::Comprehension { element, pat, iter, cond }
            }
            ast::ExprKind::Lambda(lambda) => self.lambda(lambda),
            ast::ExprKind::Tuple(elements) => ExprKind::Tuple(self.exprs(elements)),
            ast::ExprKind::Record { path, fields, rest } => self.record(*path, fields, *rest),
            ast::ExprKind::If { branches, other } => return self.if_chain(node, branches, other.as_ref()),
            ast::ExprKind::Match { scrutinee, arms, partial } => {
                let scrutinee = self.expr(*scrutinee);
                let mut arms: Vec<Arm> = arms.iter().map(|a| self.arm(a)).collect();
                let complete = arms.last().is_some_and(|a| {
                    a.guard.is_none() && matches!(self.body.pats[a.pat.0 as usize].kind, PatKind::Wild)
                });
                if *partial && !complete {
                    let at = self.node(Span::new(expr.span.end, expr.span.end));
                    let pat = self.push_pat(at, PatKind::Wild);
                    arms.push(Arm { pat, guard: None, body: Block { node: at, ..Block::default() } });
                }
                ExprKind::Match { scrutinee, arms }
            }
            ast::ExprKind::Block(block) => ExprKind::Block(self.block(block)),
            ast::ExprKind::Unsafe(block) => ExprKind::Unsafe(self.block(block)),
            ast::ExprKind::Layout { query, ty, field } => {
                let ty = self.ty(*ty);
                ExprKind::Layout { query: *query, ty, field: field.as_ref().map(|f| self.ident(f)) }
            }
        };
        self.push(node, kind)
    }

    fn lambda(&mut self, lambda: &'a ast::Lambda) -> ExprKind {
        self.scopes.push(Vec::new());
        let mut seen: Vec<&ast::Ident> = Vec::new();
        let mut params = Vec::with_capacity(lambda.params.len());
        for param in &lambda.params {
            if let Some(first) = seen.iter().find(|p| p.name == param.name.name && p.name != "_") {
                let help = "give every parameter a name of its own";
                self.file.duplicate(codes::DUPLICATE_BINDING, "parameter", &param.name, first.span, help);
            }
            seen.push(&param.name);
            if let Some(default) = param.default {
                self.file.not_supported(
                    "default values of a lambda's parameters",
                    self.file.tree.expr(default).span,
                );
            }
            self.declare(&param.name.name);
            let name = self.ident(&param.name);
            let mode = match param.mode {
                ast::ParamMode::Plain => ParamMode::Plain,
                ast::ParamMode::Move => ParamMode::Move,
                ast::ParamMode::Ref => ParamMode::Ref,
                ast::ParamMode::RefMut => ParamMode::RefMut,
            };
            params.push(LambdaParam { name, mode, ty: param.ty.map(|t| self.ty(t)) });
        }
        let ret = lambda.ret.map(|t| self.ty(t));
        let body = self.expr(lambda.body);
        self.scopes.pop();
        ExprKind::Lambda { params, ret, body, explicit: lambda.explicit }
    }

    fn exprs(&mut self, list: &[ast::ExprId]) -> Vec<ExprId> {
        list.iter().map(|&e| self.expr(e)).collect()
    }

    fn value_block(&mut self, e: ast::ExprId) -> Block {
        let node = self.node(self.file.tree.expr(e).span);
        Block { node, stmts: Vec::new(), tail: Some(self.expr(e)) }
    }

    fn field(
        &mut self,
        base: ast::ExprId,
        name: &'a ast::Ident,
        args: &[ast::TypeId],
        colons: bool,
    ) -> ExprKind {
        let base = self.expr(base);
        let name = self.ident(name);
        let args = self.types(args);
        if colons
            && let ExprKind::Path(path) = &mut self.body.exprs[base.0 as usize].kind
            && (path.args.is_empty() || args.is_empty())
        {
            // `a::b` is one path. Its first part was the last expression made, so it can be taken back.
            let mut path = path.clone();
            if !args.is_empty() {
                (path.args, path.args_at) = (args, path.segments.len());
            }
            path.segments.push(name);
            if base.0 as usize + 1 == self.body.exprs.len() {
                self.body.exprs.pop();
            }
            return ExprKind::Path(path);
        }
        ExprKind::Field { base, name, args }
    }

    fn call(&mut self, callee: ast::ExprId, args: &'a [ast::Arg]) -> ExprKind {
        if let ast::ExprKind::Name(name, _) = &self.file.tree.expr(callee).kind
            && args.iter().all(|a| a.name.is_none())
            && !self.file.shadowed.contains(&name.name)
            && !self.is_local(&name.name)
        {
            match (name.name.as_str(), args) {
                ("panic", [message]) => return ExprKind::Panic(self.expr(message.value)),
                ("assert", [cond]) => return ExprKind::Assert(self.expr(cond.value), None),
                ("assert", [cond, message]) => {
                    let cond = self.expr(cond.value);
                    return ExprKind::Assert(cond, Some(self.expr(message.value)));
                }
                _ => {}
            }
        }
        let callee = self.expr(callee);
        let args = args
            .iter()
            .map(|a| {
                let name = a.name.as_ref().map(|n| self.ident(n));
                Arg { name, value: self.expr(a.value) }
            })
            .collect();
        ExprKind::Call { callee, args }
    }

    fn record(
        &mut self,
        path: Option<ast::ExprId>,
        fields: &'a [(ast::Ident, Option<ast::ExprId>)],
        rest: Option<(Span, Option<ast::ExprId>)>,
    ) -> ExprKind {
        let path = path.map(|p| self.record_path(p));
        let mut seen: HashMap<&Name, Span> = HashMap::new();
        let mut lowered = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            if let Some(&first) = seen.get(&name.name).filter(|_| !name.name.is_empty()) {
                let diagnostic = Diagnostic::error(
                    codes::DUPLICATE_FIELD,
                    Phase::Sema,
                    self.file.place(name.span),
                    format!("field `{}` is given twice", name.name),
                    "given again here",
                )
                .label(self.file.place(first), "first given here")
                .note("a record names every field once")
                .help("remove one of the two");
                self.file.push(diagnostic);
                continue;
            }
            seen.insert(&name.name, name.span);
            let ident = self.ident(name);
            let value = match value {
                Some(e) => self.expr(*e),
                None => {
                    let node = self.node(name.span);
                    let segments = vec![Ident { name: name.name.clone(), node }];
                    self.push(node, ExprKind::Path(ExprPath { segments, args: Vec::new(), args_at: 0 }))
                }
            };
            lowered.push((ident, value));
        }
        let base = match rest {
            Some((_, Some(e))) => Some(self.expr(e)),
            // A lone `..`: the fields that have default values.
            Some((_, None)) | None => None,
        };
        ExprKind::Record { path, fields: lowered, base }
    }

    /// `T`, `m.T<U>`: a chain of names, at most a few long.
    fn record_path(&mut self, mut e: ast::ExprId) -> ExprPath {
        let tree: &'a ast::File = self.file.tree;
        let mut parts: Vec<(&ast::Ident, &[ast::TypeId])> = Vec::new();
        loop {
            match &tree.expr(e).kind {
                ast::ExprKind::Field { base, name, args, .. } => {
                    parts.push((name, args));
                    e = *base;
                }
                ast::ExprKind::Name(name, args) => {
                    parts.push((name, args));
                    break;
                }
                _ => break,
            }
        }
        let mut path = ExprPath { segments: Vec::new(), args: Vec::new(), args_at: 0 };
        for (name, args) in parts.into_iter().rev() {
            let ident = if path.segments.is_empty() { self.head(name) } else { self.ident(name) };
            path.segments.push(ident);
            if !args.is_empty() {
                path.args = self.types(args);
                path.args_at = path.segments.len() - 1;
            }
        }
        path
    }

    /// `if a { } elif b { } else { }` as nested `If`s, without recursion over the branches.
    fn if_chain(
        &mut self,
        node: NodeId,
        branches: &'a [(ast::ExprId, ast::Block)],
        other: Option<&'a ast::Block>,
    ) -> ExprId {
        let mut lowered = Vec::with_capacity(branches.len());
        for (i, (cond, block)) in branches.iter().enumerate() {
            // An `elif` is a block of its own whose value is the next `If`.
            let nodes = if i == 0 {
                (node, node)
            } else {
                let span = self.file.tree.expr(*cond).span.to(block.span);
                (self.node(span), self.node(span))
            };
            let cond = self.expr(*cond);
            lowered.push((nodes, cond, self.block(block)));
        }
        let mut rest = other.map(|b| self.block(b));
        let mut result = None;
        while let Some(((outer, inner), cond, then)) = lowered.pop() {
            let id = self.push(inner, ExprKind::If { cond, then, other: rest.take() });
            rest = Some(Block { node: outer, stmts: Vec::new(), tail: Some(id) });
            result = Some(id);
        }
        match result {
            Some(id) => id,
            None => self.push(node, ExprKind::Error),
        }
    }

    fn arm(&mut self, arm: &'a ast::Arm) -> Arm {
        self.scopes.push(Vec::new());
        let pat = self.pat(arm.pat);
        let guard = arm.guard.map(|g| self.expr(g));
        let body = self.block(&arm.body);
        self.scopes.pop();
        Arm { pat, guard, body }
    }

    // ---- patterns ----

    fn pat(&mut self, id: ast::PatId) -> PatId {
        let tree: &'a ast::File = self.file.tree;
        let pat = tree.pat(id);
        let node = self.node(pat.span);
        let kind = match &pat.kind {
            ast::PatKind::Error => PatKind::Error,
            ast::PatKind::Wild => PatKind::Wild,
            ast::PatKind::Name { name, binding } => {
                self.declare(&name.name);
                PatKind::Name { name: self.ident(name), binding: *binding }
            }
            ast::PatKind::Variant { path, args } => {
                let path = self.path(path);
                let args = args.as_ref().map(|args| {
                    args.iter()
                        .map(|(name, p)| {
                            let name = name.as_ref().map(|n| self.ident(n));
                            (name, self.pat(*p))
                        })
                        .collect()
                });
                PatKind::Variant { path, args }
            }
            ast::PatKind::Record { path, fields, rest } => {
                let path = self.path(path);
                let fields = fields
                    .iter()
                    .map(|(name, p)| {
                        let name = self.ident(name);
                        (name, self.pat(*p))
                    })
                    .collect();
                PatKind::Record { path, fields, rest: *rest }
            }
            ast::PatKind::Literal(literal, negative) => {
                PatKind::Literal { literal: lower_literal(literal), negative: *negative }
            }
            ast::PatKind::Range { lo, hi, inclusive } => {
                let end = |e: &Option<(ast::Literal, bool)>| e.as_ref().map(|(l, n)| (lower_literal(l), *n));
                PatKind::Range { lo: end(lo), hi: end(hi), inclusive: *inclusive }
            }
            ast::PatKind::Or(list) => PatKind::Or(list.iter().map(|&p| self.pat(p)).collect()),
            ast::PatKind::Tuple(list) => PatKind::Tuple(list.iter().map(|&p| self.pat(p)).collect()),
            ast::PatKind::List(list) => PatKind::List(list.iter().map(|&p| self.pat(p)).collect()),
        };
        self.push_pat(node, kind)
    }
}

fn lower_literal(literal: &ast::Literal) -> Literal {
    match literal {
        ast::Literal::Int(value, suffix) => Literal::Int(*value, suffix.clone()),
        ast::Literal::Float(bits, suffix) => Literal::Float(*bits, suffix.clone()),
        ast::Literal::Bool(value) => Literal::Bool(*value),
        ast::Literal::Char(value) => Literal::Char(*value),
        ast::Literal::Str(text) => Literal::Str(text.clone()),
        ast::Literal::Bytes(bytes) => Literal::Bytes(bytes.clone()),
        ast::Literal::Null => Literal::Null,
    }
}
