//! Leaves out what is only said because something else is broken.
use std::collections::{HashMap, HashSet};

use super::codes::UNKNOWN_MEMBER;
use super::program::place_span;
use crate::base::diagnostic::LabelKind;
use crate::base::{Db, Diagnostic, FileContents, Phase, Place, SourceFile};
use crate::lower::codes::NOT_SUPPORTED_YET;
use crate::syntax::parse;

/// Drops what later stages say about lines that the parser could not read, or that hold something not
/// supported yet: there they judge what the recovery made of the text and not what the user wrote. A
/// line counts if the diagnostic stands on it or names it as a cause.
pub(super) fn without_follow_ups(db: &dyn Db, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut lines = Lines::default();
    let mut broken: HashSet<(SourceFile, usize)> = HashSet::new();
    let mut unread: Vec<(SourceFile, u32)> = Vec::new();
    for cause in diagnostics.iter().filter(|diagnostic| is_cause(diagnostic)) {
        if let Some(label) = cause.labels.first() {
            broken.insert(lines.of(db, label.place));
            let (file, span) = place_span(db, label.place);
            if cause.code != NOT_SUPPORTED_YET {
                unread.push((file, span.start));
            }
        }
    }
    // Without its methods a type lacks members wherever it is used.
    let no_methods = diagnostics.iter().any(|diagnostic| {
        diagnostic.code == NOT_SUPPORTED_YET && diagnostic.message.ends_with("`impl` blocks")
    });
    if broken.is_empty() {
        return diagnostics;
    }
    let mut kept = diagnostics;
    kept.retain(|diagnostic| {
        if no_methods && diagnostic.code == UNKNOWN_MEMBER
            || is_lost_name(db, diagnostic)
            || judges_a_broken_body(db, diagnostic, &unread)
        {
            return false;
        }
        is_cause(diagnostic)
            || matches!(diagnostic.phase, Phase::Lexer | Phase::Parser)
            || !diagnostic.labels.iter().any(|label| broken.contains(&lines.of(db, label.place)))
    });
    kept
}

/// Whether a name is unknown where the parser lost names: anywhere in a file that has a declaration it
/// could not read, and in an item behind a binding it could not read.
fn is_lost_name(db: &dyn Db, diagnostic: &Diagnostic) -> bool {
    if !matches!(diagnostic.code.code, "SEM0025" | "SEM0028" | "TYP0249") {
        return false;
    }
    let Some(label) = diagnostic.labels.first() else { return false };
    let (file, span) = place_span(db, label.place);
    let tree = &parse(db, file).tree;
    let in_one_item = |binding: u32| {
        let mut items = tree.items.iter().map(|item| item.span);
        items.any(|item| (item.start..=span.start).contains(&binding) && span.start < item.end)
    };
    tree.lost_items || tree.lost_bindings.iter().any(|&binding| in_one_item(binding))
}

/// Whether something is said to be missing from a body of which the parser has lost a part: an arm, a
/// `give` or an assignment.
fn judges_a_broken_body(db: &dyn Db, diagnostic: &Diagnostic, unread: &[(SourceFile, u32)]) -> bool {
    if !matches!(diagnostic.code.code, "TYP0242" | "TYP0251" | "TYP0920") {
        return false;
    }
    let Some(label) = diagnostic.labels.first() else { return false };
    let (file, span) = place_span(db, label.place);
    let items = &parse(db, file).tree.items;
    let Some(item) =
        items.iter().map(|item| item.span).find(|item| item.start <= span.start && span.start < item.end)
    else {
        return false;
    };
    unread.iter().any(|&(broken, byte)| broken == file && (item.start..=item.end).contains(&byte))
}

fn is_cause(diagnostic: &Diagnostic) -> bool {
    let unread = matches!(diagnostic.phase, Phase::Lexer | Phase::Parser) && diagnostic.is_error();
    let primary = diagnostic.labels.first().is_some_and(|label| label.kind == LabelKind::Primary);
    primary && (unread || diagnostic.code == NOT_SUPPORTED_YET)
}

/// Where the lines of the files start that were asked about.
#[derive(Default)]
struct Lines {
    starts: HashMap<SourceFile, Vec<u32>>,
}

impl Lines {
    /// The file and the line in which a place begins.
    fn of(&mut self, db: &dyn Db, place: Place) -> (SourceFile, usize) {
        let (file, span) = place_span(db, place);
        let starts = self.starts.entry(file).or_insert_with(|| match file.contents(db) {
            FileContents::Text(text) => text.match_indices('\n').map(|(at, _)| at as u32 + 1).collect(),
            FileContents::Missing
            | FileContents::Folder
            | FileContents::NotUtf8(_)
            | FileContents::Unreadable(_) => Vec::new(),
        });
        (file, starts.partition_point(|&start| start <= span.start))
    }
}
