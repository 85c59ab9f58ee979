//! Mid-level IR: control flow with moves, copies, drops, uniqueness and checks explicit.
pub mod body;
pub use body::*;
