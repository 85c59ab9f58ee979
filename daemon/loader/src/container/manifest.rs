//! The manifest: canonical JSON, every field known.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::archive::checked_name;
use crate::name::ModuleName;
use crate::plugin::Activation;

/// The version of the format that is read and written.
const FORMAT: u64 = 1;
/// Most artifacts.
const ARTIFACTS_MAX: usize = 4000;

/// Most packages that one needs.
const DEPS_MAX: usize = 256;

/// What a package says of itself. Field names on disk are these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always 1.
    pub format: u64,
    /// What it is called; see [`ModuleName`].
    pub id: String,
    /// A semantic version.
    pub version: String,
    /// What it is.
    pub kind: PackageKind,
    /// Grows with each release: an older one is not loaded in place of a newer one of the same signer.
    pub seq: u64,
    /// Its files, sorted by path.
    pub artifacts: Vec<Artifact>,
    /// Packages that it needs, sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deps: Vec<Dependency>,
    /// An SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it exports: functions with their types, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<ExportedFunction>,
    /// When a plugin is made, or a module that others depend on is loaded: `on-call`, `on-command:NAME`, `on-file-type:.EXTENSION`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activation: Vec<String>,
    /// What a plugin's `init` is given, where the user gave nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// What it may use: of the system, as [`Wanted`](vitte_trust::Wanted) is written, and interfaces of the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

/// A function that a package exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedFunction {
    /// Its name.
    pub name: String,
    /// Its type in WIT; types stand where they are used, without names.
    #[serde(rename = "type")]
    pub ty: String,
    /// SHA-256 of that text in hexadecimal: equal if values can cross.
    pub hash: String,
}

/// A package that another one needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// What it is called.
    pub id: String,
    /// Which versions will do: `1.2.3` and `^1.2.3` for that and what is compatible with it, `=1.2.3` for that alone,
    /// `*` for all.
    pub req: String,
    /// Whether the package does without, if there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Whether it is loaded only when it is first called.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lazy: bool,
}

/// What a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageKind {
    /// Functions to call.
    Module,
    /// An extension of the tools.
    Plugin,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Where it is in the package.
    pub path: String,
    /// What it is.
    pub kind: ArtifactKind,
    /// What it is for: a target triple, or `any`.
    pub target: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal, lower case.
    pub sha256: String,
}

/// What a file of a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactKind {
    /// A WebAssembly core module.
    Wasm,
    /// A WebAssembly component.
    Component,
    /// Portable bytecode.
    Vitbc,
    /// A native library. Its table is in it, or is the artifact beside it that ends with `.vitffi`.
    Elf,
    /// The table of a native library.
    Vitffi,
    /// An interface.
    Wit,
    /// Documentation.
    Doc,
}

/// A rule of the manifest that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is not valid: {0}")]
pub struct ManifestError(String);

