//! What hosts can call: the procs that the entry module exports, with their types in the interface language.
//!
//! Names become those of WIT, `add_all` `add-all`. A form is a record, a pick an enum or a variant, `Option` and `Result`
//! are what they are called there, lists and `bytes` are lists. A proc that takes or gives what the interface
//! language has no type for (procedure values, maps, recursive types, 128-bit numbers), or has type parameters, is not
//! exported. For each of the others there is an adapter (`canonical`) around the proc as a value
//! ([`InstanceKind::Thunk`]), whose convention does not depend on its body.
use std::collections::{BTreeSet, HashMap};

use vitte_bytecode::{Case, Field, FunctionType, InterfaceType, TypeDefinition};

use super::{WasmCode, WasmWidth, canonical};
use crate::base::{Db, Program};
use crate::lower::{ItemId, ItemKind};
use crate::mono::{Instance, InstanceKind};
use crate::runtime::CORE_ROOT;
use crate::ssa::DbTypes;
use crate::ssa::layout::{Layouts, value_type};
use crate::types::scope::{Binding, exports};
use crate::types::{FloatTy, Ty, core_item, form_data, pick_data, proc_data};

/// Deepest nesting of types that cross.
const DEPTH_MAX: usize = 32;

/// An exported proc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// As hosts call it.
    pub name: String,
    /// The proc as a value.
    pub thunk: Instance,
    /// Its type, which refers to [`Exports::types`].
    pub interface: FunctionType,
    /// Types of its parameters.
    pub(in crate::codegen) params: Vec<Ty>,
    /// Type of its result.
    pub(in crate::codegen) result: Ty,
}

/// What a program exports, in order of name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    /// Definitions of types; each refers to earlier ones only.
    pub types: Vec<TypeDefinition>,
    /// The procs.
    pub procs: Vec<Export>,
}

/// An exported proc with its adapter.
pub(in crate::codegen) struct Adapted {
    pub(in crate::codegen) export: Export,
    /// What hosts call.
    pub(in crate::codegen) code: WasmCode,
    /// What they call when they have read the result, if it lies in memory.
    pub(in crate::codegen) done: Option<WasmCode>,
    /// Whether arguments cross through memory.
    pub(in crate::codegen) takes_memory: bool,
}

/// The procs that a program's entry module exports and hosts can call.
pub fn exported_procs(db: &dyn Db, program: Program, width: WasmWidth) -> Exports {
    let bindings = exports(db, program.entry(db));
    let items = bindings.iter().filter_map(|(name, binding)| match binding {
        Binding::Item(item) if item.kind(db) == ItemKind::Proc => Some((wit_name(name)?, *item)),
        Binding::Item(_) | Binding::Module(_) | Binding::Ambiguous(_) | Binding::Error => None,
    });
    let mut items: Vec<(String, ItemId)> =
        items.filter(|(name, _)| !matches!(name.as_str(), "main" | "memory")).collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    items.dedup_by(|a, b| a.0 == b.0);
    let taken = items.iter().map(|(name, _)| name.clone()).collect();
    let info = DbTypes { db };
    let mut interface =
        Interface { db, layouts: Layouts::new(&info), types: Vec::new(), known: HashMap::new(), taken };
    let mut procs = Vec::new();
    for (name, item) in items {
        let before = interface.types.len();
        match interface.export(name, item, width) {
            Some(export) => procs.push(export),
            // Types that only it would have needed.
            None => interface.forget(before),
        }
    }
    Exports { types: interface.types, procs }
}

/// The exports with their adapters.
pub(in crate::codegen) fn adapted(db: &dyn Db, exports: Exports) -> (Vec<TypeDefinition>, Vec<Adapted>) {
    let Exports { types, procs } = exports;
    let adapted = procs.into_iter().map(|export| canonical::adapt(db, &types, export)).collect();
    (types, adapted)
}

