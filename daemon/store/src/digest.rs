//! What blobs and actions are called.
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The name of a blob: the SHA-256 of its bytes and how many they are, as in the Remote Execution API.
/// In text `hash/size`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    hash: [u8; 32],
    size: u64,
}

impl Digest {
    /// Bytes of [`Digest::to_bytes`].
    pub const LENGTH: usize = 40;

    /// The digest of `bytes`. Linear in their number.
    pub fn of(bytes: &[u8]) -> Self {
        Self { hash: sha256(&[bytes]), size: bytes.len() as u64 }
    }

    /// The digest with this hash and size, both taken on trust: what is read under it is verified.
    pub const fn new(hash: [u8; 32], size: u64) -> Self {
        Self { hash, size }
    }

    /// The SHA-256.
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The number of bytes of the blob.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Hash, then size in big-endian order.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (hash, size) = bytes.split_at_mut(32);
        hash.copy_from_slice(&self.hash);
        size.copy_from_slice(&self.size.to_be_bytes());
        bytes
    }

    /// What [`Digest::to_bytes`] gave; `None` when there are not exactly that many bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LENGTH] = bytes.try_into().ok()?;
        let (hash, size) = bytes.split_first_chunk::<32>()?;
        Some(Self { hash: *hash, size: u64::from_be_bytes(size.try_into().ok()?) })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Hex(&self.hash), self.size)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not `hash/size`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no digest; expected 64 lower-case hexadecimal digits, `/`, and the size in bytes")]
pub struct ParseDigestError {
    text: String,
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (hash, size) = text.split_once('/')?;
            Some(Self { hash: parse_hex(hash)?, size: parse_size(size)? })
        };
        parse().ok_or_else(|| ParseDigestError { text: text.chars().take(120).collect() })
    }
}

/// The name of an action: a digest of everything that decides its result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionKey([u8; 32]);

impl ActionKey {
    /// The key of an action that is described by `parts`. Each part's length is hashed too, so that
    /// bytes cannot move from one part into the next unseen.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut state = Sha256::new();
        for part in parts {
            state.update((part.len() as u64).to_be_bytes());
            state.update(part);
        }
        Self(state.finalize().into())
    }

    /// A key computed elsewhere, such as the hash of a Remote Execution API action.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hex(&self.0))
    }
}

impl fmt::Debug for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ActionKey {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hex(text).map(Self).ok_or_else(|| ParseDigestError { text: text.chars().take(120).collect() })
    }
}

/// The SHA-256 of `parts`, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Sha256::new();
    for part in parts {
        state.update(part);
    }
    state.finalize().into()
}

/// Lower-case hexadecimal digits.
pub(crate) struct Hex<'b>(pub &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // One write for all: names of files are made of this thousands of times in a build.
        let mut text = [0; 64];
        let mut length = 0;
        for (byte, pair) in self.0.iter().zip(text.chunks_exact_mut(2)) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            length += 2;
        }
        f.write_str(std::str::from_utf8(text.get(..length).unwrap_or_default()).unwrap_or_default())
    }
}

/// Exactly 64 lower-case hexadecimal digits.
pub(crate) fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(hash)
}

/// A number as we write it: no sign, no leading zero.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let canonical = text == "0" || (text.starts_with(|c: char| c.is_ascii_digit()) && !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_empty_blob_has_the_name_that_everybody_gives_it() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(empty.parse::<Digest>().unwrap(), Digest::of(b""));
    }

    #[test]
    fn text_and_bytes_come_back() {
        let digest = Digest::of(b"some bytes");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert_eq!(Digest::from_bytes(&digest.to_bytes()), Some(digest));
        assert_eq!(Digest::from_bytes(&digest.to_bytes()[1..]), None);
        let key = ActionKey::of(&[b"a"]);
        assert_eq!(key.to_string().parse::<ActionKey>().unwrap(), key);
    }

    #[test]
    fn only_one_text_names_a_blob() {
        let good = Digest::of(b"x").to_string();
        let bad = [
            good.to_uppercase(),
            good.replace('/', "-"),
            good.replace("/1", "/01"),
            good.replace("/1", "/+1"),
            good.replace("/1", "/"),
            good.replace("/1", "/18446744073709551616"),
            format!("{good} "),
            good[1..].to_owned(),
            String::new(),
        ];
        for text in bad {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        assert_ne!(ActionKey::of(&[b"ab", b"c"]), ActionKey::of(&[b"a", b"bc"]));
        assert_ne!(ActionKey::of(&[b"a", b""]), ActionKey::of(&[b"a"]));
    }
}
