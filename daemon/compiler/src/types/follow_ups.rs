//! Leaves out what is only said because something else is broken.
use std::collections::{HashMap, HashSet};

use super::codes::UNKNOWN_MEMBER;
use super::program::place_span;
use crate::base::diagnostic::LabelKind;
use crate::base::{Db, Diagnostic, FileContents, Phase, Place, SourceFile};
use crate::lower::codes::NOT_SUPPORTED_YET;
use crate::syntax::codes::UNCLOSED_BLOCK;
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

/// Errors of one file that say the same of different places: so many are shown.
const SAME_MAX: usize = 2;
/// Errors that the parser may add to that of a brace which is never closed.
const BEHIND_OPEN_MAX: usize = 2;
/// Errors of a file that the parser could not read: what later stages say is cut short beyond so many, but for
/// [`MEANING_MIN`].
const UNREAD_MAX: usize = 4;
/// Errors of later stages that are shown in any case.
const MEANING_MIN: usize = 2;

/// Codes of errors whose message names what is missing: saying it again says nothing new.
const NAMING: [&str; 7] = ["SEM0025", "SEM0026", "SEM0028", "TYP0247", "TYP0249", "TYP0921", "TYP0932"];

/// Leaves out errors that most likely have one cause: the same name missing more than twice, what the parser makes of
/// the text behind a brace that is never closed, and, of a file that could not be read, what is said more than twice in
/// the same words and most of what later stages say. `diagnostics` are in order; each file keeps its first ones.
pub(super) fn few_per_fault(db: &dyn Db, mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    #[derive(Default)]
    struct Seen {
        open_brace: bool,
        /// Errors of the lexer and parser in all.
        unread: usize,
        shown_unread: usize,
        shown_meaning: usize,
        same: HashMap<(&'static str, String), usize>,
    }
    let is_unread = |diagnostic: &Diagnostic| matches!(diagnostic.phase, Phase::Lexer | Phase::Parser);
    let file_of =
        |diagnostic: &Diagnostic| diagnostic.labels.first().map(|label| place_span(db, label.place).0);
    let mut files: HashMap<Option<SourceFile>, Seen> = HashMap::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
        let seen = files.entry(file_of(diagnostic)).or_default();
        seen.unread += usize::from(is_unread(diagnostic));
        seen.open_brace |= diagnostic.code == UNCLOSED_BLOCK;
    }
    diagnostics.retain(|diagnostic| {
        if !diagnostic.is_error() {
            return true;
        }
        let seen = files.entry(file_of(diagnostic)).or_default();
        let count = seen.same.entry((diagnostic.code.code, diagnostic.message.clone())).or_default();
        *count += 1;
        if *count > SAME_MAX && (seen.unread > 0 || NAMING.contains(&diagnostic.code.code)) {
            return false;
        }
        if is_unread(diagnostic) {
            let follows = seen.open_brace && diagnostic.code != UNCLOSED_BLOCK;
            if follows && seen.shown_unread >= BEHIND_OPEN_MAX {
                return false;
            }
            seen.shown_unread += usize::from(follows);
            return true;
        }
        let room = UNREAD_MAX.saturating_sub(seen.unread).max(MEANING_MIN);
        if seen.unread > 0 && seen.shown_meaning >= room {
            return false;
        }
        seen.shown_meaning += 1;
        true
    });
    diagnostics
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
