//! What the compiler did anew, by stage and with times; and the way in for cancellation.
//!
//! Queries call each other, so no stage has one beginning and one end. Time is given to the stage
//! whose query began last, which is right up to the moments in which a query goes on after its inputs.
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use salsa::plumbing::IngredientIndex;

use crate::api::CancellationToken;

/// The stages in the order of the pipeline, with the queries that belong to each. What is in no list
/// counts as `check`, the largest.
pub(crate) const STAGES: [(&str, &[&str]); 9] = [
    ("parse", &["parse"]),
    (
        "lower",
        &[
            "lowered_file",
            "item_tree",
            "item_hir",
            "item_source_map",
            "proc_signature",
            "lowering_diagnostics",
        ],
    ),
    ("check", &[]),
    ("mono", &["program_instances"]),
    ("mir", &["mir", "pass_modes"]),
    ("ssa", &["ssa"]),
    ("consteval", &["const_value", "const_diagnostics"]),
    ("optimise", &["optimised_ssa"]),
    ("codegen", &["machine_code", "program_object"]),
];

/// Work of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Queries that ran.
    pub(crate) executed: u64,
    /// Time given to them.
    pub(crate) elapsed: Duration,
}

struct Meter {
    caller: CancellationToken,
    engine: salsa::CancellationToken,
    /// The query that began last, and when.
    current: Option<(IngredientIndex, Instant)>,
    work: HashMap<IngredientIndex, Work>,
}

thread_local! {
    static METER: RefCell<Option<Meter>> = const { RefCell::new(None) };
}

/// Counts what this thread does from now until [`finish`]. When `caller` is cancelled, so is `engine`.
pub(super) fn start(caller: &CancellationToken, engine: salsa::CancellationToken) {
    let meter = Meter { caller: caller.clone(), engine, current: None, work: HashMap::new() };
    METER.with_borrow_mut(|slot| *slot = Some(meter));
}

/// What was done since [`start`], by query.
pub(super) fn finish() -> HashMap<IngredientIndex, Work> {
    let Some(mut meter) = METER.take() else { return HashMap::new() };
    meter.close();
    meter.work
}

impl Meter {
    fn close(&mut self) {
        if let Some((query, since)) = self.current.take() {
            self.work.entry(query).or_default().elapsed += since.elapsed();
        }
    }
}

/// What the database calls on whatever thread works.
pub(super) fn on_event(event: &salsa::Event) {
    match &event.kind {
        salsa::EventKind::WillExecute { database_key } => METER.with_borrow_mut(|meter| {
            let Some(meter) = meter else { return };
            meter.close();
            let query = database_key.ingredient_index();
            meter.work.entry(query).or_default().executed += 1;
            meter.current = Some((query, Instant::now()));
        }),
        // The check comes right after this event.
        salsa::EventKind::WillCheckCancellation => METER.with_borrow(|meter| {
            if let Some(meter) = meter
                && meter.caller.is_cancelled()
            {
                meter.engine.cancel();
            }
        }),
        // The rest is of no interest here.
        _ => {}
    }
}

/// The index in [`STAGES`] of the query called `name`.
pub(super) fn stage_of(name: &str) -> usize {
    const CHECK: usize = 2;
    STAGES.iter().position(|(_, queries)| queries.contains(&name)).unwrap_or(CHECK)
}
