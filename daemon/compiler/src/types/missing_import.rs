//! The `use` that is missing where an unknown name is one of the standard library.
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::scope::own_items;
use crate::base::{Applicability, Db, Diagnostic, FileContents, Name, Place, SourceFile, SourcePath, Span};
use crate::runtime::{CORE_ROOT, FILES, LIBRARY};
use crate::syntax::{ast, parse};

/// The modules of the standard library that declare and export each name, in order of path.
#[salsa::tracked(returns(ref))]
fn library_names(db: &dyn Db) -> Arc<BTreeMap<Name, Vec<String>>> {
    let prefix = format!("{}/", LIBRARY.join("/"));
    let mut names: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for (path, _) in FILES.iter().filter(|(path, _)| path.starts_with(&prefix)) {
        let module = db.file(&SourcePath { root: CORE_ROOT.into(), path: (*path).into() });
        let own = own_items(db, module);
        for name in own.items.keys().filter(|name| own.export_all || own.exports.contains_key(*name)) {
            names.entry(name.clone()).or_default().push(path.trim_end_matches(".vit").to_owned());
        }
    }
    for modules in names.values_mut() {
        modules.sort();
    }
    Arc::new(names)
}

/// Adds the suggestion to import `name` if the standard library has it; else gives the diagnostic back as it was.
pub(super) fn suggested(
    db: &dyn Db,
    file: SourceFile,
    name: &str,
    diagnostic: Diagnostic,
) -> ControlFlow<Diagnostic, Diagnostic> {
    let names = library_names(db);
    let (Some([module, others @ ..]), Some((at, before, after))) =
        (names.get(name).map(Vec::as_slice), place(db, file))
    else {
        return ControlFlow::Continue(diagnostic);
    };
    let sure =
        if others.is_empty() { Applicability::MachineApplicable } else { Applicability::MaybeIncorrect };
    let mut diagnostic = diagnostic.suggest(
        Place::File(file, Span::new(at, at)),
        format!("{before}use {module}.{{{name}}}{after}"),
        format!("import it from `{module}`"),
        sure,
    );
    if !others.is_empty() {
        diagnostic = diagnostic.note(format!("`{}` has one of this name too", others.join("`, `")));
    }
    ControlFlow::Break(diagnostic)
}

/// Where one more `use` goes: behind the last one, else behind the `space`, else at the top; and what stands around it.
fn place(db: &dyn Db, file: SourceFile) -> Option<(u32, &'static str, &'static str)> {
    let FileContents::Text(text) = file.contents(db) else { return None };
    let parsed = parse(db, file);
    let mut uses = parsed.tree.items.iter().filter(|item| matches!(item.kind, ast::ItemKind::Use(_)));
    let end_of_line = |from: u32| {
        let rest = text.get(from as usize..)?;
        Some(from + rest.find('\n').unwrap_or(rest.len()) as u32)
    };
    if let Some(last) = uses.next_back() {
        return Some((end_of_line(last.span.end.saturating_sub(1))?, "\n", ""));
    }
    match &parsed.tree.space {
        Some(space) => Some((end_of_line(space.span.end)?, "\n\n", "")),
        None => Some((if text.starts_with('\u{feff}') { 3 } else { 0 }, "", "\n")),
    }
}
