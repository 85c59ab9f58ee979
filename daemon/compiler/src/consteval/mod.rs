//! Bounded evaluation of constants (§12 of the reference): deterministic, on THIR, at the target's widths.
pub mod value;
pub use value::ConstValue;
