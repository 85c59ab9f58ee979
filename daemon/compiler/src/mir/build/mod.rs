//! THIR to MIR.
//!
//! The builder makes *raw* MIR: every read of a place is a [`Operand::Copy`], and every refcounted local, temporaries
//! included, is dropped where its scope ends whatever became of it. [`elaborate`](super::elaborate) then turns
//! last copies into moves and removes or guards the drops of values that are gone.
mod assign;
mod call;
mod control;
mod expr;
mod matches;
mod ops;
mod place;

use std::sync::Arc;

use super::body::{
    Block, BlockId, Const, Local, LocalId, Mir, Operand, PassMode, Place, Projection, Rvalue, Statement,
    StatementKind, Terminator,
};
use super::modes::pass_modes;
use super::tys::{address_of, needs_drop, object_of, place_ty};
use crate::base::Db;
use crate::lower::{ItemId, NodeId};
use crate::mono::{Instance, InstanceKind};
use crate::types::{Ty, check_body, thir};

/// Where something stands: a block and the number of statements before it.
pub(super) type Point = (BlockId, usize);

/// What the borrow check needs to know of the user's text that MIR no longer shows.
#[derive(Default)]
pub(super) struct Facts {
    /// `let b = a`, `set b = a`, `move a`, an argument of a `move` parameter: the statement that reads the local.
    pub moves: Vec<(Point, LocalId, NodeId)>,
    /// `let a: T`: from here on the local holds nothing.
    pub unassigned: Vec<(Point, LocalId)>,
    /// References kept in a local.
    pub loans: Vec<Loan>,
    /// References given to the caller.
    pub returned: Vec<Returned>,
    /// Two references in one call: the later one, the earlier one, and what the earlier one is to.
    pub clashes: Vec<(NodeId, NodeId, LocalId)>,
    /// Where the user names a local, for labels: before which statement, and the node.
    pub reads: Vec<(Point, LocalId, NodeId)>,
    /// MIR local of each THIR local.
    pub locals: Vec<LocalId>,
}

/// `let r = ref mut a.f`
pub(super) struct Loan {
    /// The statement that fills the holder.
    pub at: Point,
    /// Who holds it.
    pub holder: LocalId,
    /// What it points to.
    pub path: Path,
    /// `ref mut`
    pub mutable: bool,
    /// The reference expression.
    pub node: NodeId,
}

/// `give ref a`, `give r`
pub(super) struct Returned {
    /// A local whose reference is returned, directly...
    pub local: LocalId,
    /// ... or which holds the reference.
    pub holder: bool,
    /// The expression.
    pub node: NodeId,
}

/// A place as far as overlap goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path {
    pub root: LocalId,
    pub steps: Vec<PathStep>,
}

/// A step of a [`Path`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathStep {
    Field(u32),
    /// Any element.
    Element,
    Deref,
}

impl Path {
    /// Whether the two may have a part in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.root == other.root
            && self.steps.iter().zip(&other.steps).all(|(a, b)| match (a, b) {
                (PathStep::Field(x), PathStep::Field(y)) => x == y,
                _ => true,
            })
    }
}

/// Raw MIR with what else is known of it.
pub(super) struct Raw {
    pub mir: Mir,
    pub facts: Facts,
}

/// The MIR of a proc's body with these type arguments, before moves and drops are worked out.
/// Bodies with errors and procs without a body give one unreachable block.
pub(super) fn build(db: &dyn Db, item: ItemId, args: &[Ty]) -> Raw {
    let checked = check_body(db, item);
    db.go_on("mir");
    let instance = Instance::new(db, InstanceKind::Proc(item, args.to_vec()));
    let modes = pass_modes(db, instance);
    let mut builder = Builder {
        db,
        args,
        body: &checked.body,
        item: Some(item),
        ret: checked.body.ret.subst(args),
        locals: Vec::new(),
        blocks: vec![OpenBlock::default()],
        current: BlockId(0),
        scopes: vec![Vec::new()],
        loops: Vec::new(),
        place_params: Vec::new(),
        facts: Facts::default(),
        node: NodeId::default(),
    };
    builder.declare_locals(modes);
    if checked.body.ok {
        builder.body();
    } else {
        builder.terminate(Terminator::Unreachable);
    }
    builder.finish(modes.to_vec())
}

