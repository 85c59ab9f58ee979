//! What a name in a body means: block scopes first, then the module, then the prelude.
use std::collections::HashMap;

use super::super::thir::LocalId;
use crate::base::{Db, Name, SourceFile};
use crate::lower::hir::ItemHir;
use crate::lower::{ItemId, ItemKind, item_hir};
use crate::types::{Binding, exports as module_exports, lookup_name, module_scope, names_in_scope};

/// A name bound in a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// A parameter, `let` or pattern binding.
    Local(LocalId),
    /// A local proc.
    Proc(ItemId),
}

/// The block scopes around the present place.
#[derive(Default)]
pub(super) struct Scopes {
    /// Bindings of each name, innermost last, with the depth of their scope.
    bound: HashMap<Name, Vec<(usize, Bound)>>,
    /// Names bound in each open scope.
    open: Vec<Vec<Name>>,
}

impl Scopes {
    /// Opens a scope.
    pub(super) fn open(&mut self) {
        self.open.push(Vec::new());
    }

    /// Closes the innermost scope and forgets its names.
    pub(super) fn close(&mut self) {
        for name in self.open.pop().unwrap_or_default() {
            if let Some(stack) = self.bound.get_mut(&name) {
                stack.pop();
                if stack.is_empty() {
                    self.bound.remove(&name);
                }
            }
        }
    }

    /// Binds a name in the innermost scope.
    pub(super) fn bind(&mut self, name: Name, bound: Bound) {
        let depth = self.open.len();
        if let Some(scope) = self.open.last_mut() {
            scope.push(name.clone());
            self.bound.entry(name).or_default().push((depth, bound));
        }
    }

    /// The innermost binding of a name, and whether it is in the innermost scope.
    pub(super) fn find(&self, name: &str) -> Option<(Bound, bool)> {
        let (depth, bound) = self.bound.get(name)?.last()?;
        Some((*bound, *depth == self.open.len()))
    }

    /// All names in scope, in no order.
    pub(super) fn visible(&self) -> impl Iterator<Item = &Name> {
        self.bound.keys()
    }
}

/// What a module-level name stands for.
#[derive(Clone, Debug)]
pub(super) enum Entity {
    /// An import qualifier.
    Module(SourceFile),
    /// A declared or imported item.
    Item(ItemId),
    /// Several different items.
    Ambiguous(Vec<ItemId>),
    /// An import that failed and was reported.
    Reported,
}

fn entity(binding: &Binding) -> Entity {
    match binding {
        Binding::Module(file) => Entity::Module(*file),
        Binding::Item(item) => Entity::Item(*item),
        Binding::Ambiguous(items) => Entity::Ambiguous(items.clone()),
        Binding::Error => Entity::Reported,
    }
}

/// A name as a module sees it; an item before a qualifier.
pub(super) fn lookup(db: &dyn Db, file: SourceFile, name: &Name) -> Option<Entity> {
    lookup_name(db, file, name).as_ref().map(entity)
}

/// A name before a dot: a qualifier before an item.
pub(super) fn lookup_qualifier(db: &dyn Db, file: SourceFile, name: &Name) -> Option<Entity> {
    match module_scope(db, file).qualifier(name) {
        Some(binding) => Some(entity(binding)),
        None => lookup(db, file, name),
    }
}

/// Whether unknown names of a module may come from a glob import that failed.
pub(super) fn is_incomplete(db: &dyn Db, file: SourceFile) -> bool {
    module_scope(db, file).incomplete
}

/// A name that a module exports.
pub(super) fn lookup_in(db: &dyn Db, module: SourceFile, name: &str) -> Option<Entity> {
    module_exports(db, module).get(name).map(entity)
}

/// The names that a module sees, sorted.
pub(super) fn module_names(db: &dyn Db, file: SourceFile) -> Vec<Name> {
    names_in_scope(db, file)
}

/// The item that a name means in a module, if it means one.
pub(super) fn item_named(db: &dyn Db, file: SourceFile, name: &str) -> Option<ItemId> {
    match module_scope(db, file).item(name)? {
        Binding::Item(item) => Some(*item),
        Binding::Module(_) | Binding::Ambiguous(_) | Binding::Error => None,
    }
}

/// A proc that a module itself declares.
pub(super) fn own_item(db: &dyn Db, file: SourceFile, name: &str) -> Option<ItemId> {
    let item = ItemId::new(db, file, ItemKind::Proc, Name::new(name), 0);
    (!matches!(item_hir(db, item).as_ref(), ItemHir::Missing)).then_some(item)
}

/// A local proc of a proc that stands around the item being checked: `outer.name`, nearest first.
pub(super) fn enclosing_proc(db: &dyn Db, item: ItemId, name: &str) -> Option<ItemId> {
    let mut prefix = item.name(db).as_str();
    if item.kind(db) != ItemKind::Proc || !prefix.contains('.') {
        return None;
    }
    while let Some((outer, _)) = prefix.rsplit_once('.') {
        if let Some(found) = own_item(db, item.file(db), &format!("{outer}.{name}")) {
            return Some(found);
        }
        prefix = outer;
    }
    None
}

/// The name of a local proc or member as written, without those of what is around it.
pub(super) fn short_name(name: &str) -> &str {
    let member = name.rsplit("::").next().unwrap_or(name);
    member.rsplit('.').next().unwrap_or(member)
}

/// What an item is, in words.
pub(super) fn kind_name(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Proc => "proc",
        ItemKind::Form => "form",
        ItemKind::Pick => "pick",
        ItemKind::Const => "const",
        ItemKind::Alias => "type",
        ItemKind::Trait => "trait",
        ItemKind::Impl => "impl",
        ItemKind::Use | ItemKind::Export | ItemKind::StaticAssert | ItemKind::Unsupported => "item",
    }
}
