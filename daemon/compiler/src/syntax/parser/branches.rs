//! `if`, `when`, and matches with their arms.
use super::patterns::BraceAfterPath;
use super::*;
use crate::syntax::ast::{Arm, Stmt, StmtKind};

impl Parser<'_> {
    /// `if c { } elif d { } else { }`, with `else if` for `elif`.
    pub(super) fn if_expr(&mut self) -> ExprId {
        let start = self.bump().start;
        let cond = self.head();
        let mut branches = vec![(cond, self.block("the condition of an `if`"))];
        let mut other = None;
        loop {
            if self.at(TokenKind::Elif) {
                self.bump();
            } else if self.at(TokenKind::Else) && self.nth(1).kind == TokenKind::If {
                self.bump();
                self.bump();
            } else if self.eat(TokenKind::Else) {
                other = Some(self.block("`else`"));
                break;
            } else if matches!(self.word(), "elseif" | "elsif") {
                let span = self.tok().span();
                let diagnostic = self
                    .error(
                        codes::FOREIGN_KEYWORD,
                        span,
                        format!("`{}` is not a keyword", self.word()),
                        "not Vitte",
                    )
                    .note("further conditions are written `elif`")
                    .suggest(self.place(span), "elif", "write `elif`", Applicability::MachineApplicable);
                self.report(diagnostic);
                self.errors -= 1;
                self.bump();
            } else {
                break;
            }
            if branches.len() >= MAX_BRANCHES {
                self.give_up(
                    "this `if` has too many branches",
                    &format!("at most {MAX_BRANCHES} branches are allowed"),
                );
                break;
            }
            let cond = self.head();
            branches.push((cond, self.block("the condition of an `elif`")));
        }
        self.add_expr(start, ExprKind::If { branches, other })
    }

    /// `when e is P { .. }`
    pub(super) fn when_expr(&mut self) -> ExprId {
        let start = self.bump().start;
        let outer = std::mem::replace(&mut self.no_record, true);
        let scrutinee = self.operand();
        self.no_record = outer;
        if !self.eat_word("is") {
            let diagnostic = self
                .expected(codes::EXPECTED_TOKEN, "`is`")
                .note("it is written `when e is P { .. }`")
                .help("write `is` and a pattern");
            self.report(diagnostic);
        }
        let at = self.tok().start;
        let pat = self.pat(BraceAfterPath::Body);
        let body = self.block("the pattern of a `when`");
        let arm = Arm { span: self.span_from(at), pat, guard: None, body };
        let mut arms = vec![arm];
        if self.at(TokenKind::Else) && self.nth(1).kind == TokenKind::LBrace {
            arms.push(self.arm());
        }
        self.add_expr(start, ExprKind::Match { scrutinee, arms, partial: true })
    }

    /// `pick e { .. }`, `match e { .. }`, `select e { .. }`
    pub(super) fn match_expr(&mut self, start: u32) -> ExprId {
        let keyword = self.bump();
        let partial = self.text_of(keyword) == "select";
        let scrutinee = self.head();
        if !self.at(TokenKind::LBrace) {
            let diagnostic = self
                .expected(codes::EXPECTED_BLOCK, "`{` and the arms")
                .note("a match is written `match e { case P { .. } else { .. } }`")
                .help("write the arms in braces");
            self.report(diagnostic);
            self.skip_loose_arms();
            return self.add_expr(start, ExprKind::Match { scrutinee, arms: Vec::new(), partial });
        }
        let arms = self.nested(Self::arms, |_| Vec::new());
        self.add_expr(start, ExprKind::Match { scrutinee, arms, partial })
    }

    fn arms(&mut self) -> Vec<Arm> {
        let open = self.pos;
        let outer_brackets = std::mem::replace(&mut self.in_brackets, false);
        let outer_no_record = std::mem::replace(&mut self.no_record, false);
        self.bump();
        let mut arms = Vec::new();
        loop {
            while self.eat(TokenKind::Semi) || self.eat(TokenKind::Comma) {}
            if self.past_end_of(open) || self.eat(TokenKind::RBrace) {
                break;
            }
            let ended = self.at(TokenKind::Eof)
                || (self.partner(open).is_none() && self.in_first_column(self.tok()) && self.item_starts());
            if ended {
                self.report_unclosed(open);
                break;
            }
            let (before, errors) = (self.pos, self.errors);
            arms.push(self.arm());
            if self.errors != errors {
                // Go on with the next line, past whatever the broken arm left behind.
                while !matches!(self.kind(), TokenKind::RBrace | TokenKind::Eof)
                    && (self.pos == before || !self.tok().newline)
                {
                    self.skip_tree();
                }
            }
        }
        self.in_brackets = outer_brackets;
        self.no_record = outer_no_record;
        arms
    }

    fn arm(&mut self) -> Arm {
        let start = self.tok().start;
        let wildcard = self.at(TokenKind::Else)
            || self.at_word("otherwise")
                && matches!(self.nth(1).kind, TokenKind::LBrace | TokenKind::FatArrow);
        let pat = if wildcard {
            self.bump();
            self.add_pat(start, PatKind::Wild)
        } else {
            let prefixed = matches!(self.word(), "case" | "when")
                && !matches!(
                    self.nth(1).kind,
                    TokenKind::LBrace
                        | TokenKind::FatArrow
                        | TokenKind::Dot
                        | TokenKind::Pipe
                        | TokenKind::If
                );
            if prefixed {
                self.bump();
            }
            self.pat(BraceAfterPath::Body)
        };
        let guard = (self.eat(TokenKind::If) || self.eat_word("when")).then(|| self.head());
        let body = if self.eat(TokenKind::FatArrow) || self.other_arm_arrow() {
            if self.at(TokenKind::LBrace) { self.block("`=>`") } else { self.arrow_body() }
        } else {
            self.block("the pattern of an arm")
        };
        Arm { span: self.span_from(start), pat, guard, body }
    }

    /// `=> e`, `=> give e`, `=> set x = e`: a block of one statement.
    fn arrow_body(&mut self) -> Block {
        let start = self.tok().start;
        let kind = self.nested(Self::stmt_kind, |p| StmtKind::Expr(p.error_expr()));
        let span = self.span_from(start);
        Block { span, stmts: vec![Stmt { span, kind, semi: false }] }
    }
}
