//! Types as WIT has them: what a function means, beside the registers it takes.
//!
//! A definition refers to earlier definitions only, so that every pass over them is a loop. Layout and flattening
//! are those of the component model's canonical ABI (WebAssembly/component-model, `CanonicalABI.md`).
use std::fmt::{self, Write as _};

use crate::error::Fault;
use crate::limits;
use crate::module::AddressType;
use crate::value::{Signature, ValueType};

/// A type of the interface language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum InterfaceType {
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
    /// A definition of the module, by number.
    Defined(u32),
}

impl InterfaceType {
    const PRIMITIVES: [Self; 13] = [
        Self::Bool,
        Self::S8,
        Self::U8,
        Self::S16,
        Self::U16,
        Self::S32,
        Self::U32,
        Self::S64,
        Self::U64,
        Self::F32,
        Self::F64,
        Self::Char,
        Self::String,
    ];
    /// Number of the first definition in files; those below are for primitive types.
    const FIRST_DEFINED: u32 = 32;

    /// Its number in files.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Defined(index) => index.saturating_add(Self::FIRST_DEFINED),
            Self::Bool => 0,
            Self::S8 => 1,
            Self::U8 => 2,
            Self::S16 => 3,
            Self::U16 => 4,
            Self::S32 => 5,
            Self::U32 => 6,
            Self::S64 => 7,
            Self::U64 => 8,
            Self::F32 => 9,
            Self::F64 => 10,
            Self::Char => 11,
            Self::String => 12,
        }
    }

    /// The type with this number in files.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        match number.checked_sub(Self::FIRST_DEFINED) {
            Some(index) => Some(Self::Defined(index)),
            None => Self::PRIMITIVES.get(number as usize).copied(),
        }
    }

    fn primitive_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::String => "string",
            Self::Defined(_) => return None,
        })
    }
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name, in kebab case.
    pub name: String,
    /// Its type.
    pub ty: InterfaceType,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// Its name, in kebab case.
    pub name: String,
    /// What it carries.
    pub ty: Option<InterfaceType>,
}

/// A definition of a type. Named ones have unique names; no two others are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum TypeDefinition {
    Record { name: String, fields: Vec<Field> },
    Variant { name: String, cases: Vec<Case> },
    Enum { name: String, cases: Vec<String> },
    Flags { name: String, flags: Vec<String> },
    Tuple(Vec<InterfaceType>),
    List(InterfaceType),
    Option(InterfaceType),
    Result { ok: Option<InterfaceType>, err: Option<InterfaceType> },
}

impl TypeDefinition {
    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Record { name, .. }
            | Self::Variant { name, .. }
            | Self::Enum { name, .. }
            | Self::Flags { name, .. } => Some(name),
            Self::Tuple(_) | Self::List(_) | Self::Option(_) | Self::Result { .. } => None,
        }
    }

    /// Calls `f` on each type that it refers to.
    pub(crate) fn for_each_type(&self, mut f: impl FnMut(InterfaceType)) {
        match self {
            Self::Record { fields, .. } => fields.iter().for_each(|field| f(field.ty)),
            Self::Variant { cases, .. } => cases.iter().filter_map(|case| case.ty).for_each(f),
            Self::Enum { .. } | Self::Flags { .. } => {}
            Self::Tuple(types) => types.iter().copied().for_each(f),
            Self::List(ty) | Self::Option(ty) => f(*ty),
            Self::Result { ok, err } => ok.iter().chain(err).copied().for_each(f),
        }
    }

    /// Calls `f` on each name in it, its own first.
    pub(crate) fn for_each_name<'a>(&'a self, mut f: impl FnMut(&'a str)) {
        match self {
            Self::Record { name, fields } => {
                f(name);
                fields.iter().for_each(|field| f(&field.name));
            }
            Self::Variant { name, cases } => {
                f(name);
                cases.iter().for_each(|case| f(&case.name));
            }
            Self::Enum { name, cases: names } | Self::Flags { name, flags: names } => {
                f(name);
                names.iter().for_each(|name| f(name));
            }
            Self::Tuple(_) | Self::List(_) | Self::Option(_) | Self::Result { .. } => {}
        }
    }
}

/// Interface type of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FunctionType {
    /// Parameters.
    pub params: Vec<Field>,
    /// Result.
    pub result: Option<InterfaceType>,
}

