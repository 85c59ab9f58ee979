//! Texts, places in the source and constants, as objects of C with initial values.
//!
//! They are not `const`: retaining and releasing an immortal object changes its count.
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::codegen::data::DataSection;
use crate::codegen::object::{ObjectContext, Position};
use crate::consteval::ConstValue;
use crate::lower::ItemId;
use crate::ssa::layout::Layouts;
use crate::types::Ty;

/// Longest text that the name of its object shows a part of.
const NAME_MAX: usize = 24;

/// What functions refer to. Equal objects are shared; numbers follow the order in which they are asked for.
#[derive(Debug, Default)]
pub(super) struct Data {
    /// Definitions, in an order in which each comes before its uses.
    definitions: String,
    names: super::names::Names,
    texts: HashMap<Arc<[u8]>, String>,
    places: HashMap<(Arc<str>, u32, u32), String>,
    constants: DataSection,
    offsets: HashMap<ItemId, u64>,
}

impl Data {
    /// An expression for the address of the string or bytes object with this content.
    pub(super) fn text(&mut self, content: &Arc<[u8]>) -> String {
        let name = match self.texts.get(content) {
            Some(name) => name.clone(),
            None => {
                let shown: String = String::from_utf8_lossy(content).chars().take(NAME_MAX).collect();
                let name = self.names.identifier("vit_text_", &shown);
                let length = content.len();
                let _ = writeln!(
                    self.definitions,
                    "static VIT_SEQUENCE({}) {name} = {{VIT_IMMORTAL, {length}, {length}, {}}};",
                    length + 1,
                    quoted(content)
                );
                self.texts.insert(content.clone(), name.clone());
                name
            }
        };
        address(&name)
    }

    /// An expression for the address of the list without elements.
    pub(super) fn empty_list(&mut self) -> String {
        self.text(&Arc::from(&b""[..]))
    }

    /// An expression for the address of a place in the source.
    pub(super) fn place(&mut self, at: Option<Position>) -> String {
        let (file, line, column) = match at {
            Some(at) => (at.file, at.line, at.column),
            None => (Arc::from("?"), 0, 0),
        };
        let key = (file.clone(), line, column);
        if let Some(name) = self.places.get(&key) {
            return address(name);
        }
        let text = self.text(&Arc::from(file.as_bytes()));
        let stem = file.rsplit('/').next().unwrap_or_default();
        let stem = stem.split('.').next().unwrap_or_default();
        let name = self.names.identifier("vit_at_", &format!("{stem}_{line}_{column}"));
        let _ = writeln!(self.definitions, "static vit_place {name} = {{{text}, {line}, {column}}};");
        self.places.insert(key, name.clone());
        address(&name)
    }

    /// An expression for the address of a const's object, or of the bytes that hold it.
    pub(super) fn constant(
        &mut self,
        item: ItemId,
        context: &mut dyn ObjectContext,
        layouts: &mut Layouts<'_>,
    ) -> String {
        let offset = match self.offsets.get(&item) {
            Some(&offset) => offset,
            None => {
                let (value, ty) = context.constant(item).unwrap_or((ConstValue::Unit, Ty::Unit));
                let offset = self.constants.constant(&value, &ty, layouts);
                self.offsets.insert(item, offset);
                offset
            }
        };
        word(offset)
    }

    /// The declaration that functions need before the definitions are whole, and all definitions.
    pub(super) fn finish(mut self) -> String {
        let words = self.constants.bytes.len().div_ceil(8);
        if words == 0 {
            return self.definitions;
        }
        let mut pointers = HashMap::new();
        pointers.extend(self.constants.pointers.iter().copied());
        let _ = write!(self.definitions, "static uint64_t vit_constants[{words}]");
        self.definitions.push_str(" = {");
        self.constants.bytes.resize(words * 8, 0);
        for (index, bytes) in self.constants.bytes.chunks_exact(8).enumerate() {
            self.definitions.push_str(if index % 8 == 0 { "\n    " } else { " " });
            let place = index as u64 * 8;
            let value = bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            let _ = match pointers.get(&place) {
                Some(target) => write!(self.definitions, "{},", word(*target)),
                None if value > 9 => write!(self.definitions, "{value:#x},"),
                None => write!(self.definitions, "{value},"),
            };
        }
        self.definitions.push_str("\n};\n");
        self.definitions
    }
}

fn address(name: &str) -> String {
    format!("VIT_ADDRESS({name})")
}

/// The address of a place in the constants, all of which are words.
fn word(offset: u64) -> String {
    format!("VIT_ADDRESS(vit_constants[{}])", offset / 8)
}

/// A string literal of C.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            // Two question marks begin a trigraph.
            b'"' | b'\\' | b'?' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            // Three digits always, so that a digit behind it is none of its own.
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}
