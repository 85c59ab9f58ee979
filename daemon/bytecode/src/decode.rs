//! Bytes as a module's data. Checks all that the bytes themselves decide: order, counts, encodings.
use crate::encode::kind;
use crate::error::{Fault, Report};
use crate::interface::{Case, Field, FunctionType, InterfaceType, TypeDefinition};
use crate::module::{
    AddressType, Custom, Export, ExportItem, Function, FunctionLines, Global, Import, LineEntry, Lines,
    MemoryType, Module, Segment, State, StateField, Unknown, section,
};
use crate::value::{Signature, Value, ValueType};
use crate::wire::Reader;
use crate::{MAGIC, VERSION, limits};

/// Where in the file things are, for the verifier.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) types: Vec<usize>,
    pub(crate) function_types: Vec<usize>,
    pub(crate) signatures: Vec<usize>,
    pub(crate) imports: Vec<usize>,
    pub(crate) exports: Vec<usize>,
    pub(crate) functions: Vec<usize>,
    pub(crate) memory: usize,
    pub(crate) globals: Vec<usize>,
    pub(crate) table: Vec<usize>,
    /// Of each function's code, behind its registers.
    pub(crate) code: Vec<usize>,
    pub(crate) data: Vec<usize>,
    pub(crate) state: Vec<usize>,
    pub(crate) lines: Vec<usize>,
    pub(crate) custom: Vec<usize>,
}

/// Reads what can be read. A section with a fault is left at that fault, and reading goes on with the next.
pub(crate) fn decode(bytes: &[u8], report: &mut Report) -> (Module, Places) {
    let mut module = Module::default();
    let mut places = Places::default();
    let mut reader = Reader::new(bytes);
    if let Err(fault) = header(&mut reader, &mut module) {
        report.add(0, None, fault);
        return (module, places);
    }
    let mut last = 0;
    let mut bodies = Vec::new();
    while !reader.is_at_end() && !report.is_full() {
        let start = reader.offset();
        let (number, mut inside) = match section_of(&mut reader) {
            Ok(read) => read,
            Err(fault) => {
                report.add(start, None, fault);
                break;
            }
        };
        if number <= last {
            report.add(start, None, Fault::SectionOrder(number));
        }
        last = last.max(number);
        if inside.is_at_end() {
            report.add(start, None, Fault::EmptySection(number));
            continue;
        }
        let read = contents(number, &mut inside, &mut module, &mut places, &mut bodies);
        let read = read.and_then(|()| match inside.remaining() {
            0 if says_nothing(number, &module, &bodies) => Err(Fault::EmptySection(number)),
            0 => Ok(()),
            more => Err(Fault::TrailingBytes(more)),
        });
        if let Err(fault) = read {
            let is_of_all = matches!(fault, Fault::UnknownSection(_) | Fault::EmptySection(_));
            let at = if is_of_all { start } else { inside.offset() };
            report.add(at, None, fault);
        }
    }
    if bodies.len() != module.functions.len() {
        let counts = Fault::BodyCount { functions: module.functions.len(), bodies: bodies.len() };
        report.add(bytes.len(), None, counts);
    }
    for (function, (registers, code)) in module.functions.iter_mut().zip(bodies) {
        function.registers = registers;
        function.code = code;
    }
    (module, places)
}

/// Whether a section that was read holds empty lists alone: it is left out then, so that a module has one encoding.
fn says_nothing(number: u8, module: &Module, bodies: &[Body]) -> bool {
    match number {
        section::TYPES => {
            module.signatures.is_empty() && module.types.is_empty() && module.function_types.is_empty()
        }
        section::IMPORTS => module.imports.is_empty(),
        section::EXPORTS => module.exports.is_empty(),
        section::FUNCTIONS => module.functions.is_empty(),
        section::GLOBALS => module.globals.is_empty(),
        section::TABLE => module.table.is_empty(),
        section::CODE => bodies.is_empty(),
        section::DATA => module.data.is_empty(),
        section::LINES => module.lines.files.is_empty() && module.lines.functions.is_empty(),
        section::CUSTOM => module.custom.is_empty(),
        // The others have content of a fixed size, or are another version's.
        _ => false,
    }
}

