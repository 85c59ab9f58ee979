//! Ownership checks on the raw MIR of a generic body: use before assignment, use after move, references.
//!
//! Forward dataflow finds which locals may be unassigned or moved, and which references may be held; backward
//! liveness says whether a reference is used again. Both are the textbook may-analyses, as in rustc's MIR borrow
//! check without lifetimes in types.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::body::{BlockId, Callee, LocalId};
use super::body::{Mir, Operand, Place, Projection, Rvalue, Statement, StatementKind};
use super::build::{Facts, Loan, Path, PathStep, Raw, build};
use super::tys::{identity, repr};
use super::visit::{self, LocalSet, Touch, reverse_postorder, successors};
use crate::base::diagnostic::{Diagnostic, Diagnostics, Phase, Place as Where, Severity};
use crate::base::{Code, Db};
use crate::lower::{ItemId, ItemKind, NodeId};
use crate::types::{Ty, check_body, pick_data, ty_name};

crate::codes! {
    /// `set` of a value while a shared reference to it is in use.
    SET_WHILE_BORROWED = "BOR0001" "BORROWCK_E_ASSIGN_WHILE_BORROWED";
    /// A moved value is moved again.
    MOVED_TWICE = "BOR0010" "BORROWCK_E_MOVE_AFTER_MOVE";
    /// Two references to one place, at least one of them `ref mut`.
    MUTABLE_CONFLICT = "BOR0013" "BORROWCK_E_MUTABLE_CONFLICT";
    /// A reference to a local leaves its proc or scope.
    REF_TO_LOCAL = "BOR0015" "BORROWCK_E_REF_TO_LOCAL";
    /// A moved value is used.
    USE_AFTER_MOVE = "BOR0020" "BORROWCK_E_USE_AFTER_MOVE";
    /// A value is used while a `ref mut` to it is.
    USE_WHILE_BORROWED = "BOR0021" "BORROWCK_E_USE_WHILE_MUTABLY_BORROWED";
    /// A local is read before it has a value.
    UNASSIGNED = "TYP0251" "TYPECK_E_UNASSIGNED";
}

/// What the ownership rules (§8.3) have against a proc; empty for other items and for bodies with type errors.
#[salsa::tracked(returns(ref))]
pub fn borrow_diagnostics(db: &dyn Db, item: ItemId) -> Diagnostics {
    let checked = check_body(db, item);
    if item.kind(db) != ItemKind::Proc || !checked.body.ok {
        return Arc::from([]);
    }
    let raw = build(db, item, &identity(&checked.body.generics));
    let mut check = Check::new(db, item, &raw);
    check.uses();
    check.loans();
    check.returned();
    check.finish()
}

/// What may be true on entry to a block.
#[derive(Clone, Default, PartialEq)]
struct State {
    unassigned: BTreeSet<LocalId>,
    /// Where each moved local may have been moved: indices into [`Facts::moves`].
    moved: BTreeMap<LocalId, BTreeSet<usize>>,
}

impl State {
    fn union(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for local in &other.unassigned {
            changed |= self.unassigned.insert(*local);
        }
        for (local, sites) in &other.moved {
            let known = self.moved.entry(*local).or_default();
            for site in sites {
                changed |= known.insert(*site);
            }
        }
        changed
    }
}

struct Check<'a> {
    db: &'a dyn Db,
    item: ItemId,
    mir: &'a Mir,
    facts: &'a Facts,
    order: Vec<BlockId>,
    /// Moves that count (by type), and events by statement.
    moves: BTreeMap<(BlockId, usize), Vec<usize>>,
    unassigned: BTreeMap<(BlockId, usize), Vec<LocalId>>,
    users: BTreeSet<LocalId>,
    /// By main node, then code.
    found: BTreeMap<(NodeId, &'static str, LocalId), Diagnostic>,
}

impl<'a> Check<'a> {
    fn new(db: &'a dyn Db, item: ItemId, raw: &'a Raw) -> Self {
        let (mir, facts) = (&raw.mir, &raw.facts);
        let mut moves: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (i, (at, local, _)) in facts.moves.iter().enumerate() {
            if moves_value(db, &user_ty(mir, *local)) {
                moves.entry(*at).or_default().push(i);
            }
        }
        let mut unassigned: BTreeMap<_, Vec<LocalId>> = BTreeMap::new();
        for (at, local) in &facts.unassigned {
            unassigned.entry(*at).or_default().push(*local);
        }
        let users = facts.locals.iter().copied().collect();
        let order = reverse_postorder(mir);
        Self { db, item, mir, facts, order, moves, unassigned, users, found: BTreeMap::new() }
    }