impl Manifest {
    /// Reads a manifest. Its bytes have to be the ones that [`to_bytes`](Self::to_bytes) gives, but for fields
    /// that begin with `x-`, which are for others.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let broken = |error: serde_json::Error| ManifestError(error.to_string());
        let mut value: Value = serde_json::from_slice(bytes).map_err(broken)?;
        if canonical(&value)? != bytes {
            return Err(ManifestError(
                "it is not canonical: sorted keys, each once, no spaces, no fractions".to_owned(),
            ));
        }
        remove_foreign(&mut value);
        let manifest: Self = serde_json::from_value(value).map_err(broken)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Its bytes: JSON with sorted keys, without spaces.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        canonical(&serde_json::to_value(self).map_err(|error| ManifestError(error.to_string()))?)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let Self { format, id, version, kind, activation, artifacts, deps, capabilities, .. } = self;
        let broken = |message: String| Err(ManifestError(message));
        if *format != FORMAT {
            return broken(format!("its format is {format}; this version reads {FORMAT}"));
        }
        if let Err(error) = id.parse::<ModuleName>() {
            return broken(error.to_string());
        }
        if let Err(error) = semver::Version::parse(version) {
            return broken(format!("`{version}` is no version: {error}"));
        }
        if artifacts.len() > ARTIFACTS_MAX {
            return broken(format!("it has {} artifacts; at most {ARTIFACTS_MAX} are read", artifacts.len()));
        }
        if let Some(pair) = deps.windows(2).find(|pair| matches!(pair, [a, b] if a.id >= b.id)) {
            let names: Vec<&str> = pair.iter().map(|dep| dep.id.as_str()).collect();
            return broken(format!("its deps are not sorted by id, each once: {}", names.join(", ")));
        }
        if deps.len() > DEPS_MAX {
            return broken(format!("it has {} deps; at most {DEPS_MAX} are read", deps.len()));
        }
        for Dependency { id: dep, req, .. } in deps {
            if dep == id {
                return broken("it depends on itself".to_owned());
            }
            if let Err(error) = dep.parse::<ModuleName>() {
                return broken(error.to_string());
            }
            if let Err(message) = crate::resolve::Requirement::parse(req) {
                return broken(format!("the version of `{dep}` that it needs cannot be read: {message}"));
            }
        }
        for capability in capabilities {
            // Others are interfaces of the service, which a plugin's check knows.
            let is_interface = capability.contains('/') && !capability.starts_with("fs:");
            if !is_interface && let Err(error) = capability.parse::<vitte_trust::Wanted>() {
                return broken(error.to_string());
            }
        }
        for event in activation {
            match (event.parse::<Activation>(), kind) {
                (Ok(_), PackageKind::Plugin) | (Ok(Activation::OnCall), PackageKind::Module) => {}
                (Ok(_), PackageKind::Module) => {
                    return broken(format!("only plugins have the `activation` `{event}`"));
                }
                (Err(error), _) => return broken(error.to_string()),
            }
        }
        let mut seen = BTreeSet::new();
        for Artifact { path, kind: _, target, size: _, sha256 } in artifacts {
            let folder = path.split('/').next().unwrap_or_default();
            if checked_name(path.as_bytes()).is_none() || folder == "META" || path == "mimetype" {
                return broken(format!("`{path}` is no path for an artifact"));
            }
            if seen.last().is_some_and(|last: &&str| *last >= path.as_str()) {
                return broken("its artifacts are not sorted by path, each once".to_owned());
            }
            seen.insert(path.as_str());
            let is_target = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if target.is_empty() || target.len() > 64 || !target.chars().all(is_target) {
                return broken(format!("`{path}` is for no target"));
            }
            let is_hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            if sha256.len() != 64 || !sha256.chars().all(is_hexadecimal) {
                return broken(format!("the digest of `{path}` is no SHA-256 in lower case"));
            }
        }
        Ok(())
    }
}

/// JSON with sorted keys and without spaces.
fn canonical(value: &Value) -> Result<Vec<u8>, ManifestError> {
    fn has_fraction(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_f64(),
            Value::Array(values) => values.iter().any(has_fraction),
            Value::Object(fields) => fields.values().any(has_fraction),
            Value::Null | Value::Bool(_) | Value::String(_) => false,
        }
    }
    if has_fraction(value) {
        return Err(ManifestError("it has a number with a fraction".to_owned()));
    }
    serde_json::to_vec(&sorted(value)).map_err(|error| ManifestError(error.to_string()))
}

/// The same with the keys of every object in order, whatever order the map type keeps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<&String, &Value> = fields.iter().collect();
            Value::Object(fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn remove_foreign(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.starts_with("x-"));
            fields.values_mut().for_each(remove_foreign);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_foreign),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str =
        r#"{"artifacts":[],"format":1,"id":"acme:json","kind":"module","seq":7,"version":"1.2.3"}"#;

    #[test]
    fn a_manifest_round_trips() {
        let manifest = Manifest::parse(GOOD.as_bytes()).unwrap();
        assert_eq!((manifest.id.as_str(), manifest.seq), ("acme:json", 7));
        assert_eq!(manifest.to_bytes().unwrap(), GOOD.as_bytes());
    }

    #[test]
    fn foreign_fields_are_passed_over_and_others_refused() {
        let foreign = GOOD.replace('}', r#","x-note":{"a":[1]}}"#);
        assert!(Manifest::parse(foreign.as_bytes()).is_ok());
        let unknown = GOOD.replace('}', r#","zeal":1}"#);
        assert!(Manifest::parse(unknown.as_bytes()).unwrap_err().to_string().contains("zeal"));
    }

    #[test]
    fn rules_are_kept() {
        for (from, to) in [
            (r#""format":1"#, r#""format":2"#),
            ("acme:json", "acme/json"),
            ("1.2.3", "1.2"),
            (r#""seq":7"#, r#""seq":7.0"#),
            (r#""seq":7"#, r#""seq":-7"#),
            (r#""seq":7"#, r#""seq": 7"#),
            (r#""seq":7"#, r#""seq":7,"seq":7"#),
            (r#""kind":"module""#, r#""kind":"bundle""#),
            ("[]", r#"[{"kind":"wasm","path":"META/x","sha256":"","size":0,"target":"any"}]"#),
            ("[]", r#"[{"kind":"wasm","path":"a","sha256":"","size":0,"target":"any"}]"#),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            assert!(Manifest::parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Manifest::parse(deep.as_bytes()).is_err());
    }
}
