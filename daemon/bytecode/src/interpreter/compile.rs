//! From verified code to the compact form: one pass that turns blocks into jumps, puts constants into the
//! operations that use them, fuses comparisons with the jumps behind them, and lets operations write where a
//! move would take their result. A second, shorter one takes out what nobody needs any more.
//!
//! Time and memory are linear in the size of the function and its registers.
use super::op::{Op, SlotIndex};
use crate::instruction::{Instruction, Register};
use crate::module::{Function, Module};
use crate::opcode::BinaryOp;
use crate::value::Signature;

/// A function in the compact form.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) ops: Box<[Op]>,
    /// Of each operation, the offset of its instruction in the function's code.
    offsets: Box<[u32]>,
    /// Targets of jump tables.
    pub(super) targets: Box<[u32]>,
    pub(super) wide_constants: Box<[u64]>,
    /// Slots that arguments take.
    pub(super) params: u16,
    /// Slots behind those that must be zero at the start.
    pub(super) zeroed: u16,
}

impl Code {
    /// Offset in the function's code of what the operation at `index` comes from.
    pub(super) fn offset(&self, index: usize) -> u32 {
        self.offsets.get(index).copied().unwrap_or_default()
    }
}

/// Translates a function of a verified module.
pub(super) fn compile(module: &Module, function: &Function) -> Code {
    let empty = Signature::default();
    let signature = module.signatures.get(function.signature as usize).unwrap_or(&empty);
    let instructions: Vec<(u32, Instruction)> = function
        .instructions()
        .filter_map(|(offset, instruction)| Some((offset as u32, instruction.ok()?)))
        .collect();
    let count =
        signature.params.len() + function.registers.iter().map(|(count, _)| *count as usize).sum::<usize>();
    let facts = Facts::collect(&instructions, signature.params.len(), count);
    let mut compiler = Compiler::new(facts, signature.params.len(), count);
    for (offset, instruction) in &instructions {
        compiler.offset = *offset;
        compiler.instruction(instruction);
    }
    compiler.finish()
}

/// What one look at the whole function tells about each register.
struct Facts {
    /// How often it is written; parameters once more, by the caller.
    writes: Vec<u32>,
    reads: Vec<u32>,
    /// The constant that its only write gives it.
    constant: Vec<Option<u64>>,
    /// Whether it may be read before it is written.
    needs_zero: Vec<bool>,
}

impl Facts {
    fn collect(instructions: &[(u32, Instruction)], params: usize, count: usize) -> Self {
        let mut facts = Self {
            writes: vec![0; count],
            reads: vec![0; count],
            constant: vec![None; count],
            needs_zero: vec![false; count],
        };
        let mut assigned = vec![false; count];
        assigned.iter_mut().take(params).for_each(|assigned| *assigned = true);
        facts.writes.iter_mut().take(params).for_each(|writes| *writes = 1);
        // Registers in the order of their first writes, and how many of them were written where each open
        // block began; `None` for a loop, whose end is reached through its body only.
        let mut order: Vec<Register> = Vec::new();
        let mut open: Vec<Option<usize>> = Vec::new();
        let forget = |order: &mut Vec<Register>, assigned: &mut [bool], to: usize| {
            for register in order.drain(to.min(order.len())..) {
                if let Some(assigned) = assigned.get_mut(register.index()) {
                    *assigned = false;
                }
            }
        };
        for (_, instruction) in instructions {
            for_each_read(instruction, |register| {
                let at = register.index();
                if let (Some(reads), Some(zero), Some(assigned)) =
                    (facts.reads.get_mut(at), facts.needs_zero.get_mut(at), assigned.get(at))
                {
                    *reads += 1;
                    *zero |= !assigned;
                }
            });
            for &register in instruction.results() {
                let at = register.index();
                if let (Some(writes), Some(assigned)) = (facts.writes.get_mut(at), assigned.get_mut(at)) {
                    *writes += 1;
                    if !std::mem::replace(assigned, true) {
                        order.push(register);
                    }
                }
            }
            if let Some((register, value)) = constant_of(instruction)
                && let Some(constant) = facts.constant.get_mut(register.index())
            {
                *constant = Some(value);
            }
            match instruction {
                Instruction::Block | Instruction::If { .. } => open.push(Some(order.len())),
                Instruction::Loop => open.push(None),
                // What the first half wrote, the second has not; what either wrote, only some ways have.
                Instruction::Else => {
                    if let Some(Some(start)) = open.last() {
                        forget(&mut order, &mut assigned, *start);
                    }
                }
                Instruction::End => {
                    if let Some(Some(start)) = open.pop() {
                        forget(&mut order, &mut assigned, start);
                    }
                }
                _ => {}
            }
        }
        for (at, constant) in facts.constant.iter_mut().enumerate() {
            let is_fixed = facts.writes.get(at) == Some(&1) && facts.needs_zero.get(at) == Some(&false);
            if !is_fixed {
                *constant = None;
            }
        }
        facts
    }
}

