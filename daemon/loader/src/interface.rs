//! Types of functions in the one interface language, that of WIT: what an import of one format and an export of
//! another are compared by.
//!
//! Types are compared by structure: the names of definitions and of parameters do not count, those of fields,
//! cases and flags do. A core module has no such types, only registers; its functions stand for any type that the
//! canonical ABI passes in the same registers.
use std::fmt;

use vitte_bytecode::{InterfaceType, TypeDefinition, ValueType};
use wasmtime::component;
use wasmtime::component::wasm_wave::wasm::{WasmType, WasmTypeKind};

use crate::canonical;

/// Most parts of one type; definitions that share parts can stand for very many.
const PARTS_MAX: usize = 4096;
/// Deepest nesting of types.
const DEPTH_MAX: usize = 64;

/// A type of the interface language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Self>),
    Record(Vec<(String, Self)>),
    Tuple(Vec<Self>),
    Variant(Vec<(String, Option<Self>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<Self>),
    Result { ok: Option<Box<Self>>, err: Option<Box<Self>> },
}

impl Type {
    /// The same type as the engine and the text form know it; `None` for resources, streams and the like, and for
    /// what is too large.
    pub(crate) fn of<T: WasmType>(ty: &T) -> Option<Self> {
        fn below<T: WasmType>(ty: &T, depth: usize, parts: &mut usize) -> Option<Type> {
            *parts = parts.checked_sub(1)?;
            let depth = depth.checked_sub(1)?;
            let mut inside = |ty: T| below(&ty, depth, parts);
            Some(match ty.kind() {
                WasmTypeKind::Bool => Type::Bool,
                WasmTypeKind::S8 => Type::S8,
                WasmTypeKind::U8 => Type::U8,
                WasmTypeKind::S16 => Type::S16,
                WasmTypeKind::U16 => Type::U16,
                WasmTypeKind::S32 => Type::S32,
                WasmTypeKind::U32 => Type::U32,
                WasmTypeKind::S64 => Type::S64,
                WasmTypeKind::U64 => Type::U64,
                WasmTypeKind::F32 => Type::F32,
                WasmTypeKind::F64 => Type::F64,
                WasmTypeKind::Char => Type::Char,
                WasmTypeKind::String => Type::String,
                WasmTypeKind::List => Type::List(Box::new(inside(ty.list_element_type()?)?)),
                WasmTypeKind::Record => Type::Record(
                    ty.record_fields()
                        .map(|(name, ty)| Some((name.into_owned(), inside(ty)?)))
                        .collect::<Option<_>>()?,
                ),
                WasmTypeKind::Tuple => {
                    Type::Tuple(ty.tuple_element_types().map(inside).collect::<Option<_>>()?)
                }
                WasmTypeKind::Variant => Type::Variant(
                    ty.variant_cases()
                        .map(|(name, ty)| {
                            Some((
                                name.into_owned(),
                                match ty {
                                    Some(ty) => Some(inside(ty)?),
                                    None => None,
                                },
                            ))
                        })
                        .collect::<Option<_>>()?,
                ),
                WasmTypeKind::Enum => Type::Enum(ty.enum_cases().map(|name| name.into_owned()).collect()),
                WasmTypeKind::Flags => Type::Flags(ty.flags_names().map(|name| name.into_owned()).collect()),
                WasmTypeKind::Option => Type::Option(Box::new(inside(ty.option_some_type()?)?)),
                WasmTypeKind::Result => {
                    let (ok, err) = ty.result_types()?;
                    let mut side = |ty: Option<T>| match ty {
                        Some(ty) => Some(Some(Box::new(inside(ty)?))),
                        None => Some(None),
                    };
                    Type::Result { ok: side(ok)?, err: side(err)? }
                }
                // The enumeration is not ours: resources, streams and maps come here, and what is new.
                _ => return None,
            })
        }
        below(ty, DEPTH_MAX, &mut PARTS_MAX.clone())
    }

