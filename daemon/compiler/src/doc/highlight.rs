//! Vitte in colours: tokens and comments of a text as HTML, with links where names lead somewhere.
use std::fmt::Write;

use crate::base::SourceFile;
use crate::syntax::lexer::lex;
use crate::syntax::token::TokenKind;

/// Text as HTML shows it, also inside of attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Words that are keywords only where they begin a construct, and look like keywords in a page.
const WORDS: [&str; 34] = [
    "space", "export", "share", "form", "set", "match", "case", "mut", "ref", "loop", "break", "continue",
    "select", "when", "with", "defer", "try", "assert", "panic", "unsafe", "static", "type", "opaque",
    "extern", "trait", "impl", "move", "pub", "where", "operator", "dyn", "self", "test", "bench",
];

/// The class of a token's colour; `None` for the plain ones.
fn class(kind: TokenKind, text: &str) -> Option<&'static str> {
    match kind {
        TokenKind::Str | TokenKind::RawStr | TokenKind::ByteStr | TokenKind::Char => Some("s"),
        TokenKind::Int | TokenKind::Float | TokenKind::True | TokenKind::False => Some("n"),
        TokenKind::Ident if WORDS.contains(&text) => Some("k"),
        TokenKind::Ident if text.starts_with(|c: char| c.is_uppercase()) => Some("t"),
        kind if kind.is_keyword() => Some("k"),
        _ => None,
    }
}

/// `text` as HTML. `link` gives the address that a name leads to.
pub(super) fn code(file: SourceFile, text: &str, link: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for token in lex(file, text).tokens {
        between(&mut out, text.get(at..token.start as usize).unwrap_or_default());
        let word = text.get(token.start as usize..token.end as usize).unwrap_or_default();
        at = token.end as usize;
        let shown = escaped(word);
        let linked = if token.kind == TokenKind::Ident { link(word) } else { None };
        let _ = match (linked, class(token.kind, word)) {
            (Some(address), _) => write!(out, "<a href=\"{}\">{shown}</a>", escaped(&address)),
            (None, Some(class)) => spanned(&mut out, class, &shown),
            (None, None) => write!(out, "{shown}"),
        };
    }
    between(&mut out, text.get(at..).unwrap_or_default());
    out
}

/// Blanks and comments.
fn between(out: &mut String, text: &str) {
    let comment = text.trim();
    if comment.is_empty() {
        out.push_str(text);
        return;
    }
    let start = text.len() - text.trim_start().len();
    out.push_str(&text[..start]);
    let _ = spanned(out, "c", &escaped(comment));
    out.push_str(&text[start + comment.len()..]);
}

/// A coloured piece; one that spans lines is closed and opened at their ends, so that each line stands alone.
fn spanned(out: &mut String, class: &str, shown: &str) -> std::fmt::Result {
    for (index, line) in shown.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        write!(out, "<span class=\"{class}\">{line}</span>")?;
    }
    Ok(())
}
