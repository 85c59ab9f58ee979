//! From HIR to typed, fully resolved THIR: modules and scopes, signatures, the type check.
mod bodies; // where checked bodies are asked for
pub mod codes; // codes of name resolution and signatures
pub mod data; // resolved items
pub mod dump; // THIR as text
mod exhaustive; // which patterns match what
mod follow_ups; // what is only said because something else is broken
mod infer; // the type check of bodies
pub mod intrinsic; // what `intrinsic` procs of the prelude may name
pub mod layout_query; // what `sizeof` and its like give
mod missing_import; // the `use` that an unknown name lacks
pub mod modules; // which file a `use` path names
pub mod program; // whole programs: modules, diagnostics, the entry point
pub mod render; // types as the user writes them
pub mod resolve; // what paths and bare names stand for
pub mod scope; // imports, exports, what a module can see
pub mod signature; // resolved types of items
pub mod thir; // the result of checking a body
pub mod traits; // traits and impls: bounds, evidence, where impls are found
pub mod ty; // types
pub mod typeref; // written types to types

#[cfg(test)]
mod tests;

pub use dump::dump_thir;
pub use infer::{check_body, default_field, default_value};
pub use intrinsic::Intrinsic;
pub use program::{
    entry_point, file_diagnostics, place_span, program_diagnostics, program_modules, program_tests,
};
pub use render::ty_name;
pub use resolve::{
    Resolution, ResolvedPath, core_item, lookup_name, names_in_scope, resolve_path, variants_in_scope,
};
pub use scope::{Binding, ModuleScope, exports, module_scope};
pub use signature::{alias_data, const_ty, form_data, is_made_where_used, is_static, pick_data, proc_data};
pub use ty::{FloatTy, IntTy, Ty};
pub use typeref::resolve_type;