    fn finish(self) -> Diagnostics {
        self.found.into_values().collect()
    }

    fn place(&self, node: NodeId) -> Where {
        Where::Node(self.item, node)
    }

    fn name(&self, local: LocalId) -> String {
        self.mir.locals[local.0 as usize].name.as_ref().map_or_else(|| "_".to_owned(), ToString::to_string)
    }

    /// Where the user names the local that the statement touches.
    fn node_of(&self, block: BlockId, index: usize, local: LocalId, fallback: NodeId) -> NodeId {
        self.facts
            .reads
            .iter()
            .filter(|((b, i), l, _)| *b == block && *i <= index && *l == local)
            .max_by_key(|((_, i), _, _)| *i)
            .map_or(fallback, |(_, _, node)| *node)
    }

    fn report(&mut self, local: LocalId, node: NodeId, diagnostic: Diagnostic) {
        self.found.entry((node, diagnostic.code.code, local)).or_insert(diagnostic);
    }

    fn error(&self, code: Code, node: NodeId, message: String, label: &str) -> Diagnostic {
        let phase = if code == UNASSIGNED { Phase::Typeck } else { Phase::Borrowck };
        Diagnostic::error(code, phase, self.place(node), message, label)
    }

    // Unassigned and moved locals.

    fn uses(&mut self) {
        if self.moves.is_empty() && self.unassigned.is_empty() {
            return;
        }
        let mut entry: BTreeMap<BlockId, State> = BTreeMap::from([(BlockId(0), State::default())]);
        let mut changed = true;
        while changed {
            changed = false;
            for &block in &self.order {
                let Some(mut state) = entry.get(&block).cloned() else { continue };
                self.run_block(block, &mut state, &mut |_, _, _, _, _| {});
                for next in successors(&self.mir.blocks[block.0 as usize].terminator) {
                    match entry.get_mut(&next) {
                        Some(known) => changed |= known.union(&state),
                        None => {
                            entry.insert(next, state.clone());
                            changed = true;
                        }
                    }
                }
            }
        }
        let mut bad = Vec::new();
        for &block in &self.order {
            let Some(mut state) = entry.get(&block).cloned() else { continue };
            self.run_block(block, &mut state, &mut |index, local, node, state, moving| {
                let sites = state.moved.get(&local).filter(|s| !s.is_empty()).cloned();
                bad.push((block, index, local, node, state.unassigned.contains(&local), sites, moving));
            });
        }
        bad.retain(|(_, _, _, _, unassigned, sites, _)| *unassigned || sites.is_some());
        let mut told: BTreeSet<(LocalId, Option<BTreeSet<usize>>)> = BTreeSet::new();
        let mut resolved: Vec<_> = bad
            .into_iter()
            .map(|(block, index, local, node, unassigned, sites, moving)| {
                (self.node_of(block, index, local, node), local, unassigned, sites, moving)
            })
            .collect();
        resolved.sort_by_key(|(node, local, ..)| (*node, *local));
        for (node, local, unassigned, sites, moving) in resolved {
            let reason = if unassigned { None } else { sites.clone() };
            if !told.insert((local, reason)) {
                continue;
            }
            if unassigned {
                self.tell_unassigned(local, node);
            } else if let Some(sites) = sites {
                self.tell_moved(local, node, &sites, moving);
            }
        }
    }

    /// Runs a block forward. `seen(index, local, node, state before, whether it is a move)` hears of every read.
    fn run_block(
        &self,
        block: BlockId,
        state: &mut State,
        seen: &mut dyn FnMut(usize, LocalId, NodeId, &State, bool),
    ) {
        let data = &self.mir.blocks[block.0 as usize];
        for (index, statement) in data.statements.iter().enumerate() {
            for local in self.unassigned.get(&(block, index)).into_iter().flatten() {
                state.unassigned.insert(*local);
                state.moved.remove(local);
            }
            let moving = self.moves.get(&(block, index));
            let moves_local = |local: LocalId| {
                moving.is_some_and(|all| all.iter().any(|m| self.facts.moves[*m].1 == local))
            };
            visit::statement(statement, &mut |local, touch| {
                if matches!(touch, Touch::Copy | Touch::Use | Touch::Move) && self.users.contains(&local) {
                    seen(index, local, statement.node, state, moves_local(local));
                }
            });
            for &m in moving.into_iter().flatten() {
                state.moved.insert(self.facts.moves[m].1, BTreeSet::from([m]));
            }
            visit::statement(statement, &mut |local, touch| {
                if touch == Touch::Assign {
                    state.unassigned.remove(&local);
                    state.moved.remove(&local);
                }
            });
        }
        let end = data.statements.len();
        for local in self.unassigned.get(&(block, end)).into_iter().flatten() {
            state.unassigned.insert(*local);
            state.moved.remove(local);
        }
        let node = data.statements.last().map(|s| s.node).unwrap_or_default();
        visit::terminator(&data.terminator, &mut |local, _| {
            if self.users.contains(&local) {
                seen(end, local, node, state, false);
            }
        });
    }

