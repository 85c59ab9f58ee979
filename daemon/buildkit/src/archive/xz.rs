//! The frame of xz files: blocks that were compressed one by one are joined to one stream, and what a file asks for in memory
//! is known before anything is unpacked.
//!
//! Format: "The .xz File Format", version 1.2.1; chunks of LZMA2 as `xz-file-format.txt` and the reference decoder have them.
use std::io::{self, Write};

use lzma_rust2::{FilterType, XzOptions, XzWriter};

/// Bytes of a stream's header, and of its footer.
const FRAME: usize = 12;
const MAGIC: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
/// Identity of the filter LZMA2.
const LZMA2: u64 = 0x21;

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an xz file: {what}"))
}

/// A stream of one block, of the level that the tool itself has by default.
pub(super) fn one_block(bytes: &[u8], is_x86: bool) -> io::Result<Vec<u8>> {
    let mut options = XzOptions::with_preset(6);
    if is_x86 {
        options.prepend_pre_filter(FilterType::BcjX86, 0);
    }
    let mut writer = XzWriter::new(Vec::new(), options)?;
    writer.write_all(bytes)?;
    writer.finish()
}

/// Reads on through bytes of anybody's making.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or_else(|| damaged("a size is too large"))?;
        let taken = self.bytes.get(self.at..end).ok_or_else(|| damaged("it ends too soon"))?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    /// Two bytes, the more significant first, as LZMA2 has them.
    fn size(&mut self) -> io::Result<usize> {
        Ok(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    /// Seven bits for each byte, the least significant first; at most nine bytes.
    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in 0..9 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (shift * 7);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(damaged("a number is too long"))
    }

    fn pad(&mut self, start: usize) -> io::Result<()> {
        self.take((self.at - start).next_multiple_of(4) - (self.at - start)).map(drop)
    }

    /// The index, whose first byte was taken already and stood at `start`: sizes of each block, with header and
    /// uncompressed.
    fn index(&mut self, start: usize) -> io::Result<Vec<(u64, u64)>> {
        let count = self.number()?;
        let mut records = Vec::new();
        for _ in 0..count {
            records.push((self.number()?, self.number()?));
        }
        self.pad(start)?;
        // Its checksum.
        self.take(4)?;
        Ok(records)
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// One stream with the blocks of streams that have one block, or none, each.
///
/// # Errors
/// For anything else than what [`one_block`] makes.
pub(super) fn join<S: AsRef<[u8]>>(streams: &[S]) -> io::Result<Vec<u8>> {
    let Some(first) = streams.first() else { return one_block(&[], false) };
    let header = first.as_ref().get(..FRAME).ok_or_else(|| damaged("it has no header"))?;
    let mut out = header.to_vec();
    let mut records = Vec::new();
    for stream in streams {
        let stream = stream.as_ref();
        let footer = stream.len().checked_sub(FRAME).ok_or_else(|| damaged("it has no footer"))?;
        let backward = stream.get(footer + 4..footer + 8).and_then(|bytes| bytes.try_into().ok());
        let index = backward.map_or(0, u32::from_le_bytes) as usize * 4 + 4;
        let start = footer.checked_sub(index).filter(|start| *start >= FRAME);
        let start = start.ok_or_else(|| damaged("it has no index"))?;
        records.extend(Cursor { bytes: stream, at: start + 1 }.index(start)?);
        out.extend_from_slice(stream.get(FRAME..start).unwrap_or_default());
    }
    let mut index = vec![0];
    put_number(&mut index, records.len() as u64);
    for (whole, plain) in records {
        put_number(&mut index, whole);
        put_number(&mut index, plain);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend(crc32fast::hash(&index).to_le_bytes());
    let mut tail = ((index.len() / 4 - 1) as u32).to_le_bytes().to_vec();
    // The flags of the stream, as in its header.
    tail.extend_from_slice(header.get(6..8).unwrap_or_default());
    out.extend_from_slice(&index);
    out.extend(crc32fast::hash(&tail).to_le_bytes());
    out.extend_from_slice(&tail);
    out.extend_from_slice(b"YZ");
    Ok(out)
}

/// The largest dictionary that unpacking `bytes` takes, in bytes. Looks at headers alone, and walks over what is compressed:
/// linear in the number of chunks, of 64 KiB each at most.
///
/// # Errors
/// When it is no xz file, or has filters that nobody needs.
pub(super) fn dictionary(bytes: &[u8]) -> io::Result<u64> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut largest = 0;
    loop {
        let header = cursor.take(FRAME)?;
        if !header.starts_with(MAGIC) {
            return Err(damaged("it begins with something else"));
        }
        let check = match header.get(7).copied().unwrap_or_default() & 0xf {
            0 => 0,
            kind => 4 << ((kind - 1) / 3),
        };
        loop {
            let start = cursor.at;
            let size = usize::from(cursor.byte()?) * 4 + 4;
            if size == 4 {
                cursor.index(start)?;
                break;
            }
            largest = largest.max(block_header(&mut cursor)?);
            cursor.at = start;
            cursor.take(size)?;
            let data = cursor.at;
            chunks(&mut cursor)?;
            cursor.pad(data)?;
            cursor.take(check)?;
        }
        cursor.take(FRAME)?;
        // Zeros may stand between streams.
        while bytes.get(cursor.at) == Some(&0) {
            cursor.at += 1;
        }
        if cursor.at == bytes.len() {
            return Ok(largest);
        }
    }
}

/// The dictionary that a block's header asks for.
fn block_header(cursor: &mut Cursor<'_>) -> io::Result<u64> {
    let flags = cursor.byte()?;
    for bit in [0x40, 0x80] {
        if flags & bit != 0 {
            cursor.number()?;
        }
    }
    for _ in 0..flags & 3 {
        cursor.number()?;
        let properties = cursor.number()? as usize;
        cursor.take(properties)?;
    }
    // The last filter is the one that unpacks.
    let (filter, properties) = (cursor.number()?, cursor.number()?);
    if filter != LZMA2 || properties != 1 {
        return Err(damaged("it is not compressed by LZMA2"));
    }
    match cursor.byte()? {
        40 => Ok(u64::from(u32::MAX)),
        bits @ 0..40 => Ok((2 | u64::from(bits & 1)) << (bits / 2 + 11)),
        _ => Err(damaged("its dictionary has no size")),
    }
}

/// Walks to behind the last chunk of LZMA2.
fn chunks(cursor: &mut Cursor<'_>) -> io::Result<()> {
    loop {
        match cursor.byte()? {
            0 => return Ok(()),
            // As they are.
            1 | 2 => {
                let size = cursor.size()? + 1;
                cursor.take(size)?;
            }
            control @ 0x80.. => {
                cursor.size()?;
                let size = cursor.size()? + 1;
                // Some bring new properties of the coder.
                cursor.take(size + usize::from(control >= 0xc0))?;
            }
            _ => return Err(damaged("a chunk is of no known kind")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_dictionary_is_known_before_anything_is_unpacked() {
        let text: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
        for (preset, size) in [(0, 256 << 10), (6, 8 << 20), (9, 64 << 20)] {
            let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(preset)).unwrap();
            writer.write_all(&text).unwrap();
            assert_eq!(dictionary(&writer.finish().unwrap()).unwrap(), size, "{preset}");
        }
        // The largest counts, wherever it stands.
        let parts = [one_block(&text, false).unwrap(), one_block(&text[..70_000], true).unwrap()];
        let joined = join(&parts).unwrap();
        assert_eq!(dictionary(&joined).unwrap(), 8 << 20);
        assert_eq!(dictionary(&[&joined[..], &[0; 8], &joined].concat()).unwrap(), 8 << 20);
        for length in 0..200 {
            assert!(dictionary(&joined[..length]).is_err(), "{length}");
        }
    }
}
