//! The end of a check: solved variables are put in, unsolved ones reported.
use std::collections::BTreeSet;

use super::super::data::CheckedBody;
use super::super::thir;
use super::super::ty::Ty;
use super::unify::{Origin, Table};
use super::{Checker, codes, walk};
use crate::base::Diagnostic;

struct Solve<'t> {
    table: &'t Table,
    unsolved: BTreeSet<u32>,
    /// Met a type that was reported, perhaps by another item's check.
    poisoned: bool,
}

impl walk::Change for Solve<'_> {
    fn ty(&mut self, ty: &mut Ty) {
        if is_ground(ty) {
            self.poisoned |= *ty == Ty::Error;
            return;
        }
        let resolved = self.table.resolve(ty);
        *ty = if let Some(variable) = self.table.unsolved(&resolved) {
            self.unsolved.insert(variable);
            Ty::Error
        } else {
            resolved
        };
    }
}

/// Whether a type has no inner types at all: the common case.
fn is_ground(ty: &Ty) -> bool {
    matches!(
        ty,
        Ty::Error
            | Ty::Unit
            | Ty::Never
            | Ty::Bool
            | Ty::Char
            | Ty::Int(_)
            | Ty::Float(_)
            | Ty::String
            | Ty::Bytes
            | Ty::Param(..)
    )
}

impl Checker<'_> {
    /// Makes the checked body.
    pub(super) fn finish(mut self, block: thir::Block, param_count: usize) -> CheckedBody {
        self.settle(false);
        self.take_defaults(None);
        self.settle(true);
        let mut body = thir::Body {
            generics: std::mem::take(&mut self.generics),
            param_count,
            captures: 0,
            locals: std::mem::take(&mut self.locals),
            ret: self.ret.clone(),
            block,
            lambdas: self.lambdas.drain(..).flatten().collect(),
            ok: false,
        };
        let mut solve = Solve { table: &self.table, unsolved: BTreeSet::new(), poisoned: self.broken };
        walk::body(&mut body, &mut solve);
        let (unsolved, poisoned) = (solve.unsolved, solve.poisoned);
        // With another error in the body an open type is most likely its consequence.
        if !self.diagnostics.iter().any(Diagnostic::is_error) {
            let hidden = |&variable: &u32| matches!(self.table.origin(variable), Some((_, Origin::Hidden)));
            // What a bound adds is open because the type that it is about is.
            let (added, written): (Vec<u32>, Vec<u32>) = unsolved.into_iter().partition(hidden);
            let reported = if written.is_empty() { added } else { written };
            for variable in reported {
                self.report_unsolved(variable);
            }
        }
        body.ok = !poisoned && !self.diagnostics.iter().any(Diagnostic::is_error);
        for lambda in &mut body.lambdas {
            lambda.ok = body.ok;
            lambda.generics.clone_from(&body.generics);
        }
        CheckedBody { body, diagnostics: self.diagnostics.into() }
    }

    /// Gives the type arguments that nothing decided their defaults: all, or `variable` alone.
    fn take_defaults(&mut self, variable: Option<u32>) {
        for (open, default) in std::mem::take(&mut self.defaults) {
            match self.table.shallow(&open) {
                Ty::Infer(found) if variable.is_none_or(|wanted| wanted == found) => {
                    self.table.unify(&open, &default);
                }
                Ty::Infer(_) => self.defaults.push((open, default)),
                _ => {}
            }
        }
    }

    /// Reports a variable that nothing decided.
    pub(super) fn report_unsolved(&mut self, variable: u32) {
        let Some((node, origin)) = self.table.origin(variable) else { return };
        let origin = origin.clone();
        let diagnostic = match origin {
            Origin::EmptyList => self
                .error(
                    codes::INFERENCE,
                    node,
                    "the element type of this empty list is not known",
                    "a list of what?",
                )
                .note("an empty list takes its type from its context or from the first list added to it")
                .help("write the type: `let xs: [int] = []`"),
            Origin::Parameter(parameter, owner) => self
                .error(
                    codes::INFERENCE,
                    node,
                    format!("the type argument `{parameter}` of `{owner}` is not known"),
                    format!("nothing here decides `{parameter}`"),
                )
                .note("type arguments are inferred from the arguments, then from the expected type")
                .help(format!("write it: `{owner}<int>`, or give the target a type")),
            Origin::Hidden => self
                .error(codes::INFERENCE, node, "the type arguments of this are not known", "of which type?")
                .note("type arguments are inferred from the arguments, then from the expected type")
                .help("write them, or give the target a type"),
            Origin::EmptyMap => self
                .error(codes::INFERENCE, node, "the types in this empty map or set are not known", "of what?")
                .note("an empty map or set takes its types from its context")
                .help("write the type: `let ages: map<string, int> = map {}`"),
            Origin::LambdaParameter => self
                .error(codes::INFERENCE, node, "the type of this parameter is not known", "needs a type")
                .note("a lambda's parameters take their types from its context, if there is one")
                .help("write the type: `|x: int| x + 1`"),
            Origin::LambdaResult => self
                .error(codes::INFERENCE, node, "the result type of this lambda is not known", "gives what?")
                .note("a lambda's result is that of its body")
                .help("write it: `|x: int| -> int { ... }`"),
            Origin::Binding => self
                .error(codes::INFERENCE, node, "the type of this local is not known", "needs a type")
                .note("a `let` without a value needs a type")
                .help("write the type: `let x: int`"),
        };
        self.report(diagnostic);
    }

    /// The type, which must be known at this point of the body; reports and gives `Error` if it is not.
    pub(super) fn known(&mut self, ty: &Ty) -> Ty {
        let mut ty = self.table.shallow(ty);
        if matches!(ty, Ty::Infer(_)) && !self.obligations.is_empty() {
            self.settle(false);
            ty = self.table.shallow(&ty);
        }
        if let Ty::Infer(variable) = ty {
            self.take_defaults(Some(variable));
            ty = self.table.shallow(&ty);
        }
        if let Ty::Infer(variable) = ty {
            self.report_unsolved(variable);
            self.table.unify(&Ty::Infer(variable), &Ty::Error);
            return Ty::Error;
        }
        ty
    }
}
