//! SSA: scalar single-assignment form, the one input of every backend and of all optimisations.
//!
//! [`lower_mir`] makes it from MIR; [`verify`] checks what passes rely on; [`dump`] prints it.
pub mod build;
mod convert;
pub mod data;
pub mod dump;
pub mod layout;
pub mod lower;
pub mod verify;

pub use data::*;
pub use dump::dump;
pub use layout::TypeInfo;
pub use lower::lower_mir;
pub use verify::verify;
