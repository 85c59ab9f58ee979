//! Programs for machines without a C library of ours, as parts that only need addresses: one text, one data section, and the
//! references between them. Whoever writes the executable's file knows its format and nothing of the compiler.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::data::DataSection;
use super::entry::{self, Stub};
use super::externals::{External, external, runtime_paths, start};
use super::object::ObjectContext;
use super::program::{DbContext, debugger_name, has_large_type, internal, machine_code, main_instance};
use super::wasm::not_on_target;
use super::{CodegenError, MachineCode, RelocationKind};
use crate::base::diagnostic::Diagnostics;
use crate::base::{Db, Machine, Name, Processor, Program, SourcePath};
use crate::consteval::ConstValue;
use crate::lower::hir::Abi;
use crate::lower::{ItemId, ItemKind, item_tree, proc_signature};
use crate::mono::{Instance, InstanceKind, collect, symbol_name};
use crate::runtime::CORE_ROOT;
use crate::ssa::layout::Layouts;
use crate::ssa::{CodeOptions, DbTypes, Symbol};
use crate::types::Ty;

/// Bytes of the runtime's state: that of every target, and that of `runtime/native.vit`.
const STATE_BYTES: u64 = 23552;

/// A program that needs addresses and a file format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeProgram {
    /// For which machine.
    pub machine: Machine,
    /// The code.
    pub text: Vec<u8>,
    /// The data, which is writable.
    pub data: Vec<u8>,
    /// Places of 8 bytes in `data` that hold the address of another place in it.
    pub pointers: Vec<(u64, u64)>,
    /// Bytes of zero that the program keeps its state in; they begin at a multiple of 64.
    pub state_bytes: u64,
    /// References from `text`, in order of place.
    pub references: Vec<Reference>,
    /// Functions of the system's libraries that it calls, in order.
    pub imports: Vec<String>,
    /// Where in `text` it begins.
    pub entry: u64,
    /// Its functions: name, offset in `text`, bytes; in order of offset.
    pub functions: Vec<(String, u64, u64)>,
}

/// A reference from the text that depends on addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Offset in the text.
    pub place: u64,
    /// How it is encoded.
    pub kind: RelocationKind,
    /// To what.
    pub to: ReferenceTo,
    /// Added to the address.
    pub addend: i64,
}

/// What a reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceTo {
    /// An offset in the text.
    Text(u64),
    /// An offset in the data.
    Data(u64),
    /// The state.
    State,
    /// An import, by number.
    Import(usize),
}

/// Where a program's parts are found by name.
struct Runtime<'a> {
    db: &'a dyn Db,
    machine: Machine,
    procs: HashMap<String, Option<Instance>>,
}

impl Runtime<'_> {
    /// The procedure of the runtime of that name.
    fn proc(&mut self, name: &str) -> Option<Instance> {
        if let Some(known) = self.procs.get(name) {
            return *known;
        }
        let db = self.db;
        let item = runtime_paths(self.machine).iter().find_map(|path| {
            let file = db.file(&SourcePath { root: CORE_ROOT.into(), path: (*path).into() });
            let mut items = item_tree(db, file).items.iter().map(|entry| entry.id);
            items.find(|item| {
                item.kind(db) == ItemKind::Proc && item.name(db) == name && !is_extern(db, *item)
            })
        });
        let instance = item.map(|item| Instance::new(db, InstanceKind::Proc(item, Vec::new())));
        self.procs.insert(name.to_owned(), instance);
        instance
    }
}

fn is_extern(db: &dyn Db, item: ItemId) -> bool {
    proc_signature(db, item).as_ref().is_some_and(|signature| signature.abi == Abi::C)
}

/// What a C function is in this program.
#[derive(Clone, Copy)]
enum Resolved {
    Instance(Instance),
    Import(usize),
    Instruction,
}

/// What [`native_program`] is made of.
struct Reached<'a> {
    functions: BTreeMap<String, (Instance, &'a MachineCode)>,
    externs: HashMap<Name, Resolved>,
    imports: Vec<String>,
    missing: BTreeMap<Name, Instance>,
}

