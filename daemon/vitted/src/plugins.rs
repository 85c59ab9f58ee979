//! What plugins contribute to checks and builds, and the packages that they come in.
use std::path::Path;
use std::sync::Arc;

use vitte_driver::{
    BuildOutcome, BuildRequest, Driver, DriverError, Event, EventSink, FileSpan, Outline, PackagePlan,
    Packer, Part, PartKind, Position, ResolvedDiagnostic, ResolvedLabel,
};
use vitte_loader::container::{ArtifactKind, Manifest, PackageKind, assemble};
use vitte_loader::plugin::{Diagnostic, Plugins, Project, Severity};

/// Most files of a program that plugins are shown.
const FILES_MAX: usize = 1024;
/// Largest of them, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Most lines of a place that are shown with it.
const LINES_MAX: usize = 8;

/// Writes packages in the loader's format.
#[derive(Clone, Copy, Debug)]
pub struct Packing;

impl Packer for Packing {
    fn pack(&self, package: &PackagePlan, parts: Vec<Part>) -> Result<Vec<u8>, String> {
        let PackagePlan {
            outline,
            id,
            version,
            seq,
            description,
            license,
            activation,
            config,
            capabilities,
            native: _,
        } = package.clone();
        let manifest = Manifest {
            format: 1,
            id,
            version,
            kind: match outline {
                Outline::Module => PackageKind::Module,
                Outline::Plugin => PackageKind::Plugin,
            },
            seq,
            artifacts: Vec::new(),
            license,
            description,
            exports: Vec::new(),
            deps: Vec::new(),
            activation,
            config,
            capabilities,
        };
        let parts = parts.into_iter().map(|Part { kind, path, target, bytes }| {
            let kind = match kind {
                PartKind::Component => ArtifactKind::Component,
                PartKind::Bytecode => ArtifactKind::Vitbc,
                PartKind::Library => ArtifactKind::Elf,
                PartKind::Table => ArtifactKind::Vitffi,
            };
            (path, kind, target, bytes.to_vec())
        });
        assemble(manifest, parts.collect())
    }
}

/// Asks plugins for their steps before a build.
///
/// # Errors
/// When one of them refuses.
pub(crate) fn before_build(
    plugins: &Plugins,
    build: &BuildRequest,
    events: &dyn EventSink,
) -> Result<(), DriverError> {
    if plugins.is_empty() || build.dry_run {
        return Ok(());
    }
    let entry = build.entry.as_deref().unwrap_or(Path::new("."));
    let package = vitte_driver::BuildPlan::new(build)?;
    let manifest = package.project.package.as_ref().map(|package| &package.manifest);
    let project = Project {
        name: package.project.name.clone(),
        version: manifest.map_or_else(|| "0.0.0".to_owned(), |manifest| manifest.version.clone()),
        entry: entry.display().to_string(),
        product: build.emit.clone().unwrap_or_else(|| "exe".to_owned()),
    };
    for (name, answer) in plugins.before_build(&project) {
        match answer {
            Ok(notes) => {
                notes.into_iter().for_each(|note| events.event(Event::Note(format!("{name}: {note}"))));
            }
            Err(error) => {
                return Err(DriverError::Tool {
                    message: error.to_string(),
                    output: String::new(),
                    help: format!("`vitte plugin unload {name}` builds without it"),
                });
            }
        }
    }
    Ok(())
}

/// Asks plugins about the program's own files, and adds what they find to the outcome.
pub(crate) fn look(
    plugins: &Plugins,
    driver: &Driver,
    build: &BuildRequest,
    events: &dyn EventSink,
    outcome: BuildOutcome,
) -> BuildOutcome {
    let mut outcome = outcome;
    if plugins.is_empty() || build.dry_run {
        return outcome;
    }
    // The driver has told already what is wrong with the request.
    let Ok(inputs) = driver.inputs(build) else { return outcome };
    let cwd = vitte_sys::fs::canonical(&build.cwd).unwrap_or_else(|_| build.cwd.clone());
    let own = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|end| end == "vit")
            && inputs.roots.iter().any(|root| path.starts_with(root))
    };
    let mut failed = std::collections::BTreeSet::new();
    for path in inputs.files.iter().filter(own).take(FILES_MAX) {
        let Ok(bytes) = vitte_sys::fs::read_at_most(path, FILE_MAX) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let shown = path.strip_prefix(&cwd).unwrap_or(path).display().to_string();
        for (name, answer) in plugins.diagnose(&shown, &text) {
            match answer {
                Ok(found) => {
                    for one in found {
                        let severity = match one.severity {
                            Severity::Error => "error",
                            Severity::Warning => "warning",
                            Severity::Note => {
                                let Position { line, column, .. } = position(&text, one.start as usize);
                                let Diagnostic { code, message, .. } = one;
                                let note = format!("{shown}:{line}:{column}: {name}/{code}: {message}");
                                events.event(Event::Note(note));
                                continue;
                            }
                        };
                        let count =
                            if severity == "error" { &mut outcome.errors } else { &mut outcome.warnings };
                        *count += 1;
                        let diagnostic = resolved(name.as_str(), severity, &shown, &text, one);
                        events.event(Event::Diagnostic(Arc::new(diagnostic)));
                    }
                }
                // Once is enough, whatever the number of files.
                Err(error) => {
                    if failed.insert(name) {
                        events.event(Event::Note(error.to_string()));
                    }
                }
            }
        }
    }
    outcome
}

/// With lines and columns.
fn resolved(plugin: &str, severity: &str, file: &str, text: &str, found: Diagnostic) -> ResolvedDiagnostic {
    let Diagnostic { severity: _, code, message, start, end, help } = found;
    let (start, end) = (position(text, start as usize), position(text, end as usize));
    let lines = text.lines().skip(start.line.saturating_sub(1) as usize);
    let count = (end.line.saturating_sub(start.line) as usize + 1).min(LINES_MAX);
    let label = ResolvedLabel {
        primary: true,
        message: String::new(),
        span: FileSpan {
            file: file.to_owned(),
            start,
            end,
            source_lines: lines.take(count).map(str::to_owned).collect(),
        },
    };
    ResolvedDiagnostic {
        message_key: format!("{plugin}/{code}"),
        code: format!("{plugin}/{code}"),
        severity: severity.to_owned(),
        phase: "sema".to_owned(),
        message,
        labels: vec![label],
        notes: Vec::new(),
        helps: help.into_iter().collect(),
        suggestions: Vec::new(),
    }
}

/// The place of a byte; of the character that it is in, if it does not begin one.
fn position(text: &str, byte: usize) -> Position {
    let mut at = byte.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    Position {
        line: u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX),
        column: count(before.get(line_start..).unwrap_or_default()).saturating_add(1),
        byte: u32::try_from(at).unwrap_or(u32::MAX),
        character: count(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_characters() {
        let text = "aé\nbc";
        let place = |byte| {
            let Position { line, column, byte, character } = position(text, byte);
            (line, column, byte, character)
        };
        assert_eq!(place(0), (1, 1, 0, 0));
        assert_eq!(place(2), (1, 2, 1, 1), "in the middle of a character");
        assert_eq!(place(4), (2, 1, 4, 3));
        assert_eq!(place(99), (2, 3, 6, 5));
    }
}
