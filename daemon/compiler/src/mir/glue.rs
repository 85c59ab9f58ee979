//! MIR that no user wrote: the C `main`, adapters for procedure values, and drop, clone and equality of types.
//!
//! # Dropping recursive types
//! A list of ten million nodes must not need ten million stack frames to be freed. Types that can reach themselves
//! are dropped by one shared loop per cycle of types, [`drop_cycle`]: an object whose count reached zero is dead, so
//! its first word (the count) holds the next dead object, and the upper 16 bits of that word say which type of the
//! cycle the next one has (user-space addresses have at most 48 bits unless a program maps beyond them on purpose).
//! No allocation, no recursion, one visit per object.
use super::body::{
    Block, BlockId, Callee, Const, Local, LocalId, Mir, Operand, PassMode, Place, Projection, Rvalue,
    Statement, StatementKind, Terminator,
};
use super::elaborate::simplify;
use super::modes::{pass_modes, value_mode};
use super::tys::{
    address_of, bench_proc, core_proc, field_tys, holds_float, list_of, needs_drop, object_of, place_ty,
    repr, type_cycle, variant_tys,
};
use crate::base::{Db, Name};
use crate::lower::hir::BinaryOp;
use crate::lower::{ItemId, ItemKind, NodeId};
use crate::mono::{Instance, InstanceKind, item_name};
use crate::types::program::is_bench;
use crate::types::{IntTy, Intrinsic, Ty, core_item, pick_data, proc_data};

/// Bit at which a link to a dead object holds its type's index.
const TYPE_SHIFT: i128 = 48;

/// Makes the blocks of one glue body, one after the other.
pub(super) struct Glue<'a> {
    pub(super) db: &'a dyn Db,
    mir: Mir,
    current: usize,
}

pub(super) fn local(id: LocalId) -> Place {
    Place::local(id)
}

pub(super) fn copy(id: LocalId) -> Operand {
    Operand::Copy(local(id))
}

pub(super) fn int(value: i128, ty: Ty) -> Operand {
    Operand::Const(Const::Int(value, ty))
}

impl<'a> Glue<'a> {
    pub(super) fn new(db: &'a dyn Db, params: &[(Ty, PassMode)], ret: Ty, item: Option<ItemId>) -> Self {
        let locals = params
            .iter()
            .map(|(ty, _)| Local { ty: ty.clone(), name: None, node: NodeId::default() })
            .collect();
        let modes = params.iter().map(|(_, mode)| *mode).collect();
        let mir = Mir { params: modes, locals, ret, blocks: Vec::new(), item };
        let mut glue = Self { db, mir, current: 0 };
        glue.block();
        glue
    }

    pub(super) fn local(&mut self, ty: Ty) -> LocalId {
        self.mir.locals.push(Local { ty, name: None, node: NodeId::default() });
        LocalId(self.mir.locals.len() as u32 - 1)
    }

    pub(super) fn locals(&self) -> &[Local] {
        &self.mir.locals
    }

    pub(super) fn block(&mut self) -> BlockId {
        self.mir.blocks.push(Block { statements: Vec::new(), terminator: Terminator::Unreachable });
        BlockId(self.mir.blocks.len() as u32 - 1)
    }

    pub(super) fn open(&mut self, block: BlockId) {
        self.current = block.0 as usize;
    }

    pub(super) fn end(&mut self, terminator: Terminator) {
        self.mir.blocks[self.current].terminator = terminator;
    }

    pub(super) fn push(&mut self, kind: StatementKind) {
        self.mir.blocks[self.current].statements.push(Statement { node: NodeId::default(), kind });
    }

    pub(super) fn assign(&mut self, dest: LocalId, value: Rvalue) {
        self.push(StatementKind::Assign(local(dest), value));
    }

    pub(super) fn value(&mut self, ty: Ty, value: Rvalue) -> LocalId {
        let dest = self.local(ty);
        self.assign(dest, value);
        dest
    }

    /// Calls with values that stay the caller's.
    pub(super) fn call_borrowing(&mut self, instance: Instance, args: &[Place], dest: LocalId) {
        let modes = pass_modes(self.db, instance).clone();
        let operand = |(i, place): (usize, &Place)| match modes.get(i) {
            Some(PassMode::Borrow) => Operand::Borrow(place.clone()),
            _ => Operand::Copy(place.clone()),
        };
        let args = args.iter().enumerate().map(operand).collect();
        self.call(Callee::Instance(instance), args, Some(dest));
    }