/// Where a jump that is not known yet is written.
#[derive(Clone, Copy)]
enum Patch {
    Op(usize),
    Table(usize),
}

/// An open block.
struct Open {
    /// Where a branch to a loop goes.
    loop_start: Option<u32>,
    /// What must go to the end.
    to_end: Vec<Patch>,
    /// The jump of an `if` to its `else` or end.
    to_else: Option<usize>,
}

struct Compiler {
    facts: Facts,
    /// Slot of each register.
    slots: Vec<SlotIndex>,
    /// First slot behind the frame: where callees' frames begin.
    frame: SlotIndex,
    params: u16,
    zeroed: u16,
    ops: Vec<Op>,
    offsets: Vec<u32>,
    targets: Vec<u32>,
    wide_constants: Vec<u64>,
    open: Vec<Open>,
    /// Offset of the current instruction.
    offset: u32,
    /// Operations before this index may be reached otherwise, or have been followed by a call: they stay.
    barrier: usize,
    /// The operation that gives each register its value, if that is its only write.
    defined_by: Vec<Option<usize>>,
    /// Last operation that reads or writes each slot, arguments of calls included.
    touched: Vec<usize>,
    /// Whether each constant register is needed in its slot.
    constant_needed: Vec<bool>,
    /// Operations that define constants, with their registers.
    constants: Vec<(usize, Register)>,
}

impl Compiler {
    fn new(facts: Facts, params: usize, count: usize) -> Self {
        // Parameters keep their slots; those that must be zero follow, so that one fill does it.
        let mut slots = vec![0; count];
        let zeroed = |at: usize| facts.needs_zero.get(at) == Some(&true);
        let order = (0..params)
            .chain((params..count).filter(|at| zeroed(*at)))
            .chain((params..count).filter(|at| !zeroed(*at)));
        for (next, at) in order.enumerate() {
            if let Some(slot) = slots.get_mut(at) {
                *slot = next as SlotIndex;
            }
        }
        let zeroed = (params..count).filter(|at| zeroed(*at)).count();
        Self {
            slots,
            frame: count as SlotIndex,
            params: params as u16,
            zeroed: zeroed as u16,
            ops: Vec::new(),
            offsets: Vec::new(),
            targets: Vec::new(),
            wide_constants: Vec::new(),
            open: Vec::new(),
            offset: 0,
            barrier: 0,
            defined_by: vec![None; count],
            touched: vec![0; count],
            constant_needed: vec![false; count],
            constants: Vec::new(),
            facts,
        }
    }

    /// Slot of a register that is written.
    fn result(&mut self, register: Register) -> SlotIndex {
        let slot = self.slots.get(register.index()).copied().unwrap_or_default();
        self.touch(slot);
        if self.facts.writes.get(register.index()) == Some(&1)
            && let Some(defined_by) = self.defined_by.get_mut(register.index())
        {
            *defined_by = Some(self.ops.len());
        }
        slot
    }

    /// Slot of a register that is read.
    fn operand(&mut self, register: Register) -> SlotIndex {
        if let Some(needed) = self.constant_needed.get_mut(register.index()) {
            *needed = true;
        }
        let slot = self.slots.get(register.index()).copied().unwrap_or_default();
        self.touch(slot);
        slot
    }

    /// Says that the next operation uses this slot.
    fn touch(&mut self, slot: SlotIndex) {
        let at = usize::from(slot);
        if at >= self.touched.len() {
            self.touched.resize(at + 1, 0);
        }
        if let Some(touched) = self.touched.get_mut(at) {
            *touched = self.ops.len();
        }
    }

