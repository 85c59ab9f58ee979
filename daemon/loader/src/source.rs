//! What of a file is to be loaded, once it is known to be trusted: by content, never by name.
use std::path::{Path, PathBuf};

use object::{Object, ObjectSection};
use sha2::{Digest, Sha256};
use vitte_native_code::table::Table;
use vitte_trust::{Capability, Signer, TrustStore, Wanted, signature_path};

use crate::config::LoaderConfig;
use crate::container::{ArtifactKind, Container, ContainerError, Dependency, Manifest, PackageKind};
use crate::error::LoadError;
use crate::kind::{Kind, identify};
use crate::loader::{LoadRequest, hexadecimal};
use crate::name::ModuleName;
use crate::native::Library;
use crate::sequence::Sequences;

/// Longest signature file, in bytes.
const SIGNATURE_MAX: u64 = 16 << 10;
/// The section of an ELF library that holds its table.
const TABLE_SECTION: &str = ".vitffi";
/// The extension of a table that stands beside its library.
const TABLE_EXTENSION: &str = "vitffi";

/// What of a file is to be loaded.
pub(crate) struct Content {
    pub(crate) module: ModuleName,
    pub(crate) version: String,
    pub(crate) kind: Kind,
    pub(crate) code: Code,
    /// SHA-256 of all that decides what it does, in hexadecimal.
    pub(crate) digest: String,
    pub(crate) signer: Option<String>,
    /// Of a signed package: its id and sequence number.
    pub(crate) seq: Option<(String, u64)>,
    /// Of a plugin: what its manifest gives to `init`.
    pub(crate) settings: Option<String>,
    /// Of a package: what its manifest says of others.
    pub(crate) packaged: Option<Packaged>,
    /// What the policy allows the key that signed it at most, if it says so.
    pub(crate) ceiling: Option<Vec<Capability>>,
}

/// What a manifest says of other packages and of the system.
#[derive(Clone, Debug)]
pub(crate) struct Packaged {
    pub(crate) deps: Vec<Dependency>,
    pub(crate) capabilities: Vec<Wanted>,
}

impl Content {
    /// What comes without a package.
    fn bare(module: ModuleName, kind: Kind, code: Code, digest: String, signer: Option<String>) -> Self {
        let version = String::new();
        Self {
            module,
            version,
            kind,
            code,
            digest,
            signer,
            seq: None,
            settings: None,
            packaged: None,
            ceiling: None,
        }
    }
}

/// Code, before anything was made of it.
pub(crate) enum Code {
    /// A WebAssembly binary.
    Wasm(Vec<u8>),
    /// Bytecode that was verified.
    Bytecode(vitte_bytecode::Verified),
    /// A native library and its table.
    Native { table: Table, text: String, library: Library },
}

/// Whether an engine checks code before it runs it, or a process has to hold it.
#[derive(Clone, Copy)]
enum Nature {
    Checked,
    Native,
}

/// What `file`, which was read from `path` and has this SHA-256, asks to have loaded.
pub(crate) fn content(
    config: &LoaderConfig,
    sequences: &Sequences,
    request: &LoadRequest,
    path: &Path,
    file: Vec<u8>,
    digest: &str,
) -> Result<Content, LoadError> {
    let mut content = uncapped(config, sequences, request, path, file, digest)?;
    if let (Some(signer), Some(folder)) = (&content.signer, &config.trust) {
        let policy = TrustStore::new(folder).policy();
        let mut policy =
            policy.map_err(|source| LoadError::Trust { module: content.module.clone(), source })?;
        content.ceiling = policy.keys.remove(signer).and_then(|key| key.capabilities);
    }
    Ok(content)
}

fn uncapped(
    config: &LoaderConfig,
    sequences: &Sequences,
    request: &LoadRequest,
    path: &Path,
    file: Vec<u8>,
    digest: &str,
) -> Result<Content, LoadError> {
    let kind = identify(&file).ok_or_else(|| LoadError::UnknownKind { path: path.to_owned() })?;
    let module = || request.name.clone().unwrap_or_else(|| ModuleName::of_file(path));
    match kind {
        Kind::CoreModule | Kind::Component => {
            let module = module();
            let signer = signer(config, &module, path, &file, Nature::Checked)?.map(|(signer, _)| signer);
            Ok(Content::bare(module, kind, Code::Wasm(file), digest.to_owned(), signer))
        }
        Kind::Container => packed(config, sequences, request, path, &file),
        Kind::Precompiled => Err(LoadError::Precompiled { path: path.to_owned() }),
        Kind::Table | Kind::Elf if config.native.is_none() => {
            Err(LoadError::Unsupported { path: path.to_owned(), kind })
        }
        Kind::Table => by_table(config, module(), path, file),
        Kind::Elf => library(config, module(), path, file),
        Kind::Bytecode => {
            let module = module();
            let signer = signer(config, &module, path, &file, Nature::Checked)?.map(|(signer, _)| signer);
            let code = Code::Bytecode(verified(path, &file)?);
            Ok(Content::bare(module, kind, code, digest.to_owned(), signer))
        }
    }
}

