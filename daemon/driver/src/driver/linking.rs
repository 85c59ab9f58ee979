//! From an object file to an executable, and what is wrong where there is none.
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use vitte_compiler::base::{Code, Diagnostic, Phase, Program};
use vitte_sys::sandbox::Rung;

use super::{Driver, LINK};
use crate::api::{BuildOutcome, CancellationToken, DriverError, Event, EventSink, ResolvedDiagnostic};
use crate::engine::{Database, doors, internal, show};
use crate::link::{LinkError, LinkObject, LinkPlan, LinkReport, Linker};
use crate::output::Written;
use crate::plan::BuildPlan;
use crate::product::Product;

const DUPLICATE_SYMBOL: Code = Code { code: "LNK0015", key: "LINK_E_DUPLICATE_SYMBOL" };
const UNDEFINED_SYMBOL: Code = Code { code: "LNK0058", key: "LINK_E_UNDEFINED_SYMBOL" };
const NO_ENTRY_POINT: Code = Code { code: "LNK0071", key: "LINK_E_NO_ENTRY_POINT" };

impl Driver {
    /// Links an object file; `None` when the program is not complete, which is told as diagnostics.
    #[allow(clippy::too_many_arguments)] // one step of `build`, which has them all at hand
    pub(super) fn link(
        &self,
        plan: &BuildPlan,
        cwd: &Path,
        linker: &dyn Linker,
        object: &doors::Object,
        events: &dyn EventSink,
        cancel: &CancellationToken,
        outcome: &mut BuildOutcome,
    ) -> Result<Option<Written>, DriverError> {
        events.event(Event::PhaseStarted { phase: LINK });
        let started = Instant::now();
        let linked = match link(plan, linker, object, cancel) {
            Ok(report) => Ok(report),
            Err(error @ (LinkError::Undefined(_) | LinkError::Duplicate(_))) => {
                Err(self.link_diagnostics(plan, cwd, &error, cancel)?)
            }
            Err(error) => return Err(tool_error(error)),
        };
        events.event(Event::PhaseFinished { phase: LINK, elapsed: started.elapsed(), executed: 1 });
        match linked {
            Ok(report) => {
                tracing::debug!(linker = %report.linker, confinement = ?report.confinement, elapsed = ?report.elapsed, bytes = report.bytes.len(), "linked");
                if let Some(weak) = report.confinement.filter(|reached| reached.rung == Rung::Limits) {
                    let linker = &report.linker;
                    events.event(Event::Note(format!("{linker}: confined by {} only", weak.rung.name())));
                }
                for warning in &report.warnings {
                    events.event(Event::Note(format!("{}: {warning}", report.linker)));
                }
                self.outputs.write(plan, &report.bytes, 0, true).map(Some)
            }
            Err(diagnostics) => {
                for diagnostic in diagnostics {
                    outcome.errors += 1;
                    events.event(Event::Diagnostic(diagnostic));
                }
                Ok(None)
            }
        }
    }

    /// Symbols that are missing or there twice, as diagnostics about the program.
    pub(super) fn link_diagnostics(
        &self,
        plan: &BuildPlan,
        cwd: &Path,
        error: &LinkError,
        cancel: &CancellationToken,
    ) -> Result<Vec<Arc<ResolvedDiagnostic>>, DriverError> {
        let cwd = vitte_sys::fs::canonical(cwd).unwrap_or_else(|_| cwd.to_path_buf());
        let engine = self.engines.get(plan.folders());
        let (resolved, _) = engine.read(&plan.project.entry, &plan.options, cancel, |db, program, _| {
            show::resolve(db, &cwd, &plan.lints, &describe_link_error(db, program, error))
        })?;
        Ok(resolved)
    }
}

fn link(
    plan: &BuildPlan,
    linker: &dyn Linker,
    object: &doors::Object,
    cancel: &CancellationToken,
) -> Result<LinkReport, LinkError> {
    let object = LinkObject { name: "program.o".into(), bytes: Arc::clone(&object.bytes) };
    let shared = plan.product == Product::SharedLibrary;
    let plan = LinkPlan {
        target: plan.target.into(),
        debug: plan.debug,
        mode: plan.link_mode,
        libraries: plan.libraries.clone(),
        flags: plan.link_flags.clone(),
        shared,
        ..LinkPlan::executable(object)
    };
    linker.link(&plan, cancel)
}

