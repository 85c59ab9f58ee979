//! Construction of SSA on the fly (Braun et al., "Simple and Efficient Construction of Static Single
//! Assignment Form", CC 2013), with block parameters for phis.
use std::collections::HashMap;

use super::data::{
    Block, BlockId, Function, Inst, Op, Slot, SlotId, Source, Target, Terminator, Type, Value, wrap_int,
};
use crate::lower::ItemId;

/// A variable of the source, numbered by the caller.
pub type Variable = u32;

/// Builds one function.
pub struct Builder {
    function: Function,
    /// The block that instructions go to.
    block: BlockId,
    /// Where the next instructions come from.
    pub source: Option<Source>,
    variables: HashMap<(BlockId, Variable), Value>,
    types: Vec<Type>,
    states: Vec<State>,
    /// Arguments that edges into a block pass for each of its parameters are completed when it is sealed.
    predecessors: Vec<Vec<BlockId>>,
}

#[derive(Default)]
struct State {
    sealed: bool,
    filled: bool,
    incomplete: Vec<(Variable, Value)>,
}

impl Builder {
    /// Starts a function with variables of these types; the entry is current and sealed.
    pub fn new(ret: Option<Type>, variables: Vec<Type>, item: Option<ItemId>) -> Self {
        let function = Function { ret, values: Vec::new(), blocks: Vec::new(), slots: Vec::new(), item };
        let mut builder = Self {
            function,
            block: BlockId(0),
            source: None,
            variables: HashMap::new(),
            types: variables,
            states: Vec::new(),
            predecessors: Vec::new(),
        };
        let entry = builder.new_block();
        builder.seal(entry);
        builder
    }

    /// Makes a block that is neither filled nor sealed.
    pub fn new_block(&mut self) -> BlockId {
        let id = BlockId(self.function.blocks.len() as u32);
        self.function.blocks.push(Block {
            params: Vec::new(),
            insts: Vec::new(),
            terminator: Terminator::Unreachable,
        });
        self.states.push(State::default());
        self.predecessors.push(Vec::new());
        id
    }

