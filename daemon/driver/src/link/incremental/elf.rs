//! The ELF executable around the code: position-independent unless it shall be loaded at a certain place, bound to the C library when it starts,
//! relocations read-only after that. System V ABI, chapters 4 and 5, and its supplement for x86-64.
//!
//! The file is, in order: headers; what is only read; code; what is read-only once the program has
//! started; data; sections for debuggers; symbols; section headers. Segments follow each other in the
//! file without gaps: a page that two of them share is mapped twice.
use std::collections::{BTreeMap, HashMap};

use object::elf;
use vitte_compiler::codegen::data::DataSection;

use super::super::embedded::INTERPRETER;
use super::super::startup;

const PAGE: u64 = 4096;
const FILE_HEADER: u64 = 64;
const SEGMENT_HEADER: u64 = 56;
const SECTION_HEADER: u64 = 64;
const SYMBOL: u64 = 24;
const RELOCATION: u64 = 24;
const SEGMENTS: u64 = 10;
/// Bytes of a stub that jumps to an imported function.
const STUB: u64 = 8;
/// Length, pointer to the common entry, address and range of a frame's entry.
pub(super) const FRAME_HEADER: u64 = 16;
/// Where in it the range is.
pub(super) const FRAME_RANGE: usize = 12;

/// The functions of the C library that a program calls, sorted by name.
#[derive(Debug)]
pub(super) struct Imports {
    names: Vec<&'static str>,
    /// The number of each.
    numbers: HashMap<&'static str, u32>,
    dynamic_strings: Vec<u8>,
    /// Offsets in `dynamic_strings` of the libraries' names, and of the functions'.
    libraries: Vec<u64>,
    functions: Vec<u64>,
}

impl Imports {
    /// `names` are functions with the libraries that hold them.
    pub(super) fn new(names: &BTreeMap<&'static str, &str>) -> Self {
        let mut dynamic_strings = vec![0];
        let mut add = |text: &str| {
            let at = dynamic_strings.len() as u64;
            dynamic_strings.extend_from_slice(text.as_bytes());
            dynamic_strings.push(0);
            at
        };
        let sonames: std::collections::BTreeSet<_> = names.values().copied().collect();
        let libraries = sonames.into_iter().map(&mut add).collect();
        let functions = names.keys().map(|name| add(name)).collect();
        Self {
            numbers: names.keys().copied().zip(0..).collect(),
            names: names.keys().copied().collect(),
            dynamic_strings,
            libraries,
            functions,
        }
    }

    fn count(&self) -> u64 {
        self.names.len() as u64
    }

    /// Bytes of all stubs, which begin the text section.
    pub(super) fn stub_bytes(&self) -> u64 {
        (self.count() * STUB).next_multiple_of(16)
    }

    /// The number of a function, by which [`stub`] knows it.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    fn dynamic_entries(&self) -> u64 {
        // NEEDED for each library and 13 more, see `write_dynamic`.
        self.libraries.len() as u64 + 13
    }
}

/// Where in the text section the stub of an imported function is.
pub(super) fn stub(number: u32) -> u64 {
    u64::from(number) * STUB
}

/// How large the parts are, in bytes if nothing else is said.
#[derive(Debug)]
pub(super) struct Sizes {
    /// Where the program is loaded: 0 for a place of the system's choice.
    pub(super) base: u64,
    /// What runs before the entry code, which it is followed by.
    pub(super) prologue: u64,
    pub(super) text: u64,
    pub(super) common_frame: u64,
    pub(super) frames: u64,
    /// How many frames.
    pub(super) frame_count: u64,
    pub(super) data: u64,
    pub(super) bss: u64,
    /// How many places in data hold addresses.
    pub(super) pointers: u64,
    /// `None`: there is nothing for debuggers.
    pub(super) debug: Option<DebugSizes>,
    /// `None`: there are no symbols.
    pub(super) symbols: Option<SymbolSizes>,
}

#[derive(Debug)]
pub(super) struct DebugSizes {
    pub(super) line: u64,
    pub(super) info: u64,
}

