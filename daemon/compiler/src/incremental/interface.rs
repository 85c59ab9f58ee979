//! What others can see of a module.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, FileContents, Name, SourceFile};
use crate::consteval::{ConstValue, const_value};
use crate::lower::hir::{ItemHir, ProcSig};
use crate::lower::{ItemId, ItemKind, item_hir, item_tree, proc_signature};
use crate::mir::{PassMode, pass_modes, walk};
use crate::mono::{Instance, InstanceKind};
use crate::opt::inlinable_body;
use crate::ssa::{CodeOptions, Function};
use crate::types::data::{CheckedBody, FormData, PickData, ProcData};
use crate::types::program::local_procs;
use crate::types::scope::{Imports, imports, own_items};
use crate::types::signature::AliasData;
use crate::types::thir::{Block, Callee, Expr, ExprKind};
use crate::types::traits::{Generics, ImplData, generics, impl_data};
use crate::types::{Ty, alias_data, check_body, const_ty, default_value, form_data, pick_data, proc_data};

/// A map by small numbers, for which a cheap hash is good enough.
type ByItem<T> = HashMap<ItemId, T, BuildHasherDefault<rustc_hash::FxHasher>>;

/// All of a module that what is known about other modules can depend on, except positions and what only
/// messages about errors mention.
///
/// Equal interfaces mean: every query about an item of another module that was free of diagnostics gives
/// what it gave before.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    state: State,
    imports: Arc<Imports>,
    export_all: bool,
    /// Public name to what it stands for: items of this module, or names that its imports bind.
    exports: BTreeMap<Name, Vec<(Name, Option<ItemId>)>>,
    items: ByItem<Item>,
    procs: ByItem<Proc>,
    is_calling: bool,
}

/// What stands at the module's path.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Missing,
    Folder,
    Text,
    NotUtf8,
    Unreadable(Arc<str>),
}

/// An item that is no proc. Private ones too: a public proc may give values of a private type.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    hir: Arc<ItemHir>,
    resolved: Resolved,
}

#[derive(Clone, Debug, PartialEq)]
enum Resolved {
    Form(Arc<FormData>),
    Pick(Arc<PickData>),
    Alias(Arc<AliasData>),
    Const(Ty, Result<ConstValue, Diagnostics>),
    Trait(Arc<Generics>),
    Impl(Arc<Generics>, Arc<ImplData>),
    Other,
}

/// A proc. Private ones too: a body that is inlined elsewhere may call them.
#[derive(Clone, Debug, PartialEq)]
struct Proc {
    exported: bool,
    signature: Option<Arc<ProcSig>>,
    data: Arc<ProcData>,
    defaults: Vec<Option<Arc<CheckedBody>>>,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    /// Its callers see how it takes its arguments.
    Plain(Arc<[PassMode]>),
    /// Users make instances of it, from all of it.
    Generic(Arc<CheckedBody>),
}

impl Interface {
    /// Whether all that others may have seen of `old` is here and the same. Procs that are new, and
    /// private ones that are gone, are none of that: whoever saw those did so through something that
    /// mentions them, and is not the same.
    pub fn keeps(&self, old: &Self) -> bool {
        let Self { state, imports, export_all, exports, items, procs, is_calling } = self;
        *state == old.state
            && *imports == old.imports
            && *export_all == old.export_all
            && *exports == old.exports
            && *items == old.items
            && *is_calling == old.is_calling
            && old.procs.iter().all(|(item, old)| match procs.get(item) {
                Some(new) => new == old,
                None => !old.exported,
            })
    }

    /// Whether it imports what `old` does.
    pub(super) fn has_imports_of(&self, old: &Self) -> bool {
        self.state == old.state && self.imports == old.imports
    }

    /// Whether the values of its consts, or what it asserts about them, need procs to be called: then they
    /// depend on bodies that no interface shows.
    pub fn is_calling(&self) -> bool {
        self.is_calling
    }
}