/// Whether `name` is an identifier of WIT: words of one case, joined by single hyphens.
pub(crate) fn is_kebab(name: &str) -> bool {
    !name.is_empty()
        && name.split('-').all(|word| {
            let mut letters = word.bytes();
            match letters.next() {
                Some(first) if first.is_ascii_lowercase() => {
                    letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
                }
                Some(first) if first.is_ascii_uppercase() => {
                    letters.all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
                }
                Some(_) | None => false,
            }
        })
}

/// How values of a type lie in memory and in registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes.
    pub size: u64,
    /// Bytes; a power of two.
    pub align: u64,
    /// Types in registers; cut behind one more than the canonical ABI ever passes so.
    pub flat: Vec<ValueType>,
    /// Whether values have parts elsewhere in memory.
    pub has_pointers: bool,
}

/// Layouts of all definitions of a module.
#[derive(Debug)]
pub struct Layouts {
    address: AddressType,
    defined: Vec<Layout>,
}

impl Layouts {
    /// Lays out `types`, whose references go backwards. A type that is too large gets a fault and a size of zero.
    /// Takes time linear in the number of members.
    pub fn new(types: &[TypeDefinition], address: AddressType, mut report: impl FnMut(usize, Fault)) -> Self {
        let mut layouts = Self { address, defined: Vec::with_capacity(types.len()) };
        for (at, definition) in types.iter().enumerate() {
            let mut layout = layouts.of_definition(definition);
            if layout.size > limits::TYPE_BYTES {
                report(
                    at,
                    Fault::Limit { what: "bytes of a type", count: layout.size, max: limits::TYPE_BYTES },
                );
                layout.size = 0;
            }
            layouts.defined.push(layout);
        }
        layouts
    }

    /// Layout of a type. A definition that does not exist, which was reported where it was read, has none.
    pub fn of(&self, ty: InterfaceType) -> Layout {
        let scalar = |size, flat| Layout { size, align: size, flat: vec![flat], has_pointers: false };
        match ty {
            InterfaceType::Bool | InterfaceType::S8 | InterfaceType::U8 => scalar(1, ValueType::I32),
            InterfaceType::S16 | InterfaceType::U16 => scalar(2, ValueType::I32),
            InterfaceType::S32 | InterfaceType::U32 | InterfaceType::Char => scalar(4, ValueType::I32),
            InterfaceType::S64 | InterfaceType::U64 => scalar(8, ValueType::I64),
            InterfaceType::F32 => scalar(4, ValueType::F32),
            InterfaceType::F64 => scalar(8, ValueType::F64),
            InterfaceType::String => self.pointer_and_length(),
            InterfaceType::Defined(index) => match self.defined.get(index as usize) {
                Some(layout) => layout.clone(),
                None => Layout { size: 0, align: 1, flat: Vec::new(), has_pointers: false },
            },
        }
    }

    fn pointer_and_length(&self) -> Layout {
        let flat = self.address.value_type();
        let size = match self.address {
            AddressType::I32 => 4,
            AddressType::I64 => 8,
        };
        Layout { size: 2 * size, align: size, flat: vec![flat, flat], has_pointers: true }
    }

    fn of_definition(&self, definition: &TypeDefinition) -> Layout {
        match definition {
            TypeDefinition::Record { fields, .. } => self.product(fields.iter().map(|field| field.ty)),
            TypeDefinition::Tuple(types) => self.product(types.iter().copied()),
            TypeDefinition::Variant { cases, .. } => {
                self.sum(cases.len(), cases.iter().filter_map(|case| case.ty))
            }
            TypeDefinition::Enum { cases, .. } => self.sum(cases.len(), std::iter::empty()),
            TypeDefinition::Option(ty) => self.sum(2, std::iter::once(*ty)),
            TypeDefinition::Result { ok, err } => self.sum(2, ok.iter().chain(err).copied()),
            TypeDefinition::Flags { flags, .. } => {
                let size = match flags.len() {
                    0..=8 => 1,
                    9..=16 => 2,
                    _ => 4,
                };
                Layout { size, align: size, flat: vec![ValueType::I32], has_pointers: false }
            }
            TypeDefinition::List(_) => self.pointer_and_length(),
        }
    }

