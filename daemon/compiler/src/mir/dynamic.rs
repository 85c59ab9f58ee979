//! Calls through `dyn` values.
//!
//! The object of a `dyn` value holds what frees it, what copies it, the code of each method of its trait
//! ([`dyn_object`]), then the value that it is about. A method of the trait whose `Self` is a `dyn` type is an
//! instance as any other, whose body finds its code in the object; that code is an adapter around the method of
//! the value's type, which knows where in the object the value stands.
use super::body::{Callee, LocalId, Mir, Operand, PassMode, Projection, Rvalue, StatementKind, Terminator};
use super::glue::{Glue, copy, local};
use super::modes::{pass_modes, value_mode};
use super::tys::{address_of, dyn_object, needs_drop, repr};
use crate::base::Db;
use crate::lower::ItemId;
use crate::mono::{Instance, InstanceKind};
use crate::types::traits::dyn_member;
use crate::types::{Intrinsic, Ty, proc_data};

/// Words of the object before its methods.
const HEAD: u32 = 2;

/// The type and mode of a parameter that travels as those of procedure values do.
fn travelling(db: &dyn Db, ty: &Ty) -> (Ty, PassMode) {
    match value_mode(db, ty) {
        PassMode::Place if !matches!(ty, Ty::Ref(true, _)) => (address_of(ty.clone()), PassMode::Place),
        mode => (ty.clone(), mode),
    }
}

/// The body of a trait's method whose `Self` is a `dyn` type.
pub(super) fn call(db: &dyn Db, item: ItemId, args: &[Ty]) -> Mir {
    let data = proc_data(db, item);
    let tys: Vec<Ty> = data.params.iter().map(|p| p.ty.subst(args)).collect();
    let ret = data.ret.subst(args);
    let receiver = tys.first().cloned().unwrap_or(Ty::Error);
    let by_place = matches!(receiver, Ty::Ref(true, _));
    let own = (receiver.clone(), if by_place { PassMode::Place } else { PassMode::Borrow });
    let params: Vec<(Ty, PassMode)> =
        std::iter::once(own).chain(tys.iter().skip(1).map(|ty| travelling(db, ty))).collect();
    let mut g = Glue::new(db, &params, ret.clone(), Some(item));
    let (methods, at) = dyn_member(db, item, args).unwrap_or((0, 0));
    let mut value = local(LocalId(0));
    let ty = match &receiver {
        Ty::Ref(true, inner) => {
            value = value.then(Projection::Deref);
            // What the method changes is nobody else's.
            g.push(StatementKind::Unique(value.clone()));
            Ty::clone(inner)
        }
        other => repr(other).clone(),
    };
    let address = g.address_value(value, &ty);
    let seen = dyn_object(methods, []);
    let object = g.intrinsic(Intrinsic::Own, &seen, vec![copy(address)], seen.clone());
    let code = Operand::Copy(local(object).then(Projection::Field(HEAD + at)));
    let code = g.value(Ty::USIZE, Rvalue::Use(code));
    let others = params.iter().enumerate().skip(1).map(|(i, (_, mode))| {
        let whole = local(LocalId(i as u32));
        if *mode == PassMode::Borrow { Operand::Borrow(whole) } else { Operand::Copy(whole) }
    });
    let operands = std::iter::once(Operand::Borrow(local(object))).chain(others).collect();
    let taken = std::iter::once(seen.clone()).chain(tys.iter().skip(1).cloned()).collect();
    let result = (!matches!(ret, Ty::Unit | Ty::Never)).then(|| g.local(ret.clone()));
    g.call(Callee::Value(copy(code), taken, ret.clone()), operands, result);
    let forget = Callee::Intrinsic(Intrinsic::Forget, vec![seen]);
    g.call(forget, vec![Operand::Move(local(object))], None);
    g.end(match ret {
        Ty::Never => Terminator::Unreachable,
        _ => Terminator::Return(result.map(|r| Operand::Move(local(r)))),
    });
    g.finish()
}

/// Adapter around a method of a value's type: takes the object that the value stands in.
pub(super) fn thunk(db: &dyn Db, item: ItemId, args: &[Ty], methods: u32) -> Mir {
    let data = proc_data(db, item);
    let tys: Vec<Ty> = data.params.iter().map(|p| p.ty.subst(args)).collect();
    let ret = data.ret.subst(args);
    let receiver = tys.first().cloned().unwrap_or(Ty::Error);
    let held = match &receiver {
        Ty::Ref(true, inner) => repr(inner).clone(),
        other => repr(other).clone(),
    };
    let object = (dyn_object(methods, [held.clone()]), PassMode::Borrow);
    let params: Vec<(Ty, PassMode)> =
        std::iter::once(object).chain(tys.iter().skip(1).map(|ty| travelling(db, ty))).collect();
    let mut g = Glue::new(db, &params, ret.clone(), Some(item));
    let target = Instance::new(db, InstanceKind::Proc(item, args.to_vec()));
    let modes = pass_modes(db, target).clone();
    let value = local(LocalId(0)).then(Projection::Field(HEAD + methods));
    let mut release = None;
    let first = match modes.first().copied().unwrap_or(PassMode::Own) {
        PassMode::Own => Operand::Copy(value),
        PassMode::Borrow => Operand::Borrow(value),
        PassMode::Place if matches!(receiver, Ty::Ref(true, _)) => {
            copy(g.value(address_of(held.clone()), Rvalue::AddressOf(value)))
        }
        PassMode::Place => {
            // A form by value that the method changes: a change that ends with the call.
            let own = g.value(held.clone(), Rvalue::Use(Operand::Copy(value)));
            release = needs_drop(db, &held).then_some(own);
            copy(g.value(address_of(held.clone()), Rvalue::AddressOf(local(own))))
        }
    };
    let others = params.iter().enumerate().skip(1).map(|(i, (_, have))| {
        let whole = local(LocalId(i as u32));
        let want = modes.get(i).copied().unwrap_or(PassMode::Own);
        match (*have, want) {
            (PassMode::Place, PassMode::Place) => Operand::Copy(whole),
            (PassMode::Place, PassMode::Own) => Operand::Copy(whole.then(Projection::Deref)),
            (PassMode::Place, PassMode::Borrow) => Operand::Borrow(whole.then(Projection::Deref)),
            (PassMode::Borrow, PassMode::Borrow) => Operand::Borrow(whole),
            (PassMode::Own | PassMode::Borrow, _) => Operand::Copy(whole),
        }
    });
    let operands = std::iter::once(first).chain(others).collect();
    let result = (!matches!(ret, Ty::Unit | Ty::Never)).then(|| g.local(ret.clone()));
    g.call(Callee::Instance(target), operands, result);
    if let Some(own) = release {
        g.push(StatementKind::Drop(local(own)));
    }
    g.end(match ret {
        Ty::Never => Terminator::Unreachable,
        _ => Terminator::Return(result.map(|r| Operand::Move(local(r)))),
    });
    g.finish()
}
