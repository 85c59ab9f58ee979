//! `key generate|sign|verify|trust|revoke|list`. Needs no service: secret keys never leave this process.
use std::env;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minisign::{KeyPair, SecretKey, SecretKeyBox};
use serde_json::json;
use vitte_sys::fs::Durability;
use vitte_trust::{Signer, Standing, TrustError, TrustStore, signature_path};

use super::places;
use crate::cli::{Common, KeyVerb};
use crate::failure::{Exit, Failure};
use crate::report::print_line;

/// Names the password of the secret key, for scripts.
const PASSWORD: &str = "VITTE_KEY_PASSWORD";
/// Longest file that is signed or verified, in bytes.
const FILE_MAX: u64 = 1 << 30;
/// Longest file of a key or signature, in bytes.
const TEXT_MAX: u64 = 16 << 10;

/// Does what `verb` asks.
///
/// # Errors
/// When a file cannot be used, or is not trusted.
pub fn run(common: &Common, verb: KeyVerb) -> Result<u8, Failure> {
    match verb {
        KeyVerb::Generate { name, no_password, folder } => generate(common, &name, no_password, folder),
        KeyVerb::Sign { files, key, comment } => sign(common, &files, &key, comment.as_deref()),
        KeyVerb::Verify { file } => verify(common, &file),
        KeyVerb::Trust { file, name } => {
            let text = read_text(&file)?;
            let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let name = name.unwrap_or_else(|| stem.to_owned());
            store()?.trust(&name, &text)?;
            told(common, "trusted", &name)
        }
        KeyVerb::Revoke { name } => {
            store()?.revoke(&name)?;
            told(common, "revoked", &name)
        }
        KeyVerb::List => list(common),
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        let exit = match &error {
            TrustError::Malformed(_) => Exit::BadInput,
            TrustError::Forged { .. }
            | TrustError::Revoked { .. }
            | TrustError::NotAllowed { .. }
            | TrustError::Unsigned
            | TrustError::UnsignedNative => Exit::NotPermitted,
            TrustError::Store { .. } => Exit::Configuration,
            TrustError::Name(_) => Exit::Usage,
            TrustError::Exists(_) | TrustError::NoKey(_) => Exit::BadInput,
        };
        Self::new(exit, error.to_string()).help(error.help())
    }
}

fn no_home() -> Failure {
    Failure::new(Exit::Configuration, "there is no folder for settings").help("set HOME or XDG_CONFIG_HOME")
}

fn store() -> Result<TrustStore, Failure> {
    Ok(TrustStore::new(places().trust().ok_or_else(no_home)?))
}

fn told(common: &Common, what: &str, name: &str) -> Result<u8, Failure> {
    let line = json!({"event": what, "key": name});
    print_line(&if common.json { line.to_string() } else { format!("{what} {name}") }).map(|()| 0)
}

fn generate(common: &Common, name: &str, no_password: bool, folder: Option<PathBuf>) -> Result<u8, Failure> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Failure::new(Exit::Usage, format!("`{name}` is no name for a file")));
    }
    let folder = match folder {
        Some(folder) => folder,
        None => places().keys().ok_or_else(no_home)?,
    };
    let (secret, public) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.pub")));
    if let Some(there) = [&secret, &public].into_iter().find(|path| path.exists()) {
        return Err(Failure::new(Exit::BadInput, format!("`{}` is there already", there.display()))
            .help("a lost key cannot be made again: give another name"));
    }
    let pair = if no_password {
        KeyPair::generate_unencrypted_keypair()
    } else {
        KeyPair::generate_encrypted_keypair(Some(password(Ask::Twice)?))
    };
    let pair = pair.map_err(|error| made(&error))?;
    let secret_text = pair.sk.to_box(None).map_err(|error| made(&error))?.into_string();
    let public_text = pair.pk.to_box().map_err(|error| made(&error))?.into_string();
    vitte_sys::fs::create_directories(&folder)?;
    vitte_sys::fs::replace(&secret, secret_text.as_bytes(), 0o600, Durability::Flushed)?;
    vitte_sys::fs::replace(&public, public_text.as_bytes(), 0o644, Durability::Flushed)?;
    if common.json {
        let line = json!({"event": "generated", "secret": secret, "public": public});
        return print_line(&line.to_string()).map(|()| 0);
    }
    print_line(&format!("secret key {}", secret.display()))?;
    print_line(&format!("public key {}", public.display())).map(|()| 0)
}

fn made(error: &minisign::PError) -> Failure {
    Failure::new(Exit::Internal, format!("no key could be made: {error}"))
}

/// How often to ask.
#[derive(Clone, Copy)]
enum Ask {
    Once,
    Twice,
}

fn password(ask: Ask) -> Result<String, Failure> {
    if let Some(password) = env::var_os(PASSWORD) {
        return password
            .into_string()
            .map_err(|_| Failure::new(Exit::Usage, format!("{PASSWORD} is not UTF-8")));
    }
    let prompt = |text: &str| {
        // The question stands on the terminal whatever becomes of it.
        let _ = write!(std::io::stderr().lock(), "{text}: ");
        rpassword::read_password().map_err(|error| {
            Failure::new(Exit::InputOutput, format!("the password cannot be read: {error}"))
                .help(format!("set {PASSWORD}, or use a key without password"))
        })
    };
    let first = prompt("password of the secret key")?;
    match ask {
        Ask::Once => Ok(first),
        Ask::Twice if prompt("the same again")? == first => Ok(first),
        Ask::Twice => Err(Failure::new(Exit::BadInput, "the two passwords differ")),
    }
}

