//! Bounds and members: which impl a type has, what `value.name` and `Type.name` mean.
use super::super::traits::{
    BoundData, TraitRef, dyn_traits, dyn_types, file_impls, files_for, generics, impl_data, trait_members,
};
use super::super::ty::Ty;
use super::unify::{Origin, Table};
use super::{Checker, codes, names};
use crate::base::{Db, Diagnostic, Name, Place, SourceFile};
use crate::lower::hir::ItemHir;
use crate::lower::{ItemId, ItemKind, NodeId, item_hir};
use crate::types::data::ProcData;
use crate::types::typeref::default_argument;

/// How far impls may ask for other impls.
const DEPTH_MAX: u32 = 64;

/// Something that must be so: `of`, with its associated types and evidence where they are wanted.
#[derive(Clone, Debug)]
pub(super) struct Obligation {
    pub(super) of: TraitRef,
    pub(super) types: Vec<Ty>,
    pub(super) evidence: Ty,
    /// Where it came up.
    pub(super) node: NodeId,
    /// Whose bound it is.
    pub(super) asked_by: Option<ItemId>,
    depth: u32,
}

/// What is known where an obligation came up.
#[derive(Clone, Copy)]
pub(super) struct Env<'a> {
    pub(super) db: &'a dyn Db,
    pub(super) file: SourceFile,
    /// Bounds of the type parameters in scope, and the names of all these.
    pub(super) bounds: &'a [BoundData],
    pub(super) names: &'a [Name],
}

/// What became of an obligation.
pub(super) enum Answer {
    /// It holds if these do.
    Yes(Vec<Obligation>),
    No,
    /// Not enough is known of its types.
    Open,
}

/// Whether a type parameter was added by a bound.
pub(super) fn is_hidden(name: &str) -> bool {
    name.contains(['.', ':'])
}

/// Variables for all type parameters of a trait or impl.
pub(super) fn instantiate(db: &dyn Db, table: &mut Table, item: ItemId, node: NodeId) -> Vec<Ty> {
    generics(db, item).names.iter().map(|_| table.fresh(node, Origin::Hidden)).collect()
}

/// The obligations that bounds make of these type arguments.
pub(super) fn obligations(
    bounds: &[BoundData],
    args: &[Ty],
    node: NodeId,
    asked_by: ItemId,
    depth: u32,
) -> Vec<Obligation> {
    let arg = |index: u32| args.get(index as usize).cloned().unwrap_or(Ty::Error);
    bounds
        .iter()
        .map(|bound| Obligation {
            of: bound.of.subst(args),
            types: bound.types.iter().map(|&index| arg(index)).collect(),
            evidence: arg(bound.evidence),
            node,
            asked_by: Some(asked_by),
            depth,
        })
        .collect()
}

