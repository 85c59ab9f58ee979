//! Recursive-descent parser with precedence climbing for operators.
//!
//! Recovery: an error is reported once per token and never again before the parser has moved on;
//! a broken list element is skipped to the next comma or closing bracket, a broken statement to the
//! next line, a broken item to the next line that starts one. Brackets were paired by the lexer, so
//! skipping a group costs nothing and every loop advances: time is linear in the text.
mod branches; // conditionals and matches
mod exprs; // operators, postfix forms, primaries
mod items; // declarations
mod items_meta; // extern, tests, traits and what is only kept as text
mod habits; // what people write who come from other languages
mod patterns;
mod stmts; // blocks and statements
mod types;

use super::ast::{self, Block, Expr, ExprId, ExprKind, Ident, Pat, PatId, PatKind, Type, TypeId, TypeKind};
use super::lexer::{lex, name_of};
use super::token::{NO_PARTNER, Token, TokenKind};
use super::{ParsedFile, codes};
use crate::base::{Applicability, Code, Diagnostic, Name, Phase, Place, SourceFile, Span};

/// Deepest nesting of blocks, brackets, types, patterns and prefix operators.
pub const MAX_DEPTH: u32 = 256;
/// Most operators or accesses in one chain such as `a + b + c`.
pub const MAX_CHAIN: u32 = 4_000;
/// Most branches of one `if`. Later stages see each `elif` as an `if` inside the `else` before it.
pub const MAX_BRANCHES: usize = 1_000;

/// Stack that must be left before a nested construct is parsed, and how much is added otherwise.
const STACK_RED_ZONE: usize = 128 * 1024;
const STACK_SEGMENT: usize = 1024 * 1024;

/// Lexes and parses a text.
pub fn parse_text(file: SourceFile, text: &str) -> ParsedFile {
    let lexed = lex(file, text);
    let mut parser = Parser {
        file,
        text,
        tokens: lexed.tokens,
        docs: lexed.docs,
        pos: 0,
        tree: ast::File::default(),
        diagnostics: lexed.diagnostics,
        quiet_until: None,
        errors: 0,
        depth: 0,
        too_deep: false,
        no_record: false,
        in_brackets: false,
        bodyless: false,
    };
    parser.source_file();
    ParsedFile { tree: parser.tree, diagnostics: parser.diagnostics.into() }
}

struct Parser<'a> {
    file: SourceFile,
    text: &'a str,
    tokens: Vec<Token>,
    docs: Vec<(u32, Span)>,
    pos: usize,
    tree: ast::File,
    diagnostics: Vec<Diagnostic>,
    /// No error is reported at this token or before.
    quiet_until: Option<usize>,
    /// How many errors there were so far, silenced ones included.
    errors: u32,
    depth: u32,
    too_deep: bool,
    /// Inside the head of `if`, `while`, …: `{` after a path opens the block.
    no_record: bool,
    /// Inside `( )` or `[ ]`: line ends mean nothing.
    in_brackets: bool,
    /// The next procedure may end where its head does: it stands in a trait.
    bodyless: bool,
}

// ---- tokens ----
impl<'a> Parser<'a> {
    fn tok(&self) -> Token {
        self.nth(0)
    }

    fn nth(&self, ahead: usize) -> Token {
        let last = self.tokens.len() - 1;
        self.tokens[(self.pos + ahead).min(last)]
    }

    fn kind(&self) -> TokenKind {
        self.tok().kind
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// The text of the current token if it is an identifier, else "".
    fn word(&self) -> &'a str {
        self.nth_word(0)
    }

