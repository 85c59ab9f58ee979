//! `bounds-checks`: comparisons that are decided by what holds where they stand.
//!
//! Walks the dominator tree and keeps what branches and passed checks say: ranges of values, and
//! differences `a <= b + c` as in ABCD (Bodik, Gupta, Sarkar, "ABCD: Eliminating Array Bounds Checks on
//! Demand", PLDI 2000), proved by a short search. Loop counters get their range from where they start
//! and that they only grow (or shrink) by steps that the loop's conditions keep from wrapping.
//! A comparison that is decided becomes a constant, and a check on it goes; a check that must fail stays.
//! Searches are bounded, so the pass is linear.
use std::collections::HashMap;

use super::Context;
use super::peephole::{inverted, swapped};
use super::ranges::{Range, of_op};
use super::rewrite::definitions;
use crate::ssa::{BinaryOp as B, BlockId, Cfg, CompareOp as C, Function, Op, Terminator, Type, Value};

/// How many steps a proof may take.
const STEPS: usize = 48;
/// How many dominating blocks are asked for a condition on a loop counter.
const DOMINATORS: usize = 32;
/// How many values the way from a loop counter to its next value may have.
const WAY: usize = 24;

/// Runs the pass.
pub fn run(function: &mut Function, _: &Context<'_>) -> bool {
    let cfg = Cfg::new(function);
    let mut facts = Facts {
        function,
        cfg: &cfg,
        definitions: definitions(function),
        params: params(function),
        ranges: vec![None; function.values.len()],
        upper: HashMap::new(),
        truth: HashMap::new(),
        undo: Vec::new(),
    };
    // By depth: end of the scope in pre-order, and how much was known before it.
    let mut scopes: Vec<(usize, usize)> = Vec::new();
    let mut decided: HashMap<Value, bool> = HashMap::new();
    let mut passed: Vec<Vec<usize>> = vec![Vec::new(); function.blocks.len()];
    let mut changed = false;
    let mut taken: Vec<(BlockId, bool)> = Vec::new();
    for (at, &block) in cfg.preorder().iter().enumerate() {
        while let Some(&(end, known)) = scopes.last()
            && end <= at
        {
            facts.forget(known);
            scopes.pop();
        }
        scopes.push((cfg.leave(block), facts.undo.len()));
        facts.enter(block);
        let data = &function.blocks[block.0 as usize];
        for (index, inst) in data.insts.iter().enumerate() {
            match &inst.op {
                Op::Check { condition, .. } => {
                    if facts.holds(*condition) == Some(true) {
                        passed[block.0 as usize].push(index);
                        changed = true;
                    } else {
                        facts.assume(*condition, true, 8);
                    }
                }
                op => {
                    let Some(result) = inst.result else { continue };
                    if let Op::Compare(op, a, b) = op
                        && let Some(holds) = facts.prove(*op, *a, *b)
                    {
                        decided.insert(result, holds);
                        facts.set_range(result, Range::exactly(i128::from(holds)));
                        continue;
                    }
                    let ty = function.ty(result);
                    let range = of_op(op, ty, |value| (facts.range(value), function.ty(value)));
                    facts.set_range(result, range);
                }
            }
        }
        if let Terminator::Branch(condition, ..) = data.terminator
            && let Some(holds) = facts.holds(condition)
        {
            taken.push((block, holds));
        }
    }
    changed |= !(decided.is_empty() && taken.is_empty());
    for (block, passed) in function.blocks.iter_mut().zip(passed) {
        let mut index = 0;
        let mut passed = passed.into_iter().peekable();
        block.insts.retain(|_| {
            index += 1;
            passed.next_if_eq(&(index - 1)).is_none()
        });
    }
    for inst in function.blocks.iter_mut().flat_map(|block| &mut block.insts) {
        if let Some(holds) = inst.result.and_then(|result| decided.get(&result)) {
            inst.op = Op::Int(i128::from(*holds));
        }
    }
    for (block, holds) in taken {
        let block = &mut function.blocks[block.0 as usize];
        if let Terminator::Branch(_, yes, no) = &block.terminator {
            block.terminator = Terminator::Jump(if holds { yes } else { no }.clone());
        }
    }
    changed
}

/// What to take back on leaving a scope.
enum Undo {
    Range(Value, Option<Range>),
    Upper(Value),
    Truth(Value),
}

