//! Patterns (§10).
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::thir::{LocalId, Pat, PatKind};
use super::super::ty::Ty;
use super::names::{self, Entity};
use super::path::Meaning;
use super::{Checker, codes};
use crate::base::{Applicability, Name, Place};
use crate::lower::hir::{Ident, Literal, PatId, PatKind as Hir};
use crate::lower::{ItemId, ItemKind, NodeId};
use crate::types::{const_ty, form_data, is_static, pick_data};

impl<'a> Checker<'a> {
    /// The pattern of a `let` or `for`: a bare name always binds.
    pub(super) fn let_pattern(&mut self, id: PatId, ty: &Ty) -> Pat {
        let hir = self.hir_pat(id);
        match &hir.kind {
            Hir::Name { name, .. } => self.binding(name, ty, hir.node),
            _ => {
                let ty = self.matched(ty);
                self.pattern(id, &ty)
            }
        }
    }

    /// The type that a pattern sees: behind references.
    fn matched(&self, ty: &Ty) -> Ty {
        let mut ty = self.table.shallow(ty);
        while let Ty::Ref(_, inner) = ty {
            ty = self.table.shallow(&inner);
        }
        ty
    }

    /// A pattern against a type; declares its bindings in the innermost scope.
    pub(super) fn pattern(&mut self, id: PatId, ty: &Ty) -> Pat {
        super::deeper(|| self.pattern_inner(id, ty))
    }

    fn pattern_inner(&mut self, id: PatId, ty: &Ty) -> Pat {
        let hir = self.hir_pat(id);
        let node = hir.node;
        let seen = self.matched(ty);
        let pat = |kind| Pat { ty: seen.clone(), node, kind };
        match &hir.kind {
            Hir::Error => {
                self.broken = true;
                self.poisoned(node)
            }
            Hir::Wild => pat(PatKind::Wild),
            Hir::Name { name, binding: true } => self.binding(name, ty, node),
            Hir::Name { name, binding: false } => self.name_pattern(name, ty, &seen, node),
            Hir::Variant { path, args } => self.variant_pattern(path, args.as_deref(), &seen, node),
            Hir::Record { path, fields, rest } => self.record_pattern(path, fields, *rest, &seen, node),
            Hir::Literal { literal, negative } => self.literal_pattern(literal, *negative, &seen, node),
            Hir::Range { lo, hi, inclusive } => {
                self.range_pattern(lo.as_ref(), hi.as_ref(), *inclusive, &seen, node)
            }
            Hir::Or(alternatives) => self.or_pattern(alternatives, ty, &seen, node),
            Hir::Tuple(parts) => match &seen {
                Ty::Tuple(tys) if tys.len() == parts.len() => {
                    let fields = parts
                        .iter()
                        .zip(tys.iter())
                        .enumerate()
                        .map(|(index, (part, ty))| (index as u32, self.pattern(*part, ty)))
                        .collect();
                    pat(PatKind::Record(fields))
                }
                _ => {
                    let what = format!("a tuple of {} elements", parts.len());
                    self.wrong_pattern(parts.iter().copied(), &what, &seen, node)
                }
            },
            Hir::List(parts) => {
                let element = match &seen {
                    Ty::List(element) => element.as_ref().clone(),
                    _ => return self.wrong_pattern(parts.iter().copied(), "a list", &seen, node),
                };
                let parts = parts.iter().map(|part| self.pattern(*part, &element)).collect();
                pat(PatKind::List(parts))
            }
        }
    }

    /// A pattern that stands for one with a reported error.
    fn poisoned(&self, node: NodeId) -> Pat {
        Pat { ty: Ty::Error, node, kind: PatKind::Wild }
    }

    /// Reports a pattern of the wrong type, and binds its names so that they are known.
    fn wrong_pattern(
        &mut self,
        parts: impl Iterator<Item = PatId>,
        what: &str,
        ty: &Ty,
        node: NodeId,
    ) -> Pat {
        for part in parts {
            self.pattern(part, &Ty::Error);
        }
        match ty {
            Ty::Error | Ty::Never => {}
            _ => {
                let shown = self.show(ty);
                let diagnostic = self
                    .error(
                        codes::PATTERN,
                        node,
                        format!("this pattern matches {what}, but the value is `{shown}`"),
                        format!("cannot match `{shown}`"),
                    )
                    .note("a pattern has the type of what it matches")
                    .help("match another value, or write another pattern");
                self.report(diagnostic);
            }
        }
        self.poisoned(node)
    }

