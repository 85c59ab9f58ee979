//! Imports that nothing uses.
use std::collections::HashMap;

use super::{codes, lint, text_of};
use crate::base::{Applicability, Db, Diagnostic, Name, Place, SourceFile, Span};
use crate::lower::{ItemKind, item_tree};
use crate::syntax::lexer::lex;
use crate::syntax::token::{Token, TokenKind};
use crate::syntax::{ast, parse};
use crate::types::exports;
use crate::types::scope::{Import, ImportKind, imports, own_items};

/// A name counts as used if it stands anywhere else in the file, so that what is reported is unused for sure.
pub(super) fn unused(db: &dyn Db, file: SourceFile, found: &mut Vec<Diagnostic>) {
    let parsed = parse(db, file);
    if own_items(db, file).export_all || parsed.diagnostics.iter().any(Diagnostic::is_error) {
        // Everything is passed on; or what there is cannot be read.
        return;
    }
    let text = text_of(db, file);
    let tokens = lex(file, &text).tokens;
    let uses: Vec<(&ast::Use, Span)> = parsed
        .tree
        .items
        .iter()
        .filter_map(|item| match &item.kind {
            ast::ItemKind::Use(decl) => Some((decl, item.span)),
            _ => None,
        })
        .collect();
    let mut mentions: HashMap<&str, usize> = HashMap::new();
    let in_use =
        |token: &Token| uses.iter().any(|(_, span)| span.start <= token.start && token.end <= span.end);
    for token in tokens.iter().filter(|token| !in_use(token)) {
        *mentions.entry(&text[token.start as usize..token.end as usize]).or_default() += 1;
    }
    let is_used = |name: &Name| mentions.contains_key(name.as_str());
    let bindings = &imports(db, file).bindings;
    // The declarations and their bindings stand in the same order.
    let decls = item_tree(db, file).uses.iter().zip(&uses);
    for (lowered, (decl, span)) in decls {
        let own: Vec<&Import> = bindings.iter().filter(|import| import.decl == lowered.id).collect();
        let Some(module) = own.first().map(|import| import.module) else { continue };
        let whole = || Edit { span: line_of(&text, *span), text: &text };
        match &decl.kind {
            ast::UseKind::Group(names) => {
                let local = |(name, alias): &(ast::Ident, Option<ast::Ident>)| {
                    alias.as_ref().unwrap_or(name).name.clone()
                };
                let unused: Vec<_> = names.iter().filter(|pair| !is_used(&local(pair))).collect();
                if unused.is_empty() || (unused.len() == names.len() && brings_more(db, module)) {
                    continue;
                }
                if unused.len() == names.len() {
                    let list: Vec<String> = unused.iter().map(|pair| format!("`{}`", local(pair))).collect();
                    found.push(report(file, *span, &list.join(", "), whole()));
                    continue;
                }
                for pair in unused {
                    let at = pair.0.span.to(pair.1.as_ref().map_or(pair.0.span, |alias| alias.span));
                    let span = element(&tokens, at);
                    found.push(report(file, at, &format!("`{}`", local(pair)), Edit { span, text: &text }));
                }
            }
            ast::UseKind::Plain(_) => {
                let bound = match own.first().map(|import| &import.kind) {
                    Some(ImportKind::Qualifier(name) | ImportKind::Name { local: name, .. }) => name,
                    Some(ImportKind::Glob) | None => continue,
                };
                if !is_used(bound) && !brings_more(db, module) {
                    found.push(report(file, *span, &format!("`{bound}`"), whole()));
                }
            }
            ast::UseKind::Glob => {
                if !exports(db, module).keys().any(is_used) && !brings_more(db, module) {
                    found.push(report(file, *span, "all of its names", whole()));
                }
            }
        }
    }
}

/// Whether importing a module brings more than names: impls and operators, its own or passed on.
fn brings_more(db: &dyn Db, module: SourceFile) -> bool {
    let tree = item_tree(db, module);
    let passes_on = own_items(db, module).export_all && !tree.uses.is_empty();
    passes_on || tree.items.iter().any(|entry| entry.member || entry.id.kind(db) == ItemKind::Impl)
}

/// What is taken out.
#[derive(Clone, Copy)]
struct Edit<'t> {
    span: Span,
    text: &'t str,
}

fn report(file: SourceFile, span: Span, what: &str, edit: Edit<'_>) -> Diagnostic {
    debug_assert!(edit.span.end as usize <= edit.text.len(), "an edit stays inside of the text");
    lint(codes::UNUSED_IMPORT, file, span, format!("unused import: {what}"), "nothing here uses it")
        .note("the module is read and checked for nothing")
        .suggest(Place::File(file, edit.span), "", "remove it", Applicability::MachineApplicable)
}

/// A declaration with the end of its line, if nothing else stands on it.
fn line_of(text: &str, span: Span) -> Span {
    let before = text.get(..span.start as usize).unwrap_or_default();
    let after = text.get(span.end as usize..).unwrap_or_default();
    let blank = after.len() - after.trim_start_matches([' ', '\t', '\r']).len();
    let alone = before.is_empty() || before.ends_with('\n');
    match after[blank..].strip_prefix('\n') {
        Some(_) if alone => Span::new(span.start, span.end + blank as u32 + 1),
        Some(_) | None => span,
    }
}

/// An element of a list with the comma behind it, or else the one before.
fn element(tokens: &[Token], at: Span) -> Span {
    let first = tokens.partition_point(|token| token.start < at.start);
    let behind = tokens.partition_point(|token| token.start < at.end);
    let comma = |index: usize| tokens.get(index).filter(|token| token.kind == TokenKind::Comma);
    if comma(behind).is_some()
        && let Some(next) = tokens.get(behind + 1)
    {
        let end = if next.newline { tokens[behind].end } else { next.start };
        return Span::new(at.start, end);
    }
    match first.checked_sub(1).and_then(comma) {
        Some(before) => Span::new(before.start, at.end),
        None => at,
    }
}
