//! Traits and impls: what they ask for, what they give, where they are found.
//!
//! # How static dispatch is represented
//! A bound `T: Trait` adds type parameters of its own to the item that has it: one for each associated type of the
//! trait (`T.Item`) and one for the *evidence* (`T: Trait`), which says where the members are. So a generic proc is
//! still a proc with type parameters and nothing else: its type arguments name the impl ([`Ty::Impl`]), an
//! instance knows what it calls without looking anything up, and replacing parameters needs no solver. (It is the
//! dictionary passing of Wadler and Blott, "How to make ad-hoc polymorphism less ad hoc", 1989, with dictionaries
//! that are types and vanish when instances are made.)
//!
//! A bound also asks for the traits that its trait asks for, and for the bounds of its associated types; all are
//! written out, so nothing has to be derived from another bound later.
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::codes;
use super::resolve::{Resolution, ResolvedPath, resolve_path};
use super::scope::{ImportKind, imports, own_items};
use super::ty::Ty;
use super::typeref::{SelfTy, resolve_type, resolve_type_with};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic, Name, Phase, Place, SourceFile};
use crate::lower::hir::{self, ItemHir, Member, TypeRef, TypeRefKind};
use crate::lower::{ItemId, ItemKind, NodeId, item_hir, item_tree, proc_signature};

/// Most bounds that one item may have when all that they ask for is written out.
const BOUNDS_MAX: usize = 256;

/// A trait of a type: `args` are the type, then the trait's arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraitRef {
    /// The trait.
    pub of: ItemId,
    /// `Self` and what is written behind the trait's name.
    pub args: Arc<[Ty]>,
}

impl TraitRef {
    /// Replaces type parameters by `args`.
    #[must_use]
    pub fn subst(&self, args: &[Ty]) -> Self {
        Self { of: self.of, args: self.args.iter().map(|ty| ty.subst(args)).collect() }
    }

    /// The type that it is about.
    pub fn self_ty(&self) -> &Ty {
        self.args.first().unwrap_or(&Ty::Error)
    }
}

/// What is asked of a type parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundData {
    /// The trait.
    pub of: TraitRef,
    /// Indices of the type parameters that stand for its associated types.
    pub types: Vec<u32>,
    /// Index of the type parameter that stands for the evidence.
    pub evidence: u32,
}

/// The type parameters of an item, those of the trait or impl around it first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generics {
    /// All, by index: written ones and those that bounds add.
    pub names: Vec<Name>,
    /// Where those written at the item itself begin.
    pub first: u32,
    /// How many those are.
    pub written: u32,
    /// All bounds.
    pub bounds: Vec<BoundData>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct ResolvedGenerics {
    generics: Arc<Generics>,
    diagnostics: Vec<Diagnostic>,
}

/// The type parameters of a proc, trait or impl; none for other items.
pub fn generics(db: &dyn Db, item: ItemId) -> &Arc<Generics> {
    &resolved_generics(db, item).generics
}

/// What is wrong with the bounds of an item.
pub fn generics_diagnostics(db: &dyn Db, item: ItemId) -> &[Diagnostic] {
    &resolved_generics(db, item).diagnostics
}

/// Adds what bounds ask for to the type parameters of an item.
struct Elaboration<'db> {
    db: &'db dyn Db,
    owner: ItemId,
    generics: Generics,
    diagnostics: Vec<Diagnostic>,
}

