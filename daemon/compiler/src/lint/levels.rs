//! Levels that a source text sets: `#![allow(shadowed_name)]` for a file, `#[deny(SEM0920)]` or
//! `@warn(lints)` for an item and all that is in it.
use std::sync::Arc;

use super::{GROUP, WARNINGS, is_on_demand, text_of};
use crate::base::{Code, Db, Severity, SourceFile, Span};
use crate::explain;
use crate::syntax::{ast, parse};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Do not show.
    Allow,
    /// Show as a warning.
    Warn,
    /// Make it an error.
    Deny,
}

impl Level {
    /// Of an attribute's name.
    pub fn of(attribute: &str) -> Option<Self> {
        match attribute {
            "allow" => Some(Self::Allow),
            "warn" => Some(Self::Warn),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}

/// The levels that a file's attributes set, outer ones before inner ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    scopes: Vec<(Span, Level, String)>,
}

impl Levels {
    /// Whether no attribute sets anything.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// What is set for `code` at a byte of the file, where it is of this severity by default: the innermost
    /// attribute decides, and the last of several on one item.
    pub fn at(&self, byte: u32, code: Code, severity: Severity) -> Option<Level> {
        let here = self.scopes.iter().filter(|(span, ..)| span.start <= byte && byte < span.end.max(1));
        let concerning = here.filter(|(_, _, name)| concerns(name, code, severity));
        concerning.map(|&(_, level, _)| level).next_back()
    }

    /// Whether something is asked for that is looked for on demand only.
    pub fn switches_on_demand(&self) -> bool {
        self.scopes.iter().any(|(_, level, name)| *level != Level::Allow && is_on_demand(name))
    }
}

/// Whether a setting called `name` is about `code`, which is of this severity by default. The check for moves has
/// two codes and one switch.
pub fn concerns(name: &str, code: Code, severity: Severity) -> bool {
    const MOVED_TWICE: &str = "BOR0010";
    const USE_AFTER_MOVE: Code = Code { code: "BOR0020", key: "BORROWCK_E_USE_AFTER_MOVE" };
    (name == WARNINGS && severity == Severity::Warning)
        || (name == GROUP && severity == Severity::Lint)
        || explain::is_called(code, name)
        || (code.code == MOVED_TWICE && explain::is_called(USE_AFTER_MOVE, name))
}

/// The levels that the attributes of a file set.
#[salsa::tracked(returns(ref))]
pub fn levels(db: &dyn Db, file: SourceFile) -> Arc<Levels> {
    let parsed = parse(db, file);
    let mut levels = Levels::default();
    let text = text_of(db, file);
    let whole = Span::new(0, u32::MAX);
    levels.add(&text, whole, &parsed.tree.attrs);
    for item in &parsed.tree.items {
        levels.add(&text, item.span, &item.attrs);
        let members: &[ast::Member] = match &item.kind {
            ast::ItemKind::Impl(block) => &block.members,
            ast::ItemKind::Trait(block) => &block.members,
            ast::ItemKind::Form(form) => &form.members,
            _ => &[],
        };
        for member in members {
            levels.add(&text, member.span, &member.attrs);
        }
    }
    Arc::new(levels)
}

impl Levels {
    fn add(&mut self, text: &str, scope: Span, attrs: &[ast::Attr]) {
        for attr in attrs {
            let Some(level) = Level::of(&attr.name.name) else { continue };
            self.scopes.extend(arguments(text, attr).map(|(name, _)| (scope, level, name.to_owned())));
        }
    }
}

/// The words in the parentheses of an attribute, with their places.
pub fn arguments<'t>(text: &'t str, attr: &ast::Attr) -> impl Iterator<Item = (&'t str, Span)> {
    let start = attr.name.span.end;
    let rest = text.get(start as usize..attr.span.end as usize).unwrap_or_default();
    let open = rest.find('(').map_or(rest.len(), |at| at + 1);
    let close = rest.rfind(')').filter(|&at| at >= open).unwrap_or(open);
    let inside = rest.get(open..close).unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut words = Vec::new();
    let mut from = None;
    for (at, c) in inside.char_indices().chain([(inside.len(), ' ')]) {
        match (is_word(c), from) {
            (true, None) => from = Some(at),
            (false, Some(begin)) => {
                let base = start + open as u32;
                words.push((&inside[begin..at], Span::new(base + begin as u32, base + at as u32)));
                from = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    words.into_iter()
}
