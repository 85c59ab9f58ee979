//! Executables for macOS, with an ad-hoc signature, which macOS asks of every program for aarch64.
//!
//! Format: Apple's `mach-o/loader.h`, `mach-o/nlist.h` and, for the signature, `kern/cs_blobs.h` of XNU. The addresses of
//! `libSystem`'s functions are bound by the opcodes of `LC_DYLD_INFO_ONLY` when the program starts; what the library
//! offers is a list of names in the compiler, which stands for its stub.
use sha2::{Digest, Sha256};
use vitte_compiler::base::Processor;
use vitte_compiler::codegen::NativeProgram;
use vitte_compiler::codegen::library_of;

use super::{Addresses, Bytes, ImageOptions, STUB, stubs_offset, text_size};

/// What lies below is not mapped, so that no small number is an address.
const BASE: u64 = 0x1_0000_0000;
/// The page of aarch64, which is a multiple of that of x86-64.
const PAGE: u64 = 0x4000;
const HEADER: u64 = 32;
const SEGMENT: u64 = 72;
const SECTION: u64 = 80;
/// The oldest system that knows aarch64: macOS 11.
const SYSTEM: u32 = 11 << 16;
const DATA_SEGMENT: u8 = 2;
const LINKER: &str = "/usr/lib/dyld";

/// A name in a field, with the length that load commands want.
fn text_command_size(header: u64, text: &str) -> u64 {
    (header + text.len() as u64 + 1).next_multiple_of(8)
}

fn uleb(out: &mut Bytes, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.u8(low);
        }
        out.u8(low | 0x80);
    }
}

/// The contents of the last segment, which the dynamic linker and tools read.
struct LinkEdit {
    bytes: Bytes,
    rebase: (u64, u64),
    bind: (u64, u64),
    symbols: (u64, u64),
    locals: u64,
    indirect: u64,
    strings: (u64, u64),
}

