//! Events as the user sees them: diagnostics, progress, timings, the last line.
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::cli::Common;
use crate::failure::{Exit, Failure};
use crate::render::style::Theme;
use crate::render::{Format, human, is_error, machine, short};

/// Nothing that takes less needs a progress line.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// Errors, and as many warnings, that people see when they have not said how many: one mistake in a module
/// that all others use makes thousands, and the first few tell of it.
const SHOWN_MAX: u64 = 50;

/// Where diagnostics for programs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdout {
    /// Standard output is the result's, and so theirs.
    Ours,
    /// Standard output belongs to the program that is run.
    Programs,
}

/// What came out of a build, once it is over.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// As the service told it.
    pub finished: v1::BuildFinished,
    /// Phases that reported errors.
    phases: BTreeSet<String>,
}

impl Outcome {
    /// 0, or the status of a build that failed: of the program's fault unless only later stages complain.
    pub fn exit(&self) -> u8 {
        if self.finished.errors == 0 {
            return Exit::Ok as u8;
        }
        let later = |phase: &String| matches!(phase.as_str(), "ir" | "codegen" | "linker");
        if self.phases.contains("ice") {
            Exit::Internal as u8
        } else if !self.phases.is_empty() && self.phases.iter().all(later) {
            Exit::CannotBuild as u8
        } else {
            Exit::ProgramErrors as u8
        }
    }
}

/// Turns events into output.
pub struct Report {
    common: Common,
    theme: Theme,
    stdout: Stdout,
    cwd: String,
    /// For the formats that show all at once.
    kept: Vec<v1::Diagnostic>,
    errors_seen: u64,
    warnings_seen: u64,
    outcome: Outcome,
    timings: Vec<v1::PhaseFinished>,
    progress: Progress,
}

impl Report {
    /// A report that has shown nothing yet. `cwd` makes file names absolute where a format wants that.
    pub fn new(common: &Common, stdout: Stdout, cwd: &str) -> Self {
        Self {
            common: common.clone(),
            theme: Theme::of_stderr(common.color),
            stdout,
            cwd: cwd.to_owned(),
            kept: Vec::new(),
            errors_seen: 0,
            warnings_seen: 0,
            outcome: Outcome::default(),
            timings: Vec::new(),
            progress: Progress::new(),
        }
    }

    /// How the terminal is drawn.
    pub fn theme(&self) -> &Theme {
        &self.theme
    }

