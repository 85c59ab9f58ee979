//! Cranelift's target descriptions.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cranelift_codegen::isa::{self, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use target_lexicon::Triple;

use super::CodegenError;
use crate::base::{Machine, OptLevel, Processor};

/// The description of a machine at a level. Made once per process: it depends on nothing else.
///
/// # Errors
/// If Cranelift refuses the settings, which is a fault of ours.
pub fn target_isa(level: OptLevel, machine: Machine) -> Result<Arc<dyn TargetIsa>, CodegenError> {
    type Known = HashMap<(Machine, bool), Arc<dyn TargetIsa>>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let optimise = match level {
        OptLevel::O0 => false,
        OptLevel::O1 | OptLevel::O2 | OptLevel::O3 => true,
    };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(isa) = known.get(&(machine, optimise)) {
        return Ok(Arc::clone(isa));
    }
    let isa = make(optimise, machine).map_err(CodegenError::Internal)?;
    known.insert((machine, optimise), Arc::clone(&isa));
    Ok(isa)
}

fn make(optimise: bool, machine: Machine) -> Result<Arc<dyn TargetIsa>, String> {
    let mut flags = settings::builder();
    let settings = [
        ("opt_level", if optimise { "speed" } else { "none" }),
        // The quick allocator spills more but halves the time to compile.
        ("regalloc_algorithm", if optimise { "backtracking" } else { "single_pass" }),
        // Own symbols are all colocated, so that no reference needs a GOT and the object still links as a PIE.
        ("is_pic", "false"),
        ("preserve_frame_pointers", "true"),
        ("unwind_info", if machine.has_c_library() { "true" } else { "false" }),
        // 128-bit integers in parameters and results.
        ("enable_llvm_abi_extensions", "true"),
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    ];
    for (name, value) in settings {
        flags.set(name, value).map_err(|error| format!("setting {name}: {error}"))?;
    }
    let triple: Triple = machine.triple().parse().map_err(|error| format!("triple: {error}"))?;
    let mut builder = isa::lookup(triple).map_err(|error| format!("target: {error}"))?;
    let extensions: &[&str] = match machine.processor() {
        Processor::X86_64 | Processor::Aarch64 => &[],
        // What every Linux for this machine asks of its processor.
        Processor::Riscv64 => &["has_m", "has_a", "has_f", "has_d", "has_zicsr", "has_zifencei"],
    };
    for name in extensions {
        builder.enable(name).map_err(|error| format!("setting {name}: {error}"))?;
    }
    builder.finish(settings::Flags::new(flags)).map_err(|error| format!("target: {error}"))
}
