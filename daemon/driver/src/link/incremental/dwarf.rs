//! DWARF version 5, in pieces that can be joined: sections 6.2 (line tables) and 7.5 (entries) of the
//! standard.
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use gimli::constants as dw;
use vitte_compiler::codegen::fragment::FragmentDebug;

/// Where in a sequence of the line table its address is: after `DW_LNE_set_address`.
pub(super) const LINE_ADDRESS: usize = 3;
/// Smallest step of the line in a special opcode, and how many there are: the usual choice, which
/// suits code that mostly goes on by a line or two.
const LINE_BASE: i64 = -5;
const LINE_RANGE: u64 = 14;
/// A sequence's size is a multiple of this.
const SEQUENCE_STEP: usize = 8;
/// The first special opcode.
const OPCODE_BASE: u8 = 13;

/// What entries look like; numbered 1 to 3.
pub(super) const ABBREVIATIONS: &[u8] = &[
    UNIT, 0x11, 1, // DW_TAG_compile_unit with children
    0x25, 0x08, // DW_AT_producer, DW_FORM_string
    0x13, 0x05, // DW_AT_language, DW_FORM_data2
    0x03, 0x08, // DW_AT_name, DW_FORM_string
    0x1b, 0x08, // DW_AT_comp_dir, DW_FORM_string
    0x11, 0x01, // DW_AT_low_pc, DW_FORM_addr
    0x12, 0x07, // DW_AT_high_pc, DW_FORM_data8
    0x10, 0x17, // DW_AT_stmt_list, DW_FORM_sec_offset
    0, 0, //
    DECLARED, 0x2e, 0, // DW_TAG_subprogram without children
    0x03, 0x08, // DW_AT_name, DW_FORM_string
    0x11, 0x01, // DW_AT_low_pc, DW_FORM_addr
    0x12, 0x06, // DW_AT_high_pc, DW_FORM_data4
    0x3a, 0x0f, // DW_AT_decl_file, DW_FORM_udata
    0x3b, 0x0f, // DW_AT_decl_line, DW_FORM_udata
    0, 0, //
    UNDECLARED, 0x2e, 0, // DW_TAG_subprogram without children
    0x03, 0x08, // DW_AT_name, DW_FORM_string
    0x11, 0x01, // DW_AT_low_pc, DW_FORM_addr
    0x12, 0x06, // DW_AT_high_pc, DW_FORM_data4
    0, 0, //
    0,
];
const UNIT: u8 = 1;
const DECLARED: u8 = 2;
const UNDECLARED: u8 = 3;

/// The source files of a program with their numbers: the entry is 0, the others follow in order.
#[derive(Debug, Default)]
pub(super) struct Files {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u64>,
    /// The beginning of the line table, which names them all.
    header: Vec<u8>,
}

impl Files {
    /// The entry's name.
    pub(super) fn entry(&self) -> &str {
        self.names.first().map_or("", |name| name)
    }

    /// Takes in the files of a program; whether any number changed.
    pub(super) fn update<'a>(&mut self, entry: &str, all: impl Iterator<Item = &'a Arc<str>>) -> bool {
        let mut seen = HashSet::new();
        // The same text is mostly the same allocation.
        let distinct: BTreeSet<&Arc<str>> =
            all.filter(|name| seen.insert(name.as_ptr()) && ***name != *entry).collect();
        let names: Vec<Arc<str>> =
            std::iter::once(Arc::from(entry)).chain(distinct.into_iter().cloned()).collect();
        let changed = names != self.names;
        self.numbers = names.iter().zip(0..).map(|(name, number)| (Arc::clone(name), number)).collect();
        self.names = names;
        self.header = self.make_header();
        changed
    }

    fn number(&self, name: &Arc<str>) -> u64 {
        self.numbers.get(name).copied().unwrap_or(0)
    }

    /// The beginning of the line table; its length is for the caller to fill in.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    fn make_header(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        out.extend_from_slice(&5_u16.to_le_bytes());
        // Bytes of an address and of a segment selector; then the header's length.
        out.extend_from_slice(&[8, 0, 0, 0, 0, 0]);
        let start = out.len();
        // Instructions are one byte at least, one operation each; rows are statements by default.
        out.extend_from_slice(&[1, 1, 1, LINE_BASE as u8, LINE_RANGE as u8, OPCODE_BASE]);
        // How many operands the standard opcodes 1 to 12 have.
        out.extend_from_slice(&[0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
        let (path, directory) = (dw::DW_LNCT_path.0 as u8, dw::DW_LNCT_directory_index.0 as u8);
        let (string, udata) = (dw::DW_FORM_string.0 as u8, dw::DW_FORM_udata.0 as u8);
        out.extend_from_slice(&[1, path, string, 1]);
        string_to(&mut out, ".");
        out.extend_from_slice(&[2, path, string, directory, udata]);
        uleb(&mut out, self.names.len() as u64);
        for name in &self.names {
            string_to(&mut out, name);
            out.push(0);
        }
        let length = (out.len() - start) as u32;
        out[start - 4..start].copy_from_slice(&length.to_le_bytes());
        out
    }
}

