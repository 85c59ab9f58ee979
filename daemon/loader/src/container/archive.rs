//! The outer form: a ZIP in which every byte has one meaning.
//!
//! All entries are stored, in one order, without gaps; the two headers of an entry say the same; names are
//! ASCII; times are fixed; there are no comments, no extra fields but padding, no split or 64-bit archives. So
//! a reader that walks the entries and one that reads the directory at the end see the same files.

/// Most entries.
const ENTRIES_MAX: usize = 4096;
/// Longest name of an entry.
const NAME_MAX: usize = 255;
/// Where the data of artifacts begins is a multiple of this, so that they can be mapped.
const ALIGNMENT: usize = 4096;
/// Entries below this folder are read and not mapped.
const META: &str = "META/";

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const CENTRAL_BYTES: usize = 46;
const END: &[u8; 4] = b"PK\x05\x06";
const END_BYTES: usize = 22;
/// Version 2.0 of the specification.
const VERSION: u16 = 20;
/// Names are UTF-8, of which ours are a part.
const FLAGS: u16 = 0x0800;
const STORED: u16 = 0;
/// Midnight, 1 January 1980, the first moment that the format has.
const TIME: u16 = 0;
const DATE: u16 = 0x0021;
/// The extra field for alignment that other tools know: two bytes with the alignment, then zeros.
const PADDING_ID: u16 = 0xd935;

/// A rule of the outer form that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the archive is malformed at byte {offset}: {message}")]
pub struct ArchiveError {
    /// At which byte.
    pub offset: u64,
    /// Which rule.
    pub message: &'static str,
}

/// A file in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) path: &'a str,
    pub(super) data: &'a [u8],
}

/// Walks over bytes; every step says where it failed.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn error(&self, message: &'static str) -> ArchiveError {
        ArchiveError { offset: self.at as u64, message }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ArchiveError> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.error("it ends too early"))?;
        self.at += length;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, ArchiveError> {
        let bytes = self.take(2)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u16::from(*byte)))
    }

    fn u32(&mut self) -> Result<u32, ArchiveError> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn expect16(&mut self, value: u16, message: &'static str) -> Result<(), ArchiveError> {
        let before = *self;
        if self.u16()? == value { Ok(()) } else { Err(before.error(message)) }
    }

    fn expect32(&mut self, value: u32, message: &'static str) -> Result<(), ArchiveError> {
        let before = *self;
        if self.u32()? == value { Ok(()) } else { Err(before.error(message)) }
    }

    fn expect(&mut self, bytes: &[u8], message: &'static str) -> Result<(), ArchiveError> {
        let before = *self;
        if self.take(bytes.len())? == bytes { Ok(()) } else { Err(before.error(message)) }
    }
}

/// What both headers of an entry say.
#[derive(PartialEq, Eq)]
struct Header<'a> {
    crc: u32,
    size: u32,
    name: &'a [u8],
}

/// The entries in order. Reads every header and the sum of every entry. Linear.
pub(super) fn read(file: &[u8]) -> Result<Vec<Entry<'_>>, ArchiveError> {
    let whole = Cursor { bytes: file, at: 0 };
    let end_at = file.len().checked_sub(END_BYTES).ok_or_else(|| whole.error("it ends too early"))?;
    let mut end = Cursor { bytes: file, at: end_at };
    end.expect(END, "its last 22 bytes have to be the end record, without a comment")?;
    end.expect32(0, "it has to be one file")?;
    let count = end.u16()?;
    end.expect16(count, "it has to be one file")?;
    let (central_size, central_at) = (end.u32()? as usize, end.u32()? as usize);
    end.expect16(0, "it may not have a comment")?;
    if usize::from(count) > ENTRIES_MAX {
        return Err(end.error("it has too many entries"));
    }
    if central_at.checked_add(central_size) != Some(end_at) {
        return Err(end.error("the directory has to end where the end record begins"));
    }
    let mut central = Cursor { bytes: file.get(..end_at).unwrap_or_default(), at: central_at };
    let mut local = Cursor { bytes: file.get(..central_at).unwrap_or_default(), at: 0 };
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for _ in 0..count {
        let before = central;
        let listed = central_header(&mut central, local.at)?;
        let path = checked_name(listed.name).ok_or_else(|| before.error("its name is not allowed"))?;
        if entries.iter().any(|entry| entry.path.eq_ignore_ascii_case(path)) {
            return Err(before.error("its name is there already"));
        }
        let header_at = local;
        let is_aligned = !path.starts_with(META) && !entries.is_empty();
        if local_header(&mut local, is_aligned)? != listed {
            return Err(header_at.error("its two headers differ"));
        }
        let data_at = local;
        let data = local.take(listed.size as usize)?;
        if crc32fast::hash(data) != listed.crc {
            return Err(data_at.error("its sum is wrong"));
        }
        entries.push(Entry { path, data });
    }
    if local.at != central_at {
        return Err(local.error("there is something between the last entry and the directory"));
    }
    if central.at != end_at {
        return Err(central.error("there is something between the directory and the end record"));
    }
    Ok(entries)
}