/// The interface of a module. Linear in its items.
#[salsa::tracked(returns(ref))]
pub fn module_interface(db: &dyn Db, file: SourceFile) -> Arc<Interface> {
    let state = match file.contents(db) {
        FileContents::Missing => State::Missing,
        FileContents::Folder => State::Folder,
        FileContents::Text(_) => State::Text,
        FileContents::NotUtf8(_) => State::NotUtf8,
        FileContents::Unreadable(reason) => State::Unreadable(reason),
    };
    let own = own_items(db, file);
    let exported = |locals: &[Name]| {
        let named = locals.iter().map(|local| (local.clone(), own.items.get(local).copied()));
        named.collect::<Vec<_>>()
    };
    let mut exports: BTreeMap<_, _> =
        own.exports.iter().map(|(public, locals)| (public.clone(), exported(locals))).collect();
    if own.export_all {
        for (name, item) in &own.items {
            exports.entry(name.clone()).or_insert_with(|| vec![(name.clone(), Some(*item))]);
        }
    }
    let (mut items, mut procs) = (ByItem::default(), ByItem::default());
    let mut is_calling = false;
    let public: HashSet<ItemId> = exports.values().flatten().filter_map(|(_, item)| *item).collect();
    let mut work: Vec<ItemId> = item_tree(db, file).items.iter().map(|entry| entry.id).collect();
    while let Some(item) = work.pop() {
        match item.kind(db) {
            ItemKind::Proc => {
                procs.insert(item, proc(db, item, public.contains(&item)));
                work.extend(local_procs(db, item).iter().copied());
            }
            kind => {
                is_calling |= matches!(kind, ItemKind::Const | ItemKind::StaticAssert)
                    && calls_procs(&check_body(db, item).body.block);
                items.insert(item, other(db, item));
            }
        }
    }
    Arc::new(Interface {
        state,
        imports: imports(db, file).clone(),
        export_all: own.export_all,
        exports,
        items,
        procs,
        is_calling,
    })
}

fn other(db: &dyn Db, item: ItemId) -> Item {
    let resolved = match item.kind(db) {
        ItemKind::Form => Resolved::Form(form_data(db, item).clone()),
        ItemKind::Pick => Resolved::Pick(pick_data(db, item).clone()),
        ItemKind::Alias => Resolved::Alias(alias_data(db, item).clone()),
        ItemKind::Const => Resolved::Const(const_ty(db, item).clone(), const_value(db, item).clone()),
        ItemKind::Trait => Resolved::Trait(generics(db, item).clone()),
        ItemKind::Impl => Resolved::Impl(generics(db, item).clone(), impl_data(db, item).clone()),
        ItemKind::Proc
        | ItemKind::Use
        | ItemKind::Export
        | ItemKind::StaticAssert
        | ItemKind::Unsupported => Resolved::Other,
    };
    Item { hir: item_hir(db, item).clone(), resolved }
}

fn proc(db: &dyn Db, item: ItemId, exported: bool) -> Proc {
    let data = proc_data(db, item).clone();
    let body = if data.generics.is_empty() {
        Body::Plain(pass_modes(db, plain_instance(db, item)).clone())
    } else {
        Body::Generic(check_body(db, item).clone())
    };
    Proc {
        exported,
        signature: proc_signature(db, item).clone(),
        defaults: (0..).zip(&data.params).map(|(index, _)| default_value(db, item, index).clone()).collect(),
        data,
        body,
    }
}

fn plain_instance(db: &dyn Db, item: ItemId) -> Instance {
    Instance::new(db, InstanceKind::Proc(item, Vec::new()))
}

fn calls_procs(block: &Block) -> bool {
    fn visit(expr: &Expr, found: &mut bool) {
        match &expr.kind {
            ExprKind::Call { callee: Callee::Proc(..) | Callee::Value(_), .. } => *found = true,
            _ => stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
                walk::children(expr, &mut |below| visit(below, found));
            }),
        }
    }
    let mut found = false;
    walk::block_children(block, &mut |expr| visit(expr, &mut found));
    found
}

/// The code of a module that others take in: the bodies of its procs that the inliner may copy.
///
/// Generic procs are missing, since their [`Interface`] shows all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineBodies {
    procs: ByItem<Option<Arc<Function>>>,
}

impl InlineBodies {
    /// As [`Interface::keeps`], which must hold too.
    pub fn keeps(&self, old: &Self) -> bool {
        old.procs.iter().all(|(item, old)| self.procs.get(item).is_none_or(|new| new == old))
    }
}

/// The bodies of a module's procs that the inliner may copy at the level of `options`.
#[salsa::tracked(returns(ref))]
pub fn inline_bodies(db: &dyn Db, file: SourceFile, options: CodeOptions) -> Arc<InlineBodies> {
    let mut procs = ByItem::default();
    let mut work: Vec<ItemId> = item_tree(db, file).items.iter().map(|entry| entry.id).collect();
    while let Some(item) = work.pop() {
        if item.kind(db) == ItemKind::Proc {
            work.extend(local_procs(db, item).iter().copied());
            let data = proc_data(db, item);
            if data.generics.is_empty() && data.has_body {
                procs.insert(item, inlinable_body(db, plain_instance(db, item), options));
            }
        }
    }
    Arc::new(InlineBodies { procs })
}
