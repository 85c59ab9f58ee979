//! A file's items and their signatures.
use std::collections::HashMap;
use std::sync::Arc;

use super::body::BodyBuilder;
use super::hir::{
    Abi, AliasHir, Bound, ConstHir, ExportDecl, ExportKind, Expr, ExprKind, Field, FormHir, Ident, ItemEntry,
    ItemHir, ItemTree, Literal, Param, ParamMode, PickHir, ProcHir, ProcSig, SourceMap, TypeRef, TypeRefKind,
    UseAnchor, UseDecl, UseKind, Variant,
};
use super::item::{ItemId, ItemKind, NodeId};
use super::{LoweredFile, LoweredItem, codes};
use crate::base::{Applicability, Db, Diagnostic, FileContents, Name, Phase, Place, SourceFile, Span};
use crate::lint;
use crate::syntax::ast;

/// Attributes that programs may write. They are hints to people, tools and the optimiser: a program with and one
/// without them means the same.
const KNOWN_ATTRIBUTES: [&str; 9] =
    ["allow", "cold", "deny", "deprecated", "doc", "inline", "must_use", "noinline", "warn"];

/// Lowers a file's tree.
pub(super) fn lower(db: &dyn Db, file: SourceFile, tree: &ast::File) -> LoweredFile {
    let mut lowering = FileLowering {
        db,
        file,
        tree,
        out: LoweredFile::default(),
        item_tree: ItemTree {
            space: tree.space.as_ref().map(|s| s.path.iter().map(|i| i.name.clone()).collect()),
            ..ItemTree::default()
        },
        ordinals: HashMap::new(),
        declared: HashMap::new(),
        shadowed: shadowed_builtins(tree),
        has_main: tree
            .items
            .iter()
            .any(|i| matches!(&i.kind, ast::ItemKind::Proc(p) if p.name.name == "main")),
        block_items: Vec::new(),
        inner_constants: Vec::new(),
    };
    lowering.attributes(&tree.attrs);
    for item in &tree.items {
        lowering.item(item, None);
        lowering.inner_constants.clear();
    }
    let FileLowering { mut out, item_tree, .. } = lowering;
    out.tree = Arc::new(item_tree);
    out
}

/// Which of `panic` and `assert` the file itself declares or imports by name.
fn shadowed_builtins(tree: &ast::File) -> Vec<Name> {
    let mut names = Vec::new();
    for item in &tree.items {
        match &item.kind {
            ast::ItemKind::Proc(proc) => names.push(proc.name.name.clone()),
            ast::ItemKind::Use(ast::Use { kind: ast::UseKind::Group(list), .. }) => {
                names.extend(list.iter().map(|(n, a)| a.as_ref().unwrap_or(n).name.clone()));
            }
            _ => {}
        }
    }
    names.retain(|n| n == "panic" || n == "assert");
    names
}

pub(super) struct FileLowering<'a> {
    pub(super) db: &'a dyn Db,
    pub(super) file: SourceFile,
    pub(super) tree: &'a ast::File,
    pub(super) out: LoweredFile,
    pub(super) item_tree: ItemTree,
    ordinals: HashMap<(ItemKind, Name), u32>,
    declared: HashMap<Name, Span>,
    pub(super) shadowed: Vec<Name>,
    has_main: bool,
    /// Types and statics declared in the blocks around the present place, innermost last: what they are called there
    /// and as items of the module.
    pub(super) block_items: Vec<HashMap<Name, Name>>,
    /// Constants of blocks and of type parameter lists of the item being lowered.
    pub(super) inner_constants: Vec<Name>,
}

impl<'a> FileLowering<'a> {
    pub(super) fn place(&self, span: Span) -> Place {
        Place::File(self.file, span)
    }

    /// What a type or static of a block around this place is called as an item.
    pub(super) fn block_item(&self, name: &Name) -> Option<&Name> {
        self.block_items.iter().rev().find_map(|block| block.get(name))
    }

    /// Opens the scope of the types and statics that a block of the proc `outer` declares. They are items of the module
    /// under names that nobody can write.
    pub(super) fn open_block(&mut self, outer: &Name, block: &ast::Block) {
        let mut own = HashMap::new();
        for stmt in &block.stmts {
            let ast::StmtKind::Item(item) = &stmt.kind else { continue };
            let (ast::ItemKind::Form(ast::Form { name, .. })
            | ast::ItemKind::Pick(ast::Pick { name, .. })
            | ast::ItemKind::Alias(ast::Alias { name, .. })
            | ast::ItemKind::Const(ast::Const { name, .. })) = &item.kind
            else {
                continue;
            };
            let mut inner = Name::new(format!("{outer}.{}", name.name));
            let mut count = 1;
            while self.declared.contains_key(&inner) {
                count += 1;
                inner = Name::new(format!("{outer}.{count}.{}", name.name));
            }
            own.entry(name.name.clone()).or_insert(inner);
        }
        self.block_items.push(own);
    }

