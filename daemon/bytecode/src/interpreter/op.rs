//! The compact form that the interpreter runs: 12 bytes an operation, operands by slot of the frame, jumps by
//! index. Made by `compile`, never stored.
use crate::opcode::{BinaryOp, LoadOp, StoreOp, UnaryOp, numeric_operations};

/// A slot of the current frame.
pub(super) type SlotIndex = u16;

/// Calls `$callback` with all operations: those of the format, those with a constant as right operand
/// (`Name = operation`), and the jumps that compare (`Name, name with a constant = operation, its opposite`).
macro_rules! all_operations {
    ($callback:ident) => {
        numeric_operations! { $callback
            immediate {
                I32AddImmediate = I32Add, I32MulImmediate = I32Mul, I32AndImmediate = I32And,
                I32OrImmediate = I32Or, I32XorImmediate = I32Xor, I32ShlImmediate = I32Shl,
                I32ShrSImmediate = I32ShrS, I32ShrUImmediate = I32ShrU, I32RotlImmediate = I32Rotl,
                I32DivSImmediate = I32DivS, I32DivUImmediate = I32DivU, I32RemSImmediate = I32RemS,
                I32RemUImmediate = I32RemU, I32EqImmediate = I32Eq, I32NeImmediate = I32Ne,
                I32LtSImmediate = I32LtS, I32LtUImmediate = I32LtU, I32GtSImmediate = I32GtS,
                I32GtUImmediate = I32GtU, I32LeSImmediate = I32LeS, I32LeUImmediate = I32LeU,
                I32GeSImmediate = I32GeS, I32GeUImmediate = I32GeU,
                I64AddImmediate = I64Add, I64MulImmediate = I64Mul, I64AndImmediate = I64And,
                I64OrImmediate = I64Or, I64XorImmediate = I64Xor, I64ShlImmediate = I64Shl,
                I64ShrSImmediate = I64ShrS, I64ShrUImmediate = I64ShrU, I64RotlImmediate = I64Rotl,
                I64DivSImmediate = I64DivS, I64DivUImmediate = I64DivU, I64RemSImmediate = I64RemS,
                I64RemUImmediate = I64RemU, I64EqImmediate = I64Eq, I64NeImmediate = I64Ne,
                I64LtSImmediate = I64LtS, I64LtUImmediate = I64LtU, I64GtSImmediate = I64GtS,
                I64GtUImmediate = I64GtU, I64LeSImmediate = I64LeS, I64LeUImmediate = I64LeU,
                I64GeSImmediate = I64GeS, I64GeUImmediate = I64GeU,
            }
            jump {
                JumpI32Eq, JumpI32EqImmediate = I32Eq, I32Ne;
                JumpI32Ne, JumpI32NeImmediate = I32Ne, I32Eq;
                JumpI32LtS, JumpI32LtSImmediate = I32LtS, I32GeS;
                JumpI32LtU, JumpI32LtUImmediate = I32LtU, I32GeU;
                JumpI32GtS, JumpI32GtSImmediate = I32GtS, I32LeS;
                JumpI32GtU, JumpI32GtUImmediate = I32GtU, I32LeU;
                JumpI32LeS, JumpI32LeSImmediate = I32LeS, I32GtS;
                JumpI32LeU, JumpI32LeUImmediate = I32LeU, I32GtU;
                JumpI32GeS, JumpI32GeSImmediate = I32GeS, I32LtS;
                JumpI32GeU, JumpI32GeUImmediate = I32GeU, I32LtU;
                JumpI64Eq, JumpI64EqImmediate = I64Eq, I64Ne;
                JumpI64Ne, JumpI64NeImmediate = I64Ne, I64Eq;
                JumpI64LtS, JumpI64LtSImmediate = I64LtS, I64GeS;
                JumpI64LtU, JumpI64LtUImmediate = I64LtU, I64GeU;
                JumpI64GtS, JumpI64GtSImmediate = I64GtS, I64LeS;
                JumpI64GtU, JumpI64GtUImmediate = I64GtU, I64LeU;
                JumpI64LeS, JumpI64LeSImmediate = I64LeS, I64GtS;
                JumpI64LeU, JumpI64LeUImmediate = I64LeU, I64GtU;
                JumpI64GeS, JumpI64GeSImmediate = I64GeS, I64LtS;
                JumpI64GeU, JumpI64GeUImmediate = I64GeU, I64LtU;
            }
        }
    };
}
pub(super) use all_operations;

