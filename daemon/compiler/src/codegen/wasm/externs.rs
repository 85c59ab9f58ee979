//! What the C functions that programs call become.
use wasm_encoder::ValType;
use wasm_encoder::ValType::{F32, F64, I32, I64};

use super::Signature;

/// What a C function becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codegen) enum Extern {
    /// Instructions where it is called.
    Inline(Inline),
    /// A proc of `runtime/wasi.vit`.
    Proc(&'static str),
    /// A function of WASI preview 1, with its parameters and results.
    Import(&'static str, &'static [ValType], &'static [ValType]),
}

/// C functions that are a few instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codegen) enum Inline {
    /// `wasm_heap_base() -> usize`
    HeapBase,
    /// `wasm_memory_grow(pages) -> isize`: the size before, in pages; negative if there is no more.
    MemoryGrow,
    /// `wasm_memory_size() -> usize`, in pages.
    MemorySize,
    /// `memcpy`, and `memmove`, which is the same here.
    Copy,
    /// `memset`.
    Fill,
    /// One operation on one float; by the code of the instruction.
    Float(FloatFunction, FloatWidth),
}

/// Functions on floats that are instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(in crate::codegen) enum FloatFunction {
    Abs,
    Ceil,
    CopySign,
    Floor,
    Nearest,
    SquareRoot,
    Truncate,
}

/// Of which floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(in crate::codegen) enum FloatWidth {
    Single,
    Double,
}

/// In order of name.
const EXTERNS: &[(&str, Extern)] = &[
    ("__errno_location", Extern::Proc("wasi_errno_place")),
    ("_exit", Extern::Proc("wasi_exit")),
    ("abort", Extern::Proc("wasi_abort")),
    ("calloc", Extern::Proc("wasi_calloc")),
    ("ceil", Extern::Inline(Inline::Float(FloatFunction::Ceil, FloatWidth::Double))),
    ("ceilf", Extern::Inline(Inline::Float(FloatFunction::Ceil, FloatWidth::Single))),
    ("copysign", Extern::Inline(Inline::Float(FloatFunction::CopySign, FloatWidth::Double))),
    ("copysignf", Extern::Inline(Inline::Float(FloatFunction::CopySign, FloatWidth::Single))),
    ("exit", Extern::Proc("wasi_exit")),
    ("fabs", Extern::Inline(Inline::Float(FloatFunction::Abs, FloatWidth::Double))),
    ("fabsf", Extern::Inline(Inline::Float(FloatFunction::Abs, FloatWidth::Single))),
    ("floor", Extern::Inline(Inline::Float(FloatFunction::Floor, FloatWidth::Double))),
    ("floorf", Extern::Inline(Inline::Float(FloatFunction::Floor, FloatWidth::Single))),
    ("free", Extern::Proc("wasi_free")),
    ("malloc", Extern::Proc("wasi_malloc")),
    ("memchr", Extern::Proc("wasi_memchr")),
    ("memcmp", Extern::Proc("wasi_memcmp")),
    ("memcpy", Extern::Inline(Inline::Copy)),
    ("memmove", Extern::Inline(Inline::Copy)),
    ("memset", Extern::Inline(Inline::Fill)),
    ("nearbyint", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Double))),
    ("nearbyintf", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Single))),
    ("read", Extern::Proc("wasi_read")),
    ("realloc", Extern::Proc("wasi_realloc")),
    ("rint", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Double))),
    ("rintf", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Single))),
    ("sqrt", Extern::Inline(Inline::Float(FloatFunction::SquareRoot, FloatWidth::Double))),
    ("sqrtf", Extern::Inline(Inline::Float(FloatFunction::SquareRoot, FloatWidth::Single))),
    ("strlen", Extern::Proc("wasi_strlen")),
    ("trunc", Extern::Inline(Inline::Float(FloatFunction::Truncate, FloatWidth::Double))),
    ("truncf", Extern::Inline(Inline::Float(FloatFunction::Truncate, FloatWidth::Single))),
    ("wasi_args_get", Extern::Import("args_get", &[I32, I32], &[I32])),
    ("wasi_args_sizes_get", Extern::Import("args_sizes_get", &[I32, I32], &[I32])),
    ("wasi_fd_read", Extern::Import("fd_read", &[I32, I32, I32, I32], &[I32])),
    ("wasi_fd_write", Extern::Import("fd_write", &[I32, I32, I32, I32], &[I32])),
    ("wasi_proc_exit", Extern::Import("proc_exit", &[I32], &[])),
    ("wasm_heap_base", Extern::Inline(Inline::HeapBase)),
    ("wasm_memory_grow", Extern::Inline(Inline::MemoryGrow)),
    ("wasm_memory_size", Extern::Inline(Inline::MemorySize)),
    ("wasm_multiply_high", Extern::Proc("wasm_multiply_high")),
    ("write", Extern::Proc("wasi_write")),
];

/// What the C function `name` becomes; `None` if there is nothing like it.
pub(in crate::codegen) fn find(name: &str) -> Option<Extern> {
    let at = EXTERNS.binary_search_by_key(&name, |(known, _)| known).ok()?;
    EXTERNS.get(at).map(|(_, becomes)| *becomes)
}

/// Whether programs for WebAssembly can call the C function `name`.
pub fn is_available(name: &str) -> bool {
    find(name).is_some()
}

impl Inline {
    /// Parameters and results.
    pub(in crate::codegen) fn signature(self) -> Signature {
        let (params, results): (&[ValType], &[ValType]) = match self {
            Self::HeapBase | Self::MemorySize => (&[], &[I64]),
            Self::MemoryGrow => (&[I64], &[I64]),
            Self::Copy => (&[I64, I64, I64], &[I64]),
            Self::Fill => (&[I64, I32, I64], &[I64]),
            Self::Float(FloatFunction::CopySign, FloatWidth::Double) => (&[F64, F64], &[F64]),
            Self::Float(FloatFunction::CopySign, FloatWidth::Single) => (&[F32, F32], &[F32]),
            Self::Float(_, FloatWidth::Double) => (&[F64], &[F64]),
            Self::Float(_, FloatWidth::Single) => (&[F32], &[F32]),
        };
        Signature { params: params.to_vec(), results: results.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::EXTERNS;

    #[test]
    fn the_table_is_in_order() {
        assert!(EXTERNS.is_sorted_by_key(|(name, _)| *name));
    }
}
