//! `watch` and its goals.
use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::build::BuildArgs;
use super::test::TestFlags;

/// `vitte watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// What to check, when no other goal is given.
    #[command(flatten)]
    pub rebuild: RebuildArgs,
    /// What to do after every change.
    #[command(subcommand)]
    pub goal: Option<WatchGoal>,
}

/// What to do after every change.
#[derive(Debug, Subcommand)]
pub enum WatchGoal {
    /// Check (the default)
    Check(RebuildArgs),
    /// Build
    Build(RebuildArgs),
    /// Build and run
    Run(RerunArgs),
    /// Build and run tests
    Test(RetestArgs),
}

/// `vitte watch check` and `vitte watch build`
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Clear the screen before each round
    #[arg(long)]
    pub clear: bool,
}

/// `vitte watch test`
#[derive(Debug, Args)]
pub struct RetestArgs {
    /// What to build.
    #[command(flatten)]
    pub rebuild: RebuildArgs,
    /// Which tests to run, and how.
    #[command(flatten)]
    pub tests: TestFlags,
}

/// `vitte watch run`
#[derive(Debug, Args)]
pub struct RerunArgs {
    /// What to build.
    #[command(flatten)]
    pub rebuild: RebuildArgs,
    /// End the running program when there is a new one, and start that (the default)
    #[arg(long, conflicts_with = "keep")]
    pub restart: bool,
    /// Let the running program go on; start the new one once it has ended
    #[arg(long)]
    pub keep: bool,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}