    /// The name under which an item is entered: for one in a block, that of [`Self::open_block`].
    fn entered(&self, ident: &ast::Ident, outer: Option<&Name>) -> ast::Ident {
        let inner = outer.and_then(|_| self.block_item(&ident.name));
        ast::Ident { name: inner.unwrap_or(&ident.name).clone(), span: ident.span }
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    /// The one diagnostic of a construct that parses but is not supported yet.
    pub(super) fn not_supported(&mut self, feature: &str, span: Span) {
        let diagnostic = Diagnostic::error(
            codes::NOT_SUPPORTED_YET,
            Phase::Sema,
            self.place(span),
            format!("not supported yet: {feature}"),
            "no meaning so far",
        )
        .note("it is part of the language's grammar, but this compiler gives it no meaning so far")
        .help("write it with the supported constructs for now");
        self.push(diagnostic);
    }

    /// Compares the length of a fixed array with the list that it begins with, inner arrays included.
    pub(super) fn array_length(&mut self, ty: Option<ast::TypeId>, value: Option<ast::ExprId>) {
        let tree = self.tree;
        let mut work: Vec<(ast::TypeId, ast::ExprId)> = ty.zip(value).into_iter().collect();
        while let Some((ty, value)) = work.pop() {
            let (element, length) = match tree.ty(ty).kind {
                ast::TypeKind::Array(element, length) => (element, Some(length)),
                ast::TypeKind::List(element) => (element, None),
                _ => continue,
            };
            let ast::ExprKind::List(items) = &tree.expr(value).kind else { continue };
            work.extend(items.iter().map(|&item| (element, item)));
            let Some(length) = length else { continue };
            let ast::ExprKind::Literal(ast::Literal::Int(wanted, _)) = tree.expr(length).kind else {
                self.length_assert(length, Some(items.len()));
                continue;
            };
            if wanted == items.len() as u128 {
                continue;
            }
            let diagnostic = Diagnostic::error(
                codes::ARRAY_LENGTH,
                Phase::Sema,
                self.place(tree.expr(value).span),
                format!("the array has {wanted} elements, but {} are given", items.len()),
                "wrong number of elements",
            )
            .label(self.place(tree.expr(length).span), "its length is declared here")
            .note("`[T; N]` holds exactly `N` elements")
            .help("change the length, or write `[T]` for a list that grows");
            self.push(diagnostic);
        }
    }

    /// Has the length of an array evaluated where it is no literal: it must be a constant, and `count` if that is given.
    /// What depends on constants of a block or of type parameters is known too late for that.
    pub(super) fn length_assert(&mut self, length: ast::ExprId, count: Option<usize>) {
        if matches!(self.tree.expr(length).kind, ast::ExprKind::Error) || self.names_inner_constant(length) {
            return;
        }
        let id = self.new_id(ItemKind::StaticAssert, &Name::default());
        self.item_tree.items.push(ItemEntry { id, member: false, exported: false, duplicate: false });
        let span = self.tree.expr(length).span;
        let mut spans = vec![span];
        let mut body = BodyBuilder::value(self, &mut spans, &Name::default(), length);
        let (op, wanted, message) = match count {
            Some(count) => (ast::BinaryOp::Eq, count, "the array has another number of elements"),
            None => (ast::BinaryOp::Ge, 0, "an array cannot have less than no elements"),
        };
        if let Some(tail) = body.block.tail {
            let literal = Literal::Int(wanted as u128, None);
            let right = Expr { node: add(&mut spans, span), kind: ExprKind::Literal(literal) };
            let right = body.add(right);
            let sign = add(&mut spans, span);
            let node = add(&mut spans, span);
            let cond = body.add(Expr { node, kind: ExprKind::Binary(op, sign, tail, right) });
            body.block.tail = Some(cond);
        }
        let message = Some(Name::new(message));
        self.finish(id, ItemHir::StaticAssert(Arc::new(body), message), spans);
    }

    /// Whether an expression names a constant of a block or of a type parameter list around it.
    fn names_inner_constant(&self, expr: ast::ExprId) -> bool {
        let mut work = vec![expr];
        while let Some(expr) = work.pop() {
            match &self.tree.expr(expr).kind {
                ast::ExprKind::Name(name, _) if self.inner_constants.contains(&name.name) => return true,
                ast::ExprKind::Paren(inner)
                | ast::ExprKind::Unary(_, inner)
                | ast::ExprKind::Cast(inner, _) => work.push(*inner),
                ast::ExprKind::Binary(_, _, left, right) => work.extend([*left, *right]),
                ast::ExprKind::Call { args, .. } => work.extend(args.iter().map(|arg| arg.value)),
                _ => {}
            }
        }
        false
    }

    fn untyped_static(&mut self, name: &ast::Ident) {
        let diagnostic = Diagnostic::error(
            crate::syntax::codes::EXPECTED_TYPE,
            Phase::Sema,
            self.place(name.span),
            format!("the static `{}` needs a type", name.name),
            "its type is missing",
        )
        .note("a static is written `static NAME: T = value`: its type is part of what others see of it")
        .help("write `:` and its type behind the name");
        self.push(diagnostic);
    }

    pub(super) fn extras(&mut self, extras: &[ast::Extra]) {
        for extra in extras {
            self.not_supported(extra.feature, extra.span);
        }
    }

    pub(super) fn attributes(&mut self, attrs: &[ast::Attr]) {
        for attr in attrs {
            if lint::Level::of(&attr.name.name).is_some() {
                self.lint_names(attr);
            }
            if KNOWN_ATTRIBUTES.contains(&attr.name.name.as_str()) {
                continue;
            }
            let diagnostic = Diagnostic::warning(
                codes::UNKNOWN_ATTRIBUTE,
                Phase::Sema,
                self.place(attr.span),
                format!("attribute `{}` is ignored", attr.name.name),
                "means nothing here",
            )
            .note(format!("known attributes are `{}`", KNOWN_ATTRIBUTES.join("`, `")))
            .help("remove it, or keep it for other tools");
            self.push(diagnostic);
        }
    }

    /// What `#[allow(..)]` and its like name must be something to allow.
    fn lint_names(&mut self, attr: &ast::Attr) {
        let FileContents::Text(text) = self.file.contents(self.db) else { return };
        for (name, span) in lint::levels::arguments(&text, attr) {
            if lint::is_known(name) {
                continue;
            }
            let diagnostic = Diagnostic::warning(
                lint::codes::UNKNOWN_LINT,
                Phase::Sema,
                self.place(span),
                format!("there is no lint `{name}`"),
                "sets nothing",
            )
            .note("lints are named as `vitte explain` names them, by code, key or name; `warnings` and `lints` are groups");
            let diagnostic = match lint::similar(name) {
                Some(near) => {
                    let message = format!("`{near}` has a similar name");
                    diagnostic.suggest(self.place(span), near, message, Applicability::MachineApplicable)
                }
                None => diagnostic.help("correct the name, or remove it"),
            };
            self.push(diagnostic);
        }
    }

    pub(super) fn duplicate(
        &mut self,
        code: crate::base::Code,
        what: &str,
        name: &ast::Ident,
        first: Span,
        help: &str,
    ) {
        let diagnostic = Diagnostic::error(
            code,
            Phase::Sema,
            self.place(name.span),
            format!("{what} `{}` is declared twice", name.name),
            "declared again here",
        )
        .label(self.place(first), "first declared here")
        .note("only the first declaration counts")
        .help(help);
        self.push(diagnostic);
    }

    pub(super) fn new_id(&mut self, kind: ItemKind, name: &Name) -> ItemId {
        let ordinal = self.ordinals.entry((kind, name.clone())).or_insert(0);
        let id = ItemId::new(self.db, self.file, kind, name.clone(), *ordinal);
        *ordinal += 1;
        id
    }

    pub(super) fn finish(&mut self, id: ItemId, hir: ItemHir, spans: Vec<Span>) {
        let lowered = LoweredItem { hir: Arc::new(hir), map: Arc::new(SourceMap { spans }) };
        self.out.items.insert(id, lowered);
    }

    /// Lowers an item. `outer` is the name of the proc around it; gives the id of a local proc.
    pub(super) fn item(&mut self, item: &'a ast::Item, outer: Option<&Name>) -> Option<ItemId> {
        self.attributes(&item.attrs);
        let exported = item.visibility == ast::Visibility::Public;
        match &item.kind {
            ast::ItemKind::Proc(proc) => {
                let name = match outer {
                    Some(outer) => Name::new(format!("{outer}.{}", proc.name.name)),
                    None => proc.name.name.clone(),
                };
                let id = if is_operator(&name) {
                    // Found by the types of its operands; one for each pair of them.
                    let id = self.new_id(ItemKind::Proc, &name);
                    self.item_tree.items.push(ItemEntry { id, member: true, exported, duplicate: false });
                    id
                } else {
                    self.declare(ItemKind::Proc, &name, &proc.name, exported, outer.is_some())
                };
                let mut spans = Vec::new();
                let hir = self.proc(proc, &name, None, &mut spans);
                self.finish(id, hir, spans);
                return Some(id);
            }
            ast::ItemKind::Use(_)
            | ast::ItemKind::Export(_)
            | ast::ItemKind::Extern(_)
            | ast::ItemKind::Test(_)
            | ast::ItemKind::Entry(_)
            | ast::ItemKind::Trait(_)
            | ast::ItemKind::Impl(_)
                if outer.is_some() =>
            {
                self.not_supported("this declaration inside a block", item.span);
            }
            ast::ItemKind::Use(decl) => self.use_decl(decl),
            ast::ItemKind::Export(decl) => self.export_decl(decl, item.span),
            ast::ItemKind::Form(form) => {
                let ident = self.entered(&form.name, outer);
                let id = self.declare(ItemKind::Form, &ident.name, &form.name, exported, false);
                let mut types = TypeLowering::new(self);
                let name = types.ident(&ident);
                let (generics, bounds) = types.generics(&form.generics, &[]);
                let consts = std::mem::take(&mut types.consts);
                let defaults = types.defaults(&form.generics);
                let fields = types.fields(&form.fields, "field");
                let spans = types.spans;
                self.extras(&form.extras);
                if !form.members.is_empty() {
                    self.form_members(form, &ident);
                }
                let kind = form.kind;
                let hir = FormHir { name, generics, bounds, consts, defaults, kind, fields };
                self.finish(id, ItemHir::Form(hir), spans);
            }
            ast::ItemKind::Pick(pick) => {
                let ident = self.entered(&pick.name, outer);
                let id = self.declare(ItemKind::Pick, &ident.name, &pick.name, exported, false);
                let mut types = TypeLowering::new(self);
                let name = types.ident(&ident);
                let (generics, bounds) = types.generics(&pick.generics, &[]);
                let consts = std::mem::take(&mut types.consts);
                let defaults = types.defaults(&pick.generics);
                let variants = types.variants(&pick.variants);
                let spans = types.spans;
                let hir = PickHir { name, generics, bounds, consts, defaults, variants };
                self.finish(id, ItemHir::Pick(hir), spans);
            }
            ast::ItemKind::Const(constant) => {
                let ident = self.entered(&constant.name, outer);
                let id = self.declare(ItemKind::Const, &ident.name, &constant.name, exported, false);
                let mut types = TypeLowering::new(self);
                let name = types.ident(&ident);
                let ty = constant.ty.map(|t| types.ty(t));
                let mut spans = types.spans;
                let body =
                    Arc::new(BodyBuilder::value(self, &mut spans, &constant.name.name, constant.value));
                self.array_length(constant.ty, Some(constant.value));
                if constant.storage && ty.is_none() {
                    self.untyped_static(&constant.name);
                }
                self.finish(
                    id,
                    ItemHir::Const(ConstHir { storage: constant.storage, name, ty, body }),
                    spans,
                );
            }
            ast::ItemKind::Alias(alias) => {
                let ident = self.entered(&alias.name, outer);
                let id = self.declare(ItemKind::Alias, &ident.name, &alias.name, exported, false);
                let mut types = TypeLowering::new(self);
                let name = types.ident(&ident);
                let generics = types.unbounded(&alias.generics);
                let ty = types.ty(alias.ty);
                let spans = types.spans;
                self.finish(id, ItemHir::Alias(AliasHir { name, generics, ty }), spans);
            }
            ast::ItemKind::Extern(block) => {
                for inner in &block.items {
                    match &inner.kind {
                        ast::ItemKind::Proc(_) | ast::ItemKind::Form(_) => {
                            self.item(inner, None);
                        }
                        _ => self.not_supported("declarations other than `proc` inside `extern`", inner.span),
                    }
                }
            }
            ast::ItemKind::Test(test) => self.test(test),
            ast::ItemKind::Entry(entry) => {
                if let Some(body) = entry.body.as_ref().filter(|_| !self.has_main) {
                    self.has_main = true;
                    self.entry(entry, body, exported);
                }
            }
            ast::ItemKind::StaticAssert(assert) => {
                let id = self.new_id(ItemKind::StaticAssert, &Name::default());
                self.item_tree.items.push(ItemEntry { id, member: false, exported: false, duplicate: false });
                let mut spans = vec![assert.keyword];
                let body = Arc::new(BodyBuilder::value(self, &mut spans, &Name::default(), assert.cond));
                let message = assert.message.as_deref().map(Name::new);
                self.finish(id, ItemHir::StaticAssert(body, message), spans);
            }
            ast::ItemKind::Trait(declared) => self.trait_decl(declared, exported),
            ast::ItemKind::Impl(block) => self.impl_decl(block),
            ast::ItemKind::Unsupported(u) => {
                self.not_supported(u.feature, u.head);
                if let Some(name) = &u.name {
                    self.declare_unsupported(name, exported);
                }
            }
        }
        None
    }

    /// Gives an item its identity and enters it into the tree; reports `SEM0012`.
    pub(super) fn declare(
        &mut self,
        kind: ItemKind,
        name: &Name,
        ident: &ast::Ident,
        exported: bool,
        local: bool,
    ) -> ItemId {
        let id = self.new_id(kind, name);
        if local {
            return id;
        }
        let first = if name.is_empty() { None } else { self.declared.get(name).copied() };
        match first {
            Some(first) => {
                self.duplicate(
                    codes::DUPLICATE_ITEM,
                    "item",
                    ident,
                    first,
                    "rename or remove one of the two",
                );
            }
            None => {
                self.declared.insert(name.clone(), ident.span);
            }
        }
        self.item_tree.items.push(ItemEntry { id, member: false, exported, duplicate: first.is_some() });
        id
    }

    /// Enters a name whose declaration is not supported, so that nobody reports its uses as unknown.
    fn declare_unsupported(&mut self, name: &ast::Ident, exported: bool) {
        if self.declared.contains_key(&name.name) {
            return;
        }
        let id = self.declare(ItemKind::Unsupported, &name.name, name, exported, false);
        self.finish(id, ItemHir::Missing, vec![name.span]);
    }

    /// Lowers a proc; `owner` is the trait or impl around it.
    pub(super) fn proc(
        &mut self,
        proc: &'a ast::Proc,
        name: &Name,
        owner: Option<ItemId>,
        spans: &mut Vec<Span>,
    ) -> ItemHir {
        let mut types = TypeLowering::new(self);
        types.in_members = owner.is_some();
        let ident = types.ident(&proc.name);
        let (mut generics, mut bounds) = types.generics(&proc.generics, &proc.wheres);
        let defaults = types.defaults(&proc.generics);
        let consts = std::mem::take(&mut types.consts);
        types.in_params = true;
        let mut params = Vec::new();
        let mut seen: HashMap<&Name, Span> = HashMap::new();
        for param in &proc.params {
            if let Some(&first) = seen.get(&param.name.name).filter(|_| !param.name.name.is_empty()) {
                let help = "give every parameter a name of its own";
                types.file.duplicate(codes::DUPLICATE_BINDING, "parameter", &param.name, first, help);
            } else {
                seen.insert(&param.name.name, param.name.span);
            }
            params.push(types.param(param));
        }
        types.in_params = false;
        for (name, bound) in std::mem::take(&mut types.anonymous) {
            generics.push(name);
            bounds.push(bound);
        }
        types.in_result = true;
        let ret = proc.ret.map(|t| types.ty(t));
        *spans = types.spans;
        self.extras(&proc.extras);
        let sig = Arc::new(ProcSig {
            name: ident,
            owner,
            generics,
            consts,
            bounds,
            defaults,
            params,
            ret,
            abi: match proc.abi {
                ast::Abi::Vitte => Abi::Vitte,
                ast::Abi::C => Abi::C,
                ast::Abi::Intrinsic => Abi::Intrinsic,
            },
            is_test: owner.is_none() && proc.name.name.starts_with("test_") && proc.params.is_empty(),
            is_const: false,
        });
        let names: Vec<Name> = proc.params.iter().map(|p| p.name.name.clone()).collect();
        let body = proc.body.as_ref().map(|b| Arc::new(BodyBuilder::proc_body(self, spans, name, names, b)));
        ItemHir::Proc(ProcHir { sig, is_unsafe: proc.is_unsafe, body })
    }

    /// `test "title" { .. }`: a proc named after the title.
    fn test(&mut self, test: &'a ast::Test) {
        let prefix = if test.bench { "bench_" } else { "test_" };
        let title = test.title.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let name: Name = prefix.chars().chain(title).collect();
        let id = self.new_id(ItemKind::Proc, &name);
        self.item_tree.items.push(ItemEntry { id, member: false, exported: false, duplicate: false });
        self.plain_proc(id, &name, test.keyword, None, !test.bench, &test.body);
    }

    fn entry(&mut self, entry: &'a ast::Entry, body: &'a ast::Block, exported: bool) {
        let main = ast::Ident { name: Name::new("main"), span: entry.name.span };
        let id = self.declare(ItemKind::Proc, &main.name, &main, exported, false);
        self.plain_proc(id, &main.name, main.span, Some("int"), false, body);
    }

    fn plain_proc(
        &mut self,
        id: ItemId,
        name: &Name,
        span: Span,
        ret: Option<&str>,
        test: bool,
        body: &'a ast::Block,
    ) {
        let mut spans = vec![span];
        let ret = ret.map(|r| {
            let node = add(&mut spans, span);
            let ident = Ident { name: Name::new(r), node: add(&mut spans, span) };
            TypeRef { node, kind: TypeRefKind::Path { path: vec![ident], args: Vec::new() } }
        });
        let sig = Arc::new(ProcSig {
            name: Ident { name: name.clone(), node: NodeId(0) },
            owner: None,
            generics: Vec::new(),
            consts: Vec::new(),
            bounds: Vec::new(),
            defaults: Vec::new(),
            params: Vec::new(),
            ret,
            abi: Abi::Vitte,
            is_test: test,
            is_const: false,
        });
        let body = Some(Arc::new(BodyBuilder::proc_body(self, &mut spans, name, Vec::new(), body)));
        self.finish(id, ItemHir::Proc(ProcHir { sig, is_unsafe: false, body }), spans);
    }

    fn use_decl(&mut self, decl: &ast::Use) {
        let id = self.new_id(ItemKind::Use, &Name::default());
        let mut spans = vec![decl.path_span];
        let path = decl.path.iter().map(|i| named(&mut spans, i)).collect();
        let kind = match &decl.kind {
            ast::UseKind::Plain(alias) => {
                let alias = alias.as_ref().map(|a| named(&mut spans, a));
                if decl.dotted { UseKind::ModuleOrItem { alias } } else { UseKind::Module { alias } }
            }
            ast::UseKind::Group(names) => UseKind::Group(renamed(&mut spans, names)),
            ast::UseKind::Glob => UseKind::Glob,
        };
        let anchor = decl.up.map_or(UseAnchor::Search, UseAnchor::Relative);
        self.item_tree.uses.push(UseDecl { id, anchor, path, kind });
        self.finish(id, ItemHir::Missing, spans);
    }

    fn export_decl(&mut self, decl: &ast::Export, span: Span) {
        let id = self.new_id(ItemKind::Export, &Name::default());
        let mut spans = vec![span];
        let kind = match &decl.names {
            Some(names) => ExportKind::Names(renamed(&mut spans, names)),
            None => ExportKind::All,
        };
        self.item_tree.exports.push(ExportDecl { id, kind });
        self.finish(id, ItemHir::Missing, spans);
    }
}

/// Whether a proc's name is that of an operator: `operator+`.
fn is_operator(name: &Name) -> bool {
    name.strip_prefix("operator")
        .is_some_and(|sign| sign.starts_with(|c: char| c.is_ascii_punctuation() && c != '_'))
}

/// Numbers a new node.
pub(super) fn add(spans: &mut Vec<Span>, span: Span) -> NodeId {
    spans.push(span);
    NodeId(spans.len() as u32 - 1)
}

/// A name with a node of its own.
pub(super) fn named(spans: &mut Vec<Span>, ident: &ast::Ident) -> Ident {
    Ident { name: ident.name.clone(), node: add(spans, ident.span) }
}

fn renamed(spans: &mut Vec<Span>, names: &[(ast::Ident, Option<ast::Ident>)]) -> Vec<(Ident, Option<Ident>)> {
    names.iter().map(|(n, a)| (named(spans, n), a.as_ref().map(|a| named(spans, a)))).collect()
}

/// Signatures and types of one item; numbers their nodes.
pub(super) struct TypeLowering<'f, 'a> {
    pub(super) file: &'f mut FileLowering<'a>,
    pub(super) spans: Vec<Span>,
    /// `self` needs no type.
    pub(super) in_members: bool,
    /// `impl Trait` may stand here.
    in_params: bool,
    /// `impl Trait` means `dyn Trait` here.
    in_result: bool,
    /// Constant parameters met so far, with their types.
    pub(super) consts: Vec<(Name, TypeRef)>,
    /// The type parameters that `impl Trait` stands for.
    anonymous: Vec<(Ident, Bound)>,
}

impl<'f, 'a> TypeLowering<'f, 'a> {
    pub(super) fn new(file: &'f mut FileLowering<'a>) -> Self {
        Self {
            file,
            spans: Vec::new(),
            in_members: false,
            in_params: false,
            in_result: false,
            consts: Vec::new(),
            anonymous: Vec::new(),
        }
    }

