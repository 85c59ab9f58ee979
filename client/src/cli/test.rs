//! `test`.
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::build::BuildArgs;
use super::values::duration;

/// Which tests to run, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct TestFlags {
    /// Only tests whose name contains this (repeatable)
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// The filters are whole names
    #[arg(long)]
    pub exact: bool,
    /// Name the tests and run none
    #[arg(long)]
    pub list: bool,
    /// Run them in a random order, or in that of an earlier seed
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub shuffle: Option<Option<u64>>,
    /// How many run at once; as many as there are processors if left out
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<u32>,
    /// What each may take, such as `5`, `1.5s` or `200ms`; a minute if left out
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Run the examples in doc comments instead
    #[arg(long)]
    pub doc: bool,
    /// Show what tests print that pass, too
    #[arg(long)]
    pub show_output: bool,
}

/// `vitte test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Which tests to run, and how.
    #[command(flatten)]
    pub tests: TestFlags,
    /// Also write the results to this file, as JUnit's XML
    #[arg(long, value_name = "PATH")]
    pub junit: Option<PathBuf>,
}
