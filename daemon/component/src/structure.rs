//! Types without their names: two are equal if values of one are values of the other.
use std::fmt::Write;

use wit_parser::{Function, Resolve, Type, TypeDefKind};

/// `func(path: string) -> result<list<record{line: u32}>, string>`: names of records, variants and enums are left out.
pub(crate) fn function_text(resolve: &Resolve, function: &Function) -> String {
    let mut text = "func(".to_owned();
    for (at, param) in function.params.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}: {}", param.name, type_text(resolve, &param.ty));
    }
    text.push(')');
    if let Some(result) = &function.result {
        let _ = write!(text, " -> {}", type_text(resolve, result));
    }
    text
}

/// Types of our own interfaces, which are not recursive.
fn type_text(resolve: &Resolve, ty: &Type) -> String {
    let optional = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), |ty| type_text(resolve, ty));
    let joined = |parts: Vec<String>| parts.join(", ");
    let id = match ty {
        Type::Bool => return "bool".into(),
        Type::U8 => return "u8".into(),
        Type::U16 => return "u16".into(),
        Type::U32 => return "u32".into(),
        Type::U64 => return "u64".into(),
        Type::S8 => return "s8".into(),
        Type::S16 => return "s16".into(),
        Type::S32 => return "s32".into(),
        Type::S64 => return "s64".into(),
        Type::F32 => return "f32".into(),
        Type::F64 => return "f64".into(),
        Type::Char => return "char".into(),
        Type::String => return "string".into(),
        Type::ErrorContext => return "error-context".into(),
        Type::Id(id) => *id,
    };
    let Some(definition) = resolve.types.get(id) else { return "?".into() };
    match &definition.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|field| format!("{}: {}", field.name, type_text(resolve, &field.ty)));
            format!("record{{{}}}", joined(fields.collect()))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| match &case.ty {
                Some(ty) => format!("{}({})", case.name, type_text(resolve, ty)),
                None => case.name.clone(),
            });
            format!("variant{{{}}}", joined(cases.collect()))
        }
        TypeDefKind::Enum(named) => {
            format!("enum{{{}}}", joined(named.cases.iter().map(|case| case.name.clone()).collect()))
        }
        TypeDefKind::Flags(flags) => {
            format!("flags{{{}}}", joined(flags.flags.iter().map(|flag| flag.name.clone()).collect()))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", joined(tuple.types.iter().map(|ty| type_text(resolve, ty)).collect()))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", type_text(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", type_text(resolve, ty)),
        TypeDefKind::Result(result) if result.ok.is_none() && result.err.is_none() => "result".into(),
        TypeDefKind::Result(result) => format!("result<{}, {}>", optional(&result.ok), optional(&result.err)),
        TypeDefKind::Type(ty) => type_text(resolve, ty),
        other => other.as_str().to_owned(),
    }
}
