//! The data of MIR.
//!
//! # Values
//! Every value fits a machine scalar: numbers, `bool`, `char` and payload-free picks by value; `string`,
//! `bytes`, lists, forms, tuples and picks with payload as a pointer to a refcounted object; `ref mut T`
//! as the address of a place that holds a `T`; `ref T` exactly as `T`.
//!
//! # Ownership
//! An owned value is consumed exactly once: moved, or released by [`StatementKind::Drop`].
//! [`Operand::Copy`] retains, [`Operand::Move`] takes the place's value (whole locals only; the local is then dead
//! until assigned), [`Operand::Borrow`] reads without retaining and is only valid for the statement's
//! duration. For scalars the three are the same. [`StatementKind::Assign`] overwrites without dropping.
use std::sync::Arc;

use crate::base::Name;
use crate::lower::hir::{BinaryOp, UnaryOp};
use crate::lower::{ItemId, NodeId};
use crate::mono::Instance;
use crate::types::{Intrinsic, Ty};

/// A basic block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

/// A local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(pub u32);

/// The MIR of one instance, all types concrete.
#[derive(Clone, Debug, PartialEq)]
pub struct Mir {
    /// How each parameter is passed; the first locals are the parameters.
    pub params: Vec<PassMode>,
    /// Locals; temporaries too.
    pub locals: Vec<Local>,
    /// Result type ([`Ty::Unit`] and [`Ty::Never`] return nothing). Returned values are owned.
    pub ret: Ty,
    /// Blocks; the entry is block 0.
    pub blocks: Vec<Block>,
    /// Which item's nodes the statements speak of (`None` for glue).
    pub item: Option<ItemId>,
}

/// How an argument travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassMode {
    /// Owned by the callee (all scalars too).
    Own,
    /// Kept alive by the caller; the callee neither consumes nor changes it.
    Borrow,
    /// The address of the caller's place: `ref mut` parameters and by-value form parameters whose fields the callee
    /// sets (§8.3). The parameter's local has type `ref mut T`.
    Place,
}

/// A local.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// Its type.
    pub ty: Ty,
    /// The user's name.
    pub name: Option<Name>,
    /// Its declaration.
    pub node: NodeId,
}

/// A basic block.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// In order.
    pub statements: Vec<Statement>,
    /// How it ends.
    pub terminator: Terminator,
}

/// A path to a value: `local.proj.proj`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Where it starts.
    pub local: LocalId,
    /// Steps.
    pub projections: Vec<Projection>,
}

/// One step of a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Field of a form or tuple object.
    Field(u32),
    /// Payload field of a pick object known to be this variant.
    Payload {
        /// Variant.
        variant: u32,
        /// Field.
        field: u32,
    },
    /// Element of a list; the index local is `usize` and was checked.
    Index(LocalId),
    /// From the address (a `ref mut T`) to the place.
    Deref,
}

/// A value to use.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Reads and retains.
    Copy(Place),
    /// Takes.
    Move(Place),
    /// Reads without retaining, for this statement only.
    Borrow(Place),
    /// A constant.
    Const(Const),
}

/// A constant with its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Const {
    /// Integers, bool, char, payload-free picks (ordinal = variant index).
    Int(i128, Ty),
    /// Bits of an f64, also for f32.
    Float(u64, Ty),
    /// String literal: an immortal object.
    Str(Arc<str>),
    /// Bytes literal: an immortal object.
    Bytes(Arc<[u8]>),
    /// Value of a top-level const: scalar or immortal object.
    Item(ItemId, Ty),
    /// The address of a `static`; the type is a `ref mut` of what it holds.
    Static(ItemId, Ty),
    /// The address of a proc's thunk.
    Proc(Instance, Ty),
    /// The unit value.
    Unit,
}

/// A statement with its place in the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// For lines and panics.
    pub node: NodeId,
    /// What.
    pub kind: StatementKind,
}

/// Kinds of statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// Overwrites the place; drops nothing. On the way every object was made unique.
    Assign(Place, Rvalue),
    /// Releases the value at the place.
    Drop(Place),
    /// Makes the object at the place the only reference (clones it if its count is not one).
    Unique(Place),
    /// Calls. `dest` is overwritten without a drop.
    Call {
        /// Who.
        callee: Callee,
        /// One for each parameter, in the callee's modes: `Own` takes Copy/Move/Const, `Borrow` takes Borrow/Const,
        /// `Place` takes a local of `ref mut` type.
        args: Vec<Operand>,
        /// Where the result goes.
        dest: Option<Place>,
    },
    /// Panics unless the operand (bool) is true.
    Check(Operand, PanicKind),
}

/// Who is called.
#[derive(Clone, Debug, PartialEq)]
pub enum Callee {
    /// Our own code.
    Instance(Instance),
    /// A C function: name, parameter and result types.
    Extern(Name, Vec<Ty>, Ty),
    /// An intrinsic with its type arguments.
    Intrinsic(Intrinsic, Vec<Ty>),
    /// A procedure value: parameter types and result. Forms by value and `ref mut` go by place, other refcounted
    /// arguments are borrowed ([`value_mode`](super::modes::value_mode)).
    Value(Operand, Vec<Ty>, Ty),
}

/// Why a check fails.
#[derive(Clone, Debug, PartialEq)]
pub enum PanicKind {
    /// `index I out of range for length N`: index (sign-extended or i128-safe: as `int`; for unsigned types as
    /// `u64`, `signed` says which) and length as `usize`.
    Index {
        /// Index.
        index: Operand,
        /// Whether the index prints signed.
        signed: bool,
        /// Length.
        len: Operand,
    },
    /// `division by zero`
    DivisionByZero,
    /// A cast to `char` of something that is not a scalar: `N is not a character`.
    NotAChar(Operand),
    /// A failed `assert`: the message, a string.
    Assert(Operand),
}

/// What is computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Rvalue {
    /// The operand.
    Use(Operand),
    /// On scalars.
    Unary(UnaryOp, Operand),
    /// Wrapping arithmetic, bits and shifts on scalars of one type (shift count: any integer type, modulo the width).
    /// A zero divisor was checked before; the smallest integer divided by -1 wraps (the machine instruction would
    /// trap: code generation takes care). 128-bit division and float remainder are calls.
    Binary(BinaryOp, Operand, Operand),
    /// On scalars; integers of different types compare as mathematical values.
    Compare(BinaryOp, Operand, Operand),
    /// Scalar to scalar, saturating from float.
    Cast(Operand, Ty),
    /// Length of the list, string or bytes at a place, as `usize`.
    Len(Place),
    /// Byte of the string at a place, zero-extended to `char`; the index was checked.
    StringByte(Place, Operand),
    /// Variant index of the pick at a place, as `usize`.
    Tag(Place),
    /// A new form or tuple object of this type; fields in declaration order, owned.
    Record(Ty, Vec<Operand>),
    /// A variant of this pick type.
    Variant(Ty, u32, Vec<Operand>),
    /// A new list object of this list type.
    List(Ty, Vec<Operand>),
    /// The address of a place; objects on the way were made unique.
    AddressOf(Place),
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Terminator {
    /// To a block.
    Goto(BlockId),
    /// On a bool.
    Branch(Operand, BlockId, BlockId),
    /// On an integer (or tag, `usize`).
    Switch(Operand, Vec<(i128, BlockId)>, BlockId),
    /// Returns the operand (unit: `None`).
    Return(Option<Operand>),
    /// `panic(msg)`: the message and the place.
    Panic(Operand, NodeId),
    /// Control never gets here.
    Unreachable,
}
