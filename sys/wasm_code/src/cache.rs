//! Compiled code on disk: `cwasm/1/ENGINE/DIGEST.KIND`, each file a header and the code.
//!
//! The header is a magic number and a keyed BLAKE3 code over the engine, the binary's digest, the kind and
//! the code. The key is 32 random bytes in a file that only this user can read, in another folder: who can
//! write the cache but cannot read the key can make us compile again, no more.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use blake3::Hash;
use vitte_sys::fs::{Durability, replace};
use wasmtime::Engine;

use crate::code::{Kind, Precompiled};
use crate::engine;
use crate::worker::ANSWER_MAX;

const MAGIC: &[u8; 8] = b"vittewc1";
const MAC_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + MAC_BYTES;
const KEY_BYTES: usize = 32;

/// Where compiled code is kept.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// Folder of the code; it may be deleted at any time.
    pub folder: PathBuf,
    /// File of the key. Without it all code is compiled anew.
    pub key: PathBuf,
    /// Most bytes of all code; what was not used for longest goes first.
    pub budget_bytes: u64,
}

pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    engine: Hash,
    budget_bytes: u64,
}

impl Cache {
    /// Opens the cache and removes code of other engines; `None`, and a line in the log, if it cannot be used.
    pub(crate) fn open(options: CacheOptions, engine: &Engine) -> Option<Self> {
        let CacheOptions { folder, key, budget_bytes } = options;
        let version = folder.join("cwasm").join("1");
        let engine = engine::key(engine);
        let name = engine.to_hex();
        let name = name.get(..32)?;
        let opened = read_or_make_key(&key).and_then(|key| {
            let folder = version.join(name);
            private_folder(&folder)?;
            Ok(Self { folder, key, engine, budget_bytes })
        });
        match opened {
            Ok(cache) => {
                for entry in fs::read_dir(&version).into_iter().flatten().flatten() {
                    if entry.file_name() != name {
                        // Another process of this user may remove it at the same time.
                        let _ = fs::remove_dir_all(entry.path());
                    }
                }
                Some(cache)
            }
            Err(error) => {
                tracing::warn!(%error, folder = %version.display(), "compiled code of modules is not kept");
                None
            }
        }
    }

    fn path(&self, digest: &Hash, kind: Kind) -> PathBuf {
        self.folder.join(format!("{}.{}", digest.to_hex(), kind.name()))
    }

