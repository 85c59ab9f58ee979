//! The operations that the prelude is built on.
//!
//! Only files of the `core` root may declare them (`intrinsic compiler_read<T>(addr: usize) -> T;`).
//! Refcounted types are `string`, `bytes`, lists, forms, tuples, picks with payload.

/// Size of the runtime's storage: 64 bytes of counters (standard output's fill at 0, drop depth at 8, deferred drops
/// at 16, 24 and 32, what is left of standard input at 40, open handles at 48 and 56) and an output buffer of 8192.
pub const STATE_BYTES: u32 = 64 + 8192;

/// An operation supplied by the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Intrinsic {
    /// `compiler_size_of<T>() -> usize`: bytes of a `T` in a list or field.
    SizeOf,
    /// `compiler_needs_drop<T>() -> bool`: whether a `T` is refcounted.
    NeedsDrop,
    /// `compiler_addr<T>(value: T) -> usize`: the bits of a refcounted value; borrows it.
    Addr,
    /// `compiler_own<T>(addr: usize) -> T`: takes an address as an owned refcounted value.
    Own,
    /// `compiler_place<T>(place: ref mut T) -> usize`: the address of the place itself.
    PlaceAddr,
    /// `compiler_read<T>(addr: usize) -> T`: moves a value out of memory; no retain.
    Read,
    /// `compiler_copy<T>(addr: usize) -> T`: copies a value out of memory; retains it.
    CopyOut,
    /// `compiler_write<T>(addr: usize, value: T)`: moves a value into memory; drops nothing.
    Write,
    /// `compiler_forget<T>(value: T)`: ends a value's life without dropping it.
    Forget,
    /// `compiler_is_unique<T>(value: T) -> bool`: whether its count is one; borrows it.
    IsUnique,
    /// `compiler_hash<T>(value: T) -> u64`: equal values have equal hashes; borrows it. Always a call of the type's
    /// glue once instances are made.
    Hash,
    /// `compiler_f64_bits(value: f64) -> u64`
    F64Bits,
    /// `compiler_f64_from_bits(bits: u64) -> f64`
    F64FromBits,
    /// `compiler_f32_bits(value: f32) -> u32`
    F32Bits,
    /// `compiler_f32_from_bits(bits: u32) -> f32`
    F32FromBits,
    /// `compiler_type_name<T>() -> string`: the type as the user writes it.
    TypeName,
    /// What `sizeof(T)` gives; a constant once instances are made.
    ByteSize,
    /// What `alignof(T)` gives; as [`Self::ByteSize`].
    ByteAlign,
    /// What `offsetof(T, field)` gives for the field of this index; as [`Self::ByteSize`].
    FieldOffset(u32),
    /// The value of the constant parameter that is the type argument, wrapped to 64 bits; as [`Self::ByteSize`].
    ParameterValue,
    /// `compiler_state() -> usize`: address of the runtime's own zero-initialised storage
    /// ([`STATE_BYTES`] bytes, one for the process): buffers and counters of the prelude.
    State,
}

impl Intrinsic {
    /// By the name in its declaration.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "compiler_size_of" => Self::SizeOf,
            "compiler_needs_drop" => Self::NeedsDrop,
            "compiler_addr" => Self::Addr,
            "compiler_own" => Self::Own,
            "compiler_place" => Self::PlaceAddr,
            "compiler_read" => Self::Read,
            "compiler_copy" => Self::CopyOut,
            "compiler_write" => Self::Write,
            "compiler_forget" => Self::Forget,
            "compiler_is_unique" => Self::IsUnique,
            "compiler_hash" => Self::Hash,
            "compiler_f64_bits" => Self::F64Bits,
            "compiler_f64_from_bits" => Self::F64FromBits,
            "compiler_f32_bits" => Self::F32Bits,
            "compiler_f32_from_bits" => Self::F32FromBits,
            "compiler_type_name" => Self::TypeName,
            "compiler_state" => Self::State,
            _ => return None,
        })
    }
}
