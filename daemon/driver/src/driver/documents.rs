//! Pages of documentation, and the examples in it as programs.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vitte_compiler::base::SourcePath;
use vitte_compiler::doc::Example;
use vitte_compiler::doc::examples::{examples, program_of, tests_of};

use super::Driver;
use super::testing::{DEPTH_MAX, Once, TestBuild, TestProgram, TestProgramKind, modules_below};
use crate::api::{BuildRequest, CancellationToken, DriverError, EventSink};
use crate::engine::{Database, Folders, doors};
use crate::plan::BuildPlan;
use crate::project::bad_input;

/// Where the programs of examples stand in a package.
const EXAMPLES: &str = "target/doc-tests";
/// Where the pages go when nobody says.
const PAGES: &str = "target/doc";

/// Pages that were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// The page to begin with.
    pub index: PathBuf,
    /// How many modules have a page.
    pub modules: usize,
    /// How many exported declarations they have.
    pub items: usize,
    /// How many of them have no text.
    pub undocumented: usize,
}

/// A module of a package: its file, what it is imported as, and what its page is called.
struct Module {
    file: PathBuf,
    import: SourcePath,
    name: String,
}

impl Driver {
    /// Writes the documentation of a package, or with `library` of the standard library, into `folder`.
    /// What else is in the folder stays.
    ///
    /// # Errors
    /// When there is no package, a module cannot be read, or a page cannot be written.
    pub fn document(
        &self,
        request: &BuildRequest,
        library: bool,
        folder: Option<&Path>,
        cancel: &CancellationToken,
    ) -> Result<Documented, DriverError> {
        let (pages, folder) = if library {
            let folder = folder.ok_or_else(|| {
                bad_input("NO_FOLDER", "the pages of the library have no folder", "name one with `--out`")
            })?;
            let db = Database::new(Folders { workspace: PathBuf::new(), roots: Vec::new() });
            (doors::library_pages(&db), folder.to_path_buf())
        } else {
            let plan = BuildPlan::new(request)?;
            let home = home(&plan);
            let modules = self.documented_modules(&plan, &home, cancel)?;
            let manifest = plan.project.package.as_ref().map(|package| &package.manifest);
            let about = manifest.and_then(|manifest| manifest.description.clone()).unwrap_or_default();
            let modules: Vec<(String, SourcePath)> =
                modules.into_iter().map(|module| (module.name, module.import)).collect();
            let engine = self.engines.get(plan.folders());
            let (pages, _) = engine.read(&plan.project.entry, &plan.options, cancel, |db, _, _| {
                doors::pages(db, &plan.project.name, &about, &modules)
            })?;
            (pages, folder.map_or_else(|| home.join(PAGES), Path::to_path_buf))
        };
        for page in &pages.pages {
            write(&folder.join(&page.path), &page.text)?;
        }
        Ok(Documented {
            index: folder.join("index.html"),
            modules: pages.modules,
            items: pages.items,
            undocumented: pages.undocumented,
        })
    }

    /// Builds the examples in the doc comments of a package's modules, or of one file: see
    /// [`vitte_compiler::doc::examples`].
    ///
    /// # Errors
    /// As [`Driver::build`]. An example with errors is none.
    pub fn build_examples(
        &self,
        request: &BuildRequest,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<TestBuild, DriverError> {
        let plan = BuildPlan::new(&BuildRequest { tests: true, ..request.clone() })?;
        let home = home(&plan);
        let once = Once::new(events);
        let mut built = TestBuild::default();
        let mut add = |file: PathBuf, tests, kind| -> Result<(), DriverError> {
            let request = BuildRequest { entry: Some(file), output: None, tests, ..request.clone() };
            let outcome = self.build(&request, &once, cancel)?;
            if let Some(executable) = outcome.executable {
                built.outcome.executable.get_or_insert_with(|| executable.clone());
                built.programs.push(TestProgram { executable, kind });
            }
            Ok(())
        };
        for module in self.documented_modules(&plan, &home, cancel)? {
            let text = vitte_sys::fs::read(&module.file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let found = examples(&text);
            let (own, shared): (Vec<&Example>, Vec<&Example>) =
                found.iter().partition(|example| example.is_program());
            let stem = Path::new(module.import.path.as_str()).with_extension("");
            let import = stem.display().to_string();
            // Flat, so that the file does not stand where the module itself would be looked for.
            let flat = import.replace('/', "-");
            if !shared.is_empty() {
                let file = home.join(EXAMPLES).join(format!("{flat}.vit"));
                write(&file, &tests_of(&import, &shared))?;
                add(file, true, TestProgramKind::Examples { module: module.name.clone() })?;
            }
            for example in own {
                let file = home.join(EXAMPLES).join(format!("{flat}-{}.vit", example.line));
                write(&file, &program_of(&import, example))?;
                let name = format!("{}, line {}", module.name, example.line);
                add(file, false, TestProgramKind::Program { name })?;
            }
        }
        (built.outcome.errors, built.outcome.warnings) = once.counted();
        Ok(built)
    }

    /// The modules of a package in order of path: those that its entry reaches and those below `src`. Of a lone file, or one
    /// that is no package's entry, itself.
    fn documented_modules(
        &self,
        plan: &BuildPlan,
        home: &Path,
        cancel: &CancellationToken,
    ) -> Result<Vec<Module>, DriverError> {
        let project = &plan.project;
        let is_whole = project
            .package
            .as_ref()
            .is_some_and(|package| package.folder.join(&package.manifest.entry) == project.entry_file);
        let mut files = std::collections::BTreeSet::from([project.entry_file.clone()]);
        if is_whole {
            files.extend(self.modules_of(plan, cancel)?);
            modules_below(&home.join("src"), DEPTH_MAX, &mut files)?;
        }
        let mut modules = BTreeMap::new();
        for file in files {
            let (Ok(import), Ok(own)) = (file.strip_prefix(&project.root), file.strip_prefix(home)) else {
                continue; // of a dependency
            };
            let own = own.with_extension("");
            let own = own.strip_prefix("src").unwrap_or(&own);
            let (Some(import), Some(name)) = (import.to_str(), own.to_str()) else { continue };
            let module =
                Module { import: SourcePath::workspace(import), name: name.to_owned(), file: file.clone() };
            modules.entry(module.name.clone()).or_insert(module);
        }
        Ok(modules.into_values().collect())
    }
}

/// The folder of the package, or of the lone file's project.
fn home(plan: &BuildPlan) -> PathBuf {
    plan.project.package.as_ref().map_or_else(|| plan.project.root.clone(), |package| package.folder.clone())
}

/// Writes a file unless it holds that text already.
fn write(path: &Path, text: &str) -> Result<(), DriverError> {
    if vitte_sys::fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let failed = |operation| {
        move |error: vitte_sys::SysError| DriverError::Io {
            operation,
            path: path.to_path_buf(),
            source: error.into(),
        }
    };
    if let Some(folder) = path.parent() {
        vitte_sys::fs::create_directories(folder).map_err(failed("create the folder of"))?;
    }
    vitte_sys::fs::write(path, text.as_bytes()).map_err(failed("write"))
}
