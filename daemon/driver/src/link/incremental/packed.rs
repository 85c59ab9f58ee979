//! What laying out needs of all fragments, packed in their order, so that it reads memory from front to back.
use vitte_compiler::codegen::RelocationKind;
use vitte_compiler::codegen::fragment::{FragmentTarget, Fragments, NO_FUNCTION};

use super::Unfit;
use super::elf::Imports;
use super::prepared::Prepared;

/// More changed fragments than this are not put in one by one: each moves what follows it.
const SPLICES_MAX: usize = 32;

/// One fragment: how much of each array is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) code: u32,
    pub(super) alignment: u32,
    pub(super) references: u32,
    /// `None`: it has no frame.
    pub(super) frame: Option<u32>,
    pub(super) name: u32,
    pub(super) line: u32,
    pub(super) die: u32,
    /// Where in its entry for debuggers its address goes.
    pub(super) die_address: u32,
    pub(super) is_main: bool,
}

/// A place in a function's code that is filled with the distance to a target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    /// In the function's code.
    pub(super) at: u32,
    pub(super) addend: i32,
    pub(super) target: Target,
}

/// What a place refers to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// A fragment, by number.
    Function(u32),
    /// An imported function, by number.
    Import(u32),
    /// The next place in the data section, in the order of all references to it.
    Data,
    /// The storage that is zero at the beginning.
    State,
}

/// All fragments. Names end in NUL.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) rows: Vec<Row>,
    pub(super) code: Vec<u8>,
    pub(super) references: Vec<Reference>,
    pub(super) frames: Vec<u8>,
    pub(super) names: Vec<u8>,
    pub(super) lines: Vec<u8>,
    pub(super) dies: Vec<u8>,
}

impl Packed {
    /// Packs all fragments.
    ///
    /// # Errors
    /// [`Unfit`] when one holds a reference that cannot be filled in.
    pub(super) fn new(
        prepared: &[Prepared],
        fragments: &Fragments,
        imports: &Imports,
    ) -> Result<Self, Unfit> {
        Self::of(prepared, fragments.iter().map(|(_, callees)| callees), imports)
    }

