//! What the C functions that programs call become.
use wasm_encoder::ValType;
use wasm_encoder::ValType::{F32, F64, I32, I64};

use super::Signature;

/// What a C function becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codegen) enum Extern {
    /// Instructions where it is called.
    Inline(Inline),
    /// A proc of `runtime/wasi.vit` or `runtime/wasi_files.vit`.
    Proc(&'static str),
    /// A function of WASI preview 1, with its parameters and results.
    Import(&'static str, &'static [ValType], &'static [ValType]),
}

/// C functions that are a few instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codegen) enum Inline {
    /// `memory_base() -> usize`
    HeapBase,
    /// `memory_grow(pages) -> isize`: the size before, in pages; negative if there is no more.
    MemoryGrow,
    /// `memory_size() -> usize`, in pages.
    MemorySize,
    /// `memcpy`, and `memmove`, which is the same here.
    Copy,
    /// `memset`.
    Fill,
    /// `component_trap() -> never`
    Trap,
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
    ("calloc", Extern::Proc("heap_calloc")),
    ("ceil", Extern::Inline(Inline::Float(FloatFunction::Ceil, FloatWidth::Double))),
    ("ceilf", Extern::Inline(Inline::Float(FloatFunction::Ceil, FloatWidth::Single))),
    ("component_console_write", Extern::Import("write", &[I32, I32, I32], &[])),
    ("component_trap", Extern::Inline(Inline::Trap)),
    ("copysign", Extern::Inline(Inline::Float(FloatFunction::CopySign, FloatWidth::Double))),
    ("copysignf", Extern::Inline(Inline::Float(FloatFunction::CopySign, FloatWidth::Single))),
    ("exit", Extern::Proc("wasi_exit")),
    ("fabs", Extern::Inline(Inline::Float(FloatFunction::Abs, FloatWidth::Double))),
    ("fabsf", Extern::Inline(Inline::Float(FloatFunction::Abs, FloatWidth::Single))),
    ("floor", Extern::Inline(Inline::Float(FloatFunction::Floor, FloatWidth::Double))),
    ("floorf", Extern::Inline(Inline::Float(FloatFunction::Floor, FloatWidth::Single))),
    ("free", Extern::Proc("heap_free")),
    ("malloc", Extern::Proc("heap_malloc")),
    ("memchr", Extern::Proc("heap_memchr")),
    ("memcmp", Extern::Proc("heap_memcmp")),
    ("memcpy", Extern::Inline(Inline::Copy)),
    ("memmove", Extern::Inline(Inline::Copy)),
    ("memory_base", Extern::Inline(Inline::HeapBase)),
    ("memory_grow", Extern::Inline(Inline::MemoryGrow)),
    ("memory_size", Extern::Inline(Inline::MemorySize)),
    ("memset", Extern::Inline(Inline::Fill)),
    ("nearbyint", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Double))),
    ("nearbyintf", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Single))),
    ("read", Extern::Proc("wasi_read")),
    ("realloc", Extern::Proc("heap_realloc")),
    ("rint", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Double))),
    ("rintf", Extern::Inline(Inline::Float(FloatFunction::Nearest, FloatWidth::Single))),
    ("rt_buf_free", Extern::Proc("rt_buf_free")),
    ("rt_clock", Extern::Proc("rt_clock")),
    ("rt_dir_close", Extern::Proc("rt_dir_close")),
    ("rt_dir_create", Extern::Proc("rt_dir_create")),
    ("rt_dir_next", Extern::Proc("rt_dir_next")),
    ("rt_dir_open", Extern::Proc("rt_dir_open")),
    ("rt_env_get", Extern::Proc("rt_env_get")),
    ("rt_env_list", Extern::Proc("rt_env_list")),
    ("rt_env_var", Extern::Proc("rt_env_var")),
    ("rt_fd_close", Extern::Proc("rt_fd_close")),
    ("rt_fd_open", Extern::Proc("rt_fd_open")),
    ("rt_fd_read", Extern::Proc("rt_fd_read")),
    ("rt_fd_read_at", Extern::Proc("rt_fd_read_at")),
    ("rt_fd_seek", Extern::Proc("rt_fd_seek")),
    ("rt_fd_sync", Extern::Proc("rt_fd_sync")),
    ("rt_fd_truncate", Extern::Proc("rt_fd_truncate")),
    ("rt_fd_write", Extern::Proc("rt_fd_write")),
    ("rt_fd_write_at", Extern::Proc("rt_fd_write_at")),
    ("rt_file_append_text", Extern::Proc("rt_file_append_text")),
    ("rt_file_copy", Extern::Proc("rt_file_copy")),
    ("rt_file_delete", Extern::Proc("rt_file_delete")),
    ("rt_file_exists", Extern::Proc("rt_file_exists")),
    ("rt_file_mmap_read_bytes", Extern::Proc("rt_file_mmap_read_bytes")),
    ("rt_file_mmap_read_text", Extern::Proc("rt_file_mmap_read_text")),
    ("rt_file_modified_time", Extern::Proc("rt_file_modified_time")),
    ("rt_file_read_text", Extern::Proc("rt_file_read_text")),
    ("rt_file_remove", Extern::Proc("rt_file_remove")),
    ("rt_file_size", Extern::Proc("rt_file_size")),
    ("rt_file_write_text", Extern::Proc("rt_file_write_text")),
    ("rt_free", Extern::Proc("rt_free")),
    ("rt_fs_copy", Extern::Proc("rt_fs_copy")),
    ("rt_fs_link_target", Extern::Proc("rt_fs_link_target")),
    ("rt_fs_list", Extern::Proc("rt_fs_list")),
    ("rt_fs_mkdir", Extern::Proc("rt_fs_mkdir")),
    ("rt_fs_read", Extern::Proc("rt_fs_read")),
    ("rt_fs_read_many", Extern::Proc("rt_fs_read_many")),
    ("rt_fs_remove", Extern::Proc("rt_fs_remove")),
    ("rt_fs_remove_tree", Extern::Proc("rt_fs_remove_tree")),
    ("rt_fs_rename", Extern::Proc("rt_fs_rename")),
    ("rt_fs_stat", Extern::Proc("rt_fs_stat")),
    ("rt_fs_symlink", Extern::Proc("rt_fs_symlink")),
    ("rt_fs_temp_file", Extern::Proc("rt_fs_temp_file")),
    ("rt_fs_write", Extern::Proc("rt_fs_write")),
    ("rt_last_errno", Extern::Proc("rt_last_errno")),
    ("rt_random", Extern::Proc("rt_random")),
    ("sqrt", Extern::Inline(Inline::Float(FloatFunction::SquareRoot, FloatWidth::Double))),
    ("sqrtf", Extern::Inline(Inline::Float(FloatFunction::SquareRoot, FloatWidth::Single))),
    ("strlen", Extern::Proc("heap_strlen")),
    ("system_entries", Extern::Proc("system_entries")),
    ("trunc", Extern::Inline(Inline::Float(FloatFunction::Truncate, FloatWidth::Double))),
    ("truncf", Extern::Inline(Inline::Float(FloatFunction::Truncate, FloatWidth::Single))),
    ("wasi_args_get", Extern::Import("args_get", &[I32, I32], &[I32])),
    ("wasi_args_sizes_get", Extern::Import("args_sizes_get", &[I32, I32], &[I32])),
    ("wasi_clock_time_get", Extern::Import("clock_time_get", &[I32, I64, I32], &[I32])),
    ("wasi_environ_get", Extern::Import("environ_get", &[I32, I32], &[I32])),
    ("wasi_environ_sizes_get", Extern::Import("environ_sizes_get", &[I32, I32], &[I32])),
    ("wasi_fd_close", Extern::Import("fd_close", &[I32], &[I32])),
    ("wasi_fd_filestat_get", Extern::Import("fd_filestat_get", &[I32, I32], &[I32])),
    ("wasi_fd_filestat_set_size", Extern::Import("fd_filestat_set_size", &[I32, I64], &[I32])),
    ("wasi_fd_pread", Extern::Import("fd_pread", &[I32, I32, I32, I64, I32], &[I32])),
    ("wasi_fd_prestat_dir_name", Extern::Import("fd_prestat_dir_name", &[I32, I32, I32], &[I32])),
    ("wasi_fd_prestat_get", Extern::Import("fd_prestat_get", &[I32, I32], &[I32])),
    ("wasi_fd_pwrite", Extern::Import("fd_pwrite", &[I32, I32, I32, I64, I32], &[I32])),
    ("wasi_fd_read", Extern::Import("fd_read", &[I32, I32, I32, I32], &[I32])),
    ("wasi_fd_readdir", Extern::Import("fd_readdir", &[I32, I32, I32, I64, I32], &[I32])),
    ("wasi_fd_seek", Extern::Import("fd_seek", &[I32, I64, I32, I32], &[I32])),
    ("wasi_fd_sync", Extern::Import("fd_sync", &[I32], &[I32])),
    ("wasi_fd_write", Extern::Import("fd_write", &[I32, I32, I32, I32], &[I32])),
    ("wasi_path_create_directory", Extern::Import("path_create_directory", &[I32, I32, I32], &[I32])),
    ("wasi_path_filestat_get", Extern::Import("path_filestat_get", &[I32, I32, I32, I32, I32], &[I32])),
    ("wasi_path_open", Extern::Import("path_open", &[I32, I32, I32, I32, I32, I64, I64, I32, I32], &[I32])),
    ("wasi_path_readlink", Extern::Import("path_readlink", &[I32, I32, I32, I32, I32, I32], &[I32])),
    ("wasi_path_remove_directory", Extern::Import("path_remove_directory", &[I32, I32, I32], &[I32])),
    ("wasi_path_rename", Extern::Import("path_rename", &[I32, I32, I32, I32, I32, I32], &[I32])),
    ("wasi_path_symlink", Extern::Import("path_symlink", &[I32, I32, I32, I32, I32], &[I32])),
    ("wasi_path_unlink_file", Extern::Import("path_unlink_file", &[I32, I32, I32], &[I32])),
    ("wasi_proc_exit", Extern::Import("proc_exit", &[I32], &[])),
    ("wasi_random_get", Extern::Import("random_get", &[I32, I32], &[I32])),
    ("wasm_multiply_high", Extern::Proc("wasm_multiply_high")),
    ("write", Extern::Proc("wasi_write")),
];

/// Whom a module asks for services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// WASI preview 1.
    Wasi,
    /// The host of a component: its console, and nothing else.
    Component,
}

impl System {
    /// The module that programs import from.
    pub fn module(self) -> &'static str {
        match self {
            Self::Wasi => super::WASI,
            Self::Component => super::CONSOLE,
        }
    }

    /// What the C function `name` becomes here; `None` if there is nothing like it.
    pub(in crate::codegen) fn find(self, name: &str) -> Option<Extern> {
        match (self, find(name)?) {
            (Self::Component, import @ Extern::Import(..)) => match name {
                "component_console_write" => Some(import),
                "wasi_fd_write" => Some(Extern::Proc("component_fd_write")),
                "wasi_fd_read" => Some(Extern::Proc("component_fd_read")),
                "wasi_proc_exit" => Some(Extern::Proc("component_proc_exit")),
                _ => None,
            },
            (_, found) => Some(found),
        }
    }
}

/// What the C function `name` becomes in modules for WASI; `None` if there is nothing like it.
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
            Self::Trap => (&[], &[]),
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
