//! Programs whose procedures are replaced while they run: see [`crate::link::incremental::hot`].
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use vitte_sys::memory::LiveCode;
use vitte_sys::process::HANDED_DESCRIPTOR;

use super::linking::tool_error;
use super::{Driver, Goal, Made, outcome};
use crate::api::{BuildOutcome, BuildRequest, CancellationToken, DriverError, EventSink};
use crate::link::incremental::Unfit;
use crate::link::incremental::hot::{Change, Generation, Process, REGION_BYTES, SLOTS, Unswappable};
use crate::link::{EMBEDDED, system_calls};
use crate::plan::{BuildPlan, Output};
use crate::product::Product;
use crate::project::{bad_input, io_error};

/// What has to stay where it was called: code that is copied elsewhere cannot be replaced there.
const INLINE: &str = "inline";

/// The name of its file.
const SYSTEM_CALLS: &str = "libvitte-system-calls.so";
/// Versions of programs begin with 1 and never get here.
const SYSTEM_CALLS_VERSION: u64 = u64::MAX;

/// A build for a process that goes on running.
#[derive(Clone, Debug, Default)]
pub struct HotBuild {
    /// How it went.
    pub outcome: BuildOutcome,
    /// The program, if it has no errors.
    made: Option<(BuildPlan, Generation)>,
}

impl HotBuild {
    /// Whether there is something to run.
    pub fn is_runnable(&self) -> bool {
        self.made.is_some()
    }
}

/// A program that is to be run, or runs, and can become another. Holds what the process shares with this one.
#[derive(Debug)]
pub struct HotProgram {
    executable: PathBuf,
    live: LiveCode,
    process: Process,
    generation: u64,
}

/// What became of a program that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// It does what the text says already.
    Same,
    /// Procedures were replaced. Calls that are under way finish the old ones.
    Done {
        /// How often the program has become another, from 1 for what was started.
        generation: u64,
        /// Procedures that are replaced or new.
        procedures: u64,
        /// Procedures that merely stand elsewhere in the text.
        moved: u64,
    },
    /// It has to be started anew, for this reason; it is as it was.
    Restart(String),
}

