//! Programs as components: what the entry module exports, with its types, and no system but the host's console.
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use vitte_bytecode::{FunctionType, InterfaceType, TypeDefinition};
use vitte_component::{PluginFunction, encode, plugin_function};

use super::WasmWidth;
use super::exports::Export;
use super::externs::System;
use super::link::{Linked, link};
use super::module::write;
use crate::base::diagnostic::{Diagnostic, Diagnostics, Phase, Place};
use crate::base::{Db, Program};
use crate::codegen::CodegenError;
use crate::codegen::program::internal;
use crate::lower::NodeId;
use crate::mono::InstanceKind;

crate::codes! {
    /// A proc that plugins give has another type.
    PLUGIN_SIGNATURE = "LNK0060" "LINK_E_PLUGIN_SIGNATURE";
    /// A plugin without contributions.
    NO_CONTRIBUTION = "LNK0061" "LINK_E_NO_CONTRIBUTION";
}

/// What world a component is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outline {
    /// One of its own: all exports are at its root.
    Module,
    /// `vitte:plugin/plugin`: `diagnostics_check` is `check` of the interface `diagnostics`.
    Plugin,
}

/// The program as a component.
///
/// # Errors
/// What is wrong with the program, or that it exports nothing; system calls, which components do not have; a proc of a
/// plugin that has another type than its interface says.
#[salsa::tracked(returns(clone))]
pub fn program_component(db: &dyn Db, program: Program, outline: Outline) -> Result<Arc<[u8]>, Diagnostics> {
    let linked = link(db, program, WasmWidth::Wasm32, System::Component, "components")?;
    let fault = |error: &CodegenError| {
        let entry = program.entry(db);
        internal(entry, &entry.path(db).to_string(), error)
    };
    let given = |name: &str| match outline {
        Outline::Module => None,
        Outline::Plugin => plugin_function(name),
    };
    if outline == Outline::Plugin {
        check_plugin(db, program, &linked)?;
    }
    let named = |name: &str| given(name).map_or_else(|| name.to_owned(), PluginFunction::export);
    let module = write(&linked, WasmWidth::Wasm32, program.options(db).debug_info, named);
    let module = module.map_err(|error| fault(&error))?;
    let mut world = vitte_component::Outline { prints: !linked.imports.is_empty(), ..Default::default() };
    let mut at_root: Vec<&Export> = Vec::new();
    for (export, _) in &linked.exports {
        match given(&export.name) {
            Some(function) if !function.interface.is_empty() => {
                world.contributions.insert(function.interface.clone());
            }
            _ => at_root.push(export),
        }
    }
    world.items = items(&linked.types, &at_root);
    let component = encode(&module, &world);
    component.map(Arc::from).map_err(|error| fault(&CodegenError::Internal(error.to_string())))
}

/// An error for each proc that plugins give with another type, and for a plugin that gives nothing.
fn check_plugin(db: &dyn Db, program: Program, linked: &Linked<'_>) -> Result<(), Diagnostics> {
    let mut wrong = Vec::new();
    let mut contributes = false;
    for (export, _) in &linked.exports {
        let Some(wanted) = plugin_function(&export.name) else { continue };
        contributes |= !wanted.interface.is_empty();
        let found = structure(&linked.types, &export.interface);
        if found != wanted.signature {
            let place = match export.thunk.kind(db) {
                InstanceKind::Thunk(item, _) => Place::Node(*item, NodeId(0)),
                _ => Place::File(program.entry(db), Default::default()),
            };
            let message = format!("`{}` has another type than plugins give it", wanted.proc_name());
            wrong.push(
                Diagnostic::error(PLUGIN_SIGNATURE, Phase::Linker, place, message, "exported from here")
                    .note(format!("it is         {found}"))
                    .note(format!("it has to be  {}", wanted.signature))
                    .help("change its parameters and its result, or give it another name"),
            );
        }
    }
    if wrong.is_empty() && !contributes {
        let place = Place::File(program.entry(db), Default::default());
        let message = "the plugin contributes nothing";
        let all: BTreeSet<String> = vitte_component::plugin_functions()
            .iter()
            .filter(|function| !function.interface.is_empty())
            .map(|function| format!("`{}`", function.proc_name()))
            .collect();
        let all = all.into_iter().collect::<Vec<_>>().join(", ");
        wrong.push(
            Diagnostic::error(
                NO_CONTRIBUTION,
                Phase::Linker,
                place,
                message,
                "this file has to export something",
            )
            .help(format!("export one or more of {all}")),
        );
    }
    if wrong.is_empty() { Ok(()) } else { Err(Arc::from(wrong)) }
}

