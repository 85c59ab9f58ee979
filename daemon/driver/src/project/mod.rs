//! Project files and where things are: packages, workspaces, lone files.
//!
//! [`Project::find`] turns what the user typed into a workspace root, an entry file and the folders
//! in which modules may be. Everything is absolute and free of symlinks from here on.
mod json; // JSON with places for messages
mod manifest; // vitte-package.json, vitte-workspace.json
#[cfg(test)]
mod tests;

pub use manifest::{
    Dependency, DependencySource, LinkSettings, Manifest, NativeLibrary, PackageKind, Profile,
    WorkspaceManifest,
};

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use vitte_compiler::base::{SourcePath, SourceRoot};
use vitte_sys::fs::FileKind;

use crate::api::{BuildRequest, DriverError};

/// File name of a package's manifest.
pub const PACKAGE_FILE: &str = "vitte-package.json";
/// File name of a workspace's manifest.
pub const WORKSPACE_FILE: &str = "vitte-workspace.json";
/// Most packages that a program may depend on, directly or not.
const PACKAGES_MAX: usize = 10_000;

/// A package on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Where a program's parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The folder of the root `""`.
    pub root: PathBuf,
    /// The package around the entry, if any.
    pub package: Option<Package>,
    /// The file with `main`.
    pub entry: SourcePath,
    /// The same, on disk.
    pub entry_file: PathBuf,
    /// Where else modules may be, in order of preference, with their folders.
    pub roots: Vec<(SourceRoot, PathBuf)>,
    /// The program's name.
    pub name: String,
}

impl Project {
    /// Finds the program that `request` means.
    ///
    /// # Errors
    /// [`DriverError::BadInput`] when there is none, or a project file is wrong; [`DriverError::Io`]
    /// when something cannot be read.
    pub fn find(request: &BuildRequest) -> Result<Self, DriverError> {
        let cwd = canonical(&request.cwd, &request.cwd)?;
        let (entry_file, package) = match &request.entry {
            None => match enclosing(&cwd, PACKAGE_FILE) {
                Some(package) => from_folder(Some(&package), &cwd)?,
                // Elsewhere: the workspace around, or the one that is set for all commands.
                None => {
                    let set =
                        request.root.as_ref().map(|root| canonical(&cwd.join(root), root)).transpose()?;
                    match enclosing(&cwd, WORKSPACE_FILE).or(set) {
                        Some(folder) => from_workspace(&folder, &cwd)?,
                        None => from_folder(None, &cwd)?,
                    }
                }
            },
            Some(entry) => {
                let path = canonical(&cwd.join(entry), entry)?;
                match stamp_kind(&path)? {
                    Some(FileKind::Directory) => from_workspace(&path, entry)?,
                    Some(FileKind::File) => {
                        let package = path.parent().and_then(|folder| enclosing(folder, PACKAGE_FILE));
                        (path, package.map(|folder| read_package(&folder)).transpose()?)
                    }
                    Some(FileKind::Other) | None => {
                        return Err(bad_input(
                            "NOT_A_FILE",
                            format!("`{}` is neither a file nor a directory", entry.display()),
                            "give a `.vit` file or a package folder",
                        ));
                    }
                }
            }
        };
        let folder = entry_file.parent().unwrap_or(Path::new("/")).to_path_buf();
        let inside = package.as_ref().map_or(&folder, |package| &package.folder);
        let named = request.root.as_ref().map(|root| canonical(&cwd.join(root), root)).transpose()?;
        let root = named
            // A root that was set for all commands says nothing about files elsewhere.
            .filter(|root| entry_file.starts_with(root))
            .or_else(|| enclosing(inside, WORKSPACE_FILE))
            .unwrap_or_else(|| inside.clone());
        let mut roots = match &package {
            Some(package) => dependencies(package, &root)?,
            None => Vec::new(),
        };
        if let Some(library) = &request.library {
            let folder = canonical(&cwd.join(library), library)?;
            roots.push((SourceRoot { root: "lib".into(), first_segment: None }, folder));
        }
        let entry = source_path(&root, &entry_file)?;
        let is_package_entry = package
            .as_ref()
            .is_some_and(|package| package.folder.join(&package.manifest.entry) == entry_file);
        let name = match &package {
            Some(package) if is_package_entry => package.manifest.name.clone(),
            _ => entry_file
                .file_stem()
                .map_or_else(|| "program".into(), |stem| stem.to_string_lossy().into_owned()),
        };
        Ok(Self { root, package, entry, entry_file, roots, name })
    }