/// A function's sequence of the line table; its address is for the caller to fill in.
pub(super) fn line_sequence(debug: &FragmentDebug, size: u64, files: &Files) -> Vec<u8> {
    let mut out = vec![0, 9, dw::DW_LNE_set_address.0];
    out.extend_from_slice(&[0; 8]);
    // The registers of section 6.2.2 as a sequence begins.
    let (mut address, mut file, mut line, mut column, mut is_statement) = (0, 1, 1_i64, 0, true);
    for (index, (offset, at)) in debug.rows.iter().enumerate() {
        let (new_file, new_line, new_column) = match at {
            Some(at) => (files.number(&at.file), i64::from(at.line), u64::from(at.column)),
            None => (file, 0, 0),
        };
        if new_file != file {
            out.push(dw::DW_LNS_set_file.0);
            uleb(&mut out, new_file);
            file = new_file;
        }
        if new_column != column {
            out.push(dw::DW_LNS_set_column.0);
            uleb(&mut out, new_column);
            column = new_column;
        }
        if (new_line != 0) != is_statement {
            out.push(dw::DW_LNS_negate_stmt.0);
            is_statement = !is_statement;
        }
        if index == 1 {
            out.push(dw::DW_LNS_set_prologue_end.0);
        }
        row(&mut out, u64::from(*offset) - address, new_line - line);
        (address, line) = (u64::from(*offset), new_line);
    }
    out.push(dw::DW_LNS_advance_pc.0);
    uleb(&mut out, size - address);
    // Sequences have few sizes, so that an edit seldom moves what follows: the number may be longer than it
    // must be (section 7.6).
    let end = [0, 1, dw::DW_LNE_end_sequence.0];
    let padding = (out.len() + end.len()).next_multiple_of(SEQUENCE_STEP) - end.len() - out.len();
    if padding > 0
        && let Some(last) = out.last_mut()
    {
        *last |= 0x80;
        out.extend(std::iter::repeat_n(0x80, padding - 1));
        out.push(0);
    }
    out.extend_from_slice(&end);
    out
}

/// Appends a row, further on by `address` and `line`.
fn row(out: &mut Vec<u8>, address: u64, line: i64) {
    let special = |address: u64, line: i64| {
        let step = u64::try_from(line - LINE_BASE).ok().filter(|step| *step < LINE_RANGE)?;
        u8::try_from(address.checked_mul(LINE_RANGE)? + step + u64::from(OPCODE_BASE)).ok()
    };
    if let Some(opcode) = special(address, line) {
        out.push(opcode);
        return;
    }
    if address != 0 {
        out.push(dw::DW_LNS_advance_pc.0);
        uleb(out, address);
    }
    match special(0, line) {
        Some(opcode) => out.push(opcode),
        None => {
            out.push(dw::DW_LNS_advance_line.0);
            sleb(out, line);
            out.push(dw::DW_LNS_copy.0);
        }
    }
}

/// A function's entry.
#[derive(Debug)]
pub(super) struct Die {
    pub(super) bytes: Vec<u8>,
    /// Where in `bytes` its address belongs.
    pub(super) address_at: usize,
}

/// The entry of a function of `size` bytes; its address is for the caller to fill in.
pub(super) fn subprogram(debug: &FragmentDebug, size: u64, files: &Files) -> Die {
    let mut bytes = vec![if debug.declared.is_some() { DECLARED } else { UNDECLARED }];
    string_to(&mut bytes, &debug.name);
    let address_at = bytes.len();
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&(size as u32).to_le_bytes());
    if let Some(at) = &debug.declared {
        uleb(&mut bytes, files.number(&at.file));
        uleb(&mut bytes, u64::from(at.line));
    }
    Die { bytes, address_at }
}

/// The compilation unit: its header and first entry.
#[derive(Debug, Default)]
pub(super) struct UnitHeader {
    pub(super) bytes: Vec<u8>,
    address_at: usize,
}

/// The unit of the program that begins with the file `entry`.
pub(super) fn unit_header(entry: &str) -> UnitHeader {
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&5_u16.to_le_bytes());
    // Its type, bytes of an address, and where its abbreviations are.
    bytes.extend_from_slice(&[dw::DW_UT_compile.0, 8, 0, 0, 0, 0, UNIT]);
    string_to(&mut bytes, &format!("vitte {}", env!("CARGO_PKG_VERSION")));
    // No language of ours is registered; debuggers handle scalars and names as they do C's.
    bytes.extend_from_slice(&dw::DW_LANG_C11.0.to_le_bytes());
    string_to(&mut bytes, entry);
    string_to(&mut bytes, ".");
    let address_at = bytes.len();
    // Address, length, and where its line table is.
    bytes.extend_from_slice(&[0; 8 + 8 + 4]);
    UnitHeader { bytes, address_at }
}

impl UnitHeader {
    /// Fills in what only the finished section tells: `section` begins with this header.
    pub(super) fn finish(&self, section: &mut [u8], address: u64, text: u64, size: u64) {
        section[..4].copy_from_slice(&(size as u32 - 4).to_le_bytes());
        section[self.address_at..self.address_at + 8].copy_from_slice(&address.to_le_bytes());
        section[self.address_at + 8..self.address_at + 16].copy_from_slice(&text.to_le_bytes());
    }
}

/// Text up to a NUL; one inside it cannot be written.
fn string_to(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().map(|byte| if byte == 0 { b'?' } else { byte }));
    out.push(0);
}

/// Section 7.6, unsigned.
fn uleb(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Section 7.6, signed.
fn sleb(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        if value == 0 && byte & 0x40 == 0 || value == -1 && byte & 0x40 != 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
