//! What each module declares, imports, exports and can see (§2.2 and §2.3 of the reference).
//!
//! Qualifiers (`use a/b` binds `b`) and items have separate namespaces: `b.f` asks the qualifiers
//! first, a lone `b` the items.
//!
//! Modules may import each other in circles, so an export is not found by asking the importing
//! module's scope. [`exported`] walks the graph of re-exports for one name with a set of places
//! already seen; each step reads only queries about one file, and the walk's result is the least
//! fixpoint by construction.
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::codes;
use super::modules::{FoundModule, ModuleNotFound, resolve_module, unreadable};
use crate::base::diagnostic::Diagnostics;
use crate::base::spelling::{meant, nearest};
use crate::base::{Applicability, Db, Diagnostic, FileContents, Name, Phase, Place, SourceFile, SourcePath};
use crate::lower::hir::{ExportKind, Ident, UseAnchor, UseDecl, UseKind};
use crate::lower::{ItemId, ItemKind, NodeId, item_tree};
use crate::runtime::CORE_ROOT;

/// What a name stands for in a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// An item, of this module or another.
    Item(ItemId),
    /// An import qualifier.
    Module(SourceFile),
    /// Several items; an error where the name is used. In order of path and name.
    Ambiguous(Vec<ItemId>),
    /// An import that failed and was reported; uses of the name say nothing more.
    Error,
}

/// The names that a module's items can use, without the prelude's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleScope {
    items: BTreeMap<Name, Binding>,
    qualifiers: BTreeMap<Name, Binding>,
    /// A glob import failed, so an unknown name may be one of its names.
    pub incomplete: bool,
}

impl ModuleScope {
    /// What `name` stands for: an item, else a qualifier.
    pub fn lookup(&self, name: &str) -> Option<&Binding> {
        self.items.get(name).or_else(|| self.qualifiers.get(name))
    }

    /// The item that `name` stands for.
    pub fn item(&self, name: &str) -> Option<&Binding> {
        self.items.get(name)
    }

    /// The module that `name` qualifies: [`Binding::Module`] or [`Binding::Error`].
    pub fn qualifier(&self, name: &str) -> Option<&Binding> {
        self.qualifiers.get(name)
    }

    /// Items by name, in alphabetical order.
    pub fn items(&self) -> impl Iterator<Item = (&Name, &Binding)> {
        self.items.iter()
    }

    /// Qualifiers by name, in alphabetical order.
    pub fn qualifiers(&self) -> impl Iterator<Item = (&Name, &Binding)> {
        self.qualifiers.iter()
    }
}

/// What a module declares itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnItems {
    /// By name; of duplicates the first.
    pub items: BTreeMap<Name, ItemId>,
    /// `export *`
    pub export_all: bool,
    /// Public name to local names; more than one local name is an error.
    pub exports: BTreeMap<Name, Vec<Name>>,
}

/// What a module's `use` declarations bind; the names in the target modules are not looked up yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// In source order.
    pub bindings: Vec<Import>,
    /// Names bound by imports whose module was not found.
    pub unresolved: BTreeSet<Name>,
    /// A glob's module was not found.
    pub unresolved_glob: bool,
    /// Modules not found.
    pub diagnostics: Vec<Diagnostic>,
}

/// One bound name (or glob) of a `use`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The `use`.
    pub decl: ItemId,
    /// Where the bound name stands.
    pub node: NodeId,
    /// The module it comes from.
    pub module: SourceFile,
    /// What is bound.
    pub kind: ImportKind,
}

/// What an [`Import`] binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// The module itself, under this qualifier.
    Qualifier(Name),
    /// One name.
    Name {
        /// As used here.
        local: Name,
        /// As exported there.
        original: Ident,
    },
    /// Every exported name.
    Glob,
}