    fn emit(&mut self, op: Op) -> usize {
        let at = self.ops.len();
        self.ops.push(op);
        self.offsets.push(self.offset);
        at
    }

    fn next(&self) -> u32 {
        self.ops.len() as u32
    }

    fn constant(&self, register: Register) -> Option<u64> {
        self.facts.constant.get(register.index()).copied().flatten()
    }

    /// The constant of a register, if it fits into an operation. `is_wide` says whether the operation is on `i64`.
    fn small_constant(&self, register: Register, is_wide: bool) -> Option<i32> {
        let bits = self.constant(register)?;
        if is_wide { i32::try_from(bits as i64).ok() } else { Some(bits as u32 as i32) }
    }

    /// The last operation, if it alone gives `register` its value and nobody but the next reads it.
    fn last_defines(&self, register: Register) -> Option<usize> {
        let last = self.ops.len().checked_sub(1)?;
        let is_last = self.defined_by.get(register.index()) == Some(&Some(last));
        let is_only = self.facts.reads.get(register.index()) == Some(&1);
        (is_last && is_only && last >= self.barrier).then_some(last)
    }

    /// Puts the value of `register` into `slot`: by letting the operation that made it write there, if nothing
    /// in between uses that slot, or else by a move.
    fn move_to(&mut self, slot: SlotIndex, register: Register) {
        let made_by = self.defined_by.get(register.index()).copied().flatten();
        let is_only = self.facts.reads.get(register.index()) == Some(&1);
        if let (Some(made_by), true) = (made_by, is_only)
            && made_by >= self.barrier
            && self.touched.get(usize::from(slot)).is_none_or(|touched| *touched <= made_by)
            && let Some(op) = self.ops.get_mut(made_by)
            && op.set_result(slot)
        {
            // A constant stays, now as something else's value.
            if let Some(needed) = self.constant_needed.get_mut(register.index()) {
                *needed = true;
            }
            self.touch(slot);
            return;
        }
        let a = self.operand(register);
        self.touch(slot);
        self.emit(Op::Move { d: slot, a });
    }

    /// Puts a branch target into the operation at `at`.
    fn branch(&mut self, depth: u32, patch: Patch) {
        let index = self.open.len().checked_sub(1 + depth as usize);
        let Some(open) = index.and_then(|index| self.open.get_mut(index)) else { return };
        match open.loop_start {
            Some(start) => self.patch(patch, start),
            None => open.to_end.push(patch),
        }
    }

    fn patch(&mut self, patch: Patch, target: u32) {
        match patch {
            Patch::Op(at) => {
                if let Some(op) = self.ops.get_mut(at) {
                    op.set_target(target);
                }
            }
            Patch::Table(at) => {
                if let Some(to) = self.targets.get_mut(at) {
                    *to = target;
                }
            }
        }
    }

    /// A jump that is taken if the condition is not zero, or if it is.
    fn conditional_jump(&mut self, condition: Register, if_true: bool) -> usize {
        if let Some(last) = self.last_defines(condition)
            && let Some(fused) = self.ops.get(last).and_then(|op| op.fused_jump(if_true, 0))
            && let Some(op) = self.ops.get_mut(last)
        {
            *op = fused;
            return last;
        }
        let a = self.operand(condition);
        self.emit(if if_true { Op::JumpIf { a, to: 0 } } else { Op::JumpUnless { a, to: 0 } })
    }

    fn call(&mut self, args: &[Register], results: &[Register], op: impl FnOnce(SlotIndex) -> Op) {
        let frame = self.frame;
        for (at, register) in args.iter().enumerate() {
            self.move_to(frame.saturating_add(at as SlotIndex), *register);
        }
        self.emit(op(frame));
        self.barrier = self.ops.len();
        for (at, register) in results.iter().enumerate() {
            let a = frame.saturating_add(at as SlotIndex);
            self.touch(a);
            let d = self.result(*register);
            self.emit(Op::Move { d, a });
        }
    }

    fn wide_constant(&mut self, value: u64) -> u32 {
        let index = self.wide_constants.len() as u32;
        self.wide_constants.push(value);
        index
    }

