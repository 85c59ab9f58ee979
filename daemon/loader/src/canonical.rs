//! Values of the interface language in registers and memory: the component model's canonical ABI
//! (WebAssembly/component-model, `CanonicalABI.md`), for guests that are no components. Strings are UTF-8.
//!
//! What a guest says of its memory is checked: every address against the memory, every length against what is
//! left of a budget, so that a hostile guest costs its caller no more than that.
use vitte_bytecode::{Value, ValueType};
use wasmtime::component::Val;

use crate::call::CallError;
use crate::interface::{FunctionType, Registers, Type};

/// Most parameters that are passed in registers.
const FLAT_PARAMS: usize = 16;
/// Most results that are.
const FLAT_RESULTS: usize = 1;
/// Most values that one call takes out of a guest's memory.
const VALUES_MAX: u64 = 32 << 20;

/// Which side of a call a guest is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It calls.
    Import,
    /// It is called.
    Export,
}

/// A guest with a memory.
pub(crate) trait Guest {
    /// Whether its addresses have 64 bits.
    fn is_wide(&self) -> bool;
    /// Bytes of its memory; `None` if they are not all in it.
    fn read(&mut self, address: u64, length: u64) -> Option<Vec<u8>>;
    /// Writes bytes into its memory; `None` if it does not hold them all.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()>;
    /// Takes memory by the guest's own allocator.
    ///
    /// # Errors
    /// When there is none, or it fails.
    fn allocate(&mut self, align: u64, size: u64) -> Result<u64, CallError>;
}

/// Size and alignment in memory, in bytes.
fn layout(ty: &Type, is_wide: bool) -> (u64, u64) {
    let pointer = if is_wide { 8 } else { 4 };
    match ty {
        Type::Bool | Type::S8 | Type::U8 => (1, 1),
        Type::S16 | Type::U16 => (2, 2),
        Type::S32 | Type::U32 | Type::F32 | Type::Char => (4, 4),
        Type::S64 | Type::U64 | Type::F64 => (8, 8),
        Type::String | Type::List(_) => (2 * pointer, pointer),
        Type::Record(fields) => product(fields.iter().map(|(_, ty)| ty), is_wide),
        Type::Tuple(types) => product(types.iter(), is_wide),
        Type::Flags(flags) => match flags.len() {
            0..=8 => (1, 1),
            9..=16 => (2, 2),
            _ => (4, 4),
        },
        Type::Enum(cases) => {
            let tag = tag_size(cases.len());
            (tag, tag)
        }
        Type::Variant(_) | Type::Option(_) | Type::Result { .. } => {
            let cases = cases(ty);
            let (tag, offset, align) = sum(&cases, is_wide);
            let largest = cases.iter().flatten().map(|ty| layout(ty, is_wide).0).max().unwrap_or_default();
            ((offset + largest).next_multiple_of(align.max(tag)), align.max(tag))
        }
    }
}

fn product<'a>(types: impl Iterator<Item = &'a Type>, is_wide: bool) -> (u64, u64) {
    let (size, align) = types.fold((0_u64, 1), |(size, most), ty| {
        let (own, align) = layout(ty, is_wide);
        (size.next_multiple_of(align) + own, most.max(align))
    });
    (size.next_multiple_of(align), align)
}

/// The payloads of a type with cases.
fn cases(ty: &Type) -> Vec<Option<&Type>> {
    match ty {
        Type::Variant(cases) => cases.iter().map(|(_, ty)| ty.as_ref()).collect(),
        Type::Option(some) => vec![None, Some(some)],
        Type::Result { ok, err } => vec![ok.as_deref(), err.as_deref()],
        _ => Vec::new(),
    }
}

fn tag_size(cases: usize) -> u64 {
    match cases {
        0..=256 => 1,
        257..=65_536 => 2,
        _ => 4,
    }
}

/// The size of the tag, where payloads begin, and their alignment.
fn sum(cases: &[Option<&Type>], is_wide: bool) -> (u64, u64, u64) {
    let tag = tag_size(cases.len());
    let align = cases.iter().flatten().map(|ty| layout(ty, is_wide).1).max().unwrap_or(1);
    (tag, tag.next_multiple_of(align), align)
}

