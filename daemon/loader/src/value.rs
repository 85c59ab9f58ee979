//! Arguments and results as WAVE, the text form of WebAssembly values: `1`, `"text"`, `[1, 2]`,
//! `{name: "x"}`, `some(3)`.
use wasmtime::component::Val as ComponentVal;
use wasmtime::component::wasm_wave;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::wasm_wave::value::{Type as WaveType, Value as Wave};
use wasmtime::component::wasm_wave::wasm::{WasmType, WasmTypeKind, WasmValue};

use crate::interface::{FunctionType, Type};

/// Longest text of the arguments of a call, in bytes.
pub(crate) const TEXT_MAX: usize = 16 << 20;
/// Deepest nesting of values; the parser and the types are recursive.
const DEPTH_MAX: usize = 64;

/// Splits `name(arguments)` before its first parenthesis; without one there are no arguments.
///
/// ```
/// assert_eq!(vitte_loader::split_call("add(1, 2)"), ("add", "(1, 2)"));
/// assert_eq!(vitte_loader::split_call("now"), ("now", "()"));
/// ```
pub fn split_call(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.find('(') {
        Some(at) => {
            let (name, arguments) = text.split_at(at);
            (name.trim_end(), arguments)
        }
        None => (text, "()"),
    }
}

/// Why a type has no text form, if it has none.
pub(crate) fn obstacle<T: WasmType>(ty: &T) -> Option<String> {
    fn below<T: WasmType>(ty: &T, depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return Some(format!("its types nest deeper than {DEPTH_MAX}"));
        }
        let inside = |ty: T| below(&ty, depth + 1);
        match ty.kind() {
            WasmTypeKind::Bool
            | WasmTypeKind::S8
            | WasmTypeKind::S16
            | WasmTypeKind::S32
            | WasmTypeKind::S64
            | WasmTypeKind::U8
            | WasmTypeKind::U16
            | WasmTypeKind::U32
            | WasmTypeKind::U64
            | WasmTypeKind::F32
            | WasmTypeKind::F64
            | WasmTypeKind::Char
            | WasmTypeKind::String
            | WasmTypeKind::Enum
            | WasmTypeKind::Flags => None,
            WasmTypeKind::List | WasmTypeKind::FixedLengthList => ty.list_element_type().and_then(inside),
            WasmTypeKind::Record => ty.record_fields().find_map(|(_, field)| inside(field)),
            WasmTypeKind::Tuple => ty.tuple_element_types().find_map(inside),
            WasmTypeKind::Variant => ty.variant_cases().filter_map(|(_, payload)| payload).find_map(inside),
            WasmTypeKind::Option => ty.option_some_type().and_then(inside),
            WasmTypeKind::Result => {
                let (ok, error) = ty.result_types()?;
                ok.and_then(inside).or_else(|| error.and_then(inside))
            }
            // The enumeration is not ours: resources, streams and references come here, and what is new.
            _ => Some("its values have no text form".to_owned()),
        }
    }
    below(ty, 0)
}

/// The arguments in `text`, such as `(1, "x")`, as values of `types`.
///
/// # Errors
/// What is wrong, and at which character of `text`.
pub(crate) fn parse<V: WasmValue + 'static>(types: &[V::Type], text: &str) -> Result<Vec<V>, String> {
    if text.len() > TEXT_MAX {
        return Err(format!("the text has {} bytes; at most {TEXT_MAX} are read", text.len()));
    }
    if depth(text) > DEPTH_MAX {
        return Err(format!("the values nest deeper than {DEPTH_MAX}"));
    }
    // The parser wants a function in front.
    let call = format!("f{text}");
    let describe = |error: wasm_wave::parser::ParserError| {
        let at = error.span().start.saturating_sub(1).min(text.len());
        let at = text.char_indices().take_while(|(index, _)| *index < at).count() + 1;
        // The place that it gives is one of bytes, and of the text with the function in front.
        let message = error.to_string();
        let message = message.rsplit_once(" at ").map_or(message.as_str(), |(what, _)| what);
        format!("{message} at character {at}")
    };
    let call = UntypedFuncCall::parse(&call).map_err(describe)?;
    call.to_wasm_params::<V>(types).map_err(describe)
}

