//! DWARF: line table, subprograms, call frames. Addresses are relative to the text section.
use std::collections::HashMap;
use std::sync::Arc;

use cranelift_codegen::isa::TargetIsa;
use gimli::write::{
    Address, AttributeValue, DwarfUnit, EhFrame, EndianVec, FileId, FrameTable, LineProgram, LineString,
    RelocateWriter, Relocation, Sections,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian, SectionId};

use super::object::{PlacedFunction, Position};
use super::{CodegenError, MachineCode};
use crate::ssa::Source;

/// Stands for the text section in relocations.
pub const TEXT: usize = 0;

/// A section with its relocations.
#[derive(Clone)]
pub struct Section {
    writer: EndianVec<LittleEndian>,
    /// What to fill in.
    pub relocations: Vec<Relocation>,
}

impl Section {
    fn new() -> Self {
        Self { writer: EndianVec::new(LittleEndian), relocations: Vec::new() }
    }

    /// Contents.
    pub fn bytes(&self) -> &[u8] {
        self.writer.slice()
    }
}

impl RelocateWriter for Section {
    type Writer = EndianVec<LittleEndian>;

    fn writer(&self) -> &Self::Writer {
        &self.writer
    }

    fn writer_mut(&mut self) -> &mut Self::Writer {
        &mut self.writer
    }

    fn relocate(&mut self, relocation: Relocation) {
        self.relocations.push(relocation);
    }
}

fn internal(error: gimli::write::Error) -> CodegenError {
    CodegenError::Internal(format!("debug information: {error}"))
}

