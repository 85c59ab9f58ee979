//! Stable, readable text of a file's HIR, for `emit --stage hir`.
use std::fmt::Write as _;

use super::hir::{
    Block, Body, ExprId, ExprKind, ExprPath, ItemHir, Literal, ParamMode, PatId, PatKind, Stmt, TypeRef,
    TypeRefKind, UnaryOp,
};
use super::{ItemId, item_hir, item_tree};
use crate::base::{Db, SourceFile};

/// Longest chain that is printed; beyond it stands `…`.
const MAX_PRINT_DEPTH: u32 = 400;

/// The HIR of a file's items in source order.
pub fn file(db: &dyn Db, file: SourceFile) -> String {
    let mut out = String::new();
    for entry in &item_tree(db, file).items {
        item(db, entry.id, 0, &mut out);
    }
    out
}

fn item(db: &dyn Db, id: ItemId, indent: usize, out: &mut String) {
    let mut printer = Printer { db, body: None, out, indent, depth: 0 };
    match &**item_hir(db, id) {
        ItemHir::Missing => {}
        ItemHir::Proc(proc) => {
            let params: Vec<String> = proc
                .sig
                .params
                .iter()
                .map(|p| {
                    let mode = match p.mode {
                        ParamMode::Plain => "",
                        ParamMode::Move => "move ",
                        ParamMode::Ref => "ref ",
                        ParamMode::RefMut => "ref mut ",
                    };
                    format!("{mode}{}: {}", p.name.name, ty(&p.ty))
                })
                .collect();
            let generics = generics(&proc.sig.generics);
            let ret = proc.sig.ret.as_ref().map_or(String::new(), |t| format!(" -> {}", ty(t)));
            printer.line(&format!("proc {}{generics}({}){ret}", id.name(db), params.join(", ")));
            if let Some(body) = &proc.body {
                printer.body = Some(body);
                printer.block(&body.block);
            }
        }
        ItemHir::Form(form) => {
            printer.line(&format!("form {}{}", form.name.name, generics(&form.generics)));
            printer.indent += 1;
            for field in &form.fields {
                let name = field.name.as_ref().map_or("", |n| n.name.as_str());
                printer.line(&format!("{name}: {}", ty(&field.ty)));
            }
        }
        ItemHir::Pick(pick) => {
            printer.line(&format!("pick {}{}", pick.name.name, generics(&pick.generics)));
            printer.indent += 1;
            for variant in &pick.variants {
                let fields: Vec<String> = variant.fields.iter().map(|f| ty(&f.ty)).collect();
                let ordinal = variant.ordinal.map_or(String::new(), |o| format!(" = {o}"));
                printer.line(&format!("{}({}){ordinal}", variant.name.name, fields.join(", ")));
            }
        }
        ItemHir::Const(constant) => {
            let written = constant.ty.as_ref().map_or(String::new(), |t| format!(": {}", ty(t)));
            let word = if constant.storage { "static" } else { "const" };
            printer.line(&format!("{word} {}{written}", constant.name.name));
            printer.body = Some(&constant.body);
            printer.block(&constant.body.block);
        }
        ItemHir::Alias(alias) => {
            printer.line(&format!(
                "type {}{} = {}",
                alias.name.name,
                generics(&alias.generics),
                ty(&alias.ty)
            ));
        }
        ItemHir::Trait(declared) => {
            let supers = declared.supers.iter().map(ty).collect::<Vec<_>>().join(" + ");
            let supers = if supers.is_empty() { supers } else { format!(": {supers}") };
            printer.line(&format!("trait {}{}{supers}", declared.name.name, generics(&declared.generics)));
            printer.indent += 1;
            for (name, _) in &declared.types {
                printer.line(&format!("type {}", name.name));
            }
        }
        ItemHir::Impl(block) => {
            let of = block.of.as_ref().map_or(String::new(), |of| format!("{} for ", ty(of)));
            printer.line(&format!("impl{} {of}{}", generics(&block.generics), ty(&block.ty)));
            printer.indent += 1;
            for (name, stands_for) in &block.types {
                printer.line(&format!("type {} = {}", name.name, ty(stands_for)));
            }
        }
        ItemHir::StaticAssert(body, _) => {
            printer.line("static_assert");
            printer.body = Some(body);
            printer.block(&body.block);
        }
    }
}

fn generics(list: &[super::hir::Ident]) -> String {
    if list.is_empty() {
        return String::new();
    }
    format!("<{}>", list.iter().map(|g| g.name.as_str()).collect::<Vec<_>>().join(", "))
}

