//! What may be wrong with a file.
use std::fmt;

use crate::instruction::Register;
use crate::limits;
use crate::value::{Signature, ValueType};

/// One thing that is wrong, without its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Fault {
    #[error("this is not Vitte bytecode: it does not begin with `\\0vbc`")]
    NotBytecode,
    #[error("the file needs a reader of format version {needed}, and this one knows version {known}")]
    TooNew { needed: u16, known: u16 },
    #[error("format version {version} with minimum reader {minimum} makes no sense")]
    Versions { version: u16, minimum: u16 },
    #[error("it ends too early")]
    Truncated,
    #[error("{count} {what} are more than the {max} that are allowed")]
    Limit { what: &'static str, count: u64, max: u64 },
    #[error("a number is not written in the shortest way")]
    Overlong,
    #[error("a number is too large for its place")]
    IntegerTooLarge,
    #[error("a name is not UTF-8")]
    NotUtf8,
    #[error("`{name}` is no {what}")]
    Name { what: &'static str, name: String },
    #[error("names that begin with `vitbc.` belong to the format")]
    ReservedName,
    #[error("section {0} is unknown")]
    UnknownSection(u8),
    #[error("section {0} stands behind a later one, or a second time")]
    SectionOrder(u8),
    #[error("section {0} is empty, and an empty section is left out")]
    EmptySection(u8),
    #[error("{0} bytes follow the end of the section's content")]
    TrailingBytes(usize),
    #[error("{number} is no {what}")]
    Tag { what: &'static str, number: u8 },
    #[error("{0} are not in ascending order")]
    Unsorted(&'static str),
    #[error("{0} stands there twice")]
    Duplicate(&'static str),
    #[error("neighbouring runs of registers have one type, or one of them is empty")]
    SplitRun,
    #[error("there are {functions} functions and {bodies} bodies")]
    BodyCount { functions: usize, bodies: usize },
    #[error("{what} {index} does not exist; there are {count}")]
    Missing { what: &'static str, index: u64, count: u64 },
    #[error("opcode 0x{0:02x} is unknown")]
    UnknownOpcode(u8),
    #[error("{register} does not exist; the function has {count} registers")]
    MissingRegister { register: Register, count: usize },
    #[error("{register} has type {found}, and {expected} is needed")]
    RegisterType { register: Register, expected: ValueType, found: ValueType },
    #[error("{found} {what} are given, and {expected} are needed")]
    Arity { what: &'static str, expected: usize, found: usize },
    #[error("{0} appears twice among the results")]
    ResultTwice(Register),
    #[error("a branch leaves {depth} blocks, and {open} are open")]
    BranchDepth { depth: u32, open: usize },
    #[error("there is no open block to end")]
    EndWithoutBlock,
    #[error("`else` stands outside of an `if`, or a second time")]
    ElseWithoutIf,
    #[error("{0} blocks are open at the end of the function")]
    OpenBlocks(usize),
    #[error("the function does not end in `return`, `br`, `br_table` or `unreachable`")]
    NoTerminator,
    #[error("the module has no memory")]
    NoMemory,
    #[error("offset {0} is larger than a 32-bit address")]
    OffsetTooLarge(u64),
    #[error("global {0} is constant")]
    ConstantGlobal(u32),
    #[error("the memory's maximum of {max} pages is below its {min} pages")]
    MemorySizes { min: u64, max: u64 },
    #[error("bytes {start} to {end} are outside of the {size} bytes of memory at the start")]
    OutsideMemory { start: u64, end: u64, size: u64 },
    #[error("{0} is empty")]
    Empty(&'static str),
    #[error("it overlaps the one before it")]
    Overlap,
    #[error("{0}")]
    Abi(Box<AbiMismatch>),
    #[error("`{name}` passes values through memory and needs the module to export {needed}")]
    AbiNeeds { name: String, needed: &'static str },
    #[error("state at {address} is not aligned to {align} bytes")]
    Misaligned { address: u64, align: u64 },
    #[error("line table: function {function} has no instruction at offset {offset}")]
    LineOffset { function: u32, offset: u64 },
}

/// A function whose signature is not what its interface type needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbiMismatch {
    /// What it is called outside.
    pub name: String,
    /// Its interface type, as WIT.
    pub interface: String,
    /// The signature that this type needs.
    pub expected: Signature,
    /// Its signature.
    pub found: Signature,
}

impl fmt::Display for AbiMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, interface, expected, found } = self;
        write!(
            f,
            "`{name}` is {interface}, which needs the signature {expected}, but its signature is {found}"
        )
    }
}

impl Fault {
    /// A short name of the kind, for tools.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotBytecode => "vitbc::not_bytecode",
            Self::TooNew { .. } => "vitbc::too_new",
            Self::Versions { .. } => "vitbc::versions",
            Self::Truncated => "vitbc::truncated",
            Self::Limit { .. } => "vitbc::limit",
            Self::Overlong => "vitbc::overlong",
            Self::IntegerTooLarge => "vitbc::integer",
            Self::NotUtf8 => "vitbc::utf8",
            Self::Name { .. } => "vitbc::name",
            Self::ReservedName => "vitbc::reserved_name",
            Self::UnknownSection(_) => "vitbc::unknown_section",
            Self::SectionOrder(_) => "vitbc::section_order",
            Self::EmptySection(_) => "vitbc::empty_section",
            Self::TrailingBytes(_) => "vitbc::trailing_bytes",
            Self::Tag { .. } => "vitbc::tag",
            Self::Unsorted(_) => "vitbc::unsorted",
            Self::Duplicate(_) => "vitbc::duplicate",
            Self::SplitRun => "vitbc::split_run",
            Self::BodyCount { .. } => "vitbc::body_count",
            Self::Missing { .. } => "vitbc::missing",
            Self::UnknownOpcode(_) => "vitbc::opcode",
            Self::MissingRegister { .. } => "vitbc::register",
            Self::RegisterType { .. } => "vitbc::register_type",
            Self::Arity { .. } => "vitbc::arity",
            Self::ResultTwice(_) => "vitbc::result_twice",
            Self::BranchDepth { .. } => "vitbc::branch_depth",
            Self::EndWithoutBlock => "vitbc::end",
            Self::ElseWithoutIf => "vitbc::else",
            Self::OpenBlocks(_) => "vitbc::open_blocks",
            Self::NoTerminator => "vitbc::no_terminator",
            Self::NoMemory => "vitbc::no_memory",
            Self::OffsetTooLarge(_) => "vitbc::offset",
            Self::ConstantGlobal(_) => "vitbc::constant_global",
            Self::MemorySizes { .. } => "vitbc::memory_sizes",
            Self::OutsideMemory { .. } => "vitbc::outside_memory",
            Self::Empty(_) => "vitbc::empty",
            Self::Overlap => "vitbc::overlap",
            Self::Abi(_) => "vitbc::abi",
            Self::AbiNeeds { .. } => "vitbc::abi_needs",
            Self::Misaligned { .. } => "vitbc::misaligned",
            Self::LineOffset { .. } => "vitbc::line_offset",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotBytecode => "name a file that `vitte build --emit vbc` has made",
            Self::TooNew { .. } => "update this tool, or build the module for an older format",
            Self::Truncated => "the file may be incomplete: copy or build it again",
            Self::Limit { .. } => "split the module",
            Self::Abi(_) | Self::AbiNeeds { .. } => "build the module again with one version of the compiler",
            Self::Versions { .. }
            | Self::Overlong
            | Self::IntegerTooLarge
            | Self::NotUtf8
            | Self::Name { .. }
            | Self::ReservedName
            | Self::UnknownSection(_)
            | Self::SectionOrder(_)
            | Self::EmptySection(_)
            | Self::TrailingBytes(_)
            | Self::Tag { .. }
            | Self::Unsorted(_)
            | Self::Duplicate(_)
            | Self::SplitRun
            | Self::BodyCount { .. }
            | Self::Missing { .. }
            | Self::UnknownOpcode(_)
            | Self::MissingRegister { .. }
            | Self::RegisterType { .. }
            | Self::Arity { .. }
            | Self::ResultTwice(_)
            | Self::BranchDepth { .. }
            | Self::EndWithoutBlock
            | Self::ElseWithoutIf
            | Self::OpenBlocks(_)
            | Self::NoTerminator
            | Self::NoMemory
            | Self::OffsetTooLarge(_)
            | Self::ConstantGlobal(_)
            | Self::MemorySizes { .. }
            | Self::OutsideMemory { .. }
            | Self::Empty(_)
            | Self::Overlap
            | Self::Misaligned { .. }
            | Self::LineOffset { .. } => "the file is damaged or what made it is wrong: build it again",
        }
    }
}

/// A [`Fault`] and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Offset in the file, in bytes.
    pub offset: usize,
    /// The function whose code it is in, by its number.
    pub function: Option<u32>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at 0x{:x}", self.offset)?;
        if let Some(function) = self.function {
            write!(f, " in function {function}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// All that is wrong with a file, in the order of the file as far as each check sees it; at most
/// [`limits::PROBLEMS`] problems, and at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Problems that were found but not kept.
    pub more: usize,
}

impl Report {
    pub(crate) fn add(&mut self, offset: usize, function: Option<u32>, fault: Fault) {
        if self.problems.len() < limits::PROBLEMS {
            self.problems.push(Problem { offset, function, fault });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= limits::PROBLEMS
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if at > 0 { "\n" } else { "" })?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
