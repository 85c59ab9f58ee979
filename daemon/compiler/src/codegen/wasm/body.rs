//! One function of SSA to a WebAssembly body.
//!
//! Control flow comes from [`structure`]; block parameters and values that other blocks use are locals. A value
//! that is used once, in its own block, is computed where it is used, so that most never have a local: engines
//! make SSA of locals anyway, and the code is smaller. Integers of 8 and 16 bits are kept zero-extended in 32.
use wasm_encoder::{BlockType, Encode, InstructionSink, MemArg, ValType};

use super::externs::{self, Extern, FloatFunction, FloatWidth, Inline};
use super::{Reference, ReferenceTarget, Signature, WasmCode, WasmWidth};
use crate::codegen::CodegenError;
use crate::codegen::structure::{Edge, Step, edge_target, structure};
use crate::ssa::{
    BlockId, Callee, DropFn, Function, Inst, ObjectRepr, Op, SlotId, Source, Symbol, Terminator, Type, Value,
    layout, wrap_int,
};

/// How deeply expressions nest before a value gets a local.
const MAX_DEPTH: u8 = 32;

/// More than this engines refuse (WebAssembly JavaScript interface, "implementation-defined limits").
const MAX_LOCALS: usize = 50_000;

/// Compiles a function. Pure and independent of all others.
///
/// # Errors
/// If the function needs more than an engine takes.
pub fn compile_wasm(function: &Function, width: WasmWidth) -> Result<WasmCode, CodegenError> {
    if cfg!(debug_assertions) {
        crate::ssa::verify(function).map_err(CodegenError::Internal)?;
    }
    let mut body = Body::new(function, width);
    body.enter();
    let steps = structure(function);
    body.steps(&steps, None);
    // Behind the last step nothing is reached, but a loop that ends the function has to be followed by something.
    body.ins().unreachable().end();
    body.finish()
}

/// The types that hold a scalar, in order.
pub(super) fn val_types(ty: Type) -> &'static [ValType] {
    match ty {
        Type::I8 | Type::I16 | Type::I32 => &[ValType::I32],
        Type::I64 => &[ValType::I64],
        Type::I128 => &[ValType::I64, ValType::I64],
        Type::F32 => &[ValType::F32],
        Type::F64 => &[ValType::F64],
    }
}

/// Parameters and results of a function with these types.
pub(super) fn signature(params: impl IntoIterator<Item = Type>, ret: Option<Type>) -> Signature {
    Signature {
        params: params.into_iter().flat_map(val_types).copied().collect(),
        results: ret.map_or(&[][..], val_types).to_vec(),
    }
}

/// Where a value is.
#[derive(Clone, Copy)]
pub(super) enum Held<'a> {
    /// Nowhere: not defined yet, or never used.
    Nowhere,
    /// Made anew wherever it is used.
    Constant(&'a Op),
    /// In a local.
    Local(u32),
    /// In two locals, the lower half first.
    Pair(u32, u32),
    /// To be computed where it is used.
    Deferred(&'a Inst),
}

/// What uses a value.
#[derive(Clone, Copy)]
struct Use {
    count: u32,
    /// Where, if all are in one block.
    block: Option<BlockId>,
}

/// What a depth of a jump counts.
enum Frame {
    /// Leads behind the frame, to the block.
    Behind(BlockId),
    /// Leads to the beginning of the frame, which is the block.
    Head(BlockId),
    /// Jumps to blocks go through the selector.
    Dispatch { selector: u32, blocks: Vec<BlockId> },
    /// Nothing that blocks know of.
    Plain,
}

pub(super) struct Body<'a> {
    pub(super) function: &'a Function,
    width: WasmWidth,
    code: Vec<u8>,
    references: Vec<Reference>,
    params: u32,
    locals: Vec<ValType>,
    held: Vec<Held<'a>>,
    uses: Vec<Use>,
    defined: Vec<Option<BlockId>>,
    depth: Vec<u8>,
    /// Locals that no value of this block is in yet, by type.
    free: [Vec<u32>; 4],
    /// Locals to be used again from the next block on.
    lent: Vec<(ValType, u32)>,
    /// Loads that are deferred; what writes memory ends that.
    loads: Vec<Value>,
    frames: Vec<Frame>,
    /// Holds the address of the first slot, if there are slots.
    frame: Option<u32>,
    frame_size: u32,
    slots: Vec<u32>,
}