    fn product(&self, types: impl Iterator<Item = InterfaceType>) -> Layout {
        let mut all = Layout { size: 0, align: 1, flat: Vec::new(), has_pointers: false };
        for ty in types {
            let part = self.of(ty);
            // Parts are capped far below 2^64 and so is their number: no sum here overflows.
            all.size = all.size.next_multiple_of(part.align) + part.size;
            all.align = all.align.max(part.align);
            all.flat.extend(part.flat);
            all.flat.truncate(limits::FLAT_PARAMETERS + 1);
            all.has_pointers |= part.has_pointers;
        }
        all.size = all.size.next_multiple_of(all.align);
        all
    }

    fn sum(&self, cases: usize, types: impl Iterator<Item = InterfaceType>) -> Layout {
        let tag = match cases {
            0..=256 => 1,
            257..=65_536 => 2,
            _ => 4,
        };
        let mut all = Layout { size: 0, align: 1, flat: Vec::new(), has_pointers: false };
        for ty in types {
            let part = self.of(ty);
            all.size = all.size.max(part.size);
            all.align = all.align.max(part.align);
            all.has_pointers |= part.has_pointers;
            for (at, &flat) in part.flat.iter().enumerate() {
                match all.flat.get_mut(at) {
                    Some(joined) => *joined = join(*joined, flat),
                    None => all.flat.push(flat),
                }
            }
        }
        let align = all.align.max(tag);
        all.size = (tag.next_multiple_of(all.align) + all.size).next_multiple_of(align);
        all.align = align;
        all.flat.insert(0, ValueType::I32);
        all.flat.truncate(limits::FLAT_PARAMETERS + 1);
        all
    }

    /// The signature that the canonical ABI gives a function, and whether values go through memory.
    /// `exported` says which side of a call the module is on: results that do not fit into registers are
    /// returned by address from an export, and written by an import to an address that it is passed.
    pub(crate) fn flatten(&self, function: &FunctionType, side: Side) -> (Signature, NeedsMemory) {
        let mut memory = NeedsMemory::default();
        let mut params = Vec::new();
        for param in &function.params {
            let layout = self.of(param.ty);
            memory.reads_pointers |= layout.has_pointers;
            params.extend(layout.flat);
            // One more than is passed in registers says enough.
            params.truncate(limits::FLAT_PARAMETERS + 1);
        }
        let address = self.address.value_type();
        if params.len() > limits::FLAT_PARAMETERS {
            params = vec![address];
            memory.params_in_memory = true;
        }
        let mut results = Vec::new();
        if let Some(result) = function.result {
            let layout = self.of(result);
            memory.gives_pointers = layout.has_pointers;
            results = layout.flat;
        }
        if results.len() > limits::FLAT_RESULTS {
            memory.result_in_memory = true;
            match side {
                Side::Export => results = vec![address],
                Side::Import => {
                    params.push(address);
                    results.clear();
                }
            }
        }
        (Signature { params, results }, memory)
    }
}

/// Which side of a call the module is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Import,
    Export,
}

/// What of a call goes through memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NeedsMemory {
    reads_pointers: bool,
    gives_pointers: bool,
    params_in_memory: bool,
    result_in_memory: bool,
}

impl NeedsMemory {
    pub(crate) fn memory(self) -> bool {
        self.reads_pointers || self.gives_pointers || self.params_in_memory || self.result_in_memory
    }

    /// Whether the caller of an export, or the host behind an import, must take memory from the module.
    pub(crate) fn allocator(self, side: Side) -> bool {
        match side {
            Side::Export => self.reads_pointers || self.params_in_memory,
            Side::Import => self.gives_pointers,
        }
    }
}

/// The type that holds either of two.
fn join(a: ValueType, b: ValueType) -> ValueType {
    match (a, b) {
        (a, b) if a == b => a,
        (ValueType::I32, ValueType::F32) | (ValueType::F32, ValueType::I32) => ValueType::I32,
        _ => ValueType::I64,
    }
}

