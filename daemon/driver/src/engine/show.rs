//! Diagnostics on their way out: spans looked up, lint levels applied, ordered, each once.
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use vitte_compiler::base::{
    Applicability, Diagnostic, FileContents, LabelKind, LineIndex, Phase, Place, Severity, SourceFile,
    SourcePath, Span,
};
use vitte_compiler::lint::{self, Level};

use super::{Database, doors};
use crate::api::{FileSpan, LintLevel, Position, ResolvedDiagnostic, ResolvedLabel, ResolvedSuggestion};
use crate::digest::hex;

/// Most source lines that travel with a span.
const LINES_MAX: u32 = 8;

/// Most bytes of a source line that travel with a span; what is longer was made by a machine.
const LINE_BYTES_MAX: usize = 4096;

/// Looks up and orders `diagnostics`: by file, then position, then code; duplicates removed.
/// Those that are switched off are left out.
pub(crate) fn resolve(
    db: &Database,
    cwd: &Path,
    lints: &[(LintLevel, String)],
    diagnostics: &[Diagnostic],
) -> Vec<Arc<ResolvedDiagnostic>> {
    resolve_named(
        db,
        &|path| match db.folders().on_disk(path) {
            Some(real) => shown_path(&real, cwd).display().to_string(),
            None => path.to_string(),
        },
        lints,
        diagnostics,
    )
}

/// As [`resolve`], with files called as `name` says.
pub(crate) fn resolve_named(
    db: &Database,
    name: &dyn Fn(&SourcePath) -> String,
    lints: &[(LintLevel, String)],
    diagnostics: &[Diagnostic],
) -> Vec<Arc<ResolvedDiagnostic>> {
    let texts = Texts { db, name, files: RefCell::default() };
    let mut shown: Vec<ResolvedDiagnostic> = diagnostics
        .iter()
        .filter_map(|diagnostic| {
            let severity = severity(diagnostic, lints, &|place| texts.level(diagnostic, place))?;
            Some(texts.diagnostic(diagnostic, severity))
        })
        .collect();
    shown.sort_by(|a, b| order(a).cmp(&order(b)));
    shown.dedup();
    shown.into_iter().map(Arc::new).collect()
}

fn order(diagnostic: &ResolvedDiagnostic) -> (&str, u32, &str, &str) {
    let (file, byte) =
        diagnostic.labels.first().map_or(("", 0), |l| (l.span.file.as_str(), l.span.start.byte));
    (file, byte, &diagnostic.code, &diagnostic.message)
}

/// `error` or `warning`, or `None` when it is not shown. An error stays one: only what the language
/// leaves open can be set. Settings of the manifest come before those of the command line, and attributes in the
/// text, which `written` finds, after both; but a warning that an attribute asks for is an error where all warnings
/// are.
fn severity(
    diagnostic: &Diagnostic,
    lints: &[(LintLevel, String)],
    written: &dyn Fn(Place) -> Option<Level>,
) -> Option<&'static str> {
    let (code, severity) = (diagnostic.code, diagnostic.severity);
    let default = match severity {
        Severity::Error => return Some("error"),
        Severity::Deny => LintLevel::Deny,
        Severity::Warning => LintLevel::Warn,
        Severity::Lint => LintLevel::Allow,
    };
    let last = |concerns: &dyn Fn(&str) -> bool| {
        lints.iter().rev().find(|(_, name)| concerns(name)).map(|(level, _)| *level)
    };
    let set = last(&|name| lint::levels::concerns(name, code, severity)).unwrap_or(default);
    let all_warnings = || last(&|name| name == lint::WARNINGS);
    let level = match diagnostic.labels.first().and_then(|label| written(label.place)) {
        None => set,
        Some(Level::Allow) => LintLevel::Allow,
        Some(Level::Deny) => LintLevel::Deny,
        Some(Level::Warn) => match all_warnings() {
            Some(LintLevel::Deny) => LintLevel::Deny,
            Some(LintLevel::Allow | LintLevel::Warn) | None => LintLevel::Warn,
        },
    };
    match level {
        LintLevel::Allow => None,
        LintLevel::Warn => Some("warning"),
        LintLevel::Deny => Some("error"),
    }
}

/// The name of a phase in the `vitte.diagnostic` schema.
fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Lexer => "lexer",
        Phase::Parser => "parser",
        Phase::Resolver => "resolver",
        Phase::Sema => "sema",
        Phase::Typeck => "typeck",
        Phase::Borrowck => "borrowck",
        Phase::Mir => "mir",
        Phase::Ir => "ir",
        Phase::Codegen => "codegen",
        Phase::Linker => "linker",
        Phase::Ice => "ice",
    }
}