#[derive(Debug)]
pub(super) struct SymbolSizes {
    /// How many functions.
    pub(super) functions: u64,
    /// Their names with a NUL after each.
    pub(super) names: u64,
}

/// A section's place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// In the file.
    pub(super) offset: u64,
    /// In memory; 0 for what is not loaded.
    pub(super) address: u64,
    /// In the file, in bytes.
    pub(super) size: u64,
}

impl Place {
    fn end(self) -> u64 {
        self.offset + self.size
    }
}

/// Where the sections for debuggers are.
#[derive(Debug)]
pub(super) struct DebugPlaces {
    abbreviations: Place,
    pub(super) line: Place,
    pub(super) info: Place,
}

/// Where the symbol table and its names are.
#[derive(Debug)]
struct SymbolPlaces {
    table: Place,
    names: Place,
}

/// Where everything is.
#[derive(Debug)]
pub(super) struct Layout {
    interpreter: Place,
    hash: Place,
    dynamic_symbols: Place,
    dynamic_strings: Place,
    relocations: Place,
    pub(super) frame_table: Place,
    pub(super) frames: Place,
    pub(super) text: Place,
    dynamic: Place,
    got: Place,
    /// End in memory of what becomes read-only, a multiple of the page.
    relro_end: u64,
    pub(super) data: Place,
    pub(super) bss_address: u64,
    bss_size: u64,
    pub(super) debug: Option<DebugPlaces>,
    symbols: Option<SymbolPlaces>,
    section_names: Place,
    section_headers: u64,
    sections: Vec<Section>,
    names: Vec<u8>,
    pub(super) file_size: u64,
    /// Where in memory the stubs of the text section end and the entry code begins, with what runs before it.
    entry: u64,
    prologue: u64,
    base: u64,
}

/// A section header in the making.
#[derive(Debug)]
struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    place: Place,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

/// Hands out places one after the other.
struct Cursor {
    offset: u64,
    /// Added to an offset gives the address.
    shift: u64,
}

impl Cursor {
    fn take(&mut self, size: u64, align: u64) -> Place {
        self.offset = self.offset.next_multiple_of(align);
        let place = Place { offset: self.offset, address: self.offset + self.shift, size };
        self.offset += size;
        place
    }

    /// What follows is in a segment of its own: on other pages in memory, not in the file.
    fn next_segment(&mut self, align: u64) {
        self.offset = self.offset.next_multiple_of(align);
        self.shift += PAGE;
    }

    /// What follows is not loaded.
    fn unloaded(&mut self, size: u64, align: u64) -> Place {
        Place { address: 0, ..self.take(size, align) }
    }
}

