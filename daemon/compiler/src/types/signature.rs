//! Resolved types of items: parameters, fields, variants, consts, aliases.
use std::collections::HashSet;
use std::sync::Arc;

use super::codes;
use super::data::{FormData, ParamData, PickData, ProcData, VariantData};
use super::render::ty_name;
use super::resolve::core_item;
use super::ty::Ty;
use super::typeref::{resolve_argument, resolve_type, type_size};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic, Name, Phase, Place};
use crate::lower::codes::NOT_SUPPORTED_YET;
use crate::lower::hir::{Abi, Body, ConstHir, ExprKind, Field, FormKind, Ident, ItemHir, ParamMode};
use crate::lower::{ItemId, ItemKind, NodeId, item_hir, proc_signature};
use crate::runtime::CORE_ROOT;

/// What is known of an item, and what is wrong with its signature.
#[derive(Clone, Debug, PartialEq)]
struct Resolved<T> {
    data: T,
    diagnostics: Diagnostics,
}

/// A resolved `type N<T> = ..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasData {
    /// Type parameters.
    pub generics: Vec<Name>,
    /// What it stands for; [`Ty::Error`] for an alias of itself.
    pub ty: Ty,
}

/// Most type constructors that one written type may have once its aliases are replaced. Aliases
/// of pairs of aliases double with each step, so a short text could otherwise name a huge type.
const TYPE_SIZE_MAX: usize = 4096;

/// Most types looked at to find out whether a form contains itself.
const RECURSION_STEPS_MAX: usize = 1000;

/// A proc's parameters and result. An item that is no proc (any more) has none and gives [`Ty::Error`].
pub fn proc_data(db: &dyn Db, item: ItemId) -> &Arc<ProcData> {
    &resolved_proc(db, item).data
}

/// A form's fields.
pub fn form_data(db: &dyn Db, item: ItemId) -> &Arc<FormData> {
    &resolved_form(db, item).data
}

/// A pick's variants.
pub fn pick_data(db: &dyn Db, item: ItemId) -> &Arc<PickData> {
    &resolved_pick(db, item).data
}

/// What an alias stands for.
pub fn alias_data(db: &dyn Db, item: ItemId) -> &Arc<AliasData> {
    &resolved_alias(db, item).data
}

/// A const's type: as written, or that of its value.
pub fn const_ty(db: &dyn Db, item: ItemId) -> &Ty {
    &resolved_const(db, item).data
}

/// What declares a form; [`FormKind::Record`] for every other item.
#[salsa::tracked(returns(copy))]
pub fn form_kind(db: &dyn Db, item: ItemId) -> FormKind {
    match &**item_hir(db, item) {
        ItemHir::Form(hir) => hir.kind,
        _ => FormKind::Record,
    }
}

/// Whether an item is a `static`.
#[salsa::tracked(returns(copy))]
pub fn is_static(db: &dyn Db, item: ItemId) -> bool {
    matches!(&**item_hir(db, item), ItemHir::Const(hir) if hir.storage)
}

/// Whether a const is no data but an expression that is evaluated where it is named: one that holds a procedure value,
/// a map or a set.
#[salsa::tracked(returns(copy), cycle_result = is_made_where_used_cycle)]
pub fn is_made_where_used(db: &dyn Db, item: ItemId) -> bool {
    if item.kind(db) != ItemKind::Const || is_static(db, item) {
        return false;
    }
    let containers = ["map", "set"].map(|name| core_item(db, ItemKind::Form, name));
    let mut seen: HashSet<Ty> = HashSet::new();
    let mut stack = vec![const_ty(db, item).clone()];
    while let Some(ty) = stack.pop() {
        let Ty::Form(found, args) = &ty else {
            if matches!(ty, Ty::Proc(..)) {
                return true;
            }
            match &ty {
                Ty::Pick(found, args) if seen.len() < RECURSION_STEPS_MAX && seen.insert(ty.clone()) => {
                    let variants = &pick_data(db, *found).variants;
                    stack.extend(variants.iter().flat_map(|v| &v.fields).map(|(_, field)| field.subst(args)));
                }
                _ => ty.for_each_part(|part| stack.push(part.clone())),
            }
            continue;
        };
        if containers.contains(&Some(*found)) {
            return true;
        }
        if seen.len() < RECURSION_STEPS_MAX && seen.insert(ty.clone()) {
            stack.extend(form_data(db, *found).fields.iter().map(|(_, field)| field.subst(args)));
        }
    }
    false
}

