//! The built-in members of strings and lists: `len is_empty push pop first last`.
use super::super::thir::{Expr, ExprKind};
use super::super::ty::Ty;
use super::coerce::Reason;
use super::{Checker, codes, expr};
use crate::base::Applicability;
use crate::lower::NodeId;
use crate::lower::hir::{self, Ident};

impl Checker<'_> {
    /// `base.name(args)` where that is a built-in member; `None` if it is not.
    pub(super) fn member_call(
        &mut self,
        node: NodeId,
        base: Expr,
        ty: &Ty,
        name: &Ident,
        args: &[hir::Arg],
    ) -> Option<Expr> {
        let element = match ty {
            Ty::List(element) => Some(element.as_ref().clone()),
            Ty::String | Ty::Bytes => None,
            _ => return None,
        };
        let wanted = usize::from(name.name == "push");
        let known = match (&element, name.name.as_str()) {
            (_, "len" | "is_empty") => true,
            (Some(_), "push" | "pop" | "first" | "last") => true,
            _ => return None,
        };
        if known && args.len() != wanted {
            let plural = if wanted == 1 { "" } else { "s" };
            let diagnostic = self
                .error(
                    codes::ARITY,
                    name.node,
                    format!("`{}` takes {wanted} argument{plural}, found {}", name.name, args.len()),
                    "wrong number of arguments",
                )
                .note(format!("it is a built-in member of `{}`", self.show(ty)))
                .help(if wanted == 1 { "write `xs.push(x)`" } else { "remove the arguments" });
            self.report(diagnostic);
            return Some(self.drop_arguments(args, node));
        }
        Some(match (name.name.as_str(), element) {
            ("len", _) => self.length("len", base, node),
            ("is_empty", _) => self.is_empty(base, node),
            ("push", Some(element)) => {
                let mut base = base;
                let Ok(mut before) = self.map_place(&mut base) else {
                    return Some(self.drop_arguments(args, node));
                };
                let Some(list) = self.changed_list(base, "push") else {
                    return Some(self.drop_arguments(args, node));
                };
                let item = match args {
                    [x, ..] => self.check(x.value, &element, &Reason::Element),
                    [] => self.poison(node),
                };
                let push = self.core_call("list_push", vec![element], vec![list, item], Ty::Unit, node);
                if before.is_empty() {
                    return Some(push);
                }
                before.push(super::super::thir::Stmt::Expr(push));
                let block = super::super::thir::Block { node, stmts: before, tail: None };
                expr(Ty::Unit, node, ExprKind::Block(block))
            }
            ("pop", Some(element)) => {
                let Some(list) = self.changed_list(base, "pop") else { return Some(self.poison(node)) };
                let ty = self.option_of(element.clone());
                self.core_call("list_pop", vec![element], vec![list], ty, node)
            }
            ("first", Some(element)) => {
                let ty = self.option_of(element.clone());
                self.core_call("list_first", vec![element], vec![base], ty, node)
            }
            (_, Some(element)) => {
                let ty = self.option_of(element.clone());
                self.core_call("list_last", vec![element], vec![base], ty, node)
            }
            (_, None) => self.poison(node),
        })
    }

    /// The list that a member changes in place, as a `ref mut`.
    fn changed_list(&mut self, base: Expr, member: &str) -> Option<Expr> {
        let node = base.node;
        if !self.is_place(&base) {
            let diagnostic = self
                .error(
                    codes::NOT_A_PLACE,
                    node,
                    format!("`{member}` changes a list in place, but this is a value"),
                    "not a variable, field or element",
                )
                .note("the changed list would be lost")
                .help("keep the list in a local with `let` first");
            self.report(diagnostic);
            return None;
        }
        if !self.may_change(&base, node) {
            return None;
        }
        let ty = Ty::Ref(true, std::sync::Arc::new(base.ty.clone()));
        Some(expr(ty, node, ExprKind::Ref(true, Box::new(base))))
    }

    /// `base.name` of a value that is neither form nor tuple.
    pub(super) fn member(&mut self, base: Expr, ty: &Ty, name: &Ident, node: NodeId) -> Expr {
        let known: &[&str] = match ty {
            Ty::String => &["len", "is_empty"],
            Ty::Bytes => &["len"],
            Ty::List(_) => &["len", "is_empty", "push", "pop", "first", "last"],
            _ => &[],
        };
        match (name.name.as_str(), known.is_empty()) {
            ("len", false) => return self.length("len", base, node),
            ("is_empty", false) => return self.is_empty(base, node),
            ("first" | "last" | "pop", false) if matches!(ty, Ty::List(_)) => {
                if let Some(result) = self.member_call(node, base.clone(), ty, name, &[]) {
                    return result;
                }
            }
            _ => {}
        }
        if let Ty::Pick(pick, _) = ty {
            return self.no_member(ty, *pick, name, &[], node);
        }
        let shown = self.show(ty);
        let mut diagnostic = self
            .error(
                codes::UNKNOWN_MEMBER,
                name.node,
                format!("`{shown}` has no member `{}`", name.name),
                "no such member",
            )
            .label(self.place(base.node), format!("this is `{shown}`"));
        diagnostic = if known.is_empty() {
            diagnostic.note(format!("values of type `{shown}` have no members"))
        } else {
            diagnostic.note(format!("its members are `{}`", known.join("`, `")))
        };
        let meant = match name.name.as_str() {
            "length" | "size" | "count" | "Length" => "len",
            "add" | "append" | "push_back" => "push",
            other => other,
        };
        let meant = known.iter().copied().find(|known| *known == meant);
        diagnostic = match meant.or_else(|| crate::base::spelling::nearest(&name.name, known.iter().copied()))
        {
            Some(near) => diagnostic.suggest(
                self.place(name.node),
                near,
                if meant.is_some() {
                    format!("it is called `{near}`")
                } else {
                    format!("`{near}` has a similar name")
                },
                Applicability::MaybeIncorrect,
            ),
            None if self.visible_names(&name.name).contains(&name.name) => {
                diagnostic.help(format!("a proc takes the value as an argument: `{}(value)`", name.name))
            }
            None => diagnostic
                .help(format!("declare `proc {0}(value: {shown})` and call `{0}(value)`", name.name)),
        };
        self.fail(diagnostic, node)
    }
}
