//! Values of the interface language as messages, and back: the one place where both are known.
use vitte_loader::Value;
use vitte_proto::v1;
use vitte_proto::v1::value::Kind;

/// The values that messages stand for.
///
/// # Errors
/// Which one stands for none, and why.
pub(crate) fn from_messages(values: v1::Values) -> Result<Vec<Value>, String> {
    let each = values.values.into_iter().enumerate();
    each.map(|(at, value)| from_message(value).map_err(|why| format!("argument {}, {why}", at + 1))).collect()
}

/// Values as messages.
pub(crate) fn to_messages(values: Vec<Value>) -> v1::Values {
    v1::Values { values: values.into_iter().map(to_message).collect() }
}

/// The value that a message stands for. The recursion is no deeper than the messages nest, which the decoder bounds.
fn from_message(message: v1::Value) -> Result<Value, String> {
    let list = |values: Vec<v1::Value>| {
        let each = values.into_iter().enumerate();
        each.map(|(at, value)| from_message(value).map_err(|why| format!("item {}, {why}", at + 1)))
            .collect::<Result<Vec<Value>, String>>()
    };
    let payload =
        |value: Option<Box<v1::Value>>| value.map(|value| from_message(*value).map(Box::new)).transpose();
    let Some(kind) = message.kind else { return Err("a value without a kind was given".to_owned()) };
    Ok(match kind {
        Kind::BoolValue(value) => Value::Bool(value),
        Kind::S8(value) => Value::S8(narrow(value, "s8")?),
        Kind::U8(value) => Value::U8(narrow(value, "u8")?),
        Kind::S16(value) => Value::S16(narrow(value, "s16")?),
        Kind::U16(value) => Value::U16(narrow(value, "u16")?),
        Kind::S32(value) => Value::S32(value),
        Kind::U32(value) => Value::U32(value),
        Kind::S64(value) => Value::S64(value),
        Kind::U64(value) => Value::U64(value),
        Kind::F32(value) => Value::F32(value),
        Kind::F64(value) => Value::F64(value),
        Kind::CharValue(value) => {
            Value::Char(char::from_u32(value).ok_or_else(|| format!("{value} is no Unicode scalar value"))?)
        }
        Kind::StringValue(text) => Value::String(text),
        Kind::BytesValue(bytes) => Value::Bytes(bytes.into()),
        Kind::List(v1::ListValue { values }) => Value::List(list(values)?),
        Kind::Record(v1::RecordValue { fields }) => {
            let each = fields.into_iter().map(|v1::FieldValue { name, value }| {
                let value = from_message(value.unwrap_or_default());
                value.map_err(|why| format!("field `{name}`, {why}")).map(|value| (name, value))
            });
            Value::Record(each.collect::<Result<_, _>>()?)
        }
        Kind::Tuple(v1::TupleValue { values }) => Value::Tuple(list(values)?),
        Kind::Variant(variant) => {
            let v1::VariantValue { name, value } = *variant;
            Value::Variant(name, payload(value)?)
        }
        Kind::EnumValue(name) => Value::Enum(name),
        Kind::Flags(v1::FlagsValue { names }) => Value::Flags(names),
        Kind::Option(option) => Value::Option(payload(option.value)?),
        Kind::Result(result) => {
            let v1::ResultValue { is_error, value } = *result;
            let value = payload(value)?;
            Value::Result(if is_error { Err(value) } else { Ok(value) })
        }
    })
}

