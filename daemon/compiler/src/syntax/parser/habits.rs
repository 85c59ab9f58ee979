//! What people write who come from other languages: each habit is reported once, with what Vitte
//! writes instead, and then read as what was meant, so that nothing else is said about it.
use super::exprs::{Infix, strength};
use super::stmts::starts_plain_value;
use super::*;
use crate::lower::hir::BinaryOp;
use crate::syntax::ast::{Stmt, StmtKind};

/// Names that are types and therefore no names of parameters or locals at the start of a declaration.
pub(super) fn is_type_name(name: &str) -> bool {
    matches!(
        name,
        "int"
            | "uint"
            | "string"
            | "bool"
            | "char"
            | "float"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "f32"
            | "f64"
            | "usize"
            | "isize"
    )
}

// ---- statements ----
impl Parser<'_> {
    /// Reports a habit at `span` and counts it as mended: what stands there is read as it was meant.
    fn mended(&mut self, diagnostic: Diagnostic) {
        self.report(diagnostic);
        self.errors -= 1;
    }

    /// `var x = 1`, `mut x = 1`: reported, then read as `let`.
    pub(super) fn let_under_another_name(&mut self, note: &str) -> StmtKind {
        let span = self.tok().span();
        let word = self.word();
        let diagnostic = self
            .error(codes::FOREIGN_KEYWORD, span, format!("`{word}` is not a keyword"), "not Vitte")
            .note(note)
            .suggest(self.place(span), "let", "write `let`", Applicability::MachineApplicable);
        self.mended(diagnostic);
        self.bump();
        self.let_stmt()
    }

    /// Whether `x := …` stands here.
    pub(super) fn short_declaration(&self) -> bool {
        let (colon, equals) = (self.nth(1), self.nth(2));
        colon.kind == TokenKind::Colon && equals.kind == TokenKind::Eq && colon.end == equals.start
    }

    /// `x := 1`, read as `let x = 1`.
    pub(super) fn walrus(&mut self) -> StmtKind {
        let start = self.tok().start;
        let name = self.word();
        let span = Span::new(start, self.nth(2).end);
        let diagnostic = self
            .error(
                codes::EXPECTED_TOKEN,
                Span::new(self.nth(1).start, span.end),
                "`:=` is no operator",
                "not Vitte",
            )
            .note("locals are declared with `let`; every local may be assigned again with `set`")
            .suggest(
                self.place(span),
                format!("let {name} ="),
                "declare it with `let`",
                Applicability::MachineApplicable,
            );
        self.mended(diagnostic);
        let pat = self.pat(patterns::BraceAfterPath::Fields);
        self.bump();
        self.bump();
        let init = Some(self.expr());
        StmtKind::Let { pat, ty: None, init, constant: false }
    }

    /// `let x := 1`
    pub(super) fn walrus_in_let(&mut self) {
        let (colon, equals) = (self.tok(), self.nth(1));
        if colon.kind != TokenKind::Colon || equals.kind != TokenKind::Eq || colon.end != equals.start {
            return;
        }
        let span = colon.span().to(equals.span());
        let diagnostic = self
            .error(codes::EXPECTED_TOKEN, span, "`:=` is no operator", "not Vitte")
            .note("`let` takes `=`, with the type before it if one is written: `let x: int = 1`")
            .suggest(self.place(span), "=", "write `=`", Applicability::MachineApplicable);
        self.mended(diagnostic);
        self.bump();
    }

    /// Whether `int x = …` stands here.
    pub(super) fn typed_declaration(&self) -> bool {
        let name = self.nth(1);
        is_type_name(self.word())
            && name.kind == TokenKind::Ident
            && !name.newline
            && self.nth(2).kind == TokenKind::Eq
    }

    /// `int x = 1`, read as `let x: int = 1`.
    pub(super) fn c_declaration(&mut self) -> StmtKind {
        let ty_token = self.bump();
        let (ty, name) = (self.text_of(ty_token), self.word());
        let span = ty_token.span().to(self.tok().span());
        let diagnostic = self
            .error(
                codes::EXPECTED_TOKEN,
                self.tok().span(),
                format!("`{ty} {name}` declares nothing"),
                "not Vitte",
            )
            .note("a local is declared with `let`, its type stands behind a colon")
            .suggest(
                self.place(span),
                format!("let {name}: {ty}"),
                "declare it with `let`",
                Applicability::MachineApplicable,
            );
        self.mended(diagnostic);
        let path = vec![self.ident_of(ty_token)];
        self.tree.types.push(Type { span: ty_token.span(), kind: TypeKind::Path(path, Vec::new()) });
        let ty = Some(TypeId(self.tree.types.len() as u32 - 1));
        let pat = self.pat(patterns::BraceAfterPath::Fields);
        self.bump();
        let init = Some(self.expr());
        StmtKind::Let { pat, ty, init, constant: false }
    }

    /// `do { .. } while c`
    pub(super) fn do_while(&mut self) -> StmtKind {
        let span = self.tok().span();
        let diagnostic = self
            .error(codes::FOREIGN_KEYWORD, span, "there is no `do`", "not Vitte")
            .note("`loop { .. }` runs until a `break`, and `while c { .. }` tests before every round")
            .help("write `loop { .. }` with `if not c { break }` at its end");
        self.mended(diagnostic);
        self.bump();
        let body = self.block("`do`");
        if self.eat(TokenKind::While) {
            self.head();
        }
        StmtKind::Loop(body)
    }

    /// `try { .. } catch (e) { .. }`
    pub(super) fn try_catch(&mut self) -> StmtKind {
        let start = self.tok().start;
        let span = self.tok().span();
        let diagnostic = self
            .error(codes::FOREIGN_KEYWORD, span, "there are no exceptions to catch", "not Vitte")
            .note("a proc that can fail gives a `Result`; `e?` passes the error of `e` on to the caller")
            .help("match on the result: `match e { Ok(value) { .. } Err(error) { .. } }`");
        self.mended(diagnostic);
        self.bump();
        let block = self.block("`try`");
        while matches!(self.word(), "catch" | "except" | "finally") {
            while !self.tok().newline && !matches!(self.kind(), TokenKind::LBrace | TokenKind::Eof) {
                self.skip_tree();
            }
            if self.at(TokenKind::LBrace) {
                self.skip_tree();
            }
        }
        StmtKind::Expr(self.add_expr(start, ExprKind::Block(block)))
    }

    /// `set x == 1`
    pub(super) fn report_comparison_for_assignment(&mut self, operator: Span) {
        let diagnostic = self
            .error(codes::EXPECTED_TOKEN, operator, "expected `=`, found `==`", "`set` takes `=`")
            .note("`==` compares; `=` gives a new value")
            .suggest(self.place(operator), "=", "write `=`", Applicability::MachineApplicable);
        self.mended(diagnostic);
        // The present token is behind it all and has had no error.
        self.quiet_until = self.pos.checked_sub(1);
    }

    /// Whether the token can start neither a statement nor an expression.
    pub(super) fn starts_no_statement(&self) -> bool {
        matches!(
            self.kind(),
            TokenKind::Else
                | TokenKind::Elif
                | TokenKind::In
                | TokenKind::RParen
                | TokenKind::RBracket
                | TokenKind::Comma
                | TokenKind::Colon
                | TokenKind::Arrow
                | TokenKind::FatArrow
                | TokenKind::Eq
                | TokenKind::EqEq
                | TokenKind::Dot
                | TokenKind::At
                | TokenKind::Slash
                | TokenKind::Percent
        )
    }

    /// A token that starts nothing, where a statement should.
    pub(super) fn stray_token(&mut self) -> StmtKind {
        let token = self.tok();
        let text = token.kind.text();
        let diagnostic = match token.kind {
            TokenKind::Else | TokenKind::Elif => self
                .error(
                    codes::EXPECTED_EXPRESSION,
                    token.span(),
                    format!("`{text}` without an `if`"),
                    "no `if` before it",
                )
                .note("`else` and `elif` follow directly behind the `}` of their `if`")
                .help("remove it, or look for a `}` that closes the `if` too early"),
            TokenKind::RParen | TokenKind::RBracket => self.closes_nothing(token),
            _ => self
                .error(
                    codes::EXPECTED_EXPRESSION,
                    token.span(),
                    format!("expected a statement, found {}", self.found()),
                    "no statement starts here",
                )
                .note("a statement starts with a keyword such as `let`, `set`, `give`, `if`, or is a call")
                .help("remove it, or complete the line before it"),
        };
        self.report(diagnostic);
        self.bump();
        if matches!(token.kind, TokenKind::Else | TokenKind::Elif) {
            if token.kind == TokenKind::Elif || self.eat(TokenKind::If) {
                self.head();
            }
            if self.at(TokenKind::LBrace) {
                let start = self.tok().start;
                let block = self.block("`else`");
                return StmtKind::Expr(self.add_expr(start, ExprKind::Block(block)));
            }
        }
        StmtKind::Expr(self.error_expr())
    }

    fn closes_nothing(&self, token: Token) -> Diagnostic {
        let text = token.kind.text();
        self.error(
            codes::EXPECTED_TOKEN,
            token.span(),
            format!("this `{text}` closes nothing"),
            "no bracket is open here",
        )
        .note("all brackets before it are closed already")
        .suggest(self.place(token.span()), "", "remove it", Applicability::MachineApplicable)
    }

    /// Something stands behind a complete statement on its line.
    pub(super) fn report_unfinished_line(&mut self) {
        let token = self.tok();
        let diagnostic = match token.kind {
            TokenKind::RParen | TokenKind::RBracket => self.closes_nothing(token),
            TokenKind::FatArrow => self
                .expected(codes::EXPECTED_TOKEN, "`;` or a new line")
                .note("`=>` stands in the arms of a match only")
                .help("declare a `proc` and use its name as the value"),
            _ => {
                let end = self.prev_end();
                // What can begin a statement probably does.
                let sure = if starts_plain_value(token.kind) && token.kind != TokenKind::LBrace {
                    Applicability::MachineApplicable
                } else {
                    Applicability::MaybeIncorrect
                };
                self.expected(codes::EXPECTED_TOKEN, "`;` or a new line")
                    .note("a statement ends at `;`, at `}`, or at the end of its line")
                    .suggest(self.place(Span::new(end, end)), ";", "end the statement here", sure)
            }
        };
        self.report(diagnostic);
    }

    /// A body whose braces are missing; that has been reported. A single statement on the line, or, as
    /// in languages that go by indentation, the lines that stand further right than the present one.
    pub(super) fn block_without_braces(&mut self) -> Block {
        let start = self.tok().start;
        if self.at(TokenKind::Else) && !self.tok().newline {
            // `1 if c else 2`
            self.skip_line();
        }
        if self.pos == 0 || matches!(self.kind(), TokenKind::Eof | TokenKind::RBrace | TokenKind::Else) {
            return self.empty_block();
        }
        let indent = self.indent_of_line(self.tokens[self.pos - 1]);
        let worded = matches!(self.word(), "then" | "do");
        if !self.tok().newline && (worded || self.at(TokenKind::Colon)) {
            self.bump();
        }
        let mut stmts: Vec<Stmt> = Vec::new();
        if self.tok().newline {
            while self.tok().newline
                && !matches!(self.kind(), TokenKind::Eof | TokenKind::RBrace)
                && self.column_of(self.tok()) > indent
            {
                let before = self.pos;
                // No brace bounds these bodies, so their own depth has to.
                stmts.extend(self.nested(Self::stmt, |_| None));
                if self.pos == before {
                    self.skip_tree();
                }
            }
            if worded && self.at_word("end") && self.tok().newline {
                self.bump();
            }
        } else if let Some(brace) = self.brace_on_line() {
            self.pos = brace;
            return self.block("this");
        } else {
            stmts.extend(self.nested(Self::stmt, |_| None));
        }
        Block { span: self.span_from(start), stmts }
    }

    /// The next `{` of this line.
    fn brace_on_line(&self) -> Option<usize> {
        (self.pos..self.tokens.len())
            .take_while(|&index| index == self.pos || !self.tokens[index].newline)
            .find(|&index| self.tokens[index].kind == TokenKind::LBrace)
    }

    /// `for (x in xs)`, `for (let i = 0; ..)`: reports the parenthesis and takes it.
    pub(super) fn open_parenthesised_for(&mut self) -> bool {
        let first = self.nth(1);
        let head = match first.kind {
            TokenKind::Let => true,
            TokenKind::Ident => {
                matches!(self.nth(2).kind, TokenKind::In | TokenKind::Eq) || self.nth_word(2) == "of"
            }
            _ => false,
        };
        if !self.at(TokenKind::LParen) || !head {
            return false;
        }
        let diagnostic = self
            .error(
                codes::EXPECTED_TOKEN,
                self.tok().span(),
                "the head of a `for` has no parentheses",
                "remove this `(`",
            )
            .note("it is written `for x in xs { .. }`, and over numbers `for i in 0..n { .. }`")
            .help("remove the parentheses around the head");
        self.report(diagnostic);
        // What else is unusual about the head is the same habit.
        self.quiet_until = self.partner(self.pos).or(self.quiet_until);
        self.bump();
        if matches!(self.nth(2).kind, TokenKind::In) && self.at(TokenKind::Let) {
            self.bump();
        }
        true
    }

    /// `for x of xs`, `for x = xs`, `for x xs`: reported, then read as `in`.
    pub(super) fn other_word_for_in(&mut self) -> bool {
        let token = self.tok();
        let replaced = self.at_word("of") || self.at(TokenKind::Colon);
        if token.newline || !(replaced || starts_plain_value(token.kind) || self.at(TokenKind::LBracket)) {
            return false;
        }
        let (span, text) =
            if replaced { (token.span(), "in") } else { (Span::new(token.start, token.start), "in ") };
        let diagnostic = self
            .expected(codes::EXPECTED_TOKEN, "`in`")
            .note("a `for` is written `for x in xs { .. }`")
            .suggest(self.place(span), text, "write `in`", Applicability::MachineApplicable);
        self.mended(diagnostic);
        if replaced {
            self.bump();
        }
        true
    }
}