    fn nth_word(&self, ahead: usize) -> &'a str {
        let token = self.nth(ahead);
        if token.kind == TokenKind::Ident { self.text_of(token) } else { "" }
    }

    fn at_word(&self, word: &str) -> bool {
        self.word() == word
    }

    fn bump(&mut self) -> Token {
        let token = self.tok();
        if token.kind != TokenKind::Eof {
            self.pos += 1;
        }
        token
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let yes = self.at(kind);
        if yes {
            self.bump();
        }
        yes
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let yes = self.at_word(word);
        if yes {
            self.bump();
        }
        yes
    }

    /// End of the token before the current one.
    fn prev_end(&self) -> u32 {
        self.pos.checked_sub(1).map_or(0, |i| self.tokens[i].end)
    }

    fn span_from(&self, start: u32) -> Span {
        Span::new(start, self.prev_end().max(start))
    }

    fn partner(&self, index: usize) -> Option<usize> {
        let partner = self.tokens[index].partner;
        (partner != NO_PARTNER).then_some(partner as usize)
    }

    /// Whether recovery has moved past the end of the group that opened at `open`.
    fn past_end_of(&self, open: usize) -> bool {
        self.partner(open).is_some_and(|close| close < self.pos)
    }

    /// Whether the current token stands on a later line than the one before and that matters here.
    fn on_new_line(&self) -> bool {
        self.tok().newline && !self.in_brackets
    }

    /// Whether a token is the first character of its line.
    fn in_first_column(&self, token: Token) -> bool {
        token.start == 0 || self.text.as_bytes()[token.start as usize - 1] == b'\n'
    }

    /// Skips one token, or a whole bracketed group.
    fn skip_tree(&mut self) {
        match self.kind() {
            TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => {
                match self.partner(self.pos) {
                    Some(close) if close > self.pos => self.pos = close + 1,
                    _ => {
                        self.bump();
                    }
                };
            }
            _ => {
                self.bump();
            }
        }
    }

    /// A `>` that closes type arguments; splits `>>`, `>=` and `>>=`.
    fn eat_closing_angle(&mut self) -> bool {
        let rest = match self.kind() {
            TokenKind::Gt => {
                self.bump();
                return true;
            }
            TokenKind::Shr => TokenKind::Gt,
            TokenKind::Ge => TokenKind::Eq,
            TokenKind::ShrEq => TokenKind::Ge,
            _ => return false,
        };
        let token = &mut self.tokens[self.pos];
        token.kind = rest;
        token.start += 1;
        token.newline = false;
        true
    }
}

// ---- diagnostics ----
impl Parser<'_> {
    fn place(&self, span: Span) -> Place {
        Place::File(self.file, span)
    }

    fn error(
        &self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(code, Phase::Parser, self.place(span), message, label)
    }

    fn warning(
        &self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, Phase::Parser, self.place(span), message, label)
    }

    /// Reports an error unless this token has had its error already (from the lexer or from us).
    fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += 1;
        if self.quiet_until.is_some_and(|q| self.pos <= q) {
            return;
        }
        self.quiet_until = Some(self.pos);
        if !self.at(TokenKind::Error) && !self.unclosed_literal_here() {
            self.push(diagnostic);
        }
    }

    /// Whether the present token or the one before is a string that its line does not close: it has
    /// swallowed what would have followed, and the lexer has said so.
    fn unclosed_literal_here(&self) -> bool {
        let before = self.pos.checked_sub(1).map(|i| self.tokens[i]);
        before.into_iter().chain([self.tok()]).any(|token| {
            matches!(token.kind, TokenKind::Str | TokenKind::RawStr | TokenKind::ByteStr | TokenKind::Char)
                && !super::literal::body_of(self.text_of(token)).1
        })
    }

    /// Adds a diagnostic with at least one note and one help or suggestion.
    fn push(&mut self, mut diagnostic: Diagnostic) {
        let (note, help) = default_explanation(diagnostic.code);
        if diagnostic.notes.is_empty() {
            diagnostic = diagnostic.note(note);
        }
        if diagnostic.helps.is_empty() && diagnostic.suggestions.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.diagnostics.push(diagnostic);
    }

    /// The current token in words.
    fn found(&self) -> String {
        let token = self.tok();
        match token.kind {
            TokenKind::Eof => "the end of the file".into(),
            kind if kind.is_keyword() => format!("keyword `{}`", kind.text()),
            _ => {
                let text = self.text_of(token);
                match text.char_indices().nth(24) {
                    Some((cut, _)) => format!("`{}…`", text[..cut].escape_debug()),
                    None => format!("`{}`", text.escape_debug()),
                }
            }
        }
    }

    /// Where "expected …" belongs: the current token, or just behind the last one if a line ended.
    fn expected_span(&self) -> Span {
        let token = self.tok();
        if (token.newline || token.kind == TokenKind::Eof) && self.pos > 0 {
            let end = self.prev_end();
            Span::new(end, end)
        } else {
            token.span()
        }
    }

    fn expected(&self, code: Code, what: &str) -> Diagnostic {
        let message = format!("expected {what}, found {}", self.found());
        self.error(code, self.expected_span(), message, format!("expected {what}"))
    }

    fn report_expected(&mut self, code: Code, what: &str) {
        let diagnostic = self.expected(code, what);
        self.report(diagnostic);
    }

    /// Takes `kind` or reports that it is missing and offers to insert it.
    fn expect(&mut self, kind: TokenKind, after: &str) -> bool {
        if self.eat(kind) {
            return true;
        }
        let end = self.prev_end();
        let text = kind.text();
        let value_missing = kind == TokenKind::Eq
            && (self.tok().newline || matches!(self.kind(), TokenKind::Semi | TokenKind::Eof));
        let (insert, applicability) = if value_missing {
            (format!(" {text} VALUE"), Applicability::HasPlaceholders)
        } else {
            (format!(" {text}"), Applicability::MaybeIncorrect)
        };
        let diagnostic = self
            .expected(codes::EXPECTED_TOKEN, &format!("`{text}`"))
            .note(format!("`{text}` follows {after}"))
            .suggest(self.place(Span::new(end, end)), insert, format!("insert `{text}`"), applicability);
        self.report(diagnostic);
        false
    }
}

