//! `_start`: the few instructions between the kernel and `main`.
use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationEncoding, RelocationFlags, RelocationKind,
    SectionFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

/// The program's first symbol.
pub(super) const ENTRY: &str = "_start";
/// What it calls: runs initialisers, `main`, and `exit` with its result.
pub(super) const LIBC_START: &str = "__libc_start_main";

/// The entry code of the System V ABI for x86-64, section 3.4.1: on entry `rsp` points at `argc`,
/// followed by `argv`, and `rdx` holds a procedure to run at exit. It becomes the call
/// `__libc_start_main(main, argc, argv, init = 0, fini = 0, rtld_fini, stack_end)`.
pub(super) const CODE: &[u8] = &[
    0x31, 0xed, // xor ebp, ebp         the outermost frame, for debuggers
    0x49, 0x89, 0xd1, // mov r9, rdx    rtld_fini
    0x5e, // pop rsi                    argc
    0x48, 0x89, 0xe2, // mov rdx, rsp   argv
    0x48, 0x83, 0xe4, 0xf0, // and rsp, -16
    0x50, // push rax                   padding
    0x54, // push rsp                   stack_end, the seventh argument
    0x45, 0x31, 0xc0, // xor r8d, r8d   fini
    0x31, 0xc9, // xor ecx, ecx         init
    0x48, 0x8d, 0x3d, 0, 0, 0, 0, // lea rdi, [rip + main]
    0xff, 0x15, 0, 0, 0, 0,    // call [rip + __libc_start_main@GOT]
    0xf4, // hlt                        not reached
];
/// Where the displacement of `lea` is.
pub(super) const MAIN_AT: u64 = 23;
/// Where the displacement of `call` is.
pub(super) const LIBC_START_AT: u64 = 29;

/// An object that defines [`ENTRY`] and calls `main`.
pub(super) fn object(main: &str) -> Result<Vec<u8>, object::write::Error> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let text = object.add_section(Vec::new(), b".text._start".to_vec(), SectionKind::Text);
    object.set_section_data(text, CODE, 16);
    // Its presence says that the stack need not be executable.
    let note = object.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
    object.section_mut(note).flags = SectionFlags::Elf { sh_flags: 0 };
    let mut symbol = |name: &str, section, size| {
        object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size,
            kind: SymbolKind::Text,
            // `Linkage` would mean hidden visibility, which no shared library can satisfy.
            scope: SymbolScope::Dynamic,
            weak: false,
            section,
            flags: SymbolFlags::None,
        })
    };
    symbol(ENTRY, SymbolSection::Section(text), CODE.len() as u64);
    let main = symbol(main, SymbolSection::Undefined, 0);
    let libc_start = symbol(LIBC_START, SymbolSection::Undefined, 0);
    for (offset, symbol, kind) in
        [(MAIN_AT, main, RelocationKind::Relative), (LIBC_START_AT, libc_start, RelocationKind::GotRelative)]
    {
        let flags = RelocationFlags::Generic { kind, encoding: RelocationEncoding::Generic, size: 32 };
        object.add_relocation(text, Relocation { offset, symbol, addend: -4, flags })?;
    }
    object.write()
}