    fn constant_op(&mut self, register: Register, bits: u64) {
        let at = self.ops.len();
        let d = self.result(register);
        let op = if let Ok(value) = i32::try_from(bits as i64) {
            Op::Constant { d, value }
        } else if let Ok(value) = u32::try_from(bits) {
            Op::ConstantUnsigned { d, value }
        } else {
            Op::ConstantWide { d, index: self.wide_constant(bits) }
        };
        self.emit(op);
        if self.constant(register).is_some() {
            self.constants.push((at, register));
        }
    }

    fn binary(&mut self, op: BinaryOp, result: Register, left: Register, right: Register) {
        let is_wide = op.operand() == crate::value::ValueType::I64;
        // A difference is a sum with the negative; a sum may have its constant on either side.
        let subtrahend = self.small_constant(right, is_wide).and_then(i32::checked_neg);
        let (op, left, constant) = match (op, subtrahend) {
            (BinaryOp::I32Sub, Some(value)) => (BinaryOp::I32Add, left, Some(value)),
            (BinaryOp::I64Sub, Some(value)) => (BinaryOp::I64Add, left, Some(value)),
            _ => match self.small_constant(right, is_wide) {
                Some(value) => (op, left, Some(value)),
                None if is_commutative(op) => match self.small_constant(left, is_wide) {
                    Some(value) => (op, right, Some(value)),
                    None => (op, left, None),
                },
                None => (op, left, None),
            },
        };
        if let Some(value) = constant
            && Op::immediate(op, 0, 0, value).is_some()
        {
            let a = self.operand(left);
            let d = self.result(result);
            if let Some(op) = Op::immediate(op, d, a, value) {
                self.emit(op);
            }
            return;
        }
        // Whatever was changed above has a form with a constant: here all is as it came.
        let (a, b) = (self.operand(left), self.operand(right));
        let d = self.result(result);
        self.emit(Op::binary(op, d, a, b));
    }

    /// Slot and offset of an access. An offset that does not fit is added first, into the slot behind the frame.
    fn address(&mut self, address: Register, offset: u64) -> (SlotIndex, u32) {
        let a = self.operand(address);
        match u32::try_from(offset) {
            Ok(offset) => (a, offset),
            Err(_) => {
                let d = self.frame;
                let index = self.wide_constant(offset);
                self.touch(d);
                self.emit(Op::AddressWide { d, a, index });
                self.touch(d);
                (d, 0)
            }
        }
    }

    fn end(&mut self) {
        let end = self.next();
        let Some(open) = self.open.pop() else { return };
        if let Some(at) = open.to_else {
            self.patch(Patch::Op(at), end);
        }
        open.to_end.into_iter().for_each(|patch| self.patch(patch, end));
        self.barrier = self.ops.len();
    }

    fn return_(&mut self, values: &[Register]) {
        match values {
            [] => {
                self.emit(Op::Return);
            }
            [value] => {
                let a = self.operand(*value);
                self.emit(Op::ReturnSlot { a });
            }
            _ => {
                // By way of slots behind the frame, as a result may be in the place of another.
                let behind = |at: usize, frame: SlotIndex| frame.saturating_add(at as SlotIndex);
                for (at, value) in values.iter().enumerate() {
                    let a = self.operand(*value);
                    self.emit(Op::Move { d: behind(at, self.frame), a });
                }
                for at in 0..values.len() {
                    self.emit(Op::Move { d: at as SlotIndex, a: behind(at, self.frame) });
                }
                self.emit(Op::Return);
            }
        }
    }

