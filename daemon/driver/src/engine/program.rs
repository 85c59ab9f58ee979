//! What is kept of one program between requests.
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use vitte_compiler::base::diagnostic::Diagnostics;
use vitte_compiler::base::{FileContents, Program, SourceFile, SourcePath};
use vitte_compiler::incremental::{Ahead, CheckedModules, Edits, Users, check_module};

use super::{Database, Image, ProgramImage, parallel};
use crate::link::incremental::Unfit;
use crate::link::incremental::hot::Generation;

/// Steps between revisions that are remembered.
const STEPS_MAX: usize = 64;

/// One program: what is wrong with it, and its executable.
#[derive(Debug, Default)]
pub(crate) struct ProgramState {
    checked: Mutex<Checked>,
    image: Arc<ProgramImage>,
}

#[derive(Debug, Default)]
struct Checked {
    /// The revision of the database that `modules` was brought up to.
    revision: Option<u64>,
    modules: CheckedModules,
    /// The last steps to this revision, oldest first.
    steps: VecDeque<Step>,
}

/// From which revision, and the modules that it reached; `None` when there were other modules afterwards.
type Step = (u64, Option<Arc<[SourceFile]>>);

/// What a program's modules are to each other, and how they came to be as they are.
#[derive(Clone, Debug)]
pub(crate) struct Modules {
    /// Who uses whom.
    pub(crate) users: Arc<Users>,
    steps: Vec<Step>,
    revision: u64,
}

impl Modules {
    /// The modules about which anything may be different since `revision`, each once; `None` when that is
    /// not known, or there are other modules.
    pub(crate) fn reached_since(&self, revision: u64) -> Option<Vec<SourceFile>> {
        if revision == self.revision {
            return Some(Vec::new());
        }
        let (mut files, mut seen) = (Vec::new(), HashSet::new());
        for (before, reached) in self.steps.iter().rev() {
            files.extend(reached.as_deref()?.iter().copied().filter(|file| seen.insert(*file)));
            if *before == revision {
                return Some(files);
            }
        }
        None
    }
}

impl ProgramState {
    /// All errors and warnings of the program.
    pub(crate) fn check(&self, db: &Database, program: Program) -> Diagnostics {
        self.checked(db, program, |_, diagnostics| diagnostics)
    }

    /// What the program was made of: every file that decides what it is, with what stands there.
    pub(crate) fn inputs(&self, db: &Database, program: Program) -> Vec<(SourcePath, FileContents)> {
        let files = self.checked(db, program, |checked, _| checked.modules.inputs(db, program));
        files.iter().map(|file| (file.path(db).clone(), file.contents(db))).collect()
    }

    /// The program's executable, if it has no errors: see [`ProgramImage::link`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn link<T>(
        &self,
        db: &Database,
        program: Program,
        strip: bool,
        find: impl Fn(u64) -> Option<T>,
    ) -> Result<Result<Image<T>, Unfit>, Diagnostics> {
        self.image.link(db, program, &self.modules(db, program), strip, find)
    }

    /// The program as it is now, for a process that runs it: see [`ProgramImage::hot`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn hot(&self, db: &Database, program: Program) -> Result<Generation, Diagnostics> {
        self.image.hot(db, program, &self.modules(db, program))
    }

    fn modules(&self, db: &Database, program: Program) -> Modules {
        self.checked(db, program, |checked, _| Modules {
            users: checked.modules.users(),
            steps: checked.steps.iter().cloned().collect(),
            revision: db.revision(),
        })
    }

    fn checked<T>(
        &self,
        db: &Database,
        program: Program,
        read: impl FnOnce(&mut Checked, Diagnostics) -> T,
    ) -> T {
        // Whoever unwound here was cancelled before anything was changed.
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let diagnostics = checked.update(db, program);
        read(&mut checked, diagnostics)
    }
}

impl Checked {
    fn update(&mut self, db: &Database, program: Program) -> Diagnostics {
        let edited = self.revision.and_then(|revision| db.edits_since(revision));
        let edits = edited.as_deref().map_or(Edits::Any, Edits::Only);
        let update = self.modules.update(db, program, edits, |ahead| match ahead {
            Ahead::From(entry) => parallel::each(db, vec![entry], |db, file| check_module(db, file)),
            Ahead::These(files) => parallel::each(db, files, |db, file| {
                check_module(db, file);
                Vec::new()
            }),
        });
        if let Some(before) = self.revision.replace(db.revision())
            && before != db.revision()
        {
            self.steps.push_back((before, update.reach.map(Arc::from)));
            if self.steps.len() > STEPS_MAX {
                self.steps.pop_front();
            }
        }
        update.diagnostics
    }
}