fn applicability_name(applicability: Applicability) -> &'static str {
    match applicability {
        Applicability::MachineApplicable => "machine-applicable",
        Applicability::MaybeIncorrect => "maybe-incorrect",
        Applicability::HasPlaceholders => "has-placeholders",
        Applicability::Unspecified => "unspecified",
    }
}

/// A file as spans need it.
struct Text {
    shown: String,
    text: Arc<str>,
    lines: LineIndex,
    is_ascii: bool,
    digest: OnceCell<String>,
}

impl Text {
    fn position(&self, byte: u32) -> Position {
        let mut byte = byte.min(self.text.len() as u32);
        while !self.text.is_char_boundary(byte as usize) {
            byte -= 1;
        }
        let (line, column) = self.lines.line_column(&self.text, byte);
        let before = &self.text[..byte as usize];
        let character = if self.is_ascii { byte } else { before.chars().count() as u32 };
        Position { line, column, byte, character }
    }

    fn span(&self, span: Span) -> FileSpan {
        let start = self.position(span.start);
        let end = self.position(span.end.max(span.start));
        // A span that ends at the very start of a line does not reach into it.
        let last = if end.column == 1 && end.line > start.line { end.line - 1 } else { end.line };
        let source_lines = (start.line..=last.min(start.line + LINES_MAX - 1))
            .map(|line| {
                let span = self.lines.line_span(&self.text, line);
                let line = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
                beginning(line).to_owned()
            })
            .collect();
        FileSpan { file: self.shown.clone(), start, end, source_lines }
    }
}

/// As much of a line as anybody looks at.
fn beginning(line: &str) -> &str {
    let mut end = line.len().min(LINE_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// The files that diagnostics speak of, each looked at once.
struct Texts<'a> {
    db: &'a Database,
    name: &'a dyn Fn(&SourcePath) -> String,
    files: RefCell<HashMap<SourceFile, Rc<Text>>>,
}

impl Texts<'_> {
    fn text(&self, file: SourceFile) -> Rc<Text> {
        let make = || {
            let shown = (self.name)(file.path(self.db));
            let text: Arc<str> = match file.contents(self.db) {
                FileContents::Text(text) => text,
                FileContents::Missing
                | FileContents::Folder
                | FileContents::NotUtf8(_)
                | FileContents::Unreadable(_) => "".into(),
            };
            let (lines, is_ascii) = (LineIndex::new(&text), text.is_ascii());
            Rc::new(Text { shown, lines, is_ascii, text, digest: OnceCell::new() })
        };
        Rc::clone(self.files.borrow_mut().entry(file).or_insert_with(make))
    }

    fn bytes(&self, place: Place) -> (SourceFile, Span) {
        match place {
            Place::File(file, span) => (file, span),
            Place::Node(item, node) => (item.file(self.db), doors::node_span(self.db, item, node)),
        }
    }

    fn place(&self, place: Place) -> FileSpan {
        let (file, span) = self.bytes(place);
        self.text(file).span(span)
    }

    fn digest(&self, place: Place) -> String {
        let text = self.text(self.bytes(place).0);
        text.digest.get_or_init(|| hex(&Sha256::digest(text.text.as_bytes()))).clone()
    }

    /// The level that attributes around a place set.
    fn level(&self, diagnostic: &Diagnostic, place: Place) -> Option<Level> {
        let (file, span) = self.bytes(place);
        let levels = lint::levels::levels(self.db, file);
        levels.at(span.start, diagnostic.code, diagnostic.severity)
    }

    fn diagnostic(&self, diagnostic: &Diagnostic, severity: &str) -> ResolvedDiagnostic {
        let labels = diagnostic.labels.iter().map(|label| ResolvedLabel {
            primary: label.kind == LabelKind::Primary,
            message: label.message.clone(),
            span: self.place(label.place),
        });
        let labels = labels.collect();
        let suggestions = diagnostic.suggestions.iter().map(|suggestion| ResolvedSuggestion {
            message: suggestion.message.clone(),
            replacement: suggestion.replacement.clone(),
            span: self.place(suggestion.place),
            applicability: applicability_name(suggestion.applicability).into(),
            digest: self.digest(suggestion.place),
        });
        let suggestions = suggestions.collect();
        ResolvedDiagnostic {
            code: diagnostic.code.code.into(),
            message_key: diagnostic.code.key.into(),
            severity: severity.into(),
            phase: phase_name(diagnostic.phase).into(),
            message: diagnostic.message.clone(),
            labels,
            notes: diagnostic.notes.clone(),
            helps: diagnostic.helps.clone(),
            suggestions,
        }
    }
}

