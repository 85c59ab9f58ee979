//! THIR as text, for `emit` and tests: one statement a line, types after `:`, conversions explicit.
use std::fmt::Write;

use super::thir::{Arg, Block, Body, Callee, Expr, ExprKind, ForIter, LocalId, Pat, PatKind, Stmt};
use super::ty::Ty;
use super::{form_data, pick_data, ty_name};
use crate::base::Db;
use crate::lower::ItemId;
use crate::lower::hir::{BinaryOp, UnaryOp};

/// The typed form of an item's body.
pub fn dump_thir(db: &dyn Db, item: ItemId, body: &Body) -> String {
    let mut dump = Dump { db, body, out: String::new(), indent: 0 };
    let params: Vec<String> =
        (0..body.param_count).map(|index| dump.declared(LocalId(index as u32))).collect();
    let generics =
        if body.generics.is_empty() { String::new() } else { format!("<{}>", body.generics.join(", ")) };
    let _ =
        write!(dump.out, "{}{generics}({}) -> {} ", item.name(db), params.join(", "), ty_name(db, &body.ret));
    dump.block(&body.block);
    dump.out.push('\n');
    dump.out
}

struct Dump<'a> {
    db: &'a dyn Db,
    body: &'a Body,
    out: String,
    indent: usize,
}