/// Names and sizes in bytes of the sections of a file, as far as they can be told apart.
pub fn sections(bytes: &[u8]) -> Vec<(&'static str, usize)> {
    let mut reader = Reader::new(bytes);
    let mut sections = Vec::new();
    if header(&mut reader, &mut Module::default()).is_err() {
        return sections;
    }
    while let Ok((number, inside)) = section_of(&mut reader) {
        let name = match number {
            section::TYPES => "types",
            section::IMPORTS => "imports",
            section::EXPORTS => "exports",
            section::FUNCTIONS => "functions",
            section::MEMORY => "memory",
            section::GLOBALS => "globals",
            section::TABLE => "table",
            section::CODE => "code",
            section::DATA => "data",
            section::STATE => "state",
            section::LINES => "lines",
            section::CUSTOM => "custom",
            _ => "unknown",
        };
        sections.push((name, inside.remaining()));
    }
    sections
}

fn header(reader: &mut Reader<'_>, module: &mut Module) -> Result<(), Fault> {
    if reader.remaining() > limits::MODULE_BYTES {
        return Err(Fault::Limit {
            what: "bytes of a module",
            count: reader.remaining() as u64,
            max: limits::MODULE_BYTES as u64,
        });
    }
    if reader.array() != Ok(MAGIC) {
        return Err(Fault::NotBytecode);
    }
    module.version = u16::from_le_bytes(reader.array()?);
    module.minimum_reader = u16::from_le_bytes(reader.array()?);
    if module.minimum_reader == 0 || module.minimum_reader > module.version {
        return Err(Fault::Versions { version: module.version, minimum: module.minimum_reader });
    }
    if module.minimum_reader > VERSION {
        return Err(Fault::TooNew { needed: module.minimum_reader, known: VERSION });
    }
    Ok(())
}

fn section_of<'a>(reader: &mut Reader<'a>) -> Result<(u8, Reader<'a>), Fault> {
    let number = reader.byte()?;
    let length = reader.u32()? as usize;
    Ok((number, reader.part(length)?))
}

type Body = (Vec<(u32, ValueType)>, Vec<u8>);

fn contents(
    number: u8,
    from: &mut Reader<'_>,
    module: &mut Module,
    places: &mut Places,
    bodies: &mut Vec<Body>,
) -> Result<(), Fault> {
    match number {
        section::TYPES => {
            if from.remaining() > limits::TYPES_BYTES {
                return Err(Fault::Limit {
                    what: "bytes of types",
                    count: from.remaining() as u64,
                    max: limits::TYPES_BYTES as u64,
                });
            }
            list(
                from,
                "signatures",
                limits::TYPES,
                &mut module.signatures,
                &mut places.signatures,
                signature,
            )?;
            list(from, "types", limits::TYPES, &mut module.types, &mut places.types, definition)?;
            list(
                from,
                "function types",
                limits::TYPES,
                &mut module.function_types,
                &mut places.function_types,
                |from| Ok(FunctionType { params: fields(from)?, result: optional_type(from)? }),
            )
        }
        section::IMPORTS => {
            list(from, "imports", limits::IMPORTS, &mut module.imports, &mut places.imports, |from| {
                Ok(Import {
                    module: from.name()?,
                    name: from.name()?,
                    signature: from.u32()?,
                    interface: from.optional()?,
                })
            })
        }
        section::EXPORTS => {
            list(from, "exports", limits::EXPORTS, &mut module.exports, &mut places.exports, export)
        }
        section::FUNCTIONS => {
            list(from, "functions", limits::FUNCTIONS, &mut module.functions, &mut places.functions, |from| {
                Ok(Function {
                    name: from.name()?,
                    signature: from.u32()?,
                    registers: Vec::new(),
                    code: Vec::new(),
                })
            })
        }
        section::MEMORY => {
            places.memory = from.offset();
            module.memory = Some(memory(from)?);
            Ok(())
        }
        section::GLOBALS => {
            list(from, "globals", limits::GLOBALS, &mut module.globals, &mut places.globals, |from| {
                Ok(Global { mutable: flag(from, "mutability")?, init: value(from)? })
            })
        }
        section::TABLE => {
            list(from, "slots", limits::TABLE, &mut module.table, &mut places.table, Reader::optional)
        }
        section::CODE => code(from, places, bodies),
        section::DATA => {
            list(from, "data segments", limits::SEGMENTS, &mut module.data, &mut places.data, |from| {
                Ok(Segment { address: from.u64()?, bytes: byte_list(from, limits::MODULE_BYTES)? })
            })
        }
        section::STATE => {
            let state = module.state.insert(State { version: from.u32()?, fields: Vec::new() });
            list(from, "fields", limits::STATE_FIELDS, &mut state.fields, &mut places.state, |from| {
                Ok(StateField { name: from.name()?, ty: interface_type(from)?, address: from.u64()? })
            })
        }
        section::LINES => lines(from, &mut module.lines, &mut places.lines),
        section::CUSTOM => list(
            from,
            "custom sections",
            limits::CUSTOM_SECTIONS,
            &mut module.custom,
            &mut places.custom,
            |from| Ok(Custom { name: from.name()?, bytes: byte_list(from, limits::MODULE_BYTES)? }),
        ),
        // Only a newer format may have them, and only those that it allows this reader to skip.
        _ if number >= section::OPTIONAL && module.version > VERSION => {
            let bytes = from.take(from.remaining())?.to_vec();
            module.unknown.push(Unknown { number, bytes });
            Ok(())
        }
        _ => Err(Fault::UnknownSection(number)),
    }
}

