//! Implicit conversions, and what is said when there is none.
use super::super::thir::{self, Expr, ExprKind};
use super::super::ty::{IntTy, Ty};
use super::{Checker, Expect, codes, expr};
use crate::base::{Applicability, Code, Diagnostic, Name, Place};
use crate::lower::hir::{BinaryOp, ExprId};
use crate::lower::{ItemId, NodeId, proc_signature};

/// Why a value must have a type.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// The declared type of a local, const or parameter, at `node`.
    Declared { node: NodeId },
    /// Assignment to a place, whose root is declared at `root`.
    Assigned { place: NodeId, root: Option<NodeId> },
    /// An argument of a proc.
    Argument { callee: ItemId, param: u32 },
    /// An argument of a procedure value or built-in name.
    ValueArgument { callee: Name },
    /// A field of a form.
    Field { form: ItemId, field: Name },
    /// A payload field of a variant.
    Payload { variant: Name, index: usize },
    /// An element of a list.
    Element,
    /// A result.
    Give,
    /// A branch of `if` or an arm of a match; the type comes from the branch at `first`.
    Branch { first: NodeId },
    /// A `break` value.
    Break,
    /// An index or a bound of a slice.
    Index,
    /// An operand; the other one stands at `other`.
    Operand { other: NodeId },
    /// The message of `assert` or `panic`.
    Message,
}

impl Reason {
    fn code(&self) -> Code {
        match self {
            Self::Declared { .. }
            | Self::Assigned { .. }
            | Self::Field { .. }
            | Self::Element
            | Self::Break => codes::ASSIGNMENT,
            Self::Argument { .. } | Self::ValueArgument { .. } | Self::Payload { .. } | Self::Message => {
                codes::ARGUMENT
            }
            Self::Give => codes::RETURN,
            Self::Branch { .. } => codes::BRANCHES,
            Self::Index => codes::INDEX_TYPE,
            Self::Operand { .. } => codes::BINARY,
        }
    }
}