/// The MIR of a lambda: it takes the object of its procedure value and the parameters, and starts with copies of
/// what it captured.
pub(super) fn build_lambda(db: &dyn Db, item: ItemId, args: &[Ty], index: u32) -> Raw {
    let checked = check_body(db, item);
    db.go_on("mir");
    let instance = Instance::new(db, InstanceKind::Lambda(item, args.to_vec(), index));
    let modes = pass_modes(db, instance);
    let lambda = checked.body.lambdas.get(index as usize).unwrap_or(&checked.body);
    let mut builder = Builder {
        db,
        args,
        body: lambda,
        item: Some(item),
        ret: lambda.ret.subst(args),
        locals: Vec::new(),
        blocks: vec![OpenBlock::default()],
        current: BlockId(0),
        scopes: vec![Vec::new()],
        loops: Vec::new(),
        place_params: Vec::new(),
        facts: Facts::default(),
        node: NodeId::default(),
    };
    builder.declare_lambda(modes);
    if lambda.ok {
        builder.body();
    } else {
        builder.terminate(Terminator::Unreachable);
    }
    builder.finish(modes.to_vec())
}

/// A block that may still be open.
#[derive(Default)]
struct OpenBlock {
    statements: Vec<Statement>,
    terminator: Option<Terminator>,
}

/// What is done when a scope is left.
#[derive(Clone)]
enum AtExit {
    /// The local is dropped.
    Drop(LocalId),
    /// A `defer` runs.
    Run(Arc<thir::Block>),
}

/// A loop being lowered.
struct LoopFrame {
    /// Scopes outside it.
    depth: usize,
    /// Where `break` goes.
    exit: BlockId,
    /// Where `continue` goes.
    next: BlockId,
    /// Takes the value of `break`.
    dest: Option<LocalId>,
}

/// The state of lowering one body.
pub(super) struct Builder<'a> {
    db: &'a dyn Db,
    /// Type arguments.
    args: &'a [Ty],
    body: &'a thir::Body,
    item: Option<ItemId>,
    ret: Ty,
    locals: Vec<Local>,
    blocks: Vec<OpenBlock>,
    current: BlockId,
    /// What is done at the end of each open scope, in reverse.
    scopes: Vec<Vec<AtExit>>,
    loops: Vec<LoopFrame>,
    /// By-value form parameters that are passed by place, with the slot that holds them once they are rebound.
    place_params: Vec<(LocalId, LocalId)>,
    facts: Facts,
    /// Node of the statements being made.
    node: NodeId,
}

impl<'a> Builder<'a> {
    /// Makes a local for each THIR local; parameters come first.
    fn declare_locals(&mut self, modes: &[PassMode]) {
        for (i, local) in self.body.locals.iter().enumerate() {
            let ty = local.ty.subst(self.args);
            let by_place = i < self.body.param_count && modes.get(i) == Some(&PassMode::Place);
            let held = if by_place && !matches!(ty, Ty::Ref(true, _)) { address_of(ty.clone()) } else { ty };
            let id = self.new_local(held, Some(local.name.clone()), local.node);
            self.facts.locals.push(id);
        }
        for i in 0..self.body.param_count {
            let id = self.facts.locals[i];
            let ty = self.body.locals[i].ty.subst(self.args);
            match modes.get(i) {
                Some(PassMode::Own) | None => self.schedule(id),
                Some(PassMode::Borrow) => {}
                Some(PassMode::Place) if matches!(ty, Ty::Ref(true, _)) => {}
                Some(PassMode::Place) => {
                    let slot = self.new_local(ty, None, self.body.locals[i].node);
                    self.schedule(slot);
                    self.place_params.push((id, slot));
                }
            }
        }
    }

