//! What a generation can do: linked code, its exports, and new instances of it.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use vitte_component::CONSOLE;
use vitte_wasm_code::Code;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::wasm_wave::wasm::DisplayType;
use wasmtime::component::{self, Component, ComponentExportIndex};
use wasmtime::{Engine, ExternType, InstancePre, Linker, Module, ModuleExport, Store, ValType};

use crate::bytecode::{Bytecode, Function};
use crate::call::Guest;
use crate::console;
use crate::generation::Tier;
use crate::native::Native;
use crate::value;

/// The hook of components that is called once in each new instance, and may fail with a message.
pub(crate) const INIT: &str = "init";
/// The same of core modules, as the convention for reactors has it.
pub(crate) const INIT_CORE: &str = "_initialize";
/// The hook that is asked before a generation serves.
pub(crate) const HEALTH: &str = "health";
/// The hook that gives the state of an instance.
pub(crate) const SAVE_STATE: &str = "save-state";
/// The hook that takes it.
pub(crate) const LOAD_STATE: &str = "load-state";

/// An exported function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name; functions of an exported interface are `INTERFACE#FUNCTION`.
    pub name: String,
    /// Its type, such as `func(a: s32, b: string) -> u64`.
    pub signature: String,
    /// Why it cannot be called with values as text, if it cannot.
    pub obstacle: Option<String>,
}

/// A function that can be found again in every instance.
pub(crate) struct Callee {
    pub(crate) export: Export,
    pub(crate) how: How,
    used: AtomicBool,
}

pub(crate) enum How {
    Core { index: ModuleExport, params: Vec<ValType>, results: Vec<ValType> },
    Component { index: ComponentExportIndex, params: Vec<component::Type>, results: Vec<component::Type> },
    Native { place: usize },
    Bytecode(Function),
}

impl Callee {
    pub(crate) fn mark_used(&self) {
        // Read first: a line of memory that all callers write is slow.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

enum Linked {
    Core(InstancePre<Guest>),
    Component(component::InstancePre<Guest>),
    Native(Native),
    Bytecode(Bytecode),
}

/// An instance, in the store that it was made in.
pub(crate) enum Instance {
    Core(wasmtime::Instance),
    Component(component::Instance),
}

/// Linked code.
pub(crate) struct Program {
    linked: Linked,
    callees: BTreeMap<String, Callee>,
    /// What `init` is given, if it takes a configuration.
    settings: String,
}

/// Why code cannot be linked.
pub(crate) enum LinkFailure {
    /// Imports that nobody gives, each with its type, sorted.
    Missing(Vec<String>),
    /// Anything else.
    Other(String),
}

impl From<wasmtime::Error> for LinkFailure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Other(format!("{error:#}"))
    }
}

impl Program {
    /// Links `code` with the console alone.
    pub(crate) fn link(engine: &Engine, code: &Code, settings: Option<String>) -> Result<Self, LinkFailure> {
        let program = match code {
            Code::Module(module) => Self::link_core(engine, module),
            Code::Component(component) => Self::link_component(engine, component),
        };
        program.map(|program| Self { settings: settings.unwrap_or_default(), ..program })
    }

    /// A native library that runs already.
    pub(crate) fn native(native: Native) -> Self {
        let callees = native
            .functions()
            .enumerate()
            .map(|(place, (name, types))| {
                let export = Export { name: name.to_owned(), signature: types.signature(), obstacle: None };
                let callee = Callee { export, how: How::Native { place }, used: AtomicBool::new(false) };
                (name.to_owned(), callee)
            })
            .collect();
        Self { linked: Linked::Native(native), callees, settings: String::new() }
    }

    /// The native library that it is, if it is one.
    pub(crate) fn as_native(&self) -> Option<&Native> {
        match &self.linked {
            Linked::Native(native) => Some(native),
            Linked::Core(_) | Linked::Component(_) | Linked::Bytecode(_) => None,
        }
    }

    /// A module of bytecode.
    ///
    /// # Errors
    /// What it imports: modules get no imports.
    pub(crate) fn bytecode(bytecode: Bytecode) -> Result<Self, LinkFailure> {
        let missing = bytecode.imports();
        if !missing.is_empty() {
            return Err(LinkFailure::Missing(missing));
        }
        let callees = bytecode
            .functions()
            .into_iter()
            .map(|(name, function)| {
                let (params, results) = (&function.params, &function.results);
                let export = Export {
                    name: name.clone(),
                    signature: core_signature(params, results),
                    obstacle: params.iter().chain(results).find_map(value::obstacle),
                };
                let used = AtomicBool::new(false);
                (name, Callee { export, how: How::Bytecode(function), used })
            })
            .collect();
        Ok(Self { linked: Linked::Bytecode(bytecode), callees, settings: String::new() })
    }

