//! `vitte-package.json` and `vitte-workspace.json`: what they say, checked.
use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::str::FromStr;

use serde_json::{Map, Value};

use vitte_compiler::lint;

use super::json::Document;
use crate::api::{DriverError, LintLevel, OptLevel};
use crate::link::LinkMode;

/// What a package makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageKind {
    /// A program.
    Binary,
    /// Modules for other packages.
    Library,
}

/// Where a dependency comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DependencySource {
    /// The registry.
    Registry,
    /// A member of the same workspace.
    Workspace,
    /// A folder, relative to the package.
    Path(String),
}

/// A dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// `1.2.3`, `=1.2.3`, `^1.2.3`, `*` or empty.
    pub requirement: String,
    /// Where it comes from.
    pub source: DependencySource,
}

/// Settings of a profile; `None` keeps the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// `opt_level`: 0 to 3.
    pub opt_level: Option<OptLevel>,
    /// `debug_info`.
    pub debug_info: Option<bool>,
    /// `strip`.
    pub strip: Option<bool>,
    /// `strict`: import cycles are errors.
    pub strict: Option<bool>,
}

/// The `link` object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// Linker by name or command.
    pub linker: Option<String>,
    /// `mode`: `dynamic` or `static`.
    pub mode: LinkMode,
    /// Shared libraries beyond the C library.
    pub libraries: Vec<String>,
    /// Further flags.
    pub flags: Vec<String>,
}

/// A package's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Lower-case letters, digits and `-`; begins with a letter.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Program or library.
    pub kind: PackageKind,
    /// The root module, relative to the package.
    pub entry: String,
    /// By name.
    pub dependencies: BTreeMap<String, Dependency>,
    /// Test programs, relative to the package.
    pub tests: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// By name.
    pub profiles: BTreeMap<String, Profile>,
    /// Lint levels in order.
    pub lints: Vec<(LintLevel, String)>,
    /// How to link.
    pub link: LinkSettings,
    /// What a package for the loader says.
    pub plugin: PluginSettings,
    /// What a plugin or module may use, such as `vitte:host/console`.
    pub capabilities: Vec<String>,
    /// Native libraries that a package for the loader brings, by the target that each is for.
    pub native: BTreeMap<String, NativeLibrary>,
}

/// An entry of the `native` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeLibrary {
    /// The library, relative to the package.
    pub library: String,
    /// The table of its functions, relative to the package, unless it is in the library itself.
    pub table: Option<String>,
}

/// The `plugin` object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginSettings {
    /// `id`: what it is called, such as `acme:style`.
    pub id: Option<String>,
    /// `seq`: grows with each release.
    pub seq: Option<u64>,
    /// `activation`: when it is made.
    pub activation: Vec<String>,
    /// `config`: what `init` is given.
    pub config: Option<String>,
}

/// A workspace's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceManifest {
    /// Semantic version.
    pub version: Option<String>,
    /// Package folders, relative to the workspace.
    pub members: Vec<String>,
    /// Folder of the offline registry.
    pub registry: Option<String>,
}

const PACKAGE_SCHEMA: &str = "vitte.package.manifest.v1";
const WORKSPACE_SCHEMA: &str = "vitte.workspace.v1";

