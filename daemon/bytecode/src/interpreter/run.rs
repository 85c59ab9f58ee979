//! The machine: one loop over operations.
//!
//! Registers of all calls lie one behind the other in one list. The current frame is seen through a window of fixed
//! size that slot numbers cannot leave, so that no access to a register is checked.
use super::Compiled;
use super::compile::Code;
use super::host::{Caller, Host, HostError};
use super::instance::Interruption;
use super::instance::Machine;
use super::numeric::{self, Binary as _, Unary as _};
use super::op::{Op, all_operations};
use super::trap::TrapKind;
use crate::opcode::numeric_operations;
use crate::value::Value;

/// Slots that a frame sees: as many as a slot number can name.
pub(super) const WINDOW: usize = 1 << 16;

/// Fuel that is taken from what is left at once; between two times nobody looks whether to interrupt.
const FUEL_PORTION: u64 = 4096;
/// Bytes that one instruction may move for one unit of fuel.
const BYTES_PER_FUEL: u64 = 4096;

/// A call that waits for another, or the innermost one at a trap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activation {
    pub(super) function: u32,
    /// Index of its next operation.
    pub(super) next: u32,
    /// Its first slot.
    base: usize,
}

/// Fuel of the running call.
struct Meter {
    is_counted: bool,
    /// What is left of the portion that was taken from the machine's fuel.
    portion: u64,
}

impl Meter {
    /// Takes a unit when the portion is used up.
    #[cold]
    fn refill(&mut self, fuel: &mut u64, interruption: &mut Interruption) -> Result<(), TrapKind> {
        if interruption.is_wanted() {
            return Err(TrapKind::Interrupted);
        }
        let portion = FUEL_PORTION.min(*fuel);
        self.portion = portion.checked_sub(1).ok_or(TrapKind::OutOfFuel)?;
        if self.is_counted {
            *fuel -= portion;
        }
        Ok(())
    }

    /// Takes what it costs to touch so many bytes at once.
    fn take_bytes(
        &mut self,
        bytes: u64,
        fuel: &mut u64,
        interruption: &mut Interruption,
    ) -> Result<(), TrapKind> {
        let mut units = bytes / BYTES_PER_FUEL;
        while units > 0 {
            if self.portion == 0 {
                self.refill(fuel, interruption)?;
                units -= 1;
            } else {
                let taken = units.min(self.portion);
                self.portion -= taken;
                units -= taken;
            }
        }
        Ok(())
    }

    /// Gives back what is left of the portion.
    fn give_back(&mut self, fuel: &mut u64) {
        if self.is_counted {
            *fuel += self.portion;
        }
        self.portion = 0;
    }
}

/// The frame that begins at `base`. With less room than a window behind it there is none.
#[inline(always)]
fn window(stack: &mut [u64], base: usize) -> Option<&mut [u64; WINDOW]> {
    stack.get_mut(base..)?.first_chunk_mut()
}

/// Clears the slots that the code may read before it writes them.
#[inline(always)]
fn clear(frame: &mut [u64; WINDOW], code: &Code) {
    if code.zeroed > 0 {
        let start = usize::from(code.params);
        if let Some(slots) = frame.get_mut(start..start + usize::from(code.zeroed)) {
            slots.fill(0);
        }
    }
}

