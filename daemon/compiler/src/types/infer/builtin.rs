//! The built-in names of §9, as calls of prelude procs.
use std::sync::Arc;

use super::super::thir::{Callee, Expr, ExprKind};
use super::super::ty::{FloatTy, IntTy, Ty};
use super::coerce::Reason;
use super::path::Named;
use super::{Checker, Expect, codes, expr};
use crate::base::Name;
use crate::lower::NodeId;
use crate::lower::hir::{self, BinaryOp};
use crate::types::Intrinsic;

/// Every built-in name. A declaration or import of the same name wins.
pub(super) const NAMES: [&str; 36] = [
    "len",
    "length",
    "print",
    "println",
    "eprint",
    "eprintln",
    "panic",
    "assert",
    "slice",
    "find",
    "starts_with",
    "ends_with",
    "trim",
    "split",
    "contains",
    "replace",
    "to_string",
    "push",
    "append",
    "type_name",
    "usize_max",
    "some",
    "none",
    "ok",
    "err",
    "is_some",
    "is_none",
    "is_ok",
    "is_err",
    "unwrap",
    "unwrap_or",
    "expect",
    "string_of_int",
    "int_of_string",
    "is_empty",
    "unreachable",
];

/// How many arguments a built-in takes, and how its call looks.
fn shape(name: &str) -> (std::ops::RangeInclusive<usize>, &'static str) {
    match name {
        "len" => (1..=1, "len(x)"),
        "length" => (1..=1, "length(x)"),
        "is_empty" => (1..=1, "is_empty(x)"),
        "print" => (1..=1, "print(x)"),
        "println" => (0..=1, "println(x)"),
        "eprint" => (1..=1, "eprint(x)"),
        "eprintln" => (0..=1, "eprintln(x)"),
        "panic" => (1..=1, "panic(message)"),
        "assert" => (1..=2, "assert(condition, message)"),
        "slice" => (3..=3, "slice(s, from, to)"),
        "find" => (2..=2, "find(s, part)"),
        "starts_with" => (2..=2, "starts_with(s, start)"),
        "ends_with" => (2..=2, "ends_with(s, end)"),
        "trim" => (1..=1, "trim(s)"),
        "split" => (2..=2, "split(s, separator)"),
        "contains" => (2..=2, "contains(s, part)"),
        "replace" => (3..=3, "replace(s, from, to)"),
        "to_string" => (1..=1, "to_string(x)"),
        "push" => (2..=2, "push(xs, x)"),
        "append" => (2..=2, "append(xs, ys)"),
        "type_name" => (1..=1, "type_name(x)"),
        "usize_max" => (0..=0, "usize_max()"),
        "none" => (0..=0, "none<T>()"),
        "some" => (1..=1, "some(value)"),
        "ok" => (1..=1, "ok(value)"),
        "err" => (1..=1, "err(error)"),
        "is_some" => (1..=1, "is_some(option)"),
        "is_none" => (1..=1, "is_none(option)"),
        "is_ok" => (1..=1, "is_ok(result)"),
        "is_err" => (1..=1, "is_err(result)"),
        "unwrap" => (1..=1, "unwrap(option)"),
        "unwrap_or" => (2..=2, "unwrap_or(option, default)"),
        "expect" => (2..=2, "expect(option, message)"),
        "string_of_int" => (1..=1, "string_of_int(i)"),
        "int_of_string" => (1..=1, "int_of_string(s)"),
        _ => (0..=0, "unreachable()"),
    }
}

