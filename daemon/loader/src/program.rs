//! What a generation can do: linked code, its exports, and new instances of it.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use vitte_bytecode::ValueType;
use vitte_component::CONSOLE;

use vitte_wasm_code::Code;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::wasm_wave::wasm::DisplayType;
use wasmtime::component::{self, Component, ComponentExportIndex};
use wasmtime::{Engine, ExternType, InstancePre, Linker, MemoryType, Module, ModuleExport, Store, ValType};

use crate::bytecode::{Bytecode, Function};
use crate::call::Guest;
use crate::console;
use crate::generation::Tier;
use crate::guest::{ALLOCATOR, Core, INTERNAL_MEMORY, MEMORY, from_engine, to_engine};
use crate::import::{Binding, Exports, Import};
use crate::interface::{FunctionType, Registers, Signature};
use crate::name::ModuleName;
use crate::native::Native;
use crate::value;
use crate::wasi::{self, Settings};

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
    /// Its type, as other modules are linked by it.
    pub(crate) signature: Signature,
    pub(crate) how: How,
    uses: Uses,
}

/// How a function has been used.
#[derive(Default)]
struct Uses {
    any: AtomicBool,
    /// How many of its last calls were short, up to [`SHORT_CALLS`].
    short: AtomicU32,
}

/// A function whose last calls, so many of them, were short is expected to be so again.
const SHORT_CALLS: u32 = 8;
/// The longest call that is short.
const SHORT: Duration = Duration::from_micros(500);

pub(crate) enum How {
    Core { index: ModuleExport, params: Vec<ValType>, results: Vec<ValType> },
    Component { index: ComponentExportIndex, params: Vec<component::Type>, results: Vec<component::Type> },
    Native { place: usize },
    Bytecode(Function),
}

impl Callee {
    pub(crate) fn mark_used(&self) {
        // Read first: a line of memory that all callers write is slow.
        if !self.uses.any.load(Ordering::Relaxed) {
            self.uses.any.store(true, Ordering::Relaxed);
        }
    }

    /// Notes how long a call took.
    pub(crate) fn took(&self, elapsed: Duration) {
        let short = self.uses.short.load(Ordering::Relaxed);
        let next = if elapsed <= SHORT { (short + 1).min(SHORT_CALLS) } else { 0 };
        if next != short {
            self.uses.short.store(next, Ordering::Relaxed);
        }
    }

    /// Whether the next call can be expected to be short.
    pub(crate) fn is_short(&self) -> bool {
        self.uses.short.load(Ordering::Relaxed) == SHORT_CALLS
    }

    pub(crate) fn is_used(&self) -> bool {
        self.uses.any.load(Ordering::Relaxed)
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
    bindings: Arc<Bindings>,
    /// What of the system its instances see, and under which name; `None` if it does not ask.
    system: Option<(ModuleName, Settings)>,
    /// What `init` is given, if it takes a configuration.
    settings: String,
}

/// The imports of a module and what answers them, sorted.
#[derive(Debug, Default)]
pub(crate) struct Bindings(Vec<Arc<Binding>>);

impl Bindings {
    pub(crate) fn new(mut bindings: Vec<Arc<Binding>>) -> Self {
        let key = |binding: &Arc<Binding>| (binding.import.module.clone(), binding.import.name.clone());
        bindings.sort_by_key(key);
        Self(bindings)
    }

    pub(crate) fn find(&self, module: &str, name: &str) -> Option<&Arc<Binding>> {
        self.0.iter().find(|binding| binding.import.module == module && binding.import.name == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.0.iter()
    }

    /// The modules that answer, each at least once.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &ModuleName> {
        self.0.iter().map(|binding| &binding.target)
    }
}

/// Valid code whose imports are not bound yet.
pub(crate) struct Unlinked {
    code: UnlinkedCode,
    callees: BTreeMap<String, Callee>,
    /// Functions that another module, or the system, has to give.
    pub(crate) imports: Vec<Import>,
    /// What nobody gives, each with its type, sorted.
    pub(crate) impossible: Vec<String>,
    /// Whether interfaces of the system are imported.
    pub(crate) asks_the_system: bool,
}

enum UnlinkedCode {
    Core(Module),
    Component(Component),
    Bytecode(vitte_bytecode::Compiled),
}

impl Unlinked {
    /// What compiled code exports and imports.
    pub(crate) fn of_code(engine: &Engine, code: &Code) -> Self {
        match code {
            Code::Module(module) => Self::of_core(module),
            Code::Component(component) => Self::of_component(engine, component),
        }
    }

