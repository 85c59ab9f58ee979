//! The driver itself: one door for each verb.
mod documents; // pages of documentation, and examples as tests
mod hot; // programs whose procedures are replaced while they run
mod linking; // object files to executables
mod packing; // packages for the loader
mod stored; // results from the store, and into it
mod testing; // programs that run tests

pub use documents::Documented;
pub use hot::{HotBuild, HotProgram, Swap};
pub use packing::{Packer, Part, PartKind};
pub use testing::{TestBuild, TestProgram, TestProgramKind};

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vitte_compiler::base::{Diagnostic, FileContents, Program, SourcePath};
use vitte_compiler::codegen::WasmWidth;
use vitte_compiler::codegen::wasm::Outline;
use vitte_store::Store;

use self::linking::tool_error;
use crate::api::{
    BuildOutcome, BuildRequest, CancellationToken, DriverError, EmitOutcome, Event, EventSink, Finding,
    Inputs, LineRange, RebuildReport, ResolvedDiagnostic, Stage, SyntaxProblem, Touched,
};
use crate::c_compiler::CCompiler;
use crate::cache::{self, BuildCache, CachedResult, History, Noted, Publisher};
use crate::changes::{FileWatcher, Unwatched};
use crate::determinism;
use crate::engine::{Database, Engines, Image, ProgramState, STAGES, Work, doors, internal, show};
use crate::link::image::{self, ImageOptions};
use crate::link::incremental::Unfit;
use crate::link::incremental::hot::Generation;
use crate::link::{DebugInfo, EMBEDDED, Linkers, Toolbox};
use crate::memory::{Memory, MemoryUse};
use crate::output::{self, Outputs, Written};
use crate::plan::{BuildPlan, Output};
use crate::product::{Backend, Product};
use crate::project::bad_input;

/// Longest wait for what is being published.
const FLUSH_MAX: Duration = Duration::from_secs(10);

/// The phase of linking in events.
const LINK: &str = "link";

/// Compiles, links and describes programs. Cheap to share; one per service.
#[derive(Debug)]
pub struct Driver {
    engines: Arc<Engines>,
    linkers: Linkers,
    tools: Toolbox,
    outputs: Outputs,
    cache: Option<BuildCache>,
    history: Option<Arc<History>>,
    /// What each target was built from last.
    noted: Noted,
    memory: Memory,
    packer: Option<Arc<dyn Packer>>,
    /// Last, so that nothing it uses is gone before it has ended.
    publisher: Publisher,
}

impl Default for Driver {
    /// A driver without a worker for the embedded linker: it checks, and links with other linkers.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// What the compiler made of a program, with spans looked up.
struct Compiled {
    diagnostics: Vec<Arc<ResolvedDiagnostic>>,
    errors: u64,
    made: Option<Made>,
    text: String,
    /// Of the database that it was made from.
    revision: u64,
}

/// What the store has for a program.
struct Found {
    result: CachedResult,
    /// As the user would see them.
    diagnostics: Vec<Arc<ResolvedDiagnostic>>,
    /// Every file that it depends on, with what stands there now.
    files: Vec<(SourcePath, FileContents)>,
}

/// What a program became.
enum Made {
    /// Input for a linker.
    Object(doors::Object),
    /// An executable.
    Image(Image<Written>),
    /// What needs no linker.
    File(Arc<[u8]>),
    /// Input for a C compiler.
    C(Arc<str>),
    /// What goes into a package.
    Parts(Vec<Part>),
    /// What a process that runs it shall be.
    Hot(Generation),
}

/// How far a request wants to go.
#[derive(Clone, Copy)]
enum Goal<'a> {
    Diagnostics,
    Object,
    /// The executable, unless it is in place; an object where the program needs a linker.
    Image(&'a Outputs),
    /// An executable for another machine.
    Native,
    /// A WebAssembly module.
    Wasm(WasmWidth),
    /// A module of bytecode.
    Bytecode,
    /// C source text.
    C,
    /// A component.
    Component,
    /// All parts of a package.
    Parts(Outline),
    /// An object to make a library of.
    Library,
    /// What a process that runs it shall be.
    Hot,
    Text(Stage, Option<&'a str>),
}

impl Goal<'_> {
    /// Whether the whole program is asked for.
    fn is_whole(self) -> bool {
        match self {
            Goal::Object
            | Goal::Image(_)
            | Goal::Wasm(_)
            | Goal::Bytecode
            | Goal::C
            | Goal::Component
            | Goal::Parts(_)
            | Goal::Library
            | Goal::Native
            | Goal::Hot => true,
            Goal::Diagnostics | Goal::Text(..) => false,
        }
    }
}

impl Driver {
    /// A driver with nothing in memory. `worker` is the command (program and leading arguments) that
    /// runs [`worker_main`](crate::worker_main) in a child process, for the embedded linker.
    pub fn new(worker: Vec<OsString>) -> Self {
        Self::with_tools(worker, Toolbox::from_environment())
    }