/// The items and exports that a file declares itself.
#[salsa::tracked(returns(ref))]
pub fn own_items(db: &dyn Db, file: SourceFile) -> Arc<OwnItems> {
    let tree = item_tree(db, file);
    let mut own = OwnItems::default();
    for entry in &tree.items {
        let name = entry.id.name(db);
        let kind_has_name = match entry.id.kind(db) {
            ItemKind::Proc
            | ItemKind::Form
            | ItemKind::Pick
            | ItemKind::Const
            | ItemKind::Alias
            | ItemKind::Trait
            | ItemKind::Unsupported => true,
            ItemKind::Impl | ItemKind::Use | ItemKind::Export | ItemKind::StaticAssert => false,
        };
        if entry.duplicate || entry.member || name.is_empty() || !kind_has_name {
            continue;
        }
        own.items.entry(name.clone()).or_insert(entry.id);
        if entry.exported {
            own.exports.entry(name.clone()).or_insert_with(|| vec![name.clone()]);
        }
    }
    for export in &tree.exports {
        match &export.kind {
            ExportKind::All => own.export_all = true,
            ExportKind::Names(names) => {
                for (local, public) in names {
                    let public = public.as_ref().unwrap_or(local);
                    let locals = own.exports.entry(public.name.clone()).or_default();
                    if !locals.contains(&local.name) {
                        locals.push(local.name.clone());
                    }
                }
            }
        }
    }
    Arc::new(own)
}

/// A file's imports with their modules found.
#[salsa::tracked(returns(ref))]
pub fn imports(db: &dyn Db, file: SourceFile) -> Arc<Imports> {
    let mut imports = Imports::default();
    for decl in &item_tree(db, file).uses {
        import(db, file, decl, &mut imports);
    }
    Arc::new(imports)
}

fn import(db: &dyn Db, file: SourceFile, decl: &UseDecl, imports: &mut Imports) {
    let path: Vec<Name> = decl.path.iter().map(|segment| segment.name.clone()).collect();
    let Some(last) = decl.path.last() else {
        return; // the parser reported it
    };
    let found = resolve_module(db, file, decl.anchor, &path);
    let item_of_module = |found: &Result<FoundModule, ModuleNotFound>| match (found, &decl.kind) {
        (Err(_), UseKind::ModuleOrItem { .. }) if path.len() > 1 => {
            resolve_module(db, file, decl.anchor, &path[..path.len() - 1]).ok()
        }
        _ => None,
    };
    let place = Place::Node(decl.id, NodeId(0));
    let mut bind = |node, module, kind| imports.bindings.push(Import { decl: decl.id, node, module, kind });
    if let Some(module) = item_of_module(&found) {
        let UseKind::ModuleOrItem { alias } = &decl.kind else { return };
        let bound = alias.as_ref().unwrap_or(last);
        let kind = ImportKind::Name { local: bound.name.clone(), original: last.clone() };
        bind(bound.node, module.file, kind);
        return;
    }
    match found {
        Ok(FoundModule { file: module, shadowed }) => {
            match &decl.kind {
                UseKind::Module { alias } | UseKind::ModuleOrItem { alias } => {
                    let bound = alias.as_ref().unwrap_or(last);
                    bind(bound.node, module, ImportKind::Qualifier(bound.name.clone()));
                }
                UseKind::Group(names) => {
                    for (original, alias) in names {
                        let bound = alias.as_ref().unwrap_or(original);
                        let kind = ImportKind::Name { local: bound.name.clone(), original: original.clone() };
                        bind(bound.node, module, kind);
                    }
                }
                UseKind::Glob => bind(NodeId(0), module, ImportKind::Glob),
            }
            if let Some(reason) = unreadable(db, module) {
                imports.diagnostics.push(unreadable_module(db, place, &path, module, &reason));
            }
            if let Some(other) = shadowed {
                imports.diagnostics.push(shadowed_module(db, place, &path, module, other));
            }
        }
        Err(error) => {
            match &decl.kind {
                UseKind::Module { alias } | UseKind::ModuleOrItem { alias } => {
                    imports.unresolved.insert(alias.as_ref().unwrap_or(last).name.clone());
                }
                UseKind::Group(names) => {
                    let bound = names.iter().map(|(name, alias)| alias.as_ref().unwrap_or(name).name.clone());
                    imports.unresolved.extend(bound);
                }
                UseKind::Glob => imports.unresolved_glob = true,
            }
            imports.diagnostics.push(module_not_found(db, file, decl, &path, &error));
        }
    }
}

