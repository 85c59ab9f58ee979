//! Calls: procs, variants with payload, procedure values; arguments and type arguments.
use super::super::thir::{self, Arg, Callee, Expr, ExprKind, LocalId};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::path::{Meaning, Named};
use super::{CheckedBody, Checker, Expect, codes, default_value, expr, names, walk};
use crate::base::{Name, Place};
use crate::lower::hir::{self, Abi, ExprId, ExprKind as Hir, TypeRef};
use crate::lower::{ItemId, NodeId};
use crate::types::{Intrinsic, pick_data, proc_data};

impl<'a> Checker<'a> {
    pub(super) fn call(
        &mut self,
        node: NodeId,
        callee: ExprId,
        args: &'a [hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        if let Some(named) = self.named(callee, expect.ty()) {
            return self.named_call(node, callee, &named, args, expect);
        }
        if let Hir::Field { base, name, args: written } = &self.hir_expr(callee).kind {
            let base = self.check_value(*base, &Expect::Value);
            let ty = self.known(&base.ty);
            if let Some(result) = self.member_call(node, base.clone(), &ty, name, args) {
                return result;
            }
            match self.find_member(&ty, &name.name, name.node) {
                Ok(Some(found)) => return self.method_call(node, base, name, found, written, args, expect),
                Ok(None) => {}
                Err(()) => return self.drop_arguments(args, node),
            }
            let field_node = self.hir_expr(callee).node;
            let field = self.field(base, name, field_node);
            return self.value_call(node, field, args);
        }
        let value = self.infer(callee, &Expect::Value);
        self.value_call(node, value, args)
    }

    fn named_call(
        &mut self,
        node: NodeId,
        callee: ExprId,
        named: &Named<'a>,
        args: &'a [hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        match &named.meaning {
            Meaning::Proc(item) => self.proc_call(node, *item, named.name.node, named.args, args, expect),
            Meaning::Variant(ty, index) => self.variant_call(node, ty, *index, named, args),
            Meaning::Builtin(name) => self.builtin_call(node, name, named, args, expect),
            Meaning::Member(item, owner) => {
                if proc_data(self.db, *item).is_const {
                    let value = self.path_expr(callee, self.hir_expr(callee).node, &Expect::Value);
                    return self.value_call(node, value, args);
                }
                let own =
                    CallOf { owner: owner.clone(), ..CallOf::plain(*item, named.name.node, named.args) };
                self.call_of(node, own, args, expect)
            }
            Meaning::Ty(ty) => {
                let shown = self.show(ty);
                let diagnostic = self
                    .error(
                        codes::NOT_CALLABLE,
                        named.name.node,
                        format!("the type `{shown}` cannot be called"),
                        "not a proc",
                    )
                    .note("values are converted with `as`, forms built by field, picks by variant")
                    .help(format!("write `value as {shown}` to convert a number"));
                self.report(diagnostic);
                self.drop_arguments(args, node)
            }
            Meaning::Reported => self.drop_arguments(args, node),
            Meaning::Local(_) | Meaning::Const(_) | Meaning::Parameter(..) => {
                let value = self.path_expr(callee, self.hir_expr(callee).node, &Expect::Value);
                self.value_call(node, value, args)
            }
            Meaning::Type(item) if self.is_opaque(*item) => {
                let ty = self.type_of_item(*item, named.args, expect.ty(), named.name.node);
                self.opaque_call(node, &ty, args)
            }
            Meaning::Type(item) => {
                let name = item.name(self.db).clone();
                let diagnostic = self
                    .error(
                        codes::NOT_CALLABLE,
                        named.name.node,
                        format!("the {} `{name}` cannot be called", names::kind_name(item.kind(self.db))),
                        "not a proc",
                    )
                    .label(Place::Node(*item, NodeId::default()), "declared here")
                    .note("forms are built by field, picks by variant")
                    .help(match item.kind(self.db) {
                        crate::lower::ItemKind::Trait => {
                            format!("call a member of it: `{name}.member(value)`")
                        }
                        crate::lower::ItemKind::Pick => format!("write `{name}.Variant(...)`"),
                        _ => format!("write `{name} {{ field: value }}`"),
                    });
                self.report(diagnostic);
                self.drop_arguments(args, node)
            }
            Meaning::Module(_) => {
                let name = &named.name.name;
                let diagnostic = self
                    .error(
                        codes::NOT_CALLABLE,
                        named.name.node,
                        format!("the module `{name}` cannot be called"),
                        "not a proc",
                    )
                    .note("`use` binds the module's name; what it exports is reached with a dot")
                    .help(format!("write `{name}.item(...)`, or import the proc: `use path.{{{name}}}`"));
                self.report(diagnostic);
                self.drop_arguments(args, node)
            }
        }
    }

    /// Checks arguments of a call that cannot be made, for their own errors.
    pub(super) fn drop_arguments(&mut self, args: &[hir::Arg], node: NodeId) -> Expr {
        for arg in args {
            self.infer(arg.value, &Expect::Value);
        }
        self.poison(node)
    }

    /// Which parameter each argument fills; `None` after an error.
    fn match_parameters(
        &mut self,
        item: ItemId,
        name_node: NodeId,
        receiver: Option<NodeId>,
        args: &[hir::Arg],
    ) -> Option<Vec<u32>> {
        let data = proc_data(self.db, item);
        let name = names::short_name(item.name(self.db));
        let mut filled = vec![None; data.params.len()];
        let mut slots = Vec::with_capacity(args.len());
        let mut next = 0;
        if let Some(receiver) = receiver {
            next = 1;
            filled[0] = Some(receiver);
        }
        let mut fine = true;
        for arg in args {
            let slot = match &arg.name {
                None => {
                    let slot = next;
                    next += 1;
                    if slot >= data.params.len() {
                        // Counted below.
                        fine = false;
                        continue;
                    }
                    slot
                }
                Some(label) => match data.params.iter().position(|p| p.name == label.name) {
                    Some(slot) => slot,
                    None => {
                        let known: Vec<&str> = data.params.iter().map(|p| p.name.as_str()).collect();
                        let mut diagnostic = self
                            .error(
                                codes::NAMED_ARGUMENT,
                                label.node,
                                format!("`{name}` has no parameter `{}`", label.name),
                                "no such parameter",
                            )
                            .label(Place::Node(item, NodeId::default()), "declared here")
                            .note(format!("its parameters are `{}`", known.join("`, `")));
                        diagnostic = match crate::base::spelling::meant(&label.name, known) {
                            Some((near, sure)) => diagnostic.suggest(
                                self.place(label.node),
                                near,
                                format!("`{near}` has a similar name"),
                                sure,
                            ),
                            None => diagnostic.help("pass the argument by position"),
                        };
                        self.report(diagnostic);
                        return None;
                    }
                },
            };
            if let Some(before) = filled[slot].replace(self.hir_expr(arg.value).node) {
                let at = arg.name.as_ref().map_or(self.hir_expr(arg.value).node, |label| label.node);
                let diagnostic = self
                    .error(
                        codes::NAMED_ARGUMENT,
                        at,
                        format!("parameter `{}` is given twice", data.params[slot].name),
                        "given again here",
                    )
                    .label(self.place(before), "first given here")
                    .note("each parameter takes one argument")
                    .help("remove one of the two");
                self.report(diagnostic);
                return None;
            }
            slots.push(slot as u32);
        }
        let missing: Vec<&str> = data
            .params
            .iter()
            .zip(&filled)
            .filter(|(param, filled)| filled.is_none() && !param.has_default)
            .map(|(param, _)| param.name.as_str())
            .collect();
        if fine && missing.is_empty() {
            return Some(slots);
        }
        let required = data.params.iter().filter(|p| !p.has_default).count();
        let wanted = match (required == data.params.len(), required) {
            (true, 1) => "1 argument".to_owned(),
            (true, n) => format!("{n} arguments"),
            (false, n) => format!("{n} to {} arguments", data.params.len()),
        };
        let label = if missing.is_empty() {
            "too many arguments".to_owned()
        } else {
            format!("missing `{}`", missing.join("`, `"))
        };
        let shown: Vec<String> =
            data.params.iter().map(|p| format!("{}: {}", p.name, self.show(&p.ty))).collect();
        let diagnostic = self
            .error(codes::ARITY, name_node, format!("`{name}` takes {wanted}, found {}", args.len()), label)
            .label(Place::Node(item, NodeId::default()), "declared here")
            .note(format!("its signature is `{name}({})`", shown.join(", ")))
            .help(if missing.is_empty() {
                "remove the extra arguments"
            } else {
                "add the missing arguments"
            });
        self.report(diagnostic);
        None
    }

    fn proc_call(
        &mut self,
        node: NodeId,
        item: ItemId,
        name_node: NodeId,
        written: &[TypeRef],
        args: &[hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        self.call_of(node, CallOf::plain(item, name_node, written), args, expect)
    }

    /// `base.name(args)` where `name` is a member of the type of `base`.
    #[allow(clippy::too_many_arguments)] // the parts of a method call
    pub(super) fn method_call(
        &mut self,
        node: NodeId,
        base: Expr,
        name: &hir::Ident,
        (item, owner): (ItemId, Vec<Ty>),
        written: &[TypeRef],
        args: &[hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        let data = proc_data(self.db, item);
        let is_method = data.params.first().is_some_and(|param| param.name == "self");
        if !is_method {
            let (shown, what) = (self.show(&base.ty), if data.is_const { "const" } else { "proc" });
            let diagnostic = self
                .error(
                    codes::NOT_A_METHOD,
                    name.node,
                    format!("`{}` is a {what} of the type `{shown}`, not of its values", name.name),
                    "takes no `self`",
                )
                .label(Place::Node(item, NodeId::default()), "declared here")
                .note("a member whose first parameter is `self` is called on a value, any other on its type")
                .help(format!("write `{shown}.{}`", name.name));
            self.report(diagnostic);
            return self.drop_arguments(args, node);
        }
        let own =
            CallOf { owner: Some(owner), receiver: Some(base), ..CallOf::plain(item, name.node, written) };
        self.call_of(node, own, args, expect)
    }

    /// A call of a proc.
    pub(super) fn call_of(
        &mut self,
        node: NodeId,
        of: CallOf<'_>,
        args: &[hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        let CallOf { item, name_node, owner, receiver, written } = of;
        let data = proc_data(self.db, item);
        let types = self.proc_types(item, data, owner, written, name_node);
        let receiver_node = receiver.as_ref().map(|receiver| receiver.node);
        let Some(slots) = self.match_parameters(item, name_node, receiver_node, args) else {
            self.drop_arguments(args, node);
            // The result is still known, unless it depends on the arguments.
            let ty = if data.generics.is_empty() { data.ret.clone() } else { Ty::Error };
            self.broken = true;
            return expr(ty, node, ExprKind::Error);
        };
        let receiver = receiver.map(|receiver| {
            let ty = data.params[0].ty.subst(&types);
            let value = self.coerce(receiver, &ty, &Reason::Argument { callee: item, param: 0 });
            Arg { param: 0, value }
        });
        let ret = data.ret.subst(&types);
        let values = self.checked_in_order(
            args,
            |checker, index| {
                let slot = slots[index];
                let ty = data.params[slot as usize].ty.subst(&types);
                checker.check(args[index].value, &ty, &Reason::Argument { callee: item, param: slot })
            },
            |checker| {
                // Before literals choose their type the expected result has its say.
                if let Some(expected) = expect.ty()
                    && checker.table.unsolved(&ret).is_some()
                {
                    checker.unify(&ret, expected);
                }
                checker.settle(false);
            },
        );
        self.settle(false);
        let mut list: Vec<Arg> = receiver.into_iter().collect();
        list.extend(slots.iter().zip(values).map(|(&param, value)| Arg { param, value }));
        for (index, param) in data.params.iter().enumerate() {
            let index = index as u32;
            if param.has_default && !list.iter().any(|arg| arg.param == index) {
                let value = self.default_argument(node, item, index, &types);
                list.push(Arg { param: index, value });
            }
        }
        let callee = if data.abi == Abi::Intrinsic {
            match Intrinsic::from_name(item.name(self.db)) {
                Some(intrinsic) => Callee::Intrinsic(intrinsic, types),
                None => Callee::Proc(item, types),
            }
        } else {
            Callee::Proc(item, types)
        };
        expr(self.table.shallow(&ret), node, ExprKind::Call { callee, args: list })
    }

    /// Checks arguments: literals last, since they never decide a type. Gives them in source order.
    fn checked_in_order(
        &mut self,
        args: &[hir::Arg],
        mut check: impl FnMut(&mut Self, usize) -> Expr,
        between: impl FnOnce(&mut Self),
    ) -> Vec<Expr> {
        let mut values: Vec<Option<Expr>> = args.iter().map(|_| None).collect();
        let mut literals = Vec::new();
        let mut lambdas = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            if matches!(self.hir_expr(arg.value).kind, Hir::Lambda { .. }) {
                // What the other arguments say of its parameters comes first.
                lambdas.push(index);
            } else if self.is_flexible(arg.value) {
                literals.push(index);
            } else {
                values[index] = Some(check(self, index));
            }
        }
        between(self);
        for index in literals.into_iter().chain(lambdas) {
            values[index] = Some(check(self, index));
        }
        values.into_iter().flatten().collect()
    }

    /// The default value of a parameter, as an expression of this body.
    fn default_argument(&mut self, node: NodeId, item: ItemId, param: u32, types: &[Ty]) -> Expr {
        match default_value(self.db, item, param) {
            Some(checked) => self.adopt(node, checked, types),
            None => self.poison(node),
        }
    }

    /// A default value as an expression of this body, with these type arguments.
    pub(super) fn adopt(&mut self, node: NodeId, checked: &CheckedBody, types: &[Ty]) -> Expr {
        if !checked.body.ok {
            self.broken = true;
        }
        let Some(tail) = &checked.body.block.tail else { return self.poison(node) };
        let mut value = tail.as_ref().clone();
        let first_lambda = self.lambdas.len() as u32;
        for lambda in &checked.body.lambdas {
            let mut lambda = lambda.clone();
            // Its locals are numbered for itself.
            walk::body(&mut lambda, &mut Adopt { node, first_local: 0, first_lambda, types });
            self.lambdas.push(Some(lambda));
        }
        let mut adopt = Adopt { node, first_local: self.locals.len() as u32, first_lambda, types };
        for local in &checked.body.locals {
            let ident = hir::Ident { name: local.name.clone(), node };
            self.new_local(&ident, local.ty.subst(types));
        }
        walk::expr(&mut value, &mut adopt);
        value
    }

    fn variant_call(
        &mut self,
        node: NodeId,
        ty: &Ty,
        index: u32,
        named: &Named<'a>,
        args: &[hir::Arg],
    ) -> Expr {
        let Ty::Pick(pick, types) = ty else { return self.drop_arguments(args, node) };
        let data = pick_data(self.db, *pick);
        let Some(variant) = data.variants.get(index as usize) else { return self.drop_arguments(args, node) };
        if !named.args.is_empty() {
            let written = self.type_arguments(*pick, &data.generics, named.args, named.name.node);
            for (open, written) in types.iter().zip(&written) {
                self.unify(open, written);
            }
        }
        let labels: Vec<Option<&Name>> = args.iter().map(|arg| arg.name.as_ref().map(|n| &n.name)).collect();
        let Some(slots) = self.payload_slots(&labels, &variant.fields, args.len()) else {
            let shown: Vec<String> = variant
                .fields
                .iter()
                .map(|(name, ty)| match name {
                    Some(name) => format!("{name}: {}", self.show(ty)),
                    None => self.show(ty),
                })
                .collect();
            let plural = if variant.fields.len() == 1 { "" } else { "s" };
            let diagnostic = self
                .error(
                    codes::ARITY,
                    node,
                    format!(
                        "variant `{}` has {} payload field{plural}, found {} value{}",
                        variant.name,
                        variant.fields.len(),
                        args.len(),
                        if args.len() == 1 { "" } else { "s" }
                    ),
                    "wrong payload",
                )
                .label(Place::Node(*pick, NodeId::default()), "the pick is declared here")
                .note(if variant.fields.is_empty() {
                    format!("`{}` has no payload", variant.name)
                } else {
                    format!("it is declared as `{}({})`", variant.name, shown.join(", "))
                })
                .help(if variant.fields.is_empty() {
                    format!("write `{}` without parentheses", variant.name)
                } else {
                    "give one value for each field".to_owned()
                });
            self.report(diagnostic);
            return self.drop_arguments(args, node);
        };
        let variant_name = variant.name.clone();
        let values = self.checked_in_order(
            args,
            |checker, at| {
                let slot = slots[at];
                let ty = variant.fields[slot].1.subst(types);
                let reason = Reason::Payload { variant: variant_name.clone(), index: slot };
                checker.check(args[at].value, &ty, &reason)
            },
            |_| {},
        );
        let ordered = slots.windows(2).all(|pair| pair[0] < pair[1]);
        if ordered {
            self.form_bounds(*pick, types, node);
            return expr(ty.clone(), node, ExprKind::Variant { variant: index, fields: values });
        }
        // Named payload out of order: evaluate as written, then build.
        let mut stmts = Vec::new();
        let mut fields: Vec<(usize, Expr)> = Vec::new();
        for (slot, value) in slots.iter().zip(values) {
            let (stmt, value) = self.keep(value);
            stmts.extend(stmt);
            fields.push((*slot, value));
        }
        fields.sort_by_key(|(slot, _)| *slot);
        let fields = fields.into_iter().map(|(_, value)| value).collect();
        let tail = expr(ty.clone(), node, ExprKind::Variant { variant: index, fields });
        let block = thir::Block { node, stmts, tail: Some(Box::new(tail)) };
        expr(ty.clone(), node, ExprKind::Block(block))
    }

    /// Which payload field each value or pattern is for; `None` if they do not fit one to one.
    pub(super) fn payload_slots(
        &self,
        labels: &[Option<&Name>],
        fields: &[(Option<Name>, Ty)],
        count: usize,
    ) -> Option<Vec<usize>> {
        if count != fields.len() {
            return None;
        }
        let mut slots = Vec::with_capacity(count);
        for (position, label) in labels.iter().enumerate() {
            let slot = match label {
                None => position,
                Some(label) => fields.iter().position(|(name, _)| name.as_ref() == Some(*label))?,
            };
            if slots.contains(&slot) {
                return None;
            }
            slots.push(slot);
        }
        Some(slots)
    }

    fn value_call(&mut self, node: NodeId, callee: Expr, args: &[hir::Arg]) -> Expr {
        let callee = self.read(callee);
        let ty = self.known(&callee.ty);
        let (params, ret) = match &ty {
            Ty::Proc(params, ret) => (params, ret),
            Ty::Error | Ty::Never => return self.drop_arguments(args, node),
            _ => {
                let shown = self.show(&ty);
                let diagnostic = self
                    .error(
                        codes::NOT_CALLABLE,
                        callee.node,
                        format!("a value of type `{shown}` cannot be called"),
                        format!("this is `{shown}`"),
                    )
                    .note("procs and values of type `proc(...)` can be called")
                    .help("remove the parentheses, or check the name");
                self.report(diagnostic);
                return self.drop_arguments(args, node);
            }
        };
        if params.len() != args.len() || args.iter().any(|arg| arg.name.is_some()) {
            let plural = if params.len() == 1 { "" } else { "s" };
            let named = args.iter().find_map(|arg| arg.name.as_ref());
            let diagnostic = match named {
                Some(label) => self.error(
                    codes::NAMED_ARGUMENT,
                    label.node,
                    "a procedure value takes no named arguments",
                    "its parameters have no names",
                ),
                None => self.error(
                    codes::ARITY,
                    callee.node,
                    format!("this takes {} argument{plural}, found {}", params.len(), args.len()),
                    format!("of type `{}`", self.show(&ty)),
                ),
            };
            let diagnostic = diagnostic
                .note(format!("its type is `{}`", self.show(&ty)))
                .help("pass one argument for each parameter, by position");
            self.report(diagnostic);
            self.drop_arguments(args, node);
            return expr(ret.as_ref().clone(), node, ExprKind::Error);
        }
        let reason = Reason::ValueArgument { callee: Name::new_static("this procedure value") };
        let values = self.checked_in_order(
            args,
            |checker, at| checker.check(args[at].value, &params[at], &reason),
            |_| {},
        );
        let args =
            values.into_iter().enumerate().map(|(param, value)| Arg { param: param as u32, value }).collect();
        let callee = Callee::Value(Box::new(callee));
        expr(ret.as_ref().clone(), node, ExprKind::Call { callee, args })
    }

    /// A call of a prelude proc with values that have its parameters' types.
    pub(super) fn core_call(
        &mut self,
        name: &str,
        types: Vec<Ty>,
        values: Vec<Expr>,
        ty: Ty,
        node: NodeId,
    ) -> Expr {
        let Some(item) = self.core(name) else {
            self.broken = true;
            return self.poison(node);
        };
        let args =
            values.into_iter().enumerate().map(|(param, value)| Arg { param: param as u32, value }).collect();
        expr(ty, node, ExprKind::Call { callee: Callee::Proc(item, types), args })
    }
}

/// Which proc is called and what is known of it beside the arguments.
pub(super) struct CallOf<'w> {
    pub(super) item: ItemId,
    /// Where it is named.
    pub(super) name_node: NodeId,
    /// Type arguments of the trait or impl around it.
    pub(super) owner: Option<Vec<Ty>>,
    /// The first argument, of a method.
    pub(super) receiver: Option<Expr>,
    /// Its own type arguments as written.
    pub(super) written: &'w [TypeRef],
}

impl<'w> CallOf<'w> {
    pub(super) fn plain(item: ItemId, name_node: NodeId, written: &'w [TypeRef]) -> Self {
        Self { item, name_node, owner: None, receiver: None, written }
    }
}

/// Moves a default value into the calling body.
struct Adopt<'t> {
    node: NodeId,
    first_local: u32,
    first_lambda: u32,
    types: &'t [Ty],
}

impl walk::Change for Adopt<'_> {
    fn ty(&mut self, ty: &mut Ty) {
        *ty = ty.subst(self.types);
    }

    fn node(&mut self, node: &mut NodeId) {
        *node = self.node;
    }

    fn local(&mut self, local: &mut LocalId) {
        local.0 += self.first_local;
    }

    fn lambda(&mut self, index: &mut u32) {
        *index += self.first_lambda;
    }
}