impl Dump<'_> {
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.indent {
            self.out.push_str("    ");
        }
    }

    fn local(&self, id: LocalId) -> String {
        match self.body.locals.get(id.0 as usize) {
            Some(local) => format!("{}#{}", local.name, id.0),
            None => format!("?#{}", id.0),
        }
    }

    fn declared(&self, id: LocalId) -> String {
        let ty =
            self.body.locals.get(id.0 as usize).map_or_else(|| "?".to_owned(), |l| ty_name(self.db, &l.ty));
        format!("{}: {ty}", self.local(id))
    }

    fn block(&mut self, block: &Block) {
        if block.stmts.is_empty() && block.tail.is_none() {
            return self.text("{ }");
        }
        self.text("{");
        self.indent += 1;
        for stmt in &block.stmts {
            self.line();
            self.stmt(stmt);
        }
        if let Some(tail) = &block.tail {
            self.line();
            self.text("= ");
            self.expr(tail);
        }
        self.indent -= 1;
        self.line();
        self.text("}");
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let { pat, init, .. } => {
                self.text("let ");
                self.pat(pat);
                if let Some(init) = init {
                    self.text(" = ");
                    self.expr(init);
                }
            }
            Stmt::Expr(value) => self.expr(value),
            Stmt::Defer(block) => {
                self.text("defer ");
                self.block(block);
            }
        }
    }

    fn list(&mut self, open: &str, values: &[Expr], close: &str) {
        self.text(open);
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.text(", ");
            }
            self.expr(value);
        }
        self.text(close);
    }

    fn type_args(&mut self, tys: &[Ty]) {
        if !tys.is_empty() {
            let tys: Vec<String> = tys.iter().map(|ty| ty_name(self.db, ty)).collect();
            self.text(&format!("<{}>", tys.join(", ")));
        }
    }

    fn args(&mut self, args: &[Arg]) {
        self.text("(");
        for (index, arg) in args.iter().enumerate() {
            if index > 0 {
                self.text(", ");
            }
            if arg.param as usize != index {
                self.text(&format!("{}: ", arg.param));
            }
            self.expr(&arg.value);
        }
        self.text(")");
    }

    fn prefix(&mut self, word: &str, value: &Expr) {
        self.text(word);
        self.expr(value);
    }

    fn infix(&mut self, lhs: &Expr, sign: &str, rhs: &Expr) {
        self.text("(");
        self.expr(lhs);
        self.text(&format!(" {sign} "));
        self.expr(rhs);
        self.text(")");
    }

    /// Deep chains of operators nest as deep here as in the source.
    fn expr(&mut self, value: &Expr) {
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || self.expr_inner(value));
    }

    fn expr_inner(&mut self, value: &Expr) {
        let db = self.db;
        match &value.kind {
            ExprKind::Error => self.text("<error>"),
            ExprKind::Int(number) => match value.ty {
                Ty::Bool => self.text(if *number == 0 { "false" } else { "true" }),
                Ty::Char => {
                    let c = u32::try_from(*number).ok().and_then(char::from_u32);
                    self.text(&c.map_or_else(|| number.to_string(), |c| format!("{c:?}")));
                }
                _ => self.text(&format!("{number}{}", ty_name(db, &value.ty))),
            },
            ExprKind::Float(bits) => {
                self.text(&format!("{:?}{}", f64::from_bits(*bits), ty_name(db, &value.ty)));
            }
            ExprKind::Str(text) => self.text(&format!("{text:?}")),
            ExprKind::Bytes(bytes) => self.text(&format!("b\"{}\"", bytes.escape_ascii())),
            ExprKind::Unit => self.text("()"),
            ExprKind::Local(local) => {
                let text = self.local(*local);
                self.text(&text);
            }
            ExprKind::Const(item) | ExprKind::Static(item) => self.text(item.name(db)),
            ExprKind::Lambda { index, captures } => {
                let captures: Vec<String> = captures.iter().map(|local| self.local(*local)).collect();
                self.text(&format!("lambda {index}({})", captures.join(", ")));
            }
            ExprKind::Dyn { value, .. } => {
                self.text("dyn ");
                self.expr(value);
            }
            ExprKind::ProcRef(item, tys) => {
                self.text(item.name(db));
                self.type_args(tys);
            }
            ExprKind::Call { callee, args } => {
                match callee {
                    Callee::Proc(item, tys) => {
                        self.text(item.name(db));
                        self.type_args(tys);
                    }
                    Callee::Intrinsic(intrinsic, tys) => {
                        self.text(&format!("@{intrinsic:?}"));
                        self.type_args(tys);
                    }
                    Callee::Value(value) => {
                        self.text("(");
                        self.expr(value);
                        self.text(")");
                    }
                }
                self.args(args);
            }
            ExprKind::Record { fields, base } => {
                self.text(&format!("{} {{ ", ty_name(db, &value.ty)));
                for (index, field) in fields {
                    let name = field_name(db, &value.ty, *index);
                    self.text(&format!("{name}: "));
                    self.expr(field);
                    self.text(", ");
                }
                if let Some(base) = base {
                    self.prefix("..", base);
                    self.text(" ");
                }
                self.text("}");
            }
            ExprKind::Variant { variant, fields } => {
                self.text(&format!("{}.{}", ty_name(db, &value.ty), variant_name(db, &value.ty, *variant)));
                if !fields.is_empty() {
                    self.list("(", fields, ")");
                }
            }
            ExprKind::List(values) => self.list("[", values, "]"),
            ExprKind::Tuple(values) => self.list("(", values, ")"),
            ExprKind::Field(base, index) => {
                self.expr(base);
                let name = field_name(db, &base.ty, *index);
                self.text(&format!(".{name}"));
            }
            ExprKind::Index(base, index) | ExprKind::StringIndex(base, index) => {
                self.expr(base);
                self.text("[");
                self.expr(index);
                self.text("]");
            }
            ExprKind::Deref(value) => self.prefix("*", value),
            ExprKind::Ref(mutable, value) => self.prefix(if *mutable { "ref mut " } else { "ref " }, value),
            ExprKind::Move(value) => self.prefix("move ", value),
            ExprKind::Unary(op, value) => {
                let sign = match op {
                    UnaryOp::Not => "not ",
                    UnaryOp::Neg => "-",
                    UnaryOp::BitNot => "~",
                };
                self.prefix(sign, value);
            }
            ExprKind::Binary(op, lhs, rhs) | ExprKind::Compare(op, lhs, rhs) => {
                self.infix(lhs, op.symbol(), rhs);
            }
            ExprKind::Logical { or, lhs, rhs } => self.infix(lhs, if *or { "or" } else { "and" }, rhs),
            ExprKind::Cast(inner) => {
                self.text("(");
                self.expr(inner);
                self.text(&format!(" as {})", ty_name(db, &value.ty)));
            }
            ExprKind::If { cond, then, other } => {
                self.prefix("if ", cond);
                self.text(" ");
                self.block(then);
                if let Some(other) = other {
                    self.text(" else ");
                    self.block(other);
                }
            }
            ExprKind::Match { scrutinee, arms } => {
                self.prefix("match ", scrutinee);
                self.text(" {");
                self.indent += 1;
                for arm in arms {
                    self.line();
                    self.pat(&arm.pat);
                    if let Some(guard) = &arm.guard {
                        self.prefix(" if ", guard);
                    }
                    self.text(" ");
                    self.block(&arm.body);
                }
                self.indent -= 1;
                self.line();
                self.text("}");
            }
            ExprKind::Block(block) => self.block(block),
            ExprKind::While(cond, body) => {
                self.prefix("while ", cond);
                self.text(" ");
                self.block(body);
            }
            ExprKind::Loop(body) => {
                self.text("loop ");
                self.block(body);
            }
            ExprKind::For { pat, iter, body } => {
                self.text("for ");
                self.pat(pat);
                match iter {
                    ForIter::List(value) => self.prefix(" in list ", value),
                    ForIter::Str(value) => self.prefix(" in string ", value),
                    ForIter::Range { lo, hi, inclusive } => {
                        self.prefix(" in ", lo);
                        self.prefix(if *inclusive { "..=" } else { ".." }, hi);
                    }
                    ForIter::Next { iter, next } => {
                        self.text(&format!(" in {}", next.0.name(db)));
                        self.type_args(&next.1);
                        self.prefix(" ", iter);
                    }
                }
                self.text(" ");
                self.block(body);
            }
            ExprKind::CFor { init, cond, step, body } => {
                self.text("for ");
                self.stmt(init);
                self.prefix("; ", cond);
                self.prefix("; ", step);
                self.text(" ");
                self.block(body);
            }
            ExprKind::Assign { place, op, value } => {
                self.prefix("set ", place);
                self.prefix(&format!(" {}= ", op.map_or("", BinaryOp::symbol)), value);
            }
            ExprKind::Give(value) => self.leave("give", value.as_deref()),
            ExprKind::Break(value) => self.leave("break", value.as_deref()),
            ExprKind::Continue => self.text("continue"),
            ExprKind::Assert(cond, message) => {
                self.prefix("assert(", cond);
                if let Some(message) = message {
                    self.prefix(", ", message);
                }
                self.text(")");
            }
            ExprKind::Panic(message) => {
                self.prefix("panic(", message);
                self.text(")");
            }
            ExprKind::Unreachable => self.text("unreachable"),
        }
    }

    fn leave(&mut self, word: &str, value: Option<&Expr>) {
        self.text(word);
        if let Some(value) = value {
            self.prefix(" ", value);
        }
    }

    fn pats(&mut self, pats: &[Pat], between: &str) {
        for (index, pat) in pats.iter().enumerate() {
            if index > 0 {
                self.text(between);
            }
            self.pat(pat);
        }
    }

    fn pat(&mut self, pat: &Pat) {
        let db = self.db;
        match &pat.kind {
            PatKind::Wild => self.text("_"),
            PatKind::Bind(local) => {
                let text = self.declared(*local);
                self.text(&text);
            }
            PatKind::Variant(index, fields) => {
                self.text(&variant_name(db, &pat.ty, *index));
                if !fields.is_empty() {
                    self.text("(");
                    self.fields(fields, &pat.ty);
                    self.text(")");
                }
            }
            PatKind::Record(fields) => {
                self.text("{ ");
                self.fields(fields, &pat.ty);
                self.text(" }");
            }
            PatKind::Int(number) => self.text(&number.to_string()),
            PatKind::Float(bits) => self.text(&format!("{:?}", f64::from_bits(*bits))),
            PatKind::Str(text) => self.text(&format!("{text:?}")),
            PatKind::Const(item) => self.text(item.name(db)),
            PatKind::Range(lo, hi) => {
                let bound = |bound: &Option<i128>| bound.map(|b| b.to_string()).unwrap_or_default();
                let text = format!("{}..={}", bound(lo), bound(hi));
                self.text(&text);
            }
            PatKind::Or(many) => self.pats(many, " | "),
            PatKind::List(many) => {
                self.text("[");
                self.pats(many, ", ");
                self.text("]");
            }
        }
    }

    fn fields(&mut self, fields: &[(u32, Pat)], ty: &Ty) {
        for (position, (index, pat)) in fields.iter().enumerate() {
            if position > 0 {
                self.text(", ");
            }
            let name = field_name(self.db, ty, *index);
            self.text(&format!("{name}: "));
            self.pat(pat);
        }
    }
}

fn field_name(db: &dyn Db, ty: &Ty, index: u32) -> String {
    match ty {
        Ty::Form(form, _) => form_data(db, *form)
            .fields
            .get(index as usize)
            .map_or_else(|| index.to_string(), |(name, _)| name.to_string()),
        _ => index.to_string(),
    }
}

fn variant_name(db: &dyn Db, ty: &Ty, index: u32) -> String {
    match ty {
        Ty::Pick(pick, _) => pick_data(db, *pick)
            .variants
            .get(index as usize)
            .map_or_else(|| index.to_string(), |variant| variant.name.to_string()),
        _ => index.to_string(),
    }
}
