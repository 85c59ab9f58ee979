//! `test`: builds the tests, runs them, and shows how each ended.
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::event::Kind;

use super::build::pump;
use super::run::environment;
use super::{channel, options, subject};
use crate::cli::{Common, TestArgs, TestFlags};
use crate::failure::{Exit, Failure};
use crate::render::style::Theme;
use crate::report::{Report, Stdout, print_line};

/// `vitte test`.
///
/// # Errors
/// When the tests could not be run for another reason than errors in them.
pub async fn test(common: &Common, args: TestArgs) -> Result<u8, Failure> {
    let TestArgs { build, tests, junit } = args;
    if build.dry_run {
        return Err(Failure::new(Exit::Usage, "`--dry-run` is of no use for tests")
            .help("`vitte test --list` names them; `vitte build --dry-run` shows the plan of a build"));
    }
    let options = options(&build)?;
    let subject = subject(&options).to_owned();
    let mut report = Report::new(common, Stdout::Ours, &options.cwd);
    let request = v1::TestRequest {
        options: Some(options),
        tests: Some(tests_of(&tests)),
        ..v1::TestRequest::default()
    };
    let stream = BuildServiceClient::new(channel(common).await?).test(request).await?.into_inner();
    let mut results = Results::new(common, &tests);
    let event = |response: v1::TestResponse| response.event;
    pump(stream, event, &mut report, |kind, report| results.event(kind, report)).await?;
    let status = report.summary("test", &subject).exit();
    if status != Exit::Ok as u8 {
        return Ok(status);
    }
    if let Some(path) = junit {
        vitte_sys::fs::write(&path, results.junit(&subject).as_bytes())?;
    }
    Ok(if results.has_failed() { Exit::ProgramErrors as u8 } else { Exit::Ok as u8 })
}

/// What the flags ask for.
pub(super) fn tests_of(flags: &TestFlags) -> v1::TestOptions {
    let random = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        (now.as_nanos() as u64 % 1_000_000).max(1)
    };
    v1::TestOptions {
        filters: flags.filter.clone(),
        exact: flags.exact,
        list: flags.list,
        shuffle_seed: flags.shuffle.map_or(0, |seed| seed.unwrap_or_else(random)),
        jobs: flags.jobs.unwrap_or(0),
        timeout: flags.timeout.map(wire_duration),
        environment: environment(),
        examples: flags.doc,
    }
}

/// A duration for the wire.
pub(super) fn wire_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration { seconds: duration.as_secs() as i64, nanos: duration.subsec_nanos() as i32 }
}

/// How the tests of one run ended, shown as it is told.
pub(super) struct Results {
    theme: Theme,
    show_output: bool,
    list: bool,
    finished: Vec<v1::TestFinished>,
    failed: u64,
}

impl Results {
    pub(super) fn new(common: &Common, flags: &TestFlags) -> Self {
        let mut theme = Theme::of_stderr(common.color);
        // What is coloured here goes to standard output.
        theme.color &=
            std::io::stdout().is_terminal() || common.color == crate::render::style::ColorChoice::Always;
        Self { theme, show_output: flags.show_output, list: flags.list, finished: Vec::new(), failed: 0 }
    }

