//! Keys on disk, and the verdict on a signature.
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};
use vitte_sys::SysError;
use vitte_sys::fs::Durability;

use crate::policy::{Policy, Unsigned, UnsignedNative};

/// Longest file of a key or signature, in bytes: comments are free text.
const TEXT_MAX: u64 = 16 << 10;
/// Longest policy, in bytes.
const POLICY_MAX: u64 = 1 << 20;
/// Most keys of a store.
const KEYS_MAX: usize = 1024;
/// Longest name of a key.
const NAME_MAX: usize = 64;

/// A folder of keys. Read anew at each verdict: a key that is revoked counts at once.
#[derive(Clone, Debug)]
pub struct TrustStore {
    folder: PathBuf,
}

/// Whether a key is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is.
    Trusted,
    /// It was once.
    Revoked,
}

/// A key of the store.
#[derive(Clone)]
pub struct Key {
    /// Its name here.
    pub name: String,
    /// Whether it is trusted.
    pub standing: Standing,
    /// The line that holds it, in base64.
    pub line: String,
    key: PublicKey,
}

/// Who signed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// A trusted key.
    Trusted {
        /// Its name in the store.
        key: String,
        /// The comment that the signature vouches for.
        comment: String,
    },
    /// Nobody, or somebody who is not known here; unsigned modules are allowed.
    Unsigned,
}

/// Why something is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The signature file is no signature.
    #[error("the signature is malformed: {0}")]
    Malformed(String),
    /// A trusted key made it, but for other bytes.
    #[error("the signature by `{key}` is not for this content, or its comment was changed")]
    Forged {
        /// The name of the key that the signature names.
        key: String,
    },
    /// The key was revoked.
    #[error("it is signed by `{key}`, which was revoked")]
    Revoked {
        /// The name of the key.
        key: String,
    },
    /// The key may not sign this module.
    #[error("`{key}` may not sign modules of this name")]
    NotAllowed {
        /// The name of the key.
        key: String,
    },
    /// There is no signature of a trusted key, and there has to be one.
    #[error("it is not signed by a trusted key, and unsigned modules are refused")]
    Unsigned,
    /// The same, of native code.
    #[error("it is native code, and not signed by a trusted key")]
    UnsignedNative,
    /// A file of the store cannot be used.
    #[error("`{path}` cannot be used: {message}", path = path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A name that no key may have.
    #[error("`{0}` is no name for a key: a letter, then letters, digits, `-`, `_`, `.`, at most 64")]
    Name(String),
    /// There is a key of that name.
    #[error("there is a key `{0}` already")]
    Exists(String),
    /// There is none.
    #[error("there is no trusted key `{0}`")]
    NoKey(String),
}

impl TrustError {
    /// A stable name in upper case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "SIGNATURE_MALFORMED",
            Self::Forged { .. } => "SIGNATURE_WRONG",
            Self::Revoked { .. } => "SIGNATURE_REVOKED",
            Self::NotAllowed { .. } => "SIGNATURE_NOT_ALLOWED",
            Self::Unsigned | Self::UnsignedNative => "SIGNATURE_MISSING",
            Self::Store { .. } => "TRUST_STORE",
            Self::Name(_) => "KEY_NAME_INVALID",
            Self::Exists(_) => "KEY_EXISTS",
            Self::NoKey(_) => "KEY_UNKNOWN",
        }
    }

    /// What to do next; may be empty.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "make it anew: `vitte key sign FILE`",
            Self::Forged { .. } => "get the file again from where it was signed",
            Self::Revoked { .. } => "get it with the signature of another key",
            Self::NotAllowed { .. } => "`policy.toml` in the trust folder says what each key may sign",
            Self::Unsigned => {
                "trust the key of its maker (`vitte key trust FILE.pub`), or allow unsigned modules in `policy.toml`"
            }
            Self::UnsignedNative => {
                "sign it with a trusted key (`vitte key sign FILE`), or write `unsigned-native = \"allow\"` in `policy.toml`"
            }
            Self::Store { .. } => "mend or delete it",
            Self::Name(_) => "",
            Self::Exists(_) => "give it another name with `--name`",
            Self::NoKey(_) => "`vitte key list` shows those there are",
        }
    }
}

/// Where the signature of `file` is: beside it, with `.minisig` after its whole name.
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".minisig");
    PathBuf::from(name)
}

