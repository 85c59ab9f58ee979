//! The data of SSA: functions of basic blocks over machine scalars.
//!
//! Blocks take parameters instead of phi nodes. Every value is defined once, by a block parameter or
//! an instruction, and its definition dominates its uses. Reference counting, uniqueness and run-time
//! checks are single instructions, so that passes can reason about them; they become control flow only
//! in the code generator.
use std::sync::Arc;

use crate::base::Name;
use crate::lower::{ItemId, NodeId};
use crate::mono::Instance;

/// A scalar type. `bool` is `I8` (0 or 1), pointers are `I64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Type {
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
}

impl Type {
    /// Width in bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::I8 => 8,
            Self::I16 => 16,
            Self::I32 | Self::F32 => 32,
            Self::I64 | Self::F64 => 64,
            Self::I128 => 128,
        }
    }

    /// Size in memory, in bytes.
    pub fn bytes(self) -> u32 {
        self.bits() / 8
    }

    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// The integer type of this many bits; 64 for widths that are none.
    pub fn int(bits: u32) -> Self {
        match bits {
            8 => Self::I8,
            16 => Self::I16,
            32 => Self::I32,
            128 => Self::I128,
            _ => Self::I64,
        }
    }

    /// As the dump writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::I128 => "i128",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// A value; its type is `function.values[value]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u32);

/// A basic block; the entry is block 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

/// A stack slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

/// Where in the source an instruction comes from. Has its own item because inlining mixes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Item.
    pub item: ItemId,
    /// Node of that item.
    pub node: NodeId,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// Result, if any.
    pub ret: Option<Type>,
    /// Types of all values, by number. Passes may leave numbers unused.
    pub values: Vec<Type>,
    /// Blocks; block 0 is the entry, and its parameters are the function's. Passes may leave blocks unreachable.
    pub blocks: Vec<Block>,
    /// Stack slots.
    pub slots: Vec<Slot>,
    /// The item whose text this is (`None` for glue).
    pub item: Option<ItemId>,
}

/// A stack slot, 8-byte aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Size in bytes.
    pub size: u32,
}

/// A basic block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Parameters.
    pub params: Vec<Value>,
    /// In order.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub terminator: Terminator,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// What it defines.
    pub result: Option<Value>,
    /// Where it comes from.
    pub source: Option<Source>,
}

/// Operations. Operands of binary operations have one type unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// An integer constant; only the low bits of the result's width count, kept sign-extended.
    Int(i128),
    /// A float constant: the bits of the result's type.
    Float(u64),
    /// On one operand.
    Unary(UnaryOp, Value),
    /// Wrapping arithmetic.
    Binary(BinaryOp, Value, Value),
    /// To 0 or 1 (`I8`).
    Compare(CompareOp, Value, Value),
    /// To the result's type.
    Convert(ConvertOp, Value),
    /// The second operand if the first (`I8`) is non-zero, else the third.
    Select(Value, Value, Value),
    /// Reads memory. Never traps.
    Load {
        /// Base address.
        address: Value,
        /// Bytes added to it.
        offset: i32,
        /// What it can alias.
        alias: Alias,
    },
    /// Writes memory. Never traps.
    Store {
        /// Base address.
        address: Value,
        /// Bytes added to it.
        offset: i32,
        /// What is written.
        value: Value,
        /// What it can alias.
        alias: Alias,
    },
    /// Address of a stack slot.
    SlotAddress(SlotId),
    /// Address of code or data.
    SymbolAddress(Symbol),
    /// A call.
    Call {
        /// Who.
        callee: Callee,
        /// Arguments.
        args: Vec<Value>,
    },
    /// Adds one to the count of an object.
    Retain {
        /// The object.
        value: Value,
        /// How it is represented.
        repr: ObjectRepr,
    },
    /// Takes one from the count of an object; frees it by `drop` at zero.
    Release {
        /// The object.
        value: Value,
        /// How it is represented.
        repr: ObjectRepr,
        /// What frees it.
        drop: DropFn,
    },
    /// The object itself if its count is one; else a copy, made by `clone`, in exchange for one reference.
    Unique {
        /// The object.
        value: Value,
        /// How it is represented.
        repr: ObjectRepr,
        /// `(object) -> object`; borrows its argument.
        clone: Instance,
    },
    /// Fresh memory of this many bytes, not cleared.
    Alloc {
        /// Bytes.
        size: u32,
        /// `panic_at`, for when there is none.
        panic: Instance,
    },
    /// Panics unless the condition (`I8`) is non-zero. Does not end the block.
    Check {
        /// What must hold.
        condition: Value,
        /// Why it may fail.
        kind: CheckKind,
        /// The panic's proc; gets `args` and the location of this instruction's source.
        panic: Instance,
        /// Arguments before the location.
        args: Vec<Value>,
    },
}

