//! Conditions that are literals, and `space` lines that name another file.
use super::{codes, lint, text_of};
use crate::base::{Db, Diagnostic, SourceFile};
use crate::lower::hir::{ExprKind, ItemHir, Literal, ProcHir};
use crate::lower::{ItemId, item_hir, item_source_map, item_tree};
use crate::syntax::parse;
use crate::types::program::local_procs;

pub(super) fn conditions(db: &dyn Db, file: SourceFile, found: &mut Vec<Diagnostic>) {
    let text = text_of(db, file);
    let mut items: Vec<ItemId> = item_tree(db, file).items.iter().map(|entry| entry.id).collect();
    while let Some(item) = items.pop() {
        items.extend(local_procs(db, item).iter().copied());
        let hir = item_hir(db, item);
        let ItemHir::Proc(ProcHir { body: Some(body), .. }) = &**hir else { continue };
        for expr in &body.exprs {
            let (cond, other) = match &expr.kind {
                ExprKind::If { cond, other, .. } => (*cond, other.is_some()),
                ExprKind::While(cond, _) => (*cond, false),
                _ => continue,
            };
            let Some(cond) = body.exprs.get(cond.0 as usize) else { continue };
            let ExprKind::Literal(Literal::Bool(value)) = cond.kind else { continue };
            let span = item_source_map(db, item).span(cond.node);
            // What the compiler made of other statements is written otherwise.
            let written = text.get(span.start as usize..span.end as usize).unwrap_or_default();
            if written != if value { "true" } else { "false" } || (value && !other) {
                continue;
            }
            let what = if value { "the `else` never runs" } else { "this block never runs" };
            found.push(
                lint(codes::CONSTANT_CONDITION, file, span, what, "always the same")
                    .note("both branches are checked, and only one is ever taken")
                    .help("remove the code, or decide by something that can change"),
            );
        }
    }
}

/// `space a/b` where the file is neither `a/b`, nor `a/b/mod` or `a/b/index`, from any folder on.
pub(super) fn space(db: &dyn Db, file: SourceFile, found: &mut Vec<Diagnostic>) {
    let parsed = parse(db, file);
    let Some(space) = &parsed.tree.space else { return };
    let written: Vec<&str> = space.path.iter().map(|segment| segment.name.as_str()).collect();
    let path = file.path(db);
    let path =
        path.path.strip_suffix(".vit").or_else(|| path.path.strip_suffix(".vitl")).unwrap_or(&path.path);
    let segments: Vec<&str> = path.split('/').collect();
    let ends = |segments: &[&str]| {
        let n = segments.len().min(written.len());
        n > 0 && segments[segments.len() - n..] == written[written.len() - n..]
    };
    let folder = match segments.as_slice() {
        [folder @ .., "mod" | "index"] => folder,
        _ => &[],
    };
    if written.is_empty() || ends(&segments) || ends(folder) {
        return;
    }
    found.push(
        lint(
            codes::SPACE_MISMATCH,
            file,
            space.span,
            format!("this file is `{path}`, and its `space` is `{}`", written.join("/")),
            "names another file",
        )
        .note("a module is found by its file; the `space` is what messages and symbols call it")
        .help("name the module after its file, or move the file"),
    );
}
