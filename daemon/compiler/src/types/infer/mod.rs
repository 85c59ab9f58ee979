//! Type inference and checking of bodies: HIR to THIR.
//!
//! Bidirectional: every expression is inferred with what is wanted of it ([`Expect`]) and then
//! converted to the type it must have ([`Checker::coerce`]). Inference variables stand only for what
//! later code decides (the elements of `[]`, the arguments of `none()`); number literals never do,
//! they take the type of their context at once.
mod branch; // if, match, blocks as values
mod builtin; // the names of §9
mod call; // procs, procedure values, arguments, type arguments
mod cast; // `e as T`, values as text
mod codes; // what is reported here
mod compared; // what a failed comparison shows
mod coerce; // implicit conversions
mod dynamic; // `dyn` values, raw pointers
mod expr; // dispatch and small expressions
mod finish; // variables out, defaults in
mod maps; // maps and sets
mod member; // members of strings and lists
mod lambda; // lambdas, `defer`, comprehensions
mod impls; // impls against their traits
mod nominal; // opaque types, bounds of forms, `sizeof`
mod names; // what a name in a body means
mod operator; // arithmetic, comparison, logic
mod operator_proc; // operators that programs declare
mod option; // Option, Result, `?`, `??`
mod path; // paths, fields, qualified names
mod pattern; // patterns and bindings
mod place; // index, slice, references, assignment
mod record; // form literals
mod stmt; // let, loops, give
mod traits; // bounds and members
mod type_path; // members of types
mod unify; // inference variables
mod walk; // changing types, nodes and locals of THIR

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

pub use self::impls::impl_diagnostics;
use self::names::Bound;
use self::unify::Table;
use super::data::CheckedBody;
use super::thir::{self, LocalId};
use super::traits::BoundData;
use super::ty::Ty;
use crate::base::{Code, Db, Diagnostic, Name, Phase, Place, Severity, SourceFile};
use crate::lower::hir::{self, ExprId, ItemHir, PatId};
use crate::lower::{ItemId, ItemKind, NodeId, item_hir};
use crate::types::typeref::resolve_argument;
use crate::types::{const_ty, core_item, form_data, proc_data, resolve_type};

/// Stack that must be left before one more level of an expression is checked, and how much is added.
const STACK_RED_ZONE: usize = 128 * 1024;
const STACK_SEGMENT: usize = 2 * 1024 * 1024;

/// Runs `f` on a stack that is deep enough for one more level of nesting.
fn deeper<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(STACK_RED_ZONE, STACK_SEGMENT, f)
}

/// Checks the body of a proc, const or static assert.
///
/// Items without a body give an empty one. A const without a written type has the type of its
/// value in `body.ret`.
#[salsa::tracked(returns(ref), cycle_result = check_body_cycle)]
pub fn check_body(db: &dyn Db, item: ItemId) -> Arc<CheckedBody> {
    let hir = item_hir(db, item);
    let checked = match hir.as_ref() {
        ItemHir::Proc(proc) => match &proc.body {
            Some(body) => check_proc(db, item, proc, body),
            None => empty_body(true),
        },
        ItemHir::Const(constant) => {
            let mut checker = Checker::new(db, item, &constant.body, Vec::new());
            checker.constant = true;
            let expected = constant.ty.as_ref().map(|ty| (const_ty(db, item).clone(), ty.node));
            checker.value_body(expected)
        }
        ItemHir::StaticAssert(body, _) => {
            let mut checker = Checker::new(db, item, body, Vec::new());
            checker.constant = true;
            checker.condition_body()
        }
        ItemHir::Missing
        | ItemHir::Form(_)
        | ItemHir::Pick(_)
        | ItemHir::Alias(_)
        | ItemHir::Trait(_)
        | ItemHir::Impl(_) => empty_body(true),
    };
    Arc::new(checked)
}

/// A const whose type depends on its own value: the cycle is reported where constants are evaluated.
fn check_body_cycle(_db: &dyn Db, _id: salsa::Id, _item: ItemId) -> Arc<CheckedBody> {
    Arc::new(empty_body(false))
}

