//! Prelude procs that constants may call, by name. Whatever is not here exists at run time only.
use super::arith;
use super::value::ConstValue;
use crate::types::{FloatTy, IntTy, Ty};

fn text(bytes: &[u8]) -> ConstValue {
    ConstValue::Str(bytes.into())
}

fn clamp(at: i128, length: usize) -> usize {
    usize::try_from(at.max(0)).map_or(length, |at| at.min(length))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Evaluates the prelude proc `name`: its result, and its arguments as it left them. `None` if constants may not call it.
pub(super) fn call(
    name: &str,
    mut args: Vec<ConstValue>,
    types: &[Ty],
) -> Option<(ConstValue, Vec<ConstValue>)> {
    let result = match change(name, &mut args) {
        Some(result) => result,
        None => compute(name, &args, types)?,
    };
    Some((result, args))
}

/// Procs that change their first argument in place.
fn change(name: &str, args: &mut [ConstValue]) -> Option<ConstValue> {
    use ConstValue::{List, Str};
    match (name, args) {
        ("list_push", [List(items), item]) => items.push(item.clone()),
        ("list_append", [List(items), List(more)]) => items.append(&mut more.clone()),
        ("list_pop", [List(items), ..]) => {
            return Some(
                items
                    .pop()
                    .map_or(ConstValue::Variant(1, Vec::new()), |item| ConstValue::Variant(0, vec![item])),
            );
        }
        ("string_append", [Str(text), Str(more)]) => *text = [&**text, &**more].concat().into(),
        _ => return None,
    }
    Some(ConstValue::Unit)
}

fn compute(name: &str, args: &[ConstValue], types: &[Ty]) -> Option<ConstValue> {
    use ConstValue::{Bytes, Float, Int, List, Str};
    let truth = |b: bool| Int(i128::from(b));
    Some(match (name, args) {
        ("string_len", [Str(s)]) | ("bytes_len", [Bytes(s)]) => Int(s.len() as i128),
        ("list_len", [List(items)]) => Int(items.len() as i128),
        ("string_is_empty", [Str(s)]) => truth(s.is_empty()),
        ("list_is_empty", [List(items)]) => truth(items.is_empty()),
        ("string_slice", [Str(s), Int(from), Int(to)]) => {
            let (from, to) = (clamp(*from, s.len()), clamp(*to, s.len()));
            text(s.get(from..to).unwrap_or_default())
        }
        ("list_slice", [List(items), Int(from), Int(to)]) => {
            let (from, to) = (clamp(*from, items.len()), clamp(*to, items.len()));
            List(items.get(from..to).unwrap_or_default().to_vec())
        }
        ("string_find", [Str(s), Str(t)]) => Int(find(s, t).map_or(-1, |at| at as i128)),
        ("string_contains", [Str(s), Str(t)]) => truth(find(s, t).is_some()),
        ("string_starts_with", [Str(s), Str(t)]) => truth(s.starts_with(t)),
        ("string_ends_with", [Str(s), Str(t)]) => truth(s.ends_with(t)),
        ("string_trim", [Str(s)]) => {
            let space = |b: &u8| *b == b' ' || (9..=13).contains(b);
            let start = s.iter().position(|b| !space(b)).unwrap_or(s.len());
            let end = s.iter().rposition(|b| !space(b)).map_or(start, |at| at + 1);
            text(&s[start..end])
        }
        ("list_pushed", [List(items), item]) => {
            let mut items = items.clone();
            items.push(item.clone());
            List(items)
        }
        ("bool_to_string", [Int(b)]) => text(if *b != 0 { b"true" } else { b"false" }),
        ("char_to_string", [Int(c)]) => {
            let scalar = u32::try_from(*c).ok().and_then(char::from_u32)?;
            text(scalar.to_string().as_bytes())
        }
        ("int_to_string" | "uint_to_string" | "i128_to_string" | "u128_to_string", [Int(value)]) => {
            let ty = match types {
                [Ty::Int(ty)] => *ty,
                _ => IntTy::I128,
            };
            text(arith::to_text(*value, ty).as_bytes())
        }
        ("f64_to_string" | "f32_to_string", [Float(bits)]) => {
            let single = matches!(types, [Ty::Float(FloatTy::F32)]);
            text(arith::float_text(f64::from_bits(*bits), single).as_bytes())
        }
        _ => return None,
    })
}