    /// A new local, or that of an earlier alternative.
    fn binding(&mut self, name: &Ident, ty: &Ty, node: NodeId) -> Pat {
        let ty = self.table.shallow(ty);
        if name.name == "_" {
            return Pat { ty: self.matched(&ty), node, kind: PatKind::Wild };
        }
        if let Some(known) = self.alternatives.as_ref().and_then(|known| known.get(&name.name)).copied() {
            let wanted = self.local(known).ty.clone();
            if !self.unify(&wanted, &ty) {
                let (a, b) = (self.show(&wanted), self.show(&ty));
                let first = self.local(known).node;
                let diagnostic = self
                    .error(
                        codes::ALTERNATIVE_BINDINGS,
                        node,
                        format!("`{}` is `{b}` in this alternative and `{a}` in another", name.name),
                        format!("bound as `{b}`"),
                    )
                    .label(self.place(first), format!("bound as `{a}` here"))
                    .note("every alternative binds the same names with the same types")
                    .help("write two arms");
                self.report(diagnostic);
            }
            return Pat { ty, node, kind: PatKind::Bind(known) };
        }
        let local = self.new_local(name, ty.clone());
        self.declare(name, local);
        Pat { ty, node, kind: PatKind::Bind(local) }
    }

    /// A bare name: a variant of the matched type, a const in scope, else a binding.
    fn name_pattern(&mut self, name: &Ident, ty: &Ty, seen: &Ty, node: NodeId) -> Pat {
        if let Ty::Pick(pick, _) = seen
            && let Some(index) = self.variant_index(*pick, &name.name)
        {
            return self.checked_variant(seen, *pick, index, name, None, node);
        }
        if let Some(Entity::Item(item)) = names::lookup(self.db, self.file, &name.name)
            && item.kind(self.db) == ItemKind::Const
            && !is_static(self.db, item)
            && self.names.find(&name.name).is_none()
        {
            let found = const_ty(self.db, item).clone();
            if *seen != Ty::Error && found != Ty::Error && !self.comparable(&found, seen) {
                let what = format!("the const `{}` of type `{}`", name.name, self.show(&found));
                return self.wrong_pattern(std::iter::empty(), &what, seen, node);
            }
            return Pat { ty: seen.clone(), node, kind: PatKind::Const(item) };
        }
        if name.name.starts_with(char::is_uppercase) && *seen != Ty::Error {
            self.looks_like_variant(name, seen);
        }
        self.binding(name, ty, node)
    }

    fn comparable(&mut self, a: &Ty, b: &Ty) -> bool {
        matches!((a, b), (Ty::Int(_), Ty::Int(_))) || self.unify(a, b)
    }

    fn looks_like_variant(&mut self, name: &Ident, seen: &Ty) {
        let shown = self.show(seen);
        let mut diagnostic = self
            .warning(
                codes::BINDING_LIKE_VARIANT,
                name.node,
                format!("`{}` is a new binding that matches everything", name.name),
                "looks like a variant, but binds",
            )
            .note(format!("`{shown}` has no variant of this name, so the name binds the value"));
        let known: Vec<Name> = match seen {
            Ty::Pick(pick, _) => pick_data(self.db, *pick).variants.iter().map(|v| v.name.clone()).collect(),
            _ => Vec::new(),
        };
        diagnostic = match crate::base::spelling::nearest(&name.name, known.iter().map(Name::as_str)) {
            Some(near) => diagnostic.suggest(
                self.place(name.node),
                near,
                format!("`{near}` is a variant with a similar name"),
                Applicability::MaybeIncorrect,
            ),
            None => diagnostic.help("start the name with a lower-case letter, or write `_`"),
        };
        self.report(diagnostic);
    }

