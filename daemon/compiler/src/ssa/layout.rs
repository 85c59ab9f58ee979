//! Sizes, offsets and representations: the one place that knows how values lie in memory.
//!
//! All targets are 64-bit and little-endian. Objects begin with their reference count (`i64`):
//! - string, bytes, list: `{count @0, length @8, capacity @16, data @24}`
//! - form, tuple: `{count @0, fields @8}` in declaration order, naturally aligned up to 8
//! - a pick with some payload: `{count @0, tag u32 @8, payload @16}`; a variant without payload is
//!   no object but the odd number `(variant << 1) | 1`
use std::collections::HashMap;
use std::sync::Arc;

use super::data::{ObjectRepr, Type};
use crate::consteval::ConstValue;
use crate::lower::ItemId;
use crate::mono::{Instance, InstanceKind};
use crate::types::Ty;

/// Offset of the reference count.
pub const COUNT: i32 = 0;
/// Offset of the length of a string, bytes or list.
pub const LENGTH: i32 = 8;
/// Offset of the capacity of a string, bytes or list.
pub const CAPACITY: i32 = 16;
/// Offset of the first element or byte.
pub const DATA: i32 = 24;
/// Offset of the first field of a form or tuple.
pub const FIELDS: i32 = 8;
/// Offset of a pick object's tag.
pub const TAG: i32 = 8;
/// Offset of a pick object's first payload field.
pub const PAYLOAD: i32 = 16;
/// Count of objects that are never freed: no program retains or releases often enough to get away from it.
pub const IMMORTAL: i64 = 1 << 62;

/// What layout and lowering ask about types and items. A trait, so that they can be tested without a front end.
pub trait TypeInfo {
    /// Field types of a form with these type arguments.
    fn form(&self, item: ItemId, args: &[Ty]) -> Vec<Ty>;
    /// Variants of a pick with these type arguments.
    fn pick(&self, item: ItemId, args: &[Ty]) -> PickShape;
    /// Interns an instance.
    fn instance(&self, kind: InstanceKind) -> Instance;
    /// A proc of the prelude.
    fn core_proc(&self, name: &str, args: Vec<Ty>) -> Instance;
    /// The type as the user writes it.
    fn type_name(&self, ty: &Ty) -> String;
    /// The value of a top-level const; `None` if it has errors.
    fn const_value(&self, item: ItemId) -> Option<ConstValue>;
}

/// Variants of a pick.
#[derive(Clone, Debug, PartialEq)]
pub struct PickShape {
    /// Payload types and ordinal, by variant.
    pub variants: Vec<(Vec<Ty>, i128)>,
}

impl PickShape {
    /// No variant has a payload: values are the variant's index.
    pub fn plain(&self) -> bool {
        self.variants.iter().all(|(fields, _)| fields.is_empty())
    }

    /// The type of values.
    pub fn scalar(&self) -> Type {
        match (self.plain(), self.variants.len() <= 256) {
            (false, _) => Type::I64,
            (true, true) => Type::I8,
            (true, false) => Type::I32,
        }
    }

    /// How values are represented; `None` if plain.
    pub fn repr(&self) -> Option<ObjectRepr> {
        if self.plain() {
            None
        } else if self.variants.iter().any(|(fields, _)| fields.is_empty()) {
            Some(ObjectRepr::Tagged)
        } else {
            Some(ObjectRepr::Pointer)
        }
    }
}

/// The number that stands for a variant without payload of a pick with some payload.
pub fn immediate_variant(variant: u32) -> i128 {
    i128::from(variant) << 1 | 1
}

/// Offsets of consecutive fields, and where the object ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Offset of each field.
    pub offsets: Vec<i32>,
    /// Size of the object, a multiple of 8.
    pub size: u32,
}

/// A [`TypeInfo`] with what it answered so far.
pub struct Layouts<'a> {
    /// Where answers come from.
    pub types: &'a dyn TypeInfo,
    picks: HashMap<Ty, Arc<PickShape>>,
    forms: HashMap<Ty, Arc<[Ty]>>,
}

impl<'a> Layouts<'a> {
    /// Starts empty.
    pub fn new(types: &'a dyn TypeInfo) -> Self {
        Self { types, picks: HashMap::new(), forms: HashMap::new() }
    }

