//! Compression in pieces: each large file is one, what stands between them another, and none is longer than [`PIECE_MAX`].
//!
//! Pieces depend on nothing but their own bytes. They are compressed on all processors at once, and those that were compressed
//! before are taken from memory: a package made again after a change of one file costs what that file costs. How many threads
//! there are and what was remembered changes no byte.
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::xz;

/// Longest piece. Two dictionaries of xz: shorter ones would make archives larger, longer ones leave processors idle.
const PIECE_MAX: usize = 16 << 20;
/// Files from this size on are pieces of their own.
pub(super) const LARGE: usize = 256 << 10;
/// Bytes of compressed pieces that are remembered.
const REMEMBERED_MAX: usize = 128 << 20;

/// How pieces are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    /// gzip: one member for each piece.
    Gzip,
    /// Zstandard: one frame for each piece.
    Zstd,
    /// Zstandard in one frame: dpkg reads no second one.
    ZstdFrame,
    /// xz: one block for each piece.
    Xz,
}

/// A stretch of what is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    /// Whether it is machine code of x86, whose calls compress better by their targets.
    pub(super) is_x86: bool,
}

/// Divides `length` bytes at large files, given in order, each with whether it is machine code of x86.
pub(super) fn divide(length: usize, large: &[(Range<usize>, bool)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut add = |range: Range<usize>, is_x86| {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE_MAX);
            pieces.push(Piece { range: start..end, is_x86 });
            start = end;
        }
    };
    let mut at = 0;
    for (range, is_x86) in large {
        add(at..range.start, false);
        add(range.clone(), *is_x86);
        at = range.end;
    }
    add(at..length, false);
    pieces
}

type Key = [u8; 32];

/// Compressed pieces, the oldest of which are forgotten first.
#[derive(Default)]
struct Remembered {
    known: HashMap<Key, Arc<[u8]>>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl Remembered {
    fn add(&mut self, key: Key, bytes: &Arc<[u8]>) {
        if bytes.len() > REMEMBERED_MAX || self.known.contains_key(&key) {
            return;
        }
        self.bytes += bytes.len();
        self.known.insert(key, Arc::clone(bytes));
        self.order.push_back(key);
        while self.bytes > REMEMBERED_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(dropped) = self.known.remove(&oldest) {
                self.bytes -= dropped.len();
            }
        }
    }
}

static REMEMBERED: Mutex<Option<Remembered>> = Mutex::new(None);

/// `bytes`, compressed piece by piece.
///
/// # Errors
/// What the libraries for the formats say.
pub(super) fn compress(bytes: &[u8], pieces: &[Piece], method: Method) -> io::Result<Vec<u8>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let whole = [Piece { range: 0..bytes.len(), is_x86: false }];
    let parts = match method {
        Method::ZstdFrame => all(bytes, &whole, method, threads)?,
        Method::Gzip | Method::Zstd | Method::Xz => all(bytes, pieces, method, threads)?,
    };
    match method {
        Method::Gzip | Method::Zstd | Method::ZstdFrame => Ok(parts.concat()),
        Method::Xz => xz::join(&parts),
    }
}

/// A piece as it was compressed, once it was.
type Made = Option<io::Result<Arc<[u8]>>>;

fn all(bytes: &[u8], pieces: &[Piece], method: Method, threads: usize) -> io::Result<Vec<Arc<[u8]>>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Made>> = Mutex::new(pieces.iter().map(|_| None).collect());
    let work = || {
        while let Some((number, piece)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|number| Some((number, pieces.get(number)?)))
        {
            let made = one(bytes.get(piece.range.clone()).unwrap_or_default(), piece.is_x86, method);
            if let Some(place) = done.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number) {
                *place = Some(made);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(pieces.len()) {
            scope.spawn(work);
        }
        work();
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_iter().map(|made| made.unwrap_or_else(|| Err(io::Error::other("a piece was lost")))).collect()
}

fn one(bytes: &[u8], is_x86: bool, method: Method) -> io::Result<Arc<[u8]>> {
    let mut key = Sha256::new();
    key.update([method as u8, u8::from(is_x86)]);
    key.update(bytes);
    let key: Key = key.finalize().into();
    let known = {
        let kept = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().and_then(|kept| kept.known.get(&key).cloned())
    };
    if let Some(known) = known {
        return Ok(known);
    }
    let made: Arc<[u8]> = match method {
        Method::Gzip => super::gzip(bytes, 9).into(),
        Method::Zstd | Method::ZstdFrame => zstd(bytes)?.into(),
        Method::Xz => xz::one_block(bytes, is_x86)?.into(),
    };
    REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().add(key, &made);
    Ok(made)
}

/// One frame with a checksum. Level 9: those above cost twice the time for two hundredths of the size.
fn zstd(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 9)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_are_whole_and_stand_at_large_files() {
        let pieces = divide(40 << 20, &[(1024..(17 << 20), true), ((18 << 20)..(19 << 20), false)]);
        assert_eq!(pieces.first().unwrap().range, 0..1024);
        assert!(pieces[1].is_x86 && pieces[2].is_x86 && !pieces[3].is_x86);
        assert!(pieces.windows(2).all(|two| two[0].range.end == two[1].range.start));
        assert_eq!(pieces.last().unwrap().range.end, 40 << 20);
        assert!(pieces.iter().all(|piece| piece.range.len() <= PIECE_MAX));
        assert!(divide(0, &[]).is_empty());
    }

    /// Any number of threads, and pieces that were made before, give the same bytes; they read back.
    #[test]
    fn threads_and_memory_change_no_byte() {
        let text: Vec<u8> = (0..600_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let pieces = divide(text.len(), &[(1000..900_000, true), (1_200_000..1_900_000, false)]);
        for method in [Method::Gzip, Method::Zstd, Method::ZstdFrame, Method::Xz] {
            *REMEMBERED.lock().unwrap() = None;
            let first = all(&text, &pieces, method, 1).unwrap();
            assert_eq!(all(&text, &pieces, method, 1).unwrap(), first);
            *REMEMBERED.lock().unwrap() = None;
            assert_eq!(all(&text, &pieces, method, 4).unwrap(), first);
            let packed = compress(&text, &pieces, method).unwrap();
            let mut back = Vec::new();
            match method {
                Method::Gzip => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut back),
                Method::Zstd | Method::ZstdFrame => {
                    zstd::Decoder::new(&packed[..]).unwrap().read_to_end(&mut back)
                }
                Method::Xz => lzma_rust2::XzReader::new(&packed[..], false).read_to_end(&mut back),
            }
            .unwrap();
            assert!(back == text, "{method:?}");
        }
    }
}
