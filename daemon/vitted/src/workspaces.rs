//! Open workspaces: folders and what is allowed in them.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use vitte_proto::v1;

use crate::status::Refusal;

/// Most workspaces that may be open at once.
const WORKSPACES_MAX: usize = 4096;

/// Whether code of a workspace may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Check and build only.
    Restricted,
    /// Everything the user may do.
    Trusted,
}

/// An open workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// `workspaces/{digest of the root}`
    pub name: String,
    /// Absolute, with links resolved.
    pub root: PathBuf,
    /// Names of our own variables that its programs may see.
    pub environment_allow_list: Vec<String>,
    /// See [`Trust`].
    pub trust: Trust,
    opened_at: SystemTime,
    /// Barriers passed.
    clock: u64,
}

impl Workspace {
    /// As the API shows it.
    pub fn describe(&self) -> v1::Workspace {
        let Self { name, root, environment_allow_list, trust, opened_at, clock: _ } = self;
        let trust = match trust {
            Trust::Restricted => v1::Trust::Restricted,
            Trust::Trusted => v1::Trust::Trusted,
        };
        v1::Workspace {
            name: name.clone(),
            root: root.to_string_lossy().into_owned(),
            environment_allow_list: environment_allow_list.clone(),
            trust: trust.into(),
            opened_at: Some((*opened_at).into()),
        }
    }
}

/// All open workspaces, by root.
#[derive(Debug, Default)]
pub struct Workspaces(Mutex<BTreeMap<PathBuf, Workspace>>);

impl Workspaces {
    /// Opens the folder `root`, or changes what is allowed in an open one.
    ///
    /// # Errors
    /// When `root` is not the absolute path of a folder.
    pub fn open(&self, root: &str, allow: Vec<String>, trust: Trust) -> Result<Workspace, Refusal> {
        if !Path::new(root).is_absolute() {
            return Err(Refusal::bad_field("root", "must be an absolute path"));
        }
        let root = std::fs::canonicalize(root).map_err(|error| {
            Refusal::new(tonic::Code::NotFound, "NOT_FOUND", format!("cannot open `{root}`: {error}"))
        })?;
        if !root.is_dir() {
            return Err(Refusal::bad_field("root", "must be a folder"));
        }
        let mut table = self.lock();
        let count = table.len();
        let workspace = match table.entry(root) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if count >= WORKSPACES_MAX => {
                let message = format!("{WORKSPACES_MAX} workspaces are open already");
                return Err(Refusal::new(tonic::Code::ResourceExhausted, "TOO_MANY_WORKSPACES", message));
            }
            Entry::Vacant(free) => {
                let root = free.key().clone();
                let name = format!("workspaces/{:016x}", digest(&root));
                free.insert(Workspace {
                    name,
                    root,
                    environment_allow_list: Vec::new(),
                    trust,
                    opened_at: SystemTime::now(),
                    clock: 0,
                })
            }
        };
        workspace.environment_allow_list = allow;
        workspace.trust = trust;
        Ok(workspace.clone())
    }

    /// The workspace with this resource name.
    ///
    /// # Errors
    /// When none is open under it.
    pub fn get(&self, name: &str) -> Result<Workspace, Refusal> {
        let table = self.lock();
        table.values().find(|workspace| workspace.name == name).cloned().ok_or_else(|| unknown(name))
    }

    /// Forgets a workspace.
    ///
    /// # Errors
    /// When none is open under this name.
    pub fn close(&self, name: &str) -> Result<(), Refusal> {
        let mut table = self.lock();
        let before = table.len();
        table.retain(|_, workspace| workspace.name != name);
        if table.len() == before { Err(unknown(name)) } else { Ok(()) }
    }

    /// Counts a barrier that the watcher has passed: requests after it see what was on disk before it.
    ///
    /// # Errors
    /// When none is open under this name.
    pub fn barrier(&self, name: &str) -> Result<u64, Refusal> {
        let mut table = self.lock();
        let workspace =
            table.values_mut().find(|workspace| workspace.name == name).ok_or_else(|| unknown(name))?;
        workspace.clock += 1;
        Ok(workspace.clock)
    }

    /// All, sorted by root.
    pub fn list(&self) -> Vec<Workspace> {
        self.lock().values().cloned().collect()
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Workspace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::unknown("workspace", name).help("open it first: `WorkspaceService.OpenWorkspace`")
}

/// FNV-1a, 64 bits: a short stable name for a path.
fn digest(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_root_keeps_its_name() {
        let workspaces = Workspaces::default();
        let first = workspaces.open("/", Vec::new(), Trust::Restricted).unwrap();
        let again = workspaces.open("/", vec!["LANG".into()], Trust::Trusted).unwrap();
        assert_eq!(first.name, again.name);
        assert_eq!(workspaces.get(&first.name).unwrap().trust, Trust::Trusted);
        assert_eq!(workspaces.barrier(&first.name).unwrap(), 1);
        workspaces.close(&first.name).unwrap();
        assert!(workspaces.is_empty());
        assert!(workspaces.close(&first.name).is_err());
        assert!(workspaces.open("relative", Vec::new(), Trust::Trusted).is_err());
    }
}