    /// What other modules see of it.
    pub(crate) fn exports(&self) -> Exports {
        exports(&self.callees)
    }

    fn of_core(module: &Module) -> Self {
        let is_wide = module.imports().any(|import| import.ty().memory().is_some_and(MemoryType::is_64))
            || module.exports().any(|export| export.ty().memory().is_some_and(MemoryType::is_64));
        let (mut imports, mut impossible) = (Vec::new(), Vec::new());
        for import in module.imports() {
            let (module, name, ty) = (import.module(), import.name(), import.ty());
            match ty.func().and_then(|ty| registers(ty, is_wide)) {
                Some(registers) => imports.push(Import {
                    module: module.to_owned(),
                    name: name.to_owned(),
                    signature: Signature::Registers(registers),
                    is_wide,
                }),
                None => impossible.push(format!("`{module}.{name}` ({})", extern_type(&ty))),
            }
        }
        let mut callees = BTreeMap::new();
        for export in module.exports() {
            let (ExternType::Func(ty), Some(index)) = (export.ty(), module.get_export_index(export.name()))
            else {
                continue;
            };
            let signature = match registers(&ty, is_wide) {
                Some(registers) => Signature::Registers(registers),
                None => Signature::Foreign(extern_type(&ExternType::Func(ty.clone()))),
            };
            let (params, results): (Vec<_>, Vec<_>) = (ty.params().collect(), ty.results().collect());
            let export = Export {
                name: export.name().to_owned(),
                signature: core_signature(&params, &results),
                obstacle: params.iter().chain(&results).find_map(value::obstacle),
            };
            let how = How::Core { index, params, results };
            let uses = Uses::default();
            callees.insert(export.name.clone(), Callee { export, signature, how, uses });
        }
        Self::new(UnlinkedCode::Core(module.clone()), callees, imports, impossible)
    }

    fn of_component(engine: &Engine, component: &Component) -> Self {
        let ty = component.component_type();
        let (mut imports, mut impossible) = (Vec::new(), Vec::new());
        for (name, import) in ty.imports(engine) {
            match import.ty {
                ComponentItem::Type(_) => {}
                ComponentItem::ComponentInstance(_) if name == CONSOLE => {}
                ComponentItem::ComponentInstance(instance) => {
                    let mut import = |member: &str, signature| {
                        let (module, name) = (name.to_owned(), member.to_owned());
                        imports.push(Import { module, name, signature, is_wide: false });
                    };
                    for (member, item) in instance.exports(engine) {
                        match item.ty {
                            // An interface of types alone needs nothing that would have to be given.
                            ComponentItem::Type(_) => {}
                            ComponentItem::ComponentFunc(func) => import(member, signature_of(&func)),
                            ComponentItem::Resource(_)
                            | ComponentItem::CoreFunc(_)
                            | ComponentItem::Module(_)
                            | ComponentItem::Component(_)
                            | ComponentItem::ComponentInstance(_) => {
                                impossible.push(format!("`{name}.{member}` (no function)"));
                            }
                        }
                    }
                }
                ComponentItem::ComponentFunc(func) => {
                    impossible.push(format!("`{name}` ({})", component_signature(&func)));
                }
                ComponentItem::CoreFunc(_)
                | ComponentItem::Module(_)
                | ComponentItem::Component(_)
                | ComponentItem::Resource(_) => impossible.push(format!("`{name}`")),
            }
        }
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
        Self::new(UnlinkedCode::Component(component.clone()), callees, imports, impossible)
    }

