//! `watch`: one line for each round, and the program that runs meanwhile.
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tonic::Streaming;
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;
use vitte_proto::v1::operation_service_client::OperationServiceClient;
use vitte_proto::v1::program_exited::How;
use vitte_proto::v1::watch_service_client::WatchServiceClient;

use super::build::TICK;
use super::run::{Output, environment};
use super::test::{Results, tests_of};
use super::{argument, channel, options, subject};
use crate::cli::{BuildArgs, Common, RebuildArgs, WatchArgs, WatchGoal};
use crate::failure::{Exit, Failure};
use crate::report::{Report, Stdout, print_line};

/// Longest wait for the service to end the program after Ctrl-C; it gives it two seconds.
const END_MAX: Duration = Duration::from_secs(5);
/// Phases that took less are not named.
const PHASE_SHOWN_MIN: Duration = Duration::from_micros(50);
/// Files that are named one by one.
const FILES_SHOWN: usize = 3;

/// `vitte watch`.
///
/// # Errors
/// When the first round cannot be done for another reason than errors in the program.
pub async fn watch(common: &Common, args: WatchArgs) -> Result<u8, Failure> {
    let WatchArgs { rebuild, goal } = args;
    let mut tests = None;
    let (goal, rebuild, when_rebuilt, args) = match goal {
        None => (v1::RebuildGoal::Check, rebuild, v1::WhenRebuilt::Unspecified, Vec::new()),
        Some(WatchGoal::Check(rebuild)) => {
            (v1::RebuildGoal::Check, rebuild, v1::WhenRebuilt::Unspecified, Vec::new())
        }
        Some(WatchGoal::Build(rebuild)) => {
            (v1::RebuildGoal::Build, rebuild, v1::WhenRebuilt::Unspecified, Vec::new())
        }
        Some(WatchGoal::Run(run)) => {
            let when = if run.keep { v1::WhenRebuilt::Keep } else { v1::WhenRebuilt::Restart };
            (v1::RebuildGoal::Run, run.rebuild, when, run.args)
        }
        Some(WatchGoal::Test(test)) => {
            tests = Some(test.tests);
            (v1::RebuildGoal::Test, test.rebuild, v1::WhenRebuilt::Unspecified, Vec::new())
        }
    };
    let RebuildArgs { build, clear } = rebuild;
    refuse_dry_run(&build)?;
    let options = options(&build)?;
    let request = v1::RebuildRequest {
        goal: goal.into(),
        args: args.into_iter().map(argument).collect::<Result<_, _>>()?,
        environment: environment(),
        cwd: options.cwd.clone(),
        when_rebuilt: when_rebuilt.into(),
        options: Some(options.clone()),
        request_id: String::new(),
        on_disconnect: v1::OnDisconnect::Cancel.into(),
        tests: tests.as_ref().map(tests_of),
    };
    let channel = channel(common).await?;
    let mut ends = Ends::watch()?;
    let stream = WatchServiceClient::new(channel.clone()).rebuild(request).await?.into_inner();
    let verb = match goal {
        v1::RebuildGoal::Build => "build",
        v1::RebuildGoal::Run => "run",
        v1::RebuildGoal::Test => "test",
        v1::RebuildGoal::Check | v1::RebuildGoal::Unspecified => "check",
    };
    let stdout = if goal == v1::RebuildGoal::Run { Stdout::Programs } else { Stdout::Ours };
    let round = Round::new(Report::new(common, stdout, &options.cwd));
    let screen = Screen { common, verb, subject: subject(&options), cwd: &options.cwd, stdout, clear };
    let results = tests.map(|flags| Results::new(common, &flags));
    Session {
        channel,
        screen,
        round,
        results,
        operation: String::new(),
        ended_by: None,
        is_restarting: false,
    }
    .follow(stream, &mut ends)
    .await
}

fn refuse_dry_run(build: &BuildArgs) -> Result<(), Failure> {
    if build.dry_run {
        return Err(Failure::new(Exit::Usage, "`--dry-run` is of no use in watch mode")
            .help("`vitte build --dry-run` shows the plan"));
    }
    Ok(())
}

/// The signals that end us, and with us the program.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Ends {
    fn watch() -> Result<Self, Failure> {
        let watch = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Exit::InputOutput, format!("cannot watch for signals: {error}"))
            })
        };
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
            hang_up: watch(SignalKind::hangup())?,
        })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hang_up.recv() => SignalKind::hangup(),
        };
        kind.as_raw_value() as u8
    }
}

/// How and where rounds are shown.
struct Screen<'a> {
    common: &'a Common,
    verb: &'a str,
    subject: &'a str,
    cwd: &'a str,
    stdout: Stdout,
    clear: bool,
}