/// The registers of a type.
fn flat(ty: &Type, is_wide: bool, into: &mut Vec<ValueType>) {
    let pointer = if is_wide { ValueType::I64 } else { ValueType::I32 };
    match ty {
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::Char
        | Type::Enum(_)
        | Type::Flags(_) => into.push(ValueType::I32),
        Type::S64 | Type::U64 => into.push(ValueType::I64),
        Type::F32 => into.push(ValueType::F32),
        Type::F64 => into.push(ValueType::F64),
        Type::String | Type::List(_) => into.extend([pointer, pointer]),
        Type::Record(fields) => fields.iter().for_each(|(_, ty)| flat(ty, is_wide, into)),
        Type::Tuple(types) => types.iter().for_each(|ty| flat(ty, is_wide, into)),
        Type::Variant(_) | Type::Option(_) | Type::Result { .. } => {
            into.push(ValueType::I32);
            into.extend(joined(&cases(ty), is_wide));
        }
    }
}

/// The registers that hold the payload of any case.
fn joined(cases: &[Option<&Type>], is_wide: bool) -> Vec<ValueType> {
    let mut all: Vec<ValueType> = Vec::new();
    for ty in cases.iter().flatten() {
        let mut own = Vec::new();
        flat(ty, is_wide, &mut own);
        for (at, ty) in own.into_iter().enumerate() {
            match all.get_mut(at) {
                Some(held) => *held = join(*held, ty),
                None => all.push(ty),
            }
        }
    }
    all
}

/// The type that holds either of two.
fn join(a: ValueType, b: ValueType) -> ValueType {
    match (a, b) {
        (a, b) if a == b => a,
        (ValueType::I32, ValueType::F32) | (ValueType::F32, ValueType::I32) => ValueType::I32,
        _ => ValueType::I64,
    }
}

fn flat_types<'a>(types: impl Iterator<Item = &'a Type>, is_wide: bool) -> Vec<ValueType> {
    let mut all = Vec::new();
    types.for_each(|ty| flat(ty, is_wide, &mut all));
    all
}

/// Whether the canonical ABI passes `ty` in `registers`.
pub(crate) fn is_flattened(ty: &FunctionType, registers: &Registers, side: Side) -> bool {
    let is_wide = registers.is_wide;
    let pointer = if is_wide { ValueType::I64 } else { ValueType::I32 };
    let mut params = flat_types(ty.params.iter().map(|(_, ty)| ty), is_wide);
    if params.len() > FLAT_PARAMS {
        params = vec![pointer];
    }
    let mut results = flat_types(ty.result.iter(), is_wide);
    if results.len() > FLAT_RESULTS {
        match side {
            Side::Export => results = vec![pointer],
            Side::Import => {
                params.push(pointer);
                results.clear();
            }
        }
    }
    params == registers.params && results == registers.results
}

fn broken(what: &str) -> CallError {
    CallError::Failed(format!("what a module handed over breaks the canonical ABI: {what}"))
}

const OUTSIDE: &str = "an address is outside of its memory";
const MISFIT: &str = "a value is of another type";
const SHORT: &str = "a register is missing";

/// The parameters of a function of type `ty` for a guest that is called with them.
pub(crate) fn lower_params(
    guest: &mut dyn Guest,
    ty: &FunctionType,
    values: &[Val],
) -> Result<Vec<Value>, CallError> {
    if ty.params.len() != values.len() {
        return Err(broken(MISFIT));
    }
    let is_wide = guest.is_wide();
    let types = || ty.params.iter().map(|(_, ty)| ty);
    if flat_types(types(), is_wide).len() > FLAT_PARAMS {
        let (size, align) = product(types(), is_wide);
        let start = guest.allocate(align, size)?;
        let mut address = start;
        for (ty, value) in types().zip(values) {
            let (size, align) = layout(ty, is_wide);
            address = address.next_multiple_of(align);
            store(guest, ty, value, address)?;
            address += size;
        }
        return Ok(vec![pointer(is_wide, start)]);
    }
    let mut registers = Vec::new();
    for (ty, value) in types().zip(values) {
        lower(guest, ty, value, &mut registers)?;
    }
    Ok(registers)
}

