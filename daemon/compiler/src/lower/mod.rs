//! Syntax tree to item tree and HIR.
pub mod item;
pub use item::{ItemId, ItemKind, NodeId};
