//! Programs whose procedures are replaced while they run.
//!
//! Nothing is special about their code. Every reference to a function of ours leads to a stub, which jumps to
//! where its *slot* says. Slots, stubs, and the code and data that come later stand in a *region* of memory that the
//! process shares with the service: to replace functions, their new code is written behind the old, then each slot
//! is stored in one piece. Calls that are under way finish the old code, which stays.
//!
//! A slot belongs to a symbol with a signature. A function that is called differently now gets another slot, so that
//! old callers, which may be on the stack, still reach the code that they were made for.
//!
//! The executable is loaded at a fixed place, like the region, so that what is written needs no relocation by
//! anyone else. Debuggers know the code of the executable; of later code they do not.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use vitte_compiler::base::{Name, OptLevel};
use vitte_compiler::codegen::Fragment;
use vitte_compiler::codegen::data::DataSection;
use vitte_compiler::codegen::fragment::{FragmentTarget, NO_FUNCTION};
use vitte_compiler::codegen::hot::Contract;

use super::super::system_calls;
use super::dwarf::Files;
use super::elf::{self, Imports};
use super::packed::Packed;
use super::prepared::Prepared;
use super::{Data, ImageOptions, Parts, Start, Unfit, imports};

/// Bytes of a stub: `jmp [rip + slot]` and two bytes of padding.
pub(super) const STUB: u64 = 8;
/// Slots that there are.
pub(crate) const SLOTS: usize = 1 << 17;
/// Bytes of the region, from its beginning: slots, stubs, code, data.
pub(crate) const REGION_BYTES: u64 = DATA_END;
const SLOT: u64 = 8;
const STUBS: u64 = SLOTS as u64 * SLOT;
const CODE: u64 = STUBS + SLOTS as u64 * STUB;
const DATA: u64 = 64 << 20;
const DATA_END: u64 = 128 << 20;
/// Where the region is. Below all that the system places by itself, the heap included, which follows the program.
const REGION_AT: u64 = 0x1000_0000;
/// Where the program is loaded: everything is within the reach of 32 bits.
const PROGRAM_AT: u64 = 0x4000_0000;
/// Functions begin at a multiple of this.
const ALIGNMENT: u64 = 16;

/// A function of a program, as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) fragment: Arc<Fragment>,
    /// By relocation: the number of the function that it refers to, or [`NO_FUNCTION`].
    pub(crate) callees: Vec<u32>,
    pub(crate) contract: Arc<Contract>,
    /// It runs from the program's beginning to its end, and is not called again.
    pub(crate) is_entry: bool,
}

/// A program as it is now, in order of symbol.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    pub(crate) functions: Vec<Function>,
    /// What values of its types look like, by name of the type.
    pub(crate) definitions: BTreeMap<String, String>,
    /// The functions of C that its modules declare.
    pub(crate) declared: Vec<Name>,
    /// The entry file.
    pub(crate) entry: String,
    pub(crate) level: OptLevel,
}

/// What is to be written to the region, in this order. Offsets count from its beginning.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Bytes, by offset.
    pub(crate) bytes: Vec<(u64, Vec<u8>)>,
    /// Slots with the addresses for them.
    pub(crate) slots: Vec<(usize, u64)>,
    /// Procedures that do something else now.
    pub(crate) procedures: u64,
    /// Those that merely stand elsewhere in the text, which panics tell.
    pub(crate) moved: u64,
}

/// Why a running program cannot become what its text says, in words that follow "restarted: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unswappable(pub(crate) String);

/// What is known of a process.
#[derive(Debug)]
pub(crate) struct Process {
    imports: Imports,
    /// Where its text section is, and with it the stubs of imported functions.
    text: u64,
    /// Where the prelude's storage is.
    state: u64,
    /// By symbol and signature.
    slots: HashMap<(Arc<str>, String), usize>,
    /// What each slot leads to.
    live: Vec<Live>,
    definitions: BTreeMap<String, String>,
    code_end: u64,
    data_end: u64,
}

#[derive(Debug)]
struct Live {
    fragment: Arc<Fragment>,
    /// By relocation, the slot of the function that it refers to.
    callees: Vec<Option<usize>>,
}

/// How a function differs from what its slot leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    None,
    /// In the places that its panics tell.
    Places,
    Code,
}

impl Generation {
    /// Whether the program may call the library of system calls.
    pub(crate) fn makes_system_calls(&self) -> bool {
        self.declared.iter().any(|name| system_calls::function(name.as_str()).is_some())
    }
}

