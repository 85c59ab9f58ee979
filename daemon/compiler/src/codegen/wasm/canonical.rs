//! Adapters by the canonical ABI of the component model, for 32-bit memories: arguments become values of ours, the
//! proc is called, its result is written as the ABI has it (WebAssembly/component-model, `CanonicalABI.md`).
//!
//! A result that lies in memory is an *area*: `{first block: u64, value: u64, result…}`, of which the caller is given the
//! address of the result. Texts, bytes and lists whose elements look the same on both sides stand where our value has
//! them, so the value is kept; other lists are written to blocks, which hang together from the area. Both go when the
//! caller says that it has read the result.
//!
//! Nothing is on WebAssembly's stack where a block begins or ends: bytecode, which is made of the same code, has it so.
use vitte_bytecode::{
    AddressType, FunctionType, InterfaceType, Layout, Layouts as Canonical, TypeDefinition, ValueType,
};
use wasm_encoder::{BlockType, Encode, InstructionSink, MemArg, ValType};

use super::component::parts;
use super::exports::{Adapted, Export};
use super::link::wasm_proc;
use super::{Reference, ReferenceTarget, Signature, WasmCode};
use crate::base::Db;
use crate::ssa::layout::{DATA, FIELDS, LENGTH, Layouts, PAYLOAD, TAG, immediate_variant, value_type};
use crate::ssa::{DbTypes, ObjectRepr, Symbol, Type};
use crate::types::Ty;

/// Most values that the canonical ABI passes one by one.
const FLAT_PARAMS_MAX: usize = 16;
/// Most parts of the types of one function, each counted wherever it stands: adapters have code for each.
const PARTS_MAX: u64 = 2048;
/// Bytes of an area before the result.
const AREA_HEAD: i32 = 16;
/// Of these, where the value is, from the result on.
const AREA_VALUE: i32 = 8;

/// Whether values of a function go through memory; `None` if its types are too large. Linear in the definitions.
pub(super) fn needs_memory(types: &[TypeDefinition], function: &FunctionType) -> Option<bool> {
    let mut weights: Vec<u64> = Vec::with_capacity(types.len());
    for definition in types {
        let weight = sum(&weights, parts(definition).into_iter());
        weights.push(weight);
    }
    let all = function.params.iter().map(|param| param.ty).chain(function.result);
    let mut fits = sum(&weights, all) <= PARTS_MAX;
    let layouts = Canonical::new(types, AddressType::I32, |_, _| fits = false);
    let is_made = |ty: InterfaceType| match ty {
        InterfaceType::Defined(at) => !matches!(types.get(at as usize), Some(TypeDefinition::Enum { .. })),
        ty => layouts.of(ty).has_pointers,
    };
    let mut all = function.params.iter().map(|param| param.ty).chain(function.result);
    let through = all.any(is_made) || flat(&layouts, function).len() > FLAT_PARAMS_MAX;
    fits.then_some(through)
}

/// One more than the parts of these types. Definitions refer backwards.
fn sum(weights: &[u64], types: impl Iterator<Item = InterfaceType>) -> u64 {
    let weight = |ty| match ty {
        InterfaceType::Defined(at) => weights.get(at as usize).copied().unwrap_or(1),
        _ => 1,
    };
    types.map(weight).fold(1, u64::saturating_add)
}

/// The registers of all parameters.
fn flat(layouts: &Canonical, function: &FunctionType) -> Vec<ValType> {
    let params = function.params.iter().flat_map(|param| layouts.of(param.ty).flat);
    params.map(val_type).collect()
}

fn val_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
    }
}

/// Makes the adapter of an export.
pub(super) fn adapt(db: &dyn Db, types: &[TypeDefinition], export: Export) -> Adapted {
    let info = DbTypes { db };
    let canonical = Canonical::new(types, AddressType::I32, |_, _| {});
    let mut adapter =
        Adapter { db, types, canonical, layouts: Layouts::new(&info), code: Code::default(), area: None };
    let takes_memory = adapter.params(&export);
    let by_area = adapter.area.is_some();
    let code = std::mem::take(&mut adapter.code).finish();
    let done = by_area.then(|| {
        adapter.code = Code { params: 1, ..Code::default() };
        adapter.end_area(0, value_type(&export.result));
        adapter.code.signature = Signature { params: vec![ValType::I32], results: Vec::new() };
        std::mem::take(&mut adapter.code).finish()
    });
    Adapted { export, code, done, takes_memory }
}