/// The default value of a parameter, checked as a body of its own; `None` if it has none.
#[salsa::tracked(returns(ref), cycle_result = default_value_cycle)]
pub fn default_value(db: &dyn Db, proc: ItemId, param: u32) -> Option<Arc<CheckedBody>> {
    let hir = item_hir(db, proc);
    let ItemHir::Proc(hir) = hir.as_ref() else { return None };
    let declared = hir.sig.params.get(param as usize)?;
    let body = declared.default.as_ref()?;
    let data = proc_data(db, proc);
    let ty = data.params.get(param as usize)?.ty.clone();
    let mut checker = Checker::new(db, proc, body, data.generics.clone());
    checker.bounds.clone_from(&data.bounds);
    Some(Arc::new(checker.value_body(Some((ty, declared.ty.node)))))
}

/// The default value of a form's field, checked as a body of its own; `None` if it has none.
#[salsa::tracked(returns(ref), cycle_result = default_value_cycle)]
pub fn default_field(db: &dyn Db, form: ItemId, field: u32) -> Option<Arc<CheckedBody>> {
    let hir = item_hir(db, form);
    let ItemHir::Form(hir) = hir.as_ref() else { return None };
    let declared = hir.fields.get(field as usize)?;
    let body = declared.default.as_ref()?;
    let data = form_data(db, form);
    let (_, ty) = data.fields.get(field as usize)?.clone();
    let checker = Checker::new(db, form, body, data.generics.clone());
    Some(Arc::new(checker.value_body(Some((ty, declared.ty.node)))))
}

/// A default value that calls its own proc and leaves the argument out.
fn default_value_cycle(_db: &dyn Db, _id: salsa::Id, _proc: ItemId, _param: u32) -> Option<Arc<CheckedBody>> {
    Some(Arc::new(empty_body(false)))
}

fn empty_body(ok: bool) -> CheckedBody {
    let block = thir::Block { node: NodeId::default(), stmts: Vec::new(), tail: None };
    let body = thir::Body {
        generics: Vec::new(),
        param_count: 0,
        captures: 0,
        locals: Vec::new(),
        ret: if ok { Ty::Unit } else { Ty::Error },
        block,
        lambdas: Vec::new(),
        ok,
    };
    CheckedBody { body, diagnostics: Arc::from([]) }
}

fn check_proc(db: &dyn Db, item: ItemId, proc: &hir::ProcHir, body: &hir::Body) -> CheckedBody {
    let data = proc_data(db, item);
    let mut checker = Checker::new(db, item, body, data.generics.clone());
    checker.bounds.clone_from(&data.bounds);
    checker.is_unsafe = proc.is_unsafe;
    checker.ret = data.ret.clone();
    checker.is_test = proc.sig.is_test && data.ret == Ty::Bool;
    checker.ret_node = proc.sig.ret.as_ref().map(|ty| ty.node);
    checker.names.open();
    for (written, param) in proc.sig.params.iter().zip(&data.params) {
        let local = checker.new_local(&written.name, param.ty.clone());
        if let Some(slot) = checker.locals.get_mut(local.0 as usize) {
            slot.moves_argument = written.mode == hir::ParamMode::Move;
        }
        // Duplicates are reported with the signature.
        if !checker.names.find(&written.name.name).is_some_and(|(_, same_scope)| same_scope) {
            checker.declare(&written.name, local);
        }
    }
    let param_count = checker.locals.len();
    checker.names.open();
    let (mut block, ty) = checker.block_statements(&body.block);
    checker.names.close();
    checker.names.close();
    checker.check_end(item, proc, &mut block, &ty);
    checker.finish(block, param_count)
}

/// What is wanted of an expression.
#[derive(Clone, Debug)]
enum Expect<'r> {
    /// Its effect only.
    Nothing,
    /// A value of any type.
    Value,
    /// A value, probably of this type.
    Hint(Ty),
    /// A value that is converted to this type, or else this is why not.
    Must(Ty, &'r coerce::Reason),
}

impl Expect<'_> {
    /// The type that the context suggests.
    fn ty(&self) -> Option<&Ty> {
        match self {
            Expect::Nothing | Expect::Value => None,
            Expect::Hint(ty) | Expect::Must(ty, _) => Some(ty),
        }
    }

    /// A hint if there is one.
    fn hint(ty: Option<Ty>) -> Self {
        ty.map_or(Expect::Value, Expect::Hint)
    }
}

