//! Diagnostics as values: what went wrong, where, why, and what to do.
//!
//! Queries return them with [`Place`]s that do not move when text above them changes; byte spans
//! are looked up last, when something is shown.
use std::sync::Arc;

use super::db::SourceFile;
use super::span::Span;
use crate::lower::{ItemId, NodeId};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Fails the build.
    Error,
    /// Fails the build unless the user switches the check off; the program has a meaning all the same.
    Deny,
    /// Suspicious; the build goes on.
    Warning,
    /// Off by default (`allow`); shown when the user asks for it.
    Lint,
}

/// Which stage speaks. The names are those of the `vitte.diagnostic` schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// `lexer`
    Lexer,
    /// `parser`
    Parser,
    /// `resolver`
    Resolver,
    /// `sema`
    Sema,
    /// `typeck`
    Typeck,
    /// `borrowck`
    Borrowck,
    /// `mir`
    Mir,
    /// `ir`
    Ir,
    /// `codegen`
    Codegen,
    /// `linker`
    Linker,
    /// `ice`
    Ice,
}

/// A registry code with its message key, such as `TYP0213` / `TYPECK_E_ASSIGN_MISMATCH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// `LEX0002` and so on.
    pub code: &'static str,
    /// The stable message key.
    pub key: &'static str,
}

/// A place that stays valid while text elsewhere changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A node of an item; its span is looked up in the item's source map.
    Node(ItemId, NodeId),
    /// A byte range of a file. Only the lexer, the parser and file-level errors use it.
    File(SourceFile, Span),
}

/// Whether a label marks the main place or explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelKind {
    /// The place itself.
    Primary,
    /// Another place that explains it.
    Secondary,
}

/// A marked place with a few words under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Main place or explanation.
    pub kind: LabelKind,
    /// Where.
    pub place: Place,
    /// What stands under the carets; may be empty.
    pub message: String,
}

/// How sure we are that a suggestion is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applicability {
    /// Safe to apply without looking.
    MachineApplicable,
    /// Probably right.
    MaybeIncorrect,
    /// Has blanks to fill in.
    HasPlaceholders,
    /// Unknown.
    Unspecified,
}

/// An edit that would mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What the edit does, in words.
    pub message: String,
    /// Which text is replaced. An empty place inserts.
    pub place: Place,
    /// By what.
    pub replacement: String,
    /// How sure we are.
    pub applicability: Applicability,
}

/// One message to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Code and key.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Who says it.
    pub phase: Phase,
    /// One sentence, lower case, names in backquotes, no period.
    pub message: String,
    /// The first is the primary one.
    pub labels: Vec<Label>,
    /// Facts that help to understand.
    pub notes: Vec<String>,
    /// What to do next.
    pub helps: Vec<String>,
    /// Edits.
    pub suggestions: Vec<Suggestion>,
}

/// A shared list of diagnostics, as queries return it.
pub type Diagnostics = Arc<[Diagnostic]>;

impl Diagnostic {
    /// An error at `place`; `label` stands under the carets.
    pub fn error(
        code: Code,
        phase: Phase,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            phase,
            message: message.into(),
            labels: vec![Label { kind: LabelKind::Primary, place, message: label.into() }],
            notes: Vec::new(),
            helps: Vec::new(),
            suggestions: Vec::new(),
        }
    }

    /// A warning at `place`.
    pub fn warning(
        code: Code,
        phase: Phase,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, phase, place, message, label) }
    }

    /// Adds a secondary label.
    #[must_use]
    pub fn label(mut self, place: Place, message: impl Into<String>) -> Self {
        self.labels.push(Label { kind: LabelKind::Secondary, place, message: message.into() });
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a help line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }

    /// Adds an edit.
    #[must_use]
    pub fn suggest(
        mut self,
        place: Place,
        replacement: impl Into<String>,
        message: impl Into<String>,
        applicability: Applicability,
    ) -> Self {
        self.suggestions.push(Suggestion {
            message: message.into(),
            place,
            replacement: replacement.into(),
            applicability,
        });
        self
    }

    /// Whether the program has no meaning because of it. Levels that the user sets come later.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Declares the codes of one stage: `codes! { UNKNOWN_TYPE = "TYP0249" "TYPECK_E_UNKNOWN_TYPE"; }`.
#[macro_export]
macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal $key:literal;)*) => {
        $($(#[$meta])* pub const $name: $crate::base::Code = $crate::base::Code { code: $code, key: $key };)*
    };
}