fn shadowed_module(
    db: &dyn Db,
    place: Place,
    path: &[Name],
    used: SourceFile,
    other: SourceFile,
) -> Diagnostic {
    let name = path.join("/");
    Diagnostic::warning(
        codes::MODULE_SHADOWED,
        Phase::Resolver,
        place,
        format!("two files fit the module `{name}`"),
        format!("this is `{}`", used.path(db)),
    )
    .note(format!("`{}` fits too and is not used", other.path(db)))
    .help("rename or remove one of the two files")
}

fn unreadable_module(db: &dyn Db, place: Place, path: &[Name], file: SourceFile, reason: &str) -> Diagnostic {
    Diagnostic::error(
        codes::MODULE_NOT_FOUND,
        Phase::Resolver,
        place,
        format!("module `{}` cannot be read", path.join("/")),
        format!("this is `{}`", file.path(db)),
    )
    .note(reason)
    .help("make the file readable, or correct the path")
}

fn module_not_found(
    db: &dyn Db,
    file: SourceFile,
    decl: &UseDecl,
    path: &[Name],
    error: &ModuleNotFound,
) -> Diagnostic {
    const SHOWN: usize = 8;
    let name = path.join("/");
    let place = Place::Node(decl.id, NodeId(0));
    let mut diagnostic = Diagnostic::error(
        codes::MODULE_NOT_FOUND,
        Phase::Resolver,
        place,
        format!("module `{name}` not found"),
        "no file for this module",
    );
    if error.tried.is_empty() {
        diagnostic = diagnostic.note("the path leads out of the workspace");
    } else {
        let tried: Vec<String> = error.tried.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
        let rest = match error.tried.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        diagnostic = diagnostic.note(format!("looked for {}{rest}", tried.join(", ")));
    }
    if let Some(meant) = similar_module(db, file, decl.anchor, &name) {
        diagnostic = diagnostic.suggest(
            place,
            meant.clone(),
            format!("a module with a similar name exists: `{meant}`"),
            Applicability::MaybeIncorrect,
        );
    }
    if let Some(parent) = path.len().checked_sub(1).filter(|&n| n > 0) {
        // `use a/b/item` for `use a/b.{item}`.
        let (item, module) = (&path[parent], &path[..parent]);
        if let Ok(found) = resolve_module(db, file, decl.anchor, module)
            && own_items(db, found.file).items.contains_key(item)
        {
            return diagnostic.help(format!(
                "`{item}` is an item of the module `{0}`: write `use {0}.{{{item}}}`",
                module.join("/")
            ));
        }
    }
    let is_folder = |path: &&SourcePath| matches!(db.file(path).contents(db), FileContents::Folder);
    if let Some(folder) = error.tried.iter().find(is_folder) {
        return diagnostic
            .note(format!("`{folder}` is a folder, not a file"))
            .help("rename the folder, or correct the path");
    }
    diagnostic.help(match error.tried.first() {
        Some(first) => format!("create `{first}`, or correct the path"),
        None => "correct the path".to_owned(),
    })
}

/// Files with more `use`s than this get no spelling hints for modules.
const HINTED_USES_MAX: usize = 200;

