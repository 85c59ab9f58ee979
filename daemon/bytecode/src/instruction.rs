//! One instruction, in memory and in bytes.
use std::fmt;

use crate::error::Fault;
use crate::limits;
use crate::opcode::{self, BinaryOp, LoadOp, StoreOp, UnaryOp};
use crate::wire::{Reader, Writer};

/// A register of a function. The parameters are the first; the others begin as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(pub u16);

impl Register {
    /// Its place among the function's registers.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// An instruction. Operands are read before results are written.
///
/// Control is structured: `Block`, `Loop` and `If` open a block and `End` closes it. A branch of depth `n` leaves
/// the `n` innermost blocks and goes to the end of the next one, or to the beginning if that is a loop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Instruction {
    /// Traps.
    Unreachable,
    Block,
    Loop,
    /// Runs up to `Else` or `End` if the condition (`i32`) is not zero, else what is behind `Else`.
    If {
        condition: Register,
    },
    Else,
    End,
    Br {
        depth: u32,
    },
    /// Branches if the condition (`i32`) is not zero.
    BrIf {
        condition: Register,
        depth: u32,
    },
    /// Branches to the depth at the index (unsigned `i32`), or to the default beyond the last.
    BrTable {
        index: Register,
        depths: Box<[u32]>,
        default: u32,
    },
    Return {
        values: Box<[Register]>,
    },
    /// Calls a function of this module.
    Call {
        function: u32,
        args: Box<[Register]>,
        results: Box<[Register]>,
    },
    /// Calls an imported function.
    CallImport {
        import: u32,
        args: Box<[Register]>,
        results: Box<[Register]>,
    },
    /// Calls the function in a slot (`i32`) of the table. Traps if there is none of this signature.
    CallIndirect {
        signature: u32,
        slot: Register,
        args: Box<[Register]>,
        results: Box<[Register]>,
    },
    /// The second operand if the condition (`i32`) is not zero, else the third.
    Select {
        result: Register,
        condition: Register,
        if_true: Register,
        if_false: Register,
    },
    Move {
        result: Register,
        value: Register,
    },
    I32Const {
        result: Register,
        value: i32,
    },
    I64Const {
        result: Register,
        value: i64,
    },
    F32Const {
        result: Register,
        bits: u32,
    },
    F64Const {
        result: Register,
        bits: u64,
    },
    GlobalGet {
        result: Register,
        global: u32,
    },
    GlobalSet {
        global: u32,
        value: Register,
    },
    /// Pages of memory, of the type of an address.
    MemorySize {
        result: Register,
    },
    /// Adds pages of zeros; gives how many there were, or -1 if there may be no more.
    MemoryGrow {
        result: Register,
        pages: Register,
    },
    /// Copies bytes; the ranges may overlap. Traps before anything is written if one is outside.
    MemoryCopy {
        to: Register,
        from: Register,
        length: Register,
    },
    /// Sets bytes to the low byte of `byte` (`i32`). Traps before anything is written if one is outside.
    MemoryFill {
        to: Register,
        byte: Register,
        length: Register,
    },
    Unary {
        op: UnaryOp,
        result: Register,
        value: Register,
    },
    Binary {
        op: BinaryOp,
        result: Register,
        left: Register,
        right: Register,
    },
    /// Reads at the address plus the offset, computed without wrapping.
    Load {
        op: LoadOp,
        result: Register,
        address: Register,
        offset: u64,
    },
    /// Writes at the address plus the offset, computed without wrapping.
    Store {
        op: StoreOp,
        address: Register,
        offset: u64,
        value: Register,
    },
}

impl Instruction {
    /// Whether control never goes on behind it.
    pub fn is_terminator(&self) -> bool {
        matches!(self, Self::Unreachable | Self::Br { .. } | Self::BrTable { .. } | Self::Return { .. })
    }

