//! Hashes of values: equal values have equal ones. Mixing is done by the prelude's `hash_mix`.
use super::body::{LocalId, Mir, Operand, PassMode, Place, Projection, Rvalue, Terminator};
use super::glue::{Glue, copy, core_map, int, local};
use super::tys::{core_proc, field_tys, needs_drop, place_ty, repr, variant_tys};
use crate::base::Db;
use crate::lower::hir::BinaryOp;
use crate::mono::{Instance, InstanceKind};
use crate::types::{FloatTy, IntTy, Intrinsic, Ty};

const U64: Ty = Ty::Int(IntTy::U64);

/// The hash of a value of this type.
pub(super) fn hash(db: &dyn Db, ty: &Ty) -> Mir {
    let ty = repr(ty).clone();
    let mode = if needs_drop(db, &ty) { PassMode::Borrow } else { PassMode::Own };
    let mut g = Glue::new(db, &[(ty.clone(), mode)], U64, None);
    let value = local(LocalId(0));
    let total = g.value(U64, Rvalue::Use(int(0, U64)));
    let by_core = match &ty {
        Ty::String => core_proc(db, "hash_string", Vec::new()),
        Ty::Bytes => core_proc(db, "hash_bytes", Vec::new()),
        _ => core_map(db, &ty).and_then(|args| core_proc(db, "map_hashed", args)),
    };
    if let Some(instance) = by_core {
        g.call_borrowing(instance, &[value], total);
        g.end(Terminator::Return(Some(copy(total))));
        return g.finish();
    }
    match &ty {
        Ty::Unit | Ty::Never | Ty::Error => {}
        Ty::Float(float) => {
            // Zero has two signs and is equal to itself.
            let zero = Operand::Const(super::body::Const::Float(0, ty.clone()));
            let is_zero =
                g.value(Ty::Bool, Rvalue::Compare(BinaryOp::Eq, Operand::Copy(value.clone()), zero));
            let (mix, done) = (g.block(), g.block());
            g.end(Terminator::Branch(copy(is_zero), done, mix));
            g.open(mix);
            let (intrinsic, bits) = match float {
                FloatTy::F32 => (Intrinsic::F32Bits, Ty::Int(IntTy::U32)),
                FloatTy::F64 => (Intrinsic::F64Bits, U64),
            };
            let bits = g.intrinsic(intrinsic, &ty, vec![Operand::Copy(value)], bits);
            let word = g.value(U64, Rvalue::Cast(copy(bits), U64));
            g.mix(total, word);
            g.end(Terminator::Goto(done));
            g.open(done);
        }
        Ty::List(_) => {
            let at = g.value(Ty::USIZE, Rvalue::Use(int(0, Ty::USIZE)));
            let len = g.value(Ty::USIZE, Rvalue::Len(value.clone()));
            let (test, inside, after) = (g.block(), g.block(), g.block());
            g.end(Terminator::Goto(test));
            g.open(test);
            let more = g.value(Ty::Bool, Rvalue::Compare(BinaryOp::Lt, copy(at), copy(len)));
            g.end(Terminator::Branch(copy(more), inside, after));
            g.open(inside);
            g.mix_part(total, &value.then(Projection::Index(at)));
            g.assign(at, Rvalue::Binary(BinaryOp::Add, copy(at), int(1, Ty::USIZE)));
            g.end(Terminator::Goto(test));
            g.open(after);
            let word = g.value(U64, Rvalue::Cast(copy(len), U64));
            g.mix(total, word);
        }
        Ty::Pick(..) if needs_drop(db, &ty) => {
            let tag = g.value(Ty::USIZE, Rvalue::Tag(value.clone()));
            let word = g.value(U64, Rvalue::Cast(copy(tag), U64));
            g.mix(total, word);
            let variants = variant_tys(db, &ty);
            let blocks = g.switch_tag(&value, variants.len());
            let done = g.block();
            for (variant, (block, fields)) in blocks.into_iter().zip(variants).enumerate() {
                g.open(block);
                for field in 0..fields.len() as u32 {
                    g.mix_part(total, &value.then(Projection::Payload { variant: variant as u32, field }));
                }
                g.end(Terminator::Goto(done));
            }
            g.open(done);
        }
        Ty::Form(..) | Ty::Tuple(_) => {
            for field in 0..field_tys(db, &ty).len() as u32 {
                g.mix_part(total, &value.then(Projection::Field(field)));
            }
        }
        _ if needs_drop(db, &ty) => {
            let address = g.address_value(value, &ty);
            let word = g.value(U64, Rvalue::Cast(copy(address), U64));
            g.mix(total, word);
        }
        _ => {
            let word = g.value(U64, Rvalue::Cast(Operand::Copy(value), U64));
            g.mix(total, word);
        }
    }
    g.end(Terminator::Return(Some(copy(total))));
    g.finish()
}

impl Glue<'_> {
    /// `total = hash_mix(total, word)`
    fn mix(&mut self, total: LocalId, word: LocalId) {
        if let Some(instance) = core_proc(self.db, "hash_mix", Vec::new()) {
            self.call_borrowing(instance, &[local(total), local(word)], total);
        }
    }

    fn mix_part(&mut self, total: LocalId, part: &Place) {
        let ty = repr(&place_ty(self.db, self.locals(), part)).clone();
        if matches!(ty, Ty::Unit) {
            return;
        }
        let word = self.local(U64);
        let instance = Instance::new(self.db, InstanceKind::Hash(ty));
        self.call_borrowing(instance, std::slice::from_ref(part), word);
        self.mix(total, word);
    }
}
