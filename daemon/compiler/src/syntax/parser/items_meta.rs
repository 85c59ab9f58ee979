//! `extern`, tests, entries, traits, and the declarations that are only kept as text.
use super::items::Before;
use super::*;
use crate::syntax::ast::{
    Abi, Entry, Extern, Impl, Item, ItemKind, Literal, Member, MemberKind, StaticAssert, Test, Trait,
    Unsupported, Visibility, Where,
};

impl Parser<'_> {
    pub(super) fn meta_item(&mut self, before: Before) -> ItemKind {
        let start = self.tok().start;
        match self.word() {
            "extern" => self.extern_decl(before),
            "test" | "bench" => self.test_decl(),
            "entry" => self.entry_decl(),
            "static_assert" => self.static_assert(),
            "trait" => self.trait_decl(),
            "impl" => self.impl_decl(),
            "class" => self.as_text("classes", start),
            "union" => self.as_text("unions", start),
            "bits" => self.as_text("`bits` declarations", start),
            "flags" => self.as_text("`flags` declarations", start),
            "region" => self.as_text("regions", start),
            "static" | "global" => self.static_decl(),
            "opaque" => self.opaque_decl(),
            "macro" => self.as_text("macros", start),
            "query" => self.as_text("`query` declarations", start),
            "compiler" => self.as_text("`compiler` declarations", start),
            "pass" => self.as_text("`pass` declarations", start),
            "backend" => self.as_text("`backend` declarations", start),
            "diagnostic" => self.as_text("`diagnostic` declarations", start),
            "comptime" => self.as_text("`comptime`", start),
            "operator" => ItemKind::Proc(Box::new(self.proc(Abi::Vitte, before.extras))),
            _ => self.as_text("this declaration", start),
        }
    }

    /// Keeps the token tree: up to the end of the first `{ }`, a `;`, or a line that starts an item.
    fn as_text(&mut self, feature: &'static str, start: u32) -> ItemKind {
        let keyword = self.bump().span();
        let name = (self.at(TokenKind::Ident) && !self.tok().newline).then(|| {
            let token = self.bump();
            self.ident_of(token)
        });
        let head = name.as_ref().map_or(keyword, |n| keyword.to(n.span));
        loop {
            let token = self.tok();
            match token.kind {
                TokenKind::Semi | TokenKind::Eof | TokenKind::RBrace => break,
                TokenKind::LBrace => {
                    if self.partner(self.pos).is_none() {
                        self.report_unclosed(self.pos);
                    }
                    self.skip_tree();
                    break;
                }
                _ if token.newline && self.item_starts() => break,
                _ => self.skip_tree(),
            }
        }
        ItemKind::Unsupported(Unsupported { feature, head, tokens: self.span_from(start), name })
    }

    fn extern_decl(&mut self, before: Before) -> ItemKind {
        self.bump();
        if self.at(TokenKind::Str) || self.at(TokenKind::Ident) && !matches!(self.word(), "type") {
            self.bump();
        }
        if self.at_word("type") {
            return self.foreign_type();
        }
        let mut items = Vec::new();
        if self.eat(TokenKind::Proc) {
            let at = self.tok().start;
            let mut proc = self.proc(Abi::C, before.extras);
            proc.is_unsafe = before.is_unsafe;
            let mut visibility = before.visibility;
            if proc.body.is_some() {
                // One that C calls: a proc of ours that everyone sees.
                proc.abi = Abi::Vitte;
                visibility = Visibility::Public;
            }
            items.push(Item {
                span: self.span_from(at),
                visibility,
                attrs: Vec::new(),
                docs: Vec::new(),
                kind: ItemKind::Proc(Box::new(proc)),
            });
            return ItemKind::Extern(Extern { items });
        }
        self.item_list("`extern`", |p| {
            let at = p.tok().start;
            if p.eat(TokenKind::Proc) {
                let proc = p.proc(Abi::C, Vec::new());
                p.no_extern_body(&proc);
                items.push(Item {
                    span: p.span_from(at),
                    visibility: Visibility::Inherited,
                    attrs: Vec::new(),
                    docs: Vec::new(),
                    kind: ItemKind::Proc(Box::new(proc)),
                });
                true
            } else if p.at_word("type") && p.nth(2).kind != TokenKind::Eq {
                let kind = p.foreign_type();
                items.push(Item {
                    span: p.span_from(at),
                    visibility: Visibility::Inherited,
                    attrs: Vec::new(),
                    docs: Vec::new(),
                    kind,
                });
                true
            } else if let Some(item) = p.item() {
                items.push(item);
                true
            } else {
                false
            }
        });
        ItemKind::Extern(Extern { items })
    }

    fn no_extern_body(&mut self, proc: &ast::Proc) {
        if let Some(body) = &proc.body {
            let diagnostic = self
                .error(
                    codes::EXPECTED_TOKEN,
                    body.span,
                    "an `extern` procedure has no body",
                    "not allowed here",
                )
                .note("`extern` declares a procedure that is defined elsewhere")
                .help("end the declaration with `;`");
            self.report(diagnostic);
        }
    }

    /// `{ items }`; `one` says whether it found one.
    fn item_list(&mut self, after: &str, mut one: impl FnMut(&mut Self) -> bool) {
        if !self.at(TokenKind::LBrace) {
            let diagnostic = self
                .expected(codes::EXPECTED_BLOCK, "`{`")
                .note(format!("{after} is followed by declarations in braces"))
                .help("write the declarations in `{ }`");
            self.report(diagnostic);
            self.skip_line();
            return;
        }
        let open = self.pos;
        self.bump();
        loop {
            while self.eat(TokenKind::Semi) || self.eat(TokenKind::Comma) {}
            if self.past_end_of(open) || self.eat(TokenKind::RBrace) {
                return;
            }
            if self.at(TokenKind::Eof) {
                self.report_unclosed(open);
                return;
            }
            let before = self.pos;
            let found = self.nested(&mut one, |_| true);
            if !found {
                self.report_expected(codes::EXPECTED_DECLARATION, "a declaration");
                loop {
                    self.skip_tree();
                    if self.tok().newline || matches!(self.kind(), TokenKind::RBrace | TokenKind::Eof) {
                        break;
                    }
                }
            } else if self.pos == before {
                self.bump();
            }
        }
    }

    fn trait_decl(&mut self) -> ItemKind {
        self.bump();
        let name = self.ident("the trait's name");
        let generics = self.generics();
        let supers = if self.eat(TokenKind::Colon) { self.bounds() } else { Vec::new() };
        let members = self.member_list("the head of a trait", true);
        ItemKind::Trait(Trait { name, generics, supers, members })
    }

    fn impl_decl(&mut self) -> ItemKind {
        let keyword = self.bump().span();
        // `impl [T]` is of a list, `impl [T] Box<T>` and `impl[A, B] Pair<A, B>` have type parameters.
        let listed = self.at(TokenKind::LBracket)
            && self.partner(self.pos).is_some_and(|close| {
                self.tokens.get(close + 1).is_some_and(|after| {
                    let word = self.text_of(*after);
                    after.kind == TokenKind::Ident && word != "where"
                })
            });
        let generics = if self.at(TokenKind::Lt) || listed { self.generics() } else { Vec::new() };
        let mut ty = self.ty();
        let of = self.eat(TokenKind::For).then(|| std::mem::replace(&mut ty, self.ty()));
        let mut wheres = Vec::new();
        if self.at_word("where") {
            self.bump();
            self.wheres(&mut wheres);
        }
        let head = self.span_from(keyword.start);
        let members = self.member_list("the head of an impl", false);
        ItemKind::Impl(Impl { head, generics, wheres, of, ty, members })
    }

    /// `A + B`
    pub(super) fn bounds(&mut self) -> Vec<TypeId> {
        let mut bounds = vec![self.ty()];
        while self.eat(TokenKind::Plus) {
            bounds.push(self.ty());
        }
        bounds
    }

    /// `T: A + B, U: C` after `where`.
    pub(super) fn wheres(&mut self, wheres: &mut Vec<Where>) {
        loop {
            if matches!(self.kind(), TokenKind::LBrace | TokenKind::Semi | TokenKind::Eof) {
                return;
            }
            let ty = self.ty();
            if !self.expect(TokenKind::Colon, "the type of a `where` clause") {
                return;
            }
            let bounds = self.bounds();
            wheres.push(Where { ty, bounds });
            if !self.eat(TokenKind::Comma) {
                return;
            }
        }
    }

    /// `{ members }`; those of a trait need no body.
    fn member_list(&mut self, after: &str, bodyless: bool) -> Vec<Member> {
        let mut members = Vec::new();
        let outer = std::mem::replace(&mut self.bodyless, bodyless);
        self.item_list(after, |p| {
            let member = p.member();
            let found = member.is_some();
            members.extend(member);
            found
        });
        self.bodyless = outer;
        members
    }

    /// A member of a trait, impl or form.
    pub(super) fn member(&mut self) -> Option<Member> {
        let start = self.tok().start;
        let (attrs, before) = self.before_item();
        let kind = match self.kind() {
            TokenKind::Proc => {
                self.bump();
                let proc = self.proc(Abi::Vitte, before.extras);
                MemberKind::Proc(Box::new(ast::Proc { is_unsafe: before.is_unsafe, ..proc }))
            }
            TokenKind::Const => {
                self.bump();
                let name = self.any_word("the constant's name");
                let ty = self.eat(TokenKind::Colon).then(|| self.ty());
                let value = self.eat(TokenKind::Eq).then(|| self.expr());
                MemberKind::Const { name, ty, value }
            }
            TokenKind::Ident if self.at_word("operator") => {
                MemberKind::Proc(Box::new(self.proc(Abi::Vitte, before.extras)))
            }
            TokenKind::Ident if self.at_word("type") && self.nth(1).kind == TokenKind::Ident => {
                self.bump();
                let name = self.ident("the type's name");
                let bounds = if self.eat(TokenKind::Colon) { self.bounds() } else { Vec::new() };
                let ty = self.eat(TokenKind::Eq).then(|| self.ty());
                MemberKind::Type { name, bounds, ty }
            }
            _ => return None,
        };
        self.eat(TokenKind::Semi);
        Some(Member { span: self.span_from(start), attrs, kind })
    }

    fn test_decl(&mut self) -> ItemKind {
        let keyword = self.bump();
        let title = self.tok();
        let name = if title.kind == TokenKind::Str {
            self.bump();
            Ident {
                name: Name::new(super::super::literal::string_value(self.text_of(title))),
                span: title.span(),
            }
        } else {
            self.ident("the test's title")
        };
        let body = self.block("the title of a test");
        ItemKind::Test(Test {
            bench: self.text_of(keyword) == "bench",
            keyword: keyword.span(),
            title: name,
            body,
        })
    }

    /// `entry main at path { .. }`
    fn entry_decl(&mut self) -> ItemKind {
        self.bump();
        let name = self.any_word("the entry's name");
        if self.eat_word("at") {
            while !matches!(self.kind(), TokenKind::LBrace | TokenKind::Semi | TokenKind::Eof)
                && !self.tok().newline
            {
                self.bump();
            }
        }
        if !self.at(TokenKind::LBrace) {
            return ItemKind::Entry(Entry { name, body: None });
        }
        let keyed = self.nth(1).kind == TokenKind::Ident && self.nth(2).kind == TokenKind::Colon;
        if keyed {
            self.skip_tree();
            return ItemKind::Entry(Entry { name, body: None });
        }
        let body = Some(self.block("an entry"));
        ItemKind::Entry(Entry { name, body })
    }

    fn static_assert(&mut self) -> ItemKind {
        let keyword = self.bump().span();
        let mut cond = None;
        let mut message = None;
        self.list(TokenKind::RParen, "arguments", |p| {
            if cond.is_none() {
                cond = Some(p.expr());
            } else {
                let e = p.expr();
                if let ExprKind::Literal(Literal::Str(text)) = &p.tree.expr(e).kind {
                    message = Some(text.clone());
                }
            }
        });
        let cond = cond.unwrap_or_else(|| self.error_expr());
        ItemKind::StaticAssert(StaticAssert { keyword, cond, message })
    }
}
