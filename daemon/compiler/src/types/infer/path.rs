//! Names, qualified names and fields.
use std::sync::Arc;

use super::super::thir::{Expr, ExprKind, LocalId};
use super::super::ty::Ty;
use super::names::{self, Bound, Entity};
use super::unify::Origin;
use super::{Checker, Expect, builtin, check_body, codes, expr};
use crate::base::{Applicability, Name, Place, SourceFile};
use crate::lower::hir::{self, ExprId, ExprKind as Hir, Ident, TypeRef};
use crate::lower::{ItemId, ItemKind, NodeId};
use crate::types::scope::missing_export;
use crate::types::typeref::{const_parameter, default_argument, kind_mismatch, wrong_kind};
use crate::types::{
    Intrinsic, const_ty, form_data, is_made_where_used, is_static, pick_data, proc_data, variants_in_scope,
};

/// What a (qualified) name means.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    /// A local.
    Local(LocalId),
    /// A proc.
    Proc(ItemId),
    /// A const.
    Const(ItemId),
    /// A form, pick or alias; the resolved type, with its parameters open, if arguments were written.
    Type(ItemId),
    /// A module.
    Module(SourceFile),
    /// A type that has no item of its own: `Self`, a type parameter, a built-in type.
    Ty(Ty),
    /// A member of a trait or impl, with the type arguments of that if they are known.
    Member(ItemId, Option<Vec<Ty>>),
    /// A variant; the type says of which pick.
    Variant(Ty, u32),
    /// A constant parameter: which, and its type.
    Parameter(u32, Ty),
    /// A built-in name.
    Builtin(&'static str),
    /// An error that was reported.
    Reported,
}

/// A name with what was written around it.
#[derive(Clone, Debug)]
pub(super) struct Named<'a> {
    pub(super) meaning: Meaning,
    /// The last segment.
    pub(super) name: &'a Ident,
    /// Type arguments, wherever they stood.
    pub(super) args: &'a [TypeRef],
}