impl Checker<'_> {
    /// Infers an expression and converts it to a type.
    pub(super) fn check(&mut self, id: ExprId, ty: &Ty, reason: &Reason) -> Expr {
        let value = self.infer(id, &Expect::Must(ty.clone(), reason));
        self.coerce(value, ty, reason)
    }

    /// Infers an expression and reads it through any reference.
    pub(super) fn check_value(&mut self, id: ExprId, expect: &Expect<'_>) -> Expr {
        let value = self.infer(id, expect);
        self.read(value)
    }

    /// The value behind any references.
    pub(super) fn read(&self, mut value: Expr) -> Expr {
        while let Ty::Ref(_, inner) = self.table.shallow(&value.ty) {
            value = deref(value, &inner);
        }
        value.ty = self.table.shallow(&value.ty);
        value
    }

    /// Converts a value to a type where that happens by itself, else reports.
    pub(super) fn coerce(&mut self, value: Expr, target: &Ty, reason: &Reason) -> Expr {
        let target = self.table.shallow(target);
        let source = self.table.shallow(&value.ty);
        match (&target, &source) {
            (_, Ty::Error | Ty::Never) | (Ty::Error, _) => value,
            (Ty::Dyn(..), Ty::Dyn(..)) if self.unify(&target, &source) => value,
            (Ty::Dyn(of, args), _) if !matches!(source, Ty::Ref(..) | Ty::Infer(_) | Ty::Unit) => {
                self.to_dyn(value, &target, *of, args)
            }
            (Ty::Pointer(mutable, inner), _) => {
                match self.to_pointer(value, *mutable, inner, &target, reason) {
                    Ok(pointer) => pointer,
                    Err(value) => self.mismatch(&target, &value, reason),
                }
            }
            (Ty::Ref(to_mut, inner), Ty::Ref(from_mut, from)) => {
                if *to_mut && !*from_mut {
                    return self.mismatch(&target, &value, reason);
                }
                if !self.unify(inner, from) {
                    return self.mismatch(&target, &value, reason);
                }
                if *to_mut == *from_mut {
                    return value;
                }
                // A `ref T` is represented as a `T`: what stands behind the `ref mut` is read.
                let node = value.node;
                let read = deref(value, from);
                expr(target.clone(), node, ExprKind::Ref(false, Box::new(read)))
            }
            (Ty::Ref(mutable, inner), _) => self.reference_to(value, *mutable, inner, &target, reason),
            (Ty::Infer(_), Ty::Ref(..)) if !matches!(value.kind, ExprKind::Ref(..)) => {
                let value = self.read(value);
                self.coerce(value, &target, reason)
            }
            (Ty::Infer(_), _) => {
                if self.unify(&target, &source) {
                    value
                } else {
                    self.mismatch(&target, &value, reason)
                }
            }
            (_, Ty::Ref(..)) => {
                let value = self.read(value);
                self.coerce(value, &target, reason)
            }
            (Ty::Int(to), Ty::Int(from)) => self.convert_int(value, *from, *to),
            (Ty::Unit, Ty::Unit) => value,
            _ => {
                let before = self.table.snapshot();
                if self.unify(&target, &source) {
                    value
                } else {
                    self.table.rollback(before);
                    self.mismatch(&target, &value, reason)
                }
            }
        }
    }

    /// Makes two types equal, or leaves every variable as it was.
    pub(super) fn unify(&mut self, a: &Ty, b: &Ty) -> bool {
        let before = self.table.snapshot();
        let fits = self.table.unify(a, b);
        if !fits {
            self.table.rollback(before);
        }
        fits
    }

    /// Inserts the `ref` or `ref mut` that a call site may leave out.
    fn reference_to(&mut self, value: Expr, mutable: bool, inner: &Ty, target: &Ty, reason: &Reason) -> Expr {
        let node = value.node;
        if !mutable {
            let value = self.coerce(value, inner, reason);
            let ty = Ty::Ref(false, std::sync::Arc::new(value.ty.clone()));
            return expr(ty, node, ExprKind::Ref(false, Box::new(value)));
        }
        if !self.unify(inner, &value.ty) {
            return self.mismatch(target, &value, reason);
        }
        match self.mutable_place(value, node) {
            Ok(reference) | Err(reference) => reference,
        }
    }

    /// Reports a value where a place is needed.
    pub(super) fn not_a_place(&mut self, value: &Expr) -> Expr {
        let diagnostic = self
            .error(
                codes::NOT_A_PLACE,
                value.node,
                "`ref mut` needs a variable, field or element",
                "this is a value, not a place",
            )
            .note("what the callee sets would be lost")
            .help("put the value into a local with `let` and pass that");
        self.fail(diagnostic, value.node)
    }

    /// Any integer to any other, with a lint where values can be lost.
    pub(super) fn convert_int(&mut self, value: Expr, from: IntTy, to: IntTy) -> Expr {
        if from == to {
            return value;
        }
        if loses(from, to) && !matches!(value.kind, ExprKind::Int(_)) {
            let diagnostic = self
                .lint(
                    codes::LOSSY_CONVERSION,
                    value.node,
                    format!("implicit conversion from `{}` to `{}` can lose values", from.name(), to.name()),
                    format!("this is `{}`", from.name()),
                )
                .note("values that do not fit wrap to the target's width")
                .help(format!("write `as {}` to say that it is meant", to.name()));
            self.report(diagnostic);
        }
        let node = value.node;
        expr(Ty::Int(to), node, ExprKind::Cast(Box::new(value)))
    }

    /// Reports that a value has the wrong type.
    pub(super) fn mismatch(&mut self, target: &Ty, value: &Expr, reason: &Reason) -> Expr {
        let diagnostic = self.mismatch_diagnostic(target, value, reason);
        self.fail(diagnostic, value.node)
    }

    fn mismatch_diagnostic(&self, target: &Ty, value: &Expr, reason: &Reason) -> Diagnostic {
        let wanted = self.show(target);
        let found = self.show(&value.ty);
        let db = self.db;
        let message = match reason {
            Reason::Declared { .. } => format!("expected `{wanted}`, found `{found}`"),
            Reason::Assigned { .. } => format!("cannot assign `{found}` to a place of type `{wanted}`"),
            Reason::Argument { callee, param } => {
                let data = crate::types::proc_data(db, *callee);
                let name = data.params.get(*param as usize).map_or("?", |p| p.name.as_str());
                format!(
                    "argument `{name}` of `{}` must be `{wanted}`, found `{found}`",
                    super::names::short_name(callee.name(db))
                )
            }
            Reason::ValueArgument { callee } => format!("`{callee}` takes `{wanted}` here, found `{found}`"),
            Reason::Field { field, .. } => format!("field `{field}` must be `{wanted}`, found `{found}`"),
            Reason::Payload { variant, index } => {
                format!("payload field {} of `{variant}` must be `{wanted}`, found `{found}`", index + 1)
            }
            Reason::Element => format!("this list holds `{wanted}`, found `{found}`"),
            Reason::Give => format!("this proc gives `{wanted}`, found `{found}`"),
            Reason::Branch { .. } => format!("branches have different types: `{wanted}` and `{found}`"),
            Reason::Break => format!("this loop gives `{wanted}`, found `{found}`"),
            Reason::Index => format!("an index must be an integer, found `{found}`"),
            Reason::Operand { .. } => format!("expected `{wanted}`, found `{found}`"),
            Reason::Message => format!("the message must be `{wanted}`, found `{found}`"),
        };
        let mut diagnostic = self.error(reason.code(), value.node, message, format!("this is `{found}`"));
        let explained = match reason {
            Reason::Declared { node } => {
                Some((self.place(*node), format!("`{wanted}` because of this type")))
            }
            Reason::Assigned { place, root } => {
                diagnostic = diagnostic.label(self.place(*place), format!("this place has type `{wanted}`"));
                root.map(|node| (self.place(node), "declared here".to_owned()))
            }
            Reason::Argument { callee, param } => {
                let node = proc_signature(db, *callee)
                    .as_ref()
                    .and_then(|sig| sig.params.get(*param as usize).map(|p| p.ty.node));
                node.map(|node| (Place::Node(*callee, node), "the parameter is declared here".to_owned()))
            }
            Reason::Field { form, .. } => {
                Some((Place::Node(*form, NodeId::default()), "the form is declared here".to_owned()))
            }
            Reason::Give => {
                self.ret_node.map(|node| (self.place(node), format!("`{wanted}` is due to this")))
            }
            Reason::Branch { first } => Some((self.place(*first), format!("this branch is `{wanted}`"))),
            Reason::Operand { other } => Some((self.place(*other), format!("this operand is `{wanted}`"))),
            Reason::ValueArgument { .. }
            | Reason::Payload { .. }
            | Reason::Element
            | Reason::Break
            | Reason::Index
            | Reason::Message => None,
        };
        if let Some((place, text)) = explained {
            diagnostic = diagnostic.label(place, text);
        }
        self.explain_conversion(diagnostic, target, value)
    }

    /// Adds the explicit cast that would do, or says that there is none.
    pub(super) fn explain_conversion(&self, diagnostic: Diagnostic, target: &Ty, value: &Expr) -> Diagnostic {
        let source = self.table.shallow(&value.ty);
        let target = self.table.shallow(target);
        match (&source, &target) {
            (Ty::Int(_) | Ty::Float(_) | Ty::Bool | Ty::Char, Ty::String) => {
                let diagnostic = diagnostic.note("nothing turns into text by itself");
                self.suggest_cast(diagnostic, value.node, "string")
            }
            (Ty::Float(_), Ty::Int(_)) | (Ty::Int(_), Ty::Float(_)) => {
                let diagnostic = diagnostic.note("integers and floats convert only with `as`");
                self.suggest_cast(diagnostic, value.node, &self.show(&target))
            }
            (Ty::Bool | Ty::Char, Ty::Int(_)) | (Ty::Int(_), Ty::Char) => {
                let diagnostic = diagnostic.note(format!(
                    "`{}` does not turn into `{}` by itself",
                    self.show(&source),
                    self.show(&target)
                ));
                self.suggest_cast(diagnostic, value.node, &self.show(&target))
            }
            (Ty::String, Ty::Int(_)) => diagnostic
                .note("text does not turn into numbers by itself")
                .help("`int_of_string(s)` gives an `Option<int>`"),
            (Ty::String, Ty::Char) => {
                let literal = self.snippet(value.node).and_then(|text| {
                    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
                    (inner.chars().count() == 1 && inner != "'").then(|| format!("'{inner}'"))
                });
                let diagnostic = diagnostic.note("a `char` stands in single quotes, text in double quotes");
                match literal {
                    Some(literal) => diagnostic.suggest(
                        self.place(value.node),
                        literal,
                        "write a `char`",
                        Applicability::MachineApplicable,
                    ),
                    None => diagnostic.help("take one character of it: `text[0]`"),
                }
            }
            (Ty::Proc(_, ret), _) if self.table.resolve(ret) == self.table.resolve(&target) => {
                let diagnostic = diagnostic.note("the name of a proc is the proc itself and no call");
                match self.snippet(value.node) {
                    Some(text) => diagnostic.suggest(
                        self.place(value.node),
                        format!("{text}()"),
                        "call it",
                        Applicability::MaybeIncorrect,
                    ),
                    None => diagnostic.help("call it"),
                }
            }
            (Ty::Unit, _) => diagnostic
                .note("a proc without `->` gives nothing")
                .help("call a proc that gives a value, or drop this use of the result"),
            (_, Ty::Pick(id, args)) if self.is_option(*id) => match args.first() {
                Some(inner) if self.table.resolve(inner) == self.table.resolve(&source) => {
                    let diagnostic = diagnostic.note("a value does not become an `Option` by itself");
                    match self.snippet(value.node) {
                        Some(text) => diagnostic.suggest(
                            self.place(value.node),
                            format!("Some({text})"),
                            "wrap it in `Some`",
                            Applicability::MaybeIncorrect,
                        ),
                        None => diagnostic.help("wrap it in `Some`"),
                    }
                }
                _ => self.no_conversion(diagnostic, &source, &target),
            },
            (Ty::Pick(id, _), _) if self.is_option(*id) => diagnostic
                .note("the value may be `None`")
                .help("match on it, or use `unwrap_or(value, default)`"),
            _ => self.no_conversion(diagnostic, &source, &target),
        }
    }

    fn no_conversion(&self, diagnostic: Diagnostic, source: &Ty, target: &Ty) -> Diagnostic {
        let target = self.show(target);
        diagnostic
            .note(format!("`{}` never converts to `{target}` by itself", self.show(source)))
            .help(format!("use a value of type `{target}` here"))
    }

    /// Suggests `e as T` with parentheses where `e` needs them.
    pub(super) fn suggest_cast(&self, diagnostic: Diagnostic, node: NodeId, target: &str) -> Diagnostic {
        let Some(text) = self.snippet(node) else {
            return diagnostic.help(format!("convert it with `as {target}`"));
        };
        let simple = text.starts_with(['"', '\''])
            || text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '(' | ')' | '[' | ']'));
        let text = if simple { text } else { format!("({text})") };
        diagnostic.suggest(
            self.place(node),
            format!("{text} as {target}"),
            format!("convert it to `{target}`"),
            Applicability::MachineApplicable,
        )
    }

    /// A condition: bool, or an integer that is not zero.
    pub(super) fn condition(&mut self, id: ExprId) -> Expr {
        let value = self.check_value(id, &Expect::Value);
        self.truth(value, "condition")
    }

    /// Turns a value into its truth.
    pub(super) fn truth(&mut self, value: Expr, what: &str) -> Expr {
        let value = self.read(value);
        let node = value.node;
        match &value.ty {
            Ty::Bool | Ty::Error | Ty::Never => value,
            Ty::Int(int) => {
                let zero = expr(Ty::Int(*int), node, ExprKind::Int(0));
                expr(Ty::Bool, node, ExprKind::Compare(BinaryOp::Ne, Box::new(value), Box::new(zero)))
            }
            other => {
                let shown = self.show(other);
                let article = if what.starts_with('o') { "an" } else { "a" };
                let mut diagnostic = self
                    .error(
                        codes::CONDITION,
                        node,
                        format!("{article} {what} must be `bool` or an integer, found `{shown}`"),
                        format!("this is `{shown}`"),
                    )
                    .note("of the integers, zero is false and all others are true");
                diagnostic = match other {
                    Ty::String | Ty::List(_) | Ty::Bytes => diagnostic.help("compare it, as in `len(x) > 0`"),
                    Ty::Pick(..) => diagnostic.help("test it with `is`, as in `x is Some(_)`"),
                    _ => diagnostic.help("compare it with something"),
                };
                self.fail(diagnostic, node)
            }
        }
    }

    /// Converts the value of a block.
    pub(super) fn coerce_block(&mut self, block: &mut thir::Block, ty: &Ty, reason: &Reason) {
        if let Some(tail) = block.tail.take() {
            block.tail = Some(Box::new(self.coerce(*tail, ty, reason)));
        }
    }
}

/// The value behind one reference.
pub(super) fn deref(value: Expr, inner: &Ty) -> Expr {
    let node = value.node;
    // `*ref e` is `e`.
    if let ExprKind::Ref(_, place) = value.kind {
        return *place;
    }
    expr(inner.clone(), node, ExprKind::Deref(Box::new(value)))
}

/// Whether some value of one integer type does not fit the other.
fn loses(from: IntTy, to: IntTy) -> bool {
    match (from.signed(), to.signed()) {
        (true, true) | (false, false) => from.bits() > to.bits(),
        (false, true) => from.bits() >= to.bits(),
        (true, false) => true,
    }
}

/// Whether a literal fits an integer type.
pub(super) fn fits(magnitude: u128, negative: bool, ty: IntTy) -> bool {
    let bits = ty.bits();
    if ty.signed() {
        let limit = 1u128 << (bits - 1);
        if negative { magnitude <= limit } else { magnitude < limit }
    } else if negative {
        magnitude == 0
    } else {
        bits == 128 || magnitude < 1u128 << bits
    }
}
