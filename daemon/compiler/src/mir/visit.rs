//! What statements and terminators do to whole locals, for the dataflow analyses.
use super::body::{
    BlockId, Callee, LocalId, Mir, Operand, PanicKind, Place, Projection, Rvalue, Statement, StatementKind,
    Terminator,
};

/// How a local is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Its value, or a part of it, is copied: [`Operand::Copy`].
    Copy,
    /// Read in another way, or written in part.
    Use,
    /// Taken: [`Operand::Move`].
    Move,
    /// Dropped as a whole.
    Drop,
    /// Overwritten as a whole.
    Assign,
}

/// Reports every local a statement touches, in order: reads first, then writes.
pub(super) fn statement(statement: &Statement, f: &mut dyn FnMut(LocalId, Touch)) {
    match &statement.kind {
        StatementKind::Assign(place, value) => {
            rvalue(value, f);
            written(place, f);
        }
        StatementKind::Drop(place) => match place.as_local() {
            Some(local) => f(local, Touch::Drop),
            None => self::place(place, Touch::Use, f),
        },
        StatementKind::Unique(place) => self::place(place, Touch::Use, f),
        StatementKind::Call { callee, args, dest } => {
            if let Callee::Value(value, ..) = callee {
                operand(value, f);
            }
            args.iter().for_each(|a| operand(a, f));
            if let Some(dest) = dest {
                written(dest, f);
            }
        }
        StatementKind::Check(cond, panic) => {
            operand(cond, f);
            match panic {
                PanicKind::Index { index, len, .. } => {
                    operand(index, f);
                    operand(len, f);
                }
                PanicKind::NotAChar(value) | PanicKind::Assert(value) => operand(value, f),
                PanicKind::DivisionByZero => {}
            }
        }
    }
}

/// Reports every local a terminator touches.
pub(super) fn terminator(terminator: &Terminator, f: &mut dyn FnMut(LocalId, Touch)) {
    match terminator {
        Terminator::Branch(value, ..) | Terminator::Switch(value, ..) | Terminator::Panic(value, _) => {
            operand(value, f)
        }
        Terminator::Return(Some(value)) => operand(value, f),
        Terminator::Goto(_) | Terminator::Return(None) | Terminator::Unreachable => {}
    }
}

/// The blocks a terminator may go to.
pub(super) fn successors(terminator: &Terminator) -> Vec<BlockId> {
    match terminator {
        Terminator::Goto(next) => vec![*next],
        Terminator::Branch(_, yes, no) => vec![*yes, *no],
        Terminator::Switch(_, cases, other) => cases.iter().map(|(_, b)| *b).chain([*other]).collect(),
        Terminator::Return(_) | Terminator::Panic(..) | Terminator::Unreachable => Vec::new(),
    }
}

/// Redirects the successors of a terminator.
pub(super) fn map_successors(terminator: &mut Terminator, f: &dyn Fn(BlockId) -> BlockId) {
    match terminator {
        Terminator::Goto(next) => *next = f(*next),
        Terminator::Branch(_, yes, no) => {
            *yes = f(*yes);
            *no = f(*no);
        }
        Terminator::Switch(_, cases, other) => {
            cases.iter_mut().for_each(|(_, b)| *b = f(*b));
            *other = f(*other);
        }
        Terminator::Return(_) | Terminator::Panic(..) | Terminator::Unreachable => {}
    }
}

/// The operands of a statement, to rewrite.
pub(super) fn operands_mut(statement: &mut Statement) -> Vec<&mut Operand> {
    match &mut statement.kind {
        StatementKind::Assign(_, value) => rvalue_operands_mut(value),
        StatementKind::Drop(_) | StatementKind::Unique(_) => Vec::new(),
        StatementKind::Call { args, .. } => args.iter_mut().collect(),
        // What a check shows is only read.
        StatementKind::Check(..) => Vec::new(),
    }
}

