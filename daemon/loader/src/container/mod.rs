//! `.vitmod`: a module with its manifest in one file.
//!
//! The file is a ZIP that any tool can list, held to a subset so small that two readers cannot disagree about
//! it (`archive`); the manifest names each artifact with its digest (`manifest`); a signature over the
//! manifest therefore covers all of it.
mod archive; // the ZIP subset
mod assemble; // packages from parts
mod manifest; // what is in it, and who says so

use sha2::{Digest, Sha256};

pub use archive::ArchiveError;
pub use assemble::assemble;
pub use manifest::{
    Artifact, ArtifactKind, Dependency, ExportedFunction, Manifest, ManifestError, PackageKind,
};

use crate::loader::hexadecimal;

/// The content of the first entry, by which tools tell the format.
const MIMETYPE: &[u8] = b"application/vnd.vitte.vitmod1";
const MIMETYPE_PATH: &str = "mimetype";
const MANIFEST_PATH: &str = "META/manifest.json";
const SIGNATURE_PATH: &str = "META/manifest.json.minisig";
/// Longest manifest, in bytes.
const MANIFEST_MAX: usize = 4 << 20;
/// Longest signature, in bytes.
const SIGNATURE_MAX: usize = 16 << 10;

/// Why a file is no package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// Its outer form breaks a rule.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its manifest breaks a rule.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An entry that has to be there is not, or is not what it has to be.
    #[error("entry {place} has to be `{path}`{}", found.as_ref().map(|found| format!(", not `{found}`")).unwrap_or_default())]
    Order {
        /// Its place, from 0.
        place: usize,
        /// What has to be there.
        path: String,
        /// What is; `None` for nothing.
        found: Option<String>,
    },
    /// An entry that the manifest does not name.
    #[error("`{0}` is not in the manifest")]
    Unlisted(String),
    /// The first entry has another content.
    #[error("`mimetype` does not say that this is a vitmod of version 1")]
    Mimetype,
    /// Something is longer than it may be.
    #[error("`{path}` has {size} bytes; at most {max} are read")]
    TooLong {
        /// What.
        path: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// An artifact is not what the manifest says.
    #[error("`{path}` does not have the {what} that the manifest gives")]
    Mismatch {
        /// The artifact.
        path: String,
        /// `size` or `digest`.
        what: &'static str,
    },
    /// The signature is not text.
    #[error("the signature is not text")]
    SignatureText,
    /// The comment that the signature vouches for is about another package.
    #[error("the signature's comment is `{found}`; it has to be `{expected}`")]
    Comment {
        /// What it has to be.
        expected: String,
        /// What it is.
        found: String,
    },
}

/// A package whose form and manifest were checked. The artifacts are checked when they are taken.
#[derive(Debug)]
pub struct Container<'a> {
    manifest: Manifest,
    manifest_bytes: &'a [u8],
    signature: Option<&'a str>,
    artifacts: Vec<&'a [u8]>,
}

impl<'a> Container<'a> {
    /// Reads a package. Looks at every header and the manifest, at no artifact.
    ///
    /// # Errors
    /// See [`ContainerError`].
    pub fn read(file: &'a [u8]) -> Result<Self, ContainerError> {
        let entries = archive::read(file)?;
        let mut entries = entries.into_iter().enumerate().peekable();
        let mut take = |path: &str| match entries.next_if(|(_, entry)| entry.path == path) {
            Some((_, entry)) => Ok(entry.data),
            None => {
                let next = entries.peek();
                Err(ContainerError::Order {
                    place: next.map_or(usize::MAX, |(place, _)| *place),
                    path: path.to_owned(),
                    found: next.map(|(_, entry)| entry.path.to_owned()),
                })
            }
        };
        if take(MIMETYPE_PATH)? != MIMETYPE {
            return Err(ContainerError::Mimetype);
        }
        let manifest_bytes = take(MANIFEST_PATH)?;
        if manifest_bytes.len() > MANIFEST_MAX {
            let size = manifest_bytes.len();
            return Err(ContainerError::TooLong { path: MANIFEST_PATH, size, max: MANIFEST_MAX });
        }
        let manifest = Manifest::parse(manifest_bytes)?;
        let signature = match take(SIGNATURE_PATH) {
            Ok(bytes) if bytes.len() > SIGNATURE_MAX => {
                let size = bytes.len();
                return Err(ContainerError::TooLong { path: SIGNATURE_PATH, size, max: SIGNATURE_MAX });
            }
            Ok(bytes) => Some(std::str::from_utf8(bytes).map_err(|_| ContainerError::SignatureText)?),
            Err(_) => None,
        };
        let artifacts = manifest
            .artifacts
            .iter()
            .map(|artifact| {
                let data = take(&artifact.path)?;
                if data.len() as u64 != artifact.size {
                    return Err(ContainerError::Mismatch { path: artifact.path.clone(), what: "size" });
                }
                Ok(data)
            })
            .collect::<Result<_, _>>()?;
        match entries.next() {
            Some((_, entry)) => Err(ContainerError::Unlisted(entry.path.to_owned())),
            None => Ok(Self { manifest, manifest_bytes, signature, artifacts }),
        }
    }

