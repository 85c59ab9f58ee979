//! Bounded evaluation of constants (§12 of the reference): deterministic, on THIR, at the target's widths.
//!
//! What wraps at run time is an error here (`TYP0005`); only an explicit `as` wraps.
mod arith; // integers and floats
mod builtin; // prelude procs that constants may call
pub mod codes; // what it reports
mod eval; // the evaluator
pub mod value; // what comes out

pub use eval::{const_diagnostics, const_value};
pub use value::ConstValue;