    /// Instructions now go to `block`.
    pub fn switch_to(&mut self, block: BlockId) {
        self.block = block;
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> Type {
        self.function.ty(value)
    }

    /// Adds a parameter to a block by hand.
    pub fn add_param(&mut self, block: BlockId, ty: Type) -> Value {
        let value = self.function.new_value(ty);
        self.function.blocks[block.0 as usize].params.push(value);
        value
    }

    /// Adds a stack slot.
    pub fn add_slot(&mut self, size: u32) -> SlotId {
        let id = SlotId(self.function.slots.len() as u32);
        self.function.slots.push(Slot { size });
        id
    }

    /// Adds an instruction with a result.
    pub fn push(&mut self, ty: Type, op: Op) -> Value {
        let result = self.function.new_value(ty);
        self.insert(op, Some(result));
        result
    }

    /// Adds an instruction without a result.
    pub fn effect(&mut self, op: Op) {
        self.insert(op, None);
    }

    fn insert(&mut self, op: Op, result: Option<Value>) {
        let source = self.source;
        self.function.blocks[self.block.0 as usize].insts.push(Inst { op, result, source });
    }

    /// Adds an integer constant.
    pub fn int(&mut self, ty: Type, value: i128) -> Value {
        self.push(ty, Op::Int(wrap_int(value, ty.bits())))
    }

    /// The constant that defines a value, if it was just made in the current block.
    pub fn known_int(&self, value: Value) -> Option<i128> {
        let insts = &self.function.blocks[self.block.0 as usize].insts;
        insts.iter().rev().take(4).find(|inst| inst.result == Some(value)).and_then(|inst| match inst.op {
            Op::Int(constant) => Some(constant),
            _ => None,
        })
    }

    /// Ends the current block. Edges pass no arguments but those of parameters added by hand.
    pub fn terminate(&mut self, terminator: Terminator) {
        let block = self.block;
        terminator.for_each_target(|target| {
            let predecessors = &mut self.predecessors[target.block.0 as usize];
            if !predecessors.contains(&block) {
                predecessors.push(block);
            }
        });
        self.function.blocks[block.0 as usize].terminator = terminator;
        self.states[block.0 as usize].filled = true;
    }

    /// Ends the current block with a jump without arguments.
    pub fn jump(&mut self, block: BlockId) {
        self.terminate(Terminator::Jump(Target { block, args: Vec::new() }));
    }

    /// Ends the current block with a branch without arguments.
    pub fn branch(&mut self, condition: Value, yes: BlockId, no: BlockId) {
        let target = |block| Target { block, args: Vec::new() };
        self.terminate(Terminator::Branch(condition, target(yes), target(no)));
    }

    /// Whether the current block has ended.
    pub fn is_filled(&self) -> bool {
        self.states[self.block.0 as usize].filled
    }

    /// Gives a variable a new value in the current block.
    pub fn write(&mut self, variable: Variable, value: Value) {
        self.variables.insert((self.block, variable), value);
    }

    /// The variable's value in the current block; zero if it has none on some path.
    pub fn read(&mut self, variable: Variable) -> Value {
        self.read_in(self.block, variable)
    }

    fn read_in(&mut self, block: BlockId, variable: Variable) -> Value {
        if let Some(&value) = self.variables.get(&(block, variable)) {
            return value;
        }
        // A chain of blocks with one predecessor each can be long: walk it without recursion.
        let mut chain = vec![block];
        let value = loop {
            let at = chain[chain.len() - 1];
            if let Some(&value) = self.variables.get(&(at, variable)) {
                break value;
            }
            let ty = self.types[variable as usize];
            if !self.states[at.0 as usize].sealed {
                let value = self.add_param(at, ty);
                self.states[at.0 as usize].incomplete.push((variable, value));
                break value;
            }
            match self.predecessors[at.0 as usize][..] {
                [only] if only != at => chain.push(only),
                [] => break self.undefined(at, ty),
                _ => {
                    let value = self.add_param(at, ty);
                    self.variables.insert((at, variable), value);
                    self.complete(at, variable);
                    break value;
                }
            }
        };
        for at in chain {
            self.variables.insert((at, variable), value);
        }
        value
    }

    /// A variable read before it is written, on a path that never uses what it holds.
    fn undefined(&mut self, block: BlockId, ty: Type) -> Value {
        let result = self.function.new_value(ty);
        let op = if ty.is_float() { Op::Float(0) } else { Op::Int(0) };
        let inst = Inst { op, result: Some(result), source: None };
        self.function.blocks[block.0 as usize].insts.insert(0, inst);
        result
    }

    /// Passes the variable's value along every edge into `block`.
    fn complete(&mut self, block: BlockId, variable: Variable) {
        for predecessor in self.predecessors[block.0 as usize].clone() {
            let value = stacker::maybe_grow(64 << 10, 1 << 20, || self.read_in(predecessor, variable));
            self.function.blocks[predecessor.0 as usize].terminator.for_each_target_mut(|target| {
                if target.block == block {
                    target.args.push(value);
                }
            });
        }
    }

    /// All predecessors of `block` are filled: completes its parameters.
    pub fn seal(&mut self, block: BlockId) {
        let state = &mut self.states[block.0 as usize];
        state.sealed = true;
        for (variable, _) in std::mem::take(&mut state.incomplete) {
            self.complete(block, variable);
        }
    }

    /// Whether `block` is sealed.
    pub fn is_sealed(&self, block: BlockId) -> bool {
        self.states[block.0 as usize].sealed
    }

    /// Ends construction.
    pub fn finish(mut self) -> Function {
        remove_redundant_params(&mut self.function);
        self.function
    }
}

/// Removes block parameters that always get one and the same value. Runs to a fixpoint.
pub fn remove_redundant_params(function: &mut Function) {
    loop {
        // For each parameter the values that edges pass, other than itself: none, one, or more.
        let mut incoming: HashMap<Value, Option<Value>> = HashMap::new();
        for block in &function.blocks {
            block.terminator.for_each_target(|target| {
                let params = &function.blocks[target.block.0 as usize].params;
                for (&param, &arg) in params.iter().zip(&target.args) {
                    if arg != param {
                        let known = incoming.entry(param).or_insert(Some(arg));
                        if *known != Some(arg) {
                            *known = None;
                        }
                    }
                }
            });
        }
        let mut replace: HashMap<Value, Value> = HashMap::new();
        for block in function.blocks.iter().skip(1) {
            for &param in &block.params {
                if let Some(&Some(value)) = incoming.get(&param) {
                    replace.insert(param, value);
                }
            }
        }
        if replace.is_empty() {
            return;
        }
        // Cycles of redundant parameters stand only in unreachable code, where any member will do.
        let resolve = |mut value: Value| {
            let mut steps = 0;
            while let Some(&next) = replace.get(&value) {
                value = next;
                steps += 1;
                if steps > replace.len() {
                    break;
                }
            }
            value
        };
        let kept: Vec<Vec<bool>> = (function.blocks.iter())
            .map(|block| block.params.iter().map(|param| !replace.contains_key(param)).collect())
            .collect();
        for (block, kept_params) in function.blocks.iter_mut().zip(&kept) {
            let mut keep = kept_params.iter();
            block.params.retain(|_| keep.next().copied().unwrap_or(true));
            for inst in &mut block.insts {
                inst.op.for_each_operand_mut(|value| *value = resolve(*value));
            }
            block.terminator.for_each_target_mut(|target| {
                let mut keep = kept[target.block.0 as usize].iter();
                target.args.retain(|_| keep.next().copied().unwrap_or(true));
            });
            block.terminator.for_each_value_mut(|value| *value = resolve(*value));
        }
    }
}
