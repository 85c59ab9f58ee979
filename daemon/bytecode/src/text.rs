//! Disassembly: a module as text, for people. Its interface is written as WIT.
use std::fmt;

use crate::instruction::{Instruction, Register};
use crate::interface::{function_text, write_definition};
use crate::module::{AddressType, ExportItem, Function, Module, Segment};
use crate::value::{Signature, Value};

/// Bytes of a data segment that the text shows.
const DATA_SHOWN: usize = 16;

struct Registers<'a>(&'a [Register]);

impl fmt::Display for Registers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, register) in self.0.iter().enumerate() {
            write!(f, "{}{register}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let results = |f: &mut fmt::Formatter<'_>, results: &[Register]| {
            if results.is_empty() { Ok(()) } else { write!(f, "{} = ", Registers(results)) }
        };
        match self {
            Self::Unreachable | Self::Block | Self::Loop | Self::Else | Self::End => f.write_str(name),
            Self::If { condition } => write!(f, "{name} {condition}"),
            Self::Br { depth } => write!(f, "{name} {depth}"),
            Self::BrIf { condition, depth } => write!(f, "{name} {condition} {depth}"),
            Self::BrTable { index, depths, default } => {
                write!(f, "{name} {index}")?;
                depths.iter().try_for_each(|depth| write!(f, " {depth}"))?;
                write!(f, " else {default}")
            }
            Self::Return { values } if values.is_empty() => f.write_str(name),
            Self::Return { values } => write!(f, "{name} {}", Registers(values)),
            Self::Call { function, args, results: to } => {
                results(f, to)?;
                write!(f, "{name} {function}({})", Registers(args))
            }
            Self::CallImport { import, args, results: to } => {
                results(f, to)?;
                write!(f, "{name} {import}({})", Registers(args))
            }
            Self::CallIndirect { signature, slot, args, results: to } => {
                results(f, to)?;
                write!(f, "{name} [{slot}]({}) as signature {signature}", Registers(args))
            }
            Self::Select { result, condition, if_true, if_false } => {
                write!(f, "{result} = {name} {condition} {if_true} {if_false}")
            }
            Self::Move { result, value } => write!(f, "{result} = {value}"),
            Self::I32Const { result, value } => write!(f, "{result} = {name} {value}"),
            Self::I64Const { result, value } => write!(f, "{result} = {name} {value}"),
            Self::F32Const { result, bits } => write!(f, "{result} = {name} {:?}", f32::from_bits(*bits)),
            Self::F64Const { result, bits } => write!(f, "{result} = {name} {:?}", f64::from_bits(*bits)),
            Self::GlobalGet { result, global } => write!(f, "{result} = {name} {global}"),
            Self::GlobalSet { global, value } => write!(f, "{name} {global} {value}"),
            Self::MemorySize { result } => write!(f, "{result} = {name}"),
            Self::MemoryGrow { result, pages } => write!(f, "{result} = {name} {pages}"),
            Self::MemoryCopy { to, from, length } => write!(f, "{name} [{to}] [{from}] {length}"),
            Self::MemoryFill { to, byte, length } => write!(f, "{name} [{to}] {byte} {length}"),
            Self::Unary { result, value, .. } => write!(f, "{result} = {name} {value}"),
            Self::Binary { result, left, right, .. } => write!(f, "{result} = {name} {left} {right}"),
            Self::Load { result, address, offset, .. } => {
                write!(f, "{result} = {name} [{address} + {offset}]")
            }
            Self::Store { address, offset, value, .. } => write!(f, "{name} [{address} + {offset}] {value}"),
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_debug())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32(value) => write!(f, "{value}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::F32(value) => write!(f, "{value:?}"),
            Self::F64(value) => write!(f, "{value:?}"),
        }
    }
}

impl Module {
    fn write_interface(&self, f: &mut fmt::Formatter<'_>, interface: Option<u32>) -> fmt::Result {
        match interface.and_then(|at| self.function_types.get(at as usize)) {
            Some(function) => write!(f, ": {}", function_text(&self.types, function)),
            None => Ok(()),
        }
    }

