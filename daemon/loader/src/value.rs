//! Arguments and results as WAVE, the text form of WebAssembly values: `1`, `"text"`, `[1, 2]`,
//! `{name: "x"}`, `some(3)`.
use wasmtime::component::wasm_wave;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::wasm_wave::wasm::{WasmType, WasmTypeKind, WasmValue};

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