struct Facts<'a> {
    function: &'a Function,
    cfg: &'a Cfg,
    definitions: Vec<Option<(BlockId, usize)>>,
    /// Where block parameters stand.
    params: Vec<Option<(BlockId, usize)>>,
    /// By value; `None` if it was not seen yet.
    ranges: Vec<Option<Range>>,
    /// `a: (b, c)`: `a <= b + c`, as signed numbers without wrapping.
    upper: HashMap<Value, Vec<(Value, i128)>>,
    /// Conditions known to hold or not.
    truth: HashMap<Value, bool>,
    undo: Vec<Undo>,
}

impl Facts<'_> {
    fn op(&self, value: Value) -> Option<&Op> {
        let (block, index) = self.definitions[value.0 as usize]?;
        Some(&self.function.blocks[block.0 as usize].insts[index].op)
    }

    fn int(&self, value: Value) -> Option<i128> {
        match self.op(value) {
            Some(Op::Int(value)) => Some(*value),
            _ => None,
        }
    }

    fn is_narrow(&self, value: Value) -> bool {
        let ty = self.function.ty(value);
        !ty.is_float() && ty != Type::I128
    }

    /// What a value can be. Before its definition was visited: what its operation says by itself.
    fn range(&self, value: Value) -> Range {
        let ty = self.function.ty(value);
        self.ranges[value.0 as usize].unwrap_or_else(|| match self.op(value) {
            Some(op) => of_op(op, ty, |value| {
                let ty = self.function.ty(value);
                let known = self.ranges[value.0 as usize].or(self.int(value).map(Range::exactly));
                (known.unwrap_or(Range::full(ty)), ty)
            }),
            None => Range::full(ty),
        })
    }

    fn set_range(&mut self, value: Value, range: Range) {
        let entry = &mut self.ranges[value.0 as usize];
        if *entry != Some(range) {
            // A definition's own range holds wherever the value can be used; only what was learnt
            // later is undone.
            if entry.is_some() {
                self.undo.push(Undo::Range(value, *entry));
            }
            *entry = Some(range);
        }
    }

    fn forget(&mut self, known: usize) {
        while self.undo.len() > known {
            match self.undo.pop() {
                Some(Undo::Range(value, range)) => self.ranges[value.0 as usize] = range,
                Some(Undo::Upper(value)) => {
                    if let Some(edges) = self.upper.get_mut(&value) {
                        edges.pop();
                    }
                }
                Some(Undo::Truth(value)) => {
                    self.truth.remove(&value);
                }
                None => return,
            }
        }
    }

    fn add_upper(&mut self, a: Value, b: Value, difference: i128) {
        if a != b {
            self.upper.entry(a).or_default().push((b, difference));
            self.undo.push(Undo::Upper(a));
        }
    }

    // ---- what holds on entry of a block ----

    fn enter(&mut self, block: BlockId) {
        if let [from] = self.cfg.predecessors(block) {
            match &self.function.blocks[from.0 as usize].terminator {
                Terminator::Branch(condition, yes, _) => {
                    self.assume(*condition, yes.block == block, 8);
                }
                Terminator::Switch { value, cases, default } if default.block != block => {
                    if let Some((case, _)) = cases.iter().find(|(_, target)| target.block == block) {
                        let range = narrow(self.range(*value), C::Eq, Range::exactly(*case));
                        self.set_range(*value, range);
                    }
                }
                _ => {}
            }
        }
        let function = self.function;
        for (index, &param) in function.blocks[block.0 as usize].params.iter().enumerate() {
            if self.is_narrow(param) {
                self.param(block, index, param);
            }
        }
    }

    /// The range of a block parameter.
    fn param(&mut self, block: BlockId, index: usize, param: Value) {
        let ty = self.function.ty(param);
        let mut start: Option<Range> = None;
        let mut first = None;
        let mut back = Vec::new();
        let mut predecessors = self.cfg.predecessors(block).to_vec();
        predecessors.dedup();
        for from in predecessors {
            let is_back = self.cfg.is_back_edge(from, block);
            self.function.blocks[from.0 as usize].terminator.for_each_target(|target| {
                let Some(&arg) = target.args.get(index).filter(|_| target.block == block) else { return };
                if is_back {
                    back.push(arg);
                } else {
                    let range = self.range(arg);
                    first = if start.is_none() { Some(arg) } else { None };
                    start = Some(start.map_or(range, |known| known.hull(range)));
                }
            });
        }
        let Some(start) = start else { return self.set_range(param, Range::full(ty)) };
        if back.is_empty() {
            return self.set_range(param, start);
        }
        let full = Range::full(ty);
        let grows = Range { lo: start.lo, hi: full.hi };
        let shrinks = Range { lo: if start.lo >= 0 { 0 } else { full.lo }, hi: start.hi };
        if let Some(steps) = self.steps(block, param, &back, grows, true) {
            let hi = steps.map_or(start.hi, |highest| highest.max(start.hi));
            self.set_range(param, Range { lo: start.lo, hi });
            if let Some(first) = first {
                self.add_upper(first, param, 0);
            }
        } else if let Some(steps) = self.steps(block, param, &back, shrinks, false) {
            let lo = steps.map_or(start.lo, |lowest| lowest.min(start.lo));
            self.set_range(param, Range { lo, hi: start.hi });
            if let Some(first) = first {
                self.add_upper(param, first, 0);
            }
        } else {
            self.set_range(param, full);
        }
    }

    /// Whether a loop counter's next values come from it by steps in one direction that do not wrap,
    /// given that it and all values on the way are in `hypothesis`; the largest (smallest) value that a
    /// step makes. By induction over the run the hypothesis then holds.
    fn steps(
        &self,
        header: BlockId,
        param: Value,
        back: &[Value],
        hypothesis: Range,
        up: bool,
    ) -> Option<Option<i128>> {
        let mut seen = vec![param];
        let mut work = back.to_vec();
        let mut most: Option<i128> = None;
        while let Some(value) = work.pop() {
            if seen.contains(&value) {
                continue;
            }
            if seen.len() > WAY {
                return None;
            }
            seen.push(value);
            match self.definitions[value.0 as usize] {
                Some((block, index)) => {
                    let Op::Binary(B::Add, from, by) =
                        &self.function.blocks[block.0 as usize].insts[index].op
                    else {
                        return None;
                    };
                    let by = self.int(*by)?;
                    if (by > 0) != up {
                        return None;
                    }
                    let before = self.range_at(block, index, *from, hypothesis);
                    let after = before.plus(by, self.function.ty(value))?;
                    if after.meet(hypothesis) != after {
                        return None;
                    }
                    let end = if up { after.hi } else { after.lo };
                    most = Some(most.map_or(end, |most| if up { most.max(end) } else { most.min(end) }));
                    work.push(*from);
                }
                None => {
                    // A parameter of a block inside the loop.
                    let (block, index) = self.params[value.0 as usize]
                        .filter(|(block, _)| self.cfg.dominates(header, *block))?;
                    let mut predecessors = self.cfg.predecessors(block).to_vec();
                    predecessors.dedup();
                    for from in predecessors {
                        self.function.blocks[from.0 as usize].terminator.for_each_target(|target| {
                            if target.block == block {
                                work.extend(target.args.get(index));
                            }
                        });
                    }
                }
            }
        }
        Some(most)
    }

    /// What `value` can be at an instruction, by conditions that dominate it.
    fn range_at(&self, block: BlockId, index: usize, value: Value, hypothesis: Range) -> Range {
        let mut range = hypothesis;
        let insts = &self.function.blocks[block.0 as usize].insts;
        for inst in insts[..index].iter().rev().take(64) {
            if let Op::Check { condition, .. } = inst.op {
                range = self.narrowed(range, condition, true, value, 4);
            }
        }
        let mut at = block;
        for _ in 0..DOMINATORS {
            if let [from] = self.cfg.predecessors(at)
                && let Terminator::Branch(condition, yes, _) =
                    &self.function.blocks[from.0 as usize].terminator
            {
                range = self.narrowed(range, *condition, yes.block == at, value, 4);
            }
            match self.cfg.idom(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        range
    }

    /// A range of `value` with what follows from a condition.
    fn narrowed(&self, range: Range, condition: Value, holds: bool, value: Value, depth: u32) -> Range {
        if depth == 0 {
            return range;
        }
        match self.op(condition) {
            Some(Op::Binary(op @ (B::And | B::Or), a, b)) if self.is_bool(*a, 4) && self.is_bool(*b, 4) => {
                let left = self.narrowed(range, *a, holds, value, depth - 1);
                let right = self.narrowed(range, *b, holds, value, depth - 1);
                if (*op == B::And) == holds { left.meet(right) } else { left.hull(right) }
            }
            Some(Op::Compare(op, a, b)) => {
                let Some(op) = (if holds { Some(*op) } else { inverted(*op) }) else { return range };
                if *a == value {
                    narrow(range, op, self.range(*b))
                } else if *b == value {
                    narrow(range, swapped(op), self.range(*a))
                } else {
                    range
                }
            }
            _ => range,
        }
    }

    // ---- learning ----

    fn assume(&mut self, condition: Value, holds: bool, depth: u32) {
        if depth == 0 {
            return;
        }
        if self.truth.insert(condition, holds).is_none() {
            self.undo.push(Undo::Truth(condition));
        }
        match self.op(condition).cloned() {
            // Of wider operands the outcome says less.
            Some(Op::Binary(op @ (B::And | B::Or), a, b)) if self.is_bool(a, 4) && self.is_bool(b, 4) => {
                if (op == B::And) == holds {
                    self.assume(a, holds, depth - 1);
                    self.assume(b, holds, depth - 1);
                } else if self.holds(a) == Some(!holds) {
                    // `a or b` holds and `a` does not, so `b` does.
                    self.assume(b, holds, depth - 1);
                } else if self.holds(b) == Some(!holds) {
                    self.assume(a, holds, depth - 1);
                }
            }
            Some(Op::Compare(op, a, b)) if self.is_narrow(a) => {
                if let Some(op) = if holds { Some(op) } else { inverted(op) } {
                    self.assume_compare(op, a, b);
                }
            }
            _ => {}
        }
    }

    /// Whether a value is 0 or 1.
    fn is_bool(&self, value: Value, depth: u32) -> bool {
        match self.op(value) {
            Some(Op::Compare(..) | Op::Int(0 | 1)) => true,
            Some(Op::Binary(B::And | B::Or, a, b)) => {
                depth > 0 && self.is_bool(*a, depth - 1) && self.is_bool(*b, depth - 1)
            }
            _ => false,
        }
    }

    fn assume_compare(&mut self, op: C, a: Value, b: Value) {
        let (x, y) = (self.range(a), self.range(b));
        let (narrow_x, narrow_y) = (narrow(x, op, y), narrow(y, swapped(op), x));
        self.set_range(a, narrow_x);
        self.set_range(b, narrow_y);
        match op {
            C::SLt => self.add_upper(a, b, -1),
            C::SLe => self.add_upper(a, b, 0),
            C::SGt => self.add_upper(b, a, -1),
            C::SGe => self.add_upper(b, a, 0),
            C::Eq => {
                self.add_upper(a, b, 0);
                self.add_upper(b, a, 0);
            }
            // Below a number that is not negative: not negative either.
            C::ULt if y.lo >= 0 => self.add_upper(a, b, -1),
            C::ULe if y.lo >= 0 => self.add_upper(a, b, 0),
            C::UGt if x.lo >= 0 => self.add_upper(b, a, -1),
            C::UGe if x.lo >= 0 => self.add_upper(b, a, 0),
            _ => {}
        }
    }

    // ---- proving ----

    /// Whether a condition is known.
    fn holds(&self, condition: Value) -> Option<bool> {
        if let Some(&known) = self.truth.get(&condition) {
            return Some(known);
        }
        let range = self.range(condition);
        match range.single() {
            Some(value) => Some(value != 0),
            None if !range.contains(0) => Some(true),
            None => None,
        }
    }

    /// Decides a comparison.
    fn prove(&self, op: C, a: Value, b: Value) -> Option<bool> {
        if op.is_float() || !self.is_narrow(a) {
            return None;
        }
        let (x, y) = (self.range(a), self.range(b));
        let natural = x.lo >= 0 && y.lo >= 0;
        match op {
            C::SLt => self.less(a, b, x, y),
            C::SGt => self.less(b, a, y, x),
            C::SLe => self.less(b, a, y, x).map(|less| !less),
            C::SGe => self.less(a, b, x, y).map(|less| !less),
            C::ULt if natural => self.less(a, b, x, y),
            C::UGt if natural => self.less(b, a, y, x),
            C::ULe if natural => self.less(b, a, y, x).map(|less| !less),
            C::UGe if natural => self.less(a, b, x, y).map(|less| !less),
            C::Eq | C::Ne => {
                let differ = x.hi < y.lo || y.hi < x.lo || self.at_most(a, b, -1) || self.at_most(b, a, -1);
                let same = x.single().is_some() && x.single() == y.single();
                if differ || same { Some((op == C::Eq) == same) } else { None }
            }
            _ => None,
        }
    }

    fn less(&self, a: Value, b: Value, x: Range, y: Range) -> Option<bool> {
        if x.hi < y.lo || self.at_most(a, b, -1) {
            Some(true)
        } else if x.lo >= y.hi || self.at_most(b, a, 0) {
            Some(false)
        } else {
            None
        }
    }

    /// Whether `a <= b + c` follows, as numbers.
    fn at_most(&self, a: Value, b: Value, c: i128) -> bool {
        // What `b` is a sum of.
        let mut goals = vec![(b, c)];
        while goals.len() < 4
            && let Some(&(value, more)) = goals.last()
            && let Some((base, by)) = self.sum(value)
        {
            goals.push((base, more + by));
        }
        let mut seen = Vec::new();
        let mut work = vec![(a, 0_i128)];
        let mut steps = 0;
        while let Some((value, distance)) = work.pop() {
            steps += 1;
            if steps > STEPS {
                return false;
            }
            let highest = self.range(value).hi.saturating_add(distance);
            for &(goal, difference) in &goals {
                if (value == goal && distance <= difference)
                    || highest <= self.range(goal).lo.saturating_add(difference)
                {
                    return true;
                }
            }
            if seen.contains(&(value, distance)) || seen.len() > STEPS {
                continue;
            }
            seen.push((value, distance));
            if let Some((base, by)) = self.sum(value) {
                work.push((base, distance + by));
            }
            if let Some((bound, by)) = self.bounded(value) {
                work.push((bound, distance + by));
            }
            if let Some(edges) = self.upper.get(&value) {
                work.extend(edges.iter().rev().take(6).map(|&(next, by)| (next, distance + by)));
            }
        }
        false
    }

    /// `base + constant`, if that does not wrap.
    fn sum(&self, value: Value) -> Option<(Value, i128)> {
        let Op::Binary(B::Add, base, by) = self.op(value)? else { return None };
        let by = self.int(*by)?;
        self.range(*base).plus(by, self.function.ty(value))?;
        Some((*base, by))
    }

    /// What a value is at most by its operation.
    fn bounded(&self, value: Value) -> Option<(Value, i128)> {
        let Op::Binary(op, a, b) = self.op(value)? else { return None };
        let (x, y) = (self.range(*a), self.range(*b));
        match op {
            B::URem if y.lo > 0 => Some((*b, -1)),
            B::SRem if y.lo > 0 => Some((*b, -1)),
            B::UDiv | B::SDiv if x.lo >= 0 && y.lo > 0 => Some((*a, 0)),
            B::LShr | B::AShr if x.lo >= 0 => Some((*a, 0)),
            B::And if x.lo >= 0 => Some((*a, 0)),
            B::And if y.lo >= 0 => Some((*b, 0)),
            // `a - b` with `b` not negative and no wrapping below.
            B::Sub if x.lo >= 0 && y.lo >= 0 => Some((*a, 0)),
            _ => None,
        }
    }
}

/// Where each block parameter stands.
fn params(function: &Function) -> Vec<Option<(BlockId, usize)>> {
    let mut params = vec![None; function.values.len()];
    for (at, block) in function.blocks.iter().enumerate() {
        for (index, param) in block.params.iter().enumerate() {
            params[param.0 as usize] = Some((BlockId(at as u32), index));
        }
    }
    params
}

/// A range of `x` given `x op y`.
fn narrow(x: Range, op: C, y: Range) -> Range {
    let narrower = narrow_or_empty(x, op, y);
    if narrower.is_empty() { x } else { narrower }
}

fn narrow_or_empty(x: Range, op: C, y: Range) -> Range {
    match op {
        C::SLt => Range { hi: x.hi.min(y.hi.saturating_sub(1)), ..x },
        C::SLe => Range { hi: x.hi.min(y.hi), ..x },
        C::SGt => Range { lo: x.lo.max(y.lo.saturating_add(1)), ..x },
        C::SGe => Range { lo: x.lo.max(y.lo), ..x },
        C::Eq => x.meet(y),
        C::Ne => match y.single() {
            Some(value) if x.lo == value => Range { lo: value.saturating_add(1), ..x },
            Some(value) if x.hi == value => Range { hi: value.saturating_sub(1), ..x },
            _ => x,
        },
        C::ULt if y.lo >= 0 => x.meet(Range { lo: 0, hi: y.hi.saturating_sub(1) }),
        C::ULe if y.lo >= 0 => x.meet(Range { lo: 0, hi: y.hi }),
        C::UGt if x.lo >= 0 && y.lo >= 0 => Range { lo: x.lo.max(y.lo.saturating_add(1)), ..x },
        C::UGe if x.lo >= 0 && y.lo >= 0 => Range { lo: x.lo.max(y.lo), ..x },
        _ => x,
    }
}
