//! What MIR needs to know of types: who is refcounted, what a place holds, which types are recursive.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::body::{Local, LocalId, Place, Projection};
use crate::base::{Db, Name, SourcePath};
use crate::lower::{ItemId, ItemKind};
use crate::mono::{Instance, InstanceKind, ty_text};
use crate::runtime::{BENCH_PATH, CORE_ROOT};
use crate::types::{Ty, core_item, form_data, pick_data};

/// How many types one type may reach before we stop looking for cycles. Only polymorphic recursion gets there;
/// collecting instances then reports it.
const REACH_LIMIT: usize = 4096;

/// `ref T` is represented as a `T`: the type that decides representation.
pub fn repr(ty: &Ty) -> &Ty {
    let mut ty = ty;
    while let Ty::Ref(false, inner) = ty {
        ty = inner;
    }
    ty
}

/// Whether values of the type are refcounted. A type parameter counts as such (checks on generic bodies).
pub fn needs_drop(db: &dyn Db, ty: &Ty) -> bool {
    match repr(ty) {
        Ty::String
        | Ty::Bytes
        | Ty::List(_)
        | Ty::Form(..)
        | Ty::Tuple(_)
        | Ty::Proc(..)
        | Ty::Dyn(..)
        | Ty::Param(..) => true,
        Ty::Pick(item, _) => !pick_data(db, *item).plain,
        Ty::Error
        | Ty::Unit
        | Ty::Never
        | Ty::Bool
        | Ty::Char
        | Ty::Int(_)
        | Ty::Float(_)
        | Ty::Ref(..)
        | Ty::Pointer(..)
        | Ty::Impl(..)
        | Ty::Value(_)
        | Ty::Infer(_) => false,
    }
}

/// Field types of a form or tuple, in order; empty for other types.
pub fn field_tys(db: &dyn Db, ty: &Ty) -> Vec<Ty> {
    match repr(ty) {
        Ty::Form(item, args) => form_data(db, *item).fields.iter().map(|(_, t)| t.subst(args)).collect(),
        Ty::Tuple(tys) => tys.to_vec(),
        _ => Vec::new(),
    }
}

/// Payload types of every variant of a pick; empty for other types.
pub fn variant_tys(db: &dyn Db, ty: &Ty) -> Vec<Vec<Ty>> {
    match repr(ty) {
        Ty::Pick(item, args) => pick_data(db, *item)
            .variants
            .iter()
            .map(|v| v.fields.iter().map(|(_, t)| t.subst(args)).collect())
            .collect(),
        _ => Vec::new(),
    }
}

/// The type after one step from a place of type `ty`.
pub fn project(db: &dyn Db, ty: &Ty, projection: &Projection) -> Ty {
    let one = |tys: &[Ty], i: u32| tys.get(i as usize).cloned().unwrap_or(Ty::Error);
    match (projection, repr(ty)) {
        (Projection::Field(i), Ty::Form(item, args)) => {
            form_data(db, *item).fields.get(*i as usize).map_or(Ty::Error, |(_, t)| t.subst(args))
        }
        (Projection::Field(i), Ty::Tuple(tys)) => one(tys, *i),
        (Projection::Payload { variant, field }, Ty::Pick(item, args)) => pick_data(db, *item)
            .variants
            .get(*variant as usize)
            .and_then(|v| v.fields.get(*field as usize))
            .map_or(Ty::Error, |(_, t)| t.subst(args)),
        (Projection::Index(_), Ty::List(element)) => Ty::clone(element),
        (Projection::Deref, Ty::Ref(true, inner)) => Ty::clone(inner),
        _ => Ty::Error,
    }
}

/// The type of what a place holds.
pub fn place_ty(db: &dyn Db, locals: &[Local], place: &Place) -> Ty {
    let start = local_ty(locals, place.local);
    place.projections.iter().fold(start, |ty, p| project(db, &ty, p))
}

/// The type of a local.
pub fn local_ty(locals: &[Local], local: LocalId) -> Ty {
    locals.get(local.0 as usize).map_or(Ty::Error, |l| l.ty.clone())
}

/// The instance of a prelude proc; `None` if the prelude has none of this name.
pub fn core_proc(db: &dyn Db, name: &str, args: Vec<Ty>) -> Option<Instance> {
    Some(Instance::new(db, InstanceKind::Proc(core_proc_item(db, name)?, args)))
}

/// A prelude proc by name.
pub fn core_proc_item(db: &dyn Db, name: &str) -> Option<ItemId> {
    core_item(db, ItemKind::Proc, name)
}

/// A proc of the module of benchmarks.
pub fn bench_proc(db: &dyn Db, name: &str) -> ItemId {
    let path = SourcePath { root: CORE_ROOT.into(), path: BENCH_PATH.into() };
    ItemId::new(db, db.file(&path), ItemKind::Proc, Name::new(name), 0)
}