/// How deeply brackets outside of quotes nest; more than there really are where the text is malformed.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quote, mut escaped) = (None, false);
    for c in text.chars() {
        if let Some(mark) = quote {
            if c == mark && !escaped {
                quote = None;
            }
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The arguments in `text` for a function of type `ty`.
///
/// # Errors
/// What is wrong, and at which character of `text`.
pub(crate) fn parse_interface(ty: &FunctionType, text: &str) -> Result<Vec<ComponentVal>, String> {
    let too_large = || "its types are too large".to_owned();
    let types: Option<Vec<WaveType>> = ty.params.iter().map(|(_, ty)| wave_type(ty)).collect();
    let values: Vec<Wave> = parse(&types.ok_or_else(too_large)?, text)?;
    let values = values.iter().zip(&ty.params).map(|(value, (_, ty))| from_wave(value, ty));
    values.collect::<Option<_>>().ok_or_else(|| "a value is of another type".to_owned())
}

/// A type as the text form knows it; `None` for an empty record or choice, which it has not.
pub(crate) fn wave_type(ty: &Type) -> Option<WaveType> {
    Some(match ty {
        Type::Bool => WaveType::BOOL,
        Type::S8 => WaveType::S8,
        Type::U8 => WaveType::U8,
        Type::S16 => WaveType::S16,
        Type::U16 => WaveType::U16,
        Type::S32 => WaveType::S32,
        Type::U32 => WaveType::U32,
        Type::S64 => WaveType::S64,
        Type::U64 => WaveType::U64,
        Type::F32 => WaveType::F32,
        Type::F64 => WaveType::F64,
        Type::Char => WaveType::CHAR,
        Type::String => WaveType::STRING,
        Type::List(ty) => WaveType::list(wave_type(ty)?),
        Type::Record(fields) => {
            let fields = fields.iter().map(|(name, ty)| Some((name.as_str(), wave_type(ty)?)));
            WaveType::record(fields.collect::<Option<Vec<_>>>()?)?
        }
        Type::Tuple(types) => WaveType::tuple(types.iter().map(wave_type).collect::<Option<Vec<_>>>()?)?,
        Type::Variant(cases) => {
            let cases = cases.iter().map(|(name, ty)| {
                let payload = match ty {
                    Some(ty) => Some(wave_type(ty)?),
                    None => None,
                };
                Some((name.as_str(), payload))
            });
            WaveType::variant(cases.collect::<Option<Vec<_>>>()?)?
        }
        Type::Enum(cases) => WaveType::enum_ty(cases.iter().map(String::as_str))?,
        Type::Flags(flags) => WaveType::flags(flags.iter().map(String::as_str))?,
        Type::Option(ty) => WaveType::option(wave_type(ty)?),
        Type::Result { ok, err } => {
            let side = |ty: &Option<Box<Type>>| match ty {
                Some(ty) => wave_type(ty).map(Some),
                None => Some(None),
            };
            WaveType::result(side(ok)?, side(err)?)
        }
    })
}

/// A value of type `ty`; `None` if it is of another.
fn from_wave(value: &Wave, ty: &Type) -> Option<ComponentVal> {
    let payload = |value: Option<std::borrow::Cow<'_, Wave>>, ty: Option<&Type>| match (value, ty) {
        (Some(value), Some(ty)) => Some(Some(Box::new(from_wave(&value, ty)?))),
        (None, None) => Some(None),
        (Some(_), None) | (None, Some(_)) => None,
    };
    Some(match ty {
        Type::Bool => ComponentVal::Bool(value.unwrap_bool()),
        Type::S8 => ComponentVal::S8(value.unwrap_s8()),
        Type::U8 => ComponentVal::U8(value.unwrap_u8()),
        Type::S16 => ComponentVal::S16(value.unwrap_s16()),
        Type::U16 => ComponentVal::U16(value.unwrap_u16()),
        Type::S32 => ComponentVal::S32(value.unwrap_s32()),
        Type::U32 => ComponentVal::U32(value.unwrap_u32()),
        Type::S64 => ComponentVal::S64(value.unwrap_s64()),
        Type::U64 => ComponentVal::U64(value.unwrap_u64()),
        Type::F32 => ComponentVal::Float32(value.unwrap_f32()),
        Type::F64 => ComponentVal::Float64(value.unwrap_f64()),
        Type::Char => ComponentVal::Char(value.unwrap_char()),
        Type::String => ComponentVal::String(value.unwrap_string().into_owned()),
        Type::List(ty) => {
            ComponentVal::List(value.unwrap_list().map(|value| from_wave(&value, ty)).collect::<Option<_>>()?)
        }
        Type::Record(fields) => ComponentVal::Record(
            value
                .unwrap_record()
                .zip(fields)
                .map(|((_, value), (name, ty))| Some((name.clone(), from_wave(&value, ty)?)))
                .collect::<Option<_>>()?,
        ),
        Type::Tuple(types) => ComponentVal::Tuple(
            value
                .unwrap_tuple()
                .zip(types)
                .map(|(value, ty)| from_wave(&value, ty))
                .collect::<Option<_>>()?,
        ),
        Type::Variant(cases) => {
            let (name, value) = value.unwrap_variant();
            let (_, ty) = cases.iter().find(|(case, _)| *case == *name)?;
            ComponentVal::Variant(name.into_owned(), payload(value, ty.as_ref())?)
        }
        Type::Enum(_) => ComponentVal::Enum(value.unwrap_enum().into_owned()),
        Type::Flags(_) => ComponentVal::Flags(value.unwrap_flags().map(|name| name.into_owned()).collect()),
        Type::Option(ty) => {
            let value = value.unwrap_option();
            let ty = value.is_some().then_some(&**ty);
            ComponentVal::Option(payload(value, ty)?)
        }
        Type::Result { ok, err } => match value.unwrap_result() {
            Ok(value) => ComponentVal::Result(Ok(payload(value, ok.as_deref())?)),
            Err(value) => ComponentVal::Result(Err(payload(value, err.as_deref())?)),
        },
    })
}

/// Bytes as the one argument of a function that takes bytes or text, and gives one of them.
///
/// # Errors
/// Why the function cannot be called so.
pub(crate) fn of_bytes(ty: &FunctionType, bytes: &[u8]) -> Result<ComponentVal, String> {
    let list = Type::List(Box::new(Type::U8));
    let is_bytes = |ty: &Type| *ty == Type::String || *ty == list;
    match (ty.params.as_slice(), &ty.result) {
        ([(_, Type::String)], Some(result)) if is_bytes(result) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(ComponentVal::String(text.to_owned())),
            Err(_) => Err(crate::call::NOT_UTF8.to_owned()),
        },
        ([(_, param)], Some(result)) if is_bytes(param) && is_bytes(result) => {
            Ok(ComponentVal::List(bytes.iter().copied().map(ComponentVal::U8).collect()))
        }
        _ => Err(crate::call::NOT_BYTES.to_owned()),
    }
}