/// The result that a guest which was called has given in `registers`.
pub(crate) fn lift_result(
    guest: &mut dyn Guest,
    ty: &FunctionType,
    registers: &[Value],
) -> Result<Option<Val>, CallError> {
    let Some(result) = &ty.result else { return Ok(None) };
    let mut lift = Lift { guest, left: VALUES_MAX };
    if flat_types(std::iter::once(result), lift.guest.is_wide()).len() > FLAT_RESULTS {
        let address = registers.first().ok_or_else(|| broken(SHORT))?.bits();
        return lift.load(result, address).map(Some);
    }
    lift.flat(result, &mut registers.iter()).map(Some)
}

/// The arguments that a guest calls a function of type `ty` with.
pub(crate) fn lift_params(
    guest: &mut dyn Guest,
    ty: &FunctionType,
    registers: &[Value],
) -> Result<Vec<Val>, CallError> {
    let is_wide = guest.is_wide();
    let types = || ty.params.iter().map(|(_, ty)| ty);
    let in_memory = flat_types(types(), is_wide).len() > FLAT_PARAMS;
    let mut lift = Lift { guest, left: VALUES_MAX };
    let mut registers = registers.iter();
    if in_memory {
        let mut address = registers.next().ok_or_else(|| broken(SHORT))?.bits();
        return types()
            .map(|ty| {
                let (size, align) = layout(ty, is_wide);
                address = address.checked_next_multiple_of(align).ok_or_else(|| broken(OUTSIDE))?;
                let value = lift.load(ty, address)?;
                address = address.saturating_add(size);
                Ok(value)
            })
            .collect();
    }
    types().map(|ty| lift.flat(ty, &mut registers)).collect()
}

/// The result of a function for the guest that called it with `registers`: what it gets in registers.
pub(crate) fn lower_result(
    guest: &mut dyn Guest,
    ty: &FunctionType,
    value: Option<&Val>,
    registers: &[Value],
) -> Result<Vec<Value>, CallError> {
    let (Some(ty), value) = (&ty.result, value) else { return Ok(Vec::new()) };
    let value = value.ok_or_else(|| broken(MISFIT))?;
    if flat_types(std::iter::once(ty), guest.is_wide()).len() > FLAT_RESULTS {
        let address = registers.last().ok_or_else(|| broken(SHORT))?.bits();
        store(guest, ty, value, address)?;
        return Ok(Vec::new());
    }
    let mut given = Vec::new();
    lower(guest, ty, value, &mut given)?;
    Ok(given)
}

fn pointer(is_wide: bool, address: u64) -> Value {
    Value::from_bits(if is_wide { ValueType::I64 } else { ValueType::I32 }, address)
}

/// The number that stands for a value without parts, as bits; `None` for the others.
fn scalar(ty: &Type, value: &Val) -> Option<u64> {
    Some(match (ty, value) {
        (Type::Bool, Val::Bool(value)) => u64::from(*value),
        (Type::S8, Val::S8(value)) => u64::from(*value as i32 as u32),
        (Type::U8, Val::U8(value)) => u64::from(*value),
        (Type::S16, Val::S16(value)) => u64::from(*value as i32 as u32),
        (Type::U16, Val::U16(value)) => u64::from(*value),
        (Type::S32, Val::S32(value)) => u64::from(*value as u32),
        (Type::U32, Val::U32(value)) => u64::from(*value),
        (Type::S64, Val::S64(value)) => *value as u64,
        (Type::U64, Val::U64(value)) => *value,
        (Type::F32, Val::Float32(value)) => u64::from(value.to_bits()),
        (Type::F64, Val::Float64(value)) => value.to_bits(),
        (Type::Char, Val::Char(value)) => u64::from(u32::from(*value)),
        (Type::Enum(cases), Val::Enum(name)) => cases.iter().position(|case| case == name)? as u64,
        (Type::Flags(flags), Val::Flags(names)) => {
            let mut bits = 0_u64;
            for name in names {
                bits |= 1 << flags.iter().position(|flag| flag == name).filter(|at| *at < 32)?;
            }
            bits
        }
        _ => return None,
    })
}