/// Calls an imported function with the arguments at the beginning of the frame at `base`, and puts the results
/// there.
fn call_host(
    compiled: &Compiled,
    machine: &mut Machine,
    host: &mut dyn Host,
    import: u32,
    base: usize,
) -> Result<(), TrapKind> {
    let module = compiled.module();
    let signature = module
        .imports
        .get(import as usize)
        .and_then(|import| module.signatures.get(import.signature as usize))
        .ok_or(TrapKind::Unreachable)?;
    let slots = machine.stack.get(base..).unwrap_or_default();
    let args: Vec<Value> =
        signature.params.iter().zip(slots).map(|(ty, bits)| Value::from_bits(*ty, *bits)).collect();
    let mut results = Vec::with_capacity(signature.results.len());
    // What the host calls in turn has its frames behind the arguments.
    let mut caller = Caller { compiled, machine, base: base + args.len() };
    host.call(import, &mut caller, &args, &mut results).map_err(|error| match error {
        HostError::Failed(message) => TrapKind::Host(message),
        HostError::Exit(status) => TrapKind::Exit(status),
        HostError::Trap(kind) => kind,
    })?;
    if !results.iter().map(|result| result.ty()).eq(signature.results.iter().copied()) {
        return Err(TrapKind::Host(format!("import {import} gave results of the wrong types")));
    }
    let slots = machine.stack.get_mut(base..).unwrap_or_default();
    for (slot, result) in slots.iter_mut().zip(results) {
        *slot = result.bits();
    }
    Ok(())
}

/// What a load puts into a slot: the value, extended by its own sign to the width of the register.
macro_rules! slot_of {
    (I32, $value:expr) => {
        u64::from($value as i32 as u32)
    };
    (F32, $value:expr) => {
        u64::from($value)
    };
    ($wide:ident, $value:expr) => {
        $value as i64 as u64
    };
}