impl Screen<'_> {
    /// The line of a round: the result where standard output is ours, beside the program's otherwise.
    fn line(&self, report: &mut Report, text: &str) -> Result<(), Failure> {
        if !report.speaks_to_people() {
            return Ok(());
        }
        match self.stdout {
            Stdout::Ours => {
                report.clear_progress();
                print_line(text)
            }
            Stdout::Programs => {
                report.say(text);
                Ok(())
            }
        }
    }

    /// An empty screen, where that was asked for and there is one.
    fn clear(&self) {
        if self.clear && io::stderr().is_terminal() {
            // Erase everything, what was scrolled away too, and go to the first place.
            let _ = io::stderr().lock().write_all(b"\x1b[2J\x1b[3J\x1b[H");
        }
    }
}

/// One round, as far as it is known.
struct Round {
    report: Report,
    changed: String,
    /// With the time that each took.
    phases: Vec<(String, Duration)>,
    goes_on: bool,
    /// Its phases belong to the next round too, which has nothing left to do there.
    is_superseded: bool,
}

impl Round {
    fn new(report: Report) -> Self {
        Self { report, changed: String::new(), phases: Vec::new(), goes_on: true, is_superseded: false }
    }
}

struct Session<'a> {
    channel: Channel,
    screen: Screen<'a>,
    round: Round,
    /// Of the tests, if that is what is run.
    results: Option<Results>,
    operation: String,
    /// The signal that ends us.
    ended_by: Option<u8>,
    /// The program's next end is of our own doing.
    is_restarting: bool,
}

impl Session<'_> {
    /// Shows all events to the last; the exit status.
    async fn follow(
        mut self,
        mut stream: Streaming<v1::RebuildResponse>,
        ends: &mut Ends,
    ) -> Result<u8, Failure> {
        let output = Output::start();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let status = loop {
            let response = tokio::select! {
                biased;
                signal = ends.next() => {
                    // The second time there is nothing more to wait for.
                    if self.ended_by.replace(signal).is_some() {
                        break 128 + signal;
                    }
                    self.cancel().await;
                    continue;
                }
                response = within(self.ended_by.map(|_| END_MAX), stream.message()) => response,
                // Nothing wakes us between rounds.
                _ = tick.tick(), if self.round.goes_on => {
                    self.round.report.tick();
                    continue;
                }
            };
            let Some(response) = response else { break self.ended_by.map_or(0, |signal| 128 + signal) };
            let event = match response {
                Ok(Some(response)) => response.event,
                Ok(None) => break self.ended_by.map_or(0, |signal| 128 + signal),
                Err(_) if self.ended_by.is_some() => break self.ended_by.map_or(0, |signal| 128 + signal),
                Err(status) => {
                    self.round.report.clear_progress();
                    return Err(status.into());
                }
            };
            let Some(event) = event else { continue };
            if let (Some(Kind::ProgramOutput(piece)), false) = (&event.kind, self.screen.common.json) {
                self.round.report.clear_progress();
                let sent = tokio::select! {
                    sent = output.send(piece.clone()) => sent,
                    // A terminal that takes nothing must not keep us.
                    signal = ends.next() => break 128 + signal,
                };
                if !sent {
                    return Err(output.finish_failed());
                }
                continue;
            }
            self.event(event)?;
        };
        // What the program wrote last, unless the terminal takes nothing.
        if self.ended_by.is_none() {
            output.finish()?;
        }
        Ok(status)
    }

    /// Asks the service to end; the stream tells when it has.
    async fn cancel(&mut self) {
        self.round.report.clear_progress();
        let request = v1::CancelOperationRequest { name: self.operation.clone(), request_id: String::new() };
        // A service that is gone has ended it.
        let _ = OperationServiceClient::new(self.channel.clone()).cancel_operation(request).await;
    }

    fn event(&mut self, event: v1::Event) -> Result<(), Failure> {
        self.operation.clone_from(&event.operation);
        if let (Some(results), Some(kind)) = (&mut self.results, &event.kind) {
            results.event(kind, &mut self.round.report)?;
        }
        match event.kind.clone() {
            Some(Kind::RoundStarted(started)) => {
                let Screen { common, stdout, cwd, .. } = self.screen;
                let before = std::mem::take(&mut self.round.phases);
                let kept = if self.round.is_superseded { before } else { Vec::new() };
                self.round = Round::new(Report::new(common, stdout, cwd));
                self.round.phases = kept;
                self.round.changed = describe_changes(&started);
                self.screen.clear();
            }
            Some(Kind::PhaseFinished(finished)) => {
                let elapsed = elapsed(finished.elapsed.as_ref());
                let phases = &mut self.round.phases;
                match phases.iter_mut().find(|(phase, _)| *phase == finished.phase) {
                    Some((_, sum)) => *sum += elapsed,
                    None => phases.push((finished.phase, elapsed)),
                }
            }
            Some(Kind::RoundFinished(finished)) => {
                self.round.report.event(event)?;
                return self.round_is_over(&finished);
            }
            Some(Kind::ProgramExited(v1::ProgramExited { how })) => {
                let expected = std::mem::take(&mut self.is_restarting) || self.ended_by.is_some();
                if let Some(how) = how.filter(|_| !expected) {
                    let text = describe_end(how);
                    self.screen.line(&mut self.round.report, &text)?;
                }
            }
            Some(Kind::Note(note)) if !self.round.goes_on => {
                self.screen.line(&mut self.round.report, &format!("note: {}", note.message))?;
            }
            Some(_) | None => {}
        }
        self.round.report.event(event)
    }

    /// The round's one line: what changed, how long each phase took, what came out.
    fn round_is_over(&mut self, finished: &v1::RoundFinished) -> Result<(), Failure> {
        let round = &mut self.round;
        round.goes_on = false;
        round.report.clear_progress();
        let result = match finished.result() {
            // The next round has a line of its own.
            v1::RoundResult::Superseded | v1::RoundResult::Unspecified => {
                round.is_superseded = true;
                return Ok(());
            }
            v1::RoundResult::Ok => match self.screen.verb {
                "check" => "no errors".to_owned(),
                _ => "built".to_owned(),
            },
            v1::RoundResult::Errors => {
                let errors = round.report.summary(self.screen.verb, self.screen.subject).finished.errors;
                format!("{errors} {}", if errors == 1 { "error" } else { "errors" })
            }
            v1::RoundResult::Failed => {
                let v1::Failure { message, help, .. } = finished.failure.clone().unwrap_or_default();
                if round.report.speaks_to_people() {
                    let theme = round.report.theme();
                    let (error, advice) = (theme.error("error"), theme.help("help"));
                    round.report.say(&format!("{error}: {message}"));
                    if !help.is_empty() {
                        round.report.say(&format!("{advice}: {help}"));
                    }
                }
                "failed".to_owned()
            }
        };
        let program = match finished.program() {
            v1::RoundProgram::Unspecified => "",
            v1::RoundProgram::Started => ", started",
            v1::RoundProgram::Restarted => {
                self.is_restarting = true;
                ", restarted"
            }
            v1::RoundProgram::Kept => ", the program runs on",
        };
        let phases = describe_phases(&round.phases);
        let total = milliseconds(elapsed(finished.elapsed.as_ref()));
        let line = format!("{}: {phases}; {result} in {total}{program}", round.changed);
        self.screen.line(&mut round.report, &line)
    }
}