/// Operations on one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnaryOp {
    /// Two's complement negation.
    Neg,
    /// All bits.
    Not,
    /// Number of leading zero bits.
    LeadingZeros,
    /// Float negation.
    FNeg,
}

/// Operations on two values. Shift counts are of any integer type up to 64 bits and count modulo the
/// width. The divisor is never zero; `SDiv` and `SRem` of the smallest number by -1 wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    SDiv,
    UDiv,
    SRem,
    URem,
    And,
    Or,
    Xor,
    Shl,
    /// Arithmetic shift right.
    AShr,
    /// Logical shift right.
    LShr,
    FAdd,
    FSub,
    FMul,
    FDiv,
}

impl BinaryOp {
    /// Whether operands can be swapped.
    pub fn commutes(self) -> bool {
        matches!(self, Self::Add | Self::Mul | Self::And | Self::Or | Self::Xor | Self::FAdd | Self::FMul)
    }

    /// Whether it shifts, so that the second operand's type is its own.
    pub fn is_shift(self) -> bool {
        matches!(self, Self::Shl | Self::AShr | Self::LShr)
    }

    /// Whether it works on floats.
    pub fn is_float(self) -> bool {
        matches!(self, Self::FAdd | Self::FSub | Self::FMul | Self::FDiv)
    }
}

/// Comparisons: signed, unsigned, float (ordered, but `FNe` is true on NaN).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum CompareOp {
    Eq,
    Ne,
    SLt,
    SLe,
    SGt,
    SGe,
    ULt,
    ULe,
    UGt,
    UGe,
    FEq,
    FNe,
    FLt,
    FLe,
    FGt,
    FGe,
}

impl CompareOp {
    /// Whether it works on floats.
    pub fn is_float(self) -> bool {
        matches!(self, Self::FEq | Self::FNe | Self::FLt | Self::FLe | Self::FGt | Self::FGe)
    }
}

/// Conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConvertOp {
    /// To a narrower integer.
    Truncate,
    /// To a wider integer, by the sign.
    SignExtend,
    /// To a wider integer, by zeros.
    ZeroExtend,
    /// Toward zero, saturating, NaN to 0; results of 8 to 64 bits.
    FloatToSigned,
    /// As [`Self::FloatToSigned`], to the unsigned range.
    FloatToUnsigned,
    /// From integers of 8 to 64 bits, to nearest.
    SignedToFloat,
    /// From integers of 8 to 64 bits, to nearest.
    UnsignedToFloat,
    /// `F32` to `F64`.
    Promote,
    /// `F64` to `F32`, to nearest.
    Demote,
    /// The same bits in a type of the same width.
    Bitcast,
}

/// What a memory access can touch. Different classes do not overlap, but [`Alias::Unknown`] overlaps
/// all: the prelude reads and writes every part of an object by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alias {
    /// The reference count of an object.
    Count,
    /// Length and capacity of a string, bytes or list.
    Length,
    /// The tag of a pick; never changes while the object lives.
    Tag,
    /// A field of a form, tuple or payload.
    Field,
    /// An element of a list, a byte of a string.
    Element,
    /// A stack slot.
    Slot,
    /// Through a reference or a raw address.
    Unknown,
}

impl Alias {
    /// Whether accesses of the two classes can touch the same memory.
    pub fn overlaps(self, other: Self) -> bool {
        self == other || self == Self::Unknown || other == Self::Unknown
    }
}

/// How a refcounted value is represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectRepr {
    /// Always a pointer to an object.
    Pointer,
    /// A pointer, or an odd number that stands for a variant without payload.
    Tagged,
}

/// What frees an object whose count reached zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropFn {
    /// Nothing inside: C `free`.
    Free,
    /// The type's drop glue.
    Glue(Instance),
}

/// Why a check can fail; for passes and dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum CheckKind {
    Index,
    DivisionByZero,
    NotAChar,
    Assert,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// Our own code.
    Instance(Instance),
    /// A C function.
    Extern(Name),
    /// A code address.
    Indirect(Value),
}

/// Code or data whose address is known at link time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// Code of an instance.
    Instance(Instance),
    /// A C function or object.
    Extern(Name),
    /// The immortal string or bytes object with this content.
    Literal(Arc<[u8]>),
    /// The list without elements.
    EmptyList,
    /// The prelude's zero-initialised storage.
    State,
    /// The object of a top-level const.
    Const(ItemId),
    /// The `{file, line, column}` record of a place in the source.
    Location(Source),
}

