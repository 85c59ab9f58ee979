//! What is mounted where: proc_pid_mountinfo(5).
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::{Op, SysError};

/// File systems whose files may change on another machine, or below the kernel, without an event here.
const REMOTE: [&str; 20] = [
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "prl_fs",
    "smb3",
    "smbfs",
    "vboxsf",
];
/// The table of a container host can be long; a longer one than this is not read to its end.
const TABLE_MAX: usize = 16 << 20;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub path: PathBuf,
    /// Its type, such as `ext4`, `nfs4` or `fuse.sshfs`.
    pub kind: String,
}

impl Mount {
    /// Whether its files may change without an event on this machine. Everything over FUSE counts,
    /// because nothing says what stands behind it.
    pub fn is_remote(&self) -> bool {
        let kind = self.kind.as_str();
        REMOTE.contains(&kind) || kind == "virtiofs" || kind == "fuse" || kind.starts_with("fuse.")
    }
}

/// The mounts that this process sees, and whether they have changed.
#[derive(Debug)]
pub struct MountTable {
    file: File,
}

impl MountTable {
    /// Opens the table.
    ///
    /// # Errors
    /// `ENOENT` where there is no procfs.
    pub fn open() -> Result<Self, SysError> {
        let path = Path::new("/proc/self/mountinfo");
        let file = File::open(path).map_err(|error| SysError::new(Op::Open, path, error))?;
        Ok(Self { file })
    }

    /// Whether something was mounted or unmounted since this was asked last, or since the table was
    /// opened. One system call.
    pub fn has_changed(&self) -> bool {
        let mut fds = [PollFd::new(&self.file, PollFlags::PRI)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A kernel that cannot tell is answered as one with nothing to tell.
        rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
            && fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR)
    }

    /// All mounts; where several stand at one path, the last is the one that is seen.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn read(&self) -> Result<Vec<Mount>, SysError> {
        let mut bytes = vec![0; 64 << 10];
        let mut length = 0;
        loop {
            let count = self
                .file
                .read_at(&mut bytes[length..], length as u64)
                .map_err(|error| SysError::bare(Op::Read, error))?;
            length += count;
            if count == 0 || length >= TABLE_MAX {
                break;
            }
            if length == bytes.len() {
                bytes.resize(2 * length, 0);
            }
        }
        Ok(bytes[..length].split(|&byte| byte == b'\n').filter_map(parse).collect())
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: the fifth field, and the one after
/// the lone dash.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let path = PathBuf::from(OsString::from_vec(unescape(fields.nth(4)?)));
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount { path, kind: String::from_utf8_lossy(kind).into_owned() })
}

/// Space, tab, line end and backslash stand as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'\\', digits @ ..] => digits.get(..3).and_then(octal),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                out.push(byte);
                rest = &rest[4..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_understood() {
        let mount =
            parse(b"36 35 98:0 / /mnt/my\\040disk\\134 rw,noatime master:1 shared:2 - fuse.sshfs host:/ rw")
                .unwrap();
        assert_eq!(mount, Mount { path: "/mnt/my disk\\".into(), kind: "fuse.sshfs".into() });
        assert!(mount.is_remote());
        assert_eq!(
            parse(b"36 35 98:0 / / rw - ext4 /dev/vda rw").map(|mount| mount.is_remote()),
            Some(false)
        );
        for wrong in [b"".as_slice(), b"1 2 3", b"36 35 98:0 / /mnt rw", b"36 35 98:0 / /mnt rw -"] {
            assert_eq!(parse(wrong), None);
        }
        assert_eq!(unescape(b"\\04"), b"\\04");
        assert_eq!(unescape(b"a\\999b"), b"a\\999b");
    }

    #[test]
    fn there_is_a_root() {
        let table = MountTable::open().unwrap();
        assert!(table.read().unwrap().iter().any(|mount| mount.path == Path::new("/")));
        table.has_changed();
        assert!(!table.has_changed(), "nothing was mounted in between");
    }
}
