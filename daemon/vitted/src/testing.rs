//! Running tests: each in a process of its own, as many at once as there are processors.
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vitte_driver::run::{self, RunOutput};
use vitte_driver::{DriverError, ExitKind, RunSpec, TestProgram, TestProgramKind};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::operation::{Operation, duration};
use crate::status::Refusal;

/// What a test may write; the rest is counted and dropped.
pub(crate) const OUTPUT_MAX: usize = 1 << 20;
/// What a runner may write when it names its tests.
const NAMES_MAX: usize = 64 << 20;
/// How long a runner may take to name its tests.
const LIST_MAX: Duration = Duration::from_secs(60);
/// SIGABRT, by which a program that panics ends.
const ABORT: u8 = 6;

/// Which tests to run, and how.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Only tests whose name contains one of these; all when empty.
    pub filters: Vec<String>,
    /// The filters are whole names.
    pub exact: bool,
    /// Name the tests and run none.
    pub list: bool,
    /// Shuffles the order; 0 leaves it.
    pub shuffle_seed: u64,
    /// How many run at once.
    pub jobs: usize,
    /// What each may take.
    pub timeout: Duration,
    /// The whole environment of each.
    pub env: Vec<(OsString, OsString)>,
    /// Their working directory.
    pub cwd: PathBuf,
}

/// One test.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
    pub(crate) args: Vec<OsString>,
}

/// What a runner is asked for: it holds both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    Tests,
    Benches,
}

impl Kinds {
    /// By the name that a runner tells.
    fn has(self, name: &str) -> bool {
        let is_bench = name.rsplit("::").next().unwrap_or(name).starts_with("bench_");
        is_bench == (self == Self::Benches)
    }
}

/// Runs the chosen tests of `programs` and tells of each as it ends. When `stop` is cancelled those that run are
/// killed, and no more are started.
///
/// # Errors
/// When a program cannot be started; `CANCELLED`.
pub async fn run_tests(
    operation: &Operation,
    programs: &[TestProgram],
    choice: &Choice,
    stop: &CancellationToken,
) -> Result<(), Refusal> {
    let began = Instant::now();
    let mut found = Vec::new();
    for program in programs {
        found.extend(tests_of(program, choice, stop, Kinds::Tests).await?);
    }
    let total = found.len();
    found.retain(|test| is_chosen(choice, &test.name));
    let filtered_out = (total - found.len()) as u64;
    if choice.shuffle_seed != 0 {
        shuffle(&mut found, choice.shuffle_seed);
    }
    operation.emit(Kind::TestsStarted(v1::TestsStarted {
        names: found.iter().map(|test| test.name.clone()).collect(),
        filtered_out,
        shuffle_seed: choice.shuffle_seed,
    }));
    let (mut passed, mut failed) = (0, 0);
    if !choice.list {
        let choice = Arc::new(choice.clone());
        let mut waiting = found.into_iter();
        // Dropped, it kills what still runs.
        let mut running = JoinSet::new();
        loop {
            while running.len() < choice.jobs.max(1)
                && let Some(test) = waiting.next()
            {
                running.spawn(run_test(test, Arc::clone(&choice)));
            }
            let finished = tokio::select! {
                finished = running.join_next() => finished,
                () = stop.cancelled() => return Err(DriverError::Cancelled.into()),
            };
            let Some(finished) = finished else { break };
            let finished = finished.map_err(|error| Refusal::internal(&error.to_string()))??;
            match finished.result() {
                v1::TestResult::Passed => passed += 1,
                v1::TestResult::Failed | v1::TestResult::TimedOut | v1::TestResult::Unspecified => {
                    failed += 1
                }
            }
            operation.emit_paced(Kind::TestFinished(finished)).await;
        }
    }
    let elapsed = Some(duration(began.elapsed()));
    operation.emit(Kind::TestsFinished(v1::TestsFinished { passed, failed, filtered_out, elapsed }));
    Ok(())
}