// ---- expressions ----
impl Parser<'_> {
    /// `i++`, `i--` at the end of an expression.
    pub(super) fn increment(&mut self) -> bool {
        let (first, second, after) = (self.tok(), self.nth(1), self.nth(2));
        let doubled = matches!(first.kind, TokenKind::Plus | TokenKind::Minus)
            && second.kind == first.kind
            && first.end == second.start;
        let at_end = after.newline
            || matches!(
                after.kind,
                TokenKind::Semi | TokenKind::RBrace | TokenKind::RParen | TokenKind::LBrace | TokenKind::Eof
            );
        if !doubled || !at_end || first.newline {
            return false;
        }
        let sign = first.kind.text();
        let span = first.span().to(second.span());
        let diagnostic = self
            .error(codes::EXPECTED_TOKEN, span, format!("`{sign}{sign}` is no operator"), "not Vitte")
            .note(format!("a place is changed with `{sign}=`, in a statement of its own"))
            .suggest(
                self.place(span),
                format!(" {sign}= 1"),
                format!("write `{sign}= 1`"),
                Applicability::MachineApplicable,
            );
        self.mended(diagnostic);
        self.bump();
        self.bump();
        true
    }

    /// `<>`, `===` and `!==`, read as `!=`, `==` and `!=`.
    pub(super) fn foreign_comparison(&mut self) -> Option<(Infix, u8, usize)> {
        let (first, second) = (self.tok(), self.nth(1));
        let (ours, op) = match (first.kind, second.kind) {
            (TokenKind::Lt, TokenKind::Gt) | (TokenKind::NotEq, TokenKind::Eq) => ("!=", BinaryOp::Ne),
            (TokenKind::EqEq, TokenKind::Eq) => ("==", BinaryOp::Eq),
            _ => return None,
        };
        if first.end != second.start {
            return None;
        }
        let span = first.span().to(second.span());
        let written = &self.text[span.start as usize..span.end as usize];
        let diagnostic = self
            .error(codes::EXPECTED_TOKEN, span, format!("`{written}` is no operator"), "not Vitte")
            .note("values are compared with `==` and `!=`")
            .suggest(self.place(span), ours, format!("write `{ours}`"), Applicability::MachineApplicable);
        self.mended(diagnostic);
        Some((Infix::Binary(op), strength::EQUALITY, 2))
    }

    /// `println!(..)`
    pub(super) fn macro_call(&mut self, callee: ExprId) -> bool {
        let (bang, open) = (self.tok(), self.nth(1));
        let adjacent =
            open.kind == TokenKind::LParen && bang.end == open.start && self.prev_end() == bang.start;
        if !adjacent || !self.is_path(callee) {
            return false;
        }
        let diagnostic = self
            .error(codes::EXPECTED_TOKEN, bang.span(), "a call has no `!`", "not Vitte")
            .note("procs and built-in names are called alike: `println(x)`")
            .suggest(self.place(bang.span()), "", "remove it", Applicability::MachineApplicable);
        self.mended(diagnostic);
        self.bump();
        true
    }

    /// `name::<T>(..)`
    pub(super) fn turbofish(&mut self) -> bool {
        if self.nth(1).kind != TokenKind::Lt {
            return false;
        }
        let span = self.tok().span();
        let diagnostic = self
            .error(codes::EXPECTED_TOKEN, span, "type arguments have no `::` before them", "not Vitte")
            .note("they follow the name directly: `f<int>(x)`")
            .suggest(self.place(span), "", "remove it", Applicability::MachineApplicable);
        self.mended(diagnostic);
        self.bump();
        true
    }

    /// `p->x`; the arrow is not taken.
    pub(super) fn arrow_member(&mut self) -> bool {
        let (arrow, name) = (self.tok(), self.nth(1));
        if name.kind != TokenKind::Ident || arrow.end != name.start || self.prev_end() != arrow.start {
            return false;
        }
        let diagnostic = self
            .error(codes::EXPECTED_TOKEN, arrow.span(), "members are reached with `.`", "not Vitte")
            .note("field access goes through references by itself")
            .suggest(self.place(arrow.span()), ".", "write `.`", Applicability::MachineApplicable);
        self.mended(diagnostic);
        true
    }

    /// `1.` where no member follows.
    pub(super) fn digitless_float(&mut self, number: ExprId) -> bool {
        let (dot, next) = (self.tok(), self.nth(1));
        let is_number = matches!(self.tree.expr(number).kind, ExprKind::Literal(ast::Literal::Int(..)));
        let member = matches!(next.kind, TokenKind::Ident | TokenKind::Int) && !next.newline;
        if !is_number || dot.start != self.prev_end() || member {
            return false;
        }
        let diagnostic = self
            .error(
                codes::INVALID_NUMBER,
                dot.span(),
                "a float needs a digit behind its dot",
                "no digit follows",
            )
            .note("a digit stands on both sides of the dot, as in `1.0`")
            .suggest(self.place(dot.span()), ".0", "write `.0`", Applicability::MachineApplicable);
        self.report(diagnostic);
        self.bump();
        true
    }

    /// `f"n = {n}"`
    pub(super) fn interpolated_string(&mut self) {
        let span = self.tok().span();
        let diagnostic = self
            .error(codes::FOREIGN_KEYWORD, span, "strings have no interpolation", "not Vitte")
            .note("what stands in braces inside a string is text")
            .help("join the parts: `\"n = \" + n as string`");
        self.mended(diagnostic);
        self.bump();
    }

    /// `new P { .. }`
    pub(super) fn needless_new(&mut self) {
        let span = Span::new(self.tok().start, self.nth(1).start);
        let diagnostic = self
            .error(codes::FOREIGN_KEYWORD, self.tok().span(), "values are built without `new`", "not Vitte")
            .note("a form is built by its name and its fields: `Rect { width: 2, height: 3 }`")
            .suggest(self.place(span), "", "remove it", Applicability::MachineApplicable);
        self.mended(diagnostic);
        self.bump();
    }
}