    pub(super) fn call(&mut self, callee: Callee, args: Vec<Operand>, dest: Option<LocalId>) {
        self.push(StatementKind::Call { callee, args, dest: dest.map(local) });
    }

    pub(super) fn intrinsic(
        &mut self,
        intrinsic: Intrinsic,
        ty: &Ty,
        args: Vec<Operand>,
        result: Ty,
    ) -> LocalId {
        let dest = self.local(result);
        self.call(Callee::Intrinsic(intrinsic, vec![ty.clone()]), args, Some(dest));
        dest
    }

    /// Calls `free` on an address.
    fn free(&mut self, address: Operand) {
        let callee = Callee::Extern(Name::new_static("free"), vec![Ty::USIZE], Ty::Unit);
        self.call(callee, vec![address], None);
    }

    pub(super) fn address_value(&mut self, place: Place, ty: &Ty) -> LocalId {
        self.intrinsic(Intrinsic::Addr, ty, vec![Operand::Borrow(place)], Ty::USIZE)
    }

    /// Ends the block with a switch on the tag of a pick at `place`; opens nothing. One block for each variant.
    pub(super) fn switch_tag(&mut self, place: &Place, variants: usize) -> Vec<BlockId> {
        let tag = self.value(Ty::USIZE, Rvalue::Tag(place.clone()));
        let blocks: Vec<BlockId> = (0..variants).map(|_| self.block()).collect();
        let cases = blocks.iter().enumerate().map(|(i, b)| (i as i128, *b)).collect();
        let never = self.block();
        self.end(Terminator::Switch(copy(tag), cases, never));
        blocks
    }

    /// Calls a benchmark in rounds: each has as many calls as `bench_next` says, which gets the parameters of `main` and
    /// looks at the clock. Results pass through `keep_value`, so that they are computed.
    fn measure(&mut self, item: ItemId) {
        let db = self.db;
        let ret = proc_data(db, item).ret.clone();
        let (left, less) = (self.local(Ty::INT), self.local(Ty::INT));
        let (round, call, done) = (self.block(), self.block(), self.block());
        self.end(Terminator::Goto(round));
        self.open(round);
        self.assign(left, Rvalue::Use(int(0, Ty::INT)));
        let next = Instance::new(db, InstanceKind::Proc(bench_proc(db, "bench_next"), Vec::new()));
        self.call(Callee::Instance(next), vec![copy(LocalId(0)), copy(LocalId(1))], Some(left));
        self.end(Terminator::Switch(copy(left), vec![(0, done)], call));
        self.open(call);
        let has_result = !matches!(ret, Ty::Unit | Ty::Never);
        let result = has_result.then(|| self.local(ret.clone()));
        self.call(
            Callee::Instance(Instance::new(db, InstanceKind::Proc(item, Vec::new()))),
            Vec::new(),
            result,
        );
        if let Some(result) = result {
            let keep = Instance::new(db, InstanceKind::Proc(bench_proc(db, "keep_value"), vec![ret.clone()]));
            let owned = pass_modes(db, keep).first().copied().unwrap_or(PassMode::Own) == PassMode::Own;
            let value = if owned { Operand::Move(local(result)) } else { Operand::Borrow(local(result)) };
            let kept = self.local(ret.clone());
            self.call(Callee::Instance(keep), vec![value], Some(kept));
            if needs_drop(db, &ret) {
                self.push(StatementKind::Drop(local(kept)));
                if !owned {
                    self.push(StatementKind::Drop(local(result)));
                }
            }
        }
        self.assign(less, Rvalue::Binary(BinaryOp::Sub, copy(left), int(1, Ty::INT)));
        self.assign(left, Rvalue::Use(copy(less)));
        self.end(Terminator::Switch(copy(left), vec![(0, round)], call));
        self.open(done);
    }

    pub(super) fn finish(mut self) -> Mir {
        simplify(&mut self.mir);
        self.mir
    }
}

