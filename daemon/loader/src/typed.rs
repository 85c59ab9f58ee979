//! Arguments and results as values of the interface language, for callers that have no use for text.
//!
//! Values come without their types, so each is held against the type of the function before any code of the module
//! runs; what does not fit is named by its place, such as ``argument 2, field `size` ``.
use std::fmt;

use wasmtime::component::Val;

use crate::guest::{from_number, to_number};
use crate::interface::{Agreed, FunctionType, Signature, Type};

/// Deepest nesting of values that is passed.
const DEPTH_MAX: usize = 64;

/// A value of the interface language, that of WIT.
///
/// Functions of core modules know only registers: `i32` and `i64` are [`S32`](Self::S32) and [`S64`](Self::S64).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `s8`
    S8(i8),
    /// `u8`
    U8(u8),
    /// `s16`
    S16(i16),
    /// `u16`
    U16(u16),
    /// `s32`
    S32(i32),
    /// `u32`
    U32(u32),
    /// `s64`
    S64(i64),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `char`
    Char(char),
    /// `string`
    String(String),
    /// `list<u8>`. Results of that type always have this form; arguments may also be a [`List`](Self::List).
    Bytes(Vec<u8>),
    /// `list<T>` of another type
    List(Vec<Self>),
    /// `record`: each field once, in any order; fields of an `option` type can be left out.
    Record(Vec<(String, Self)>),
    /// `tuple<…>`
    Tuple(Vec<Self>),
    /// `variant`: the name of the case, and what it carries.
    Variant(String, Option<Box<Self>>),
    /// `enum`: the name of the case.
    Enum(String),
    /// `flags`: the names of those that are set.
    Flags(Vec<String>),
    /// `option<T>`
    Option(Option<Box<Self>>),
    /// `result<T, E>`
    Result(Result<Option<Box<Self>>, Option<Box<Self>>>),
}

impl Value {
    /// What it is, for messages.
    fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::S8(_) => "s8",
            Self::U8(_) => "u8",
            Self::S16(_) => "s16",
            Self::U16(_) => "u16",
            Self::S32(_) => "s32",
            Self::U32(_) => "u32",
            Self::S64(_) => "s64",
            Self::U64(_) => "u64",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::Char(_) => "char",
            Self::String(_) => "string",
            Self::Bytes(_) => "list<u8>",
            Self::List(_) => "list",
            Self::Record(_) => "record",
            Self::Tuple(_) => "tuple",
            Self::Variant(..) => "variant",
            Self::Enum(_) => "enum",
            Self::Flags(_) => "flags",
            Self::Option(_) => "option",
            Self::Result(_) => "result",
        }
    }
}

/// A value does not fit its type.
struct Misfit {
    /// Where in the argument, innermost first.
    inside: Vec<String>,
    what: String,
}

impl Misfit {
    fn new(what: String) -> Self {
        Self { inside: Vec::new(), what }
    }

    fn of(value: &Value, ty: &Type) -> Self {
        // The whole of a large type would hide what is wrong.
        let (ty, dots) = match ty.to_string() {
            ty if ty.chars().count() > 80 => (ty.chars().take(80).collect(), "…"),
            ty => (ty, ""),
        };
        Self::new(format!("a {} was given where {ty}{dots} is wanted", value.kind()))
    }

    fn inside(mut self, place: impl fmt::Display) -> Self {
        self.inside.push(place.to_string());
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.inside.iter().rev() {
            write!(f, "{place}, ")?;
        }
        f.write_str(&self.what)
    }
}

/// Arguments for a function of type `signature`, and the type by which they and its results cross.
///
/// # Errors
/// What does not fit, and where.
pub(crate) fn arguments(signature: &Signature, values: &[Value]) -> Result<(Agreed, Vec<Val>), String> {
    let counted = |wanted: usize| {
        let s = if wanted == 1 { "" } else { "s" };
        if values.len() == wanted {
            Ok(())
        } else {
            Err(format!("it takes {wanted} argument{s}, and {} were given", values.len()))
        }
    };
    match signature {
        Signature::Interface(ty) => {
            counted(ty.params.len())?;
            let each = values.iter().zip(&ty.params).enumerate().map(|(at, (value, (_, ty)))| {
                lower(value, ty, DEPTH_MAX)
                    .map_err(|misfit| misfit.inside(format!("argument {}", at + 1)).to_string())
            });
            let values = each.collect::<Result<_, _>>()?;
            Ok((Agreed::Interface(ty.clone()), values))
        }
        Signature::Registers(registers) => {
            counted(registers.params.len())?;
            let each = values.iter().zip(&registers.params).enumerate().map(|(at, (value, ty))| {
                register(value)
                    .filter(|register| from_number(register).is_some_and(|it| it.ty() == *ty))
                    .ok_or_else(|| {
                        format!("argument {}, a {} was given where {ty} is wanted", at + 1, value.kind())
                    })
            });
            let values = each.collect::<Result<_, _>>()?;
            Ok((Agreed::Numbers, values))
        }
        Signature::Foreign(_) => Err("its values belong to the module and cannot be passed".to_owned()),
    }
}