    /// A driver that searches linkers in `tools` only.
    pub fn with_tools(worker: Vec<OsString>, tools: Toolbox) -> Self {
        Self {
            engines: Arc::new(Engines::new(Arc::new(Unwatched))),
            linkers: Linkers::new(worker, tools.clone()),
            tools,
            outputs: Outputs::default(),
            cache: None,
            history: None,
            noted: Noted::default(),
            memory: Memory::default(),
            packer: None,
            publisher: Publisher::default(),
        }
    }

    /// The same driver, told of changes by `watcher` instead of looking at every file each time.
    #[must_use]
    pub fn watched_by(self, watcher: Arc<dyn FileWatcher>) -> Self {
        Self { engines: Arc::new(Engines::new(watcher)), ..self }
    }

    /// Whether somebody is there to write packages for the loader.
    pub fn packs(&self) -> bool {
        self.packer.is_some()
    }

    /// The same driver, which leaves the writing of packages to `packer`.
    #[must_use]
    pub fn packed_by(self, packer: Arc<dyn Packer>) -> Self {
        Self { packer: Some(packer), ..self }
    }

    /// The same driver, which finds results of programs that it does not know in `store`, and leaves its
    /// own there.
    #[must_use]
    pub fn cached_in(self, store: Arc<Store>) -> Self {
        let history = Some(Arc::new(History::new(Arc::clone(&store))));
        Self { cache: Some(BuildCache::new(store)), history, ..self }
    }

    /// The same driver, which does not note what targets were built from: [`Driver::explain_rebuild`] knows
    /// of no build.
    #[must_use]
    pub fn without_history(self) -> Self {
        Self { history: None, ..self }
    }