    /// Where project files are that say something about this project, or would if they were there.
    pub fn project_files(&self, cwd: &Path) -> BTreeSet<PathBuf> {
        let entry_folder = self.entry_file.parent().unwrap_or(&self.root);
        let around = [entry_folder, cwd]
            .into_iter()
            .flat_map(Path::ancestors)
            .filter(|folder| folder.starts_with(&self.root))
            .chain(self.roots.iter().map(|(_, folder)| folder.as_path()));
        around.flat_map(|folder| [folder.join(PACKAGE_FILE), folder.join(WORKSPACE_FILE)]).collect()
    }

    /// Where the executable goes when the user names no place: `target/PROFILE/NAME` below the package
    /// (files other than its entry keep their path there, so that two `main.vit` do not meet), else
    /// beside the file.
    pub fn default_output(&self, profile: &str) -> PathBuf {
        let Some(package) = &self.package else {
            let output = self.entry_file.with_file_name(&self.name);
            // A source without an extension must not be overwritten by its own program.
            return if output == self.entry_file { output.with_extension("out") } else { output };
        };
        let target = package.folder.join("target").join(profile);
        if package.folder.join(&package.manifest.entry) == self.entry_file {
            return target.join(&self.name);
        }
        let below = self.entry_file.strip_prefix(&package.folder).unwrap_or(Path::new(&self.name));
        target.join(below.with_extension(""))
    }
}

/// The folder of `start` or above that holds a file called `name`.
fn enclosing(start: &Path, name: &str) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(name).is_file()).map(Path::to_path_buf)
}

/// The package in `folder`, or the one that can be run of the workspace there; `shown` is what the user typed.
fn from_workspace(folder: &Path, shown: &Path) -> Result<(PathBuf, Option<Package>), DriverError> {
    if folder.join(PACKAGE_FILE).is_file() {
        return from_folder(Some(folder), shown);
    }
    if !folder.join(WORKSPACE_FILE).is_file() {
        return from_folder(None, shown);
    }
    let members = workspace_members(folder)?;
    let mut programs = Vec::new();
    for member in members.values() {
        if read_package(member)?.manifest.kind == PackageKind::Binary {
            programs.push(member);
        }
    }
    match (programs.as_slice(), members.values().collect::<Vec<_>>().as_slice()) {
        ([one], _) | ([], [one]) => from_folder(Some(&canonical(one, one)?), shown),
        ([], []) => Err(bad_input(
            "NO_MEMBERS",
            format!("the workspace `{}` has no members", shown.display()),
            "add the folder of a package to `members`",
        )),
        _ => {
            let folders: Vec<String> = members
                .values()
                .map(|member| format!("`{}`", member.strip_prefix(folder).unwrap_or(member).display()))
                .collect();
            Err(bad_input(
                "WHICH_MEMBER",
                format!("the workspace `{}` has several packages", shown.display()),
                format!("name one of its members: {}", folders.join(", ")),
            ))
        }
    }
}