impl<'a> Checker<'a> {
    /// What a path expression or a chain of fields names, if it names anything but a field of a value.
    ///
    /// `None`: an ordinary expression, or a field of one.
    pub(super) fn named(&mut self, id: ExprId, expected: Option<&Ty>) -> Option<Named<'a>> {
        let node = self.hir_expr(id);
        match &node.kind {
            Hir::Path(path) => {
                let [first, rest @ ..] = path.segments.as_slice() else { return None };
                let mut meaning = self.first_name(first, expected, !rest.is_empty());
                let mut last = first;
                for (index, segment) in rest.iter().enumerate() {
                    // `Type<int>::Variant` gives the type its arguments.
                    let args = if path.args_at == index { path.args.as_slice() } else { &[] };
                    meaning = self.member_name(&meaning, last, segment, args, expected)?;
                    last = segment;
                }
                let own = !matches!(meaning, Meaning::Member(..)) || path.args_at + 1 == path.segments.len();
                Some(Named { meaning, name: last, args: if own { &path.args } else { &[] } })
            }
            Hir::Field { base, name, args } => {
                // Only a chain of names can be a qualified name.
                if !matches!(self.hir_expr(*base).kind, Hir::Path(_) | Hir::Field { .. })
                    || !self.is_qualifier(*base)
                {
                    return None;
                }
                let base = self.qualifier(*base)?;
                let meaning = self.member_name(&base.meaning, base.name, name, base.args, expected)?;
                let args = match &meaning {
                    Meaning::Member(..) => args.as_slice(),
                    _ if args.is_empty() => base.args,
                    _ => args.as_slice(),
                };
                Some(Named { meaning, name, args })
            }
            _ => None,
        }
    }

    /// What the path of a record literal means: a type, or whatever was written there.
    pub(super) fn path_meaning(&mut self, path: &hir::ExprPath) -> Meaning {
        let [first, rest @ ..] = path.segments.as_slice() else { return Meaning::Reported };
        let mut meaning = self.first_name(first, None, !rest.is_empty());
        let mut last = first;
        for segment in rest {
            match self.member_name(&meaning, last, segment, &[], None) {
                Some(next) => meaning = next,
                None => return Meaning::Builtin("record"),
            }
            last = segment;
        }
        meaning
    }

    /// The left side of a dot that is known to start with a module or type.
    fn qualifier(&mut self, id: ExprId) -> Option<Named<'a>> {
        match &self.hir_expr(id).kind {
            Hir::Path(path) if path.segments.len() == 1 => {
                let name = path.segments.first()?;
                let meaning = self.first_name(name, None, true);
                Some(Named { meaning, name, args: &path.args })
            }
            _ => self.named(id, None),
        }
    }

    /// Whether a chain of names starts with a module or type, so that a member of it is a qualified name.
    fn is_qualifier(&self, id: ExprId) -> bool {
        let mut id = id;
        loop {
            match &self.hir_expr(id).kind {
                Hir::Field { base, .. } => id = *base,
                Hir::Path(path) => {
                    let Some(first) = path.segments.first() else { return false };
                    if self.names.find(&first.name).is_some() {
                        return false;
                    }
                    return match names::lookup_qualifier(self.db, self.file, &first.name) {
                        Some(Entity::Module(_) | Entity::Reported) => true,
                        Some(Entity::Item(item)) => {
                            matches!(
                                item.kind(self.db),
                                ItemKind::Form | ItemKind::Pick | ItemKind::Alias | ItemKind::Trait
                            )
                        }
                        Some(Entity::Ambiguous(_)) => true,
                        None => self.type_named(&first.name).is_some(),
                    };
                }
                _ => return false,
            }
        }
    }

    /// Whether a bare name is a local or an item: then its meaning does not depend on what is expected.
    pub(super) fn is_bound(&self, name: &Name) -> bool {
        self.names.find(name).is_some() || names::lookup(self.db, self.file, name).is_some()
    }

    /// A bare name, in the order of §4.3: locals, items, variants of the expected pick, variants of any pick
    /// in scope, built-in names.
    fn first_name(&mut self, name: &Ident, expected: Option<&Ty>, qualifies: bool) -> Meaning {
        match self.names.find(&name.name) {
            Some((Bound::Local(local), _)) => return Meaning::Local(local),
            Some((Bound::Proc(item), _)) => return Meaning::Proc(item),
            None => {}
        }
        if let Some(item) = names::enclosing_proc(self.db, self.item, &name.name) {
            return Meaning::Proc(item);
        }
        if name.name == "Self"
            && let Some(ty) = self.type_named(&name.name)
        {
            return Meaning::Ty(ty);
        }
        if let Some(index) = self.generics.iter().position(|generic| *generic == name.name)
            && let Some(ty) = const_parameter(self.db, self.item, &name.name)
        {
            return Meaning::Parameter(index as u32, ty);
        }
        let found = if qualifies {
            names::lookup_qualifier(self.db, self.file, &name.name)
        } else {
            names::lookup(self.db, self.file, &name.name)
        };
        if let Some(entity) = found {
            return self.entity(&entity, name);
        }
        if qualifies && let Some(ty) = self.type_named(&name.name) {
            return Meaning::Ty(ty);
        }
        if let Some(expected) = expected {
            let mut expected = self.table.shallow(expected);
            while let Ty::Ref(_, inner) = expected {
                expected = self.table.shallow(&inner);
            }
            if let Ty::Pick(pick, _) = &expected
                && let Some(index) = self.variant_index(*pick, &name.name)
            {
                return Meaning::Variant(expected, index);
            }
        }
        let candidates = variants_in_scope(self.db, self.file, &name.name);
        match candidates.as_slice() {
            [] => {}
            [(pick, index)] => return self.variant_of(*pick, *index, name.node),
            [(first, _), (second, _), ..] => {
                let (first, second) = (*first, *second);
                let (a, b) = (first.name(self.db).clone(), second.name(self.db).clone());
                let diagnostic = self
                    .error(
                        codes::AMBIGUOUS_NAME,
                        name.node,
                        format!("`{}` is a variant of both `{a}` and `{b}`", name.name),
                        "which one?",
                    )
                    .label(Place::Node(first, NodeId::default()), "one is declared here")
                    .label(Place::Node(second, NodeId::default()), "the other one here")
                    .note("a bare variant is found by the type that its context expects, and here none is expected")
                    .suggest(
                        self.place(name.node),
                        format!("{a}.{}", name.name),
                        format!("say which: `{a}.{}` or `{b}.{}`", name.name, name.name),
                        Applicability::MaybeIncorrect,
                    );
                self.report(diagnostic);
                return Meaning::Reported;
            }
        }
        if let Some(builtin) = builtin::NAMES.iter().find(|known| **known == name.name) {
            return Meaning::Builtin(builtin);
        }
        if names::is_incomplete(self.db, self.file) {
            self.broken = true;
        } else {
            self.unknown_name(name);
        }
        Meaning::Reported
    }

    fn entity(&mut self, entity: &Entity, name: &Ident) -> Meaning {
        match entity {
            Entity::Module(file) => Meaning::Module(*file),
            Entity::Item(item) => match item.kind(self.db) {
                ItemKind::Proc => Meaning::Proc(*item),
                ItemKind::Const => Meaning::Const(*item),
                ItemKind::Form | ItemKind::Pick | ItemKind::Alias | ItemKind::Trait => Meaning::Type(*item),
                // Reported where they stand.
                ItemKind::Impl
                | ItemKind::Use
                | ItemKind::Export
                | ItemKind::StaticAssert
                | ItemKind::Unsupported => Meaning::Reported,
            },
            Entity::Reported => {
                self.broken = true;
                Meaning::Reported
            }
            Entity::Ambiguous(items) => {
                let mut diagnostic = self
                    .error(
                        codes::AMBIGUOUS_NAME,
                        name.node,
                        format!("`{}` means several things here", name.name),
                        "which one?",
                    )
                    .note("imports brought in different declarations of this name")
                    .help("import one of them under another name: `use a/b.{x as y}`");
                for item in items {
                    diagnostic =
                        diagnostic.label(Place::Node(*item, NodeId::default()), "one is declared here");
                }
                self.report(diagnostic);
                Meaning::Reported
            }
        }
    }

    /// `base.name` where `base` is a module or type; `None` for members of values.
    fn member_name(
        &mut self,
        base: &Meaning,
        base_name: &Ident,
        name: &Ident,
        args: &[TypeRef],
        expected: Option<&Ty>,
    ) -> Option<Meaning> {
        Some(match base {
            Meaning::Module(module) => match names::lookup_in(self.db, *module, &name.name) {
                Some(entity) => self.entity(&entity, name),
                None => {
                    let diagnostic = missing_export(self.db, *module, &name.name, self.place(name.node));
                    self.report(diagnostic);
                    Meaning::Reported
                }
            },
            Meaning::Type(item) if item.kind(self.db) == ItemKind::Trait => {
                let members = crate::types::traits::trait_members(self.db, *item);
                match members.iter().find(|member| member.name == name.name) {
                    Some(member) => Meaning::Member(member.item, None),
                    None => {
                        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
                        let trait_name = item.name(self.db);
                        let diagnostic = self
                            .error(
                                codes::UNKNOWN_MEMBER,
                                name.node,
                                format!("the trait `{trait_name}` has no member `{}`", name.name),
                                "no such member",
                            )
                            .label(Place::Node(*item, NodeId::default()), "the trait is declared here")
                            .note(format!("its members are `{}`", names.join("`, `")))
                            .help("name one of its members");
                        self.report(diagnostic);
                        Meaning::Reported
                    }
                }
            }
            Meaning::Type(item) => {
                let ty = self.type_of_item(*item, args, expected, base_name.node);
                self.type_member(&ty, name)
            }
            Meaning::Ty(ty) => {
                let ty = ty.clone();
                self.type_member(&ty, name)
            }
            Meaning::Reported => Meaning::Reported,
            Meaning::Local(_)
            | Meaning::Proc(_)
            | Meaning::Const(_)
            | Meaning::Member(..)
            | Meaning::Variant(..)
            | Meaning::Parameter(..)
            | Meaning::Builtin(_) => return None,
        })
    }

    /// Reports a variant that a pick does not have.
    pub(super) fn unknown_variant(&mut self, pick: ItemId, name: &Ident) {
        let data = pick_data(self.db, pick);
        let owner = pick.name(self.db).clone();
        let mut diagnostic = self
            .error(
                codes::UNKNOWN_MEMBER,
                name.node,
                format!("`{owner}` has no variant `{}`", name.name),
                "no such variant",
            )
            .label(Place::Node(pick, NodeId::default()), "the pick is declared here");
        let variants: Vec<&str> = data.variants.iter().map(|v| v.name.as_str()).collect();
        let listed: Vec<String> = variants.iter().take(8).map(|v| format!("`{v}`")).collect();
        let more = if variants.len() > 8 { ", …" } else { "" };
        diagnostic = diagnostic.note(format!("its variants are {}{more}", listed.join(", ")));
        diagnostic = match crate::base::spelling::meant(&name.name, variants.iter().copied()) {
            Some((near, sure)) => {
                diagnostic.suggest(self.place(name.node), near, format!("`{near}` has a similar name"), sure)
            }
            None => diagnostic.help(format!("use one of the variants, or add `{}`", name.name)),
        };
        self.report(diagnostic);
    }

    /// The index of a variant.
    pub(super) fn variant_index(&self, pick: ItemId, name: &str) -> Option<u32> {
        pick_data(self.db, pick).variants.iter().position(|v| v.name == name).map(|index| index as u32)
    }

    fn variant_of(&mut self, pick: ItemId, index: u32, node: NodeId) -> Meaning {
        let generics = pick_data(self.db, pick).generics.clone();
        let args = self.type_variables(pick, &generics, node);
        Meaning::Variant(Ty::Pick(pick, args.into()), index)
    }

    /// Fresh variables for the type parameters of an item.
    pub(super) fn type_variables(&mut self, item: ItemId, generics: &[Name], node: NodeId) -> Vec<Ty> {
        let owner = Name::new(names::short_name(item.name(self.db)));
        generics
            .iter()
            .map(|name| self.table.fresh(node, Origin::Parameter(name.clone(), owner.clone())))
            .collect()
    }

    /// The type that an item declares, with the written arguments or variables in their place.
    pub(super) fn type_of_item(
        &mut self,
        item: ItemId,
        args: &[TypeRef],
        expected: Option<&Ty>,
        node: NodeId,
    ) -> Ty {
        let ty = match item.kind(self.db) {
            ItemKind::Form => {
                let generics = form_data(self.db, item).generics.clone();
                let args = self.type_arguments(item, &generics, args, node);
                Ty::Form(item, args.into())
            }
            ItemKind::Pick => {
                let generics = pick_data(self.db, item).generics.clone();
                let args = self.type_arguments(item, &generics, args, node);
                Ty::Pick(item, args.into())
            }
            ItemKind::Alias => {
                let alias = crate::types::alias_data(self.db, item);
                let args = self.type_arguments(item, &alias.generics, args, node);
                alias.ty.subst(&args)
            }
            _ => return Ty::Error,
        };
        if let Some(expected) = expected {
            let mut expected = self.table.shallow(expected);
            while let Ty::Ref(_, inner) = expected {
                expected = self.table.shallow(&inner);
            }
            // Only a hint: a real mismatch is reported by whoever expects something.
            self.unify(&ty, &expected);
        }
        ty
    }

    /// Written type arguments, or variables where there are none.
    pub(super) fn type_arguments(
        &mut self,
        item: ItemId,
        generics: &[Name],
        written: &[TypeRef],
        node: NodeId,
    ) -> Vec<Ty> {
        if written.is_empty() {
            return self.type_variables(item, generics, node);
        }
        let mut args: Vec<Ty> = written.iter().map(|ty| self.written_argument(ty)).collect();
        while let Some(default) = default_argument(self.db, item, args.len() as u32) {
            args.push(default.subst(&args));
        }
        if let Some((index, constant)) = wrong_kind(self.db, self.item, item, &args) {
            let at = written.get(index).map_or(node, |ty| ty.node);
            let diagnostic = kind_mismatch(self.db, self.place(at), item, index, constant);
            self.report(diagnostic);
            return vec![Ty::Error; generics.len()];
        }
        if args.len() != generics.len() {
            let name = names::short_name(item.name(self.db)).to_owned();
            let at = written.first().map_or(node, |ty| ty.node);
            let plural = if generics.len() == 1 { "" } else { "s" };
            let diagnostic = self
                .error(
                    codes::ARITY,
                    at,
                    format!("`{name}` takes {} type argument{plural}, found {}", generics.len(), args.len()),
                    "wrong number of type arguments",
                )
                .label(Place::Node(item, NodeId::default()), "declared here")
                .note(if generics.is_empty() {
                    "it has no type parameters".to_owned()
                } else {
                    format!("its type parameters are `{}`", generics.join("`, `"))
                })
                .help("type arguments may be left out where they can be inferred");
            self.report(diagnostic);
            args.resize(generics.len(), Ty::Error);
        }
        args
    }

    /// A path expression or a field as a value.
    pub(super) fn path_expr(&mut self, id: ExprId, node: NodeId, expect: &Expect<'_>) -> Expr {
        match self.named(id, expect.ty()) {
            Some(named) => self.named_value(&named, node),
            None => match &self.hir_expr(id).kind {
                Hir::Field { base, name, args } => {
                    let base = self.check_value(*base, &Expect::Value);
                    self.refuse_type_arguments(args);
                    let ty = self.known(&base.ty);
                    if !self.has_field(&ty, &name.name) {
                        match self.find_member(&ty, &name.name, name.node) {
                            // `m.len` of a map, as of a list.
                            Ok(Some(found))
                                if self.map_types(&ty).is_some() || self.set_type(&ty).is_some() =>
                            {
                                return self.method_call(node, base, name, found, &[], &[], expect);
                            }
                            Ok(Some((item, _))) => return self.bare_method(&ty, item, name, node),
                            Ok(None) => {}
                            Err(()) => return self.poison(node),
                        }
                    }
                    self.field(base, name, node)
                }
                _ => self.poison(node),
            },
        }
    }

    fn refuse_type_arguments(&mut self, args: &[TypeRef]) {
        if let Some(first) = args.first() {
            let diagnostic = self
                .error(codes::ARITY, first.node, "a field takes no type arguments", "not expected here")
                .note("only types, procs and variants have type parameters")
                .help("remove them");
            self.report(diagnostic);
        }
    }

    fn named_value(&mut self, named: &Named<'a>, node: NodeId) -> Expr {
        let db = self.db;
        match &named.meaning {
            Meaning::Local(local) => expr(self.local(*local).ty.clone(), node, ExprKind::Local(*local)),
            Meaning::Const(item) if is_static(db, *item) => self.static_place(*item, node),
            Meaning::Const(item) if is_made_where_used(db, *item) => {
                self.adopt(node, check_body(db, *item), &[])
            }
            Meaning::Const(item) => expr(const_ty(db, *item).clone(), node, ExprKind::Const(*item)),
            Meaning::Parameter(index, ty) => {
                // Known once instances are made.
                let parameter = Ty::Param(*index, named.name.name.clone());
                let callee =
                    super::super::thir::Callee::Intrinsic(Intrinsic::ParameterValue, vec![parameter]);
                let value = expr(Ty::USIZE, node, ExprKind::Call { callee, args: Vec::new() });
                expr(ty.clone(), node, ExprKind::Cast(Box::new(value)))
            }
            Meaning::Proc(item) => {
                let data = proc_data(db, *item);
                let args = self.proc_types(*item, data, None, named.args, named.name.node);
                let params = data.params.iter().map(|p| p.ty.subst(&args)).collect::<Arc<[Ty]>>();
                let ty = Ty::Proc(params, Arc::new(data.ret.subst(&args)));
                expr(ty, node, ExprKind::ProcRef(*item, args))
            }
            Meaning::Member(item, owner) => {
                let data = proc_data(db, *item);
                let args = self.proc_types(*item, data, owner.clone(), named.args, named.name.node);
                self.settle(false);
                let ret = data.ret.subst(&args);
                if data.is_const {
                    let callee = super::super::thir::Callee::Proc(*item, args);
                    return expr(ret, node, ExprKind::Call { callee, args: Vec::new() });
                }
                let params = data.params.iter().map(|p| p.ty.subst(&args)).collect::<Arc<[Ty]>>();
                expr(Ty::Proc(params, Arc::new(ret)), node, ExprKind::ProcRef(*item, args))
            }
            Meaning::Ty(ty) => {
                let shown = self.show(ty);
                let diagnostic = self
                    .error(
                        codes::NOT_A_VALUE,
                        node,
                        format!("`{shown}` is a type, not a value"),
                        "a value is needed here",
                    )
                    .note("types stand after `:`, `->` and `as`")
                    .help("use a value of this type");
                self.fail(diagnostic, node)
            }
            Meaning::Variant(ty, index) => self.plain_variant(ty.clone(), *index, named, node),
            Meaning::Type(item) => {
                let name = item.name(db).clone();
                let what = names::kind_name(item.kind(db));
                let diagnostic = self
                    .error(
                        codes::NOT_A_VALUE,
                        node,
                        format!("`{name}` is a {what}, not a value"),
                        "a value is needed here",
                    )
                    .label(Place::Node(*item, NodeId::default()), "declared here")
                    .note("types stand after `:`, `->` and `as`")
                    .help(match item.kind(db) {
                        ItemKind::Form => format!("build a value: `{name} {{ ... }}`"),
                        ItemKind::Trait => format!("name one of its members: `{name}.member(value)`"),
                        _ => format!("name one of its variants: `{name}.Variant`"),
                    });
                self.fail(diagnostic, node)
            }
            Meaning::Module(_) => {
                let name = &named.name.name;
                let diagnostic = self
                    .error(
                        codes::NOT_A_VALUE,
                        node,
                        format!("`{name}` is a module, not a value"),
                        "a value is needed here",
                    )
                    .note("`use` binds the module's name; what it exports is reached with a dot")
                    .help(format!("write `{name}.item`"));
                self.fail(diagnostic, node)
            }
            Meaning::Builtin(name) => {
                let diagnostic = self
                    .error(
                        codes::NOT_A_VALUE,
                        node,
                        format!("the built-in `{name}` can only be called"),
                        "not a value",
                    )
                    .note("built-in names take arguments of several types, so they have no type of their own")
                    .help(format!("call it: `{name}(...)`, or wrap it in a proc"));
                self.fail(diagnostic, node)
            }
            Meaning::Reported => self.poison(node),
        }
    }

    fn plain_variant(&mut self, ty: Ty, index: u32, named: &Named<'a>, node: NodeId) -> Expr {
        let Ty::Pick(pick, args) = &ty else { return self.poison(node) };
        let data = pick_data(self.db, *pick);
        let Some(variant) = data.variants.get(index as usize) else { return self.poison(node) };
        if !named.args.is_empty() && args.iter().any(|arg| matches!(self.table.shallow(arg), Ty::Infer(_))) {
            let written = self.type_arguments(*pick, &data.generics, named.args, named.name.node);
            for (open, written) in args.iter().zip(&written) {
                self.unify(open, written);
            }
        }
        if !variant.fields.is_empty() {
            let blanks = vec!["_"; variant.fields.len()].join(", ");
            let plural = if variant.fields.len() == 1 { "" } else { "s" };
            let diagnostic = self
                .error(
                    codes::ARITY,
                    node,
                    format!("`{}` needs {} payload value{plural}", variant.name, variant.fields.len()),
                    "no payload is given",
                )
                .label(Place::Node(*pick, NodeId::default()), "the pick is declared here")
                .note("a variant with a payload is built like a call")
                .help(format!("write `{}({blanks})` with values", variant.name));
            return self.fail(diagnostic, node);
        }
        expr(ty, node, ExprKind::Variant { variant: index, fields: Vec::new() })
    }

    /// A field of a value that has no reference around it.
    pub(super) fn field(&mut self, base: Expr, name: &Ident, node: NodeId) -> Expr {
        let ty = self.known(&base.ty);
        match &ty {
            Ty::Error | Ty::Never => self.poison(node),
            Ty::Form(form, args) => {
                let data = form_data(self.db, *form);
                match data.fields.iter().position(|(field, _)| *field == name.name) {
                    Some(index) => {
                        let field = data.fields[index].1.subst(args);
                        expr(field, node, ExprKind::Field(Box::new(base), index as u32))
                    }
                    None => {
                        let names: Vec<&str> = data.fields.iter().map(|(name, _)| name.as_str()).collect();
                        self.no_member(&ty, *form, name, &names, node)
                    }
                }
            }
            Ty::Tuple(elements) => match name.name.parse::<usize>() {
                Ok(index) if index < elements.len() => {
                    expr(elements[index].clone(), node, ExprKind::Field(Box::new(base), index as u32))
                }
                _ => {
                    let diagnostic = self
                        .error(
                            codes::UNKNOWN_MEMBER,
                            name.node,
                            format!("this tuple has no member `{}`", name.name),
                            format!("`{}` has {} elements", self.show(&ty), elements.len()),
                        )
                        .note("the elements of a tuple are `.0`, `.1` and so on")
                        .help(format!("use a number below {}", elements.len()));
                    self.fail(diagnostic, node)
                }
            },
            _ => self.member(base, &ty, name, node),
        }
    }

    /// Reports a member that a type does not have.
    pub(super) fn no_member(
        &mut self,
        ty: &Ty,
        owner: ItemId,
        name: &Ident,
        known: &[&str],
        node: NodeId,
    ) -> Expr {
        let shown = self.show(ty);
        let mut diagnostic = self
            .error(
                codes::UNKNOWN_MEMBER,
                name.node,
                format!("`{shown}` has no member `{}`", name.name),
                "no such member",
            )
            .label(Place::Node(owner, NodeId::default()), format!("`{shown}` is declared here"));
        if !known.is_empty() {
            let listed: Vec<String> = known.iter().take(8).map(|name| format!("`{name}`")).collect();
            let more = if known.len() > 8 { ", …" } else { "" };
            diagnostic = diagnostic.note(format!("its fields are {}{more}", listed.join(", ")));
        }
        let methods = self.member_names(ty);
        if !methods.is_empty() {
            let listed: Vec<String> = methods.iter().take(8).map(|name| format!("`{name}`")).collect();
            let more = if methods.len() > 8 { ", …" } else { "" };
            diagnostic = diagnostic.note(format!("its members are {}{more}", listed.join(", ")));
        }
        let all = known.iter().copied().chain(methods.iter().map(Name::as_str));
        diagnostic = match crate::base::spelling::meant(&name.name, all) {
            Some((near, sure)) => {
                diagnostic.suggest(self.place(name.node), near, format!("`{near}` has a similar name"), sure)
            }
            None => diagnostic.help(format!("declare the field, or call a proc: `{}(value)`", name.name)),
        };
        self.fail(diagnostic, node)
    }

    /// A single-segment path without type arguments.
    pub(super) fn bare_name(&self, id: ExprId) -> Option<&'a Ident> {
        match &self.hir_expr(id).kind {
            Hir::Path(hir::ExprPath { segments, args, .. }) if args.is_empty() => match segments.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            _ => None,
        }
    }
}