macro_rules! define_op {
    (
        immediate { $($immediate:ident = $immediate_of:ident,)* }
        jump { $($jump:ident, $jump_immediate:ident = $jump_if:ident, $jump_unless:ident;)* }
        unary { $($unary:ident = $unary_number:literal $unary_text:literal ($unary_from:ident) => $unary_to:ident,)* }
        binary { $($binary:ident = $binary_number:literal $binary_text:literal ($binary_from:ident) => $binary_to:ident,)* }
        load { $($load:ident = $load_number:literal $load_text:literal $load_as:ident => $load_to:ident,)* }
        store { $($store:ident = $store_number:literal $store_text:literal $store_as:ident ($store_from:ident),)* }
    ) => {
        /// An operation. `d` is the slot it writes, `a` and `b` are those it reads, `to` is an index of operations.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Op {
            Unreachable,
            Jump { to: u32 },
            JumpIf { a: SlotIndex, to: u32 },
            JumpUnless { a: SlotIndex, to: u32 },
            /// By slot `a` to one of `count` targets from `start` on in the function's list, or to the one behind.
            JumpTable { a: SlotIndex, count: u16, start: u32 },
            /// Calls with the frame that begins at slot `frame`, where the arguments are and the results will be.
            Call { frame: SlotIndex, function: u32 },
            CallImport { frame: SlotIndex, import: u32 },
            CallIndirect { a: SlotIndex, frame: SlotIndex, signature: u32 },
            /// Results are in the first slots.
            Return,
            /// Returns slot `a`.
            ReturnSlot { a: SlotIndex },
            Move { d: SlotIndex, a: SlotIndex },
            Select { d: SlotIndex, condition: SlotIndex, a: SlotIndex, b: SlotIndex },
            /// The constant, extended by its sign.
            Constant { d: SlotIndex, value: i32 },
            /// The constant, extended by zeros.
            ConstantUnsigned { d: SlotIndex, value: u32 },
            /// From the function's list of wide constants.
            ConstantWide { d: SlotIndex, index: u32 },
            /// The address in slot `a` plus a wide constant, or an address that is surely outside.
            AddressWide { d: SlotIndex, a: SlotIndex, index: u32 },
            GlobalGet { d: SlotIndex, global: u32 },
            GlobalSet { a: SlotIndex, global: u32 },
            MemorySize { d: SlotIndex },
            MemoryGrow { d: SlotIndex, a: SlotIndex },
            MemoryCopy { to: SlotIndex, from: SlotIndex, length: SlotIndex },
            MemoryFill { to: SlotIndex, byte: SlotIndex, length: SlotIndex },
            $($unary { d: SlotIndex, a: SlotIndex },)*
            $($binary { d: SlotIndex, a: SlotIndex, b: SlotIndex },)*
            $($immediate { d: SlotIndex, a: SlotIndex, value: i32 },)*
            $($jump { a: SlotIndex, b: SlotIndex, to: u32 },)*
            $($jump_immediate { a: SlotIndex, value: i16, to: u32 },)*
            $($load { d: SlotIndex, a: SlotIndex, offset: u32 },)*
            $($store { a: SlotIndex, value: SlotIndex, offset: u32 },)*
        }

        impl Op {
            /// The operation on slots.
            pub(super) fn unary(op: UnaryOp, d: SlotIndex, a: SlotIndex) -> Self {
                match op { $(UnaryOp::$unary => Self::$unary { d, a },)* }
            }

            /// The operation on slots.
            pub(super) fn binary(op: BinaryOp, d: SlotIndex, a: SlotIndex, b: SlotIndex) -> Self {
                match op { $(BinaryOp::$binary => Self::$binary { d, a, b },)* }
            }

            /// Reads at an address plus an offset.
            pub(super) fn load(op: LoadOp, d: SlotIndex, a: SlotIndex, offset: u32) -> Self {
                match op { $(LoadOp::$load => Self::$load { d, a, offset },)* }
            }

            /// Writes at an address plus an offset.
            pub(super) fn store(op: StoreOp, a: SlotIndex, value: SlotIndex, offset: u32) -> Self {
                match op { $(StoreOp::$store => Self::$store { a, value, offset },)* }
            }

            /// The operation with a constant on its right, if there is such a form.
            pub(super) fn immediate(op: BinaryOp, d: SlotIndex, a: SlotIndex, value: i32) -> Option<Self> {
                match op { $(BinaryOp::$immediate_of => Some(Self::$immediate { d, a, value }),)* _ => None }
            }

            /// What jumps to `to` if this comparison is true, or false, in the place of one that puts the result
            /// into a slot.
            pub(super) fn fused_jump(self, if_true: bool, to: u32) -> Option<Self> {
                Some(match self {
                    $(Self::$jump_if { a, b, d: _ } if if_true => Self::$jump { a, b, to },)*
                    $(Self::$jump_unless { a, b, d: _ } if !if_true => Self::$jump { a, b, to },)*
                    Self::I32Eqz { a, d: _ } if if_true => Self::JumpUnless { a, to },
                    Self::I32Eqz { a, d: _ } => Self::JumpIf { a, to },
                    _ => return self.fused_immediate_jump(if_true, to),
                })
            }

            fn fused_immediate_jump(self, if_true: bool, to: u32) -> Option<Self> {
                let (op, a, value) = comparison(self)?;
                let value = i16::try_from(value).ok()?;
                Some(match op {
                    $(BinaryOp::$jump_if if if_true => Self::$jump_immediate { a, value, to },)*
                    $(BinaryOp::$jump_unless if !if_true => Self::$jump_immediate { a, value, to },)*
                    _ => return None,
                })
            }

            /// Lets a jump go to `target`.
            pub(super) fn set_target(&mut self, target: u32) {
                match self {
                    Self::Jump { to } | Self::JumpIf { to, .. } | Self::JumpUnless { to, .. } => *to = target,
                    $(Self::$jump { to, .. } | Self::$jump_immediate { to, .. } => *to = target,)*
                    _ => {}
                }
            }

            /// Where a jump goes; `None` for what is no jump to one place.
            pub(super) fn target(self) -> Option<u32> {
                match self {
                    Self::Jump { to } | Self::JumpIf { to, .. } | Self::JumpUnless { to, .. } => Some(to),
                    $(Self::$jump { to, .. } | Self::$jump_immediate { to, .. } => Some(to),)*
                    _ => None,
                }
            }

            /// Lets the operation write another slot. False for what writes none, or more than one.
            pub(super) fn set_result(&mut self, slot: SlotIndex) -> bool {
                match self {
                    Self::Move { d, .. }
                    | Self::Select { d, .. }
                    | Self::Constant { d, .. }
                    | Self::ConstantUnsigned { d, .. }
                    | Self::ConstantWide { d, .. }
                    | Self::GlobalGet { d, .. }
                    | Self::MemorySize { d }
                    | Self::MemoryGrow { d, .. } => *d = slot,
                    $(Self::$unary { d, .. } => *d = slot,)*
                    $(Self::$binary { d, .. } => *d = slot,)*
                    $(Self::$immediate { d, .. } => *d = slot,)*
                    $(Self::$load { d, .. } => *d = slot,)*
                    _ => return false,
                }
                true
            }
        }

        /// The comparison with a constant that an operation is.
        fn comparison(op: Op) -> Option<(BinaryOp, SlotIndex, i32)> {
            match op {
                $(Op::$immediate { a, value, d: _ } => Some((BinaryOp::$immediate_of, a, value)),)*
                _ => None,
            }
        }
    };
}
all_operations!(define_op);

#[cfg(test)]
mod tests {
    use super::Op;

    #[test]
    fn an_operation_takes_twelve_bytes() {
        assert_eq!(size_of::<Op>(), 12);
    }
}
