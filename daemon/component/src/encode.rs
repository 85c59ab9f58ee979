//! Core modules to components.
use std::collections::BTreeSet;
use std::fmt::Write;

use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldItem};

use crate::plugin::{LIFE, PLUGIN_VERSION, PLUGIN_WIT, plugin_functions};
use crate::structure::function_text;
use crate::{CONSOLE, CONSOLE_WIT};

/// Text that is no WIT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WitError(pub(crate) String);

/// Why no component can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The core module cannot be read.
    #[error("the module is malformed: {0}")]
    Malformed(String),
    /// It exports nothing that plugins export.
    #[error("the module exports no function of the world `vitte:plugin/plugin@{PLUGIN_VERSION}`")]
    NoPlugin,
    /// The world is no WIT, or the module does not fit it.
    #[error("the module does not fit its world: {0}")]
    Unfit(String),
}

/// What a component exports beside what the module says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// WIT of the world: types, and functions at the root as `export NAME: func(…);`.
    pub items: String,
    /// Interfaces of plugins that it exports, such as `diagnostics`.
    pub contributions: BTreeSet<String>,
    /// Whether it prints.
    pub prints: bool,
}

/// Wraps a core module, whose exports are named and typed as the canonical ABI has them for the world of `outline`. Equal
/// arguments give equal bytes.
///
/// # Errors
/// When the module does not fit.
pub fn encode(core: &[u8], outline: &Outline) -> Result<Vec<u8>, EncodeError> {
    let unfit = |error: &dyn std::fmt::Display| EncodeError::Unfit(format!("{error:#}"));
    let mut resolve = Resolve::default();
    resolve.push_source("console.wit", CONSOLE_WIT).map_err(|error| unfit(&error))?;
    resolve.push_source("plugin.wit", PLUGIN_WIT).map_err(|error| unfit(&error))?;
    let mut world = String::from("package local:module;\n\nworld module {\n");
    // Writing to a string cannot fail.
    if outline.prints {
        let _ = writeln!(world, "  import {CONSOLE};");
    }
    world.push_str(&outline.items);
    for contribution in &outline.contributions {
        let _ = writeln!(world, "  export vitte:plugin/{contribution}@{PLUGIN_VERSION};");
    }
    world.push_str("}\n");
    let package = resolve.push_source("module.wit", &world).map_err(|error| unfit(&error))?;
    let world = resolve.select_world(&[package], Some("module")).map_err(|error| unfit(&error))?;
    let mut module = core.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| unfit(&error))?;
    let encoded = ComponentEncoder::default().validate(true).module(&module);
    encoded.and_then(|mut encoder| encoder.encode()).map_err(|error| unfit(&format!("{error:#}")))
}

/// Wraps a core module that exports functions of plugins under the names of the canonical ABI, such as
/// `vitte:plugin/diagnostics@1.0.0#check`: what compilers of other languages make.
///
/// # Errors
/// When it is malformed, exports none of them, or does not fit.
pub fn encode_plugin(core: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut outline = Outline::default();
    let malformed = |error: wasmparser::BinaryReaderError| EncodeError::Malformed(error.to_string());
    for payload in Parser::new(0).parse_all(core) {
        match payload.map_err(malformed)? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    outline.prints |= import.map_err(malformed)?.module == CONSOLE;
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let name = export.map_err(malformed)?.name;
                    let Some(function) = plugin_functions().iter().find(|known| known.export() == name)
                    else {
                        continue;
                    };
                    if function.interface.is_empty() {
                        let _ = writeln!(outline.items, "  export {name}: {};", function.signature);
                    } else {
                        outline.contributions.insert(function.interface.clone());
                    }
                }
            }
            _ => {}
        }
    }
    let has_life = LIFE.iter().any(|name| outline.items.contains(&format!("export {name}:")));
    if outline.contributions.is_empty() && !has_life {
        return Err(EncodeError::NoPlugin);
    }
    encode(core, &outline)
}

/// What a component imports and exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Imported interfaces and functions, sorted.
    pub imports: Vec<String>,
    /// Exported functions by name, those of interfaces as `INTERFACE#FUNCTION`, with their types; names of types are left
    /// out.
    pub exports: Vec<(String, String)>,
}

/// Reads what a component imports and exports, without running or compiling anything.
///
/// # Errors
/// When it is malformed, or no component.
pub fn describe(component: &[u8]) -> Result<Described, EncodeError> {
    let malformed = |error: &dyn std::fmt::Display| EncodeError::Malformed(format!("{error:#}"));
    wasmparser::validate(component).map_err(|error| malformed(&error))?;
    let decoded = wit_component::decode(component).map_err(|error| malformed(&format!("{error:#}")))?;
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        return Err(EncodeError::Malformed("it is a package of interfaces".to_owned()));
    };
    let mut described = Described::default();
    let Some(world) = resolve.worlds.get(world) else { return Ok(described) };
    for (key, item) in &world.imports {
        // Types alone need nobody.
        if !matches!(item, WorldItem::Type { .. }) {
            described.imports.push(resolve.name_world_key(key));
        }
    }
    for (key, item) in &world.exports {
        let name = resolve.name_world_key(key);
        match item {
            WorldItem::Function(function) => {
                described.exports.push((name, function_text(&resolve, function)))
            }
            WorldItem::Interface { id, .. } => {
                let functions = resolve.interfaces.get(*id).map(|interface| &interface.functions);
                for function in functions.into_iter().flat_map(|functions| functions.values()) {
                    let text = function_text(&resolve, function);
                    described.exports.push((format!("{name}#{}", function.name), text));
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    described.imports.sort();
    described.exports.sort();
    Ok(described)
}
