//! `bench`: builds benchmarks, runs them, and compares them with an earlier run.
use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::event::Kind;

use super::build::pump;
use super::run::environment;
use super::test::wire_duration;
use super::{channel, options, subject};
use crate::cli::{BenchArgs, Common};
use crate::failure::{Exit, Failure};
use crate::render::style::{ColorChoice, Theme};
use crate::report::{Report, Stdout, print_line};
use crate::statistics::{Change, Summary, change, shown, summary};

/// What the files of kept results say that they are.
const SCHEMA: &str = "vitte.bench.v1";

/// `vitte bench`.
///
/// # Errors
/// When the benchmarks could not be run for another reason than errors in them; when a baseline cannot be read or written.
pub async fn bench(common: &Common, args: BenchArgs) -> Result<u8, Failure> {
    let BenchArgs { build, filter, exact, list, save, baseline, samples, sample_time, timeout } = args;
    if build.dry_run {
        return Err(Failure::new(Exit::Usage, "`--dry-run` is of no use for benchmarks")
            .help("`vitte bench --list` names them; `vitte build --dry-run` shows the plan of a build"));
    }
    let options = options(&build)?;
    let folder = results_folder(Path::new(&options.cwd), &options.entry);
    let before = baseline.as_ref().map(|name| read(&folder, name)).transpose()?;
    let subject = subject(&options).to_owned();
    let mut report = Report::new(common, Stdout::Ours, &options.cwd);
    let request = v1::MeasureRequest {
        options: Some(options),
        benches: Some(v1::MeasureOptions {
            filters: filter,
            exact,
            list,
            sample: Some(wire_duration(sample_time)),
            samples,
            timeout: timeout.map(wire_duration),
            environment: environment(),
        }),
        ..v1::MeasureRequest::default()
    };
    let stream = BuildServiceClient::new(channel(common).await?).measure(request).await?.into_inner();
    let mut theme = Theme::of_stderr(common.color);
    // What is coloured here goes to standard output.
    theme.color &= std::io::stdout().is_terminal() || common.color == ColorChoice::Always;
    let mut results =
        Results { theme, list, width: 0, before, json: common.json, all: BTreeMap::new(), failed: 0 };
    pump(
        stream,
        |response: v1::MeasureResponse| response.event,
        &mut report,
        |kind, report| results.event(kind, report),
    )
    .await?;
    let status = report.summary("bench", &subject).exit();
    if status != Exit::Ok as u8 {
        return Ok(status);
    }
    if results.failed > 0 {
        return Ok(Exit::ProgramErrors as u8);
    }
    if let Some(name) = save.filter(|_| !list) {
        let path = write(&folder, &name, &results.all)?;
        if report.speaks_to_people() {
            print_line(&format!("saved as `{name}` in {}", path.display()))?;
        }
    }
    Ok(Exit::Ok as u8)
}

struct Results {
    theme: Theme,
    list: bool,
    /// Of the longest name.
    width: usize,
    before: Option<BTreeMap<String, Summary>>,
    json: bool,
    all: BTreeMap<String, Summary>,
    failed: usize,
}

impl Results {
    fn event(&mut self, kind: &Kind, report: &mut Report) -> Result<(), Failure> {
        let text = match kind {
            Kind::BenchesStarted(started) => self.started(started),
            Kind::BenchFinished(bench) => self.finished(bench)?,
            _ => return Ok(()),
        };
        if report.speaks_to_people() && !text.is_empty() {
            report.clear_progress();
            print_line(&self.theme.finish(text))?;
        }
        Ok(())
    }

    fn started(&mut self, started: &v1::BenchesStarted) -> String {
        self.width = started.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let count = started.names.len();
        if self.list {
            return started.names.join("\n");
        }
        let out = match started.filtered_out {
            0 => String::new(),
            out => format!("; {out} filtered out"),
        };
        format!("running {count} {}{out}", if count == 1 { "benchmark" } else { "benchmarks" })
    }

