//! One space or none between two tokens of a line.
use super::roles::{Role, Roles};
use crate::syntax::token::{NO_PARTNER, Token, TokenKind};

/// Words that are no operand where an operator or a bracket follows them, although the lexer has them as names.
const LEADING_WORDS: [&str; 27] = [
    "assert",
    "await",
    "break",
    "case",
    "copy",
    "defer",
    "export",
    "from",
    "is",
    "match",
    "move",
    "mut",
    "otherwise",
    "panic",
    "ref",
    "return",
    "select",
    "set",
    "share",
    "space",
    "static",
    "try",
    "when",
    "where",
    "with",
    "loop",
    "unsafe",
];

/// Whether it is `=` or ends with it and assigns.
pub(super) fn assigns(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Eq
            | TokenKind::PlusEq
            | TokenKind::MinusEq
            | TokenKind::StarEq
            | TokenKind::SlashEq
            | TokenKind::PercentEq
            | TokenKind::AmpEq
            | TokenKind::PipeEq
            | TokenKind::CaretEq
            | TokenKind::ShlEq
            | TokenKind::ShrEq
    )
}

/// Whether canonical style has a space between `previous` and `token`, the token of index `at`, on one line.
pub(super) fn spaced(text: &str, roles: &Roles, at: usize, previous: Token, token: Token) -> bool {
    let around = Around { text, roles, at, previous, token };
    if around.tight_after() || around.tight_before() {
        return false;
    }
    true
}

/// Whether two tokens without a space between them would be read as others.
pub(super) fn would_join(text: &str, previous: Token, token: Token) -> bool {
    let last = text[..previous.end as usize].chars().next_back();
    let first = text[token.start as usize..].chars().next();
    let (Some(last), Some(first)) = (last, first) else { return false };
    let word = |c: char| c == '_' || c.is_alphanumeric();
    if word(last) && (word(first) || (first == '"' || first == '\'')) {
        return true;
    }
    let pair = [last, first];
    let apart = previous.end != token.start;
    // Brackets and separators never join with anything. What stood together may stand together.
    apart && pair.iter().all(|c| "+-*/%=<>!&|^?.:#~".contains(*c))
}

struct Around<'a> {
    text: &'a str,
    roles: &'a Roles,
    at: usize,
    previous: Token,
    token: Token,
}

impl Around<'_> {
    fn word(&self, token: Token) -> &str {
        &self.text[token.start as usize..token.end as usize]
    }

    fn role(&self) -> Role {
        self.roles.of(self.at)
    }

    fn previous_role(&self) -> Role {
        self.roles.of(self.at - 1)
    }

    /// Whether `token` can be the end of an operand.
    fn ends_operand(&self, token: Token) -> bool {
        match token.kind {
            TokenKind::Ident => !LEADING_WORDS.contains(&self.word(token)),
            TokenKind::Int
            | TokenKind::Float
            | TokenKind::Str
            | TokenKind::RawStr
            | TokenKind::ByteStr
            | TokenKind::Char
            | TokenKind::True
            | TokenKind::False
            | TokenKind::RParen
            | TokenKind::RBracket
            | TokenKind::RBrace
            | TokenKind::Question => true,
            TokenKind::Gt | TokenKind::Shr => true,
            _ => false,
        }
    }

    /// Whether an operator of index `at` stands before its only operand. `before` is the token before it.
    fn prefix(&self, at: usize, operator: Token, before: Option<Token>) -> bool {
        match operator.kind {
            TokenKind::Bang | TokenKind::Tilde | TokenKind::At | TokenKind::Hash => true,
            TokenKind::Minus | TokenKind::Plus | TokenKind::Star | TokenKind::Amp | TokenKind::Question => {
                self.roles.of(at) != Role::Infix
                    && !before.is_some_and(|before| {
                        self.ends_operand(before) && !(operator.newline && operator.kind != TokenKind::Plus)
                            || self.word(before) == "operator"
                    })
            }
            _ => false,
        }
    }

    /// Nothing follows `previous`.
    fn tight_after(&self) -> bool {
        let before = self.at.checked_sub(2).and_then(|index| self.roles.token(index));
        match self.previous.kind {
            TokenKind::LParen
            | TokenKind::LBracket
            | TokenKind::Dot
            | TokenKind::ColonColon
            | TokenKind::DotDot
            | TokenKind::DotDotEq
            | TokenKind::Ellipsis => true,
            TokenKind::Lt => self.previous_role() != Role::Infix,
            TokenKind::Slash => self.previous_role() != Role::Infix,
            TokenKind::Pipe => self.previous_role() == Role::LambdaOpen,
            TokenKind::Colon => self.previous_role() == Role::SliceColon,
            TokenKind::LBrace => self.group(self.at - 1),
            _ => self.prefix(self.at - 1, self.previous, before),
        }
    }

    /// Nothing stands before `token`.
    fn tight_before(&self) -> bool {
        match self.token.kind {
            TokenKind::RParen
            | TokenKind::RBracket
            | TokenKind::Comma
            | TokenKind::Semi
            | TokenKind::ColonColon => true,
            TokenKind::Colon => self.role() != Role::Infix,
            TokenKind::Dot | TokenKind::DotDot | TokenKind::DotDotEq => self.ends_operand(self.previous),
            TokenKind::Lt | TokenKind::Gt | TokenKind::Shr => self.role() != Role::Infix,
            TokenKind::Slash => self.role() != Role::Infix,
            TokenKind::Pipe => self.role() == Role::LambdaClose,
            TokenKind::Question => self.role() != Role::Infix && self.ends_operand(self.previous),
            TokenKind::LBrace => matches!(self.previous.kind, TokenKind::LParen | TokenKind::LBracket),
            TokenKind::RBrace => {
                let open = self.token.partner;
                open != NO_PARTNER && self.group(open as usize) && self.previous.kind != TokenKind::Comma
            }
            TokenKind::LParen | TokenKind::LBracket => match self.role() {
                Role::Applies => true,
                _ => match self.previous.kind {
                    TokenKind::Ident => !LEADING_WORDS.contains(&self.word(self.previous)),
                    TokenKind::Proc => self.token.kind == TokenKind::LParen,
                    TokenKind::Gt | TokenKind::Shr => self.previous_role() != Role::Infix,
                    _ => false,
                },
            },
            _ => false,
        }
    }

    /// Whether the `{` of index `at` opens the names of a `use`: `use a/b.{c, d}`.
    fn group(&self, at: usize) -> bool {
        at.checked_sub(1)
            .and_then(|before| self.roles.token(before))
            .is_some_and(|before| matches!(before.kind, TokenKind::Dot | TokenKind::ColonColon))
    }
}