    fn instruction(&mut self, instruction: &Instruction) {
        match instruction {
            Instruction::Unreachable => {
                self.emit(Op::Unreachable);
            }
            Instruction::Block => {
                self.open.push(Open { loop_start: None, to_end: Vec::new(), to_else: None });
            }
            Instruction::Loop => {
                self.barrier = self.ops.len();
                let loop_start = Some(self.next());
                self.open.push(Open { loop_start, to_end: Vec::new(), to_else: None });
            }
            Instruction::If { condition } => {
                let jump = self.conditional_jump(*condition, false);
                self.barrier = self.ops.len();
                self.open.push(Open { loop_start: None, to_end: Vec::new(), to_else: Some(jump) });
            }
            Instruction::Else => {
                let jump = self.emit(Op::Jump { to: 0 });
                let next = self.next();
                if let Some(open) = self.open.last_mut() {
                    open.to_end.push(Patch::Op(jump));
                    if let Some(to_else) = open.to_else.take() {
                        self.patch(Patch::Op(to_else), next);
                    }
                }
                self.barrier = self.ops.len();
            }
            Instruction::End => self.end(),
            Instruction::Br { depth } => {
                let jump = self.emit(Op::Jump { to: 0 });
                self.branch(*depth, Patch::Op(jump));
            }
            Instruction::BrIf { condition, depth } => {
                let jump = self.conditional_jump(*condition, true);
                self.branch(*depth, Patch::Op(jump));
                self.barrier = self.ops.len();
            }
            Instruction::BrTable { index, depths, default } => {
                let a = self.operand(*index);
                let start = self.targets.len();
                self.emit(Op::JumpTable { a, count: depths.len() as u16, start: start as u32 });
                self.targets.resize(start + depths.len() + 1, 0);
                for (at, depth) in depths.iter().chain([default]).enumerate() {
                    self.branch(*depth, Patch::Table(start + at));
                }
                self.barrier = self.ops.len();
            }
            Instruction::Return { values } => self.return_(values),
            Instruction::Call { function, args, results } => {
                self.call(args, results, |frame| Op::Call { frame, function: *function });
            }
            Instruction::CallImport { import, args, results } => {
                self.call(args, results, |frame| Op::CallImport { frame, import: *import });
            }
            Instruction::CallIndirect { signature, slot, args, results } => {
                let a = self.operand(*slot);
                self.call(args, results, |frame| Op::CallIndirect { a, frame, signature: *signature });
            }
            Instruction::Select { result, condition, if_true, if_false } => {
                let condition = self.operand(*condition);
                let (a, b) = (self.operand(*if_true), self.operand(*if_false));
                let d = self.result(*result);
                self.emit(Op::Select { d, condition, a, b });
            }
            Instruction::Move { result, value } => {
                let slot = self.slots.get(result.index()).copied().unwrap_or_default();
                self.move_to(slot, *value);
            }
            Instruction::I32Const { result, value } => self.constant_op(*result, u64::from(*value as u32)),
            Instruction::I64Const { result, value } => self.constant_op(*result, *value as u64),
            Instruction::F32Const { result, bits } => self.constant_op(*result, u64::from(*bits)),
            Instruction::F64Const { result, bits } => self.constant_op(*result, *bits),
            Instruction::GlobalGet { result, global } => {
                let d = self.result(*result);
                self.emit(Op::GlobalGet { d, global: *global });
            }
            Instruction::GlobalSet { global, value } => {
                let a = self.operand(*value);
                self.emit(Op::GlobalSet { a, global: *global });
            }
            Instruction::MemorySize { result } => {
                let d = self.result(*result);
                self.emit(Op::MemorySize { d });
            }
            Instruction::MemoryGrow { result, pages } => {
                let a = self.operand(*pages);
                let d = self.result(*result);
                self.emit(Op::MemoryGrow { d, a });
            }
            Instruction::MemoryCopy { to, from, length } => {
                let (to, from, length) = (self.operand(*to), self.operand(*from), self.operand(*length));
                self.emit(Op::MemoryCopy { to, from, length });
            }
            Instruction::MemoryFill { to, byte, length } => {
                let (to, byte, length) = (self.operand(*to), self.operand(*byte), self.operand(*length));
                self.emit(Op::MemoryFill { to, byte, length });
            }
            Instruction::Unary { op, result, value } => {
                let a = self.operand(*value);
                let d = self.result(*result);
                self.emit(Op::unary(*op, d, a));
            }
            Instruction::Binary { op, result, left, right } => self.binary(*op, *result, *left, *right),
            Instruction::Load { op, result, address, offset } => {
                let (a, offset) = self.address(*address, *offset);
                let d = self.result(*result);
                self.emit(Op::load(*op, d, a, offset));
            }
            Instruction::Store { op, address, offset, value } => {
                let (a, offset) = self.address(*address, *offset);
                let value = self.operand(*value);
                self.emit(Op::store(*op, a, value, offset));
            }
        }
    }

