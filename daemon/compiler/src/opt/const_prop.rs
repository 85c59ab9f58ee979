//! `const-prop`: values and branches that are known at compile time.
//!
//! Sparse conditional constant propagation (Wegman and Zadeck, "Constant Propagation with Conditional
//! Branches", TOPLAS 1991): assumes that nothing is reachable and every value is undetermined, and
//! follows only edges that can be taken. Linear in operations and uses: a value changes at most twice.
//!
//! A check that must fail is kept and ends its block; one that cannot fail goes.
use super::Context;
use super::fold::{Constant, fold};
use super::rewrite::{Replacements, clear, count_uses, define, for_each_terminator_use};
use crate::ssa::{BlockId, Function, Op, Target, Terminator, Value};

/// What is known of a value. Goes only downwards in this order.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Undetermined,
    Constant(Constant),
    Varying,
}

/// Where a value is used; the index of the terminator is the number of instructions.
type Use = (u32, u32);

struct Solver<'a> {
    function: &'a Function,
    cells: Vec<Cell>,
    uses: Vec<Vec<Use>>,
    reached: Vec<bool>,
    blocks: Vec<u32>,
    values: Vec<Value>,
}

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let mut solver = Solver {
        function,
        cells: vec![Cell::Undetermined; function.values.len()],
        uses: uses(function),
        reached: vec![false; function.blocks.len()],
        blocks: Vec::new(),
        values: Vec::new(),
    };
    solver.solve();
    let Solver { cells, reached, .. } = solver;
    rewrite(function, &cells, &reached)
}

fn uses(function: &Function) -> Vec<Vec<Use>> {
    let mut uses = vec![Vec::new(); function.values.len()];
    for (at, block) in function.blocks.iter().enumerate() {
        for (index, inst) in block.insts.iter().enumerate() {
            inst.op.for_each_operand(|value| uses[value.0 as usize].push((at as u32, index as u32)));
        }
        let end = block.insts.len() as u32;
        for_each_terminator_use(&block.terminator, |value| uses[value.0 as usize].push((at as u32, end)));
    }
    uses
}

impl Solver<'_> {
    fn solve(&mut self) {
        for &param in self.function.params() {
            self.cells[param.0 as usize] = Cell::Varying;
        }
        self.reach(BlockId(0));
        loop {
            if let Some(value) = self.values.pop() {
                for index in 0..self.uses[value.0 as usize].len() {
                    let (block, inst) = self.uses[value.0 as usize][index];
                    if self.reached[block as usize] {
                        self.visit(block, inst);
                    }
                }
            } else if let Some(block) = self.blocks.pop() {
                for inst in 0..=self.function.blocks[block as usize].insts.len() {
                    self.visit(block, inst as u32);
                }
            } else {
                return;
            }
        }
    }

    fn reach(&mut self, block: BlockId) {
        if !std::mem::replace(&mut self.reached[block.0 as usize], true) {
            self.blocks.push(block.0);
        }
    }

    /// Lowers a value's cell to what is now known of it.
    fn lower(&mut self, value: Value, new: Cell) {
        let cell = &mut self.cells[value.0 as usize];
        let met = match (*cell, new) {
            (old, Cell::Undetermined) => old,
            (Cell::Undetermined, new) => new,
            (old, new) if old == new => old,
            _ => Cell::Varying,
        };
        if *cell != met {
            *cell = met;
            self.values.push(value);
        }
    }

    fn visit(&mut self, block: u32, index: u32) {
        let function = self.function;
        let data = &function.blocks[block as usize];
        let Some(inst) = data.insts.get(index as usize) else {
            return self.visit_terminator(&data.terminator);
        };
        let Some(result) = inst.result else { return };
        let cell = self.evaluate(&inst.op, result);
        self.lower(result, cell);
    }

    fn evaluate(&self, op: &Op, result: Value) -> Cell {
        if !op.is_pure() {
            return Cell::Varying;
        }
        if let Op::Select(condition, yes, no) = op {
            let cell = |value: &Value| self.cells[value.0 as usize];
            return match cell(condition) {
                Cell::Undetermined => Cell::Undetermined,
                Cell::Constant(Constant::Int(0)) => cell(no),
                Cell::Constant(_) => cell(yes),
                Cell::Varying => match (cell(yes), cell(no)) {
                    (Cell::Undetermined, other) | (other, Cell::Undetermined) => other,
                    (yes, no) if yes == no => yes,
                    _ => Cell::Varying,
                },
            };
        }
        let mut waits = false;
        op.for_each_operand(|value| waits |= self.cells[value.0 as usize] == Cell::Undetermined);
        if waits {
            return Cell::Undetermined;
        }
        let known = |value: Value| match self.cells[value.0 as usize] {
            Cell::Constant(constant) => Some(constant),
            Cell::Undetermined | Cell::Varying => None,
        };
        match fold(op, self.function.ty(result), |value| self.function.ty(value), known) {
            Some(constant) => Cell::Constant(constant),
            None => Cell::Varying,
        }
    }

    fn visit_terminator(&mut self, terminator: &Terminator) {
        match terminator {
            Terminator::Jump(target) => self.follow(target),
            Terminator::Branch(condition, yes, no) => match self.cells[condition.0 as usize] {
                Cell::Undetermined => {}
                Cell::Constant(Constant::Int(0)) => self.follow(no),
                Cell::Constant(_) => self.follow(yes),
                Cell::Varying => {
                    self.follow(yes);
                    self.follow(no);
                }
            },
            Terminator::Switch { value, cases, default } => match self.cells[value.0 as usize] {
                Cell::Undetermined => {}
                Cell::Constant(Constant::Int(value)) => self.follow(chosen(value, cases, default)),
                Cell::Constant(Constant::Float(_)) | Cell::Varying => {
                    for (_, target) in cases {
                        self.follow(target);
                    }
                    self.follow(default);
                }
            },
            Terminator::Return(_) | Terminator::Unreachable => {}
        }
    }

    fn follow(&mut self, target: &Target) {
        let function = self.function;
        for (&param, &arg) in function.blocks[target.block.0 as usize].params.iter().zip(&target.args) {
            self.lower(param, self.cells[arg.0 as usize]);
        }
        self.reach(target.block);
    }
}

