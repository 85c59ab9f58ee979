//! What is kept of a program between edits, above the queries.
//!
//! A query whose inputs may have changed is verified by looking at all that it was made from, and below a
//! whole program that is everything: a hundred thousand memos for a program of a thousand modules, after
//! any edit. Most edits change nothing that another module can see. So each module has an
//! [`Interface`] — all that the results of other modules depend on, as the interface files of OCaml
//! (`.cmi`, `.cmx`) and GHC (`.hi`) hold it, bodies for inlining included — and as long as the edited
//! modules keep theirs, nobody asks the queries about any other module: their results are those of
//! before ([`CheckedModules`], [`crate::codegen::Fragments`]). When an interface changes, the queries are asked
//! about all that use the module, directly or not, and find out whom it concerns.
//!
//! The queries stay the only place where anything is computed. What is said here is when they need not be
//! asked, and it errs on the side of asking.
mod checked; // the diagnostics of a program, module by module
mod interface; // what others can see of a module
pub(crate) mod users; // who uses whom

#[cfg(test)]
mod tests;

pub use checked::{CheckedModules, Update, check_module};
pub use interface::{InlineBodies, Interface, inline_bodies, module_interface};
pub use users::Users;

use crate::base::SourceFile;

/// How the files of a program may differ from those that something was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits<'a> {
    /// In any way.
    Any,
    /// Only what is known of these may be different; no file is there that was not, or the other way round.
    Only(&'a [SourceFile]),
}

/// What will be asked for.
#[derive(Clone, Debug)]
pub enum Ahead<T> {
    /// This, what it refers to, and so on.
    From(T),
    /// All of these, and nothing that they refer to.
    These(Vec<T>),
}
