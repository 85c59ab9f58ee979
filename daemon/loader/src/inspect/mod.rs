//! What is in a file, without running anything of it.
mod bytecode; // portable bytecode
mod elf; // native libraries and programs
mod package; // packages of the loader
mod wasm; // core modules and components

use vitte_native_code::table::Table;

use crate::kind::{Kind, identify};
use crate::native::Types;

/// Most symbols of each list; what is beyond is counted and not shown.
const SYMBOLS_MAX: usize = 1 << 20;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What it is.
    pub kind: Kind,
    /// What it is for: `wasm32`, `wasm64`, or the machine and word size of an ELF file.
    pub target: String,
    /// Its size, in bytes.
    pub size: u64,
    /// Its sections, in the order of the file.
    pub sections: Vec<Section>,
    /// What it needs from others, in the order of the file.
    pub imports: Vec<Symbol>,
    /// What it gives to others, in the order of the file.
    pub exports: Vec<Symbol>,
    /// Libraries that an ELF file names.
    pub needed: Vec<String>,
    /// The name that an ELF library gives itself, or a package with its version.
    pub soname: Option<String>,
    /// The build identifier, in hexadecimal.
    pub build_id: Option<String>,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Its size in the file, in bytes.
    pub size: u64,
}

/// Something that is imported or exported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// The module that it is imported from, or its version in an ELF file; may be empty.
    pub module: String,
    /// Its name.
    pub name: String,
    /// What it is, such as `func(i32) -> i32`, `memory`, `object`.
    pub what: String,
}

/// Why a file cannot be inspected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// No known kind.
    #[error("its content is of no known kind")]
    UnknownKind,
    /// It breaks the rules of its format.
    #[error("it is malformed{}: {message}", place(*.offset))]
    Malformed {
        /// At which byte, where that is known.
        offset: Option<u64>,
        /// What is wrong.
        message: String,
    },
}

fn place(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
}

impl InspectError {
    /// A stable name in upper case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownKind => "MODULE_KIND_UNKNOWN",
            Self::Malformed { .. } => "MODULE_MALFORMED",
        }
    }
}

/// Looks into `bytes`. Linear in their number.
///
/// # Errors
/// See [`InspectError`].
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    match identify(bytes).ok_or(InspectError::UnknownKind)? {
        kind @ (Kind::CoreModule | Kind::Component) => wasm::inspect(bytes, kind),
        kind @ (Kind::Elf | Kind::Precompiled) => elf::inspect(bytes, kind),
        Kind::Table => table(bytes),
        Kind::Bytecode => bytecode::inspect(bytes),
        Kind::Container => package::inspect(bytes),
    }
}

/// The functions that a table declares, with the types that callers see.
fn table(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let malformed = |message: String| InspectError::Malformed { offset: None, message };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let Table { library, functions, imports } =
        Table::parse(text).map_err(|error| malformed(error.to_string()))?;
    let imports = imports.iter().map(|import| Symbol {
        module: import.from.clone(),
        name: import.function.name.clone(),
        what: Types::of(&import.function).signature(),
    });
    let exports = functions.iter().map(|function| Symbol {
        module: String::new(),
        name: function.name.clone(),
        what: Types::of(function).signature(),
    });
    Ok(Inspection {
        kind: Kind::Table,
        target: "native libraries".to_owned(),
        size: bytes.len() as u64,
        sections: Vec::new(),
        imports: imports.collect(),
        exports: exports.collect(),
        needed: library.into_iter().collect(),
        soname: None,
        build_id: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn damaged_files_are_errors() {
        let whole = wat::parse_str(
            r#"(module (import "a" "b" (func)) (memory (export "m") 1) (func (export "f")) (data (i32.const 0) "x"))"#,
        )
        .unwrap();
        assert!(inspect(&whole).is_ok());
        for length in 8..whole.len() {
            // A cut between sections leaves a module, or one whose code is missing.
            if let Err(error) = inspect(&whole[..length]) {
                assert_eq!(error.code(), "MODULE_MALFORMED", "{length}: {error}");
            }
        }
        for at in 8..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x80;
            // Whatever it says, it says something.
            let _ = inspect(&changed);
        }
        assert_eq!(inspect(b"text").unwrap_err(), InspectError::UnknownKind);
        assert_eq!(inspect(b"PK\x03\x04").unwrap_err().code(), "MODULE_MALFORMED");
        assert_eq!(inspect(b"\x7fELF").unwrap_err().code(), "MODULE_MALFORMED");
    }
}