impl<'a> Body<'a> {
    fn new(function: &'a Function, width: WasmWidth) -> Self {
        let count = function.values.len();
        let mut body = Self {
            function,
            width,
            code: Vec::new(),
            references: Vec::new(),
            params: 0,
            locals: Vec::new(),
            held: vec![Held::Nowhere; count],
            uses: vec![Use { count: 0, block: None }; count],
            defined: vec![None; count],
            depth: vec![0; count],
            free: Default::default(),
            lent: Vec::new(),
            loads: Vec::new(),
            frames: Vec::new(),
            frame: None,
            frame_size: 0,
            slots: Vec::new(),
        };
        body.count_uses();
        body
    }

    fn count_uses(&mut self) {
        let uses = &mut self.uses;
        for block in self.function.reverse_post_order() {
            let data = &self.function.blocks[block.0 as usize];
            let mut count = |value: Value| {
                let known = &mut uses[value.0 as usize];
                known.block = (known.count == 0 || known.block == Some(block)).then_some(block);
                known.count += 1;
            };
            for inst in &data.insts {
                inst.op.for_each_operand(&mut count);
                if let Some(result) = inst.result {
                    self.defined[result.0 as usize] = Some(block);
                }
            }
            data.terminator.for_each_operand(&mut count);
            data.terminator.for_each_target(|target| target.args.iter().copied().for_each(&mut count));
        }
    }

    /// Parameters and the frame.
    fn enter(&mut self) {
        for &param in self.function.params() {
            let types = val_types(self.function.ty(param));
            self.held[param.0 as usize] = match types {
                [_, _] => Held::Pair(self.params, self.params + 1),
                _ => Held::Local(self.params),
            };
            self.params += types.len() as u32;
        }
        for block in self.function.reverse_post_order().into_iter().skip(1) {
            for &param in &self.function.blocks[block.0 as usize].params {
                if self.uses[param.0 as usize].count > 0 {
                    self.own_local(param);
                }
            }
        }
        for slot in &self.function.slots {
            self.slots.push(self.frame_size);
            self.frame_size += slot.size.max(1).next_multiple_of(8);
        }
        // Addresses of slots of a multiple of 16, as natively.
        self.frame_size = self.frame_size.next_multiple_of(16);
        if self.frame_size > 0 {
            let frame = self.new_local(ValType::I64);
            let size = i64::from(self.frame_size);
            self.ins().global_get(0).i64_const(size).i64_sub().local_tee(frame).global_set(0);
            self.frame = Some(frame);
        }
    }

    fn finish(self) -> Result<WasmCode, CodegenError> {
        if self.locals.len() + self.params as usize > MAX_LOCALS {
            return Err(CodegenError::Internal(format!(
                "the function needs {} variables, and WebAssembly engines take {MAX_LOCALS}: split it",
                self.locals.len()
            )));
        }
        let mut runs: Vec<(u32, ValType)> = Vec::new();
        for &ty in &self.locals {
            match runs.last_mut() {
                Some((count, last)) if *last == ty => *count += 1,
                _ => runs.push((1, ty)),
            }
        }
        let mut bytes = Vec::with_capacity(self.code.len() + 8);
        (runs.len() as u32).encode(&mut bytes);
        for (count, ty) in runs {
            count.encode(&mut bytes);
            ty.encode(&mut bytes);
        }
        let start = bytes.len() as u32;
        bytes.extend_from_slice(&self.code);
        let mut references = self.references;
        references.iter_mut().for_each(|reference| reference.offset += start);
        let params = self.function.params().iter().map(|&param| self.function.ty(param));
        Ok(WasmCode { signature: signature(params, self.function.ret), bytes: bytes.into(), references })
    }

    /// Where the next instruction goes.
    pub(super) fn ins(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    /// A number that the module knows is missing here.
    fn refer(&mut self, target: ReferenceTarget) {
        self.references.push(Reference { offset: self.code.len() as u32, target });
    }

    fn new_local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.params + self.locals.len() as u32 - 1
    }

    /// A local that is used again from the next block on.
    pub(super) fn temporary(&mut self, ty: ValType) -> u32 {
        let local = match self.pool(ty).and_then(Vec::pop) {
            Some(local) => local,
            None => self.new_local(ty),
        };
        self.lent.push((ty, local));
        local
    }

    fn pool(&mut self, ty: ValType) -> Option<&mut Vec<u32>> {
        let number = match ty {
            ValType::I32 => 0,
            ValType::I64 => 1,
            ValType::F32 => 2,
            ValType::F64 => 3,
            ValType::V128 | ValType::Ref(_) => return None,
        };
        self.free.get_mut(number)
    }

    /// Gives a value locals that only it uses.
    fn own_local(&mut self, value: Value) {
        let held = match val_types(self.function.ty(value)) {
            [low, high] => Held::Pair(self.new_local(*low), self.new_local(*high)),
            [ty] => Held::Local(self.new_local(*ty)),
            _ => Held::Nowhere,
        };
        self.held[value.0 as usize] = held;
    }