    /// The registers that it writes, in order.
    pub fn results(&self) -> &[Register] {
        match self {
            Self::Unreachable
            | Self::Block
            | Self::Loop
            | Self::If { .. }
            | Self::Else
            | Self::End
            | Self::Br { .. }
            | Self::BrIf { .. }
            | Self::BrTable { .. }
            | Self::Return { .. }
            | Self::GlobalSet { .. }
            | Self::MemoryCopy { .. }
            | Self::MemoryFill { .. }
            | Self::Store { .. } => &[],
            Self::Call { results, .. }
            | Self::CallImport { results, .. }
            | Self::CallIndirect { results, .. } => results,
            Self::Select { result, .. }
            | Self::Move { result, .. }
            | Self::I32Const { result, .. }
            | Self::I64Const { result, .. }
            | Self::F32Const { result, .. }
            | Self::F64Const { result, .. }
            | Self::GlobalGet { result, .. }
            | Self::MemorySize { result }
            | Self::MemoryGrow { result, .. }
            | Self::Unary { result, .. }
            | Self::Binary { result, .. }
            | Self::Load { result, .. } => std::slice::from_ref(result),
        }
    }

    /// The registers that it writes, to name others.
    pub fn results_mut(&mut self) -> &mut [Register] {
        match self {
            Self::Unreachable
            | Self::Block
            | Self::Loop
            | Self::If { .. }
            | Self::Else
            | Self::End
            | Self::Br { .. }
            | Self::BrIf { .. }
            | Self::BrTable { .. }
            | Self::Return { .. }
            | Self::GlobalSet { .. }
            | Self::MemoryCopy { .. }
            | Self::MemoryFill { .. }
            | Self::Store { .. } => &mut [],
            Self::Call { results, .. }
            | Self::CallImport { results, .. }
            | Self::CallIndirect { results, .. } => results,
            Self::Select { result, .. }
            | Self::Move { result, .. }
            | Self::I32Const { result, .. }
            | Self::I64Const { result, .. }
            | Self::F32Const { result, .. }
            | Self::F64Const { result, .. }
            | Self::GlobalGet { result, .. }
            | Self::MemorySize { result }
            | Self::MemoryGrow { result, .. }
            | Self::Unary { result, .. }
            | Self::Binary { result, .. }
            | Self::Load { result, .. } => std::slice::from_mut(result),
        }
    }