#[salsa::tracked(returns(ref))]
fn resolved_generics(db: &dyn Db, item: ItemId) -> ResolvedGenerics {
    let mut work = Elaboration { db, owner: item, generics: Generics::default(), diagnostics: Vec::new() };
    let bounds: Vec<hir::Bound>;
    let written: Vec<Name>;
    let names = |idents: &[hir::Ident]| idents.iter().map(|ident| ident.name.clone()).collect::<Vec<_>>();
    match item.kind(db) {
        ItemKind::Proc => {
            let Some(sig) = proc_signature(db, item) else { return ResolvedGenerics::default() };
            if let Some(owner) = sig.owner {
                work.generics = Generics::clone(generics(db, owner));
            }
            (written, bounds) = (names(&sig.generics), sig.bounds.clone());
        }
        ItemKind::Trait => {
            let ItemHir::Trait(declared) = &**item_hir(db, item) else { return ResolvedGenerics::default() };
            work.generics.names = vec![Name::new_static("Self")];
            work.generics.names.extend(names(&declared.generics));
            let args = identity(&work.generics.names);
            work.add(TraitRef { of: item, args }, NodeId(0));
            work.asked(item, &declared.bounds);
            work.generics.first = work.generics.names.len() as u32;
            return work.finish();
        }
        ItemKind::Impl => {
            let ItemHir::Impl(block) = &**item_hir(db, item) else { return ResolvedGenerics::default() };
            (written, bounds) = (names(&block.generics), block.bounds.clone());
        }
        ItemKind::Form | ItemKind::Pick => {
            (written, bounds) = match &**item_hir(db, item) {
                ItemHir::Form(form) => (names(&form.generics), form.bounds.clone()),
                ItemHir::Pick(pick) => (names(&pick.generics), pick.bounds.clone()),
                _ => return ResolvedGenerics::default(),
            };
        }
        ItemKind::Const
        | ItemKind::Alias
        | ItemKind::Use
        | ItemKind::Export
        | ItemKind::StaticAssert
        | ItemKind::Unsupported => return ResolvedGenerics::default(),
    }
    work.generics.first = work.generics.names.len() as u32;
    work.generics.written = written.len() as u32;
    work.generics.names.extend(written);
    work.asked(item, &bounds);
    work.diagnostics.extend(super::typeref::constant_diagnostics(db, item));
    work.finish()
}

/// The type parameters as types.
pub fn identity(names: &[Name]) -> Arc<[Ty]> {
    names.iter().enumerate().map(|(index, name)| Ty::Param(index as u32, name.clone())).collect()
}

impl Elaboration<'_> {
    fn finish(self) -> ResolvedGenerics {
        ResolvedGenerics { generics: Arc::new(self.generics), diagnostics: self.diagnostics }
    }

    fn trait_ref(&mut self, owner: ItemId, ty: Ty, written: &TypeRef) -> Option<TraitRef> {
        let names = self.generics.names.clone();
        let (found, diagnostics) = resolve_trait(self.db, owner, &names, ty, written, SelfTy::Owner);
        self.diagnostics.extend(diagnostics);
        found
    }

    /// Adds the bounds that an item writes.
    fn asked(&mut self, item: ItemId, bounds: &[hir::Bound]) {
        for bound in bounds {
            let (ty, found) = resolve_type(self.db, item, &self.generics.names, &bound.ty);
            self.diagnostics.extend(found);
            if let Some(of) = self.trait_ref(item, ty, &bound.of) {
                self.add(of, bound.of.node);
            }
        }
    }

    /// Adds a bound and all that it asks for.
    fn add(&mut self, of: TraitRef, node: NodeId) {
        let mut work = vec![of];
        while let Some(of) = work.pop() {
            if self.generics.bounds.iter().any(|bound| bound.of == of) {
                continue;
            }
            if self.generics.bounds.len() >= BOUNDS_MAX {
                let diagnostic = Diagnostic::error(
                    codes::TYPE_TOO_LARGE,
                    Phase::Typeck,
                    Place::Node(self.owner, node),
                    format!("`{}` asks for too many other traits", of.of.name(self.db)),
                    "leads to more and more bounds",
                )
                .note(format!("the bounds of an item may lead to at most {BOUNDS_MAX} in all"))
                .help("break the circle of traits that ask for each other");
                self.diagnostics.push(diagnostic);
                return;
            }
            let ItemHir::Trait(declared) = &**item_hir(self.db, of.of) else { continue };
            let subject = super::render::ty_name(self.db, of.self_ty());
            let mut types = Vec::with_capacity(declared.types.len());
            for (name, _) in &declared.types {
                types.push(self.generics.names.len() as u32);
                self.generics.names.push(Name::new(format!("{subject}.{}", name.name)));
            }
            let evidence = self.generics.names.len() as u32;
            self.generics.names.push(Name::new(format!("{subject}: {}", of.of.name(self.db))));
            let mut further: Vec<TraitRef> =
                super_traits(self.db, of.of).refs.iter().map(|asked| asked.subst(&of.args)).collect();
            for (&index, (_, bounds)) in types.iter().zip(&declared.types) {
                let name = self.generics.names.get(index as usize).cloned().unwrap_or_default();
                for bound in bounds {
                    let ty = Ty::Param(index, name.clone());
                    // Written in the trait, where its own parameters are in scope.
                    let mut names = vec![Name::new_static("Self")];
                    names.extend(declared.generics.iter().map(|g| g.name.clone()));
                    let marker = names.len() as u32;
                    let subject = Ty::Param(marker, Name::new_static("Self"));
                    let (found, _) = resolve_trait(self.db, of.of, &names, subject, bound, SelfTy::None);
                    if let Some(found) = found {
                        let mut args = of.args.to_vec();
                        args.resize(marker as usize, Ty::Error);
                        args.push(ty);
                        further.push(found.subst(&args));
                    }
                }
            }
            self.generics.bounds.push(BoundData { of, types, evidence });
            work.extend(further.into_iter().rev());
        }
    }
}