/// Types that a value of this type holds directly.
fn children(db: &dyn Db, ty: &Ty) -> Vec<Ty> {
    let all = match repr(ty) {
        Ty::Form(..) | Ty::Tuple(_) => field_tys(db, ty),
        Ty::Pick(..) => variant_tys(db, ty).into_iter().flatten().collect(),
        Ty::List(element) => vec![Ty::clone(element)],
        _ => Vec::new(),
    };
    all.iter().map(|t| repr(t).clone()).collect()
}

/// The types that a value of `ty` can reach, `ty` first, each with the indices of its children; `None` if there
/// are too many.
fn reach(db: &dyn Db, ty: &Ty) -> Option<(Vec<Ty>, Vec<Vec<usize>>)> {
    let mut types = vec![repr(ty).clone()];
    let mut index = HashMap::from([(types[0].clone(), 0)]);
    let mut edges = Vec::new();
    while edges.len() < types.len() {
        let mut out = Vec::new();
        for child in children(db, &types[edges.len()].clone()) {
            let next = types.len();
            let id = *index.entry(child.clone()).or_insert(next);
            if id == next {
                types.push(child);
            }
            out.push(id);
        }
        edges.push(out);
        if types.len() > REACH_LIMIT {
            return None;
        }
    }
    Some((types, edges))
}

/// The refcounted types through which a value of type `ty` can reach another `ty`, `ty` included, in order
/// of name; empty if `ty` is not recursive. Every member of a cycle gives the same list.
pub fn type_cycle(db: &dyn Db, ty: &Ty) -> Vec<Ty> {
    let Some((types, edges)) = reach(db, ty) else { return Vec::new() };
    let mut reaches_start = vec![false; types.len()];
    let mut parents = vec![Vec::new(); types.len()];
    for (from, out) in edges.iter().enumerate() {
        for &to in out {
            parents[to].push(from);
        }
    }
    let mut work = parents[0].clone();
    while let Some(t) = work.pop() {
        if !std::mem::replace(&mut reaches_start[t], true) {
            work.extend(&parents[t]);
        }
    }
    if !reaches_start[0] {
        return Vec::new();
    }
    let named: BTreeMap<String, Ty> = types
        .into_iter()
        .zip(reaches_start)
        .filter(|(_, member)| *member)
        .map(|(ty, _)| (ty_text(db, &ty), ty))
        .collect();
    named.into_values().collect()
}

/// Whether a value of this type may hold a float: then it need not equal itself.
pub fn holds_float(db: &dyn Db, ty: &Ty) -> bool {
    reach(db, ty).is_none_or(|(types, _)| types.iter().any(|t| matches!(t, Ty::Float(_) | Ty::Param(..))))
}

/// Whether a type mentions a `ref mut`.
pub fn holds_address(ty: &Ty) -> bool {
    match ty {
        Ty::Ref(mutable, inner) => *mutable || holds_address(inner),
        Ty::List(inner) => holds_address(inner),
        Ty::Form(_, args) | Ty::Pick(_, args) | Ty::Tuple(args) => args.iter().any(holds_address),
        Ty::Error
        | Ty::Unit
        | Ty::Never
        | Ty::Bool
        | Ty::Char
        | Ty::Int(_)
        | Ty::Float(_)
        | Ty::String
        | Ty::Bytes
        | Ty::Proc(..)
        | Ty::Pointer(..)
        | Ty::Dyn(..)
        | Ty::Impl(..)
        | Ty::Value(_)
        | Ty::Param(..)
        | Ty::Infer(_) => false,
    }
}

/// The identity substitution for a proc with these type parameters.
pub fn identity(generics: &[crate::base::Name]) -> Vec<Ty> {
    generics.iter().enumerate().map(|(i, name)| Ty::Param(i as u32, name.clone())).collect()
}

/// The object of a procedure value: what frees it, its code, what it captured. All begin alike.
pub fn object_of(captures: impl IntoIterator<Item = Ty>) -> Ty {
    Ty::Tuple([Ty::USIZE, Ty::USIZE].into_iter().chain(captures).collect())
}

/// The object of a `dyn` value: what frees it, what copies it, its methods, what it is about. All begin alike.
pub fn dyn_object(methods: u32, value: impl IntoIterator<Item = Ty>) -> Ty {
    let words = std::iter::repeat_n(Ty::USIZE, methods as usize + 2);
    Ty::Tuple(words.chain(value).collect())
}

/// `[T]`
pub fn list_of(element: Ty) -> Ty {
    Ty::List(Arc::new(element))
}

/// `ref mut T`
pub fn address_of(ty: Ty) -> Ty {
    Ty::Ref(true, Arc::new(ty))
}
