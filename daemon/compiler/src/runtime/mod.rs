//! The prelude and the standard library, written in Vitte over a few intrinsics and C calls.
//!
//! Their files are modules of the root `core`. Every name of §9 of the reference that needs code
//! resolves to one that `prelude.vit` exports; those below [`LIBRARY`] are found by programs that
//! import them, and reach the operating system through the functions that `syscalls.vit` declares.
//! Only what a program uses is in its binary.

/// The root of the prelude's files in a [`SourcePath`](crate::base::SourcePath).
pub const CORE_ROOT: &str = "core";

/// The module that `core_item` looks names up in.
pub const PRELUDE_PATH: &str = "prelude.vit";

/// Where `use` finds the standard library: programs write `use vitte/stdlib/os`. Other modules of
/// the root `core` deal in addresses, and no program can import them.
pub const LIBRARY: [&str; 2] = ["vitte", "stdlib"];

/// The modules of what programs for WebAssembly have instead of a C library and `ffi_syscalls`.
pub const WASM_PATHS: [&str; 5] = ["wasi.vit", "wasi_files.vit", "wasm_calls.vit", "files.vit", "heap.vit"];

/// The files by path below the root `core`.
pub const FILES: &[(&str, &str)] = &[
    ("block.vit", include_str!("block.vit")),
    ("files.vit", include_str!("files.vit")),
    ("float.vit", include_str!("float.vit")),
    ("handles.vit", include_str!("handles.vit")),
    ("heap.vit", include_str!("heap.vit")),
    ("kinds.vit", include_str!("kinds.vit")),
    ("linux.vit", include_str!("linux.vit")),
    ("list.vit", include_str!("list.vit")),
    ("macos.vit", include_str!("macos.vit")),
    ("map.vit", include_str!("map.vit")),
    ("memory.vit", include_str!("memory.vit")),
    ("native.vit", include_str!("native.vit")),
    ("number.vit", include_str!("number.vit")),
    ("option.vit", include_str!("option.vit")),
    ("outcome.vit", include_str!("outcome.vit")),
    ("output.vit", include_str!("output.vit")),
    ("panic.vit", include_str!("panic.vit")),
    (PRELUDE_PATH, include_str!("prelude.vit")),
    ("syscalls.vit", include_str!("syscalls.vit")),
    ("testing.vit", include_str!("testing.vit")),
    ("text.vit", include_str!("text.vit")),
    (WASM_PATHS[0], include_str!("wasi.vit")),
    (WASM_PATHS[1], include_str!("wasi_files.vit")),
    (WASM_PATHS[2], include_str!("wasm_calls.vit")),
    ("windows.vit", include_str!("windows.vit")),
    ("vitte/stdlib/bytes.vit", include_str!("stdlib/bytes.vit")),
    ("vitte/stdlib/io.vit", include_str!("stdlib/io.vit")),
    ("vitte/stdlib/io/buffered.vit", include_str!("stdlib/io/buffered.vit")),
    ("vitte/stdlib/os.vit", include_str!("stdlib/os.vit")),
    ("vitte/stdlib/os/descriptor.vit", include_str!("stdlib/os/descriptor.vit")),
    ("vitte/stdlib/os/directory.vit", include_str!("stdlib/os/directory.vit")),
    ("vitte/stdlib/os/environment.vit", include_str!("stdlib/os/environment.vit")),
    ("vitte/stdlib/os/error.vit", include_str!("stdlib/os/error.vit")),
    ("vitte/stdlib/os/file.vit", include_str!("stdlib/os/file.vit")),
    ("vitte/stdlib/os/memory.vit", include_str!("stdlib/os/memory.vit")),
    ("vitte/stdlib/os/process.vit", include_str!("stdlib/os/process.vit")),
    ("vitte/stdlib/os/simple.vit", include_str!("stdlib/os/simple.vit")),
    ("vitte/stdlib/os/system.vit", include_str!("stdlib/os/system.vit")),
];

/// The text of a file of the root `core`, if there is one at `path`.
pub fn prelude_text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}
