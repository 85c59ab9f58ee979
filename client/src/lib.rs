//! The client of the Vitte service, as a library and as the command `vitte`.
//!
//! Thin on purpose: it knows the wire types and the terminal, and links no engine. Start at
//! [`connect::connect`] to talk to the service, or at [`cli`] and [`verbs`] for the command.
#![forbid(unsafe_code)]

pub mod cli; // the command line
pub mod connect; // reaching a service, starting it if need be
pub mod edit; // edits of files: which go together, and whole files or nothing
pub mod failure; // what went wrong, and exit statuses
pub mod package; // new packages
pub mod quick; // one call without a runtime
pub mod render; // diagnostics for people and programs
pub mod report; // events as the user sees them
pub mod statistics; // what samples of a benchmark say
pub mod verbs; // what the command does
