//! Blobs as zstd (RFC 8878).
//!
//! A packed blob is a skippable frame that holds the SHA-256 of what follows, then an ordinary frame: any
//! zstd tool reads the file, and the decoder never sees bytes that we did not write.
use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::digest::{Digest, sha256};

/// Magic number of a skippable frame and the length of ours, both little-endian.
const HEADER: [u8; 8] = [0x50, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];

/// The packed form of `bytes`; `None` when it would not be smaller by an eighth.
pub(crate) fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let frame = compress_to_vec(bytes, CompressionLevel::Fastest);
    let total = HEADER.len() + 32 + frame.len();
    if total > bytes.len() - bytes.len() / 8 {
        return None;
    }
    Some([&HEADER[..], &sha256(&[&frame]), &frame].concat())
}

/// The most that the packed form of a blob of `size` bytes can have.
pub(crate) fn packed_bytes_max(size: u64) -> u64 {
    size.saturating_add(HEADER.len() as u64 + 32)
}

/// The blob `digest` out of its packed form; `None` when that is damaged. Never allocates more than the
/// digest says plus one window of the decoder.
pub(crate) fn unpack(packed: &[u8], digest: &Digest) -> Option<Vec<u8>> {
    let rest = packed.strip_prefix(&HEADER)?;
    let (check, frame) = rest.split_first_chunk::<32>()?;
    if sha256(&[frame]) != *check {
        return None;
    }
    let decoder = StreamingDecoder::new(frame).ok()?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(digest.size()).ok()?).ok()?;
    decoder.take(digest.size().saturating_add(1)).read_to_end(&mut bytes).ok()?;
    (Digest::of(&bytes) == *digest).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_every_flip_is_seen() {
        let bytes = b"call the same procedure again, ".repeat(100);
        let digest = Digest::of(&bytes);
        let packed = pack(&bytes).unwrap();
        assert!(packed.len() < bytes.len() / 4);
        assert_eq!(unpack(&packed, &digest).unwrap(), bytes);
        for position in 0..packed.len() {
            let mut bad = packed.clone();
            bad[position] ^= 1;
            assert_eq!(unpack(&bad, &digest), None, "byte {position}");
            assert_eq!(unpack(&packed[..position], &digest), None, "cut at {position}");
        }
    }

    #[test]
    fn what_does_not_shrink_is_left() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .take(5000)
        .collect();
        assert_eq!(pack(&noise), None);
        assert_eq!(pack(b""), None);
    }

    #[test]
    fn a_frame_that_says_more_than_the_digest_is_refused() {
        let packed = pack(&vec![0; 1 << 20]).unwrap();
        assert_eq!(unpack(&packed, &Digest::of(&[0; 10])), None);
    }
}
