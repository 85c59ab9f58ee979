//! Hard caps. A file above one is refused before memory is taken for it, and whatever is within all of them is
//! within what WebAssembly engines accept, so that lowering never fails for size.

/// Bytes of a file.
pub const MODULE_BYTES: usize = 64 << 20;
/// Bytes of the section of types: lists of short names take much more in memory than in a file.
pub const TYPES_BYTES: usize = 4 << 20;
/// Signatures, interface types and interface function types, each.
pub const TYPES: usize = 100_000;
/// Imported functions.
pub const IMPORTS: usize = 100_000;
/// Exports.
pub const EXPORTS: usize = 100_000;
/// Functions with a body.
pub const FUNCTIONS: usize = 500_000;
/// Parameters of a function.
pub const PARAMETERS: usize = 1_000;
/// Results of a function.
pub const RESULTS: usize = 1_000;
/// Registers of a function, parameters included.
pub const REGISTERS: usize = 50_000;
/// Registers of all functions together: a few bytes declare 50,000, and readers keep something for each.
pub const TOTAL_REGISTERS: usize = 1 << 24;
/// Bytes of a function's code. Lowering makes less than seven bytes of one.
pub const BODY_BYTES: usize = 1 << 20;
/// Blocks open at once.
pub const NESTING: usize = 10_000;
/// Targets of a branch table, without the default.
pub const BRANCH_TARGETS: usize = 65_000;
/// Globals.
pub const GLOBALS: usize = 10_000;
/// Slots of the table of functions.
pub const TABLE: usize = 1_000_000;
/// Data segments.
pub const SEGMENTS: usize = 50_000;
/// Fields, cases or flags of an interface type.
pub const MEMBERS: usize = 1_000;
/// Flags of a flags type, as in the component model.
pub const FLAGS: usize = 32;
/// Bytes in memory of a value of an interface type.
pub const TYPE_BYTES: u64 = 1 << 28;
/// Bytes of a name.
pub const NAME_BYTES: usize = 1_000;
/// Fields of the state schema.
pub const STATE_FIELDS: usize = 10_000;
/// Source files in the line table.
pub const FILES: usize = 100_000;
/// Custom and unknown sections, each.
pub const CUSTOM_SECTIONS: usize = 1_000;
/// Bytes of a page of memory.
pub const PAGE_BYTES: u64 = 65_536;
/// Pages of a memory with 32-bit addresses.
pub const PAGES_32: u64 = 65_536;
/// Pages of a memory with 64-bit addresses: 2^48 bytes in all.
pub const PAGES_64: u64 = 1 << 32;
/// Problems that one report lists.
pub const PROBLEMS: usize = 100;
/// Parameters that the canonical ABI passes in registers; beyond, they go through memory.
pub const FLAT_PARAMETERS: usize = 16;
/// Results that the canonical ABI passes in registers.
pub const FLAT_RESULTS: usize = 1;
