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

/// The module of what runners of benchmarks call; not part of the prelude.
pub const BENCH_PATH: &str = "bench.vit";

/// Where `use` finds the standard library: programs write `use vitte/stdlib/os`. Other modules of
/// the root `core` deal in addresses, and no program can import them.
pub const LIBRARY: [&str; 2] = ["vitte", "stdlib"];

/// The modules of what programs for WebAssembly have instead of a C library and `ffi_syscalls`.
pub const WASM_PATHS: [&str; 6] =
    ["wasi.vit", "wasi_files.vit", "wasm_calls.vit", "files.vit", "heap.vit", "component.vit"];

/// The files by path below the root `core`.
pub const FILES: &[(&str, &str)] = &[
    (BENCH_PATH, include_str!("bench.vit")),
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
    ("vitte/stdlib/alloc/allocator.vit", include_str!("stdlib/alloc/allocator.vit")),
    ("vitte/stdlib/alloc/collections.vit", include_str!("stdlib/alloc/collections.vit")),
    ("vitte/stdlib/alloc/collections/deque.vit", include_str!("stdlib/alloc/collections/deque.vit")),
    ("vitte/stdlib/alloc/collections/hash.vit", include_str!("stdlib/alloc/collections/hash.vit")),
    ("vitte/stdlib/alloc/collections/heap.vit", include_str!("stdlib/alloc/collections/heap.vit")),
    ("vitte/stdlib/alloc/collections/tree.vit", include_str!("stdlib/alloc/collections/tree.vit")),
    ("vitte/stdlib/alloc/string.vit", include_str!("stdlib/alloc/string.vit")),
    ("vitte/stdlib/alloc/vec.vit", include_str!("stdlib/alloc/vec.vit")),
    (WASM_PATHS[5], include_str!("component.vit")),
    ("windows.vit", include_str!("windows.vit")),
    ("vitte/stdlib/bytes.vit", include_str!("stdlib/bytes.vit")),
    ("vitte/stdlib/compression.vit", include_str!("stdlib/compression.vit")),
    ("vitte/stdlib/compression/deflate.vit", include_str!("stdlib/compression/deflate.vit")),
    ("vitte/stdlib/compression/inflate.vit", include_str!("stdlib/compression/inflate.vit")),
    ("vitte/stdlib/compression/lz4.vit", include_str!("stdlib/compression/lz4.vit")),
    ("vitte/stdlib/core/iterator.vit", include_str!("stdlib/core/iterator.vit")),
    ("vitte/stdlib/core/option.vit", include_str!("stdlib/core/option.vit")),
    ("vitte/stdlib/core/ordering.vit", include_str!("stdlib/core/ordering.vit")),
    ("vitte/stdlib/core/result.vit", include_str!("stdlib/core/result.vit")),
    ("vitte/stdlib/core/string.vit", include_str!("stdlib/core/string.vit")),
    ("vitte/stdlib/crypto.vit", include_str!("stdlib/crypto.vit")),
    ("vitte/stdlib/crypto/checksum.vit", include_str!("stdlib/crypto/checksum.vit")),
    ("vitte/stdlib/crypto/hmac.vit", include_str!("stdlib/crypto/hmac.vit")),
    ("vitte/stdlib/crypto/legacy.vit", include_str!("stdlib/crypto/legacy.vit")),
    ("vitte/stdlib/crypto/padding.vit", include_str!("stdlib/crypto/padding.vit")),
    ("vitte/stdlib/crypto/sha2.vit", include_str!("stdlib/crypto/sha2.vit")),
    ("vitte/stdlib/encoding.vit", include_str!("stdlib/encoding.vit")),
    ("vitte/stdlib/encoding/base64.vit", include_str!("stdlib/encoding/base64.vit")),
    ("vitte/stdlib/encoding/hex.vit", include_str!("stdlib/encoding/hex.vit")),
    ("vitte/stdlib/encoding/percent.vit", include_str!("stdlib/encoding/percent.vit")),
    ("vitte/stdlib/encoding/utf8.vit", include_str!("stdlib/encoding/utf8.vit")),
    ("vitte/stdlib/io.vit", include_str!("stdlib/io.vit")),
    ("vitte/stdlib/io/buffered.vit", include_str!("stdlib/io/buffered.vit")),
    ("vitte/stdlib/json.vit", include_str!("stdlib/json.vit")),
    ("vitte/stdlib/list.vit", include_str!("stdlib/list.vit")),
    ("vitte/stdlib/logging.vit", include_str!("stdlib/logging.vit")),
    ("vitte/stdlib/math.vit", include_str!("stdlib/math.vit")),
    ("vitte/stdlib/math/arithmetic.vit", include_str!("stdlib/math/arithmetic.vit")),
    ("vitte/stdlib/math/float.vit", include_str!("stdlib/math/float.vit")),
    ("vitte/stdlib/math/integer.vit", include_str!("stdlib/math/integer.vit")),
    ("vitte/stdlib/math/matrix.vit", include_str!("stdlib/math/matrix.vit")),
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
    ("vitte/stdlib/path.vit", include_str!("stdlib/path.vit")),
    ("vitte/stdlib/random.vit", include_str!("stdlib/random.vit")),
    ("vitte/stdlib/regex.vit", include_str!("stdlib/regex.vit")),
    ("vitte/stdlib/std/time.vit", include_str!("stdlib/std/time.vit")),
    ("vitte/stdlib/strings.vit", include_str!("stdlib/strings.vit")),
    ("vitte/stdlib/strings/builder.vit", include_str!("stdlib/strings/builder.vit")),
    ("vitte/stdlib/strings/case.vit", include_str!("stdlib/strings/case.vit")),
    ("vitte/stdlib/strings/layout.vit", include_str!("stdlib/strings/layout.vit")),
    ("vitte/stdlib/strings/parsing.vit", include_str!("stdlib/strings/parsing.vit")),
    ("vitte/stdlib/strings/search.vit", include_str!("stdlib/strings/search.vit")),
    ("vitte/stdlib/strings/unicode.vit", include_str!("stdlib/strings/unicode.vit")),
    ("vitte/stdlib/testing.vit", include_str!("stdlib/testing.vit")),
];

/// The text of a file of the root `core`, if there is one at `path`.
pub fn prelude_text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}