    /// Lowers one type while an item's `spans` are being filled.
    pub(super) fn one(file: &mut FileLowering<'_>, spans: &mut Vec<Span>, ty: ast::TypeId) -> TypeRef {
        let mut types = TypeLowering::new(file);
        types.spans = std::mem::take(spans);
        let lowered = types.ty(ty);
        *spans = types.spans;
        lowered
    }

    pub(super) fn ident(&mut self, ident: &ast::Ident) -> Ident {
        named(&mut self.spans, ident)
    }

    /// Type parameters of a form, pick or alias, which have no bounds.
    fn unbounded(&mut self, generics: &[ast::Generic]) -> Vec<Ident> {
        if let Some(generic) = generics.iter().find(|g| !g.bounds.is_empty() && !g.constant) {
            self.file.not_supported("bounds on the type parameters of a type", generic.name.span);
        }
        self.no_defaults(generics);
        let names = self.parameters(generics);
        self.no_constants(generics);
        names
    }

    /// Reports constant parameters where they mean nothing.
    pub(super) fn no_constants(&mut self, generics: &[ast::Generic]) {
        if let Some(generic) = generics.iter().find(|generic| generic.constant) {
            self.file.not_supported(
                "constant parameters other than those of procs, forms, picks and impls",
                generic.name.span,
            );
        }
    }