    /// The same type as bytecode has it, where `types` are the module's definitions; `None` if it is too large.
    pub(crate) fn of_bytecode(types: &[TypeDefinition], ty: InterfaceType) -> Option<Self> {
        fn below(
            types: &[TypeDefinition],
            ty: InterfaceType,
            depth: usize,
            parts: &mut usize,
        ) -> Option<Type> {
            *parts = parts.checked_sub(1)?;
            let depth = depth.checked_sub(1)?;
            let mut inside = |ty: InterfaceType| below(types, ty, depth, parts);
            Some(match ty {
                InterfaceType::Bool => Type::Bool,
                InterfaceType::S8 => Type::S8,
                InterfaceType::U8 => Type::U8,
                InterfaceType::S16 => Type::S16,
                InterfaceType::U16 => Type::U16,
                InterfaceType::S32 => Type::S32,
                InterfaceType::U32 => Type::U32,
                InterfaceType::S64 => Type::S64,
                InterfaceType::U64 => Type::U64,
                InterfaceType::F32 => Type::F32,
                InterfaceType::F64 => Type::F64,
                InterfaceType::Char => Type::Char,
                InterfaceType::String => Type::String,
                InterfaceType::Defined(index) => match types.get(index as usize)? {
                    TypeDefinition::Record { name: _, fields } => Type::Record(
                        fields
                            .iter()
                            .map(|field| Some((field.name.clone(), inside(field.ty)?)))
                            .collect::<Option<_>>()?,
                    ),
                    TypeDefinition::Variant { name: _, cases } => Type::Variant(
                        cases
                            .iter()
                            .map(|case| {
                                let payload = match case.ty {
                                    Some(ty) => Some(inside(ty)?),
                                    None => None,
                                };
                                Some((case.name.clone(), payload))
                            })
                            .collect::<Option<_>>()?,
                    ),
                    TypeDefinition::Enum { name: _, cases } => Type::Enum(cases.clone()),
                    TypeDefinition::Flags { name: _, flags } => Type::Flags(flags.clone()),
                    TypeDefinition::Tuple(types) => {
                        Type::Tuple(types.iter().map(|ty| inside(*ty)).collect::<Option<_>>()?)
                    }
                    TypeDefinition::List(ty) => Type::List(Box::new(inside(*ty)?)),
                    TypeDefinition::Option(ty) => Type::Option(Box::new(inside(*ty)?)),
                    TypeDefinition::Result { ok, err } => {
                        let mut side = |ty: &Option<InterfaceType>| match ty {
                            Some(ty) => Some(Some(Box::new(inside(*ty)?))),
                            None => Some(None),
                        };
                        Type::Result { ok: side(ok)?, err: side(err)? }
                    }
                },
            })
        }
        below(types, ty, DEPTH_MAX, &mut PARTS_MAX.clone())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, open: &str, parts: Vec<String>, close: &str| {
            write!(f, "{open}{}{close}", parts.join(", "))
        };
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::U8 => f.write_str("u8"),
            Self::S16 => f.write_str("s16"),
            Self::U16 => f.write_str("u16"),
            Self::S32 => f.write_str("s32"),
            Self::U32 => f.write_str("u32"),
            Self::S64 => f.write_str("s64"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(ty) => write!(f, "list<{ty}>"),
            Self::Option(ty) => write!(f, "option<{ty}>"),
            Self::Record(fields) => {
                let fields = fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
                list(f, "record { ", fields, " }")
            }
            Self::Tuple(types) => list(f, "tuple<", types.iter().map(ToString::to_string).collect(), ">"),
            Self::Variant(cases) => {
                let case = |(name, ty): &(String, Option<Self>)| match ty {
                    Some(ty) => format!("{name}({ty})"),
                    None => name.clone(),
                };
                list(f, "variant { ", cases.iter().map(case).collect(), " }")
            }
            Self::Enum(cases) => list(f, "enum { ", cases.clone(), " }"),
            Self::Flags(flags) => list(f, "flags { ", flags.clone(), " }"),
            Self::Result { ok: None, err: None } => f.write_str("result"),
            Self::Result { ok: Some(ok), err: None } => write!(f, "result<{ok}>"),
            Self::Result { ok: None, err: Some(err) } => write!(f, "result<_, {err}>"),
            Self::Result { ok: Some(ok), err: Some(err) } => write!(f, "result<{ok}, {err}>"),
        }
    }
}