/// A loop around the present place.
struct Loop {
    /// `break` may carry a value.
    is_loop: bool,
    /// Seen any `break`.
    breaks: bool,
    /// Type of the `break` values so far.
    value: Option<Ty>,
}

/// What the checker knows of a local beyond its [`thir::Local`].
#[derive(Clone, Copy, Default)]
struct LocalInfo {
    /// A block `const`.
    constant: bool,
}

/// The state while one body is checked.
struct Checker<'a> {
    db: &'a dyn Db,
    item: ItemId,
    file: SourceFile,
    hir: &'a hir::Body,
    generics: Vec<Name>,
    /// What is known of the type parameters.
    bounds: Vec<BoundData>,
    /// Type arguments of procs that have a default, for where nothing else decides them.
    defaults: Vec<(Ty, Ty)>,
    /// What must be so and is not decided yet.
    obligations: Vec<traits::Obligation>,
    table: Table,
    locals: Vec<thir::Local>,
    infos: Vec<LocalInfo>,
    names: names::Scopes,
    loops: Vec<Loop>,
    ret: Ty,
    ret_node: Option<NodeId>,
    /// The body is a constant expression: its overflow is reported by the evaluator.
    constant: bool,
    /// Whether an expression is made of literals only, by expression.
    flexible: Vec<Option<bool>>,
    /// Locals that the later alternatives of an or-pattern bind again.
    alternatives: Option<HashMap<Name, LocalId>>,
    /// Something is wrong that another item's check reports.
    broken: bool,
    /// The lambdas checked so far.
    lambdas: Vec<Option<thir::Body>>,
    /// Locals below this one belong to what is around the lambda being checked.
    lambda_start: u32,
    /// Inside a `defer`, which nothing leaves.
    in_defer: bool,
    /// Inside of `unsafe`.
    is_unsafe: bool,
    /// What is given is the verdict of a test.
    is_test: bool,
    /// The prelude's `Option`.
    option: Option<ItemId>,
    /// The prelude's `Result`.
    result: Option<ItemId>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    fn new(db: &'a dyn Db, item: ItemId, hir: &'a hir::Body, generics: Vec<Name>) -> Self {
        Self {
            db,
            item,
            file: item.file(db),
            hir,
            generics,
            bounds: Vec::new(),
            defaults: Vec::new(),
            obligations: Vec::new(),
            table: Table::default(),
            locals: Vec::new(),
            infos: Vec::new(),
            names: names::Scopes::default(),
            loops: Vec::new(),
            ret: Ty::Unit,
            ret_node: None,
            constant: false,
            flexible: vec![None; hir.exprs.len()],
            alternatives: None,
            broken: false,
            lambdas: Vec::new(),
            lambda_start: 0,
            in_defer: false,
            is_unsafe: false,
            is_test: false,
            option: core_item(db, ItemKind::Pick, "Option"),
            result: core_item(db, ItemKind::Pick, "Result"),
            diagnostics: Vec::new(),
        }
    }

    /// Checks a body that is one value: a const or a default.
    fn value_body(mut self, expected: Option<(Ty, NodeId)>) -> CheckedBody {
        self.names.open();
        let node = self.hir.block.node;
        let tail = self.hir.block.tail.map(|tail| match &expected {
            Some((ty, at)) => {
                let reason = coerce::Reason::Declared { node: *at };
                self.check(tail, ty, &reason)
            }
            None => {
                let value = self.infer(tail, &Expect::Value);
                self.read(value)
            }
        });
        self.ret = match (expected, &tail) {
            (Some((ty, _)), _) => ty,
            (None, Some(value)) => value.ty.clone(),
            (None, None) => Ty::Error,
        };
        self.names.close();
        self.finish(thir::Block { node, stmts: Vec::new(), tail: tail.map(Box::new) }, 0)
    }

    /// Checks a body that is one condition.
    fn condition_body(mut self) -> CheckedBody {
        self.names.open();
        let node = self.hir.block.node;
        let tail = self.hir.block.tail.map(|tail| Box::new(self.condition(tail)));
        self.ret = Ty::Bool;
        self.names.close();
        self.finish(thir::Block { node, stmts: Vec::new(), tail }, 0)
    }

    fn hir_expr(&self, id: ExprId) -> &'a hir::Expr {
        &self.hir.exprs[id.0 as usize]
    }

    fn hir_pat(&self, id: PatId) -> &'a hir::Pat {
        &self.hir.pats[id.0 as usize]
    }

    fn place(&self, node: NodeId) -> Place {
        Place::Node(self.item, node)
    }

    /// A type as users write it, `_` where it is not known.
    fn show(&self, ty: &Ty) -> String {
        crate::types::ty_name(self.db, &self.table.resolve(ty))
    }

    /// Resolves a written type and passes its diagnostics on.
    fn written(&mut self, ty: &hir::TypeRef) -> Ty {
        let (ty, diagnostics) = resolve_type(self.db, self.item, &self.generics, ty);
        self.diagnostics.extend(diagnostics);
        ty
    }

    /// A written type argument, which may be a constant.
    fn written_argument(&mut self, ty: &hir::TypeRef) -> Ty {
        let (ty, diagnostics) = resolve_argument(self.db, self.item, &self.generics, ty);
        self.diagnostics.extend(diagnostics);
        ty
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// A type error at a node.
    fn error(
        &self,
        code: Code,
        node: NodeId,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(code, phase_of(code), self.place(node), message, label)
    }

    fn warning(
        &self,
        code: Code,
        node: NodeId,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, phase_of(code), self.place(node), message, label)
    }

    fn lint(
        &self,
        code: Code,
        node: NodeId,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic { severity: Severity::Lint, ..self.warning(code, node, message, label) }
    }

    /// An expression that stands for one with a reported error.
    fn poison(&self, node: NodeId) -> thir::Expr {
        thir::Expr { ty: Ty::Error, node, kind: thir::ExprKind::Error }
    }

    /// Reports and gives a poisoned expression.
    fn fail(&mut self, diagnostic: Diagnostic, node: NodeId) -> thir::Expr {
        self.report(diagnostic);
        self.poison(node)
    }

    fn new_local(&mut self, name: &hir::Ident, ty: Ty) -> LocalId {
        self.locals.push(thir::Local { name: name.name.clone(), node: name.node, ty, moves_argument: false });
        self.infos.push(LocalInfo::default());
        LocalId(self.locals.len() as u32 - 1)
    }

    /// A local of the compiler's own.
    fn temporary(&mut self, node: NodeId, ty: Ty) -> LocalId {
        self.new_local(&hir::Ident { name: Name::new_static("_"), node }, ty)
    }

    fn local(&self, id: LocalId) -> &thir::Local {
        &self.locals[id.0 as usize]
    }

    /// Reads a local.
    fn local_expr(&self, id: LocalId, node: NodeId) -> thir::Expr {
        expr(self.local(id).ty.clone(), node, thir::ExprKind::Local(id))
    }

    /// Brings a local into the innermost scope, with the checks of §6.2.
    fn declare(&mut self, name: &hir::Ident, local: LocalId) {
        if name.name == "_" {
            return;
        }
        if let Some((outer, same_scope)) = self.names.find(&name.name) {
            let before = match outer {
                Bound::Local(id) => Some(self.place(self.local(id).node)),
                Bound::Proc(item) => Some(Place::Node(item, NodeId::default())),
            };
            let quoted = &name.name;
            if same_scope {
                let mut diagnostic = self.error(
                    codes::DUPLICATE_BINDING,
                    name.node,
                    format!("`{quoted}` is declared twice in one scope"),
                    "declared again here",
                );
                if let Some(before) = before {
                    diagnostic = diagnostic.label(before, "first declared here");
                }
                let diagnostic = diagnostic
                    .note("a name can be declared once in each block")
                    .help(format!("write `set {quoted} = ...` to assign, or choose another name"));
                self.report(diagnostic);
            } else {
                let mut diagnostic = self.warning(
                    codes::SHADOWED,
                    name.node,
                    format!("`{quoted}` hides an outer declaration of the same name"),
                    "hides the outer one until the end of this block",
                );
                if let Some(before) = before {
                    diagnostic = diagnostic.label(before, "the outer declaration");
                }
                let diagnostic = diagnostic
                    .note("the outer one is not changed by assignments to this one")
                    .help(format!("write `set {quoted} = ...` to assign, or choose another name"));
                self.report(diagnostic);
            }
        } else if let Some(item) = names::item_named(self.db, self.file, &name.name) {
            let what = names::kind_name(item.kind(self.db));
            let diagnostic = self
                .warning(
                    codes::SHADOWED,
                    name.node,
                    format!("`{}` hides the {what} of the same name", name.name),
                    "hides it until the end of this block",
                )
                .label(Place::Node(item, NodeId::default()), "declared here")
                .note("a local is found before an item of the same name")
                .help("choose another name");
            self.report(diagnostic);
        }
        self.names.bind(name.name.clone(), Bound::Local(local));
    }

    /// Reports a name that nothing declares, once, with the nearest one that is.
    fn unknown_name(&mut self, name: &hir::Ident) {
        let candidates = self.visible_names(&name.name);
        let mut diagnostic = self
            .error(
                codes::UNKNOWN_IDENTIFIER,
                name.node,
                format!("unknown name `{}`", name.name),
                "not found in this scope",
            )
            .note("locals, items of this module, imported names and built-in names are in scope here");
        if let Some((ours, what)) = foreign_name(&name.name) {
            self.report(diagnostic.suggest(
                self.place(name.node),
                ours,
                what,
                crate::base::Applicability::MaybeIncorrect,
            ));
            return;
        }
        diagnostic = match super::missing_import::suggested(self.db, self.file, &name.name, diagnostic) {
            ControlFlow::Break(diagnostic) => {
                self.report(diagnostic);
                return;
            }
            ControlFlow::Continue(diagnostic) => diagnostic,
        };
        diagnostic = match crate::base::spelling::meant(&name.name, candidates.iter().map(Name::as_str)) {
            Some((near, sure)) => {
                diagnostic.suggest(self.place(name.node), near, format!("`{near}` has a similar name"), sure)
            }
            None => diagnostic.help(format!("declare `{}` or import it with `use`", name.name)),
        };
        self.report(diagnostic);
    }

    /// What may have been meant by a name. One that begins with an upper-case letter means no local.
    fn visible_names(&self, wanted: &str) -> Vec<Name> {
        let type_like = wanted.starts_with(|c: char| c.is_ascii_uppercase());
        let mut all: Vec<Name> = if type_like { Vec::new() } else { self.names.visible().cloned().collect() };
        all.extend(names::module_names(self.db, self.file));
        all.extend(builtin::NAMES.iter().map(|name| Name::new_static(name)));
        all.sort();
        all.dedup();
        all
    }

    /// The source text of a node. Only for suggestions: it makes the body depend on the text.
    fn snippet(&self, node: NodeId) -> Option<String> {
        let span = crate::lower::item_source_map(self.db, self.item).span(node);
        let crate::base::FileContents::Text(text) = self.file.contents(self.db) else { return None };
        text.get(span.start as usize..span.end as usize).map(str::to_owned)
    }

    /// The blanks that the line of a node begins with. Only for suggestions, as [`Self::snippet`].
    fn indentation(&self, node: NodeId) -> String {
        let span = crate::lower::item_source_map(self.db, self.item).span(node);
        let crate::base::FileContents::Text(text) = self.file.contents(self.db) else { return String::new() };
        let before = text.get(..span.start as usize).unwrap_or_default();
        let line = &text[before.rfind('\n').map_or(0, |at| at + 1)..];
        line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
    }

    /// An item of the prelude.
    fn core(&self, name: &str) -> Option<ItemId> {
        core_item(self.db, ItemKind::Proc, name)
    }
}

/// What Vitte calls a name of other languages, and why.
fn foreign_name(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "True" | "TRUE" => ("true", "the truth values are `true` and `false`"),
        "False" | "FALSE" => ("false", "the truth values are `true` and `false`"),
        "nil" | "NULL" | "Null" | "nullptr" | "undefined" => ("None", "no value is `None`, of an `Option`"),
        "this" => ("self", "a method's own value is `self`"),
        "printf" | "puts" | "echo" | "Println" => ("println", "lines are printed by `println`"),
        "str" | "string" | "String" => ("to_string", "a value is turned into text by `to_string`"),
        _ => return None,
    })
}

/// A THIR expression.
fn expr(ty: Ty, node: NodeId, kind: thir::ExprKind) -> thir::Expr {
    thir::Expr { ty, node, kind }
}

/// The stage that a code belongs to.
fn phase_of(code: Code) -> Phase {
    if code.code.starts_with("SEM") { Phase::Sema } else { Phase::Typeck }
}
