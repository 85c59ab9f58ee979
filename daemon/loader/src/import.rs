//! Imports: whose they are, what they may be bound to, and why not.
//!
//! An import names a module and a function: `acme:json/parser@1.2.0` and `parse`, say. The part before the slash is
//! the module; what it exports is tried as a function of that interface, then as a plain function. Imports are bound
//! by name, not by address: which generation answers is decided by each call.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::interface::{Agreed, Signature, agree};
use crate::loader::Linking;
use crate::name::ModuleName;

/// The interface of the system, which the loader gives by capabilities.
pub(crate) const WASI_1: &str = "wasi_snapshot_preview1";
/// The namespace of the interfaces that components have for it, which the loader does not give.
const WASI_2: &str = "wasi:";

/// A function that code imports.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// Who has to give it, as the code writes it; empty for a function that no interface holds.
    pub(crate) module: String,
    /// What it is called there.
    pub(crate) name: String,
    /// Its type.
    pub(crate) signature: Signature,
    /// Whether the addresses of who imports it have 64 bits.
    pub(crate) is_wide: bool,
}

impl Import {
    /// Whether the system gives it.
    pub(crate) fn is_of_system(&self) -> bool {
        self.module == WASI_1 && crate::wasi::FUNCTIONS.contains(&self.name.as_str())
    }

    /// What there is to say about an import that nothing answers; may be empty.
    pub(crate) fn remark(&self) -> &'static str {
        if self.module == WASI_1 {
            "; the service does not have this function of WASI 0.1"
        } else if self.module.starts_with(WASI_2) {
            "; the service gives WASI 0.1 to core modules and bytecode, and nothing of WASI 0.2"
        } else {
            ""
        }
    }

    /// As messages show it.
    pub(crate) fn text(&self) -> String {
        let dot = if self.module.is_empty() { "" } else { "." };
        format!("`{}{dot}{}` ({})", self.module, self.name, self.signature)
    }
}

/// An import and what answers it.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) import: Import,
    /// The module that answers.
    pub(crate) target: ModuleName,
    /// Its function and the type that it had when this was linked; `None` as long as it is not loaded.
    pub(crate) linked: Option<(String, Signature, Agreed)>,
    /// What loads it at the first call.
    pub(crate) on_call: Option<Activation>,
    /// With what that is linked.
    pub(crate) options: Arc<Linking>,
}

/// A module that is loaded when it is first called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Activation {
    /// The file.
    pub(crate) path: PathBuf,
    /// SHA-256 of the file in hexadecimal, as it was resolved.
    pub(crate) digest: String,
}

/// What of a module other modules see.
pub(crate) type Exports = BTreeMap<String, Signature>;

/// Why an import is bound to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unbound {
    /// Nobody gives it; with what is near.
    Missing(String),
    /// It is there and of another type; with both.
    Mismatch(String),
}

/// The module that an import names, if it names one.
pub(crate) fn target_of(module: &str) -> Option<ModuleName> {
    let unversioned = module.split('@').next().unwrap_or_default();
    unversioned.split('/').next().unwrap_or_default().parse().ok()
}

/// The function of `exports` that an import means, with what both agree on.
///
/// # Errors
/// Why there is none, for a reader.
pub(crate) fn bind(
    import: &Import,
    target: &ModuleName,
    exports: &Exports,
) -> Result<(String, Signature, Agreed), Unbound> {
    let Some((name, signature)) = find(import, exports) else {
        let near = near(&import.name, exports.keys().map(String::as_str));
        let near = match near.as_slice() {
            [] if exports.is_empty() => format!("; `{target}` exports no functions"),
            [] => {
                let some: Vec<String> = exports.keys().take(8).map(|name| format!("`{name}`")).collect();
                format!("; `{target}` exports {}", some.join(", "))
            }
            near => format!("; near to it in `{target}`: {}", near.join(", ")),
        };
        return Err(Unbound::Missing(format!("{}{near}", import.text())));
    };
    match agree(&import.signature, signature) {
        Some(agreed) => Ok((name.clone(), signature.clone(), agreed)),
        None => Err(Unbound::Mismatch(format!(
            "`{}` of `{target}` is wanted as {} and is {signature}",
            import.name, import.signature
        ))),
    }
}

