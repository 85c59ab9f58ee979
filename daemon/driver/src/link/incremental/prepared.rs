//! What is kept for each fragment between links.
use std::sync::Arc;

use vitte_compiler::base::Name;
use vitte_compiler::codegen::Fragment;
use vitte_compiler::codegen::fragment::FragmentTarget;

use super::dwarf::{self, Die, Files};

/// A fragment with what was made of it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) fragment: Arc<Fragment>,
    /// The names of C that it refers to; one may appear more than once.
    pub(super) externs: Vec<Name>,
    /// The source files that its line table names, each once.
    pub(super) files: Vec<Arc<str>>,
    /// Its sequence of the line table; empty when nothing is known or not encoded yet.
    pub(super) line: Vec<u8>,
    /// Its entry for debuggers.
    pub(super) die: Option<Die>,
    is_encoded: bool,
}

impl Prepared {
    pub(super) fn new(fragment: &Arc<Fragment>) -> Self {
        let externs = fragment.targets.iter().filter_map(|target| match target {
            FragmentTarget::Extern(name) => Some(name.clone()),
            FragmentTarget::Function(_)
            | FragmentTarget::Literal(_)
            | FragmentTarget::EmptyList
            | FragmentTarget::State
            | FragmentTarget::Const(..)
            | FragmentTarget::Location(_) => None,
        });
        let mut files: Vec<Arc<str>> = Vec::new();
        if let Some(debug) = &fragment.debug {
            let places = debug.rows.iter().filter_map(|(_, at)| at.as_ref()).chain(&debug.declared);
            for at in places {
                if !files.iter().any(|known| Arc::ptr_eq(known, &at.file) || *known == at.file) {
                    files.push(Arc::clone(&at.file));
                }
            }
        }
        Self {
            externs: externs.collect(),
            files,
            line: Vec::new(),
            die: None,
            is_encoded: false,
            fragment: Arc::clone(fragment),
        }
    }

    /// The numbers of files have changed.
    pub(super) fn forget_files(&mut self) {
        self.is_encoded = false;
    }

    /// Makes the line table and the entry, if that was not done with these files.
    pub(super) fn encode(&mut self, files: &Files) {
        if self.is_encoded {
            return;
        }
        self.is_encoded = true;
        if let Some(debug) = &self.fragment.debug {
            let size = self.fragment.code.bytes.len() as u64;
            self.line = dwarf::line_sequence(debug, size, files);
            self.die = Some(dwarf::subprogram(debug, size, files));
        }
    }
}

/// Whether two fragments refer to the same data in the same order.
pub(super) fn same_data(old: &Fragment, new: &Fragment) -> bool {
    fn data(fragment: &Fragment) -> impl Iterator<Item = &FragmentTarget> {
        fragment.targets.iter().filter(|target| match target {
            FragmentTarget::Literal(_)
            | FragmentTarget::EmptyList
            | FragmentTarget::Const(..)
            | FragmentTarget::Location(_) => true,
            FragmentTarget::Function(_) | FragmentTarget::Extern(_) | FragmentTarget::State => false,
        })
    }
    data(old).eq(data(new))
}
