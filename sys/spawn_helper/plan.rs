//! The words that the library and the spawn helper share: one image, read by the helper from
//! descriptor [`PLAN_FD`], and one answer, written to [`REPORT_FD`] when something fails.
//!
//! An image is a [`Plan`], then whatever its offsets point to. Offsets count bytes from the start of
//! the image; 0 means absent. Tables of strings are `u64` offsets that end with a 0.

/// The first word of every image: the layout below, by version.
pub const MAGIC: u64 = u64::from_le_bytes(*b"vtspawn1");
/// Where the helper writes a [`Report`]; closed by a successful exec.
pub const REPORT_FD: i32 = 3;
/// Where the helper finds the image.
pub const PLAN_FD: i32 = 4;
/// The first of the other inherited descriptors: the Landlock ruleset if there is one, then the
/// `cgroup.procs` files.
pub const FIRST_EXTRA_FD: i32 = 5;
/// Under which number a program finds the descriptor that it was handed ([`Plan::handed`]): above all that
/// the helper itself uses.
pub const HANDED_FD: i32 = 9;
/// The signal, SIGRTMAX-2, that tells the helper to kill all it has started, then itself. It is also
/// its parent-death signal. The last two numbers do not exist under qemu's user emulation, which shifts
/// them past the end.
pub const KILL_TREE: i32 = 62;

/// Lead a new session rather than only a new process group.
pub const FLAG_SESSION: u64 = 1;
/// Set `no_new_privs` and give up every capability.
pub const FLAG_UNPRIVILEGED: u64 = 2;
/// Descriptor [`FIRST_EXTRA_FD`] is a Landlock ruleset to enter.
pub const FLAG_LANDLOCK: u64 = 4;
/// Make every mount read-only but those of [`Plan::writable`]. Needs a mount namespace.
pub const FLAG_READ_ONLY: u64 = 8;

/// What to start, and how.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Plan {
    /// [`MAGIC`].
    pub magic: u64,
    /// `FLAG_*`.
    pub flags: u64,
    /// `CLONE_NEW*` bits for unshare.
    pub namespaces: u64,
    /// Process id of the one who spawns: when the helper's parent is another, it has died.
    pub parent: u64,
    /// Path of the program.
    pub program: u64,
    /// Working directory, or absent.
    pub directory: u64,
    /// Table of the arguments, program name first.
    pub arguments: u64,
    /// Table of the environment's `NAME=value`.
    pub environment: u64,
    /// Table of paths that stay writable under [`FLAG_READ_ONLY`].
    pub writable: u64,
    /// Lines for `/proc/self/uid_map` and `gid_map`, when a user namespace is made.
    pub uid_map: u64,
    /// See `uid_map`.
    pub gid_map: u64,
    /// Offset of the [`Limit`]s.
    pub limits: u64,
    /// How many.
    pub limit_count: u64,
    /// Offset of the seccomp program (8 bytes an instruction), or absent.
    pub filter: u64,
    /// Its instructions.
    pub filter_count: u64,
    /// How many descriptors after the ruleset are `cgroup.procs` files.
    pub cgroups: u64,
    /// 1 when the descriptor after those becomes the program's [`HANDED_FD`].
    pub handed: u64,
}

/// A resource limit, for `prlimit64`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Limit {
    /// `RLIMIT_*`.
    pub resource: u64,
    /// Soft limit.
    pub current: u64,
    /// Hard limit.
    pub maximum: u64,
}

/// A failure: where and why.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Report {
    /// A `STAGE_*`.
    pub stage: u32,
    /// The errno.
    pub errno: u32,
}

/// Reading the image.
pub const STAGE_PLAN: u32 = 1;
/// Leading a group or session.
pub const STAGE_GROUP: u32 = 2;
/// Asking for a signal at the parent's death.
pub const STAGE_DEATH_SIGNAL: u32 = 3;
/// Entering new namespaces.
pub const STAGE_NAMESPACES: u32 = 4;
/// Writing the id maps of the user namespace.
pub const STAGE_ID_MAPS: u32 = 5;
/// Making mounts read-only.
pub const STAGE_MOUNTS: u32 = 6;
/// Starting the namespace's init or the program's process.
pub const STAGE_FORK: u32 = 7;
/// Entering a control group.
pub const STAGE_CGROUP: u32 = 8;
/// Entering the working directory.
pub const STAGE_DIRECTORY: u32 = 9;
/// Setting a resource limit.
pub const STAGE_LIMITS: u32 = 10;
/// Giving up privileges.
pub const STAGE_PRIVILEGES: u32 = 11;
/// Entering the Landlock ruleset.
pub const STAGE_LANDLOCK: u32 = 12;
/// Installing the system-call filter.
pub const STAGE_FILTER: u32 = 13;
/// Starting the program.
pub const STAGE_EXEC: u32 = 14;
