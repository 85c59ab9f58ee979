//! The prelude: the runtime that programs need, written in Vitte over a few intrinsics and C calls.
//!
//! Its files are modules of the root `core`; every name of §9 of the reference that needs code
//! resolves to one of them. Only what a program uses is in its binary.

/// The root of the prelude's files in a [`SourcePath`](crate::base::SourcePath).
pub const CORE_ROOT: &str = "core";

/// The module that `core_item` looks names up in.
pub const PRELUDE_PATH: &str = "prelude.vit";

/// The prelude's files by path below the root `core`.
pub const FILES: &[(&str, &str)] = &[
    ("float.vit", include_str!("float.vit")),
    ("list.vit", include_str!("list.vit")),
    ("memory.vit", include_str!("memory.vit")),
    ("number.vit", include_str!("number.vit")),
    ("option.vit", include_str!("option.vit")),
    ("output.vit", include_str!("output.vit")),
    ("panic.vit", include_str!("panic.vit")),
    (PRELUDE_PATH, include_str!("prelude.vit")),
    ("text.vit", include_str!("text.vit")),
];

/// The text of a prelude file, if there is one at `path`.
pub fn prelude_text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}
