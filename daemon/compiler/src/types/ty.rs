//! Types.
use std::sync::Arc;

use crate::base::Name;
use crate::lower::ItemId;

/// Integer types. `int` is 64-bit signed on every target, `isize`/`usize` are pointer-wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum IntTy {
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    Int,
    Uint,
    Isize,
    Usize,
}

impl IntTy {
    /// Width in bits (every supported target is 64-bit).
    pub fn bits(self) -> u32 {
        match self {
            Self::I8 | Self::U8 => 8,
            Self::I16 | Self::U16 => 16,
            Self::I32 | Self::U32 => 32,
            Self::I64 | Self::U64 | Self::Int | Self::Uint | Self::Isize | Self::Usize => 64,
            Self::I128 | Self::U128 => 128,
        }
    }

    /// Whether it is signed.
    pub fn signed(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64 | Self::I128 | Self::Int | Self::Isize)
    }

    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::I128 => "i128",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::U128 => "u128",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Isize => "isize",
            Self::Usize => "usize",
        }
    }
}

/// Floating-point types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum FloatTy {
    F32,
    F64,
}

/// A type. Equality is structural; cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// Already reported; fits everything and suppresses followers.
    Error,
    /// `unit`, `void`
    Unit,
    /// `never`
    Never,
    /// `bool`
    Bool,
    /// `char`, `rune`
    Char,
    /// Integers.
    Int(IntTy),
    /// Floats.
    Float(FloatTy),
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `[T]`
    List(Arc<Ty>),
    /// `ref T` (false), `ref mut T` (true). A `ref T` is represented as a `T` of its own: it is a
    /// read-only view of a value that may not change while it lives, so nobody can tell.
    Ref(bool, Arc<Ty>),
    /// A form with its type arguments.
    Form(ItemId, Arc<[Ty]>),
    /// A pick with its type arguments; `Option` and `Result` are the prelude's.
    Pick(ItemId, Arc<[Ty]>),
    /// `proc(A) -> R`
    Proc(Arc<[Ty]>, Arc<Ty>),
    /// `(A, B)`
    Tuple(Arc<[Ty]>),
    /// `*T` (false), `*mut T` (true): the address of a place that may be gone.
    Pointer(bool, Arc<Ty>),
    /// `dyn Trait` with the trait's type arguments: a value of some type that implements it.
    Dyn(ItemId, Arc<[Ty]>),
    /// Evidence that a type implements a trait: the impl and its type arguments. No value has this type; it
    /// only stands among type arguments (see [`super::traits`]).
    Impl(ItemId, Arc<[Ty]>),
    /// A constant among type arguments; `bool`s are 0 and 1. No value has this type.
    Value(i128),
    /// The n-th type parameter of the proc being checked, with its name.
    Param(u32, Name),
    /// An inference variable; never leaves the type checker.
    Infer(u32),
}

impl Ty {
    /// `int`
    pub const INT: Self = Self::Int(IntTy::Int);
    /// `usize`
    pub const USIZE: Self = Self::Int(IntTy::Usize);
    /// `f64`
    pub const F64: Self = Self::Float(FloatTy::F64);

    /// Calls `f` on each type that this one is made of directly, in order of writing.
    pub fn for_each_part<'a>(&'a self, mut f: impl FnMut(&'a Self)) {
        match self {
            Self::List(part) | Self::Ref(_, part) | Self::Pointer(_, part) => f(part),
            Self::Form(_, parts)
            | Self::Pick(_, parts)
            | Self::Impl(_, parts)
            | Self::Dyn(_, parts)
            | Self::Tuple(parts) => parts.iter().for_each(f),
            Self::Proc(params, ret) => {
                params.iter().for_each(&mut f);
                f(ret);
            }
            Self::Error
            | Self::Unit
            | Self::Never
            | Self::Bool
            | Self::Char
            | Self::Int(_)
            | Self::Float(_)
            | Self::String
            | Self::Bytes
            | Self::Value(_)
            | Self::Param(..)
            | Self::Infer(_) => {}
        }
    }

    /// Replaces type parameters by `args`.
    #[must_use]
    pub fn subst(&self, args: &[Self]) -> Self {
        let many = |tys: &Arc<[Self]>| tys.iter().map(|t| t.subst(args)).collect::<Arc<[Self]>>();
        match self {
            Self::Param(index, _) => args.get(*index as usize).cloned().unwrap_or(Self::Error),
            Self::List(t) => Self::List(Arc::new(t.subst(args))),
            Self::Ref(m, t) => Self::Ref(*m, Arc::new(t.subst(args))),
            Self::Form(id, tys) => Self::Form(*id, many(tys)),
            Self::Pick(id, tys) => Self::Pick(*id, many(tys)),
            Self::Impl(id, tys) => Self::Impl(*id, many(tys)),
            Self::Proc(params, ret) => Self::Proc(many(params), Arc::new(ret.subst(args))),
            Self::Tuple(tys) => Self::Tuple(many(tys)),
            Self::Pointer(m, t) => Self::Pointer(*m, Arc::new(t.subst(args))),
            Self::Dyn(id, tys) => Self::Dyn(*id, many(tys)),
            Self::Error
            | Self::Unit
            | Self::Never
            | Self::Bool
            | Self::Char
            | Self::Int(_)
            | Self::Float(_)
            | Self::String
            | Self::Bytes
            | Self::Value(_)
            | Self::Infer(_) => self.clone(),
        }
    }
}