/// The export that an import means.
fn find<'a>(import: &Import, exports: &'a Exports) -> Option<(&'a String, &'a Signature)> {
    let Import { module, name, .. } = import;
    if let Some(found) = exports.get_key_value(&format!("{module}#{name}")) {
        return Some(found);
    }
    let (interface, version) = versioned(module);
    if interface.contains('/') {
        let of_interface = exports.iter().find(|(export, _)| {
            export.rsplit_once('#').is_some_and(|(given, function)| {
                let (given, given_version) = versioned(given);
                function == name && given == interface && serves(version, given_version)
            })
        });
        if of_interface.is_some() {
            return of_interface;
        }
    }
    // The interface language writes names with hyphens, C with underscores.
    exports
        .get_key_value(name)
        .or_else(|| exports.get_key_value(&name.replace('-', "_")))
        .or_else(|| exports.get_key_value(&name.replace('_', "-")))
}

/// An interface's name and version apart.
fn versioned(interface: &str) -> (&str, Option<&str>) {
    match interface.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (interface, None),
    }
}

/// Whether an interface of version `given` does for one of version `wanted`: a later one of the same major number,
/// or of the same minor number below 1.0.
fn serves(wanted: Option<&str>, given: Option<&str>) -> bool {
    match (wanted, given) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(given)) => {
            let (Ok(wanted), Ok(given)) = (semver::VersionReq::parse(&format!("^{wanted}")), given.parse())
            else {
                return wanted == given;
            };
            wanted.matches(&given)
        }
    }
}

/// At most three of `names` that could have been meant by `name`, nearest first, in quotes.
pub(crate) fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    /// Longer names are not compared: the work is the product of both lengths.
    const LENGTH_MAX: usize = 64;
    /// So many names are looked at.
    const NAMES_MAX: usize = 2000;
    if name.len() > LENGTH_MAX {
        return Vec::new();
    }
    let bound = name.len().div_ceil(3);
    let mut near: Vec<(usize, &str)> = names
        .take(NAMES_MAX)
        .filter(|other| other.len() <= LENGTH_MAX + name.len())
        .map(|other| {
            let plain = other.rsplit('#').next().unwrap_or(other);
            (distance(name, plain), other)
        })
        .filter(|(distance, _)| *distance <= bound)
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, name)| format!("`{name}`")).collect()
}

/// How many bytes must be added, removed or replaced to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, a) in a.bytes().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (above, b) in row.iter_mut().skip(1).zip(b.bytes()) {
            let here = (diagonal + usize::from(a != b)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::interface::{FunctionType, Type};

    fn signature(ty: Type) -> Signature {
        Signature::Interface(FunctionType { params: vec![("x".into(), ty)], result: None })
    }

    fn import(module: &str, name: &str) -> Import {
        Import { module: module.into(), name: name.into(), signature: signature(Type::U8), is_wide: false }
    }

    #[test]
    fn an_import_finds_its_function() {
        let exports: Exports = ["a:b/c@1.2.0#f", "a:b/d#g", "plain_name", "other"]
            .into_iter()
            .map(|name| (name.to_owned(), signature(Type::U8)))
            .collect();
        let found = |module: &str, name: &str| {
            let target = target_of(module).unwrap();
            bind(&import(module, name), &target, &exports).map(|(name, ..)| name)
        };
        for (module, name, expected) in [
            ("a:b/c@1.2.0", "f", Some("a:b/c@1.2.0#f")),
            ("a:b/c@1.1.0", "f", Some("a:b/c@1.2.0#f")),
            ("a:b/c", "f", Some("a:b/c@1.2.0#f")),
            ("a:b/c@2.0.0", "f", None),
            ("a:b/c@1.3.0", "f", None),
            ("a:b/d", "g", Some("a:b/d#g")),
            ("a:b", "plain-name", Some("plain_name")),
            ("a:b/any@3.0.0", "other", Some("other")),
        ] {
            assert_eq!(found(module, name).ok().as_deref(), expected, "{module} {name}");
        }
        let missing = found("a:b", "othr").unwrap_err();
        assert_eq!(
            missing,
            Unbound::Missing("`a:b.othr` (func(x: u8)); near to it in `a:b`: `other`".into())
        );
        let target = target_of("a:b").unwrap();
        let other = Import { signature: signature(Type::String), ..import("a:b", "other") };
        assert_eq!(
            bind(&other, &target, &exports).unwrap_err(),
            Unbound::Mismatch("`other` of `a:b` is wanted as func(x: string) and is func(x: u8)".into())
        );
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("ab", "", 2), ("kitten", "sitting", 3), ("a", "a", 0)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
