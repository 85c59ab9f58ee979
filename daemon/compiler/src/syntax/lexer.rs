//! Text to tokens. Never fails: what is no token becomes an [`TokenKind::Error`] token with a diagnostic.
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::codes;
use super::literal::{self, NUMBER_SUFFIXES};
use super::token::{NO_PARTNER, Token, TokenKind};
use crate::base::{Applicability, Diagnostic, Name, Phase, Place, SourceFile, Span};

/// What the lexer makes of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexed {
    /// The tokens; the last one is [`TokenKind::Eof`].
    pub tokens: Vec<Token>,
    /// `///` comments: index of the token that follows, and the span. In source order.
    pub docs: Vec<(u32, Span)>,
    /// What was wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Lexes a whole text. Linear time; allocates only for diagnostics and the two lists.
pub fn lex(file: SourceFile, text: &str) -> Lexed {
    let mut lexer = Lexer {
        file,
        text,
        bytes: text.as_bytes(),
        pos: 0,
        newline: false,
        out: Lexed { tokens: Vec::with_capacity(text.len() / 4 + 1), ..Lexed::default() },
    };
    if text.starts_with('\u{feff}') {
        lexer.pos = '\u{feff}'.len_utf8();
    }
    lexer.run();
    pair_up(&mut lexer.out.tokens);
    lexer.out
}

/// The name that an identifier token stands for: its text in Normalization Form C.
pub fn name_of(text: &str) -> Name {
    if text.is_ascii() || is_nfc(text) { Name::new(text) } else { text.nfc().collect() }
}

struct Lexer<'a> {
    file: SourceFile,
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    newline: bool,
    out: Lexed,
}