/// The nearest path to `name` among those that this file and the modules it imports write in their
/// `use`s, if it names a module from here.
///
/// The compiler cannot list folders (a listing would be an input that every new file changes), so
/// this is what it knows of the modules around. It reads item trees only: asking for the other
/// modules' resolved imports would recurse in an import cycle.
fn similar_module(db: &dyn Db, file: SourceFile, anchor: UseAnchor, name: &str) -> Option<String> {
    // Every failed import would compare itself with every other one.
    if item_tree(db, file).uses.len() > HINTED_USES_MAX {
        return None;
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    let written =
        |decl: &UseDecl| decl.path.iter().map(|segment| segment.name.as_str()).collect::<Vec<_>>().join("/");
    for decl in &item_tree(db, file).uses {
        known.insert(written(decl));
        let path: Vec<Name> = decl.path.iter().map(|segment| segment.name.clone()).collect();
        if let Ok(found) = resolve_module(db, file, decl.anchor, &path) {
            known.extend(item_tree(db, found.file).uses.iter().map(written));
        }
    }
    // A slip of one letter at the end, such as a plural, is worth a look at the disk.
    known.extend(name.strip_suffix('s').filter(|singular| !singular.is_empty()).map(str::to_owned));
    known.insert(format!("{name}s"));
    known.insert(name.to_lowercase());
    let exists = |path: &str| {
        let path: Vec<Name> = path.split('/').map(Name::new).collect();
        resolve_module(db, file, anchor, &path).is_ok()
    };
    while let Some(meant) = nearest(name, known.iter().map(String::as_str)).map(str::to_owned) {
        if exists(&meant) {
            return Some(meant);
        }
        known.remove(&meant);
    }
    None
}

/// The items that `file` exports as `name`: none, one, or several that its re-exports bring together.
/// In order of path and name.
#[salsa::tracked(returns(ref))]
pub fn exported(db: &dyn Db, file: SourceFile, name: Name) -> Vec<ItemId> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut queue = vec![(file, name)];
    while let Some((file, name)) = queue.pop() {
        if !seen.insert((file, name.clone())) {
            continue;
        }
        let own = own_items(db, file);
        if own.export_all
            && let Some(&item) = own.items.get(&name)
        {
            found.push(item);
            continue; // a module's own items win
        }
        for local in own.exports.get(&name).into_iter().flatten() {
            match own.items.get(local) {
                Some(&item) => found.push(item),
                None => push_imported(db, file, local, PlainImports::Skip, &mut queue),
            }
        }
        if own.export_all && !own.exports.contains_key(&name) {
            push_imported(db, file, &name, PlainImports::PassOn, &mut queue);
        }
    }
    sort_items(db, &mut found);
    found
}

/// Whether `use a/b` brings the names of `a/b` along.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PlainImports {
    /// Not in scope unqualified, so `export {x}` does not find them.
    Skip,
    /// `export *` passes them on.
    PassOn,
}

fn push_imported(
    db: &dyn Db,
    file: SourceFile,
    name: &Name,
    plain: PlainImports,
    queue: &mut Vec<(SourceFile, Name)>,
) {
    for import in &imports(db, file).bindings {
        match &import.kind {
            ImportKind::Name { local, original } if local == name => {
                queue.push((import.module, original.name.clone()));
            }
            ImportKind::Glob => queue.push((import.module, name.clone())),
            ImportKind::Qualifier(_) if plain == PlainImports::PassOn => {
                queue.push((import.module, name.clone()))
            }
            ImportKind::Name { .. } | ImportKind::Qualifier(_) => {}
        }
    }
}

/// Sorts by path, name and kind (never by database ids, which depend on the order of requests).
pub(crate) fn sort_items(db: &dyn Db, items: &mut Vec<ItemId>) {
    items.sort_by(|a, b| {
        let key = |item: ItemId| (item.file(db).path(db), item.name(db), item.kind(db), item.ordinal(db));
        key(*a).cmp(&key(*b))
    });
    items.dedup();
}

/// Every name that `file` exports, with what it stands for.
///
/// For globs, hints and listings; a single name is cheaper with [`exported`].
#[salsa::tracked(returns(ref))]
pub fn exports(db: &dyn Db, file: SourceFile) -> Arc<BTreeMap<Name, Binding>> {
    let mut names = BTreeSet::new();
    let mut seen = HashSet::from([file]);
    let mut queue = vec![file];
    while let Some(file) = queue.pop() {
        let own = own_items(db, file);
        names.extend(own.exports.keys().cloned());
        if own.export_all {
            names.extend(own.items.keys().cloned());
        }
        for import in &imports(db, file).bindings {
            match &import.kind {
                ImportKind::Name { local, .. } => {
                    if own.export_all {
                        names.insert(local.clone());
                    }
                }
                ImportKind::Qualifier(_) | ImportKind::Glob => {
                    if own.export_all && seen.insert(import.module) {
                        queue.push(import.module);
                    }
                }
            }
        }
    }
    let binding = |name: Name| {
        let binding = match exported(db, file, name.clone()).as_slice() {
            [] => return None,
            [item] => Binding::Item(*item),
            several => Binding::Ambiguous(several.to_vec()),
        };
        Some((name, binding))
    };
    Arc::new(names.into_iter().filter_map(binding).collect())
}

