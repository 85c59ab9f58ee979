//! What `sizeof`, `alignof` and `offsetof` give.
//!
//! Numbers, `bool`, `char` and picks without payload have their own size. A form or tuple is measured as its fields
//! stand in memory, each at a multiple of its alignment, without the count before them; a field that is a form,
//! tuple, list or text is a reference of eight bytes. Every other value is such a reference itself.
use super::ty::{FloatTy, Ty};
use super::{form_data, pick_data};
use crate::base::Db;
use crate::lower::hir::LayoutQuery;

/// Bytes of a reference on every target.
const REFERENCE: u64 = 8;

/// Whether a type mentions a type parameter, so that its layout is not known yet.
pub fn has_parameter(ty: &Ty) -> bool {
    if matches!(ty, Ty::Param(..)) {
        return true;
    }
    let mut found = false;
    ty.for_each_part(|part| found |= has_parameter(part));
    found
}

/// The answer for a concrete type; `field` counts for [`LayoutQuery::Offset`] only. Linear in the number of fields.
pub fn layout_value(db: &dyn Db, query: LayoutQuery, ty: &Ty, field: u32) -> u64 {
    let fields: Vec<Ty> = match ty {
        Ty::Form(item, args) => form_data(db, *item).fields.iter().map(|(_, ty)| ty.subst(args)).collect(),
        Ty::Tuple(parts) => parts.to_vec(),
        _ => {
            let size = in_place(db, ty);
            return match query {
                LayoutQuery::Size => size,
                LayoutQuery::Align => size.max(1),
                LayoutQuery::Offset => 0,
            };
        }
    };
    let (mut end, mut align) = (0u64, 1u64);
    for (index, part) in fields.iter().enumerate() {
        let size = in_place(db, part);
        end = end.next_multiple_of(size.clamp(1, REFERENCE));
        if query == LayoutQuery::Offset && index == field as usize {
            return end;
        }
        align = align.max(size.clamp(1, REFERENCE));
        end += size;
    }
    match query {
        LayoutQuery::Size => end.next_multiple_of(align),
        LayoutQuery::Align => align,
        LayoutQuery::Offset => 0,
    }
}

/// Bytes of a value in a field.
fn in_place(db: &dyn Db, ty: &Ty) -> u64 {
    match ty {
        Ty::Unit | Ty::Never | Ty::Error => 0,
        Ty::Bool => 1,
        Ty::Char => 4,
        Ty::Int(int) => u64::from(int.bits() / 8),
        Ty::Float(FloatTy::F32) => 4,
        Ty::Float(FloatTy::F64) => 8,
        Ty::Ref(false, inner) => in_place(db, inner),
        Ty::Pick(item, _) => {
            let data = pick_data(db, *item);
            match (data.plain, data.variants.len() <= 256) {
                (true, true) => 1,
                (true, false) => 4,
                (false, _) => REFERENCE,
            }
        }
        _ => REFERENCE,
    }
}