    /// The module of bytecode that it is, if it is one.
    pub(crate) fn as_bytecode(&self) -> Option<&Bytecode> {
        match &self.linked {
            Linked::Bytecode(bytecode) => Some(bytecode),
            Linked::Core(_) | Linked::Component(_) | Linked::Native(_) => None,
        }
    }

    /// What executes the next call: of a module of bytecode, what was compiled of it, once it was.
    pub(crate) fn current(&self) -> &Self {
        self.as_bytecode().and_then(Bytecode::fast).unwrap_or(self)
    }

    /// How it is executed.
    pub(crate) fn tier(&self) -> Tier {
        match self.linked {
            Linked::Native(_) => Tier::Native,
            Linked::Bytecode(_) => Tier::Interpreted,
            Linked::Core(_) | Linked::Component(_) => Tier::Compiled,
        }
    }

    fn link_core(engine: &Engine, module: &Module) -> Result<Self, LinkFailure> {
        let mut missing: Vec<String> = module
            .imports()
            .map(|import| format!("`{}.{}` ({})", import.module(), import.name(), extern_type(&import.ty())))
            .collect();
        if !missing.is_empty() {
            missing.sort();
            return Err(LinkFailure::Missing(missing));
        }
        let pre = Linker::new(engine).instantiate_pre(module)?;
        let mut callees = BTreeMap::new();
        for export in module.exports() {
            let (ExternType::Func(ty), Some(index)) = (export.ty(), module.get_export_index(export.name()))
            else {
                continue;
            };
            let (params, results): (Vec<_>, Vec<_>) = (ty.params().collect(), ty.results().collect());
            let export = Export {
                name: export.name().to_owned(),
                signature: core_signature(&params, &results),
                obstacle: params.iter().chain(&results).find_map(value::obstacle),
            };
            let how = How::Core { index, params, results };
            callees.insert(export.name.clone(), Callee { export, how, used: AtomicBool::new(false) });
        }
        Ok(Self { linked: Linked::Core(pre), callees, settings: String::new() })
    }

    fn link_component(engine: &Engine, component: &Component) -> Result<Self, LinkFailure> {
        let ty = component.component_type();
        let mut linker = component::Linker::new(engine);
        let mut missing = Vec::new();
        for (name, import) in ty.imports(engine) {
            match import.ty {
                ComponentItem::Type(_) => {}
                // An interface of types alone needs nothing that would have to be given.
                ComponentItem::ComponentInstance(instance)
                    if instance
                        .exports(engine)
                        .all(|(_, item)| matches!(item.ty, ComponentItem::Type(_))) =>
                {
                    linker.instance(name)?;
                }
                ComponentItem::ComponentInstance(_) if name == CONSOLE => console::provide(&mut linker)?,
                ComponentItem::ComponentInstance(instance) => {
                    let members: Vec<&str> = instance.exports(engine).map(|(name, _)| name).collect();
                    missing.push(format!("`{name}` (interface with {})", members.join(", ")));
                }
                ComponentItem::ComponentFunc(func) => {
                    missing.push(format!("`{name}` ({})", component_signature(&func)));
                }
                ComponentItem::CoreFunc(_)
                | ComponentItem::Module(_)
                | ComponentItem::Component(_)
                | ComponentItem::Resource(_) => missing.push(format!("`{name}`")),
            }
        }
        if !missing.is_empty() {
            missing.sort();
            return Err(LinkFailure::Missing(missing));
        }
        let pre = linker.instantiate_pre(component)?;
        let mut callees = BTreeMap::new();
        for (name, export) in ty.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(func) => {
                    if let Some(index) = component.get_export_index(None, name) {
                        add_component_func(&mut callees, name.to_owned(), index, &func);
                    }
                }
                ComponentItem::ComponentInstance(instance) => {
                    let Some(outer) = component.get_export_index(None, name) else { continue };
                    for (member, item) in instance.exports(engine) {
                        if let ComponentItem::ComponentFunc(func) = item.ty
                            && let Some(index) = component.get_export_index(Some(&outer), member)
                        {
                            add_component_func(&mut callees, format!("{name}#{member}"), index, &func);
                        }
                    }
                }
                ComponentItem::CoreFunc(_)
                | ComponentItem::Module(_)
                | ComponentItem::Component(_)
                | ComponentItem::Type(_)
                | ComponentItem::Resource(_) => {}
            }
        }
        Ok(Self { linked: Linked::Component(pre), callees, settings: String::new() })
    }

    /// The exported functions by name.
    pub(crate) fn callees(&self) -> &BTreeMap<String, Callee> {
        &self.callees
    }

    /// A new instance in `store`; its start function runs.
    pub(crate) fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Instance> {
        match &self.linked {
            Linked::Core(pre) => pre.instantiate(store).map(Instance::Core),
            Linked::Component(pre) => pre.instantiate(store).map(Instance::Component),
            Linked::Native(_) => {
                Err(wasmtime::Error::msg("a native library has a process, and no instances"))
            }
            Linked::Bytecode(_) => Err(wasmtime::Error::msg("bytecode has instances of its own")),
        }
    }

    /// The hook `name`, if it is exported with the type that makes it one.
    pub(crate) fn hook(&self, name: &str) -> Option<&Callee> {
        let callee = self.callees.get(name)?;
        let is_hook = match &callee.how {
            How::Native { .. } | How::Bytecode(_) => false,
            How::Core { params, results, .. } => name == INIT_CORE && params.is_empty() && results.is_empty(),
            How::Component { params, results, .. } => {
                let shown = |types: &[component::Type]| {
                    types.iter().map(|ty| DisplayType(ty).to_string()).collect::<Vec<_>>().join(", ")
                };
                let (params, results) = (shown(params), shown(results));
                match name {
                    // Plugins are given a configuration.
                    INIT => matches!(&*params, "" | "string") && results == "result<_, string>",
                    HEALTH => params.is_empty() && results == "result<_, string>",
                    SAVE_STATE => params.is_empty() && results == "list<u8>",
                    LOAD_STATE => params == "list<u8>" && results == "result<_, string>",
                    _ => false,
                }
            }
        };
        is_hook.then_some(callee)
    }

    /// The hook that each new instance is given first.
    pub(crate) fn init(&self) -> Option<&Callee> {
        match self.linked {
            Linked::Core(_) => self.hook(INIT_CORE),
            Linked::Component(_) => self.hook(INIT),
            Linked::Native(_) | Linked::Bytecode(_) => None,
        }
    }

    /// Whether one instance lives on from call to call, because its state can be saved and loaded.
    pub(crate) fn has_state(&self) -> bool {
        self.hook(SAVE_STATE).is_some() && self.hook(LOAD_STATE).is_some()
    }

    /// What [`init`](Self::init) is called with.
    pub(crate) fn init_arguments(&self) -> Vec<component::Val> {
        match self.init().map(|callee| &callee.how) {
            Some(How::Component { params, .. }) => {
                params.iter().map(|_| component::Val::String(self.settings.clone())).collect()
            }
            Some(How::Core { .. } | How::Native { .. } | How::Bytecode(_)) | None => Vec::new(),
        }
    }
}

