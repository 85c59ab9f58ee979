//! Typed HIR: the result of checking a body. Every name is resolved, every conversion is a node,
//! every type is known (type parameters stay as [`Ty::Param`]).
//!
//! What the checker has already desugared here: built-in names of §9 to calls of prelude procs
//! (`println(42)` is `println(int_to_string(42))`), `is` and `?` and `??` to matches, named and default
//! arguments, automatic dereference, implicit integer conversions ([`ExprKind::Cast`]).
use std::sync::Arc;

use super::intrinsic::Intrinsic;
use super::ty::Ty;
use crate::base::Name;
use crate::lower::hir::{BinaryOp, UnaryOp};
use crate::lower::{ItemId, NodeId};

/// A checked proc, const initialiser, default value or static assert.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Type parameters in scope.
    pub generics: Vec<Name>,
    /// Parameters: the first locals, in order. Default values are bodies without any.
    pub param_count: usize,
    /// Of a lambda: how many of these are what it captures; they come first.
    pub captures: usize,
    /// All locals.
    pub locals: Vec<Local>,
    /// Result type.
    pub ret: Ty,
    /// The body; for consts and the like its `tail` is the value.
    pub block: Block,
    /// The lambdas in it, nested ones included. Their first locals are what they capture, then come their
    /// parameters; `param_count` counts both.
    pub lambdas: Vec<Body>,
    /// False if any error was reported inside: then nothing after the checker looks at it.
    pub ok: bool,
}

/// A local of a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(pub u32);

/// A parameter, `let` or pattern binding.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// As written.
    pub name: Name,
    /// Its declaration.
    pub node: NodeId,
    /// Its type.
    pub ty: Ty,
    /// Declared `move`/`owned`: the argument's life ends at the call.
    pub moves_argument: bool,
}

/// A block.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The braces.
    pub node: NodeId,
    /// Statements.
    pub stmts: Vec<Stmt>,
    /// Its value; without one the block is unit (or never).
    pub tail: Option<Box<Expr>>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// Binds a pattern that always matches. Without `init` the locals are unassigned
    /// (use before assignment is `TYP0251`, found on MIR).
    Let {
        /// Where.
        node: NodeId,
        /// What is bound.
        pat: Pat,
        /// Its value.
        init: Option<Expr>,
    },
    /// For its effect; the value is dropped.
    Expr(Expr),
    /// Runs when the scope around it is left in any way but a panic.
    Defer(Arc<Block>),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Its type. [`Ty::Never`] if it only leaves.
    pub ty: Ty,
    /// Where.
    pub node: NodeId,
    /// What.
    pub kind: ExprKind,
}

