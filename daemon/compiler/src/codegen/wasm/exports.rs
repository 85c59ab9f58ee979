//! What hosts can call: the procs that the entry module exports.
//!
//! Numbers, `bool`, `char` and, with 32-bit memories, `string` cross by the canonical ABI of the component model; names
//! become those of WIT, `add_all` `add-all`. A proc that takes or gives anything else, or has type parameters, is not
//! exported. For each of the others there is an adapter around the proc as a value ([`InstanceKind::Thunk`]), whose
//! convention does not depend on its body.
use std::sync::Arc;

use wasm_encoder::{Encode, InstructionSink, ValType};

use super::{Reference, ReferenceTarget, Signature, WasmCode, WasmWidth};
use crate::base::{Db, Program};
use crate::lower::{ItemId, ItemKind};
use crate::mono::{Instance, InstanceKind};
use crate::ssa::Symbol;
use crate::types::scope::{Binding, exports};
use crate::types::{FloatTy, Ty, proc_data};

/// Most values that the canonical ABI passes one by one.
const FLAT_MAX: usize = 16;

/// A type that crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Crossing {
    Bool,
    Char,
    Int { bits: u32, signed: bool },
    F32,
    F64,
    Text,
}

/// An exported proc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// As hosts call it.
    pub name: String,
    /// The proc as a value.
    pub thunk: Instance,
    /// Names and types of its parameters.
    pub params: Vec<(String, Crossing)>,
    /// Its result.
    pub result: Option<Crossing>,
}

/// The procs that a program's entry module exports and hosts can call, in order of name.
pub fn exported_procs(db: &dyn Db, program: Program, width: WasmWidth) -> Vec<Export> {
    let bindings = exports(db, program.entry(db));
    let items = bindings.iter().filter_map(|(name, binding)| match binding {
        Binding::Item(item) if item.kind(db) == ItemKind::Proc => Some((name.as_str(), *item)),
        Binding::Item(_) | Binding::Module(_) | Binding::Ambiguous(_) | Binding::Error => None,
    });
    let mut all: Vec<Export> = items.filter_map(|(name, item)| export(db, name, item, width)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.dedup_by(|a, b| a.name == b.name);
    all
}

fn export(db: &dyn Db, name: &str, item: ItemId, width: WasmWidth) -> Option<Export> {
    let data = proc_data(db, item);
    let is_taken = name == "main" || name == "memory";
    if is_taken || !data.has_body || !data.generics.is_empty() {
        return None;
    }
    let params = data.params.iter().map(|param| Some((wit_name(&param.name)?, crossing(&param.ty, width)?)));
    let params = params.collect::<Option<Vec<_>>>()?;
    let result = match &data.ret {
        Ty::Unit => None,
        ty => Some(crossing(ty, width)?),
    };
    let flat: usize = params.iter().map(|(_, ty)| ty.flat().len()).sum();
    let thunk = Instance::new(db, InstanceKind::Thunk(item, Vec::new()));
    (flat <= FLAT_MAX).then_some(Export { name: wit_name(name)?, thunk, params, result })
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

fn crossing(ty: &Ty, width: WasmWidth) -> Option<Crossing> {
    Some(match ty {
        Ty::Bool => Crossing::Bool,
        Ty::Char => Crossing::Char,
        Ty::Int(int) if int.bits() <= 64 => Crossing::Int { bits: int.bits(), signed: int.signed() },
        Ty::Float(FloatTy::F32) => Crossing::F32,
        Ty::Float(FloatTy::F64) => Crossing::F64,
        // The canonical ABI has 32-bit addresses.
        Ty::String if width == WasmWidth::Wasm32 => Crossing::Text,
        _ => return None,
    })
}

impl Crossing {
    /// As the canonical ABI passes it.
    fn flat(self) -> &'static [ValType] {
        match self {
            Self::Bool | Self::Char => &[ValType::I32],
            Self::Int { bits: 64, .. } => &[ValType::I64],
            Self::Int { .. } => &[ValType::I32],
            Self::F32 => &[ValType::F32],
            Self::F64 => &[ValType::F64],
            Self::Text => &[ValType::I32, ValType::I32],
        }
    }

    /// As our procs take it.
    fn own(self) -> ValType {
        match self {
            Self::Text => ValType::I64,
            Self::Bool | Self::Char | Self::Int { .. } | Self::F32 | Self::F64 => {
                self.flat().first().copied().unwrap_or(ValType::I64)
            }
        }
    }
}

/// Code in the making.
#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
    references: Vec<Reference>,
}

