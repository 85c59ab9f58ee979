//! The one error type of this crate.
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

mod errno; // names, kinds, words and hints of every errno
#[cfg(any(test, not(any(target_os = "linux", target_os = "android", windows))))]
mod numbers; // what they are on each system
#[cfg(any(test, windows))]
mod win32; // the same of the codes of Windows

/// What was tried.
///
/// The numbers are stable: they may be stored and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
#[non_exhaustive]
pub enum Op {
    /// Something without a name of its own.
    Other = 0,
    /// Open a file or a directory.
    Open = 1,
    /// Read bytes.
    Read = 2,
    /// Write bytes.
    Write = 3,
    /// Ask for metadata.
    Stat = 4,
    /// Make a directory.
    Create = 5,
    /// Remove a file, a directory or a tree.
    Remove = 6,
    /// Rename.
    Rename = 7,
    /// Make a hard or symbolic link.
    Link = 8,
    /// Read a symbolic link.
    ReadLink = 9,
    /// List a directory.
    List = 10,
    /// Copy contents.
    Copy = 11,
    /// Take or give back a lock.
    Lock = 12,
    /// Flush to the device.
    Sync = 13,
    /// Change permission bits.
    Chmod = 14,
    /// Make a path absolute.
    Resolve = 15,
    /// Look at a file without reading it.
    Examine = 16,
    /// Map memory.
    Map = 17,
    /// Change the protection of memory.
    Protect = 18,
    /// Make memory or a file unchangeable.
    Seal = 19,
    /// Start a program.
    Run = 20,
    /// Send a signal.
    Signal = 21,
    /// Wait for something.
    Wait = 22,
    /// Take a socket address.
    Bind = 23,
    /// Connect a socket.
    Connect = 24,
    /// Ask who is at the other side of a socket.
    Identify = 25,
    /// Tell the service manager.
    Notify = 26,
    /// Take over descriptors of the service manager.
    Activate = 27,
    /// Watch for signals.
    Watch = 28,
    /// Start or place a thread.
    Schedule = 29,
    /// Restrict a process.
    Confine = 30,
    /// Make a pipe or a socket pair.
    Pipe = 31,
    /// Change the size of a file.
    Truncate = 32,
}

impl Op {
    /// Every operation, in the order of the numbers.
    pub const ALL: &[Op] = &[
        Op::Other,
        Op::Open,
        Op::Read,
        Op::Write,
        Op::Stat,
        Op::Create,
        Op::Remove,
        Op::Rename,
        Op::Link,
        Op::ReadLink,
        Op::List,
        Op::Copy,
        Op::Lock,
        Op::Sync,
        Op::Chmod,
        Op::Resolve,
        Op::Examine,
        Op::Map,
        Op::Protect,
        Op::Seal,
        Op::Run,
        Op::Signal,
        Op::Wait,
        Op::Bind,
        Op::Connect,
        Op::Identify,
        Op::Notify,
        Op::Activate,
        Op::Watch,
        Op::Schedule,
        Op::Confine,
        Op::Pipe,
        Op::Truncate,
    ];

    /// The verb, as it stands in `cannot VERB ...`.
    pub fn verb(self) -> &'static str {
        match self {
            Op::Other => "use",
            Op::Open => "open",
            Op::Read => "read",
            Op::Write => "write",
            Op::Stat => "stat",
            Op::Create => "create",
            Op::Remove => "remove",
            Op::Rename => "rename",
            Op::Link => "link",
            Op::ReadLink => "read the link",
            Op::List => "list",
            Op::Copy => "copy",
            Op::Lock => "lock",
            Op::Sync => "flush",
            Op::Chmod => "chmod",
            Op::Resolve => "resolve",
            Op::Examine => "examine",
            Op::Map => "map",
            Op::Protect => "protect",
            Op::Seal => "seal",
            Op::Run => "run",
            Op::Signal => "signal",
            Op::Wait => "wait for",
            Op::Bind => "bind",
            Op::Connect => "connect to",
            Op::Identify => "identify",
            Op::Notify => "notify",
            Op::Activate => "take over",
            Op::Watch => "watch",
            Op::Schedule => "schedule",
            Op::Confine => "confine",
            Op::Pipe => "make",
            Op::Truncate => "truncate",
        }
    }
}

/// The operation with this verb; [`Op::Other`] when none has it.
impl From<&'static str> for Op {
    fn from(verb: &'static str) -> Self {
        Op::ALL.iter().copied().find(|op| op.verb() == verb).unwrap_or(Op::Other)
    }
}

