//! From objects to an executable: one trait, several linkers, always in a child process.
//!
//! [`LinkPlan`] is data and says everything; a [`Linker`] turns it into bytes. Undefined and
//! duplicate symbols are found here, before any linker runs, so that the message is the same
//! whichever is used. The executable's path never reaches a linker: equal plans give equal bytes
//! in every directory.
mod command; // cc, ld, ld.lld, rust-lld, mold, custom commands
mod detect; // what this machine offers
mod embedded; // the worker process that holds libwild, seen from the service
pub(crate) mod image; // executables for other machines, in this process
pub(crate) mod incremental; // fragments to an executable, in this process
mod plan; // LinkPlan and its digest
mod startup; // `_start`
mod stub; // a stand-in for libc.so.6 that holds only names
mod symbols; // who defines what, and what the C library offers
pub(crate) mod system_calls; // the library that programs reach the operating system by
mod worker; // the same worker, seen from inside

pub use command::CommandLinker;
pub(crate) use command::{policy, supervise};
pub use detect::{Tool, ToolKind, Toolbox};
pub use embedded::EmbeddedLinker;
pub use plan::{DebugInfo, LinkMode, LinkObject, LinkPlan};
pub use symbols::{DuplicateSymbol, UndefinedSymbol};
pub use worker::worker_main;

use std::sync::Arc;
use std::time::Duration;

use vitte_sys::sandbox::Confinement;

use crate::api::{CancellationToken, Finding};

/// The only target whose executables can be linked today.
pub const HOST_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The name of the embedded linker.
pub(crate) const EMBEDDED: &str = "embedded";

/// What a linker made.
#[derive(Clone, Debug)]
pub struct LinkReport {
    /// The executable.
    pub bytes: Vec<u8>,
    /// Who made it: `embedded (libwild 0.10.0)`, `cc (/usr/bin/cc)`, …
    pub linker: String,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// What the linker said although it succeeded.
    pub warnings: Vec<String>,
    /// How strongly its process was confined; `None` for a command of the user's own, which is trusted
    /// like the user's programs.
    pub confinement: Option<Confinement>,
}

/// Why there is no executable.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Symbols that nobody defines, sorted by name.
    #[error("undefined symbols")]
    Undefined(Vec<UndefinedSymbol>),
    /// Symbols that two objects define, sorted by name.
    #[error("duplicate symbols")]
    Duplicate(Vec<DuplicateSymbol>),
    /// The linker cannot do what the plan asks.
    #[error("the {linker} linker cannot link this: {reason}")]
    Unsupported {
        /// Its name.
        linker: String,
        /// What it lacks.
        reason: String,
    },
    /// The linker is missing, failed, or took too long.
    #[error("{message}")]
    Tool {
        /// One sentence.
        message: String,
        /// The tool's own words, shortened.
        output: String,
        /// What to do next.
        help: String,
    },
    /// The caller gave up.
    #[error("cancelled")]
    Cancelled,
}

impl LinkError {
    pub(crate) fn tool(
        message: impl Into<String>,
        output: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Tool { message: message.into(), output: shorten(&output.into()), help: help.into() }
    }
}

/// What a look at a linker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether it can be used.
    pub usable: bool,
    /// Path and version, or why not.
    pub detail: String,
}

/// One way to link.
pub trait Linker: Send + Sync + std::fmt::Debug {
    /// The name by which `--linker` selects it.
    fn name(&self) -> String;
    /// Looks whether it is there. May start a child process.
    fn probe(&self) -> Probe;
    /// Whether it can make executables for the target triple.
    fn supports(&self, target: &str) -> bool {
        target == HOST_TARGET
    }
    /// What of the linker can change the bytes it makes: part of every plan's digest.
    fn identity(&self) -> String;
    /// Gets ready in the background, when that takes time.
    fn prepare(&self) {}
    /// Links.
    fn link(&self, plan: &LinkPlan, cancel: &CancellationToken) -> Result<LinkReport, LinkError>;
}

/// All linkers of this machine, behind the names by which `--linker` selects them.
#[derive(Clone, Debug)]
pub struct Linkers {
    embedded: Arc<EmbeddedLinker>,
    tools: Toolbox,
}