/// A const whose type is that of its own value.
fn is_made_where_used_cycle(_db: &dyn Db, _id: salsa::Id, _item: ItemId) -> bool {
    false
}

/// What is wrong with an item's signature; bodies are checked elsewhere.
pub fn signature_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    match item.kind(db) {
        ItemKind::Proc => resolved_proc(db, item).diagnostics.clone(),
        ItemKind::Form => {
            let mut diagnostics = resolved_form(db, item).diagnostics.to_vec();
            diagnostics.extend(recursive_form(db, item).clone());
            diagnostics.into()
        }
        ItemKind::Pick => resolved_pick(db, item).diagnostics.clone(),
        ItemKind::Alias => resolved_alias(db, item).diagnostics.clone(),
        ItemKind::Const => resolved_const(db, item).diagnostics.clone(),
        ItemKind::Trait => super::traits::head_diagnostics(db, item),
        ItemKind::Impl => super::infer::impl_diagnostics(db, item).clone(),
        ItemKind::Use | ItemKind::Export | ItemKind::StaticAssert | ItemKind::Unsupported => Arc::from([]),
    }
}

/// Resolves the types of one item and collects what is wrong with them.
struct Resolver<'db> {
    db: &'db dyn Db,
    item: ItemId,
    generics: Vec<Name>,
    diagnostics: Vec<Diagnostic>,
}

impl<'db> Resolver<'db> {
    fn new(db: &'db dyn Db, item: ItemId, generics: &[Ident]) -> Self {
        let names = generics.iter().map(|ident| ident.name.clone()).collect();
        Self { db, item, generics: names, diagnostics: Vec::new() }
    }

    fn ty(&mut self, ty: &crate::lower::hir::TypeRef) -> Ty {
        let (resolved, diagnostics) = resolve_type(self.db, self.item, &self.generics, ty);
        self.diagnostics.extend(diagnostics);
        if type_size(&resolved, TYPE_SIZE_MAX) >= TYPE_SIZE_MAX {
            self.diagnostics.push(
                Diagnostic::error(
                    codes::TYPE_TOO_LARGE,
                    Phase::Typeck,
                    Place::Node(self.item, ty.node),
                    "this type is too large",
                    "grows beyond all use when its aliases are replaced",
                )
                .note(format!("a type may be made of at most {TYPE_SIZE_MAX} parts"))
                .help("declare a `form` for its parts"),
            );
            return Ty::Error;
        }
        resolved
    }

    /// What is wrong with the bounds and defaults of a form's or pick's type parameters.
    fn parameters(&mut self, defaults: &[Option<crate::lower::hir::TypeRef>]) {
        self.diagnostics.extend(super::traits::generics_diagnostics(self.db, self.item).iter().cloned());
        for written in defaults.iter().flatten() {
            let found = resolve_argument(self.db, self.item, &self.generics, written).1;
            self.diagnostics.extend(found);
        }
    }

    fn field(&mut self, field: &Field) -> (Option<Name>, Ty) {
        (field.name.as_ref().map(|ident| ident.name.clone()), self.ty(&field.ty))
    }

    fn finish<T>(self, data: T) -> Resolved<T> {
        Resolved { data, diagnostics: self.diagnostics.into() }
    }
}

