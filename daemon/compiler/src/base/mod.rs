//! What every stage shares: source files, spans, names, diagnostics and the database trait.
mod content; // values by what they are made from
#[allow(missing_docs)] // salsa writes constructors and setters without docs
pub mod db;
pub mod diagnostic;
mod machine; // processors with systems
pub mod span;
pub mod spelling; // which name was meant
pub mod testing; // an in-memory database

pub use content::ContentCache;
pub use db::{Db, FileContents, OptLevel, Options, Program, SourceFile, SourcePath, SourceRoot};
pub use diagnostic::{Applicability, Code, Diagnostic, Label, LabelKind, Phase, Place, Severity, Suggestion};
pub use machine::{Machine, Processor, System};
pub use span::{LineIndex, Span};

/// An identifier, NFC-normalised. Cheap to clone; short names are stored inline.
pub type Name = smol_str::SmolStr;
