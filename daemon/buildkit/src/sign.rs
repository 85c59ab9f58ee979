//! Detached signatures in minisign's format, which the stock tool verifies.
use std::io::Cursor;
use std::path::Path;

use minisign::{SecretKey, SecretKeyBox};

use crate::error::Error;

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

    /// The signature of a file. Its trusted comment has the file's name and no time: Ed25519 takes no chance, so that equal
    /// files have equal signatures.
    pub(crate) fn sign(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let comment = format!("file:{name}");
        let made = minisign::sign(
            None,
            &self.key,
            Cursor::new(bytes),
            Some(&comment),
            Some("signature by vitte-buildkit"),
        );
        made.map(|signature| signature.into_string().into_bytes()).map_err(|reason| {
            Error::input("PKG_E_KEY", "--sign", format!("signing failed: {reason}"), "check the key")
        })
    }
}