#[salsa::tracked(returns(ref))]
fn resolved_proc(db: &dyn Db, item: ItemId) -> Resolved<Arc<ProcData>> {
    let Some(sig) = proc_signature(db, item) else {
        let data = ProcData {
            generics: vec![],
            own: 0..0,
            bounds: vec![],
            params: vec![],
            ret: Ty::Error,
            abi: Abi::Vitte,
            has_body: false,
            owner: None,
            is_const: false,
        };
        return Resolved { data: Arc::new(data), diagnostics: Arc::from([]) };
    };
    let generics = super::traits::generics(db, item);
    let mut resolver = Resolver::new(db, item, &[]);
    resolver.generics.clone_from(&generics.names);
    resolver.diagnostics.extend(super::traits::generics_diagnostics(db, item).iter().cloned());
    let mut params = Vec::with_capacity(sig.params.len());
    for param in &sig.params {
        let ty = resolver.ty(&param.ty);
        let ty = match (param.mode, ty) {
            // `ref x: ref mut T` says it twice; the type says more.
            (ParamMode::Plain | ParamMode::Move, ty) | (_, ty @ (Ty::Ref(..) | Ty::Error)) => ty,
            (ParamMode::Ref, ty) => Ty::Ref(false, Arc::new(ty)),
            (ParamMode::RefMut, ty) => Ty::Ref(true, Arc::new(ty)),
        };
        params.push(ParamData {
            name: param.name.name.clone(),
            ty,
            mode: param.mode,
            has_default: param.default.is_some(),
        });
    }
    let ret = sig.ret.as_ref().map_or(Ty::Unit, |ret| resolver.ty(ret));
    for written in sig.defaults.iter().flatten() {
        let found = resolve_argument(db, item, &generics.names, written).1;
        resolver.diagnostics.extend(found);
    }
    let has_body = sig.abi == Abi::Vitte && proc_has_body(db, item);
    let declared = sig.owner.is_some_and(|owner| owner.kind(db) == ItemKind::Trait);
    if !has_body && sig.abi == Abi::C && item.file(db).path(db).root != CORE_ROOT {
        foreign_signature(item, sig, &params, &ret, &mut resolver.diagnostics, |ty| ty_name(db, ty));
    }
    if !has_body && sig.abi != Abi::C && !declared && item.file(db).path(db).root != CORE_ROOT {
        resolver.diagnostics.push(bodyless_proc(db, item, sig.abi));
    }
    let data = ProcData {
        generics: resolver.generics.clone(),
        own: generics.first..generics.first + generics.written,
        bounds: generics.bounds.clone(),
        params,
        ret,
        abi: sig.abi,
        has_body,
        owner: sig.owner,
        is_const: sig.is_const,
    };
    resolver.finish(Arc::new(data))
}

/// C takes numbers and addresses; nothing else of ours means anything to it.
fn foreign_signature(
    item: ItemId,
    sig: &crate::lower::ProcSig,
    params: &[ParamData],
    ret: &Ty,
    diagnostics: &mut Vec<Diagnostic>,
    show: impl Fn(&Ty) -> String,
) {
    let fits = |ty: &Ty| match ty {
        Ty::Int(int) => int.bits() <= 64,
        Ty::Ref(true, inner) => matches!(**inner, Ty::Int(_) | Ty::Float(_) | Ty::Bool),
        Ty::Float(_) | Ty::Bool | Ty::Char | Ty::Pointer(..) | Ty::Error => true,
        _ => false,
    };
    let written = sig.params.iter().map(|param| param.ty.node);
    let mut wrong: Vec<(NodeId, &Ty)> =
        written.zip(params.iter().map(|param| &param.ty)).filter(|(_, ty)| !fits(ty)).collect();
    if let Some(node) = sig.ret.as_ref().map(|ret| ret.node)
        && !fits(ret)
        && !matches!(ret, Ty::Unit | Ty::Never)
    {
        wrong.push((node, ret));
    }
    for (node, ty) in wrong {
        let diagnostic = Diagnostic::error(
            codes::FOREIGN_SIGNATURE,
            Phase::Typeck,
            Place::Node(item, node),
            format!("C knows no `{}`", show(ty)),
            "cannot be passed to or from C",
        )
        .note("an `extern` procedure takes and gives numbers up to 64 bits, `bool`, `char` and pointers")
        .help("pass text as `cstr`, and anything else behind a pointer");
        diagnostics.push(diagnostic);
    }
}