impl<'a> Checker<'a> {
    pub(super) fn builtin_call(
        &mut self,
        node: NodeId,
        name: &'static str,
        named: &Named<'a>,
        args: &'a [hir::Arg],
        expect: &Expect<'_>,
    ) -> Expr {
        let (count, signature) = shape(name);
        if !count.contains(&args.len()) {
            let wanted = match (*count.start(), *count.end()) {
                (1, 1) => "1 argument".to_owned(),
                (a, b) if a == b => format!("{a} arguments"),
                (a, b) => format!("{a} or {b} arguments"),
            };
            let diagnostic = self
                .error(
                    codes::ARITY,
                    named.name.node,
                    format!("`{name}` takes {wanted}, found {}", args.len()),
                    "wrong number of arguments",
                )
                .note(format!("`{name}` is built in: `{signature}`"))
                .help("declare a proc of this name to use it for something else");
            self.report(diagnostic);
            return self.drop_arguments(args, node);
        }
        if let Some(label) = args.iter().find_map(|arg| arg.name.as_ref()) {
            let diagnostic = self
                .error(
                    codes::NAMED_ARGUMENT,
                    label.node,
                    format!("the built-in `{name}` takes no named arguments"),
                    "pass it by position",
                )
                .note(format!("it is called as `{signature}`"))
                .help("remove the name and the colon");
            self.report(diagnostic);
            return self.drop_arguments(args, node);
        }
        match (name, args) {
            ("len" | "length", [x]) => {
                let value = self.check_value(x.value, &Expect::Value);
                self.length(name, value, node)
            }
            ("is_empty", [x]) => {
                let value = self.check_value(x.value, &Expect::Value);
                self.is_empty(value, node)
            }
            ("print" | "println" | "eprint" | "eprintln", args) => self.print(node, name, args),
            ("panic", [message]) => {
                let message = self.check(message.value, &Ty::String, &Reason::Message);
                expr(Ty::Never, node, ExprKind::Panic(Box::new(message)))
            }
            ("unreachable", []) => expr(Ty::Never, node, ExprKind::Unreachable),
            ("assert", [condition, rest @ ..]) => {
                let condition = self.condition(condition.value);
                let Some(message) = rest.first() else { return self.assertion(node, condition) };
                let message = Box::new(self.check(message.value, &Ty::String, &Reason::Message));
                expr(Ty::Unit, node, ExprKind::Assert(Box::new(condition), Some(message)))
            }
            ("slice", [s, from, to]) => {
                let base = self.check_value(s.value, &Expect::Value);
                let from = self.position(from.value);
                let to = self.position(to.value);
                self.slice_of(node, base, from, to)
            }
            ("contains", [s, part]) => {
                let base = self.check_value(s.value, &Expect::Value);
                if let Ty::List(element) = self.known(&base.ty) {
                    let reason = Reason::ValueArgument { callee: Name::new_static("contains") };
                    let item = self.check(part.value, &element, &reason);
                    return self.list_contains(node, node, item, base, &element);
                }
                self.text_call(node, name, Some(base), args)
            }
            ("find" | "starts_with" | "ends_with" | "trim" | "split" | "replace", args) => {
                self.text_call(node, name, None, args)
            }
            ("to_string", [x]) => {
                let value = self.check_value(x.value, &Expect::Value);
                self.text_or_report(value, "to_string", node)
            }
            ("push", [xs, x]) => {
                let (list, element) = self.list_argument(xs, name, expect);
                let item = self.check(x.value, &element, &Reason::Element);
                let ty = list.ty.clone();
                if ty == Ty::Error {
                    return self.poison(node);
                }
                self.core_call("list_pushed", vec![element], vec![list, item], ty, node)
            }
            ("append", [xs, ys]) => {
                let (list, element) = self.list_argument(xs, name, expect);
                if list.ty == Ty::Error {
                    return self.drop_arguments(std::slice::from_ref(ys), node);
                }
                let ty = Ty::List(Arc::new(element));
                let reason = Reason::ValueArgument { callee: Name::new_static("append") };
                let other = self.check(ys.value, &ty, &reason);
                expr(ty, node, ExprKind::Binary(BinaryOp::Add, Box::new(list), Box::new(other)))
            }
            ("type_name", [x]) => {
                let value = self.check_value(x.value, &Expect::Value);
                let ty = value.ty.clone();
                // The argument is evaluated for its effect.
                let (mut stmts, _) = self.keep(value);
                let callee = Callee::Intrinsic(Intrinsic::TypeName, vec![ty]);
                let call = expr(Ty::String, node, ExprKind::Call { callee, args: Vec::new() });
                let block = super::thir::Block {
                    node,
                    stmts: std::mem::take(&mut stmts),
                    tail: Some(Box::new(call)),
                };
                expr(Ty::String, node, ExprKind::Block(block))
            }
            ("usize_max", []) => expr(Ty::USIZE, node, ExprKind::Int(i128::from(u64::MAX))),
            ("string_of_int", [i]) => {
                let reason = Reason::ValueArgument { callee: Name::new_static("string_of_int") };
                let value = self.check(i.value, &Ty::INT, &reason);
                self.text_or_report(value, "string_of_int", node)
            }
            ("int_of_string", [s]) => {
                let reason = Reason::ValueArgument { callee: Name::new_static("int_of_string") };
                let value = self.check(s.value, &Ty::String, &reason);
                let ty = self.option_of(Ty::INT);
                self.core_call("string_to_int", Vec::new(), vec![value], ty, node)
            }
            (_, args) => self.option_call(node, name, named, args, expect),
        }
    }

    /// `len(x)` of a string, list or bytes.
    pub(super) fn length(&mut self, name: &str, value: Expr, node: NodeId) -> Expr {
        match self.known(&value.ty) {
            Ty::String => self.core_call("string_len", Vec::new(), vec![value], Ty::USIZE, node),
            Ty::Bytes => self.core_call("bytes_len", Vec::new(), vec![value], Ty::USIZE, node),
            Ty::List(element) => {
                self.core_call("list_len", vec![element.as_ref().clone()], vec![value], Ty::USIZE, node)
            }
            Ty::Error | Ty::Never => self.poison(node),
            other => {
                if let Some((key, item)) = self.map_types(&other) {
                    return self.core_call("map_len", vec![key, item], vec![value], Ty::USIZE, node);
                }
                if let Some(item) = self.set_type(&other) {
                    return self.core_call("set_len", vec![item], vec![value], Ty::USIZE, node);
                }
                self.bad_builtin(name, "a string, a list or bytes", &other, &value)
            }
        }
    }

