//! Monomorphisation: which instances of procs and glue a program needs.
mod collect;
mod symbol;

use crate::lower::ItemId;
use crate::types::Ty;

pub use collect::{collect, collect_from, too_large};
pub use symbol::{item_name, symbol_name, ty_text};

/// What code is generated for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InstanceKind {
    /// A proc with concrete type arguments.
    Proc(ItemId, Vec<Ty>),
    /// The C `main`: `(argc: i32, argv: usize) -> i32`; holds the user's `main`.
    Main(ItemId),
    /// The C `main` of a runner of these tests: see [`crate::types::program_tests`].
    Tests(Vec<ItemId>),
    /// Adapter of a proc for calls through a procedure value: the object of the value, then every by-value form
    /// parameter by place, other refcounted parameters borrowed.
    Thunk(ItemId, Vec<Ty>),
    /// Adapter of a method for calls through a `dyn` value: the object of the value, which holds this many methods
    /// before what it is about, then the other parameters as a thunk takes them.
    DynThunk(ItemId, Vec<Ty>, u32),
    /// A lambda of a proc with these type arguments, by index, for calls through a procedure value: the
    /// object of the value, then the parameters as a thunk takes them.
    Lambda(ItemId, Vec<Ty>, u32),
    /// Frees an object of this refcounted type whose count has reached zero: `(object)`.
    Drop(Ty),
    /// Frees a chain of dead objects of mutually recursive types without recursion: `(link: usize)`.
    /// Only drop glue calls it.
    DropCycle(Vec<Ty>),
    /// Shallow copy of an object of this form, tuple, payload-pick, list or string type, children retained:
    /// `(object) -> object`.
    Clone(Ty),
    /// `(value) -> u64`: equal values of this type have equal hashes.
    Hash(Ty),
    /// `(a, b) -> bool` on borrowed values of this refcounted type.
    Eq(Ty),
}

/// An interned [`InstanceKind`]. `unsafe(no_lifetime)` is sound: interned values are never collected.
#[salsa::interned(unsafe(no_lifetime), revisions = usize::MAX, debug)]
pub struct Instance {
    /// What it is.
    #[returns(ref)]
    pub kind: InstanceKind,
}
