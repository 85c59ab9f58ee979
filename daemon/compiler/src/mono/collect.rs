//! Which instances are reachable from the roots.
use std::collections::HashSet;

use super::symbol::symbol_name;
use super::{Instance, InstanceKind};
use crate::base::Db;
use crate::base::diagnostic::{Diagnostic, Phase, Place as Where};
use crate::lower::NodeId;
use crate::mir::tys::{core_proc, needs_drop, place_ty, repr};
use crate::mir::{Callee, Const, Mir, Operand, PanicKind, Place, Rvalue, StatementKind, Terminator, mir};
use crate::types::Ty;

crate::codes! {
    /// A proc that calls itself with ever larger types.
    ENDLESS_INSTANCES = "TYP0961" "MONO_E_POLYMORPHIC_RECURSION";
}

/// How deeply type arguments may nest.
const DEPTH_LIMIT: usize = 128;
/// How many types one type argument may consist of.
const SIZE_LIMIT: usize = 4096;

/// Whether a type argument is beyond all reason: only polymorphic recursion makes such types.
pub fn too_large(ty: &Ty) -> bool {
    let mut work = vec![(ty, 1)];
    let mut count = 0;
    while let Some((ty, depth)) = work.pop() {
        count += 1;
        if depth > DEPTH_LIMIT || count > SIZE_LIMIT {
            return true;
        }
        ty.for_each_part(|part| work.push((part, depth + 1)));
    }
    false
}

/// All instances reachable from the roots, the roots included, in order of symbol name.
///
/// # Errors
/// A diagnostic if the program needs endlessly many, because a proc calls itself with larger and larger types.
pub fn collect(db: &dyn Db, roots: &[Instance]) -> Result<Vec<Instance>, Box<Diagnostic>> {
    let mut seen: HashSet<Instance> = HashSet::new();
    let mut work: Vec<Instance> = roots.to_vec();
    while let Some(instance) = work.pop() {
        if !seen.insert(instance) {
            continue;
        }
        check_size(db, instance)?;
        work.extend(collect_from(db, instance).into_iter().filter(|i| !seen.contains(i)));
    }
    let mut named: Vec<(String, Instance)> = seen.into_iter().map(|i| (symbol_name(db, i), i)).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(named.into_iter().map(|(_, instance)| instance).collect())
}

fn check_size(db: &dyn Db, instance: Instance) -> Result<(), Box<Diagnostic>> {
    let (item, tys): (_, &[Ty]) = match instance.kind(db) {
        InstanceKind::Proc(item, args)
        | InstanceKind::Thunk(item, args)
        | InstanceKind::DynThunk(item, args, _)
        | InstanceKind::Lambda(item, args, _) => (Some(*item), args),
        InstanceKind::Drop(ty) | InstanceKind::Clone(ty) | InstanceKind::Eq(ty) | InstanceKind::Hash(ty) => {
            let item = match ty {
                Ty::Form(item, _) | Ty::Pick(item, _) => Some(*item),
                _ => None,
            };
            (item, std::slice::from_ref(ty))
        }
        InstanceKind::Main(_) | InstanceKind::Tests(_) | InstanceKind::DropCycle(_) => return Ok(()),
    };
    let (Some(item), Some(_)) = (item, tys.iter().find(|t| too_large(t))) else { return Ok(()) };
    let name = item.name(db);
    let error = Diagnostic::error(
        ENDLESS_INSTANCES,
        Phase::Mir,
        Where::Node(item, NodeId(0)),
        format!("`{name}` would be needed for endlessly many types"),
        "each use needs another one with a larger type",
    );
    let error = error
        .note(format!("code is made for each set of type arguments; nesting stops at {DEPTH_LIMIT} levels"))
        .help("make the recursion use the type parameters it was given");
    Err(Box::new(error))
}

/// The instances that one instance's code names, in order of appearance; one may appear more than once.
pub fn collect_from(db: &dyn Db, instance: Instance) -> Vec<Instance> {
    let mir = mir(db, instance);
    let mut found = Found { db, mir, out: Vec::new() };
    for block in &mir.blocks {
        for statement in &block.statements {
            found.statement(&statement.kind);
        }
        match &block.terminator {
            Terminator::Branch(value, ..)
            | Terminator::Switch(value, ..)
            | Terminator::Return(Some(value)) => {
                found.operand(value);
            }
            Terminator::Panic(message, _) => {
                found.operand(message);
                found.core("panic_at");
            }
            Terminator::Goto(_) | Terminator::Return(None) | Terminator::Unreachable => {}
        }
    }
    found.out
}

struct Found<'a> {
    db: &'a dyn Db,
    mir: &'a Mir,
    out: Vec<Instance>,
}

impl Found<'_> {
    fn core(&mut self, name: &str) {
        self.out.extend(core_proc(self.db, name, Vec::new()));
    }

    fn glue(&mut self, place: &Place, make: impl Fn(Ty) -> InstanceKind) {
        let ty = repr(&place_ty(self.db, &self.mir.locals, place)).clone();
        if needs_drop(self.db, &ty) {
            self.out.push(Instance::new(self.db, make(ty)));
        }
    }

    fn statement(&mut self, statement: &StatementKind) {
        match statement {
            StatementKind::Assign(_, value) => self.rvalue(value),
            StatementKind::Drop(place) => self.glue(place, InstanceKind::Drop),
            StatementKind::Unique(place) => self.glue(place, InstanceKind::Clone),
            StatementKind::Call { callee, args, .. } => {
                match callee {
                    Callee::Instance(instance) => self.out.push(*instance),
                    Callee::Value(value, ..) => self.operand(value),
                    Callee::Extern(..) | Callee::Intrinsic(..) => {}
                }
                args.iter().for_each(|a| self.operand(a));
            }
            StatementKind::Check(cond, panic) => {
                self.operand(cond);
                match panic {
                    PanicKind::Index { .. } => self.core("panic_index"),
                    PanicKind::DivisionByZero => self.core("panic_division"),
                    PanicKind::NotAChar(_) => self.core("panic_char"),
                    PanicKind::Assert(message) => {
                        self.operand(message);
                        self.core("panic_at");
                    }
                }
            }
        }
    }

    fn rvalue(&mut self, value: &Rvalue) {
        match value {
            Rvalue::Use(a) | Rvalue::Unary(_, a) | Rvalue::Cast(a, _) | Rvalue::StringByte(_, a) => {
                self.operand(a)
            }
            Rvalue::Binary(_, a, b) | Rvalue::Compare(_, a, b) => {
                self.operand(a);
                self.operand(b);
            }
            Rvalue::Record(_, all) | Rvalue::Variant(_, _, all) | Rvalue::List(_, all) => {
                all.iter().for_each(|a| self.operand(a));
            }
            Rvalue::Len(_) | Rvalue::Tag(_) | Rvalue::AddressOf(_) => {}
        }
    }

    fn operand(&mut self, operand: &Operand) {
        if let Operand::Const(Const::Proc(instance, _)) = operand {
            self.out.push(*instance);
        }
    }
}