    /// The same for a lambda, whose captures are in the object that comes first.
    fn declare_lambda(&mut self, modes: &[PassMode]) {
        let captures = self.body.captures;
        let tys: Vec<Ty> = self.body.locals.iter().map(|local| local.ty.subst(self.args)).collect();
        let object = object_of(tys.iter().take(captures).cloned());
        let object = self.new_local(object, None, NodeId::default());
        let declared = |b: &Self, index: usize| {
            let local = &b.body.locals[index];
            (Some(local.name.clone()), local.node)
        };
        let mut params = Vec::new();
        for index in captures..self.body.param_count {
            let (name, node) = declared(self, index);
            let ty = tys[index].clone();
            let by_place = modes.get(index - captures + 1) == Some(&PassMode::Place);
            let held = if by_place && !matches!(ty, Ty::Ref(true, _)) { address_of(ty) } else { ty };
            params.push(self.new_local(held, name, node));
        }
        for (index, ty) in tys.iter().enumerate() {
            let (name, node) = declared(self, index);
            let param = index.checked_sub(captures).and_then(|at| params.get(at).copied());
            let mode = index.checked_sub(captures).and_then(|at| modes.get(at + 1).copied());
            let id = match (param, mode) {
                (Some(param), Some(PassMode::Place)) => {
                    if !matches!(ty, Ty::Ref(true, _)) {
                        let slot = self.new_local(ty.clone(), None, node);
                        self.schedule(slot);
                        self.place_params.push((param, slot));
                    }
                    param
                }
                (Some(param), Some(PassMode::Borrow)) => {
                    let own = self.new_local(ty.clone(), name, node);
                    self.schedule(own);
                    self.assign(own, Rvalue::Use(Operand::Copy(Place::local(param))));
                    own
                }
                (Some(param), Some(PassMode::Own) | None) => param,
                (None, _) if index < captures => {
                    let own = self.new_local(ty.clone(), name, node);
                    self.schedule(own);
                    let kept = Place::local(object).then(Projection::Field(index as u32 + 2));
                    self.assign(own, Rvalue::Use(Operand::Copy(kept)));
                    own
                }
                (None, _) => self.new_local(ty.clone(), name, node),
            };
            self.facts.locals.push(id);
        }
    }

    fn body(&mut self) {
        let block = &self.body.block;
        let ret = self.ret.clone();
        let result = self.new_local(ret.clone(), None, block.node);
        self.block_into(block, Some(result));
        self.node = block.node;
        let falls_off = block.tail.is_none() && !matches!(ret, Ty::Unit);
        if falls_off && matches!(ret, Ty::Int(_)) {
            // Only `main` may end without `give` when a value is due; it means 0 (§6.3).
            self.assign(result, Rvalue::Use(Operand::Const(Const::Int(0, ret.clone()))));
        } else if falls_off {
            self.terminate(Terminator::Unreachable);
        }
        self.leave_scopes(0);
        let value = self.has_value(&ret).then(|| Operand::Move(Place::local(result)));
        self.terminate(Terminator::Return(value));
    }

    fn finish(self, params: Vec<PassMode>) -> Raw {
        let blocks = self
            .blocks
            .into_iter()
            .map(|b| Block {
                statements: b.statements,
                terminator: b.terminator.unwrap_or(Terminator::Unreachable),
            })
            .collect();
        let mir = Mir { params, locals: self.locals, ret: self.ret, blocks, item: self.item };
        Raw { mir, facts: self.facts }
    }

    // Types.

    fn ty(&self, ty: &Ty) -> Ty {
        ty.subst(self.args)
    }

    fn needs_drop(&self, ty: &Ty) -> bool {
        needs_drop(self.db, ty)
    }

    /// Whether a value of the type exists at run time.
    fn has_value(&self, ty: &Ty) -> bool {
        !matches!(ty, Ty::Unit | Ty::Never)
    }

    fn place_ty(&self, place: &Place) -> Ty {
        place_ty(self.db, &self.locals, place)
    }

    // Locals and scopes.

    fn new_local(&mut self, ty: Ty, name: Option<crate::base::Name>, node: NodeId) -> LocalId {
        self.locals.push(Local { ty, name, node });
        LocalId(self.locals.len() as u32 - 1)
    }

    /// A temporary that is dropped at the end of the innermost scope.
    fn temp(&mut self, ty: Ty) -> LocalId {
        let local = self.new_local(ty, None, self.node);
        self.schedule(local);
        local
    }

    /// A temporary that holds this value.
    fn temp_with(&mut self, ty: Ty, value: Rvalue) -> LocalId {
        let local = self.temp(ty);
        self.assign(local, value);
        local
    }

