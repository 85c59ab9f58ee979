//! What is in a package, by its manifest. Artifacts are checked against their digests; nothing of them runs.
use super::{InspectError, Inspection, Section, Symbol};
use crate::container::{Container, ContainerError, Dependency, ExportedFunction};
use crate::kind::Kind;

pub(super) fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let malformed =
        |error: ContainerError| InspectError::Malformed { offset: None, message: error.to_string() };
    let package = Container::read(bytes).map_err(malformed)?;
    let manifest = package.manifest();
    for artifact in &manifest.artifacts {
        package.artifact(&artifact.path).map_err(malformed)?;
    }
    let mut targets: Vec<&str> = manifest.artifacts.iter().map(|artifact| artifact.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    let sections = manifest
        .artifacts
        .iter()
        .map(|artifact| Section { name: artifact.path.clone(), size: artifact.size });
    let imports = manifest.deps.iter().map(|Dependency { id, req, optional, lazy }| {
        let optional = if *optional { ", optional" } else { "" };
        let lazy = if *lazy { ", lazy" } else { "" };
        Symbol { module: String::new(), name: id.clone(), what: format!("package {req}{optional}{lazy}") }
    });
    let exports = manifest.exports.iter().map(|ExportedFunction { name, ty, hash: _ }| Symbol {
        module: String::new(),
        name: name.clone(),
        what: ty.clone(),
    });
    Ok(Inspection {
        kind: Kind::Container,
        target: targets.join(", "),
        size: bytes.len() as u64,
        sections: sections.collect(),
        imports: imports.collect(),
        exports: exports.collect(),
        needed: Vec::new(),
        soname: Some(format!("{} {}", manifest.id, manifest.version)),
        build_id: None,
    })
}