/// The names that the items of `file` can use.
pub fn module_scope(db: &dyn Db, file: SourceFile) -> &Arc<ModuleScope> {
    &built_scope(db, file).0
}

/// What is wrong with the imports and exports of `file`.
pub fn scope_diagnostics(db: &dyn Db, file: SourceFile) -> &Diagnostics {
    &built_scope(db, file).1
}

#[salsa::tracked(returns(ref))]
fn built_scope(db: &dyn Db, file: SourceFile) -> (Arc<ModuleScope>, Diagnostics) {
    let own = own_items(db, file);
    let imports = imports(db, file);
    let mut builder = ScopeBuilder {
        db,
        scope: ModuleScope::default(),
        bound_at: BTreeMap::new(),
        qualified_at: BTreeMap::new(),
        diagnostics: imports.diagnostics.clone(),
    };
    for (name, &item) in &own.items {
        builder.scope.items.insert(name.clone(), Binding::Item(item));
        builder.bound_at.insert(name.clone(), Place::Node(item, NodeId(0)));
    }
    for import in &imports.bindings {
        builder.bind(import);
    }
    // Globs come last: what is named explicitly wins over them.
    let mut from_globs: BTreeMap<&Name, Vec<ItemId>> = BTreeMap::new();
    for import in imports.bindings.iter().filter(|import| import.kind == ImportKind::Glob) {
        for (name, binding) in exports(db, import.module).iter() {
            let items = from_globs.entry(name).or_default();
            match binding {
                Binding::Item(item) => items.push(*item),
                Binding::Ambiguous(several) => items.extend(several),
                Binding::Module(_) | Binding::Error => {}
            }
        }
    }
    for (name, mut items) in from_globs {
        sort_items(db, &mut items);
        let binding = match items.as_slice() {
            [item] => Binding::Item(*item),
            _ => Binding::Ambiguous(items),
        };
        builder.scope.items.entry(name.clone()).or_insert(binding);
    }
    for name in &imports.unresolved {
        builder.scope.items.entry(name.clone()).or_insert(Binding::Error);
        builder.scope.qualifiers.entry(name.clone()).or_insert(Binding::Error);
    }
    builder.scope.incomplete = imports.unresolved_glob;
    builder.check_exports(file, own);
    (Arc::new(builder.scope), builder.diagnostics.into())
}

struct ScopeBuilder<'db> {
    db: &'db dyn Db,
    scope: ModuleScope,
    /// Where each explicitly bound name was bound first.
    bound_at: BTreeMap<Name, Place>,
    qualified_at: BTreeMap<Name, Place>,
    diagnostics: Vec<Diagnostic>,
}

