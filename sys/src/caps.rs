//! What this machine and the sandbox around us can do, asked once.
//!
//! Each facility is asked for by a call that changes nothing, or by the file in which the kernel says
//! so. A refusal by a sandbox (`EPERM`) counts as absence, as `ENOSYS` does, and the reason is kept.
use std::fmt;
use std::sync::OnceLock;

use crate::platform;

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
    /// The release of the system's kernel, such as `6.18.5`.
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
}

/// What this process can use. Asked at the first call; later calls answer the same.
pub fn probe() -> &'static Capabilities {
    static PROBED: OnceLock<Capabilities> = OnceLock::new();
    PROBED.get_or_init(|| {
        let facilities = Facility::ALL
            .into_iter()
            .map(|facility| {
                let (available, why) = match platform::caps::ask(facility) {
                    Ok(detail) => (true, detail),
                    Err(reason) => (false, reason),
                };
                Capability { facility, available, why }
            })
            .collect();
        Capabilities {
            kernel: platform::caps::release(),
            processors: crate::thread::parallelism(),
            page_size: platform::memory::page_size(),
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
