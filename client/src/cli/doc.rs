//! `doc`.
use std::path::PathBuf;

use clap::Args;

/// `vitte doc`
#[derive(Debug, Args)]
pub struct DocArgs {
    /// The package's folder, or a file; the package around this folder if left out
    #[arg(value_name = "PATH")]
    pub entry: Option<PathBuf>,
    /// The standard library instead of a package
    #[arg(long, conflicts_with = "entry")]
    pub library: bool,
    /// Where the pages go; `target/doc` of the package if left out
    #[arg(long, short, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}