/// WIT of functions at the root, and of the types that they need.
fn items(types: &[TypeDefinition], exports: &[&Export]) -> String {
    let mut needed = vec![false; types.len()];
    let mut work: Vec<InterfaceType> = exports
        .iter()
        .flat_map(|export| {
            export.interface.params.iter().map(|param| param.ty).chain(export.interface.result)
        })
        .collect();
    while let Some(ty) = work.pop() {
        let InterfaceType::Defined(at) = ty else { continue };
        let (Some(known), Some(definition)) = (needed.get_mut(at as usize), types.get(at as usize)) else {
            continue;
        };
        if !std::mem::replace(known, true) {
            work.extend(parts(definition));
        }
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (definition, _) in types.iter().zip(needed).filter(|(_, needed)| *needed) {
        let _ = match definition {
            TypeDefinition::Record { name, fields } => {
                let fields = fields.iter().map(|field| format!("%{}: {}", field.name, wit(types, field.ty)));
                writeln!(text, "  record %{name} {{ {} }}", fields.collect::<Vec<_>>().join(", "))
            }
            TypeDefinition::Variant { name, cases } => {
                let cases = cases.iter().map(|case| match case.ty {
                    Some(ty) => format!("%{}({})", case.name, wit(types, ty)),
                    None => format!("%{}", case.name),
                });
                writeln!(text, "  variant %{name} {{ {} }}", cases.collect::<Vec<_>>().join(", "))
            }
            TypeDefinition::Enum { name, cases } => {
                let cases = cases.iter().map(|case| format!("%{case}"));
                writeln!(text, "  enum %{name} {{ {} }}", cases.collect::<Vec<_>>().join(", "))
            }
            TypeDefinition::Flags { .. }
            | TypeDefinition::Tuple(_)
            | TypeDefinition::List(_)
            | TypeDefinition::Option(_)
            | TypeDefinition::Result { .. } => Ok(()),
        };
    }
    for export in exports {
        let params = export.interface.params.iter();
        let params = params.map(|param| format!("%{}: {}", param.name, wit(types, param.ty)));
        let params = params.collect::<Vec<_>>().join(", ");
        let result = export.interface.result.map(|ty| format!(" -> {}", wit(types, ty)));
        let _ = writeln!(text, "  export %{}: func({params}){};", export.name, result.unwrap_or_default());
    }
    text
}

/// The types that a definition refers to.
pub(super) fn parts(definition: &TypeDefinition) -> Vec<InterfaceType> {
    match definition {
        TypeDefinition::Record { fields, .. } => fields.iter().map(|field| field.ty).collect(),
        TypeDefinition::Variant { cases, .. } => cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefinition::Enum { .. } | TypeDefinition::Flags { .. } => Vec::new(),
        TypeDefinition::Tuple(types) => types.clone(),
        TypeDefinition::List(ty) | TypeDefinition::Option(ty) => vec![*ty],
        TypeDefinition::Result { ok, err } => ok.iter().chain(err).copied().collect(),
    }
}

/// A use of a type, in WIT.
fn wit(types: &[TypeDefinition], ty: InterfaceType) -> String {
    text(types, ty, &|definition| definition.name().map(|name| format!("%{name}")))
}

/// A function type whose definitions stand where they are used, without their names.
fn structure(types: &[TypeDefinition], function: &FunctionType) -> String {
    let shown = |ty| text(types, ty, &|_| None);
    let params = function.params.iter().map(|param| format!("{}: {}", param.name, shown(param.ty)));
    let params = params.collect::<Vec<_>>().join(", ");
    let result = function.result.map(|ty| format!(" -> {}", shown(ty)));
    format!("func({params}){}", result.unwrap_or_default())
}

/// A type in words; `named` gives those that stand for themselves.
fn text(
    types: &[TypeDefinition],
    ty: InterfaceType,
    named: &dyn Fn(&TypeDefinition) -> Option<String>,
) -> String {
    let inside = |ty| text(types, ty, named);
    let InterfaceType::Defined(at) = ty else { return format!("{ty:?}").to_lowercase() };
    let Some(definition) = types.get(at as usize) else { return "?".to_owned() };
    if let Some(name) = named(definition) {
        return name;
    }
    let joined = |parts: Vec<String>| parts.join(", ");
    match definition {
        TypeDefinition::Record { fields, .. } => {
            let fields = fields.iter().map(|field| format!("{}: {}", field.name, inside(field.ty)));
            format!("record{{{}}}", joined(fields.collect()))
        }
        TypeDefinition::Variant { cases, .. } => {
            let cases = cases.iter().map(|case| match case.ty {
                Some(ty) => format!("{}({})", case.name, inside(ty)),
                None => case.name.clone(),
            });
            format!("variant{{{}}}", joined(cases.collect()))
        }
        TypeDefinition::Enum { cases, .. } => format!("enum{{{}}}", cases.join(", ")),
        TypeDefinition::Flags { flags, .. } => format!("flags{{{}}}", flags.join(", ")),
        TypeDefinition::Tuple(types) => {
            format!("tuple<{}>", joined(types.iter().map(|ty| inside(*ty)).collect()))
        }
        TypeDefinition::List(ty) => format!("list<{}>", inside(*ty)),
        TypeDefinition::Option(ty) => format!("option<{}>", inside(*ty)),
        TypeDefinition::Result { ok: None, err: None } => "result".to_owned(),
        TypeDefinition::Result { ok, err } => {
            let side = |ty: &Option<InterfaceType>| ty.map_or("_".to_owned(), inside);
            format!("result<{}, {}>", side(ok), side(err))
        }
    }
}