/// The one argument of a function that takes bytes or text and gives one of them, if that is what it is called with:
/// those go a way of their own, which is a thousand times as fast.
pub(crate) fn as_bytes<'a>(signature: &Signature, values: &'a [Value]) -> Option<&'a [u8]> {
    let Signature::Interface(FunctionType { params, result: Some(result) }) = signature else { return None };
    let ([(_, param)], [value]) = (params.as_slice(), values) else { return None };
    if !(is_bytes(result) || *result == Type::String) {
        return None;
    }
    match (param, value) {
        (Type::String, Value::String(text)) => Some(text.as_bytes()),
        (param, Value::Bytes(bytes)) if is_bytes(param) => Some(bytes),
        _ => None,
    }
}

/// The result of such a function.
///
/// # Errors
/// When a text is none.
pub(crate) fn of_bytes(signature: &Signature, bytes: Vec<u8>) -> Result<Value, String> {
    match signature {
        Signature::Interface(FunctionType { result: Some(Type::String), .. }) => {
            String::from_utf8(bytes).map(Value::String).map_err(|_| crate::call::NOT_UTF8.to_owned())
        }
        Signature::Interface(_) | Signature::Registers(_) | Signature::Foreign(_) => Ok(Value::Bytes(bytes)),
    }
}

/// What a function gave.
///
/// # Errors
/// When that is of another type, which only a fault of ours can bring about.
pub(crate) fn results(agreed: &Agreed, values: Vec<Val>) -> Result<Vec<Value>, String> {
    let each = match agreed {
        Agreed::Numbers => values.iter().map(number).collect::<Option<Vec<Value>>>(),
        Agreed::Interface(ty) => values
            .into_iter()
            .map(|value| ty.result.as_ref().and_then(|ty| lift(value, ty)))
            .collect::<Option<Vec<Value>>>(),
    };
    each.ok_or_else(|| "it gave a value of another type".to_owned())
}

fn is_bytes(ty: &Type) -> bool {
    matches!(ty, Type::List(item) if **item == Type::U8)
}

/// A number for a register.
fn register(value: &Value) -> Option<Val> {
    let value = match value {
        Value::S32(value) => Val::S32(*value),
        Value::S64(value) => Val::S64(*value),
        Value::F32(value) => Val::Float32(*value),
        Value::F64(value) => Val::Float64(*value),
        _ => return None,
    };
    from_number(&value).map(to_number)
}

/// The other way.
fn number(value: &Val) -> Option<Value> {
    match *value {
        Val::S32(value) => Some(Value::S32(value)),
        Val::S64(value) => Some(Value::S64(value)),
        Val::Float32(value) => Some(Value::F32(value)),
        Val::Float64(value) => Some(Value::F64(value)),
        _ => None,
    }
}

