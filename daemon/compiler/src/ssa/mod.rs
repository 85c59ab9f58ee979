//! SSA: scalar single-assignment form, the one input of every backend and of all optimisations.
//!
//! [`lower_mir`] makes it from MIR; [`verify`](verify()) checks what passes rely on; [`dump`](dump())
//! prints it. [`ssa`] and [`optimised_ssa`] are the queries.
pub mod build; // on-the-fly construction
pub mod cfg; // order, predecessors, dominators
mod convert; // casts and comparisons
pub mod data; // the data
pub mod dump; // stable text
pub mod layout; // sizes, offsets, representations
pub mod lower; // MIR to SSA
#[allow(missing_docs)] // salsa writes constructors without docs
pub mod query; // per instance, memoised
pub mod verify; // invariants

pub use cfg::Cfg;
pub use data::*;
pub use dump::dump;
pub use layout::TypeInfo;
pub use lower::lower_mir;
pub use query::{CodeOptions, DbTypes, optimised_ssa, ssa};
pub use verify::verify;

#[cfg(test)]
mod tests;