/// The library that a table names.
fn by_table(
    config: &LoaderConfig,
    module: ModuleName,
    path: &Path,
    file: Vec<u8>,
) -> Result<Content, LoadError> {
    let signer = signer(config, &module, path, &file, Nature::Native)?.map(|(signer, _)| signer);
    let (table, text) = table(path, file)?;
    let mut digest = Sha256::new();
    digest.update(&text);
    let library = match &table.library {
        None => {
            return Err(LoadError::Table {
                path: path.to_owned(),
                message: "it does not say of which `library` it speaks".to_owned(),
            });
        }
        Some(name) => {
            let beside = path.parent().unwrap_or(Path::new("/")).join(name);
            if name.contains('/') || beside.is_file() {
                let bytes = read(config, &beside)?;
                self::signer(config, &module, &beside, &bytes, Nature::Native)?;
                suits(&beside, &bytes, &table)?;
                digest.update(&bytes);
                Library::Bytes(bytes)
            } else {
                Library::System(name.clone())
            }
        }
    };
    let digest = hexadecimal(&digest.finalize());
    let code = Code::Native { table, text, library };
    Ok(Content::bare(module, Kind::Elf, code, digest, signer))
}

/// A library, whose table is in it or beside it.
fn library(
    config: &LoaderConfig,
    module: ModuleName,
    path: &Path,
    file: Vec<u8>,
) -> Result<Content, LoadError> {
    let signer = signer(config, &module, path, &file, Nature::Native)?.map(|(signer, _)| signer);
    let (table, text) = match section(path, &file)? {
        Some(text) => self::table(path, text)?,
        None => {
            let beside = path.with_extension(TABLE_EXTENSION);
            match vitte_sys::fs::read_at_most(&beside, config.file_bytes_max) {
                Ok(text) => {
                    self::signer(config, &module, &beside, &text, Nature::Native)?;
                    self::table(&beside, text)?
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(LoadError::NoTable { path: path.to_owned(), beside });
                }
                Err(source) => return Err(LoadError::Read { path: beside, source }),
            }
        }
    };
    suits(path, &file, &table)?;
    let mut digest = Sha256::new();
    digest.update(&text);
    digest.update(&file);
    let digest = hexadecimal(&digest.finalize());
    let code = Code::Native { table, text, library: Library::Bytes(file) };
    Ok(Content::bare(module, Kind::Elf, code, digest, signer))
}

/// Bytecode that follows all rules of its format.
fn verified(path: &Path, file: &[u8]) -> Result<vitte_bytecode::Verified, LoadError> {
    vitte_bytecode::load(file)
        .map_err(|report| LoadError::Bytecode { path: path.to_owned(), report: Box::new(report) })
}

fn read(config: &LoaderConfig, path: &Path) -> Result<Vec<u8>, LoadError> {
    vitte_sys::fs::read_at_most(path, config.file_bytes_max)
        .map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

fn table(path: &Path, bytes: Vec<u8>) -> Result<(Table, String), LoadError> {
    let broken = |message: String| LoadError::Table { path: path.to_owned(), message };
    let text = String::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
    let table = Table::parse(&text).map_err(|error| broken(error.to_string()))?;
    Ok((table, text))
}

/// The table in a library, if it has one.
fn section(path: &Path, file: &[u8]) -> Result<Option<Vec<u8>>, LoadError> {
    let broken =
        |error: object::Error| LoadError::Table { path: path.to_owned(), message: error.to_string() };
    let object = object::File::parse(file).map_err(broken)?;
    let Some(section) = object.section_by_name(TABLE_SECTION) else { return Ok(None) };
    let data = section.data().map_err(broken)?;
    // Linkers may fill the end up.
    let length = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(Some(data.get(..length).unwrap_or_default().to_vec()))
}

/// An error unless the library is for this machine and has all functions of its table. Nothing of it runs.
fn suits(path: &Path, file: &[u8], table: &Table) -> Result<(), LoadError> {
    let unsuited = |message: String| LoadError::Library { path: path.to_owned(), message };
    let object = object::File::parse(file).map_err(|error| unsuited(format!("it is malformed: {error}")))?;
    let ours = match std::env::consts::ARCH {
        "x86_64" => object::Architecture::X86_64,
        "aarch64" => object::Architecture::Aarch64,
        "riscv64" => object::Architecture::Riscv64,
        "x86" => object::Architecture::I386,
        _ => object.architecture(),
    };
    if object.architecture() != ours || object.is_64() != cfg!(target_pointer_width = "64") {
        return Err(unsuited(format!(
            "it is for {:?}; this machine is {}",
            object.architecture(),
            std::env::consts::ARCH
        )));
    }
    if object.kind() != object::ObjectKind::Dynamic {
        return Err(unsuited("it is no shared library".to_owned()));
    }
    let exports: std::collections::BTreeSet<String> = crate::inspect::inspect(file)
        .map_err(|error| unsuited(error.to_string()))?
        .exports
        .into_iter()
        .map(|symbol| symbol.name)
        .collect();
    let imported = table.imports.iter().map(|import| &import.function);
    let missing: Vec<String> = table
        .functions
        .iter()
        .chain(imported)
        .map(|function| &function.symbol)
        .filter(|symbol| !exports.contains(*symbol))
        .map(|symbol| format!("`{symbol}`"))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(unsuited(format!("it does not export {}", missing.join(", "))))
    }
}