/// The case of a value, by number, and its payload.
fn case_of<'a>(ty: &'a Type, value: &'a Val) -> Option<(usize, Option<&'a Val>)> {
    Some(match (ty, value) {
        (Type::Variant(cases), Val::Variant(name, payload)) => {
            (cases.iter().position(|(case, _)| case == name)?, payload.as_deref())
        }
        (Type::Option(_), Val::Option(payload)) => (usize::from(payload.is_some()), payload.as_deref()),
        (Type::Result { .. }, Val::Result(Ok(payload))) => (0, payload.as_deref()),
        (Type::Result { .. }, Val::Result(Err(payload))) => (1, payload.as_deref()),
        _ => return None,
    })
}

/// Puts a value into registers.
fn lower(guest: &mut dyn Guest, ty: &Type, value: &Val, into: &mut Vec<Value>) -> Result<(), CallError> {
    let is_wide = guest.is_wide();
    if let Some(bits) = scalar(ty, value) {
        let register = flat_types(std::iter::once(ty), is_wide);
        into.extend(register.into_iter().map(|register| Value::from_bits(register, bits)));
        return Ok(());
    }
    match (ty, value) {
        (Type::String | Type::List(_), _) => {
            let (address, length) = place(guest, ty, value)?;
            into.extend([pointer(is_wide, address), pointer(is_wide, length)]);
            Ok(())
        }
        (Type::Record(fields), Val::Record(values)) if fields.len() == values.len() => {
            fields.iter().zip(values).try_for_each(|((_, ty), (_, value))| lower(guest, ty, value, into))
        }
        (Type::Tuple(types), Val::Tuple(values)) if types.len() == values.len() => {
            types.iter().zip(values).try_for_each(|(ty, value)| lower(guest, ty, value, into))
        }
        (Type::Variant(_) | Type::Option(_) | Type::Result { .. }, _) => {
            let (case, payload) = case_of(ty, value).ok_or_else(|| broken(MISFIT))?;
            let cases = cases(ty);
            into.push(Value::I32(case as i32));
            let mut own = Vec::new();
            match (cases.get(case).copied().flatten(), payload) {
                (Some(ty), Some(payload)) => lower(guest, ty, payload, &mut own)?,
                (None, None) => {}
                (Some(_), None) | (None, Some(_)) => return Err(broken(MISFIT)),
            }
            for (at, register) in joined(&cases, is_wide).into_iter().enumerate() {
                let bits = own.get(at).map_or(0, |value: &Value| value.bits());
                into.push(Value::from_bits(register, bits));
            }
            Ok(())
        }
        _ => Err(broken(MISFIT)),
    }
}

/// Puts the elements of a string or list into memory that the guest gives; its address and length.
fn place(guest: &mut dyn Guest, ty: &Type, value: &Val) -> Result<(u64, u64), CallError> {
    let is_wide = guest.is_wide();
    match (ty, value) {
        (Type::String, Val::String(text)) => {
            let address = guest.allocate(1, text.len() as u64)?;
            guest.write(address, text.as_bytes()).ok_or_else(|| broken(OUTSIDE))?;
            Ok((address, text.len() as u64))
        }
        (Type::List(element), Val::List(values)) => {
            let (size, align) = layout(element, is_wide);
            let bytes = size.checked_mul(values.len() as u64).ok_or_else(|| broken(OUTSIDE))?;
            let start = guest.allocate(align, bytes)?;
            if **element == Type::U8 {
                let bytes = values.iter().map(|value| match value {
                    Val::U8(byte) => Some(*byte),
                    _ => None,
                });
                let bytes = bytes.collect::<Option<Vec<u8>>>().ok_or_else(|| broken(MISFIT))?;
                guest.write(start, &bytes).ok_or_else(|| broken(OUTSIDE))?;
            } else {
                let mut address = start;
                for value in values {
                    store(guest, element, value, address)?;
                    address = address.saturating_add(size);
                }
            }
            Ok((start, values.len() as u64))
        }
        _ => Err(broken(MISFIT)),
    }
}