fn add_component_func(
    callees: &mut BTreeMap<String, Callee>,
    name: String,
    index: ComponentExportIndex,
    func: &component::types::ComponentFunc,
) {
    let params: Vec<component::Type> = func.params().map(|(_, ty)| ty).collect();
    let results: Vec<component::Type> = func.results().collect();
    let export = Export {
        signature: component_signature(func),
        obstacle: params.iter().chain(&results).find_map(value::obstacle),
        name: name.clone(),
    };
    let how = How::Component { index, params, results };
    callees.insert(name, Callee { export, how, used: AtomicBool::new(false) });
}

fn core_signature(params: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match results {
        [] => format!("func({})", list(params)),
        [one] => format!("func({}) -> {one}", list(params)),
        several => format!("func({}) -> ({})", list(params), list(several)),
    }
}

fn component_signature(func: &component::types::ComponentFunc) -> String {
    let mut text = "func(".to_owned();
    for (index, (name, ty)) in func.params().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{name}: {}", type_name(&ty));
    }
    text.push(')');
    for ty in func.results() {
        let _ = write!(text, " -> {}", type_name(&ty));
    }
    text
}

fn type_name(ty: &component::Type) -> String {
    if value::obstacle(ty).is_none() {
        return DisplayType(ty).to_string();
    }
    match ty {
        component::Type::Own(_) => "resource",
        component::Type::Borrow(_) => "borrow<resource>",
        component::Type::Stream(_) => "stream",
        component::Type::Future(_) => "future",
        component::Type::ErrorContext => "error-context",
        component::Type::Map(_) => "map",
        _ => "a type with resources, streams or maps",
    }
    .to_owned()
}

fn extern_type(ty: &ExternType) -> String {
    match ty {
        ExternType::Func(ty) => {
            core_signature(&ty.params().collect::<Vec<_>>(), &ty.results().collect::<Vec<_>>())
        }
        ExternType::Global(ty) => format!("global {}", ty.content()),
        ExternType::Table(ty) => format!("table of {}", ty.element()),
        ExternType::Memory(ty) => format!("memory of {} pages", ty.minimum()),
        ExternType::Tag(_) => "tag".to_owned(),
    }
}