impl Env<'_> {
    /// Decides an obligation: by a bound in scope, else by an impl. Solves its variables.
    pub(super) fn solve(&self, table: &mut Table, wanted: &Obligation) -> Answer {
        let subject = table.shallow(wanted.of.self_ty());
        match subject {
            Ty::Error => return Answer::Yes(Vec::new()),
            Ty::Infer(_) => return Answer::Open,
            _ => {}
        }
        for bound in self.bounds.iter().filter(|bound| bound.of.of == wanted.of.of) {
            if attempt(table, |table| unify_all(table, &bound.of.args, &wanted.of.args)) {
                let param = |index: u32| {
                    Ty::Param(index, self.names.get(index as usize).cloned().unwrap_or_default())
                };
                for (&index, ty) in bound.types.iter().zip(&wanted.types) {
                    table.unify(ty, &param(index));
                }
                table.unify(&wanted.evidence, &param(bound.evidence));
                return Answer::Yes(Vec::new());
            }
        }
        if let Ty::Dyn(of, args) = &subject {
            let known = dyn_traits(self.db, *of, args, &subject);
            for given in known.iter().filter(|given| given.of == wanted.of.of) {
                if attempt(table, |table| unify_all(table, &given.args, &wanted.of.args)) {
                    // Its methods are found in the value.
                    table.unify(&wanted.evidence, &subject);
                    if given.of == *of {
                        for (wanted, known) in wanted.types.iter().zip(dyn_types(self.db, *of, args)) {
                            table.unify(wanted, known);
                        }
                    }
                    return Answer::Yes(Vec::new());
                }
            }
        }
        let candidates = self.impls_of(table, &wanted.of, wanted.node);
        let found = match candidates.as_slice() {
            [] => return Answer::No,
            [one] => *one,
            // Overlapping impls are reported where they stand.
            [first, ..] => {
                if wanted.of.args.iter().any(|arg| table.unsolved(arg).is_some()) {
                    return Answer::Open;
                }
                *first
            }
        };
        if wanted.depth >= DEPTH_MAX {
            return Answer::No;
        }
        let args = instantiate(self.db, table, found, wanted.node);
        let data = impl_data(self.db, found);
        let Some(of) = &data.of else { return Answer::No };
        unify_all(table, &of.subst(&args).args, &wanted.of.args);
        if let ItemHir::Trait(declared) = &**item_hir(self.db, of.of) {
            for ((name, _), wanted) in declared.types.iter().zip(&wanted.types) {
                let ty = data.types.iter().find(|(own, _)| *own == name.name).map(|(_, ty)| ty.subst(&args));
                table.unify(wanted, &ty.unwrap_or(Ty::Error));
            }
        }
        let further =
            obligations(&generics(self.db, found).bounds, &args, wanted.node, found, wanted.depth + 1);
        table.unify(&wanted.evidence, &Ty::Impl(found, args.into()));
        Answer::Yes(further)
    }

    /// The impls in sight whose heads fit.
    pub(super) fn impls_of(&self, table: &mut Table, of: &TraitRef, node: NodeId) -> Vec<ItemId> {
        let subject = table.shallow(of.self_ty());
        let mut found = Vec::new();
        for file in files_for(self.db, self.file, &subject, Some(of.of)) {
            for &candidate in file_impls(self.db, file).of_traits.get(&of.of).into_iter().flatten() {
                let Some(head) = &impl_data(self.db, candidate).of else { continue };
                let before = table.snapshot();
                let args = instantiate(self.db, table, candidate, node);
                if unify_all(table, &head.subst(&args).args, &of.args) {
                    found.push(candidate);
                }
                table.rollback(before);
            }
        }
        super::super::scope::sort_items(self.db, &mut found);
        found
    }
}

/// Runs `f`; if it fails, every variable is as it was.
fn attempt(table: &mut Table, f: impl FnOnce(&mut Table) -> bool) -> bool {
    let before = table.snapshot();
    let fits = f(table);
    if !fits {
        table.rollback(before);
    }
    fits
}

fn unify_all(table: &mut Table, a: &[Ty], b: &[Ty]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| table.unify(a, b))
}

/// A member found by name: its proc, and the type arguments of the trait or impl around it.
pub(super) type Found = (ItemId, Vec<Ty>);