    /// What stands for type parameters that are left out.
    fn defaults(&mut self, generics: &[ast::Generic]) -> Vec<Option<TypeRef>> {
        generics.iter().map(|generic| generic.default.map(|ty| self.ty(ty))).collect()
    }

    /// Reports defaults of type parameters where they mean nothing.
    pub(super) fn no_defaults(&mut self, generics: &[ast::Generic]) {
        for default in generics.iter().filter_map(|generic| generic.default) {
            let span = self.file.tree.ty(default).span;
            self.file.not_supported(
                "defaults of type parameters other than those of procs, forms and picks",
                span,
            );
        }
    }

    /// Type parameters and what is asked of them.
    pub(super) fn generics(
        &mut self,
        generics: &[ast::Generic],
        wheres: &[ast::Where],
    ) -> (Vec<Ident>, Vec<Bound>) {
        let names = self.parameters(generics);
        let mut bounds = Vec::new();
        for generic in generics {
            if generic.constant {
                if let Some(&ty) = generic.bounds.first() {
                    let ty = self.ty(ty);
                    self.file.inner_constants.push(generic.name.name.clone());
                    self.consts.push((generic.name.name.clone(), ty));
                }
                continue;
            }
            for &of in &generic.bounds {
                let ident = self.ident(&generic.name);
                let ty = TypeRef {
                    node: ident.node,
                    kind: TypeRefKind::Path { path: vec![ident], args: Vec::new() },
                };
                bounds.push(Bound { ty, of: self.ty(of) });
            }
        }
        for clause in wheres {
            let ty = self.ty(clause.ty);
            for &of in &clause.bounds {
                bounds.push(Bound { ty: ty.clone(), of: self.ty(of) });
            }
        }
        (names, bounds)
    }

