//! Everything that is checked when a plugin is loaded, without running any of it.
use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};
use vitte_component::{CONSOLE, PLUGIN_VERSION, describe, plugin_functions};

use super::Activation;
use crate::config::LoaderConfig;
use crate::container::{ArtifactKind, Container, PackageKind};
use crate::error::LoadError;
use crate::loader::{LoadRequest, hexadecimal};
use crate::name::ModuleName;
use crate::sequence::Sequences;
use crate::source;

/// Names of what plugins may be allowed to use.
const CAPABILITIES: [&str; 1] = ["vitte:host/console"];
/// Where interfaces of plugins begin.
const NAMESPACE: &str = "vitte:plugin/";

/// What was found out about a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it is called.
    pub name: ModuleName,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// The trusted key that signed it.
    pub signer: Option<String>,
    /// When it is made.
    pub activation: Vec<Activation>,
    /// What it may use.
    pub capabilities: Vec<String>,
    /// Interfaces that it contributes, such as `diagnostics`.
    pub contributions: BTreeSet<String>,
    /// Its functions with their types.
    pub exports: Vec<(String, String)>,
    /// What it imports.
    pub imports: Vec<String>,
    /// What is wrong; a plugin with problems is not loaded.
    pub problems: Vec<String>,
}

/// Checks the package at `path`: form, digests, signature, kind, imports, the types of what it contributes.
///
/// # Errors
/// When it cannot be read, is no package, or is not trusted. What is wrong with its content is in the answer.
pub fn check(config: &LoaderConfig, path: &Path) -> Result<Checked, LoadError> {
    let file = vitte_sys::fs::read_at_most(path, config.file_bytes_max)
        .map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    let broken = |source| LoadError::Package { path: path.to_owned(), source };
    let container = Container::read(&file).map_err(broken)?;
    let manifest = container.manifest().clone();
    let name: ModuleName = manifest.id.parse()?;
    let mut checked = Checked {
        name,
        version: manifest.version.clone(),
        description: manifest.description.clone().unwrap_or_default(),
        signer: None,
        activation: manifest.activation.iter().filter_map(|event| event.parse().ok()).collect(),
        capabilities: manifest.capabilities.clone(),
        contributions: BTreeSet::new(),
        exports: Vec::new(),
        imports: Vec::new(),
        problems: Vec::new(),
    };
    if manifest.kind != PackageKind::Plugin {
        checked.problems.push("it is a module and no plugin".to_owned());
    }
    for capability in &manifest.capabilities {
        if !CAPABILITIES.contains(&capability.as_str()) {
            checked.problems.push(format!("nobody can give it the capability `{capability}`"));
        }
    }
    for artifact in &manifest.artifacts {
        let bytes = container.artifact(&artifact.path).map_err(broken)?.unwrap_or_default();
        if artifact.kind == ArtifactKind::Component {
            check_component(bytes, &manifest.capabilities, &mut checked);
        }
    }
    if !manifest.artifacts.iter().any(|artifact| artifact.kind == ArtifactKind::Component) {
        checked.problems.push("it has no component".to_owned());
    } else if manifest.kind == PackageKind::Plugin {
        // What loading would say of its trust.
        let sequences = Sequences::new(config.sequences.clone());
        let digest = hexadecimal(&Sha256::digest(&file));
        let content = source::content(config, &sequences, &LoadRequest::new(path), path, file, &digest)?;
        checked.signer = content.signer;
    }
    Ok(checked)
}

fn check_component(bytes: &[u8], capabilities: &[String], checked: &mut Checked) {
    let described = match describe(bytes) {
        Ok(described) => described,
        Err(error) => return checked.problems.push(error.to_string()),
    };
    for import in &described.imports {
        let granted = capabilities.iter().any(|capability| import.split('@').next() == Some(capability));
        // Printing needs no leave: it only reaches the log.
        if import != CONSOLE && !granted {
            checked.problems.push(format!("it imports `{import}`, which nobody gives it"));
        }
    }
    for (name, found) in &described.exports {
        let known = plugin_functions().iter().find(|function| function.export() == *name);
        match known {
            Some(function) if function.signature != *found => checked.problems.push(format!(
                "`{name}` has the wrong type\n  it is         {found}\n  it has to be  {}",
                function.signature
            )),
            Some(function) if !function.interface.is_empty() => {
                checked.contributions.insert(function.interface.clone());
            }
            Some(_) => {}
            None if name.starts_with(NAMESPACE) => checked.problems.push(format!(
                "`{name}` is nothing that this service knows; it has {NAMESPACE}*@{PLUGIN_VERSION}"
            )),
            None => {}
        }
    }
    let has = |name: &str| described.exports.iter().any(|(export, _)| export == name);
    if has("save-state") != has("load-state") {
        checked.problems.push("`save-state` and `load-state` go together".to_owned());
    }
    if checked.contributions.is_empty() {
        checked.problems.push("it contributes nothing".to_owned());
    }
    checked.exports = described.exports;
    checked.imports = described.imports;
}