impl Code {
    fn ins(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    fn call(&mut self, symbol: Symbol, params: &[ValType], results: &[ValType]) {
        // `call`
        self.bytes.push(0x10);
        let signature = Signature { params: params.to_vec(), results: results.to_vec() };
        let target = ReferenceTarget::Function(symbol, signature);
        self.references.push(Reference { offset: self.bytes.len() as u32, target });
    }

    fn call_runtime(&mut self, name: &str, params: &[ValType], results: &[ValType]) {
        self.call(Symbol::Extern(name.into()), params, results);
    }
}

impl Export {
    /// Whether values cross through memory.
    pub(in crate::codegen) fn has_texts(&self) -> bool {
        self.gives_text() || self.params.iter().any(|(_, ty)| *ty == Crossing::Text)
    }

    /// Whether the caller says when it has read the result.
    pub(in crate::codegen) fn gives_text(&self) -> bool {
        self.result == Some(Crossing::Text)
    }

    /// The adapter.
    pub(in crate::codegen) fn code(&self) -> Arc<WasmCode> {
        let flat = self.params.iter().flat_map(|(_, ty)| ty.flat()).copied().collect::<Vec<_>>();
        let texts = self.params.iter().filter(|(_, ty)| *ty == Crossing::Text).count() as u32;
        let results: &[ValType] = match self.result {
            None => &[],
            Some(Crossing::Text) => &[ValType::I32],
            Some(ty) => ty.flat(),
        };
        let mut code = Code::default();
        match texts {
            0 => 0u32.encode(&mut code.bytes),
            _ => {
                1u32.encode(&mut code.bytes);
                texts.encode(&mut code.bytes);
                ValType::I64.encode(&mut code.bytes);
            }
        }
        let first_text = flat.len() as u32;
        // What a lambda would have caught.
        code.ins().i64_const(0);
        let (mut at, mut text) = (0, first_text);
        for (_, ty) in &self.params {
            match ty {
                Crossing::Text => {
                    code.ins().local_get(at).local_get(at + 1);
                    code.call_runtime("wasm_text_in", &[ValType::I32; 2], &[ValType::I64]);
                    code.ins().local_tee(text);
                    text += 1;
                }
                // Ours are kept zero-extended.
                Crossing::Int { bits: 8, .. } => {
                    code.ins().local_get(at).i32_const(0xff).i32_and();
                }
                Crossing::Int { bits: 16, .. } => {
                    code.ins().local_get(at).i32_const(0xffff).i32_and();
                }
                Crossing::Bool | Crossing::Char | Crossing::Int { .. } | Crossing::F32 | Crossing::F64 => {
                    code.ins().local_get(at);
                }
            }
            at += ty.flat().len() as u32;
        }
        let own = [ValType::I64].into_iter().chain(self.params.iter().map(|(_, ty)| ty.own()));
        let own: Vec<ValType> = own.collect();
        let given: Vec<ValType> = self.result.iter().map(|ty| ty.own()).collect();
        code.call(Symbol::Instance(self.thunk), &own, &given);
        match self.result {
            Some(Crossing::Int { bits: 8, signed: true }) => {
                code.ins().i32_extend8_s();
            }
            Some(Crossing::Int { bits: 16, signed: true }) => {
                code.ins().i32_extend16_s();
            }
            Some(Crossing::Text) => code.call_runtime("wasm_text_out", &[ValType::I64], &[ValType::I32]),
            Some(Crossing::Bool | Crossing::Char | Crossing::Int { .. } | Crossing::F32 | Crossing::F64)
            | None => {}
        }
        for text in first_text..first_text + texts {
            code.ins().local_get(text);
            code.call_runtime("wasm_text_end", &[ValType::I64], &[]);
        }
        code.ins().return_().unreachable().end();
        let signature = Signature { params: flat, results: results.to_vec() };
        Arc::new(WasmCode { signature, bytes: code.bytes.into(), references: code.references })
    }
}