/// `work`, or `None` when `limit` passes first.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

/// How long each phase took that is worth a word.
fn describe_phases(phases: &[(String, Duration)]) -> String {
    let shown = phases.iter().filter(|(_, elapsed)| *elapsed >= PHASE_SHOWN_MIN);
    let shown: Vec<String> =
        shown.map(|(phase, elapsed)| format!("{phase} {}", milliseconds(*elapsed))).collect();
    if shown.is_empty() { "nothing to do".to_owned() } else { shown.join(", ") }
}

/// What changed, in a few words.
fn describe_changes(started: &v1::RoundStarted) -> String {
    let v1::RoundStarted { number, changed, changed_total } = started;
    let shown = changed.len().min(FILES_SHOWN);
    let more = changed_total.saturating_sub(shown as u64);
    match (shown, more) {
        (0, _) if *number == 1 => "first round".to_owned(),
        (0, _) => "something changed".to_owned(),
        (_, 0) => changed[..shown].join(", "),
        (_, more) => format!("{} and {more} more", changed[..shown].join(", ")),
    }
}

fn describe_end(how: How) -> String {
    match how {
        How::Code(code) => format!("the program ended with status {code}"),
        How::Signal(signal) => format!("the program was ended by signal {signal}"),
        How::TimedOut(_) => "the program ran over its time limit".to_owned(),
    }
}

fn elapsed(duration: Option<&prost_types::Duration>) -> Duration {
    duration.and_then(|duration| Duration::try_from(*duration).ok()).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1e3;
    match milliseconds {
        0.0..10.0 => format!("{milliseconds:.1} ms"),
        10.0..10_000.0 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.1} s", milliseconds / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_in_a_few_words() {
        let started = |number, names: &[&str], changed_total| v1::RoundStarted {
            number,
            changed: names.iter().map(|name| (*name).to_owned()).collect(),
            changed_total,
        };
        assert_eq!(describe_changes(&started(1, &[], 0)), "first round");
        assert_eq!(describe_changes(&started(2, &[], 0)), "something changed");
        assert_eq!(describe_changes(&started(2, &["a.vit"], 1)), "a.vit");
        assert_eq!(describe_changes(&started(2, &["a", "b", "c", "d"], 4000)), "a, b, c and 3997 more");
    }

    #[test]
    fn phases_that_took_no_time_are_not_named() {
        let phases = [("parse", 1), ("check", 1500), ("link", 2_000)];
        let phases = phases.map(|(name, micros)| (name.to_owned(), Duration::from_micros(micros)));
        assert_eq!(describe_phases(&phases), "check 1.5 ms, link 2.0 ms");
        assert_eq!(describe_phases(&phases[..1]), "nothing to do");
    }

    #[test]
    fn times_have_two_figures_or_so() {
        assert_eq!(milliseconds(Duration::from_micros(1234)), "1.2 ms");
        assert_eq!(milliseconds(Duration::from_micros(123_456)), "123 ms");
        assert_eq!(milliseconds(Duration::from_millis(12_345)), "12.3 s");
    }
}
