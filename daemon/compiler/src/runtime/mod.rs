//! The prelude: the runtime that programs need, written in Vitte over a few intrinsics and C calls.
//!
//! Its files are modules of the root `core`; every name of §9 of the reference that needs code
//! resolves to one of them. Only what a program uses is in its binary.
