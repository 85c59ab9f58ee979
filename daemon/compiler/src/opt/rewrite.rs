//! What passes share: values that stand for others, definitions, uses.
use crate::ssa::{Block, BlockId, Function, Inst, Op, Terminator, Value};

/// Values to be replaced by others, all at once at the end of a pass.
pub struct Replacements {
    /// By value; its own number if it stays.
    by: Vec<Value>,
    any: bool,
}

impl Replacements {
    /// None yet.
    pub fn new(function: &Function) -> Self {
        Self { by: (0..function.values.len() as u32).map(Value).collect(), any: false }
    }

    /// From now on `to` (or what replaces it) stands for `from`.
    pub fn set(&mut self, from: Value, to: Value) {
        let to = self.resolve(to);
        if to != from
            && let Some(entry) = self.by.get_mut(from.0 as usize)
        {
            *entry = to;
            self.any = true;
        }
    }

    /// What stands for a value.
    pub fn resolve(&mut self, value: Value) -> Value {
        let mut root = value;
        while let Some(&next) = self.by.get(root.0 as usize)
            && next != root
        {
            root = next;
        }
        let mut at = value;
        while at != root {
            at = std::mem::replace(&mut self.by[at.0 as usize], root);
        }
        root
    }

    /// Whether anything is replaced.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Rewrites all uses.
    pub fn apply(mut self, function: &mut Function) {
        if !self.any {
            return;
        }
        for block in &mut function.blocks {
            for inst in &mut block.insts {
                inst.op.for_each_operand_mut(|value| *value = self.resolve(*value));
            }
            block.terminator.for_each_value_mut(|value| *value = self.resolve(*value));
        }
    }
}

/// Calls `f` on every value a block's terminator uses, block arguments included.
pub fn for_each_terminator_use(terminator: &Terminator, mut f: impl FnMut(Value)) {
    terminator.for_each_operand(&mut f);
    terminator.for_each_target(|target| target.args.iter().copied().for_each(&mut f));
}

/// How often each value is used.
pub fn count_uses(function: &Function) -> Vec<u32> {
    let mut uses = vec![0_u32; function.values.len()];
    for block in &function.blocks {
        for inst in &block.insts {
            inst.op.for_each_operand(|value| uses[value.0 as usize] += 1);
        }
        for_each_terminator_use(&block.terminator, |value| uses[value.0 as usize] += 1);
    }
    uses
}

/// Where each value is defined by an instruction: block and index. Parameters have none.
pub fn definitions(function: &Function) -> Vec<Option<(BlockId, usize)>> {
    let mut definitions = vec![None; function.values.len()];
    for (at, block) in function.blocks.iter().enumerate() {
        for (index, inst) in block.insts.iter().enumerate() {
            if let Some(result) = inst.result {
                definitions[result.0 as usize] = Some((BlockId(at as u32), index));
            }
        }
    }
    definitions
}

/// Integer constants by value.
pub fn int_constants(function: &Function) -> Vec<Option<i128>> {
    let mut constants = vec![None; function.values.len()];
    for inst in function.blocks.iter().flat_map(|block| &block.insts) {
        if let (Op::Int(value), Some(result)) = (&inst.op, inst.result) {
            constants[result.0 as usize] = Some(*value);
        }
    }
    constants
}

/// Empties a block that control does not reach any more.
pub fn clear(block: &mut Block) {
    block.params.clear();
    block.insts.clear();
    block.terminator = Terminator::Unreachable;
}

/// An instruction that defines a value.
pub fn define(result: Value, op: Op) -> Inst {
    Inst { op, result: Some(result), source: None }
}