    pub(super) fn is_empty(&mut self, value: Expr, node: NodeId) -> Expr {
        match self.known(&value.ty) {
            Ty::String => self.core_call("string_is_empty", Vec::new(), vec![value], Ty::Bool, node),
            Ty::List(element) => {
                self.core_call("list_is_empty", vec![element.as_ref().clone()], vec![value], Ty::Bool, node)
            }
            Ty::Error | Ty::Never => self.poison(node),
            other => self.bad_builtin("is_empty", "a string or a list", &other, &value),
        }
    }

    fn bad_builtin(&mut self, name: &str, takes: &str, found: &Ty, value: &Expr) -> Expr {
        let shown = self.show(found);
        let diagnostic = self
            .error(
                codes::ARGUMENT,
                value.node,
                format!("`{name}` takes {takes}, found `{shown}`"),
                format!("this is `{shown}`"),
            )
            .note(format!("`{name}` is built in"))
            .help("convert the value first, or declare a proc of this name");
        self.fail(diagnostic, value.node)
    }

    fn print(&mut self, node: NodeId, name: &str, args: &[hir::Arg]) -> Expr {
        let text = match args {
            [x, ..] => {
                let value = self.check_value(x.value, &Expect::Value);
                let at = value.node;
                self.text_or_report(value, name, at)
            }
            [] => expr(Ty::String, node, ExprKind::Str(Arc::from(""))),
        };
        self.core_call(&format!("{name}_string"), Vec::new(), vec![text], Ty::Unit, node)
    }

    /// The procs over strings alone.
    fn text_call(
        &mut self,
        node: NodeId,
        name: &'static str,
        first: Option<Expr>,
        args: &[hir::Arg],
    ) -> Expr {
        let reason = Reason::ValueArgument { callee: Name::new_static(name) };
        let mut values = Vec::with_capacity(args.len());
        let mut rest = args;
        if let Some(first) = first {
            values.push(self.coerce(first, &Ty::String, &reason));
            rest = rest.get(1..).unwrap_or_default();
        }
        for arg in rest {
            values.push(self.check(arg.value, &Ty::String, &reason));
        }
        let ty = match name {
            "find" => Ty::INT,
            "starts_with" | "ends_with" | "contains" => Ty::Bool,
            "split" => Ty::List(Arc::new(Ty::String)),
            _ => Ty::String,
        };
        self.core_call(&format!("string_{name}"), Vec::new(), values, ty, node)
    }

    /// An argument that is a list, and its element type.
    fn list_argument(&mut self, arg: &hir::Arg, name: &str, expect: &Expect<'_>) -> (Expr, Ty) {
        let value = self.check_value(arg.value, &Expect::hint(expect.ty().cloned()));
        match self.known(&value.ty) {
            Ty::List(element) => (value, element.as_ref().clone()),
            Ty::Error | Ty::Never => (self.poison(value.node), Ty::Error),
            other => (self.bad_builtin(name, "a list", &other, &value), Ty::Error),
        }
    }

    /// A value as text; reports if it has none.
    pub(super) fn text_or_report(&mut self, value: Expr, name: &str, node: NodeId) -> Expr {
        let ty = self.known(&value.ty);
        if matches!(ty, Ty::Error | Ty::Never) {
            return value;
        }
        if is_printable(&ty) {
            return self.text_of(value, node);
        }
        let shown = self.show(&ty);
        let diagnostic = self
            .error(
                codes::ARGUMENT,
                value.node,
                format!("`{name}` takes a string, number, `bool` or `char`, found `{shown}`"),
                format!("this is `{shown}`"),
            )
            .note("forms, lists and picks have no text of their own")
            .help(match ty {
                Ty::Form(..) => "print its fields, or write a proc that makes a string of it",
                Ty::Pick(..) => "match on it and print what each case means",
                Ty::List(_) => "print its elements in a loop",
                _ => "write a proc that makes a string of it",
            });
        self.fail(diagnostic, value.node)
    }

    /// A printable value as text.
    pub(super) fn text_of(&mut self, value: Expr, node: NodeId) -> Expr {
        let cast = |value: Expr, int: IntTy| {
            if value.ty == Ty::Int(int) {
                return value;
            }
            let node = value.node;
            expr(Ty::Int(int), node, ExprKind::Cast(Box::new(value)))
        };
        let (name, value) = match value.ty.clone() {
            Ty::Bool => ("bool_to_string", value),
            Ty::Char => ("char_to_string", value),
            Ty::Int(IntTy::I128) => ("i128_to_string", value),
            Ty::Int(IntTy::U128) => ("u128_to_string", value),
            Ty::Int(int) if int.signed() => ("int_to_string", cast(value, IntTy::I64)),
            Ty::Int(_) => ("uint_to_string", cast(value, IntTy::U64)),
            Ty::Float(FloatTy::F64) => ("f64_to_string", value),
            Ty::Float(FloatTy::F32) => ("f32_to_string", value),
            _ => return value,
        };
        self.core_call(name, Vec::new(), vec![value], Ty::String, node)
    }
}

/// Whether a type has a text.
pub(super) fn is_printable(ty: &Ty) -> bool {
    matches!(ty, Ty::String | Ty::Bool | Ty::Char | Ty::Int(_) | Ty::Float(_))
}