/// Writes `ty` as WIT does: a name, or the structure if it has none. `types` are the module's definitions.
///
/// Definitions refer backwards, but one without a name may stand for a very long text: it is cut at 1,000 bytes.
pub(crate) fn type_text(types: &[TypeDefinition], ty: InterfaceType) -> String {
    let mut text = String::new();
    let mut pending = vec![Piece::Type(ty)];
    while let Some(piece) = pending.pop() {
        if text.len() > limits::NAME_BYTES {
            text.push('…');
            break;
        }
        let ty = match piece {
            Piece::Text(piece) => {
                text.push_str(piece);
                continue;
            }
            Piece::Type(ty) => ty,
        };
        if let Some(name) = ty.primitive_name() {
            text.push_str(name);
            continue;
        }
        let InterfaceType::Defined(index) = ty else { continue };
        // A later piece is pushed first.
        let mut push = |start: &'static str, inside: &[Piece], end: &'static str| {
            pending.push(Piece::Text(end));
            for (at, piece) in inside.iter().enumerate().rev() {
                pending.push(*piece);
                if at > 0 {
                    pending.push(Piece::Text(", "));
                }
            }
            pending.push(Piece::Text(start));
        };
        match types.get(index as usize) {
            None => {
                let _ = write!(text, "type-{index}");
            }
            Some(definition) => match definition {
                TypeDefinition::Record { name, .. }
                | TypeDefinition::Variant { name, .. }
                | TypeDefinition::Enum { name, .. }
                | TypeDefinition::Flags { name, .. } => text.push_str(name),
                TypeDefinition::Tuple(types) => {
                    let inside: Vec<Piece> = types.iter().map(|ty| Piece::Type(*ty)).collect();
                    push("tuple<", &inside, ">");
                }
                TypeDefinition::List(ty) => push("list<", &[Piece::Type(*ty)], ">"),
                TypeDefinition::Option(ty) => push("option<", &[Piece::Type(*ty)], ">"),
                TypeDefinition::Result { ok: None, err: None } => text.push_str("result"),
                TypeDefinition::Result { ok: Some(ok), err: None } => {
                    push("result<", &[Piece::Type(*ok)], ">");
                }
                TypeDefinition::Result { ok, err: Some(err) } => {
                    let ok = ok.map_or(Piece::Text("_"), Piece::Type);
                    push("result<", &[ok, Piece::Type(*err)], ">");
                }
            },
        }
    }
    text
}

/// A part of a type's text, between commas.
#[derive(Clone, Copy)]
enum Piece {
    Type(InterfaceType),
    Text(&'static str),
}

/// Writes a function type as WIT does: `func(a: s32) -> string`.
pub(crate) fn function_text(types: &[TypeDefinition], function: &FunctionType) -> String {
    let mut text = String::from("func(");
    for (at, param) in function.params.iter().enumerate() {
        let _ =
            write!(text, "{}{}: {}", if at > 0 { ", " } else { "" }, param.name, type_text(types, param.ty));
    }
    text.push(')');
    if let Some(result) = function.result {
        let _ = write!(text, " -> {}", type_text(types, result));
    }
    text
}

/// Writes a named definition as WIT does; nothing for the others, which stand where they are used.
pub(crate) fn write_definition(
    f: &mut fmt::Formatter<'_>,
    types: &[TypeDefinition],
    definition: &TypeDefinition,
) -> fmt::Result {
    match definition {
        TypeDefinition::Record { name, fields } => {
            writeln!(f, "record {name} {{")?;
            for field in fields {
                writeln!(f, "  {}: {},", field.name, type_text(types, field.ty))?;
            }
        }
        TypeDefinition::Variant { name, cases } => {
            writeln!(f, "variant {name} {{")?;
            for case in cases {
                match case.ty {
                    Some(ty) => writeln!(f, "  {}({}),", case.name, type_text(types, ty))?,
                    None => writeln!(f, "  {},", case.name)?,
                }
            }
        }
        TypeDefinition::Enum { name, cases } => {
            writeln!(f, "enum {name} {{")?;
            cases.iter().try_for_each(|case| writeln!(f, "  {case},"))?;
        }
        TypeDefinition::Flags { name, flags } => {
            writeln!(f, "flags {name} {{")?;
            flags.iter().try_for_each(|flag| writeln!(f, "  {flag},"))?;
        }
        TypeDefinition::Tuple(_)
        | TypeDefinition::List(_)
        | TypeDefinition::Option(_)
        | TypeDefinition::Result { .. } => return Ok(()),
    }
    writeln!(f, "}}")
}