// ---- types, patterns, arms, imports ----
impl Parser<'_> {
    /// `T[]`, read as `[T]`.
    pub(super) fn array_suffix(&mut self, path: &mut Vec<Ident>) -> Vec<TypeId> {
        let whole = path.first().map_or(self.tok().span(), |first| first.span);
        let element = &self.text[whole.start as usize..self.prev_end() as usize];
        let brackets = self.tok().span().to(self.nth(1).span());
        let diagnostic = self
            .error(
                codes::EXPECTED_TYPE,
                brackets,
                "a list type is written around its element type",
                "not Vitte",
            )
            .note("`[int]` is a list of `int`")
            .suggest(
                self.place(whole.to(brackets)),
                format!("[{element}]"),
                format!("write `[{element}]`"),
                Applicability::MachineApplicable,
            );
        self.mended(diagnostic);
        self.bump();
        self.bump();
        let element = std::mem::take(path);
        self.tree.types.push(Type { span: whole, kind: TypeKind::Path(element, Vec::new()) });
        path.push(Ident { name: Name::new("list"), span: whole });
        vec![TypeId(self.tree.types.len() as u32 - 1)]
    }

    /// A keyword where a binding's name should stand, as in `let for = 1`.
    pub(super) fn keyword_as_binding(&mut self) -> bool {
        let next = self.nth(1).kind;
        if !self.kind().is_keyword()
            || self.on_new_line()
            || !matches!(next, TokenKind::Eq | TokenKind::Colon | TokenKind::In)
        {
            return false;
        }
        self.report_name("a name");
        self.errors -= 1;
        true
    }

    /// `case A: e`, `A -> e`: reported, then read as `=>`.
    pub(super) fn other_arm_arrow(&mut self) -> bool {
        if !matches!(self.kind(), TokenKind::Colon | TokenKind::Arrow) || self.on_new_line() {
            return false;
        }
        let span = self.tok().span();
        let text = if self.at(TokenKind::Colon) { " =>" } else { "=>" };
        let diagnostic = self
            .expected(codes::EXPECTED_TOKEN, "`=>` or `{`")
            .note("an arm is written `P => e` or `P { .. }`")
            .suggest(self.place(span), text, "write `=>`", Applicability::MachineApplicable);
        self.mended(diagnostic);
        self.bump();
        // `case A:` with its statements on the lines below has no braces, which is the same habit.
        true
    }

    /// The arms of a match whose braces are missing.
    pub(super) fn skip_loose_arms(&mut self) {
        if self.at(TokenKind::Colon) {
            self.bump();
        }
        while self.tok().newline && (matches!(self.word(), "case" | "otherwise") || self.at(TokenKind::Else))
        {
            self.skip_tree();
            while !self.tok().newline && !matches!(self.kind(), TokenKind::RBrace | TokenKind::Eof) {
                self.skip_tree();
            }
        }
    }

    /// `use "a/b"`
    pub(super) fn quoted_path(&mut self) {
        let token = self.tok();
        let text = self.text_of(token);
        let path = text.trim_matches('"');
        let path = path.strip_suffix(".vitl").or_else(|| path.strip_suffix(".vit")).unwrap_or(path);
        let diagnostic = self
            .error(codes::EXPECTED_IDENTIFIER, token.span(), "a module is named without quotes", "not Vitte")
            .note("a path is names with `/` between them, without an extension")
            .suggest(
                self.place(token.span()),
                path.trim_start_matches("./"),
                "write the path itself",
                Applicability::MaybeIncorrect,
            );
        self.report(diagnostic);
        self.bump();
    }
}