/// Which of a service's answers a failure becomes: the canonical codes of gRPC, whose numbers these
/// are (`google/rpc/code.proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Somebody stopped it, or a signal interrupted it.
    Cancelled = 1,
    /// No better kind fits, because a message of ours says it all.
    Unknown = 2,
    /// The caller's mistake, whatever the state of the system.
    InvalidArgument = 3,
    /// It took too long.
    DeadlineExceeded = 4,
    /// It is not there.
    NotFound = 5,
    /// It is there already.
    AlreadyExists = 6,
    /// This user may not.
    PermissionDenied = 7,
    /// Space, memory, descriptors or a quota are used up.
    ResourceExhausted = 8,
    /// The system must be changed first; trying again as it is will not help.
    FailedPrecondition = 9,
    /// Somebody else was in the way; start over.
    Aborted = 10,
    /// A number too large or too small.
    OutOfRange = 11,
    /// This machine cannot do it.
    Unimplemented = 12,
    /// An answer that should not occur.
    Internal = 13,
    /// Try again later.
    Unavailable = 14,
    /// Data is lost or damaged.
    DataLoss = 15,
}

/// The system's answer, and whose numbers it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// An errno.
    Posix(i32),
    /// A Win32 error code.
    Win32(i32),
    /// We refused by ourselves: the kernel was not asked, or its answer did not suffice.
    Refused(io::ErrorKind),
}

/// A system call failed: what was tried, on what, and the system's answer.
///
/// Two words, so that a `Result` stays small; a path is kept where there is one.
pub struct SysError {
    op: Op,
    /// An errno above zero; zero when `context` holds a refusal.
    errno: i32,
    context: Option<Box<Context>>,
}

#[derive(Default)]
struct Context {
    path: PathBuf,
    /// The other path of a rename, link or copy.
    second: Option<PathBuf>,
    /// Kind and words of an error that is not the kernel's.
    refusal: Option<(io::ErrorKind, String)>,
}

impl SysError {
    /// An error about `path`. An operation is an [`Op`] or its verb.
    pub fn new(op: impl Into<Op>, path: &Path, source: impl Into<io::Error>) -> Self {
        let (errno, refusal) = split(&source.into());
        Self {
            op: op.into(),
            errno,
            context: Some(Box::new(Context { path: path.to_path_buf(), second: None, refusal })),
        }
    }

    /// An error about nothing that has a path. Allocates nothing when the kernel answered.
    pub fn bare(op: Op, source: impl Into<io::Error>) -> Self {
        let (errno, refusal) = split(&source.into());
        let context =
            refusal.map(|refusal| Box::new(Context { refusal: Some(refusal), ..Context::default() }));
        Self { op, errno, context }
    }

    /// The same error, about a second path too.
    #[must_use]
    pub fn and(mut self, second: &Path) -> Self {
        self.context.get_or_insert_default().second = Some(second.to_path_buf());
        self
    }

    /// What was tried.
    pub fn op(&self) -> Op {
        self.op
    }

    /// What it was about: a path, or the program for processes. Empty when nothing had a path.
    pub fn path(&self) -> &Path {
        self.context.as_ref().map_or(Path::new(""), |context| &context.path)
    }

    /// The other path of a rename, link or copy.
    pub fn second_path(&self) -> Option<&Path> {
        self.context.as_ref().and_then(|context| context.second.as_deref())
    }

    /// The system's answer.
    pub fn code(&self) -> Code {
        match self.refusal() {
            Some((kind, _)) => Code::Refused(*kind),
            None if cfg!(windows) => Code::Win32(self.errno),
            None => Code::Posix(self.errno),
        }
    }

    /// The errno, or on Windows the error code, when the error came from the kernel.
    pub fn errno(&self) -> Option<i32> {
        match self.code() {
            Code::Posix(errno) | Code::Win32(errno) => Some(errno),
            Code::Refused(_) => None,
        }
    }

    /// The errno's name, such as `ENOSPC`.
    pub fn errno_name(&self) -> Option<&'static str> {
        self.errno().and_then(errno::find).map(|row| row.name)
    }

    /// The standard library's kind of the system's answer.
    pub fn kind(&self) -> io::ErrorKind {
        match self.code() {
            Code::Posix(errno) | Code::Win32(errno) => io::Error::from_raw_os_error(errno).kind(),
            Code::Refused(kind) => kind,
        }
    }

    /// What a service answers to its caller. Total: every errno has one.
    pub fn service_kind(&self) -> Kind {
        match self.code() {
            Code::Posix(errno) | Code::Win32(errno) => {
                errno::find(errno).map_or(Kind::Internal, |row| row.kind)
            }
            Code::Refused(kind) => match kind {
                io::ErrorKind::NotFound => Kind::NotFound,
                io::ErrorKind::PermissionDenied => Kind::PermissionDenied,
                io::ErrorKind::AlreadyExists => Kind::AlreadyExists,
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => Kind::InvalidArgument,
                io::ErrorKind::TimedOut => Kind::DeadlineExceeded,
                io::ErrorKind::Unsupported => Kind::Unimplemented,
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Kind::DataLoss,
                io::ErrorKind::OutOfMemory | io::ErrorKind::FileTooLarge => Kind::ResourceExhausted,
                io::ErrorKind::WouldBlock => Kind::Unavailable,
                _ => Kind::Unknown,
            },
        }
    }

    /// A code for documentation and search that no release changes: `V-SYS-0028` is ENOSPC,
    /// `V-SYS-W0005` Windows' ERROR_ACCESS_DENIED, `V-SYS-1000` a refusal of ours.
    pub fn stable_code(&self) -> String {
        match self.code() {
            Code::Posix(errno) => {
                format!("V-SYS-{:04}", errno::find(errno).map_or(errno, |row| row.number))
            }
            Code::Win32(code) => format!("V-SYS-W{code:04}"),
            Code::Refused(_) => "V-SYS-1000".to_owned(),
        }
    }

    /// What the reader may do about it.
    pub fn hint(&self) -> Option<&'static str> {
        self.errno().and_then(errno::find).and_then(|row| row.hint)
    }

    /// The answer as an error of the standard library; operation and path are lost.
    pub fn to_io(&self) -> io::Error {
        match self.refusal() {
            Some((kind, words)) => io::Error::new(*kind, words.clone()),
            None => io::Error::from_raw_os_error(self.errno),
        }
    }

    fn refusal(&self) -> Option<&(io::ErrorKind, String)> {
        self.context.as_ref().and_then(|context| context.refusal.as_ref())
    }
}

