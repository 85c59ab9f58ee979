//! Packages: `new`, `init`, `buildkit`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `vitte new`
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to make; its last part is the package's name
    pub path: PathBuf,
    /// The package's name, if it is not the folder's
    #[arg(long)]
    pub name: Option<String>,
}

/// `vitte init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The package's name, if it is not the folder's
    #[arg(long)]
    pub name: Option<String>,
}

/// What `vitte buildkit …` makes of which package.
#[derive(Clone, Debug, Args)]
pub struct PackageArgs {
    /// The package's folder, or the name of a member of the workspace; this folder if left out
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
    /// For which machine: see `vitte targets`
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The profile; `release` if left out
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Where the files go
    #[arg(long, short = 'o', default_value = "dist", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Sign every file with this key: a name, or a path of a secret key of `minisign`
    #[arg(long, value_name = "KEY")]
    pub sign: Option<String>,
    /// Sign every .rpm with this key: a file of `gpg --export-secret-keys` with an Ed25519 key
    #[arg(long, value_name = "FILE")]
    pub sign_rpm: Option<PathBuf>,
}

/// `vitte buildkit …`
#[derive(Clone, Debug, Subcommand)]
pub enum BuildkitVerb {
    /// Build a package's program and make packages of it
    #[command(
        after_help = "Formats: deb, rpm, msi, pkg, vitmod, tar.gz, tar.zst, tar.xz, zip; without `--format` those that people on the \
        target expect. Beside them come parts lists (SPDX, CycloneDX), provenance and checksums.\n\n\
        Examples:\n  vitte buildkit package --target x86_64-linux --format deb,rpm\n  \
        SOURCE_DATE_EPOCH=1700000000 vitte buildkit package --sign release\n\n\
        The key's password is taken from VITTE_KEY_PASSWORD."
    )]
    Package {
        /// What to make of which package
        #[command(flatten)]
        what: PackageArgs,
        /// In which formats
        #[arg(long = "package-format", value_name = "FORMAT", value_delimiter = ',')]
        formats: Vec<String>,
    },
    /// Build a package's program for another machine
    #[command(after_help = "Example:\n  vitte buildkit cross --target aarch64-apple-darwin")]
    Cross(PackageArgs),
    /// Build a package's program and make an archive of it
    #[command(after_help = "Example:\n  vitte buildkit export --format tar.gz,zip")]
    Export {
        /// What to make of which package
        #[command(flatten)]
        what: PackageArgs,
        /// tar.gz, tar.zst, tar.xz or zip
        #[arg(long = "package-format", value_name = "FORMAT", value_delimiter = ',')]
        formats: Vec<String>,
    },
    /// Measure builds for each target, and compare them with a baseline
    #[command(after_help = "Examples:\n  vitte buildkit bench --save baseline.json\n  \
        vitte buildkit bench --baseline baseline.json --target wasm32")]
    Bench {
        /// The package's folder; this folder if left out
        #[arg(value_name = "PACKAGE")]
        package: Option<PathBuf>,
        /// For which machines; all if left out
        #[arg(long, value_name = "TARGET", value_delimiter = ',')]
        target: Vec<String>,
        /// The profile; `release` if left out
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// Show how much longer and larger than in this file
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        /// Save what was measured
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
}