/// The places of all refcounted children of a value at `place`, by variant (one list for forms and tuples).
fn child_places(db: &dyn Db, ty: &Ty, place: &Place) -> Vec<Vec<(Place, Ty)>> {
    let refcounted = |tys: Vec<Ty>, step: &dyn Fn(u32) -> Projection| {
        tys.into_iter()
            .enumerate()
            .filter(|(_, t)| needs_drop(db, t))
            .map(|(i, t)| (place.then(step(i as u32)), t))
            .collect::<Vec<_>>()
    };
    match repr(ty) {
        Ty::Form(..) | Ty::Tuple(_) => vec![refcounted(field_tys(db, ty), &Projection::Field)],
        Ty::Pick(..) => variant_tys(db, ty)
            .into_iter()
            .enumerate()
            .map(|(v, tys)| refcounted(tys, &|field| Projection::Payload { variant: v as u32, field }))
            .collect(),
        _ => Vec::new(),
    }
}

/// C `main(argc, argv)`: calls the user's `main` with the arguments it takes, flushes stdout, gives the status
/// modulo 256 (§8.7).
pub(super) fn main(db: &dyn Db, item: ItemId) -> Mir {
    let i32_ty = Ty::Int(IntTy::I32);
    let params = [(i32_ty.clone(), PassMode::Own), (Ty::USIZE, PassMode::Own)];
    let mut g = Glue::new(db, &params, i32_ty.clone(), Some(item));
    let data = proc_data(db, item);
    let user = Instance::new(db, InstanceKind::Proc(item, Vec::new()));
    let modes = pass_modes(db, user).clone();
    let mut args = Vec::new();
    let mut release = Vec::new();
    if let Some(param) = data.params.first() {
        let list = list_of(Ty::String);
        let held = g.local(list.clone());
        if let Some(start) = core_proc(db, "start_args", Vec::new()) {
            g.call(Callee::Instance(start), vec![copy(LocalId(0)), copy(LocalId(1))], Some(held));
        }
        let mode = modes.first().copied().unwrap_or(PassMode::Own);
        args.push(match mode {
            PassMode::Own => Operand::Move(local(held)),
            PassMode::Borrow => Operand::Borrow(local(held)),
            PassMode::Place => {
                let address = g.value(address_of(list), Rvalue::AddressOf(local(held)));
                copy(address)
            }
        });
        if mode != PassMode::Own && needs_drop(db, &param.ty) || mode == PassMode::Place {
            release.push(held);
        }
    }
    let has_result = !matches!(data.ret, Ty::Unit | Ty::Never);
    let result = has_result.then(|| g.local(data.ret.clone()));
    g.call(Callee::Instance(user), args, result);
    for held in release {
        g.push(StatementKind::Drop(local(held)));
    }
    if let Some(flush) = core_proc(db, "flush_stdout", Vec::new()) {
        g.call(Callee::Instance(flush), Vec::new(), None);
    }
    let status = match (result, &data.ret) {
        (Some(result), Ty::Int(_)) => {
            let wide = Ty::Int(IntTy::I64);
            let value = g.value(wide.clone(), Rvalue::Cast(copy(result), wide.clone()));
            let low = g.value(wide.clone(), Rvalue::Binary(BinaryOp::BitAnd, copy(value), int(255, wide)));
            copy(g.value(i32_ty.clone(), Rvalue::Cast(copy(low), i32_ty)))
        }
        (result, ret) => {
            if let Some(result) = result.filter(|_| needs_drop(db, ret)) {
                g.push(StatementKind::Drop(local(result)));
            }
            int(0, i32_ty)
        }
    };
    g.end(Terminator::Return(Some(status)));
    g.finish()
}