    /// Packs fragments, each with the numbers of the functions that it refers to, by relocation.
    ///
    /// # Errors
    /// As [`Packed::new`].
    pub(super) fn of<'a>(
        prepared: &[Prepared],
        callees: impl Iterator<Item = &'a [u32]>,
        imports: &Imports,
    ) -> Result<Self, Unfit> {
        let mut packed = Self::default();
        for (prepared, callees) in prepared.iter().zip(callees) {
            packed.push(prepared, callees, imports)?;
        }
        Ok(packed)
    }

    /// Packs the fragments at the numbers `changed` (in order) again; the others, and the numbers of all, are
    /// as before. Whether no more than code and references of each differ in size.
    ///
    /// # Errors
    /// As [`Packed::new`].
    pub(super) fn update(
        &mut self,
        changed: &[usize],
        prepared: &[Prepared],
        fragments: &Fragments,
        imports: &Imports,
    ) -> Result<bool, Unfit> {
        if changed.len() > SPLICES_MAX {
            *self = Self::new(prepared, fragments, imports)?;
            return Ok(false);
        }
        let mut is_same_shape = true;
        let mut changed = changed.iter().copied().peekable();
        // Where the own part of the row begins.
        let mut start = Start::default();
        for (number, (prepared, (_, callees))) in prepared.iter().zip(fragments.iter()).enumerate() {
            if changed.peek().is_none() {
                break;
            }
            let Some(old) = self.rows.get(number).copied() else { break };
            if changed.next_if_eq(&number).is_some() {
                let mut new = Self::default();
                new.push(prepared, callees, imports)?;
                splice(&mut self.code, start.code, old.code, new.code);
                splice(&mut self.references, start.references, old.references, new.references);
                splice(&mut self.frames, start.frame, old.frame.unwrap_or(0), new.frames);
                splice(&mut self.names, start.name, old.name, new.names);
                splice(&mut self.lines, start.line, old.line, new.lines);
                splice(&mut self.dies, start.die, old.die, new.dies);
                if let (Some(row), Some(new)) = (self.rows.get_mut(number), new.rows.first()) {
                    is_same_shape &= Row { code: old.code, references: old.references, ..*new } == old;
                    *row = *new;
                }
            }
            if let Some(row) = self.rows.get(number) {
                start.pass(row);
            }
        }
        Ok(is_same_shape)
    }

    fn push(&mut self, prepared: &Prepared, callees: &[u32], imports: &Imports) -> Result<(), Unfit> {
        let fragment = &prepared.fragment;
        let code = &fragment.code;
        for ((relocation, &callee), target) in code.relocations.iter().zip(callees).zip(&fragment.targets) {
            match relocation.kind {
                RelocationKind::Pc32 | RelocationKind::Call => {}
                RelocationKind::Abs64 => {
                    return Err(Unfit(format!("{} holds an absolute address", fragment.symbol)));
                }
                RelocationKind::Arm64Call
                | RelocationKind::Arm64Page
                | RelocationKind::Arm64PageOffset
                | RelocationKind::RiscvCall
                | RelocationKind::RiscvHigh
                | RelocationKind::RiscvLow(_) => {
                    return Err(Unfit(format!("{} is code of another machine", fragment.symbol)));
                }
            }
            let target = match target {
                FragmentTarget::Function(_) if callee == NO_FUNCTION => {
                    return Err(Unfit(format!("{} refers to code that was not made", fragment.symbol)));
                }
                FragmentTarget::Function(_) => Target::Function(callee),
                FragmentTarget::Extern(name) => match imports.number(name) {
                    Some(number) => Target::Import(number),
                    None => return Err(Unfit(format!("`{name}` was not imported"))),
                },
                FragmentTarget::State => Target::State,
                FragmentTarget::Literal(_)
                | FragmentTarget::EmptyList
                | FragmentTarget::Const(..)
                | FragmentTarget::Location(_) => Target::Data,
            };
            let addend = i32::try_from(relocation.addend)
                .map_err(|_| Unfit(format!("{} refers to a place far away", fragment.symbol)))?;
            self.references.push(Reference { at: relocation.offset, addend, target });
        }
        self.code.extend_from_slice(&code.bytes);
        self.frames.extend_from_slice(fragment.frame.as_deref().unwrap_or_default());
        self.names.extend_from_slice(fragment.symbol.as_bytes());
        self.names.push(0);
        self.lines.extend_from_slice(&prepared.line);
        let die = prepared.die.as_ref();
        self.dies.extend_from_slice(die.map_or(&[], |die| &die.bytes));
        self.rows.push(Row {
            code: code.bytes.len() as u32,
            alignment: code.alignment,
            references: code.relocations.len() as u32,
            frame: fragment.frame.as_ref().map(|frame| frame.len() as u32),
            name: fragment.symbol.len() as u32 + 1,
            line: prepared.line.len() as u32,
            die: die.map_or(0, |die| die.bytes.len() as u32),
            die_address: die.map_or(0, |die| die.address_at as u32),
            is_main: fragment.is_main,
        });
        Ok(())
    }
}

/// Where a fragment's parts begin in the arrays.
#[derive(Default)]
pub(super) struct Start {
    pub(super) code: usize,
    pub(super) references: usize,
    pub(super) frame: usize,
    name: usize,
    pub(super) line: usize,
    pub(super) die: usize,
    /// How many frames there are before its own.
    pub(super) frames: usize,
}

impl Start {
    /// Goes on to the next fragment.
    pub(super) fn pass(&mut self, row: &Row) {
        self.code += row.code as usize;
        self.references += row.references as usize;
        self.frame += row.frame.unwrap_or(0) as usize;
        self.frames += usize::from(row.frame.is_some());
        self.name += row.name as usize;
        self.line += row.line as usize;
        self.die += row.die as usize;
    }
}

fn splice<T>(all: &mut Vec<T>, start: usize, old: u32, new: Vec<T>) {
    all.splice(start..start + old as usize, new);
}