    pub(super) fn parameters(&mut self, generics: &[ast::Generic]) -> Vec<Ident> {
        let mut out: Vec<Ident> = Vec::new();
        for generic in generics {
            if let Some(first) = out.iter().find(|g| g.name == generic.name.name && !g.name.is_empty()) {
                let first = self.spans[first.node.0 as usize];
                let help = "give every type parameter a name of its own";
                self.file.duplicate(codes::DUPLICATE_BINDING, "type parameter", &generic.name, first, help);
                continue;
            }
            out.push(self.ident(&generic.name));
        }
        out
    }

    fn param(&mut self, param: &'a ast::Param) -> Param {
        let name = self.ident(&param.name);
        let ty = match param.ty {
            Some(ty) => self.ty(ty),
            None if param.name.name == "self" && self.in_members => {
                let ident =
                    Ident { name: Name::new_static("Self"), node: add(&mut self.spans, param.name.span) };
                TypeRef { node: ident.node, kind: TypeRefKind::Path { path: vec![ident], args: Vec::new() } }
            }
            None => {
                if param.name.name == "self" {
                    let diagnostic = Diagnostic::error(
                        crate::syntax::codes::EXPECTED_PARAMETER_COLON,
                        Phase::Sema,
                        self.file.place(param.name.span),
                        "parameter `self` needs `:` and a type here",
                        "its type is missing",
                    )
                    .note("only in traits and impls does `self` have a type of its own")
                    .help("write `self: TYPE`");
                    self.file.push(diagnostic);
                }
                TypeRef { node: add(&mut self.spans, param.name.span), kind: TypeRefKind::Error }
            }
        };
        let mode = match param.mode {
            ast::ParamMode::Plain => ParamMode::Plain,
            ast::ParamMode::Move => ParamMode::Move,
            ast::ParamMode::Ref => ParamMode::Ref,
            ast::ParamMode::RefMut => ParamMode::RefMut,
        };
        let default = param
            .default
            .map(|e| Arc::new(BodyBuilder::value(self.file, &mut self.spans, &param.name.name, e)));
        self.file.array_length(param.ty, param.default);
        Param { name, mode, ty, default }
    }

