//! The linker for programs of one's own: lays fragments out as an executable, in this process.
//!
//! The compiler's own code needs little of a linker: its functions refer to each other, to data that it
//! describes itself, and to names of the C library. So they are copied one after the other and their
//! references filled in, which takes less time than writing the file. What was prepared for a
//! fragment (its line table, its entry for debuggers) is kept, and all of it packed in arrays, so that an
//! edit replaces a few rows. If they fit where the old ones were, so does the last executable; else all
//! places are computed anew. The bytes depend on the program alone and never on what was linked before.
//!
//! Programs that need more (libraries, objects of others, flags) go through the linkers for object files.
mod dwarf; // line tables and entries for debuggers
mod elf; // the executable around the code
pub(crate) mod hot; // programs whose procedures are replaced while they run
mod packed; // what is kept of all fragments, in arrays
mod patch; // the last executable with a few functions replaced
mod prepared; // what is kept for each fragment

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use vitte_compiler::base::{Name, OptLevel};
use vitte_compiler::codegen::data::DataSection;
use vitte_compiler::codegen::fragment::{FragmentTarget, Fragments, common_frame};
use vitte_compiler::codegen::{CodegenError, Fragment};
use vitte_compiler::types::intrinsic::STATE_BYTES;

use self::dwarf::Files;
use self::elf::{Imports, Layout, Sizes};
use self::packed::{Packed, Reference, Target};
use self::patch::Last;
use self::prepared::Prepared;
use super::startup;
use super::{symbols, system_calls};

/// Between functions: it traps.
const PADDING: u8 = 0xcc;

/// What to make of the fragments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageOptions<'a> {
    /// The entry file, which names the compilation unit.
    pub(crate) entry: &'a str,
    /// Leave out symbols and debug information.
    pub(crate) strip: bool,
    /// Level of the code, which decides how its frames begin.
    pub(crate) level: OptLevel,
}

/// What is kept between links of one program.
#[derive(Debug, Default)]
pub(crate) struct IncrementalLinker {
    /// In the order of the fragments.
    prepared: Vec<Prepared>,
    files: Files,
    data: Data,
    /// `None` after a change that concerns all of it.
    packed: Option<(Imports, Packed)>,
    /// The executable that was linked last.
    last: Option<Last>,
}

/// The data section with the places of what the fragments refer to.
#[derive(Debug, Default)]
struct Data {
    section: DataSection,
    /// For each reference to data, in order: where.
    places: Vec<u64>,
}

/// Why a program needs another linker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) String);

impl IncrementalLinker {
    /// The executable of `fragments`. `changes` are the numbers of those that are not what they were at the
    /// last call; `None` when others have those numbers. `out` is overwritten; when it `is_last`, the bytes of the
    /// last call, they save work.
    ///
    /// # Errors
    /// [`Unfit`] when the program refers to names that the C library does not have, or holds code that
    /// is not position-independent.
    pub(crate) fn link(
        &mut self,
        fragments: &Fragments,
        changes: Option<&BTreeSet<u32>>,
        options: ImageOptions<'_>,
        out: &mut Vec<u8>,
        is_last: bool,
    ) -> Result<(), Unfit> {
        let last = self.last.take().filter(|last| is_last && last.strip == options.strip);
        let replaced = self.prepare(fragments, changes, options)?;
        let Some((imports, packed)) = &self.packed else {
            return Err(Unfit("nothing is packed".into()));
        };
        self.last = match (last, replaced) {
            (Some(last), Some(replaced)) if last.fits(packed, &replaced) => {
                last.patch(out, packed, &self.data, &replaced);
                debug_assert!(
                    {
                        let mut whole = Vec::new();
                        let parts = Parts { files: &self.files, data: &self.data, imports, packed };
                        parts.lay_out(options, Start::ANYWHERE, &mut whole)?;
                        whole == *out
                    },
                    "replacing {replaced:?} is not what a whole link gives"
                );
                Some(last)
            }
            _ => {
                let parts = Parts { files: &self.files, data: &self.data, imports, packed };
                Some(parts.lay_out(options, Start::ANYWHERE, out)?)
            }
        };
        Ok(())
    }