/// The name as WIT writes it: words of one case, joined by hyphens, each beginning with a letter.
fn wit_name(name: &str) -> Option<String> {
    let name = name.replace('_', "-");
    let is_word = |word: &str| {
        word.starts_with(|letter: char| letter.is_ascii_lowercase())
            && word.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    };
    name.split('-').all(is_word).then_some(name)
}

/// `SourceFile` as `source-file`.
fn wit_type_name(name: &str) -> Option<String> {
    let mut words = String::new();
    let mut follows_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && follows_small {
            words.push('-');
        }
        follows_small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        words.push(letter.to_ascii_lowercase());
    }
    wit_name(&words)
}

/// Finds types of the interface language for ours.
struct Interface<'a> {
    db: &'a dyn Db,
    layouts: Layouts<'a>,
    types: Vec<TypeDefinition>,
    known: HashMap<Ty, InterfaceType>,
    /// Names that functions and types have.
    taken: BTreeSet<String>,
}

impl Interface<'_> {
    fn export(&mut self, name: String, item: ItemId, width: WasmWidth) -> Option<Export> {
        let data = proc_data(self.db, item);
        if !data.has_body || !data.generics.is_empty() || data.owner.is_some() {
            return None;
        }
        let mut fields: Vec<Field> = Vec::new();
        for param in &data.params {
            let name = wit_name(&param.name)?;
            if fields.iter().any(|field| field.name == name) {
                return None;
            }
            fields.push(Field { name, ty: self.ty(&param.ty, 0)? });
        }
        let result = match &data.ret {
            Ty::Unit => None,
            // What is only lent cannot be given away.
            Ty::Ref(..) | Ty::Never => return None,
            ty => Some(self.ty(ty, 0)?),
        };
        let interface = FunctionType { params: fields, result };
        // The canonical ABI has 32-bit addresses.
        if width == WasmWidth::Wasm64 && canonical::needs_memory(&self.types, &interface)? {
            return None;
        }
        canonical::needs_memory(&self.types, &interface)?;
        Some(Export {
            name,
            thunk: Instance::new(self.db, InstanceKind::Thunk(item, Vec::new())),
            interface,
            params: data.params.iter().map(|param| param.ty.clone()).collect(),
            result: data.ret.clone(),
        })
    }

    /// Takes back the definitions from number `from` on.
    fn forget(&mut self, from: usize) {
        for definition in self.types.split_off(from) {
            if let Some(name) = definition.name() {
                self.taken.remove(name);
            }
        }
        self.known.retain(|_, ty| !matches!(ty, InterfaceType::Defined(at) if *at as usize >= from));
    }

    fn ty(&mut self, ty: &Ty, depth: usize) -> Option<InterfaceType> {
        let ty = value_type(ty);
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(known) = self.known.get(ty) {
            return Some(*known);
        }
        let found = match ty {
            Ty::Bool => InterfaceType::Bool,
            Ty::Char => InterfaceType::Char,
            Ty::Int(int) => match (int.bits(), int.signed()) {
                (8, true) => InterfaceType::S8,
                (8, false) => InterfaceType::U8,
                (16, true) => InterfaceType::S16,
                (16, false) => InterfaceType::U16,
                (32, true) => InterfaceType::S32,
                (32, false) => InterfaceType::U32,
                (64, true) => InterfaceType::S64,
                (64, false) => InterfaceType::U64,
                _ => return None,
            },
            Ty::Float(FloatTy::F32) => InterfaceType::F32,
            Ty::Float(FloatTy::F64) => InterfaceType::F64,
            Ty::String => InterfaceType::String,
            Ty::Bytes => self.define(TypeDefinition::List(InterfaceType::U8)),
            Ty::List(element) => {
                let element = self.ty(element, depth + 1)?;
                self.define(TypeDefinition::List(element))
            }
            Ty::Tuple(parts) => {
                let parts = parts.iter().map(|part| self.ty(part, depth + 1)).collect::<Option<Vec<_>>>()?;
                if parts.is_empty() {
                    return None;
                }
                self.define(TypeDefinition::Tuple(parts))
            }
            // Maps and sets are the prelude's, and what they consist of is nobody's business.
            Ty::Form(item, _) if item.file(self.db).path(self.db).root == CORE_ROOT => return None,
            Ty::Form(item, _) => self.record(ty, *item, depth)?,
            Ty::Pick(item, args) => self.pick(ty, *item, args, depth)?,
            Ty::Error
            | Ty::Unit
            | Ty::Never
            | Ty::Ref(..)
            | Ty::Pointer(..)
            | Ty::Dyn(..)
            | Ty::Proc(..)
            | Ty::Impl(..)
            | Ty::Value(_)
            | Ty::Param(..)
            | Ty::Infer(_) => return None,
        };
        self.known.insert(ty.clone(), found);
        Some(found)
    }

    fn define(&mut self, definition: TypeDefinition) -> InterfaceType {
        let at = self.types.iter().position(|known| *known == definition).unwrap_or_else(|| {
            self.types.push(definition);
            self.types.len() - 1
        });
        InterfaceType::Defined(at as u32)
    }

    /// A name that nothing has yet.
    fn name(&mut self, item: ItemId) -> Option<String> {
        let name = wit_type_name(item.name(self.db))?;
        let mut free = name.clone();
        let mut number = 2;
        while !self.taken.insert(free.clone()) {
            free = format!("{name}-n{number}");
            number += 1;
        }
        Some(free)
    }

    fn record(&mut self, ty: &Ty, item: ItemId, depth: usize) -> Option<InterfaceType> {
        let types = self.layouts.fields(ty);
        let names = form_data(self.db, item);
        let mut fields: Vec<Field> = Vec::new();
        for ((name, _), ty) in names.fields.iter().zip(types.iter()) {
            let name = wit_name(name)?;
            if fields.iter().any(|field| field.name == name) {
                return None;
            }
            fields.push(Field { name, ty: self.ty(ty, depth + 1)? });
        }
        if fields.is_empty() {
            return None;
        }
        let name = self.name(item)?;
        Some(self.define(TypeDefinition::Record { name, fields }))
    }

    fn pick(&mut self, ty: &Ty, item: ItemId, args: &[Ty], depth: usize) -> Option<InterfaceType> {
        let is_core = |name: &str| core_item(self.db, ItemKind::Pick, name) == Some(item);
        // Nothing is written where a payload is `unit`.
        let payload = |this: &mut Self, ty: &Ty| match ty {
            Ty::Unit => Some(None),
            ty => this.ty(ty, depth + 1).map(Some),
        };
        if is_core("Option") {
            let some = self.ty(args.first()?, depth + 1)?;
            return Some(self.define(TypeDefinition::Option(some)));
        }
        if is_core("Result") {
            let (ok, err) = (payload(self, args.first()?)?, payload(self, args.get(1)?)?);
            return Some(self.define(TypeDefinition::Result { ok, err }));
        }
        let shape = self.layouts.pick(ty);
        let data = pick_data(self.db, item);
        let names: Vec<String> =
            data.variants.iter().map(|variant| wit_type_name(&variant.name)).collect::<Option<_>>()?;
        if names.is_empty() || names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            return None;
        }
        if shape.plain() {
            let name = self.name(item)?;
            return Some(self.define(TypeDefinition::Enum { name, cases: names }));
        }
        let mut cases = Vec::new();
        for (name, (fields, _)) in names.into_iter().zip(&shape.variants) {
            let ty = match &fields[..] {
                [] => None,
                [one] => payload(self, one)?,
                several => {
                    let parts = several.iter().map(|ty| self.ty(ty, depth + 1));
                    let parts = parts.collect::<Option<Vec<_>>>()?;
                    Some(self.define(TypeDefinition::Tuple(parts)))
                }
            };
            cases.push(Case { name, ty });
        }
        let name = self.name(item)?;
        Some(self.define(TypeDefinition::Variant { name, cases }))
    }
}
