//! Paths and bare names: what they stand for in a module.
use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes;
use super::scope::{Binding, ambiguous, exported, missing_export, module_scope, own_items};
use super::signature::alias_data;
use super::ty::Ty;
use crate::base::spelling::meant;
use crate::base::{Db, Diagnostic, Name, Phase, Place, SourceFile, SourcePath};
use crate::lower::hir::{Ident, ItemHir};
use crate::lower::{ItemId, ItemKind, NodeId, item_hir};

/// Types of the prelude that are in scope everywhere under their own name.
const PRELUDE_TYPES: [&str; 2] = ["Option", "Result"];

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A proc, form, pick, const or alias.
    Item(ItemId),
    /// A variant of a pick, by index.
    Variant {
        /// The pick; an alias of it was followed.
        pick: ItemId,
        /// Index among its variants.
        index: u32,
    },
    /// A module: a lone qualifier.
    Module(SourceFile),
}

/// Result of [`resolve_path`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedPath {
    /// Found after `used` segments (at least one). What follows are members of a value, such as the
    /// fields of a const; nothing follows a variant or a module.
    Found {
        /// What it is.
        resolution: Resolution,
        /// How many segments it took.
        used: usize,
    },
    /// The module knows nothing by the name of the first segment. The caller, who knows the locals,
    /// reports it (see [`names_in_scope`]).
    Unknown,
    /// An error; `None` if it was reported elsewhere.
    Failed(Option<Box<Diagnostic>>),
}

/// Resolves `qualifier.item`, `Type.Variant`, `qualifier.Type.Variant` or a plain item name, as used
/// in `owner`. Locals and type parameters are the caller's business and come before this.
pub fn resolve_path(db: &dyn Db, owner: ItemId, segments: &[Ident]) -> ResolvedPath {
    let file = owner.file(db);
    let scope = module_scope(db, file);
    let Some((first, rest)) = segments.split_first() else {
        return ResolvedPath::Failed(None);
    };
    let place = |ident: &Ident| Place::Node(owner, ident.node);
    if let Some(member) = rest.first() {
        match scope.qualifier(&first.name) {
            Some(&Binding::Module(module)) => {
                // An item of the qualifier's name is asked only for what the module does not have:
                // `use demo/color` beside `pick color { .. }`.
                let items = exported(db, module, member.name.clone());
                return match items.as_slice() {
                    [item] => below(db, owner, *item, &segments[1..], 2),
                    [] => match scope.item(&first.name) {
                        Some(Binding::Item(item)) => below(db, owner, *item, segments, 1),
                        Some(_) => ResolvedPath::Failed(None),
                        None => fail(missing_export(db, module, &member.name, place(member))),
                    },
                    several => fail(ambiguous(db, &member.name, several, place(member))),
                };
            }
            Some(_) => return ResolvedPath::Failed(None),
            None => {}
        }
    }
    match lookup_name(db, file, &first.name) {
        Some(Binding::Item(item)) => below(db, owner, item, segments, 1),
        Some(Binding::Module(module)) => {
            ResolvedPath::Found { resolution: Resolution::Module(module), used: 1 }
        }
        Some(Binding::Ambiguous(items)) => fail(ambiguous(db, &first.name, &items, place(first))),
        Some(Binding::Error) => ResolvedPath::Failed(None),
        None if scope.incomplete => ResolvedPath::Failed(None),
        None => ResolvedPath::Unknown,
    }
}

fn fail(diagnostic: Diagnostic) -> ResolvedPath {
    ResolvedPath::Failed(Some(Box::new(diagnostic)))
}

/// The path led to `item`, named by the first of `segments`, `used` segments of the whole in.
fn below(db: &dyn Db, owner: ItemId, item: ItemId, segments: &[Ident], used: usize) -> ResolvedPath {
    let found = ResolvedPath::Found { resolution: Resolution::Item(item), used };
    let (Some(name), Some(member)) = (segments.first(), segments.get(1)) else {
        return found;
    };
    let kind = match item.kind(db) {
        ItemKind::Pick => "pick",
        ItemKind::Form => "form",
        ItemKind::Alias => match &alias_data(db, item).ty {
            Ty::Pick(pick, _) => return below_pick(db, owner, *pick, name, member, used),
            Ty::Error => return ResolvedPath::Failed(None),
            _ => "type",
        },
        ItemKind::Unsupported => return ResolvedPath::Failed(None),
        ItemKind::Trait | ItemKind::Impl => return found,
        // Members of a value, or an error that the type checker words better.
        ItemKind::Proc | ItemKind::Const | ItemKind::Use | ItemKind::Export | ItemKind::StaticAssert => {
            return found;
        }
    };
    if kind == "pick" {
        return below_pick(db, owner, item, name, member, used);
    }
    fail(
        Diagnostic::error(
            codes::UNKNOWN_MEMBER,
            Phase::Typeck,
            Place::Node(owner, member.node),
            format!("the {kind} `{}` has no member `{}`", name.name, member.name),
            "not a member of this type",
        )
        .label(Place::Node(item, NodeId(0)), format!("`{}` is declared here", item.name(db)))
        .note("only picks have members of their own: their variants")
        .help("fields belong to values: write `value.field`"),
    )
}