    /// One line: the name, the time of a call, how it scatters, and how it compares.
    fn finished(&mut self, bench: &v1::BenchFinished) -> Result<String, Failure> {
        let v1::BenchFinished { name, failure, iterations, samples, output } = bench;
        let padded = format!("{name:width$}", width = self.width);
        if !failure.is_empty() {
            self.failed += 1;
            let wrote = String::from_utf8_lossy(output);
            let wrote = wrote.trim_end();
            let below = if wrote.is_empty() { String::new() } else { format!("\n{wrote}") };
            return Ok(format!("{padded}  {}: {failure}{below}", self.theme.error("FAILED")));
        }
        let per_call: Vec<f64> =
            samples.iter().map(|sample| *sample as f64 / (*iterations).max(1) as f64).collect();
        let now = summary(&per_call);
        let compared =
            self.before.as_ref().map(|before| before.get(name).map(|before| (before, change(before, &now))));
        if self.json {
            let mut event = summary_json(&now);
            if let Value::Object(fields) = &mut event {
                fields.insert("event".into(), "bench_result".into());
                fields.insert("name".into(), name.as_str().into());
                fields.insert("iterations".into(), (*iterations).into());
                if let Some(Some((before, (fraction, verdict)))) = &compared {
                    fields.insert("baseline".into(), summary_json(before));
                    fields.insert("change".into(), json!(fraction));
                    fields.insert("verdict".into(), word(*verdict).into());
                }
            }
            print_line(&event.to_string())?;
        }
        let compared = match compared {
            None => String::new(),
            Some(None) => "   new".to_owned(),
            Some(Some((_, (fraction, verdict)))) => {
                let text = format!("{:+.1} % {}", fraction * 100.0, word(verdict));
                let text = match verdict {
                    Change::Faster => self.theme.added(&text),
                    Change::Slower => self.theme.error(&text),
                    Change::Same => text,
                };
                format!("   {text}")
            }
        };
        let outliers = match now.outliers {
            0 => String::new(),
            1 => ", 1 outlier".to_owned(),
            outliers => format!(", {outliers} outliers"),
        };
        let line = format!(
            "{padded}  {:>9} ± {:<9} {} × {iterations} calls{outliers}{compared}",
            shown(now.median),
            shown(now.mad),
            now.samples,
        );
        self.all.insert(name.clone(), now);
        Ok(line)
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Faster => "faster",
        Change::Slower => "slower",
        Change::Same => "same",
    }
}

fn summary_json(summary: &Summary) -> Value {
    json!({
        "median_ns": summary.median,
        "mad_ns": summary.mad,
        "min_ns": summary.min,
        "max_ns": summary.max,
        "mean_ns": summary.mean,
        "samples": summary.samples,
        "outliers": summary.outliers,
    })
}

/// `target/bench` of the package around what is measured, or of its folder.
fn results_folder(cwd: &Path, entry: &str) -> PathBuf {
    let entry = cwd.join(entry);
    let start = if entry.is_dir() { entry.as_path() } else { entry.parent().unwrap_or(cwd) };
    let package = start.ancestors().find(|folder| folder.join("vitte-package.json").is_file());
    package.unwrap_or(start).join("target").join("bench")
}

fn write(folder: &Path, name: &str, all: &BTreeMap<String, Summary>) -> Result<PathBuf, Failure> {
    let path = folder.join(format!("{name}.json"));
    let benches: serde_json::Map<String, Value> =
        all.iter().map(|(name, summary)| (name.clone(), summary_json(summary))).collect();
    let mut text = format!("{:#}", json!({"schema": SCHEMA, "benches": benches}));
    text.push('\n');
    fs::create_dir_all(folder).map_err(|error| {
        Failure::new(Exit::InputOutput, format!("cannot make `{}`: {error}", folder.display()))
    })?;
    vitte_sys::fs::write(&path, text.as_bytes())?;
    Ok(path)
}

fn read(folder: &Path, name: &str) -> Result<BTreeMap<String, Summary>, Failure> {
    let path = folder.join(format!("{name}.json"));
    let text = fs::read_to_string(&path).map_err(|error| {
        let failure = Failure::new(
            Exit::BadInput,
            format!("there is no baseline `{name}`: {}: {error}", path.display()),
        );
        failure.help(match kept(folder) {
            names if names.is_empty() => format!("`vitte bench --save {name}` makes one"),
            names => format!("there are {}; `vitte bench --save {name}` makes one", names.join(", ")),
        })
    })?;
    parse(&text).ok_or_else(|| {
        Failure::new(Exit::BadInput, format!("`{}` holds no results of benchmarks", path.display()))
            .help(format!("`vitte bench --save {name}` makes it anew"))
    })
}

/// The names of what was saved, in order.
fn kept(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.sort();
    names
}

fn parse(text: &str) -> Option<BTreeMap<String, Summary>> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value.get("schema")?.as_str()? != SCHEMA {
        return None;
    }
    let summary = |value: &Value| {
        let number =
            |name: &str| value.get(name)?.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
        Some(Summary {
            median: number("median_ns")?,
            mad: number("mad_ns")?,
            min: number("min_ns")?,
            max: number("max_ns")?,
            mean: number("mean_ns")?,
            samples: number("samples")? as usize,
            outliers: number("outliers")? as usize,
        })
    };
    value
        .get("benches")?
        .as_object()?
        .iter()
        .map(|(name, value)| Some((name.clone(), summary(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let one = Summary { median: 1.5, mad: 0.25, min: 1.0, max: 9.0, mean: 2.0, samples: 60, outliers: 2 };
        let all = BTreeMap::from([("m::bench_a".to_owned(), one)]);
        write(folder.path(), "before", &all).unwrap();
        assert_eq!(read(folder.path(), "before").unwrap(), all);
        let missing = read(folder.path(), "after").unwrap_err();
        assert!(missing.help.contains("`before`"), "{}", missing.help);
    }

    #[test]
    fn other_files_are_no_baseline() {
        for text in [
            "",
            "{}",
            "{\"schema\":\"vitte.bench.v1\"}",
            "{\"schema\":\"x\",\"benches\":{}}",
            "{\"schema\":\"vitte.bench.v1\",\"benches\":{\"a\":{\"median_ns\":-1}}}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