    /// Gives a value that is defined here locals for as long as it is needed.
    fn local_for(&mut self, value: Value) {
        let at = value.0 as usize;
        if self.uses[at].block.is_some() && self.uses[at].block == self.defined[at] {
            let held = match val_types(self.function.ty(value)) {
                [low, high] => Held::Pair(self.temporary(*low), self.temporary(*high)),
                [ty] => Held::Local(self.temporary(*ty)),
                _ => Held::Nowhere,
            };
            self.held[at] = held;
        } else {
            self.own_local(value);
        }
    }

    /// Where a value is.
    pub(super) fn held(&self, value: Value) -> Held<'a> {
        self.held[value.0 as usize]
    }

    /// The value of a constant.
    pub(super) fn known_int(&self, value: Value) -> Option<i128> {
        match self.held(value) {
            Held::Constant(Op::Int(constant)) => Some(*constant),
            _ => None,
        }
    }

    /// Takes what is on the stack as the value.
    pub(super) fn define(&mut self, value: Value) {
        if self.uses[value.0 as usize].count == 0 {
            let types = val_types(self.function.ty(value));
            types.iter().for_each(|_| {
                self.ins().drop();
            });
            return;
        }
        self.local_for(value);
        self.set(value);
    }

    /// From the stack into the locals of a value.
    fn set(&mut self, value: Value) {
        match self.held(value) {
            Held::Local(local) => {
                self.ins().local_set(local);
            }
            Held::Pair(low, high) => {
                self.ins().local_set(high).local_set(low);
            }
            Held::Nowhere | Held::Constant(_) | Held::Deferred(_) => {}
        }
    }

    /// Puts a value on the stack.
    pub(super) fn push(&mut self, value: Value) {
        match self.held(value) {
            Held::Constant(op) => self.push_constant(op, self.function.ty(value)),
            Held::Local(local) => {
                self.ins().local_get(local);
            }
            Held::Pair(low, high) => {
                self.ins().local_get(low).local_get(high);
            }
            Held::Deferred(inst) => {
                self.held[value.0 as usize] = Held::Nowhere;
                self.operation(inst);
            }
            // Dominance puts definitions first; the verifier checks it.
            Held::Nowhere => self.push_constant(&Op::Int(0), self.function.ty(value)),
        }
    }

    /// The local of a value of up to 64 bits; it is put into one if it is in none.
    pub(super) fn local_of(&mut self, value: Value) -> u32 {
        if let Held::Local(local) = self.held(value) {
            return local;
        }
        let deferred = matches!(self.held(value), Held::Deferred(_));
        self.push(value);
        let ty = val_types(self.function.ty(value)).first().copied().unwrap_or(ValType::I64);
        let local = self.temporary(ty);
        self.ins().local_set(local);
        if deferred {
            self.held[value.0 as usize] = Held::Local(local);
        }
        local
    }

    fn push_constant(&mut self, op: &Op, ty: Type) {
        match op {
            Op::Int(value) => self.push_int(*value, ty),
            Op::Float(bits) => self.push_int(i128::from(*bits), ty),
            Op::SymbolAddress(symbol) => self.push_address(symbol),
            Op::SlotAddress(slot) => self.push_slot(*slot),
            _ => {}
        }
    }

    /// Puts a constant on the stack: for floats, its bits.
    pub(super) fn push_int(&mut self, value: i128, ty: Type) {
        match ty {
            Type::I8 => self.ins().i32_const(i32::from(value as u8)),
            Type::I16 => self.ins().i32_const(i32::from(value as u16)),
            Type::I32 => self.ins().i32_const(value as i32),
            Type::I64 => self.ins().i64_const(value as i64),
            Type::I128 => self.ins().i64_const(value as i64).i64_const((value >> 64) as i64),
            Type::F32 => self.ins().f32_const(wasm_encoder::Ieee32::new(value as u32)),
            Type::F64 => self.ins().f64_const(wasm_encoder::Ieee64::new(value as u64)),
        };
    }

    fn push_address(&mut self, symbol: &Symbol) {
        // `i64.const`
        self.code.push(0x42);
        self.refer(ReferenceTarget::Address(symbol.clone()));
    }

    fn push_slot(&mut self, slot: SlotId) {
        let (Some(frame), Some(&offset)) = (self.frame, self.slots.get(slot.0 as usize)) else {
            self.ins().i64_const(0);
            return;
        };
        self.ins().local_get(frame);
        if offset > 0 {
            self.ins().i64_const(i64::from(offset)).i64_add();
        }
    }

    /// Steps; those at the end that would jump to `next` run into it.
    fn steps(&mut self, steps: &[Step], next: Option<BlockId>) {
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Go(block) if at + 1 == steps.len() && next == Some(*block) => {}
                _ => self.step(step),
            }
        }
    }

    fn step(&mut self, step: &Step) {
        stacker::maybe_grow(64 << 10, 1 << 20, || match step {
            Step::Run(block) => self.run(*block),
            Step::Leave(block) => self.leave(*block),
            Step::Assign(edge) => self.assign(*edge),
            Step::Go(block) => self.go(*block),
            Step::Block(block, steps) => {
                self.ins().block(BlockType::Empty);
                self.inside(Frame::Behind(*block), steps, Some(*block));
            }
            Step::Loop(block, steps) => {
                self.ins().loop_(BlockType::Empty);
                self.inside(Frame::Head(*block), steps, None);
                // A loop is left by jumps only.
                self.ins().unreachable();
            }
            Step::If { block, when, steps } => {
                if let Terminator::Branch(condition, ..) = &self.function.blocks[block.0 as usize].terminator
                {
                    self.push_condition(*condition, *when);
                }
                match &steps[..] {
                    [Step::Go(target)] if !self.is_dispatched(*target) => {
                        let depth = self.depth_of(*target);
                        self.ins().br_if(depth);
                    }
                    _ => {
                        self.ins().if_(BlockType::Empty);
                        self.inside(Frame::Plain, steps, None);
                    }
                }
            }
            Step::Switch { block, arms } => self.switch(*block, arms),
            Step::Dispatch(parts) => self.dispatch(parts),
        });
    }

    fn inside(&mut self, frame: Frame, steps: &[Step], next: Option<BlockId>) {
        self.frames.push(frame);
        self.steps(steps, next);
        self.frames.pop();
        self.ins().end();
    }

    /// Whether a value is non-zero, or zero if `when` is false.
    fn push_condition(&mut self, condition: Value, when: bool) {
        let wide = self.function.ty(condition) == Type::I64;
        self.push(condition);
        match (wide, when) {
            (false, true) => {}
            (false, false) => {
                self.ins().i32_eqz();
            }
            (true, true) => {
                self.ins().i64_const(0).i64_ne();
            }
            (true, false) => {
                self.ins().i64_eqz();
            }
        }
    }

    fn target_frame(&self, block: BlockId) -> Option<usize> {
        self.frames.iter().rposition(|frame| match frame {
            Frame::Behind(label) | Frame::Head(label) => *label == block,
            Frame::Dispatch { .. } => true,
            Frame::Plain => false,
        })
    }

    fn is_dispatched(&self, block: BlockId) -> bool {
        let frame = self.target_frame(block).and_then(|at| self.frames.get(at));
        matches!(frame, Some(Frame::Dispatch { .. }))
    }

    fn depth_of(&self, block: BlockId) -> u32 {
        // Every jump is inside of what it names.
        (self.frames.len() - 1 - self.target_frame(block).unwrap_or(0)) as u32
    }

    fn go(&mut self, block: BlockId) {
        let depth = self.depth_of(block);
        if let Some(Frame::Dispatch { selector, blocks }) =
            self.target_frame(block).and_then(|at| self.frames.get(at))
        {
            let (selector, number) = (*selector, blocks.iter().position(|b| *b == block).unwrap_or(0));
            self.ins().i32_const(number as i32).local_set(selector);
        }
        self.ins().br(depth);
    }

    fn dispatch(&mut self, parts: &[(BlockId, Vec<Step>)]) {
        // Zero at first, which is the entry.
        let selector = self.new_local(ValType::I32);
        let blocks = parts.iter().map(|(block, _)| *block).collect();
        self.ins().loop_(BlockType::Empty);
        self.frames.push(Frame::Dispatch { selector, blocks });
        for _ in parts {
            self.ins().block(BlockType::Empty);
            self.frames.push(Frame::Plain);
        }
        let last = parts.len().saturating_sub(1) as u32;
        self.ins().local_get(selector).br_table(0..last, last);
        for (_, steps) in parts {
            self.frames.pop();
            self.ins().end();
            self.steps(steps, None);
        }
        self.frames.pop();
        self.ins().end().unreachable();
    }

    fn switch(&mut self, block: BlockId, arms: &[(Vec<i128>, Vec<Step>)]) {
        let Terminator::Switch { value, .. } = &self.function.blocks[block.0 as usize].terminator else {
            return;
        };
        let ty = self.function.ty(*value);
        let mut cases: Vec<(i128, u32)> = Vec::new();
        for (arm, (values, _)) in arms.iter().enumerate() {
            cases.extend(values.iter().map(|case| (wrap_int(*case, ty.bits()), arm as u32)));
        }
        cases.sort_unstable();
        let default = arms.len() as u32;
        for _ in 0..=default {
            self.ins().block(BlockType::Empty);
            self.frames.push(Frame::Plain);
        }
        self.choose(*value, ty, &cases, default);
        for (_, steps) in arms {
            self.frames.pop();
            self.ins().end();
            self.steps(steps, None);
        }
        self.frames.pop();
        self.ins().end();
    }

    /// Jumps to the arm for a value; `cases` in order.
    fn choose(&mut self, value: Value, ty: Type, cases: &[(i128, u32)], default: u32) {
        let (Some(&(first, _)), Some(&(last, _))) = (cases.first(), cases.last()) else {
            self.ins().br(default);
            return;
        };
        let span = last.saturating_sub(first).saturating_add(1);
        if ty == Type::I128 {
            for &(case, arm) in cases {
                self.push_wide_equal(value, case);
                self.ins().br_if(arm);
            }
            self.ins().br(default);
        } else if span <= 3 * cases.len() as i128 + 8 {
            let mut table = vec![default; span as usize];
            for &(case, arm) in cases {
                table[(case - first) as usize] = arm;
            }
            self.push(value);
            if ty == Type::I64 {
                let index = self.temporary(ValType::I64);
                self.ins().i64_const(first as i64).i64_sub().local_tee(index);
                self.ins().i64_const(span as i64).i64_ge_u().br_if(default).local_get(index).i32_wrap_i64();
            } else {
                if first != 0 {
                    self.ins().i32_const(first as i32).i32_sub();
                }
                self.cut(ty);
            }
            self.ins().br_table(table, default);
        } else {
            self.push_signed(value);
            let wide = ty == Type::I64;
            let held = self.temporary(if wide { ValType::I64 } else { ValType::I32 });
            self.ins().local_set(held);
            self.search(held, wide, cases, default, 0);
        }
    }

    /// Binary search; `inside` frames more than where the arms are counted from.
    fn search(&mut self, held: u32, wide: bool, cases: &[(i128, u32)], default: u32, inside: u32) {
        if cases.len() <= 4 {
            for &(case, arm) in cases {
                let mut ins = self.ins();
                ins.local_get(held);
                if wide {
                    ins.i64_const(case as i64).i64_eq()
                } else {
                    ins.i32_const(case as i32).i32_eq()
                };
                ins.br_if(arm + inside);
            }
            self.ins().br(default + inside);
            return;
        }
        let (below, above) = cases.split_at(cases.len() / 2);
        let middle = above.first().map_or(0, |(case, _)| *case);
        let mut ins = self.ins();
        ins.local_get(held);
        if wide {
            ins.i64_const(middle as i64).i64_lt_s()
        } else {
            ins.i32_const(middle as i32).i32_lt_s()
        };
        ins.if_(BlockType::Empty);
        self.search(held, wide, below, default, inside + 1);
        self.ins().end();
        self.search(held, wide, above, default, inside);
    }

    fn leave(&mut self, block: BlockId) {
        if let Terminator::Return(value) = &self.function.blocks[block.0 as usize].terminator {
            if let Some(value) = value {
                self.push(*value);
            }
            if let Some(frame) = self.frame {
                let size = i64::from(self.frame_size);
                self.ins().local_get(frame).i64_const(size).i64_add().global_set(0);
            }
            self.ins().return_();
        } else {
            self.ins().unreachable();
        }
    }

    /// All arguments are on the stack before the first parameter changes.
    fn assign(&mut self, edge: Edge) {
        let Some(target) = edge_target(self.function, edge) else { return };
        let params = &self.function.blocks[target.block.0 as usize].params;
        let moves = params.iter().zip(&target.args);
        let moves: Vec<_> = moves
            .filter(|(param, arg)| param != arg && self.uses[param.0 as usize].count > 0)
            .map(|(param, arg)| (*param, *arg))
            .collect();
        for (_, arg) in &moves {
            self.push(*arg);
        }
        for (param, _) in moves.iter().rev() {
            self.set(*param);
        }
    }

    fn run(&mut self, block: BlockId) {
        for (ty, local) in std::mem::take(&mut self.lent) {
            if let Some(pool) = self.pool(ty) {
                pool.push(local);
            }
        }
        self.loads.clear();
        let function = self.function;
        for inst in &function.blocks[block.0 as usize].insts {
            self.inst(inst, block);
        }
    }

    fn inst(&mut self, inst: &'a Inst, block: BlockId) {
        let Some(result) = inst.result else { return self.operation(inst) };
        let used = self.uses[result.0 as usize];
        let is_load = matches!(inst.op, Op::Load { .. });
        if used.count == 0 && (is_load || inst.op.is_pure()) {
            return;
        }
        match &inst.op {
            Op::Int(_) | Op::Float(_) | Op::SymbolAddress(_) | Op::SlotAddress(_) => {
                self.held[result.0 as usize] = Held::Constant(&inst.op);
            }
            op if (is_load || op.is_pure())
                && used.count == 1
                && used.block == Some(block)
                && self.is_deferrable(inst, result) =>
            {
                self.held[result.0 as usize] = Held::Deferred(inst);
                if is_load {
                    self.loads.push(result);
                }
            }
            _ if self.function.ty(result) == Type::I128 => self.wide(inst, result),
            _ => {
                self.operation(inst);
                self.define(result);
            }
        }
    }

    /// Whether a value can be computed at another place: without locals of its own, and not too deep.
    fn is_deferrable(&mut self, inst: &Inst, result: Value) -> bool {
        let mut narrow = self.function.ty(result) != Type::I128;
        let mut depth = 0;
        inst.op.for_each_operand(|value| {
            narrow &= self.function.ty(value) != Type::I128;
            if let Held::Deferred(_) = self.held(value) {
                depth = depth.max(self.depth[value.0 as usize] + 1);
            }
        });
        let fits = narrow && depth < MAX_DEPTH && !self.needs_locals(inst);
        if fits {
            self.depth[result.0 as usize] = depth;
        }
        fits
    }

    /// Loads that were deferred happen now, before memory changes.
    fn settle(&mut self) {
        for value in std::mem::take(&mut self.loads) {
            if let Held::Deferred(inst) = self.held(value) {
                self.operation(inst);
                self.define(value);
            }
        }
    }

    /// An operation with a result of up to 64 bits, which is left on the stack.
    fn operation(&mut self, inst: &'a Inst) {
        let result = inst.result.map_or(Type::I64, |result| self.function.ty(result));
        match &inst.op {
            op @ (Op::Int(_) | Op::Float(_) | Op::SymbolAddress(_) | Op::SlotAddress(_)) => {
                self.push_constant(op, result);
            }
            Op::Unary(op, value) => self.unary(*op, *value, result),
            Op::Binary(op, left, right) => self.binary(*op, *left, *right, result),
            Op::Compare(op, left, right) => self.compare(*op, *left, *right),
            Op::Convert(op, value) => self.convert(*op, *value, result),
            Op::Select(condition, yes, no) => {
                self.push(*yes);
                self.push(*no);
                self.push(*condition);
                self.ins().select();
            }
            Op::Load { address, offset, .. } => {
                let memory = self.push_base(*address, *offset);
                self.load(result, memory);
            }
            Op::Store { address, offset, value, .. } => {
                let ty = self.function.ty(*value);
                if ty == Type::I128 {
                    self.settle();
                    self.store_wide(*address, *offset, *value);
                } else {
                    let memory = self.push_base(*address, *offset);
                    self.push(*value);
                    self.settle();
                    self.store(ty, memory);
                }
            }
            Op::Call { callee, args } => {
                let ret = inst.result.map(|result| self.function.ty(result));
                self.call(callee, args, ret);
            }
            Op::Retain { value, repr } => {
                self.settle();
                let value = self.local_of(*value);
                self.if_object(value, *repr, |this| this.add_to_count(value, 1));
            }
            Op::Release { value, repr, drop } => {
                self.settle();
                let value = self.local_of(*value);
                self.if_object(value, *repr, |this| this.release(value, *drop));
            }
            Op::Unique { value, repr, clone } => {
                self.settle();
                let value = self.local_of(*value);
                self.unique(value, *repr, Symbol::Instance(*clone));
            }
            Op::Alloc { size, panic } => {
                self.settle();
                self.alloc(*size, Symbol::Instance(*panic));
            }
            Op::Check { condition, panic, args, .. } => {
                self.push_condition(*condition, false);
                self.settle();
                self.ins().if_(BlockType::Empty);
                self.panic(Symbol::Instance(*panic), args, inst.source);
                self.ins().end();
            }
        }
    }

    fn panic(&mut self, panic: Symbol, args: &[Value], source: Option<Source>) {
        for &arg in args {
            self.push(arg);
        }
        match source {
            Some(source) => self.push_address(&Symbol::Location(source)),
            None => {
                self.ins().i64_const(0);
            }
        }
        let types = args.iter().map(|&arg| self.function.ty(arg)).chain([Type::I64]);
        let signature = signature(types, None);
        self.call_symbol(panic, signature);
        self.ins().unreachable();
    }

    fn call_symbol(&mut self, symbol: Symbol, signature: Signature) {
        // `call`
        self.code.push(0x10);
        self.refer(ReferenceTarget::Function(symbol, signature));
    }

    /// Calls a C function that takes and gives these.
    pub(super) fn call_extern(&mut self, name: &str, params: &[Type], ret: Option<Type>) {
        let signature = signature(params.iter().copied(), ret);
        self.call_symbol(Symbol::Extern(name.into()), signature);
    }

    pub(super) fn call(&mut self, callee: &Callee, args: &[Value], ret: Option<Type>) {
        let signature = signature(args.iter().map(|&arg| self.function.ty(arg)), ret);
        if let Callee::Extern(name) = callee
            && let Some(Extern::Inline(inline)) = externs::find(name)
            && inline.signature().params == signature.params
            && (ret.is_none() || inline.signature().results == signature.results)
        {
            return self.inline(inline, args, ret.is_some());
        }
        for &arg in args {
            self.push(arg);
        }
        match callee {
            Callee::Instance(instance) => {
                self.settle();
                self.call_symbol(Symbol::Instance(*instance), signature);
            }
            Callee::Extern(name) => {
                self.settle();
                self.call_symbol(Symbol::Extern(name.clone()), signature);
            }
            Callee::Indirect(code) => {
                self.push(*code);
                self.ins().i32_wrap_i64();
                self.settle();
                // `call_indirect`, its type, table 0
                self.code.push(0x11);
                self.refer(ReferenceTarget::Type(signature));
                self.code.push(0);
            }
        }
    }

    fn inline(&mut self, inline: Inline, args: &[Value], wants_result: bool) {
        let narrow = self.width == WasmWidth::Wasm32;
        match inline {
            Inline::HeapBase => {
                // `i64.const`
                self.code.push(0x42);
                self.refer(ReferenceTarget::HeapBase);
            }
            Inline::MemorySize => {
                self.ins().memory_size(0);
                if narrow {
                    self.ins().i64_extend_i32_u();
                }
            }
            Inline::MemoryGrow => {
                args.iter().for_each(|&arg| self.push(arg));
                self.settle();
                if narrow {
                    self.ins().i32_wrap_i64().memory_grow(0).i64_extend_i32_s();
                } else {
                    self.ins().memory_grow(0);
                }
            }
            Inline::Trap => {
                self.ins().unreachable();
                return;
            }
            Inline::Copy | Inline::Fill => {
                // The result is the first argument.
                let kept = wants_result.then(|| self.temporary(ValType::I64));
                for (number, &arg) in args.iter().enumerate() {
                    self.push(arg);
                    if let Some(kept) = kept.filter(|_| number == 0) {
                        self.ins().local_tee(kept);
                    }
                    let is_byte = inline == Inline::Fill && number == 1;
                    if narrow && !is_byte {
                        self.ins().i32_wrap_i64();
                    }
                }
                self.settle();
                if inline == Inline::Copy {
                    self.ins().memory_copy(0, 0);
                } else {
                    self.ins().memory_fill(0);
                }
                if let Some(kept) = kept {
                    self.ins().local_get(kept);
                }
                return;
            }
            Inline::Float(function, width) => {
                args.iter().for_each(|&arg| self.push(arg));
                let mut ins = self.ins();
                match (function, width) {
                    (FloatFunction::Abs, FloatWidth::Single) => ins.f32_abs(),
                    (FloatFunction::Abs, FloatWidth::Double) => ins.f64_abs(),
                    (FloatFunction::Ceil, FloatWidth::Single) => ins.f32_ceil(),
                    (FloatFunction::Ceil, FloatWidth::Double) => ins.f64_ceil(),
                    (FloatFunction::CopySign, FloatWidth::Single) => ins.f32_copysign(),
                    (FloatFunction::CopySign, FloatWidth::Double) => ins.f64_copysign(),
                    (FloatFunction::Floor, FloatWidth::Single) => ins.f32_floor(),
                    (FloatFunction::Floor, FloatWidth::Double) => ins.f64_floor(),
                    (FloatFunction::Nearest, FloatWidth::Single) => ins.f32_nearest(),
                    (FloatFunction::Nearest, FloatWidth::Double) => ins.f64_nearest(),
                    (FloatFunction::SquareRoot, FloatWidth::Single) => ins.f32_sqrt(),
                    (FloatFunction::SquareRoot, FloatWidth::Double) => ins.f64_sqrt(),
                    (FloatFunction::Truncate, FloatWidth::Single) => ins.f32_trunc(),
                    (FloatFunction::Truncate, FloatWidth::Double) => ins.f64_trunc(),
                };
            }
        }
        if !wants_result {
            self.ins().drop();
        }
    }

    /// Puts an address on the stack; the offset goes into the access if it can.
    pub(super) fn push_base(&mut self, address: Value, offset: i32) -> MemArg {
        self.push(address);
        if offset < 0 {
            self.ins().i64_const(i64::from(offset)).i64_add();
        }
        self.narrow_address();
        MemArg { offset: offset.max(0) as u64, align: 0, memory_index: 0 }
    }

    fn push_base_local(&mut self, address: u32, offset: i32) -> MemArg {
        self.ins().local_get(address);
        self.narrow_address();
        MemArg { offset: offset.max(0) as u64, align: 0, memory_index: 0 }
    }

    pub(super) fn narrow_address(&mut self) {
        if self.width == WasmWidth::Wasm32 {
            self.ins().i32_wrap_i64();
        }
    }

    /// From the address on the stack.
    pub(super) fn load(&mut self, ty: Type, memory: MemArg) {
        let memory = MemArg { align: ty.bytes().min(8).ilog2(), ..memory };
        match ty {
            Type::I8 => self.ins().i32_load8_u(memory),
            Type::I16 => self.ins().i32_load16_u(memory),
            Type::I32 => self.ins().i32_load(memory),
            Type::I64 | Type::I128 => self.ins().i64_load(memory),
            Type::F32 => self.ins().f32_load(memory),
            Type::F64 => self.ins().f64_load(memory),
        };
    }

    /// To the address below the value on the stack.
    pub(super) fn store(&mut self, ty: Type, memory: MemArg) {
        let memory = MemArg { align: ty.bytes().min(8).ilog2(), ..memory };
        match ty {
            Type::I8 => self.ins().i32_store8(memory),
            Type::I16 => self.ins().i32_store16(memory),
            Type::I32 => self.ins().i32_store(memory),
            Type::I64 | Type::I128 => self.ins().i64_store(memory),
            Type::F32 => self.ins().f32_store(memory),
            Type::F64 => self.ins().f64_store(memory),
        };
    }

    /// Runs `on_object` only if the value is an object.
    fn if_object(&mut self, value: u32, repr: ObjectRepr, on_object: impl FnOnce(&mut Self)) {
        match repr {
            ObjectRepr::Pointer => on_object(self),
            ObjectRepr::Tagged => {
                self.ins().local_get(value).i64_const(1).i64_and().i64_eqz().if_(BlockType::Empty);
                on_object(self);
                self.ins().end();
            }
        }
    }

    fn push_count(&mut self, value: u32) {
        let memory = self.push_base_local(value, layout::COUNT);
        self.load(Type::I64, memory);
    }

    fn add_to_count(&mut self, value: u32, change: i64) {
        let memory = self.push_base_local(value, layout::COUNT);
        self.push_count(value);
        self.ins().i64_const(change).i64_add();
        self.store(Type::I64, memory);
    }

    fn release(&mut self, value: u32, drop: DropFn) {
        self.add_to_count(value, -1);
        self.push_count(value);
        self.ins().i64_eqz().if_(BlockType::Empty).local_get(value);
        let drop = match drop {
            DropFn::Free => Symbol::Extern("free".into()),
            DropFn::Glue(instance) => Symbol::Instance(instance),
        };
        self.call_symbol(drop, signature([Type::I64], None));
        self.ins().end();
    }

    fn unique(&mut self, value: u32, repr: ObjectRepr, clone: Symbol) {
        let result = self.temporary(ValType::I64);
        self.ins().local_get(value).local_set(result);
        self.if_object(value, repr, |this| {
            this.push_count(value);
            this.ins().i64_const(1).i64_ne().if_(BlockType::Empty).local_get(value);
            this.call_symbol(clone, signature([Type::I64], Some(Type::I64)));
            this.ins().local_set(result);
            // Others still refer to the old object, so its count stays above zero.
            this.add_to_count(value, -1);
            this.ins().end();
        });
        self.ins().local_get(result);
    }

    fn alloc(&mut self, size: u32, panic: Symbol) {
        let address = self.temporary(ValType::I64);
        self.ins().i64_const(i64::from(size));
        self.call_extern("malloc", &[Type::I64], Some(Type::I64));
        self.ins().local_tee(address).i64_eqz().if_(BlockType::Empty);
        self.push_address(&Symbol::Literal(b"out of memory"[..].into()));
        self.ins().i64_const(0);
        self.call_symbol(panic, signature([Type::I64, Type::I64], None));
        self.ins().unreachable().end().local_get(address);
    }
}
