//! How a file is opened and what is known of it, in terms that every system can express.

/// What will be done with an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing but examining it and looking up names in it. Needs no right to read where the system
    /// makes that difference.
    Look,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Both.
    ReadWrite,
}

/// Whether a missing file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Create {
    /// No.
    Never,
    /// Yes.
    Missing,
    /// Yes, and one that is there is an error (`EXIST`).
    New,
}

/// How a file is opened. No child inherits it, and opening never waits: not for the other end of a
/// named pipe either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) access: Access,
    pub(crate) create: Create,
    /// Anything but a directory is an error (`NOTDIR`).
    pub(crate) directory: bool,
    /// When not, a symbolic link at the last name is an error (`LOOP`, or `NOTDIR` where a directory
    /// is wanted).
    pub(crate) follow: bool,
    /// Whether reading leaves the time of last access alone; only the owner may ask for that (`PERM`).
    /// Systems that know no such thing take no notice.
    pub(crate) quiet: bool,
}

impl Open {
    /// Reads a file.
    pub(crate) const READ: Self =
        Self { access: Access::Read, create: Create::Never, directory: false, follow: true, quiet: false };
    /// Reads and writes a file, which is made when it is missing.
    pub(crate) const READ_WRITE: Self = Self {
        access: Access::ReadWrite,
        create: Create::Missing,
        directory: false,
        follow: true,
        quiet: false,
    };
    /// Writes a file, which is made when it is missing.
    pub(crate) const WRITE: Self =
        Self { access: Access::Write, create: Create::Missing, directory: false, follow: true, quiet: false };
    /// Writes a new file.
    pub(crate) const NEW: Self =
        Self { access: Access::Write, create: Create::New, directory: false, follow: false, quiet: false };
    /// Holds a directory, to look up names in it.
    pub(crate) const DIRECTORY: Self =
        Self { access: Access::Look, create: Create::Never, directory: true, follow: true, quiet: false };
    /// Reads, or flushes, a directory.
    pub(crate) const LIST: Self =
        Self { access: Access::Read, create: Create::Never, directory: true, follow: true, quiet: false };

    /// The same, not through a link at the last name.
    pub(crate) const fn no_follow(self) -> Self {
        Self { follow: false, ..self }
    }
}

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    File,
    Directory,
    /// A symbolic link, or what the system has in its place.
    Link,
    Other,
}

/// What a file system says of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) kind: NodeKind,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Permission bits; 0o777 or 0o555 where the system has none.
    pub(crate) mode: u32,
    /// Nanoseconds since 1970.
    pub(crate) modified_ns: i128,
    /// Nanoseconds since 1970.
    pub(crate) changed_ns: i128,
}
