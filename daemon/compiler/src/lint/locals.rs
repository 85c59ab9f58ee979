//! `let mut` that nothing sets, and `set` of a plain `let`.
//!
//! The language takes `mut` as documentation (§6.1 of the reference); these two are for those who want
//! it to be true.
use std::collections::HashSet;

use super::{codes, lint, text_of};
use crate::base::{Applicability, Db, Diagnostic, Place, SourceFile, Span};
use crate::lower::{ItemId, item_source_map, item_tree};
use crate::mir::walk;
use crate::types::check_body;
use crate::types::program::local_procs;
use crate::types::thir::{Body, Expr, ExprKind, ForIter, LocalId};
use crate::types::ty::Ty;

pub(super) fn mutability(db: &dyn Db, file: SourceFile, found: &mut Vec<Diagnostic>) {
    let text = text_of(db, file);
    let mut items: Vec<ItemId> = item_tree(db, file).items.iter().map(|entry| entry.id).collect();
    while let Some(item) = items.pop() {
        let body = &check_body(db, item).body;
        if body.ok {
            let spans = item_source_map(db, item);
            for body in std::iter::once(body).chain(&body.lambdas) {
                let changes = Changes::of(body);
                for (index, local) in body.locals.iter().enumerate().skip(body.param_count) {
                    let id = LocalId(index as u32);
                    found.extend(judge(file, &text, spans.span(local.node), &changes, id));
                }
            }
        }
        items.extend(local_procs(db, item).iter().copied());
    }
}

fn judge(file: SourceFile, text: &str, name: Span, changes: &Changes, local: LocalId) -> Option<Diagnostic> {
    let before = text.get(..name.start as usize)?;
    let word = before.trim_end();
    let shown = text.get(name.start as usize..name.end as usize)?;
    let ends_with = |text: &str, end: &str| {
        text.strip_suffix(end).is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    if ends_with(word, "mut") && ends_with(word[..word.len() - 3].trim_end(), "let") {
        if changes.set.contains(&local) || changes.lent.contains(&local) {
            return None;
        }
        let span = Span::new(word.len() as u32 - 3, name.start);
        let diagnostic = lint(
            codes::NEEDLESS_MUT,
            file,
            name,
            format!("`{shown}` is `mut` and never changes"),
            "never set",
        );
        return Some(diagnostic.note("`mut` tells the reader that a local is set again").suggest(
            Place::File(file, span),
            "",
            "remove `mut`",
            Applicability::MachineApplicable,
        ));
    }
    if ends_with(word, "let") && changes.set.contains(&local) {
        let span = Span::new(name.start, name.start);
        let diagnostic = lint(
            codes::SET_WITHOUT_MUT,
            file,
            name,
            format!("`{shown}` is set again and not declared `mut`"),
            "declared without `mut`",
        );
        return Some(diagnostic.note("the language allows it; `let mut` tells the reader").suggest(
            Place::File(file, span),
            "mut ",
            "declare it `let mut`",
            Applicability::MachineApplicable,
        ));
    }
    None
}

/// The locals of a body that may change after their declaration.
#[derive(Default)]
struct Changes {
    /// By an assignment.
    set: HashSet<LocalId>,
    /// By somebody who got a `ref mut` of it, or shares it as a form argument.
    lent: HashSet<LocalId>,
}

impl Changes {
    fn of(body: &Body) -> Self {
        let mut changes = Self::default();
        let mut work: Vec<&Expr> = Vec::new();
        walk::block_children(&body.block, &mut |expr| work.push(expr));
        while let Some(expr) = work.pop() {
            match &expr.kind {
                ExprKind::Assign { place, .. } => changes.set.extend(walk::root(place)),
                ExprKind::Ref(true, place) => changes.lent.extend(walk::root(place)),
                ExprKind::Call { args, .. } => {
                    let shared = args.iter().filter(|arg| {
                        matches!(arg.value.ty, Ty::Ref(true, _) | Ty::Form(..) | Ty::Param(..))
                    });
                    changes.lent.extend(shared.filter_map(|arg| walk::root(&arg.value)));
                }
                ExprKind::For { iter: ForIter::Next { iter, .. }, .. } => {
                    changes.lent.extend(walk::root(iter))
                }
                _ => {} // nothing else changes a place
            }
            walk::children(expr, &mut |child| work.push(child));
        }
        changes
    }
}
