//! Packages from what a compiler made.
use sha2::{Digest, Sha256};
use vitte_component::describe;

use super::{ArtifactKind, ContainerError, ExportedFunction, Manifest, pack};
use crate::loader::hexadecimal;

/// Fills in what the first component of `parts` exports, and packs. Equal arguments give equal bytes.
///
/// # Errors
/// Which rule of the format is broken, in words.
pub fn assemble(
    manifest: Manifest,
    parts: Vec<(String, ArtifactKind, String, Vec<u8>)>,
) -> Result<Vec<u8>, String> {
    let mut manifest = manifest;
    if let Some((.., bytes)) = parts.iter().find(|(_, kind, ..)| *kind == ArtifactKind::Component) {
        let described = describe(bytes).map_err(|error| error.to_string())?;
        let exports = described.exports.into_iter().map(|(name, ty)| ExportedFunction {
            hash: hexadecimal(&Sha256::digest(ty.as_bytes())),
            name,
            ty,
        });
        manifest.exports = exports.collect();
    }
    pack::<ContainerError>(manifest, parts, |_, _| Ok(None)).map_err(|error| error.to_string())
}
