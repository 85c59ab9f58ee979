//! Diagnostics for people and for programs. Every format renders the same wire values.
pub mod human;
pub mod layout;
pub mod machine;
pub mod style;

use vitte_proto::v1::{Diagnostic, FileSpan, Severity};

/// How diagnostics are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// With source lines, for people
    #[default]
    Human,
    /// One line each: `file:line:column: error[CODE]: message`
    Short,
    /// One JSON object each, schema `vitte.diagnostic`
    Json,
    /// One `textDocument/publishDiagnostics` parameter object per file
    Lsp,
    /// One SARIF 2.1.0 log
    Sarif,
    /// One object with an array, for older editors
    #[value(skip)]
    Legacy,
}

impl Format {
    /// Whether a program reads it.
    pub fn is_for_programs(self) -> bool {
        match self {
            Self::Human | Self::Short => false,
            Self::Json | Self::Lsp | Self::Sarif | Self::Legacy => true,
        }
    }
}

/// Whether a diagnostic fails the build.
pub fn is_error(diagnostic: &Diagnostic) -> bool {
    match diagnostic.severity() {
        Severity::Error => true,
        Severity::Warning | Severity::Unspecified => false,
    }
}

/// The word for its severity.
pub fn severity(diagnostic: &Diagnostic) -> &'static str {
    if is_error(diagnostic) { "error" } else { "warning" }
}

/// The primary place.
pub fn primary_span(diagnostic: &Diagnostic) -> Option<&FileSpan> {
    let label = diagnostic.labels.iter().find(|label| label.primary).or(diagnostic.labels.first());
    label.and_then(|label| label.span.as_ref())
}

/// `file:line:column` of a span's start.
pub fn place(span: &FileSpan) -> String {
    let start = span.start.unwrap_or_default();
    format!("{}:{}:{}", span.file, start.line, start.column)
}

/// The one-line format.
pub fn short(diagnostic: &Diagnostic) -> String {
    let (severity, code, message) = (severity(diagnostic), &diagnostic.code, &diagnostic.message);
    match primary_span(diagnostic) {
        Some(span) => format!("{}: {severity}[{code}]: {message}", place(span)),
        None => format!("{severity}[{code}]: {message}"),
    }
}
