//! Mid-level IR: control flow with moves, copies, drops, uniqueness and checks explicit.
//!
//! [`build`] lowers a checked body to raw MIR, [`elaborate`] turns last uses into moves and makes drops exact,
//! [`glue`] makes what no user wrote. [`modes`] says how parameters travel and [`borrow`] checks ownership on the
//! raw MIR of the generic body.
pub mod body;
pub mod dump;
pub mod borrow;
mod build;
mod dynamic; // calls through `dyn` values
mod elaborate;
mod glue;
mod hash; // hashes of values, for maps and sets
pub mod modes;
pub mod tys;
pub mod verify;
mod visit;
pub(crate) mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use body::*;
pub use borrow::borrow_diagnostics;
pub use modes::pass_modes;

use crate::base::Db;
use crate::mono::{Instance, InstanceKind};
use crate::types::traits::dyn_member;

/// The MIR of an instance. `Proc` instances of intrinsics and C procs, and procs with errors, have a body that
/// cannot be reached.
#[salsa::tracked(returns(ref))]
pub fn mir(db: &dyn Db, instance: Instance) -> Arc<Mir> {
    Arc::new(match instance.kind(db) {
        InstanceKind::Proc(item, args) if dyn_member(db, *item, args).is_some() => {
            dynamic::call(db, *item, args)
        }
        InstanceKind::DynThunk(item, args, methods) => dynamic::thunk(db, *item, args, *methods),
        InstanceKind::Proc(item, args) => {
            let raw = build::build(db, *item, args);
            elaborate::elaborate(db, raw.mir)
        }
        InstanceKind::Lambda(item, args, index) => {
            let raw = build::build_lambda(db, *item, args, *index);
            elaborate::elaborate(db, raw.mir)
        }
        InstanceKind::Main(item) => glue::main(db, *item),
        InstanceKind::Tests(items) => glue::tests(db, items),
        InstanceKind::Thunk(item, args) => glue::thunk(db, *item, args),
        InstanceKind::Drop(ty) => glue::drop(db, ty),
        InstanceKind::DropCycle(tys) => glue::drop_cycle(db, tys),
        InstanceKind::Clone(ty) => glue::clone(db, ty),
        InstanceKind::Eq(ty) => glue::eq(db, ty),
        InstanceKind::Hash(ty) => hash::hash(db, ty),
    })
}