    /// The shape of a pick type; no variants for other types.
    pub fn pick(&mut self, ty: &Ty) -> Arc<PickShape> {
        let ty = value_type(ty);
        if let Some(shape) = self.picks.get(ty) {
            return shape.clone();
        }
        let shape = Arc::new(match ty {
            Ty::Pick(item, args) => self.types.pick(*item, args),
            _ => PickShape { variants: Vec::new() },
        });
        self.picks.insert(ty.clone(), shape.clone());
        shape
    }

    /// Field types of a form or tuple type; none for other types.
    pub fn fields(&mut self, ty: &Ty) -> Arc<[Ty]> {
        let ty = value_type(ty);
        if let Some(fields) = self.forms.get(ty) {
            return fields.clone();
        }
        let fields: Arc<[Ty]> = match ty {
            Ty::Form(item, args) => self.types.form(*item, args).into(),
            Ty::Tuple(tys) => tys.clone(),
            _ => Arc::from([]),
        };
        self.forms.insert(ty.clone(), fields.clone());
        fields
    }

    /// The scalar that holds a value of this type. Unit is a zero byte where it must be held at all.
    pub fn scalar(&mut self, ty: &Ty) -> Type {
        match ty {
            Ty::Unit | Ty::Never | Ty::Error | Ty::Bool | Ty::Impl(..) | Ty::Value(_) => Type::I8,
            Ty::Char => Type::I32,
            Ty::Int(int) => Type::int(int.bits()),
            Ty::Float(crate::types::FloatTy::F32) => Type::F32,
            Ty::Float(crate::types::FloatTy::F64) => Type::F64,
            Ty::Ref(false, inner) => self.scalar(inner),
            Ty::Pick(..) => self.pick(ty).scalar(),
            Ty::String
            | Ty::Bytes
            | Ty::List(_)
            | Ty::Ref(true, _)
            | Ty::Form(..)
            | Ty::Proc(..)
            | Ty::Tuple(_)
            | Ty::Pointer(..)
            | Ty::Dyn(..)
            | Ty::Param(..)
            | Ty::Infer(_) => Type::I64,
        }
    }

    /// The scalar that a call of a proc with this result returns.
    pub fn result(&mut self, ty: &Ty) -> Option<Type> {
        match ty {
            Ty::Unit | Ty::Never => None,
            _ => Some(self.scalar(ty)),
        }
    }

    /// Size of a value in a field, element or slot, in bytes.
    pub fn size(&mut self, ty: &Ty) -> u32 {
        self.scalar(ty).bytes()
    }

    /// How a refcounted value is represented; `None` for types without a count.
    pub fn repr(&mut self, ty: &Ty) -> Option<ObjectRepr> {
        match ty {
            Ty::String
            | Ty::Bytes
            | Ty::List(_)
            | Ty::Form(..)
            | Ty::Tuple(_)
            | Ty::Proc(..)
            | Ty::Dyn(..) => Some(ObjectRepr::Pointer),
            Ty::Pick(..) => self.pick(ty).repr(),
            Ty::Ref(false, inner) => self.repr(inner),
            Ty::Error
            | Ty::Unit
            | Ty::Never
            | Ty::Bool
            | Ty::Char
            | Ty::Int(_)
            | Ty::Float(_)
            | Ty::Ref(true, _)
            | Ty::Pointer(..)
            | Ty::Impl(..)
            | Ty::Value(_)
            | Ty::Param(..)
            | Ty::Infer(_) => None,
        }
    }

    /// Lays out fields one after the other from `start`.
    pub fn lay_out(&mut self, start: i32, tys: &[Ty]) -> Fields {
        let mut end = start as u32;
        let mut offsets = Vec::with_capacity(tys.len());
        for ty in tys {
            let size = self.size(ty);
            end = end.next_multiple_of(size.clamp(1, 8));
            offsets.push(end as i32);
            end += size;
        }
        Fields { offsets, size: end.next_multiple_of(8) }
    }

    /// Fields of a form or tuple object.
    pub fn record(&mut self, ty: &Ty) -> Fields {
        let fields = self.fields(ty);
        self.lay_out(FIELDS, &fields)
    }

    /// Payload fields of a variant's object.
    pub fn payload(&mut self, ty: &Ty, variant: u32) -> Fields {
        let shape = self.pick(ty);
        let fields = shape.variants.get(variant as usize).map_or(&[][..], |(fields, _)| fields);
        self.lay_out(PAYLOAD, fields)
    }
}

/// A type without its outer shared references, which are represented as what they refer to.
pub fn value_type(mut ty: &Ty) -> &Ty {
    while let Ty::Ref(false, inner) = ty {
        ty = inner;
    }
    ty
}
