//! The linker for programs of one's own: lays fragments out as an executable, in this process.
//!
//! The compiler's own code needs little of a linker: its functions refer to each other, to data that it
//! describes itself, and to names of the C library. So they are copied one after the other and their
//! references filled in, which takes about as long as writing the file. What was prepared for a
//! fragment (its line table, its entry for debuggers) is kept and used again while the fragment is the
//! same; where things stand is computed anew each time, so that the bytes depend on the program alone
//! and never on what was linked before.
//!
//! Programs that need more (libraries, objects of others, flags) go through the linkers for object files.
mod dwarf; // line tables and entries for debuggers
mod elf; // the executable around the code
mod prepared; // what is kept for each fragment

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use vitte_compiler::base::OptLevel;
use vitte_compiler::codegen::data::DataSection;
use vitte_compiler::codegen::fragment::{FragmentTarget, Fragments, NO_FUNCTION, common_frame};
use vitte_compiler::codegen::{CodegenError, RelocationKind};
use vitte_compiler::types::intrinsic::STATE_BYTES;

use self::dwarf::Files;
use self::elf::{Imports, Layout, Sizes};
use self::prepared::Prepared;
use super::startup;
use super::symbols;

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
}

/// The data section with the places of what the fragments refer to.
#[derive(Debug, Default)]
struct Data {
    section: DataSection,
    /// For each fragment, for each relocation that refers to data, in order: where.
    places: Vec<Vec<u64>>,
}

/// Why a program needs another linker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) String);

impl IncrementalLinker {
    /// The executable of `fragments`.
    ///
    /// # Errors
    /// [`Unfit`] when the program refers to names that the C library does not have, or holds code that
    /// is not position-independent.
    pub(crate) fn link(
        &mut self,
        fragments: &Fragments,
        options: ImageOptions<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        self.prepare(fragments, options);
        let imports = imports(&self.prepared)?;
        let frame = common_frame(options.level).map_err(|CodegenError::Internal(what)| Unfit(what))?;
        let with_debug = !options.strip && self.prepared.iter().any(|prepared| prepared.die.is_some());
        let line_header = if with_debug { self.files.header() } else { Vec::new() };
        let unit = if with_debug { dwarf::unit_header(options.entry) } else { dwarf::UnitHeader::default() };
        let mut offsets = Vec::with_capacity(fragments.len());
        let mut text = imports.stub_bytes() + startup::CODE.len() as u64;
        let (mut frames, mut frame_count, mut lines, mut dies, mut names) = (0, 0, 0, 0, 0);
        for (prepared, (fragment, _)) in self.prepared.iter().zip(fragments.iter()) {
            text = text.next_multiple_of(u64::from(fragment.code.alignment));
            offsets.push(text);
            text += fragment.code.bytes.len() as u64;
            if let Some(frame) = &fragment.frame {
                frames += elf::FRAME_HEADER + frame.len() as u64;
                frame_count += 1;
            }
            lines += prepared.line.len() as u64;
            dies += prepared.die.as_ref().map_or(0, |die| die.bytes.len() as u64);
            names += fragment.symbol.len() as u64 + 1;
        }
        let sizes = Sizes {
            text,
            common_frame: frame.len() as u64,
            frames,
            frame_count,
            data: self.data.section.bytes.len() as u64,
            bss: u64::from(STATE_BYTES),
            pointers: self.data.section.pointers.len() as u64,
            debug: with_debug.then(|| elf::DebugSizes {
                line: line_header.len() as u64 + lines,
                info: unit.bytes.len() as u64 + dies + 1,
            }),
            symbols: (!options.strip)
                .then_some(elf::SymbolSizes { functions: fragments.len() as u64, names }),
        };
        let layout = Layout::new(&imports, &sizes);
        out.clear();
        out.reserve(layout.file_size as usize);
        elf::write_head(out, &imports, &layout, &self.data.section);
        self.write_frames(out, fragments, &offsets, &layout, &frame);
        self.write_text(out, fragments, &offsets, &layout, &imports)?;
        elf::write_writable(out, &imports, &layout, &self.data.section);
        if with_debug {
            self.write_debug(out, &offsets, &layout, &line_header, &unit, text);
        }
        let functions = self.prepared.iter().zip(&offsets).map(|(prepared, &offset)| elf::FunctionSymbol {
            name: &prepared.fragment.symbol,
            offset,
            size: prepared.fragment.code.bytes.len() as u64,
            global: prepared.fragment.is_main,
        });
        elf::write_tail(out, &layout, functions);
        Ok(())
    }