/// C `main(argc, argv)` of a runner of tests: with the number of one it runs that test and gives 0 if it passed, else 1;
/// with nothing it prints the names of all in order, a line each. Benchmarks among them run as often as `bench_next`
/// says, until it says 0.
pub(super) fn tests(db: &dyn Db, items: &[ItemId]) -> Mir {
    let i32_ty = Ty::Int(IntTy::I32);
    let params = [(i32_ty.clone(), PassMode::Own), (Ty::USIZE, PassMode::Own)];
    let mut g = Glue::new(db, &params, i32_ty.clone(), items.first().copied());
    let number = g.local(Ty::INT);
    if let Some(chosen) = core_proc(db, "chosen_test", Vec::new()) {
        g.call(Callee::Instance(chosen), vec![copy(LocalId(0)), copy(LocalId(1))], Some(number));
    }
    let blocks: Vec<BlockId> = items.iter().map(|_| g.block()).collect();
    let (list, end) = (g.block(), g.block());
    let status = g.local(i32_ty.clone());
    let cases = (0..).zip(&blocks).map(|(number, block)| (number, *block)).collect();
    g.end(Terminator::Switch(copy(number), cases, list));
    for (item, block) in items.iter().zip(blocks) {
        g.open(block);
        if is_bench(db, *item) {
            g.measure(*item);
            g.assign(status, Rvalue::Use(int(0, i32_ty.clone())));
            g.end(Terminator::Goto(end));
            continue;
        }
        let ret = proc_data(db, *item).ret.clone();
        let has_result = !matches!(ret, Ty::Unit | Ty::Never);
        let result = has_result.then(|| g.local(ret));
        let test = Instance::new(db, InstanceKind::Proc(*item, Vec::new()));
        g.call(Callee::Instance(test), Vec::new(), result);
        g.assign(status, Rvalue::Use(int(0, i32_ty.clone())));
        if let Some(passed) = result {
            let failed = g.block();
            g.end(Terminator::Switch(copy(passed), vec![(0, failed)], end));
            g.open(failed);
            g.assign(status, Rvalue::Use(int(1, i32_ty.clone())));
        }
        g.end(Terminator::Goto(end));
    }
    g.open(list);
    if let Some(say) = core_proc(db, "println_string", Vec::new()) {
        for item in items {
            let name = Operand::Const(Const::Str(item_name(db, *item).into()));
            g.call(Callee::Instance(say), vec![name], None);
        }
    }
    g.assign(status, Rvalue::Use(int(0, i32_ty)));
    g.end(Terminator::Goto(end));
    g.open(end);
    if let Some(flush) = core_proc(db, "flush_stdout", Vec::new()) {
        g.call(Callee::Instance(flush), Vec::new(), None);
    }
    g.end(Terminator::Return(Some(copy(status))));
    g.finish()
}

/// Adapter between the convention of procedure values ([`value_mode`]) and that of the proc.
pub(super) fn thunk(db: &dyn Db, item: ItemId, args: &[Ty]) -> Mir {
    let data = proc_data(db, item);
    let tys: Vec<Ty> = data.params.iter().map(|p| p.ty.subst(args)).collect();
    let object = (object_of([]), PassMode::Borrow);
    let params = tys.iter().map(|ty| match value_mode(db, ty) {
        PassMode::Place if !matches!(ty, Ty::Ref(true, _)) => (address_of(ty.clone()), PassMode::Place),
        mode => (ty.clone(), mode),
    });
    let params: Vec<(Ty, PassMode)> = std::iter::once(object).chain(params).collect();
    let ret = data.ret.subst(args);
    let mut g = Glue::new(db, &params, ret.clone(), Some(item));
    let target = Instance::new(db, InstanceKind::Proc(item, args.to_vec()));
    let modes = pass_modes(db, target).clone();
    let operands = params
        .iter()
        .skip(1)
        .enumerate()
        .map(|(i, (_, have))| {
            let whole = local(LocalId(i as u32 + 1));
            let want = modes.get(i).copied().unwrap_or(PassMode::Own);
            match (*have, want) {
                (PassMode::Place, PassMode::Place) => Operand::Copy(whole),
                (PassMode::Place, PassMode::Own) => Operand::Copy(whole.then(Projection::Deref)),
                (PassMode::Place, PassMode::Borrow) => Operand::Borrow(whole.then(Projection::Deref)),
                (PassMode::Borrow, PassMode::Borrow) => Operand::Borrow(whole),
                (PassMode::Own | PassMode::Borrow, _) => Operand::Copy(whole),
            }
        })
        .collect();
    let result = (!matches!(ret, Ty::Unit | Ty::Never)).then(|| g.local(ret.clone()));
    let callee = match data.abi {
        crate::lower::hir::Abi::C => Callee::Extern(item.name(db).clone(), tys, ret.clone()),
        crate::lower::hir::Abi::Vitte | crate::lower::hir::Abi::Intrinsic => Callee::Instance(target),
    };
    g.call(callee, operands, result);
    let end = match ret {
        Ty::Never => Terminator::Unreachable,
        _ => Terminator::Return(result.map(|r| Operand::Move(local(r)))),
    };
    g.end(end);
    g.finish()
}

