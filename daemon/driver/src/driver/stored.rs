//! What the store has of a program, and what it gets, behind the builds.
use std::collections::HashMap;
use std::sync::Arc;

use vitte_compiler::base::{Diagnostic, FileContents, SourcePath};
use vitte_store::ActionKey;

use super::{Driver, Found, count, outcome, report_hit, target};
use crate::api::{BuildOutcome, BuildRequest, CancellationToken, DriverError, EventSink};
use crate::cache::{self, CachedResult, Facts, ProgramInputs};
use crate::engine::{doors, show};
use crate::link::DebugInfo;
use crate::output::Written;
use crate::plan::BuildPlan;
use crate::product::{Backend, Product};
use vitte_compiler::codegen::wasm::Outline;

impl Driver {
    /// What the store has for the program as it is on disk, with the diagnostics as the user would see
    /// them. For a program that is in memory it is asked only to be compared.
    pub(super) fn find(&self, plan: &BuildPlan, key: &ActionKey, request: &BuildRequest) -> Option<Found> {
        let cache = self.cache.as_ref()?;
        let folders = plan.folders();
        let engine = self.engines.get(folders.clone());
        if !request.check_cache && engine.knows(&plan.project.entry, &plan.options) {
            return None;
        }
        let (result, files) = cache.find(key, &folders)?;
        let cwd = vitte_sys::fs::canonical(&request.cwd).unwrap_or_else(|_| request.cwd.clone());
        let diagnostics = result.diagnostics(&folders, &cwd);
        Some(Found { result, diagnostics, files })
    }

    /// Notes, by and by, that the plan's target is made of `files` now.
    pub(super) fn note_restored(
        &self,
        plan: &BuildPlan,
        key: ActionKey,
        linker: &str,
        files: Vec<(SourcePath, FileContents)>,
    ) {
        let Some(history) = self.history.clone() else { return };
        let (plan, linker, target) = (plan.clone(), linker.to_owned(), target(plan));
        self.noted.is_news(&target, key, cache::RESTORED);
        self.publisher.publish((key, Some(target.clone())), cache::RESTORED, move || {
            history.remember(&target, Facts::new(&plan, &linker), &files, &HashMap::new());
            // The next one may be of other files.
            false
        });
    }

    /// Puts a result of the store in place; `None` when its executable is not there after all.
    pub(super) fn restore(
        &self,
        plan: &BuildPlan,
        found: &Found,
        described: &str,
        events: &dyn EventSink,
    ) -> Result<Option<BuildOutcome>, DriverError> {
        let Found { result, diagnostics, files: _ } = found;
        let mut outcome = outcome(diagnostics, described.to_owned());
        if let Some(digest) = &result.executable {
            let Some(bytes) = self.cache.as_ref().and_then(|cache| cache.blob(digest)) else {
                return Ok(None);
            };
            let written = self.outputs.write(plan, &bytes, 0, true)?;
            report_hit(events, diagnostics, true);
            events.event(written.event());
            outcome.executable = Some(written.path);
        } else {
            report_hit(events, diagnostics, false);
        }
        Ok(Some(outcome))
    }

    /// Leaves the result of `plan` in the store, by and by: diagnostics with so many errors and, for a
    /// build without any, what was written. Nothing is left when the files have changed since `revision`.
    pub(super) fn publish(
        &self,
        plan: &BuildPlan,
        key: ActionKey,
        linker: &str,
        revision: u64,
        errors: u64,
        written: Option<Written>,
    ) {
        let Some(cache) = self.cache.clone() else { return };
        let (plan, engines, history) = (plan.clone(), Arc::clone(&self.engines), self.history.clone());
        let (target, linker) = (written.as_ref().map(|_| target(&plan)), linker.to_owned());
        let is_news = target.as_ref().is_some_and(|target| self.noted.is_news(target, key, revision));
        if self.publisher.is_done(&(key, target.clone()), revision) {
            if let (true, Some(target), Some(history)) = (is_news, target, history) {
                // As when a profile is built again that was built before another one.
                self.publisher.publish(
                    (cache::history_key(&target), Some(target.clone())),
                    revision,
                    move || {
                        let (entry, options) = (&plan.project.entry, &plan.options);
                        let read = engines.get(plan.folders()).read(
                            entry,
                            options,
                            &CancellationToken::new(),
                            |db, program, kept| (kept.inputs(db, program), db.replaced_since(revision)),
                        );
                        if let Ok(((inputs, Some(replaced)), _)) = read {
                            history.remember(&target, Facts::new(&plan, &linker), &inputs, &replaced);
                        }
                        // The next one may be of other options.
                        false
                    },
                );
            }
            return;
        }
        self.publisher.publish((key, target.clone()), revision, move || {
            let executable = written.as_ref().and_then(Written::bytes);
            if executable.is_none() != written.is_none() {
                return false;
            }
            let (entry, options) = (&plan.project.entry, &plan.options);
            let read = engines.get(plan.folders()).read(
                entry,
                options,
                &CancellationToken::new(),
                |db, program, kept| {
                    let found = doors::with_lints(db, program, &plan.lints, &kept.check(db, program));
                    let diagnostics = show::resolve_named(db, &cache::portable_name, &plan.lints, &found);
                    (db.revision(), kept.inputs(db, program), db.replaced_since(revision), diagnostics)
                },
            );
            let Ok(((now, inputs, replaced, diagnostics), _)) = read else { return false };
            if let (Some(target), Some(history), Some(replaced)) = (&target, &history, replaced) {
                history.remember(target, Facts::new(&plan, &linker), &inputs, &replaced);
            }
            if now != revision {
                return false;
            }
            // Errors that came later than the check are not among these.
            if count(&diagnostics, "error") == errors
                && let Some(inputs) = ProgramInputs::of(inputs)
            {
                cache.publish(&key, &inputs, &CachedResult::new(&diagnostics), executable.as_deref());
            }
            true
        });
    }

    /// Brings a program that was answered from the store into memory, by and by, for the next edit: its
    /// diagnostics or, with `whole`, its code too.
    pub(super) fn warm_up(&self, plan: &BuildPlan, key: ActionKey, whole: bool) {
        self.warm_up_then(plan, key, whole, || {});
    }

    pub(super) fn warm_up_then(
        &self,
        plan: &BuildPlan,
        key: ActionKey,
        whole: bool,
        then: impl FnOnce() + Send + 'static,
    ) {
        let (plan, engines) = (plan.clone(), Arc::clone(&self.engines));
        self.publisher.warm_up((key, None), move |cancel| {
            let (entry, options) = (&plan.project.entry, &plan.options);
            let strip = plan.debug == DebugInfo::Strip;
            // Whoever asks next gets what was made so far, or learns why it was not.
            let _ = engines.get(plan.folders()).read(entry, options, cancel, |db, program, kept| {
                let found = kept.check(db, program);
                if whole && !found.iter().any(Diagnostic::is_error) {
                    match plan.product {
                        Product::Executable if plan.backend == Backend::C17 => drop(doors::c17(db, program)),
                        Product::CSource => drop(doors::c17(db, program)),
                        Product::Executable => drop(kept.link(db, program, strip, Some)),
                        Product::Foreign(_) => drop(doors::native(db, program)),
                        Product::Wasm(width) => drop(doors::wasm(db, program, width)),
                        Product::Bytecode => drop(doors::bytecode(db, program)),
                        Product::SharedLibrary => drop(doors::library(db, program)),
                        Product::Component => drop(doors::component(db, program, Outline::Module)),
                        Product::Package(outline) => drop(doors::component(db, program, outline)),
                    }
                }
            });
            then();
        });
    }
}