    /// What bytecode exports and imports.
    pub(crate) fn of_bytecode(compiled: vitte_bytecode::Compiled) -> Self {
        let imports = crate::bytecode::imports(compiled.module());
        let callees = crate::bytecode::functions(compiled.module())
            .into_iter()
            .map(|(name, (function, signature))| {
                let (params, results) = (&function.params, &function.results);
                let text = match &signature {
                    Signature::Interface(ty) => ty.to_string(),
                    Signature::Registers(_) | Signature::Foreign(_) => core_signature(params, results),
                };
                let export = Export { name: name.clone(), signature: text, obstacle: None };
                let uses = Uses::default();
                (name, Callee { export, signature, how: How::Bytecode(function), uses })
            })
            .collect();
        Self::new(UnlinkedCode::Bytecode(compiled), callees, imports, Vec::new())
    }

    fn new(
        code: UnlinkedCode,
        callees: BTreeMap<String, Callee>,
        imports: Vec<Import>,
        mut impossible: Vec<String>,
    ) -> Self {
        impossible.sort();
        let asks_the_system = imports.iter().any(Import::is_of_system);
        Self { code, callees, imports, impossible, asks_the_system }
    }

    /// Links it: each import that the system does not give is in `bindings`.
    ///
    /// # Errors
    /// What the engine says.
    pub(crate) fn link(
        self,
        engine: &Engine,
        bindings: Arc<Bindings>,
        system: (ModuleName, Settings),
    ) -> Result<Program, String> {
        let Self { code, callees, imports, impossible: _, asks_the_system } = self;
        let linked = match code {
            UnlinkedCode::Core(module) => link_core(engine, &module, &bindings, asks_the_system)
                .map(Linked::Core)
                .map_err(|error| format!("{error:#}"))?,
            UnlinkedCode::Component(component) => link_component(engine, &component, &imports, &bindings)
                .map(Linked::Component)
                .map_err(|error| format!("{error:#}"))?,
            UnlinkedCode::Bytecode(compiled) => {
                Linked::Bytecode(Bytecode::new(compiled, Arc::clone(&bindings)))
            }
        };
        let system = asks_the_system.then_some(system);
        Ok(Program { linked, callees, bindings, system, settings: String::new() })
    }
}

/// Links a core module: its imports call into other modules.
fn link_core(
    engine: &Engine,
    module: &Module,
    bindings: &Bindings,
    asks_the_system: bool,
) -> wasmtime::Result<InstancePre<Guest>> {
    let mut linker = Linker::new(engine);
    if asks_the_system {
        wasi::link_core(&mut linker)?;
    }
    let mut done = BTreeSet::new();
    for import in module.imports() {
        let (ExternType::Func(ty), Some(binding)) =
            (import.ty(), bindings.find(import.module(), import.name()))
        else {
            continue;
        };
        if !done.insert((import.module().to_owned(), import.name().to_owned())) {
            continue;
        }
        let is_wide = binding.import.is_wide;
        let binding = Arc::clone(binding);
        linker.func_new(import.module(), import.name(), ty, move |mut caller, arguments, results| {
            let registers: Option<Vec<_>> = arguments.iter().map(from_engine).collect();
            let registers = registers.ok_or_else(|| wasmtime::Error::msg("a vector is passed"))?;
            let context = caller.data().context()?;
            let memory = caller.get_export(MEMORY).or_else(|| caller.get_export(INTERNAL_MEMORY));
            let memory = memory.and_then(wasmtime::Extern::into_memory);
            let allocator = caller.get_export(ALLOCATOR).and_then(wasmtime::Extern::into_func);
            let mut guest = Core { store: &mut caller, memory, allocator, is_wide };
            let given = context.call_from(&binding, &registers, &mut guest)?;
            for (place, value) in results.iter_mut().zip(given) {
                *place = to_engine(value);
            }
            Ok(())
        })?;
    }
    linker.instantiate_pre(module)
}

fn link_component(
    engine: &Engine,
    component: &Component,
    imports: &[Import],
    bindings: &Bindings,
) -> wasmtime::Result<component::InstancePre<Guest>> {
    let mut linker = component::Linker::<Guest>::new(engine);
    for (name, import) in component.component_type().imports(engine) {
        match import.ty {
            ComponentItem::ComponentInstance(_) if name == CONSOLE => console::provide(&mut linker)?,
            // Also one of types alone has to be there.
            ComponentItem::ComponentInstance(_) => {
                linker.instance(name)?;
            }
            ComponentItem::ComponentFunc(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Type(_)
            | ComponentItem::Resource(_) => {}
        }
    }
    for Import { module, name, .. } in imports {
        let Some(binding) = bindings.find(module, name) else { continue };
        let binding = Arc::clone(binding);
        linker.instance(module)?.func_new(name, move |store, _, arguments, results| {
            let context = store.data().context()?;
            let given = context.call(&binding, arguments)?;
            for (place, value) in results.iter_mut().zip(given) {
                *place = value;
            }
            Ok(())
        })?;
    }
    linker.instantiate_pre(component)
}

/// What other modules see of functions.
fn exports(callees: &BTreeMap<String, Callee>) -> Exports {
    callees.iter().map(|(name, callee)| (name.clone(), callee.signature.clone())).collect()
}

/// The registers of a core function; `None` if it has references or vectors.
fn registers(ty: &wasmtime::FuncType, is_wide: bool) -> Option<Registers> {
    let of = |types: &mut dyn Iterator<Item = ValType>| {
        types
            .map(|ty| match ty {
                ValType::I32 => Some(ValueType::I32),
                ValType::I64 => Some(ValueType::I64),
                ValType::F32 => Some(ValueType::F32),
                ValType::F64 => Some(ValueType::F64),
                ValType::V128 | ValType::Ref(_) => None,
            })
            .collect::<Option<Vec<_>>>()
    };
    Some(Registers { params: of(&mut ty.params())?, results: of(&mut ty.results())?, is_wide })
}

fn signature_of(func: &component::types::ComponentFunc) -> Signature {
    match FunctionType::of_component(func) {
        Some(ty) => Signature::Interface(ty),
        None => Signature::Foreign(component_signature(func)),
    }
}

impl Program {
    /// Links code that imports nothing but what bytecode, which it was made of, was linked with.
    ///
    /// # Errors
    /// What the engine says.
    pub(crate) fn of_lowered(
        engine: &Engine,
        code: &Code,
        bindings: Arc<Bindings>,
        system: (ModuleName, Settings),
    ) -> Result<Self, String> {
        Unlinked::of_code(engine, code).link(engine, bindings, system)
    }

    /// The same, with what `init` is given if it takes a configuration.
    pub(crate) fn configured(self, settings: Option<String>) -> Self {
        Self { settings: settings.unwrap_or_default(), ..self }
    }

    /// What of the system its instances see, if it asks.
    pub(crate) fn system(&self) -> Option<&(ModuleName, Settings)> {
        self.system.as_ref()
    }

    /// The imports and what answers them.
    pub(crate) fn bindings(&self) -> &Arc<Bindings> {
        &self.bindings
    }

    /// What other modules see of it.
    pub(crate) fn exports(&self) -> Exports {
        exports(&self.callees)
    }

    /// A native library that runs already.
    pub(crate) fn native(native: Native, bindings: Arc<Bindings>) -> Self {
        let callees = native
            .functions()
            .enumerate()
            .map(|(place, (name, types))| {
                let export = Export { name: name.to_owned(), signature: types.signature(), obstacle: None };
                let signature = Signature::Interface(types.function_type());
                let uses = Uses::default();
                (name.to_owned(), Callee { export, signature, how: How::Native { place }, uses })
            })
            .collect();
        Self { linked: Linked::Native(native), callees, bindings, system: None, settings: String::new() }
    }

    /// The native library that it is, if it is one.
    pub(crate) fn as_native(&self) -> Option<&Native> {
        match &self.linked {
            Linked::Native(native) => Some(native),
            Linked::Core(_) | Linked::Component(_) | Linked::Bytecode(_) => None,
        }
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
    let (signature, uses) = (signature_of(func), Uses::default());
    callees.insert(name, Callee { export, signature, how, uses });
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
