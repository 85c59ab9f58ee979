//! Lints that nothing else needs to know, and the levels that a source text sets for any lint.
//!
//! Most of what can be allowed or denied is found on the way by the stage that knows it. What is found
//! here would cost every check something and is off by default, so it is looked for only where a
//! setting or an attribute asks for it: [`file_lints`].
pub(crate) mod codes;
mod imports; // `use` without use
pub mod levels; // `#[allow(..)]`, `#![deny(..)]`
mod locals; // `mut` without `set` and the reverse
mod shape; // conditions that are literals, `space` lines

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use levels::{Level, Levels};

use crate::base::diagnostic::Diagnostics;
use crate::base::{Code, Db, Diagnostic, Phase, Place, Severity, SourceFile, Span};
use crate::explain;

/// The lints that [`file_lints`] looks for.
pub const ON_DEMAND: [Code; 5] = [
    codes::UNUSED_IMPORT,
    codes::NEEDLESS_MUT,
    codes::SET_WITHOUT_MUT,
    codes::CONSTANT_CONDITION,
    codes::SPACE_MISMATCH,
];

/// All lints that are off by default, together.
pub const GROUP: &str = "lints";
/// All warnings, together.
pub const WARNINGS: &str = "warnings";

/// Whether a setting called `name` switches something in [`ON_DEMAND`].
pub fn is_on_demand(name: &str) -> bool {
    name == GROUP || ON_DEMAND.iter().any(|code| explain::is_called(*code, name))
}

/// Whether there is something to set that is called `name`: a lint by any spelling, or a group.
pub fn is_known(name: &str) -> bool {
    name == GROUP || name == WARNINGS || explain::find(name).is_some()
}

/// The nearest name to one that [`is_known`] denies, as it would be written.
pub fn similar(name: &str) -> Option<String> {
    let mut names: Vec<String> = explain::all()
        .filter(|entry| entry.key.contains("_W_") || entry.key.contains("_L_"))
        .map(|entry| explain::lint_name(entry.key))
        .collect();
    names.extend([GROUP.to_owned(), WARNINGS.to_owned(), "use_after_move".to_owned()]);
    let codes = explain::all().map(|entry| entry.code.to_owned());
    let looks_like_code = name.ends_with(|c: char| c.is_ascii_digit());
    let candidates: Vec<String> = if looks_like_code { codes.collect() } else { names };
    let wanted = name.replace('-', "_");
    crate::base::spelling::nearest(&wanted, candidates.iter().map(String::as_str)).map(str::to_owned)
}

/// All that [`ON_DEMAND`] finds in a module, off by default.
#[salsa::tracked(returns(ref))]
pub fn file_lints(db: &dyn Db, file: SourceFile) -> Diagnostics {
    let mut found = Vec::new();
    imports::unused(db, file, &mut found);
    locals::mutability(db, file, &mut found);
    shape::conditions(db, file, &mut found);
    shape::space(db, file, &mut found);
    found.into()
}

/// Those of [`file_lints`] that the text itself asks for by an attribute.
pub fn asked_for(db: &dyn Db, file: SourceFile) -> Vec<Diagnostic> {
    if !levels::levels(db, file).switches_on_demand() {
        return Vec::new();
    }
    file_lints(db, file).to_vec()
}

fn lint(
    code: Code,
    file: SourceFile,
    span: Span,
    message: impl Into<String>,
    label: impl Into<String>,
) -> Diagnostic {
    let place = Place::File(file, span);
    Diagnostic { severity: Severity::Lint, ..Diagnostic::warning(code, Phase::Sema, place, message, label) }
}

/// The text of a module; empty where there is none.
fn text_of(db: &dyn Db, file: SourceFile) -> Arc<str> {
    match file.contents(db) {
        crate::base::FileContents::Text(text) => text,
        crate::base::FileContents::Missing
        | crate::base::FileContents::Folder
        | crate::base::FileContents::NotUtf8(_)
        | crate::base::FileContents::Unreadable(_) => "".into(),
    }
}
