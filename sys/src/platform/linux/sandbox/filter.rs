//! The system-call filter: what no confined program needs, denied.
//!
//! A list of what is denied rather than of what is allowed: compilers and linkers of every version
//! run under it, and a C library that starts to use a new call must not break them. What reaches
//! files is Landlock's part; this closes the ways around it.
use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::numbers::{self, Decision};
use crate::sandbox::{Policy, Rung};

/// The filter for `policy` on `rung`, in the kernel's encoding. Built once for each kind.
pub(super) fn program(policy: &Policy, rung: Rung) -> io::Result<Vec<u8>> {
    static BUILT: [[OnceLock<Vec<u8>>; 2]; 2] =
        [[OnceLock::new(), OnceLock::new()], [OnceLock::new(), OnceLock::new()]];
    // Read-only mounts do what the filter would, and more precisely.
    let metadata = policy.metadata || rung == Rung::Namespaces;
    let [closed, open] = &BUILT;
    let [without, with] = if policy.network { open } else { closed };
    let built = if metadata { with } else { without };
    if let Some(bytes) = built.get() {
        return Ok(bytes.clone());
    }
    let bytes = build(policy.network, metadata).map_err(io::Error::other)?;
    Ok(built.get_or_init(|| bytes).clone())
}

fn build(network: bool, metadata: bool) -> Result<Vec<u8>, seccompiler::BackendError> {
    let mut decisions: BTreeMap<u32, Decision> = BTreeMap::new();
    let mut refuse = |numbers: &[i64], errno: i32| {
        let numbers = numbers.iter().filter_map(|number| u32::try_from(*number).ok());
        decisions.extend(numbers.map(|number| (number, Decision::Refused(errno.unsigned_abs()))));
    };
    refuse(ALWAYS_DENIED, libc::EPERM);
    refuse(MISSING, libc::ENOSYS);
    if !metadata {
        refuse(METADATA, libc::EPERM);
    }
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    if !network {
        refuse(SOCKETS, libc::EPERM);
        // A pair of connected stream sockets reaches nobody else. A datagram socket could send to, or
        // be connected to, any path or abstract name; the kernel makes SOCK_RAW one of those.
        let kind = |kind: i32| argument(1, SeccompCmpOp::MaskedEq(0xf), kind.unsigned_abs().into());
        rules.insert(libc::SYS_socketpair, vec![kind(libc::SOCK_DGRAM)?, kind(libc::SOCK_RAW)?]);
        // With an address: without, it is `send` on a connected socket.
        rules.insert(libc::SYS_sendto, vec![pointer(4)?]);
    }
    // Own user namespaces give capabilities inside, and with them much of the kernel to attack.
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let flags = namespaces.into_iter().map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        argument(0, SeccompCmpOp::MaskedEq(flag), flag)
    });
    rules.insert(libc::SYS_clone, flags.collect::<Result<_, _>>()?);
    // The limits, processors and priorities of others; 0 is whoever asks.
    for (call, who) in OF_OTHERS {
        rules.insert(*call, vec![argument(*who, SeccompCmpOp::Ne, 0)?]);
    }
    // Typing into a terminal that is shared with a shell outside.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX];
    #[allow(clippy::unnecessary_cast, reason = "the constants' type differs between C libraries")]
    let typing = typing.into_iter().map(|request| argument(1, SeccompCmpOp::Eq, request as u64));
    rules.insert(libc::SYS_ioctl, typing.collect::<Result<_, _>>()?);

    let looked_at = rules.keys().filter_map(|number| u32::try_from(*number).ok());
    decisions.extend(looked_at.map(|number| (number, Decision::Open)));
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, denied, machine)?.try_into()?;
    let decisions: Vec<_> = decisions.into_iter().collect();
    let mut bytes = Vec::new();
    for instruction in numbers::by_number(&decisions).iter().chain(&filter) {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    Ok(bytes)
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)?])
}

/// Matches an argument that is not a null pointer.
fn pointer(index: u8) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(index, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?])
}

/// Calls that answer ENOSYS, as an older kernel would, so that callers fall back to an older way. The
/// flags of clone3 are in memory, where a filter cannot look.
const MISSING: &[i64] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Calls that no compiler, linker or ordinary program needs: other processes' memory, kernel modules,
/// mounts, namespaces, keys, clocks, and whatever names a file without a path that Landlock checks.
const ALWAYS_DENIED: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_personality,
    // Memory and queues that are shared by number or name, without a file.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_shmctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Calls that change how a process runs, and which argument says which process.
const OF_OTHERS: &[(i64, u8)] = &[
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

/// Calls that change a file's metadata. Landlock does not cover them.
const METADATA: &[i64] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    // fchmodat2, which the libc crate does not name on every machine.
    452,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // setxattrat and removexattrat, likewise.
    463,
    466,
    // file_setattr, likewise.
    469,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
];

/// Calls that make a socket or give one an address.
const SOCKETS: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
];
