//! Names of instances in object files: readable, unique, the same on every run.
use super::{Instance, InstanceKind};
use crate::base::{Db, SourcePath};
use crate::lower::ItemId;
use crate::types::{FloatTy, Ty};

/// The symbol of an instance: `demo/inventory::search`, `core::list_push<int>`, `drop demo/shop::Item`.
///
/// ELF allows any byte but NUL in a name, and every name of ours holds `::` or a space, so none can be taken for
/// a C symbol; the only C symbol we define is `main`.
pub fn symbol_name(db: &dyn Db, instance: Instance) -> String {
    match instance.kind(db) {
        InstanceKind::Proc(item, args) => format!("{}{}", item_name(db, *item), args_text(db, args)),
        InstanceKind::Main(_) | InstanceKind::Tests(_) => "main".to_owned(),
        InstanceKind::Thunk(item, args) => format!("thunk {}{}", item_name(db, *item), args_text(db, args)),
        InstanceKind::DynThunk(item, args, methods) => {
            format!("dyn {methods} {}{}", item_name(db, *item), args_text(db, args))
        }
        InstanceKind::Lambda(item, args, index) => {
            format!("lambda {index} {}{}", item_name(db, *item), args_text(db, args))
        }
        InstanceKind::Drop(ty) => format!("drop {}", ty_text(db, ty)),
        // The first type of a cycle is in no other cycle.
        InstanceKind::DropCycle(tys) => {
            format!("drop-cycle {}", tys.first().map(|t| ty_text(db, t)).unwrap_or_default())
        }
        InstanceKind::Clone(ty) => format!("clone {}", ty_text(db, ty)),
        InstanceKind::Eq(ty) => format!("eq {}", ty_text(db, ty)),
        InstanceKind::Hash(ty) => format!("hash {}", ty_text(db, ty)),
    }
}

/// The type with full names: equal texts mean equal types.
pub fn ty_text(db: &dyn Db, ty: &Ty) -> String {
    let list = |tys: &[Ty]| tys.iter().map(|t| ty_text(db, t)).collect::<Vec<_>>().join(", ");
    match ty {
        Ty::Error => "?".to_owned(),
        Ty::Unit => "unit".to_owned(),
        Ty::Never => "never".to_owned(),
        Ty::Bool => "bool".to_owned(),
        Ty::Char => "char".to_owned(),
        Ty::Int(int) => int.name().to_owned(),
        Ty::Float(FloatTy::F32) => "f32".to_owned(),
        Ty::Float(FloatTy::F64) => "f64".to_owned(),
        Ty::String => "string".to_owned(),
        Ty::Bytes => "bytes".to_owned(),
        Ty::List(element) => format!("[{}]", ty_text(db, element)),
        Ty::Ref(false, inner) => format!("ref {}", ty_text(db, inner)),
        Ty::Ref(true, inner) => format!("ref mut {}", ty_text(db, inner)),
        Ty::Form(item, args) | Ty::Pick(item, args) => {
            format!("{}{}", item_name(db, *item), args_text(db, args))
        }
        Ty::Value(value) => value.to_string(),
        Ty::Impl(item, args) => format!("impl {}{}", item_name(db, *item), args_text(db, args)),
        Ty::Proc(params, ret) => format!("proc({}) -> {}", list(params), ty_text(db, ret)),
        Ty::Tuple(tys) => format!("({})", list(tys)),
        Ty::Pointer(false, inner) => format!("*{}", ty_text(db, inner)),
        Ty::Pointer(true, inner) => format!("*mut {}", ty_text(db, inner)),
        Ty::Dyn(item, args) => format!("dyn {}{}", item_name(db, *item), args_text(db, args)),
        Ty::Param(_, name) => name.to_string(),
        Ty::Infer(index) => format!("_{index}"),
    }
}

fn args_text(db: &dyn Db, args: &[Ty]) -> String {
    if args.is_empty() {
        return String::new();
    }
    format!("<{}>", args.iter().map(|t| ty_text(db, t)).collect::<Vec<_>>().join(", "))
}

/// An item's full name: `demo/inventory::search`. Different items have different ones.
pub fn item_name(db: &dyn Db, item: ItemId) -> String {
    let module = module_text(item.file(db).path(db));
    let (name, ordinal) = (item.name(db), item.ordinal(db));
    if ordinal == 0 { format!("{module}::{name}") } else { format!("{module}::{name}#{ordinal}") }
}

/// The module: its path without extension, below its root if that is not the workspace.
fn module_text(path: &SourcePath) -> String {
    let stem =
        path.path.strip_suffix(".vit").or_else(|| path.path.strip_suffix(".vitl")).unwrap_or(&path.path);
    match path.root.as_str() {
        // A workspace module may be called like a root.
        "" if matches!(stem.split('/').next(), Some("core" | "lib")) || stem.starts_with("pkg:") => {
            format!("./{stem}")
        }
        "" => stem.to_owned(),
        "core" if stem == "prelude" => "core".to_owned(),
        root => format!("{root}/{stem}"),
    }
}
