//! From HIR to typed, fully resolved THIR: modules and scopes, signatures, the type check.
pub mod data; // resolved items
pub mod intrinsic; // what `intrinsic` procs of the prelude may name
pub mod thir; // the result of checking a body
pub mod ty; // types

pub use intrinsic::Intrinsic;
pub use ty::{FloatTy, IntTy, Ty};