    fn variant_pattern(
        &mut self,
        path: &'a [Ident],
        args: Option<&'a [(Option<Ident>, PatId)]>,
        seen: &Ty,
        node: NodeId,
    ) -> Pat {
        let parts = || args.unwrap_or_default().iter().map(|(_, pat)| *pat);
        let Some((name, before)) = path.split_last() else { return self.poisoned(node) };
        if matches!(seen, Ty::Error | Ty::Never) {
            self.broken |= *seen == Ty::Error;
            return self.wrong_pattern(parts(), "", seen, node);
        }
        if before.is_empty() {
            if let Ty::Pick(pick, _) = seen {
                if let Some(index) = self.variant_index(*pick, &name.name) {
                    return self.checked_variant(seen, *pick, index, name, args, node);
                }
                self.unknown_variant(*pick, name);
                return self.wrong_pattern(parts(), "", &Ty::Error, node);
            }
            let what = format!("the variant `{}`", name.name);
            return self.wrong_pattern(parts(), &what, seen, node);
        }
        let (first, middle) = (&before[0], &before[1..]);
        match self.qualified(first, middle, name) {
            Some(Meaning::Variant(Ty::Pick(pick, _), index)) => {
                if let Ty::Pick(seen_pick, _) = seen
                    && *seen_pick == pick
                {
                    return self.checked_variant(seen, pick, index, name, args, node);
                }
                let what = format!("the pick `{}`", pick.name(self.db));
                self.wrong_pattern(parts(), &what, seen, node)
            }
            Some(Meaning::Const(item)) if args.is_none() => {
                let found = const_ty(self.db, item).clone();
                if found != Ty::Error && !self.comparable(&found, seen) {
                    let what = format!("the const `{}` of type `{}`", name.name, self.show(&found));
                    return self.wrong_pattern(std::iter::empty(), &what, seen, node);
                }
                Pat { ty: seen.clone(), node, kind: PatKind::Const(item) }
            }
            Some(Meaning::Reported) => self.wrong_pattern(parts(), "", &Ty::Error, node),
            _ => {
                let diagnostic = self
                    .error(
                        codes::PATTERN,
                        node,
                        format!("`{}` is neither a variant nor a const", name.name),
                        "not a pattern",
                    )
                    .note("a qualified name in a pattern is a variant (`Type.Variant`) or a const (`module.NAME`)")
                    .help("compare in a guard: `x if x == ...`");
                self.report(diagnostic);
                self.wrong_pattern(parts(), "", &Ty::Error, node)
            }
        }
    }

    /// The meaning of a qualified name in a pattern.
    fn qualified(&mut self, first: &'a Ident, middle: &'a [Ident], name: &'a Ident) -> Option<Meaning> {
        let path = crate::lower::hir::ExprPath {
            segments: std::iter::once(first).chain(middle).chain(std::iter::once(name)).cloned().collect(),
            args: Vec::new(),
            args_at: 0,
        };
        Some(self.path_meaning(&path))
    }

    fn checked_variant(
        &mut self,
        seen: &Ty,
        pick: ItemId,
        index: u32,
        name: &Ident,
        args: Option<&[(Option<Ident>, PatId)]>,
        node: NodeId,
    ) -> Pat {
        let Ty::Pick(_, types) = seen else { return self.poisoned(node) };
        let data = pick_data(self.db, pick);
        let Some(variant) = data.variants.get(index as usize) else { return self.poisoned(node) };
        let written = args.unwrap_or_default();
        let labels: Vec<Option<&Name>> =
            written.iter().map(|(label, _)| label.as_ref().map(|l| &l.name)).collect();
        let Some(slots) = self.payload_slots(&labels, &variant.fields, written.len()) else {
            let count = variant.fields.len();
            let plural = if count == 1 { "" } else { "s" };
            let mut diagnostic = self
                .error(
                    codes::ARITY,
                    node,
                    format!(
                        "variant `{}` has {count} payload field{plural}, this pattern {}",
                        name.name,
                        written.len()
                    ),
                    "wrong payload",
                )
                .label(Place::Node(pick, NodeId::default()), "the pick is declared here")
                .note("a pattern names every payload field, in order or by name");
            let blanks = vec!["_"; count].join(", ");
            let fixed = if count == 0 { name.name.to_string() } else { format!("{}({blanks})", name.name) };
            diagnostic = if written.is_empty() && args.is_none() {
                diagnostic.suggest(
                    self.place(name.node),
                    fixed,
                    "ignore the payload",
                    Applicability::MachineApplicable,
                )
            } else {
                diagnostic.help(format!("write `{fixed}`"))
            };
            self.report(diagnostic);
            return self.wrong_pattern(written.iter().map(|(_, pat)| *pat), "", &Ty::Error, node);
        };
        let mut fields: Vec<(u32, Pat)> = slots
            .iter()
            .zip(written)
            .map(|(slot, (_, pat))| {
                let ty = variant.fields[*slot].1.subst(types);
                (*slot as u32, self.pattern(*pat, &ty))
            })
            .collect();
        fields.sort_by_key(|(slot, _)| *slot);
        Pat { ty: seen.clone(), node, kind: PatKind::Variant(index, fields) }
    }