/// Code in the making.
#[derive(Default)]
struct Code {
    signature: Signature,
    params: u32,
    locals: Vec<ValType>,
    bytes: Vec<u8>,
    references: Vec<Reference>,
}

fn at(offset: i32) -> MemArg {
    MemArg { offset: u64::from(offset.unsigned_abs()), align: 0, memory_index: 0 }
}

impl Code {
    fn ins(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.params + self.locals.len() as u32 - 1
    }

    fn get(&mut self, local: u32) {
        self.ins().local_get(local);
    }

    /// Takes the top of the stack into a new local.
    fn kept(&mut self, ty: ValType) -> u32 {
        let local = self.local(ty);
        self.ins().local_set(local);
        local
    }

    fn call(&mut self, symbol: Symbol, params: &[ValType], results: &[ValType]) {
        // `call`
        self.bytes.push(0x10);
        let signature = Signature { params: params.to_vec(), results: results.to_vec() };
        let target = ReferenceTarget::Function(symbol, signature);
        self.references.push(Reference { offset: self.bytes.len() as u32, target });
    }

    /// The body, whose locals are known now.
    fn finish(mut self) -> WasmCode {
        self.ins().return_().end();
        let mut bytes = Vec::new();
        (self.locals.len() as u32).encode(&mut bytes);
        for ty in &self.locals {
            1u32.encode(&mut bytes);
            ty.encode(&mut bytes);
        }
        let head = bytes.len() as u32;
        bytes.extend_from_slice(&self.bytes);
        for reference in &mut self.references {
            reference.offset += head;
        }
        WasmCode { signature: self.signature, bytes: bytes.into(), references: self.references }
    }
}

/// Where a value of the interface is.
enum Source {
    /// In locals of these types.
    Flat(Vec<(u32, ValType)>),
    /// In memory, so far behind the address that a local holds.
    Memory(u32, i32),
}

impl Source {
    /// Takes the first registers off.
    fn part(&mut self, layout: &Layout, offset: &mut i32) -> Self {
        match self {
            Self::Flat(locals) => {
                let rest = locals.split_off(layout.flat.len().min(locals.len()));
                Self::Flat(std::mem::replace(locals, rest))
            }
            Self::Memory(base, start) => {
                let place = next_place(layout, offset);
                Self::Memory(*base, *start + place)
            }
        }
    }
}

/// Where a part goes, of which the end of the last one is given.
fn next_place(layout: &Layout, end: &mut i32) -> i32 {
    let place = (*end as u32).next_multiple_of(layout.align as u32) as i32;
    *end = place + layout.size as i32;
    place
}

/// The payload of a variant: behind the tag, aligned for all cases.
fn payload_place(layout: &Layout, tag: i32) -> i32 {
    (tag as u32).next_multiple_of(layout.align as u32) as i32
}

/// Bytes of the tag of so many cases.
fn tag_size(cases: usize) -> i32 {
    match cases {
        0..=256 => 1,
        257..=65_536 => 2,
        _ => 4,
    }
}

struct Adapter<'a> {
    db: &'a dyn Db,
    types: &'a [TypeDefinition],
    canonical: Canonical,
    layouts: Layouts<'a>,
    code: Code,
    /// The local with the address of the result.
    area: Option<u32>,
}