impl ScopeBuilder<'_> {
    fn bind(&mut self, import: &Import) {
        let place = Place::Node(import.decl, import.node);
        match &import.kind {
            ImportKind::Glob => {}
            ImportKind::Qualifier(name) => match self.scope.qualifiers.get(name) {
                None => {
                    self.scope.qualifiers.insert(name.clone(), Binding::Module(import.module));
                    self.qualified_at.insert(name.clone(), place);
                }
                Some(Binding::Module(first)) if *first != import.module => {
                    let first = first.path(self.db).to_string();
                    let second = import.module.path(self.db);
                    let diagnostic = Diagnostic::error(
                        codes::AMBIGUOUS,
                        Phase::Sema,
                        place,
                        format!("two modules are imported as `{name}`"),
                        format!("`{name}` is `{second}` here"),
                    )
                    .note(format!("`{name}.x` could mean an item of either module"))
                    .help(format!("give one of them another name: `use … as other_{name}`"));
                    self.diagnostics.push(match self.qualified_at.get(name) {
                        Some(&at) => diagnostic.label(at, format!("`{name}` is `{first}` here")),
                        None => diagnostic,
                    });
                }
                Some(_) => {}
            },
            ImportKind::Name { local, original } => {
                let binding = self.imported(import, original);
                let Some(present) = self.scope.items.get(local) else {
                    self.scope.items.insert(local.clone(), binding);
                    self.bound_at.insert(local.clone(), place);
                    return;
                };
                if let (Binding::Item(first), Binding::Item(second)) = (present, &binding)
                    && first != second
                {
                    let diagnostic = self.conflict(local, place, *first, *second);
                    self.diagnostics.push(diagnostic);
                }
            }
        }
    }

    /// Two explicit bindings of one name.
    fn conflict(&self, name: &Name, place: Place, first: ItemId, second: ItemId) -> Diagnostic {
        let from = |item: ItemId| item.file(self.db).path(self.db);
        let diagnostic = Diagnostic::error(
            codes::AMBIGUOUS,
            Phase::Sema,
            place,
            format!("the name `{name}` is bound twice"),
            format!("`{name}` of `{}` is imported here", from(second)),
        )
        .note(format!("`{name}` would mean two different items in this module"))
        .suggest(
            place,
            format!("{} as other_{name}", second.name(self.db)),
            "import it under another name",
            Applicability::HasPlaceholders,
        );
        match self.bound_at.get(name) {
            Some(&at) => diagnostic.label(at, format!("`{name}` of `{}` is bound here", from(first))),
            None => diagnostic,
        }
    }

    /// What an import of one name finds.
    fn imported(&mut self, import: &Import, original: &Ident) -> Binding {
        let db = self.db;
        let place = Place::Node(import.decl, original.node);
        match exported(db, import.module, original.name.clone()).as_slice() {
            [item] => Binding::Item(*item),
            [] => {
                if !import_failed_there(db, import.module, &original.name) {
                    self.diagnostics.push(missing_export(db, import.module, &original.name, place));
                }
                Binding::Error
            }
            several => {
                self.diagnostics.push(ambiguous(db, &original.name, several, place));
                Binding::Ambiguous(several.to_vec())
            }
        }
    }

    fn check_exports(&mut self, file: SourceFile, own: &OwnItems) {
        let db = self.db;
        let mut first: BTreeMap<&Name, (&Name, Place)> = BTreeMap::new();
        for export in &item_tree(db, file).exports {
            let ExportKind::Names(names) = &export.kind else { continue };
            for (local, public) in names {
                let place = Place::Node(export.id, local.node);
                if !self.scope.items.contains_key(&local.name) {
                    if !self.scope.incomplete {
                        let diagnostic = self.unknown_export(&local.name, place);
                        self.diagnostics.push(diagnostic);
                    }
                    continue;
                }
                let public = public.as_ref().unwrap_or(local);
                let place = Place::Node(export.id, public.node);
                match first.get(&public.name) {
                    None => {
                        first.insert(&public.name, (&local.name, place));
                    }
                    Some(&(before, at)) if *before == local.name => self.diagnostics.push(
                        Diagnostic::warning(
                            codes::REPEATED_EXPORT,
                            Phase::Sema,
                            place,
                            format!("`{}` is exported twice", public.name),
                            "exported again here",
                        )
                        .label(at, "first exported here")
                        .note("the second export changes nothing")
                        .help("remove one of the two"),
                    ),
                    Some(&(before, at)) => self.diagnostics.push(
                        Diagnostic::error(
                            codes::BAD_EXPORT,
                            Phase::Sema,
                            place,
                            format!("two items are exported as `{}`", public.name),
                            format!("this exports `{}`", local.name),
                        )
                        .label(at, format!("this exports `{before}`"))
                        .note("a public name stands for one item")
                        .help("export one of them under another name with `as`"),
                    ),
                }
            }
        }
        // `export x as y` beside an exported item `y` of the module's own.
        for (public, locals) in &own.exports {
            let (Some(&item), Some(&(local, place))) = (own.items.get(public), first.get(public)) else {
                continue;
            };
            if local != public && (own.export_all || locals.contains(public)) {
                self.diagnostics.push(
                    Diagnostic::error(
                        codes::BAD_EXPORT,
                        Phase::Sema,
                        place,
                        format!("two items are exported as `{public}`"),
                        format!("this exports `{local}`"),
                    )
                    .label(Place::Node(item, NodeId(0)), "this item is exported under its own name")
                    .note("a public name stands for one item")
                    .help("choose another name after `as`"),
                );
            }
        }
    }

    fn unknown_export(&self, name: &Name, place: Place) -> Diagnostic {
        let diagnostic = Diagnostic::error(
            codes::BAD_EXPORT,
            Phase::Sema,
            place,
            format!("cannot export `{name}`: this module has no such item"),
            "unknown name",
        )
        .note("a module can export its own items and the names it imports");
        match meant(name, self.scope.items.keys().map(Name::as_str)) {
            Some((meant, sure)) => {
                diagnostic.suggest(place, meant, format!("there is an item `{meant}`"), sure)
            }
            None => diagnostic.help(format!("declare `{name}`, or remove it here")),
        }
    }
}