    /// Its name in the disassembly.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Block => "block",
            Self::Loop => "loop",
            Self::If { .. } => "if",
            Self::Else => "else",
            Self::End => "end",
            Self::Br { .. } => "br",
            Self::BrIf { .. } => "br_if",
            Self::BrTable { .. } => "br_table",
            Self::Return { .. } => "return",
            Self::Call { .. } => "call",
            Self::CallImport { .. } => "call_import",
            Self::CallIndirect { .. } => "call_indirect",
            Self::Select { .. } => "select",
            Self::Move { .. } => "move",
            Self::I32Const { .. } => "i32.const",
            Self::I64Const { .. } => "i64.const",
            Self::F32Const { .. } => "f32.const",
            Self::F64Const { .. } => "f64.const",
            Self::GlobalGet { .. } => "global.get",
            Self::GlobalSet { .. } => "global.set",
            Self::MemorySize { .. } => "memory.size",
            Self::MemoryGrow { .. } => "memory.grow",
            Self::MemoryCopy { .. } => "memory.copy",
            Self::MemoryFill { .. } => "memory.fill",
            Self::Unary { op, .. } => op.name(),
            Self::Binary { op, .. } => op.name(),
            Self::Load { op, .. } => op.name(),
            Self::Store { op, .. } => op.name(),
        }
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        let register = |to: &mut Writer, register: &Register| to.u32(u32::from(register.0));
        let list = |to: &mut Writer, registers: &[Register]| {
            to.count(registers.len());
            registers.iter().for_each(|register| to.u32(u32::from(register.0)));
        };
        match self {
            Self::Unreachable => to.byte(opcode::UNREACHABLE),
            Self::Block => to.byte(opcode::BLOCK),
            Self::Loop => to.byte(opcode::LOOP),
            Self::If { condition } => {
                to.byte(opcode::IF);
                register(to, condition);
            }
            Self::Else => to.byte(opcode::ELSE),
            Self::End => to.byte(opcode::END),
            Self::Br { depth } => {
                to.byte(opcode::BR);
                to.u32(*depth);
            }
            Self::BrIf { condition, depth } => {
                to.byte(opcode::BR_IF);
                register(to, condition);
                to.u32(*depth);
            }
            Self::BrTable { index, depths, default } => {
                to.byte(opcode::BR_TABLE);
                register(to, index);
                to.count(depths.len());
                depths.iter().for_each(|depth| to.u32(*depth));
                to.u32(*default);
            }
            Self::Return { values } => {
                to.byte(opcode::RETURN);
                list(to, values);
            }
            Self::Call { function, args, results } => {
                to.byte(opcode::CALL);
                to.u32(*function);
                list(to, args);
                list(to, results);
            }
            Self::CallImport { import, args, results } => {
                to.byte(opcode::CALL_IMPORT);
                to.u32(*import);
                list(to, args);
                list(to, results);
            }
            Self::CallIndirect { signature, slot, args, results } => {
                to.byte(opcode::CALL_INDIRECT);
                to.u32(*signature);
                register(to, slot);
                list(to, args);
                list(to, results);
            }
            Self::Select { result, condition, if_true, if_false } => {
                to.byte(opcode::SELECT);
                [result, condition, if_true, if_false].into_iter().for_each(|each| register(to, each));
            }
            Self::Move { result, value } => {
                to.byte(opcode::MOVE);
                register(to, result);
                register(to, value);
            }
            Self::I32Const { result, value } => {
                to.byte(opcode::I32_CONST);
                register(to, result);
                to.i64(i64::from(*value));
            }
            Self::I64Const { result, value } => {
                to.byte(opcode::I64_CONST);
                register(to, result);
                to.i64(*value);
            }
            Self::F32Const { result, bits } => {
                to.byte(opcode::F32_CONST);
                register(to, result);
                to.bytes.extend_from_slice(&bits.to_le_bytes());
            }
            Self::F64Const { result, bits } => {
                to.byte(opcode::F64_CONST);
                register(to, result);
                to.bytes.extend_from_slice(&bits.to_le_bytes());
            }
            Self::GlobalGet { result, global } => {
                to.byte(opcode::GLOBAL_GET);
                register(to, result);
                to.u32(*global);
            }
            Self::GlobalSet { global, value } => {
                to.byte(opcode::GLOBAL_SET);
                to.u32(*global);
                register(to, value);
            }
            Self::MemorySize { result } => {
                to.byte(opcode::MEMORY_SIZE);
                register(to, result);
            }
            Self::MemoryGrow { result, pages } => {
                to.byte(opcode::MEMORY_GROW);
                register(to, result);
                register(to, pages);
            }
            Self::MemoryCopy { to: target, from, length } => {
                to.byte(opcode::MEMORY_COPY);
                [target, from, length].into_iter().for_each(|each| register(to, each));
            }
            Self::MemoryFill { to: target, byte, length } => {
                to.byte(opcode::MEMORY_FILL);
                [target, byte, length].into_iter().for_each(|each| register(to, each));
            }
            Self::Unary { op, result, value } => {
                to.byte(*op as u8);
                register(to, result);
                register(to, value);
            }
            Self::Binary { op, result, left, right } => {
                to.byte(*op as u8);
                [result, left, right].into_iter().for_each(|each| register(to, each));
            }
            Self::Load { op, result, address, offset } => {
                to.byte(*op as u8);
                register(to, result);
                register(to, address);
                to.u64(*offset);
            }
            Self::Store { op, address, offset, value } => {
                to.byte(*op as u8);
                register(to, address);
                to.u64(*offset);
                register(to, value);
            }
        }
    }

    /// Reads one instruction.
    ///
    /// # Errors
    /// The first thing that is wrong with its bytes. Behind that nothing tells where the next one begins.
    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let byte = from.byte()?;
        Ok(match byte {
            opcode::UNREACHABLE => Self::Unreachable,
            opcode::BLOCK => Self::Block,
            opcode::LOOP => Self::Loop,
            opcode::IF => Self::If { condition: register(from)? },
            opcode::ELSE => Self::Else,
            opcode::END => Self::End,
            opcode::BR => Self::Br { depth: from.u32()? },
            opcode::BR_IF => Self::BrIf { condition: register(from)?, depth: from.u32()? },
            opcode::BR_TABLE => {
                let index = register(from)?;
                let count = from.count("targets of a branch", limits::BRANCH_TARGETS)?;
                let depths = (0..count).map(|_| from.u32()).collect::<Result<_, _>>()?;
                Self::BrTable { index, depths, default: from.u32()? }
            }
            opcode::RETURN => Self::Return { values: list(from, "results", limits::RESULTS)? },
            opcode::CALL => Self::Call { function: from.u32()?, args: args(from)?, results: results(from)? },
            opcode::CALL_IMPORT => {
                Self::CallImport { import: from.u32()?, args: args(from)?, results: results(from)? }
            }
            opcode::CALL_INDIRECT => Self::CallIndirect {
                signature: from.u32()?,
                slot: register(from)?,
                args: args(from)?,
                results: results(from)?,
            },
            opcode::SELECT => Self::Select {
                result: register(from)?,
                condition: register(from)?,
                if_true: register(from)?,
                if_false: register(from)?,
            },
            opcode::MOVE => Self::Move { result: register(from)?, value: register(from)? },
            opcode::I32_CONST => Self::I32Const { result: register(from)?, value: from.i32()? },
            opcode::I64_CONST => Self::I64Const { result: register(from)?, value: from.i64()? },
            opcode::F32_CONST => {
                Self::F32Const { result: register(from)?, bits: u32::from_le_bytes(from.array()?) }
            }
            opcode::F64_CONST => {
                Self::F64Const { result: register(from)?, bits: u64::from_le_bytes(from.array()?) }
            }
            opcode::GLOBAL_GET => Self::GlobalGet { result: register(from)?, global: from.u32()? },
            opcode::GLOBAL_SET => Self::GlobalSet { global: from.u32()?, value: register(from)? },
            opcode::MEMORY_SIZE => Self::MemorySize { result: register(from)? },
            opcode::MEMORY_GROW => Self::MemoryGrow { result: register(from)?, pages: register(from)? },
            opcode::MEMORY_COPY => {
                Self::MemoryCopy { to: register(from)?, from: register(from)?, length: register(from)? }
            }
            opcode::MEMORY_FILL => {
                Self::MemoryFill { to: register(from)?, byte: register(from)?, length: register(from)? }
            }
            _ => return Self::decode_numeric(byte, from),
        })
    }

    fn decode_numeric(byte: u8, from: &mut Reader<'_>) -> Result<Self, Fault> {
        if let Some(op) = BinaryOp::from_byte(byte) {
            Ok(Self::Binary { op, result: register(from)?, left: register(from)?, right: register(from)? })
        } else if let Some(op) = UnaryOp::from_byte(byte) {
            Ok(Self::Unary { op, result: register(from)?, value: register(from)? })
        } else if let Some(op) = LoadOp::from_byte(byte) {
            Ok(Self::Load { op, result: register(from)?, address: register(from)?, offset: from.u64()? })
        } else if let Some(op) = StoreOp::from_byte(byte) {
            Ok(Self::Store { op, address: register(from)?, offset: from.u64()?, value: register(from)? })
        } else {
            Err(Fault::UnknownOpcode(byte))
        }
    }
}

fn register(from: &mut Reader<'_>) -> Result<Register, Fault> {
    u16::try_from(from.u32()?).map(Register).map_err(|_| Fault::IntegerTooLarge)
}

fn list(from: &mut Reader<'_>, what: &'static str, max: usize) -> Result<Box<[Register]>, Fault> {
    let count = from.count(what, max)?;
    (0..count).map(|_| register(from)).collect()
}

fn args(from: &mut Reader<'_>) -> Result<Box<[Register]>, Fault> {
    list(from, "arguments", limits::PARAMETERS)
}

fn results(from: &mut Reader<'_>) -> Result<Box<[Register]>, Fault> {
    list(from, "results", limits::RESULTS)
}