impl Layout {
    pub(super) fn new(imports: &Imports, sizes: &Sizes) -> Self {
        let mut at = Cursor { offset: FILE_HEADER + SEGMENTS * SEGMENT_HEADER, shift: sizes.base };
        let interpreter = at.take(INTERPRETER.len() as u64 + 1, 1);
        // A header of 16 bytes, one word of filter, one bucket: it says that nothing is exported.
        let hash = at.take(16 + 8 + 4, 8);
        let dynamic_symbols = at.take((imports.count() + 1) * SYMBOL, 8);
        let dynamic_strings = at.take(imports.dynamic_strings.len() as u64, 1);
        let relocations = at.take((imports.count() + sizes.pointers) * RELOCATION, 8);
        let frame_table = at.take(12 + 8 * sizes.frame_count, 4);
        let frames = at.take(sizes.common_frame + sizes.frames + 4, 8);
        at.next_segment(16);
        let text = at.take(sizes.text, 16);
        at.next_segment(16);
        let dynamic = at.take(imports.dynamic_entries() * 16, 16);
        let got = at.take(imports.count() * 8, 8);
        let relro_end = (got.address + got.size).next_multiple_of(PAGE);
        at.next_segment(16);
        // Two segments must not share a page in memory.
        while at.offset + at.shift < relro_end {
            at.shift += PAGE;
        }
        let data = at.take(sizes.data, 16);
        let bss_address = (data.address + data.size).next_multiple_of(64);
        let debug = sizes.debug.as_ref().map(|sizes| DebugPlaces {
            abbreviations: at.unloaded(super::dwarf::ABBREVIATIONS.len() as u64, 1),
            line: at.unloaded(sizes.line, 1),
            info: at.unloaded(sizes.info, 1),
        });
        let symbols = sizes.symbols.as_ref().map(|sizes| SymbolPlaces {
            // One for nothing and one for the entry code besides the functions.
            table: at.unloaded((sizes.functions + 2) * SYMBOL, 8),
            names: at.unloaded(1 + sizes.names + startup::ENTRY.len() as u64 + 1, 1),
        });
        let mut layout = Self {
            interpreter,
            hash,
            dynamic_symbols,
            dynamic_strings,
            relocations,
            frame_table,
            frames,
            entry: text.address + imports.stub_bytes(),
            prologue: sizes.prologue,
            base: sizes.base,
            text,
            dynamic,
            got,
            relro_end,
            data,
            bss_address,
            bss_size: sizes.bss,
            debug,
            symbols,
            section_names: Place::default(),
            section_headers: 0,
            sections: Vec::new(),
            names: vec![0],
            file_size: 0,
        };
        layout.add_sections();
        layout.section_names = at.unloaded(layout.names.len() as u64, 1);
        if let Some(section) = layout.sections.last_mut() {
            section.place = layout.section_names;
        }
        layout.section_headers = at.offset.next_multiple_of(8);
        layout.file_size = layout.section_headers + (layout.sections.len() as u64 + 1) * SECTION_HEADER;
        layout
    }

    /// Numbers begin at 1: the first header stands for nothing.
    fn add_sections(&mut self) {
        let (alloc, write, code) =
            (u64::from(elf::SHF_ALLOC), u64::from(elf::SHF_WRITE), u64::from(elf::SHF_EXECINSTR));
        self.section(".interp", elf::SHT_PROGBITS, alloc, self.interpreter, 1);
        self.section(".gnu.hash", elf::SHT_GNU_HASH, alloc, self.hash, 8).link = 3;
        let dynamic_symbols = self.section(".dynsym", elf::SHT_DYNSYM, alloc, self.dynamic_symbols, 8);
        (dynamic_symbols.link, dynamic_symbols.info, dynamic_symbols.entry) = (4, 1, SYMBOL);
        self.section(".dynstr", elf::SHT_STRTAB, alloc, self.dynamic_strings, 1);
        let relocations = self.section(".rela.dyn", elf::SHT_RELA, alloc, self.relocations, 8);
        (relocations.link, relocations.entry) = (3, RELOCATION);
        self.section(".eh_frame_hdr", elf::SHT_PROGBITS, alloc, self.frame_table, 4);
        self.section(".eh_frame", elf::SHT_PROGBITS, alloc, self.frames, 8);
        self.section(".text", elf::SHT_PROGBITS, alloc | code, self.text, 16);
        let dynamic = self.section(".dynamic", elf::SHT_DYNAMIC, alloc | write, self.dynamic, 16);
        (dynamic.link, dynamic.entry) = (4, 16);
        self.section(".got", elf::SHT_PROGBITS, alloc | write, self.got, 8).entry = 8;
        self.section(".data", elf::SHT_PROGBITS, alloc | write, self.data, 16);
        let bss = Place { offset: self.data.end(), address: self.bss_address, size: self.bss_size };
        self.section(".bss", elf::SHT_NOBITS, alloc | write, bss, 64);
        if let Some(DebugPlaces { abbreviations, line, info }) = self.debug {
            self.section(".debug_abbrev", elf::SHT_PROGBITS, 0, abbreviations, 1);
            self.section(".debug_line", elf::SHT_PROGBITS, 0, line, 1);
            self.section(".debug_info", elf::SHT_PROGBITS, 0, info, 1);
        }
        if let Some(SymbolPlaces { table, names }) = self.symbols {
            let link = self.sections.len() as u32 + 2;
            // All but `main` and the entry code are local.
            let locals = (table.size / SYMBOL) as u32 - 2;
            let section = self.section(".symtab", elf::SHT_SYMTAB, 0, table, 8);
            (section.link, section.info, section.entry) = (link, locals, SYMBOL);
            self.section(".strtab", elf::SHT_STRTAB, 0, names, 1);
        }
        self.section(".shstrtab", elf::SHT_STRTAB, 0, Place::default(), 1);
    }

