//! Monomorphisation: which instances of procs and glue a program needs.
use crate::lower::ItemId;
use crate::types::Ty;

/// What code is generated for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InstanceKind {
    /// A proc with concrete type arguments.
    Proc(ItemId, Vec<Ty>),
    /// The C `main`: `(argc: i32, argv: usize) -> i32`; holds the user's `main`.
    Main(ItemId),
    /// Adapter of a proc for calls through a procedure value: every by-value form parameter by place.
    Thunk(ItemId, Vec<Ty>),
    /// Frees an object of this refcounted type whose count has reached zero: `(object)`.
    Drop(Ty),
    /// Shallow copy of an object of this form, tuple, payload-pick or list type, children retained: `(object) -> object`.
    Clone(Ty),
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
