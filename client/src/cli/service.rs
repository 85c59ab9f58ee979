//! The service and its store: `daemon`, `cache`.
use std::time::Duration;

use clap::Subcommand;

use super::values::{age, size};

/// `vitte cache …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum CacheVerb {
    /// Say what is in the store and how it served
    #[command(after_help = "Examples:\n  vitte cache stats\n  vitte cache stats --json | jq .rates")]
    Stats,
    /// Read and check every entry; change nothing
    #[command(after_help = "Example:\n  vitte cache verify || vitte cache repair")]
    Verify,
    /// Check every entry, remove what is damaged, make the index again
    #[command(after_help = "Example:\n  vitte cache repair")]
    Repair,
    /// Remove what was not used for longest, down to the budget
    #[command(after_help = "Examples:\n  vitte cache gc\n  vitte cache gc --size '2 GiB'\n  \
        vitte cache gc --max-age 30d\n\nWhat is pinned, or used by a build that runs, stays.")]
    Gc {
        /// Instead of the configured budget, such as `512MiB` or `10GiB`
        #[arg(long, value_name = "SIZE", value_parser = size)]
        size: Option<u64>,
        /// Also remove what was not used for so long, such as `12h` or `30d`
        #[arg(long, value_name = "TIME", value_parser = age)]
        max_age: Option<Duration>,
    },
    /// Remove everything that is neither pinned nor in use
    #[command(after_help = "Example:\n  vitte cache clean\n\nNever needed for correct builds.")]
    Clean,
}

/// `vitte daemon …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum DaemonVerb {
    /// Start the service, if it does not run
    Start,
    /// Stop the service once its work is done
    Stop,
    /// Stop the service and start it anew
    Restart,
    /// Say whether the service runs and what it does
    Status,
    /// Print the service's log
    Logs {
        /// How many of the last lines
        #[arg(long, short = 'n', default_value_t = 100)]
        lines: u32,
        /// Go on with new lines as they come
        #[arg(long, short)]
        follow: bool,
    },
}
