//! Expressions: precedence climbing over the table of §7.1, postfix forms and primaries.
use super::patterns::BraceAfterPath;
use super::stmts::{is_assignment, starts_plain_value};
use super::*;
use std::sync::Arc;

use crate::lower::hir::{BinaryOp, LayoutQuery};
use crate::syntax::ast::{Arg, Lambda, Literal, Param, ParamMode, UnaryOp, Unsupported};
use crate::syntax::lexer::continues_line;
use crate::syntax::literal;

/// Binding strengths, weakest first; the numbers follow §7.1 from below.
pub(super) mod strength {
    pub const TERNARY: u8 = 1;
    pub const COALESCE: u8 = 2;
    pub const RANGE: u8 = 3;
    pub const OR: u8 = 4;
    pub const AND: u8 = 5;
    pub const BIT_OR: u8 = 6;
    pub const BIT_XOR: u8 = 7;
    pub const BIT_AND: u8 = 8;
    pub const EQUALITY: u8 = 9;
    pub const COMPARISON: u8 = 10;
    pub const SHIFT: u8 = 11;
    pub const SUM: u8 = 12;
    pub const PRODUCT: u8 = 13;
    pub const CAST: u8 = 14;
}

/// What stands between two operands.
#[derive(Clone, Copy)]
pub(super) enum Infix {
    Binary(BinaryOp),
    Cast,
    Is,
    Range,
    Coalesce,
    Ternary,
}

