//! The diagnostics of a program, module by module.
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::users::{Files, Users};
use super::{Ahead, Edits, Interface, module_interface};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Program, SourceFile};
use crate::runtime::CORE_ROOT;
use crate::types::program::{assembled, file_diagnostics, program_inputs, program_modules};
use crate::types::scope::imports;

/// What is wrong with each module of a program, and what others can see of it; kept by whoever asks again
/// after an edit.
#[derive(Clone, Debug, Default)]
pub struct CheckedModules {
    /// In order of path.
    modules: Arc<[SourceFile]>,
    checked: HashMap<SourceFile, Checked, BuildHasherDefault<rustc_hash::FxHasher>>,
    users: Arc<Users>,
    /// What is wrong with the program.
    diagnostics: Option<Diagnostics>,
    /// See [`CheckedModules::inputs`].
    inputs: Option<Arc<[SourceFile]>>,
}

#[derive(Clone, Debug)]
struct Checked {
    diagnostics: Diagnostics,
    interface: Arc<Interface>,
}

/// What [`CheckedModules::update`] found.
#[derive(Clone, Debug)]
pub struct Update {
    /// Everything that is wrong with the program, as [`crate::types::program_diagnostics`] gives it.
    pub diagnostics: Diagnostics,
    /// The modules about which anything may be different now; `None` when there may be other modules.
    pub reach: Option<Vec<SourceFile>>,
}

/// Checks a module; the modules that it imports.
pub fn check_module(db: &dyn Db, file: SourceFile) -> Vec<SourceFile> {
    // Modules of the standard library are no part of what is checked.
    if file.path(db).root != CORE_ROOT {
        file_diagnostics(db, file);
        module_interface(db, file);
    }
    imports(db, file).bindings.iter().map(|import| import.module).collect()
}

impl CheckedModules {
    /// Checks the program again; `edits` are those since the last call. Linear in the edited modules as
    /// long as those keep their interfaces, in their users too when they do not, and in the whole program
    /// when modules or imports come or go.
    ///
    /// `ahead` is told what will be asked for before that is done, and may ask for it with [`check_module`]
    /// in any order and on any thread. A call that unwinds (a cancelled one) leaves everything as it was.
    pub fn update(
        &mut self,
        db: &dyn Db,
        program: Program,
        edits: Edits<'_>,
        ahead: impl Fn(Ahead<SourceFile>),
    ) -> Update {
        if let Edits::Only(files) = edits
            && let Some(before) = &self.diagnostics
        {
            if files.is_empty() {
                return Update { diagnostics: before.clone(), reach: Some(Vec::new()) };
            }
            if let Some(checked) = self.again(db, files, &ahead) {
                let reach = checked.iter().map(|(file, _)| *file).collect();
                self.checked.extend(checked);
                let diagnostics = self.assemble(db, program);
                self.diagnostics = Some(diagnostics.clone());
                return Update { diagnostics, reach: Some(reach) };
            }
        }
        ahead(Ahead::From(program.entry(db)));
        let modules = program_modules(db, program).clone();
        let checked = modules.iter().map(|file| (*file, Checked::new(db, *file))).collect();
        let users = Users::new(modules.iter().map(|file| (*file, imports(db, *file))));
        let mut new = Self { modules, checked, users: Arc::new(users), ..Self::default() };
        let diagnostics = new.assemble(db, program);
        new.diagnostics = Some(diagnostics.clone());
        *self = new;
        Update { diagnostics, reach: None }
    }

    /// Checks every module that the edits may reach, in order of path: the edited ones; those for which
    /// bodies or names that no interface shows may matter; and the users of all that show something else
    /// than before. `None` when that is not known because there may be other modules or imports.
    fn again(
        &self,
        db: &dyn Db,
        edited: &[SourceFile],
        ahead: &impl Fn(Ahead<SourceFile>),
    ) -> Option<Vec<(SourceFile, Checked)>> {
        let depends_on_more = |checked: &Checked| {
            // Messages about errors mention names that are similar, private or missing.
            !checked.diagnostics.is_empty() || checked.interface.is_calling()
        };
        let others = self.checked.iter().filter(|(_, checked)| depends_on_more(checked));
        let first: Files = edited.iter().copied().chain(others.map(|(file, _)| *file)).collect();
        let mut changed = Vec::new();
        for &file in &first {
            let (before, interface) = (self.checked.get(&file)?, module_interface(db, file));
            if !interface.keeps(&before.interface) {
                changed.push(file);
            }
        }
        let mut reached = first;
        reached.extend(self.users.closure(changed));
        // The order of a set is none that work should be done in.
        let mut reached: Vec<SourceFile> = reached.into_iter().collect();
        reached.sort_by_key(|file| file.path(db));
        ahead(Ahead::These(reached.clone()));
        let check = |file: SourceFile| {
            let checked = Checked::new(db, file);
            let before = self.checked.get(&file)?;
            checked.interface.has_imports_of(&before.interface).then_some((file, checked))
        };
        reached.into_iter().map(check).collect()
    }

    fn assemble(&self, db: &dyn Db, program: Program) -> Diagnostics {
        let checked = self.modules.iter().filter_map(|file| self.checked.get(file));
        assembled(db, program, checked.map(|checked| &checked.diagnostics))
    }

    /// Who uses whom among the modules, as of the last [`update`](Self::update).
    pub fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users)
    }

    /// Every file that decides what the program is, as of the last [`update`](Self::update): see
    /// [`program_inputs`].
    pub fn inputs(&mut self, db: &dyn Db, program: Program) -> Arc<[SourceFile]> {
        let known = self.inputs.take().unwrap_or_else(|| program_inputs(db, program).into());
        self.inputs = Some(known.clone());
        known
    }
}

impl Checked {
    fn new(db: &dyn Db, file: SourceFile) -> Self {
        Self {
            diagnostics: file_diagnostics(db, file).clone(),
            interface: module_interface(db, file).clone(),
        }
    }
}
