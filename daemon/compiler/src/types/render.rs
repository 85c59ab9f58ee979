//! Types as the user writes them.
use std::fmt::Write;

use super::ty::{FloatTy, Ty};
use crate::base::Db;

/// `ty` in the language's own spelling: `[Option<int>]`, `ref mut Item`, `proc(int) -> bool`.
/// Inference variables and errors show as `_`.
pub fn ty_name(db: &dyn Db, ty: &Ty) -> String {
    let mut out = String::new();
    write_ty(db, ty, &mut out);
    out
}

fn write_ty(db: &dyn Db, ty: &Ty, out: &mut String) {
    match ty {
        Ty::Error | Ty::Infer(_) => out.push('_'),
        Ty::Unit => out.push_str("unit"),
        Ty::Never => out.push_str("never"),
        Ty::Bool => out.push_str("bool"),
        Ty::Char => out.push_str("char"),
        Ty::Int(int) => out.push_str(int.name()),
        Ty::Float(FloatTy::F32) => out.push_str("f32"),
        Ty::Float(FloatTy::F64) => out.push_str("f64"),
        Ty::String => out.push_str("string"),
        Ty::Bytes => out.push_str("bytes"),
        Ty::List(element) => {
            out.push('[');
            write_ty(db, element, out);
            out.push(']');
        }
        Ty::Ref(mutable, target) => {
            out.push_str(if *mutable { "ref mut " } else { "ref " });
            write_ty(db, target, out);
        }
        Ty::Form(item, args) | Ty::Pick(item, args) => {
            out.push_str(item.name(db));
            if !args.is_empty() {
                write_list(db, args, ('<', '>'), out);
            }
        }
        Ty::Value(value) => out.push_str(&value.to_string()),
        Ty::Impl(item, _) => {
            out.push_str("impl ");
            out.push_str(item.name(db));
        }
        Ty::Proc(params, ret) => {
            out.push_str("proc");
            write_list(db, params, ('(', ')'), out);
            if **ret != Ty::Unit {
                out.push_str(" -> ");
                write_ty(db, ret, out);
            }
        }
        Ty::Tuple(parts) => write_list(db, parts, ('(', ')'), out),
        Ty::Pointer(mutable, target) => {
            out.push_str(if *mutable { "*mut " } else { "*" });
            write_ty(db, target, out);
        }
        Ty::Dyn(item, args) => {
            out.push_str("dyn ");
            out.push_str(item.name(db));
            if !args.is_empty() {
                write_list(db, args, ('<', '>'), out);
            }
        }
        // Writing to a `String` cannot fail.
        Ty::Param(index, name) if name.is_empty() => drop(write!(out, "T{index}")),
        Ty::Param(_, name) => out.push_str(name),
    }
}

fn write_list(db: &dyn Db, tys: &[Ty], (open, close): (char, char), out: &mut String) {
    out.push(open);
    for (index, ty) in tys.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_ty(db, ty, out);
    }
    out.push(close);
}