fn below_pick(
    db: &dyn Db,
    owner: ItemId,
    pick: ItemId,
    name: &Ident,
    member: &Ident,
    used: usize,
) -> ResolvedPath {
    let variants = variant_names(db, pick);
    if let Some(index) = variants.iter().position(|variant| *variant == member.name) {
        let resolution = Resolution::Variant { pick, index: index as u32 };
        return ResolvedPath::Found { resolution, used: used + 1 };
    }
    let place = Place::Node(owner, member.node);
    let diagnostic = Diagnostic::error(
        codes::UNKNOWN_MEMBER,
        Phase::Typeck,
        place,
        format!("the pick `{}` has no variant `{}`", name.name, member.name),
        "unknown variant",
    )
    .label(Place::Node(pick, NodeId(0)), format!("`{}` is declared here", pick.name(db)));
    let list: Vec<String> = variants.iter().map(|variant| format!("`{variant}`")).collect();
    let diagnostic = match list.as_slice() {
        [] => diagnostic.note("the pick has no variants"),
        list => diagnostic.note(format!("its variants are {}", list.join(", "))),
    };
    fail(match meant(&member.name, variants.iter().map(Name::as_str)) {
        Some((meant, sure)) => diagnostic.suggest(place, meant, format!("did you mean `{meant}`?"), sure),
        None => diagnostic.help(format!("add `{}` to the pick, or name one of its variants", member.name)),
    })
}

/// What `name` stands for at module level in `file`: its own items and imports, then the types of the
/// prelude. Built-in procs of §9 are not among them: look them up with [`core_item`].
pub fn lookup_name(db: &dyn Db, file: SourceFile, name: &Name) -> Option<Binding> {
    if let Some(binding) = module_scope(db, file).lookup(name) {
        return Some(binding.clone());
    }
    prelude_type(db, name).map(Binding::Item)
}

fn prelude_type(db: &dyn Db, name: &str) -> Option<ItemId> {
    if PRELUDE_TYPES.contains(&name) { core_item(db, ItemKind::Pick, name) } else { None }
}

/// An item of the prelude by name, whether its module exports it or not.
pub fn core_item(db: &dyn Db, kind: ItemKind, name: &str) -> Option<ItemId> {
    let prelude = db.file(&SourcePath { root: "core".into(), path: "prelude.vit".into() });
    let own = own_items(db, prelude).items.get(name).copied();
    let is_kind = |item: &ItemId| item.kind(db) == kind;
    own.filter(is_kind).or_else(|| exported(db, prelude, Name::new(name)).iter().copied().find(is_kind))
}

/// The variants called `name` of the picks in scope: the module's own and imported ones, and if there
/// are none, those of `Option` and `Result`. In order of path and name.
pub fn variants_in_scope(db: &dyn Db, file: SourceFile, name: &str) -> Vec<(ItemId, u32)> {
    scope_variants(db, file).get(name).cloned().unwrap_or_default()
}

/// Every variant that can be written bare in `file`, by name.
#[salsa::tracked(returns(ref))]
pub fn scope_variants(db: &dyn Db, file: SourceFile) -> Arc<BTreeMap<Name, Vec<(ItemId, u32)>>> {
    let scope = module_scope(db, file);
    let mut picks = Vec::new();
    for (_, binding) in scope.items() {
        if let Binding::Item(item) = binding
            && item.kind(db) == ItemKind::Pick
        {
            picks.push(*item);
        }
    }
    super::scope::sort_items(db, &mut picks);
    let mut variants: BTreeMap<Name, Vec<(ItemId, u32)>> = BTreeMap::new();
    for pick in picks {
        for (index, name) in variant_names(db, pick).iter().enumerate() {
            variants.entry(name.clone()).or_default().push((pick, index as u32));
        }
    }
    let mut prelude: BTreeMap<Name, Vec<(ItemId, u32)>> = BTreeMap::new();
    for pick in PRELUDE_TYPES
        .iter()
        .filter(|name| scope.item(name).is_none())
        .filter_map(|name| prelude_type(db, name))
    {
        for (index, name) in variant_names(db, pick).iter().enumerate() {
            prelude.entry(name.clone()).or_default().push((pick, index as u32));
        }
    }
    for (name, found) in prelude {
        variants.entry(name).or_insert(found);
    }
    Arc::new(variants)
}

/// Names of a pick's variants, in order.
#[salsa::tracked(returns(ref))]
pub fn variant_names(db: &dyn Db, pick: ItemId) -> Arc<[Name]> {
    match &**item_hir(db, pick) {
        ItemHir::Pick(hir) => hir.variants.iter().map(|variant| variant.name.name.clone()).collect(),
        ItemHir::Missing
        | ItemHir::Proc(_)
        | ItemHir::Form(_)
        | ItemHir::Const(_)
        | ItemHir::Alias(_)
        | ItemHir::Trait(_)
        | ItemHir::Impl(_)
        | ItemHir::StaticAssert(..) => Arc::from([]),
    }
}

/// Every name that an expression in `file` can start with, but for locals and built-in procs:
/// items, qualifiers and bare variants, sorted. For spelling hints.
pub fn names_in_scope(db: &dyn Db, file: SourceFile) -> Vec<Name> {
    let scope = module_scope(db, file);
    let mut names: Vec<Name> =
        scope.items().chain(scope.qualifiers()).map(|(name, _)| name.clone()).collect();
    names.extend(scope_variants(db, file).keys().cloned());
    names.extend(PRELUDE_TYPES.iter().map(|name| Name::new_static(name)));
    names.sort();
    names.dedup();
    names
}