    fn schedule(&mut self, local: LocalId) {
        let ty = &self.locals[local.0 as usize].ty;
        if needs_drop(self.db, ty)
            && let Some(scope) = self.scopes.last_mut()
        {
            scope.push(AtExit::Drop(local));
        }
    }

    /// Lowers something in a scope of its own: its temporaries are dropped after it.
    fn scoped<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.push(Vec::new());
        let result = f(self);
        if let Some(scope) = self.scopes.pop() {
            self.exit(&scope);
        }
        result
    }

    fn exit(&mut self, scope: &[AtExit]) {
        for entry in scope.iter().rev() {
            match entry {
                AtExit::Drop(local) => self.push(StatementKind::Drop(Place::local(*local))),
                AtExit::Run(block) => self.block_into(block, None),
            }
        }
    }

    /// Does what the scopes from `depth` on do at their end, without closing them: for jumps out of them.
    fn leave_scopes(&mut self, depth: usize) {
        let left: Vec<AtExit> =
            self.scopes[depth.min(self.scopes.len())..].iter().flatten().cloned().collect();
        self.exit(&left);
    }

    // Blocks and statements.

    fn new_block(&mut self) -> BlockId {
        self.blocks.push(OpenBlock::default());
        BlockId(self.blocks.len() as u32 - 1)
    }

    fn point(&self) -> Point {
        (self.current, self.blocks[self.current.0 as usize].statements.len())
    }

    fn push(&mut self, kind: StatementKind) {
        let node = self.node;
        self.blocks[self.current.0 as usize].statements.push(Statement { node, kind });
    }

    fn assign(&mut self, local: LocalId, value: Rvalue) {
        self.assign_place(Place::local(local), value);
    }

    fn assign_place(&mut self, place: Place, value: Rvalue) {
        self.push(StatementKind::Assign(place, value));
    }

    /// Ends the current block. What follows is lowered into a block that nothing reaches.
    fn terminate(&mut self, terminator: Terminator) {
        let block = &mut self.blocks[self.current.0 as usize];
        if block.terminator.is_none() {
            block.terminator = Some(terminator);
        }
        self.current = self.new_block();
    }

    /// Ends the current block with a jump and goes on in `next`.
    fn goto_and_open(&mut self, next: BlockId) {
        self.terminate(Terminator::Goto(next));
        self.current = next;
    }

    /// The MIR local of a THIR local.
    fn user(&self, local: thir::LocalId) -> LocalId {
        self.facts.locals.get(local.0 as usize).copied().unwrap_or(LocalId(local.0))
    }

    /// The slot of a by-value form parameter that is passed by place.
    fn rebind_slot(&self, local: LocalId) -> Option<LocalId> {
        self.place_params.iter().find(|(p, _)| *p == local).map(|(_, slot)| *slot)
    }

    fn str_const(text: &str) -> Operand {
        Operand::Const(Const::Str(Arc::from(text)))
    }

    fn int_const(value: i128, ty: Ty) -> Operand {
        Operand::Const(Const::Int(value, ty))
    }
}

/// A `usize` constant.
fn usize_const(value: u64) -> Operand {
    Operand::Const(Const::Int(i128::from(value), Ty::USIZE))
}

/// The operand read without retaining.
fn borrowed(operand: Operand) -> Operand {
    match operand {
        Operand::Copy(place) | Operand::Move(place) | Operand::Borrow(place) => Operand::Borrow(place),
        Operand::Const(c) => Operand::Const(c),
    }
}

/// The operand in the mode the callee wants.
fn in_mode(operand: Operand, mode: PassMode) -> Operand {
    match mode {
        PassMode::Own => operand,
        PassMode::Borrow | PassMode::Place => borrowed(operand),
    }
}

impl Place {
    /// A whole local.
    pub fn local(local: LocalId) -> Self {
        Self { local, projections: Vec::new() }
    }

    /// One step further.
    #[must_use]
    pub fn then(&self, projection: Projection) -> Self {
        let mut projections = self.projections.clone();
        projections.push(projection);
        Self { local: self.local, projections }
    }

    /// The local, if the place is a whole one.
    pub fn as_local(&self) -> Option<LocalId> {
        self.projections.is_empty().then_some(self.local)
    }
}