impl Driver {
    /// Checks a program and generates its code, for [`Driver::start_hot`] and [`HotProgram::swap`]. Nothing is
    /// inlined, so that every procedure stands in one place.
    ///
    /// # Errors
    /// As [`Driver::build`]; [`DriverError::BadInput`] for programs that cannot be run in this way.
    #[tracing::instrument(level = "debug", skip_all, fields(entry = ?request.entry))]
    pub fn build_hot(
        &self,
        request: &BuildRequest,
        events: &dyn EventSink,
        cancel: &CancellationToken,
    ) -> Result<HotBuild, DriverError> {
        let mut request = request.clone();
        request.disabled_passes.push(INLINE.to_owned());
        let mut plan = BuildPlan::new(&request)?;
        let refuse = |why: &str| unfit(&plan, why);
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err(refuse("it needs Linux on x86-64"));
        }
        if plan.product != Product::Executable {
            return Err(refuse("it is no executable for this machine"));
        }
        if !plan.is_plain() || plan.linker.as_deref().is_some_and(|linker| linker != EMBEDDED) {
            return Err(refuse("it asks for libraries, flags or a linker of its own"));
        }
        if let Some(scratch) = &request.scratch {
            plan.output = Output::Scratch(scratch.clone());
        }
        let described = plan.describe("hot");
        if request.dry_run {
            return Ok(HotBuild {
                outcome: BuildOutcome { plan: described, ..BuildOutcome::default() },
                made: None,
            });
        }
        let compiled = self.compile(&plan, &request.cwd, Goal::Hot, events, cancel)?;
        let outcome = outcome(&compiled.diagnostics, described);
        let made = match compiled.made {
            Some(Made::Hot(generation)) => Some((plan, generation)),
            Some(Made::Object(_) | Made::Image(_) | Made::File(_) | Made::C(_) | Made::Parts(_)) | None => {
                None
            }
        };
        Ok(HotBuild { outcome, made })
    }

    /// Makes an executable of a build and the memory that its process shares with this one. The program is to be
    /// handed [`HotProgram::descriptor`].
    ///
    /// # Errors
    /// [`DriverError::BadInput`] when the program cannot be run in this way, or has errors;
    /// [`DriverError::Tool`] when the library of system calls cannot be linked; [`DriverError::Io`].
    pub fn start_hot(&self, build: &HotBuild) -> Result<HotProgram, DriverError> {
        let Some((plan, generation)) = &build.made else {
            return Err(bad_input("PROGRAM_ERRORS", "the program has errors", "see the diagnostics"));
        };
        let library = if generation.makes_system_calls() { self.system_calls(plan)? } else { None };
        let library = match &library {
            Some(path) => Some(path.to_str().ok_or_else(|| unfit(plan, "the cache's path is not UTF-8"))?),
            None => None,
        };
        let mut bytes = Vec::new();
        let (process, change) = Process::begin(generation, HANDED_DESCRIPTOR, library, &mut bytes)
            .map_err(|Unfit(reason)| unfit(plan, &reason))?;
        let live = LiveCode::new("vitte-hot", REGION_BYTES, SLOTS).map_err(io_error)?;
        apply(&live, &change)?;
        let executable = self.outputs.write(plan, &bytes, 0, true)?.path;
        Ok(HotProgram { executable, live, process, generation: 1 })
    }

    /// The library of system calls as a file beside the executable of `plan`; linked once for all programs there.
    fn system_calls(&self, plan: &BuildPlan) -> Result<Option<PathBuf>, DriverError> {
        let Some(link) = system_calls::shared_library() else { return Ok(None) };
        let mut own = plan.clone();
        SYSTEM_CALLS.clone_into(&mut own.project.name);
        if let Some(written) = self.outputs.find(&own, SYSTEM_CALLS_VERSION) {
            return Ok(Some(written.path));
        }
        let linker = self.linkers.select(None).map_err(tool_error)?;
        let linked = linker.link(&link, &CancellationToken::new()).map_err(tool_error)?;
        Ok(Some(self.outputs.write(&own, &linked.bytes, SYSTEM_CALLS_VERSION, true)?.path))
    }
}

impl HotProgram {
    /// The file to execute. Absolute.
    pub fn executable(&self) -> &Path {
        &self.executable
    }

    /// What the program is handed.
    ///
    /// # Errors
    /// [`DriverError::Io`] when there are too many descriptors.
    pub fn descriptor(&self) -> Result<OwnedFd, DriverError> {
        self.live.descriptor().map_err(io_error)
    }

    /// How often the program has become another, from 1 for what was started.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Makes the program that runs what `build` says. Takes time in proportion to what is different, and very
    /// little for every procedure. `build` must have something to run.
    ///
    /// # Errors
    /// [`DriverError::Io`] when memory runs out; then procedures may call what is not there, and the program must
    /// be ended.
    pub fn swap(&mut self, build: &HotBuild) -> Result<Swap, DriverError> {
        let Some((_, generation)) = &build.made else { return Ok(Swap::Same) };
        let change = match self.process.advance(generation) {
            Ok(change) => change,
            Err(Unswappable(reason)) => return Ok(Swap::Restart(reason)),
        };
        if change.slots.is_empty() {
            return Ok(Swap::Same);
        }
        apply(&self.live, &change)?;
        self.generation += 1;
        let Change { procedures, moved, .. } = change;
        Ok(Swap::Done { generation: self.generation, procedures, moved })
    }
}

fn apply(live: &LiveCode, change: &Change) -> Result<(), DriverError> {
    for (offset, bytes) in &change.bytes {
        live.write(*offset, bytes).map_err(io_error)?;
    }
    for (slot, address) in &change.slots {
        live.store(*slot, *address).map_err(io_error)?;
    }
    Ok(())
}

fn unfit(plan: &BuildPlan, why: &str) -> DriverError {
    bad_input(
        "NOT_HOT",
        format!("`{}` cannot be changed while it runs: {why}", plan.project.name),
        "run it with `vitte watch run`, which starts it anew after every change",
    )
}