    fn record_pattern(
        &mut self,
        path: &'a [Ident],
        fields: &'a [(Ident, PatId)],
        rest: bool,
        seen: &Ty,
        node: NodeId,
    ) -> Pat {
        let parts = || fields.iter().map(|(_, pat)| *pat);
        if *seen == Ty::Error {
            return self.wrong_pattern(parts(), "", seen, node);
        }
        let path = crate::lower::hir::ExprPath { segments: path.to_vec(), args: Vec::new(), args_at: 0 };
        let written = match self.path_meaning(&path) {
            Meaning::Type(item) => self.type_of_item(item, &[], Some(seen), node),
            Meaning::Ty(ty) => ty,
            Meaning::Reported => return self.wrong_pattern(parts(), "", &Ty::Error, node),
            _ => Ty::Unit,
        };
        let (Ty::Form(form, _), Ty::Form(seen_form, args)) = (&written, seen) else {
            let what = match &written {
                Ty::Form(form, _) => format!("the form `{}`", form.name(self.db)),
                _ => "a form".to_owned(),
            };
            return self.wrong_pattern(parts(), &what, seen, node);
        };
        if form != seen_form {
            let what = format!("the form `{}`", form.name(self.db));
            return self.wrong_pattern(parts(), &what, seen, node);
        }
        let data = form_data(self.db, *form);
        let mut given = BTreeSet::new();
        let mut out = Vec::new();
        for (name, pat) in fields {
            match data.fields.iter().position(|(field, _)| *field == name.name) {
                Some(slot) => {
                    if !given.insert(slot) {
                        let diagnostic = self
                            .error(
                                codes::DUPLICATE_FIELD,
                                name.node,
                                format!("field `{}` is matched twice", name.name),
                                "matched again here",
                            )
                            .note("each field has one pattern")
                            .help("remove one of the two");
                        self.report(diagnostic);
                    }
                    let ty = data.fields[slot].1.subst(args);
                    out.push((slot as u32, self.pattern(*pat, &ty)));
                }
                None => {
                    self.unknown_field(*form, name);
                    self.pattern(*pat, &Ty::Error);
                }
            }
        }
        let missing: Vec<&str> = data
            .fields
            .iter()
            .enumerate()
            .filter(|(slot, _)| !given.contains(slot))
            .map(|(_, (name, _))| name.as_str())
            .collect();
        if !rest && !missing.is_empty() {
            let diagnostic = self
                .error(
                    codes::MISSING_FIELD,
                    node,
                    format!("this pattern leaves out `{}`", missing.join("`, `")),
                    "fields are missing",
                )
                .label(Place::Node(*form, NodeId::default()), "the form is declared here")
                .note("a record pattern names every field or ends in `..`")
                .help("add `..` at its end");
            self.report(diagnostic);
        }
        Pat { ty: seen.clone(), node, kind: PatKind::Record(out) }
    }

    fn literal_pattern(&mut self, literal: &Literal, negative: bool, seen: &Ty, node: NodeId) -> Pat {
        let pat = |kind| Pat { ty: seen.clone(), node, kind };
        // A one-character string literal beside a char is that character.
        if let (Literal::Str(text), Ty::Char) = (literal, seen) {
            let mut chars = text.chars();
            if let (Some(c), None) = (chars.next(), chars.next()) {
                return pat(PatKind::Int(i128::from(u32::from(c))));
            }
        }
        let value = self.literal(literal, negative, node, Some(seen));
        if matches!(value.kind, super::super::thir::ExprKind::Variant { .. }) {
            return pat(PatKind::Variant(1, Vec::new()));
        }
        let before = self.table.snapshot();
        let fits = match (seen, &value.ty) {
            (Ty::Error | Ty::Never, _) | (_, Ty::Error) => return self.poisoned(node),
            (Ty::Int(_), Ty::Int(_)) => true,
            (seen, found) => self.table.unify(seen, found),
        };
        if !fits {
            self.table.rollback(before);
            let what = format!("`{}`", self.show(&value.ty));
            return self.wrong_pattern(std::iter::empty(), &what, seen, node);
        }
        match value.kind {
            super::super::thir::ExprKind::Int(value) => pat(PatKind::Int(value)),
            super::super::thir::ExprKind::Float(bits) => pat(PatKind::Float(bits)),
            super::super::thir::ExprKind::Str(text) => pat(PatKind::Str(Arc::clone(&text))),
            _ => {
                let diagnostic = self
                    .error(codes::UNSUPPORTED, node, "this literal cannot be a pattern", "not supported here")
                    .note("integers, floats, strings, chars and bools can be matched")
                    .help("bind the value and compare it in a guard");
                self.report(diagnostic);
                self.poisoned(node)
            }
        }
    }