/// Whether `module` would pass on `name` but for an import of its own that failed and was reported.
fn import_failed_there(db: &dyn Db, module: SourceFile, name: &Name) -> bool {
    if unreadable(db, module).is_some() {
        return true;
    }
    let imports = imports(db, module);
    own_items(db, module).export_all && (imports.unresolved.contains(name) || imports.unresolved_glob)
}

/// `place` asks `module` for `name`, which it does not export: `RES0070` if the module has such an
/// item of its own, else `RES0066` with the nearest exported name.
pub fn missing_export(db: &dyn Db, module: SourceFile, name: &Name, place: Place) -> Diagnostic {
    let path = module.path(db);
    // What is built into the compiler is not the user's to change.
    let in_library = path.root == CORE_ROOT;
    if let Some(&item) = own_items(db, module).items.get(name) {
        return Diagnostic::error(
            codes::NOT_EXPORTED,
            Phase::Resolver,
            place,
            format!("`{name}` is private to `{path}`"),
            "not exported by its module",
        )
        .label(Place::Node(item, NodeId(0)), format!("`{name}` is declared here"))
        .note("nothing is visible outside its module unless it is exported")
        .help(if in_library {
            "the standard library keeps it for itself: use what it exports".to_owned()
        } else {
            format!("write `export {name}` in `{path}`")
        });
    }
    let diagnostic = Diagnostic::error(
        codes::IMPORT_NOT_FOUND,
        Phase::Resolver,
        place,
        format!("`{path}` has no item `{name}`"),
        "no such exported name",
    );
    let exports = exports(db, module);
    match meant(name, exports.keys().map(Name::as_str)) {
        Some((meant, sure)) => diagnostic.note(format!("`{path}` exports a name much like it")).suggest(
            place,
            meant,
            format!("did you mean `{meant}`?"),
            sure,
        ),
        None if exports.is_empty() => diagnostic
            .note("the module exports nothing")
            .help(format!("declare and export `{name}` in `{path}`")),
        None => {
            const SHOWN: usize = 6;
            let names: Vec<String> = exports.keys().take(SHOWN).map(|name| format!("`{name}`")).collect();
            let rest = if exports.len() > SHOWN { ", …" } else { "" };
            diagnostic.note(format!("the module exports {}{rest}", names.join(", "))).help(if in_library {
                "correct the name: the standard library is part of the compiler".to_owned()
            } else {
                format!("declare and export `{name}` in `{path}`, or correct the name")
            })
        }
    }
}

/// `place` uses `name`, which stands for several items.
pub fn ambiguous(db: &dyn Db, name: &Name, items: &[ItemId], place: Place) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(
        codes::AMBIGUOUS,
        Phase::Sema,
        place,
        format!("`{name}` is ambiguous"),
        format!("could be any of {} items", items.len()),
    );
    for &item in items {
        let path = item.file(db).path(db);
        diagnostic = diagnostic.label(Place::Node(item, NodeId(0)), format!("`{name}` of `{path}`"));
    }
    diagnostic
        .note("several imports bring the same name with different meanings")
        .help(format!("import the module that declares the one you mean and write `module.{name}`"))
}
