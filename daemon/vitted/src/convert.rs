//! Wire types to the driver's and back. Wire types end here.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vitte_driver::{
    BuildOutcome, BuildRequest, CauseKind, Event, ExitKind, FileSpan, Finding, LintLevel, OptLevel, Position,
    RebuildReport, ResolvedDiagnostic, ResolvedLabel, ResolvedSuggestion, Stage,
};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::operation::{WhenUnwatched, duration};
use crate::status::Refusal;
use crate::workspaces::Workspace;

/// The driver's request from a wire request; `workspace` is the one that the request names.
///
/// # Errors
/// When a field is missing, malformed or contradicts the workspace's trust.
pub fn build_request(
    options: Option<v1::BuildOptions>,
    workspace: Option<&Workspace>,
) -> Result<BuildRequest, Refusal> {
    let options = options.ok_or_else(|| Refusal::bad_field("options", "is missing"))?;
    let opt_level = match options.opt_level() {
        v1::OptLevel::Unspecified => None,
        v1::OptLevel::O0 => Some(OptLevel::O0),
        v1::OptLevel::O1 => Some(OptLevel::O1),
        v1::OptLevel::O2 => Some(OptLevel::O2),
        v1::OptLevel::O3 => Some(OptLevel::O3),
    };
    let v1::BuildOptions {
        entry,
        cwd,
        workspace: _,
        root,
        library,
        output,
        target,
        profile,
        opt_level: _,
        disabled_passes,
        linker,
        lints,
        dry_run,
        check_cache,
        check_determinism,
        without_digest,
        emit,
        backend,
    } = options;
    let entry = path(&entry);
    let cwd = match (path(&cwd), workspace, &entry) {
        (Some(cwd), _, _) => cwd,
        (None, Some(workspace), _) => workspace.root.clone(),
        (None, None, Some(entry)) => entry.parent().unwrap_or(Path::new("")).to_path_buf(),
        (None, None, None) => PathBuf::new(),
    };
    if !cwd.is_absolute() {
        return Err(Refusal::bad_field("options.cwd", "must be an absolute path"));
    }
    let root = path(&root).or_else(|| workspace.map(|workspace| workspace.root.clone()));
    let lints = lints.into_iter().map(lint).collect::<Result<_, _>>()?;
    let text = |value: String| Some(value).filter(|value| !value.is_empty());
    Ok(BuildRequest {
        entry,
        cwd,
        root,
        library: path(&library),
        output: path(&output),
        scratch: None,
        target: text(target),
        emit: text(emit),
        profile: text(profile),
        opt_level,
        disabled_passes,
        backend: text(backend),
        linker: text(linker),
        lints,
        dry_run,
        check_cache,
        check_determinism,
        tests: false,
        without_digest,
    })
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn lint(setting: v1::LintSetting) -> Result<(LintLevel, String), Refusal> {
    let level = match setting.level() {
        v1::LintLevel::Unspecified => return Err(Refusal::bad_field("options.lints.level", "is missing")),
        v1::LintLevel::Allow => LintLevel::Allow,
        v1::LintLevel::Warn => LintLevel::Warn,
        v1::LintLevel::Deny => LintLevel::Deny,
    };
    Ok((level, setting.lint))
}

/// Why something was built anew, for the wire.
pub fn rebuild_report(report: RebuildReport) -> v1::ExplainRebuildResponse {
    let RebuildReport { target, causes, touched } = report;
    let kind = |kind| match kind {
        CauseKind::First => v1::RebuildCauseKind::First,
        CauseKind::Compiler => v1::RebuildCauseKind::Compiler,
        CauseKind::Option => v1::RebuildCauseKind::Option,
        CauseKind::File => v1::RebuildCauseKind::File,
        CauseKind::Appeared => v1::RebuildCauseKind::Appeared,
        CauseKind::Gone => v1::RebuildCauseKind::Gone,
        CauseKind::Manifest => v1::RebuildCauseKind::Manifest,
        CauseKind::Joined => v1::RebuildCauseKind::Joined,
        CauseKind::Left => v1::RebuildCauseKind::Left,
    };
    let causes = causes.into_iter().map(|cause| v1::RebuildCause {
        kind: kind(cause.kind).into(),
        name: cause.name,
        old: cause.old,
        new: cause.new,
        first_line: cause.first_line,
        last_line: cause.last_line,
        imports_added: cause.imports_added,
        imports_removed: cause.imports_removed,
    });
    let touched = touched.map(|touched| v1::TouchedFile {
        file: touched.file,
        is_part: touched.is_part,
        procedures: touched.procedures,
        importers: touched.importers,
    });
    v1::ExplainRebuildResponse {
        target: target.to_string_lossy().into_owned(),
        causes: causes.collect(),
        touched,
    }
}

/// The driver's stage from the wire's.
///
/// # Errors
/// When it is not set.
pub fn stage(stage: v1::Stage) -> Result<Stage, Refusal> {
    match stage {
        v1::Stage::Unspecified => Err(Refusal::bad_field("stage", "is missing")),
        v1::Stage::Tokens => Ok(Stage::Tokens),
        v1::Stage::Ast => Ok(Stage::Ast),
        v1::Stage::Hir => Ok(Stage::Hir),
        v1::Stage::Mir => Ok(Stage::Mir),
        v1::Stage::Ssa => Ok(Stage::Ssa),
        v1::Stage::Clif => Ok(Stage::Clif),
        v1::Stage::Asm => Ok(Stage::Asm),
        v1::Stage::Obj => Ok(Stage::Obj),
    }
}

/// What happens to work whose caller goes away.
pub fn when_unwatched(value: v1::OnDisconnect) -> WhenUnwatched {
    match value {
        v1::OnDisconnect::Unspecified | v1::OnDisconnect::Cancel => WhenUnwatched::Cancel,
        v1::OnDisconnect::Continue => WhenUnwatched::Continue,
    }
}

/// A duration of a request.
///
/// # Errors
/// When it is negative.
pub fn positive(field: &str, value: prost_types::Duration) -> Result<Duration, Refusal> {
    Duration::try_from(value).map_err(|_| Refusal::bad_field(field, "must not be negative"))
}

/// The driver's event as the wire has it.
pub fn event(event: Event) -> Kind {
    match event {
        Event::PhaseStarted { phase } => Kind::PhaseStarted(v1::PhaseStarted { phase: phase.into() }),
        Event::PhaseFinished { phase, elapsed, executed } => Kind::PhaseFinished(v1::PhaseFinished {
            phase: phase.into(),
            elapsed: Some(duration(elapsed)),
            executed,
        }),
        Event::Diagnostic(diagnostic) => Kind::Diagnostic(self::diagnostic(Arc::unwrap_or_clone(diagnostic))),
        Event::Artifact { kind, path, sha256, size_bytes } => {
            Kind::Artifact(v1::Artifact { kind: kind.into(), path: text(&path), sha256, size_bytes })
        }
        Event::Note(message) => Kind::Note(v1::Note { message }),
    }
}

/// The result of a check or build.
pub fn outcome(outcome: BuildOutcome) -> v1::BuildFinished {
    let BuildOutcome { errors, warnings, executable, plan } = outcome;
    v1::BuildFinished {
        errors,
        warnings,
        executable: executable.as_deref().map(text).unwrap_or_default(),
        plan,
    }
}

/// The end of a program.
pub fn exit(exit: ExitKind) -> v1::ProgramExited {
    use v1::program_exited::How;
    let how = match exit {
        ExitKind::Code(code) => How::Code(code.into()),
        ExitKind::Signal(signal) => How::Signal(signal.into()),
        ExitKind::TimedOut => How::TimedOut(v1::TimedOut {}),
    };
    v1::ProgramExited { how: Some(how) }
}

/// A line of `doctor`.
pub fn finding(finding: Finding) -> v1::Finding {
    let Finding { subject, state, detail, chosen, help } = finding;
    v1::Finding { subject, state, detail, chosen, help }
}

fn diagnostic(diagnostic: ResolvedDiagnostic) -> v1::Diagnostic {
    let ResolvedDiagnostic { code, message_key, severity, phase, message, labels, notes, helps, suggestions } =
        diagnostic;
    let severity = if severity == "error" { v1::Severity::Error } else { v1::Severity::Warning };
    v1::Diagnostic {
        code,
        message_key,
        severity: severity.into(),
        phase,
        message,
        labels: labels.into_iter().map(label).collect(),
        notes,
        helps,
        suggestions: suggestions.into_iter().map(suggestion).collect(),
    }
}

fn label(label: ResolvedLabel) -> v1::Label {
    let ResolvedLabel { primary, message, span } = label;
    v1::Label { primary, message, span: Some(file_span(span)) }
}

fn suggestion(suggestion: ResolvedSuggestion) -> v1::Suggestion {
    let ResolvedSuggestion { message, replacement, span, applicability, digest } = suggestion;
    let applicability = match applicability.as_str() {
        "machine-applicable" => v1::Applicability::MachineApplicable,
        "maybe-incorrect" => v1::Applicability::MaybeIncorrect,
        "has-placeholders" => v1::Applicability::HasPlaceholders,
        _ => v1::Applicability::Unspecified,
    };
    v1::Suggestion {
        message,
        replacement,
        span: Some(file_span(span)),
        applicability: applicability.into(),
        file_sha256: digest,
    }
}

fn file_span(span: FileSpan) -> v1::FileSpan {
    let FileSpan { file, start, end, source_lines } = span;
    v1::FileSpan { file, start: Some(position(start)), end: Some(position(end)), source_lines }
}

fn position(position: Position) -> v1::Position {
    let Position { line, column, byte, character } = position;
    v1::Position { line, column, byte, character }
}

/// A path on the wire. Every path of ours came from a request, and so is UTF-8 already.
fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_entry_needs_a_working_directory() {
        let options = |entry: &str, cwd: &str| {
            Some(v1::BuildOptions { entry: entry.into(), cwd: cwd.into(), ..Default::default() })
        };
        assert!(build_request(None, None).is_err());
        assert!(build_request(options("a.vit", ""), None).is_err());
        assert!(build_request(options("a.vit", "here"), None).is_err());
        assert!(build_request(options("a.vit", "/here"), None).is_ok());
        assert!(build_request(options("/here/a.vit", ""), None).is_ok_and(|r| r.cwd == Path::new("/here")));
    }
}