/// The errno, or zero and the words.
fn split(source: &io::Error) -> (i32, Option<(io::ErrorKind, String)>) {
    match source.raw_os_error() {
        Some(errno) => (errno, None),
        None => (0, Some((source.kind(), source.to_string()))),
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.op.verb())?;
        if !self.path().as_os_str().is_empty() {
            write!(f, " `{}`", self.path().display())?;
        }
        if let Some(second) = self.second_path() {
            write!(f, " to `{}`", second.display())?;
        }
        match (self.refusal(), errno::find(self.errno)) {
            (Some((_, words)), _) => write!(f, ": {words}"),
            (None, Some(row)) => match row.hint {
                Some(hint) => write!(f, ": {} ({}); {hint}", row.words, row.name),
                None => write!(f, ": {} ({})", row.words, row.name),
            },
            (None, None) => write!(f, ": error {}", self.errno),
        }
    }
}

impl fmt::Debug for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SysError")
            .field("op", &self.op)
            .field("code", &self.code())
            .field("path", &self.path())
            .field("second_path", &self.second_path())
            .finish()
    }
}

impl std::error::Error for SysError {}

impl From<SysError> for io::Error {
    fn from(error: SysError) -> Self {
        error.to_io()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_two_words() {
        assert_eq!(size_of::<SysError>(), 16);
        assert!(SysError::bare(Op::Read, io::Error::from_raw_os_error(2)).context.is_none());
    }

    #[cfg(unix)]
    #[test]
    fn one_line_says_what_where_and_why() {
        let full = SysError::new(Op::Write, Path::new("/x"), io::Error::from_raw_os_error(28));
        assert_eq!(
            full.to_string(),
            "cannot write `/x`: no space left on device (ENOSPC); free some space or use another file system"
        );
        assert_eq!(full.stable_code(), "V-SYS-0028");
        assert_eq!(full.service_kind(), Kind::ResourceExhausted);
        let twice = SysError::new(Op::Rename, Path::new("a"), io::Error::from_raw_os_error(2));
        assert_eq!(
            twice.and(Path::new("b")).to_string(),
            "cannot rename `a` to `b`: no such file or directory (ENOENT)"
        );
    }

    #[cfg(windows)]
    #[test]
    fn codes_of_windows_have_lines_of_their_own() {
        let denied = SysError::new(Op::Write, Path::new("x"), io::Error::from_raw_os_error(5));
        assert_eq!(denied.code(), Code::Win32(5));
        assert_eq!(
            denied.to_string(),
            "cannot write `x`: access denied (ERROR_ACCESS_DENIED); this user may not do it, or another \
             program holds it"
        );
        assert_eq!(denied.stable_code(), "V-SYS-W0005");
        assert_eq!(denied.service_kind(), Kind::PermissionDenied);
    }

    #[test]
    fn a_refusal_of_ours_has_its_words() {
        let refused =
            SysError::new("bind", Path::new("s"), io::Error::new(io::ErrorKind::InvalidInput, "long"));
        assert_eq!(refused.to_string(), "cannot bind `s`: long");
        assert_eq!((refused.op(), refused.errno()), (Op::Bind, None));
        assert_eq!(refused.service_kind(), Kind::InvalidArgument);
        assert_eq!(refused.to_io().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn verbs_and_numbers_name_one_operation_each() {
        for (number, op) in Op::ALL.iter().enumerate() {
            assert_eq!(*op as usize, number);
            assert_eq!(Op::from(op.verb()), *op);
        }
        assert_eq!(Op::from("dance"), Op::Other);
    }

    #[test]
    fn every_number_has_a_kind_and_a_line() {
        for errno in -1..=200 {
            let error = SysError::bare(Op::Open, io::Error::from_raw_os_error(errno));
            let _ = error.service_kind();
            assert!(!error.to_string().contains('\n'));
        }
    }
}
