//! Traits, impls and their members.
use std::collections::HashMap;
use std::sync::Arc;

use super::body::BodyBuilder;
use super::codes;
use super::dump::ty as written;
use super::file::{FileLowering, TypeLowering};
use super::hir::{
    Abi, ImplHir, ItemEntry, ItemHir, Member, ProcHir, ProcSig, TraitHir, TypeRef, TypeRefKind,
};
use super::item::{ItemId, ItemKind};
use crate::base::{Diagnostic, Name, Phase, Span};
use crate::syntax::ast;

impl<'a> FileLowering<'a> {
    pub(super) fn trait_decl(&mut self, declared: &'a ast::Trait, exported: bool) {
        let id = self.declare(ItemKind::Trait, &declared.name.name, &declared.name, exported, false);
        let mut types = TypeLowering::new(self);
        let name = types.ident(&declared.name);
        types.no_defaults(&declared.generics);
        types.no_constants(&declared.generics);
        let (generics, bounds) = types.generics(&declared.generics, &[]);
        let supers = declared.supers.iter().map(|&of| types.ty(of)).collect();
        let (mut associated, mut defaults) = (Vec::new(), Vec::new());
        let mut seen = HashMap::new();
        for member in &declared.members {
            let ast::MemberKind::Type { name, bounds, ty } = &member.kind else { continue };
            if types.file.is_new(&mut seen, name) {
                let name = types.ident(name);
                if let Some(ty) = ty {
                    defaults.push((name.name.clone(), types.ty(*ty)));
                }
                associated.push((name, bounds.iter().map(|&of| types.ty(of)).collect()));
            }
        }
        let spans = types.spans;
        let members = self.members(&declared.members, &declared.name.name, id, &mut seen);
        let hir = TraitHir { name, generics, bounds, supers, types: associated, defaults, members };
        self.finish(id, ItemHir::Trait(hir), spans);
    }

    pub(super) fn impl_decl(&mut self, block: &'a ast::Impl) {
        let mut types = TypeLowering::new(self);
        super::file::add(&mut types.spans, block.head);
        types.no_defaults(&block.generics);
        let (generics, bounds) = types.generics(&block.generics, &block.wheres);
        let consts = std::mem::take(&mut types.consts);
        let of = block.of.map(|of| types.ty(of));
        let ty = types.ty(block.ty);
        let target = written(&ty);
        let (name, prefix) = match &of {
            Some(of) => {
                let of = written(of);
                (format!("{of} for {target}"), Name::new(format!("<{target} as {of}>")))
            }
            None => (target.clone(), Name::new(target)),
        };
        let id = types.file.new_id(ItemKind::Impl, &Name::new(name));
        let mut associated = Vec::new();
        let mut seen = HashMap::new();
        for member in &block.members {
            let ast::MemberKind::Type { name, bounds, ty } = &member.kind else { continue };
            if !types.file.is_new(&mut seen, name) {
                continue;
            }
            if let (Some(ty), true) = (ty, bounds.is_empty()) {
                let name = types.ident(name);
                associated.push((name, types.ty(*ty)));
            } else {
                types.file.incomplete(name, "an associated type of an impl is written `type Name = T`");
            }
        }
        let spans = types.spans;
        self.impl_members(
            id,
            &block.members,
            &prefix,
            seen,
            (spans, generics, consts, bounds, of, ty, associated),
        );
    }

    #[allow(clippy::type_complexity)] // the parts of an impl's head
    fn impl_members(
        &mut self,
        id: ItemId,
        members: &'a [ast::Member],
        prefix: &Name,
        mut seen: HashMap<Name, Span>,
        (spans, generics, consts, bounds, of, ty, types): (
            Vec<Span>,
            Vec<super::hir::Ident>,
            Vec<(Name, TypeRef)>,
            Vec<super::hir::Bound>,
            Option<TypeRef>,
            TypeRef,
            Vec<(super::hir::Ident, TypeRef)>,
        ),
    ) {
        self.item_tree.items.push(ItemEntry { id, member: true, exported: false, duplicate: false });
        let members = self.members(members, prefix, id, &mut seen);
        self.finish(id, ItemHir::Impl(ImplHir { generics, consts, bounds, of, ty, types, members }), spans);
    }

