//! What is kept of one program between requests.
use std::sync::{Arc, Mutex, PoisonError};

use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::base::{FileContents, Program, SourcePath};
use vitte_compiler::incremental::{CheckedModules, Edits, check_module};

use super::{Database, ProgramImage, parallel};

/// One program: what is wrong with it, and its executable.
#[derive(Debug, Default)]
pub(crate) struct ProgramState {
    checked: Mutex<Checked>,
    /// What is kept for linking.
    pub(crate) image: Arc<ProgramImage>,
}

#[derive(Debug, Default)]
struct Checked {
    /// The revision of the database that `modules` was brought up to.
    revision: Option<u64>,
    interfaces: Interfaces,
    modules: CheckedModules,
}

/// Which interfaces the modules of a program have. Equal values: the same, as far as others can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interfaces(u64);

impl ProgramState {
    /// All errors and warnings of the program, and which interfaces its modules have.
    pub(crate) fn check(&self, db: &Database, program: Program) -> (Diagnostics, Interfaces) {
        // Whoever unwound here was cancelled before anything was changed.
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.update(db, program)
    }

    /// What the program was made of: every file that decides what it is, with what stands there.
    pub(crate) fn inputs(&self, db: &Database, program: Program) -> Vec<(SourcePath, FileContents)> {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.update(db, program);
        let files = checked.modules.inputs(db, program);
        files.iter().map(|file| (file.path(db).clone(), file.contents(db))).collect()
    }
}

impl Checked {
    fn update(&mut self, db: &Database, program: Program) -> (Diagnostics, Interfaces) {
        let edited = self.revision.and_then(|revision| db.edits_since(revision));
        let edits = edited.as_deref().map_or(Edits::Any, Edits::Only);
        let (diagnostics, is_same) = self.modules.update(db, program, edits, || {
            parallel::each(db, vec![program.entry(db)], |db, file| check_module(db, file));
        });
        self.revision = Some(db.revision());
        if !is_same {
            self.interfaces.0 += 1;
        }
        (diagnostics, self.interfaces)
    }
}
