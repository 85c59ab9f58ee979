//! A module's data as bytes.
use crate::MAGIC;
use crate::interface::{Case, Field, FunctionType, InterfaceType, TypeDefinition};
use crate::module::{AddressType, Export, ExportItem, Function, Lines, Module, State, section};
use crate::value::{Signature, Value, ValueType};
use crate::wire::Writer;

/// The one encoding of `module`. For what [`crate::load`] accepted, these are the bytes it was read from; for
/// anything else they are bytes that it refuses.
pub fn encode(module: &Module) -> Vec<u8> {
    let Module {
        version,
        minimum_reader,
        signatures,
        types,
        function_types,
        imports,
        exports,
        functions,
        memory,
        globals,
        table,
        data,
        state,
        lines,
        custom,
        unknown,
    } = module;
    let mut out = Writer::default();
    out.bytes.extend_from_slice(&MAGIC);
    out.bytes.extend_from_slice(&version.to_le_bytes());
    out.bytes.extend_from_slice(&minimum_reader.to_le_bytes());
    let mut section = |number: u8, is_there: bool, content: &dyn Fn(&mut Writer)| {
        if is_there {
            let mut inside = Writer::default();
            content(&mut inside);
            out.byte(number);
            out.bytes(&inside.bytes);
        }
    };
    let has_types = !(signatures.is_empty() && types.is_empty() && function_types.is_empty());
    section(section::TYPES, has_types, &|to| {
        list(to, signatures, signature);
        list(to, types, definition);
        list(to, function_types, function_type);
    });
    section(section::IMPORTS, !imports.is_empty(), &|to| {
        list(to, imports, |to, import| {
            to.name(&import.module);
            to.name(&import.name);
            to.u32(import.signature);
            to.optional(import.interface);
        });
    });
    section(section::EXPORTS, !exports.is_empty(), &|to| list(to, exports, export));
    section(section::FUNCTIONS, !functions.is_empty(), &|to| {
        list(to, functions, |to, function| {
            to.name(&function.name);
            to.u32(function.signature);
        });
    });
    section(section::MEMORY, memory.is_some(), &|to| {
        if let Some(memory) = memory {
            to.byte(match memory.address {
                AddressType::I32 => 0,
                AddressType::I64 => 1,
            });
            to.u64(memory.min_pages);
            to.byte(u8::from(memory.max_pages.is_some()));
            memory.max_pages.iter().for_each(|max| to.u64(*max));
        }
    });
    section(section::GLOBALS, !globals.is_empty(), &|to| {
        list(to, globals, |to, global| {
            to.byte(u8::from(global.mutable));
            value(to, global.init);
        });
    });
    section(section::TABLE, !table.is_empty(), &|to| list(to, table, |to, slot| to.optional(*slot)));
    section(section::CODE, !functions.is_empty(), &|to| list(to, functions, body));
    section(section::DATA, !data.is_empty(), &|to| {
        list(to, data, |to, segment| {
            to.u64(segment.address);
            to.bytes(&segment.bytes);
        });
    });
    section(section::STATE, state.is_some(), &|to| {
        if let Some(State { version, fields }) = state {
            to.u32(*version);
            list(to, fields, |to, field| {
                to.name(&field.name);
                interface_type(to, field.ty);
                to.u64(field.address);
            });
        }
    });
    let has_lines = !(lines.files.is_empty() && lines.functions.is_empty());
    section(section::LINES, has_lines, &|to| write_lines(to, lines));
    section(section::CUSTOM, !custom.is_empty(), &|to| {
        list(to, custom, |to, custom| {
            to.name(&custom.name);
            to.bytes(&custom.bytes);
        });
    });
    for section in unknown {
        out.byte(section.number);
        out.bytes(&section.bytes);
    }
    out.bytes
}

fn list<T>(to: &mut Writer, items: &[T], mut each: impl FnMut(&mut Writer, &T)) {
    to.count(items.len());
    items.iter().for_each(|item| each(to, item));
}

fn value_type(to: &mut Writer, ty: ValueType) {
    to.byte(ty.number());
}

fn signature(to: &mut Writer, signature: &Signature) {
    list(to, &signature.params, |to, ty| value_type(to, *ty));
    list(to, &signature.results, |to, ty| value_type(to, *ty));
}

fn interface_type(to: &mut Writer, ty: InterfaceType) {
    to.u32(ty.number());
}

