//! Detached signatures in minisign's format, which the stock tool verifies.
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest};
use minisign::{SecretKey, SecretKeyBox};

use crate::error::Error;

/// Where a secret key's bytes have its number: behind the names of three algorithms, a salt and two limits.
const NUMBER: usize = 3 * 2 + 32 + 2 * 8;
/// Where they have the key itself.
const SECRET: usize = NUMBER + 8;

/// A key that signs.
pub(crate) struct Signer {
    key: SecretKey,
}

impl Signer {
    /// The key in `path`, which `password` unlocks.
    pub(crate) fn read(path: &Path, password: Option<&str>) -> Result<Self, Error> {
        let wrong = |message: String, help: &str| Error::input("PKG_E_KEY", "--sign", message, help);
        let text = vitte_sys::fs::read(path).map_err(|reason| {
            wrong(
                format!("the key `{}` cannot be read: {reason}", path.display()),
                "make one with `vitte key generate`",
            )
        })?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let boxed = SecretKeyBox::from_string(&text).map_err(|_| {
            wrong(
                format!("`{}` is not a secret key of minisign", path.display()),
                "name the secret key, not the public one",
            )
        })?;
        let key = match password {
            Some(password) => boxed.into_secret_key(Some(password.to_owned())),
            None => boxed.into_unencrypted_secret_key(),
        };
        let help = "set VITTE_KEY_PASSWORD to its password, or make a key without one";
        key.map(|key| Self { key })
            .map_err(|_| wrong(format!("the key `{}` is locked by another password", path.display()), help))
    }

    /// The signature of a file, whose trusted comment has the file's name and no time. The library adds chance to each
    /// signature; here Ed25519 is what RFC 8032 makes it, so that equal files have equal signatures.
    ///
    /// Format: minisign(1), "signature format", of prehashed files.
    pub(crate) fn sign(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let comment = format!("file:{name}");
        let key = self.key.to_bytes();
        let (Some(number), Some(secret)) = (key.get(NUMBER..SECRET), key.get(SECRET..SECRET + 64)) else {
            let message = "signing failed: the key is too short";
            return Err(Error::input("PKG_E_KEY", "--sign", message, "check the key"));
        };
        let secret = ed25519_compact::SecretKey::from_slice(secret).map_err(|reason| {
            Error::input("PKG_E_KEY", "--sign", format!("signing failed: {reason}"), "check the key")
        })?;
        let signature = secret.sign(Blake2b512::digest(bytes), None);
        let global = secret.sign([signature.as_slice(), comment.as_bytes()].concat(), None);
        let first = STANDARD.encode([b"ED", number, signature.as_slice()].concat());
        let second = STANDARD.encode(global.as_slice());
        let head = "untrusted comment: signature by vitte-buildkit";
        Ok(format!("{head}\n{first}\ntrusted comment: {comment}\n{second}\n").into_bytes())
    }
}