/// A written type.
pub(crate) fn ty(t: &TypeRef) -> String {
    let list = |ts: &[TypeRef]| ts.iter().map(ty).collect::<Vec<_>>().join(", ");
    match &t.kind {
        TypeRefKind::Path { path, args } => {
            let path = path.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(".");
            if args.is_empty() { path } else { format!("{path}<{}>", list(args)) }
        }
        TypeRefKind::List(element) => format!("[{}]", ty(element)),
        TypeRefKind::Ref(false, inner) => format!("ref {}", ty(inner)),
        TypeRefKind::Ref(true, inner) => format!("ref mut {}", ty(inner)),
        TypeRefKind::Proc(params, ret) => {
            let ret = ret.as_ref().map_or(String::new(), |r| format!(" -> {}", ty(r)));
            format!("proc({}){ret}", list(params))
        }
        TypeRefKind::Pointer(mutable, inner) => {
            format!("*{}{}", if *mutable { "mut " } else { "" }, ty(inner))
        }
        TypeRefKind::Dyn(of) => format!("dyn {}", ty(of)),
        TypeRefKind::Tuple(elements) => format!("({})", list(elements)),
        TypeRefKind::Value(value) => value.to_string(),
        TypeRefKind::Named(name, of) => format!("{} = {}", name.name, ty(of)),
        TypeRefKind::Error => "<error>".into(),
    }
}

struct Printer<'a> {
    db: &'a dyn Db,
    body: Option<&'a Body>,
    out: &'a mut String,
    indent: usize,
    depth: u32,
}

