//! The file and its declarations.
use super::*;
use crate::syntax::ast::{
    Abi, Alias, Attr, Const, Export, Extra, Field, Form, FormKind, Item, ItemKind, Param, ParamMode, Pick,
    Proc, Space, Use, UseKind, Variant, Visibility, Where,
};

/// What stands before an item's keyword.
#[derive(Default)]
pub(super) struct Before {
    pub(super) visibility: Visibility,
    pub(super) extras: Vec<Extra>,
    pub(super) is_unsafe: bool,
}

impl Parser<'_> {
    pub(super) fn source_file(&mut self) {
        loop {
            while self.eat(TokenKind::Semi) {}
            if self.at(TokenKind::Eof) {
                return;
            }
            if self.at(TokenKind::Hash) && self.nth(1).kind == TokenKind::Bang {
                let attr = self.attribute();
                self.tree.attrs.push(attr);
                continue;
            }
            if self.at_word("space") && matches!(self.nth(1).kind, TokenKind::Ident | TokenKind::Dot) {
                self.space();
                continue;
            }
            let before = self.pos;
            if let Some(item) = self.item() {
                self.tree.items.push(item);
            }
            if self.pos == before {
                self.skip_to_item();
            }
        }
    }

    fn space(&mut self) {
        let keyword = self.bump();
        let (_, path, _) = self.path_segments();
        let span = self.span_from(keyword.start);
        if self.tree.space.is_some() || !self.tree.items.is_empty() {
            let diagnostic = self
                .error(
                    codes::EXPECTED_DECLARATION,
                    keyword.span(),
                    "`space` stands once, at the top",
                    "too late",
                )
                .note("the `space` line names the module and comes before all declarations")
                .help("move it to the first line, or remove it");
            self.report(diagnostic);
            return;
        }
        self.tree.space = Some(Space { span, path });
    }

    /// Skips what is no declaration; the caller or the present token has been reported.
    fn skip_to_item(&mut self) {
        let diagnostic = if self.at(TokenKind::RBrace) {
            self.error(
                codes::EXPECTED_DECLARATION,
                self.tok().span(),
                "this `}` closes nothing",
                "no block is open here",
            )
            .note("all blocks before it are closed already")
            .help("remove it, or look for a `{` that is missing above")
        } else {
            // `lookup(..) {` or `let x = 1` would have declared something, `42` would not.
            self.tree.lost_items |= self.at(TokenKind::Ident) || self.kind().is_keyword();
            let message = format!("expected a declaration, found {}", self.found());
            self.error(codes::EXPECTED_DECLARATION, self.tok().span(), message, "no declaration starts here")
        };
        self.report(diagnostic);
        loop {
            self.skip_tree();
            let token = self.tok();
            if token.kind == TokenKind::Eof || (token.newline && self.item_starts()) {
                return;
            }
        }
    }

    /// Whether a declaration can start at the current token.
    pub(super) fn item_starts(&self) -> bool {
        let next = self.nth(1);
        let name = next.kind == TokenKind::Ident || next.kind.is_keyword();
        match self.kind() {
            TokenKind::Use | TokenKind::Proc | TokenKind::Const => name,
            TokenKind::Pick => {
                name && matches!(self.nth(2).kind, TokenKind::LBrace | TokenKind::Lt | TokenKind::LBracket)
            }
            TokenKind::Hash | TokenKind::At => true,
            TokenKind::Ident => match self.word() {
                "space" | "form" | "type" | "trait" | "entry" | "class" | "union" | "bits" | "flags"
                | "region" | "static" | "global" | "import" | "from" | "intrinsic" | "opaque" | "pub"
                | "priv" | "internal" | "package" | "async" | "unsafe" | "inline" | "noinline" | "macro"
                | "query" | "pass" | "backend" | "diagnostic" | "struct" | "enum" | "fn" | "func"
                | "function" | "def" | "fun" => name && !next.newline,
                "compiler" => (name || next.kind == TokenKind::LBrace) && !next.newline,
                "test" | "bench" => matches!(next.kind, TokenKind::Str | TokenKind::Ident) && !next.newline,
                "export" | "share" => {
                    (name || matches!(next.kind, TokenKind::Star | TokenKind::LBrace)) && !next.newline
                }
                "extern" => name || matches!(next.kind, TokenKind::Str | TokenKind::LBrace),
                "impl" => !next.newline && (name || matches!(next.kind, TokenKind::Lt | TokenKind::LBracket)),
                "static_assert" => next.kind == TokenKind::LParen,
                "operator" => !next.newline,
                "comptime" => next.kind == TokenKind::LBrace,
                _ => false,
            },
            _ => false,
        }
    }

    fn attribute(&mut self) -> Attr {
        let start = self.tok().start;
        let hash = self.bump().kind == TokenKind::Hash;
        self.eat(TokenKind::Bang);
        let name;
        if hash {
            let open = self.pos;
            self.bump();
            name = self.any_word("an attribute's name");
            match self.partner(open).filter(|&c| c >= self.pos) {
                Some(close) => self.pos = close + 1,
                None => self.report_expected(codes::EXPECTED_TOKEN, "`]`"),
            }
        } else {
            name = self.any_word("an attribute's name");
            if self.at(TokenKind::LParen) && !self.tok().newline {
                self.skip_tree();
            }
        }
        Attr { span: self.span_from(start), name }
    }

    /// A declaration; `None` if none starts here (nothing is reported then).
    pub(super) fn item(&mut self) -> Option<Item> {
        let start = self.tok().start;
        let docs = self.docs_here();
        let (attrs, before) = self.before_item();
        let visibility = before.visibility;
        let kind = self.item_kind(before)?;
        self.tree.lost_items |= lacks_name(&kind);
        // A `;` behind the `}` of a declaration or behind `use x` means nothing.
        self.eat(TokenKind::Semi);
        Some(Item { span: self.span_from(start), visibility, attrs, docs, kind })
    }

    /// Attributes and modifiers before a declaration.
    pub(super) fn before_item(&mut self) -> (Vec<Attr>, Before) {
        let mut attrs = Vec::new();
        loop {
            match self.kind() {
                TokenKind::Hash | TokenKind::At => attrs.push(self.attribute()),
                TokenKind::RawStr => {
                    self.bump();
                }
                _ => break,
            }
        }
        let mut before = Before::default();
        loop {
            let next = self.nth(1);
            let more = next.kind == TokenKind::Ident
                || matches!(next.kind, TokenKind::Proc | TokenKind::Const | TokenKind::Pick | TokenKind::Use);
            if !more {
                break;
            }
            let declares =
                matches!(next.kind, TokenKind::Proc | TokenKind::Const | TokenKind::Pick | TokenKind::Use)
                    || matches!(
                        self.nth_word(1),
                        "form"
                            | "type"
                            | "trait"
                            | "static"
                            | "async"
                            | "unsafe"
                            | "inline"
                            | "noinline"
                            | "extern"
                            | "intrinsic"
                            | "opaque"
                            | "class"
                            | "union"
                    ) && (self.nth(2).kind == TokenKind::Ident || self.nth(2).kind.is_keyword());
            match self.word() {
                "pub" => before.visibility = Visibility::Public,
                "export" | "share" if declares => before.visibility = Visibility::Public,
                "priv" | "internal" | "package" if declares => before.visibility = Visibility::Private,
                "async" if declares => {
                    before.extras.push(Extra { feature: "`async` procedures", span: self.tok().span() })
                }
                "unsafe" if declares => before.is_unsafe = true,
                "inline" | "noinline" if declares => {}
                _ => break,
            }
            self.bump();
        }
        let const_proc = self.at(TokenKind::Const) && self.nth(1).kind == TokenKind::Proc;
        if const_proc {
            self.bump();
        }
        (attrs, before)
    }

    fn docs_here(&mut self) -> Vec<Span> {
        let here = self.pos as u32;
        let from = self.docs.partition_point(|d| d.0 < here);
        self.docs[from..].iter().take_while(|d| d.0 == here).map(|d| d.1).collect()
    }

    fn item_kind(&mut self, before: Before) -> Option<ItemKind> {
        match self.kind() {
            TokenKind::Use => Some(self.use_decl()),
            TokenKind::Proc => {
                self.bump();
                let proc = self.proc(Abi::Vitte, before.extras);
                Some(ItemKind::Proc(Box::new(Proc { is_unsafe: before.is_unsafe, ..proc })))
            }
            TokenKind::Pick => {
                self.bump();
                Some(self.pick_decl())
            }
            TokenKind::Const => {
                self.bump();
                Some(self.const_decl())
            }
            TokenKind::Ident if self.item_starts() => self.word_item(before),
            _ => None,
        }
    }

    fn word_item(&mut self, before: Before) -> Option<ItemKind> {
        Some(match self.word() {
            "form" => {
                self.bump();
                self.form_decl()
            }
            "type" => {
                self.bump();
                let name = self.ident("the type's name");
                let generics = self.generics();
                self.expect(TokenKind::Eq, "the name of a type alias");
                ItemKind::Alias(Alias { name, generics, ty: self.ty() })
            }
            "export" | "share" => self.export_decl(),
            "import" => self.use_decl(),
            "from" => self.old_import(),
            "intrinsic" => {
                self.bump();
                self.eat(TokenKind::Proc);
                ItemKind::Proc(Box::new(self.proc(Abi::Intrinsic, before.extras)))
            }
            "struct" => {
                self.foreign_item("form", "records are declared with `form`");
                self.form_decl()
            }
            "enum" => {
                self.foreign_item("pick", "sum types are declared with `pick`");
                self.pick_decl()
            }
            "fn" | "func" | "function" | "def" | "fun" => {
                self.foreign_item("proc", "procedures are declared with `proc`");
                ItemKind::Proc(Box::new(self.proc(Abi::Vitte, before.extras)))
            }
            _ => return Some(self.meta_item(before)),
        })
    }

    /// A keyword of another language: reported, then read as ours.
    fn foreign_item(&mut self, ours: &str, note: &str) {
        let span = self.tok().span();
        let diagnostic = self
            .error(codes::FOREIGN_KEYWORD, span, format!("`{}` is not a keyword", self.word()), "not Vitte")
            .note(note)
            .suggest(self.place(span), ours, format!("write `{ours}`"), Applicability::MachineApplicable);
        self.report(diagnostic);
        self.errors -= 1;
        self.bump();
    }

    /// `a/b.c::d`: levels up, segments, and whether the last separator was a dot. Stops before `.{` and `.*`.
    fn path_segments(&mut self) -> (Option<u32>, Vec<Ident>, bool) {
        let mut up = None;
        let mut path: Vec<Ident> = Vec::new();
        let mut dotted = false;
        // `./x`, `../x`, `../../x`
        while path.is_empty() && matches!(self.kind(), TokenKind::Dot | TokenKind::DotDot) {
            let dots = self.bump().kind;
            up = Some(up.unwrap_or(0) + u32::from(dots == TokenKind::DotDot));
            self.eat(TokenKind::Slash);
        }
        loop {
            match self.word() {
                "self" if path.is_empty() && is_separator(self.nth(1).kind) => {
                    self.bump();
                    up = Some(up.unwrap_or(0));
                }
                "super" if path.is_empty() && is_separator(self.nth(1).kind) => {
                    self.bump();
                    up = Some(up.unwrap_or(0) + 1);
                }
                _ if self.at(TokenKind::Str) => {
                    self.quoted_path();
                    return (up, path, dotted);
                }
                _ => path.push(self.any_word("a path segment")),
            }
            let next = self.nth(1);
            let goes_on =
                is_separator(self.kind()) && (next.kind == TokenKind::Ident || next.kind.is_keyword());
            if !goes_on {
                return (up, path, dotted);
            }
            dotted = self.bump().kind == TokenKind::Dot && !path.is_empty();
        }
    }

    fn use_decl(&mut self) -> ItemKind {
        self.bump();
        let start = self.tok().start;
        let (up, path, dotted) = self.path_segments();
        let path_span = self.span_from(start);
        let separator =
            is_separator(self.kind()) && matches!(self.nth(1).kind, TokenKind::LBrace | TokenKind::Star);
        if separator {
            self.bump();
        }
        let kind = match self.kind() {
            TokenKind::Star => {
                self.bump();
                UseKind::Glob
            }
            TokenKind::LBrace if !self.tok().newline || separator => {
                let mut glob = false;
                let mut names = Vec::new();
                self.list(TokenKind::RBrace, "imported names", |p| {
                    if p.eat(TokenKind::Star) {
                        glob = true;
                    } else {
                        names.push(p.renamed_name());
                    }
                });
                if glob { UseKind::Glob } else { UseKind::Group(names) }
            }
            TokenKind::As => {
                self.bump();
                UseKind::Plain(Some(self.ident("a new name")))
            }
            _ => UseKind::Plain(None),
        };
        self.end_of_line_item("an import");
        ItemKind::Use(Use { path_span, up, path, dotted, kind })
    }

    /// `name [as other]`
    fn renamed_name(&mut self) -> (Ident, Option<Ident>) {
        let name = self.any_word("a name");
        let alias = self.eat(TokenKind::As).then(|| self.ident("a new name"));
        (name, alias)
    }

    /// A declaration without a body ends with its line.
    fn end_of_line_item(&mut self, what: &str) {
        let token = self.tok();
        if token.newline || matches!(token.kind, TokenKind::Semi | TokenKind::Eof | TokenKind::RBrace) {
            return;
        }
        if self.item_starts() {
            return;
        }
        let end = self.prev_end();
        let diagnostic = self
            .expected(codes::EXPECTED_TOKEN, "`;` or a new line")
            .note(format!("{what} ends with its line"))
            .suggest(self.place(Span::new(end, end)), ";", "end it here", Applicability::MachineApplicable);
        self.report(diagnostic);
        while !self.tok().newline && !matches!(self.kind(), TokenKind::Semi | TokenKind::Eof) {
            self.skip_tree();
        }
    }

    /// `from a/b import x, y`: reported with the `use` that means the same.
    fn old_import(&mut self) -> ItemKind {
        let start = self.bump().start;
        let at = self.tok().start;
        let (up, path, dotted) = self.path_segments();
        let path_span = self.span_from(at);
        let mut names = Vec::new();
        let mut glob = false;
        if self.eat_word("import") {
            loop {
                if self.eat(TokenKind::Star) {
                    glob = true;
                } else {
                    names.push(self.renamed_name());
                }
                if !self.eat(TokenKind::Comma) {
                    break;
                }
            }
        }
        let span = self.span_from(start);
        let list: Vec<String> = names
            .iter()
            .map(|(n, a)| a.as_ref().map_or(n.name.to_string(), |a| format!("{} as {}", n.name, a.name)))
            .collect();
        let path_text = &self.text[path_span.start as usize..path_span.end as usize];
        let tail =
            if glob || list.is_empty() { ".*".to_owned() } else { format!(".{{{}}}", list.join(", ")) };
        let diagnostic = self
            .error(codes::FOREIGN_KEYWORD, span, "imports are written with `use`", "old spelling")
            .note("`from .. import ..` comes from an old specification")
            .suggest(
                self.place(span),
                format!("use {path_text}{tail}"),
                "write it as `use`",
                Applicability::MachineApplicable,
            );
        // The line is complete, so the place for "once per token" is its own start.
        self.push(diagnostic);
        let kind = if glob || names.is_empty() { UseKind::Glob } else { UseKind::Group(names) };
        ItemKind::Use(Use { path_span, up, path, dotted, kind })
    }

    fn export_decl(&mut self) -> ItemKind {
        let share = self.bump();
        let all = self.at(TokenKind::Star)
            || self.text_of(share) == "share" && self.at_word("all") && self.nth(1).kind != TokenKind::Comma;
        let names = if all {
            self.bump();
            None
        } else if self.at(TokenKind::LBrace) {
            let mut names = Vec::new();
            let mut glob = false;
            self.list(TokenKind::RBrace, "exported names", |p| {
                if p.eat(TokenKind::Star) {
                    glob = true;
                } else {
                    names.push(p.renamed_name());
                }
            });
            (!glob).then_some(names)
        } else {
            let mut names = vec![self.renamed_name()];
            while self.eat(TokenKind::Comma) {
                names.push(self.renamed_name());
            }
            Some(names)
        };
        self.end_of_line_item("an export");
        ItemKind::Export(Export { names })
    }

    /// After `proc` or `intrinsic`.
    pub(super) fn proc(&mut self, abi: Abi, mut extras: Vec<Extra>) -> Proc {
        let mut name = self.any_word("the procedure's name");
        if name.name == "operator"
            && match self.kind() {
                TokenKind::LParen => false,
                TokenKind::Lt => matches!(self.nth(1).kind, TokenKind::LParen | TokenKind::Lt),
                TokenKind::LBracket => self.nth(1).kind == TokenKind::RBracket,
                _ => true,
            }
        {
            let start = name.span.start;
            let symbol = self.bump();
            name.name = Name::new(format!("operator{}", self.text_of(symbol)));
            if symbol.kind == TokenKind::LBracket && self.eat(TokenKind::RBracket) {
                name.name = Name::new_static("operator[]");
            }
            name.span = self.span_from(start);
        }
        let bodyless = std::mem::take(&mut self.bodyless);
        let errors = self.errors;
        let generics = self.generics();
        let params = if self.at(TokenKind::LParen) {
            self.params()
        } else {
            let diagnostic = self
                .expected(codes::EXPECTED_TOKEN, "`(` and the parameters")
                .note("a procedure is written `proc name(a: int) -> int { .. }`")
                .help("write `()` if it takes none");
            self.report(diagnostic);
            Vec::new()
        };
        let broken = self.errors != errors;
        let mut ret = self.result_type();
        if broken {
            self.tree.lost_bindings.push(name.span.start);
            ret = ret.or_else(|| Some(self.error_type()));
        }
        let mut wheres = Vec::new();
        self.suffixes(&mut extras, &mut wheres);
        let body = if self.at(TokenKind::LBrace) {
            Some(self.block("the head of a procedure"))
        } else {
            // A head without a body is a declaration only where it says so with `;`.
            let declared =
                self.at(TokenKind::Semi) || bodyless && (self.tok().newline || self.at(TokenKind::RBrace));
            (!declared && abi == Abi::Vitte).then(|| {
                if ret.is_none() && !self.tok().newline && !self.at(TokenKind::Colon) {
                    // What stands there instead may have been meant as the result type.
                    ret = Some(self.error_type());
                }
                self.missing_body()
            })
        };
        self.bodyless = bodyless;
        Proc { name, abi, generics, wheres, params, ret, extras, is_unsafe: false, body }
    }

    fn missing_body(&mut self) -> Block {
        let diagnostic = self
            .expected(codes::EXPECTED_BLOCK, "the procedure's body")
            .note("a procedure's head is followed by its body in braces")
            .help("write `{ .. }`, or `;` to declare without defining");
        self.report(diagnostic);
        let block = self.block_without_braces();
        if self.at(TokenKind::RBrace) && self.partner(self.pos).is_none() {
            // It closes the brace that is missing.
            self.bump();
        }
        block
    }

    /// `-> T`. `: T` and a bare type are reported with a fix-it.
    fn result_type(&mut self) -> Option<TypeId> {
        if self.eat(TokenKind::Arrow) {
            return Some(self.ty());
        }
        let span = self.tok().span();
        let (place, text) = match self.kind() {
            // `def f():` and its body on the lines below.
            TokenKind::Colon if self.nth(1).newline => return None,
            TokenKind::Colon | TokenKind::FatArrow => {
                let blank = self.text[..span.start as usize].ends_with(char::is_whitespace);
                (span, if blank { "->" } else { " ->" })
            }
            TokenKind::Ident
                if !self.tok().newline
                    && matches!(self.nth(1).kind, TokenKind::LBrace | TokenKind::Lt | TokenKind::Semi) =>
            {
                (Span::new(span.start, span.start), "-> ")
            }
            _ => return None,
        };
        let diagnostic = self
            .expected(codes::EXPECTED_TOKEN, "`->`")
            .note("the result type of a procedure follows `->`")
            .suggest(self.place(place), text, "write `->`", Applicability::MachineApplicable);
        self.report(diagnostic);
        if !self.at(TokenKind::Ident) {
            self.bump();
        }
        Some(self.ty())
    }

    fn suffixes(&mut self, extras: &mut Vec<Extra>, wheres: &mut Vec<Where>) {
        loop {
            let start = self.tok().start;
            let feature = match self.word() {
                "requires" if self.nth(1).kind == TokenKind::LParen => "`requires` clauses",
                // Notes to the reader: every proc may do anything, and a panic ends the program.
                "effects" if self.nth(1).kind == TokenKind::LParen => {
                    self.bump();
                    self.skip_tree();
                    continue;
                }
                "noexcept" => {
                    self.bump();
                    continue;
                }
                "where" => {
                    self.bump();
                    self.wheres(wheres);
                    continue;
                }
                _ => return,
            };
            self.bump();
            self.skip_tree();
            extras.push(Extra { feature, span: self.span_from(start) });
        }
    }

    /// `( .. )` of a procedure; the parenthesis is the current token.
    pub(super) fn params(&mut self) -> Vec<Param> {
        let mut params = Vec::new();
        self.list(TokenKind::RParen, "parameters", |p| params.push(p.param()));
        params
    }

    fn param(&mut self) -> Param {
        let start = self.tok().start;
        let mut mode = ParamMode::Plain;
        if self.eat(TokenKind::Amp) {
            mode = if self.eat_word("mut") { ParamMode::RefMut } else { ParamMode::Ref };
        }
        if self.eat(TokenKind::Ellipsis) {
            let name = if self.at(TokenKind::Ident) { self.ident("a name") } else { self.no_ident() };
            if self.eat(TokenKind::Colon) {
                self.ty();
            }
            let span = self.span_from(start);
            self.tree.types.push(Type { span, kind: TypeKind::Unsupported("variadic parameters") });
            let ty = Some(TypeId(self.tree.types.len() as u32 - 1));
            return Param { span, name, mode, ty, default: None };
        }
        while self.nth(1).kind == TokenKind::Ident || self.nth(1).kind.is_keyword() {
            mode = match (self.word(), mode) {
                ("mut", ParamMode::Ref) => ParamMode::RefMut,
                ("mut" | "copy" | "borrow", m) => m,
                ("move" | "owned", _) => ParamMode::Move,
                ("ref", _) => ParamMode::Ref,
                _ => break,
            };
            self.bump();
        }
        let mut name = self.any_word("a parameter's name");
        let ty = if self.eat(TokenKind::Colon) {
            Some(self.ty())
        } else if name.name == "self" || name.name.is_empty() {
            None
        } else {
            self.missing_colon(&mut name)
        };
        let default = self.eat(TokenKind::Eq).then(|| self.expr());
        Param { span: self.span_from(start), name, mode, ty, default }
    }

    /// `PAR0033`; reads the type that follows anyway.
    fn missing_colon(&mut self, name: &mut Ident) -> Option<TypeId> {
        let end = name.span.end;
        let type_there = matches!(self.kind(), TokenKind::Ident | TokenKind::LBracket | TokenKind::Amp);
        let (text, applicability) = if type_there {
            (":".to_owned(), Applicability::MachineApplicable)
        } else {
            (": TYPE".to_owned(), Applicability::HasPlaceholders)
        };
        let mut diagnostic = self
            .error(
                codes::EXPECTED_PARAMETER_COLON,
                if type_there { self.tok().span() } else { name.span },
                format!("parameter `{}` needs `:` and a type", name.name),
                if type_there { "expected `:` before this type" } else { "its type is missing" },
            )
            .note("parameters always have types: `name: type`");
        if self.at(TokenKind::Ident) && habits::is_type_name(&name.name) {
            // `int a`: the C order.
            let name_there = self.bump();
            let whole = name.span.to(name_there.span());
            diagnostic = diagnostic.note("the name comes first and the type behind the colon").suggest(
                self.place(whole),
                format!("{}: {}", self.text_of(name_there), name.name),
                "turn them round",
                Applicability::MachineApplicable,
            );
            self.report(diagnostic);
            self.errors -= 1;
            let (ty, type_span) = (name.name.clone(), name.span);
            *name = self.ident_of(name_there);
            let path = vec![Ident { name: ty, span: type_span }];
            self.tree.types.push(Type { span: type_span, kind: TypeKind::Path(path, Vec::new()) });
            return Some(TypeId(self.tree.types.len() as u32 - 1));
        }
        let diagnostic = diagnostic.suggest(self.place(Span::new(end, end)), text, "add it", applicability);
        self.report(diagnostic);
        type_there.then(|| {
            self.errors -= 1;
            self.ty()
        })
    }

    fn const_decl(&mut self) -> ItemKind {
        let name = self.any_word("the constant's name");
        let ty = self.eat(TokenKind::Colon).then(|| self.ty());
        let errors = self.errors;
        let value = if self.expect(TokenKind::Eq, "the name and type of a constant") {
            self.expr()
        } else {
            self.error_expr()
        };
        if self.errors == errors {
            self.end_of_line_item("a constant");
        } else {
            self.skip_line();
        }
        ItemKind::Const(Const { name, ty, value, storage: false })
    }

    /// `static NAME: T = e`, `global NAME: T = e`
    pub(super) fn static_decl(&mut self) -> ItemKind {
        self.bump();
        match self.const_decl() {
            ItemKind::Const(constant) => ItemKind::Const(Const { storage: true, ..constant }),
            other => other,
        }
    }

    /// `opaque type A = T`: a form that holds a `T` and nothing else.
    pub(super) fn opaque_decl(&mut self) -> ItemKind {
        self.bump();
        if !self.eat_word("type") {
            self.report_expected(codes::EXPECTED_TOKEN, "`type` after `opaque`");
        }
        let name = self.ident("the type's name");
        let generics = self.generics();
        self.expect(TokenKind::Eq, "the name of an opaque type");
        let value = Ident { name: Name::new_static("value"), span: name.span };
        let fields = vec![Field { name: Some(value), ty: self.ty(), default: None }];
        ItemKind::Form(Form {
            kind: FormKind::Opaque,
            name,
            generics,
            fields,
            members: Vec::new(),
            extras: Vec::new(),
        })
    }

    /// `type A` after `extern`: nothing is known of it.
    pub(super) fn foreign_type(&mut self) -> ItemKind {
        self.bump();
        let name = self.ident("the type's name");
        self.end_of_line_item("a foreign type");
        let (generics, fields) = (Vec::new(), Vec::new());
        let (members, extras) = (Vec::new(), Vec::new());
        ItemKind::Form(Form { kind: FormKind::Foreign, name, generics, fields, members, extras })
    }

    pub(super) fn skip_line(&mut self) {
        while !self.tok().newline
            && !matches!(self.kind(), TokenKind::Semi | TokenKind::Eof | TokenKind::RBrace)
        {
            self.skip_tree();
        }
    }

    /// The `{ }` of a declaration: members separated by comma, `;` or line end.
    fn members(&mut self, after: &str, mut member: impl FnMut(&mut Self)) {
        if !self.at(TokenKind::LBrace) {
            let diagnostic = self
                .expected(codes::EXPECTED_BLOCK, "`{`")
                .note(format!("{after} is followed by its members in braces"))
                .help("write the members in `{ }`");
            self.report(diagnostic);
            self.skip_line();
            return;
        }
        let open = self.pos;
        self.bump();
        loop {
            while self.eat(TokenKind::Comma) || self.eat(TokenKind::Semi) {}
            if self.past_end_of(open) || self.eat(TokenKind::RBrace) {
                return;
            }
            let ended = self.at(TokenKind::Eof)
                || (self.partner(open).is_none() && self.in_first_column(self.tok()) && self.item_starts());
            if ended {
                self.report_unclosed(open);
                return;
            }
            let (before, errors) = (self.pos, self.errors);
            member(self);
            let separated = self.tok().newline
                || matches!(self.kind(), TokenKind::Comma | TokenKind::Semi | TokenKind::RBrace);
            if self.errors == errors && !separated {
                let end = self.prev_end();
                let diagnostic = self
                    .expected(codes::EXPECTED_TOKEN, "`,` or a new line")
                    .note("members are separated by commas or line ends")
                    .suggest(
                        self.place(Span::new(end, end)),
                        ",",
                        "insert a comma",
                        if self.at(TokenKind::Ident) {
                            Applicability::MachineApplicable
                        } else {
                            Applicability::MaybeIncorrect
                        },
                    );
                self.report(diagnostic);
                if self.at(TokenKind::Ident) {
                    // Only the comma is missing.
                    continue;
                }
            }
            if self.errors != errors {
                while !matches!(
                    self.kind(),
                    TokenKind::Comma | TokenKind::Semi | TokenKind::RBrace | TokenKind::Eof
                ) && (self.pos == before || !self.tok().newline)
                {
                    self.skip_tree();
                }
            }
        }
    }

    fn form_decl(&mut self) -> ItemKind {
        let name = self.ident("the form's name");
        let generics = self.generics();
        let mut fields = Vec::new();
        let mut extras = Vec::new();
        let mut members = Vec::new();
        self.members("the name of a form", |p| {
            let start = p.tok().start;
            let named = p.nth(1).kind == TokenKind::Colon;
            let member = matches!(p.kind(), TokenKind::Proc | TokenKind::Const) || p.at_word("operator");
            if !named && member {
                members.extend(p.nested(Self::member, |_| None));
                return;
            }
            if !named && p.item_starts() && !matches!(p.word(), "pub" | "priv") {
                p.nested(|p| p.item().map(|_| ()), |_| None);
                extras
                    .push(Extra { feature: "members of forms other than fields", span: p.span_from(start) });
                return;
            }
            let visibility = !named
                && matches!(p.word(), "pub" | "priv" | "mut" | "let")
                && p.nth(1).kind == TokenKind::Ident;
            if visibility {
                p.bump();
            }
            let name = p.any_word("a field's name");
            if name.name.is_empty() {
                return;
            }
            if !p.eat(TokenKind::Colon) {
                let end = name.span.end;
                let type_there =
                    matches!(p.kind(), TokenKind::Ident | TokenKind::LBracket) && !p.tok().newline;
                let (text, applicability) = if type_there {
                    (":", Applicability::MachineApplicable)
                } else {
                    (": TYPE", Applicability::HasPlaceholders)
                };
                let diagnostic = p
                    .expected(codes::EXPECTED_TOKEN, "`:` and the field's type")
                    .note("a field is written `name: type`")
                    .suggest(p.place(Span::new(end, end)), text, "add it", applicability);
                p.report(diagnostic);
                if !type_there {
                    return;
                }
                p.errors -= 1;
            }
            let ty = p.ty();
            let default = p.eat(TokenKind::Eq).then(|| p.expr());
            fields.push(Field { name: Some(name), ty, default });
        });
        ItemKind::Form(Form { kind: FormKind::Record, name, generics, fields, members, extras })
    }

    fn pick_decl(&mut self) -> ItemKind {
        let name = self.ident("the pick's name");
        let generics = self.generics();
        let mut variants = Vec::new();
        self.members("the name of a pick", |p| {
            if p.at_word("case") && p.nth(1).kind == TokenKind::Ident && !p.nth(1).newline {
                p.bump();
            }
            let name = p.any_word("a variant's name");
            if name.name.is_empty() {
                p.tree.lost_items = true;
                return;
            }
            let mut fields = Vec::new();
            if p.at(TokenKind::LParen) && !p.tok().newline {
                p.list(TokenKind::RParen, "payload fields", |p| {
                    let named = p.nth(1).kind == TokenKind::Colon;
                    let name = named.then(|| {
                        let name = p.any_word("a field's name");
                        p.bump();
                        name
                    });
                    let ty = p.ty();
                    fields.push(Field { name, ty, default: None });
                });
            }
            let ordinal = p.eat(TokenKind::Eq).then(|| p.expr());
            variants.push(Variant { name, fields, ordinal });
        });
        ItemKind::Pick(Pick { name, generics, variants })
    }
}

/// Whether a declaration has no name because the text could not be read.
fn lacks_name(kind: &ItemKind) -> bool {
    match kind {
        ItemKind::Proc(proc) => proc.name.name.is_empty(),
        ItemKind::Form(form) => form.name.name.is_empty(),
        ItemKind::Pick(pick) => pick.name.name.is_empty(),
        ItemKind::Const(constant) => constant.name.name.is_empty(),
        ItemKind::Alias(alias) => alias.name.name.is_empty(),
        ItemKind::Trait(declared) => declared.name.name.is_empty(),
        ItemKind::Use(_)
        | ItemKind::Export(_)
        | ItemKind::Extern(_)
        | ItemKind::Test(_)
        | ItemKind::Entry(_)
        | ItemKind::StaticAssert(_)
        | ItemKind::Impl(_)
        | ItemKind::Unsupported(_) => false,
    }
}

fn is_separator(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Slash | TokenKind::Dot | TokenKind::ColonColon)
}
