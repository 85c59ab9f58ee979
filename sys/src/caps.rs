//! What this machine and the sandbox around us can do, asked once.
//!
//! Each facility is asked for by a call that changes nothing, or by the file in which the kernel says
//! so. A refusal by a sandbox (`EPERM`) counts as absence, as `ENOSYS` does, and the reason is kept.
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, Mode, OFlags, ResolveFlags, SealFlags};
use rustix::io::Errno;
use rustix::process::PidfdFlags;

use crate::ffi;

/// Something that a kernel may or may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Facility {
    /// openat2(2): paths that cannot leave a directory, in one call.
    Openat2,
    /// copy_file_range(2).
    CopyFileRange,
    /// Locks that belong to the open file.
    OpenFileLocks,
    /// preadv2(2) with `RWF_NOWAIT`: reads that tell whether a file is in memory.
    ReadNoWait,
    /// Files in memory that can be sealed.
    MemfdSeals,
    /// mseal(2): mappings that can never change again.
    Mseal,
    /// pidfd_open(2): handles on processes.
    Pidfd,
    /// `SO_PEERPIDFD`: a handle on the process at the other side of a socket.
    PeerPidfd,
    /// close_range(2).
    CloseRange,
    /// User namespaces for this user.
    UserNamespaces,
    /// Landlock; the detail is its ABI.
    Landlock,
    /// Filters of system calls.
    Seccomp,
    /// Filters that ask another process.
    SeccompNotify,
    /// io_uring_setup(2).
    IoUring,
    /// The unified cgroup hierarchy.
    CgroupV2,
    /// `cgroup.kill`: the end of a whole tree of processes.
    CgroupKill,
    /// inotify(7).
    Inotify,
    /// A service manager that wants to be notified.
    ServiceManager,
}

/// Whether a facility is there, and how we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What was asked for.
    pub facility: Facility,
    /// Whether it can be used.
    pub available: bool,
    /// The detail of a yes (may be empty), or the reason of a no.
    pub why: String,
}

/// Everything that was asked, in the order of [`Facility`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The kernel's release, such as `6.18.5`.
    pub kernel: String,
    /// Processors that this process can use at one time.
    pub processors: usize,
    /// Bytes of a memory page.
    pub page_size: usize,
    /// One line per facility.
    pub facilities: Vec<Capability>,
}