// ---- nodes, names, lists ----
impl Parser<'_> {
    fn add_expr(&mut self, start: u32, kind: ExprKind) -> ExprId {
        let span = self.span_from(start);
        self.tree.exprs.push(Expr { span, kind });
        ExprId(self.tree.exprs.len() as u32 - 1)
    }

    /// An expression that stands at a place of its own.
    fn add_expr_at(&mut self, span: Span, kind: ExprKind) -> ExprId {
        self.tree.exprs.push(Expr { span, kind });
        ExprId(self.tree.exprs.len() as u32 - 1)
    }

    fn add_type(&mut self, start: u32, kind: TypeKind) -> TypeId {
        let span = self.span_from(start);
        self.tree.types.push(Type { span, kind });
        TypeId(self.tree.types.len() as u32 - 1)
    }

    fn add_pat(&mut self, start: u32, kind: PatKind) -> PatId {
        let span = self.span_from(start);
        self.tree.pats.push(Pat { span, kind });
        PatId(self.tree.pats.len() as u32 - 1)
    }

    /// An error node at the present place; takes no token.
    fn error_expr(&mut self) -> ExprId {
        let at = self.expected_span().start;
        self.tree.exprs.push(Expr { span: Span::new(at, at), kind: ExprKind::Error });
        ExprId(self.tree.exprs.len() as u32 - 1)
    }

    /// An error type at the present place; takes no token.
    fn error_type(&mut self) -> TypeId {
        let at = self.expected_span().start;
        self.tree.types.push(Type { span: Span::new(at, at), kind: TypeKind::Error });
        TypeId(self.tree.types.len() as u32 - 1)
    }

    fn ident_of(&self, token: Token) -> Ident {
        Ident { name: name_of(self.text_of(token)), span: token.span() }
    }

    fn no_ident(&self) -> Ident {
        let at = self.expected_span().start;
        Ident { name: Name::default(), span: Span::new(at, at) }
    }

    /// An identifier; reports `PAR0025` and gives the empty name if there is none.
    fn ident(&mut self, what: &str) -> Ident {
        if self.at(TokenKind::Ident) {
            let token = self.bump();
            return self.ident_of(token);
        }
        self.report_name(what);
        self.no_ident()
    }

    /// A name where any word is one: after `.` and `proc`, before `:` in lists.
    fn any_word(&mut self, what: &str) -> Ident {
        let keyword =
            self.kind().is_keyword() && (!self.on_new_line() || self.nth(1).kind == TokenKind::Colon);
        if self.at(TokenKind::Ident) || keyword {
            let token = self.bump();
            return self.ident_of(token);
        }
        self.report_name(what);
        self.no_ident()
    }

    fn report_name(&mut self, what: &str) {
        let mut diagnostic = self.expected(codes::EXPECTED_IDENTIFIER, what);
        if self.kind().is_keyword() && !self.on_new_line() {
            let text = self.kind().text();
            diagnostic = diagnostic.note(format!("`{text}` is a keyword and cannot be a name here")).suggest(
                self.place(self.tok().span()),
                format!("{text}_"),
                "choose another name",
                Applicability::MaybeIncorrect,
            );
        }
        self.report(diagnostic);
    }

    /// Runs `f` one level deeper; past [`MAX_DEPTH`] reports once per item and skips to the next item.
    fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> T, broken: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth >= MAX_DEPTH {
            self.give_up(
                "this is nested too deeply",
                &format!("at most {MAX_DEPTH} levels of nesting are allowed"),
            );
            return broken(self);
        }
        self.depth += 1;
        let result = stacker::maybe_grow(STACK_RED_ZONE, STACK_SEGMENT, || f(self));
        self.depth -= 1;
        result
    }

    /// One "too deep" diagnostic; the rest of the item is skipped without another word.
    fn give_up(&mut self, message: &str, note: &str) {
        let span = self.expected_span();
        let diagnostic = self
            .error(codes::TOO_DEEP, span, message, "too deep from here on")
            .note(note)
            .help("split it: give parts of it a name with `let`, or move them to a `proc` of their own");
        if !self.too_deep {
            self.too_deep = true;
            self.report(diagnostic);
        }
        loop {
            self.bump();
            let token = self.tok();
            if token.kind == TokenKind::Eof || (self.in_first_column(token) && self.item_starts()) {
                break;
            }
        }
        self.errors += 1;
        self.quiet_until = Some(self.pos);
    }

    /// A bracketed, comma-separated list; the opening bracket is the current token. `element` is
    /// called at each element's first token.
    fn list(&mut self, close: TokenKind, what: &str, mut element: impl FnMut(&mut Self)) {
        let open = self.pos;
        let end = self.partner(open);
        let errors = self.errors;
        let outer_brackets = std::mem::replace(&mut self.in_brackets, true);
        let outer_no_record = std::mem::replace(&mut self.no_record, false);
        self.bump();
        while !self.at(close) && !self.at(TokenKind::Eof) {
            let before = (self.pos, self.errors);
            element(self);
            if self.eat(TokenKind::Comma) {
                continue;
            }
            if self.at(close) {
                break;
            }
            if self.errors == before.1 && self.wrong_closer(open, close) {
                self.in_brackets = outer_brackets;
                self.no_record = outer_no_record;
                return;
            }
            if self.errors == before.1 {
                let at = self.prev_end();
                let mut diagnostic = self
                    .expected(codes::EXPECTED_TOKEN, &format!("`,` or `{}`", close.text()))
                    .label(self.place(self.tokens[open].span()), format!("the {what} start here"))
                    .note(format!("{what} are separated by commas"));
                diagnostic = if end.is_some() {
                    diagnostic.suggest(
                        self.place(Span::new(at, at)),
                        ",",
                        "insert a comma",
                        if stmts::starts_plain_value(self.kind()) {
                            Applicability::MachineApplicable
                        } else {
                            Applicability::MaybeIncorrect
                        },
                    )
                } else {
                    diagnostic.suggest(
                        self.place(Span::new(at, at)),
                        close.text(),
                        format!("close the list with `{}`", close.text()),
                        Applicability::MaybeIncorrect,
                    )
                };
                self.report(diagnostic);
                if end.is_some_and(|e| e > self.pos) && stmts::starts_plain_value(self.kind()) {
                    // Only the comma is missing: the next element is as good as any.
                    continue;
                }
            }
            let Some(end) = end.filter(|&e| e >= self.pos) else { break };
            while self.pos < end && !self.at(TokenKind::Comma) {
                self.skip_tree();
            }
            if !self.eat(TokenKind::Comma) {
                break;
            }
            if self.pos == before.0 {
                self.bump();
            }
        }
        self.in_brackets = outer_brackets;
        self.no_record = outer_no_record;
        if self.eat(close) {
            return;
        }
        if self.errors == errors {
            let end = self.prev_end();
            let diagnostic = self
                .expected(codes::EXPECTED_TOKEN, &format!("`{}`", close.text()))
                .label(self.place(self.tokens[open].span()), "opened here")
                .note(format!("every `{}` needs its `{}`", self.tokens[open].kind.text(), close.text()))
                .suggest(
                    self.place(Span::new(end, end)),
                    close.text(),
                    format!("insert `{}`", close.text()),
                    Applicability::MaybeIncorrect,
                );
            self.report(diagnostic);
        }
        if let Some(end) = end.filter(|&e| e >= self.pos) {
            self.pos = end + 1;
        }
    }

    /// Another closing bracket than `close` at the end of a list, as in `[1, 2)`: reported and taken for it.
    fn wrong_closer(&mut self, open: usize, close: TokenKind) -> bool {
        if !matches!(self.kind(), TokenKind::RParen | TokenKind::RBracket) || self.partner(self.pos).is_some()
        {
            return false;
        }
        let span = self.tok().span();
        let diagnostic = self
            .expected(codes::EXPECTED_TOKEN, &format!("`{}`", close.text()))
            .label(self.place(self.tokens[open].span()), "opened here")
            .note(format!("every `{}` needs its `{}`", self.tokens[open].kind.text(), close.text()))
            .suggest(
                self.place(span),
                close.text(),
                format!("write `{}`", close.text()),
                Applicability::MachineApplicable,
            );
        self.report(diagnostic);
        self.bump();
        true
    }

    /// `PAR0037` at an opening brace. If a `}` further in stands too far left, the brace it was paired
    /// with is the likelier culprit.
    fn report_unclosed(&mut self, open: usize) {
        let mut culprit = open;
        let mut thief = None;
        if self.quiet_until.is_none_or(|q| self.pos > q) {
            for index in open + 1..self.pos {
                let close = self.tokens[index];
                if close.kind != TokenKind::RBrace || !close.newline {
                    continue;
                }
                let Some(partner) = self.partner(index).filter(|&p| p > open) else { continue };
                if self.indent_of_line(self.tokens[partner]) > self.column_of(close) {
                    (culprit, thief) = (partner, Some(index));
                    break;
                }
            }
        }
        let mut diagnostic = self
            .error(
                codes::UNCLOSED_BLOCK,
                self.tokens[culprit].span(),
                "this `{` is never closed",
                "no matching `}`",
            )
            .note("every `{` needs a `}`; blocks end where their `}` stands, not where the indentation does");
        if let Some(index) = thief {
            diagnostic = diagnostic.label(
                self.place(self.tokens[index].span()),
                "this `}` closes it, but stands where an outer block should end",
            );
        }
        let end = self.prev_end();
        diagnostic = diagnostic.suggest(
            self.place(Span::new(end, end)),
            "\n}",
            "add the missing `}`",
            Applicability::MaybeIncorrect,
        );
        self.report(diagnostic);
    }

    fn column_of(&self, token: Token) -> usize {
        let before = &self.text[..token.start as usize];
        before.len() - before.rfind('\n').map_or(0, |i| i + 1)
    }

    fn indent_of_line(&self, token: Token) -> usize {
        let before = &self.text[..token.start as usize];
        let line = &self.text[before.rfind('\n').map_or(0, |i| i + 1)..];
        line.len() - line.trim_start_matches([' ', '\t']).len()
    }

    fn empty_block(&self) -> Block {
        let at = self.expected_span().start;
        Block { span: Span::new(at, at), stmts: Vec::new() }
    }
}

