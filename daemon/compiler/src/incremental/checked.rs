//! The diagnostics of a program, module by module.
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::{Edits, Interface, module_interface};
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
    /// Everything that is wrong with the program, as [`crate::types::program_diagnostics`] gives it, and
    /// whether the modules still have the interfaces that they had at the last call. `edits` are those
    /// since then. Linear in the edited modules as long as the interfaces stay the same.
    ///
    /// `ahead` is called before every module is asked for, and may ask for them in any order and on any
    /// thread, with [`check_module`]. A call that unwinds (a cancelled one) leaves everything as it was.
    pub fn update(
        &mut self,
        db: &dyn Db,
        program: Program,
        edits: Edits<'_>,
        ahead: impl FnOnce(),
    ) -> (Diagnostics, bool) {
        if let Edits::Only(files) = edits
            && let Some(before) = &self.diagnostics
        {
            if files.is_empty() {
                return (before.clone(), true);
            }
            if let Some(checked) = self.again(db, files) {
                self.checked.extend(checked);
                let diagnostics = self.assemble(db, program);
                self.diagnostics = Some(diagnostics.clone());
                return (diagnostics, true);
            }
        }
        ahead();
        let modules = program_modules(db, program).clone();
        let check = |file: &SourceFile| {
            let diagnostics = file_diagnostics(db, *file).clone();
            (*file, Checked { diagnostics, interface: module_interface(db, *file).clone() })
        };
        let checked = modules.iter().map(check).collect();
        let mut new = Self { modules, checked, ..Self::default() };
        let diagnostics = new.assemble(db, program);
        new.diagnostics = Some(diagnostics.clone());
        *self = new;
        (diagnostics, false)
    }

    /// Checks the edited modules, and those for which bodies or names that no interface shows may matter.
    /// `None` when one of them is new or another one to its users.
    fn again(&self, db: &dyn Db, edited: &[SourceFile]) -> Option<Vec<(SourceFile, Checked)>> {
        let depends_on_more = |checked: &Checked| {
            // Messages about errors mention names that are similar, private or missing.
            !checked.diagnostics.is_empty() || checked.interface.is_calling()
        };
        let others = self.checked.iter().filter(|(_, checked)| depends_on_more(checked));
        let others = others.map(|(file, _)| *file).filter(|file| !edited.contains(file));
        let mut files: Vec<SourceFile> = edited.iter().copied().chain(others).collect();
        // The order of a map is none that work should be done in.
        files.sort_by_key(|file| file.path(db));
        let check = |file: SourceFile| {
            let before = self.checked.get(&file)?;
            let interface = module_interface(db, file);
            interface.keeps(&before.interface).then(|| {
                let diagnostics = file_diagnostics(db, file).clone();
                (file, Checked { diagnostics, interface: interface.clone() })
            })
        };
        files.into_iter().map(check).collect()
    }

    fn assemble(&self, db: &dyn Db, program: Program) -> Diagnostics {
        let checked = self.modules.iter().filter_map(|file| self.checked.get(file));
        assembled(db, program, checked.map(|checked| &checked.diagnostics))
    }

    /// Every file that decides what the program is, as of the last [`update`](Self::update): see
    /// [`program_inputs`].
    pub fn inputs(&mut self, db: &dyn Db, program: Program) -> Arc<[SourceFile]> {
        let known = self.inputs.take().unwrap_or_else(|| program_inputs(db, program).into());
        self.inputs = Some(known.clone());
        known
    }
}
