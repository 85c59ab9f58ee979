//! Kinds of files, told by what is in them and never by their name.
use std::fmt;

use vitte_native_code::table::Table;
use vitte_wasm_code::Kind as WasmKind;

/// A kind of file that the loader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A WebAssembly core module.
    CoreModule,
    /// A WebAssembly component.
    Component,
    /// An ELF file: a native library or program.
    Elf,
    /// A `.vitmod` or `.vitplug` container.
    Container,
    /// A table of the functions of a native library.
    Table,
    /// Portable bytecode.
    Bytecode,
    /// Code that a WebAssembly engine has compiled. Never loaded: it is native code that nobody checked.
    Precompiled,
}

impl Kind {
    /// Its name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CoreModule => "wasm module",
            Self::Component => "wasm component",
            Self::Elf => "ELF",
            Self::Container => "vitmod",
            Self::Table => "vitffi",
            Self::Bytecode => "vitbc",
            Self::Precompiled => "compiled wasm",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kind that the first bytes say, if it is one of ours. Looks at the first lines at most.
pub fn identify(bytes: &[u8]) -> Option<Kind> {
    match WasmKind::of(bytes) {
        Some(WasmKind::Module) => return Some(Kind::CoreModule),
        Some(WasmKind::Component) => return Some(Kind::Component),
        None => {}
    }
    // The engine writes its code as ELF for an operating system of its own number.
    if bytes.starts_with(b"\x7fELF") {
        return Some(if bytes.get(7) == Some(&200) { Kind::Precompiled } else { Kind::Elf });
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Some(Kind::Container);
    }
    if bytes.starts_with(b"\0vbc") {
        return Some(Kind::Bytecode);
    }
    Table::is_one(bytes).then_some(Kind::Table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_content() {
        let cases: [(&[u8], Option<Kind>); 9] = [
            (b"\0asm\x01\0\0\0", Some(Kind::CoreModule)),
            (b"\0asm\x0d\0\x01\0", Some(Kind::Component)),
            (b"\x7fELF\x02\x01\x01\0", Some(Kind::Elf)),
            (b"\x7fELF\x02\x01\x01\xc8", Some(Kind::Precompiled)),
            (b"PK\x03\x04", Some(Kind::Container)),
            (b"\0vbc\x01", Some(Kind::Bytecode)),
            (b"# libz\nvitffi = 1\n", Some(Kind::Table)),
            (b"(module)", None),
            (b"", None),
        ];
        for (bytes, kind) in cases {
            assert_eq!(identify(bytes), kind, "{bytes:?}");
        }
    }
}