fn rvalue_operands_mut(value: &mut Rvalue) -> Vec<&mut Operand> {
    match value {
        Rvalue::Use(a) | Rvalue::Unary(_, a) | Rvalue::Cast(a, _) | Rvalue::StringByte(_, a) => vec![a],
        Rvalue::Binary(_, a, b) | Rvalue::Compare(_, a, b) => vec![a, b],
        Rvalue::Record(_, all) | Rvalue::Variant(_, _, all) | Rvalue::List(_, all) => {
            all.iter_mut().collect()
        }
        Rvalue::Len(_) | Rvalue::Tag(_) | Rvalue::AddressOf(_) => Vec::new(),
    }
}

fn operand(operand: &Operand, f: &mut dyn FnMut(LocalId, Touch)) {
    match operand {
        Operand::Copy(p) => place(p, Touch::Copy, f),
        Operand::Move(p) => place(p, Touch::Move, f),
        Operand::Borrow(p) => place(p, Touch::Use, f),
        Operand::Const(_) => {}
    }
}

fn place(place: &Place, touch: Touch, f: &mut dyn FnMut(LocalId, Touch)) {
    for projection in &place.projections {
        if let Projection::Index(index) = projection {
            f(*index, Touch::Use);
        }
    }
    f(place.local, touch);
}

fn written(dest: &Place, f: &mut dyn FnMut(LocalId, Touch)) {
    match dest.as_local() {
        Some(local) => f(local, Touch::Assign),
        None => place(dest, Touch::Use, f),
    }
}

fn rvalue(value: &Rvalue, f: &mut dyn FnMut(LocalId, Touch)) {
    match value {
        Rvalue::Use(a) | Rvalue::Unary(_, a) | Rvalue::Cast(a, _) => operand(a, f),
        Rvalue::Binary(_, a, b) | Rvalue::Compare(_, a, b) => {
            operand(a, f);
            operand(b, f);
        }
        Rvalue::StringByte(p, a) => {
            operand(a, f);
            place(p, Touch::Use, f);
        }
        Rvalue::Record(_, all) | Rvalue::Variant(_, _, all) | Rvalue::List(_, all) => {
            all.iter().for_each(|a| operand(a, f));
        }
        Rvalue::Len(p) | Rvalue::Tag(p) | Rvalue::AddressOf(p) => place(p, Touch::Use, f),
    }
}

/// Blocks in reverse postorder from the entry; unreachable ones are left out.
pub(super) fn reverse_postorder(mir: &Mir) -> Vec<BlockId> {
    let mut seen = vec![false; mir.blocks.len()];
    let mut order = Vec::new();
    let mut work = vec![(BlockId(0), false)];
    while let Some((block, done)) = work.pop() {
        if done {
            order.push(block);
            continue;
        }
        let Some(data) = mir.blocks.get(block.0 as usize) else { continue };
        if std::mem::replace(&mut seen[block.0 as usize], true) {
            continue;
        }
        work.push((block, true));
        work.extend(successors(&data.terminator).into_iter().rev().map(|b| (b, false)));
    }
    order.reverse();
    order
}

/// A set of locals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalSet(Vec<u64>);

impl LocalSet {
    /// The empty set for locals below `count`.
    pub fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    pub fn insert(&mut self, local: LocalId) {
        if let Some(word) = self.0.get_mut(local.0 as usize / 64) {
            *word |= 1 << (local.0 % 64);
        }
    }

    pub fn remove(&mut self, local: LocalId) {
        if let Some(word) = self.0.get_mut(local.0 as usize / 64) {
            *word &= !(1 << (local.0 % 64));
        }
    }

    pub fn contains(&self, local: LocalId) -> bool {
        self.0.get(local.0 as usize / 64).is_some_and(|word| word & (1 << (local.0 % 64)) != 0)
    }

    /// Adds all of `other`; whether anything was new.
    pub fn union(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            changed |= *b & !*a != 0;
            *a |= b;
        }
        changed
    }

    /// Keeps what is also in `other`; whether anything was lost.
    pub fn intersect(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            changed |= *a & !*b != 0;
            *a &= b;
        }
        changed
    }
}