    fn range_pattern(
        &mut self,
        lo: Option<&(Literal, bool)>,
        hi: Option<&(Literal, bool)>,
        inclusive: bool,
        seen: &Ty,
        node: NodeId,
    ) -> Pat {
        let mut bound = |bound: Option<&(Literal, bool)>| -> Result<Option<i128>, ()> {
            let Some((literal, negative)) = bound else { return Ok(None) };
            match self.literal_pattern(literal, *negative, seen, node).kind {
                PatKind::Int(value) => Ok(Some(value)),
                _ => Err(()),
            }
        };
        let (lo, hi) = (bound(lo), bound(hi));
        let (Ok(lo), Ok(hi)) = (lo, hi) else {
            self.broken = true;
            return self.poisoned(node);
        };
        if !matches!(seen, Ty::Int(_) | Ty::Char) {
            return self.wrong_pattern(std::iter::empty(), "integers or chars", seen, node);
        }
        let hi = match hi {
            Some(hi) if !inclusive => Some(hi.saturating_sub(1)),
            hi => hi,
        };
        if let (Some(lo), Some(hi)) = (lo, hi)
            && lo > hi
        {
            let diagnostic = self
                .warning(codes::UNREACHABLE_ARM, node, "this range is empty", "matches nothing")
                .note("a range runs from the smaller to the larger bound")
                .help("swap the bounds");
            self.report(diagnostic);
        }
        Pat { ty: seen.clone(), node, kind: PatKind::Range(lo, hi) }
    }

    fn or_pattern(&mut self, alternatives: &[PatId], ty: &Ty, seen: &Ty, node: NodeId) -> Pat {
        let Some((first, rest)) = alternatives.split_first() else { return self.poisoned(node) };
        let outer = self.alternatives.take();
        let start = self.locals.len();
        self.alternatives = outer.clone();
        let mut pats = vec![self.pattern(*first, ty)];
        let mut bound: HashMap<Name, LocalId> = outer.clone().unwrap_or_default();
        for (offset, local) in self.locals[start..].iter().enumerate() {
            if local.name != "_" {
                bound.insert(local.name.clone(), LocalId((start + offset) as u32));
            }
        }
        let wanted = bindings(&pats[0]);
        for alternative in rest {
            self.alternatives = Some(bound.clone());
            let pat = self.pattern(*alternative, ty);
            let found = bindings(&pat);
            if found != wanted && !super::super::exhaustive::is_poisoned(&pat) {
                let differing = wanted.symmetric_difference(&found).next().copied();
                let name = differing
                    .and_then(|local| self.locals.get(local.0 as usize))
                    .map_or_else(|| "?".to_owned(), |local| local.name.to_string());
                let diagnostic = self
                    .error(
                        codes::ALTERNATIVE_BINDINGS,
                        pat.node,
                        format!("`{name}` is not bound in every alternative"),
                        "binds other names",
                    )
                    .label(self.place(pats[0].node), "than this alternative")
                    .note("every alternative binds the same names, so that the arm can use them")
                    .help("write `_` for what the arm does not use, or write two arms");
                self.report(diagnostic);
            }
            pats.push(pat);
        }
        self.alternatives = outer;
        Pat { ty: seen.clone(), node, kind: PatKind::Or(pats) }
    }
}

/// The locals that a pattern binds.
fn bindings(pat: &Pat) -> BTreeSet<LocalId> {
    let mut out = BTreeSet::new();
    let mut queue = vec![pat];
    while let Some(pat) = queue.pop() {
        match &pat.kind {
            PatKind::Bind(local) => {
                out.insert(*local);
            }
            PatKind::Variant(_, fields) | PatKind::Record(fields) => {
                queue.extend(fields.iter().map(|(_, pat)| pat));
            }
            // Every alternative binds the same.
            PatKind::Or(many) => queue.extend(many.first()),
            PatKind::List(many) => queue.extend(many),
            PatKind::Wild
            | PatKind::Int(_)
            | PatKind::Float(_)
            | PatKind::Str(_)
            | PatKind::Const(_)
            | PatKind::Range(..) => {}
        }
    }
    out
}