impl Process {
    /// Lays out the executable of `generation` in `out`, and says what its region begins with. The program finds
    /// the region as descriptor `descriptor`, and the library of system calls in the file `system_calls`.
    ///
    /// # Errors
    /// [`Unfit`] as other programs are, and when there are too many functions.
    pub(crate) fn begin(
        generation: &Generation,
        descriptor: u32,
        system_calls: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(Self, Change), Unfit> {
        let functions = &generation.functions;
        if functions.len() > SLOTS / 2 {
            return Err(Unfit(format!("it has {} procedures, more than {}", functions.len(), SLOTS / 2)));
        }
        let mut prepared: Vec<Prepared> =
            functions.iter().map(|function| Prepared::new(&function.fragment)).collect();
        let mut files = Files::default();
        files.update(&generation.entry, prepared.iter().flat_map(|prepared| &prepared.files));
        prepared.iter_mut().for_each(|prepared| prepared.encode(&files));
        let imports = imports(&prepared, &generation.declared, system_calls)?;
        let callees = functions.iter().map(|function| function.callees.as_slice());
        let packed = Packed::of(&prepared, callees, &imports)?;
        let data = Data::new(&prepared);
        let prologue = prologue(descriptor);
        let start = Start { base: PROGRAM_AT, prologue: &prologue, stubs: Some(REGION_AT + STUBS) };
        let options = ImageOptions { entry: &generation.entry, strip: false, level: generation.level };
        let parts = Parts { files: &files, data: &data, imports: &imports, packed: &packed };
        let last = parts.lay_out(options, start, out)?;
        let text = last.layout.text.address;
        let mut process = Self {
            imports,
            text,
            state: last.layout.bss_address,
            slots: HashMap::new(),
            live: Vec::new(),
            definitions: generation.definitions.clone(),
            code_end: CODE,
            data_end: DATA,
        };
        let mut change = Change::default();
        for (number, (function, offset)) in functions.iter().zip(&last.offsets).enumerate() {
            process.slots.insert(key(function), number);
            process.live.push(Live {
                fragment: Arc::clone(&function.fragment),
                callees: function.callees.iter().map(|callee| slot_of(*callee, |number| number)).collect(),
            });
            change.slots.push((number, text + offset));
        }
        change.bytes.push((STUBS, stubs(functions.len())));
        Ok((process, change))
    }

    /// Makes the process what `generation` is: what has to be written for that, in order.
    ///
    /// # Errors
    /// [`Unswappable`]; then nothing is to be written, and the process stays what it was.
    pub(crate) fn advance(&mut self, generation: &Generation) -> Result<Change, Unswappable> {
        self.compare_types(generation)?;
        let known = self.live.len();
        // The slot of each function; those past `known` are new.
        let mut fresh: Vec<usize> = Vec::new();
        let slots: Vec<usize> = generation
            .functions
            .iter()
            .enumerate()
            .map(|(number, function)| match self.slots.get(&key(function)) {
                Some(slot) => *slot,
                None => {
                    fresh.push(number);
                    known + fresh.len() - 1
                }
            })
            .collect();
        if known + fresh.len() > SLOTS {
            return Err(Unswappable("there is no room for more procedures".into()));
        }
        let callees = |function: &Function| -> Vec<Option<usize>> {
            let slot = |number: usize| slots.get(number).copied().unwrap_or(usize::MAX);
            function.callees.iter().map(|callee| slot_of(*callee, slot)).collect()
        };
        let mut change = Change::default();
        let mut placed: Vec<(usize, &Function, Vec<Option<usize>>)> = Vec::new();
        for (function, slot) in generation.functions.iter().zip(&slots) {
            let callees = callees(function);
            let difference = match self.live.get(*slot) {
                Some(live) => live.difference(function, &callees),
                None => Difference::Code,
            };
            match difference {
                Difference::None => continue,
                // The old code goes on to tell the old places: it is not called again.
                Difference::Places if function.is_entry => continue,
                Difference::Places => change.moved += 1,
                Difference::Code if function.is_entry => {
                    let is_called_differently =
                        self.live.get(*slot).is_some_and(|live| live.callees != callees);
                    let reason = if is_called_differently {
                        "`main` runs, and what it calls is called differently now"
                    } else {
                        "`main` has changed, and a procedure that runs ends as it began"
                    };
                    return Err(Unswappable(reason.into()));
                }
                Difference::Code => change.procedures += 1,
            }
            placed.push((*slot, function, callees));
        }
        let (code_end, data_end) = self.place(&placed, &mut change)?;
        // Nothing fails from here on.
        (self.code_end, self.data_end) = (code_end, data_end);
        if !fresh.is_empty() {
            change.bytes.push((STUBS + known as u64 * STUB, stubs(fresh.len())));
        }
        // In order of slot: new ones follow each other.
        placed.sort_by_key(|(slot, ..)| *slot);
        for (slot, function, callees) in placed {
            let live = Live { fragment: Arc::clone(&function.fragment), callees };
            match self.live.get_mut(slot) {
                Some(known) => *known = live,
                None => {
                    self.slots.insert(key(function), slot);
                    self.live.push(live);
                }
            }
        }
        self.definitions.extend(generation.definitions.clone());
        Ok(change)
    }

    /// Refuses types whose values look different now: old ones may be anywhere.
    fn compare_types(&self, generation: &Generation) -> Result<(), Unswappable> {
        for (name, now) in &generation.definitions {
            if let Some(before) = self.definitions.get(name)
                && before != now
            {
                let kind = now.split(' ').next().unwrap_or("type");
                let name = name.rsplit("::").next().unwrap_or(name);
                let reason =
                    format!("the {kind} `{name}` has changed, and the program may hold values of it");
                return Err(Unswappable(reason));
            }
        }
        Ok(())
    }

    /// Gives functions their places in the region, and fills in what they refer to; where code and data end then.
    fn place(
        &self,
        placed: &[(usize, &Function, Vec<Option<usize>>)],
        change: &mut Change,
    ) -> Result<(u64, u64), Unswappable> {
        let mut section = DataSection::default();
        let data_start = self.data_end.next_multiple_of(ALIGNMENT);
        let code_start = self.code_end.next_multiple_of(ALIGNMENT);
        let mut code: Vec<u8> = Vec::new();
        for (slot, function, callees) in placed {
            let fragment = &function.fragment;
            let alignment = u64::from(fragment.code.alignment).max(ALIGNMENT);
            let start = (code_start + code.len() as u64).next_multiple_of(alignment);
            code.resize((start - code_start) as usize, super::PADDING);
            code.extend_from_slice(&fragment.code.bytes);
            let address = REGION_AT + start;
            for ((relocation, target), callee) in
                fragment.code.relocations.iter().zip(&fragment.targets).zip(callees)
            {
                let data = |offset: u64| REGION_AT + data_start + offset;
                let target = match target {
                    FragmentTarget::Function(_) => match callee {
                        Some(slot) => REGION_AT + STUBS + *slot as u64 * STUB,
                        None => {
                            return Err(Unswappable(format!(
                                "`{}` calls what is not there",
                                fragment.symbol
                            )));
                        }
                    },
                    FragmentTarget::Extern(name) => match self.imports.number(name.as_str()) {
                        Some(number) => self.text + elf::stub(number),
                        None => {
                            let reason =
                                format!("`{name}` of the C library is called now, and was not there");
                            return Err(Unswappable(reason));
                        }
                    },
                    FragmentTarget::State => self.state,
                    FragmentTarget::Literal(content) => data(section.literal(content)),
                    FragmentTarget::EmptyList => data(section.empty_list()),
                    FragmentTarget::Const(item, object) => data(section.const_object(*item, object)),
                    FragmentTarget::Location(at) => data(section.location(&at.file, at.line, at.column)),
                };
                let place = address + u64::from(relocation.offset);
                let value = target.wrapping_add_signed(relocation.addend).wrapping_sub(place) as u32;
                let at = (start - code_start) as usize + relocation.offset as usize;
                if let Some(hole) = code.get_mut(at..at + 4) {
                    hole.copy_from_slice(&value.to_le_bytes());
                }
            }
            change.slots.push((*slot, address));
        }
        let (code_end, data_end) = (code_start + code.len() as u64, data_start + section.bytes.len() as u64);
        if code_end > DATA || data_end > DATA_END {
            return Err(Unswappable("the room for new code is used up".into()));
        }
        let mut data = section.bytes;
        for (place, target) in section.pointers {
            let place = place as usize;
            if let Some(word) = data.get_mut(place..place + 8) {
                word.copy_from_slice(&(REGION_AT + data_start + target).to_le_bytes());
            }
        }
        if !data.is_empty() {
            change.bytes.push((data_start, data));
        }
        if !code.is_empty() {
            change.bytes.push((code_start, code));
        }
        Ok((code_end, data_end))
    }
}

impl Live {
    fn difference(&self, function: &Function, callees: &[Option<usize>]) -> Difference {
        if self.callees != callees {
            return Difference::Code;
        }
        let (old, new) = (&self.fragment, &function.fragment);
        if Arc::ptr_eq(old, new) {
            return Difference::None;
        }
        // What debuggers want to know is in neither.
        let is_same_code =
            old.code.bytes == new.code.bytes
                && old.code.relocations.len() == new.code.relocations.len()
                && old.code.relocations.iter().zip(&new.code.relocations).all(|(old, new)| {
                    (old.offset, old.kind, old.addend) == (new.offset, new.kind, new.addend)
                });
        if !is_same_code || old.targets.len() != new.targets.len() {
            return Difference::Code;
        }
        let mut difference = Difference::None;
        for (old, new) in old.targets.iter().zip(&new.targets) {
            match (old, new) {
                (FragmentTarget::Location(old), FragmentTarget::Location(new)) => {
                    if old != new {
                        difference = Difference::Places;
                    }
                }
                // Its slot was compared.
                (FragmentTarget::Function(_), FragmentTarget::Function(_)) => {}
                _ if old == new => {}
                _ => return Difference::Code,
            }
        }
        difference
    }
}

fn key(function: &Function) -> (Arc<str>, String) {
    (Arc::clone(&function.fragment.symbol), function.contract.signature.clone())
}

/// The slot of a function by its number among a generation's, which [`NO_FUNCTION`] has none of.
fn slot_of(number: u32, slot: impl Fn(usize) -> usize) -> Option<usize> {
    (number != NO_FUNCTION).then(|| slot(number as usize))
}

/// Stubs for so many slots: equal for all, because stubs and slots are of one size.
fn stubs(count: usize) -> Vec<u8> {
    const { assert!(STUB == SLOT) };
    // The distance from behind the jump to the slot.
    let distance = (STUBS + 6).wrapping_neg() as u32;
    let mut stub = [0xff, 0x25, 0, 0, 0, 0, 0xcc, 0xcc];
    stub[2..6].copy_from_slice(&distance.to_le_bytes());
    stub.repeat(count)
}

/// Code that maps the region, three ranges with rights of their own, and closes the descriptor. A program that
/// cannot do so says so and ends with status 125. See `mmap(2)`, and for the numbers of the calls
/// `arch/x86/entry/syscalls/syscall_64.tbl` of Linux.
fn prologue(descriptor: u32) -> Vec<u8> {
    const MAP: u32 = 9;
    const CLOSE: u32 = 3;
    const WRITE: u32 = 1;
    const EXIT_GROUP: u32 = 231;
    const PROT_READ: u32 = 1;
    const PROT_WRITE: u32 = 2;
    const PROT_EXEC: u32 = 4;
    /// MAP_SHARED and MAP_FIXED_NOREPLACE.
    const FLAGS: u32 = 0x10_0001;
    const FAILED: u32 = 125;
    const MESSAGE: &[u8] = b"hot: the place for code that is replaced is taken\n";
    let mut out = vec![0x49, 0x89, 0xd5]; // mov r13, rdx
    let load = |out: &mut Vec<u8>, opcode: &[u8], value: u32| {
        out.extend_from_slice(opcode);
        out.extend_from_slice(&value.to_le_bytes());
    };
    let call = |out: &mut Vec<u8>, number: u32| {
        load(out, &[0xb8], number); // mov eax, number
        out.extend_from_slice(&[0x0f, 0x05]); // syscall
    };
    let mut failures = Vec::new();
    for (from, to, rights) in [
        (0, STUBS, PROT_READ),
        (STUBS, DATA, PROT_READ | PROT_EXEC),
        (DATA, DATA_END, PROT_READ | PROT_WRITE),
    ] {
        load(&mut out, &[0xbf], (REGION_AT + from) as u32); // mov edi, address
        load(&mut out, &[0xbe], (to - from) as u32); // mov esi, length
        load(&mut out, &[0xba], rights); // mov edx, rights
        load(&mut out, &[0x41, 0xba], FLAGS); // mov r10d, flags
        load(&mut out, &[0x41, 0xb8], descriptor); // mov r8d, descriptor
        load(&mut out, &[0x41, 0xb9], from as u32); // mov r9d, offset
        call(&mut out, MAP);
        out.extend_from_slice(&[0x48, 0x39, 0xf8]); // cmp rax, rdi
        load(&mut out, &[0x0f, 0x85], 0); // jne failed
        failures.push(out.len());
    }
    load(&mut out, &[0xbf], descriptor); // mov edi, descriptor
    call(&mut out, CLOSE);
    out.extend_from_slice(&[0x4c, 0x89, 0xea]); // mov rdx, r13
    load(&mut out, &[0xe9], 0); // jmp behind the message
    let begun = out.len();
    for jump in failures {
        let distance = (out.len() - jump) as u32;
        out[jump - 4..jump].copy_from_slice(&distance.to_le_bytes());
    }
    load(&mut out, &[0xbf], 2); // mov edi, standard error
    load(&mut out, &[0x48, 0x8d, 0x35], 0); // lea rsi, [rip + message]
    let message = out.len();
    load(&mut out, &[0xba], MESSAGE.len() as u32); // mov edx, length
    call(&mut out, WRITE);
    load(&mut out, &[0xbf], FAILED); // mov edi, status
    call(&mut out, EXIT_GROUP);
    let distance = (out.len() - message) as u32;
    out[message - 4..message].copy_from_slice(&distance.to_le_bytes());
    out.extend_from_slice(MESSAGE);
    let distance = (out.len() - begun) as u32;
    out[begun - 4..begun].copy_from_slice(&distance.to_le_bytes());
    out
}