    fn section(&mut self, name: &str, kind: u32, flags: u64, place: Place, align: u64) -> &mut Section {
        let at = self.names.len() as u32;
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
        let section = Section { name: at, kind, flags, place, link: 0, info: 0, align, entry: 0 };
        let index = self.sections.len();
        self.sections.push(section);
        &mut self.sections[index]
    }

    /// The number of a section, by name.
    fn section_number(&self, name: &str) -> u16 {
        let is_named = |section: &Section| {
            let at = section.name as usize;
            self.names.get(at..at + name.len()) == Some(name.as_bytes())
                && self.names.get(at + name.len()) == Some(&0)
        };
        self.sections.iter().position(is_named).map_or(0, |index| index as u16 + 1)
    }
}

fn u16_to(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn u32_to(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn u64_to(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Fills up with zeros to an offset in the file.
pub(super) fn pad_to(out: &mut Vec<u8>, offset: u64) {
    debug_assert!(out.len() as u64 <= offset, "{} is past {offset}", out.len());
    out.resize(offset as usize, 0);
}

/// Everything before the frames: headers, what the dynamic loader reads.
pub(super) fn write_head(out: &mut Vec<u8>, imports: &Imports, layout: &Layout, data: &DataSection) {
    out.extend_from_slice(&[0x7f, b'E', b'L', b'F', elf::ELFCLASS64, elf::ELFDATA2LSB, elf::EV_CURRENT]);
    out.extend_from_slice(&[0; 9]);
    u16_to(out, if layout.base == 0 { elf::ET_DYN } else { elf::ET_EXEC });
    u16_to(out, elf::EM_X86_64);
    u32_to(out, u32::from(elf::EV_CURRENT));
    u64_to(out, layout.entry);
    u64_to(out, FILE_HEADER);
    u64_to(out, layout.section_headers);
    u32_to(out, 0);
    for value in [FILE_HEADER, SEGMENT_HEADER, SEGMENTS, SECTION_HEADER] {
        u16_to(out, value as u16);
    }
    u16_to(out, layout.sections.len() as u16 + 1);
    u16_to(out, layout.sections.len() as u16);
    write_segments(out, layout);
    out.extend_from_slice(INTERPRETER.as_bytes());
    out.push(0);
    pad_to(out, layout.hash.offset);
    // One bucket that is empty; symbols that could be looked up begin after the last; one word of filter.
    for value in [1, imports.count() as u32 + 1, 1, 0, 0, 0, 0] {
        u32_to(out, value);
    }
    pad_to(out, layout.dynamic_symbols.offset);
    out.extend_from_slice(&[0; SYMBOL as usize]);
    for name in &imports.functions {
        symbol_to(out, *name as u32, elf::STB_GLOBAL << 4 | elf::STT_NOTYPE, 0, 0, 0);
    }
    out.extend_from_slice(&imports.dynamic_strings);
    pad_to(out, layout.relocations.offset);
    for &(place, target) in &data.pointers {
        u64_to(out, layout.data.address + place);
        u64_to(out, u64::from(elf::R_X86_64_RELATIVE));
        u64_to(out, layout.data.address + target);
    }
    for index in 0..imports.count() {
        u64_to(out, layout.got.address + index * 8);
        u64_to(out, (index + 1) << 32 | u64::from(elf::R_X86_64_GLOB_DAT));
        u64_to(out, 0);
    }
}

fn symbol_to(out: &mut Vec<u8>, name: u32, info: u8, section: u16, value: u64, size: u64) {
    u32_to(out, name);
    out.extend_from_slice(&[info, elf::STV_DEFAULT]);
    u16_to(out, section);
    u64_to(out, value);
    u64_to(out, size);
}

fn write_segments(out: &mut Vec<u8>, layout: &Layout) {
    let mut segment = |kind, flags, place: Place, memory: u64, align| {
        u32_to(out, kind);
        u32_to(out, flags);
        for value in [place.offset, place.address, place.address, place.size, memory, align] {
            u64_to(out, value);
        }
    };
    let (read, write, code) = (elf::PF_R, elf::PF_W, elf::PF_X);
    let headers = FILE_HEADER + layout.base;
    let headers = Place { offset: FILE_HEADER, address: headers, size: SEGMENTS * SEGMENT_HEADER };
    segment(elf::PT_PHDR, read, headers, headers.size, 8);
    segment(elf::PT_INTERP, read, layout.interpreter, layout.interpreter.size, 1);
    let first = Place { offset: 0, address: layout.base, size: layout.frames.end() };
    segment(elf::PT_LOAD, read, first, first.size, PAGE);
    segment(elf::PT_LOAD, read | code, layout.text, layout.text.size, PAGE);
    let relro = Place { size: layout.got.end() - layout.dynamic.offset, ..layout.dynamic };
    let relro_memory = layout.relro_end - relro.address;
    segment(elf::PT_LOAD, read | write, relro, relro_memory, PAGE);
    let data_memory = layout.bss_address + layout.bss_size - layout.data.address;
    segment(elf::PT_LOAD, read | write, layout.data, data_memory, PAGE);
    segment(elf::PT_DYNAMIC, read | write, layout.dynamic, layout.dynamic.size, 8);
    segment(elf::PT_GNU_RELRO, read, relro, relro_memory, 1);
    segment(elf::PT_GNU_EH_FRAME, read, layout.frame_table, layout.frame_table.size, 4);
    segment(elf::PT_GNU_STACK, read | write, Place::default(), 0, 16);
}

/// The table by which unwinders find a frame: `.eh_frame_hdr` of the Linux Standard Base, section 10.6.2.
pub(super) struct FrameTable {
    base: u64,
}

impl FrameTable {
    pub(super) fn begin(out: &mut Vec<u8>, layout: &Layout) -> Self {
        let base = layout.frame_table.address;
        // Version; a relative pointer, a plain count, entries relative to the table's beginning.
        out.extend_from_slice(&[1, 0x1b, 0x03, 0x3b]);
        u32_to(out, layout.frames.address.wrapping_sub(base + 4) as u32);
        u32_to(out, ((layout.frame_table.size - 12) / 8) as u32);
        Self { base }
    }

    pub(super) fn entry(&mut self, out: &mut Vec<u8>, function: u64, frame: u64) {
        u32_to(out, function.wrapping_sub(self.base) as u32);
        u32_to(out, frame.wrapping_sub(self.base) as u32);
    }
}

/// The stubs through which imported functions are called: `jmp [rip + slot]` and two bytes of padding.
pub(super) fn write_stubs(out: &mut Vec<u8>, imports: &Imports, layout: &Layout) {
    for index in 0..imports.count() {
        let slot = layout.got.address + index * 8;
        let next = layout.text.address + index * STUB + 6;
        out.extend_from_slice(&[0xff, 0x25]);
        u32_to(out, slot.wrapping_sub(next) as u32);
        out.extend_from_slice(&[0xcc; 2]);
    }
    out.resize((layout.text.offset + imports.stub_bytes()) as usize, 0xcc);
}

/// The entry code behind what runs before it, with `main` at an offset of the text section.
pub(super) fn write_startup(
    out: &mut Vec<u8>,
    imports: &Imports,
    layout: &Layout,
    prologue: &[u8],
    main: u64,
) {
    out.extend_from_slice(prologue);
    let start = out.len();
    let entry = layout.entry + layout.prologue;
    out.extend_from_slice(startup::CODE);
    let mut fill = |at: u64, target: u64| {
        let value = target.wrapping_sub(entry + at + 4) as u32;
        let at = start + at as usize;
        out[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    fill(startup::MAIN_AT, layout.text.address + main);
    let libc_start = imports.names.iter().position(|name| *name == startup::LIBC_START).unwrap_or(0);
    fill(startup::LIBC_START_AT, layout.got.address + libc_start as u64 * 8);
}

/// The dynamic section, the table of imported addresses and the data.
pub(super) fn write_writable(out: &mut Vec<u8>, imports: &Imports, layout: &Layout, data: &DataSection) {
    pad_to(out, layout.dynamic.offset);
    let mut entry = |tag: i64, value: u64| {
        u64_to(out, tag as u64);
        u64_to(out, value);
    };
    for name in &imports.libraries {
        entry(elf::DT_NEEDED, *name);
    }
    entry(elf::DT_GNU_HASH, layout.hash.address);
    entry(elf::DT_STRTAB, layout.dynamic_strings.address);
    entry(elf::DT_SYMTAB, layout.dynamic_symbols.address);
    entry(elf::DT_STRSZ, layout.dynamic_strings.size);
    entry(elf::DT_SYMENT, SYMBOL);
    entry(elf::DT_RELA, layout.relocations.address);
    entry(elf::DT_RELASZ, layout.relocations.size);
    entry(elf::DT_RELAENT, RELOCATION);
    entry(elf::DT_RELACOUNT, layout.relocations.size / RELOCATION - imports.count());
    entry(elf::DT_FLAGS, u64::from(elf::DF_BIND_NOW));
    let anywhere = if layout.base == 0 { elf::DF_1_PIE } else { 0 };
    entry(elf::DT_FLAGS_1, u64::from(elf::DF_1_NOW | anywhere));
    // The dynamic loader leaves the address of its list of libraries here, for debuggers.
    entry(elf::DT_DEBUG, 0);
    entry(elf::DT_NULL, 0);
    pad_to(out, layout.got.end());
    pad_to(out, layout.data.offset);
    out.extend_from_slice(&data.bytes);
}

/// A function's symbol.
pub(super) struct FunctionSymbol {
    /// Bytes of its name, with the NUL.
    pub(super) name: u32,
    /// In the text section.
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) global: bool,
}

/// Where in the file the size of a symbol is; `None` without symbols.
pub(super) fn symbol_size_at(layout: &Layout, number: u64) -> Option<u64> {
    layout.symbols.as_ref().map(|symbols| symbols.table.offset + number * SYMBOL + 16)
}

/// The symbols, with the `names` of all functions, and the section headers.
pub(super) fn write_tail(
    out: &mut Vec<u8>,
    layout: &Layout,
    functions: impl Iterator<Item = FunctionSymbol>,
    names: &[u8],
) {
    if let Some(symbols) = &layout.symbols {
        pad_to(out, symbols.table.offset);
        let text = layout.section_number(".text");
        let (local, global) = (elf::STB_LOCAL << 4 | elf::STT_FUNC, elf::STB_GLOBAL << 4 | elf::STT_FUNC);
        out.extend_from_slice(&[0; SYMBOL as usize]);
        let mut at = 1;
        let mut last = None;
        for function in functions {
            let address = layout.text.address + function.offset;
            if function.global {
                last = Some((at, address, function.size));
            } else {
                symbol_to(out, at, local, text, address, function.size);
            }
            at += function.name;
        }
        if let Some((name, address, size)) = last {
            symbol_to(out, name, global, text, address, size);
        }
        let size = layout.prologue + startup::CODE.len() as u64;
        symbol_to(out, at, global, text, layout.entry, size);
        out.push(0);
        out.extend_from_slice(names);
        out.extend_from_slice(startup::ENTRY.as_bytes());
        out.push(0);
    }
    pad_to(out, layout.section_names.offset);
    out.extend_from_slice(&layout.names);
    pad_to(out, layout.section_headers);
    out.extend_from_slice(&[0; SECTION_HEADER as usize]);
    for section in &layout.sections {
        u32_to(out, section.name);
        u32_to(out, section.kind);
        u64_to(out, section.flags);
        u64_to(out, section.place.address);
        u64_to(out, section.place.offset);
        u64_to(out, section.place.size);
        u32_to(out, section.link);
        u32_to(out, section.info);
        u64_to(out, section.align);
        u64_to(out, section.entry);
    }
}