/// The program for its machine.
///
/// # Errors
/// What is wrong with the program, or that it calls what the machine has not.
#[salsa::tracked(returns(clone))]
pub fn native_program(db: &dyn Db, program: Program) -> Result<Arc<NativeProgram>, Diagnostics> {
    let main = main_instance(db, program)?;
    let options = CodeOptions::of(db, program.options(db));
    let machine = options.machine(db);
    let mut runtime = Runtime { db, machine, procs: HashMap::new() };
    let entry = program.entry(db);
    let fault = |what: &str| internal(entry, machine.triple(), &CodeError::from(what).0);
    let Some(first) = start(machine).and_then(|name| runtime.proc(name)) else {
        return Err(fault("the runtime has no beginning for this machine"));
    };
    let reached = reach(db, program, main, first, options, &mut runtime)?;
    if !reached.missing.is_empty() {
        return Err(Arc::from([not_on_target(db, program, &reached.missing, None, machine.triple())]));
    }
    let types = DbTypes { db };
    let mut layouts = Layouts::new(&types);
    let made = assemble(db, machine, first, reached, &mut layouts);
    made.map(Arc::new).map_err(|error| internal(entry, machine.triple(), &error))
}

/// A fault in words.
struct CodeError(CodegenError);

impl From<&str> for CodeError {
    fn from(what: &str) -> Self {
        Self(CodegenError::Internal(what.to_owned()))
    }
}

/// Compiles an instance and gives those that its code refers to, for whoever compiles a program on several processors
/// before asking for it whole.
pub fn needs(db: &dyn Db, instance: Instance, options: CodeOptions) -> Vec<Instance> {
    if has_large_type(db, instance) {
        return Vec::new();
    }
    let Ok(code) = machine_code(db, instance, options) else { return Vec::new() };
    let targets = code.relocations.iter().filter_map(|relocation| match &relocation.target {
        Symbol::Instance(instance) => Some(*instance),
        Symbol::Extern(_)
        | Symbol::Literal(_)
        | Symbol::EmptyList
        | Symbol::State
        | Symbol::Const(_)
        | Symbol::Location(_) => None,
    });
    targets.collect()
}

/// Where [`needs`] begins.
pub fn roots(db: &dyn Db, program: Program) -> Vec<Instance> {
    main_instance(db, program).into_iter().collect()
}

fn reach<'a>(
    db: &'a dyn Db,
    program: Program,
    main: Instance,
    first: Instance,
    options: CodeOptions,
    runtime: &mut Runtime<'_>,
) -> Result<Reached<'a>, Diagnostics> {
    let machine = options.machine(db);
    let mut externs: HashMap<Name, Resolved> = HashMap::new();
    let mut imported: BTreeSet<(String, Name)> = BTreeSet::new();
    let mut missing = BTreeMap::new();
    let mut functions = BTreeMap::new();
    let mut work = vec![main, first];
    let mut seen: HashSet<Instance> = work.iter().copied().collect();
    while let Some(instance) = work.pop() {
        if has_large_type(db, instance) {
            // Only a program that needs endlessly many instances gets here; this says so.
            collect(db, &[instance]).map_err(|diagnostic| Arc::from([*diagnostic]))?;
        }
        let code = machine_code(db, instance, options)
            .as_ref()
            .map_err(|error| internal(program.entry(db), &symbol_name(db, instance), error))?;
        for relocation in &code.relocations {
            let next = match &relocation.target {
                Symbol::Instance(next) => *next,
                Symbol::Extern(name) => {
                    let named = match external(machine, name) {
                        External::Proc(proc) => runtime.proc(proc),
                        External::OwnName => runtime.proc(name),
                        External::Main => Some(main),
                        External::Imported(symbol) => {
                            imported.insert((symbol.to_owned(), name.clone()));
                            continue;
                        }
                        External::Instruction => {
                            externs.insert(name.clone(), Resolved::Instruction);
                            continue;
                        }
                        External::Missing => None,
                    };
                    let Some(named) = named else {
                        missing.entry(name.clone()).or_insert(instance);
                        continue;
                    };
                    externs.insert(name.clone(), Resolved::Instance(named));
                    named
                }
                Symbol::Literal(_)
                | Symbol::EmptyList
                | Symbol::State
                | Symbol::Const(_)
                | Symbol::Location(_) => continue,
            };
            if seen.insert(next) {
                work.push(next);
            }
        }
        functions.insert(symbol_name(db, instance), (instance, &**code));
    }
    let mut imports: Vec<String> = Vec::new();
    for (symbol, name) in imported {
        if imports.last() != Some(&symbol) {
            imports.push(symbol);
        }
        externs.insert(name, Resolved::Import(imports.len() - 1));
    }
    Ok(Reached { functions, externs, imports, missing })
}

