//! A database of files in memory and a plain rendering of diagnostics, for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use crate::base::{Db, Diagnostic, FileContents, LineIndex, Place, SourceFile, SourcePath, SourceRoot};

/// Files in memory.
#[salsa::db]
#[derive(Clone, Default)]
pub(crate) struct TestDb {
    storage: salsa::Storage<Self>,
    files: Arc<Mutex<BTreeMap<SourcePath, SourceFile>>>,
}

#[salsa::db]
impl salsa::Database for TestDb {}

#[salsa::db]
impl Db for TestDb {
    fn file(&self, path: &SourcePath) -> SourceFile {
        let known = self.files.lock().unwrap().get(path).copied();
        known.unwrap_or_else(|| {
            let file = SourceFile::new(self, path.clone(), FileContents::Missing);
            self.files.lock().unwrap().insert(path.clone(), file);
            file
        })
    }

    fn source_roots(&self) -> Arc<[SourceRoot]> {
        Arc::from([])
    }
}

/// A database with the one file `test.vit`.
pub(crate) fn with_file(text: &str) -> (TestDb, SourceFile) {
    let db = TestDb::default();
    let contents = FileContents::Text(Arc::from(text));
    let file = SourceFile::new(&db, SourcePath::workspace("test.vit"), contents);
    (db, file)
}

/// One line per diagnostic, `line:column CODE message | label`, then its other parts indented.
pub(crate) fn render(text: &str, diagnostics: &[Diagnostic]) -> String {
    let lines = LineIndex::new(text);
    let at = |place: &Place| match place {
        Place::File(_, span) => {
            let ((l1, c1), (l2, c2)) =
                (lines.line_column(text, span.start), lines.line_column(text, span.end));
            if l1 == l2 { format!("{l1}:{c1}-{c2}") } else { format!("{l1}:{c1}-{l2}:{c2}") }
        }
        Place::Node(..) => "node".to_owned(),
    };
    let mut out = String::new();
    for d in diagnostics {
        writeln!(out, "{} {} {} | {}", at(&d.labels[0].place), d.code.code, d.message, d.labels[0].message)
            .unwrap();
        for label in &d.labels[1..] {
            writeln!(out, "  also {} {}", at(&label.place), label.message).unwrap();
        }
        for s in &d.suggestions {
            writeln!(out, "  fix {} `{}` ({})", at(&s.place), s.replacement.escape_debug(), s.message)
                .unwrap();
        }
    }
    out
}
