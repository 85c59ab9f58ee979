//! ELF files, of either word size and byte order: read from their section headers.
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, FileKind, SymbolIndex};

use super::{InspectError, Inspection, SYMBOLS_MAX, Section, Symbol};
use crate::kind::Kind;

pub(super) fn inspect(bytes: &[u8], kind: Kind) -> Result<Inspection, InspectError> {
    match FileKind::parse(bytes).map_err(malformed)? {
        FileKind::Elf32 => read::<elf::FileHeader32<Endianness>>(bytes, kind, 32),
        FileKind::Elf64 => read::<elf::FileHeader64<Endianness>>(bytes, kind, 64),
        _ => Err(InspectError::Malformed { offset: None, message: "no such word size".to_owned() }),
    }
}

fn malformed(error: object::read::Error) -> InspectError {
    InspectError::Malformed { offset: None, message: error.to_string() }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    kind: Kind,
    bits: u32,
) -> Result<Inspection, InspectError> {
    let header = H::parse(bytes).map_err(malformed)?;
    let endian = header.endian().map_err(malformed)?;
    let table = header.sections(endian, bytes).map_err(malformed)?;
    let mut found = Inspection {
        kind,
        target: format!("{} {bits}-bit", machine(header.e_machine(endian))),
        size: bytes.len() as u64,
        sections: Vec::new(),
        imports: Vec::new(),
        exports: Vec::new(),
        needed: Vec::new(),
        soname: None,
        build_id: None,
    };
    for section in table.iter() {
        if section.sh_type(endian) == elf::SHT_NULL {
            continue;
        }
        let name = table.section_name(endian, section).map_err(malformed)?;
        let size =
            if section.sh_type(endian) == elf::SHT_NOBITS { 0 } else { section.sh_size(endian).into() };
        found.sections.push(Section { name: text(name), size });
        if let Some(mut notes) = section.notes(endian, bytes).map_err(malformed)? {
            while let Some(note) = notes.next().map_err(malformed)? {
                if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                    found.build_id = Some(crate::loader::hexadecimal(note.desc()));
                }
            }
        }
    }
    if let Some((entries, link)) = table.dynamic(endian, bytes).map_err(malformed)? {
        let strings = table.strings(endian, bytes, link).map_err(malformed)?;
        for entry in entries {
            let tag = entry.tag(endian);
            if tag == elf::DT_NULL {
                break;
            }
            if tag == elf::DT_NEEDED {
                found.needed.push(text(entry.string(endian, strings).map_err(malformed)?));
            } else if tag == elf::DT_SONAME {
                found.soname = Some(text(entry.string(endian, strings).map_err(malformed)?));
            }
        }
    } else if has_dynamic_segment(header, endian, bytes)? {
        let message = "its section headers were removed, so its symbols have no table here".to_owned();
        return Err(InspectError::Malformed { offset: None, message });
    }
    let symbols = table.symbols(endian, bytes, elf::SHT_DYNSYM).map_err(malformed)?;
    let versions = table.versions(endian, bytes).map_err(malformed)?;
    for (index, symbol) in symbols.iter().enumerate().skip(1) {
        let name = symbol.name(endian, symbols.strings()).map_err(malformed)?;
        let is_visible = matches!(symbol.st_bind(), elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE);
        if name.is_empty() || !is_visible {
            continue;
        }
        let version = match &versions {
            Some(versions) => {
                let index = versions.version_index(endian, SymbolIndex(index));
                versions.version(index).map_err(malformed)?.map(|version| text(version.name()))
            }
            None => None,
        };
        let list = if symbol.is_undefined(endian) { &mut found.imports } else { &mut found.exports };
        if list.len() < SYMBOLS_MAX {
            list.push(Symbol {
                module: version.unwrap_or_default(),
                name: text(name),
                what: symbol_type(symbol.st_type()).to_owned(),
            });
        }
    }
    Ok(found)
}

fn has_dynamic_segment<H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    bytes: &[u8],
) -> Result<bool, InspectError> {
    let segments = header.program_headers(endian, bytes).map_err(malformed)?;
    Ok(segments.iter().any(|segment| segment.p_type(endian) == elf::PT_DYNAMIC))
}

fn symbol_type(number: u8) -> &'static str {
    match number {
        elf::STT_FUNC => "func",
        elf::STT_GNU_IFUNC => "func chosen at load",
        elf::STT_OBJECT | elf::STT_COMMON => "object",
        elf::STT_TLS => "thread-local object",
        _ => "symbol",
    }
}

fn machine(number: u16) -> String {
    match number {
        elf::EM_X86_64 => "x86-64".to_owned(),
        elf::EM_386 => "x86".to_owned(),
        elf::EM_AARCH64 => "aarch64".to_owned(),
        elf::EM_ARM => "arm".to_owned(),
        elf::EM_RISCV => "riscv".to_owned(),
        elf::EM_PPC64 => "powerpc64".to_owned(),
        elf::EM_S390 => "s390".to_owned(),
        elf::EM_LOONGARCH => "loongarch".to_owned(),
        other => format!("machine {other}"),
    }
}
