//! Executables for Windows.
//!
//! Format: Microsoft's "PE Format". The import table is made from the names that the program uses; no import library is needed.
use std::collections::BTreeMap;

use vitte_compiler::base::Processor;
use vitte_compiler::codegen::NativeProgram;
use vitte_compiler::codegen::library_of;

use super::{Addresses, Bytes, text_size};

/// Where executables of 64 bits begin by custom; the system may choose another place.
const BASE: u64 = 0x1_4000_0000;
const SECTION_ALIGNMENT: u64 = 0x1000;
const FILE_ALIGNMENT: u64 = 0x200;
const HEADERS: u64 = 0x400;
/// What a program's stack may grow to: as on Linux.
const STACK: u64 = 8 << 20;

/// The start of the file: what MS-DOS reads, which sends its reader on to offset 64.
const DOS_HEADER: [u8; 64] = {
    let mut header = [0; 64];
    header[0] = b'M';
    header[1] = b'Z';
    header[60] = 64;
    header
};

struct Section {
    name: &'static str,
    address: u64,
    bytes: Vec<u8>,
    size: u64,
    flags: u32,
}

pub(super) fn write(program: &NativeProgram) -> Result<Vec<u8>, String> {
    let machine = match program.machine.processor() {
        Processor::X86_64 => 0x8664,
        Processor::Aarch64 | Processor::Riscv64 => return Err("no such Windows is known".to_owned()),
    };
    let page = |address: u64| address.next_multiple_of(SECTION_ALIGNMENT);
    let text_address = SECTION_ALIGNMENT;
    let imports_address = page(text_address + text_size(program));
    let imports = Imports::of(program, imports_address);
    let data_address = page(imports_address + imports.bytes.len() as u64);
    let state_address = (data_address + program.data.len() as u64).next_multiple_of(64);
    let addresses = Addresses {
        text: BASE + text_address,
        data: BASE + data_address,
        state: BASE + state_address,
        slots: imports.slots.iter().map(|slot| BASE + slot).collect(),
    };
    let relocations = base_relocations(program, data_address);
    let relocations_address = page(state_address + program.state_bytes);
    let text = addresses.text_of(program)?;
    let section = |name, address, bytes: Vec<u8>, flags| {
        let size = bytes.len() as u64;
        Section { name, address, bytes, size, flags }
    };
    let mut sections = vec![
        section(".text", text_address, text, 0x6000_0020),
        section(".idata", imports_address, imports.bytes, 0xc000_0040),
        section(".data", data_address, addresses.data_of(program), 0xc000_0040),
    ];
    if let Some(data) = sections.last_mut() {
        data.size = state_address + program.state_bytes - data_address;
    }
    let relocations_size = relocations.len() as u64;
    if !relocations.is_empty() {
        sections.push(section(".reloc", relocations_address, relocations, 0x4200_0040));
    }
    let image_size = sections.last().map_or(0, |last| page(last.address + last.size));

    let mut out = Bytes::default();
    out.bytes(&DOS_HEADER);
    out.bytes(b"PE\0\0");
    out.u16(machine);
    out.u16(sections.len() as u16);
    // No time, no symbols.
    out.u32(0);
    out.u32(0);
    out.u32(0);
    out.u16(240);
    // An executable that knows addresses beyond 2 GiB.
    out.u16(0x22);
    // The optional header of 64 bits.
    out.u16(0x20b);
    out.u16(0);
    let filed = |section: &Section| (section.bytes.len() as u64).next_multiple_of(FILE_ALIGNMENT);
    out.u32(sections.first().map_or(0, filed) as u32);
    out.u32(sections.iter().skip(1).map(filed).sum::<u64>() as u32);
    out.u32(0);
    out.u32((text_address + program.entry) as u32);
    out.u32(text_address as u32);
    out.u64(BASE);
    out.u32(SECTION_ALIGNMENT as u32);
    out.u32(FILE_ALIGNMENT as u32);
    // Versions of the system and its console: Windows Vista, the first with all that is imported but one.
    for version in [6, 0, 0, 0, 6, 0] {
        out.u16(version);
    }
    out.u32(0);
    out.u32(image_size as u32);
    out.u32(HEADERS as u32);
    out.u32(0);
    // A console program.
    out.u16(3);
    // Anywhere in 64 bits, at random; data is no code; aware of terminal servers.
    out.u16(0x8160);
    out.u64(STACK);
    out.u64(SECTION_ALIGNMENT);
    out.u64(1 << 20);
    out.u64(SECTION_ALIGNMENT);
    out.u32(0);
    out.u32(16);
    for directory in 0..16 {
        let (address, size) = match directory {
            1 => (imports_address, imports.directory_size),
            5 if relocations_size > 0 => (relocations_address, relocations_size),
            12 => (imports.table, imports.table_size),
            _ => (0, 0),
        };
        out.u32(address as u32);
        out.u32(size as u32);
    }
    let mut offset = HEADERS;
    for section in &sections {
        out.field(section.name, 8);
        out.u32(section.size as u32);
        out.u32(section.address as u32);
        out.u32(filed(section) as u32);
        out.u32(offset as u32);
        out.u64(0);
        out.u32(0);
        out.u32(section.flags);
        offset += filed(section);
    }
    out.pad_to(HEADERS);
    for section in &sections {
        let end = out.len() + filed(section);
        out.bytes(&section.bytes);
        out.pad_to(end);
    }
    Ok(out.0)
}