/// Reads a list into `items`, and where each one begins into `places`. What was read before a fault stays.
fn list<'a, T>(
    from: &mut Reader<'a>,
    what: &'static str,
    max: usize,
    items: &mut Vec<T>,
    places: &mut Vec<usize>,
    mut each: impl FnMut(&mut Reader<'a>) -> Result<T, Fault>,
) -> Result<(), Fault> {
    let count = from.count(what, max)?;
    for _ in 0..count {
        places.push(from.offset());
        items.push(each(from)?);
    }
    Ok(())
}

/// A list whose places nobody asks for.
fn plain_list<'a, T>(
    from: &mut Reader<'a>,
    what: &'static str,
    max: usize,
    each: impl FnMut(&mut Reader<'a>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut each = each;
    let count = from.count(what, max)?;
    (0..count).map(|_| each(from)).collect()
}

fn byte_list(from: &mut Reader<'_>, max: usize) -> Result<Vec<u8>, Fault> {
    let length = from.count("bytes", max)?;
    Ok(from.take(length)?.to_vec())
}

fn flag(from: &mut Reader<'_>, what: &'static str) -> Result<bool, Fault> {
    match from.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        number => Err(Fault::Tag { what, number }),
    }
}

fn value_type(from: &mut Reader<'_>) -> Result<ValueType, Fault> {
    let number = from.byte()?;
    ValueType::from_number(number).ok_or(Fault::Tag { what: "type of a register", number })
}

fn signature(from: &mut Reader<'_>) -> Result<Signature, Fault> {
    Ok(Signature {
        params: plain_list(from, "parameters", limits::PARAMETERS, value_type)?,
        results: plain_list(from, "results", limits::RESULTS, value_type)?,
    })
}

fn interface_type(from: &mut Reader<'_>) -> Result<InterfaceType, Fault> {
    known_type(from.u32()?)
}

fn optional_type(from: &mut Reader<'_>) -> Result<Option<InterfaceType>, Fault> {
    from.optional()?.map(known_type).transpose()
}

fn known_type(number: u32) -> Result<InterfaceType, Fault> {
    let missing = Fault::Missing { what: "primitive type", index: u64::from(number), count: 13 };
    InterfaceType::from_number(number).ok_or(missing)
}

fn fields(from: &mut Reader<'_>) -> Result<Vec<Field>, Fault> {
    plain_list(from, "fields", limits::MEMBERS, |from| {
        Ok(Field { name: from.name()?, ty: interface_type(from)? })
    })
}