    /// Takes out the constants that all their users have in themselves, and closes the gaps.
    fn finish(self) -> Code {
        let Self { mut ops, mut offsets, mut targets, constants, constant_needed, .. } = self;
        let mut dead = vec![false; ops.len()];
        for (at, register) in constants {
            if constant_needed.get(register.index()) == Some(&false)
                && let Some(dead) = dead.get_mut(at)
            {
                *dead = true;
            }
        }
        let mut moved_to = Vec::with_capacity(ops.len() + 1);
        let mut kept = 0_u32;
        for dead in &dead {
            moved_to.push(kept);
            kept += u32::from(!dead);
        }
        moved_to.push(kept);
        let moved = |to: u32| moved_to.get(to as usize).copied().unwrap_or_default();
        let keep = |at: &mut usize| {
            *at += 1;
            dead.get(*at - 1) == Some(&false)
        };
        let mut at = 0;
        ops.retain(|_| keep(&mut at));
        let mut at = 0;
        offsets.retain(|_| keep(&mut at));
        for op in &mut ops {
            if let Some(to) = op.target() {
                op.set_target(moved(to));
            }
        }
        targets.iter_mut().for_each(|to| *to = moved(*to));
        Code {
            ops: ops.into(),
            offsets: offsets.into(),
            targets: targets.into(),
            wide_constants: self.wide_constants.into(),
            params: self.params,
            zeroed: self.zeroed,
        }
    }
}

fn constant_of(instruction: &Instruction) -> Option<(Register, u64)> {
    match instruction {
        Instruction::I32Const { result, value } => Some((*result, u64::from(*value as u32))),
        Instruction::I64Const { result, value } => Some((*result, *value as u64)),
        Instruction::F32Const { result, bits } => Some((*result, u64::from(*bits))),
        Instruction::F64Const { result, bits } => Some((*result, *bits)),
        _ => None,
    }
}

/// Whether the operands of an integer operation can change places.
fn is_commutative(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::I32Add
            | BinaryOp::I32Mul
            | BinaryOp::I32And
            | BinaryOp::I32Or
            | BinaryOp::I32Xor
            | BinaryOp::I32Eq
            | BinaryOp::I32Ne
            | BinaryOp::I64Add
            | BinaryOp::I64Mul
            | BinaryOp::I64And
            | BinaryOp::I64Or
            | BinaryOp::I64Xor
            | BinaryOp::I64Eq
            | BinaryOp::I64Ne
    )
}

fn for_each_read(instruction: &Instruction, mut f: impl FnMut(Register)) {
    match instruction {
        Instruction::Unreachable
        | Instruction::Block
        | Instruction::Loop
        | Instruction::Else
        | Instruction::End
        | Instruction::Br { .. }
        | Instruction::I32Const { .. }
        | Instruction::I64Const { .. }
        | Instruction::F32Const { .. }
        | Instruction::F64Const { .. }
        | Instruction::GlobalGet { .. }
        | Instruction::MemorySize { .. } => {}
        Instruction::If { condition } | Instruction::BrIf { condition, .. } => f(*condition),
        Instruction::BrTable { index, .. } => f(*index),
        Instruction::Return { values } => values.iter().copied().for_each(f),
        Instruction::Call { args, .. } | Instruction::CallImport { args, .. } => {
            args.iter().copied().for_each(f);
        }
        Instruction::CallIndirect { slot, args, .. } => {
            f(*slot);
            args.iter().copied().for_each(f);
        }
        Instruction::Select { condition, if_true, if_false, .. } => {
            [condition, if_true, if_false].into_iter().copied().for_each(f);
        }
        Instruction::Move { value, .. }
        | Instruction::GlobalSet { value, .. }
        | Instruction::Unary { value, .. } => f(*value),
        Instruction::MemoryGrow { pages, .. } => f(*pages),
        Instruction::MemoryCopy { to, from, length } => [to, from, length].into_iter().copied().for_each(f),
        Instruction::MemoryFill { to, byte, length } => [to, byte, length].into_iter().copied().for_each(f),
        Instruction::Binary { left, right, .. } => [left, right].into_iter().copied().for_each(f),
        Instruction::Load { address, .. } => f(*address),
        Instruction::Store { address, value, .. } => [address, value].into_iter().copied().for_each(f),
    }
}
