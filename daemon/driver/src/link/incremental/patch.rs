//! The last executable with a few functions replaced in place.
//!
//! Most edits leave every function where it was: the new code ends before the next function begins, and what is
//! said of it elsewhere has the same size. Then the bytes of all others are what a whole link would give.
use super::dwarf;
use super::elf::{self, Layout};
use super::packed::{Packed, Row, Start, Target};
use super::{Data, Reached, aligned, fill_references};

/// Where everything is in the executable that was linked last.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) layout: Layout,
    /// Of each function, in the text section.
    pub(super) offsets: Vec<u64>,
    /// Bytes before the functions' own in the frames, the line table and the entries for debuggers.
    pub(super) common_frame: usize,
    pub(super) line_header: usize,
    pub(super) unit_header: usize,
    pub(super) strip: bool,
}

impl Last {
    /// Whether the functions of `changed` fit where the old ones were. `packed` holds the new ones, which
    /// differ from the old in the size of their code alone.
    pub(super) fn fits(&self, packed: &Packed, changed: &[usize]) -> bool {
        changed.iter().all(|&number| {
            let (row, offset) = (packed.rows.get(number), self.offsets.get(number));
            let (next, next_offset) = (packed.rows.get(number + 1), self.offsets.get(number + 1));
            let (Some(row), Some(offset)) = (row, offset) else { return false };
            let end = offset + u64::from(row.code);
            match (next, next_offset) {
                (Some(next), Some(next_offset)) => aligned(end, next.alignment) == *next_offset,
                // The section ends with it.
                _ => end == self.layout.text.size,
            }
        })
    }

    /// Puts the functions of `changed`, in order, into `image`, which is the last executable. Takes time in
    /// proportion to them, and very little for every function.
    pub(super) fn patch(&self, image: &mut [u8], packed: &Packed, data: &Data, changed: &[usize]) {
        let mut changed = changed.iter().copied().peekable();
        let mut start = Start::default();
        let mut symbol = 1;
        for (number, row) in packed.rows.iter().enumerate() {
            if changed.peek().is_none() {
                break;
            }
            if changed.next_if_eq(&number).is_some() {
                // The one that others may see stands after all of those that they may not.
                let symbol = if row.is_main { packed.rows.len() as u64 } else { symbol };
                self.replace(image, packed, data, (number, row), &start, symbol);
            }
            symbol += u64::from(!row.is_main);
            start.pass(row);
        }
    }

    fn replace(
        &self,
        image: &mut [u8],
        packed: &Packed,
        data: &Data,
        (number, row): (usize, &Row),
        start: &Start,
        symbol: u64,
    ) {
        let layout = &self.layout;
        let Some(&offset) = self.offsets.get(number) else { return };
        let address = layout.text.address + offset;
        let end = self.offsets.get(number + 1).copied().unwrap_or(layout.text.size);
        let slot = (layout.text.offset + offset) as usize..(layout.text.offset + end) as usize;
        let own = packed.code.get(start.code..start.code + row.code as usize).unwrap_or_default();
        if let Some((code, padding)) =
            image.get_mut(slot).and_then(|slot| slot.split_at_mut_checked(own.len()))
        {
            code.copy_from_slice(own);
            padding.fill(super::PADDING);
            let (before, references) = packed.references.split_at(start.references);
            let before = before.iter().filter(|reference| matches!(reference.target, Target::Data)).count();
            let mut places = data.places.get(before..).unwrap_or_default().iter();
            let own = references.get(..row.references as usize).unwrap_or_default();
            fill_references(code, address, own, &mut places, layout, Reached::Directly(&self.offsets));
        }
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(place) = image.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        if let Some(size) = row.frame {
            let at = self.common_frame + start.frame + start.frames * elf::FRAME_HEADER as usize;
            let at = layout.frames.offset as usize + at;
            put(at + elf::FRAME_RANGE, &row.code.to_le_bytes());
            let own = packed.frames.get(start.frame..start.frame + size as usize).unwrap_or_default();
            put(at + elf::FRAME_HEADER as usize, own);
        }
        if let Some(debug) = &layout.debug {
            let at = debug.line.offset as usize + self.line_header + start.line;
            if let Some(own) = packed.lines.get(start.line..start.line + row.line as usize)
                && row.line > 0
            {
                put(at, own);
                put(at + dwarf::LINE_ADDRESS, &address.to_le_bytes());
            }
            let at = debug.info.offset as usize + self.unit_header + start.die;
            if let Some(own) = packed.dies.get(start.die..start.die + row.die as usize)
                && row.die > 0
            {
                put(at, own);
                put(at + row.die_address as usize, &address.to_le_bytes());
            }
        }
        if let Some(at) = elf::symbol_size_at(layout, symbol) {
            put(at as usize, &u64::from(row.code).to_le_bytes());
        }
    }
}