    /// Brings what is kept up to date with the fragments. The numbers of those that were replaced, if nothing
    /// else is different and each has the shape of the old one: see [`Packed::update`].
    fn prepare(
        &mut self,
        fragments: &Fragments,
        changes: Option<&BTreeSet<u32>>,
        options: ImageOptions<'_>,
    ) -> Result<Option<Vec<usize>>, Unfit> {
        let Differences { same_members, same_files, same_data, same_externs, changed } = match changes {
            Some(numbers) if self.packed.is_some() && self.prepared.len() == fragments.len() => {
                self.replace(fragments, numbers)
            }
            _ => self.merge(fragments),
        };
        if !same_members || !same_files || self.files.entry() != options.entry {
            let all = self.prepared.iter().flat_map(|prepared| &prepared.files);
            if self.files.update(options.entry, all) {
                self.packed = None;
                self.prepared.iter_mut().for_each(Prepared::forget_files);
            }
        }
        if self.packed.is_some() && same_members {
            for &number in &changed {
                self.prepared[number].encode(&self.files);
            }
        } else {
            self.prepared.iter_mut().for_each(|prepared| prepared.encode(&self.files));
        }
        if !same_members || !same_data {
            self.data = Data::new(&self.prepared);
        }
        match self.packed.take().filter(|_| same_members && same_externs) {
            Some((imports, mut packed)) => {
                let is_same_shape = packed.update(&changed, &self.prepared, fragments, &imports)?;
                self.packed = Some((imports, packed));
                Ok((is_same_shape && same_files && same_data).then_some(changed))
            }
            None => {
                let imports = imports(&self.prepared, &[], None)?;
                let packed = Packed::new(&self.prepared, fragments, &imports)?;
                self.packed = Some((imports, packed));
                Ok(None)
            }
        }
    }

    /// Takes in the fragments with these numbers; the others are what they were.
    fn replace(&mut self, fragments: &Fragments, numbers: &BTreeSet<u32>) -> Differences {
        let mut differences = Differences::default();
        for number in numbers.iter().map(|number| *number as usize) {
            if let (Some(known), Some((fragment, _))) = (self.prepared.get_mut(number), fragments.get(number))
            {
                *known = differences.replaced(number, known, fragment);
            }
        }
        differences
    }

    /// Takes in all fragments, whichever they are; both lists are in order of symbol.
    fn merge(&mut self, fragments: &Fragments) -> Differences {
        let mut differences = Differences::default();
        let mut old = std::mem::take(&mut self.prepared).into_iter().peekable();
        self.prepared.reserve(fragments.len());
        for (fragment, _) in fragments.iter() {
            let mut before = None;
            while let Some(known) = old.peek() {
                if Arc::ptr_eq(&known.fragment, fragment) || known.fragment.symbol == fragment.symbol {
                    before = old.next();
                    break;
                }
                if known.fragment.symbol > fragment.symbol {
                    break;
                }
                // It is gone.
                differences.same_members = false;
                old.next();
            }
            let number = self.prepared.len();
            self.prepared.push(match before {
                Some(known) if Arc::ptr_eq(&known.fragment, fragment) => known,
                Some(known) => differences.replaced(number, &known, fragment),
                None => {
                    differences.same_members = false;
                    Prepared::new(fragment)
                }
            });
        }
        differences.same_members &= old.next().is_none();
        differences
    }
}

/// What an executable is made of.
struct Parts<'a> {
    files: &'a Files,
    data: &'a Data,
    imports: &'a Imports,
    packed: &'a Packed,
}

/// Where a program is loaded, and how it begins.
#[derive(Clone, Copy, Debug)]
struct Start<'a> {
    /// 0 for a place of the system's choice.
    base: u64,
    /// Code that runs first. It leaves the stack pointer and `rdx` as they were.
    prologue: &'a [u8],
    /// Where functions are called by way of stubs: that of the first one.
    stubs: Option<u64>,
}

impl Start<'_> {
    /// As programs usually do.
    const ANYWHERE: Self = Self { base: 0, prologue: &[], stubs: None };
}

/// How functions are reached.
#[derive(Clone, Copy)]
enum Reached<'a> {
    /// At these offsets in the text section.
    Directly(&'a [u64]),
    /// By way of stubs of [`hot::STUB`] bytes, the first of which is here.
    ByStubs(u64),
}

