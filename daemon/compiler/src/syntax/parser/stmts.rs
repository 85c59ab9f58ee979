//! Blocks and statements, and where statements end.
use super::patterns::BraceAfterPath;
use super::*;
use crate::syntax::ast::{BinaryOp, Stmt, StmtKind, Unsupported};

impl Parser<'_> {
    /// A `{ }` block; reports `PAR0028` and takes nothing if there is none.
    pub(super) fn block(&mut self, after: &str) -> Block {
        if self.at(TokenKind::LBrace) {
            return self.nested(Self::block_inner, |p| p.empty_block());
        }
        let diagnostic = self
            .expected(codes::EXPECTED_BLOCK, "a block")
            .note(format!("{after} is followed by its body in braces, also when that is a single statement"))
            .help("write `{` before the body and `}` behind it");
        self.report(diagnostic);
        self.block_without_braces()
    }

    fn block_inner(&mut self) -> Block {
        let open = self.pos;
        let start = self.bump().start;
        let outer_brackets = std::mem::replace(&mut self.in_brackets, false);
        let outer_no_record = std::mem::replace(&mut self.no_record, false);
        let mut stmts = Vec::new();
        loop {
            while self.eat(TokenKind::Semi) {}
            if self.past_end_of(open) || self.eat(TokenKind::RBrace) {
                break;
            }
            let ended = self.at(TokenKind::Eof)
                || (self.partner(open).is_none() && self.in_first_column(self.tok()) && self.item_starts());
            if ended {
                self.report_unclosed(open);
                break;
            }
            let before = self.pos;
            let stmt = self.stmt();
            stmts.extend(stmt);
            if self.pos == before {
                // Nothing could be made of this token; it has been reported.
                self.skip_tree();
            }
        }
        self.in_brackets = outer_brackets;
        self.no_record = outer_no_record;
        Block { span: self.span_from(start), stmts }
    }

    pub(super) fn stmt(&mut self) -> Option<Stmt> {
        let start = self.tok().start;
        let errors = self.errors;
        let kind = self.stmt_kind();
        let span = self.span_from(start);
        let block_like =
            self.pos > 0 && self.tokens[self.pos - 1].kind == TokenKind::RBrace && self.ends_in_body(&kind);
        let semi = self.end_of_stmt(errors, block_like);
        Some(Stmt { span, kind, semi })
    }

    /// Whether a statement that ends in `}` needs nothing behind it.
    fn ends_in_body(&self, kind: &StmtKind) -> bool {
        match kind {
            StmtKind::While(..)
            | StmtKind::For { .. }
            | StmtKind::CFor { .. }
            | StmtKind::Loop(_)
            | StmtKind::Item(_)
            | StmtKind::Unsupported(_) => true,
            StmtKind::Expr(e) => {
                matches!(
                    self.tree.expr(*e).kind,
                    ExprKind::If { .. } | ExprKind::Match { .. } | ExprKind::Block(_) | ExprKind::Unsafe(_)
                )
            }
            _ => false,
        }
    }

    /// §1.2 rule 1: `;`, `}`, the end of the file or a later line; or a statement keyword.
    fn end_of_stmt(&mut self, errors: u32, block_like: bool) -> bool {
        if self.eat(TokenKind::Semi) {
            return true;
        }
        let token = self.tok();
        if matches!(token.kind, TokenKind::RBrace | TokenKind::Eof) {
            return false;
        }
        if self.errors == errors {
            if token.newline || block_like || self.stmt_keyword() {
                return false;
            }
            self.report_unfinished_line();
        }
        // Something was wrong: go on with the next line.
        loop {
            let token = self.tok();
            match token.kind {
                TokenKind::Semi => {
                    self.bump();
                    return true;
                }
                TokenKind::RBrace | TokenKind::Eof => return false,
                _ if token.newline && !self.at_closing_bracket() => return false,
                _ => self.skip_tree(),
            }
        }
    }

    fn at_closing_bracket(&self) -> bool {
        matches!(self.kind(), TokenKind::RParen | TokenKind::RBracket | TokenKind::Comma)
    }

    /// Whether the current token starts a statement by keyword.
    fn stmt_keyword(&self) -> bool {
        match self.kind() {
            TokenKind::Let
            | TokenKind::Give
            | TokenKind::If
            | TokenKind::While
            | TokenKind::For
            | TokenKind::Pick
            | TokenKind::Use
            | TokenKind::Const
            | TokenKind::Proc => true,
            TokenKind::Ident => self.contextual_stmt().is_some(),
            _ => false,
        }
    }

    /// The contextual keyword at the current token, if it is one here and no name (§1.3).
    fn contextual_stmt(&self) -> Option<&'static str> {
        let word = self.word();
        let next = self.nth(1);
        let same_line = !next.newline;
        let keyword: &'static str = [
            "set",
            "loop",
            "break",
            "continue",
            "match",
            "return",
            "panic",
            "assert",
            "static_assert",
            "unreachable",
            "unsafe",
            "critical",
            "defer",
            "with",
            "select",
            "when",
            "emit",
            "asm",
            "static",
            "global",
            "form",
            "type",
            "opaque",
        ]
        .iter()
        .find(|k| **k == word)?;
        let value_follows = same_line && starts_plain_value(next.kind);
        let parenthesised_head = same_line
            && (next.kind == TokenKind::LParen
                || next.kind == TokenKind::LBracket && next.start > self.tok().end)
            && self.partner(self.pos + 1).is_some_and(|close| {
                let after = self.tokens[(close + 1).min(self.tokens.len() - 1)].kind;
                after == TokenKind::LBrace || after == TokenKind::As && word == "with"
            });
        let name_like = same_line
            && (is_assignment(next.kind)
                || matches!(
                    next.kind,
                    TokenKind::Dot
                        | TokenKind::Colon
                        | TokenKind::ColonColon
                        | TokenKind::LParen
                        | TokenKind::LBracket
                ));
        let yes = match keyword {
            "set" => same_line && matches!(next.kind, TokenKind::Ident | TokenKind::Star | TokenKind::LParen),
            "loop" | "unsafe" | "critical" => next.kind == TokenKind::LBrace,
            "defer" => next.kind == TokenKind::LBrace || value_follows,
            "break" | "continue" | "unreachable" => !name_like,
            "return" => !name_like || parenthesised_head,
            "match" | "with" | "select" | "when" => value_follows || parenthesised_head,
            "panic" | "assert" | "emit" => value_follows,
            "static_assert" => next.kind == TokenKind::LParen,
            "asm" => same_line && matches!(next.kind, TokenKind::LParen | TokenKind::LBrace | TokenKind::Str),
            "static" | "global" => next.kind == TokenKind::Ident && self.nth(2).kind == TokenKind::Colon,
            "type" => {
                same_line
                    && next.kind == TokenKind::Ident
                    && matches!(self.nth(2).kind, TokenKind::Eq | TokenKind::Lt | TokenKind::LBracket)
            }
            "opaque" => same_line && self.nth_word(1) == "type" && self.nth(2).kind == TokenKind::Ident,
            "form" => {
                next.kind == TokenKind::Ident && matches!(self.nth(2).kind, TokenKind::LBrace | TokenKind::Lt)
            }
            _ => false,
        };
        yes.then_some(keyword)
    }

    pub(super) fn stmt_kind(&mut self) -> StmtKind {
        match self.kind() {
            TokenKind::Let => {
                self.bump();
                self.let_stmt()
            }
            TokenKind::Give => {
                self.bump();
                self.give()
            }
            TokenKind::While => {
                self.bump();
                let cond = self.head();
                StmtKind::While(cond, self.block("the condition of a `while`"))
            }
            TokenKind::For => self.for_stmt(),
            TokenKind::Const => {
                self.bump();
                let name = self.ident("the constant's name");
                let ty = self.eat(TokenKind::Colon).then(|| self.ty());
                self.expect(TokenKind::Eq, "the name and type of a constant");
                let init = Some(self.expr());
                let span = name.span;
                self.tree.pats.push(Pat { span, kind: PatKind::Name { name, binding: true } });
                let pat = PatId(self.tree.pats.len() as u32 - 1);
                StmtKind::Let { pat, ty, init, constant: true }
            }
            TokenKind::Use => self.local_item(),
            TokenKind::Proc if self.nth(1).kind == TokenKind::Ident || self.nth(1).kind.is_keyword() => {
                self.local_item()
            }
            TokenKind::Pick if self.pick_declares() => self.local_item(),
            TokenKind::Ident => self.word_stmt(),
            _ if self.starts_no_statement() => self.stray_token(),
            _ => self.expr_stmt(),
        }
    }

    pub(super) fn local_item(&mut self) -> StmtKind {
        let start = self.tok().start;
        match self.item() {
            Some(item) => StmtKind::Item(Box::new(item)),
            None => StmtKind::Expr(self.add_expr(start, ExprKind::Error)),
        }
    }

    /// `pick Name {` with variants inside, in a block: only a word before `{` on a line of its own
    /// whose body looks like a declaration. Matches are the rule in blocks (§6.5), so this never holds.
    fn pick_declares(&self) -> bool {
        self.nth(1).kind == TokenKind::Ident
            && self.nth(2).kind == TokenKind::Lt
            && self.nth(3).kind == TokenKind::Ident
            && self.nth(4).kind == TokenKind::Gt
            && self.nth(5).kind == TokenKind::LBrace
    }

    fn word_stmt(&mut self) -> StmtKind {
        let start = self.tok().start;
        let Some(keyword) = self.contextual_stmt() else {
            return self.foreign_stmt().unwrap_or_else(|| self.expr_stmt());
        };
        match keyword {
            "set" => {
                self.bump();
                self.set_stmt()
            }
            "loop" => {
                self.bump();
                StmtKind::Loop(self.block("`loop`"))
            }
            "static_assert" => self.local_item(),
            "break" => {
                self.bump();
                StmtKind::Break(self.value_on_line())
            }
            "continue" => {
                self.bump();
                StmtKind::Continue
            }
            "unreachable" => {
                self.bump();
                StmtKind::Unreachable
            }
            "panic" => {
                self.bump();
                StmtKind::Panic(self.expr())
            }
            "assert" => {
                self.bump();
                let cond = self.expr();
                let message = self.eat(TokenKind::Comma).then(|| self.expr());
                StmtKind::Assert(cond, message)
            }
            "return" => {
                let span = self.bump().span();
                let mut lint = self
                    .warning(
                        codes::RETURN_FOR_GIVE,
                        span,
                        "`return` is an old spelling of `give`",
                        "old spelling",
                    )
                    .note("both leave the procedure with a value; programs write `give`")
                    .suggest(self.place(span), "give", "write `give`", Applicability::MachineApplicable);
                lint.severity = crate::base::Severity::Lint;
                self.push(lint);
                if self.tok().newline { StmtKind::Give(None) } else { self.give() }
            }
            "defer" => {
                self.bump();
                if self.at(TokenKind::LBrace) {
                    return StmtKind::Defer(self.block("`defer`"));
                }
                let from = self.tok().start;
                let value = self.expr();
                let span = self.span_from(from);
                let stmt = Stmt { span, kind: StmtKind::Expr(value), semi: true };
                StmtKind::Defer(Block { span, stmts: vec![stmt] })
            }
            "with" => {
                self.bump();
                // `e as p` reads as a cast.
                let subject = self.head();
                let found = match self.tree.expr(subject).kind {
                    ExprKind::Cast(value, ty) => self.type_as_pattern(ty).map(|pat| (value, pat)),
                    _ => None,
                };
                let Some((value, pat)) = found else {
                    let span = self.tree.expr(subject).span;
                    let diagnostic = self
                        .error(
                            codes::EXPECTED_TOKEN,
                            span,
                            "`with` needs `as` and a name",
                            "expected `value as name`",
                        )
                        .note("`with value as name { .. }` binds the value for the block")
                        .help("write `as` and a name before the block");
                    self.report(diagnostic);
                    return self.expr_of_block(subject);
                };
                StmtKind::With { value, pat, body: self.block("the head of `with`") }
            }
            "emit" => self.kept_as_text("`emit`", start),
            "asm" => self.kept_as_text("inline assembly", start),
            "static" | "global" => self.local_item(),
            "form" | "type" | "opaque" => self.local_item(),
            _ => self.expr_stmt(), // match, select, when, unsafe, critical: expressions
        }
    }

    /// What reads as the type of a cast as the pattern that it is behind `with e as`: a name, `_`, or a tuple of
    /// those.
    fn type_as_pattern(&mut self, ty: TypeId) -> Option<PatId> {
        let span = self.tree.ty(ty).span;
        let kind = match self.tree.ty(ty).kind.clone() {
            TypeKind::Path(path, args) if path.len() == 1 && args.is_empty() => {
                let name = path.into_iter().next()?;
                if name.name == "_" { PatKind::Wild } else { PatKind::Name { name, binding: true } }
            }
            TypeKind::Tuple(parts) => {
                let parts: Option<Vec<PatId>> =
                    parts.into_iter().map(|part| self.type_as_pattern(part)).collect();
                PatKind::Tuple(parts?)
            }
            _ => return None,
        };
        self.tree.pats.push(Pat { span, kind });
        Some(PatId(self.tree.pats.len() as u32 - 1))
    }

    /// The block behind a broken head, as a statement.
    fn expr_of_block(&mut self, head: ExprId) -> StmtKind {
        if !self.at(TokenKind::LBrace) {
            return StmtKind::Expr(head);
        }
        let start = self.tok().start;
        let block = self.block("the head of `with`");
        StmtKind::Expr(self.add_expr(start, ExprKind::Block(block)))
    }

    /// A statement that is skipped to its end: a block, `;` or the line's end.
    fn kept_as_text(&mut self, feature: &'static str, start: u32) -> StmtKind {
        let head = self.bump().span();
        loop {
            let token = self.tok();
            match token.kind {
                TokenKind::Semi | TokenKind::RBrace | TokenKind::Eof => break,
                TokenKind::LBrace => {
                    self.block(feature);
                    break;
                }
                _ if token.newline => break,
                _ => self.skip_tree(),
            }
        }
        StmtKind::Unsupported(Unsupported { feature, head, tokens: self.span_from(start), name: None })
    }

    /// `var x = 1`, `val x = 1`: reported, then read as `let`.
    fn foreign_stmt(&mut self) -> Option<StmtKind> {
        let next = self.nth(1);
        let declares = next.kind == TokenKind::Ident
            && !next.newline
            && matches!(self.nth(2).kind, TokenKind::Eq | TokenKind::Colon);
        match self.word() {
            "var" | "val" | "auto" if declares => Some(self.let_under_another_name(
                "locals are declared with `let`; every local may be assigned again with `set`",
            )),
            "fn" | "func" | "function" | "def" | "fun"
                if next.kind == TokenKind::Ident
                    && !next.newline
                    && self.nth(2).kind == TokenKind::LParen =>
            {
                Some(self.local_item())
            }
            "do" if next.kind == TokenKind::LBrace => Some(self.do_while()),
            "try" if next.kind == TokenKind::LBrace => Some(self.try_catch()),
            "mut" if declares => {
                Some(self.let_under_another_name("a local is declared with `let` or `let mut`"))
            }
            _ if self.short_declaration() => Some(self.walrus()),
            _ if self.typed_declaration() => Some(self.c_declaration()),
            "switch" if !next.newline && starts_plain_value(next.kind) => {
                let span = self.tok().span();
                let diagnostic = self
                    .error(codes::FOREIGN_KEYWORD, span, "`switch` is not a keyword", "not Vitte")
                    .note("values are matched with `match e { case P { .. } }` or `pick e { P { .. } }`")
                    .suggest(self.place(span), "match", "write `match`", Applicability::MachineApplicable);
                self.report(diagnostic);
                self.errors -= 1;
                let start = self.tok().start;
                let e = self.match_expr(start);
                Some(StmtKind::Expr(e))
            }
            _ => None,
        }
    }

    pub(super) fn let_stmt(&mut self) -> StmtKind {
        if self.at_word("mut") && !is_assignment(self.nth(1).kind) && self.nth(1).kind != TokenKind::Colon {
            self.bump();
        }
        let pat = self.pat(BraceAfterPath::Fields);
        self.walrus_in_let();
        let ty = self.eat(TokenKind::Colon).then(|| self.ty());
        let init = self.initializer();
        StmtKind::Let { pat, ty, init, constant: false }
    }

    /// `= e`, if there; `:=` and `==` are reported.
    fn initializer(&mut self) -> Option<ExprId> {
        if self.at(TokenKind::EqEq) && !self.on_new_line() {
            let span = self.tok().span();
            let diagnostic = self
                .error(codes::EXPECTED_TOKEN, span, "expected `=`, found `==`", "a declaration takes `=`")
                .note("`==` compares; `=` gives a value")
                .suggest(self.place(span), "=", "write `=`", Applicability::MachineApplicable);
            self.report(diagnostic);
            self.errors -= 1;
            self.bump();
            return Some(self.expr());
        }
        self.eat(TokenKind::Eq).then(|| self.expr())
    }

    fn give(&mut self) -> StmtKind {
        // The value may start on the next line (§1.2 rule 5); a bare `give` is followed by `}` or `;`.
        if matches!(self.kind(), TokenKind::Semi | TokenKind::RBrace | TokenKind::Eof) {
            return StmtKind::Give(None);
        }
        StmtKind::Give(Some(self.expr()))
    }

    fn value_on_line(&mut self) -> Option<ExprId> {
        let token = self.tok();
        let none =
            token.newline || matches!(token.kind, TokenKind::Semi | TokenKind::RBrace | TokenKind::Eof);
        (!none).then(|| self.expr())
    }

    /// After `set`.
    fn set_stmt(&mut self) -> StmtKind {
        if self.at(TokenKind::Ident) && self.nth(1).kind == TokenKind::Colon {
            let pat = self.pat(BraceAfterPath::Fields);
            self.bump();
            let ty = Some(self.ty());
            let init = self.initializer();
            return StmtKind::Let { pat, ty, init, constant: false };
        }
        let place = self.expr_without_assignment();
        match self.assignment_op() {
            Some(op) => StmtKind::Assign { place, op, value: self.expr() },
            None => {
                if let ExprKind::Binary(BinaryOp::Eq, span, place, value) = self.tree.expr(place).kind {
                    self.report_comparison_for_assignment(span);
                    return StmtKind::Assign { place, op: None, value };
                }
                self.expect(TokenKind::Eq, "the place that `set` changes");
                StmtKind::Assign { place, op: None, value: self.error_expr() }
            }
        }
    }

    /// Takes `=` or `op=` on the same line; `Some(None)` is `=`.
    #[expect(clippy::option_option, reason = "no operator, plain `=`, or a compound one")]
    fn assignment_op(&mut self) -> Option<Option<BinaryOp>> {
        let op = match self.kind() {
            TokenKind::Eq => None,
            TokenKind::PlusEq => Some(BinaryOp::Add),
            TokenKind::MinusEq => Some(BinaryOp::Sub),
            TokenKind::StarEq => Some(BinaryOp::Mul),
            TokenKind::SlashEq => Some(BinaryOp::Div),
            TokenKind::PercentEq => Some(BinaryOp::Rem),
            TokenKind::AmpEq => Some(BinaryOp::BitAnd),
            TokenKind::PipeEq => Some(BinaryOp::BitOr),
            TokenKind::CaretEq => Some(BinaryOp::BitXor),
            TokenKind::ShlEq => Some(BinaryOp::Shl),
            TokenKind::ShrEq => Some(BinaryOp::Shr),
            _ => return None,
        };
        self.bump();
        Some(op)
    }

    fn expr_stmt(&mut self) -> StmtKind {
        let errors = self.errors;
        let e = if self.at(TokenKind::LBrace) {
            let start = self.tok().start;
            let block = self.block("a statement");
            self.add_expr(start, ExprKind::Block(block))
        } else if let Some(e) = self.block_like_expr() {
            e
        } else {
            self.expr_without_assignment()
        };
        if self.errors == errors
            && let Some(op) = self.assignment_op()
        {
            return StmtKind::Assign { place: e, op, value: self.expr() };
        }
        StmtKind::Expr(e)
    }

    /// `if`, `pick`, `match` and so on at the start of a statement: they end at their `}` unless an
    /// operator that continues lines follows on the same line.
    fn block_like_expr(&mut self) -> Option<ExprId> {
        let start = self.tok().start;
        let e = match self.kind() {
            TokenKind::If => self.if_expr(),
            TokenKind::Pick => self.match_expr(start),
            TokenKind::Ident => match self.contextual_stmt()? {
                "match" | "select" => self.match_expr(start),
                "when" => self.when_expr(),
                "unsafe" => {
                    self.bump();
                    let block = self.block("`unsafe`");
                    self.add_expr(start, ExprKind::Unsafe(block))
                }
                "critical" => {
                    self.bump();
                    let block = self.block("`critical`");
                    self.add_expr(start, ExprKind::Block(block))
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(e)
    }

    fn for_stmt(&mut self) -> StmtKind {
        self.bump();
        let parenthesised = self.open_parenthesised_for();
        let c_like = self.at(TokenKind::Ident) && self.nth(1).kind == TokenKind::Eq
            || self.at(TokenKind::Let) && self.nth(1).kind == TokenKind::Ident;
        if c_like {
            return self.c_for(parenthesised);
        }
        let pat = self.pat(BraceAfterPath::Fields);
        if !self.eat(TokenKind::In) && !self.other_word_for_in() {
            let diagnostic = self
                .expected(codes::EXPECTED_TOKEN, "`in`")
                .note("a `for` is written `for x in xs { .. }`")
                .help("write `in` and what to go through");
            self.report(diagnostic);
            self.tree.lost_bindings.push(self.prev_end());
            if !self.at(TokenKind::LBrace) {
                while !self.tok().newline
                    && !matches!(self.kind(), TokenKind::LBrace | TokenKind::RBrace | TokenKind::Eof)
                {
                    self.skip_tree();
                }
            }
            let iter = self.error_expr();
            let body = if self.at(TokenKind::LBrace) { self.block("`for`") } else { self.empty_block() };
            return StmtKind::For { pat, iter, body };
        }
        let iter = self.head();
        if parenthesised {
            self.eat(TokenKind::RParen);
        }
        let body = self.block("the subject of a `for`");
        StmtKind::For { pat, iter, body }
    }

    /// `for i = a; cond; i = step { .. }`
    fn c_for(&mut self, parenthesised: bool) -> StmtKind {
        self.eat(TokenKind::Let);
        let var = self.ident("the loop variable");
        if self.eat(TokenKind::Colon) {
            self.ty();
        }
        self.expect(TokenKind::Eq, "the loop variable");
        let init = self.head();
        self.expect(TokenKind::Semi, "the start value");
        let cond = self.head();
        self.expect(TokenKind::Semi, "the condition");
        self.eat_word("set");
        let no_record = std::mem::replace(&mut self.no_record, true);
        let place = self.expr_without_assignment();
        let op = self.assignment_op();
        let step = match op {
            Some(_) => self.expr(),
            None => {
                if !parenthesised {
                    self.expect(TokenKind::Eq, "the place that the step changes");
                }
                self.error_expr()
            }
        };
        self.no_record = no_record;
        if parenthesised {
            self.eat(TokenKind::RParen);
        }
        let body = self.block("the head of a `for`");
        StmtKind::CFor { var, init, cond, place, op: op.flatten(), step, body }
    }
}

/// Whether a token surely starts a value and never continues a name.
pub(super) fn starts_plain_value(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Ident
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Str
            | TokenKind::RawStr
            | TokenKind::ByteStr
            | TokenKind::Char
            | TokenKind::True
            | TokenKind::False
            | TokenKind::Not
            | TokenKind::Bang
            | TokenKind::If
            | TokenKind::Pick
    )
}

/// `=` and `op=`.
pub(super) fn is_assignment(kind: TokenKind) -> bool {
    (TokenKind::Eq as u8..=TokenKind::ShrEq as u8).contains(&(kind as u8))
}