fn central_header<'a>(cursor: &mut Cursor<'a>, local_at: usize) -> Result<Header<'a>, ArchiveError> {
    cursor.expect(CENTRAL, "an entry of the directory has to be here")?;
    cursor.expect16(VERSION, "it has to be made by version 2.0")?;
    let (crc, size, name_length) = common(cursor)?;
    cursor.expect16(0, "the directory may not have extra fields")?;
    cursor.expect16(0, "it may not have comments")?;
    cursor.expect16(0, "it has to be one file")?;
    cursor.expect16(0, "it may not have attributes")?;
    cursor.expect32(0, "it may not have attributes")?;
    let before = *cursor;
    if cursor.u32()? as usize != local_at {
        return Err(before.error("entries have to follow one another"));
    }
    Ok(Header { crc, size, name: cursor.take(name_length)? })
}

fn local_header<'a>(cursor: &mut Cursor<'a>, is_aligned: bool) -> Result<Header<'a>, ArchiveError> {
    cursor.expect(LOCAL, "an entry has to be here")?;
    let (crc, size, name_length) = common(cursor)?;
    let extra_length = usize::from(cursor.u16()?);
    let name = cursor.take(name_length)?;
    let padding_at = *cursor;
    let wanted = if is_aligned { padding(cursor.at) } else { Vec::new() };
    if cursor.take(extra_length)? != wanted {
        return Err(padding_at.error("its extra field has to be the padding that aligns it"));
    }
    Ok(Header { crc, size, name })
}

/// The fields that stand in both headers in the same order.
fn common(cursor: &mut Cursor<'_>) -> Result<(u32, u32, usize), ArchiveError> {
    cursor.expect16(VERSION, "it has to need version 2.0")?;
    cursor.expect16(FLAGS, "it may have no flags but that its names are UTF-8")?;
    cursor.expect16(STORED, "it may not be compressed")?;
    cursor.expect16(TIME, "its time has to be 0:00:00")?;
    cursor.expect16(DATE, "its date has to be 1980-01-01")?;
    let crc = cursor.u32()?;
    let size = cursor.u32()?;
    cursor.expect32(size, "its two sizes have to be equal")?;
    Ok((crc, size, usize::from(cursor.u16()?)))
}

/// The extra field, for one that begins at `at`.
fn padding(at: usize) -> Vec<u8> {
    const HEAD: usize = 6;
    let zeros = (ALIGNMENT - (at + HEAD) % ALIGNMENT) % ALIGNMENT;
    let mut field = PADDING_ID.to_le_bytes().to_vec();
    field.extend_from_slice(&((2 + zeros) as u16).to_le_bytes());
    field.extend_from_slice(&(ALIGNMENT as u16).to_le_bytes());
    field.resize(HEAD + zeros, 0);
    field
}

/// A relative path of ASCII letters, digits, `.`, `_`, `-` between slashes; no part is empty or begins with a
/// dot. Other scripts have names that look alike or are written in several ways.
pub(super) fn checked_name(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?;
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    (name.len() <= NAME_MAX && name.split('/').all(is_part)).then_some(name)
}

