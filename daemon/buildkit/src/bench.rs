//! How long builds take and how large they are, for each target, compared with what was measured before.
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use vitte_driver::link::Toolbox;
use vitte_driver::{BuildRequest, CancellationToken, Driver, DriverError, Product, TargetName};

use crate::error::Error;

/// What was measured for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The target.
    pub target: String,
    /// Who makes the code and who links it.
    pub toolchain: String,
    /// Milliseconds of the first build, by a driver with nothing in memory.
    pub cold_ms: f64,
    /// Milliseconds of a build again: the median.
    pub warm_ms: f64,
    /// Bytes of the program.
    pub bytes: u64,
    /// Most memory that the process had during these builds, in bytes; 0 if the system does not tell. A linker in a process
    /// of its own is not in it.
    pub peak_bytes: u64,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// In order of target and toolchain.
    pub rows: Vec<Row>,
}

/// Builds of each target again; the median counts.
const WARM: usize = 5;

impl Report {
    /// Builds the package in `folder` for every target that is named, or for all, each time by a new driver.
    ///
    /// # Errors
    /// As a build; a program with errors is [`Error::Program`].
    pub fn measure(
        driver: &dyn Fn() -> Driver,
        folder: &Path,
        targets: &[String],
        profile: &str,
    ) -> Result<Self, Error> {
        // Names are told before anything is measured.
        targets.iter().try_for_each(|name| crate::target::find(name).map(drop))?;
        let tools = Toolbox::from_environment();
        let mut rows = Vec::new();
        for target in TargetName::all() {
            if !targets.is_empty()
                && !targets.iter().any(|name| name == target.name || target.aliases.contains(&name.as_str()))
            {
                continue;
            }
            // For this machine by every linker that it has; the others are laid out by us alone.
            let linkers: Vec<Option<&str>> = match target.product {
                Product::Executable => {
                    std::iter::once(None).chain(tools.all().iter().map(|tool| Some(tool.name))).collect()
                }
                _ => vec![None],
            };
            for linker in linkers {
                match (measure(driver, folder, target, profile, linker), linker) {
                    (Ok(row), _) => rows.push(row),
                    // A linker of the machine that cannot link this is left out.
                    (Err(Error::Build(DriverError::Tool { .. })), Some(_)) => {}
                    (Err(error), _) => return Err(error),
                }
            }
        }
        rows.sort_by(|a, b| (&a.target, &a.toolchain).cmp(&(&b.target, &b.toolchain)));
        Ok(Self { rows })
    }

    /// A table for people; with `baseline`, each number's ratio to what it was.
    pub fn table(&self, baseline: Option<&Self>) -> String {
        let mut text = format!(
            "{:<26}{:<20}{:>10}{:>10}{:>12}{:>12}\n",
            "target", "toolchain", "cold ms", "warm ms", "bytes", "peak MiB"
        );
        for row in &self.rows {
            text.push_str(&format!(
                "{:<26}{:<20}{:>10.1}{:>10.2}{:>12}{:>12.1}\n",
                row.target,
                row.toolchain,
                row.cold_ms,
                row.warm_ms,
                row.bytes,
                row.peak_bytes as f64 / 1_048_576.0
            ));
            let before = baseline.and_then(|known| {
                known
                    .rows
                    .iter()
                    .find(|known| (&known.target, &known.toolchain) == (&row.target, &row.toolchain))
            });
            if let Some(before) = before {
                let ratio = |now: f64, then: f64| if then > 0.0 { now / then } else { 1.0 };
                text.push_str(&format!(
                    "{:<46}{:>9.2}x{:>9.2}x{:>11.2}x{:>11.2}x\n",
                    "  to the baseline",
                    ratio(row.cold_ms, before.cold_ms),
                    ratio(row.warm_ms, before.warm_ms),
                    ratio(row.bytes as f64, before.bytes as f64),
                    ratio(row.peak_bytes as f64, before.peak_bytes as f64)
                ));
            }
        }
        text
    }
}

/// One target by one linker.
fn measure(
    driver: &dyn Fn() -> Driver,
    folder: &Path,
    target: TargetName,
    profile: &str,
    linker: Option<&str>,
) -> Result<Row, Error> {
    let driver = driver();
    let scratch = std::env::temp_dir();
    let out = scratch.join(format!("vitte-bench-{}-{}", std::process::id(), target.name));
    let request = BuildRequest {
        entry: Some(folder.to_path_buf()),
        cwd: folder.to_path_buf(),
        target: Some(target.triple.to_owned()),
        profile: Some(profile.to_owned()),
        output: Some(out.clone()),
        linker: linker.map(str::to_owned),
        ..BuildRequest::default()
    };
    let build = || -> Result<f64, Error> {
        // Each makes its program: none is there already.
        let _ = std::fs::remove_file(&out);
        let started = Instant::now();
        let outcome = driver.build(&request, &|_| {}, &CancellationToken::new())?;
        if outcome.errors > 0 {
            return Err(Error::Program(outcome.errors));
        }
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    };
    forget_peak();
    let cold_ms = build()?;
    let mut warm = (0..WARM).map(|_| build()).collect::<Result<Vec<_>, _>>()?;
    warm.sort_by(f64::total_cmp);
    let bytes = std::fs::metadata(&out).map(|data| data.len()).unwrap_or_default();
    // It was made to be measured.
    let _ = std::fs::remove_file(&out);
    let toolchain = match (target.product, linker) {
        (Product::Executable | Product::SharedLibrary, None) => "cranelift, embedded".to_owned(),
        (_, Some(linker)) => format!("cranelift, {linker}"),
        (Product::Foreign(_), None) => "cranelift, images".to_owned(),
        (
            Product::Wasm(_)
            | Product::Bytecode
            | Product::CSource
            | Product::Component
            | Product::Package(_),
            None,
        ) => "built in".to_owned(),
    };
    let warm_ms = warm.get(WARM / 2).copied().unwrap_or_default();
    Ok(Row { target: target.name.to_owned(), toolchain, cold_ms, warm_ms, bytes, peak_bytes: peak_memory() })
}

/// Lets Linux count the most memory of this process anew: proc(5), `/proc/PID/clear_refs`.
fn forget_peak() {
    // Where it cannot, the count is that of the whole life.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that this process has had, by Linux.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_ratios_to_what_was_measured_before() {
        let row = |cold_ms| Row {
            target: "wasm32".to_owned(),
            toolchain: "built in".to_owned(),
            cold_ms,
            warm_ms: 1.0,
            bytes: 100,
            peak_bytes: 0,
        };
        let (now, then) = (Report { rows: vec![row(20.0)] }, Report { rows: vec![row(10.0)] });
        assert!(now.table(Some(&then)).contains("2.00x"));
        assert!(!now.table(None).contains("baseline"));
    }
}