/// The traits that a trait asks for, about its own type parameters.
#[derive(Clone, Debug, PartialEq)]
struct Supers {
    refs: Vec<TraitRef>,
    diagnostics: Vec<Diagnostic>,
}

#[salsa::tracked(returns(ref))]
fn super_traits(db: &dyn Db, item: ItemId) -> Supers {
    let mut supers = Supers { refs: Vec::new(), diagnostics: Vec::new() };
    let ItemHir::Trait(declared) = &**item_hir(db, item) else { return supers };
    let mut names = vec![Name::new_static("Self")];
    names.extend(declared.generics.iter().map(|g| g.name.clone()));
    let subject = || Ty::Param(0, Name::new_static("Self"));
    for written in &declared.supers {
        let (found, diagnostics) = resolve_trait(db, item, &names, subject(), written, SelfTy::None);
        supers.refs.extend(found);
        supers.diagnostics.extend(diagnostics);
    }
    for (_, written) in &declared.defaults {
        supers.diagnostics.extend(resolve_type_with(db, item, &names, SelfTy::None, written).1);
    }
    for (_, bounds) in &declared.types {
        for written in bounds {
            // Resolved again where it is used; here for what is wrong with it.
            supers.diagnostics.extend(resolve_trait(db, item, &names, subject(), written, SelfTy::None).1);
        }
    }
    supers
}