impl Manifest {
    /// Reads a manifest. `name` is the file's name in messages; `entry_exists` says whether a path
    /// relative to the package names a file.
    ///
    /// # Errors
    /// [`DriverError::BadInput`] with a `PKG_E_*` code, line and column.
    pub fn parse(name: &str, text: &str, entry_exists: impl Fn(&str) -> bool) -> Result<Self, DriverError> {
        let document = Document::new(name, text);
        let object = document.object()?;
        let fields = Fields { document: &document, object: &object, at: Vec::new() };
        fields.schema(PACKAGE_SCHEMA)?;
        let package = fields.required("name")?;
        if !is_package_name(package) {
            return Err(document.error(
                &["name"],
                "PKG_E_NAME",
                &format!("`{package}` is not a package name"),
                "use lower-case letters, digits and `-`, beginning with a letter",
            ));
        }
        let version = fields.required("version")?;
        if !is_version(version) {
            let message = format!("`{version}` is not a semantic version");
            return Err(document.error(&["version"], "PKG_E_VERSION", &message, "write MAJOR.MINOR.PATCH"));
        }
        let kind = match fields.required("kind")? {
            "binary" => PackageKind::Binary,
            "library" => PackageKind::Library,
            other => {
                let message = format!("`{other}` is not a kind of package");
                return Err(document.error(&["kind"], "PKG_E_KIND", &message, "write `binary` or `library`"));
            }
        };
        let entry = fields.required("entry")?;
        if !is_inside(entry) {
            let message = format!("the entry `{entry}` leaves the package");
            return Err(document.error(
                &["entry"],
                "PKG_E_ENTRY",
                &message,
                "give a relative path without `..`",
            ));
        }
        if !entry_exists(entry) {
            let message = format!("the entry `{entry}` does not exist");
            return Err(document.error(
                &["entry"],
                "PKG_E_ENTRY_MISSING",
                &message,
                "create it or correct the path",
            ));
        }
        let tests = fields.list("tests")?;
        if let Some(bad) = tests.iter().find(|test| !is_inside(test)) {
            let message = format!("the test `{bad}` leaves the package");
            return Err(document.error(
                &["tests"],
                "PKG_E_TESTS",
                &message,
                "give a relative path without `..`",
            ));
        }
        Ok(Self {
            name: package.to_owned(),
            version: version.to_owned(),
            kind,
            entry: entry.to_owned(),
            dependencies: dependencies(&fields)?,
            tests,
            description: fields.optional("description")?.map(String::from),
            license: fields.optional("license")?.map(String::from),
            profiles: profiles(&fields)?,
            lints: lints(&fields)?,
            link: link(&fields)?,
            plugin: plugin(&fields)?,
            capabilities: fields.list("capabilities")?,
            native: native(&fields)?,
        })
    }
}

impl WorkspaceManifest {
    /// Reads a workspace manifest. `name` is the file's name in messages.
    ///
    /// # Errors
    /// [`DriverError::BadInput`] with a `PKG_E_*` code, line and column.
    pub fn parse(name: &str, text: &str) -> Result<Self, DriverError> {
        let document = Document::new(name, text);
        let object = document.object()?;
        let fields = Fields { document: &document, object: &object, at: Vec::new() };
        fields.schema(WORKSPACE_SCHEMA)?;
        let members = fields.list("members")?;
        if let Some(bad) = members.iter().find(|member| !is_inside(member)) {
            let message = format!("the member `{bad}` leaves the workspace");
            let help = "give a relative path without `..`";
            return Err(document.error(&["members"], "PKG_E_WORKSPACE_MEMBER", &message, help));
        }
        let registry = match fields.object("registry")? {
            None => None,
            Some(registry) => {
                if let Some(mode) = registry.optional("mode")?.filter(|mode| *mode != "offline") {
                    let message = format!("`{mode}` is not a registry mode");
                    return Err(document.error(
                        &["registry", "mode"],
                        "PKG_E_REGISTRY",
                        &message,
                        "write `offline`",
                    ));
                }
                registry.optional("path")?.map(String::from)
            }
        };
        Ok(Self { version: fields.optional("version")?.map(String::from), members, registry })
    }
}

/// The fields of one object of a document.
struct Fields<'a> {
    document: &'a Document<'a>,
    object: &'a Map<String, Value>,
    at: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    fn path(&self, name: &'a str) -> Vec<&'a str> {
        self.at.iter().copied().chain([name]).collect()
    }

    fn mistyped(&self, name: &'a str, expected: &str) -> DriverError {
        let path = self.path(name);
        let message = format!("the field `{}` must be {expected}", path.join("."));
        self.document.error(&path, "PKG_E_FIELD_TYPE", &message, "correct the value")
    }

    fn required(&self, name: &'a str) -> Result<&'a str, DriverError> {
        self.optional(name)?.ok_or_else(|| {
            let message = format!("the field `{name}` is missing");
            self.document.error(
                &self.at,
                "PKG_E_FIELD_MISSING",
                &message,
                &format!("add `\"{name}\": \"…\"`"),
            )
        })
    }

    fn optional(&self, name: &'a str) -> Result<Option<&'a str>, DriverError> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.mistyped(name, "a string")),
        }
    }

    fn flag(&self, name: &'a str) -> Result<Option<bool>, DriverError> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.mistyped(name, "`true` or `false`")),
        }
    }

    fn list(&self, name: &'a str) -> Result<Vec<String>, DriverError> {
        let wrong = || self.mistyped(name, "an array of strings");
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                values.iter().map(|value| value.as_str().map(String::from).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn object(&self, name: &'a str) -> Result<Option<Fields<'a>>, DriverError> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => {
                Ok(Some(Fields { document: self.document, object, at: self.path(name) }))
            }
            Some(_) => Err(self.mistyped(name, "an object")),
        }
    }

    fn schema(&self, expected: &str) -> Result<(), DriverError> {
        let schema = self.required("schema")?;
        if schema == expected {
            return Ok(());
        }
        let message = format!("the schema `{schema}` is not known");
        Err(self.document.error(&["schema"], "PKG_E_SCHEMA", &message, &format!("write `{expected}`")))
    }
}