/// The entry file and package of a package folder; `shown` is what the user typed.
fn from_folder(folder: Option<&Path>, shown: &Path) -> Result<(PathBuf, Option<Package>), DriverError> {
    let Some(folder) = folder else {
        return Err(bad_input(
            "IS_A_DIRECTORY",
            format!("`{}` is a directory without `{PACKAGE_FILE}`", shown.display()),
            "name a `.vit` file, or make a package here with `vitte init`",
        ));
    };
    let package = read_package(folder)?;
    let entry = canonical(&folder.join(&package.manifest.entry), Path::new(&package.manifest.entry))?;
    if !entry.starts_with(folder) {
        let text = read_text(&folder.join(PACKAGE_FILE))?;
        return Err(json::Document::new(PACKAGE_FILE, &text).error(
            &["entry"],
            "PKG_E_ENTRY",
            "the entry leaves the package by a symbolic link",
            "put the file inside the package",
        ));
    }
    Ok((entry, Some(package)))
}

/// Reads and checks the manifest in `folder`.
pub fn read_package(folder: &Path) -> Result<Package, DriverError> {
    let path = folder.join(PACKAGE_FILE);
    let text = read_text(&path)?;
    let manifest = Manifest::parse(&path.display().to_string(), &text, |entry| folder.join(entry).is_file())?;
    Ok(Package { folder: folder.to_path_buf(), manifest })
}

/// Reads and checks the workspace manifest in `folder`.
pub fn read_workspace(folder: &Path) -> Result<WorkspaceManifest, DriverError> {
    let path = folder.join(WORKSPACE_FILE);
    WorkspaceManifest::parse(&path.display().to_string(), &read_text(&path)?)
}

/// All packages that `package` needs, nearest first, each once.
fn dependencies(package: &Package, root: &Path) -> Result<Vec<(SourceRoot, PathBuf)>, DriverError> {
    let members = workspace_members(root)?;
    let mut found: Vec<(SourceRoot, PathBuf)> = Vec::new();
    let mut queue = std::collections::VecDeque::from([package.clone()]);
    while let Some(package) = queue.pop_front() {
        let text = read_text(&package.folder.join(PACKAGE_FILE))?;
        let shown = package.folder.join(PACKAGE_FILE).display().to_string();
        let document = json::Document::new(&shown, &text);
        for (name, dependency) in &package.manifest.dependencies {
            let at = ["dependencies", name.as_str()];
            let folder = match &dependency.source {
                DependencySource::Path(path) => package.folder.join(path),
                DependencySource::Workspace => match members.get(name) {
                    Some(folder) => folder.clone(),
                    None => {
                        return Err(document.error(
                            &at,
                            "PKG_E_DEPENDENCY_MISSING",
                            &format!("no member of the workspace is called `{name}`"),
                            &format!("add it to `members` of `{WORKSPACE_FILE}`"),
                        ));
                    }
                },
                DependencySource::Registry => {
                    return Err(document.error(
                        &at,
                        "PKG_E_REGISTRY",
                        &format!("`{name}` comes from a registry, which is not supported yet"),
                        "use `\"source\": \"path\"` or `\"source\": \"workspace\"`",
                    ));
                }
            };
            if !folder.join(PACKAGE_FILE).is_file() {
                return Err(document.error(
                    &at,
                    "PKG_E_DEPENDENCY_MISSING",
                    &format!("there is no package at `{}`", folder.display()),
                    "correct the path",
                ));
            }
            let folder = canonical(&folder, &folder)?;
            if found.iter().any(|(_, known)| *known == folder) {
                continue;
            }
            let dependency = read_package(&folder)?;
            if dependency.manifest.name != *name {
                return Err(document.error(
                    &at,
                    "PKG_E_DEPENDENCY_NAME",
                    &format!("the package there is called `{}`", dependency.manifest.name),
                    "use its own name",
                ));
            }
            if found.len() >= PACKAGES_MAX {
                return Err(document.error(
                    &at,
                    "PKG_E_DEPENDENCY",
                    "too many packages",
                    "depend on fewer packages",
                ));
            }
            let root =
                SourceRoot { root: format!("pkg:{name}").into(), first_segment: Some(name.as_str().into()) };
            found.push((root, folder));
            queue.push_back(dependency);
        }
    }
    Ok(found)
}