/// A written trait, about `subject`.
pub fn resolve_trait(
    db: &dyn Db,
    owner: ItemId,
    names: &[Name],
    subject: Ty,
    written: &TypeRef,
    self_ty: SelfTy,
) -> (Option<TraitRef>, Vec<Diagnostic>) {
    let TypeRefKind::Path { path, args } = &written.kind else {
        let known = matches!(written.kind, TypeRefKind::Error);
        let diagnostics = if known { Vec::new() } else { vec![not_a_trait(db, owner, written, None)] };
        return (None, diagnostics);
    };
    let mut diagnostics = Vec::new();
    let item = match resolve_path(db, owner, path) {
        ResolvedPath::Found { resolution: Resolution::Item(item), used } if used == path.len() => item,
        ResolvedPath::Found { .. } => return (None, vec![not_a_trait(db, owner, written, None)]),
        ResolvedPath::Failed(diagnostic) => {
            return (None, diagnostic.map(|diagnostic| *diagnostic).into_iter().collect());
        }
        ResolvedPath::Unknown => {
            let name = path.last().map(|ident| ident.name.as_str()).unwrap_or_default();
            let known = trait_names(db, owner.file(db));
            let diagnostic = Diagnostic::error(
                codes::UNKNOWN_TRAIT,
                Phase::Typeck,
                Place::Node(owner, written.node),
                format!("unknown trait `{name}`"),
                "not declared or imported",
            )
            .note("traits are declared with `trait` and imported with `use`");
            let diagnostic = match crate::base::spelling::meant(name, known.iter().map(Name::as_str)) {
                Some((near, sure)) => diagnostic.suggest(
                    Place::Node(owner, written.node),
                    near,
                    format!("`{near}` has a similar name"),
                    sure,
                ),
                None => diagnostic.help(format!("declare `trait {name} {{ … }}` or import it")),
            };
            return (None, vec![diagnostic]);
        }
    };
    if item.kind(db) == ItemKind::Unsupported {
        return (None, diagnostics);
    }
    let ItemHir::Trait(declared) = &**item_hir(db, item) else {
        return (None, vec![not_a_trait(db, owner, written, Some(item))]);
    };
    let mut all = vec![subject];
    let mut count = 0;
    for arg in args {
        let (ty, found) = resolve_type_with(db, owner, names, self_ty, arg);
        diagnostics.extend(found);
        if !matches!(arg.kind, TypeRefKind::Named(..)) {
            all.push(ty);
            count += 1;
        }
    }
    if count != declared.generics.len() {
        let plural =
            |n: usize| if n == 1 { "1 type argument".to_owned() } else { format!("{n} type arguments") };
        let diagnostic = Diagnostic::error(
            codes::TYPE_ARGUMENTS,
            Phase::Typeck,
            Place::Node(owner, written.node),
            format!("the trait `{}` takes {}", item.name(db), plural(declared.generics.len())),
            format!("{} given", plural(count)),
        )
        .label(Place::Node(item, NodeId(0)), "declared here")
        .note("every type argument of a trait is written out")
        .help("add or remove type arguments");
        diagnostics.push(diagnostic);
        all.resize(declared.generics.len() + 1, Ty::Error);
    }
    (Some(TraitRef { of: item, args: all.into() }), diagnostics)
}

fn not_a_trait(db: &dyn Db, owner: ItemId, written: &TypeRef, found: Option<ItemId>) -> Diagnostic {
    let name = crate::lower::dump::ty(written);
    let diagnostic = Diagnostic::error(
        codes::UNKNOWN_TRAIT,
        Phase::Typeck,
        Place::Node(owner, written.node),
        format!("`{name}` is no trait"),
        "expected a trait",
    )
    .note("a bound, and what stands before `for` in an impl, names a trait")
    .help("name a trait, or declare one with `trait`");
    match found {
        Some(item) => {
            diagnostic.label(Place::Node(item, NodeId(0)), format!("`{}` is declared here", item.name(db)))
        }
        None => diagnostic,
    }
}

/// Names of the traits in scope of a file, sorted.
fn trait_names(db: &dyn Db, file: SourceFile) -> Vec<Name> {
    let scope = super::scope::module_scope(db, file);
    let is_trait = |binding: &super::scope::Binding| match binding {
        super::scope::Binding::Item(item) => item.kind(db) == ItemKind::Trait,
        _ => false,
    };
    scope.items().filter(|(_, binding)| is_trait(binding)).map(|(name, _)| name.clone()).collect()
}

/// A resolved `impl`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImplData {
    /// The type, over the impl's type parameters.
    pub ty: Ty,
    /// The trait, if it is of one.
    pub of: Option<TraitRef>,
    /// Associated types as written.
    pub types: Vec<(Name, Ty)>,
    /// Procs and consts.
    pub members: Vec<Member>,
}