/// The tests that a program holds, in its order.
pub(crate) async fn tests_of(
    program: &TestProgram,
    choice: &Choice,
    stop: &CancellationToken,
    kinds: Kinds,
) -> Result<Vec<Test>, Refusal> {
    let executable = &program.executable;
    match &program.kind {
        TestProgramKind::Program { .. } if kinds == Kinds::Benches => Ok(Vec::new()),
        TestProgramKind::Program { name } => {
            Ok(vec![Test { name: name.clone(), executable: executable.clone(), args: Vec::new() }])
        }
        TestProgramKind::Runner { .. } | TestProgramKind::Examples { .. } => {
            let listing = capture(spec(executable, Vec::new(), choice, LIST_MAX), NAMES_MAX);
            let listed = tokio::select! {
                listed = listing => listed?,
                () = stop.cancelled() => return Err(DriverError::Cancelled.into()),
            };
            if listed.exit != ExitKind::Code(0) || listed.dropped > 0 {
                let message =
                    format!("`{}` does not name its tests: {:?}", executable.display(), listed.exit);
                return Err(Refusal::internal(&message));
            }
            let names = String::from_utf8_lossy(&listed.output);
            let named = |name: &str| match &program.kind {
                TestProgramKind::Runner { prefix } => {
                    name.starts_with(prefix.as_str()).then(|| name.to_owned())
                }
                TestProgramKind::Examples { module } => example_name(module, name),
                TestProgramKind::Program { name } => Some(name.clone()),
            };
            let tests = names.lines().enumerate().filter(|(_, name)| kinds.has(name));
            let tests =
                tests.filter_map(|(number, name)| Some((number, named(name)?))).map(|(number, name)| Test {
                    name,
                    executable: executable.clone(),
                    args: vec![number.to_string().into()],
                });
            Ok(tests.collect())
        }
    }
}

/// `MODULE, line 12` for `…::test_line_12`.
fn example_name(module: &str, name: &str) -> Option<String> {
    let line = name.rsplit_once("::test_line_")?.1;
    Some(format!("{module}, line {line}"))
}

pub(crate) fn is_chosen(choice: &Choice, name: &str) -> bool {
    choice.filters.is_empty()
        || choice
            .filters
            .iter()
            .any(|filter| if choice.exact { name == filter } else { name.contains(filter.as_str()) })
}

/// Fisher and Yates' shuffle over SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same seed gives the same
/// order everywhere.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    for at in (1..items.len()).rev() {
        items.swap(at, (next() % (at as u64 + 1)) as usize);
    }
}

pub(crate) fn spec(executable: &Path, args: Vec<OsString>, choice: &Choice, timeout: Duration) -> RunSpec {
    RunSpec {
        executable: executable.to_path_buf(),
        args,
        env: choice.env.clone(),
        cwd: choice.cwd.clone(),
        timeout: Some(timeout),
    }
}

async fn run_test(test: Test, choice: Arc<Choice>) -> Result<v1::TestFinished, DriverError> {
    let began = Instant::now();
    let Test { name, executable, args } = test;
    let is_program = args.is_empty();
    let Captured { exit, output, dropped } =
        capture(spec(&executable, args, &choice, choice.timeout), OUTPUT_MAX).await?;
    let (result, detail) = match exit {
        ExitKind::Code(0) => (v1::TestResult::Passed, String::new()),
        ExitKind::Code(1) if !is_program => (v1::TestResult::Failed, "returned false".to_owned()),
        ExitKind::Code(status) => (v1::TestResult::Failed, format!("ended with status {status}")),
        ExitKind::Signal(ABORT) => (v1::TestResult::Failed, "panicked".to_owned()),
        ExitKind::Signal(signal) => (v1::TestResult::Failed, format!("ended by signal {signal}")),
        ExitKind::TimedOut => {
            let seconds = choice.timeout.as_secs_f64();
            (v1::TestResult::TimedOut, format!("did not end within {seconds} s"))
        }
    };
    Ok(v1::TestFinished {
        name,
        result: result.into(),
        detail,
        elapsed: Some(duration(began.elapsed())),
        output,
        output_dropped: dropped,
    })
}

/// What a program wrote, and how it ended.
pub(crate) struct Captured {
    pub(crate) exit: ExitKind,
    /// Of both streams, as it came.
    pub(crate) output: Vec<u8>,
    /// Bytes beyond the limit.
    pub(crate) dropped: u64,
}

/// Runs a program to its end with nothing to read.
pub(crate) async fn capture(spec: RunSpec, limit: usize) -> Result<Captured, DriverError> {
    let mut program = run::spawn(spec).await?;
    drop(program.stdin.take());
    let (mut output, mut dropped) = (Vec::new(), 0);
    while let Some(RunOutput::Stdout(piece) | RunOutput::Stderr(piece)) = program.output.recv().await {
        let kept = piece.len().min(limit - output.len());
        output.extend_from_slice(&piece[..kept]);
        dropped += (piece.len() - kept) as u64;
    }
    let exit = program.wait().await?;
    Ok(Captured { exit, output, dropped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_called_after_their_lines() {
        let name = example_name("src/a", "target/doc-tests/src-a::test_line_12");
        assert_eq!(name.as_deref(), Some("src/a, line 12"));
        assert_eq!(example_name("src/a", "src/a::test_other"), None);
        assert!(
            Kinds::Benches.has("m::bench_a")
                && Kinds::Tests.has("m::test_a")
                && !Kinds::Tests.has("m::bench_a")
        );
    }

    #[test]
    fn a_seed_gives_one_order_with_everything_in_it() {
        let order = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            shuffle(&mut items, seed);
            items
        };
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        let mut sorted = order(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }
}