/// A block and the arguments for its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where to.
    pub block: BlockId,
    /// Arguments.
    pub args: Vec<Value>,
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Terminator {
    /// To a block.
    Jump(Target),
    /// To the first if the value is non-zero, else to the second.
    Branch(Value, Target, Target),
    /// By an integer. Cases are distinct and compare with the low bits of the value's width.
    Switch {
        /// On what.
        value: Value,
        /// Case and target.
        cases: Vec<(i128, Target)>,
        /// If none fits.
        default: Target,
    },
    /// Returns.
    Return(Option<Value>),
    /// Control never gets here.
    Unreachable,
}

/// What a function is called by, or calls something by.
#[derive(Debug)]
pub enum NameMut<'a> {
    /// Code.
    Instance(&'a mut Instance),
    /// Whose text something is, or a const.
    Item(&'a mut ItemId),
}

impl Function {
    /// Calls `f` on every name in the function, in the order of its instructions. What is left then decides
    /// what it does and how its code looks.
    pub fn for_each_name_mut(&mut self, f: &mut impl FnMut(NameMut<'_>)) {
        let Self { ret: _, values: _, blocks, slots: _, item } = self;
        if let Some(item) = item {
            f(NameMut::Item(item));
        }
        for inst in blocks.iter_mut().flat_map(|block| &mut block.insts) {
            inst.op.for_each_name_mut(f);
            if let Some(source) = &mut inst.source {
                f(NameMut::Item(&mut source.item));
            }
        }
    }
}

impl Op {
    fn for_each_name_mut(&mut self, f: &mut impl FnMut(NameMut<'_>)) {
        match self {
            Self::Call { callee: Callee::Instance(instance), .. }
            | Self::SymbolAddress(Symbol::Instance(instance))
            | Self::Release { drop: DropFn::Glue(instance), .. }
            | Self::Unique { clone: instance, .. }
            | Self::Alloc { panic: instance, .. }
            | Self::Check { panic: instance, .. } => f(NameMut::Instance(instance)),
            Self::SymbolAddress(Symbol::Const(item)) => f(NameMut::Item(item)),
            Self::SymbolAddress(Symbol::Location(source)) => f(NameMut::Item(&mut source.item)),
            Self::Call { callee: Callee::Extern(_) | Callee::Indirect(_), .. }
            | Self::SymbolAddress(
                Symbol::Extern(_) | Symbol::Literal(_) | Symbol::EmptyList | Symbol::State,
            )
            | Self::Release { drop: DropFn::Free, .. }
            | Self::Int(_)
            | Self::Float(_)
            | Self::SlotAddress(_)
            | Self::Unary(..)
            | Self::Convert(..)
            | Self::Binary(..)
            | Self::Compare(..)
            | Self::Select(..)
            | Self::Load { .. }
            | Self::Store { .. }
            | Self::Retain { .. } => {}
        }
    }

    /// Calls `f` on each operand.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        match self {
            Self::Int(_)
            | Self::Float(_)
            | Self::SlotAddress(_)
            | Self::SymbolAddress(_)
            | Self::Alloc { .. } => {}
            Self::Unary(_, a) | Self::Convert(_, a) => f(*a),
            Self::Binary(_, a, b) | Self::Compare(_, a, b) => {
                f(*a);
                f(*b);
            }
            Self::Select(a, b, c) => {
                f(*a);
                f(*b);
                f(*c);
            }
            Self::Load { address, .. } => f(*address),
            Self::Store { address, value, .. } => {
                f(*address);
                f(*value);
            }
            Self::Call { callee, args } => {
                if let Callee::Indirect(value) = callee {
                    f(*value);
                }
                args.iter().copied().for_each(f);
            }
            Self::Retain { value, .. } | Self::Release { value, .. } | Self::Unique { value, .. } => {
                f(*value)
            }
            Self::Check { condition, args, .. } => {
                f(*condition);
                args.iter().copied().for_each(f);
            }
        }
    }

    /// Calls `f` on a mutable reference to each operand.
    pub fn for_each_operand_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        match self {
            Self::Int(_)
            | Self::Float(_)
            | Self::SlotAddress(_)
            | Self::SymbolAddress(_)
            | Self::Alloc { .. } => {}
            Self::Unary(_, a) | Self::Convert(_, a) => f(a),
            Self::Binary(_, a, b) | Self::Compare(_, a, b) => {
                f(a);
                f(b);
            }
            Self::Select(a, b, c) => {
                f(a);
                f(b);
                f(c);
            }
            Self::Load { address, .. } => f(address),
            Self::Store { address, value, .. } => {
                f(address);
                f(value);
            }
            Self::Call { callee, args } => {
                if let Callee::Indirect(value) = callee {
                    f(value);
                }
                args.iter_mut().for_each(f);
            }
            Self::Retain { value, .. } | Self::Release { value, .. } | Self::Unique { value, .. } => f(value),
            Self::Check { condition, args, .. } => {
                f(condition);
                args.iter_mut().for_each(f);
            }
        }
    }

    /// Whether it neither reads nor writes memory nor can fail to return: equal operations on equal
    /// operands give equal results, and an unused one can go.
    pub fn is_pure(&self) -> bool {
        match self {
            Self::Int(_)
            | Self::Float(_)
            | Self::Unary(..)
            | Self::Binary(..)
            | Self::Compare(..)
            | Self::Convert(..)
            | Self::Select(..)
            | Self::SlotAddress(_)
            | Self::SymbolAddress(_) => true,
            Self::Load { .. }
            | Self::Store { .. }
            | Self::Call { .. }
            | Self::Retain { .. }
            | Self::Release { .. }
            | Self::Unique { .. }
            | Self::Alloc { .. }
            | Self::Check { .. } => false,
        }
    }
}