/// The `.eh_frame` section. `None` if no function needs unwinding.
///
/// # Errors
/// A fault of ours.
pub fn eh_frame(
    functions: &[PlacedFunction<'_>],
    isa: &dyn TargetIsa,
) -> Result<Option<Section>, CodegenError> {
    let Some(mut cie) = isa.create_systemv_cie() else { return Ok(None) };
    // Relative, so that a position-independent executable needs no relocation at run time.
    cie.fde_address_encoding = gimli::DwEhPe(gimli::DW_EH_PE_pcrel.0 | gimli::DW_EH_PE_sdata4.0);
    let mut table = FrameTable::default();
    let cie = table.add_cie(cie);
    for function in functions {
        if let Some(unwind) = &function.code.unwind {
            let address = Address::Symbol { symbol: TEXT, addend: function.offset as i64 };
            table.add_fde(cie, unwind.to_fde(address));
        }
    }
    let mut section = EhFrame(Section::new());
    table.write_eh_frame(&mut section).map_err(internal)?;
    Ok(Some(section.0))
}

/// The rows of a function's line table: from which offset on the code belongs to which place. The
/// declaration comes first, then every change; `None` is the compiler's own.
pub fn line_rows(
    code: &MachineCode,
    declared: Option<Source>,
    position: &mut dyn FnMut(Source) -> Option<Position>,
) -> Vec<(u32, Option<Position>)> {
    // The code of the compiler's own at the start is the prologue: it belongs to the declaration.
    let mut all = vec![(0, declared.and_then(&mut *position))];
    all.extend(code.lines.iter().filter_map(|row| Some((row.offset, Some(position(row.source?)?)))));
    let offsets: Vec<u32> = all.iter().skip(1).map(|(offset, _)| *offset).collect();
    let mut rows: Vec<(u32, Option<Position>)> = Vec::with_capacity(all.len());
    for (index, (offset, at)) in all.into_iter().enumerate() {
        let superseded = offsets.get(index) == Some(&offset);
        // The first row stands even then: without it the function has no declaration line.
        if superseded && index > 0 || rows.last().is_some_and(|(_, last)| *last == at) {
            continue;
        }
        rows.push((offset, at));
    }
    rows
}

/// The debug sections: one compilation unit for the whole object.
///
/// # Errors
/// A fault of ours.
pub fn debug_sections(
    functions: &[PlacedFunction<'_>],
    text_size: u64,
    entry: &str,
    position: &mut dyn FnMut(Source) -> Option<Position>,
) -> Result<Vec<(SectionId, Section)>, CodegenError> {
    let encoding = Encoding { format: Format::Dwarf32, version: 5, address_size: 8 };
    let mut dwarf = DwarfUnit::new(encoding);
    let string = |dwarf: &mut DwarfUnit, text: &str| {
        let text = if text.is_empty() { "?" } else { text };
        LineString::new(text.replace('\0', "?"), encoding, &mut dwarf.line_strings)
    };
    let (directory, name) = (string(&mut dwarf, "."), string(&mut dwarf, entry));
    let mut program = LineProgram::new(encoding, LineEncoding::default(), directory, None, name, None);
    let mut files: HashMap<Arc<str>, FileId> = HashMap::new();
    program.begin_sequence(Some(Address::Symbol { symbol: TEXT, addend: 0 }));
    let root = dwarf.unit.root();
    {
        let producer = format!("vitte {}", env!("CARGO_PKG_VERSION"));
        let (producer, entry) = (dwarf.strings.add(producer), dwarf.strings.add(entry.replace('\0', "?")));
        let directory = dwarf.strings.add(".");
        let unit = dwarf.unit.get_mut(root);
        unit.set(gimli::DW_AT_producer, AttributeValue::StringRef(producer));
        // No language of ours is registered; debuggers handle scalars and names as they do C's.
        unit.set(gimli::DW_AT_language, AttributeValue::Language(gimli::DW_LANG_C11));
        unit.set(gimli::DW_AT_name, AttributeValue::StringRef(entry));
        unit.set(gimli::DW_AT_comp_dir, AttributeValue::StringRef(directory));
        let start = Address::Symbol { symbol: TEXT, addend: 0 };
        unit.set(gimli::DW_AT_low_pc, AttributeValue::Address(start));
        unit.set(gimli::DW_AT_high_pc, AttributeValue::Udata(text_size));
    }
    for function in functions {
        let declared = function.declared.and_then(&mut *position);
        let mut file_id = |dwarf: &mut DwarfUnit, program: &mut LineProgram, file: &Arc<str>| {
            if let Some(&id) = files.get(file) {
                return id;
            }
            let name = string(dwarf, file);
            let id = program.add_file(name, program.default_directory(), None);
            files.insert(file.clone(), id);
            id
        };
        let subprogram = dwarf.unit.add(root, gimli::DW_TAG_subprogram);
        let name = dwarf.strings.add(function.name.replace('\0', "?"));
        let declared_file = declared.as_ref().map(|at| file_id(&mut dwarf, &mut program, &at.file));
        let entry = dwarf.unit.get_mut(subprogram);
        entry.set(gimli::DW_AT_name, AttributeValue::StringRef(name));
        // No linkage name: debuggers would show and look up that instead of what the user wrote.
        let start = Address::Symbol { symbol: TEXT, addend: function.offset as i64 };
        entry.set(gimli::DW_AT_low_pc, AttributeValue::Address(start));
        entry.set(gimli::DW_AT_high_pc, AttributeValue::Udata(function.code.bytes.len() as u64));
        if let (Some(at), Some(file)) = (&declared, declared_file) {
            entry.set(gimli::DW_AT_decl_file, AttributeValue::FileIndex(Some(file)));
            entry.set(gimli::DW_AT_decl_line, AttributeValue::Udata(u64::from(at.line)));
        }
        for (index, (offset, at)) in
            line_rows(function.code, function.declared, position).into_iter().enumerate()
        {
            let (file, line, column) = match &at {
                Some(at) => (file_id(&mut dwarf, &mut program, &at.file), at.line, at.column),
                None => (program.row().file, 0, 0),
            };
            let row = program.row();
            row.address_offset = function.offset + u64::from(offset);
            row.file = file;
            row.line = u64::from(line);
            row.column = u64::from(column);
            row.is_statement = line != 0;
            row.prologue_end = index == 1;
            program.generate_row();
        }
    }
    program.end_sequence(text_size);
    dwarf.unit.line_program = program;
    let mut sections = Sections::new(Section::new());
    dwarf.write(&mut sections).map_err(internal)?;
    let mut all = Vec::new();
    let _: Result<(), ()> = sections.for_each(|id, section| {
        if !section.bytes().is_empty() {
            all.push((id, section.clone()));
        }
        Ok(())
    });
    Ok(all)
}
