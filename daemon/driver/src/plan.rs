//! The build plan: everything that was decided before any work began, as data.
use std::fmt::{self, Display};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use vitte_compiler::base::Options;
use vitte_compiler::codegen::wasm::Outline;
use vitte_compiler::lint;
use vitte_compiler::opt::PASSES;

use crate::api::{BuildRequest, DriverError, LintLevel, OptLevel};
use crate::digest::sha256;
use crate::driver::PartKind;
use crate::engine::Folders;
use crate::link::{DebugInfo, LinkMode};
use crate::product::{self, Backend, Product};
use crate::project::{NativeLibrary, Package, Profile, Project, bad_input, io_error};

/// Ends the name of a runner of tests.
const TESTS: &str = "-tests";

/// Where an executable goes. All paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// To this file.
    File(PathBuf),
    /// Below this cache folder, named by its contents, to be run and forgotten.
    Scratch(PathBuf),
}

impl Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Scratch(folder) => write!(f, "below {}", folder.display()),
        }
    }
}

/// What the manifest of a package for the loader says besides its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagePlan {
    /// Module or plugin.
    pub outline: Outline,
    /// What it is called: `plugin.id`, else `local:NAME`.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// Grows with each release: `plugin.seq`, else made of the version.
    pub seq: u64,
    /// What it is for.
    pub description: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// When a plugin is made: `on-call`, `on-command:NAME`, `on-file-type:.EXTENSION`.
    pub activation: Vec<String>,
    /// What a plugin's `init` is given where the user gave nothing.
    pub config: Option<String>,
    /// What it may use.
    pub capabilities: Vec<String>,
    /// Files of other compilers that go into it, by where they go.
    pub native: Vec<NativePart>,
}

/// A file that goes into a package as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativePart {
    /// Where it is, relative to the package's folder.
    pub file: String,
    /// Where it goes.
    pub path: String,
    /// What it is.
    pub kind: PartKind,
    /// The target that it is for.
    pub target: String,
    /// SHA-256 of its bytes in hexadecimal, as they were when this was planned.
    pub sha256: String,
}

impl PackagePlan {
    fn new(outline: Outline, project: &Project) -> Result<Self, DriverError> {
        let manifest = project.package.as_ref().map(|package| &package.manifest);
        let version = manifest.map_or_else(|| "0.0.0".to_owned(), |manifest| manifest.version.clone());
        let plugin = manifest.map(|manifest| manifest.plugin.clone()).unwrap_or_default();
        let native = match (&project.package, outline) {
            (Some(package), Outline::Module) => native(package)?,
            // Plugins run in the sandbox alone.
            (Some(_), Outline::Plugin) | (None, _) => Vec::new(),
        };
        Ok(Self {
            outline,
            id: plugin.id.unwrap_or_else(|| format!("local:{}", project.name)),
            seq: plugin.seq.unwrap_or_else(|| sequence(&version)),
            version,
            description: manifest.and_then(|manifest| manifest.description.clone()),
            license: manifest.and_then(|manifest| manifest.license.clone()),
            activation: plugin.activation,
            config: plugin.config,
            capabilities: manifest.map(|manifest| manifest.capabilities.clone()).unwrap_or_default(),
            native,
        })
    }
}

/// The native libraries of a package and their tables.
fn native(package: &Package) -> Result<Vec<NativePart>, DriverError> {
    let mut parts = Vec::new();
    for (target, NativeLibrary { library, table }) in &package.manifest.native {
        let mut add = |file: &str, kind: PartKind, end: &str| {
            let bytes = vitte_sys::fs::read(&package.folder.join(file)).map_err(io_error)?;
            parts.push(NativePart {
                file: file.to_owned(),
                path: format!("native/{target}/library.{end}"),
                kind,
                target: target.clone(),
                sha256: sha256(&bytes),
            });
            Ok::<(), DriverError>(())
        };
        add(library, PartKind::Library, "so")?;
        if let Some(table) = table {
            add(table, PartKind::Table, "vitffi")?;
        }
    }
    Ok(parts)
}

/// A number that grows with the version: six digits for each part.
fn sequence(version: &str) -> u64 {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    core.split('.').fold(0, |number: u64, part| {
        number.saturating_mul(1_000_000).saturating_add(part.parse::<u64>().unwrap_or(0).min(999_999))
    })
}

