//! OpenPGP signatures, as rpm verifies them: of version 4 by Ed25519 over SHA-256.
//!
//! Packets: RFC 4880; EdDSA in them: RFC 9580, algorithms 22 (as GnuPG makes it) and 27. Only what signing takes is here; the
//! curve is a library's. Ed25519 takes no chance, so that equal files have equal signatures.
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_compact::{KeyPair, Seed};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// EdDSA with a curve that is named by an identifier.
const EDDSA: u8 = 22;
/// Ed25519 and nothing else.
const ED25519: u8 = 27;
/// SHA-256.
const SHA256: u8 = 8;
/// 1.3.6.1.4.1.11591.15.1, the curve Ed25519 where EdDSA names it.
const CURVE: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];
/// Packet of a secret key; subkeys have another one.
const SECRET_KEY: u8 = 5;
/// Largest file that is taken for a key.
const FILE_MAX: usize = 1 << 20;

/// A secret key that signs packages.
pub(crate) struct OpenPgpKey {
    pair: KeyPair,
    algorithm: u8,
    fingerprint: [u8; 20],
}

impl OpenPgpKey {
    /// The key in `path`, as `gpg --export-secret-keys` writes it, with or without `--armor`.
    ///
    /// # Errors
    /// [`Error::Input`] for a public key, a locked one, and one of another kind.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |message: &str, help: &str| {
            let message = format!("the key `{}` {message}", path.display());
            Error::input("PKG_E_KEY", "--sign-rpm", message, help)
        };
        let bytes = vitte_sys::fs::read(path).map_err(|reason| {
            wrong(
                &format!("cannot be read: {reason}"),
                "export one with `gpg --export-secret-keys --armor KEY`",
            )
        })?;
        if bytes.len() > FILE_MAX {
            return Err(wrong("is too large for a key", "name a file of `gpg --export-secret-keys`"));
        }
        let bytes = if bytes.starts_with(b"-----BEGIN ") {
            dearmored(&bytes).ok_or_else(|| wrong("is damaged", "export it again"))?
        } else {
            bytes
        };
        Self::parse(&bytes).map_err(|(message, help)| wrong(message, help))
    }

    fn parse(bytes: &[u8]) -> Result<Self, (&'static str, &'static str)> {
        const DAMAGED: (&str, &str) = ("is damaged", "export it again with `gpg --export-secret-keys`");
        const KIND: (&str, &str) = (
            "is not an Ed25519 key",
            "make one with `gpg --quick-generate-key 'NAME <ADDRESS>' ed25519 sign never`",
        );
        let (tag, body) =
            packet(bytes).ok_or(("is not an OpenPGP key", "name a file of `gpg --export-secret-keys`"))?;
        if tag != SECRET_KEY {
            return Err((
                "is not a secret key",
                "export it with `gpg --export-secret-keys`, not with `--export`",
            ));
        }
        let (&version, &algorithm) = body.first().zip(body.get(5)).ok_or(DAMAGED)?;
        if version != 4 {
            return Err(("is not of version 4, which rpm takes", KIND.1));
        }
        let mut rest = body.get(6..).ok_or(DAMAGED)?;
        let mut take = |count: usize| -> Result<&[u8], (&'static str, &'static str)> {
            let (taken, left) = rest.split_at_checked(count).ok_or(DAMAGED)?;
            rest = left;
            Ok(taken)
        };
        let public: [u8; 32] = match algorithm {
            EDDSA => {
                let length = take(1)?.first().copied().unwrap_or_default();
                if take(length.into())? != CURVE {
                    return Err(KIND);
                }
                // 263 bits: a point in its own encoding, which 0x40 says.
                if take(3)? != [1, 7, 0x40] {
                    return Err(DAMAGED);
                }
                take(32)?.try_into().map_err(|_| DAMAGED)?
            }
            ED25519 => take(32)?.try_into().map_err(|_| DAMAGED)?,
            _ => return Err(KIND),
        };
        if take(1)? != [0] {
            let help = "export it from a key ring where its password was taken away with `gpg --change-passphrase`, or use \
                        a subkey without one";
            return Err(("is locked by a password", help));
        }
        let (secret, sum) = match algorithm {
            EDDSA => {
                // A number: zeros in front are left out.
                let bits = take(2)?;
                let length = (usize::from(bits[0]) << 8 | usize::from(bits[1])).div_ceil(8);
                let number = take(length)?;
                let mut secret = [0; 32];
                secret.get_mut(32usize.wrapping_sub(length)..).ok_or(DAMAGED)?.copy_from_slice(number);
                let counted =
                    bits.iter().chain(number).fold(0_u16, |sum, byte| sum.wrapping_add((*byte).into()));
                (secret, counted)
            }
            _ => {
                let number = take(32)?;
                let counted = number.iter().fold(0_u16, |sum, byte| sum.wrapping_add((*byte).into()));
                (<[u8; 32]>::try_from(number).map_err(|_| DAMAGED)?, counted)
            }
        };
        if take(2)? != sum.to_be_bytes() {
            return Err(DAMAGED);
        }
        let pair = KeyPair::from_seed(Seed::new(secret));
        if *pair.pk != public {
            return Err(DAMAGED);
        }
        let public_length = 6 + if algorithm == EDDSA { 1 + CURVE.len() + 3 } else { 0 } + 32;
        let public_body = body.get(..public_length).ok_or(DAMAGED)?;
        Ok(Self { pair, algorithm, fingerprint: fingerprint(public_body) })
    }

    /// The signature packet for `data`, made at `time` in seconds since 1970.
    pub(crate) fn sign(&self, data: &[u8], time: u32) -> Vec<u8> {
        // When, and by whom.
        let mut told = vec![5, 2];
        told.extend(time.to_be_bytes());
        told.extend([22, 33, 4]);
        told.extend(self.fingerprint);
        let mut head = vec![4, 0, self.algorithm, SHA256];
        head.extend((told.len() as u16).to_be_bytes());
        head.extend(&told);
        let mut hash = Sha256::new();
        hash.update(data);
        hash.update(&head);
        hash.update([4, 0xff]);
        hash.update((head.len() as u32).to_be_bytes());
        let digest = hash.finalize();
        let signature = self.pair.sk.sign(digest.as_slice(), None);
        let mut body = head;
        // Who once more, as older verifiers look for it.
        body.extend([0, 10, 9, 16]);
        body.extend(&self.fingerprint[12..]);
        body.extend(&digest[..2]);
        if self.algorithm == EDDSA {
            for half in signature.chunks(32) {
                put_number(&mut body, half);
            }
        } else {
            body.extend(signature.iter());
        }
        // A packet of the old format, with a length of two bytes.
        let mut packet = vec![0x89];
        packet.extend((body.len() as u16).to_be_bytes());
        packet.extend(body);
        packet
    }
}