    fn fields(&mut self, fields: &[ast::Field], what: &str) -> Vec<Field> {
        let mut out: Vec<Field> = Vec::new();
        let mut seen: HashMap<&Name, Span> = HashMap::new();
        for field in fields {
            if let Some(name) = &field.name {
                if let Some(&first) = seen.get(&name.name) {
                    let help = "rename or remove one of the two";
                    self.file.duplicate(codes::DUPLICATE_FIELD, what, name, first, help);
                    continue;
                }
                seen.insert(&name.name, name.span);
            }
            let name = field.name.as_ref().map(|n| self.ident(n));
            let ty = self.ty(field.ty);
            self.file.array_length(Some(field.ty), field.default);
            let owner = name.as_ref().map(|n| n.name.clone()).unwrap_or_default();
            let default =
                field.default.map(|e| Arc::new(BodyBuilder::value(self.file, &mut self.spans, &owner, e)));
            out.push(Field { name, ty, default });
        }
        out
    }

    fn variants(&mut self, variants: &[ast::Variant]) -> Vec<Variant> {
        let mut out: Vec<Variant> = Vec::new();
        let mut seen: HashMap<&Name, Span> = HashMap::new();
        for variant in variants {
            if let Some(&first) = seen.get(&variant.name.name) {
                let help = "rename or remove one of the two";
                self.file.duplicate(codes::DUPLICATE_FIELD, "variant", &variant.name, first, help);
                continue;
            }
            seen.insert(&variant.name.name, variant.name.span);
            let name = self.ident(&variant.name);
            let fields = self.fields(&variant.fields, "payload field");
            let ordinal = variant.ordinal.and_then(|e| self.ordinal(e));
            out.push(Variant { name, fields, ordinal });
        }
        out
    }