impl Linkers {
    /// The embedded linker with that worker command, and whatever `tools` finds.
    pub fn new(worker: Vec<std::ffi::OsString>, tools: Toolbox) -> Self {
        Self { embedded: Arc::new(EmbeddedLinker::new(worker)), tools }
    }

    /// The linker for `wanted`: a name, a path, a command with `{inputs}` and `{output}`, or the
    /// default, which is the embedded one because it needs nothing of the machine.
    ///
    /// # Errors
    /// [`LinkError::Tool`] when it is not there.
    pub fn select(&self, wanted: Option<&str>) -> Result<Arc<dyn Linker>, LinkError> {
        let wanted = match wanted {
            None | Some("" | EMBEDDED) => return Ok(Arc::clone(&self.embedded) as _),
            Some(wanted) => wanted,
        };
        let path = self.tools.path.clone();
        if command::is_template(wanted) {
            let help =
                "for example: `ld.lld -pie -dynamic-linker /lib64/ld-linux-x86-64.so.2 {inputs} -o {output}`";
            return match CommandLinker::template(wanted, path) {
                Ok(linker) => Ok(Arc::new(linker)),
                Err(message) => Err(LinkError::tool(message, "", help)),
            };
        }
        if let Some(tool) = self.tools.find(wanted) {
            return Ok(Arc::new(CommandLinker::tool(tool, path)));
        }
        let named = if wanted.contains('/') {
            Some(std::path::PathBuf::from(wanted))
                .filter(|path| path.is_absolute() && vitte_sys::fs::is_executable(path))
        } else if detect::NAMES.contains(&wanted) {
            None
        } else {
            self.tools.search(wanted)
        };
        if let Some(found) = named {
            let tool = Tool { name: "custom", kind: command::kind_of(&found), path: found };
            return Ok(Arc::new(CommandLinker::tool(tool, path)));
        }
        let there: Vec<_> =
            std::iter::once(EMBEDDED).chain(self.tools.all().iter().map(|tool| tool.name)).collect();
        Err(LinkError::tool(
            format!("the linker `{wanted}` was not found"),
            String::new(),
            format!("found here: {}; without `--linker` the embedded one is used", there.join(", ")),
        ))
    }

    /// What each known linker says about itself, the default first, with the reason for the choice.
    pub fn findings(&self) -> Vec<Finding> {
        detect::NAMES.iter().map(|name| self.finding(name)).collect()
    }

    fn finding(&self, name: &str) -> Finding {
        let subject = format!("linker {name}");
        let linker = match self.select(Some(name)) {
            Ok(linker) => linker,
            Err(_) => {
                return Finding {
                    subject,
                    state: "missing".into(),
                    detail: "not found".into(),
                    ..Finding::default()
                };
            }
        };
        let probe = linker.probe();
        let chosen = name == "embedded" && probe.usable;
        let detail = if chosen {
            format!(
                "{}; chosen because it needs nothing of this machine and is the fastest here",
                probe.detail
            )
        } else {
            probe.detail
        };
        let state = if probe.usable { "ok" } else { "warning" };
        let help = if probe.usable { String::new() } else { "choose another with `--linker NAME`".into() };
        Finding { subject, state: state.into(), detail, chosen, help }
    }
}

/// Keeps the first and last lines of a tool's output.
fn shorten(output: &str) -> String {
    const LINES_MAX: usize = 40;
    const BYTES_MAX: usize = 8 * 1024;
    let output = output.trim_end();
    let lines: Vec<&str> = output.lines().collect();
    let mut text = if lines.len() > LINES_MAX {
        let left_out = lines.len() - LINES_MAX;
        let (head, tail) = (&lines[..LINES_MAX / 2], &lines[lines.len() - LINES_MAX / 2..]);
        format!("{}\n… {left_out} lines left out …\n{}", head.join("\n"), tail.join("\n"))
    } else {
        output.to_owned()
    };
    if text.len() > BYTES_MAX {
        let mut cut = BYTES_MAX;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        text.truncate(cut);
        text.push('…');
    }
    text
}
