//! Portable bytecode: what its own verifier accepts.
use vitte_bytecode::{AddressType, ExportItem, FunctionType, Module, Signature, load, sections};

use super::{InspectError, Inspection, Section, Symbol};
use crate::kind::Kind;

pub(super) fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let verified = load(bytes).map_err(|report| InspectError::Malformed {
        offset: report.problems.first().map(|problem| problem.offset as u64),
        message: report.to_string(),
    })?;
    let module = verified.module();
    let imports = module.imports.iter().map(|import| Symbol {
        module: import.module.clone(),
        name: import.name.clone(),
        what: function(module, module.signatures.get(import.signature as usize), import.interface),
    });
    let exports = module.exports.iter().map(|export| Symbol {
        module: String::new(),
        name: export.name.clone(),
        what: match export.item {
            ExportItem::Function { function: number, interface } => {
                function(module, module.function_signature(number), interface)
            }
            ExportItem::Memory => "memory".to_owned(),
            ExportItem::Global(number) => match module.globals.get(number as usize) {
                Some(global) => format!("global {}", global.init.ty()),
                None => "global".to_owned(),
            },
        },
    });
    let is_wide = module.memory.is_some_and(|memory| memory.address == AddressType::I64);
    Ok(Inspection {
        kind: Kind::Bytecode,
        target: if is_wide { "64-bit memory" } else { "any" }.to_owned(),
        size: bytes.len() as u64,
        sections: sections(bytes)
            .into_iter()
            .map(|(name, size)| Section { name: name.to_owned(), size: size as u64 })
            .collect(),
        imports: imports.collect(),
        exports: exports.collect(),
        needed: Vec::new(),
        soname: None,
        build_id: None,
    })
}

/// The type of a function: as WIT if it says one.
fn function(module: &Module, signature: Option<&Signature>, interface: Option<u32>) -> String {
    let interface: Option<&FunctionType> =
        interface.and_then(|number| module.function_types.get(number as usize));
    match (interface, signature) {
        (Some(interface), _) => module.interface_text(interface),
        (None, Some(signature)) => format!("func{signature}"),
        (None, None) => "func".to_owned(),
    }
}