    /// Takes one event. Those of a running program are its caller's to handle.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn event(&mut self, event: v1::Event) -> Result<(), Failure> {
        if self.common.json {
            // Program output must come out in full, so it stays whole in its line.
            self.line(&event_json(&event).to_string())?;
        }
        let Some(kind) = event.kind else { return Ok(()) };
        match kind {
            Kind::Diagnostic(diagnostic) => self.diagnostic(diagnostic)?,
            Kind::PhaseStarted(started) => self.progress.set(started.phase),
            Kind::PhaseFinished(finished) => self.timings.push(finished),
            Kind::Note(note) => {
                if self.common.verbose {
                    self.say(&format!("{}: {}", self.theme.bold("note"), note.message));
                } else {
                    self.progress.set(note.message);
                }
            }
            Kind::BuildFinished(finished) => {
                self.outcome.finished = finished;
                self.build_is_over()?;
            }
            Kind::OperationStarted(_)
            | Kind::Artifact(_)
            | Kind::StageOutput(_)
            | Kind::ProgramStarted(_)
            | Kind::ProgramOutput(_)
            | Kind::ProgramExited(_)
            | Kind::ProgramSwapped(_)
            | Kind::ProgramRestarting(_)
            | Kind::RoundStarted(_)
            | Kind::RoundFinished(_)
            | Kind::TestsStarted(_)
            | Kind::TestFinished(_)
            | Kind::TestsFinished(_)
            | Kind::BenchesStarted(_)
            | Kind::BenchFinished(_)
            | Kind::OperationFinished(_) => {}
        }
        Ok(())
    }

    /// Another build of the same command follows: it has a count of errors of its own.
    pub fn begin_again(&mut self) {
        (self.errors_seen, self.warnings_seen) = (0, 0);
        self.outcome = Outcome::default();
        self.timings.clear();
        self.kept.clear();
    }

    /// Redraws the progress line; call it now and then.
    pub fn tick(&mut self) {
        if !self.common.json {
            self.progress.draw(&self.theme);
        }
    }

    /// Takes the progress line away, before something else is written.
    pub fn clear_progress(&mut self) {
        self.progress.clear();
    }

    fn diagnostic(&mut self, diagnostic: v1::Diagnostic) -> Result<(), Failure> {
        if is_error(&diagnostic) {
            self.outcome.phases.insert(diagnostic.phase.clone());
            self.errors_seen += 1;
            if self.errors_seen > self.errors_max() {
                return Ok(());
            }
        } else {
            self.warnings_seen += 1;
            if self.warnings_seen > self.warnings_max() {
                return Ok(());
            }
        }
        if self.common.json {
            return Ok(());
        }
        match self.common.format() {
            Format::Human => {
                self.say(human::render(&diagnostic, &self.theme).strip_suffix('\n').unwrap_or_default())
            }
            Format::Short => self.say(&self.theme.finish(short(&diagnostic))),
            Format::Json => self.line(&machine::json(&diagnostic).to_string())?,
            Format::Lsp | Format::Sarif | Format::Legacy => self.kept.push(diagnostic),
        }
        Ok(())
    }

    /// How many errors are shown. Programs get all of them unless they ask for fewer.
    fn errors_max(&self) -> u64 {
        match self.common.max_errors {
            Some(0) => u64::MAX,
            Some(max) => max,
            None => self.warnings_max(),
        }
    }

    /// How many warnings are shown.
    fn warnings_max(&self) -> u64 {
        match (self.common.max_errors, self.common.format()) {
            (None, Format::Human) => SHOWN_MAX,
            (Some(_), _)
            | (None, Format::Short | Format::Json | Format::Lsp | Format::Sarif | Format::Legacy) => u64::MAX,
        }
    }

    fn build_is_over(&mut self) -> Result<(), Failure> {
        self.progress.clear();
        if !self.common.json {
            match self.common.format() {
                Format::Human | Format::Short | Format::Json => {}
                Format::Lsp => {
                    for object in machine::lsp(&self.kept, &self.cwd) {
                        self.line(&object.to_string())?;
                    }
                }
                Format::Sarif => self.line(&machine::sarif(&self.kept).to_string())?,
                Format::Legacy => self.line(&machine::legacy(&self.kept).to_string())?,
            }
        }
        if self.common.timings && !self.common.json {
            self.show_timings();
        }
        Ok(())
    }

    fn show_timings(&mut self) {
        let timings = std::mem::take(&mut self.timings);
        for phase in &timings {
            let elapsed = phase.elapsed.unwrap_or_default();
            let milliseconds = elapsed.seconds as f64 * 1e3 + f64::from(elapsed.nanos) / 1e6;
            self.say(&format!("{:>12} {milliseconds:9.3} ms {:8} done anew", phase.phase, phase.executed));
        }
    }

    /// The last line of a build that has errors or warnings; `verb` is `check` or `build`.
    pub fn summary(&mut self, verb: &str, subject: &str) -> &Outcome {
        self.progress.clear();
        let v1::BuildFinished { errors, warnings, .. } = self.outcome.finished;
        let people = !self.common.json && !self.common.format().is_for_programs();
        if people {
            let hidden = [
                (self.errors_seen.saturating_sub(self.errors_max()), "more error"),
                (self.warnings_seen.saturating_sub(self.warnings_max()), "more warning"),
            ];
            let hidden = hidden.into_iter().filter(|(number, _)| *number > 0);
            let hidden: Vec<String> = hidden.map(|(number, what)| count(number, what)).collect();
            if !hidden.is_empty() {
                let text = format!("{} not shown; `--max-errors 0` shows all", hidden.join(" and "));
                self.say(&format!("{}: {text}", self.theme.bold("note")));
            }
            let also = if warnings > 0 {
                format!("; {} emitted", count(warnings, "warning"))
            } else {
                String::new()
            };
            if errors > 0 {
                let why = if errors == 1 {
                    "1 previous error".to_owned()
                } else {
                    format!("{errors} previous errors")
                };
                let text = format!(": could not {verb} `{subject}` due to {why}{also}");
                self.say(&format!("{}{}", self.theme.error("error"), self.theme.bold(&text)));
            } else if warnings > 0 {
                let text = format!(": `{subject}` has {}", count(warnings, "warning"));
                self.say(&format!("{}{}", self.theme.warning("warning"), self.theme.bold(&text)));
            }
        }
        &self.outcome
    }

    /// Whether a line such as `check succeeded` may be printed: nobody parses the output as JSON.
    pub fn speaks_to_people(&self) -> bool {
        !self.common.json && !self.common.format().is_for_programs()
    }

    /// A line on standard error. If that is closed, there is nobody to tell.
    pub fn say(&mut self, text: &str) {
        self.progress.clear();
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.progress.clear();
        match (self.stdout, self.common.json) {
            (Stdout::Programs, false) => {
                self.say(text);
                Ok(())
            }
            (Stdout::Ours, _) | (Stdout::Programs, true) => print_line(text),
        }
    }
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A line on standard output.
///
/// # Errors
/// When it cannot be written. A reader that has gone away ends the command as SIGPIPE would.
pub fn print_line(text: &str) -> Result<(), Failure> {
    print_bytes(format!("{text}\n").as_bytes())
}

