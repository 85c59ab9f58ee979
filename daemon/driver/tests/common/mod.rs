//! Objects assembled by hand, and a place to put things.
#![allow(dead_code, clippy::unwrap_used)]
use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationEncoding, RelocationFlags, RelocationKind, SymbolFlags,
    SymbolKind, SymbolScope,
};
use std::ffi::OsString;
use vitte_driver::link::LinkObject;

/// The command that runs the linker's worker: this test program, asked for its ignored test `worker`.
pub fn worker_command() -> Vec<OsString> {
    let exe = std::env::current_exe().unwrap().into_os_string();
    [exe].into_iter().chain(["--exact", "worker", "--ignored", "--nocapture"].map(OsString::from)).collect()
}

/// What is wanted at an offset of the code.
pub enum Reference<'a> {
    /// `call` by PLT.
    Call(&'a str),
    /// `call [rip + x]` by GOT.
    Got(&'a str),
    /// `lea` of the text.
    Text,
}

/// An object that defines `name` as `code`, with `text` in read-only data.
pub fn object(name: &str, code: &[u8], text: &[u8], references: &[(u64, Reference<'_>)]) -> LinkObject {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let code_section =
        object.add_section(Vec::new(), format!(".text.{name}").into_bytes(), object::SectionKind::Text);
    object.set_section_data(code_section, code, 16);
    let data = object.section_id(object::write::StandardSection::ReadOnlyData);
    object.append_section_data(data, text, 1);
    let stack = object.add_section(Vec::new(), b".note.GNU-stack".to_vec(), object::SectionKind::Other);
    object.set_section_data(stack, Vec::new(), 1);
    let debug = object.add_section(Vec::new(), b".debug_str".to_vec(), object::SectionKind::DebugString);
    object.set_section_data(debug, b"a name in debug information\0".to_vec(), 1);
    let mut symbol = |name: &str, kind, scope, section| {
        object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind,
            scope,
            weak: false,
            section,
            flags: SymbolFlags::None,
        })
    };
    symbol(name, SymbolKind::Text, SymbolScope::Dynamic, SymbolSection::Section(code_section));
    let text_symbol =
        symbol("text", SymbolKind::Data, SymbolScope::Compilation, SymbolSection::Section(data));
    let mut wanted = Vec::new();
    for (offset, reference) in references {
        let (target, kind, encoding) = match reference {
            Reference::Call(name) => (*name, RelocationKind::PltRelative, RelocationEncoding::X86Branch),
            Reference::Got(name) => (*name, RelocationKind::GotRelative, RelocationEncoding::Generic),
            Reference::Text => ("", RelocationKind::Relative, RelocationEncoding::Generic),
        };
        let target = if target.is_empty() {
            text_symbol
        } else {
            symbol(target, SymbolKind::Text, SymbolScope::Dynamic, SymbolSection::Undefined)
        };
        wanted.push((*offset, target, kind, encoding));
    }
    for (offset, symbol, kind, encoding) in wanted {
        let flags = RelocationFlags::Generic { kind, encoding, size: 32 };
        object.add_relocation(code_section, Relocation { offset, symbol, addend: -4, flags }).unwrap();
    }
    LinkObject { name: format!("{name}.o"), bytes: object.write().unwrap().into() }
}

/// `int main() { write(1, "hello\n", 6); return 42; }`
pub fn hello() -> LinkObject {
    let code = [
        0x50, // push rax
        0xbf, 1, 0, 0, 0, // mov edi, 1
        0x48, 0x8d, 0x35, 0, 0, 0, 0, // lea rsi, [rip + text]
        0xba, 6, 0, 0, 0, // mov edx, 6
        0xe8, 0, 0, 0, 0, // call write
        0xb8, 42, 0, 0, 0,    // mov eax, 42
        0x59, // pop rcx
        0xc3, // ret
    ];
    object("main", &code, b"hello\n", &[(9, Reference::Text), (19, Reference::Call("write"))])
}