/// Puts a value into memory.
fn store(guest: &mut dyn Guest, ty: &Type, value: &Val, address: u64) -> Result<(), CallError> {
    let is_wide = guest.is_wide();
    let put = |guest: &mut dyn Guest, address: u64, bits: u64, size: u64| {
        let bytes = bits.to_le_bytes();
        let bytes = bytes.get(..size as usize).unwrap_or(&bytes);
        guest.write(address, bytes).ok_or_else(|| broken(OUTSIDE))
    };
    let (size, align) = layout(ty, is_wide);
    if !address.is_multiple_of(align) {
        return Err(broken("an address is not aligned"));
    }
    if let Some(bits) = scalar(ty, value) {
        return put(guest, address, bits, size);
    }
    match (ty, value) {
        (Type::String | Type::List(_), _) => {
            let (start, length) = place(guest, ty, value)?;
            put(guest, address, start, size / 2)?;
            put(guest, address.saturating_add(size / 2), length, size / 2)
        }
        (Type::Record(fields), Val::Record(values)) if fields.len() == values.len() => {
            let parts = fields.iter().zip(values).map(|((_, ty), (_, value))| (ty, value));
            store_all(guest, parts, address)
        }
        (Type::Tuple(types), Val::Tuple(values)) if types.len() == values.len() => {
            store_all(guest, types.iter().zip(values), address)
        }
        (Type::Variant(_) | Type::Option(_) | Type::Result { .. }, _) => {
            let (case, payload) = case_of(ty, value).ok_or_else(|| broken(MISFIT))?;
            let cases = cases(ty);
            let (tag, offset, _) = sum(&cases, is_wide);
            put(guest, address, case as u64, tag)?;
            match (cases.get(case).copied().flatten(), payload) {
                (Some(ty), Some(payload)) => store(guest, ty, payload, address.saturating_add(offset)),
                (None, None) => Ok(()),
                (Some(_), None) | (None, Some(_)) => Err(broken(MISFIT)),
            }
        }
        _ => Err(broken(MISFIT)),
    }
}

fn store_all<'a>(
    guest: &mut dyn Guest,
    parts: impl Iterator<Item = (&'a Type, &'a Val)>,
    mut address: u64,
) -> Result<(), CallError> {
    for (ty, value) in parts {
        let (size, align) = layout(ty, guest.is_wide());
        address = address.next_multiple_of(align);
        store(guest, ty, value, address)?;
        address = address.saturating_add(size);
    }
    Ok(())
}

/// Taking values out of a guest.
struct Lift<'a> {
    guest: &'a mut dyn Guest,
    /// So many more values may come.
    left: u64,
}