impl Lexer<'_> {
    fn run(&mut self) {
        loop {
            self.skip_trivia();
            let start = self.pos;
            let Some(&first) = self.bytes.get(start) else {
                self.push(TokenKind::Eof, start);
                return;
            };
            let kind = self.token(first);
            debug_assert!(self.pos > start, "the lexer always advances");
            self.push(kind, start);
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        let newline = std::mem::take(&mut self.newline);
        let (start, end) = (start as u32, self.pos as u32);
        self.out.tokens.push(Token { start, end, partner: NO_PARTNER, kind, newline });
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Place::File(self.file, Span::new(start as u32, end as u32))
    }

    fn error(
        &self,
        code: crate::base::Code,
        start: usize,
        end: usize,
        message: String,
        label: &str,
    ) -> Diagnostic {
        Diagnostic::error(code, Phase::Lexer, self.place(start, end), message, label)
    }

    /// Skips blanks and comments; remembers line ends and doc comments.
    fn skip_trivia(&mut self) {
        loop {
            match self.peek(0) {
                b'\n' => {
                    self.newline = true;
                    self.pos += 1;
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.pos += 1,
                b'/' if self.peek(1) == b'/' => {
                    let start = self.pos;
                    self.skip_line();
                    if self.text[start..self.pos].starts_with("///") {
                        let next = self.out.tokens.len() as u32;
                        self.out.docs.push((next, Span::new(start as u32, self.pos as u32)));
                    }
                }
                b'/' if self.peek(1) == b'*' => self.skip_block("*/", 2),
                b'<' if self.bytes[self.pos..].starts_with(b"<<<") => self.skip_block(">>>", 3),
                b'#' if self.peek(1) != b'[' && !(self.peek(1) == b'!' && self.peek(2) == b'[') => {
                    self.skip_line()
                }
                0xc2.. => match self.text[self.pos..].chars().next() {
                    Some(c) if c.is_whitespace() || c == '\u{feff}' => {
                        self.newline |= matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}');
                        self.pos += c.len_utf8();
                    }
                    _ => return,
                },
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.pos..];
        self.pos += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    }

    fn skip_block(&mut self, close: &str, open_len: usize) {
        let start = self.pos;
        let body = &self.text[start + open_len..];
        let len = body.find(close);
        self.pos = len.map_or(self.text.len(), |n| start + open_len + n + close.len());
        self.newline |= self.bytes[start..self.pos].contains(&b'\n');
        if len.is_none() {
            let zone = open_len == 3;
            let (code, what) = if zone {
                (codes::UNTERMINATED_ZONE, "zone comment")
            } else {
                (codes::UNTERMINATED_COMMENT, "block comment")
            };
            let diagnostic = self
                .error(
                    code,
                    start,
                    start + open_len,
                    format!("unterminated {what}"),
                    "opened here, never closed",
                )
                .note("the comment reaches to the end of the file; comments of this form do not nest")
                .help(format!("close it with `{close}`"));
            self.report(diagnostic);
        }
    }

    fn token(&mut self, first: u8) -> TokenKind {
        match first {
            b'r' if self.peek(1) == b'"' => self.raw_string(2, "\""),
            b'b' if self.peek(1) == b'"' => self.string(1, TokenKind::ByteStr),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b'"' if self.bytes[self.pos..].starts_with(b"\"\"\"") => self.raw_string(3, "\"\"\""),
            b'"' => self.string(0, TokenKind::Str),
            b'\'' => self.character(),
            0x80.. => self.unicode(),
            _ => self.punctuation(first),
        }
    }

    fn word(&mut self) -> TokenKind {
        let start = self.pos;
        while let Some(&b) = self.bytes.get(self.pos) {
            if b.is_ascii_alphanumeric() || b == b'_' {
                self.pos += 1;
            } else if b < 0x80 {
                break;
            } else {
                match self.text[self.pos..].chars().next() {
                    Some(c) if unicode_ident::is_xid_continue(c) => self.pos += c.len_utf8(),
                    _ => break,
                }
            }
        }
        TokenKind::keyword(&self.text[start..self.pos]).unwrap_or(TokenKind::Ident)
    }

    fn unicode(&mut self) -> TokenKind {
        match self.text[self.pos..].chars().next() {
            Some(c) if unicode_ident::is_xid_start(c) => self.word(),
            _ => self.invalid(),
        }
    }

    /// A run of characters that no token starts with: one diagnostic.
    fn invalid(&mut self) -> TokenKind {
        let start = self.pos;
        for c in self.text[start..].chars() {
            let ours = c.is_ascii_graphic() && !matches!(c, '$' | '`' | '\\');
            if ours || c.is_whitespace() || unicode_ident::is_xid_start(c) {
                break;
            }
            self.pos += c.len_utf8();
        }
        let run = &self.text[start..self.pos];
        let shown: String = run.chars().take(8).flat_map(char::escape_debug).collect();
        let (plural, it) = if run.chars().count() == 1 { ("", "it") } else { ("s", "them") };
        let mut diagnostic = self
            .error(
                codes::INVALID_CHAR,
                start,
                self.pos,
                format!("invalid character{plural} `{shown}`"),
                "no token starts like this",
            )
            .note("outside strings and comments a program consists of names, literals and the operators of the language");
        diagnostic = match look_alike(run) {
            Some(ascii) => diagnostic.suggest(
                self.place(start, self.pos),
                ascii,
                format!("write the ASCII character `{ascii}`"),
                Applicability::MaybeIncorrect,
            ),
            None => diagnostic.help(format!("remove {it}")),
        };
        self.report(diagnostic);
        TokenKind::Error
    }

    fn number(&mut self) -> TokenKind {
        let start = self.pos;
        let after_dot =
            self.out.tokens.last().is_some_and(|t| t.kind == TokenKind::Dot && t.end as usize == start);
        if after_dot {
            // `pair.0.1` is two member accesses, not a float.
            while self.peek(0).is_ascii_digit() {
                self.pos += 1;
            }
            return TokenKind::Int;
        }
        let mut float = false;
        let prefixed = self.peek(0) == b'0' && matches!(self.peek(1) | 0x20, b'x' | b'b' | b'o');
        if prefixed {
            self.pos += 2;
        }
        self.alphanumerics();
        if !prefixed && self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
            float = true;
            self.pos += 1;
            self.alphanumerics();
        }
        let exponent_sign = matches!(self.bytes[self.pos - 1], b'e' | b'E')
            && matches!(self.peek(0), b'+' | b'-')
            && self.peek(1).is_ascii_digit()
            && !prefixed;
        if exponent_sign {
            self.pos += 1;
            self.alphanumerics();
        }
        let token = &self.text[start..self.pos];
        let parts = literal::number_parts(token);
        float |= parts.digits.contains(['.', 'e', 'E']) && parts.radix == 10;
        let problem = if !parts.suffix.is_empty() && !NUMBER_SUFFIXES.contains(&parts.suffix) {
            Some(format!("`{}` is not a number suffix", parts.suffix))
        } else if parts.digits.ends_with('_') || parts.digits.starts_with('_') {
            Some("`_` must stand between digits".to_owned())
        } else if !parts.digits.chars().any(|c| c.is_ascii_hexdigit()) {
            Some("digits are missing after the prefix".to_owned())
        } else if parts.radix < 10 && parts.digits.chars().any(|c| c != '_' && !c.is_digit(parts.radix)) {
            Some(format!("a digit is too large for base {}", parts.radix))
        } else if !float && literal::int_value(token).is_none() {
            Some("the number does not fit 128 bits".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            let diagnostic = self
                .error(codes::INVALID_NUMBER, start, self.pos, format!("invalid number `{token}`"), &problem)
                .note("numbers look like `42`, `1_000`, `0xFF`, `0b101`, `0o17`, `1.5e3`, `10u64`")
                .help("a suffix is the name of a primitive number type; put a blank before anything else");
            self.report(diagnostic);
        }
        if float || parts.suffix.starts_with('f') { TokenKind::Float } else { TokenKind::Int }
    }

    fn alphanumerics(&mut self) {
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
            self.pos += 1;
        }
    }

    /// Runs to the closing quote or the line's end; says whether it found the quote and a backslash.
    fn quoted(&mut self, quote: u8) -> (bool, bool) {
        let mut escapes = false;
        loop {
            match self.bytes.get(self.pos) {
                None | Some(b'\n') => {
                    if self.pos > 0 && self.bytes[self.pos - 1] == b'\r' {
                        self.pos -= 1;
                    }
                    return (false, escapes);
                }
                Some(b'\\') => {
                    escapes = true;
                    let next = self.bytes.get(self.pos + 1);
                    self.pos += if matches!(next, None | Some(b'\n' | b'\r')) { 1 } else { 2 };
                    // The escaped character may be longer than a byte.
                    while !self.text.is_char_boundary(self.pos) {
                        self.pos += 1;
                    }
                }
                Some(&b) => {
                    self.pos += 1;
                    if b == quote {
                        return (true, escapes);
                    }
                }
            }
        }
    }

    fn string(&mut self, prefix: usize, kind: TokenKind) -> TokenKind {
        let start = self.pos;
        self.pos += prefix + 1;
        let (closed, escapes) = self.quoted(b'"');
        if !closed {
            self.unterminated(start, "string", "\"");
        }
        if escapes {
            self.check_escapes(
                start + prefix + 1,
                self.pos - usize::from(closed),
                kind == TokenKind::ByteStr,
            );
        }
        kind
    }

    fn check_escapes(&mut self, start: usize, end: usize, bytes: bool) {
        let mut bad = Vec::new();
        literal::unescape(&self.text[start..end], bytes, &mut |_| {}, &mut |b| bad.push(b));
        for b in bad {
            let (from, to) = (start + b.span.start as usize, start + b.span.end as usize);
            let shown = self.text[from..to].to_owned();
            let diagnostic = self
                .error(
                    codes::INVALID_ESCAPE,
                    from,
                    to,
                    format!("invalid escape sequence `{shown}`"),
                    &b.message,
                )
                .note("escapes are `\\n \\t \\r \\0 \\\\ \\\" \\' \\xHH \\uXXXX \\u{X..X}`")
                .suggest(
                    self.place(from, from + 1),
                    "\\\\",
                    "write a literal backslash",
                    Applicability::MaybeIncorrect,
                );
            self.report(diagnostic);
        }
    }

    fn unterminated(&mut self, start: usize, what: &str, close: &str) {
        let diagnostic = self
            .error(
                codes::UNTERMINATED_STRING,
                start,
                self.pos,
                format!("unterminated {what} literal"),
                &format!("no closing `{close}`"),
            )
            .note(format!("a {what} literal ends on the line it starts on; `\"\"\"` strings may span lines"))
            .suggest(
                self.place(self.pos, self.pos),
                close,
                "close it at the end of the line",
                Applicability::MaybeIncorrect,
            );
        self.report(diagnostic);
    }

    fn raw_string(&mut self, open: usize, close: &str) -> TokenKind {
        let start = self.pos;
        let body = &self.text[start + open..];
        // A one-line raw string stops at its line's end, closed or not.
        let limit = if close.len() == 1 { body.find('\n').unwrap_or(body.len()) } else { body.len() };
        match body[..limit].find(close) {
            Some(n) => self.pos = start + open + n + close.len(),
            None => {
                self.pos = start + open + limit;
                self.unterminated(start, "raw string", close);
            }
        }
        TokenKind::RawStr
    }

    fn character(&mut self) -> TokenKind {
        let start = self.pos;
        self.pos += 1;
        let (closed, escapes) = self.quoted(b'\'');
        if !closed {
            // Do not swallow the rest of the line: a lone quote is more likely a slip than a literal.
            self.pos = start + 1;
            let end = self.text[self.pos..].chars().next().map_or(self.pos, |c| match c {
                '\n' | '\r' => self.pos,
                c => self.pos + c.len_utf8(),
            });
            self.pos = end;
            self.unterminated(start, "character", "'");
            return TokenKind::Char;
        }
        if escapes {
            self.check_escapes(start + 1, self.pos - 1, false);
        }
        let token = &self.text[start..self.pos];
        if literal::char_value(token).is_none() && !escapes {
            let inner = token[1..token.len() - 1].replace('"', "\\\"");
            let diagnostic = self
                .error(
                    codes::CHAR_LENGTH,
                    start,
                    self.pos,
                    "a character literal holds exactly one character".to_owned(),
                    "not one character",
                )
                .note("`'c'` is a `char`: one Unicode scalar value")
                .suggest(
                    self.place(start, self.pos),
                    format!("\"{inner}\""),
                    "a text of any length is a string",
                    Applicability::MaybeIncorrect,
                );
            self.report(diagnostic);
        }
        TokenKind::Char
    }

    fn punctuation(&mut self, first: u8) -> TokenKind {
        use TokenKind as T;
        let (second, third) = (self.peek(1), self.peek(2));
        let (kind, len) = match (first, second, third) {
            (b'.', b'.', b'=') => (T::DotDotEq, 3),
            (b'.', b'.', b'.') => (T::Ellipsis, 3),
            (b'<', b'<', b'=') => (T::ShlEq, 3),
            (b'>', b'>', b'=') => (T::ShrEq, 3),
            (b'=', b'=', _) => (T::EqEq, 2),
            (b'!', b'=', _) => (T::NotEq, 2),
            (b'<', b'=', _) => (T::Le, 2),
            (b'>', b'=', _) => (T::Ge, 2),
            (b'<', b'<', _) => (T::Shl, 2),
            (b'>', b'>', _) => (T::Shr, 2),
            (b'-', b'>', _) => (T::Arrow, 2),
            (b'=', b'>', _) => (T::FatArrow, 2),
            (b'+', b'=', _) => (T::PlusEq, 2),
            (b'-', b'=', _) => (T::MinusEq, 2),
            (b'*', b'=', _) => (T::StarEq, 2),
            (b'/', b'=', _) => (T::SlashEq, 2),
            (b'%', b'=', _) => (T::PercentEq, 2),
            (b'&', b'=', _) => (T::AmpEq, 2),
            (b'|', b'=', _) => (T::PipeEq, 2),
            (b'^', b'=', _) => (T::CaretEq, 2),
            (b'&', b'&', _) => (T::AmpAmp, 2),
            (b'|', b'|', _) => (T::PipePipe, 2),
            (b':', b':', _) => (T::ColonColon, 2),
            (b'.', b'.', _) => (T::DotDot, 2),
            (b'?', b'?', _) => (T::QuestionQuestion, 2),
            (b'(', ..) => (T::LParen, 1),
            (b')', ..) => (T::RParen, 1),
            (b'[', ..) => (T::LBracket, 1),
            (b']', ..) => (T::RBracket, 1),
            (b'{', ..) => (T::LBrace, 1),
            (b'}', ..) => (T::RBrace, 1),
            (b',', ..) => (T::Comma, 1),
            (b';', ..) => (T::Semi, 1),
            (b':', ..) => (T::Colon, 1),
            (b'.', ..) => (T::Dot, 1),
            (b'@', ..) => (T::At, 1),
            (b'#', ..) => (T::Hash, 1),
            (b'?', ..) => (T::Question, 1),
            (b'!', ..) => (T::Bang, 1),
            (b'~', ..) => (T::Tilde, 1),
            (b'+', ..) => (T::Plus, 1),
            (b'-', ..) => (T::Minus, 1),
            (b'*', ..) => (T::Star, 1),
            (b'/', ..) => (T::Slash, 1),
            (b'%', ..) => (T::Percent, 1),
            (b'&', ..) => (T::Amp, 1),
            (b'|', ..) => (T::Pipe, 1),
            (b'^', ..) => (T::Caret, 1),
            (b'<', ..) => (T::Lt, 1),
            (b'>', ..) => (T::Gt, 1),
            (b'=', ..) => (T::Eq, 1),
            _ => return self.invalid(),
        };
        self.pos += len;
        kind
    }
}