impl ImplData {
    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

#[derive(Clone, Debug, PartialEq)]
struct ResolvedImpl {
    data: Arc<ImplData>,
    diagnostics: Vec<Diagnostic>,
}

/// An impl; one of an item that is no impl (any more) is of nothing.
pub fn impl_data(db: &dyn Db, item: ItemId) -> &Arc<ImplData> {
    &resolved_impl(db, item).data
}

/// What is wrong with the head and the associated types of an impl, and with what a trait asks for.
pub fn head_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    let mut all = generics_diagnostics(db, item).to_vec();
    match item.kind(db) {
        ItemKind::Impl => all.extend(resolved_impl(db, item).diagnostics.iter().cloned()),
        ItemKind::Trait => all.extend(super_traits(db, item).diagnostics.iter().cloned()),
        ItemKind::Proc
        | ItemKind::Form
        | ItemKind::Pick
        | ItemKind::Const
        | ItemKind::Alias
        | ItemKind::Use
        | ItemKind::Export
        | ItemKind::StaticAssert
        | ItemKind::Unsupported => {}
    }
    all.into()
}

/// The type that an impl is of: what `Self` means in it.
#[salsa::tracked(returns(ref))]
pub fn impl_self_ty(db: &dyn Db, item: ItemId) -> Ty {
    let ItemHir::Impl(block) = &**item_hir(db, item) else { return Ty::Error };
    let names: Vec<Name> = block.generics.iter().map(|ident| ident.name.clone()).collect();
    resolve_type_with(db, item, &names, SelfTy::None, &block.ty).0
}

#[salsa::tracked(returns(ref))]
fn resolved_impl(db: &dyn Db, item: ItemId) -> ResolvedImpl {
    let nothing = ImplData { ty: Ty::Error, of: None, types: Vec::new(), members: Vec::new() };
    let ItemHir::Impl(block) = &**item_hir(db, item) else {
        return ResolvedImpl { data: Arc::new(nothing), diagnostics: Vec::new() };
    };
    let names = &generics(db, item).names;
    let (ty, mut diagnostics) = resolve_type_with(db, item, names, SelfTy::None, &block.ty);
    let mut of = None;
    if let Some(written) = &block.of {
        let (found, more) = resolve_trait(db, item, names, ty.clone(), written, SelfTy::Type);
        diagnostics.extend(more);
        of = found;
    }
    let types = block.types.iter().map(|(name, written)| {
        let (ty, found) = resolve_type_with(db, item, names, SelfTy::Type, written);
        diagnostics.extend(found);
        (name.name.clone(), ty)
    });
    let mut types: Vec<(Name, Ty)> = types.collect();
    // What the trait gives where the impl does not say, about the impl's type and the trait's arguments.
    if let Some(of) = &of
        && let ItemHir::Trait(declared) = &**item_hir(db, of.of)
    {
        let mut names = vec![Name::new_static("Self")];
        names.extend(declared.generics.iter().map(|g| g.name.clone()));
        for (name, written) in &declared.defaults {
            if !types.iter().any(|(own, _)| own == name) {
                let (ty, _) = resolve_type_with(db, of.of, &names, SelfTy::None, written);
                types.push((name.clone(), ty.subst(&of.args)));
            }
        }
    }
    let data = ImplData { ty, of, types, members: block.members.clone() };
    ResolvedImpl { data: Arc::new(data), diagnostics }
}

/// The associated types that an impl writes, for `Self.Name` in it.
pub fn impl_type(db: &dyn Db, item: ItemId, name: &str) -> Option<Ty> {
    impl_data(db, item).types.iter().find(|(own, _)| own == name).map(|(_, ty)| ty.clone())
}

/// The members that a trait declares.
pub fn trait_members(db: &dyn Db, item: ItemId) -> &[Member] {
    match &**item_hir(db, item) {
        ItemHir::Trait(declared) => &declared.members,
        _ => &[],
    }
}

/// The trait or impl that a proc is a member of.
pub fn owner_of(db: &dyn Db, item: ItemId) -> Option<ItemId> {
    proc_signature(db, item).as_ref().and_then(|sig| sig.owner)
}

/// A map by name.
type ByName<T> = HashMap<Name, Vec<T>, BuildHasherDefault<rustc_hash::FxHasher>>;