impl Lift<'_> {
    fn spend(&mut self, count: u64) -> Result<(), CallError> {
        self.left = self.left.checked_sub(count).ok_or_else(|| broken("it has too many values"))?;
        Ok(())
    }

    fn bytes(&mut self, address: u64, length: u64) -> Result<Vec<u8>, CallError> {
        self.guest.read(address, length).ok_or_else(|| broken(OUTSIDE))
    }

    fn number(&mut self, address: u64, size: u64) -> Result<u64, CallError> {
        let bytes = self.bytes(address, size)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A value without parts from its number.
    fn scalar(ty: &Type, bits: u64) -> Result<Val, CallError> {
        let low = bits as u32;
        Ok(match ty {
            Type::Bool => Val::Bool(low != 0),
            Type::S8 => Val::S8(low as i8),
            Type::U8 => Val::U8(low as u8),
            Type::S16 => Val::S16(low as i16),
            Type::U16 => Val::U16(low as u16),
            Type::S32 => Val::S32(low as i32),
            Type::U32 => Val::U32(low),
            Type::S64 => Val::S64(bits as i64),
            Type::U64 => Val::U64(bits),
            Type::F32 => Val::Float32(f32::from_bits(low)),
            Type::F64 => Val::Float64(f64::from_bits(bits)),
            Type::Char => Val::Char(char::from_u32(low).ok_or_else(|| broken("a char is none"))?),
            Type::Enum(cases) => {
                let case = cases.get(low as usize).ok_or_else(|| broken("there is no such case"))?;
                Val::Enum(case.clone())
            }
            Type::Flags(flags) => {
                let is_set = |at: usize| at < 32 && low >> at & 1 == 1;
                let set = flags.iter().enumerate().filter(|(at, _)| is_set(*at));
                Val::Flags(set.map(|(_, name)| name.clone()).collect())
            }
            Type::String
            | Type::List(_)
            | Type::Record(_)
            | Type::Tuple(_)
            | Type::Variant(_)
            | Type::Option(_)
            | Type::Result { .. } => return Err(broken(MISFIT)),
        })
    }

    fn elements(&mut self, ty: &Type, address: u64, length: u64) -> Result<Val, CallError> {
        match ty {
            Type::List(element) if **element == Type::U8 => {
                self.spend(length)?;
                let bytes = self.bytes(address, length)?;
                Ok(Val::List(bytes.into_iter().map(Val::U8).collect()))
            }
            Type::List(element) => {
                self.spend(length)?;
                let (size, align) = layout(element, self.guest.is_wide());
                let end = size.checked_mul(length).and_then(|bytes| bytes.checked_add(address));
                if end.is_none() || !address.is_multiple_of(align) {
                    return Err(broken(OUTSIDE));
                }
                let elements = (0..length).map(|at| self.load(element, address + at * size));
                elements.collect::<Result<_, _>>().map(Val::List)
            }
            _ => {
                self.spend(length)?;
                let bytes = self.bytes(address, length)?;
                String::from_utf8(bytes).map(Val::String).map_err(|_| broken("a string is not UTF-8"))
            }
        }
    }

    fn case(ty: &Type, case: u64, payload: Option<Val>) -> Val {
        let payload = payload.map(Box::new);
        match ty {
            Type::Variant(cases) => {
                let name = cases.get(case as usize).map(|(name, _)| name.clone()).unwrap_or_default();
                Val::Variant(name, payload)
            }
            Type::Option(_) => Val::Option(payload),
            _ if case == 0 => Val::Result(Ok(payload)),
            _ => Val::Result(Err(payload)),
        }
    }

    /// A value from registers.
    fn flat(&mut self, ty: &Type, registers: &mut dyn Iterator<Item = &Value>) -> Result<Val, CallError> {
        self.spend(1)?;
        let mut next = || registers.next().map(|value| value.bits()).ok_or_else(|| broken(SHORT));
        match ty {
            Type::String | Type::List(_) => {
                let (address, length) = (next()?, next()?);
                self.elements(ty, address, length)
            }
            Type::Record(fields) => fields
                .iter()
                .map(|(name, ty)| Ok((name.clone(), self.flat(ty, registers)?)))
                .collect::<Result<_, _>>()
                .map(Val::Record),
            Type::Tuple(types) => {
                types.iter().map(|ty| self.flat(ty, registers)).collect::<Result<_, _>>().map(Val::Tuple)
            }
            Type::Variant(_) | Type::Option(_) | Type::Result { .. } => {
                let case = next()?;
                let cases = cases(ty);
                let all = joined(&cases, self.guest.is_wide()).len();
                let held: Vec<Value> = registers.take(all).copied().collect();
                let payload = cases.get(case as usize).ok_or_else(|| broken("there is no such case"))?;
                let payload = match payload {
                    Some(ty) => Some(self.flat(ty, &mut held.iter())?),
                    None => None,
                };
                Ok(Self::case(ty, case, payload))
            }
            Type::Bool
            | Type::S8
            | Type::U8
            | Type::S16
            | Type::U16
            | Type::S32
            | Type::U32
            | Type::S64
            | Type::U64
            | Type::F32
            | Type::F64
            | Type::Char
            | Type::Enum(_)
            | Type::Flags(_) => Self::scalar(ty, next()?),
        }
    }

    /// A value from memory.
    fn load(&mut self, ty: &Type, address: u64) -> Result<Val, CallError> {
        self.spend(1)?;
        let is_wide = self.guest.is_wide();
        let (size, align) = layout(ty, is_wide);
        if !address.is_multiple_of(align) {
            return Err(broken("an address is not aligned"));
        }
        let mut at = address;
        let mut next = |lift: &mut Self, ty: &Type| {
            let (size, align) = layout(ty, is_wide);
            at = at.checked_next_multiple_of(align).ok_or_else(|| broken(OUTSIDE))?;
            let value = lift.load(ty, at)?;
            at = at.saturating_add(size);
            Ok(value)
        };
        match ty {
            Type::String | Type::List(_) => {
                let start = self.number(address, size / 2)?;
                let length = self.number(address.saturating_add(size / 2), size / 2)?;
                self.elements(ty, start, length)
            }
            Type::Record(fields) => fields
                .iter()
                .map(|(name, ty)| Ok((name.clone(), next(self, ty)?)))
                .collect::<Result<_, _>>()
                .map(Val::Record),
            Type::Tuple(types) => {
                types.iter().map(|ty| next(self, ty)).collect::<Result<_, _>>().map(Val::Tuple)
            }
            Type::Variant(_) | Type::Option(_) | Type::Result { .. } => {
                let cases = cases(ty);
                let (tag, offset, _) = sum(&cases, is_wide);
                let case = self.number(address, tag)?;
                let payload = cases.get(case as usize).ok_or_else(|| broken("there is no such case"))?;
                let payload = match payload {
                    Some(ty) => Some(self.load(ty, address.saturating_add(offset))?),
                    None => None,
                };
                Ok(Self::case(ty, case, payload))
            }
            Type::Bool
            | Type::S8
            | Type::U8
            | Type::S16
            | Type::U16
            | Type::S32
            | Type::U32
            | Type::S64
            | Type::U64
            | Type::F32
            | Type::F64
            | Type::Char
            | Type::Enum(_)
            | Type::Flags(_) => {
                let bits = self.number(address, size)?;
                Self::scalar(ty, bits)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A memory whose allocator never frees.
    struct Heap {
        bytes: Vec<u8>,
        next: u64,
        is_wide: bool,
    }

    impl Heap {
        fn new(is_wide: bool) -> Self {
            Self { bytes: vec![0; 1 << 16], next: 8, is_wide }
        }
    }

    impl Guest for Heap {
        fn is_wide(&self) -> bool {
            self.is_wide
        }

        fn read(&mut self, address: u64, length: u64) -> Option<Vec<u8>> {
            let end = address.checked_add(length)?;
            self.bytes.get(address as usize..end as usize).map(<[u8]>::to_vec)
        }

        fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
            let end = address as usize + bytes.len();
            self.bytes.get_mut(address as usize..end)?.copy_from_slice(bytes);
            Some(())
        }

        fn allocate(&mut self, align: u64, size: u64) -> Result<u64, CallError> {
            let start = self.next.next_multiple_of(align.max(1));
            self.next = start + size;
            Ok(start)
        }
    }

    fn text(text: &str) -> Val {
        Val::String(text.to_owned())
    }

    /// Each with a value.
    fn samples() -> Vec<(Type, Val)> {
        let pair = Type::Record(vec![("a".into(), Type::U8), ("b".into(), Type::F64)]);
        let choice = Type::Variant(vec![
            ("none".into(), None),
            ("small".into(), Some(Type::F32)),
            ("large".into(), Some(Type::String)),
        ]);
        vec![
            (Type::Bool, Val::Bool(true)),
            (Type::S8, Val::S8(-7)),
            (Type::U16, Val::U16(65_535)),
            (Type::S64, Val::S64(i64::MIN)),
            (Type::F32, Val::Float32(-0.5)),
            (Type::Char, Val::Char('é')),
            (Type::String, text("häh?")),
            (Type::List(Box::new(Type::U8)), Val::List(vec![Val::U8(0), Val::U8(255)])),
            (
                Type::List(Box::new(pair)),
                Val::List(vec![Val::Record(vec![("a".into(), Val::U8(9)), ("b".into(), Val::Float64(1.5))])]),
            ),
            (Type::Tuple(vec![Type::U8, Type::S64]), Val::Tuple(vec![Val::U8(1), Val::S64(-1)])),
            (choice.clone(), Val::Variant("none".into(), None)),
            (choice.clone(), Val::Variant("small".into(), Some(Box::new(Val::Float32(2.5))))),
            (choice, Val::Variant("large".into(), Some(Box::new(text("x"))))),
            (Type::Enum(vec!["a".into(), "b".into()]), Val::Enum("b".into())),
            (Type::Flags(vec!["r".into(), "w".into(), "x".into()]), Val::Flags(vec!["r".into(), "x".into()])),
            (Type::Option(Box::new(Type::String)), Val::Option(Some(Box::new(text(""))))),
            (
                Type::Result { ok: None, err: Some(Box::new(Type::String)) },
                Val::Result(Err(Some(Box::new(text("no"))))),
            ),
        ]
    }

    #[test]
    fn every_value_comes_through_registers_and_memory() {
        for is_wide in [false, true] {
            for (ty, value) in samples() {
                for copies in [1, 20] {
                    let params = (0..copies).map(|at| (format!("p{at}"), ty.clone())).collect();
                    let function = FunctionType { params, result: Some(ty.clone()) };
                    let mut heap = Heap::new(is_wide);
                    let values = vec![value.clone(); copies];
                    let registers = lower_params(&mut heap, &function, &values).unwrap();
                    assert_eq!(lift_params(&mut heap, &function, &registers).unwrap(), values, "{ty}");
                    // A result that does not fit into registers goes to the address that comes last.
                    let at = heap.allocate(16, 64).unwrap();
                    let given = [pointer(is_wide, at)];
                    let given_back = lower_result(&mut heap, &function, Some(&value), &given).unwrap();
                    let by = if given_back.is_empty() { given.to_vec() } else { given_back };
                    assert_eq!(lift_result(&mut heap, &function, &by).unwrap(), Some(value.clone()), "{ty}");
                }
            }
        }
    }

    #[test]
    fn what_a_guest_says_of_its_memory_is_checked() {
        let function = |ty: Type| FunctionType { params: vec![("p".into(), ty)], result: None };
        let strings = function(Type::List(Box::new(Type::String)));
        for (address, length) in [(65_530, 100), (0, u32::MAX), (u32::MAX, 1), (2, 1)] {
            let registers = [Value::I32(address as i32), Value::I32(length as i32)];
            assert!(lift_params(&mut Heap::new(false), &strings, &registers).is_err(), "{address} {length}");
        }
        let wide = [Value::I64(-8), Value::I64(i64::MAX)];
        assert!(lift_params(&mut Heap::new(true), &strings, &wide).is_err());
        let bad_char = [Value::I32(0xD800)];
        assert!(lift_params(&mut Heap::new(false), &function(Type::Char), &bad_char).is_err());
        let bad_case = [Value::I32(2), Value::I32(0)];
        let option = function(Type::Option(Box::new(Type::U8)));
        assert!(lift_params(&mut Heap::new(false), &option, &bad_case).is_err());
        assert!(lift_params(&mut Heap::new(false), &option, &[]).is_err());
        // A list of lists of nothing, each as long as memory.
        let empty = function(Type::List(Box::new(Type::Tuple(Vec::new()))));
        let registers = [Value::I32(0), Value::I32(-1)];
        assert!(lift_params(&mut Heap::new(false), &empty, &registers).is_err());
    }

    #[test]
    fn registers_are_those_of_the_canonical_abi() {
        let of = |params: &[ValueType], results: &[ValueType]| Registers {
            params: params.to_vec(),
            results: results.to_vec(),
            is_wide: false,
        };
        use ValueType::{F32, I32, I64};
        let ty = FunctionType {
            params: vec![("s".into(), Type::String), ("n".into(), Type::U64)],
            result: Some(Type::String),
        };
        assert!(is_flattened(&ty, &of(&[I32, I32, I64], &[I32]), Side::Export));
        assert!(is_flattened(&ty, &of(&[I32, I32, I64, I32], &[]), Side::Import));
        assert!(!is_flattened(&ty, &of(&[I32, I32, I64], &[I32]), Side::Import));
        let float = FunctionType { params: Vec::new(), result: Some(Type::F32) };
        assert!(is_flattened(&float, &of(&[], &[F32]), Side::Export));
    }
}