    /// `= 3`, `= -1`.
    fn ordinal(&mut self, id: ast::ExprId) -> Option<i128> {
        let tree = self.file.tree;
        let (negative, inner) = match tree.expr(id).kind {
            ast::ExprKind::Unary(ast::UnaryOp::Neg, inner) => (true, inner),
            _ => (false, id),
        };
        if let ast::ExprKind::Literal(ast::Literal::Int(value, _)) = tree.expr(inner).kind
            && let Ok(value) = i128::try_from(value)
        {
            return Some(if negative { -value } else { value });
        }
        if !matches!(tree.expr(id).kind, ast::ExprKind::Error) {
            let diagnostic = Diagnostic::error(
                codes::ORDINAL_NOT_LITERAL,
                Phase::Sema,
                self.file.place(tree.expr(id).span),
                "the number of a variant must be an integer literal",
                "not an integer literal",
            )
            .note("the numbers of variants are fixed where they are declared")
            .help("write the number itself");
            self.file.push(diagnostic);
        }
        None
    }

    /// `impl Trait` of a parameter: a type parameter without a name of its own.
    fn anonymous(&mut self, of: ast::TypeId, span: Span) -> TypeRefKind {
        if self.in_result {
            return TypeRefKind::Dyn(Box::new(self.ty(of)));
        }
        if !self.in_params {
            self.file.not_supported("`impl Trait` outside of a parameter or result", span);
            return TypeRefKind::Error;
        }
        let of = self.ty(of);
        let shown = super::dump::ty(&of);
        let same = self.anonymous.iter().filter(|(_, bound)| super::dump::ty(&bound.of) == shown).count();
        let count = if same == 0 { String::new() } else { format!(" {}", same + 1) };
        let node = add(&mut self.spans, span);
        let name = Ident { name: Name::new(format!("impl {shown}{count}")), node };
        let ty = TypeRef { node, kind: TypeRefKind::Path { path: vec![name.clone()], args: Vec::new() } };
        let kind = ty.kind.clone();
        self.anonymous.push((name, Bound { ty, of }));
        kind
    }

