//! The driver: from a request to diagnostics, an executable, or a running program.
//!
//! Start at [`Driver`]. It owns the compiler's databases, decides nothing about back end, options or
//! warnings (a [`BuildPlan`](plan) says all that) and has never heard of gRPC.
#![forbid(unsafe_code)]

mod api; // requests, outcomes, events, errors: the doors of this crate
mod driver; // Driver: one door per verb

pub use api::*;
pub use driver::Driver;