impl Parts<'_> {
    /// Lays everything out in `out`.
    fn lay_out(&self, options: ImageOptions<'_>, start: Start<'_>, out: &mut Vec<u8>) -> Result<Last, Unfit> {
        let Self { imports, packed, .. } = *self;
        let frame = common_frame(options.level).map_err(|CodegenError::Internal(what)| Unfit(what))?;
        let with_debug = !options.strip && !packed.dies.is_empty();
        let line_header = if with_debug { self.files.header() } else { &[] };
        let unit = if with_debug { dwarf::unit_header(options.entry) } else { dwarf::UnitHeader::default() };
        let mut offsets = Vec::with_capacity(packed.rows.len());
        let mut text = imports.stub_bytes() + (start.prologue.len() + startup::CODE.len()) as u64;
        let mut frame_count = 0;
        for row in &packed.rows {
            text = aligned(text, row.alignment);
            offsets.push(text);
            text += u64::from(row.code);
            frame_count += u64::from(row.frame.is_some());
        }
        let sizes = Sizes {
            base: start.base,
            prologue: start.prologue.len() as u64,
            text,
            common_frame: frame.len() as u64,
            frames: packed.frames.len() as u64 + frame_count * elf::FRAME_HEADER,
            frame_count,
            data: self.data.section.bytes.len() as u64,
            bss: u64::from(STATE_BYTES),
            pointers: self.data.section.pointers.len() as u64,
            debug: with_debug.then(|| elf::DebugSizes {
                line: (line_header.len() + packed.lines.len()) as u64,
                info: (unit.bytes.len() + packed.dies.len()) as u64 + 1,
            }),
            symbols: (!options.strip).then_some(elf::SymbolSizes {
                functions: packed.rows.len() as u64,
                names: packed.names.len() as u64,
            }),
        };
        let layout = Layout::new(imports, &sizes);
        out.clear();
        out.reserve(layout.file_size as usize);
        elf::write_head(out, imports, &layout, &self.data.section);
        write_frames(out, packed, &offsets, &layout, &frame);
        write_text(out, self, &offsets, &layout, start)?;
        elf::write_writable(out, imports, &layout, &self.data.section);
        if with_debug {
            write_debug(out, packed, &offsets, &layout, line_header, &unit, text);
        }
        let functions = packed.rows.iter().zip(&offsets).map(|(row, &offset)| elf::FunctionSymbol {
            name: row.name,
            offset,
            size: u64::from(row.code),
            global: row.is_main,
        });
        elf::write_tail(out, &layout, functions, &packed.names);
        Ok(Last {
            common_frame: frame.len(),
            line_header: line_header.len(),
            unit_header: unit.bytes.len(),
            strip: options.strip,
            layout,
            offsets,
        })
    }
}

/// How the fragments differ from those of the last link.
struct Differences {
    /// There are the same functions.
    same_members: bool,
    /// They name the same source files.
    same_files: bool,
    /// They refer to the same data.
    same_data: bool,
    /// They call the same functions of C.
    same_externs: bool,
    /// The numbers of those that were there and are different, in order.
    changed: Vec<usize>,
}

impl Default for Differences {
    fn default() -> Self {
        Self {
            same_members: true,
            same_files: true,
            same_data: true,
            same_externs: true,
            changed: Vec::new(),
        }
    }
}

impl Differences {
    fn replaced(&mut self, number: usize, known: &Prepared, fragment: &Arc<Fragment>) -> Prepared {
        let new = Prepared::new(fragment);
        self.same_files &= new.files == known.files;
        self.same_data &= prepared::same_data(&known.fragment, fragment);
        self.same_externs &= new.externs == known.externs;
        self.changed.push(number);
        new
    }
}

/// The next multiple of a power of two.
fn aligned(value: u64, alignment: u32) -> u64 {
    let mask = u64::from(alignment) - 1;
    (value + mask) & !mask
}

fn write_frames(out: &mut Vec<u8>, packed: &Packed, offsets: &[u64], layout: &Layout, common: &[u8]) {
    let with_frames = || {
        let rows = packed.rows.iter().zip(offsets);
        rows.filter_map(|(row, offset)| row.frame.map(|size| (row, *offset, size as usize)))
    };
    // The sorted table for unwinders: functions stand in order already.
    elf::pad_to(out, layout.frame_table.offset);
    let mut table = elf::FrameTable::begin(out, layout);
    let mut at = layout.frames.address + common.len() as u64;
    for (_, offset, size) in with_frames() {
        table.entry(out, layout.text.address + offset, at);
        at += elf::FRAME_HEADER + size as u64;
    }
    elf::pad_to(out, layout.frames.offset);
    out.extend_from_slice(common);
    let mut at = common.len() as u64;
    let mut rest = packed.frames.as_slice();
    for (row, offset, size) in with_frames() {
        let Some((frame, after)) = rest.split_at_checked(size) else { break };
        rest = after;
        let length = elf::FRAME_HEADER + size as u64;
        let address = (layout.text.address + offset).wrapping_sub(layout.frames.address + at + 8);
        for value in [length as u32 - 4, at as u32 + 4, address as u32, row.code] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(frame);
        at += length;
    }
    // The end of all frames.
    out.extend_from_slice(&[0; 4]);
}