/// A value as a message.
pub(crate) fn to_message(value: Value) -> v1::Value {
    let payload = |value: Option<Box<Value>>| value.map(|value| Box::new(to_message(*value)));
    let kind = match value {
        Value::Bool(value) => Kind::BoolValue(value),
        Value::S8(value) => Kind::S8(value.into()),
        Value::U8(value) => Kind::U8(value.into()),
        Value::S16(value) => Kind::S16(value.into()),
        Value::U16(value) => Kind::U16(value.into()),
        Value::S32(value) => Kind::S32(value),
        Value::U32(value) => Kind::U32(value),
        Value::S64(value) => Kind::S64(value),
        Value::U64(value) => Kind::U64(value),
        Value::F32(value) => Kind::F32(value),
        Value::F64(value) => Kind::F64(value),
        Value::Char(value) => Kind::CharValue(value.into()),
        Value::String(text) => Kind::StringValue(text),
        Value::Bytes(bytes) => Kind::BytesValue(bytes.into()),
        Value::List(values) => {
            Kind::List(v1::ListValue { values: values.into_iter().map(to_message).collect() })
        }
        Value::Record(fields) => {
            let field = |(name, value)| v1::FieldValue { name, value: Some(to_message(value)) };
            Kind::Record(v1::RecordValue { fields: fields.into_iter().map(field).collect() })
        }
        Value::Tuple(values) => {
            Kind::Tuple(v1::TupleValue { values: values.into_iter().map(to_message).collect() })
        }
        Value::Variant(name, value) => {
            Kind::Variant(Box::new(v1::VariantValue { name, value: payload(value) }))
        }
        Value::Enum(name) => Kind::EnumValue(name),
        Value::Flags(names) => Kind::Flags(v1::FlagsValue { names }),
        Value::Option(value) => Kind::Option(Box::new(v1::OptionValue { value: payload(value) })),
        Value::Result(result) => {
            let is_error = result.is_err();
            let value = match result {
                Ok(value) | Err(value) => payload(value),
            };
            Kind::Result(Box::new(v1::ResultValue { is_error, value }))
        }
    };
    v1::Value { kind: Some(kind) }
}

/// A number that the wire carries in 32 bits.
fn narrow<W: Copy + std::fmt::Display, N: TryFrom<W>>(value: W, name: &str) -> Result<N, String> {
    N::try_from(value).map_err(|_| format!("{value} is out of the range of {name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_kind_crosses_and_comes_back() {
        let some = |value: Value| Some(Box::new(value));
        let values = vec![
            Value::Bool(true),
            Value::S8(-128),
            Value::U8(255),
            Value::S16(-32768),
            Value::U16(65535),
            Value::S32(i32::MIN),
            Value::U32(u32::MAX),
            Value::S64(i64::MIN),
            Value::U64(u64::MAX),
            Value::F32(-0.5),
            Value::F64(f64::INFINITY),
            Value::Char('\u{10ffff}'),
            Value::String("é".into()),
            Value::Bytes(vec![0, 255]),
            Value::List(vec![Value::U8(1)]),
            Value::Record(vec![("a".into(), Value::Tuple(vec![Value::Bool(false)]))]),
            Value::Variant("v".into(), some(Value::Enum("e".into()))),
            Value::Variant("v".into(), None),
            Value::Flags(vec!["f".into()]),
            Value::Option(None),
            Value::Option(some(Value::Option(None))),
            Value::Result(Ok(None)),
            Value::Result(Err(some(Value::U8(1)))),
        ];
        let sent = prost::Message::encode_to_vec(&to_messages(values.clone()));
        let received = <v1::Values as prost::Message>::decode(sent.as_slice()).unwrap();
        assert_eq!(from_messages(received).unwrap(), values);
    }

    #[test]
    fn what_stands_for_no_value_is_named_by_its_place() {
        let wrong = |kind: Option<Kind>| {
            let inner = v1::Value { kind };
            let list = Kind::List(v1::ListValue { values: vec![inner] });
            from_messages(v1::Values { values: vec![v1::Value { kind: Some(list) }] }).unwrap_err()
        };
        assert_eq!(wrong(None), "argument 1, item 1, a value without a kind was given");
        assert_eq!(wrong(Some(Kind::U8(256))), "argument 1, item 1, 256 is out of the range of u8");
        assert_eq!(wrong(Some(Kind::S16(-32769))), "argument 1, item 1, -32769 is out of the range of s16");
        assert_eq!(
            wrong(Some(Kind::CharValue(0xd800))),
            "argument 1, item 1, 55296 is no Unicode scalar value"
        );
    }
}