/// The result of such a function as bytes.
///
/// # Errors
/// When it is neither bytes nor text.
pub(crate) fn to_bytes(result: Option<ComponentVal>) -> Result<Vec<u8>, String> {
    let unfit = || crate::call::NOT_BYTES.to_owned();
    match result {
        Some(ComponentVal::String(text)) => Ok(text.into_bytes()),
        Some(ComponentVal::List(values)) => {
            let bytes = values.into_iter().map(|value| match value {
                ComponentVal::U8(byte) => Some(byte),
                _ => None,
            });
            bytes.collect::<Option<_>>().ok_or_else(unfit)
        }
        _ => Err(unfit()),
    }
}

/// Results as text: nothing, a value, or several in parentheses.
///
/// # Errors
/// When a value has no text form, which [`obstacle`] would have told of its type.
pub(crate) fn render<V: WasmValue>(values: &[V]) -> Result<String, String> {
    let texts = values
        .iter()
        .map(|value| wasm_wave::to_string(value).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(match texts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wasmtime::{Val, ValType};

    #[test]
    fn core_values_round_trip() {
        let types = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
        let values: Vec<Val> = parse(&types, "(-1, 9223372036854775807, 1.5, nan)").unwrap();
        assert_eq!(render(&values).unwrap(), "(-1, 9223372036854775807, 1.5, nan)");
        assert_eq!(render::<Val>(&[]).unwrap(), "");
        assert_eq!(render(&values[..1]).unwrap(), "-1");
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let wrong = |text: &str| parse::<Val>(&[ValType::I32, ValType::I32], text).unwrap_err();
        assert!(wrong("(1, \"x\")").ends_with("at character 5"), "{}", wrong("(1, \"x\")"));
        for text in ["", "(1)", "(1, 2, 3)", "(1, 2", "(1, 4294967296)", "1, 2", "(1, 2) 3"] {
            assert!(!wrong(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_before_anything_recurses() {
        let deep = format!("({}1{})", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert!(parse::<Val>(&[ValType::I32], &deep).unwrap_err().contains("nest"));
        assert_eq!(depth(r#"("((((\"((", '(')"#), 1);
    }
}