/// Only the prelude has procs that are implemented elsewhere.
fn bodyless_proc(db: &dyn Db, item: ItemId, abi: Abi) -> Diagnostic {
    let (what, note) = match abi {
        Abi::Vitte => ("procs without a body", "a proc is declared where it is defined"),
        Abi::C => ("this `extern` proc", "a foreign procedure is declared with `extern`"),
        Abi::Intrinsic => {
            ("`intrinsic` procs", "intrinsics are supplied by the compiler to its own prelude only")
        }
    };
    Diagnostic::error(
        NOT_SUPPORTED_YET,
        Phase::Sema,
        Place::Node(item, NodeId(0)),
        format!("{what} are not supported yet"),
        format!("`{}` has no body", item.name(db)),
    )
    .note(note)
    .help("give the proc a body in braces")
}

/// A query of its own: its value, unlike the body, hardly ever changes.
#[salsa::tracked(returns(copy))]
fn proc_has_body(db: &dyn Db, item: ItemId) -> bool {
    matches!(&**item_hir(db, item), ItemHir::Proc(hir) if hir.body.is_some())
}

#[salsa::tracked(returns(ref))]
fn resolved_form(db: &dyn Db, item: ItemId) -> Resolved<Arc<FormData>> {
    let hir = item_hir(db, item);
    let ItemHir::Form(hir) = &**hir else {
        let data = FormData { generics: vec![], fields: vec![] };
        return Resolved { data: Arc::new(data), diagnostics: Arc::from([]) };
    };
    let mut resolver = Resolver::new(db, item, &hir.generics);
    let mut fields = Vec::with_capacity(hir.fields.len());
    for field in &hir.fields {
        let (name, ty) = resolver.field(field);
        fields.push((name.unwrap_or_default(), ty));
    }
    resolver.parameters(&hir.defaults);
    let data = FormData { generics: resolver.generics.clone(), fields };
    resolver.finish(Arc::new(data))
}

/// Forms are values: one that contains itself directly would have no end.
#[salsa::tracked(returns(ref))]
fn recursive_form(db: &dyn Db, item: ItemId) -> Option<Diagnostic> {
    let data = form_data(db, item);
    let hir = item_hir(db, item);
    let ItemHir::Form(hir) = &**hir else { return None };
    for ((name, ty), field) in data.fields.iter().zip(&hir.fields) {
        if !contains_form(db, ty, item) {
            continue;
        }
        let form = item.name(db);
        let through = match ty {
            Ty::Form(inner, _) if *inner == item => String::new(),
            _ => format!(" through `{}`", ty_name(db, ty)),
        };
        return Some(
            Diagnostic::error(
                codes::RECURSIVE_TYPE,
                Phase::Typeck,
                Place::Node(item, field.ty.node),
                format!("the form `{form}` contains itself"),
                format!("the field `{name}` holds a `{form}`{through}"),
            )
            .label(Place::Node(item, NodeId(0)), format!("a value of `{form}` would have no end"))
            .note("a form holds its fields by value, so it cannot hold one of its own kind")
            .help(format!(
                "hold it where there may be none: `{name}: Option<{0}>` or `{name}: [{0}]`",
                ty_name(db, ty)
            )),
        );
    }
    None
}