impl Parser<'_> {
    /// An expression. An assignment inside is an error with a fix-it to `==`.
    pub(super) fn expr(&mut self) -> ExprId {
        let start = self.tok().start;
        let left = self.expr_without_assignment();
        if !is_assignment(self.kind()) || self.on_new_line() {
            return left;
        }
        let op = self.tok();
        let mut diagnostic = self
            .error(
                codes::EXPECTED_TOKEN,
                op.span(),
                "an assignment is not an expression",
                if op.kind == TokenKind::Eq { "expected `==`" } else { "only allowed as a statement" },
            )
            .note("`=` assigns and stands only in statements; `==` compares");
        diagnostic = if op.kind == TokenKind::Eq {
            diagnostic.suggest(
                self.place(op.span()),
                "==",
                "compare with `==`",
                Applicability::MachineApplicable,
            )
        } else {
            diagnostic.help("make the assignment a statement of its own")
        };
        self.report(diagnostic);
        // What was meant is clear, so the rest of the statement is held to the usual standard.
        self.errors -= 1;
        self.bump();
        let right = self.nested(|p| p.expr(), |p| p.error_expr());
        self.add_expr(start, ExprKind::Binary(BinaryOp::Eq, op.span(), left, right))
    }

    pub(super) fn expr_without_assignment(&mut self) -> ExprId {
        self.nested(|p| p.operators(strength::TERNARY), |p| p.error_expr())
    }

    /// The head of `if`, `while`, …: a `{` after a path opens the block.
    pub(super) fn head(&mut self) -> ExprId {
        let outer = std::mem::replace(&mut self.no_record, true);
        let e = self.expr();
        self.no_record = outer;
        e
    }

    /// The infix operator at the current token, how strongly it binds and how many tokens it has.
    fn infix(&self) -> Option<(Infix, u8, usize)> {
        let token = self.tok();
        if self.on_new_line() && !continues_line(token.kind) && self.word() != "is" {
            return None;
        }
        let binary = |op, strength| Some((Infix::Binary(op), strength, 1));
        match token.kind {
            TokenKind::Star => binary(BinaryOp::Mul, strength::PRODUCT),
            TokenKind::Slash => binary(BinaryOp::Div, strength::PRODUCT),
            TokenKind::Percent => binary(BinaryOp::Rem, strength::PRODUCT),
            TokenKind::Plus => binary(BinaryOp::Add, strength::SUM),
            TokenKind::Minus => binary(BinaryOp::Sub, strength::SUM),
            TokenKind::Shl => binary(BinaryOp::Shl, strength::SHIFT),
            TokenKind::Shr => binary(BinaryOp::Shr, strength::SHIFT),
            TokenKind::Lt => binary(BinaryOp::Lt, strength::COMPARISON),
            TokenKind::Le => binary(BinaryOp::Le, strength::COMPARISON),
            TokenKind::Gt => binary(BinaryOp::Gt, strength::COMPARISON),
            TokenKind::Ge => binary(BinaryOp::Ge, strength::COMPARISON),
            TokenKind::In => binary(BinaryOp::In, strength::COMPARISON),
            TokenKind::Not if self.nth(1).kind == TokenKind::In => {
                Some((Infix::Binary(BinaryOp::NotIn), strength::COMPARISON, 2))
            }
            TokenKind::EqEq => binary(BinaryOp::Eq, strength::EQUALITY),
            TokenKind::NotEq => binary(BinaryOp::Ne, strength::EQUALITY),
            TokenKind::Amp => binary(BinaryOp::BitAnd, strength::BIT_AND),
            TokenKind::Caret => binary(BinaryOp::BitXor, strength::BIT_XOR),
            TokenKind::Pipe => binary(BinaryOp::BitOr, strength::BIT_OR),
            TokenKind::And | TokenKind::AmpAmp => binary(BinaryOp::And, strength::AND),
            TokenKind::Or | TokenKind::PipePipe => binary(BinaryOp::Or, strength::OR),
            TokenKind::DotDot | TokenKind::DotDotEq => Some((Infix::Range, strength::RANGE, 1)),
            TokenKind::QuestionQuestion => Some((Infix::Coalesce, strength::COALESCE, 1)),
            TokenKind::Question if token.partner != NO_PARTNER => {
                Some((Infix::Ternary, strength::TERNARY, 1))
            }
            TokenKind::As => Some((Infix::Cast, strength::CAST, 1)),
            TokenKind::Ident if self.word() == "is" => {
                // `a is not P`
                let tokens = if self.nth(1).kind == TokenKind::Not { 2 } else { 1 };
                Some((Infix::Is, strength::CAST, tokens))
            }
            _ => None,
        }
    }

    /// Operands and operators that bind at least as strongly as `weakest`.
    fn operators(&mut self, weakest: u8) -> ExprId {
        let start = self.tok().start;
        let mut left = if matches!(self.kind(), TokenKind::DotDot | TokenKind::DotDotEq) {
            self.range_tail(start, None)
        } else {
            self.prefix()
        };
        let mut chain = 0;
        while let Some((infix, strength, tokens)) = self.infix() {
            if self.increment() {
                continue;
            }
            let (infix, strength, tokens) = self.foreign_comparison().unwrap_or((infix, strength, tokens));
            if strength < weakest {
                break;
            }
            chain += 1;
            if chain > MAX_CHAIN {
                self.chain_too_long();
                break;
            }
            let span = self.tok().span().to(self.nth(tokens - 1).span());
            left = match infix {
                Infix::Binary(op) => {
                    for _ in 0..tokens {
                        self.bump();
                    }
                    let right = self.operators(strength + 1);
                    if self.check_operands(op, span, left, right) {
                        self.add_expr(start, ExprKind::Binary(op, span, left, right))
                    } else {
                        self.add_expr(start, ExprKind::Error)
                    }
                }
                Infix::Cast => {
                    self.bump();
                    let ty = self.cast_type();
                    self.add_expr(start, ExprKind::Cast(left, ty))
                }
                Infix::Is => {
                    for _ in 0..tokens {
                        self.bump();
                    }
                    let pat = self.pat(BraceAfterPath::Body);
                    self.add_expr(start, ExprKind::Is { expr: left, pat, negated: tokens == 2 })
                }
                Infix::Range => self.range_tail(start, Some(left)),
                Infix::Coalesce => {
                    self.bump();
                    let right = self.operators(strength::RANGE);
                    self.add_expr(start, ExprKind::Coalesce(left, right))
                }
                Infix::Ternary => {
                    self.bump();
                    let outer = std::mem::replace(&mut self.no_record, false);
                    let then = self.expr();
                    self.no_record = outer;
                    self.expect(TokenKind::Colon, "the first value of a `c ? a : b`");
                    let other = self.nested(|p| p.operators(strength::TERNARY), |p| p.error_expr());
                    self.add_expr(start, ExprKind::Ternary(left, then, other))
                }
            };
        }
        left
    }

    /// An operand with its prefix operators: everything that binds more tightly than `is`.
    pub(super) fn operand(&mut self) -> ExprId {
        self.operators(strength::CAST + 1)
    }

    fn chain_too_long(&mut self) {
        self.give_up(
            "this chain of operators is too long",
            &format!("at most {MAX_CHAIN} operators may stand in one chain"),
        );
    }

    /// At `..` or `..=`.
    fn range_tail(&mut self, start: u32, lo: Option<ExprId>) -> ExprId {
        let inclusive = self.bump().kind == TokenKind::DotDotEq;
        let open_ended = self.on_new_line()
            || matches!(
                self.kind(),
                TokenKind::RParen
                    | TokenKind::RBracket
                    | TokenKind::RBrace
                    | TokenKind::Comma
                    | TokenKind::Semi
                    | TokenKind::Eof
            )
            || self.at(TokenKind::LBrace) && self.no_record;
        let hi = (!open_ended).then(|| self.operators(strength::OR));
        self.add_expr(start, ExprKind::Range { lo, hi, inclusive })
    }

    /// Chained comparisons are errors, and false is returned; surprising precedence is warned about.
    fn check_operands(&mut self, op: BinaryOp, op_span: Span, left: ExprId, right: ExprId) -> bool {
        use BinaryOp as B;
        let kind_of = |p: &Self, e: ExprId| match p.tree.expr(e).kind {
            ExprKind::Binary(op, ..) => Some(op),
            _ => None,
        };
        let ordering = |op: B| matches!(op, B::Lt | B::Le | B::Gt | B::Ge);
        if ordering(op) && kind_of(self, left).is_some_and(ordering) {
            let ExprKind::Binary(_, first, _, middle) = self.tree.expr(left).kind else { return true };
            if [middle, right].iter().any(|&side| matches!(self.tree.expr(side).kind, ExprKind::Error)) {
                return true;
            }
            let middle_span = self.tree.expr(middle).span;
            let middle_text = &self.text[middle_span.start as usize..middle_span.end as usize];
            let gap =
                if self.text[..op_span.start as usize].ends_with(char::is_whitespace) { "" } else { " " };
            let diagnostic = self
                .error(codes::EXPECTED_TOKEN, op_span, "comparisons cannot be chained", "second comparison")
                .label(self.place(first), "first comparison")
                .note("`a < b < c` would compare a truth value with `c`")
                .suggest(
                    self.place(Span::new(op_span.start, op_span.start)),
                    format!("{gap}and {middle_text} "),
                    "compare twice",
                    Applicability::MachineApplicable,
                );
            self.errors += 1;
            self.push(diagnostic);
            self.errors -= 1;
            return false;
        }
        if matches!(op, B::BitAnd | B::BitOr | B::BitXor) {
            for side in [left, right] {
                let comparison = kind_of(self, side)
                    .is_some_and(|o| ordering(o) || matches!(o, B::Eq | B::Ne | B::In | B::NotIn));
                if comparison {
                    let span = self.tree.expr(side).span;
                    self.warn_precedence(
                        span,
                        "this comparison binds more tightly than the bit operator",
                        op_span,
                    );
                }
            }
        }
        if (ordering(op) || matches!(op, B::Eq | B::Ne))
            && matches!(self.tree.expr(left).kind, ExprKind::Unary(UnaryOp::Not, _))
        {
            let span = self.tree.expr(left).span;
            self.warn_precedence(
                span,
                "`not` applies to the left side alone, not to the comparison",
                op_span,
            );
        }
        true
    }

    fn warn_precedence(&mut self, span: Span, message: &str, op: Span) {
        let text = &self.text[span.start as usize..span.end as usize];
        let diagnostic = self
            .warning(codes::PRECEDENCE, span, message, "grouped like this")
            .label(self.place(op), "with this operator")
            .note("prefix operators bind more tightly than comparisons, and comparisons more tightly than `& ^ |`")
            .suggest(
                self.place(span),
                format!("({text})"),
                "put parentheses around it if that is what is meant",
                Applicability::MaybeIncorrect,
            );
        self.push(diagnostic);
    }

    fn prefix(&mut self) -> ExprId {
        let start = self.tok().start;
        let mut tokens = 1;
        let op = match self.kind() {
            TokenKind::Not | TokenKind::Bang => UnaryOp::Not,
            TokenKind::Minus => UnaryOp::Neg,
            TokenKind::Plus => UnaryOp::Plus,
            TokenKind::Tilde => UnaryOp::BitNot,
            TokenKind::Star => UnaryOp::Deref,
            TokenKind::Amp if self.nth_word(1) == "mut" && operand_follows(self.nth(2).kind) => {
                tokens = 2;
                UnaryOp::RefMut
            }
            TokenKind::Amp => UnaryOp::Ref,
            TokenKind::Ident => {
                let next = self.nth(1);
                let line = !next.newline || self.in_brackets;
                match self.word() {
                    "ref" if line && self.nth_word(1) == "mut" && operand_follows(self.nth(2).kind) => {
                        tokens = 2;
                        UnaryOp::RefMut
                    }
                    "ref" if line && next.kind == TokenKind::Ident && !self.is_is(1) => UnaryOp::Ref,
                    "move" if line && next.kind == TokenKind::Ident && !self.is_is(1) => UnaryOp::Move,
                    "try" if line && next.kind == TokenKind::Ident && !self.is_is(1) => {
                        self.bump();
                        let e = self.nested(Self::prefix, |p| p.error_expr());
                        return self.add_expr(start, ExprKind::Try(e));
                    }
                    "await" if line && next.kind == TokenKind::Ident && !self.is_is(1) => {
                        let head = self.bump().span();
                        self.nested(Self::prefix, |p| p.error_expr());
                        return self.unsupported_expr("`await`", head, start);
                    }
                    _ => return self.postfix(),
                }
            }
            _ => return self.postfix(),
        };
        for _ in 0..tokens {
            self.bump();
        }
        let e = self.nested(Self::prefix, |p| p.error_expr());
        self.add_expr(start, ExprKind::Unary(op, e))
    }

    fn is_is(&self, ahead: usize) -> bool {
        self.nth_word(ahead) == "is"
    }

    pub(super) fn unsupported_expr(&mut self, feature: &'static str, head: Span, start: u32) -> ExprId {
        let tokens = self.span_from(start);
        self.add_expr(start, ExprKind::Unsupported(Unsupported { feature, head, tokens, name: None }))
    }

    fn postfix(&mut self) -> ExprId {
        let start = self.tok().start;
        let mut e = self.primary();
        let mut chain = 0;
        loop {
            let same_line = !self.on_new_line();
            match self.kind() {
                TokenKind::LParen if same_line => {
                    let args = self.args();
                    e = self.add_expr(start, ExprKind::Call { callee: e, args });
                }
                TokenKind::LBracket if same_line => e = self.index(start, e),
                TokenKind::Bang if self.macro_call(e) => continue,
                TokenKind::ColonColon if self.turbofish() => continue,
                TokenKind::Arrow if self.arrow_member() => {
                    self.bump();
                    let name = self.any_word("a member's name");
                    e = self
                        .add_expr(start, ExprKind::Field { base: e, name, args: Vec::new(), colons: false });
                }
                TokenKind::Dot if self.digitless_float(e) => {}
                TokenKind::Dot | TokenKind::ColonColon => {
                    let colons = self.bump().kind == TokenKind::ColonColon;
                    if self.at_word("await") && self.nth(1).kind != TokenKind::LParen {
                        let head = self.bump().span();
                        e = self.unsupported_expr("`await`", head, start);
                        continue;
                    }
                    let name = if self.at(TokenKind::Int) {
                        let token = self.bump();
                        self.ident_of(token)
                    } else {
                        self.any_word("a member's name")
                    };
                    e = self.add_expr(start, ExprKind::Field { base: e, name, args: Vec::new(), colons });
                }
                TokenKind::Question if same_line && self.tok().partner == NO_PARTNER => {
                    self.bump();
                    e = self.add_expr(start, ExprKind::Try(e));
                }
                TokenKind::Lt if self.takes_type_args(e) && self.type_args_follow() => {
                    let list = self.type_args();
                    let end = self.prev_end();
                    let node = &mut self.tree.exprs[e.0 as usize];
                    node.span.end = end;
                    if let ExprKind::Name(_, args) | ExprKind::Field { args, .. } = &mut node.kind {
                        *args = list;
                    }
                }
                TokenKind::LBrace
                    if same_line && !self.no_record && self.is_path(e) && self.fields_follow() =>
                {
                    e = self.record(start, Some(e));
                }
                _ => return e,
            }
            chain += 1;
            if chain > MAX_CHAIN {
                self.chain_too_long();
                return e;
            }
        }
    }

    fn takes_type_args(&self, e: ExprId) -> bool {
        match &self.tree.expr(e).kind {
            ExprKind::Name(_, args) | ExprKind::Field { args, .. } => args.is_empty(),
            _ => false,
        }
    }

    /// Whether it is a chain of names, as before a record's brace. Long chains are not.
    pub(super) fn is_path(&self, mut e: ExprId) -> bool {
        for _ in 0..16 {
            match &self.tree.expr(e).kind {
                ExprKind::Name(..) => return true,
                ExprKind::Field { base, .. } => e = *base,
                _ => return false,
            }
        }
        false
    }

    /// Whether what stands in the braces at the current token looks like the fields of a record.
    fn fields_follow(&self) -> bool {
        let first = self.nth(1);
        match first.kind {
            TokenKind::RBrace | TokenKind::DotDot => true,
            kind if kind == TokenKind::Ident || kind.is_keyword() => {
                let second = self.nth(2);
                matches!(second.kind, TokenKind::Colon | TokenKind::Comma | TokenKind::Eq)
                    || kind == TokenKind::Ident && (second.kind == TokenKind::RBrace || second.newline)
            }
            _ => false,
        }
    }

    fn args(&mut self) -> Vec<Arg> {
        let mut args = Vec::new();
        self.list(TokenKind::RParen, "arguments", |p| {
            let named =
                (p.at(TokenKind::Ident) || p.kind().is_keyword()) && p.nth(1).kind == TokenKind::Colon;
            let name = named.then(|| {
                let name = p.any_word("an argument's name");
                p.bump();
                name
            });
            let value = p.expr();
            args.push(Arg { name, value });
        });
        args
    }

    fn index(&mut self, start: u32, base: ExprId) -> ExprId {
        let mut kind = None;
        self.list(TokenKind::RBracket, "indices", |p| {
            if kind.is_some() {
                let diagnostic = p
                    .error(
                        codes::EXPECTED_TOKEN,
                        p.tok().span(),
                        "expected `]`, found another index",
                        "not allowed",
                    )
                    .note("an index has one value; lists of lists are indexed one after the other")
                    .help("write `a[i][j]`");
                p.report(diagnostic);
                p.expr();
                return;
            }
            let lo = (!p.at(TokenKind::Colon)).then(|| p.expr());
            if p.eat(TokenKind::Colon) {
                let hi = (!p.at(TokenKind::RBracket)).then(|| p.expr());
                kind = Some(ExprKind::Slice(base, lo, hi));
            } else if let Some(lo) = lo {
                kind = Some(match p.tree.expr(lo).kind {
                    ExprKind::Range { lo, hi, inclusive: false } => ExprKind::Slice(base, lo, hi),
                    ExprKind::Range { lo, hi: Some(last), inclusive: true } => {
                        // The slice ends behind its last element.
                        let span = p.tree.expr(last).span;
                        let one = ExprKind::Literal(ast::Literal::Int(1, None));
                        let one = p.add_expr_at(span, one);
                        let hi = p.add_expr_at(span, ExprKind::Binary(BinaryOp::Add, span, last, one));
                        ExprKind::Slice(base, lo, Some(hi))
                    }
                    _ => ExprKind::Index(base, lo),
                });
            }
        });
        let kind = kind.unwrap_or_else(|| {
            let diagnostic = self
                .error(
                    codes::EXPECTED_EXPRESSION,
                    self.span_from(self.prev_end().saturating_sub(1)),
                    "expected an index",
                    "nothing between `[` and `]`",
                )
                .help("write for example `a[0]`");
            self.report(diagnostic);
            ExprKind::Error
        });
        self.add_expr(start, kind)
    }

    /// `{ a: 1, b, ..base }`; fields are separated by comma or line end (§15a).
    fn record(&mut self, start: u32, path: Option<ExprId>) -> ExprId {
        let open = self.pos;
        let end = self.partner(open);
        let outer_brackets = std::mem::replace(&mut self.in_brackets, false);
        let outer_no_record = std::mem::replace(&mut self.no_record, false);
        self.bump();
        let mut fields = Vec::new();
        let mut rest = None;
        loop {
            if self.past_end_of(open) || self.at(TokenKind::RBrace) || self.at(TokenKind::Eof) {
                break;
            }
            let (before, errors) = (self.pos, self.errors);
            if self.at(TokenKind::DotDot) {
                let dots = self.bump().span();
                let alone = self.on_new_line() || matches!(self.kind(), TokenKind::RBrace | TokenKind::Comma);
                rest = Some((dots, (!alone).then(|| self.expr())));
            } else {
                let name = self.any_word("a field's name");
                let value = if self.eat(TokenKind::Colon) {
                    Some(self.expr())
                } else if self.at(TokenKind::Eq) {
                    let span = self.tok().span();
                    let diagnostic = self
                        .error(codes::EXPECTED_TOKEN, span, "expected `:`, found `=`", "a field takes `:`")
                        .note("a record is written `Rect { width: 2, height: 3 }`")
                        .suggest(self.place(span), ":", "write `:`", Applicability::MachineApplicable);
                    self.report(diagnostic);
                    self.errors -= 1;
                    self.bump();
                    Some(self.expr())
                } else {
                    None
                };
                fields.push((name, value));
            }
            if self.eat(TokenKind::Comma) || self.eat(TokenKind::Semi) || self.at(TokenKind::RBrace) {
                continue;
            }
            if self.errors == errors {
                if self.tok().newline {
                    continue;
                }
                let at = self.prev_end();
                let diagnostic = self
                    .expected(codes::EXPECTED_TOKEN, "`,` or `}`")
                    .label(self.place(self.tokens[open].span()), "the fields start here")
                    .note("the fields of a record are separated by commas or line ends")
                    .suggest(
                        self.place(Span::new(at, at)),
                        ",",
                        "insert a comma",
                        if self.at(TokenKind::Ident) {
                            Applicability::MachineApplicable
                        } else {
                            Applicability::MaybeIncorrect
                        },
                    );
                self.report(diagnostic);
                if self.at(TokenKind::Ident) && self.nth(1).kind == TokenKind::Colon {
                    // Only the comma is missing.
                    continue;
                }
            }
            let Some(end) = end.filter(|&e| e >= self.pos) else { break };
            while self.pos < end && !self.at(TokenKind::Comma) && (self.pos == before || !self.tok().newline)
            {
                self.skip_tree();
            }
            self.eat(TokenKind::Comma);
        }
        self.in_brackets = outer_brackets;
        self.no_record = outer_no_record;
        if !self.past_end_of(open) && !self.eat(TokenKind::RBrace) {
            self.report_unclosed(open);
        }
        self.add_expr(start, ExprKind::Record { path, fields, rest })
    }

    /// A literal token, taken; `None` if there is none.
    pub(super) fn literal(&mut self) -> Option<Literal> {
        let token = self.tok();
        let text = self.text_of(token);
        let suffix = |text: &str| {
            let suffix = literal::number_parts(text).suffix;
            (!suffix.is_empty()).then(|| Name::new(suffix))
        };
        let value = match token.kind {
            TokenKind::Int => Literal::Int(literal::int_value(text).unwrap_or(u128::MAX), suffix(text)),
            TokenKind::Float => Literal::Float(literal::float_value(text).to_bits(), suffix(text)),
            TokenKind::Str => Literal::Str(literal::string_value(text).into()),
            TokenKind::RawStr => Literal::Str(literal::body_of(text).0.into()),
            TokenKind::ByteStr => Literal::Bytes(literal::bytes_value(text).into()),
            TokenKind::Char => Literal::Char(literal::char_value(text).unwrap_or('\u{fffd}')),
            TokenKind::True => Literal::Bool(true),
            TokenKind::False => Literal::Bool(false),
            _ => return None,
        };
        self.bump();
        Some(value)
    }

    fn primary(&mut self) -> ExprId {
        let start = self.tok().start;
        if let Some(literal) = self.literal() {
            return self.add_expr(start, ExprKind::Literal(literal));
        }
        match self.kind() {
            TokenKind::Ident => self.word_expr(),
            TokenKind::LParen => {
                let mut elements = Vec::new();
                let mut comma = false;
                self.list(TokenKind::RParen, "values", |p| {
                    elements.push(p.expr());
                    comma |= p.at(TokenKind::Comma);
                });
                match elements.as_slice() {
                    &[one] if !comma => self.add_expr(start, ExprKind::Paren(one)),
                    _ => self.add_expr(start, ExprKind::Tuple(elements)),
                }
            }
            TokenKind::LBracket => self.list_literal(start),
            TokenKind::LBrace => {
                let record =
                    matches!(self.nth(1).kind, TokenKind::Ident) && self.nth(2).kind == TokenKind::Colon;
                if record {
                    return self.nested(|p| p.record(start, None), |p| p.error_expr());
                }
                let block = self.block("an expression");
                self.add_expr(start, ExprKind::Block(block))
            }
            TokenKind::If => self.if_expr(),
            TokenKind::Pick => self.match_expr(start),
            // At the start of a line it begins the next declaration.
            TokenKind::Proc if !self.in_first_column(self.tok()) => self.proc_lambda(start),
            TokenKind::Pipe | TokenKind::PipePipe => self.bar_lambda(start),
            TokenKind::Error => {
                self.errors += 1;
                self.quiet_until = Some(self.pos);
                self.bump();
                self.add_expr(start, ExprKind::Error)
            }
            _ => {
                self.report_expected(codes::EXPECTED_EXPRESSION, "an expression");
                self.error_expr()
            }
        }
    }

    fn word_expr(&mut self) -> ExprId {
        let start = self.tok().start;
        let next = self.nth(1);
        let line = !next.newline || self.in_brackets;
        let brace = line && next.kind == TokenKind::LBrace;
        match self.word() {
            "null" if next.kind != TokenKind::LParen => {
                self.bump();
                return self.add_expr(start, ExprKind::Literal(Literal::Null));
            }
            "match" | "select" if line && starts_plain_value(next.kind) && !self.is_is(1) => {
                return self.match_expr(start);
            }
            "match" | "select"
                if line
                    && (next.kind == TokenKind::LParen
                        || next.kind == TokenKind::LBracket && next.start > self.tok().end)
                    && self.brace_after_parens() =>
            {
                return self.match_expr(start);
            }
            "when" if line && starts_plain_value(next.kind) => return self.when_expr(),
            word @ ("unsafe" | "critical") if brace && !self.no_record => {
                self.bump();
                let block = self.block("this keyword");
                let kind = if word == "unsafe" { ExprKind::Unsafe(block) } else { ExprKind::Block(block) };
                return self.add_expr(start, kind);
            }
            "loop" if brace && !self.no_record => {
                self.bump();
                let body = self.block("`loop`");
                return self.add_expr(start, ExprKind::Loop(body));
            }
            "f" if next.kind == TokenKind::Str && next.start == self.tok().end => {
                self.interpolated_string();
                return self.primary();
            }
            "new" if line && next.kind == TokenKind::Ident && !self.is_is(1) => {
                self.needless_new();
                return self.postfix();
            }
            "map" if brace && !self.no_record => {
                self.bump();
                let mut entries = Vec::new();
                self.list(TokenKind::RBrace, "entries of a map", |p| {
                    let key = p.expr();
                    p.expect(TokenKind::Colon, "the key of a map's entry");
                    entries.push((key, p.expr()));
                });
                return self.add_expr(start, ExprKind::Map(entries));
            }
            "set" if brace && !self.no_record => {
                self.bump();
                let mut items = Vec::new();
                self.list(TokenKind::RBrace, "items of a set", |p| items.push(p.expr()));
                return self.add_expr(start, ExprKind::Set(items));
            }
            word @ ("resource" | "comptime") if brace && !self.no_record => {
                let feature = match word {
                    "comptime" => "`comptime`",
                    _ => "`resource`",
                };
                let head = self.bump().span();
                self.skip_tree();
                return self.unsupported_expr(feature, head, start);
            }
            word @ ("sizeof" | "alignof" | "offsetof") if line && next.kind == TokenKind::LParen => {
                let query = match word {
                    "sizeof" => LayoutQuery::Size,
                    "alignof" => LayoutQuery::Align,
                    _ => LayoutQuery::Offset,
                };
                self.bump();
                return self.layout_query(start, query);
            }
            "typeof" if line && next.kind == TokenKind::LParen => {
                // The name of a value's type, as the built-in name gives it.
                let name = Ident { name: Name::new_static("type_name"), span: self.bump().span() };
                let callee = self.add_expr(start, ExprKind::Name(name, Vec::new()));
                let args = self.args();
                return self.add_expr(start, ExprKind::Call { callee, args });
            }
            "nameof" if line && next.kind == TokenKind::LParen => {
                self.bump();
                return self.name_of(start);
            }
            _ => {}
        }
        let token = self.bump();
        let name = self.ident_of(token);
        self.add_expr(start, ExprKind::Name(name, Vec::new()))
    }

    /// `(T)` or `(T, field)` after `sizeof` and its like.
    fn layout_query(&mut self, start: u32, query: LayoutQuery) -> ExprId {
        let mut parts: (Option<TypeId>, Option<Ident>) = (None, None);
        self.list(TokenKind::RParen, "a type", |p| {
            if parts.0.is_none() {
                parts.0 = Some(p.ty());
            } else {
                parts.1 = Some(p.any_word("a field's name"));
            }
        });
        let (Some(ty), field) = parts else {
            self.report_expected(codes::EXPECTED_TYPE, "a type in the parentheses");
            return self.error_expr();
        };
        if field.is_some() != (query == LayoutQuery::Offset) {
            let wanted = match query {
                LayoutQuery::Offset => "`offsetof` takes a type and the name of a field",
                LayoutQuery::Size | LayoutQuery::Align => "`sizeof` and `alignof` take one type",
            };
            let span = self.span_from(start);
            let diagnostic = self
                .error(codes::EXPECTED_TOKEN, span, wanted, "wrong number of parts")
                .note("they are written `sizeof(T)`, `alignof(T)` and `offsetof(T, field)`")
                .help("correct what stands in the parentheses");
            self.report(diagnostic);
            return self.error_expr();
        }
        self.add_expr(start, ExprKind::Layout { query, ty, field })
    }

    /// `(a.b.c)` after `nameof`: the last name, as a string.
    fn name_of(&mut self, start: u32) -> ExprId {
        let mut named = None;
        self.list(TokenKind::RParen, "a name", |p| {
            let e = p.expr();
            named = match &p.tree.expr(e).kind {
                ExprKind::Name(name, _) | ExprKind::Field { name, .. } => Some(name.name.clone()),
                _ => None,
            };
        });
        match named {
            Some(name) => {
                self.add_expr(start, ExprKind::Literal(ast::Literal::Str(Arc::from(name.as_str()))))
            }
            None => {
                let span = self.span_from(start);
                let diagnostic = self
                    .error(codes::EXPECTED_IDENTIFIER, span, "`nameof` takes a name", "no name in it")
                    .note("`nameof(a.b)` is the text `b`")
                    .help("write a name, or a path that ends in one");
                self.report(diagnostic);
                self.error_expr()
            }
        }
    }

    /// Whether `word ( .. ) {` stands at the current token.
    fn brace_after_parens(&self) -> bool {
        !self.no_record
            && self.partner(self.pos + 1).is_some_and(|close| {
                self.tokens[(close + 1).min(self.tokens.len() - 1)].kind == TokenKind::LBrace
            })
    }

    fn list_literal(&mut self, start: u32) -> ExprId {
        let mut elements = Vec::new();
        let mut comprehension = None;
        self.list(TokenKind::RBracket, "list elements", |p| {
            elements.push(p.expr());
            if p.at(TokenKind::For) && comprehension.is_none() {
                p.bump();
                let pat = p.pat(BraceAfterPath::Fields);
                p.expect(TokenKind::In, "the pattern of a comprehension");
                let iter = p.expr();
                let cond = p.eat(TokenKind::If).then(|| p.expr());
                comprehension = Some((pat, iter, cond));
            }
        });
        let kind = match (comprehension, elements.as_slice()) {
            (Some((pat, iter, cond)), &[element]) => ExprKind::Comprehension { element, pat, iter, cond },
            (Some((_, iter, _)), _) => {
                let diagnostic = self
                    .error(
                        codes::EXPECTED_TOKEN,
                        self.tree.expr(iter).span,
                        "a comprehension has one element expression",
                        "one comprehension fills a whole list",
                    )
                    .note("a list comprehension is written `[e for x in xs if c]`")
                    .help("join lists with `+`");
                self.report(diagnostic);
                ExprKind::Error
            }
            (None, _) => ExprKind::List(elements),
        };
        self.add_expr(start, kind)
    }

    fn proc_lambda(&mut self, start: u32) -> ExprId {
        self.bump();
        let params = if self.at(TokenKind::LParen) {
            self.params()
        } else {
            self.report_expected(codes::EXPECTED_TOKEN, "`(` and the parameters of the procedure value");
            return self.error_expr();
        };
        let ret = self.eat(TokenKind::Arrow).then(|| self.ty());
        let from = self.tok().start;
        let block = self.block("the head of a procedure value");
        let body = self.add_expr(from, ExprKind::Block(block));
        self.add_expr(start, ExprKind::Lambda(Box::new(Lambda { explicit: true, params, ret, body })))
    }

    fn bar_lambda(&mut self, start: u32) -> ExprId {
        let head = self.bump();
        let mut params = Vec::new();
        if head.kind == TokenKind::Pipe {
            while !self.at(TokenKind::Pipe) {
                let errors = self.errors;
                let from = self.tok().start;
                let name = self.any_word("a parameter");
                // `|` ends the parameters here, so a union type needs parentheses.
                let ty = self.eat(TokenKind::Colon).then(|| self.type_before_bar());
                let span = self.span_from(from);
                params.push(Param { span, name, mode: ParamMode::Plain, ty, default: None });
                if self.errors != errors || (!self.eat(TokenKind::Comma) && !self.at(TokenKind::Pipe)) {
                    break;
                }
            }
            self.expect(TokenKind::Pipe, "the parameters of a lambda");
        }
        let ret = self.eat(TokenKind::Arrow).then(|| self.ty());
        let from = self.tok().start;
        let body = if self.at(TokenKind::LBrace) {
            let block = self.block("the parameters of a lambda");
            self.add_expr(from, ExprKind::Block(block))
        } else {
            self.expr()
        };
        self.add_expr(start, ExprKind::Lambda(Box::new(Lambda { explicit: false, params, ret, body })))
    }
}

/// Whether an operand can start with this token (after `&mut` and `ref mut`).
fn operand_follows(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Ident | TokenKind::LParen | TokenKind::Star)
}