/// A number of many bytes: its bits, then the bytes without zeros in front.
fn put_number(out: &mut Vec<u8>, bytes: &[u8]) {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let number = &bytes[zeros..];
    let bits = number.len() * 8 - number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    out.extend((bits as u16).to_be_bytes());
    out.extend(number);
}

fn fingerprint(public_body: &[u8]) -> [u8; 20] {
    use sha1::Digest;
    let mut hash = sha1::Sha1::new();
    hash.update([0x99]);
    hash.update((public_body.len() as u16).to_be_bytes());
    hash.update(public_body);
    hash.finalize().into()
}

/// Kind and contents of the first packet.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let number = |count: usize| {
        let digits = rest.get(..count)?;
        Some((digits.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)), count))
    };
    let (tag, (length, skip)) = if first & 0x40 == 0 {
        let count = match first & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return None,
        };
        (first >> 2 & 0xf, number(count)?)
    } else {
        let length = match *rest.first()? {
            short @ 0..192 => (usize::from(short), 1),
            long @ 192..224 => (((usize::from(long) - 192) << 8) + usize::from(*rest.get(1)?) + 192, 2),
            255 => {
                let digits = rest.get(1..5)?;
                (digits.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)), 5)
            }
            _ => return None,
        };
        (first & 0x3f, length)
    };
    Some((tag, rest.get(skip..skip.checked_add(length)?)?))
}

/// The bytes inside of an armour: base64 between the empty line behind its headers and the checksum or the end.
fn dearmored(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.lines().map(str::trim).skip_while(|line| !line.is_empty());
    let body = lines.take_while(|line| !line.starts_with('=') && !line.starts_with('-'));
    STANDARD.decode(body.collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A key as GnuPG writes it, from a seed.
    fn secret_key(seed: [u8; 32], usage: u8) -> Vec<u8> {
        let pair = KeyPair::from_seed(Seed::new(seed));
        let mut body = vec![4, 0, 0, 0, 1, EDDSA, CURVE.len() as u8];
        body.extend(CURVE);
        body.extend([1, 7, 0x40]);
        body.extend(*pair.pk);
        body.push(usage);
        let mut number = Vec::new();
        put_number(&mut number, &seed);
        let sum = number.iter().fold(0_u16, |sum, byte| sum.wrapping_add((*byte).into()));
        body.extend(number);
        body.extend(sum.to_be_bytes());
        [&[0x94, body.len() as u8][..], &body].concat()
    }

    #[test]
    fn keys_are_read_with_and_without_zeros_in_front() {
        for first in [0, 1, 0xff] {
            let mut seed = [7; 32];
            seed[0] = first;
            let key = OpenPgpKey::parse(&secret_key(seed, 0)).unwrap();
            let signature = key.sign(b"data", 1_700_000_000);
            assert_eq!(signature, key.sign(b"data", 1_700_000_000));
            assert_ne!(signature, key.sign(b"date", 1_700_000_000));
            assert_eq!(packet(&signature).unwrap().0, 2);
        }
    }

    #[test]
    fn what_cannot_sign_is_refused() {
        let whole = secret_key([9; 32], 0);
        let why = |bytes: &[u8]| OpenPgpKey::parse(bytes).err().map(|(message, _)| message);
        assert_eq!(why(&secret_key([9; 32], 254)), Some("is locked by a password"));
        let mut public = whole.clone();
        public[0] = 0x98;
        assert_eq!(why(&public), Some("is not a secret key"));
        let mut rsa = whole.clone();
        rsa[7] = 1;
        assert_eq!(why(&rsa), Some("is not an Ed25519 key"));
        for length in 0..whole.len() {
            assert!(OpenPgpKey::parse(&whole[..length]).is_err(), "{length}");
        }
        for at in 2..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            // The time of its making is free to be anything.
            assert_eq!(OpenPgpKey::parse(&damaged).is_ok(), (3..7).contains(&at), "{at}");
        }
    }

    #[test]
    fn an_armour_is_taken_off() {
        let armoured =
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nComment: x\n\naGVsbG8g\nd29ybGQ=\n=abcd\n-----END\n";
        assert_eq!(dearmored(armoured.as_bytes()).unwrap(), b"hello world");
        assert!(dearmored(b"-----BEGIN\n\n****\n").is_none());
    }
}