/// The import section: directory, look-up tables, address table, names.
struct Imports {
    bytes: Vec<u8>,
    directory_size: u64,
    /// Addresses, without the base, of what the system fills in for each import.
    slots: Vec<u64>,
    table: u64,
    table_size: u64,
}

impl Imports {
    fn of(program: &NativeProgram, address: u64) -> Self {
        let mut runs: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        for (number, import) in program.imports.iter().enumerate() {
            runs.entry(library_of(program.machine, import)).or_default().push(number);
        }
        let directory_size = (runs.len() as u64 + 1) * 20;
        // The functions of each library end with 0, in both tables.
        let count = program.imports.len() as u64;
        let lookups = directory_size.next_multiple_of(8);
        let lookups_size = (count + runs.len() as u64) * 8;
        let table = lookups + lookups_size;
        let table_size = (count + runs.len() as u64) * 8;
        let mut names = Bytes::default();
        let names_at = table + table_size;
        let mut hints = Vec::new();
        for import in &program.imports {
            hints.push(address + names_at + names.len());
            names.u16(0);
            names.bytes(import.as_bytes());
            names.u8(0);
            names.pad_to(names.len().next_multiple_of(2));
        }
        let mut slots = vec![0; program.imports.len()];
        let (mut directory, mut tables) = (Bytes::default(), Bytes::default());
        for (library, numbers) in &runs {
            let at = tables.len();
            directory.u32((address + lookups + at) as u32);
            directory.u64(0);
            directory.u32((address + names_at + names.len()) as u32);
            directory.u32((address + table + at) as u32);
            names.bytes(library.as_bytes());
            names.u8(0);
            for &number in numbers {
                slots[number] = address + table + tables.len();
                tables.u64(hints[number]);
            }
            tables.u64(0);
        }
        let mut out = directory;
        out.pad_to(lookups);
        out.bytes(&tables.0);
        out.bytes(&tables.0);
        out.bytes(&names.0);
        Self { bytes: out.0, directory_size, slots, table: address + table, table_size }
    }
}

/// Where the system adds what the place that it chose differs by: one block for each page.
fn base_relocations(program: &NativeProgram, data: u64) -> Vec<u8> {
    let mut pages: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
    for (place, _) in &program.pointers {
        let address = data + place;
        pages.entry(address & !0xfff).or_default().push(0xa000 | (address & 0xfff) as u16);
    }
    let mut out = Bytes::default();
    for (page, mut entries) in pages {
        entries.sort_unstable();
        if entries.len() % 2 == 1 {
            entries.push(0);
        }
        out.u32(page as u32);
        out.u32(8 + entries.len() as u32 * 2);
        for entry in entries {
            out.u16(entry);
        }
    }
    out.0
}