/// The impls and operators of one file, by what they are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileImpls {
    /// Members of impls without a trait: the impl and the member's proc.
    pub inherent: ByName<(ItemId, ItemId)>,
    /// Impls of each trait that the file implements.
    pub of_traits: HashMap<ItemId, Vec<ItemId>, BuildHasherDefault<rustc_hash::FxHasher>>,
    /// Those traits by the names of their members.
    pub traits: ByName<(ItemId, ItemId)>,
    /// `proc operator + (..)` at top level.
    pub operators: ByName<ItemId>,
}

/// What a file implements.
#[salsa::tracked(returns(ref))]
pub fn file_impls(db: &dyn Db, file: SourceFile) -> Arc<FileImpls> {
    let mut found = FileImpls::default();
    for entry in item_tree(db, file).items.iter().filter(|entry| !entry.duplicate) {
        match entry.id.kind(db) {
            ItemKind::Proc if entry.member => {
                let name = entry.id.name(db);
                if name.starts_with("operator") && owner_of(db, entry.id).is_none() {
                    found.operators.entry(name.clone()).or_default().push(entry.id);
                }
            }
            ItemKind::Impl => {
                let data = impl_data(db, entry.id);
                match &data.of {
                    Some(of) => {
                        let impls = found.of_traits.entry(of.of).or_default();
                        if impls.is_empty() {
                            for member in trait_members(db, of.of) {
                                let named = found.traits.entry(member.name.clone()).or_default();
                                named.push((of.of, member.item));
                            }
                        }
                        impls.push(entry.id);
                    }
                    None => {
                        for member in &data.members {
                            let named = found.inherent.entry(member.name.clone()).or_default();
                            named.push((entry.id, member.item));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Arc::new(found)
}

/// The files whose impls a file sees by itself: its own, those it imports, and those that these pass on by
/// `export *`. To these come the file of the trait and the file of the type.
#[salsa::tracked(returns(ref))]
pub fn impl_files(db: &dyn Db, file: SourceFile) -> Arc<[SourceFile]> {
    let mut seen = vec![file];
    let mut work: Vec<SourceFile> = imports(db, file).bindings.iter().map(|import| import.module).collect();
    while let Some(next) = work.pop() {
        if seen.contains(&next) {
            continue;
        }
        seen.push(next);
        if own_items(db, next).export_all {
            let passed = imports(db, next).bindings.iter().filter(|import| match &import.kind {
                ImportKind::Qualifier(_) | ImportKind::Glob => true,
                ImportKind::Name { .. } => true,
            });
            work.extend(passed.map(|import| import.module));
        }
    }
    seen.retain(|file| !file_impls(db, *file).is_empty());
    seen.sort_by_key(|file| file.path(db));
    seen.into()
}

impl FileImpls {
    fn is_empty(&self) -> bool {
        self.inherent.is_empty() && self.of_traits.is_empty() && self.operators.is_empty()
    }
}

/// The files to look at for impls of `ty`, as seen from `file`; `of` is the trait if there is one.
pub fn files_for(db: &dyn Db, file: SourceFile, ty: &Ty, of: Option<ItemId>) -> Vec<SourceFile> {
    let mut files = impl_files(db, file).to_vec();
    let mut add = |file: SourceFile| {
        if !files.contains(&file) {
            files.push(file);
        }
    };
    if let Some(of) = of {
        add(of.file(db));
    }
    if let Ty::Form(item, _) | Ty::Pick(item, _) = ty {
        add(item.file(db));
    }
    files
}

/// The traits that a `dyn` value of a trait with these arguments implements: that one, then those it asks for.
pub fn dyn_traits(db: &dyn Db, of: ItemId, args: &[Ty], subject: &Ty) -> Vec<TraitRef> {
    let mut all = vec![subject.clone()];
    all.extend(args.iter().cloned());
    let own = |bound: &&BoundData| matches!(bound.of.self_ty(), Ty::Param(0, _));
    generics(db, of).bounds.iter().filter(own).map(|bound| bound.of.subst(&all)).collect()
}

/// Of the arguments of a `dyn` type, those that say what the trait's associated types are.
pub fn dyn_types<'a>(db: &dyn Db, of: ItemId, args: &'a [Ty]) -> &'a [Ty] {
    let ItemHir::Trait(declared) = &**item_hir(db, of) else { return &[] };
    args.get(declared.generics.len()..).unwrap_or_default()
}

/// The methods that a `dyn` value of a trait carries, each with the trait that declares it, in order.
pub fn dyn_methods(db: &dyn Db, of: ItemId) -> Vec<(ItemId, ItemId)> {
    let mut found = Vec::new();
    for bound in generics(db, of).bounds.iter().filter(|b| matches!(b.of.self_ty(), Ty::Param(0, _))) {
        let members = trait_members(db, bound.of.of).iter();
        found.extend(members.map(|member| (bound.of.of, member.item)));
    }
    found
}

/// Why no `dyn` value of a trait can be made, in words.
pub fn dyn_problem(db: &dyn Db, of: ItemId) -> Option<String> {
    for (owner, member) in dyn_methods(db, of) {
        let data = super::signature::proc_data(db, member);
        let name = member.name(db).rsplit("::").next().unwrap_or_default();
        let method = data.params.first().is_some_and(|first| first.name == "self");
        if data.is_const || !method {
            return Some(format!("`{name}` is called on the type and not on a value"));
        }
        if data.generics.len() != generics(db, owner).names.len() {
            return Some(format!("`{name}` has type parameters of its own"));
        }
        let others = data.params.iter().skip(1).map(|param| &param.ty).chain([&data.ret]);
        if others.into_iter().any(mentions_self) {
            return Some(format!("`{name}` speaks of `Self` behind its first parameter"));
        }
    }
    // Those of the trait itself are part of the type; those of the traits that it asks for have no place there.
    let traits = generics(db, of).bounds.iter().filter(|bound| bound.of.of != of);
    let typed = traits.map(|bound| bound.of.of).find(|of| match &**item_hir(db, *of) {
        ItemHir::Trait(declared) => !declared.types.is_empty(),
        _ => false,
    });
    typed.map(|of| format!("`{}` has associated types", of.name(db)))
}

fn mentions_self(ty: &Ty) -> bool {
    let mut found = matches!(ty, Ty::Param(0, _));
    ty.for_each_part(|part| found |= mentions_self(part));
    found
}

/// The place of a proc among the methods of a `dyn` value, if it is one with these type arguments: how many methods
/// the value has, and which of them this is.
pub fn dyn_member(db: &dyn Db, item: ItemId, args: &[Ty]) -> Option<(u32, u32)> {
    let Some(Ty::Dyn(of, _)) = args.first() else { return None };
    owner_of(db, item).filter(|owner| owner.kind(db) == ItemKind::Trait)?;
    let methods = dyn_methods(db, *of);
    let at = methods.iter().position(|(_, member)| *member == item)?;
    Some((methods.len() as u32, at as u32))
}

/// The proc that a call of `item` with these concrete type arguments runs: of a trait's member, that of the impl.
pub fn dispatch(db: &dyn Db, item: ItemId, args: &[Ty]) -> (ItemId, Vec<Ty>) {
    let as_it_is = || (item, args.to_vec());
    let Some(owner) = owner_of(db, item).filter(|owner| owner.kind(db) == ItemKind::Trait) else {
        return as_it_is();
    };
    let of_trait = generics(db, owner);
    let Some(bound) = of_trait.bounds.first() else { return as_it_is() };
    let Some(Ty::Impl(found, impl_args)) = args.get(bound.evidence as usize) else { return as_it_is() };
    let name = item.name(db).rsplit("::").next().unwrap_or_default();
    let Some(member) = impl_data(db, *found).member(name) else { return as_it_is() };
    let own = args.get(of_trait.names.len()..).unwrap_or_default();
    (member.item, impl_args.iter().chain(own).cloned().collect())
}
