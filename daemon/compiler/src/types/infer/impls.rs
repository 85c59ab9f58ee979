//! Impls against their traits.
use super::super::codes as type_codes;
use super::super::data::ProcData;
use super::super::traits::{ImplData, file_impls, generics, head_diagnostics, impl_data};
use super::super::ty::Ty;
use super::codes;
use super::traits::{Answer, Env, instantiate, obligations};
use super::unify::Table;
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Diagnostic, Name, Phase, Place};
use crate::lower::hir::{ItemHir, TraitHir};
use crate::lower::{ItemId, NodeId, item_hir};
use crate::types::{proc_data, ty_name};

/// Everything that is wrong with an impl but for the bodies of its members.
#[salsa::tracked(returns(ref))]
pub fn impl_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    let mut check = ImplCheck { db, item, diagnostics: head_diagnostics(db, item).to_vec() };
    let data = impl_data(db, item);
    check.open_parameters(data);
    match &data.of {
        Some(of) => {
            if let ItemHir::Trait(declared) = &**item_hir(db, of.of) {
                check.against(of.of, declared, data);
                check.overlaps(data);
            }
        }
        None => check.repeated(data),
    }
    check.diagnostics.into()
}

struct ImplCheck<'db> {
    db: &'db dyn Db,
    item: ItemId,
    diagnostics: Vec<Diagnostic>,
}