/// What a function takes and gives in the interface language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FunctionType {
    pub(crate) params: Vec<(String, Type)>,
    pub(crate) result: Option<Type>,
}

impl FunctionType {
    /// Of a function of a component; `None` if resources or streams cross, which the loader does not hand on.
    pub(crate) fn of_component(func: &component::types::ComponentFunc) -> Option<Self> {
        let params = func.params().map(|(name, ty)| Some((name.to_owned(), Type::of(&ty)?)));
        let params = params.collect::<Option<_>>()?;
        let result = match func.results().next() {
            Some(ty) => Some(Type::of(&ty)?),
            None => None,
        };
        Some(Self { params, result })
    }

    /// Of a function of bytecode that says one.
    pub(crate) fn of_bytecode(
        types: &[TypeDefinition],
        function: &vitte_bytecode::FunctionType,
    ) -> Option<Self> {
        let params = function
            .params
            .iter()
            .map(|param| Some((param.name.clone(), Type::of_bytecode(types, param.ty)?)));
        let params = params.collect::<Option<_>>()?;
        let result = match function.result {
            Some(ty) => Some(Type::of_bytecode(types, ty)?),
            None => None,
        };
        Some(Self { params, result })
    }

    /// Whether both take and give the same; what parameters are called does not count.
    fn equals(&self, other: &Self) -> bool {
        self.result == other.result
            && self.params.len() == other.params.len()
            && self.params.iter().zip(&other.params).all(|((_, a), (_, b))| a == b)
    }
}

impl fmt::Display for FunctionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<String> = self.params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        write!(f, "func({})", params.join(", "))?;
        match &self.result {
            Some(ty) => write!(f, " -> {ty}"),
            None => Ok(()),
        }
    }
}

/// Registers of a function without a type of the interface language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) params: Vec<ValueType>,
    pub(crate) results: Vec<ValueType>,
    /// Whether its addresses have 64 bits.
    pub(crate) is_wide: bool,
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |types: &[ValueType]| types.iter().map(|ty| ty.name()).collect::<Vec<_>>().join(", ");
        match self.results.as_slice() {
            [] => write!(f, "func({})", list(&self.params)),
            [one] => write!(f, "func({}) -> {one}", list(&self.params)),
            several => write!(f, "func({}) -> ({})", list(&self.params), list(several)),
        }
    }
}

/// What is known of the type of an import or an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// All.
    Interface(FunctionType),
    /// Only the registers.
    Registers(Registers),
    /// It has values that no other module can be given, such as resources: its text.
    Foreign(String),
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(ty) => ty.fmt(f),
            Self::Registers(registers) => registers.fmt(f),
            Self::Foreign(text) => f.write_str(text),
        }
    }
}

/// What both sides of a call agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// Values of this type cross.
    Interface(FunctionType),
    /// Neither side knows more than registers: their numbers cross as they are.
    Numbers,
}

/// What an import of type `import` and an export of type `export` agree on; `None` if they do not.
pub(crate) fn agree(import: &Signature, export: &Signature) -> Option<Agreed> {
    match (import, export) {
        (Signature::Interface(a), Signature::Interface(b)) => {
            a.equals(b).then(|| Agreed::Interface(b.clone()))
        }
        (Signature::Interface(ty), Signature::Registers(registers)) => {
            canonical::is_flattened(ty, registers, canonical::Side::Export)
                .then(|| Agreed::Interface(ty.clone()))
        }
        (Signature::Registers(registers), Signature::Interface(ty)) => {
            canonical::is_flattened(ty, registers, canonical::Side::Import)
                .then(|| Agreed::Interface(ty.clone()))
        }
        (Signature::Registers(a), Signature::Registers(b)) => {
            (a.params == b.params && a.results == b.results).then_some(Agreed::Numbers)
        }
        (Signature::Foreign(_), _) | (_, Signature::Foreign(_)) => None,
    }
}