    fn tell_unassigned(&mut self, local: LocalId, node: NodeId) {
        let name = self.name(local);
        let declared = self.mir.locals[local.0 as usize].node;
        let error = self
            .error(UNASSIGNED, node, format!("`{name}` may be used before it has a value"), "used here")
            .label(self.place(declared), "declared here without a value")
            .note("a `let` without `=` must be assigned on every path before it is read")
            .help(format!("give `{name}` a value where it is declared"));
        self.report(local, node, error);
    }

    fn tell_moved(&mut self, local: LocalId, node: NodeId, sites: &BTreeSet<usize>, moving: bool) {
        let name = self.name(local);
        let ty = ty_name(self.db, &user_ty(self.mir, local));
        let (code, message, label) = if moving {
            (MOVED_TWICE, format!("`{name}` is moved again"), "moved again here")
        } else {
            (USE_AFTER_MOVE, format!("use of moved value `{name}`"), "used here after the move")
        };
        let nodes: BTreeSet<NodeId> = sites.iter().map(|s| self.facts.moves[*s].2).collect();
        let in_loop = nodes.contains(&node);
        let label = if in_loop { "moved here, in the previous round of the loop" } else { label };
        // Using it would give the old value: the user may switch the check off.
        let mut error = Diagnostic { severity: Severity::Deny, ..self.error(code, node, message, label) };
        for site in nodes.iter().filter(|n| **n != node) {
            error = error.label(self.place(*site), format!("`{name}` is moved here"));
        }
        error = error
            .note(format!(
                "`{name}` has type `{ty}`: `let`, `set` and `move` with the whole variable end its life, calls and \
                 fields do not"
            ))
            .help(if in_loop {
                format!("assign `{name}` again before the next round, or move it after the loop")
            } else {
                format!("use the variable it was moved to, or assign `{name}` again first")
            });
        self.report(local, node, error);
    }

    // References.

    fn loans(&mut self) {
        for (later, earlier, root) in &self.facts.clashes {
            let name = self.name(*root);
            let error = self
                .error(
                    MUTABLE_CONFLICT,
                    *later,
                    format!("two references to `{name}` in one call, one of them `ref mut`"),
                    "second reference here",
                )
                .label(self.place(*earlier), "first reference here")
                .note("a `ref mut` must be the only way to what it refers to while the call lasts")
                .help("pass different variables, or call twice");
            self.report(*root, *later, error);
        }
        if self.facts.loans.is_empty() {
            return;
        }
        let live = self.live_in();
        let held = self.held_in();
        for &block in &self.order.clone() {
            self.check_block(block, &live, held.get(&block).cloned().unwrap_or_default());
        }
    }

    /// Which locals are live on entry to each block.
    fn live_in(&self) -> Vec<LocalSet> {
        let count = self.mir.locals.len();
        let mut live = vec![LocalSet::new(count); self.mir.blocks.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for &block in self.order.iter().rev() {
                let sets = self.live_after(block, &live);
                if let Some(first) = sets.first() {
                    changed |= live[block.0 as usize].union(first);
                }
            }
        }
        live
    }

    /// Which locals are live before each statement of a block and, last, before its terminator.
    fn live_after(&self, block: BlockId, live_in: &[LocalSet]) -> Vec<LocalSet> {
        let data = &self.mir.blocks[block.0 as usize];
        let mut set = LocalSet::new(self.mir.locals.len());
        for next in successors(&data.terminator) {
            set.union(&live_in[next.0 as usize]);
        }
        visit::terminator(&data.terminator, &mut |local, _| set.insert(local));
        let mut sets = vec![set.clone()];
        for statement in data.statements.iter().rev() {
            visit::statement(statement, &mut |local, touch| {
                if touch == Touch::Assign {
                    set.remove(local);
                }
            });
            visit::statement(statement, &mut |local, touch| {
                if matches!(touch, Touch::Copy | Touch::Use | Touch::Move) {
                    set.insert(local);
                }
            });
            sets.push(set.clone());
        }
        sets.reverse();
        sets
    }

