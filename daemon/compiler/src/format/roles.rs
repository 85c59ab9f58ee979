//! What the tree knows of tokens whose spelling has several meanings.
use crate::syntax::ast::{Block, ExprKind, File};
use crate::syntax::token::{NO_PARTNER, Token, TokenKind};

/// The meaning of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// Its spelling says all, or nothing is known.
    #[default]
    Plain,
    /// Stands between two operands.
    Infix,
    /// The bracket of a call or an index.
    Applies,
    /// The `:` of a slice.
    SliceColon,
    /// The `|` or `||` that begins a lambda.
    LambdaOpen,
    /// The `|` that ends a lambda's parameters.
    LambdaClose,
}

/// The roles of all tokens of a file.
pub(super) struct Roles {
    tokens: Vec<Token>,
    roles: Vec<Role>,
    /// For a `{`, the token that its construct begins with.
    owners: Vec<Option<u32>>,
}

impl Roles {
    /// Looks at every expression once.
    pub(super) fn new(tree: &File, tokens: &[Token]) -> Self {
        let mut found = Self {
            tokens: tokens.to_vec(),
            roles: vec![Role::Plain; tokens.len()],
            owners: vec![None; tokens.len()],
        };
        let index = Index { tokens };
        for (at, token) in tokens.iter().enumerate() {
            // A conditional's `?` knows its `:`.
            if token.kind == TokenKind::Question && token.partner != NO_PARTNER {
                found.set(Some(at), TokenKind::Question, tokens, Role::Infix);
                found.set(Some(token.partner as usize), TokenKind::Colon, tokens, Role::Infix);
            }
        }
        for expr in &tree.exprs {
            let start = index.at(expr.span.start);
            match &expr.kind {
                ExprKind::Binary(_, operator, ..) => {
                    if let Some(at) = index.at(operator.start) {
                        found.roles[at] = Role::Infix;
                    }
                }
                ExprKind::Call { callee, .. } => {
                    let bracket = index.from(tree.expr(*callee).span.end);
                    found.set(bracket, TokenKind::LParen, tokens, Role::Applies);
                }
                ExprKind::Index(base, _) => {
                    let bracket = index.from(tree.expr(*base).span.end);
                    found.set(bracket, TokenKind::LBracket, tokens, Role::Applies);
                }
                ExprKind::Slice(base, ..) => {
                    let bracket = index.from(tree.expr(*base).span.end);
                    found.set(bracket, TokenKind::LBracket, tokens, Role::Applies);
                    if let Some(colon) = bracket.and_then(|bracket| index.colon_inside(bracket)) {
                        found.roles[colon] = Role::SliceColon;
                    }
                }
                ExprKind::Lambda(lambda) if !lambda.explicit => {
                    let Some(open) = start else { continue };
                    found.roles[open] = Role::LambdaOpen;
                    if tokens[open].kind == TokenKind::Pipe {
                        let after = lambda.params.last().map_or(tokens[open].end, |param| param.span.end);
                        let close = index.next_of(index.from(after), TokenKind::Pipe);
                        found.set(close, TokenKind::Pipe, tokens, Role::LambdaClose);
                    }
                }
                ExprKind::Record { path, .. } => {
                    let from = path.map_or(expr.span.start, |path| tree.expr(path).span.end);
                    found.own(index.next_of(index.from(from), TokenKind::LBrace), start);
                }
                ExprKind::Map(_) | ExprKind::Set(_) => {
                    found.own(index.next_of(start, TokenKind::LBrace), start);
                }
                ExprKind::If { branches, other } => {
                    let blocks = branches.iter().map(|(_, block)| block).chain(other);
                    for block in blocks {
                        found.own_block(&index, block, start);
                    }
                }
                ExprKind::Match { scrutinee, arms, .. } => {
                    let brace = index.next_of(index.from(tree.expr(*scrutinee).span.end), TokenKind::LBrace);
                    found.own(brace, start);
                    for arm in arms {
                        found.own_block(&index, &arm.body, index.at(arm.span.start));
                    }
                }
                ExprKind::Block(block) | ExprKind::Loop(block) => found.own_block(&index, block, start),
                _ => {}
            }
        }
        found
    }

    pub(super) fn of(&self, at: usize) -> Role {
        self.roles[at]
    }

    pub(super) fn token(&self, at: usize) -> Option<Token> {
        self.tokens.get(at).copied()
    }

    pub(super) fn owner(&self, at: usize) -> Option<usize> {
        self.owners[at].map(|owner| owner as usize)
    }

    fn set(&mut self, at: Option<usize>, kind: TokenKind, tokens: &[Token], role: Role) {
        if let Some(at) = at.filter(|at| tokens.get(*at).is_some_and(|token| token.kind == kind)) {
            self.roles[at] = role;
        }
    }

    fn own(&mut self, brace: Option<usize>, owner: Option<usize>) {
        if let (Some(brace), Some(owner)) = (brace, owner) {
            self.owners[brace] = Some(owner as u32);
        }
    }

    fn own_block(&mut self, index: &Index<'_>, block: &Block, owner: Option<usize>) {
        self.own(index.at(block.span.start).filter(|at| index.tokens[*at].kind == TokenKind::LBrace), owner);
    }
}

/// Finds tokens by place.
struct Index<'a> {
    tokens: &'a [Token],
}

impl Index<'_> {
    /// The token that begins at a byte.
    fn at(&self, byte: u32) -> Option<usize> {
        self.tokens.binary_search_by_key(&byte, |token| token.start).ok()
    }

    /// The first token that begins at a byte or later.
    fn from(&self, byte: u32) -> Option<usize> {
        let at = self.tokens.partition_point(|token| token.start < byte);
        (at < self.tokens.len()).then_some(at)
    }

    /// The first token of a kind at `from` or later.
    fn next_of(&self, from: Option<usize>, kind: TokenKind) -> Option<usize> {
        let from = from?;
        self.tokens[from..].iter().position(|token| token.kind == kind).map(|ahead| from + ahead)
    }

    /// The `:` directly inside of a bracket.
    fn colon_inside(&self, bracket: usize) -> Option<usize> {
        let end = self.tokens[bracket].partner as usize;
        let mut at = bracket + 1;
        while at < end.min(self.tokens.len()) {
            let token = self.tokens[at];
            match token.kind {
                TokenKind::Colon => return Some(at),
                TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace
                    if token.partner != NO_PARTNER && token.partner as usize > at =>
                {
                    at = token.partner as usize;
                }
                // The `:` of a conditional belongs to it.
                TokenKind::Question if token.partner != NO_PARTNER => at = token.partner as usize,
                _ => {}
            }
            at += 1;
        }
        None
    }
}