/// Frees an object whose count is zero, after releasing what it holds.
pub(super) fn drop(db: &dyn Db, ty: &Ty) -> Mir {
    let ty = repr(ty).clone();
    let mut g = Glue::new(db, &[(ty.clone(), PassMode::Borrow)], Ty::Unit, None);
    let object = local(LocalId(0));
    let cycle = type_cycle(db, &ty);
    if let Some(index) = cycle.iter().position(|t| *t == ty) {
        let address = g.address_value(object, &ty);
        let link = g.link(address, index);
        let instance = Instance::new(db, InstanceKind::DropCycle(cycle));
        g.call(Callee::Instance(instance), vec![copy(link)], None);
        g.end(Terminator::Return(None));
        return g.finish();
    }
    if matches!(ty, Ty::Proc(..) | Ty::Dyn(..)) {
        // It says itself how it is freed.
        let address = g.address_value(object, &ty);
        let seen = object_of([]);
        let held = g.intrinsic(Intrinsic::Own, &seen, vec![copy(address)], seen.clone());
        let free = g.value(Ty::USIZE, Rvalue::Use(Operand::Copy(local(held).then(Projection::Field(0)))));
        g.call(
            Callee::Value(copy(free), vec![seen.clone()], Ty::Unit),
            vec![Operand::Borrow(local(held))],
            None,
        );
        let forget = Callee::Intrinsic(Intrinsic::Forget, vec![seen]);
        g.call(forget, vec![Operand::Move(local(held))], None);
        g.end(Terminator::Return(None));
        return g.finish();
    }
    if let Ty::List(element) = &ty
        && needs_drop(db, element)
    {
        let address = g.address_value(object, &ty);
        if let Some(list_drop) = core_proc(db, "list_drop", vec![Ty::clone(element)]) {
            g.call(Callee::Instance(list_drop), vec![copy(address)], None);
        }
        g.end(Terminator::Return(None));
        return g.finish();
    }
    let release = |g: &mut Glue<'_>, children: Vec<(Place, Ty)>| {
        for (child, _) in children {
            g.push(StatementKind::Drop(child));
        }
        let address = g.address_value(object.clone(), &ty);
        g.free(copy(address));
        g.end(Terminator::Return(None));
    };
    let mut variants = child_places(db, &ty, &object);
    if matches!(ty, Ty::Pick(..)) {
        let blocks = g.switch_tag(&object, variants.len());
        for (block, children) in blocks.into_iter().zip(variants) {
            g.open(block);
            release(&mut g, children);
        }
    } else {
        let children = variants.pop().unwrap_or_default();
        release(&mut g, children);
    }
    g.finish()
}

impl Glue<'_> {
    /// The address with the type's index above it.
    fn link(&mut self, address: LocalId, index: usize) -> LocalId {
        let high = int((index as i128) << TYPE_SHIFT, Ty::USIZE);
        self.value(Ty::USIZE, Rvalue::Binary(BinaryOp::BitOr, copy(address), high))
    }

    /// Releases a child of an object that is being freed. One of the cycle's types whose count is one is dead
    /// and goes to the front of the chain at `head`.
    fn release_child(&mut self, child: &Place, ty: &Ty, cycle: &[Ty], head: LocalId) {
        let Some(index) = cycle.iter().position(|t| t == repr(ty)) else {
            self.push(StatementKind::Drop(child.clone()));
            return;
        };
        let ty = repr(ty).clone();
        let address = self.address_value(child.clone(), &ty);
        let (object, dead, shared, done) = (self.block(), self.block(), self.block(), self.block());
        // A payload-free variant is an odd number, not an object.
        let low = self.value(Ty::USIZE, Rvalue::Binary(BinaryOp::BitAnd, copy(address), int(1, Ty::USIZE)));
        self.end(Terminator::Switch(copy(low), vec![(0, object)], done));
        self.open(object);
        // Not `IsUnique`, which does not look behind the pointers of picks.
        let count = self.intrinsic(Intrinsic::Read, &Ty::USIZE, vec![copy(address)], Ty::USIZE);
        let one = int(1, Ty::USIZE);
        let unique = self.value(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, copy(count), one));
        self.end(Terminator::Branch(copy(unique), dead, shared));
        self.open(shared);
        self.push(StatementKind::Drop(child.clone()));
        self.end(Terminator::Goto(done));
        self.open(dead);
        let write = Callee::Intrinsic(Intrinsic::Write, vec![Ty::USIZE]);
        self.call(write, vec![copy(address), copy(head)], None);
        let link = self.link(address, index);
        self.assign(head, Rvalue::Use(copy(link)));
        self.end(Terminator::Goto(done));
        self.open(done);
    }
}

