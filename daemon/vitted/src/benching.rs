//! Running benchmarks: one after the other, each in a process of its own, so that they do not disturb each other.
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vitte_driver::{DriverError, ExitKind, RunSpec, TestProgram};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::operation::Operation;
use crate::status::Refusal;
use crate::testing::{Captured, Choice, Kinds, OUTPUT_MAX, capture, is_chosen, spec, tests_of};

/// What a line of a runner begins with that tells of a sample: calls and nanoseconds follow. `runtime/bench.vit` in the
/// compiler writes it.
const MARK: &[u8] = b"@vitte-bench ";
/// Bytes of a line that tells of a sample, at most.
const LINE_BYTES: usize = 64;

/// Which benchmarks to run, and how they are measured.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Which, and what each may take.
    pub choice: Choice,
    /// How long a sample shall take.
    pub sample: Duration,
    /// How many are taken.
    pub samples: u32,
}

/// Runs the chosen benchmarks of `programs` and tells of each as it ends.
///
/// # Errors
/// When a program cannot be started; `CANCELLED`.
pub async fn run_benches(
    operation: &Operation,
    programs: &[TestProgram],
    measure: &Measure,
    stop: &CancellationToken,
) -> Result<(), Refusal> {
    let choice = &measure.choice;
    let mut found = Vec::new();
    for program in programs {
        found.extend(tests_of(program, choice, stop, Kinds::Benches).await?);
    }
    let total = found.len();
    found.retain(|bench| is_chosen(choice, &bench.name));
    operation.emit(Kind::BenchesStarted(v1::BenchesStarted {
        names: found.iter().map(|bench| bench.name.clone()).collect(),
        filtered_out: (total - found.len()) as u64,
    }));
    if choice.list {
        return Ok(());
    }
    for bench in found {
        let mut args = bench.args;
        args.push(measure.sample.as_nanos().to_string().into());
        args.push(measure.samples.to_string().into());
        let limit = OUTPUT_MAX + measure.samples as usize * LINE_BYTES;
        let spec: RunSpec = spec(&bench.executable, args, choice, choice.timeout);
        let captured = tokio::select! {
            captured = capture(spec, limit) => captured?,
            () = stop.cancelled() => return Err(DriverError::Cancelled.into()),
        };
        let finished = finished(bench.name, &captured, choice.timeout);
        operation.emit_paced(Kind::BenchFinished(finished)).await;
    }
    Ok(())
}

fn finished(name: String, captured: &Captured, timeout: Duration) -> v1::BenchFinished {
    let (samples, output) = samples(&captured.output);
    let failure = match captured.exit {
        ExitKind::Code(0) if samples.is_empty() => "it has told no times".to_owned(),
        ExitKind::Code(0) => String::new(),
        ExitKind::Code(status) => format!("ended with status {status}"),
        ExitKind::Signal(signal) => format!("ended by signal {signal}"),
        ExitKind::TimedOut => format!("did not end within {} s", timeout.as_secs_f64()),
    };
    let iterations = samples.first().map_or(0, |(calls, _)| *calls);
    let samples = samples.into_iter().map(|(_, elapsed)| elapsed).collect();
    v1::BenchFinished { name, failure, iterations, samples, output }
}

/// The samples that a runner tells of, calls and nanoseconds, and what else it wrote. A mark may stand behind an unfinished
/// line of the benchmark's own.
fn samples(output: &[u8]) -> (Vec<(u64, u64)>, Vec<u8>) {
    let (mut samples, mut rest) = (Vec::new(), Vec::new());
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        let mark = line.windows(MARK.len()).position(|part| part == MARK);
        let sample = mark.and_then(|at| {
            let told = std::str::from_utf8(&line[at + MARK.len()..]).ok()?;
            let (calls, elapsed) = told.trim_end().split_once(' ')?;
            Some((at, calls.parse().ok()?, elapsed.parse().ok()?))
        });
        match sample {
            Some((at, calls, elapsed)) => {
                rest.extend_from_slice(&line[..at]);
                samples.push((calls, elapsed));
            }
            None => rest.extend_from_slice(line),
        }
    }
    rest.truncate(OUTPUT_MAX);
    (samples, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_told_apart_from_what_a_benchmark_writes() {
        let output = b"hello\n@vitte-bench 10 500\nno end@vitte-bench 10 510\n@vitte-bench x\n";
        let (found, rest) = samples(output);
        assert_eq!(found, [(10, 500), (10, 510)]);
        assert_eq!(rest, b"hello\nno end@vitte-bench x\n");
    }

    #[test]
    fn a_benchmark_without_times_has_failed() {
        let captured = |exit, output: &[u8]| Captured { exit, output: output.to_vec(), dropped: 0 };
        let of = |exit, output: &[u8]| {
            finished("b".to_owned(), &captured(exit, output), Duration::from_secs(1)).failure
        };
        assert_eq!(of(ExitKind::Code(0), b"@vitte-bench 1 2\n"), "");
        assert_eq!(of(ExitKind::Code(0), b""), "it has told no times");
        assert_eq!(of(ExitKind::Signal(6), b""), "ended by signal 6");
    }
}