/// Whether a value of `ty` holds one of the form `target` other than through a list or pick.
fn contains_form(db: &dyn Db, ty: &Ty, target: ItemId) -> bool {
    let mut seen: HashSet<Ty> = HashSet::new();
    let mut stack = vec![ty.clone()];
    while let Some(ty) = stack.pop() {
        match &ty {
            Ty::Form(item, _) if *item == target => return true,
            Ty::Form(item, args) => {
                // Bounded, because a generic form can name ever larger instances of itself.
                if seen.len() < RECURSION_STEPS_MAX
                    && type_size(&ty, TYPE_SIZE_MAX) < TYPE_SIZE_MAX
                    && seen.insert(ty.clone())
                {
                    stack.extend(form_data(db, *item).fields.iter().map(|(_, field)| field.subst(args)));
                }
            }
            Ty::Tuple(parts) => stack.extend(parts.iter().cloned()),
            Ty::Error
            | Ty::Unit
            | Ty::Never
            | Ty::Bool
            | Ty::Char
            | Ty::Int(_)
            | Ty::Float(_)
            | Ty::String
            | Ty::Bytes
            | Ty::List(_)
            | Ty::Ref(..)
            | Ty::Pick(..)
            | Ty::Proc(..)
            | Ty::Pointer(..)
            | Ty::Dyn(..)
            | Ty::Impl(..)
            | Ty::Value(_)
            | Ty::Param(..)
            | Ty::Infer(_) => {}
        }
    }
    false
}

#[salsa::tracked(returns(ref))]
fn resolved_pick(db: &dyn Db, item: ItemId) -> Resolved<Arc<PickData>> {
    let hir = item_hir(db, item);
    let ItemHir::Pick(hir) = &**hir else {
        let data = PickData { generics: vec![], variants: vec![], plain: true };
        return Resolved { data: Arc::new(data), diagnostics: Arc::from([]) };
    };
    let mut resolver = Resolver::new(db, item, &hir.generics);
    let mut variants: Vec<VariantData> = Vec::with_capacity(hir.variants.len());
    let mut next = 0i128;
    for variant in &hir.variants {
        let fields = variant.fields.iter().map(|field| resolver.field(field)).collect();
        let ordinal = variant.ordinal.unwrap_or(next);
        next = ordinal.wrapping_add(1);
        if let Some(before) = variants.iter().position(|before| before.ordinal == ordinal) {
            let first = &hir.variants[before].name;
            resolver.diagnostics.push(
                Diagnostic::error(
                    codes::DUPLICATE_ORDINAL,
                    Phase::Sema,
                    Place::Node(item, variant.name.node),
                    format!(
                        "the variants `{}` and `{}` both have the ordinal {ordinal}",
                        first.name, variant.name.name
                    ),
                    format!("has the ordinal {ordinal}"),
                )
                .label(Place::Node(item, first.node), format!("has the ordinal {ordinal} already"))
                .note("a variant without `= N` follows the one before it")
                .help("give one of them another ordinal"),
            );
        }
        variants.push(VariantData { name: variant.name.name.clone(), fields, ordinal });
    }
    let plain = variants.iter().all(|variant| variant.fields.is_empty());
    resolver.parameters(&hir.defaults);
    let data = PickData { generics: resolver.generics.clone(), variants, plain };
    resolver.finish(Arc::new(data))
}

#[salsa::tracked(returns(ref))]
fn resolved_alias(db: &dyn Db, item: ItemId) -> Resolved<Arc<AliasData>> {
    let hir = item_hir(db, item);
    let ItemHir::Alias(hir) = &**hir else {
        let data = AliasData { generics: vec![], ty: Ty::Error };
        return Resolved { data: Arc::new(data), diagnostics: Arc::from([]) };
    };
    let mut resolver = Resolver::new(db, item, &hir.generics);
    // Looked for before anything is resolved, so that the queries below cannot meet themselves.
    let ty = if super::typeref::alias_reaches_itself(db, item) {
        let name = item.name(db);
        resolver.diagnostics.push(
            Diagnostic::error(
                codes::ALIAS_CYCLE,
                Phase::Typeck,
                Place::Node(item, hir.ty.node),
                format!("the type `{name}` stands for itself"),
                format!("leads back to `{name}`"),
            )
            .label(Place::Node(item, NodeId(0)), "declared here")
            .note("an alias is replaced by what it stands for, which would never end here")
            .help("declare a `form` or a `pick` if the type is meant to contain itself"),
        );
        Ty::Error
    } else {
        resolver.ty(&hir.ty)
    };
    let data = AliasData { generics: resolver.generics.clone(), ty };
    resolver.finish(Arc::new(data))
}