pub(super) fn write(program: &NativeProgram, options: ImageOptions<'_>) -> Result<Vec<u8>, String> {
    let (processor, kind) = match program.machine.processor() {
        Processor::X86_64 => (0x0100_0007, 3),
        Processor::Aarch64 => (0x0100_000c, 0),
        Processor::Riscv64 => return Err("no such macOS is known".to_owned()),
    };
    let library = program.imports.first().map_or("", |import| library_of(program.machine, import));
    let has_imports = !program.imports.is_empty();
    let text_sections = 1 + u64::from(has_imports);
    let data_sections = 2 + u64::from(has_imports);
    let linker_size = text_command_size(12, LINKER);
    let library_size = if has_imports { text_command_size(24, library) } else { 0 };
    let segments = 4 * SEGMENT + (text_sections + data_sections) * SECTION;
    // Information for the dynamic linker, two tables of symbols, an identity, versions, the entry, the signature.
    let commands = segments + 48 + 24 + 80 + linker_size + 24 + 24 + 24 + library_size + 16;
    let command_count = 4 + 8 + u32::from(has_imports);
    let text_offset = (HEADER + commands).next_multiple_of(64);
    let text_end = text_offset + text_size(program);
    let data_offset = text_end.next_multiple_of(PAGE);
    let table_size = program.imports.len() as u64 * 8;
    let data = data_offset + table_size.next_multiple_of(64);
    let data_end = data + program.data.len() as u64;
    let state = data_end.next_multiple_of(64);
    let edit_offset = data_end.next_multiple_of(PAGE);
    let edit_address = BASE + (state + program.state_bytes).next_multiple_of(PAGE);
    let slots = (0..program.imports.len() as u64).map(|import| BASE + data_offset + import * 8).collect();
    let addresses = Addresses { text: BASE + text_offset, data: BASE + data, state: BASE + state, slots };
    let stubs = text_offset + stubs_offset(program);
    let edit = link_edit(program, &addresses, options, edit_offset, data - data_offset);
    let signature_offset = (edit_offset + edit.bytes.len()).next_multiple_of(16);
    let signature_size = signature_size(signature_offset, options.name);
    let edit_size = signature_offset + signature_size - edit_offset;

    let mut out = Bytes::default();
    out.u32(0xfeed_facf);
    out.u32(processor);
    out.u32(kind);
    // An executable.
    out.u32(2);
    out.u32(command_count);
    out.u32(commands as u32);
    // No undefined references, for the dynamic linker, two levels of names, at any address.
    out.u32(0x0020_0085);
    out.u32(0);
    let segment = |out: &mut Bytes, name, address, size, offset, filed, protection: u32, sections: u64| {
        out.u32(0x19);
        out.u32((SEGMENT + sections * SECTION) as u32);
        out.field(name, 16);
        for value in [address, size, offset, filed] {
            out.u64(value);
        }
        out.u32(protection);
        out.u32(protection);
        out.u32(sections as u32);
        out.u32(0);
    };
    let section =
        |out: &mut Bytes, name, of, offset: u64, size: u64, align: u32, flags: u32, index: u32, stub: u32| {
            out.field(name, 16);
            out.field(of, 16);
            out.u64(BASE + offset);
            out.u64(size);
            // What is zero has no place in the file.
            out.u32(if flags == 1 { 0 } else { offset as u32 });
            out.u32(align);
            out.u32(0);
            out.u32(0);
            out.u32(flags);
            out.u32(index);
            out.u32(stub);
            out.u32(0);
        };
    segment(&mut out, "__PAGEZERO", 0, BASE, 0, 0, 0, 0);
    segment(&mut out, "__TEXT", BASE, data_offset, 0, data_offset, 5, text_sections);
    section(&mut out, "__text", "__TEXT", text_offset, program.text.len() as u64, 4, 0x8000_0400, 0, 0);
    let imports = program.imports.len() as u64;
    if has_imports {
        let size = imports * STUB;
        section(&mut out, "__stubs", "__TEXT", stubs, size, 4, 0x8000_0408, 0, STUB as u32);
    }
    let held = edit_address - BASE - data_offset;
    let filed = edit_offset - data_offset;
    segment(&mut out, "__DATA", BASE + data_offset, held, data_offset, filed, 3, data_sections);
    if has_imports {
        section(&mut out, "__got", "__DATA", data_offset, table_size, 3, 6, imports as u32, 0);
    }
    section(&mut out, "__data", "__DATA", data, program.data.len() as u64, 4, 0, 0, 0);
    section(&mut out, "__bss", "__DATA", state, program.state_bytes, 6, 1, 0, 0);
    let edit_held = edit_size.next_multiple_of(PAGE);
    segment(&mut out, "__LINKEDIT", edit_address, edit_held, edit_offset, edit_size, 1, 0);
    out.u32(0x8000_0022);
    out.u32(48);
    for (offset, size) in [edit.rebase, edit.bind, (0, 0), (0, 0), (0, 0)] {
        out.u32(if size == 0 { 0 } else { offset as u32 });
        out.u32(size as u32);
    }
    out.u32(2);
    out.u32(24);
    out.u32(edit.symbols.0 as u32);
    out.u32(edit.symbols.1 as u32);
    out.u32(edit.strings.0 as u32);
    out.u32(edit.strings.1 as u32);
    out.u32(0xb);
    out.u32(80);
    let indirect_count = if has_imports { imports * 2 } else { 0 };
    let indirect = if has_imports { edit.indirect } else { 0 };
    let locals = edit.locals;
    for value in
        [0, locals, locals, 0, locals, imports, 0, 0, 0, 0, 0, 0, indirect, indirect_count, 0, 0, 0, 0]
    {
        out.u32(value as u32);
    }
    text_command(&mut out, 0xe, linker_size, &[], LINKER);
    out.u32(0x1b);
    out.u32(24);
    out.bytes(&identity(program));
    out.u32(0x32);
    out.u32(24);
    // macOS, oldest system, system built for, no tools.
    for value in [1, SYSTEM, SYSTEM, 0] {
        out.u32(value);
    }
    out.u32(0x8000_0028);
    out.u32(24);
    out.u64(text_offset + program.entry);
    out.u64(0);
    if has_imports {
        // Without a time; every version since 1.0.
        text_command(&mut out, 0xc, library_size, &[2, 0x1_0000, 0x1_0000], library);
    }
    out.u32(0x1d);
    out.u32(16);
    out.u32(signature_offset as u32);
    out.u32(signature_size as u32);
    out.pad_to(text_offset);
    out.bytes(&addresses.text_of(program)?);
    out.pad_to(data);
    out.bytes(&addresses.data_of(program));
    out.pad_to(edit_offset);
    out.bytes(&edit.bytes.0);
    out.pad_to(signature_offset);
    sign(&mut out, options.name, data_offset);
    out.pad_to(signature_offset + signature_size);
    Ok(out.0)
}

/// A load command that ends with a text.
fn text_command(out: &mut Bytes, command: u32, size: u64, values: &[u32], text: &str) {
    let end = out.len() + size;
    out.u32(command);
    out.u32(size as u32);
    out.u32(12 + values.len() as u32 * 4);
    for value in values {
        out.u32(*value);
    }
    out.bytes(text.as_bytes());
    out.pad_to(end);
}