/// Frees a chain of dead objects of the types of one cycle, and whatever dies with them: `(link)`.
pub(super) fn drop_cycle(db: &dyn Db, cycle: &[Ty]) -> Mir {
    let mut g = Glue::new(db, &[(Ty::USIZE, PassMode::Own)], Ty::Unit, None);
    let head = LocalId(0);
    // The first object's count is zero, which is not the end of the chain: its link is cut here.
    let (loop_head, next, exit) = (g.block(), g.block(), g.block());
    let mask = int((1 << TYPE_SHIFT) - 1, Ty::USIZE);
    let first = g.value(Ty::USIZE, Rvalue::Binary(BinaryOp::BitAnd, copy(head), mask.clone()));
    let write = Callee::Intrinsic(Intrinsic::Write, vec![Ty::USIZE]);
    g.call(write, vec![copy(first), int(0, Ty::USIZE)], None);
    g.end(Terminator::Goto(loop_head));
    g.open(loop_head);
    g.end(Terminator::Switch(copy(head), vec![(0, exit)], next));
    g.open(exit);
    g.end(Terminator::Return(None));
    g.open(next);
    let address = g.value(Ty::USIZE, Rvalue::Binary(BinaryOp::BitAnd, copy(head), mask));
    let shift = int(TYPE_SHIFT, Ty::USIZE);
    let which = g.value(Ty::USIZE, Rvalue::Binary(BinaryOp::Shr, copy(head), shift));
    let rest = g.intrinsic(Intrinsic::Read, &Ty::USIZE, vec![copy(address)], Ty::USIZE);
    g.assign(head, Rvalue::Use(copy(rest)));
    let cases: Vec<BlockId> = cycle.iter().map(|_| g.block()).collect();
    let targets = cases.iter().enumerate().map(|(i, b)| (i as i128, *b)).collect();
    let never = g.block();
    g.end(Terminator::Switch(copy(which), targets, never));
    let free = g.block();
    for (ty, case) in cycle.iter().zip(cases) {
        g.open(case);
        let object = g.intrinsic(Intrinsic::Own, ty, vec![copy(address)], ty.clone());
        g.release_children(object, ty, cycle, head, free);
    }
    g.open(free);
    g.free(copy(address));
    g.end(Terminator::Goto(loop_head));
    g.finish()
}

impl Glue<'_> {
    /// Releases all that an object of a cycle's type holds, then goes to `done`.
    fn release_children(&mut self, object: LocalId, ty: &Ty, cycle: &[Ty], head: LocalId, done: BlockId) {
        let forget = |g: &mut Self| {
            // The object's memory is freed by address; the local that named it must not be released again.
            g.call(
                Callee::Intrinsic(Intrinsic::Forget, vec![ty.clone()]),
                vec![Operand::Move(local(object))],
                None,
            );
            g.end(Terminator::Goto(done));
        };
        if let Ty::List(element) = ty {
            let at = self.value(Ty::USIZE, Rvalue::Use(int(0, Ty::USIZE)));
            let len = self.value(Ty::USIZE, Rvalue::Len(local(object)));
            let (test, inside, after) = (self.block(), self.block(), self.block());
            self.end(Terminator::Goto(test));
            self.open(test);
            let more = self.value(Ty::Bool, Rvalue::Compare(BinaryOp::Lt, copy(at), copy(len)));
            self.end(Terminator::Branch(copy(more), inside, after));
            self.open(inside);
            let child = local(object).then(Projection::Index(at));
            self.release_child(&child, element, cycle, head);
            self.assign(at, Rvalue::Binary(BinaryOp::Add, copy(at), int(1, Ty::USIZE)));
            self.end(Terminator::Goto(test));
            self.open(after);
            forget(self);
            return;
        }
        let mut variants = child_places(self.db, ty, &local(object));
        if matches!(ty, Ty::Pick(..)) {
            let blocks = self.switch_tag(&local(object), variants.len());
            for (block, children) in blocks.into_iter().zip(variants) {
                self.open(block);
                for (child, child_ty) in children {
                    self.release_child(&child, &child_ty, cycle, head);
                }
                forget(self);
            }
        } else {
            for (child, child_ty) in variants.pop().unwrap_or_default() {
                self.release_child(&child, &child_ty, cycle, head);
            }
            forget(self);
        }
    }
}

