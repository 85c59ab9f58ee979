//! Programs that run a package's tests.
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use vitte_compiler::base::FileContents;

use super::Driver;
use crate::api::{BuildOutcome, BuildRequest, CancellationToken, DriverError, Event, EventSink};
use crate::plan::BuildPlan;
use crate::project::Project;

/// Folders of a package in which tests may stand in modules that its entry does not reach.
const FOLDERS: [&str; 3] = ["src", "tests", "benches"];
/// Deepest folder below those that is looked into.
pub(super) const DEPTH_MAX: usize = 64;

/// Tests, built.
#[derive(Clone, Debug, Default)]
pub struct TestBuild {
    /// Errors and warnings of all programs together, and the first executable.
    pub outcome: BuildOutcome,
    /// The programs that could be built.
    pub programs: Vec<TestProgram>,
}

/// An executable with tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestProgram {
    /// Where it is.
    pub executable: PathBuf,
    /// What it is.
    pub kind: TestProgramKind,
}

/// What kind of tests a program holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestProgramKind {
    /// Many; see [`BuildRequest::tests`]. Those whose names begin otherwise are not asked for.
    Runner {
        /// Empty for all.
        prefix: String,
    },
    /// The examples of a module's doc comments: `test_line_N` is the one that begins in line N.
    Examples {
        /// What the module is called.
        module: String,
    },
    /// It is a test itself, and passes by ending with 0.
    Program {
        /// Its path as the manifest says it.
        name: String,
    },
}

impl Driver {
    /// Builds the tests of what `request` names: of a file those that stand in it; of a package all in modules
    /// that its entry reaches, those in other modules below `src` and `tests`, and the programs that its
    /// manifest lists as tests.
    ///
    /// # Errors
    /// As [`Driver::build`]. A program with errors is none.
    pub fn build_tests(
        &self,
        request: &BuildRequest,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<TestBuild, DriverError> {
        let request = BuildRequest { tests: true, ..request.clone() };
        let plan = BuildPlan::new(&request)?;
        let once = Once::new(events);
        let mut built = self.build_each(&request, &plan, &once, cancel)?;
        (built.outcome.errors, built.outcome.warnings) = once.counted();
        Ok(built)
    }

    fn build_each(
        &self,
        request: &BuildRequest,
        plan: &BuildPlan,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<TestBuild, DriverError> {
        let mut built = TestBuild::default();
        let mut add = |request: &BuildRequest, kind| -> Result<(), DriverError> {
            let outcome = self.build(request, events, cancel)?;
            built.outcome.plan.push_str(&outcome.plan);
            if let Some(executable) = outcome.executable {
                built.outcome.executable.get_or_insert_with(|| executable.clone());
                built.programs.push(TestProgram { executable, kind });
            }
            Ok(())
        };
        let Project { package, entry, entry_file, .. } = &plan.project;
        let whole =
            package.as_ref().filter(|package| package.folder.join(&package.manifest.entry) == *entry_file);
        let Some(package) = whole else {
            let stem = Path::new(entry.path.as_str()).with_extension("");
            add(request, TestProgramKind::Runner { prefix: format!("{}::", stem.display()) })?;
            return Ok(built);
        };
        add(request, TestProgramKind::Runner { prefix: String::new() })?;
        let of = |file: &Path, tests| BuildRequest {
            entry: Some(file.to_path_buf()),
            output: None,
            tests,
            ..request.clone()
        };
        let mut seen = self.modules_of(plan, cancel)?;
        for name in &package.manifest.tests {
            let file = package.folder.join(name);
            add(&of(&file, false), TestProgramKind::Program { name: name.clone() })?;
            seen.insert(file);
        }
        let mut files = BTreeSet::new();
        for folder in FOLDERS {
            modules_below(&package.folder.join(folder), DEPTH_MAX, &mut files)?;
        }
        for file in files {
            if !seen.contains(&file) && mentions_tests(&file) {
                let name = file.strip_prefix(&plan.project.root).unwrap_or(&file).with_extension("");
                add(&of(&file, true), TestProgramKind::Runner { prefix: format!("{}::", name.display()) })?;
            }
        }
        Ok(built)
    }
}

impl Driver {
    /// The files of which a program is made.
    pub(super) fn modules_of(
        &self,
        plan: &BuildPlan,
        cancel: &CancellationToken,
    ) -> Result<BTreeSet<PathBuf>, DriverError> {
        let folders = plan.folders();
        let engine = self.engines.get(folders.clone());
        let (inputs, _) = engine
            .read(&plan.project.entry, &plan.options, cancel, |db, program, kept| kept.inputs(db, program))?;
        let there = inputs.into_iter().filter(|(_, contents)| matches!(contents, FileContents::Text(_)));
        Ok(there.filter_map(|(path, _)| folders.on_disk(&path)).collect())
    }
}

/// The modules in a folder and below. One that is not there has none; links are not followed.
pub(super) fn modules_below(
    folder: &Path,
    depth: usize,
    found: &mut BTreeSet<PathBuf>,
) -> Result<(), DriverError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let failed = |source| DriverError::Io { operation: "list", path: folder.to_path_buf(), source };
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let kind = entry.file_type().map_err(failed)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if kind.is_dir() && !is_hidden && depth > 0 {
            modules_below(&path, depth - 1, found)?;
        } else if kind.is_file() && !is_hidden && path.extension().is_some_and(|extension| extension == "vit")
        {
            found.insert(path);
        }
    }
    Ok(())
}

/// Whether it may pay to look for tests in a module.
fn mentions_tests(file: &Path) -> bool {
    let text = vitte_sys::fs::read(file).unwrap_or_default();
    [&b"proc test_"[..], b"test \"", b"proc bench_", b"bench \""]
        .iter()
        .any(|mark| text.windows(mark.len()).any(|part| part == *mark))
}

/// Passes on what was not told before: programs share modules, and so their diagnostics.
pub(super) struct Once<'a> {
    events: &'a dyn EventSink,
    told: Mutex<Told>,
}

impl<'a> Once<'a> {
    pub(super) fn new(events: &'a dyn EventSink) -> Self {
        Self { events, told: Mutex::default() }
    }

    /// How many errors and warnings were passed on.
    pub(super) fn counted(self) -> (u64, u64) {
        let told = self.told.into_inner().unwrap_or_else(PoisonError::into_inner);
        (told.errors, told.warnings)
    }
}

#[derive(Default)]
struct Told {
    diagnostics: HashSet<String>,
    errors: u64,
    warnings: u64,
}

impl EventSink for Once<'_> {
    fn event(&self, event: Event) {
        if let Event::Diagnostic(diagnostic) = &event {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if !told.diagnostics.insert(format!("{diagnostic:?}")) {
                return;
            }
            match diagnostic.severity.as_str() {
                "error" => told.errors += 1,
                _ => told.warnings += 1,
            }
        }
        self.events.event(event);
    }
}