    /// What the package says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes that a signature is over.
    pub fn manifest_bytes(&self) -> &'a [u8] {
        self.manifest_bytes
    }

    /// The signature inside, as text.
    pub fn signature(&self) -> Option<&'a str> {
        self.signature
    }

    /// Checks the comment of a signature that was found good.
    ///
    /// # Errors
    /// [`ContainerError::Comment`].
    pub fn check_comment(&self, found: &str) -> Result<(), ContainerError> {
        let expected = comment(&self.manifest, self.manifest_bytes);
        if found == expected {
            Ok(())
        } else {
            Err(ContainerError::Comment { expected, found: found.chars().take(512).collect() })
        }
    }

    /// The bytes of an artifact of the manifest, checked against its digest; `None` if it is none.
    ///
    /// # Errors
    /// [`ContainerError::Mismatch`].
    pub fn artifact(&self, path: &str) -> Result<Option<&'a [u8]>, ContainerError> {
        let listed = self.manifest.artifacts.iter().zip(&self.artifacts);
        let Some((artifact, data)) = listed.into_iter().find(|(artifact, _)| artifact.path == path) else {
            return Ok(None);
        };
        if hexadecimal(&Sha256::digest(data)) == artifact.sha256 {
            Ok(Some(data))
        } else {
            Err(ContainerError::Mismatch { path: path.to_owned(), what: "digest" })
        }
    }
}

/// The comment that signers put under their signature: it says, to people and to us, what was signed.
pub fn comment(manifest: &Manifest, manifest_bytes: &[u8]) -> String {
    let Manifest { id, version, seq, .. } = manifest;
    format!("vitmod1 {id} {version} seq={seq} m={}", hexadecimal(&Sha256::digest(manifest_bytes)))
}

/// Makes a package of artifacts, each a path, a kind, a target and its bytes; sizes and digests are filled in.
/// `sign` is given the bytes of the manifest and the comment, and gives the text of the signature, if any.
/// Equal inputs and signatures give equal bytes.
///
/// # Errors
/// When the manifest would break a rule.
pub fn pack<E: From<ContainerError>>(
    mut manifest: Manifest,
    mut artifacts: Vec<(String, ArtifactKind, String, Vec<u8>)>,
    sign: impl FnOnce(&[u8], &str) -> Result<Option<String>, E>,
) -> Result<Vec<u8>, E> {
    artifacts.sort_by(|a, b| a.0.cmp(&b.0));
    manifest.artifacts = artifacts
        .iter()
        .map(|(path, kind, target, data)| Artifact {
            path: path.clone(),
            kind: *kind,
            target: target.clone(),
            size: data.len() as u64,
            sha256: hexadecimal(&Sha256::digest(data)),
        })
        .collect();
    let manifest_bytes = manifest.to_bytes().map_err(ContainerError::from)?;
    let signature = sign(&manifest_bytes, &comment(&manifest, &manifest_bytes))?;
    let mut entries: Vec<(&str, &[u8])> = vec![(MIMETYPE_PATH, MIMETYPE), (MANIFEST_PATH, &manifest_bytes)];
    if let Some(signature) = &signature {
        entries.push((SIGNATURE_PATH, signature.as_bytes()));
    }
    entries.extend(artifacts.iter().map(|(path, _, _, data)| (path.as_str(), data.as_slice())));
    Ok(archive::write(&entries).map_err(ContainerError::from)?)
}