/// Kinds of artifacts that an engine checks, the best first.
const CHECKED: [ArtifactKind; 3] = [ArtifactKind::Component, ArtifactKind::Wasm, ArtifactKind::Vitbc];

/// The artifact of a package that suits this machine.
fn packed(
    config: &LoaderConfig,
    sequences: &Sequences,
    request: &LoadRequest,
    path: &Path,
    file: &[u8],
) -> Result<Content, LoadError> {
    let broken = |source| LoadError::Package { path: path.to_owned(), source };
    let package = Container::read(file).map_err(broken)?;
    let Manifest { id, version, kind, seq, artifacts, deps, capabilities, config: settings, .. } =
        package.manifest();
    let id: ModuleName = id.parse()?;
    let module = request.name.clone().unwrap_or_else(|| id.clone());
    // The signature inside is over the manifest; one beside the file, over the whole of it.
    let signer = match (package.signature(), &config.trust) {
        (Some(text), Some(_)) => {
            let manifest = package.manifest_bytes();
            let checked = signature(config, &id, manifest, Some(text), Nature::Checked)?;
            if let Some((_, comment)) = &checked {
                package.check_comment(comment).map_err(broken)?;
            }
            checked.map(|(signer, _)| signer)
        }
        (Some(_), None) | (None, _) => {
            signer(config, &id, path, file, Nature::Checked)?.map(|(signer, _)| signer)
        }
    };
    if let Some(signer) = &signer {
        let known = sequences.highest(signer, id.as_str()).map_err(LoadError::Sequences)?;
        if *seq < known {
            return Err(LoadError::Older { module, seq: *seq, known });
        }
    }
    let native = match kind {
        PackageKind::Module => artifacts
            .iter()
            .find(|artifact| artifact.kind == ArtifactKind::Elf && is_for_this_machine(&artifact.target)),
        PackageKind::Plugin => None,
    };
    if let Some(native) = native.filter(|_| config.native.is_some()) {
        // Whoever signed it was found trusted above; what nobody signed needs the user's permission.
        let allowed = match &signer {
            Some(_) => Ok(None),
            None => signature(config, &id, package.manifest_bytes(), None, Nature::Native),
        };
        let is_only = !artifacts.iter().any(|artifact| CHECKED.contains(&artifact.kind));
        match allowed {
            Ok(_) => {
                let (code, digest) = packed_library(path, &package, &native.path)?;
                let seq = signer.is_some().then(|| (id.as_str().to_owned(), *seq));
                let capabilities = capabilities.iter().filter_map(|text| text.parse().ok()).collect();
                let packaged = Some(Packaged { deps: deps.clone(), capabilities });
                let version = version.clone();
                let bare = Content::bare(module, Kind::Elf, code, digest, signer);
                return Ok(Content { version, seq, packaged, ..bare });
            }
            Err(error) if is_only => return Err(error),
            // The same module for the sandbox is in it too.
            Err(_) => {}
        }
    }
    let chosen = match kind {
        PackageKind::Module => CHECKED.iter().find_map(|kind| {
            artifacts.iter().find(|artifact| {
                artifact.kind == *kind && (artifact.target == "any" || artifact.target.starts_with("wasm32"))
            })
        }),
        // They run in the sandbox alone.
        PackageKind::Plugin => artifacts.iter().find(|artifact| artifact.kind == ArtifactKind::Component),
    };
    let Some(chosen) = chosen else {
        let offered = artifacts.iter().map(|artifact| format!("`{}` for {}", artifact.path, artifact.target));
        return Err(LoadError::NoArtifact { module, offered: offered.collect() });
    };
    let bytes = package.artifact(&chosen.path).map_err(broken)?.unwrap_or_default();
    let expected = match chosen.kind {
        ArtifactKind::Component => Kind::Component,
        ArtifactKind::Vitbc => Kind::Bytecode,
        ArtifactKind::Wasm
        | ArtifactKind::Elf
        | ArtifactKind::Vitffi
        | ArtifactKind::Wit
        | ArtifactKind::Doc => Kind::CoreModule,
    };
    match identify(bytes) {
        Some(kind) if kind == expected => {
            let seq = signer.is_some().then(|| (id.as_str().to_owned(), *seq));
            let digest = hexadecimal(&Sha256::digest(bytes));
            let code = match kind {
                Kind::Bytecode => Code::Bytecode(verified(path, bytes)?),
                _ => Code::Wasm(bytes.to_vec()),
            };
            let capabilities = capabilities.iter().filter_map(|text| text.parse().ok()).collect();
            let packaged = Some(Packaged { deps: deps.clone(), capabilities });
            let (version, settings) = (version.clone(), settings.clone());
            Ok(Content {
                version,
                seq,
                settings,
                packaged,
                ..Content::bare(module, kind, code, digest, signer)
            })
        }
        Some(Kind::Precompiled) => Err(LoadError::Precompiled { path: path.to_owned() }),
        Some(_) | None => Err(broken(ContainerError::Mismatch { path: chosen.path.clone(), what: "kind" })),
    }
}