impl ImplCheck<'_> {
    fn error(&self, code: crate::base::Code, message: String, label: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, Phase::Typeck, Place::Node(self.item, NodeId(0)), message, label)
    }

    /// A type parameter that no use of the impl decides.
    fn open_parameters(&mut self, data: &ImplData) {
        let own = generics(self.db, self.item);
        for index in 0..own.written {
            let mentioned = |ty: &Ty| mentions(ty, index);
            let decided = mentioned(&data.ty)
                || data.of.iter().flat_map(|of| of.args.iter()).any(mentioned)
                || data.ty == Ty::Error;
            if !decided {
                let name = own.names.get(index as usize).cloned().unwrap_or_default();
                let diagnostic = self
                    .error(
                        type_codes::OPEN_PARAMETER,
                        format!("the type parameter `{name}` is not decided by this impl's head"),
                        format!("mentions no `{name}`"),
                    )
                    .note("what an impl is of must mention each of its type parameters")
                    .help(format!("remove `{name}`, or make it a type parameter of the procs that need it"));
                self.diagnostics.push(diagnostic);
            }
        }
    }

    fn against(&mut self, of: ItemId, declared: &TraitHir, data: &ImplData) {
        let trait_name = of.name(self.db);
        let mut missing: Vec<String> = Vec::new();
        for (name, _) in &declared.types {
            let given = data.types.iter().any(|(own, _)| *own == name.name);
            if !given && !declared.defaults.iter().any(|(own, _)| *own == name.name) {
                missing.push(format!("`type {}`", name.name));
            }
        }
        for member in declared.members.iter().filter(|member| !member.has_body) {
            if data.member(&member.name).is_none() {
                missing.push(format!("`{}`", member.name));
            }
        }
        if !missing.is_empty() {
            let listed = missing.join(", ");
            let diagnostic = self
                .error(
                    type_codes::MISSING_MEMBER,
                    format!("this impl of `{trait_name}` lacks {listed}"),
                    format!("{listed} missing"),
                )
                .label(Place::Node(of, NodeId(0)), format!("`{trait_name}` is declared here"))
                .note("an impl gives everything that its trait declares without a body")
                .help("add what is missing");
            self.diagnostics.push(diagnostic);
        }
        let known = |name: &Name| {
            declared.members.iter().any(|member| member.name == *name)
                || declared.types.iter().any(|(own, _)| own.name == *name)
        };
        let own_types = data.types.iter().map(|(name, _)| (name, None));
        let own_members = data.members.iter().map(|member| (&member.name, Some(member.item)));
        for (name, member) in own_types.chain(own_members).filter(|(name, _)| !known(name)) {
            let place = Place::Node(member.unwrap_or(self.item), NodeId(0));
            let diagnostic = Diagnostic::error(
                type_codes::UNKNOWN_MEMBER,
                Phase::Typeck,
                place,
                format!("`{name}` is no member of the trait `{trait_name}`"),
                "not declared by the trait",
            )
            .label(Place::Node(of, NodeId(0)), format!("`{trait_name}` is declared here"))
            .note("an impl of a trait holds what the trait declares and nothing else")
            .help(format!(
                "put it into an impl without a trait: `impl {} {{ … }}`",
                ty_name(self.db, &data.ty)
            ));
            self.diagnostics.push(diagnostic);
        }
        let Some(args) = self.trait_args(of, data) else { return };
        for member in &data.members {
            if let Some(wanted) = declared.members.iter().find(|wanted| wanted.name == member.name) {
                self.signature(wanted.item, member.item, &args);
            }
        }
    }

    /// The type arguments of the trait that this impl gives; what the trait asks for beside is checked.
    fn trait_args(&mut self, of: ItemId, data: &ImplData) -> Option<Vec<Ty>> {
        let own = generics(self.db, self.item);
        let env = Env { db: self.db, file: self.item.file(self.db), bounds: &own.bounds, names: &own.names };
        let mut table = Table::default();
        let args = instantiate(self.db, &mut table, of, NodeId(0));
        for (open, given) in args.iter().zip(data.of.iter().flat_map(|of| of.args.iter())) {
            table.unify(open, given);
        }
        let of_trait = generics(self.db, of);
        let mut work = obligations(&of_trait.bounds, &args, NodeId(0), of, 0);
        let mut fine = true;
        // What is open may be decided by what comes after it.
        let mut waiting = 0;
        while !work.is_empty() {
            let wanted = work.remove(0);
            match env.solve(&mut table, &wanted) {
                Answer::Yes(further) => {
                    waiting = 0;
                    work.extend(further);
                }
                Answer::Open if waiting < work.len() => {
                    waiting += 1;
                    work.push(wanted);
                }
                Answer::No | Answer::Open => {
                    fine = false;
                    let subject = ty_name(self.db, &table.resolve(wanted.of.self_ty()));
                    let asked = wanted.of.of.name(self.db);
                    let diagnostic = self
                        .error(
                            codes::BOUND,
                            format!("`{subject}` does not implement `{asked}`"),
                            format!("`{}` asks for it", of.name(self.db)),
                        )
                        .label(Place::Node(wanted.of.of, NodeId(0)), format!("`{asked}` is declared here"))
                        .note("what a trait asks of its implementors and of their associated types must be there too")
                        .help(format!("write `impl {asked} for {subject} {{ … }}`"));
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        fine.then(|| args.iter().map(|ty| table.resolve(ty)).collect())
    }

    /// A member's signature against the trait's.
    fn signature(&mut self, wanted: ItemId, member: ItemId, args: &[Ty]) {
        let (declared, own) = (proc_data(self.db, wanted), proc_data(self.db, member));
        let kind = |data: &ProcData| if data.is_const { "a const" } else { "a proc" };
        let count = |data: &ProcData| data.generics.len() as u32 - data.own.start;
        let mut all = args.to_vec();
        for index in 0..count(declared) {
            let name = own.generics.get((own.own.start + index) as usize).cloned().unwrap_or_default();
            all.push(Ty::Param(own.own.start + index, name));
        }
        let show = |ty: &Ty| ty_name(self.db, ty);
        let problem = if declared.is_const != own.is_const {
            Some(format!("the trait declares {}, this is {}", kind(declared), kind(own)))
        } else if declared.own.len() != own.own.len() || count(declared) != count(own) {
            Some("its type parameters or their bounds are others".to_owned())
        } else if declared.params.len() != own.params.len() {
            Some(format!("the trait has {} parameters, this has {}", declared.params.len(), own.params.len()))
        } else {
            let params = declared.params.iter().zip(&own.params).find_map(|(wanted, found)| {
                let ty = wanted.ty.subst(&all);
                (ty != found.ty && ty != Ty::Error && found.ty != Ty::Error)
                    .then(|| format!("`{}` must be `{}`, found `{}`", found.name, show(&ty), show(&found.ty)))
            });
            params.or_else(|| {
                let ret = declared.ret.subst(&all);
                (ret != own.ret && ret != Ty::Error && own.ret != Ty::Error)
                    .then(|| format!("its result must be `{}`, found `{}`", show(&ret), show(&own.ret)))
            })
        };
        let Some(problem) = problem else { return };
        let name = super::names::short_name(member.name(self.db));
        let diagnostic = Diagnostic::error(
            type_codes::WRONG_SIGNATURE,
            Phase::Typeck,
            Place::Node(member, NodeId(0)),
            format!("`{name}` is not what the trait declares"),
            problem,
        )
        .label(Place::Node(wanted, NodeId(0)), "declared by the trait here")
        .note("a member of an impl has the signature that its trait says, with `Self` replaced by the type")
        .help("write it with the trait's types");
        self.diagnostics.push(diagnostic);
    }

    /// Another impl in sight for a type that this one is for as well.
    fn overlaps(&mut self, data: &ImplData) {
        let Some(of) = &data.of else { return };
        if of.args.contains(&Ty::Error) {
            return;
        }
        let env = Env { db: self.db, file: self.item.file(self.db), bounds: &[], names: &[] };
        let mut table = Table::default();
        let args = instantiate(self.db, &mut table, self.item, NodeId(0));
        let others = env.impls_of(&mut table, &of.subst(&args), NodeId(0));
        let order =
            |item: ItemId| (item.file(self.db).path(self.db), item.ordinal(self.db), item.name(self.db));
        let span = |item: ItemId| crate::lower::item_source_map(self.db, item).span(NodeId(0));
        for other in others.into_iter().filter(|other| *other != self.item) {
            // Two that see each other are reported once: at the later one.
            let same_file = other.file(self.db) == self.item.file(self.db);
            let later =
                if same_file { span(other) < span(self.item) } else { order(other) < order(self.item) };
            let sees_back =
                super::super::traits::files_for(self.db, other.file(self.db), &data.ty, Some(of.of))
                    .contains(&self.item.file(self.db));
            if !later && sees_back {
                continue;
            }
            let subject = ty_name(self.db, &data.ty);
            let diagnostic = self
                .error(
                    type_codes::OVERLAPPING_IMPLS,
                    format!("`{subject}` implements `{}` twice", of.of.name(self.db)),
                    "this impl fits types that another one fits",
                )
                .label(Place::Node(other, NodeId(0)), "the other one")
                .note("a type has one impl of a trait, so that a call means one thing")
                .help("remove one of the two, or make their types differ");
            self.diagnostics.push(diagnostic);
            return;
        }
    }

    /// A member that another impl of the type in this file has as well.
    fn repeated(&mut self, data: &ImplData) {
        let own = file_impls(self.db, self.item.file(self.db));
        for member in &data.members {
            let Some(all) = own.inherent.get(&member.name) else { continue };
            for (block, other) in all.iter().take_while(|(_, item)| *item != member.item) {
                let mut table = Table::default();
                let args = instantiate(self.db, &mut table, *block, NodeId(0));
                let mine = instantiate(self.db, &mut table, self.item, NodeId(0));
                let theirs = impl_data(self.db, *block).ty.subst(&args);
                if !table.unify(&theirs, &data.ty.subst(&mine)) {
                    continue;
                }
                let diagnostic = Diagnostic::error(
                    crate::lower::codes::DUPLICATE_ITEM,
                    Phase::Typeck,
                    Place::Node(member.item, NodeId(0)),
                    format!("member `{}` is declared twice", member.name),
                    "declared again here",
                )
                .label(Place::Node(*other, NodeId(0)), "first declared here")
                .note("impls of one type share the names of their members")
                .help("rename or remove one of the two");
                self.diagnostics.push(diagnostic);
                break;
            }
        }
    }
}

/// Whether a type mentions a type parameter.
fn mentions(ty: &Ty, index: u32) -> bool {
    if matches!(ty, Ty::Param(own, _) if *own == index) {
        return true;
    }
    let mut found = false;
    ty.for_each_part(|part| found |= mentions(part, index));
    found
}