    pub(super) fn ty(&mut self, id: ast::TypeId) -> TypeRef {
        let tree = self.file.tree;
        let ty = tree.ty(id);
        let node = add(&mut self.spans, ty.span);
        let kind = match &ty.kind {
            ast::TypeKind::Error => TypeRefKind::Error,
            ast::TypeKind::Path(path, args) => match (path.as_slice(), args.as_slice()) {
                ([name], &[element]) if name.name == "list" => TypeRefKind::List(Box::new(self.ty(element))),
                _ => TypeRefKind::Path {
                    path: path
                        .iter()
                        .enumerate()
                        .map(|(at, ident)| {
                            let inner =
                                if at == 0 { self.file.block_item(&ident.name).cloned() } else { None };
                            let name = inner.unwrap_or_else(|| ident.name.clone());
                            Ident { name, node: add(&mut self.spans, ident.span) }
                        })
                        .collect(),
                    args: args.iter().map(|&a| self.ty(a)).collect(),
                },
            },
            ast::TypeKind::List(element) => TypeRefKind::List(Box::new(self.ty(*element))),
            ast::TypeKind::Array(element, length) => {
                if !matches!(
                    tree.expr(*length).kind,
                    ast::ExprKind::Literal(ast::Literal::Int(..)) | ast::ExprKind::Error
                ) {
                    self.file.length_assert(*length, None);
                }
                TypeRefKind::List(Box::new(self.ty(*element)))
            }
            ast::TypeKind::Ref(mutable, inner) => TypeRefKind::Ref(*mutable, Box::new(self.ty(*inner))),
            ast::TypeKind::Option(inner) => TypeRefKind::Path {
                path: vec![Ident { name: Name::new("Option"), node: add(&mut self.spans, ty.span) }],
                args: vec![self.ty(*inner)],
            },
            ast::TypeKind::Proc(params, ret) => {
                let params = params.iter().map(|&p| self.ty(p)).collect();
                TypeRefKind::Proc(params, ret.map(|r| Box::new(self.ty(r))))
            }
            ast::TypeKind::Tuple(elements) if elements.is_empty() => TypeRefKind::Path {
                path: vec![Ident { name: Name::new("unit"), node: add(&mut self.spans, ty.span) }],
                args: Vec::new(),
            },
            ast::TypeKind::Tuple(elements) => {
                TypeRefKind::Tuple(elements.iter().map(|&e| self.ty(e)).collect())
            }
            ast::TypeKind::Pointer(mutable, inner) => {
                TypeRefKind::Pointer(*mutable, Box::new(self.ty(*inner)))
            }
            ast::TypeKind::Dyn(of) => TypeRefKind::Dyn(Box::new(self.ty(*of))),
            ast::TypeKind::ImplTrait(of) => self.anonymous(*of, ty.span),
            ast::TypeKind::Value(value) => TypeRefKind::Value(*value),
            ast::TypeKind::Named(name, of) => {
                let name = named(&mut self.spans, name);
                TypeRefKind::Named(name, Box::new(self.ty(*of)))
            }
            ast::TypeKind::Unsupported(feature) => {
                self.file.not_supported(feature, ty.span);
                TypeRefKind::Error
            }
        };
        TypeRef { node, kind }
    }
}

/// An expression that has been reported.
pub(super) fn error_expr(node: NodeId) -> Expr {
    Expr { node, kind: ExprKind::Error }
}