impl Adapter<'_> {
    fn ins(&mut self) -> InstructionSink<'_> {
        self.code.ins()
    }

    /// Calls a proc of the runtime.
    fn runtime(&mut self, name: &str, types: Vec<Ty>, params: &[ValType], results: &[ValType]) {
        // That it is there is seen by every test: without it the linker finds no code for the name.
        let symbol = match wasm_proc(self.db, name, types) {
            Some(proc) => Symbol::Instance(proc),
            None => Symbol::Extern(name.into()),
        };
        self.code.call(symbol, params, results);
    }

    /// How our procs take a value.
    fn own(&mut self, ty: &Ty) -> ValType {
        match self.layouts.scalar(ty) {
            Type::F32 => ValType::F32,
            Type::F64 => ValType::F64,
            Type::I8 | Type::I16 | Type::I32 => ValType::I32,
            Type::I64 | Type::I128 => ValType::I64,
        }
    }

    /// The whole adapter; whether its arguments come through memory.
    fn params(&mut self, export: &Export) -> bool {
        let flat = flat(&self.canonical, &export.interface);
        let params: Vec<Layout> =
            export.interface.params.iter().map(|param| self.canonical.of(param.ty)).collect();
        let in_memory = flat.len() > FLAT_PARAMS_MAX;
        let mut source = if in_memory {
            self.code.signature.params = vec![ValType::I32];
            Source::Memory(0, 0)
        } else {
            self.code.signature.params = flat.clone();
            Source::Flat((0..).zip(flat).collect())
        };
        self.code.params = self.code.signature.params.len() as u32;
        let mut end = 0;
        let mut values = Vec::new();
        for ((field, ty), layout) in export.interface.params.iter().zip(&export.params).zip(&params) {
            let part = source.part(layout, &mut end);
            values.push((self.take(ty, field.ty, part), ty.clone()));
        }
        if in_memory {
            self.code.get(0);
            self.ins().i64_extend_i32_u();
            self.runtime("heap_free", Vec::new(), &[ValType::I64], &[]);
        }
        self.call(export, &values);
        in_memory || params.iter().any(|layout| layout.has_pointers)
    }

    /// Calls the proc with values of ours, which end here, and returns its result.
    fn call(&mut self, export: &Export, values: &[(u32, Ty)]) {
        // Forms are passed by the place that holds them, which the proc may change.
        let is_placed = |ty: &Ty| matches!(ty, Ty::Form(..));
        let places = values.iter().filter(|(_, ty)| is_placed(ty)).count() as i64;
        let frame_size = (8 * places + 15) & !15;
        let frame = (places > 0).then(|| {
            let frame = self.code.local(ValType::I64);
            self.ins().global_get(0).i64_const(frame_size).i64_sub().local_tee(frame).global_set(0);
            let base = self.code.local(ValType::I32);
            self.ins().local_get(frame).i32_wrap_i64().local_set(base);
            (frame, base)
        });
        let (mut own, mut place) = (vec![ValType::I64], 0);
        if let Some((_, base)) = frame {
            for (value, _) in values.iter().filter(|(_, ty)| is_placed(ty)) {
                self.ins().local_get(base).local_get(*value).i64_store(at(place));
                place += 8;
            }
        }
        // The object of the value, which the thunk of a proc does not look at.
        self.ins().i64_const(0);
        place = 0;
        for (value, ty) in values {
            match frame {
                Some((frame, _)) if is_placed(ty) => {
                    self.ins().local_get(frame).i64_const(i64::from(place)).i64_add();
                    place += 8;
                    own.push(ValType::I64);
                }
                _ => {
                    self.code.get(*value);
                    own.push(self.own(ty));
                }
            }
        }
        let result_ty = value_type(&export.result).clone();
        let given: Vec<ValType> = export.interface.result.iter().map(|_| self.own(&result_ty)).collect();
        self.code.call(Symbol::Instance(export.thunk), &own, &given);
        let result = given.first().map(|ty| self.code.kept(*ty));
        place = 0;
        for (value, ty) in values {
            let inner = value_type(ty);
            if self.layouts.repr(inner).is_none() {
                continue;
            }
            match frame {
                Some((_, base)) if is_placed(ty) => {
                    self.ins().local_get(base).i64_load(at(place));
                    place += 8;
                }
                _ => self.code.get(*value),
            }
            self.runtime("wasm_drop", vec![inner.clone()], &[ValType::I64], &[]);
        }
        if let Some((frame, _)) = frame {
            self.ins().local_get(frame).i64_const(frame_size).i64_add().global_set(0);
        }
        if let (Some(value), Some(ty)) = (result, export.interface.result) {
            self.give(&result_ty, ty, value);
        }
    }

    /// Puts the result on the stack, as the ABI has it.
    fn give(&mut self, ty: &Ty, interface: InterfaceType, value: u32) {
        let layout = self.canonical.of(interface);
        if let ([one], None) = (&layout.flat[..], self.layouts.repr(ty)) {
            self.code.signature.results = vec![val_type(*one)];
            self.code.get(value);
            match interface {
                InterfaceType::S8 => self.ins().i32_extend8_s(),
                InterfaceType::S16 => self.ins().i32_extend16_s(),
                _ => return,
            };
            return;
        }
        self.ins().i32_const(layout.size as i32);
        self.runtime("wasm_area", Vec::new(), &[ValType::I32], &[ValType::I32]);
        let area = self.code.kept(ValType::I32);
        self.area = Some(area);
        self.ins().local_get(area).i32_const(AREA_VALUE).i32_sub().local_get(value).i64_store(at(0));
        self.put(ty, interface, value, area, 0);
        match &layout.flat[..] {
            [one] => {
                // A record of one number: it has no pointers, so nothing is kept.
                let one = val_type(*one);
                self.load_one(interface, area);
                let number = self.code.kept(one);
                self.end_area(area, ty);
                self.area = None;
                self.code.get(number);
                self.code.signature.results = vec![one];
            }
            _ => {
                self.code.get(area);
                self.code.signature.results = vec![ValType::I32];
            }
        }
    }

    /// Loads the only number of a value.
    fn load_one(&mut self, ty: InterfaceType, area: u32) {
        let inner = match ty {
            InterfaceType::Defined(index) => match self.types.get(index as usize) {
                Some(TypeDefinition::Record { fields, .. }) => fields.first().map(|field| field.ty),
                Some(TypeDefinition::Tuple(types)) => types.first().copied(),
                _ => None,
            },
            _ => None,
        };
        if let Some(inner) = inner {
            return self.load_one(inner, area);
        }
        let size = self.canonical.of(ty).size;
        self.code.get(area);
        let mut ins = self.ins();
        match ty {
            InterfaceType::S8 => ins.i32_load8_s(at(0)),
            InterfaceType::S16 => ins.i32_load16_s(at(0)),
            InterfaceType::S64 | InterfaceType::U64 => ins.i64_load(at(0)),
            InterfaceType::F32 => ins.f32_load(at(0)),
            InterfaceType::F64 => ins.f64_load(at(0)),
            InterfaceType::Bool
            | InterfaceType::U8
            | InterfaceType::U16
            | InterfaceType::S32
            | InterfaceType::U32
            | InterfaceType::Char
            | InterfaceType::String
            | InterfaceType::Defined(_) => match size {
                1 => ins.i32_load8_u(at(0)),
                2 => ins.i32_load16_u(at(0)),
                _ => ins.i32_load(at(0)),
            },
        };
    }

    /// Ends an area and the value in it.
    fn end_area(&mut self, area: u32, ty: &Ty) {
        if self.layouts.repr(ty).is_some() {
            self.ins().local_get(area).i32_const(AREA_VALUE).i32_sub().i64_load(at(0));
            self.runtime("wasm_drop", vec![ty.clone()], &[ValType::I64], &[]);
        }
        self.ins().local_get(area).i32_const(AREA_HEAD).i32_sub();
        self.runtime("wasm_area_end", Vec::new(), &[ValType::I32], &[]);
    }

    /// The element type of a list.
    fn element(ty: &Ty) -> Ty {
        match ty {
            Ty::List(element) => value_type(element).clone(),
            _ => Ty::Int(crate::types::IntTy::U8),
        }
    }

    /// Whether elements lie in memory on both sides in the same way.
    fn is_same(ty: InterfaceType) -> bool {
        !matches!(ty, InterfaceType::Defined(_) | InterfaceType::String | InterfaceType::Bool)
    }

    fn listed(&self, ty: InterfaceType) -> Option<InterfaceType> {
        let InterfaceType::Defined(index) = ty else { return None };
        match self.types.get(index as usize) {
            Some(TypeDefinition::List(element)) => Some(*element),
            _ => None,
        }
    }

    /// Types of the fields of a record or tuple.
    fn members(&self, ty: InterfaceType) -> Vec<InterfaceType> {
        let InterfaceType::Defined(index) = ty else { return Vec::new() };
        match self.types.get(index as usize) {
            Some(TypeDefinition::Record { fields, .. }) => fields.iter().map(|field| field.ty).collect(),
            Some(TypeDefinition::Tuple(types)) => types.clone(),
            _ => Vec::new(),
        }
    }

    /// The payload types of the cases of a variant.
    fn cases(&self, ty: InterfaceType) -> Vec<Option<InterfaceType>> {
        let InterfaceType::Defined(index) = ty else { return Vec::new() };
        match self.types.get(index as usize) {
            Some(TypeDefinition::Variant { cases, .. }) => cases.iter().map(|case| case.ty).collect(),
            // Of ours, `Some` is the first variant.
            Some(TypeDefinition::Option(some)) => vec![Some(*some), None],
            Some(TypeDefinition::Result { ok, err }) => vec![*ok, *err],
            Some(TypeDefinition::Enum { cases, .. }) => vec![None; cases.len()],
            _ => Vec::new(),
        }
    }

    /// The tag of our variant `variant`: `none` comes first in the ABI.
    fn tag(&self, ty: InterfaceType, variant: usize) -> i32 {
        let InterfaceType::Defined(index) = ty else { return variant as i32 };
        match self.types.get(index as usize) {
            Some(TypeDefinition::Option(_)) => 1 - variant as i32,
            _ => variant as i32,
        }
    }

    /// Puts a register on the stack, as the type that is wanted.
    fn flat(&mut self, source: &Source, wanted: ValType) {
        let Source::Flat(locals) = source else { return };
        let Some(&(local, have)) = locals.first() else { return };
        self.code.get(local);
        match (have, wanted) {
            (ValType::I64, ValType::I32) => self.ins().i32_wrap_i64(),
            (ValType::I32, ValType::F32) => self.ins().f32_reinterpret_i32(),
            (ValType::I64, ValType::F32) => self.ins().i32_wrap_i64().f32_reinterpret_i32(),
            (ValType::I64, ValType::F64) => self.ins().f64_reinterpret_i64(),
            _ => return,
        };
    }

    /// Makes a value of ours of one of the interface. Gives the local that holds it.
    fn take(&mut self, ty: &Ty, interface: InterfaceType, source: Source) -> u32 {
        let ty = value_type(ty).clone();
        let own = self.own(&ty);
        match &ty {
            Ty::String => self.take_block(&source, "wasm_text_in", None),
            Ty::Bytes | Ty::List(_) => self.take_list(&ty, interface, &source),
            Ty::Form(..) | Ty::Tuple(_) => self.take_record(&ty, interface, source),
            Ty::Pick(..) => self.take_pick(&ty, interface, source),
            // There is nothing of it.
            Ty::Unit => self.code.local(ValType::I32),
            _ => {
                match (&source, interface) {
                    (Source::Flat(_), _) => {
                        self.flat(&source, own);
                        // Ours are kept zero-extended.
                        match interface {
                            InterfaceType::Bool => {
                                self.ins().i32_const(0).i32_ne();
                            }
                            InterfaceType::S8 | InterfaceType::U8 => {
                                self.ins().i32_const(0xff).i32_and();
                            }
                            InterfaceType::S16 | InterfaceType::U16 => {
                                self.ins().i32_const(0xffff).i32_and();
                            }
                            _ => {}
                        }
                    }
                    (Source::Memory(base, offset), InterfaceType::Bool) => {
                        self.ins().local_get(*base).i32_load8_u(at(*offset)).i32_const(0).i32_ne();
                    }
                    (Source::Memory(base, offset), _) => {
                        self.code.get(*base);
                        self.load(&ty, *offset);
                    }
                }
                self.code.kept(own)
            }
        }
    }

    /// Loads a scalar of ours from the address on the stack.
    fn load(&mut self, ty: &Ty, offset: i32) {
        match self.layouts.scalar(ty) {
            Type::I8 => self.ins().i32_load8_u(at(offset)),
            Type::I16 => self.ins().i32_load16_u(at(offset)),
            Type::I32 => self.ins().i32_load(at(offset)),
            Type::I64 | Type::I128 => self.ins().i64_load(at(offset)),
            Type::F32 => self.ins().f32_load(at(offset)),
            Type::F64 => self.ins().f64_load(at(offset)),
        };
    }

    /// Stores a scalar of ours, which is on the stack above the address.
    fn store(&mut self, ty: &Ty, offset: i32) {
        match self.layouts.scalar(ty) {
            Type::I8 => self.ins().i32_store8(at(offset)),
            Type::I16 => self.ins().i32_store16(at(offset)),
            Type::I32 => self.ins().i32_store(at(offset)),
            Type::I64 | Type::I128 => self.ins().i64_store(at(offset)),
            Type::F32 => self.ins().f32_store(at(offset)),
            Type::F64 => self.ins().f64_store(at(offset)),
        };
    }

    /// Address and length of a text or list, in locals.
    fn pair(&mut self, source: &Source) -> (u32, u32) {
        match source {
            Source::Flat(locals) => {
                self.flat(source, ValType::I32);
                let start = self.code.kept(ValType::I32);
                let second = Source::Flat(locals.get(1..).unwrap_or_default().to_vec());
                self.flat(&second, ValType::I32);
                (start, self.code.kept(ValType::I32))
            }
            Source::Memory(base, offset) => {
                self.ins().local_get(*base).i32_load(at(*offset));
                let start = self.code.kept(ValType::I32);
                self.ins().local_get(*base).i32_load(at(*offset + 4));
                (start, self.code.kept(ValType::I32))
            }
        }
    }

    /// Makes a text, or a list of elements of `size` bytes that look the same on both sides.
    fn take_block(&mut self, source: &Source, runtime: &str, size: Option<u32>) -> u32 {
        let (start, length) = self.pair(source);
        self.ins().local_get(start).local_get(length);
        let mut params = vec![ValType::I32; 2];
        if let Some(size) = size {
            self.ins().i32_const(size as i32);
            params.push(ValType::I32);
        }
        self.runtime(runtime, Vec::new(), &params, &[ValType::I64]);
        self.code.kept(ValType::I64)
    }

    fn take_list(&mut self, ty: &Ty, interface: InterfaceType, source: &Source) -> u32 {
        let element = Self::element(ty);
        let size = self.layouts.size(&element);
        let Some(listed) = self.listed(interface) else { return self.code.local(ValType::I64) };
        if Self::is_same(listed) {
            return self.take_block(source, "wasm_list_in", Some(size));
        }
        let layout = self.canonical.of(listed);
        let (start, length) = self.pair(source);
        self.ins().local_get(length).i32_const(size as i32);
        self.runtime("wasm_list", Vec::new(), &[ValType::I32; 2], &[ValType::I64]);
        let list = self.code.kept(ValType::I64);
        let (from, to, left) =
            (self.code.local(ValType::I32), self.code.local(ValType::I32), self.code.local(ValType::I32));
        self.ins().local_get(start).local_set(from);
        self.ins().local_get(list).i32_wrap_i64().i32_const(DATA).i32_add().local_set(to);
        self.ins().local_get(length).local_set(left);
        self.ins().block(BlockType::Empty).loop_(BlockType::Empty);
        self.ins().local_get(left).i32_eqz().br_if(1);
        let value = self.take(&element, listed, Source::Memory(from, 0));
        self.ins().local_get(to).local_get(value);
        self.store(&element, 0);
        self.step(from, layout.size as i32);
        self.step(to, size as i32);
        self.step(left, -1);
        self.ins().br(0).end().end();
        self.ins().local_get(start).local_get(length);
        self.runtime("wasm_list_read", Vec::new(), &[ValType::I32; 2], &[]);
        list
    }

    fn step(&mut self, local: u32, by: i32) {
        self.ins().local_get(local).i32_const(by).i32_add().local_set(local);
    }

    /// A new object of so many bytes: its address, as ours and as memory has it.
    fn object(&mut self, size: u32) -> (u32, u32) {
        self.ins().i32_const(size as i32);
        self.runtime("wasm_object", Vec::new(), &[ValType::I32], &[ValType::I64]);
        let object = self.code.kept(ValType::I64);
        self.ins().local_get(object).i32_wrap_i64();
        (object, self.code.kept(ValType::I32))
    }

    fn take_record(&mut self, ty: &Ty, interface: InterfaceType, mut source: Source) -> u32 {
        let (fields, places) = (self.layouts.fields(ty), self.layouts.record(ty));
        let mut end = 0;
        let mut values = Vec::new();
        for (field, member) in fields.iter().zip(self.members(interface)) {
            let part = source.part(&self.canonical.of(member), &mut end);
            values.push(self.take(field, member, part));
        }
        let (object, base) = self.object(places.size.max(FIELDS as u32));
        for ((field, value), offset) in fields.iter().zip(values).zip(&places.offsets) {
            self.ins().local_get(base).local_get(value);
            self.store(field, *offset);
        }
        object
    }

    fn take_pick(&mut self, ty: &Ty, interface: InterfaceType, mut source: Source) -> u32 {
        let cases = self.cases(interface);
        let layout = self.canonical.of(interface);
        let tag_size = tag_size(cases.len());
        match &source {
            Source::Flat(_) => self.flat(&source, ValType::I32),
            Source::Memory(base, offset) => {
                let (base, offset) = (*base, at(*offset));
                self.code.get(base);
                match tag_size {
                    1 => self.ins().i32_load8_u(offset),
                    2 => self.ins().i32_load16_u(offset),
                    _ => self.ins().i32_load(offset),
                };
            }
        }
        let tag = self.code.kept(ValType::I32);
        let shape = self.layouts.pick(ty);
        if shape.plain() {
            // A number that is no case's would be no value of the type.
            self.ins().block(BlockType::Empty);
            self.ins().local_get(tag).i32_const(cases.len() as i32).i32_lt_u().br_if(0);
            self.ins().unreachable().end();
            return tag;
        }
        let result = self.code.local(ValType::I64);
        if let Source::Flat(locals) = &mut source {
            locals.drain(..1.min(locals.len()));
        }
        self.ins().block(BlockType::Empty);
        for (variant, case) in cases.iter().enumerate() {
            let number = self.tag(interface, variant);
            self.ins().block(BlockType::Empty);
            self.ins().local_get(tag).i32_const(number).i32_ne().br_if(0);
            let fields = shape.variants.get(variant).map(|(fields, _)| fields.clone()).unwrap_or_default();
            if fields.is_empty() {
                self.ins().i64_const(immediate_variant(variant as u32) as i64).local_set(result);
            } else {
                let payload = match &source {
                    Source::Flat(locals) => Source::Flat(locals.clone()),
                    Source::Memory(base, offset) => {
                        Source::Memory(*base, *offset + payload_place(&layout, tag_size))
                    }
                };
                let values = self.take_payload(&fields, *case, payload);
                let places = self.layouts.payload(ty, variant as u32);
                let (object, base) = self.object(places.size.max(PAYLOAD as u32));
                self.ins().local_get(base).i32_const(variant as i32).i32_store(at(TAG));
                for ((field, value), offset) in fields.iter().zip(values).zip(&places.offsets) {
                    self.ins().local_get(base).local_get(value);
                    self.store(field, *offset);
                }
                self.ins().local_get(object).local_set(result);
            }
            self.ins().br(1).end();
        }
        self.ins().unreachable().end();
        result
    }

    /// The fields of a variant: one is the payload, several are a tuple.
    fn take_payload(&mut self, fields: &[Ty], case: Option<InterfaceType>, mut source: Source) -> Vec<u32> {
        match (fields, case) {
            (fields, None) => fields.iter().map(|_| self.code.local(ValType::I32)).collect(),
            ([one], Some(ty)) => vec![self.take(one, ty, source)],
            (several, Some(ty)) => {
                let mut end = 0;
                let mut values = Vec::new();
                for (field, member) in several.iter().zip(self.members(ty)) {
                    let part = source.part(&self.canonical.of(member), &mut end);
                    values.push(self.take(field, member, part));
                }
                values
            }
        }
    }

    /// Writes a value of ours as the interface has it, so far behind the address in `base`.
    fn put(&mut self, ty: &Ty, interface: InterfaceType, value: u32, base: u32, offset: i32) {
        let ty = value_type(ty).clone();
        match &ty {
            Ty::Unit => {}
            Ty::String => self.put_pair(value, base, offset),
            Ty::Bytes | Ty::List(_) => self.put_list(&ty, interface, value, base, offset),
            Ty::Form(..) | Ty::Tuple(_) => {
                let (fields, places) = (self.layouts.fields(&ty), self.layouts.record(&ty));
                let members = self.members(interface);
                self.put_fields(&fields, &members, &places.offsets, value, (base, offset));
            }
            Ty::Pick(..) => self.put_pick(&ty, interface, value, base, offset),
            _ => {
                self.ins().local_get(base).local_get(value);
                self.store(&ty, offset);
            }
        }
    }

    fn put_fields(
        &mut self,
        fields: &[Ty],
        members: &[InterfaceType],
        from: &[i32],
        object: u32,
        (base, offset): (u32, i32),
    ) {
        self.ins().local_get(object).i32_wrap_i64();
        let address = self.code.kept(ValType::I32);
        let mut end = 0;
        for ((field, member), from) in fields.iter().zip(members).zip(from) {
            let place = next_place(&self.canonical.of(*member), &mut end);
            if matches!(field, Ty::Unit) {
                continue;
            }
            self.code.get(address);
            self.load(field, *from);
            let own = self.own(field);
            let value = self.code.kept(own);
            self.put(field, *member, value, base, offset + place);
        }
    }

    /// Address and length of what an object of ours holds.
    fn put_pair(&mut self, value: u32, base: u32, offset: i32) {
        self.ins().local_get(base).local_get(value).i32_wrap_i64().i32_const(DATA).i32_add();
        self.ins().i32_store(at(offset));
        self.ins().local_get(base).local_get(value).i32_wrap_i64().i32_load(at(LENGTH));
        self.ins().i32_store(at(offset + 4));
    }

    fn put_list(&mut self, ty: &Ty, interface: InterfaceType, value: u32, base: u32, offset: i32) {
        let Some(listed) = self.listed(interface) else { return };
        if Self::is_same(listed) {
            return self.put_pair(value, base, offset);
        }
        let element = Self::element(ty);
        let (size, layout) = (self.layouts.size(&element), self.canonical.of(listed));
        let area = self.area.unwrap_or_default();
        self.ins().local_get(value).i32_wrap_i64().i32_load(at(LENGTH));
        let left = self.code.kept(ValType::I32);
        self.ins().local_get(area).local_get(left).i32_const(layout.size as i32);
        self.runtime("wasm_block", Vec::new(), &[ValType::I32; 3], &[ValType::I32]);
        let to = self.code.kept(ValType::I32);
        self.ins().local_get(base).local_get(to).i32_store(at(offset));
        self.ins().local_get(base).local_get(left).i32_store(at(offset + 4));
        self.ins().local_get(value).i32_wrap_i64().i32_const(DATA).i32_add();
        let from = self.code.kept(ValType::I32);
        self.ins().block(BlockType::Empty).loop_(BlockType::Empty);
        self.ins().local_get(left).i32_eqz().br_if(1);
        self.code.get(from);
        self.load(&element, 0);
        let own = self.own(&element);
        let item = self.code.kept(own);
        self.put(&element, listed, item, to, 0);
        self.step(from, size as i32);
        self.step(to, layout.size as i32);
        self.step(left, -1);
        self.ins().br(0).end().end();
    }

    fn put_pick(&mut self, ty: &Ty, interface: InterfaceType, value: u32, base: u32, offset: i32) {
        let cases = self.cases(interface);
        let layout = self.canonical.of(interface);
        let tag_size = tag_size(cases.len());
        let shape = self.layouts.pick(ty);
        let store_tag = |this: &mut Self| {
            match tag_size {
                1 => this.ins().i32_store8(at(offset)),
                2 => this.ins().i32_store16(at(offset)),
                _ => this.ins().i32_store(at(offset)),
            };
        };
        let Some(repr) = shape.repr() else {
            self.ins().local_get(base).local_get(value);
            store_tag(self);
            return;
        };
        let variant = self.code.local(ValType::I32);
        self.ins().block(BlockType::Empty);
        if repr == ObjectRepr::Tagged {
            self.ins().block(BlockType::Empty);
            self.ins().local_get(value).i64_const(1).i64_and().i64_eqz().br_if(0);
            self.ins().local_get(value).i64_const(1).i64_shr_u().i32_wrap_i64().local_set(variant);
            self.ins().br(1).end();
        }
        self.ins().local_get(value).i32_wrap_i64().i32_load(at(TAG)).local_set(variant);
        self.ins().end();
        self.ins().block(BlockType::Empty);
        for (number, case) in cases.iter().enumerate() {
            self.ins().block(BlockType::Empty);
            self.ins().local_get(variant).i32_const(number as i32).i32_ne().br_if(0);
            let tag = self.tag(interface, number);
            self.ins().local_get(base).i32_const(tag);
            store_tag(self);
            let fields = shape.variants.get(number).map(|(fields, _)| fields.clone()).unwrap_or_default();
            if let Some(case) = case {
                let members = if fields.len() == 1 { vec![*case] } else { self.members(*case) };
                let places = self.layouts.payload(ty, number as u32);
                let to = (base, offset + payload_place(&layout, tag_size));
                self.put_fields(&fields, &members, &places.offsets, value, to);
            }
            self.ins().br(1).end();
        }
        self.ins().unreachable().end();
    }
}