/// The archive of `entries`, in this order.
///
/// # Errors
/// When it would break a rule.
pub(super) fn write(entries: &[(&str, &[u8])]) -> Result<Vec<u8>, ArchiveError> {
    let (mut file, mut central) = (Vec::new(), Vec::new());
    for (index, (path, data)) in entries.iter().enumerate() {
        let broken = |message| ArchiveError { offset: file.len() as u64, message };
        checked_name(path.as_bytes()).ok_or_else(|| broken("its name is not allowed"))?;
        let at = u32::try_from(file.len()).map_err(|_| broken("it is too large"))?;
        let size = u32::try_from(data.len()).map_err(|_| broken("it is too large"))?;
        let mut common = Vec::new();
        for field in [VERSION, FLAGS, STORED, TIME, DATE] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        for field in [crc32fast::hash(data), size, size] {
            common.extend_from_slice(&field.to_le_bytes());
        }
        common.extend_from_slice(&(path.len() as u16).to_le_bytes());
        let extra = if path.starts_with(META) || index == 0 {
            Vec::new()
        } else {
            padding(file.len() + LOCAL_BYTES + path.len())
        };
        file.extend_from_slice(LOCAL);
        file.extend_from_slice(&common);
        file.extend_from_slice(&(extra.len() as u16).to_le_bytes());
        file.extend_from_slice(path.as_bytes());
        file.extend_from_slice(&extra);
        file.extend_from_slice(data);
        central.extend_from_slice(CENTRAL);
        central.extend_from_slice(&VERSION.to_le_bytes());
        central.extend_from_slice(&common);
        // Extra field, comment, disk, internal and external attributes.
        central.extend_from_slice(&[0; CENTRAL_BYTES - 4 - 2 - 24 - 4]);
        central.extend_from_slice(&at.to_le_bytes());
        central.extend_from_slice(path.as_bytes());
    }
    let broken = |message| ArchiveError { offset: file.len() as u64, message };
    let central_at = u32::try_from(file.len()).map_err(|_| broken("it is too large"))?;
    let central_size = u32::try_from(central.len()).map_err(|_| broken("it is too large"))?;
    if entries.len() > ENTRIES_MAX {
        return Err(broken("it has too many entries"));
    }
    let count = entries.len() as u16;
    file.extend_from_slice(&central);
    file.extend_from_slice(END);
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(&central_size.to_le_bytes());
    file.extend_from_slice(&central_at.to_le_bytes());
    file.extend_from_slice(&[0; 2]);
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample() -> Vec<u8> {
        write(&[("mimetype", b"m"), ("META/manifest.json", b"{}"), ("a.wasm", &[7; 5000]), ("b/c.wit", b"w")])
            .unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let file = sample();
        let entries = read(&file).unwrap();
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["mimetype", "META/manifest.json", "a.wasm", "b/c.wit"]);
        assert_eq!(entries[2].data, [7; 5000]);
        for entry in &entries[2..] {
            let at = entry.data.as_ptr() as usize - file.as_ptr() as usize;
            assert_eq!(at % ALIGNMENT, 0, "{}", entry.path);
        }
        assert_eq!(sample(), file, "the same again");
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_seen() {
        let file = sample();
        for at in 0..file.len() {
            for bit in [1, 0x80] {
                let mut changed = file.clone();
                changed[at] ^= bit;
                // A name may change into another; the manifest has something to say about that.
                match read(&changed) {
                    Ok(entries) => assert_ne!(entries, read(&file).unwrap(), "byte {at}"),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
            assert!(read(&file[..at]).is_err(), "cut at {at}");
        }
        let mut longer = file.clone();
        longer.push(0);
        assert!(read(&longer).is_err());
        let mut shifted = vec![0];
        shifted.extend_from_slice(&file);
        assert!(read(&shifted).is_err());
    }

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["", "/a", "../a", "a/../b", "a//b", "a\\b", "a/", ".a", "é", "a\0", "a b", "c:", "a."] {
            assert_eq!(checked_name(name.as_bytes()), None, "{name:?}");
        }
        assert!(checked_name(&[b'a'; 256]).is_none());
        assert!(write(&[("a", b""), ("../b", b"")]).is_err());
        let twice = write(&[("a", b"1"), ("A", b"2")]).unwrap();
        assert_eq!(read(&twice).unwrap_err().message, "its name is there already");
    }
}