impl Checker<'_> {
    /// Type arguments of a proc: those of what is around it, then its own, then what bounds add. What the
    /// bounds ask for is noted.
    pub(super) fn proc_types(
        &mut self,
        item: ItemId,
        data: &ProcData,
        owner: Option<Vec<Ty>>,
        written: &[crate::lower::hir::TypeRef],
        node: NodeId,
    ) -> Vec<Ty> {
        let own = data.own.start as usize..data.own.end as usize;
        let short = Name::new(names::short_name(item.name(self.db)));
        let mut types = owner.unwrap_or_default();
        for name in data.generics.iter().take(own.start).skip(types.len()) {
            let origin =
                if is_hidden(name) { Origin::Hidden } else { Origin::Parameter(name.clone(), short.clone()) };
            types.push(self.table.fresh(node, origin));
        }
        let names = data.generics.get(own).unwrap_or_default();
        let own = self.type_arguments(item, names, written, node);
        if written.is_empty() {
            for (index, open) in own.iter().enumerate() {
                if let Some(default) = default_argument(self.db, item, index as u32) {
                    self.defaults.push((open.clone(), default.subst(&own)));
                }
            }
        }
        types.extend(own);
        for _ in types.len()..data.generics.len() {
            types.push(self.table.fresh(node, Origin::Hidden));
        }
        self.obligations.extend(obligations(&data.bounds, &types, node, item, 0));
        types
    }

    /// Decides what can be decided of the noted obligations; at the end of the body, all.
    pub(super) fn settle(&mut self, at_end: bool) {
        let mut progress = true;
        while progress && !self.obligations.is_empty() {
            progress = false;
            for wanted in std::mem::take(&mut self.obligations) {
                let env = Env { db: self.db, file: self.file, bounds: &self.bounds, names: &self.generics };
                match env.solve(&mut self.table, &wanted) {
                    Answer::Yes(further) => {
                        progress = true;
                        self.obligations.extend(further);
                    }
                    Answer::No => {
                        progress = true;
                        let diagnostic = self.unmet(&wanted);
                        self.report(diagnostic);
                        for ty in wanted.types.iter().chain([&wanted.evidence]) {
                            self.table.unify(ty, &Ty::Error);
                        }
                    }
                    Answer::Open => self.obligations.push(wanted),
                }
            }
        }
        if at_end {
            self.obligations.clear();
        }
    }

    fn unmet(&self, wanted: &Obligation) -> Diagnostic {
        let shown = self.show(wanted.of.self_ty());
        let asked = self.show_trait(&wanted.of);
        let mut diagnostic = self.error(
            codes::BOUND,
            wanted.node,
            format!("`{shown}` does not implement `{asked}`"),
            format!("`{asked}` is asked of `{shown}` here"),
        );
        if let Some(item) = wanted.asked_by {
            let name = names::short_name(item.name(self.db));
            let text = match item.kind(self.db) {
                ItemKind::Impl => "this impl asks for it".to_owned(),
                _ => format!("`{name}` asks for it"),
            };
            diagnostic = diagnostic.label(Place::Node(item, NodeId::default()), text);
        }
        let diagnostic = diagnostic.label(
            Place::Node(wanted.of.of, NodeId::default()),
            format!("the trait `{}` is declared here", wanted.of.of.name(self.db)),
        );
        let diagnostic = diagnostic.note(
            "impls are looked for in this module, the modules it imports, and those of the type and the trait",
        );
        match self.table.shallow(wanted.of.self_ty()) {
            Ty::Param(_, name) => diagnostic.help(format!("write the bound: `{name}: {asked}`")),
            _ => diagnostic.help(format!("write `impl {asked} for {shown} {{ … }}`")),
        }
    }

    /// A trait with its arguments, as users write it.
    pub(super) fn show_trait(&self, of: &TraitRef) -> String {
        let name = of.of.name(self.db).to_string();
        let args: Vec<String> = of.args.iter().skip(1).map(|arg| self.show(arg)).collect();
        if args.is_empty() { name } else { format!("{name}<{}>", args.join(", ")) }
    }

    /// The member `name` of a type: of the impls without a trait first, then of bounds and traits.
    /// `Err` if two fit, which is reported.
    pub(super) fn find_member(&mut self, ty: &Ty, name: &Name, node: NodeId) -> Result<Option<Found>, ()> {
        let ty = self.table.shallow(ty);
        if matches!(ty, Ty::Error | Ty::Never | Ty::Infer(_)) {
            return Ok(None);
        }
        let files = files_for(self.db, self.file, &ty, None);
        let mut inherent: Vec<(ItemId, ItemId)> = Vec::new();
        for &file in &files {
            for &(block, item) in file_impls(self.db, file).inherent.get(name).into_iter().flatten() {
                let before = self.table.snapshot();
                let args = instantiate(self.db, &mut self.table, block, node);
                if self.table.unify(&impl_data(self.db, block).ty.subst(&args), &ty) {
                    inherent.push((block, item));
                }
                self.table.rollback(before);
            }
        }
        match inherent.as_slice() {
            [] => {}
            &[(block, item)] => {
                let args = instantiate(self.db, &mut self.table, block, node);
                self.table.unify(&impl_data(self.db, block).ty.subst(&args), &ty);
                return Ok(Some((item, args)));
            }
            [(_, first), (_, second), ..] => {
                let (first, second) = (*first, *second);
                self.ambiguous_member(&ty, name, first, second, node);
                return Err(());
            }
        }
        // Bounds first: what is known of a type parameter is all that can be known of it.
        let mut traits: Vec<(ItemId, ItemId)> = Vec::new();
        for bound in self.bounds.clone() {
            let before = self.table.snapshot();
            if self.table.unify(bound.of.self_ty(), &ty)
                && let Some(member) = trait_members(self.db, bound.of.of).iter().find(|m| m.name == *name)
                && !traits.contains(&(bound.of.of, member.item))
            {
                traits.push((bound.of.of, member.item));
            }
            self.table.rollback(before);
        }
        if let Ty::Dyn(of, args) = &ty {
            for given in dyn_traits(self.db, *of, args, &ty) {
                if let Some(member) = trait_members(self.db, given.of).iter().find(|m| m.name == *name)
                    && !traits.contains(&(given.of, member.item))
                {
                    traits.push((given.of, member.item));
                }
            }
        }
        for &file in &files {
            for &(of, item) in file_impls(self.db, file).traits.get(name).into_iter().flatten() {
                if traits.contains(&(of, item)) {
                    continue;
                }
                let before = self.table.snapshot();
                let mut args = instantiate(self.db, &mut self.table, of, node);
                let ItemHir::Trait(declared) = &**item_hir(self.db, of) else { continue };
                args.truncate(declared.generics.len() + 1);
                if let Some(subject) = args.first_mut() {
                    *subject = ty.clone();
                }
                let wanted = TraitRef { of, args: args.into() };
                let env = Env { db: self.db, file: self.file, bounds: &[], names: &[] };
                if !env.impls_of(&mut self.table, &wanted, node).is_empty() {
                    traits.push((of, item));
                }
                self.table.rollback(before);
            }
        }
        match traits.as_slice() {
            [] => Ok(None),
            &[(of, item)] => {
                let args = instantiate(self.db, &mut self.table, of, node);
                if let Some(subject) = args.first() {
                    self.table.unify(subject, &ty);
                }
                Ok(Some((item, args)))
            }
            [(_, first), (_, second), ..] => {
                let (first, second) = (*first, *second);
                self.ambiguous_member(&ty, name, first, second, node);
                Err(())
            }
        }
    }

    /// The names of the members that impls in sight give a type, sorted.
    pub(super) fn member_names(&mut self, ty: &Ty) -> Vec<Name> {
        let ty = self.table.shallow(ty);
        let mut found = Vec::new();
        for file in files_for(self.db, self.file, &ty, None) {
            let impls = file_impls(self.db, file);
            let inherent = impls.inherent.values().flatten().map(|(block, _)| *block);
            let of_traits = impls.of_traits.values().flatten().copied();
            for block in inherent.chain(of_traits) {
                let before = self.table.snapshot();
                let args = instantiate(self.db, &mut self.table, block, NodeId::default());
                if self.table.unify(&impl_data(self.db, block).ty.subst(&args), &ty) {
                    found.extend(impl_data(self.db, block).members.iter().map(|member| member.name.clone()));
                }
                self.table.rollback(before);
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn ambiguous_member(&mut self, ty: &Ty, name: &Name, first: ItemId, second: ItemId, node: NodeId) {
        let shown = self.show(ty);
        let of = |item: ItemId| {
            let name = item.name(self.db).as_str();
            name.rsplit_once("::").map_or_else(String::new, |(owner, _)| owner.to_owned())
        };
        let diagnostic = self
            .error(
                codes::AMBIGUOUS_METHOD,
                node,
                format!("`{shown}` has two members `{name}`"),
                "which one?",
            )
            .label(Place::Node(first, NodeId::default()), format!("one is of `{}`", of(first)))
            .label(Place::Node(second, NodeId::default()), format!("the other one is of `{}`", of(second)))
            .note("members of the type itself come first, then those of its traits; two of equal rank are too many")
            .help(format!("name the trait: `{}.{name}(value)`", of(first)));
        self.report(diagnostic);
    }
}