/// Bytes on standard output.
///
/// # Errors
/// As [`print_line`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| output_failure(&error))
}

/// Why nothing more can be written to standard output.
pub fn output_failure(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::silent(BROKEN_PIPE);
    }
    Failure::new(Exit::InputOutput, format!("cannot write to standard output: {error}"))
}

/// 128 + SIGPIPE
const BROKEN_PIPE: u8 = 141;

/// An event as a line of JSON: `event` names its kind.
fn event_json(event: &v1::Event) -> Value {
    let seconds = |duration: Option<&prost_types::Duration>| {
        duration.map_or(0.0, |duration| duration.seconds as f64 + f64::from(duration.nanos) / 1e9)
    };
    let (name, mut fields) = match event.kind.as_ref() {
        None => ("unknown", json!({})),
        Some(Kind::OperationStarted(started)) => ("operation_started", json!({"title": started.title})),
        Some(Kind::PhaseStarted(started)) => ("phase_started", json!({"phase": started.phase})),
        Some(Kind::PhaseFinished(finished)) => {
            let elapsed = seconds(finished.elapsed.as_ref());
            let fields =
                json!({"phase": finished.phase, "phase_seconds": elapsed, "executed": finished.executed});
            ("phase_finished", fields)
        }
        Some(Kind::Diagnostic(diagnostic)) => {
            ("diagnostic", json!({"diagnostic": machine::json(diagnostic)}))
        }
        Some(Kind::Artifact(v1::Artifact { kind, path, sha256, size_bytes })) => {
            ("artifact", json!({"kind": kind, "path": path, "sha256": sha256, "size_bytes": size_bytes}))
        }
        Some(Kind::Note(note)) => ("note", json!({"message": note.message})),
        Some(Kind::BuildFinished(v1::BuildFinished { errors, warnings, executable, plan })) => {
            let fields =
                json!({"errors": errors, "warnings": warnings, "executable": executable, "plan": plan});
            ("build_finished", fields)
        }
        Some(Kind::StageOutput(output)) => {
            ("stage_output", json!({"data": String::from_utf8_lossy(&output.data)}))
        }
        Some(Kind::ProgramStarted(started)) => ("program_started", json!({"executable": started.executable})),
        Some(Kind::ProgramOutput(output)) => {
            let stream = match output.stream() {
                v1::OutputStream::Stderr => "stderr",
                v1::OutputStream::Stdout | v1::OutputStream::Unspecified => "stdout",
            };
            ("program_output", json!({"stream": stream, "data": String::from_utf8_lossy(&output.data)}))
        }
        Some(Kind::ProgramExited(exited)) => {
            use v1::program_exited::How;
            let fields = match exited.how {
                Some(How::Code(code)) => json!({"code": code}),
                Some(How::Signal(signal)) => json!({"signal": signal}),
                Some(How::TimedOut(_)) => json!({"timed_out": true}),
                None => json!({}),
            };
            ("program_exited", fields)
        }
        Some(Kind::ProgramSwapped(v1::ProgramSwapped { generation, procedures, moved, elapsed })) => {
            let fields = json!({
                "generation": generation,
                "procedures": procedures,
                "moved": moved,
                "swap_seconds": seconds(elapsed.as_ref()),
            });
            ("program_swapped", fields)
        }
        Some(Kind::ProgramRestarting(restarting)) => {
            ("program_restarting", json!({"reason": restarting.reason}))
        }
        Some(Kind::RoundStarted(v1::RoundStarted { number, changed, changed_total })) => {
            ("round_started", json!({"round": number, "changed": changed, "changed_total": changed_total}))
        }
        Some(Kind::RoundFinished(finished)) => {
            let result = match finished.result() {
                v1::RoundResult::Unspecified => "unspecified",
                v1::RoundResult::Ok => "ok",
                v1::RoundResult::Errors => "errors",
                v1::RoundResult::Failed => "failed",
                v1::RoundResult::Superseded => "superseded",
            };
            let program = match finished.program() {
                v1::RoundProgram::Unspecified => None,
                v1::RoundProgram::Started => Some("started"),
                v1::RoundProgram::Restarted => Some("restarted"),
                v1::RoundProgram::Kept => Some("kept"),
            };
            let fields = json!({
                "round": finished.number,
                "result": result,
                "failure": finished.failure.as_ref().map(failure_json),
                "round_seconds": seconds(finished.elapsed.as_ref()),
                "program": program,
            });
            ("round_finished", fields)
        }
        Some(Kind::TestsStarted(v1::TestsStarted { names, filtered_out, shuffle_seed })) => {
            let seed = Some(shuffle_seed).filter(|seed| **seed != 0);
            ("tests_started", json!({"tests": names, "filtered_out": filtered_out, "shuffle_seed": seed}))
        }
        Some(Kind::TestFinished(test)) => {
            let result = match test.result() {
                v1::TestResult::Unspecified => "unspecified",
                v1::TestResult::Passed => "passed",
                v1::TestResult::Failed => "failed",
                v1::TestResult::TimedOut => "timed_out",
            };
            let fields = json!({
                "name": test.name,
                "result": result,
                "detail": test.detail,
                "test_seconds": seconds(test.elapsed.as_ref()),
                "output": String::from_utf8_lossy(&test.output),
                "output_dropped": test.output_dropped,
            });
            ("test_finished", fields)
        }
        Some(Kind::TestsFinished(finished)) => {
            let fields = json!({
                "passed": finished.passed,
                "failed": finished.failed,
                "filtered_out": finished.filtered_out,
                "tests_seconds": seconds(finished.elapsed.as_ref()),
            });
            ("tests_finished", fields)
        }
        Some(Kind::BenchesStarted(v1::BenchesStarted { names, filtered_out })) => {
            ("benches_started", json!({"benches": names, "filtered_out": filtered_out}))
        }
        Some(Kind::BenchFinished(bench)) => {
            let fields = json!({
                "name": bench.name,
                "failure": Some(&bench.failure).filter(|failure| !failure.is_empty()),
                "iterations": bench.iterations,
                "samples_ns": bench.samples,
                "output": String::from_utf8_lossy(&bench.output),
            });
            ("bench_finished", fields)
        }
        Some(Kind::OperationFinished(finished)) => {
            let result = match finished.result() {
                v1::OperationResult::Unspecified => "unspecified",
                v1::OperationResult::Done => "done",
                v1::OperationResult::Failed => "failed",
                v1::OperationResult::Cancelled => "cancelled",
            };
            let failure = finished.failure.as_ref().map(failure_json);
            ("operation_finished", json!({"result": result, "failure": failure}))
        }
    };
    if let Value::Object(fields) = &mut fields {
        fields.insert("event".into(), name.into());
        fields.insert("operation".into(), event.operation.clone().into());
        fields.insert("sequence".into(), event.sequence.into());
        fields.insert("seconds".into(), json!(seconds(event.elapsed.as_ref())));
    }
    fields
}

fn failure_json(failure: &v1::Failure) -> Value {
    json!({"reason": failure.reason, "message": failure.message, "help": failure.help})
}

/// One line on a terminal that says what is going on, once it has gone on for a while.
pub(crate) struct Progress {
    began: Instant,
    doing: String,
    enabled: bool,
    drawn: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            doing: String::new(),
            enabled: io::stderr().is_terminal(),
            drawn: false,
        }
    }

    pub(crate) fn set(&mut self, doing: String) {
        self.doing = doing;
    }

    pub(crate) fn draw(&mut self, theme: &Theme) {
        let elapsed = self.began.elapsed();
        if !self.enabled || elapsed < PROGRESS_AFTER || self.doing.is_empty() {
            return;
        }
        let text = format!("{} ({:.0} s)", self.doing, elapsed.as_secs_f32());
        let text: String =
            text.chars().filter(|c| !c.is_control()).take(theme.width.saturating_sub(1)).collect();
        // Return, text, erase to the end of the line: one write, so that it cannot flicker.
        let _ = write!(io::stderr().lock(), "\r{}\x1b[K", theme.finish(text));
        self.drawn = true;
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