/// Code that is being put together.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    functions: Vec<(String, u64, u64)>,
}

impl Text {
    /// Puts code behind what is there; gives its offset.
    fn place(&mut self, machine: Machine, name: String, code: &[u8], alignment: u32) -> u64 {
        let padding: &[u8] = match machine.processor() {
            // What stands between functions traps.
            Processor::X86_64 => &[0xcc],
            Processor::Aarch64 | Processor::Riscv64 => &[0],
        };
        let offset = self.bytes.len().next_multiple_of(alignment as usize);
        self.bytes.resize(offset, padding[0]);
        self.bytes.extend_from_slice(code);
        self.functions.push((name, offset as u64, code.len() as u64));
        offset as u64
    }
}

fn assemble(
    db: &dyn Db,
    machine: Machine,
    first: Instance,
    reached: Reached<'_>,
    layouts: &mut Layouts<'_>,
) -> Result<NativeProgram, CodegenError> {
    let lost = |symbol: &str| CodegenError::Internal(format!("{symbol} refers to code that was not made"));
    let Reached { functions, externs, imports, missing: _ } = reached;
    let mut context = DbContext::new(db);
    let mut text = Text::default();
    let way_in = entry::start(machine);
    let begin = way_in.as_ref().map(|Stub { code, .. }| text.place(machine, "_start".to_owned(), code, 16));
    let call = entry::system_call(machine)
        .map(|Stub { code, .. }| text.place(machine, "linux_call".to_owned(), code, 16));
    let mut offsets: HashMap<Instance, u64> = HashMap::with_capacity(functions.len());
    for (symbol, (instance, code)) in &functions {
        let name = debugger_name(db, *instance, symbol);
        offsets.insert(*instance, text.place(machine, name, &code.bytes, code.alignment));
    }
    let of = |instance: &Instance, by: &str| offsets.get(instance).copied().ok_or_else(|| lost(by));
    let mut data = DataSection::default();
    let mut constants: HashMap<ItemId, u64> = HashMap::new();
    let mut references = Vec::new();
    let start = of(&first, "_start")?;
    if let (Some(begin), Some(at)) = (begin, way_in.and_then(|stub| stub.call)) {
        let (kind, addend) = match machine.processor() {
            Processor::X86_64 => (RelocationKind::Call, -4),
            Processor::Aarch64 => (RelocationKind::Arm64Call, 0),
            Processor::Riscv64 => (RelocationKind::RiscvCall, 0),
        };
        references.push(Reference { place: begin + at, kind, to: ReferenceTo::Text(start), addend });
    }
    for (symbol, (instance, code)) in &functions {
        let base = of(instance, symbol)?;
        for relocation in &code.relocations {
            let to = match &relocation.target {
                Symbol::Instance(target) => ReferenceTo::Text(of(target, symbol)?),
                Symbol::Extern(name) => match externs.get(name) {
                    Some(Resolved::Instance(target)) => ReferenceTo::Text(of(target, symbol)?),
                    Some(Resolved::Import(number)) => ReferenceTo::Import(*number),
                    Some(Resolved::Instruction) => ReferenceTo::Text(call.ok_or_else(|| lost(symbol))?),
                    None => return Err(lost(symbol)),
                },
                Symbol::Literal(content) => ReferenceTo::Data(data.literal(content)),
                Symbol::EmptyList => ReferenceTo::Data(data.empty_list()),
                Symbol::State => ReferenceTo::State,
                Symbol::Const(item) => ReferenceTo::Data(match constants.get(item) {
                    Some(known) => *known,
                    None => {
                        let (value, ty) = context.constant(*item).unwrap_or((ConstValue::Unit, Ty::Unit));
                        let made = data.constant(&value, &ty, layouts);
                        constants.insert(*item, made);
                        made
                    }
                }),
                Symbol::Location(source) => ReferenceTo::Data(match context.position(*source) {
                    Some(at) => data.location(&at.file, at.line, at.column),
                    None => data.location(&Arc::from("?"), 0, 0),
                }),
            };
            let place = base + u64::from(relocation.offset);
            references.push(Reference { place, kind: relocation.kind, to, addend: relocation.addend });
        }
    }
    Ok(NativeProgram {
        machine,
        text: text.bytes,
        data: data.bytes,
        pointers: data.pointers,
        state_bytes: STATE_BYTES,
        references,
        imports,
        entry: begin.unwrap_or(start),
        functions: text.functions,
    })
}