/// `value` as the engine has values of type `ty`. `depth` bounds the recursion.
fn lower(value: &Value, ty: &Type, depth: usize) -> Result<Val, Misfit> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Misfit::new(format!("values nest deeper than {DEPTH_MAX}")));
    };
    let payload = |value: &Option<Box<Value>>, ty: Option<&Type>, case: &str| match (value, ty) {
        (Some(value), Some(ty)) => lower(value, ty, depth)
            .map(|value| Some(Box::new(value)))
            .map_err(|misfit| misfit.inside(format!("case `{case}`"))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Misfit::new(format!("case `{case}` carries nothing"))),
        (None, Some(ty)) => Err(Misfit::new(format!("case `{case}` has to carry {ty}"))),
    };
    let no_case = |case: &str| Misfit::new(format!("there is no case `{}`", shown(case)));
    Ok(match (ty, value) {
        (Type::Bool, Value::Bool(value)) => Val::Bool(*value),
        (Type::S8, Value::S8(value)) => Val::S8(*value),
        (Type::U8, Value::U8(value)) => Val::U8(*value),
        (Type::S16, Value::S16(value)) => Val::S16(*value),
        (Type::U16, Value::U16(value)) => Val::U16(*value),
        (Type::S32, Value::S32(value)) => Val::S32(*value),
        (Type::U32, Value::U32(value)) => Val::U32(*value),
        (Type::S64, Value::S64(value)) => Val::S64(*value),
        (Type::U64, Value::U64(value)) => Val::U64(*value),
        (Type::F32, Value::F32(value)) => Val::Float32(*value),
        (Type::F64, Value::F64(value)) => Val::Float64(*value),
        (Type::Char, Value::Char(value)) => Val::Char(*value),
        (Type::String, Value::String(text)) => Val::String(text.clone()),
        (ty, Value::Bytes(bytes)) if is_bytes(ty) => Val::List(bytes.iter().copied().map(Val::U8).collect()),
        (Type::List(ty), Value::List(values)) => {
            let each = values.iter().enumerate().map(|(at, value)| {
                lower(value, ty, depth).map_err(|misfit| misfit.inside(format!("item {}", at + 1)))
            });
            Val::List(each.collect::<Result<_, _>>()?)
        }
        (Type::Record(fields), Value::Record(given)) => Val::Record(record(fields, given, depth)?),
        (Type::Tuple(types), Value::Tuple(values)) => {
            if types.len() != values.len() {
                return Err(Misfit::new(format!(
                    "a tuple of {} was given where one of {} is wanted",
                    values.len(),
                    types.len()
                )));
            }
            let each = values.iter().zip(types).enumerate().map(|(at, (value, ty))| {
                lower(value, ty, depth).map_err(|misfit| misfit.inside(format!("item {}", at + 1)))
            });
            Val::Tuple(each.collect::<Result<_, _>>()?)
        }
        (Type::Variant(cases), Value::Variant(case, value)) => {
            let (_, ty) = cases.iter().find(|(name, _)| name == case).ok_or_else(|| no_case(case))?;
            Val::Variant(case.clone(), payload(value, ty.as_ref(), case)?)
        }
        (Type::Enum(cases), Value::Enum(case)) => {
            if !cases.contains(case) {
                return Err(no_case(case));
            }
            Val::Enum(case.clone())
        }
        (Type::Flags(names), Value::Flags(set)) => {
            for (at, name) in set.iter().enumerate() {
                if !names.contains(name) {
                    return Err(Misfit::new(format!("there is no flag `{}`", shown(name))));
                }
                if set.iter().take(at).any(|before| before == name) {
                    return Err(Misfit::new(format!("flag `{name}` is there twice")));
                }
            }
            Val::Flags(set.clone())
        }
        (Type::Option(ty), Value::Option(value)) => {
            Val::Option(payload(value, value.is_some().then_some(&**ty), "some")?)
        }
        (Type::Result { ok, .. }, Value::Result(Ok(value))) => {
            Val::Result(Ok(payload(value, ok.as_deref(), "ok")?))
        }
        (Type::Result { err, .. }, Value::Result(Err(value))) => {
            Val::Result(Err(payload(value, err.as_deref(), "err")?))
        }
        (ty, value) => return Err(Misfit::of(value, ty)),
    })
}

/// The fields of a record in the order of its type.
fn record(
    fields: &[(String, Type)],
    given: &[(String, Value)],
    depth: usize,
) -> Result<Vec<(String, Val)>, Misfit> {
    for (at, (name, _)) in given.iter().enumerate() {
        if !fields.iter().any(|(field, _)| field == name) {
            return Err(Misfit::new(format!("there is no field `{}`", shown(name))));
        }
        if given.iter().take(at).any(|(before, _)| before == name) {
            return Err(Misfit::new(format!("field `{name}` is there twice")));
        }
    }
    let each = fields.iter().map(|(name, ty)| {
        let value = match (given.iter().find(|(given, _)| given == name), ty) {
            (Some((_, value)), ty) => {
                lower(value, ty, depth).map_err(|misfit| misfit.inside(format!("field `{name}`")))?
            }
            (None, Type::Option(_)) => Val::Option(None),
            (None, _) => return Err(Misfit::new(format!("field `{name}` is missing"))),
        };
        Ok((name.clone(), value))
    });
    each.collect()
}

/// A name that a caller gave, not too long for a message.
fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

