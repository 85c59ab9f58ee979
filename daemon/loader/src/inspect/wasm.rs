//! WebAssembly: validated whole, then listed.
use wasmparser::types::{CoreTypeId, Types};
use wasmparser::{
    BinaryReaderError, ComponentExternalKind, ComponentTypeRef, ExternalKind, Parser, Payload, TypeRef,
    Validator, WasmFeatures,
};

use super::{InspectError, Inspection, SYMBOLS_MAX, Section, Symbol};
use crate::kind::Kind;

pub(super) fn inspect(bytes: &[u8], kind: Kind) -> Result<Inspection, InspectError> {
    // All that the library knows: what is for another engine can be looked at all the same.
    let types = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).map_err(malformed)?;
    let mut found = Inspection {
        kind,
        target: "wasm32".to_owned(),
        size: bytes.len() as u64,
        sections: Vec::new(),
        imports: Vec::new(),
        exports: Vec::new(),
        needed: Vec::new(),
        soname: None,
        build_id: None,
    };
    // Modules and components inside a component are sections of it, and not looked into.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        match &payload {
            Payload::Version { .. } => {
                depth += 1;
                continue;
            }
            Payload::End(_) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ => {}
        }
        if depth != 1 {
            continue;
        }
        let named = match &payload {
            Payload::CustomSection(section) => {
                if section.name() == "build_id" {
                    // A length in front, as every list has it; one byte for all that are made.
                    found.build_id = section.data().get(1..).map(crate::loader::hexadecimal);
                }
                Some(format!("custom {:?}", section.name()))
            }
            Payload::ModuleSection { unchecked_range, .. } => {
                found.sections.push(section("core module", unchecked_range));
                None
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                found.sections.push(section("component", unchecked_range));
                None
            }
            Payload::CodeSectionStart { range, .. } => {
                found.sections.push(section("code", range));
                None
            }
            other => other.as_section().map(|(id, _)| section_name(id, kind).to_owned()),
        };
        if let (Some(name), Some((_, range))) = (named, payload.as_section()) {
            found.sections.push(section(&name, &range));
        }
        match payload {
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import.map_err(malformed)?;
                    let what = core_type(&types.as_ref(), import.ty);
                    push(&mut found.imports, import.module, import.name, what);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(malformed)?;
                    let what = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            signature(&types, types.as_ref().core_function_at(export.index))
                        }
                        ExternalKind::Table => "table".to_owned(),
                        ExternalKind::Memory => "memory".to_owned(),
                        ExternalKind::Global => "global".to_owned(),
                        ExternalKind::Tag => "tag".to_owned(),
                    };
                    push(&mut found.exports, "", export.name, what);
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    if memory.map_err(malformed)?.memory64 {
                        found.target = "wasm64".to_owned();
                    }
                }
            }
            Payload::ComponentImportSection(reader) => {
                for import in reader {
                    let import = import.map_err(malformed)?;
                    let what = match import.ty {
                        ComponentTypeRef::Module(_) => "core module",
                        ComponentTypeRef::Func(_) => "func",
                        ComponentTypeRef::Value(_) => "value",
                        ComponentTypeRef::Type(_) => "type",
                        ComponentTypeRef::Instance(_) => "interface",
                        ComponentTypeRef::Component(_) => "component",
                    };
                    push(&mut found.imports, "", import.name.name, what.to_owned());
                }
            }
            Payload::ComponentExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(malformed)?;
                    let what = match export.kind {
                        ComponentExternalKind::Module => "core module",
                        ComponentExternalKind::Func => "func",
                        ComponentExternalKind::Value => "value",
                        ComponentExternalKind::Type => "type",
                        ComponentExternalKind::Instance => "interface",
                        ComponentExternalKind::Component => "component",
                    };
                    push(&mut found.exports, "", export.name.name, what.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

#[allow(clippy::needless_pass_by_value)] // It is given to `map_err`.
fn malformed(error: BinaryReaderError) -> InspectError {
    InspectError::Malformed { offset: Some(error.offset() as u64), message: error.message().to_owned() }
}

fn section(name: &str, range: &std::ops::Range<usize>) -> Section {
    Section { name: name.to_owned(), size: range.len() as u64 }
}

fn push(list: &mut Vec<Symbol>, module: &str, name: &str, what: String) {
    if list.len() < SYMBOLS_MAX {
        list.push(Symbol { module: module.to_owned(), name: name.to_owned(), what });
    }
}

fn core_type(types: &wasmparser::types::TypesRef<'_>, ty: TypeRef) -> String {
    match ty {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => {
            func_text(types[types.core_type_at_in_module(index)].unwrap_func())
        }
        TypeRef::Table(_) => "table".to_owned(),
        TypeRef::Memory(_) => "memory".to_owned(),
        TypeRef::Global(_) => "global".to_owned(),
        TypeRef::Tag(_) => "tag".to_owned(),
    }
}

fn signature(types: &Types, id: CoreTypeId) -> String {
    func_text(types[id].unwrap_func())
}

fn func_text(ty: &wasmparser::FuncType) -> String {
    let list =
        |types: &[wasmparser::ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let params = list(ty.params());
    match ty.results() {
        [] => format!("func({params})"),
        [one] => format!("func({params}) -> {one}"),
        several => format!("func({params}) -> ({})", list(several)),
    }
}

/// The names of the specifications.
fn section_name(id: u8, kind: Kind) -> &'static str {
    const CORE: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    const COMPONENT: [&str; 13] = [
        "custom",
        "core module",
        "core instance",
        "core type",
        "component",
        "instance",
        "alias",
        "type",
        "canonical",
        "start",
        "import",
        "export",
        "value",
    ];
    let names: &[&str] = if kind == Kind::Component { &COMPONENT } else { &CORE };
    names.get(usize::from(id)).copied().unwrap_or("unknown")
}
