//! What stands between two tokens: line ends and comments.
use crate::syntax::token::Token;

/// What stands before a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gap<'a> {
    /// In source order.
    pub comments: Vec<Comment<'a>>,
    /// Whether a line ends between what is before the token and the token.
    pub line_end: bool,
    /// Whether an empty line stands directly before the token.
    pub blank_before_token: bool,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment<'a> {
    /// As written, without blanks at its end.
    pub text: &'a str,
    /// Whether a line ends before it.
    pub own_line: bool,
    /// Whether an empty line stands before it.
    pub blank_before: bool,
}

/// The gaps before each token.
pub(super) fn all<'a>(text: &'a str, tokens: &[Token]) -> Vec<Gap<'a>> {
    let mut from = 0;
    tokens
        .iter()
        .map(|token| {
            let gap = gap(&text[from..token.start as usize]);
            from = token.end as usize;
            gap
        })
        .collect()
}

/// Whether two gaps have the same comments, but for blanks at line ends.
pub(super) fn same_comments(left: &Gap<'_>, right: &Gap<'_>) -> bool {
    left.comments.len() == right.comments.len()
        && left.comments.iter().zip(&right.comments).all(|(a, b)| a.text == b.text)
}

/// Takes a gap apart by the rules of the lexer.
fn gap(text: &str) -> Gap<'_> {
    let mut gap = Gap::default();
    let mut rest = text;
    let mut ends = 0;
    while let Some(first) = rest.chars().next() {
        let comment = if rest.starts_with("//") || first == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(inside) = rest.strip_prefix("/*") {
            inside.find("*/").map_or(rest.len(), |end| end + 4)
        } else if let Some(inside) = rest.strip_prefix("<<<") {
            inside.find(">>>").map_or(rest.len(), |end| end + 6)
        } else {
            if matches!(first, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}') {
                ends += 1;
            }
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let (own, after) = rest.split_at(comment);
        gap.comments.push(Comment { text: own.trim_end(), own_line: ends > 0, blank_before: ends > 1 });
        gap.line_end |= ends > 0 || own.contains('\n');
        ends = 0;
        rest = after;
    }
    // A line end inside of a comment counts for the lexer, but the token does not begin a line by it.
    let directly = ends > 0;
    gap.blank_before_token = ends > 1;
    gap.line_end = directly;
    gap
}
