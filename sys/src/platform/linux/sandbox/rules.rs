//! A policy on one rung of the ladder.
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::{filter, landlock};
use crate::sandbox::{Policy, Rung};

/// A policy on a rung, in the kernel's terms.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The Landlock ruleset.
    pub(crate) ruleset: Option<OwnedFd>,
    /// See [`crate::sandbox::Confinement::landlock_abi`].
    pub(crate) landlock_abi: u32,
    /// The system-call filter: BPF, 8 bytes an instruction.
    pub(crate) filter: Vec<u8>,
    /// `CLONE_NEW*`.
    pub(crate) namespaces: u64,
    /// Whether every mount but those of `writable` becomes read-only.
    pub(crate) read_only: bool,
    /// See `read_only`.
    pub(crate) writable: Vec<PathBuf>,
}

/// What the helper needs to put `program` on `rung`.
pub(crate) fn rules(policy: &Policy, rung: Rung, program: &Path) -> io::Result<Rules> {
    let mut rules = Rules::default();
    if rung == Rung::Limits {
        return Ok(rules);
    }
    let (ruleset, abi) = landlock::ruleset(policy, rung, program)?;
    rules.ruleset = Some(ruleset);
    rules.landlock_abi = abi;
    rules.filter = filter::program(policy, rung)?;
    if rung == Rung::Namespaces {
        use libc::{CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS};
        let kinds = [CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP];
        // No own network: to make and remove one takes as long as all else together (0.7 ms), and
        // nobody can make a socket in it anyway, by the filter.
        let all = kinds.into_iter().fold(0, |all, kind| all | kind);
        rules.namespaces = u64::from(all.unsigned_abs());
        rules.read_only = true;
        for path in &policy.write {
            // Device files take writes on read-only mounts as well.
            if !path.starts_with("/dev") {
                rules.writable.push(path.canonicalize()?);
            }
        }
    }
    Ok(rules)
}
