//! Stable, readable text of tokens and trees, for `emit --stage tokens` and `--stage ast`.
//!
//! A tree is printed one declaration, statement, arm or field per line, indented, with its span as
//! `line:column`; expressions, types and patterns are printed in place, fully bracketed, so that the
//! text shows how they were grouped.
use std::fmt::Write as _;

use super::ast::{
    self, Block, ExprId, ExprKind, File, Item, ItemKind, Literal, PatId, PatKind, Stmt, StmtKind, TypeId,
    TypeKind, UnaryOp, UseKind,
};
use super::lexer::Lexed;
use crate::base::{LineIndex, Span};
use crate::lower::hir::BinaryOp;

/// Longest chain that is printed; beyond it stands `…`.
const MAX_PRINT_DEPTH: u32 = 400;

/// One token per line: place, kind, text.
pub fn tokens(text: &str, lexed: &Lexed) -> String {
    let lines = LineIndex::new(text);
    let mut out = String::new();
    for token in &lexed.tokens {
        let (line, column) = lines.line_column(text, token.start);
        let source = &text[token.start as usize..token.end as usize];
        let _ = writeln!(out, "{line}:{column} {:?} {}", token.kind, source.escape_debug());
    }
    out
}

/// A whole tree.
pub fn ast(text: &str, file: &File) -> String {
    let mut printer =
        Printer { file, lines: Some((LineIndex::new(text), text)), out: String::new(), depth: 0 };
    if let Some(space) = &file.space {
        let path = names(&space.path, "/");
        printer.line(0, space.span, &format!("space {path}"));
    }
    for item in &file.items {
        printer.item(0, item);
    }
    printer.out
}

/// The statements of all procs, without places; for tests.
#[cfg(test)]
pub(crate) fn body_shape(file: &File) -> String {
    let mut printer = Printer { file, lines: None, out: String::new(), depth: 0 };
    for item in &file.items {
        if let ItemKind::Proc(proc) = &item.kind
            && let Some(body) = &proc.body
        {
            body.stmts.iter().for_each(|s| printer.stmt(0, s));
        }
    }
    printer.out
}

fn names(path: &[ast::Ident], separator: &str) -> String {
    path.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(separator)
}

struct Printer<'a> {
    file: &'a File,
    lines: Option<(LineIndex, &'a str)>,
    out: String,
    depth: u32,
}

