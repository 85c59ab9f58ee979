//! Patterns.
use super::*;
use crate::syntax::ast::Literal;

/// What a `{` after a path means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BraceAfterPath {
    /// The fields of a record pattern.
    Fields,
    /// In an arm and after `is`: the body, unless what follows the closing brace says otherwise (§15a).
    Body,
}

impl Parser<'_> {
    /// A pattern with its alternatives.
    pub(super) fn pat(&mut self, brace: BraceAfterPath) -> PatId {
        let start = self.tok().start;
        self.eat(TokenKind::Pipe);
        let first = self.nested_pat(brace);
        if !self.at(TokenKind::Pipe) {
            return first;
        }
        let mut alternatives = vec![first];
        while self.eat(TokenKind::Pipe) {
            alternatives.push(self.nested_pat(brace));
        }
        self.add_pat(start, PatKind::Or(alternatives))
    }

    fn nested_pat(&mut self, brace: BraceAfterPath) -> PatId {
        let start = self.tok().start;
        self.nested(|p| p.single_pat(brace), |p| p.add_pat(start, PatKind::Error))
    }

    fn single_pat(&mut self, brace: BraceAfterPath) -> PatId {
        let start = self.tok().start;
        let kind = match self.kind() {
            TokenKind::Ident => return self.path_pat(brace),
            TokenKind::LParen => {
                let mut elements = Vec::new();
                let mut comma = false;
                self.list(TokenKind::RParen, "patterns", |p| {
                    elements.push(p.pat(BraceAfterPath::Fields));
                    comma |= p.at(TokenKind::Comma);
                });
                match elements.as_slice() {
                    &[one] if !comma => return one,
                    _ => PatKind::Tuple(elements),
                }
            }
            TokenKind::LBracket => {
                let mut elements = Vec::new();
                self.list(TokenKind::RBracket, "patterns", |p| elements.push(p.pat(BraceAfterPath::Fields)));
                PatKind::List(elements)
            }
            TokenKind::DotDot | TokenKind::DotDotEq => self.range_pat(None),
            _ => match self.pat_literal() {
                Some(literal) => self.range_pat(Some(literal)),
                None if self.keyword_as_binding() => {
                    let token = self.bump();
                    PatKind::Name { name: self.ident_of(token), binding: true }
                }
                None => {
                    self.report_expected(codes::EXPECTED_PATTERN, "a pattern");
                    let at = self.expected_span().start;
                    self.tree.lost_bindings.push(at);
                    self.tree.pats.push(Pat { span: Span::new(at, at), kind: PatKind::Error });
                    return PatId(self.tree.pats.len() as u32 - 1);
                }
            },
        };
        self.add_pat(start, kind)
    }

    fn range_pat(&mut self, lo: Option<(Literal, bool)>) -> PatKind {
        if !matches!(self.kind(), TokenKind::DotDot | TokenKind::DotDotEq) {
            return match lo {
                Some((literal, negative)) => PatKind::Literal(literal, negative),
                None => PatKind::Error,
            };
        }
        let inclusive = self.bump().kind == TokenKind::DotDotEq;
        let hi = self.pat_literal();
        PatKind::Range { lo, hi, inclusive }
    }

    fn pat_literal(&mut self) -> Option<(Literal, bool)> {
        let negative =
            self.at(TokenKind::Minus) && matches!(self.nth(1).kind, TokenKind::Int | TokenKind::Float);
        if negative {
            self.bump();
        }
        self.literal().map(|literal| (literal, negative))
    }

    fn path_pat(&mut self, brace: BraceAfterPath) -> PatId {
        let start = self.tok().start;
        match self.word() {
            "_" => {
                self.bump();
                return self.add_pat(start, PatKind::Wild);
            }
            "null" if !matches!(self.nth(1).kind, TokenKind::Dot | TokenKind::LParen) => {
                self.bump();
                return self.add_pat(start, PatKind::Literal(Literal::Null, false));
            }
            "mut" | "ref" if self.nth(1).kind == TokenKind::Ident && !self.nth(1).newline => {
                if self.bump().kind == TokenKind::Ident
                    && self.at_word("mut")
                    && self.nth(1).kind == TokenKind::Ident
                {
                    self.bump();
                }
                let name = self.ident("a name");
                return self.add_pat(start, PatKind::Name { name, binding: true });
            }
            _ => {}
        }
        let mut path = vec![self.ident("a name")];
        loop {
            match self.kind() {
                TokenKind::Dot | TokenKind::ColonColon => {
                    self.bump();
                    path.push(self.any_word("a variant's name"));
                }
                // `Type<int>.Variant`: the arguments say nothing that the matched value does not.
                TokenKind::Lt if !self.on_new_line() => {
                    self.type_args();
                }
                _ => break,
            }
        }
        let kind = match self.kind() {
            TokenKind::LParen if !self.on_new_line() => {
                let mut args = Vec::new();
                self.list(TokenKind::RParen, "payload patterns", |p| {
                    let name = (p.nth(1).kind == TokenKind::Colon
                        && (p.at(TokenKind::Ident) || p.kind().is_keyword()))
                    .then(|| {
                        let name = p.any_word("a field");
                        p.bump();
                        name
                    });
                    let pat = p.pat(BraceAfterPath::Fields);
                    args.push((name, pat));
                });
                PatKind::Variant { path, args: Some(args) }
            }
            TokenKind::LBrace if brace == BraceAfterPath::Fields || self.record_pattern_follows() => {
                return self.record_pat(start, path);
            }
            _ if path.len() == 1 => match path.pop() {
                Some(name) => PatKind::Name { name, binding: false },
                None => PatKind::Error,
            },
            _ => PatKind::Variant { path, args: None },
        };
        self.add_pat(start, kind)
    }

    /// Whether the `{` at the current token starts a record pattern and not an arm's body.
    fn record_pattern_follows(&self) -> bool {
        let Some(close) = self.partner(self.pos) else { return false };
        let next = self.tokens[(close + 1).min(self.tokens.len() - 1)];
        match next.kind {
            TokenKind::LBrace | TokenKind::FatArrow | TokenKind::If | TokenKind::Pipe => {
                // `A { .. }` and then a line that starts with `if` is a body and no guard.
                !(next.kind == TokenKind::If && next.newline)
            }
            TokenKind::Ident => self.text_of(next) == "when" && !next.newline,
            _ => false,
        }
    }

    fn record_pat(&mut self, start: u32, path: Vec<Ident>) -> PatId {
        let mut fields = Vec::new();
        let mut rest = false;
        self.list(TokenKind::RBrace, "field patterns", |p| {
            if p.eat(TokenKind::DotDot) {
                rest = true;
                return;
            }
            let at = p.tok().start;
            let name = p.any_word("a field");
            let pat = if p.eat(TokenKind::Colon) {
                p.pat(BraceAfterPath::Fields)
            } else {
                p.add_pat(at, PatKind::Name { name: name.clone(), binding: true })
            };
            fields.push((name, pat));
        });
        self.add_pat(start, PatKind::Record { path, fields, rest })
    }
}