/// The target of a switch on a known value.
pub(super) fn chosen<'a>(value: i128, cases: &'a [(i128, Target)], default: &'a Target) -> &'a Target {
    cases.iter().find(|(case, _)| *case == value).map_or(default, |(_, target)| target)
}

fn rewrite(function: &mut Function, cells: &[Cell], reached: &[bool]) -> bool {
    let mut changed = false;
    let uses = count_uses(function);
    let mut replacements = Replacements::new(function);
    let constant = |value: Value| match cells.get(value.0 as usize) {
        Some(Cell::Constant(constant)) => Some(*constant),
        _ => None,
    };
    for (at, &reached) in reached.iter().enumerate() {
        if !reached {
            let block = &mut function.blocks[at];
            changed |= !block.insts.is_empty() || block.terminator != Terminator::Unreachable;
            clear(block);
            continue;
        }
        let mut insts = Vec::with_capacity(function.blocks[at].insts.len());
        for param in function.blocks[at].params.clone() {
            if let Some(constant) = constant(param)
                && uses[param.0 as usize] > 0
            {
                let value = function.new_value(function.ty(param));
                insts.push(define(value, constant.op()));
                replacements.set(param, value);
                changed = true;
            }
        }
        let block = &mut function.blocks[at];
        let mut ends = false;
        for mut inst in std::mem::take(&mut block.insts) {
            if let Op::Check { condition, .. } = &inst.op
                && let Some(known) = constant(*condition)
            {
                if known != Constant::Int(0) {
                    changed = true;
                    continue;
                }
                ends = true;
            }
            if let Some(constant) = inst.result.and_then(constant)
                && !matches!(inst.op, Op::Int(_) | Op::Float(_))
            {
                inst.op = constant.op();
                changed = true;
            }
            insts.push(inst);
            if ends {
                break;
            }
        }
        block.insts = insts;
        let next = match &block.terminator {
            Terminator::Unreachable => None,
            _ if ends => Some(Terminator::Unreachable),
            Terminator::Branch(condition, yes, no) => constant(*condition)
                .map(|known| Terminator::Jump(if known == Constant::Int(0) { no } else { yes }.clone())),
            Terminator::Switch { value, cases, default } => match constant(*value) {
                Some(Constant::Int(value)) => Some(Terminator::Jump(chosen(value, cases, default).clone())),
                _ => None,
            },
            Terminator::Jump(_) | Terminator::Return(_) => None,
        };
        if let Some(next) = next {
            block.terminator = next;
            changed = true;
        }
    }
    replacements.apply(function);
    changed
}