/// The ASCII character that a typographic one was probably meant to be.
fn look_alike(run: &str) -> Option<&'static str> {
    Some(match run {
        "\u{201c}" | "\u{201d}" | "\u{201e}" | "\u{ab}" | "\u{bb}" => "\"",
        "\u{2018}" | "\u{2019}" => "'",
        "\u{2013}" | "\u{2014}" | "\u{2212}" => "-",
        "\u{d7}" => "*",
        "\u{f7}" => "/",
        "\u{ff1b}" | "\u{37e}" => ";",
        "\u{ff0c}" => ",",
        "\u{ff08}" => "(",
        "\u{ff09}" => ")",
        _ => return None,
    })
}

/// Pairs brackets, and the `?` of conditionals with their `:`. One pass; a bracket without a partner
/// keeps [`NO_PARTNER`]. Round and square brackets never pair across a brace.
fn pair_up(tokens: &mut [Token]) {
    /// An open bracket and the `?`s seen at its level that still lack their `:`.
    struct Level {
        open: usize,
        questions: std::collections::VecDeque<usize>,
    }
    let mut levels = vec![Level { open: usize::MAX, questions: Default::default() }];
    let mut braces = 0usize;
    for i in 0..tokens.len() {
        let kind = tokens[i].kind;
        let in_lines =
            levels.last().is_none_or(|l| l.open == usize::MAX || tokens[l.open].kind == TokenKind::LBrace);
        if tokens[i].newline
            && in_lines
            && !continues_line(kind)
            && !matches!(kind, TokenKind::Colon | TokenKind::Question)
            && let Some(level) = levels.last_mut()
            && !level.questions.is_empty()
            && (!tokens[i.saturating_sub(1)].kind.leaves_open() || after_postfix_question(tokens, i))
        {
            level.questions.clear();
        }
        match kind {
            TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => {
                braces += usize::from(kind == TokenKind::LBrace);
                levels.push(Level { open: i, questions: Default::default() });
            }
            TokenKind::RParen | TokenKind::RBracket => {
                let want = if kind == TokenKind::RParen { TokenKind::LParen } else { TokenKind::LBracket };
                // A short look down: mixed-up brackets are paired when the right one is near.
                let found = levels
                    .iter()
                    .rev()
                    .take(8)
                    .take_while(|l| l.open != usize::MAX && tokens[l.open].kind != TokenKind::LBrace)
                    .position(|l| tokens[l.open].kind == want);
                if let Some(depth) = found {
                    let keep = levels.len() - depth - 1;
                    let open = levels[keep].open;
                    levels.truncate(keep);
                    tokens[open].partner = i as u32;
                    tokens[i].partner = open as u32;
                }
            }
            TokenKind::RBrace if braces > 0 => {
                while let Some(level) = levels.pop() {
                    if level.open != usize::MAX && tokens[level.open].kind == TokenKind::LBrace {
                        tokens[level.open].partner = i as u32;
                        tokens[i].partner = level.open as u32;
                        break;
                    }
                }
                braces -= 1;
            }
            TokenKind::Question => {
                if let Some(level) = levels.last_mut() {
                    level.questions.push_back(i);
                }
            }
            TokenKind::Colon => {
                if let Some(question) = levels.last_mut().and_then(|l| l.questions.pop_front()) {
                    tokens[question].partner = i as u32;
                }
            }
            TokenKind::Comma | TokenKind::Semi => {
                if let Some(level) = levels.last_mut() {
                    level.questions.clear();
                }
            }
            _ => {}
        }
    }
}