/// What a build will do. Made from request, manifest and defaults; nothing is decided after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildPlan {
    /// What to compile and where its parts are.
    pub project: Project,
    /// What the compiler needs to know.
    pub options: Options,
    /// Target triple.
    pub target: &'static str,
    /// What is made.
    pub product: Product,
    /// What generates its code.
    pub backend: Backend,
    /// Profile name.
    pub profile: String,
    /// Where the executable goes.
    pub output: Output,
    /// What the linker does with symbols and debug information.
    pub debug: DebugInfo,
    /// Dynamic or static.
    pub link_mode: LinkMode,
    /// The linker that was asked for, by the request or the manifest.
    pub linker: Option<String>,
    /// Shared libraries beyond the C library.
    pub libraries: Vec<String>,
    /// Further linker flags.
    pub link_flags: Vec<String>,
    /// Lint levels in order: the package's, then the request's.
    pub lints: Vec<(LintLevel, String)>,
    /// What a package for the loader says, where one is made.
    pub package: Option<PackagePlan>,
}

impl BuildPlan {
    /// Decides everything. Reads project files, writes nothing.
    ///
    /// # Errors
    /// [`DriverError::BadInput`] for a request that cannot be met, [`DriverError::Io`] when project
    /// files cannot be read.
    pub fn new(request: &BuildRequest) -> Result<Self, DriverError> {
        let target = product::choose(request.target.as_deref(), request.emit.as_deref())?;
        let product = target.product;
        let backend = Backend::choose(request.backend.as_deref(), product)?;
        if request.scratch.is_some() && !product.is_executable() {
            let message = format!("a {} cannot be run here", product.description());
            let help = "build it with `vitte build`, and run the file with an engine such as `wasmtime`";
            return Err(bad_input("NOT_RUNNABLE", message, help));
        }
        let project = Project::find(request)?;
        let manifest = project.package.as_ref().map(|package| &package.manifest);
        let profile_name = request.profile.clone().unwrap_or_else(|| "dev".into());
        let profile = profile(&profile_name, manifest.and_then(|m| m.profiles.get(&profile_name)))?;
        let output = match (&request.output, &request.scratch) {
            (Some(output), _) => Output::File(request.cwd.join(output)),
            (None, Some(scratch)) if project.package.is_none() => Output::Scratch(scratch.clone()),
            (None, _) => {
                let mut output = project.default_output(&profile_name).into_os_string();
                if request.tests {
                    output.push(TESTS);
                }
                Output::File(product.place(&PathBuf::from(output)))
            }
        };
        if let Some(unknown) =
            request.disabled_passes.iter().find(|name| !PASSES.iter().any(|p| p.name == **name))
        {
            let known: Vec<&str> = PASSES.iter().map(|pass| pass.name).collect();
            let message = format!("there is no optimisation pass `{unknown}`");
            return Err(bad_input("UNKNOWN_PASS", message, format!("the passes are {}", known.join(", "))));
        }
        let options = Options {
            // One spelling, so that equal programs share their results.
            target: match product {
                Product::Foreign(machine) => machine.triple().to_owned(),
                Product::Executable
                | Product::Wasm(_)
                | Product::Bytecode
                | Product::SharedLibrary
                | Product::CSource
                | Product::Component
                | Product::Package(_) => String::new(),
            },
            opt_level: request.opt_level.or(profile.opt_level).unwrap_or_default(),
            disabled_passes: sorted(&request.disabled_passes),
            debug_info: profile.debug_info.unwrap_or(true),
            strict: profile.strict.unwrap_or(false),
            tests: request.tests,
        };
        if request.tests && !product.is_executable() {
            let message = format!("tests cannot run as a {}", product.description());
            return Err(bad_input(
                "TESTS_AND_TARGET",
                message,
                "leave `--target` out: tests run on this machine",
            ));
        }
        let link = manifest.map(|m| m.link.clone()).unwrap_or_default();
        if let Some(library) = link.libraries.first().filter(|_| !product.is_linked()) {
            let message = format!("the C library `{library}` cannot be part of a {}", product.description());
            let help = "build for this machine, or take `link.libraries` out of `vitte-package.json`";
            return Err(bad_input("LIBRARIES_AND_TARGET", message, help));
        }
        let mut lints = manifest.map(|m| m.lints.clone()).unwrap_or_default();
        lints.extend(request.lints.iter().cloned());
        if let Some((_, name)) = lints.iter().find(|(_, name)| !lint::is_known(name)) {
            let help = match lint::similar(name) {
                Some(near) => format!("did you mean `{near}`? `vitte explain {near}` describes it"),
                None => "lints are named by code (`SEM0920`), key or name (`shadowed_name`); `warnings` and `lints` \
                         are groups"
                    .to_owned(),
            };
            return Err(bad_input("UNKNOWN_CODE", format!("there is no lint or code `{name}`"), help));
        }
        Ok(Self {
            options,
            target: target.triple,
            product,
            backend,
            profile: profile_name,
            output,
            debug: if profile.strip.unwrap_or(false) { DebugInfo::Strip } else { DebugInfo::Keep },
            link_mode: link.mode,
            linker: request.linker.clone().or(link.linker),
            libraries: link.libraries,
            link_flags: link.flags,
            lints,
            package: match product {
                Product::Package(outline) => Some(PackagePlan::new(outline, &project)?),
                _ => None,
            },
            project,
        })
    }

