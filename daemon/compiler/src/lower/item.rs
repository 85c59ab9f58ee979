//! What items are called.
use crate::base::{Name, SourceFile};

/// What an item declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// `proc`, also inside `extern` and `intrinsic`.
    Proc,
    /// `form`
    Form,
    /// `pick` at top level
    Pick,
    /// `const`
    Const,
    /// `type`
    Alias,
    /// `trait`
    Trait,
    /// `impl`; named after its type and trait
    Impl,
    /// `use`; named by its position among the file's `use`s
    Use,
    /// `export` or `share`; named by its position
    Export,
    /// `static_assert`
    StaticAssert,
    /// A kind that parses but is not supported yet; one diagnostic each.
    Unsupported,
}

/// An item's identity: stable while other items and its own text change.
///
/// `unsafe(no_lifetime)` is sound because `revisions = usize::MAX` keeps every interned value for
/// the life of the database.
#[salsa::interned(unsafe(no_lifetime), revisions = usize::MAX, debug)]
pub struct ItemId {
    /// The module it is written in.
    #[returns(copy)]
    pub file: SourceFile,
    /// What it declares.
    #[returns(copy)]
    pub kind: ItemKind,
    /// Its name; empty for items without one.
    #[returns(ref)]
    pub name: Name,
    /// 0 for the first item of this kind and name in the file, 1 for the second (an error), and so on.
    /// For local procs the name is `outer.inner`, for members `Type::name`, `<Type as Trait>::name`
    /// or `Trait::name`.
    #[returns(copy)]
    pub ordinal: u32,
}

/// A node of one item, numbered in pre-order from 0 (the item itself), signature before body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);