/// As the user would type it: relative to `cwd` when below it, else absolute.
pub(crate) fn shown_path(path: &Path, cwd: &Path) -> PathBuf {
    path.strip_prefix(cwd).unwrap_or(path).to_path_buf()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::Folders;
    use vitte_compiler::base::{Code, Db, SourcePath};

    const ODD: Code = Code { code: "SEM0901", key: "SEMA_W_ODD" };
    const WRONG: Code = Code { code: "TYP0213", key: "TYPECK_E_ASSIGN_MISMATCH" };

    fn severity(severity: Severity, code: Code, lints: &[(LintLevel, String)]) -> Option<&'static str> {
        attributed(severity, code, lints, None)
    }

    /// With a level that an attribute sets.
    fn attributed(
        severity: Severity,
        code: Code,
        lints: &[(LintLevel, String)],
        written: Option<Level>,
    ) -> Option<&'static str> {
        let db = Database::new(Folders { workspace: PathBuf::new(), roots: Vec::new() });
        let place = Place::File(db.file(&SourcePath::workspace("a.vit")), Span::default());
        let diagnostic = Diagnostic { severity, ..Diagnostic::error(code, Phase::Sema, place, "m", "l") };
        super::severity(&diagnostic, lints, &|_| written)
    }

    #[test]
    fn attributes_have_the_last_word_but_for_denied_warnings() {
        let deny = [(LintLevel::Deny, "warnings".to_owned())];
        let said =
            |lints: &[(LintLevel, String)], written| attributed(Severity::Warning, ODD, lints, Some(written));
        assert_eq!(said(&[], Level::Allow), None);
        assert_eq!(said(&deny, Level::Allow), None);
        assert_eq!(said(&deny, Level::Warn), Some("error"));
        assert_eq!(said(&[], Level::Deny), Some("error"));
        assert_eq!(attributed(Severity::Error, WRONG, &[], Some(Level::Allow)), Some("error"));
        assert_eq!(attributed(Severity::Lint, ODD, &[], Some(Level::Warn)), Some("warning"));
    }

    #[test]
    fn levels_come_from_the_last_word() {
        let set = |list: &[(LintLevel, &str)]| -> Option<&'static str> {
            let list: Vec<_> = list.iter().map(|(level, name)| (*level, (*name).to_owned())).collect();
            severity(Severity::Warning, ODD, &list)
        };
        assert_eq!(set(&[]), Some("warning"));
        assert_eq!(set(&[(LintLevel::Deny, "warnings")]), Some("error"));
        assert_eq!(set(&[(LintLevel::Deny, "warnings"), (LintLevel::Allow, "sem0901")]), None);
        assert_eq!(set(&[(LintLevel::Allow, "SEMA_W_ODD"), (LintLevel::Warn, "SEM0901")]), Some("warning"));
        let allow = [(LintLevel::Allow, "TYP0213".to_owned())];
        assert_eq!(severity(Severity::Error, WRONG, &allow), Some("error"));
        let twice = Code { code: "BOR0010", key: "BORROWCK_E_MOVE_AFTER_MOVE" };
        let allow = [(LintLevel::Allow, "BOR0020".to_owned())];
        assert_eq!(severity(Severity::Deny, twice, &[]), Some("error"));
        assert_eq!(severity(Severity::Deny, twice, &allow), None);
        assert_eq!(severity(Severity::Lint, ODD, &[]), None);
        assert_eq!(severity(Severity::Lint, ODD, &[(LintLevel::Warn, "SEM0901".into())]), Some("warning"));
    }

    #[test]
    fn spans_order_and_duplicates() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::write(real.join("b.vit"), "let é = 1\n\tset x = 2\n").unwrap();
        std::fs::write(real.join("a.vit"), "x").unwrap();
        let db = Database::new(Folders { workspace: real.clone(), roots: Vec::new() });
        let file = |name: &str| db.file(&SourcePath::workspace(name));
        let at = |name: &str, start, end, code| {
            Diagnostic::error(code, Phase::Typeck, Place::File(file(name), Span::new(start, end)), "m", "l")
        };
        let list = [
            at("b.vit", 16, 17, WRONG),
            at("b.vit", 4, 6, WRONG),
            at("b.vit", 4, 6, ODD),
            at("b.vit", 4, 6, WRONG),
            at("a.vit", 0, 1, WRONG),
        ];
        let shown = resolve(&db, &real, &[], &list);
        let keys: Vec<_> = shown
            .iter()
            .map(|d| (d.labels[0].span.file.as_str(), d.labels[0].span.start.byte, d.code.as_str()))
            .collect();
        assert_eq!(
            keys,
            [
                ("a.vit", 0, "TYP0213"),
                ("b.vit", 4, "SEM0901"),
                ("b.vit", 4, "TYP0213"),
                ("b.vit", 16, "TYP0213")
            ]
        );
        let span = &shown[3].labels[0].span;
        assert_eq!(span.start, Position { line: 2, column: 6, byte: 16, character: 15 });
        assert_eq!(span.source_lines, ["\tset x = 2"]);
        assert_eq!(shown[1].labels[0].span.end, Position { line: 1, column: 6, byte: 6, character: 5 });
    }
}
