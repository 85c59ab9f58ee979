//! Form literals.
use super::super::thir::{Expr, ExprKind};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::path::Meaning;
use super::{Checker, Expect, codes, default_field, expr};
use crate::base::Place;
use crate::lower::hir::{ExprId, ExprPath, Ident};
use crate::lower::{ItemId, NodeId};
use crate::types::form_data;

impl Checker<'_> {
    pub(super) fn record(
        &mut self,
        node: NodeId,
        path: Option<&ExprPath>,
        fields: &[(Ident, ExprId)],
        base: Option<ExprId>,
        expect: &Expect<'_>,
    ) -> Expr {
        let ty = match path {
            Some(path) => self.record_type(path, expect),
            None => self.expected_form(node, expect),
        };
        let Ty::Form(form, args) = &ty else {
            for (_, value) in fields {
                self.infer(*value, &Expect::Value);
            }
            if let Some(base) = base {
                self.infer(base, &Expect::Value);
            }
            return self.poison(node);
        };
        let data = form_data(self.db, *form);
        let mut given: Vec<Option<NodeId>> = vec![None; data.fields.len()];
        let mut slots: Vec<Option<usize>> = Vec::with_capacity(fields.len());
        for (name, _) in fields {
            let slot = data.fields.iter().position(|(field, _)| *field == name.name);
            match slot {
                None => self.unknown_field(*form, name),
                Some(slot) => {
                    if let Some(before) = given[slot] {
                        let diagnostic = self
                            .error(
                                codes::DUPLICATE_FIELD,
                                name.node,
                                format!("field `{}` is given twice", name.name),
                                "given again here",
                            )
                            .label(self.place(before), "first given here")
                            .note("each field takes one value")
                            .help("remove one of the two");
                        self.report(diagnostic);
                    } else {
                        given[slot] = Some(name.node);
                    }
                }
            }
            slots.push(slot);
        }
        // Literals last: they take the type that the other fields give to a type parameter.
        let mut values: Vec<Option<Expr>> = fields.iter().map(|_| None).collect();
        for literals in [false, true] {
            for (index, (name, id)) in fields.iter().enumerate() {
                if self.is_flexible(*id) != literals {
                    continue;
                }
                let value = match slots[index] {
                    Some(slot) => {
                        let field_ty = data.fields[slot].1.subst(args);
                        let reason = Reason::Field { form: *form, field: name.name.clone() };
                        self.check(*id, &field_ty, &reason)
                    }
                    None => self.infer(*id, &Expect::Value),
                };
                values[index] = Some(value);
            }
        }
        let base = base.map(|base| {
            let base_node = self.hir_expr(base).node;
            Box::new(self.check(base, &ty, &Reason::Declared { node: base_node }))
        });
        // Without another record to take them from, fields that are left out have their default values.
        let mut defaults = Vec::new();
        let mut missing: Vec<&str> = Vec::new();
        if base.is_none() {
            for (index, ((name, _), given)) in data.fields.iter().zip(&given).enumerate() {
                if given.is_some() {
                    continue;
                }
                match default_field(self.db, *form, index as u32) {
                    Some(checked) => defaults.push((index as u32, self.adopt(node, checked, args))),
                    None => missing.push(name.as_str()),
                }
            }
        }
        if base.is_none() && !missing.is_empty() {
            self.missing_fields(node, path, *form, &missing);
        }
        let written = slots.into_iter().zip(values);
        let mut fields: Vec<(u32, Expr)> =
            written.filter_map(|(slot, value)| Some((slot? as u32, value?))).collect();
        fields.extend(defaults);
        self.form_bounds(*form, args, node);
        expr(ty, node, ExprKind::Record { fields, base })
    }

    fn missing_fields(&mut self, node: NodeId, path: Option<&ExprPath>, form: ItemId, missing: &[&str]) {
        let name = form.name(self.db).clone();
        let at = path.and_then(|path| path.segments.last()).map_or(node, |name| name.node);
        let plural = if missing.len() == 1 { "" } else { "s" };
        let listed = format!("`{}`", missing.join("`, `"));
        let diagnostic = self
            .error(
                codes::MISSING_FIELD,
                at,
                format!("missing field{plural} {listed} of `{name}`"),
                format!("{listed} not given"),
            )
            .label(Place::Node(form, NodeId::default()), "the form is declared here")
            .note("a form is built with a value for every field")
            .help(format!("add `{}: ...`, or take the rest from another value with `..other`", missing[0]));
        self.report(diagnostic);
    }

    /// Reports a field that a form does not have.
    pub(super) fn unknown_field(&mut self, form: ItemId, name: &Ident) {
        let data = form_data(self.db, form);
        let owner = form.name(self.db).clone();
        let known: Vec<&str> = data.fields.iter().map(|(name, _)| name.as_str()).collect();
        let mut diagnostic = self
            .error(
                codes::UNKNOWN_FIELD,
                name.node,
                format!("`{owner}` has no field `{}`", name.name),
                "no such field",
            )
            .label(Place::Node(form, NodeId::default()), "the form is declared here");
        diagnostic = if known.is_empty() {
            diagnostic.note("it has no fields")
        } else {
            let listed: Vec<String> = known.iter().take(8).map(|name| format!("`{name}`")).collect();
            let more = if known.len() > 8 { ", …" } else { "" };
            diagnostic.note(format!("its fields are {}{more}", listed.join(", ")))
        };
        diagnostic = match crate::base::spelling::meant(&name.name, known.iter().copied()) {
            Some((near, sure)) => {
                diagnostic.suggest(self.place(name.node), near, format!("`{near}` has a similar name"), sure)
            }
            None => diagnostic.help(format!("remove it, or declare `{}` in the form", name.name)),
        };
        self.report(diagnostic);
    }

    fn expected_form(&mut self, node: NodeId, expect: &Expect<'_>) -> Ty {
        let mut expected = expect.ty().map(|ty| self.table.shallow(ty));
        while let Some(Ty::Ref(_, inner)) = &expected {
            expected = Some(self.table.shallow(inner));
        }
        match expected {
            Some(ty @ (Ty::Form(..) | Ty::Error)) => ty,
            other => {
                let mut diagnostic = self.error(
                    codes::INFERENCE,
                    node,
                    "the form of this record is not known",
                    "a record of what form?",
                );
                diagnostic = match other {
                    Some(ty) => {
                        diagnostic.note(format!("`{}` is expected here, which is no form", self.show(&ty)))
                    }
                    None => diagnostic.note("`{ ... }` without a name needs a context that expects a form"),
                };
                let diagnostic = diagnostic.help("write the form's name before the brace: `Name { ... }`");
                self.report(diagnostic);
                Ty::Error
            }
        }
    }

    fn record_type(&mut self, path: &ExprPath, expect: &Expect<'_>) -> Ty {
        let Some(last) = path.segments.last() else { return Ty::Error };
        match self.path_meaning(path) {
            Meaning::Type(item) => {
                let ty = self.type_of_item(item, &path.args, expect.ty(), last.node);
                if !matches!(ty, Ty::Form(..) | Ty::Error) {
                    let shown = self.show(&ty);
                    let diagnostic = self
                        .error(
                            codes::NOT_A_VALUE,
                            last.node,
                            format!("`{shown}` is not a form"),
                            "only forms are built with fields",
                        )
                        .label(Place::Node(item, NodeId::default()), "declared here")
                        .note("picks are built by variant, other types by literal")
                        .help(format!("write `{shown}.Variant(...)` for a pick"));
                    self.report(diagnostic);
                    return Ty::Error;
                }
                ty
            }
            Meaning::Ty(ty @ (Ty::Form(..) | Ty::Error)) => ty,
            Meaning::Reported => Ty::Error,
            _ => {
                let diagnostic = self
                    .error(
                        codes::NOT_A_VALUE,
                        last.node,
                        format!("`{}` is not a form", last.name),
                        "only forms are built with fields",
                    )
                    .note("a record literal starts with the name of a form")
                    .help("check the name, or put the block on a statement of its own");
                self.report(diagnostic);
                Ty::Error
            }
        }
    }
}
