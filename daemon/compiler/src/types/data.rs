//! What is known of items once their types are resolved.
//!
//! Provided by queries of this module's siblings:
//! - `proc_data(db, item) -> &Arc<ProcData>`, `form_data`, `pick_data`, `const_ty(db, item) -> &Ty`
//! - `core_item(db, kind, name) -> Option<ItemId>`: an item of the prelude by name (`Option`, `string_concat`)
//! - `check_body(db, item) -> &Arc<CheckedBody>`: procs, consts, static asserts
//! - `default_value(db, proc, param) -> &Option<Arc<CheckedBody>>`
//! - `program_diagnostics(db, program) -> &Diagnostics`: everything of every module reachable from the entry
//! - `program_modules(db, program) -> &Arc<[SourceFile]>`: those modules, in order of path
use std::sync::Arc;

use super::thir;
use super::traits::BoundData;
use super::ty::Ty;
use crate::base::{Diagnostic, Name};
use crate::lower::ItemId;
use crate::lower::hir::{Abi, ParamMode};

/// A proc's resolved signature.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcData {
    /// Names of the type parameters: those of the trait or impl around it, its own, and those that bounds add.
    pub generics: Vec<Name>,
    /// Which of them are written at the proc itself.
    pub own: std::ops::Range<u32>,
    /// What is asked of them.
    pub bounds: Vec<BoundData>,
    /// Parameters.
    pub params: Vec<ParamData>,
    /// Result; unit if none.
    pub ret: Ty,
    /// Calling convention.
    pub abi: Abi,
    /// Whether it has a body.
    pub has_body: bool,
    /// The trait or impl that it is a member of.
    pub owner: Option<ItemId>,
    /// It is a `const` of a trait or impl: named and not called.
    pub is_const: bool,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamData {
    /// Name.
    pub name: Name,
    /// Type; `ref`/`ref mut` modes are in it already.
    pub ty: Ty,
    /// As written.
    pub mode: ParamMode,
    /// Whether it may be left out.
    pub has_default: bool,
}

/// A form's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormData {
    /// Type parameters.
    pub generics: Vec<Name>,
    /// Name and type (with [`Ty::Param`]).
    pub fields: Vec<(Name, Ty)>,
}

/// A pick's variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickData {
    /// Type parameters.
    pub generics: Vec<Name>,
    /// Variants.
    pub variants: Vec<VariantData>,
    /// No variant has a payload: values are plain integers (the variant's index).
    pub plain: bool,
}

/// A variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantData {
    /// Name.
    pub name: Name,
    /// Payload.
    pub fields: Vec<(Option<Name>, Ty)>,
    /// What a cast to an integer gives.
    pub ordinal: i128,
}

/// Result of checking a body.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedBody {
    /// The typed body.
    pub body: thir::Body,
    /// What was found.
    pub diagnostics: Arc<[Diagnostic]>,
}