fn write_text(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    offsets: &[u64],
    layout: &Layout,
    start: Start<'_>,
) -> Result<(), Unfit> {
    let Parts { packed, imports, data, .. } = *parts;
    let reached = start.stubs.map_or(Reached::Directly(offsets), Reached::ByStubs);
    elf::pad_to(out, layout.text.offset);
    elf::write_stubs(out, imports, layout);
    let main = packed.rows.iter().zip(offsets).find(|(row, _)| row.is_main).map(|(_, offset)| *offset);
    let main = main.ok_or_else(|| Unfit("the program has no main procedure".into()))?;
    elf::write_startup(out, imports, layout, start.prologue, main);
    let mut code = packed.code.as_slice();
    let mut references = packed.references.as_slice();
    let mut places = data.places.iter();
    for (row, offset) in packed.rows.iter().zip(offsets) {
        let parts =
            (code.split_at_checked(row.code as usize), references.split_at_checked(row.references as usize));
        let (Some((own, code_after)), Some((refers, references_after))) = parts else { break };
        (code, references) = (code_after, references_after);
        let start = (layout.text.offset + offset) as usize;
        out.resize(start, PADDING);
        out.extend_from_slice(own);
        let address = layout.text.address + offset;
        fill_references(&mut out[start..], address, refers, &mut places, layout, reached);
    }
    Ok(())
}

/// Fills in what a function's code refers to. `places` begin with those of its own references to data.
fn fill_references(
    code: &mut [u8],
    address: u64,
    references: &[Reference],
    places: &mut std::slice::Iter<'_, u64>,
    layout: &Layout,
    reached: Reached<'_>,
) {
    for reference in references {
        let target = match reference.target {
            Target::Function(number) => match reached {
                Reached::Directly(offsets) => layout.text.address + offsets[number as usize],
                Reached::ByStubs(first) => first + u64::from(number) * hot::STUB,
            },
            Target::Import(number) => layout.text.address + elf::stub(number),
            Target::Data => layout.data.address + places.next().copied().unwrap_or_default(),
            Target::State => layout.bss_address,
        };
        let at = reference.at as usize;
        let place = address + u64::from(reference.at);
        let value = target.wrapping_add_signed(i64::from(reference.addend)).wrapping_sub(place);
        code[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
    }
}

fn write_debug(
    out: &mut Vec<u8>,
    packed: &Packed,
    offsets: &[u64],
    layout: &Layout,
    line_header: &[u8],
    unit: &dwarf::UnitHeader,
    text: u64,
) {
    let Some(debug) = &layout.debug else { return };
    out.extend_from_slice(dwarf::ABBREVIATIONS);
    let start = out.len();
    out.extend_from_slice(line_header);
    let mut at = out.len();
    out.extend_from_slice(&packed.lines);
    for (row, offset) in packed.rows.iter().zip(offsets) {
        if row.line > 0 {
            let address = at + dwarf::LINE_ADDRESS;
            out[address..address + 8].copy_from_slice(&(layout.text.address + offset).to_le_bytes());
            at += row.line as usize;
        }
    }
    let length = (debug.line.size - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    let start = out.len();
    out.extend_from_slice(&unit.bytes);
    let mut at = out.len();
    out.extend_from_slice(&packed.dies);
    for (row, offset) in packed.rows.iter().zip(offsets) {
        if row.die > 0 {
            let address = at + row.die_address as usize;
            out[address..address + 8].copy_from_slice(&(layout.text.address + offset).to_le_bytes());
            at += row.die as usize;
        }
    }
    // The end of the unit's children.
    out.push(0);
    unit.finish(&mut out[start..], layout.text.address, text, debug.info.size);
}

impl Data {
    fn new(prepared: &[Prepared]) -> Self {
        let mut section = DataSection::default();
        let targets = prepared.iter().flat_map(|prepared| &prepared.fragment.targets);
        let places = targets.filter_map(|target| match target {
            FragmentTarget::Literal(content) => Some(section.literal(content)),
            FragmentTarget::EmptyList => Some(section.empty_list()),
            FragmentTarget::Const(item, object) => Some(section.const_object(*item, object)),
            FragmentTarget::Location(at) => Some(section.location(&at.file, at.line, at.column)),
            FragmentTarget::Function(_) | FragmentTarget::Extern(_) | FragmentTarget::State => None,
        });
        let places = places.collect();
        Self { section, places }
    }
}

/// What the fragments need of the C library and, where it has a file, of the library of system calls; and whatever
/// else of `more` these have.
fn imports(prepared: &[Prepared], more: &[Name], system_calls: Option<&str>) -> Result<Imports, Unfit> {
    let find =
        |name: &str| symbols::function(name).or_else(|| Some((system_calls::function(name)?, system_calls?)));
    let mut seen: HashSet<&str> = HashSet::new();
    let mut names: BTreeMap<&'static str, &str> = BTreeMap::new();
    let externs = prepared.iter().flat_map(|prepared| &prepared.externs).map(|name| name.as_str());
    for name in externs.chain([startup::LIBC_START]) {
        if seen.insert(name) {
            let (name, soname) =
                find(name).ok_or_else(|| Unfit(format!("`{name}` is no function of the C library")))?;
            names.insert(name, soname);
        }
    }
    let more = more.iter().filter_map(|name| find(name.as_str()));
    names.extend(more);
    Ok(Imports::new(&names))
}