/// Whether a target triple stands for what this process runs on.
fn is_for_this_machine(target: &str) -> bool {
    let mut parts = target.split('-');
    let architecture = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let library = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    architecture == std::env::consts::ARCH
        && rest.contains(&std::env::consts::OS)
        && (!cfg!(target_os = "linux") || rest.last() == Some(&library))
}

/// The library `artifact` of a package, with its table, and the digest of both.
fn packed_library(path: &Path, package: &Container<'_>, artifact: &str) -> Result<(Code, String), LoadError> {
    let broken = |source| LoadError::Package { path: path.to_owned(), source };
    // What messages call it: the package, and where in it.
    let inside = path.join(artifact);
    let bytes = package.artifact(artifact).map_err(broken)?.unwrap_or_default();
    if identify(bytes) != Some(Kind::Elf) {
        return Err(broken(ContainerError::Mismatch { path: artifact.to_owned(), what: "kind" }));
    }
    let beside = Path::new(artifact).with_extension(TABLE_EXTENSION);
    let text = match package.artifact(&beside.to_string_lossy()).map_err(broken)? {
        Some(text) => Some(text.to_vec()),
        None => section(&inside, bytes)?,
    };
    let Some(text) = text else {
        return Err(LoadError::NoTable { beside: path.join(&beside), path: inside });
    };
    let (table, text) = table(&inside, text)?;
    suits(&inside, bytes, &table)?;
    let mut digest = Sha256::new();
    digest.update(&text);
    digest.update(bytes);
    let digest = hexadecimal(&digest.finalize());
    Ok((Code::Native { table, text, library: Library::Bytes(bytes.to_vec()) }, digest))
}

/// The trusted key that signed `content`, which was read from `path`, and its comment.
fn signer(
    config: &LoaderConfig,
    module: &ModuleName,
    path: &Path,
    content: &[u8],
    nature: Nature,
) -> Result<Option<(String, String)>, LoadError> {
    if config.trust.is_none() {
        return Ok(None);
    }
    let beside = signature_path(path);
    let text = match vitte_sys::fs::read_at_most(&beside, SIGNATURE_MAX) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(LoadError::Read { path: beside, source }),
    };
    signature(config, module, content, text.as_deref(), nature)
}

fn signature(
    config: &LoaderConfig,
    module: &ModuleName,
    content: &[u8],
    signature: Option<&str>,
    nature: Nature,
) -> Result<Option<(String, String)>, LoadError> {
    let Some(folder): &Option<PathBuf> = &config.trust else { return Ok(None) };
    let (store, name) = (TrustStore::new(folder), Some(module.as_str()));
    let checked = match nature {
        Nature::Checked => store.check(name, content, signature),
        Nature::Native => store.check_native(name, content, signature),
    };
    match checked {
        Ok(Signer::Trusted { key, comment }) => Ok(Some((key, comment))),
        Ok(Signer::Unsigned) => Ok(None),
        Err(source) => Err(LoadError::Trust { module: module.clone(), source }),
    }
}