/// Kinds of expression. A place is `Local`, `Field`, `Index`, `Deref` of a place or value.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Only in bodies that are not `ok`.
    Error,
    /// Integer (two's complement bits, sign-extended to 128), `bool` as 0/1, `char` as its scalar.
    Int(i128),
    /// Bits of an `f64` (also for `f32`: convert).
    Float(u64),
    /// String literal.
    Str(Arc<str>),
    /// Bytes literal.
    Bytes(Arc<[u8]>),
    /// The unit value.
    Unit,
    /// Reads a local.
    Local(LocalId),
    /// Value of a top-level const.
    Const(ItemId),
    /// The address of a `static`: a `ref mut` of its type.
    Static(ItemId),
    /// A proc as a value.
    ProcRef(ItemId, Vec<Ty>),
    /// A lambda as a value, with copies of what it captures.
    Lambda {
        /// Index among [`Body::lambdas`] of the whole body.
        index: u32,
        /// Locals of the body around it.
        captures: Vec<LocalId>,
    },
    /// A value as one of a `dyn` type (the type of the expression).
    Dyn {
        /// The value.
        value: Box<Expr>,
        /// The trait's methods that can be called through it, in the order of
        /// [`dyn_methods`](super::traits::dyn_methods), each with all its type arguments.
        methods: Vec<(ItemId, Vec<Ty>)>,
    },
    /// A call.
    Call {
        /// Who.
        callee: Callee,
        /// Arguments in evaluation order.
        args: Vec<Arg>,
    },
    /// A form; fields in evaluation order with their index; missing ones come from `base`.
    Record {
        /// Fields as written.
        fields: Vec<(u32, Expr)>,
        /// `..base`, evaluated last.
        base: Option<Box<Expr>>,
    },
    /// A pick's variant with its payload; `ty` says which pick.
    Variant {
        /// Index of the variant.
        variant: u32,
        /// Payload in order of declaration and evaluation.
        fields: Vec<Expr>,
    },
    /// `[a, b]`
    List(Vec<Expr>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// Field of a form or tuple, by index. `base` has form or tuple type (dereference is explicit).
    Field(Box<Expr>, u32),
    /// Element of a list, checked. The index has an integer type.
    Index(Box<Expr>, Box<Expr>),
    /// Byte of a string as `char`, checked.
    StringIndex(Box<Expr>, Box<Expr>),
    /// Through a `ref T` or `ref mut T`.
    Deref(Box<Expr>),
    /// `ref place` (false), `ref mut place` (true); also inserted where a parameter wants one.
    Ref(bool, Box<Expr>),
    /// `move place`
    Move(Box<Expr>),
    /// `not` on bool; `-` on numbers; `~` on integers.
    Unary(UnaryOp, Box<Expr>),
    /// Arithmetic and bits: both operands have the type of the result (shift: count may have any
    /// integer type). `+` on two strings, string and char, or two lists is here too. `/` and `%` check for zero.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `== != < <= > >=`. Integers may have different types and compare as mathematical values;
    /// otherwise both sides have one type (a char beside a string literal was converted).
    /// `==`/`!=` also on strings, bytes, lists, forms, picks, tuples.
    Compare(BinaryOp, Box<Expr>, Box<Expr>),
    /// `and` (true: `or`) on bools.
    Logical {
        /// `or`
        or: bool,
        /// Left.
        lhs: Box<Expr>,
        /// Right.
        rhs: Box<Expr>,
    },
    /// Between scalars (int, float, bool, char, plain pick to int), by the rules of §3.5. Casts to `string` are
    /// calls. A condition of integer type was turned into `Compare(Ne, e, 0)`.
    Cast(Box<Expr>),
    /// `if`; without `other` it is unit.
    If {
        /// Condition, bool.
        cond: Box<Expr>,
        /// Then.
        then: Block,
        /// Else.
        other: Option<Block>,
    },
    /// Exhaustive match.
    Match {
        /// A place is matched in place; bindings copy.
        scrutinee: Box<Expr>,
        /// Arms in order.
        arms: Vec<Arm>,
    },
    /// A block.
    Block(Block),
    /// `while`
    While(Box<Expr>, Block),
    /// `loop`; its type is that of its `break` values, unit, or never.
    Loop(Block),
    /// `for`
    For {
        /// Bound each round.
        pat: Pat,
        /// Subject.
        iter: ForIter,
        /// Body.
        body: Block,
    },
    /// C-like `for`; `continue` runs the step.
    CFor {
        /// First.
        init: Box<Stmt>,
        /// Condition.
        cond: Box<Expr>,
        /// Step.
        step: Box<Expr>,
        /// Body.
        body: Block,
    },
    /// `set place = value`; with `op` the place is evaluated once.
    Assign {
        /// The place.
        place: Box<Expr>,
        /// `+=` and so on.
        op: Option<BinaryOp>,
        /// Converted to the place's type (for shifts: any integer type).
        value: Box<Expr>,
    },
    /// `give`
    Give(Option<Box<Expr>>),
    /// `break`
    Break(Option<Box<Expr>>),
    /// `continue`
    Continue,
    /// `assert(c, msg)`; the message is a string. Without one: `assertion failed`.
    Assert(Box<Expr>, Option<Box<Expr>>),
    /// `panic(msg)`; the message is a string.
    Panic(Box<Expr>),
    /// `unreachable`
    Unreachable,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq)]
pub enum Callee {
    /// A proc with its type arguments.
    Proc(ItemId, Vec<Ty>),
    /// An intrinsic (only from the prelude).
    Intrinsic(Intrinsic, Vec<Ty>),
    /// A procedure value.
    Value(Box<Expr>),
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// Which parameter it fills.
    pub param: u32,
    /// Converted to the parameter's type; for `ref mut T` parameters an [`ExprKind::Ref`] or a value of
    /// that type. A form argument of a by-value parameter may be a place: the callee may write it back (§8.3).
    pub value: Expr,
}

/// What a `for` runs over.
#[derive(Clone, Debug, PartialEq)]
pub enum ForIter {
    /// A list, as it was at the start.
    List(Box<Expr>),
    /// The Unicode scalars of a string.
    Str(Box<Expr>),
    /// Integers of one type.
    Range {
        /// From.
        lo: Box<Expr>,
        /// To.
        hi: Box<Expr>,
        /// `..=`
        inclusive: bool,
    },
    /// A library iterator: a place of a type with a proc `next(ref mut it) -> Option<T>`.
    Next {
        /// The iterator.
        iter: Box<Expr>,
        /// Its `next` and type arguments.
        next: (ItemId, Vec<Ty>),
    },
}

/// An arm of a match.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Pattern.
    pub pat: Pat,
    /// Guard, bool.
    pub guard: Option<Expr>,
    /// Body.
    pub body: Block,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pat {
    /// Type of what is matched (dereferenced).
    pub ty: Ty,
    /// Where.
    pub node: NodeId,
    /// What.
    pub kind: PatKind,
}

/// Kinds of pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum PatKind {
    /// `_`
    Wild,
    /// Binds a copy.
    Bind(LocalId),
    /// A variant with payload patterns by field index (missing ones are wild).
    Variant(u32, Vec<(u32, Pat)>),
    /// Fields of a form or tuple.
    Record(Vec<(u32, Pat)>),
    /// Integer, bool or char literal.
    Int(i128),
    /// Float literal, by bits.
    Float(u64),
    /// String literal.
    Str(Arc<str>),
    /// A const, compared by `==`.
    Const(ItemId),
    /// Inclusive bounds of an integer or char.
    Range(Option<i128>, Option<i128>),
    /// Alternatives; all bind the same locals.
    Or(Vec<Pat>),
    /// List of exactly these.
    List(Vec<Pat>),
}