fn dependencies(fields: &Fields<'_>) -> Result<BTreeMap<String, Dependency>, DriverError> {
    let mut all = BTreeMap::new();
    let Some(list) = fields.object("dependencies")? else { return Ok(all) };
    for (name, value) in list.object {
        let path = list.path(name);
        let fail =
            |code: &str, message: String, help: &str| fields.document.error(&path, code, &message, help);
        if !is_package_name(name) {
            let help = "use lower-case letters, digits and `-`, beginning with a letter";
            return Err(fail("PKG_E_NAME", format!("`{name}` is not a package name"), help));
        }
        let dependency = match value {
            Value::String(requirement) => {
                Dependency { requirement: requirement.clone(), source: DependencySource::Registry }
            }
            Value::Object(_) => {
                let Some(entry) = list.object(name)? else { continue };
                let path = entry.optional("path")?;
                let source = match (entry.optional("source")?, path) {
                    (Some("registry"), _) | (None, None) => DependencySource::Registry,
                    (Some("workspace"), _) => DependencySource::Workspace,
                    (Some("path") | None, Some(path)) => DependencySource::Path(path.to_owned()),
                    (Some("path"), None) => {
                        let message = format!("the dependency `{name}` has no `path`");
                        return Err(fail("PKG_E_DEPENDENCY", message, "add `\"path\": \"…\"`"));
                    }
                    (Some(other), _) => {
                        let message = format!("`{other}` is not a source of packages");
                        return Err(fail(
                            "PKG_E_DEPENDENCY",
                            message,
                            "write `registry`, `workspace` or `path`",
                        ));
                    }
                };
                Dependency { requirement: entry.optional("version")?.unwrap_or_default().to_owned(), source }
            }
            _ => return Err(list.mistyped(name, "a version requirement or an object")),
        };
        if !is_requirement(&dependency.requirement) {
            let message = format!("`{}` is not a version requirement", dependency.requirement);
            return Err(fail("PKG_E_REQUIREMENT", message, "write `1.2.3`, `=1.2.3`, `^1.2.3` or `*`"));
        }
        all.insert(name.clone(), dependency);
    }
    Ok(all)
}

fn profiles(fields: &Fields<'_>) -> Result<BTreeMap<String, Profile>, DriverError> {
    let mut all = BTreeMap::new();
    let Some(list) = fields.object("profiles")? else { return Ok(all) };
    for name in list.object.keys() {
        let Some(profile) = list.object(name)? else { continue };
        let opt_level = match profile.object.get("opt_level") {
            None => None,
            Some(level) => Some(match level.as_u64() {
                Some(0) => OptLevel::O0,
                Some(1) => OptLevel::O1,
                Some(2) => OptLevel::O2,
                Some(3) => OptLevel::O3,
                _ => return Err(profile.mistyped("opt_level", "a number from 0 to 3")),
            }),
        };
        let settings = Profile {
            opt_level,
            debug_info: profile.flag("debug_info")?,
            strip: profile.flag("strip")?,
            strict: profile.flag("strict")?,
        };
        all.insert(name.clone(), settings);
    }
    Ok(all)
}

