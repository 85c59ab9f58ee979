//! Static executables for Linux: two segments, at fixed addresses, that need nothing of the machine.
//!
//! Format: System V ABI, chapters 4 and 5, and the supplements of the processors.
use vitte_compiler::base::Processor;
use vitte_compiler::codegen::NativeProgram;

use super::{Addresses, Bytes, ImageOptions, text_size};

/// Where programs begin by custom. Low, so that addresses are short.
const BASE: u64 = 0x40_0000;
/// The largest page that a kernel for these machines is built with.
const PAGE: u64 = 0x1_0000;
const HEADER: u64 = 64;
const PROGRAM_HEADER: u64 = 56;
const SECTION_HEADER: u64 = 64;
/// Text and its headers, data, and that the stack is not code.
const SEGMENTS: u64 = 3;

pub(super) fn write(program: &NativeProgram, options: ImageOptions<'_>) -> Result<Vec<u8>, String> {
    if !program.imports.is_empty() {
        return Err("a static executable has no libraries".to_owned());
    }
    let (machine, flags) = match program.machine.processor() {
        Processor::X86_64 => (62, 0),
        Processor::Aarch64 => (183, 0),
        // Floating-point numbers are passed in registers for them.
        Processor::Riscv64 => (243, 4),
    };
    let text_offset = (HEADER + SEGMENTS * PROGRAM_HEADER).next_multiple_of(64);
    let text_end = text_offset + text_size(program);
    let data_offset = text_end.next_multiple_of(64);
    // The same place in its page in the file and in memory, and a page that the text is not in.
    let data = BASE + data_offset + PAGE;
    let data_size = program.data.len() as u64;
    let state = (data + data_size).next_multiple_of(64);
    let addresses = Addresses { text: BASE + text_offset, data, state, slots: Vec::new() };
    let (mut symbols, mut names) = (Bytes::default(), Bytes::default());
    if !options.strip {
        symbol_table(program, &addresses, &mut symbols, &mut names);
    }
    let symbols_offset = (data_offset + data_size).next_multiple_of(8);
    let names_offset = symbols_offset + symbols.len();
    let section_names = b"\0.text\0.data\0.bss\0.symtab\0.strtab\0.shstrtab\0";
    let section_names_offset = names_offset + names.len();
    let sections_offset = (section_names_offset + section_names.len() as u64).next_multiple_of(8);
    let section_count: u16 = if options.strip { 0 } else { 7 };

    let mut out = Bytes::default();
    // 64 bits, little-endian, version 1, System V.
    out.bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    out.u16(2);
    out.u16(machine);
    out.u32(1);
    out.u64(addresses.text + program.entry);
    out.u64(HEADER);
    out.u64(if options.strip { 0 } else { sections_offset });
    out.u32(flags);
    out.u16(HEADER as u16);
    out.u16(PROGRAM_HEADER as u16);
    out.u16(SEGMENTS as u16);
    out.u16(SECTION_HEADER as u16);
    out.u16(section_count);
    out.u16(section_count.saturating_sub(1));
    let mut segment =
        |kind: u32, flags: u32, offset: u64, address: u64, filed: u64, held: u64, align: u64| {
            out.u32(kind);
            out.u32(flags);
            out.u64(offset);
            out.u64(address);
            out.u64(address);
            out.u64(filed);
            out.u64(held);
            out.u64(align);
        };
    segment(1, 5, 0, BASE, text_end, text_end, PAGE);
    segment(1, 6, data_offset, data, data_size, state + program.state_bytes - data, PAGE);
    segment(0x6474_e551, 6, 0, 0, 0, 0, 16);
    out.pad_to(text_offset);
    out.bytes(&addresses.text_of(program)?);
    out.pad_to(data_offset);
    out.bytes(&addresses.data_of(program));
    if options.strip {
        return Ok(out.0);
    }
    out.pad_to(symbols_offset);
    out.bytes(&symbols.0);
    out.bytes(&names.0);
    out.bytes(section_names);
    out.pad_to(sections_offset);
    let local_symbols = (symbols.len() / 24) as u32;
    // Name and kind; flags, address, offset, size; link and info; alignment and size of an entry.
    type Section = (u32, u32, u64, u64, u64, u64, u32, u32, u64, u64);
    let sections: [Section; 7] = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, 1, 6, addresses.text, text_offset, text_end - text_offset, 0, 0, 16, 0),
        (7, 1, 3, data, data_offset, data_size, 0, 0, 16, 0),
        (13, 8, 3, state, data_offset + data_size, program.state_bytes, 0, 0, 64, 0),
        (18, 2, 0, 0, symbols_offset, symbols.len(), 5, local_symbols, 8, 24),
        (26, 3, 0, 0, names_offset, names.len(), 0, 0, 1, 0),
        (34, 3, 0, 0, section_names_offset, section_names.len() as u64, 0, 0, 1, 0),
    ];
    for (name, kind, flags, address, offset, size, link, info, align, entry) in sections {
        out.u32(name);
        out.u32(kind);
        out.u64(flags);
        out.u64(address);
        out.u64(offset);
        out.u64(size);
        out.u32(link);
        out.u32(info);
        out.u64(align);
        out.u64(entry);
    }
    Ok(out.0)
}

/// The functions, for debuggers and profilers.
fn symbol_table(program: &NativeProgram, addresses: &Addresses, symbols: &mut Bytes, names: &mut Bytes) {
    symbols.pad_to(24);
    names.u8(0);
    for (name, offset, size) in &program.functions {
        symbols.u32(names.len() as u32);
        // A local function, in section 1.
        symbols.u8(2);
        symbols.u8(0);
        symbols.u16(1);
        symbols.u64(addresses.text + offset);
        symbols.u64(*size);
        names.bytes(name.as_bytes());
        names.u8(0);
    }
}
