//! Landlock rules from a policy.
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

use crate::sandbox::{Policy, Rung};

/// A ruleset for `program` under `policy`, and the version of the interface it uses.
///
/// # Errors
/// `Unsupported` when the kernel's Landlock is too old for `rung`: with own namespaces files matter
/// (version 3, which covers truncation), without them signals and abstract sockets as well (6).
pub(super) fn ruleset(policy: &Policy, rung: Rung, program: &Path) -> io::Result<(OwnedFd, u32)> {
    let least = if rung == Rung::Namespaces { ABI::V3 } else { ABI::V6 };
    let abi = ABI::from(crate::ffi::linux::landlock_version()?);
    if abi < least {
        return Err(rustix::io::Errno::OPNOTSUPP.into());
    }
    let refused = |error: landlock::RulesetError| io::Error::other(error);
    // The version was asked for above: whatever it has must work.
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let mut rules = rules.handle_access(AccessFs::from_all(abi)).map_err(refused)?;
    if !policy.network && abi >= ABI::V4 {
        rules = rules.handle_access(AccessNet::from_all(abi)).map_err(refused)?;
    }
    if abi >= ABI::V6 {
        rules = rules.scope(Scope::from_all(abi)).map_err(refused)?;
    }
    let mut rules = rules.create().map_err(refused)?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let execute = read | AccessFs::Execute;
    rules = allow(rules, program, AccessFs::ReadFile | AccessFs::Execute, abi, Missing::IsFine)?;
    for path in &policy.read {
        rules = allow(rules, path, read, abi, Missing::IsFine)?;
    }
    for path in &policy.execute {
        rules = allow(rules, path, execute, abi, Missing::IsFine)?;
    }
    let write = AccessFs::from_all(abi) & !BitFlags::from(AccessFs::Execute);
    for path in &policy.write {
        rules = allow(rules, path, write, abi, Missing::IsAnError)?;
    }
    let ruleset: Option<OwnedFd> = rules.into();
    let ruleset = ruleset.ok_or(rustix::io::Errno::OPNOTSUPP)?;
    Ok((ruleset, abi as u32))
}

/// What to make of a path that does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsFine,
    IsAnError,
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
    abi: ABI,
    missing: Missing,
) -> io::Result<RulesetCreated> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound && missing == Missing::IsFine => {
            return Ok(rules);
        }
        Err(error) => return Err(error),
    };
    // The kernel refuses rights of directories on anything else.
    let access = if metadata.is_dir() { access } else { access & AccessFs::from_file(abi) };
    let parent = PathFd::new(path).map_err(io::Error::other)?;
    rules.add_rule(PathBeneath::new(parent, access)).map_err(io::Error::other)
}