impl Facility {
    /// Every facility.
    pub const ALL: [Facility; 18] = [
        Facility::Openat2,
        Facility::CopyFileRange,
        Facility::OpenFileLocks,
        Facility::ReadNoWait,
        Facility::MemfdSeals,
        Facility::Mseal,
        Facility::Pidfd,
        Facility::PeerPidfd,
        Facility::CloseRange,
        Facility::UserNamespaces,
        Facility::Landlock,
        Facility::Seccomp,
        Facility::SeccompNotify,
        Facility::IoUring,
        Facility::CgroupV2,
        Facility::CgroupKill,
        Facility::Inotify,
        Facility::ServiceManager,
    ];

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Facility::Openat2 => "openat2",
            Facility::CopyFileRange => "copy_file_range",
            Facility::OpenFileLocks => "open file description locks",
            Facility::ReadNoWait => "RWF_NOWAIT",
            Facility::MemfdSeals => "memfd seals",
            Facility::Mseal => "mseal",
            Facility::Pidfd => "pidfd",
            Facility::PeerPidfd => "SO_PEERPIDFD",
            Facility::CloseRange => "close_range",
            Facility::UserNamespaces => "user namespaces",
            Facility::Landlock => "Landlock",
            Facility::Seccomp => "seccomp filters",
            Facility::SeccompNotify => "seccomp user notification",
            Facility::IoUring => "io_uring",
            Facility::CgroupV2 => "cgroup v2",
            Facility::CgroupKill => "cgroup.kill",
            Facility::Inotify => "inotify",
            Facility::ServiceManager => "service manager",
        }
    }

    /// Asks for it: the detail of a yes, or the reason of a no.
    fn ask(self) -> Result<String, String> {
        match self {
            Facility::Openat2 => {
                let flags = OFlags::PATH | OFlags::CLOEXEC;
                let root = rustix::fs::CWD;
                answer(rustix::fs::openat2(root, ".", flags, Mode::empty(), ResolveFlags::BENEATH))
            }
            Facility::CopyFileRange => {
                // A copy of nothing, between one file and itself.
                let file = memory_file()?;
                answer(rustix::fs::copy_file_range(&file, None, &file, None, 0))
            }
            Facility::OpenFileLocks => {
                let file = std::fs::File::from(memory_file()?);
                let lock = crate::fs::RangeLock::try_take(&file, 0..1, crate::fs::Sharing::Exclusive);
                lock.map(|_| String::new()).map_err(|error| error.to_string())
            }
            Facility::ReadNoWait => {
                let file = memory_file()?;
                let mut byte = [0; 1];
                let mut slices = [std::io::IoSliceMut::new(&mut byte)];
                let flags = rustix::io::ReadWriteFlags::NOWAIT;
                answer(rustix::io::preadv2(&file, &mut slices, 0, flags))
            }
            Facility::MemfdSeals => answer(rustix::fs::fcntl_add_seals(memory_file()?, SealFlags::SEAL)),
            // No bytes at all: the kernel checks its arguments and does nothing.
            Facility::Mseal => answer(ffi::probe(libc::SYS_mseal, [0; 4])),
            Facility::Pidfd => {
                answer(rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()))
            }
            Facility::PeerPidfd => {
                let (one, _two) = crate::net::pair().map_err(|error| error.to_string())?;
                answer(ffi::peer_pidfd(one))
            }
            // A range above every descriptor.
            Facility::CloseRange => {
                let last = u32::MAX as usize;
                answer(ffi::probe(libc::SYS_close_range, [last, last, 0, 0]))
            }
            Facility::UserNamespaces => user_namespaces(),
            Facility::Landlock => {
                // No attributes and the flag LANDLOCK_CREATE_RULESET_VERSION ask for the ABI.
                let version = ffi::probe(libc::SYS_landlock_create_ruleset, [0, 0, 1, 0]);
                version.map(|abi| format!("ABI {abi}")).map_err(|errno| match errno {
                    Errno::OPNOTSUPP => "not enabled at boot".to_owned(),
                    other => name(other),
                })
            }
            Facility::Seccomp => seccomp_action("errno"),
            Facility::SeccompNotify => seccomp_action("user_notif"),
            Facility::IoUring => match ffi::probe(libc::SYS_io_uring_setup, [1, 0, 0, 0]) {
                // Without parameters it cannot do anything; that it looked for them says that it may.
                Ok(_) | Err(Errno::FAULT) => Ok(String::new()),
                Err(errno) => Err(name(errno)),
            },
            Facility::CgroupV2 => exists("/sys/fs/cgroup/cgroup.controllers").or_else(|_| {
                exists("/sys/fs/cgroup/unified/cgroup.controllers").map(|_| "hybrid".to_owned())
            }),
            Facility::CgroupKill => cgroup_kill(),
            Facility::Inotify => answer(rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC)),
            Facility::ServiceManager => match std::env::var_os("NOTIFY_SOCKET") {
                Some(address) => Ok(address.to_string_lossy().into_owned()),
                None => Err("NOTIFY_SOCKET is not set".to_owned()),
            },
        }
    }
}

/// What this process can use. Asked at the first call; later calls answer the same.
pub fn probe() -> &'static Capabilities {
    static PROBED: OnceLock<Capabilities> = OnceLock::new();
    PROBED.get_or_init(|| {
        let facilities = Facility::ALL
            .into_iter()
            .map(|facility| {
                let (available, why) = match facility.ask() {
                    Ok(detail) => (true, detail),
                    Err(reason) => (false, reason),
                };
                Capability { facility, available, why }
            })
            .collect();
        Capabilities {
            kernel: first_line(Path::new("/proc/sys/kernel/osrelease")).unwrap_or_default(),
            processors: crate::thread::parallelism(),
            page_size: rustix::param::page_size(),
            facilities,
        }
    })
}