impl Printer<'_> {
    fn line(&mut self, indent: usize, span: Span, text: &str) {
        let _ = write!(self.out, "{:width$}{text}", "", width = indent * 2);
        if let Some((lines, source)) = &self.lines {
            let (l1, c1) = lines.line_column(source, span.start);
            let (l2, c2) = lines.line_column(source, span.end);
            let _ = write!(self.out, "  @{l1}:{c1}-{l2}:{c2}");
        }
        self.out.push('\n');
    }

    fn generics(&mut self, generics: &[ast::Generic]) -> String {
        if generics.is_empty() {
            return String::new();
        }
        let list: Vec<String> =
            generics.iter().map(|g| format!("{}{}", g.name.name, self.bounds(&g.bounds))).collect();
        format!("<{}>", list.join(", "))
    }

    fn bounds(&mut self, bounds: &[ast::TypeId]) -> String {
        if bounds.is_empty() {
            return String::new();
        }
        let list: Vec<String> = bounds.iter().map(|&b| self.ty(b)).collect();
        format!(": {}", list.join(" + "))
    }

    fn wheres(&mut self, wheres: &[ast::Where]) -> String {
        if wheres.is_empty() {
            return String::new();
        }
        let list: Vec<String> =
            wheres.iter().map(|w| format!("{}{}", self.ty(w.ty), self.bounds(&w.bounds))).collect();
        format!(" where {}", list.join(", "))
    }

    fn member(&mut self, indent: usize, member: &ast::Member) {
        match &member.kind {
            ast::MemberKind::Proc(proc) => self.proc(indent, member.span, "", proc),
            ast::MemberKind::Const { name, ty, value } => {
                let ty = ty.map_or(String::new(), |t| format!(": {}", self.ty(t)));
                let value = value.map_or(String::new(), |e| format!(" = {}", self.expr(e)));
                self.line(indent, member.span, &format!("const {}{ty}{value}", name.name));
            }
            ast::MemberKind::Type { name, bounds, ty } => {
                let bounds = self.bounds(bounds);
                let ty = ty.map_or(String::new(), |t| format!(" = {}", self.ty(t)));
                self.line(indent, member.span, &format!("type {}{bounds}{ty}", name.name));
            }
        }
    }

    fn proc(&mut self, indent: usize, span: Span, prefix: &str, proc: &ast::Proc) {
        let params: Vec<String> = proc.params.iter().map(|p| self.param(p)).collect();
        let ret = proc.ret.map_or(String::new(), |t| format!(" -> {}", self.ty(t)));
        let abi = match proc.abi {
            ast::Abi::Vitte => "",
            ast::Abi::C => "extern ",
            ast::Abi::Intrinsic => "intrinsic ",
        };
        let (generics, wheres) = (self.generics(&proc.generics), self.wheres(&proc.wheres));
        let head =
            format!("{prefix}{abi}proc {}{generics}({}){ret}{wheres}", proc.name.name, params.join(", "));
        self.line(indent, span, &head);
        if let Some(body) = &proc.body {
            self.block(indent + 1, body);
        }
    }

    fn renamed(list: &[(ast::Ident, Option<ast::Ident>)]) -> String {
        let one = |(n, a): &(ast::Ident, Option<ast::Ident>)| match a {
            Some(a) => format!("{} as {}", n.name, a.name),
            None => n.name.to_string(),
        };
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn item(&mut self, indent: usize, item: &Item) {
        let visibility = match item.visibility {
            ast::Visibility::Inherited => "",
            ast::Visibility::Public => "pub ",
            ast::Visibility::Private => "priv ",
        };
        for attr in &item.attrs {
            self.line(indent, attr.span, &format!("#[{}]", attr.name.name));
        }
        let head = |p: &mut Self, text: String| p.line(indent, item.span, &format!("{visibility}{text}"));
        match &item.kind {
            ItemKind::Use(u) => {
                let up = u.up.map_or(String::new(), |n| {
                    if n == 0 { "self/".into() } else { "super/".repeat(n as usize) }
                });
                let tail = match &u.kind {
                    UseKind::Plain(None) => String::new(),
                    UseKind::Plain(Some(alias)) => format!(" as {}", alias.name),
                    UseKind::Group(list) => format!(".{{{}}}", Self::renamed(list)),
                    UseKind::Glob => ".*".into(),
                };
                head(self, format!("use {up}{}{tail}", names(&u.path, "/")));
            }
            ItemKind::Export(e) => {
                let what = e.names.as_ref().map_or("*".into(), |n| Self::renamed(n));
                head(self, format!("export {what}"));
            }
            ItemKind::Proc(proc) => self.proc(indent, item.span, visibility, proc),
            ItemKind::Form(form) => {
                let generics = self.generics(&form.generics);
                head(self, format!("form {}{generics}", form.name.name));
                for field in &form.fields {
                    let name = field.name.as_ref().map_or("", |n| n.name.as_str());
                    let ty = self.ty(field.ty);
                    self.line(indent + 1, self.file.ty(field.ty).span, &format!("{name}: {ty}"));
                }
                form.members.iter().for_each(|m| self.member(indent + 1, m));
            }
            ItemKind::Pick(pick) => {
                let generics = self.generics(&pick.generics);
                head(self, format!("pick {}{generics}", pick.name.name));
                for variant in &pick.variants {
                    let fields: Vec<String> = variant
                        .fields
                        .iter()
                        .map(|f| match &f.name {
                            Some(n) => format!("{}: {}", n.name, self.ty(f.ty)),
                            None => self.ty(f.ty),
                        })
                        .collect();
                    let payload =
                        if fields.is_empty() { String::new() } else { format!("({})", fields.join(", ")) };
                    let ordinal = variant.ordinal.map_or(String::new(), |e| format!(" = {}", self.expr(e)));
                    self.line(
                        indent + 1,
                        variant.name.span,
                        &format!("{}{payload}{ordinal}", variant.name.name),
                    );
                }
            }
            ItemKind::Const(constant) => {
                let ty = constant.ty.map_or(String::new(), |t| format!(": {}", self.ty(t)));
                let value = self.expr(constant.value);
                let word = if constant.storage { "static" } else { "const" };
                head(self, format!("{word} {}{ty} = {value}", constant.name.name));
            }
            ItemKind::Alias(alias) => {
                let generics = self.generics(&alias.generics);
                let ty = self.ty(alias.ty);
                head(self, format!("type {}{generics} = {ty}", alias.name.name));
            }
            ItemKind::Extern(block) => {
                head(self, "extern".into());
                block.items.iter().for_each(|i| self.item(indent + 1, i));
            }
            ItemKind::Test(test) => {
                head(self, format!("{} {:?}", if test.bench { "bench" } else { "test" }, test.title.name));
                self.block(indent + 1, &test.body);
            }
            ItemKind::Entry(entry) => {
                head(self, format!("entry {}", entry.name.name));
                if let Some(body) = &entry.body {
                    self.block(indent + 1, body);
                }
            }
            ItemKind::StaticAssert(assert) => {
                let cond = self.expr(assert.cond);
                head(self, format!("static_assert {cond}"));
            }
            ItemKind::Trait(declared) => {
                let generics = self.generics(&declared.generics);
                let supers = self.bounds(&declared.supers);
                head(self, format!("trait {}{generics}{supers}", declared.name.name));
                declared.members.iter().for_each(|m| self.member(indent + 1, m));
            }
            ItemKind::Impl(block) => {
                let generics = self.generics(&block.generics);
                let of = block.of.map_or(String::new(), |of| format!("{} for ", self.ty(of)));
                let ty = self.ty(block.ty);
                let wheres = self.wheres(&block.wheres);
                head(self, format!("impl{generics} {of}{ty}{wheres}"));
                block.members.iter().for_each(|m| self.member(indent + 1, m));
            }
            ItemKind::Unsupported(u) => head(self, format!("unsupported {}", u.feature)),
        }
    }

    fn param(&mut self, param: &ast::Param) -> String {
        let mode = match param.mode {
            ast::ParamMode::Plain => "",
            ast::ParamMode::Move => "move ",
            ast::ParamMode::Ref => "ref ",
            ast::ParamMode::RefMut => "ref mut ",
        };
        let ty = param.ty.map_or(String::new(), |t| format!(": {}", self.ty(t)));
        let default = param.default.map_or(String::new(), |e| format!(" = {}", self.expr(e)));
        format!("{mode}{}{ty}{default}", param.name.name)
    }

    fn block(&mut self, indent: usize, block: &Block) {
        block.stmts.iter().for_each(|s| self.stmt(indent, s));
    }

    fn stmt(&mut self, indent: usize, stmt: &Stmt) {
        let line = |p: &mut Self, text: String| p.line(indent, stmt.span, &text);
        let some = |p: &mut Self, word: &str, e: Option<ExprId>| {
            let value = e.map_or(String::new(), |e| format!(" {}", p.expr(e)));
            p.line(indent, stmt.span, &format!("{word}{value}"));
        };
        match &stmt.kind {
            StmtKind::Let { pat, ty, init, constant } => {
                let word = if *constant { "const" } else { "let" };
                let pat = self.pat(*pat);
                let ty = ty.map_or(String::new(), |t| format!(": {}", self.ty(t)));
                let init = init.map_or(String::new(), |e| format!(" = {}", self.expr(e)));
                line(self, format!("{word} {pat}{ty}{init}"));
            }
            StmtKind::Assign { place, op, value } => {
                let op = op.map_or("", BinaryOp::symbol);
                let (place, value) = (self.expr(*place), self.expr(*value));
                line(self, format!("set {place} {op}= {value}"));
            }
            StmtKind::Give(value) => some(self, "give", *value),
            StmtKind::Break(value) => some(self, "break", *value),
            StmtKind::Panic(value) => some(self, "panic", Some(*value)),
            StmtKind::Assert(cond, _) => some(self, "assert", Some(*cond)),
            StmtKind::Continue => line(self, "continue".into()),
            StmtKind::Unreachable => line(self, "unreachable".into()),
            StmtKind::Defer(body) => {
                line(self, "defer".into());
                self.block(indent + 1, body);
            }
            StmtKind::With { value, pat, body } => {
                let (value, pat) = (self.expr(*value), self.pat(*pat));
                line(self, format!("with {value} as {pat}"));
                self.block(indent + 1, body);
            }
            StmtKind::Unsupported(u) => line(self, format!("unsupported {}", u.feature)),
            StmtKind::Expr(e) => self.expr_lines(indent, stmt.span, "", *e),
            StmtKind::While(cond, body) => {
                let cond = self.expr(*cond);
                line(self, format!("while {cond}"));
                self.block(indent + 1, body);
            }
            StmtKind::For { pat, iter, body } => {
                let (pat, iter) = (self.pat(*pat), self.expr(*iter));
                line(self, format!("for {pat} in {iter}"));
                self.block(indent + 1, body);
            }
            StmtKind::CFor { var, init, cond, place, op, step, body } => {
                let (init, cond, place, step) =
                    (self.expr(*init), self.expr(*cond), self.expr(*place), self.expr(*step));
                let op = op.map_or("", BinaryOp::symbol);
                line(self, format!("for {} = {init}; {cond}; {place} {op}= {step}", var.name));
                self.block(indent + 1, body);
            }
            StmtKind::Loop(body) => {
                line(self, "loop".into());
                self.block(indent + 1, body);
            }
            StmtKind::Item(item) => self.item(indent, item),
        }
    }

    /// An expression as a statement: conditionals and matches are laid out over several lines.
    fn expr_lines(&mut self, indent: usize, span: Span, prefix: &str, id: ExprId) {
        let file = self.file;
        match &file.expr(id).kind {
            ExprKind::If { branches, other } => {
                for (i, (cond, block)) in branches.iter().enumerate() {
                    let word = if i == 0 { "if" } else { "elif" };
                    let cond = self.expr(*cond);
                    self.line(indent, span, &format!("{prefix}{word} {cond}"));
                    self.block(indent + 1, block);
                }
                if let Some(block) = other {
                    self.line(indent, block.span, "else");
                    self.block(indent + 1, block);
                }
            }
            ExprKind::Match { scrutinee, arms, .. } => {
                let scrutinee = self.expr(*scrutinee);
                self.line(indent, span, &format!("{prefix}match {scrutinee}"));
                for arm in arms {
                    let pat = self.pat(arm.pat);
                    let guard = arm.guard.map_or(String::new(), |g| format!(" if {}", self.expr(g)));
                    self.line(indent + 1, arm.span, &format!("case {pat}{guard}"));
                    self.block(indent + 2, &arm.body);
                }
            }
            ExprKind::Block(block) | ExprKind::Unsafe(block) => {
                let word =
                    if matches!(&file.expr(id).kind, ExprKind::Unsafe(_)) { "unsafe" } else { "block" };
                self.line(indent, span, &format!("{prefix}{word}"));
                self.block(indent + 1, block);
            }
            _ => {
                let text = self.expr(id);
                self.line(indent, span, &format!("{prefix}{text}"));
            }
        }
    }

    fn exprs(&mut self, list: &[ExprId]) -> String {
        list.iter().map(|&e| self.expr(e)).collect::<Vec<_>>().join(", ")
    }

    fn types(&mut self, list: &[TypeId]) -> String {
        list.iter().map(|&t| self.ty(t)).collect::<Vec<_>>().join(", ")
    }

    fn type_args(&mut self, args: &[TypeId]) -> String {
        if args.is_empty() { String::new() } else { format!("<{}>", self.types(args)) }
    }

    fn expr(&mut self, id: ExprId) -> String {
        if self.depth >= MAX_PRINT_DEPTH {
            return "…".into();
        }
        self.depth += 1;
        let text = stacker::maybe_grow(128 * 1024, 1024 * 1024, || self.expr_text(id));
        self.depth -= 1;
        text
    }

    fn inline_block(&mut self, block: &Block) -> String {
        let mut inner = Printer { file: self.file, lines: None, out: String::new(), depth: self.depth };
        inner.block(0, block);
        let lines: Vec<&str> = inner.out.lines().map(str::trim).collect();
        if lines.is_empty() { "{}".into() } else { format!("{{ {} }}", lines.join("; ")) }
    }

    fn expr_text(&mut self, id: ExprId) -> String {
        let file = self.file;
        match &file.expr(id).kind {
            ExprKind::Error => "<error>".into(),
            ExprKind::Literal(literal) => literal_text(literal),
            ExprKind::Name(name, args) => format!("{}{}", name.name, self.type_args(args)),
            ExprKind::Field { base, name, args, colons } => {
                let separator = if *colons { "::" } else { "." };
                format!("{}{separator}{}{}", self.expr(*base), name.name, self.type_args(args))
            }
            ExprKind::Call { callee, args } => {
                let callee = self.expr(*callee);
                let args: Vec<String> = args
                    .iter()
                    .map(|a| match &a.name {
                        Some(n) => format!("{}: {}", n.name, self.expr(a.value)),
                        None => self.expr(a.value),
                    })
                    .collect();
                format!("{callee}({})", args.join(", "))
            }
            ExprKind::Index(base, index) => format!("{}[{}]", self.expr(*base), self.expr(*index)),
            ExprKind::Slice(base, lo, hi) => {
                let base = self.expr(*base);
                let lo = lo.map_or(String::new(), |e| self.expr(e));
                format!("{base}[{lo}:{}]", hi.map_or(String::new(), |e| self.expr(e)))
            }
            ExprKind::Unary(op, inner) => {
                let op = match op {
                    UnaryOp::Not => "not",
                    UnaryOp::Neg => "-",
                    UnaryOp::Plus => "+",
                    UnaryOp::BitNot => "~",
                    UnaryOp::Ref => "ref",
                    UnaryOp::RefMut => "ref mut",
                    UnaryOp::Deref => "*",
                    UnaryOp::Move => "move",
                };
                format!("({op} {})", self.expr(*inner))
            }
            ExprKind::Binary(op, _, left, right) => {
                format!("({} {} {})", self.expr(*left), op.symbol(), self.expr(*right))
            }
            ExprKind::Paren(inner) => self.expr(*inner),
            ExprKind::Cast(inner, ty) => format!("({} as {})", self.expr(*inner), self.ty(*ty)),
            ExprKind::Is { expr, pat, negated } => {
                let not = if *negated { "not " } else { "" };
                format!("({} is {not}{})", self.expr(*expr), self.pat(*pat))
            }
            ExprKind::Ternary(cond, then, other) => {
                format!("({} ? {} : {})", self.expr(*cond), self.expr(*then), self.expr(*other))
            }
            ExprKind::Coalesce(left, right) => format!("({} ?? {})", self.expr(*left), self.expr(*right)),
            ExprKind::Try(inner) => format!("({})?", self.expr(*inner)),
            ExprKind::Loop(block) => format!("loop {}", self.inline_block(block)),
            ExprKind::Range { lo, hi, inclusive } => {
                let lo = lo.map_or(String::new(), |e| self.expr(e));
                let hi = hi.map_or(String::new(), |e| self.expr(e));
                format!("({lo} {} {hi})", if *inclusive { "..=" } else { ".." })
            }
            ExprKind::List(list) => format!("[{}]", self.exprs(list)),
            ExprKind::Tuple(list) => format!("({},)", self.exprs(list)),
            ExprKind::Record { path, fields, rest } => {
                let path = path.map_or(String::new(), |p| format!("{} ", self.expr(p)));
                let mut parts: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| match value {
                        Some(e) => format!("{}: {}", name.name, self.expr(*e)),
                        None => name.name.to_string(),
                    })
                    .collect();
                if let Some((_, base)) = rest {
                    parts.push(format!("..{}", base.map_or(String::new(), |e| self.expr(e))));
                }
                format!("{path}{{{}}}", parts.join(", "))
            }
            ExprKind::If { branches, other } => {
                let mut out = String::new();
                for (i, (cond, block)) in branches.iter().enumerate() {
                    let word = if i == 0 { "if" } else { " elif" };
                    let _ = write!(out, "{word} {} {}", self.expr(*cond), self.inline_block(block));
                }
                if let Some(block) = other {
                    let _ = write!(out, " else {}", self.inline_block(block));
                }
                out
            }
            ExprKind::Match { scrutinee, arms, .. } => {
                let mut parts = Vec::new();
                let scrutinee = self.expr(*scrutinee);
                for arm in arms {
                    let guard = arm.guard.map_or(String::new(), |g| format!(" if {}", self.expr(g)));
                    parts.push(format!("case {}{guard} {}", self.pat(arm.pat), self.inline_block(&arm.body)));
                }
                format!("match {scrutinee} {{ {} }}", parts.join("; "))
            }
            ExprKind::Block(block) => self.inline_block(block),
            ExprKind::Unsafe(block) => format!("unsafe {}", self.inline_block(block)),
            ExprKind::Layout { query, ty, field } => {
                let field = field.as_ref().map_or(String::new(), |f| format!(", {}", f.name));
                format!("{}({}{field})", query.name(), self.ty(*ty))
            }
            ExprKind::Map(entries) => {
                let list: Vec<String> =
                    entries.iter().map(|(k, v)| format!("{}: {}", self.expr(*k), self.expr(*v))).collect();
                format!("map {{{}}}", list.join(", "))
            }
            ExprKind::Set(items) => format!("set {{{}}}", self.exprs(items)),
            ExprKind::Comprehension { element, pat, iter, cond } => {
                let (element, pat, iter) = (self.expr(*element), self.pat(*pat), self.expr(*iter));
                let cond = cond.map_or(String::new(), |c| format!(" if {}", self.expr(c)));
                format!("[{element} for {pat} in {iter}{cond}]")
            }
            ExprKind::Lambda(lambda) => {
                let params: Vec<String> = lambda.params.iter().map(|p| self.param(p)).collect();
                let ret = lambda.ret.map_or(String::new(), |t| format!(" -> {}", self.ty(t)));
                let word = if lambda.explicit { "proc" } else { "lambda" };
                format!("{word}({}){ret} {}", params.join(", "), self.expr(lambda.body))
            }
            ExprKind::Unsupported(u) => format!("<unsupported {}>", u.feature),
        }
    }

    fn ty(&mut self, id: TypeId) -> String {
        let file = self.file;
        match &file.ty(id).kind {
            TypeKind::Error => "<error>".into(),
            TypeKind::Path(path, args) => format!("{}{}", names(path, "."), self.type_args(args)),
            TypeKind::List(element) => format!("[{}]", self.ty(*element)),
            TypeKind::Array(element, length) => format!("[{}; {}]", self.ty(*element), self.expr(*length)),
            TypeKind::Ref(false, inner) => format!("ref {}", self.ty(*inner)),
            TypeKind::Ref(true, inner) => format!("ref mut {}", self.ty(*inner)),
            TypeKind::Option(inner) => format!("?{}", self.ty(*inner)),
            TypeKind::Proc(params, ret) => {
                let params = self.types(params);
                format!("proc({params}){}", ret.map_or(String::new(), |r| format!(" -> {}", self.ty(r))))
            }
            TypeKind::Tuple(list) => format!("({})", self.types(list)),
            TypeKind::Pointer(mutable, inner) => {
                format!("*{}{}", if *mutable { "mut " } else { "" }, self.ty(*inner))
            }
            TypeKind::Dyn(of) => format!("dyn {}", self.ty(*of)),
            TypeKind::ImplTrait(of) => format!("impl {}", self.ty(*of)),
            TypeKind::Value(value) => value.to_string(),
            TypeKind::Named(name, of) => format!("{} = {}", name.name, self.ty(*of)),
            TypeKind::Unsupported(feature) => format!("<unsupported {feature}>"),
        }
    }

    fn pats(&mut self, list: &[PatId], separator: &str) -> String {
        list.iter().map(|&p| self.pat(p)).collect::<Vec<_>>().join(separator)
    }

    fn pat(&mut self, id: PatId) -> String {
        let file = self.file;
        let end = |e: &Option<(Literal, bool)>| match e {
            Some((literal, negative)) => {
                format!("{}{}", if *negative { "-" } else { "" }, literal_text(literal))
            }
            None => String::new(),
        };
        match &file.pat(id).kind {
            PatKind::Error => "<error>".into(),
            PatKind::Wild => "_".into(),
            PatKind::Name { name, .. } => name.name.to_string(),
            PatKind::Variant { path, args } => {
                let path = names(path, ".");
                match args {
                    None => path,
                    Some(args) => {
                        let args: Vec<String> = args
                            .iter()
                            .map(|(name, p)| match name {
                                Some(n) => format!("{}: {}", n.name, self.pat(*p)),
                                None => self.pat(*p),
                            })
                            .collect();
                        format!("{path}({})", args.join(", "))
                    }
                }
            }
            PatKind::Record { path, fields, rest } => {
                let mut parts: Vec<String> =
                    fields.iter().map(|(n, p)| format!("{}: {}", n.name, self.pat(*p))).collect();
                if *rest {
                    parts.push("..".into());
                }
                format!("{} {{{}}}", names(path, "."), parts.join(", "))
            }
            PatKind::Literal(literal, negative) => end(&Some((literal.clone(), *negative))),
            PatKind::Range { lo, hi, inclusive } => {
                format!("{}{}{}", end(lo), if *inclusive { "..=" } else { ".." }, end(hi))
            }
            PatKind::Or(list) => self.pats(list, " | "),
            PatKind::Tuple(list) => format!("({})", self.pats(list, ", ")),
            PatKind::List(list) => format!("[{}]", self.pats(list, ", ")),
        }
    }
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