    /// Takes one event; those that are not about tests change nothing.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(super) fn event(&mut self, kind: &Kind, report: &mut Report) -> Result<(), Failure> {
        let text = match kind {
            Kind::TestsStarted(started) => {
                (self.finished, self.failed) = (Vec::new(), 0);
                self.started(started)
            }
            Kind::TestFinished(test) => {
                self.failed += u64::from(test.result() != v1::TestResult::Passed);
                self.finished.push(test.clone());
                self.line(test)
            }
            Kind::TestsFinished(finished) if !self.list => self.summary(finished),
            _ => return Ok(()),
        };
        if report.speaks_to_people() && !text.is_empty() {
            report.clear_progress();
            print_line(&self.theme.finish(text))?;
        }
        Ok(())
    }

    /// Whether a test did not pass.
    pub(super) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    fn started(&self, started: &v1::TestsStarted) -> String {
        if self.list {
            return started.names.join("\n");
        }
        let count = started.names.len();
        let mut text = format!("running {count} {}", if count == 1 { "test" } else { "tests" });
        if started.shuffle_seed != 0 {
            let _ = write!(text, " in the order of --shuffle={}", started.shuffle_seed);
        }
        text
    }

    fn line(&self, test: &v1::TestFinished) -> String {
        let name = &test.name;
        match test.result() {
            v1::TestResult::Passed if self.show_output && !test.output.is_empty() => {
                format!("test {name} ... {}\n{}", self.theme.added("ok"), written(test))
            }
            v1::TestResult::Passed => format!("test {name} ... {}", self.theme.added("ok")),
            v1::TestResult::Failed | v1::TestResult::TimedOut | v1::TestResult::Unspecified => {
                format!("test {name} ... {}: {}", self.theme.error("FAILED"), test.detail)
            }
        }
    }

    /// What the failed tests wrote, and the last line.
    fn summary(&self, finished: &v1::TestsFinished) -> String {
        let mut text = String::new();
        let failed = || self.finished.iter().filter(|test| test.result() != v1::TestResult::Passed);
        for test in failed() {
            let _ =
                write!(text, "\n---- {}: {}\n{}", self.theme.bold(&test.name), test.detail, written(test));
            if !test.output.is_empty() || test.output_dropped > 0 {
                text.push('\n');
            }
        }
        if finished.failed > 0 {
            text.push_str("\nfailed:\n");
            for test in failed() {
                let _ = writeln!(text, "    {}", test.name);
            }
        }
        let v1::TestsFinished { passed, failed, filtered_out, elapsed } = finished;
        let result = if *failed == 0 { self.theme.added("ok") } else { self.theme.error("FAILED") };
        let out = if *filtered_out > 0 { format!("; {filtered_out} filtered out") } else { String::new() };
        let elapsed = seconds(elapsed.as_ref());
        let _ = write!(
            text,
            "\ntest result: {result}. {passed} passed; {failed} failed{out}; finished in {elapsed:.2} s"
        );
        text
    }

    /// The results as JUnit's XML, which build servers read.
    fn junit(&self, suite: &str) -> String {
        let total: f64 = self.finished.iter().map(|test| seconds(test.elapsed.as_ref())).sum();
        let suite = Path::new(suite).file_name().map_or(suite.into(), |name| name.to_string_lossy());
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" \
             errors=\"0\" time=\"{total:.3}\">\n",
            escaped(&suite),
            self.finished.len(),
            self.failed,
        );
        let mut tests: Vec<&v1::TestFinished> = self.finished.iter().collect();
        tests.sort_by(|one, other| one.name.cmp(&other.name));
        for test in tests {
            let (class, name) = test.name.rsplit_once("::").unwrap_or(("", &test.name));
            let _ = write!(
                text,
                "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">",
                escaped(class),
                escaped(name),
                seconds(test.elapsed.as_ref())
            );
            if test.result() != v1::TestResult::Passed {
                let _ = write!(text, "<failure message=\"{}\"/>", escaped(&test.detail));
            }
            if !test.output.is_empty() {
                let _ = write!(text, "<system-out>{}</system-out>", escaped(&written(test)));
            }
            text.push_str("</testcase>\n");
        }
        text.push_str("</testsuite>\n</testsuites>\n");
        text
    }
}

/// What a test wrote.
fn written(test: &v1::TestFinished) -> String {
    let mut text = String::from_utf8_lossy(&test.output).trim_end_matches('\n').to_owned();
    if test.output_dropped > 0 {
        let _ = write!(text, "\n({} more bytes)", test.output_dropped);
    }
    text
}

fn seconds(elapsed: Option<&prost_types::Duration>) -> f64 {
    let elapsed = elapsed.copied().unwrap_or_default();
    Duration::try_from(elapsed).unwrap_or_default().as_secs_f64()
}

/// Text as XML may hold it: what it cannot, even escaped, becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_holds_what_tests_write() {
        assert_eq!(escaped("a<b> & \"c\"\u{1b}\n"), "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}\n");
    }
}
