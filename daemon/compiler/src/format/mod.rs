//! The canonical style of a source text.
//!
//! Line ends stay where the author put them, since they may end statements; everything else between two tokens
//! is decided here: indentation by four spaces for each level, one space or none, at most one empty line, no
//! blanks at line ends, `\n` as line end, one at the end of the file. Comments stay, each with the token that it
//! stood before or behind. No token is added, removed or changed, and formatting twice changes nothing more.
mod gaps; // what stands between two tokens
mod roles; // what a token means, as the tree knows it
mod spacing; // one space or none

#[cfg(test)]
mod tests;

use crate::base::{Diagnostic, SourceFile};
use crate::syntax::lexer::{Lexed, lex};
use crate::syntax::parser::parse_text;
use crate::syntax::token::{Token, TokenKind};
use gaps::Gap;
use roles::{Role, Roles};

/// Columns of one level.
const LEVEL: usize = 4;

/// Why a text was not formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// It has syntax errors; formatting around them could lose what was meant.
    Syntax(Vec<Diagnostic>),
    /// The result would have had other tokens or comments at this byte of the text: a mistake of the formatter.
    Unsafe(usize),
}

/// Lines from the first to the last, both included, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRange {
    /// First.
    pub first: u32,
    /// Last.
    pub last: u32,
}

/// The text in canonical style; of `range`, if one is given, and the rest as it was. `file` only names the text in
/// diagnostics. Takes time and memory in proportion to the text.
///
/// # Errors
/// [`FormatError::Syntax`] if the text does not parse.
pub fn format_text(file: SourceFile, text: &str, range: Option<LineRange>) -> Result<String, FormatError> {
    let parsed = parse_text(file, text);
    let errors: Vec<Diagnostic> = parsed
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == crate::base::diagnostic::Severity::Error)
        .cloned()
        .collect();
    if !errors.is_empty() {
        return Err(FormatError::Syntax(errors));
    }
    let lexed = lex(file, text);
    let roles = Roles::new(&parsed.tree, &lexed.tokens);
    let mut printer = Printer::new(text, &lexed.tokens, &roles);
    let out = printer.print(range);
    match first_difference(text, &lexed, &out, &lex(file, &out)) {
        None => Ok(out),
        Some(at) => Err(FormatError::Unsafe(at)),
    }
}

/// Where two texts differ in tokens, in which of them begin lines, or in comments: a byte of the first.
fn first_difference(before: &str, old: &Lexed, after: &str, new: &Lexed) -> Option<usize> {
    let old_gaps = gaps::all(before, &old.tokens);
    let new_gaps = gaps::all(after, &new.tokens);
    for (at, token) in old.tokens.iter().enumerate() {
        let same = new.tokens.get(at).is_some_and(|other| {
            let line_ends = token.newline == other.newline || token.kind == TokenKind::Eof || at == 0;
            token.kind == other.kind
                && line_ends
                && before.get(token.start as usize..token.end as usize)
                    == after.get(other.start as usize..other.end as usize)
                && gaps::same_comments(&old_gaps[at], &new_gaps[at])
        });
        if !same {
            return Some(token.start as usize);
        }
    }
    (old.tokens.len() != new.tokens.len()).then_some(before.len())
}

struct Printer<'a> {
    text: &'a str,
    tokens: &'a [Token],
    roles: &'a Roles,
    /// For each open bracket, the indentation of the line that its construct begins on.
    open: Vec<usize>,
    /// For each token so far, the indentation of its line.
    indents: Vec<usize>,
    /// Whether the current line goes on with what the line before began.
    continued: bool,
}

impl<'a> Printer<'a> {
    fn new(text: &'a str, tokens: &'a [Token], roles: &'a Roles) -> Self {
        let indents = Vec::with_capacity(tokens.len());
        Self { text, tokens, roles, open: Vec::new(), indents, continued: false }
    }

    /// Goes through the gaps in order; those outside of the range stay as they are.
    fn print(&mut self, range: Option<LineRange>) -> String {
        let mut out = String::with_capacity(self.text.len() + self.text.len() / 8);
        let mut done = 0;
        let mut line = 1;
        for (at, gap) in gaps::all(self.text, self.tokens).iter().enumerate() {
            let token = self.tokens[at];
            let source = &self.text[done..token.start as usize];
            let start_line = line;
            line += source.matches('\n').count() as u32;
            let fresh = self.gap(at, gap);
            let chosen = range.is_none_or(|range| start_line <= range.last && line >= range.first);
            out.push_str(if chosen { &fresh } else { source });
            let spelling = &self.text[token.start as usize..token.end as usize];
            out.push_str(spelling);
            line += spelling.matches('\n').count() as u32;
            done = token.end as usize;
            self.pass(at);
        }
        out
    }

    /// Where the contents of the innermost bracket stand.
    fn content(&self) -> usize {
        self.open.last().map_or(0, |outer| outer + LEVEL)
    }