/// Equal programs have equal identities: a UUID of version 5's shape from their code.
fn identity(program: &NativeProgram) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(program.machine.triple());
    hash.update((program.text.len() as u64).to_le_bytes());
    hash.update(&program.text);
    hash.update(&program.data);
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hash.finalize()[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x50;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

/// `data` is where the program's data begins in its segment.
fn link_edit(
    program: &NativeProgram,
    addresses: &Addresses,
    options: ImageOptions<'_>,
    base: u64,
    data: u64,
) -> LinkEdit {
    let mut out = Bytes::default();
    let align = |out: &mut Bytes| out.pad_to(out.len().next_multiple_of(8));
    let mut pointers = program.pointers.clone();
    pointers.sort_unstable();
    if !pointers.is_empty() {
        // Pointers, each at its place.
        out.u8(0x11);
        for (place, _) in &pointers {
            out.u8(0x20 | DATA_SEGMENT);
            uleb(&mut out, data + place);
            out.u8(0x51);
        }
        out.u8(0);
        align(&mut out);
    }
    let rebase = (base, out.len());
    let bind_from = out.len();
    if !program.imports.is_empty() {
        // Pointers to symbols of the first library.
        out.u8(0x11);
        out.u8(0x51);
        for (number, import) in program.imports.iter().enumerate() {
            out.u8(0x40);
            out.u8(b'_');
            out.bytes(import.as_bytes());
            out.u8(0);
            out.u8(0x70 | DATA_SEGMENT);
            uleb(&mut out, number as u64 * 8);
            out.u8(0x90);
        }
        out.u8(0);
        align(&mut out);
    }
    let bind = (base + bind_from, out.len() - bind_from);
    let (mut symbols, mut strings) = (Bytes::default(), Bytes::default());
    // The first byte of a table of strings is the empty one, by custom after a blank.
    strings.bytes(b" \0");
    let symbol = |symbols: &mut Bytes, strings: &mut Bytes, name: &str, kind, section, about, value| {
        symbols.u32(strings.len() as u32);
        symbols.u8(kind);
        symbols.u8(section);
        symbols.u16(about);
        symbols.u64(value);
        strings.u8(b'_');
        strings.bytes(name.as_bytes());
        strings.u8(0);
    };
    let mut locals = 0;
    if !options.strip {
        for (name, offset, _) in &program.functions {
            symbol(&mut symbols, &mut strings, name, 0x0e, 1, 0, addresses.text + offset);
            locals += 1;
        }
    }
    for import in &program.imports {
        symbol(&mut symbols, &mut strings, import, 0x01, 0, 0x0100, 0);
    }
    let symbols_at = base + out.len();
    let count = symbols.len() / 16;
    out.bytes(&symbols.0);
    let indirect = base + out.len();
    // For the stubs, then for the table.
    for _ in 0..2 {
        for number in 0..program.imports.len() as u64 {
            out.u32((locals + number) as u32);
        }
    }
    let strings_at = base + out.len();
    strings.pad_to(strings.len().next_multiple_of(8));
    let strings_size = strings.len();
    out.bytes(&strings.0);
    LinkEdit {
        bytes: out,
        rebase,
        bind,
        symbols: (symbols_at, count),
        locals,
        indirect,
        strings: (strings_at, strings_size),
    }
}

const SIGNED_PAGE: u64 = 0x1000;
/// Of the blob around it, and of the directory of hashes without the name.
const SIGNATURE_HEADER: u64 = 20;
const DIRECTORY: u64 = 88;

fn signature_size(signed: u64, name: &str) -> u64 {
    let hashes = signed.div_ceil(SIGNED_PAGE) * 32;
    (SIGNATURE_HEADER + DIRECTORY + name.len() as u64 + 1 + hashes).next_multiple_of(16)
}

/// Puts a signature without an identity behind the file: the hashes of its pages. Numbers have the order of the network.
fn sign(out: &mut Bytes, name: &str, text_size: u64) {
    let signed = out.len();
    let pages = signed.div_ceil(SIGNED_PAGE);
    let hashes_at = DIRECTORY + name.len() as u64 + 1;
    let directory_size = hashes_at + pages * 32;
    let mut blob: Vec<u8> = Vec::new();
    let mut number = |value: u32| blob.extend(value.to_be_bytes());
    // One part, the directory, behind this header.
    number(0xfade_0cc0);
    number((SIGNATURE_HEADER + directory_size) as u32);
    number(1);
    number(0);
    number(SIGNATURE_HEADER as u32);
    number(0xfade_0c02);
    number(directory_size as u32);
    // With what says how far the code goes.
    number(0x2_0400);
    // Ad hoc, made by a linker.
    number(0x2_0002);
    number(hashes_at as u32);
    number(DIRECTORY as u32);
    number(0);
    number(pages as u32);
    number(signed as u32);
    // 32 bytes of SHA-256 for pages of 2 to the 12.
    number(0x2002_000c);
    for _ in 0..6 {
        number(0);
    }
    // The code: from the start of the file on, so far, of a main program.
    for value in [0, text_size, 1] {
        number((value >> 32) as u32);
        number(value as u32);
    }
    blob.extend_from_slice(name.as_bytes());
    blob.push(0);
    for page in out.0.chunks(SIGNED_PAGE as usize) {
        blob.extend_from_slice(&Sha256::digest(page));
    }
    out.bytes(&blob);
}
