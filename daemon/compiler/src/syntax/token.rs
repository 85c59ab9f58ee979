//! What a source text consists of.
use crate::base::Span;

/// Kind of a token. Contextual keywords are [`TokenKind::Ident`]; only the text tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it; `TokenKind::text` has the spelling")]
pub enum TokenKind {
    Eof,
    /// Characters that form no token; the lexer has reported them.
    Error,
    Ident,
    Int,
    Float,
    /// `"..."`
    Str,
    /// `r"..."`, `"""..."""`
    RawStr,
    /// `b"..."`
    ByteStr,
    /// `'c'`
    Char,
    // Hard keywords.
    Use,
    Const,
    Proc,
    Pick,
    Let,
    Give,
    If,
    Elif,
    Else,
    While,
    For,
    In,
    And,
    Or,
    Not,
    As,
    True,
    False,
    // Brackets.
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    // Punctuation.
    Comma,
    Semi,
    Colon,
    ColonColon,
    Dot,
    DotDot,
    DotDotEq,
    /// `...`
    Ellipsis,
    Arrow,
    FatArrow,
    At,
    Hash,
    Question,
    QuestionQuestion,
    Bang,
    Tilde,
    // Operators.
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Amp,
    AmpAmp,
    Pipe,
    PipePipe,
    Caret,
    Shl,
    Shr,
    Lt,
    Le,
    Gt,
    Ge,
    EqEq,
    NotEq,
    Eq,
    PlusEq,
    MinusEq,
    StarEq,
    SlashEq,
    PercentEq,
    AmpEq,
    PipeEq,
    CaretEq,
    ShlEq,
    ShrEq,
}

impl TokenKind {
    /// The keyword that `word` is, if it is a hard one.
    pub fn keyword(word: &str) -> Option<Self> {
        Some(match word {
            "use" => Self::Use,
            "const" => Self::Const,
            "proc" => Self::Proc,
            "pick" => Self::Pick,
            "let" => Self::Let,
            "give" => Self::Give,
            "if" => Self::If,
            "elif" => Self::Elif,
            "else" => Self::Else,
            "while" => Self::While,
            "for" => Self::For,
            "in" => Self::In,
            "and" => Self::And,
            "or" => Self::Or,
            "not" => Self::Not,
            "as" => Self::As,
            "true" => Self::True,
            "false" => Self::False,
            _ => return None,
        })
    }

    /// Whether it is a hard keyword.
    pub fn is_keyword(self) -> bool {
        (Self::Use as u8..=Self::False as u8).contains(&(self as u8))
    }

    /// The one spelling of a keyword or punctuation mark, or a word for a class of tokens.
    pub fn text(self) -> &'static str {
        match self {
            Self::Eof => "end of file",
            Self::Error => "invalid text",
            Self::Ident => "identifier",
            Self::Int => "integer",
            Self::Float => "float",
            Self::Str => "string",
            Self::RawStr => "raw string",
            Self::ByteStr => "byte string",
            Self::Char => "character",
            Self::Use => "use",
            Self::Const => "const",
            Self::Proc => "proc",
            Self::Pick => "pick",
            Self::Let => "let",
            Self::Give => "give",
            Self::If => "if",
            Self::Elif => "elif",
            Self::Else => "else",
            Self::While => "while",
            Self::For => "for",
            Self::In => "in",
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::As => "as",
            Self::True => "true",
            Self::False => "false",
            Self::LParen => "(",
            Self::RParen => ")",
            Self::LBracket => "[",
            Self::RBracket => "]",
            Self::LBrace => "{",
            Self::RBrace => "}",
            Self::Comma => ",",
            Self::Semi => ";",
            Self::Colon => ":",
            Self::ColonColon => "::",
            Self::Dot => ".",
            Self::DotDot => "..",
            Self::DotDotEq => "..=",
            Self::Ellipsis => "...",
            Self::Arrow => "->",
            Self::FatArrow => "=>",
            Self::At => "@",
            Self::Hash => "#",
            Self::Question => "?",
            Self::QuestionQuestion => "??",
            Self::Bang => "!",
            Self::Tilde => "~",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Star => "*",
            Self::Slash => "/",
            Self::Percent => "%",
            Self::Amp => "&",
            Self::AmpAmp => "&&",
            Self::Pipe => "|",
            Self::PipePipe => "||",
            Self::Caret => "^",
            Self::Shl => "<<",
            Self::Shr => ">>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::EqEq => "==",
            Self::NotEq => "!=",
            Self::Eq => "=",
            Self::PlusEq => "+=",
            Self::MinusEq => "-=",
            Self::StarEq => "*=",
            Self::SlashEq => "/=",
            Self::PercentEq => "%=",
            Self::AmpEq => "&=",
            Self::PipeEq => "|=",
            Self::CaretEq => "^=",
            Self::ShlEq => "<<=",
            Self::ShrEq => ">>=",
        }
    }
}

/// "No partner" in [`Token::partner`].
pub const NO_PARTNER: u32 = u32::MAX;

/// One token. 16 bytes, no text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Index of the matching bracket, or of the `:` of a conditional `?`; else [`NO_PARTNER`].
    pub partner: u32,
    /// What it is.
    pub kind: TokenKind,
    /// Whether a line end stands between the token before and this one.
    pub newline: bool,
}

impl Token {
    /// Its byte range.
    pub fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }
}
