//! Where everything is.
//!
//! ```text
//! format                    "vitte-store 1"
//! cas/ab/HASH-SIZE          a blob, whose bytes hash to HASH (which begins with ab) and are SIZE
//! cas/ab/HASH-SIZE.zst      the same as zstd, behind a skippable frame with the checksum of what follows
//! ac/ab/KEY                 the record of an action
//! pins/NAME                 digests that are never collected
//! leases/PID-NUMBER         digests that are not collected while PID holds a lock on the file
//! counters                  hits and misses so far
//! index.vitte/              sizes and last uses (sled), owned by whoever holds index.lock
//! index.lock  collect.lock
//! tmp/                      entries that are being written
//! ```
//! Files below `cas` and `ac` appear by rename from `tmp`, have mode 0444, and are never changed. Their modification time is their last use, give or take [`TOUCH_AFTER`].
use std::fmt;
use std::time::Duration;

use crate::digest::{ActionKey, Digest, Hex, parse_hex, parse_size};

/// The format that this version writes, and the latest it reads.
pub(crate) const FORMAT: u32 = 1;

pub(crate) const FORMAT_FILE: &str = "format";
pub(crate) const INDEX: &str = "index.vitte";
pub(crate) const INDEX_LOCK: &str = "index.lock";
pub(crate) const COLLECT_LOCK: &str = "collect.lock";
pub(crate) const COUNTERS: &str = "counters";
pub(crate) const PINS: &str = "pins";
pub(crate) const TEMPORARY: &str = "tmp";
pub(crate) const LEASES: &str = "leases";

/// Permission bits of entries: nobody writes them again.
pub(crate) const ENTRY_MODE: u32 = 0o444;

/// A last use is written to the entry itself when it is so much later than what is there. Well below any
/// sensible grace, so that other processes see in time that an entry is in use.
pub(crate) const TOUCH_AFTER: Duration = Duration::from_secs(20);

/// A temporary file older than this was left by a process that died.
pub(crate) const TEMPORARY_AGE_MAX: Duration = Duration::from_secs(3600);

/// What kind of entry something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A blob.
    Blob,
    /// The record of an action.
    Action,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 2] = [Kind::Blob, Kind::Action];

    /// The folder of its entries.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Kind::Blob => "cas",
            Kind::Action => "ac",
        }
    }

    /// The folder of those of its entries whose hash begins with `first`.
    pub(crate) fn shard(self, first: u8) -> String {
        format!("{}/{}", self.folder(), Hex(&[first]))
    }
}

/// The name of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// A blob.
    Blob(Digest),
    /// The record of an action.
    Action(ActionKey),
}

/// How the bytes of an entry are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Plain,
    /// As zstd.
    Packed,
}

impl Entry {
    /// What kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Entry::Blob(_) => Kind::Blob,
            Entry::Action(_) => Kind::Action,
        }
    }

    pub(crate) const fn hash(&self) -> &[u8; 32] {
        match self {
            Entry::Blob(digest) => digest.hash(),
            Entry::Action(key) => key.as_bytes(),
        }
    }

    /// Where it is, relative to the store's folder.
    pub(crate) fn path(&self, form: Form) -> String {
        let hash = self.hash();
        let folder = self.kind().folder();
        let shard = Hex(hash.get(..1).unwrap_or_default());
        match (self, form) {
            (Entry::Action(_), Form::Plain | Form::Packed) => format!("{folder}/{shard}/{}", Hex(hash)),
            (Entry::Blob(digest), Form::Plain) => format!("{folder}/{shard}/{}-{}", Hex(hash), digest.size()),
            (Entry::Blob(digest), Form::Packed) => {
                format!("{folder}/{shard}/{}-{}.zst", Hex(hash), digest.size())
            }
        }
    }

    /// The entry that a file called `name` is, in the folder of `kind` for hashes that begin with `first`.
    pub(crate) fn parse(kind: Kind, first: u8, name: &str) -> Option<(Self, Form)> {
        let (entry, form) = match kind {
            Kind::Action => (Entry::Action(ActionKey::from_bytes(parse_hex(name)?)), Form::Plain),
            Kind::Blob => {
                let (hash, rest) = name.split_once('-')?;
                let (size, form) = match rest.strip_suffix(".zst") {
                    Some(size) => (size, Form::Packed),
                    None => (rest, Form::Plain),
                };
                (Entry::Blob(Digest::new(parse_hex(hash)?, parse_size(size)?)), form)
            }
        };
        (entry.hash().first() == Some(&first)).then_some((entry, form))
    }

    /// Its key in the index: the kind, then the name.
    pub(crate) fn to_key(self) -> Vec<u8> {
        match self {
            Entry::Blob(digest) => [&b"b"[..], &digest.to_bytes()].concat(),
            Entry::Action(key) => [&b"a"[..], key.as_bytes()].concat(),
        }
    }

    /// The entry with this key in the index.
    pub(crate) fn from_key(key: &[u8]) -> Option<Self> {
        match key.split_first()? {
            (b'b', digest) => Digest::from_bytes(digest).map(Entry::Blob),
            (b'a', key) => Some(Entry::Action(ActionKey::from_bytes(key.try_into().ok()?))),
            _ => None,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Blob(digest) => write!(f, "blob {digest}"),
            Entry::Action(key) => write!(f, "action {key}"),
        }
    }
}

/// What a file of `size` bytes takes on disk, in bytes. File systems say it only after they wrote it, and
/// each in its own way, so it is reckoned in the block size that nearly all have.
pub(crate) const fn disk_bytes(size: u64) -> u64 {
    size.div_ceil(4096).saturating_mul(4096)
}

/// The contents of the format file.
pub(crate) fn format_line(format: u32) -> String {
    format!("vitte-store {format}\n")
}

/// The format that a format file names; `None` when it is not one, as after a power cut.
pub(crate) fn parse_format(bytes: &[u8]) -> Option<u32> {
    std::str::from_utf8(bytes).ok()?.strip_prefix("vitte-store ")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_keys_come_back() {
        let blob = Entry::Blob(Digest::of(b"blob"));
        let action = Entry::Action(ActionKey::of(&[b"action"]));
        for (entry, form) in [(blob, Form::Plain), (blob, Form::Packed), (action, Form::Plain)] {
            let path = entry.path(form);
            let (folder, name) = path.rsplit_once('/').unwrap();
            let first = entry.hash()[0];
            assert_eq!(folder, entry.kind().shard(first));
            assert_eq!(Entry::parse(entry.kind(), first, name), Some((entry, form)));
            assert_eq!(Entry::parse(entry.kind(), first.wrapping_add(1), name), None);
            assert_eq!(Entry::from_key(&entry.to_key()), Some(entry));
        }
        assert_eq!(Entry::from_key(b""), None);
        assert_eq!(Entry::from_key(b"x123"), None);
    }

    #[test]
    fn formats_come_back() {
        assert_eq!(parse_format(format_line(7).as_bytes()), Some(7));
        assert_eq!(parse_format(b""), None);
        assert_eq!(parse_format(b"vitte-store x"), None);
        assert_eq!(parse_format(&[0xff; 20]), None);
    }
}