#[salsa::tracked(returns(ref))]
fn resolved_const(db: &dyn Db, item: ItemId) -> Resolved<Ty> {
    let hir = item_hir(db, item);
    let ItemHir::Const(hir) = &**hir else {
        return Resolved { data: Ty::Error, diagnostics: Arc::from([]) };
    };
    let mut resolver = Resolver::new(db, item, &[]);
    let ty = match &hir.ty {
        Some(ty) => resolver.ty(ty),
        // Looked for before the body is checked, which asks for the types of the consts in it.
        None if const_needs_own_type(db, item) => {
            let name = item.name(db);
            resolver.diagnostics.push(
                Diagnostic::error(
                    codes::CONST_CYCLE,
                    Phase::Typeck,
                    Place::Node(item, NodeId(0)),
                    format!("the type of `{name}` depends on itself"),
                    "the value leads back to this const",
                )
                .note("a const without a written type has the type of its value")
                .help(format!("write the type: `const {name}: int = …`")),
            );
            Ty::Error
        }
        None => super::bodies::value_type(db, item),
    };
    resolver.finish(ty)
}

/// Whether the type of an untyped const is needed to find itself: a walk over the untyped consts
/// that its value names.
fn const_needs_own_type(db: &dyn Db, start: ItemId) -> bool {
    let mut seen: HashSet<ItemId> = HashSet::new();
    let mut stack = vec![start];
    while let Some(item) = stack.pop() {
        for &next in untyped_consts_named(db, item).iter() {
            if next == start {
                return true;
            }
            if seen.insert(next) {
                stack.push(next);
            }
        }
    }
    false
}

/// The untyped consts that the value of an untyped const names; locals of the same name count too.
#[salsa::tracked(returns(ref))]
fn untyped_consts_named(db: &dyn Db, item: ItemId) -> Arc<[ItemId]> {
    let hir = item_hir(db, item);
    let ItemHir::Const(ConstHir { ty: None, body, .. }) = &**hir else {
        return Arc::from([]);
    };
    let mut found: Vec<ItemId> = const_paths(body)
        .filter_map(|path| match super::resolve::resolve_path(db, item, &path) {
            super::resolve::ResolvedPath::Found {
                resolution: super::resolve::Resolution::Item(named),
                ..
            } => Some(named),
            _ => None,
        })
        .filter(|named| named.kind(db) == ItemKind::Const)
        .filter(|named| matches!(&**item_hir(db, *named), ItemHir::Const(ConstHir { ty: None, .. })))
        .collect();
    super::scope::sort_items(db, &mut found);
    found.into()
}

/// Every path of a body, plain (`a`, `m::a`) or of one dot (`m.a`).
fn const_paths(body: &Body) -> impl Iterator<Item = Vec<Ident>> + '_ {
    body.exprs.iter().filter_map(|expr| match &expr.kind {
        ExprKind::Path(path) => Some(path.segments.clone()),
        ExprKind::Field { base, name, .. } => match body.exprs.get(base.0 as usize).map(|base| &base.kind) {
            Some(ExprKind::Path(path)) => Some(path.segments.iter().chain([name]).cloned().collect()),
            _ => None,
        },
        _ => None,
    })
}

/// The prelude's `Option<T>`; [`Ty::Error`] if the prelude is missing.
pub fn option_of(db: &dyn Db, ty: Ty) -> Ty {
    core_item(db, ItemKind::Pick, "Option").map_or(Ty::Error, |pick| Ty::Pick(pick, Arc::from([ty])))
}