impl Terminator {
    /// Calls `f` on each value that decides or is returned, not on block arguments.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        match self {
            Self::Branch(value, ..) | Self::Switch { value, .. } | Self::Return(Some(value)) => f(*value),
            Self::Jump(_) | Self::Return(None) | Self::Unreachable => {}
        }
    }

    /// Calls `f` on a mutable reference to each value, block arguments included.
    pub fn for_each_value_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        match self {
            Self::Branch(value, ..) | Self::Switch { value, .. } | Self::Return(Some(value)) => f(value),
            Self::Jump(_) | Self::Return(None) | Self::Unreachable => {}
        }
        self.for_each_target_mut(|target| target.args.iter_mut().for_each(&mut f));
    }

    /// Calls `f` on each outgoing edge.
    pub fn for_each_target(&self, mut f: impl FnMut(&Target)) {
        match self {
            Self::Jump(target) => f(target),
            Self::Branch(_, yes, no) => {
                f(yes);
                f(no);
            }
            Self::Switch { cases, default, .. } => {
                cases.iter().for_each(|(_, target)| f(target));
                f(default);
            }
            Self::Return(_) | Self::Unreachable => {}
        }
    }

    /// Calls `f` on a mutable reference to each outgoing edge.
    pub fn for_each_target_mut(&mut self, mut f: impl FnMut(&mut Target)) {
        match self {
            Self::Jump(target) => f(target),
            Self::Branch(_, yes, no) => {
                f(yes);
                f(no);
            }
            Self::Switch { cases, default, .. } => {
                cases.iter_mut().for_each(|(_, target)| f(target));
                f(default);
            }
            Self::Return(_) | Self::Unreachable => {}
        }
    }
}

impl Function {
    /// Type of a value.
    pub fn ty(&self, value: Value) -> Type {
        self.values[value.0 as usize]
    }

    /// Makes a new value.
    pub fn new_value(&mut self, ty: Type) -> Value {
        let value = Value(self.values.len() as u32);
        self.values.push(ty);
        value
    }

    /// Parameters of the function.
    pub fn params(&self) -> &[Value] {
        self.blocks.first().map_or(&[], |entry| &entry.params)
    }

    /// Blocks that control can reach, in reverse post-order from the entry.
    pub fn reverse_post_order(&self) -> Vec<BlockId> {
        let mut seen = vec![false; self.blocks.len()];
        let mut order = Vec::with_capacity(self.blocks.len());
        // (block, its successors, how many were visited)
        let mut stack: Vec<(usize, Vec<usize>, usize)> = Vec::new();
        let successors = |block: usize| {
            let mut all = Vec::new();
            self.blocks[block].terminator.for_each_target(|target| all.push(target.block.0 as usize));
            // Visiting the last first puts the first successor right behind its predecessor.
            all.reverse();
            all
        };
        if !self.blocks.is_empty() {
            seen[0] = true;
            stack.push((0, successors(0), 0));
        }
        while let Some((block, next, visited)) = stack.last_mut() {
            if let Some(&successor) = next.get(*visited) {
                *visited += 1;
                if !std::mem::replace(&mut seen[successor], true) {
                    let next = successors(successor);
                    stack.push((successor, next, 0));
                }
            } else {
                order.push(BlockId(*block as u32));
                stack.pop();
            }
        }
        order.reverse();
        order
    }
}

/// `value` cut to `bits` bits and sign-extended: how [`Op::Int`] keeps constants.
pub fn wrap_int(value: i128, bits: u32) -> i128 {
    let unused = 128 - bits.clamp(1, 128);
    (value << unused) >> unused
}
