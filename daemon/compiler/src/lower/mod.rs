//! Syntax tree to item tree and HIR.
//!
//! The item tree of a file holds what other files and items can see of it, without bodies or spans,
//! so that an edit inside a body changes nothing here. Each item's HIR is a value of its own, also
//! without spans: spans live in the item's [`SourceMap`], which only diagnostics and debug
//! information read. Formatting and comments therefore stop at this stage.
pub mod hir;
pub mod item;
mod stub;
pub use item::{ItemId, ItemKind, NodeId};
pub use stub::*;