impl TrustStore {
    /// The store in `folder`, which need not exist: then nobody is trusted.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The policy in effect.
    ///
    /// # Errors
    /// When there is one that cannot be read or understood.
    pub fn policy(&self) -> Result<Policy, TrustError> {
        let path = self.folder.join("policy.toml");
        match read(&path, POLICY_MAX)? {
            Some(text) => {
                Policy::parse(&text).map_err(|error| TrustError::Store { path, message: error.to_string() })
            }
            None => Ok(Policy::default()),
        }
    }

    /// All keys, by name, trusted ones first.
    ///
    /// # Errors
    /// When one cannot be read: a revoked key that is overlooked would be trusted.
    pub fn keys(&self) -> Result<Vec<Key>, TrustError> {
        let mut keys = Vec::new();
        for standing in [Standing::Trusted, Standing::Revoked] {
            let folder = self.folder_of(standing);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(TrustError::Store { path: folder, message: error.to_string() });
                }
            };
            for entry in entries {
                let entry = entry.map_err(|error| TrustError::Store {
                    path: folder.clone(),
                    message: error.to_string(),
                })?;
                let path = entry.path();
                if path.extension().is_none_or(|extension| extension != "pub") {
                    continue;
                }
                let unusable = |message: String| TrustError::Store { path: path.clone(), message };
                let name = path.file_stem().and_then(|name| name.to_str());
                let name = name.ok_or_else(|| unusable("its name is not UTF-8".to_owned()))?.to_owned();
                let Some(text) = read(&path, TEXT_MAX)? else { continue };
                let (line, key) = parse(&text).map_err(unusable)?;
                keys.push(Key { name, standing, line, key });
                if keys.len() > KEYS_MAX {
                    let message = format!("there are more than {KEYS_MAX} keys");
                    return Err(TrustError::Store { path: folder, message });
                }
            }
        }
        keys.sort_by(|a, b| (a.standing, &a.name).cmp(&(b.standing, &b.name)));
        Ok(keys)
    }

    fn folder_of(&self, standing: Standing) -> PathBuf {
        match standing {
            Standing::Trusted => self.folder.clone(),
            Standing::Revoked => self.folder.join("revoked"),
        }
    }

    /// Trusts a key, given as the text of its `.pub` file or as its base64 line.
    ///
    /// # Errors
    /// When it is none, the name is not free, or the key was revoked.
    pub fn trust(&self, name: &str, text: &str) -> Result<(), TrustError> {
        let name = checked_name(name)?;
        let path = self.folder.join(format!("{name}.pub"));
        let (line, _) = parse(text).map_err(|message| TrustError::Store { path: path.clone(), message })?;
        for key in self.keys()? {
            match key.standing {
                Standing::Revoked if key.line == line => return Err(TrustError::Revoked { key: key.name }),
                Standing::Trusted if key.name == name => return Err(TrustError::Exists(key.name)),
                Standing::Trusted | Standing::Revoked => {}
            }
        }
        write(&path, &file(name, &line))
    }

    /// Trusts a key no more, whatever it has signed. It is kept under `revoked`, lest it be trusted again.
    ///
    /// # Errors
    /// When there is no such key, or the store cannot be written.
    pub fn revoke(&self, name: &str) -> Result<(), TrustError> {
        let name = checked_name(name)?;
        let keys = self.keys()?;
        let key = keys.iter().find(|key| key.standing == Standing::Trusted && key.name == name);
        let key = key.ok_or_else(|| TrustError::NoKey(name.to_owned()))?;
        // A second key that was revoked under the same name must not take the place of the first.
        let taken = |candidate: &str| {
            keys.iter().any(|key| key.standing == Standing::Revoked && key.name == candidate)
        };
        let mut revoked = name.to_owned();
        let mut number = 1;
        while taken(&revoked) {
            number += 1;
            revoked = format!("{name}.{number}");
        }
        // Revoked before it is no longer trusted: at no moment is it neither.
        write(&self.folder_of(Standing::Revoked).join(format!("{revoked}.pub")), &file(&revoked, &key.line))?;
        let path = self.folder.join(format!("{name}.pub"));
        fs::remove_file(&path).map_err(|error| TrustError::Store { path, message: error.to_string() })
    }

    /// As [`check`](Self::check), for native code: without a trusted signature it needs a permission of its own.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`TrustError::UnsignedNative`].
    pub fn check_native(
        &self,
        module: Option<&str>,
        content: &[u8],
        signature: Option<&str>,
    ) -> Result<Signer, TrustError> {
        match (self.check(module, content, signature)?, self.policy()?.unsigned_native) {
            (Signer::Unsigned, UnsignedNative::Refuse) => Err(TrustError::UnsignedNative),
            (signer @ Signer::Unsigned, UnsignedNative::Allow) | (signer @ Signer::Trusted { .. }, _) => {
                Ok(signer)
            }
        }
    }

    /// Who signed `content`; `signature` is the text of its `.minisig` file, if there is one. `module` is the
    /// name that it is to be loaded under; `None` asks for the signature alone.
    ///
    /// # Errors
    /// When it is not to be trusted. A signature by a key that is not known here counts as none.
    pub fn check(
        &self,
        module: Option<&str>,
        content: &[u8],
        signature: Option<&str>,
    ) -> Result<Signer, TrustError> {
        let policy = self.policy()?;
        let unsigned = || match policy.unsigned {
            Unsigned::Allow => Ok(Signer::Unsigned),
            Unsigned::Refuse => Err(TrustError::Unsigned),
        };
        let Some(signature) = signature else { return unsigned() };
        let signature =
            Signature::decode(signature).map_err(|error| TrustError::Malformed(error.to_string()))?;
        let mut keys = self.keys()?;
        // A revoked key is found first, should somebody have put it among the trusted ones again.
        keys.sort_by_key(|key| std::cmp::Reverse(key.standing));
        let mut forged = None;
        for Key { name, standing, key, .. } in keys {
            let allow_legacy = false;
            match (key.verify(content, &signature, allow_legacy), standing) {
                (Ok(()), Standing::Revoked) => return Err(TrustError::Revoked { key: name }),
                (Ok(()), Standing::Trusted) => {
                    return match module {
                        Some(module) if !policy.allows(&name, module) => {
                            Err(TrustError::NotAllowed { key: name })
                        }
                        Some(_) | None => {
                            let comment = signature.trusted_comment().to_owned();
                            Ok(Signer::Trusted { key: name, comment })
                        }
                    };
                }
                // Another key's; its number is checked before anything else.
                (Err(minisign_verify::Error::UnexpectedKeyId), _) => {}
                (Err(minisign_verify::Error::UnexpectedAlgorithm), _) => {
                    let message =
                        "it is of the old kind, without hashing; sign anew with a current `minisign`";
                    return Err(TrustError::Malformed(message.to_owned()));
                }
                // The number is random and no digest of the key: another key may have the same.
                (Err(_), _) => forged = Some(name),
            }
        }
        match forged {
            Some(key) => Err(TrustError::Forged { key }),
            None => unsigned(),
        }
    }
}

