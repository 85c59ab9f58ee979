//! The driver: from a request to diagnostics, an executable, or a running program.
//!
//! Start at [`Driver`]. It owns the compiler's databases, decides nothing about back end, options or
//! warnings (a [`BuildPlan`](plan) says all that) and has never heard of gRPC.
#![forbid(unsafe_code)]

mod api; // requests, outcomes, events, errors: the doors of this crate
mod digest; // digests as text
mod driver; // Driver: one door per verb
pub mod link; // linkers behind one trait
pub mod run; // programs in their own process group

pub use api::*;
pub use driver::Driver;
pub use link::worker_main;
