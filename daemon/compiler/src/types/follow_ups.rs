//! Leaves out what is only said because something else is broken.
use std::collections::{HashMap, HashSet};

use super::codes::UNKNOWN_MEMBER;
use super::program::place_span;
use crate::base::diagnostic::LabelKind;
use crate::base::{Db, Diagnostic, FileContents, Phase, Place, SourceFile};
use crate::lower::codes::NOT_SUPPORTED_YET;

/// Drops what later stages say about lines that the parser could not read, or that hold something not
/// supported yet: there they judge what the recovery made of the text and not what the user wrote. A
/// line counts if the diagnostic stands on it or names it as a cause.
pub(super) fn without_follow_ups(db: &dyn Db, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut lines = Lines::default();
    let mut broken: HashSet<(SourceFile, usize)> = HashSet::new();
    for cause in diagnostics.iter().filter(|diagnostic| is_cause(diagnostic)) {
        if let Some(label) = cause.labels.first() {
            broken.insert(lines.of(db, label.place));
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
        if no_methods && diagnostic.code == UNKNOWN_MEMBER {
            return false;
        }
        is_cause(diagnostic)
            || matches!(diagnostic.phase, Phase::Lexer | Phase::Parser)
            || !diagnostic.labels.iter().any(|label| broken.contains(&lines.of(db, label.place)))
    });
    kept
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
            FileContents::Missing | FileContents::NotUtf8(_) | FileContents::Unreadable(_) => Vec::new(),
        });
        (file, starts.partition_point(|&start| start <= span.start))
    }
}