impl Printer<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{:width$}{text}", "", width = self.indent * 2);
    }

    fn block(&mut self, block: &Block) {
        self.indent += 1;
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let { pat, ty: written, init, constant, .. } => {
                    let word = if *constant { "const" } else { "let" };
                    let written = written.as_ref().map_or(String::new(), |t| format!(": {}", ty(t)));
                    let pat = self.pat(*pat);
                    self.value_line(&format!("{word} {pat}{written} = "), *init);
                }
                Stmt::Expr(e) => self.value_line("", Some(*e)),
                Stmt::Defer(body) => {
                    self.line("defer");
                    self.block(body);
                }
                Stmt::Proc(id) => item(self.db, *id, self.indent, self.out),
            }
        }
        if let Some(tail) = block.tail {
            self.value_line("value ", Some(tail));
        }
        self.indent -= 1;
    }

    /// An expression on a line of its own; its blocks follow, indented.
    fn value_line(&mut self, prefix: &str, e: Option<ExprId>) {
        let Some(e) = e else { return self.line(prefix.trim_end_matches([' ', '='])) };
        let mut blocks = Vec::new();
        let text = self.expr(e, &mut blocks);
        self.line(&format!("{prefix}{text}"));
        for (title, block) in blocks {
            self.line(&format!("  {title}:"));
            self.indent += 1;
            if self.depth < MAX_PRINT_DEPTH {
                self.depth += 1;
                stacker::maybe_grow(128 * 1024, 1024 * 1024, || self.block(&block));
                self.depth -= 1;
            }
            self.indent -= 1;
        }
    }

    fn expr(&mut self, id: ExprId, blocks: &mut Vec<(String, Block)>) -> String {
        if self.depth >= MAX_PRINT_DEPTH {
            return "…".into();
        }
        self.depth += 1;
        let text = stacker::maybe_grow(128 * 1024, 1024 * 1024, || self.expr_text(id, blocks));
        self.depth -= 1;
        text
    }

    fn expr_text(&mut self, id: ExprId, blocks: &mut Vec<(String, Block)>) -> String {
        let Some(expr) = self.body.and_then(|b| b.exprs.get(id.0 as usize)) else { return "<error>".into() };
        let mut on = |p: &mut Self, e: &ExprId| p.expr(*e, blocks);
        match &expr.kind {
            ExprKind::Error => "<error>".into(),
            ExprKind::Literal(literal) => literal_text(literal),
            ExprKind::Path(path) => path_text(path),
            ExprKind::Field { base, name, .. } => format!("{}.{}", on(self, base), name.name),
            ExprKind::Call { callee, args } => {
                let callee = on(self, callee);
                let args: Vec<String> = args
                    .iter()
                    .map(|a| {
                        let name = a.name.as_ref().map_or(String::new(), |n| format!("{}: ", n.name));
                        format!("{name}{}", on(self, &a.value))
                    })
                    .collect();
                format!("{callee}({})", args.join(", "))
            }
            ExprKind::Index(base, index) => format!("{}[{}]", on(self, base), on(self, index)),
            ExprKind::Slice(base, lo, hi) => {
                let base = on(self, base);
                let lo = lo.as_ref().map_or(String::new(), |e| on(self, e));
                format!("{base}[{lo}:{}]", hi.as_ref().map_or(String::new(), |e| on(self, e)))
            }
            ExprKind::Unary(op, e) => {
                let op = match op {
                    UnaryOp::Not => "not",
                    UnaryOp::Neg => "-",
                    UnaryOp::BitNot => "~",
                };
                format!("({op} {})", on(self, e))
            }
            ExprKind::Binary(op, _, a, b) => {
                format!("({} {} {})", on(self, a), op.symbol(), on(self, b))
            }
            ExprKind::Cast(e, t) => format!("({} as {})", on(self, e), ty(t)),
            ExprKind::Is { expr, pat, negated } => {
                let expr = on(self, expr);
                format!("({expr} is {}{})", if *negated { "not " } else { "" }, self.pat(*pat))
            }
            ExprKind::Ref(mutable, e) => {
                format!("(ref {}{})", if *mutable { "mut " } else { "" }, on(self, e))
            }
            ExprKind::Deref(e) => format!("(* {})", on(self, e)),
            ExprKind::Move(e) => format!("(move {})", on(self, e)),
            ExprKind::Record { path, fields, base } => {
                let path = path.as_ref().map_or(String::new(), path_text);
                let mut parts: Vec<String> =
                    fields.iter().map(|(n, e)| format!("{}: {}", n.name, on(self, e))).collect();
                parts.extend(base.as_ref().map(|e| format!("..{}", on(self, e))));
                format!("{path} {{{}}}", parts.join(", "))
            }
            ExprKind::Map(entries) => {
                let list: Vec<String> = entries
                    .iter()
                    .map(|(k, v)| format!("{}: {}", self.expr(*k, blocks), self.expr(*v, blocks)))
                    .collect();
                format!("map {{{}}}", list.join(", "))
            }
            ExprKind::Set(items) => {
                let list: Vec<String> = items.iter().map(|e| self.expr(*e, blocks)).collect();
                format!("set {{{}}}", list.join(", "))
            }
            ExprKind::Comprehension { element, pat, iter, cond } => {
                let (element, pat, iter) =
                    (self.expr(*element, blocks), self.pat(*pat), self.expr(*iter, blocks));
                let cond = cond.map_or(String::new(), |c| format!(" if {}", self.expr(c, blocks)));
                format!("[{element} for {pat} in {iter}{cond}]")
            }
            ExprKind::Lambda { params, body, .. } => {
                let names: Vec<&str> = params.iter().map(|p| p.name.name.as_str()).collect();
                format!("|{}| {}", names.join(", "), self.expr(*body, blocks))
            }
            ExprKind::List(list) => {
                format!("[{}]", list.iter().map(|e| on(self, e)).collect::<Vec<_>>().join(", "))
            }
            ExprKind::Tuple(list) => {
                format!("({})", list.iter().map(|e| on(self, e)).collect::<Vec<_>>().join(", "))
            }
            ExprKind::Range { lo, hi, inclusive } => {
                let lo = lo.as_ref().map_or(String::new(), |e| on(self, e));
                let hi = hi.as_ref().map_or(String::new(), |e| on(self, e));
                format!("({lo}{}{hi})", if *inclusive { "..=" } else { ".." })
            }
            ExprKind::If { cond, then, other } => {
                let text = format!("if {}", on(self, cond));
                blocks.push(("then".into(), then.clone()));
                blocks.extend(other.clone().map(|b| ("else".into(), b)));
                text
            }
            ExprKind::Match { scrutinee, arms } => {
                let text = format!("match {}", on(self, scrutinee));
                for arm in arms {
                    let pat = self.pat(arm.pat);
                    let guard = match &arm.guard {
                        Some(g) => format!(" if {}", self.expr(*g, blocks)),
                        None => String::new(),
                    };
                    blocks.push((format!("case {pat}{guard}"), arm.body.clone()));
                }
                text
            }
            ExprKind::Block(block) => with_block("block".into(), block, blocks),
            ExprKind::Unsafe(block) => with_block("unsafe".into(), block, blocks),
            ExprKind::Layout { query, ty: of, field } => {
                let field = field.as_ref().map_or(String::new(), |f| format!(", {}", f.name));
                format!("{}({}{field})", query.name(), ty(of))
            }
            ExprKind::While(cond, body) => {
                let text = format!("while {}", on(self, cond));
                with_block(text, body, blocks)
            }
            ExprKind::Loop(body) => with_block("loop".into(), body, blocks),
            ExprKind::For { pat, iter, body } => {
                let iter = on(self, iter);
                let text = format!("for {} in {iter}", self.pat(*pat));
                with_block(text, body, blocks)
            }
            ExprKind::CFor { init, cond, step, body } => {
                let init = match &**init {
                    Stmt::Let { pat, init, .. } => {
                        let init = init.as_ref().map_or(String::new(), |e| on(self, e));
                        format!("let {} = {init}", self.pat(*pat))
                    }
                    Stmt::Expr(e) => on(self, e),
                    Stmt::Proc(_) | Stmt::Defer(_) => String::new(),
                };
                let text = format!("for {init}; {}; {}", self.expr(*cond, blocks), self.expr(*step, blocks));
                with_block(text, body, blocks)
            }
            ExprKind::Assign { place, op, value } => {
                format!("set {} {}= {}", on(self, place), op.map_or("", |op| op.symbol()), on(self, value))
            }
            ExprKind::Give(e) => format!("give {}", e.as_ref().map_or(String::new(), |e| on(self, e))),
            ExprKind::Break(e) => format!("break {}", e.as_ref().map_or(String::new(), |e| on(self, e))),
            ExprKind::Continue => "continue".into(),
            ExprKind::Try(e) => format!("({})?", on(self, e)),
            ExprKind::Coalesce(a, b) => format!("({} ?? {})", on(self, a), on(self, b)),
            ExprKind::Assert(c, m) => {
                let cond = on(self, c);
                format!(
                    "assert({cond}{})",
                    m.as_ref().map_or(String::new(), |e| format!(", {}", on(self, e)))
                )
            }
            ExprKind::Panic(e) => format!("panic({})", on(self, e)),
            ExprKind::Unreachable => "unreachable".into(),
        }
    }

    fn pats(&self, list: &[PatId], separator: &str) -> String {
        list.iter().map(|&p| self.pat(p)).collect::<Vec<_>>().join(separator)
    }

    fn pat(&self, id: PatId) -> String {
        let Some(pat) = self.body.and_then(|b| b.pats.get(id.0 as usize)) else { return "<error>".into() };
        let dotted =
            |path: &[super::hir::Ident]| path.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(".");
        let end = |e: &Option<(Literal, bool)>| {
            e.as_ref()
                .map_or(String::new(), |(l, n)| format!("{}{}", if *n { "-" } else { "" }, literal_text(l)))
        };
        match &pat.kind {
            PatKind::Error => "<error>".into(),
            PatKind::Wild => "_".into(),
            PatKind::Name { name, .. } => name.name.to_string(),
            PatKind::Variant { path, args: None } => dotted(path),
            PatKind::Variant { path, args: Some(args) } => {
                let args: Vec<String> = args.iter().map(|(_, p)| self.pat(*p)).collect();
                format!("{}({})", dotted(path), args.join(", "))
            }
            PatKind::Record { path, fields, rest } => {
                let fields: Vec<String> =
                    fields.iter().map(|(n, p)| format!("{}: {}", n.name, self.pat(*p))).collect();
                format!("{} {{{}{}}}", dotted(path), fields.join(", "), if *rest { ", .." } else { "" })
            }
            PatKind::Literal { literal, negative } => {
                format!("{}{}", if *negative { "-" } else { "" }, literal_text(literal))
            }
            PatKind::Range { lo, hi, inclusive } => {
                format!("{}{}{}", end(lo), if *inclusive { "..=" } else { ".." }, end(hi))
            }
            PatKind::Or(list) => self.pats(list, " | "),
            PatKind::Tuple(list) => format!("({})", self.pats(list, ", ")),
            PatKind::List(list) => format!("[{}]", self.pats(list, ", ")),
        }
    }
}

fn with_block(text: String, body: &Block, blocks: &mut Vec<(String, Block)>) -> String {
    blocks.push(("do".into(), body.clone()));
    text
}

fn path_text(path: &ExprPath) -> String {
    let mut out = String::new();
    for (i, segment) in path.segments.iter().enumerate() {
        if i > 0 {
            out.push_str("::");
        }
        out.push_str(&segment.name);
        if i == path.args_at && !path.args.is_empty() {
            let _ = write!(out, "<{}>", path.args.iter().map(ty).collect::<Vec<_>>().join(", "));
        }
    }
    out
}

fn literal_text(literal: &Literal) -> String {
    let with =
        |suffix: &Option<crate::base::Name>| suffix.as_ref().map_or(String::new(), ToString::to_string);
    match literal {
        Literal::Int(value, suffix) => format!("{value}{}", with(suffix)),
        Literal::Float(bits, suffix) => format!("{:?}{}", f64::from_bits(*bits), with(suffix)),
        Literal::Bool(value) => value.to_string(),
        Literal::Char(value) => format!("{value:?}"),
        Literal::Str(text) => format!("{text:?}"),
        Literal::Bytes(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
        Literal::Null => "null".into(),
    }
}