    /// The procs and consts inside a form: an impl of it.
    pub(super) fn form_members(&mut self, form: &'a ast::Form, entered: &ast::Ident) {
        let id = self.new_id(ItemKind::Impl, &entered.name);
        let mut types = TypeLowering::new(self);
        super::file::add(&mut types.spans, form.name.span);
        let generics: Vec<_> = form.generics.iter().map(|g| types.ident(&g.name)).collect();
        let name = types.ident(entered);
        let args = generics
            .iter()
            .map(|g| TypeRef {
                node: g.node,
                kind: TypeRefKind::Path { path: vec![g.clone()], args: Vec::new() },
            })
            .collect();
        let ty = TypeRef { node: name.node, kind: TypeRefKind::Path { path: vec![name], args } };
        let mut consts = Vec::new();
        for generic in form.generics.iter().filter(|generic| generic.constant) {
            if let Some(&ty) = generic.bounds.first() {
                consts.push((generic.name.name.clone(), types.ty(ty)));
            }
        }
        let head = (types.spans, generics, consts, Vec::new(), None, ty, Vec::new());
        self.impl_members(id, &form.members, &entered.name, HashMap::new(), head);
    }

    /// Lowers the procs and consts of a trait or impl to procs of their own.
    fn members(
        &mut self,
        members: &'a [ast::Member],
        prefix: &Name,
        owner: ItemId,
        seen: &mut HashMap<Name, Span>,
    ) -> Vec<Member> {
        let mut lowered = Vec::new();
        for member in members {
            self.attributes(&member.attrs);
            let (ident, has_body) = match &member.kind {
                ast::MemberKind::Proc(proc) => (&proc.name, proc.body.is_some()),
                ast::MemberKind::Const { name, value, .. } => (name, value.is_some()),
                ast::MemberKind::Type { .. } => continue,
            };
            if ident.name.is_empty() {
                continue;
            }
            let new = self.is_new(seen, ident);
            let name = Name::new(format!("{prefix}::{}", ident.name));
            let id = self.new_id(ItemKind::Proc, &name);
            self.item_tree.items.push(ItemEntry { id, member: true, exported: false, duplicate: !new });
            let mut spans = Vec::new();
            let hir = match &member.kind {
                ast::MemberKind::Proc(proc) => self.proc(proc, &name, Some(owner), &mut spans),
                ast::MemberKind::Const { name: ident, ty, value } => {
                    self.constant(ident, *ty, *value, &name, owner, &mut spans)
                }
                ast::MemberKind::Type { .. } => continue,
            };
            self.finish(id, hir, spans);
            if new {
                lowered.push(Member { name: ident.name.clone(), item: id, has_body });
            }
        }
        lowered
    }

    /// A `const` of a trait or impl: it may depend on type parameters, which only procs have.
    fn constant(
        &mut self,
        ident: &'a ast::Ident,
        ty: Option<ast::TypeId>,
        value: Option<ast::ExprId>,
        name: &Name,
        owner: ItemId,
        spans: &mut Vec<Span>,
    ) -> ItemHir {
        let mut types = TypeLowering::new(self);
        let node = types.ident(ident);
        let mut ret = ty.map(|ty| types.ty(ty));
        *spans = types.spans;
        if ret.is_none() {
            ret = Some(TypeRef { node: node.node, kind: TypeRefKind::Error });
            self.incomplete(
                ident,
                "a constant of a trait or impl has its type written: `const NAME: T = value`",
            );
        }
        let body = value.map(|value| {
            let mut body = BodyBuilder::value(self, spans, name, value);
            if let Some(tail) = body.block.tail.take() {
                let node = body.block.node;
                let give = super::hir::Expr { node, kind: super::hir::ExprKind::Give(Some(tail)) };
                body.exprs.push(give);
                let id = super::hir::ExprId(body.exprs.len() as u32 - 1);
                body.block.stmts.push(super::hir::Stmt::Expr(id));
            }
            Arc::new(body)
        });
        let sig = ProcSig {
            name: node,
            owner: Some(owner),
            generics: Vec::new(),
            consts: Vec::new(),
            bounds: Vec::new(),
            defaults: Vec::new(),
            params: Vec::new(),
            ret,
            abi: Abi::Vitte,
            is_test: false,
            is_const: true,
        };
        ItemHir::Proc(ProcHir { sig: Arc::new(sig), is_unsafe: false, body })
    }

    fn is_new(&mut self, seen: &mut HashMap<Name, Span>, name: &ast::Ident) -> bool {
        if let Some(&first) = seen.get(&name.name) {
            let help = "rename or remove one of the two";
            self.duplicate(codes::DUPLICATE_ITEM, "member", name, first, help);
            return false;
        }
        seen.insert(name.name.clone(), name.span);
        true
    }

    fn incomplete(&mut self, name: &ast::Ident, note: &str) {
        let diagnostic = Diagnostic::error(
            codes::INCOMPLETE_MEMBER,
            Phase::Sema,
            self.place(name.span),
            format!("`{}` is not complete", name.name),
            "a part is missing",
        )
        .note(note)
        .help("write the missing part");
        self.push(diagnostic);
    }
}
