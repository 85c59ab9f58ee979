//! Loaded modules and plugins: `load`, `reload`, `modules`, `call`, `plugin`.
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::values::duration;

/// `vitte load`
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The file, or a package's folder, which is built first
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The module's name, if it is not the file's
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Load each change of the file as a new generation
    #[arg(long)]
    pub watch: bool,
    /// Let it reach something of the system: args, clocks, random, stdio, env:NAME, fs:ro:FOLDER or fs:rw:FOLDER
    #[arg(long = "grant", value_name = "CAPABILITY")]
    pub grants: Vec<String>,
    /// Look here for packages that it depends on
    #[arg(long = "path", value_name = "FOLDER")]
    pub search: Vec<PathBuf>,
    /// Fail if other versions of its dependencies would be chosen than its lock file says
    #[arg(long)]
    pub locked: bool,
    /// What it sees as its arguments, if it is granted `args`
    #[arg(last = true, value_name = "ARG")]
    pub arguments: Vec<String>,
}

/// `vitte reload`
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Which
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// Load this file, for one module, rather than the one it came from
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Accept that functions that were called are gone or have another type, and that state is lost
    #[arg(long)]
    pub allow_breaking: bool,
}

/// `vitte modules`
#[derive(Debug, Args)]
pub struct ModulesArgs {
    /// Show this one
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print what happens to modules, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Print which module imports what from which
    #[arg(long, conflicts_with = "watch")]
    pub graph: bool,
}

/// `vitte call`
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The module
    #[arg(value_name = "MODULE")]
    pub module: String,
    /// The function with its arguments: `name(value, …)`
    #[arg(value_name = "CALL")]
    pub call: String,
    /// On this generation, if calls still run on it
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// End it after this time, such as `5`, `1.5s` or `200ms` (exit status 75)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// `vitte plugin …`
#[derive(Debug, Subcommand)]
pub enum PluginVerb {
    /// Do every check of a load, and run nothing
    #[command(after_help = "Example:\n  vitte plugin check target/dev/tidy.vitplug")]
    Check {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say which trusted key signed a plugin
    #[command(after_help = "Example:\n  vitte plugin verify target/dev/tidy.vitplug")]
    Verify {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check a plugin and load it as soon as it is wanted
    #[command(after_help = "Example:\n  vitte plugin load target/dev/tidy.vitplug --config tabs")]
    Load {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What it is configured with, in place of what its package says
        #[arg(long, value_name = "TEXT")]
        config: Option<String>,
    },
    /// Forget plugins
    #[command(after_help = "Example:\n  vitte plugin unload example:tidy")]
    Unload {
        /// Which
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// List plugins, what they contribute and what becomes of them
    #[command(after_help = "Example:\n  vitte plugin list --json")]
    List,
    /// Show a plugin
    #[command(after_help = "Example:\n  vitte plugin info example:tidy")]
    Info {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print a file in a plugin's style
    #[command(after_help = "Example:\n  vitte plugin format example:tidy main.vit")]
    Format {
        /// The plugin
        #[arg(value_name = "NAME")]
        name: String,
        /// The file, which is not changed
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a page that a plugin makes of Markdown
    #[command(after_help = "Example:\n  vitte plugin render example:words README.md > readme.html")]
    Render {
        /// The plugin
        #[arg(value_name = "NAME")]
        name: String,
        /// The Markdown
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// List panels as JSON, or print what one shows
    #[command(after_help = "Examples:\n  vitte plugin panels\n  vitte plugin panels example:tidy rules")]
    Panels {
        /// Of this plugin
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Show this one
        #[arg(value_name = "PANEL", requires = "name")]
        panel: Option<String>,
    },
}
