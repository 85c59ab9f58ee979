//! Every errno: its name, its kind, its words, and what to do about it.
//!
//! An errno has one stable number everywhere, the tail of the stable code `V-SYS-nnnn`. Up to 200 they
//! are Linux's own (`asm-generic/errno.h`, which x86-64, AArch64 and RISC-V share); those that Linux
//! does not have follow. The words are those of strerror(3). What number a name has on other systems is
//! in `numbers.rs`.
use super::Kind::{
    self, Aborted, AlreadyExists, Cancelled, DataLoss, DeadlineExceeded, FailedPrecondition, Internal,
    InvalidArgument, NotFound, OutOfRange, PermissionDenied, ResourceExhausted, Unavailable, Unimplemented,
};

/// What is known of one errno.
pub(super) struct Row {
    /// The stable number.
    pub(super) number: i32,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) words: &'static str,
    pub(super) hint: Option<&'static str>,
}

/// The row of what this system calls `number`, if it has such an errno.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn find(number: i32) -> Option<&'static Row> {
    if number <= LINUX_MAX { stable(number) } else { None }
}

/// The row of what this system calls `number`, if it has such an errno.
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
pub(super) fn find(number: i32) -> Option<&'static Row> {
    by_name(name_in(super::numbers::OURS, number)?)
}

/// Windows answers with codes of its own.
#[cfg(windows)]
pub(super) use super::win32::find;

/// The name of `number` on the system with these numbers.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android", windows))))]
fn name_in(numbers: super::numbers::Numbers, number: i32) -> Option<&'static str> {
    let at = numbers.binary_search_by_key(&number, |(number, _)| *number).ok()?;
    numbers.get(at).map(|(_, name)| *name)
}

/// The row of the errno called `name`.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android", windows))))]
fn by_name(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// The row with this stable number.
#[cfg(any(test, target_os = "linux", target_os = "android"))]
fn stable(number: i32) -> Option<&'static Row> {
    ROWS.binary_search_by_key(&number, |row| row.number).ok().and_then(|index| ROWS.get(index))
}

/// The last errno that Linux has.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LINUX_MAX: i32 = 133;

pub(super) const fn row(
    number: i32,
    name: &'static str,
    kind: Kind,
    words: &'static str,
    hint: Option<&'static str>,
) -> Row {
    Row { number, name, kind, words, hint }
}

