//! The door: a package and a target in, files that people install out.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vitte_driver::{BuildRequest, CancellationToken, Driver, Event, EventSink, Product, TargetName};

use crate::digest::{sha256, source_date};
use crate::dist::Dist;
use crate::error::Error;
use crate::openpgp::OpenPgpKey;
use crate::package::{Format, Job, Written, write};
use crate::recipe::Recipe;
use crate::sign::Signer;
use crate::stage::{Content, Entry, Kind};
use crate::{parts, target};

/// One step of the work, as it happens.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A step began.
    Step {
        /// `build`, `stage`, `package`, `sign`, `write`.
        step: &'static str,
        /// What it is about.
        detail: String,
    },
    /// What the build says.
    Build(Event),
    /// A file is in place.
    File(MadeFile),
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MadeFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    /// In order of name.
    pub files: Vec<MadeFile>,
}

type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// What to make, and how. Each setting is a call; nothing happens before the last one.
#[derive(Clone)]
pub struct BuildKit {
    target: Option<String>,
    profile: String,
    folder: PathBuf,
    formats: Vec<String>,
    key: Option<(PathBuf, Option<String>)>,
    rpm_key: Option<PathBuf>,
    source_date: Option<String>,
    listener: Option<Listener>,
    cancel: CancellationToken,
}

impl std::fmt::Debug for BuildKit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildKit")
            .field("target", &self.target)
            .field("profile", &self.profile)
            .field("folder", &self.folder)
            .field("formats", &self.formats)
            .finish_non_exhaustive()
    }
}

impl Default for BuildKit {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildKit {
    /// For the package in the current folder and this machine, with the profile `release`.
    pub fn new() -> Self {
        Self {
            target: None,
            profile: "release".to_owned(),
            folder: std::env::current_dir().unwrap_or_default(),
            formats: Vec::new(),
            key: None,
            rpm_key: None,
            source_date: std::env::var("SOURCE_DATE_EPOCH").ok(),
            listener: None,
            cancel: CancellationToken::new(),
        }
    }

    /// For this target, by name, alias or triple.
    #[must_use]
    pub fn target(mut self, name: impl Into<String>) -> Self {
        self.target = Some(name.into()).filter(|name: &String| !name.is_empty());
        self
    }

    /// With this profile.
    #[must_use]
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = name.into();
        self
    }

    /// In these formats; those that people on the target expect when none is named.
    #[must_use]
    pub fn formats(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.formats = names.into_iter().map(Into::into).collect();
        self
    }

    /// Signs everything with the secret key of minisign in this file.
    #[must_use]
    pub fn sign_with(mut self, key: impl Into<PathBuf>, password: Option<String>) -> Self {
        self.key = Some((key.into(), password));
        self
    }

    /// Signs every .rpm with the Ed25519 key in this file, as `gpg --export-secret-keys` writes it.
    #[must_use]
    pub fn sign_rpm_with(mut self, key: impl Into<PathBuf>) -> Self {
        self.rpm_key = Some(key.into());
        self
    }

    /// The time that everything bears, in seconds since 1970, in the place of `SOURCE_DATE_EPOCH`.
    #[must_use]
    pub fn source_date(mut self, seconds: Option<String>) -> Self {
        self.source_date = seconds;
        self
    }