fn describe_link_error(db: &Database, program: Program, error: &LinkError) -> Vec<Diagnostic> {
    let about = |code, symbol: &str, message: String, label: &str| {
        Diagnostic::error(code, Phase::Linker, doors::extern_place(db, program, symbol), message, label)
    };
    match error {
        LinkError::Undefined(symbols) => symbols
            .iter()
            .map(|symbol| {
                let name = &symbol.name;
                if name == "main" {
                    return about(
                        NO_ENTRY_POINT,
                        name,
                        "the program has no entry point".into(),
                        "no `main` here",
                    )
                    .note("an executable begins with `proc main`")
                    .help("add `proc main() -> int { give 0 }`, or check the file as a library");
                }
                let message = format!("undefined symbol `{name}`");
                let diagnostic = about(UNDEFINED_SYMBOL, name, message, "declared here, defined nowhere")
                    .note("neither the program nor the C library defines it");
                match &symbol.similar {
                    Some(similar) => diagnostic.help(format!("did you mean `{similar}`?")),
                    None => diagnostic
                        .help("name the library that defines it in `link.libraries` of `vitte-package.json`"),
                }
            })
            .collect(),
        LinkError::Duplicate(symbols) => symbols
            .iter()
            .map(|symbol| {
                let message = format!("the symbol `{}` is defined twice", symbol.name);
                about(DUPLICATE_SYMBOL, &symbol.name, message, "while linking this program")
                    .note(format!("first in `{}`, again in `{}`", symbol.first, symbol.second))
                    .help("rename one of the two")
            })
            .collect(),
        LinkError::Unsupported { .. } | LinkError::Tool { .. } | LinkError::Cancelled => Vec::new(),
    }
}

pub(super) fn tool_error(error: LinkError) -> DriverError {
    match error {
        LinkError::Cancelled => DriverError::Cancelled,
        LinkError::Tool { message, output, help } => DriverError::Tool { message, output, help },
        LinkError::Unsupported { .. } => DriverError::Tool {
            message: error.to_string(),
            output: String::new(),
            help: "choose another linker with `--linker cc`".into(),
        },
        LinkError::Undefined(_) | LinkError::Duplicate(_) => internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::BuildRequest;
    use crate::link::{DuplicateSymbol, UndefinedSymbol};

    #[test]
    fn link_errors_become_diagnostics() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.vit"), "extern C {\n  proc mallloc(n: int) -> int;\n}\n")
            .unwrap();
        let request = BuildRequest {
            entry: Some("a.vit".into()),
            cwd: folder.path().to_path_buf(),
            ..BuildRequest::default()
        };
        let (driver, plan) = (Driver::default(), BuildPlan::new(&request).unwrap());
        let show = |error: LinkError| {
            driver.link_diagnostics(&plan, &request.cwd, &error, &CancellationToken::new()).unwrap()
        };
        let undefined = |name: &str, similar: Option<&str>| UndefinedSymbol {
            name: name.into(),
            object: "program.o".into(),
            similar: similar.map(String::from),
        };
        let shown =
            show(LinkError::Undefined(vec![undefined("mallloc", Some("malloc")), undefined("main", None)]));
        assert_eq!(shown.iter().map(|d| d.code.as_str()).collect::<Vec<_>>(), ["LNK0071", "LNK0058"]);
        assert_eq!(shown[1].message, "undefined symbol `mallloc`");
        assert_eq!(shown[1].helps, ["did you mean `malloc`?"]);
        let place = &shown[1].labels[0].span;
        assert_eq!((place.start.line, place.start.column, place.end.column), (2, 8, 15));
        let twice = DuplicateSymbol { name: "f".into(), first: "a.o".into(), second: "b.o".into() };
        let shown = show(LinkError::Duplicate(vec![twice]));
        assert_eq!((shown[0].code.as_str(), shown[0].phase.as_str()), ("LNK0015", "linker"));
    }
}