fn lints(fields: &Fields<'_>) -> Result<Vec<(LintLevel, String)>, DriverError> {
    let Some(list) = fields.object("lints")? else { return Ok(Vec::new()) };
    let level = |name: &String| match list.object.get(name).and_then(Value::as_str) {
        Some("allow") => Ok((LintLevel::Allow, name.clone())),
        Some("warn") => Ok((LintLevel::Warn, name.clone())),
        Some("deny") => Ok((LintLevel::Deny, name.clone())),
        _ => Err(list.mistyped(name, "`allow`, `warn` or `deny`")),
    };
    let mut all: Vec<_> = list.object.keys().map(level).collect::<Result<_, _>>()?;
    // Groups speak of all: what is said of single lints is said after them.
    all.sort_by_key(|(_, name)| !matches!(name.as_str(), lint::WARNINGS | lint::GROUP));
    Ok(all)
}

fn link(fields: &Fields<'_>) -> Result<LinkSettings, DriverError> {
    let Some(link) = fields.object("link")? else { return Ok(LinkSettings::default()) };
    Ok(LinkSettings {
        linker: link.optional("linker")?.map(String::from),
        mode: match link.optional("mode")? {
            None | Some("dynamic") => LinkMode::Dynamic,
            Some("static") => LinkMode::Static,
            Some(_) => return Err(link.mistyped("mode", "`dynamic` or `static`")),
        },
        libraries: link.list("libraries")?,
        flags: link.list("flags")?,
    })
}

fn plugin(fields: &Fields<'_>) -> Result<PluginSettings, DriverError> {
    let Some(plugin) = fields.object("plugin")? else { return Ok(PluginSettings::default()) };
    let seq = match plugin.object.get("seq") {
        None | Some(Value::Null) => None,
        Some(number) => Some(number.as_u64().ok_or_else(|| plugin.mistyped("seq", "a whole number from 0"))?),
    };
    Ok(PluginSettings {
        id: plugin.optional("id")?.map(String::from),
        seq,
        activation: plugin.list("activation")?,
        config: plugin.optional("config")?.map(String::from),
    })
}

fn native(fields: &Fields<'_>) -> Result<BTreeMap<String, NativeLibrary>, DriverError> {
    let mut all = BTreeMap::new();
    let Some(list) = fields.object("native")? else { return Ok(all) };
    for target in list.object.keys() {
        let Some(entry) = list.object(target)? else { continue };
        if target_lexicon::Triple::from_str(target).is_err() {
            let message = format!("`{target}` is no target triple");
            let help = "write one such as `x86_64-unknown-linux-gnu`";
            return Err(fields.document.error(&list.path(target), "PKG_E_NATIVE", &message, help));
        }
        let library = NativeLibrary {
            library: entry.required("library")?.to_owned(),
            table: entry.optional("table")?.map(String::from),
        };
        if let Some(path) =
            std::iter::once(&library.library).chain(&library.table).find(|path| !is_inside(path))
        {
            let message = format!("the file `{path}` leaves the package");
            let help = "give a relative path without `..`";
            return Err(fields.document.error(&list.path(target), "PKG_E_NATIVE", &message, help));
        }
        all.insert(target.clone(), library);
    }
    Ok(all)
}

fn is_package_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// `MAJOR.MINOR.PATCH`, then optionally `-pre.release` and `+build`, as semver.org says.
fn is_version(version: &str) -> bool {
    let (rest, build) = version.split_once('+').map_or((version, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let number = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|part| number(part))
        && pre.is_none_or(|pre| {
            pre.split('.')
                .all(|part| word(part) && (!part.bytes().all(|b| b.is_ascii_digit()) || number(part)))
        })
        && build.is_none_or(|build| build.split('.').all(word))
}

fn is_requirement(requirement: &str) -> bool {
    matches!(requirement, "" | "*") || is_version(requirement.strip_prefix(['=', '^']).unwrap_or(requirement))
}

/// Whether a relative path stays below the folder it starts from.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path).components().all(|component| match component {
            Component::Normal(_) | Component::CurDir => true,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_names() {
        for good in ["0.1.0", "1.2.3-rc.1", "1.2.3+b.01", "10.20.30-a-b"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["1.2", "01.2.3", "1.2.3-", "1.2.3-01", "v1.2.3", "1.2.3+"] {
            assert!(!is_version(bad), "{bad}");
        }
        assert!(is_requirement("^1.0.0") && is_requirement("*") && !is_requirement(">1.0.0"));
        assert!(
            is_package_name("a-1") && !is_package_name("1a") && !is_package_name("A") && !is_package_name("")
        );
        assert!(is_inside("src/main.vit") && !is_inside("../x") && !is_inside("/x") && !is_inside(""));
    }
}