/// A fresh object with the same contents, children retained.
pub(super) fn clone(db: &dyn Db, ty: &Ty) -> Mir {
    let ty = repr(ty).clone();
    let mut g = Glue::new(db, &[(ty.clone(), PassMode::Borrow)], ty.clone(), None);
    let object = local(LocalId(0));
    let result = g.local(ty.clone());
    let by_core = |g: &mut Glue<'_>, name: &str, tys: Vec<Ty>| {
        if let Some(instance) = core_proc(db, name, tys) {
            let own = pass_modes(db, instance).first() == Some(&PassMode::Own);
            let arg = if own { Operand::Copy(object.clone()) } else { Operand::Borrow(object.clone()) };
            g.call(Callee::Instance(instance), vec![arg], Some(result));
        }
    };
    let copies = |count: usize, step: &dyn Fn(u32) -> Projection| -> Vec<Operand> {
        (0..count).map(|i| Operand::Copy(object.then(step(i as u32)))).collect()
    };
    let done = Terminator::Return(Some(Operand::Move(local(result))));
    match &ty {
        Ty::List(element) => by_core(&mut g, "list_clone", vec![Ty::clone(element)]),
        Ty::Pick(..) => {
            let variants = variant_tys(db, &ty);
            let blocks = g.switch_tag(&object, variants.len());
            for (v, (block, tys)) in blocks.into_iter().zip(variants).enumerate() {
                g.open(block);
                let fields = copies(tys.len(), &|field| Projection::Payload { variant: v as u32, field });
                g.assign(result, Rvalue::Variant(ty.clone(), v as u32, fields));
                g.end(done.clone());
            }
            return g.finish();
        }
        Ty::Dyn(..) => {
            // It says itself how it is copied.
            let address = g.address_value(object.clone(), &ty);
            let seen = object_of([]);
            let held = g.intrinsic(Intrinsic::Own, &seen, vec![copy(address)], seen.clone());
            let code = g.value(Ty::USIZE, Rvalue::Use(Operand::Copy(local(held).then(Projection::Field(1)))));
            let fresh = g.local(seen.clone());
            g.call(
                Callee::Value(copy(code), vec![seen.clone()], seen.clone()),
                vec![Operand::Borrow(local(held))],
                Some(fresh),
            );
            let bits = g.address_value(local(fresh), &seen);
            for other in [held, fresh] {
                let forget = Callee::Intrinsic(Intrinsic::Forget, vec![seen.clone()]);
                g.call(forget, vec![Operand::Move(local(other))], None);
            }
            g.call(Callee::Intrinsic(Intrinsic::Own, vec![ty.clone()]), vec![copy(bits)], Some(result));
        }
        Ty::Form(..) | Ty::Tuple(_) => {
            let fields = copies(field_tys(db, &ty).len(), &Projection::Field);
            g.assign(result, Rvalue::Record(ty.clone(), fields));
        }
        _ => by_core(&mut g, "string_clone", Vec::new()),
    }
    g.end(done);
    g.finish()
}

/// The type arguments of the prelude's `map`, if that is what the type is.
pub(super) fn core_map(db: &dyn Db, ty: &Ty) -> Option<Vec<Ty>> {
    match ty {
        Ty::Form(item, args) if core_item(db, ItemKind::Form, "map") == Some(*item) => Some(args.to_vec()),
        _ => None,
    }
}