/// A secret key by name, or by path.
fn secret_key(key: &str) -> Result<SecretKey, Failure> {
    let named = places().keys().map(|folder| folder.join(format!("{key}.key")));
    let path = match named {
        Some(path) if !key.contains('/') && path.exists() => path,
        Some(_) | None => PathBuf::from(key),
    };
    if !path.exists() {
        return Err(Failure::new(Exit::BadInput, format!("there is no secret key `{key}`"))
            .help("make one: `vitte key generate`; or give its path"));
    }
    let text = read_text(&path)?;
    let unusable = |error: &minisign::PError| {
        Failure::new(Exit::BadInput, format!("`{}` cannot be used: {error}", path.display()))
            .help("is the password right?")
    };
    if let Some(key) = stock_key_without_password(&text) {
        return Ok(key);
    }
    let parse = || SecretKeyBox::from_string(&text).map_err(|error| unusable(&error));
    match parse()?.into_unencrypted_secret_key() {
        Ok(key) => Ok(key),
        Err(_) => parse()?.into_secret_key(Some(password(Ask::Once)?)).map_err(|error| unusable(&error)),
    }
}

/// A key that `minisign -W` made: it leaves the check sum empty, which the library takes for damage.
fn stock_key_without_password(text: &str) -> Option<SecretKey> {
    /// Two bytes each for the algorithms of signature, password and check sum, 48 for the password's, 8 for the
    /// key's id, 64 for the key, 32 for the check sum.
    const KEY_BYTES: usize = 158;
    const CHECK_SUM: std::ops::Range<usize> = 126..KEY_BYTES;
    let bytes = BASE64_STANDARD.decode(text.lines().nth(1)?.trim_end()).ok()?;
    let has_no_password = bytes.get(2..4) == Some(&[0, 0]);
    let has_no_sum = bytes.get(CHECK_SUM)?.iter().all(|byte| *byte == 0);
    if bytes.len() == KEY_BYTES && has_no_password && has_no_sum {
        SecretKey::from_bytes(&bytes).ok()
    } else {
        None
    }
}

fn sign(common: &Common, files: &[PathBuf], key: &str, comment: Option<&str>) -> Result<u8, Failure> {
    if comment.is_some_and(|comment| comment.contains(['\n', '\r'])) {
        return Err(Failure::new(Exit::Usage, "the comment must be one line"));
    }
    let key = secret_key(key)?;
    for file in files {
        let content = vitte_sys::fs::read_at_most(file, FILE_MAX)?;
        let name = file.file_name().map(|name| name.to_string_lossy().replace(['\n', '\r'], " "));
        let own = format!("file:{}", name.unwrap_or_default());
        let comment = Some(comment.unwrap_or(&own));
        let signed = minisign::sign(None, &key, Cursor::new(&content), comment, Some("signature by vitte"));
        let signed = signed.map_err(|error| {
            Failure::new(Exit::Internal, format!("`{}` could not be signed: {error}", file.display()))
        })?;
        let path = signature_path(file);
        vitte_sys::fs::replace(&path, signed.into_string().as_bytes(), 0o644, Durability::Flushed)?;
        if common.json {
            print_line(&json!({"event": "signed", "file": file, "signature": path}).to_string())?;
        } else {
            print_line(&format!("signed {}", path.display()))?;
        }
    }
    Ok(0)
}

fn verify(common: &Common, file: &Path) -> Result<u8, Failure> {
    let content = vitte_sys::fs::read_at_most(file, FILE_MAX)?;
    let beside = signature_path(file);
    let signature = if beside.exists() { Some(read_text(&beside)?) } else { None };
    match store()?.check(None, &content, signature.as_deref())? {
        Signer::Trusted { key, comment } => {
            let line = json!({"event": "verified", "file": file, "key": key, "comment": comment});
            let text = format!("{} is signed by {key}", file.display());
            print_line(&if common.json { line.to_string() } else { text }).map(|()| 0)
        }
        Signer::Unsigned => {
            let (what, help) = match signature {
                Some(_) => ("is signed by a key that is not trusted", "trust it: `vitte key trust FILE.pub`"),
                None => ("is not signed", "its signature would be beside it, as FILE.minisig"),
            };
            Err(Failure::new(Exit::NotPermitted, format!("`{}` {what}", file.display())).help(help))
        }
    }
}

fn list(common: &Common) -> Result<u8, Failure> {
    let store = store()?;
    let policy = store.policy()?;
    let keys = store.keys()?;
    for key in &keys {
        let standing = match key.standing {
            Standing::Trusted => "trusted",
            Standing::Revoked => "revoked",
        };
        let modules = policy.keys.get(&key.name).and_then(|policy| policy.modules.as_ref());
        if common.json {
            let line = json!({"key": key.name, "standing": standing, "public": key.line, "modules": modules});
            print_line(&line.to_string())?;
        } else {
            let modules = modules.map(|modules| format!("  for {}", modules.join(", "))).unwrap_or_default();
            print_line(&format!("{standing}  {}  {}{modules}", key.name, key.line))?;
        }
    }
    if keys.is_empty() && !common.json {
        print_line("no keys are trusted")?;
    }
    Ok(0)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = vitte_sys::fs::read_at_most(path, TEXT_MAX)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Exit::BadInput, format!("`{}` is not text", path.display())))
}
