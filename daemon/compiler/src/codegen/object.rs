//! Machine code to one relocatable ELF object.
//!
//! The object holds only what the program reaches, so all code goes into one text section: calls within
//! it are resolved here, and the linker has next to nothing to do.
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cranelift_codegen::isa::TargetIsa;
use gimli::write::RelocationTarget;
use object::elf::{R_X86_64_32, R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32, SHF_ALLOC, SHT_X86_64_UNWIND};
use object::write::{
    Object, Relocation as ElfRelocation, SectionId, StandardSection, Symbol as ElfSymbol, SymbolId,
    SymbolSection,
};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags,
    SymbolKind, SymbolScope,
};

use super::data::DataSection;
use super::{CodegenError, MachineCode, RelocationKind, debug};
use crate::base::Name;
use crate::consteval::ConstValue;
use crate::lower::ItemId;
use crate::mono::Instance;
use crate::ssa::layout::Layouts;
use crate::ssa::{Source, Symbol};
use crate::types::Ty;
use crate::types::intrinsic::STATE_BYTES;

/// A relocatable object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFile {
    /// The file.
    pub bytes: Vec<u8>,
    /// C symbols that it needs, sorted.
    pub undefined: Vec<Name>,
}

/// A function to place in an object.
pub struct FunctionInput<'a> {
    /// What it is.
    pub instance: Instance,
    /// Its unique symbol.
    pub symbol: &'a str,
    /// Its name in a debugger.
    pub name: String,
    /// Whether other objects may refer to it by its symbol.
    pub exported: bool,
    /// Where it is declared.
    pub declared: Option<Source>,
    /// Its code.
    pub code: &'a MachineCode,
}

/// A function with its place in the text section.
pub struct PlacedFunction<'a> {
    /// Its unique symbol.
    pub symbol: &'a str,
    /// Its name in a debugger.
    pub name: &'a str,
    /// Where it is declared.
    pub declared: Option<Source>,
    /// Its code.
    pub code: &'a MachineCode,
    /// Offset in the text section.
    pub offset: u64,
    /// Whether other objects may refer to it.
    pub exported: bool,
}

/// A place in a source file, as messages and debuggers show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file's name.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in Unicode scalars.
    pub column: u32,
}

/// What object emission asks of the program around it.
pub trait ObjectContext {
    /// Where a source node stands.
    fn position(&mut self, source: Source) -> Option<Position>;
    /// A top-level const's value and type.
    fn constant(&mut self, item: ItemId) -> Option<(ConstValue, Ty)>;

    /// Whether it is a `static`: then code asks for the address of its place.
    fn is_static(&self, item: ItemId) -> bool;
}