/// Structural equality of two values.
pub(super) fn eq(db: &dyn Db, ty: &Ty) -> Mir {
    let ty = repr(ty).clone();
    let params = [(ty.clone(), PassMode::Borrow), (ty.clone(), PassMode::Borrow)];
    let mut g = Glue::new(db, &params, Ty::Bool, None);
    let (a, b) = (local(LocalId(0)), local(LocalId(1)));
    if let Some(instance) = core_map(db, &ty).and_then(|args| core_proc(db, "map_eq", args)) {
        let same = g.local(Ty::Bool);
        g.call_borrowing(instance, &[a, b], same);
        g.end(Terminator::Return(Some(copy(same))));
        return g.finish();
    }
    let (equal, differ) = (g.block(), g.block());
    if !holds_float(db, &ty) {
        // One object equals itself, unless a NaN is in it.
        let (x, y) = (g.address_value(a.clone(), &ty), g.address_value(b.clone(), &ty));
        let same = g.value(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, copy(x), copy(y)));
        let further = g.block();
        g.end(Terminator::Branch(copy(same), equal, further));
        g.open(further);
    }
    match &ty {
        // Without identity of their own: two are one only if they are the same object.
        Ty::Proc(..) | Ty::Dyn(..) => {
            let (x, y) = (g.address_value(a.clone(), &ty), g.address_value(b.clone(), &ty));
            let same = g.value(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, copy(x), copy(y)));
            g.end(Terminator::Branch(copy(same), equal, differ));
        }
        Ty::List(_) => g.eq_elements(&a, &b, equal, differ),
        Ty::Pick(item, _) => {
            let (x, y) =
                (g.value(Ty::USIZE, Rvalue::Tag(a.clone())), g.value(Ty::USIZE, Rvalue::Tag(b.clone())));
            let same = g.value(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, copy(x), copy(y)));
            let further = g.block();
            g.end(Terminator::Branch(copy(same), further, differ));
            g.open(further);
            let blocks = g.switch_tag(&a, pick_data(db, *item).variants.len());
            for (v, (block, tys)) in blocks.into_iter().zip(variant_tys(db, &ty)).enumerate() {
                g.open(block);
                for (field, _) in tys.iter().enumerate() {
                    let step = Projection::Payload { variant: v as u32, field: field as u32 };
                    g.eq_part(&a.then(step.clone()), &b.then(step), differ);
                }
                g.end(Terminator::Goto(equal));
            }
        }
        _ => {
            for field in 0..field_tys(db, &ty).len() as u32 {
                g.eq_part(&a.then(Projection::Field(field)), &b.then(Projection::Field(field)), differ);
            }
            g.end(Terminator::Goto(equal));
        }
    }
    for (block, value) in [(equal, 1), (differ, 0)] {
        g.open(block);
        g.end(Terminator::Return(Some(int(value, Ty::Bool))));
    }
    g.finish()
}

impl Glue<'_> {
    fn eq_elements(&mut self, a: &Place, b: &Place, equal: BlockId, differ: BlockId) {
        let len = self.value(Ty::USIZE, Rvalue::Len(a.clone()));
        let other = self.value(Ty::USIZE, Rvalue::Len(b.clone()));
        let same = self.value(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, copy(len), copy(other)));
        let at = self.value(Ty::USIZE, Rvalue::Use(int(0, Ty::USIZE)));
        let (test, inside) = (self.block(), self.block());
        self.end(Terminator::Branch(copy(same), test, differ));
        self.open(test);
        let more = self.value(Ty::Bool, Rvalue::Compare(BinaryOp::Lt, copy(at), copy(len)));
        self.end(Terminator::Branch(copy(more), inside, equal));
        self.open(inside);
        self.eq_part(&a.then(Projection::Index(at)), &b.then(Projection::Index(at)), differ);
        self.assign(at, Rvalue::Binary(BinaryOp::Add, copy(at), int(1, Ty::USIZE)));
        self.end(Terminator::Goto(test));
    }

    /// Goes on if two parts are equal, else to `differ`.
    fn eq_part(&mut self, a: &Place, b: &Place, differ: BlockId) {
        let ty = repr(&place_ty(self.db, &self.mir.locals, a)).clone();
        if matches!(ty, Ty::Unit) {
            return;
        }
        let instance = match &ty {
            Ty::String => core_proc(self.db, "string_eq", Vec::new()),
            Ty::Bytes => core_proc(self.db, "bytes_eq", Vec::new()),
            _ if needs_drop(self.db, &ty) => Some(Instance::new(self.db, InstanceKind::Eq(ty))),
            _ => None,
        };
        let same = self.local(Ty::Bool);
        match instance {
            Some(instance) => {
                let modes = pass_modes(self.db, instance).clone();
                let operand = |i: usize, place: &Place| match modes.get(i) {
                    Some(PassMode::Borrow) => Operand::Borrow(place.clone()),
                    _ => Operand::Copy(place.clone()),
                };
                let args = vec![operand(0, a), operand(1, b)];
                self.call(Callee::Instance(instance), args, Some(same));
            }
            None => {
                let (x, y) = (Operand::Copy(a.clone()), Operand::Copy(b.clone()));
                self.assign(same, Rvalue::Compare(BinaryOp::Eq, x, y));
            }
        }
        let next = self.block();
        self.end(Terminator::Branch(copy(same), next, differ));
        self.open(next);
    }
}