/// Packages of the workspace at `root` by name; empty when there is no workspace.
fn workspace_members(root: &Path) -> Result<BTreeMap<String, PathBuf>, DriverError> {
    let mut members = BTreeMap::new();
    if !root.join(WORKSPACE_FILE).is_file() {
        return Ok(members);
    }
    for member in read_workspace(root)?.members {
        let folder = root.join(&member);
        if !folder.join(PACKAGE_FILE).is_file() {
            let path = root.join(WORKSPACE_FILE);
            let text = read_text(&path)?;
            return Err(json::Document::new(&path.display().to_string(), &text).error(
                &["members"],
                "PKG_E_WORKSPACE_MEMBER",
                &format!("the member `{member}` has no `{PACKAGE_FILE}`"),
                "remove it from `members`, or make the package",
            ));
        }
        members.insert(read_package(&folder)?.manifest.name, folder);
    }
    Ok(members)
}

/// `file` as the compiler names it, below the root `""`.
fn source_path(root: &Path, file: &Path) -> Result<SourcePath, DriverError> {
    let not_utf8 = || {
        let message = format!("the path `{}` is not UTF-8", file.display());
        bad_input("NOT_UTF8", message, "rename the file or folder")
    };
    let below = file.strip_prefix(root).map_err(|_| {
        DriverError::Internal(format!("`{}` is not below `{}`", file.display(), root.display()))
    })?;
    let mut segments = Vec::new();
    for component in below.components() {
        match component {
            Component::Normal(segment) => segments.push(segment.to_str().ok_or_else(not_utf8)?),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {}
        }
    }
    Ok(SourcePath::workspace(&segments.join("/")))
}

fn stamp_kind(path: &Path) -> Result<Option<FileKind>, DriverError> {
    Ok(vitte_sys::fs::stamp(path).map_err(io_error)?.map(|stamp| stamp.kind))
}

/// The real path of `path`; `shown` is what the user typed.
fn canonical(path: &Path, shown: &Path) -> Result<PathBuf, DriverError> {
    vitte_sys::fs::canonical(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let help = nearest(path).map_or_else(
                || "check the spelling and the folder you are in".to_owned(),
                |name| format!("there is a file called `{name}` in that folder"),
            );
            bad_input("NOT_FOUND", format!("`{}` does not exist", shown.display()), help)
        }
        _ => DriverError::Io { operation: "read", path: shown.to_path_buf(), source: error.to_io() },
    })
}

/// A file beside the missing `path` whose name differs in letter case or extension only, or by a slip.
fn nearest(path: &Path) -> Option<String> {
    const ENTRIES_MAX: usize = 1000;
    let wanted = path.file_name()?.to_str()?.to_lowercase();
    let stem = wanted.split('.').next()?.to_owned();
    let mut names: Vec<String> = std::fs::read_dir(path.parent()?)
        .ok()?
        .filter_map(Result::ok)
        .take(ENTRIES_MAX)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".vit"))
        .collect();
    names.sort();
    names.into_iter().find(|name| {
        let name = name.to_lowercase();
        name == wanted
            || name.split('.').next() == Some(&stem)
            || crate::spelling::distance(&name, &wanted) <= 2
    })
}

fn read_text(path: &Path) -> Result<String, DriverError> {
    /// Largest project file.
    const BYTES_MAX: u64 = 4 << 20;
    let bytes = vitte_sys::fs::read_at_most(path, BYTES_MAX).map_err(io_error)?;
    String::from_utf8(bytes).map_err(|error| {
        let message =
            format!("`{}` is not UTF-8 at byte {}", path.display(), error.utf8_error().valid_up_to());
        bad_input("BAD_MANIFEST", message, "save it as UTF-8")
    })
}

pub(crate) fn bad_input(
    reason: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> DriverError {
    DriverError::BadInput { reason, message: message.into(), help: help.into() }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(crate) fn io_error(error: vitte_sys::SysError) -> DriverError {
    DriverError::Io { operation: error.op().verb(), path: error.path().to_path_buf(), source: error.to_io() }
}
