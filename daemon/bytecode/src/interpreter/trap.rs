//! Why and where a call ended early.
use std::fmt;

use crate::module::{LineEntry, Module};

/// Why a call ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrapKind {
    /// `unreachable` was reached.
    #[error("unreachable code was reached")]
    Unreachable,
    /// An integer was divided by zero.
    #[error("integer divided by zero")]
    DivisionByZero,
    /// A quotient or a converted float does not fit.
    #[error("integer overflow")]
    IntegerOverflow,
    /// A NaN was converted to an integer.
    #[error("not a number cannot become an integer")]
    InvalidConversion,
    /// An access outside of the memory.
    #[error("out of bounds memory access")]
    MemoryOutOfBounds,
    /// A call of a slot beyond the table.
    #[error("indirect call of a slot that does not exist")]
    UndefinedSlot,
    /// A call of a slot with nothing in it.
    #[error("indirect call of an empty slot")]
    EmptySlot,
    /// A call of a slot whose function has another signature.
    #[error("indirect call of a function with another signature")]
    SignatureMismatch,
    /// Calls are nested too deeply.
    #[error("stack overflow")]
    StackOverflow,
    /// The fuel is used up.
    #[error("out of fuel")]
    OutOfFuel,
    /// Someone asked for the end through an [`super::Interrupter`].
    #[error("interrupted")]
    Interrupted,
    /// An imported function failed.
    #[error("{0}")]
    Host(String),
    /// An imported function ended the program with this status.
    #[error("exit with status {0}")]
    Exit(i32),
}

/// A call that was active when a trap happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Number of the function.
    pub function: u32,
    /// Its name; may be empty.
    pub name: String,
    /// Offset in its code of the instruction that trapped or called.
    pub offset: u32,
    /// Where that comes from, as path, line and column.
    pub place: Option<(String, u32, u32)>,
}

impl Frame {
    pub(super) fn new(module: &Module, function: u32, offset: u32) -> Self {
        let name = module.functions.get(function as usize).map(|function| function.name.clone());
        let entry = module.lines.find(function, offset);
        let place = entry.and_then(|LineEntry { offset: _, file, line, column }| {
            module.lines.files.get(file as usize).map(|file| (file.clone(), line, column))
        });
        Self { function, name: name.unwrap_or_default(), offset, place }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "function {}", self.function)?;
        } else {
            write!(f, "{}", self.name)?;
        }
        match &self.place {
            Some((file, line, 0)) => write!(f, " at {file}:{line}"),
            Some((file, line, column)) => write!(f, " at {file}:{line}:{column}"),
            None => write!(f, " at offset 0x{:x}", self.offset),
        }
    }
}

/// Frames that a trap keeps.
pub(super) const FRAMES_MAX: usize = 64;

/// Why and where a call ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Why.
    pub kind: TrapKind,
    /// Where, the innermost call first; the outermost ones of a deep stack are left out.
    pub frames: Vec<Frame>,
    /// How many were left out.
    pub frames_left_out: usize,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(frame) = self.frames.first() {
            write!(f, " in {frame}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Trap {}