/// Makes an object of functions, in the order given; the same input gives the same bytes.
///
/// `entry` names the compilation unit; without debug information only call frames are written.
///
/// # Errors
/// A fault of ours: code that refers to functions that are not there.
pub fn write_object(
    functions: &[FunctionInput<'_>],
    entry: &str,
    debug_info: bool,
    isa: &dyn TargetIsa,
    layouts: &mut Layouts<'_>,
    context: &mut dyn ObjectContext,
) -> Result<ObjectFile, CodegenError> {
    let mut placed = Vec::with_capacity(functions.len());
    let mut offsets = HashMap::with_capacity(functions.len());
    let mut text: Vec<u8> = Vec::new();
    for function in functions {
        // Padding between functions traps.
        let offset = text.len().next_multiple_of(function.code.alignment as usize);
        text.resize(offset, 0xcc);
        text.extend_from_slice(&function.code.bytes);
        offsets.insert(function.instance, offset as u64);
        placed.push(PlacedFunction {
            symbol: function.symbol,
            name: &function.name,
            declared: function.declared,
            code: function.code,
            offset: offset as u64,
            exported: function.exported,
        });
    }
    let mut elf = Elf::new();
    let mut data = DataSection::default();
    let mut undefined = BTreeSet::new();
    let mut relocations = Vec::new();
    for function in &placed {
        for relocation in &function.code.relocations {
            let place = function.offset + u64::from(relocation.offset);
            let (symbol, base) = match &relocation.target {
                Symbol::Instance(instance) => {
                    let Some(&target) = offsets.get(instance) else {
                        let what = format!("{} refers to code that was not made", function.symbol);
                        return Err(CodegenError::Internal(what));
                    };
                    if relocation.kind != RelocationKind::Abs64 {
                        let value = (target as i64 + relocation.addend - place as i64) as i32;
                        let place = place as usize;
                        text[place..place + 4].copy_from_slice(&value.to_le_bytes());
                        continue;
                    }
                    (Reference::Text, target)
                }
                Symbol::Extern(name) => {
                    undefined.insert(name.clone());
                    (Reference::Extern(name.clone()), 0)
                }
                Symbol::Literal(content) => (Reference::Data, data.literal(content)),
                Symbol::EmptyList => (Reference::Data, data.empty_list()),
                Symbol::State => (Reference::State, 0),
                Symbol::Const(item) => {
                    let (value, ty) = context.constant(*item).unwrap_or((ConstValue::Unit, Ty::Unit));
                    let is_static = context.is_static(*item);
                    let offset = elf.constant(*item, |_| match is_static {
                        true => data.place(&value, &ty, layouts),
                        false => data.constant(&value, &ty, layouts),
                    });
                    (Reference::Data, offset)
                }
                Symbol::Location(source) => {
                    let offset = match context.position(*source) {
                        Some(at) => data.location(&at.file, at.line, at.column),
                        None => data.location(&Arc::from("?"), 0, 0),
                    };
                    (Reference::Data, offset)
                }
            };
            relocations.push((place, relocation.kind, symbol, base as i64 + relocation.addend));
        }
    }
    elf.fill_text(&text);
    for function in &placed {
        elf.define_function(function);
    }
    for (place, kind, reference, addend) in relocations {
        elf.relocate_text(place, kind, &reference, addend)?;
    }
    elf.fill_data(&data)?;
    if let Some(section) = debug::eh_frame(&placed, isa)? {
        elf.add_eh_frame(&section)?;
    }
    if debug_info {
        let mut position = |source| context.position(source);
        let sections = debug::debug_sections(&placed, text.len() as u64, entry, &mut position)?;
        elf.add_debug(&sections)?;
    }
    let bytes = elf.object.write().map_err(|error| CodegenError::Internal(format!("object: {error}")))?;
    Ok(ObjectFile { bytes, undefined: undefined.into_iter().collect() })
}

/// What a relocation of the text section is against.
enum Reference {
    Text,
    Data,
    State,
    Extern(Name),
}

/// An ELF object in the making.
struct Elf {
    object: Object<'static>,
    text: SectionId,
    text_symbol: SymbolId,
    data: Option<(SectionId, SymbolId)>,
    state: Option<SymbolId>,
    externs: HashMap<Name, SymbolId>,
    constants: HashMap<ItemId, u64>,
}

impl Elf {
    fn new() -> Self {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = object.section_id(StandardSection::Text);
        let text_symbol = object.section_symbol(text);
        // Its presence says that the stack need not be executable.
        object.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Linker);
        Self {
            object,
            text,
            text_symbol,
            data: None,
            state: None,
            externs: HashMap::new(),
            constants: HashMap::new(),
        }
    }

    fn constant(&mut self, item: ItemId, make: impl FnOnce(&mut Self) -> u64) -> u64 {
        if let Some(&offset) = self.constants.get(&item) {
            return offset;
        }
        let offset = make(self);
        self.constants.insert(item, offset);
        offset
    }

    fn fill_text(&mut self, text: &[u8]) {
        self.object.append_section_data(self.text, text, 16);
    }

    fn define_function(&mut self, function: &PlacedFunction<'_>) {
        self.object.add_symbol(ElfSymbol {
            name: function.symbol.as_bytes().to_vec(),
            value: function.offset,
            size: function.code.bytes.len() as u64,
            kind: SymbolKind::Text,
            scope: if function.exported { SymbolScope::Dynamic } else { SymbolScope::Compilation },
            weak: false,
            section: SymbolSection::Section(self.text),
            flags: SymbolFlags::None,
        });
    }

    fn data(&mut self) -> (SectionId, SymbolId) {
        match self.data {
            Some(known) => known,
            None => {
                let section = self.object.section_id(StandardSection::Data);
                let symbol = self.object.section_symbol(section);
                *self.data.insert((section, symbol))
            }
        }
    }

    fn state(&mut self) -> SymbolId {
        match self.state {
            Some(symbol) => symbol,
            None => {
                let section = self.object.section_id(StandardSection::UninitializedData);
                self.object.append_section_bss(section, u64::from(STATE_BYTES), 64);
                let symbol = self.object.section_symbol(section);
                *self.state.insert(symbol)
            }
        }
    }

    fn symbol(&mut self, reference: &Reference) -> SymbolId {
        match reference {
            Reference::Text => self.text_symbol,
            Reference::Data => self.data().1,
            Reference::State => self.state(),
            Reference::Extern(name) => {
                if let Some(&symbol) = self.externs.get(name) {
                    return symbol;
                }
                let symbol = self.object.add_symbol(ElfSymbol {
                    name: name.as_bytes().to_vec(),
                    value: 0,
                    size: 0,
                    kind: SymbolKind::Unknown,
                    scope: SymbolScope::Unknown,
                    weak: false,
                    section: SymbolSection::Undefined,
                    flags: SymbolFlags::None,
                });
                self.externs.insert(name.clone(), symbol);
                symbol
            }
        }
    }

    fn relocate(
        &mut self,
        section: SectionId,
        offset: u64,
        symbol: SymbolId,
        r_type: u32,
        addend: i64,
    ) -> Result<(), CodegenError> {
        let flags = RelocationFlags::Elf { r_type };
        (self.object.add_relocation(section, ElfRelocation { offset, symbol, addend, flags }))
            .map_err(|error| CodegenError::Internal(format!("object: {error}")))
    }

    fn relocate_text(
        &mut self,
        offset: u64,
        kind: RelocationKind,
        reference: &Reference,
        addend: i64,
    ) -> Result<(), CodegenError> {
        let symbol = self.symbol(reference);
        let r_type = match (kind, reference) {
            (RelocationKind::Abs64, _) => R_X86_64_64,
            // The linker makes a stub if the symbol turns out to be in a shared library.
            (RelocationKind::Call, Reference::Extern(_)) => R_X86_64_PLT32,
            (RelocationKind::Pc32 | RelocationKind::Call, _) => R_X86_64_PC32,
            (
                RelocationKind::Arm64Call
                | RelocationKind::Arm64Page
                | RelocationKind::Arm64PageOffset
                | RelocationKind::RiscvCall
                | RelocationKind::RiscvHigh
                | RelocationKind::RiscvLow(_),
                _,
            ) => return Err(CodegenError::Internal("code of another machine".to_owned())),
        };
        self.relocate(self.text, offset, symbol, r_type, addend)
    }

    fn fill_data(&mut self, data: &DataSection) -> Result<(), CodegenError> {
        if data.bytes.is_empty() {
            return Ok(());
        }
        let (section, symbol) = self.data();
        self.object.append_section_data(section, &data.bytes, 16);
        for &(place, target) in &data.pointers {
            self.relocate(section, place, symbol, R_X86_64_64, target as i64)?;
        }
        Ok(())
    }

    fn add_eh_frame(&mut self, frames: &debug::Section) -> Result<(), CodegenError> {
        let kind = SectionKind::Elf(SHT_X86_64_UNWIND);
        let section = self.object.add_section(Vec::new(), b".eh_frame".to_vec(), kind);
        self.object.section_mut(section).flags = SectionFlags::Elf { sh_flags: u64::from(SHF_ALLOC) };
        self.object.append_section_data(section, frames.bytes(), 8);
        for relocation in &frames.relocations {
            let offset = relocation.offset as u64;
            self.relocate(section, offset, self.text_symbol, R_X86_64_PC32, relocation.addend)?;
        }
        Ok(())
    }

    fn add_debug(&mut self, sections: &[(gimli::SectionId, debug::Section)]) -> Result<(), CodegenError> {
        let mut ids = HashMap::new();
        for (id, section) in sections {
            let kind = match id {
                gimli::SectionId::DebugStr | gimli::SectionId::DebugLineStr => SectionKind::DebugString,
                _ => SectionKind::Debug,
            };
            let made = self.object.add_section(Vec::new(), id.name().as_bytes().to_vec(), kind);
            self.object.append_section_data(made, section.bytes(), 1);
            ids.insert(*id, made);
        }
        for (id, section) in sections {
            let Some(&from) = ids.get(id) else { continue };
            for relocation in &section.relocations {
                let symbol = match relocation.target {
                    RelocationTarget::Symbol(_) => self.text_symbol,
                    RelocationTarget::Section(target) => match ids.get(&target) {
                        Some(&target) => self.object.section_symbol(target),
                        None => continue,
                    },
                };
                let r_type = if relocation.size == 8 { R_X86_64_64 } else { R_X86_64_32 };
                self.relocate(from, relocation.offset as u64, symbol, r_type, relocation.addend)?;
            }
        }
        Ok(())
    }
}
