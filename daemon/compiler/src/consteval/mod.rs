//! Bounded evaluation of constants (§12 of the reference): deterministic, on THIR, at the target's widths.
pub mod value;
pub use value::ConstValue;

use std::sync::Arc;

use crate::base::Db;
use crate::base::diagnostic::Diagnostics;
use crate::lower::ItemId;
use crate::types::check_body;
use crate::types::thir::ExprKind;

/// The value of a top-level const that is written as a literal.
///
/// # Errors
/// What is wrong with its initialiser.
#[salsa::tracked(returns(ref))]
pub fn const_value(db: &dyn Db, item: ItemId) -> Result<ConstValue, Diagnostics> {
    let checked = check_body(db, item);
    match checked.body.block.tail.as_deref().map(|tail| &tail.kind) {
        Some(ExprKind::Int(value)) => Ok(ConstValue::Int(*value)),
        Some(ExprKind::Float(bits)) => Ok(ConstValue::Float(*bits)),
        Some(ExprKind::Str(text)) => Ok(ConstValue::Str(Arc::from(text.as_bytes()))),
        Some(ExprKind::Bytes(bytes)) => Ok(ConstValue::Bytes(bytes.clone())),
        _ => Err(checked.diagnostics.clone()),
    }
}
