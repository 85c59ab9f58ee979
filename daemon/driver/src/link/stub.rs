//! A shared library that holds only names.
//!
//! A linker needs of `libc.so.6` nothing but the names it exports. A stub with exactly the names
//! that a program uses makes links independent of the machine: no C library, headers or startup
//! files need to be installed. Names carry no version, so that the dynamic loader of any glibc binds
//! each to its base version.
use object::elf;
use object::endian::Endianness;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, Sym, Writer};

use super::symbols::Export;

/// Where the stub pretends to hold code; never loaded.
const BASE: u64 = 0x10000;
/// Distance between symbols, so that none are taken for aliases.
const STRIDE: u64 = 16;

/// A shared object named `soname` that exports `names`, sorted.
pub(super) fn shared_object(soname: &str, names: &[(&str, Export)]) -> Result<Vec<u8>, object::write::Error> {
    let mut buffer = Vec::new();
    let mut out = Writer::new(Endianness::Little, true, &mut buffer);
    out.reserve_file_header();
    out.reserve_program_headers(2);
    out.reserve_null_section_index();
    let text_name = out.add_section_name(b".text");
    let text = out.reserve_section_index();
    let bss_name = out.add_section_name(b".bss");
    let bss = out.reserve_section_index();
    let soname = out.add_dynamic_string(soname.as_bytes());
    out.reserve_null_dynamic_symbol_index();
    let strings: Vec<_> = names
        .iter()
        .map(|(name, _)| {
            out.reserve_dynamic_symbol_index();
            out.add_dynamic_string(name.as_bytes())
        })
        .collect();
    out.reserve_dynsym_section_index();
    out.reserve_dynstr_section_index();
    out.reserve_dynamic_section_index();
    out.reserve_shstrtab_section_index();
    let dynsym_at = out.reserve_dynsym();
    let dynstr_at = out.reserve_dynstr();
    let dynstr_len = out.dynstr_len();
    // SONAME, SYMTAB, STRTAB, STRSZ, SYMENT, NULL
    let dynamic_at = out.reserve_dynamic(6);
    out.reserve_shstrtab();
    out.reserve_section_headers();

    // Data symbols stand apart, each with room for its size.
    let mut bss_len = 0;
    let bss_base = BASE + STRIDE * (names.len() as u64 + 1);
    let symbols: Vec<Sym> = names
        .iter()
        .zip(&strings)
        .enumerate()
        .map(|(i, ((_, export), string))| {
            let (section, kind, st_value, st_size) = match *export {
                Export::Function => (text, elf::STT_FUNC, BASE + STRIDE * i as u64, STRIDE),
                Export::Data(size) => {
                    let at = bss_base + bss_len;
                    bss_len += size.max(1).next_multiple_of(64);
                    (bss, elf::STT_OBJECT, at, size)
                }
            };
            Sym {
                name: Some(*string),
                section: Some(section),
                st_info: (elf::STB_GLOBAL << 4) | kind,
                st_other: elf::STV_DEFAULT,
                st_shndx: 0,
                st_value,
                st_size,
            }
        })
        .collect();

    out.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_DYN,
        e_machine: elf::EM_X86_64,
        e_entry: 0,
        e_flags: 0,
    })?;
    let dynamic_len = 6 * 16;
    let program_header = |p_type, offset: usize, len: u64| ProgramHeader {
        p_type,
        p_flags: elf::PF_R,
        p_offset: offset as u64,
        p_vaddr: offset as u64,
        p_paddr: offset as u64,
        p_filesz: len,
        p_memsz: len,
        p_align: 8,
    };
    out.write_align_program_headers();
    out.write_program_header(&program_header(elf::PT_LOAD, 0, dynamic_at as u64 + dynamic_len));
    out.write_program_header(&program_header(elf::PT_DYNAMIC, dynamic_at, dynamic_len));
    out.write_null_dynamic_symbol();
    for symbol in &symbols {
        out.write_dynamic_symbol(symbol);
    }
    out.write_dynstr();
    out.write_align_dynamic();
    out.write_dynamic_string(elf::DT_SONAME, soname)?;
    out.write_dynamic(elf::DT_SYMTAB, dynsym_at as u64)?;
    out.write_dynamic(elf::DT_STRTAB, dynstr_at as u64)?;
    out.write_dynamic(elf::DT_STRSZ, dynstr_len as u64)?;
    out.write_dynamic(elf::DT_SYMENT, 24)?;
    out.write_dynamic(elf::DT_NULL, 0)?;
    out.write_shstrtab();
    out.write_null_section_header();
    let no_bits = |name, flags: u64, address, size| SectionHeader {
        name: Some(name),
        sh_type: elf::SHT_NOBITS,
        sh_flags: (elf::SHF_ALLOC as u64) | flags,
        sh_addr: address,
        sh_offset: dynamic_at as u64,
        sh_size: size,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 64,
        sh_entsize: 0,
    };
    out.write_section_header(&no_bits(text_name, elf::SHF_EXECINSTR as u64, BASE, bss_base - BASE));
    out.write_section_header(&no_bits(bss_name, elf::SHF_WRITE as u64, bss_base, bss_len));
    out.write_dynsym_section_header(dynsym_at as u64, 1);
    out.write_dynstr_section_header(dynstr_at as u64);
    out.write_dynamic_section_header(dynamic_at as u64);
    out.write_shstrtab_section_header();
    Ok(buffer)
}
