//! What the compiler did anew, by stage and with times; and the way in for cancellation.
//!
//! Queries call each other, so no stage has one beginning and one end. Time is given to the stage
//! whose query began last, until a query says that it goes on after its inputs ([`go_on`]).
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use salsa::plumbing::IngredientIndex;

use crate::api::CancellationToken;

/// One stage of the pipeline.
pub(crate) struct StageQueries {
    /// Its name.
    pub(crate) name: &'static str,
    /// The queries that are its work.
    counted: &'static [&'static str],
    /// Queries that take time in it but are not counted: they prepare what others made.
    uncounted: &'static [&'static str],
}

const fn stage(
    name: &'static str,
    counted: &'static [&'static str],
    uncounted: &'static [&'static str],
) -> StageQueries {
    StageQueries { name, counted, uncounted }
}

/// The stages in the order of the pipeline. What is in no list counts as `check`, the largest.
pub(crate) const STAGES: [StageQueries; 9] = [
    stage("parse", &["parse"], &[]),
    stage(
        "lower",
        &[
            "lowered_file",
            "item_tree",
            "item_hir",
            "item_source_map",
            "proc_signature",
            "lowering_diagnostics",
        ],
        &[],
    ),
    stage("check", &[], &[]),
    stage("mono", &["program_instances"], &[]),
    stage("mir", &["mir", "pass_modes"], &[]),
    stage("ssa", &["ssa"], &[]),
    stage("consteval", &["const_value", "const_diagnostics"], &[]),
    stage("optimise", &["optimised_ssa"], &["prepared_ssa"]),
    stage(
        "codegen",
        &[
            "generated_code",
            "program_object",
            "library_object",
            "wasm_code",
            "program_wasm",
            "program_bytecode",
        ],
        &["machine_code", "bytecode", "fragment", "const_object", "file_lines"],
    ),
];

/// Work of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Queries that ran.
    pub(crate) executed: u64,
    /// Time given to them.
    pub(crate) elapsed: Duration,
}

/// Counts of one thread.
pub(super) struct Meter {
    caller: CancellationToken,
    engine: salsa::CancellationToken,
    /// The query that began last, or the stage that went on since, and when.
    current: Option<(Current, Instant)>,
    work: HashMap<IngredientIndex, Work>,
    /// Time in which queries went on after their inputs, by stage.
    resumed: [Duration; STAGES.len()],
}

#[derive(Clone, Copy)]
enum Current {
    Query(IngredientIndex),
    Stage(usize),
}

thread_local! {
    static METER: RefCell<Option<Meter>> = const { RefCell::new(None) };
}

/// Who waits for what this thread does, if it was [started](start).
pub(super) fn caller() -> Option<CancellationToken> {
    METER.with_borrow(|meter| meter.as_ref().map(|meter| meter.caller.clone()))
}

/// As [`start`], on another thread that works for the same caller.
pub(super) fn start_with(caller: Option<CancellationToken>, snapshot: &super::Database) {
    use salsa::Database as _;
    if let Some(caller) = caller {
        start(&caller, snapshot.cancellation_token());
    }
}

/// What this thread counted.
pub(super) fn take() -> Option<Meter> {
    let mut meter = METER.take()?;
    meter.close();
    Some(meter)
}

/// Adds what another thread counted.
pub(super) fn absorb(other: Meter) {
    METER.with_borrow_mut(|meter| {
        let Some(meter) = meter else { return };
        for (query, done) in other.work {
            let work = meter.work.entry(query).or_default();
            work.executed += done.executed;
            work.elapsed += done.elapsed;
        }
        for (all, resumed) in meter.resumed.iter_mut().zip(other.resumed) {
            *all += resumed;
        }
    });
}

/// Counts what this thread does from now until [`finish`]. When `caller` is cancelled, so is `engine`.
pub(super) fn start(caller: &CancellationToken, engine: salsa::CancellationToken) {
    let meter = Meter {
        caller: caller.clone(),
        engine,
        current: None,
        work: HashMap::new(),
        resumed: Default::default(),
    };
    METER.with_borrow_mut(|slot| *slot = Some(meter));
}

/// What was done since [`start`], by stage; `name_of` gives the names of queries.
pub(super) fn finish(name_of: impl Fn(IngredientIndex) -> String) -> [Work; STAGES.len()] {
    let mut stages = [Work::default(); STAGES.len()];
    let Some(mut meter) = METER.take() else { return stages };
    meter.close();
    for (query, done) in &meter.work {
        let (stage, is_counted) = stage_of(&name_of(*query));
        stages[stage].elapsed += done.elapsed;
        stages[stage].executed += if is_counted { done.executed } else { 0 };
    }
    for (stage, elapsed) in stages.iter_mut().zip(meter.resumed) {
        stage.elapsed += elapsed;
    }
    stages
}

/// The query that this thread works on goes on after its inputs, in the stage called `name`.
pub(super) fn go_on(name: &str) {
    METER.with_borrow_mut(|meter| {
        let (Some(meter), Some(stage)) = (meter, STAGES.iter().position(|stage| stage.name == name)) else {
            return;
        };
        meter.close();
        meter.current = Some((Current::Stage(stage), Instant::now()));
    });
}

impl Meter {
    fn close(&mut self) {
        match self.current.take() {
            Some((Current::Query(query), since)) => {
                self.work.entry(query).or_default().elapsed += since.elapsed()
            }
            Some((Current::Stage(stage), since)) => self.resumed[stage] += since.elapsed(),
            None => {}
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
            meter.current = Some((Current::Query(query), Instant::now()));
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

/// The index in [`STAGES`] of the query called `name`, and whether it is counted.
fn stage_of(name: &str) -> (usize, bool) {
    const CHECK: usize = 2;
    let find = |queries: fn(&StageQueries) -> &'static [&'static str]| {
        STAGES.iter().position(|stage| queries(stage).contains(&name))
    };
    match (find(|stage| stage.counted), find(|stage| stage.uncounted)) {
        (Some(stage), _) => (stage, true),
        (None, Some(stage)) => (stage, false),
        (None, None) => (CHECK, true),
    }
}