    /// Which loans may be held on entry to each block.
    fn held_in(&self) -> BTreeMap<BlockId, BTreeSet<usize>> {
        let mut entry: BTreeMap<BlockId, BTreeSet<usize>> = BTreeMap::new();
        let mut changed = true;
        while changed {
            changed = false;
            for &block in &self.order {
                let mut held = entry.get(&block).cloned().unwrap_or_default();
                for (index, statement) in self.mir.blocks[block.0 as usize].statements.iter().enumerate() {
                    self.held_step(block, index, statement, &mut held);
                }
                for next in successors(&self.mir.blocks[block.0 as usize].terminator) {
                    let known = entry.entry(next).or_default();
                    let before = known.len();
                    known.extend(&held);
                    changed |= known.len() != before;
                }
            }
        }
        entry
    }

    /// A statement that fills a holder ends the loans it held and starts the new one's.
    fn held_step(&self, block: BlockId, index: usize, statement: &Statement, held: &mut BTreeSet<usize>) {
        visit::statement(statement, &mut |local, touch| {
            if touch != Touch::Assign {
                return;
            }
            held.retain(|l| self.facts.loans[*l].holder != local);
            let ours = |l: &&(usize, &Loan)| l.1.holder == local;
            let loans: Vec<(usize, &Loan)> = self.facts.loans.iter().enumerate().collect();
            let near: Vec<usize> = loans
                .iter()
                .filter(ours)
                .filter(|(_, l)| l.at.0 == block && l.at.1 <= index)
                .map(|(i, _)| *i)
                .collect();
            if near.is_empty() {
                held.extend(loans.iter().filter(ours).filter(|(_, l)| l.at.0 != block).map(|(i, _)| *i));
            } else {
                let last = near.iter().map(|i| self.facts.loans[*i].at.1).max();
                held.extend(near.into_iter().filter(|i| Some(self.facts.loans[*i].at.1) == last));
            }
        });
    }

    fn check_block(&mut self, block: BlockId, live_in: &[LocalSet], mut held: BTreeSet<usize>) {
        let live = self.live_after(block, live_in);
        let mir = self.mir;
        let statements = &mir.blocks[block.0 as usize].statements;
        for (index, statement) in statements.iter().enumerate() {
            let active: Vec<usize> = held
                .iter()
                .copied()
                .filter(|l| live.get(index + 1).is_some_and(|set| set.contains(self.facts.loans[*l].holder)))
                .collect();
            let replaced = matches!(
                (&statement.kind, statements.get(index + 1).map(|s| &s.kind)),
                (StatementKind::Drop(a), Some(StatementKind::Assign(b, _))) if a == b
            );
            if !active.is_empty() && !replaced {
                for (place, access) in accesses(statement) {
                    for &loan in &active {
                        self.conflict(block, index, statement, &place, access, loan);
                    }
                }
            }
            self.held_step(block, index, statement, &mut held);
        }
    }

    fn conflict(
        &mut self,
        block: BlockId,
        index: usize,
        statement: &Statement,
        place: &Place,
        access: Access,
        loan: usize,
    ) {
        let facts = self.facts;
        let loan = &facts.loans[loan];
        if !loan.path.overlaps(&path_of(place)) || place.local == loan.holder {
            return;
        }
        let root = place.local;
        let name = self.name(root);
        let node = match access {
            Access::Address => statement.node,
            Access::Read | Access::Write | Access::End => self.node_of(block, index, root, statement.node),
        };
        let kind = if loan.mutable { "ref mut" } else { "ref" };
        let (code, message, label) = match access {
            Access::End => (
                REF_TO_LOCAL,
                format!("`{name}` does not live as long as the reference to it"),
                "dropped here",
            ),
            Access::Address => (
                MUTABLE_CONFLICT,
                format!("`{name}` is referred to again while a `{kind}` to it is in use"),
                "second reference here",
            ),
            Access::Read if loan.mutable => (
                USE_WHILE_BORROWED,
                format!("`{name}` is used while a `ref mut` to it is in use"),
                "used here",
            ),
            Access::Write if loan.mutable => {
                (USE_WHILE_BORROWED, format!("`{name}` is set while a `ref mut` to it is in use"), "set here")
            }
            Access::Write => {
                (SET_WHILE_BORROWED, format!("`{name}` is set while a `ref` to it is in use"), "set here")
            }
            Access::Read => return,
        };
        let holder = self.name(loan.holder);
        let error = self
            .error(code, node, message, label)
            .label(self.place(loan.node), format!("`{holder}` refers to it from here on"))
            .note(format!("`{holder}` is used again later, so the reference is still live"))
            .help(format!("do this before `{holder}` is made, or after its last use"));
        self.report(root, node, error);
    }