/// The other way; `None` if it is of another type.
fn lift(value: Val, ty: &Type) -> Option<Value> {
    let payload = |value: Option<Box<Val>>, ty: Option<&Type>| match (value, ty) {
        (Some(value), Some(ty)) => Some(Some(Box::new(lift(*value, ty)?))),
        (None, None) => Some(None),
        (Some(_), None) | (None, Some(_)) => None,
    };
    Some(match (ty, value) {
        (Type::Bool, Val::Bool(value)) => Value::Bool(value),
        (Type::S8, Val::S8(value)) => Value::S8(value),
        (Type::U8, Val::U8(value)) => Value::U8(value),
        (Type::S16, Val::S16(value)) => Value::S16(value),
        (Type::U16, Val::U16(value)) => Value::U16(value),
        (Type::S32, Val::S32(value)) => Value::S32(value),
        (Type::U32, Val::U32(value)) => Value::U32(value),
        (Type::S64, Val::S64(value)) => Value::S64(value),
        (Type::U64, Val::U64(value)) => Value::U64(value),
        (Type::F32, Val::Float32(value)) => Value::F32(value),
        (Type::F64, Val::Float64(value)) => Value::F64(value),
        (Type::Char, Val::Char(value)) => Value::Char(value),
        (Type::String, Val::String(text)) => Value::String(text),
        (ty, Val::List(values)) if is_bytes(ty) => {
            let bytes = values.into_iter().map(|value| match value {
                Val::U8(byte) => Some(byte),
                _ => None,
            });
            Value::Bytes(bytes.collect::<Option<_>>()?)
        }
        (Type::List(ty), Val::List(values)) => {
            Value::List(values.into_iter().map(|value| lift(value, ty)).collect::<Option<_>>()?)
        }
        (Type::Record(fields), Val::Record(values)) if fields.len() == values.len() => {
            let each =
                values.into_iter().zip(fields).map(|((name, value), (_, ty))| Some((name, lift(value, ty)?)));
            Value::Record(each.collect::<Option<_>>()?)
        }
        (Type::Tuple(types), Val::Tuple(values)) if types.len() == values.len() => {
            let each = values.into_iter().zip(types).map(|(value, ty)| lift(value, ty));
            Value::Tuple(each.collect::<Option<_>>()?)
        }
        (Type::Variant(cases), Val::Variant(case, value)) => {
            let (_, ty) = cases.iter().find(|(name, _)| *name == case)?;
            Value::Variant(case, payload(value, ty.as_ref())?)
        }
        (Type::Enum(_), Val::Enum(case)) => Value::Enum(case),
        (Type::Flags(_), Val::Flags(set)) => Value::Flags(set),
        (Type::Option(ty), Val::Option(value)) => {
            let ty = value.is_some().then_some(&**ty);
            Value::Option(payload(value, ty)?)
        }
        (Type::Result { ok, .. }, Val::Result(Ok(value))) => {
            Value::Result(Ok(payload(value, ok.as_deref())?))
        }
        (Type::Result { err, .. }, Val::Result(Err(value))) => {
            Value::Result(Err(payload(value, err.as_deref())?))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::interface::Registers;
    use vitte_bytecode::ValueType;

    fn function(ty: Type) -> Signature {
        let params = vec![("x".to_owned(), ty.clone())];
        Signature::Interface(FunctionType { params, result: Some(ty) })
    }

    fn boxed(value: Value) -> Option<Box<Value>> {
        Some(Box::new(value))
    }

    #[test]
    fn every_kind_crosses_and_comes_back() {
        let record = || {
            Type::Record(vec![
                ("size".to_owned(), Type::U16),
                ("note".to_owned(), Type::Option(Box::new(Type::String))),
            ])
        };
        let result = || Type::Result { ok: Some(Box::new(Type::F64)), err: None };
        let cases = vec![
            (Type::Bool, Value::Bool(true)),
            (Type::S8, Value::S8(-8)),
            (Type::U8, Value::U8(8)),
            (Type::S16, Value::S16(-16)),
            (Type::U16, Value::U16(16)),
            (Type::S32, Value::S32(-32)),
            (Type::U32, Value::U32(32)),
            (Type::S64, Value::S64(i64::MIN)),
            (Type::U64, Value::U64(u64::MAX)),
            (Type::F32, Value::F32(1.5)),
            (Type::F64, Value::F64(-0.0)),
            (Type::Char, Value::Char('é')),
            (Type::String, Value::String("text".into())),
            (Type::List(Box::new(Type::U8)), Value::Bytes(vec![0, 255])),
            (Type::List(Box::new(Type::U16)), Value::List(vec![Value::U16(1), Value::U16(2)])),
            (Type::Tuple(vec![Type::Bool, Type::U8]), Value::Tuple(vec![Value::Bool(false), Value::U8(1)])),
            (Type::Enum(vec!["a".into(), "b".into()]), Value::Enum("b".into())),
            (Type::Flags(vec!["r".into(), "w".into()]), Value::Flags(vec!["w".into()])),
            (
                Type::Variant(vec![("none".into(), None), ("some".into(), Some(record()))]),
                Value::Variant(
                    "some".into(),
                    boxed(Value::Record(vec![
                        ("size".into(), Value::U16(7)),
                        ("note".into(), Value::Option(boxed(Value::String("n".into())))),
                    ])),
                ),
            ),
            (Type::Option(Box::new(Type::U8)), Value::Option(None)),
            (result(), Value::Result(Ok(boxed(Value::F64(2.0))))),
            (result(), Value::Result(Err(None))),
        ];
        for (ty, value) in cases {
            let signature = function(ty.clone());
            let (agreed, values) = arguments(&signature, std::slice::from_ref(&value)).unwrap();
            assert_eq!(results(&agreed, values).unwrap(), [value], "{ty}");
        }
    }

    #[test]
    fn fields_come_in_any_order_and_optional_ones_may_be_left_out() {
        let ty = Type::Record(vec![
            ("a".into(), Type::U8),
            ("b".into(), Type::Bool),
            ("c".into(), Type::Option(Box::new(Type::U8))),
        ]);
        let given = Value::Record(vec![("b".into(), Value::Bool(true)), ("a".into(), Value::U8(1))]);
        let (agreed, values) = arguments(&function(ty), &[given]).unwrap();
        let Value::Record(fields) = results(&agreed, values).unwrap().remove(0) else { unreachable!() };
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        let list = Type::List(Box::new(Type::Record(vec![("size".into(), Type::U32)])));
        let wrong = |ty: Type, value: Value| arguments(&function(ty), &[value]).unwrap_err();
        let record = |name: &str, value: Value| Value::Record(vec![(name.into(), value)]);
        let of = |value: Value| Value::List(vec![record("size", Value::U32(1)), value]);
        assert_eq!(
            wrong(list.clone(), of(record("size", Value::String("7".into())))),
            "argument 1, item 2, field `size`, a string was given where u32 is wanted"
        );
        assert_eq!(
            wrong(list.clone(), of(record("sise", Value::U32(1)))),
            "argument 1, item 2, there is no field `sise`"
        );
        assert_eq!(wrong(list, of(Value::Record(vec![]))), "argument 1, item 2, field `size` is missing");
        let flags = Type::Flags(vec!["r".into()]);
        assert!(wrong(flags.clone(), Value::Flags(vec!["x".into()])).contains("no flag `x`"));
        assert!(wrong(flags, Value::Flags(vec!["r".into(), "r".into()])).contains("twice"));
        let choice = Type::Variant(vec![("none".into(), None), ("some".into(), Some(Type::U8))]);
        for (case, value, words) in [
            ("other", None, "no case `other`"),
            ("none", boxed(Value::U8(1)), "carries nothing"),
            ("some", None, "has to carry u8"),
            ("some", boxed(Value::Bool(true)), "case `some`, a bool was given where u8"),
        ] {
            let message = wrong(choice.clone(), Value::Variant(case.into(), value));
            assert!(message.contains(words), "{message}");
        }
        assert!(wrong(Type::Tuple(vec![Type::U8]), Value::Tuple(vec![])).contains("a tuple of 0"));
        let none: Vec<Value> = Vec::new();
        assert!(arguments(&function(Type::U8), &none).unwrap_err().contains("takes 1 argument, and 0"));
    }

    #[test]
    fn nesting_is_bounded() {
        let (mut ty, mut value) = (Type::U8, Value::U8(1));
        for _ in 0..DEPTH_MAX {
            (ty, value) = (Type::Option(Box::new(ty)), Value::Option(boxed(value)));
        }
        assert!(arguments(&function(ty), &[value]).unwrap_err().contains("nest deeper"));
    }

    #[test]
    fn registers_take_numbers_alone() {
        let registers = Registers {
            params: vec![ValueType::I32, ValueType::F64],
            results: vec![ValueType::I64],
            is_wide: false,
        };
        let signature = Signature::Registers(registers);
        let (agreed, values) = arguments(&signature, &[Value::S32(-1), Value::F64(2.5)]).unwrap();
        assert_eq!(results(&agreed, values).unwrap(), [Value::S32(-1), Value::F64(2.5)]);
        for wrong in [Value::U32(1), Value::S64(1), Value::String("1".into())] {
            let message = arguments(&signature, &[wrong, Value::F64(2.5)]).unwrap_err();
            assert!(message.contains("i32 is wanted"), "{message}");
        }
    }
}
