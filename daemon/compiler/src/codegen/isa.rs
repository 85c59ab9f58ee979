//! Cranelift's target descriptions.
use std::sync::{Arc, OnceLock};

use cranelift_codegen::isa::{self, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use target_lexicon::Triple;

use super::CodegenError;
use crate::base::OptLevel;

/// The target that an empty triple means.
pub const DEFAULT_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The description of x86-64 Linux at a level. Made once per process: it depends on nothing else.
///
/// # Errors
/// If Cranelift refuses the settings, which is a fault of ours.
pub fn target_isa(level: OptLevel) -> Result<Arc<dyn TargetIsa>, CodegenError> {
    static PLAIN: OnceLock<Result<OwnedTargetIsa, String>> = OnceLock::new();
    static FAST: OnceLock<Result<OwnedTargetIsa, String>> = OnceLock::new();
    let made = match level {
        OptLevel::O0 => PLAIN.get_or_init(|| make(false)),
        OptLevel::O1 | OptLevel::O2 | OptLevel::O3 => FAST.get_or_init(|| make(true)),
    };
    made.clone().map_err(CodegenError::Internal)
}

fn make(optimise: bool) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    let settings = [
        ("opt_level", if optimise { "speed" } else { "none" }),
        // The quick allocator spills more but halves the time to compile.
        ("regalloc_algorithm", if optimise { "backtracking" } else { "single_pass" }),
        // Own symbols are all colocated, so that no reference needs a GOT and the object still links as a PIE.
        ("is_pic", "false"),
        ("preserve_frame_pointers", "true"),
        ("unwind_info", "true"),
        // 128-bit integers in parameters and results.
        ("enable_llvm_abi_extensions", "true"),
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    ];
    for (name, value) in settings {
        flags.set(name, value).map_err(|error| format!("setting {name}: {error}"))?;
    }
    let triple: Triple = DEFAULT_TARGET.parse().map_err(|error| format!("triple: {error}"))?;
    let builder = isa::lookup(triple).map_err(|error| format!("target: {error}"))?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| format!("target: {error}"))
}