impl Capabilities {
    /// Whether `facility` can be used.
    pub fn has(&self, facility: Facility) -> bool {
        self.facilities.iter().any(|one| one.facility == facility && one.available)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = if self.available { "yes" } else { "no" };
        write!(f, "{}: {answer}", self.facility.name())?;
        if self.why.is_empty() { Ok(()) } else { write!(f, " ({})", self.why) }
    }
}

fn answer<T>(result: Result<T, Errno>) -> Result<String, String> {
    result.map(|_| String::new()).map_err(name)
}

/// The errno's name, and what it usually means here.
fn name(errno: Errno) -> String {
    let error = crate::SysError::bare(crate::Op::Other, errno);
    let name = error.errno_name().unwrap_or("unknown errno");
    match errno {
        Errno::NOSYS => format!("{name}: the kernel does not have it"),
        Errno::PERM | Errno::ACCESS => format!("{name}: a sandbox or a setting forbids it"),
        Errno::NOPROTOOPT => format!("{name}: the kernel is too old"),
        _ => name.to_owned(),
    }
}

fn memory_file() -> Result<std::os::fd::OwnedFd, String> {
    rustix::fs::memfd_create("probe", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).map_err(name)
}

fn first_line(path: &Path) -> Option<String> {
    let bytes = crate::fs::read_at_most(path, 64 << 10).ok()?;
    Some(String::from_utf8_lossy(&bytes).lines().next()?.to_owned())
}

fn exists(path: &str) -> Result<String, String> {
    match crate::fs::stamp(Path::new(path)) {
        Ok(Some(_)) => Ok(String::new()),
        Ok(None) => Err(format!("no `{path}`")),
        Err(error) => Err(error.to_string()),
    }
}

/// What the settings say; a security module may still refuse, which only trying would show.
fn user_namespaces() -> Result<String, String> {
    let setting = |path: &str| first_line(Path::new(path));
    if setting("/proc/sys/user/max_user_namespaces").is_none_or(|most| most == "0") {
        return Err("user.max_user_namespaces is 0".to_owned());
    }
    let unprivileged = crate::process::effective_uid() != 0;
    if unprivileged && setting("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return Err("kernel.unprivileged_userns_clone is 0".to_owned());
    }
    if unprivileged
        && setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1")
    {
        return Err("AppArmor restricts them to named programs".to_owned());
    }
    Ok("by the settings".to_owned())
}

fn seccomp_action(wanted: &str) -> Result<String, String> {
    let path = Path::new("/proc/sys/kernel/seccomp/actions_avail");
    let actions = first_line(path).ok_or("the kernel lists no actions")?;
    if actions.split_whitespace().any(|action| action == wanted) {
        Ok(String::new())
    } else {
        Err(format!("the kernel lists no action `{wanted}`"))
    }
}

/// The file `cgroup.kill` of our own group in the unified hierarchy. The root group never has it.
fn cgroup_kill() -> Result<String, String> {
    let groups =
        crate::fs::read_at_most(Path::new("/proc/self/cgroup"), 64 << 10).map_err(|e| e.to_string())?;
    let groups = String::from_utf8_lossy(&groups);
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("no group in cgroup v2")?;
    if own.is_empty() {
        return Err("this process is in the root group, which has none".to_owned());
    }
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .find_map(|mount| exists(&format!("{mount}/{own}/cgroup.kill")).ok())
        .ok_or_else(|| "no `cgroup.kill` in our group".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_facility_has_one_answer_with_a_reason() {
        let all = probe();
        assert_eq!(all.facilities.len(), Facility::ALL.len());
        for one in &all.facilities {
            assert!(one.available || !one.why.is_empty(), "{one}");
            assert_eq!(all.has(one.facility), one.available);
        }
        assert!(all.facilities.is_sorted_by_key(|one| one.facility));
        assert!(all.page_size.is_power_of_two() && all.processors > 0 && !all.kernel.is_empty());
    }
}