    /// What stands before token `at` in canonical style.
    fn gap(&mut self, at: usize, gap: &Gap<'_>) -> String {
        let token = self.tokens[at];
        let previous = at.checked_sub(1).map(|before| self.tokens[before]);
        let mut indent = self.indents.last().copied().unwrap_or(0);
        // Where comments on lines of their own stand.
        let mut margin = self.content();
        if gap.line_end || gap.comments.iter().any(|comment| comment.own_line) || previous.is_none() {
            let closing = matches!(token.kind, TokenKind::RBrace | TokenKind::RBracket | TokenKind::RParen);
            let continued = !closing && self.continues(at);
            if gap.line_end || previous.is_none() {
                self.continued = continued;
                indent = match self.open.last() {
                    Some(outer) if closing => *outer,
                    _ if continued => self.content() + LEVEL,
                    _ => self.content(),
                };
            }
            if continued {
                margin = self.content() + LEVEL;
            }
        }
        self.indents.push(indent);
        let mut out = String::new();
        if previous.is_none() && self.text.starts_with('\u{feff}') {
            out.push('\u{feff}');
        }
        let after_opening = previous
            .is_none_or(|p| matches!(p.kind, TokenKind::LBrace | TokenKind::LBracket | TokenKind::LParen));
        let mut begun = previous.is_some();
        let mut first = true;
        for comment in &gap.comments {
            if begun && (comment.own_line || previous.is_none()) {
                new_line(&mut out, comment.blank_before && !(first && after_opening), margin);
            } else if begun {
                out.push(' ');
            }
            out.push_str(comment.text);
            begun = true;
            first &= !comment.own_line && previous.is_some();
        }
        let before_closing = matches!(
            token.kind,
            TokenKind::RBrace | TokenKind::RBracket | TokenKind::RParen | TokenKind::Eof
        );
        if token.kind == TokenKind::Eof {
            if begun {
                out.push('\n');
            }
        } else if gap.line_end && begun {
            let opening = first && after_opening;
            new_line(&mut out, gap.blank_before_token && !opening && !before_closing, indent);
        } else if !gap.comments.is_empty() {
            out.push(' ');
        } else if let Some(previous) = previous
            && (spacing::spaced(self.text, self.roles, at, previous, token)
                || spacing::would_join(self.text, previous, token))
        {
            out.push(' ');
        }
        out
    }

    /// Whether a line that begins with token `at` goes on with what the line before began.
    fn continues(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        let (previous, token) = (self.tokens[before], self.tokens[at]);
        let leads = match token.kind {
            TokenKind::And
            | TokenKind::Or
            | TokenKind::As
            | TokenKind::Dot
            | TokenKind::QuestionQuestion
            | TokenKind::Arrow
            | TokenKind::Eq => true,
            TokenKind::Ident => self.word(token) == "is",
            TokenKind::Pipe => self.roles.of(at) != Role::LambdaOpen,
            TokenKind::Eof => false,
            _ => self.roles.of(at) == Role::Infix,
        };
        let trails = match previous.kind {
            TokenKind::And
            | TokenKind::Or
            | TokenKind::Not
            | TokenKind::As
            | TokenKind::In
            | TokenKind::Give
            | TokenKind::Arrow
            | TokenKind::FatArrow
            | TokenKind::QuestionQuestion
            | TokenKind::Colon => true,
            // `export a,` and its like go on; inside brackets commas separate.
            TokenKind::Comma => self.open.is_empty(),
            kind if spacing::assigns(kind) => true,
            _ => self.roles.of(before) == Role::Infix,
        };
        let separated = matches!(
            previous.kind,
            TokenKind::Comma | TokenKind::Semi | TokenKind::LBrace | TokenKind::LBracket | TokenKind::LParen
        );
        (leads && !separated)
            || trails
                && token.kind != TokenKind::Eof
                && !(previous.kind == TokenKind::Give && self.stands_alone(at))
    }

    /// Whether a line that follows a bare `give` begins something else.
    fn stands_alone(&self, at: usize) -> bool {
        matches!(self.tokens[at].kind, TokenKind::RBrace | TokenKind::Semi | TokenKind::Eof)
    }

    fn word(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// Notes what token `at` opens or closes.
    fn pass(&mut self, at: usize) {
        match self.tokens[at].kind {
            TokenKind::LParen | TokenKind::LBracket => self.open.push(self.indents[at]),
            TokenKind::LBrace => {
                let indent = match self.roles.owner(at) {
                    Some(owner) if owner <= at => self.indents[owner],
                    _ if self.continued => self.content(),
                    _ => self.indents[at],
                };
                self.open.push(indent);
            }
            TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => {
                self.open.pop();
            }
            _ => {}
        }
    }
}

fn new_line(out: &mut String, blank: bool, indent: usize) {
    out.push('\n');
    if blank {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n(' ', indent));
}