fn definition(from: &mut Reader<'_>) -> Result<TypeDefinition, Fault> {
    Ok(match from.byte()? {
        kind::RECORD => TypeDefinition::Record { name: from.name()?, fields: fields(from)? },
        kind::VARIANT => TypeDefinition::Variant {
            name: from.name()?,
            cases: plain_list(from, "cases", limits::MEMBERS, |from| {
                Ok(Case { name: from.name()?, ty: optional_type(from)? })
            })?,
        },
        kind::ENUM => TypeDefinition::Enum {
            name: from.name()?,
            cases: plain_list(from, "cases", limits::MEMBERS, Reader::name)?,
        },
        kind::FLAGS => TypeDefinition::Flags {
            name: from.name()?,
            flags: plain_list(from, "flags", limits::FLAGS, Reader::name)?,
        },
        kind::TUPLE => {
            TypeDefinition::Tuple(plain_list(from, "parts of a tuple", limits::MEMBERS, interface_type)?)
        }
        kind::LIST => TypeDefinition::List(interface_type(from)?),
        kind::OPTION => TypeDefinition::Option(interface_type(from)?),
        kind::RESULT => TypeDefinition::Result { ok: optional_type(from)?, err: optional_type(from)? },
        number => return Err(Fault::Tag { what: "kind of type", number }),
    })
}

fn export(from: &mut Reader<'_>) -> Result<Export, Fault> {
    let name = from.name()?;
    let item = match from.byte()? {
        0 => ExportItem::Function { function: from.u32()?, interface: from.optional()? },
        1 => ExportItem::Memory,
        2 => ExportItem::Global(from.u32()?),
        number => return Err(Fault::Tag { what: "kind of export", number }),
    };
    Ok(Export { name, item })
}

fn memory(from: &mut Reader<'_>) -> Result<MemoryType, Fault> {
    let address = match from.byte()? {
        0 => AddressType::I32,
        1 => AddressType::I64,
        number => return Err(Fault::Tag { what: "type of address", number }),
    };
    let min_pages = from.u64()?;
    let max_pages = if flag(from, "sign of a maximum")? { Some(from.u64()?) } else { None };
    Ok(MemoryType { address, min_pages, max_pages })
}

fn value(from: &mut Reader<'_>) -> Result<Value, Fault> {
    Ok(match value_type(from)? {
        ValueType::I32 => Value::I32(from.i32()?),
        ValueType::I64 => Value::I64(from.i64()?),
        ValueType::F32 => Value::F32(f32::from_bits(u32::from_le_bytes(from.array()?))),
        ValueType::F64 => Value::F64(f64::from_bits(u64::from_le_bytes(from.array()?))),
    })
}

fn code(from: &mut Reader<'_>, places: &mut Places, bodies: &mut Vec<Body>) -> Result<(), Fault> {
    let count = from.count("bodies", limits::FUNCTIONS)?;
    for _ in 0..count {
        let length = from.count("bytes of a body", limits::BODY_BYTES)?;
        let mut inside = from.part(length)?;
        let registers = plain_list(&mut inside, "runs of registers", limits::REGISTERS, |from| {
            Ok((from.u32()?, value_type(from)?))
        })?;
        places.code.push(inside.offset());
        bodies.push((registers, inside.take(inside.remaining())?.to_vec()));
    }
    Ok(())
}

fn lines(from: &mut Reader<'_>, lines: &mut Lines, places: &mut Vec<usize>) -> Result<(), Fault> {
    lines.files = plain_list(from, "files", limits::FILES, Reader::name)?;
    let mut next_function = 0_u32;
    list(from, "functions with lines", limits::FUNCTIONS, &mut lines.functions, places, |from| {
        let function = next_function.checked_add(from.u32()?).ok_or(Fault::IntegerTooLarge)?;
        next_function = function.checked_add(1).ok_or(Fault::IntegerTooLarge)?;
        let mut last = LineEntry { offset: 0, file: 0, line: 0, column: 0 };
        let mut is_first = true;
        let entries = plain_list(from, "lines", limits::BODY_BYTES, |from| {
            let step = from.u32()?;
            if step == 0 && !is_first {
                return Err(Fault::Duplicate("a line's offset"));
            }
            is_first = false;
            last = LineEntry {
                offset: last.offset.checked_add(step).ok_or(Fault::IntegerTooLarge)?,
                file: moved(last.file, from.i64()?)?,
                line: moved(last.line, from.i64()?)?,
                column: from.u32()?,
            };
            Ok(last)
        })?;
        Ok(FunctionLines { function, entries })
    })
}

fn moved(from: u32, by: i64) -> Result<u32, Fault> {
    let to = i64::from(from).checked_add(by).ok_or(Fault::IntegerTooLarge)?;
    u32::try_from(to).map_err(|_| Fault::IntegerTooLarge)
}
