//! Who uses whom.
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use crate::base::SourceFile;
use crate::types::scope::Imports;

/// A set of files.
pub(crate) type Files = HashSet<SourceFile, BuildHasherDefault<rustc_hash::FxHasher>>;

/// The modules of a program by what they import.
#[derive(Debug, Default)]
pub struct Users {
    of: HashMap<SourceFile, Vec<SourceFile>, BuildHasherDefault<rustc_hash::FxHasher>>,
}

impl Users {
    pub(super) fn new<'a>(modules: impl Iterator<Item = (SourceFile, &'a Arc<Imports>)>) -> Self {
        let mut users = Self::default();
        for (user, imports) in modules {
            for import in &imports.bindings {
                users.of.entry(import.module).or_default().push(user);
            }
        }
        users
    }

    /// The modules `used`, their users, the users of those, and so on. Linear in what is found.
    pub(crate) fn closure(&self, used: Vec<SourceFile>) -> Files {
        let mut found: Files = used.iter().copied().collect();
        let mut work = used;
        while let Some(file) = work.pop() {
            for user in self.of.get(&file).into_iter().flatten() {
                if found.insert(*user) {
                    work.push(*user);
                }
            }
        }
        found
    }
}