    /// Brings what is kept up to date with the fragments.
    fn prepare(&mut self, fragments: &Fragments, options: ImageOptions<'_>) {
        let mut old = std::mem::take(&mut self.prepared).into_iter().peekable();
        let (mut same_files, mut same_data) = (true, true);
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
                (same_files, same_data) = (false, false);
                old.next();
            }
            self.prepared.push(match before {
                Some(known) if Arc::ptr_eq(&known.fragment, fragment) => known,
                Some(known) => {
                    let new = Prepared::new(fragment);
                    same_files &= new.files == known.files;
                    same_data &= prepared::same_data(&known.fragment, fragment);
                    new
                }
                None => {
                    (same_files, same_data) = (false, false);
                    Prepared::new(fragment)
                }
            });
        }
        if old.next().is_some() || self.files.entry() != options.entry {
            (same_files, same_data) = (false, false);
        }
        if !same_files {
            let all = self.prepared.iter().flat_map(|prepared| &prepared.files);
            let changed = self.files.update(options.entry, all);
            if changed {
                self.prepared.iter_mut().for_each(Prepared::forget_files);
            }
        }
        for prepared in &mut self.prepared {
            prepared.encode(&self.files);
        }
        if !same_data || self.data.places.len() != self.prepared.len() {
            self.data = Data::new(&self.prepared);
        }
    }

    fn write_frames(
        &self,
        out: &mut Vec<u8>,
        fragments: &Fragments,
        offsets: &[u64],
        layout: &Layout,
        common: &[u8],
    ) {
        // The sorted table for unwinders: functions stand in order already.
        elf::pad_to(out, layout.frame_table.offset);
        let mut table = elf::FrameTable::begin(out, layout);
        let mut at = layout.frames.address + common.len() as u64;
        for ((fragment, _), offset) in fragments.iter().zip(offsets) {
            if let Some(frame) = &fragment.frame {
                table.entry(out, layout.text.address + offset, at);
                at += elf::FRAME_HEADER + frame.len() as u64;
            }
        }
        elf::pad_to(out, layout.frames.offset);
        out.extend_from_slice(common);
        let mut at = common.len() as u64;
        for ((fragment, _), offset) in fragments.iter().zip(offsets) {
            let Some(frame) = &fragment.frame else { continue };
            let size = elf::FRAME_HEADER + frame.len() as u64;
            out.extend_from_slice(&(size as u32 - 4).to_le_bytes());
            out.extend_from_slice(&(at as u32 + 4).to_le_bytes());
            let address = (layout.text.address + offset).wrapping_sub(layout.frames.address + at + 8);
            out.extend_from_slice(&(address as u32).to_le_bytes());
            out.extend_from_slice(&(fragment.code.bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(frame);
            at += size;
        }
        // The end of all frames.
        out.extend_from_slice(&[0; 4]);
    }

    fn write_text(
        &self,
        out: &mut Vec<u8>,
        fragments: &Fragments,
        offsets: &[u64],
        layout: &Layout,
        imports: &Imports,
    ) -> Result<(), Unfit> {
        elf::pad_to(out, layout.text.offset);
        elf::write_stubs(out, imports, layout);
        let main = fragments.iter().position(|(fragment, _)| fragment.is_main);
        let main = main
            .and_then(|index| offsets.get(index))
            .copied()
            .ok_or_else(|| Unfit("the program has no main procedure".into()))?;
        elf::write_startup(out, imports, layout, main);
        for ((fragment, callees), (&offset, places)) in
            fragments.iter().zip(offsets.iter().zip(&self.data.places))
        {
            let start = (layout.text.offset + offset) as usize;
            // Padding between functions traps.
            out.resize(start, 0xcc);
            out.extend_from_slice(&fragment.code.bytes);
            let code = &mut out[start..];
            let base = layout.text.address + offset;
            let mut places = places.iter();
            for ((relocation, &callee), target) in
                fragment.code.relocations.iter().zip(callees).zip(&fragment.targets)
            {
                let target = if callee != NO_FUNCTION {
                    layout.text.address + offsets[callee as usize]
                } else {
                    match target {
                        FragmentTarget::Function(_) => {
                            return Err(Unfit(format!(
                                "{} refers to code that was not made",
                                fragment.symbol
                            )));
                        }
                        FragmentTarget::Extern(name) => match imports.stub(name) {
                            Some(stub) => layout.text.address + stub,
                            None => return Err(Unfit(format!("`{name}` was not imported"))),
                        },
                        FragmentTarget::State => layout.bss_address,
                        FragmentTarget::Literal(_)
                        | FragmentTarget::EmptyList
                        | FragmentTarget::Const(..)
                        | FragmentTarget::Location(_) => {
                            layout.data.address + places.next().copied().unwrap_or_default()
                        }
                    }
                };
                match relocation.kind {
                    RelocationKind::Pc32 | RelocationKind::Call => {
                        let at = relocation.offset as usize;
                        let place = base + u64::from(relocation.offset);
                        let value = target.wrapping_add_signed(relocation.addend).wrapping_sub(place);
                        code[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
                    }
                    RelocationKind::Abs64 => {
                        return Err(Unfit(format!("{} holds an absolute address", fragment.symbol)));
                    }
                }
            }
        }
        Ok(())
    }

    fn write_debug(
        &self,
        out: &mut Vec<u8>,
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
        for (prepared, offset) in self.prepared.iter().zip(offsets) {
            let at = out.len() + dwarf::LINE_ADDRESS;
            out.extend_from_slice(&prepared.line);
            if !prepared.line.is_empty() {
                out[at..at + 8].copy_from_slice(&(layout.text.address + offset).to_le_bytes());
            }
        }
        let length = (debug.line.size - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        let start = out.len();
        out.extend_from_slice(&unit.bytes);
        for (prepared, offset) in self.prepared.iter().zip(offsets) {
            if let Some(die) = &prepared.die {
                let at = out.len() + die.address_at;
                out.extend_from_slice(&die.bytes);
                out[at..at + 8].copy_from_slice(&(layout.text.address + offset).to_le_bytes());
            }
        }
        // The end of the unit's children.
        out.push(0);
        unit.finish(&mut out[start..], layout.text.address, text, debug.info.size);
    }
}

impl Data {
    fn new(prepared: &[Prepared]) -> Self {
        let mut section = DataSection::default();
        let places = prepared.iter().map(|prepared| {
            let targets = prepared.fragment.targets.iter();
            targets
                .filter_map(|target| match target {
                    FragmentTarget::Literal(content) => Some(section.literal(content)),
                    FragmentTarget::EmptyList => Some(section.empty_list()),
                    FragmentTarget::Const(item, object) => Some(section.const_object(*item, object)),
                    FragmentTarget::Location(at) => Some(section.location(&at.file, at.line, at.column)),
                    FragmentTarget::Function(_) | FragmentTarget::Extern(_) | FragmentTarget::State => None,
                })
                .collect()
        });
        let places = places.collect();
        Self { section, places }
    }
}

/// What the fragments need of the C library.
fn imports(prepared: &[Prepared]) -> Result<Imports, Unfit> {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut names: BTreeMap<&'static str, &'static str> = BTreeMap::new();
    let externs = prepared.iter().flat_map(|prepared| &prepared.externs).map(|name| name.as_str());
    for name in externs.chain([startup::LIBC_START]) {
        if seen.insert(name) {
            let (name, soname) = symbols::function(name)
                .ok_or_else(|| Unfit(format!("`{name}` is no function of the C library")))?;
            names.insert(name, soname);
        }
    }
    Ok(Imports::new(&names))
}