    fn returned(&mut self) {
        for returned in &self.facts.returned {
            let roots: Vec<(LocalId, NodeId)> = if returned.holder {
                self.facts
                    .loans
                    .iter()
                    .filter(|l| l.holder == returned.local && !l.path.steps.contains(&PathStep::Deref))
                    .map(|l| (l.path.root, l.node))
                    .collect()
            } else {
                vec![(returned.local, returned.node)]
            };
            for (root, made) in roots {
                let parameter = (root.0 as usize) < self.mir.params.len();
                let ty = user_ty(self.mir, root);
                // A form parameter is another name for the caller's value (§8.3).
                if parameter && matches!(ty, Ty::Form(..) | Ty::Ref(..)) || matches!(ty, Ty::Ref(false, _)) {
                    continue;
                }
                let name = self.name(root);
                let what = if parameter { "parameter" } else { "local" };
                let mut error = self.error(
                    REF_TO_LOCAL,
                    returned.node,
                    format!("a reference to the {what} `{name}` is returned"),
                    "returned here",
                );
                if made != returned.node {
                    error = error.label(self.place(made), "the reference is made here");
                }
                let declared = self.mir.locals[root.0 as usize].node;
                error = error
                    .label(self.place(declared), format!("`{name}` ends with the proc"))
                    .note("references may not outlive what they refer to")
                    .help(format!("give the value of `{name}` itself"));
                self.report(root, returned.node, error);
            }
        }
    }
}

/// How a statement touches a place that may be borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    /// Its address is taken to change it.
    Address,
    /// Its scope ends.
    End,
}

/// The places of a statement, with how each is touched.
fn accesses(statement: &Statement) -> Vec<(Place, Access)> {
    let mut out = Vec::new();
    let mut read = |operand: &Operand| match operand {
        Operand::Copy(place) | Operand::Move(place) | Operand::Borrow(place) => {
            out.push((place.clone(), Access::Read))
        }
        Operand::Const(_) => {}
    };
    match &statement.kind {
        StatementKind::Assign(dest, value) => {
            match value {
                Rvalue::Use(a) | Rvalue::Unary(_, a) | Rvalue::Cast(a, _) => read(a),
                Rvalue::Binary(_, a, b) | Rvalue::Compare(_, a, b) => {
                    read(a);
                    read(b);
                }
                Rvalue::StringByte(place, a) => {
                    read(a);
                    out.push((place.clone(), Access::Read));
                }
                Rvalue::Record(_, all) | Rvalue::Variant(_, _, all) | Rvalue::List(_, all) => {
                    all.iter().for_each(read);
                }
                Rvalue::Len(place) | Rvalue::Tag(place) => out.push((place.clone(), Access::Read)),
                Rvalue::AddressOf(place) => out.push((place.clone(), Access::Address)),
            }
            out.push((dest.clone(), Access::Write));
        }
        StatementKind::Drop(place) => {
            let access = if place.as_local().is_some() { Access::End } else { Access::Write };
            out.push((place.clone(), access));
        }
        // Part of what follows, which is judged itself.
        StatementKind::Unique(_) | StatementKind::Check(..) => {}
        StatementKind::Call { callee, args, dest } => {
            if let Callee::Value(value, ..) = callee {
                read(value);
            }
            args.iter().for_each(read);
            if let Some(dest) = dest {
                out.push((dest.clone(), Access::Write));
            }
        }
    }
    out
}

fn path_of(place: &Place) -> Path {
    let steps = place
        .projections
        .iter()
        .map(|p| match p {
            Projection::Field(i) => PathStep::Field(*i),
            Projection::Payload { .. } | Projection::Index(_) => PathStep::Element,
            Projection::Deref => PathStep::Deref,
        })
        .collect();
    Path { root: place.local, steps }
}

/// The type the user sees: a form parameter passed by place is a form.
fn user_ty(mir: &Mir, local: LocalId) -> Ty {
    let ty = &mir.locals[local.0 as usize].ty;
    match ty {
        Ty::Ref(true, inner) if matches!(**inner, Ty::Form(..)) && mir.params.len() > local.0 as usize => {
            Ty::clone(inner)
        }
        _ => ty.clone(),
    }
}

/// Whether `let b = a` ends the life of an `a` of this type (§8.3).
fn moves_value(db: &dyn Db, ty: &Ty) -> bool {
    match repr(ty) {
        Ty::Form(..) | Ty::List(_) => !matches!(ty, Ty::Ref(..)),
        Ty::Pick(item, _) => !matches!(ty, Ty::Ref(..)) && !pick_data(db, *item).plain,
        _ => false,
    }
}