fn optional_type(to: &mut Writer, ty: Option<InterfaceType>) {
    to.optional(ty.map(InterfaceType::number));
}

fn names(to: &mut Writer, names: &[String]) {
    list(to, names, |to, name| to.name(name));
}

fn fields(to: &mut Writer, fields: &[Field]) {
    list(to, fields, |to, field| {
        to.name(&field.name);
        interface_type(to, field.ty);
    });
}

/// Numbers of the kinds of definitions.
pub(crate) mod kind {
    pub(crate) const RECORD: u8 = 0;
    pub(crate) const VARIANT: u8 = 1;
    pub(crate) const ENUM: u8 = 2;
    pub(crate) const FLAGS: u8 = 3;
    pub(crate) const TUPLE: u8 = 4;
    pub(crate) const LIST: u8 = 5;
    pub(crate) const OPTION: u8 = 6;
    pub(crate) const RESULT: u8 = 7;
}

fn definition(to: &mut Writer, definition: &TypeDefinition) {
    match definition {
        TypeDefinition::Record { name, fields: all } => {
            to.byte(kind::RECORD);
            to.name(name);
            fields(to, all);
        }
        TypeDefinition::Variant { name, cases } => {
            to.byte(kind::VARIANT);
            to.name(name);
            list(to, cases, |to, Case { name, ty }| {
                to.name(name);
                optional_type(to, *ty);
            });
        }
        TypeDefinition::Enum { name, cases } => {
            to.byte(kind::ENUM);
            to.name(name);
            names(to, cases);
        }
        TypeDefinition::Flags { name, flags } => {
            to.byte(kind::FLAGS);
            to.name(name);
            names(to, flags);
        }
        TypeDefinition::Tuple(types) => {
            to.byte(kind::TUPLE);
            list(to, types, |to, ty| interface_type(to, *ty));
        }
        TypeDefinition::List(ty) => {
            to.byte(kind::LIST);
            interface_type(to, *ty);
        }
        TypeDefinition::Option(ty) => {
            to.byte(kind::OPTION);
            interface_type(to, *ty);
        }
        TypeDefinition::Result { ok, err } => {
            to.byte(kind::RESULT);
            optional_type(to, *ok);
            optional_type(to, *err);
        }
    }
}

fn function_type(to: &mut Writer, function: &FunctionType) {
    fields(to, &function.params);
    optional_type(to, function.result);
}

fn export(to: &mut Writer, export: &Export) {
    to.name(&export.name);
    match export.item {
        ExportItem::Function { function, interface } => {
            to.byte(0);
            to.u32(function);
            to.optional(interface);
        }
        ExportItem::Memory => to.byte(1),
        ExportItem::Global(global) => {
            to.byte(2);
            to.u32(global);
        }
    }
}

fn value(to: &mut Writer, value: Value) {
    value_type(to, value.ty());
    match value {
        Value::I32(value) => to.i64(i64::from(value)),
        Value::I64(value) => to.i64(value),
        Value::F32(value) => to.bytes.extend_from_slice(&value.to_bits().to_le_bytes()),
        Value::F64(value) => to.bytes.extend_from_slice(&value.to_bits().to_le_bytes()),
    }
}

fn body(to: &mut Writer, function: &Function) {
    let mut inside = Writer::default();
    list(&mut inside, &function.registers, |to, (count, ty)| {
        to.u32(*count);
        value_type(to, *ty);
    });
    inside.bytes.extend_from_slice(&function.code);
    to.bytes(&inside.bytes);
}

fn write_lines(to: &mut Writer, lines: &Lines) {
    names(to, &lines.files);
    // Functions and offsets as differences: nearly all fit into a byte.
    let mut next_function = 0_u32;
    list(to, &lines.functions, |to, lines| {
        to.u32(lines.function.wrapping_sub(next_function));
        next_function = lines.function.wrapping_add(1);
        let mut offset = 0_u32;
        let mut file = 0_u32;
        let mut line = 0_i64;
        list(to, &lines.entries, |to, entry| {
            to.u32(entry.offset.wrapping_sub(offset));
            to.i64(i64::from(entry.file) - i64::from(file));
            to.i64(i64::from(entry.line) - line);
            to.u32(entry.column);
            offset = entry.offset;
            file = entry.file;
            line = i64::from(entry.line);
        });
    });
}
