//! What has to stay the same for a function to be replaced while its program runs.
//!
//! Old and new code meet in one process: old bodies call new ones, and values that old code made are read by new
//! code. That is sound while both agree on how a function is called, its [`Contract::signature`], and on what
//! values of a type look like and mean, the [`definitions`].
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::base::Db;
use crate::lower::{ItemId, ItemKind};
use crate::mir::mir;
use crate::mono::{Instance, InstanceKind, item_name, ty_text};
use crate::types::thir::Local;
use crate::types::{Ty, check_body, form_data, pick_data};

/// What a function and those around it rely on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// How it is called: parameters with the way in which each is passed, the result, and for a lambda what it
    /// caught. Equal texts mean that code which calls one of two functions can call the other.
    pub signature: String,
    /// The forms and picks whose values it handles, each once.
    pub types: Vec<ItemId>,
}

/// The contract of an instance. Takes time in proportion to its body.
pub fn contract(db: &dyn Db, instance: Instance) -> Contract {
    let mir = mir(db, instance);
    let mut types = Vec::new();
    for local in &mir.locals {
        named_types(&local.ty, &mut types);
    }
    named_types(&mir.ret, &mut types);
    let mut signature = String::new();
    for (mode, local) in mir.params.iter().zip(&mir.locals) {
        let _ = write!(signature, "{mode:?} {}, ", ty_text(db, &local.ty));
    }
    let _ = write!(signature, "-> {}", ty_text(db, &mir.ret));
    if let InstanceKind::Lambda(item, args, index) = instance.kind(db)
        && let Some(lambda) = check_body(db, *item).body.lambdas.get(*index as usize)
    {
        let caught: &[Local] = lambda.locals.get(..lambda.captures).unwrap_or_default();
        for local in caught {
            let ty = local.ty.subst(args);
            let _ = write!(signature, " caught {}", ty_text(db, &ty));
            named_types(&ty, &mut types);
        }
    }
    Contract { signature, types }
}

/// Adds the forms and picks that a type is made of.
fn named_types(ty: &Ty, out: &mut Vec<ItemId>) {
    let mut work = vec![ty];
    while let Some(ty) = work.pop() {
        if let Ty::Form(item, _) | Ty::Pick(item, _) = ty
            && !out.contains(item)
        {
            out.push(*item);
        }
        ty.for_each_part(|part| work.push(part));
    }
}

/// What values of the forms and picks `items`, and of those that they hold, look like: by full name, the fields
/// or variants in order. Names count, because a value keeps its meaning by them.
pub fn definitions(db: &dyn Db, items: impl IntoIterator<Item = ItemId>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut work: Vec<ItemId> = items.into_iter().collect();
    while let Some(item) = work.pop() {
        let name = item_name(db, item);
        if found.contains_key(&name) {
            continue;
        }
        let mut text = String::new();
        let mut field = |text: &mut String, name: &str, ty: &Ty| {
            let _ = write!(text, "{name}: {}; ", ty_text(db, ty));
            named_types(ty, &mut work);
        };
        match item.kind(db) {
            ItemKind::Form => {
                let data = form_data(db, item);
                let _ = write!(text, "form of {:?}: ", data.generics);
                for (name, ty) in &data.fields {
                    field(&mut text, name.as_str(), ty);
                }
            }
            ItemKind::Pick => {
                let data = pick_data(db, item);
                let _ = write!(text, "pick of {:?}: ", data.generics);
                for variant in &data.variants {
                    let _ = write!(text, "{} = {} (", variant.name, variant.ordinal);
                    for (name, ty) in &variant.fields {
                        field(&mut text, name.as_ref().map_or("", |name| name.as_str()), ty);
                    }
                    text.push_str("), ");
                }
            }
            // No values have such an item for their type.
            ItemKind::Proc
            | ItemKind::Const
            | ItemKind::Alias
            | ItemKind::Trait
            | ItemKind::Impl
            | ItemKind::Use
            | ItemKind::Export
            | ItemKind::StaticAssert
            | ItemKind::Unsupported => continue,
        }
        found.insert(name, text);
    }
    found
}
