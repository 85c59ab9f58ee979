//! What an action gave, and the file that says so.
//!
//! ```text
//! magic    8  "VITTEAC" and the format's number
//! key     32  the action
//! outputs  4  how many, then of each: length of its name (4), name, digest (40)
//! inline   8  length, then the bytes
//! inputs   8  length, then the bytes
//! check   32  SHA-256 of everything above
//! ```
//! Numbers are little-endian. The file needs nothing beside it: it says which action it is for and
//! whether it is whole, so that the index can be made again from such files, and a file that was cut,
//! changed or put under another action's name is seen.
use crate::digest::{ActionKey, Digest, sha256};

/// The result of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionResult {
    /// Named outputs that are blobs of the store. Kept in the order given.
    pub outputs: Vec<(String, Digest)>,
    /// What is small enough to stand in the record itself, so that a hit is the reading of one file. The
    /// caller's format.
    pub inline: Vec<u8>,
    /// What the action really read, for an answer to "why was this rebuilt". The caller's format.
    pub inputs: Vec<u8>,
}

/// The most that one record may have, in bytes. A larger result belongs into blobs.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;

const MAGIC: &[u8; 7] = b"VITTEAC";
const FORMAT: u8 = 1;
const CHECK: usize = 32;

/// Why bytes are not the record of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Cut, changed, or another action's.
    Damaged,
    /// Whole, but of a format that came after this one.
    Newer,
}

/// The record that says that `key` gave `result`; `None` when it would be too large.
pub(crate) fn encode(key: &ActionKey, result: &ActionResult) -> Option<Vec<u8>> {
    let names: usize = result.outputs.iter().map(|(name, _)| name.len() + 4 + Digest::LENGTH).sum();
    let total = 8 + 32 + 4 + names + 16 + result.inline.len() + result.inputs.len() + CHECK;
    if total as u64 > RECORD_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(MAGIC);
    bytes.push(FORMAT);
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(&u32::try_from(result.outputs.len()).ok()?.to_le_bytes());
    for (name, digest) in &result.outputs {
        bytes.extend_from_slice(&u32::try_from(name.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&digest.to_bytes());
    }
    for part in [&result.inline, &result.inputs] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    let check = sha256(&[&bytes]);
    bytes.extend_from_slice(&check);
    Some(bytes)
}

/// The result in `bytes`, which must be the record of `key`.
pub(crate) fn decode(key: &ActionKey, bytes: &[u8]) -> Result<ActionResult, Refused> {
    let (body, check) = bytes.split_last_chunk::<CHECK>().ok_or(Refused::Damaged)?;
    if sha256(&[body]) != *check {
        return Err(Refused::Damaged);
    }
    let (magic, body) = body.split_first_chunk::<7>().ok_or(Refused::Damaged)?;
    let (format, body) = body.split_first().ok_or(Refused::Damaged)?;
    if magic != MAGIC {
        return Err(Refused::Damaged);
    }
    match *format {
        FORMAT => parse(key, body).ok_or(Refused::Damaged),
        0 => Err(Refused::Damaged),
        _ => Err(Refused::Newer),
    }
}

fn parse(key: &ActionKey, body: &[u8]) -> Option<ActionResult> {
    let mut rest = body;
    if take(&mut rest, 32)? != key.as_bytes() {
        return None;
    }
    let count = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?) as usize;
    // No more than can be there, whatever the number says.
    let mut outputs = Vec::with_capacity(count.min(rest.len() / (4 + Digest::LENGTH)));
    for _ in 0..count {
        let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?) as usize;
        let name = std::str::from_utf8(take(&mut rest, length)?).ok()?.to_owned();
        outputs.push((name, Digest::from_bytes(take(&mut rest, Digest::LENGTH)?)?));
    }
    let mut part = || {
        let length = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
        Some(take(&mut rest, usize::try_from(length).ok()?)?.to_vec())
    };
    let (inline, inputs) = (part()?, part()?);
    rest.is_empty().then_some(ActionResult { outputs, inline, inputs })
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn sample() -> (ActionKey, ActionResult) {
        let result = ActionResult {
            outputs: vec![("main.o".into(), Digest::of(b"object")), (String::new(), Digest::of(b""))],
            inline: vec![1, 2, 3],
            inputs: b"read a.vit".to_vec(),
        };
        (ActionKey::of(&[b"sample"]), result)
    }

    #[test]
    fn what_is_written_is_read() {
        let (key, result) = sample();
        assert_eq!(decode(&key, &encode(&key, &result).unwrap()), Ok(result));
        let empty = ActionResult::default();
        assert_eq!(decode(&key, &encode(&key, &empty).unwrap()), Ok(empty));
    }

    #[test]
    fn every_flip_cut_and_addition_is_seen() {
        let (key, result) = sample();
        let good = encode(&key, &result).unwrap();
        for position in 0..good.len() {
            assert_eq!(decode(&key, &good[..position]), Err(Refused::Damaged));
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[position] ^= 1 << bit;
                assert_eq!(decode(&key, &bad), Err(Refused::Damaged), "bit {bit} of byte {position}");
            }
        }
        let mut longer = good;
        longer.push(0);
        assert_eq!(decode(&key, &longer), Err(Refused::Damaged));
    }

    #[test]
    fn a_record_of_another_action_is_refused() {
        let (key, result) = sample();
        let bytes = encode(&ActionKey::of(&[b"other"]), &result).unwrap();
        assert_eq!(decode(&key, &bytes), Err(Refused::Damaged));
    }

    #[test]
    fn a_whole_record_of_a_later_format_is_not_called_damaged() {
        let (key, result) = sample();
        let mut bytes = encode(&key, &result).unwrap();
        bytes.truncate(bytes.len() - CHECK);
        bytes[7] = FORMAT + 1;
        let check = sha256(&[&bytes]);
        bytes.extend_from_slice(&check);
        assert_eq!(decode(&key, &bytes), Err(Refused::Newer));
    }

    #[test]
    fn numbers_that_lie_under_a_right_checksum_are_refused() {
        let (key, result) = sample();
        let good = encode(&key, &result).unwrap();
        for position in 40..good.len() - CHECK {
            let mut bad = good[..good.len() - CHECK].to_vec();
            bad[position] = 0xff;
            let check = sha256(&[&bad]);
            bad.extend_from_slice(&check);
            // Either it is refused or it means something else; it never panics or allocates what it claims.
            let _ = decode(&key, &bad);
        }
        let mut huge = good[..40].to_vec();
        huge.extend_from_slice(&u32::MAX.to_le_bytes());
        let check = sha256(&[&huge]);
        huge.extend_from_slice(&check);
        assert_eq!(decode(&key, &huge), Err(Refused::Damaged));
    }

    proptest! {
        #[test]
        fn arbitrary_results_come_back(
            names in prop::collection::vec(".{0,12}", 0..5),
            inline in prop::collection::vec(any::<u8>(), 0..200),
            inputs in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let outputs = names.into_iter().map(|name| { let d = Digest::of(name.as_bytes()); (name, d) }).collect();
            let result = ActionResult { outputs, inline, inputs };
            let key = ActionKey::of(&[&result.inline]);
            prop_assert_eq!(decode(&key, &encode(&key, &result).unwrap()), Ok(result));
        }

        #[test]
        fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode(&ActionKey::of(&[b"x"]), &bytes), Err(Refused::Damaged));
        }
    }
}
