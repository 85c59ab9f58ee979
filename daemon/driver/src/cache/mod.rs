//! Results of whole programs in the content store: what a process that knows nothing yet can answer from.
//!
//! In a process that knows a program, the engine's memory is the better cache, and nothing here is asked.
//! Otherwise two records lead from a plan to its result, as with ccache's direct mode:
//! 1. the plan's key leads to the lists of files that decided what its program was, the last few times;
//! 2. the plan's key with what stands at each of those files now, those that do not exist included, is
//!    the action's key, and leads to the result: diagnostics and the executable.
//!
//! No key holds an absolute path or a time: equal programs in different folders share their results.
//! What cannot be read is never part of a key, because why it could not may be gone the next time.
mod fingerprint; // what stands at a path, as bytes of a key
mod history; // what targets were built from
mod publish; // work behind the builds
mod result; // diagnostics and outputs as a record

use std::path::Path;
use std::sync::Arc;

use vitte_compiler::base::{FileContents, SourcePath};
use vitte_store::{ActionKey, ActionResult, Digest, Lookup, Store};

pub(crate) use fingerprint::ProgramInputs;
pub(crate) use history::{Facts, History, Noted, key as history_key};
pub(crate) use publish::Publisher;
pub(crate) use result::CachedResult;

use crate::engine::Folders;
use crate::plan::BuildPlan;

/// Lists of files that are kept for one plan: enough to go back and forth between a few branches.
const LISTS_MAX: usize = 4;
/// Names the executable among the outputs of a result.
const EXECUTABLE: &str = "executable";
/// Stands for the revision of a result that was in the store: no database has it.
pub(crate) const RESTORED: u64 = 0;
/// Names a list of files among the outputs of a plan's record.
const FILES: &str = "files";

/// Which result of a plan is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Goal {
    /// Diagnostics.
    Check,
    /// Diagnostics and an executable.
    Build,
}

/// The store as the driver uses it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct BuildCache {
    store: Arc<Store>,
}

impl BuildCache {
    /// Keeps results in `store`.
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The key of all that decides a result besides the files.
    pub(crate) fn plan_key(plan: &BuildPlan, linker: &str, goal: Goal) -> ActionKey {
        let goal: &[u8] = match goal {
            Goal::Check => b"check",
            Goal::Build => b"build",
        };
        let lints = format!("{:?}", plan.lints);
        let digest = plan.digest(linker);
        let parts: [&[u8]; 5] =
            [b"vitte.plan.v1", BUILD_ID.as_bytes(), digest.as_bytes(), lints.as_bytes(), goal];
        ActionKey::of(&parts)
    }

    /// The result for what stands in `folders` now, if the store has it, and the files that it is of.
    pub(crate) fn find(
        &self,
        plan: &ActionKey,
        folders: &Folders,
    ) -> Option<(CachedResult, Vec<(SourcePath, FileContents)>)> {
        let Lookup::Hit(lists) = self.store.lookup(plan) else { return None };
        for (_, digest) in &lists.outputs {
            // A list that is damaged says nothing of the others.
            let list = self.store.get(digest);
            let Some(files) = list.and_then(|list| fingerprint::decode_list(&list)) else { continue };
            let Some((inputs, files)) = ProgramInputs::read(folders, files) else { continue };
            if let Lookup::Hit(result) = self.store.lookup(&inputs.key(plan)) {
                return Some((CachedResult::decode(result)?, files));
            }
        }
        None
    }

    /// The bytes of an output, verified.
    pub(crate) fn blob(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.store.get(digest)
    }

    /// Keeps a result. Whatever goes wrong costs a miss later.
    pub(crate) fn publish(
        &self,
        plan: &ActionKey,
        inputs: &ProgramInputs,
        result: &CachedResult,
        executable: Option<&[u8]>,
    ) {
        let executable = executable.map(|bytes| (EXECUTABLE.to_owned(), self.store.put(bytes).0));
        self.store.publish(&inputs.key(plan), &result.encode(executable, inputs));
        let list = self.store.put(&inputs.list()).0;
        let mut lists = match self.store.lookup(plan) {
            Lookup::Hit(known) => known.outputs,
            Lookup::Miss(_) => Vec::new(),
        };
        if lists.first().is_some_and(|(_, first)| *first == list) {
            return;
        }
        lists.retain(|(_, digest)| *digest != list);
        lists.insert(0, (FILES.to_owned(), list));
        lists.truncate(LISTS_MAX);
        self.store.publish(plan, &ActionResult { outputs: lists, ..ActionResult::default() });
    }
}

/// Digest of the sources of the compiler and of this crate: another compiler never shares a result.
pub(crate) const BUILD_ID: &str = env!("VITTE_BUILD_ID");

/// How a file is called where no folder is known.
pub(crate) fn portable_name(path: &SourcePath) -> String {
    format!("{}\t{}", path.root, path.path)
}

/// What [`portable_name`] called so, as the user would type it.
pub(crate) fn shown_name(name: &str, folders: &Folders, cwd: &Path) -> String {
    let Some((root, path)) = name.split_once('\t') else { return name.to_owned() };
    let path = SourcePath { root: root.into(), path: path.into() };
    match folders.on_disk(&path) {
        Some(place) => crate::engine::show::shown_path(&place, cwd).display().to_string(),
        None => path.to_string(),
    }
}