    /// Tells `listener` of every step.
    #[must_use]
    pub fn on_progress(mut self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Gives up when `cancel` says so.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Relative to this folder instead of the current one.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Of this package: its folder, or the name of a member of the workspace around the current folder.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none.
    pub fn package(mut self, name: impl AsRef<Path>) -> Result<Self, Error> {
        let name = name.as_ref();
        let folder = self.folder.join(name);
        if folder.join("vitte-package.json").is_file() {
            self.folder = folder;
            return Ok(self);
        }
        let above = self.folder.ancestors().find(|above| above.join("vitte-workspace.json").is_file());
        if let Some(root) = above
            && let Ok(text) = vitte_sys::fs::read(&root.join("vitte-workspace.json"))
            && let Ok(workspace) = serde_json::from_slice::<serde_json::Value>(&text)
        {
            let members = workspace.get("members").and_then(|members| members.as_array()).cloned();
            for member in members.unwrap_or_default().iter().filter_map(|member| member.as_str()) {
                let folder = root.join(member);
                let is_named = Path::new(member).file_name() == Some(name.as_os_str());
                if is_named && folder.join("vitte-package.json").is_file() {
                    self.folder = folder;
                    return Ok(self);
                }
            }
        }
        let message = format!("there is no package `{}`", name.display());
        Err(Error::input(
            "PKG_E_PACKAGE",
            "package",
            message,
            "name a folder with a `vitte-package.json`, or a member of the workspace",
        ))
    }

    /// Builds the program, makes the packages, and puts them and what belongs to them into `out`, all or none.
    ///
    /// # Errors
    /// What is wrong with the request, the manifest, the program, or the folder.
    pub fn build_and_export(&self, out: impl AsRef<Path>) -> Result<Made, Error> {
        self.build_and_export_by(&Driver::default(), out)
    }

    /// The same by a driver that may have built the program before.
    ///
    /// # Errors
    /// As [`Self::build_and_export`].
    pub fn build_and_export_by(&self, driver: &Driver, out: impl AsRef<Path>) -> Result<Made, Error> {
        let time = source_date(self.source_date.as_deref())?;
        let target = self.wanted_target()?;
        let recipe = Recipe::read(&self.folder)?;
        let formats = self.wanted_formats(target.product, target.name)?;
        // What cannot be is told before any work is done.
        for format in &formats {
            recipe.check_for(*format)?;
            format.check_target(target.product, target.name)?;
        }
        let signer = self.signer()?;
        let rpm_key = self.rpm_key.as_deref().map(OpenPgpKey::read).transpose()?;
        let module = match formats.contains(&Format::Vitmod) {
            true => Some(self.module(driver, &recipe)?),
            false => None,
        };
        let mut stage = recipe.stage.clone();
        let short = short_name(target);
        // A package for the loader has nothing of this target in it.
        if !recipe.files_only && formats.iter().any(|format| *format != Format::Vitmod) {
            self.tell("build", target.name);
            let bytes = self.build(driver, Some(target.triple), None)?;
            let program = Entry { mode: 0o755, kind: Kind::Binary, content: Content::File(bytes) };
            stage.add(&format!("usr/bin/{}{}", recipe.name, suffix(target.product)), program, "name")?;
        }
        self.tell("stage", &recipe.name);
        let job = Job {
            recipe: &recipe,
            stage: &stage,
            product: target.product,
            target: short,
            time,
            rpm_key: rpm_key.as_ref(),
            module: module.as_deref(),
        };
        // Each format on its own processor: they have nothing to do with each other.
        let written: Vec<Result<Written, Error>> = std::thread::scope(|scope| {
            let started: Vec<_> = (formats.iter())
                .map(|format| {
                    self.tell("package", format.name());
                    let job = &job;
                    scope.spawn(move || write(job, *format))
                })
                .collect();
            let lost = || Error::input("PKG_E_WRITE", "package", "a writer failed", "please report this");
            started.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(lost()))).collect()
        });
        let mut dist = Dist::new(out.as_ref())?;
        for one in written {
            let one = one?;
            dist.add(&one.name, &one.bytes, 0o644)?;
            if let Some(signer) = &signer {
                self.tell("sign", &one.name);
                dist.add(&format!("{}.minisig", one.name), &signer.sign(&one.name, &one.bytes)?, 0o644)?;
            }
        }
        let stem = format!("{}-{}-{short}", recipe.name, recipe.version);
        let packages: Vec<_> =
            dist.files().into_iter().filter(|(name, ..)| !name.ends_with(".minisig")).collect();
        dist.add(&format!("{stem}.spdx.json"), &parts::spdx(&recipe, &stage, short, time), 0o644)?;
        dist.add(&format!("{stem}.cdx.json"), &parts::cyclonedx(&recipe, &stage, short, time), 0o644)?;
        let inputs = self.inputs(&recipe)?;
        let statement = parts::provenance(&recipe, &inputs, &packages, short, &self.profile);
        dist.add(&format!("{stem}.provenance.json"), &statement, 0o644)?;
        self.finish(dist, &format!("{stem}.SHA256SUMS"), signer.as_ref())
    }

    /// Builds the program alone and puts it into `out` with the target in its name.
    ///
    /// # Errors
    /// As [`Self::build_and_export`].
    pub fn cross(&self, out: impl AsRef<Path>) -> Result<Made, Error> {
        self.cross_by(&Driver::default(), out)
    }

    /// The same by a driver that may have built the program before.
    ///
    /// # Errors
    /// As [`Self::build_and_export`].
    pub fn cross_by(&self, driver: &Driver, out: impl AsRef<Path>) -> Result<Made, Error> {
        let target = self.wanted_target()?;
        let signer = self.signer()?;
        let recipe = Recipe::read(&self.folder)?;
        if recipe.files_only {
            let message = "the package has no program of its own: `package.program` is `false`";
            return Err(Error::input(
                "PKG_E_PROGRAM",
                "package.program",
                message,
                "make a package or an archive of it",
            ));
        }
        self.tell("build", target.name);
        let bytes = self.build(driver, Some(target.triple), None)?;
        let name = format!("{}-{}{}", recipe.name, short_name(target), suffix(target.product));
        let mut dist = Dist::new(out.as_ref())?;
        dist.add(&name, &bytes, 0o755)?;
        if let Some(signer) = &signer {
            dist.add(&format!("{name}.minisig"), &signer.sign(&name, &bytes)?, 0o644)?;
        }
        self.placed(dist)
    }

    fn wanted_target(&self) -> Result<TargetName, Error> {
        target::find(self.target.as_deref().unwrap_or("x86_64-unknown-linux-gnu"))
    }

    fn wanted_formats(&self, product: Product, target: &str) -> Result<Vec<Format>, Error> {
        let mut all: Vec<Format> = match self.formats.is_empty() {
            true => Format::of(product).to_vec(),
            false => self.formats.iter().map(|name| Format::named(name)).collect::<Result<_, _>>()?,
        };
        all.sort_unstable();
        all.dedup();
        all.iter().try_for_each(|format| format.check_target(product, target))?;
        Ok(all)
    }

    fn signer(&self) -> Result<Option<Signer>, Error> {
        self.key.as_ref().map(|(path, password)| Signer::read(path, password.as_deref())).transpose()
    }

    fn tell(&self, step: &'static str, detail: &str) {
        if let Some(listener) = &self.listener {
            listener(Progress::Step { step, detail: detail.to_owned() });
        }
    }

    /// The package for the loader.
    fn module(&self, driver: &Driver, recipe: &Recipe) -> Result<Vec<u8>, Error> {
        if recipe.files_only || !driver.packs() {
            let message = match recipe.files_only {
                true => "a .vitmod holds a program, and the package has none of its own",
                false => "nobody is there to write a .vitmod",
            };
            let help = "leave `vitmod` out, or make it with `vitte buildkit package --format vitmod`";
            return Err(Error::input("PKG_E_FORMAT", "--format", message, help));
        }
        self.tell("build", "vitmod");
        self.build(driver, None, Some("vitmod"))
    }

    /// What a build for `target`, or of the kind `emit`, makes.
    fn build(&self, driver: &Driver, target: Option<&str>, emit: Option<&str>) -> Result<Vec<u8>, Error> {
        let scratch =
            std::env::temp_dir().join(format!("vitte-buildkit-{}-{}", std::process::id(), unique()));
        let clean = Scratch(scratch.clone());
        vitte_sys::fs::create_directories(&scratch).map_err(Error::io(&scratch))?;
        let request = BuildRequest {
            entry: Some(self.folder.clone()),
            cwd: self.folder.clone(),
            target: target.map(str::to_owned),
            emit: emit.map(str::to_owned),
            profile: Some(self.profile.clone()),
            output: Some(scratch.join("program")),
            ..BuildRequest::default()
        };
        let events = Forward(self.listener.clone());
        let outcome = driver.build(&request, &events, &self.cancel)?;
        let Some(executable) = outcome.executable else { return Err(Error::Program(outcome.errors)) };
        let bytes = vitte_sys::fs::read(&executable).map_err(Error::io(&executable))?;
        drop(clean);
        Ok(bytes)
    }

    /// All files of the package outside of hidden folders and those that builds write to, by path, with their digests.
    fn inputs(&self, recipe: &Recipe) -> Result<BTreeMap<String, String>, Error> {
        let mut inputs = recipe.inputs.clone();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
                let path = entry.map_err(Error::io(&folder))?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let is_link = std::fs::symlink_metadata(&path).is_ok_and(|data| data.is_symlink());
                if is_link || name.starts_with('.') {
                    continue;
                }
                if path.is_dir() {
                    if !["target", "blib", "_build", "dist"].contains(&name.as_str()) {
                        folders.push(path);
                    }
                } else if name.ends_with(".vit") || name == "vitte.lock" {
                    let bytes = vitte_sys::fs::read(&path).map_err(Error::io(&path))?;
                    let shown =
                        path.strip_prefix(&self.folder).unwrap_or(&path).to_string_lossy().into_owned();
                    inputs.insert(shown, sha256(&bytes));
                }
            }
        }
        Ok(inputs)
    }

    /// The checksums, and everything into place.
    fn finish(&self, mut dist: Dist, sums: &str, signer: Option<&Signer>) -> Result<Made, Error> {
        let lines: Vec<String> =
            dist.files().into_iter().map(|(name, digest, _)| format!("{digest}  {name}\n")).collect();
        let text = lines.concat();
        dist.add(sums, text.as_bytes(), 0o644)?;
        if let Some(signer) = signer {
            dist.add(&format!("{sums}.minisig"), &signer.sign(sums, text.as_bytes())?, 0o644)?;
        }
        self.placed(dist)
    }

    fn placed(&self, dist: Dist) -> Result<Made, Error> {
        self.tell("write", "");
        let files: Vec<MadeFile> =
            dist.commit()?.into_iter().map(|(path, sha256, size)| MadeFile { path, sha256, size }).collect();
        if let Some(listener) = &self.listener {
            files.iter().for_each(|file| listener(Progress::File(file.clone())));
        }
        Ok(Made { files })
    }
}

/// A target in names of files.
fn short_name(target: TargetName) -> &'static str {
    match target.product {
        Product::Executable => "x86_64-linux",
        Product::Foreign(_)
        | Product::Wasm(_)
        | Product::Bytecode
        | Product::SharedLibrary
        | Product::CSource
        | Product::Component
        | Product::Package(_) => target.name,
    }
}

/// What programs' names end with on a target.
fn suffix(product: Product) -> &'static str {
    match product {
        Product::Wasm(_) | Product::Component => ".wasm",
        Product::CSource => ".c",
        Product::Package(_) => ".vitmod",
        Product::Bytecode => ".vitbc",
        Product::SharedLibrary => ".so",
        Product::Executable | Product::Foreign(_) => match crate::package::system(product) {
            Some(vitte_compiler::base::System::Windows) => ".exe",
            _ => "",
        },
    }
}

/// A number that this process has not given before.
fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A folder that is gone when this is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whatever stays is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The build's events as progress.
struct Forward(Option<Listener>);

impl EventSink for Forward {
    fn event(&self, event: Event) {
        if let Some(listener) = &self.0 {
            listener(Progress::Build(event));
        }
    }
}