    /// Checks a program; diagnostics come as events, in order.
    ///
    /// # Errors
    /// When there is no such program or the caller gives up. A program with errors is none.
    #[tracing::instrument(level = "debug", skip_all, fields(entry = ?request.entry))]
    pub fn check(
        &self,
        request: &BuildRequest,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<BuildOutcome, DriverError> {
        let plan = BuildPlan::new(request)?;
        let described = plan.describe("none");
        if request.dry_run {
            return Ok(BuildOutcome { plan: described, ..BuildOutcome::default() });
        }
        let key = BuildCache::plan_key(&plan, "none", cache::Goal::Check);
        if let Some(Found { result, diagnostics, files: _ }) = self.find(&plan, &key, request)
            && result.executable.is_none()
        {
            report_hit(events, &diagnostics, false);
            self.warm_up(&plan, key, false);
            return Ok(outcome(&diagnostics, described));
        }
        let compiled = self.compile(&plan, &request.cwd, Goal::Diagnostics, events, cancel)?;
        self.publish(&plan, key, "none", compiled.revision, compiled.errors, None);
        Ok(outcome(&compiled.diagnostics, described))
    }

    /// Checks, generates code and links.
    ///
    /// # Errors
    /// When there is no such program, a linker is missing or fails, the output cannot be written, or
    /// the caller gives up. A program with errors is none, not even one with undefined symbols.
    #[tracing::instrument(level = "debug", skip_all, fields(entry = ?request.entry))]
    pub fn build(
        &self,
        request: &BuildRequest,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<BuildOutcome, DriverError> {
        let plan = BuildPlan::new(request)?;
        let linker = match plan.product {
            Product::Executable | Product::SharedLibrary => {
                self.linkers.select(plan.linker.as_deref()).map_err(tool_error)?
            }
            // Nothing of this is linked.
            Product::Wasm(_)
            | Product::Bytecode
            | Product::CSource
            | Product::Component
            | Product::Package(_)
            | Product::Foreign(_) => self.linkers.select(None).map_err(tool_error)?,
        };
        let mut linker_name = match plan.product {
            Product::Executable | Product::SharedLibrary => linker.identity(),
            Product::Foreign(_) => image::IDENTITY.to_owned(),
            Product::Wasm(_)
            | Product::Bytecode
            | Product::CSource
            | Product::Component
            | Product::Package(_) => "none".to_owned(),
        };
        let c_compiler = match plan.backend {
            Backend::Cranelift => None,
            Backend::C17 => Some(CCompiler::find(&self.tools).map_err(tool_error)?),
        };
        if let Some(compiler) = &c_compiler {
            linker_name = format!("{linker_name}, {}", compiler.identity());
        }
        let described = plan.describe(&linker_name);
        output::check(&plan)?;
        if request.dry_run {
            return Ok(BuildOutcome { plan: described, ..BuildOutcome::default() });
        }
        if let Some(made_elsewhere) = packing::foreign(&plan)? {
            return self.pack_foreign(&plan, made_elsewhere, described, events);
        }
        let key = BuildCache::plan_key(&plan, &linker_name, cache::Goal::Build);
        let mut found = self.find(&plan, &key, request);
        if let Some(found) = &mut found
            && !request.check_cache
            && !request.check_determinism
            && let Some(outcome) = self.restore(&plan, found, &described, events)?
        {
            if outcome.executable.is_some() {
                self.note_restored(&plan, key, &linker_name, std::mem::take(&mut found.files));
            }
            self.warm_up(&plan, key, true);
            return Ok(outcome);
        }
        // Programs of one's own need no linker for object files.
        let is_plain = linker.name() == EMBEDDED && plan.is_plain();
        let goal = match plan.product {
            Product::Executable if plan.backend == Backend::C17 => {
                linker.prepare();
                Goal::C
            }
            Product::CSource => Goal::C,
            Product::Executable if is_plain => Goal::Image(&self.outputs),
            Product::Executable => {
                linker.prepare();
                Goal::Object
            }
            Product::Foreign(_) => Goal::Native,
            Product::Wasm(width) => Goal::Wasm(width),
            Product::Bytecode => Goal::Bytecode,
            Product::Component => Goal::Component,
            Product::Package(outline) => Goal::Parts(outline),
            Product::SharedLibrary => {
                linker.prepare();
                Goal::Library
            }
        };
        let compiled = self.compile(&plan, &request.cwd, goal, events, cancel)?;
        self.memory.note_program(&plan, key);
        let mut outcome = outcome(&compiled.diagnostics, described);
        let Some(made) = compiled.made else {
            self.publish(&plan, key, &linker_name, compiled.revision, compiled.errors, None);
            return Ok(outcome);
        };
        let written = match made {
            Made::Image(image) => {
                events.event(Event::PhaseStarted { phase: LINK });
                let (executed, elapsed) = match &image {
                    Image::Known(_) => (0, Duration::ZERO),
                    Image::New { elapsed, .. } => (1, *elapsed),
                };
                events.event(Event::PhaseFinished { phase: LINK, elapsed, executed });
                Some(match image {
                    Image::Known(written) => written,
                    Image::New { version, bytes, home, .. } => {
                        let written = self.outputs.write(&plan, &bytes, version, !request.without_digest);
                        home.recycle(version, bytes);
                        written?
                    }
                })
            }
            // Nothing of it was asked for.
            Made::Hot(_) => None,
            Made::File(bytes) => Some(self.outputs.write(&plan, &bytes, 0, !request.without_digest)?),
            Made::C(text) => match &c_compiler {
                None => Some(self.outputs.write(&plan, text.as_bytes(), 0, !request.without_digest)?),
                Some(compiler) => {
                    let object = compiler.compile(&text, &plan, cancel).map_err(tool_error)?;
                    let object = doors::Object { bytes: object.into() };
                    self.link(&plan, &request.cwd, &*linker, &object, events, cancel, &mut outcome)?
                }
            },
            Made::Parts(parts) => {
                let bytes = self.pack(&plan, parts)?;
                Some(self.outputs.write(&plan, &bytes, 0, !request.without_digest)?)
            }
            Made::Object(object) => {
                self.link(&plan, &request.cwd, &*linker, &object, events, cancel, &mut outcome)?
            }
        };
        if let Some(mut written) = written {
            if !request.without_digest || found.is_some() {
                written = self.outputs.with_digest(&plan, written)?;
            }
            events.event(written.event());
            if let Some(Found { result, .. }) = &found
                && let Some(stored) = result.executable.map(|digest| digest.to_string())
                && !stored.starts_with(written.sha256())
            {
                return Err(internal(format!(
                    "the store has another executable for this program: {stored}, made anew: {}",
                    written.sha256()
                )));
            }
            outcome.executable = Some(written.path.clone());
            if request.check_determinism {
                self.check_determinism(&plan, request, &written.path, events, cancel)?;
            }
            self.publish(&plan, key, &linker_name, compiled.revision, 0, Some(written));
        }
        Ok(outcome)
    }

    fn check_determinism(
        &self,
        plan: &BuildPlan,
        request: &BuildRequest,
        built: &Path,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<(), DriverError> {
        let folders = plan.folders();
        let cwd = vitte_sys::fs::canonical(&request.cwd).unwrap_or_else(|_| request.cwd.clone());
        let engine = self.engines.get(folders.clone());
        let read = engine
            .read(&plan.project.entry, &plan.options, cancel, |db, program, kept| kept.inputs(db, program));
        let mut files: Vec<PathBuf> = plan.project.project_files(&cwd).into_iter().collect();
        let is_there =
            |contents: &FileContents| !matches!(contents, FileContents::Missing | FileContents::Folder);
        let inputs = read?.0.into_iter().filter(|(_, contents)| is_there(contents));
        files.extend(inputs.filter_map(|(path, _)| folders.on_disk(&path)));
        let fresh = || Self {
            engines: Arc::new(Engines::new(Arc::new(Unwatched))),
            linkers: self.linkers.clone(),
            tools: self.tools.clone(),
            outputs: Outputs::default(),
            cache: None,
            history: None,
            noted: Noted::default(),
            memory: Memory::default(),
            packer: self.packer.clone(),
            publisher: Publisher::default(),
        };
        determinism::check(request, &files, built, cancel, fresh)?;
        events
            .event(Event::Note("deterministic: two more builds in other folders gave the same bytes".into()));
        Ok(())
    }

    /// Why the target of `request` was built anew the last time; with `touched`, an absolute path, also
    /// what an edit of that file would build anew.
    ///
    /// # Errors
    /// As [`Driver::check`]; [`DriverError::BadInput`] when nothing is kept, for want of a store.
    pub fn explain_rebuild(
        &self,
        request: &BuildRequest,
        touched: Option<&Path>,
        cancel: &CancellationToken,
    ) -> Result<RebuildReport, DriverError> {
        let plan = BuildPlan::new(request)?;
        let Some(history) = &self.history else {
            return Err(bad_input(
                "NO_HISTORY",
                "nothing is known of earlier builds: they are not noted",
                "see `vitte cache stats` for the store, and `cache.history` in the settings",
            ));
        };
        self.publisher.flush(Instant::now() + FLUSH_MAX);
        let cwd = vitte_sys::fs::canonical(&request.cwd).unwrap_or_else(|_| request.cwd.clone());
        let folders = plan.folders();
        let target = target(&plan);
        let mut causes = history.causes(&target).unwrap_or_default();
        for cause in &mut causes {
            cause.name = cache::shown_name(&cause.name, &folders, &cwd);
        }
        let touched = match touched {
            None => None,
            Some(place) => {
                let place = vitte_sys::fs::canonical(place).unwrap_or_else(|_| place.to_path_buf());
                let file = show::shown_path(&place, &cwd).display().to_string();
                let path = folders.source_path(&place);
                let engine = self.engines.get(folders.clone());
                let (reach, _) =
                    engine.read(&plan.project.entry, &plan.options, cancel, |db, program, _| {
                        doors::reach(db, program, path.as_ref()?)
                    })?;
                let name = |path: &SourcePath| cache::shown_name(&cache::portable_name(path), &folders, &cwd);
                Some(match reach {
                    None => Touched { file, ..Touched::default() },
                    Some(reach) => Touched {
                        file,
                        is_part: true,
                        procedures: reach.procedures,
                        importers: reach.importers.iter().map(name).collect(),
                    },
                })
            }
        };
        Ok(RebuildReport { target, causes, touched })
    }

    /// Shows one stage. `filter` limits the output to procedures whose name contains it.
    ///
    /// # Errors
    /// As [`Driver::check`].
    #[tracing::instrument(level = "debug", skip_all, fields(entry = ?request.entry))]
    pub fn emit(
        &self,
        request: &BuildRequest,
        stage: Stage,
        filter: Option<&str>,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<EmitOutcome, DriverError> {
        let plan = BuildPlan::new(request)?;
        let goal = match stage {
            Stage::Obj => Goal::Object,
            Stage::Tokens | Stage::Ast | Stage::Hir | Stage::Mir | Stage::Ssa | Stage::Clif | Stage::Asm => {
                Goal::Text(stage, filter)
            }
        };
        let compiled = self.compile(&plan, &request.cwd, goal, events, cancel)?;
        let bytes = match compiled.made {
            Some(Made::Object(object)) => object.bytes.to_vec(),
            Some(Made::Image(_) | Made::File(_) | Made::C(_) | Made::Parts(_) | Made::Hot(_)) | None => {
                compiled.text.into_bytes()
            }
        };
        Ok(EmitOutcome { errors: compiled.errors, bytes })
    }

    /// What `request` depends on, as far as earlier requests for the same project have shown.
    ///
    /// # Errors
    /// When there is no such program, or a project file is wrong.
    pub fn inputs(&self, request: &BuildRequest) -> Result<Inputs, DriverError> {
        let plan = BuildPlan::new(request)?;
        let folders = plan.folders();
        let cwd = vitte_sys::fs::canonical(&request.cwd).unwrap_or_else(|_| request.cwd.clone());
        let mut files = plan.project.project_files(&cwd);
        if let (Some(package), Some(found)) = (&plan.package, &plan.project.package) {
            files.extend(package.native.iter().map(|part| found.folder.join(&part.file)));
        }
        files.insert(plan.project.entry_file);
        let mut roots = vec![folders.workspace.clone()];
        roots.extend(folders.roots.iter().map(|(_, folder)| folder.clone()));
        files.extend(self.engines.get(folders).asked_for());
        Ok(Inputs { files, roots })
    }

    /// Brings the process back below `budget` resident bytes as far as that goes, for moments of rest:
    /// workspaces that were not asked for longest are forgotten, and built from the files and the store when
    /// they are asked for again. `resident` says how much there is.
    ///
    /// The last one stays. If it alone is above the budget and has grown by half since it was last made, it is
    /// made anew in the background, without what it remembers of edits and of other configurations.
    pub fn shed(&self, budget: u64, resident: fn() -> Option<u64>) {
        let is_above = || resident().is_some_and(|bytes| bytes > budget);
        let mut freed = false;
        while is_above() && self.engines.forget_oldest() {
            self.memory.note_forgotten();
            vitte_sys::memory::release_unused();
            freed = true;
        }
        if !freed && is_above() {
            // What is free already may be enough.
            vitte_sys::memory::release_unused();
        }
        let Some(bytes) = resident().filter(|bytes| *bytes > budget) else { return };
        let Some((plan, key)) = self.memory.to_renew(bytes) else { return };
        if self.engines.len() == 1 && self.engines.forget_last() {
            self.memory.note_forgotten();
            vitte_sys::memory::release_unused();
            let memory = self.memory.clone();
            self.warm_up_then(&plan, key, true, move || memory.note_renewed(resident()));
        }
    }

    /// What is in memory.
    pub fn memory_use(&self) -> MemoryUse {
        MemoryUse { workspaces: self.engines.len() as u64, forgotten: self.memory.forgotten() }
    }

    /// What this machine offers: targets, linkers, tools, and which are chosen.
    pub fn doctor(&self) -> Vec<Finding> {
        crate::doctor::findings(&self.linkers, &self.tools)
    }

    /// The long explanation of a code, key or `E0001`-style name, as Markdown. `language` is `en` or `fr`.
    pub fn explain(&self, code: &str, language: &str) -> Option<String> {
        doors::explain(code, language)
    }

    /// A source text in canonical style; of the lines of a range, if one is given, and the rest as it was.
    ///
    /// # Errors
    /// The syntax errors of a text that does not parse; it is not changed.
    pub fn format(&self, text: &str, range: Option<LineRange>) -> Result<String, Vec<SyntaxProblem>> {
        doors::formatted(text, range)
    }

    /// Runs the compiler as far as `goal`; reports phases and diagnostics.
    fn compile(
        &self,
        plan: &BuildPlan,
        cwd: &Path,
        goal: Goal<'_>,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<Compiled, DriverError> {
        // Diagnostics show paths as the user would type them, and ours are free of symlinks.
        let cwd = vitte_sys::fs::canonical(cwd).unwrap_or_else(|_| cwd.to_path_buf());
        events.event(Event::PhaseStarted { phase: STAGES[0].name });
        let engine = self.engines.get(plan.folders());
        let (compiled, work) =
            engine.read(&plan.project.entry, &plan.options, cancel, |db, program, kept| {
                readable(db, program, &plan.project.entry_file)?;
                compile_snapshot(db, program, kept, &cwd, plan, goal)
            })?;
        let compiled = compiled?;
        tracing::debug!(
            executed = work.iter().map(|work| work.executed).sum::<u64>(),
            errors = compiled.errors,
            "compiled"
        );
        report_work(events, &work, goal.is_whole() && compiled.errors == 0);
        for diagnostic in &compiled.diagnostics {
            events.event(Event::Diagnostic(Arc::clone(diagnostic)));
        }
        if goal.is_whole() && compiled.errors == 0 && compiled.made.is_none() {
            return Err(internal("there is neither an error nor a program"));
        }
        Ok(compiled)
    }
}

fn compile_snapshot(
    db: &Database,
    program: Program,
    kept: &ProgramState,
    cwd: &Path,
    plan: &BuildPlan,
    goal: Goal<'_>,
) -> Result<Compiled, DriverError> {
    let started = Instant::now();
    let found = kept.check(db, program);
    let mut found = doors::with_lints(db, program, &plan.lints, &found);
    tracing::debug!(elapsed = ?started.elapsed(), "checked");
    let resolve = |found: &[Diagnostic]| show::resolve(db, cwd, &plan.lints, found);
    let mut diagnostics = resolve(&found);
    let (mut made, mut text) = (None, String::new());
    let clean = count(&diagnostics, "error") == 0;
    let object =
        |made: &mut Option<Made>| doors::object(db, program).map(|object| *made = Some(Made::Object(object)));
    let outcome = match goal {
        Goal::Object if clean => object(&mut made),
        Goal::Image(outputs) if clean => {
            let strip = plan.debug == DebugInfo::Strip;
            let find = |version| outputs.find(plan, version);
            match kept.link(db, program, strip, find) {
                Ok(Ok(image)) => {
                    made = Some(Made::Image(image));
                    Ok(())
                }
                Ok(Err(Unfit(reason))) => {
                    tracing::debug!(reason, "not laid out in the process");
                    object(&mut made)
                }
                Err(diagnostics) => Err(diagnostics),
            }
        }
        Goal::Native if clean => doors::native(db, program).and_then(|parts| {
            let options = ImageOptions { name: &plan.project.name, strip: plan.debug == DebugInfo::Strip };
            let bytes =
                image::write(&parts, options).map_err(|why| doors::not_laid_out(db, program, &why))?;
            made = Some(Made::File(bytes.into()));
            Ok(())
        }),
        Goal::Wasm(width) if clean => {
            doors::wasm(db, program, width).map(|bytes| made = Some(Made::File(bytes)))
        }
        Goal::Bytecode if clean => doors::bytecode(db, program).map(|bytes| made = Some(Made::File(bytes))),
        Goal::C if clean => doors::c17(db, program).map(|text| made = Some(Made::C(text))),
        Goal::Component if clean => {
            doors::component(db, program, Outline::Module).map(|bytes| made = Some(Made::File(bytes)))
        }
        Goal::Parts(outline) if clean => {
            parts(db, program, outline).map(|parts| made = Some(Made::Parts(parts)))
        }
        Goal::Hot if clean => kept.hot(db, program).map(|generation| made = Some(Made::Hot(generation))),
        Goal::Library if clean => doors::library(db, program).map(|object| made = Some(Made::Object(object))),
        // The first stages stand even where a program is wrong.
        Goal::Text(stage, filter) if clean || matches!(stage, Stage::Tokens | Stage::Ast | Stage::Hir) => {
            doors::emit(db, program, stage, filter).map(|made| text = made)
        }
        Goal::Diagnostics
        | Goal::Object
        | Goal::Image(_)
        | Goal::Native
        | Goal::Wasm(_)
        | Goal::Bytecode
        | Goal::C
        | Goal::Component
        | Goal::Parts(_)
        | Goal::Library
        | Goal::Hot
        | Goal::Text(..) => Ok(()),
    };
    if let Err(more) = outcome {
        found.extend(more.iter().cloned());
        diagnostics = resolve(&found);
    }
    let errors = count(&diagnostics, "error");
    Ok(Compiled { diagnostics, errors, made, text, revision: db.revision() })
}

/// What goes into a package.
fn parts(db: &Database, program: Program, outline: Outline) -> Result<Vec<Part>, Arc<[Diagnostic]>> {
    let component = Part {
        kind: PartKind::Component,
        path: "main.wasm".to_owned(),
        target: packing::ANY.to_owned(),
        bytes: doors::component(db, program, outline)?,
    };
    Ok(match outline {
        Outline::Module => {
            let bytes = doors::bytecode(db, program)?;
            let (path, target) = ("main.vitbc".to_owned(), packing::ANY.to_owned());
            vec![component, Part { kind: PartKind::Bytecode, path, target, bytes }]
        }
        // Plugins are components.
        Outline::Plugin => vec![component],
    })
}

/// Refuses an entry file that is no text: there is nothing to show a diagnostic in.
fn readable(db: &Database, program: Program, path: &Path) -> Result<(), DriverError> {
    let shown = path.display();
    match program.entry(db).contents(db) {
        FileContents::Text(_) => Ok(()),
        FileContents::Missing => Err(bad_input(
            "NOT_FOUND",
            format!("`{shown}` does not exist"),
            "check the spelling and the folder you are in",
        )),
        FileContents::Folder => Err(bad_input(
            "IS_A_DIRECTORY",
            format!("`{shown}` is a folder"),
            "name a `.vit` file, or make a package in the folder with `vitte init`",
        )),
        FileContents::NotUtf8(offset) => {
            let message = format!("`{shown}` is not UTF-8: the first bad byte is at offset {offset}");
            Err(bad_input("NOT_UTF8", message, "save the file as UTF-8"))
        }
        FileContents::Unreadable(reason) => Err(bad_input(
            "UNREADABLE",
            format!("`{shown}` cannot be read: {reason}"),
            "check its permissions",
        )),
    }
}

fn count(diagnostics: &[Arc<ResolvedDiagnostic>], severity: &str) -> u64 {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count() as u64
}

fn outcome(diagnostics: &[Arc<ResolvedDiagnostic>], plan: String) -> BuildOutcome {
    BuildOutcome {
        errors: count(diagnostics, "error"),
        warnings: count(diagnostics, "warning"),
        executable: None,
        plan,
    }
}

/// What a build makes, for whoever asks about it later.
fn target(plan: &BuildPlan) -> PathBuf {
    match &plan.output {
        Output::File(path) => path.clone(),
        Output::Scratch(folder) => folder.join(&plan.project.name),
    }
}

/// Tells of a result that was in the store: every stage is done, none was anew.
fn report_hit(events: &dyn EventSink, diagnostics: &[Arc<ResolvedDiagnostic>], all: bool) {
    report_work(events, &[Work::default(); STAGES.len()], all);
    for diagnostic in diagnostics {
        events.event(Event::Diagnostic(Arc::clone(diagnostic)));
    }
}

/// Tells the stages in the order of the pipeline. The first was announced before the work began. Later
/// ones are told when all were asked for, or something was done in them.
fn report_work(events: &dyn EventSink, work: &[Work; STAGES.len()], all: bool) {
    /// Stages up to this one belong to every request.
    const CHECK: usize = 2;
    for (index, (stage, work)) in STAGES.iter().zip(work).enumerate() {
        let phase = stage.name;
        if index > CHECK && !all && work.executed == 0 {
            continue;
        }
        if index > 0 {
            events.event(Event::PhaseStarted { phase });
        }
        events.event(Event::PhaseFinished { phase, elapsed: work.elapsed, executed: work.executed });
    }
}