macro_rules! define_run {
    (
        immediate { $($immediate:ident = $immediate_of:ident,)* }
        jump { $($jump:ident, $jump_immediate:ident = $jump_if:ident, $jump_unless:ident;)* }
        unary { $($unary:ident = $unary_number:literal $unary_text:literal ($unary_from:ident) => $unary_to:ident,)* }
        binary { $($binary:ident = $binary_number:literal $binary_text:literal ($binary_from:ident) => $binary_to:ident,)* }
        load { $($load:ident = $load_number:literal $load_text:literal $load_as:ident => $load_to:ident,)* }
        store { $($store:ident = $store_number:literal $store_text:literal $store_as:ident ($store_from:ident),)* }
    ) => {
        /// Runs `function`, whose arguments are at `base` in the stack, and leaves its results there.
        ///
        /// After a trap the machine's activations tell where it happened, the innermost last.
        #[allow(clippy::cognitive_complexity)]
        pub(super) fn run(
            compiled: &Compiled,
            machine: &mut Machine,
            host: &mut dyn Host,
            function: u32,
            base: usize,
        ) -> Result<(), TrapKind> {
            let outermost = machine.activations.len();
            let mut function = function;
            let mut base = base;
            let mut meter = Meter { is_counted: machine.config.fuel.is_some(), portion: 0 };
            let Some(mut code) = compiled.code(function) else { return Err(TrapKind::Unreachable) };
            let mut frame = window(&mut machine.stack, base).ok_or(TrapKind::StackOverflow)?;
            let mut memory = machine.memory.bytes_mut();
            clear(frame, code);
            let mut next = 0_usize;
            let kind = 'running: loop {
                let op = code.ops[next];
                next += 1;

                macro_rules! get { ($slot:expr) => { frame[usize::from($slot)] }; }
                macro_rules! set { ($slot:expr, $value:expr) => { frame[usize::from($slot)] = $value }; }
                macro_rules! checked {
                    ($result:expr) => { match $result { Ok(value) => value, Err(kind) => break 'running kind } };
                }
                macro_rules! take_fuel {
                    () => {
                        match meter.portion.checked_sub(1) {
                            Some(left) => meter.portion = left,
                            None => checked!(meter.refill(&mut machine.fuel, &mut machine.interruption)),
                        }
                    };
                }
                macro_rules! jump {
                    ($to:expr) => {{
                        let to = $to as usize;
                        if to < next {
                            take_fuel!();
                        }
                        next = to;
                    }};
                }
                macro_rules! call {
                    ($frame:expr, $callee:expr) => {{
                        take_fuel!();
                        let callee: u32 = $callee;
                        let Some(callee_code) = compiled.code(callee) else { break 'running TrapKind::Unreachable };
                        let callee_base = base + usize::from($frame);
                        if machine.activations.len() >= machine.config.call_depth {
                            break 'running TrapKind::StackOverflow;
                        }
                        // The window of the caller ends here; at a trap its frame is not looked at.
                        match window(&mut machine.stack, callee_base) {
                            Some(callee_frame) => frame = callee_frame,
                            None => break 'running TrapKind::StackOverflow,
                        }
                        machine.activations.push(Activation { function, next: next as u32, base });
                        function = callee;
                        base = callee_base;
                        code = callee_code;
                        next = 0;
                        clear(frame, code);
                    }};
                }
                macro_rules! leave {
                    () => {{
                        if machine.activations.len() == outermost {
                            meter.give_back(&mut machine.fuel);
                            return Ok(());
                        }
                        let Some(caller) = machine.activations.pop() else { break 'running TrapKind::Unreachable };
                        let Some(caller_code) = compiled.code(caller.function) else {
                            break 'running TrapKind::Unreachable;
                        };
                        match window(&mut machine.stack, caller.base) {
                            Some(caller_frame) => frame = caller_frame,
                            None => break 'running TrapKind::StackOverflow,
                        }
                        function = caller.function;
                        next = caller.next as usize;
                        base = caller.base;
                        code = caller_code;
                    }};
                }
                /// Bytes from a slot's address plus an offset on, to the end of memory.
                macro_rules! from_address {
                    ($slot:expr, $offset:expr) => {
                        get!($slot)
                            .checked_add(u64::from($offset))
                            .and_then(|start| memory.get_mut(usize::try_from(start).ok()?..))
                    };
                }

                match op {
                    Op::Unreachable => break 'running TrapKind::Unreachable,
                    Op::Jump { to } => jump!(to),
                    Op::JumpIf { a, to } => {
                        if get!(a) as u32 != 0 {
                            jump!(to);
                        }
                    }
                    Op::JumpUnless { a, to } => {
                        if get!(a) as u32 == 0 {
                            jump!(to);
                        }
                    }
                    Op::JumpTable { a, count, start } => {
                        let index = (get!(a) as u32).min(u32::from(count));
                        jump!(code.targets[start as usize + index as usize]);
                    }
                    Op::Call { frame: at, function: callee } => call!(at, callee),
                    Op::CallIndirect { a, frame: at, signature } => {
                        let module = compiled.module();
                        let callee = match module.table.get(get!(a) as u32 as usize) {
                            None => break 'running TrapKind::UndefinedSlot,
                            Some(None) => break 'running TrapKind::EmptySlot,
                            Some(Some(callee)) => *callee,
                        };
                        let found = module.functions.get(callee as usize).map(|callee| callee.signature);
                        if found != Some(signature) {
                            break 'running TrapKind::SignatureMismatch;
                        }
                        call!(at, callee);
                    }
                    Op::CallImport { frame: at, import } => {
                        take_fuel!();
                        meter.give_back(&mut machine.fuel);
                        machine.activations.push(Activation { function, next: next as u32, base });
                        let called = call_host(compiled, machine, host, import, base + usize::from(at));
                        machine.activations.pop();
                        // The host may have called the module, which may have grown the memory.
                        memory = machine.memory.bytes_mut();
                        match window(&mut machine.stack, base) {
                            Some(same_frame) => frame = same_frame,
                            None => break 'running TrapKind::StackOverflow,
                        }
                        checked!(called);
                    }
                    Op::Return => leave!(),
                    Op::ReturnSlot { a } => {
                        set!(0_u16, get!(a));
                        leave!();
                    }
                    Op::Move { d, a } => set!(d, get!(a)),
                    Op::Select { d, condition, a, b } => {
                        set!(d, if get!(condition) as u32 != 0 { get!(a) } else { get!(b) });
                    }
                    Op::Constant { d, value } => set!(d, i64::from(value) as u64),
                    Op::ConstantUnsigned { d, value } => set!(d, u64::from(value)),
                    Op::ConstantWide { d, index } => set!(d, code.wide_constants[index as usize]),
                    Op::AddressWide { d, a, index } => {
                        set!(d, get!(a).saturating_add(code.wide_constants[index as usize]));
                    }
                    Op::GlobalGet { d, global } => set!(d, machine.globals[global as usize]),
                    Op::GlobalSet { a, global } => machine.globals[global as usize] = get!(a),
                    Op::MemorySize { d } => set!(d, memory.len() as u64 / crate::limits::PAGE_BYTES),
                    Op::MemoryGrow { d, a } => {
                        let pages = get!(a);
                        let bytes = pages.saturating_mul(crate::limits::PAGE_BYTES).min(machine.config.memory_bytes);
                        checked!(meter.take_bytes(bytes, &mut machine.fuel, &mut machine.interruption));
                        // The type of an address, of which -1 says no.
                        let failed = if is_narrow(compiled) { u64::from(u32::MAX) } else { u64::MAX };
                        set!(d, machine.memory.grow(pages).unwrap_or(failed));
                        memory = machine.memory.bytes_mut();
                    }
                    Op::MemoryCopy { to, from, length } => {
                        let bytes = get!(length).min(memory.len() as u64);
                        checked!(meter.take_bytes(bytes, &mut machine.fuel, &mut machine.interruption));
                        let copied = machine.memory.copy(get!(to), get!(from), get!(length));
                        memory = machine.memory.bytes_mut();
                        checked!(copied.ok_or(TrapKind::MemoryOutOfBounds));
                    }
                    Op::MemoryFill { to, byte, length } => {
                        let bytes = get!(length).min(memory.len() as u64);
                        checked!(meter.take_bytes(bytes, &mut machine.fuel, &mut machine.interruption));
                        let filled = machine.memory.fill(get!(to), get!(byte) as u8, get!(length));
                        memory = machine.memory.bytes_mut();
                        checked!(filled.ok_or(TrapKind::MemoryOutOfBounds));
                    }
                    $(Op::$unary { d, a } => set!(d, checked!(numeric::$unary::apply(get!(a)))),)*
                    $(Op::$binary { d, a, b } => set!(d, checked!(numeric::$binary::apply(get!(a), get!(b)))),)*
                    $(Op::$immediate { d, a, value } => {
                        set!(d, checked!(numeric::$immediate_of::apply(get!(a), i64::from(value) as u64)));
                    })*
                    $(Op::$jump { a, b, to } => {
                        if checked!(numeric::$jump_if::apply(get!(a), get!(b))) != 0 {
                            jump!(to);
                        }
                    })*
                    $(Op::$jump_immediate { a, value, to } => {
                        if checked!(numeric::$jump_if::apply(get!(a), i64::from(value) as u64)) != 0 {
                            jump!(to);
                        }
                    })*
                    $(Op::$load { d, a, offset } => {
                        let bytes = from_address!(a, offset).and_then(|bytes| bytes.first_chunk());
                        let Some(bytes) = bytes else { break 'running TrapKind::MemoryOutOfBounds };
                        set!(d, slot_of!($load_to, $load_as::from_le_bytes(*bytes)));
                    })*
                    $(Op::$store { a, value, offset } => {
                        let value = get!(value) as $store_as;
                        let bytes = from_address!(a, offset).and_then(|bytes| bytes.first_chunk_mut());
                        let Some(bytes) = bytes else { break 'running TrapKind::MemoryOutOfBounds };
                        *bytes = value.to_le_bytes();
                    })*
                }
            };
            meter.give_back(&mut machine.fuel);
            machine.activations.push(Activation { function, next: next as u32, base });
            Err(kind)
        }
    };
}
all_operations!(define_run);

/// Whether addresses of the module have 32 bits.
fn is_narrow(compiled: &Compiled) -> bool {
    compiled.module().memory.is_none_or(|memory| memory.address == crate::module::AddressType::I32)
}
