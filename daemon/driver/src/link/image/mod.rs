//! Executables for other machines, from a program's parts to the bytes of the file, in this process.
//!
//! A program for a machine without a C library is one text, one data section and some state, so that linking is to choose
//! addresses, fill in the references and write the headers: of ELF ([`elf`]), PE ([`pe`]) or Mach-O ([`macho`]). Functions of the
//! system's libraries are called through a stub each, which jumps to the address that the system puts into a table. Equal
//! programs give equal bytes. Linear in the program.
mod elf; // static executables for Linux
mod macho; // executables for macOS, with an ad-hoc signature
mod pe; // executables for Windows

use vitte_compiler::base::{Processor, System};
use vitte_compiler::codegen::native::{Reference, ReferenceTo};
use vitte_compiler::codegen::{NativeProgram, RelocationKind};

/// Its name, version and what else can change the bytes it makes.
pub(crate) const IDENTITY: &str = "built in, images 1";

/// What the file says besides the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageOptions<'a> {
    /// The program's name: part of a signature.
    pub(crate) name: &'a str,
    /// Leave out the names of functions.
    pub(crate) strip: bool,
}

/// The executable's bytes.
///
/// # Errors
/// In words, when the program is too large for the format's references, or makes one that the format cannot express.
pub(crate) fn write(program: &NativeProgram, options: ImageOptions<'_>) -> Result<Vec<u8>, String> {
    match program.machine.system() {
        System::Linux => elf::write(program, options),
        System::Windows => pe::write(program),
        System::Macos => macho::write(program, options),
    }
}

/// Where the parts of a program are in memory.
struct Addresses {
    text: u64,
    data: u64,
    state: u64,
    /// For each import, of the 8 bytes that the system puts its address into.
    slots: Vec<u64>,
}

/// Bytes of a stub.
const STUB: u64 = 16;

impl Addresses {
    /// The text with its references filled in and a stub for each import behind it.
    fn text_of(&self, program: &NativeProgram) -> Result<Vec<u8>, String> {
        let mut text = program.text.clone();
        let stubs = stubs_offset(program);
        text.resize(stubs as usize, 0);
        for (import, slot) in self.slots.iter().enumerate() {
            let at = self.text + stubs + import as u64 * STUB;
            text.extend(stub(program.machine.processor(), at, *slot)?);
        }
        for reference in &program.references {
            let target = match reference.to {
                ReferenceTo::Text(offset) => self.text + offset,
                ReferenceTo::Data(offset) => self.data + offset,
                ReferenceTo::State => self.state,
                ReferenceTo::Import(number) => self.text + stubs + number as u64 * STUB,
            };
            fill_in(&mut text, reference, target.wrapping_add_signed(reference.addend), self.text)?;
        }
        Ok(text)
    }

    /// The data with its pointers filled in.
    fn data_of(&self, program: &NativeProgram) -> Vec<u8> {
        let mut data = program.data.clone();
        for (place, target) in &program.pointers {
            let place = *place as usize;
            data[place..place + 8].copy_from_slice(&(self.data + target).to_le_bytes());
        }
        data
    }
}

/// Where stubs begin in the text.
fn stubs_offset(program: &NativeProgram) -> u64 {
    (program.text.len() as u64).next_multiple_of(STUB)
}

/// Bytes of the text with its stubs.
fn text_size(program: &NativeProgram) -> u64 {
    stubs_offset(program) + program.imports.len() as u64 * STUB
}

/// Jumps to where the table leads; both are addresses.
fn stub(processor: Processor, at: u64, slot: u64) -> Result<Vec<u8>, String> {
    let mut code: Vec<u8> = match processor {
        Processor::X86_64 => {
            // jmp [rip + slot]
            let distance = narrow(slot as i64 - (at + 6) as i64, 32)?;
            [&[0xff, 0x25][..], &(distance as i32).to_le_bytes()].concat()
        }
        Processor::Aarch64 => {
            // adrp x16, slot; ldr x16, [x16, slot]; br x16
            let adrp = 0x9000_0010 | page_bits(slot, at)?;
            let ldr = 0xf940_0210 | (((slot & 0xfff) / 8) as u32) << 10;
            [adrp, ldr, 0xd61f_0200].iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
        }
        Processor::Riscv64 => return Err("no library is known for this machine".to_owned()),
    };
    code.resize(STUB as usize, 0);
    Ok(code)
}

/// `value`, if it can be had in so many bits with a sign.
fn narrow(value: i64, bits: u32) -> Result<i64, String> {
    let beyond = value >> (bits - 1);
    match beyond {
        0 | -1 => Ok(value),
        _ => Err("the program is too large: a reference does not reach its target".to_owned()),
    }
}

/// The distance of two pages of 4 KiB, as `adrp` holds it.
fn page_bits(target: u64, at: u64) -> Result<u32, String> {
    let pages = narrow((target >> 12) as i64 - (at >> 12) as i64, 21)? as u32;
    Ok((pages & 3) << 29 | ((pages >> 2) & 0x7_ffff) << 5)
}

/// Sets the bits of an instruction.
fn set_bits(text: &mut [u8], place: usize, bits: u32) {
    let mut word = [0; 4];
    word.copy_from_slice(&text[place..place + 4]);
    text[place..place + 4].copy_from_slice(&(u32::from_le_bytes(word) | bits).to_le_bytes());
}

/// Fills in one reference to the address `target`; the text is at `base`. Encodings by the manuals of the processors and
/// their supplements to the System V ABI.
fn fill_in(text: &mut [u8], reference: &Reference, target: u64, base: u64) -> Result<(), String> {
    let place = reference.place as usize;
    let at = base + reference.place;
    let distance = target.wrapping_sub(at) as i64;
    // The upper part is rounded, because the lower one has a sign.
    let high = |distance: i64| narrow(distance + 0x800, 32).map(|rounded| rounded as u32 & 0xffff_f000);
    let low = |distance: i64| (distance as u32 & 0xfff) << 20;
    match reference.kind {
        RelocationKind::Pc32 | RelocationKind::Call => {
            let value = narrow(distance, 32)? as i32;
            text[place..place + 4].copy_from_slice(&value.to_le_bytes());
        }
        RelocationKind::Abs64 => return Err("the code holds an absolute address".to_owned()),
        RelocationKind::Arm64Call => {
            set_bits(text, place, (narrow(distance, 28)? >> 2) as u32 & 0x3ff_ffff);
        }
        RelocationKind::Arm64Page => set_bits(text, place, page_bits(target, at)?),
        RelocationKind::Arm64PageOffset => set_bits(text, place, (target as u32 & 0xfff) << 10),
        RelocationKind::RiscvCall => {
            set_bits(text, place, high(distance)?);
            set_bits(text, place + 4, low(distance));
        }
        RelocationKind::RiscvHigh => set_bits(text, place, high(distance)?),
        RelocationKind::RiscvLow(before) => set_bits(text, place, low(distance + i64::from(before))),
    }
    Ok(())
}

/// Bytes in the making, with numbers in the order of the machine.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A text in a field of so many bytes.
    fn field(&mut self, text: &str, size: usize) {
        let end = self.0.len() + size;
        self.0.extend(text.bytes().take(size));
        self.0.resize(end, 0);
    }

    fn pad_to(&mut self, size: u64) {
        self.0.resize(size as usize, 0);
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}
