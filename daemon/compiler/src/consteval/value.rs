//! Values of constants.
use std::sync::Arc;

/// A constant's value. Its type says how to read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConstValue {
    /// Unit.
    Unit,
    /// Integers (two's complement, sign- or zero-extended by their type), `bool`, `char`.
    Int(i128),
    /// Bits of an `f64`; an `f32` is held exactly as one.
    Float(u64),
    /// Text: UTF-8 bytes, which a slice may have cut within a character.
    Str(Arc<[u8]>),
    /// `bytes`
    Bytes(Arc<[u8]>),
    /// Elements.
    List(Vec<ConstValue>),
    /// Fields of a form or tuple in declaration order.
    Record(Vec<ConstValue>),
    /// Variant index and payload.
    Variant(u32, Vec<ConstValue>),
}

impl ConstValue {
    /// Rough size in cells, for the memory bound.
    pub(crate) fn cells(&self) -> usize {
        match self {
            Self::Unit | Self::Int(_) | Self::Float(_) => 1,
            Self::Str(bytes) | Self::Bytes(bytes) => 1 + bytes.len() / 16,
            Self::List(items) | Self::Record(items) | Self::Variant(_, items) => {
                1 + items.iter().map(Self::cells).sum::<usize>()
            }
        }
    }
}