    /// The folders that the engine reads.
    pub(crate) fn folders(&self) -> Folders {
        Folders { workspace: self.project.root.clone(), roots: self.project.roots.clone() }
    }

    /// Whether the program is made of its own code and the C library alone.
    pub(crate) fn is_plain(&self) -> bool {
        self.link_mode == LinkMode::Dynamic && self.libraries.is_empty() && self.link_flags.is_empty()
    }

    /// SHA-256, in hex, of all that can change the bytes of the executable besides source texts and
    /// `linker`, the linker's identity. Holds no absolute path: equal in every directory.
    pub fn digest(&self, linker: &str) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part("vitte.build.plan.v1");
        part(env!("CARGO_PKG_VERSION"));
        part(self.target);
        part(self.product.kind());
        part(self.backend.name());
        part(&self.project.entry.to_string());
        part(&format!("{:?} {} {}", self.options.opt_level, self.options.debug_info, self.options.strict));
        part(if self.options.tests { "tests" } else { "program" });
        part(&self.options.disabled_passes.join(","));
        part(&format!("{:?} {:?}", self.debug, self.link_mode));
        part(linker);
        for (root, _) in &self.project.roots {
            part(&root.root);
        }
        for list in [&self.libraries, &self.link_flags] {
            part(&list.join("\0"));
        }
        if let Some(package) = &self.package {
            part(&format!("{package:?}"));
        }
        crate::digest::hex(&hash.finalize())
    }

    /// The plan in words, one fact a line.
    pub fn describe(&self, linker: &str) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn Display| text.push_str(&format!("{name:<12}{value}\n"));
        line("program", &self.project.name);
        line("entry", &self.project.entry_file.display());
        line("root", &self.project.root.display());
        for (root, folder) in &self.project.roots {
            line("modules", &format_args!("{} = {}", root.root, folder.display()));
        }
        line("target", &self.target);
        line("makes", &self.product.description());
        if self.backend != Backend::default() {
            line("back end", &self.backend.name());
        }
        line("profile", &self.profile);
        if self.options.tests {
            line("holds", &"tests");
        }
        line("optimise", &level(self.options.opt_level));
        if !self.options.disabled_passes.is_empty() {
            line("without", &self.options.disabled_passes.join(", "));
        }
        line("debug info", if self.options.debug_info { &"yes" } else { &"no" });
        line("linker", &linker);
        line("output", &self.output);
        line("digest", &self.digest(linker));
        text
    }
}

/// The settings of a profile: built-in ones, overridden by the manifest.
fn profile(name: &str, own: Option<&Profile>) -> Result<Profile, DriverError> {
    let built_in = match name {
        "dev" => Profile::default(),
        "release" => Profile {
            opt_level: Some(OptLevel::O2),
            debug_info: Some(false),
            strip: Some(true),
            strict: None,
        },
        _ if own.is_some() => Profile::default(),
        _ => {
            let message = format!("the profile `{name}` does not exist");
            return Err(bad_input(
                "UNKNOWN_PROFILE",
                message,
                "use `dev`, `release`, or one of the manifest's `profiles`",
            ));
        }
    };
    let own = own.cloned().unwrap_or_default();
    Ok(Profile {
        opt_level: own.opt_level.or(built_in.opt_level),
        debug_info: own.debug_info.or(built_in.debug_info),
        strip: own.strip.or(built_in.strip),
        strict: own.strict.or(built_in.strict),
    })
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    names
}

fn level(level: OptLevel) -> impl fmt::Display {
    match level {
        OptLevel::O0 => "0",
        OptLevel::O1 => "1",
        OptLevel::O2 => "2",
        OptLevel::O3 => "3",
    }
}
