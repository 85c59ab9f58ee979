//! Optimisation passes over SSA.
//!
//! [`PASSES`] is the pipeline: every pass takes a function and says whether it changed it. Each can be
//! switched off by name (`vitte emit --stage ssa --disable-pass NAME`); none relies on another for
//! correctness. [`prepared_ssa`] is a function cleaned up on its own, which is what others inline;
//! [`optimised`] is what code is generated for. So the code of a function depends on the prepared bodies
//! of what it calls (and they call), never on another's final code: there are no cycles, and an edit
//! that leaves a prepared body equal goes no further.
//!
//! Passes never remove a panic or an abort that the program would meet, nor change what happens before it.
mod bounds;
mod const_prop;
mod cse;
mod dce;
mod fold;
mod inline;
mod licm;
mod memory;
mod peephole;
mod ranges;
mod rc_pairs;
mod rewrite;
mod simplify_cfg;
mod slots;

#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::{Db, OptLevel};
use crate::mono::Instance;
use crate::ssa::{CodeOptions, Function, ssa, verify};

/// One pass.
#[derive(Clone, Copy)]
pub struct Pass {
    /// What `--disable-pass` calls it.
    pub name: &'static str,
    /// One line for lists.
    pub about: &'static str,
    /// Changes a function, and says whether it did.
    pub run: fn(&mut Function, &Context<'_>) -> bool,
}

/// What a pass may know besides the function.
pub struct Context<'a> {
    /// How hard to try.
    pub level: OptLevel,
    /// Which instance the function is, if it is one: it is never inlined into itself.
    pub instance: Option<Instance>,
    /// Bodies of others.
    pub callees: &'a dyn Callees,
}

/// Where the inliner gets bodies from.
pub trait Callees {
    /// The body of an instance, if it may be looked at.
    fn body(&self, instance: Instance) -> Option<Arc<Function>>;
}

/// Nobody's body may be looked at.
pub struct NoCallees;

impl Callees for NoCallees {
    fn body(&self, _: Instance) -> Option<Arc<Function>> {
        None
    }
}

/// The passes in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass { name: "inline", about: "calls of small procs become their bodies", run: inline::run },
    Pass { name: "slots", about: "stack slots become values", run: slots::run },
    Pass { name: "const-prop", about: "constants are computed, decided branches go", run: const_prop::run },
    Pass { name: "peephole", about: "operations become simpler ones", run: peephole::run },
    Pass { name: "simplify-cfg", about: "jumps are threaded, blocks merged", run: simplify_cfg::run },
    Pass { name: "cse", about: "nothing is computed or loaded twice", run: cse::run },
    Pass { name: "bounds-checks", about: "checks that cannot fail go", run: bounds::run },
    Pass { name: "rc-pairs", about: "reference counts that cancel out go", run: rc_pairs::run },
    Pass { name: "licm", about: "loads that a loop does not change leave it", run: licm::run },
    Pass { name: "dce", about: "what nobody needs goes", run: dce::run },
];

/// How often the pipeline runs if it keeps changing something.
fn rounds(level: OptLevel) -> usize {
    match level {
        OptLevel::O0 => 0,
        OptLevel::O1 => 2,
        OptLevel::O2 => 3,
        OptLevel::O3 => 4,
    }
}

/// Runs all passes but those named in `disabled`; inlining only in the first round.
pub fn run_passes(function: &mut Function, context: &Context<'_>, disabled: &[String]) {
    for round in 0..rounds(context.level) {
        let mut changed = false;
        for pass in PASSES {
            let once = pass.name == "inline" && round > 0;
            if !once && !disabled.iter().any(|name| name == pass.name) {
                changed |= run_pass(function, pass, context);
            }
        }
        if !changed {
            return;
        }
    }
}

/// Runs one pass. Builds with debug assertions verify what it made.
pub fn run_pass(function: &mut Function, pass: &Pass, context: &Context<'_>) -> bool {
    let changed = (pass.run)(function, context);
    if cfg!(debug_assertions) {
        let verified = verify(function);
        debug_assert!(verified.is_ok(), "pass {}: {verified:?}", pass.name);
    }
    changed
}

/// The SSA of an instance, cleaned up, with nothing inlined: what callers inline.
#[salsa::tracked(returns(ref))]
pub fn prepared_ssa(db: &dyn Db, instance: Instance, options: CodeOptions) -> Arc<Function> {
    let mut function = Function::clone(ssa(db, instance));
    db.go_on("optimise");
    let context = Context { level: options.level(db), instance: Some(instance), callees: &NoCallees };
    for pass in PASSES {
        if pass.name != "inline" && !options.disabled_passes(db).iter().any(|name| name == pass.name) {
            run_pass(&mut function, pass, &context);
        }
    }
    Arc::new(function)
}

/// The body of an instance, if callers may inline it: then what they become depends on it.
pub fn inlinable_body(db: &dyn Db, instance: Instance, options: CodeOptions) -> Option<Arc<Function>> {
    let level = options.level(db);
    let is_off = |pass: &str| options.disabled_passes(db).iter().any(|name| name == pass);
    if level == OptLevel::O0 || is_off("inline") {
        return None;
    }
    let body = prepared_ssa(db, instance, options);
    inline::is_candidate(body, level).then(|| body.clone())
}

/// The SSA of an instance after all passes: the body of [`crate::ssa::optimised_ssa`].
pub fn optimised(db: &dyn Db, instance: Instance, options: CodeOptions) -> Arc<Function> {
    let level = options.level(db);
    if level == OptLevel::O0 {
        return ssa(db, instance).clone();
    }
    let mut function = Function::clone(prepared_ssa(db, instance, options));
    db.go_on("optimise");
    let callees = DbCallees { db, options };
    let context = Context { level, instance: Some(instance), callees: &callees };
    run_passes(&mut function, &context, options.disabled_passes(db));
    Arc::new(function)
}

struct DbCallees<'a> {
    db: &'a dyn Db,
    options: CodeOptions,
}

impl Callees for DbCallees<'_> {
    fn body(&self, instance: Instance) -> Option<Arc<Function>> {
        Some(prepared_ssa(self.db, instance, self.options).clone())
    }
}