    fn mac(&self, digest: &Hash, kind: Kind, code: &[u8]) -> Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(self.engine.as_bytes());
        hasher.update(digest.as_bytes());
        // Nine bytes at most, and the code begins with the magic number of ELF: nothing can be shifted.
        hasher.update(kind.name().as_bytes());
        hasher.update(code);
        hasher.finalize()
    }

    /// The code, if it is there and ours.
    pub(crate) fn get(&self, digest: &Hash, kind: Kind) -> Option<Precompiled> {
        let path = self.path(digest, kind);
        let bytes = vitte_sys::fs::read_at_most(&path, ANSWER_MAX).ok()?;
        let (header, code) = bytes.split_at_checked(HEADER_BYTES)?;
        let (magic, mac) = header.split_at(MAGIC.len());
        let mac = Hash::from_slice(mac).ok()?;
        // `Hash` compares in constant time.
        if magic != MAGIC || mac != self.mac(digest, kind, code) {
            tracing::warn!(path = %path.display(), "kept code is damaged or not ours; it is compiled again");
            let _ = fs::remove_file(&path);
            return None;
        }
        // The time of last use; a file system without it collects in order of writing.
        if let Ok(file) = fs::File::options().write(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(Precompiled::from_cache(bytes, HEADER_BYTES, kind))
    }

    /// Keeps `code`. Failure costs a compilation later.
    pub(crate) fn put(&self, digest: &Hash, kind: Kind, code: &Precompiled) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + code.bytes().len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.mac(digest, kind, code.bytes()).as_bytes());
        bytes.extend_from_slice(code.bytes());
        let path = self.path(digest, kind);
        if let Err(error) = replace(&path, &bytes, 0o600, Durability::Cached) {
            tracing::info!(%error, "compiled code was not kept");
        }
        self.collect();
    }

    /// Removes what was not used for longest until the budget holds.
    fn collect(&self) {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in entries {
            if total <= self.budget_bytes {
                return;
            }
            if fs::remove_file(path).is_ok() {
                total -= size;
            }
        }
    }
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match fs::read(path) {
        Ok(bytes) => {
            private_file(path)?;
            return bytes.try_into().map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("`{}` is no key; delete it", path.display()),
                )
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(folder) = path.parent() {
        vitte_sys::fs::create_directories(folder).map_err(io::Error::other)?;
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    replace(path, &key, 0o600, Durability::Whole).map_err(io::Error::other)?;
    Ok(key)
}

/// Makes `path` a folder of this user alone, and sees that it is one.
#[cfg(unix)]
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() || metadata.uid() != vitte_sys::process::effective_uid() {
        return Err(io::Error::other(format!("`{}` belongs to somebody else", path.display())));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// An error unless `path` is a file of this user that nobody else can read or write.
#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path)?;
    let ours = metadata.is_file() && metadata.uid() == vitte_sys::process::effective_uid();
    if !ours || metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("others can read `{}`; delete it", path.display())));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_file(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::{Code, Compiler, CompilerOptions, Origin};

    /// `(module (func (export "f")))`
    const EMPTY: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x04\x01\x02\0\x0b";

    fn compiler(folder: &Path) -> Compiler {
        let cache = CacheOptions {
            folder: folder.join("cache"),
            key: folder.join("state/key"),
            budget_bytes: 64 << 20,
        };
        Compiler::new(CompilerOptions { cache: Some(cache), ..CompilerOptions::default() })
    }

    fn origin(folder: &Path) -> Origin {
        let compiled = compiler(folder).compile(EMPTY, &|| false).unwrap();
        assert!(matches!(compiled.code, Code::Module(_)));
        compiled.origin
    }

    fn only_file(folder: &Path) -> PathBuf {
        let engine = fs::read_dir(folder.join("cache/cwasm/1")).unwrap().next().unwrap().unwrap().path();
        let mut files: Vec<_> = fs::read_dir(engine).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1);
        files.remove(0)
    }

    #[test]
    fn code_is_kept_and_every_change_of_it_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(origin(folder), Origin::Compiled);
        assert_eq!(origin(folder), Origin::Cache);
        let whole = fs::read(only_file(folder)).unwrap();
        for at in [0, 9, HEADER_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(only_file(folder), &damaged).unwrap();
            assert_eq!(origin(folder), Origin::Compiled, "byte {at}");
            assert_eq!(fs::read(only_file(folder)).unwrap(), whole, "the same code again");
        }
        for length in [0, 7, HEADER_BYTES, whole.len() - 1] {
            fs::write(only_file(folder), &whole[..length]).unwrap();
            assert_eq!(origin(folder), Origin::Compiled, "{length} bytes");
        }
    }

    #[test]
    fn another_key_confirms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(origin(folder), Origin::Compiled);
        fs::remove_file(folder.join("state/key")).unwrap();
        assert_eq!(origin(folder), Origin::Compiled);
        assert_eq!(origin(folder), Origin::Cache);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(origin(folder), Origin::Compiled);
        let key = folder.join("state/key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(origin(folder), Origin::Compiled);
    }

    #[test]
    fn the_budget_holds() {
        let folder = tempfile::tempdir().unwrap();
        let options = CacheOptions {
            folder: folder.path().join("cache"),
            key: folder.path().join("key"),
            budget_bytes: 1,
        };
        let options =
            CompilerOptions { cache: Some(options), recent_bytes_max: 0, ..CompilerOptions::default() };
        let compiler = Compiler::new(options);
        let compile = || compiler.compile(EMPTY, &|| false).unwrap().origin;
        assert_eq!((compile(), compile()), (Origin::Compiled, Origin::Compiled));
    }
}