    fn write_function(&self, f: &mut fmt::Formatter<'_>, number: usize, function: &Function) -> fmt::Result {
        let empty = Signature::default();
        let signature = self.signatures.get(function.signature as usize).unwrap_or(&empty);
        writeln!(f, "\nfunction {number} {} {signature}", Quoted(&function.name))?;
        let mut next = signature.params.len();
        for (count, ty) in &function.registers {
            let last = next + *count as usize - usize::from(*count > 0);
            match count {
                0 | 1 => writeln!(f, "        r{next}: {ty}")?,
                _ => writeln!(f, "        r{next} to r{last}: {ty}")?,
            }
            next += *count as usize;
        }
        let mut depth = 0_usize;
        let mut place = None;
        for (offset, instruction) in function.instructions() {
            let entry = self.lines.find(number as u32, offset as u32);
            if let Some(entry) = entry
                && place != Some((entry.file, entry.line))
            {
                place = Some((entry.file, entry.line));
                if let Some(file) = self.lines.files.get(entry.file as usize) {
                    writeln!(f, "        ; {file}:{}", entry.line)?;
                }
            }
            let instruction = match instruction {
                Ok(instruction) => instruction,
                Err(fault) => {
                    writeln!(f, "{offset:6x}  ; {fault}")?;
                    break;
                }
            };
            if matches!(instruction, Instruction::End | Instruction::Else) {
                depth = depth.saturating_sub(1);
            }
            // Deep nesting moves no further to the right than a screen is wide.
            let indent = 2 * depth.min(20);
            writeln!(f, "{offset:6x}  {:indent$}{instruction}", "")?;
            if matches!(
                instruction,
                Instruction::Block | Instruction::Loop | Instruction::If { .. } | Instruction::Else
            ) {
                depth += 1;
            }
        }
        Ok(())
    }
}

/// The whole module. Takes time linear in its size, apart from looking up lines.
impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "vitbc {} (readers from {})", self.version, self.minimum_reader)?;
        for definition in &self.types {
            write_definition(f, &self.types, definition)?;
        }
        for (at, import) in self.imports.iter().enumerate() {
            write!(f, "import {at} {} {}", Quoted(&import.module), Quoted(&import.name))?;
            if let Some(signature) = self.signatures.get(import.signature as usize) {
                write!(f, " {signature}")?;
            }
            self.write_interface(f, import.interface)?;
            writeln!(f)?;
        }
        for export in &self.exports {
            write!(f, "export {}", Quoted(&export.name))?;
            match export.item {
                ExportItem::Function { function, interface } => {
                    write!(f, " function {function}")?;
                    self.write_interface(f, interface)?;
                    writeln!(f)?;
                }
                ExportItem::Memory => writeln!(f, " memory")?,
                ExportItem::Global(global) => writeln!(f, " global {global}")?,
            }
        }
        if let Some(memory) = self.memory {
            let bits = match memory.address {
                AddressType::I32 => 32,
                AddressType::I64 => 64,
            };
            write!(f, "memory {bits}-bit, {} pages", memory.min_pages)?;
            match memory.max_pages {
                Some(max) => writeln!(f, ", at most {max}")?,
                None => writeln!(f)?,
            }
        }
        for (at, global) in self.globals.iter().enumerate() {
            let kind = if global.mutable { "variable" } else { "constant" };
            writeln!(f, "global {at} {kind} {} = {}", global.init.ty(), global.init)?;
        }
        for (at, slot) in self.table.iter().enumerate() {
            match slot {
                Some(function) => writeln!(f, "slot {at} function {function}")?,
                None => writeln!(f, "slot {at} empty")?,
            }
        }
        for (at, signature) in self.signatures.iter().enumerate() {
            writeln!(f, "signature {at} {signature}")?;
        }
        for Segment { address, bytes } in &self.data {
            write!(f, "data 0x{address:x}, {} bytes:", bytes.len())?;
            bytes.iter().take(DATA_SHOWN).try_for_each(|byte| write!(f, " {byte:02x}"))?;
            writeln!(f, "{}", if bytes.len() > DATA_SHOWN { " …" } else { "" })?;
        }
        if let Some(state) = &self.state {
            writeln!(f, "state version {}", state.version)?;
            for field in &state.fields {
                let ty = crate::interface::type_text(&self.types, field.ty);
                writeln!(f, "  0x{:x} {}: {ty}", field.address, Quoted(&field.name))?;
            }
        }
        for custom in &self.custom {
            writeln!(f, "custom {} {} bytes", Quoted(&custom.name), custom.bytes.len())?;
        }
        for unknown in &self.unknown {
            writeln!(f, "section {} {} bytes", unknown.number, unknown.bytes.len())?;
        }
        for (number, function) in self.functions.iter().enumerate() {
            self.write_function(f, number, function)?;
        }
        Ok(())
    }
}