/// The base64 line of a public key and the key, from a whole file or the line alone.
fn parse(text: &str) -> Result<(String, PublicKey), String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.find(|line| !line.contains(':')).ok_or("it is no public key")?;
    let key = PublicKey::from_base64(line).map_err(|error| format!("it is no public key: {error}"))?;
    Ok((line.to_owned(), key))
}

/// The file of a key, as `minisign` reads it.
fn file(name: &str, line: &str) -> String {
    format!("untrusted comment: vitte key {name}\n{line}\n")
}

fn checked_name(name: &str) -> Result<&str, TrustError> {
    let is_name = name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_name { Ok(name) } else { Err(TrustError::Name(name.chars().take(NAME_MAX).collect())) }
}

fn read(path: &Path, limit: u64) -> Result<Option<String>, TrustError> {
    let unusable = |message: String| TrustError::Store { path: path.to_owned(), message };
    match vitte_sys::fs::read_at_most(path, limit) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| unusable("it is not UTF-8".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(error.to_string())),
    }
}

fn write(path: &Path, text: &str) -> Result<(), TrustError> {
    let unusable = |error: SysError| TrustError::Store { path: path.to_owned(), message: error.to_string() };
    if let Some(folder) = path.parent() {
        vitte_sys::fs::create_directories(folder).map_err(unusable)?;
    }
    vitte_sys::fs::replace(path, text.as_bytes(), 0o644, Durability::Flushed).map_err(unusable)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::io::Cursor;

    use minisign::KeyPair;

    use super::*;

    struct Bench {
        store: TrustStore,
        _folder: tempfile::TempDir,
    }

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        Bench { store: TrustStore::new(folder.path().join("trust")), _folder: folder }
    }

    fn pair() -> (KeyPair, String) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let text = pair.pk.to_box().unwrap().into_string();
        (pair, text)
    }

    fn sign(pair: &KeyPair, content: &[u8]) -> String {
        let signed = minisign::sign(Some(&pair.pk), &pair.sk, Cursor::new(content), Some("c"), None);
        signed.unwrap().into_string()
    }

    #[test]
    fn a_trusted_key_signs_until_it_is_revoked() {
        let Bench { store, _folder } = bench();
        let (ours, text) = pair();
        store.trust("acme", &text).unwrap();
        let signature = sign(&ours, b"content");
        let check = |content: &[u8]| store.check(Some("m"), content, Some(&signature));
        assert_eq!(check(b"content").unwrap(), Signer::Trusted { key: "acme".into(), comment: "c".into() });
        assert_eq!(check(b"content.").unwrap_err().code(), "SIGNATURE_WRONG");
        assert_eq!(store.trust("acme", &text).unwrap_err().code(), "KEY_EXISTS");
        store.revoke("acme").unwrap();
        assert_eq!(check(b"content").unwrap_err().code(), "SIGNATURE_REVOKED");
        assert_eq!(store.trust("again", &text).unwrap_err().code(), "SIGNATURE_REVOKED");
        // Not even by a file that is put there.
        fs::write(store.folder().join("again.pub"), &text).unwrap();
        assert_eq!(check(b"content").unwrap_err().code(), "SIGNATURE_REVOKED");
        assert_eq!(store.revoke("acme").unwrap_err().code(), "KEY_UNKNOWN");
    }

    #[test]
    fn strangers_count_as_nobody() {
        let Bench { store, _folder } = bench();
        let (stranger, _) = pair();
        let signature = sign(&stranger, b"content");
        assert_eq!(store.check(None, b"content", Some(&signature)).unwrap(), Signer::Unsigned);
        assert_eq!(store.check(None, b"content", None).unwrap(), Signer::Unsigned);
        fs::create_dir_all(store.folder()).unwrap();
        let policy = store.folder().join("policy.toml");
        let native = || store.check_native(None, b"content", None);
        assert_eq!(native().unwrap_err(), TrustError::UnsignedNative);
        fs::write(&policy, "unsigned-native = \"allow\"\n").unwrap();
        assert_eq!(native().unwrap(), Signer::Unsigned);
        fs::write(&policy, "unsigned = \"refuse\"\nunsigned-native = \"allow\"\n").unwrap();
        assert_eq!(native().unwrap_err(), TrustError::Unsigned);
        for signature in [Some(signature.as_str()), None] {
            assert_eq!(store.check(None, b"content", signature).unwrap_err().code(), "SIGNATURE_MISSING");
        }
    }

    #[test]
    fn a_key_signs_what_its_policy_names() {
        let Bench { store, _folder } = bench();
        let (ours, text) = pair();
        store.trust("acme", &text).unwrap();
        fs::write(store.folder().join("policy.toml"), "[keys.acme]\nmodules = [\"acme:*\"]\n").unwrap();
        let signature = sign(&ours, b"content");
        let check = |module| store.check(Some(module), b"content", Some(&signature));
        assert!(check("acme:json").is_ok());
        assert_eq!(check("json").unwrap_err().code(), "SIGNATURE_NOT_ALLOWED");
    }

    #[test]
    fn every_changed_byte_of_a_signature_is_seen() {
        let Bench { store, _folder } = bench();
        let (ours, text) = pair();
        store.trust("acme", &text).unwrap();
        let signature = sign(&ours, b"content");
        // The first line is a comment that nothing vouches for.
        let begin = signature.find('\n').unwrap() + 1;
        for at in begin..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            let verdict = store.check(None, b"content", Some(&changed));
            let trusted = matches!(verdict, Ok(Signer::Trusted { .. }));
            // Line ends may be written in two ways, and the last may be missing.
            assert!(!trusted || changed.lines().eq(signature.lines()), "byte {at}: {changed:?}");
        }
    }

    #[test]
    fn a_store_that_cannot_be_read_trusts_nobody() {
        let Bench { store, _folder } = bench();
        fs::create_dir_all(store.folder().join("revoked")).unwrap();
        fs::write(store.folder().join("revoked/x.pub"), "no key").unwrap();
        assert_eq!(store.keys().err().unwrap().code(), "TRUST_STORE");
        fs::remove_file(store.folder().join("revoked/x.pub")).unwrap();
        fs::write(store.folder().join("policy.toml"), "unsinged = 1").unwrap();
        assert_eq!(store.check(None, b"", None).unwrap_err().code(), "TRUST_STORE");
    }

    #[test]
    fn names_stay_in_the_folder() {
        let Bench { store, _folder } = bench();
        let (_, text) = pair();
        for name in ["", "../x", "a/b", ".hidden", &"a".repeat(65)] {
            assert_eq!(store.trust(name, &text).unwrap_err().code(), "KEY_NAME_INVALID", "{name}");
        }
        assert_eq!(store.trust("a", "nonsense").unwrap_err().code(), "TRUST_STORE");
    }
}