/// Note and help for diagnostics that bring none of their own.
fn default_explanation(code: Code) -> (&'static str, &'static str) {
    match code {
        codes::EXPECTED_EXPRESSION => (
            "an expression is a literal, a name, a call, `( .. )`, `[ .. ]`, `if`, `pick`, or operators between them",
            "complete the expression or remove what stands before it",
        ),
        codes::EXPECTED_IDENTIFIER => (
            "a name starts with a letter or `_` and goes on with letters, digits and `_`",
            "write a name here",
        ),
        codes::EXPECTED_TYPE => (
            "a type is a name such as `int` or `m.Item<T>`, a list `[T]`, or a reference `ref T`",
            "write a type here",
        ),
        codes::EXPECTED_BLOCK => {
            ("a body is written in braces, also when it is a single statement", "put it in `{ }`")
        }
        codes::EXPECTED_PATTERN => (
            "a pattern is a name, a variant such as `Some(x)`, a literal, or `_` for anything",
            "write a pattern here",
        ),
        codes::EXPECTED_DECLARATION => (
            "a file holds `space`, `use`, `export`, `proc`, `form`, `pick`, `const` and other declarations; statements belong in a `proc`",
            "move it into a `proc`, such as `proc main() -> int { .. }`",
        ),
        _ => ("the parser went on behind the broken part", "correct the text here"),
    }
}
