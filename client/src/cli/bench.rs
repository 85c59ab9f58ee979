//! `bench`.
use std::time::Duration;

use clap::Args;

use super::build::BuildArgs;
use super::values::{baseline_name, duration};

/// `vitte bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Only benchmarks whose name contains this (repeatable)
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// The filters are whole names
    #[arg(long)]
    pub exact: bool,
    /// Name the benchmarks and run none
    #[arg(long)]
    pub list: bool,
    /// Keep the results under this name, in `target/bench` of the package
    #[arg(long, value_name = "NAME", value_parser = baseline_name)]
    pub save: Option<String>,
    /// Compare with the results that were kept under this name
    #[arg(long, value_name = "NAME", value_parser = baseline_name)]
    pub baseline: Option<String>,
    /// How many samples of each are taken
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub samples: u32,
    /// How long a sample takes, such as `5ms` or `0.1s`
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = duration)]
    pub sample_time: Duration,
    /// What each may take in all; five minutes if left out
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}