/// Whether the line that begins at `i` is a statement of its own behind a `?` that ends the line before: `f()?` and
/// then `let`. Without this a `:` of that statement would make the `?` one of a conditional.
fn after_postfix_question(tokens: &[Token], i: usize) -> bool {
    use TokenKind as T;
    if i == 0 || tokens[i - 1].kind != T::Question {
        return false;
    }
    match tokens[i].kind {
        T::Let | T::Give | T::If | T::While | T::For | T::Const | T::Use => true,
        // `set x = 1`, `x = 1`, `defer f()`.
        T::Ident => tokens.get(i + 1).is_some_and(|next| {
            !next.newline && matches!(next.kind, T::Ident | T::Eq | T::PlusEq | T::MinusEq | T::LBrace)
        }),
        _ => false,
    }
}

/// Whether a line that begins with this token continues the expression of the line before (§1.2, rule 3).
pub fn continues_line(kind: TokenKind) -> bool {
    use TokenKind as T;
    matches!(
        kind,
        T::And
            | T::Or
            | T::Plus
            | T::Minus
            | T::Star
            | T::Slash
            | T::Percent
            | T::EqEq
            | T::NotEq
            | T::Lt
            | T::Le
            | T::Gt
            | T::Ge
            | T::Pipe
            | T::Amp
            | T::Caret
            | T::Shl
            | T::Shr
            | T::QuestionQuestion
            | T::Dot
            | T::As
            | T::AmpAmp
            | T::PipePipe
    )
}

impl TokenKind {
    /// Whether an expression cannot end after this token, so that it goes on in the next line.
    pub fn leaves_open(self) -> bool {
        continues_line(self)
            || matches!(self, Self::Question | Self::Colon | Self::Eq | Self::Not | Self::Bang)
    }
}