/// Sorted by number. 41 and 58 are not errors of Linux; EWOULDBLOCK is EAGAIN, EDEADLOCK is EDEADLK.
#[cfg_attr(all(windows, not(test)), allow(dead_code, reason = "Windows answers with codes of its own"))]
#[rustfmt::skip]
static ROWS: &[Row] = &[
    row(1, "EPERM", PermissionDenied, "operation not permitted", Some("this user, or the sandbox around this process, may not do it")),
    row(2, "ENOENT", NotFound, "no such file or directory", None),
    row(3, "ESRCH", NotFound, "no such process", None),
    row(4, "EINTR", Cancelled, "interrupted system call", None),
    row(5, "EIO", DataLoss, "input/output error", Some("the device reports an error; see the kernel's log")),
    row(6, "ENXIO", NotFound, "no such device or address", None),
    row(7, "E2BIG", InvalidArgument, "argument list too long", None),
    row(8, "ENOEXEC", InvalidArgument, "exec format error", None),
    row(9, "EBADF", InvalidArgument, "bad file descriptor", None),
    row(10, "ECHILD", NotFound, "no child processes", None),
    row(11, "EAGAIN", Unavailable, "resource temporarily unavailable", Some("try again later")),
    row(12, "ENOMEM", ResourceExhausted, "cannot allocate memory", Some("memory or the limit on mappings is used up")),
    row(13, "EACCES", PermissionDenied, "permission denied", Some("check who owns it and its mode")),
    row(14, "EFAULT", InvalidArgument, "bad address", None),
    row(15, "ENOTBLK", InvalidArgument, "block device required", None),
    row(16, "EBUSY", Unavailable, "device or resource busy", Some("another program uses it")),
    row(17, "EEXIST", AlreadyExists, "file exists", None),
    row(18, "EXDEV", FailedPrecondition, "invalid cross-device link", Some("the path leaves its directory or its file system")),
    row(19, "ENODEV", NotFound, "no such device", None),
    row(20, "ENOTDIR", NotFound, "not a directory", None),
    row(21, "EISDIR", FailedPrecondition, "is a directory", None),
    row(22, "EINVAL", InvalidArgument, "invalid argument", None),
    row(23, "ENFILE", ResourceExhausted, "too many open files in system", Some("the whole system has too many open files")),
    row(24, "EMFILE", ResourceExhausted, "too many open files", Some("raise the limit of open files (`ulimit -n`)")),
    row(25, "ENOTTY", InvalidArgument, "inappropriate ioctl for device", None),
    row(26, "ETXTBSY", Unavailable, "text file busy", Some("the program is running; end it first")),
    row(27, "EFBIG", ResourceExhausted, "file too large", None),
    row(28, "ENOSPC", ResourceExhausted, "no space left on device", Some("free some space or use another file system")),
    row(29, "ESPIPE", InvalidArgument, "illegal seek", None),
    row(30, "EROFS", PermissionDenied, "read-only file system", Some("the file system is mounted read-only")),
    row(31, "EMLINK", FailedPrecondition, "too many links", None),
    row(32, "EPIPE", FailedPrecondition, "broken pipe", None),
    row(33, "EDOM", InvalidArgument, "numerical argument out of domain", None),
    row(34, "ERANGE", OutOfRange, "numerical result out of range", None),
    row(35, "EDEADLK", Aborted, "resource deadlock avoided", None),
    row(36, "ENAMETOOLONG", InvalidArgument, "file name too long", Some("shorten the path")),
    row(37, "ENOLCK", ResourceExhausted, "no locks available", None),
    row(38, "ENOSYS", Unimplemented, "function not implemented", Some("the kernel is too old, or the sandbox around this process hides the call")),
    row(39, "ENOTEMPTY", FailedPrecondition, "directory not empty", Some("remove its contents first")),
    row(40, "ELOOP", InvalidArgument, "too many levels of symbolic links", Some("symbolic links form a circle, or are not allowed here")),
    row(42, "ENOMSG", Internal, "no message of desired type", None),
    row(43, "EIDRM", Internal, "identifier removed", None),
    row(44, "ECHRNG", OutOfRange, "channel number out of range", None),
    row(45, "EL2NSYNC", DataLoss, "level 2 not synchronized", None),
    row(46, "EL3HLT", DataLoss, "level 3 halted", None),
    row(47, "EL3RST", DataLoss, "level 3 reset", None),
    row(48, "ELNRNG", Internal, "link number out of range", None),
    row(49, "EUNATCH", FailedPrecondition, "protocol driver not attached", None),
    row(50, "ENOCSI", Unavailable, "no CSI structure available", None),
    row(51, "EL2HLT", DataLoss, "level 2 halted", None),
    row(52, "EBADE", FailedPrecondition, "invalid exchange", None),
    row(53, "EBADR", InvalidArgument, "invalid request descriptor", None),
    row(54, "EXFULL", ResourceExhausted, "exchange full", None),
    row(55, "ENOANO", FailedPrecondition, "no anode", None),
    row(56, "EBADRQC", InvalidArgument, "invalid request code", None),
    row(57, "EBADSLT", InvalidArgument, "invalid slot", None),
    row(59, "EBFONT", Internal, "bad font file format", None),
    row(60, "ENOSTR", Internal, "device not a stream", None),
    row(61, "ENODATA", NotFound, "no data available", None),
    row(62, "ETIME", DeadlineExceeded, "timer expired", None),
    row(63, "ENOSR", ResourceExhausted, "out of streams resources", None),
    row(64, "ENONET", Unavailable, "machine is not on the network", None),
    row(65, "ENOPKG", Unavailable, "package not installed", None),
    row(66, "EREMOTE", Unavailable, "object is remote", None),
    row(67, "ENOLINK", Unavailable, "link has been severed", None),
    row(68, "EADV", Internal, "advertise error", None),
    row(69, "ESRMNT", Internal, "srmount error", None),
    row(70, "ECOMM", Unavailable, "communication error on send", None),
    row(71, "EPROTO", Internal, "protocol error", None),
    row(72, "EMULTIHOP", Internal, "multihop attempted", None),
    row(73, "EDOTDOT", Internal, "RFS specific error", None),
    row(74, "EBADMSG", DataLoss, "bad message", None),
    row(75, "EOVERFLOW", OutOfRange, "value too large for defined data type", None),
    row(76, "ENOTUNIQ", FailedPrecondition, "name not unique on network", None),
    row(77, "EBADFD", InvalidArgument, "file descriptor in bad state", None),
    row(78, "EREMCHG", Internal, "remote address changed", None),
    row(79, "ELIBACC", Internal, "can not access a needed shared library", None),
    row(80, "ELIBBAD", Internal, "accessing a corrupted shared library", None),
    row(81, "ELIBSCN", Internal, ".lib section in a.out corrupted", None),
    row(82, "ELIBMAX", Internal, "attempting to link in too many shared libraries", None),
    row(83, "ELIBEXEC", Internal, "cannot exec a shared library directly", None),
    row(84, "EILSEQ", InvalidArgument, "invalid or incomplete multibyte or wide character", None),
    row(85, "ERESTART", Unavailable, "interrupted system call should be restarted", None),
    row(86, "ESTRPIPE", Unavailable, "streams pipe error", None),
    row(87, "EUSERS", ResourceExhausted, "too many users", None),
    row(88, "ENOTSOCK", InvalidArgument, "socket operation on non-socket", None),
    row(89, "EDESTADDRREQ", InvalidArgument, "destination address required", None),
    row(90, "EMSGSIZE", InvalidArgument, "message too long", None),
    row(91, "EPROTOTYPE", InvalidArgument, "protocol wrong type for socket", None),
    row(92, "ENOPROTOOPT", Unimplemented, "protocol not available", None),
    row(93, "EPROTONOSUPPORT", Unimplemented, "protocol not supported", None),
    row(94, "ESOCKTNOSUPPORT", Unimplemented, "socket type not supported", None),
    row(95, "EOPNOTSUPP", Unimplemented, "operation not supported", None),
    row(96, "EPFNOSUPPORT", Unimplemented, "protocol family not supported", None),
    row(97, "EAFNOSUPPORT", InvalidArgument, "address family not supported by protocol", None),
    row(98, "EADDRINUSE", AlreadyExists, "address already in use", Some("another program listens there")),
    row(99, "EADDRNOTAVAIL", Unavailable, "cannot assign requested address", None),
    row(100, "ENETDOWN", Unavailable, "network is down", None),
    row(101, "ENETUNREACH", Unavailable, "network is unreachable", None),
    row(102, "ENETRESET", Unavailable, "network dropped connection on reset", None),
    row(103, "ECONNABORTED", Unavailable, "software caused connection abort", None),
    row(104, "ECONNRESET", Unavailable, "connection reset by peer", None),
    row(105, "ENOBUFS", ResourceExhausted, "no buffer space available", None),
    row(106, "EISCONN", AlreadyExists, "transport endpoint is already connected", None),
    row(107, "ENOTCONN", Unavailable, "transport endpoint is not connected", None),
    row(108, "ESHUTDOWN", FailedPrecondition, "cannot send after transport endpoint shutdown", None),
    row(109, "ETOOMANYREFS", ResourceExhausted, "too many references: cannot splice", None),
    row(110, "ETIMEDOUT", DeadlineExceeded, "connection timed out", None),
    row(111, "ECONNREFUSED", Unavailable, "connection refused", Some("nobody listens there")),
    row(112, "EHOSTDOWN", Unavailable, "host is down", None),
    row(113, "EHOSTUNREACH", Unavailable, "no route to host", None),
    row(114, "EALREADY", AlreadyExists, "operation already in progress", None),
    row(115, "EINPROGRESS", Unavailable, "operation now in progress", None),
    row(116, "ESTALE", FailedPrecondition, "stale file handle", Some("the file's server has forgotten it; open it again")),
    row(117, "EUCLEAN", DataLoss, "structure needs cleaning", None),
    row(118, "ENOTNAM", FailedPrecondition, "not a XENIX named type file", None),
    row(119, "ENAVAIL", FailedPrecondition, "no XENIX semaphores available", None),
    row(120, "EISNAM", FailedPrecondition, "is a named type file", None),
    row(121, "EREMOTEIO", Unavailable, "remote I/O error", None),
    row(122, "EDQUOT", ResourceExhausted, "disk quota exceeded", Some("the user's quota is used up")),
    row(123, "ENOMEDIUM", Unavailable, "no medium found", None),
    row(124, "EMEDIUMTYPE", Internal, "wrong medium type", None),
    row(125, "ECANCELED", Cancelled, "operation canceled", None),
    row(126, "ENOKEY", NotFound, "required key not available", None),
    row(127, "EKEYEXPIRED", PermissionDenied, "key has expired", None),
    row(128, "EKEYREVOKED", PermissionDenied, "key has been revoked", None),
    row(129, "EKEYREJECTED", PermissionDenied, "key was rejected by service", None),
    row(130, "EOWNERDEAD", FailedPrecondition, "owner died", None),
    row(131, "ENOTRECOVERABLE", DataLoss, "state not recoverable", None),
    row(132, "ERFKILL", PermissionDenied, "operation not possible due to RF-kill", None),
    row(133, "EHWPOISON", DataLoss, "memory page has hardware error", None),
    row(201, "ENOTSUP", Unimplemented, "operation not supported", None),
    row(202, "EPROCLIM", ResourceExhausted, "too many processes", Some("end some, or raise the limit of processes (`ulimit -u`)")),
    row(203, "EBADRPC", Internal, "RPC struct is bad", None),
    row(204, "ERPCMISMATCH", Unimplemented, "RPC version wrong", None),
    row(205, "EPROGUNAVAIL", Unavailable, "RPC program not available", None),
    row(206, "EPROGMISMATCH", Unimplemented, "RPC program version wrong", None),
    row(207, "EPROCUNAVAIL", Unimplemented, "bad procedure for program", None),
    row(208, "EFTYPE", InvalidArgument, "inappropriate file type or format", None),
    row(209, "EAUTH", PermissionDenied, "authentication error", None),
    row(210, "ENEEDAUTH", PermissionDenied, "need authenticator", None),
    row(211, "EPWROFF", Unavailable, "device power is off", None),
    row(212, "EDEVERR", DataLoss, "device error", Some("the device reports an error; see the kernel's log")),
    row(213, "EBADEXEC", InvalidArgument, "bad executable", None),
    row(214, "EBADARCH", InvalidArgument, "bad CPU type in executable", Some("the program is for another kind of processor")),
    row(215, "ESHLIBVERS", FailedPrecondition, "shared library version mismatch", None),
    row(216, "EBADMACHO", InvalidArgument, "malformed Mach-O file", None),
    row(217, "ENOATTR", NotFound, "attribute not found", None),
    row(218, "ENOPOLICY", FailedPrecondition, "policy not found", None),
    row(219, "EQFULL", ResourceExhausted, "interface output queue is full", None),
    row(220, "ENOTCAPABLE", PermissionDenied, "capabilities insufficient", Some("the sandbox around this process forbids it")),
    row(221, "EDOOFUS", Internal, "programming error", None),
    row(222, "ECAPMODE", PermissionDenied, "not permitted in capability mode", Some("the sandbox around this process forbids it")),
    row(223, "EINTEGRITY", DataLoss, "integrity check failed", None),
    row(224, "EASYNC", Internal, "asynchronous operation in progress", None),
    row(225, "EIPSEC", Internal, "IPsec processing failure", None),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::numbers::{DARWIN, DRAGONFLY, FREEBSD, NETBSD, OPENBSD, WASI};
    use super::*;

    #[test]
    fn every_errno_of_every_system_has_a_row() {
        let systems =
            [(DARWIN, 107), (DRAGONFLY, 96), (FREEBSD, 97), (NETBSD, 98), (OPENBSD, 95), (WASI, 76)];
        for (numbers, count) in systems {
            assert!(numbers.is_sorted_by(|one, next| one.0 < next.0));
            for (number, name) in numbers {
                let row = by_name(name_in(numbers, *number).unwrap());
                assert_eq!(row.map(|row| row.name), Some(*name));
            }
            assert_eq!(numbers.len(), count);
        }
    }

    #[test]
    fn rows_are_sorted_and_names_unique() {
        assert!(ROWS.is_sorted_by(|one, next| one.number < next.number));
        for row in ROWS {
            assert_eq!(by_name(row.name).unwrap().number, row.number);
            assert_eq!(stable(row.number).unwrap().name, row.name);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_has_its_own_numbers() {
        assert_eq!(find(libc::EHWPOISON).map(|row| row.name), Some("EHWPOISON"));
        assert_eq!(find(libc::ENOTSUP).map(|row| row.name), Some("EOPNOTSUPP"));
        assert!((1..=LINUX_MAX).all(|number| find(number).is_some() || [41, 58].contains(&number)));
        assert!(find(0).is_none() && find(201).is_none());
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn the_words_are_those_of_the_c_library() {
        for number in (1..=133).filter(|number| ![41, 58].contains(number)) {
            let row = find(number).unwrap();
            assert!(row.name.starts_with('E') && !row.words.is_empty(), "{number}");
            let libc_words = std::io::Error::from_raw_os_error(number).to_string().to_lowercase();
            assert!(libc_words.starts_with(&row.words.to_lowercase()), "{libc_words} is not {}", row.words);
        }
        assert!(find(0).is_none() && find(41).is_none() && find(134).is_none() && find(-1).is_none());
    }
}
